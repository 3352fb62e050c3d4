"""Reductions in a loop: totals in variables or in memory, the positions of extremes, and parts that become one.

What goes over all inner axes is complete at the end of a row and stays in a variable till then. What goes over outer
axes is added up in memory, row by row, and complete after the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.ir_loops import LoopWriter
from graphnet.plans.ir_values import Value, literal, llvm_type, memory_type
from graphnet.plans.kernels.refs import Key, Ref
from graphnet.plans.order.fusion import LONG_SUM, POSITIONS, Group, reduced_axes
from graphnet.plans.scalar_ir import Library

INDEX = np.dtype(np.int64)


def _first(dtype: np.dtype, largest: bool) -> Value:
    """What the search for the largest (or smallest) begins with: no value is below (or above) it."""
    if dtype.kind == "f":
        return literal(-math.inf if largest else math.inf, dtype)
    if dtype == np.bool_:
        return literal(not largest, dtype)
    return literal(np.iinfo(dtype).min if largest else np.iinfo(dtype).max, dtype)


def count_of(t: Tensor) -> int:
    """How many values a reduction takes for each of its results."""
    return math.prod(t.inputs[0].shape[a] for a in reduced_axes(t))


def dtype_of_total(t: Tensor, count: int) -> np.dtype:
    """What `count` values are added up in."""
    adds = t.op is not None and t.op.name in ("sum", "mean")
    return np.dtype(np.float64) if adds and t.dtype == np.float32 and count > LONG_SUM else t.dtype


def identity(t: Tensor, dtype: np.dtype) -> Value:
    """What a total begins with."""
    assert t.op is not None
    name = t.op.name
    if name in ("max", "min"):
        return _first(dtype, name == "max")
    return literal({"sum": 0, "mean": 0, "prod": 1, "any": False, "all": True}[name], dtype)


class Reductions(LoopWriter):
    """The lines of a group's reductions. `late` are those over outer axes; `own` is where the `stored` nodes lie.

    `rows` are the values that are known in the present row, `totals` the variables of results without axes.
    """

    def __init__(
        self,
        group: Group,
        stored: set[Tensor],
        key: Callable[[Tensor], Key],
        library: Library,
        names: dict[Tensor, str],
        comment: Callable[[Tensor], str],
    ):
        super().__init__(library, comment)
        self.group, self.key, self.names = group, key, names
        self.stored = {t for t in group.nodes if t in stored}
        self.late = [t for t in group.nodes if t in group.late and not group.is_copy(t)]
        self.own: dict[Tensor, Ref] = {}
        self.rows: dict[Tensor, Value] = {}
        self.totals: dict[Tensor, str] = {}
        self._register_dtypes: dict[Tensor, np.dtype] = {}

    def _shown(self, t: Tensor, n: int) -> str:
        """An operand as the readable text has it."""
        raise NotImplementedError

    # One more value.

    def _in_register(self, t: Tensor) -> bool:
        """Whether a reduction of full values goes over all inner axes."""
        gone = {self.group.over[t][a] for a in reduced_axes(t)}
        return all(a in gone for a in self.group.inner())

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
                "({a} / {b})", {"a": total, "b": literal(count_of(t), total.dtype)}, total.dtype
            )
        return self.emitter.cast(total, t.dtype)

    # In variables, along a row.

    def _begin_register(self, t: Tensor) -> str:
        assert t.op is not None
        if t.op.name in POSITIONS:
            x = t.inputs[0].dtype
            best, at = self._slot(x), self._slot(INDEX)
            self._store_at(_first(x, t.op.name == "argmax"), best)
            self._store_at(literal(0, INDEX), at)
            return f"{best} {at}"
        count = math.prod(self.group.domain[a] for a in self.group.inner())
        dtype = dtype_of_total(t, count)
        slot = self._slot(dtype)
        self._register_dtypes[t] = dtype
        self._store_at(identity(t, dtype), slot)
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

    # Over rows.

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
        return dtype_of_total(t, LONG_SUM + 1)

    def _begin_totals(self) -> None:
        for t in self.late:
            if t.size == 1:
                self.totals[t] = self._slot(self._total_dtype(t))
                self._store_at(identity(t, self._total_dtype(t)), self.totals[t])
            else:
                self._over_memory(t, lambda old, t=t: identity(t, t.dtype))  # type: ignore[misc]

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
