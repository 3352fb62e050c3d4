"""Functions of NumPy's that are no ops here, but short compositions of them: what NumPy calls for tensors.

Arguments and results are NumPy's, but that lists of results are lists of tensors. `FUNCTIONS` maps each of NumPy's
functions to the one here; `VALUES` are those whose result has no slope, and that get plain values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import as_tensor
from graphnet.node import Tensor, leaving
from graphnet.ops import arithmetic, creation, shaping

Function = Callable[..., Any]


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


def _vstack(tup: Any) -> Tensor:
    return ops.concatenate([_at_least(t, 2) for t in tup], axis=0)


def _hstack(tup: Any) -> Tensor:
    parts = [_at_least(t, 1) for t in tup]
    return ops.concatenate(parts, axis=0 if parts and parts[0].ndim == 1 else 1)


def _dstack(tup: Any) -> Tensor:
    return ops.concatenate([_at_least(t, 3) for t in tup], axis=2)


def _column_stack(tup: Any) -> Tensor:
    parts = [as_tensor(t) for t in tup]
    return ops.concatenate([t if t.ndim > 1 else t.reshape((-1, 1)) for t in parts], axis=1)


def _split(what: str, rank: int, axis: int) -> Function:
    def split(ary: Any, indices_or_sections: Any) -> list[Tensor]:
        t = as_tensor(ary)
        if t.ndim < rank:
            raise ValueError(f"np.{what} takes at least {rank} dimensions; received shape {t.shape}")
        return ops.split(t, indices_or_sections, axis=0 if what == "hsplit" and t.ndim == 1 else axis)

    return split


def _append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    return ops.concatenate([as_tensor(arr), as_tensor(values)], axis=axis)


def _delete(arr: Any, obj: Any, axis: int | None = None) -> Tensor:
    t = as_tensor(arr)
    if axis is None:
        t, axis = ops.ravel(t), 0
    return ops.take(t, np.delete(np.arange(t.shape[axis]), obj), axis=axis)


def _compress(condition: Any, a: Any, axis: int | None = None) -> Tensor:
    return ops.take(a, np.flatnonzero(_known(condition, "np.compress")), axis=axis)


def _known(value: Any, what: str) -> np.ndarray:
    if isinstance(value, Tensor) and value.is_symbolic:
        raise TypeError(
            f"{what}: the result depends on values in a way that has to know them; here they are not known yet"
        )
    return value._value if isinstance(value, Tensor) else np.asarray(value)


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    t = as_tensor(a)
    if n < 0:
        raise ValueError(f"np.diff: the order is 0 or more; received {n}")
    row = tuple(1 if i == axis % max(t.ndim, 1) else m for i, m in enumerate(t.shape))
    ends = [x if x is None else as_tensor(x) for x in (prepend, append)]
    before, after = (x if x is None or x.ndim else ops.broadcast_to(x, row) for x in ends)
    if before is not None or after is not None:
        t = ops.concatenate([x for x in (before, t, after) if x is not None], axis=axis)
    y = ops.moveaxis(t, axis, -1)
    for _ in range(n):
        y = y[..., 1:] != y[..., :-1] if y.dtype.kind == "b" else y[..., 1:] - y[..., :-1]
    return ops.moveaxis(y, -1, axis)


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    t = ops.moveaxis(as_tensor(y), axis, -1)
    step = dx
    if x is not None:
        places = as_tensor(x)
        step = _diff(places if places.ndim == 1 else ops.moveaxis(places, axis, -1))
    return ops.sum((t[..., 1:] + t[..., :-1]) * step, axis=-1) / 2


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    return ops.clip(a, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, *branches: Any) -> Tensor:
    if len(branches) != 2:
        raise TypeError("np.where on tensors takes a condition and two branches; use t.numpy() for np.where(condition)")
    return ops.where(condition, *branches)


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"np.select: {len(condlist)} conditions for {len(choicelist)} choices")
    found = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        found = ops.where(condition, choice, found)
    return found


def _matrix_transpose(x: Any) -> Tensor:
    return as_tensor(x).mT


def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
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


def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: indexing is 'xy' or 'ij'; received {indexing!r}")
    ts = [ops.ravel(as_tensor(x)) for x in xi]
    places = list(range(len(ts)))
    if indexing == "xy" and len(ts) > 1:
        places[:2] = 1, 0
    thin = [ops.reshape(t, [-1 if m == n else 1 for m in range(len(ts))]) for t, n in zip(ts, places, strict=True)]
    sizes = np.broadcast_shapes(*(t.shape for t in thin))
    return tuple(thin) if sparse else tuple(ops.broadcast_to(t, sizes) for t in thin)


def _kron(a: Any, b: Any) -> Tensor:
    a, b = as_tensor(a), as_tensor(b)
    rank = max(a.ndim, b.ndim)
    a, b = _at_least_rank(a, rank), _at_least_rank(b, rank)
    left = ops.reshape(a, [n for m in a.shape for n in (m, 1)])
    right = ops.reshape(b, [n for m in b.shape for n in (1, m)])
    return ops.reshape(left * right, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


def _at_least_rank(t: Tensor, rank: int) -> Tensor:
    return ops.reshape(t, (1,) * (rank - t.ndim) + t.shape)


def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = ops.moveaxis(as_tensor(a), axisa, -1), ops.moveaxis(as_tensor(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"np.cross of tensors takes vectors of 3 numbers; received {a.shape[-1]} and {b.shape[-1]}")
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return ops.moveaxis(ops.stack(parts, axis=-1), -1, axisc)


def _ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return ops.max(a, axis=axis, keepdims=keepdims) - ops.min(a, axis=axis, keepdims=keepdims)


def _vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """All numbers along `axis` are one vector, along several axes too: `ops.norm` would take two as a matrix."""
    t = as_tensor(x)
    axes = shaping.axes_of("vector_norm", t, axis)
    rest = tuple(i for i in range(t.ndim) if i not in axes)
    count = int(np.prod([t.shape[i] for i in axes], dtype=int))
    y = ops.norm(ops.reshape(ops.transpose(t, rest + axes), (*(t.shape[i] for i in rest), count)), ord, -1)
    return ops.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(t.shape))) if keepdims else y


def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    t = as_tensor(a)
    if weights is None:
        y = ops.mean(t, axis=axis, keepdims=keepdims)
        return (y, ops.full_like(y, t.size / max(y.size, 1))) if returned else y
    w = as_tensor(weights)
    if w.shape != t.shape:
        axes = shaping.axes_of("average", t, axis)
        if axis is None or w.shape != tuple(t.shape[i] for i in axes):
            raise ValueError(f"np.average: weights of shape {w.shape} do not fit {t.shape} along axis {axis}")
        w = ops.transpose(w, tuple(int(i) for i in np.argsort(axes)))
        w = ops.broadcast_to(ops.reshape(w, [t.shape[i] if i in axes else 1 for i in range(t.ndim)]), t.shape)
    total = ops.sum(w, axis=axis, keepdims=keepdims)
    if not total.is_symbolic and not total._value.all():
        raise ZeroDivisionError("np.average: the weights add up to 0")
    y = ops.sum(t * w, axis=axis, keepdims=keepdims) / total
    return (y, ops.broadcast_to(total, y.shape)) if returned else y


def _quantile(
    a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False, scale: float = 1.0
) -> Tensor:
    """Between the two nearest of the sorted numbers, in a line; NaN where one is NaN."""
    if method != "linear":
        raise ValueError(f"quantiles of tensors have method='linear'; received {method!r}")
    shares = np.asarray(q, np.float64) / scale
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"a quantile is from 0 to 1, a percentile from 0 to 100; received {q}")
    t = as_tensor(a)
    t = t if t.dtype.kind == "f" else ops.astype(t, np.float64)
    axes = shaping.axes_of("quantile", t, axis)
    rest = tuple(i for i in range(t.ndim) if i not in axes)
    count = int(np.prod([t.shape[i] for i in axes], dtype=int))
    if count == 0:
        raise ValueError("a quantile of no numbers is not defined")
    flat = ops.reshape(ops.transpose(t, rest + axes), (*(t.shape[i] for i in rest), count))
    places = shares * (count - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, count - 1)
    ranked = ops.sort(flat, axis=-1)
    below, above = ranked[..., low], ranked[..., high]
    share = (places - low).astype(t.dtype)
    # Beside an infinite number there is no line: what has no share does not count.
    finite = ops.isfinite(below) & ops.isfinite(above)
    first, last = ops.where(finite, below, 0.0), ops.where(finite, above, 0.0)
    ends = arithmetic.multiply_no_nan(1 - share, below) + arithmetic.multiply_no_nan(share, above)
    y = ops.where(finite, first + (last - first) * share, ends)
    lost = ops.any(ops.isnan(flat), axis=-1, keepdims=True)
    y = ops.where(ops.reshape(lost, (*lost.shape[:-1], *(1,) * shares.ndim)), np.nan, y)
    y = ops.transpose(y, (*range(len(rest), y.ndim), *range(len(rest))))
    kept = tuple(1 if i in axes else n for i, n in enumerate(t.shape))
    return ops.reshape(y, (*shares.shape, *kept)) if keepdims else y


def _percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    return _quantile(a, q, axis, method=method, keepdims=keepdims, scale=100.0)


def _median(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return _quantile(a, 0.5, axis, keepdims=keepdims)


def _cumprod(a: Any, axis: int | None = None) -> Tensor:
    """By doubling: products of 1, 2, 4, ... numbers, with no division, so that zeros are no matter."""
    t = as_tensor(a)
    if axis is None:
        t, axis = ops.ravel(t), 0
    y = ops.moveaxis(t, axis, 0)
    if y.dtype.kind in "biu":
        y = ops.astype(y, np.cumprod(np.empty(0, y.dtype)).dtype)
    step = 1
    while step < y.shape[0]:
        y = ops.concatenate([y[:step], y[step:] * y[:-step]])
        step *= 2
    return ops.moveaxis(y, 0, axis)


def _without_nan(function: Function, neutral: float) -> Function:
    def reduced(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        t = as_tensor(a)
        return function(ops.where(ops.isnan(t), neutral, t), axis=axis, keepdims=keepdims)

    return reduced


def _extreme(function: Function, neutral: float) -> Function:
    reduced = _without_nan(function, neutral)

    def extreme(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        t = as_tensor(a)
        if t.dtype.kind != "f":
            return function(t, axis=axis, keepdims=keepdims)
        lost = ops.all(ops.isnan(t), axis=axis, keepdims=keepdims)
        return (
            ops.where(lost, np.nan, reduced(t, axis, keepdims)) if t.dtype.kind == "f" else function(t, axis, keepdims)
        )

    return extreme


def _nanmean(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    t = as_tensor(a)
    if t.dtype.kind != "f":
        return ops.mean(t, axis=axis, keepdims=keepdims)
    count = ops.sum(ops.astype(ops.logical_not(ops.isnan(t)), t.dtype), axis=axis, keepdims=keepdims)
    return _without_nan(ops.sum, 0)(t, axis, keepdims) / count


def _nanvar(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    t = as_tensor(a)
    if t.dtype.kind != "f":
        return ops.var(t, axis=axis, ddof=ddof, keepdims=keepdims)
    count = ops.sum(ops.astype(ops.logical_not(ops.isnan(t)), t.dtype), axis=axis, keepdims=keepdims)
    away = t - _nanmean(t, axis, True)
    # Left out is what was NaN in the input only: with an infinite number the spread is NaN, as `np.var` has it.
    return ops.sum(ops.where(ops.isnan(t), 0.0, away * away), axis=axis, keepdims=keepdims) / (count - ddof)


def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    t = as_tensor(x)
    if t.dtype.kind != "f":
        return ops.positive(t) if t.dtype.kind != "b" else t
    limits = np.finfo(t.dtype)
    t = ops.where(ops.isnan(t), nan, t)
    t = ops.where(ops.equal(t, np.inf), float(limits.max) if posinf is None else posinf, t)
    return ops.where(ops.equal(t, -np.inf), float(limits.min) if neginf is None else neginf, t)


def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Tensor:
    if period is not None:
        raise TypeError("np.interp on tensors does not take period=")
    # Whole numbers are taken as floating-point ones, as in NumPy: differences of unsigned ones would wrap.
    x, xp, fp = (t if t.dtype.kind == "f" else ops.astype(t, np.float64) for t in map(as_tensor, (x, xp, fp)))
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise ValueError(f"np.interp: xp and fp are vectors of one length, 1 or more; received {xp.shape}, {fp.shape}")
    places = np.clip(np.searchsorted(_known(xp, "np.interp"), _known(x, "np.interp"), "right") - 1, 0, None)
    y = fp[np.minimum(places, xp.size - 1)]
    if xp.size > 1:
        low = np.clip(places, 0, xp.size - 2)
        run = xp[low + 1] - xp[low]
        y = fp[low] + (fp[low + 1] - fp[low]) * ((x - xp[low]) / run)
    y = ops.where(x < xp[0], fp[0] if left is None else left, y)
    return ops.where(x > xp[-1], fp[-1] if right is None else right, ops.where(ops.equal(x, xp[-1]), fp[-1], y))


def _polyval(p: Any, x: Any) -> Tensor:
    p, x = as_tensor(p), as_tensor(x)
    y = ops.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    t = as_tensor(x)
    if t.ndim != 1:
        raise ValueError(f"np.vander takes a vector; received shape {t.shape}")
    if t.dtype.kind != "f":
        t = ops.astype(t, np.result_type(t.dtype, np.int_))
    count = t.shape[0] if N is None else operator.index(N)
    columns = [t**n for n in range(count)]
    return ops.stack(columns if increasing else columns[::-1], axis=-1)


def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Tensor:
    y = ops.power(base, ops.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ops.astype(y, dtype)


def _array(object: Any, dtype: Any = None, copy: Any = True) -> Tensor:
    """`np.array(..., like=t)`."""
    t = as_tensor(object)
    return t if dtype is None else ops.astype(t, dtype)


FUNCTIONS: dict[Any, Function] = {
    np.clip: _clip,
    np.where: _where,
    np.select: _select,
    np.vstack: _vstack,
    np.hstack: _hstack,
    np.dstack: _dstack,
    np.column_stack: _column_stack,
    np.append: _append,
    np.delete: _delete,
    np.compress: _compress,
    np.extract: lambda condition, arr: _compress(ops.ravel(condition), ops.ravel(arr)),
    np.hsplit: _split("hsplit", 1, 1),
    np.vsplit: _split("vsplit", 2, 0),
    np.dsplit: _split("dsplit", 3, 2),
    np.atleast_1d: _at_least_of(1),
    np.atleast_2d: _at_least_of(2),
    np.atleast_3d: _at_least_of(3),
    np.broadcast_arrays: _broadcast_arrays,
    np.meshgrid: _meshgrid,
    np.rot90: _rot90,
    np.rollaxis: _rollaxis,
    np.fliplr: lambda m: ops.flip(m, 1),
    np.flipud: lambda m: ops.flip(m, 0),
    np.diagflat: lambda v, k=0: ops.diag(ops.ravel(v), k),
    np.matrix_transpose: _matrix_transpose,
    np.linalg.matrix_transpose: _matrix_transpose,
    np.diff: _diff,
    np.ediff1d: lambda ary: _diff(ops.ravel(ary)),
    np.trapezoid: _trapezoid,
    np.kron: _kron,
    np.cross: _cross,
    np.linalg.cross: lambda x1, x2, axis=-1: _cross(x1, x2, axis=axis),
    np.linalg.vecdot: lambda x1, x2, axis=-1: ops.sum(ops.conj(x1) * x2, axis=axis),
    np.linalg.vector_norm: _vector_norm,
    np.ptp: _ptp,
    np.average: _average,
    np.median: _median,
    np.quantile: _quantile,
    np.percentile: _percentile,
    np.around: lambda a, decimals=0: ops.round(a, decimals),
    np.cumprod: _cumprod,
    np.nancumsum: lambda a, axis=None: ops.cumsum(ops.where(ops.isnan(a), 0, a), axis),
    np.nancumprod: lambda a, axis=None: _cumprod(ops.where(ops.isnan(a), 1, a), axis),
    np.nansum: _without_nan(ops.sum, 0),
    np.nanprod: _without_nan(ops.prod, 1),
    np.nanmax: _extreme(ops.max, -np.inf),
    np.nanmin: _extreme(ops.min, np.inf),
    np.nanmean: _nanmean,
    np.nanvar: _nanvar,
    np.nanstd: lambda a, axis=None, ddof=0, keepdims=False: ops.sqrt(_nanvar(a, axis, ddof, keepdims)),
    np.nan_to_num: _nan_to_num,
    np.interp: _interp,
    np.polyval: _polyval,
    np.vander: _vander,
    np.linspace: ops.linspace,
    np.logspace: _logspace,
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
