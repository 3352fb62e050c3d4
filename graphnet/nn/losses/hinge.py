"""Hinge losses: a margin to keep, for labels -1 and 1 (or 0 and 1) and for one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.losses.base import FunctionLoss, table
from graphnet.nn.ranges import check_one_hot, check_signs
from graphnet.nn.targets import compared, mean_along


def signs(y: gn.Tensor) -> gn.Tensor:
    """`y`, or `2 * y - 1` if every number of `y` is 0 or 1."""
    binary = gn.all(gn.logical_or(gn.equal(y, 0.0), gn.equal(y, 1.0)))
    return gn.where(binary, 2.0 * y - 1.0, y)


def hinge(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean(max(1 - y_true * y_pred, 0))` over the last axis, for labels -1 and 1, or 0 and 1."""
    y, p = compared(y_true, y_pred, "hinge")
    check_signs(y, "hinge")
    return mean_along(gn.maximum(1.0 - signs(y) * p, 0.0))


def squared_hinge(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean(max(1 - y_true * y_pred, 0)**2)` over the last axis, for labels -1 and 1, or 0 and 1."""
    y, p = compared(y_true, y_pred, "squared_hinge")
    check_signs(y, "squared_hinge")
    return mean_along(gn.square(gn.maximum(1.0 - signs(y) * p, 0.0)))


def categorical_hinge(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)` over the last axis, for one-hot targets."""
    y, p = compared(y_true, y_pred, "categorical_hinge")
    check_one_hot(y, "categorical_hinge")
    right, wrong = gn.sum(y * p, axis=-1), gn.max((1.0 - y) * p, axis=-1)
    return gn.maximum(wrong - right + 1.0, 0.0)


@table.add()
class Hinge(FunctionLoss):
    """`mean(max(1 - y_true * y_pred, 0))`, for labels -1 and 1, or 0 and 1.

    >>> import graphnet as gn
    >>> round(float(gn.nn.losses.Hinge()([[0.0, 1.0]], [[0.6, 0.4]])), 5)
    1.1
    """

    function = staticmethod(hinge)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_signs(y, self.name)


@table.add()
class SquaredHinge(FunctionLoss):
    """`mean(max(1 - y_true * y_pred, 0)**2)`, for labels -1 and 1, or 0 and 1."""

    function = staticmethod(squared_hinge)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_signs(y, self.name)


@table.add()
class CategoricalHinge(FunctionLoss):
    """`max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)`, for one-hot targets."""

    function = staticmethod(categorical_hinge)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_one_hot(y, self.name)
