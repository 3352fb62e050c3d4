"""What `compile` makes of its words besides losses and metrics: the optimizer of one model, and a penalty."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from graphnet.nn import optimizers, regularizers
from graphnet.nn.lookup import unknown

#: the model that each optimizer was given to
_owners: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
PENALTIES = {"ridge": regularizers.Ridge, "lasso": regularizers.Lasso}


def penalty_of(penalty: str | None, regularization: str | None, weight: float | None) -> Any:
    """The regularizer of all matrices of weights, or None."""
    if penalty is not None and regularization is not None and penalty != regularization:
        raise ValueError(f"penalty={penalty!r} and regularization={regularization!r} say the same thing: give one.")
    kind = penalty if penalty is not None else regularization
    if kind is not None and kind not in PENALTIES:
        raise unknown("penalty", kind, PENALTIES)
    if kind is None and weight is not None:
        raise ValueError(f"weight_penalty={weight!r} needs penalty='ridge' or penalty='lasso'.")
    return PENALTIES[kind](0.01 if weight is None else weight) if kind is not None else None


def optimizer_for(model: Any, given: Any, learning_rate: float | None) -> Any:
    """The optimizer. Raises `ValueError` if it trains another model."""
    if learning_rate is not None and given == "rmsprop":
        given = optimizers.SGD(learning_rate)
    elif learning_rate is not None:
        given = optimizers.get(given)
        given.learning_rate = learning_rate
    chosen = optimizers.get(given)
    if _other(chosen, model) is not None:
        gc.collect()  # a model that nobody has any more does not count
    other = _other(chosen, model)
    if other is not None:
        raise ValueError(
            f"this optimizer ({chosen.name}) trains '{other.name}': what it remembers belongs to the weights of "
            f"one model. Give '{model.name}' one of its own, as in {type(chosen).__name__}(learning_rate=...)."
        )
    return chosen


def take(model: Any, optimizer: Any) -> None:
    """Let the optimizer, started anew, belong to the model."""
    optimizer.clear()
    _owners[optimizer] = weakref.ref(model)


def _other(optimizer: Any, model: Any) -> Any:
    """The other model that an optimizer belongs to, or None."""
    other = _owners.get(optimizer, lambda: None)()
    return other if other is not None and other is not model and other.optimizer is optimizer else None
