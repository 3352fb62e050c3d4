"""What a plan is made of: a graph, simplified and compiled, and what its calls ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.leaves import OF_A_CALL, Parameter
from graphnet.node import Tensor
from graphnet.plans.backend import Repeatable, backend_wanted
from graphnet.plans.code.function import numpy_code
from graphnet.plans.code.user_code import is_open
from graphnet.plans.locks import lock_of
from graphnet.plans.rewrite import optimise, rooted
from graphnet.plans.running import Running
from graphnet.plans.takeover import Takeover, native_code


def is_outside(t: Tensor) -> bool:
    """Whether a node is a variable of the caller's that the function reads, and no parameter."""
    leaf = t.op is None and t.requires_grad and not t.is_symbolic
    return leaf and t.attrs is not OF_A_CALL and not isinstance(t, Parameter)


@dataclass(frozen=True, eq=False)
class Parts:
    """What a plan is made of.

    * `backend`: the word that was asked for; `traced`: the graph as it was traced: what is watched, differentiated, or
      entered again while it runs; `graph`: the simplified one;
    * `updated`, `read`: parameters; `outside`: what outputs read besides, and may be wanted a gradient for;
    * `wanted`: shapes and dtypes of the arguments; `lock`: that of the parameters; `calls_users`: whether code of a
      user is among what it runs;
    * `running`: what the first call runs; `takeover`: while that is NumPy and native code is to come.
    """

    backend: str
    traced: Graph
    graph: Graph
    updated: list[Parameter]
    read: tuple[Parameter, ...]
    outside: list[Tensor]
    wanted: list[tuple[tuple[int, ...], np.dtype]]
    lock: Any
    calls_users: bool
    running: Running
    takeover: Takeover | None


def parts_of(graph: Graph, backend: str | None = None, turns: bool = False) -> Parts:
    """`graph`, simplified and compiled; with `turns` its native code is called for many steps at once."""
    backend = backend_wanted(backend)
    traced = rooted(graph)
    graph = optimise(traced)
    updated, read = [p for p, _ in graph.updates], graph.parameters
    code = native_code(graph, turns=turns) if backend == "native" else numpy_code(graph)
    return Parts(
        backend,
        traced,
        graph,
        updated,
        read,
        [t for t in traced.nodes if is_outside(t)],
        [(t.shape, t.dtype) for t in graph.inputs],
        lock_of([*updated, *read]),
        any(is_open(t) for t in graph.nodes),
        Running.of(code),
        Takeover(graph, Repeatable.on, turns) if backend == "auto" else None,
    )
