"""Blocks that come again and again: one is drawn and stands for all of them.

Among the children of a box (boxes and single ops, in the order of the program) a run of 3 or more equal groups is
looked for: equal in ops, arguments, shapes and wiring, whatever their names and numbers. The first group of a run
stands for the others, for gradients the one that belongs to the forward group which is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor

#: how many boxes and ops one group of a run has at most, and how many groups make a run
_PERIOD, _LEAST = 8, 3

Path = tuple[Region, ...]


class Repeats:
    """What stands for what: `twin[t]` for tensors, `region_twin[r]` for boxes; `names[r]` says which boxes `r` is.

    `group` has for each tensor of a run the (run, group) it is in: edges between the groups of a run are not drawn.
    `paths` are the boxes around each tensor, with a box more around groups of several parts.
    """

    def __init__(self, nodes: Sequence[Tensor], paths: dict[Tensor, Path], inputs: dict[Tensor, tuple[Tensor, ...]]):
        self.paths = dict(paths)
        self.twin: dict[Tensor, Tensor] = {}
        self.region_twin: dict[Region, Region] = {}
        self.names: dict[Region, str] = {}
        self.counts: dict[Region, int] = {}
        self.group: dict[Tensor, tuple[int, int]] = {}
        self._inputs = inputs
        # As the program was written: sorted by the ops alone, a mask of dropout would come long before its layer.
        waiting: list[tuple[int, list[Tensor]]] = [(0, sorted(nodes, key=lambda t: t._tick))]
        while waiting:
            level, inside = waiting.pop()
            waiting += [(level + 1, part) for part in reversed(self._folded(level, inside))]

    def stands(self, t: Tensor) -> Tensor:
        """The tensor that is drawn for `t`."""
        while t in self.twin:
            t = self.twin[t]
        return t

    def parted(self, a: Tensor, b: Tensor) -> bool:
        """Whether an edge from `a` to `b` goes from one group of a run to another."""
        one, other = self.group.get(a), self.group.get(b)
        return one is not None and other is not None and one[0] == other[0] and one[1] != other[1]

    def _folded(self, level: int, inside: list[Tensor]) -> list[list[Tensor]]:
        """Fold the runs among the children of one box; what is inside of those that stay, to be looked at next."""
        items: dict[Hashable, list[Tensor]] = {}
        for t in inside:
            path = self.paths[t]
            if len(path) > level:
                items.setdefault(path[level], []).append(t)
            elif t.op is not None:
                items[t] = [t]
        first = {i: next((t._tick for t in inside if t.op is not None), 0) for i, inside in items.items()}
        order = sorted(items, key=first.__getitem__)
        number: dict[Hashable, int] = {}
        marks = [number.setdefault(_signature(items[i], level, self.paths, self._inputs), len(number)) for i in order]
        like = _stretches(marks)
        gone: set[Hashable] = set()
        at = 0
        while at < len(order):
            period, times = self._run(order, like, at)

            def group(g: int, at: int = at, period: int = period) -> list[Tensor]:
                return [t for i in order[at + g * period : at + (g + 1) * period] for t in items[i]]

            fits = self._fitting(group, times) if times else 0
            if fits >= _LEAST:
                keep = self._fold([group(g) for g in range(fits)], level, period)
                for g in range(fits):
                    if g != keep:
                        gone.update(order[at + g * period : at + (g + 1) * period])
                at += fits * period - 1
            at += 1
        return [items[i] for i in order if isinstance(i, Region) and i not in gone]

    @staticmethod
    def _run(order: list[Hashable], like: list[list[int]], at: int) -> tuple[int, int]:
        """(parts of a group, groups) of the longest run of equal groups that begins here with a box."""
        best = (1, 0)
        for period in range(1, _PERIOD + 1):
            if not isinstance(order[at], Region) or at + _LEAST * period > len(order):
                break
            times = (period + like[period - 1][at + period]) // period
            if times >= _LEAST and times * period > best[0] * best[1]:
                best = (period, times)
        return best

    def _fitting(self, group: Callable[[int], list[Tensor]], times: int) -> int:
        """How many groups from the first on are wired to what is around them in the same way."""
        place: dict[Tensor, tuple[int, int]] = {}
        pattern: list[Any] = []
        for g in range(times):
            own = group(g)
            place.update((t, (g, i)) for i, t in enumerate(own))
            now: list[Any] = []
            for t in own:
                for source in self._inputs[t]:
                    if source in place:
                        now.append((g - place[source][0], place[source][1]))
                    else:
                        now.append(self.stands(source))
            # The first is fed from elsewhere; a leaf outside may be another for each (a number, a table).
            if g == 1:
                pattern = now
            elif g > 1 and not all(_alike(a, b) for a, b in zip(pattern, now, strict=True)):
                return g
        return times

    def _fold(self, groups: list[list[Tensor]], level: int, period: int) -> int:
        """Let one group stand for all; its place."""
        keep = 0
        for g, group in enumerate(groups):
            around = [r for t in group for r in self.paths[t][level:] if r.kind == "gradient"]
            if around and all(r.attrs.get("of") not in self.region_twin for r in around):
                keep = g
                break
        run = len(self.names) + len(self.twin) + 1
        kept = groups[keep]
        for g, group in enumerate(groups):
            for t, own in zip(group, kept, strict=True):
                self.group[t] = (run, g)
                if g != keep:
                    self.twin[t] = own
                    self.region_twin.update(
                        (a, b) for a, b in zip(self.paths[t], self.paths[own], strict=False) if a is not b
                    )
        first, last = (self.paths[groups[g][0]][level].name for g in (0, -1))
        if period == 1:
            around_all = self.paths[kept[0]][level]
            gradient = "gradient of " if around_all.kind == "gradient" else ""
            self.names[around_all] = f"{gradient}{first} … {last} × {len(groups)}"
        else:
            around_all = Region(f"× {len(groups)}", "repeat", self.paths[kept[0]][level - 1] if level else None)
            self.names[around_all] = f"× {len(groups)}"
            for t in kept:
                path = self.paths[t]
                self.paths[t] = (*path[:level], around_all, *path[level:])
        self.counts[around_all] = len(groups)
        return keep


def _stretches(marks: list[int]) -> list[list[int]]:
    """For each period and place, how many marks from there on equal the one a period before.

    >>> _stretches([1, 2, 1, 2, 3])[1]
    [0, 0, 2, 1, 0]
    """
    found = []
    for period in range(1, _PERIOD + 1):
        row = [0] * len(marks)
        for i in range(len(marks) - 1, period - 1, -1):
            if marks[i] == marks[i - period]:
                row[i] = 1 + (row[i + 1] if i + 1 < len(marks) else 0)
        found.append(row)
    return found


def _alike(a: Any, b: Any) -> bool:
    """Whether two sources are the same place in a run, the same tensor, or two leaves of one shape."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        leaves = all(t.op is None and not t.is_symbolic for t in (a, b))
        return a is b or (leaves and a.shape == b.shape)
    return not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b


def _signature(
    inside: list[Tensor], level: int, paths: dict[Tensor, Path], inputs: dict[Tensor, tuple[Tensor, ...]]
) -> Hashable:
    """What equal blocks have in common: ops, arguments, shapes, wiring and inner boxes, but no names of layers."""
    place = {t: i for i, t in enumerate(inside)}
    boxes: dict[Region, int] = {}
    parts = []
    for t in inside:
        own = tuple((boxes.setdefault(r, len(boxes)), r.kind) for r in paths[t][level:])
        wires = tuple(place.get(s, (s.shape, s.dtype.str)) for s in inputs[t])
        numbers = (
            tuple(_number(s) for s in t.inputs) if t.op is not None else (isinstance(t, Parameter), t.requires_grad)
        )
        op = t.op.name if t.op is not None else ""
        parts.append((op, frozen(t.attrs), t.shape, t.dtype.str, own, wires, numbers, t.gradient_of is not None))
    return tuple(parts)


def _number(t: Tensor) -> Any:
    """A floating-point constant by its value; whole ones are seeds of layers as often as not."""
    if t.op is None and not t.is_symbolic and not isinstance(t, Parameter) and t.shape == () and t.dtype.kind == "f":
        return repr(t._value.item())
    return None


def frozen(attrs: dict[str, Any]) -> Hashable:
    """Static arguments as a key: arrays by their bytes, a body of a loop as itself, what has no hash by its text."""
    return tuple((key, _key(value)) for key, value in sorted(attrs.items()))


def _key(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return repr(value), value
