"""Losses between distributions: the Kullback-Leibler divergence, and the Poisson likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.crossentropy import EPSILON, softmax_input
from graphnet.nn.losses.base import FunctionLoss, table
from graphnet.nn.ranges import check_counts, check_probabilities
from graphnet.nn.targets import compared, mean_along


def kl_divergence(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`sum(y_true * log(y_true / y_pred))` over the last axis, with both limited to [1e-7, 1].

    Behind a softmax `log(y_pred)` is computed from its input, so that the gradient is right however small `y_pred` is.
    """
    y, p = compared(y_true, y_pred, "kl_divergence")
    check_probabilities(y, "kl_divergence")
    y = gn.clip(y, EPSILON, 1.0)
    logits = softmax_input(p)
    log_p = gn.log_softmax(logits) if logits is not None else gn.log(gn.clip(p, EPSILON, 1.0))
    return gn.sum(y * (gn.log(y) - log_p), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> gn.Tensor:
    """`mean(y_pred - y_true * log(y_pred + 1e-7))` over the last axis, for counts and predicted means."""
    y, p = compared(y_true, y_pred, "poisson")
    check_counts(y, "poisson")
    return mean_along(p - y * gn.log(p + EPSILON))


@table.add("kld")
class KLDivergence(FunctionLoss):
    """`sum(y_true * log(y_true / y_pred))`: how far the distribution `y_pred` is from `y_true`, 0 if they are equal.

    >>> import graphnet as gn
    >>> round(float(gn.nn.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 5)
    0.14384
    """

    function = staticmethod(kl_divergence)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_probabilities(y, self.name)


@table.add()
class Poisson(FunctionLoss):
    """`mean(y_pred - y_true * log(y_pred + 1e-7))`, for counts; predictions must not be negative (use softplus)."""

    function = staticmethod(poisson)

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_counts(y, self.name)
