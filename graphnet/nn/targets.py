"""How targets fit predictions: shapes that belong together, labels and one-hot rows, and what to say if they don't."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

import graphnet as gn


def squeezed(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`y_true` with an axis of size one added or taken away, where that gives it the rank of `y_pred`."""
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
        return gn.expand_dims(y_true, -1)
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return gn.squeeze(y_true, -1)
    return y_true


def same_shape(y_true: gn.Tensor, y_pred: gn.Tensor, what: str) -> gn.Tensor:
    """`y_true` in the shape and dtype of `y_pred`; nothing broadcasts."""
    y_true = squeezed(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(mismatch(what, y_true.shape, y_pred.shape, y_true.dtype.kind))
    return y_true if y_true.dtype == y_pred.dtype else y_true.astype(y_pred.dtype)


def mismatch(what: str, true: tuple[int, ...], pred: tuple[int, ...], kind: str = "f") -> str:
    """What is wrong with targets of shape `true` for predictions of shape `pred`, and what to do."""
    n = "N" if not pred else str(pred[0])
    if what == "categorical_crossentropy" and (len(true) == len(pred) - 1 or true == (*pred[:-1], 1)):
        labels = "int labels" if kind in "iub" else "targets"
        return (
            f"loss='{what}' needs one-hot y of shape ({n}, {pred[-1]}); got {labels} of shape {true}. "
            f"Use loss='sparse_categorical_crossentropy', or y = gn.nn.to_categorical(y, {pred[-1]})."
        )
    if what == "sparse_categorical_crossentropy":
        return (
            f"loss='{what}' needs integer labels of shape {pred[:-1]}; got targets of shape {true}. "
            f"{'Use loss=' + repr('categorical_crossentropy') + ', or y = y.argmax(-1).' if true == pred else ''}"
        ).rstrip()
    return (
        f"loss='{what}' compares targets and predictions element by element: the model gives {pred}, the targets are "
        f"{true}. Give targets of shape {pred}, or a last layer with {true[-1] if len(true) > 1 else 1} units."
    )


def labels_of(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """Integer labels of shape `y_pred.shape[:-1]`."""
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = gn.squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(mismatch("sparse_categorical_crossentropy", y_true.shape, y_pred.shape))
    return y_true


def one_hot(labels: gn.Tensor, classes: int) -> gn.Tensor:
    """True at each row's label: `(batch, ...)` to `(batch, ..., classes)`."""
    return gn.equal(gn.expand_dims(labels, -1), _classes(classes))


@lru_cache(maxsize=64)
def _classes(count: int) -> gn.Tensor:
    return gn.tensor(np.arange(count, dtype=np.int32))


def labels_fit(true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
    """Whether targets of shape `true` are labels for predictions of shape `pred`."""
    return len(true) < len(pred) or (true[-1] == 1 and pred[-1] > 1)


def last_mean(values: gn.Tensor) -> gn.Tensor:
    """The mean over the last axis; values without an axis but the batch stay."""
    return gn.mean(values, axis=-1) if values.ndim > 1 else values
