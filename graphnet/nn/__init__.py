"""Networks in Keras' words: layers, a Sequential, and training."""

from typing import Any

from graphnet import ops
from graphnet.nn import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from graphnet.nn.callbacks import Callback
from graphnet.nn.history import History
from graphnet.nn.layer import Layer
from graphnet.nn.layers import *
from graphnet.nn.optimizers import schedules
from graphnet.nn.saving import (
    clone_model,
    custom_object_scope,
    load_model,
    model_from_json,
    register_keras_serializable,
    register_serializable,
    save_model,
)
from graphnet.nn.sequential import Sequential
from graphnet.nn.training import Model
from graphnet.nn.utils import set_random_seed, to_categorical

__all__ = [
    "Callback",
    "History",
    "Layer",
    "Model",
    "Sequential",
    "activations",
    "callbacks",
    "clone_model",
    "constraints",
    "custom_object_scope",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "model_from_json",
    "models",
    "ops",
    "optimizers",
    "register_keras_serializable",
    "register_serializable",
    "regularizers",
    "save_model",
    "saving",
    "schedules",
    "set_random_seed",
    "to_categorical",
    "utils",
]
__all__ += layers.__all__

_NEED_SKLEARN = ("GraphnetClassifier", "GraphnetRegressor")


def __getattr__(name: str) -> Any:
    if name in _NEED_SKLEARN:
        from graphnet.nn import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NEED_SKLEARN])
