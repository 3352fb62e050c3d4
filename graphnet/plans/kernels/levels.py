"""Which value of a group of nodes is computed in which loop.

The loops over the outer axes hold row values, and one loop over the inner axes for each *level*: a node that needs the
result of a reduction over the inner axes can only be computed in a later loop than the reduction. A full value that is
needed in a later loop again is computed again if that is cheap, else read from where it is stored, or from a scratch
row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from graphnet.node import Tensor
from graphnet.plans.kernels.refs import Axis
from graphnet.plans.order.costs import cheap, nanoseconds
from graphnet.plans.order.fusion import Group

#: nanoseconds for a byte that is moved, within the fast memory of a core and beyond it
NEAR, FAR, FAST_MEMORY = 0.015, 0.06, 1 << 21
#: a value is computed again, instead of kept, if that takes at most so many ops
CHEAP_OPS = 8


@dataclass(frozen=True, eq=False)
class Levels:
    """The loops of a group, where `stored` are the nodes whose values must be in memory afterwards.

    * `level[t]`: the number of the loop in which `t` can be computed, of `count`;
    * `full`: nodes with a value at each point of the domain; the others have one in each row;
    * `source_full[t]`: whether the reduction `t` takes a value at each point;
    * `kept`: full values that are needed in a later loop, and would take long to compute again.
    """

    group: Group
    stored: Set[Tensor]
    level: Mapping[Tensor, int]
    full: Set[Tensor]
    source_full: Mapping[Tensor, bool]
    count: int
    kept: tuple[Tensor, ...] = ()

    def is_reduction(self, t: Tensor) -> bool:
        """Whether `t` adds up, or searches, along axes of the domain."""
        return t in self.source_full

    def roots(self, level: int) -> list[Tensor]:
        """What the inner loop of a level is there for: stored nodes, reductions that go over it, what is kept."""
        roots = [t for t in self.group.nodes if t in self.full and t in self.stored and self.level[t] == level]
        for t, full in self.source_full.items():
            if full and self.level[t] - (t not in self.group.late) == level:
                roots.append(t)
        return roots + [t for t in self.kept if self.level[t] == level]

    def nanoseconds(self, axes: Iterable[Axis], moved: int) -> float:
        """About how long the group takes on one thread, when it moves so many bytes."""
        full = math.prod(self.group.domain)
        row = math.prod(axis.length for axis in axes if not axis.inner)
        total = 0.0
        for t in self.group.nodes:
            assert t.op is not None
            total += nanoseconds(t.op) * (full if t in self.full or self.source_full.get(t) else row)
        return total + (NEAR if moved < FAST_MEMORY else FAR) * moved


def levels_of(group: Group, stored: Set[Tensor]) -> Levels:
    """The loops of a group after which the values of the `stored` nodes are in memory."""
    level: dict[Tensor, int] = {}
    full: set[Tensor] = set()
    source_full: dict[Tensor, bool] = {}
    for t in group.nodes:
        level[t] = max((level[m] for m in _members(group, t)), default=0)
        if t in group.over:
            source_full[t] = len({a for a in group.over[t] if a is not None}) == len(group.domain)
            level[t] += t not in group.late
        elif not group.is_row(t):
            full.add(t)
    levels = Levels(group, stored, level, full, source_full, max(level.values(), default=0) + 1)
    costs = _costs(levels)
    while True:
        # What is kept has to be computed in its own loop, from values that may have to be kept for that.
        kept = _kept(levels, costs)
        if len(kept) == len(levels.kept):
            return levels
        levels = replace(levels, kept=kept)


def _members(group: Group, t: Tensor) -> list[Tensor]:
    """The nodes of the group that `t` is computed from."""
    found = [group.member(i) for i in t.inputs]
    return [m[0] for m in found if m is not None]


def _costs(levels: Levels) -> dict[Tensor, int]:
    """The number of cheap ops that compute each full value, or more than CHEAP_OPS."""
    cost: dict[Tensor, int] = {}
    for t in levels.group.nodes:
        assert t.op is not None
        if t not in levels.full or t in levels.stored:
            cost[t] = 0
        elif not cheap(t.op):
            cost[t] = CHEAP_OPS + 1
        else:
            cost[t] = min(1 + sum(cost[m] for m in _members(levels.group, t)), CHEAP_OPS + 1)
    return cost


def _kept(levels: Levels, costs: Mapping[Tensor, int]) -> tuple[Tensor, ...]:
    """What is kept already, and what its loops and the others need of earlier ones."""
    kept = dict.fromkeys(levels.kept)
    for level in range(levels.count):
        waiting = levels.roots(level)
        seen: set[Tensor] = set()
        while waiting:
            for m in _members(levels.group, waiting.pop()):
                if m in seen or m not in levels.full:
                    continue
                seen.add(m)
                if levels.level[m] == level or (m not in levels.stored and costs[m] <= CHEAP_OPS):
                    waiting.append(m)
                elif m not in levels.stored:
                    kept[m] = None
    return tuple(kept)
