"""Data that NumPy does not read as numbers: what it is, and what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_missing(value: Any) -> bool:
    """Whether a value stands for a missing one: None, or NA or NaT of pandas."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def fields_hint(dtype: np.dtype, what: str) -> str:
    """What to write instead of a structured array."""
    return (
        f"a structured array with the fields {', '.join(dtype.names or ())}; make one array of them, as in "
        f"np.stack([{what}[field] for field in {what}.dtype.names], axis=-1)"
    )


def received(array: np.ndarray, kind: str, sparse: bool) -> str:
    """What was received in place of numbers: an array of another kind of things, that a `kind` was read as."""
    if array.dtype.names is not None:
        return fields_hint(array.dtype, "array")
    if array.dtype.kind == "O":
        gap = next((v for v in array.flat if is_missing(v)), array)
        if gap is not array and array.ndim:
            fill = "data.fillna(value) or data.dropna()" if gap is not None else "np.nan in its place"
            return f"{kind} with values that are missing ({gap}); fill them or leave them out, as in {fill}"
        text = next((v for v in array.flat if isinstance(v, (str, bytes))), None)
        if text is not None and array.ndim:
            return (
                f"{kind} with text in it, such as {text[:40]!r}; make numbers of it, as pandas.get_dummies(data) does"
            )
    return f"{kind} which NumPy reads as {array.dtype}{': write .toarray()' if sparse else ''}"
