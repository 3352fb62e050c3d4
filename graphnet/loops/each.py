"""The loop for a batch of loops: what is carried has one axis more where it differs from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphnet.batching import replayed
from graphnet.leaves import symbolic
from graphnet.loops.body import Body, interned
from graphnet.mode import mode
from graphnet.ops.shaping import broadcast_to


class Wide(NamedTuple):
    """The step for a batch: its body, which carries have the axis of the batch, and which outputs have."""

    body: Body
    carried: tuple[bool, ...]
    outputs: tuple[bool, ...]


def wide(body: Body, batch: Sequence[bool], count: int) -> Wide:
    """The step of `body` for `count` places at once, where `batch` says which inputs have one value for each place."""
    key = ("wide", tuple(batch), count)
    with body.lock:
        if key not in body.derived:
            body.derived[key] = _wide(body, batch, count)
        found: Wide = body.derived[key]
    return found


def _wide(body: Body, batch: Sequence[bool], count: int) -> Wide:
    graph, carries = body.graph, body.carries
    flags = list(batch)
    while True:
        varying = {t for t, own in zip(graph.inputs, flags, strict=True) if own}
        for t in graph.nodes:
            if any(i in varying for i in t.inputs):
                varying.add(t)
        # What differs after one step differs before the next.
        carried = [own or t in varying for own, t in zip(flags[:carries], graph.outputs, strict=False)]
        if carried == flags[:carries]:
            break
        flags[:carries] = carried
    inputs = [
        symbolic((count, *t.shape) if own else t.shape, t.dtype) for t, own in zip(graph.inputs, flags, strict=True)
    ]
    pairs = list(zip(graph.inputs, inputs, flags, strict=True))
    with mode(recording=True, trace=None, region=None, raw=False, strict=False, debug=None, of=None):
        found = replayed(
            graph.outputs, {t: x for t, x, own in pairs if own}, 0, {t: x for t, x, own in pairs if not own}
        )
        outputs = [
            broadcast_to(y, (count, *y.shape)) if place < carries and carried[place] and not own else y
            for place, (y, own) in enumerate(found)
        ]
    # A sum or a stack of what is the same in all places stays one.
    owned = [*carried, *(own for _, own in found[carries:])]
    return Wide(interned(inputs, outputs, carries, body.xs, body.ys), tuple(carried), tuple(owned))
