"""Losses and metrics refuse targets that can't be meant, however called; data refuses what would be dropped."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import losses, metrics

P = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], np.float32)
B = np.array([[0.2], [0.7]], np.float32)

SPARSE = {
    "sparse_categorical_crossentropy": losses.sparse_categorical_crossentropy,
    "SparseCategoricalCrossentropy": losses.SparseCategoricalCrossentropy(),
    "CategoricalGeneralizedCrossEntropy": losses.CategoricalGeneralizedCrossEntropy(),
    "metric SparseCategoricalCrossentropy": metrics.SparseCategoricalCrossentropy(),
    "sparse_categorical_accuracy": metrics.sparse_categorical_accuracy,
    "SparseCategoricalAccuracy": metrics.SparseCategoricalAccuracy(),
    "SparseTopKCategoricalAccuracy": metrics.SparseTopKCategoricalAccuracy(2),
    "accuracy": metrics.get("accuracy"),
    "crossentropy": losses.get("crossentropy"),
}
ONE_HOT = {
    "categorical_crossentropy": losses.categorical_crossentropy,
    "CategoricalCrossentropy": losses.CategoricalCrossentropy(),
    "CategoricalFocalCrossentropy": losses.CategoricalFocalCrossentropy(),
    "CategoricalHinge": losses.CategoricalHinge(),
    "categorical_accuracy": metrics.categorical_accuracy,
    "TopKCategoricalAccuracy": metrics.TopKCategoricalAccuracy(2),
    "metric CategoricalCrossentropy": metrics.CategoricalCrossentropy(),
    "accuracy": metrics.get("accuracy"),
}
SHARES = {
    "binary_crossentropy": losses.binary_crossentropy,
    "BinaryCrossentropy": losses.BinaryCrossentropy(),
    "BinaryFocalCrossentropy": losses.BinaryFocalCrossentropy(),
    "Dice": losses.Dice(),
    "Tversky": losses.Tversky(),
    "KLDivergence": losses.KLDivergence(),
    "binary_accuracy": metrics.binary_accuracy,
    "BinaryAccuracy": metrics.BinaryAccuracy(),
    "AUC": metrics.AUC(),
    "Precision": metrics.Precision(),
    "Recall": metrics.Recall(),
    "TruePositives": metrics.TruePositives(),
    "RecallAtPrecision": metrics.RecallAtPrecision(0.5),
    "F1Score": metrics.F1Score(),
    "accuracy": metrics.get("accuracy"),
}
SIGNS = {"hinge": losses.hinge, "SquaredHinge": losses.SquaredHinge(), "metric": metrics.Hinge()}
COUNTS = {"poisson": losses.poisson, "Poisson": losses.Poisson(), "metric": metrics.Poisson()}


def listed(table):
    return [pytest.param(call, id=name) for name, call in table.items()]


@pytest.mark.parametrize("call", listed(SPARSE))
@pytest.mark.parametrize("labels", [[5, 0], [3, 0], [-1, 0], [1.5, 0.0], [np.nan, 0.0], [[7], [0]]])
@pytest.mark.parametrize("wrap", [np.asarray, gn.tensor])
def test_labels_are_numbers_of_classes(call, labels, wrap):
    with pytest.raises(ValueError, match=r"needs labels from 0 to 2|needs integer labels"):
        call(wrap(np.asarray(labels)), P)
    assert np.isfinite(np.asarray(call(np.array([2, 0]), P))).all()


@pytest.mark.parametrize("call", listed(ONE_HOT))
@pytest.mark.parametrize("row", [[-1, 1, 1], [np.nan, 0, 1]])
def test_one_hot_targets_are_not_negative(call, row):
    with pytest.raises(ValueError, match="not negative"):
        call(np.array([row, [0, 1, 0]], np.float64), P)
    assert np.isfinite(np.asarray(call(np.array([[0.2, 0.8, 0], [0, 1, 0]]), P))).all()


@pytest.mark.parametrize("call", listed(SHARES))
@pytest.mark.parametrize("value", [2.0, -1.0, np.nan])
def test_shares_are_from_0_to_1(call, value):
    with pytest.raises(ValueError, match="from 0 to 1"):
        call(np.array([[value], [0.0]]), B)
    assert np.isfinite(np.asarray(call(np.array([[1.0], [0.0]]), B))).all()


@pytest.mark.parametrize("call", listed(SIGNS))
def test_signs(call):
    for value in (2.0, np.nan):
        with pytest.raises(ValueError, match="-1 and 1"):
            call(np.array([[value], [0.0]]), B)
    call(np.array([[-1.0], [1.0]]), B)


@pytest.mark.parametrize("call", listed(COUNTS))
def test_counts(call):
    with pytest.raises(ValueError, match="0 or more"):
        call(np.array([[-1.0], [0.0]]), B)
    call(np.array([[7.0], [0.0]]), B)


@pytest.mark.parametrize("metric", [metrics.MeanIoU(3), metrics.IoU(3, [0])])
def test_classes_of_masks(metric):
    for y, p in (([3, 0], [0, 1]), ([0, 1], [-1, 0]), ([0.5, 1], [0, 1]), ([0, 1], [0.5, 1])):
        with pytest.raises(ValueError, match=r"needs labels from 0 to 2|needs integer labels"):
            metric(y, p)
    metric([2, 0], [0, 1])
    # What is ignored may be any number.
    assert float(metrics.MeanIoU(2, ignore_class=-1)([-1, 0, 1], [0, 0, 1])) == pytest.approx(1.0)


def test_rows_that_do_not_count_may_hold_anything():
    loss = losses.SparseCategoricalCrossentropy()
    expected = float(loss([2, 0], P, [0.0, 1.0]))
    assert float(loss([-1, 0], P, [0.0, 1.0])) == expected
    assert float(metrics.SparseCategoricalAccuracy()([9, 0], P, [0, 1])) == 1.0
    assert float(metrics.AUC()([[7.0], [0.0], [1.0]], [[0.5], [0.1], [0.9]], [0, 1, 1])) == 1.0
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        loss([-1, 0], P, [1.0, 1.0])
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert float(ignoring([-1, 0], P)) == pytest.approx(-np.log(0.6), rel=1e-6)
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        ignoring([-2, 0], P)


def test_the_loss_of_a_class_that_is_not_there_in_a_derivative_and_a_trace():
    with pytest.raises(ValueError, match="labels from 0 to 1"):
        gn.grad(lambda p: losses.sparse_categorical_crossentropy([5], p)[0])(np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="labels from 0 to 1"):
        gn.trace(lambda p: losses.sparse_categorical_crossentropy([5], p), np.array([[0.5, 0.5]]))


def test_fit_asks_for_metrics_as_well():
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[metrics.AUC()])
    x, y = np.zeros((200, 2), np.float32), np.zeros(200)
    y[150] = 2.0
    with pytest.raises(ValueError, match="metric='auc' needs targets from 0 to 1"):
        model.fit(x, y, batch_size=10, verbose=0)


# Data.

MASKED = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])


def network():
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    "use",
    [
        lambda: network().fit(MASKED, [0, 1], verbose=0),
        lambda: network().fit(np.ones((2, 2)), np.ma.array([0, 1], mask=[0, 1]), verbose=0),
        lambda: network().fit(np.ones((2, 2)), [0, 1], sample_weight=np.ma.array([0.0, 1], mask=[0, 1]), verbose=0),
        lambda: network().evaluate(MASKED, [0, 1], verbose=0),
        lambda: network().predict(MASKED),
        lambda: network().predict_on_batch([MASKED[0], MASKED[1]]),
        lambda: network()(MASKED),
        lambda: nn.Dense(2)(MASKED),
        lambda: network().set_weights([MASKED, np.zeros(2)]),
        lambda: losses.mse(MASKED, np.ones((2, 2))),
        lambda: losses.MeanSquaredError()(np.ones((2, 2)), MASKED),
        lambda: losses.MeanSquaredError()(np.ones((2, 2)), np.ones((2, 2)), np.ma.array([1.0, 2], mask=[1, 0])),
        lambda: metrics.AUC()(np.ma.array([0.0, 1.0], mask=[1, 0]), [0.2, 0.4]),
        lambda: nn.to_categorical(np.ma.array([0, 1], mask=[1, 0])),
        lambda: nn.utils.normalize(MASKED),
    ],
)
def test_masked_elements_are_refused(use):
    with pytest.raises(TypeError, match="mask"):
        use()


def test_a_masked_array_without_masked_elements_is_an_array():
    assert network().predict(np.ma.array([[1.0, 2.0]])).shape == (1, 2)


@pytest.mark.parametrize("bad", [None, "1", b"1"])
def test_objects_that_are_no_numbers_are_refused(bad):
    rows = np.array([[1.0, bad], [2.0, 3.0]], dtype=object)
    for use in (
        lambda: network().predict(rows),
        lambda: network().fit(rows, [0, 1], verbose=0),
        lambda: network().fit(np.ones((2, 2)), np.array([0, bad], object), verbose=0),
        lambda: losses.mse(rows, np.ones((2, 2))),
    ):
        with pytest.raises((TypeError, ValueError), match=r"numbers|it is None"):
            use()
    assert network().predict(np.array([[1, 2.5]], dtype=object)).shape == (1, 2)


@pytest.mark.parametrize(
    ("number", "error"), [(3.99, ValueError), (np.nan, ValueError), (5.0, IndexError), (-1.0, IndexError)]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_numbers_of_an_embedding(number, error, compiled, monkeypatch):
    monkeypatch.setenv("GRAPHNET_NATIVE", "1")
    layer = nn.Embedding(5, 2)
    x = np.array([[0.0, 4.0]], np.float32)
    call = gn.compile(lambda x: layer(x) * 2.0) if compiled else lambda x: layer(x) * 2.0
    np.testing.assert_array_equal(np.asarray(call(x)), np.asarray(layer(x.astype(int))) * 2.0)
    with pytest.raises(error, match=r"whole|number of a row"):
        call(np.array([[0.0, number]], np.float32))


def test_a_step_with_such_a_number_changes_nothing():
    model = nn.Sequential([nn.Input((3,)), nn.Embedding(5, 2), nn.Flatten(), nn.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).integers(0, 5, (120, 3)).astype(np.float32)
    model.fit(x, x[:, 0], epochs=2, batch_size=10, verbose=0)
    before = model.get_weights()
    x[5, 0] = 1.5
    with pytest.raises(ValueError, match=r"1.5 is no whole number"):
        model.train_on_batch(x[:10], x[:10, 0])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("labels", [[0.5], [-1], [np.nan], ["a"], [None]])
def test_to_categorical(labels):
    with pytest.raises((ValueError, TypeError), match="to_categorical"):
        nn.to_categorical(labels, 3)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", "categorical_focal_crossentropy", "sparse_categorical_crossentropy"]
)
def test_one_class_warns_that_nothing_is_learned(loss):
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1, activation="sigmoid")])
    model.compile("sgd", loss)
    y = np.zeros(8, int) if loss.startswith("sparse") else np.array([[0.0], [1.0]] * 4)
    with pytest.warns(UserWarning, match="binary_crossentropy"):
        model.fit(np.ones((8, 3)), y, verbose=0)
    f = getattr(nn.losses, loss)
    with pytest.warns(UserWarning, match="learns nothing"):
        f(y[:2], np.array([[0.2], [0.7]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(np.array([1, 0]) if loss.startswith("sparse") else np.eye(2), np.array([[0.2, 0.8], [0.7, 0.3]]))
