"""Fifty steps of training eagerly, as a NumPy plan and as native code: the same losses, weights and dropout masks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from backends import BACKENDS, NEEDS_LLVM, each_backend, settled

import graphnet as gn
from graphnet import nn
from graphnet.nn.layers.core import dropped
from graphnet.plans import takeover


class Normalised(nn.Layer):
    """Each row with mean 0 and variance 1, scaled and moved by weights."""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", (input_shape[-1],), "ones")
        self.shift = self.add_weight("shift", (input_shape[-1],), "zeros")

    def call(self, x):
        away = x - gn.mean(x, axis=-1, keepdims=True)
        return away / gn.sqrt(gn.mean(away * away, axis=-1, keepdims=True) + 1e-3) * self.scale + self.shift


OPTIMIZERS = {
    "sgd": lambda: nn.optimizers.SGD(0.1),
    "nesterov": lambda: nn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda: nn.optimizers.RMSprop(0.003),
    "centered": lambda: nn.optimizers.RMSprop(0.002, centered=True, momentum=0.5, epsilon=1e-3),
    "adam": lambda: nn.optimizers.Adam(0.01),
    "amsgrad": lambda: nn.optimizers.Adam(0.01, amsgrad=True, clipvalue=0.05),
    "adamw": lambda: nn.optimizers.AdamW(0.01, clipnorm=0.5),
    "schedule": lambda: nn.optimizers.SGD(
        lambda step: 0.2 / (1.0 + 0.1 * step), global_clipnorm=0.5, weight_decay=0.01
    ),
}
PENALTIES = {"none": None, "l1": nn.regularizers.L1(1e-3), "l2": nn.regularizers.L2(1e-2)}
WEIGHTS = ("none", "class", "sample")
CASES = [(name, penalty, "none") for name in ("sgd", "adam") for penalty in PENALTIES]
CASES += [
    (name, list(PENALTIES)[n % 3], WEIGHTS[(n + n // 3) % 3]) for n, name in enumerate(OPTIMIZERS) if name != "sgd"
]
CASES += [("sgd", "l2", "class"), ("sgd", "l1", "sample")]


def trained(how, optimizer, penalty, weights, monkeypatch):
    """The losses of fifty steps, and the weights after them."""
    monkeypatch.setenv("GRAPHNET_NATIVE", "1" if how == "native" else "0")
    nn.set_random_seed(11)
    rng = np.random.default_rng(3)
    model = nn.Sequential(
        [
            nn.Input((9,)),
            nn.Dense(12, activation="tanh", kernel_regularizer=PENALTIES[penalty]),
            Normalised(),
            nn.Dropout(0.25),
            nn.Dense(7, use_bias=False),
            nn.Activation("softplus"),
            nn.Dense(4, activation="softmax", bias_regularizer=PENALTIES[penalty]),
        ]
    )
    model.compile(
        OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=how == "eager"
    )
    losses = []
    for _ in range(50):
        x, y = rng.standard_normal((13, 9)).astype("float32"), rng.integers(0, 4, 13)
        more = {
            "none": {},
            "class": {"class_weight": {0: 0.5, 1: 2.0, 2: 0.0, 3: 1.0}},
            "sample": {"sample_weight": rng.random(13)},
        }[weights]
        losses.append(model.train_on_batch(x, y, **more)[0])
    if how != "eager":
        assert model.steps.train.compiled.plan.backend == how
    return losses, model.get_weights() + [v.numpy() for v in model.steps.optimizer.variables]


@each_backend
@pytest.mark.parametrize(("optimizer", "penalty", "weights"), CASES, ids=["-".join(c) for c in CASES])
def test_fifty_steps(optimizer, penalty, weights, backend, monkeypatch):
    expected, expected_weights = trained("eager", optimizer, penalty, weights, monkeypatch)
    found, found_weights = trained(backend, optimizer, penalty, weights, monkeypatch)
    assert expected[-1] != expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for one, other in zip(found_weights, expected_weights, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5)


@each_backend
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_masks_are_the_same_bits(dtype, backend):
    shapes = [(5, 7), (1, 9), (3, 1, 5), (2, 3, 4), (11,), (64, 33)]
    xs = [np.ones(s, dtype) for s in shapes]
    keys = [0, 7, 2**61 + 5, 12345678901234, -3, 1]

    def step(iteration, *xs):
        made = [dropped(x, 0.4, iteration + k) for x, k in zip(xs, keys, strict=True)]
        made.append(dropped(xs[3], 0.5, iteration, noise_shape=(None, 1, None)))
        # One mask in two places, and in a reduction.
        return [*made, gn.sum(made[0] * 2.0, axis=1), gn.sum(made[3], axis=0)]

    graph = gn.trace(step, np.int64(0), *xs)
    plan = graph.compile(backend=backend)
    for iteration in (0, 1, 50, 2**62):
        values = (np.array(iteration), *xs)
        with gn.no_grad():
            eager = step(gn.tensor(np.int64(iteration)), *map(gn.tensor, xs))
        for place, (found, other, plain) in enumerate(zip(plan(*values), graph(*values), eager, strict=True)):
            # The sums at the end may be added up in another order.
            rtol = 0 if place < len(eager) - 2 else 1e-6 if dtype == "float32" else 1e-14
            np.testing.assert_allclose(found.numpy(), plain.numpy(), rtol=rtol)
            np.testing.assert_allclose(found.numpy(), other.numpy(), rtol=rtol)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_step_allocates_nothing_of_size(backend, monkeypatch):
    monkeypatch.setenv("GRAPHNET_NATIVE", "1" if backend == "native" else "0")
    model = nn.Sequential([nn.Input((200,)), nn.Dense(300, "relu"), nn.Dropout(0.5), nn.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.ones((64, 200), "float32"), np.zeros(64, "int64")
    for _ in range(10):
        model.train_on_batch(x, y)
    model.plan.wait()
    steps = model.steps
    steps.train(x, y, None)
    settled()
    assert model.plan.backend == backend
    tracemalloc.start()
    try:
        for _ in range(5):
            steps.train(x, y, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (30_000 if backend == "native" else 60_000)


def test_dtypes_are_numpys_own_objects():
    """NumPy copies an operand of what is computed in place, where the dtypes are equal and not the same object."""
    own = np.dtype("float32")
    other = own.newbyteorder("=")  # as a pickle has it
    assert other == own and other is not own
    for dtype in (own, other, ">f4", "<f4", np.float32):
        x = gn.input((2,), dtype)
        assert x.dtype is own and gn.exp(x).dtype is own and gn.astype(gn.input((2,), "int64"), dtype).dtype is own
    assert gn.tensor(np.ones(2, ">f4")).dtype is own


@NEEDS_LLVM
def test_the_same_seed_gives_the_same_bits_across_the_change_to_native_code(monkeypatch):
    monkeypatch.delenv("GRAPHNET_NATIVE", raising=False)
    monkeypatch.setattr(takeover, "TAKEOVER", 0.0)
    x, y = np.random.default_rng(0).normal(size=(200, 6)), np.arange(200) % 3
    before, runs = gn.repeatable(False), []
    try:
        for _ in range(2):
            nn.set_random_seed(5)
            model = nn.Sequential([nn.Dense(7, activation="tanh"), nn.Dropout(0.2), nn.Dense(3, activation="softmax")])
            model.compile("adam", "sparse_categorical_crossentropy")
            model.fit(x, y, batch_size=10, epochs=3, verbose=0)
            (plan,) = model.steps.train._plans.values()
            runs.append((plan.backend, *model.get_weights()))
    finally:
        gn.repeatable(before)
    (first, *ours), (second, *others) = runs
    assert first == second == "native"
    for one, other in zip(ours, others, strict=True):
        np.testing.assert_array_equal(one, other)
