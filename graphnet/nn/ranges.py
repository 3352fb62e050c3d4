"""What numbers may be given: no masked ones; class numbers, shares or counts as targets of a loss or metric.

Only numbers that are known are looked at: a compiled step has none, and `fit` asks before it begins. Rows that a weight
of 0 leaves out may hold anything.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

import graphnet as gn


def check_unmasked(value: Any, what: str) -> None:
    """Raise `TypeError` for a masked array with masked elements, which would count as if they were there."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(
            f"{what} is a masked array, and {int(np.ma.count_masked(value))} of its elements are masked: they can't be "  # type: ignore[no-untyped-call]
            "left out here. Fill them, as in value.filled(0), and leave out rows by sample_weight=~mask."
        )
    if isinstance(value, (list, tuple)):
        for part in value:
            if isinstance(part, np.ma.MaskedArray):
                check_unmasked(part, what)


class _Weights(threading.local):
    now: Any = None


_weights = _Weights()


class weighing:
    """Within it, rows (or elements) whose weight is 0 are not looked at."""

    __slots__ = ("before", "sample_weight")

    def __init__(self, sample_weight: Any):
        self.sample_weight = sample_weight

    def __enter__(self) -> None:
        self.before, _weights.now = _weights.now, self.sample_weight

    def __exit__(self, *exc: object) -> None:
        _weights.now = self.before


#: for each kind of whole numbers, the one without a sign in which negative numbers are those from a number on, and it
_UNSIGNED = {np.dtype(f"i{n}"): (np.dtype(f"u{n}"), 1 << 8 * n - 1) for n in (1, 2, 4, 8)}


def _values(y: Any) -> np.ndarray | None:
    """The numbers of `y` if they are known."""
    if isinstance(y, gn.Tensor):
        return None if y.is_symbolic else y._value
    return np.asarray(y)


def _counted(y: np.ndarray) -> np.ndarray | None:
    """Those numbers of `y` that have a weight; None if that is not known."""
    if _weights.now is None:
        return y
    w = _values(_weights.now)
    if w is None:
        return None
    if w.ndim == y.ndim + 1 and w.shape[-1] == 1:
        w = w[..., 0]
    if w.ndim > y.ndim:
        return None
    try:
        return y[np.broadcast_to(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)) != 0, y.shape)]
    except ValueError:
        return None  # weights that don't fit are answered where they are used


def _wrong(y: Any, low: float, high: float) -> np.ndarray | None:
    """The numbers of `y` that count, if one of them is not from `low` to `high`."""
    found = _values(y)
    if found is None or found.size == 0 or found.dtype.kind == "b":
        return None
    if found.min() >= low and found.max() <= high:
        return None
    found = _counted(found)
    # NaN is neither above nor below.
    return None if found is None or found.size == 0 or (found.min() >= low and found.max() <= high) else found


def _span(y: np.ndarray) -> str:
    if y.dtype.kind == "f" and np.isnan(y).any():
        return "these hold NaN"
    return f"these go from {y.min():g} to {y.max():g}"


def check_classes(
    y: Any, classes: int, what: str, role: str = "loss", ignore_class: int | None = None, of: str = "targets"
) -> None:
    """Raise `ValueError` unless `y` holds whole numbers from 0 to `classes - 1`, or `ignore_class`."""
    found = _values(y)
    if found is None or found.size == 0 or found.dtype.kind == "b":
        return
    unsigned, negative = _UNSIGNED.get(found.dtype, (found.dtype, 0))
    if 0 < classes <= negative and np.maximum.reduce(found.view(unsigned), axis=None) < classes:
        return
    whole = found.dtype.kind in "iu" or bool((found == np.floor(found)).all())
    if whole and found.min() >= 0 and found.max() < classes:
        return
    found = _counted(found)
    if found is None:
        return
    if ignore_class is not None:
        found = found[found != ignore_class]
    if found.size == 0:
        return
    if found.dtype.kind == "f" and (found != np.floor(found)).any():
        odd = found[found != np.floor(found)].flat[0]
        raise ValueError(f"{role}='{what}' needs integer labels; the {of} hold {odd:g}, which is not whole.")
    low, high = found.min(), found.max()
    if low < 0 or high >= classes:
        raise ValueError(
            f"{role}='{what}' needs labels from 0 to {classes - 1}, one for each of the {classes} classes of the "
            f"predictions; the {of} go from {low:g} to {high:g}. Give the last layer {int(high) + 1} units, or number "
            "the classes from 0: np.unique(y, return_inverse=True)[1]."
        )


def check_shares(y: Any, what: str, role: str = "loss") -> None:
    """Raise `ValueError` unless `y` holds numbers from 0 to 1, give or take rounding."""
    found = _wrong(y, -1e-5, 1 + 1e-5)
    if found is not None:
        raise ValueError(
            f"{role}='{what}' needs targets from 0 to 1; {_span(found)}. Use labels 0 and 1, or "
            f"{role}='sparse_categorical_{'crossentropy' if role == 'loss' else 'accuracy'}' for several classes."
        )


def check_probabilities(y: Any, what: str, role: str = "loss") -> None:
    """Raise `ValueError` unless `y` holds numbers from 0 to 1, as a distribution has them."""
    found = _wrong(y, -1e-5, 1 + 1e-5)
    if found is not None:
        raise ValueError(
            f"{role}='{what}' compares probabilities, from 0 to 1; of the targets, {_span(found)}. Divide each row by "
            "its sum: y / y.sum(-1, keepdims=True)."
        )


def check_one_hot(y: Any, what: str, role: str = "loss") -> None:
    """Raise `ValueError` if a number of `y`, one for each class, is negative or NaN."""
    found = _wrong(y, -1e-5, np.inf)
    if found is not None:
        raise ValueError(
            f"{role}='{what}' needs one-hot targets, or a probability for each class: numbers that are not negative; "
            f"{_span(found)}. Weigh rows by sample_weight, which may be negative."
        )


def check_counts(y: Any, what: str, role: str = "loss") -> None:
    """Raise `ValueError` if a number of `y` is negative or NaN."""
    found = _wrong(y, 0, np.inf)
    if found is not None:
        raise ValueError(
            f"{role}='{what}' needs counts, 0 or more; of the targets, {_span(found)}. Use {role}='mse' for numbers of "
            "any sign."
        )


def check_signs(y: Any, what: str, role: str = "loss") -> None:
    """Raise `ValueError` if a number of `y` is below -1, above 1 or NaN."""
    found = _wrong(y, -1 - 1e-5, 1 + 1e-5)
    if found is not None:
        raise ValueError(f"{role}='{what}' needs targets -1 and 1, or 0 and 1; {_span(found)}.")
