"""How Keras takes data, by its numbered behaviours: batches, splits, weights, epochs, with its figures."""

import math

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Callback, Dense, Input, Sequential, optimizers


def first(y_true, y_pred):
    """A loss that is the prediction itself."""
    return gn.mean(y_pred, axis=-1)


def mean_model(loss=first, **options):
    """A model that gives its input, whose loss is the mean of it."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), loss, **options)
    return model


def column(n):
    return np.arange(n, dtype="float64")[:, None], np.zeros((n, 1))


class Sizes(Callback):
    """How many rows each batch has: the loss of ones, added up."""

    def __init__(self):
        super().__init__()
        self.train, self.test = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.train.append(batch)

    def on_test_batch_end(self, batch, logs=None):
        self.test.append(batch)


def test_01_batches_have_32_rows_and_the_last_is_kept():
    seen = Sizes()
    x, y = column(100)
    history = mean_model().fit(x, y, verbose=0, callbacks=[seen])
    assert seen.train == [0, 1, 2, 3] and history.history["loss"] == [49.5]
    assert seen.params["steps"] == 4


def test_02_validation_split_takes_the_last_rows_before_any_shuffle():
    x, y = column(10)
    history = mean_model().fit(x, y, validation_split=0.25, shuffle=True, verbose=0).history
    assert history == {"loss": [3.0], "val_loss": [8.0]}
    weights = np.arange(10) * 1.0
    history = mean_model().fit(x, y, validation_split=0.25, sample_weight=weights, verbose=0).history
    assert history["val_loss"][0] == pytest.approx((49 + 64 + 81) / 3)
    for share in (1e-17, 0.9999):
        with pytest.raises(ValueError, match="leaves"):
            mean_model().fit(x, y, validation_split=share, verbose=0)


def test_03_validation_data_wins_over_the_split():
    x, y = column(4)
    seen = Sizes()
    options = {"validation_split": 0.5, "batch_size": 2, "verbose": 0, "callbacks": [seen]}
    history = mean_model().fit(x, y, validation_data=(x + 1, y), **options).history
    assert history == {"loss": [1.5], "val_loss": [2.5]} and seen.test == [0, 1]
    seen.test.clear()
    weights = np.array([0.0, 0.0, 0.0, 4.0])
    history = mean_model().fit(x, y, validation_data=(x, y, weights), validation_batch_size=1, **options).history
    assert history["val_loss"] == [3.0] and seen.test == [0, 1, 2, 3]


def test_04_shuffling_of_rows_and_of_rows_inside_batches():
    x, y = column(8)
    orders = []

    class Watch(Sequential):
        def call(self, x, training=False):
            if training and not x.is_symbolic:
                orders.append(x.numpy().ravel().tolist())
            return super().call(x, training)

    model = Watch([Input((1,)), Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    epochs = [orders[0] + orders[1], orders[2] + orders[3]]
    assert epochs[0] != epochs[1] and [sorted(e) for e in epochs] == [list(range(8))] * 2
    orders.clear()
    model.fit(x, y, batch_size=4, shuffle="batch", verbose=0)
    assert [sorted(o) for o in orders] == [[0, 1, 2, 3], [4, 5, 6, 7]] and orders[0] + orders[1] != list(range(8))
    orders.clear()
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    assert orders == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64"])
def test_05_predictions_are_float32(dtype):
    assert mean_model().predict(np.ones((3, 1), dtype)).dtype == np.float32


@pytest.mark.parametrize(
    "y", [np.array([0, 1, 2]), np.array([[0], [1], [2]]), np.eye(3)], ids=["labels", "column", "one-hot"]
)
def test_06_weights_of_classes(y):
    model = Sequential([Input((1,)), Dense(3, activation="softmax", kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.0), "crossentropy", metrics=["accuracy"])
    x = np.ones((3, 1))
    history = model.fit(x, y, class_weight={1: 2.0}, verbose=0).history
    assert history["loss"][0] == pytest.approx(1.4648165, rel=1e-6)
    assert history["accuracy"][0] == pytest.approx(1 / 3)
    assert model.train_on_batch(x, y, class_weight={1: 2.0})[0] == pytest.approx(1.4648165, rel=1e-6)
    with pytest.raises(ValueError, match="can't both be given"):
        model.fit(x, y, class_weight={1: 2.0}, sample_weight=np.ones(3), verbose=0)


def test_06_weights_of_classes_are_for_training_alone():
    model = Sequential([Input((1,)), Dense(3, activation="softmax", kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    x, y = np.ones((6, 1)), np.array([0, 1, 2, 0, 1, 2])
    history = model.fit(x, y, class_weight={1: 2.0}, validation_split=0.5, verbose=0).history
    assert history["loss"][0] == pytest.approx(1.4648165, rel=1e-6)
    assert history["val_loss"][0] == pytest.approx(math.log(3), rel=1e-6)


def test_07_epochs_is_the_last_index():
    x, y = column(4)
    history = mean_model().fit(x, y, initial_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [2, 3, 4]


def test_08_steps_per_epoch_goes_on_where_it_stopped():
    x, y = column(10)
    options = {"batch_size": 2, "steps_per_epoch": 2, "shuffle": False, "verbose": 0}
    assert mean_model().fit(x, y, epochs=3, **options).history["loss"] == pytest.approx([1.5, 5.5, 8.5])
    # The pass is over: the next epoch begins a new one.
    assert mean_model().fit(x, y, epochs=5, **options).history["loss"] == pytest.approx([1.5, 5.5, 8.5, 1.5, 5.5])
    with pytest.warns(UserWarning, match="steps_per_epoch is 9, and there were 5 batches"):
        mean_model().fit(x, y, **{**options, "steps_per_epoch": 9})


def test_09_validation_now_and_then():
    x, y = column(4)
    history = mean_model().fit(x, y, validation_data=(x, y), validation_freq=2, epochs=5, verbose=0)
    assert [len(values) for values in history.history.values()] == [5, 2]
    assert ["val_loss" in row for row in history.rows] == [False, True, False, True, False]
    history = mean_model().fit(x, y, validation_data=(x, y), validation_freq=[1, 4], epochs=5, verbose=0)
    assert ["val_loss" in row for row in history.rows] == [True, False, False, True, False]
    with pytest.raises(ValueError, match="validation_freq"):
        mean_model().fit(x, y, validation_data=(x, y), validation_freq=0, verbose=0)


def test_10_targets_are_squeezed_but_never_broadcast():
    ones = np.ones((4, 1))
    model = mean_model("mse")
    assert model.evaluate(ones, np.zeros(4), verbose=0) == 1.0
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4, 4\)"):
        model.evaluate(ones, np.zeros((4, 4)), verbose=0)


def test_12_weights_of_samples():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(20, 1)), rng.normal(size=(20, 1)), rng.random(20)

    def results(weights):
        model = mean_model("mse", metrics=["mae"], weighted_metrics=[nn.metrics.MeanSquaredError(name="w")])
        return model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)

    error = ((x - y) ** 2).ravel()
    plain, once, thrice = results(None), results(w), results(3 * w)
    assert once["loss"] == pytest.approx((error * w).sum() / 20, rel=1e-5)
    assert thrice["loss"] == pytest.approx(3 * once["loss"], rel=1e-6)
    assert plain["mae"] == once["mae"] == thrice["mae"]
    assert once["w"] == pytest.approx((error * w).sum() / w.sum(), rel=1e-5)
    assert thrice["w"] == pytest.approx(once["w"], rel=1e-6)
    assert results(np.zeros(20))["loss"] == 0.0


def test_12_a_weight_for_each_step_of_each_row():
    x, y = np.ones((2, 3, 1)), np.zeros((2, 3, 1))
    model = Sequential([Input((3, 1)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse", weighted_metrics=["mse"])
    w = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    assert model.evaluate(x * [[[1], [5], [2]]], y, sample_weight=w, verbose=0) == pytest.approx([9 / 6, 3.0])
    assert model.fit(x, y, sample_weight=w, verbose=0).history["loss"] == pytest.approx([0.5])
    assert math.isclose(model.train_on_batch(x, y, sample_weight=w[:, :, None])[0], 0.5)
