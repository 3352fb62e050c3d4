"""The loops: batches, splits, weights of samples and classes, logs, hooks, determinism, the step as a graph."""

import gc
import math
import os
import signal
import tracemalloc

import numpy as np
import pytest
from backends import settled

import graphnet as gn
from graphnet import nn
from graphnet.nn import Callback, Dense, Dropout, Input, Sequential, optimizers


def first(y_true, y_pred):
    """A loss that is the prediction itself."""
    return gn.mean(y_pred, axis=-1)


def mean_model(rate=0.0, **options):
    """A model that gives its input, and whose loss is the mean of it."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(rate), options.pop("loss", first), **options)
    return model


def column(n):
    return np.arange(n, dtype="float64")[:, None], np.zeros((n, 1))


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.logs = {}


for _hook in nn.callbacks.HOOKS:

    def _record(self, *args, _hook=_hook):
        self.calls.append(_hook.removeprefix("on_"))
        self.logs.setdefault(_hook, []).append(dict(args[-1] or {}))

    setattr(Recorder, _hook, _record)


def test_batches_of_32_and_the_last_one_is_kept():
    seen = Recorder()
    x, y = column(100)
    model = mean_model()
    model.fit(x, y, verbose=0, callbacks=[seen], shuffle=False)
    assert seen.calls.count("train_batch_end") == 4
    assert model.optimizer.iterations.numpy() == 4
    assert seen.params["steps"] == 4


def test_epoch_loss_counts_every_row_once():
    x, y = column(10)
    history = mean_model(loss="mse").fit(x, y, batch_size=8, verbose=0, shuffle=False)
    assert history.history["loss"][0] == pytest.approx(28.5)


def test_validation_split_takes_the_last_rows_before_the_shuffle():
    x, y = column(10)
    history = mean_model().fit(x, y, validation_split=0.25, verbose=0)
    assert history.history == {"loss": [3.0], "val_loss": [8.0]}
    for share in (1e-17, 0.99999):
        with pytest.raises(ValueError, match="leaves"):
            mean_model().fit(x[:2], y[:2], validation_split=share, verbose=0)


def test_validation_data_wins_and_can_have_weights():
    x, y = column(4)
    held = (np.array([[1.0], [3.0]]), np.zeros((2, 1)))
    history = mean_model().fit(x, y, validation_split=0.5, validation_data=held, verbose=0)
    assert history.history == {"loss": [1.5], "val_loss": [2.0]}
    weighted = mean_model().fit(x, y, validation_data=(*held, np.array([0.0, 1.0])), verbose=0)
    assert weighted.history["val_loss"] == [1.5]


def test_initial_epoch_and_frequency_of_validation():
    x, y = column(4)
    history = mean_model().fit(x, y, initial_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [2, 3, 4] and len(history.history["loss"]) == 3
    history = mean_model().fit(x, y, validation_data=(x, y), validation_freq=2, epochs=5, verbose=0)
    assert len(history.history["loss"]) == 5 and len(history.history["val_loss"]) == 2
    assert [("val_loss" in row) for row in history.rows] == [False, True, False, True, False]


def test_steps_per_epoch_goes_on_where_it_stopped():
    x, y = column(10)
    history = mean_model().fit(x, y, batch_size=2, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0)
    assert history.history["loss"] == pytest.approx([1.5, 5.5, 8.5])
    history = mean_model().fit(x, y, batch_size=2, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0)
    assert history.history["loss"] == pytest.approx([1.5, 5.5])


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_shuffle_keeps_every_row_and_orders_anew(shuffle):
    seen = []
    x, y = column(12)
    model = mean_model()
    step = model.steps.train_step
    model.steps.train_step = lambda xb, *rest: (seen.append(xb.numpy().ravel().tolist()), step(xb, *rest))[1]
    model.fit(x, y, batch_size=4, epochs=2, shuffle=shuffle, verbose=0)
    epochs = [[v for batch in part for v in batch] for part in (seen[:3], seen[3:])]
    assert [sorted(e) for e in epochs] == [list(range(12))] * 2
    assert epochs[0] != epochs[1] != list(range(12))
    if shuffle == "batch":
        assert [sorted(b) for b in seen] == [list(range(i, i + 4)) for i in (0, 4, 8)] * 2


def test_numpys_global_generator_is_never_touched():
    x, y = column(40)
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    model = Sequential([Dense(4), Dropout(0.5), Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    assert np.random.get_state()[1].tolist() == before


def test_weights_of_samples_scale_the_loss_but_not_the_weighted_metrics():
    x, y = column(10)
    options = dict(loss="mse", metrics=["mae"], weighted_metrics=[nn.metrics.MeanSquaredError(name="w")])
    w = np.linspace(0, 1, 10)
    once = mean_model(**options).evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)
    options["weighted_metrics"] = [nn.metrics.MeanSquaredError(name="w")]
    thrice = mean_model(**options).evaluate(x, y, sample_weight=3 * w, verbose=0, return_dict=True)
    expected = (w * np.arange(10) ** 2).sum()
    assert once["loss"] == pytest.approx(expected / 10, rel=1e-6)
    assert thrice["loss"] == pytest.approx(3 * once["loss"], rel=1e-6)
    assert once["mae"] == thrice["mae"] == 4.5
    assert once["w"] == pytest.approx(expected / w.sum()) == pytest.approx(thrice["w"])
    assert mean_model().evaluate(x, y, sample_weight=np.zeros(10), verbose=0) == 0.0


def test_weights_of_classes():
    for y in (np.array([0, 1, 2]), np.eye(3)):
        model = Sequential([Input((1,)), Dense(3, activation="softmax", kernel_initializer="zeros")])
        model.compile(optimizers.SGD(0.0), "crossentropy", metrics=["accuracy"])
        history = model.fit(np.ones((3, 1)), y, class_weight={1: 2.0}, verbose=0)
        assert history.history["loss"][0] == pytest.approx(math.log(3) * 4 / 3, rel=1e-6)
        assert history.history["accuracy"][0] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="can't both be given"):
        model.fit(np.ones((3, 1)), y, class_weight={1: 2.0}, sample_weight=np.ones(3), verbose=0)


def test_batch_logs_are_running_means():
    seen = Recorder()
    x, y = column(10)
    mean_model(loss="mse").fit(x, y, batch_size=3, shuffle=False, verbose=0, callbacks=[seen])
    assert [log["loss"] for log in seen.logs["on_train_batch_end"]] == pytest.approx([5 / 3, 55 / 6, 68 / 3, 28.5])


def test_history_keys_are_ordered_and_its_values_are_floats():
    x, y = column(8)
    model = mean_model(loss="mse", metrics=["mae"])
    history = model.fit(x, y, validation_split=0.5, verbose=0)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert all(type(v) is float for values in history.history.values() for v in values)
    assert model.history is history
    assert model.fit(x, y, verbose=0) is not history


def test_metric_names():
    def my_metric(y_true, y_pred):
        return gn.mean(gn.abs(y_pred), axis=-1)

    x, y = column(4)
    model = mean_model(loss="mse", metrics=["mse", "acc", my_metric, nn.metrics.MeanAbsoluteError(name="size")])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "mse", "acc", "my_metric", "size"]
    assert logs["my_metric"] == logs["size"] == 1.5
    assert model.evaluate(x, y, verbose=0) == list(logs.values())
    assert mean_model().evaluate(x, y, verbose=0) == 1.5


def test_order_of_hooks():
    seen = Recorder()
    x, y = column(4)
    mean_model().fit(x, y, batch_size=2, validation_data=(x[:2], y[:2]), verbose=0, callbacks=seen)
    assert seen.calls == [
        "train_begin",
        "epoch_begin",
        *["train_batch_begin", "train_batch_end"] * 2,
        "test_begin",
        "test_batch_begin",
        "test_batch_end",
        "test_end",
        "epoch_end",
        "train_end",
    ]
    assert seen.logs["on_epoch_end"] == [{"loss": 1.5, "val_loss": 0.5}]
    seen = Recorder()
    mean_model().predict(x, batch_size=2, callbacks=[seen])
    assert seen.calls == ["predict_begin", *["predict_batch_begin", "predict_batch_end"] * 2, "predict_end"]
    assert seen.logs["on_predict_batch_end"][1]["outputs"].ravel().tolist() == [2.0, 3.0]


def test_what_callbacks_add_to_the_logs_is_recorded():
    x, y = column(4)
    adds = nn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=float(epoch)))
    history = mean_model().fit(x, y, epochs=2, verbose=0, callbacks=[adds])
    assert history.history["extra"] == [0.0, 1.0]


def test_stop_in_a_batch_still_ends_the_epoch():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    x, y = column(10)
    seen = Recorder()
    history = mean_model().fit(x, y, batch_size=2, epochs=3, verbose=0, callbacks=[Stop(), seen], shuffle=False)
    assert history.history["loss"] == [1.5] and seen.calls[-2:] == ["epoch_end", "train_end"]


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "bool"])
def test_inputs_of_any_kind_give_float32(dtype):
    model = Sequential([Input((3,)), Dense(2)])
    assert model.predict(np.ones((4, 3), dtype)).dtype == np.float32
    assert model(np.ones((4, 3), dtype)).dtype == np.float32
    assert all(w.dtype == np.float32 for w in model.weights)


def test_lists_and_data_frames():
    model = mean_model(loss="mse")
    assert model.evaluate([[1.0], [3.0]], [0.0, 0.0], verbose=0) == 5.0

    class Frame:
        def to_numpy(self):
            return np.array([[1], [3]], object)

    assert model.evaluate(Frame(), Frame(), verbose=0) == 0.0
    assert model.evaluate(gn.tensor([[1.0], [3.0]]), [[0], [0]], verbose=0) == 5.0


def test_predict():
    model = mean_model()
    x, _ = column(70)
    assert (model.predict(x) == x).all() and type(model.predict(x)) is np.ndarray
    assert model.predict(x[:0]).shape == (0, 1)
    assert (model.predict_on_batch(x) == x).all()
    lazy = Sequential([Dense(3)])
    assert lazy.predict(np.ones((0, 2))).shape == (0, 3)


def test_single_batches():
    x, y = column(4)
    model = mean_model(loss="mse", metrics=["mae"])
    assert model.train_on_batch(x, y) == pytest.approx([3.5, 1.5])
    assert model.train_on_batch(x[:1], y[:1], return_dict=True) == {"loss": 0.0, "mae": 0.0}
    assert model.test_on_batch(x, y) == pytest.approx([3.5, 1.5])
    assert mean_model().train_on_batch(x, y) == 1.5
    assert model.optimizer.iterations.numpy() == 2


def blobs(rows=300, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    return rng.normal(size=(rows, 8)) + 2.5 * np.eye(classes, 8)[y], y


def network(seed=5):
    nn.set_random_seed(seed)
    model = Sequential([Input((8,)), Dense(16, activation="relu"), Dropout(0.3), Dense(3, activation="softmax")])
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_it_learns():
    x, y = blobs()
    history = network().fit(x, y, epochs=12, validation_split=0.2, verbose=0)
    assert history.history["val_accuracy"][-1] > 0.9
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]


def test_the_same_seed_gives_the_same_run_bit_for_bit():
    x, y = blobs()
    runs = []
    for _ in range(2):
        model = network()
        history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=0)
        runs.append((history.history, [w.tobytes() for w in model.get_weights()]))
    assert runs[0] == runs[1]
    other = network(6)
    other.fit(x, y, epochs=3, verbose=0)
    assert [w.tobytes() for w in other.get_weights()] != runs[0][1]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_the_training_step_is_one_graph(optimizer):
    x, y = blobs(32)
    x = x.astype("f")

    def run(traced):
        model = network()
        model.layers[0].regularizers[model.layers[0].kernel] = nn.regularizers.L2(0.01)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", "zero_one_loss"])
        steps = model.steps
        steps.settle()
        steps.prepare()
        count = steps.optimizer.iterations

        def step(x, y):
            steps.train_step(x, y, None)
            return steps.loss_tracker.result()

        graph = gn.trace(step, x, y) if traced else None
        for _ in range(3):
            if graph is not None:
                graph(x, y)
            else:
                step(gn.tensor(x), gn.tensor(y))
        return model.get_weights(), steps.logs(), int(count.numpy())

    (eager, logs, n), (graph, traced_logs, m) = run(False), run(True)
    assert n == m == 3
    assert logs == pytest.approx(traced_logs, rel=1e-5)
    for a, b in zip(eager, graph, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


def test_frozen_layers_stay_as_they_are():
    x, y = blobs(64)
    model = network()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    after = model.get_weights()
    assert (before[0] == after[0]).all() and (before[2] != after[2]).any()
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 2


def test_memory_is_flat_over_many_steps():
    x, y = blobs(32)
    model = network()
    for _ in range(50):
        model.train_on_batch(x, y)
        model.predict(x)
    # Until native code is ready there is a compiler at work beside.
    model.steps.train.compiled.plan.wait()
    model._predictor.compiled.plan.wait()
    gc.collect()
    settled()
    tracemalloc.start()
    for _ in range(300):
        model.train_on_batch(x, y)
        model.predict(x)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000


def test_interrupt_keeps_weights_and_closes_callbacks():
    class Press(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGINT)

    seen = Recorder()
    x, y = column(10)
    model = mean_model(0.1, loss="mse")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=2, epochs=3, verbose=0, callbacks=[Press(), seen])
    assert seen.calls[-2:] == ["train_batch_end", "train_end"] and seen.calls.count("train_batch_end") == 3
    assert model.optimizer.iterations.numpy() == 3
    assert signal.getsignal(signal.SIGINT) is before
    assert np.isfinite(model.get_weights()[0]).all() and model.get_weights()[0] != 1
    model.fit(x, y, verbose=0)


def test_interrupt_raised_by_a_callback():
    class Raise(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    seen = Recorder()
    x, y = column(4)
    with pytest.raises(KeyboardInterrupt):
        mean_model().fit(x, y, epochs=3, verbose=0, callbacks=[Raise(), seen])
    assert seen.calls[-1] == "train_end"


def test_penalties_are_part_of_every_reported_loss():
    x, y = column(4)
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones", kernel_regularizer=nn.regularizers.L1(2.0))])
    model.compile(optimizers.SGD(0.0), first, metrics=[first])
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": 3.5, "first": 1.5}
    history = model.fit(x, y, validation_data=(x, y), verbose=0)
    assert history.history == {"first": [1.5], "loss": [3.5], "val_first": [1.5], "val_loss": [3.5]}


def test_layers_added_after_training_learn_too():
    model = Sequential([Input((1,)), Dense(2)])
    model.compile("sgd", "mse")
    x = np.ones((4, 1))
    model.fit(x, np.ones((4, 2)), verbose=0)
    model.add(Dense(1))
    before = model.get_weights()
    model.fit(x, 5 * np.ones((4, 1)), verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    model.pop()
    model.fit(x, np.ones((4, 2)), verbose=0)


def test_a_model_can_be_copied():
    import copy
    import pickle

    x, y = blobs(64)
    model = network()
    model.fit(x, y, verbose=0)
    for copied in (copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
        other = copied(model)
        assert (other.predict(x) == model.predict(x)).all()
        assert other.train_on_batch(x, y) == model.train_on_batch(x, y)
        assert (other.predict(x) == model.predict(x)).all()
        other.set_weights([w + 1 for w in other.get_weights()])
        assert (other.predict(x) != model.predict(x)).any()
