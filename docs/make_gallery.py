"""Make the gallery anew, its pictures and its page: `python docs/make_gallery.py`. `--measure` takes times anew too.

Our own layout draws all of it, so the same code gives the same bytes, whatever is installed. The one picture with times
is drawn from a file of measured ones (`images/gallery/time.json`).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# When native code takes over depends on the clock, and it rounds otherwise; so do several threads of BLAS.
os.environ.update(GRAPHNET_NATIVE="0", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import numpy as np

import graphnet as gn
from graphnet import nn, viz
from graphnet.viz import figures
from graphnet.viz.reading import scene_from
from graphnet.viz.render import Picture

HERE = Path(__file__).parent
IMAGES = HERE / "images" / "gallery"
OWN = {"engine": "builtin"}
#: (name, heading, what is said, the code that is shown, the function that draws or prints)
PARTS: list[tuple[str, str, str, str, Callable[..., Any]]] = []


def part(heading: str, said: str, code: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A part of the gallery, drawn by the function below it."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        PARTS.append((f.__name__, heading, said, code, f))
        return f

    return add


def small_network(rows: int = 8, wide: int = 6, hidden: int = 5, classes: int = 3) -> tuple[gn.Graph, list[np.ndarray]]:
    """Two layers and a loss, and a batch for them."""
    rng = np.random.default_rng(0)
    x, y = gn.input((rows, wide), name="x"), gn.input((rows,), "int64", name="y")
    w1 = gn.Parameter(rng.normal(size=(wide, hidden)).astype("f") * 0.5, name="w1")
    w2 = gn.Parameter(rng.normal(size=(hidden, classes)).astype("f") * 0.5, name="w2")
    with gn.region("hidden", "Dense"):
        h = gn.relu(x @ w1)
    with gn.region("scores", "Dense"):
        scores = h @ w2
    with gn.region("loss", "CrossEntropy"):
        loss = -gn.take_along_axis(gn.log_softmax(scores), y.reshape((-1, 1)), 1).mean()
    batch = [rng.normal(size=(rows, wide)).astype("f"), rng.integers(0, classes, rows)]
    return gn.Graph([x, y], loss, name="net"), batch


def digits(name: str = "digits") -> Any:
    """A Sequential for the digits, with the same weights each time."""
    nn.set_random_seed(0)
    layers = [
        nn.Input((64,)),
        nn.Dense(32, activation="relu", name="hidden"),
        nn.Dropout(0.2, name="dropout", seed=1),
        nn.Dense(10, activation="softmax", name="answer"),
    ]
    return nn.Sequential(layers, name=name)


@part(
    "A formula",
    "Every node is an op with its arguments; edges carry dtype and shape, and the name of the argument where order "
    'matters. With `names="all"` nodes are named as in the text of the graph.',
    'x = gn.input((), "float64", name="x")\n'
    'bump = gn.Graph([x], x * gn.exp(-x * x), name="bump")\n'
    'bump.draw(names="all")\nprint(bump)',
)
def formula() -> tuple[Any, str]:
    x = gn.input((), "float64", name="x")
    g = gn.Graph([x], x * gn.exp(-x * x), name="bump")
    return g.draw(names="all", rankdir="LR", **OWN), str(g)


@part(
    "A model",
    "Layers and composites are boxes; parameters are folders with their counts. A model shows itself in a notebook.",
    "model = Sequential(\n"
    "    [\n"
    "        Input((64,)),\n"
    '        Dense(32, activation="relu", name="hidden"),\n'
    "        Dropout(0.2),\n"
    '        Dense(10, activation="softmax", name="answer"),\n'
    "    ],\n"
    '    name="digits",\n'
    ")\n"
    "model.draw()",
)
def model() -> Picture:
    return digits().draw(**OWN)


@part(
    "The same, closed",
    "`depth` says how many levels of boxes are open. Pictures of more than 300 nodes close by themselves, and say so.",
    'model.draw(depth=1, rankdir="LR")',
)
def closed() -> Picture:
    return digits().draw(depth=1, rankdir="LR", **OWN)


@part(
    "As a tree, in a terminal",
    "The same boxes as text.",
    "print(model.graph().tree())",
)
def tree() -> str:
    return digits().graph().tree()


@part(
    "The gradient beside what it belongs to",
    "The gradient flows back up, in red, each part at the height of the layer it belongs to (dashed lines). It uses "
    "values of the way down: those are the arrows that cross.",
    "g.draw(gradient=True, parameters=False, shapes=False)",
)
def gradient() -> Picture:
    x = gn.input((8, 6), name="x")
    with gn.region("hidden", "Dense"):
        h = gn.tanh(x @ gn.Parameter(np.zeros((6, 5), "f"), name="w1"))
    with gn.region("scores", "Dense"):
        scores = h @ gn.Parameter(np.zeros((5, 3), "f"), name="w2")
    with gn.region("loss", "Loss"):
        loss = (scores * scores).mean()
    g = gn.Graph([x], loss)
    return g.draw(gradient=True, shapes=False, parameters=False, title="a loss and its gradient", **OWN)


@part(
    "Blocks that repeat",
    "One of three or more equal blocks stands for all of them. With more than 100 nodes this happens by itself.",
    'x = h = gn.input((32, 16), name="x")\n'
    "for i in range(12):\n"
    '    with gn.region(f"block_{i}", "Block"):\n'
    '        h = h + gn.relu(h @ gn.Parameter(np.zeros((16, 16)), "float32", name=f"w{i}"))\n'
    "gn.Graph([x], h.mean()).draw(fold=True)",
)
def blocks() -> Picture:
    h = x = gn.input((32, 16), name="x")
    for i in range(12):
        with gn.region(f"block_{i}", "Block"):
            h = h + gn.relu(h @ gn.Parameter(np.zeros((16, 16), "f"), name=f"w{i}"))
    return gn.Graph([x], h.mean(), name="twelve blocks").draw(fold=True, **OWN)


@part(
    "Values and gradients of a run",
    "With arrays for the inputs the graph is run: each node shows what it gave, and the norm of the loss's gradient.",
    "g.draw(values=[x_batch, y_batch], shapes=False)",
)
def values() -> Picture:
    g, arrays = small_network()
    return g.draw(values=arrays, shapes=False, title="a batch, and how the loss would change", **OWN)


@part(
    "Where the first NaN came from",
    "The first op that made a NaN (or else an infinity) out of finite numbers is marked.",
    'x = gn.input((3,), "float64", name="x")\n'
    "p = x / x.sum()\n"
    'entropy = gn.Graph([x], -(p * gn.log(p)).sum(), name="entropy")\n'
    "entropy.draw(values=[np.array([1.0, 0.0, 2.0])])",
)
def first_nan() -> Picture:
    x = gn.input((3,), "float64", name="x")
    p = x / x.sum()
    entropy = -(p * gn.log(p)).sum()
    g = gn.Graph([x], entropy, name="entropy")
    return g.draw(values=[np.array([1.0, 0.0, 2.0])], shapes=False, **OWN)


@part(
    "Where the memory goes",
    "Colour from white to orange: here the bytes of every value.",
    'model.draw(heat="memory", parameters=False, rankdir="LR")',
)
def memory() -> Picture:
    return digits().draw(heat="memory", parameters=False, shapes=False, depth=2, **OWN)


@part(
    "Where the time goes",
    "Times of a plan's steps, measured by `plan.profile()`; the steps of one fused loop share its time.",
    "plan = g.compile()\nplan.draw(profile=plan.profile(x_batch, y_batch), kernels=False)",
)
def time(measure: bool = False) -> Picture:
    recorded = IMAGES / "time.json"
    if measure or not recorded.is_file():
        g, arrays = small_network(256, 64, 128, 10)
        plan = g.compile("native")
        profile = plan.profile(*arrays, repeat=200)
        options = {"shapes": False, "parameters": False, "title": "net, timed"}
        scene = plan.draw(profile=profile, kernels=False, **options, **OWN).scene
        for node in scene.nodes:
            node.data = {}
        recorded.write_text(json.dumps(scene.to_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Picture(scene_from(json.loads(recorded.read_text("utf-8"))), "builtin")


@part(
    "What runs: a compiled plan",
    "Boxes are fused kernels, each one loop of native code. The code of a step is the text behind it (its tooltip).",
    "g.compile().wait().draw()",
)
def plan() -> Picture:
    g, _ = small_network()
    return g.compile("native").draw(shapes=False, **OWN)


@part(
    "Before and after a pass",
    "Two graphs side by side; what only one of them has is marked. `viz.diff` says it in text.",
    'x, y = (gn.input((4,), name=name) for name in "xy")\n'
    'f = gn.Graph([x, y], gn.log(gn.exp(x) * 1.0 + gn.exp(x)) - gn.negative(y), name="f")\n'
    "viz.compare(f, f.simplify())\nprint(viz.diff(f, f.simplify()))",
)
def before_and_after() -> tuple[Any, str]:
    x, y = (gn.input((4,), name=name) for name in "xy")
    g = gn.Graph([x, y], gn.log(gn.exp(x) * 1.0 + gn.exp(x)) - gn.negative(y), name="f")
    s = g.simplify()
    return viz.compare(g, s, shapes=False, **OWN), viz.diff(g, s)


@part(
    "When building fails",
    "The picture that belongs to an error: what was built, and the op that could not be. In a notebook, "
    "`gn.viz.partial()` alone draws the last error.",
    "def network(x):\n"
    '    with gn.region("hidden", "Dense"):\n'
    '        h = gn.relu(x @ gn.Parameter(np.zeros((7, 4)), "float32", name="w1"))\n'
    '    with gn.region("scores", "Dense"):\n'
    '        return h @ gn.Parameter(np.zeros((3, 4)), "float32", name="w2")\n\n\n'
    'try:\n    network(gn.input((5, 7), name="x"))\nexcept ValueError as error:\n    viz.partial(error)',
)
def failure() -> Picture:
    def network(x: gn.Tensor) -> gn.Tensor:
        with gn.region("hidden", "Dense"):
            h = gn.relu(x @ gn.Parameter(np.zeros((7, 4), "f"), name="w1"))
        with gn.region("scores", "Dense"):
            return h @ gn.Parameter(np.zeros((3, 4), "f"), name="w2")

    try:
        network(gn.input((5, 7), name="x"))
    except ValueError as error:
        return viz.partial(error, **OWN)
    raise AssertionError("nothing failed")


def trained() -> tuple[Any, Any, Any]:
    """A model that has learned the digits for a few epochs, its history, and the data."""
    data = gn.datasets.load_digits()
    net = digits()
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = net.fit(data.x_train, data.y_train, epochs=25, validation_split=0.1, verbose=0)
    return net, history, data


_cache: dict[str, Any] = {}


def _trained() -> tuple[Any, Any, Any]:
    if "trained" not in _cache:
        _cache["trained"] = trained()
    return _cache["trained"]


@part(
    "Curves of a training run",
    "Training is a full line, validation a dashed one, its best epoch marked.",
    "x_train, y_train, x_test, y_test = gn.datasets.load_digits()\n"
    'model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])\n'
    "history = model.fit(x_train, y_train, epochs=25, validation_split=0.1)\nhistory.plot()",
)
def curves() -> Any:
    return viz.plot_history(_trained()[1])


@part(
    "Which digit is taken for which",
    "Rows are what an image shows, columns what the model says.",
    "viz.plot_confusion(y_test, model.predict(x_test))",
)
def confusion() -> Any:
    net, _, data = _trained()
    return viz.plot_confusion(data.y_test, net.predict(data.x_test, verbose=0))


@part(
    "First weights",
    "Each unit's weights as an image: red where ink raises it, blue where ink lowers it.",
    "viz.plot_weights(model)",
)
def weights() -> Any:
    return viz.plot_weights(_trained()[0])


@part(
    "What a batch activates",
    "Rows are images, columns units.",
    "viz.plot_activations(model, x_test)",
)
def activations() -> Any:
    net, _, data = _trained()
    return viz.plot_activations(net, data.x_test)


@part(
    "Decisions in the plane",
    "What a network of two inputs says, and the line where it changes its mind.",
    "turn, side = rng.uniform(0.3, 3.4, 150), rng.integers(0, 2, 150)\n"
    "angle = turn * 2.4 + np.pi * side\n"
    "x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], 1) + rng.normal(size=(150, 2)) * 0.12\n"
    'spirals = Sequential([Dense(32, activation="tanh"), Dense(32, activation="tanh"), '
    'Dense(1, activation="sigmoid")])\n'
    'spirals.compile(optimizer=gn.nn.optimizers.Adam(0.01), loss="binary_crossentropy")\n'
    "spirals.fit(x, side, epochs=250, verbose=0)\n"
    "viz.plot_decision_boundary(spirals, x, side)",
)
def decisions() -> Any:
    rng = np.random.default_rng(4)
    turn = rng.uniform(0.3, 3.4, 150)
    side = rng.integers(0, 2, 150)
    angle = turn * 2.4 + np.pi * side
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], 1) + rng.normal(size=(150, 2)) * 0.12
    x, y = x.astype("float32"), side.astype("float32")
    nn.set_random_seed(2)
    net = nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(32, activation="tanh"),
            nn.Dense(32, activation="tanh"),
            nn.Dense(1, activation="sigmoid"),
        ]
    )
    net.compile(optimizer=nn.optimizers.Adam(0.01), loss="binary_crossentropy")
    net.fit(x, y, epochs=250, batch_size=32, verbose=0)
    return viz.plot_decision_boundary(net, x, y)


HEAD = """# Gallery

What graphnet draws. Every picture here is made by `python docs/make_gallery.py`, which also writes this page. Pictures
of graphs are SVG: hover over a node for its shape, op, layer and source line. They need nothing besides graphnet; with
`dot` or pygraphviz on the machine, Graphviz lays them out. Colours are readable on white and on black.
`g.draw("g.png")`, `.pdf`, `.dot` and `.json` are written by their endings.

The examples go on from each other. They begin with a small network, two layers and a loss, built op by op:

```python
import numpy as np

import graphnet as gn
from graphnet import viz
from graphnet.nn import Dense, Dropout, Input, Sequential

rng = np.random.default_rng(0)
x, y = gn.input((8, 6), name="x"), gn.input((8,), "int64", name="y")
w1 = gn.Parameter(rng.normal(size=(6, 5)), "float32", name="w1")
w2 = gn.Parameter(rng.normal(size=(5, 3)), "float32", name="w2")
with gn.region("hidden", "Dense"):
    h = gn.relu(x @ w1)
with gn.region("scores", "Dense"):
    scores = h @ w2
with gn.region("loss", "CrossEntropy"):
    loss = -gn.take_along_axis(gn.log_softmax(scores), y.reshape((-1, 1)), 1).mean()
g = gn.Graph([x, y], loss, name="net")
x_batch, y_batch = rng.normal(size=(8, 6)).astype("float32"), rng.integers(0, 3, 8)
```
"""


def main(arguments: list[str] | None = None) -> None:
    """Draw what is asked for, everything without a name, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pictures to draw (default: all)")
    parser.add_argument("--out", type=Path, default=IMAGES, help="the folder for pictures")
    parser.add_argument("--page", type=Path, default=HERE / "gallery.md")
    parser.add_argument("--measure", action="store_true", help="measure times anew")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    page = [HEAD]
    for name, heading, said, code, f in PARTS:
        page.append(f"## {heading}\n\n{said}\n\n```python\n{code}\n```\n")
        if options.names and name not in options.names:
            continue
        made = f(options.measure) if name == "time" else f()
        texts = [m for m in (made if isinstance(made, tuple) else (made,)) if isinstance(m, str)]
        drawn = [m for m in (made if isinstance(made, tuple) else (made,)) if not isinstance(m, str)]
        for text in texts:
            page.append(f"```\n{text}\n```\n")
        for picture in drawn:
            target = options.out / f"{name}.svg"
            if isinstance(picture, Picture):
                picture.save(target)
            else:
                figures.write(picture, target)
            page.append(f"![{heading}](images/gallery/{name}.svg)\n")
        print(f"{name}: done")
    if not options.names:
        options.page.write_text("\n".join(page), "utf-8")


if __name__ == "__main__":
    main()
