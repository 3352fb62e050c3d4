"""Rules of algebra that cannot change a value: neutral elements, signs, ops that change nothing or undo each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.node import Tensor, made_by
from graphnet.ops.arithmetic import divide_no_nan, multiply_no_nan
from graphnet.plans.rewrite.rewriting import SMALL, Rules, fitting, is_constant, the_number

exact = Rules()


def is_number(t: Tensor, number: float) -> bool:
    """Whether `t` is a real constant with `number` everywhere; a zero with its sign."""
    if t.op is not None or t.nbytes > SMALL or t.dtype.kind == "c":
        return False
    found = the_number(t)
    return found is not None and bool(found == number) and bool(np.signbit(found) == np.signbit(number))


@exact.on(ops.multiply, ops.divide, ops.power, divide_no_nan)
def neutral_factor(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * 1, 1 * x, x / 1, x ** 1: exactly x, also for NaN, infinities and signed zeros."""
    a, b = inputs
    if is_number(b, 1):
        return fitting(node, a)
    if made_by(node, ops.multiply) and is_number(a, 1):  # type: ignore[union-attr]
        return fitting(node, b)
    return None


@exact.on(ops.add, ops.subtract)
def neutral_term(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x + -0.0, -0.0 + x, x - 0.0: exactly x. (x + 0.0 makes 0.0 of -0.0.) Whole numbers have one zero."""
    a, b = inputs
    whole = node.dtype.kind in "iu"
    if made_by(node, ops.subtract):  # type: ignore[union-attr]
        return fitting(node, a) if is_number(b, 0.0) else None
    if is_number(b, -0.0) or (whole and is_number(b, 0.0)):
        return fitting(node, a)
    if is_number(a, -0.0) or (whole and is_number(a, 0.0)):
        return fitting(node, b)
    return None


@exact.on(multiply_no_nan)
def plain_product(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The plain product, unless a zero can meet an infinity or NaN."""
    a, b = inputs
    for known, other in ((a, b), (b, a)):
        if is_number(known, 1):
            return fitting(node, other)
        if is_constant(known) and bool((np.isfinite(known._value) & (known._value != 0)).all()):
            return made(ops.multiply.op, (a, b), {}, like=node)
    return None


@exact.on(divide_no_nan)
def plain_quotient(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """The plain quotient, unless a zero can meet a zero or NaN."""
    a, b = inputs
    if is_constant(b) and not bool((np.isnan(b._value) | (b._value == 0)).any()):
        return made(ops.divide.op, (a, b), {}, like=node)
    return None


@exact.on(ops.negative)
def negated_twice(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for -(-x)."""
    (x,) = inputs
    return x.inputs[0] if made_by(x, ops.negative) else None


@exact.on(ops.add, ops.subtract)
def negated_term(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """a - b for a + -b, b - a for -a + b, a + b for a - -b. Only in one dtype: a sign may wrap in a narrower one."""
    a, b = inputs
    if not a.dtype == b.dtype == node.dtype:
        return None
    other = ops.subtract if made_by(node, ops.add) else ops.add  # type: ignore[union-attr]
    if made_by(b, ops.negative):
        return made(other.op, (a, b.inputs[0]), {}, like=node)
    if other is ops.subtract and made_by(a, ops.negative):
        return made(other.op, (b, a.inputs[0]), {}, like=node)
    return None


@exact.on(ops.multiply, ops.divide, multiply_no_nan, divide_no_nan)
def negated_factors(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """a * b for -a * -b, and so for quotients."""
    a, b = inputs
    if made_by(a, ops.negative) and made_by(b, ops.negative) and a.dtype == b.dtype == node.dtype:
        return made(node.op, (a.inputs[0], b.inputs[0]), {}, like=node)  # type: ignore[arg-type]
    return None


def _kept_by(inner: np.dtype, outer: np.dtype) -> bool:
    """Whether every number of dtype `inner` is one of `outer`."""
    if inner.kind in "iu" and inner.itemsize == 8 and outer.kind == "f":
        return False
    return np.can_cast(inner, outer, "safe")


@exact.on(ops.astype)
def cast(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for a cast to its own dtype; one cast for two, if the first loses nothing.

    Two stay where a float becomes an integer in the end: what is out of range then depends on the path.
    """
    (x,) = inputs
    if x.dtype == node.dtype:
        return x
    if made_by(x, ops.astype):
        (source,) = x.inputs
        if _kept_by(source.dtype, x.dtype) and (node.dtype.kind in "fb" or source.dtype.kind != "f"):
            return source if source.dtype == node.dtype else made(ops.astype.op, (source,), node.attrs, like=node)
    return None


@exact.on(ops.identity)
def itself(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x."""
    return inputs[0]
