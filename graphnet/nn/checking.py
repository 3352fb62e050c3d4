"""Whether data fits a model: asked before a number is computed, so that a call that fails has changed nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn.data import as_array, check_finite, check_rows, class_weights, is_finite, weightless
from graphnet.nn.layer import Layer
from graphnet.nn.ranges import weighing
from graphnet.nn.sparse import SparseRows
from graphnet.nn.tried import ROWS, check_probabilities, copes


def checked_rows(
    model: Any, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, what: str = ""
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Data as checked arrays: x, y, weights of rows. Numbers of x that are not finite are 0 in rows of weight 0."""
    xs: Any = x if isinstance(x, SparseRows) else as_array(x, f"{what}x", model._dtype)
    ys = as_array(y, f"{what}y", model._dtype) if y is not None else None
    if sample_weight is not None and class_weight is not None:
        raise ValueError("class_weight and sample_weight can't both be given: multiply the one into the other.")
    ws = as_array(sample_weight, "sample_weight") if sample_weight is not None else None
    if class_weight is not None:
        if ys is None:
            raise ValueError("class_weight needs y, the class of each row.")
        ws = class_weights(ys, class_weight)
    check_rows(xs, ys, ws)
    check_finite(ws, "sample_weight")
    if ws is not None and not isinstance(xs, SparseRows) and not is_finite(xs):
        left_out = weightless(ws).reshape(-1, *[1] * (xs.ndim - 1))
        xs = np.where(left_out & ~np.isfinite(xs), xs.dtype.type(0), xs)
    return xs, ys, ws


def kind_of(x: np.ndarray, y: np.ndarray | None, training: bool) -> tuple[Any, ...]:
    """What is the same for batches that fit a model alike."""
    return training, x.shape, x.dtype, None if y is None else (y.shape, y.dtype)


@contextmanager
def unchanged_on_error(model: Any, *kinds: tuple[Any, ...] | None) -> Iterator[None]:
    """If the block fails, a model that it built is not built after, and what `compile` fixed is not settled.

    For batches of `kinds` that were found to fit before, there is nothing that the block would build.
    """
    if kinds and all(kind in model.steps.checked for kind in kinds):
        yield
        return
    fresh = [
        (layer, {k: copy(v) if type(v) in (list, dict) else v for k, v in layer.__dict__.items()})
        for layer in model.walk()
        if not layer.built
    ]
    steps = model.steps
    settled = steps.settled
    try:
        yield
    except Exception:
        for layer, attributes in fresh:
            layer.__dict__.clear()
            layer.__dict__.update(attributes)
        if not settled:
            steps.unsettle()
        raise


FINITE = (
    " A model or loss that leaves them out is tried on such rows: here the loss or its gradients are not finite then. "
    "check_finite=False takes the data as it is."
)


def check_fit(
    model: Any,
    x: np.ndarray,
    y: np.ndarray | None = None,
    w: np.ndarray | None = None,
    *,
    training: bool = True,
    finite: bool = True,
    what: str = "",
) -> None:
    """Build for `x`, settle the loss, and check that the data is finite and that targets fit loss and metrics.

    Shapes are checked without computing a number.
    """
    steps = model.steps
    key = kind_of(x, y, training)
    known = steps.checked.get(key)
    if known is None:
        try:
            shape = _shapes_fit(steps, x, y, training, what)
        except ValueError:
            if finite:
                check_finite(x, f"{what}x")
                check_finite(y, f"{what}y")
            raise
        known = shape, _value_checks(steps, training)
        if len(steps.checked) < 1000:
            steps.checked[key] = known
    shape, checks = known
    if finite:
        _check_numbers(steps, x, y, w, training, what)
    if y is not None and checks:
        counted = y if w is None or is_finite(y) else y[~weightless(w)]
        with weighing(w if counted is y else None):
            for check in checks:
                check(counted, shape)
        if not steps.doubted:
            steps.doubted = True
            doubt = check_probabilities(steps, x)
            if doubt:
                warn(doubt)


def _value_checks(steps: Any, training: bool) -> list[Any]:
    """What the loss, and metrics beside it, have to say about the numbers of targets."""
    if steps.loss is None or not steps.uses_loss(training):
        return []
    return [steps.loss.check, *(m.check for m in (*steps.metrics, *steps.weighted) if steps.uses_metrics(training))]


def _shapes_fit(steps: Any, x: np.ndarray, y: np.ndarray | None, training: bool, what: str) -> tuple[int, ...]:
    """The shape of the predictions, for which loss and metrics are tried on shapes alone."""
    model = steps.model
    if steps.owns("train_step" if training else "test_step"):
        if type(model).call is not Layer.call:
            model.predicted_spec(x)
        steps.settle()
        return ()
    pred = model.predicted_spec(x)
    steps.settle()
    losses = steps.uses_loss(training) and steps.loss is not None
    metrics = [*steps.metrics, *steps.weighted] if steps.uses_metrics(training) else []
    if y is None and (losses or metrics):
        wanted = "the loss compares with them" if losses else f"metric '{metrics[0].name}' compares with them"
        raise ValueError(
            f"targets are missing: give {what}y, one row per row of x ({wanted}). Without targets there is the loss of "
            "layers that call add_loss, or of a compute_loss of the model's own."
        )
    if not isinstance(pred, gn.Tensor):
        if losses or metrics:
            raise ValueError(
                f"'{model.name}' gives {len(pred)} tensors: losses and metrics of compile take one. Give the model a "
                "compute_loss of its own, or return one tensor."
            )
        return ()
    spec = gn.input(pred.shape, pred.dtype)
    if y is not None:
        true = gn.input(y.shape, y.dtype)
        if losses:
            steps.loss.prepare(true, spec)
        for metric in metrics:
            metric.prepare(true, spec)
    return pred.shape


def _check_numbers(
    steps: Any, x: np.ndarray, y: np.ndarray | None, w: np.ndarray | None, training: bool, what: str
) -> None:
    """Raise `ValueError` for a NaN or an infinity that the model does not leave out."""
    counted = y if y is None or w is None or w.shape[0] != y.shape[0] or is_finite(y) else _without_weightless(y, w)
    bad = not is_finite(x), not is_finite(counted)
    if isinstance(x, SparseRows):
        check_finite(x, f"{what}x")
    if not any(bad) or steps.owns("train_step" if training else "test_step"):
        return
    rows = np.zeros(len(x), bool)
    for array, is_bad in zip((x, counted), bad, strict=True):
        if is_bad:
            assert array is not None
            rows |= np.logical_not(np.isfinite(array.reshape(len(x), -1)).all(axis=1))
    some = np.flatnonzero(rows)
    some = some[:: -(-len(some) // ROWS)]
    if copes(steps, x[some], None if y is None else y[some], None if w is None else w[some]):
        return
    check_finite(x, f"{what}x", FINITE)
    check_finite(counted, f"{what}y", FINITE)


def _without_weightless(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """`y` with 0 where the weight is 0."""
    if w.ndim > y.ndim or w.shape != y.shape[: w.ndim]:
        w = np.logical_not(weightless(w))
    return np.where(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)) == 0, y.dtype.type(0), y)
