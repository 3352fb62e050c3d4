"""What a trained model has learned, as plots: its decisions in the plane, its first weights, what a batch activates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.escape import plot
from graphnet.mode import no_grad
from graphnet.node import Tensor
from graphnet.optional import optional
from graphnet.viz.figures import COLOURS, GREY, bare, new_figure, target_of, write


def plot_decision_boundary(
    model: Any, x: Any, y: Any = None, path: Any = None, *, threshold: float | None = None, resolution: int = 200
) -> Any:
    """What a model of two inputs decides in the plane around `x`, with the points `x` coloured by `y`: a Figure.

    `model` has `predict`, or is a function from (n, 2) to (n,), (n, 1) or (n, classes). With one output the border is
    at `threshold`: without it 0.5 where all outputs are from 0 to 1, else 0. With several the largest decides.

    Raises `ValueError` if `x` has no two columns, `ImportError` without matplotlib.

    >>> plot_decision_boundary(lambda p: p[:, 0] - p[:, 1], [[0.0, 1.0], [1.0, 0.0]], [0, 1])  # doctest: +SKIP
    """
    target = target_of(path)
    points = np.asarray(x, "float64")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"a decision boundary is of two inputs: x has shape (n, 2); received {points.shape}")
    figure = new_figure(5.2, 4.4)
    low, high = points.min(0), points.max(0)
    room = np.where(high > low, (high - low) * 0.15, 1.0)
    across, up = (np.linspace(a, b, resolution) for a, b in zip(low - room, high + room, strict=True))
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    answers = _answers(model, grid.astype("float32"))
    axes = figure.add_subplot()
    if answers.shape[1] == 1:
        one = answers[:, 0].reshape(resolution, resolution)
        if threshold is None:
            threshold = 0.5 if one.min() >= 0 and one.max() <= 1 else 0.0
        reach = max(float(np.abs(one - threshold).max()), 1e-12)
        shown = axes.pcolormesh(
            across, up, one, cmap="RdBu", vmin=threshold - reach, vmax=threshold + reach, alpha=0.55, rasterized=True
        )
        if one.min() < threshold < one.max():
            axes.contour(across, up, one, [threshold], colors=[GREY], linewidths=1.5)
        figure.colorbar(shown, ax=axes, label="output")
        colours: tuple[str, ...] = ("#c0392b", "#2b6cb0")
    else:
        chosen = answers.argmax(1).reshape(resolution, resolution)
        colours = COLOURS
        cmap = optional("matplotlib.colors").ListedColormap(
            [colours[i % len(colours)] for i in range(answers.shape[1])]
        )
        axes.pcolormesh(
            across, up, chosen, cmap=cmap, vmin=-0.5, vmax=answers.shape[1] - 0.5, alpha=0.3, rasterized=True
        )
    labels = np.zeros(len(points), int) if y is None else _labels(np.asarray(y))
    for place, label in enumerate(np.unique(labels)):
        own = points[labels == label]
        colour = colours[(int(label) if 0 <= label < len(colours) else place) % len(colours)]
        name = None if y is None else str(label)
        axes.scatter(own[:, 0], own[:, 1], s=16, color=colour, edgecolor="white", lw=0.5, label=plot(name))
    if y is not None:
        axes.legend(frameon=True, fontsize=9, title="class", loc="upper right")
    axes.set_xlabel("first input", color=GREY)
    axes.set_ylabel("second input", color=GREY)
    return write(figure, target)


def plot_weights(
    weights: Any, path: Any = None, *, shape: tuple[int, int] | None = None, count: int = 64, sort: bool = True
) -> Any:
    """The weights of a first layer as images, one for each unit, red for positive and blue for negative: a Figure.

    `weights` is a model, a layer, or an array (inputs, units), or (height, width, channels, filters). `shape` is that
    of an image; without it the inputs are a square. The `count` units with the largest weights are shown, the largest
    first unless `sort` is False.

    Raises `ValueError` if there is no such array, or its inputs are no image of that shape.

    >>> plot_weights(np.eye(16))  # doctest: +SKIP
    """
    target = target_of(path)
    array = _first_weights(weights)
    if array.ndim == 4:
        images = np.moveaxis(array.mean(2), -1, 0)
    else:
        side = math.isqrt(array.shape[0])
        high, wide = shape or (side, side)
        if high * wide != array.shape[0]:
            what = f"no image of {high}x{wide}" if shape else "not a square"
            raise ValueError(f"{array.shape[0]} inputs are {what}: give shape=(height, width) with that many pixels")
        images = array.T.reshape(-1, high, wide)
    size = np.sqrt((images**2).reshape(len(images), -1).sum(1))
    order = np.argsort(-size, kind="stable")[:count]
    images = images[order if sort else np.sort(order)]
    across = min(16, max(1, math.ceil(math.sqrt(len(images) * 1.8))))
    down = -(-len(images) // across)
    figure = new_figure(0.62 * across + 0.9, 0.62 * down + 0.2)
    limit = float(np.abs(images).max()) or 1.0
    panels = figure.subplots(down, across, squeeze=False)
    shown = None
    for place, axes in enumerate(panels.flat):
        bare(axes)
        if place < len(images):
            shown = axes.imshow(images[place], cmap="RdBu_r", vmin=-limit, vmax=limit)
    if shown is not None:
        figure.colorbar(shown, ax=panels, shrink=0.9, label="weight")
    return write(figure, target)


def plot_activations(model: Any, x: Any, path: Any = None, *, rows: int = 32) -> Any:
    """What a batch `x` gives behind each layer of a Sequential: a Figure with one image for each.

    Rows are samples (`rows` at most), columns units. The title says the layer, its mean and spread, and for layers
    that give zeros the share of zeros, and of units that are zero for the whole batch.

    Raises `ValueError` if the model has no layers.

    >>> plot_activations(model, x)  # doctest: +SKIP
    """
    target = target_of(path)
    layers = list(getattr(model, "layers", ()))
    if not layers:
        raise ValueError("plot_activations needs a model with layers")
    array = np.asarray(x)
    value = Tensor(array.astype(model.dtype) if array.dtype.kind == "f" else array)
    found: list[tuple[str, np.ndarray]] = []
    with no_grad():
        for layer in layers:
            value = layer(value, training=False)
            if value.ndim > 1:
                found.append((layer.name, value.numpy().reshape(len(value), -1).astype("float64")))
    figure = new_figure(8.0, 0.45 + 1.35 * len(found))
    panels = figure.subplots(len(found), 1, squeeze=False)
    for (name, values), axes in zip(found, panels.flat, strict=True):
        signed = values.min() < 0
        limit = float(np.abs(values).max()) or 1.0
        shown = axes.imshow(
            values[:rows],
            aspect="auto",
            interpolation="nearest",
            cmap="RdBu_r" if signed else "Greys",
            vmin=-limit if signed else 0.0,
            vmax=limit,
        )
        figure.colorbar(shown, ax=axes, pad=0.01)
        zeros = float((values == 0).mean())
        more = f", {zeros:.0%} zeros, {int((values == 0).all(0).sum())} units always 0" if zeros > 0.01 else ""
        title = f"{name}: {values.shape[1]} units, {values.mean():.3g} ± {values.std():.3g}{more}"
        axes.set_title(plot(title), fontsize=9, loc="left", color=GREY)
        bare(axes)
    return write(figure, target)


def _answers(model: Any, grid: np.ndarray) -> np.ndarray:
    """What the model says to each row, in columns."""
    if hasattr(model, "predict"):
        try:
            answers = model.predict(grid, verbose=0)
        except TypeError:  # a model of another library
            answers = model.predict(grid)
    else:
        answers = model(grid)
    array = np.asarray(answers.numpy() if hasattr(answers, "numpy") else answers, "float64")
    return array.reshape(len(grid), -1)


def _labels(y: np.ndarray) -> np.ndarray:
    """Class numbers, of class numbers, of one-hot rows, or of one column."""
    y = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    return y.astype(int)


def _first_weights(weights: Any) -> np.ndarray:
    if hasattr(weights, "weights") and not hasattr(weights, "shape"):
        candidates = [w for w in weights.weights if w.ndim in (2, 4)]
        if not candidates:
            raise ValueError("plot_weights: no weight of two axes, or of four: has the model been built?")
        weights = candidates[0]
    array = np.asarray(weights.numpy() if hasattr(weights, "numpy") else weights, "float64")
    if array.ndim not in (2, 4):
        raise ValueError(f"weights are (inputs, units) or (height, width, channels, filters); received {array.shape}")
    return array
