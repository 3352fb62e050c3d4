"""Cross-entropies as losses: the formulas of `graphnet.nn.crossentropy`, with checks of the targets."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy,
    sparse_categorical_crossentropy,
)
from graphnet.nn.losses.base import SUM, FunctionLoss, share, table
from graphnet.nn.targets import labels_fit


def check_labels(y: np.ndarray, classes: int, name: str, ignore_class: int | None = None) -> None:
    """Raise `ValueError` unless `y` holds whole numbers from 0 to `classes - 1`."""
    labels = y if ignore_class is None else y[y != ignore_class]
    if labels.size == 0:
        return
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
        odd = labels[labels != np.floor(labels)].flat[0]
        raise ValueError(f"loss='{name}' needs integer labels; the targets hold {odd:g}, which is not whole.")
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise ValueError(
            f"loss='{name}' needs labels from 0 to {classes - 1}, one for each of the {classes} units of the last "
            f"layer; the targets go from {low:g} to {high:g}. Give the last layer {int(high) + 1} units, or number "
            "the classes from 0: np.unique(y, return_inverse=True)[1]."
        )


def outside(y: np.ndarray) -> bool:
    """Whether a number of `y` is outside of 0 to 1 by more than rounding."""
    return bool(y.size and (y.min() < -1e-5 or y.max() > 1 + 1e-5))


def check_shares(y: np.ndarray, name: str) -> None:
    """Raise `ValueError` unless `y` holds numbers from 0 to 1, give or take rounding."""
    if outside(y):
        raise ValueError(
            f"loss='{name}' needs targets from 0 to 1; these go from {y.min():g} to {y.max():g}. Use labels 0 "
            "and 1, or loss='sparse_categorical_crossentropy' for several classes."
        )


@table.add("cce")
class CategoricalCrossentropy(FunctionLoss):
    """`-sum(y_true * log(p))` for one-hot targets, from probabilities or logits, with the classes along `axis`.

    >>> import graphnet as gn
    >>> loss = gn.nn.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])), 5)
    1.17694
    """

    function = staticmethod(categorical_crossentropy)
    options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = share(label_smoothing, "label_smoothing")


@table.add("scce")
class SparseCategoricalCrossentropy(FunctionLoss):
    """`-log(p[label])` for integer labels, from probabilities or logits; rows labelled `ignore_class` do not count."""

    function = staticmethod(sparse_categorical_crossentropy)
    options = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        return None if self.ignore_class is None else labels_counted(y_true, values, self.ignore_class)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_labels(y, pred[self.axis], self.name, self.ignore_class)


def labels_counted(y_true: gn.Tensor, values: gn.Tensor, ignore_class: int) -> gn.Tensor:
    """Where the label is not `ignore_class`, in the shape of `values`."""
    return gn.reshape(gn.not_equal(y_true, ignore_class), values.shape)


@table.add("bce")
class BinaryCrossentropy(FunctionLoss):
    """`mean(-y * log(p) - (1 - y) * log(1 - p))`, from probabilities or logits."""

    function = staticmethod(binary_crossentropy)
    options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = share(label_smoothing, "label_smoothing")

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name)


@table.add("ce")
class Crossentropy(FunctionLoss):
    """The cross-entropy that fits the shapes: binary for one prediction per row, sparse for labels, or categorical."""

    function = staticmethod(crossentropy)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        if pred[-1] == 1:
            check_shares(y, self.name)
        elif labels_fit(y.shape, pred):
            check_labels(y, pred[-1], self.name)
