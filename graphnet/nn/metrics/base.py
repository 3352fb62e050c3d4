"""The base of metrics: running sums that a step updates in tensor code, and what they come to.

A metric's state are Parameters that do not learn (float64, so that a million small terms add up right); `update_state`
adds a batch, `result` gives the value since `reset_state`. Without weights every row counts the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import Configured, Table, snake
from graphnet.nn.losses import Loss, ratio, weights_like
from graphnet.nn.losses import table as loss_table
from graphnet.nn.targets import as_tensor

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

    def result(self) -> Any:
        """The value since the last reset: a tensor, or a dict of several."""
        raise NotImplementedError(f"{type(self).__name__} needs a method result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            variable.assign(self._start[variable])

    def logged(self) -> dict[str, Any]:
        """The result by name, as it stands in logs: a float, or an array if it has several values."""
        found = self.result()
        return {k: logged(v) for k, v in found.items()} if isinstance(found, dict) else {self.name: logged(found)}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def logged(value: Any) -> Any:
    """`value` as a float, or as an array of float32 if it has several numbers."""
    array = value.numpy() if isinstance(value, gn.Tensor) else np.asarray(value)
    return float(array.reshape(())) if array.size == 1 else array.astype(np.float32)


@table.add()
class Sum(Metric):
    """`sum(values * weights)` of all values since the reset.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.Sum()
    >>> m.update_state([1.0, 2.0]); m.update_state([6.0])
    >>> float(m.result())
    9.0
    """

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values = as_tensor(values)
        if sample_weight is not None:
            values = as_tensor(values, floating=True)
            values = values * weights_like(values, sample_weight)
        self.total.assign(self.total + gn.sum(values))

    def result(self) -> gn.Tensor:
        return gn.positive(self.total)


@table.add()
class Mean(Metric):
    """`sum(values * weights) / sum(weights)` of all values since the reset; 0 before the first.

    Values with several axes count by rows: the mean over all axes but the first is one value.

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
        each = max(1, math.prod(values.shape[1:]))  # values in a row
        if sample_weight is None:
            self.add(gn.sum(values) / each if each > 1 else gn.sum(values), float(values.size // each))
        else:
            values = as_tensor(values, floating=True)
            w = weights_like(values, sample_weight)
            total, count = gn.sum(values * w), gn.sum(gn.broadcast_to(w, values.shape) if values.ndim else w)
            self.add(total / each, count / each) if each > 1 else self.add(total, count)

    def add(self, total: gn.Tensor, count: gn.Tensor | float) -> None:
        """Add values whose sum and number are known."""
        self.total.assign(self.total + total)
        self.count.assign(self.count + count)

    def result(self) -> gn.Tensor:
        return ratio(self.total, self.count)


def worse_when_larger(fn: Any) -> bool:
    """Whether `fn` is one of the functions that losses are made of."""
    return isinstance(fn, Loss) or any(getattr(entry, "function", None) is fn for entry in loss_table.entries.values())


class MeanMetricWrapper(Mean):
    """The mean of what a function `fn(y_true, y_pred, **options)` gives for each row.

    `fn` can be a Loss: its values, without its reduction. Functions that losses are made of are better when smaller.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(name or getattr(fn, "name", None) or getattr(fn, "__name__", "metric"), dtype)
        self.fn = fn
        self.options = options
        if self.direction is None and worse_when_larger(fn):
            self.direction = "min"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        true, pred = as_tensor(y_true), as_tensor(y_pred)
        values = (self.fn.call if isinstance(self.fn, Loss) else self.fn)(true, pred, **self.options)
        counted = self.counted(true, as_tensor(values))
        if counted is not None:
            w = counted.astype(values.dtype)
            sample_weight = w if sample_weight is None else weights_like(values, sample_weight) * w
        super().update_state(values, sample_weight)

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        """Which of the values count at all, as booleans of their shape; None if all do."""
        return self.fn.counted(y_true, values) if isinstance(self.fn, Loss) else None


class FunctionMean(MeanMetricWrapper):
    """A MeanMetricWrapper whose function is part of the class."""

    function: Callable[..., Any]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(type(self).function, name or snake(type(self).__name__), dtype, **options)
