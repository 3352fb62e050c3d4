"""One training step of an embedding, an LSTM and one sigmoid unit, as each library's users would write it.

All start from the same weights and see the same batches in turns, with plain gradient descent. The loss is read after
each step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness import Contender
from benchmarks.networks import in_turns

WORDS, STEPS, BATCH, WIDTH, UNITS, RATE, BATCHES = 10_000, 80, 32, 64, 64, 0.1, 8


def weights() -> list[np.ndarray]:
    """In Keras' order: embeddings; kernel, recurrent kernel and bias of the LSTM; kernel and bias of the last unit."""
    rng = np.random.default_rng(1)

    def uniform(*shape: int) -> np.ndarray:
        limit = np.float32(np.sqrt(6 / sum(shape)))
        return (rng.random(shape, dtype=np.float32) * 2 - 1) * limit

    bias = np.repeat(np.float32([0, 1, 0, 0]), UNITS)
    table = rng.random((WORDS, WIDTH), dtype=np.float32) - np.float32(0.5)
    lstm = [uniform(WIDTH, 4 * UNITS), uniform(UNITS, 4 * UNITS), bias]
    return [table, *lstm, uniform(UNITS, 1), np.zeros(1, np.float32)]


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """Words by number, and a yes or no for each sequence."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, WORDS, (BATCH, STEPS)), rng.integers(0, 2, (BATCH, 1)).astype(np.float32))
        for _ in range(BATCHES)
    ]


def raced(step: Callable[[], float], **more: Any) -> Contender:
    return Contender(step, [step() for _ in range(3)], **more)


def graphnet() -> Contender:
    from graphnet import nn

    model = nn.Sequential(
        [nn.Input((STEPS,)), nn.Embedding(WORDS, WIDTH), nn.LSTM(UNITS), nn.Dense(1, activation="sigmoid")]
    )
    model.set_weights(weights())
    model.compile(nn.optimizers.SGD(RATE), "binary_crossentropy")
    step = in_turns(model.train_on_batch, batches())

    def ready() -> None:
        for _ in range(16):
            step()
        plan = model.steps.train.compiled.plan  # type: ignore[union-attr]
        if plan is not None:
            plan.wait()

    return raced(step, ready=ready, warm=2.0)


def keras() -> Contender:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            layers.Embedding(WORDS, WIDTH),
            layers.LSTM(UNITS),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.set_weights(weights())
    model.compile(keras.optimizers.SGD(RATE), "binary_crossentropy")
    step = in_turns(model.train_on_batch, batches())

    def loss() -> float:
        # What it gives is the mean over the batches since the metrics were reset.
        model.reset_metrics()
        return step()

    return Contender(step, [loss() for _ in range(3)])


def pytorch() -> Contender:
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    table, kernel, recurrent, bias, last, last_bias = (torch.from_numpy(w) for w in weights())
    embedding = nn.Embedding.from_pretrained(table, freeze=False)
    lstm, dense = nn.LSTM(WIDTH, UNITS, batch_first=True), nn.Linear(UNITS, 1)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(kernel.T)
        lstm.weight_hh_l0.copy_(recurrent.T)
        lstm.bias_ih_l0.copy_(bias)
        lstm.bias_hh_l0.zero_()
        dense.weight.copy_(last.T)
        dense.bias.copy_(last_bias)
    # Its LSTM has two biases that are added up: one of them is enough.
    lstm.bias_hh_l0.requires_grad_(False)
    learning = [p for m in (embedding, lstm, dense) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, RATE, fused=True)
    pairs = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches()]

    def update(x: Any, y: Any) -> float:
        optimizer.zero_grad(set_to_none=True)
        logits = dense(lstm(embedding(x))[1][0][0])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return raced(in_turns(update, pairs))


LIBRARIES: dict[str, Callable[[], Contender]] = {"graphnet": graphnet, "Keras": keras, "PyTorch": pytorch}


def contender(case: str, library: str) -> Contender:
    """The step of one library."""
    return LIBRARIES[library]()
