"""Functions under the names of `keras.ops` that compute: statistics, differences, products; see `keras_names`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.naming import naming
from graphnet.node import Tensor, constant
from graphnet.ops import numpy_functions, numpy_numbers
from graphnet.ops.keras_names import cast, convert_to_tensor

__all__ = [
    "allclose",
    "average",
    "conj",
    "conjugate",
    "count_nonzero",
    "cross",
    "diff",
    "fabs",
    "geomspace",
    "hard_swish",
    "heaviside",
    "imag",
    "isclose",
    "isneginf",
    "isposinf",
    "isreal",
    "kron",
    "logspace",
    "median",
    "meshgrid",
    "moments",
    "nan_to_num",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "normalize",
    "quantile",
    "real",
    "rsqrt",
    "signbit",
    "trapezoid",
    "tri",
    "vander",
]


@naming
def normalize(x: Any, axis: int = -1, order: float = 2, epsilon: float | None = None) -> Tensor:
    """`x / max(norm(x), epsilon)` along `axis`, with the norm of this `order` and 1e-7 unless given.

    >>> normalize([[3.0, 4.0]])
    Tensor([[0.6, 0.8]], dtype=float32)
    """
    t = convert_to_tensor(x)
    t = t if t.dtype.kind == "f" else cast(t, "float32")
    least = 1e-7 if epsilon is None else epsilon
    length = ops.norm(t, ord=None if order == 2 else order, axis=axis, keepdims=True)
    none = ops.less(length, least)
    return ops.where(none, ops.stop_gradient(t) / least, t / ops.where(none, 1.0, length))


@naming
def rsqrt(x: Any) -> Tensor:
    """`1 / sqrt(x)`."""
    return ops.reciprocal(ops.sqrt(convert_to_tensor(x)))


@naming
def fabs(x: Any) -> Tensor:
    """`abs(x)`."""
    return ops.abs(convert_to_tensor(x))


@naming
def real(x: Any) -> Tensor:
    """`x`: numbers here are real."""
    return convert_to_tensor(x)


@naming
def conjugate(x: Any) -> Tensor:
    """`x`: numbers here are real."""
    return convert_to_tensor(x)


conj = conjugate


@naming
def imag(x: Any) -> Tensor:
    """Zeros: numbers here are real."""
    return ops.zeros_like(convert_to_tensor(x))


@naming
def isreal(x: Any) -> Tensor:
    """True everywhere: numbers here are real."""
    return ops.ones_like(convert_to_tensor(x), dtype=bool)


@naming
def isposinf(x: Any) -> Tensor:
    """Where `x` is plus infinity."""
    return ops.equal(convert_to_tensor(x), np.inf)


@naming
def isneginf(x: Any) -> Tensor:
    """Where `x` is minus infinity."""
    return ops.equal(convert_to_tensor(x), -np.inf)


@naming
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Where `|x1 - x2| <= atol + rtol * |x2|`; infinities of one sign are close."""
    a, b = convert_to_tensor(x1), convert_to_tensor(x2)
    finite = ops.where(ops.isfinite(b), b, 0)
    near = ops.logical_and(
        ops.isfinite(b),
        ops.less_equal(ops.abs(a - finite), atol + rtol * ops.abs(finite)),
    )
    near = ops.logical_or(near, ops.equal(a, b))
    return ops.logical_or(near, ops.logical_and(ops.isnan(a), ops.isnan(b))) if equal_nan else near


@naming
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close, see `isclose`."""
    return ops.all(isclose(x1, x2, rtol, atol, equal_nan))


@naming
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`x` with numbers in place of NaN and infinities: the dtype's largest and smallest unless given."""
    return numpy_numbers.nan_to_num(convert_to_tensor(x), nan=nan, posinf=posinf, neginf=neginf)


@naming
def heaviside(x1: Any, x2: Any) -> Tensor:
    """0 below 0, 1 above, and `x2` at 0."""
    x, at_zero = convert_to_tensor(x1), convert_to_tensor(x2)
    return numpy_numbers.heaviside(x, at_zero).astype(np.result_type(x, at_zero))


@naming
def signbit(x: Any) -> Tensor:
    """Where `x` is below 0, or -0."""
    return ops.less(ops.copysign(1.0, convert_to_tensor(x)), 0)


@naming
def count_nonzero(x: Any, axis: Any = None) -> Tensor:
    """How many elements are not 0."""
    return ops.sum(cast(ops.not_equal(convert_to_tensor(x), 0), "int32"), axis=axis)


@naming
def average(x: Any, axis: Any = None, weights: Any = None) -> Tensor:
    """The mean, or `sum(x * weights) / sum(weights)`."""
    t = convert_to_tensor(x)
    if weights is None:
        return ops.mean(t, axis=axis)
    w = convert_to_tensor(weights)
    if w.shape != t.shape:
        if w.ndim != 1 or not isinstance(axis, (int, np.integer)) or w.shape[0] != t.shape[axis]:
            raise ValueError(f"average: weights of shape {w.shape} do not fit {t.shape} along axis {axis!r}")
        w = ops.reshape(w, [-1 if n == axis % t.ndim else 1 for n in range(t.ndim)])
    return ops.sum(t * w, axis=axis) / ops.sum(ops.broadcast_to(w, t.shape), axis=axis)


@naming
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance along `axes`."""
    t = convert_to_tensor(x)
    axes = tuple(axes) if isinstance(axes, (list, tuple)) else axes
    return ops.mean(t, axis=axes, keepdims=keepdims), ops.var(t, axis=axes, keepdims=keepdims)


def _nan(name: str, f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        return f(convert_to_tensor(x), axis, keepdims)

    reduced.__name__ = reduced.__qualname__ = name
    return naming(reduced)


nansum = _nan("nansum", numpy_numbers.without_nan(ops.sum, 0.0))
nanprod = _nan("nanprod", numpy_numbers.without_nan(ops.prod, 1.0))
nanmax = _nan("nanmax", numpy_numbers.nan_extreme(ops.max, -np.inf))
nanmin = _nan("nanmin", numpy_numbers.nan_extreme(ops.min, np.inf))


@naming
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean of what is not NaN."""
    return numpy_numbers.nanmean(convert_to_tensor(x), axis, keepdims)


@naming
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance of what is not NaN."""
    return numpy_numbers.nanvar(convert_to_tensor(x), axis, keepdims=keepdims)


@naming
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation of what is not NaN."""
    return ops.sqrt(nanvar(x, axis, keepdims))


@naming
def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Each element less the one before, `n` times over."""
    return numpy_numbers.diff(convert_to_tensor(a), n, axis)


@naming
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral of `y` along `axis` by the rule of trapezoids."""
    return numpy_numbers.trapezoid(convert_to_tensor(y), None if x is None else convert_to_tensor(x), dx, axis)


@naming
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = "float32") -> Tensor:
    """Ones on and below the diagonal `k`, zeros above it."""
    return constant(
        np.tri(operator.index(N), M if M is None else operator.index(M), operator.index(k), np.dtype(dtype))
    )


@naming
def kron(x1: Any, x2: Any) -> Tensor:
    """The Kronecker product: every element of `x1` times all of `x2`."""
    return numpy_numbers.kron(convert_to_tensor(x1), convert_to_tensor(x2))


@naming
def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of a grid, an array for each axis, from those along the axes."""
    return list(numpy_functions.meshgrid(*map(convert_to_tensor, x), indexing=indexing))


@naming
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None
) -> Tensor:
    """`base ** start` to `base ** stop`, with even exponents."""
    return convert_to_tensor(np.logspace(start, stop, num, endpoint, base).astype(dtype or "float32"))


@naming
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Tensor:
    """`start` to `stop`, each a fixed multiple of the one before."""
    return convert_to_tensor(np.geomspace(start, stop, num, endpoint).astype(dtype or "float32"))


@naming
def hard_swish(x: Any) -> Tensor:
    """`x * relu6(x + 3) / 6`."""
    return ops.hard_silu(convert_to_tensor(x))


@naming
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle of the sorted elements, or the mean of the two in the middle."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


@naming
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The number below which a fraction `q` of the elements lies, between two elements in a line."""
    t = convert_to_tensor(x)
    return numpy_numbers.quantile(
        t if t.dtype.kind == "f" else cast(t, "float32"), q, axis, method=method, keepdims=keepdims
    )


@naming
def cross(x1: Any, x2: Any, axis: int = -1) -> Tensor:
    """The cross product of vectors of three numbers along `axis`."""
    return numpy_numbers.cross(convert_to_tensor(x1), convert_to_tensor(x2), axis=axis)


@naming
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of `x` as columns, from the highest down unless `increasing`."""
    t = convert_to_tensor(x)
    columns = [t**n for n in range(t.shape[0] if N is None else N)]
    return ops.stack(columns if increasing else columns[::-1], axis=-1)
