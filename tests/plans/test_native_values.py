"""Native elementwise ops, casts and reductions at the edges of their dtypes: what NumPy gives, to 4 units at most."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from backends import NEEDS_LLVM
from samples import COMPOSITES, ROWS
from scalar_kernels import special, units

import graphnet as gn
from graphnet.ops import reduce

pytestmark = NEEDS_LLVM

FLOATS = ("float32", "float64")
WHOLE = ("bool", "int8", "uint8", "int32", "uint32", "int64", "uint64")
ELEMENTWISE = {name: row for name, row in ROWS.items() if row.domains}
SMOOTH = ["gelu", "gelu_tanh", "silu", "mish", "selu", "softsign", "relu6", "hard_sigmoid", "hard_silu", "sinc"]
#: of two zeros either may be the result
EITHER_ZERO = {"minimum", "maximum", "fmin", "fmax", "clip_low", "clip_high", "clip_to", "elu"}


def pairs(dtype, count):
    """Every combination of some special numbers, as one array for each argument."""
    info = np.finfo(dtype)
    edges = [0.0, 1.0, np.inf, info.max, info.tiny, info.smallest_subnormal]
    if count < 3:
        edges += [2.0, 0.5, 3.0, 2.5, info.eps, info.tiny / 2, 7e5, np.sqrt(info.max)]
    values = np.array([np.nan, *edges, *(-e for e in edges)], dtype)
    return [np.ascontiguousarray(a.ravel()) for a in np.meshgrid(*[values] * count)]


def whole(dtype):
    if dtype == "bool":
        return np.array([False, True])
    info = np.iinfo(dtype)
    values = {info.min, info.min + 1, info.max, info.max - 1, info.max // 2, 0, 1, 2, 3, 5, 7, 100, -1, -2, -3, -7}
    return np.array(sorted(v for v in values if info.min <= v <= info.max), dtype)


def native_and_eager(f, arrays):
    """What `f` gives natively and at once; None where NumPy refuses these dtypes."""
    with np.errstate(all="ignore"):
        try:
            expected = f(*map(gn.tensor, arrays))
        except (TypeError, ValueError):
            return None
        found = gn.trace(f, *arrays).compile(backend="native")(*arrays)
    return [t.numpy() for t in found], [t.numpy() for t in expected]


def check(found, expected, arrays, limit=4.0, zeros=True):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if found.dtype.kind != "f" or found.dtype == np.float16:
        np.testing.assert_array_equal(found, expected)
        return
    away = units(found, expected)
    if not zeros:
        away[(found == 0) & (expected == 0)] = 0
    worst = int(np.argmax(away))
    at = ", ".join(repr(np.ravel(a)[worst]) for a in arrays if np.size(a) > worst)
    assert np.ravel(away)[worst] <= limit, (
        f"{np.ravel(away)[worst]:.3g} units at {at}: {np.ravel(found)[worst]!r}, expected {np.ravel(expected)[worst]!r}"
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_floats_at_the_edges(name):
    row = ELEMENTWISE[name]
    arrays = [[special(d)] if row.arity == 1 else pairs(d, row.arity) for d in FLOATS]
    n = row.arity
    found, expected = native_and_eager(lambda *a: [row.call(*a[:n]), row.call(*a[n:])], [*arrays[0], *arrays[1]])
    for one, other, given in zip(found, expected, arrays, strict=True):
        check(one, other, given, zeros=name not in EITHER_ZERO)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != "where"])
def test_whole_numbers_and_booleans_at_the_edges(name):
    row = ELEMENTWISE[name]
    calls, arrays = [], []
    for dtype in WHOLE:
        given = [np.ascontiguousarray(a.ravel()) for a in np.meshgrid(*[whole(dtype)] * row.arity)]
        if name == "power" and dtype != "bool":
            given[1] = given[1] % np.array(5, dtype)
        with np.errstate(all="ignore"):
            try:
                row.call(*map(gn.tensor, given))
            except (TypeError, ValueError):
                continue
        calls.append((len(arrays), len(given)))
        arrays += given
    if not calls:
        return
    found, expected = native_and_eager(lambda *a: [row.call(*a[i : i + n]) for i, n in calls], arrays)
    for one, other, (i, n) in zip(found, expected, calls, strict=True):
        check(one, other, arrays[i : i + n])


@pytest.mark.parametrize("name", [name for name, row in ELEMENTWISE.items() if row.arity == 2 and name != "where"])
def test_arguments_of_two_dtypes(name):
    row = ELEMENTWISE[name]
    calls, arrays = [], []
    kinds = ("bool", "uint8", "int32", "int64", "uint64", "float32", "float64")
    for first, second in itertools.permutations(kinds, 2):
        a, b = (whole(d) if d not in FLOATS else pairs(d, 1)[0] for d in (first, second))
        if name == "power":
            b = b[(b >= 0) & (b < 5)] if second not in FLOATS else b
        given = [np.ascontiguousarray(v.ravel()) for v in np.meshgrid(a, b)]
        with np.errstate(all="ignore"):
            try:
                row.call(*map(gn.tensor, given))
            except (TypeError, ValueError):
                continue
        calls.append(len(arrays))
        arrays += given
    found, expected = native_and_eager(lambda *a: [row.call(a[i], a[i + 1]) for i in calls], arrays)
    for one, other, i in zip(found, expected, calls, strict=True):
        check(one, other, arrays[i : i + 2], zeros=name not in EITHER_ZERO)


@pytest.mark.parametrize("name", SMOOTH)
def test_activations_at_the_edges(name):
    f = COMPOSITES[name].call
    arrays = [special(d) for d in FLOATS]
    found, expected = native_and_eager(lambda a, b: [f(a), f(b)], arrays)
    for one, other in zip(found, expected, strict=True):
        rtol = 1e-5 if one.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def test_casts():
    arrays, pairs_of = [], []
    for old, new in itertools.permutations((*WHOLE, *FLOATS), 2):
        values = whole(old) if old not in FLOATS else pairs(old, 1)[0]
        if old in FLOATS and new in WHOLE and new != "bool":
            low, high = (float(v) for v in (np.iinfo(new).min, np.iinfo(new).max))
            values = np.array([v for v in (-3.7, -0.5, -0.0, 0.5, 3.7, 100.9) if low <= v <= high], old)
        arrays.append(values)
        pairs_of.append(new)
    found, expected = native_and_eager(lambda *a: [x.astype(d) for x, d in zip(a, pairs_of, strict=True)], arrays)
    for one, other, given in zip(found, expected, arrays, strict=True):
        check(one, other, [given], limit=0)


REDUCTIONS = {
    "sum": gn.sum,
    "mean": gn.mean,
    "prod": gn.prod,
    "max": gn.max,
    "min": gn.min,
    "any": gn.any,
    "all": gn.all,
    "var": gn.var,
    "std": gn.std,
    "norm2": reduce.norm2,
    "logsumexp": gn.logsumexp,
    "log_softmax": gn.log_softmax,
    "softmax": gn.softmax,
    "argmax": gn.argmax,
    "argmin": gn.argmin,
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_special_numbers(name):
    f = REDUCTIONS[name]
    rng = np.random.default_rng(5)
    arrays = []
    for dtype in FLOATS:
        info = np.finfo(dtype)
        edges = np.array([np.nan, np.inf, -np.inf, 0.0, info.max, -info.max, info.smallest_subnormal, 90, 800, -800])
        rows = rng.standard_normal((24, 5))
        # One in each row, two alike in some; then rows of nothing else.
        rows[np.arange(10), rng.integers(0, 5, 10)] = edges
        rows[np.arange(4), rng.integers(0, 5, 4)] = edges[:4]
        rows[10:20] = edges[:, None]
        rows[20] = [np.nan, np.inf, np.nan, -np.inf, 0]
        rows[21] = [np.inf, -np.inf, 1, 1, 1]
        rows[22] = [3, 7, 7, 3, 3]
        arrays += [rows.astype(dtype), np.ascontiguousarray(rows.T.astype(dtype))]
    with np.errstate(all="ignore"):
        found, expected = native_and_eager(lambda *a: [f(x, axis=1 - n % 2) for n, x in enumerate(a)], arrays)
    for one, other in zip(found, expected, strict=True):
        rtol = 2e-6 if one.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", [*WHOLE, *FLOATS])
def test_reductions_of_every_dtype(dtype):
    rng = np.random.default_rng(3)
    x = (rng.integers(0, 5, (3, 4, 5)) if dtype != "bool" else rng.random((3, 4, 5)) < 0.5).astype(dtype)
    kinds = ["sum", "mean", "prod", "max", "min", "any", "all", "argmax", "argmin"]

    def f(x):
        return [REDUCTIONS[k](x, axis=a, keepdims=a == 1) for k in kinds for a in (None, 0, 1, -1)]

    found, expected = native_and_eager(f, [x])
    for one, other in zip(found, expected, strict=True):
        check(one, other, [])
