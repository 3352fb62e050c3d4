"""Networks in Keras' words: layers, a Sequential, and training."""

from graphnet.nn import (
    activations,
    callbacks,
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
