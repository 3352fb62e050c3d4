"""Losses: Keras' values, their gradients against differences, and the right gradient where Keras has none."""

import math

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Sequential, crossentropy, losses, metrics

ONE_HOT = [[0, 1, 0], [0, 0, 1]]
PROBABILITIES = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]


def value(loss, y, p, w=None):
    return float(loss(y, p, w).numpy())


def test_categorical_crossentropy_reduces_as_keras():
    make = losses.CategoricalCrossentropy
    assert value(make(), ONE_HOT, PROBABILITIES) == pytest.approx(1.1769392, rel=1e-6)
    assert value(make(), ONE_HOT, PROBABILITIES, [0.3, 0.7]) == pytest.approx(0.8135988, rel=1e-6)
    assert value(make(reduction="sum"), ONE_HOT, PROBABILITIES) == pytest.approx(2.3538785, rel=1e-6)
    none = make(reduction=None)(ONE_HOT, PROBABILITIES)
    assert none.numpy() == pytest.approx([0.0512933, 2.3025851], rel=1e-5)
    mean = make(reduction="mean_with_sample_weight")
    assert value(mean, ONE_HOT, PROBABILITIES, [0.3, 0.7]) == pytest.approx(1.6271976, rel=1e-6)
    assert none.dtype == np.float32


def test_13_probabilities_are_normalised_and_clipped():
    cce = losses.CategoricalCrossentropy()
    assert value(cce, [[0, 1, 0]], [[1.0, 3.0, 0.0]]) == pytest.approx(0.2876821, rel=1e-6)
    assert value(cce, [[0, 0, 1]], [[0.5, 0.5, 0.0]]) == pytest.approx(16.118095, rel=1e-6)
    sparse = losses.SparseCategoricalCrossentropy()
    assert value(sparse, [1, 2], PROBABILITIES) == pytest.approx(1.1769392, rel=1e-6)
    assert value(sparse, [[1], [2]], PROBABILITIES) == pytest.approx(1.1769392, rel=1e-6)


def test_14_binary_crossentropy_clips_in_float32():
    bce = losses.BinaryCrossentropy()
    assert value(bce, [[1.0]], [[0.0]]) == pytest.approx(16.118095, rel=1e-6)
    assert value(bce, [[0.0]], [[1.0]]) == pytest.approx(15.942385, rel=1e-6)
    assert value(bce, [[0, 1]], [[0.6, 0.9]]) == pytest.approx(0.5108256, rel=1e-6)


def test_15_logits():
    cce = losses.CategoricalCrossentropy(from_logits=True)
    assert value(cce, [[1, 0]], [[-1000.0, 1000.0]]) == 2000.0
    assert value(losses.SparseCategoricalCrossentropy(from_logits=True), [0], [[-1000.0, 1000.0]]) == 2000.0
    assert value(losses.BinaryCrossentropy(from_logits=True), [[1.0]], [[-100.0]]) == 100.0


def test_label_smoothing():
    cce = losses.CategoricalCrossentropy(label_smoothing=0.1, reduction=None)
    p = [[0.05, 0.95, 1e-9], [0.1, 0.8, 0.1]]
    smooth = np.array(ONE_HOT) * 0.9 + 0.1 / 3
    clipped = np.clip(np.array(p) / np.sum(p, -1, keepdims=True), 1e-7, 1 - 1e-7)
    assert cce(ONE_HOT, p).numpy() == pytest.approx(-(smooth * np.log(clipped)).sum(-1), rel=1e-5)
    assert cce(ONE_HOT, p).numpy() == pytest.approx([0.6850014, 2.2332704], rel=1e-5)
    bce = losses.BinaryCrossentropy(label_smoothing=0.1, reduction=None)
    assert bce([[0.0], [1.0]], [[0.6], [0.9]]).numpy() == pytest.approx([0.8960175, 0.2152218], rel=1e-4)


def test_squared_error_over_all_elements():
    mse = losses.MeanSquaredError()
    y, p = [[0.0, 1], [0, 0]], [[1.0, 1], [1, 0]]
    assert value(mse, y, p) == 0.5
    assert value(mse, y, p, [0.7, 0.3]) == pytest.approx(0.25)
    assert value(losses.MeanAbsoluteError(), y, [[3.0, 1], [1, 0]]) == 1.0
    assert value(mse, y, p, [0.0, 0.0]) == 0.0


def test_ignored_class_counts_nothing():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=None)
    assert loss([1, -1], PROBABILITIES).numpy() == pytest.approx([0.0512933, 0.0], abs=1e-6)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("name", ["categorical", "sparse", "binary", "squared", "absolute"])
def test_gradients_match_differences(name, from_logits):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 3))
    p = z if from_logits else np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    one_hot = np.eye(3)[[0, 2, 1, 1]]
    loss, y = {
        "categorical": (losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=0.1), one_hot),
        "sparse": (losses.SparseCategoricalCrossentropy(from_logits=from_logits), np.array([0, 2, 1, 1])),
        "binary": (losses.BinaryCrossentropy(from_logits=from_logits), one_hot),
        "squared": (losses.MeanSquaredError(), one_hot),
        "absolute": (losses.MeanAbsoluteError(), one_hot),
    }[name]
    y = gn.tensor(y)
    gn.check_grads(lambda q: loss(y, q, [1.0, 2.0, 0.5, 0.0]), gn.tensor(p, dtype="float64"), order=2)


def test_16_gradient_of_softmax_is_right_where_keras_has_none():
    for activation, loss, target, slope in (
        ("softmax", "categorical_crossentropy", [[1.0, 0.0]], 30.0),
        ("softmax", "sparse_categorical_crossentropy", [0], 30.0),
        ("sigmoid", "binary_crossentropy", [[1.0, 0.0]], 15.0),
    ):
        model = Sequential([Dense(2, activation=activation, kernel_initializer="zeros")])
        model.compile(gn.nn.optimizers.SGD(1.0), loss)
        model.build((None, 1))
        model.layers[0].kernel.assign([[-30.0, 30.0]])
        model.train_on_batch([[30.0]], target)
        moved = model.layers[0].kernel.numpy() - [[-30.0, 30.0]]
        assert moved == pytest.approx(np.array([[slope, -slope]]), rel=1e-5), loss


def test_loss_of_a_saturated_softmax_is_the_same_in_training_and_evaluation():
    model = Sequential([gn.nn.Input((1,)), Dense(2, activation="softmax", kernel_initializer="zeros")])
    model.layers[0].kernel.assign([[-30.0, 30.0]])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = [[1.0]], [0]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(60.0)
    assert model.train_on_batch(x, y) == pytest.approx(60.0)


def test_only_the_output_of_a_softmax_is_traced_back():
    z = gn.Parameter([[1.0, 2.0, 3.0]])
    p = gn.softmax(z)
    assert crossentropy.softmax_input(p) is z
    assert crossentropy.softmax_input(p * 1.0) is None
    assert crossentropy.softmax_input(gn.softmax(z, axis=0)) is None
    assert crossentropy.softmax_input(gn.tensor([[0.5, 0.5]])) is None
    hidden = z * 2
    assert crossentropy.softmax_input(gn.softmax(hidden)) is hidden
    assert crossentropy.sigmoid_input(gn.sigmoid(hidden)) is hidden
    assert crossentropy.sigmoid_input(1 - gn.sigmoid(hidden)) is None
    twice = gn.softmax(p)
    assert crossentropy.softmax_input(twice) is p


def test_probability_and_logits_paths_agree():
    z = gn.Parameter(np.random.default_rng(1).normal(size=(5, 4)))
    y = gn.tensor([0, 1, 2, 3, 0])
    loss = losses.SparseCategoricalCrossentropy()
    through = loss(y, gn.softmax(z))
    plain = loss(y, gn.softmax(z) * 1.0)
    assert float(through) == pytest.approx(float(plain), rel=1e-12)
    assert gn.gradients(through, z).numpy() == pytest.approx(gn.gradients(plain, z).numpy(), rel=1e-9)


def test_targets_are_squeezed_but_never_broadcast():
    mse = losses.MeanSquaredError()
    assert value(mse, np.zeros(3, "f"), np.ones((3, 1), "f")) == 1.0
    assert value(mse, np.zeros((3, 1), "f"), np.ones(3, "f")) == 1.0
    with pytest.raises(ValueError, match=r"the model gives \(3, 1\), the targets are \(3, 4\).*4 units"):
        mse(np.zeros((3, 4), "f"), np.ones((3, 1), "f"))


def test_custom_function_and_class():
    model = Sequential([gn.nn.Input((1,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", lambda y, p: gn.mean((p - y) ** 2, axis=-1))
    assert model.evaluate([[1.0], [3.0]], [[0.0], [0.0]], verbose=0) == 5.0

    class Cubic(losses.Loss):
        def call(self, y_true, y_pred):
            return gn.mean(gn.abs(y_pred - y_true) ** 3, axis=-1)

    model.compile("sgd", Cubic())
    assert model.evaluate([[1.0], [3.0]], [[0.0], [0.0]], verbose=0) == 14.0


def test_losses_serve_symbolic_tensors():
    y, p = gn.input((4,), "int64"), gn.input((4, 3))
    g = gn.Graph([y, p], losses.SparseCategoricalCrossentropy()(y, p))
    labels, probabilities = np.array([0, 1, 2, 0]), np.full((4, 3), 1 / 3, "f")
    assert float(g(labels, probabilities)) == pytest.approx(math.log(3), rel=1e-6)


def test_crossentropy_word_fits_the_shapes():
    loss = losses.get("crossentropy")
    assert value(loss, [1, 2], PROBABILITIES) == value(loss, ONE_HOT, PROBABILITIES) == pytest.approx(1.1769392)
    assert value(loss, [[1.0]], [[0.25]]) == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize("word", sorted(set(losses.table.words) & set(metrics.table.words) - {"cosine_similarity"}))
def test_every_loss_has_a_metric_of_the_same_value(word):
    y = [[0, 1, 0], [0, 0, 1]] if "sparse" not in word and word != "scce" else [1, 2]
    metric = metrics.get(word)
    metric.update_state(y, PROBABILITIES)
    assert float(metric.result()) == pytest.approx(value(losses.get(word), y, PROBABILITIES), rel=1e-6)
