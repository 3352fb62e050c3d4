"""Convolution and pooling layers: Keras' figures, shapes, options, configurations, and errors that say what to do."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


def with_ones(layer, x):
    """The layer's result with all weights 1, biases 0."""
    layer(x)
    layer.set_weights([np.zeros(w.shape) if w.ndim == 1 else np.ones(w.shape) for w in layer.weights])
    return layer(x).numpy()


def image(size=5, channels=1):
    return np.arange(size * size * channels, dtype="f").reshape(1, size, size, channels)


# Figures of Keras: numbers 34, 36 and 37 of the behaviours that were measured.


def test_36_a_convolution_is_a_cross_correlation():
    layer = nn.Conv1D(1, 2)
    x = np.array([1.0, 2, 3, 4], "f").reshape(1, 4, 1)
    layer(x)
    layer.set_weights([np.array([1.0, 10.0]).reshape(2, 1, 1), np.zeros(1)])
    assert layer(x).numpy().ravel().tolist() == [21, 32, 43]


def test_36_same_puts_the_odd_zero_after():
    x = np.array([1.0, 2, 3, 4], "f").reshape(1, 4, 1)
    assert with_ones(nn.Conv1D(1, 2, padding="same"), x).ravel().tolist() == [3, 5, 7, 4]


def test_36_strides_with_same():
    y = with_ones(nn.Conv2D(1, 3, strides=2, padding="same"), image())
    assert y[0, :, :, 0].tolist() == [[12, 27, 24], [63, 108, 81], [72, 117, 84]]


def test_36_causal_looks_back_only():
    x = np.array([1.0, 2, 3, 4], "f").reshape(1, 4, 1)
    assert with_ones(nn.Conv1D(1, 2, padding="causal"), x).ravel().tolist() == [1, 3, 5, 7]
    assert with_ones(nn.Conv1D(1, 2, padding="causal", dilation_rate=2), x).ravel().tolist() == [1, 2, 4, 6]


def test_37_pooling():
    x = image()
    same = nn.AveragePooling2D(2, padding="same")(x).numpy()[0, :, :, 0]
    assert same.tolist() == [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]]
    assert nn.MaxPooling2D()(x).numpy()[0, :, :, 0].tolist() == [[6, 8], [16, 18]]
    assert nn.MaxPooling2D(3).strides == (3, 3) and nn.MaxPooling2D(3, strides=1).strides == (1, 1)
    assert nn.AveragePooling1D(2)(x[:, :, 0]).numpy().ravel().tolist() == [2.5, 12.5]
    assert nn.MaxPooling1D(2, 1)(x[:, 0]).numpy().ravel().tolist() == [1, 2, 3, 4]


def test_34_fans_are_the_window_times_the_channels():
    assert nn.initializers.fans((3, 3, 16, 32)) == (144, 288)
    layer = nn.Conv2D(32, 3)
    layer.build((None, 8, 8, 16))
    limit = (6 / (144 + 288)) ** 0.5
    kernel = layer.get_weights()[0]
    assert 0.99 * limit < np.abs(kernel).max() <= limit and (layer.get_weights()[1] == 0).all()
    wide = nn.Conv1D(100, 5, kernel_initializer="he_normal")
    wide.build((None, 8, 60))
    assert wide.get_weights()[0].std() == pytest.approx((2 / 300) ** 0.5, rel=0.02)


# Shapes and options.


@pytest.mark.parametrize(
    ("layer", "shape", "result", "weights"),
    [
        (nn.Conv1D(4, 3, strides=2), (2, 9, 3), (2, 4, 4), [(3, 3, 4), (4,)]),
        (nn.Conv2D(6, (3, 2), padding="same", groups=3), (2, 9, 8, 6), (2, 9, 8, 6), [(3, 2, 2, 6), (6,)]),
        (nn.Conv3D(2, 2, dilation_rate=2), (1, 4, 5, 6, 1), (1, 2, 3, 4, 2), [(2, 2, 2, 1, 2), (2,)]),
        (nn.DepthwiseConv1D(3, depth_multiplier=2), (2, 5, 3), (2, 3, 6), [(3, 3, 2), (6,)]),
        (nn.DepthwiseConv2D((3, 1), strides=2), (2, 5, 5, 3), (2, 2, 3, 3), [(3, 1, 3, 1), (3,)]),
        (nn.SeparableConv1D(4, 3), (2, 5, 3), (2, 3, 4), [(3, 3, 1), (1, 3, 4), (4,)]),
        (nn.SeparableConv2D(4, 3, depth_multiplier=2), (2, 5, 5, 3), (2, 3, 3, 4), [(3, 3, 3, 2), (1, 1, 6, 4), (4,)]),
        (nn.Conv1DTranspose(4, 2, strides=3), (2, 5, 3), (2, 15, 4), [(2, 4, 3), (4,)]),
        (nn.Conv2DTranspose(4, 3, strides=2), (2, 5, 4, 3), (2, 11, 9, 4), [(3, 3, 4, 3), (4,)]),
        (nn.Conv2DTranspose(4, 3, 2, "same", output_padding=1), (2, 5, 4, 3), (2, 10, 8, 4), [(3, 3, 4, 3), (4,)]),
        (nn.Conv3DTranspose(2, 2, padding="same"), (1, 2, 3, 4, 3), (1, 2, 3, 4, 2), [(2, 2, 2, 2, 3), (2,)]),
        (nn.MaxPooling3D(2, padding="same"), (1, 3, 4, 5, 2), (1, 2, 2, 3, 2), []),
        (nn.AveragePooling3D(2), (1, 3, 4, 5, 2), (1, 1, 2, 2, 2), []),
        (nn.GlobalAveragePooling1D(), (2, 3, 4), (2, 4), []),
        (nn.GlobalMaxPooling2D(keepdims=True), (2, 3, 4, 5), (2, 1, 1, 5), []),
        (nn.GlobalMaxPooling1D(data_format="channels_first"), (2, 3, 4), (2, 3), []),
        (nn.GlobalAveragePooling3D(), (2, 3, 4, 5, 6), (2, 6), []),
        (nn.UpSampling1D(3), (2, 3, 4), (2, 9, 4), []),
        (nn.UpSampling2D((2, 3)), (2, 3, 4, 1), (2, 6, 12, 1), []),
        (nn.UpSampling3D(), (2, 3, 4, 1, 1), (2, 6, 8, 2, 1), []),
        (nn.ZeroPadding1D((1, 2)), (2, 3, 4), (2, 6, 4), []),
        (nn.ZeroPadding2D((1, 2)), (2, 3, 4, 1), (2, 5, 8, 1), []),
        (nn.ZeroPadding3D(1), (2, 3, 4, 1, 1), (2, 5, 6, 3, 1), []),
        (nn.Cropping1D(), (2, 5, 4), (2, 3, 4), []),
        (nn.Cropping2D(), (2, 5, 4, 1), (2, 5, 4, 1), []),
        (nn.Cropping2D(((0, 1), (2, 1))), (2, 5, 4, 1), (2, 4, 1, 1), []),
        (nn.Cropping3D(1), (2, 3, 4, 5, 1), (2, 1, 2, 3, 1), []),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Layer) else None,
)
def test_shapes(layer, shape, result, weights):
    x = np.random.default_rng(0).standard_normal(shape).astype("f")
    y = layer(x)
    assert y.shape == result and y.dtype == np.float32
    assert [w.shape for w in layer.weights] == weights
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())
    # Symbolic input, and any size of the batch.
    symbol = gn.input(shape)
    np.testing.assert_array_equal(gn.Graph([symbol], layer(symbol))(x).numpy(), y.numpy())
    np.testing.assert_allclose(layer(x[:1]).numpy(), y.numpy()[:1], rtol=1e-5, atol=1e-6)
    assert layer(x[:0]).shape == (0, *result[1:])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2, "activation": "relu"}),
        ("DepthwiseConv2D", {"kernel_size": 2}),
        ("SeparableConv2D", {"filters": 3, "kernel_size": 2}),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 2}),
        ("MaxPooling2D", {}),
        ("AveragePooling2D", {"padding": "same"}),
        ("UpSampling2D", {}),
        ("ZeroPadding2D", {}),
        ("Cropping2D", {"cropping": 1}),
        ("GlobalMaxPooling2D", {"keepdims": True}),
    ],
)
def test_channels_first_is_channels_last_moved(kind, options):
    x = np.random.default_rng(0).standard_normal((2, 5, 3, 6)).astype("f")
    last, first = getattr(nn, kind)(**options), getattr(nn, kind)(**options, data_format="channels_first")
    y = last(x).numpy()
    moved = np.moveaxis(x, -1, 1)
    first(moved)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(moved).numpy(), 1, -1), y, rtol=1e-6)


def test_one_channel_at_a_time():
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype("f")
    layer = nn.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    y = layer(x).numpy()
    kernel = layer.get_weights()[0]  # (3, 3, in, each)
    for c in range(3):
        alone = gn.conv(x[..., c : c + 1], kernel[:, :, c : c + 1, :]).numpy()
        np.testing.assert_allclose(y[..., 2 * c : 2 * c + 2], alone, rtol=1e-5, atol=1e-6)


def test_a_transpose_is_the_gradient_of_a_convolution():
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 3)).astype("f")
    back = nn.Conv2DTranspose(4, 3, strides=2, padding="same", use_bias=False)
    y = back(x)
    kernel = back.get_weights()[0]
    slope = gn.grad(lambda z: (gn.conv(z, kernel, 2, "same") * x).sum())(gn.zeros((2, 10, 10, 4), "float32"))
    np.testing.assert_allclose(y.numpy(), slope.numpy(), rtol=1e-5, atol=1e-6)


def test_up_sampling_between_centres():
    x = np.array([1.0, 3.0], "f").reshape(1, 1, 2, 1)
    y = nn.UpSampling2D((1, 2), interpolation="bilinear")(x).numpy()
    assert y.ravel().tolist() == [1, 1.5, 2.5, 3]
    assert nn.UpSampling1D(2)([[[1.0], [2.0]]]).numpy().ravel().tolist() == [1, 1, 2, 2]


def test_other_names():
    assert nn.Convolution2D is nn.Conv2D and nn.MaxPool2D is nn.MaxPooling2D and nn.AvgPool1D is nn.AveragePooling1D
    assert nn.GlobalAvgPool2D is nn.GlobalAveragePooling2D and nn.Convolution2DTranspose is nn.Conv2DTranspose
    assert nn.layers.table.find("Convolution1D") is nn.Conv1D
    assert nn.layers.table.find("max_pool2d") is nn.MaxPooling2D


def test_a_small_network_learns_where_a_bar_is():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 256)
    x = 0.3 * rng.standard_normal((256, 8, 8, 1)).astype("f")
    for i, upright in enumerate(y):
        at = rng.integers(1, 7)
        x[(i, slice(None), at) if upright else (i, at)] += 1
    nn.set_random_seed(1)
    model = nn.Sequential(
        [
            nn.Input((8, 8, 1)),
            nn.Conv2D(8, 3, activation="relu", kernel_regularizer=nn.regularizers.L2(1e-4)),
            nn.MaxPooling2D(),
            nn.Conv2D(8, 2, padding="same", activation="relu"),
            nn.GlobalMaxPooling2D(),
            nn.Dense(2, activation="softmax"),
        ]
    )
    model.compile(nn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=12, batch_size=32, verbose=0)
    assert history.history["accuracy"][-1] > 0.95


MISTAKES = [
    (lambda: nn.Conv2D(4, 3)(np.ones((8, 28, 28))), r"takes \(batch, height, width, channels\); .*\[\.\.\., None\]"),
    (lambda: nn.Conv1D(4, 3)(np.ones((8, 28))), r"takes \(batch, steps, channels\); it got \(None, 28\).*add an axis"),
    (lambda: nn.Conv2D(4, 3)(np.ones((28, 28))), r"it got \(None, 28\)\."),
    (
        lambda: nn.Conv2D(4, 3, data_format="channels_first")(np.ones((8, 28, 28))),
        r"\(batch, channels, height, width\).*x\[:, None\]",
    ),
    (lambda: nn.MaxPooling2D()(np.ones((8, 28, 28))), r"MaxPooling2D\) takes \(batch, height, width, channels\)"),
    (lambda: nn.Conv2D(4, 5, name="c")(np.ones((1, 3, 9, 1))), "c: conv.*spans 5 does not fit into axis 1"),
    (lambda: nn.Conv2D(4, 3, groups=2)(np.ones((1, 5, 5, 3))), "cannot part 3 channels into groups=2"),
    (lambda: nn.Conv2D(4, 3, groups=3), "filters=4 do not part into groups=3"),
    (lambda: nn.Conv2D(0, 3), "Conv2D: filters is a whole number, 1 or more; received 0"),
    (lambda: nn.Conv2D(4, (3, 3, 3)), r"Conv2D: kernel_size is a whole number or 2 of them.*\(3, 3, 3\)"),
    (lambda: nn.Conv2D(4, 3, strides=0), "Conv2D: strides is .* received 0"),
    (lambda: nn.Conv2D(4, 3, padding="causal"), "padding is 'valid' or 'same'; received 'causal'"),
    (lambda: nn.Conv1D(4, 3, padding="full"), "'valid' or 'same' or 'causal'; received 'full'"),
    (lambda: nn.Conv2D(4, 3, data_format="NHWC"), "'channels_last' or 'channels_first'; received 'NHWC'"),
    (lambda: nn.Conv2D(4, 3, activation="rleu"), "Did you mean 'relu'"),
    (lambda: nn.Conv2DTranspose(4, 3, 2, output_padding=2), "output_padding=2 is not less than strides=2"),
    (lambda: nn.Cropping1D(3)(np.ones((1, 5, 1))), "leaves nothing"),
    (lambda: nn.ZeroPadding2D((1, 2, 3)), "ZeroPadding2D: padding is a whole number"),
    (lambda: nn.UpSampling2D(interpolation="cubic"), "'nearest' or 'bilinear'"),
]


@pytest.mark.parametrize(("wrong", "message"), MISTAKES)
def test_mistakes_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_another_number_of_channels_or_axes_than_before():
    layer = nn.Conv2D(4, 3, name="seen")
    layer(np.ones((1, 5, 5, 3)))
    with pytest.raises(ValueError, match=r"'seen' \(Conv2D\(4\)\) was built for inputs \(…, …, …, 3\) but got"):
        layer(np.ones((1, 5, 5, 2)))
    with pytest.raises(ValueError, match=r"takes \(batch, height, width, channels"):
        layer(np.ones((1, 5, 3)))
    assert layer(np.ones((2, 7, 4, 3))).shape == (2, 5, 2, 4)
