"""Networks in Keras' words: layers, a Sequential, and training."""

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
from graphnet.nn.layers import Activation, Dense, Dropout, Flatten, Input, InputLayer
from graphnet.nn.sequential import Sequential
from graphnet.nn.training import Model
from graphnet.nn.utils import set_random_seed, to_categorical

__all__ = [
    "Activation",
    "Callback",
    "Dense",
    "Dropout",
    "Flatten",
    "History",
    "Input",
    "InputLayer",
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
