"""Whether data fits a model: asked before a number is computed, so that a call that fails has changed nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.data import as_array, check_finite, check_rows, class_weights
from graphnet.nn.sparse import SparseRows


def checked_rows(
    model: Any, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, what: str = ""
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Data as checked arrays: x, y, weights of rows."""
    xs = x if isinstance(x, SparseRows) else as_array(x, f"{what}x", model.dtype)
    if y is None:
        raise ValueError(f"targets are missing: give {what}y, one row per row of x.")
    ys = as_array(y, f"{what}y", model.dtype)
    if sample_weight is not None and class_weight is not None:
        raise ValueError("class_weight and sample_weight can't both be given: multiply the one into the other.")
    ws = as_array(sample_weight, "sample_weight") if sample_weight is not None else None
    if class_weight is not None:
        ws = class_weights(ys, class_weight)
    check_rows(xs, ys, ws)
    for array, name in ((xs, f"{what}x"), (ys, f"{what}y"), (ws, "sample_weight")):
        check_finite(array, name)
    return xs, ys, ws


@contextmanager
def unchanged_on_error(model: Any) -> Iterator[None]:
    """If the block fails, a model that it built is not built after, and what `compile` fixed is not settled."""
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


def check_fit(model: Any, x: np.ndarray, *targets: np.ndarray) -> None:
    """Build for `x`, settle the loss, and check that targets fit loss and metrics, without computing a number."""
    steps = model.steps
    key = (x.shape, x.dtype, *((y.shape, y.dtype) for y in targets))
    shape = steps.checked.get(key)
    if shape is None:
        pred = model.predicted_spec(x)
        steps.settle()
        shape = pred.shape
        for y in targets:
            spec = gn.input((len(y), *shape[1:]), pred.dtype)
            steps.loss.prepare(gn.input(y.shape, y.dtype), spec)
            for metric in (*steps.metrics, *steps.weighted):
                metric.prepare(gn.input(y.shape, y.dtype), spec)
        if len(steps.checked) < 1000:
            steps.checked[key] = shape
    for y in targets:
        steps.loss.check(y, shape)
