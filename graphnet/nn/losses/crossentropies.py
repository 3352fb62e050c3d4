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
from graphnet.nn.ranges import check_classes, check_one_hot, check_shares
from graphnet.nn.targets import labels_fit


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

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_one_hot(y, self.name)


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
        check_classes(y, pred[self.axis], self.name, ignore_class=self.ignore_class)


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
            check_classes(y, pred[-1], self.name)
        else:
            check_one_hot(y, self.name)
