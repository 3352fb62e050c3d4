"""Metrics: running sums that a step updates in tensor code, and what they come to.

A metric's state are Parameters that do not learn (float64, so that a million small terms add up right); `update_state`
adds a batch, `result` gives the value since `reset_state`. Without weights every row counts the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import losses
from graphnet.nn.lookup import Configured, Table, snake
from graphnet.nn.losses import as_tensor, weights_like
from graphnet.nn.targets import labels_fit, labels_of, same_shape, squeezed

table = Table("metric")


class Metric(Configured):
    """Base class: make state with `add_variable`, add a batch to it in `update_state`, compute from it in `result`.

    `direction` says which way is better, "max" or "min" (None: not known).
    """

    direction: str | None = None

    def __init__(self, name: str | None = None, dtype: Any = None):
        self.name = name or snake(type(self).__name__)
        self.dtype = dtype
        self.variables: list[gn.Parameter] = []

    def add_variable(self, shape: Any = (), name: str = "state", value: float = 0.0) -> gn.Parameter:
        """A new state Parameter that starts from `value`, and goes back to it in `reset_state`."""
        variable = gn.Parameter(np.full(shape, value, np.float64), name=f"{self.name}/{name}", trainable=False)
        self.variables.append(variable)
        self._start = {**getattr(self, "_start", {}), variable: variable.numpy().copy()}
        return variable

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update_state(y_true, y_pred, sample_weight)")

    def result(self) -> gn.Tensor:
        """The value since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} needs a method result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            variable.assign(self._start[variable])

    def __call__(self, *args: Any, **kwargs: Any) -> gn.Tensor:
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


@table.add()
class Mean(Metric):
    """`sum(values * weights) / sum(weights)` of all values since the reset; 0 before the first.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.Mean()
    >>> m.update_state([1.0, 2.0]); m.update_state([6.0])
    >>> float(m.result())
    3.0
    """

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values = as_tensor(values)
        if sample_weight is None:
            self.add(gn.sum(values), float(values.size))
        else:
            w = weights_like(values, sample_weight)
            self.add(gn.sum(values * w), gn.sum(gn.broadcast_to(w, values.shape)))

    def add(self, total: gn.Tensor, count: gn.Tensor | float) -> None:
        """Add values whose sum and number are known."""
        self.total.assign(self.total + total)
        self.count.assign(self.count + count)

    def result(self) -> gn.Tensor:
        return gn.where(
            gn.equal(self.count, 0.0), 0.0, self.total / gn.where(gn.equal(self.count, 0.0), 1.0, self.count)
        )


class MeanMetricWrapper(Mean):
    """The mean of what a function `fn(y_true, y_pred, **options)` gives for each row."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self.fn = fn
        self.options = options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        super().update_state(self.fn(as_tensor(y_true), as_tensor(y_pred), **self.options), sample_weight)


def row_mean(hits: gn.Tensor) -> gn.Tensor:
    """Booleans as float32, averaged over all axes but the first."""
    values = hits.astype("float32")
    return values if values.ndim < 2 else gn.mean(values, axis=tuple(range(1, values.ndim)))


def binary_accuracy(y_true: gn.Tensor, y_pred: gn.Tensor, threshold: float = 0.5) -> gn.Tensor:
    """1 where `y_pred > threshold` says what `y_true` says; exactly the threshold is class 0."""
    return row_mean(gn.equal(same_shape(y_true, y_pred, "binary_accuracy"), gn.greater(y_pred, threshold)))


def categorical_accuracy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """1 where the largest of `y_pred` is at the largest of `y_true`; the first of equals counts."""
    y_true = same_shape(y_true, y_pred, "categorical_accuracy")
    return gn.equal(gn.argmax(y_true, axis=-1), gn.argmax(y_pred, axis=-1)).astype("float32")


def sparse_categorical_accuracy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """1 where the largest of `y_pred` is at the label; the first of equals counts."""
    return gn.equal(labels_of(y_true, y_pred), gn.argmax(y_pred, axis=-1)).astype("float32")


def exact_accuracy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """1 where `y_pred` equals `y_true`."""
    return row_mean(gn.equal(squeezed(y_true, y_pred), y_pred))


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


class FunctionMean(MeanMetricWrapper):
    """A MeanMetricWrapper whose function is part of the class."""

    function: Callable[..., Any]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(type(self).function, name or snake(type(self).__name__), dtype, **options)


class Accuracy(FunctionMean):
    """The share of elements of `y_pred` that equal `y_true`."""

    direction = "max"
    function = staticmethod(exact_accuracy)


@table.add()
class BinaryAccuracy(FunctionMean):
    """The share of elements where `y_pred > threshold` says what `y_true` (0 or 1) says."""

    direction = "max"
    function = staticmethod(binary_accuracy)

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5):
        super().__init__(name, dtype, threshold=threshold)
        self.threshold = threshold


@table.add()
class CategoricalAccuracy(FunctionMean):
    """The share of rows whose largest prediction is the class, for one-hot targets."""

    direction = "max"
    function = staticmethod(categorical_accuracy)


@table.add()
class SparseCategoricalAccuracy(FunctionMean):
    """The share of rows whose largest prediction is the class, for integer labels."""

    direction = "max"
    function = staticmethod(sparse_categorical_accuracy)


@table.add("acc", "accuracy")
class FittingAccuracy(FunctionMean):
    """The accuracy that fits the shapes: what the word "accuracy" means."""

    direction = "max"
    function = staticmethod(fitting_accuracy)


@table.add()
class ZeroOneLoss(FunctionMean):
    """The share of rows that are predicted wrongly: 1 minus the accuracy that fits the shapes."""

    direction = "min"
    function = staticmethod(zero_one_loss)


@table.add("mse")
class MeanSquaredError(FunctionMean):
    """The mean of `(y_pred - y_true)**2`."""

    direction = "min"
    function = staticmethod(losses.mean_squared_error)


@table.add("mae")
class MeanAbsoluteError(FunctionMean):
    """The mean of `|y_pred - y_true|`."""

    direction = "min"
    function = staticmethod(losses.mean_absolute_error)


@table.add("cce")
class CategoricalCrossentropy(FunctionMean):
    """The mean cross-entropy of one-hot targets."""

    direction = "min"
    function = staticmethod(losses.categorical_crossentropy)

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


@table.add("scce")
class SparseCategoricalCrossentropy(FunctionMean):
    """The mean cross-entropy of integer labels."""

    direction = "min"
    function = staticmethod(losses.sparse_categorical_crossentropy)

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
    ):
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class)
        self.from_logits, self.ignore_class = from_logits, ignore_class


@table.add("bce")
class BinaryCrossentropy(FunctionMean):
    """The mean cross-entropy of targets that are 0 or 1."""

    direction = "min"
    function = staticmethod(losses.binary_crossentropy)

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


@table.add("ce")
class Crossentropy(FunctionMean):
    """The mean cross-entropy that fits the shapes."""

    direction = "min"
    function = staticmethod(losses.crossentropy)


def get(given: Any) -> Metric:
    """The Metric for a word, a function of `(y_true, y_pred)`, a class or an object; a word is its name in the logs."""
    if isinstance(given, str):
        return table.find(given)(name=given)
    found = table.get(given)
    if isinstance(found, Metric):
        return found
    if found is None:
        raise TypeError(
            f"a metric is one of the words {', '.join(table.words)}, a function or an object; received None"
        )
    return MeanMetricWrapper(found)
