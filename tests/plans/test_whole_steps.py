"""A `fit` that fails: callbacks are closed, the first error is kept, and a step that did not happen changed nothing."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn.callbacks import Callback, CSVLogger, LambdaCallback, SwapEMAWeights

X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
Y = X[:, :2]
NOTES = sys.version_info >= (3, 11)


def network(loss="mse", optimizer="adam", **options):
    model = nn.Sequential(
        [nn.Input((4,)), nn.Dense(3), nn.BatchNormalization(), nn.Dropout(0.2), nn.Dense(2)], name="net"
    )
    model.compile(optimizer, loss, metrics=["mae"], **options)
    return model


class Told(Callback):
    """Notes the hooks it is told."""

    def __init__(self):
        super().__init__()
        self.hooks = []

    def on_train_begin(self, logs=None):
        self.hooks.append("begin")

    def on_train_end(self, logs=None):
        self.hooks.append("end")


class Fails(Callback):
    """Raises an error in a hook."""

    def __init__(self, hook, error=OSError):
        super().__init__()
        setattr(self, hook, self.fail)
        self.error, self.hook = error, hook

    def fail(self, *_):
        raise self.error(self.hook)


# Callbacks.


def test_an_error_at_the_beginning_closes_those_that_have_begun(tmp_path):
    first, last = Told(), Told()
    written = CSVLogger(tmp_path / "log.csv")
    only_end = []
    model = network()
    with pytest.raises(OSError, match="on_train_begin"):
        model.fit(
            X,
            Y,
            verbose=0,
            callbacks=[
                first,
                written,
                Fails("on_train_begin"),
                last,
                LambdaCallback(on_train_end=lambda logs: only_end.append(1)),
            ],
        )
    assert first.hooks == ["begin", "end"] and last.hooks == [] and only_end == [1]
    assert written.file.closed and model.run is None
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_end", "on_epoch_begin", "on_train_batch_begin"])
def test_the_first_error_is_kept_and_the_others_are_told(hook):
    told = Told()
    model = network()
    with pytest.raises(ValueError, match=hook) as found:
        model.fit(X, Y, verbose=0, callbacks=[Fails(hook, ValueError), Fails("on_train_end"), told])
    assert told.hooks == ["begin", "end"] and model.run is None
    assert not NOTES or "Fails.on_train_end raised OSError: on_train_end" in found.value.__notes__[0]
    model.fit(X, Y, verbose=0)


def test_an_error_at_the_end_alone_is_raised_after_all_are_told():
    told = Told()
    model = network()
    with pytest.raises(OSError, match="on_train_end") as found:
        model.fit(X, Y, verbose=0, callbacks=[Fails("on_train_end"), Fails("on_train_end", KeyError), told])
    assert told.hooks == ["begin", "end"] and model.run is None
    assert not NOTES or "KeyError" in found.value.__notes__[0]


def test_an_interrupt_while_callbacks_are_closed_closes_the_others():
    told = Told()
    model = network()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[Fails("on_train_end", KeyboardInterrupt), told])
    assert told.hooks == ["begin", "end"] and model.run is None


@pytest.mark.parametrize("what", ["test", "predict"])
@pytest.mark.parametrize("hook", ["begin", "batch_begin", "batch_end", "end"])
def test_evaluate_and_predict_close_theirs_too(what, hook):
    model = network(optimizer=nn.optimizers.SGD(0.1, use_ema=True))
    model.fit(X, Y, verbose=0)
    before, seen = model.get_weights(), []
    callbacks = [
        SwapEMAWeights(),
        LambdaCallback(**{f"on_{what}_end": lambda logs: seen.append(1)}),
        Fails(f"on_{what}_{hook}"),
    ]
    with pytest.raises(OSError, match=hook):
        if what == "test":
            model.evaluate(X, Y, verbose=0, callbacks=callbacks)
        else:
            model.predict(X, callbacks=callbacks)
    assert seen == [1]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_logs_of_an_epoch_stay_as_they_were():
    kept = []
    network().fit(X, Y, epochs=3, verbose=0, callbacks=[LambdaCallback(on_epoch_end=lambda e, logs: kept.append(logs))])
    assert len({log["loss"] for log in kept}) == 3


# Steps.


def everything(model):
    values = [*model.weights, *model.optimizer.variables, *(v for m in model.metrics for v in m.variables)]
    return {v.name or n: v.numpy().copy() for n, v in enumerate(values)}


class Raising:
    """A loss that fails when it is told to, in a step as it is written."""

    def __init__(self):
        self.now = False

    def __call__(self, y, p):
        if self.now:
            raise RuntimeError("no loss")
        return gn.mean(gn.square(y - p), axis=-1)


@pytest.mark.parametrize("eager", [True, False])
def test_a_step_that_fails_changes_nothing(eager):
    loss = Raising()
    model = network(loss, run_eagerly=eager)
    for _ in range(3):
        model.train_on_batch(X, Y)

    class Next(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            loss.now = batch == 2
            if loss.now:
                self.model.kept = everything(self.model)

    with pytest.raises(RuntimeError, match="no loss"):
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=[Next()])
    for name, value in everything(model).items():
        np.testing.assert_array_equal(value, model.kept[name], err_msg=str(name))
    assert int(model.optimizer.iterations) == 5
    loss.now = False
    model.fit(X, Y, verbose=0)


def test_an_op_that_fails_in_a_compiled_step_changes_nothing():
    limit = [np.inf]

    @gn.op(lambda x: x.shape, vjp=(lambda g, y, x: g,))
    def bounded_by_a_test(x):
        if x.max() > limit[0]:
            raise ValueError("too large")
        return x.copy()

    model = nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.BatchNormalization(), nn.Dense(2)])
    model.compile("adam", lambda y, p: gn.mean(gn.square(y - bounded_by_a_test(p)), axis=-1), metrics=["mae"])
    for _ in range(12):
        model.train_on_batch(X, Y)
    before = everything(model)
    limit[0] = -np.inf
    with pytest.raises(ValueError, match="too large"):
        model.train_on_batch(X, Y)
    after = everything(model)
    for v in (*model.weights, *model.optimizer.variables):
        np.testing.assert_array_equal(after[v.name], before[v.name], err_msg=v.name)


def test_a_batch_that_does_not_fit_in_the_middle_of_an_epoch():
    def batches():
        yield X[:8], Y[:8]
        yield X[8:16], Y[8:16]
        yield X[16:24], np.full((8, 2), np.nan)

    model = network()
    seen = []
    with pytest.raises(ValueError, match="NaN"):
        model.fit(
            batches(),
            verbose=0,
            callbacks=[LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(everything(model)))],
        )
    for name, value in everything(model).items():
        np.testing.assert_array_equal(value, seen[-1][name])


def test_debug_in_a_step_changes_nothing():
    model = network(lambda y, p: gn.mean(gn.log(p * 0.0 - 1.0), axis=-1), run_eagerly=True)
    model.predict(X)
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(Exception, match="log"), gn.debug():
        model.train_on_batch(X, Y)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Ctrl-C.


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent by kill")
@pytest.mark.parametrize(("presses", "said"), [(1, ""), (2, "finished first"), (3, "finished first")])
def test_ctrl_c_leaves_whole_steps_or_says_so(presses, said, capsys):
    class Pressing(nn.layers.Layer):
        """Presses when it is called in the third step."""

        count = 0

        def call(self, x):
            if nn.phase.phase.training and not isinstance(x, str):
                Pressing.count += 1
                if Pressing.count == 3:
                    for _ in range(presses):
                        os.kill(os.getpid(), signal.SIGINT)
            return x

    model = nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.BatchNormalization(), Pressing(), nn.Dense(2)])
    model.compile("adam", "mse", run_eagerly=True)
    model.predict(X)
    Pressing.count = 0
    steps = []
    with pytest.raises(KeyboardInterrupt) as found:
        model.fit(
            X,
            Y,
            batch_size=4,
            epochs=3,
            verbose=0,
            callbacks=[LambdaCallback(on_train_batch_end=lambda b, logs: steps.append(everything(model)))],
        )
    assert said in capsys.readouterr().err
    assert ("half updated" in str(found.value)) == (presses == 3)
    # As it is written, even such a step leaves nothing behind.
    assert len(steps) == (2 if presses == 3 else 3)
    for name, value in everything(model).items():
        np.testing.assert_array_equal(value, steps[-1][name])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model.fit(X, Y, verbose=0)


# Several users.


def test_fit_inside_fit_says_so():
    model = network()
    with pytest.raises(RuntimeError, match="fit was called inside fit of the same model"):
        model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_end=lambda e, logs: model.fit(X, Y, verbose=0))])
    assert model.run is None
    model.fit(X, Y, verbose=0)


def test_another_model_may_be_fitted_inside_a_fit():
    other = network()
    network().fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_end=lambda e, logs: other.fit(X, Y, verbose=0))])
    assert int(other.optimizer.iterations) == 1


def test_evaluate_inside_fit_keeps_the_running_values():
    plain, other = network("mse"), network("mse")
    other.set_weights(plain.get_weights())
    for model in (plain, other):
        model.layers[-2].rate = 0.0
    found = []
    look = LambdaCallback(on_train_batch_end=lambda b, logs: found.append(other.evaluate(X, Y, verbose=0)))
    one = plain.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    two = other.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[look]).history
    assert one == two and len(found) == 8


class Blocked(Callback):
    """Stops in the middle of a fit until it is let go."""

    def __init__(self):
        super().__init__()
        self.inside, self.go = threading.Event(), threading.Event()

    def on_train_batch_end(self, batch, logs=None):
        self.inside.set()
        assert self.go.wait(60)


def test_two_threads_do_not_train_one_model_at_once():
    model = network()
    blocked = Blocked()
    failed = []

    def train():
        try:
            model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[blocked])
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    assert blocked.inside.wait(60)
    for call in (
        lambda: model.fit(X, Y, verbose=0),
        lambda: model.evaluate(X, Y, verbose=0),
        lambda: model.train_on_batch(X, Y),
        lambda: model.test_on_batch(X, Y),
    ):
        with pytest.raises(RuntimeError, match=r"while fit runs in another thread.*copy"):
            call()
    # Between two steps.
    expected = copy.deepcopy(model).predict(X)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-6)
    blocked.go.set()
    thread.join()
    assert not failed and not model.steps.train.eager
    assert int(model.optimizer.iterations) == 32
    model.fit(X, Y, verbose=0)


def test_predictions_beside_a_fit_see_whole_steps():
    # Both weights move together: the prediction is their difference.
    model = nn.Sequential([nn.Input((1,)), nn.Dense(20_000, use_bias=False, kernel_initializer="zeros")])
    model.compile(nn.optimizers.SGD(1.0), lambda y, p: gn.mean(p, axis=-1))
    x, y = np.ones((64, 1), np.float32), np.zeros((64, 1), np.float32)
    torn, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            seen = model.predict(x[:1])
            if seen.min() != seen.max():
                torn.append((seen.min(), seen.max()))

    model.predict(x[:1])
    thread = threading.Thread(target=look)
    thread.start()
    model.fit(x, y, batch_size=1, epochs=3, verbose=0)
    stop.set()
    thread.join()
    assert not torn


def test_copies_are_used_by_nobody():
    model = network()
    copies = []

    class Copy(Callback):
        def on_epoch_end(self, epoch, logs=None):
            copies.extend([copy.deepcopy(self.model), pickle.loads(pickle.dumps(self.model))])

    model.fit(X, Y, verbose=0, callbacks=[Copy()])
    for other in copies:
        other.fit(X, Y, verbose=0)
