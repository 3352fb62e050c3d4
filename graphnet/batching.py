"""Ops, and what was computed with them, for a whole batch of inputs at once.

An op goes by its batching rule, by that of its family, or place by place (`batched`). What a function computed of
symbolic tensors is computed for a batch of each by going through its nodes once more (`replayed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.apply import apply_prepared, as_tensor, described
from graphnet.arrays import WEAK
from graphnet.leaves import symbolic
from graphnet.mode import mode, state
from graphnet.node import Tensor, tick
from graphnet.ops.joining import stack
from graphnet.ops.shaping import broadcast_to, reshape
from graphnet.ops.window_batch import nothing
from graphnet.record import Op

NOTHING: Mapping[Any, Any] = {}


def batched(op: Op, batch: Sequence[bool], inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """`op` for each place of a further first axis, and the results along the first axis of one tensor.

    `batch` says which inputs have that axis, of one size n; the others are the same for all places. `attrs` are those
    of a node: axes count from the front of one place. The result has shape `(n, *shape of one)`. Raises `ValueError`
    where no input has the axis, or their sizes differ.

    >>> import graphnet as gn
    >>> x, v = gn.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), gn.tensor([10.0, 20.0])
    >>> batched(gn.sum.op, [True], [x], {"axis": (0,), "keepdims": False})
    Tensor([ 3.,  7., 11.])
    >>> batched(gn.matmul.op, [True, False], [x, v], {})
    Tensor([ 50., 110., 170.])
    """
    # Numbers stay weak beside tensors.
    tensors: list[Any] = [x if x.__class__ in WEAK or x.__class__ is complex else as_tensor(x) for x in inputs]
    sizes = {x.shape[0] if np.ndim(x) else None for x, b in zip(tensors, batch, strict=True) if b}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            f"{op.name}: a batch is a first axis, of one size in all inputs that have it; received "
            f"{', '.join(map(described, inputs))}, batched: {list(batch)}"
        )
    if op.batch is not None:
        return op.batch(batch, *tensors, **attrs)
    if op.family == "elementwise":
        return _aligned(op, batch, tensors, attrs)
    if op.family == "reduction":
        axes = tuple(a + 1 for a in attrs["axis"])
        return apply_prepared(op, tensors, {**attrs, "axis": axes})
    return _in_turn(op, batch, tensors, attrs)


def _aligned(op: Op, batch: Sequence[bool], tensors: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """An elementwise op: axes of one place broadcast from the right, so those with a batch get as many."""
    rank = max(np.ndim(x) - b for x, b in zip(tensors, batch, strict=True))
    full = [
        reshape(x, (x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])) if b and x.ndim <= rank else x
        for x, b in zip(tensors, batch, strict=True)
    ]
    return apply_prepared(op, full, dict(attrs))


def _in_turn(op: Op, batch: Sequence[bool], tensors: Sequence[Any], attrs: Mapping[str, Any]) -> Tensor:
    """Any op, place by place."""
    count = next(x.shape[0] for x, b in zip(tensors, batch, strict=True) if b)
    if not count:
        return nothing(op, batch, tensors, dict(attrs))
    places = [
        apply_prepared(op, [x[n] if b else x for x, b in zip(tensors, batch, strict=True)], dict(attrs))
        for n in range(count)
    ]
    return stack(places)


def replayed(
    outputs: Sequence[Tensor],
    rows: Mapping[Tensor, Tensor],
    begun: int,
    shared: Mapping[Tensor, Tensor] = NOTHING,
) -> list[tuple[Tensor, bool]]:
    """What was computed since the tick `begun`, for a batch: each output, and whether it has the axis of the batch.

    `rows` has the batch, along a first axis, of each tensor that stood for one place; `shared` has what others stood
    for in all places. What depends on neither is taken as it is: it was computed once. Nodes keep the regions and lines
    of those they are made from.
    """
    inside: list[Tensor] = []
    seen: set[Tensor] = {*rows, *shared}
    waiting = list(outputs)
    while waiting:
        t = waiting.pop()
        if t not in seen:
            seen.add(t)
            if t.op is not None and t._tick >= begun:
                inside.append(t)
                waiting.extend(t.inputs)
    inside.sort(key=lambda t: t._tick)
    wide = set(rows)
    values = {**rows, **shared}
    before = state.mode
    try:
        for t in inside:
            op, inputs = t.op, t.inputs
            if not any(i in values for i in inputs):
                continue
            of = before.of if t.gradient_of is None else values.get(t.gradient_of, t.gradient_of)
            if state.mode.region is not t.region or state.mode.of is not of:
                state.mode = before.replaced(region=t.region, of=of)
            batch, new = [i in wide for i in inputs], [values.get(i, i) for i in inputs]
            if True in batch:
                y = batched(op, batch, new, t.attrs)  # type: ignore[arg-type]
                wide.add(t)
            else:
                y = apply_prepared(op, new, t.attrs)  # type: ignore[arg-type]
            if y.op is not None:
                y._code, y._lasti = t._code, t._lasti
            values[t] = y
    finally:
        state.mode = before
    return [(values.get(t, t), t in wide) for t in outputs]


def over(
    f: Callable[[list[Tensor]], Sequence[Tensor]], batch: Sequence[bool], inputs: Sequence[Tensor]
) -> list[Tensor]:
    """The tensors that `f` gives for a list of inputs, for each place of those that have a batch: all have its axis."""
    count = next(x.shape[0] for x, wide in zip(inputs, batch, strict=True) if wide)
    ones = [symbolic(x.shape[wide:], x.dtype) for x, wide in zip(inputs, batch, strict=True)]
    begun = tick()
    with mode(trace=None, recording=True, raw=False, strict=False, debug=None, of=None, within=None):
        ys = f(ones)
    rows = {t: x for t, x, wide in zip(ones, inputs, batch, strict=True) if wide}
    shared = {t: x for t, x in zip(ones, inputs, strict=True) if t not in rows}
    return [y if wide else broadcast_to(y, (count, *y.shape)) for y, wide in replayed(ys, rows, begun, shared)]
