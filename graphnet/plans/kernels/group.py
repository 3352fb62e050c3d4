"""One group of fused nodes as a kernel in the loop language, and as text that a person can read.

The loops are those of `levels`. At each point of an inner loop the values of its roots are computed from what they
need, each once, and then stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from graphnet.node import Tensor
from graphnet.plans.kernels.calls import KernelCall, Key
from graphnet.plans.kernels.levels import levels_of
from graphnet.plans.kernels.pointwise import computed, indexed, inlined, readable
from graphnet.plans.kernels.reductions import Reductions, joining
from graphnet.plans.kernels.refs import Ref, joined, read_at, written_at
from graphnet.plans.nest.values import Value
from graphnet.plans.order.costs import HEAVY, weight
from graphnet.plans.order.fusion import Group, reduced_axes
from graphnet.plans.order.views import Places, row_major
from graphnet.record import Op

#: rows of so many bytes at the most are kept on the stack
STACK_ROW = 1 << 15


class Writer(Reductions):
    """Writes one group.

    `stored` are the nodes whose values must be in memory afterwards. `key(t)` names the memory of a node that is no
    view; `scratch(bytes)` gives memory for a row. `names` are those of the graph.
    """

    def __init__(
        self,
        group: Group,
        places: Places,
        stored: set[Tensor],
        key: Callable[[Tensor], Key],
        scratch: Callable[[int], Key],
        names: dict[Tensor, str],
        comment: Callable[[Tensor], str],
    ):
        super().__init__(group, stored, key, names, comment)
        self.places, self._scratch = places, scratch
        self.levels = levels_of(group, self.stored)
        self.kept = {t: self._row_of(t) for t in self.levels.kept}
        self.scalars: dict[tuple[Key, int], Value] = {}
        self.heavy = any(weight(op) >= HEAVY for op in self._ops())
        self._find_refs()

    # Where things lie.

    def _row_of(self, t: Tensor) -> Key:
        """Memory for the values of `t` over the inner axes."""
        size = math.prod(self.group.domain[a] for a in self.group.inner())
        if size * t.dtype.itemsize > STACK_ROW:
            return self._scratch(size * t.dtype.itemsize)
        return self.row_on_stack(size, t.dtype)

    def _input_ref(self, t: Tensor, i: Tensor) -> Ref:
        place, strides = read_at(self.group, self.places, t, i)
        return Ref(self.key(place.base), place.offset, strides, i.dtype)

    def _own_ref(self, t: Tensor) -> Ref:
        return Ref(self.key(t), 0, written_at(self.group, t), t.dtype)

    def _kept_ref(self, t: Tensor) -> Ref:
        inner = self.group.inner()
        shape = tuple(self.group.domain[a] for a in inner)
        return Ref(self.kept[t], 0, (0,) * inner.start + row_major(shape), t.dtype)

    def _find_refs(self) -> None:
        group = self.group
        self.inputs: dict[tuple[Tensor, int], Ref] = {}
        for t in group.nodes:
            for n, i in enumerate(t.inputs):
                if group.member(i) is None and inlined(i) is None:
                    self.inputs[t, n] = self._input_ref(t, i)
        self.own = {t: self._own_ref(t) for t in self.stored}
        self.scratch = {t: self._kept_ref(t) for t in self.kept}
        self.flat = row_major(group.domain)
        strides = [r.strides for r in (*self.inputs.values(), *self.own.values(), *self.scratch.values())]
        if any(op.indexed is not None for op in self._ops()):
            strides.append(self.flat)
        for t in group.nodes:
            if self.levels.is_reduction(t):
                # An axis that is reduced does not join one that is kept.
                gone = {group.over[t][a] for a in reduced_axes(t)}
                strides.append(tuple(0 if a in gone else s for a, s in enumerate(self.flat)))
        self.axes = joined(group, strides, apart=any(op.position for op in self._ops()))

    def _ops(self) -> list[Op]:
        return [t.op for t in self.group.nodes if t.op is not None]

    # The function.

    def written(self, shared: bool = False) -> KernelCall:
        """The kernel; with `shared`, it takes the range of its first loop as its first two arguments."""
        if shared and self.can_share():
            self.part = self.k.counter_argument("start"), self.k.counter_argument("stop")
        self.begin_totals()
        with self.nest(False):
            self._row()
        self.end_totals()
        call = KernelCall(self.k, list(self.keys), self.lines)
        if self.part is not None:
            call.length, call.partial = self.axes[0].length, {t: joining(t) for t in self.late}
        return call

    def can_share(self) -> bool:
        """Whether threads can each do a part of the first loop."""
        if not self.axes or any(key not in self._rows for key in self.kept.values()):
            return False
        # With no outer loop, a reduction over all is only complete when all parts are.
        reductions = {t for t in self.group.nodes if self.levels.is_reduction(t)}
        return not self.axes[0].inner or reductions <= set(self.late)

    def nanoseconds(self) -> float:
        """About how long the group takes, on one thread."""
        refs = {(r.key, r.strides): r for r in (*self.inputs.values(), *self.own.values())}.values()
        moved = sum(r.dtype.itemsize * math.prod(x.length for x in self.axes if r.strides[x.last]) for r in refs)
        return self.levels.nanoseconds(self.axes, moved)

    def _row(self) -> None:
        levels = self.levels
        self.rows = {}
        for level in range(levels.count):
            for t in self.group.nodes:
                if levels.level[t] != level or t in levels.full:
                    continue
                if not levels.is_reduction(t):
                    self._row_value(t)
                elif not levels.source_full[t]:
                    self.add_in_memory(t, self._operand(t, 0, self.rows, None))
            roots = levels.roots(level)
            if not roots:
                continue
            partial = {t: self.begin(t) for t in roots if levels.is_reduction(t) and self.in_variable(t)}
            with self.nest(True):
                self._point(level, roots, partial)
            for t, total in partial.items():
                self.end(t, total)

    def _row_value(self, t: Tensor) -> None:
        value = self._computed(t, self.rows, None)
        self.rows[t] = value
        if t in self.stored:
            self.store(value, self.own[t])

    def _point(self, level: int, roots: Iterable[Tensor], partial: dict[Tensor, Any]) -> None:
        values: dict[Tensor, Value] = {}
        stores: list[tuple[Value, Ref]] = []
        for t in roots:
            if self.levels.is_reduction(t):
                x = self._operand(t, 0, values, level)
                if t in partial:
                    self.add(t, x, partial[t])
                else:
                    self.add_in_memory(t, x)
                continue
            value = self._value(t, values, level)
            if t in self.kept:
                stores.append((value, self.scratch[t]))
            if t in self.stored:
                stores.append((value, self.own[t]))
        # Last, since a node may overwrite what others of this point read.
        for value, ref in stores:
            self.store(value, ref)

    # Values.

    def _value(self, t: Tensor, values: dict[Tensor, Value], level: int) -> Value:
        """The value of a full node at this point."""
        if t in values:
            return values[t]
        if self.levels.level[t] < level and t in self.stored:
            value = self.load(self.own[t])
        elif self.levels.level[t] < level and t in self.kept:
            value = self.load(self.scratch[t])
        else:
            value = self._computed(t, values, level)
        values[t] = value
        return value

    def _operand(self, t: Tensor, n: int, values: dict[Tensor, Value], level: int | None) -> Value:
        i = t.inputs[n]
        found = self.group.member(i)
        if found is not None:
            m = found[0]
            if m in self.levels.full:
                return self._value(m, values, 0 if level is None else level)
            return self.rows[m]
        known = inlined(i)
        if known is not None:
            return self.k.const(known, i.dtype)
        ref = self.inputs[t, n]
        if any(ref.strides):
            return self.load(ref)
        place = (ref.key, ref.offset)
        if place not in self.scalars:
            pointer = self.pointer(ref.key, ref.dtype)
            with self.k.entry():
                self.scalars[place] = pointer[ref.offset]
        return self.scalars[place]

    def _computed(self, t: Tensor, values: dict[Tensor, Value], level: int | None) -> Value:
        assert t.op is not None
        operands = [self._operand(t, n, values, level) for n in range(len(t.inputs))]
        if t.op.indexed is not None:
            value = indexed(t, operands, self.k.index(self.number(self.flat)))
        else:
            value = computed(t, operands)
        self.note(f"{self.names[t]} = {readable(t, [self.shown(t, n) for n in range(len(t.inputs))])}", t)
        return value

    def shown(self, t: Tensor, n: int) -> str:
        i = t.inputs[n]
        found = self.group.member(i)
        if found is not None:
            return self.names[found[0]]
        known = inlined(i)
        if known is not None:
            return repr(known)
        ref = self.inputs[t, n]
        name = self.names.get(self.places[i].base, "?")
        used = [a for a in self.index if ref.strides[a]]
        return f"{name}[{', '.join(f'i{a}' for a in used)}]" if used else name
