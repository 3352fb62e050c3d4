"""Convolution and pooling as ops: padding, sizes, laws that hold between them, and errors that say what to do."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.ops import convolution, pooling, window


def arrays(*shapes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


def test_padding_in_every_spelling():
    x, kernel = arrays((1, 6, 5, 2), (3, 2, 2, 4))
    same = gn.conv(x, kernel, padding="same")
    assert same.shape == (1, 6, 5, 4)
    np.testing.assert_array_equal(gn.conv(x, kernel, padding=((1, 1), (0, 1))), same)
    around = gn.conv(x, kernel, padding=1)
    assert around.shape == (1, 6, 6, 4)
    np.testing.assert_array_equal(gn.conv(x, kernel, padding=(1, 1)), around)
    np.testing.assert_array_equal(gn.conv(x, kernel, padding="VALID"), around.numpy()[:, 1:-1, 1:-1])
    causal = gn.conv(x[:, :, 0], kernel[:, 0], padding="causal", dilation=2).numpy()
    ahead = np.array(x[:, :, 0])
    ahead[:, 4:] = 9
    changed = gn.conv(ahead, kernel[:, 0], padding="causal", dilation=2).numpy()
    np.testing.assert_array_equal(changed[:, :4], causal[:, :4])
    assert (changed[:, 4:] != causal[:, 4:]).all()
    assert window.same_padding((5, 7), (2, 3), (2, 3)) == ((0, 1), (1, 1))


def test_a_sum_of_products_is_linear_in_all_three():
    """<u, conv(x, k)> = <x, conv_transpose(u, k)> = <k, conv_kernel(x, u)>."""
    at = {"strides": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}
    x, kernel = arrays((3, 6, 7, 4), (3, 2, 2, 6))
    y = gn.conv(x, kernel, **at)
    (u,) = arrays(y.shape, seed=1)
    whole = (y.numpy() * u).sum()
    back = gn.conv_transpose(u, kernel, **at, size=(6, 7))
    slope = convolution.conv_kernel(x, u, **at, window=(3, 2))
    assert back.shape == x.shape and slope.shape == kernel.shape
    assert (back.numpy() * x).sum() == pytest.approx(whole, rel=1e-12)
    assert (slope.numpy() * kernel).sum() == pytest.approx(whole, rel=1e-12)


def test_third_derivatives_of_a_convolution():
    x, kernel = arrays((2, 4, 3, 2), (2, 2, 2, 2))
    gn.check_grads(lambda x, k: gn.conv(x, k, (1, 2), "same") ** 3, x, kernel, order=3, rtol=1e-5, atol=1e-5)
    gn.check_grads(lambda x: gn.max_pool(x * x * x, 2, 1), x, order=3, rtol=1e-5, atol=1e-5)


def test_a_window_of_one_is_a_matrix_product():
    x, kernel = arrays((2, 3, 4, 5), (1, 1, 5, 6))
    np.testing.assert_allclose(gn.conv(x, kernel).numpy(), x @ kernel[0, 0], rtol=1e-13)


def test_a_convolution_of_blocks_is_that_of_the_whole():
    # More than one block of the batch: each has its own patches.
    x, kernel = arrays((60, 20, 20, 8), (3, 3, 8, 4), dtype=np.float32)
    assert len(list(window.blocks(60, 18 * 18 * 9 * 8 * 4))) > 1
    y = gn.conv(x, kernel).numpy()
    np.testing.assert_allclose(y[17], gn.conv(x[17:18], kernel).numpy()[0], rtol=1e-5, atol=1e-5)
    u = np.ones_like(y)
    parts = sum(convolution.conv_kernel(x[i : i + 1], u[i : i + 1], window=(3, 3)).numpy() for i in range(60))
    np.testing.assert_allclose(convolution.conv_kernel(x, u, window=(3, 3)).numpy(), parts, rtol=1e-4, atol=1e-3)
    whole = gn.conv_transpose(u, kernel).numpy()
    np.testing.assert_allclose(whole[59], gn.conv_transpose(u[59:], kernel).numpy()[0], rtol=1e-5, atol=1e-5)


def test_sizes_of_a_transpose():
    u, kernel = arrays((1, 3, 2), (2, 1, 2))
    assert gn.conv_transpose(u, kernel, 3).shape == (1, 8, 1)
    assert gn.conv_transpose(u, kernel, 3, "same").shape == (1, 9, 1)
    assert gn.conv_transpose(u, kernel, 3, size=10).shape == (1, 10, 1)
    with pytest.raises(ValueError, match=r"size \(11,\) has \(4,\) windows.*input has \(3,\)"):
        gn.conv_transpose(u, kernel, 3, size=11)


def test_numbers_of_other_kinds():
    x = np.arange(12).reshape(1, 6, 2)
    assert gn.conv(x, np.ones((2, 2, 1), int)).numpy().ravel().tolist() == [6, 14, 22, 30, 38]
    assert gn.max_pool(x, 2).dtype == x.dtype and gn.avg_pool(x, 2).dtype == np.float64
    assert gn.max_pool(-x, 2, padding="same").numpy()[0, :, 0].tolist() == [0, -4, -8]
    assert gn.max_pool(x > 3, 2).numpy()[0, :, 0].tolist() == [False, True, True]
    half = gn.conv(np.ones((1, 3, 1), np.float16), np.ones((2, 1, 1), np.float16))
    assert half.dtype == np.float16


def test_windows_of_nan():
    x = np.array([1.0, np.nan, 2.0, 3.0])[None, :, None]
    assert np.isnan(gn.max_pool(x, 2).numpy().ravel()).tolist() == [True, False]
    y = gn.conv(x, np.ones((2, 1, 1))).numpy().ravel()
    assert np.isnan(y).tolist() == [True, True, False]


def test_wide_windows_have_places_beyond_a_byte():
    x = np.zeros((1, 20, 20, 1))
    x[0, 19, 19] = 1
    assert pooling.max_pool_at(x, 20).numpy().ravel().tolist() == [399]
    assert gn.grad(lambda x: gn.max_pool(x, 20).sum())(x).numpy()[0, 19, 19, 0] == 1


IMAGE = np.zeros((1, 5, 4, 6))
MISTAKES = [
    (lambda: gn.conv(IMAGE, np.ones((7, 2, 6, 3))), r"a window that spans 7 does not fit into axis 1.*size 5.*'same'"),
    (
        lambda: gn.conv(IMAGE, np.ones((3, 2, 6, 3)), dilation=(3, 1), padding=((1, 0), (0, 0))),
        r"7.*size 6 \(5 ",
    ),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 5, 3))), "has 6 channels; the kernel .* takes 5"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 2, 3)), groups=3.5), "groups is a whole number"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 2, 4)), groups=3), "4 channels .* do not part into 3 groups"),
    (lambda: gn.conv(IMAGE, np.ones((2, 6, 3))), r"2 axes of space.*\(1, 5, 4, 6\) and \(2, 6, 3\)"),
    (lambda: gn.conv(np.ones((3, 4)), np.ones((3, 4))), r"\(batch, space..., channels\).*\(3, 4\)"),
    (lambda: gn.conv(IMAGE, np.ones((0, 2, 6, 3))), "a window has at least one element"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 6, 3)), strides=0), "strides: .* received 0"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 6, 3)), strides=(1, 2, 3)), r"each of 2 axes of space.*\(1, 2, 3\)"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 6, 3)), padding="full"), "'valid', 'same'.*received 'full'"),
    (lambda: gn.conv(IMAGE, np.ones((2, 2, 6, 3)), padding=-1), "padding: .* 0 or more; received -1"),
    (lambda: gn.conv_transpose(IMAGE, np.ones((2, 2, 3, 5))), "6 channels, the kernel .* takes 5"),
    (lambda: gn.conv_transpose(IMAGE, np.ones((1, 1, 3, 6)), padding=3), "takes away more than there is"),
    (lambda: gn.max_pool(IMAGE, 6), "a window that spans 6 does not fit into axis 1"),
    (lambda: gn.max_pool(IMAGE, 2, padding=2), "without any element: at most 1"),
    (lambda: gn.avg_pool(IMAGE, (2, 0)), r"window: .* received \(2, 0\)"),
    (lambda: gn.max_pool(np.zeros((1, 0, 2)), 2, padding=1), "nothing to pool"),
    (lambda: gn.max_pool(np.zeros((4, 4)), 2), r"\(batch, space..., channels\)"),
]


@pytest.mark.parametrize(("wrong", "message"), MISTAKES)
def test_mistakes_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
