"""Runs of the real Keras 3.15.1 (JAX, float32) repeated: the same weights after 16 to 21 steps, the same logs."""

import numpy as np
import pytest

from graphnet.nn import Dense, Input, Sequential, optimizers, regularizers

RUNS = {
    "sgd": (lambda: optimizers.SGD(0.1), 41.87912475, 1.02516210, 1.05238044),
    "momentum": (lambda: optimizers.SGD(0.05, momentum=0.9), 39.92416027, 0.91585279, 1.00900507),
    "nesterov": (lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True), 39.70880170, 0.90755069, 1.00506949),
    "rmsprop": (lambda: optimizers.RMSprop(0.01), 38.89296102, 0.88443977, 1.00630069),
    "centered": (lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5), 38.29260235, 0.75939244, 0.99188405),
    "adam": (lambda: optimizers.Adam(0.01), 39.73275508, 0.92624593, 1.02867377),
    "amsgrad": (lambda: optimizers.Adam(0.01, amsgrad=True), 39.73279680, 0.92624807, 1.02867484),
    "adamw": (lambda: optimizers.AdamW(0.01), 39.70695144, 0.92609805, 1.02841413),
    "clipnorm": (lambda: optimizers.SGD(0.1, clipnorm=0.1), 42.81774256, 1.07509005, 1.07978630),
    "global_clipnorm": (lambda: optimizers.Adam(0.1, global_clipnorm=0.1), 45.33680510, 0.66527879, 1.06646574),
    "weight_decay": (
        lambda: optimizers.RMSprop(0.01, weight_decay=0.1, clipvalue=0.01),
        39.20171773,
        0.88462287,
        0.99099237,
    ),
}


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(96, 12)).astype("f"), rng.integers(5, size=96)
    weights = [rng.normal(size=s).astype("f") * 0.3 for s in [(12, 9), (9,), (9, 5), (5,)]]
    return x, y, weights, rng.random(96).astype("f")


def size(model):
    return sum(float(np.abs(w.astype("f8")).sum()) for w in model.get_weights())


@pytest.mark.parametrize("run", RUNS)
def test_optimizers_and_regularizers(run, made):
    make, total, loss, val_loss = RUNS[run]
    x, y, weights, sample_weight = made
    model = Sequential(
        [
            Input((12,)),
            Dense(9, activation="tanh", kernel_regularizer=regularizers.L2(0.01)),
            Dense(5, activation="softmax", bias_regularizer=regularizers.L1(0.01)),
        ]
    )
    model.set_weights(weights)
    model.compile(make(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = dict(batch_size=20, epochs=4, shuffle=False, verbose=0)
    history = model.fit(x, y, validation_split=0.2, sample_weight=sample_weight, **options).history
    assert size(model) == pytest.approx(total, rel=1e-5)
    assert history["loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert history["val_loss"][-1] == pytest.approx(val_loss, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "activation", "total", "value", "val_loss", "accuracy"),
    [
        ("mse", "linear", 42.47279710, 0.63679695, 0.38181710, 0.16666667),
        ("mae", "linear", 42.41283604, 0.60176349, 0.46951973, 0.17708333),
        ("binary_crossentropy", "sigmoid", 42.79491109, 0.81715721, 0.75264281, 0.16666667),
        ("categorical_crossentropy", "softmax", 43.10231765, 1.84727490, 1.58216547, 0.15625),
    ],
)
def test_losses(loss, activation, total, value, val_loss, accuracy, made):
    x, y, weights, _ = made
    one_hot = np.eye(5)[y]
    model = Sequential([Input((12,)), Dense(9, activation="relu"), Dense(5, activation=activation)])
    model.set_weights(weights)
    model.compile("adam", loss, metrics=["accuracy", "mse", "mae"])
    held = (x[:9], one_hot[:9])
    history = model.fit(x, one_hot, epochs=7, shuffle=False, verbose=0, validation_data=held).history
    assert size(model) == pytest.approx(total, rel=1e-5)
    assert history["loss"][-1] == pytest.approx(value, rel=1e-5)
    assert history["val_loss"][-1] == pytest.approx(val_loss, rel=1e-5)
    assert history["accuracy"][-1] == pytest.approx(accuracy, rel=1e-5)
