"""Cross-entropies that count easy rows less, and one that counts doubtful rows less."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.crossentropy import binary_terms, log_probabilities, smoothed, softmax_input
from graphnet.nn.losses.base import SUM, FunctionLoss, at_least, share, table
from graphnet.nn.ranges import check_classes, check_one_hot, check_shares
from graphnet.nn.targets import as_tensor, compared, labels_of, mean_along, one_hot


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> gn.Tensor:
    """`-sum(alpha * (1 - p)**gamma * y * log(p))` over the class axis, for one-hot targets.

    `alpha` is a number, or one for each class.
    """
    y, pred = compared(y_true, y_pred, "categorical_focal_crossentropy")
    check_one_hot(y, "categorical_focal_crossentropy")
    y = smoothed(y, label_smoothing, pred.shape[axis])
    log_p = log_probabilities(pred, from_logits, axis)
    weight = np.asarray(alpha, pred.dtype) * gn.power(-gn.expm1(log_p), gamma)
    return -gn.sum(weight * y * log_p, axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> gn.Tensor:
    """The binary cross-entropy of each element times `q**gamma`, with q the probability of the other class.

    With `apply_class_balancing` 1 has the weight `alpha`, and 0 has `1 - alpha`. The mean is taken over `axis`.
    """
    y, pred = compared(y_true, y_pred, "binary_focal_crossentropy")
    check_shares(y, "binary_focal_crossentropy")
    y = smoothed(y, label_smoothing, 2)
    terms, p = binary_terms(y, pred, from_logits)
    values = gn.power(y * (1 - p) + (1 - y) * p, gamma) * terms
    if apply_class_balancing:
        values = values * (y * alpha + (1 - y) * (1 - alpha))
    return mean_along(values, axis)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> gn.Tensor:
    """`(1 - p[label]**q) / q` for integer labels: between the cross-entropy (q to 0) and the absolute error (q = 1)."""
    pred = as_tensor(y_pred, floating=True)
    labels = labels_of(as_tensor(y_true), pred, "categorical_generalized_cross_entropy")
    hot = one_hot(labels, pred.shape[-1])
    logits = softmax_input(pred)
    if logits is not None:
        log_p = gn.sum(gn.where(hot, gn.log_softmax(logits), 0.0), axis=-1)
        return -gn.expm1(q * log_p) / q
    p = gn.sum(gn.where(hot, pred, 0.0), axis=-1)
    # A power below 1 has an infinite slope at 0.
    return (1 - gn.where(gn.greater(p, 0.0), gn.power(gn.maximum(p, 0.0), q), 0.0)) / q


@table.add()
class CategoricalFocalCrossentropy(FunctionLoss):
    """`-sum(alpha * (1 - p)**gamma * y * log(p))`, for one-hot targets, from probabilities or logits.

    Source: Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    function = staticmethod(categorical_focal_crossentropy)
    options = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.alpha, self.gamma = alpha, at_least(0, gamma, "CategoricalFocalCrossentropy: gamma")
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = share(label_smoothing, "label_smoothing")

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_one_hot(y, self.name)


@table.add()
class BinaryFocalCrossentropy(FunctionLoss):
    """The binary cross-entropy of each element times `q**gamma`, with q the probability of the other class.

    Source: Lin et al., "Focal loss for dense object detection", ICCV 2017.

    >>> import graphnet as gn
    >>> loss = gn.nn.losses.BinaryFocalCrossentropy(gamma=1)
    >>> round(float(loss([[1.0]], [[0.5]])), 5)
    0.34657
    """

    function = staticmethod(binary_focal_crossentropy)
    options = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.apply_class_balancing, self.alpha = apply_class_balancing, alpha
        self.gamma = at_least(0, gamma, "BinaryFocalCrossentropy: gamma")
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = share(label_smoothing, "label_smoothing")

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name)


@table.add()
class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """`(1 - p[label]**q) / q` for integer labels, which wrong labels disturb less than the cross-entropy.

    Source: Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels",
    NeurIPS 2018. Raises `ValueError` unless `0 < q < 1`.
    """

    function = staticmethod(categorical_generalized_cross_entropy)
    options = ("q",)

    def __init__(self, q: float = 0.5, reduction: str | None = SUM, name: str | None = None, dtype: Any = None):
        super().__init__(reduction, name, dtype)
        if not isinstance(q, (int, float)) or not 0 < q < 1:
            raise ValueError(f"CategoricalGeneralizedCrossEntropy: q is between 0 and 1; received {q!r}")
        self.q = q

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_classes(y, pred[-1], self.name)
