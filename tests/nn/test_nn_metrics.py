"""Metrics: Keras' values, and state that adds up."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import metrics


def result(metric, *batches):
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


def test_mean():
    m = metrics.Mean()
    assert float(m.result()) == 0.0
    assert result(m, ([1.0, 2.0],), ([6.0],)) == 3.0
    m.reset_state()
    assert result(m, ([1.0, 3.0], [3.0, 1.0])) == 1.5
    assert float(metrics.Mean()([4.0])) == 4.0


def test_a_million_small_terms_add_up():
    m = metrics.Mean()
    m.total.assign(16_777_216.0)
    m.update_state([1.0])
    assert float(m.total.numpy()) == 16_777_217.0


def test_binary_accuracy_is_strictly_above_the_threshold():
    assert result(metrics.BinaryAccuracy(), ([[0.0], [1.0]], [[0.5], [0.5]])) == 0.5
    assert result(metrics.BinaryAccuracy(threshold=0.4), ([[0.0], [1.0]], [[0.5], [0.5]])) == 0.5
    assert result(metrics.BinaryAccuracy(), ([0, 1, 1], [[0.2], [0.7], [0.6]])) == 1.0
    assert result(metrics.BinaryAccuracy(), ([[0, 1], [1, 1]], [[0.2, 0.7], [0.1, 0.2]])) == 0.5


def test_categorical_accuracy_takes_the_first_of_equals():
    y = [[0, 1, 0], [0, 0, 1]]
    p = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    assert result(metrics.CategoricalAccuracy(), (y, p)) == 0.5
    assert result(metrics.CategoricalAccuracy(), (y, p, [0.7, 0.3])) == pytest.approx(0.7)
    assert result(metrics.SparseCategoricalAccuracy(), ([0, 1], [[0.5, 0.5], [0.5, 0.5]])) == 0.5
    assert result(metrics.Accuracy(), ([[1], [2], [3], [4]], [[0], [2], [3], [4]])) == 0.75


def test_the_word_accuracy_fits_the_shapes():
    p = [[0.1, 0.9], [0.8, 0.2]]
    for y in ([1, 1], [[1], [1]], [[0, 1], [0, 1]]):
        assert result(metrics.get("accuracy"), (y, p)) == 0.5
        assert result(metrics.get("zero_one_loss"), (y, p)) == 0.5
    assert result(metrics.get("acc"), ([1, 1, 1, 0], [[0.9], [0.2], [0.7], [0.1]])) == 0.75
    assert result(metrics.get("zero_one_loss"), ([1, 1, 1, 0], [[0.9], [0.2], [0.7], [0.1]])) == 0.25
    assert metrics.get("acc").name == "acc" and metrics.get("accuracy").direction == "max"
    assert metrics.get("zero_one_loss").direction == "min"


def test_state_is_updated_inside_a_graph():
    m = metrics.get("accuracy")

    def step(y, p):
        m.update_state(y, p)
        return m.result()

    y, p = np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]], "f")
    g = gn.trace(step, y, p)
    assert float(m.count.numpy()) == 0
    assert float(g(y, p)) == 0.5 and float(g(np.array([0, 0]), p)) == 0.75
    assert float(m.result()) == 0.75 and all(not v.requires_grad for v in m.variables)


def test_custom_metric():
    class Largest(metrics.Metric):
        def __init__(self, name="largest"):
            super().__init__(name)
            self.top = self.add_variable(name="top", value=-np.inf)

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.top.assign(gn.maximum(self.top, gn.max(y_pred)))

        def result(self):
            return self.top

    m = Largest()
    assert result(m, ([0.0], gn.tensor([[3.0, 7.0]])), ([0.0], gn.tensor([[5.0]]))) == 7.0
    m.reset_state()
    assert float(m.result()) == -np.inf


def test_a_metric_that_is_plain_and_weighted_has_two_names():
    model = nn.Sequential([nn.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    history = model.fit(np.ones((8, 2)), np.arange(8) % 2, sample_weight=np.arange(8.0), verbose=0).history
    assert list(history) == ["accuracy", "loss", "weighted_accuracy"]
    assert {history["accuracy"][0], round(history["weighted_accuracy"][0], 6)} <= {
        0.5,
        round(12 / 28, 6),
        round(16 / 28, 6),
    }
