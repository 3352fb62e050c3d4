"""What each instruction of the loop language means, in NumPy, in a run of the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from graphnet.plans.nest.memory import Memory, NotWritten
from graphnet.plans.nest.values import INT32, INT64, Pointer, Statement


def _same(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda run, v: f(*[run.of(a) for a in v.args])


def _whole(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """`+ - *`, which must not overflow where they are of indices."""

    def value(run: Any, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        if v.data == "nsw":
            size = np.max(np.abs(f(np.asarray(a, np.float64), np.asarray(b, np.float64))))
            if size >= 2.0**63:
                raise OverflowError(f"{run.kernel.name}: an index of {size:g}")
        return f(a, b)

    return value


def _shift(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def value(run: Any, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        if np.any((b < 0) | (b >= 8 * v.dtype.itemsize)):
            raise ArithmeticError(f"{run.kernel.name}: {v.dtype} shifted by {_some(b)}")
        return f(a, b)

    return value


def _some(x: Any) -> Any:
    return np.asarray(x).reshape(-1)[0]


def _quotient(run: Any, v: Any) -> Any:
    a, b = (np.asarray(run.of(x)) for x in v.args)
    lowest = np.iinfo(v.dtype).min
    if np.any(b == 0) or (lowest and np.any((a == lowest) & (b == -1))):
        raise ArithmeticError(f"{run.kernel.name}: {v.dtype} divided by 0, or the lowest by -1")
    q = a // b
    # Towards zero: a rest means that a negative quotient was rounded away from it.
    return (q + ((q * b != a) & ((a < 0) != (b < 0)))).astype(v.dtype)[()]


def _index_quotient(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def value(run: Any, v: Any) -> Any:
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


def _extreme(f: Callable[..., Any], of_whole: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def value(run: Any, v: Any) -> Any:
        a, b = (run.of(x) for x in v.args)
        return f(a, b) if v.dtype.kind == "f" else of_whole(a, b)

    return value


def _cast(run: Any, v: Any) -> Any:
    x = np.asarray(run.of(v.args[0]))
    if x.dtype.kind == "f" and v.dtype.kind in "iu":
        step = INT32 if v.dtype.itemsize < 4 else INT64 if v.dtype == np.uint32 else v.dtype
        x = x.astype(step)
    return x.astype(v.dtype)[()]


def _view(run: Any, v: Any) -> Any:
    return np.asarray(run.of(v.args[0])).view(v.dtype)[()]


def _splat(run: Any, v: Any) -> Any:
    x = np.asarray(run.of(v.args[0]))[..., None]
    return np.broadcast_to(x, (*x.shape[:-1], v.width))


def _lane(run: Any, v: Any) -> Any:
    return run.of(v.args[0])[..., v.data]


def _with_lane(run: Any, v: Any) -> Any:
    vector, x = (np.asarray(run.of(a)) for a in v.args)
    shape = (*np.broadcast_shapes(vector.shape[:-1], x.shape), v.width)
    vector = np.broadcast_to(vector, shape).copy()
    vector[..., v.data] = x
    return vector


def _horizontal(run: Any, v: Any) -> Any:
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


def _fma(run: Any, v: Any) -> Any:
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


def _element(run: Any, v: Any) -> Any:
    base, i = (run.of(a) for a in v.args)
    return base.moved(i * v.dtype.itemsize)


def _gather(run: Any, v: Any) -> Any:
    base, i = (run.of(a) for a in v.args)
    return run.load(base.moved(i * v.dtype.itemsize), v.dtype)


def _where(run: Any, v: Any) -> Any:
    condition, a, b = (run.of(x) for x in v.args)
    if isinstance(v, Pointer):
        return a if condition else b
    return np.where(condition, a, b)[()]


def _fetch_add(run: Any, v: Any) -> Any:
    place, n = (run.of(a) for a in v.args)
    before = run.load(place, INT64)
    run.store(place, before + n, INT64, 1)
    return before


def _call(run: Any, v: Any) -> Any:
    inner = type(run)(v.data, [run.of(a) for a in v.args])
    if v.data.inline:
        inner.later, inner.seen = run.later, run.seen
    return inner.result()


@cache
def constants(table: Any) -> Memory:
    return Memory(table.array, label=table.name)


VALUES: dict[str, Callable[[Any, Any], Any]] = {
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


def _store(run: Any, s: Statement) -> None:
    p, x = s.args
    run.store(run.of(p), run.of(x), x.dtype, x.width)


def _set(run: Any, s: Statement) -> None:
    run.variables[s.data] = run.of(s.args[0])


def _zero(run: Any, s: Statement) -> None:
    place, n = (run.of(a) for a in s.args)
    span = place.memory.span(place.offset, n, "zeroes")
    place.memory.bytes[span] = 0
    place.memory.mark(span)


def _copy(run: Any, s: Statement) -> None:
    to, source, n = (run.of(a) for a in s.args)
    read = source.memory.span(source.offset, n, "copies from")
    span = to.memory.span(to.offset, n, "copies to")
    if source.memory.written is not None and not source.memory.written[read].all():
        raise NotWritten(f"{source.memory.label} copies what was not written")
    to.memory.bytes[span] = source.memory.bytes[read]
    to.memory.mark(span)


def _when(run: Any, s: Statement) -> None:
    run.block(s.blocks[0] if run.of(s.args[0]) else s.blocks[1])


def _repeat(run: Any, s: Statement) -> None:
    while not run.block(s.blocks[0]):
        pass


def _call_address(run: Any, s: Statement) -> None:
    function, *args = (run.of(a) for a in s.args)
    function.memory(*args)


STATEMENTS: dict[str, Callable[[Any, Any], Any]] = {
    "store": _store,
    "set": _set,
    "zero": _zero,
    "copy": _copy,
    "loop": lambda run, s: run.loop(s),
    "when": _when,
    "repeat": _repeat,
    "call": _call,
    "call_address": _call_address,
    "pause": lambda run, s: None,
    "note": lambda run, s: None,
}
