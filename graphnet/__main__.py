"""The command line: `graphnet demo` trains a network on real handwritten characters, `graphnet draw` draws a file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphnet.escape import lines
from graphnet.optional import installed

#: options of `draw` that are about the graph of a model, which a picture that is written as data lacks
OF_MODELS = ("text", "tree", "training", "gradient", "heat", "names", "unfolded", "no_shapes", "no_parameters")


def _parser() -> argparse.ArgumentParser:
    from graphnet.version import __version__

    parser = argparse.ArgumentParser(prog="graphnet", description="A computational graph that a person can hold.")
    parser.add_argument("--version", action="version", version=f"graphnet {__version__}")
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
    draw_ = commands.add_parser(
        "draw",
        help="a picture of a saved model or graph",
        description="Draw a saved model (.keras, .graphnet), or a graph that graph.draw('....json') wrote, as SVG, "
        "PNG, PDF, DOT, JSON or an interactive HTML page; or print it.",
    )
    draw_.add_argument("file", metavar="FILE", help="a saved model, or a .json written by draw")
    draw_.add_argument("-o", "--out", metavar="FILE", help="what to write (default: the file's name with .svg)")
    draw_.add_argument("--text", action="store_true", help="print a model's program, a line for each op")
    draw_.add_argument("--tree", action="store_true", help="print a model as a tree of its layers")
    draw_.add_argument("--depth", metavar="N", default="auto", help="open levels of layers, or 'all' (default: auto)")
    draw_.add_argument("--rankdir", default="TB", choices=["TB", "LR", "BT", "RL"], help="direction (default: TB)")
    draw_.add_argument("--engine", default="auto", help="auto, dot, pygraphviz or builtin (default: auto)")
    draw_.add_argument("--title", help="what is written above (default: the model's name)")
    draw_.add_argument("--batch", type=int, default=32, metavar="N", help="the size of a batch (default: 32)")
    draw_.add_argument("--training", action="store_true", help="the graph of training: with dropout, say")
    draw_.add_argument("--gradient", action="store_true", help="with the gradient for the weights")
    draw_.add_argument("--heat", choices=["time", "memory"], help="colour nodes by this")
    draw_.add_argument("--names", action="store_true", help="name all nodes as in the program")
    draw_.add_argument("--unfolded", action="store_true", help="draw equal blocks one by one")
    draw_.add_argument("--no-shapes", action="store_true", help="leave shapes and dtypes out")
    draw_.add_argument("--no-parameters", action="store_true", help="write parameters into the ops that use them")
    draw_.add_argument("--no-legend", action="store_true", help="leave the legend out")
    return parser


def draw(options: argparse.Namespace) -> int:
    """Draw a file, or print what is in it."""
    _at_least(1, options, "batch")
    source = Path(options.file)
    if not source.is_file():
        raise FileNotFoundError(f"{source}: there is no such file")
    if options.text and options.tree:
        raise ValueError("--text and --tree print two different things: give one")
    if options.out and (options.text or options.tree):
        raise ValueError(f"--{'text' if options.text else 'tree'} prints, and writes no file: leave --out away")
    target = Path(options.out) if options.out else Path(f"{source.stem}.svg")
    if source.suffix.lower() == ".json":
        given = [f"--{name.replace('_', '-')}" for name in OF_MODELS if getattr(options, name)]
        given += ["--depth"] * (options.depth != "auto")
        if given:
            raise ValueError(f"{source} is a picture as data: {', '.join(given)} is for models")
        picture = _drawn_scene(source, target, options)
    else:
        graph = _model_graph(source, options)
        if options.text or options.tree:
            _say(graph if options.text else graph.tree(None if options.depth == "auto" else _depth(options.depth)))
            return 0
        picture = graph.draw(
            target,
            depth=_depth(options.depth),
            rankdir=options.rankdir,
            engine=options.engine,
            title=options.title or graph.name or source.stem,
            gradient=options.gradient,
            heat=options.heat,
            names="all" if options.names else True,
            fold=False if options.unfolded else "auto",
            shapes=not options.no_shapes,
            parameters=not options.no_parameters,
            legend=not options.no_legend,
        )
    print(f"wrote {target} (laid out by {picture.engine})")
    return 0


def _depth(word: str) -> Any:
    if word in ("auto", "all"):
        return None if word == "all" else word
    try:
        depth = int(word)
    except ValueError:
        depth = -1
    if depth < 0:
        raise ValueError(f"--depth is a number, 'all' or 'auto'; received {word!r}")
    return depth


def _at_least(least: int, options: argparse.Namespace, *names: str) -> None:
    """Raise `ValueError` for an option that is a smaller number."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} is a whole number, {least} or more; received {value}")


def _say(text: Any) -> None:
    """Print what a terminal can show of a text."""
    from graphnet.nn.line import encodable

    print(encodable(str(text), sys.stdout))


def _model_graph(source: Path, options: argparse.Namespace) -> Any:
    """The graph of a saved model, with the name of the model."""
    from graphnet import nn

    model = nn.load_model(source, compile=False)  # type: ignore[attr-defined]
    graph = model.graph(batch_size=options.batch, training=options.training)
    graph.name = graph.name or model.name
    return graph


def _drawn_scene(source: Path, target: Path, options: argparse.Namespace) -> Any:
    """The picture of a scene that was written as JSON."""
    from graphnet.viz.reading import load
    from graphnet.viz.render import drawn

    try:
        scene = load(source)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    if options.title:
        scene.title = options.title
    return drawn(lambda: scene, target, options.rankdir, not options.no_legend, options.engine)


def demo(options: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    import numpy as np

    from graphnet import datasets, nn

    _at_least(1, options, "epochs", "hidden")
    _at_least(0, options, "seed")
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
    hidden = 256 if options.hidden is None else options.hidden
    print(f"{len(split.x_train):,} {what} to learn from, {len(split.x_test):,} to test on, {len(classes)} classes")

    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)  # before the training, which would be lost
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
        # What lies in the current folder may have come with the file.
        with installed():
            return {"demo": demo, "draw": draw}[options.command](options)
    except (ValueError, OSError, RuntimeError) as error:
        print(lines(f"graphnet {options.command}: {error}"), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
