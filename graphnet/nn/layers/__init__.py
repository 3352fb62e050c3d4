"""The layers, one file for each idea: each class states its formula and its shapes."""

from graphnet.nn.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from graphnet.nn.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, dropped, table, whole
from graphnet.nn.layers.embedding import Embedding, Masking
from graphnet.nn.layers.function import ActivityRegularization, Identity, Lambda
from graphnet.nn.layers.noise import (
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from graphnet.nn.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from graphnet.nn.layers.recurrent import GRU, LSTM, SimpleRNN
from graphnet.nn.layers.scaling import Normalization, Rescaling
from graphnet.nn.layers.shaping import Permute, RepeatVector, Reshape
from graphnet.nn.layers.wrappers import Bidirectional, TimeDistributed

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "TimeDistributed",
    "UnitNormalization",
]
