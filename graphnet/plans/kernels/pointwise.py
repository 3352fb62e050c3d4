"""The value of one node at one point of a loop: casts as NumPy makes them, and the op's scalar expression."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from graphnet.node import Tensor, made_by
from graphnet.ops.powers import power
from graphnet.ops.reduce import mean
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import BOOL, Unsupported, Value
from graphnet.plans.order.fusion import reduced_axes
from graphnet.plans.order.inlining import inlined
from graphnet.plans.scalar.expression import expression
from graphnet.record import Op

DTYPES = frozenset(map(np.dtype, ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")))
WORD = np.dtype(np.uint64)


def fusible(t: Tensor) -> bool:
    """Whether a kernel can compute `t`."""
    op = t.op
    if op is None or t.size == 0 or t.dtype not in DTYPES or any(i.dtype not in DTYPES or not i.size for i in t.inputs):
        return False
    if op.fold is not None:
        x = t.inputs[0]
        axes = reduced_axes(t)
        if not any(x.shape[a] > 1 for a in axes):
            return False
        if op.position:
            return axes == (x.ndim - 1,) or sum(n > 1 for n in x.shape) == 1
        if op.fold in (np.logical_or, np.logical_and):
            return x.dtype == np.bool_
        if op.fold in (np.maximum, np.minimum):
            return x.dtype != np.bool_
        return not made_by(t, mean) or x.dtype.kind == "f" or t.dtype == np.float64
    if op.same or op.indexed is not None:
        return True
    if op.family != "elementwise":
        return False
    attrs = tuple(sorted(t.attrs.items()))
    return _supported(op, t.dtype, tuple(i.dtype for i in t.inputs), attrs, _exponent(t))


def _exponent(t: Tensor) -> Any:
    """The number that a power is raised to, if that is known."""
    return inlined(t.inputs[1]) if made_by(t, power) else None


@cache
def _supported(op: Op, dtype: np.dtype, inputs: tuple[np.dtype, ...], attrs: Any, exponent: Any) -> bool:
    """Whether the op has a native form for these dtypes: found out by writing it once."""
    try:
        k = Kernel("probe")
        operands = [k.argument(d) for d in inputs]
        if exponent is not None:
            operands[1] = k.const(exponent, inputs[1])
        _written(op, dtype, operands, dict(attrs), exponent)
    except (Unsupported, KeyError, SyntaxError):
        return False
    return True


def computed(t: Tensor, operands: Sequence[Value]) -> Value:
    """The value of `t` for these operands."""
    assert t.op is not None
    return _written(t.op, t.dtype, operands, t.attrs, _exponent(t))


def _written(op: Op, dtype: np.dtype, operands: Sequence[Value], attrs: Any, exponent: Any) -> Value:
    if op.same:
        return operands[0].cast(dtype)
    if op.expr is None:
        raise Unsupported(op.name)
    typed = [v.dtype for param, v in zip(op.params, operands, strict=True) if param not in op.truth]
    common = dtype
    if dtype == np.bool_ and typed:
        common = np.result_type(*typed)
        if common.kind == "f" and all(d.kind != "f" for d in typed):
            # NumPy compares uint64 with int64 as they are: float64 holds neither.
            raise Unsupported(f"{op.name} of two kinds of integers")
    if common.kind not in op.kinds:
        raise Unsupported(f"{op.name} of {common}")
    arguments = {}
    for param, value in zip(op.params, operands, strict=True):
        arguments[param] = value.cast(BOOL if param in op.truth else common)
    if op is power.op:
        return _power(arguments["a"], arguments["b"], exponent)
    for key, number in attrs.items():
        if not isinstance(number, (int, float)):
            raise Unsupported(f"{op.name} with {key}={number!r}")
        arguments[key] = operands[0].kernel.const(number, common)
    return expression(op.expr, arguments, common).cast(dtype)


def _power(a: Value, b: Value, exponent: Any) -> Value:
    text = {1: "{a}", 2: "({a} * {a})", 3: "({a} * {a} * {a})", -1: "(1 / {a})"}.get(exponent)
    if text is not None and (exponent != -1 or a.dtype.kind == "f"):
        return expression(text, {"a": a}, a.dtype)
    return expression("pow({a}, {b})", {"a": a, "b": b}, a.dtype)


def indexed(t: Tensor, operands: Sequence[Value], number: Value) -> Value:
    """The value of `t`, whose native form asks for the number of the point."""
    assert t.op is not None and t.op.indexed is not None
    return t.op.indexed(number.cast(WORD), *operands, **t.attrs).cast(t.dtype)


def readable(t: Tensor, operands: Sequence[str]) -> str:
    """The expression of a node over these operands, for people."""
    assert t.op is not None
    if t.op.same:
        return operands[0] if t.dtype == t.inputs[0].dtype else f"{t.dtype}({operands[0]})"
    named = ", ".join([*operands, *(f"{k}={v!r}" for k, v in t.attrs.items())])
    short = t.op.expr is not None and t.op.family == "elementwise" and len(t.op.expr) < 24
    if not short or t.attrs or len(t.op.params) != len(operands):
        return f"{t.op.name}({named})"
    assert t.op.expr is not None
    text = t.op.expr.format(**dict(zip(t.op.params, operands, strict=True)))
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text
