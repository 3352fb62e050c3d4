"""Accuracies: the share of rows, or of elements, that are predicted rightly."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.metrics.base import FunctionMean, table
from graphnet.nn.ranges import check_classes, check_one_hot, check_shares
from graphnet.nn.targets import as_tensor, compared, labels_fit, labels_of, one_hot, same_shape


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> gn.Tensor:
    """1 for each element whose `y_pred > threshold` says what `y_true` says; exactly the threshold is class 0."""
    y, p = compared(y_true, y_pred, "binary_accuracy", "metric")
    check_shares(y, "binary_accuracy", "metric")
    return gn.equal(y, gn.greater(p, threshold)).astype("float32")


def categorical_accuracy(y_true: Any, y_pred: Any) -> gn.Tensor:
    """1 where the largest of `y_pred` is at the largest of `y_true`; the first of equals counts."""
    y, p = compared(y_true, y_pred, "categorical_accuracy", "metric")
    check_one_hot(y, "categorical_accuracy", "metric")
    return gn.equal(gn.argmax(y, axis=-1), gn.argmax(p, axis=-1)).astype("float32")


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> gn.Tensor:
    """1 where the largest of `y_pred` is at the label; the first of equals counts."""
    p = as_tensor(y_pred)
    labels = labels_of(as_tensor(y_true), p, "sparse_categorical_accuracy", role="metric")
    return gn.equal(labels, gn.argmax(p, axis=-1)).astype("float32")


def in_top(hot: gn.Tensor, y_pred: gn.Tensor, k: int) -> gn.Tensor:
    """1 where fewer than `k` predictions are larger than the one at `hot`, which is True once in each row."""
    own = gn.sum(gn.where(hot, y_pred, 0.0), axis=-1, keepdims=True)
    larger = gn.logical_not(gn.less_equal(y_pred, own))  # NaN is larger, and has larger ones
    return gn.less(gn.sum(larger.astype("int32"), axis=-1), k).astype("float32")


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> gn.Tensor:
    """1 where fewer than `k` predictions are larger than the one of the class, for one-hot targets."""
    y, p = compared(y_true, y_pred, "top_k_categorical_accuracy", "metric")
    check_one_hot(y, "top_k_categorical_accuracy", "metric")
    return in_top(one_hot(gn.argmax(y, axis=-1), p.shape[-1]), p, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> gn.Tensor:
    """1 where fewer than `k` predictions are larger than the one of the label.

    With `from_sorted_ids` the predictions are class numbers, the likeliest first.
    """
    p = as_tensor(y_pred)
    labels = labels_of(
        as_tensor(y_true), p, "sparse_top_k_categorical_accuracy", role="metric", numbered=not from_sorted_ids
    )
    if from_sorted_ids:
        return gn.any(gn.equal(gn.expand_dims(labels, -1), p[..., :k]), axis=-1).astype("float32")
    return in_top(one_hot(labels, p.shape[-1]), p, k)


def exact_accuracy(y_true: Any, y_pred: Any) -> gn.Tensor:
    """1 for each element of `y_pred` that equals `y_true`."""
    p = as_tensor(y_pred)
    return gn.equal(same_shape(as_tensor(y_true), p, "accuracy", "metric"), p).astype("float32")


def fitting_accuracy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """The accuracy of each row that fits the shapes.

    One prediction per row is binary; targets with an axis less, or with one value where the prediction has several,
    are labels; anything else is one-hot.
    """
    if y_pred.shape[-1] == 1:
        return binary_accuracy(y_true, y_pred)
    labels = labels_fit(y_true.shape, y_pred.shape)
    return (sparse_categorical_accuracy if labels else categorical_accuracy)(y_true, y_pred)


def zero_one_loss(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """1 for each row that is predicted wrongly."""
    return 1.0 - fitting_accuracy(y_true, y_pred)


class Accuracy(FunctionMean):
    """The share of elements of `y_pred` that equal `y_true`."""

    direction = "max"
    function = staticmethod(exact_accuracy)


@table.add()
class BinaryAccuracy(FunctionMean):
    """The share of elements where `y_pred > threshold` says what `y_true` (0 or 1) says.

    >>> import graphnet as gn
    >>> float(gn.nn.metrics.BinaryAccuracy()([[0.0], [1.0]], [[0.5], [0.9]]))
    1.0
    """

    direction = "max"
    function = staticmethod(binary_accuracy)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name, "metric")

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5):
        super().__init__(name, dtype, threshold=threshold)
        self.threshold = threshold


@table.add()
class CategoricalAccuracy(FunctionMean):
    """The share of rows whose largest prediction is the class, for one-hot targets."""

    direction = "max"
    function = staticmethod(categorical_accuracy)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_one_hot(y, self.name, "metric")


@table.add()
class SparseCategoricalAccuracy(FunctionMean):
    """The share of rows whose largest prediction is the class, for integer labels."""

    direction = "max"
    function = staticmethod(sparse_categorical_accuracy)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_classes(y, pred[-1], self.name, "metric")


def first_few(k: Any, what: str) -> int:
    """`k` as a whole number of 1 or more, or an error that names `what`."""
    if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
        raise ValueError(f"{what}: k is a whole number, 1 or more; received {k!r}")
    return int(k)


@table.add()
class TopKCategoricalAccuracy(FunctionMean):
    """The share of rows whose class is among the `k` largest predictions, for one-hot targets.

    Equal predictions count for the row: the class is among the k largest if fewer than k are larger.

    >>> import graphnet as gn
    >>> float(gn.nn.metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.5, 0.1, 0.4]]))
    0.5
    """

    direction = "max"
    function = staticmethod(top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None):
        self.k = first_few(k, "TopKCategoricalAccuracy")
        super().__init__(name, dtype, k=self.k)


@table.add()
class SparseTopKCategoricalAccuracy(FunctionMean):
    """The share of rows whose label is among the `k` largest predictions.

    With `from_sorted_ids` the predictions are class numbers, the likeliest first.
    """

    direction = "max"
    function = staticmethod(sparse_top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False):
        self.k, self.from_sorted_ids = first_few(k, "SparseTopKCategoricalAccuracy"), from_sorted_ids
        super().__init__(name, dtype, k=self.k, from_sorted_ids=from_sorted_ids)


@table.add("acc", "accuracy")
class FittingAccuracy(FunctionMean):
    """The accuracy that fits the shapes: what the word "accuracy" means."""

    direction = "max"
    function = staticmethod(fitting_accuracy)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        if pred[-1] == 1:
            check_shares(y, self.name, "metric")
        elif labels_fit(y.shape, pred):
            check_classes(y, pred[-1], self.name, "metric")
        else:
            check_one_hot(y, self.name, "metric")


@table.add()
class ZeroOneLoss(FunctionMean):
    """The share of rows that are predicted wrongly: 1 minus the accuracy that fits the shapes."""

    direction = "min"
    function = staticmethod(zero_one_loss)
