"""Cold start: from the start of a process to the end of the first trained epoch of the digits demo's network.

64-256-10 with dropout 0.2 and Adam, batches of 32, loss and accuracy, in the fewest lines that each library takes. All
read the same file of digits. Nothing here imports more than NumPy before the library does.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

CASES = ("cold",)
BATCH, HIDDEN, DROPOUT, RATE = 32, 256, 0.2, 0.001


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The images and labels that the starter of the process saved."""
    with np.load(os.environ["BENCHMARK_DIGITS"]) as saved:
        return saved["x"], saved["y"]


def save_digits(path: str) -> None:
    """Write the digits that come with graphnet where every process can read them."""
    from graphnet import datasets

    split = datasets.load_digits()
    np.savez(path, x=split.x_train, y=split.y_train)


def graphnet() -> float:
    from graphnet.nn import Dense, Dropout, Input, Sequential

    x, y = digits()
    model = Sequential([Input((64,)), Dense(HIDDEN, activation="relu"), Dropout(DROPOUT), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history["loss"][0]


def keras() -> float:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from keras import Input, Sequential
    from keras.layers import Dense, Dropout

    x, y = digits()
    model = Sequential([Input((64,)), Dense(HIDDEN, activation="relu"), Dropout(DROPOUT), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history["loss"][0]


def pytorch() -> float:
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    x, y = map(torch.from_numpy, digits())
    model = nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, 10))
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    total, hits = 0.0, 0
    order = torch.randperm(len(x))
    for start in range(0, len(x), BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad()
        scores = model(x[rows])
        loss = nn.functional.cross_entropy(scores, y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
        hits += (scores.argmax(1) == y[rows]).sum().item()
    return total / len(x)


def jax() -> float:
    import jax
    import jax.numpy as jnp

    x, y = digits()
    rng = np.random.default_rng()
    ps = []
    for a, b in ((64, HIDDEN), (HIDDEN, 10)):
        limit = np.sqrt(6 / (a + b))
        ps.append((jnp.asarray(rng.uniform(-limit, limit, (a, b)).astype(np.float32)), jnp.zeros(b)))
    each = jax.tree_util.tree_map

    def loss_of(ps, key, x, y):
        (w1, b1), (w2, b2) = ps
        h = jax.nn.relu(x @ w1 + b1)
        h = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, h.shape), h / (1 - DROPOUT), 0.0)
        scores = h @ w2 + b2
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean(), (scores.argmax(1) == y).sum()

    @jax.jit
    def update(ps, m, v, t, x, y):
        key = jax.random.fold_in(jax.random.key(0), t)
        (loss, hits), grads = jax.value_and_grad(loss_of, has_aux=True)(ps, key, x, y)
        m = each(lambda m, g: m + 0.1 * (g - m), m, grads)
        v = each(lambda v, g: v + 0.001 * (g * g - v), v, grads)
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), ps, m, v), m, v, t + 1, loss, hits

    m, v, t = each(jnp.zeros_like, ps), each(jnp.zeros_like, ps), jnp.ones(())
    order = rng.permutation(len(x))
    total = correct = 0.0
    for start in range(0, len(x), BATCH):
        rows = order[start : start + BATCH]
        ps, m, v, t, loss, hits = update(ps, m, v, t, x[rows], y[rows])
        total += float(loss) * len(rows)
        correct += int(hits)
    return total / len(x)


LIBRARIES: dict[str, Callable[[], float]] = {"graphnet": graphnet, "PyTorch": pytorch, "JAX": jax, "Keras": keras}


def measure(case: str, library: str) -> float:
    """The loss of the epoch. Whoever started the process looks at the clock when it comes."""
    return LIBRARIES[library]()
