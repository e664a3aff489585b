#!/usr/bin/env python3
"""Two moons by a 2-16-1 tanh perceptron, many restarts at once: Catchment beside PyTorch and JAX on the same cores.

Every peer descends the same objective (mean over all rows of log(1 + exp(-y*p))) with Adam (beta1 0.9, beta2 0.999, eps 1e-8)
in single precision, from its own draws of the same law (Glorot-uniform weights, zero biases). Each run is a process of its
own, pinned to the same cores, and the peers take turns. Each hands back its final parameters; losses and accuracies are
computed from them here, by one NumPy function in double precision. Time runs from drawing the starts to the final
parameters in host memory; compilation and a short warm-up come before it and are printed apart.
"""
import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

TABLE = Path(__file__).resolve().parents[2] / "examples/data/two_moons.csv"
UNITS, LR = 16, 0.01
# Glorot & Bengio 2010: uniform within sqrt(6 / (inputs + outputs)) of zero.
REACH = (6 / (2 + UNITS)) ** 0.5, (6 / (UNITS + 1)) ** 0.5
WARM_UP_STEPS = 3


def catchment_command(binary, args, seed, out):
    """The command line of Catchment's turn: the one place to change."""
    return [
        binary, "run", f"mlp(layers=[2,{UNITS},1], activation=tanh, loss=logistic)",
        "--data", str(TABLE), "-n", str(args.restarts), "-o", f"adam(lr={LR})", "--steps", str(args.steps),
        "--seed", str(seed), "--threads", str(args.threads), "--device", args.device, "--out", str(out), "--json",
    ]


def load_table():
    """Inputs (rows x 2) and labels (-1 or 1)."""
    table = np.loadtxt(TABLE, delimiter=",", skiprows=1, dtype=np.float32)
    return table[:, :2], table[:, 2]


def run_jax(args, seed):
    """jit over vmap over a fori_loop of optax's Adam; compiled once, the number of steps an argument."""
    import jax
    import jax.numpy as jnp
    import optax

    inputs, labels = (jnp.asarray(a) for a in load_table())
    inputs = inputs.T
    optimizer = optax.adam(LR)
    glorot = jax.nn.initializers.glorot_uniform()

    def loss(p):
        hidden = jnp.tanh(p["w"] @ inputs + p["b"][:, None])
        return jnp.mean(jax.nn.softplus(-labels * (p["v"] @ hidden + p["c"])))

    def descend(key, steps):
        first, second = jax.random.split(key)
        start = {
            "w": glorot(first, (UNITS, 2)), "b": jnp.zeros(UNITS), "v": glorot(second, (1, UNITS))[0], "c": jnp.zeros(()),
        }

        def step(_, carry):
            p, state = carry
            updates, state = optimizer.update(jax.grad(loss)(p), state, p)
            return optax.apply_updates(p, updates), state

        p, _ = jax.lax.fori_loop(0, steps, step, (start, optimizer.init(start)))
        return jnp.concatenate([p["w"].ravel(), p["b"], p["v"], p["c"][None]])

    @jax.jit
    def descend_all(keys, steps):
        # In groups that stay in the cache, which is faster than one vmap over all restarts (which --jax-batch 0 means).
        return jax.lax.map(lambda key: descend(key, steps), keys, batch_size=min(args.jax_batch or args.restarts, args.restarts))

    keys = jax.random.split(jax.random.key(seed), args.restarts)
    began = time.perf_counter()
    compiled = descend_all.lower(keys, jnp.int32(0)).compile()
    compile_s = time.perf_counter() - began
    np.asarray(compiled(keys, jnp.int32(WARM_UP_STEPS)))
    began = time.perf_counter()
    final = np.asarray(compiled(keys, jnp.int32(args.steps)))
    return final, compile_s, time.perf_counter() - began


def run_torch(args, seed, compiled):
    """All restarts in batched tensors: Adam works by coordinate, so one optimizer over the batch is Adam on each restart."""
    import torch

    torch.set_num_threads(args.threads)
    inputs, labels = (torch.from_numpy(a) for a in load_table())
    inputs = inputs.T.contiguous()
    n = args.restarts

    def start(generator):
        def uniform(reach, *shape):
            return reach * (2 * torch.rand(*shape, generator=generator) - 1)

        parts = [uniform(REACH[0], n, UNITS, 2), torch.zeros(n, UNITS, 1), uniform(REACH[1], n, 1, UNITS), torch.zeros(n, 1, 1)]
        return [part.requires_grad_() for part in parts]

    def loss(w, b, v, c):
        # The rows are shared by all restarts: the first layer is one large product.
        hidden = torch.tanh((w.reshape(n * UNITS, 2) @ inputs).view(n, UNITS, -1) + b)
        p = torch.baddbmm(c, v, hidden)[:, 0]
        # A sum over restarts of each one's mean over rows: every restart gets its own gradient.
        return torch.nn.functional.softplus(-labels * p).mean(dim=1).sum()

    objective = torch.compile(loss) if compiled else loss

    def descend(steps, generator):
        parts = start(generator)
        optimizer = torch.optim.Adam(parts, lr=LR, fused=True)
        for _ in range(steps):
            optimizer.zero_grad()
            objective(*parts).backward()
            optimizer.step()
        return torch.cat([part.detach().reshape(n, -1) for part in parts], dim=1).numpy()

    began = time.perf_counter()
    descend(WARM_UP_STEPS, torch.Generator().manual_seed(0))
    compile_s = time.perf_counter() - began if compiled else 0.0
    began = time.perf_counter()
    final = descend(args.steps, torch.Generator().manual_seed(seed))
    return final, compile_s, time.perf_counter() - began


PEERS = {
    "torch": lambda args, seed: run_torch(args, seed, compiled=True),
    "torch-eager": lambda args, seed: run_torch(args, seed, compiled=False),
    "jax": run_jax,
}


def run_catchment(args, seed, folder):
    """Catchment's turn: parameters from its table, times and throughput from its document."""
    out = folder / f"catchment-{seed}.csv"
    done = subprocess.run(catchment_command(args.catchment, args, seed, out), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"catchment stopped with exit code {done.returncode}")
    document = json.loads(done.stdout)
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted((name for name in rows[0] if name[0] == "x" and name[1:].isdigit()), key=lambda name: int(name[1:]))
    final = np.array([[float(row[name] or "nan") for name in names] for row in rows])
    told = np.array([float(row["value"] or "nan") for row in rows])
    timing = document["timing"]
    print(f"catchment ran on {document['device']}", file=sys.stderr)
    return final, timing["compile_s"], timing["run_s"], told


def run_peer(name, args, seed, folder):
    """A framework's turn, in a process of its own."""
    out = folder / f"{name}-{seed}.npz"
    command = [sys.executable, __file__, "--child", name, str(seed), str(out)]
    for key in ("restarts", "steps", "threads", "jax_batch"):
        command += ["--" + key.replace("_", "-"), str(getattr(args, key))]
    # A folder of its own keeps torch.compile from finding the last round's code: every compilation is a cold one.
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TORCHINDUCTOR_CACHE_DIR": str(folder / f"cache-{seed}")}
    subprocess.run(command, check=True, env=env)
    with np.load(out) as saved:
        return saved["final"], float(saved["compile_s"]), float(saved["run_s"]), None


def judge(final):
    """Training loss and accuracy of each restart, in double precision; a restart that is not finite counts as wrong."""
    inputs, labels = (a.astype(np.float64) for a in load_table())
    losses, accuracies = np.empty(len(final)), np.empty(len(final))
    for i, theta in enumerate(final.astype(np.float64)):
        w, b, v, c = np.split(theta, np.cumsum([2 * UNITS, UNITS, UNITS]))
        margin = labels * (np.tanh(inputs @ w.reshape(UNITS, 2).T + b) @ v + c)
        losses[i], accuracies[i] = np.logaddexp(0, -margin).mean(), (margin > 0).mean()
    return losses, accuracies


def take_turns(args):
    """All rounds: A B C, A B C, …; a seed a round."""
    names = args.peers.split(",") + (["catchment"] if args.catchment else [])
    results = {name: {"losses": [], "accuracies": [], "compile_s": [], "run_s": []} for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for turn, name in itertools.product(range(args.rounds), names):
            seed = args.seed + turn
            if name == "catchment":
                final, compile_s, run_s, told = run_catchment(args, seed, Path(folder))
            else:
                final, compile_s, run_s, told = run_peer(name, args, seed, Path(folder))
            if final.shape != (args.restarts, 4 * UNITS + 1):
                sys.exit(f"{name}: final parameters have shape {final.shape}")
            losses, accuracies = judge(final)
            # The value that Catchment tells must be the loss of the parameters that it tells.
            if told is not None and not np.allclose(told, losses, rtol=1e-3, atol=1e-5):
                sys.exit(f"catchment: values and parameters disagree by {np.nanmax(np.abs(told - losses))}")
            for key, value in zip(results[name], (losses, accuracies, compile_s, run_s)):
                results[name][key].append(value)
            print(f"round {turn + 1}: {name} {run_s:.2f} s (compilation {compile_s:.2f} s)", file=sys.stderr)
    return results


def summarize(results, args):
    """One row a peer: quantiles over the restarts of all rounds, medians over rounds of the times."""
    quantiles = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
    rows = []
    for name, result in results.items():
        row = {"peer": name, "restarts": args.restarts, "rounds": args.rounds, "steps": args.steps}
        for key in ("losses", "accuracies"):
            values = np.concatenate(result[key])
            finite = values[np.isfinite(values)]
            row[key] = {"mean": finite.mean(), "min": finite.min(), "max": finite.max()}
            row[key] |= {q: np.quantile(finite, p) for q, p in quantiles.items()}
            row["nonfinite"] = int(len(values) - len(finite)) if key == "losses" else row["nonfinite"]
        row["compile_s"], row["run_s"] = float(np.median(result["compile_s"])), result["run_s"]
        row["network_steps_per_s"] = args.restarts * args.steps / float(np.median(result["run_s"]))
        rows.append(row)
    return rows


def print_table(rows, results):
    """For a person: distributions, then speed, then whether the distributions can be told apart."""
    from scipy.stats import ks_2samp

    for key, digits in (("accuracies", 4), ("losses", 5)):
        print(f"\n{'training ' + key:<20}" + "".join(f"{q:>10}" for q in ("mean", "q05", "q25", "q50", "q75", "q95")))
        for row in rows:
            cells = "".join(f"{row[key][q]:>10.{digits}f}" for q in ("mean", "q05", "q25", "q50", "q75", "q95"))
            print(f"{row['peer']:<20}{cells}" + (f"  ({row['nonfinite']} not finite)" if row["nonfinite"] else ""))
    print(f"\n{'speed':<20}{'compile s':>10}{'run s':>10}{'least':>10}{'most':>10}{'network-steps/s':>18}")
    for row in rows:
        times = row["run_s"]
        print(f"{row['peer']:<20}{row['compile_s']:>10.2f}{np.median(times):>10.2f}{min(times):>10.2f}{max(times):>10.2f}"
              f"{row['network_steps_per_s']:>18.4g}")
    pairs = list(itertools.combinations(results, 2))
    if pairs:
        print("\nfinal losses, two-sample Kolmogorov-Smirnov")
    for a, b in pairs:
        test = ks_2samp(np.concatenate(results[a]["losses"]), np.concatenate(results[b]["losses"]))
        print(f"{a + ' / ' + b:<30} D {test.statistic:.4f}   p {test.pvalue:.3f}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catchment", metavar="PATH", help="the catchment binary; without it only the frameworks run")
    parser.add_argument("--device", default="cpu", help="Catchment's device (the frameworks stay on the CPU)")
    parser.add_argument("--peers", default="torch,jax", help=f"of {', '.join(PEERS)}; default torch,jax")
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores that every peer is held to")
    parser.add_argument("--jax-batch", type=int, default=100, help="restarts that JAX takes at once, 0 for all")
    parser.add_argument("--json", metavar="FILE", help="write the table as JSON, too")
    parser.add_argument("--child", nargs=3, metavar=("PEER", "SEED", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.peers.split(",")) - set(PEERS)
    if unknown:
        parser.error(f"no peer named {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    return args


def main():
    args = parse()
    # JAX has no option for its threads: all are held to the same cores instead, inherited by their processes.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    if args.child:
        name, seed, out = args.child
        final, compile_s, run_s = PEERS[name](args, int(seed))
        np.savez(out, final=final, compile_s=compile_s, run_s=run_s)
        return
    results = take_turns(args)
    rows = summarize(results, args)
    versions = {name: version(name) for name in ("numpy", "torch", "jax", "optax")}
    print(f"two moons, 2-{UNITS}-1 tanh, logistic, Adam lr {LR}: {args.restarts} restarts, {args.steps} steps, {args.rounds} rounds, "
          f"{args.threads} cores, {', '.join(f'{k} {v}' for k, v in versions.items())}")
    print_table(rows, results)
    if args.json:
        Path(args.json).write_text(json.dumps({"versions": versions, "threads": args.threads, "peers": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
