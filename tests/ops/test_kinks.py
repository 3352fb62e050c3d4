"""Gradients where functions are not smooth: at ties, zeros, infinities and NaN, eager and as graphs, in two orders."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.plans.code import compiler

INF, NAN = np.inf, np.nan


def gradients_every_way(f, *points, dtype=np.float64):
    """The gradient of the sum of `f`: by the sweep on arrays, by the one on tensors, by a graph, by a smaller graph."""
    arrays = [np.asarray(p, dtype) for p in points]

    def total(*xs):
        return f(*xs).sum()

    with np.errstate(all="ignore"):
        xs = [gn.tensor(a, requires_grad=True) for a in arrays]
        y = total(*xs)
        y.backward()
        yield [x.grad.numpy() for x in xs]
        yield [g.numpy() for g in gn.gradients(y, xs)]
        slopes = gn.trace(total, *arrays)
        slopes = slopes.gradient(list(slopes.inputs))
        yield [g.numpy() for g in slopes(*arrays)]
        yield [g.numpy() for g in slopes.simplify()(*arrays)]


FIRST = [
    ("norm at 0", gn.norm, [[0.0, 0.0]], [[0, 0]]),
    ("norm of nothing", gn.norm, [np.zeros(0)], [np.zeros(0)]),
    ("norm along an axis", lambda x: gn.norm(x, axis=1), [[[0.0, 0.0], [3.0, 4.0]]], [[[0, 0], [0.6, 0.8]]]),
    ("sqrt in a branch not taken", lambda x: gn.where(x > 0, gn.sqrt(x), 0 * x), [[0.0, 4.0]], [[0, 0.25]]),
    ("log in a branch not taken", lambda x: gn.where(x > 0, gn.log(x) * x, 0.0), [[0.0, 1.0]], [[0, 1]]),
    ("division in a branch not taken", lambda x: gn.where(x == 0, 1.0, gn.sin(x) / x), [[0.0]], [[0]]),
    ("power in a branch not taken", lambda x: gn.where(x > 0, x**-0.5, 0.0), [[0.0, 1.0]], [[0, -0.5]]),
    ("exp in a branch not taken", lambda x: gn.where(x < 1, x, x * gn.exp(x)), [[0.5, -1000.0]], [[1, 1]]),
    ("overflow in a branch not taken", lambda x: gn.where(x > 1, 1.0, gn.exp(x * x)), [[1e3, 0.0]], [[0, 0]]),
    ("arcsin in a branch not taken", lambda x: gn.where(x < 1, gn.arcsin(x), 0.0), [[1.0, 0.0]], [[0, 1]]),
    ("abs", gn.abs, [[-2.0, -0.0, 0.0, 3.0]], [[-1, 0, 0, 1]]),
    ("relu", gn.relu, [[-1.0, -0.0, 0.0, 2.0, INF, -INF]], [[0, 0, 0, 1, 1, 0]]),
    ("leaky_relu", gn.leaky_relu, [[-1.0, 0.0, 2.0]], [[0.2, 0.2, 1]]),
    ("relu6", gn.relu6, [[-1.0, 0.0, 3.0, 6.0, 7.0]], [[0, 0, 1, 0, 0]]),
    ("hard_tanh", gn.hard_tanh, [[-2.0, -1.0, 0.0, 1.0, 2.0]], [[0, 1, 1, 1, 0]]),
    ("hard_sigmoid", gn.hard_sigmoid, [[-4.0, -3.0, 0.0, 3.0, 4.0]], [[0, 1 / 6, 1 / 6, 1 / 6, 0]]),
    ("celu", gn.celu, [[-1000.0, 0.0, 1000.0]], [[0, 1, 1]]),
    ("soft_shrink", gn.soft_shrink, [[-1.0, -0.5, 0.0, 0.5, 1.0]], [[1, 0, 0, 0, 1]]),
    ("hard_shrink", gn.hard_shrink, [[-1.0, -0.5, 0.0, 0.5, 1.0]], [[1, 0, 0, 0, 1]]),
    ("threshold", lambda x: gn.threshold(x, 1.0, 5.0), [[0.0, 1.0, 2.0]], [[0, 0, 1]]),
    ("tanh_shrink", gn.tanh_shrink, [[0.0, 1000.0]], [[0, 1]]),
    ("sparse_plus", gn.sparse_plus, [[-2.0, -1.0, 0.0, 1.0, 2.0]], [[0, 0, 0.5, 1, 1]]),
    ("sparse_sigmoid", gn.sparse_sigmoid, [[-2.0, -1.0, 0.0, 1.0, 2.0]], [[0, 0.5, 0.5, 0.5, 0]]),
    ("squareplus", gn.squareplus, [[-1e20, 0.0, 1e20]], [[0, 0.5, 1]]),
    ("sparsemax", lambda x: gn.sparsemax(x)[0], [[1.0, 1.5, -1.0]], [[0.5, -0.5, 0]]),
    ("sparsemax of ties", lambda x: gn.sparsemax(x)[0], [[1.0, 1.0, 1.0, -5.0]], [[2 / 3, -1 / 3, -1 / 3, 0]]),
    ("sparsemax of large ones", lambda x: gn.sparsemax(x)[0], [[1e30, -1e30]], [[0, 0]]),
    ("glu", gn.glu, [[2.0, 0.0]], [[0.5, 0.5]]),
    ("max of ties", gn.max, [[3.0, 3.0, 1.0]], [[0.5, 0.5, 0]]),
    ("max of ties along an axis", lambda x: gn.max(x, axis=0), [[[1.0, 2.0], [1.0, 3.0]]], [[[0.5, 0], [0.5, 1]]]),
    ("min of signed zeros", gn.min, [[0.0, -0.0, 1.0]], [[0.5, 0.5, 0]]),
    ("max of infinities", gn.max, [[INF, INF, 1.0]], [[0.5, 0.5, 0]]),
    ("maximum at a tie", lambda x: gn.maximum(x, 3.0), [[3.0, 4.0, 2.0]], [[0.5, 1, 0]]),
    ("maximum of two", gn.maximum, [[3.0, 1.0], [3.0, 2.0]], [[0.5, 0], [0.5, 1]]),
    ("minimum of signed zeros", gn.minimum, [[0.0], [-0.0]], [[0.5], [0.5]]),
    ("fmax beside NaN", gn.fmax, [[NAN, 1.0, 2.0], [1.0, NAN, 2.0]], [[0, 1, 0.5], [1, 0, 0.5]]),
    ("maximum beside NaN", gn.maximum, [[NAN, 1.0], [1.0, NAN]], [[1, 0], [0, 1]]),
    ("clip", lambda x: gn.clip(x, 0.0, 1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0, 1, 1, 1, 0]]),
    ("clip from below", lambda x: gn.clip(x, 0.0, None), [[-1.0, 0.0, 2.0]], [[0, 1, 1]]),
    (
        "clip's bounds",
        gn.clip,
        [[-1.0, 0.0, 0.5, 2.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]],
        [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]],
    ),
    ("clip's bounds broadcast", gn.clip, [[-1.0, 0.5, 2.0], 0.0, [1.0]], [[0, 1, 0], 1, [1]]),
    ("prod with one zero", gn.prod, [[0.0, 2.0, 3.0]], [[6, 0, 0]]),
    ("prod with two zeros", gn.prod, [[0.0, 2.0, 0.0]], [[0, 0, 0]]),
    ("prod along axes", lambda x: gn.prod(x, axis=(0, 2)), [[[[0.0, 2.0]], [[3.0, 4.0]]]], [[[[24, 0]], [[0, 0]]]]),
    ("x ** 0", lambda x: x**0.0, [[0.0, -2.0, 3.0]], [[0, 0, 0]]),
    ("x ** 0 with an integer", lambda x: x**0, [[0.0, -2.0]], [[0, 0]]),
    ("0 ** x", lambda x: gn.power(0.0, x), [[0.0, 1.0, 2.5]], [[0, 0, 0]]),
    ("x ** 2 of a negative", lambda x: x**2, [[-3.0, 0.0]], [[-6, 0]]),
    ("x ** 3 of a negative", lambda x: x**3.0, [[-2.0, -0.0]], [[12, 0]]),
    ("x ** 1 at 0", lambda x: x**1.0, [[0.0]], [[1]]),
    ("tensor exponents", gn.power, [[2.0, 0.0, 3.0], [3.0, 2.0, 0.0]], [[12, 0, 0], [8 * np.log(2), 0, np.log(3)]]),
    ("std of a constant", gn.std, [[2.0, 2.0, 2.0]], [[0, 0, 0]]),
    ("var of a constant", gn.var, [[2.0, 2.0]], [[0, 0]]),
    ("sinc", gn.sinc, [[0.0, 1.0]], [[0, -1]]),
    ("hypot", gn.hypot, [[0.0, 3.0], [0.0, 4.0]], [[0, 0.6], [0, 0.8]]),
    ("arctan2", gn.arctan2, [[0.0, 1.0], [0.0, 1.0]], [[0, 0.5], [0, -0.5]]),
    ("logaddexp of infinities", gn.logaddexp, [[-INF, INF, -INF], [-INF, INF, 1.0]], [[0.5, 0.5, 0], [0.5, 0.5, 1]]),
    ("logaddexp of large ones", gn.logaddexp, [[1000.0], [1000.0]], [[0.5], [0.5]]),
    ("logsumexp of -inf", gn.logsumexp, [[-INF, -INF]], [[0.5, 0.5]]),
    ("logsumexp of inf", gn.logsumexp, [[INF, 1.0, INF]], [[0.5, 0, 0.5]]),
    ("logsumexp of large ones", gn.logsumexp, [[1000.0, 1000.0, -INF]], [[0.5, 0.5, 0]]),
    ("log_softmax of large ones", lambda x: gn.log_softmax(x)[0], [[-1000.0, 1000.0]], [[1, -1]]),
    ("softplus of large ones", gn.softplus, [[-1000.0, 0.0, 1000.0, INF, -INF]], [[0, 0.5, 1, 1, 0]]),
    ("log_sigmoid of large ones", gn.log_sigmoid, [[-1000.0, 0.0, 1000.0]], [[1, 0.5, 0]]),
    ("sigmoid of large ones", gn.sigmoid, [[-1000.0, 0.0, 1000.0, INF]], [[0, 0.25, 0, 0]]),
    ("elu", gn.elu, [[-1000.0, 0.0, 1000.0]], [[0, 1, 1]]),
    ("sqrt at 0", gn.sqrt, [[0.0, 4.0]], [[INF, 0.25]]),
    ("square of a root", lambda x: gn.sqrt(x) ** 2, [[0.0, 4.0]], [[1, 1]]),
    ("square of a root by gn.square", lambda x: gn.square(gn.sqrt(x)), [[0.0, 4.0]], [[1, 1]]),
    ("a root times itself", lambda x: gn.sqrt(x) * gn.sqrt(x), [[0.0, 4.0]], [[1, 1]]),
    ("square of a power", lambda x: (x**0.5) ** 2.0, [[0.0, 4.0]], [[1, 1]]),
    ("square of a root of a number below 0", lambda x: gn.sqrt(x) ** 2, [[-1.0, 4.0]], [[NAN, 1]]),
    ("square of a root, and the root", lambda x: gn.where(x > 0, gn.sqrt(x), 0) ** 2 + x, [[0.0, 4.0]], [[1, 2]]),
    ("square of a norm", lambda x: gn.norm(x) ** 2, [[0.0, 0.0]], [[0, 0]]),
    ("square of std", lambda x: gn.std(x) ** 2, [[0.5, 0.5]], [[0, 0]]),
    ("exp of log", lambda x: gn.exp(gn.log(x)), [[0.0, 2.0]], [[1, 1]]),
    ("expm1 of log1p", lambda x: gn.expm1(gn.log1p(x)), [[-1.0, 2.0]], [[1, 1]]),
    ("sin of arcsin", lambda x: gn.sin(gn.arcsin(x)), [[1.0, -1.0, 0.5]], [[1, 1, 1]]),
    ("cos of arccos", lambda x: gn.cos(gn.arccos(x)), [[1.0, -1.0, 0.5]], [[1, 1, 1]]),
    ("tanh of arctanh", lambda x: gn.tanh(gn.arctanh(x)), [[1.0, -1.0, 0.5]], [[1, 1, 1]]),
    ("cosh of arccosh", lambda x: gn.cosh(gn.arccosh(x)), [[1.0, 2.0]], [[1, 1]]),
    ("log at 0", gn.log, [[0.0, 2.0]], [[INF, 0.5]]),
    ("rounding", lambda x: gn.floor(x) + gn.round(x) + gn.sign(x) + x, [[0.5, 1.0]], [[1, 1]]),
    ("repeated index", lambda x: x[[0, 2, 2]] * np.array([1, 10, 100]), [[1.0, 2.0, 3.0]], [[1, 0, 110]]),
    ("a mask", lambda x: x[np.array([True, False, True])], [[1.0, 2.0, 3.0]], [[1, 0, 1]]),
    ("empty", lambda x: gn.exp(x) * 2.0, [np.zeros((0, 3))], [np.zeros((0, 3))]),
    ("empty beside one", lambda a, b: a * b, [np.zeros((0, 3)), [[2.0, 3.0, 4.0]]], [np.zeros((0, 3)), [[0, 0, 0]]]),
    ("0-d beside a matrix", lambda a, b: a * b, [2.0, np.ones((2, 3))], [6, np.full((2, 3), 2.0)]),
    ("size-one axes both ways", lambda a, b: a * b, [[[1.0], [2.0]], [[3.0, 4.0]]], [[[7], [7]], [[3, 3]]]),
    ("max_pool of ties", lambda x: gn.max_pool(x[None, :, None], 2), [[3.0, 3.0, 1.0, 2.0]], [[1, 0, 0, 1]]),
    ("max_pool of ties that overlap", lambda x: gn.max_pool(x[None, :, None], 2, 1), [[1.0, 1.0, 1.0]], [[1, 1, 0]]),
    ("max_pool beside NaN", lambda x: gn.max_pool(x[None, :, None], 3), [[1.0, NAN, NAN]], [[0, 1, 0]]),
    ("max_pool of infinities", lambda x: gn.max_pool(x[None, :, None], 3), [[1.0, INF, INF]], [[0, 1, 0]]),
    ("max_pool of -inf", lambda x: gn.max_pool(x[None, :, None], 2), [[-INF, -INF]], [[1, 0]]),
    (
        "max_pool of -inf beside padding",
        lambda x: gn.max_pool(x[None, :, None], 3, 2, padding=((2, 2),)),
        [[-INF, -INF, -INF]],
        [[2, 0, 1]],
    ),
    ("max_pool of signed zeros", lambda x: gn.max_pool(x[None, :, None], 2), [[-0.0, 0.0]], [[1, 0]]),
    ("max_pool with a rest", lambda x: gn.max_pool(x[None, :, None], 2), [[1.0, 2.0, 9.0]], [[0, 1, 0]]),
    ("avg_pool with padding", lambda x: gn.avg_pool(x[None, :, None], 2, padding="same"), [[1.0] * 3], [[0.5, 0.5, 1]]),
    ("conv of an empty batch", lambda x: gn.conv(x, np.ones((2, 1, 3))), [np.zeros((0, 4, 1))], [np.zeros((0, 4, 1))]),
    (
        "a kernel for an empty batch",
        lambda k: gn.conv(np.zeros((0, 4, 1)), k),
        [np.ones((2, 1, 3))],
        [np.zeros((2, 1, 3))],
    ),
    ("max_pool of an empty batch", lambda x: gn.max_pool(x, 2), [np.zeros((0, 4, 1))], [np.zeros((0, 4, 1))]),
    ("conv with a rest", lambda x: gn.conv(x[None, :, None], np.ones((2, 1, 1)), 2), [[1.0, 2.0, 9.0]], [[1, 1, 0]]),
    ("conv of size one", lambda x: gn.conv(x, np.full((1, 1, 1, 1), 3.0)), [[[[[2.0]]]]], [[[[[3]]]]]),
    ("gelu far out", gn.gelu, [[-40.0, 0.0, 40.0]], [[0, 0.5, 1]]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "points", "expected"), [pytest.param(*case[1:], id=case[0]) for case in FIRST])
def test_first_derivatives(f, points, expected, dtype):
    for found in gradients_every_way(f, *points, dtype=dtype):
        for g, p, e in zip(found, points, expected, strict=True):
            assert g.dtype == dtype and g.shape == np.shape(p)
            np.testing.assert_allclose(g, e, rtol=1e-6, atol=1e-7)


SECOND = [
    ("sqrt in a branch not taken", lambda x: gn.where(x > 0, gn.sqrt(x), 0 * x), [0.0, 4.0], [0, -1 / 32]),
    ("log in a branch not taken", lambda x: gn.where(x > 0, gn.log(x) * x, 0.0), [0.0, 2.0], [0, 0.5]),
    ("division in a branch not taken", lambda x: gn.where(x == 0, 1.0, 1 / x), [0.0, 2.0], [0, 0.25]),
    ("power in a branch not taken", lambda x: gn.where(x > 0, x**1.5, 0.0), [0.0, 4.0], [0, 0.375]),
    ("abs", gn.abs, [-2.0, 0.0], [0, 0]),
    ("relu", gn.relu, [-1.0, 0.0, 2.0], [0, 0, 0]),
    ("clip", lambda x: gn.clip(x, 0.0, 1.0), [0.0, 0.5, 1.0], [0, 0, 0]),
    ("squareplus", gn.squareplus, [-0.0, 0.0], [0.25, 0.25]),
    ("square of abs", lambda x: gn.abs(x) ** 2, [-2.0, 0.0, 3.0], [2, 2, 2]),
    ("square of a root", lambda x: gn.sqrt(x) ** 2, [0.0, 4.0], [0, 0]),
    ("std of one number", gn.std, 2.5, 0),
    ("norm of one number", gn.norm, 0.0, 0),
    ("sparse_plus", gn.sparse_plus, [-2.0, 0.0, 2.0], [0, 0.5, 0]),
    ("celu", gn.celu, [-1.0, 0.0, 2.0], [np.exp(-1.0), 1, 0]),
    ("x ** 2", lambda x: x**2, [-3.0, 0.0], [2, 2]),
    ("x ** 1", lambda x: x**1.0, [-3.0, 0.0], [0, 0]),
    ("x ** 0", lambda x: x**0, [0.0, 2.0], [0, 0]),
    ("x ** 3 at 0", lambda x: x**3.0, [0.0, -2.0], [0, -12]),
    ("sinc", gn.sinc, [0.0], [-(np.pi**2) / 3]),
    ("softplus", gn.softplus, [-1000.0, 0.0, 1000.0], [0, 0.25, 0]),
    ("sigmoid", gn.sigmoid, [-1000.0, 0.0, 1000.0], [0, 0, 0]),
    ("x squared by parts", lambda x: gn.maximum(x, 0.0) * x, [2.0, -1.0], [2, 0]),
    ("square", gn.square, [0.0, -0.0], [2, 2]),
    ("max_pool of squares", lambda x: gn.max_pool((x * x)[None, :, None], 2), [3.0, -3.0, 1.0, 2.0], [2, 0, 0, 2]),
    ("conv of squares", lambda x: gn.conv((x * x)[None, :, None], np.ones((2, 1, 1))), [3.0, -3.0, 1.0], [2, 4, 2]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "point", "expected"), [pytest.param(*case[1:], id=case[0]) for case in SECOND])
def test_second_derivatives(f, point, expected, dtype):
    x = np.asarray(point, dtype)
    with np.errstate(all="ignore"):
        eager = gn.elementwise_grad(gn.elementwise_grad(f))(x)
        traced = gn.trace(gn.elementwise_grad(gn.elementwise_grad(f)), x)
        for found in (eager, traced(x), traced.simplify()(x)):
            assert found.dtype == dtype
            np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5, atol=1e-6)


def test_second_derivatives_between_elements():
    hessian = gn.hessian(gn.prod)(gn.tensor([0.0, 2.0, 3.0]))
    np.testing.assert_array_equal(hessian.numpy(), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    zeros = gn.hessian(gn.prod)(gn.tensor([0.0, 0.0, 3.0]))
    np.testing.assert_array_equal(zeros.numpy(), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])
    tie = gn.hessian(lambda x: gn.logaddexp(x[0], x[1]))(gn.tensor([1.0, 1.0]))
    np.testing.assert_allclose(tie.numpy(), [[0.25, -0.25], [-0.25, 0.25]])
    mixed = gn.hessian(lambda x: gn.log(x[0]) * x[1])(gn.tensor([2.0, 0.0]))
    np.testing.assert_allclose(mixed.numpy(), [[0, 0.5], [0.5, 0]])


ZERO, TWO = np.zeros((2, 2)), 2 * np.eye(2)
VARIANCE = np.array([[0.5, -0.5], [-0.5, 0.5]])
HESSIANS = [
    ("norm", gn.norm, [0.0, 0.0], ZERO),
    ("std", gn.std, [0.1, 0.1], ZERO),
    ("hypot", lambda x: gn.hypot(x[0], x[1]), [0.0, 0.0], ZERO),
    ("arctan2", lambda x: gn.arctan2(x[0], x[1]), [0.0, 0.0], ZERO),
    ("norm of order 3", lambda x: gn.norm(x, 3), [0.0, 0.0], ZERO),
    ("norm ** 2", lambda x: gn.norm(x) ** 2, [0.0, 0.0], TWO),
    ("norm * norm", lambda x: gn.norm(x) * gn.norm(x), [0.0, 0.0], TWO),
    ("square of norm", lambda x: gn.square(gn.norm(x)), [0.0, 0.0], TWO),
    ("square of norm, along an axis", lambda x: gn.square(gn.norm(x[None], axis=1)).sum(), [0.0, 0.0], TWO),
    ("square of the root of a sum of squares", lambda x: gn.sqrt((x * x).sum()) ** 2, [0.0, 0.0], TWO),
    ("hypot ** 2", lambda x: gn.hypot(x[0], x[1]) ** 2, [0.0, 0.0], TWO),
    ("std ** 2", lambda x: gn.std(x) ** 2, [0.1, 0.1], VARIANCE),
    ("std * std, ddof", lambda x: gn.std(x, ddof=1) * gn.std(x, ddof=1), [0.1, 0.1], 2 * VARIANCE),
    ("var", gn.var, [0.1, 0.1], VARIANCE),
    ("norm ** 3", lambda x: gn.norm(x) ** 3, [0.0, 0.0], ZERO),
    ("norm ** 4", lambda x: gn.norm(x) ** 4, [0.0, 0.0], ZERO),
]


@pytest.mark.parametrize(("f", "point", "expected"), [pytest.param(*case[1:], id=case[0]) for case in HESSIANS])
def test_hessians_at_corners(f, point, expected):
    x = np.array(point)
    with np.errstate(all="ignore"):
        for way in (gn.hessian(f), gn.trace(gn.hessian(f), x), gn.compile(gn.hessian(f), backend="numpy")):
            np.testing.assert_allclose(way(x).numpy(), expected, atol=1e-15)
        if compiler.available():
            np.testing.assert_allclose(gn.compile(gn.hessian(f), backend="native")(x).numpy(), expected, atol=1e-15)


def test_third_derivatives_at_corners():
    third = gn.grad(gn.grad(gn.grad(gn.std)))
    assert third(2.5).item() == 0
    assert gn.grad(gn.grad(gn.grad(lambda x: gn.norm(x) ** 2)))(0.0).item() == 0


def test_the_square_of_a_root_that_is_asked_for_itself():
    x = gn.tensor(4.0, requires_grad=True)
    root = gn.sqrt(x)
    y = root**2
    assert gn.gradients(y, root).item() == 4
    assert [g.item() for g in gn.gradients(y, [root, x])] == [4, 1]
    assert gn.jvp(lambda x: gn.sqrt(x) ** 2, (0.0,), (3.0,))[1].item() == 3


def test_a_zero_gradient_keeps_its_own_derivative():
    """d/dz of d/dx (log(x) z) is 1/x also where z is 0: the rule for zeros must not cut it off."""
    slope = gn.jvp(lambda z: gn.grad(lambda x: gn.log(x) * z)(2.0), (gn.tensor(0.0),), (gn.tensor(1.0),))[1]
    assert slope.item() == 0.5
    by_zero = gn.grad(lambda z: gn.grad(lambda x: z / x)(2.0))(0.0)
    assert by_zero.item() == -0.25


def test_nan_in_data_reaches_the_gradient():
    x = gn.tensor([NAN, 1.0], requires_grad=True)
    (x * x).sum().backward()
    assert np.isnan(x.grad.numpy()[0]) and x.grad.numpy()[1] == 2


def test_the_gradient_of_a_diagonal_has_the_shape_of_the_matrix():
    assert gn.grad(lambda m: gn.diag(m).sum())(np.ones((3, 2))).shape == (3, 2)
