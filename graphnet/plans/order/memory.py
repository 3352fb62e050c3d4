"""The second stage of a plan: which values are in memory, and which of them share it.

A value lies in the parameter that it updates, in an output, or in a buffer: that of an input which is not needed any
more, or a new one. `arena` lays out the buffers.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from graphnet.leaves import Parameter
from graphnet.node import Tensor
from graphnet.plans.order.arena import Life
from graphnet.plans.order.fusion import Step
from graphnet.plans.order.schedule import may_overwrite, members, overwritten, readers
from graphnet.plans.order.steps import Order
from graphnet.plans.order.views import Views


class Memory(NamedTuple):
    """`stored` are the values that are in memory, each in that of its key: `key(t)`.

    * `targets`: values that are computed straight into a parameter;
    * `fresh`: outputs that are new arrays at each call; `lives`: the buffers.
    """

    keys: dict[Tensor, Hashable]
    stored: frozenset[Tensor]
    targets: dict[Tensor, Parameter]
    fresh: tuple[Tensor, ...]
    lives: tuple[Life, ...]

    def key(self, t: Tensor) -> Hashable:
        """The memory of a node that is no view: a buffer, an output, or the array of a leaf."""
        return self.keys.get(t, t)


def memory_of(order: Order) -> Memory:
    """Where the values of these steps are kept."""
    graph, views = order.graph, order.views
    read = readers(order.steps, views)
    end = len(order.steps)
    kept = {views[t].base for t in (*graph.outputs, *(t for _, t in graph.updates))}
    targets = overwritten(graph, order.steps, views, order.place_of)
    outputs = set(graph.outputs)
    keys: dict[Tensor, Hashable] = {}
    fresh: list[Tensor] = []
    stored: list[Tensor] = []
    lives: dict[Hashable, Life] = {}
    for place, step in enumerate(order.steps):
        for t in members(step):
            last = end if t in kept else max(read.get(t, ()), default=-1)
            if last <= place:
                # Only its own loop needs it.
                continue
            stored.append(t)
            if t in targets:
                keys[t] = targets[t]
            elif t in outputs:
                keys[t] = ("output", t)
                fresh.append(t)
            else:
                key = _reused(t, place, step, views, keys, lives)
                if key is None:
                    key = ("buffer", t)
                    lives[key] = Life(key, t.nbytes, place, last, order.names[t])
                else:
                    lives[key] = lives[key]._replace(last=last)
                keys[t] = key
    return Memory(keys, frozenset(stored), targets, tuple(fresh), tuple(lives.values()))


def _reused(
    t: Tensor, place: int, step: Step, views: Views, keys: dict[Tensor, Hashable], lives: dict[Hashable, Life]
) -> Hashable | None:
    """The buffer of an input of the step which nothing needs later, and which `t` may overwrite."""
    for n in members(step):
        for i in n.inputs:
            source = views[i].base
            key = keys.get(source)
            life = lives.get(key) if key is not None else None
            if life is None or life.last != place:
                continue
            if may_overwrite(step, views, t, source):
                return key
    return None
