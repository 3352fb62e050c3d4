"""Values that are put together from others, or copied into another order, as kernels: concatenate, stack, pad, the
gradient of a slice, and a reshape that no strides can describe."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from graphnet import ops
from graphnet.node import Tensor, made_by
from graphnet.ops.arranging import PAD
from graphnet.ops.index import SCATTER_ADD
from graphnet.ops.joining import CONCATENATE, STACK
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import Pointer, Unsupported, number, typed
from graphnet.plans.order.views import Views, of_an_array


class Move(NamedTuple):
    """Elements that are copied: in both arrays an offset and a stride for each axis, counted in elements."""

    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    offset: int


class Moves(NamedTuple):
    """A value that is `fill` (None where every element is written) but for one part for each input of the node."""

    parts: tuple[Move, ...]
    fill: float | int | None


def moves_of(t: Tensor, views: Views) -> Moves | None:
    """How `t` is made of its inputs, if nothing is computed for it."""
    if not t.size or any(i.dtype != t.dtype for i in t.inputs):
        return None
    fill: float | int | None = None
    # NumPy itself says where the parts lie in an array whose memory is never touched.
    whole = np.empty(t.shape, np.int8)
    parts: list[np.ndarray]
    if made_by(t, CONCATENATE):
        axis = t.attrs["axis"]
        parts = np.split(whole, np.cumsum([i.shape[axis] for i in t.inputs[:-1]]), axis)
    elif made_by(t, STACK):
        apart = np.moveaxis(whole, t.attrs["axis"], 0)
        parts = [apart[n, ...] for n in range(len(t.inputs))]
    elif made_by(t, PAD):
        fill = t.attrs["value"]
        widths = zip(t.attrs["pad_width"], t.inputs[0].shape, strict=True)
        parts = [whole[tuple(slice(low, low + n) for (low, _), n in widths)]]
    elif made_by(t, SCATTER_ADD) and len(t.inputs) == 1:
        fill, parts = 0, [whole[of_an_array(t.attrs["index"])]]
    elif made_by(t, ops.reshape) and not views.is_view(t):
        parts = [whole.reshape(t.inputs[0].shape)]
    else:
        return None
    try:
        typed(t.dtype)
        fill = None if fill is None else number(fill, t.dtype)
    except (Unsupported, OverflowError):
        return None
    moved = [_move(part, whole, views[i].strides) for part, i in zip(parts, t.inputs, strict=True)]
    return Moves(tuple(moved), None if sum(p.size for p in parts) == whole.size else fill)


def _move(part: np.ndarray, whole: np.ndarray, source: tuple[int, ...]) -> Move:
    offset = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0] if part.size else 0
    return _merged(Move(part.shape, source, part.strides, offset))


def _merged(move: Move) -> Move:
    """The same with as few axes as possible."""
    axes: list[list[int]] = []
    for n, source, target in zip(move.shape, move.source, move.target, strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == n * source and axes[-1][2] == n * target:
            axes[-1] = [axes[-1][0] * n, source, target]
        else:
            axes.append([n, source, target])
    shape, sources, targets = ([axis[k] for axis in axes] for k in range(3))
    return Move(tuple(shape), tuple(sources), tuple(targets), move.offset)


def kernel(t: Tensor, moves: Moves, views: Views, key: Callable[[Tensor], Hashable], line: str) -> KernelCall:
    """The kernel of `t`, which `moves` describe."""
    assert t.op is not None
    k = Kernel(t.op.name)
    arguments: dict[Hashable, Pointer] = {}
    for of in dict.fromkeys(key(views[i].base) for i in t.inputs):
        arguments[of] = k.pointer(t.dtype)
    given = [arguments[key(views[i].base)] + views[i].offset for i in t.inputs]
    result = k.pointer(t.dtype)
    if moves.fill is not None:
        filled(k, result, t.size, moves.fill)
    for source, move in zip(given, moves.parts, strict=True):
        copied(k, source, result + move.offset, move)
    return KernelCall(k, [*arguments, key(t)], [line])


def filled(k: Kernel, to: Pointer, count: int, value: float | int) -> None:
    """Write one number everywhere."""
    if not np.asarray(value, to.dtype).tobytes().strip(b"\0"):
        k.zero(to, count * to.dtype.itemsize)
        return
    with k.loop(count) as n:
        to[n] = k.const(value, to.dtype)


def copied(k: Kernel, source: Pointer, target: Pointer, move: Move) -> None:
    """Copy the elements of a move."""
    if 0 in move.shape:
        return
    shape, (down, along) = list(move.shape), (list(move.source), list(move.target))
    run = 1
    if shape and down[-1] == along[-1] == 1:
        run = shape.pop()
    with k.nest(shape) as counters:
        at, to = (_shifted(p, counters, strides) for p, strides in ((source, down), (target, along)))
        if run > 1:
            k.copy(to, at, run * source.dtype.itemsize)
        else:
            to[0] = at[0]


def _shifted(p: Pointer, counters: Sequence[object], strides: Sequence[int]) -> Pointer:
    total: object = 0
    for counter, stride in zip(counters, strides, strict=False):
        total = counter * stride + total  # type: ignore[operator]
    return p + total  # type: ignore[operator]
