"""One group of fused nodes as a function in LLVM IR, and as text that a person can read.

The loops over the outer axes hold row values, and one loop over the inner axes for each *level*: a node that needs the
result of a reduction over the inner axes can only be computed in a later loop than the reduction. A full value that is
needed in a later loop again is computed again if that is cheap, else read from where it is stored, or from a scratch
row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphnet.compile.fuse import HEAVY, LONG_SUM, POSITIONS, REDUCTIONS, Group, reduced_axes
from graphnet.compile.places import Place, Places, row_major
from graphnet.compile.pointwise import CHEAP, INDEXED, computed, indexed, inlined, readable
from graphnet.compile.scalar_ir import Emitter, Library, Value, literal, llvm_type, memory_type
from graphnet.tensor import Tensor

Key = Any

#: vectors of a long polynomial that are computed side by side: one alone waits for its own results
SIDE_BY_SIDE = 4
#: rows of so many bytes at the most are kept on the stack
STACK_ROW = 1 << 15
#: nanoseconds for one value of an op that is not cheap, and for a cheap one, about
COSTS = {"power": 4.0, "sin": 2.0, "cos": 2.0, "erf": 1.0, "erfc": 1.2, "divide": 0.2, "sqrt": 0.25}
SLOW, QUICK = 0.5, 0.03
#: nanoseconds for a byte that is moved, within the fast memory of a core and beyond it
NEAR, FAR, FAST_MEMORY = 0.015, 0.06, 1 << 21
#: a value is computed again, instead of kept, if that takes at most so many ops
CHEAP_OPS = 8

INDEX = np.dtype(np.int64)


@dataclass
class Ref:
    """Where in the memory of `key` a value lies: strides in elements for each axis of the domain."""

    key: Key
    offset: int
    strides: tuple[int, ...]
    dtype: np.dtype


@dataclass
class Kernel:
    """A group as a function. `keys` are its arguments.

    Where threads share the first loop, `length` is that of the loop, and the function takes a range of it. Each part
    then has memory of its own for the results in `partial`, and their functions in there join the parts.
    """

    text: str
    keys: list[Key]
    lines: list[str] = field(default_factory=list)
    length: int = 0
    partial: dict[Tensor, str] = field(default_factory=dict)


def read_at(group: Group, places: Places, t: Tensor, i: Tensor) -> tuple[Place, tuple[int, ...]]:
    """Where an input from outside the group lies, and its strides over the domain as `t` reads it."""
    place = places[i]
    strides = [0] * len(group.domain)
    if group.is_copy(t):
        long = iter(range(len(group.domain)))
        for n, s in zip(i.shape, place.strides, strict=True):
            if n != 1:
                strides[next(long)] = s
    else:
        own = group.over.get(t, group.axes[t])
        for back in range(1, i.ndim + 1):
            a = own[-back]
            if i.shape[-back] != 1 and a is not None:
                strides[a] += place.strides[-back]
    return place, tuple(strides)


def written_at(group: Group, t: Tensor) -> tuple[int, ...]:
    """The strides over the domain with which a node of the group is stored."""
    if group.is_copy(t):
        return row_major(group.domain)
    strides = [0] * len(group.domain)
    for a, n, s in zip(group.axes[t], t.shape, row_major(t.shape), strict=True):
        if a is not None and n != 1:
            strides[a] = s
    return tuple(strides)


def _first(dtype: np.dtype, largest: bool) -> Value:
    """What the search for the largest (or smallest) begins with: no value is below (or above) it."""
    if dtype.kind == "f":
        return literal(-math.inf if largest else math.inf, dtype)
    if dtype == np.bool_:
        return literal(not largest, dtype)
    return literal(np.iinfo(dtype).min if largest else np.iinfo(dtype).max, dtype)


def metadata() -> str:
    """What the kernels of a module refer to: the hint for loops whose vectors are to be computed side by side."""
    return f'!0 = distinct !{{!0, !1}}\n!1 = !{{!"llvm.loop.interleave.count", i32 {SIDE_BY_SIDE}}}'


class Writer:
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
        self.group, self.places, self.key, self.library = group, places, key, library
        self.names, self.comment, self._scratch = names, comment, scratch
        self.stored = {t for t in group.nodes if t in stored}
        self.late = [t for t in group.nodes if t in group.late and not group.is_copy(t)]
        self.keys: dict[Key, int] = {}
        self._allocas: list[str] = []
        self._stack: dict[Key, str] = {}
        self._labels = 0
        self.emitter = Emitter(library)
        self.lines: list[str] = []
        self.indent = 1
        self._find_levels()
        self._find_costs()
        self._find_scratch()
        self._collapse()

    # What is computed where.

    def _is_reduction(self, t: Tensor) -> bool:
        return t.op is not None and (t.op.name in REDUCTIONS or t.op.name in POSITIONS) and t in self.group.over

    def _members(self, t: Tensor) -> list[Tensor]:
        found = [self.group.member(i) for i in t.inputs]
        return [m[0] for m in found if m is not None]

    def _find_levels(self) -> None:
        group = self.group
        self.level: dict[Tensor, int] = {}
        self.full: set[Tensor] = set()
        self._source_full: dict[Tensor, bool] = {}
        self._register_dtypes: dict[Tensor, np.dtype] = {}
        for t in group.nodes:
            level = max((self.level[m] for m in self._members(t)), default=0)
            if self._is_reduction(t):
                self._source_full[t] = len({a for a in group.over[t] if a is not None}) == len(group.domain)
                if t not in group.late:
                    level += 1
            elif not group.is_row(t):
                self.full.add(t)
            self.level[t] = level
        self.levels = max(self.level.values(), default=0) + 1

    def _roots(self, level: int) -> list[Tensor]:
        """What the inner loop of a level is there for: stored nodes, and what reductions go over."""
        roots = [t for t in self.group.nodes if t in self.full and t in self.stored and self.level[t] == level]
        for t in self.group.nodes:
            if self._is_reduction(t) and self._source_full[t]:
                source = self.level[t] - (t not in self.group.late)
                if source == level:
                    roots.append(t)
        return roots

    def _find_costs(self) -> None:
        """The number of cheap ops that compute each full value, or more than CHEAP_OPS."""
        self.cost: dict[Tensor, int] = {}
        for t in self.group.nodes:
            assert t.op is not None
            if t not in self.full or t in self.stored:
                self.cost[t] = 0
            elif t.op.name not in CHEAP:
                self.cost[t] = CHEAP_OPS + 1
            else:
                self.cost[t] = min(1 + sum(self.cost[m] for m in self._members(t)), CHEAP_OPS + 1)

    def _find_scratch(self) -> None:
        """Full values that are needed in a later loop, and would take long to compute again."""
        self.kept: dict[Tensor, Key] = {}
        count = -1
        while len(self.kept) > count:
            # What is kept has to be computed in its own loop, from values that may have to be kept for that.
            count = len(self.kept)
            self._keep_needed()

    def _keep_needed(self) -> None:
        for level in range(self.levels):
            waiting = self._roots(level) + [t for t in self.kept if self.level[t] == level]
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
                            self.kept[m] = self._row_of(m)
                            continue
                    waiting.append(m)

    def _row_of(self, t: Tensor) -> Key:
        """Memory for the values of `t` over the inner axes."""
        size = math.prod(self.group.domain[a] for a in self.group.inner())
        if size * t.dtype.itemsize > STACK_ROW:
            return self._scratch(size * t.dtype.itemsize)
        key = ("stack", len(self._stack))
        self._stack[key] = f"%row{len(self._stack)}"
        self._allocas.append(f"{self._stack[key]} = alloca [{size} x {memory_type(t.dtype)}], align 64")
        return key

    # Where things lie.

    def _input_ref(self, t: Tensor, i: Tensor) -> Ref:
        place, strides = read_at(self.group, self.places, t, i)
        return Ref(self.key(place.base), place.offset, strides, i.dtype)

    def _own_ref(self, t: Tensor) -> Ref:
        return Ref(self.key(t), 0, written_at(self.group, t), t.dtype)

    def _kept_ref(self, t: Tensor) -> Ref:
        inner = self.group.inner()
        shape = tuple(self.group.domain[a] for a in inner)
        return Ref(self.kept[t], 0, (0,) * inner.start + row_major(shape), t.dtype)

    def _collapse(self) -> None:
        """Join neighbouring axes that every value goes over as if they were one."""
        group = self.group
        self.inputs: dict[tuple[Tensor, int], Ref] = {}
        for t in group.nodes:
            for n, i in enumerate(t.inputs):
                if group.member(i) is None and inlined(i) is None:
                    self.inputs[t, n] = self._input_ref(t, i)
        self.own = {t: self._own_ref(t) for t in self.stored}
        self.scratch = {t: self._kept_ref(t) for t in self.kept}
        self.flat = row_major(group.domain)
        refs = [r.strides for r in (*self.inputs.values(), *self.own.values(), *self.scratch.values())]
        if any(t.op is not None and t.op.name in INDEXED for t in group.nodes):
            refs.append(self.flat)
        for t in self.group.nodes:
            if self._is_reduction(t):
                # An axis that is reduced does not join one that is kept.
                gone = {group.over[t][a] for a in reduced_axes(t)}
                refs.append(tuple(0 if a in gone else s for a, s in enumerate(self.flat)))
        inner = group.inner()
        positions = any(t.op is not None and t.op.name in POSITIONS for t in group.nodes)
        self.axes: list[tuple[int, int, bool]] = []  # (the last of the joined axes, its length, whether it is inner)
        for a, n in enumerate(group.domain):
            joins = (
                bool(self.axes)
                and a != inner.start
                and not (positions and a in inner)
                and all(s[a - 1] == s[a] * n for s in refs)
            )
            if joins:
                _, length, is_inner = self.axes.pop()
                self.axes.append((a, length * n, is_inner))
            else:
                self.axes.append((a, n, a in inner))

    # Lines.

    def _pointer(self, key: Key) -> str:
        if key in self._stack:
            return self._stack[key]
        return f"%p{self.keys.setdefault(key, len(self.keys))}"

    def _line(self, text: str) -> None:
        self.emitter.lines.append(text)

    def _note(self, text: str, node: Tensor | None = None) -> None:
        comment = self.comment(node) if node is not None else ""
        self.lines.append("    " * self.indent + text + comment)

    def _label(self) -> str:
        self._labels += 1
        return f"L{self._labels}"

    def _address(self, ref: Ref, index: dict[int, str]) -> str:
        pointer, offset = self._pointer(ref.key), str(ref.offset)
        for a, i in index.items():
            step = ref.strides[a]
            if step == 0:
                continue
            if step != 1:
                scaled = self.emitter.fresh("i")
                self._line(f"{scaled} = mul nsw i64 {i}, {step}")
                i = scaled
            if offset == "0":
                offset = i
            else:
                total = self.emitter.fresh("i")
                self._line(f"{total} = add nsw i64 {i}, {offset}")
                offset = total
        if offset == "0":
            return pointer
        address = self.emitter.fresh("a")
        self._line(f"{address} = getelementptr inbounds {memory_type(ref.dtype)}, ptr {pointer}, i64 {offset}")
        return address

    def _load(self, ref: Ref, index: dict[int, str]) -> Value:
        return self._load_at(self._address(ref, index), ref.dtype)

    def _load_at(self, address: str, dtype: np.dtype) -> Value:
        found = self.emitter.fresh()
        self._line(f"{found} = load {memory_type(dtype)}, ptr {address}")
        if dtype == np.bool_:
            truth = self.emitter.fresh()
            self._line(f"{truth} = icmp ne i8 {found}, 0")
            found = truth
        return Value(found, dtype)

    def _store(self, value: Value, ref: Ref, index: dict[int, str]) -> None:
        self._store_at(value, self._address(ref, index))

    def _store_at(self, value: Value, address: str) -> None:
        text = value.text
        if value.dtype == np.bool_:
            text = self.emitter.fresh()
            self._line(f"{text} = zext i1 {value.text} to i8")
        self._line(f"store {memory_type(value.dtype)} {text}, ptr {address}")

    def _slot(self, dtype: np.dtype) -> str:
        """A variable of the function."""
        slot = self.emitter.fresh("s")
        self._allocas.append(f"{slot} = alloca {memory_type(dtype)}")
        return slot

    def _looped(self, length: str, body: Callable[[str], None], start: str = "0", hint: str = "") -> None:
        """A loop of at least one turn; `body` is called with its index, `hint` is about the loop, for LLVM."""
        before, head, tail, after = (self._label() for _ in range(4))
        i, following, done = (self.emitter.fresh("i") for _ in range(3))
        self._line(f"br label %{before}")
        self.emitter.lines += [f"{before}:", f"br label %{head}", f"{head}:"]
        self._line(f"{i} = phi i64 [{start}, %{before}], [{following}, %{tail}]")
        body(i)
        self._line(f"br label %{tail}")
        self._line(f"{tail}:")
        self._line(f"{following} = add nuw nsw i64 {i}, 1")
        self._line(f"{done} = icmp eq i64 {following}, {length}")
        self._line(f"br i1 {done}, label %{after}, label %{head}{hint}")
        self._line(f"{after}:")

    def _nest(self, inner: bool, index: dict[int, str], body: Callable[[], None]) -> None:
        """The loops over all outer, or all inner axes."""
        axes = [(a, n) for a, n, is_inner in self.axes if is_inner is inner]

        def deeper(depth: int) -> None:
            if depth == len(axes):
                body()
                return
            a, n = axes[depth]
            self._note(f"for i{a} in range({n}):")
            self.indent += 1

            def turn(i: str) -> None:
                index[a] = i
                deeper(depth + 1)
                del index[a]

            shared = self.shared is not None and depth == 0 and a == self.shared
            innermost = inner and depth == len(axes) - 1
            hint = self._hint(n) if innermost else ""
            self._looped("%hi" if shared else str(n), turn, "%lo" if shared else "0", hint)
            self.indent -= 1

        deeper(0)

    def _hint(self, length: int) -> str:
        """A hint for a loop: LLVM by itself puts vectors side by side only where that costs no registers.

        A chain of two exp, tanh and sqrt takes twice as long then.
        """
        heavy = any(t.op is not None and t.op.name in HEAVY for t in self.group.nodes)
        return ", !llvm.loop !0" if heavy and length >= 256 else ""

    # The function.

    def written(self, shared: bool = False) -> Kernel:
        """The kernel; with `shared`, it takes the range of its first loop as two more arguments."""
        self.index: dict[int, str] = {}
        self.rows: dict[Tensor, Value] = {}
        self.scalars: dict[Key, Value] = {}
        self.totals: dict[Tensor, str] = {}
        self.shared = self.axes[0][0] if shared and self.can_share() else None
        self._begin_totals()
        self._nest(False, self.index, self._row)
        self._end_totals()
        arguments = [f"ptr noalias %p{n}" for n in range(len(self.keys))]
        if self.shared is None:
            return Kernel(self._function(arguments), list(self.keys), self.lines)
        text = self._function([*arguments, "i64 %lo", "i64 %hi"])
        keys = list(self.keys)
        return Kernel(text, keys, self.lines, self.axes[0][1], {t: self._joining(t) for t in self.late})

    def _function(self, arguments: list[str]) -> str:
        head = f"define NAME({', '.join(arguments)}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self._allocas, *self.emitter.lines, "ret void", "}"])

    def can_share(self) -> bool:
        """Whether threads can each do a part of the first loop."""
        if not self.axes or any(key not in self._stack for key in self.kept.values()):
            return False
        # With no outer loop, a reduction over all is only complete when all parts are.
        return not self.axes[0][2] or all(t in self.late for t in self.group.nodes if self._is_reduction(t))

    def nanoseconds(self) -> float:
        """About how long the group takes, on one thread."""
        full, row = math.prod(self.group.domain), math.prod(n for _, n, inner in self.axes if not inner)
        total = 0.0
        for t in self.group.nodes:
            assert t.op is not None
            cost = QUICK if t.op.name in CHEAP or self._is_reduction(t) else COSTS.get(t.op.name, SLOW)
            wide = t in self.full or (self._is_reduction(t) and self._source_full[t])
            total += cost * (full if wide else row)
        refs = [*self.inputs.values(), *self.own.values()]
        moved = sum(r.dtype.itemsize * math.prod(n for a, n, _ in self.axes if r.strides[a]) for r in refs)
        return total + (NEAR if moved < FAST_MEMORY else FAR) * moved

    def _joining(self, t: Tensor) -> str:
        """A function that adds the results of the other parts, which lie one after the other, to that of the first."""
        self._allocas, self.emitter.lines = [], []
        size, kind = t.size, memory_type(t.dtype)

        def element(i: str) -> None:
            address = self.emitter.fresh("a")
            self._line(f"{address} = getelementptr inbounds {kind}, ptr %p0, i64 {i}")
            slot = self._slot(t.dtype)
            self._store_at(self._load_at(address, t.dtype), slot)

            def part(n: str) -> None:
                start, at, other = (self.emitter.fresh("i") for _ in range(3))
                self._line(f"{start} = mul nsw i64 {n}, {size}")
                self._line(f"{at} = add nsw i64 {start}, {i}")
                self._line(f"{other} = getelementptr inbounds {kind}, ptr %p1, i64 {at}")
                total = self._load_at(slot, t.dtype)
                self._store_at(self._combined(t, total, self._load_at(other, t.dtype)), slot)

            self._looped("%count", part)
            self._store_at(self._finished(t, self._load_at(slot, t.dtype)), address)

        self._looped(str(size), element)
        return self._function(["ptr noalias %p0", "ptr noalias %p1", "i64 %count"])

    def _row(self) -> None:
        self.rows = {}
        partial: dict[Tensor, str] = {}
        for level in range(self.levels):
            for t in self.group.nodes:
                if self.level[t] != level or t in self.full:
                    continue
                if not self._is_reduction(t):
                    self._row_value(t)
                elif not self._source_full[t]:
                    self._gather_row(t)
            roots = self._roots(level) + [t for t in self.kept if self.level[t] == level]
            if not roots:
                continue
            for t in roots:
                if self._is_reduction(t) and self._in_register(t):
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
            if self._is_reduction(t):
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

    def _value(self, t: Tensor, values: dict[Tensor, Value], level: int) -> Value:
        """The value of a full node at this point."""
        if t in values:
            return values[t]
        if self.level[t] < level and t in self.stored:
            value = self._load(self.own[t], self.index)
        elif self.level[t] < level and t in self.kept:
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
            if m in self.full:
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
        """An operand as the readable text has it."""
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

    # Reductions.

    def _in_register(self, t: Tensor) -> bool:
        """Whether a reduction of full values goes over all inner axes."""
        gone = {self.group.over[t][a] for a in reduced_axes(t)}
        return all(a in gone for a in self.group.inner())

    def _count(self, t: Tensor) -> int:
        return math.prod(t.inputs[0].shape[a] for a in reduced_axes(t))

    def _sum_dtype(self, t: Tensor, count: int) -> np.dtype:
        adds = t.op is not None and t.op.name in ("sum", "mean")
        return np.dtype(np.float64) if adds and t.dtype == np.float32 and count > LONG_SUM else t.dtype

    def _identity(self, t: Tensor, dtype: np.dtype) -> Value:
        assert t.op is not None
        name = t.op.name
        if name in ("max", "min"):
            return _first(dtype, name == "max")
        return literal({"sum": 0, "mean": 0, "prod": 1, "any": False, "all": True}[name], dtype)

    def _combined(self, t: Tensor, total: Value, x: Value) -> Value:
        """`total` and one more value."""
        assert t.op is not None
        name, dtype = t.op.name, total.dtype
        x = self.emitter.cast(x, dtype)
        result = self.emitter.fresh()
        kind = llvm_type(dtype)
        floating = dtype.kind == "f"
        if name in ("sum", "mean", "prod"):
            verb = "mul" if name == "prod" else "add"
            # Any order of the terms: what lets several of them be added at once.
            flags = f"f{verb} reassoc contract" if floating else verb
            self._line(f"{result} = {flags} {kind} {total.text}, {x.text}")
        elif name in ("any", "all"):
            self._line(f"{result} = {'or' if name == 'any' else 'and'} i1 {total.text}, {x.text}")
        elif floating:
            full = f"llvm.{name}imum.f{8 * dtype.itemsize}"
            intrinsic = self.library.declare(full, dtype, kind, kind)
            self._line(f"{result} = call {kind} {intrinsic}({kind} {total.text}, {kind} {x.text})")
        else:
            sign = "s" if dtype.kind == "i" else "u"
            intrinsic = self.library.declare(f"llvm.{sign}{name}.{kind}", dtype, kind, kind)
            self._line(f"{result} = call {kind} {intrinsic}({kind} {total.text}, {kind} {x.text})")
        return Value(result, dtype)

    def _finished(self, t: Tensor, total: Value) -> Value:
        """What the total comes to: for a mean, divided by the count."""
        assert t.op is not None
        if t.op.name == "mean":
            total = self.emitter.expression(
                "({a} / {b})", {"a": total, "b": literal(self._count(t), total.dtype)}, total.dtype
            )
        return self.emitter.cast(total, t.dtype)

    def _begin_register(self, t: Tensor) -> str:
        assert t.op is not None
        if t.op.name in POSITIONS:
            x = t.inputs[0].dtype
            best, at = self._slot(x), self._slot(INDEX)
            self._store_at(_first(x, t.op.name == "argmax"), best)
            self._store_at(literal(0, INDEX), at)
            return f"{best} {at}"
        count = math.prod(self.group.domain[a] for a in self.group.inner())
        dtype = self._sum_dtype(t, count)
        slot = self._slot(dtype)
        self._register_dtypes[t] = dtype
        self._store_at(self._identity(t, dtype), slot)
        return slot

    def _add_up(self, t: Tensor, x: Value, slot: str) -> None:
        assert t.op is not None
        self._note(f"{self.names[t]} = {t.op.name} of {self._shown(t, 0)}", t)
        if t.op.name in POSITIONS:
            self._compare_position(t, x, *slot.split())
            return
        total = self._load_at(slot, self._register_dtypes[t])
        self._store_at(self._combined(t, total, x), slot)

    def _compare_position(self, t: Tensor, x: Value, best: str, at: str) -> None:
        assert t.op is not None
        top = self._load_at(best, x.dtype)
        kind = llvm_type(x.dtype)
        better = self.emitter.fresh()
        last = self.group.inner().start
        more = t.op.name == "argmax"
        if x.dtype.kind == "f":
            # The first NaN wins, as in NumPy.
            self._line(f"{better} = fcmp {'ogt' if more else 'olt'} {kind} {x.text}, {top.text}")
            odd, fine, wins, both = (self.emitter.fresh() for _ in range(4))
            self._line(f"{odd} = fcmp uno {kind} {x.text}, {x.text}")
            self._line(f"{fine} = fcmp ord {kind} {top.text}, {top.text}")
            self._line(f"{wins} = and i1 {odd}, {fine}")
            self._line(f"{both} = or i1 {better}, {wins}")
            better = both
        else:
            sign = "s" if x.dtype.kind == "i" else "u"
            self._line(f"{better} = icmp {sign}{'gt' if more else 'lt'} {kind} {x.text}, {top.text}")
        place = self._load_at(at, INDEX)
        value, where = self.emitter.fresh(), self.emitter.fresh()
        self._line(f"{value} = select i1 {better}, {kind} {x.text}, {kind} {top.text}")
        self._line(f"{where} = select i1 {better}, i64 {self.index[last]}, i64 {place.text}")
        self._store_at(Value(value, x.dtype), best)
        self._store_at(Value(where, INDEX), at)

    def _end_register(self, t: Tensor, slot: str) -> None:
        """A reduction over the inner axes is complete for this row."""
        assert t.op is not None
        if t.op.name in POSITIONS:
            found = self._load_at(slot.split()[1], INDEX)
        else:
            found = self._load_at(slot, self._register_dtypes[t])
        if t in self.group.late:
            self._add_in_memory(t, found)
            return
        value = found if t.op.name in POSITIONS else self._finished(t, found)
        self.rows[t] = value
        if t in self.stored:
            self._store(value, self.own[t], self.index)

    def _gather_row(self, t: Tensor) -> None:
        """A reduction over outer axes takes the value of this row."""
        self._add_in_memory(t, self._operand(t, 0, self.rows, None))

    def _add_in_memory(self, t: Tensor, x: Value) -> None:
        if t in self.totals:
            slot = self.totals[t]
            total = self._load_at(slot, self._total_dtype(t))
            self._store_at(self._combined(t, total, x), slot)
        else:
            address = self._address(self.own[t], self.index)
            total = self._load_at(address, t.dtype)
            self._store_at(self._combined(t, total, x), address)
        self._note(f"{self.names[t]} = {t.op.name if t.op else ''} with {self._shown(t, 0)}", t)

    def _total_dtype(self, t: Tensor) -> np.dtype:
        return self._sum_dtype(t, LONG_SUM + 1)

    def _begin_totals(self) -> None:
        for t in self.late:
            if t.size == 1:
                self.totals[t] = self._slot(self._total_dtype(t))
                self._store_at(self._identity(t, self._total_dtype(t)), self.totals[t])
            else:
                self._over_memory(t, lambda old, t=t: self._identity(t, t.dtype))  # type: ignore[misc]

    def _end_totals(self) -> None:
        for t in self.late:
            if t.size == 1:
                total = self._load_at(self.totals[t], self._total_dtype(t))
                whole = self.emitter.cast(total, t.dtype) if self.shared is not None else self._finished(t, total)
                self._store_at(whole, self._pointer(self.key(t)))
            elif self.shared is None and t.op is not None and t.op.name == "mean":
                self._over_memory(t, lambda old, t=t: self._finished(t, old))  # type: ignore[misc]

    def _over_memory(self, t: Tensor, new: Callable[[Value], Value]) -> None:
        """Replace every element of a result in memory."""
        pointer = self._pointer(self.key(t))

        def turn(i: str) -> None:
            address = self.emitter.fresh("a")
            self._line(f"{address} = getelementptr inbounds {memory_type(t.dtype)}, ptr {pointer}, i64 {i}")
            self._store_at(new(self._load_at(address, t.dtype)), address)

        self._looped(str(t.size), turn)
