"""Steps of small graphs that tests write down, without LLVM."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from typing import Any

import graphnet as gn
from graphnet.node import toposort
from graphnet.ops.sigmoids import tanh_slope
from graphnet.plans.kernels.pointwise import fusible
from graphnet.plans.kernels.products import product
from graphnet.plans.order.schedule import members
from graphnet.plans.order.steps import Order, steps_of


def inputs(*shapes: tuple[int, ...], dtype: str = "float32") -> list[gn.Tensor]:
    """Inputs of these shapes."""
    return [gn.input(shape, dtype, name="xyzw"[n]) for n, shape in enumerate(shapes)]


def column(t: gn.Tensor) -> gn.Tensor:
    """`t` with one more axis, of size one, at the end."""
    return gn.reshape(t, (*t.shape, 1))


def written(text: str) -> tuple[dict[str, gn.Tensor], dict[str, gn.Tensor], str]:
    """The nodes by name, the inputs by name, and what is said of them, of a text: `x(3, 4): a = exp(x) -> ...`.

    Functions are those of graphnet, `column` and `tanh_slope`.
    """
    graph, _, said = text.partition(" -> ")
    heads, _, lines = graph.partition(": ")
    given = {
        name: gn.input(ast.literal_eval(shape), name=name) for name, shape in re.findall(r"(\w)(\([^)]*\))", heads)
    }
    scope: dict[str, Any] = {**given}
    functions = {name: getattr(gn, name) for name in gn.__all__}
    exec(lines, {**functions, "column": column, "tanh_slope": tanh_slope}, scope)
    return {name: t for name, t in scope.items() if name not in given}, given, said


def graph_of(outputs: Iterable[gn.Tensor], updates: Iterable[tuple[gn.Parameter, gn.Tensor]] = ()) -> gn.Graph:
    """The graph of these outputs, whose inputs are the symbolic tensors that they need, in order of their names."""
    outputs, updates = list(outputs), list(updates)
    needed = toposort([*outputs, *(t for _, t in updates)])
    inputs = sorted((t for t in needed if t.op is None and t.is_symbolic), key=lambda t: t.name or "")
    return gn.Graph(inputs, outputs, updates)


def order_of(
    outputs: Iterable[gn.Tensor],
    updates: Iterable[tuple[gn.Parameter, gn.Tensor]] = (),
    fusible: Callable[[gn.Tensor], bool] = fusible,
) -> Order:
    """The steps of a native plan, without the passes that go before."""
    return steps_of(graph_of(outputs, updates), fusible, product)


def step_of(order: Order, t: gn.Tensor) -> Any:
    """The step that computes `t`."""
    return order.steps[order.place_of[t]]


def shown(order: Order, named: dict[str, gn.Tensor]) -> str:
    """The named nodes of each step, "|" between steps; what is a product is followed by "@", a view is not there."""
    names = {t: name for name, t in named.items()}
    parts = []
    for step in order.steps:
        mark = "@" if getattr(step, "product", False) else ""
        parts.append(" ".join(names[t] + mark for t in members(step) if t in names))
    return " | ".join(parts)


def sizes(order: Order) -> list[int]:
    """How many nodes each step computes."""
    return [len(members(step)) for step in order.steps]
