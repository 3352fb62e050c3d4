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
from graphnet.nn.outputs import flat
from graphnet.nn.phase import running
from graphnet.nn.sparse import SparseRows
from graphnet.nn.structures import mapped, part

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


def copes(steps: Any, x: Any, y: Any, w: Any) -> bool:
    """Whether loss and gradients of these rows, which hold numbers that are not finite, are finite all the same."""
    model = steps.model
    given = [mapped(a, gn.tensor) for a in (x, y, w)]
    try:
        with np.errstate(all="ignore"), unmoved(model), running(False, losses=[]):
            y_pred = model(given[0], training=False)
            if steps.owns("compute_loss"):
                loss = steps.computed_loss(given[0], given[1], y_pred, given[2], False)
            else:
                if y is not None:
                    steps.objectives.check(y, y_pred, w, metrics=False)
                loss = steps.loss_of(given[1], y_pred, given[2], masks.noted(model))
            found = [loss, *gn.gradients(loss, steps.params)] if loss.requires_grad else [loss]
            return all(bool(np.isfinite(np.asarray(t.numpy()).sum())) for t in found)
    except Exception:
        return False


def check_probabilities(steps: Any, x: Any) -> list[str]:
    """Raise `ValueError` if a loss of probabilities is given numbers that are none; warnings, where that may be so."""
    each = steps.objectives.each
    asked = [o for o in each if type(o.loss).__name__ in PROBABLE and not o.loss.is_own]
    if not asked:
        return []
    model = steps.model
    predictions = dict(zip(each, flat(model.predicted_spec(x)), strict=True))
    some: list[Any] = []

    def tried() -> Any:
        """The same predictions as numbers, for some rows."""
        if not some:
            with np.errstate(all="ignore"), unmoved(model), running(False, losses=[]), gn.no_grad():
                some.append(flat(model(mapped(part(x, slice(ROWS)), _tensor), training=False)))
        return some[0]

    doubts = [
        _doubt(model, o, predictions[o], lambda o=o: tried()[each.index(o)], len(each) > 1)  # type: ignore[misc]
        for o in asked
    ]
    return [doubt for doubt in doubts if doubt]


def _tensor(rows: Any) -> gn.Tensor:
    return gn.tensor(rows.toarray() if isinstance(rows, SparseRows) else rows)


def _doubt(model: Any, objective: Any, y_pred: gn.Tensor, tried: Any, several: bool) -> str | None:
    """What there is to say of one output, whose numbers `tried` gives, and of its loss of probabilities."""
    loss = objective.loss
    axis = getattr(loss, "axis", -1)
    bounded = sigmoid_input(y_pred) is not None or softmax_input(y_pred, axis) is not None
    last = model
    while getattr(last, "layers", None):
        last = last.layers[-1]
    output = f"the output {objective.place}" if several else "the model"
    if getattr(loss, "from_logits", False):
        if not bounded:
            return None
        ends = f"{output} ends" if several else f"'{last.name}' ends"
        return (
            f"loss='{loss.name}' has from_logits=True, but {output} gives probabilities: {ends} with a softmax or "
            "sigmoid, which would be applied twice. Leave one of them out."
        )
    if bounded:
        return None
    word = getattr(getattr(last, "activation", None), "__name__", "")
    wide = y_pred.shape[-1] > 1 and not type(loss).__name__.startswith("Binary")
    end = "softmax" if wide else "sigmoid"
    logits = f", or give {type(loss).__name__}(from_logits=True) as the loss" if hasattr(loss, "from_logits") else ""
    try:
        p = np.asarray(tried().numpy())
    except Exception:
        return None
    if p.size and (p.min() < -1e-5 or p.max() > 1 + 1e-5):
        now = "" if several else f" ('{last.name}' is {last.described()})"
        raise ValueError(
            f"loss='{loss.name}' compares probabilities, from 0 to 1; {output} gives numbers from {p.min():.3g} to "
            f"{p.max():.3g}. End it with activation='{end}'{now}{logits}."
        )
    if word in UNBOUNDED and not several:
        return (
            f"loss='{loss.name}' compares probabilities, but the model ends with activation '{word}' "
            f"('{last.name}'): end it with activation='{end}'{logits}."
        )
    return None
