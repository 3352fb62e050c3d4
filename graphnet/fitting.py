"""Values that go into a tensor of another dtype: taken where nothing of them is lost, an error elsewhere.

A number, also in a list, counts by its value: 2.0 is a number of uint8, 2.5 and 300 are not. An array counts by its
dtype: booleans fit in whole numbers, those in floating-point ones, those in complex ones, and not the other way round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}
_CUT = "convert one of them first, as in x.astype('{given}') or gn.astype(values, '{dtype}')"


def check_dtypes(what: str, given: np.dtype, dtype: np.dtype) -> None:
    """Raise `TypeError` where values of dtype `given`, not known yet, can lose something in `dtype`.

    Within one kind only the range may differ, as in NumPy's casting "same_kind".
    """
    if not np.can_cast(given, dtype, "same_kind"):
        raise TypeError(
            f"{what}: values of {given} do not fit in a tensor of {dtype}: {_CUT.format(given=given, dtype=dtype)}"
        )


def fitted(what: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """`value`, a number, a list of numbers or an array, in `dtype`.

    Floating-point numbers are rounded to a narrower dtype of theirs. Errors begin with `what`.

    Raises `TypeError` for a fraction, NaN, infinity or imaginary part that `dtype` does not hold, and for an array
    whose dtype allows them; `OverflowError` for whole numbers out of its range.

    >>> import numpy as np
    >>> fitted("pad", 2.0, np.dtype("uint8"))
    array(2, dtype=uint8)
    """
    if value.__class__ is int and dtype.kind != "b":
        try:
            return np.asarray(value, dtype)
        except OverflowError:
            raise OverflowError(f"{what}: {value} is out of bounds for {dtype}") from None
    array = np.asarray(value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in _RANKS:
        if array.dtype.kind == "O" and array.size and all(isinstance(n, int) for n in array.flat):
            raise OverflowError(f"{what}: {max(array.flat, key=abs)} is out of bounds for {dtype}")
        raise TypeError(f"{what}: expected numbers; received {type(value).__name__}")
    loses = _RANKS[array.dtype.kind] > _RANKS[dtype.kind]
    if loses and array.dtype.kind == "c":
        raise TypeError(f"{what}: {dtype} has no imaginary part: of complex numbers take gn.real, gn.imag or gn.abs")
    if loses and array.ndim and isinstance(value, np.ndarray):
        check_dtypes(what, array.dtype, dtype)
    if loses and dtype.kind == "b":
        odd = (array != 0) & (array != 1)
        if odd.any():
            raise TypeError(f"{what}: {array[odd][0]} is neither True nor False; the tensor holds {dtype}")
    elif loses:
        odd = ~np.isfinite(array) | (np.floor(array) != array)
        if odd.any():
            raise TypeError(
                f"{what}: {array[odd][0]} is no whole number, and the tensor holds {dtype}: give a whole number, or a "
                f"tensor of another dtype, as x.astype('{array.dtype}')"
            )
    if dtype.kind in "iu" and array.size and not np.can_cast(array.dtype, dtype):
        low, high = int(array.min()), int(array.max())
        limits = np.iinfo(dtype)
        if low < limits.min or high > limits.max:
            raise OverflowError(f"{what}: {low if low < limits.min else high} is out of bounds for {dtype}")
    return array.astype(dtype)
