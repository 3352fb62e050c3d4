"""Layers, Sequential and the random op: formulas, shapes, weights, names, configurations."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import graphnet as gn
from graphnet import nn
from graphnet.nn import Activation, Dense, Dropout, Flatten, Input, Layer, Sequential
from graphnet.nn.phase import running


def test_dense_is_its_formula():
    layer = Dense(3, activation="tanh", bias_initializer="ones")
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("f")
    y = layer(x)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (2, 3) and bias.shape == (3,)
    assert y.numpy() == pytest.approx(np.tanh(x @ kernel + bias), rel=1e-6)
    assert layer(np.zeros((4, 7, 2))).shape == (4, 7, 3)
    assert [w.shape for w in Dense(3, use_bias=False)(x).inputs] == [(5, 2), (2, 3)]


def test_flatten_and_activation():
    x = np.arange(12.0).reshape(2, 3, 2)
    assert Flatten()(x).numpy().tolist() == x.reshape(2, 6).tolist()
    assert Flatten()(np.ones((4,))).shape == (4, 1)
    assert Activation("relu")([[-1.0, 2.0]]).numpy().tolist() == [[0.0, 2.0]]
    assert Activation(lambda x: x * 2)([[1.0]]).numpy().tolist() == [[2.0]]
    assert Activation(None)([[1.0]]).numpy().tolist() == [[1.0]]


@pytest.mark.parametrize("word", nn.activations.table.words)
def test_every_activation_runs_eager_and_symbolic(word):
    f = nn.activations.get(word)
    x = gn.input((2, 4))
    g = gn.Graph([x], f(x))
    data = np.linspace(-2, 2, 8, dtype="f").reshape(2, 4)
    assert g(data).numpy() == pytest.approx(f(gn.tensor(data)).numpy(), rel=1e-6)


def test_dropout_scales_what_it_keeps():
    layer = Dropout(0.25)
    x = np.ones((200, 200), "f")
    y = layer(x, training=True).numpy()
    assert sorted(set(y.ravel().tolist())) == [0.0, np.float32(1 / 0.75)]
    assert y.mean() == pytest.approx(1, abs=0.02) and (y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert (layer(x).numpy() == 1).all() and (layer(x, training=False).numpy() == 1).all()
    assert (Dropout(1.0)(x, training=True).numpy() == 0).all()
    assert (Dropout(0)(x, training=True).numpy() == 1).all()
    rows = Dropout(0.5, noise_shape=(None, 1))(x, training=True).numpy()
    assert ((rows == 0).all(1) | (rows == 2).all(1)).all() and 0 < (rows[:, 0] == 0).mean() < 1


def test_dropout_is_a_function_of_seed_and_step():
    x = gn.ones((8, 8), dtype="float32")
    a, b = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    first, second = a(x, training=True).numpy(), a(x, training=True).numpy()
    assert (first != second).any() and (first == b(x, training=True).numpy()).all()
    with running(True, gn.tensor(7)):
        at7 = a(x).numpy()
        assert (at7 == b(x).numpy()).all() and (at7 != a(x).numpy()).any()
    step = gn.input((), "int64")
    with running(True, step):
        g = gn.Graph([step], a(x))
    assert (g(np.int64(7)).numpy() == at7).all() and (g(np.int64(8)).numpy() != at7).any()


def test_dropout_passes_its_gradient_where_it_keeps():
    x = gn.Parameter(np.ones((6, 6)), dtype="float32")
    y = Dropout(0.5, seed=1)(x, training=True)
    assert (gn.gradients(y.sum(), x).numpy() == y.numpy()).all()


def test_random_uniform_is_a_pure_function_of_its_key():
    a = gn.random_uniform(5, (3, 4)).numpy()
    assert (a == gn.random_uniform(gn.tensor(5), (3, 4)).numpy()).all()
    assert (a.ravel()[:5] == gn.random_uniform(5, 5).numpy()).all()
    assert a.dtype == np.float32 and gn.random_uniform(5, (2,), dtype="float64").dtype == np.float64
    assert gn.random_uniform(2**62 + 1, (2,)).shape == (2,) and gn.random_uniform(-1, (0, 3)).shape == (0, 3)
    for bad in (1.5, [1, 2]):
        with pytest.raises(TypeError, match="one whole number"):
            gn.random_uniform(bad, (2,))
    with pytest.raises(TypeError, match="float32 or float64"):
        gn.random_uniform(1, (2,), dtype="int32")


def test_random_uniform_as_scalar_code():
    """What a kernel would write for one element gives the same bits."""
    mask = (1 << 64) - 1

    def mix(z):
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return z ^ z >> 31

    for key in (0, 1, 12345678901234567):
        start = mix(key + 0x9E3779B97F4A7C15 & mask)
        words = [mix(start + (i + 1) * 0x9E3779B97F4A7C15 & mask) for i in range(6)]
        halves = [(words[i // 2] >> 32 * (i % 2) & 0xFFFFFFFF) >> 8 for i in range(11)]
        assert gn.random_uniform(key, (11,)).numpy().tolist() == [h * 2.0**-24 for h in halves]
        double = gn.random_uniform(key, (6,), dtype="float64").numpy().tolist()
        assert double == [(w >> 11) * 2.0**-53 for w in words]


def test_splitmix_reference_values():
    """The first words for seed 1234567, as published with the generator's reference code."""
    from graphnet.ops.random import GAMMA, mixed

    state, found = 1234567, []
    for _ in range(3):
        state = (state + GAMMA) % 2**64
        found.append(mixed(state))
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_uniform_is_uniform_and_keys_are_independent(dtype):
    n = 200_000
    draws = [gn.random_uniform(key, n, dtype=dtype).numpy().astype(float) for key in range(1000, 1006)]
    for u in draws:
        assert u.min() >= 0 and u.max() < 1
        assert u.mean() == pytest.approx(0.5, abs=5 * (1 / 12 / n) ** 0.5)
        assert u.var() == pytest.approx(1 / 12, abs=5 * (1 / 180 / n) ** 0.5)
        assert stats.chisquare(np.histogram(u, 256, (0, 1))[0]).pvalue > 1e-4
        assert stats.kstest(u[:5000], "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 5 / n**0.5
        assert abs(np.corrcoef(u[:-2], u[2:])[0, 1]) < 5 / n**0.5
    for u, v in pairwise(draws):
        assert abs(np.corrcoef(u, v)[0, 1]) < 5 / n**0.5
        grid = np.histogram2d(u, v, 16, [(0, 1), (0, 1)])[0].ravel()
        assert stats.chisquare(grid).pvalue > 1e-4
    firsts = np.array([gn.random_uniform(key, 1, dtype=dtype).numpy()[0] for key in range(4000)], float)
    assert stats.chisquare(np.histogram(firsts, 64, (0, 1))[0]).pvalue > 1e-4
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) < 5 / 4000**0.5


class Scaled(Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self.inner = Dense(3, name="inner")

    def build(self, input_shape):
        self.mean = self.add_weight(name="mean", shape=(input_shape[-1],), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones", regularizer="l2")

    def call(self, x, training=False):
        return self.inner((x - self.mean) * self.scale * (self.factor if training else 1.0))


def test_custom_layers_nest_and_learn():
    layer = Scaled()
    model = Sequential([Input((4,)), layer, Dense(1)])
    assert [w.name.split("/")[1] for w in layer.weights] == ["scale", "mean", "kernel", "bias"]
    assert [w.shape for w in model.weights] == [(4,), (4,), (4, 3), (3,), (3, 1), (1,)]
    assert [w.shape for w in layer.trainable_weights] == [(4,), (4, 3), (3,)]
    assert [w.shape for w in layer.non_trainable_weights] == [(4,)]
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.zeros((4, 1)), verbose=0)
    assert (layer.scale.numpy() != 1).any() and (layer.mean.numpy() == 0).all()
    assert len(model.steps.penalties) == 1
    layer.trainable = False
    assert layer.trainable_weights == [] and not layer.inner.trainable
    x = np.ones((1, 4), "f")
    assert (layer(x, training=True).numpy() != layer(x).numpy()).any()


def test_training_reaches_layers_inside_layers():
    class Block(Layer):
        def __init__(self):
            super().__init__()
            self.parts = [Dense(64, kernel_initializer="ones"), Dropout(0.5)]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    block = Block()
    assert (block(np.ones((1, 1))).numpy() != 0).all()
    assert (block(np.ones((1, 1)), training=True).numpy() == 0).any()
    assert len(block.weights) == 2


def test_sequential_builds_lazily_or_at_once():
    lazy = Sequential([Dense(3), Dense(2)])
    assert not lazy.built and lazy.weights == [] and lazy.output_shape is None
    lazy(np.ones((5, 4)))
    assert lazy.built and lazy.count_params() == 23 and lazy.output_shape == (None, 2)
    at_once = Sequential([Input((4,)), Dense(3), Dense(2)])
    assert at_once.built and at_once.count_params() == 23 and len(at_once.layers) == 2
    assert Sequential([Dense(3, input_shape=(4,)), Dense(2)]).count_params() == 23
    explicit = Sequential([Dense(3), Dense(2)])
    explicit.build((None, 4))
    assert explicit.count_params() == 23 and explicit.input_shape == (None, 4)


def test_sequential_is_a_layer():
    inner = Sequential([Dense(3, activation="relu"), Dropout(0.5)], name="inner")
    model = Sequential([Input((4,)), inner, Dense(2)], name="outer")
    assert [w.shape for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
    assert model.get_layer("inner") is inner and model.get_layer(index=1) is model.layers[1]
    y = model(gn.input((5, 4)))
    assert y.shape == (5, 2)
    graph = model.graph(5)
    kinds = {r.kind for t in graph.nodes if t.region for r in t.region.path}
    assert {"Sequential", "Dense"} <= kinds
    data = np.ones((5, 4), "f")
    assert graph(data).numpy() == pytest.approx(model(data).numpy(), rel=1e-6)
    assert model.pop().units == 2 and model.output_shape == (None, 3)


def test_weights_can_be_taken_and_put_back():
    model = Sequential([Input((3,)), Dense(2), Dense(1)])
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(3, 2), (2,), (2, 1), (1,)]
    model.set_weights([w + 1 for w in weights])
    assert all((a == b + 1).all() for a, b in zip(model.get_weights(), weights, strict=True))
    weights[0][:] = 9
    assert (model.get_weights()[0] != 9).all()
    with pytest.raises(ValueError, match=r"needs 4 arrays.*received 1"):
        model.set_weights(weights[:1])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"has shape \(1,\); received \(5,\)"):
        model.set_weights([*weights[:3], np.ones(5)])
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))


def test_names():
    first, second = Dense(1), Dense(1)
    stem, n = [*first.name.rsplit("_", 1), "0"][:2] if "_" in first.name else (first.name, "0")
    assert stem == "dense" and second.name == f"dense_{int(n) + 1}"
    with pytest.raises(ValueError, match="layer named 'a' already"):
        Sequential([Dense(1, name="a"), Dense(2, name="a")])
    assert repr(Sequential(name="net")) == "<Sequential name=net, built=False>"


def test_configurations_make_the_same_object_again():
    model = Sequential(
        [
            Input((4, 2)),
            Flatten(),
            Dense(
                3, "relu", kernel_initializer=nn.initializers.HeNormal(seed=1), kernel_regularizer="l2", name="hidden"
            ),
            Dropout(0.5, seed=3),
            Activation("softmax"),
        ],
        name="net",
    )
    config = model.get_config()
    import json

    again = Sequential.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert again.layers[1].kernel_initializer.seed == 1 and again.layers[1].kernel_regularizer.l2 == 0.01
    for made in (nn.optimizers.Adam(0.1, clipnorm=1.0), nn.losses.BinaryCrossentropy(label_smoothing=0.1)):
        assert type(made).from_config(made.get_config()).get_config() == made.get_config()
    custom = Scaled(3.0, name="s")
    assert Scaled.from_config(custom.get_config()).factor == 3.0


def test_float64_layers():
    model = Sequential([Input((2,), dtype="float64"), Dense(3, dtype="float64")])
    x = np.random.default_rng(0).normal(size=(4, 2))
    layer = model.layers[0]
    assert layer.kernel.dtype == np.float64
    gn.check_grads(lambda k: (x @ k + layer.bias).sum(), layer.kernel)
    assert layer(x).dtype == np.float64


def test_initializers():
    make = nn.initializers
    nn.set_random_seed(0)
    uniform = make.GlorotUniform()((300, 100))
    assert np.abs(uniform).max() == pytest.approx(0.1224745, rel=1e-3) and uniform.dtype == np.float32
    he = make.get("he_normal")((300, 100))
    assert he.std() == pytest.approx(0.0817, rel=0.02) and np.abs(he).max() == pytest.approx(0.1856, rel=1e-3)
    assert make.TruncatedNormal()((400, 100)).std() == pytest.approx(0.044, rel=0.02)
    assert make.RandomNormal()((400, 100)).std() == pytest.approx(0.05, rel=0.02)
    assert np.abs(make.RandomUniform()((400, 100))).max() == pytest.approx(0.05, rel=1e-3)
    assert make.GlorotNormal()((300, 100)).std() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert np.abs(make.HeUniform()((300, 100))).max() == pytest.approx((6 / 300) ** 0.5, rel=1e-3)
    assert make.fans((3, 3, 16, 32)) == (144, 288) and make.fans((7,)) == (7, 7) and make.fans(()) == (1, 1)
    assert (make.Constant(2.5)((2, 2)) == 2.5).all() and (make.get("ones")((2,)) == 1).all()
    assert type(make.get("xavier")) is type(make.get("glorot_uniform")) is make.GlorotUniform
    seeded = make.GlorotUniform(seed=4)
    assert (seeded((3, 3)) == seeded((3, 3))).all()
    assert (make.GlorotUniform()((3, 3)) != make.GlorotUniform()((3, 3))).any()


def test_regularizers_and_their_gradients():
    make = nn.regularizers
    ones = gn.tensor(np.ones((3, 4), "f"))
    assert float(make.L2(0.01)(ones)) == pytest.approx(0.12)
    assert float(make.L1(0.01)(ones)) == pytest.approx(0.12)
    assert float(make.get("l1_l2")(ones)) == 0.0 and float(make.L1L2(0.5, 0.25)(ones)) == 9.0
    assert make.get("l2").l2 == 0.01
    w = gn.Parameter([[1.0, -2.0], [0.0, 4.0]])
    for penalty, gradient in (
        (make.L2(0.5), w.numpy()),
        (make.L1(0.5), 0.5 * np.sign(w.numpy())),
        (make.Ridge(0.5), 0.5 * w.numpy()),
        (make.Lasso(0.5), 0.5 * np.sign(w.numpy())),
    ):
        assert gn.gradients(penalty(w), w).numpy() == pytest.approx(gradient)


def test_to_categorical():
    assert nn.to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert nn.to_categorical([[1], [0]], 3).shape == (2, 3)
    with pytest.raises(ValueError, match="0 to 1"):
        nn.to_categorical([0, 2], 2)
