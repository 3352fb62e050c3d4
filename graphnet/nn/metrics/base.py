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
from graphnet.nn import initializers
from graphnet.nn.lookup import Configured, Table, checked_name, snake
from graphnet.nn.losses import Loss, check_rows_left, ratio, weighed, weights_like
from graphnet.nn.losses import table as loss_table
from graphnet.nn.pairing import Broadcasts, is_own, paired, pairing, returned, unchanged
from graphnet.nn.ranges import weighing
from graphnet.nn.targets import as_tensor
from graphnet.nn.weights import held

table = Table("metric")


class Metric(Configured):
    """Base class: make state with `add_weight`, add a batch to it in `update_state`, compute from it in `result`.

    State changes by `assign`, `assign_add` and `assign_sub`. Metrics that are attributes, alone or in lists and dicts,
    and Parameters that are, are state too. `direction` says which way is better, "max" or "min" (None: not known).
    An `update_state` of your own is handed targets and predictions of one rank where an axis of size one makes the
    difference, as `(batch,)` beside `(batch, 1)`; one that broadcasts the one against the other all the same raises
    `ValueError`.

    >>> import graphnet as gn
    >>> class Largest(gn.nn.metrics.Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.top = self.add_weight(name="top", initializer="zeros")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.top.assign(gn.maximum(self.top, gn.max(y_pred)))
    ...     def result(self):
    ...         return self.top
    >>> float(Largest()([0.0], [3.0]))
    3.0
    """

    direction: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_own(cls) and "update_state" in cls.__dict__:
            cls.update_state = pairing(cls.__dict__["update_state"])  # type: ignore[method-assign]

    def __init__(self, name: str | None = None, dtype: Any = None):
        self.name = checked_name(name, type(self).__name__) or snake(type(self).__name__)
        self.dtype = dtype

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, gn.Parameter):
            self._note_start(value)
        super().__setattr__(name, value)

    def _note_start(self, variable: gn.Parameter) -> None:
        self.__dict__.setdefault("_start", {}).setdefault(variable, variable.detach().numpy().copy())

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
        *,
        value: float | None = None,
    ) -> gn.Parameter:
        """A new state Parameter, float64 unless given, that `reset_state` puts back to what it starts from.

        That is the number `value`, or what `initializer` gives. `aggregation` is there for code written for Keras, and
        changes nothing. A second text that names no initializer is the name, as in `add_variable((), "total")`.
        """
        if name is None and isinstance(initializer, str) and initializer not in initializers.table.entries:
            initializer, name = "zeros", initializer
        if "name" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: call super().__init__() before add_weight or add_variable.")
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else () if shape is None else (shape,)
        kind = np.dtype(dtype or np.float64)
        begin = "zeros" if initializer is None else initializer
        start = np.full(sizes, value, kind) if value is not None else initializers.get(begin)(sizes, dtype=kind)
        label = f"{self.name}/{name or 'state'}"
        variable = gn.Parameter(start, dtype=kind, name=label, trainable=False)
        self._note_start(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> gn.Parameter:
        """The same as `add_variable`, in Keras' other name for it."""
        if isinstance(shape, str):
            raise TypeError(
                f"{type(self).__name__}: add_weight takes (shape, initializer, dtype, name); received the text "
                f"{shape!r} as shape. Write add_weight(name={shape!r}, ...)."
            )
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[gn.Parameter]:
        """Its state: what `add_variable` made, Parameters that are attributes, and the state of metrics that are."""
        found = dict.fromkeys(self.__dict__.get("_start", {}))
        for metric in held(self, Metric):
            found.update(dict.fromkeys(metric.variables))
        return list(found)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update_state(y_true, y_pred, sample_weight)")

    def prepare(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> None:
        """Raise `ValueError` if targets and predictions of these shapes don't go together: by shapes alone."""
        try:
            with unchanged(self):
                gn.trace(lambda t, p: self.update_state(t, p), y_true, y_pred)
        except Exception as error:
            if not self.is_own or isinstance(error, Broadcasts):
                raise

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        """Raise `ValueError` if the targets `y` can't be meant for predictions of shape `pred`."""

    @property
    def is_own(self) -> bool:
        """Whether its formula is a user's."""
        return is_own(type(self))

    def result(self) -> Any:
        """The value since the last reset: a tensor, or a dict of several."""
        raise NotImplementedError(f"{type(self).__name__} needs a method result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable, start in self.__dict__.get("_start", {}).items():
            variable.assign(start)
        for metric in held(self, Metric):
            metric.reset_state()

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
            values = weighed(values, weights_like(values, sample_weight))
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
            total, count = gn.sum(weighed(values, w)), gn.sum(gn.broadcast_to(w, values.shape) if values.ndim else w)
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
        if self.is_own:
            true, pred = paired(self, self._values, true, pred)
        with weighing(sample_weight):
            values = self._values(true, pred)
        if self.is_own and sample_weight is not None and getattr(values, "ndim", 0) == 0:
            check_rows_left(self.name, sample_weight, "metric")
        counted = self.counted(true, as_tensor(values))
        if counted is not None:
            w = counted.astype(values.dtype)
            sample_weight = w if sample_weight is None else weights_like(values, sample_weight) * w
        super().update_state(values, sample_weight)

    @property
    def is_own(self) -> bool:
        return is_own(type(self)) or (self.fn.is_own if isinstance(self.fn, Loss) else is_own(self.fn))

    def _values(self, y_true: gn.Tensor, y_pred: gn.Tensor) -> Any:
        f = self.fn.call if isinstance(self.fn, Loss) else self.fn
        return returned(self, f(y_true, y_pred, **self.options))

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        """Which of the values count at all, as booleans of their shape; None if all do."""
        return self.fn.counted(y_true, values) if isinstance(self.fn, Loss) else None


class FunctionMean(MeanMetricWrapper):
    """A MeanMetricWrapper whose function is part of the class."""

    function: Callable[..., Any]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(type(self).function, name or snake(type(self).__name__), dtype, **options)
