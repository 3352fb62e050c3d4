"""The layers, one file for each idea: each class states its formula and its shapes."""

from graphnet.nn.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from graphnet.nn.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, dropped, table, whole
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
from graphnet.nn.layers.scaling import Normalization, Rescaling
from graphnet.nn.layers.shaping import Permute, RepeatVector, Reshape

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
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
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "UnitNormalization",
    "dropped",
    "table",
    "whole",
]
