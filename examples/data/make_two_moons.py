#!/usr/bin/env python3
"""Two interleaved half circles with normal noise of standard deviation 0.2: writes two_moons.csv beside itself.

The upper moon (y = 1) is (cos a, sin a), the lower one (y = -1) is (1 - cos a, 1/2 - sin a), a evenly spaced over [0, pi].
The coordinates are left as they are, neither centred nor scaled.
"""
from pathlib import Path

import numpy as np

ROWS, NOISE, SEED = 300, 0.2, 7


def main():
    rng = np.random.Generator(np.random.PCG64(SEED))
    angle = np.linspace(0, np.pi, ROWS // 2)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    u = np.concatenate([upper, lower]) + NOISE * rng.standard_normal((ROWS, 2))
    y = np.repeat([1, -1], ROWS // 2)
    # Mixed up, so that any run of rows holds both moons.
    rows = rng.permutation(ROWS)
    lines = ["u1,u2,y"] + [f"{u[i, 0]:.4f},{u[i, 1]:.4f},{y[i]}" for i in rows]
    Path(__file__).with_name("two_moons.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
