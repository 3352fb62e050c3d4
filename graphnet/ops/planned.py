"""Ops that only plans make: what BLAS, or a loop, has as one call. They are known by name as all others, but hidden."""

from __future__ import annotations

import numpy as np

from graphnet.apply import apply_prepared
from graphnet.arrays import Spec
from graphnet.record import OPS, Op, registered


def _in_range(places: np.ndarray, size: int) -> np.ndarray:
    # As unsigned numbers negative ones are the largest: mostly one comparison is enough.
    if places.size == 0 or places.view(places.dtype.str.replace("i", "u")).max() < size:
        return places
    low, high = places.min(), places.max()
    if low < -size or high >= size:
        raise IndexError(f"index {low if low < -size else high} is out of bounds for an axis of size {size}")
    return places


IN_RANGE = registered(
    Op(
        "in_range",
        "op",
        _in_range,
        lambda places, size: Spec(places.shape, places.dtype),
        (None,),
        ("places",),
        doc="`places`, all of which are from `-size` to `size - 1`, or `IndexError`.",
        hidden=True,
        builtin=True,
        batch=lambda batch, places, size: apply_prepared(IN_RANGE, (places,), {"size": size}),
    )
)

GEMM = registered(
    Op(
        "gemm",
        "op",
        lambda c, a, b, alpha, beta: beta * c + alpha * np.matmul(a, b),
        lambda c, a, b, alpha, beta: Spec(c.shape, c.dtype),
        (None,) * 5,
        ("c", "a", "b", "alpha", "beta"),
        onnx="Gemm",
        doc="`beta * c + alpha * a @ b`, for matrices and two numbers.",
        may_raise=False,
        hidden=True,
        builtin=True,
    )
)

#: elements of which float32 products are added up in one call of BLAS, which adds some 30 of them side by side
_PART = 4096


def sum_of_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`sum(a * b)` over all elements, for arrays of one shape: in parts, which are added up in float64."""
    if a.size <= 2 * _PART or a.dtype != np.float32:
        return np.asarray(np.vdot(a, b))
    a, b = np.ascontiguousarray(a).reshape(-1), np.ascontiguousarray(b).reshape(-1)
    whole = a.size // _PART * _PART
    parts = np.matmul(a[:whole].reshape(-1, 1, _PART), b[:whole].reshape(-1, _PART, 1))
    return np.asarray(np.sum(parts, dtype=np.float64) + np.vdot(a[whole:], b[whole:]), np.float32)


VDOT = registered(
    Op(
        "vdot",
        "op",
        sum_of_products,
        lambda a, b: Spec((), a.dtype),
        (None, None),
        ("a", "b"),
        doc="`sum(a * b)` over all elements, for arrays of one shape.",
        may_raise=False,
        hidden=True,
        builtin=True,
    )
)

CONV_ADD = registered(
    Op(
        "conv_add",
        "op",
        lambda x, kernel, bias, **at: OPS["conv"].forward(x, kernel, **at) + bias.reshape(-1),
        lambda x, kernel, bias, **at: OPS["conv"].infer(x, kernel, **at),
        (None,) * 3,
        ("x", "kernel", "bias"),
        onnx="Conv",
        doc="`conv(x, kernel) + bias`, with a number for each channel of the result.",
        may_raise=False,
        hidden=True,
        builtin=True,
    )
)
