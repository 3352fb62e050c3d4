"""Loops over one scalar expression, as kernels of the loop language, and what their results are measured with."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from graphnet.plans.code import compiler
from graphnet.plans.nest.interpret import run
from graphnet.plans.nest.language import CONTRACT, Kernel
from graphnet.plans.nest.llvm import Module
from graphnet.plans.scalar.expression import expression
from tests.nest_kernels import compiled
from tests.ulp_references import wider

DTYPES = ("float32", "float64")
# Where long double is no wider than double, the reference itself is off by up to a unit.
LIMIT = {"float32": 4.0, "float64": 4.0 if np.finfo(np.longdouble).nmant > 52 else 5.0}


def loop(text, inputs, dtype, contract=True):
    """A kernel of pointers and a length that computes an expression of arrays, and the dtype of its result.

    `inputs` are pairs of a placeholder and a dtype; `dtype` is that of the expression, or None to cast the only input
    to `text`, which is then a dtype itself.
    """

    def value(args):
        return next(iter(args.values())).cast(text) if dtype is None else expression(text, args, dtype)

    flags = CONTRACT if contract else ""
    probe = Kernel(flags=flags)
    result = value({name: probe.argument(kind) for name, kind in inputs}).dtype
    k = Kernel(flags=flags)
    pointers = [(name, k.pointer(kind, name)) for name, kind in inputs]
    out, n = k.pointer(result, "out"), k.counter_argument("n")
    with k.loop(n) as i:
        out[i] = value({name: p[i] for name, p in pointers})
    return k, result


def text_of(kernel):
    """The module of a kernel."""
    module = Module()
    module.add(kernel, export="kernel")
    return module.text()


@cache
def kernel(text, inputs, dtype, contract=True):
    """A function of arrays, one for each of `inputs`, compiled without the cache on disk."""
    k, result = loop(text, inputs, dtype, contract)
    call = compiled(k)

    def function(*arrays):
        arrays = [np.ascontiguousarray(a, d) for a, (_, d) in zip(arrays, inputs, strict=True)]
        out = np.full_like(arrays[0], 123, result)
        call(*arrays, out, out.size)
        return out

    return function


def interpreted(text, inputs, dtype, *arrays):
    """The same without LLVM."""
    k, result = loop(text, inputs, dtype, contract=False)
    arrays = [np.ascontiguousarray(a) for a in arrays]
    out = np.empty_like(arrays[0], result)
    run(k, *arrays, out, out.size)
    return out


def assembly(text):
    """What LLVM makes of a module for this processor."""
    machine = compiler.target_machine()
    return machine.emit_assembly(compiler.optimised(text, machine))


def is_vectorised(code):
    """Whether a loop multiplies, compares or rounds whole vectors and calls nothing."""
    found = re.search(r"\bv?(?:mul|max|cmp\w*|round|fn?m(?:add|sub)\d*)p[sd]\b", code)
    return found is not None and not re.search(r"\bcall", code)


def special(dtype):
    info = np.finfo(dtype)
    edges = [0.0, 1.0, 0.5, 2.0, 3.0, np.inf, info.max, info.tiny, info.smallest_subnormal, 3 * info.smallest_subnormal]
    edges += [info.tiny / 2, info.eps, info.eps / 4, 1 + info.eps, 1 - info.epsneg, np.pi, np.pi / 2, 1e4, 1e6, 1e-9]
    # Where exp overflows, becomes denormal and becomes zero, in both types.
    edges += [88.72283, 88.72284, 87.33655, 103.2789, 103.9721, 104.0, 709.7827, 709.783, 708.396, 745.1332, 745.134]
    edges += [126.0, 127.0, 128.0, 149.0, 149.5, 150.0, 1022.0, 1023.0, 1024.0, 1074.0, 1074.5, 1075.0]
    # The same for erfc.
    edges += [9.194, 10.05, 10.06, 26.54, 27.22, 27.23, 27.3]
    return np.array([np.nan, *edges, *(-e for e in edges)], dtype)


def arguments(dtype, seed=0):
    """Special values, dense grids, every magnitude, and random bit patterns (NaN with payloads among them)."""
    rng = np.random.default_rng(seed)
    bits = {"float32": np.int32, "float64": np.int64}[dtype]
    patterns = rng.integers(np.iinfo(bits).min, np.iinfo(bits).max, 40_000, dtype=bits, endpoint=True).view(dtype)
    grids = [np.linspace(-end, end, 10_001).astype(dtype) for end in (1e-3, 0.5, 1, 1.5, 6, 20, 28, 110, 1100)]
    powers = np.geomspace(np.finfo(dtype).smallest_subnormal, 1e30, 10_000, dtype=np.longdouble).astype(dtype)
    return np.concatenate([special(dtype), patterns, *grids, powers, -powers])


def reference(name, *args):
    """The function in a wider type: float64 for float32, long double for float64."""
    with np.errstate(all="ignore"):
        return wider(name, *args)


def units(got, exact):
    """The distance in units in the last place; infinite where NaN, an infinity or the sign of a zero differ."""
    with np.errstate(all="ignore"):
        want = exact.astype(got.dtype)
        away = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(want)).astype(exact.dtype)
        plain = np.isfinite(want) & np.isfinite(got)
        same = (np.isnan(want) & np.isnan(got)) | (want == got)
        wrong_zero = (want == 0) & (np.signbit(want) != np.signbit(got))
    return np.where(wrong_zero, np.inf, np.where(plain, away, np.where(same, 0.0, np.inf)))


def assert_close(dtype, got, exact, *args):
    away = units(got, exact)
    worst = int(np.argmax(away))
    at = ", ".join(repr(a[worst]) for a in args)
    assert away[worst] <= LIMIT[dtype], f"{away[worst]:.3g} units at {at}: {got[worst]!r}, expected {exact[worst]!r}"
