"""The largest errors of the native scalar functions in units in the last place (ulp), beside NumPy's or SciPy's own.

    python -m tests.ulps                                             # all there is: an hour on two idle processors
    python -m tests.ulps --function exp --dtype float32 --stride 64  # every 65th float32
    python -m tests.ulps --seconds 10                                # as many inputs as take 10 s for each row

float32: every bit pattern, or one in `--stride`; float64: `--inputs` random ones; pow: random pairs of either. The
error is |result - f(x)| divided by the unit in the last place of f(x), where f is computed in float64 for float32, and
in the 80 bits of x86's long double for float64. mpmath computes f again at the largest errors and at random inputs: the
column "reference" is how much the two differ at most, in the same units. An infinity is taken as the power of two that
is the first number too large, unless f(x) is infinite; a NaN or an infinity for anything else, and a zero with the
wrong sign, are infinite errors. Rows that miss what `LIMITS` allow are named at the end, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.plans.scalar.functions import ARITHMETIC
from tests import ulp_references
from tests.nest_kernels import compiled
from tests.scalar_kernels import loop

#: inputs of one task, and of one step of it, whose arrays stay in the processor's cache
TASK, STEP = 1 << 22, 1 << 14
#: largest errors that are allowed; where NumPy's own is larger, that is
LIMITS = {name: 1.5 if name in ("exp", "log", "tanh", "sigmoid", "expm1", "log1p") else 2.5 for name in ARITHMETIC}
DTYPES = ("float32", "float64")


class Task(NamedTuple):
    """Part of the inputs of a function: of float32 those from `first` on, of others those of a random seed."""

    name: str
    dtype: str
    first: int
    stride: int
    count: int
    contract: bool = True

    def inputs(self) -> Iterator[tuple[np.ndarray, ...]]:
        for start in range(0, self.count, STEP):
            n = min(STEP, self.count - start)
            if self.name == "pow" or self.dtype == "float64":
                rng = np.random.default_rng((self.first, start))
                yield pairs(self.dtype, n, rng) if self.name == "pow" else (sample(self.name, n, rng),)
            else:
                patterns = np.arange(n, dtype=np.uint64) * self.stride + (self.first + start) * self.stride
                yield (patterns.astype(np.uint32).view(np.float32),)


class Worst(NamedTuple):
    """The largest error and where it is."""

    error: float
    at: tuple[float, ...]


class Row(NamedTuple):
    """What was found for a function: the largest errors of ours and of the peer, and that of the reference."""

    name: str
    dtype: str
    count: int
    stride: int
    own: Worst
    peer: Worst | None
    reference: float


def pairs(dtype: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Bases of every magnitude and beside 1, with exponents for which the power is finite; some negative bases."""
    top = {"float32": 103.0, "float64": 744.0}[dtype]
    x = np.exp(rng.uniform(-top / 1.1, top / 1.1, n))
    x[n // 3 : 2 * n // 3] = rng.uniform(0.5, 2, 2 * n // 3 - n // 3)
    x[2 * n // 3 :] = 1 + rng.choice([-1, 1], n - 2 * n // 3) * 2.0 ** rng.uniform(-20, -1, n - 2 * n // 3)
    with np.errstate(all="ignore"):
        x = x.astype(dtype)
        y = (rng.uniform(-top, top, n) / np.log(x.astype(np.float64))).astype(dtype)
    whole = n // 8
    x[:whole] *= -1
    y[:whole] = np.rint(y[:whole])
    return x, y


def sample(name: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """A quarter each: any bit pattern; at any distance from where the function is 0 or 1; where it changes; beside."""
    centre, low, high = ulp_references.RANGES[name]
    part = n // 4
    anything = rng.integers(0, 2**64, n - 3 * part, dtype=np.uint64).view(np.float64)
    distances = 2.0 ** rng.uniform(-60, math.log2(high - low), part) * rng.choice([-1.0, 1.0], part)
    x = np.concatenate([anything, centre + distances, rng.uniform(low, high, part), centre + rng.uniform(-1, 1, part)])
    return abs(x) if name in ("log", "log2") else x


@cache
def native(name: str, dtype: str, contract: bool) -> Callable[..., np.ndarray]:
    """The compiled function of arrays of at most STEP numbers; the result is overwritten by the next call."""
    names = ("x", "y") if name == "pow" else ("x",)
    text = f"{name}({', '.join(f'{{{n}}}' for n in names)})"
    call = compiled(loop(text, tuple((n, dtype) for n in names), dtype, contract)[0])
    out = np.empty(STEP, dtype)

    def function(*arrays: np.ndarray) -> np.ndarray:
        call(*arrays, out, arrays[0].size)
        return out[: arrays[0].size]

    return function


def units(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The error in units in the last place of `exact`, a reference of a wider type, as float64."""
    digits, lowest = (23, -126) if got.dtype == np.float32 else (52, -1022)
    if exact.dtype == np.float64:
        away = np.abs(got - exact)
        bits = exact.view(np.int64)
    else:
        # As a sum of two float64, because arithmetic of long doubles is slow.
        high = exact.astype(np.float64)
        low = (exact - high).astype(np.float64)
        away = np.abs((got - high) - low)
        # Those of `exact` cut off, not rounded.
        bits = high.view(np.int64) - (((low < 0) & (high > 0)) | ((low > 0) & (high < 0)))
    # 2**(digits - exponent), made of the exponent's bits.
    e = (bits >> 52) & 0x7FF
    np.maximum(e, lowest + 1023, out=e)
    np.subtract(2046 + digits, e, out=e)
    if digits == 52:
        small = np.abs(high) < 2.0**-900
        if small.any():
            # `low` may be too small for float64.
            away[small] = np.abs(got[small] - exact[small]) * np.ldexp(np.longdouble(1), 100)
            e[small] -= 100
        # All powers become numbers of float64.
        away *= 2.0**51
        e -= 51
    e <<= 52
    away *= e.view(np.float64)
    special = ~np.isfinite(away)
    if special.any():
        away[special] = _special(got[special], exact[special])
    away[(got == 0) & (np.signbit(got) != (bits < 0))] = math.inf
    return away


def _special(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """`units` where one of the two is no finite number."""
    digits, top = (23, 2.0**128) if got.dtype == np.float32 else (52, np.ldexp(exact.dtype.type(1), 1024))
    same = (np.isnan(got) & np.isnan(exact)) | (got == exact)
    real = np.isfinite(exact) & ~np.isnan(got)
    wide = got.astype(exact.dtype)
    error = np.abs(np.clip(wide, -top, top) - np.clip(exact, -top, top))
    # What is too large is measured with the units of the largest numbers.
    return np.where(same, 0.0, np.where(real, error * (2.0 ** (digits + 1) / top), math.inf)).astype(np.float64)


def measure(task: Task) -> tuple[Worst, Worst | None]:
    """The largest errors of ours and of the peer among the inputs of a task."""
    function = native(task.name, task.dtype, task.contract)
    peer = ulp_references.peers().get(task.name)
    worst: list[Worst | None] = [None, None]
    with np.errstate(all="ignore"):
        for arrays in task.inputs():
            exact = ulp_references.wider(task.name, *arrays)
            for n, f in enumerate((function, peer)):
                if f is None:
                    continue
                away = units(f(*arrays), exact)
                i = int(np.argmax(away))
                if worst[n] is None or away[i] > worst[n].error:
                    worst[n] = Worst(float(away[i]), tuple(float(a[i]) for a in arrays))
    assert worst[0] is not None
    return worst[0], worst[1]


def tasks(name: str, dtype: str, stride: int, inputs: int, contract: bool = True) -> list[Task]:
    """All tasks of a row."""
    exhaustive = dtype == "float32" and name != "pow"
    count = -(-(2**32) // stride) if exhaustive else inputs
    stride = stride if exhaustive else 0
    return [Task(name, dtype, n, stride, min(TASK, count - n), contract) for n in range(0, count, TASK)]


def checked(name: str, dtype: str, worst: list[Worst], seed: int = 0) -> float:
    """The largest difference between the reference and mpmath, in units: at the largest errors and random inputs."""
    rng = np.random.default_rng(seed)
    largest = 0.0
    with np.errstate(all="ignore"):
        some = pairs(dtype, 300, rng) if name == "pow" else (sample(name, 300, rng).astype(dtype),)
        points = [w.at for w in sorted(worst, reverse=True)[:64]] + list(zip(*(a.tolist() for a in some), strict=True))
        for at in points:
            arrays = [np.array([a], dtype) for a in at]
            exact = ulp_references.wider(name, *arrays)
            if all(map(math.isfinite, at)) and abs(exact[0]) < np.finfo(dtype).max and exact[0] != 0:
                largest = max(largest, ulp_references.difference(name, arrays, exact[0]))
    return largest


def affordable(name: str, dtype: str, seconds: float, processes: int, pool: Any) -> int:
    """How many inputs take so long, by what a few do after a first round, in which functions are compiled."""
    few = [tasks(name, dtype, 2**13 + 1, 2**19)[0]] * processes
    pool.map(measure, few, 1)
    began = time.perf_counter()
    pool.map(measure, few, 1)
    return max(1, int(seconds / (time.perf_counter() - began) * few[0].count * processes))


def row(name: str, dtype: str, options: argparse.Namespace, pool: Any) -> Row:
    """Measures a function; says on stderr how far it is."""
    stride, inputs = options.stride, options.inputs
    if options.seconds:
        most = affordable(name, dtype, options.seconds, options.processes, pool)
        stride, inputs = max(stride, -(-(2**32) // most)), min(inputs, most)
    # An odd stride goes through all endings of the bit patterns.
    stride |= stride > 1
    todo = tasks(name, dtype, stride, inputs, not options.plain)
    found: list[tuple[Worst, Worst | None]] = []
    began = said = time.perf_counter()
    for result in pool.imap_unordered(measure, todo):
        found.append(result)
        now = time.perf_counter()
        if now - said > 5 or len(found) == len(todo):
            said = now
            print(f"{name} {dtype}: {len(found) / len(todo):.0%} of {now - began:.0f} s", file=sys.stderr, flush=True)
    own = max(w for w, _ in found)
    peers = [w for _, w in found if w is not None]
    reference = checked(name, dtype, [w for w, _ in found])
    return Row(name, dtype, sum(t.count for t in todo), todo[0].stride, own, max(peers) if peers else None, reference)


def line(found: Row) -> str:
    """A row as Markdown."""

    def text(worst: Worst | None) -> tuple[str, str]:
        if worst is None:
            return "", ""
        return f"{worst.error:.3f}", ", ".join(
            np.format_float_positional(np.dtype(found.dtype).type(a), trim="-")
            if 1e-4 < abs(a) < 1e6
            else str(np.dtype(found.dtype).type(a))
            for a in worst.at
        )

    inputs = "all" if found.stride == 1 else f"one in {found.stride}" if found.stride else f"{found.count:,} random"
    own, at = text(found.own)
    peer, _ = text(found.peer)
    return f"| {found.name} | {found.dtype} | {inputs} | {own} | {at} | {peer} | {found.reference:.1e} |"


HEAD = """| function | dtype | inputs | error | at | NumPy, SciPy | reference |
| --- | --- | --- | ---: | --- | ---: | ---: |"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ulps", description=__doc__.split("\n")[0])
    parser.add_argument("--function", action="append", choices=list(ARITHMETIC), help="may be given several times")
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--stride", type=int, default=1, help="one float32 in so many; even ones are raised by 1")
    parser.add_argument("--inputs", type=int, default=10**8, help="how many float64 numbers, or pairs for pow")
    parser.add_argument("--seconds", type=float, help="as many inputs for each row as take so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="without a * b + c as one instruction")
    options = parser.parse_args()
    missed = []
    print(HEAD, flush=True)
    if hasattr(os, "nice"):
        os.nice(10)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for dtype in options.dtype or DTYPES:
            for name in options.function or ARITHMETIC:
                found = row(name, dtype, options, pool)
                print(line(found), flush=True)
                may_be_numpys = LIMITS[name] > 1.5 and hasattr(np, name)
                allowed = max(LIMITS[name], found.peer.error if found.peer and may_be_numpys else 0)
                if found.own.error > allowed:
                    missed.append(f"{name} {dtype}: {found.own.error:.3f} ulp, allowed are {allowed:.3f}")
    for text in missed:
        print(text, file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
