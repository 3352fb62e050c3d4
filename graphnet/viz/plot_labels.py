"""Which class is taken for which: the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.viz.figures import GREY, new_figure, target_of, write


def confusion_matrix(y_true: Any, y_pred: Any) -> np.ndarray:
    """The counts (classes, classes): row i, column j says how many of class i were taken for j.

    Both are class numbers (n,), or (n, classes), of which the largest counts; one column of `y_pred` that is from 0
    to 1 is a probability. Or both are names of classes, which are sorted.

    Raises `ValueError` if their lengths differ, a class is no whole number from 0 on, or only one of them is names.

    >>> confusion_matrix([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    array([[1, 0],
           [1, 1]])
    """
    return _counted(y_true, y_pred)[0]


def _counted(y_true: Any, y_pred: Any) -> tuple[np.ndarray, list[str] | None]:
    """The confusion matrix, and the names of the classes where these were given."""
    if (found := _named(y_true, y_pred)) is not None:
        y_true, y_pred, names = found
    else:
        names = None
    true, width = _classes(y_true, "y_true")
    guessed, other = _classes(y_pred, "y_pred")
    if len(true) != len(guessed):
        raise ValueError(f"y_true has {len(true)} rows, y_pred {len(guessed)}")
    count = max(width, other, *(int(c.max()) + 1 for c in (true, guessed) if len(c)), 1)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (true, guessed), 1)
    return matrix, names


def _named(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
    """Both as numbers, and the names that these stand for, if they are names."""
    both = [np.asarray(y.numpy() if hasattr(y, "numpy") else y) for y in (y_true, y_pred)]
    texts = [y.dtype.kind in "UST" or (y.dtype.kind == "O" and any(isinstance(v, str) for v in y.flat)) for y in both]
    if not any(texts):
        return None
    if not all(texts):
        raise ValueError(
            f"{'y_true' if texts[0] else 'y_pred'} holds names of classes, {'y_pred' if texts[0] else 'y_true'} does "
            "not: make names of it, as in classes[model.predict(x).argmax(1)] with classes, y = np.unique(names, "
            "return_inverse=True)"
        )
    names, numbers = np.unique(np.concatenate([y.reshape(-1).astype(str) for y in both]), return_inverse=True)
    count = both[0].size
    return numbers[:count], numbers[count:], names.tolist()


def plot_confusion(
    y_true: Any, y_pred: Any, path: Any = None, *, names: Sequence[str] | None = None, normalize: bool = False
) -> Any:
    """The confusion matrix as a Figure: rows are the true classes, columns the answers, mistakes in red.

    Arguments as for `confusion_matrix`; `names` are those of the classes, `normalize` shows the fraction of each row.

    >>> plot_confusion([0, 1, 1], [0, 1, 0], names=["cat", "dog"])  # doctest: +SKIP
    """
    target = target_of(path)
    counts, found = _counted(y_true, y_pred)
    names = found if names is None else names
    n = len(counts)
    if names is not None and len(names) < n:
        raise ValueError(f"there are {n} classes; received {len(names)} names")
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = [str(name).replace("$", r"\$") for name in (range(n) if names is None else names)][:n]
    side = min(12.0, max(3.6, 1.6 + 0.48 * n))
    figure = new_figure(side, side)
    axes = figure.add_subplot()
    colours = np.ones((n, n, 3))
    right, wrong = np.array([0x2F, 0x85, 0x5A]) / 255, np.array([0xC0, 0x39, 0x2B]) / 255
    for i in range(n):
        for j in range(n):
            # A few mistakes should be seen beside many right answers.
            strength = shares[i, j] ** 0.5 * 0.75
            colours[i, j] = 1 - (1 - (right if i == j else wrong)) * strength
    axes.imshow(colours)
    size = max(5.0, min(10.0, 110 / n))
    for i in range(n):
        for j in range(n):
            if counts[i, j] and n <= 40:
                text = f"{shares[i, j]:.0%}" if normalize else f"{counts[i, j]:,}"
                axes.text(j, i, text, ha="center", va="center", fontsize=size, color="#1a202c")
    axes.set_xticks(range(n), labels, rotation=90 if max(map(len, labels)) > 3 else 0, fontsize=size)
    axes.set_yticks(range(n), labels, fontsize=size)
    axes.set_xlabel("answer", color=GREY)
    axes.set_ylabel("true class", color=GREY)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    total = int(counts.sum())
    axes.set_title(f"{np.trace(counts):,} of {total:,} right ({np.trace(counts) / max(total, 1):.1%})", fontsize=10)
    return write(figure, target)


def _classes(y: Any, what: str) -> tuple[np.ndarray, int]:
    """Class numbers, and the number of columns they came from."""
    array = np.asarray(y.numpy() if hasattr(y, "numpy") else y)
    width = 0
    if array.ndim == 2 and array.shape[1] > 1:
        width = array.shape[1]
        array = array.argmax(1)
    array = array.reshape(-1)
    if array.dtype.kind == "f":
        if len(array) and ((array >= 0) & (array <= 1)).all() and not np.isin(array, (0.0, 1.0)).all():
            array = array > 0.5
        elif not np.equal(array, np.floor(array)).all():
            raise ValueError(f"{what}: classes are whole numbers from 0 on, or rows with a number for each class")
    array = array.astype(int)
    if len(array) and array.min() < 0:
        raise ValueError(f"{what}: classes are whole numbers from 0 on; received {array.min()}")
    return array, width
