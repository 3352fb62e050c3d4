"""Values that are put together from others as native loops: the same as NumPy's, and nothing beside is written."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.plans.kernels.moves import Move, moves_of
from graphnet.plans.order.schedule import members
from graphnet.plans.order.views import views_of
from tests.backends import NEEDS_LLVM
from tests.interpreted import interpreted

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 5))

#: functions of x of shape (4, 3) and y of shape (4, 5)
WORKS = {
    "beside": lambda x, y: gn.concatenate([x, y], 1),
    "below": lambda x, y: gn.concatenate([x, y[:, :3], x], 0),
    "one alone": lambda x, y: gn.concatenate([x * 2.0], 0),
    "parts of parts": lambda x, y: gn.concatenate([x[::2, ::-1], y[1:3, 1:4]], 1),
    "turned": lambda x, y: gn.concatenate([gn.transpose(x), gn.transpose(y)], 0),
    "the same twice": lambda x, y: gn.concatenate([x, x], 1),
    "empty parts": lambda x, y: gn.concatenate([x[:, :0], y, x[:, :0]], 1),
    "stacked": lambda x, y: gn.stack([x, y[:, 2:], x], 1),
    "stacked last": lambda x, y: gn.stack([x, x * 2.0], -1),
    "padded": lambda x, y: gn.pad(x, ((1, 2), (0, 1))),
    "padded with a number": lambda x, y: gn.pad(y, ((0, 0), (2, 0)), constant_values=-0.0),
    "padded by nothing": lambda x, y: gn.pad(x + 1.0, ((0, 0), (0, 0)), constant_values=3.0),
    "flat, turned": lambda x, y: gn.reshape(gn.transpose(y), (-1,)),
    "in other rows": lambda x, y: gn.reshape(y[:, ::2], (2, 6)),
    "broadcast": lambda x, y: gn.reshape(gn.broadcast_to(x[:, None], (4, 2, 3)), (8, 3)),
    "numbers": lambda x, y: gn.stack([x[0, 1], y[3, 4], x[1, 2] * 2.0]),
    "one number": lambda x, y: gn.stack([x.max()]),
    "whole numbers": lambda x, y: gn.concatenate([gn.astype(x * 9.0, "int32"), gn.astype(y * 9.0, "int32")], 1),
    "truths": lambda x, y: gn.stack([x > 0.0, x < 0.5]),
}


def traced(f):
    return gn.trace(lambda x, y: f(x, y), X, Y)


@NEEDS_LLVM
@pytest.mark.parametrize("name", WORKS)
def test_native_values_are_numpys(name):
    plan = gn.compile(WORKS[name], backend="native")
    found, wanted = plan(X, Y).numpy(), WORKS[name](gn.tensor(X), gn.tensor(Y)).numpy()
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


@pytest.mark.parametrize("name", WORKS)
def test_interpreted_values_are_numpys_and_every_address_is_inside(name):
    function = interpreted(traced(WORKS[name]))
    (found,) = function(X, Y)
    np.testing.assert_array_equal(found.numpy(), WORKS[name](gn.tensor(X), gn.tensor(Y)).numpy())
    steps = zip(function.code.steps, function.code.kernels, strict=True)
    assert all(kernel is not None for step, kernel in steps if members(step)[-1].size)


@NEEDS_LLVM
@pytest.mark.parametrize(
    "index",
    [np.s_[1:3], np.s_[::-1], np.s_[:, 2], np.s_[..., None, ::2], np.s_[3, 1:], np.s_[2:2], np.s_[3, 4], np.s_[1]],
)
def test_the_gradient_of_a_slice_is_zero_elsewhere(index):
    def loss(x):
        return (gn.sin(x[index]) * 2.0).sum()

    (checked,) = interpreted(gn.trace(gn.grad(loss), Y))(Y)
    found = gn.compile(gn.grad(loss), backend="native")(Y).numpy()
    np.testing.assert_allclose(checked.numpy(), found, rtol=1e-14, atol=0)
    np.testing.assert_allclose(found, gn.grad(loss)(Y).numpy(), rtol=1e-15, atol=0)


@NEEDS_LLVM
def test_a_parameter_that_is_put_together_from_itself():
    """The old value is read while the new one is written."""
    p = gn.Parameter(np.arange(6.0))

    @gn.compile(backend="native")
    def turn(x):
        p.assign(gn.concatenate([p[1:], x]))
        return p * 1.0

    for n in range(1, 4):
        turn(np.array([10.0 * n]))
    np.testing.assert_array_equal(p.numpy(), [3, 4, 5, 10, 20, 30])


def test_moves_have_as_few_axes_as_can_be():
    x = gn.input((4, 3), "float64")
    y = gn.input((4, 5), "float64")
    joined = gn.concatenate([x, y], 0 + 1)
    below = gn.concatenate([x, x], 0)
    places = views_of([joined, below])
    assert moves_of(joined, places).parts == (Move((4, 3), (3, 1), (8, 1), 0), Move((4, 5), (5, 1), (8, 1), 3))
    assert moves_of(below, places).parts == (Move((12,), (1,), (1,), 0), Move((12,), (1,), (1,), 12))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: gn.concatenate([x, gn.astype(x, "float32")], 0),
        lambda x: gn.sort(x),
        lambda x: gn.concatenate([x[:0], x[:0]], 0),
        lambda x: gn.concatenate([gn.astype(x, "float16")] * 2, 0),
        lambda x: gn.concatenate([gn.astype(x, "complex128")] * 2, 0),
        lambda x: x + 1.0,
    ],
    ids=["a cast", "sort", "nothing", "float16", "complex", "a sum"],
)
def test_what_is_no_move(make):
    t = make(gn.input((4, 3), "float64"))
    assert moves_of(t, views_of([t])) is None
