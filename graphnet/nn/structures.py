"""Data as one array, or as several in a list, tuple or dict: x, y and weights of `fit` and its kin.

One array is the simple case of a structure, and has the shortest way through every function here. A list of numbers is
one array. A list of arrays is several arrays, or the rows of one: `is_several` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.containers import flatten
from graphnet.nn.arrays import as_array
from graphnet.nn.sparse import SparseRows, is_sparse, rows_of

#: how many elements of a list are looked at
SOME = 9


class Spec:
    """The shape and dtype of a tensor."""

    __slots__ = ("dtype", "shape")

    def __init__(self, t: Any):
        self.shape, self.dtype = t.shape, t.dtype


def is_array(value: Any) -> bool:
    """Whether `value` is an array, a tensor, the spec of one, or the rows of a sparse matrix."""
    return value.__class__ is np.ndarray or isinstance(value, (gn.Tensor, np.ndarray, SparseRows, Spec))


def is_several(value: Any, rows: int | None = None, listed: bool = True) -> bool:
    """Whether `value` stands for several arrays.

    A dict does. A list or tuple does if all that is in it has as many `rows` as the other data. Where that does not
    decide, arrays in it are several if `listed`, and else the rows of one array, as lists of numbers are.
    """
    if isinstance(value, dict):
        return not is_sparse(value)
    if not isinstance(value, (list, tuple)) or not value:
        return False
    some = [v for v in value[:SOME] if v is not None]
    arrays = bool(some) and all(_like_array(v) and np.ndim(v) > 0 for v in some)
    several = any(is_several(v, None, listed) for v in some) or (listed and arrays)
    if rows is None:
        return several
    if all(rows_in(v, listed) == rows for v in value if v is not None):
        return several or (len(value) != rows and (arrays or all(_depth(v) > 1 for v in some)))
    return several and len(value) != rows


def _like_array(value: Any) -> bool:
    return hasattr(value, "__array__") or hasattr(value, "to_numpy") or is_sparse(value)


def _depth(value: Any) -> int:
    """How many axes an array, or nested lists of numbers, have."""
    depth = 0
    while isinstance(value, (list, tuple)) and value:
        value, depth = value[0], depth + 1
    return depth + len(getattr(value, "shape", ()))


def rows_in(value: Any, listed: bool = True) -> int | None:
    """How many rows the first array of `value`, as a user gave it, has; None if there is none."""
    while is_several(value, None, listed):
        parts = value.values() if isinstance(value, dict) else value
        value = next((v for v in parts if v is not None), None)
    shape = getattr(value, "shape", None)
    if shape is not None:
        return shape[0] if len(shape) else None
    return len(value) if isinstance(value, (list, tuple)) else None


def arranged(
    value: Any, what: str, dtype: Any, *, rows: int | None = None, listed: bool = True, sparse: bool = False
) -> Any:
    """`value` as an array of numbers, or as such arrays in the same containers; if `sparse`, matrices that are so as
    `SparseRows`.

    Raises `TypeError` or `ValueError` for what is not numbers, saying where it stands.
    """
    if value.__class__ is np.ndarray or not is_several(value, rows, listed):
        value = rows_of(value, what, dtype) if sparse else value
        return value if isinstance(value, SparseRows) and sparse else as_array(value, what, dtype)
    leaves, structure = flatten(value)
    if not leaves:
        raise ValueError(f"{what} holds no array: it is {value!r:.80}.")
    return structure(
        [
            arranged(leaf, at, dtype, listed=False, sparse=sparse)
            for leaf, at in zip(leaves, structure.places(what), strict=True)
        ]
    )


def as_leaves(value: Any) -> list[Any]:
    """The arrays or tensors in `value`, in order."""
    if value is None:
        return []
    return [value] if is_array(value) else flatten(value)[0]


def placed(value: Any, what: str) -> list[tuple[str, Any]]:
    """The arrays in `value`, each with the place where it stands in what is called `what`."""
    if value is None:
        return []
    if is_array(value):
        return [(what, value)]
    leaves, structure = flatten(value)
    return list(zip(structure.places(what), leaves, strict=True))


def mapped(value: Any, f: Callable[[Any], Any]) -> Any:
    """`f` of an array, or of each in its containers; None stays."""
    if value is None:
        return None
    if is_array(value):
        return f(value)
    leaves, structure = flatten(value)
    return structure([f(leaf) for leaf in leaves])


def beside(value: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Each array in `value` with what stands at its place in `other`, which has the same containers, or is None."""
    if value is None:
        return
    if is_array(value):
        yield value, other
        return
    for key in value if isinstance(value, dict) else range(len(value)):
        yield from beside(value[key], None if other is None else other[key])


def check_like(value: Any, other: Any, what: str, than: str) -> None:
    """Raise `ValueError` if `value` has not an array, or None, wherever `other` has one."""
    if is_array(other) or other is None:
        same = value is None or (is_array(value) and other is not None)
    elif isinstance(other, dict):
        same = isinstance(value, dict) and set(value) == set(other)
    else:
        same = isinstance(value, (list, tuple)) and len(value) == len(other)
    if not same:
        raise ValueError(f"{what} is {described(value)}, and {than} is {described(other)}: both have the same parts.")
    if not is_array(other) and other is not None:
        for key in other if isinstance(other, dict) else range(len(other)):
            check_like(value[key], other[key], f"{what}[{key!r}]", f"{than}[{key!r}]")


def in_order(values: tuple[Any, ...]) -> tuple[Sequence[Any], Callable[[list[Any]], Any]]:
    """The arrays in `values`, and what makes such values of other arrays in their order."""
    if all(v is None or is_array(v) for v in values):
        return values, tuple
    return flatten(values)


def spec_of(value: Any) -> Any:
    """What is the same for data that a model takes alike: shape and dtype, of each array in its containers."""
    if value is None:
        return None
    if is_array(value):
        return value.shape, value.dtype
    leaves, structure = flatten(value)
    return structure, tuple([(leaf.shape, leaf.dtype) for leaf in leaves])


def described(value: Any) -> str:
    """What a value is, in an error."""
    if value is None:
        return "None"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(repr, value)) or '(none)'}"
    if isinstance(value, (list, tuple)):
        return f"a {'list' if isinstance(value, list) else 'tuple'} of {len(value)}"
    return "one array"


def same_rows(x: Any) -> tuple[str, int]:
    """What the first input is called, and how many rows all inputs have. Raises `ValueError` where they differ."""
    if is_array(x):
        return "x", len(x)
    (what, first), *others = placed(x, "x")
    for at, other in others:
        if len(other) != len(first):
            rows = "" if len(others) < SOME else " (If these are the rows of one array, stack them: np.stack(x).)"
            raise ValueError(
                f"all inputs have the same number of rows: {what} has {len(first)} rows, {at} has {len(other)}.{rows}"
            )
    return what, len(first)


def check_rows(x: Any, y: Any, w: Any) -> int:
    """How many rows all have. Raises `ValueError` if there are none, or not the same number everywhere."""
    what, rows = same_rows(x)
    for at, ys in placed(y, "y"):
        if len(ys) != rows:
            raise ValueError(f"x and y have one row per sample each: {what} has {rows} rows, {at} has {len(ys)}.")
    for at, ws in placed(w, "sample_weight"):
        if len(ws) != rows:
            raise ValueError(f"sample_weight has one number per row of x: {what} has {rows} rows, {at} has {len(ws)}.")
    if rows == 0:
        shape = as_leaves(x)[0].shape
        raise ValueError(f"{what} has no rows (its shape is {shape}): a step needs at least one.")
    return rows


def split(values: tuple[Any, ...], share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`values` without and with their last `share` of rows: the split is made before any shuffle."""
    if not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ValueError(f"validation_split is a share between 0 and 1; received {share!r}.")
    rows = len(as_leaves(values[0])[0])
    at = int(rows * (1 - share))
    if at in (0, rows):
        raise ValueError(
            f"validation_split={share} of {rows} rows leaves {at} for training and {rows - at} for validation."
        )
    return tuple(part(v, slice(at)) for v in values), tuple(part(v, slice(at, None)) for v in values)


def part(value: Any, chosen: Any) -> Any:
    """Some of the rows; those of a sparse matrix stay sparse if `chosen` is a slice."""
    if isinstance(chosen, slice):
        return mapped(value, lambda a: a.part(chosen) if isinstance(a, SparseRows) else a[chosen])
    return mapped(value, lambda a: a[chosen])


def joined(batches: list[Any]) -> Any:
    """The rows of several batches one after the other: arrays, or arrays in the same containers."""
    if is_array(batches[0]):
        return np.concatenate(batches)
    _, structure = flatten(batches[0])
    return structure([np.concatenate(parts) for parts in zip(*map(as_leaves, batches), strict=True)])
