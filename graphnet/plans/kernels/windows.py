"""Convolution and pooling as kernels of a plan: which nodes have a native form, and where their arrays lie."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.node import Tensor, made_by
from graphnet.ops.convolution import conv_kernel
from graphnet.ops.planned import CONV_ADD
from graphnet.plans.code import thread_pool
from graphnet.plans.kernels import convolutions, pools
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.kernels.convolutions import Samples
from graphnet.plans.nest import language as nest
from graphnet.plans.nest.values import Pointer
from graphnet.plans.order.views import Views
from graphnet.plans.rewrite import rewritten

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
        if not made_by(node, ops.add):
            return None
        for old, c, bias in ((node.inputs[0], *inputs), (node.inputs[1], *inputs[::-1])):
            if not made_by(c, ops.conv) or users.get(old) != 1 or old in wanted:
                continue
            channels = c.shape[-1:]
            fits = c.shape == node.shape and bias.shape in (channels, (1,) * (c.ndim - 1) + channels)
            if fits and bias.dtype == c.dtype and convolutions.geometry(c) is not None:
                return made(CONV_ADD, (*c.inputs, bias), c.attrs, like=node)
        return None

    return rewritten(graph, rule)


def known(t: Tensor, views: Views) -> bool:
    """Whether `t` is a convolution or a pooling that runs as native loops."""
    if not made_by(t, *convolutions.OPS, *pools.OPS):
        return False
    found = convolutions.geometry(t) or pools.geometry(t)
    return found is not None and all(views.contiguous(i) for i in t.inputs)


def kernel(
    t: Tensor,
    views: Views,
    key: Callable[[Tensor], Hashable],
    scratch: Callable[[int], Hashable],
    line: str,
) -> KernelCall:
    """The kernel of `t`, for which `known` holds; `scratch(bytes)` gives memory that only this step uses."""
    assert t.op is not None
    pool, g = pools.geometry(t), convolutions.geometry(t)
    sizes = pool if pool is not None else g
    assert sizes is not None
    shared = sizes.nanoseconds >= SHARED_TIME
    k = nest.Kernel(t.op.name)
    arguments: dict[Hashable, Pointer] = {}
    samples = (k.counter_argument("start"), k.counter_argument("stop")) if shared else (0, sizes.batch)

    def pointer(of: Hashable, dtype: np.dtype, offset: int = 0) -> Pointer:
        if of not in arguments:
            arguments[of] = k.pointer(dtype)
        return arguments[of].of(dtype) + offset

    def source(i: Tensor) -> Pointer:
        return pointer(key(views[i].base), i.dtype, views[i].offset)

    before: list[tuple[nest.Kernel, list[Hashable]]] = []
    own: dict[Hashable, int] = {}
    partial: dict[Tensor, nest.Kernel] = {}
    if g is None or made_by(t, conv_kernel):
        given = [source(i) for i in t.inputs]
    else:
        weights, view = t.inputs[1], views[t.inputs[1]]
        packing, packed = nest.Kernel("packed"), scratch(weights.nbytes)
        unpacked = packing.pointer(g.dtype) + view.offset
        convolutions.packed(packing, g, unpacked, packing.pointer(g.dtype), made_by(t, ops.conv_transpose))
        before.append((packing, [key(view.base), packed]))
        given = [source(t.inputs[0]), pointer(packed, g.dtype), *(source(i) for i in t.inputs[2:])]
    result = pointer(key(t), t.dtype)
    padded = None
    if g is not None and g.sample:
        padded = k.pointer(g.dtype, "padded")
        own[scratch(g.sample * (thread_pool.CHUNKS if shared else 1))] = g.sample
    if pool is not None:
        _pooled(k, pool, t.op.name, given, result, samples)
    elif g is not None:
        _convolved(k, g, t.op.name, given, result, samples, padded)
    if shared and made_by(t, conv_kernel):
        joining = nest.Kernel("joined")
        count, ends = joining.counter_argument("count"), (joining.pointer(t.dtype), joining.pointer(t.dtype))
        convolutions.joined(joining, *ends, t.size, count)
        partial[t] = joining
    return KernelCall(k, list(arguments), [line], sizes.batch if shared else 0, partial, before, own)


def _pooled(
    k: nest.Kernel, g: pools.Geometry, name: str, given: Sequence[Pointer], result: Pointer, samples: Samples
) -> None:
    if name == "window_put":
        slope, positions = given
        pools.put(k, g, slope, positions, result, samples)
    elif name == "max_pool":
        pools.largest(k, g, given[0], result, None, samples)
    else:
        pools.largest(k, g, given[0], None, result, samples)


def _convolved(
    k: nest.Kernel,
    g: convolutions.Geometry,
    name: str,
    given: Sequence[Pointer],
    result: Pointer,
    samples: Samples,
    padded: Pointer | None,
) -> None:
    x, other, *bias = given
    if name == "conv_transpose":
        convolutions.conv_transpose(k, g, x, other, result, samples, padded)
    elif name == "conv_kernel":
        convolutions.conv_kernel(k, g, x, other, result, samples, padded)
    else:
        convolutions.conv(k, g, x, other, result, samples, padded, *bias)
