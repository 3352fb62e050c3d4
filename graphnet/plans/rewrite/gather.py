"""One element of each row, `x[arange(n), i]`, as a choice that kernels know, and its gradient the same way.

So cross-entropy picks the logarithm at the label. Whether the places are there is asked first, before a plan has
changed anything.
"""

from __future__ import annotations

import numpy as np

from graphnet.apply import made
from graphnet.node import Parameter, Tensor, constant
from graphnet.ops.index import SLOT
from graphnet.ops.planned import IN_RANGE
from graphnet.record import OPS


def may_raise(t: Tensor) -> bool:
    """Whether computing `t` can fail because of a value."""
    return t.op is not None and t.op.can_fail(t.inputs, t.attrs)


def picked(t: Tensor) -> Tensor | None:
    """The places in each row, for a getitem or scatter_add that takes one element of each row of a matrix, in order."""
    if t.op is None or t.op.name not in ("getitem", "scatter_add") or len(t.inputs) != 3 or t.dtype.kind != "f":
        return None
    shape = t.inputs[0].shape if t.op.name == "getitem" else t.attrs["shape"]
    index, (rows, places) = t.attrs["index"], t.inputs[1:]
    if len(shape) != 2 or len(index) != 2 or any(part is not SLOT for part in index):
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
    rows, size = x.shape if t.op is OPS["getitem"] else t.attrs["shape"]

    def make(name: str, *given: Tensor, **attrs: object) -> Tensor:
        return made(OPS[name], given, attrs, like=t)

    def number(value: float, dtype: np.dtype) -> Tensor:
        return constant(np.asarray(value, dtype))

    kind = places.dtype
    known = made(IN_RANGE, (places,), {"size": size}, like=t)
    negative = make("less", known, number(0, kind))
    place = make("where", negative, make("add", known, number(size, kind)), known)
    hit = make("equal", make("reshape", place, shape=(rows, 1)), constant(np.arange(size, dtype=kind)))
    if t.op is OPS["getitem"]:
        kept = make("where", hit, x, number(0, x.dtype))
        return make("sum", kept, axis=(1,), keepdims=t.ndim == 2)
    return make("where", hit, make("reshape", x, shape=(rows, 1)), number(0, x.dtype))
