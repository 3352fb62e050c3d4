"""How Keras reports, by its numbered behaviours: logs, History, hooks, names; and what its users ask of progress."""

import contextlib
import gc
import io
import re
import tracemalloc

import numpy as np
import pytest
from backends import settled

import graphnet as gn
from graphnet import nn
from graphnet.nn import Callback, Dense, Dropout, Input, Sequential, optimizers

HOOKS = nn.callbacks.HOOKS


def first(y_true, y_pred):
    return gn.mean(y_pred, axis=-1)


def mean_model(loss="mse", rate=0.0, **options):
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(rate), loss, **options)
    return model


def column(n):
    return np.arange(n, dtype="float64")[:, None], np.zeros((n, 1))


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.calls, self.logs = [], {}


for _hook in HOOKS:

    def _record(self, *args, _hook=_hook):
        self.calls.append(_hook.removeprefix("on_"))
        self.logs.setdefault(_hook, []).append(dict(args[-1] or {}))

    setattr(Recorder, _hook, _record)


def test_22_the_loss_of_an_epoch_counts_every_row_once():
    x, y = column(10)
    model = mean_model(metrics=["mae"])
    history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0, epochs=2).history
    assert history["loss"] == pytest.approx([28.5, 28.5]) and history["mae"] == pytest.approx([4.5, 4.5])
    assert model.train_on_batch(x[:1], y[:1]) == [0.0, 0.0]
    # The loss is that before the update.
    model = mean_model(rate=0.1)
    assert model.train_on_batch([[1.0]], [[0.0]]) == 1.0
    assert model.get_weights()[0] == pytest.approx(np.array([[0.8]]))


def test_23_the_logs_of_batches_are_running_means():
    seen = Recorder()
    x, y = column(10)
    mean_model().fit(x, y, batch_size=3, shuffle=False, verbose=0, callbacks=[seen])
    found = [logs["loss"] for logs in seen.logs["on_train_batch_end"]]
    assert found == pytest.approx([1.6667, 9.1667, 22.6667, 28.5], abs=5e-5)


def test_24_keys_are_in_order_and_values_are_floats():
    x, y = column(4)
    model = mean_model(metrics=["mae"])
    history = model.fit(x, y, validation_data=(x, y), verbose=0)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert all(type(v) is float for values in history.history.values() for v in values)
    assert model.history is history is not model.fit(x, y, verbose=0)
    model = Sequential([Input((1,)), Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert list(model.fit(x, y, verbose=0).history) == ["accuracy", "loss"]


def test_25_a_metric_is_called_as_it_was_given():
    def size(y_true, y_pred):
        return gn.mean(y_pred, axis=-1)

    x, y = column(4)
    model = mean_model(metrics=["acc", "mse", size, nn.metrics.MeanAbsoluteError(name="away")])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "acc", "mse", "size", "away"] == model.metrics_names


@pytest.mark.parametrize(
    ("units", "y", "accuracy"),
    [
        (1, np.array([1, 0, 1, 1]), 0.25),
        (1, np.array([[1], [0], [1], [1]]), 0.25),
        (2, np.array([0, 1, 0, 0]), 0.75),
        (2, np.array([[0], [1], [0], [0]]), 0.75),
        (2, np.eye(2)[[0, 1, 0, 0]], 0.75),
    ],
)
def test_26_accuracy_and_crossentropy_are_what_fits_the_shapes(units, y, accuracy):
    x = np.ones((4, 1))
    model = Sequential([Input((1,)), Dense(units, "softmax" if units > 1 else "sigmoid", kernel_initializer="zeros")])
    model.compile("sgd", "crossentropy", metrics=["accuracy", "crossentropy"])
    assert model.evaluate(x, y, verbose=0) == pytest.approx([np.log(2), accuracy, np.log(2)], rel=1e-6)


def test_28_evaluate_gives_a_number_a_list_or_a_dict():
    x, y = column(4)
    assert mean_model().evaluate(x, y, verbose=0) == 3.5
    model = mean_model(metrics=["mae", "mse"])
    assert model.evaluate(x, y, verbose=0) == [3.5, 1.5, 3.5]
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": 3.5, "mae": 1.5, "mse": 3.5}
    assert model.test_on_batch(x, y) == [3.5, 1.5, 3.5]
    assert model.test_on_batch(x, y, return_dict=True) == {"loss": 3.5, "mae": 1.5, "mse": 3.5}


def test_30_hooks_come_in_order_and_there_are_fourteen():
    assert len(HOOKS) == 14
    seen = Recorder()
    x, y = column(4)
    model = mean_model(first)
    model.fit(x, y, batch_size=2, validation_data=(x[:2], y[:2]), verbose=0, callbacks=seen)
    batches = ["train_batch_begin", "train_batch_end"] * 2
    tests = ["test_begin", "test_batch_begin", "test_batch_end", "test_end"]
    assert seen.calls == ["train_begin", "epoch_begin", *batches, *tests, "epoch_end", "train_end"]
    assert seen.logs["on_epoch_end"] == seen.logs["on_train_end"] == [{"loss": 1.5, "val_loss": 0.5}]
    seen = Recorder()
    assert model.predict(x, batch_size=2, callbacks=[seen]).ravel().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert seen.calls == ["predict_begin", *["predict_batch_begin", "predict_batch_end"] * 2, "predict_end"]
    assert seen.logs["on_predict_batch_end"][1]["outputs"].ravel().tolist() == [2.0, 3.0]
    seen = Recorder()
    model.evaluate(x, y, verbose=0, callbacks=[seen])
    assert seen.calls == tests


def test_30_what_a_callback_adds_is_recorded_and_printed(capsys):
    x, y = column(4)
    adds = nn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=epoch + 0.25))
    history = mean_model().fit(x, y, epochs=2, callbacks=[adds])
    assert history.history["extra"] == [0.25, 1.25]
    assert " - extra: 0.2500 - loss: 3.5000" in capsys.readouterr().out


def test_30_the_short_words_for_the_hooks_of_batches():
    seen = []

    class Short(Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            seen.append(("end", batch, logs["loss"]))

    x, y = column(2)
    mean_model(first).fit(x, y, batch_size=1, shuffle=False, verbose=0, callbacks=[Short()])
    assert seen == [("begin", 0), ("end", 0, 0.0), ("begin", 1), ("end", 1, 0.5)]


def test_57_freezing_has_effect_after_compile():
    x, y = np.ones((8, 2)), np.ones((8, 1))
    model = Sequential([Input((2,)), Dense(3, name="a"), Dense(1, name="b")])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    model.get_layer("a").trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert (model.get_weights()[0] != before[0]).any()
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert (model.get_weights()[0] == before[0]).all() and (model.get_weights()[2] != before[2]).any()
    summary = str(model.summary(print_fn=lambda text: None))
    assert "Total params: 13" in summary and "Trainable params: 4" in summary and "Non-trainable params: 9" in summary


def test_58_names():
    kind = type("Unheard", (Dense,), {})
    assert [kind(1).name for _ in range(3)] == ["unheard", "unheard_1", "unheard_2"]
    with pytest.raises(ValueError, match="a layer named 'same' already"):
        Sequential([Dense(1, name="same"), Dense(1, name="same")])
    model = Sequential([Input((1,)), Dense(1)], name="net")
    assert repr(model) == "<Sequential name=net, built=True>"


X, Y = np.random.default_rng(0).normal(size=(96, 4)), np.arange(96) % 3


def classifier():
    made = Sequential([Input((4,)), Dense(8, "relu"), Dropout(0.2), Dense(3, "softmax")])
    made.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


@pytest.mark.parametrize("verbose", ["auto", 1, 2, "table"])
def test_t1_what_goes_to_a_file_is_plain(verbose):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        model = classifier()
        model.fit(X, Y, epochs=3, validation_split=0.25, verbose=verbose)
        model.evaluate(X, Y, verbose=verbose)
        model.predict(X, verbose=verbose)
    text = stream.getvalue()
    assert not re.search("[\r\b\x1b]", text)
    assert len(text.splitlines()) == 3 + 1 + (verbose != "auto") + 2 * (verbose == "table")


def test_t2_what_is_printed_is_what_is_returned(capsys):
    model = classifier()
    history = model.fit(X, Y, epochs=2, validation_split=0.25).history
    values = model.evaluate(X, Y, return_dict=True)
    lines = capsys.readouterr().out.splitlines()
    number = nn.progress.number
    for line, logs in zip(lines, [{k: v[i] for k, v in history.items()} for i in (0, 1)] + [values], strict=True):
        keys = sorted(logs, key=lambda key: (key.startswith("val_"), key))
        assert line.endswith("".join(f" - {key}: {number(logs[key])}" for key in keys))


def test_t4_the_best_weights_come_back_however_training_ended():
    class Scripted(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = [3.0, 1.0, 2.0, 2.5][epoch]
            self.model.layers[0].kernel.assign([[float(epoch)]])
            if epoch == self.stops:
                self.model.stop_training = True
            if epoch == self.presses:
                raise KeyboardInterrupt

        stops = presses = None

    x, y = column(4)
    for word, epoch in (("stops", None), ("stops", 2), ("presses", 2)):
        scripted = Scripted()
        setattr(scripted, word, epoch)
        model = mean_model()
        stop = nn.callbacks.EarlyStopping(patience=9, restore_best_weights=True)
        with contextlib.suppress(KeyboardInterrupt):
            # The one that is called last sees the epoch before the interruption.
            model.fit(x, y, epochs=4, verbose=0, callbacks=[scripted, stop])
        assert model.layers[0].kernel.numpy() == 1.0 and stop.best_epoch == 1


def test_t5_without_dropout_and_learning_fit_says_what_evaluate_says():
    model = Sequential([Input((4,)), Dense(8, "relu"), Dense(3, "softmax")])
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X, Y, batch_size=20, validation_data=(X, Y), verbose=0).history
    loss, accuracy = model.evaluate(X, Y, batch_size=7, verbose=0)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-6) == pytest.approx(history["val_loss"][0], rel=1e-6)
    assert history["accuracy"][0] == accuracy == history["val_accuracy"][0]


def test_t9_a_thousand_predictions_are_silent_and_take_no_memory(capsys):
    model = classifier()
    rows = X[:1].astype("float32")
    for _ in range(30):
        model.predict(rows)
    model._predictor.compiled.plan.wait()
    gc.collect()
    settled()
    tracemalloc.start()
    for _ in range(1000):
        model.predict(rows)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    assert capsys.readouterr().out == ""
