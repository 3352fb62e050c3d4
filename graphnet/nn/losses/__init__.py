"""Losses, by idea: cross-entropies, numbers, distributions, margins, overlap, embeddings."""

from __future__ import annotations

from typing import Any

from graphnet.nn.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy,
    sparse_categorical_crossentropy,
)
from graphnet.nn.losses.base import (
    REDUCTIONS,
    SUM,
    FunctionLoss,
    Loss,
    LossFunctionWrapper,
    check_rows_left,
    ratio,
    reduced,
    table,
    weighed,
    weights_like,
)
from graphnet.nn.losses.circle import Circle, circle
from graphnet.nn.losses.crossentropies import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Crossentropy,
    SparseCategoricalCrossentropy,
)
from graphnet.nn.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
)
from graphnet.nn.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from graphnet.nn.losses.overlap import Dice, Tversky, dice, tversky
from graphnet.nn.losses.probabilistic import KLDivergence, Poisson, kl_divergence, poisson
from graphnet.nn.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from graphnet.nn.targets import as_tensor

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence


def default_for(model: Any) -> Loss:
    """The loss where `compile` was given none, by the last activation: a cross-entropy after a softmax or sigmoid.

    Targets of a softmax can be labels or one-hot. Anything else is compared by squared error.
    """
    last = next((layer for layer in reversed(model.layers) if getattr(layer, "activation", None) is not None), None)
    word = getattr(last.activation, "__name__", "") if last is not None else ""
    return Crossentropy() if word == "softmax" else BinaryCrossentropy() if word == "sigmoid" else MeanSquaredError()


def get(given: Any) -> Loss | None:
    """The Loss for a word, a function of `(y_true, y_pred)`, a class or an object.

    Raises `ValueError` for an unknown word, with the nearest known one; `TypeError` for what is none of these.

    >>> get("mse").name
    'mean_squared_error'
    """
    found = table.get(given)
    if found is None or isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found)


__all__ = [
    "BCE",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "REDUCTIONS",
    "SUM",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Crossentropy",
    "Dice",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "as_tensor",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "check_rows_left",
    "circle",
    "cosine_similarity",
    "crossentropy",
    "default_for",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "ratio",
    "reduced",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "table",
    "tversky",
    "weighed",
    "weights_like",
]
