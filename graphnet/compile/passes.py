"""Passes: small functions from a graph to a graph with the same values. Each result is checked.

A pass is a rule applied to every node, inputs first: it sees the node and the new versions of its inputs, and answers
with a tensor to put in its place, or None to keep the node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.op import OPS, Op, made
from graphnet.tensor import Parameter, Tensor, constant, symbolic

NodeRule = Callable[[Tensor, Sequence[Tensor]], Tensor | None]

# A constant that has to be stored must not grow the program: folding `ones((1000, 1000))` would.
_FOLD_BYTES = 1 << 16


def rewritten(graph: Graph, rule: NodeRule) -> Graph:
    """`graph` with `rule` applied to every node."""
    given = set(graph.inputs)
    new: dict[Tensor, Tensor] = {}
    for node in graph.nodes:
        if node in given or node.op is None:
            replacement = None if node in given else rule(node, ())
            new[node] = node if replacement is None else replacement
            continue
        inputs = [new[t] for t in node.inputs]
        replacement = rule(node, inputs)
        if replacement is None:
            same = node.is_symbolic and all(a is b for a, b in zip(inputs, node.inputs, strict=True))
            replacement = node if same else made(node.op, inputs, node.attrs, like=node)
        new[node] = replacement
    result = graph.with_outputs(
        graph.inputs, [new.get(t, t) for t in graph.outputs], [(p, new[t]) for p, t in graph.updates]
    )
    return result.check()


def rooted(graph: Graph) -> Graph:
    """`graph` with a symbolic leaf for every input that is a known or a computed tensor: no pass sees its history."""
    new = {t: symbolic(t.shape, t.dtype, graph.names[t]) for t in graph.inputs if t.op is not None or not t.is_symbolic}
    if not new:
        return graph
    inputs = [new.get(t, t) for t in graph.inputs]
    for node in graph.nodes:
        if node not in new:
            if node.op is None or all(new[t] is t for t in node.inputs):
                new[node] = node
            else:
                new[node] = made(node.op, [new[t] for t in node.inputs], node.attrs, like=node)
    return graph.with_outputs(inputs, [new[t] for t in graph.outputs], [(p, new[t]) for p, t in graph.updates]).check()


def frozen(value: Any) -> Any:
    """An attribute as something that can be compared and hashed by content."""
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *map(frozen, value))
    if isinstance(value, dict):
        return tuple((k, frozen(v)) for k, v in sorted(value.items()))
    if isinstance(value, slice):
        return ("slice", frozen(value.start), frozen(value.stop), frozen(value.step))
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, float):
        return ("float", value.hex())
    try:
        hash(value)
    except TypeError:
        return ("object", id(value))
    return (type(value).__name__, value)


def _is_constant(t: Tensor) -> bool:
    return t.op is None and not t.is_symbolic and not isinstance(t, Parameter)


def share(graph: Graph) -> Graph:
    """Common subexpressions: nodes with the same op, inputs and attributes become one, as do equal small constants."""
    seen: dict[Any, Tensor] = {}
    given = set(graph.inputs)

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None:
            if not _is_constant(node) or node in given or node.nbytes > _FOLD_BYTES:
                return None
            return seen.setdefault(("constant", frozen(node._value)), node)
        key = (node.op, tuple(map(id, inputs)), frozen(node.attrs))
        if key not in seen:
            same = node.is_symbolic and all(a is b for a, b in zip(inputs, node.inputs, strict=True))
            seen[key] = node if same else made(node.op, inputs, node.attrs, like=node)
        return seen[key]

    return rewritten(graph, rule)


def fold(graph: Graph) -> Graph:
    """Constants: a node whose inputs are all constants is computed now, if its array is small."""
    given = set(graph.inputs)

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None or not inputs or not all(_is_constant(t) and t not in given for t in inputs):
            return None
        if node.nbytes > max(_FOLD_BYTES, *(t.nbytes for t in inputs)):
            return None
        with np.errstate(all="ignore"):
            return constant(np.asarray(node.op.forward(*[t._value for t in inputs], **node.attrs)))

    return rewritten(graph, rule)


def _all_equal(t: Tensor, number: float, sign: bool = False) -> bool:
    """Whether `t` is a constant with `number` everywhere (with its sign, for zeros)."""
    if not _is_constant(t) or t.size == 0:
        return False
    value = t._value
    first = value.flat[0]
    if first != number or (sign and np.signbit(first) != np.signbit(number)):
        return False
    return bool((value == number).all()) and (not sign or bool((np.signbit(value) == np.signbit(number)).all()))


def _first(node: Tensor, x: Tensor) -> Tensor | None:
    """`x` in the place of `node`, if it has its shape and dtype."""
    return x if x.shape == node.shape and x.dtype == node.dtype else None


def _neutral(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """x * 1, 1 * x, x / 1, x ** 1, x + -0.0, x - 0.0: exactly x, also for NaN, infinities and signed zeros."""
    a, b = inputs
    name = node.op.name  # type: ignore[union-attr]
    if name in ("multiply", "divide", "power", "divide_no_nan") and _all_equal(b, 1):
        return _first(node, a)
    if name == "multiply" and _all_equal(a, 1):
        return _first(node, b)
    if name == "multiply_no_nan":
        # Like any product, unless a zero can meet an infinity or NaN.
        for known, other in ((a, b), (b, a)):
            if _all_equal(known, 1):
                return _first(node, other)
            if _is_constant(known) and bool((np.isfinite(known._value) & (known._value != 0)).all()):
                return made(OPS["multiply"], (a, b), {}, like=node)
    if name == "divide_no_nan" and _is_constant(b) and not bool((np.isnan(b._value) | (b._value == 0)).any()):
        return made(OPS["divide"], (a, b), {}, like=node)
    if name == "subtract" and _all_equal(b, 0.0, sign=True):
        return _first(node, a)
    if name == "add":
        if _all_equal(b, -0.0, sign=True):
            return _first(node, a)
        if _all_equal(a, -0.0, sign=True):
            return _first(node, b)
    return None


def _undone(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
    """Ops that change nothing, and pairs that undo each other."""
    (x,) = inputs
    op: Op = node.op  # type: ignore[assignment]
    inner = x.op.name if x.op is not None else None
    if op.name == "identity":
        return x
    if op.name == "negative" and inner == "negative":
        return x.inputs[0]
    if op.name in ("reshape", "broadcast_to", "astype"):
        if _first(node, x) is not None:
            return x
        if op.name == inner == "reshape":
            return made(op, (x.inputs[0],), node.attrs, like=node)
        if op.name == inner == "broadcast_to":
            return made(op, (x.inputs[0],), node.attrs, like=node)
    if op.name == "transpose":
        axes = node.attrs["axes"]
        if axes == tuple(range(len(axes))):
            return x
        if inner == "transpose":
            joined = tuple(x.attrs["axes"][a] for a in axes)
            if joined == tuple(range(len(joined))):
                return x.inputs[0]
            return made(op, (x.inputs[0],), {**node.attrs, "axes": joined}, like=node)
    if op.family == "reduction" and node.attrs.get("axis") == () and op.name in ("sum", "prod", "max", "min", "mean"):
        return _first(node, x)
    return None


def algebra(graph: Graph) -> Graph:
    """Algebra that cannot change a value: neutral elements, ops that undo each other, ops that change nothing."""

    given = set(graph.inputs)

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None or any(_is_constant(t) and t in given for t in inputs):
            return None
        if len(inputs) == 2 and node.op.family == "elementwise":
            return _neutral(node, inputs)
        if len(inputs) == 1:
            return _undone(node, inputs)
        return None

    return rewritten(graph, rule)


def simplify(graph: Graph) -> Graph:
    """Fold, algebra and sharing until nothing gets smaller. Dead code goes too: a graph is what its outputs need."""
    while True:
        before = len(graph)
        graph = share(algebra(fold(graph)))
        if len(graph) >= before:
            return graph
