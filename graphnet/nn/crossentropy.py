"""Cross-entropies, from probabilities or from the logits behind them.

One that takes probabilities uses the numbers that went into the final softmax or sigmoid, where the prediction is
exactly the output of one. Value and gradient are then right however far the prediction is off; Keras' formula from
probabilities, which clips them to [1e-7, 1 - 1e-7] and has no gradient beyond, is used otherwise. The two agree
wherever Keras does not clip.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.targets import labels_fit, labels_of, last_mean, one_hot, same_shape

EPSILON = 1e-7


def softmax_input(y: gn.Tensor) -> gn.Tensor | None:
    """The tensor that `y` is the softmax of (over the last axis), if `y` is exactly that."""
    region = y.region
    if y.op is None or region is None or region.kind != "softmax":
        return y.inputs[0] if y.op is not None and y.op.name == "softmax" and _last_axis(y, y.attrs) else None
    if not _last_axis(y, region.attrs):
        return None
    entering: dict[gn.Tensor, None] = {}
    waiting, seen = [y], {y}
    while waiting:
        for t in waiting.pop().inputs:
            if t in seen:
                continue
            seen.add(t)
            if t.op is not None and t.region is region:
                waiting.append(t)
            elif t.shape == y.shape:
                entering[t] = None
            elif t.op is not None or isinstance(t, gn.Parameter):
                return None
    return next(iter(entering)) if len(entering) == 1 else None


def _last_axis(y: gn.Tensor, attrs: dict[str, Any]) -> bool:
    axis = attrs.get("axis", -1)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    return axis in (-1, y.ndim - 1)


def sigmoid_input(y: gn.Tensor) -> gn.Tensor | None:
    """The tensor that `y` is the sigmoid of, if `y` is exactly that."""
    return y.inputs[0] if y.op is not None and y.op.name == "sigmoid" else None


def clipped(p: gn.Tensor) -> gn.Tensor:
    """Probabilities away from 0 and 1, where the logarithm is finite."""
    return gn.clip(p, EPSILON, 1 - EPSILON)


def log_probabilities(y_pred: gn.Tensor, from_logits: bool) -> gn.Tensor:
    """The logarithms of the class probabilities, over the last axis."""
    logits = y_pred if from_logits else softmax_input(y_pred)
    if logits is not None:
        return gn.log_softmax(logits)
    return gn.log(clipped(y_pred / gn.sum(y_pred, axis=-1, keepdims=True)))


def categorical_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, label_smoothing: float = 0.0
) -> gn.Tensor:
    """`-sum(y_true * log(p))` over the last axis, for one-hot targets or any class probabilities.

    `label_smoothing` s puts `y * (1 - s) + s / classes` in place of y.
    """
    y_true = same_shape(y_true, y_pred, "categorical_crossentropy")
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return -gn.sum(y_true * log_probabilities(y_pred, from_logits), axis=-1)


def sparse_categorical_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, ignore_class: int | None = None
) -> gn.Tensor:
    """`-log(p[label])`, for integer labels; 0 for rows with the label `ignore_class`."""
    labels = labels_of(y_true, y_pred)
    log_p = log_probabilities(y_pred, from_logits)
    return -gn.sum(gn.where(one_hot(labels, y_pred.shape[-1]), log_p, 0.0), axis=-1) * (
        1.0 if ignore_class is None else gn.not_equal(labels, ignore_class).astype(y_pred.dtype)
    )


def binary_crossentropy(
    y_true: gn.Tensor, y_pred: gn.Tensor, from_logits: bool = False, label_smoothing: float = 0.0
) -> gn.Tensor:
    """`mean(-y * log(p) - (1 - y) * log(1 - p))` over the last axis.

    `label_smoothing` s puts `y * (1 - s) + s / 2` in place of y. From logits z it is `mean(softplus(z) - y * z)`.
    """
    y = same_shape(y_true, y_pred, "binary_crossentropy")
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / 2
    z = y_pred if from_logits else sigmoid_input(y_pred)
    if z is not None:
        return last_mean(gn.softplus(z) - y * z)
    p = clipped(y_pred)
    return -last_mean(y * gn.log(p) + (1 - y) * gn.log(1 - p))


def crossentropy(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """The cross-entropy that fits the shapes."""
    if y_pred.shape[-1] == 1:
        return binary_crossentropy(y_true, y_pred)
    fitting = sparse_categorical_crossentropy if labels_fit(y_true.shape, y_pred.shape) else categorical_crossentropy
    return fitting(y_true, y_pred)
