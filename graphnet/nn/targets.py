"""How targets fit predictions: shapes that belong together, labels and one-hot rows, and what to say if they don't."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.ranges import check_classes


def as_tensor(value: Any, floating: bool = False) -> gn.Tensor:
    """`value` as a tensor: numbers in Python lists, and integers where `floating`, become float32."""
    t = value if isinstance(value, gn.Tensor) else gn.tensor(value)
    listed = isinstance(value, (list, tuple, float)) and t.dtype.kind == "f"
    return t.astype("float32") if listed or (floating and t.dtype.kind != "f") else t


def compared(y_true: Any, y_pred: Any, what: str, role: str = "loss") -> tuple[gn.Tensor, gn.Tensor]:
    """Targets and predictions as tensors of one shape and dtype, for what compares them element by element."""
    y_pred = as_tensor(y_pred, floating=True)
    return same_shape(as_tensor(y_true), y_pred, what, role), y_pred


def squeezed(y_true: gn.Tensor, y_pred: gn.Tensor) -> gn.Tensor:
    """`y_true` with an axis of size one added or taken away, where that gives it the rank of `y_pred`."""
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
        return gn.expand_dims(y_true, -1)
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return gn.squeeze(y_true, -1)
    return y_true


def same_shape(y_true: gn.Tensor, y_pred: gn.Tensor, what: str, role: str = "loss") -> gn.Tensor:
    """`y_true` in the shape and dtype of `y_pred`; nothing broadcasts."""
    y_true = squeezed(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(mismatch(what, y_true.shape, y_pred.shape, y_true.dtype.kind, role))
    return y_true if y_true.dtype == y_pred.dtype else y_true.astype(y_pred.dtype)


#: what takes one-hot targets, and what takes labels in its place (None: there is nothing)
SPARSE = {
    "categorical_crossentropy": "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy": None,
    "categorical_hinge": None,
    "categorical_accuracy": "sparse_categorical_accuracy",
    "top_k_categorical_accuracy": "sparse_top_k_categorical_accuracy",
}
ONE_HOT = {sparse: word for word, sparse in SPARSE.items() if sparse}


def mismatch(
    what: str, true: tuple[int, ...], pred: tuple[int, ...], kind: str = "f", role: str = "loss", axis: int = -1
) -> str:
    """What is wrong with targets of shape `true` for predictions of shape `pred`, and what to do."""
    n = "N" if not pred else str(pred[0])
    flat = ""
    if len(pred) > 2 and true[:1] == pred[:1] and (all(size == 1 for size in true[1:]) or true[1:] == pred[-1:]):
        places = " x ".join(map(str, pred[1:-1]))
        flat = (
            f" The model gives a prediction for each of the {places} places of a row: for one per row, put a Flatten "
            "layer (or global pooling, or a recurrent layer without return_sequences) before the last layer."
        )
    per_class = len(true) == len(pred) - 1 or true == (*pred[:-1], 1)
    if what in SPARSE and per_class:
        labels = "int labels" if kind in "iub" else "targets"
        other = f"Use {role}='{SPARSE[what]}', or" if SPARSE[what] else "Use"
        return (
            f"{role}='{what}' needs one-hot y of shape ({n}, {pred[-1]}); got {labels} of shape {true}. "
            f"{other} y = gn.nn.to_categorical(y, {pred[-1]}).{flat}"
        )
    if what in ONE_HOT or what == "categorical_generalized_cross_entropy":
        axis = axis % len(pred)
        other = f"Use {role}='{ONE_HOT[what]}', or" if what in ONE_HOT else "Use"
        return (
            f"{role}='{what}' needs integer labels of shape {pred[:axis] + pred[axis + 1 :]}; got targets of shape "
            f"{true}. {other + f' y = y.argmax({axis - len(pred)}).' if true == pred else ''}"
        ).rstrip() + flat
    labels = f" (for int labels y = gn.nn.to_categorical(y, {pred[-1]}))" if per_class and kind in "iub" else ""
    return (
        f"{role}='{what}' compares targets and predictions element by element: the model gives {pred}, the targets are "
        f"{true}. Give targets of shape {pred}{labels}, or a last layer with {true[-1] if len(true) > 1 else 1} units."
        f"{flat}"
    )


def labels_of(
    y_true: gn.Tensor,
    y_pred: gn.Tensor,
    what: str = "sparse_categorical_crossentropy",
    axis: int = -1,
    role: str = "loss",
    ignore_class: int | None = None,
    numbered: bool = True,
) -> gn.Tensor:
    """Labels of the shape of `y_pred` without its class axis: whole numbers of its classes, or `ignore_class`.

    Where predictions are not `numbered` by class, labels may be any whole numbers.
    """
    classes = axis % y_pred.ndim
    if y_true.ndim == y_pred.ndim and y_true.shape[classes] == 1:
        y_true = gn.squeeze(y_true, classes)
    if y_true.shape != y_pred.shape[:classes] + y_pred.shape[classes + 1 :]:
        raise ValueError(mismatch(what, y_true.shape, y_pred.shape, y_true.dtype.kind, role, classes))
    check_classes(y_true, y_pred.shape[classes] if numbered else 1 << 62, what, role, ignore_class)
    return y_true


def one_hot(labels: gn.Tensor, classes: int, axis: int = -1) -> gn.Tensor:
    """True at each row's label: `(batch, ...)` to `(batch, ..., classes)`, or with the classes along `axis`."""
    shape = [1] * (labels.ndim + 1)
    shape[axis] = classes
    return gn.equal(gn.expand_dims(labels, axis), _classes(classes, tuple(shape)))


@lru_cache(maxsize=64)
def _classes(count: int, shape: tuple[int, ...]) -> gn.Tensor:
    return gn.tensor(np.arange(count, dtype=np.int32).reshape(shape))


def labels_fit(true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
    """Whether targets of shape `true` are labels for predictions of shape `pred`."""
    return len(true) < len(pred) or (true[-1] == 1 and pred[-1] > 1)


def mean_along(values: gn.Tensor, axis: Any = -1) -> gn.Tensor:
    """The mean over `axis`; values without an axis but the batch stay."""
    return gn.mean(values, axis=axis) if values.ndim > 1 else values
