"""A graph as a Python function, by stages that are functions of what came before: steps, memory, kernels, lines.

`numpy_code` goes through them for NumPy, `native.native_code` for native code; `load` makes the function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor, made_by
from graphnet.ops.planned import GEMM
from graphnet.plans import blas
from graphnet.plans.code.exports import Native, compiled
from graphnet.plans.code.python_lines import PythonLines, allocated, lines_of
from graphnet.plans.code.text import Lines
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.kernels.products import Product, product
from graphnet.plans.order.arena import Arena, arranged
from graphnet.plans.order.fusion import Single, Step
from graphnet.plans.order.memory import Memory, memory_of
from graphnet.plans.order.schedule import members
from graphnet.plans.order.steps import Order, steps_of
from graphnet.plans.order.views import Views
from graphnet.plans.rewrite.gemm import dotted, with_gemm

#: elements of a parameter from which on an update inside a product pays for the way from Python to BLAS, some 10 us
GEMM_PAYS = 1 << 15


@dataclass(frozen=True, eq=False)
class Code:
    """What the stages made of a graph: all that a function needs. `load` answers with the function.

    * `kind`: "numpy" or "native"; `order`: its steps; `memory`: where their values are; `arena`: where buffers lie;
    * `kernels`: for each step its kernel, or None; `lines`: the body of the function;
    * `native`: the functions that the lines call, where they are native code.
    """

    kind: str
    order: Order
    memory: Memory
    kernels: tuple[KernelCall | None, ...]
    arena: Arena
    lines: Lines
    native: Native | None = None

    @property
    def graph(self) -> Graph:
        """The graph in the ops that run."""
        return self.order.graph

    @property
    def steps(self) -> tuple[Step, ...]:
        """What runs, in order."""
        return self.order.steps

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the function takes after the graph's inputs."""
        return self.order.parameters

    @cached_property
    def source(self) -> str:
        """What runs, as a listing with the names of the graph."""
        return self.lines.listing + (self.native.listing if self.native is not None else "")

    @property
    def filename(self) -> str:
        """The name of its file in tracebacks."""
        return f"graphnet {self.kind} plan {id(self):x}"

    @property
    def quiet(self) -> bool:
        """Whether no step warns: kernels and products do not, where lines of NumPy may."""
        runs = zip(self.steps, self.kernels, strict=True)
        return all(kernel is not None or (isinstance(step, Single) and step.product) for step, kernel in runs)

    def text_of(self, place: int) -> str:
        """What one step runs, for people."""
        text = self.native.texts.get(place) if self.native is not None else None
        return text if text is not None else self.lines.of_step(place)

    def node_at(self, number: int) -> Tensor | None:
        """The node that a line of the function, counted from 1, computes."""
        place = max(((at, place) for place, at in self.lines.starts if at <= number - 2), default=None)
        if place is None or place[1] >= len(self.steps):
            return None
        return members(self.steps[place[1]])[-1]


class _Loader:
    """The lines of a listing, for tracebacks and debuggers."""

    def __init__(self, listing: str):
        self.listing = listing

    def get_source(self, name: str) -> str:
        return self.listing


def numpy_code(graph: Graph, apart: bool = False) -> Code:
    """`graph` as lines of NumPy; with `apart` every step is a line of its own, so that it can be timed."""
    lowered = dotted(with_gemm(graph, GEMM_PAYS) if blas.found() is not None else graph)
    order = steps_of(lowered, _never, _update)
    memory = memory_of(order)
    arena = arranged(memory.lives)
    lines = lines_of(PythonLines(order, memory, allocated(arena)), apart)
    return Code("numpy", order, memory, (None,) * len(order.steps), arena, lines)


def _never(t: Tensor) -> bool:
    """No loop computes any node."""
    return False


def _update(t: Tensor, views: Views) -> Product | None:
    """An update inside a product is a call of BLAS; other products are calls of NumPy."""
    return product(t, views) if made_by(t, GEMM) else None


def load(code: Code) -> Callable[..., list[np.ndarray]]:
    """The function of a code: `function(*arguments, *parameters)` answers with the list of output arrays."""
    return function_of(code, compiled(code.native) if code.native is not None else {})


def function_of(code: Code, functions: Mapping[str, Any]) -> Callable[..., list[np.ndarray]]:
    """The lines of a code, compiled, with what they call besides their scope."""
    lines = code.lines
    scope = {**lines.scope, **functions}
    # Names as defaults are found faster than globals.
    used = set(re.findall(r"\w+", "\n".join(lines.code))) - set(lines.arguments)
    bound = [f"{n}={n}" for n in scope if n in used]
    head = f"def step({', '.join([*lines.arguments, *bound])}):"
    whole = "\n".join([head, *(f"    {text}" for text in lines.code)]) + "\n"
    filename = code.filename
    # The function holds all that it uses: buffers, constants, native functions; they are in no cycle. `k_code` keeps
    # them for threads that still work in them. Tracebacks ask the loader for the lines, and get those of the listing.
    namespace = {**scope, "k_code": (code, functions), "__name__": filename, "__loader__": _Loader(lines.listing)}
    exec(compile(whole, filename, "exec"), namespace)
    return namespace.pop("step")
