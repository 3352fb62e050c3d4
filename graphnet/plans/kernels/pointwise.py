"""The value of one node at one point of a loop: casts as NumPy makes them, and the op's scalar expression."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from graphnet.node import Parameter, Tensor
from graphnet.ops.random import GAMMA, MIX
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import BOOL, INT32, Unsupported, Value
from graphnet.plans.order.fusion import POSITIONS, REDUCTIONS, reduced_axes
from graphnet.plans.scalar.expression import expression
from graphnet.plans.scalar.functions import DIRECT, FUNCTIONS

#: ops that take a few instructions, and are computed again sooner than kept
CHEAP = frozenset(
    {"add", "subtract", "multiply", "negative", "square", "absolute", "relu", "leaky_relu", "where", "maximum"}
    | {"minimum", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or"}
    | {"logical_not", "astype", "identity", "stop_gradient", "positive", "clip_to", "clip_low", "clip_high", "isnan"}
    | {"multiply_no_nan", "broadcast_to"}
)
#: ops whose value depends on where the point is
INDEXED = frozenset({"random_uniform"})
#: ops whose value is that of their input, in the dtype of the node
SAME = frozenset({"astype", "identity", "stop_gradient", "positive", "broadcast_to", "reshape"})
LOGICAL = {"logical_and": operator.and_, "logical_or": operator.or_, "logical_xor": operator.xor}
DTYPES = frozenset(map(np.dtype, ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")))
WORD = np.dtype(np.uint64)

#: whole numbers beyond this are read from memory, so that a kernel for another seed is the same kernel
LARGEST_INLINED = 1 << 31


def inlined(t: Tensor) -> Any:
    """The number to write into the code where `t` is read, if it is a constant with one value; else None."""
    if t.op is not None or isinstance(t, Parameter) or t.is_symbolic or not 0 < t.size <= 1 << 14:
        return None
    value = t._value
    first = value.flat[0]
    if t.size > 1 and not (value == first).all():
        return None
    if value.dtype.kind == "f" and t.size > 1 and not (np.signbit(value) == np.signbit(first)).all():
        return None
    number = first.item()
    if isinstance(number, int) and abs(number) > LARGEST_INLINED:
        return None
    return number


def fusible(t: Tensor) -> bool:
    """Whether a kernel can compute `t`."""
    op = t.op
    if op is None or t.size == 0 or t.dtype not in DTYPES or any(i.dtype not in DTYPES or not i.size for i in t.inputs):
        return False
    if op.name in REDUCTIONS or op.name in POSITIONS:
        x = t.inputs[0]
        axes = reduced_axes(t)
        if not any(x.shape[a] > 1 for a in axes):
            return False
        if op.name in POSITIONS:
            return axes == (x.ndim - 1,) or sum(n > 1 for n in x.shape) == 1
        if op.name in ("any", "all"):
            return x.dtype == np.bool_
        if op.name in ("max", "min"):
            return x.dtype != np.bool_
        return op.name != "mean" or x.dtype.kind == "f" or t.dtype == np.float64
    if op.name in SAME:
        return True
    if op.name in INDEXED:
        return True
    if op.family != "elementwise":
        return False
    exponent = inlined(t.inputs[1]) if op.name == "power" else None
    return _supported(op.name, t.dtype, tuple(i.dtype for i in t.inputs), tuple(sorted(t.attrs.items())), exponent)


@cache
def _supported(name: str, dtype: np.dtype, inputs: tuple[np.dtype, ...], attrs: Any, exponent: Any) -> bool:
    """Whether the op has a native form for these dtypes: found out by writing it once."""
    try:
        k = Kernel("probe")
        operands = [k.argument(d) for d in inputs]
        if exponent is not None:
            operands[1] = k.const(exponent, inputs[1])
        _written(name, dtype, operands, dict(attrs), exponent)
    except (Unsupported, KeyError, SyntaxError):
        return False
    return True


def computed(t: Tensor, operands: Sequence[Value]) -> Value:
    """The value of `t` for these operands."""
    assert t.op is not None
    exponent = inlined(t.inputs[1]) if t.op.name == "power" else None
    return _written(t.op.name, t.dtype, operands, t.attrs, exponent)


def _written(name: str, dtype: np.dtype, operands: Sequence[Value], attrs: Any, exponent: Any) -> Value:
    from graphnet.record import OPS

    if name in SAME:
        return operands[0].cast(dtype)
    op = OPS[name]
    if name in LOGICAL or name == "logical_not":
        return _logical(name, [v.cast(BOOL) for v in operands])
    if dtype == np.bool_:
        common = np.result_type(*(v.dtype for v in operands))
        if name.startswith("is") and common.kind != "f":
            raise Unsupported(f"{name} of {common}")
        if common.kind == "f" and all(v.dtype.kind != "f" for v in operands):
            # NumPy compares uint64 with int64 as they are: float64 holds neither.
            raise Unsupported(f"{name} of two kinds of integers")
    else:
        common = dtype
    if common == np.bool_ and name != "where" and dtype == np.bool_ and name not in ("equal", "not_equal"):
        raise Unsupported(f"{name} of booleans")
    arguments = {}
    for param, value in zip(op.params, operands, strict=True):
        arguments[param] = value.cast(BOOL if param == "condition" else common)
    if name == "power":
        return _power(arguments["a"], arguments["b"], exponent)
    if len(operands) == 1 and name in DIRECT and not attrs:
        (x,) = arguments.values()
        return FUNCTIONS[name](x).cast(common)
    if op.expr is None:
        raise Unsupported(name)
    for key, number in attrs.items():
        if not isinstance(number, (int, float)):
            raise Unsupported(f"{name} with {key}={number!r}")
        arguments[key] = operands[0].kernel.const(number, common)
    return expression(op.expr, arguments, common).cast(dtype)


def _logical(name: str, operands: Sequence[Value]) -> Value:
    return ~operands[0] if name == "logical_not" else LOGICAL[name](*operands)


def _power(a: Value, b: Value, exponent: Any) -> Value:
    text = {1: "{a}", 2: "({a} * {a})", 3: "({a} * {a} * {a})", -1: "(1 / {a})"}.get(exponent)
    if text is not None and (exponent != -1 or a.dtype.kind == "f"):
        return expression(text, {"a": a}, a.dtype)
    return expression("pow({a}, {b})", {"a": a, "b": b}, a.dtype)


def indexed(t: Tensor, operands: Sequence[Value], number: Any) -> Value:
    """`random_uniform` at the point with this number: SplitMix64 by counting, as in `graphnet.ops.random`."""
    key = operands[0].cast(WORD)
    narrow = t.dtype == np.float32

    def mixed(word: Value) -> Value:
        for shift, factor in MIX:
            word = word ^ (word >> shift)
            if factor != 1:
                word = word * factor
        return word

    start = mixed(key + GAMMA)
    point = key.kernel.index(number).cast(WORD)
    count = ((point >> 1) if narrow else point) + 1
    word = mixed(count * GAMMA + start)
    if not narrow:
        return (word >> 11).cast(np.float64) * math.ldexp(1.0, -53)
    # An even point takes the lower half of the word, an odd one the upper: 24 bits each.
    bits = (word >> (((point & 1) << 5) + 8)) & ((1 << 24) - 1)
    return bits.cast(INT32).cast(np.float32) * math.ldexp(1.0, -24)


def readable(t: Tensor, operands: Sequence[str]) -> str:
    """The expression of a node over these operands, for people."""
    assert t.op is not None
    if t.op.name in SAME:
        return f"{t.dtype}({operands[0]})" if t.op.name == "astype" else operands[0]
    named = ", ".join([*operands, *(f"{k}={v!r}" for k, v in t.attrs.items())])
    short = t.op.expr is not None and t.op.family == "elementwise" and len(t.op.expr) < 24
    if not short or t.attrs or len(t.op.params) != len(operands):
        return f"{t.op.name}({named})"
    assert t.op.expr is not None
    text = t.op.expr.format(**dict(zip(t.op.params, operands, strict=True)))
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text
