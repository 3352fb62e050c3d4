"""What a loss or a layer takes out of the graph in a training step: an error instead of a part of the gradient."""

import threading

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3)).astype(np.float32)
Y = X @ np.float32([[1], [2], [3]])

LOSSES = {
    "float": lambda t, p: gn.mean((t - p) ** 2) * float(gn.sum(p)),
    "item": lambda t, p: gn.mean((t - p) ** 2) / gn.std(p).item(),
    "array": lambda t, p: gn.tensor(np.asarray(p)).mean() + gn.mean((t - p) ** 2),
    "numpy": lambda t, p: gn.mean((t - p) ** 2) + p.numpy().mean(),
}


def fitted(loss="mse", *more, eager=False, kind=nn.Sequential):
    model = nn.Sequential([nn.Input((3,)), *more, layers.Dense(1)])
    model.compile("sgd", loss, run_eagerly=eager)
    before = model.get_weights()
    try:
        model.fit(X, Y, epochs=2, verbose=0)
    finally:
        model.changed = any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
        fitted.last = model
    return model


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_that_loses_a_part_of_its_gradient(loss, eager):
    with pytest.raises(TypeError, match=r"takes a tensor out of the graph.*the training of 'sequential"):
        fitted(loss, eager=eager)
    assert not fitted.last.changed


def test_a_layer_that_loses_a_part_of_its_gradient():
    class Scaled(layers.Layer):
        def call(self, x):
            return x if x.is_symbolic else x / float(gn.std(x))

    with pytest.raises(TypeError, match=r"float\(\) takes a tensor out of the graph"):
        fitted("mse", layers.Dense(3), Scaled())
    # Behind what does not depend on the weights nothing is lost, nor in a prediction.
    model = fitted("mse", Scaled(), eager=True)
    assert model.changed and model.predict(X, verbose=0).shape == (96, 1)


def test_the_loss_of_a_training_step_of_ones_own():
    class Own(nn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            loss = self.compute_loss(x, y, self(x, training=True))
            self.optimizer.apply(gn.gradients(loss, self.trainable_weights))
            return {"loss": float(loss)}

    with pytest.raises(TypeError, match="takes a tensor out of the graph"):
        model = Own()
        model.compile("sgd", LOSSES["float"])
        model.fit(X, Y, verbose=0)
    # After the gradient is taken, numbers for the logs may be taken.
    model = Own()
    model.compile("sgd", "mse", run_eagerly=True)
    losses = model.fit(X, Y, epochs=9, batch_size=96, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_what_is_meant_to_have_no_gradient_and_what_is_only_looked_at():
    seen = []

    def loss(t, p):
        value = gn.mean((t - p) ** 2)
        seen.append((float(value.detach()), f"{value:.3f}", repr(p)))
        return value * float(gn.stop_gradient(gn.mean(p * 0 + 2)))

    def metric(t, p):
        return np.float32(np.abs(np.asarray(t) - np.asarray(p)).mean())

    model = nn.Sequential([nn.Input((3,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("sgd", loss, metrics=[metric], run_eagerly=True)
    logs = model.fit(X, Y, epochs=1, batch_size=96, verbose=0).history
    assert logs["loss"][0] == pytest.approx(2 * seen[0][0], rel=1e-5)
    assert logs["metric"][0] > 0


def test_a_model_may_be_used_on_another_thread_while_it_trains():
    found = []

    class Asking(layers.Layer):
        def call(self, x, training=False):
            if training and not x.is_symbolic:
                thread = threading.Thread(target=lambda: found.append(float(gn.sum(model.layers[-1].kernel * 2.0))))
                thread.start()
                thread.join()
            return x

    model = nn.Sequential([nn.Input((3,)), Asking(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    expected = 2 * model.layers[-1].kernel.numpy().sum()
    model.fit(X, Y, batch_size=96, verbose=0)
    assert found == [pytest.approx(expected, rel=1e-5)]
