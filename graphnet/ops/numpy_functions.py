"""Functions of NumPy's that are no ops here, but short compositions of them: what NumPy calls for tensors.

Arguments and results are NumPy's, but that lists of results are lists of tensors. `FUNCTIONS` maps each of NumPy's
functions to the one here; `VALUES` are those whose result has no slope, and that get plain values.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import as_tensor
from graphnet.arrays import leaving
from graphnet.node import Tensor
from graphnet.ops import creation, shaping
from graphnet.ops.numpy_numbers import (
    Function,
    average,
    cross,
    cumprod,
    diff,
    interp,
    known_array,
    kron,
    logspace,
    median,
    nan_extreme,
    nan_to_num,
    nanmean,
    nanvar,
    percentile,
    polyval,
    ptp,
    quantile,
    trapezoid,
    vander,
    vector_norm,
    without_nan,
)


def _at_least(t: Any, rank: int) -> Tensor:
    t = as_tensor(t)
    if rank == 3 and t.ndim in (1, 2):
        return ops.reshape(t, (*(1,) * (2 - t.ndim), *t.shape, 1))
    return ops.reshape(t, (1,) * (rank - t.ndim) + t.shape) if t.ndim < rank else t


def _at_least_of(rank: int) -> Function:
    """`np.atleast_1d` and its kin: several inputs give a tuple.

    Of plain values they give arrays: it is how code that goes on in C asks for them (all of `scipy.optimize`).
    """
    of_arrays = (np.atleast_1d, np.atleast_2d, np.atleast_3d)[rank - 1]

    def one(a: Any) -> Any:
        if creation.plain_data(a):
            return np.array(of_arrays(a._value if isinstance(a, Tensor) else a))
        return _at_least(a, rank)

    def padded(*arrays: Any) -> Any:
        found = [one(a) for a in arrays]
        return found[0] if len(found) == 1 else tuple(found)

    return padded


def vstack(tup: Any) -> Tensor:
    return ops.concatenate([_at_least(t, 2) for t in tup], axis=0)


def hstack(tup: Any) -> Tensor:
    parts = [_at_least(t, 1) for t in tup]
    return ops.concatenate(parts, axis=0 if parts and parts[0].ndim == 1 else 1)


def dstack(tup: Any) -> Tensor:
    return ops.concatenate([_at_least(t, 3) for t in tup], axis=2)


def _column_stack(tup: Any) -> Tensor:
    parts = [as_tensor(t) for t in tup]
    return ops.concatenate([t if t.ndim > 1 else t.reshape((-1, 1)) for t in parts], axis=1)


def split_along(what: str, rank: int, axis: int) -> Function:
    def split(ary: Any, indices_or_sections: Any) -> list[Tensor]:
        t = as_tensor(ary)
        if t.ndim < rank:
            raise ValueError(f"np.{what} takes at least {rank} dimensions; received shape {t.shape}")
        return ops.split(t, indices_or_sections, axis=0 if what == "hsplit" and t.ndim == 1 else axis)

    return split


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    return ops.concatenate([as_tensor(arr), as_tensor(values)], axis=axis)


def _delete(arr: Any, obj: Any, axis: int | None = None) -> Tensor:
    t = as_tensor(arr)
    if axis is None:
        t, axis = ops.ravel(t), 0
    return ops.take(t, np.delete(np.arange(t.shape[axis]), obj), axis=axis)


def _compress(condition: Any, a: Any, axis: int | None = None) -> Tensor:
    return ops.take(a, np.flatnonzero(known_array(condition, "np.compress")), axis=axis)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    return ops.clip(a, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, *branches: Any) -> Tensor:
    if len(branches) != 2:
        raise TypeError("np.where on tensors takes a condition and two branches; use t.numpy() for np.where(condition)")
    return ops.where(condition, *branches)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"np.select: {len(condlist)} conditions for {len(choicelist)} choices")
    found = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        found = ops.where(condition, choice, found)
    return found


def _matrix_transpose(x: Any) -> Tensor:
    return as_tensor(x).mT


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    t = as_tensor(m)
    first, second = shaping.axes_of("rot90", t, tuple(axes))
    turned = k % 4
    if turned >= 2:
        t = ops.flip(t, (first, second))
    return ops.flip(ops.swapaxes(t, first, second), first) if turned % 2 else t


def _rollaxis(a: Any, axis: int, start: int = 0) -> Tensor:
    t = as_tensor(a)
    (place,) = shaping.axes_of("rollaxis", t, axis)
    before = operator.index(start)
    if not -t.ndim <= before <= t.ndim:
        raise IndexError(f"np.rollaxis: start is from {-t.ndim} to {t.ndim} for shape {t.shape}; received {start}")
    before += t.ndim if before < 0 else 0
    # `start` is counted with the axis still in its old place.
    return ops.moveaxis(t, place, before - 1 if place < before else before)


def _broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    if all(map(creation.plain_data, args)) or any(a is None or isinstance(a, str) for a in args):
        # As `np.atleast_1d`: who asks goes on with arrays, of objects too.
        return tuple(np.broadcast_arrays(*(leaving(a, "an array") if isinstance(a, Tensor) else a for a in args)))
    ts = [as_tensor(a) for a in args]
    shape = np.broadcast_shapes(*(t.shape for t in ts))
    return tuple(ops.broadcast_to(t, shape) for t in ts)


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: indexing is 'xy' or 'ij'; received {indexing!r}")
    ts = [ops.ravel(as_tensor(x)) for x in xi]
    places = list(range(len(ts)))
    if indexing == "xy" and len(ts) > 1:
        places[:2] = 1, 0
    thin = [ops.reshape(t, [-1 if m == n else 1 for m in range(len(ts))]) for t, n in zip(ts, places, strict=True)]
    sizes = np.broadcast_shapes(*(t.shape for t in thin))
    return tuple(thin) if sparse else tuple(ops.broadcast_to(t, sizes) for t in thin)


def _array(object: Any, dtype: Any = None, copy: Any = True) -> Tensor:
    """`np.array(..., like=t)`."""
    t = as_tensor(object)
    return t if dtype is None else ops.astype(t, dtype)


FUNCTIONS: dict[Any, Function] = {
    np.clip: _clip,
    np.where: _where,
    np.select: select,
    np.vstack: vstack,
    np.hstack: hstack,
    np.dstack: dstack,
    np.column_stack: _column_stack,
    np.append: append,
    np.delete: _delete,
    np.compress: _compress,
    np.extract: lambda condition, arr: _compress(ops.ravel(condition), ops.ravel(arr)),
    np.hsplit: split_along("hsplit", 1, 1),
    np.vsplit: split_along("vsplit", 2, 0),
    np.dsplit: split_along("dsplit", 3, 2),
    np.atleast_1d: _at_least_of(1),
    np.atleast_2d: _at_least_of(2),
    np.atleast_3d: _at_least_of(3),
    np.broadcast_arrays: _broadcast_arrays,
    np.meshgrid: meshgrid,
    np.rot90: rot90,
    np.rollaxis: _rollaxis,
    np.fliplr: lambda m: ops.flip(m, 1),
    np.flipud: lambda m: ops.flip(m, 0),
    np.diagflat: lambda v, k=0: ops.diag(ops.ravel(v), k),
    np.matrix_transpose: _matrix_transpose,
    np.linalg.matrix_transpose: _matrix_transpose,
    np.diff: diff,
    np.ediff1d: lambda ary: diff(ops.ravel(ary)),
    np.trapezoid: trapezoid,
    np.kron: kron,
    np.cross: cross,
    np.linalg.cross: lambda x1, x2, axis=-1: cross(x1, x2, axis=axis),
    np.linalg.vecdot: lambda x1, x2, axis=-1: ops.sum(ops.conj(x1) * x2, axis=axis),
    np.linalg.vector_norm: vector_norm,
    np.ptp: ptp,
    np.average: average,
    np.median: median,
    np.quantile: quantile,
    np.percentile: percentile,
    np.around: lambda a, decimals=0: ops.round(a, decimals),
    np.cumprod: cumprod,
    np.nancumsum: lambda a, axis=None: ops.cumsum(ops.where(ops.isnan(a), 0, a), axis),
    np.nancumprod: lambda a, axis=None: cumprod(ops.where(ops.isnan(a), 1, a), axis),
    np.nansum: without_nan(ops.sum, 0),
    np.nanprod: without_nan(ops.prod, 1),
    np.nanmax: nan_extreme(ops.max, -np.inf),
    np.nanmin: nan_extreme(ops.min, np.inf),
    np.nanmean: nanmean,
    np.nanvar: nanvar,
    np.nanstd: lambda a, axis=None, ddof=0, keepdims=False: ops.sqrt(nanvar(a, axis, ddof, keepdims)),
    np.nan_to_num: nan_to_num,
    np.interp: interp,
    np.polyval: polyval,
    np.vander: vander,
    np.linspace: ops.linspace,
    np.logspace: logspace,
    np.array: _array,
    np.asarray: _array,
    np.isposinf: lambda x: ops.equal(x, np.inf),
    np.isneginf: lambda x: ops.equal(x, -np.inf),
}

if hasattr(np, "unstack"):  # from NumPy 2.1
    FUNCTIONS[np.unstack] = lambda x, axis=0: tuple(ops.moveaxis(x, axis, 0))

#: the result has no slope: booleans, whole numbers, places
VALUES: tuple[Any, ...] = (
    np.array_equal,
    np.array_equiv,
    np.allclose,
    np.count_nonzero,
    np.shares_memory,
    np.may_share_memory,
    np.can_cast,
    np.iscomplex,
    np.isreal,
    np.isclose,
    np.isin,
    np.searchsorted,
    np.digitize,
    np.nonzero,
    np.flatnonzero,
    np.argwhere,
    np.argpartition,
    np.lexsort,
    np.nanargmax,
    np.nanargmin,
)
