"""How each instruction of the loop language is written in LLVM's text: one table."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.plans.nest.llvm_types import intrinsic, kind, literal, memory, type_of
from graphnet.plans.nest.values import BOOL, INT32, INT64, Node, Pointer, Statement, Value

_WHOLE = {"add": "add", "sub": "sub", "mul": "mul", "shl": "shl", "and": "and", "or": "or", "xor": "xor"}
#: how instructions of two operands are written, by the kind of their dtype
_BINARY = {
    "f": {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"},
    "i": {**_WHOLE, "shr": "ashr", "quotient": "sdiv", "index_div": "udiv", "index_rem": "urem"},
    "u": {**_WHOLE, "shr": "lshr", "quotient": "udiv"},
    "b": {"and": "and", "or": "or", "xor": "xor"},
}
_FUNCTIONS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "abs": "fabs"}
_FUNCTIONS |= {"multiply_add": "fmuladd", "fma": "fma"}
_EXTREMES = {"max": "maximum", "min": "minimum"}


def _binary(w: Any, v: Value) -> None:
    a, b = v.args
    flags = f" {v.data}" if v.data else ""
    w.new(v, f"{_BINARY[a.dtype.kind][v.op]}{flags} {type_of(a)} {w.name(a)}, {w.name(b)}")


def _compare(w: Any, v: Value) -> None:
    a, b = v.args
    if a.dtype.kind == "f":
        test = "fcmp " + ("une" if v.op == "ne" else "o" + v.op)
    else:
        test = "icmp " + (v.op if v.op in ("eq", "ne") else ("s" if a.dtype.kind == "i" else "u") + v.op)
    w.new(v, f"{test} {type_of(a)} {w.name(a)}, {w.name(b)}")


def _negative(w: Any, v: Value) -> None:
    (a,) = v.args
    zero = literal(0, v.dtype, v.width)
    w.new(v, f"fneg {w.typed(a)}" if v.dtype.kind == "f" else f"sub {type_of(v)} {zero}, {w.name(a)}")


def _where(w: Any, v: Any) -> None:
    w.new(v, f"select {w.listed(v.args)}")


def _function(w: Any, v: Value) -> None:
    w.called(v, intrinsic(_FUNCTIONS[v.op], v), type_of(v), v.args)


def _extreme(w: Any, v: Value) -> None:
    signs = {"i": f"s{v.op}", "u": f"u{v.op}"}
    w.called(v, intrinsic(signs.get(v.dtype.kind) or _EXTREMES[v.op], v), type_of(v), v.args)


def _horizontal(w: Any, v: Value) -> None:
    (a,) = v.args
    floating, sign = a.dtype.kind == "f", "s" if a.dtype.kind == "i" else "u"
    name = {"sum": "fadd" if floating else "add", "any": "or", "all": "and"}.get(v.data, "")
    name = name or (f"f{_EXTREMES[v.data]}" if floating else sign + v.data)
    full = intrinsic(f"vector.reduce.{name}", a)
    if name != "fadd":
        w.called(v, full, type_of(v), v.args)
        return
    w.module.declare(f"declare {type_of(v)} @{full}({type_of(v)}, {type_of(a)})")
    start = literal(-0.0, v.dtype)
    w.new(v, f"call reassoc {type_of(v)} @{full}({type_of(v)} {start}, {w.typed(a)})")


def _view(w: Any, v: Value) -> None:
    (a,) = v.args
    # Integers with and without a sign are one type here.
    w.new(v, f"bitcast {w.typed(a)} to {type_of(v)}")


def _cast(w: Any, v: Value) -> None:
    (a,) = v.args
    old, new, source, target = a.dtype, v.dtype, w.typed(a), type_of(v)
    if old.kind == new.kind == "f":
        w.new(v, f"{'fpext' if new.itemsize > old.itemsize else 'fptrunc'} {source} to {target}")
    elif new.kind == "f":
        w.new(v, f"{'sitofp' if old.kind == 'i' else 'uitofp'} {source} to {target}")
    elif old.kind == "f":
        # Through a signed integer that holds all of a narrow type, as compiled C does, so that -1.0 becomes 255.
        step = INT32 if new.itemsize < 4 else INT64 if new == np.uint32 else new
        wide = kind(step, v.width)
        name = "fptoui" if step.kind == "u" else "fptosi"
        whole = w.step(v, 1, f"{name} {source} to {wide}")
        if step.itemsize == new.itemsize:
            w.new(v, f"freeze {wide} {whole}")
        else:
            held = w.step(v, 2, f"freeze {wide} {whole}")
            w.new(v, f"trunc {wide} {held} to {target}")
    elif old.kind == "b" or new.itemsize > old.itemsize:
        w.new(v, f"{'sext' if old.kind == 'i' else 'zext'} {source} to {target}")
    elif new.itemsize < old.itemsize:
        w.new(v, f"trunc {source} to {target}")
    else:
        w.new(v, f"bitcast {source} to {target}")


def _splat(w: Any, v: Value) -> None:
    (a,) = v.args
    one = w.step(v, 1, f"insertelement {type_of(v)} poison, {w.typed(a)}, i64 0")
    w.new(v, f"shufflevector {type_of(v)} {one}, {type_of(v)} poison, <{v.width} x i32> zeroinitializer")


def _lane(w: Any, v: Value) -> None:
    w.new(v, f"extractelement {w.typed(v.args[0])}, i64 {v.data}")


def _with_lane(w: Any, v: Value) -> None:
    w.new(v, f"insertelement {w.listed(v.args)}, i64 {v.data}")


def _element(w: Any, v: Pointer) -> None:
    base, i = v.args
    w.new(v, f"getelementptr inbounds {memory(v.dtype)}, {w.typed(base)}, {w.typed(i)}")


def _bytes(w: Any, v: Pointer) -> None:
    w.new(v, f"getelementptr inbounds i8, {w.listed(v.args)}")


def _load(w: Any, v: Value) -> None:
    (p,) = v.args
    text = f"load {memory(v.dtype, v.width)}, {w.typed(p)}, align {v.dtype.itemsize}"
    _loaded(w, v, text)


def _loaded(w: Any, v: Value, text: str) -> None:
    if v.dtype == BOOL:
        byte = w.step(v, 1, text)
        w.new(v, f"icmp ne {memory(BOOL, v.width)} {byte}, {literal(0, INT32, v.width)}")
    else:
        w.new(v, text)


def _store(w: Any, s: Statement) -> None:
    p, x = s.args
    value = w.name(x)
    if x.dtype == BOOL:
        value = w.fresh()
        w.lines.append(f"{value} = zext {w.typed(x)} to {memory(BOOL, x.width)}")
    w.lines.append(f"store {memory(x.dtype, x.width)} {value}, {w.typed(p)}, align {x.dtype.itemsize}")


def _gather(w: Any, v: Value) -> None:
    base, i = v.args
    n, one = v.width, memory(v.dtype)
    at = w.step(v, 2, f"getelementptr inbounds {one}, {w.typed(base)}, {w.typed(i)}")
    of, name = memory(v.dtype, n), f"llvm.masked.gather.{intrinsic('', v).rpartition('.')[2]}.v{n}p0"
    if v.dtype == BOOL:
        name = f"llvm.masked.gather.v{n}i8.v{n}p0"
    w.module.declare(f"declare {of} @{name}(<{n} x ptr>, i32, <{n} x i1>, {of})")
    mask = literal(True, BOOL, n)
    text = f"call {of} @{name}(<{n} x ptr> {at}, i32 {v.dtype.itemsize}, <{n} x i1> {mask}, {of} poison)"
    _loaded(w, v, text)


def _load_pointer(w: Any, v: Pointer) -> None:
    base, i = v.args
    at = w.step(v, 1, f"getelementptr inbounds ptr, {w.typed(base)}, {w.typed(i)}")
    w.new(v, f"load ptr, ptr {at}, align 8")


def _get(w: Any, v: Value) -> None:
    _loaded(w, v, f"load {memory(v.dtype, v.width)}, ptr %v{v.data.number}")


def _set(w: Any, s: Statement) -> None:
    (x,), variable = s.args, s.data
    value = w.name(x)
    if x.dtype == BOOL:
        value = w.fresh()
        w.lines.append(f"{value} = zext {w.typed(x)} to {memory(BOOL, x.width)}")
    w.lines.append(f"store {memory(x.dtype, x.width)} {value}, ptr %v{variable.number}")


def _fetch_add(w: Any, v: Value) -> None:
    w.new(v, f"atomicrmw add {w.listed(v.args)} seq_cst, align 8")


def _load_acquire(w: Any, v: Value) -> None:
    w.new(v, f"load atomic i64, {w.typed(v.args[0])} acquire, align 8")


def _zero(w: Any, s: Statement) -> None:
    p, n = s.args
    w.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    w.lines.append(f"call void @llvm.memset.p0.i64({w.typed(p)}, i8 0, {w.typed(n)}, i1 false)")


def _copy(w: Any, s: Statement) -> None:
    w.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    w.lines.append(f"call void @llvm.memcpy.p0.p0.i64({w.listed(s.args)}, i1 false)")


def _loop(w: Any, s: Statement) -> None:
    counter, start, stop = s.args
    step, interleave = s.data
    n, label, i = counter.number, w.label(), f"%v{counter.number}"
    known = start.op == stop.op == "const"
    if not known:
        w.lines.append(f"%v{n}.some = icmp slt {w.typed(start)}, {w.name(stop)}")
        w.lines.append(f"br i1 %v{n}.some, label %{label}.before, label %{label}.after")
    elif start.data < stop.data:
        w.lines.append(f"br label %{label}.before")
    else:
        return
    w.lines += [f"{label}.before:", f"br label %{label}.head", f"{label}.head:"]
    w.lines.append(f"{i} = phi i64 [{w.name(start)}, %{label}.before], [{i}.next, %{label}.tail]")
    w.block(s.blocks[0])
    w.lines += [f"br label %{label}.tail", f"{label}.tail:", f"{i}.next = add nuw nsw i64 {i}, {step}"]
    hint = f", !llvm.loop !{w.module.hint(interleave)}" if interleave else ""
    if step == 1:
        w.lines.append(f"{i}.done = icmp eq i64 {i}.next, {w.name(stop)}")
    else:
        w.lines.append(f"{i}.done = icmp sge i64 {i}.next, {w.name(stop)}")
    w.lines += [f"br i1 {i}.done, label %{label}.after, label %{label}.head{hint}", f"{label}.after:"]


def _when(w: Any, s: Statement) -> None:
    label = w.label()
    other = "other" if s.blocks[1] else "after"
    w.lines.append(f"br {w.typed(s.args[0])}, label %{label}.then, label %{label}.{other}")
    for name, block in zip(("then", "other"), s.blocks, strict=True):
        if name == "then" or block:
            w.lines.append(f"{label}.{name}:")
            w.block(block)
            w.lines.append(f"br label %{label}.after")
    w.lines.append(f"{label}.after:")


def _repeat(w: Any, s: Statement) -> None:
    label = w.label()
    w.lines += [f"br label %{label}.head", f"{label}.head:"]
    w.leaving.append((label, 0))
    w.block(s.blocks[0])
    w.leaving.pop()
    w.lines += [f"br label %{label}.head", f"{label}.after:"]


def _leave(w: Any, s: Statement) -> None:
    label, n = w.leaving[-1]
    w.leaving[-1] = label, n + 1
    w.lines += [f"br {w.typed(s.args[0])}, label %{label}.after, label %{label}.{n}", f"{label}.{n}:"]


def _call(w: Any, s: Any) -> None:
    name, result = w.module.add(s.data), s.data.result
    text = f"call {'void' if result is None else type_of(result)} {name}({w.listed(s.args)})"
    if isinstance(s, Node):
        w.new(s, text)
    else:
        w.lines.append(text)


def _call_address(w: Any, s: Statement) -> None:
    function, *args = s.args
    w.lines.append(f"call void {w.name(function)}({w.listed(args)})")


def _pause(w: Any, s: Statement) -> None:
    machine = platform.machine().lower()
    x86, arm = ("llvm.x86.sse2.pause", "", ""), ("llvm.aarch64.hint", "i32", "i32 1")
    hint = {"x86_64": x86, "amd64": x86, "aarch64": arm, "arm64": arm}.get(machine)
    if hint is not None:
        w.module.declare(f"declare void @{hint[0]}({hint[1]})")
        w.lines.append(f"call void @{hint[0]}({hint[2]})")


def _nothing(w: Any, s: Any) -> None:
    pass


LOWERINGS: dict[str, Callable[[Any, Any], None]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "and", "or", "xor", "shl", "shr", "quotient"), _binary),
    **dict.fromkeys(("index_div", "index_rem"), _binary),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _compare),
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(_EXTREMES, _extreme),
    **dict.fromkeys(("index", "note"), _nothing),
    "neg": _negative,
    "where": _where,
    "horizontal": _horizontal,
    "view": _view,
    "cast": _cast,
    "splat": _splat,
    "lane": _lane,
    "with_lane": _with_lane,
    "element": _element,
    "bytes": _bytes,
    "load": _load,
    "store": _store,
    "gather": _gather,
    "load_pointer": _load_pointer,
    "get": _get,
    "set": _set,
    "fetch_add": _fetch_add,
    "load_acquire": _load_acquire,
    "zero": _zero,
    "copy": _copy,
    "loop": _loop,
    "when": _when,
    "repeat": _repeat,
    "leave": _leave,
    "call": _call,
    "call_address": _call_address,
    "pause": _pause,
}
