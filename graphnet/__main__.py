"""The command line: `python -m graphnet demo` trains a network on real handwritten characters and draws it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graphnet", description="A computational graph that a person can hold.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train a network on real handwritten digits, in seconds",
        description="Train a network on the 1,797 digits that come with graphnet, or on MNIST or EMNIST files; print "
        "its accuracy on images it has not seen; write the training curve (curve.png) and the graph (graph.svg).",
    )
    demo.add_argument("--data", metavar="DIR", help="a folder with MNIST's or EMNIST's IDX files, gzipped or not")
    demo.add_argument("--letters", metavar="abc", help="with --data: these classes of EMNIST letters only")
    demo.add_argument("--epochs", type=int, help="passes over the data (default: 60, with --data 5)")
    demo.add_argument("--hidden", type=int, help="units of the hidden layer (default: 256)")
    demo.add_argument("--seed", type=int, default=0, help="the same seed gives the same run (default: 0)")
    demo.add_argument(
        "--out", metavar="DIR", default="graphnet-demo", help="the folder to write to (default: %(default)s)"
    )
    return parser


def demo(options: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    import numpy as np

    from graphnet import datasets, nn

    if options.data is None:
        if options.letters:
            raise ValueError("--letters picks classes of EMNIST letters: give their folder with --data")
        split = datasets.load_digits()
        classes = [str(digit) for digit in range(10)]
        what = "handwritten digits of 8x8 pixels"
    else:
        raw = datasets.load_idx_folder(options.data, options.letters)
        names = options.letters or "".join(map(str, range(10)))
        flat = [x.reshape(len(x), -1).astype(np.float32) / np.float32(255) for x in (raw.x_train, raw.x_test)]
        lowest = int(raw.y_train.min())
        split = datasets.Split(flat[0], raw.y_train - lowest, flat[1], raw.y_test - lowest)
        count = int(max(split.y_train.max(), split.y_test.max())) + 1
        classes = list(names) if len(names) == count else [str(lowest + i) for i in range(count)]
        what = f"images of {raw.x_train.shape[1]}x{raw.x_train.shape[2]} pixels from {options.data}"
    epochs = options.epochs if options.epochs is not None else 5 if options.data else 60
    hidden = options.hidden or 256
    print(f"{len(split.x_train):,} {what} to learn from, {len(split.x_test):,} to test on, {len(classes)} classes")

    nn.set_random_seed(options.seed)
    model = nn.Sequential(
        [
            nn.Input((split.x_train.shape[1],)),
            nn.Dense(hidden, activation="relu"),
            nn.Dropout(0.2),
            nn.Dense(len(classes), activation="softmax"),
        ],
        name="demo",
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    start = time.perf_counter()
    history = model.fit(
        split.x_train, split.y_train, batch_size=32 if not options.data else 64, epochs=epochs, validation_split=0.1
    )
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(split.x_test, split.y_test, verbose=0)
    count = len(split.x_test)
    print(f"\ntest accuracy: {accuracy:.2%} of {count:,} images it has not seen, after {seconds:.1f} s of training")

    wrong = np.flatnonzero(model.predict(split.x_test, verbose=0).argmax(-1) != split.y_test)
    if len(wrong):
        guesses = model.predict(split.x_test[wrong[:5]], verbose=0).argmax(-1)
        pairs = zip(split.y_test[wrong[:5]], guesses, strict=True)
        print("mistaken, for example: " + ", ".join(f"{classes[a]} for {classes[b]}" for a, b in pairs))

    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    picture = model.draw(folder / "graph.svg")
    written = ["graph.svg"]
    try:
        history.plot(folder / "curve.png")
        written.insert(0, "curve.png")
    except ImportError as error:
        print(error)
    print(f"wrote {' and '.join(written)} to {folder.resolve()} (the graph was laid out by {picture.engine})")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what is wrong with its input is said in one line."""
    options = _parser().parse_args(arguments)
    try:
        return demo(options)
    except (ValueError, OSError) as error:
        print(f"graphnet {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
