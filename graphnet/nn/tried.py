"""What is tried on a few rows before training: whether numbers that are not finite are left out, what predictions are.

Nothing of a model changes by a trial: weights, states and seeds are put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import masks, seeds
from graphnet.nn.crossentropy import sigmoid_input, softmax_input
from graphnet.nn.data import weightless
from graphnet.nn.phase import running

#: rows of a trial
ROWS = 32
#: losses of probabilities, and how one of them takes logits
PROBABLE = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "Crossentropy",
    "SparseCategoricalCrossentropy",
)
#: activations that give numbers of any size
UNBOUNDED = ("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "celu", "squareplus")


@contextmanager
def unmoved(model: Any) -> Iterator[None]:
    """Put back every weight, seed and state of the model after the block."""
    weights = [(w, w.numpy().copy()) for w in model.weights if not w.requires_grad]
    layers = [layer for layer in model.walk() if "_state" in layer.__dict__]
    states = [
        (layer, layer._state, [t.numpy().copy() for t in getattr(layer._state, "tensors", ())]) for layer in layers
    ]
    losses = [(layer, layer._losses) for layer in model.walk()]
    try:
        with seeds.unmoved():
            yield
    finally:
        for w, value in weights:
            w.assign(value)
        for layer, state, values in states:
            layer._state = state
            for t, value in zip(getattr(state, "tensors", ()), values, strict=True):
                t.assign(value)
        for layer, kept in losses:
            layer._losses = kept


def copes(steps: Any, x: np.ndarray, y: np.ndarray | None, w: np.ndarray | None) -> bool:
    """Whether loss and gradients of these rows, which hold numbers that are not finite, are finite all the same."""
    model = steps.model
    given = [None if a is None else gn.tensor(a) for a in (x, y, w)]
    try:
        with np.errstate(all="ignore"), unmoved(model), running(False, losses=[]):
            y_pred = model(given[0], training=False)
            if steps.owns("compute_loss"):
                loss = steps.computed_loss(given[0], given[1], y_pred, given[2], False)
            else:
                if y is not None and steps.loss is not None:
                    steps.loss.check(y if w is None else y[~weightless(w)], y_pred.shape)
                loss = steps.loss_of(given[1], y_pred, given[2], masks.noted(model))
            found = [loss, *gn.gradients(loss, steps.params)] if loss.requires_grad else [loss]
            return all(bool(np.isfinite(np.asarray(t.numpy()).sum())) for t in found)
    except Exception:
        return False


def check_probabilities(steps: Any, x: np.ndarray) -> str | None:
    """Raise `ValueError` if a loss of probabilities is given numbers that are none; a warning, if that may be so."""
    loss, model = steps.loss, steps.model
    if type(loss).__name__ not in PROBABLE or loss.is_own:
        return None
    y_pred = model.predicted_spec(x)
    axis = getattr(loss, "axis", -1)
    bounded = sigmoid_input(y_pred) is not None or softmax_input(y_pred, axis) is not None
    last = model
    while getattr(last, "layers", None):
        last = last.layers[-1]
    if getattr(loss, "from_logits", False):
        if not bounded:
            return None
        return (
            f"loss='{loss.name}' has from_logits=True, but the model gives probabilities: '{last.name}' ends with a "
            "softmax or sigmoid, which would be applied twice. Leave one of them out."
        )
    if bounded:
        return None
    word = getattr(getattr(last, "activation", None), "__name__", "")
    wide = y_pred.shape[-1] > 1 and not type(loss).__name__.startswith("Binary")
    end = "softmax" if wide else "sigmoid"
    logits = f", or give {type(loss).__name__}(from_logits=True) as the loss" if hasattr(loss, "from_logits") else ""
    try:
        with np.errstate(all="ignore"), unmoved(model), running(False, losses=[]), gn.no_grad():
            p = np.asarray(model(gn.tensor(x[:ROWS]), training=False).numpy())
    except Exception:
        return None
    if p.size and (p.min() < -1e-5 or p.max() > 1 + 1e-5):
        raise ValueError(
            f"loss='{loss.name}' compares probabilities, from 0 to 1; the model gives numbers from {p.min():.3g} to "
            f"{p.max():.3g}. End it with activation='{end}' ('{last.name}' is {last.described()}){logits}."
        )
    if word in UNBOUNDED:
        return (
            f"loss='{loss.name}' compares probabilities, but the model ends with activation '{word}' "
            f"('{last.name}'): end it with activation='{end}'{logits}."
        )
    return None
