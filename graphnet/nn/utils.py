"""Small helpers around training, under Keras' names."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.nn.seeds import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Integer labels of shape `(...)` as one-hot float32 rows of shape `(..., num_classes)`.

    Raises `ValueError` for labels below 0, or not below `num_classes`.

    >>> to_categorical([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    whole = labels.astype(np.int64)
    if labels.size and (whole != labels).any():
        raise ValueError("to_categorical: labels are whole numbers")
    classes = int(whole.max()) + 1 if num_classes is None and whole.size else int(num_classes or 0)
    if whole.size and (whole.min() < 0 or whole.max() >= classes):
        raise ValueError(
            f"to_categorical: labels go from {whole.min()} to {whole.max()}; with {classes} classes they are 0 "
            f"to {classes - 1}"
        )
    return np.eye(classes, dtype=np.float32)[whole]
