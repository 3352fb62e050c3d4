"""Pooling: the largest or the mean of each window, in each channel.

The gradient of `max_pool` goes to the first largest element: `max_pool_at` says which that is, `window_put` puts
numbers there, `window_pick` takes them from there. The latter two are each other's gradients, as are `avg_pool` and its
transpose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.declare import op
from graphnet.node import Tensor
from graphnet.ops import window as windows
from graphnet.ops.window_batch import folded
from graphnet.shapes import ShapeLike
from graphnet.typed import ArrayLike


def _attributes(x: Any, window: Any, strides: Any = None, padding: Any = "valid") -> Any:
    sizes = windows.space(x)
    window = windows.whole_numbers(window, len(sizes), "window")
    strides = window if strides is None else windows.whole_numbers(strides, len(sizes), "strides")
    return {"window": window, "strides": strides, "padding": _padding(padding, sizes, window, strides)}


def _padding(padding: Any, sizes: Any, window: Any, strides: Any) -> Any:
    """The padding in pairs; each window must have at least one element of the array."""
    around = windows.pairs(padding, sizes, window, strides)
    for n, k, pair in zip(sizes, window, around, strict=True):
        if n == 0:
            raise ValueError(f"there is nothing to pool: the axes of space have sizes {sizes}")
        if max(pair) >= k:
            raise ValueError(f"padding {pair} leaves windows of {k} without any element: at most {k - 1} on each side")
    return around


def _fit(sizes: Any, at: Any) -> Any:
    return windows.counts(tuple(sizes), at["window"], at["strides"], at["padding"])


def _met(sizes: Any, at: Any) -> Any:
    return windows.meetings(tuple(sizes), at["window"], at["strides"], at["padding"], (1,) * len(sizes))


def _pooled_shape(x: Any, **at: Any) -> Any:
    return (x.shape[0], *_fit(x.shape[1:-1], at), x.shape[-1])


def _place_dtype(window: Any) -> Any:
    return np.dtype(np.uint8 if math.prod(window) <= 256 else np.int32)


def _least(dtype: Any) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


@op(
    _pooled_shape,
    prepare=_attributes,
    onnx="MaxPool",
    batch=lambda batch, x, **at: folded(max_pool, batch, x, **at),
    vjp=(lambda g, y, x, **at: window_put(g, max_pool_at(x, **at), **at, size=tuple(x.shape[1:-1])),),
)
def max_pool(
    x: ArrayLike, window: ShapeLike, strides: ShapeLike | None = None, padding: str | int | Sequence[Any] = "valid"
) -> Tensor:
    """The largest element of each window, in each channel, NaN if one is NaN; its gradient goes to the first largest.

    x: `(batch, *space, channels)`, result: `(batch, *windows, channels)`. `strides` are the window's sizes unless
    given. `padding` is "valid", "same" (`ceil(size / stride)` windows), a number, or a pair for each axis of space;
    what lies there never counts.

    Raises `ValueError` for a window that is larger than the padded input, or padding as wide as the window.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 3.0, 3.0, 2.0]).reshape((1, 4, 1))
    >>> gn.max_pool(x, 2).numpy().ravel()
    array([3., 3.])
    >>> gn.grad(lambda x: gn.max_pool(x, 4).sum())(x).numpy().ravel()
    array([0., 1., 0., 0.])
    """
    at = _attributes(x, window, strides, padding)
    y = np.full(_pooled_shape(x, **at), _least(x.dtype), x.dtype)
    for _, here, there in _met(x.shape[1:-1], at):
        into = y[here]
        np.maximum(into, x[there], out=into)
    return y


@op(
    _pooled_shape,
    dtype=lambda x, window, **at: _place_dtype(window),
    prepare=_attributes,
    batch=lambda batch, x, **at: folded(max_pool_at, batch, x, **at),
    vjp=(None,),
)
def max_pool_at(x: ArrayLike, window: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The place, in C order in the window, of the first largest element of each window: NaN counts as the largest."""
    at = _attributes(x, window, strides, padding)
    shape = _pooled_shape(x, **at)
    best = np.full(shape, _least(x.dtype), x.dtype)
    found = np.zeros(shape, _place_dtype(at["window"]))
    # Where a window begins in the padding, its first element in the array must win against nothing.
    empty = np.ones((*shape[1:-1], 1), bool) if any(a for a, _ in at["padding"]) else None
    for place, here, there in _met(x.shape[1:-1], at):
        now, old = x[there], best[here]
        better = now > old
        if x.dtype.kind == "f":
            better |= np.isnan(now) & ~np.isnan(old)
        if empty is not None:
            better |= empty[here[1:]]
            empty[here[1:]] = False
        np.copyto(found[here], place, where=better)
        np.copyto(old, now, where=better)
    return found


def _put_attributes(
    g: Any, places: Any, window: Any, strides: Any = None, padding: Any = "valid", size: Any = None
) -> Any:
    sizes = windows.whole_numbers(size, len(windows.space(g)), "size")
    at = _attributes(np.broadcast_to(np.zeros(()), (0, *sizes, 0)), window, strides, padding)
    if tuple(g.shape) != (g.shape[0], *_fit(sizes, at), g.shape[-1]) or g.shape != places.shape:
        raise ValueError(f"sizes {sizes} have windows {_fit(sizes, at)}; received shapes {g.shape} and {places.shape}")
    return {**at, "size": sizes}


@op(
    lambda g, places, size, **at: (g.shape[0], *size, g.shape[-1]),
    dtype=lambda g, places, **at: g.dtype,
    prepare=_put_attributes,
    batch=lambda batch, g, places, **at: folded(window_put, batch, g, places, **at),
    vjp=(lambda h, y, g, places, size, **at: window_pick(h, places, **at), None),
)
def window_put(
    g: ArrayLike,
    places: ArrayLike,
    window: Any,
    strides: Any = None,
    padding: Any = "valid",
    size: Any = None,
) -> Tensor:
    """Zeros of `(batch, *size, channels)` with each of `g` added at its place in its window."""
    at = _put_attributes(g, places, window, strides, padding, size)
    size = at.pop("size")
    y = np.zeros((g.shape[0], *size, g.shape[-1]), g.dtype)
    zero = np.zeros((), g.dtype)
    for place, here, there in _met(size, at):
        y[there] += np.where(places[here] == place, g[here], zero)
    return y


def _pick_attributes(x: Any, places: Any, window: Any, strides: Any = None, padding: Any = "valid") -> Any:
    at = _attributes(x, window, strides, padding)
    if tuple(places.shape) != _pooled_shape(x, **at):
        raise ValueError(f"the places of {x.shape} have shape {_pooled_shape(x, **at)}; received {places.shape}")
    return at


@op(
    lambda x, places, **at: _pooled_shape(x, **at),
    dtype=lambda x, places, **at: x.dtype,
    prepare=_pick_attributes,
    batch=lambda batch, x, places, **at: folded(window_pick, batch, x, places, **at),
    vjp=(lambda g, y, x, places, **at: window_put(g, places, **at, size=tuple(x.shape[1:-1])), None),
)
def window_pick(
    x: ArrayLike,
    places: ArrayLike,
    window: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> Tensor:
    """The element of each window that stands at the place given for it."""
    at = _pick_attributes(x, places, window, strides, padding)
    y = np.zeros(places.shape, x.dtype)
    for place, here, there in _met(x.shape[1:-1], at):
        np.copyto(y[here], x[there], where=places[here] == place)
    return y


@op(
    _pooled_shape,
    dtype=lambda x, **at: x.dtype if x.dtype.kind == "f" else np.dtype(np.float64),
    prepare=_attributes,
    onnx="AveragePool",
    batch=lambda batch, x, **at: folded(avg_pool, batch, x, **at),
    vjp=(lambda g, y, x, **at: avg_pool_transpose(g, **at, size=tuple(x.shape[1:-1])),),
)
def avg_pool(
    x: ArrayLike, window: ShapeLike, strides: ShapeLike | None = None, padding: str | int | Sequence[Any] = "valid"
) -> Tensor:
    """The mean of each window, in each channel; padding does not count.

    x: `(batch, *space, channels)`, result: `(batch, *windows, channels)`. Arguments and errors are those of `max_pool`.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 3.0, 8.0]).reshape((1, 3, 1))
    >>> gn.avg_pool(x, 2, padding="same").numpy().ravel()
    array([2., 8.])
    """
    at = _attributes(x, window, strides, padding)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    y = np.zeros(_pooled_shape(x, **at), dtype)
    for _, here, there in _met(x.shape[1:-1], at):
        y[here] += x[there]
    y /= windows.cover(x.shape[1:-1], **at, dtype=dtype)
    return y


def _back_attributes(g: Any, window: Any, strides: Any = None, padding: Any = "valid", size: Any = None) -> Any:
    sizes = windows.whole_numbers(size, len(windows.space(g)), "size")
    at = _attributes(np.broadcast_to(np.zeros(()), (0, *sizes, 0)), window, strides, padding)
    if tuple(g.shape[1:-1]) != _fit(sizes, at):
        raise ValueError(f"sizes {sizes} have windows {_fit(sizes, at)}; received shape {g.shape}")
    return {**at, "size": sizes}


@op(
    lambda g, size, **at: (g.shape[0], *size, g.shape[-1]),
    prepare=_back_attributes,
    batch=lambda batch, g, **at: folded(avg_pool_transpose, batch, g, **at),
    vjp=(lambda h, y, g, size, **at: avg_pool(h, **at),),
)
def avg_pool_transpose(
    g: ArrayLike,
    window: Any,
    strides: Any = None,
    padding: Any = "valid",
    size: Any = None,
) -> Tensor:
    """Each of `g` in equal shares for the elements of its window: `(batch, *size, channels)`."""
    at = _back_attributes(g, window, strides, padding, size)
    size = at.pop("size")
    share = g / windows.cover(size, **at, dtype=g.dtype)
    y = np.zeros((g.shape[0], *size, g.shape[-1]), g.dtype)
    for _, here, there in _met(size, at):
        y[there] += share[here]
    return y
