"""Convolution, its transpose and the gradient of its kernel: three products of the same three arrays.

With `x` of `(batch, *space, in)`, `kernel` of `(*window, in / groups, out)` and `u` of `(batch, *windows, out)`, the
sum of `x * kernel * u` over all windows is linear in each. Each op here is its gradient by one of them, so the
gradients of each op are the two others: derivatives of every order are made of these three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.declare import op
from graphnet.node import Tensor
from graphnet.ops import window as windows
from graphnet.ops.shaping import moveaxis, reshape
from graphnet.ops.window_batch import apart, beside, folded, nothing
from graphnet.shapes import ShapeLike
from graphnet.typed import ArrayLike


def _channels(x: Any, kernel: Any, groups: Any, outputs: Any) -> Any:
    """Check the channels of the input against the kernel: its last axis but one, or its last for a transpose."""
    given = x.shape[-1]
    per_group, out = kernel.shape[-2:]
    if isinstance(groups, bool) or not hasattr(groups, "__index__") or groups < 1:
        raise ValueError(f"groups is a whole number, 1 or more; received {groups!r}")
    if outputs:
        if given != out:
            raise ValueError(f"the input has {given} channels, the kernel {kernel.shape} takes {out} (its last axis)")
    elif given != per_group * groups:
        split = f" in each of {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"the input has {given} channels; the kernel {kernel.shape} takes {per_group} (last axis but one){split}"
        )
    if out % groups:
        raise ValueError(f"the {out} channels of the kernel's last axis do not part into {groups} groups")


def _rank(x: Any, kernel: Any) -> Any:
    sizes = windows.space(x)
    if len(kernel.shape) != len(x.shape):
        raise ValueError(
            f"an input (batch, {len(sizes)} axes of space, channels) takes a kernel (window, in / groups, out) of as "
            f"many dimensions; the shapes are {x.shape} and {kernel.shape}"
        )
    if 0 in kernel.shape[:-2]:
        raise ValueError(f"a window has at least one element; the kernel has shape {kernel.shape}")
    return sizes


def _attributes(
    x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: Any = 1
) -> Any:
    sizes = _rank(x, kernel)
    _channels(x, kernel, groups, outputs=False)
    strides = windows.whole_numbers(strides, len(sizes), "strides")
    dilation = windows.whole_numbers(dilation, len(sizes), "dilation")
    span = windows.spans(tuple(kernel.shape[:-2]), dilation)
    return {
        "strides": strides,
        "padding": windows.pairs(padding, sizes, span, strides),
        "dilation": dilation,
        "groups": int(groups),
    }


def _fit(sizes: Any, window: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    return windows.counts(tuple(sizes), windows.spans(tuple(window), dilation), strides, padding)


def _conv_shape(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    return (x.shape[0], *_fit(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation), kernel.shape[-1])


def _alone(x: Any, kernel: Any, groups: Any) -> Any:
    """Whether each channel of `x` has one kernel of its own: then a product of arrays does without patches."""
    return groups == x.shape[-1] == kernel.shape[-1] and groups > 1


def _conv_each(batch: Any, x: Any, kernel: Any, groups: Any, **at: Any) -> Any:
    if not batch[1]:
        return folded(lambda x: conv(x, kernel, groups=groups, **at), batch[:1], x)
    n = kernel.shape[0]
    if not n:
        return nothing(conv.op, batch, (x, kernel), {**at, "groups": groups})
    if not batch[0]:
        # One input for all kernels: more output channels of each group.
        return apart(conv(x, beside(kernel, groups), groups=groups, **at), n, groups)
    return apart(conv(beside(x), beside(kernel), groups=n * groups, **at), n)


@op(
    _conv_shape,
    batch=_conv_each,
    prepare=_attributes,
    onnx="Conv",
    vjp=(
        lambda g, y, x, kernel, **at: conv_transpose(g, kernel, **at, size=tuple(x.shape[1:-1])),
        lambda g, y, x, kernel, **at: conv_kernel(x, g, **at, window=tuple(kernel.shape[:-2])),
    ),
)
def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    strides: ShapeLike = 1,
    padding: str | int | Sequence[Any] = "valid",
    dilation: ShapeLike = 1,
    groups: int = 1,
) -> Tensor:
    """The sum over each window of `x` times the kernel (not flipped), for each output channel: a convolution.

    x: `(batch, *space, in)`, kernel: `(*window, in / groups, out)`, result: `(batch, *windows, out)`, with any number
    of axes of space. A window begins every `strides` elements, and its own stand `dilation` apart. `padding` puts zeros
    around: "valid" (none), "same" (`ceil(size / stride)` windows, the odd zero after), "causal" (all before), a number,
    or a pair for each axis. With `groups`, each part of the output channels sees its part of the input channels only.

    Raises `ValueError` for channels that do not fit, or a window that is larger than the padded input.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 2.0, 3.0, 4.0]).reshape((1, 4, 1))
    >>> gn.conv(x, gn.tensor([1.0, 10.0]).reshape((2, 1, 1))).numpy().ravel()
    array([21., 32., 43.])
    """
    at = _attributes(x, kernel, strides, padding, dilation, groups)
    strides, padding, dilation = at["strides"], at["padding"], at["dilation"]
    window = tuple(kernel.shape[:-2])
    dtype = np.result_type(x, kernel)
    fit = _fit(x.shape[1:-1], window, strides, padding, dilation)
    outputs, rank = kernel.shape[-1], len(fit)
    y = np.empty((x.shape[0], *fit, outputs), dtype)
    if 0 in (y.size, x.size, kernel.size):
        y.fill(0)
        return y
    if _alone(x, kernel, groups):
        y.fill(0)
        weights = kernel.reshape(-1, outputs)
        for place, here, there in windows.meetings(tuple(x.shape[1:-1]), window, strides, padding, dilation):
            y[here] += x[there] * weights[place]
        return y
    looks = windows.patches(windows.padded(np.asarray(x, dtype), padding), window, strides, dilation, fit)
    flat = np.asarray(kernel, dtype).reshape(-1, outputs)
    room = math.prod(looks.shape[1:]) * dtype.itemsize
    for block in windows.blocks(x.shape[0], room):
        p = windows.flat(looks[block], rank)
        into = y[block]
        if groups == 1:
            np.matmul(p.reshape(-1, flat.shape[0]), flat, out=into.reshape(-1, outputs))
        else:
            parts = np.matmul(windows.grouped(p, groups), windows.by_group(flat, groups))  # (groups, rows, out)
            into.reshape(-1, groups, outputs // groups)[...] = parts.transpose(1, 0, 2)
    return y


def _transpose_attributes(
    x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: Any = 1, size: Any = None
) -> Any:
    rank = len(_rank(x, kernel))
    _channels(x, kernel, groups, outputs=True)
    strides = windows.whole_numbers(strides, rank, "strides")
    dilation = windows.whole_numbers(dilation, rank, "dilation")
    window = tuple(kernel.shape[:-2])
    span = windows.spans(window, dilation)
    given = tuple(x.shape[1:-1])
    if size is None:
        if isinstance(padding, str) and padding.lower() == "same":
            size = tuple(n * s for n, s in zip(given, strides, strict=True))
        else:
            around = windows.pairs(padding, given, span, strides)
            size = tuple((n - 1) * s + k - a - b for n, s, k, (a, b) in zip(given, strides, span, around, strict=True))
            if any(n < 0 for n in size):
                raise ValueError(f"padding {around} takes away more than there is: the result would have sizes {size}")
    size = windows.whole_numbers(size, rank, "size", 0)
    around = windows.pairs(padding, size, span, strides)
    fit = _fit(size, window, strides, around, dilation)
    if fit != given:
        raise ValueError(
            f"a convolution of size {size} has {fit} windows, with strides {strides} and padding {around}; the input "
            f"has {given}"
        )
    return {"strides": strides, "padding": around, "dilation": dilation, "groups": int(groups), "size": size}


def _transpose_each(batch: Any, x: Any, kernel: Any, groups: Any, **at: Any) -> Any:
    if not batch[1]:
        return folded(lambda x: conv_transpose(x, kernel, groups=groups, **at), batch[:1], x)
    n = kernel.shape[0]
    if not n:
        return nothing(conv_transpose.op, batch, (x, kernel), {**at, "groups": groups})
    if not batch[0]:
        *window, inputs, outputs = kernel.shape[1:]
        wide = reshape(moveaxis(kernel, 0, -3), (*window, n * inputs, outputs))
        return apart(conv_transpose(x, wide, groups=groups, **at), n, groups)
    return apart(conv_transpose(beside(x), beside(kernel), groups=n * groups, **at), n)


@op(
    lambda x, kernel, strides, padding, dilation, groups, size: (x.shape[0], *size, kernel.shape[-2] * groups),
    prepare=_transpose_attributes,
    batch=_transpose_each,
    onnx="ConvTranspose",
    vjp=(
        lambda g, y, x, kernel, size, **at: conv(g, kernel, **at),
        lambda g, y, x, kernel, size, **at: conv_kernel(g, x, **at, window=tuple(kernel.shape[:-2])),
    ),
)
def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    strides: ShapeLike = 1,
    padding: str | int | Sequence[Any] = "valid",
    dilation: ShapeLike = 1,
    groups: int = 1,
    size: ShapeLike | None = None,
) -> Tensor:
    """The transpose of `conv`: each element of `x` times the kernel, added up where its window lies.

    x: `(batch, *windows, out)`, kernel: `(*window, in / groups, out)` as for `conv`, result: `(batch, *space, in)`. It
    is the gradient of `conv` by its input; strides make the result larger. `size` gives the axes of space of the result
    where several sizes have as many windows; by default the smallest, and `windows * strides` with "same".

    Raises `ValueError` for channels or a `size` that do not fit.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 2.0]).reshape((1, 2, 1))
    >>> gn.conv_transpose(x, gn.ones((2, 1, 1)), strides=2).numpy().ravel()
    array([1., 1., 2., 2.])
    """
    at = _transpose_attributes(x, kernel, strides, padding, dilation, groups, size)
    strides, padding, dilation, size = at["strides"], at["padding"], at["dilation"], at["size"]
    window, outputs = tuple(kernel.shape[:-2]), kernel.shape[-1]
    dtype = np.result_type(x, kernel)
    channels = kernel.shape[-2] * groups
    y = np.zeros((x.shape[0], *size, channels), dtype)  # type: ignore[misc]
    if 0 in (y.size, x.size, kernel.size):
        return y
    x, fit = np.asarray(x, dtype), x.shape[1:-1]
    flat = np.asarray(kernel, dtype).reshape(-1, outputs)
    met = windows.meetings(size, window, strides, padding, dilation)
    if _alone(y, kernel, groups):
        for place, here, there in met:
            y[there] += x[here] * flat[place]
        return y
    spread = math.prod(window)
    for block in windows.blocks(x.shape[0], math.prod(fit) * spread * channels * dtype.itemsize):
        rows = np.ascontiguousarray(x[block]).reshape(-1, outputs)
        if groups == 1:
            p = np.matmul(rows, flat.T)  # (rows, window * in)
        else:
            by_group = rows.reshape(-1, groups, outputs // groups).transpose(1, 0, 2)
            p = np.matmul(by_group, windows.by_group(flat, groups).transpose(0, 2, 1))  # (groups, rows, window * in)
            p = p.reshape(groups, len(rows), spread, -1).transpose(1, 2, 0, 3)  # (rows, window, groups, in / groups)
        p = p.reshape(-1, *fit, spread, channels)
        into = y[block]
        for place, here, there in met:
            taken = (*here[:-1], place)
            into[there] += p[taken]
    return y


def _kernel_attributes(
    x: Any, u: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: Any = 1, window: Any = None
) -> Any:
    sizes = windows.space(x)
    window = windows.whole_numbers(window, len(sizes), "window")
    strides = windows.whole_numbers(strides, len(sizes), "strides")
    dilation = windows.whole_numbers(dilation, len(sizes), "dilation")
    around = windows.pairs(padding, sizes, windows.spans(window, dilation), strides)
    fit = _fit(sizes, window, strides, around, dilation)
    if len(u.shape) != len(x.shape) or tuple(u.shape[:-1]) != (x.shape[0], *fit):
        raise ValueError(f"inputs of shape {x.shape} have windows ({x.shape[0]}, {fit}); received {u.shape}")
    if x.shape[-1] % groups or u.shape[-1] % groups:
        raise ValueError(f"{x.shape[-1]} and {u.shape[-1]} channels do not both part into {groups} groups")
    return {"strides": strides, "padding": around, "dilation": dilation, "groups": int(groups), "window": window}


def _kernel_each(batch: Any, x: Any, u: Any, groups: Any, **at: Any) -> Any:
    n = x.shape[0] if batch[0] else u.shape[0]
    if not n:
        return nothing(conv_kernel.op, batch, (x, u), {**at, "groups": groups})
    if not batch[0]:
        return apart(conv_kernel(x, beside(u, groups), groups=groups, **at), n, groups)
    if not batch[1]:
        y = conv_kernel(beside(x, groups), u, groups=groups, **at)
        *window, inputs, outputs = y.shape
        return moveaxis(reshape(y, (*window, n, inputs // n, outputs)), -3, 0)
    return apart(conv_kernel(beside(x), beside(u), groups=n * groups, **at), n)


@op(
    lambda x, u, strides, padding, dilation, groups, window: (*window, x.shape[-1] // groups, u.shape[-1]),
    prepare=_kernel_attributes,
    batch=_kernel_each,
    vjp=(
        lambda g, y, x, u, window, **at: conv_transpose(u, g, **at, size=tuple(x.shape[1:-1])),
        lambda g, y, x, u, window, **at: conv(x, g, **at),
    ),
)
def conv_kernel(
    x: ArrayLike,
    u: ArrayLike,
    strides: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    groups: int = 1,
    window: Any = None,
) -> Tensor:
    """The sum over all windows of products of elements of `x` and `u`: the gradient of `conv` by its kernel.

    x: `(batch, *space, in)`, u: `(batch, *windows, out)`, result: `(*window, in / groups, out)`.
    """
    at = _kernel_attributes(x, u, strides, padding, dilation, groups, window)
    strides, padding, dilation, window = at["strides"], at["padding"], at["dilation"], at["window"]
    dtype = np.result_type(x, u)
    channels, outputs, fit = x.shape[-1], u.shape[-1], u.shape[1:-1]
    kernel = np.zeros((*window, channels // groups, outputs), dtype)
    if 0 in (kernel.size, x.size, u.size):
        return kernel
    if _alone(x, kernel, groups):
        slopes, axes = kernel.reshape(-1, outputs), tuple(range(len(fit) + 1))
        for place, here, there in windows.meetings(tuple(x.shape[1:-1]), window, strides, padding, dilation):
            slopes[place] = (x[there] * u[here]).sum(axes)
        return kernel
    looks = windows.patches(windows.padded(np.asarray(x, dtype), padding), window, strides, dilation, fit)
    flat = kernel.reshape(-1, outputs)
    for block in windows.blocks(x.shape[0], math.prod(looks.shape[1:]) * dtype.itemsize):
        p = windows.flat(looks[block], len(fit))
        rows = np.ascontiguousarray(u[block], dtype).reshape(-1, outputs)
        if groups == 1:
            flat += np.matmul(p.reshape(-1, flat.shape[0]).T, rows)
        else:
            by_group = rows.reshape(-1, groups, outputs // groups).transpose(1, 0, 2)
            parts = np.matmul(windows.grouped(p, groups).transpose(0, 2, 1), by_group)  # (groups, window * in, ...)
            flat += parts.transpose(1, 0, 2).reshape(flat.shape)
    return kernel
