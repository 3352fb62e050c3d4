"""One training step of a small convolutional network on images of 28 x 28, as each library's users write it.

Two convolutions of 3 x 3 with relu, each followed by the largest of 2 x 2, dropout of 0.5, softmax, cross-entropy and
Adam. All start from the same weights and see the same batches in turns. Before the race all must give the same loss
without dropout; with it they agree as well as chance lets them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from benchmarks import networks
from benchmarks.harness import Contender, waited

FILTERS, CLASSES, DROPOUT, BATCHES = (32, 64), 10, 0.5, 8
CASES = {"cnn": 128}


def weights() -> list[np.ndarray]:
    """Kernels and biases, channels last: Glorot uniform and 0."""
    rng = np.random.default_rng(1)
    found: list[np.ndarray] = []
    shapes = [(3, 3, 1, FILTERS[0]), (3, 3, *FILTERS), (5 * 5 * FILTERS[1], CLASSES)]
    for shape in shapes:
        receptive = int(np.prod(shape[:-2]))
        limit = np.float32(np.sqrt(6 / (receptive * (shape[-2] + shape[-1]))))
        found += [(rng.random(shape, dtype=np.float32) * 2 - 1) * limit, np.zeros(shape[-1], np.float32)]
    return found


def batches(batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and labels."""
    rng = np.random.default_rng(0)
    return [(rng.random((batch, 28, 28, 1), dtype=np.float32), rng.integers(0, CLASSES, batch)) for _ in range(BATCHES)]


def graphnet(batch: int) -> Contender:
    from graphnet import nn

    nn.set_random_seed(0)
    model = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(FILTERS[0], 3, activation="relu"),
            nn.MaxPooling2D(2),
            nn.Conv2D(FILTERS[1], 3, activation="relu"),
            nn.MaxPooling2D(2),
            nn.Flatten(),
            nn.Dropout(DROPOUT),
            nn.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(nn.optimizers.Adam(networks.RATES["adam"]), "sparse_categorical_crossentropy")
    model.set_weights(weights())
    pairs = batches(batch)
    first = float(model.test_on_batch(*pairs[0]))
    step = networks.in_turns(model.train_on_batch, pairs)
    start = step()

    def ready() -> None:
        # It is compiled after some steps, beside them.
        for _ in range(10):
            step()
        waited(model.steps.train.compiled)

    return Contender(step, [first], [start], ready)


def keras(batch: int) -> Contender:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(FILTERS[0], 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(FILTERS[1], 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(DROPOUT),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(networks.RATES["adam"]), "sparse_categorical_crossentropy")
    model.set_weights(weights())
    pairs = batches(batch)
    first = float(model.test_on_batch(*pairs[0]))
    step = networks.in_turns(model.train_on_batch, pairs)
    return Contender(step, [first], [step()])


def pytorch(batch: int) -> Contender:
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, FILTERS[0], 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(*FILTERS, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(DROPOUT),
        nn.Linear(5 * 5 * FILTERS[1], CLASSES),
    )
    k1, b1, k2, b2, w, b = map(torch.from_numpy, weights())
    # Its channels come first, also where Flatten lists them.
    w = w.reshape(5, 5, FILTERS[1], CLASSES).permute(3, 2, 0, 1).reshape(CLASSES, -1)
    with torch.no_grad():
        for p, value in zip(
            model.parameters(), (k1.permute(3, 2, 0, 1), b1, k2.permute(3, 2, 0, 1), b2, w, b), strict=True
        ):
            p.copy_(value)
    optimizer = torch.optim.Adam(model.parameters(), networks.RATES["adam"], eps=networks.EPSILON, fused=True)
    pairs = [(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)) for x, y in batches(batch)]

    def loss_of(x, y):
        return nn.functional.cross_entropy(model(x), y)

    def update(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    model.eval()
    with torch.no_grad():
        first = loss_of(*pairs[0]).item()
    model.train()
    step = networks.in_turns(update, pairs)
    return Contender(step, [first], [step()])


LIBRARIES: dict[str, Callable[[int], Contender]] = {"graphnet": graphnet, "Keras": keras, "PyTorch": pytorch}


def contender(case: str, library: str) -> Contender:
    """The step of one library."""
    return LIBRARIES[library](CASES[case])
