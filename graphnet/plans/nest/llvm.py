"""Kernels as LLVM's text: one table of instructions, and a module that holds functions, tables and declarations.

    module = Module()
    module.add(kernel, export="run")
    module.text()

The text depends on nothing but the kernels and the order in which they were added: it is what compiled code is kept
under. Writing it needs no LLVM. Every result is defined for every operand (no poison), because a choice computes both
of its branches.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from graphnet.plans.nest.language import Kernel, Table
from graphnet.plans.nest.values import BOOL, INT32, INT64, Node, Pointer, Statement, Value

#: alignment of arrays in a function's own memory, and of tables
ALIGN = 64


def kind(dtype: np.dtype, width: int = 1) -> str:
    """The type of a number in a register, or of `width` of them."""
    if dtype.kind == "f":
        one = "float" if dtype.itemsize == 4 else "double"
    else:
        one = "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"
    return one if width == 1 else f"<{width} x {one}>"


def memory(dtype: np.dtype, width: int = 1) -> str:
    """The type of elements in memory: that in a register, but `i8` for bool."""
    one = "i8" if dtype.kind == "b" else kind(dtype)
    return one if width == 1 else f"<{width} x {one}>"


def literal(x: Any, dtype: np.dtype, width: int = 1) -> str:
    """A constant; a float is written as the bits of the double of the same value."""
    if dtype.kind == "f":
        wide = float(x)
        one = "0x7FF8000000000000" if wide != wide else f"0x{struct.pack('>d', wide).hex().upper()}"
    elif dtype.kind == "b":
        one = "true" if x else "false"
    else:
        one = str(int(x))
    if width == 1:
        return one
    if x == 0 and not (dtype.kind == "f" and np.signbit(x)):
        return "zeroinitializer"
    listed = ", ".join([f"{kind(dtype)} {one}"] * width)
    return f"<{listed}>"


def _type(node: Node) -> str:
    return "ptr" if isinstance(node, Pointer) else kind(node.dtype, node.width)


def _intrinsic(name: str, v: Value) -> str:
    return f"llvm.{name}.{f'v{v.width}' if v.width > 1 else ''}{v.dtype.kind if v.dtype.kind == 'f' else 'i'}" + (
        "1" if v.dtype == BOOL else str(8 * v.dtype.itemsize)
    )


# The table: how each instruction is written. Those of two operands, by the kind of their dtype.

_WHOLE = {"add": "add", "sub": "sub", "mul": "mul", "shl": "shl", "and": "and", "or": "or", "xor": "xor"}
_BINARY = {
    "f": {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"},
    "i": {**_WHOLE, "shr": "ashr", "quotient": "sdiv", "index_div": "udiv", "index_rem": "urem"},
    "u": {**_WHOLE, "shr": "lshr", "quotient": "udiv"},
    "b": {"and": "and", "or": "or", "xor": "xor"},
}
_FUNCTIONS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "abs": "fabs"}
_FUNCTIONS |= {"multiply_add": "fmuladd", "fma": "fma"}
_EXTREMES = {"max": "maximum", "min": "minimum"}


class _Writer:
    """The lines of one function."""

    def __init__(self, module: Module, kernel: Kernel):
        self.module, self.kernel = module, kernel
        self.lines: list[str] = []
        self.labels = 0
        self.leaving: list[tuple[str, int]] = []

    def text(self, name: str, head: str, attributes: str) -> str:
        """The definition."""
        kernel = self.kernel
        listed = [
            f"{_type(a)}{' noalias' if alias else ''} %v{a.number}"
            for a, alias in zip(kernel.arguments, kernel.noalias, strict=True)
        ]
        for variable in kernel.variables:
            self.lines.append(f"%v{variable.number} = alloca {memory(variable.dtype, variable.width)}")
        for p in kernel.stacks:
            self.lines.append(f"%v{p.number} = alloca [{p.data} x {memory(p.dtype)}], align {ALIGN}")
        self.block(kernel.head)
        self.block(kernel.body)
        result = kernel.result
        kind_ = "void" if result is None else _type(result)
        self.lines.append("ret void" if result is None else f"ret {kind_} {self.name(result)}")
        head = f"{head} {kind_} {name}({', '.join(listed)}) {attributes} {{"
        return "\n".join([head, "entry:", *self.lines, "}"])

    def block(self, instructions: list[Any]) -> None:
        for instruction in instructions:
            _TABLE[instruction.op](self, instruction)

    def name(self, v: Any) -> str:
        """An operand."""
        if v.op == "const":
            return literal(v.data, v.dtype, v.width)
        if v.op == "index":
            return self.name(v.args[0])
        if v.op == "table":
            return self.module.table(v.data)
        return f"%v{v.number}"

    def typed(self, v: Any) -> str:
        """An operand with its type."""
        return f"{_type(v)} {self.name(v)}"

    def listed(self, args: Any) -> str:
        return ", ".join([self.typed(a) for a in args])

    def new(self, v: Node, text: str) -> None:
        self.lines.append(f"%v{v.number} = {text}")

    def step(self, v: Node, n: int, text: str) -> str:
        """An instruction on the way to `v`."""
        name = f"%v{v.number}.{n}"
        self.lines.append(f"{name} = {text}")
        return name

    def fresh(self) -> str:
        """The name of what is no value of the kernel."""
        self.labels += 1
        return f"%t{self.labels}"

    def label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def called(self, v: Value, name: str, result: str, args: Any, *, flags: str = "") -> None:
        """A call of an intrinsic, which is declared."""
        self.module.declare(f"declare {result} @{name}({', '.join(_type(a) for a in args)})")
        self.new(v, f"call {flags}{result} @{name}({self.listed(args)})")


def _binary(w: _Writer, v: Value) -> None:
    a, b = v.args
    flags = f" {v.data}" if v.data else ""
    w.new(v, f"{_BINARY[a.dtype.kind][v.op]}{flags} {_type(a)} {w.name(a)}, {w.name(b)}")


def _compare(w: _Writer, v: Value) -> None:
    a, b = v.args
    if a.dtype.kind == "f":
        test = "fcmp " + ("une" if v.op == "ne" else "o" + v.op)
    else:
        test = "icmp " + (v.op if v.op in ("eq", "ne") else ("s" if a.dtype.kind == "i" else "u") + v.op)
    w.new(v, f"{test} {_type(a)} {w.name(a)}, {w.name(b)}")


def _negative(w: _Writer, v: Value) -> None:
    (a,) = v.args
    zero = literal(0, v.dtype, v.width)
    w.new(v, f"fneg {w.typed(a)}" if v.dtype.kind == "f" else f"sub {_type(v)} {zero}, {w.name(a)}")


def _where(w: _Writer, v: Any) -> None:
    w.new(v, f"select {w.listed(v.args)}")


def _function(w: _Writer, v: Value) -> None:
    w.called(v, _intrinsic(_FUNCTIONS[v.op], v), _type(v), v.args)


def _extreme(w: _Writer, v: Value) -> None:
    signs = {"i": f"s{v.op}", "u": f"u{v.op}"}
    w.called(v, _intrinsic(signs.get(v.dtype.kind) or _EXTREMES[v.op], v), _type(v), v.args)


def _horizontal(w: _Writer, v: Value) -> None:
    (a,) = v.args
    floating, sign = a.dtype.kind == "f", "s" if a.dtype.kind == "i" else "u"
    name = {"sum": "fadd" if floating else "add", "any": "or", "all": "and"}.get(v.data, "")
    name = name or (f"f{_EXTREMES[v.data]}" if floating else sign + v.data)
    full = _intrinsic(f"vector.reduce.{name}", a)
    if name != "fadd":
        w.called(v, full, _type(v), v.args)
        return
    w.module.declare(f"declare {_type(v)} @{full}({_type(v)}, {_type(a)})")
    start = literal(-0.0, v.dtype)
    w.new(v, f"call reassoc {_type(v)} @{full}({_type(v)} {start}, {w.typed(a)})")


def _view(w: _Writer, v: Value) -> None:
    (a,) = v.args
    # Integers with and without a sign are one type here.
    w.new(v, f"bitcast {w.typed(a)} to {_type(v)}")


def _cast(w: _Writer, v: Value) -> None:
    (a,) = v.args
    old, new, source, target = a.dtype, v.dtype, w.typed(a), _type(v)
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


def _splat(w: _Writer, v: Value) -> None:
    (a,) = v.args
    one = w.step(v, 1, f"insertelement {_type(v)} poison, {w.typed(a)}, i64 0")
    w.new(v, f"shufflevector {_type(v)} {one}, {_type(v)} poison, <{v.width} x i32> zeroinitializer")


def _lane(w: _Writer, v: Value) -> None:
    w.new(v, f"extractelement {w.typed(v.args[0])}, i64 {v.data}")


def _with_lane(w: _Writer, v: Value) -> None:
    w.new(v, f"insertelement {w.listed(v.args)}, i64 {v.data}")


# Memory.


def _element(w: _Writer, v: Pointer) -> None:
    base, i = v.args
    w.new(v, f"getelementptr inbounds {memory(v.dtype)}, {w.typed(base)}, {w.typed(i)}")


def _bytes(w: _Writer, v: Pointer) -> None:
    w.new(v, f"getelementptr inbounds i8, {w.listed(v.args)}")


def _load(w: _Writer, v: Value) -> None:
    (p,) = v.args
    text = f"load {memory(v.dtype, v.width)}, {w.typed(p)}, align {v.dtype.itemsize}"
    _loaded(w, v, text)


def _loaded(w: _Writer, v: Value, text: str) -> None:
    if v.dtype == BOOL:
        byte = w.step(v, 1, text)
        w.new(v, f"icmp ne {memory(BOOL, v.width)} {byte}, {literal(0, INT32, v.width)}")
    else:
        w.new(v, text)


def _store(w: _Writer, s: Statement) -> None:
    p, x = s.args
    value = w.name(x)
    if x.dtype == BOOL:
        value = w.fresh()
        w.lines.append(f"{value} = zext {w.typed(x)} to {memory(BOOL, x.width)}")
    w.lines.append(f"store {memory(x.dtype, x.width)} {value}, {w.typed(p)}, align {x.dtype.itemsize}")


def _gather(w: _Writer, v: Value) -> None:
    base, i = v.args
    n, one = v.width, memory(v.dtype)
    at = w.step(v, 2, f"getelementptr inbounds {one}, {w.typed(base)}, {w.typed(i)}")
    of, name = memory(v.dtype, n), f"llvm.masked.gather.{_intrinsic('', v).rpartition('.')[2]}.v{n}p0"
    if v.dtype == BOOL:
        name = f"llvm.masked.gather.v{n}i8.v{n}p0"
    w.module.declare(f"declare {of} @{name}(<{n} x ptr>, i32, <{n} x i1>, {of})")
    mask = literal(True, BOOL, n)
    text = f"call {of} @{name}(<{n} x ptr> {at}, i32 {v.dtype.itemsize}, <{n} x i1> {mask}, {of} poison)"
    _loaded(w, v, text)


def _load_pointer(w: _Writer, v: Pointer) -> None:
    base, i = v.args
    at = w.step(v, 1, f"getelementptr inbounds ptr, {w.typed(base)}, {w.typed(i)}")
    w.new(v, f"load ptr, ptr {at}, align 8")


def _get(w: _Writer, v: Value) -> None:
    _loaded(w, v, f"load {memory(v.dtype, v.width)}, ptr %v{v.data.number}")


def _set(w: _Writer, s: Statement) -> None:
    (x,), variable = s.args, s.data
    value = w.name(x)
    if x.dtype == BOOL:
        value = w.fresh()
        w.lines.append(f"{value} = zext {w.typed(x)} to {memory(BOOL, x.width)}")
    w.lines.append(f"store {memory(x.dtype, x.width)} {value}, ptr %v{variable.number}")


def _fetch_add(w: _Writer, v: Value) -> None:
    w.new(v, f"atomicrmw add {w.listed(v.args)} seq_cst, align 8")


def _load_acquire(w: _Writer, v: Value) -> None:
    w.new(v, f"load atomic i64, {w.typed(v.args[0])} acquire, align 8")


def _zero(w: _Writer, s: Statement) -> None:
    p, n = s.args
    w.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    w.lines.append(f"call void @llvm.memset.p0.i64({w.typed(p)}, i8 0, {w.typed(n)}, i1 false)")


def _copy(w: _Writer, s: Statement) -> None:
    w.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    w.lines.append(f"call void @llvm.memcpy.p0.p0.i64({w.listed(s.args)}, i1 false)")


# Blocks and calls.


def _loop(w: _Writer, s: Statement) -> None:
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


def _when(w: _Writer, s: Statement) -> None:
    label = w.label()
    other = "other" if s.blocks[1] else "after"
    w.lines.append(f"br {w.typed(s.args[0])}, label %{label}.then, label %{label}.{other}")
    for name, block in zip(("then", "other"), s.blocks, strict=True):
        if name == "then" or block:
            w.lines.append(f"{label}.{name}:")
            w.block(block)
            w.lines.append(f"br label %{label}.after")
    w.lines.append(f"{label}.after:")


def _repeat(w: _Writer, s: Statement) -> None:
    label = w.label()
    w.lines += [f"br label %{label}.head", f"{label}.head:"]
    w.leaving.append((label, 0))
    w.block(s.blocks[0])
    w.leaving.pop()
    w.lines += [f"br label %{label}.head", f"{label}.after:"]


def _leave(w: _Writer, s: Statement) -> None:
    label, n = w.leaving[-1]
    w.leaving[-1] = label, n + 1
    w.lines += [f"br {w.typed(s.args[0])}, label %{label}.after, label %{label}.{n}", f"{label}.{n}:"]


def _call(w: _Writer, s: Any) -> None:
    name, result = w.module.add(s.data), s.data.result
    text = f"call {'void' if result is None else _type(result)} {name}({w.listed(s.args)})"
    if isinstance(s, Node):
        w.new(s, text)
    else:
        w.lines.append(text)


def _call_address(w: _Writer, s: Statement) -> None:
    function, *args = s.args
    w.lines.append(f"call void {w.name(function)}({w.listed(args)})")


def _pause(w: _Writer, s: Statement) -> None:
    machine = platform.machine().lower()
    x86, arm = ("llvm.x86.sse2.pause", "", ""), ("llvm.aarch64.hint", "i32", "i32 1")
    hint = {"x86_64": x86, "amd64": x86, "aarch64": arm, "arm64": arm}.get(machine)
    if hint is not None:
        w.module.declare(f"declare void @{hint[0]}({hint[1]})")
        w.lines.append(f"call void @{hint[0]}({hint[2]})")


def _nothing(w: _Writer, s: Any) -> None:
    pass


_TABLE: dict[str, Callable[[_Writer, Any], None]] = {
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


class Module:
    """Functions with all that they need, each once."""

    def __init__(self) -> None:
        self._inlined: dict[str, str] = {}
        self._functions: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._needs: dict[str, None] = {}
        self._hints: set[int] = set()
        self._found: dict[Kernel, str] = {}

    def add(self, kernel: Kernel, export: str = "") -> str:
        """The name, such as "@kernel3", of a kernel that the module now has; kernels of the same text are one.

        One with `export` can be found under that name when the module is loaded.
        """
        if export:
            self._functions[f"@{export}"] = _Writer(self, kernel).text(f"@{export}", "define", "nounwind")
            return f"@{export}"
        known = self._found.get(kernel)
        if known is not None:
            return known
        if kernel.inline:
            lowered = kernel.lowered
            if lowered is None:
                lowered = kernel.lowered = _inlined(kernel)
            name = self._found[kernel] = f"@{kernel.name}"
            if self._inlined.get(name, lowered._inlined[name]) != lowered._inlined[name]:
                raise ValueError(f"two functions of one module are called {kernel.name}")
            self._inlined.update(lowered._inlined)
            self._needs.update(lowered._needs)
            return name
        text = _Writer(self, kernel).text("NAME", "define internal", "noinline nounwind")
        name = self._names.get(text, "")
        if not name:
            name = self._names[text] = f"@kernel{len(self._names)}"
            self._functions[name] = text.replace(" NAME(", f" {name}(", 1)
        self._found[kernel] = name
        return name

    def declare(self, line: str) -> None:
        """A declaration, or a definition of constants, as it stands in a module."""
        self._needs[line] = None

    def table(self, table: Table) -> str:
        """The name of a table, which is defined."""
        self.declare(_constants(table))
        return f"@table.{table.name}"

    def hint(self, interleave: int) -> int:
        """The number of the metadata for loops of which so many vectors are to be computed side by side."""
        self._hints.add(interleave)
        return 2 * interleave

    def text(self) -> str:
        """The whole module."""
        hints = []
        for n in sorted(self._hints):
            hints.append(f"!{2 * n} = distinct !{{!{2 * n}, !{2 * n + 1}}}")
            hints.append(f'!{2 * n + 1} = !{{!"llvm.loop.interleave.count", i32 {n}}}')
        inlined = [self._inlined[name] for name in sorted(self._inlined)]
        return "\n".join([*sorted(self._needs), *inlined, *self._functions.values(), *hints]) + "\n"


def _inlined(kernel: Kernel) -> Module:
    """A function that is inlined, with all it calls."""
    own = Module()
    text = _Writer(own, kernel).text(f"@{kernel.name}", "define internal", "alwaysinline nounwind")
    own._inlined[f"@{kernel.name}"] = text
    return own


@cache
def _constants(table: Table) -> str:
    """The definition of a table: the bits of all numbers are taken at once."""
    array, one = table.array.reshape(-1), memory(table.array.dtype)
    if array.dtype.kind == "f":
        bits = array.astype(np.float64).view(np.uint64).tolist()
        listed = ", ".join([f"{one} 0x{entry:016X}" for entry in bits])
    else:
        listed = ", ".join([f"{one} {int(entry)}" for entry in array.tolist()])
    return f"@table.{table.name} = private unnamed_addr constant [{array.size} x {one}] [{listed}], align {ALIGN}"
