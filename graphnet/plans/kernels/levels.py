"""Which value of a group of nodes is computed in which loop.

The loops over the outer axes hold row values, and one loop over the inner axes for each *level*: a node that needs the
result of a reduction over the inner axes can only be computed in a later loop than the reduction. A full value that is
needed in a later loop again is computed again if that is cheap, else read from where it is stored, or from a scratch
row.
"""

from __future__ import annotations

import math

from graphnet.node import Tensor
from graphnet.plans.kernels.refs import Axis
from graphnet.plans.order.costs import QUICK, cheap, nanoseconds
from graphnet.plans.order.fusion import Group

#: nanoseconds for a byte that is moved, within the fast memory of a core and beyond it
NEAR, FAR, FAST_MEMORY = 0.015, 0.06, 1 << 21
#: a value is computed again, instead of kept, if that takes at most so many ops
CHEAP_OPS = 8


class Levels:
    """The loops of a group, where `stored` are the nodes whose values must be in memory afterwards.

    * `level[t]`: the number of the loop in which `t` can be computed, of `count`;
    * `full`: nodes with a value at each point of the domain; the others have one in each row;
    * `source_full[t]`: whether the reduction `t` takes a value at each point;
    * `kept`: full values that are needed in a later loop, and would take long to compute again.
    """

    def __init__(self, group: Group, stored: set[Tensor]):
        self.group, self.stored = group, stored
        self.level: dict[Tensor, int] = {}
        self.full: set[Tensor] = set()
        self.source_full: dict[Tensor, bool] = {}
        self.kept: dict[Tensor, None] = {}
        self._find_levels()
        self.count = max(self.level.values(), default=0) + 1
        self._find_costs()
        self._find_kept()

    def is_reduction(self, t: Tensor) -> bool:
        """Whether `t` adds up, or searches, along axes of the domain."""
        return t.op is not None and t.op.fold is not None and t in self.group.over

    def _members(self, t: Tensor) -> list[Tensor]:
        found = [self.group.member(i) for i in t.inputs]
        return [m[0] for m in found if m is not None]

    def _find_levels(self) -> None:
        group = self.group
        for t in group.nodes:
            level = max((self.level[m] for m in self._members(t)), default=0)
            if self.is_reduction(t):
                self.source_full[t] = len({a for a in group.over[t] if a is not None}) == len(group.domain)
                if t not in group.late:
                    level += 1
            elif not group.is_row(t):
                self.full.add(t)
            self.level[t] = level

    def roots(self, level: int) -> list[Tensor]:
        """What the inner loop of a level is there for: stored nodes, reductions that go over it, what is kept."""
        roots = [t for t in self.group.nodes if t in self.full and t in self.stored and self.level[t] == level]
        for t in self.group.nodes:
            if self.is_reduction(t) and self.source_full[t]:
                source = self.level[t] - (t not in self.group.late)
                if source == level:
                    roots.append(t)
        return roots + [t for t in self.kept if self.level[t] == level]

    def _find_costs(self) -> None:
        """The number of cheap ops that compute each full value, or more than CHEAP_OPS."""
        self.cost: dict[Tensor, int] = {}
        for t in self.group.nodes:
            assert t.op is not None
            if t not in self.full or t in self.stored:
                self.cost[t] = 0
            elif not cheap(t.op):
                self.cost[t] = CHEAP_OPS + 1
            else:
                self.cost[t] = min(1 + sum(self.cost[m] for m in self._members(t)), CHEAP_OPS + 1)

    def _find_kept(self) -> None:
        count = -1
        while len(self.kept) > count:
            # What is kept has to be computed in its own loop, from values that may have to be kept for that.
            count = len(self.kept)
            self._keep_needed()

    def _keep_needed(self) -> None:
        for level in range(self.count):
            waiting = self.roots(level)
            seen: set[Tensor] = set()
            while waiting:
                t = waiting.pop()
                for m in self._members(t):
                    if m in seen or m not in self.full:
                        continue
                    seen.add(m)
                    if self.level[m] < level:
                        if m in self.stored or m in self.kept:
                            continue
                        if self.cost[m] > CHEAP_OPS:
                            self.kept[m] = None
                            continue
                    waiting.append(m)

    def nanoseconds(self, axes: list[Axis], moved: int) -> float:
        """About how long the group takes on one thread, when it moves so many bytes."""
        full = math.prod(self.group.domain)
        row = math.prod(axis.length for axis in axes if not axis.inner)
        total = 0.0
        for t in self.group.nodes:
            assert t.op is not None
            cost = QUICK if self.is_reduction(t) else nanoseconds(t.op)
            wide = t in self.full or (self.is_reduction(t) and self.source_full[t])
            total += cost * (full if wide else row)
        return total + (NEAR if moved < FAST_MEMORY else FAR) * moved
