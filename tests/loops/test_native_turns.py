"""A loop whose step is native code throughout is one call of native code: the same values as step by step."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.loops import body as bodies
from graphnet.plans.code.exported import Exported
from graphnet.plans.code.turns import turning
from graphnet.plans.nest.interpret import run
from tests.backends import NEEDS_LLVM

pytestmark = NEEDS_LLVM

RNG = np.random.default_rng(7)
X, C = RNG.standard_normal((7, 3)), RNG.standard_normal(3)


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setenv("GRAPHNET_NATIVE", "1")
    bodies._known.clear()
    yield
    bodies._known.clear()


def loops():
    """The loops that ran."""
    return [body.derived["loop"] for body in bodies._known if "loop" in body.derived]


def by_hand(f, init, xs, length, reverse):
    """The loop written out; `xs` is None or an array."""
    carry, ys = init, [None] * length
    for t in range(length - 1, -1, -1) if reverse else range(length):
        carry, ys[t] = f(carry, None if xs is None else xs[t])
    if ys[0] is None:
        return carry, None
    if isinstance(ys[0], tuple):
        return carry, tuple(gn.stack(list(y)) for y in zip(*ys, strict=True))
    return carry, gn.stack(ys)


STEPS = {
    "a carry that is not stacked": lambda c, x: (c * 0.5 + x, None),
    "a carry that is stacked as it comes in": lambda c, x: (c * 0.5 + x, c),
    "a carry that is stacked as it goes out": lambda c, x: (c * 0.5 + x, c * 0.5 + x),
    "a row as it came": lambda c, x: (c * 0.5 + x, x),
    "a constant": lambda c, x: (c * 0.5 + x, gn.tensor(C)),
    "a carry that stays": lambda c, x: (c, c * x),
    "a carry that becomes the row": lambda c, x: (x, c * x),
    "a carry in two stacks": lambda c, x: (c * 0.5 + x, (c, c, c * x)),
    "a part of the carry": lambda c, x: (c[::-1] * 0.5 + x, c[1:]),
    "parts put together": lambda c, x: (gn.concatenate([c[2:], x[:2]]), gn.stack([c, x])),
    "padded": lambda c, x: (gn.pad(c[1:] * x[:2], ((1, 0),)), gn.pad(x, ((2, 1),), constant_values=1.5)),
    "turned": lambda c, x: (c + x, gn.reshape(gn.transpose(gn.stack([c, x])), (6,))),
    "a product": lambda c, x: (gn.tanh(W @ c + x), (c @ W) * x),
}
W = RNG.standard_normal((3, 3))


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("length", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_values_of_each_kind_of_carry_and_output(name, length, reverse):
    f, xs = STEPS[name], X[:length]
    found, wanted = (
        gn.scan(f, gn.tensor(C), xs, reverse=reverse),
        by_hand(f, gn.tensor(C), gn.tensor(xs), length, reverse),
    )
    for a, b in zip(gn.containers.flatten(found)[0], gn.containers.flatten(wanted)[0], strict=True):
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-14, atol=1e-15)
    (loop,) = loops()
    assert loop._running.turning is not None
    assert loop._layout is not None


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_each_kind(name, reverse):
    f = STEPS[name]

    def total(run):
        def loss(c, xs):
            last, ys = run(f, c, xs)
            parts = [last, *(y for y in (ys if isinstance(ys, tuple) else (ys,)) if y is not None)]
            return sum(gn.sum(gn.sin(part)) for part in parts)

        return gn.grad(loss, (0, 1))(C, X)

    found = total(lambda f, c, xs: gn.scan(f, c, xs, reverse=reverse))
    wanted = total(lambda f, c, xs: by_hand(f, c, xs, len(X), reverse))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-14)
    assert all(loop._running.turning is not None for loop in loops())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_other_dtypes_and_numbers_as_carries(dtype):
    counts, mask = np.arange(5, dtype=np.int32), np.array([1, 0, 1, 1, 0], bool)

    def step(c, x):
        n, keep = x
        a, b = c
        a = gn.where(keep, a + gn.astype(n, dtype), a)
        return (a, b * dtype(0.5)), a * b

    (a, b), ys = gn.scan(step, (gn.tensor(dtype(1)), gn.tensor(dtype(2))), (counts, mask))
    assert (a.item(), b.item()) == (6, 2 / 32)
    np.testing.assert_array_equal(ys.numpy(), np.array([2, 1, 1.5, 1.5, 0.75], dtype))
    assert loops()[0]._running.turning is not None


def test_rows_that_lie_with_gaps_are_read_as_they_are():
    x = np.asfortranarray(RNG.standard_normal((6, 3)))[::2]
    last, ys = gn.scan(lambda c, r: (c + r, c * r), gn.tensor(C), x)
    np.testing.assert_allclose(last.numpy(), C + x.sum(0), rtol=1e-14)
    sums = C + np.concatenate([np.zeros((1, 3)), np.cumsum(x, 0)[:-1]])
    np.testing.assert_allclose(ys.numpy(), sums * x, rtol=1e-14)


def test_values_without_elements():
    last, ys = gn.scan(lambda c, r: (c * 2.0, r + 1.0), gn.tensor(np.zeros((0, 2))), np.zeros((4, 0)))
    assert (last.shape, ys.shape) == ((0, 2), (4, 0))


def test_a_long_loop_is_called_in_pieces():
    last, _ = gn.scan(lambda c, _: (c * 0.999 + 1.0, None), gn.tensor(0.0), None, length=100_003)
    np.testing.assert_allclose(last.numpy(), (1 - 0.999**100_003) / 0.001, rtol=1e-9)


def test_what_is_given_is_only_read():
    c, x = C.copy(), X.copy()
    for length in (1, 4):
        gn.scan(lambda c, r: (c * r, c), gn.tensor(c), x[:length])
    np.testing.assert_array_equal(c, C)
    np.testing.assert_array_equal(x, X)


def test_a_step_with_a_part_in_python_runs_step_by_step():
    def step(c, x):
        return c + gn.sort(x), c

    last, ys = gn.scan(step, gn.tensor(C), X)
    wanted = C + np.cumsum(np.sort(X, 1), 0)
    np.testing.assert_allclose(last.numpy(), wanted[-1], rtol=1e-14)
    np.testing.assert_allclose(ys.numpy()[1:], wanted[:-1], rtol=1e-14)
    assert loops()[0]._running.turning is None


@pytest.mark.parametrize("layer", [nn.SimpleRNN(5), nn.GRU(5), nn.LSTM(5), nn.LSTM(5, dropout=0.2)], ids=repr)
def test_recurrent_layers_train_by_native_loops(layer):
    model = nn.Sequential([nn.Input((6, 3)), layer, nn.Dense(1)])
    model.compile("sgd", "mse")
    x = RNG.standard_normal((8, 6, 3)).astype("f")
    model.fit(x, x[:, 0, :1], epochs=12, verbose=0)
    assert len(loops()) >= 2
    assert all(loop._running.turning is not None for loop in loops())


def test_errors_of_a_step_leave_the_next_call_right():
    first = gn.scan(lambda c, r: (c * r, None), gn.tensor(C), X)[0].numpy()
    with pytest.raises(ValueError, match="rows"):
        gn.scan(lambda c, r: (c * r[0], r[1]), gn.tensor(C), (X, X[:3]))
    np.testing.assert_array_equal(gn.scan(lambda c, r: (c * r, None), gn.tensor(C), X)[0].numpy(), first)


def test_the_function_of_turns_moves_cells():
    one = Exported("one", None)
    # A run that adds what the first cell holds to the third number.
    one.table[2] = one.table[2] + one.table[0]
    made = turning(one, 2)
    table = np.array([5, 100, 0], np.int64)
    masks, moves = np.array([0, -1], np.int64), np.array([3, 7], np.int64)
    run(made.kernel, table, table, masks, moves, 4)
    # 5 + 8 + 11 + 14; the second goes to and fro between 100 and 6 - 100.
    np.testing.assert_array_equal(table, [17, 100, 38])
    run(made.kernel, table, table, masks, moves, 1)
    np.testing.assert_array_equal(table, [20, 6 - 100, 55])
