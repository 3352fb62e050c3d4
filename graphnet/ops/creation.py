"""Tensors from data, and tensors that are full of one number or of numbers in a row."""

from __future__ import annotations

import operator
from typing import Any, Literal, overload

import numpy as np

from graphnet.apply import as_tensor, holds_tensors
from graphnet.arrays import WEAK, known, native
from graphnet.fitting import check_dtypes, fitted
from graphnet.leaves import Parameter
from graphnet.naming import naming
from graphnet.node import Tensor, as_array, constant
from graphnet.ops.rounding import floor
from graphnet.ops.shaping import astype, broadcast_to, identity, moveaxis
from graphnet.shapes import DTypeLike, ShapeLike
from graphnet.typed import ArrayLike


def plain_data(value: Any) -> Any:
    """Whether `value` is known, and nothing in it needs a gradient."""
    if isinstance(value, Tensor):
        # In a trace a Parameter counts as unknown.
        return not (value.is_symbolic or value.requires_grad or isinstance(value, Parameter))
    return not (isinstance(value, (list, tuple)) and holds_tensors(value))


def _array(value: Any) -> Any:
    """`value` as NumPy takes it, without asking a tensor for its function."""
    return value._value if isinstance(value, Tensor) else value


@naming
def tensor(
    data: ArrayLike, dtype: DTypeLike | None = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor with a copy of `data`: numbers, lists, arrays. dtype follows NumPy unless given.

    Tensors that need a gradient, also inside of lists, which are stacked, keep their history; with `requires_grad` the
    result is a leaf. Raises `TypeError` where `data` is not numbers, or where a gradient of integers is asked for.

    >>> import graphnet as gn
    >>> gn.tensor([[1, 2], [3, 4]], dtype="float32")
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    >>> gn.grad(lambda x: gn.tensor([x, x * x]).sum())(3.0)
    Tensor(7.)
    """
    if not requires_grad and (isinstance(data, Tensor) or (isinstance(data, (list, tuple)) and holds_tensors(data))):
        y = as_tensor(data)
        y = identity(y) if dtype is None or y.dtype == dtype else astype(y, dtype)
        if y.op is not None:
            y.name = name
            return y
        data = y
    return Tensor(data, dtype, requires_grad, name)


@naming
def zeros(shape: ShapeLike, dtype: DTypeLike = np.float64) -> Tensor:
    """A tensor of zeros in shape `shape` (one size, or several), of `dtype`, float64 unless given.

    Raises `ValueError` for a negative size, `TypeError` for a dtype that is not of numbers or booleans.

    >>> import graphnet as gn
    >>> gn.zeros((1, 2)), gn.zeros(2, "int32")
    (Tensor([[0., 0.]]), Tensor([0, 0], dtype=int32))
    """
    return constant(as_array(np.zeros(shape, dtype)))


@naming
def ones(shape: ShapeLike, dtype: DTypeLike = np.float64) -> Tensor:
    """A tensor of ones in shape `shape` (one size, or several), of `dtype`, float64 unless given.

    Raises `ValueError` for a negative size, `TypeError` for a dtype that is not of numbers or booleans.

    >>> import graphnet as gn
    >>> gn.ones((1, 2)), gn.ones(2, "float32")
    (Tensor([[1., 1.]]), Tensor([1., 1.], dtype=float32))
    """
    return constant(as_array(np.ones(shape, dtype)))


@naming
def full(shape: ShapeLike, fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor in shape `shape` with `fill_value` everywhere: a number, or what broadcasts to `shape`.

    The dtype is that of `fill_value` unless given. A gradient flows to `fill_value`.

    Raises `ValueError` for a negative size and for a value that does not broadcast; `TypeError` for a fraction in a
    dtype of whole numbers, `OverflowError` for a whole number that the dtype does not hold.

    >>> import graphnet as gn
    >>> gn.full((2, 2), 7)
    Tensor([[7, 7],
            [7, 7]])
    >>> gn.grad(lambda x: gn.full(3, x).sum())(2.0)
    Tensor(3.)
    """
    return _full("full", shape, fill_value, dtype)


def _full(what: str, shape: Any, value: Any, dtype: Any) -> Tensor:
    if plain_data(value):
        value = known(value) if isinstance(value, Tensor) else value
        if dtype is not None:
            value = fitted(what, value, native(dtype))
        return constant(as_array(np.full(shape, value, dtype)))
    value = as_tensor(value)
    if dtype is not None:
        check_dtypes(what, value.dtype, native(dtype))
        value = astype(value, dtype)
    return broadcast_to(value, shape)


@naming
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = np.float64) -> Tensor:
    """A matrix of shape `(N, M)` with ones on diagonal `k` and zeros elsewhere, of `dtype`; `M` is `N` if None.

    A positive `k` is above the main diagonal, a negative one below.

    Raises `ValueError` for a negative size.

    >>> import graphnet as gn
    >>> gn.eye(2), gn.eye(2, 3, k=1)
    (Tensor([[1., 0.],
            [0., 1.]]), Tensor([[0., 1., 0.],
            [0., 0., 1.]]))
    """
    return constant(as_array(np.eye(N, M, k, dtype)))


@naming
def arange(
    start: ArrayLike, stop: ArrayLike | None = None, step: ArrayLike = 1, dtype: DTypeLike | None = None
) -> Tensor:
    """Numbers from `start` (0 if one argument is given) to before `stop` in steps.

    How many there are follows from the values of the arguments; their gradients are those of `start + step * i`.

    Raises `TypeError` for a fraction in `start` or `step` of whole numbers, `OverflowError` for numbers that `dtype`
    does not hold.

    >>> import graphnet as gn
    >>> gn.arange(10, step=4)
    Tensor([0, 4, 8])
    """
    if stop is None:
        start, stop = 0, start
    if all(map(plain_data, (start, stop, step))):
        found = np.arange(_array(start), _array(stop), _array(step))  # type: ignore[call-overload]
        if dtype is not None and (native(dtype).kind != found.dtype.kind or native(dtype).kind in "iu"):
            # NumPy would cut the step off, and repeat one number.
            whole = found.dtype.kind in "iu" and native(dtype).kind in "iu"
            return constant(fitted("arange", found if whole else found.tolist(), native(dtype)))
        return constant(as_array(np.arange(_array(start), _array(stop), _array(step), dtype)))  # type: ignore[call-overload]
    count = len(np.arange(*(known(as_tensor(t)).item() for t in (start, stop, step))))
    y = start + step * np.arange(count)
    if dtype is None:
        return y
    check_dtypes("arange", y.dtype, native(dtype))
    return astype(y, dtype)


@overload
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: Literal[False] = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Tensor: ...
@overload
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    *,
    retstep: Literal[True],
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> tuple[Tensor, Any]: ...
@naming
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from `start` to `stop`, without `stop` if not `endpoint`; the step too if `retstep`.

    Bounds can be arrays that broadcast: the numbers are then along `axis`. With a `dtype` of whole numbers they are
    rounded down.

    Raises `ValueError` for a negative number of samples, `OverflowError` for a bound that `dtype` does not hold.

    >>> import graphnet as gn
    >>> gn.jacobian(lambda x: gn.linspace(0.0, x, 3))(2.0)
    Tensor([0. , 0.5, 1. ])
    """
    count = operator.index(num)
    if count < 0:
        raise ValueError(f"linspace: the number of samples is 0 or more; received {num}")
    parts = count - 1 if endpoint else count
    whole = dtype is not None and native(dtype).kind in "iu"
    if plain_data(start) and plain_data(stop):
        y, step = np.linspace(_array(start), _array(stop), count, endpoint, True, None if whole else dtype, axis)  # type: ignore[call-overload]
        if whole:
            y = np.floor(y)
            fitted("linspace", [y.min(), y.max()] if y.size else [], native(dtype))
            y = y.astype(dtype)
        return (constant(as_array(y)), step) if retstep else constant(as_array(y))
    # Python's numbers are weak.
    kind = np.result_type(*(x if x.__class__ in WEAK else as_tensor(x).dtype for x in (start, stop)))
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    start, stop = (astype(as_tensor(x), kind) for x in (start, stop))
    span = stop - start
    weights = (np.arange(count) / (parts or 1)).astype(kind).reshape((count,) + (1,) * span.ndim)
    # Weighted, so that the last number is `stop` to the bit.
    y = moveaxis(start * (1 - weights) + stop * weights, 0, axis)
    y = y if dtype is None else astype(floor(y) if whole else y, dtype)
    return (y, span / parts if parts else span * np.nan) if retstep else y


@naming
def zeros_like(x: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of zeros in the shape of `x`, and in its dtype unless `dtype` is given. It has no gradient.

    >>> import graphnet as gn
    >>> gn.zeros_like([[1.0, 2.0]])
    Tensor([[0., 0.]])
    """
    x = as_tensor(x)
    return constant(as_array(np.zeros(x.shape, dtype or x.dtype)))


@naming
def ones_like(x: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of ones in the shape of `x`, and in its dtype unless `dtype` is given. It has no gradient.

    >>> import graphnet as gn
    >>> gn.ones_like([1, 2]), gn.ones_like([1, 2], "float32")
    (Tensor([1, 1]), Tensor([1., 1.], dtype=float32))
    """
    x = as_tensor(x)
    return constant(as_array(np.ones(x.shape, dtype or x.dtype)))


@naming
def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor with `fill_value` everywhere, in the shape of `x`, and in its dtype unless `dtype` is given.

    `fill_value` is a number, or what broadcasts to that shape. A gradient flows to `fill_value`, none to `x`.

    Raises `ValueError` for a value that does not broadcast; `TypeError` for a fraction where `x` has whole numbers,
    `OverflowError` for a whole number that the dtype does not hold.

    >>> import graphnet as gn
    >>> gn.full_like([1.0, 2.0], 7)
    Tensor([7., 7.])
    """
    x = as_tensor(x)
    return _full("full_like", x.shape, fill_value, dtype or x.dtype)
