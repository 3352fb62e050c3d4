"""Dtypes as NumPy 2 gives them: whole numbers, Python numbers, powers and byte orders, wherever they are computed."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from tests.backends import BACKENDS

NUMBERS = (0, 1, 2, 3, -1, 300, 2**40, 0.5, 1.0, 2.0, -1.0, True)
BINARY = (
    *("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "fmod", "power", "minimum", "maximum"),
    *("equal", "less", "greater_equal", "logical_and", "arctan2", "hypot"),
)


def outcome(f):
    """What came out, as an array, or the kind of error."""
    try:
        y = f()
    except Exception as error:
        return type(error)
    return y.numpy() if isinstance(y, gn.Tensor) else np.asarray(y)


def assert_same(found, right, what):
    if isinstance(found, type) or isinstance(right, type):
        assert found is right, what
        return
    assert found.dtype == right.dtype and found.shape == right.shape, what
    np.testing.assert_allclose(found.astype(float), right.astype(float), rtol=2e-3, err_msg=what)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "i4", "u8", "f2", "f4"])
def test_arrays_beside_python_numbers(name, dtype):
    a, f = np.array([0, 1, 3, 20], dtype), getattr(gn, name)

    def check(number, swapped):
        def call(x):
            return f(number, x) if swapped else f(x, number)

        args = (number, a) if swapped else (a, number)
        right = outcome(lambda: getattr(np, name)(*args))
        assert_same(outcome(lambda: call(gn.tensor(a))), right, f"{name} of {args}")
        assert_same(outcome(lambda: gn.compile(call, backend="numpy")(a)), right, f"{name} of {args}, compiled")

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number in NUMBERS:
            check(number, False)
            check(number, True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "i4", "i8"])
@pytest.mark.parametrize("exponent", [1.0, 2.0, 0.5, -1.0, 3.0, 2, 1, 3, np.array([2.0]), np.array(2.0), np.float32(2)])
def test_whole_numbers_to_a_power(dtype, exponent, backend):
    a = np.array([3, 20], dtype)
    right = np.power(a, exponent)
    assert_same(gn.power(a, exponent).numpy(), right, "eager")
    assert_same((gn.tensor(a) ** exponent).numpy(), right, "operator")
    assert_same(gn.compile(lambda t: t**exponent, backend=backend)(a).numpy(), right, "compiled")
    assert_same(gn.trace(lambda t: t**exponent, a)(a).numpy(), right, "graph")


def test_mean_of_squared_pixels():
    pixels = np.array([200, 10], "u1")
    assert gn.mean(gn.tensor(pixels) ** 2.0).item() == 20050.0
    assert (gn.tensor([True]) ** 1.0).dtype == np.float64


OUT_OF_RANGE = [
    lambda t: t + 300,
    lambda t: t * -1,
    lambda t: gn.maximum(300, t),
    lambda t: gn.where(t > 0, t, 300),
    lambda t: gn.where(t > 0, -1, t),
    lambda t: gn.clip(t, 300, None),
    lambda t: gn.clip(t, None, -1),
    lambda t: gn.clip(t, 300, 400),
]
PLACED = [
    lambda t: gn.set_at(t, 0, 300),
    lambda t: gn.set_at(t, [0, 1], -1),
    lambda t: gn.add_at(t, 0, 300),
    lambda t: gn.pad(t, 1, constant_values=300),
    lambda t: gn.full_like(t, 300),
]


@pytest.mark.parametrize("f", PLACED)
def test_numbers_out_of_range_are_not_written(f):
    for run in (f, lambda x: gn.trace(f, x)):
        with pytest.raises(OverflowError, match="out of bounds for uint8"):
            run(gn.tensor(np.zeros(2, "u1")))


@pytest.mark.parametrize("f", OUT_OF_RANGE)
def test_numbers_out_of_range_name_the_op(f):
    x = gn.tensor(np.zeros(2, "u1"))
    for run in (f, lambda x: gn.trace(f, x), gn.compile(f, backend="numpy")):
        with pytest.raises(
            OverflowError, match=r"(add|multiply|maximum|where|clip_low|clip_high)\(.*out of bounds for uint8"
        ):
            run(x)


@pytest.mark.parametrize("bounds", [(-1, 5), (-1, None), (3, 300), (None, 300), (-1, 300), (-(2**70), 2**70)])
def test_a_bound_beyond_the_dtype_is_none(bounds):
    x = np.array([0, 4, 200], "u1")
    want = np.clip(x, max(bounds[0] or 0, 0), min(255 if bounds[1] is None else bounds[1], 255))
    for run in (gn.clip, lambda x, *b: gn.trace(lambda t: gn.clip(t, *b), x)(x), gn.compile(gn.clip, backend="numpy")):
        found = run(gn.tensor(x), *bounds)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found.numpy(), want)


SWAPPED = [">f8", ">f4", ">f2", ">i8", ">i4", ">i2", ">u2", ">u8"]


@pytest.mark.parametrize("kind", SWAPPED)
def test_other_byte_orders_come_in(kind):
    a = np.array([1, 2, 3]).astype(kind)
    native = a.astype(a.dtype.newbyteorder("="))
    made = {
        "tensor": gn.tensor(a),
        "dtype": gn.tensor([1, 2, 3], dtype=kind),
        "op": gn.add(a, 0 * a),
        "astype": gn.tensor([1, 2, 3]).astype(kind),
        "zeros": gn.zeros(3, dtype=kind) + a,
        "ones": gn.ones(3, dtype=kind) * a,
        "full": gn.full(3, 1, dtype=kind) * a,
        "arange": gn.arange(1, 4, dtype=kind),
        "like": gn.zeros_like(a) + a,
        "graph": gn.trace(lambda x: x + 0 * x, a)(a),
        "operator": a + gn.tensor(0 * native),
    }
    for name, t in made.items():
        assert t.dtype.isnative and t.dtype == native.dtype, name
        np.testing.assert_array_equal(t.numpy(), native, err_msg=name)
    if a.dtype.kind == "f":
        p = gn.Parameter(a)
        assert p.dtype.isnative
        p.assign(2 * a)
        np.testing.assert_array_equal(p.numpy(), 2 * native)
        g = gn.grad(lambda x: (x * a).sum())(a)
        assert g.dtype == native.dtype and g.dtype.isnative
        np.testing.assert_array_equal(g.numpy(), native)
        assert gn.input((3,), dtype=kind).dtype.isnative


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", SWAPPED)
def test_other_byte_orders_in_plans(kind, backend):
    a = np.array([[1, 2, 3], [4, 5, 6]]).astype(kind)
    native = a.astype(a.dtype.newbyteorder("="))
    places = np.array([2, 0]).astype(">i8")

    def f(x):
        return (x * 2).sum(axis=0), x @ x.T, x[:, places], gn.where(x > a, x, a)

    compiled = gn.compile(f, backend=backend)
    for given in (a, native, gn.tensor(a)):
        for found, right in zip(compiled(given), f(gn.tensor(native)), strict=True):
            assert found.dtype == right.dtype and found.dtype.isnative
            np.testing.assert_array_equal(found.numpy(), right.numpy())


def test_other_byte_orders_in_training():
    from graphnet import nn

    x = np.linspace(0, 1, 24).reshape(8, 3)
    y = x.sum(axis=1, keepdims=True)
    found = []
    for kind in ("f8", ">f8", ">f4"):
        gn.nn.utils.set_random_seed(0)
        model = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x.astype(kind), y.astype(kind), epochs=2, verbose=0)
        found.append(model.predict(x.astype(kind), verbose=0))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, n: gn.arctan2(n, x),
        lambda x, n: gn.arctan2(x, n),
        lambda x, n: n**x,
        lambda x, n: (n**x) ** 2,
        lambda x, n: (x**n) ** 2,
        lambda x, n: gn.hypot(n, x),
        lambda x, n: gn.logaddexp(n, x),
        lambda x, n: n / x,
        lambda x, n: gn.fmod(x, n + 1),
    ],
)
def test_gradients_beside_whole_numbers_are_those_beside_floating_point_ones(f, dtype):
    x = np.array([1.5, 2.5, 0.5])
    n = np.array([100, 5, 0]).astype(dtype)
    if dtype != "bool":
        n[2] = 3

    def slopes(n):
        first = gn.grad(lambda v: gn.sum(f(v, n)) / 100.0)
        return first(x), gn.grad(lambda v: gn.sum(first(v) * np.arange(1.0, 4.0)))(x), gn.trace(first, x)(x)

    for found, expected in zip(slopes(gn.tensor(n)), slopes(gn.tensor(n.astype("float64"))), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)


def test_interpolation_takes_whole_numbers_as_floating_point_ones():
    x, places, n = np.array([1.5, 2.5, 0.5]), np.array([0, 1, 3], np.uint8), np.array([100, 5, 3], np.uint8)
    expected = np.interp(x, places, n)
    for found in (
        np.interp(gn.tensor(x), places, n),
        np.interp(x, gn.tensor(places), n),
        np.interp(x, places, gn.tensor(n)),
    ):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-15)
    assert gn.grad(lambda v: np.interp(v, places, n).sum())(x).tolist() == [-1, -1, -95]
