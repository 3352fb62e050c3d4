"""Rules for constants: what they make is computed now, and where one number is enough, one number is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphnet import ops, shapes
from graphnet.apply import made
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.arithmetic import divide_no_nan, multiply_no_nan
from graphnet.plans.rewrite.rewriting import SMALL, Rules, fitting, is_constant, the_number

folding = Rules()
numbers = Rules()


@folding.on()
def computed(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """A node whose inputs are all constants, as its array, if that is small."""
    for t in inputs:
        if t.op is not None or not is_constant(t):
            return None
    if not inputs or node.nbytes > max(SMALL, *(t.nbytes for t in inputs)):
        return None
    with np.errstate(all="ignore"):
        return constant(np.asarray(node.op.forward(*[t._value for t in inputs], **node.attrs)))  # type: ignore[union-attr]


@numbers.on("elementwise")
def without_repetition(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """f(x, c) for f(broadcast_to(x, shape), array full of c): f broadcasts by itself, where its shape stays the same.

    Not so an exponent: `power` takes other paths for one number, which round otherwise.
    """
    op = node.op
    if len(inputs) < 2 or made_by(node, ops.power):
        return None
    found: list[Tensor] = list(inputs)
    for place, t in enumerate(inputs):
        short: Tensor | None = None
        if t.op is None:
            if t.shape and t.nbytes <= SMALL:
                number = the_number(t)
                short = constant(number) if number is not None else None
        elif made_by(t, ops.broadcast_to):
            short = t.inputs[0]
        if short is not None:
            rest = [short if i == place else other for i, other in enumerate(found)]
            if shapes.broadcast(*(r.shape for r in rest)) == node.shape:
                found = rest
    changed = any(a is not b for a, b in zip(found, inputs, strict=True))
    return made(op, found, node.attrs, like=node) if changed else None  # type: ignore[arg-type]


def power_of_two(number: np.ndarray) -> bool:
    """Whether products with it are exact (but for what leaves the range of the dtype)."""
    return number.dtype.kind == "f" and bool(np.isfinite(number)) and abs(float(np.frexp(number)[0])) == 0.5


def _factor(t: Tensor) -> np.ndarray | None:
    """The number without axes that `t` is, if it is one, normal and not zero."""
    if t.op is not None or t.shape or t.dtype.kind != "f" or not is_constant(t):
        return None
    value: np.ndarray = t._value
    return value if np.isfinite(value) and abs(value) >= np.finfo(value.dtype).tiny else None


def _split(t: Tensor) -> tuple[Tensor, np.ndarray] | None:
    """(x, c) where `t` is x * c for a number c."""
    if not made_by(t, ops.multiply):
        return None
    a, b = t.inputs
    for x, c in ((a, b), (b, a)):
        number = _factor(c)
        if number is not None and x.dtype == c.dtype == t.dtype and x.shape == t.shape:
            return x, number
    return None


@numbers.on(ops.multiply)
def joined_factors(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * (c1 * c2) for (x * c1) * c2, if c1 or c2 is a power of two: then both are rounded once, at the same place.

    For other numbers the two forms round differently, and the original stays. Where x * c1 alone leaves the range of
    the dtype, the result is the right one.
    """
    for t, c in (inputs, inputs[::-1]):
        outer, split = _factor(c), _split(t)
        if outer is None or split is None:
            continue
        x, inner = split
        # In a wider dtype what was rounded to the narrower would not be.
        if inner.dtype == outer.dtype and (power_of_two(outer) or power_of_two(inner)):
            with np.errstate(all="ignore"):
                both = constant(np.asarray(outer * inner))
            if _factor(both) is not None:
                return made(ops.multiply.op, (x, both), {}, like=node)
    return None


@numbers.on(ops.divide)
def inverted(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * (1 / c) for x / c, if c is a power of two: as exact, and faster."""
    x, c = inputs
    number = _factor(c)
    if number is None or not power_of_two(number) or x.dtype != c.dtype:
        return None
    with np.errstate(all="ignore"):
        inverse = constant(np.asarray(1 / number, number.dtype))
    return made(ops.multiply.op, (x, inverse), {}, like=node) if _factor(inverse) is not None else None


@numbers.on(ops.negative)
def negated_factor(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * -c for -(x * c)."""
    split = _split(inputs[0])
    if split is None:
        return None
    x, c = split
    return fitting(node, made(ops.multiply.op, (x, constant(np.asarray(-c))), {}, like=node))


@numbers.on(ops.multiply, ops.divide, multiply_no_nan, divide_no_nan)
def absorbed_sign(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * -c for -x * c, and so for quotients."""
    for place, t in enumerate(inputs):
        c = inputs[1 - place]
        if made_by(t, ops.negative) and t.dtype == c.dtype:
            number = _factor(c)
            if number is not None:
                pair = [t.inputs[0], constant(np.asarray(-number))]
                return made(node.op, pair if place == 0 else pair[::-1], node.attrs, like=node)  # type: ignore[arg-type]
    return None
