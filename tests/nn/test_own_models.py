"""Models with methods of their own, called as Keras calls them; losses that layers add; optimizers and `trainable`."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import optimizers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 24)


def made(cls, *args, **kwargs):
    model = cls([nn.Input((4,)), nn.Dense(3)])
    model.compile("sgd", *args, **kwargs)
    return model


class WithAll(nn.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return gn.mean(gn.square(y_pred))


class WithoutTraining(nn.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return gn.mean(gn.square(y_pred))


class WithoutWeights(nn.Sequential):
    def compute_loss(self, x, y, y_pred):
        return gn.mean(gn.square(y_pred))


class ByOtherNames(nn.Sequential):
    def compute_loss(self, inputs, targets, outputs, weights, training):
        assert training in (True, False)
        return gn.mean(gn.square(outputs))


class ByKeywords(nn.Sequential):
    def compute_loss(self, *, y_pred, **rest):
        assert {"training"} == set(rest)
        return gn.mean(gn.square(y_pred))


class ByArgs(nn.Sequential):
    def compute_loss(self, *args, **kwargs):
        assert len(args) == 4
        return gn.mean(gn.square(args[2]))


class Above(nn.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred, sample_weight, training) + gn.mean(gn.square(y_pred))


OWN = [WithAll, WithoutTraining, WithoutWeights, ByOtherNames, ByKeywords, ByArgs, Above]


@pytest.mark.parametrize("cls", OWN)
@pytest.mark.parametrize("y", [None, LABELS, X[:, :3]], ids=["no y", "labels", "numbers"])
def test_compute_loss_as_written(cls, y):
    model = made(cls)
    right = float(np.mean(model.predict(X) ** 2))
    assert model.evaluate(X, y, batch_size=24, verbose=0) == pytest.approx(right, rel=1e-5)
    assert model.test_on_batch(X, y) == pytest.approx(right, rel=1e-5)
    assert model.train_on_batch(X, y) == pytest.approx(right, rel=1e-5)
    losses = model.fit(X, y, batch_size=2, epochs=2, verbose=0).history["loss"]  # compiled after some batches
    assert losses[1] < losses[0] < right


@pytest.mark.parametrize("cls", OWN[:-1])
def test_a_loss_that_is_not_used_is_not_checked(cls):
    model = made(cls, "categorical_crossentropy")
    model.fit(X, LABELS + 7, validation_data=(X, LABELS), verbose=0)


def test_metrics_beside_a_compute_loss():
    model = made(WithAll, metrics=[nn.metrics.SparseCategoricalAccuracy(name="acc")])
    history = model.fit(X, LABELS, epochs=2, verbose=0, validation_data=(X, LABELS)).history
    assert sorted(history) == ["acc", "loss", "val_acc", "val_loss"]
    with pytest.raises(ValueError, match=r"targets are missing.*metric 'acc'"):
        model.fit(X, verbose=0)


def test_weights_need_an_argument():
    with pytest.raises(ValueError, match="takes no sample_weight"):
        made(WithoutWeights).train_on_batch(X, LABELS, sample_weight=np.ones(24))


@pytest.mark.parametrize(
    "give, text",
    [
        (lambda y: 0.5, "0.5 .float., which is not computed from the weights"),
        (lambda y: np.float32(1), "not computed from the weights"),
        (lambda y: None, "gave None"),
        (lambda y: gn.square(y), r"loss of shape \(24, 3\)"),
        (lambda y: gn.mean(gn.stop_gradient(y)), "does not depend on its weights"),
        (lambda y: gn.mean(y.detach()), "does not depend on its weights"),
    ],
)
def test_a_loss_that_trains_nothing_is_refused(give, text):
    class Odd(nn.Sequential):
        def compute_loss(self, x, y, y_pred, sample_weight=None):
            return give(y_pred)

    model = made(Odd)
    before = model.get_weights()
    with pytest.raises(ValueError, match=text):
        model.fit(X, LABELS, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.optimizer.iterations.numpy()) == 0


def test_a_loss_function_that_is_a_number_is_refused():
    model = made(nn.Sequential, lambda t, p: gn.tensor(1.0))
    with pytest.raises(ValueError, match="does not depend on its weights"):
        model.fit(X, X[:, :3], verbose=0)


class Added(nn.Layer):
    def call(self, x):
        self.add_loss(0.25 * gn.mean(gn.square(x)))
        return x


def with_added(**kwargs):
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3), Added(), nn.Dense(3)])
    model.compile(optimizers.SGD(0.1), **kwargs)
    return model


def test_what_layers_add_is_the_loss():
    model = with_added()
    hidden = X @ model.get_weights()[0]
    assert model.evaluate(X, verbose=0) == pytest.approx(0.25 * np.mean(hidden**2), rel=1e-4)
    assert model.evaluate(X, X[:, :3], verbose=0) == pytest.approx(0.25 * np.mean(hidden**2), rel=1e-4)
    losses = model.fit(X, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.loss is None
    both = with_added(loss="mse")
    mse = np.mean((both.predict(X) - X[:, :3]) ** 2)
    hidden = X @ both.get_weights()[0]
    assert both.evaluate(X, X[:, :3], verbose=0) == pytest.approx(mse + 0.25 * np.mean(hidden**2), rel=1e-4)


def test_penalties_are_no_loss():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activity_regularizer="l2", kernel_regularizer="l2")])
    model.compile("sgd")
    with pytest.raises(ValueError, match="targets are missing"):
        model.fit(X, verbose=0)
    model.fit(X, X[:, :3], verbose=0)
    assert model.loss.name == "mean_squared_error"


def test_what_is_added_of_data_alone_warns():
    model = nn.Sequential([nn.Input((4,)), Added(), nn.Dense(3)])
    model.compile("sgd")
    with pytest.warns(UserWarning, match="does not depend on its weights"):
        model.fit(X, verbose=0)


@pytest.mark.parametrize("eager", [True, False])
def test_train_step_is_handed_data_as_in_keras(eager):
    seen = []

    class Steps(nn.Sequential):
        def train_step(self, data):
            seen.append(tuple(t.shape for t in data) if isinstance(data, tuple) else data.shape)
            x = data[0] if isinstance(data, tuple) else data
            loss = gn.mean(gn.square(self(x, training=True)))
            self.optimizer.apply(gn.gradients(loss, self.trainable_weights), self.trainable_weights)
            return {"loss": loss, "more": 1.0}

        def test_step(self, data):
            return {"loss": gn.mean(self(data[0] if isinstance(data, tuple) else data))}

    def fitted(*args, **kwargs):
        model = made(Steps, run_eagerly=eager)
        seen.clear()
        model.fit(*args, batch_size=24, epochs=2, verbose=0, **kwargs)
        assert sorted(model.history.history) == ["loss", "more"] and model.history.history["more"] == [1, 1]
        return seen[-1]

    assert fitted(X) == (24, 4)
    assert fitted(X, LABELS) == ((24, 4), (24,))
    assert fitted(X, np.arange(48).reshape(24, 2), sample_weight=np.ones(24)) == ((24, 4), (24, 2), (24,))
    model = made(Steps, run_eagerly=eager)
    model.fit((X[i : i + 8] for i in range(0, 24, 8)), steps_per_epoch=3, verbose=0)
    assert model.evaluate(X, verbose=0) == pytest.approx(float(model.predict(X).mean()), abs=1e-5)


def test_the_step_of_the_guides():
    """Keras' guide "Customizing what happens in fit": metrics in a loop, a property `metrics`."""

    class Guide(nn.Model):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(1)
            self.tracker, self.mae = nn.metrics.Mean(name="loss"), nn.metrics.MeanAbsoluteError(name="mae")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = gn.mean(gn.square(y - y_pred))
            self.optimizer.apply_gradients(
                zip(gn.gradients(loss, self.trainable_variables), self.trainable_variables, strict=True)
            )
            self.tracker.update_state(loss)
            self.mae.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        @property
        def metrics(self):
            return [self.tracker, self.mae]

    model = Guide()
    model.compile(optimizer=optimizers.SGD(0.0))
    first = model.fit(X, X[:, :1], batch_size=8, epochs=2, verbose=0).history
    assert first["loss"][0] == pytest.approx(first["loss"][1], rel=1e-5)  # reset at each epoch
    assert first["mae"][0] == pytest.approx(np.abs(X[:, :1] - model.predict(X)).mean(), rel=1e-5)


def test_reset_metrics_and_get_metrics_result_are_called():
    calls = []

    class Own(nn.Sequential):
        def reset_metrics(self):
            calls.append("reset")
            super().reset_metrics()

        def get_metrics_result(self):
            return {**super().get_metrics_result(), "extra": gn.tensor(7.0)}

    model = made(Own, "mse", metrics=["mae"])
    history = model.fit(X, X[:, :3], epochs=3, verbose=0).history
    assert len(calls) == 3 and history["extra"] == [7, 7, 7] and sorted(history) == ["extra", "loss", "mae"]
    assert model.evaluate(X, X[:, :3], verbose=0, return_dict=True)["extra"] == 7


def test_compute_metrics_as_written():
    class Own(nn.Sequential):
        def compute_metrics(self, x, y, y_pred):
            return {**super().compute_metrics(x, y, y_pred), "rows": float(y_pred.shape[0])}

    history = made(Own, "mse", metrics=["mae"]).fit(X, X[:, :3], batch_size=24, verbose=0).history
    assert sorted(history) == ["loss", "mae", "rows"] and history["rows"] == [24]


def test_predict_step_of_its_own():
    class Own(nn.Sequential):
        def predict_step(self, data):
            return 2 * self(data, training=False)

    plain = made(nn.Sequential, "mse")
    own = made(Own, "mse")
    own.set_weights(plain.get_weights())
    assert np.allclose(own.predict(X), 2 * plain.predict(X))
    assert np.allclose(own.predict_on_batch(X), 2 * plain.predict(X))
    assert np.allclose(own.make_predict_function()(X), 2 * plain.predict(X))


def test_a_model_without_call():
    class Pair(nn.Model):
        def __init__(self):
            super().__init__()
            self.d, self.g = nn.Sequential([nn.Input((4,)), nn.Dense(1)]), nn.Sequential([nn.Input((2,)), nn.Dense(4)])

        def compile(self, d_optimizer, g_optimizer):
            super().compile()
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

        def train_step(self, real):
            fake = self.g(gn.ones((real.shape[0], 2)))
            d_loss = gn.mean(gn.square(self.d(real) - 1)) + gn.mean(gn.square(self.d(gn.stop_gradient(fake))))
            weights = self.d.trainable_weights
            self.d_optimizer.apply(gn.gradients(d_loss, weights), weights)
            g_loss = gn.mean(gn.square(self.d(fake) - 1))
            weights = self.g.trainable_weights
            self.g_optimizer.apply(gn.gradients(g_loss, weights), weights)
            return {"d_loss": d_loss, "g_loss": g_loss}

    model = Pair()
    model.compile(optimizers.SGD(0.05), optimizers.Adam(0.01))
    before = model.get_weights()
    history = model.fit(X, epochs=3, batch_size=4, verbose=0).history  # eager, then compiled
    assert sorted(history) == ["d_loss", "g_loss"] and not model.steps.run_eagerly
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_trainable_is_read_at_compile():
    def parts():
        d = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
        d.compile(optimizers.SGD(0.1), "mse")
        d.trainable = False
        g = nn.Sequential([nn.Input((4,)), nn.Dense(3)])
        both = nn.Sequential([nn.Input((4,)), g, d])
        both.compile(optimizers.SGD(0.1), "mse")
        return d, g, both

    d, g, both = parts()
    for _ in range(12):  # eager, then compiled
        before = [m.get_weights()[0] for m in (d, g)]
        d.train_on_batch(X[:, :3], X[:, :1])
        after = [m.get_weights()[0] for m in (d, g)]
        assert (before[0] != after[0]).all() and (before[1] == after[1]).all()
        both.train_on_batch(X, X[:, :1])
        last = [m.get_weights()[0] for m in (d, g)]
        assert (last[0] == after[0]).all() and (last[1] != after[1]).all()
    d.compile("sgd", "mse")
    with pytest.raises(ValueError, match="not trainable when compile was called"):
        d.fit(X[:, :3], X[:, :1], verbose=0)
    frozen = nn.Sequential([nn.Input((4,)), nn.Dense(3, trainable=False), nn.Dense(1)])
    frozen.compile("sgd", "mse")
    frozen.layers[0].trainable = True
    kernel = frozen.get_weights()[0]
    frozen.fit(X, X[:, :1], verbose=0)
    assert (kernel == frozen.get_weights()[0]).all()


def test_an_optimizer_has_one_model():
    adam = optimizers.Adam()
    first, second = (nn.Sequential([nn.Input((4,)), nn.Dense(1)], name=name) for name in ("first", "second"))
    first.compile(adam, "mse")
    first.compile(adam, "mse")
    with pytest.raises(ValueError, match=r"trains 'first'.*Give 'second' one of its own, as in Adam"):
        second.compile(adam, "mse")
    assert second.optimizer is None
    for copied in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        copied.compile(copied.optimizer, "mse")
    first.compile("sgd", "mse")
    second.compile(adam, "mse")
    del first
    third = nn.Sequential([nn.Input((4,)), nn.Dense(1)])
    del second
    third.compile(adam, "mse")
    third.fit(X, X[:, :1], verbose=0)


def test_properties():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3)])
    assert not model.compiled and not model.run_eagerly
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.compiled and model.run_eagerly and not model.jit_compile
    model.run_eagerly = False
    assert model.jit_compile
    model.fit(X, X[:, :3], batch_size=2, verbose=0)
    assert not model.steps.run_eagerly
    assert [t.shape for t in model.inputs] == [(None, 4)] and [t.shape for t in model.outputs] == [(None, 3)]
    assert nn.Sequential([nn.Dense(3)]).inputs is None


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        ((X, X), X[:, :1], "x is a tuple of 2, and .* is a Sequential, which takes one array"),
        ([X, X], X[:, :1], "x is a list of 2, and .* is a Sequential, which takes one array"),
        ([X[:, 0], X[:, 1]], X[:, :1], "x is a list of 2, and .* is a Sequential, which takes one array"),
        ({"a": X}, X[:, :1], "x is a dict with the keys 'a', and .* which takes one array"),
        (
            X,
            {"a": X},
            "y is a dict with the keys 'a', .* gives one tensor: give one array",
        ),
        (X, [X[:, :1], X[:, :1]], "y is a list of 2, for one output. .* gives one tensor: give one array"),
    ],
)
def test_a_sequential_takes_one_array(x, y, text):
    for use in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(TypeError, match=text):
            getattr(made(nn.Sequential, "mse"), use)(x, y)


def test_a_sequential_takes_rows_in_a_list():
    model = nn.Sequential([nn.Dense(1)])
    model.compile("sgd", "mse")
    model.fit([X[0], X[1]], [1.0, 2.0], verbose=0)  # rows in a list


def test_no_method_of_a_plain_model_counts_as_its_own():
    steps = made(nn.Sequential, "mse").steps
    names = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "reset_metrics")
    for name in (*names, "get_metrics_result", "metrics"):
        assert not steps.owns(name), name


def test_no_warning_without_need():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(WithAll).fit(X, verbose=0)
        made(nn.Sequential, "mse").fit(X, X[:, :3], verbose=0)
