"""Networks in Keras' words: layers, a Sequential, and training."""

from graphnet.nn import (
    activations,
    callbacks,
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
from graphnet.nn.layers import Activation, Dense, Dropout, Flatten, Input, InputLayer
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
    "clone_model",
    "custom_object_scope",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "model_from_json",
    "models",
    "optimizers",
    "register_keras_serializable",
    "register_serializable",
    "regularizers",
    "save_model",
    "saving",
    "set_random_seed",
    "to_categorical",
    "utils",
]
