"""Convolution and pooling as kernels of a plan: which nodes have a native form, and where their arrays lie."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.node import Tensor
from graphnet.ops.planned import CONV_ADD
from graphnet.plans.code import thread_pool
from graphnet.plans.kernels import convolutions, pools
from graphnet.plans.kernels.group import Kernel
from graphnet.plans.order.views import Places
from graphnet.plans.rewrite import rewritten
from graphnet.plans.scalar_ir import Library

#: work of so many nanoseconds is shared by threads
SHARED_TIME = 100_000


def with_bias(graph: Graph) -> Graph:
    """`graph` with convolutions that begin with the bias which is added to them, where nothing else needs them.

    The node is one that exists in plans only.
    """
    users: dict[Tensor, int] = {}
    given = set(graph.inputs)
    for t in graph.nodes:
        for i in t.inputs if t not in given else ():
            users[i] = users.get(i, 0) + 1
    wanted = {*given, *graph.outputs, *(t for _, t in graph.updates)}

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None or node.op.name != "add":
            return None
        for old, c, bias in ((node.inputs[0], *inputs), (node.inputs[1], *inputs[::-1])):
            if c.op is None or c.op.name != "conv" or users.get(old) != 1 or old in wanted:
                continue
            channels = c.shape[-1:]
            fits = c.shape == node.shape and bias.shape in (channels, (1,) * (c.ndim - 1) + channels)
            if fits and bias.dtype == c.dtype and convolutions.geometry(c) is not None:
                return made(CONV_ADD, (*c.inputs, bias), c.attrs, like=node)
        return None

    return rewritten(graph, rule)


def known(t: Tensor, places: Places) -> bool:
    """Whether `t` is a convolution or a pooling that runs as native loops."""
    if t.op is None or (t.op.name not in convolutions.OPS and t.op.name not in pools.OPS):
        return False
    found = convolutions.geometry(t) or pools.geometry(t)
    return found is not None and all(places.contiguous(i) for i in t.inputs)


def kernel(
    t: Tensor,
    places: Places,
    key: Callable[[Tensor], Hashable],
    scratch: Callable[[int], Hashable],
    library: Library,
    line: str,
) -> Kernel:
    """The kernel of `t`, for which `known` holds; `scratch(bytes)` gives memory that only this step uses."""
    assert t.op is not None
    pool, g = pools.geometry(t), convolutions.geometry(t)
    text: pools.Writer | convolutions.Writer
    text = pools.Writer(pool) if pool is not None else convolutions.Writer(g)  # type: ignore[arg-type]
    shared = text.g.nanoseconds >= SHARED_TIME
    keys: dict[Hashable, int] = {}

    def pointer(k: Hashable, offset: int = 0) -> str:
        return text.at("i8", f"%p{keys.setdefault(k, len(keys))}", offset)

    def source(i: Tensor) -> str:
        return pointer(key(places[i].base), places[i].offset * i.dtype.itemsize)

    before: list[tuple[str, list[Hashable]]] = []
    rooms: dict[Hashable, int] = {}
    partial: dict[Tensor, str] = {}
    if g is None or t.op.name == "conv_kernel":
        pointers = [source(i) for i in t.inputs]
    else:
        weights, place = t.inputs[1], places[t.inputs[1]]
        packing, packed = convolutions.Writer(g), scratch(weights.nbytes)
        offset = place.offset * g.dtype.itemsize
        packing.packed(packing.at("i8", "%p0", offset), "%p1", t.op.name == "conv_transpose")
        before.append((packing.function(["ptr noalias %p0", "ptr noalias %p1"]), [key(place.base), packed]))
        library.declare_lines(packing.declared)
        pointers = [source(t.inputs[0]), pointer(packed), *(source(i) for i in t.inputs[2:])]
    pointers.append(pointer(key(t)))
    text.write(t.op.name, pointers, shared)
    if g is not None and g.sample:
        rooms[scratch(g.sample * (thread_pool.CHUNKS if shared else 1))] = g.sample
    if shared and t.op.name == "conv_kernel":
        joining = convolutions.Writer(g)  # type: ignore[arg-type]
        joining.joined(t.size)
        partial[t] = joining.function(["ptr noalias %p0", "ptr noalias %p1", "i64 %count"])
    library.declare_lines(text.declared)
    arguments = [f"ptr noalias %p{n}" for n in range(len(keys))] + ["ptr noalias %room"] * len(rooms)
    if shared:
        arguments += ["i64 %lo", "i64 %hi"]
    return Kernel(text.function(arguments), list(keys), [line], text.g.batch if shared else 0, partial, before, rooms)
