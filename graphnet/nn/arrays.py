"""From what a user hands over as one array (arrays, lists, data frames) to an array of checked numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.ranges import check_unmasked
from graphnet.nn.sparse import SparseRows, is_sparse
from graphnet.unreadable import fields_hint, is_missing


def as_array(value: Any, what: str, dtype: Any = "float32", columns: Any = None) -> np.ndarray:
    """`value` as an array of numbers with a first axis of rows; floating-point numbers in `dtype`.

    Raises `TypeError` for anything that is not numbers, naming what it was.
    """
    if value.__class__ is np.ndarray:
        pass
    elif isinstance(value, gn.Tensor):
        value = value.numpy()
    elif hasattr(value, "to_numpy"):
        columns, value = getattr(value, "columns", None), value.to_numpy()
    elif is_sparse(value):
        value = value.toarray()
    if value is None or isinstance(value, (str, bytes, dict)):
        raise TypeError(f"{what} is an array of numbers, one row per sample; received {type(value).__name__}.")
    if callable(value) and not hasattr(value, "__array__"):
        raise TypeError(
            f"{what} is an array of numbers, or gives batches; received the function {value!r:.80}. For a generator, "
            f"hand over what it gives: {what}(), not {what}."
        )
    check_unmasked(value, what)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(
            f"{what} is an array of numbers with rows of one length; {_differing(value) or f'received {error}'}."
        ) from None
    if array.dtype.kind == "O":
        for place, v in np.ndenumerate(array):
            if is_missing(v):
                how = f", as in {what}.dropna() or {what}.fillna(value)" if v is not None else ""
                raise ValueError(
                    f"{what} holds a value that is missing, at {what}{list(place)}{_column(columns, place)}: it is "
                    f"{v}. Remove those rows or fill them{how}."
                )
            if isinstance(v, (str, bytes)):
                raise TypeError(
                    f"{what} is an array of numbers; received objects, one of which is the text {v[:40]!r}"
                    f"{_column(columns, place)}. {_for_text(columns, what, v, array.ndim)}"
                )
        try:
            array = array.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise TypeError(
                f"{what} is an array of numbers; received objects that are not"
                f"{_column(columns, _no_number(array))}: {str(error).rstrip('.')}."
            ) from None
    if array.dtype.kind not in "biuf":
        if array.dtype.names is not None:
            raise TypeError(f"{what} is an array of numbers; received {fields_hint(array.dtype, what)}.")
        kind = "text" if array.dtype.kind in "US" else str(array.dtype)
        hint = f" {_for_text(columns, what, array.flat[0], array.ndim)}" if kind == "text" and array.size else ""
        raise TypeError(f"{what} is an array of numbers; received {kind}.{hint}")
    if array.ndim == 0:
        raise TypeError(f"{what} is an array with one row per sample; received the single number {array}.")
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def _reads_as_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _differing(rows: Any) -> str:
    """What differs between rows that make no array, and what to do; nothing if they are no rows."""
    try:
        lengths = [len(row) for row in rows]
    except TypeError:
        return ""
    other = next((n for n, length in enumerate(lengths) if length != lengths[0]), None)
    if other is None:
        return ""
    return (
        f"row 0 has {lengths[0]}, row {other} has {lengths[other]}. Fill them up, as in "
        "nn.utils.pad_sequences(x, dtype='float32') with Masking or mask_zero, or give batches of one length each"
    )


def _column(columns: Any, place: tuple[int, ...]) -> str:
    """The name of the column of a data frame in which `place` lies, as a part of a sentence."""
    if columns is None or len(place) != 2:
        return ""
    return f" in the column {columns[place[1]]!r}"


def _no_number(array: np.ndarray) -> tuple[int, ...]:
    """Where the first object lies that is no number."""
    for place, v in np.ndenumerate(array):
        try:
            float(v)
        except (ValueError, TypeError):
            return place
    return ()


def _for_text(columns: Any, what: str, text: Any, ndim: int) -> str:
    """What to write where `text` was given."""
    if _reads_as_number(text):
        return f"Write numbers as numbers, as in {what}.astype(float)."
    if what.endswith("y"):
        return "Number the classes first: classes, y = np.unique(y, return_inverse=True)."
    if what.endswith("weight"):
        return "A weight is a number; weights of classes are class_weight={0: 1.0, 1: 3.0}."
    if columns is not None:
        return "Leave that column out, or make numbers of it, as pandas.get_dummies(x) does."
    if ndim > 1:
        return "Give texts as numbers, for example a column of 0 and 1 for each (pandas.get_dummies)."
    return "Number the words of each text; nn.utils.pad_sequences and an Embedding layer take the numbers."


def is_finite(array: np.ndarray | None) -> bool:
    """Whether no number of `array` is NaN or infinite."""
    if isinstance(array, SparseRows):
        return is_finite(array.matrix.data)
    if array is None or array.dtype.kind != "f":
        return True
    if array.flags.forc and np.isfinite(np.vdot(flat := array.ravel("K"), flat)):
        return True  # one pass, without a copy, and without a warning
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def check_finite(array: Any, what: str, hint: str = "") -> None:
    """Raise `ValueError` if `array` has a NaN or an infinity, saying where the first one is."""
    if array is None or is_finite(array):
        return
    if isinstance(array, SparseRows):
        array, what = array.matrix.data, f"{what}.data"
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"{what} holds {count} value{'s' * (count > 1)} that {'are' if count > 1 else 'is'} NaN or infinite, "
        f"the first at {what}{list(place)}: it is {array[place]}. Remove those rows or fill them, as in "
        f"np.nan_to_num({what}).{hint}"
    )


def weightless(w: np.ndarray) -> np.ndarray:
    """Which rows have no weight at all."""
    return np.logical_not(w.reshape(len(w), -1).any(axis=1))


def class_weights(y: np.ndarray, weights: Any) -> np.ndarray:
    """A weight for each row by its class: `weights[label]`, 1 for classes that are not listed."""
    if not isinstance(weights, dict):
        raise TypeError(f"class_weight is a dict from class to weight, as in {{0: 1.0, 1: 2.0}}; received {weights!r}.")
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    if labels.ndim > 1:
        raise ValueError(f"class_weight needs one label per row; the targets have shape {y.shape}: use sample_weight.")
    for k in weights:
        if not isinstance(k, (int, float, np.number, np.bool_)) or k != np.floor(k):
            raise ValueError(
                f"class_weight: classes are whole numbers, as in y; received {k!r:.100}. After classes, y = "
                "np.unique(names, return_inverse=True) the class of a name is its place in classes."
            )
    if labels.dtype.kind == "f" and not np.equal(labels, np.floor(labels)).all():
        raise ValueError("class_weight needs classes as targets; y holds fractions: use sample_weight.")
    table = {int(k): float(v) for k, v in weights.items()}
    return np.array([table.get(int(label), 1.0) for label in labels], np.float32)
