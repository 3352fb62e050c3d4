"""Losses, in tensor code: values per row, then one number.

`y_true` and `y_pred` are `(batch, ...)`; a loss function gives one value per row (the last axis is used up), and a Loss
object weighs and reduces them. `"sum_over_batch_size"` is `sum(values * weights) / number of values`, as in Keras.
"""

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
from graphnet.nn.lookup import Configured, Table
from graphnet.nn.targets import labels_fit, last_mean, same_shape

table = Table("loss")
SUM = "sum_over_batch_size"
REDUCTIONS = (SUM, "sum", "mean_with_sample_weight", "mean", "none", None)


def mean_squared_error(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`mean((y_pred - y_true)**2)` over the last axis."""
    d = y_pred - same_shape(y_true, y_pred, "mean_squared_error")
    return last_mean(d * d)


def mean_absolute_error(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`mean(|y_pred - y_true|)` over the last axis."""
    return last_mean(gn.abs(y_pred - same_shape(y_true, y_pred, "mean_absolute_error")))


class Loss(Configured):
    """Base class: `call(y_true, y_pred)` gives values, calling the object weighs and reduces them to one number.

    `reduction` is "sum_over_batch_size" (`sum(values * weights) / number of values`), "sum", "mean_with_sample_weight"
    (`sum(values * weights) / sum(weights)`) or None (the values).
    """

    def __init__(self, name: str | None = None, reduction: str | None = SUM, dtype: Any = None):
        if reduction not in REDUCTIONS:
            raise ValueError(f"a reduction is one of {', '.join(map(repr, REDUCTIONS))}; received {reduction!r}")
        self.name = name or type(self).__name__
        self.reduction = reduction
        self.dtype = dtype

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        """The values, `(batch, ...)`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method call(y_true, y_pred)")

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        """Raise `ValueError` if the targets `y` can't be meant for predictions of shape `pred`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> gn.Tensor:
        values = self.call(as_tensor(y_true), as_tensor(y_pred, floating=True))
        return reduced(values, sample_weight, self.reduction)


def as_tensor(value: Any, floating: bool = False) -> gn.Tensor:
    """`value` as a tensor: numbers in Python lists, and integers where `floating`, become float32."""
    t = value if isinstance(value, gn.Tensor) else gn.tensor(value)
    listed = isinstance(value, (list, tuple, float)) and t.dtype.kind == "f"
    return t.astype("float32") if listed or (floating and t.dtype.kind != "f") else t


def weights_like(values: gn.Tensor, sample_weight: Any) -> gn.Tensor:
    """`sample_weight` in the dtype of `values`, with axes of size one so that it broadcasts from the left."""
    w = sample_weight if isinstance(sample_weight, gn.Tensor) else gn.tensor(sample_weight)
    if w.dtype != values.dtype:
        w = w.astype(values.dtype)
    if w.ndim == values.ndim + 1 and w.shape[-1] == 1:
        w = gn.squeeze(w, -1)
    if w.ndim < values.ndim:
        w = gn.reshape(w, w.shape + (1,) * (values.ndim - w.ndim))
    if w.ndim > values.ndim or any(n not in (1, m) for n, m in zip(w.shape, values.shape, strict=True)):
        raise ValueError(f"sample_weight has shape {w.shape}; the values it weighs have shape {values.shape}")
    return w


def reduced(values: gn.Tensor, sample_weight: Any = None, reduction: str | None = SUM) -> gn.Tensor:
    """`values`, weighed, as one number."""
    if sample_weight is not None:
        w = weights_like(values, sample_weight)
        values = values * w
    if reduction in (None, "none"):
        return values
    if reduction == "sum":
        return gn.sum(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return gn.sum(values) / gn.sum(gn.broadcast_to(w, values.shape))
    return gn.mean(values)


class LossFunctionWrapper(Loss):
    """The loss whose values a function `fn(y_true, y_pred)` gives."""

    def __init__(self, fn: Any, reduction: str | None = SUM, name: str | None = None):
        super().__init__(name or getattr(fn, "__name__", "loss"), reduction)
        self.fn = fn

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        values = self.fn(y_true, y_pred)
        return values if isinstance(values, gn.Tensor) else gn.tensor(values)


@table.add("mse")
class MeanSquaredError(Loss):
    """`mean((y_pred - y_true)**2)`."""

    def __init__(self, reduction: str | None = SUM, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return mean_squared_error(y_true, y_pred)


@table.add("mae")
class MeanAbsoluteError(Loss):
    """`mean(|y_pred - y_true|)`."""

    def __init__(self, reduction: str | None = SUM, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return mean_absolute_error(y_true, y_pred)


@table.add("cce")
class CategoricalCrossentropy(Loss):
    """`-sum(y_true * log(p))` for one-hot targets, from probabilities or logits.

    >>> import graphnet as gn
    >>> loss = gn.nn.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])), 5)
    1.17694
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = SUM,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.label_smoothing = from_logits, share(label_smoothing)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


@table.add("scce")
class SparseCategoricalCrossentropy(Loss):
    """`-log(p[label])` for integer labels, from probabilities or logits."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = SUM,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.ignore_class = from_logits, ignore_class

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        labels = y if self.ignore_class is None else y[y != self.ignore_class]
        if labels.size == 0:
            return
        if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
            odd = labels[labels != np.floor(labels)].flat[0]
            raise ValueError(f"loss='{self.name}' needs integer labels; the targets hold {odd:g}, which is not whole.")
        low, high = labels.min(), labels.max()
        if low < 0 or high >= pred[-1]:
            raise ValueError(
                f"loss='{self.name}' needs labels from 0 to {pred[-1] - 1}, one for each of the {pred[-1]} units of "
                f"the last layer; the targets go from {low:g} to {high:g}. Give the last layer {int(high) + 1} units, "
                "or number the classes from 0: np.unique(y, return_inverse=True)[1]."
            )


@table.add("bce")
class BinaryCrossentropy(Loss):
    """`mean(-y * log(p) - (1 - y) * log(1 - p))`, from probabilities or logits."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = SUM,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.label_smoothing = from_logits, share(label_smoothing)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        if y.size and (y.min() < 0 or y.max() > 1):
            raise ValueError(
                f"loss='{self.name}' needs targets from 0 to 1; these go from {y.min():g} to {y.max():g}. Use labels 0 "
                "and 1, or loss='sparse_categorical_crossentropy' for several classes."
            )


def share(value: float) -> float:
    """`label_smoothing`, checked."""
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"label_smoothing is a share from 0 to 1; received {value!r}")
    return value


@table.add("ce")
class Crossentropy(Loss):
    """The cross-entropy that fits the shapes: binary for one prediction per row, sparse for labels, or categorical."""

    def __init__(self, reduction: str | None = SUM, name: str = "crossentropy", dtype: Any = None):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return crossentropy(y_true, y_pred)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        if pred[-1] == 1:
            BinaryCrossentropy().check(y, pred)
        elif labels_fit(y.shape, pred):
            SparseCategoricalCrossentropy().check(y, pred)


def default_for(model: Any) -> Loss:
    """The loss where `compile` was given none, by the last activation: a cross-entropy after a softmax or sigmoid.

    Targets of a softmax can be labels or one-hot. Anything else is compared by squared error.
    """
    last = next((layer for layer in reversed(model.layers) if getattr(layer, "activation", None) is not None), None)
    word = getattr(last.activation, "__name__", "") if last is not None else ""
    return Crossentropy() if word == "softmax" else BinaryCrossentropy() if word == "sigmoid" else MeanSquaredError()


def get(given: Any) -> Loss | None:
    """The Loss for a word, a function of `(y_true, y_pred)`, a class or an object."""
    found = table.get(given)
    if found is None or isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found)
