"""Rules for formulas that lose digits or overflow half way, where an op is right at any size.

Values change only towards the right ones: by rounding where the formula was good, else from infinite, NaN, 0 or noise
to the number that it stands for. Infinite logits are the exception: next to +inf, `x - logsumexp(x)` is -inf, and
`log_softmax` NaN in the whole row (in which there is a NaN either way).

Gradients that are in the graph already were made from the formula: they stay what they are. Those made from the result
are those of the op.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphnet.apply import made
from graphnet.node import Tensor
from graphnet.plans.rewrite.algebra import is_number
from graphnet.plans.rewrite.rewriting import Rules, fitting
from graphnet.record import OPS

stable = Rules()


def _is(t: Tensor, *names: str) -> bool:
    return t.op is not None and t.op.name in names


def _applied(name: str, node: Tensor, x: Tensor, **attrs: object) -> Tensor | None:
    """`name` of `x` in the place of `node`, if it has its shape and dtype."""
    return fitting(node, made(OPS[name], (x,), attrs, like=node)) if x.dtype.kind == "f" else None


def _negated(name: str, node: Tensor, x: Tensor) -> Tensor | None:
    inner = _applied(name, node, x)
    return made(OPS["negative"], (inner,), {}, like=node) if inner is not None else None


def _beside(t: Tensor, number: float) -> Tensor | None:
    """x where `t` is `x + number`."""
    if _is(t, "add"):
        for x, c in (t.inputs, t.inputs[::-1]):
            if is_number(c, number) and fitting(t, x) is not None:
                return x
    return None


def _axes(t: Tensor) -> tuple[int, ...]:
    return tuple(sorted(t.attrs["axis"]))


def _kept(t: Tensor, name: str) -> Tensor | None:
    """x where `t` is the reduction `name` of x that keeps its axes at size one."""
    return t.inputs[0] if _is(t, name) and t.attrs["keepdims"] else None


def largest_of(m: Tensor, x: Tensor) -> tuple[int, ...] | None:
    """The axes, where `m` is the largest of `x` along them, kept, with or without `stop_gradient`."""
    if _is(m, "stop_gradient"):
        m = m.inputs[0]
    return _axes(m) if _kept(m, "max") is x else None


def softmax_of(t: Tensor) -> tuple[Tensor, tuple[int, ...]] | None:
    """(x, axes) where `t` is `e / sum(e)` with `e = exp(x - max(x))` along these axes."""
    if not _is(t, "divide"):
        return None
    e, total = t.inputs
    if _kept(total, "sum") is not e or not _is(e, "exp") or not _is(e.inputs[0], "subtract"):
        return None
    x, m = e.inputs[0].inputs
    axes = largest_of(m, x)
    return (x, axes) if axes is not None and axes == _axes(total) and x.shape == t.shape else None


@stable.on("log")
def logarithm(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x for log(exp(x)); log_softmax, log_sigmoid, log1p and logsumexp for their formulas."""
    (t,) = inputs
    if _is(t, "exp"):
        return fitting(node, t.inputs[0])
    if _is(t, "sigmoid"):
        return _applied("log_sigmoid", node, t.inputs[0])
    if _is(t, "sum") and _is(t.inputs[0], "exp"):
        return _applied("logsumexp", node, t.inputs[0].inputs[0], **t.attrs)
    softmax = softmax_of(t)
    if softmax is not None:
        return _applied("log_softmax", node, softmax[0], axis=softmax[1])
    x = _beside(t, 1)
    if x is not None:
        return _applied("log1p", node, x)
    if _is(t, "subtract") and is_number(t.inputs[0], 1) and fitting(node, t.inputs[1]) is not None:
        return _applied("log1p", node, made(OPS["negative"], (t.inputs[1],), {}, like=node))
    return None


@stable.on("log1p")
def softplus(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """softplus(x) for log1p(exp(x)), -softplus(x) for log1p(-sigmoid(x))."""
    (t,) = inputs
    if _is(t, "exp"):
        return _applied("softplus", node, t.inputs[0])
    if _is(t, "negative") and _is(t.inputs[0], "sigmoid"):
        return _negated("softplus", node, t.inputs[0].inputs[0])
    return None


@stable.on("subtract", "add")
def difference(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """expm1(x) for exp(x) - 1, log_softmax(x) for x - logsumexp(x), logsumexp(x) for logsumexp(x - max(x)) + max(x)."""
    a, b = inputs
    if _is(node, "subtract"):
        if _is(a, "exp") and is_number(b, 1):
            return _applied("expm1", node, a.inputs[0])
        if _kept(b, "logsumexp") is a:
            return _applied("log_softmax", node, a, axis=_axes(b))
        return None
    for x, m in ((a, b), (b, a)):
        if _is(x, "exp") and is_number(m, -1):
            return _applied("expm1", node, x.inputs[0])
        shifted = _kept(x, "logsumexp")
        if shifted is not None and _is(shifted, "subtract") and shifted.inputs[1] is m:
            y = shifted.inputs[0]
            if largest_of(m, y) == _axes(x):
                return _applied("logsumexp", node, y, **x.attrs)
    return None


@stable.on("divide", "reciprocal")
def quotient(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """sigmoid(x) for 1 / (1 + exp(-x)) and exp(x) / (1 + exp(x)), exp(log_softmax(x)) for exp(x) / sum(exp(x))."""
    above, below = inputs if len(inputs) == 2 else (None, inputs[0])
    e = _beside(below, 1)
    if e is not None and _is(e, "exp"):
        (x,) = e.inputs
        if above is e:
            return _applied("sigmoid", node, x)
        if above is None or is_number(above, 1):
            turned = x.inputs[0] if _is(x, "negative") else made(OPS["negative"], (x,), {}, like=node)
            return _applied("sigmoid", node, turned)
    if above is not None and _is(above, "exp") and _kept(below, "sum") is above and softmax_of(node) is None:
        (x,) = above.inputs
        logarithm = made(OPS["log_softmax"], (x,), {"axis": _axes(below)}, like=node)
        return _applied("exp", node, logarithm)
    return None


@stable.on("sqrt")
def root(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """abs(x) for the root of x * x."""
    (t,) = inputs
    squared = _is(t, "square") or (_is(t, "multiply") and t.inputs[0] is t.inputs[1])
    if squared or (_is(t, "power") and is_number(t.inputs[1], 2)):
        return _applied("absolute", node, t.inputs[0])
    return None
