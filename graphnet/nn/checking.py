"""Whether data fits a model: asked before a number is computed, so that a call that fails has changed nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn.arrays import as_array, check_finite, class_weights, is_finite, weightless
from graphnet.nn.layer import Layer
from graphnet.nn.sparse import SparseRows
from graphnet.nn.structures import (
    Spec,
    arranged,
    as_leaves,
    beside,
    check_like,
    check_rows,
    described,
    is_array,
    is_several,
    mapped,
    part,
    placed,
    rows_in,
    spec_of,
)
from graphnet.nn.tried import ROWS, check_probabilities, copes


def checked_rows(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
    what: str = "",
    *,
    sparse: bool = False,
) -> tuple[Any, Any, Any]:
    """Data as checked arrays: x, y, weights of rows; x may be `SparseRows`, if `sparse`.

    Numbers of x that are not finite are 0 in rows of weight 0.
    """
    if sample_weight is not None and class_weight is not None:
        raise ValueError("class_weight and sample_weight can't both be given: multiply the one into the other.")
    xs = inputs_of(model, x, f"{what}x", y, sparse=sparse)
    ys = None
    if y is not None:
        rows = None if y.__class__ is np.ndarray else rows_in(xs)
        ys = arranged(y, f"{what}y", model._dtype, rows=rows, listed=model.takes_several)
    ws = None
    if sample_weight is not None:
        ws = _weights(sample_weight, ys)
    if class_weight is not None:
        if ys is None:
            raise ValueError("class_weight needs y, the class of each row.")
        if not is_array(ys):
            raise ValueError(
                f"class_weight is for one array of targets, and y is {described(ys)}: give sample_weight, with weights "
                "for each of them."
            )
        ws = class_weights(ys, class_weight)
    check_rows(xs, ys, ws)
    if ws is not None:
        for at, w in placed(ws, "sample_weight"):
            check_finite(w, at)
        if not all(isinstance(a, SparseRows) or is_finite(a) for a in as_leaves(xs)):
            xs = mapped(xs, partial(_without_rows, left_out=left_out(ys, ws)))
    return xs, ys, ws


def inputs_of(model: Any, x: Any, what: str = "x", y: Any = None, *, sparse: bool = False) -> Any:
    """The input of a model as checked arrays. `y` may tell by its rows what a list of arrays means."""
    if x.__class__ is np.ndarray:
        return as_array(x, what, model._dtype)
    rows = None if y is None else rows_in(y, model.takes_several)
    boxed = isinstance(x, (list, tuple, dict)) and not model.takes_several
    if boxed and is_several(x, rows, rows not in (None, len(x))):
        raise TypeError(
            f"{what} is {described(x)}, and '{model.name}' is a {type(model).__name__}, which takes one array. Put the "
            "features side by side, np.concatenate([a, b], axis=1); or give them to a model of your own, a subclass of "
            "nn.Model whose call takes a list or a dict."
        )
    return arranged(x, what, model._dtype, rows=rows, listed=model.takes_several, sparse=sparse)


def _weights(given: Any, ys: Any) -> Any:
    """Weights of rows: for several targets one array for each of them, which one array of weights stands for."""
    rows = None if given.__class__ is np.ndarray or ys is None else rows_in(ys)
    ws = arranged(given, "sample_weight", "float32", rows=rows, listed=not is_array(ys))
    if ys is None or is_array(ys):
        leaves = as_leaves(ws)
        if len(leaves) != 1:
            raise ValueError(
                f"sample_weight is {described(ws)}, and y is {described(ys)}: give one array, a number for each row."
            )
        return leaves[0]
    if is_array(ws):
        if ws.ndim > 2 or (ws.ndim == 2 and ws.shape[1] != 1):
            raise ValueError(
                f"one sample_weight for several targets has a number for each row; its shape is {ws.shape}. Give one "
                "array for each target to weigh steps or places of a row."
            )
        return mapped(ys, lambda _: ws)
    check_like(ws, ys, "sample_weight", "y")
    return ws


def left_out(ys: Any, ws: Any) -> np.ndarray:
    """Which rows have no weight at all, in any of the targets."""
    found = [weightless(w) for w in as_leaves(ws)]
    if len(found) < len(as_leaves(ys)):
        return np.zeros(len(found[0]), bool)  # some targets have no weights, so every row counts there
    return np.logical_and.reduce(found)


def _without_rows(x: Any, left_out: np.ndarray) -> Any:
    """`x` with 0 for the numbers that are not finite in rows that are left out."""
    if isinstance(x, SparseRows) or is_finite(x):
        return x
    return np.where(left_out.reshape(-1, *[1] * (x.ndim - 1)) & ~np.isfinite(x), x.dtype.type(0), x)


def kind_of(x: Any, y: Any, training: bool) -> tuple[Any, ...]:
    """What is the same for batches that fit a model alike."""
    return training, spec_of(x), spec_of(y)


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
    model: Any, x: Any, y: Any = None, w: Any = None, *, training: bool = True, finite: bool = True, what: str = ""
) -> None:
    """Build for `x`, settle the loss, and check that the data is finite and that targets fit loss and metrics.

    Shapes are checked without computing a number.
    """
    steps = model.steps
    key = kind_of(x, y, training)
    if key not in steps.checked:
        try:
            outputs = _shapes_fit(steps, x, y, training, what)
        except ValueError:
            if finite:
                for at, array in (*placed(x, f"{what}x"), *placed(y, f"{what}y")):
                    check_finite(array, at)
            raise
        if len(steps.checked) >= 1000:
            steps.checked.clear()
        steps.checked[key] = outputs
    outputs = steps.checked[key]
    if finite:
        _check_numbers(steps, x, y, w, training, what)
    if y is not None and outputs is not None:
        if steps.uses_loss(training):
            steps.objectives.check(y, outputs, w, metrics=steps.uses_metrics(training))
        if not steps.doubted and steps.uses_loss(training):
            steps.doubted = True
            for doubt in check_probabilities(steps, x):
                warn(doubt)


def _shapes_fit(steps: Any, x: Any, y: Any, training: bool, what: str) -> Any:
    """The specs of the predictions, for which loss and metrics are tried on shapes alone; None if nothing compares them
    with targets."""
    model = steps.model
    if steps.owns("train_step" if training else "test_step"):
        steps.settle(model.predicted_spec(x) if type(model).call is not Layer.call else None)
        return None
    pred = model.predicted_spec(x)
    steps.settle(pred)
    losses, metrics = steps.uses_loss(training), steps.uses_metrics(training)
    listed = steps.objectives.listed
    compares = (losses and steps.objectives.compares) or (metrics and bool(listed))
    if not compares:
        return None
    if y is None:
        wanted = "the loss compares with them" if losses and steps.objectives.compares else ""
        wanted = wanted or f"metric '{listed[0].name}' compares with them"
        both = f" ({what}x is {described(x)}: those are inputs.)" if isinstance(x, (list, tuple)) else ""
        raise ValueError(
            f"targets are missing: give {what}y, one row per row of x ({wanted}). Without targets there is the loss of "
            f"layers that call add_loss, or of a compute_loss of the model's own.{both}"
        )
    outputs = mapped(pred, lambda t: gn.input(t.shape, t.dtype))
    true = mapped(y, lambda a: gn.input(a.shape, a.dtype))
    steps.objectives.prepare(true, outputs, losses, metrics)
    return mapped(outputs, Spec)


def _check_numbers(steps: Any, x: Any, y: Any, w: Any, training: bool, what: str) -> None:
    """Raise `ValueError` for a NaN or an infinity that the model does not leave out."""
    if is_array(x) and (y is None or is_array(y)) and is_finite(x) and is_finite(y):
        return
    xs: list[tuple[str, Any]] = placed(x, f"{what}x")
    ys = [(at, _counted(a, b)) for (at, a), (_, b) in zip(placed(y, f"{what}y"), beside(y, w), strict=True)]
    for at, array in xs:
        if isinstance(array, SparseRows):
            check_finite(array, at)
    bad = [array for _, array in (*xs, *ys) if not is_finite(array)]
    if not bad or steps.owns("train_step" if training else "test_step"):
        return
    rows = np.zeros(len(xs[0][1]), bool)
    for array in bad:
        rows |= np.logical_not(np.isfinite(array.reshape(len(rows), -1)).all(axis=1))
    some = np.flatnonzero(rows)
    some = some[:: -(-len(some) // ROWS)]
    if copes(steps, part(x, some), part(y, some), part(w, some)):
        return
    for at, array in (*xs, *ys):
        check_finite(array, at, FINITE)


def _counted(y: np.ndarray, w: np.ndarray | None) -> np.ndarray:
    """`y` with 0 where the weight is 0."""
    if w is None or is_finite(y):
        return y
    if w.ndim > y.ndim or w.shape != y.shape[: w.ndim]:
        w = np.logical_not(weightless(w))
    return np.where(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)) == 0, y.dtype.type(0), y)
