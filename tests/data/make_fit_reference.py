#!/usr/bin/env python3
"""Robust least-squares fits by SciPy, polished at 50 digits: writes fit_reference.json beside itself.

With residuals f_i = sqrt(weight_i) * (model_i - y_i) the cost is SciPy's, half of sum of S^2 * rho((f_i / S)^2) with S = f_scale:
    linear   rho(z) = z                     soft_l1  rho(z) = 2*(sqrt(1 + z) - 1)
    huber    rho(z) = z up to 1, then 2*sqrt(z) - 1     cauchy   rho(z) = log(1 + z)
`least_squares` (trf, complex-step Jacobian, all tolerances 1e-15) from many starts in the box finds the lowest minimum; Newton's
method in mpmath on the same cost, written out a second time, takes it to 30 digits and shows that the reduced Hessian is
positive definite and that a parameter on its bound is held there by the slope. A tenth of the rows are outliers.
"""
import json
import platform
from pathlib import Path

import mpmath
import numpy as np
import scipy
from mpmath import mp
from scipy.optimize import least_squares

SEED, STARTS = 11, 40
LOSSES = ["linear", "huber", "soft_l1", "cauchy"]
mp.dps = 50

# Each model once: `m` is NumPy or mpmath, so that SciPy and the polish share the formula and nothing else.
MODELS = {
    "decay": {
        "model": "a*exp(-k*t) + c",
        "f": lambda m, p, t: p[0] * m.exp(-p[1] * t) + p[2],
        "parameters": ["a", "k", "c"], "true": [2.5, 0.8, 0.5], "box": [[0, 10], [0.01, 10], [-2, 2]],
        "bounded": False, "rows": 40, "t": [0, 6], "noise": 0.05, "outlier": 1.0, "f_scale": 0.1,
    },
    "two_peaks": {
        "model": "a*exp(-((t - b)/c)^2) + d*exp(-((t - m)/s)^2)",
        "f": lambda m, p, t: p[0] * m.exp(-(((t - p[1]) / p[2]) ** 2)) + p[3] * m.exp(-(((t - p[4]) / p[5]) ** 2)),
        "parameters": ["a", "b", "c", "d", "m", "s"], "true": [3.0, 2.0, 0.7, 1.5, 4.5, 1.1],
        "box": [[0, 10], [0, 3.25], [0.2, 3], [0, 10], [3.25, 7], [0.2, 3]],
        "bounded": False, "weighted": True, "rows": 60, "t": [0, 7], "noise": 0.06, "outlier": 1.5, "f_scale": 0.125,
    },
    "growth": {
        "model": "K/(1 + exp(-r*(t - h)))",
        "f": lambda m, p, t: p[0] / (1 + m.exp(-p[1] * (t - p[2]))),
        "parameters": ["K", "r", "h"], "true": [5.0, 1.5, 3.0], "box": [[0, 4.875], [0.1, 5], [0, 10]],
        "bounded": True, "rows": 50, "t": [0, 8], "noise": 0.1, "outlier": 2.0, "f_scale": 0.25,
    },
}


def single(a):
    """Rounded to a multiple of 2^-12: a single-precision number, and short in decimal."""
    a = np.round(np.asarray(a, float) * 4096) / 4096
    assert (a == a.astype(np.float32)).all()
    return a


def make_table(spec, rng):
    """Columns t, y and perhaps w; every tenth row on average is thrown off by the outlier's size or more."""
    rows = spec["rows"]
    t = single(np.linspace(*spec["t"], rows))
    y = spec["f"](np, spec["true"], t) + spec["noise"] * rng.standard_normal(rows)
    off = rng.choice(rows, rows // 10, replace=False)
    y[off] += np.where(rng.random(len(off)) < 0.7, 1, -1) * spec["outlier"] * (1 + rng.random(len(off)))
    table = {"t": t, "y": single(y)}
    if spec.get("weighted"):
        table["w"] = single(0.25 + 1.75 * rng.random(rows))
    return table, sorted(off.tolist())


def scipy_fit(spec, table, loss, rng):
    """The lowest cost of many starts, and how many of them reached it."""
    root = np.sqrt(table.get("w", np.ones(spec["rows"])))
    low, high = np.array(spec["box"], float).T

    def residuals(p):
        return root * (spec["f"](np, p, table["t"]) - table["y"])

    bounds = (low, high) if spec["bounded"] else (-np.inf, np.inf)
    found = []
    for _ in range(STARTS):
        start = low + (high - low) * (0.02 + 0.96 * rng.random(len(low)))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            try:
                fit = least_squares(residuals, start, jac="cs", bounds=bounds, loss=loss, f_scale=spec["f_scale"],
                                    xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000)
            except (ValueError, np.linalg.LinAlgError):
                continue  # a start whose path left the range of doubles
        inside = ((fit.x >= low) & (fit.x <= high)).all()
        if inside and np.isfinite(fit.cost):
            found.append(fit)
    best = min(found, key=lambda fit: fit.cost)
    return best, sum(fit.cost <= best.cost * (1 + 1e-9) for fit in found)


def rho(loss, z):
    """SciPy's losses again, for mpmath."""
    if loss == "linear":
        return z
    if loss == "huber":
        return z if z <= 1 else 2 * mp.sqrt(z) - 1
    return 2 * (mp.sqrt(1 + z) - 1) if loss == "soft_l1" else mp.log(1 + z)


def mp_cost(spec, table, loss, p):
    """The cost at 50 digits."""
    scale, total = mp.mpf(spec["f_scale"]), mp.mpf(0)
    weights = table.get("w", np.ones(spec["rows"]))
    for t, y, w in zip(table["t"], table["y"], weights):
        f2 = mp.mpf(float(w)) * (spec["f"](mp, p, mp.mpf(float(t))) - mp.mpf(float(y))) ** 2
        total += scale**2 * rho(loss, f2 / scale**2)
    return total / 2


def slopes(cost, p, free, h=mp.mpf(10) ** -12):
    """Gradient along all parameters (fourth-order differences, right to about 35 digits) and Hessian along the free ones."""

    def at(*moves):
        q = list(p)
        for i, d in moves:
            q[i] += d
        return cost(q)

    gradient = [(8 * (at((i, h)) - at((i, -h))) - (at((i, 2 * h)) - at((i, -2 * h)))) / (12 * h) for i in range(len(p))]
    hessian = mp.matrix(len(free))
    for a, i in enumerate(free):
        for b, j in enumerate(free[: a + 1]):
            second = (at((i, h), (j, h)) - at((i, h), (j, -h)) - at((i, -h), (j, h)) + at((i, -h), (j, -h))) / (4 * h * h)
            hessian[a, b] = hessian[b, a] = second
    return gradient, hessian


def polish(spec, table, loss, fit):
    """Newton's method from SciPy's answer with the parameters at their bounds held there."""
    low, high = np.array(spec["box"], float).T
    active = {}
    if spec["bounded"]:
        for i, x in enumerate(fit.x):
            for side, bound in (("lower", low[i]), ("upper", high[i])):
                if abs(x - bound) < 1e-6 * (high[i] - low[i]):
                    active[i] = side
    p = [mp.mpf(float(x)) for x in fit.x]
    for i, side in active.items():
        p[i] = mp.mpf(float(low[i] if side == "lower" else high[i]))
    free = [i for i in range(len(p)) if i not in active]

    def cost(q):
        return mp_cost(spec, table, loss, q)

    step = mp.inf
    for _ in range(8):
        gradient, hessian = slopes(cost, p, free)
        move = mp.lu_solve(hessian, mp.matrix([-gradient[i] for i in free]))
        for a, i in enumerate(free):
            p[i] += move[a]
        step = max(abs(d) for d in move)
        if step < mp.mpf(10) ** -25:
            break
    assert step < mp.mpf(10) ** -25, f"Newton did not settle: last step {mp.nstr(step, 3)}"
    gradient, hessian = slopes(cost, p, free)
    smallest = min(mp.eigsy(hessian, eigvals_only=True))
    assert smallest > 0, "not a minimum"
    for i, side in active.items():
        assert (gradient[i] > 0) == (side == "lower"), "the bound does not hold the parameter"
    return p, cost(p), active, smallest


def fit_case(name, spec, table, loss, rng):
    """One fit, checked, as a row of the file."""
    fit, hits = scipy_fit(spec, table, loss, rng)
    p, cost, active, smallest = polish(spec, table, loss, fit)
    apart = max(abs(float(x) - y) / max(1, abs(y)) for x, y in zip(p, fit.x))
    cost_apart = abs(float(cost) - fit.cost) / fit.cost
    assert apart < 1e-7 and cost_apart < 1e-12, f"{name} {loss}: SciPy {apart} and {cost_apart} away from the polished fit"
    t, y = table["t"], table["y"]
    bare = spec["f"](np, [float(x) for x in p], t) - y
    root = np.sqrt(table.get("w", np.ones(len(t))))
    if loss == "huber":
        kink = np.min(np.abs(np.abs(root * bare) - spec["f_scale"]))
        assert kink > 1e-6, "a residual sits where huber's second derivative jumps"
    print(f"{name:<10} {loss:<8} cost {mpmath.nstr(cost, 12)}  x off by {apart:.1e}, cost by {cost_apart:.1e}, "
          f"{hits} of {STARTS} starts{'  on a bound: ' + spec['parameters'][next(iter(active))] if active else ''}")
    return {
        "loss": loss, "parameters": [float(x) for x in p], "cost": float(cost),
        "weighted_rss": float(np.sum((root * bare) ** 2)), "on_bound": [spec["parameters"][i] for i in active],
        "smallest_eigenvalue": float(smallest), "starts_that_reached_it": int(hits),
        "scipy": {"parameters": fit.x.tolist(), "cost": float(fit.cost), "parameters_apart": apart, "cost_apart": cost_apart},
    }


def main():
    models = []
    for index, (name, spec) in enumerate(MODELS.items()):
        rng = np.random.Generator(np.random.PCG64([SEED, index]))
        table, outliers = make_table(spec, rng)
        models.append({
            "name": name, "model": spec["model"], "parameters": spec["parameters"], "true": spec["true"], "box": spec["box"],
            "bounded": spec["bounded"], "weights": "w" if "w" in table else None, "f_scale": spec["f_scale"],
            "columns": {key: column.tolist() for key, column in table.items()}, "outlier_rows": outliers,
            "fits": [fit_case(name, spec, table, loss, rng) for loss in LOSSES],
        })
    meta = {
        "what": "robust least-squares fits by scipy.optimize.least_squares, polished by Newton's method at 50 digits",
        "versions": {"scipy": scipy.__version__, "numpy": np.__version__, "mpmath": mpmath.__version__,
                     "python": platform.python_version()},
        "seed": SEED,
        "cost": "half the sum over rows of S^2*rho(w*(model - y)^2/S^2), S = f_scale, w = 1 where there are no weights; "
                "rho(z): linear z; huber z up to 1, then 2*sqrt(z) - 1; soft_l1 2*(sqrt(1 + z) - 1); cauchy log(1 + z)",
        "starts": "drawn in the box; only a bounded model's box is enforced",
    }
    path = Path(__file__).with_name("fit_reference.json")
    path.write_text(json.dumps({"meta": meta, "models": models}, indent=1) + "\n")


if __name__ == "__main__":
    main()
