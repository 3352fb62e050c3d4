"""Passes: small functions from a graph to a graph with the same values. Each result is checked.

`simplify` keeps every value to the bit (a product that left the range of its dtype half way may come back into it).
"""

from __future__ import annotations

from graphnet.compile.passes.algebra import exact
from graphnet.compile.passes.constants import folding, numbers
from graphnet.compile.passes.layout import rearranging
from graphnet.compile.passes.rewriting import NodeRule, Rules, frozen, rewritten
from graphnet.graph import Graph

__all__ = ["NodeRule", "Rules", "algebra", "fold", "frozen", "rewritten", "share", "simplify"]

_ALGEBRA = exact + numbers + rearranging
_EXACT = folding + _ALGEBRA


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
