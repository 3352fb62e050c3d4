"""Cross-entropies, from probabilities or from the logits behind them.

One that takes probabilities uses the numbers that went into the final softmax or sigmoid, where the prediction is
exactly the output of one. Value and gradient are then right however far the prediction is off; Keras' formula from
probabilities, which clips them to [1e-7, 1 - 1e-7] and has no gradient beyond, is used otherwise. The two agree
wherever Keras does not clip.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn.ranges import check_one_hot, check_shares
from graphnet.nn.targets import as_tensor, compared, labels_fit, labels_of, mean_along, one_hot
from graphnet.node import made_by

EPSILON = 1e-7


def softmax_input(y: gn.Tensor, axis: int = -1) -> gn.Tensor | None:
    """The tensor that `y` is the softmax of (over `axis`), if `y` is exactly that."""
    region = y.region
    if y.op is None or region is None or region.kind != "softmax":
        return None
    if not _along(y, region.attrs, axis):
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


def _along(y: gn.Tensor, attrs: dict[str, Any], axis: int) -> bool:
    found = attrs.get("axis", -1)
    found = found[0] if isinstance(found, tuple) and len(found) == 1 else found
    return isinstance(found, int) and found % y.ndim == axis % y.ndim


def sigmoid_input(y: gn.Tensor) -> gn.Tensor | None:
    """The tensor that `y` is the sigmoid of, if `y` is exactly that."""
    return y.inputs[0] if made_by(y, gn.sigmoid) else None


def clipped(p: gn.Tensor) -> gn.Tensor:
    """Probabilities away from 0 and 1, where the logarithm is finite."""
    return gn.clip(p, EPSILON, 1 - EPSILON)


def log_probabilities(y_pred: gn.Tensor, from_logits: bool, axis: int = -1) -> gn.Tensor:
    """The logarithms of the class probabilities along `axis`. One class alone gets a warning."""
    if y_pred.ndim and y_pred.shape[axis] == 1:
        warn(
            f"the predictions have shape {y_pred.shape}, one class along axis {axis}: its probability is always 1, and "
            "the loss learns nothing. For two classes and one output use loss='binary_crossentropy'."
        )
    logits = y_pred if from_logits else softmax_input(y_pred, axis)
    if logits is not None:
        return gn.log_softmax(logits, axis=axis)
    return gn.log(clipped(y_pred / gn.sum(y_pred, axis=axis, keepdims=True)))


def smoothed(y: gn.Tensor, label_smoothing: float, classes: int) -> gn.Tensor:
    """`y * (1 - label_smoothing) + label_smoothing / classes`."""
    return y * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else y


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> gn.Tensor:
    """`-sum(y_true * log(p))` over the class axis, for one-hot targets or any class probabilities.

    `label_smoothing` s puts `y * (1 - s) + s / classes` in place of y.
    """
    y, p = compared(y_true, y_pred, "categorical_crossentropy")
    check_one_hot(y, "categorical_crossentropy")
    y = smoothed(y, label_smoothing, p.shape[axis])
    return -gn.sum(y * log_probabilities(p, from_logits, axis), axis=axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> gn.Tensor:
    """`-log(p[label])`, for integer labels; 0 for rows with the label `ignore_class`."""
    p = as_tensor(y_pred, floating=True)
    labels = labels_of(as_tensor(y_true), p, axis=axis, ignore_class=ignore_class)
    log_p = log_probabilities(p, from_logits, axis)
    values = -gn.sum(gn.where(one_hot(labels, p.shape[axis], axis), log_p, 0.0), axis=axis)
    return values if ignore_class is None else gn.where(gn.not_equal(labels, ignore_class), values, 0.0)


def binary_terms(y: gn.Tensor, y_pred: gn.Tensor, from_logits: bool) -> tuple[gn.Tensor, gn.Tensor]:
    """`-y * log(p) - (1 - y) * log(1 - p)` for each element, and the probabilities p."""
    z = y_pred if from_logits else sigmoid_input(y_pred)
    if z is not None:
        return gn.softplus(z) - y * z, gn.sigmoid(z) if from_logits else y_pred
    p = clipped(y_pred)
    return -(y * gn.log(p) + (1 - y) * gn.log(1 - p)), y_pred


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> gn.Tensor:
    """`mean(-y * log(p) - (1 - y) * log(1 - p))` over `axis`.

    `label_smoothing` s puts `y * (1 - s) + s / 2` in place of y. From logits z it is `mean(softplus(z) - y * z)`.
    """
    y, p = compared(y_true, y_pred, "binary_crossentropy")
    check_shares(y, "binary_crossentropy")
    return mean_along(binary_terms(smoothed(y, label_smoothing, 2), p, from_logits)[0], axis)


def crossentropy(y_true: Any, y_pred: Any) -> gn.Tensor:
    """The cross-entropy that fits the shapes."""
    true, pred = as_tensor(y_true), as_tensor(y_pred, floating=True)
    if pred.shape[-1] == 1:
        return binary_crossentropy(true, pred)
    fitting = sparse_categorical_crossentropy if labels_fit(true.shape, pred.shape) else categorical_crossentropy
    return fitting(true, pred)
