"""The base of losses: values per row, weighed and reduced to one number.

`y_true` and `y_pred` are `(batch, ...)`; a loss function gives one value per row (the last axis is used up), and a Loss
object weighs and reduces them. `"sum_over_batch_size"` is `sum(values * weights) / number of values`, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import Configured, Table, checked_name, snake
from graphnet.nn.pairing import is_own, paired, returned
from graphnet.nn.ranges import weighing
from graphnet.nn.targets import as_tensor

table = Table("loss")
SUM = "sum_over_batch_size"
REDUCTIONS = (SUM, "sum", "mean_with_sample_weight", "mean", "none", None)


class Loss(Configured):
    """Base class: `call(y_true, y_pred)` gives values, calling the object weighs and reduces them to one number.

    `call` of a class of your own, or a function that is a loss, is handed targets and predictions of one rank where an
    axis of size one makes the difference, as `(batch,)` beside `(batch, 1)`. One that broadcasts the one against the
    other all the same raises `ValueError`. A weight of 0 leaves a value out, whatever it is.

    `reduction` is "sum_over_batch_size" (`sum(values * weights) / number of values`), "sum", "mean_with_sample_weight"
    (`sum(values * weights) / sum(weights)`) or None (the values). `dtype` is what predictions are cast to.

    Raises `ValueError` for an unknown reduction.
    """

    def __init__(self, name: str | None = None, reduction: str | None = SUM, dtype: Any = None):
        if reduction not in REDUCTIONS:
            raise ValueError(f"a reduction is one of {', '.join(map(repr, REDUCTIONS))}; received {reduction!r}")
        self.name = checked_name(name, type(self).__name__) or snake(type(self).__name__)
        self.reduction = reduction
        self.dtype = dtype

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        """The values, `(batch, ...)`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method call(y_true, y_pred)")

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        """Which of the values count at all, as booleans of their shape; None if all do."""
        return None

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        """Raise `ValueError` if the targets `y` can't be meant for predictions of shape `pred`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> gn.Tensor:
        true, pred = as_tensor(y_true), as_tensor(y_pred, floating=True)
        if self.dtype is not None:
            pred = pred.astype(self.dtype)
        if is_own(type(self)):
            true, pred = paired(self, self.call, true, pred)
        with weighing(sample_weight):
            values = returned(self, self.call(true, pred))
        if sample_weight is not None and getattr(values, "ndim", 0) == 0 and self.is_own:
            check_rows_left(self.name, sample_weight, "loss")
        return reduced(values, sample_weight, self.reduction, self.counted(true, values))

    @property
    def is_own(self) -> bool:
        """Whether its formula is a user's."""
        return is_own(type(self))

    def prepare(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> None:
        """Raise `ValueError` if targets and predictions of these shapes don't go together: by shapes alone."""
        if is_own(type(self)):
            paired(self, self.call, as_tensor(y_true), as_tensor(y_pred, floating=True))
        else:
            self(y_true, y_pred)


def check_rows_left(name: str, sample_weight: Any, role: str) -> None:
    """Raise `ValueError` for weights of rows where a function has made one number of all rows."""
    shape = np.shape(sample_weight)
    if shape not in ((), (1,)):
        raise ValueError(
            f"{role} {name!r} gives one number for the whole batch, so weights of shape {shape} (or a mask) can't say "
            "which rows count in it. Give a number for each row: take the mean over the last axis only, as in "
            "gn.mean(values, axis=-1)."
        )


def weights_like(values: gn.Tensor, sample_weight: Any) -> gn.Tensor:
    """`sample_weight` in the dtype of `values`, with axes of size one so that it broadcasts from the left."""
    w = sample_weight if isinstance(sample_weight, gn.Tensor) else gn.tensor(sample_weight)
    if w.dtype != values.dtype:
        w = w.astype(values.dtype)
    if values.ndim == 0:
        return w
    if w.ndim == values.ndim + 1 and w.shape[-1] == 1:
        w = gn.squeeze(w, -1)
    if w.ndim < values.ndim:
        w = gn.reshape(w, w.shape + (1,) * (values.ndim - w.ndim))
    if w.ndim > values.ndim or any(n not in (1, m) for n, m in zip(w.shape, values.shape, strict=True)):
        raise ValueError(f"sample_weight has shape {w.shape}; the values it weighs have shape {values.shape}")
    return w


def weighed(values: gn.Tensor, w: gn.Tensor) -> gn.Tensor:
    """`values * w`, and 0 where the weight is 0, even for values that are NaN or infinite."""
    return gn.where(gn.equal(w, 0.0), 0.0, values) * w


def ratio(a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
    """`a / b`, and 0 where `b` is 0."""
    none = gn.equal(b, 0.0)
    return gn.where(none, 0.0, a / gn.where(none, 1.0, b))


def reduced(
    values: gn.Tensor, sample_weight: Any = None, reduction: str | None = SUM, counted: gn.Tensor | None = None
) -> gn.Tensor:
    """`values`, weighed, as one number: over those that are `counted`, or all."""
    w = None if sample_weight is None else weights_like(values, sample_weight)
    if counted is not None:
        counted = counted.astype(values.dtype)
        w = counted if w is None else w * counted
    if w is not None:
        values = weighed(values, w)
    if reduction in (None, "none"):
        return values
    if reduction == "sum":
        return gn.sum(values)
    if reduction == "mean_with_sample_weight" and w is not None:
        return ratio(gn.sum(values), gn.sum(gn.broadcast_to(w, values.shape)))
    return gn.mean(values) if counted is None else ratio(gn.sum(values), gn.sum(counted))


class LossFunctionWrapper(Loss):
    """The loss whose values a function `fn(y_true, y_pred, **options)` gives."""

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name or getattr(fn, "__name__", "loss"), reduction, dtype)
        self.fn = fn
        self.options = kwargs

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        if is_own(self.fn):
            y_true, y_pred = paired(self, self._values, y_true, y_pred)
        return self._values(y_true, y_pred)

    @property
    def is_own(self) -> bool:
        return is_own(type(self)) or is_own(self.fn)

    def prepare(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> None:
        if is_own(self.fn):
            paired(self, self._values, as_tensor(y_true), as_tensor(y_pred, floating=True))

    def _values(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        values = returned(self, self.fn(y_true, y_pred, **self.options))
        return values if isinstance(values, gn.Tensor) else gn.tensor(values)


class FunctionLoss(Loss):
    """A Loss whose values `function(y_true, y_pred, **options)` gives; `options` names attributes of the object."""

    function: Callable[..., gn.Tensor]
    options: tuple[str, ...] = ()

    def __init__(self, reduction: str | None = SUM, name: str | None = None, dtype: Any = None):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
        return type(self).function(y_true, y_pred, **{name: getattr(self, name) for name in self.options})


def share(value: Any, what: str) -> float:
    """`value` as a number from 0 to 1, or an error that names `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{what} is a share from 0 to 1; received {value!r}")
    return value


def at_least(low: float, value: Any, what: str) -> float:
    """`value` as a finite number that is `low` or more, or an error that names `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < float("inf"):
        raise ValueError(f"{what} is a number, {low:g} or more; received {value!r}")
    return value
