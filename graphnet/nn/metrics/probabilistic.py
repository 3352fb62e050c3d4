"""Means of losses between probabilities: cross-entropies, the Kullback-Leibler divergence, Poisson; and of hinges."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import losses
from graphnet.nn.losses.crossentropies import labels_counted
from graphnet.nn.metrics.base import FunctionMean, table


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
        axis: int = -1,
    ):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


@table.add("scce")
class SparseCategoricalCrossentropy(FunctionMean):
    """The mean cross-entropy of integer labels; rows labelled `ignore_class` do not count."""

    direction = "min"
    function = staticmethod(losses.sparse_categorical_crossentropy)

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        return None if self.ignore_class is None else labels_counted(y_true, values, self.ignore_class)


@table.add("ce")
class Crossentropy(FunctionMean):
    """The mean cross-entropy that fits the shapes."""

    direction = "min"
    function = staticmethod(losses.crossentropy)


@table.add("kld")
class KLDivergence(FunctionMean):
    """The mean of `sum(y_true * log(y_true / y_pred))`."""

    direction = "min"
    function = staticmethod(losses.kl_divergence)


@table.add()
class Poisson(FunctionMean):
    """The mean of `y_pred - y_true * log(y_pred)`."""

    direction = "min"
    function = staticmethod(losses.poisson)


@table.add()
class Hinge(FunctionMean):
    """The mean of `max(1 - y_true * y_pred, 0)`, for labels -1 and 1, or 0 and 1."""

    direction = "min"
    function = staticmethod(losses.hinge)


@table.add()
class SquaredHinge(FunctionMean):
    """The mean of `max(1 - y_true * y_pred, 0)**2`, for labels -1 and 1, or 0 and 1."""

    direction = "min"
    function = staticmethod(losses.squared_hinge)


@table.add()
class CategoricalHinge(FunctionMean):
    """The mean of the margin between the class and the largest of the others, for one-hot targets."""

    direction = "min"
    function = staticmethod(losses.categorical_hinge)
