"""Ops that rearrange, join and cut: NumPy's values on drawn shapes, two orders of gradients, symbolic use, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphnet as gn

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
FULL = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)
#: modes of padding other than a constant
MODES = ["edge", "reflect", "symmetric", "wrap"]


def numbers(shape):
    return (np.arange(float(np.prod(shape))).reshape(shape) + 0.5) / 3


def agrees(call, reference, *arrays):
    """`call` is `reference`, eager and symbolic, in both precisions, and has its first and second derivatives."""
    for dtype in (np.float64, np.float32):
        cast = [a.astype(dtype) for a in arrays]
        expected = reference(*cast)
        found = call(*map(gn.tensor, cast))
        assert (found.shape, found.dtype) == (expected.shape, dtype)
        np.testing.assert_array_equal(found.numpy(), expected)
        inputs = [gn.input(a.shape, dtype) for a in cast]
        y = call(*inputs)
        assert (y.shape, y.dtype) == (expected.shape, dtype)
        np.testing.assert_array_equal(gn.Graph(inputs, y)(*cast).numpy(), expected)
        slopes = gn.gradients((y * y).sum(), inputs)
        assert [(s.shape, s.dtype) for s in slopes] == [(a.shape, dtype) for a in cast]
    gn.check_grads(lambda *xs: gn.sin(call(*xs)), *arrays, order=2)


@given(SHAPES, st.data())
def test_reshape_to_any_order_of_factors(shape, data):
    a = numbers(shape)
    target = data.draw(st.permutations(shape))
    if target and 0 not in target and data.draw(st.booleans()):
        target[data.draw(st.integers(0, len(target) - 1))] = -1
    agrees(lambda x: gn.reshape(x, tuple(target)), lambda x: x.reshape(target), a)
    agrees(lambda x: x.reshape(np.array(target, int)), lambda x: x.reshape(target), a)
    agrees(gn.ravel, np.ravel, a)
    agrees(lambda x: x.flatten(), np.ravel, a)


@given(SHAPES, st.data())
def test_axes_in_any_order(shape, data):
    a = numbers(shape)
    rank = len(shape)
    order = data.draw(st.permutations(range(rank)))
    signed = [n - rank * data.draw(st.integers(0, 1)) for n in order]
    agrees(lambda x: gn.transpose(x, signed), lambda x: np.transpose(x, signed), a)
    agrees(lambda x: x.T, lambda x: x.T, a)
    if rank:
        i, j = data.draw(st.integers(-rank, rank - 1)), data.draw(st.integers(-rank, rank - 1))
        agrees(lambda x: gn.swapaxes(x, i, j), lambda x: np.swapaxes(x, i, j), a)
        agrees(lambda x: gn.moveaxis(x, i, j), lambda x: np.moveaxis(x, i, j), a)
        agrees(lambda x: gn.moveaxis(x, order, signed[::-1]), lambda x: np.moveaxis(x, order, signed[::-1]), a)


@given(SHAPES, st.data())
def test_axes_of_size_one_come_and_go(shape, data):
    a = numbers(shape)
    rank = len(shape)
    axis = data.draw(st.one_of(st.integers(-rank - 1, rank), st.sampled_from([(0, -1), (1, 0), ()])))
    agrees(lambda x: gn.expand_dims(x, axis), lambda x: np.expand_dims(x, axis), a)
    wide = np.expand_dims(a, axis)
    agrees(gn.squeeze, np.squeeze, wide)
    agrees(lambda x: gn.squeeze(x, axis), lambda x: np.squeeze(x, axis), wide)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3))
def test_broadcast_to_adds_and_spreads_axes(shapes):
    a = numbers(shapes.input_shapes[0])
    agrees(lambda x: gn.broadcast_to(x, shapes.result_shape), lambda x: np.broadcast_to(x, shapes.result_shape), a)


@given(FULL, st.data())
def test_joining(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    parts = []
    for n in sizes:
        one = list(shape)
        one[axis] = n
        parts.append(numbers(tuple(one)) + n)
    agrees(lambda *xs: gn.concatenate(xs, axis), lambda *xs: np.concatenate(xs, axis), *parts)
    agrees(lambda *xs: gn.concatenate(xs, None), lambda *xs: np.concatenate(xs, None), *parts)
    new = data.draw(st.integers(-len(shape) - 1, len(shape)))
    same = [numbers(shape) * k for k in range(1, len(sizes) + 1)]
    agrees(lambda *xs: gn.stack(xs, new), lambda *xs: np.stack(xs, new), *same)


def test_joining_one_tensor_twice_adds_its_gradients():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    (gn.concatenate([x, x, x]) * np.arange(6.0)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [6, 9])


@given(FULL, st.data())
def test_cutting(shape, data):
    a = numbers(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    where = data.draw(st.one_of(st.integers(1, 4), st.lists(st.integers(-4, 4), max_size=3)))
    expected = np.array_split(a, where, axis)
    found = gn.array_split(a, where, axis)
    assert isinstance(found, list) and len(found) == len(expected)
    for place, part in enumerate(expected):
        np.testing.assert_array_equal(found[place].numpy(), part)
        agrees(
            lambda x, place=place: gn.array_split(x, where, axis)[place],
            lambda x, place=place: np.array_split(x, where, axis)[place],
            a,
        )
    if not isinstance(where, int) or shape[axis] % where == 0:
        for mine, part in zip(gn.split(a, where, axis), np.split(a, where, axis), strict=True):
            np.testing.assert_array_equal(mine.numpy(), part)


@given(FULL, st.data())
def test_cut_and_joined_is_the_same(shape, data):
    a = numbers(shape)
    axis = data.draw(st.integers(0, len(shape) - 1))
    agrees(lambda x: gn.concatenate(gn.array_split(x, 2, axis), axis), lambda x: x, a)


@given(FULL, st.data())
def test_padding(shape, data):
    a = numbers(shape)
    width = st.integers(0, 4)
    pairs = [(data.draw(width), data.draw(width)) for _ in shape]
    for given_width in (pairs, pairs[0], [pairs[0]], pairs[0][0], np.array(pairs)):
        agrees(
            lambda x, w=given_width: gn.pad(x, w, constant_values=2.5),
            lambda x, w=given_width: np.pad(x, w, constant_values=2.5),
            a,
        )


@given(FULL, st.sampled_from(MODES), st.integers(0, 5), st.integers(0, 5))
def test_padding_that_repeats(shape, mode, before, after):
    a = numbers(shape)
    agrees(lambda x: gn.pad(x, (before, after), mode=mode), lambda x: np.pad(x, (before, after), mode=mode), a)


def test_padding_of_no_axes_and_with_two_constants():
    agrees(lambda x: gn.pad(x, 0), lambda x: x, np.array(2.5))
    agrees(
        lambda x: gn.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4))),
        lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4))),
        numbers((2, 3)),
    )
    assert gn.pad(gn.zeros((0, 2)), 1).shape == (2, 4)


@given(SHAPES, st.data())
def test_turning_and_moving_around(shape, data):
    a = numbers(shape)
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank)) if rank else []
    agrees(lambda x: gn.flip(x, tuple(axes)), lambda x: np.flip(x, tuple(axes)), a)
    agrees(gn.flip, np.flip, a)
    shift = data.draw(st.integers(-5, 5))
    agrees(lambda x: gn.roll(x, shift), lambda x: np.roll(x, shift), a)
    if axes:
        agrees(lambda x: gn.roll(x, shift, axes[0]), lambda x: np.roll(x, shift, axes[0]), a)
        shifts = tuple(shift + k for k in range(len(axes)))
        agrees(lambda x: gn.roll(x, shifts, tuple(axes)), lambda x: np.roll(x, shifts, tuple(axes)), a)
        agrees(lambda x: gn.roll(x, (1, shift), axes[0]), lambda x: np.roll(x, (1, shift), axes[0]), a)
        agrees(lambda x: gn.roll(x, 2, tuple(axes)), lambda x: np.roll(x, 2, tuple(axes)), a)


@given(SHAPES, st.lists(st.integers(0, 2), max_size=4))
def test_tiling(shape, reps):
    agrees(lambda x: gn.tile(x, reps), lambda x: np.tile(x, reps), numbers(shape))
    agrees(lambda x: gn.tile(x, 2), lambda x: np.tile(x, 2), numbers(shape))


@given(FULL, st.data())
def test_repeating(shape, data):
    a = numbers(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    counts = data.draw(st.lists(st.integers(0, 3), min_size=shape[axis], max_size=shape[axis]))
    agrees(lambda x: gn.repeat(x, counts, axis), lambda x: np.repeat(x, counts, axis), a)
    agrees(lambda x: x.repeat(2, axis=axis), lambda x: np.repeat(x, 2, axis=axis), a)
    agrees(lambda x: gn.repeat(x, 2), lambda x: np.repeat(x, 2), a)


@given(FULL, st.integers(-4, 4))
def test_triangles(shape, k):
    a = numbers(shape)
    agrees(lambda x: gn.tril(x, k), lambda x: np.tril(x, k), a)
    agrees(lambda x: gn.triu(x, k), lambda x: np.triu(x, k), a)


def test_a_triangle_hides_what_is_infinite():
    x = gn.tensor([[0.0, 1.0], [2.0, 0.0]], requires_grad=True)
    with np.errstate(divide="ignore"):
        gn.tril(gn.log(x), -1).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 0], [0.5, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "bool"])
def test_constructors(dtype):
    a = np.arange(6, dtype="float32").reshape(2, 3)
    for found, expected in [
        (gn.zeros((2, 3), dtype), np.zeros((2, 3), dtype)),
        (gn.ones(3, dtype), np.ones(3, dtype)),
        (gn.full((2,), 1, dtype), np.full((2,), 1, dtype)),
        (gn.eye(2, 3, 1, dtype), np.eye(2, 3, 1, dtype)),
        (gn.zeros_like(a, dtype), np.zeros_like(a, dtype)),
        (gn.ones_like(gn.input((2, 3)), dtype), np.ones_like(a, dtype)),
        (gn.full_like(a, 1, dtype), np.full_like(a, 1, dtype)),
    ]:
        assert isinstance(found, gn.Tensor) and not found.requires_grad and found.op is None
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected)
    assert gn.zeros_like(a).dtype == np.float32
    for args in ((4,), (1, 4), (5, 1, -2), (0.0, 1.0, 0.25)):
        np.testing.assert_array_equal(gn.arange(*args).numpy(), np.arange(*args))
    np.testing.assert_array_equal(gn.linspace(0, 1, 5).numpy(), np.linspace(0, 1, 5))


def test_changing_the_dtype():
    x = gn.tensor([1.5, -2.5], requires_grad=True)
    for dtype, flows in (("float32", True), (float, True), ("int64", False), (bool, False)):
        y = x.astype(dtype)
        np.testing.assert_array_equal(y.numpy(), x.numpy().astype(dtype))
        assert y.dtype == np.dtype(dtype) and y.requires_grad == flows
    (slope,) = gn.gradients((x.astype("float32") ** 2).sum(), [x])
    assert slope.dtype == np.float64
    np.testing.assert_array_equal(slope.numpy(), [3, -5])
    assert gn.grad(gn.grad(lambda v: gn.astype(v, "float32") ** 3))(2.0).item() == 12
    total = (x * x.astype("int64").astype("float64")).sum()
    np.testing.assert_array_equal(gn.gradients(total, [x])[0].numpy(), [1, -2])


def test_stopping_the_gradient_keeps_the_value():
    x = gn.tensor([2.0, 3.0], requires_grad=True)
    y = gn.stop_gradient(x)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    assert not y.requires_grad
    np.testing.assert_array_equal(gn.gradients((x * y).sum(), [x])[0].numpy(), [2, 3])
    s = gn.input((2,), "float64")
    g = gn.Graph([s], gn.gradients((s * gn.stop_gradient(s)).sum(), [s])[0])
    np.testing.assert_array_equal(g([2.0, 3.0]).numpy(), [2, 3])


def test_identity_is_a_node_of_its_own():
    x = gn.Parameter([1.0])
    y = gn.identity(x)
    assert y is not x and y.op.name == "identity" and y.inputs == (x,)
    assert gn.grad(gn.grad(lambda v: gn.identity(v) ** 2))(3.0).item() == 2.0


def test_rearranging_shares_memory():
    x = gn.tensor(numbers((2, 3, 4)))
    for y in (
        gn.reshape(x, (6, 4)),
        gn.transpose(x),
        gn.swapaxes(x, 0, 1),
        gn.expand_dims(x, 0),
        gn.broadcast_to(x, (5, 2, 3, 4)),
        gn.flip(x),
        gn.identity(x),
        x[1:, ..., ::2],
        *gn.split(x, 2, axis=2),
    ):
        assert np.shares_memory(y.numpy(), x.numpy())


X = gn.tensor(np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: gn.swapaxes(X, 0, 2), IndexError, r"^swapaxes\(float64\[3, 4\]\): axis 2 is out of bounds"),
        (lambda: gn.moveaxis(X, 5, 0), IndexError, r"^moveaxis\(float64\[3, 4\]\): axis 5 is out of bounds"),
        (lambda: gn.moveaxis(X, (0, 1), 0), ValueError, "2 source axes, 1 destinations"),
        (lambda: gn.expand_dims(X, 5), IndexError, r"^expand_dims\(float64\[3, 4\]\): axis 5"),
        (lambda: gn.expand_dims(X, (0, 0)), ValueError, "names the same axis twice"),
        (lambda: gn.squeeze(X, 5), IndexError, r"^squeeze\(float64\[3, 4\]\): axis 5"),
        (lambda: gn.squeeze(X, 0), ValueError, "axis 0 has size 3, not 1"),
        (lambda: gn.split(X, 2, axis=3), IndexError, r"^split\(float64\[3, 4\]\): axis 3"),
        (lambda: gn.split(X, 0), ValueError, "does not divide into 0 equal parts"),
        (lambda: gn.array_split(X, 0), ValueError, "the number of parts is 1 or more; received 0"),
        (lambda: gn.array_split(X, 2, 4), IndexError, r"^array_split\(float64\[3, 4\]\): axis 4"),
        (lambda: gn.flip(X, 2), IndexError, r"^flip\(float64\[3, 4\]"),
        (lambda: gn.roll(X, 1.5), TypeError, r"^roll\(float64\[3, 4\], shift=1.5\)"),
        (lambda: gn.roll(X, (1, 0.5), (0, 1)), TypeError, r"^roll\("),
        (lambda: gn.roll(X, (1, 2, 3), (0, 1)), ValueError, "3 shifts for 2 axes"),
        (lambda: gn.tile(X, -1), ValueError, "counts are whole numbers, 0 or more; received -1"),
        (lambda: gn.tile(X, 1.5), ValueError, "counts are whole numbers, 0 or more; received 1.5"),
        (lambda: gn.repeat(X, -1), ValueError, "one whole number, or one for each of 12; received -1"),
        (lambda: gn.repeat(X, [1, 2], axis=0), ValueError, "one for each of 3"),
        (lambda: gn.repeat(X, 1, axis=2), IndexError, r"^repeat\(float64\[3, 4\]\): axis 2"),
        (lambda: gn.pad(X, -1), ValueError, "pad widths are whole numbers, 0 or more; received -1"),
        (lambda: gn.pad(X, 1.5), ValueError, "pad widths are whole numbers, 0 or more; received 1.5"),
        (lambda: gn.pad(X, [(1, 2)] * 3), ValueError, r"or a pair for each of 2 axes; received one of shape \(3, 2\)"),
        (lambda: gn.pad(gn.zeros((0,)), 1, "edge"), ValueError, r"axis 0 of shape \(0,\) is empty"),
        (lambda: gn.pad(X, 1, "mean"), ValueError, "mode is constant, edge, reflect, symmetric or wrap"),
        (
            lambda: gn.pad(X, 1, constant_values=gn.Parameter(1.0)),
            TypeError,
            "constant_values are known numbers without a gradient",
        ),
        (lambda: gn.pad(X, 1, constant_values=gn.input(())), TypeError, "known numbers without a gradient"),
        (lambda: gn.broadcast_to(X, (4,)), ValueError, r"^broadcast_to\(.*\(3, 4\) does not broadcast to \(4,\)"),
        (lambda: gn.broadcast_to(gn.input(()), (-1,)), ValueError, "no negative sizes"),
        (lambda: gn.broadcast_to(X, (1.5,)), TypeError, r"^broadcast_to\("),
        (lambda: gn.reshape(X, (5, -1)), ValueError, r"cannot reshape \(3, 4\) \(12 elements\) into \(5, -1\)"),
        (lambda: gn.reshape(X, (-2, 6)), ValueError, "no negative sizes but one -1"),
        (lambda: gn.reshape(X, 2.5), TypeError, r"^reshape\("),
        (lambda: gn.transpose(X, (0, 0)), ValueError, "names the same axis twice"),
        (lambda: gn.concatenate([X, X[0]]), ValueError, "input 0 has 2 dimensions, input 1 has 1"),
        (lambda: gn.concatenate([X, X], axis=2), IndexError, r"^concatenate\("),
        (lambda: gn.concatenate([1.0, 2.0]), ValueError, "stack joins them along a new axis"),
        (lambda: gn.stack([]), ValueError, "nothing to join"),
        (lambda: gn.stack([X], axis=4), IndexError, r"^stack\("),
        (lambda: gn.tril(gn.tensor(1.0)), ValueError, "a triangle needs at least one axis"),
        (lambda: gn.astype(X, "U4"), TypeError, "received dtype <U4"),
    ],
)
def test_errors_say_what_does_not_fit(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)
