"""What a kernel means, in NumPy: `run(kernel, *arguments)`, with a check of each address.

Loops are gone through in order. An innermost loop is computed for many turns at once where that can't be told apart:
what depends on variables that change is still done turn by turn. `a * b + c` is rounded twice here, and any order of a
sum is the written one, for which the kernel's flags leave LLVM a choice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.meanings import STATEMENTS, VALUES, constants
from graphnet.plans.nest.memory import Addresses, Memory, NotWritten, OutOfBounds, Place, placed
from graphnet.plans.nest.values import Node, Pointer, Statement

#: turns of an innermost loop that are computed at once
CHUNK = 1 << 13


def run(kernel: Kernel, *arguments: Any) -> Any:
    """Run a kernel; the result of one that returns a value.

    Arguments are arrays in C order, `blank(shape, dtype)` for those to be written first, numbers, and for addresses
    that a kernel loads itself a list of arrays, lists and functions. Raises OutOfBounds and NotWritten.
    """
    if len(arguments) != len(kernel.arguments):
        raise TypeError(f"{kernel.name} takes {len(kernel.arguments)} arguments; received {len(arguments)}")
    values: list[Any] = []
    for node, x in zip(kernel.arguments, arguments, strict=True):
        if isinstance(node, Pointer):
            place = placed(x)
            if isinstance(place.memory, (Memory, Addresses)) and not place.memory.label:
                place.memory.label = node.label or f"argument {len(values)}"
            values.append(place)
        else:
            values.append(np.asarray(x, node.dtype)[()])
    _check_apart(kernel, values)
    with np.errstate(all="ignore"):
        return _Run(kernel, values).result()


def _check_apart(kernel: Kernel, values: list[Any]) -> None:
    """Pointers that are said to reach memory of their own do."""
    arrays = [v.memory.array if isinstance(v, Place) and isinstance(v.memory, Memory) else None for v in values]
    for n, a in enumerate(arrays):
        for m, b in enumerate(arrays[:n]):
            alone = kernel.noalias[n] or kernel.noalias[m]
            if alone and a is not None and b is not None and a.size and b.size and np.may_share_memory(a, b):
                raise ValueError(f"{kernel.name}: arguments {m} and {n} share memory, which one of them must not")


class _Run:
    """One call of a kernel: what its values are at this point."""

    def __init__(self, kernel: Kernel, arguments: list[Any]):
        self.kernel = kernel
        self.env: dict[Any, Any] = dict(zip(kernel.arguments, arguments, strict=True))
        self.variables: dict[Any, Any] = {}
        #: stores that are put off, or None where each is done at once
        self.later: list[tuple[Memory, Any, Any, np.dtype]] | None = None
        #: loads and stores of turns that are computed at once: (memory, element addresses, dtype, is a store)
        self.seen: list[tuple[Memory, Any, np.dtype, bool]] = []
        for p in kernel.stacks:
            array = np.full(p.data * p.dtype.itemsize, 0xAB, np.uint8)
            self.env[p] = Place(Memory(array, blank=True, label=p.label or "the stack"))
        if kernel.loops is None:
            kernel.loops = _plans(kernel)

    def result(self) -> Any:
        self.block(self.kernel.head)
        self.block(self.kernel.body)
        return None if self.kernel.result is None else self.of(self.kernel.result)

    def of(self, v: Any) -> Any:
        """The value of an operand."""
        if v.op == "const":
            return v.data if v.width == 1 else np.full(v.width, v.data)
        if v.op == "table":
            return Place(constants(v.data))
        return self.env[v]

    def block(self, instructions: list[Any]) -> bool:
        """Whether it was left."""
        for instruction in instructions:
            if isinstance(instruction, Node):
                self.env[instruction] = VALUES[instruction.op](self, instruction)
            elif instruction.op == "leave":
                if self.of(instruction.args[0]):
                    return True
            else:
                STATEMENTS[instruction.op](self, instruction)
        return False

    # Memory.

    def load(self, place: Place, dtype: np.dtype, width: int = 1) -> Any:
        assert isinstance(place.memory, Memory)
        at = self._at(place, dtype, width)
        if self.later is not None:
            self.seen.append((place.memory, at, dtype, False))
        return place.memory.load(at, dtype)

    def store(self, place: Place, x: Any, dtype: np.dtype, width: int) -> None:
        assert isinstance(place.memory, Memory)
        at = self._at(place, dtype, width)
        if self.later is None:
            place.memory.store(at, x, dtype)
        else:
            if np.ndim(at) == (width > 1):
                raise _InOrder
            self.seen.append((place.memory, at, dtype, True))
            self.later.append((place.memory, at, x, dtype))

    def _at(self, place: Place, dtype: np.dtype, width: int) -> Any:
        return place.offset if width == 1 else np.asarray(place.offset)[..., None] + np.arange(width) * dtype.itemsize

    # Loops.

    def loop(self, s: Statement) -> None:
        counter, first, last = s.args
        start, stop, step = int(self.of(first)), int(self.of(last)), s.data[0]
        if start < 0:
            raise ValueError(f"{self.kernel.name}: a loop begins at {start}")
        plan = self.kernel.loops[s]
        for begin in range(start, stop, CHUNK * step):
            end = min(stop, begin + CHUNK * step)
            if plan is None or self.later is not None or end - begin <= step or not self.at_once(s, plan, begin, end):
                for i in range(begin, end, step):
                    self.env[counter] = np.int64(i)
                    self.block(s.blocks[0])

    def at_once(self, s: Statement, plan: _Plan, begin: int, end: int) -> bool:
        """Compute some turns at once, if that changes nothing; whether it was done."""
        turns = np.arange(begin, end, s.data[0])
        self.env[s.args[0]] = turns
        self.later, self.seen = [], []
        try:
            for instruction in plan.wide:
                if isinstance(instruction, Node):
                    self.env[instruction] = VALUES[instruction.op](self, instruction)
                else:
                    STATEMENTS[instruction.op](self, instruction)
            if _clash(self.seen):
                return False
        except (OutOfBounds, NotWritten, _InOrder):
            # Turn by turn it shows whether it is one, and where.
            return False
        finally:
            later, self.later = self.later, None
        for memory, at, x, dtype in later:
            memory.store(at, x, dtype)
        if plan.narrow:
            count = len(turns)
            wide = {v: np.broadcast_to(self.env[v], (count, v.width) if v.width > 1 else count) for v in plan.picked}
            for n in range(count):
                for v, x in wide.items():
                    self.env[v] = x[n]
                self.block(plan.narrow)
        return True


class _InOrder(Exception):
    """Every turn writes to the same element."""


class _Plan(NamedTuple):
    """An innermost loop: what is computed for many turns at once, what turn by turn, and what that takes."""

    wide: list[Any]
    narrow: list[Any]
    picked: list[Node]


def _plan(s: Statement) -> _Plan | None:
    """How a loop is computed at once; None if it has blocks or calls in it, or its addresses depend on variables."""
    (block,) = s.blocks
    changed = {i.data for i in block if isinstance(i, Statement) and i.op == "set"}
    late: set[Any] = set()
    varying: set[Any] = {s.args[0]}
    wide: list[Any] = []
    narrow: list[Any] = []
    picked: dict[Node, None] = {}
    for i in block:
        if i.op in _ONE_BY_ONE or (i.op == "call" and not i.data.inline) or (isinstance(i, Statement) and i.blocks):
            return None
        if i.op == "set" or (i.op == "get" and i.data in changed) or any(a in late for a in i.args):
            if i.op in ("load", "store", "gather"):
                return None
            narrow.append(i)
            late.add(i)
            picked.update((a, None) for a in i.args if a in varying)
        elif i.op != "note":
            wide.append(i)
            if any(a in varying for a in i.args):
                varying.add(i)
    return _Plan(wide, narrow, list(picked))


_ONE_BY_ONE = frozenset({"load_pointer", "fetch_add", "load_acquire", "zero", "copy", "call_address", "pause", "leave"})


def _clash(seen: list[tuple[Memory, Any, np.dtype, bool]]) -> bool:
    """Whether the order of turns may matter: one writes what another reads or writes."""
    for n, (memory, at, dtype, stores) in enumerate(seen):
        if not stores:
            continue
        flat = np.asarray(at).reshape(-1)
        if flat.size > 1 and np.unique(flat).size != flat.size:
            return True
        for m, (other, there, kind, also) in enumerate(seen):
            if m == n or other is not memory or np.max(there) + kind.itemsize <= flat.min():
                continue
            if flat.max() + dtype.itemsize <= np.min(there):
                continue
            if not also and m < n and dtype == kind and np.array_equal(at, there):
                continue
            if kind.itemsize != dtype.itemsize or np.intersect1d(flat, there).size:
                return True
    return False


def _plans(kernel: Kernel) -> dict[Statement, _Plan | None]:
    """How each loop is computed. Raises SyntaxError for a value that is used outside of the block where it was made."""
    plans: dict[Statement, _Plan | None] = {}

    def check(block: list[Any], known: set[Any]) -> None:
        for i in block:
            inside = {i.args[0]} if i.op == "loop" else set()
            for a in i.args:
                if a not in known and a not in inside and a.op not in ("const", "table"):
                    raise SyntaxError(f"{kernel.name}: {i.op} uses {a.label or a.op}, made in another block or kernel")
            if isinstance(i, Statement):
                if i.op == "loop":
                    plans[i] = _plan(i)
                for inner in i.blocks:
                    check(inner, known | inside)
            else:
                known.add(i)

    check([*kernel.head, *kernel.body], {*kernel.arguments, *kernel.stacks})
    return plans
