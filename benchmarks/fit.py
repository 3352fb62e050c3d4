"""One epoch of MNIST with loss and accuracy, and the prediction of one row: a 784-128-10 network as its users hold it.

`fit` is ours and Keras' method, and the plain loop that PyTorch's tutorials show. Rows are shuffled, batches have 32,
the optimiser is Adam. Without MNIST's files (a folder named by GRAPHNET_MNIST) the images are made: one blurred pattern
per class, and noise. Before the race all must give the same loss for the first rows, and after an epoch about the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.harness import Contender, waited

BATCH = 32
CASE = networks.Case(networks.MEDIUM, BATCH, "adam")
CASES = ("fit", "row")
ROWS = 60_000


def data(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Images, float32 from 0 to 1, and labels."""
    folder = os.environ.get("GRAPHNET_MNIST")
    if folder:
        import graphnet as gn

        split = gn.datasets.load_idx_folder(folder)
        x = split.x_train.reshape(len(split.x_train), -1).astype(np.float32)
        x /= 255
        return x, split.y_train
    rng = np.random.default_rng(0)
    coarse = rng.random((10, 7, 7), dtype=np.float32)
    patterns = coarse.repeat(4, axis=1).repeat(4, axis=2).reshape(10, 784)
    y = rng.integers(0, 10, rows)
    x = patterns[y] * 0.3
    x += rng.random(x.shape, dtype=np.float32) * np.float32(0.7)
    return x, y


def graphnet_model() -> Any:
    """A compiled Sequential with the common weights."""
    import graphnet as gn
    from graphnet import nn

    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((784,)), nn.Dense(128, "relu"), nn.Dense(10, "softmax")])
    model.compile(nn.optimizers.Adam(CASE.rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for layer, (w, b) in zip(model.layers[-2:], networks.weights(CASE), strict=True):
        layer.kernel.assign(gn.tensor(w))
        layer.bias.assign(gn.tensor(b))
    return model


def graphnet_row(compiled: bool) -> Contender:
    """The prediction of one row: by a compiled function, beside JAX's, or by the method, beside Keras'."""
    import graphnet as gn

    model, one = graphnet_model(), data(1)[0][:1]
    if not compiled:
        return Contender(lambda: model.predict_on_batch(one), list(model.predict_on_batch(one)[0]), warm=2.0)
    run = gn.compile(lambda x: model(x, training=False))

    def predict():
        with gn.no_grad():
            return run(one).numpy()

    return Contender(predict, list(predict()[0]), ready=lambda: waited(run), warm=2.0)


def graphnet(case: str, rows: int = ROWS) -> Contender:
    if case == "row":
        return graphnet_row(compiled=True)
    model = graphnet_model()
    x, y = data(rows)
    first = model.evaluate(x[:1000], y[:1000], batch_size=1000, verbose=0)

    def step():
        return model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history

    return Contender(step, first, [step()["loss"][0]], warm=0.0)


def keras(case: str) -> Contender:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")])
    model.set_weights([p for layer in networks.weights(CASE) for p in layer])
    model.compile(keras.optimizers.Adam(CASE.rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    if case == "row":
        one = data(1)[0][:1]
        return Contender(lambda: model.predict_on_batch(one), list(model.predict_on_batch(one)[0]))
    x, y = data()
    first = model.evaluate(x[:1000], y[:1000], batch_size=1000, verbose=0)

    def step():
        return model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0).history

    return Contender(step, first, [step()["loss"][0]], warm=0.0)


def pytorch(case: str) -> Contender:
    import torch
    from torch.nn import functional as F

    model = networks.torch_model(CASE)
    if case == "row":
        one = torch.from_numpy(data(1)[0][:1])
        model.eval()

        def predict():
            with torch.inference_mode():
                return torch.softmax(model(one), -1).numpy()

        return Contender(predict, list(predict()[0]))
    optimizer = networks.torch_optimizer(CASE, model)
    x, y = map(torch.from_numpy, data())
    torch.manual_seed(0)

    def measured(x, y):
        scores = model(x)
        return F.cross_entropy(scores, y), (scores.argmax(1) == y).sum()

    with torch.no_grad():
        loss, right = measured(x[:1000], y[:1000])

    def step():
        total, hits = 0.0, 0
        order = torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss, right = measured(x[rows], y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
            hits += right.item()
        return total / len(x), hits / len(x)

    return Contender(step, [loss.item(), right.item() / 1000], [step()[0]], warm=0.0)


def jax(case: str) -> Contender:
    import jax
    import jax.numpy as jnp

    if case != "row":
        raise NotImplementedError("its users bring a loop of their own; Keras runs on it here")
    ps = [(jnp.asarray(w), jnp.asarray(b)) for w, b in networks.weights(CASE)]
    one = data(1)[0][:1]

    @jax.jit
    def run(ps, x):
        (w1, b1), (w2, b2) = ps
        return jax.nn.softmax(jax.nn.relu(x @ w1 + b1) @ w2 + b2)

    return Contender(lambda: np.asarray(run(ps, one)), list(np.asarray(run(ps, one))[0]))


def scikit_learn(case: str) -> Contender:
    from sklearn.neural_network import MLPClassifier

    if case != "row":
        raise NotImplementedError("MLPClassifier has no accuracy while it learns")
    one = data(1)[0][:1]
    model = MLPClassifier((128,))
    model.partial_fit(np.zeros((10, 784), np.float32), np.arange(10), classes=np.arange(10))
    for i, (w, b) in enumerate(networks.weights(CASE)):
        model.coefs_[i][...], model.intercepts_[i][...] = w, b
    return Contender(lambda: model.predict_proba(one), list(model.predict_proba(one)[0]))


LIBRARIES: dict[str, Callable[[str], Contender]] = {
    "graphnet": graphnet,
    "graphnet.nn": lambda case: graphnet_row(compiled=False),
    "PyTorch": pytorch,
    "JAX": jax,
    "Keras": keras,
    "scikit-learn": scikit_learn,
}


def contender(case: str, library: str) -> Contender:
    """The epoch, or the prediction, of one library."""
    return LIBRARIES[library](case)
