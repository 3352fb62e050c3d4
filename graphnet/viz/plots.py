"""Curves of a training run, with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from graphnet.escape import plot
from graphnet.optional import optional
from graphnet.viz.figures import COLOURS, GREY, new_figure, target_of, write


def plot_history(history: Any, path: Any = None) -> Any:
    """The curves of loss and of each metric over the epochs, as a matplotlib Figure.

    `history` is what `fit` returned, or a dict of lists such as its `history.history`. Training is a full line,
    validation (`val_...`) a dashed one of the same colour, its best epoch marked. With `path` (.png, .svg, .pdf) the
    figure is written too; the file appears whole or not at all.

    Raises `ImportError` without matplotlib, `ValueError` if there is nothing to draw or for another ending.

    >>> figure = plot_history({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]})  # doctest: +SKIP
    """
    target = target_of(path)
    curves = _curves(history)
    names = sorted({name.removeprefix("val_") for name in curves}, key=lambda n: (n != "loss", n))
    if not names:
        raise ValueError("plot_history: nothing to draw yet: the history has no epochs with a loss or a metric")
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure = new_figure(4.8 * across, 3.5 * down)
    MaxNLocator = optional("matplotlib.ticker").MaxNLocator
    for place, name in enumerate(names):
        axes = figure.add_subplot(down, across, place + 1)
        colour = COLOURS[place % len(COLOURS)]
        for key, style, label in ((name, "-", "training"), ("val_" + name, (0, (4, 2)), "validation")):
            points = curves.get(key, ())
            if points:
                marker = "o" if len(points) == 1 else None
                axes.plot(*zip(*points, strict=True), ls=style, color=colour, label=label, lw=1.8, marker=marker)
        _mark_best(axes, curves.get("val_" + name, ()), name, colour)
        axes.set_title(plot(name.replace("_", " "), 60), fontsize=11)
        axes.set_xlabel("epoch", color=GREY)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=GREY)
        if "val_" + name in curves:
            axes.legend(frameon=False, fontsize=9)
    return write(figure, target)


def _curves(history: Any) -> dict[str, list[tuple[int, float]]]:
    """(epoch counted from 1, value) of every curve; an epoch without a value is left out."""
    if isinstance(history, Mapping):
        return {str(k): _finite(enumerate(v, 1)) for k, v in history.items() if _is_curve(str(k), v)}
    rows = history.rows
    return {
        key: _finite((row["epoch"] + 1, row[key]) for row in rows if key in row)
        for key, values in history.history.items()
        if _is_curve(key, values)
    }


def _is_curve(key: str, values: Any) -> bool:
    return key not in ("learning_rate", "lr") and isinstance(values, Sequence) and len(values) > 0


def _finite(points: Any) -> list[tuple[int, float]]:
    return [(epoch, float(v)) for epoch, v in points if math.isfinite(float(v))]


def _mark_best(axes: Any, points: Sequence[tuple[int, float]], name: str, colour: str) -> None:
    """The best validation value, written where it was reached: the lowest of losses and errors, else the highest."""
    if len(points) < 2:
        return
    low = any(word in name for word in ("loss", "error", "divergence", "entropy")) or name in ("mse", "mae", "rmse")
    epoch, value = (min if low else max)(points, key=lambda p: p[1])
    axes.scatter([epoch], [value], s=18, color=colour, zorder=3)
    left = epoch > (points[0][0] + points[-1][0]) / 2
    axes.annotate(
        f"{value:.3g}",
        (epoch, value),
        textcoords="offset points",
        xytext=(-4 if left else 4, -13 if low else 6),
        ha="right" if left else "left",
        fontsize=9,
        color=GREY,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )
    axes.margins(y=0.12)
