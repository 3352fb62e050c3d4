"""Where the buffers of a plan lie in one block of memory: those that are needed at different times share memory."""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Sequence
from typing import NamedTuple

#: buffers begin at multiples of this many bytes: a cache line
LINE = 64


class Life(NamedTuple):
    """A buffer that is needed from step `first` to step `last`, both included; `name` is for people."""

    key: Hashable
    nbytes: int
    first: int
    last: int
    name: str = ""


class Arena(NamedTuple):
    """`offset[key]` in a block of `total` bytes; `peak` is the most that is needed at once, in step `peak_step`."""

    offset: dict[Hashable, int]
    total: int
    peak: int
    peak_step: int
    unshared: int


def arranged(lives: Sequence[Life]) -> Arena:
    """Views for buffers: each takes the smallest gap that fits among those free when it begins, or the end."""
    offsets: dict[Hashable, int] = {}
    gaps: list[tuple[int, int]] = []  # (start, end), sorted and apart
    total = 0
    ends: list[tuple[int, int, int]] = []  # (last step, start, end), sorted
    change: dict[int, int] = {}
    for life in sorted(lives, key=lambda b: b.first):
        size = -(-max(life.nbytes, 1) // LINE) * LINE
        while ends and ends[0][0] < life.first:
            _, start, end = ends.pop(0)
            _give_back(gaps, start, end)
        fitting = [g for g in gaps if g[1] - g[0] >= size]
        if fitting:
            gap = min(fitting, key=lambda g: g[1] - g[0])
            gaps.remove(gap)
            start = gap[0]
            if gap[1] - start > size:
                bisect.insort(gaps, (start + size, gap[1]))
        elif gaps and gaps[-1][1] == total:
            # The last gap reaches the end: it grows.
            start = gaps.pop()[0]
            total = start + size
        else:
            start, total = total, total + size
        offsets[life.key] = start
        bisect.insort(ends, (life.last, start, start + size))
        change[life.first] = change.get(life.first, 0) + size
        change[life.last + 1] = change.get(life.last + 1, 0) - size
    held = peak = peak_step = 0
    for step in sorted(change):
        held += change[step]
        if held > peak:
            peak, peak_step = held, step
    return Arena(offsets, total, peak, peak_step, sum(life.nbytes for life in lives))


def _give_back(gaps: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a gap, joined with its neighbours."""
    at = bisect.bisect(gaps, (start, end))
    if at < len(gaps) and gaps[at][0] == end:
        end = gaps.pop(at)[1]
    if at > 0 and gaps[at - 1][1] == start:
        start = gaps.pop(at - 1)[0]
        at -= 1
    gaps.insert(at, (start, end))
