"""Digits where a formula would lose them: tails, sums of many numbers, small integers, float16, means of constants."""

import math

import numpy as np
import pytest

import graphnet as gn
from graphnet.plans.code import compiler
from tests.backends import BACKENDS

FAR = np.array([-80.0, -40.0, -20.0, -9.0, -3.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 3.0, 9.0, 20.0, 40.0, 80.0])


def _sigmoid(x):
    return 1 / (1 + np.exp(-x)) if x > 0 else np.exp(x) / (1 + np.exp(x))


def _logistic(x):
    return _sigmoid(x) * _sigmoid(-x)


def _normal(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _sech2(x):
    z = np.exp(-2 * abs(np.longdouble(x)))
    return 4 * z / (1 + z) ** 2


def _bell(x):
    return np.exp(-(np.longdouble(x) ** 2))


TWO_BY_ROOT_PI = 2 / np.sqrt(np.longdouble(math.pi))
# What is right in float64's range, from functions of one number.
VALUES = {
    "sigmoid": (gn.sigmoid, _sigmoid),
    "tanh": (gn.tanh, math.tanh),
    "softplus": (gn.softplus, lambda x: max(x, 0) + math.log1p(math.exp(-abs(x)))),
    "log_sigmoid": (gn.log_sigmoid, lambda x: min(x, 0) - math.log1p(math.exp(-abs(x)))),
    "erf": (gn.erf, math.erf),
    "erfc": (gn.erfc, math.erfc),
    "expm1": (gn.expm1, math.expm1),
    "silu": (gn.silu, lambda x: x * _sigmoid(x)),
    "gelu of tanh": (
        lambda x: gn.gelu(x, approximate=True),
        lambda x: x * _sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)),
    ),
}
SLOPES = {
    "sigmoid": (gn.sigmoid, _logistic),
    "tanh": (gn.tanh, _sech2),
    "softplus": (gn.softplus, _sigmoid),
    "log_sigmoid": (gn.log_sigmoid, lambda x: _sigmoid(-x)),
    "erf": (gn.erf, lambda x: TWO_BY_ROOT_PI * _bell(x)),
    "erfc": (gn.erfc, lambda x: -TWO_BY_ROOT_PI * _bell(x)),
    "expm1": (gn.expm1, math.exp),
    "logaddexp": (lambda x: gn.logaddexp(x, 0.0), _sigmoid),
}
SECOND = {
    "sigmoid": (gn.sigmoid, lambda x: -_logistic(x) * math.tanh(x / 2)),
    "tanh": (gn.tanh, lambda x: -2 * math.tanh(x) * _sech2(x)),
    "softplus": (gn.softplus, _logistic),
    "erf": (gn.erf, lambda x: -2 * x * TWO_BY_ROOT_PI * _bell(x)),
    "expm1": (gn.expm1, math.exp),
}


def assert_digits(found, f, x, units, what):
    """`found` is `f` at `x` to so many units in the last place; of denormal numbers, nearly."""
    info = np.finfo(found.dtype)
    exact = np.array([f(float(v)) for v in x], np.longdouble)
    inside = np.abs(exact) < info.max
    away = np.abs(found.astype(np.longdouble) - exact)[inside]
    allowed = units * info.eps * np.abs(exact[inside]) + 64 * info.smallest_subnormal
    assert (away <= allowed).all(), f"{what}: {found[inside]} but {exact[inside]} at {x[inside]}"


def ways(f, x, many=True):
    """`f(x)`: eagerly on few and on many numbers, as a graph, and compiled."""
    yield "eager", f(gn.tensor(x)).numpy()
    if many:
        yield "many", f(gn.tensor(np.tile(x, 1000))).numpy()[: x.size]
    yield "graph", gn.trace(f, x)(x).numpy()
    for backend in ("numpy", "native") if compiler.available() else ("numpy",):
        yield backend, gn.compile(f, backend=backend)(x).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", VALUES)
def test_values_in_the_tails(name, dtype):
    f, right = VALUES[name]
    x = (FAR if name not in ("erfc", "gelu of tanh") else FAR / 4).astype(dtype)
    # The argument of the sigmoid in gelu is itself rounded.
    units = 400 if name == "gelu of tanh" else 8
    with np.errstate(all="ignore"):
        for way, found in ways(f, x):
            assert_digits(found, right, x, units, f"{name}, {way}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SLOPES)
def test_slopes_in_the_tails(name, dtype):
    f, right = SLOPES[name]
    x = (FAR / 4 if "erf" in name else FAR).astype(dtype)
    with np.errstate(all="ignore"):
        for way, found in ways(gn.elementwise_grad(f), x):
            assert_digits(found, right, x, 12, f"{name}, {way}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_in_the_tails(name, dtype):
    f, right = SECOND[name]
    x = (FAR / 4 if "erf" in name else FAR).astype(dtype)
    with np.errstate(all="ignore"):
        for way, found in ways(gn.elementwise_grad(gn.elementwise_grad(f)), x):
            assert_digits(found, right, x, 16, f"{name}, {way}")


def test_arcsin_near_its_ends():
    x = np.array([1 - 2.0**-40, -1 + 2.0**-50])
    right = 1 / np.sqrt((1 - np.abs(x)) * (1 + np.abs(x)))
    np.testing.assert_allclose(gn.elementwise_grad(gn.arcsin)(x).numpy(), right, rtol=1e-15)
    np.testing.assert_allclose(gn.elementwise_grad(gn.arccos)(x).numpy(), -right, rtol=1e-15)


PRODUCTS = {
    "x @ x": (lambda x: x @ x, (300_000,)),
    "vdot": (lambda x: gn.vdot(x, x), (300_001,)),
    "a row and a column": (lambda x: gn.reshape(x, (1, -1)) @ gn.reshape(x, (-1, 1)), (100_100,)),
    "a short one": (lambda x: x @ x, (70,)),
    "less than a vector": (lambda x: x @ x, (3,)),
    "a column transposed": (lambda x: x.T @ x, (50_000, 1)),
    "a row and a matrix": (lambda x: x[0] @ x, (1000, 1000)),
    "a row and a tall matrix": (lambda x: x[:, 0] @ x, (20_000, 7)),
    "a row and 100 columns": (lambda x: x[:, 1] @ x, (1300, 100)),
    "sum of squares": (lambda x: gn.sum(x * x), (300_000,)),
    "sum of products": (lambda x: gn.sum(x * x[::-1]), (100_003,)),
    "mean of squares": (lambda x: gn.mean(x * x), (100_000,)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_sums_of_products(name, backend):
    f, shape = PRODUCTS[name]
    for x in (np.full(shape, 1 / 3, np.float32), np.random.default_rng(0).random(shape, np.float32) + 1):
        right = f(gn.tensor(x.astype(np.float64))).numpy()
        eager = np.abs(f(gn.tensor(x)).numpy() / right - 1).max()
        found = gn.compile(f, backend=backend)(x)
        assert found.dtype == np.float32
        assert np.abs(found.numpy() / right - 1).max() <= max(4e-6, 2 * eager)
        wide = gn.compile(f, backend=backend)(x.astype(np.float64)).numpy()
        np.testing.assert_allclose(wide, right, rtol=1e-10)


CONSTANTS = [
    np.full(3, 0.1),
    np.full(3, 0.7),
    np.full(10, 0.7),
    np.full(5000, 0.1),
    np.full((3, 5), 0.3),
    np.full(1, 2.5),
]
SPREADS = {
    "std": gn.std,
    "std, ddof": lambda x: gn.std(x, ddof=1 if x.size > 1 else 0),
    "root of var": lambda x: gn.sqrt(gn.var(x)),
    "var ** 0.5": lambda x: gn.var(x) ** 0.5,
    "norm of what is centred": lambda x: gn.norm(x - gn.mean(x)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SPREADS)
def test_spread_of_a_constant(name, dtype):
    for x in (c.astype(dtype) for c in CONSTANTS):
        with np.errstate(all="ignore"):
            for way, found in ways(gn.grad(SPREADS[name]), x, many=False):
                limit = 0 if "norm" not in name else 4 * np.finfo(dtype).eps
                assert np.abs(found).max() <= limit, (way, x.shape, found)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_spread_along_an_axis(dtype):
    x = np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 6.0]], dtype)
    right = np.array([[0, 0, 0], [-2, -1, 3]]) / (3 * np.sqrt(14 / 3))
    for _, found in ways(gn.grad(lambda x: gn.std(x, axis=1).sum()), x, many=False):
        np.testing.assert_allclose(found, right, rtol=3e-6 if dtype == np.float32 else 1e-14, atol=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_that_are_nearly_equal(dtype):
    """One unit in the last place apart: the mean is rounded by as much."""
    one = dtype(0.1)
    unit = np.spacing(one)
    x = np.array([one, one, one + unit])
    right = np.array([-1, -1, 2]) / np.sqrt(2) / 3
    rtol = 1e-6 if dtype == np.float32 else 1e-13
    for way, found in ways(gn.std, x, many=False):
        np.testing.assert_allclose(found / unit, np.sqrt(2) / 3, rtol=rtol, err_msg=way)
    for way, found in ways(gn.grad(gn.std), x, many=False):
        np.testing.assert_allclose(found, right, rtol=rtol, err_msg=way)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int8, np.bool_])
def test_std_is_numpys(dtype, ddof):
    x = (np.random.default_rng(0).random((4, 5)) * 100).astype(dtype)
    for axis in (None, 0, (0, 1), -1):
        for keepdims in (False, True):
            found = gn.std(x, axis=axis, keepdims=keepdims, ddof=ddof).numpy()
            right = np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)
            assert found.dtype == right.dtype and found.shape == right.shape
            np.testing.assert_allclose(found, right, rtol=2e-3 if dtype == np.float16 else 1e-6)


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u8", "bool"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sparsemax"])
def test_whole_numbers_far_apart(name, dtype, backend):
    """The difference of two int8 may need nine bits, that of two unsigned numbers a sign."""
    x = np.array([[-100, 100, 27], [3, 120, -128]] if dtype[0] == "i" else [[200, 100, 0], [1, 0, 255]]).astype(dtype)
    f = (lambda x: getattr(gn, name)(x, axis=1)) if backend is None else None
    call = f or gn.compile(lambda x: getattr(gn, name)(x, axis=1), backend=backend)
    found = call(gn.tensor(x))
    assert found.dtype == np.float64
    right = getattr(gn, name)(x.astype(np.float64), axis=1).numpy()
    np.testing.assert_allclose(found.numpy(), right, rtol=1e-14)


def test_reductions_of_nothing():
    nothing = np.zeros((3, 0))
    assert gn.logsumexp(np.zeros(0)).item() == -np.inf
    np.testing.assert_array_equal(gn.logsumexp(nothing, axis=1).numpy(), [-np.inf] * 3)
    for f in (gn.logsumexp, gn.sum, gn.prod, gn.norm, gn.softmax, gn.log_softmax, gn.sparsemax):
        for backend in ("eager", "numpy"):
            slope = gn.grad(lambda x, f=f: gn.sum(f(x, axis=1)))
            run = slope if backend == "eager" else gn.compile(slope, backend="numpy")
            assert run(nothing).shape == (3, 0)
    for f in (gn.max, gn.min):
        for run in (f, lambda x, f=f: gn.trace(f, x), gn.compile(f, backend="numpy")):
            with pytest.raises(ValueError, match=r"(max|min)\(float64\[3, 0\].*of no numbers is not defined"):
                run(nothing)
        assert f(nothing, axis=0).shape == (0,)


def test_float16_sums_in_gradients():
    """A sum of ones in float16 stops at 2048."""
    x = np.ones((5000, 3), np.float16)
    b = np.zeros(3, np.float16)

    for g in (gn.grad(lambda b: gn.sum(x + b))(b), gn.trace(gn.grad(lambda b: gn.sum(x + b)), b)(b)):
        assert g.dtype == np.float16
        np.testing.assert_array_equal(g.numpy(), [5000] * 3)
    g = gn.compile(gn.grad(lambda b: gn.sum(x + b)), backend="numpy")(b)
    np.testing.assert_array_equal(g.numpy(), [5000] * 3)
    hessian = gn.grad(lambda b: gn.grad(lambda b: gn.sum((x + b) * (x + b)))(b).sum())(b)
    np.testing.assert_array_equal(hessian.numpy(), [10_000] * 3)


def test_float16_sums_of_rows_and_places():
    x = np.ones((5000, 3), np.float16)
    np.testing.assert_array_equal(gn.sum(x, axis=0).numpy(), [5000] * 3)
    np.testing.assert_array_equal(gn.compile(lambda x: gn.sum(x, axis=0), backend="numpy")(x).numpy(), [5000] * 3)
    places = np.zeros(5000, int)
    table = np.zeros((2, 3), np.float16)
    np.testing.assert_array_equal(gn.grad(lambda t: t[places].sum())(table).numpy()[0], [5000] * 3)
    np.testing.assert_array_equal(gn.grad(lambda t: gn.take_rows(t, places).sum())(table).numpy()[0], [5000] * 3)
    few = np.zeros(400, int)
    np.testing.assert_array_equal(gn.grad(lambda t: t[few].sum())(table).numpy()[0], [400] * 3)
    g = gn.grad(lambda x: (gn.cumsum(x) / 1000).sum())(np.full(5000, 1e-3, np.float16))
    np.testing.assert_allclose(g.numpy()[0], 5, rtol=2e-3)


def test_layers_of_constant_rows():
    from graphnet import nn

    x = np.full((4, 6), 0.7, np.float32)
    for layer in (nn.LayerNormalization(), nn.GroupNormalization(2), nn.UnitNormalization(), nn.BatchNormalization()):
        y, pull = gn.vjp(lambda t, layer=layer: layer(t, training=True), x)
        (g,) = pull(np.random.default_rng(0).random(y.shape, np.float32))
        assert np.isfinite(g.numpy()).all()
        right = 1 / np.sqrt(6) if isinstance(layer, nn.UnitNormalization) else 0
        np.testing.assert_allclose(y.numpy(), right, rtol=1e-6, atol=1e-5)
