#!/usr/bin/env python3
"""Values and gradients of small perceptrons by JAX in double precision: writes mlp_reference.json.gz beside itself.

The hidden layers use the activation, the last layer is linear. The parameter vector is, layer after layer,
W_l (outputs x inputs, row-major), then b_l. Losses, p or z being the network's output of one row:
    squared   mean over rows of sum over outputs of (p - y)^2
    logistic  mean over rows of log(1 + exp(-y*p)), y in {-1, 1}, one output
    softmax   mean over rows of logsumexp(z) - z[label], label an integer, two outputs or more
gelu is the tanh form, 0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3))); `value_erf` is the value with x*Phi(x) instead.
Inputs, targets and parameters are single-precision numbers. The gradient is to be compared relative to its largest component:
in a saturated network JAX's 1 - tanh^2 cancels, and small components keep fewer digits.

Every case is computed twice more by a backward pass written out here, in double and in extended (80-bit) precision, and the
script stops where they disagree. Needs an x86 machine for the 80 bits; other processors may move JAX's last bit.
"""
import gzip
import io
import json
import platform
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
import jax.numpy as jnp  # noqa: E402  (after the switch to double precision)

SEED = 20240607
ACTIVATIONS = ["tanh", "relu", "sigmoid", "gelu"]
# Layers, rows, and the activation each loss is paired with (None: all); the largest has two cases to keep the file small.
NETWORKS = [
    ([2, 16, 1], 40, None),
    ([2, 8, 8, 1], 32, None),
    ([3, 5, 2], 24, None),
    ([4, 16, 3], 48, None),
    ([1, 4, 4, 4, 1], 20, None),
    ([2, 64, 64, 1], 60, {"logistic": "tanh", "squared": "gelu"}),
]
# The second point has weights three times the first one's law: some units saturate.
SCALES = [1.0, 3.0]
AGREE = 1e-13
# Single-precision code must see the same side of relu's kink: no pre-activation is nearer to it than this.
KINK = 1e-5
GELU = np.sqrt(np.longdouble(2) / (4 * np.arctan(np.longdouble(1))))


def unpack(theta, layers):
    """The weights and biases of each layer, views of the parameter vector."""
    out, at = [], 0
    for fan_in, fan_out in zip(layers, layers[1:]):
        w = theta[at : at + fan_in * fan_out].reshape(fan_out, fan_in)
        at += fan_in * fan_out
        out.append((w, theta[at : at + fan_out]))
        at += fan_out
    assert at == theta.size
    return out


def jax_loss(theta, layers, activation, loss, inputs, y):
    """The objective in JAX's own words; its gradient is JAX's."""
    act = {
        "tanh": jnp.tanh,
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "gelu": lambda h: jax.nn.gelu(h, approximate=True),
        "gelu_erf": lambda h: jax.nn.gelu(h, approximate=False),
    }[activation]
    h = inputs
    *hidden, (w_last, b_last) = unpack(theta, layers)
    for w, b in hidden:
        h = act(h @ w.T + b)
    p = h @ w_last.T + b_last
    if loss == "squared":
        return jnp.mean(jnp.sum((p - y) ** 2, axis=1))
    if loss == "logistic":
        return jnp.mean(jax.nn.softplus(-y * p[:, 0]))
    return jnp.mean(jax.nn.logsumexp(p, axis=1) - p[jnp.arange(len(y)), y])


def act_and_slope(name, z):
    """The activation and its derivative, in the precision of z."""
    if name == "tanh":
        e = np.exp(-2 * np.abs(z))
        return np.tanh(z), 4 * e / (1 + e) ** 2
    if name == "relu":
        return np.where(z > 0, z, 0), np.where(z > 0, z.dtype.type(1), 0)
    if name == "sigmoid":
        e = np.exp(-np.abs(z))
        return np.where(z >= 0, 1, e) / (1 + e), e / (1 + e) ** 2
    k, c = z.dtype.type(GELU), z.dtype.type(44715) / 1000000
    t, sech2 = act_and_slope("tanh", k * (z + c * z**3))
    return z * (1 + t) / 2, (1 + t) / 2 + z * sech2 * k * (1 + 3 * c * z**2) / 2


def numpy_loss(theta, layers, activation, loss, inputs, y):
    """Value, gradient and the smallest hidden |pre-activation|: the chain rule written out, in the precision of theta."""
    parts, rows = unpack(theta, layers), len(inputs)
    hs, slopes, nearest = [inputs], [], np.inf
    for w, b in parts[:-1]:
        z = hs[-1] @ w.T + b
        nearest = min(nearest, float(np.abs(z).min()))
        a, slope = act_and_slope(activation, z)
        hs.append(a)
        slopes.append(slope)
    w, b = parts[-1]
    p = hs[-1] @ w.T + b
    if loss == "squared":
        value, d = ((p - y) ** 2).sum() / rows, 2 * (p - y) / rows
    elif loss == "logistic":
        m = -y[:, None] * p
        e = np.exp(-np.abs(m))
        value = (np.maximum(m, 0) + np.log1p(e)).sum() / rows
        d = -y[:, None] * np.where(m >= 0, 1, e) / (1 + e) / rows
    else:
        top = p.max(axis=1, keepdims=True)
        e = np.exp(p - top)
        total = e.sum(axis=1, keepdims=True)
        own = np.arange(p.shape[1]) == y[:, None]
        value = (np.log(total) + top - p[own][:, None]).sum() / rows
        d = (e / total - own) / rows
    pieces = []
    for l in reversed(range(len(parts))):
        pieces = [(d.T @ hs[l]).ravel(), d.sum(axis=0)] + pieces
        if l:
            d = (d @ parts[l][0]) * slopes[l - 1]
    return value, np.concatenate(pieces), nearest


def apart(a, b):
    """Distance of two vectors relative to the second one's largest component."""
    return float(np.max(np.abs(np.asarray(a, np.longdouble) - b)) / np.max(np.abs(b)))


def single(a):
    """Rounded to a multiple of 2^-12: below 2048 a single-precision number, and short in decimal."""
    a = np.round(np.asarray(a) * 4096) / 4096
    assert (a == a.astype(np.float32)).all()
    return a


def draw(rng, layers, rows):
    """Inputs in [-2, 2], targets of each kind, one parameter vector a scale; only `random()`, whose stream is stable."""
    inputs = single(4 * rng.random((rows, layers[0])) - 2)
    targets = single(2 * rng.random((rows, layers[-1])) - 1)
    if layers[-1] == 1:
        labels = np.where(rng.random(rows) < 0.5, -1, 1)
    else:
        labels = np.floor(rng.random(rows) * layers[-1]).astype(int)
    thetas = []
    for scale in SCALES:
        pieces = []
        for fan_in, fan_out in zip(layers, layers[1:]):
            reach = scale * np.sqrt(6 / (fan_in + fan_out))
            pieces += [reach * (2 * rng.random(fan_in * fan_out) - 1), reach * (rng.random(fan_out) - 0.5)]
        thetas.append(single(np.concatenate(pieces)))
    return inputs, targets, labels, thetas


def compute(layers, activation, loss, inputs, y, theta, worst):
    """One value and gradient by JAX, checked; `worst` keeps the largest disagreements."""
    args = (layers, activation, loss)
    value, gradient = jax.value_and_grad(jax_loss)(jnp.asarray(theta), *args, jnp.asarray(inputs), jnp.asarray(y))
    value, gradient = float(value), np.asarray(gradient)
    assert np.isfinite(value) and np.isfinite(gradient).all() and gradient.dtype == np.float64
    for key, kind in (("numpy64", np.float64), ("extended", np.longdouble)):
        exact_y = y if loss == "softmax" else y.astype(kind)
        own_value, own_gradient, nearest = numpy_loss(theta.astype(kind), *args, inputs.astype(kind), exact_y)
        assert own_gradient.dtype == kind
        errors = (apart([value], np.array([own_value])), apart(gradient, own_gradient))
        assert max(errors) <= AGREE, f"{args}: JAX and {key} disagree by {errors}"
        worst[key] = max(worst.get(key, 0.0), *errors)
    tiny = np.abs(own_gradient) < 1e-6 * np.abs(own_gradient).max()
    relative = np.abs(gradient - own_gradient)[~tiny] / np.abs(own_gradient)[~tiny]
    worst["componentwise"] = max(worst.get("componentwise", 0.0), float(relative.max()))
    assert activation != "relu" or nearest > KINK, f"{layers}: a unit sits on relu's kink ({nearest})"
    result = {"value": value, "gradient": gradient.tolist()}
    if activation == "gelu":
        result["value_erf"] = float(jax_loss(theta, layers, "gelu_erf", loss, inputs, y))
    return result


def main():
    assert np.finfo(np.longdouble).nmant == 63, "the check needs 80-bit long doubles"
    networks, worst, count = [], {}, 0
    for index, (layers, rows, chosen) in enumerate(NETWORKS):
        rng = np.random.Generator(np.random.PCG64([SEED, index]))
        inputs, targets, labels, thetas = draw(rng, layers, rows)
        cases = []
        for loss in ("squared", "logistic" if layers[-1] == 1 else "softmax"):
            y = targets if loss == "squared" else labels
            for activation in ACTIVATIONS if chosen is None else [chosen[loss]]:
                results = [compute(layers, activation, loss, inputs, y, theta, worst) for theta in thetas]
                cases.append({"activation": activation, "loss": loss, "results": results})
                count += len(results)
        networks.append({
            "layers": layers, "inputs": inputs.tolist(), "targets": targets.tolist(), "labels": labels.tolist(),
            "parameters": [theta.tolist() for theta in thetas], "cases": cases,
        })
    meta = {
        "what": "perceptrons: value and gradient at each parameter vector, in double precision by JAX",
        "versions": {"jax": jax.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "seed": SEED,
        "layout": "layer after layer: W (outputs x inputs, row-major), then b; hidden layers activated, the last linear",
        "losses": {
            "squared": "mean over rows of sum over outputs of (p - y)^2; y: targets",
            "logistic": "mean over rows of log(1 + exp(-y*p)); y: labels, -1 or 1",
            "softmax": "mean over rows of logsumexp(z) - z[label]; labels from 0",
        },
        "gelu": "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3))); value_erf: with x*Phi(x)",
        "checked": "against a hand-written backward pass: largest |difference| / largest |component|; componentwise: relative "
                   "error against 80 bits of components above 1e-6 of the largest",
        "disagreement": worst,
    }
    text = json.dumps({"meta": meta, "networks": networks}, separators=(",", ":"))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0) as out:
        out.write(text.encode())
    path = Path(__file__).with_name("mlp_reference.json.gz")
    path.write_bytes(packed.getvalue())
    print(f"{path.name}: {len(packed.getvalue())} bytes, {count} values with gradients; disagreement {worst}")


if __name__ == "__main__":
    main()
