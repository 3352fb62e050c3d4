"""Keras' callbacks by their numbered behaviours, with the figures of Keras 3.15.1."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Callback, Dense, Input, Sequential, optimizers
from graphnet.nn.callbacks import (
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    RemoteMonitor,
    SwapEMAWeights,
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


def run(values, *callbacks, key="val_loss"):
    model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.compile(optimizers.SGD(1.0), lambda y, p: gn.mean(p * 0.0, axis=-1), metrics=["accuracy"])
    history = model.fit(X, Y, epochs=len(values), verbose=0, callbacks=[Scripted(values, key), *callbacks])
    return history, model


def ran(values, **options):
    return len(run(values, EarlyStopping(**options))[0].epoch)


def test_49_early_stopping_counts():
    assert ran([3, 2, 2.5, 1]) == 3
    assert ran([3, 4]) == 2
    assert ran([3, 3, 3, 3], patience=2) == 3
    assert ran([3, 2.8, 2.6, 2.4, 2.2], patience=2, min_delta=0.5) == 3
    assert ran([3, math.nan, 1, 1], patience=1) == 2
    assert ran([0.1, 0.2, 0.2, 0.9], mode="max") == 3


def test_50_the_best_weights_come_back(capsys):
    stop = EarlyStopping(patience=5, restore_best_weights=True, verbose=1)
    _, model = run([3, 1, 2, 2], stop)
    assert model.layers[0].kernel.numpy() == 1 and stop.best_epoch == 1
    assert "Restoring model weights from the end of the best epoch: 2." in capsys.readouterr().out
    stop = EarlyStopping(baseline=1, patience=2, restore_best_weights=True)
    history, model = run([3, 2, 1.5, 1.2], stop)
    assert len(history.epoch) == 4 and model.layers[0].kernel.numpy() == 3


def test_51_direction_start_and_missing_monitor():
    stop = EarlyStopping(start_from_epoch=2, patience=1)
    assert len(run([1, 2, 3, 4, 5], stop)[0].epoch) == 4 and stop.best_epoch == 2
    for key, sign in (("val_loss", -1), ("val_accuracy", 1), ("val_f1_score", 1), ("val_mse", -1)):
        stop = EarlyStopping(key)
        run([1.0], stop, key=key)
        assert stop.sign == sign
    with pytest.raises(ValueError, match="give mode='min' or mode='max'"):
        run([1.0], EarlyStopping("width"), key="width")
    text = "Early stopping conditioned on metric `val_lost` which is not available. Available metrics are: "
    with pytest.warns(UserWarning, match=text):
        assert len(run([1.0, 1.0], EarlyStopping("val_lost", mode="min"))[0].epoch) == 2


def rates(values, **options):
    return [round(r, 6) for r in run(values, ReduceLROnPlateau(**options))[0].history["learning_rate"]]


def test_52_the_rate_is_cut_on_a_plateau():
    assert rates([1.0] * 7, patience=2) == [1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    assert rates([1.0] * 8, patience=1, cooldown=2) == [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert rates([1.0] * 6, patience=1, min_lr=0.05)[-1] == 0.05
    assert rates([1 - 5e-5 * i for i in range(5)], patience=2) == [1, 1, 1, 0.1, 0.1]
    with pytest.raises(ValueError, match="less than 1"):
        ReduceLROnPlateau(factor=1.0)


def test_53_the_rate_is_set_at_the_begin_of_an_epoch():
    history, _ = run([0.0] * 4, LearningRateScheduler(lambda epoch, lr: lr * 0.5))
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125, 0.0625]


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_54_an_infinite_loss_ends_the_fit_after_its_epoch(bad, capsys):
    def fit(callback):
        model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
        model.compile(optimizers.SGD(0.0), lambda y, p: gn.mean(p * np.float32(bad) * y, axis=-1) + 1.0)
        x, y = np.ones((4, 1)), np.array([[0.5], [0.5], [0.5], [0.5]])
        seen = []
        more = Callback()
        more.on_epoch_end = lambda epoch, logs=None: seen.append(epoch)
        with np.errstate(all="ignore"):
            return model.fit(x, y, batch_size=1, epochs=3, verbose=0, callbacks=[callback, more]), seen

    history, seen = fit(TerminateOnNaN())
    assert "Batch 0: Invalid loss, terminating training" in capsys.readouterr().out
    assert seen == [0] and not math.isfinite(history.history["loss"][0])
    with pytest.raises(RuntimeError, match="no longer a finite number"):
        fit(TerminateOnNaN(raise_error=True))


def test_54_stopping_in_a_batch_ends_after_it():
    seen = []

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)
            self.model.stop_training = batch == 1

        def on_epoch_end(self, epoch, logs=None):
            seen.append("end")

    model = Sequential([Input((1,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=1, epochs=3, verbose=0, callbacks=[Stop()])
    assert seen == [0, 1, "end"]


def test_55_a_line_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    run([3.0, 2.0], CSVLogger(path))
    run([1.0], CSVLogger(path, append=True))
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "accuracy", "loss", "val_loss"]
    assert [(row[0], row[3]) for row in rows[1:]] == [("0", "3.0"), ("1", "2.0"), ("0", "1.0")]
    # Validation begins later: its columns are there from the start.
    model = Sequential([Input((1,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, validation_data=(X, Y), validation_freq=2, verbose=0, callbacks=[CSVLogger(path)])
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "loss", "val_loss"] and rows[1][2] == "NA" and float(rows[2][2]) >= 0


def averaged(callback, **options):
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    history = model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[callback], **options)
    return history, model


def test_validation_with_averages_and_training_with_weights():
    seen = []

    class Look(SwapEMAWeights):
        def on_test_begin(self, logs=None):
            super().on_test_begin(logs)
            seen.append(self.model.get_weights()[0].item())

        def on_test_end(self, logs=None):
            super().on_test_end(logs)
            seen.append(self.model.get_weights()[0].item())

    values, average, averages = [0.8, 0.64, 0.512, 0.4096], 0.8, [0.8]
    for value in values[1:]:
        average = 0.5 * average + 0.5 * value
        averages.append(average)
    history, model = averaged(Look(), validation_data=(X, Y))
    assert seen == pytest.approx([averages[1], values[1], averages[3], values[3]])
    assert history.history["val_loss"] == pytest.approx([averages[1] ** 2, averages[3] ** 2])
    assert model.get_weights()[0].item() == pytest.approx(averages[3])
    assert not model.optimizer.swapped


def test_averages_are_in_place_between_epochs():
    kept = []
    _, model = averaged(SwapEMAWeights(swap_on_epoch=True))
    swap = SwapEMAWeights(swap_on_epoch=True)
    look = Callback()
    look.on_epoch_end = lambda epoch, logs=None: kept.append(look.model.get_weights()[0].item())
    again = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    again.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    again.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[swap, look])
    assert kept == pytest.approx([0.72, 0.5128])
    assert again.get_weights()[0].item() == pytest.approx(0.5128) == pytest.approx(model.get_weights()[0].item())
    assert again.optimizer.averages[0].item() == pytest.approx(0.5128)
    with pytest.raises(ValueError, match="use_ema=True"):
        run([1.0], SwapEMAWeights(swap_on_epoch=True))


RECEIVED = []


class Received(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        RECEIVED.append((self.path, self.headers["Content-Type"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def test_logs_are_sent_to_a_server():
    server = HTTPServer(("127.0.0.1", 0), Received)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    root = f"http://127.0.0.1:{server.server_port}"
    run([2.0], RemoteMonitor(root))
    model = run([2.0], RemoteMonitor(root))[1]
    model.layers[0].kernel.assign([[0.0]])
    RECEIVED.pop()
    model.fit(X, Y, verbose=0, callbacks=[Scripted([3.0]), RemoteMonitor(root, path="/here", send_as_json=True)])
    server.shutdown()
    server.server_close()
    (path, _, form), (other, kind, text) = RECEIVED
    assert path == "/publish/epoch/end/" and json.loads(parse_qs(form)["data"][0])["val_loss"] == 2.0
    assert other == "/here" and kind == "application/json"
    assert json.loads(text) == {"epoch": 0, "accuracy": 1.0, "loss": 0.0, "val_loss": 3.0}
    with pytest.warns(UserWarning, match="could not be reached"):
        run([2.0], RemoteMonitor(root, timeout=1.0))
