"""Rules for formulas that lose digits or overflow half way, where an op is right at any size.

Values change only towards the right ones: by rounding where the formula was good, else from infinite, NaN, 0 or noise
to the number that it stands for. Infinite logits are the exception: next to +inf, `x - logsumexp(x)` is -inf, and
`log_softmax` NaN in the whole row (in which there is a NaN either way).

Gradients that are in the graph already were made from the formula: they stay what they are. Those made from the result
are those of the op.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphnet import ops
from graphnet.apply import made
from graphnet.node import Tensor, made_by
from graphnet.plans.rewrite.algebra import is_number
from graphnet.plans.rewrite.rewriting import Rules, fitting

stable = Rules()


def _applied(f: Any, node: Tensor, x: Tensor, **attrs: object) -> Tensor | None:
    """`f` of `x` in the place of `node`, if it has its shape and dtype."""
    return fitting(node, made(f.op, (x,), attrs, like=node)) if x.dtype.kind == "f" else None


def _negated(f: Any, node: Tensor, x: Tensor) -> Tensor | None:
    inner = _applied(f, node, x)
    return made(ops.negative.op, (inner,), {}, like=node) if inner is not None else None


def _beside(t: Tensor, number: float) -> Tensor | None:
    """x where `t` is `x + number`."""
    if made_by(t, ops.add):
        for x, c in (t.inputs, t.inputs[::-1]):
            if is_number(c, number) and fitting(t, x) is not None:
                return x
    return None


def _axes(t: Tensor) -> tuple[int, ...]:
    return tuple(sorted(t.attrs["axis"]))


def _kept(t: Tensor, f: Any) -> Tensor | None:
    """x where `t` is the reduction `f` of x that keeps its axes at size one."""
    return t.inputs[0] if made_by(t, f) and t.attrs["keepdims"] else None


def largest_of(m: Tensor, x: Tensor) -> tuple[int, ...] | None:
    """The axes, where `m` is the largest of `x` along them, kept, with or without `stop_gradient`."""
    if made_by(m, ops.stop_gradient):
        m = m.inputs[0]
    return _axes(m) if _kept(m, ops.max) is x else None


def softmax_of(t: Tensor) -> tuple[Tensor, tuple[int, ...]] | None:
    """(x, axes) where `t` is `e / sum(e)` with `e = exp(x - max(x))` along these axes."""
    if not made_by(t, ops.divide):
        return None
    e, total = t.inputs
    if _kept(total, ops.sum) is not e or not made_by(e, ops.exp) or not made_by(e.inputs[0], ops.subtract):
        return None
    x, m = e.inputs[0].inputs
    axes = largest_of(m, x)
    return (x, axes) if axes is not None and axes == _axes(total) and x.shape == t.shape else None


@stable.on(ops.log)
def logarithm(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for log(exp(x)); log_softmax, log_sigmoid, log1p and logsumexp for their formulas."""
    (t,) = inputs
    if made_by(t, ops.exp):
        return fitting(node, t.inputs[0])
    if made_by(t, ops.sigmoid):
        return _applied(ops.log_sigmoid, node, t.inputs[0])
    if made_by(t, ops.sum) and made_by(t.inputs[0], ops.exp):
        return _applied(ops.logsumexp, node, t.inputs[0].inputs[0], **t.attrs)
    softmax = softmax_of(t)
    if softmax is not None:
        return _applied(ops.log_softmax, node, softmax[0], axis=softmax[1])
    x = _beside(t, 1)
    if x is not None:
        return _applied(ops.log1p, node, x)
    if made_by(t, ops.subtract) and is_number(t.inputs[0], 1) and fitting(node, t.inputs[1]) is not None:
        return _applied(ops.log1p, node, made(ops.negative.op, (t.inputs[1],), {}, like=node))
    return None


@stable.on(ops.log1p)
def softplus(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """softplus(x) for log1p(exp(x)), -softplus(x) for log1p(-sigmoid(x))."""
    (t,) = inputs
    if made_by(t, ops.exp):
        return _applied(ops.softplus, node, t.inputs[0])
    if made_by(t, ops.negative) and made_by(t.inputs[0], ops.sigmoid):
        return _negated(ops.softplus, node, t.inputs[0].inputs[0])
    return None


@stable.on(ops.subtract, ops.add)
def difference(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """expm1(x) for exp(x) - 1, log_softmax(x) for x - logsumexp(x), logsumexp(x) for logsumexp(x - max(x)) + max(x)."""
    a, b = inputs
    if made_by(node, ops.subtract):
        if made_by(a, ops.exp) and is_number(b, 1):
            return _applied(ops.expm1, node, a.inputs[0])
        if _kept(b, ops.logsumexp) is a:
            return _applied(ops.log_softmax, node, a, axis=_axes(b))
        return None
    for x, m in ((a, b), (b, a)):
        if made_by(x, ops.exp) and is_number(m, -1):
            return _applied(ops.expm1, node, x.inputs[0])
        shifted = _kept(x, ops.logsumexp)
        if shifted is not None and made_by(shifted, ops.subtract) and shifted.inputs[1] is m:
            y = shifted.inputs[0]
            if largest_of(m, y) == _axes(x):
                return _applied(ops.logsumexp, node, y, **x.attrs)
    return None


@stable.on(ops.divide, ops.reciprocal)
def quotient(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """sigmoid(x) for 1 / (1 + exp(-x)) and exp(x) / (1 + exp(x)), exp(log_softmax(x)) for exp(x) / sum(exp(x))."""
    above, below = inputs if len(inputs) == 2 else (None, inputs[0])
    e = _beside(below, 1)
    if e is not None and made_by(e, ops.exp):
        (x,) = e.inputs
        if above is e:
            return _applied(ops.sigmoid, node, x)
        if above is None or is_number(above, 1):
            turned = x.inputs[0] if made_by(x, ops.negative) else made(ops.negative.op, (x,), {}, like=node)
            return _applied(ops.sigmoid, node, turned)
    if above is not None and made_by(above, ops.exp) and _kept(below, ops.sum) is above and softmax_of(node) is None:
        (x,) = above.inputs
        logarithm = made(ops.log_softmax.op, (x,), {"axis": _axes(below)}, like=node)
        return _applied(ops.exp, node, logarithm)
    return None


@stable.on(ops.sqrt)
def root(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """abs(x) for the root of x * x."""
    (t,) = inputs
    squared = made_by(t, ops.square) or (made_by(t, ops.multiply) and t.inputs[0] is t.inputs[1])
    if squared or (made_by(t, ops.power) and is_number(t.inputs[1], 2)):
        return _applied(ops.absolute, node, t.inputs[0])
    return None
