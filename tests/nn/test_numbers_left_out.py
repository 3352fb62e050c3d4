"""NaN and infinity in data, and what a model's end gives: refused or named unless the model copes with it."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 3))).astype("float32")
HOLES = np.where(RNG.random(Y.shape) < 0.5, np.float32(np.nan), Y)


def without_nan(t, p):
    known = gn.isfinite(t)
    return gn.sum(gn.where(known, gn.square(gn.where(known, t, 0.0) - p), 0.0), axis=-1)


class Fill(nn.Layer):
    def call(self, x):
        return gn.where(gn.isnan(x), 0.0, x)


def made(*layers, loss="mse", **kwargs):
    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((4,)), *layers])
    model.compile(nn.optimizers.Adam(0.05), loss, **kwargs)
    return model


def with_bad(x, value):
    x = x.copy()
    x[3, 2] = value
    return x


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
@pytest.mark.parametrize(
    "call",
    [
        lambda m, x, y: m.fit(x, y, verbose=0),
        lambda m, x, y: m.fit(X, Y, validation_data=(x, y), verbose=0),
        lambda m, x, y: m.fit(iter([(x, y)]), verbose=0),
        lambda m, x, y: m.evaluate(x, y, verbose=0),
        lambda m, x, y: m.train_on_batch(x, y),
        lambda m, x, y: m.test_on_batch(x, y),
    ],
    ids=["fit", "validation", "generator", "evaluate", "train_on_batch", "test_on_batch"],
)
def test_refused(value, where, call):
    model = made(nn.Dense(4, activation="sigmoid"), nn.BatchNormalization(), nn.Dense(3))
    x, y = (with_bad(X, value), Y) if where == "x" else (X, with_bad(Y, value))
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"{where}\[3, 2\]: it is {value}.*check_finite=False"):
        call(model, x, y)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_of_0_allows_anything_in_its_row(value):
    w = np.ones(48, "float32")
    w[3] = 0
    model, right = (made(nn.Dense(3), weighted_metrics=["mae"]) for _ in range(2))
    x, y = with_bad(X, value), with_bad(Y, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = model.evaluate(x, y, sample_weight=w, verbose=0)
    assert got == pytest.approx(right.evaluate(X, Y, sample_weight=w, verbose=0), rel=1e-5)
    a = model.fit(x, y, sample_weight=w, epochs=12, shuffle=False, batch_size=16, verbose=0).history
    b = right.fit(X, Y, sample_weight=w, epochs=12, shuffle=False, batch_size=16, verbose=0).history
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-4) and a["mae"] == pytest.approx(b["mae"], rel=1e-4)
    for p, q in zip(model.get_weights(), right.get_weights(), strict=True):
        assert np.allclose(p, q, atol=1e-5)


def test_labels_of_weight_0_are_not_looked_at():
    labels = np.zeros(48, "float32")
    labels[3] = np.nan
    w = np.ones(48)
    w[3] = 0
    model = made(nn.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(X, labels, sample_weight=w, verbose=0).history["loss"]).all()
    with pytest.raises(ValueError, match="it is nan"):
        model.fit(X, labels, verbose=0)


@pytest.mark.parametrize("feed", ["arrays", "generator", "batches"])
def test_a_loss_of_ones_own_that_leaves_them_out(feed):
    model = made(nn.Dense(3), loss=without_nan)
    if feed == "arrays":
        losses = model.fit(X, HOLES, epochs=30, verbose=0).history["loss"]
        assert losses[-1] < 0.3 * losses[0]
    elif feed == "generator":
        model.fit(((X[i : i + 16], HOLES[i : i + 16]) for i in (0, 16, 32)), verbose=0)
    else:
        assert np.isfinite(model.train_on_batch(X, HOLES)) and np.isfinite(model.test_on_batch(X, HOLES))
    assert np.isfinite(model.evaluate(X, HOLES, verbose=0))


def test_a_loss_of_ones_own_that_does_not():
    with pytest.raises(ValueError, match="are NaN or infinite"):
        made(nn.Dense(3), loss=lambda t, p: gn.square(t - p)).fit(X, HOLES, verbose=0)


def test_a_model_that_fills_them():
    made(Fill(), nn.Dense(3)).fit(with_bad(X, np.nan), Y, verbose=0)
    with pytest.raises(ValueError, match="it is inf"):
        made(Fill(), nn.Dense(3)).fit(with_bad(X, np.inf), Y, verbose=0)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_masked_steps(value):
    x = RNG.normal(size=(8, 5, 2)).astype("float32")
    x[:, 3:] = value
    for layers in ([nn.LSTM(3)], [nn.GRU(3, return_sequences=True), nn.BatchNormalization(), nn.SimpleRNN(2)]):
        model = nn.Sequential([nn.Input((5, 2)), nn.Masking(value), *layers, nn.Dense(1)])
        model.compile("sgd", "mse")
        assert np.isfinite(model.fit(x, np.ones(8), epochs=2, batch_size=2, verbose=0).history["loss"]).all()
        short = model.predict(np.concatenate([x[:, :3], np.full((8, 2, 2), value, "float32")], 1))
        assert np.isfinite(short).all() and all(np.isfinite(w).all() for w in model.get_weights())
    x[0, 1, 0] = value  # a step of which one number is missing is not masked
    with pytest.raises(ValueError, match=r"x\[0, 1, 0\]"):
        model.fit(x, np.ones(8), verbose=0)


def test_a_trial_changes_nothing():
    model = nn.Sequential([nn.Input((5, 2)), nn.LSTM(3, stateful=True), nn.Dense(1)])
    model.compile("sgd", "mse")
    x = RNG.normal(size=(8, 5, 2)).astype("float32")
    model.predict(x)
    before = [t.numpy().copy() for t in model.layers[0]._state.tensors]
    x[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match="check_finite"):
        model.train_on_batch(x, np.ones(8))
    assert all((a == b.numpy()).all() for a, b in zip(before, model.layers[0]._state.tensors, strict=True))


def test_check_finite_false_takes_the_data_as_it_is():
    model = made(nn.Dense(3))
    y = with_bad(Y, np.nan)
    assert np.isnan(model.evaluate(X, y, verbose=0, check_finite=False))
    assert np.isnan(model.test_on_batch(X, y, check_finite=False))
    assert np.isnan(model.train_on_batch(X, y, check_finite=False))
    assert np.isnan(made(nn.Dense(3)).fit(iter([(X, y)]), verbose=0, check_finite=False).history["loss"][0])
    with pytest.raises(ValueError, match="sample_weight holds 48 values"):
        made(nn.Dense(3)).fit(X, Y, sample_weight=np.full(48, np.nan), verbose=0)


def test_predict_gives_what_comes_out():
    p = made(nn.Dense(3)).predict(with_bad(X, np.nan))
    assert np.isnan(p[3]).all() and np.isnan(p).sum() == 3


LABELS = RNG.integers(0, 3, 48)


@pytest.mark.parametrize(
    "layers, loss, y, text",
    [
        ([nn.Dense, 3], "sparse_categorical_crossentropy", LABELS, "activation='softmax'.*from_logits=True"),
        ([nn.Dense, 3], "crossentropy", LABELS, "activation='softmax'"),
        ([nn.Dense, 3, "tanh"], "categorical_crossentropy", np.eye(3)[LABELS], "activation='softmax'"),
        ([nn.Dense, 1], "binary_crossentropy", LABELS % 2, "activation='sigmoid'"),
        ([nn.Dense, 1], nn.losses.BinaryFocalCrossentropy(), LABELS % 2, "activation='sigmoid'"),
    ],
)
def test_a_forgotten_softmax_is_named(layers, loss, y, text):
    kind, *args = layers
    for call in ("fit", "evaluate", "train_on_batch"):
        model = made(kind(*args), loss=loss)
        with pytest.raises(ValueError, match=f"compares probabilities.*numbers from -.*{text}"):
            getattr(model, call)(X, y)


def test_what_gives_probabilities_is_not_complained_about():
    cases = [
        ([nn.Dense(3, "softmax")], "sparse_categorical_crossentropy"),
        ([nn.Dense(3), nn.Softmax()], "sparse_categorical_crossentropy"),
        ([nn.Dense(3), nn.Activation("softmax")], "sparse_categorical_crossentropy"),
        ([nn.Sequential([nn.Dense(3, "softmax")])], "sparse_categorical_crossentropy"),
        ([nn.Dense(3), nn.Lambda(lambda x: gn.exp(x) / gn.sum(gn.exp(x), -1, keepdims=True))], "crossentropy"),
        ([nn.Dense(3)], nn.losses.SparseCategoricalCrossentropy(from_logits=True)),
        ([nn.Dense(3, "sigmoid")], "sparse_categorical_crossentropy"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layers, loss in cases:
            made(*layers, loss=loss).fit(X, LABELS, verbose=0)
    with pytest.warns(UserWarning, match="applied twice"):
        made(nn.Dense(3, "softmax"), loss=cases[-2][1]).fit(X, LABELS, verbose=0)
    with pytest.warns(UserWarning, match="ends with activation 'relu'"):
        made(nn.Dense(3, "relu", kernel_initializer="zeros"), loss="cce").fit(X, np.eye(3)[LABELS], verbose=0)


@pytest.mark.parametrize("y", [LABELS, LABELS[:, None]])
def test_a_forgotten_flatten_is_named(y):
    for loss, last in (("sparse_categorical_crossentropy", nn.Dense(3, "softmax")), ("mse", nn.Dense(1))):
        model = nn.Sequential([nn.Input((2, 2)), last])
        model.compile("sgd", loss)
        with pytest.raises(ValueError, match=r"each of the 2 places of a row.*Flatten"):
            model.fit(X.reshape(48, 2, 2), y, verbose=0)


def test_a_classifier_without_a_softmax():
    pytest.importorskip("sklearn")
    rows, labels = X, np.array(["a", "b", "c"])[LABELS]

    def network(end, **kwargs):
        def make(n_features, n_outputs):
            model = nn.Sequential([nn.Input((n_features,)), nn.Dense(16, "relu"), nn.Dense(n_outputs, end)])
            if kwargs:
                model.compile("adam", **kwargs)
            return model

        return make

    scce = nn.losses.SparseCategoricalCrossentropy
    probabilities = {}
    for name, model in {
        "softmax": network("softmax"),
        "logits": network(None),
        "compiled": network(None, loss=scce(from_logits=True)),
        "sigmoid": network("sigmoid"),
    }.items():
        found = nn.GraphnetClassifier(model, epochs=5, random_state=0).fit(rows, labels)
        p = probabilities[name] = found.predict_proba(rows)
        assert np.allclose(p.sum(axis=1), 1, atol=1e-5) and (p >= 0).all()
        assert (found.predict(rows) == found.classes_[p.argmax(axis=1)]).all()
    assert np.allclose(probabilities["softmax"], probabilities["logits"], atol=1e-4)
    with pytest.raises(ValueError, match="compares probabilities"):
        nn.GraphnetClassifier(network(None, loss=scce()), epochs=5).fit(rows, labels)
