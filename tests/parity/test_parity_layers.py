"""Every layer beside the real Keras: outputs, gradients, and all weights after 20 training steps, to 1e-5.

A row of CASES names a class, its arguments and the shape of a row of its input. Both libraries build it from the same
configuration, get the same weights, and train `layer -> Flatten -> Dense(2)` with plain gradient descent on the same
data. `GRAPHNET_PARITY=1 pytest tests/parity` runs it where Keras is installed.
"""

import os

import numpy as np
import pytest

if os.environ.get("GRAPHNET_PARITY") != "1":
    pytest.skip("GRAPHNET_PARITY=1 compares with the real Keras", allow_module_level=True)
keras = pytest.importorskip("keras")

from graphnet import nn  # noqa: E402

BATCH, STEPS, RATE = 6, 20, 0.02
#: what Keras draws at random is compared at rest only
RANDOM = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout"}

CASES = [
    ("Dense", {"units": 3, "activation": "tanh"}, (4,)),
    ("Dense", {"units": 3, "kernel_regularizer": "l2", "bias_regularizer": "l1"}, (5, 4)),
    ("Dense", {"units": 3, "activity_regularizer": "l2", "use_bias": False}, (4,)),
    *[
        ("Activation", {"activation": word}, (7,))
        for word in (
            "relu", "sigmoid", "tanh", "softmax", "linear", "softplus", "softsign", "elu", "selu", "gelu", "silu",
            "mish", "relu6", "hard_sigmoid", "hard_silu", "exponential", "leaky_relu", "log_softmax",
        )
    ],
    ("ReLU", {}, (7,)),
    ("ReLU", {"max_value": 0.7, "negative_slope": 0.1}, (7,)),
    ("ReLU", {"negative_slope": 0.1, "threshold": 0.3}, (7,)),
    ("ReLU", {"max_value": 0.9, "threshold": 0.3}, (7,)),
    ("LeakyReLU", {}, (7,)),
    ("LeakyReLU", {"negative_slope": 0.1}, (7,)),
    ("PReLU", {"alpha_initializer": "ones"}, (4, 3)),
    ("PReLU", {"alpha_initializer": "he_normal", "shared_axes": [1], "alpha_regularizer": "l2"}, (4, 3)),
    ("ELU", {"alpha": 0.7}, (7,)),
    ("Softmax", {}, (7,)),
    ("Softmax", {"axis": 1}, (3, 4)),
    ("Softmax", {"axis": [1, 2]}, (3, 4)),
    ("BatchNormalization", {}, (5,)),
    ("BatchNormalization", {"momentum": 0.6, "epsilon": 1e-5}, (4, 3)),
    ("BatchNormalization", {"axis": 1, "scale": False}, (4, 3)),
    ("BatchNormalization", {"axis": 1, "center": False}, (2, 3, 4)),
    ("BatchNormalization", {"beta_regularizer": "l1", "gamma_regularizer": "l2", "trainable": True}, (5,)),
    ("BatchNormalization", {"moving_mean_initializer": "ones", "gamma_initializer": "random_normal"}, (5,)),
    ("LayerNormalization", {}, (5,)),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 1e-5}, (4, 3)),
    ("LayerNormalization", {"axis": 1, "scale": False, "center": True}, (4, 3)),
    ("LayerNormalization", {"gamma_regularizer": "l2"}, (2, 4, 3)),
    ("GroupNormalization", {"groups": 2}, (6,)),
    ("GroupNormalization", {"groups": 3}, (5, 6)),
    ("GroupNormalization", {"groups": 2, "axis": 1, "center": False}, (4, 3, 2)),
    ("GroupNormalization", {"groups": -1}, (5, 5, 3)),
    ("RMSNormalization", {}, (5,)),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 1e-3}, (4, 3)),
    ("UnitNormalization", {}, (5,)),
    ("UnitNormalization", {"axis": [1, 2]}, (4, 3)),
    ("Normalization", {"mean": 3.0, "variance": 2.0}, (5,)),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 0.5, 2.0], "invert": True}, (4, 3)),
    ("Normalization", {"axis": None, "mean": 0.5, "variance": 4.0}, (4, 3)),
    ("Rescaling", {"scale": 0.1, "offset": 2.0}, (5,)),
    ("Dropout", {"rate": 0.5}, (5,)),
    ("SpatialDropout1D", {"rate": 0.5}, (5, 3)),
    ("SpatialDropout2D", {"rate": 0.5}, (5, 4, 3)),
    ("GaussianDropout", {"rate": 0.5}, (5,)),
    ("GaussianNoise", {"stddev": 0.5}, (5,)),
    ("AlphaDropout", {"rate": 0.5}, (5,)),
    ("ActivityRegularization", {"l1": 0.01, "l2": 0.02}, (5,)),
    ("Reshape", {"target_shape": [2, -1]}, (4, 3)),
    ("Permute", {"dims": [2, 1]}, (4, 3)),
    ("RepeatVector", {"n": 3}, (4,)),
    ("Flatten", {}, (4, 3)),
    ("Flatten", {"data_format": "channels_first"}, (2, 4, 3)),
    ("Identity", {}, (5,)),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "same", "activation": "relu"}, (8, 2)),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (8, 2)),
    ("Conv1D", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "valid"}, (9, 2)),
    ("Conv2D", {"filters": 3, "kernel_size": 3}, (6, 7, 2)),
    ("Conv2D", {"filters": 3, "kernel_size": [2, 3], "strides": 2, "padding": "same"}, (6, 7, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2, "use_bias": False}, (6, 7, 2)),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, (3, 4, 2)),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, (5, 6, 2)),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3}, (5, 6, 2)),
    *[
        (f"{kind}Pooling{n}D", {"pool_size": 2, "padding": padding}, (5, 7, 3)[: n + 1])
        for kind in ("Max", "Average")
        for n in (1, 2)
        for padding in ("valid", "same")
    ],
    *[(f"Global{kind}Pooling{n}D", {}, (4, 5, 3)[: n + 1]) for kind in ("Max", "Average") for n in (1, 2)],
    ("UpSampling1D", {"size": 2}, (4, 3)),
    ("UpSampling2D", {"size": [2, 3]}, (3, 4, 2)),
    ("ZeroPadding1D", {"padding": 2}, (4, 3)),
    ("ZeroPadding2D", {"padding": [1, 2]}, (3, 4, 2)),
    ("Cropping1D", {"cropping": 1}, (5, 3)),
    ("Cropping2D", {"cropping": [1, 1]}, (5, 6, 3)),
    *[
        (kind, {"units": 3, **options}, (5, 2))
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for options in ({}, {"return_sequences": True}, {"go_backwards": True, "activation": "relu"})
    ],
    ("GRU", {"units": 3, "reset_after": False}, (5, 2)),
    ("Embedding", {"input_dim": 9, "output_dim": 3}, (5,)),
]  # fmt: skip


def name_of(case):
    kind, options, shape = case
    return f"{kind}-{'-'.join(f'{k}={v}' for k, v in options.items())}-{'x'.join(map(str, shape))}"


def data_for(kind, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, *shape)) if kind != "Embedding" else rng.integers(0, 9, (BATCH, *shape))
    return x.astype("float32"), rng.normal(size=(BATCH, 2)).astype("float32")


def networks(kind, options, shape):
    """The same network in Keras and here, with the same weights."""
    keras.utils.set_random_seed(0)
    nets = []
    for library, space in ((keras, keras.layers), (nn, nn.layers)):
        if not hasattr(space, kind):
            pytest.skip(f"{kind} is not in {library.__name__}")
        layer = getattr(space, kind)(**options)
        net = library.Sequential([library.Input(shape), layer, space.Flatten(), space.Dense(2)])
        nets.append(net)
    theirs, ours = nets
    rng = np.random.default_rng(1)
    weights = theirs.get_weights()
    # Away from 0, where derivatives of kinks are a matter of taste; what was drawn at random is so already.
    weights = [w if np.ptp(w) else w + (0.1 + np.abs(rng.normal(size=w.shape) * 0.3)).astype(w.dtype) for w in weights]
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def near(found, expected, scale=1.0):
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        np.asarray(found), expected, rtol=1e-5, atol=1e-5 * scale * max(1.0, float(np.abs(expected).max(initial=0)))
    )


def jax_gradients(net, x, y, training):
    """d loss / d x and / d weights, by JAX, of the mean squared error with all that the layers add."""
    import jax

    learn = [v.value for v in net.trainable_variables]
    rest = [v.value for v in net.non_trainable_variables]

    def loss(values, x):
        out, _, added = net.stateless_call(values, rest, x, training=training, return_losses=True)
        return ((out - y) ** 2).mean() + sum(added)

    return jax.grad(loss, argnums=(0, 1))(learn, x)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_layer(case):
    import graphnet as gn

    kind, options, shape = case
    theirs, ours = networks(kind, options, shape)
    x, y = data_for(kind, shape)
    near(ours(x), theirs(x))
    for mine, real in zip(ours.layers, theirs.layers, strict=True):
        assert mine.output_shape == real.output.shape
        shared = set(mine.get_config()) & set(real.get_config()) - {"name", "dtype", "seed", "groups"}
        for key in shared:
            if isinstance(real.get_config()[key], (int, float, str, bool, type(None))):
                assert mine.get_config()[key] == real.get_config()[key], key

    training = kind not in RANDOM
    given = gn.Parameter(x) if kind != "Embedding" else gn.tensor(x)
    out = ours(given, training=training)
    loss = gn.mean(gn.square(out - y)) + sum(ours.losses)
    learn = ours.trainable_weights
    weights, inner = jax_gradients(theirs, x, y, training)
    for found, expected, w in zip(gn.gradients(loss, learn), weights, learn, strict=True):
        assert found.shape == expected.shape, w.name
        near(found, expected)
    if kind != "Embedding":
        near(gn.gradients(loss, given), inner)

    if training:
        ours.set_weights(theirs.get_weights())
        theirs.compile(keras.optimizers.SGD(RATE), "mse", run_eagerly=True, jit_compile=False)
        ours.compile(nn.optimizers.SGD(RATE), "mse")
        for _ in range(STEPS):
            real, mine = theirs.train_on_batch(x, y), ours.train_on_batch(x, y)
            near(mine, real)
        for found, expected, w in zip(ours.get_weights(), theirs.get_weights(), ours.weights, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=w.name)
        near(ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0))
        near(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))


@pytest.mark.parametrize("axis", [-1, None, (1, 2)])
def test_adapted_numbers(axis):
    data = np.random.default_rng(0).normal(3, 2, (50, 4, 3)).astype("float32")
    theirs, ours = keras.layers.Normalization(axis=axis), nn.Normalization(axis=axis)
    theirs.adapt(data)
    ours.adapt(data)
    near(ours(data[:5]), theirs(data[:5]))
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    for mine, real in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        near(mine, real)


def test_frozen_batch_normalization():
    x = np.random.default_rng(0).normal(1, 3, (8, 4)).astype("float32")
    for library in (keras, nn):
        layer = library.layers.BatchNormalization(trainable=False)
        near(layer(x, training=True), x / np.sqrt(1.001))
        assert (np.asarray(layer.moving_mean) == 0).all()


def test_masked_batch_normalization():
    x = np.random.default_rng(0).normal(1, 3, (3, 4, 5)).astype("float32")
    mask = np.arange(4) < np.array([[4], [1], [2]])
    results = []
    for library in (keras, nn):
        layer = library.layers.BatchNormalization()
        y = layer(x, training=True, mask=mask)
        results.append([y, *layer.get_weights()])
    for real, mine in zip(*results, strict=True):
        near(mine, real)


def test_noise_has_the_same_distribution():
    x = np.random.default_rng(0).normal(1, 1, (200, 200)).astype("float32")
    for kind, options in (
        ("Dropout", {"rate": 0.3}),
        ("GaussianNoise", {"stddev": 0.5}),
        ("GaussianDropout", {"rate": 0.3}),
        ("AlphaDropout", {"rate": 0.3}),
    ):
        real = np.asarray(getattr(keras.layers, kind)(**options)(x, training=True))
        mine = getattr(nn, kind)(**options)(x, training=True).numpy()
        assert mine.mean() == pytest.approx(real.mean(), abs=0.02), kind
        assert mine.std() == pytest.approx(real.std(), rel=0.02), kind
