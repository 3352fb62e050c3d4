"""One sweep over a graph: a rule is asked about every node, inputs first, and again about what it put there.

A rule sees a node and the new versions of its inputs, and answers with a tensor to put in its place, or None to keep
it. A replacement is looked at in its turn, as are the nodes that it brought along, until nothing more is to be done:
so one sweep is enough, and its time is linear in the nodes.

A sweep is checked as it goes: a replacement has the shape and dtype of what it replaces, nodes made for it had theirs
inferred, and the others have inputs of the shapes and dtypes that they were made for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.apply import described
from graphnet.arrays import Spec
from graphnet.graph import Graph
from graphnet.leaves import symbolic
from graphnet.node import Tensor, new, tick
from graphnet.record import Op, frozen

NodeRule = Callable[[Tensor, Sequence[Tensor]], Tensor | None]

#: bytes of a constant that passes look into, or make: more would grow the program, as folding `ones((1000, 1000))`
SMALL = 1 << 16

# Far more than any rule needs: rules that undo each other should fail, not hang.
_MOST_STEPS = 100


def rooted(graph: Graph) -> Graph:
    """`graph` with a symbolic leaf for every input that is a known or a computed tensor: no pass sees its history."""
    leaves = {
        t: symbolic(t.shape, t.dtype, graph.names[t]) for t in graph.inputs if t.op is not None or not t.is_symbolic
    }
    if not leaves:
        return graph
    inputs = [leaves.get(t, t) for t in graph.inputs]
    for node in graph.nodes:
        if node not in leaves:
            moved = node.op is not None and any(leaves[t] is not t for t in node.inputs)
            leaves[node] = remade(node, [leaves[t] for t in node.inputs]) if moved else node
    updates = [(p, leaves[t]) for p, t in graph.updates]
    return graph.with_outputs(inputs, [leaves[t] for t in graph.outputs], updates).check()


class Rules:
    """Rules by the ops or families that they are about: one rule, which asks only those that can apply."""

    def __init__(self, listed: Sequence[tuple[frozenset[Op | str], NodeRule]] = ()):
        self._listed = list(listed)
        self._of: dict[Op, tuple[NodeRule, ...]] = {}

    def on(self, *about: Any) -> Callable[[NodeRule], NodeRule]:
        """Add a rule for nodes of these ops or families; without any, for every node that an op made."""
        wanted = frozenset(a if isinstance(a, str) else a.op for a in about)

        def add(rule: NodeRule) -> NodeRule:
            self._listed.append((wanted, rule))
            self._of.clear()
            return rule

        return add

    def __add__(self, other: Rules) -> Rules:
        return Rules([*self._listed, *other._listed])

    def __call__(self, node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        op = node.op
        if op is None:
            return None
        rules = self._of.get(op)
        if rules is None:
            rules = tuple(r for about, r in self._listed if not about or op in about or op.family in about)
            self._of[op] = rules
        for rule in rules:
            found = rule(node, inputs)
            if found is not None:
                return found
        return None


def is_constant(t: Tensor) -> bool:
    """Whether `t` is data that stays as it is. (What a gradient may be asked for is not.)"""
    return t.op is None and t.__class__ is Tensor and not t.requires_grad and not t.is_symbolic


def the_number(t: Tensor) -> np.ndarray | None:
    """The number that a constant holds everywhere, sign of zero included, as an array without axes; or None."""
    if not is_constant(t):
        return None
    value: np.ndarray = t._value
    if value.ndim == 0:
        return value
    if value.size == 0 or value.dtype.kind == "c":
        return None  # a complex zero has two signs
    first = value.flat[0]
    if value.dtype.kind != "f":
        same = bool((value == first).all())
    elif np.isnan(first):
        same = bool(np.isnan(value).all())
    else:
        same = bool((value == first).all()) and (first != 0 or bool((np.signbit(value) == np.signbit(first)).all()))
    return np.asarray(first, value.dtype) if same else None


def fitting(node: Tensor, x: Tensor) -> Tensor | None:
    """`x` to put in the place of `node`, if it has its shape and dtype."""
    return x if x.shape == node.shape and x.dtype == node.dtype else None


def remade(node: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """`node` on other inputs of the same shapes and dtypes."""
    y = new(Tensor)
    value, op = node._value, node.op
    y._value = value if value.__class__ is Spec else Spec(value.shape, value.dtype)
    y.requires_grad = value.dtype.kind == "f" and op.differentiable  # type: ignore[union-attr]
    y.op = op
    y._inputs = tuple(inputs)
    y.attrs = node.attrs
    y._tick = tick()
    y.region, y.name, y._code, y._lasti = node.region, node.name, node._code, node._lasti
    y.gradient_of = node.gradient_of
    return y


class _Sweep:
    """What one sweep knows: which tensors are in their final form, and, if it shares, one node for each computation."""

    def __init__(self, rule: NodeRule, shared: bool):
        self.rule = rule
        self.seen: dict[Any, Tensor] | None = {} if shared else None
        self.settled: set[Tensor] = set()

    def leaf(self, t: Tensor) -> Tensor:
        """A leaf, or what takes its place: the first of equal small constants."""
        if self.seen is not None and is_constant(t) and t.nbytes <= SMALL:
            return self.seen.setdefault((t.dtype, t.shape, t._value.tobytes()), t)
        found = self.rule(t, ())
        return t if found is None else found

    def settle(self, node: Tensor, inputs: Sequence[Tensor]) -> Tensor:
        """What takes the place of `node`, whose inputs are in their final form already."""
        for _ in range(_MOST_STEPS):
            found = self.rule(node, inputs)
            if found is None or found is node:
                return self.kept(node, inputs)
            if found.shape != node.shape or found.dtype != node.dtype:
                assert node.op is not None
                raise ValueError(f"a pass put {described(found)} in the place of {node.op.name}, {described(node)}")
            if found in self.settled:
                return found
            if found.op is None:
                return self.leaf(found)
            node, inputs = found, [self.inner(t) for t in found._inputs]
        raise RuntimeError(f"rules undo each other on {node.op.name if node.op else 'a leaf'}({described(node)})")

    def inner(self, t: Tensor) -> Tensor:
        """An input of a node that a rule made."""
        if t in self.settled:
            return t
        return self.leaf(t) if t.op is None else self.settle(t, [self.inner(i) for i in t._inputs])

    def kept(self, node: Tensor, inputs: Sequence[Tensor]) -> Tensor:
        """`node` on these inputs: itself, a new one, or the one there is."""
        key: Any = None
        if self.seen is not None:
            op, attrs = node.op, node.attrs
            places = tuple(map(id, inputs))
            if op.commutes == "bits" and places[0] > places[1]:  # type: ignore[union-attr]
                places = places[::-1]
            key = (op, places, frozen(attrs)) if attrs else (op, places)
            found = self.seen.get(key)
            if found is not None:
                return found
        if node._value.__class__ is not Spec or any(a is not b for a, b in zip(inputs, node._inputs, strict=True)):
            node = remade(node, inputs)
        self.settled.add(node)
        if self.seen is not None:
            # The node holds its inputs: while it is here, no other tensor can have their ids.
            self.seen[key] = node
        return node


def rewritten(graph: Graph, rule: NodeRule, shared: bool = False) -> Graph:
    """`graph` with `rule` applied to every node; if `shared`, with one node for all that compute the same.

    Raises `ValueError` if a replacement has another shape or dtype than what it replaces.
    """
    sweep = _Sweep(rule, shared)
    # Rules look into nodes and constants: an input that was computed, or has a value, must look like an input to them.
    final = {t: symbolic(t.shape, t.dtype, t.name) if t.op is not None or is_constant(t) else t for t in graph.inputs}
    sweep.settled.update(final.values())
    for node in graph.nodes:
        if node not in final:
            if node.op is None:
                final[node] = sweep.leaf(node)
                sweep.settled.add(final[node])
            else:
                final[node] = sweep.settle(node, [final[t] for t in node.inputs])
    back = {final[t]: t for t in graph.inputs if final[t] is not t}
    if back:
        for node in sweep.settled:
            node._inputs = tuple(back.get(t, t) for t in node._inputs)
    updates = []
    for p, t in graph.updates:
        if p.shape != t.shape or p.dtype != t.dtype:
            raise ValueError(f"the update of {p.name or 'a parameter'} ({described(p)}) is {described(t)}")
        updates.append((p, back.get(final[t], final[t])))
    return graph.with_outputs(graph.inputs, [back.get(final[t], final[t]) for t in graph.outputs], updates)
