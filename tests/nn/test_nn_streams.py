"""Data that gives batches: generators, iterators, DataLoaders, numbered batches; steps of a model's own."""

import itertools
import json
import os
import re
import signal
import threading
import time

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Callback, Dense, Input, Sequential, optimizers
from graphnet.nn.data import Batches
from graphnet.nn.streams import PyDataset


def first(y_true, y_pred):
    return gn.mean(y_pred, axis=-1)


def mean_model(rate=0.0, loss=first, **options):
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(rate), loss, **options)
    return model


def batch(value, rows=2):
    return np.full((rows, 1), float(value)), np.zeros((rows, 1))


def counting(stop=None):
    for value in itertools.count() if stop is None else range(stop):
        yield batch(value)


class Loader:
    """As a DataLoader: begins anew each time, gives lists."""

    def __init__(self, values, extra=()):
        self.values, self.extra = values, extra

    def __iter__(self):
        return ([*batch(value), *self.extra] for value in self.values)


class Sized(Loader):
    def __len__(self):
        return len(self.values)


class Numbered:
    def __init__(self, count=3):
        self.count, self.told = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        if i >= self.count:
            raise IndexError(i)
        return batch(i)

    def on_epoch_end(self):
        self.told.append("end")


def losses(data, **options):
    return mean_model().fit(data, verbose=0, **options).history["loss"]


def test_a_generator_goes_on_from_epoch_to_epoch():
    assert losses(counting(), steps_per_epoch=2, epochs=3) == [0.5, 2.5, 4.5]
    generator = counting()
    losses(generator, steps_per_epoch=2)
    # Only the batches that were used are gone.
    assert next(generator)[0][0, 0] == 2.0


def test_a_generator_that_ends():
    assert losses(counting(4)) == [1.5]
    with pytest.warns(
        UserWarning, match="used up after 1 of 3 epochs: an iterator or generator can be gone through only"
    ):
        assert losses(counting(4), epochs=3) == [1.5]
    with pytest.warns(UserWarning, match="ran out of data: steps_per_epoch is 3, and there were 1 batches") as caught:
        assert losses(counting(4), steps_per_epoch=3, epochs=5) == [1.0, 3.0]
    assert len(caught) == 1
    with pytest.raises(ValueError, match="x gave no batch"):
        losses(counting(0))


@pytest.mark.parametrize("make", [Loader, Sized])
def test_a_loader_begins_anew(make):
    seen = []
    look = nn.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(look.params["steps"]))
    assert losses(make([0, 1, 5]), epochs=3, callbacks=[look]) == [2.0, 2.0, 2.0]
    assert seen == ([3, 3, 3] if make is Sized else [None, 3, 3])
    assert losses(make([0, 1, 5]), epochs=4, steps_per_epoch=2) == [0.5, 5.0, 0.5, 5.0]
    assert losses(make([1, 2], extra=[np.array([0.0, 2.0])])) == [1.5]


def test_numbered_batches_are_shuffled_and_told():
    data = Numbered(5)
    order = []

    class Watch(Sequential):
        def call(self, x, training=False):
            if training and not x.is_symbolic:
                order.append(int(x.numpy()[0, 0]))
            return super().call(x, training)

    model = Watch([Input((1,)), Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(data, epochs=2, verbose=0)
    assert sorted(order[:5]) == sorted(order[5:]) == list(range(5)) and order[:5] != order[5:]
    assert data.told == ["end"] * 2
    order.clear()
    model.fit(data, verbose=0, shuffle=False)
    assert order == list(range(5))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_py_dataset_with_workers(workers):
    threads, epochs = set(), []

    class Data(PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            threads.add(threading.get_ident())
            time.sleep(0.002)
            return batch(i)

        def on_epoch_begin(self):
            epochs.append("begin")

        def on_epoch_end(self):
            epochs.append("end")

    data = Data(workers=workers, use_multiprocessing=False, max_queue_size=4)
    assert losses(data, shuffle=False, epochs=2) == [3.5, 3.5]
    assert (threading.get_ident() in threads) == (workers == 1)
    assert epochs == ["begin", "end"] * 2
    assert mean_model().predict(data).ravel().tolist() == [v for v in range(8) for _ in range(2)]
    assert not any(t.name.startswith("ThreadPoolExecutor") for t in threading.enumerate())


def test_validation_with_streams():
    model = mean_model()
    options = {"verbose": 0, "epochs": 3}
    x, y = batch(1)
    history = model.fit(x, y, validation_data=Loader([2, 4, 9]), **options).history
    assert history["val_loss"] == [5.0] * 3
    history = model.fit(x, y, validation_data=Loader([2, 4, 9]), validation_steps=2, **options).history
    assert history["val_loss"] == [3.0] * 3
    history = model.fit(x, y, validation_data=counting(), validation_steps=2, **options).history
    assert history["val_loss"] == [0.5, 2.5, 4.5]
    history = model.fit(x, y, validation_data=Numbered(3), **options).history
    assert history["val_loss"] == [1.0] * 3
    with pytest.warns(UserWarning, match="the validation data is used up"):
        history = model.fit(x, y, validation_data=counting(3), **options).history
    assert history["val_loss"] == [1.0] and len(history["loss"]) == 3


def test_validation_begins_anew_with_steps_of_arrays():
    x = np.arange(8.0)[:, None]
    history = mean_model().fit(
        x, x * 0, validation_data=(x, x * 0), validation_steps=2, validation_batch_size=2, epochs=2, verbose=0
    )
    assert history.history["val_loss"] == [1.5, 1.5]


def test_evaluate_and_predict():
    model = mean_model()
    assert model.evaluate(counting(), steps=4, verbose=0) == 1.5
    assert model.evaluate(Loader([3, 5]), verbose=0) == 4.0
    assert model.evaluate(Numbered(3), verbose=0) == 1.0
    assert model.predict(Loader([3, 5])).ravel().tolist() == [3, 3, 5, 5]
    assert model.predict(counting(), steps=2).ravel().tolist() == [0, 0, 1, 1]
    assert model.predict(iter([batch(1)[0], batch(2, 1)[0]])).ravel().tolist() == [1, 1, 2]
    assert model.predict(np.arange(10.0)[:, None], batch_size=2, steps=2).shape == (4, 1)
    with pytest.warns(UserWarning, match="ran out of data"):
        assert model.evaluate(counting(2), steps=3, verbose=0) == 0.5
    for ask in (model.predict, lambda data: model.evaluate(data, verbose=0)):
        with pytest.raises(ValueError, match="gave no batch"):
            ask(iter([]))


def test_weights_of_samples_and_classes_in_streams():
    model = Sequential([Input((1,)), Dense(3, "softmax", kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    data = [(np.ones((3, 1)), np.arange(3))] * 2
    history = model.fit(iter(data), class_weight={1: 2.0}, verbose=0)
    assert history.history["loss"][0] == pytest.approx(1.4648165, rel=1e-6)
    data = [(np.ones((3, 1)), np.arange(3), np.array([0.0, 0.0, 3.0]))]
    assert model.evaluate(iter(data), verbose=0) == pytest.approx(np.log(3), rel=1e-6)


def test_an_unbuilt_model_is_built_by_the_first_batch():
    model = Sequential([Dense(2), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(Loader([1, 2]), verbose=0)
    assert model.layers[0].kernel.shape == (1, 2)
    untouched = Sequential([Dense(1)])
    untouched.compile("sgd", "mse")
    with pytest.raises(ValueError, match="x has 2 rows, y has 3"):
        untouched.fit(iter([(np.ones((2, 1)), np.ones((3, 1)))]), verbose=0)
    assert not untouched.built


class Pile:
    """As a data set of PyTorch: gives single rows."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return np.ones(1), 0.0


Pile.__module__ = "torch.utils.data.dataset"
Dataset = type("Dataset", (Pile,), {"__module__": "torch.utils.data.dataset"})


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda m: m.fit(counting(), np.ones(3)), ValueError, "x gives batches .* leave y out"),
        (lambda m: m.fit(counting(), sample_weight=np.ones(3)), ValueError, "leave sample_weight out"),
        (lambda m: m.fit(counting(), validation_split=0.5), ValueError, "validation_split needs arrays"),
        (lambda m: m.fit((np.ones((2, 1)), np.ones((2, 1)))), ValueError, r"a tuple of 2 arrays.*fit\(x, y"),
        (lambda m: m.fit(iter([(1, 2, 3, 4)])), ValueError, r"\(x, y, weights\); received a tuple of 4"),
        (lambda m: m.fit(iter([np.ones((2, 1))])), ValueError, "targets are missing"),
        (lambda m: m.fit(iter([{"x": 1}])), TypeError, "x is a dict with the keys 'x', .*one array"),
        (lambda m: m.fit(Dataset()), TypeError, "give a DataLoader of it"),
        (lambda m: m.fit(iter([batch(np.nan)])), ValueError, r"x, batch 0: x holds 2 values that are NaN"),
        (lambda m: m.fit(Loader([1]), steps_per_epoch=0), ValueError, "steps is a whole number"),
        (lambda m: m.fit(np.ones((2, 1)), np.ones((2, 1)), validation_data=3), ValueError, "received int"),
        (
            lambda m: m.compile("sgd", first, loss_weights=[1, 2]),
            TypeError,
            "loss_weights is a list of 2, for one",
        ),
        (lambda m: m.compile("sgd", first, jit_compile="yes"), ValueError, "jit_compile is True, False or 'auto'"),
        (lambda m: m.compile("sgd", first, steps_per_execution=0), ValueError, "steps_per_execution"),
    ],
)
def test_mistakes(call, kind, text):
    model = mean_model()
    before = model.get_weights()[0].copy()
    with pytest.raises(kind, match=text):
        call(model)
    assert (model.get_weights()[0] == before).all() and int(model.optimizer.iterations.numpy()) == 0


def test_ctrl_c_while_a_generator_works():
    calls, drawn = [], []

    class Seen(Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls.append(batch)

        def on_train_end(self, logs=None):
            calls.append("closed")

    def pressing():
        try:
            for value in itertools.count(1):
                drawn.append(value)
                if value == 4:
                    os.kill(os.getpid(), signal.SIGINT)
                yield batch(value)
        finally:
            drawn.append("over")

    model = mean_model(0.1)
    generator = pressing()
    with pytest.raises(KeyboardInterrupt):
        model.fit(generator, steps_per_epoch=10, epochs=2, verbose=0, callbacks=[Seen()])
    assert calls == [0, 1, 2, "closed"] and drawn == [1, 2, 3, 4]
    assert int(model.optimizer.iterations.numpy()) == 3 and np.isfinite(model.get_weights()[0]).all()
    # What was drawn for the step that was not taken is gone; the generator goes on.
    assert next(generator)[0][0, 0] == 5.0
    model.fit(generator, steps_per_epoch=1, verbose=0)


def test_ctrl_c_in_a_validation_does_not_wait_for_its_end():
    seen = []

    class Press(Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)
            if batch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    x, y = batch(1, 20)
    with pytest.raises(KeyboardInterrupt):
        mean_model().fit(x, y, validation_data=(x, y), validation_batch_size=1, verbose=0, callbacks=[Press()])
    assert seen == [0, 1]


def test_the_number_of_steps_is_unknown_at_first(monkeypatch, capsys):
    monkeypatch.setattr(nn.progress, "INTERVAL", 0.0)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    mean_model().fit(Loader([1, 2, 3]), epochs=2)
    text = capsys.readouterr().out
    assert "Epoch 1/2 2/Unknown" in text and "Epoch 2/2 2/3" in text
    assert re.search(r"Epoch 1/2 3/3 ━{20} \d+s ", text)


def test_several_steps_between_hooks():
    seen = []

    class Seen(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch))

        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

        def on_test_batch_end(self, batch, logs=None):
            seen.append(("test", batch))

    model = mean_model(steps_per_execution=2)
    x = np.arange(10.0)[:, None]
    history = model.fit(
        x, x * 0, batch_size=2, shuffle=False, verbose=0, callbacks=[Seen()], validation_data=(x, x * 0)
    )
    assert seen[:6] == [("begin", 0), (1, 1.5), ("begin", 2), (3, 3.5), ("begin", 4), (4, 4.5)]
    assert seen[6:] == [("test", 1), ("test", 3), ("test", 4)]
    assert history.history["loss"] == [4.5] and int(model.optimizer.iterations.numpy()) == 5


def test_loss_weights_scale_the_loss_but_not_penalties():
    for given in (0.5, [0.5], {"output": 0.5}):
        model = Sequential(
            [
                Input((1,)),
                Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer=nn.regularizers.L1(2.0)),
            ]
        )
        model.compile(optimizers.SGD(0.0), "mse", loss_weights=given)
        assert model.evaluate(*batch(3), verbose=0) == pytest.approx(4.5 + 2.0)


def test_jit_compile_false_runs_as_written():
    assert mean_model(jit_compile=False).steps.run_eagerly
    assert (
        not mean_model(jit_compile=True).steps.run_eagerly and not mean_model(auto_scale_loss=False).steps.run_eagerly
    )


def test_stopping_an_evaluation_and_a_prediction():
    class Stop(Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 0

    model = mean_model()
    assert model.evaluate(Loader([1, 3, 9]), verbose=0, callbacks=[Stop()]) == 2.0
    assert model.predict(Loader([1, 3, 9]), callbacks=[Stop()]).shape == (2, 1)


class Doubled(Sequential):
    """A model with a step of its own: twice the error, and a metric of its own."""

    def train_step(self, data):
        x, y = data
        y_pred = self(x, training=True)
        loss = 2.0 * self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.apply(gn.gradients(loss, self.trainable_weights), self.trainable_weights)
        self.seen.update_state(loss)
        return {"loss": self.seen.result(), "last": loss}


@pytest.mark.parametrize("eager", [True, False])
def test_a_train_step_of_its_own(eager):
    model = Doubled([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.seen = nn.metrics.Mean(name="seen")
    model.compile(optimizers.SGD(0.01), "mse", run_eagerly=eager)
    history = model.fit(np.ones((40, 1)), np.zeros((40, 1)), batch_size=2, epochs=2, verbose=0).history
    assert model.get_weights()[0].item() == pytest.approx(0.96**40, rel=1e-5)
    assert history["last"] == pytest.approx([2 * 0.96**38, 2 * 0.96**78], rel=1e-4)
    assert history["loss"][0] == pytest.approx(np.mean([2 * 0.96 ** (2 * n) for n in range(20)]), rel=1e-5)
    assert model.evaluate(np.ones((2, 1)), np.zeros((2, 1)), verbose=0) == pytest.approx(0.96**80, rel=1e-4)
    assert eager or model.steps.train._plans


def test_a_loss_and_metrics_of_its_own():
    class Own(Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return super().compute_loss(x, y, y_pred, sample_weight, training) + gn.mean(y_pred) * 10.0

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            found = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**found, "largest": gn.max(y_pred)}

    model = Own([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    x = np.arange(20.0)[:, None]
    history = model.fit(x, x * 0, batch_size=2, validation_data=(x[:2], x[:2] * 0), verbose=0, shuffle=False).history
    assert history["loss"] == pytest.approx([np.mean(x**2) + 95.0], rel=1e-6)
    assert history["mae"] == pytest.approx([9.5]) and history["largest"] == [19.0]
    assert history["val_largest"] == [1.0] and history["val_loss"] == pytest.approx([5.5])
    assert model.evaluate(x, x * 0, verbose=0, return_dict=True)["largest"] == 19.0


def test_the_steps_of_all_models_can_be_called():
    class Counts(Sequential):
        calls = 0

        def train_step(self, data):
            type(self).calls += 1
            return super().train_step(data)

    model = Counts([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    x = np.arange(4.0)[:, None]
    assert model.fit(x, x * 0, batch_size=2, verbose=0).history == {"loss": [3.5], "mae": [1.5]}
    assert Counts.calls == 2


def test_a_history_of_epochs_without_a_key_and_its_best():
    x, y = batch(1)
    history = mean_model().fit(x, y, epochs=3, validation_data=(x, y), validation_freq=[2], verbose=0)
    assert history.to_dict() == {"epoch": [0, 1, 2], "loss": [1.0] * 3, "val_loss": [None, 1.0, None]}
    assert history.best() == (1, 1.0) and history.best("loss") == (0, 1.0)
    assert [line.endswith("*") for line in str(history).splitlines()] == [False, False, False, True, False]
    assert "<tr style=font-weight:bold><td" in history._repr_html_() and "2*" in history._repr_html_()
    with pytest.raises(ValueError, match="give mode='min'"):
        history.best("size")


def test_a_table_of_epochs(capsys):
    class Scripted(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = [3.0, 1.0, 2.0, 0.5][epoch]

    x, y = batch(1)
    mean_model().fit(x, y, epochs=4, verbose="table", callbacks=[Scripted()])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["epoch", "loss", "val_loss"] and set(lines[1]) == {"-", " "}
    assert [line.split() for line in lines[2:]] == [
        ["1", "1.0000", "3.0000", "*"],
        ["2", "1.0000", "1.0000", "*"],
        ["3", "1.0000", "2.0000"],
        ["4", "1.0000", "0.5000", "*"],
    ]


def test_generators_are_not_closed_by_a_failed_batch():
    def failing():
        yield batch(1)
        raise RuntimeError("the disk is gone")

    seen = []
    end = nn.callbacks.LambdaCallback(on_train_end=lambda logs: seen.append("closed"))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        mean_model().fit(failing(), verbose=0, callbacks=[end])
    assert seen == ["closed"]


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
@pytest.mark.parametrize("limit", [None, 2])
def test_batches_go_on_from_any_position(shuffle, limit):
    def source():
        return Batches(np.arange(10.0)[:, None], None, None, 2, shuffle, np.random.default_rng(5), limit)

    def taken(epoch):
        return [rows.ravel().tolist() for rows, _, _ in epoch]

    whole = source()
    epochs = [taken(whole.epoch()) for _ in range(6)]

    def stopped(at):
        """The epoch, the batches of it that are done, and the position, after so many batches."""
        first, left = source(), at
        for number in range(6):
            for done, _ in enumerate(first.epoch(), 1):
                left -= 1
                if not left:
                    return number, done, json.loads(json.dumps(first.position()))
        raise AssertionError(at)

    for at in range(1, 1 + sum(map(len, epochs))):
        number, done, position = stopped(at)
        second = source()
        second.go_to(position)
        rest = [taken(second.epoch(done)), *(taken(second.epoch()) for _ in range(number + 1, 6))]
        assert rest == [epochs[number][done:], *epochs[number + 1 :]]
    with pytest.raises(ValueError, match="rows=10, this fit has 4"):
        Batches(np.ones((4, 1)), None, None, 2, shuffle, np.random.default_rng(5), limit).check(position)
