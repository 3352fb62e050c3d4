"""Networks in Keras' words: layers, a Sequential, and training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphnet.nn import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    utils,
)
from graphnet.nn.callbacks import Callback
from graphnet.nn.gone import absent
from graphnet.nn.history import History
from graphnet.nn.layer import Layer
from graphnet.nn.layers import *
from graphnet.nn.optimizers import schedules
from graphnet.nn.seeds import set_random_seed
from graphnet.nn.sequential import Sequential
from graphnet.nn.training import Model
from graphnet.nn.utils import to_categorical
from graphnet.optional import installed
from graphnet.version import __version__ as __version__

if TYPE_CHECKING:
    from graphnet.nn import models, ops, saving
    from graphnet.nn.saving import (
        clone_model,
        custom_object_scope,
        load_model,
        model_from_json,
        register_keras_serializable,
        register_serializable,
        save_model,
    )

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

#: names that are looked up when they are asked for: what a script may do without, or what needs another package
_HOMES = {
    "backend": "",
    "config": "backend",
    "datasets": "",
    "preprocessing": "",
    "random": "",
    "GraphnetClassifier": "estimators",
    "GraphnetRegressor": "estimators",
    "Initializer": "initializers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "clone_model": "saving",
    "custom_object_scope": "registry",
    "load_model": "saving",
    "model_from_json": "saving",
    "models": "",
    "ops": "",
    "register_keras_serializable": "registry",
    "register_serializable": "registry",
    "save_model": "saving",
    "saving": "",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise absent(__name__, name)
    if name == "datasets":
        return import_module("graphnet.datasets")
    if name == "config":
        return import_module(f"{__name__}.backend")
    if not _HOMES[name]:
        with installed():
            return import_module(f"{__name__}.{name}")
    # Some of them need packages that are not always there.
    with installed():
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
