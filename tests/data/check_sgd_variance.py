#!/usr/bin/env python3
"""The stationary variance of SGD with momentum on a quadratic: the formula against a linear solve and a simulation.

Descent as PyTorch has it, with the gradient g = curvature*x + noise of standard deviation s, drawn anew each step:
    buf = beta*buf + g;  x = x - lr*buf
is the autoregression x' = (1 + beta - lr*curvature)*x - beta*x_before - lr*noise, of stationary variance
    lr * s^2 * (1 + beta) / ((1 - beta) * curvature * (2*(1 + beta) - lr*curvature)).
Exact at every step size that is stable, lr*curvature < 2*(1 + beta), and for any law of the noise.

A minibatch of B rows drawn with replacement from mean over rows of curvature/2*(x - offset)^2 has a noise that does not depend
on x, of variance s^2 = curvature^2 * Var(offset) / B, Var being the population's (divided by the number of rows).
Drawn without replacement within a step, but anew for each step, it is smaller by (N - B)/(N - 1). Shuffled epochs are another matter:
the noises of an epoch sum to zero, so that they are not independent, and the formula does not hold.

Prints a table and fails where a simulated variance is over five standard errors from the formula.
"""
import numpy as np
from scipy.linalg import solve_discrete_lyapunov

CHAINS, STEPS = 1000, 1500
# Step size, momentum, curvature, noise: gentle, the usual momentum, near the edge of stability (3.4 of 3.6).
SETTINGS = [(0.05, 0.0, 2.0, 0.7), (0.1, 0.9, 1.5, 0.5), (1.7, 0.8, 2.0, 0.3)]
ROWS, BATCH = 64, 4


def formula(lr, beta, curvature, s2):
    return lr * s2 * (1 + beta) / ((1 - beta) * curvature * (2 * (1 + beta) - lr * curvature))


def solved(lr, beta, curvature, s2, form):
    """The same variance from the linear system's covariance equation C = A C A' + Q; `form` is the kind of momentum."""
    h = lr * curvature
    # State (x, buf); the noise enters buf by `gain` and x by `push`.
    a, noise = {
        "pytorch": ([[1 - h, -lr * beta], [curvature, beta]], [-lr, 1]),
        "average": ([[1 - h * (1 - beta), -lr * beta], [curvature * (1 - beta), beta]], [-lr * (1 - beta), 1 - beta]),
        "nesterov": ([[1 - h * (1 + beta), -lr * beta**2], [curvature, beta]], [-lr * (1 + beta), 1]),
    }[form]
    a, noise = np.array(a), np.array(noise)
    if np.abs(np.linalg.eigvals(a)).max() >= 1:
        return np.nan
    return solve_discrete_lyapunov(a, s2 * np.outer(noise, noise))[0, 0]


def simulated(lr, beta, curvature, draw):
    """Mean square of x over chains, after as many steps again to forget the start, and its standard error."""
    x, buf, total = np.zeros(CHAINS), np.zeros(CHAINS), np.zeros(CHAINS)
    for step in range(2 * STEPS):
        buf = beta * buf + curvature * x + draw(x)
        x = x - lr * buf
        if step >= STEPS:
            total += x**2
    means = total / STEPS
    return means.mean(), means.std(ddof=1) / np.sqrt(CHAINS)


def main():
    rng = np.random.Generator(np.random.PCG64(5))
    offsets = rng.exponential(size=ROWS)
    offsets -= offsets.mean()
    failures = []

    def report(label, setting, s2, draw, must_hold=True):
        lr, beta, curvature = setting
        want, (got, error) = formula(lr, beta, curvature, s2), simulated(lr, beta, curvature, draw)
        linear = solved(lr, beta, curvature, s2, "pytorch")
        print(f"{label:<22} lr {lr:<5} beta {beta:<4} curvature {curvature:<4} formula {want:.6e}  solved {linear / want - 1:+.0e}  "
              f"simulated {got:.6e} ({got / want - 1:+.2%}, {(got - want) / error:+.1f} standard errors)")
        if abs(linear / want - 1) > 1e-9 or (must_hold and abs(got - want) > 5 * error):
            failures.append(label)

    for lr, beta, curvature, s in SETTINGS:
        report("normal noise", (lr, beta, curvature), s * s, lambda x: s * rng.standard_normal(CHAINS))
    for lr, beta, curvature, _ in SETTINGS:
        s2 = curvature**2 * offsets.var() / BATCH
        index = lambda: rng.integers(ROWS, size=(CHAINS, BATCH))  # noqa: E731
        report("rows with replacement", (lr, beta, curvature), s2, lambda x: -curvature * offsets[index()].mean(axis=1))
    for lr, beta, curvature, _ in SETTINGS[1:2]:
        s2 = curvature**2 * offsets.var() / BATCH * (ROWS - BATCH) / (ROWS - 1)
        fresh = lambda: np.argpartition(rng.random((CHAINS, ROWS)), BATCH, axis=1)[:, :BATCH]  # noqa: E731
        report("without, anew a step", (lr, beta, curvature), s2, lambda x: -curvature * offsets[fresh()].mean(axis=1))
    epoch = {}

    def shuffled(_):
        if not epoch.get("left"):
            epoch["left"] = np.split(np.argsort(rng.random((CHAINS, ROWS)), axis=1), ROWS // BATCH, axis=1)
        return -curvature * offsets[epoch["left"].pop()].mean(axis=1)

    report("shuffled epochs", (lr, beta, curvature), s2, shuffled, must_hold=False)
    print("\nother forms of momentum at the second setting, solved / formula:")
    lr, beta, curvature, s = SETTINGS[1]
    for form, rate in (("average", lr), ("average", lr * (1 - beta)), ("nesterov", lr)):
        ratio = solved(lr, beta, curvature, s * s, form) / formula(rate, beta, curvature, s * s)
        note = " with lr*(1 - beta) in the formula" if rate != lr else ""
        print(f"  {form:<9} {ratio:.6f}{note}")
    if failures:
        raise SystemExit(f"the formula does not hold: {failures}")


if __name__ == "__main__":
    main()
