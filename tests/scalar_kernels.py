"""Loops over one scalar expression, compiled by LLVM, and what their results are measured with."""

from __future__ import annotations

import ctypes
import math
import os
from functools import cache
from unittest import mock

import numpy as np

from graphnet.plans.code import compiler
from graphnet.plans.ir_values import memory_type
from graphnet.plans.scalar_ir import Emitter, Library

DTYPES = ("float32", "float64")
# Where long double is no wider than double, the reference itself is off by up to a unit.
LIMIT = {"float32": 4.0, "float64": 4.0 if np.finfo(np.longdouble).nmant > 52 else 5.0}


def loop_text(expression, inputs, dtype, contract=True):
    """A module whose function `kernel` computes an expression of arrays, and the dtype of its result.

    `inputs` are pairs of a placeholder and a dtype; `dtype` is that of the expression, or None to cast the only input
    to `expression`, which is then a dtype itself.
    """
    library = Library()
    emitter = Emitter(library)
    args = {}
    for name, kind in inputs:
        kind = np.dtype(kind)
        place = emitter.fresh("p")
        emitter.lines.append(f"  {place} = getelementptr {memory_type(kind)}, ptr %{name}.at, i64 %i")
        args[name] = emitter.append(f"load {memory_type(kind)}, ptr {place}", kind)
        if kind.kind == "b":
            args[name] = emitter.append(f"trunc i8 {args[name].text} to i1", kind)
    if dtype is None:
        (value,) = args.values()
        result = emitter.cast(value, expression)
    else:
        result = emitter.expression(expression, args, dtype)
    stored = emitter.append(f"zext i1 {result.text} to i8", result.dtype) if result.dtype.kind == "b" else result
    lines = "\n".join(emitter.lines)
    kind = memory_type(result.dtype)
    pointers = "".join(f"ptr noalias %{name}.at, " for name, _ in inputs)
    text = f"""{library.text()}
define void @kernel({pointers}ptr noalias %out, i64 %n) {{
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{lines}
  %to = getelementptr {kind}, ptr %out, i64 %i
  store {kind} {stored.text}, ptr %to
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""
    return text if contract else text.replace(" contract", ""), result.dtype


@cache
def kernel(expression, inputs, dtype, contract=True):
    """A function of arrays, one for each of `inputs`, compiled without the cache on disk."""
    text, kind = loop_text(expression, inputs, dtype, contract)
    with mock.patch.dict(os.environ, GRAPHNET_CACHE_DIR="0"):
        module = compiler.compile_ir(text, ["kernel"])
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(inputs) + 1), ctypes.c_int64)(module.address["kernel"])

    def run(*arrays):
        arrays = [np.ascontiguousarray(a, d) for a, (_, d) in zip(arrays, inputs, strict=True)]
        out = np.full_like(arrays[0], 123, kind)
        call(*(a.ctypes.data for a in (*arrays, out)), out.size)
        return out

    run.module = module
    return run


def assembly(text):
    """What LLVM makes of a module for this processor."""
    machine = compiler.target_machine()
    return machine.emit_assembly(compiler.optimised(text, machine))


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
    wide = np.float64 if args[0].dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        x = args[0].astype(wide)
        if name == "sigmoid":
            z = np.exp(-abs(x))
            return np.where(x > 0, 1, z) / (1 + z)
        if name == "softplus":
            return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
        if name == "log_sigmoid":
            return -(np.maximum(-x, 0) + np.log1p(np.exp(-abs(x))))
        if name == "sigmoid_slope":
            z = np.exp(-abs(x))
            return z / (1 + z) ** 2
        if name == "tanh_slope":
            z = np.exp(-2 * abs(x))
            return 4 * z / (1 + z) ** 2
        if name == "gaussian":
            # The square is exact in two parts; a wider type that is no wider would round it.
            h = x.astype(np.float32).astype(wide)
            far = abs(x) > 1e3
            return np.where(far, 0, np.exp(-h * h) * np.exp(-np.where(far, 0, (x - h) * (x + h)))) + 0 * np.where(
                np.isnan(x), x, 0
            )
        if name in ("erf", "erfc"):
            return np.array([getattr(math, name)(v) for v in args[0].tolist()]).astype(wide)
        return getattr(np, name)(*(a.astype(wide) for a in args))


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
