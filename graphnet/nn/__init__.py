"""Networks in Keras' words: layers, a Sequential, and training."""

from typing import Any

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
from graphnet.nn.history import History
from graphnet.nn.layer import Layer
from graphnet.nn.layers import *
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
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
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
