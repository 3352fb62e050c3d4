"""One group of fused nodes as a kernel in the loop language, and as text that a person can read.

The loops are those of `levels`. At each point of an inner loop the values of its roots are computed from what they
need, each once, and then stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphnet.node import Tensor
from graphnet.plans.kernels.calls import KernelCall, Key
from graphnet.plans.kernels.layout import Layout
from graphnet.plans.kernels.pointwise import computed, indexed, readable
from graphnet.plans.kernels.reductions import Reductions, joining
from graphnet.plans.kernels.refs import Ref
from graphnet.plans.nest.values import Value
from graphnet.plans.order.inlining import inlined


class Writer(Reductions):
    """Writes one group. `names` are those of the graph, `key(t)` names the memory of a node that is no view."""

    def __init__(
        self,
        layout: Layout,
        key: Callable[[Tensor], Key],
        names: Mapping[Tensor, str],
        comment: Callable[[Tensor], str],
    ):
        super().__init__(layout, key, names, comment)
        self.levels = layout.levels
        self.scalars: dict[tuple[Key, int], Value] = {}

    def written(self, shared: bool) -> KernelCall:
        """The kernel; with `shared`, it takes the range of its first loop as its first two arguments."""
        for key, (size, dtype) in self.layout.stack.items():
            self.row_on_stack(key, size, dtype)
        if shared:
            self.part = self.k.counter_argument("start"), self.k.counter_argument("stop")
        self.begin_totals()
        with self.nest(False):
            self._row()
        self.end_totals()
        call = KernelCall(self.k, list(self.keys), self.lines)
        if self.part is not None:
            call.length, call.partial = self.axes[0].length, {t: joining(t) for t in self.late}
        return call

    def _row(self) -> None:
        levels = self.levels
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
        if t in self.own:
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
            if t in self.layout.kept:
                stores.append((value, self.layout.kept[t]))
            if t in self.own:
                stores.append((value, self.own[t]))
        # Last, since a node may overwrite what others of this point read.
        for value, ref in stores:
            self.store(value, ref)

    # Values.

    def _value(self, t: Tensor, values: dict[Tensor, Value], level: int) -> Value:
        """The value of a full node at this point."""
        if t in values:
            return values[t]
        if self.levels.level[t] < level and t in self.own:
            value = self.load(self.own[t])
        elif self.levels.level[t] < level and t in self.layout.kept:
            value = self.load(self.layout.kept[t])
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
        ref = self.layout.inputs[t, n]
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
            value = indexed(t, operands, self.k.index(self.number(self.layout.flat)))
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
        ref = self.layout.inputs[t, n]
        name = self.names.get(self.layout.views[i].base, "?")
        used = [a for a in self.index if ref.strides[a]]
        return f"{name}[{', '.join(f'i{a}' for a in used)}]" if used else name


def kernel(
    layout: Layout,
    key: Callable[[Tensor], Key],
    names: Mapping[Tensor, str],
    comment: Callable[[Tensor], str],
    shared: bool = False,
) -> KernelCall:
    """The kernel of a group; with `shared` as one whose first loop threads share, if it can be."""
    return Writer(layout, key, names, comment).written(shared and layout.can_share)
