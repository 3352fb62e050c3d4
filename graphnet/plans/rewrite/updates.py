"""Updates that are one matrix product: `p_new = beta * p + alpha * a @ b`, which BLAS computes in place of p.

So it is for a weight matrix under plain gradient descent, with or without decay and ridge penalties:
`p - rate * (a @ b + (c * p + c * p))` has alpha = -rate and beta = 1 - 2 * c * rate.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.arithmetic import multiply_no_nan
from graphnet.plans.rewrite.layout import turned
from graphnet.plans.rewrite.rewriting import the_number

# A factor as a sum of products: which scalars of the graph (each as often as it occurs), and the number before them.
Factor = dict[tuple[Tensor, ...], float]

_ONE: Factor = {(): 1.0}

# Deeper nesting than any optimiser writes.
_DEEPEST = 60


@dataclass(frozen=True)
class ProductUpdate:
    """`beta * p + alpha * a @ b`: `a` and `b` are nodes of the graph or transposes of such, 2-d, not views of p.

    `alpha` and `beta` are numbers as nodes without axes, in p's dtype: constants, scalars of the graph, or new nodes of
    those. `product` is the node of `a @ b` (of its transpose, if that is what p needs), `nodes` are all nodes that are
    needed for nothing else once the update is done so: the new value itself, `product`, and what is between.
    """

    a: Tensor
    b: Tensor
    alpha: Tensor
    beta: Tensor
    product: Tensor
    nodes: frozenset[Tensor]


@dataclass
class _Linear:
    """`p * beta + product * alpha`, an expression half way to an update; `flipped` if the product is transposed."""

    beta: Factor
    alpha: Factor
    product: Tensor | None = None
    flipped: bool = False


class _NotLinear(Exception):
    pass


def product_update(graph: Graph, p: Parameter, new: Tensor) -> ProductUpdate | None:
    """`new` as `beta * p + alpha * a @ b`, if it is that, and `graph` needs the nodes between for nothing else.

    None where `new` is an output or read by another node, where a factor of the product is p itself or a view of it,
    and where the product or a multiple of p is used elsewhere (as by momentum, Adam or clipping by norm).

    The sum is rounded in another order than by the graph, and what BLAS leaves out stays out: with alpha = 0 a NaN in
    a or b does not reach p, with beta = 0 one in p is gone.
    """
    return _Updates(graph).of(p, new)


def product_updates(graph: Graph) -> dict[Parameter, ProductUpdate]:
    """All updates of `graph` that are products; they share the nodes of equal factors."""
    updates = _Updates(graph)
    found = {p: updates.of(p, t) for p, t in graph.updates}
    return {p: u for p, u in found.items() if u is not None}


class _Updates:
    """Who reads what in a graph, and the factors written so far."""

    def __init__(self, graph: Graph):
        self.given = set(graph.inputs)
        self.users: dict[Tensor, list[Tensor]] = {}
        for t in graph.nodes:
            for i in t.inputs if t not in self.given else ():
                self.users.setdefault(i, []).append(t)
        self.wanted = Counter([*graph.outputs, *(t for _, t in graph.updates)])
        self.written: dict[object, Tensor] = {}

    def of(self, p: Parameter, new: Tensor) -> ProductUpdate | None:
        if new.ndim != 2 or new.dtype.kind != "f" or new.dtype != p.dtype or new in self.users:
            return None
        if self.wanted[new] != 1 or new in self.given or p in self.given:
            return None
        nodes: dict[Tensor, _Linear] = {}
        try:
            found = self._linear(p, new, nodes, 0)
        except _NotLinear:
            return None
        product = found.product
        if product is None or not found.alpha:
            return None
        for t in nodes:
            if t is not new and (t in self.wanted or any(user not in nodes for user in self.users[t])):
                return None
        a, b = product.inputs
        if found.flipped:
            a, b = turned(b, product), turned(a, product)
        if any(_is_view_of(t, p) for t in (a, b)):
            return None
        alpha, beta = self._written(found.alpha, p), self._written(found.beta, p)
        return ProductUpdate(a, b, alpha, beta, product, frozenset(nodes))

    def _linear(self, p: Parameter, t: Tensor, nodes: dict[Tensor, _Linear], depth: int) -> _Linear:
        """`t` as a sum of multiples of p and of one product, or _NotLinear; every node on the way goes to `nodes`."""
        if t is p:
            return _Linear(_ONE, {})
        if t not in nodes:
            if t.op is None or t in self.given or t.dtype != p.dtype or t.ndim != 2 or depth > _DEEPEST:
                raise _NotLinear
            nodes[t] = self._computed(p, t, nodes, depth)
        return nodes[t]

    def _computed(self, p: Parameter, t: Tensor, nodes: dict[Tensor, _Linear], depth: int) -> _Linear:
        if made_by(t, ops.matmul) and all(i.ndim == 2 and i.dtype == p.dtype for i in t.inputs):
            return _Linear({}, _ONE, t)
        if made_by(t, ops.add, ops.subtract):
            if any(i.shape != t.shape for i in t.inputs):
                raise _NotLinear
            x, y = (self._linear(p, i, nodes, depth + 1) for i in t.inputs)
            both = x.product is not None and y.product is not None
            if both and (x.product is not y.product or x.flipped != y.flipped):
                raise _NotLinear
            one = x if x.product is not None else y
            sign = 1.0 if made_by(t, ops.add) else -1.0
            return _Linear(_sum(x.beta, y.beta, sign), _sum(x.alpha, y.alpha, sign), one.product, one.flipped)
        divides = made_by(t, ops.divide)
        if divides or made_by(t, ops.multiply, multiply_no_nan):
            x_node, factor = t.inputs[0], self._scalar(t.inputs[1])
            if factor is None and not divides:
                x_node, factor = t.inputs[1], self._scalar(t.inputs[0])
            if factor is None or x_node.shape != t.shape:
                raise _NotLinear
            if divides:
                # The inverse of a scalar of the graph would be one more node, for nothing.
                if not factor.get(()):
                    raise _NotLinear
                factor = {(): 1.0 / factor[()]}
            return _scaled(self._linear(p, x_node, nodes, depth + 1), factor)
        if made_by(t, ops.negative):
            return _scaled(self._linear(p, t.inputs[0], nodes, depth + 1), {(): -1.0})
        if made_by(t, ops.transpose) and t.attrs["axes"] == (1, 0):
            x = self._linear(p, t.inputs[0], nodes, depth + 1)
            if x.beta:
                raise _NotLinear
            return _Linear({}, x.alpha, x.product, not x.flipped)
        if made_by(t, ops.identity, ops.positive, ops.stop_gradient):
            return self._linear(p, t.inputs[0], nodes, depth + 1)
        raise _NotLinear

    def _scalar(self, t: Tensor) -> Factor | None:
        """What multiplies as one number: without axes, a constant of one number, or one number broadcast."""
        if t in self.given or t.op is None or not t.shape:
            number = the_number(t) if t not in self.given else None
            if number is not None:
                return {(): float(number)} if np.isfinite(number) else None
        if not t.shape:
            return {(t,): 1.0}
        if made_by(t, ops.broadcast_to) and t not in self.given:
            return self._scalar(t.inputs[0])
        return None

    def _written(self, factor: Factor, p: Parameter) -> Tensor:
        """`factor` as a node without axes, in p's dtype; equal ones are one node."""
        key = (p.dtype, tuple(factor.items()))
        if key not in self.written:
            self.written[key] = self._sum_of(factor, p.dtype)
        return self.written[key]

    def _sum_of(self, factor: Factor, dtype: np.dtype) -> Tensor:
        total: Tensor | None = None
        # The number alone comes first, so that 1 - x is one subtraction.
        for scalars, number in sorted(factor.items(), key=lambda item: len(item[0])):
            # In a sum that has begun, the sign of a term goes into the sum.
            sign = -1.0 if total is not None and number < 0 else 1.0
            term = self._term(scalars, number * sign, dtype)
            total = term if total is None else made((ops.add if sign > 0 else ops.subtract).op, (total, term), {})
        return constant(np.zeros((), dtype)) if total is None else total

    def _term(self, scalars: tuple[Tensor, ...], number: float, dtype: np.dtype) -> Tensor:
        parts = [t if t.dtype == dtype else made(ops.astype.op, (t,), {"dtype": dtype}) for t in scalars]
        if not parts:
            return constant(np.asarray(number, dtype))
        term = parts[0]
        for t in parts[1:]:
            term = made(ops.multiply.op, (term, t), {})
        if number == -1.0:
            return made(ops.negative.op, (term,), {})
        return term if number == 1.0 else made(ops.multiply.op, (term, constant(np.asarray(number, dtype))), {})


def _sum(a: Factor, b: Factor, sign: float) -> Factor:
    total = dict(a)
    for scalars, number in b.items():
        total[scalars] = total.get(scalars, 0.0) + sign * number
    return {scalars: number for scalars, number in total.items() if number != 0}


def _product(a: Factor, b: Factor) -> Factor:
    total: Factor = {}
    for s, m in a.items():
        for t, n in b.items():
            scalars = tuple(sorted((*s, *t), key=id))
            total[scalars] = total.get(scalars, 0.0) + m * n
    return total


def _scaled(x: _Linear, factor: Factor) -> _Linear:
    return _Linear(_product(x.beta, factor), _product(x.alpha, factor), x.product, x.flipped)


def _is_view_of(t: Tensor, p: Parameter) -> bool:
    """Whether the array of `t` may be that of p."""
    while t.op is not None and t.inputs and (t.op.view is not None or t.op.family == "op"):
        if made_by(t, ops.matmul):
            return False
        t = t.inputs[0]
    return t is p
