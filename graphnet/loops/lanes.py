"""Carries that are numbers, side by side in one vector: a step that does the same with each of them does it with all.

A loop that is written with a tuple of numbers has a node for each number and each operation. Where the new values of
neighbours are made by the same elementwise ops, from the same values or from neighbours in the same order, one vector
takes their place: the same values, of which several are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.apply import made
from graphnet.leaves import Parameter, symbolic
from graphnet.mode import Mode, state
from graphnet.node import Tensor
from graphnet.ops.index import GETITEM, getitem
from graphnet.ops.joining import stack
from graphnet.record import frozen

#: numbers from which on a vector is worth it
FEWEST = 8
#: nodes of a step that are looked at
LARGEST = 20_000


class Step(NamedTuple):
    """A step as `scan` has it: its rows, what is carried, what that begins with, what it becomes, and the outputs."""

    rows: list[Tensor]
    carries: list[Tensor]
    starts: list[Tensor]
    ends: list[Tensor]
    ys: list[Tensor]


class Vectors(NamedTuple):
    """The step with vectors. `apart` makes of its carries, of whatever time, those of the step before."""

    step: Step
    apart: Callable[[Sequence[Tensor]], list[Tensor]]


def together(step: Step, begun: int, outer: Mode) -> Vectors | None:
    """`step` with vectors in place of numbers that are carried, or None where there are none.

    What is older than the tick `begun` is from outside of the step, where the mode is `outer`.
    """
    if sum(c.shape == () for c in step.carries) < FEWEST:
        return None
    inside = _inside([*step.ends, *step.ys], begun)
    if len(inside) > LARGEST:
        return None
    groups = _groups(step, inside)
    while groups:
        packing = _Packing(step, groups, begun, outer)
        failed = [g for g in groups if packing.ends(g) is None]
        if not failed:
            return packing.vectors(inside)
        groups = [g for g in groups if g not in failed]
    return None


def _inside(outputs: Sequence[Tensor], begun: int) -> list[Tensor]:
    """The nodes of the step, oldest first."""
    found: dict[Tensor, None] = {}
    waiting = list(outputs)
    while waiting:
        t = waiting.pop()
        if t not in found and t.op is not None and t._tick >= begun:
            found[t] = None
            waiting.extend(t.inputs)
    return sorted(found, key=lambda t: t._tick)


def _groups(step: Step, inside: Sequence[Tensor]) -> list[range]:
    """Neighbours among the carries whose new values have the same form."""
    codes: dict[Any, int] = {}

    def code(*key: Any) -> int:
        return codes.setdefault(key, len(codes))

    form: dict[Tensor, int] = {c: code("carry", c.shape, c.dtype) for c in step.carries}
    for t in inside:
        source = t.inputs[0] if t.inputs else t
        if t.op is GETITEM and source not in form:
            form[t] = code("leaf", t.shape, t.dtype)
        else:
            form[t] = code(t.op, frozen(t.attrs), *(_form(i, form, code) for i in t.inputs))
    found: list[range] = []
    start = 0
    kinds = [
        (_form(e, form, code), c.dtype) if c.shape == () else None for c, e in zip(step.carries, step.ends, strict=True)
    ]
    for n in range(1, len(kinds) + 1):
        if n == len(kinds) or kinds[n] != kinds[start] or kinds[start] is None:
            if n - start >= FEWEST and kinds[start] is not None:
                found.append(range(start, n))
            start = n
    return found


def _form(t: Tensor, form: dict[Tensor, int], code: Callable[..., int]) -> int:
    known = form.get(t)
    return code("leaf", t.shape, t.dtype) if known is None else known


class _Packing:
    """Vectors for groups of numbers."""

    def __init__(self, step: Step, groups: Sequence[range], begun: int, outer: Mode):
        self.step, self.begun, self.outer = step, begun, outer
        self.own = {*step.carries, *step.rows}
        self.carried = {g: symbolic((len(g),), step.carries[g[0]].dtype, "carry") for g in groups}
        #: of a number the vector that has it, and where
        self.lane: dict[Tensor, tuple[Tensor, int]] = {}
        for g, vector in self.carried.items():
            for n in g:
                self.lane[step.carries[n]] = vector, n - g[0]
        self._packed: dict[tuple[int, ...], Tensor | None] = {}
        self._alone: dict[Tensor, Tensor] = {}

    def ends(self, group: range) -> Tensor | None:
        """The new value of a vector, if its numbers are made in the same way."""
        try:
            found = self.pack([self.step.ends[n] for n in group])
        except RecursionError:
            return None
        return found if found is not None and found.shape == (len(group),) else None

    def pack(self, ts: Sequence[Tensor]) -> Tensor | None:
        """One vector of these numbers, one number where they are the same, or None."""
        key = tuple(map(id, ts))
        if key not in self._packed:
            found = self._packed[key] = self._pack(ts)
            if found is not None and found.shape:
                for n, t in enumerate(ts):
                    self.lane.setdefault(t, (found, n))
        return self._packed[key]

    def _pack(self, ts: Sequence[Tensor]) -> Tensor | None:
        first = ts[0]
        if any(t.shape or t.dtype != first.dtype for t in ts):
            return None
        if all(t is first for t in ts) or _are_one(ts):
            return self.alone(first)
        lanes = [self.lane.get(t) for t in ts]
        if lanes[0] is not None:
            vector, start = lanes[0]
            if all(lane is not None and lane[0] is vector and lane[1] == start + n for n, lane in enumerate(lanes)):
                return vector if len(ts) == vector.shape[0] else self._part(vector, start, len(ts))
        if first.op is not None and all(t.op is first.op for t in ts):
            found = self._elements(ts) if first.op is GETITEM else self._same_op(ts)
            if found is not None:
                return found
        if all(t._tick < self.begun and t not in self.own for t in ts):
            return self._stacked(ts)
        return None

    def _stacked(self, ts: Sequence[Tensor]) -> Tensor:
        """A vector of numbers from outside, which is made there."""
        inner, state.mode = state.mode, self.outer
        try:
            return stack(list(ts))
        finally:
            state.mode = inner

    def _same_op(self, ts: Sequence[Tensor]) -> Tensor | None:
        """Numbers that one elementwise op makes."""
        first = ts[0]
        op, attrs = first.op, frozen(first.attrs)
        assert op is not None
        if op.family != "elementwise" or op.position or any(frozen(t.attrs) != attrs for t in ts):
            return None
        packed: list[Tensor] = []
        for inputs in zip(*(t.inputs for t in ts), strict=True):
            found = self.pack(inputs)
            if found is None:
                return None
            packed.append(found)
        return made(op, packed, first.attrs, like=first)

    def _elements(self, ts: Sequence[Tensor]) -> Tensor | None:
        """Neighbours in one vector."""
        source = ts[0].inputs[0]
        if source.ndim != 1 or any(len(t.inputs) != 1 or t.inputs[0] is not source for t in ts):
            return None
        places = [_place(t) for t in ts]
        if places[0] is None or places != list(range(places[0], places[0] + len(ts))):
            return None
        return self._part(self.alone(source), places[0], len(ts))

    def _part(self, vector: Tensor, start: int, count: int) -> Tensor:
        if count == vector.shape[0]:
            return vector
        found = getitem(vector, slice(start, start + count))
        assert isinstance(found, Tensor)
        return found

    def alone(self, t: Tensor) -> Tensor:
        """A value that stays as it is, made from numbers that are in vectors now."""
        waiting = [t]
        while waiting:
            last = waiting[-1]
            if last in self._alone:
                waiting.pop()
            elif last in self.lane:
                vector, n = self.lane[last]
                self._alone[last] = getitem(vector, n)
            elif last.op is None or last._tick < self.begun:
                self._alone[last] = last
            else:
                left = [i for i in last.inputs if i not in self._alone]
                if left:
                    waiting += left
                    continue
                inputs = [self._alone[i] for i in last.inputs]
                same = all(a is b for a, b in zip(inputs, last.inputs, strict=True))
                self._alone[last] = last if same else made(last.op, inputs, last.attrs, like=last)
        return self._alone[t]

    def vectors(self, inside: Sequence[Tensor]) -> Vectors:
        """The whole step."""
        step, first = self.step, {g[0]: g for g in self.carried}
        members = {n for g in self.carried for n in g}
        order: list[range | int] = [first.get(n, n) for n in range(len(step.carries))]
        kept = [o for o in order if isinstance(o, range) or o not in members]
        carries, starts, ends = [], [], []
        for o in kept:
            if isinstance(o, range):
                end = self.ends(o)
                assert end is not None
                carries.append(self.carried[o])
                starts.append(self._stacked([step.starts[n] for n in o]))
                ends.append(end)
            else:
                carries.append(step.carries[o])
                starts.append(step.starts[o])
                ends.append(self.alone(step.ends[o]))
        ys = [self.alone(y) for y in step.ys]

        def apart(values: Sequence[Tensor]) -> list[Tensor]:
            found: list[Tensor] = []
            for o, value in zip(kept, values, strict=True):
                found += [getitem(value, n) for n in range(len(o))] if isinstance(o, range) else [value]
            return found

        return Vectors(Step(step.rows, carries, starts, ends, ys), apart)


def _are_one(ts: Sequence[Tensor]) -> bool:
    """Whether these are the same plain number."""
    if any(t.op is not None or t.requires_grad or t.is_symbolic or isinstance(t, Parameter) for t in ts):
        return False
    first = np.asarray(ts[0]._value).tobytes()
    return all(np.asarray(t._value).tobytes() == first for t in ts[1:])


def _place(t: Tensor) -> int | None:
    """Which element of a vector a getitem picks."""
    index = [i for i in t.attrs["index"] if i is not Ellipsis]
    if len(index) != 1 or isinstance(index[0], (bool, np.bool_)) or not isinstance(index[0], (int, np.integer)):
        return None
    n = int(index[0])
    return n if n >= 0 else n + int(t.inputs[0].shape[0])
