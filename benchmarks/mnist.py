"""MNIST to the end, the same script here and in Keras on JAX: accuracy on the test images, and seconds of `fit`.

    python -m benchmarks.mnist --data FOLDER [mlp cnn] [--libraries graphnet Keras] [--rounds 1]

`mlp` is 784-512-512-10 with dropout of 0.2 for 10 epochs, `cnn` two convolutions, a dense layer of 128 and dropout of
0.5 for 6; both with Adam and batches of 128, validated on the 10,000 test images after every epoch. Libraries take
turns, each run in a process of its own, so that they meet the same noise; times include compilation.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

EPOCHS = {"mlp": 10, "cnn": 6}
MODULES = {"graphnet": "graphnet.nn", "Keras": "keras"}
BATCH = 128


def network(case: str, nn: Any) -> Any:
    """The model, not compiled, in the words that `nn` (graphnet.nn or keras) shares."""
    layers = nn.layers
    if case == "mlp":
        hidden = [layer for _ in range(2) for layer in (layers.Dense(512, activation="relu"), layers.Dropout(0.2))]
        return nn.Sequential([layers.Input((784,)), *hidden, layers.Dense(10, activation="softmax")])
    return nn.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def run(case: str, library: str, folder: str) -> dict[str, Any]:
    """One training: test accuracies by epoch, and the seconds that `fit` took."""
    import graphnet as gn

    os.environ.setdefault("KERAS_BACKEND", "jax")
    nn = import_module(MODULES[library])
    data = gn.datasets.load_idx_folder(folder)
    shape = (-1, 784) if case == "mlp" else (-1, 28, 28, 1)
    x, x_test = (images.reshape(shape).astype("float32") / 255 for images in (data.x_train, data.x_test))
    nn.utils.set_random_seed(1)
    model = network(case, nn)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(
        x,
        data.y_train,
        batch_size=BATCH,
        epochs=EPOCHS[case],
        validation_data=(x_test, data.y_test),
        verbose=0,
    )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "accuracy": [float(a) for a in history.history["val_accuracy"]]}


def apart(case: str, library: str, folder: str) -> dict[str, Any]:
    """`run` in a process of its own."""
    arguments = [sys.executable, "-m", "benchmarks.mnist", "--one", case, library, "--data", folder]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{library} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mnist", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cases", nargs="*", help="mlp, cnn, or both")
    parser.add_argument("--data", required=True, help="the folder with MNIST's four files")
    parser.add_argument("--libraries", nargs="+", default=list(MODULES), choices=list(MODULES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("CASE", "LIBRARY"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(run(*given.one, given.data)))
        return
    for case in given.cases or EPOCHS:
        found: dict[str, list[float]] = {library: [] for library in given.libraries}
        for _ in range(given.rounds):
            for library in given.libraries:
                result = apart(case, library, given.data)
                found[library].append(result["seconds"])
                last, best = result["accuracy"][-1], max(result["accuracy"])
                epoch = result["accuracy"].index(best) + 1
                print(
                    f"{case}  {library:8}  {result['seconds']:6.1f} s   test accuracy {last:.2%} at the end, "
                    f"{best:.2%} in epoch {epoch}",
                    flush=True,
                )
        if len(found) > 1:
            medians = {library: statistics.median(seconds) for library, seconds in found.items()}
            print(f"{case}  graphnet / Keras: {medians['graphnet'] / medians['Keras']:.2f}")


if __name__ == "__main__":
    main()
