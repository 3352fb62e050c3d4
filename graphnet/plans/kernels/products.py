"""Matrix products as calls of BLAS in kernels: which of its forms a product has, and the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphnet import ops
from graphnet.node import Tensor, made_by
from graphnet.ops.planned import GEMM
from graphnet.plans.order.views import View, Views

if TYPE_CHECKING:
    from graphnet.plans.nest.language import Kernel
    from graphnet.plans.nest.values import Pointer, Value

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


class Matrix(NamedTuple):
    """A matrix in memory: its rows lie `lead` elements apart, or its columns do if it is `transposed`."""

    view: View
    transposed: bool
    lead: int
    rows: int
    columns: int


class Product(NamedTuple):
    """`a @ b`, of two matrices; `dtype` is float32 or float64."""

    a: Matrix
    b: Matrix
    dtype: np.dtype


def _matrix(view: View, shape: tuple[int, ...], strides: tuple[int, ...]) -> Matrix | None:
    rows, columns = shape
    down, along = strides
    if along == 1 or columns == 1:
        lead = down if rows > 1 else columns
        # One column with gaps is a transposed row.
        if columns == 1 and along != 1 and down == 1 and rows > 1:
            return Matrix(view, True, rows, rows, columns)
        return Matrix(view, False, lead, rows, columns) if lead >= columns else None
    if down == 1 or rows == 1:
        lead = along if columns > 1 else rows
        return Matrix(view, True, lead, rows, columns) if lead >= rows else None
    return None


def product(t: Tensor, views: Views) -> Product | None:
    """The product of two matrices that the matmul or gemm `t` is, if BLAS knows it in this form."""
    if not made_by(t, ops.matmul, GEMM) or t.dtype not in (np.float32, np.float64):
        return None
    x, y = t.inputs if made_by(t, ops.matmul) else t.inputs[1:3]
    if x.dtype != t.dtype or y.dtype != t.dtype or not x.size or not y.size or y.ndim > 2:
        return None
    a, b = views[x], views[y]
    if x.ndim == 1:
        left = _matrix(a, (1, x.shape[0]), (x.shape[0] * a.strides[0], a.strides[0]))
    elif x.ndim == 2:
        left = _matrix(a, x.shape, a.strides)
    else:
        # A stack of matrices is one tall matrix, if it lies without gaps.
        tall = (x.size // x.shape[-1], x.shape[-1])
        left = _matrix(a, tall, (x.shape[-1], 1)) if views.contiguous(x) else None
    if y.ndim == 1:
        right = _matrix(b, (y.shape[0], 1), (b.strides[0], 1)) if b.strides[0] > 0 else None
    else:
        right = _matrix(b, y.shape, b.strides)
    if left is None or right is None:
        return None
    return Product(left, right, t.dtype)


def call(
    k: Kernel, p: Product, pointers: Sequence[Pointer], functions: Sequence[Pointer], integer: np.dtype, scales: Any
) -> None:
    """Calls BLAS to compute `alpha * a @ b + beta * c` into c.

    `pointers` are of a, b and c; `functions` of gemm and gemv, whose integers are `integer`; `scales` alpha and beta.
    """
    # Plans on NumPy do without the loop language.
    from graphnet.plans.nest.values import INT32

    a, b = p.a, p.b
    at_a, at_b, at_c = pointers
    alpha, beta = scales
    gemm, gemv = functions

    def whole(*numbers: int) -> list[Value]:
        return [k.const(n, integer) for n in numbers]

    def word(n: int) -> Value:
        return k.const(n, INT32)

    def side(transposed: bool) -> Value:
        return word(TRANSPOSED if transposed else PLAIN)

    def times_vector(m: Matrix, matrix: Pointer, transposed: bool, vector: Pointer, step: int) -> None:
        # A matrix that lies transposed has its columns in memory as rows.
        shape = (m.columns, m.rows) if m.transposed else (m.rows, m.columns)
        head = [word(ROW_MAJOR), side(transposed != m.transposed), *whole(*shape), alpha, matrix, *whole(m.lead)]
        k.call_address(gemv, *head, vector, *whole(step), beta, at_c, *whole(1))

    if a.rows == 1:
        times_vector(b, at_b, True, at_a, a.lead if a.transposed and a.columns > 1 else 1)
    elif b.columns == 1:
        times_vector(a, at_a, False, at_b, 1 if b.transposed or b.rows == 1 else b.lead)
    else:
        head = [word(ROW_MAJOR), side(a.transposed), side(b.transposed), *whole(a.rows, b.columns, a.columns), alpha]
        k.call_address(gemm, *head, at_a, *whole(a.lead), at_b, *whole(b.lead), beta, at_c, *whole(b.columns))
