"""The words of the library this one grew from: Layer(size=), penalty=, iterations=, score."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Layer, Sequential, to_categorical
from graphnet.nn.classic import ClassicLayer


def blobs(rows=240, width=20, classes=6):
    rng = np.random.default_rng(2)
    y = rng.integers(classes, size=rows)
    return rng.normal(size=(rows, width)) + 5 * np.eye(classes, width)[y], y


def classic(width=20, hidden=60, classes=6, keep=0.5, **options):
    model = Sequential()
    model.add(Layer(size=width))
    model.add(Layer(size=hidden, activation="relu", type="dropout", dropout_keep_prob=keep))
    model.add(Layer(size=classes, activation="softmax"))
    model.compile(**options)
    return model


@pytest.mark.parametrize("word", ["regularization", "penalty"])
@pytest.mark.parametrize("kind", ["ridge", "lasso"])
def test_the_script_of_the_original_runs_and_learns(word, kind, capsys):
    nn.set_random_seed(1)
    x, labels = blobs()
    model = classic(learning_rate=0.3, weight_penalty=0.001, **{word: kind})
    history = model.fit(x=x[:200], targets=to_categorical(labels[:200]), iterations=100)
    assert len(history.epoch) == 100 and model.optimizer.iterations.numpy() == 100
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert model.score(x[200:], labels[200:], metric="accuracy") > 0.9
    one_hot = to_categorical(labels[200:], 6)
    assert model.score(x[200:], one_hot, metric="accuracy") == model.score(x[200:], labels[200:])
    assert model.score(x[200:], one_hot, metric="loss") == pytest.approx(
        model.score(x[200:], labels[200:], metric="loss")
    )
    assert model.score(x[200:], labels[200:], "zero_one_loss") == pytest.approx(1 - model.score(x[200:], labels[200:]))
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]


def test_the_sizes_of_the_original_are_possible():
    model = classic(784, 1200, 6, learning_rate=0.001, regularization="ridge", weight_penalty=0.01)
    assert model.count_params() == 784 * 1200 + 1200 + 1200 * 6 + 6
    x = np.random.default_rng(0).random((40, 784))
    model.fit(x=x, targets=np.arange(40) % 6, iterations=2, verbose=0)
    assert model.predict(x).shape == (40, 6)


@pytest.mark.parametrize(("kind", "gradient"), [("ridge", lambda w: w), ("lasso", np.sign)])
def test_gradient_of_the_penalty(kind, gradient):
    model = Sequential([Layer(size=3), Layer(size=2)])
    model.compile(learning_rate=1.0, penalty=kind, weight_penalty=0.25, loss=lambda y, p: gn.mean(p * 0.0, axis=-1))
    kernel, bias = (w + 0.5 for w in model.get_weights())
    model.set_weights([kernel, bias])
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 2)))
    assert model.get_weights()[0] == pytest.approx(kernel - 0.25 * gradient(kernel), abs=1e-6)
    assert (model.get_weights()[1] == bias).all()


def test_one_full_batch_step_per_iteration():
    x, labels = blobs(100)
    model = classic(keep=1.0, learning_rate=0.1)
    by_hand = Sequential([Dense(60, "relu"), Dense(6, "softmax")])
    by_hand.build((None, 20))
    by_hand.set_weights(model.get_weights())
    model.fit(x=x, targets=labels, iterations=3, verbose=0)
    w1, b1, w2, b2 = by_hand.get_weights()
    for _ in range(3):
        h = np.maximum(x @ w1 + b1, 0)
        e = np.exp(h @ w2 + b2)
        d = (e / e.sum(1, keepdims=True) - np.eye(6)[labels]) / 100
        dh = d @ w2.T * (h > 0)
        w2, b2, w1, b1 = w2 - 0.1 * h.T @ d, b2 - 0.1 * d.sum(0), w1 - 0.1 * x.T @ dh, b1 - 0.1 * dh.sum(0)
    for found, expected in zip(model.get_weights(), (w1, b1, w2, b2), strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_layer_is_the_base_class_and_the_classic_word():
    layer = Layer(size=3, activation="relu")
    assert isinstance(layer, ClassicLayer) and isinstance(layer, Dense) and isinstance(layer, Layer)
    assert layer(np.ones((2, 4))).shape == (2, 3) and repr(layer).startswith("<Layer name=layer")
    assert type(Layer(5)) is ClassicLayer and Layer(5).size == 5

    class Double(Layer):
        def call(self, x):
            return x * 2

    assert type(Double()) is Double and Double()([[1.0]]).numpy() == 2.0

    class Sized(Layer):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)
            self.size = size

    assert type(Sized(size=3)) is Sized
    again = ClassicLayer.from_config(layer.get_config())
    assert again.size == 3 and again.name == layer.name


def test_dropout_of_the_input_and_kept_share():
    model = Sequential([Layer(size=50, type="dropout", dropout_keep_prob=0.8), Layer(size=2)])
    assert [layer.kind for layer in model.layers] == ["Dropout", "Layer"]
    assert model.layers[0].rate == pytest.approx(0.2)
    hidden = Layer(size=400, activation="linear", type="dropout", dropout_keep_prob=0.25, initializer="ones")
    y = hidden(np.ones((50, 1)), training=True).numpy()
    assert set(np.unique(y).tolist()) == {0.0, 4.0} and (y > 0).mean() == pytest.approx(0.25, abs=0.02)
    assert (hidden(np.ones((5, 1))).numpy() == 1).all()


def test_default_losses_follow_the_last_activation():
    def loss_of(activation):
        model = Sequential([nn.Input((2,)), Dense(2, activation)])
        model.compile("sgd")
        model.train_on_batch(np.ones((2, 2)), np.eye(2))
        return type(model.loss).__name__

    assert [loss_of(a) for a in ("softmax", "sigmoid", "tanh", None)] == [
        "Crossentropy",
        "BinaryCrossentropy",
        "MeanSquaredError",
        "MeanSquaredError",
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Layer(size=0), "size is a whole number"),
        (lambda: Layer(size=3, type="dropuot"), "Did you mean 'dropout'"),
        (lambda: Layer(size=3, dropout_keep_prob=0.5), "goes with type='dropout'"),
        (lambda: Layer(size=3, type="dropout", dropout_keep_prob=0.0), "above 0 and up to 1"),
        (lambda: Layer(size=3, activation="rellu"), "Did you mean 'relu'"),
        (lambda: classic(penalty="rigde"), "Did you mean 'ridge'"),
        (lambda: classic(weight_penalty=0.1), "needs penalty="),
        (lambda: classic(penalty="ridge", weight_penalty=-1.0), "0 or more"),
        (lambda: classic(penalty="ridge", regularization="lasso"), "give one"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()
