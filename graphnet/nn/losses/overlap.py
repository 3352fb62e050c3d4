"""Losses of overlap, for masks of images: one minus a share of what two sets have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.losses.base import SUM, FunctionLoss, at_least, table
from graphnet.nn.ranges import check_shares
from graphnet.nn.targets import compared
from graphnet.nn.unit import EPSILON


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> gn.Tensor:
    """`1 - 2 * sum(y * p) / (sum(y) + sum(p) + 1e-7)` over `axis`; over everything, the batch too, if None."""
    y, p = compared(y_true, y_pred, "dice")
    check_shares(y, "dice")
    common = gn.sum(y * p, axis=axis)
    return 1.0 - 2.0 * common / (gn.sum(y, axis=axis) + gn.sum(p, axis=axis) + EPSILON)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> gn.Tensor:
    """`1 - c / (c + alpha * sum(y * (1 - p)) + beta * sum((1 - y) * p) + 1e-7)` with `c = sum(y * p)`, over `axis`.

    As in Keras' code `alpha` weighs what the prediction misses, and `beta` what it adds.
    """
    y, p = compared(y_true, y_pred, "tversky")
    check_shares(y, "tversky")
    common = gn.sum(y * p, axis=axis)
    missed, added = gn.sum(y * (1.0 - p), axis=axis), gn.sum((1.0 - y) * p, axis=axis)
    return 1.0 - common / (common + alpha * missed + beta * added + EPSILON)


@table.add()
class Dice(FunctionLoss):
    """`1 - 2 * sum(y * p) / (sum(y) + sum(p))` over `axis`, or over everything (Dice, Ecology 26, 1945).

    >>> import graphnet as gn
    >>> round(float(gn.nn.losses.Dice()([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 5)
    0.33333
    """

    function = staticmethod(dice)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name)

    options = ("axis",)

    def __init__(self, reduction: str | None = SUM, name: str | None = None, axis: Any = None, dtype: Any = None):
        super().__init__(reduction, name, dtype)
        self.axis = axis


@table.add()
class Tversky(FunctionLoss):
    """`1 - c / (c + alpha * missed + beta * added)`; with both 0.5 it is Dice.

    Source: Salehi et al., "Tversky loss function for image segmentation", MLMI 2017. As in Keras' code `alpha` weighs
    what the prediction misses, and `beta` what it adds.
    """

    function = staticmethod(tversky)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name)

    options = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = SUM,
        name: str | None = None,
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.alpha, self.beta = at_least(0, alpha, "Tversky: alpha"), at_least(0, beta, "Tversky: beta")
        self.axis = axis
