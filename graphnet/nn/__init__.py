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
from graphnet.nn.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    InputLayer,
    Masking,
    RepeatVector,
    SimpleRNN,
    TimeDistributed,
)
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
    "GRU",
    "LSTM",
    "Activation",
    "Bidirectional",
    "Callback",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "History",
    "Input",
    "InputLayer",
    "Layer",
    "Masking",
    "Model",
    "RepeatVector",
    "Sequential",
    "SimpleRNN",
    "TimeDistributed",
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
