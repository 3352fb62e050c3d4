"""Passes: small functions from a graph to a graph with the same values. Each result is checked.

`simplify` keeps every value to the bit (but what left the range of its dtype half way may come back into it). `layout`
may change the order of sums, `stabilise` makes values right where a formula was not; `optimise` does all of it, and is
what compiled functions go through.
"""

from __future__ import annotations

from graphnet.graph import Graph
from graphnet.plans.rewrite.algebra import exact
from graphnet.plans.rewrite.constants import folding, numbers
from graphnet.plans.rewrite.crossentropy import join_softmax
from graphnet.plans.rewrite.layout import products, rearranging, sums
from graphnet.plans.rewrite.pooling import pooled_sums, pooling
from graphnet.plans.rewrite.rewriting import NodeRule, Rules, rewritten, rooted
from graphnet.plans.rewrite.stability import stable

__all__ = [
    "NodeRule",
    "Rules",
    "algebra",
    "fold",
    "join_softmax",
    "layout",
    "optimise",
    "rewritten",
    "rooted",
    "share",
    "simplify",
    "stabilise",
]

_ALGEBRA = exact + numbers + rearranging
_EXACT = folding + _ALGEBRA
_ALL = _EXACT + sums + pooling + pooled_sums + stable


def fold(graph: Graph) -> Graph:
    """Constants: a node whose inputs are all constants is computed now, if its array is small."""
    return rewritten(graph, folding)


def share(graph: Graph) -> Graph:
    """Common subexpressions: nodes with the same op, inputs and attributes become one, as do equal small constants."""
    return rewritten(graph, lambda node, inputs: None, shared=True)


def algebra(graph: Graph) -> Graph:
    """Algebra that cannot change a value: neutral elements, signs, what changes nothing, numbers for full arrays."""
    return rewritten(graph, _ALGEBRA)


def simplify(graph: Graph) -> Graph:
    """Folding, algebra and sharing in one. Dead code goes too: a graph is what its outputs need."""
    return rewritten(graph, _EXACT, shared=True)


def layout(graph: Graph) -> Graph:
    """Reshapes, transposes and repetition: none that does nothing, none of a matrix product's result, none summed."""
    return rewritten(graph, rearranging + sums + products(graph))


def stabilise(graph: Graph) -> Graph:
    """Ops that are right at any size for formulas that are not, as log_softmax(x) for log(softmax(x))."""
    return rewritten(graph, stable)


def optimise(graph: Graph) -> Graph:
    """All passes: the graph that is compiled. Its values are those of `graph` to rounding, or more right."""
    return join_softmax(rewritten(graph, _ALL + products(graph), shared=True))
