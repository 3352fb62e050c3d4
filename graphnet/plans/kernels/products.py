"""Matrix products as calls of BLAS in IR: which of its forms a product has, and the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.order.views import Place, Places

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


class Matrix(NamedTuple):
    """A matrix in memory: its rows lie `lead` elements apart, or its columns do if it is `transposed`."""

    place: Place
    transposed: bool
    lead: int
    rows: int
    columns: int


class Product(NamedTuple):
    """`a @ b`, of two matrices; `dtype` is float32 or float64."""

    a: Matrix
    b: Matrix
    dtype: np.dtype


def _matrix(place: Place, shape: tuple[int, ...], strides: tuple[int, ...]) -> Matrix | None:
    rows, columns = shape
    down, along = strides
    if along == 1 or columns == 1:
        lead = down if rows > 1 else columns
        # One column with gaps is a transposed row.
        if columns == 1 and along != 1 and down == 1 and rows > 1:
            return Matrix(place, True, rows, rows, columns)
        return Matrix(place, False, lead, rows, columns) if lead >= columns else None
    if down == 1 or rows == 1:
        lead = along if columns > 1 else rows
        return Matrix(place, True, lead, rows, columns) if lead >= rows else None
    return None


def product(t: Tensor, places: Places) -> Product | None:
    """The product of two matrices that the matmul or gemm `t` is, if BLAS knows it in this form."""
    if t.op is None or t.op.name not in ("matmul", "gemm") or t.dtype not in (np.float32, np.float64):
        return None
    x, y = t.inputs if t.op.name == "matmul" else t.inputs[1:3]
    if x.dtype != t.dtype or y.dtype != t.dtype or not x.size or not y.size or y.ndim > 2:
        return None
    a, b = places[x], places[y]
    if x.ndim == 1:
        left = _matrix(a, (1, x.shape[0]), (x.shape[0] * a.strides[0], a.strides[0]))
    elif x.ndim == 2:
        left = _matrix(a, x.shape, a.strides)
    else:
        # A stack of matrices is one tall matrix, if it lies without gaps.
        tall = (x.size // x.shape[-1], x.shape[-1])
        left = _matrix(a, tall, (x.shape[-1], 1)) if places.contiguous(x) else None
    if y.ndim == 1:
        right = _matrix(b, (y.shape[0], 1), (b.strides[0], 1)) if b.strides[0] > 0 else None
    else:
        right = _matrix(b, y.shape, b.strides)
    if left is None or right is None:
        return None
    return Product(left, right, t.dtype)


def call(p: Product, pointers: Sequence[str], functions: Sequence[str], integer: str, scales: Sequence[str]) -> str:
    """The IR that computes `alpha * a @ b + beta * c` into c.

    `pointers` are of a, b and c; `functions` of gemm and gemv; `scales` alpha and beta, as IR values.
    """
    a, b = p.a, p.b
    kind = "float" if p.dtype == np.float32 else "double"
    alpha, beta = (f"{kind} {s}" for s in scales)
    where_a, where_b, where_c = (f"ptr {x}" for x in pointers)
    gemm, gemv = functions

    def whole(*numbers: int) -> list[str]:
        return [f"{integer} {n}" for n in numbers]

    def side(transposed: bool) -> str:
        return f"i32 {TRANSPOSED if transposed else PLAIN}"

    def times_vector(m: Matrix, matrix: str, transposed: bool, vector: str, step: int) -> str:
        # A matrix that lies transposed has its columns in memory as rows.
        shape = (m.columns, m.rows) if m.transposed else (m.rows, m.columns)
        listed = [f"i32 {ROW_MAJOR}", side(transposed != m.transposed), *whole(*shape), alpha, matrix, *whole(m.lead)]
        listed += [vector, *whole(step), beta, where_c, *whole(1)]
        return f"call void {gemv}({', '.join(listed)})"

    if a.rows == 1:
        return times_vector(b, where_b, True, where_a, a.lead if a.transposed and a.columns > 1 else 1)
    if b.columns == 1:
        return times_vector(a, where_a, False, where_b, 1 if b.transposed or b.rows == 1 else b.lead)
    listed = [f"i32 {ROW_MAJOR}", side(a.transposed), side(b.transposed), *whole(a.rows, b.columns, a.columns), alpha]
    listed += [where_a, *whole(a.lead), where_b, *whole(b.lead), beta, where_c, *whole(b.columns)]
    return f"call void {gemm}({', '.join(listed)})"
