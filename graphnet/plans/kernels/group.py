"""One group of fused nodes as a function in LLVM IR, and as text that a person can read.

The loops are those of `levels`. At each point of an inner loop the values of its roots are computed from what they
need, each once, and then stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from graphnet.node import Tensor
from graphnet.plans.ir_values import Value, literal
from graphnet.plans.kernels.levels import Levels
from graphnet.plans.kernels.pointwise import INDEXED, computed, indexed, inlined, readable
from graphnet.plans.kernels.reductions import Reductions
from graphnet.plans.kernels.refs import Key, Ref, joined, read_at, written_at
from graphnet.plans.order.fusion import HEAVY, POSITIONS, Group, reduced_axes
from graphnet.plans.order.views import Places, row_major
from graphnet.plans.scalar_ir import Library

#: rows of so many bytes at the most are kept on the stack
STACK_ROW = 1 << 15


@dataclass
class Kernel:
    """A group as a function. `keys` are its arguments.

    Where threads share the first loop, `length` is that of the loop, and the function takes a range of it. Each part
    then has memory of its own for the results in `partial`, and their functions in there join the parts. `before` are
    functions, with their arguments, that run first; `rooms` are further arguments, with the bytes that each part has.
    """

    text: str
    keys: list[Key]
    lines: list[str] = field(default_factory=list)
    length: int = 0
    partial: dict[Tensor, str] = field(default_factory=dict)
    before: list[tuple[str, list[Key]]] = field(default_factory=list)
    rooms: dict[Key, int] = field(default_factory=dict)


class Writer(Reductions):
    """Writes one group.

    `stored` are the nodes whose values must be in memory afterwards. `key(t)` names the memory of a node that is not a
    look at another; `scratch(bytes)` gives memory for a row. `names` are those of the graph.
    """

    def __init__(
        self,
        group: Group,
        places: Places,
        stored: set[Tensor],
        key: Callable[[Tensor], Key],
        scratch: Callable[[int], Key],
        library: Library,
        names: dict[Tensor, str],
        comment: Callable[[Tensor], str],
    ):
        super().__init__(group, stored, key, library, names, comment)
        self.places, self._scratch = places, scratch
        self.levels = Levels(group, self.stored)
        self.kept = {t: self._row_of(t) for t in self.levels.kept}
        self.scalars: dict[Key, Value] = {}
        self.heavy = any(t.op is not None and t.op.name in HEAVY for t in group.nodes)
        self._find_refs()

    # Where things lie.

    def _row_of(self, t: Tensor) -> Key:
        """Memory for the values of `t` over the inner axes."""
        size = math.prod(self.group.domain[a] for a in self.group.inner())
        if size * t.dtype.itemsize > STACK_ROW:
            return self._scratch(size * t.dtype.itemsize)
        return self._row_on_stack(size, t.dtype)

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
        names = {t.op.name for t in group.nodes if t.op is not None}
        if not names.isdisjoint(INDEXED):
            strides.append(self.flat)
        for t in group.nodes:
            if self.levels.is_reduction(t):
                # An axis that is reduced does not join one that is kept.
                gone = {group.over[t][a] for a in reduced_axes(t)}
                strides.append(tuple(0 if a in gone else s for a, s in enumerate(self.flat)))
        self.axes = joined(group, strides, apart=not names.isdisjoint(POSITIONS))

    # The function.

    def written(self, shared: bool = False) -> Kernel:
        """The kernel; with `shared`, it takes the range of its first loop as two more arguments."""
        self.shared = self.axes[0].last if shared and self.can_share() else None
        self._begin_totals()
        self._nest(False, self.index, self._row)
        self._end_totals()
        arguments = [f"ptr noalias %p{n}" for n in range(len(self.keys))]
        if self.shared is None:
            return Kernel(self._function(arguments), list(self.keys), self.lines)
        text = self._function([*arguments, "i64 %lo", "i64 %hi"])
        keys = list(self.keys)
        return Kernel(text, keys, self.lines, self.axes[0].length, {t: self._joining(t) for t in self.late})

    def can_share(self) -> bool:
        """Whether threads can each do a part of the first loop."""
        if not self.axes or any(key not in self._stack for key in self.kept.values()):
            return False
        # With no outer loop, a reduction over all is only complete when all parts are.
        return not self.axes[0].inner or all(t in self.late for t in self.group.nodes if self.levels.is_reduction(t))

    def nanoseconds(self) -> float:
        """About how long the group takes, on one thread."""
        refs = {(r.key, r.strides): r for r in (*self.inputs.values(), *self.own.values())}.values()
        moved = sum(r.dtype.itemsize * math.prod(x.length for x in self.axes if r.strides[x.last]) for r in refs)
        return self.levels.nanoseconds(self.axes, moved)

    def _row(self) -> None:
        levels = self.levels
        self.rows = {}
        partial: dict[Tensor, str] = {}
        for level in range(levels.count):
            for t in self.group.nodes:
                if levels.level[t] != level or t in levels.full:
                    continue
                if not levels.is_reduction(t):
                    self._row_value(t)
                elif not levels.source_full[t]:
                    self._add_in_memory(t, self._operand(t, 0, self.rows, None))
            roots = levels.roots(level)
            if not roots:
                continue
            for t in roots:
                if levels.is_reduction(t) and self._in_register(t):
                    partial[t] = self._begin_register(t)
            self._nest(True, self.index, lambda level=level, roots=roots: self._point(level, roots, partial))  # type: ignore[misc]
            for t in roots:
                if t in partial:
                    self._end_register(t, partial.pop(t))

    def _row_value(self, t: Tensor) -> None:
        value = self._computed(t, self.rows, None)
        self.rows[t] = value
        if t in self.stored:
            self._store(value, self.own[t], self.index)

    def _point(self, level: int, roots: Iterable[Tensor], partial: dict[Tensor, str]) -> None:
        values: dict[Tensor, Value] = {}
        stores: list[tuple[Value, Ref]] = []
        for t in roots:
            if self.levels.is_reduction(t):
                x = self._operand(t, 0, values, level)
                if t in partial:
                    self._add_up(t, x, partial[t])
                else:
                    self._add_in_memory(t, x)
                continue
            value = self._value(t, values, level)
            if t in self.kept:
                stores.append((value, self.scratch[t]))
            if t in self.stored:
                stores.append((value, self.own[t]))
        # Last, since a node may overwrite what others of this point read.
        for value, ref in stores:
            self._store(value, ref, self.index)

    # Values.

    def _value(self, t: Tensor, values: dict[Tensor, Value], level: int) -> Value:
        """The value of a full node at this point."""
        if t in values:
            return values[t]
        if self.levels.level[t] < level and t in self.stored:
            value = self._load(self.own[t], self.index)
        elif self.levels.level[t] < level and t in self.kept:
            value = self._load(self.scratch[t], self.index)
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
            return literal(known, i.dtype)
        ref = self.inputs[t, n]
        if any(ref.strides):
            return self._load(ref, self.index)
        place = (ref.key, ref.offset)
        if place not in self.scalars:
            before, self.emitter.lines = self.emitter.lines, []
            self.scalars[place] = self._load(ref, {})
            self._allocas += self.emitter.lines
            self.emitter.lines = before
        return self.scalars[place]

    def _computed(self, t: Tensor, values: dict[Tensor, Value], level: int | None) -> Value:
        assert t.op is not None
        operands = [self._operand(t, n, values, level) for n in range(len(t.inputs))]
        if t.op.name in INDEXED:
            value = indexed(t, operands, self._flat_index(), self.emitter)
        else:
            value = computed(t, operands, self.emitter)
        self._note(f"{self.names[t]} = {readable(t, [self._shown(t, n) for n in range(len(t.inputs))])}", t)
        return value

    def _flat_index(self) -> str:
        """The number of this point in the domain, in C order."""
        total = "0"
        for a, i in self.index.items():
            scaled, joined = self.emitter.fresh("i"), self.emitter.fresh("i")
            self._line(f"{scaled} = mul nsw i64 {i}, {self.flat[a]}")
            self._line(f"{joined} = add nsw i64 {scaled}, {total}")
            total = joined
        return total

    def _shown(self, t: Tensor, n: int) -> str:
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
