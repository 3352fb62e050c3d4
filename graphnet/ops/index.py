"""Reading and writing at an index, as NumPy spells it: slices, integers, arrays of integers, masks.

An index has a static part, kept as an attribute, and integer arrays, kept as inputs: so those can be symbolic.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import apply, apply_prepared, as_tensor, failure
from graphnet.arrays import Spec, known
from graphnet.declare import op
from graphnet.fitting import check_dtypes, fitted
from graphnet.leaves import Parameter
from graphnet.mode import state
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.creation import plain_data
from graphnet.ops.index_axes import SLOT, whole, widened
from graphnet.ops.joining import together
from graphnet.ops.shaping import astype, broadcast_to, reshape
from graphnet.typed import ArrayLike


def _check_masks(parts: tuple[Any, ...], masks: dict[int, Any], shape: tuple[int, ...]) -> None:
    """Each of `masks` (by its place in `parts`) must have the shape of the axes it stands for."""
    widths = [
        masks[i].ndim if i in masks else 0 if part is None or part is Ellipsis else 1 for i, part in enumerate(parts)
    ]
    skipped = max(0, len(shape) - sum(widths))
    axis = 0
    for i, (part, width) in enumerate(zip(parts, widths, strict=True)):
        if i in masks and masks[i].shape != shape[axis : axis + width]:
            raise IndexError(
                f"a mask of shape {masks[i].shape} does not fit the axes it stands for, of shape "
                f"{shape[axis : axis + width]}"
            )
        axis += skipped if part is Ellipsis else width


def parted(key: Any, shape: tuple[int, ...], later: bool = False) -> tuple[tuple[Any, ...], list[Any]]:
    """The static part of an index into `shape`, and its integer arrays; masks become the places where they hold.

    Of an index that is used `later`, when a graph runs, Parameters are inputs: they can change until then.

    Raises `TypeError` for what is no index, `IndexError` for a mask of another shape than the axes it stands for.
    """
    parts = key if isinstance(key, tuple) else (key,)
    index: list[Any] = []
    arrays: list[Any] = []
    masks: dict[int, Any] = {}
    for place, part in enumerate(parts):
        if part is None or part is Ellipsis:
            index.append(part)
        elif isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            index.append(slice(*(None if b is None else operator.index(b) for b in bounds)))
        elif isinstance(part, (bool, np.bool_)):
            raise TypeError(f"index {part!r}: a single boolean is no index; use a mask array or gn.where")
        elif isinstance(part, (int, np.integer)):
            index.append(int(part))
        else:
            if isinstance(part, Tensor) and (part.is_symbolic or (later and isinstance(part, Parameter))):
                array: Any = part
            else:
                try:
                    array = known(part) if isinstance(part, Tensor) else np.asarray(part)
                except ValueError as error:
                    raise TypeError(f"an index is made of integers, slices, masks, None and ...: {error}") from None
                if array.size == 0 and array.dtype.kind == "f":
                    array = array.astype(np.int64)
            if array.dtype.kind == "b":
                if isinstance(array, Tensor):
                    kind = "the mask of a Parameter, in a graph," if array.__class__ is Parameter else "a symbolic mask"
                    raise TypeError(
                        f"{kind} cannot be an index: the shape of the result would depend on its values; "
                        "use gn.where(mask, x, other)"
                    )
                if array.ndim == 0:
                    raise TypeError("a single boolean is no index; use a mask array or gn.where")
                masks[place] = array
                found = array.nonzero()
                index.extend([SLOT] * len(found))
                arrays.extend(found)
            elif array.dtype.kind in "iu":
                if array.shape == () and not isinstance(array, Tensor):
                    index.append(int(array))
                else:
                    index.append(SLOT)
                    arrays.append(array)
            else:
                raise TypeError(f"an index is made of integers, slices, masks, None and ...; received {array.dtype}")
    if masks:
        _check_masks(parts, masks, shape)
    return tuple(index), arrays


def _parted(function: Any, x: Any, key: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """`parted`, with the op and what is indexed in the errors."""
    try:
        later = state.mode.trace is not None or (isinstance(x, Tensor) and x.is_symbolic)
        return parted(key, x.shape, later)
    except Exception as error:
        raise failure(function.op, error, (x,), {}, explain=False) from None


def _shape_at(x: Any, *arrays: Any, index: Any) -> Any:
    """The shape of `x[index]`, found on an array that takes no memory."""
    dummy = np.broadcast_to(np.zeros((), np.bool_), x.shape)
    zeros = [np.broadcast_to(np.zeros((), np.intp), a.shape) for a in arrays]
    return dummy[whole(index, zeros)].shape


def _at_arrays(x: Any, *arrays: Any, **attrs: Any) -> Any:
    """Whether there are integer arrays in the index, which can be out of range."""
    return bool(arrays)


def _getitem_slope(place: Any, g: Any, y: Any, x: Any, *arrays: Any, index: Any) -> Any:
    if place:
        return None
    return apply(_scatter_add.op, (g, *arrays), {"shape": x.shape, "index": index})


def _getitem_each(batch: Any, x: Any, *arrays: Any, index: Any) -> Any:
    way = widened(index, x.ndim - batch[0], batch[0], batch[1:], arrays)
    return way.placed(apply_prepared(_getitem.op, (x, *way.arrays), {"index": way.key}))


@op(
    _shape_at,
    dtype=lambda x, *a, index: x.dtype,
    complex=True,
    vjp=_getitem_slope,
    batch=_getitem_each,
    name="getitem",
    onnx="GatherND",
    may_raise=_at_arrays,
    view="{x}[{index}]",
)
def _getitem(*inputs: Any, index: Any) -> Any:
    """`x[index]`."""
    x, *arrays = inputs
    return x[whole(index, arrays)]


_COUNTED = (np.float64, np.float32, np.float16)


def _scatter_slope(place: Any, g: Any, y: Any, x: Any, *arrays: Any, shape: Any, index: Any) -> Any:
    return None if place else apply(_getitem.op, (g, *arrays), {"index": index})


def _scatter_each(batch: Any, x: Any, *arrays: Any, shape: Any, index: Any) -> Any:
    if not batch[0]:
        x, *_ = together(batch, (x, *arrays))
    way = widened(index, len(shape), True, batch[1:], arrays)
    attrs = {"shape": (x.shape[0], *shape), "index": way.key}
    return apply_prepared(_scatter_add.op, (way.taken(x), *way.arrays), attrs)


@op(
    lambda x, *a, shape, index: shape,
    dtype=lambda x, *a, shape, index: x.dtype,
    complex=True,
    vjp=_scatter_slope,
    batch=_scatter_each,
    name="scatter_add",
    onnx="ScatterND",
    may_raise=_at_arrays,
)
def _scatter_add(*inputs: Any, shape: Any, index: Any) -> Any:
    """Zeros of `shape`, with `x` added at `index`; what has one place adds up."""
    x, *arrays = inputs
    if arrays and x.dtype in _COUNTED and x.size > 512 and shapes.size(shape) < 4 * x.size:
        # Counting with weights: 2 to 8 times as fast as `np.add.at`, where it pays to number all places.
        places = _places(shape, index, arrays)
        y = np.bincount(places.ravel(), x.ravel(), shapes.size(shape)).reshape(shape)
        return y.astype(x.dtype, copy=False)
    if not arrays:
        y = np.zeros(shape, x.dtype)
        y[index] = x
        return y
    # Eleven bits lose what is added to a sum of 2,000.
    y = np.zeros(shape, np.float32 if x.dtype == np.float16 else x.dtype)
    np.add.at(y, whole(index, arrays), x)
    return y.astype(x.dtype, copy=False)


GETITEM, SCATTER_ADD = _getitem.op, _scatter_add.op


def getitem(x: ArrayLike, key: Any) -> Tensor:
    """`x[key]`, with everything that NumPy takes as an index.

    Where an array of integers names a place twice, the gradients add up.
    """
    x = x if hasattr(x, "shape") else as_tensor(x)
    index, arrays = _parted(_getitem, x, key)
    return apply(_getitem.op, (x, *arrays), {"index": index})


def _places(shape: Any, index: Any, arrays: Any) -> Any:
    """The number, in C order, of each element that an index names."""
    return np.arange(shapes.size(shape)).reshape(shape)[whole(index, arrays)]


def _setitem_slope(place: Any, g: Any, y: Any, x: Any, value: Any, *arrays: Any, index: Any) -> Any:
    if place == 0:
        zero = np.zeros((), g.dtype)
        return apply(_setitem.op, (g, zero, *arrays), {"index": index})
    if place == 1:
        h = apply(_getitem.op, (g, *arrays), {"index": index})
        return h.reshape((1,) * (len(value.shape) - len(h.shape)) + h.shape)
    return None


def _setitem_shape(x: Any, value: Any, *arrays: Any, index: Any) -> Any:
    at = _shape_at(x, *arrays, index=index)
    # As in NumPy, axes of size one before the others count as missing.
    sizes = value.shape
    while len(sizes) > len(at) and sizes[0] == 1:
        sizes = sizes[1:]
    if shapes.broadcast(sizes, at) != at:
        raise ValueError(f"a value of shape {value.shape} does not fit in a place of shape {at}")
    return x.shape


def _setitem_each(batch: Any, x: Any, value: Any, *arrays: Any, index: Any) -> Any:
    if not batch[0]:
        x, *_ = together(batch, (x, value, *arrays))
    places = [Spec(a.shape[b:], a.dtype) for a, b in zip(arrays, batch[2:], strict=True)]
    at = _shape_at(Spec(x.shape[1:], x.dtype), *places, index=index)
    sizes = value.shape[batch[1] :]
    sizes = (1,) * (len(at) - len(sizes)) + sizes[max(0, len(sizes) - len(at)) :]
    value = broadcast_to(reshape(value, (*value.shape[: batch[1]], *sizes)), (x.shape[0], *at))
    way = widened(index, x.ndim - 1, True, batch[2:], arrays)
    return apply_prepared(_setitem.op, (x, way.taken(value), *way.arrays), {"index": way.key})


@op(
    _setitem_shape,
    dtype=lambda x, *rest, index: x.dtype,
    complex=True,
    vjp=_setitem_slope,
    batch=_setitem_each,
    name="setitem",
    onnx="ScatterND",
    may_raise=lambda x, value, *arrays, index: bool(arrays),
)
def _setitem(*inputs: Any, index: Any) -> Any:
    """`x` with `value` at `index`."""
    x, value, *arrays = inputs
    if arrays:
        places = _places(x.shape, index, arrays)
        if np.unique(places).size != places.size:
            raise ValueError("an index names a place twice: which value it gets would not be defined; see add_at")
    y = np.array(x)
    y[whole(index, arrays)] = value
    return y


def _in_dtype(name: Any, value: Any, x: Any) -> Any:
    """A value that fits in a tensor of the dtype of `x`, numbers in that dtype; see `graphnet.fitting`."""
    if plain_data(value):
        return fitted(name, known(value) if isinstance(value, Tensor) else value, x.dtype)
    value = as_tensor(value)
    check_dtypes(name, value.dtype, x.dtype)
    return value


@naming
def set_at(x: ArrayLike, key: Any, value: ArrayLike) -> Tensor:
    """A copy of `x` with `value` at `key`: what `x[key] = value` does to an array.

    The gradient goes to `value` at `key` and to `x` elsewhere.

    Raises `ValueError` if `key` names a place twice, `TypeError` for fractions in a tensor of whole numbers,
    `OverflowError` for whole numbers that its dtype does not hold.

    >>> import graphnet as gn
    >>> gn.set_at(gn.tensor([1.0, 2.0, 3.0]), slice(1, None), 0.0)
    Tensor([1., 0., 0.])
    """
    x = x if hasattr(x, "shape") else as_tensor(x)
    index, arrays = _parted(_setitem, x, key)
    return apply(_setitem.op, (x, _in_dtype("set_at", value, x), *arrays), {"index": index})


@naming
def add_at(x: ArrayLike, key: Any, value: ArrayLike) -> Tensor:
    """A copy of `x` with `value` added at `key`; what is named twice adds up. Raises for other dtypes as `set_at` does.

    >>> import graphnet as gn
    >>> gn.add_at(gn.zeros(3), [0, 2, 2], 1.0)
    Tensor([1., 0., 2.])
    """
    x = as_tensor(x)
    value = as_tensor(_in_dtype("add_at", value, x))
    index, arrays = _parted(_scatter_add, x, key)
    try:
        at = _shape_at(x, *arrays, index=index)
    except IndexError as error:
        raise failure(_scatter_add.op, error, (x, *arrays), {"index": index}, explain=False) from None
    added = apply(
        _scatter_add.op,
        (broadcast_to(astype(value, x.dtype), at), *arrays),
        {"shape": x.shape, "index": index},
    )
    return x + added
