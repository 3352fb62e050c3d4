"""Callbacks: when they stop, restore, cut the rate; Keras' figures."""

import math

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Callback, Dense, Input, Sequential, optimizers
from graphnet.nn.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

X, Y = np.ones((4, 1)), np.zeros((4, 1))


class Scripted(Callback):
    """Puts given values into the logs, and the number of the epoch into the weight."""

    def __init__(self, values, key="val_loss"):
        super().__init__()
        self.values, self.key = values, key

    def on_epoch_end(self, epoch, logs=None):
        logs[self.key] = self.values[epoch]
        self.model.layers[0].kernel.assign([[float(epoch)]])


def run(values, *callbacks, key="val_loss", epochs=None):
    model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.compile(optimizers.SGD(1.0), lambda y, p: gn.mean(p * 0.0, axis=-1), metrics=["accuracy"])
    history = model.fit(X, Y, epochs=epochs or len(values), verbose=0, callbacks=[Scripted(values, key), *callbacks])
    return history, model


def ran(values, **options):
    return len(run(values, EarlyStopping(**options))[0].epoch)


def test_early_stopping_counts_as_keras():
    assert ran([3, 2, 2.5, 1]) == 3
    assert ran([3, 4, 1]) == 2
    assert ran([3, 3, 3, 3], patience=2) == 3
    assert ran([3, 2.8, 2.6, 2.4, 2.2], patience=2, min_delta=0.5) == 3
    assert ran([3, math.nan, 1, 1], patience=1) == 2
    assert ran([1, 2, 3, 4, 5], start_from_epoch=2, patience=1) == 4
    assert ran([1, 2, 3, 2, 1], mode="max") == 4


def test_early_stopping_restores_the_best_however_training_ended():
    for values, best in (([3, 2, 2.5, 2.7], 1), ([3, 2, 1, 0.5], 3), ([1, 2, 3, 4], 0)):
        stop = EarlyStopping(patience=5, restore_best_weights=True)
        _, model = run(values, stop)
        assert stop.best_epoch == best and model.layers[0].kernel.numpy() == best
    stop = EarlyStopping(baseline=1, patience=2, restore_best_weights=True)
    history, model = run([3, 2, 1.5, 1.2], stop)
    assert len(history.epoch) == 4 and model.layers[0].kernel.numpy() == 3


def test_early_stopping_knows_the_direction_of_a_metric():
    stop = EarlyStopping("val_accuracy")
    run([0.1, 0.2], stop, key="val_accuracy")
    assert stop.sign == 1 and stop.best == 0.2
    with pytest.raises(ValueError, match="give mode='min' or mode='max'"):
        run([1.0], EarlyStopping("odd"), key="odd")
    with pytest.warns(UserWarning, match="`val_lost` which is not available. Available metrics are: .*val_loss"):
        run([1.0, 1.0], EarlyStopping("val_lost", mode="min"))


def rates(values, **options):
    return [round(r, 6) for r in run(values, ReduceLROnPlateau(**options))[0].history["learning_rate"]]


def test_reduce_on_plateau_as_keras():
    assert rates([1.0] * 7, patience=2) == [1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    assert rates([1.0] * 8, patience=1, cooldown=2) == [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert rates([1.0] * 6, patience=1, min_lr=0.05) == [1, 1, 0.1, 0.05, 0.05, 0.05]
    assert rates([1 - 5e-5 * i for i in range(5)], patience=2) == [1, 1, 1, 0.1, 0.1]
    with pytest.raises(ValueError, match="less than 1"):
        ReduceLROnPlateau(factor=1.0)


def test_learning_rate_scheduler():
    history, _ = run([0.0] * 4, LearningRateScheduler(lambda epoch, lr: lr * 0.5))
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125, 0.0625]
    history, model = run([0.0] * 2, LearningRateScheduler(lambda epoch: 1.0 / (epoch + 1)))
    assert history.history["learning_rate"] == [1.0, 0.5] and float(model.optimizer.learning_rate) == 0.5


def test_terminate_on_nan(capsys):
    model = Sequential([Input((1,)), Dense(1)])
    model.compile(optimizers.SGD(1e30), "mse")
    with np.errstate(all="ignore"):
        history = model.fit(X, Y + 1, batch_size=1, epochs=3, verbose=0, callbacks=[TerminateOnNaN()])
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    assert len(history.epoch) == 1 and not math.isfinite(history.history["loss"][0])


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    run([3.0, 2.0], CSVLogger(path))
    run([1.0], CSVLogger(path, append=True))
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,accuracy,loss,val_loss"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "0"]
    assert [line.split(",")[3] for line in lines[1:]] == ["3.0", "2.0", "1.0"]


def test_lambda_callback_and_what_is_not_one():
    seen = []
    run([1.0, 2.0], LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch)))
    assert seen == [0, 1]
    with pytest.raises(ValueError, match="on_epoch_start"):
        LambdaCallback(on_epoch_start=print)
    with pytest.raises(TypeError, match="list of Callback objects"):
        run([1.0], print)
