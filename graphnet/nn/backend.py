"""Settings of Keras' `backend` and `config` that scripts ask for, with the answers that hold here."""

from __future__ import annotations

import numpy as np

from graphnet.nn.layer import FLOAT, clear_names

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]

EPSILON = 1e-7


def backend() -> str:
    """What computes: "graphnet"."""
    return "graphnet"


def clear_session(free_memory: bool = True) -> None:
    """Count the names of layers from the beginning, so that models made again get the same ones.

    There is no graph or session to clear: what no model holds is free by itself.
    """
    clear_names()


def floatx() -> str:
    """The dtype of layers that are given none: "float32"."""
    return FLOAT


def epsilon() -> float:
    """The small number of losses and metrics."""
    return EPSILON


def image_data_format() -> str:
    """Where channels are unless a layer says else: "channels_last"."""
    return "channels_last"


def set_floatx(value: str) -> None:
    """Accept "float32". Raises `ValueError` for another dtype, which is said for each layer."""
    if value != FLOAT:
        raise ValueError(
            f"layers are {FLOAT} unless they say else: give them dtype={value!r}, as in Dense(4, dtype={value!r})"
        )


def set_epsilon(value: float) -> None:
    """Accept 1e-7. Raises `ValueError` for another number."""
    if value != EPSILON:
        raise ValueError(f"the epsilon of losses and metrics is {EPSILON}; received {value!r}")


def set_image_data_format(data_format: str) -> None:
    """Accept "channels_last". Raises `ValueError` for another format, which is said for each layer."""
    if data_format != "channels_last":
        raise ValueError(
            f"layers have channels last unless they say else: give them data_format={data_format!r}, as in "
            f"SpatialDropout2D(0.1, data_format={data_format!r}), or move the axis: np.moveaxis(x, 1, -1)"
        )


def is_float_dtype(dtype: object) -> bool:
    """Whether a dtype is one of floating-point numbers."""
    return np.dtype(str(dtype)).kind == "f"


def is_int_dtype(dtype: object) -> bool:
    """Whether a dtype is one of whole numbers."""
    return np.dtype(str(dtype)).kind in "iu"
