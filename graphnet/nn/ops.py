"""`keras.ops` over graphnet: its names, its arguments and their order, on tensors and arrays.

Everything of `graphnet.ops` is here too; what has other arguments there is here as Keras has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet import ops as _ops
from graphnet.nn import crossentropy as _crossentropy
from graphnet.ops.keras_names import convert_to_tensor

custom_gradient, stop_gradient = gn.custom_gradient, gn.stop_gradient


def __getattr__(name: str) -> Any:
    try:
        return getattr(_ops, name)
    except AttributeError:
        raise AttributeError(
            f"graphnet.nn.ops has no {name!r}: it has the functions of graphnet.ops, and most names of keras.ops."
        ) from None


def __dir__() -> list[str]:
    from graphnet.ops import keras_names, keras_numbers

    return sorted({*globals(), *_ops.__all__, *keras_names.__all__, *keras_numbers.__all__})


# Where arguments have other names or defaults.


def gelu(x: Any, approximate: bool = True) -> gn.Tensor:
    """The Gaussian error linear unit, by tanh unless `approximate` is False."""
    return gn.gelu(convert_to_tensor(x), approximate=approximate)


def clip(x: Any, x_min: Any, x_max: Any) -> gn.Tensor:
    """`x`, and the bounds where it is outside of them."""
    return gn.clip(x, x_min, x_max)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = "float32", sparse: bool = False) -> gn.Tensor:
    """1 at each label along a new `axis`, 0 elsewhere."""
    hot = gn.one_hot(x, num_classes, dtype or "float32")
    return hot if axis in (-1, hot.ndim - 1) else gn.moveaxis(hot, -1, axis)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> gn.Tensor:
    """The norm of vectors or matrices."""
    return gn.norm(x, ord=ord, axis=axis, keepdims=keepdims)


def identity(n: int, dtype: Any = None) -> gn.Tensor:
    """The matrix of `n` rows and columns with 1 on its diagonal; `gn.identity` is another function.

    >>> identity(2)
    Tensor([[1., 0.],
            [0., 1.]], dtype=float32)
    """
    return gn.eye(n, dtype=dtype or "float32")


def reciprocal(x: Any) -> gn.Tensor:
    """`1 / x`, for integers too, which `gn.reciprocal`, as NumPy, rounds to 0.

    >>> reciprocal([4, 2])
    Tensor([0.25, 0.5 ], dtype=float32)
    """
    t = convert_to_tensor(x)
    return gn.reciprocal(t if t.dtype.kind in "fc" else t.astype("float32"))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> gn.Tensor:
    """Evenly spaced numbers: integers as int32, others as float32, unless `dtype` is given."""
    first, last = (0, start) if stop is None else (start, stop)
    found = np.arange(first, last, 1 if step is None else step)
    return gn.tensor(found.astype(dtype or ("float32" if found.dtype.kind == "f" else "int32")))


def ones(shape: Any, dtype: Any = None) -> gn.Tensor:
    """Ones, float32 unless given."""
    return gn.ones(shape, dtype=dtype or "float32")


def zeros(shape: Any, dtype: Any = None) -> gn.Tensor:
    """Zeros, float32 unless given."""
    return gn.zeros(shape, dtype=dtype or "float32")


def full(shape: Any, fill_value: Any, dtype: Any = None) -> gn.Tensor:
    """`fill_value` everywhere, float32 unless given."""
    return gn.full(shape, fill_value, dtype=dtype or "float32")


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> gn.Tensor:
    """Ones on a diagonal, float32 unless given."""
    return gn.eye(N, M, k, dtype=dtype or "float32")


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None) -> gn.Tensor:
    """`num` numbers from `start` to `stop`, float32 unless given."""
    return gn.tensor(np.linspace(start, stop, num, endpoint).astype(dtype or "float32"))


# Steps.


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions returns; see `gn.cond`."""
    return gn.cond(pred, true_fn, false_fn)


def scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> Any:
    """`f(carry, x) -> (carry, y)` along the first axis of `xs`: the last carry, and all y stacked; see `gn.scan`."""
    return gn.scan(f, init, xs, length=length, reverse=reverse)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` of each slice along the first axis, stacked."""
    return gn.scan(lambda carry, x: ((), f(x)), (), xs)[1]


vectorized_map = map


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """`body_fun(i, value)` for each i from `lower` up to `upper`, from `init_val`; a trace has each step."""
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """`body(*loop_vars)` as long as `cond(*loop_vars)`, `maximum_iterations` times at most.

    Where the condition is not known, in a trace, it is one node: see `gn.while_loop`.
    """
    alone = not isinstance(loop_vars, (tuple, list))
    values: Any = (loop_vars,) if alone else tuple(loop_vars)

    def stepped(values: Any) -> Any:
        found = body(*values)
        return tuple(found) if isinstance(found, (tuple, list)) else (found,)

    count, most = 0, np.inf if maximum_iterations is None else maximum_iterations
    while count < most:
        again = convert_to_tensor(cond(*values))
        if again.is_symbolic:
            left = gn.while_loop(
                lambda c: gn.logical_and(c[0] < most, cond(*c[1])), lambda c: (c[0] + 1, stepped(c[1])), (count, values)
            )
            values = left[1]
            break
        if not again:
            break
        values = stepped(values)
        count += 1
    return values[0] if alone else type(loop_vars)(values)


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """What the function at place `index` gives; an index outside of them counts as the nearest."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


# Networks.


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> gn.Tensor:
    """The cross-entropy of each element."""
    y, p = convert_to_tensor(target), convert_to_tensor(output)
    return _crossentropy.binary_terms(y.astype(p.dtype), p, from_logits)[0]


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> gn.Tensor:
    """The cross-entropy along `axis`, for one-hot targets."""
    y, p = convert_to_tensor(target), convert_to_tensor(output)
    return _crossentropy.categorical_crossentropy(y, p, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> gn.Tensor:
    """The cross-entropy along `axis`, for labels."""
    y, p = convert_to_tensor(target), convert_to_tensor(output)
    return _crossentropy.sparse_categorical_crossentropy(y, p, from_logits=from_logits, axis=axis)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> gn.Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, with one of each for every index along `axis`."""
    t = convert_to_tensor(x)
    shape = [n if a == axis % t.ndim else 1 for a, n in enumerate(t.shape)]
    mean, variance = (gn.reshape(convert_to_tensor(v), shape) for v in (mean, variance))
    y = (t - mean) / gn.sqrt(variance + epsilon)
    y = y if scale is None else y * gn.reshape(convert_to_tensor(scale), shape)
    return y if offset is None else y + gn.reshape(convert_to_tensor(offset), shape)


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any
) -> gn.Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, over `axis`."""
    t = convert_to_tensor(x)
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    mean, variance = gn.mean(t, axis=axis, keepdims=True), gn.var(t, axis=axis, keepdims=True)
    y = (t - mean) / gn.sqrt(variance + (1e-7 if epsilon is None else epsilon))
    y = y if gamma is None else y * convert_to_tensor(gamma)
    return y if beta is None else y + convert_to_tensor(beta)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> gn.Tensor:
    """`x / sqrt(mean(x**2) + epsilon) * scale`, over `axis`."""
    t = convert_to_tensor(x)
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    y = t / gn.sqrt(gn.mean(gn.square(t), axis=axis, keepdims=True) + (1e-7 if epsilon is None else epsilon))
    return y if scale is None else y * convert_to_tensor(scale)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    **kwargs: Any,
) -> gn.Tensor:
    """`softmax(query @ key.T * scale + bias) @ value`, of `(batch, time, heads, features)`.

    `mask` is True where a query may look at a key; with `is_causal` none looks ahead. The scale is one over the square
    root of the features unless given.
    """
    q, k, v = (gn.transpose(convert_to_tensor(t), (0, 2, 1, 3)) for t in (query, key, value))
    if k.shape[1] != q.shape[1]:  # groups of queries share a key
        k, v = (gn.repeat(t, q.shape[1] // k.shape[1], axis=1) for t in (k, v))
    scores = gn.matmul(q, gn.swapaxes(k, -1, -2)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + convert_to_tensor(bias)
    allowed = None if mask is None else convert_to_tensor(mask).astype(bool)
    if is_causal:
        ahead = gn.tensor(np.tri(q.shape[2], k.shape[2], dtype=bool))
        allowed = ahead if allowed is None else gn.logical_and(allowed, ahead)
    if allowed is not None:
        scores = gn.where(allowed, scores, float(np.finfo(scores.dtype).min) / 2)
    return gn.transpose(gn.matmul(gn.softmax(scores, axis=-1), v), (0, 2, 1, 3))


def _last(t: gn.Tensor, data_format: str | None) -> gn.Tensor:
    return gn.moveaxis(t, 1, -1) if data_format == "channels_first" else t


def _first(t: gn.Tensor, data_format: str | None) -> gn.Tensor:
    return gn.moveaxis(t, -1, 1) if data_format == "channels_first" else t


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> gn.Tensor:
    """The convolution of `inputs` by `kernel`, `(*window, in, out)`; see `gn.conv`."""
    x, k = _last(convert_to_tensor(inputs), data_format), convert_to_tensor(kernel)
    return _first(gn.conv(x, k, strides, padding, dilation_rate, groups=x.shape[-1] // k.shape[-2]), data_format)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> gn.Tensor:
    """Each channel by kernels of its own, `(*window, in, multiplier)`."""
    x, k = _last(convert_to_tensor(inputs), data_format), convert_to_tensor(kernel)
    k = gn.reshape(k, (*k.shape[:-2], 1, k.shape[-2] * k.shape[-1]))
    return _first(gn.conv(x, k, strides, padding, dilation_rate, groups=x.shape[-1]), data_format)


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> gn.Tensor:
    """`depthwise_conv`, and then a convolution of windows of one."""
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(y, pointwise_kernel, 1, "valid", data_format)


def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> gn.Tensor:
    """The largest of each window."""
    x = _last(convert_to_tensor(inputs), data_format)
    return _first(gn.max_pool(x, pool_size, strides, padding), data_format)


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> gn.Tensor:
    """The mean of each window; padding does not count."""
    x = _last(convert_to_tensor(inputs), data_format)
    return _first(gn.avg_pool(x, pool_size, strides, padding), data_format)
