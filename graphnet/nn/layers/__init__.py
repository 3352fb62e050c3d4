"""The layers, one file for each idea: each class states its formula and its shapes."""

from graphnet.nn.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, dropped, table, whole
from graphnet.nn.layers.embedding import Embedding, Masking
from graphnet.nn.layers.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from graphnet.nn.layers.wrappers import Bidirectional, RepeatVector, TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Input",
    "InputLayer",
    "Masking",
    "Recurrent",
    "RepeatVector",
    "SimpleRNN",
    "TimeDistributed",
    "dropped",
    "table",
    "whole",
]
