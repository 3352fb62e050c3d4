"""The backward sweep: gradients carried from outputs to inputs through the rules of the ops between.

One set of rules, run in two ways: on bare arrays (`on_arrays`) when nobody asks for a graph of the gradient, and on
tensors (`on_tensors`) when somebody does: a symbolic graph, or a derivative that is differentiated again. Nothing
recurses, and only gradients on the path from the outputs to what is asked for are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from graphnet.apply import COMPLEX, as_tensor, described
from graphnet.arrays import Spec
from graphnet.leaves import KINDS, Parameter
from graphnet.mode import Region, mode, state
from graphnet.node import Tensor
from graphnet.ops import shaping
from graphnet.record import Joint, Op, Rule

ndarray = np.ndarray
_age = attrgetter("_tick")
_HALF = np.dtype(np.float16)


def _fit(g: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """A gradient, array or tensor, in the shape and dtype of its value: broadcast axes summed, others repeated."""
    if g.shape != shape:
        if g.dtype == _HALF:
            # Eleven bits lose what is added to a sum of 2,000.
            g = g.astype(np.float32)
        extra = g.ndim - len(shape)
        if extra > 0:
            g = g.sum(axis=tuple(range(extra)))
        # A rule may leave out axes: then those of the gradient are the last ones of the value.
        axes = tuple(a for a, n in enumerate(shape[len(shape) - g.ndim :]) if n == 1 and g.shape[a] != 1)
        if axes:
            g = g.sum(axis=axes, keepdims=True)
        if g.shape != shape:
            g = shaping.broadcast_to(g, shape)
    if g.dtype != dtype:
        if g.dtype.kind == "c" and dtype.kind != "c":
            # Of what flows through complex numbers to a real one, the real part is its gradient.
            g = g.real
        if g.dtype != dtype:
            g = g.astype(dtype)
    return g


def history(outputs: Iterable[Tensor]) -> tuple[list[Tensor], set[Tensor]]:
    """The tensors that need a gradient and that `outputs` depend on, as a list from the outputs back, and as a set."""
    seen: set[Tensor] = {t for t in outputs if t.requires_grad}
    stack: list[Tensor] = list(seen)
    nodes: list[Tensor] = []
    while stack:
        node = stack.pop()
        nodes.append(node)
        for t in node._inputs:
            if t.__class__ in KINDS and t.requires_grad and t not in seen:
                seen.add(t)
                stack.append(t)
    # An input is always older than what was made from it.
    nodes.sort(key=_age, reverse=True)
    return nodes, seen


def path(nodes: list[Tensor], targets: Iterable[Tensor]) -> tuple[list[Tensor], set[Tensor]]:
    """Those of `nodes` (from the outputs back) that depend on `targets`, in the same two forms."""
    reached = set(targets)
    for node in reversed(nodes):
        if node not in reached:
            for t in node._inputs:
                if t.__class__ in KINDS and t in reached:
                    reached.add(node)
                    break
    return [node for node in nodes if node in reached], reached


def _check_unchanged(node: Tensor, t: Parameter, reached: set[Tensor], g: Any, y: Any, inputs: Sequence[Any]) -> None:
    """Raise if `t` was changed since `node` used it, and the gradient of `node` needs the value from before."""
    if node.is_symbolic:
        return  # a graph reads it when it runs
    if t in reached or _needs(node, t, reached, g, y, inputs):
        site = node.site
        at = f" at {site[0]}:{site[1]}" if site else ""
        name = f"{t.name!r} " if t.name else ""
        op = node.op.name if node.op else ""
        raise RuntimeError(f"the parameter {name}was changed after {op}{at} used it: compute the output again first")


def _needs(node: Tensor, t: Parameter, reached: set[Tensor], g: Any, y: Any, inputs: Sequence[Any]) -> bool:
    """Whether the gradients that `node` passes on depend on the value of `t`."""
    rules = node.op.vjp  # type: ignore[union-attr]
    if not isinstance(rules, tuple) or t.dtype.kind != "f":
        return True
    arrays = [v._value if isinstance(v, Tensor) else v for v in (g, y, *inputs)]
    if any(v.__class__ is Spec for v in arrays):
        return True
    with mode(raw=True, recording=False, debug=None, trace=None, of=None), np.errstate(all="ignore"):
        for i, rule in zip(node._inputs, rules, strict=True):
            if i in reached and rule is not None:
                now = rule(*arrays, **node.attrs)
                # A comparison with NaN may answer as that with the value of now.
                for number in (np.nan, np.inf, -np.inf, 0.0):
                    pairs = zip(node._inputs, arrays[2:], strict=True)
                    other = [np.full_like(v, number) if i is t else v for i, v in pairs]
                    if not np.array_equal(now, rule(*arrays[:2], *other, **node.attrs), equal_nan=True):
                        return True
    return False


def _check_complex(nodes: list[Tensor], reached: set[Tensor]) -> None:
    """Raise if a gradient would flow through complex numbers by a rule that is not known to be right for them."""
    for node in nodes:
        if node.op is None or not any(t.dtype.kind == "c" for t in (node, *node.inputs) if t in reached):
            continue
        if not node.op.complex or node.is_symbolic:
            site = node.site
            at = f" at {site[0]}:{site[1]}" if site else ""
            what = "in a graph or a compiled function" if node.is_symbolic else "by this op"
            raise TypeError(
                f"{node.op.name}({', '.join(map(described, node.inputs))}){at}: gradients of complex numbers are not "
                f"known {what}: write it with real numbers (gn.real, gn.imag)"
            )


def joined(op: Op, inputs: Sequence[Any]) -> tuple[Tensor, Sequence[Rule]] | None:
    """The input whose op has rules together with `op`, and them: `rule(g, its value, *its inputs, **attrs)`."""
    pairs = op.pairs
    if op.reads is None:
        t = inputs[0]
    else:
        meant = op.reads(*inputs)
        if meant is None:
            return None
        t, pairs = meant
    if t.__class__ is not Tensor or t.op is None:
        return None
    rules = pairs.get(t.op)  # type: ignore[union-attr]
    return None if rules is None else (t, rules)


def _swept(
    nodes: list[Tensor],
    reached: set[Tensor],
    grads: dict[Tensor, Any],
    keep: frozenset[Tensor],
    debug: Any,
    enter: Callable[[Tensor], Sequence[Any]] | None = None,
) -> dict[Tensor, Any]:
    """The one loop of every backward pass: `grads` carried back through `nodes` by the rules of their ops.

    Rules run on arrays, or on tensors where `enter` is given: that is told of each node, and answers with what the
    rules read as its inputs.
    """
    kind, converted = (ndarray, np.asarray) if enter is None else (Tensor, as_tensor)
    for node in nodes:
        op = node.op
        if op is None:
            continue
        g = grads.get(node) if node in keep else grads.pop(node, None)
        if g is None:
            continue
        rules: Any = op.vjp
        if op.pairs is not None:
            inner = node._inputs[0]
            if inner.__class__ is Tensor and inner.op is not None and inner.op.paired:
                both = joined(op, node._inputs)
                if both is not None and inner not in keep:
                    node, rules = both
        inputs = node._inputs
        attrs = node.attrs
        y: Any
        values: Sequence[Any]
        if enter is None:
            y, values = node._value, [t._value if t.__class__ in KINDS else t for t in inputs]
        else:
            y, values = node, enter(node)
        if debug is not None and rules is op.vjp:
            _check_kink(debug, node, g)
        if rules.__class__ is Joint:
            wanted = [place for place, t in enumerate(inputs) if t in reached]
            rules = rules.answered(wanted, g, y, values, attrs)
        place = -1
        for t in inputs:
            place += 1
            if t.__class__ is Parameter and t._changed > node._tick:
                _check_unchanged(node, t, reached, g, y, values)
            if t not in reached:
                continue
            rule = rules[place] if rules.__class__ is tuple else op.rule(place)
            if rule is None:
                continue
            h = rule(g, y, *values, **attrs) if attrs else rule(g, y, *values)
            if h is None:
                continue
            v = t._value
            if h.__class__ is not kind or h.shape != v.shape or h.dtype != v.dtype:
                h = _fit(converted(h), v.shape, v.dtype)
            if debug is not None and enter is None:
                debug.check_gradient(node, place, g, h)
                state.mode = state.mode.replaced(strict=False)
                plain = np.asarray(rule(g, y, *values, **attrs))
                state.mode = state.mode.replaced(strict=True)
                debug.zero_times_infinity(node, _fit(plain, v.shape, v.dtype), h)
            before = grads.get(t)
            grads[t] = h if before is None else before + h
    return grads


def _check_kink(debug: Any, node: Tensor, g: Any) -> None:
    """Tell a debug watch of a gradient that comes to a node, if both have numbers."""
    known = [t._value if t.__class__ in KINDS else t for t in (g, node, *node._inputs)]
    if known[0].__class__ is not Spec and known[1].__class__ is not Spec:
        debug.kink(node, known[0], known[1], known[2:])


def _has_nan(g: ndarray) -> bool:
    # The sum of squares is NaN only if an element is: one pass, no temporary.
    s = np.vdot(g, g)
    return bool(s != s)


def on_arrays(
    nodes: list[Tensor],
    reached: set[Tensor],
    start: dict[Tensor, ndarray],
    keep: frozenset[Tensor] = frozenset(),
) -> dict[Tensor, ndarray]:
    """Carry the gradients in `start` back through `nodes` on bare arrays; what arrives at leaves and at `keep`.

    Where NaN comes out, the sweep runs once more with the rule that zero times anything is zero: so the plain sweep,
    which is right whenever its result has no NaN, need not look at every product.
    """
    before = state.mode
    if COMPLEX[0]:
        _check_complex(nodes, reached)
    with np.errstate(all="ignore"):
        try:
            state.mode = before.replaced(raw=True, region=None, trace=None, of=None, strict=False)
            grads = _swept(nodes, reached, dict(start), keep, None) if before.debug is None else {}
            if before.debug is not None or any(_has_nan(g) for g in grads.values()):
                state.mode = state.mode.replaced(strict=True)
                grads = _swept(nodes, reached, dict(start), keep, before.debug)
        finally:
            state.mode = before
    return grads


def _mirrored(region: Region | None, made: dict[Region, Region]) -> Region | None:
    """The region that holds the gradients of what `region` holds."""
    if region is None:
        return None
    if region not in made:
        twin = Region(region.name, "gradient", _mirrored(region.parent, made), {"of": region})
        made[region] = twin
    return made[region]


def on_tensors(
    nodes: list[Tensor],
    reached: set[Tensor],
    start: dict[Tensor, Tensor],
    keep: frozenset[Tensor] = frozenset(),
) -> dict[Tensor, Tensor]:
    """Carry the gradients in `start` back through `nodes` in tensor ops, so that the result has a graph of its own."""
    before = state.mode
    if COMPLEX[0]:
        _check_complex(nodes, reached)
    assigned = before.trace is not None and bool(before.trace.current)
    twins: dict[Region, Region] = {}

    def enter(node: Tensor) -> Sequence[Any]:
        state.mode = before.replaced(region=_mirrored(node.region, twins), of=node, raw=False)
        # In a trace, rules read what the node read: not what parameters were assigned since.
        return [before.trace.begun(t) for t in node._inputs] if assigned else node._inputs

    try:
        return _swept(nodes, reached, dict(start), keep, before.debug, enter)
    finally:
        state.mode = before
