"""One element of each row, `x[arange(n), i]`, as a choice that kernels know, and its gradient the same way.

So cross-entropy picks the logarithm at the label. Whether the places are there is asked first, before a plan has
changed anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.leaves import Parameter
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.index import GETITEM, SCATTER_ADD
from graphnet.ops.planned import IN_RANGE


def may_raise(t: Tensor) -> bool:
    """Whether computing `t` can fail because of a value."""
    return t.op is not None and t.op.can_fail(t.inputs, t.attrs)


def picked(t: Tensor) -> Tensor | None:
    """The places in each row, for a getitem or scatter_add that takes one element of each row of a matrix, in order."""
    if not made_by(t, GETITEM, SCATTER_ADD) or len(t.inputs) != 3 or t.dtype.kind != "f":
        return None
    shape = t.inputs[0].shape if made_by(t, GETITEM) else t.attrs["shape"]
    index, (rows, places) = t.attrs["index"], t.inputs[1:]
    if len(shape) != 2 or len(index) != 2:
        return None
    if rows.op is not None or isinstance(rows, Parameter) or rows.is_symbolic or places.size != shape[0]:
        return None
    if rows.shape != places.shape or places.shape not in ((shape[0],), (shape[0], 1)) or places.dtype.kind != "i":
        return None
    return places if (rows._value.ravel() == np.arange(shape[0])).all() else None


def chosen(t: Tensor, inputs: tuple[Tensor, ...] | list[Tensor]) -> Tensor | None:
    """What stands for `t` on these inputs in a kernel, if it takes one element of each row."""
    if picked(t) is None:
        return None
    x, _, places = inputs
    rows, size = x.shape if t.op is GETITEM else t.attrs["shape"]

    def make(f: Any, *given: Tensor, **attrs: object) -> Tensor:
        return made(f.op, given, attrs, like=t)

    def number(value: float, dtype: np.dtype) -> Tensor:
        return constant(np.asarray(value, dtype))

    kind = places.dtype
    known = made(IN_RANGE, (places,), {"size": size}, like=t)
    negative = make(ops.less, known, number(0, kind))
    place = make(ops.where, negative, make(ops.add, known, number(size, kind)), known)
    hit = make(ops.equal, make(ops.reshape, place, shape=(rows, 1)), constant(np.arange(size, dtype=kind)))
    if t.op is GETITEM:
        kept = make(ops.where, hit, x, number(0, x.dtype))
        return make(ops.sum, kept, axis=(1,), keepdims=t.ndim == 2)
    return make(ops.where, hit, make(ops.reshape, x, shape=(rows, 1)), number(0, x.dtype))
