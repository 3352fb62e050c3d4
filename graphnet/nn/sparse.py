"""Rows of a SciPy sparse matrix, made dense batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_sparse(value: Any) -> bool:
    """Whether `value` is a sparse matrix or array of SciPy, or one that can be used like it."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def rows_of(value: Any, what: str, dtype: Any = "float32") -> Any:
    """A sparse matrix as `SparseRows`, floating-point numbers in `dtype`; anything else as it is."""
    if not is_sparse(value) or isinstance(value, SparseRows):
        return value
    if len(value.shape) != 2:
        raise TypeError(f"{what}: a sparse array has two axes, (rows, features); received the shape {value.shape}.")
    matrix = value.tocsr()
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{what} is a matrix of numbers; received {matrix.dtype}.")
    return SparseRows(matrix.astype(dtype, copy=False) if matrix.dtype.kind == "f" else matrix)


class SparseRows:
    """A matrix in compressed rows, with as much of an array's interface as batches need: what is taken is dense."""

    ndim = 2

    def __init__(self, matrix: Any):
        self.matrix = matrix
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: np.dtype = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: Any) -> np.ndarray:
        return self.matrix[chosen].toarray()

    def part(self, chosen: slice) -> SparseRows:
        """Some of the rows, still sparse."""
        return SparseRows(self.matrix[chosen])

    def take(self, chosen: np.ndarray, axis: int, out: np.ndarray, mode: str) -> np.ndarray:
        """The chosen rows, written to `out`."""
        return self.matrix[chosen].toarray(out=out)

    # What `is_sparse` and `as_array` look for.

    def tocsr(self) -> Any:
        """The matrix."""
        return self.matrix

    def toarray(self) -> np.ndarray:
        """All rows, dense."""
        return self.matrix.toarray()
