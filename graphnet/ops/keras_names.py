"""Functions under the names of `keras.ops` about shapes, dtypes, joins and choices, composed of the ops here.

With those of `keras_numbers` they are attributes of `graphnet.ops`, looked up when they are asked for. Numbers in
Python lists become float32 and int32, arrays keep their dtype.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.arrays import known
from graphnet.naming import naming
from graphnet.node import Tensor, as_array, constant
from graphnet.ops import numpy_functions
from graphnet.ops.products import trace as trace

__all__ = [
    "append",
    "array",
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "copy",
    "dsplit",
    "dstack",
    "dtype",
    "empty",
    "empty_like",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "in_top_k",
    "is_tensor",
    "multi_hot",
    "ndim",
    "rot90",
    "saturate_cast",
    "scatter",
    "scatter_update",
    "segment_sum",
    "select",
    "shape",
    "size",
    "slice",
    "slice_update",
    "top_k",
    "trace",
    "unstack",
    "vsplit",
    "vstack",
]


@naming
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Tensor:
    """`x` as a tensor: numbers in Python lists as float32, int32 or bool unless `dtype` is given."""
    if isinstance(x, (list, tuple)) and _has_tensors(x):
        t = ops.stack([convert_to_tensor(part) for part in x])
        return t if dtype is None else cast(t, dtype)
    if not isinstance(x, Tensor):
        listed = not hasattr(x, "dtype")
        array = as_array(x.toarray() if hasattr(x, "toarray") else x)
        if listed and dtype is None:
            array = array.astype({"f": np.float32, "i": np.int32, "u": np.int32}.get(array.dtype.kind, array.dtype))
        x = constant(np.array(array))
    return x if dtype is None else cast(x, dtype)


def _has_tensors(x: Any) -> bool:
    return any(isinstance(part, Tensor) or (isinstance(part, (list, tuple)) and _has_tensors(part)) for part in x)


@naming
def array(x: Any, dtype: Any = None) -> Tensor:
    """The same as `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


@naming
def convert_to_numpy(x: Any) -> np.ndarray:
    """The array of `x`. Raises `ValueError` for a symbolic tensor."""
    return np.array(x.numpy() if isinstance(x, Tensor) else known(convert_to_tensor(x)))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor of graphnet."""
    return isinstance(x, Tensor)


def shape(x: Any) -> tuple[int, ...]:
    """The sizes of the axes of `x`: a tuple of numbers, also for a symbolic tensor.

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    return x.shape if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """The number of axes of `x`."""
    return len(shape(x))


def size(x: Any) -> int:
    """The number of elements of `x`."""
    return math.prod(shape(x))


@naming
def dtype(x: Any) -> str:
    """The name of the dtype of `x`."""
    return convert_to_tensor(x).dtype.name


@naming
def cast(x: Any, dtype: Any) -> Tensor:
    """`x` in another dtype; between floating-point dtypes with a gradient.

    >>> cast([1.7, -1.7], "int32")
    Tensor([ 1, -1], dtype=int32)
    """
    return ops.astype(convert_to_tensor(x), np.dtype(dtype))


@naming
def saturate_cast(x: Any, dtype: Any) -> Tensor:
    """`x` in another dtype, numbers out of its range as the nearest one that it has."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        x = ops.clip(convert_to_tensor(x), limits.min, limits.max)
    return cast(x, kind)


@naming
def copy(x: Any) -> Tensor:
    """`x` as a tensor of its own."""
    return ops.identity(convert_to_tensor(x))


@naming
def empty(shape: Any, dtype: Any = "float32") -> Tensor:
    """Zeros: no number is left to chance."""
    return ops.zeros(shape, dtype)


@naming
def empty_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros in the shape of `x`."""
    t = convert_to_tensor(x)
    return ops.zeros(t.shape, dtype or t.dtype)


@naming
def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """`x2` behind `x1` along `axis`, or both flat."""
    return numpy_functions.append(convert_to_tensor(x1), convert_to_tensor(x2), axis)


@naming
def hstack(xs: Any) -> Tensor:
    """Joined along the second axis, vectors along the first."""
    return numpy_functions.hstack(map(convert_to_tensor, xs))


@naming
def vstack(xs: Any) -> Tensor:
    """Joined along the first axis, vectors as rows."""
    return numpy_functions.vstack(map(convert_to_tensor, xs))


@naming
def dstack(xs: Any) -> Tensor:
    """Joined along the third axis."""
    return numpy_functions.dstack(map(convert_to_tensor, xs))


@naming
def hsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the second axis, of vectors along the first."""
    t = convert_to_tensor(x)
    return list(ops.split(t, indices_or_sections, axis=0 if t.ndim == 1 else 1))


@naming
def vsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the first axis."""
    return list(ops.split(convert_to_tensor(x), indices_or_sections, axis=0))


@naming
def dsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the third axis."""
    return list(ops.split(convert_to_tensor(x), indices_or_sections, axis=2))


@naming
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """The slices of `x` along `axis`, which is gone."""
    t = ops.moveaxis(convert_to_tensor(x), axis, 0)
    if num not in (None, t.shape[0]):
        raise ValueError(f"unstack: num is the size of axis {axis}, which is {t.shape[0]}; received {num!r}")
    return [t[n] for n in range(t.shape[0])]


@naming
def fliplr(x: Any) -> Tensor:
    """Mirrored along the second axis."""
    return ops.flip(convert_to_tensor(x), axis=1)


@naming
def flipud(x: Any) -> Tensor:
    """Mirrored along the first axis."""
    return ops.flip(convert_to_tensor(x), axis=0)


@naming
def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Turned `k` times by 90 degrees, from the first of `axes` to the second."""
    return numpy_functions.rot90(convert_to_tensor(x), k, axes)


@naming
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Tensor:
    """From the first of `choicelist` whose condition is true, element by element, else `default`."""
    return numpy_functions.select([*map(convert_to_tensor, condlist)], [*map(convert_to_tensor, choicelist)], default)


@naming
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest along the last axis, the largest first, and where they stand; the first of equals counts."""
    t = convert_to_tensor(x)
    if not 0 <= k <= t.shape[-1]:
        raise ValueError(f"top_k: k is 0 to {t.shape[-1]}, the size of the last axis; received {k!r}")
    places = ops.argsort(ops.negative(t if t.dtype.kind in "fi" else cast(t, "int64")), axis=-1)[..., :k]
    return ops.take_along_axis(t, places, axis=-1), cast(places, "int32")


@naming
def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Whether fewer than `k` of a row of predictions are larger than the one at its target."""
    p, places = convert_to_tensor(predictions), convert_to_tensor(targets)
    own = ops.take_along_axis(p, ops.expand_dims(places, -1), axis=-1)
    return ops.less(ops.sum(cast(ops.logical_not(ops.less_equal(p, own)), "int32"), axis=-1), k)


@naming
def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = "float32") -> Tensor:
    """1 for each class that is listed in a row, 0 for the others: `(..., listed)` to `(..., num_classes)`."""
    hot = ops.one_hot(convert_to_tensor(inputs), num_classes, dtype)
    found = ops.max(hot, axis=-2) if hot.ndim > 1 else hot
    return found if axis in (-1, found.ndim - 1) else ops.moveaxis(found, -1, axis)


@naming
def slice(inputs: Any, start_indices: Any, shape: Any) -> Tensor:
    """The block of this shape that begins at `start_indices`."""
    starts, sizes = [int(n) for n in start_indices], [int(n) for n in shape]
    t = convert_to_tensor(inputs)
    return t[tuple(builtins.slice(a, n if m == -1 else a + m) for a, m, n in zip(starts, sizes, t.shape, strict=True))]


@naming
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Tensor:
    """`inputs` with the block `updates`, which begins at `start_indices`, in its place."""
    t, new = convert_to_tensor(inputs), convert_to_tensor(updates)
    starts = [int(n) for n in start_indices]
    return ops.set_at(t, tuple(builtins.slice(a, a + m) for a, m in zip(starts, new.shape, strict=True)), new)


def _places(indices: Any) -> tuple[Any, ...]:
    where = np.asarray(indices.numpy() if isinstance(indices, Tensor) else indices)
    return tuple(np.moveaxis(where, -1, 0))


@naming
def scatter(indices: Any, values: Any, shape: Any) -> Tensor:
    """Zeros of this shape with `values` added at `indices`, whose last axis has one number for each axis."""
    new = convert_to_tensor(values)
    return ops.add_at(ops.zeros(tuple(int(n) for n in shape), new.dtype), _places(indices), new)


@naming
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """`inputs` with `updates` at `indices`, whose last axis has one number for each axis; "add" adds them."""
    t, new = convert_to_tensor(inputs), convert_to_tensor(updates)
    if reduction not in (None, "add"):
        raise ValueError(f"scatter_update: reduction is None or 'add'; received {reduction!r}")
    return (ops.set_at if reduction is None else ops.add_at)(t, _places(indices), new)


@naming
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """The sum of the rows of each segment."""
    t = convert_to_tensor(data)
    ids = np.asarray(segment_ids.numpy() if isinstance(segment_ids, Tensor) else segment_ids)
    count = (int(ids.max()) + 1 if ids.size else 0) if num_segments is None else num_segments
    kept = (ids >= 0) & (ids < count)
    return ops.add_at(ops.zeros((count, *t.shape[1:]), t.dtype), ids[kept], t if kept.all() else t[kept])
