"""Losses, in tensor code: values per row, then one number.

`y_true` and `y_pred` are `(batch, ...)`; a loss function gives one value per row (the last axis is used up), and a Loss
object weighs and reduces them. `"sum_over_batch_size"` is `sum(values * weights) / number of values`, as in Keras.

A cross-entropy that takes probabilities uses the numbers that went into the final softmax or sigmoid, where the
prediction is exactly the output of one. Value and gradient are then right however far the prediction is off; Keras'
formula from probabilities, which clips them to [1e-7, 1 - 1e-7] and has no gradient beyond, is used otherwise. The two
agree wherever Keras does not clip.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import Configured, Table

EPSILON = 1e-7
table = Table("loss")
SUM = "sum_over_batch_size"
REDUCTIONS = (SUM, "sum", "mean_with_sample_weight", "mean", "none", None)


def softmax_input(y: gn.Tensor) -> gn.Tensor | None:
    """The tensor that `y` is the softmax of (over the last axis), if `y` is exactly that."""
    region = y.region
    if y.op is None or region is None or region.kind != "softmax":
        return y.inputs[0] if y.op is not None and y.op.name == "softmax" and _last_axis(y, y.attrs) else None
    if not _last_axis(y, region.attrs):
        return None
    entering: dict[gn.Tensor, None] = {}
    waiting, seen = [y], {y}
    while waiting:
        for t in waiting.pop().inputs:
            if t in seen:
                continue
            seen.add(t)
            if t.op is not None and t.region is region:
                waiting.append(t)
            elif t.shape == y.shape:
                entering[t] = None
            elif t.op is not None or isinstance(t, gn.Parameter):
                return None
    return next(iter(entering)) if len(entering) == 1 else None


def _last_axis(y: gn.Tensor, attrs: dict[str, Any]) -> bool:
    axis = attrs.get("axis", -1)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    return axis in (-1, y.ndim - 1)


def sigmoid_input(y: gn.Tensor) -> gn.Tensor | None:
    """The tensor that `y` is the sigmoid of, if `y` is exactly that."""
    return y.inputs[0] if y.op is not None and y.op.name == "sigmoid" else None


def clipped(p: gn.Tensor) -> gn.Tensor:
    """Probabilities away from 0 and 1, where the logarithm is finite."""
    return gn.clip(p, EPSILON, 1 - EPSILON)


def log_probabilities(y_pred: gn.Tensor, from_logits: bool) -> gn.Tensor:
    """The logarithms of the class probabilities, over the last axis."""
    logits = y_pred if from_logits else softmax_input(y_pred)
    if logits is not None:
        return gn.log_softmax(logits)
    return gn.log(clipped(y_pred / gn.sum(y_pred, axis=-1, keepdims=True)))


def squeezed(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`y_true` with an axis of size one added or taken away, where that gives it the rank of `y_pred`."""
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
        return gn.expand_dims(y_true, -1)
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return gn.squeeze(y_true, -1)
    return y_true


def same_shape(y_true: gn.Tensor, y_pred: gn.Tensor, what: str) -> gn.Tensor:
    """`y_true` in the shape and dtype of `y_pred`; nothing broadcasts."""
    y_true = squeezed(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(mismatch(what, y_true.shape, y_pred.shape, y_true.dtype.kind))
    return y_true if y_true.dtype == y_pred.dtype else y_true.astype(y_pred.dtype)


def mismatch(what: str, true: tuple[int, ...], pred: tuple[int, ...], kind: str = "f") -> str:
    """What is wrong with targets of shape `true` for predictions of shape `pred`, and what to do."""
    n = "N" if not pred else str(pred[0])
    if what == "categorical_crossentropy" and (len(true) == len(pred) - 1 or true == (*pred[:-1], 1)):
        labels = "int labels" if kind in "iub" else "targets"
        return (
            f"loss='{what}' needs one-hot y of shape ({n}, {pred[-1]}); got {labels} of shape {true}. "
            f"Use loss='sparse_categorical_crossentropy', or y = gn.nn.to_categorical(y, {pred[-1]})."
        )
    if what == "sparse_categorical_crossentropy":
        return (
            f"loss='{what}' needs integer labels of shape {pred[:-1]}; got targets of shape {true}. "
            f"{'Use loss=' + repr('categorical_crossentropy') + ', or y = y.argmax(-1).' if true == pred else ''}"
        ).rstrip()
    return (
        f"loss='{what}' compares targets and predictions element by element: the model gives {pred}, the targets are "
        f"{true}. Give targets of shape {pred}, or a last layer with {true[-1] if len(true) > 1 else 1} units."
    )


def mean_squared_error(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`mean((y_pred - y_true)**2)` over the last axis."""
    d = y_pred - same_shape(y_true, y_pred, "mean_squared_error")
    return last_mean(d * d)


def mean_absolute_error(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`mean(|y_pred - y_true|)` over the last axis."""
    return last_mean(gn.abs(y_pred - same_shape(y_true, y_pred, "mean_absolute_error")))


def categorical_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, label_smoothing: float = 0.0
) -> gn.Tensor:
    """`-sum(y_true * log(p))` over the last axis, for one-hot targets or any class probabilities.

    `label_smoothing` s puts `y * (1 - s) + s / classes` in place of y.
    """
    y_true = same_shape(y_true, y_pred, "categorical_crossentropy")
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return -gn.sum(y_true * log_probabilities(y_pred, from_logits), axis=-1)


def sparse_categorical_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, ignore_class: int | None = None
) -> gn.Tensor:
    """`-log(p[label])`, for integer labels; 0 for rows with the label `ignore_class`."""
    labels = labels_of(y_true, y_pred)
    log_p = log_probabilities(y_pred, from_logits)
    return -gn.sum(gn.where(one_hot(labels, y_pred.shape[-1]), log_p, 0.0), axis=-1) * (
        1.0 if ignore_class is None else gn.not_equal(labels, ignore_class).astype(y_pred.dtype)
    )


def labels_of(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """Integer labels of shape `y_pred.shape[:-1]`."""
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = gn.squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(mismatch("sparse_categorical_crossentropy", y_true.shape, y_pred.shape))
    return y_true


def one_hot(labels: gn.Tensor, classes: int) -> gn.Tensor:
    """True at each row's label: `(batch, ...)` to `(batch, ..., classes)`."""
    return gn.equal(gn.expand_dims(labels, -1), _classes(classes))


@lru_cache(maxsize=64)
def _classes(count: int) -> gn.Tensor:
    return gn.tensor(np.arange(count, dtype=np.int32))


def binary_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, label_smoothing: float = 0.0
) -> gn.Tensor:
    """`mean(-y * log(p) - (1 - y) * log(1 - p))` over the last axis.

    `label_smoothing` s puts `y * (1 - s) + s / 2` in place of y. From logits z it is `mean(softplus(z) - y * z)`.
    """
    y = same_shape(y_true, y_pred, "binary_crossentropy")
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / 2
    z = y_pred if from_logits else sigmoid_input(y_pred)
    if z is not None:
        return last_mean(gn.softplus(z) - y * z)
    p = clipped(y_pred)
    return -last_mean(y * gn.log(p) + (1 - y) * gn.log(1 - p))


def last_mean(values: gn.Tensor) -> gn.Tensor:
    """The mean over the last axis; values without an axis but the batch stay."""
    return gn.mean(values, axis=-1) if values.ndim > 1 else values


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
                f"loss='{self.name}' needs labels from 0 to {pred[-1] - 1}, one for each of the {pred[-1]} units of the "
                f"last layer; the targets go from {low:g} to {high:g}. Give the last layer {int(high) + 1} units, or "
                "number the classes from 0: np.unique(y, return_inverse=True)[1]."
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
    """The cross-entropy that fits the shapes: binary for one prediction per row, sparse for labels, else categorical."""

    def __init__(self, reduction: str | None = SUM, name: str = "crossentropy", dtype: Any = None):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return crossentropy(y_true, y_pred)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        if pred[-1] == 1:
            BinaryCrossentropy().check(y, pred)
        elif labels_fit(y.shape, pred):
            SparseCategoricalCrossentropy().check(y, pred)


def crossentropy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """The cross-entropy that fits the shapes."""
    if y_pred.shape[-1] == 1:
        return binary_crossentropy(y_true, y_pred)
    fitting = sparse_categorical_crossentropy if labels_fit(y_true.shape, y_pred.shape) else categorical_crossentropy
    return fitting(y_true, y_pred)


def labels_fit(true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
    """Whether targets of shape `true` are labels for predictions of shape `pred`."""
    return len(true) < len(pred) or (true[-1] == 1 and pred[-1] > 1)


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
