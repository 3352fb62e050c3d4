"""NumPy's functions that compute, as compositions of ops: averages, quantiles, without NaN, differences, products."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import as_tensor
from graphnet.node import Tensor
from graphnet.ops import arithmetic, shaping

Function = Callable[..., Any]


def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return ops.max(a, axis=axis, keepdims=keepdims) - ops.min(a, axis=axis, keepdims=keepdims)


def _flattened(what: str, t: Tensor, axis: Any) -> tuple[tuple[int, ...], Tensor]:
    """`axis` of `t` as a tuple, and `t` with these axes as one, the last."""
    axes = shaping.axes_of(what, t, axis)
    rest = tuple(i for i in range(t.ndim) if i not in axes)
    count = int(np.prod([t.shape[i] for i in axes], dtype=int))
    return axes, ops.reshape(ops.transpose(t, rest + axes), (*(t.shape[i] for i in rest), count))


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """All numbers along `axis` are one vector, along several axes too: `ops.norm` would take two as a matrix."""
    t = as_tensor(x)
    axes, flat = _flattened("vector_norm", t, axis)
    y = ops.norm(flat, ord, -1)
    return ops.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(t.shape))) if keepdims else y


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
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


def quantile(
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
    axes, flat = _flattened("quantile", t, axis)
    count = flat.shape[-1]
    if count == 0:
        raise ValueError("a quantile of no numbers is not defined")
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
    rest = flat.ndim - 1
    y = ops.transpose(y, (*range(rest, y.ndim), *range(rest)))
    kept = tuple(1 if i in axes else n for i, n in enumerate(t.shape))
    return ops.reshape(y, (*shares.shape, *kept)) if keepdims else y


def percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    return quantile(a, q, axis, method=method, keepdims=keepdims, scale=100.0)


def median(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return quantile(a, 0.5, axis, keepdims=keepdims)


def cumprod(a: Any, axis: int | None = None) -> Tensor:
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


def without_nan(function: Function, neutral: float) -> Function:
    def reduced(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        t = as_tensor(a)
        return function(ops.where(ops.isnan(t), neutral, t), axis=axis, keepdims=keepdims)

    return reduced


def nan_extreme(function: Function, neutral: float) -> Function:
    reduced = without_nan(function, neutral)

    def extreme(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        t = as_tensor(a)
        if t.dtype.kind != "f":
            return function(t, axis=axis, keepdims=keepdims)
        lost = ops.all(ops.isnan(t), axis=axis, keepdims=keepdims)
        return ops.where(lost, np.nan, reduced(t, axis, keepdims))

    return extreme


def nanmean(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    t = as_tensor(a)
    if t.dtype.kind != "f":
        return ops.mean(t, axis=axis, keepdims=keepdims)
    count = ops.sum(ops.astype(ops.logical_not(ops.isnan(t)), t.dtype), axis=axis, keepdims=keepdims)
    return without_nan(ops.sum, 0)(t, axis, keepdims) / count


def nanvar(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    t = as_tensor(a)
    if t.dtype.kind != "f":
        return ops.var(t, axis=axis, ddof=ddof, keepdims=keepdims)
    count = ops.sum(ops.astype(ops.logical_not(ops.isnan(t)), t.dtype), axis=axis, keepdims=keepdims)
    away = t - nanmean(t, axis, True)
    # Left out is what was NaN in the input only: with an infinite number the spread is NaN, as `np.var` has it.
    return ops.sum(ops.where(ops.isnan(t), 0.0, away * away), axis=axis, keepdims=keepdims) / (count - ddof)


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    t = as_tensor(x)
    if t.dtype.kind != "f":
        return ops.positive(t) if t.dtype.kind != "b" else t
    limits = np.finfo(t.dtype)
    t = ops.where(ops.isnan(t), nan, t)
    t = ops.where(ops.equal(t, np.inf), float(limits.max) if posinf is None else posinf, t)
    return ops.where(ops.equal(t, -np.inf), float(limits.min) if neginf is None else neginf, t)


def known_array(value: Any, what: str) -> np.ndarray:
    if isinstance(value, Tensor) and value.is_symbolic:
        raise TypeError(
            f"{what}: the result depends on values in a way that has to know them; here they are not known yet"
        )
    return value._value if isinstance(value, Tensor) else np.asarray(value)


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
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


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    t = ops.moveaxis(as_tensor(y), axis, -1)
    step = dx
    if x is not None:
        places = as_tensor(x)
        step = diff(places if places.ndim == 1 else ops.moveaxis(places, axis, -1))
    return ops.sum((t[..., 1:] + t[..., :-1]) * step, axis=-1) / 2


def kron(a: Any, b: Any) -> Tensor:
    a, b = as_tensor(a), as_tensor(b)
    rank = max(a.ndim, b.ndim)
    a, b = (ops.reshape(t, (1,) * (rank - t.ndim) + t.shape) for t in (a, b))
    left = ops.reshape(a, [n for m in a.shape for n in (m, 1)])
    right = ops.reshape(b, [n for m in b.shape for n in (1, m)])
    return ops.reshape(left * right, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = ops.moveaxis(as_tensor(a), axisa, -1), ops.moveaxis(as_tensor(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"np.cross of tensors takes vectors of 3 numbers; received {a.shape[-1]} and {b.shape[-1]}")
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return ops.moveaxis(ops.stack(parts, axis=-1), -1, axisc)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Tensor:
    if period is not None:
        raise TypeError("np.interp on tensors does not take period=")
    # Whole numbers are taken as floating-point ones, as in NumPy: differences of unsigned ones would wrap.
    x, xp, fp = (t if t.dtype.kind == "f" else ops.astype(t, np.float64) for t in map(as_tensor, (x, xp, fp)))
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise ValueError(f"np.interp: xp and fp are vectors of one length, 1 or more; received {xp.shape}, {fp.shape}")
    places = np.clip(np.searchsorted(known_array(xp, "np.interp"), known_array(x, "np.interp"), "right") - 1, 0, None)
    y = fp[np.minimum(places, xp.size - 1)]
    if xp.size > 1:
        low = np.clip(places, 0, xp.size - 2)
        run = xp[low + 1] - xp[low]
        y = fp[low] + (fp[low + 1] - fp[low]) * ((x - xp[low]) / run)
    y = ops.where(x < xp[0], fp[0] if left is None else left, y)
    return ops.where(x > xp[-1], fp[-1] if right is None else right, ops.where(ops.equal(x, xp[-1]), fp[-1], y))


def polyval(p: Any, x: Any) -> Tensor:
    p, x = as_tensor(p), as_tensor(x)
    y = ops.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    t = as_tensor(x)
    if t.ndim != 1:
        raise ValueError(f"np.vander takes a vector; received shape {t.shape}")
    if t.dtype.kind != "f":
        t = ops.astype(t, np.result_type(t.dtype, np.int_))
    count = t.shape[0] if N is None else operator.index(N)
    columns = [t**n for n in range(count)]
    return ops.stack(columns if increasing else columns[::-1], axis=-1)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Tensor:
    y = ops.power(base, ops.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ops.astype(y, dtype)


def heaviside(x: Any, at_zero: Any) -> Tensor:
    step = ops.where(ops.greater(x, 0), 1.0, ops.where(ops.equal(x, 0), at_zero, 0.0))
    x = as_tensor(x)
    step = ops.where(ops.isnan(x), x, step) if x.dtype.kind == "f" else step
    return ops.astype(step, np.result_type(x.dtype, at_zero.dtype if isinstance(at_zero, Tensor) else at_zero, 0.0))
