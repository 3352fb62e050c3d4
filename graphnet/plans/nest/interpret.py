"""What a kernel means, in NumPy: `run(kernel, *arguments)`, with a check of each address.

Loops are gone through in order. An innermost loop is computed for many turns at once where that can't be told apart:
what depends on variables that change is still done turn by turn. `a * b + c` is rounded twice here, and any order of a
sum is the written one, for which the kernel's flags leave LLVM a choice.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.memory import Addresses, Memory, NotWritten, OutOfBounds, Place, placed
from graphnet.plans.nest.values import INT32, INT64, Node, Pointer, Statement

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
            return Place(_table(v.data))
        return self.env[v]

    def block(self, instructions: list[Any]) -> bool:
        """Whether it was left."""
        for instruction in instructions:
            if isinstance(instruction, Node):
                self.env[instruction] = _VALUES[instruction.op](self, instruction)
            elif instruction.op == "leave":
                if self.of(instruction.args[0]):
                    return True
            else:
                _STATEMENTS[instruction.op](self, instruction)
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
                    self.env[instruction] = _VALUES[instruction.op](self, instruction)
                else:
                    _STATEMENTS[instruction.op](self, instruction)
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


# Values.


def _same(f: Callable[..., Any]) -> Callable[[_Run, Any], Any]:
    return lambda run, v: f(*[run.of(a) for a in v.args])


def _whole(f: Callable[..., Any]) -> Callable[[_Run, Any], Any]:
    """`+ - *`, which must not overflow where they are of indices."""

    def value(run: _Run, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        if v.data == "nsw":
            size = np.max(np.abs(f(np.asarray(a, np.float64), np.asarray(b, np.float64))))
            if size >= 2.0**63:
                raise OverflowError(f"{run.kernel.name}: an index of {size:g}")
        return f(a, b)

    return value


def _shift(f: Callable[..., Any]) -> Callable[[_Run, Any], Any]:
    def value(run: _Run, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        if np.any((b < 0) | (b >= 8 * v.dtype.itemsize)):
            raise ArithmeticError(f"{run.kernel.name}: {v.dtype} shifted by {_some(b)}")
        return f(a, b)

    return value


def _some(x: Any) -> Any:
    return np.asarray(x).reshape(-1)[0]


def _quotient(run: _Run, v: Any) -> Any:
    a, b = (np.asarray(run.of(x)) for x in v.args)
    lowest = np.iinfo(v.dtype).min
    if np.any(b == 0) or (lowest and np.any((a == lowest) & (b == -1))):
        raise ArithmeticError(f"{run.kernel.name}: {v.dtype} divided by 0, or the lowest by -1")
    q = a // b
    # Towards zero: a rest means that a negative quotient was rounded away from it.
    return (q + ((q * b != a) & ((a < 0) != (b < 0)))).astype(v.dtype)[()]


def _index_quotient(f: Callable[..., Any]) -> Callable[[_Run, Any], Any]:
    def value(run: _Run, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        if np.any(np.asarray(a) < 0) or np.any(np.asarray(b) <= 0):
            raise ArithmeticError(f"{run.kernel.name}: index {_some(a)} divided by {_some(b)}")
        return f(a, b)

    return value


def _zeros(a: Any, b: Any) -> Any:
    return (a == 0) & (b == 0)


def _max(a: Any, b: Any) -> Any:
    return np.where(_zeros(a, b), a + b, np.maximum(a, b))


def _min(a: Any, b: Any) -> Any:
    return np.where(_zeros(a, b), -(-a + -b), np.minimum(a, b))


def _extreme(f: Callable[..., Any], of_whole: Callable[..., Any]) -> Callable[[_Run, Any], Any]:
    def value(run: _Run, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        return f(a, b) if v.dtype.kind == "f" else of_whole(a, b)

    return value


def _cast(run: _Run, v: Any) -> Any:
    x = np.asarray(run.of(v.args[0]))
    if x.dtype.kind == "f" and v.dtype.kind in "iu":
        step = INT32 if v.dtype.itemsize < 4 else INT64 if v.dtype == np.uint32 else v.dtype
        x = x.astype(step)
    return x.astype(v.dtype)[()]


def _view(run: _Run, v: Any) -> Any:
    return np.asarray(run.of(v.args[0])).view(v.dtype)[()]


def _splat(run: _Run, v: Any) -> Any:
    x = np.asarray(run.of(v.args[0]))[..., None]
    return np.broadcast_to(x, (*x.shape[:-1], v.width))


def _lane(run: _Run, v: Any) -> Any:
    return run.of(v.args[0])[..., v.data]


def _with_lane(run: _Run, v: Any) -> Any:
    vector, x = (np.asarray(run.of(a)) for a in v.args)
    shape = (*np.broadcast_shapes(vector.shape[:-1], x.shape), v.width)
    vector = np.broadcast_to(vector, shape).copy()
    vector[..., v.data] = x
    return vector


def _horizontal(run: _Run, v: Any) -> Any:
    """Halves upon halves, as processors do it."""
    x = np.asarray(run.of(v.args[0]))
    floating = x.dtype.kind == "f"
    f: Any = {
        "sum": np.add,
        "any": np.logical_or,
        "all": np.logical_and,
        "max": _max if floating else np.maximum,
        "min": _min if floating else np.minimum,
    }[v.data]
    while x.shape[-1] > 1 and x.shape[-1] % 2 == 0:
        half = x.shape[-1] // 2
        x = f(x[..., :half], x[..., half:])
    total = x[..., 0]
    for n in range(1, x.shape[-1]):
        total = f(total, x[..., n])
    return total


def _fma(run: _Run, v: Any) -> Any:
    a, b, c = np.broadcast_arrays(*(np.asarray(run.of(x)) for x in v.args))
    if v.dtype.itemsize == 4:
        # The product is exact in float64; the sum is rounded to odd, so that rounding it again is right.
        product, wide = a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64)
        total = product + wide
        back = total - product
        lost = (product - (total - back)) + (wide - back)
        even = (total.view(np.int64) & 1) == 0
        toward = np.where(lost > 0, np.inf, -np.inf)
        odd = np.isfinite(total) & (lost != 0) & even
        return np.where(odd, np.nextafter(total, toward), total).astype(np.float32)[()]
    plain = np.array(a * b + c)
    for n in np.ndindex(plain.shape):
        x, y, z = float(a[n]), float(b[n]), float(c[n])
        if np.isfinite([x, y, z]).all() and (exact := Fraction(x) * Fraction(y) + Fraction(z)):
            try:
                plain[n] = float(exact)
            except OverflowError:
                plain[n] = np.inf if exact > 0 else -np.inf
    return plain[()]


def _element(run: _Run, v: Any) -> Any:
    base, i = (run.of(a) for a in v.args)
    return base.moved(i * v.dtype.itemsize)


def _gather(run: _Run, v: Any) -> Any:
    base, i = (run.of(a) for a in v.args)
    return run.load(base.moved(i * v.dtype.itemsize), v.dtype)


def _where(run: _Run, v: Any) -> Any:
    condition, a, b = (run.of(x) for x in v.args)
    if isinstance(v, Pointer):
        return a if condition else b
    return np.where(condition, a, b)[()]


def _fetch_add(run: _Run, v: Any) -> Any:
    place, n = (run.of(a) for a in v.args)
    before = run.load(place, INT64)
    run.store(place, before + n, INT64, 1)
    return before


def _call(run: _Run, v: Any) -> Any:
    inner = _Run(v.data, [run.of(a) for a in v.args])
    if v.data.inline:
        inner.later, inner.seen = run.later, run.seen
    return inner.result()


@cache
def _table(table: Any) -> Memory:
    return Memory(table.array, label=table.name)


_VALUES: dict[str, Callable[[_Run, Any], Any]] = {
    "add": _whole(np.add),
    "sub": _whole(np.subtract),
    "mul": _whole(np.multiply),
    "div": _same(np.divide),
    "and": _same(np.bitwise_and),
    "or": _same(np.bitwise_or),
    "xor": _same(np.bitwise_xor),
    "shl": _shift(np.left_shift),
    "shr": _shift(np.right_shift),
    "quotient": _quotient,
    "index_div": _index_quotient(np.floor_divide),
    "index_rem": _index_quotient(np.remainder),
    "index": _same(lambda x: x),
    "lt": _same(np.less),
    "le": _same(np.less_equal),
    "gt": _same(np.greater),
    "ge": _same(np.greater_equal),
    "eq": _same(np.equal),
    "ne": _same(np.not_equal),
    "neg": _same(np.negative),
    "abs": _same(np.abs),
    "sqrt": _same(np.sqrt),
    "floor": _same(np.floor),
    "ceil": _same(np.ceil),
    "trunc": _same(np.trunc),
    "rint": _same(np.rint),
    "multiply_add": _same(lambda a, b, c: a * b + c),
    "fma": _fma,
    "max": _extreme(_max, np.maximum),
    "min": _extreme(_min, np.minimum),
    "where": _where,
    "cast": _cast,
    "view": _view,
    "splat": _splat,
    "lane": _lane,
    "with_lane": _with_lane,
    "horizontal": _horizontal,
    "element": _element,
    "bytes": lambda run, v: run.of(v.args[0]).moved(run.of(v.args[1])),
    "load": lambda run, v: run.load(run.of(v.args[0]), v.dtype, v.width),
    "gather": _gather,
    "load_pointer": lambda run, v: run.of(v.args[0]).moved(8 * run.of(v.args[1])).pointer(),
    "get": lambda run, v: run.variables[v.data],
    "fetch_add": _fetch_add,
    "load_acquire": lambda run, v: run.load(run.of(v.args[0]), INT64),
    "call": _call,
}


# Statements.


def _store(run: _Run, s: Statement) -> None:
    p, x = s.args
    run.store(run.of(p), run.of(x), x.dtype, x.width)


def _set(run: _Run, s: Statement) -> None:
    run.variables[s.data] = run.of(s.args[0])


def _zero(run: _Run, s: Statement) -> None:
    place, n = (run.of(a) for a in s.args)
    span = place.memory.span(place.offset, n, "zeroes")
    place.memory.bytes[span] = 0
    place.memory.mark(span)


def _copy(run: _Run, s: Statement) -> None:
    to, source, n = (run.of(a) for a in s.args)
    read = source.memory.span(source.offset, n, "copies from")
    span = to.memory.span(to.offset, n, "copies to")
    if source.memory.written is not None and not source.memory.written[read].all():
        raise NotWritten(f"{source.memory.label} copies what was not written")
    to.memory.bytes[span] = source.memory.bytes[read]
    to.memory.mark(span)


def _when(run: _Run, s: Statement) -> None:
    run.block(s.blocks[0] if run.of(s.args[0]) else s.blocks[1])


def _repeat(run: _Run, s: Statement) -> None:
    while not run.block(s.blocks[0]):
        pass


def _call_address(run: _Run, s: Statement) -> None:
    function, *args = (run.of(a) for a in s.args)
    function.memory(*args)


_STATEMENTS: dict[str, Callable[[_Run, Any], Any]] = {
    "store": _store,
    "set": _set,
    "zero": _zero,
    "copy": _copy,
    "loop": _Run.loop,
    "when": _when,
    "repeat": _repeat,
    "call": _call,
    "call_address": _call_address,
    "pause": lambda run, s: None,
    "note": lambda run, s: None,
}


# A kernel is well formed.


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
