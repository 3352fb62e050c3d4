"""The first stage of a plan: the nodes of a graph as steps in an order, with what is known of each before memory is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor
from graphnet.plans.kernels.products import Product
from graphnet.plans.order.fusion import Step, fused
from graphnet.plans.order.schedule import ordered
from graphnet.plans.order.views import Views, views_of


class Order(NamedTuple):
    """The steps of `graph`, in order.

    * `place_of`: the number of the step that computes a node, or what the node is a view of;
    * `views`: which nodes are views, and of what; `products`: the nodes that are calls of BLAS;
    * `parameters`: those that the compiled function takes after the graph's inputs, the updated ones too;
    * `names`: of the graph's nodes, as listings have them; `given`: the graph's inputs.
    """

    graph: Graph
    steps: tuple[Step, ...]
    place_of: dict[Tensor, int]
    views: Views
    products: dict[Tensor, Product]
    parameters: tuple[Parameter, ...]
    names: dict[Tensor, str]
    given: frozenset[Tensor]


def steps_of(
    graph: Graph, fusible: Callable[[Tensor], bool], product: Callable[[Tensor, Views], Product | None]
) -> Order:
    """The steps of `graph`.

    `fusible(t)` says whether loops compute `t`; `product(t, views)` is the call of BLAS that computes it, if one does.
    """
    given = frozenset(graph.inputs)
    order = ordered(graph)
    views = views_of(order, given)
    products: dict[Tensor, Product] = {}

    def is_product(t: Tensor) -> bool:
        found = product(t, views)
        if found is not None:
            products[t] = found
        return found is not None

    steps, place_of = fused(order, views, fusible, is_product)
    computed = dict.fromkeys([*graph.nodes, *(p for p, _ in graph.updates)])
    parameters = tuple(t for t in computed if isinstance(t, Parameter) and t not in given)
    names = {t: f"v_{name}" for t, name in graph.names.items()}
    for p in parameters:
        names.setdefault(p, f"v_updated{len(names)}")
    return Order(graph, steps, place_of, views, products, parameters, names, given)
