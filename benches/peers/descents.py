#!/usr/bin/env python3
"""The same descents in several systems, on the same cores, in one run and in turns: Catchment beside JAX, PyTorch, NumPy,
argmin, and loops written by hand (AVX-512 or AVX2; CUDA).

A case is a surface, a dimension, an optimizer, restarts and steps. Every peer draws its own uniform starts, descends, and
hands back the final values; that is what is timed. Compiling, choosing among its ways (a width of blocks, a group of
restarts) and warming up come before. Each peer is one process for all cases, held to the same cores; only one is awake at a
time, the others are stopped. A turn is one timed run, or as many as make a tenth of a second, of which the median counts.

Before a case is timed, every peer descends from the same 64 points: after ten steps it must be where NumPy is in double
precision. After it, its final values must come from the same distribution as NumPy's. A peer that fails is named, and counts
in no ratio.
"""
import argparse
import csv
import datetime
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CRATE = HERE / "descents"

# Domain, the first coefficient (what --sabotage spoils), and learning rates at which no restart diverges from its box.
SURFACES = {
    "rastrigin": ((-5.12, 5.12), 10.0, {"sgd": 0.002, "momentum": 0.001, "adam": 0.05}),
    "rosenbrock": ((-5.0, 10.0), 100.0, {"sgd": 3e-6, "momentum": 1e-6, "adam": 0.02}),
    "ackley": ((-32.768, 32.768), 20.0, {"sgd": 0.02, "momentum": 0.02, "adam": 0.05}),
    "griewank": ((-600.0, 600.0), 1 / 4000, {"sgd": 0.5, "momentum": 0.1, "adam": 0.5}),
    "styblinski_tang": ((-5.0, 5.0), 16.0, {"sgd": 0.005, "momentum": 0.002, "adam": 0.05}),
}
OPTIMIZERS = ("sgd", "momentum", "adam")
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

CHECK_POINTS, CHECK_STEPS = 64, 10
# Times as far as the reference itself goes astray when its starts move by 2^-23 of the box: some steps amplify every rounding.
CHECK_MARGIN = 8
# Kolmogorov-Smirnov distance in units of sqrt(1/n + 1/m); equal laws exceed it once in 7e5.
KS_LIMIT = 2.6
SPOIL = 1.05
TURN_SECONDS, TURN_MOST = 0.1, 20
# NumPy holds every intermediate result in memory: more coordinates than this only take longer, not differently.
NUMPY_MOST = 300_000


@dataclass(frozen=True)
class Case:
    surface: str
    optimizer: str
    dim: int
    restarts: int
    steps: int

    @property
    def lr(self):
        return SURFACES[self.surface][2][self.optimizer]

    @property
    def domain(self):
        return SURFACES[self.surface][0]

    @property
    def catchment(self):
        return f"{self.optimizer}(lr={self.lr})"

    def __str__(self):
        return f"{self.surface}, {self.dim} dimensions, {self.optimizer}, {self.restarts:,} restarts"


# --- Peers in Python: each in a process of its own ----------------------------------------------------------------------------


def first_coefficient(surface):
    return SURFACES[surface][1] * float(os.environ.get("DESCENTS_SPOIL", 1))


def loss_of(surface, xp, dim):
    """The surface as an array program over the last axis, for JAX and PyTorch, which find the gradient themselves."""
    first, tau = first_coefficient(surface), 2 * math.pi
    root = xp.sqrt(xp.arange(1, dim + 1))
    return {
        "rastrigin": lambda x: (x**2 + first * (1 - xp.cos(tau * x))).sum(-1),
        "rosenbrock": lambda x: (first * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum(-1),
        "ackley": lambda x: (
            first * (1 - xp.exp(-0.2 * xp.sqrt((x**2).mean(-1)))) + (math.e - xp.exp(xp.cos(tau * x).mean(-1)))
        ),
        "griewank": lambda x: (x**2).sum(-1) * first + (1 - xp.cos(x / root).prod(-1)),
        "styblinski_tang": lambda x: (x**4 - first * x**2 + 5 * x).sum(-1) / 2,
    }[surface]


class Jax:
    """jit of vmap of fori_loop over optax's rules. Three ways are compiled and the fastest is taken: all restarts at once, as
    XLA divides them among its threads; or the restarts divided among the cores (shard_map), each taking groups that stay in
    the cache, of 4,096 or 16,384 coordinates."""

    packages = "jax", "jaxlib", "optax"
    platform = "cpu"

    def __init__(self, threads):
        self.threads = threads
        os.environ["JAX_PLATFORMS"] = self.platform
        if self.platform == "cpu":
            os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={threads}"
        import jax

        self.jax = jax
        self.device = jax.devices(self.platform)[0].device_kind

    def programs(self, case):
        import optax

        jax, jnp = self.jax, self.jax.numpy
        loss = loss_of(case.surface, jnp, case.dim)
        rule = {"sgd": optax.sgd(case.lr), "momentum": optax.sgd(case.lr, momentum=BETA1), "adam": optax.adam(case.lr)}[case.optimizer]

        def descend(x, steps):
            def step(_, carry):
                x, state = carry
                _, gradient = jax.value_and_grad(loss)(x)
                updates, state = rule.update(gradient, state, x)
                return optax.apply_updates(x, updates), state

            return jax.lax.fori_loop(0, steps, step, (x, rule.init(x)))[0]

        def some(key, restarts, steps):
            lo, hi = case.domain
            x = jax.random.uniform(key, (restarts, case.dim), minval=lo, maxval=hi)
            return jax.vmap(lambda x: loss(descend(x, steps)))(x)

        def grouped(group):
            share = -(-case.restarts // self.threads)

            def own(seeds, steps):
                keys = jax.random.split(jax.random.key(seeds[0]), -(-share // group))
                return jax.lax.map(lambda key: some(key, group, steps), keys).reshape(-1)[:share]

            spec = jax.sharding.PartitionSpec
            mesh = jax.sharding.Mesh(jax.devices(), ("core",))
            shared = jax.shard_map(own, mesh=mesh, in_specs=(spec("core"), spec()), out_specs=spec("core"))
            return lambda seed, steps: shared(seed * self.threads + jnp.arange(self.threads, dtype=jnp.uint32), steps)[: case.restarts]

        yield "whole batch", lambda seed, steps: some(jax.random.key(seed), case.restarts, steps)
        if self.platform == "cpu":
            for coordinates in (4096, 16384):
                group = coordinates // case.dim
                if group < case.restarts:
                    yield f"groups of {group} a core", grouped(group)
        self.points_of = jax.jit(jax.vmap(descend, in_axes=(0, None)))

    def prepare(self, case):
        jnp, best = self.jax.numpy, None
        began = time.perf_counter()
        few = jnp.int32(max(1, case.steps // 10))
        for name, program in self.programs(case):
            compiled = self.jax.jit(program).lower(jnp.uint32(0), few).compile()
            seconds = math.inf
            for _ in range(3):
                start = time.perf_counter()
                compiled(jnp.uint32(0), few).block_until_ready()
                seconds = min(seconds, time.perf_counter() - start)
            if best is None or seconds < best[0]:
                best = seconds, name, compiled
        _, name, self.compiled = best
        self.steps = jnp.int32(case.steps)
        return {"note": name, "compile_s": time.perf_counter() - began}

    def points(self, starts, steps):
        return self.points_of(starts, steps)

    def run(self, seed):
        import numpy as np

        return np.asarray(self.compiled(self.jax.numpy.uint32(seed), self.steps))


class JaxGpu(Jax):
    platform = "cuda"


class Torch:
    """Batched tensors, the loss through torch.compile where that works, autograd of the sum over restarts, PyTorch's own fused
    optimizers. The fastest is taken of the whole batch, groups of about 2e5 coordinates, and, up to 1e5, a single thread."""

    packages = ("torch",)

    def __init__(self, threads):
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        import torch

        self.threads = threads
        self.torch, self.device = torch, "cpu, " + torch.backends.cpu.get_cpu_capability()

    def descend(self, x, steps):
        torch = self.torch
        x = x.requires_grad_()
        lr = self.case.lr
        optimizer = {
            "sgd": lambda: torch.optim.SGD([x], lr=lr, fused=True),
            "momentum": lambda: torch.optim.SGD([x], lr=lr, momentum=BETA1, fused=True),
            "adam": lambda: torch.optim.Adam([x], lr=lr, fused=True),
        }[self.case.optimizer]()
        for _ in range(steps):
            optimizer.zero_grad()
            self.sum(x).backward()
            optimizer.step()
        return x.detach()

    def values(self, seed, steps, group):
        torch, case = self.torch, self.case
        generator = torch.Generator().manual_seed(seed)
        lo, hi = case.domain
        out = []
        for _ in range(-(-case.restarts // group)):
            x = torch.rand((group, case.dim), generator=generator).mul_(hi - lo).add_(lo)
            x = self.descend(x, steps)
            with torch.no_grad():
                out.append(self.loss(x))
        return torch.cat(out)[: case.restarts]

    def prepare(self, case):
        torch = self.torch
        self.case = case
        self.loss = loss_of(case.surface, torch, case.dim)
        eager = lambda x: self.loss(x).sum()
        began, best = time.perf_counter(), None
        ways = {(case.restarts, self.threads), (-(-case.restarts // max(1, round(case.restarts * case.dim / 2e5))), self.threads)}
        if case.restarts * case.dim <= 1e5:
            ways.add((case.restarts, 1))
        for how in ("compiled", "eager"):
            for group, threads in sorted(ways):
                torch.set_num_threads(threads)
                torch._dynamo.reset()
                self.sum = torch.compile(eager, dynamic=False) if how == "compiled" else eager
                try:
                    self.values(0, 3, group)
                except Exception as error:
                    print(f"torch, loss {how}: {str(error).splitlines()[0]}", file=sys.stderr)
                    continue
                start = time.perf_counter()
                self.values(0, max(3, case.steps // 10), group)
                seconds = time.perf_counter() - start
                if best is None or seconds < best[0]:
                    best = seconds, how, group, threads, self.sum
            if best:
                break
        _, how, self.group, threads, self.sum = best
        torch.set_num_threads(threads)
        return {"note": f"loss {how}, groups of {self.group}, threads: {threads}", "compile_s": time.perf_counter() - began}

    def points(self, starts, steps):
        # One more shape would be one more compilation: the check's points fill a group.
        rows = self.torch.from_numpy(starts)
        if len(rows) < self.group:
            rows = rows.repeat(-(-self.group // len(rows)), 1)[: self.group]
        return self.descend(rows.clone(), steps)[: len(starts)].numpy()

    def run(self, seed):
        return self.values(seed, self.case.steps, self.group).numpy()


class Numpy:
    """The gradient by hand, a coordinate a row. Pieces of restarts that stay in the second-level cache are shared out among
    threads, for NumPy's loops run beside each other."""

    packages = ("numpy",)
    device = "cpu"

    def __init__(self, threads, dtype="float32"):
        import numpy as np

        self.np, self.dtype = np, np.dtype(dtype)
        self.pool, self.threads = ThreadPoolExecutor(threads), threads

    def prepare(self, case):
        np = self.np
        self.case = case
        self.first = first_coefficient(case.surface)
        self.root = np.sqrt(np.arange(1, case.dim + 1, dtype=self.dtype))[:, None]
        most = max(1, NUMPY_MOST // case.dim)
        self.restarts = min(case.restarts, most)
        self.piece = max(1, min(16384 // case.dim, -(-self.restarts // self.threads)))
        note = f"{self.threads} threads, pieces of {self.piece}"
        if self.restarts < case.restarts:
            note += f"; only {self.restarts:,} restarts"
        return {"note": note, "restarts": self.restarts}

    def gradient(self, x):
        np, first, tau = self.np, self.first, 2 * math.pi
        surface, n = self.case.surface, len(x)
        if surface == "rastrigin":
            return 2 * x + first * tau * np.sin(tau * x)
        if surface == "rosenbrock":
            gap = 2 * first * (x[1:] - x[:-1] ** 2)
            g = np.zeros_like(x)
            g[:-1] = -2 * x[:-1] * gap - 2 * (1 - x[:-1])
            g[1:] += gap
            return g
        if surface == "ackley":
            r = np.sqrt((x * x).mean(axis=0))
            pull = first * 0.2 / n * np.exp(-0.2 * r) / np.where(r > 0, r, np.inf)
            wave = tau / n * np.exp(np.cos(tau * x).mean(axis=0))
            return pull * x + wave * np.sin(tau * x)
        if surface == "griewank":
            y = x / self.root
            cos = np.cos(y)
            before, behind = np.ones_like(x), np.ones_like(x)
            np.cumprod(cos[:-1], axis=0, out=before[1:])
            np.cumprod(cos[:0:-1], axis=0, out=behind[-2::-1])
            return 2 * first * x + np.sin(y) / self.root * before * behind
        return (2 * x * x - first) * x + 2.5

    def value(self, x):
        np, first, tau = self.np, self.first, 2 * math.pi
        surface = self.case.surface
        if surface == "rastrigin":
            return (x**2 + first * (1 - np.cos(tau * x))).sum(axis=0)
        if surface == "rosenbrock":
            return (first * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum(axis=0)
        if surface == "ackley":
            far = np.exp(-0.2 * np.sqrt((x**2).mean(axis=0)))
            return first * (1 - far) + (math.e - np.exp(np.cos(tau * x).mean(axis=0)))
        if surface == "griewank":
            return (x**2).sum(axis=0) * first + (1 - np.cos(x / self.root).prod(axis=0))
        return (x**4 - first * x**2 + 5 * x).sum(axis=0) / 2

    def descend(self, x, steps):
        np, lr, rule = self.np, self.case.lr, self.case.optimizer
        m, v = np.zeros_like(x), np.zeros_like(x)
        for t in range(1, steps + 1):
            g = self.gradient(x)
            if rule == "adam":
                m *= BETA1
                m += (1 - BETA1) * g
                v *= BETA2
                v += (1 - BETA2) * g * g
                x -= lr / (1 - BETA1**t) * m / (np.sqrt(v / (1 - BETA2**t)) + EPS)
            elif rule == "momentum":
                m *= BETA1
                m += g
                x -= lr * m
            else:
                x -= lr * g
        return x

    def points(self, starts, steps):
        return self.descend(starts.T.astype(self.dtype), steps).T

    def run(self, seed):
        np, case = self.np, self.case
        lo, hi = case.domain

        def piece(number):
            size = min(self.piece, self.restarts - number * self.piece)
            unit = np.random.default_rng((seed, number)).random((case.dim, size), dtype=self.dtype)
            return self.value(self.descend(self.dtype.type(lo) + self.dtype.type(hi - lo) * unit, case.steps))

        return np.concatenate(list(self.pool.map(piece, range(-(-self.restarts // self.piece)))))


PYTHON_PEERS = {"jax": Jax, "jax-gpu": JaxGpu, "torch": Torch, "numpy": Numpy}


def serve(name, threads):
    """A Python peer's process: the line protocol of descents/src/main.rs. What libraries print must not get between."""
    import numpy as np

    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(answer):
        print(json.dumps(answer), file=channel, flush=True)

    try:
        peer = PYTHON_PEERS[name](threads)
    except Exception as error:
        tell({"absent": (str(error).strip() or type(error).__name__).splitlines()[0]})
        return
    tell({"device": peer.device})
    for line in sys.stdin:
        try:
            match line.split():
                case ["case", surface, optimizer, _, dim, restarts, steps]:
                    tell(peer.prepare(Case(surface, optimizer, int(dim), int(restarts), int(steps))))
                    dims = int(dim)
                case ["check", starts, steps, out]:
                    points = peer.points(np.fromfile(starts, np.float32).reshape(-1, dims), int(steps))
                    np.ascontiguousarray(points, np.float32).tofile(out)
                    tell({})
                case ["run", seed, out]:
                    began = time.perf_counter()
                    values = peer.run(int(seed))
                    seconds = time.perf_counter() - began
                    np.asarray(values, np.float32).tofile(out)
                    tell({"run_s": seconds})
        except Exception as error:
            tell({"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"})


# --- The peers from outside ---------------------------------------------------------------------------------------------------


class Failure(Exception):
    pass


class Worker:
    """A peer's process. It is stopped while it is not asked, so that no thread of its pools spins in another's turn."""

    def __init__(self, command, folder, env):
        self.file = str(folder / "answer")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.hello = self.read()
        if "absent" in self.hello:
            raise Failure(self.hello["absent"])
        self.device = self.hello["device"]
        self.process.send_signal(signal.SIGSTOP)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"its process ended with code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def ask(self, *words):
        self.process.send_signal(signal.SIGCONT)
        try:
            print(*words, file=self.process.stdin, flush=True)
            return self.read()
        except BrokenPipeError as error:
            raise Failure("its process is gone") from error
        finally:
            self.process.send_signal(signal.SIGSTOP)

    def prepare(self, case):
        self.turns = None
        return self.ask("case", case.surface, case.optimizer, case.lr, case.dim, case.restarts, case.steps)

    def points(self, case, starts, file, steps):
        import numpy as np

        self.ask("check", file, steps, self.file)
        return np.fromfile(self.file, np.float32).reshape(-1, case.dim)

    def turn(self, case, seed):
        """Seconds: the median of as many runs as make a turn."""
        import numpy as np

        seconds = [self.ask("run", seed, self.file)["run_s"]]
        self.values = np.fromfile(self.file, np.float32)
        self.turns = self.turns or how_many(seconds[0])
        seconds += [self.ask("run", seed, self.file)["run_s"] for _ in range(self.turns - 1)]
        return float(np.median(seconds))

    def sample(self, case):
        return self.values

    def end(self):
        self.process.kill()
        self.process.wait()


def how_many(seconds):
    return max(1, min(TURN_MOST, math.ceil(TURN_SECONDS / max(seconds, 1e-6))))


class Catchment:
    """Its command line: `bench` for the times, `run` for points and values."""

    def __init__(self, binary, device, threads, folder, spoilt):
        self.binary, self.kind, self.threads, self.folder, self.spoilt = binary, device, threads, folder, spoilt
        case = Case("rastrigin", "sgd", 2, 100, 1)
        self.device = self.bench(case, 1)["device"]
        self.device = ", ".join(str(self.device[k]) for k in ("name", "driver") if self.device.get(k))

    def surface(self, name):
        """The catalog's, or a copy with the first coefficient spoilt."""
        if not self.spoilt:
            return name
        text = (ROOT / f"catalog/surfaces/{name}.surf").read_text()
        old, new = {
            "rastrigin": ("10*(1", "10.5*(1"), "rosenbrock": ("100*(", "105*("), "ackley": ("a = 20", "a = 21"),
            "griewank": ("/4000", "/3800"), "styblinski_tang": ("16*x", "16.8*x"),
        }[name]
        path = self.folder / f"{name}.surf"
        head, formula = text.rsplit(old, 1)
        path.write_text(head + new + formula)
        return str(path)

    def command(self, *words):
        done = subprocess.run([self.binary, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip() and "XDG_RUNTIME_DIR" not in line]
            raise Failure(lines[0] if lines else f"exit code {done.returncode}")
        return json.loads(done.stdout)

    def descent(self, case):
        return self.surface(case.surface), "-d", case.dim, "-o", case.catchment, "--threads", self.threads, "--json"

    def bench(self, case, repeats):
        words = "-n", case.restarts, "--steps", case.steps, "--repeats", repeats, "--devices", self.kind
        return self.command("bench", *self.descent(case), *words)["results"][0]

    def prepare(self, case):
        self.turns = None
        return {}

    def table(self, case, *words):
        out = self.folder / "catchment.csv"
        self.command("run", *self.descent(case), *words, "--device", self.kind, "--out", out, "--force")
        with open(out, newline="") as file:
            return list(csv.DictReader(file))

    def points(self, case, starts, file, steps):
        import numpy as np

        path = self.folder / "starts.csv"
        path.write_text("".join(",".join(repr(float(x)) for x in row) + "\n" for row in starts))
        rows = self.table(case, "-n", len(starts), "--steps", steps, "--starts", path)
        return np.array([[float(row[f"x{i}"]) for i in range(case.dim)] for row in rows])

    def turn(self, case, seed):
        import numpy as np

        result = self.bench(case, self.turns or 1)
        if self.turns is None:
            self.turns = how_many(result["run_s"][0])
            result = self.bench(case, self.turns) if self.turns > 1 else result
        self.note, self.compile_s = result["layout"], result["compile_s"]
        return float(np.median(result["run_s"]))

    def sample(self, case):
        """`bench` hands no values out: as many as tell the distribution come from a run of its own."""
        import numpy as np

        rows = self.table(case, "-n", sample_size(case), "--steps", case.steps)
        return np.array([float(row["value"] or "nan") for row in rows])

    def end(self):
        pass


def sample_size(case):
    return min(case.restarts, max(1000, 200_000 // case.dim))


def build_rust():
    target = Path(os.environ.get("CARGO_TARGET_DIR") or CRATE / "target")
    env = {**os.environ, "RUSTFLAGS": "-C target-cpu=native", "CARGO_TARGET_DIR": str(target)}
    if subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=CRATE, env=env).returncode != 0:
        raise Failure("cargo could not build benches/peers/descents")
    return target / "release/descents"


def build_cuda(host):
    """The CUDA peer, by nvcc; or by the host's compiler, only to be checked."""
    source, target = CRATE / "descents.cu", Path(os.environ.get("CARGO_TARGET_DIR") or CRATE / "target")
    target.mkdir(exist_ok=True, parents=True)
    binary = target / ("descents-cuda-host" if host else "descents-cuda")
    if host:
        command = ["g++", "-x", "c++", "-std=c++17", "-O2"]
    else:
        if not shutil.which("nvcc") or not shutil.which("nvidia-smi"):
            raise Failure("there is no nvcc or no NVIDIA GPU")
        command = ["nvcc", "-std=c++17", "-O3", "-arch=native", "--prec-div=false", "--prec-sqrt=false"]
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        if subprocess.run([*command, "-o", binary, source]).returncode != 0:
            raise Failure(f"{command[0]} could not compile descents.cu")
    return binary


PEERS = ("catchment-cpu", "catchment-gpu", "jax", "jax-gpu", "torch", "numpy", "argmin", "simd", "simd-fma", "cuda", "cuda-host")


def start(name, args, folder):
    folder = folder / name
    folder.mkdir()
    spoilt = name == args.sabotage
    env = {**os.environ, "DESCENTS_SPOIL": str(SPOIL if spoilt else 1)}
    if name.startswith("catchment-"):
        if not args.catchment:
            raise Failure("no --catchment PATH")
        return Catchment(args.catchment, name.removeprefix("catchment-"), args.threads, folder, spoilt)
    if name in PYTHON_PEERS:
        env |= {"OMP_NUM_THREADS": str(args.threads), "OPENBLAS_NUM_THREADS": "1"}
        if not name.endswith("-gpu"):
            env["CUDA_VISIBLE_DEVICES"] = ""
        command = [sys.executable, __file__, "--serve", name, "--threads", str(args.threads)]
    elif name.startswith("cuda"):
        command = [str(build_cuda(name == "cuda-host"))]
    else:
        command = [str(build_rust()), name, str(args.threads)]
    return Worker(command, folder, env)


# --- Checks -------------------------------------------------------------------------------------------------------------------


class Reference:
    """NumPy in double precision: where ten steps lead, how sure that is, and how final values are distributed."""

    def __init__(self, seed):
        self.seed, self.known = seed, {}

    def of(self, case):
        import numpy as np

        key = case.surface, case.optimizer, case.dim, case.steps
        if key not in self.known:
            peer, random = Numpy(1, "float64"), np.random.default_rng(self.seed)
            sample = Case(case.surface, case.optimizer, case.dim, max(1000, 200_000 // case.dim), case.steps)
            peer.prepare(sample)
            lo, hi = case.domain
            starts = random.uniform(lo, hi, (CHECK_POINTS, case.dim)).astype(np.float32)
            ends = peer.points(starts, CHECK_STEPS)
            moved = (starts + (hi - lo) * 2.0**-23 * random.choice([-1, 1], starts.shape) for _ in range(4))
            astray = max(np.abs(peer.points(m, CHECK_STEPS) - ends).max() for m in moved) / (hi - lo)
            self.known[key] = starts, ends, float(CHECK_MARGIN * astray), peer.run(self.seed)
        return self.known[key]


def distance(a, b):
    """Kolmogorov-Smirnov's, blind to differences of 1e-4 between values (many restarts end in the same minimum, and what
    rounding makes of its value must not count), in units of sqrt(1/n + 1/m)."""
    import numpy as np

    a, b = np.sort(a), np.sort(b)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return math.inf
    at = np.concatenate([a, b])
    slack = 1e-4 * (1 + np.abs(at))

    def above(a, b):
        return (np.searchsorted(a, at - slack) / len(a) - np.searchsorted(b, at + slack, "right") / len(b)).max()

    return float(max(above(a, b), above(b, a), 0) / math.sqrt(1 / len(a) + 1 / len(b)))


# --- The run ------------------------------------------------------------------------------------------------------------------


def cases_of(args):
    for surface in args.surfaces:
        for dim in args.dims:
            most = args.coordinates // dim
            # A batch that is too large is cut to what fits, in round numbers.
            digits = 10 ** (len(str(most)) - 1)
            batches = sorted({min(batch, max(1, most // digits * digits)) for batch in args.batches})
            for batch in batches:
                for optimizer in args.optimizers:
                    yield Case(surface, optimizer, dim, batch, args.steps)


def take_case(case, peers, reference, args, folder):
    """Prepares and checks every peer, then the rounds, then the distributions."""
    import numpy as np

    rows = {}
    starts, expected, tolerance, sample = reference.of(case)
    file = folder / "starts"
    starts.tofile(file)
    lo, hi = case.domain
    for name, peer in peers.items():
        row = rows[name] = {"restarts": case.restarts, "seconds": []}
        try:
            row |= peer.prepare(case)
            if "skip" in row:
                continue
            points = peer.points(case, starts, file, CHECK_STEPS)
            row["off"], row["tolerance"] = float(np.abs(points - expected).max() / (hi - lo)), tolerance
            if not row["off"] <= tolerance:
                row["failed"] = f"after {CHECK_STEPS} steps from the same starts {row['off']:.1e} of the box off, where {tolerance:.1e} may be"
        except Failure as failure:
            row["failed"] = str(failure)
    for turn in range(args.rounds):
        for name, peer in peers.items():
            row = rows[name]
            if "skip" in row or "failed" in row:
                continue
            try:
                row["seconds"].append(peer.turn(case, args.seed + turn))
                if turn == 0:
                    row["values"] = peer.sample(case)
            except Failure as failure:
                row["failed"] = str(failure)
    for name, row in rows.items():
        if isinstance(peers[name], Catchment) and row["seconds"]:
            row["note"], row["compile_s"] = peers[name].note, peers[name].compile_s
        values = row.pop("values", None)
        if values is None or "failed" in row:
            continue
        row["ks"], row["median_value"] = distance(values, sample), float(np.median(values))
        if not row["ks"] <= KS_LIMIT:
            row["failed"] = f"final values are distributed differently: Kolmogorov-Smirnov {row['ks']:.1f} sqrt(1/n + 1/m)"
        else:
            row["median_s"] = float(np.median(row["seconds"]))
            row["speed"] = row["restarts"] * case.steps * case.dim / row["median_s"]
    return rows


def ratios_of(results, names):
    """Catchment's speed over each other peer's: geometric mean, least and most, over the cases where both counted."""
    out = []
    for ours in (n for n in names if n.startswith("catchment-")):
        # The host's run of the CUDA source is no speed, and Catchment's two engines are compared once.
        for other in (n for n in names if n not in (ours, "cuda-host") and (ours, n) != ("catchment-cpu", "catchment-gpu")):
            found = [
                (rows[ours]["speed"] / rows[other]["speed"], str(case))
                for case, rows in results
                if "speed" in rows.get(ours, {}) and "speed" in rows.get(other, {})
            ]
            if found:
                mean = math.exp(sum(math.log(r) for r, _ in found) / len(found))
                out.append({"ratio": f"{ours} / {other}", "cases": len(found), "mean": mean, "least": min(found), "most": max(found)})
    return out


def table_of(results, names):
    head = ["surface", "d", "optimizer", "restarts", *names]
    body = []
    for case, rows in results:
        cells = []
        for name in names:
            row = rows[name]
            cells.append(f"{row['speed']:.3g}" if "speed" in row else "left out" if "skip" in row else "FAILED")
        body.append([case.surface, str(case.dim), case.optimizer, f"{case.restarts:,}", *cells])
    return head, body


def ratio_table_of(ratios):
    head = ["ratio of speeds", "cases", "geometric mean", "least", "where", "most", "where"]
    cell = lambda r: f"{r:.2f}" if r < 100 else f"{r:.0f}"
    body = [
        [r["ratio"], str(r["cases"]), cell(r["mean"]), cell(r["least"][0]), r["least"][1], cell(r["most"][0]), r["most"][1]]
        for r in ratios
    ]
    return head, body


def plain(head, body):
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in [head, *body])


def markdown(head, body):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def machine(args):
    info = Path("/proc/cpuinfo").read_text()
    field = lambda name: (re.search(rf"^{name}\s*: (.*)$", info, re.M) or [None, ""])[1]
    flags = field("flags").split()
    simd = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    return {"cpu": field("model name"), "cores": args.threads, "simd": simd, "load": os.getloadavg()[0]}


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def versions_of(names, args):
    found = {"python": sys.version.split()[0]}
    for name in ["numpy", *(p for n in names if n in PYTHON_PEERS for p in PYTHON_PEERS[n].packages)]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if any(n in ("simd", "simd-fma", "argmin") for n in names):
        found["rustc"] = output_of("rustc", "--version").removeprefix("rustc ")
        for name, number in re.findall(r'^(argmin|rayon) = .*?"=([\d.]+)"', (CRATE / "Cargo.toml").read_text(), re.M):
            found[name] = number
    if args.catchment and any(n.startswith("catchment") for n in names):
        found["catchment"] = output_of(args.catchment, "--version").removeprefix("catchment ")
        commit = output_of("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
        found["catchment"] += f" ({commit})" if commit else ""
    if "cuda" in names:
        found["nvcc"] = (re.search(r"release ([\d.]+)", output_of("nvcc", "--version")) or [None, ""])[1]
    return found


def report(document, results, names, form):
    """The tables, by `plain` for a terminal and by `markdown` for a file."""
    m = document["machine"]
    parts = [
        f"{m['cpu']}, {m['cores']} cores, {m['simd']}; load before the run {m['load']:.1f}. {document['date']}.",
        ", ".join(f"{k} {v}" for k, v in document["versions"].items()) + ".",
        "Devices: " + "; ".join(f"{k}: {v}" for k, v in document["devices"].items()) + ".",
        *(["Left out: " + "; ".join(f"{k}: {v}" for k, v in document["absent"].items()) + "."] if document["absent"] else []),
        f"{document['steps']} steps, medians of {document['rounds']} rounds; coordinate steps a second (restarts x steps x dimensions / time):",
        form(*table_of(results, names)),
    ]
    ratios = document["ratios"]
    if ratios:
        parts.append(form(*ratio_table_of(ratios)))
    notes = sorted({(name, row["skip"]) for _, rows in results for name, row in rows.items() if "skip" in row})
    failed = [f"{name} failed in {case}: {row['failed']}" for case, rows in results for name, row in rows.items() if "failed" in row]
    parts += [f"{name}: left out where {why}" for name, why in notes] + failed
    return "\n\n".join(parts)


def setup(args):
    """A virtual environment with the pinned packages, and the peers in Rust."""
    python = ROOT / ".venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", ROOT / ".venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-r", HERE / "requirements.txt"], check=True)
    if shutil.which("nvidia-smi"):
        pin = re.search(r"^jax==(\S+)$", (HERE / "requirements.txt").read_text(), re.M)[1]
        subprocess.run([python, "-m", "pip", "install", f"jax[cuda13]=={pin}"], check=True)
    print(f"{build_rust()} is built; now: {python.relative_to(ROOT)} benches/peers/descents.py --catchment PATH")


def parse():
    words = lambda text: text.split(",")
    counts = lambda text: [int(float(word)) for word in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="make .venv, install the pinned packages, build the Rust peers")
    parser.add_argument("--catchment", metavar="PATH", help="the catchment binary")
    parser.add_argument("--peers", type=words, default=[p for p in PEERS if p != "cuda-host"], help=f"of {', '.join(PEERS)}")
    parser.add_argument("--surfaces", type=words, default=list(SURFACES))
    parser.add_argument("--dims", type=counts, default=[2, 10, 32, 100])
    parser.add_argument("--optimizers", type=words, default=list(OPTIMIZERS))
    parser.add_argument("--batches", type=counts, default=[1000, 100_000, 1_000_000], help="restarts; cut to what --coordinates lets fit")
    parser.add_argument("--coordinates", type=lambda t: int(float(t)), default=3_200_000, help="most restarts x dimensions")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few small cases, one round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores that every peer is held to")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON, too")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables as Markdown, too")
    parser.add_argument("--sabotage", metavar="PEER", help="make one coefficient of a peer 5 %% wrong: the checks must ring")
    parser.add_argument("--serve", metavar="PEER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.surfaces, args.dims, args.optimizers = ["rastrigin", "rosenbrock"], [2, 32], ["sgd", "adam"]
        args.batches, args.rounds = [10_000], 1
    for given, known, what in (
        (args.peers, PEERS, "peer"), (args.surfaces, SURFACES, "surface"), (args.optimizers, OPTIMIZERS, "optimizer"),
        ([args.sabotage] if args.sabotage else [], args.peers, "peer in the run"),
    ):
        for name in given:
            if name not in known:
                parser.error(f"no {what} named {name}; there are {', '.join(known)}")
    if min(args.dims) < 2:
        parser.error("surfaces have two dimensions at least")
    return args


def main():
    args = parse()
    # Stopped processes would outlive this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    if args.serve:
        serve(args.serve, args.threads)
        return
    if args.setup:
        setup(args)
        return
    began = time.time()
    note = lambda text: print(f"{time.time() - began:7.0f} s  {text}", file=sys.stderr, flush=True)
    document = {"date": datetime.date.today().isoformat(), "machine": machine(args), "steps": args.steps, "rounds": args.rounds}
    results, peers, absent = [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        try:
            for name in args.peers:
                try:
                    peers[name] = start(name, args, folder)
                    note(f"{name}: {peers[name].device}")
                except Failure as failure:
                    absent[name] = str(failure)
                    note(f"{name}: left out, {failure}")
            reference = Reference(args.seed)
            for case in cases_of(args):
                rows = take_case(case, peers, reference, args, folder)
                results.append((case, rows))
                told = (f"{n} {r['speed']:.3g}" if "speed" in r else f"{n} {'left out' if 'skip' in r else 'FAILED: ' + r['failed']}" for n, r in rows.items())
                note(f"{case}: {', '.join(told)}")
        except KeyboardInterrupt:
            note("interrupted; what there is:")
        finally:
            for peer in peers.values():
                peer.end()
    names = list(peers)
    document |= {
        "versions": versions_of(names, args), "devices": {n: p.device for n, p in peers.items()}, "absent": absent,
        "ratios": ratios_of(results, names),
        "cases": [
            {"surface": c.surface, "dim": c.dim, "restarts": c.restarts, "optimizer": c.catchment, "steps": c.steps, "peers": rows}
            for c, rows in results
        ],
    }
    print(report(document, results, names, plain))
    if args.json:
        Path(args.json).write_text(json.dumps(document, indent=1) + "\n")
    if args.markdown:
        title = "# The same descents in several systems\n\n"
        Path(args.markdown).write_text(title + report(document, results, names, markdown) + "\n")
    if any("failed" in row for _, rows in results for row in rows.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
