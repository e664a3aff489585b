"""Two-dimensional Gaussian fits by Catchment, SciPy and JAX, on the same data, in turns.

    pip install -r benches/peers/requirements-fits.txt
    JAX_PLATFORMS=cpu python benches/peers/gaussian_fits.py target/release/examples/gaussian_fits [--fits 100000] [--rounds 5]

Each round runs every program once, so that a change of the machine's load meets all of them. The clock and the processor
time are told apart: on a shared machine the second is what compares. SciPy fits a share of the data, its time a fit is
what counts. The JAX program is a Levenberg-Marquardt of its own in float32, vmapped and jitted, with the same damping rule
and the same stop; optimistix is the library's solver, vmapped and jitted. Writes gaussian_fits.json.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from scipy.optimize import least_squares

NAMES = ["amplitude", "x0", "y0", "sigma", "offset"]
U, V = (np.tile(np.arange(5), 5).astype(np.float32), np.repeat(np.arange(5), 5).astype(np.float32))
TOLERANCE, MOST = 1e-4, 10


def model(x, xp=np):
    return x[0] * xp.exp(-((U - x[1]) ** 2 + (V - x[2]) ** 2) / (2 * x[3] ** 2)) + x[4]


def jacobian(x):
    du, dv = U - x[1], V - x[2]
    e = np.exp(-(du**2 + dv**2) / (2 * x[3] ** 2))
    a = x[0] * e
    return np.stack([e, a * du / x[3] ** 2, a * dv / x[3] ** 2, a * (du**2 + dv**2) / x[3] ** 3, np.ones(25)], axis=1)


def by_scipy(pixels, starts):
    out = np.empty_like(starts)
    for k in range(len(pixels)):
        y = pixels[k].astype(np.float64)
        fit = least_squares(lambda x: model(x) - y, starts[k].astype(np.float64), jacobian, method="lm",
                            ftol=TOLERANCE, xtol=TOLERANCE, gtol=1e-14, max_nfev=MOST + 1)
        out[k] = fit.x
    return out


def one_by_jax(y, start):
    residual = lambda x: model(x, jnp) - y

    def linear(x):
        r, j = residual(x), jax.jacfwd(residual)(x)
        return j.T @ j, j.T @ r, r @ r

    def turn(state):
        x, h, g, rss, damping, growth, count, _ = state
        s = 1 / jnp.sqrt(jnp.diag(h))
        c = h * s[:, None] * s[None, :] + damping * jnp.eye(5, dtype=x.dtype)
        step = -s * jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(c), True), g * s)
        promised = -step @ (2 * g + h @ step)
        nh, ng, nrss = linear(x + step)
        gain = rss - nrss
        better = gain >= -1e-6 * rss
        ratio = jnp.clip(gain / promised, 0, 1)
        done = (promised <= TOLERANCE * rss) & (jnp.abs(gain) <= TOLERANCE * rss)
        done |= jnp.all(jnp.abs(step) <= TOLERANCE * jnp.abs(x))
        keep = lambda new, old: jnp.where(better, new, old)
        lower = damping * jnp.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3)
        return (keep(x + step, x), keep(nh, h), keep(ng, g), keep(nrss, rss), keep(lower, damping * growth),
                keep(jnp.float32(2), growth * 2), count + 1, done)

    going = lambda state: (state[6] < MOST) & ~state[7]
    begin = (start, *linear(start), jnp.float32(1e-3), jnp.float32(2), 0, False)
    return jax.lax.while_loop(going, turn, begin)[0]


def one_by_optimistix(y, start):
    solver = optimistix.LevenbergMarquardt(rtol=TOLERANCE, atol=TOLERANCE)
    return optimistix.least_squares(lambda x, y: model(x, jnp) - y, solver, start, y, max_steps=MOST, throw=False).value


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--fits", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--scipy-fits", type=int, default=500)
    options.add_argument("--device", default="cpu")
    options.add_argument("--out", default="benches/results/gaussian_fits.json")
    o = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [o.program, "--fits", str(o.fits), "--repeat", "1", "--json", "--device", o.device]
        subprocess.run([*command, "--write", folder], check=True, capture_output=True)
        pixels, starts, truth = (np.load(f"{folder}/{name}.npy") for name in ("pixels", "starts", "truth"))
    starts, truth = np.ascontiguousarray(starts.T), truth.T

    compiled = {name: jax.jit(jax.vmap(one)) for name, one in
                [("JAX, vmap and jit", one_by_jax), ("optimistix, vmap and jit", one_by_optimistix)]}
    for program in compiled.values():
        jax.block_until_ready(program(pixels, starts))
    few = slice(0, o.scipy_fits)
    # program, fits, work
    peers = [(name, o.fits, lambda p=program: np.asarray(p(pixels, starts))) for name, program in compiled.items()]
    peers.append(("scipy.optimize.least_squares, a loop", o.scipy_fits, lambda: by_scipy(pixels[few], starts[few])))
    runs = {name: [] for name, _, _ in peers}
    runs["Catchment"], last, reports = [], {}, []
    for _ in range(o.rounds):
        report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        reports.append(report)
        runs["Catchment"].append((report["seconds"][0] / o.fits, report["cpu_seconds"] / o.fits))
        for name, count, work in peers:
            used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
            clock, cpu = time.perf_counter(), used()
            last[name] = work()
            runs[name].append(((time.perf_counter() - clock) / count, (used() - cpu) / count))
    results = {}
    for name, times in runs.items():
        clock, cpu = (1 / statistics.median(t[i] for t in times) for i in (0, 1))
        results[name] = {"fits_per_second": clock, "fits_per_cpu_second": cpu,
                         "spread": [1 / max(t[0] for t in times), 1 / min(t[0] for t in times)]}
        if name in last:
            error = last[name].astype(np.float64) - truth[: len(last[name])]
            # Fits that ran away would be all of the mean: they are counted, and left out.
            good = np.all(np.abs(error) < [500, 2, 2, 2, 500], axis=1)
            results[name] |= {"mean": error[good].mean(0).tolist(), "sd": error[good].std(0).tolist(),
                              "left_out": int((~good).sum())}
    report = reports[0]
    results["Catchment"] |= {k: report[k] for k in ("mean", "sd", "bound", "converged", "iterations")}
    document = {"date": time.strftime("%Y-%m-%d"), "fits": o.fits, "rounds": o.rounds, "scipy_fits": o.scipy_fits,
                "device": report["device"], "cores": os.cpu_count(), "load": os.getloadavg()[0],
                "python": platform.python_version(),
                "versions": {p: version(p) for p in ("numpy", "scipy", "jax", "jaxlib", "optimistix")},
                "parameters": NAMES, "bound": report["bound"], "results": results}
    with open(o.out, "w") as file:
        json.dump(document, file, indent=1)
    for name, r in results.items():
        print(f"{name:40} {r['fits_per_second']:12.3e} fits/s {r['fits_per_cpu_second']:12.3e} per CPU s "
              f"sd {np.round(r['sd'], 4).tolist()}")


if __name__ == "__main__":
    main()
