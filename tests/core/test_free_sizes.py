"""Sizes that are free: shapes by rule, windows of any size, lengths that change, layers built for several shapes."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

#: a layer, the shape of a batch with free sizes, that of its output, and sizes to put in their place
RULES = [
    (lambda: nn.Dense(5), (None, None, 3), (None, None, 5)),
    (lambda: nn.Dense(6, activation="glu"), (None, None, 4), (None, None, 3)),
    (lambda: nn.Activation("relu"), (None, None, 3), (None, None, 3)),
    (lambda: nn.Activation("glu"), (None, None, 4), (None, None, 2)),
    (lambda: nn.Activation(lambda x: x[:, :2]), (None, None, 4), (None, 2, 4)),
    (lambda: nn.Flatten(), (None, None, 3), (None, None)),
    (lambda: nn.Reshape((-1, 3)), (None, None), (None, None, 3)),
    (lambda: nn.Reshape((4, -1)), (None, None, 2), (None, 4, None)),
    (lambda: nn.Permute((2, 1)), (None, None, 3), (None, 3, None)),
    (lambda: nn.RepeatVector(4), (None, 3), (None, 4, 3)),
    (lambda: nn.Conv1D(4, 41), (None, None, 1), (None, None, 4)),
    (lambda: nn.Conv1D(4, 3, strides=2, padding="same"), (None, None, 1), (None, None, 4)),
    (lambda: nn.Conv1D(4, 2, padding="causal", dilation_rate=16), (None, None, 1), (None, None, 4)),
    (lambda: nn.Conv2D(4, 3), (None, None, 10, 1), (None, None, 8, 4)),
    (lambda: nn.Conv2D(4, (3, 5), data_format="channels_first"), (None, 1, None, 10), (None, 4, None, 6)),
    (lambda: nn.DepthwiseConv2D(3, depth_multiplier=2), (None, None, 10, 3), (None, None, 8, 6)),
    (lambda: nn.SeparableConv1D(4, 30), (None, None, 3), (None, None, 4)),
    (lambda: nn.Conv2DTranspose(4, 3, strides=2), (None, None, 5, 3), (None, None, 11, 4)),
    (lambda: nn.MaxPooling1D(3), (None, None, 2), (None, None, 2)),
    (lambda: nn.AveragePooling1D(64, padding="same"), (None, None, 2), (None, None, 2)),
    (lambda: nn.MaxPooling2D(2, strides=3), (None, None, 11, 2), (None, None, 4, 2)),
    (lambda: nn.GlobalMaxPooling1D(), (None, None, 2), (None, 2)),
    (lambda: nn.GlobalAveragePooling2D(keepdims=True), (None, None, None, 2), (None, 1, 1, 2)),
    (lambda: nn.UpSampling2D((2, 3)), (None, None, 4, 2), (None, None, 12, 2)),
    (lambda: nn.ZeroPadding1D((1, 2)), (None, None, 2), (None, None, 2)),
    (lambda: nn.Cropping2D(((10, 10), (1, 0))), (None, None, 4, 2), (None, None, 3, 2)),
    (lambda: nn.Embedding(9, 4), (None, None), (None, None, 4)),
    (lambda: nn.Masking(), (None, None, 3), (None, None, 3)),
    (lambda: nn.Dropout(0.5), (None, None, 3), (None, None, 3)),
    (lambda: nn.GaussianNoise(0.5), (None, None, 3), (None, None, 3)),
    (lambda: nn.LayerNormalization(), (None, None, 3), (None, None, 3)),
    (lambda: nn.BatchNormalization(), (None, None, 3), (None, None, 3)),
    (lambda: nn.PReLU(shared_axes=[1]), (None, None, 3), (None, None, 3)),
    (lambda: nn.Softmax(), (None, None, 3), (None, None, 3)),
    (lambda: nn.Rescaling(2.0), (None, None, 3), (None, None, 3)),
    (lambda: nn.LSTM(4), (None, None, 3), (None, 4)),
    (lambda: nn.GRU(4, return_sequences=True), (None, None, 3), (None, None, 4)),
    (lambda: nn.Bidirectional(nn.LSTM(4, return_sequences=True)), (None, None, 3), (None, None, 8)),
    (lambda: nn.Bidirectional(nn.SimpleRNN(4), merge_mode="sum"), (None, None, 3), (None, 4)),
    (lambda: nn.TimeDistributed(nn.Dense(4)), (None, None, 3), (None, None, 4)),
    (lambda: nn.TimeDistributed(nn.Conv1D(4, 20)), (None, None, None, 3), (None, None, None, 4)),
    (lambda: nn.Lambda(lambda x: x[:, ::2]), (None, None, 3), (None, None, 3)),
    (lambda: nn.Sequential([nn.Conv1D(4, 20), nn.GlobalMaxPooling1D()]), (None, None, 3), (None, 4)),
    (lambda: nn.Identity(), (None, None, 3), (None, None, 3)),
]


@pytest.mark.parametrize("make, shape, right", RULES)
def test_rules(make, shape, right):
    layer = make()
    assert layer.compute_output_shape(shape) == right
    assert not layer.built and layer.weights == []
    for size in (48, 120):
        known = tuple(2 if i == 0 else size if n is None else n for i, n in enumerate(shape))
        by_rule = make().compute_output_shape(known)
        layer = make()
        y = layer(np.ones(known, "float32"))
        assert by_rule == y.shape == layer.compute_output_shape(known)
        assert len(right) == y.ndim and all(n in (None, m) for n, m in zip(right, y.shape, strict=True))
    model = nn.Sequential([nn.Input(shape[1:]), make()])
    assert model.output_shape == right and model.layers[0].output_shape == right


def deep(n, **conv):
    blocks = [layer for _ in range(n) for layer in (nn.Conv2D(2, 3, **conv), nn.MaxPooling2D(2))]
    return nn.Sequential([nn.Input((None, None, 3)), *blocks, nn.GlobalAveragePooling2D(), nn.Dense(2)])


@pytest.mark.parametrize("n", [1, 4, 6])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_deep_chains_of_windows(n, padding):
    model = deep(n, padding=padding)
    assert model.output_shape == (None, 2)
    assert len(model.graph(1).nodes) > 0
    assert model.predict(np.ones((1, 200, 260, 3), "float32")).shape == (1, 2)


def test_a_window_as_long_as_the_axis_and_longer():
    model = nn.Sequential([nn.Input((None, 2)), nn.Conv1D(3, 5), nn.GlobalMaxPooling1D()])
    assert model.predict(np.ones((2, 5, 2))).shape == (2, 3)
    with pytest.raises(ValueError, match="window that spans 5"):
        model.predict(np.ones((2, 4, 2)))
    with pytest.raises(ValueError, match=r"takes larger inputs.*spans 5"):
        nn.Conv1D(3, 5).compute_output_shape((None, 4, 2))


def test_sizes_that_weights_follow_from():
    for layers in ([nn.Flatten(), nn.Dense(2)], [nn.Reshape((4, -1)), nn.Dense(2)], [nn.Permute((2, 1)), nn.LSTM(2)]):
        with pytest.raises(ValueError, match="build needs the sizes that weights follow from"):
            nn.Sequential([nn.Input((None, 3)), *layers])


class Pairs(nn.Layer):
    """A formula without a rule, which needs an even length."""

    def call(self, x):
        return gn.mean(gn.reshape(x, (x.shape[0], x.shape[1] // 2, 2, x.shape[2])), axis=2)


class Wide(nn.Dense):
    def call(self, x):
        return gn.concatenate([super().call(x)] * 2, axis=-1)


class Scaled(nn.Layer):
    def build(self, input_shape):
        assert input_shape[1] is None
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.scale


class Stated(nn.Layer):
    def call(self, x):
        return x[:, :7]

    def compute_output_shape(self, input_shape):
        return [input_shape[0], 7, *input_shape[2:]]


@pytest.mark.parametrize(
    "layer, right",
    [(Pairs(), (None, None, 3)), (Wide(4), (None, None, 8)), (Scaled(), (None, None, 3)), (Stated(), (None, 7, 3))],
)
def test_layers_of_ones_own(layer, right):
    assert nn.Sequential([nn.Input((None, 3)), layer]).output_shape == right


def test_added_one_by_one():
    model = nn.Sequential([nn.Input((None, 3))])
    for layer in (nn.Conv1D(4, 40), nn.MaxPooling1D(2), nn.LSTM(5), nn.Dense(2)):
        model.add(layer)
    assert [layer.output_shape for layer in model.layers] == [(None, None, 4), (None, None, 4), (None, 5), (None, 2)]
    model.pop()
    assert model.output_shape == (None, 5)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [nn.LSTM(4), nn.Dense(1)],
        lambda: [nn.Conv1D(4, 3), nn.GlobalMaxPooling1D(), nn.Dense(1)],
        lambda: [nn.Bidirectional(nn.GRU(3)), nn.Dense(1)],
        lambda: [nn.Sequential([nn.TimeDistributed(nn.Dense(4)), nn.GlobalAveragePooling1D()]), nn.Dense(1)],
        lambda: [Pairs(), nn.LayerNormalization(), nn.SimpleRNN(2), nn.Dense(1)],
    ],
)
def test_lengths_that_change_without_an_input(layers):
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(4, n, 3)).astype("float32"), np.ones((4, 1))) for n in (10, 20, 12, 20)]
    model = nn.Sequential(layers())
    model.compile("sgd", "mse")
    model.fit((d for d in data * 12), verbose=0)
    assert [model.predict(x).shape for x, _ in data] == [(4, 1)] * 4
    assert model.built_shape == (None, None, 3) and model.output_shape == (None, 1)
    known = nn.Sequential([nn.Input((None, 3)), *layers()])
    known.set_weights(model.get_weights())
    assert np.allclose(known.predict(data[1][0]), model.predict(data[1][0]), atol=1e-6)
    with pytest.raises(ValueError, match=r"\(4, 10, 5\)"):
        model.predict(np.ones((4, 10, 5)))


def test_what_follows_from_a_size_is_still_checked():
    model = nn.Sequential([nn.Flatten(), nn.Dense(2)])
    model.predict(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match=r"got \(2, 5, 4\): the model was built for \(None, 3, 4\)"):
        model.predict(np.ones((2, 5, 4)))
    assert model.predict(np.ones((2, 3, 4))).shape == (2, 2) and model.built_shape == (None, 3, 4)
    stated = nn.Sequential([nn.Input((10, 3)), nn.LSTM(2)])
    with pytest.raises(ValueError, match=r"the model's Input is \(None, 10, 3\)"):
        stated.predict(np.ones((2, 11, 3)))


def test_built_after_build():
    for layer in (nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Dense(3), Pairs(), nn.Lambda(lambda x: x)):
        layer.build((None, 4, 3))
        assert layer.built and layer.built_shape == (None, 4, 3)
    both = nn.Bidirectional(nn.SimpleRNN(4))
    both.build((None, 2, 4))
    assert both.built and len(both.weights) == 6
    steps = nn.TimeDistributed(nn.Dense(4))
    steps.build((None, 2, 3))
    assert steps.built and [w.shape for w in steps.weights] == [(3, 4), (4,)]
    model = nn.Sequential([nn.Dense(3)])
    model.build((None, 4))
    assert model.built and model.layers[0].built


def test_normalisations_take_any_number_of_axes():
    for layer in (nn.LayerNormalization(), nn.RMSNormalization(), nn.LayerNormalization(axis=[-2, -1])):
        layer(np.ones((2, 5, 3)))
        assert layer(np.ones((2, 4, 5, 3))).shape == (2, 4, 5, 3)
        with pytest.raises(ValueError, match="was built for inputs"):
            layer(np.ones((2, 5, 4)))


def test_inputs_by_name():
    assert nn.Dense(2)(inputs=np.ones((3, 4))).shape == nn.Dense(2)(x=np.ones((3, 4))).shape == (3, 2)
    assert nn.Dropout(0.5)(inputs=np.ones((3, 4)), training=True).shape == (3, 4)

    class Named(nn.Layer):
        def call(self, features, scale=1.0):
            return features * scale

    assert float(Named()(features=[[3.0]], scale=2.0)[0, 0]) == 6 == float(Named()(inputs=[[3.0]], scale=2.0)[0, 0])
    assert float(Named()([[3.0]], 2.0)[0, 0]) == 6
    for call, text in ((lambda: nn.Dense(2)(), "no input"), (lambda: Named()([[3.0]], 2.0, 4.0), "positional")):
        with pytest.raises(TypeError, match=text):
            call()
    with pytest.raises(TypeError, match="scale twice"):
        Named()([[3.0]], 2.0, scale=3.0)


def test_activation_of_none_after_the_layer_was_made():
    for layer in (nn.Dense(2), nn.Conv1D(2, 1), nn.Activation("relu")):
        layer.activation = None
        assert layer(-np.ones((1, 3, 2))).shape[:2] == (1, 3)


def test_masks_that_broadcast():
    x = np.arange(6.0).reshape(2, 3)
    assert (nn.Softmax()(x, mask=np.zeros((2, 3), bool)).numpy() == 0).all()
    assert (nn.Softmax()(x, mask=[[False] * 3] * 2).numpy() == 0).all()
    y = nn.Softmax()(x, mask=np.array([True, True, False])).numpy()
    assert (y[:, 2] == 0).all() and np.allclose(y.sum(axis=1), 1)
    with pytest.raises(ValueError, match="mask that broadcasts"):
        nn.Softmax()(x, mask=np.ones((4, 3), bool))
    batch = np.random.default_rng(0).normal(size=(3, 2, 4)).astype("float32")
    wide, narrow = (nn.BatchNormalization(momentum=0.0) for _ in range(2))
    wide(batch, training=True, mask=np.array([[True, False]] * 3))
    narrow(batch, training=True, mask=np.array([[True, False]]))
    assert np.allclose(wide.moving_mean.numpy(), batch[:, 0].mean(axis=0), atol=1e-6)
    assert np.allclose(wide.moving_mean.numpy(), narrow.moving_mean.numpy())


def test_time_distributed_hands_masks_on():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[True, True, False], [True, False, False]])
    inner = nn.BatchNormalization(momentum=0.0)
    nn.TimeDistributed(inner)(x, training=True, mask=mask)
    assert np.allclose(inner.moving_mean.numpy(), x[mask].mean(axis=0), atol=1e-6)
    assert nn.TimeDistributed(nn.Dense(2))(x, mask=mask).shape == (2, 3, 2)
    deep = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    lstm = nn.TimeDistributed(nn.LSTM(2))
    kept = np.random.default_rng(1).random((2, 3, 5)) > 0.3
    y = lstm(deep, mask=kept).numpy()
    assert np.allclose(y[1, 2], lstm.layer(deep[1, 2:3], mask=kept[1, 2:3]).numpy()[0], atol=1e-6)
    assert np.allclose(lstm(deep, mask=mask).numpy()[0, 0], lstm.layer(deep[0, :1]).numpy()[0], atol=1e-6)
    with pytest.raises(ValueError, match="takes a mask"):
        nn.TimeDistributed(nn.BatchNormalization())(x, mask=mask[:, :2])


def double(x):
    return 2 * x


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(max_value=1.0), nn.Softmax(axis=0), nn.LeakyReLU(0.5), nn.ELU(alpha=3.0), double, nn.PReLU(), "selu"],
    ids=["relu", "softmax", "leaky_relu", "elu", "function", "prelu", "name"],
)
def test_activations_keep_their_settings(activation):
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32") * 3
    model = nn.Sequential([nn.Input((3,)), nn.Dense(3, activation=activation)])
    cloned = nn.clone_model(model)
    again = nn.Sequential.from_config(model.get_config())
    layer = nn.Sequential([nn.Input((3,)), nn.Dense.from_config(model.layers[0].get_config())])
    for made in (cloned, again, layer):
        assert made.layers[0].activation is not model.layers[0].activation or activation in (double, "selu")
        made.set_weights(model.get_weights())
        assert np.allclose(made.predict(x), model.predict(x))
