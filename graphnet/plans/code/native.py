"""A graph as native code: fused loops and products in one function, with Python only for what has neither form."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import Tensor
from graphnet.plans import blas
from graphnet.plans.code import numpy_lines, thread_pool
from graphnet.plans.code.function import Code
from graphnet.plans.code.native_lines import NativeLines
from graphnet.plans.code.python_lines import allocated, lines_of
from graphnet.plans.kernels import group, moves, windows
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.kernels.layout import layout_of
from graphnet.plans.kernels.pointwise import fusible
from graphnet.plans.kernels.products import Product, product
from graphnet.plans.order.arena import Life, arranged
from graphnet.plans.order.fusion import Group
from graphnet.plans.order.memory import Memory, memory_of
from graphnet.plans.order.steps import Order, steps_of
from graphnet.plans.order.views import Views
from graphnet.plans.rewrite import share as shared_nodes
from graphnet.plans.rewrite.decompose import expanded
from graphnet.plans.rewrite.gemm import with_gemm

#: loops that take so many nanoseconds are shared by threads: one more thread takes some 40,000 to wake
SHARED_TIME = 200_000


class Kernels(NamedTuple):
    """For each step its kernel, or None; `lives` is the memory that they need besides the values'."""

    calls: tuple[KernelCall | None, ...]
    lives: tuple[Life, ...]


def native_code(graph: Graph, apart: bool = False, turns: bool = False) -> Code:
    """`graph` as native code; with `apart` every step is a call of its own, so that it can be timed.

    With `turns` it has a function for many calls at once (`turns.py`), if all of it is native.

    Arguments and parameters of its function must lie in memory in C order.
    """
    library = blas.found()
    lowered = shared_nodes(expanded(windows.with_bias(with_gemm(graph, scaled=True) if library is not None else graph)))
    order = steps_of(lowered, fusible, product if library is not None else _none)
    memory = memory_of(order)
    kernels = kernels_of(order, memory)
    arena = arranged([*memory.lives, *kernels.lives])
    writer = NativeLines(order, memory, allocated(arena), kernels.calls)
    lines = lines_of(writer, apart)
    if turns and not apart:
        writer.export_turns()
    return Code("native", order, memory, kernels.calls, arena, lines, writer.native())


def _none(t: Tensor, views: Views) -> Product | None:
    """No product is a call of BLAS."""
    return None


def kernels_of(order: Order, memory: Memory) -> Kernels:
    """The kernels of the steps that are native loops: groups, convolutions and pools."""
    lives: list[Life] = []
    calls: list[KernelCall | None] = []
    for place, step in enumerate(order.steps):

        def scratch(nbytes: int, place: int = place) -> Hashable:
            key = ("scratch", len(lives))
            lives.append(Life(key, nbytes, place, place, "a row"))
            return key

        if isinstance(step, Group):
            layout = layout_of(step, order.views, memory.stored, memory.key, scratch)
            shared = layout.nanoseconds >= SHARED_TIME
            call = group.kernel(layout, memory.key, order.names, numpy_lines.comment, shared)
        elif windows.known(step.node, order.views):
            text = f"    {_called(step.node, order)}{numpy_lines.comment(step.node)}"
            call = windows.kernel(step.node, order.views, memory.key, scratch, text)
        elif not step.product and (moved := moves.moves_of(step.node, order.views)) is not None:
            text = f"    {_called(step.node, order)}{numpy_lines.comment(step.node)}"
            call = moves.kernel(step.node, moved, order.views, memory.key, text)
        else:
            calls.append(None)
            continue
        for t in call.partial:
            nbytes = t.nbytes * (thread_pool.CHUNKS - 1)
            lives.append(Life(("partial", t), nbytes, place, place, order.names[t]))
        calls.append(call)
    return Kernels(tuple(calls), tuple(lives))


def _called(t: Tensor, order: Order) -> str:
    """A node, as a call of its op."""
    assert t.op is not None
    given = [*(order.names[i] for i in t.inputs), *(f"{k}={v!r}" for k, v in t.attrs.items())]
    return line(f"{order.names[t]} = {t.op.name}({', '.join(given)})")
