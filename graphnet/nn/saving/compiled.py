"""What `compile` was given, as nested dicts, and back."""

from __future__ import annotations

import inspect
from typing import Any

from graphnet.mode import warn
from graphnet.nn.regularizers import Regularizer
from graphnet.nn.saving import keras_words as keras
from graphnet.nn.saving.errors import Refused
from graphnet.nn.saving.state import fitting, optimizer_variables, without_slots
from graphnet.nn.saving.tree import OWN, Maker, NoWord, written
from graphnet.nn.training import Model

#: words for losses that are not their names
SHORT = ("bce", "kld", "mae", "mape", "mse", "msle")


def compile_config(model: Any, dialect: str) -> dict[str, Any] | None:
    """The arguments of the model's `compile` in a dialect, or None if it was not compiled."""
    steps = model.steps
    if steps is None:
        return None
    if dialect == keras.MODULE and steps.penalty is not None:
        raise NoWord(
            f"Keras has no penalty={type(steps.penalty).__name__.lower()!r} in compile; kernel_regularizer= of the "
            "layers is its word for that."
        )
    objectives = steps.objectives
    found = {
        "optimizer": written(steps.optimizer, dialect),
        "loss": _losses(objectives.loss, objectives.words, dialect),
        "loss_weights": objectives.weights,
        "metrics": written(objectives.metrics, dialect) or None,
        "weighted_metrics": written(objectives.weighted, dialect) or None,
        "run_eagerly": steps.run_eagerly,
        "steps_per_execution": steps.steps_per_execution,
        "jit_compile": "auto",
    }
    if dialect == OWN:
        found["penalty"] = written(steps.penalty, dialect)
    return found


def _losses(loss: Any, words: Any, dialect: str) -> Any:
    """Losses as they were given. In logs, those in a list are told apart by the words that were given for them."""
    if isinstance(loss, dict):
        return {key: _losses(one, words[key], dialect) for key, one in loss.items()}
    if isinstance(loss, list):
        return [
            word if isinstance(word, str) and (dialect == OWN or word in SHORT) else _losses(one, word, dialect)
            for one, word in zip(loss, words, strict=True)
        ]
    return written(loss, dialect)


def compile_from(model: Any, config: Any, maker: Maker) -> None:
    """Compile `model` as `config` says, and give the optimizer its slots if the model has its weights."""
    if not config:
        return
    if not isinstance(config, dict):
        raise Refused("what it says of compile is no dict.")
    loss, penalty = config.get("loss"), maker.value(config.get("penalty"), "regularizers")
    if isinstance(loss, list) and len(loss) == 1:
        loss = loss[0]
    loss = maker.value(loss)
    if isinstance(loss, (list, dict)) and not model.takes_several:
        raise Refused(f"it has several losses, and '{model.name}' has one output.")
    if penalty is not None and not isinstance(penalty, Regularizer):
        raise Refused(f"its penalty is {str(penalty)[:60]}, not one of the regularizers.")
    if type(model).compile is not Model.compile and not _takes_all(model.compile):
        warn(
            f"'{model.name}' is loaded without being compiled: {type(model).__name__}.compile takes other arguments "
            "than Model's. Call it before training."
        )
        return
    model.compile(
        maker.value(config.get("optimizer"), "optimizers"),
        loss,
        loss_weights=config.get("loss_weights"),
        metrics=_metrics(model, config.get("metrics"), maker),
        weighted_metrics=_metrics(model, config.get("weighted_metrics"), maker),
        run_eagerly=config.get("run_eagerly") is True,
        steps_per_execution=config.get("steps_per_execution") or 1,
    )
    model.steps.penalty = penalty
    if model.built and model.trainable_weights:
        model.optimizer.build(model.trainable_weights)


def _takes_all(method: Any) -> bool:
    """Whether a model's own `compile` can be called like the common one."""
    words = ("loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution")
    try:
        inspect.signature(method).bind(None, None, **dict.fromkeys(words))
    except TypeError:
        return False
    return True


def _metrics(model: Any, given: Any, maker: Maker) -> Any:
    """Metrics as `compile` takes them; Keras may list them once for each output."""
    if given is None or model.takes_several:
        return maker.value(given)
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list):
        given = given[0]
    if not isinstance(given, list) or any(isinstance(m, list) for m in given):
        raise Refused(f"it has metrics for several outputs, and '{model.name}' has one.")
    return [maker.value(m) for m in given if m is not None]


def set_optimizer(optimizer: Any, arrays: list[Any], exact: dict[str, Any] | None = None) -> None:
    """Put the optimizer's state back: nothing changes unless all of it fits.

    A file of a model that has not been trained has the count of steps and the learning rate only.
    """
    variables = optimizer_variables(optimizer)
    first = without_slots(optimizer)
    if len(arrays) not in (0, first, len(variables)):
        raise Refused(
            f"it has {len(arrays)} arrays of state for the optimizer {type(optimizer).__name__}, which has "
            f"{len(variables)}: other weights were trainable. load_model(..., compile=False) leaves it out."
        )
    values = []
    for number, (variable, array) in enumerate(zip(variables, arrays, strict=False)):
        kept = (exact or {}).get(str(number))
        if array.shape == () and array.dtype.kind in "iu" and variable.dtype.kind == "f":
            array = array.astype(variable.dtype)  # a place that some of Keras' optimizers leave unused
        value = fitting(variable, array, f"number {number} of the optimizer's state")
        if isinstance(kept, (int, float)) and array.dtype.type(kept) == array:
            value = variable.dtype.type(kept)  # the same number, before the file's dtype rounded it
        elif variable is optimizer._rate:
            value = variable.dtype.type(str(array))
        values.append(value)
    for variable, value in zip(variables, values, strict=False):
        variable.assign(value)
