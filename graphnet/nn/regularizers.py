"""Penalties on weights: functions from a tensor to one number that is added to the loss.

In Keras' words `L2(l)` adds `l * sum(w**2)`, whose gradient is `2 * l * w`. In the words of the library this one grew
from, `penalty="ridge", weight_penalty=l` has the gradient `l * w`: half of that (`Ridge`). `L1(l)` and `"lasso"` are
the same: `l * sum(|w|)`, with the gradient `l * sign(w)`.
"""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.nn.lookup import Configured, Table
from graphnet.nn.unit import unit

table = Table("regularizer")


def get(given: Any) -> Any:
    """The regularizer for a word (`"l2"`), a class or an object."""
    return table.get(given)


def strength(value: Any, what: str) -> float:
    """`value` as a number that is 0 or more, or an error that names `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{what} is a number, 0 or more; received {value!r}")
    return float(value)


class Regularizer(Configured):
    """Base class: calling it with a tensor gives the penalty."""

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__(w)")


@table.add("l1_l2", "l1l2")
class L1L2(Regularizer):
    """`l1 * sum(|w|) + l2 * sum(w**2)`."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = strength(l1, "L1L2: l1"), strength(l2, "L1L2: l2")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return self.l1 * gn.sum(gn.abs(w)) + self.l2 * gn.sum(w * w)


@table.add()
class L1(Regularizer):
    """`l1 * sum(|w|)`; its gradient is `l1 * sign(w)`."""

    def __init__(self, l1: float = 0.01):
        self.l1 = strength(l1, "L1: l1")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return self.l1 * gn.sum(gn.abs(w))


@table.add()
class L2(Regularizer):
    """`l2 * sum(w**2)`; its gradient is `2 * l2 * w`.

    >>> import graphnet as gn
    >>> round(float(gn.nn.regularizers.L2(0.01)(gn.tensor([[1.0, 1.0], [1.0, 1.0]]))), 6)
    0.04
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = strength(l2, "L2: l2")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return self.l2 * gn.sum(w * w)


@table.add()
class Ridge(Regularizer):
    """`penalty / 2 * sum(w**2)`; its gradient is `penalty * w`."""

    def __init__(self, penalty: float = 0.01):
        self.penalty = strength(penalty, "Ridge: penalty")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return (0.5 * self.penalty) * gn.sum(w * w)


@table.add()
class Lasso(Regularizer):
    """`penalty * sum(|w|)`; its gradient is `penalty * sign(w)`."""

    def __init__(self, penalty: float = 0.01):
        self.penalty = strength(penalty, "Lasso: penalty")

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        return self.penalty * gn.sum(gn.abs(w))


@table.add("orthogonal")
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean of `|cosine|` over the pairs of rows (or columns) of a matrix: 0 if all are orthogonal.

    Raises `ValueError` for an unknown mode, and for a weight that is no matrix.

    >>> import graphnet as gn
    >>> float(gn.nn.regularizers.OrthogonalRegularizer(0.5)(gn.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])).round(6))
    0.166667
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = strength(factor, "OrthogonalRegularizer: factor")
        if mode not in ("rows", "columns"):
            raise ValueError(f"OrthogonalRegularizer: mode is 'rows' or 'columns'; received {mode!r}")
        self.mode = mode

    def __call__(self, w: gn.Tensor) -> gn.Tensor:
        if w.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: the weight is a matrix; received one of shape {w.shape}")
        rows = unit(w if self.mode == "rows" else gn.transpose(w))
        size = rows.shape[0]
        if size == 1:
            return 0.0 * gn.sum(rows)
        cosines = gn.matmul(rows, gn.transpose(rows)) * (1.0 - gn.eye(size, dtype=w.dtype))  # (rows, rows)
        return (self.factor / (size * (size - 1))) * gn.sum(gn.abs(cosines))


# Their names in scripts for older versions of Keras.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
