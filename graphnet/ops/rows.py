"""Rows of a table by number, and numbers added to rows: what an embedding does, with a gradient that sorts."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.apply import apply, apply_prepared, as_tensor
from graphnet.arrays import Spec
from graphnet.declare import op
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.ops.choices import where
from graphnet.ops.comparisons import greater_equal, less
from graphnet.ops.shaping import astype, broadcast_to, moveaxis, reshape
from graphnet.record import Op, registered
from graphnet.typed import ArrayLike


def _checked(places: np.ndarray, count: int, what: str) -> np.ndarray:
    """`places`, all of them from 0 to `count - 1`."""
    if places.size:
        low, high = places.min(), places.max()
        if low < 0 or high >= count:
            label = f"{what}: " if what else ""
            raise IndexError(
                f"{label}{low if low < 0 else high} is not the number of a row: there are {count} rows, "
                f"0 to {count - 1}"
            )
    return places


def _rows_slope(place: Any, g: Any, y: Any, x: Any, places: Any, what: Any) -> Any:
    if place:
        return None
    return apply(_rows_added.op, (g, places), {"count": x.shape[0], "what": what})


def _rows_into(out: Any, x: Any, places: Any, what: Any = "") -> Any:
    # The places are known to be there: "clip" only keeps NumPy from making a copy.
    np.take(x, _checked(places, x.shape[0], what), axis=0, out=out, mode="clip")


def _apart(places: Any, count: int, what: Any) -> tuple[Any, Any]:
    """The places of a batch, in as many tables one after the other, and what errors begin with.

    One that is out of range stays so: it does not count as a row of the next table.
    """
    n = places.shape[0]
    first = (np.arange(n) * count).reshape((n,) + (1,) * (places.ndim - 1))
    places = astype(places, np.int64)
    there = where(greater_equal(places, count), places + (n - 1) * count, places + first)
    note = f"{what}: {n} tables of {count} rows, one after the other" if what else what
    return where(less(places, 0), places, there), note


def _rows_each(batch: Any, x: Any, places: Any, what: Any) -> Any:
    if not batch[0]:
        return apply_prepared(_take_rows.op, (x, places), {"what": what})
    if not batch[1]:
        y = apply_prepared(_take_rows.op, (moveaxis(x, 0, 1), places), {"what": what})
        return moveaxis(y, places.ndim, 0)
    count = x.shape[1]
    places, what = _apart(places, count, what)
    return apply_prepared(_take_rows.op, (reshape(x, (x.shape[0] * count, *x.shape[2:])), places), {"what": what})


@op(
    lambda x, places, what="": (*places.shape, *x.shape[1:]),
    dtype=lambda x, places, what="": x.dtype,
    vjp=_rows_slope,
    batch=_rows_each,
    name="take_rows",
    onnx="Gather",
    into=_rows_into,
    may_raise=True,
)
def _take_rows(*inputs: Any, what: Any = "") -> Any:
    """`x[places]`."""
    x, places = inputs
    return np.take(x, _checked(places, x.shape[0], what), axis=0)


def _rows_added_slope(place: Any, g: Any, y: Any, x: Any, places: Any, count: Any, what: Any) -> Any:
    return None if place else apply(_take_rows.op, (g, places), {"what": what})


def _rows_added_into(out: Any, x: Any, places: Any, count: Any, what: Any = "") -> Any:
    out.fill(0)
    places = _checked(places, count, what).ravel()
    if not places.size or not out.size:
        return
    order = np.argsort(places, kind="stable")
    places = places[order]
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    rows = x.reshape(len(order), -1)[order]
    if len(starts) < len(order):
        rows = np.add.reduceat(rows, starts, axis=0, dtype=np.float32 if x.dtype == np.float16 else x.dtype)
    out[places[starts]] = rows.reshape(-1, *out.shape[1:])


def _rows_added_shape(x: Any, places: Any, count: Any, what: Any = "") -> tuple[int, ...]:
    if tuple(x.shape[: len(places.shape)]) != tuple(places.shape):
        raise ValueError(f"rows of shape {tuple(x.shape)} have no places of shape {tuple(places.shape)}")
    return (count, *x.shape[len(places.shape) :])


def _rows_added_each(batch: Any, x: Any, places: Any, count: Any, what: Any) -> Any:
    if not batch[1]:
        y = apply_prepared(_rows_added.op, (moveaxis(x, 0, places.ndim), places), {"count": count, "what": what})
        return moveaxis(y, 1, 0)
    n = places.shape[0]
    x = x if batch[0] else broadcast_to(x, (n, *x.shape))
    at, what = _apart(places, count, what)
    y = apply_prepared(_rows_added.op, (x, at), {"count": n * count, "what": what})
    return reshape(y, (n, count, *y.shape[1:]))


@op(
    _rows_added_shape,
    dtype=lambda x, places, count, what="": x.dtype,
    vjp=_rows_added_slope,
    batch=_rows_added_each,
    name="add_rows",
    onnx="ScatterND",
    into=_rows_added_into,
    may_raise=True,
)
def _rows_added(*inputs: Any, count: Any, what: Any = "") -> Any:
    """Zeros of `count` rows, with the rows of `x` added at their places."""
    x, places = inputs
    out = np.empty(_rows_added_shape(x, places, count), x.dtype)
    _rows_added_into(out, x, places, count, what)
    return out


def _whole(x: Any, what: Any = "") -> Any:
    found = x.astype(np.int64) if x.size == 0 or bool((np.abs(x) < 2.0**62).all()) else None
    if found is None or (found != x).any():
        odd = next(v for v in x.flat if not abs(v) < 2.0**62 or v != np.floor(v))
        raise ValueError(f"{what + ': ' if what else ''}{odd:g} is no whole number")
    return found


WHOLE = registered(
    Op(
        "whole_numbers",
        "op",
        _whole,
        lambda x, what="": Spec(x.shape, np.dtype(np.int64)),
        (None,),
        ("x",),
        doc="`x` as int64, or `ValueError` for a number that is not whole.",
        hidden=True,
        builtin=True,
        batch=lambda batch, x, what: whole_numbers(x, what),
    )
)


def whole_numbers(x: ArrayLike, what: str = "") -> Tensor:
    """Floating-point numbers that are whole, as int64. `what` begins the text of errors.

    Raises `ValueError` for a number that is not whole.

    >>> whole_numbers(np.float32([2.0, 0.0]))
    Tensor([2, 0])
    """
    return apply(WHOLE, (as_tensor(x),), {"what": what})


@naming
def take_rows(x: ArrayLike, places: ArrayLike, what: str = "") -> Tensor:
    """`x[places]` for whole numbers of rows, from 0 on; a row that is taken twice gets both gradients.

    `places` has any shape, the result is `places.shape + x.shape[1:]`. `what` begins the text of errors. Raises
    `IndexError` for a number that is no row's (also a negative one), `TypeError` for places that are no integers.

    >>> import graphnet as gn
    >>> gn.take_rows([[1.0, 2.0], [3.0, 4.0]], [1, 0, 1])
    Tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    x, places = as_tensor(x), as_tensor(places)
    if x.ndim == 0:
        raise ValueError("take_rows: a table with rows; received a number")
    if places.size == 0 and places.dtype.kind == "f" and not places.is_symbolic:
        places = as_tensor(np.zeros(places.shape, np.int64))
    if places.dtype.kind not in "iu":
        raise TypeError(f"take_rows: places are integers; received {places.dtype}")
    return apply(_take_rows.op, (x, places), {"what": what})
