"""A graph as native code: fused kernels and products in one function, with Python only for what has neither.

The steps of `fusion` become functions in LLVM IR. Runs of them are called by one exported function, which finds all
arrays through a table of addresses: the arena of buffers, constants, and for what is known at the call only (arguments,
parameters, outputs) the array objects, whose data pointer it reads itself.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Hashable
from functools import cache
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import Parameter, Tensor
from graphnet.plans import blas
from graphnet.plans.code import compiler, numpy_lines, thread_pool
from graphnet.plans.code.function import Code
from graphnet.plans.ir_loops import metadata
from graphnet.plans.ir_values import literal, memory_type
from graphnet.plans.kernels import gemv, windows
from graphnet.plans.kernels.group import Kernel, Writer
from graphnet.plans.kernels.pointwise import fusible, inlined
from graphnet.plans.kernels.products import call, product
from graphnet.plans.order.arena import Life
from graphnet.plans.order.fusion import Group, Single, Step
from graphnet.plans.rewrite import share as shared_nodes
from graphnet.plans.rewrite.decompose import expanded
from graphnet.plans.rewrite.gemm import riding
from graphnet.plans.scalar_ir import Library

#: loops that take so many nanoseconds are shared by threads: one more thread takes some 40,000 to wake
SHARED_TIME = 200_000


@cache
def data_offset() -> int:
    """Where an array object holds the address of its data, found by looking at one."""
    probe = np.arange(7.0)
    address = probe.__array_interface__["data"][0]
    size = ctypes.sizeof(ctypes.c_void_p)
    for offset in range(0, 16 * size, size):
        if ctypes.c_size_t.from_address(id(probe) + offset).value == address:
            return offset
    raise RuntimeError("the layout of NumPy's arrays is not known here")


class NativeCode(Code):
    """Code whose `ir` is compiled by LLVM; arguments and parameters must lie in memory in C order."""

    kind = "native"

    def __init__(self, graph: Graph, apart: bool = False):
        self.blas = blas.found()
        self.library = Library()
        self.slots: dict[Hashable, int] = {("arena", 0): 0}
        self.kernel_names: dict[str, str] = {}
        self.exports: list[str] = []
        self._functions: list[str] = []
        self._run: list[str] = []
        self._starts: dict[int, str] = {}
        self._begin()
        super().__init__(graph, apart)

    def lowered(self, graph: Graph) -> Graph:
        return shared_nodes(expanded(windows.with_bias(riding(graph, scaled=True) if self.blas is not None else graph)))

    def fuses(self, t: Tensor) -> bool:
        return fusible(t)

    def is_product(self, t: Tensor) -> bool:
        found = product(t, self.places) if self.blas is not None else None
        if found is not None:
            self.products[t] = found
        return found is not None

    def prepare(self) -> None:
        self.kernels: list[Kernel | None] = [self._kernel(place, step) for place, step in enumerate(self.steps)]

    def _kernel(self, place: int, step: Step) -> Kernel | None:
        def scratch(nbytes: int) -> Hashable:
            key = ("scratch", len(self.lives))
            self.lives[key] = Life(key, nbytes, place, place, "a row")
            return key

        if isinstance(step, Group):
            writer = Writer(
                step, self.places, self.stored, self.key, scratch, self.library, self.names, numpy_lines.comment
            )
            kernel = writer.written(shared=writer.nanoseconds() >= SHARED_TIME)
        elif windows.known(step.node, self.places):
            step.kernel = True
            listed = f"    {self._called(step.node)}{numpy_lines.comment(step.node)}"
            kernel = windows.kernel(step.node, self.places, self.key, scratch, self.library, listed)
        else:
            return None
        for t in kernel.partial:
            key = ("partial", t)
            self.lives[key] = Life(key, t.nbytes * (thread_pool.CHUNKS - 1), place, place, self.names[t])
        return kernel

    # One function for several steps.

    def _begin(self) -> None:
        self._head: list[str] = ["%arena = load ptr, ptr %table"]
        self._pointers: dict[Hashable, str] = {}

    def _pointer(self, key: Hashable) -> str:
        """A pointer to the memory of a key, in the function that is being written."""
        if key in self._pointers:
            return self._pointers[key]
        name = f"%p{len(self._pointers)}"
        self._pointers[key] = name
        if key in self.arena.offset:
            self._head.append(f"{name} = getelementptr i8, ptr %arena, i64 {self.arena.offset[key]}")
            return name
        slot = self.slots.setdefault(key, len(self.slots))
        self._head.append(f"{name}.slot = getelementptr ptr, ptr %table, i64 {slot}")
        if self._is_address(key):
            self._head.append(f"{name} = load ptr, ptr {name}.slot")
        else:
            self._head.append(f"{name}.object = load ptr, ptr {name}.slot")
            self._head.append(f"{name}.data = getelementptr i8, ptr {name}.object, i64 {data_offset()}")
            self._head.append(f"{name} = load ptr, ptr {name}.data")
        return name

    def _is_address(self, key: Hashable) -> bool:
        """Whether the table has the address itself, and not that of the array object."""
        if isinstance(key, Tensor):
            return key not in self.given and not isinstance(key, Parameter)
        return isinstance(key, tuple) and key[0] != "output"

    def write_step(self, place: int, step: Step) -> None:
        kernel = self.kernels[place]
        for text, keys in kernel.before if kernel is not None else ():
            self._mark(place)
            listed = ", ".join(f"ptr {self._pointer(key)}" for key in keys)
            self._run.append(f"call void {self._named(text)}({listed})")
        if kernel is not None and kernel.length:
            self.flush()
            self._shared_call(place, kernel)
        elif kernel is not None:
            self._mark(place)
            listed = ", ".join(f"ptr {self._pointer(key)}" for key in (*kernel.keys, *kernel.rooms))
            self._run.append(f"call void {self._named(kernel.text)}({listed})")
        elif isinstance(step, Single) and step.product:
            self._mark(place)
            self._product(step.node)
        else:
            self.flush()
            super().write_step(place, step)

    def _mark(self, place: int) -> None:
        if not self._run:
            self._starts[place] = f"run{len(self.exports)}"

    def _named(self, text: str) -> str:
        """The function of a text: kernels with the same text are one."""
        return self.kernel_names.setdefault(text, f"@kernel{len(self.kernel_names)}")

    def _product(self, t: Tensor) -> None:
        assert self.blas is not None
        p = self.products[t]
        pointers = []
        for place in (p.a.place, p.b.place):
            pointer = self._pointer(self.key(place.base))
            if place.offset:
                moved = f"%m{len(self._run)}"
                self._run.append(f"{moved} = getelementptr {memory_type(p.dtype)}, ptr {pointer}, i64 {place.offset}")
                pointer = moved
            pointers.append(pointer)
        result = self._pointer(self.key(t))
        pointers.append(result)
        scales = ["1.0", "0.0"]
        if t.op is not None and t.op.name == "matmul" and gemv.fits(p):
            ends = ", ".join(f"ptr {pointer}" for pointer in (result, *pointers[:2]))
            self._run.append(f"call void {self._named(windows.as_text(gemv.row(p), self.library))}({ends})")
            return
        if t.op is not None and t.op.name == "gemm":
            old = self._pointer(self.key(t.inputs[0]))
            if old != result:
                self._copy(result, old, t.nbytes)
            scales = [self._number(i) for i in t.inputs[3:]]
        functions = [self._pointer(("blas", kind, p.dtype.name)) for kind in ("gemm", "gemv")]
        self._run.append(call(p, pointers, functions, self.blas.integer, scales))

    def _number(self, t: Tensor) -> str:
        """A value without axes, in the function that is being written."""
        known = inlined(t)
        if known is not None:
            return literal(known, t.dtype).text
        name = f"%n{len(self._run)}"
        self._run.append(f"{name} = load {memory_type(t.dtype)}, ptr {self._pointer(self.key(self.places[t].base))}")
        return name

    def _copy(self, into: str, source: str, nbytes: int) -> None:
        self._run.append(f"call void @llvm.memcpy.p0.p0.i64(ptr {into}, ptr {source}, i64 {nbytes}, i1 false)")

    def write_copies(self, copies: list[tuple[Parameter, Tensor]]) -> None:
        for p, t in copies:
            self._mark(len(self.steps))
            self._copy(self._pointer(p), self._pointer(self.key(t)), t.nbytes)

    def flush(self) -> None:
        if not self._run:
            return
        name = f"run{len(self.exports)}"
        self.exports.append(name)
        head = f"define void @{name}(ptr %table) nounwind {{"
        self._functions.append("\n".join([head, *self._head, *self._run, "ret void", "}"]))
        first = next((place for place, start in self._starts.items() if start == name), len(self.steps))
        self.mark(first)
        self.say(f"k_{name}(k_address)")
        self._run = []
        self._begin()

    def _shared_call(self, place: int, kernel: Kernel) -> None:
        """A kernel whose first loop is done in chunks, each with memory of its own for what is added up."""
        name = f"part{len(self.exports)}"
        self.exports.append(name)
        self._starts.setdefault(place, name)
        pointers = {key: self._pointer(key) for key in kernel.keys}
        lines = ["%first = icmp eq i64 %chunk, 0", "%other = sub i64 %chunk, 1"]
        for n, t in enumerate(kernel.partial):
            room = self._pointer(("partial", t))
            lines.append(f"%at{n} = mul nsw i64 %other, {t.size}")
            lines.append(f"%own{n} = getelementptr {memory_type(t.dtype)}, ptr {room}, i64 %at{n}")
            lines.append(f"%out{n} = select i1 %first, ptr {pointers[self.key(t)]}, ptr %own{n}")
            pointers[self.key(t)] = f"%out{n}"
        for n, (key, nbytes) in enumerate(kernel.rooms.items()):
            lines.append(f"%room{n}.at = mul nsw i64 %chunk, {nbytes}")
            lines.append(f"%room{n} = getelementptr i8, ptr {self._pointer(key)}, i64 %room{n}.at")
            pointers[key] = f"%room{n}"
        listed = ", ".join(f"ptr {pointer}" for pointer in pointers.values())
        lines.append(f"call void {self._named(kernel.text)}({listed}, i64 %lo, i64 %hi)")
        self._functions.append(thread_pool.loop_text(name, kernel.length, [*self._head, *lines]))
        counts = (ctypes.c_int64 * 2)()
        state = f"k_state{len(self.exports)}"
        self.scope.update({"k_share": thread_pool.share, state: counts, f"{state}_address": ctypes.addressof(counts)})
        self.mark(place)
        self.say(f"k_share(k_{name}, k_crew_wait, k_address, {state}_address, {state}, {kernel.length}, k_code)")
        self._begin()
        for t, text in kernel.partial.items():
            ends = f"ptr {self._pointer(self.key(t))}, ptr {self._pointer(('partial', t))}"
            others = min(thread_pool.CHUNKS, kernel.length) - 1
            self._run.append(f"call void {self._named(text)}({ends}, i64 {others})")

    # The table of addresses, and the text.

    def setup(self) -> list[str]:
        texts = []
        for text, name in self.kernel_names.items():
            texts.append(re.sub(r"define (void )?NAME\(", f"define internal void {name}(", text, count=1))
        self.library.declare_lines(["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"])
        if any(name.startswith("part") for name in self.exports):
            self.exports.append("crew_wait")
            self._functions.append(thread_pool.wait_text())
        self.ir = "\n".join([self.library.text(), *texts, *self._functions, metadata()]) + "\n"
        self.table = (ctypes.c_int64 * len(self.slots))()
        self.table[0] = self.block.__array_interface__["data"][0] + self.start
        self._held: list[np.ndarray] = []
        lines = []
        for key, slot in list(self.slots.items())[1:]:
            if isinstance(key, tuple) and key[0] == "blas":
                assert self.blas is not None
                self.table[slot] = getattr(self.blas, key[1])[np.dtype(key[2])]
            elif isinstance(key, tuple):
                lines.append(f"k_table[{slot}] = id({self.id(key[1])})")
            elif isinstance(key, Tensor) and self._is_address(key):
                value = np.ascontiguousarray(key._value)
                self._held.append(value)
                self.table[slot] = value.__array_interface__["data"][0]
            elif isinstance(key, Tensor):
                lines.append(f"k_table[{slot}] = id({self.id(key)})")
        self.scope.update(k_table=self.table, k_address=ctypes.addressof(self.table))
        return lines

    def listing(self) -> str:
        """What the native functions do, in the words of Python."""
        listed = []
        for place, (step, kernel) in enumerate(zip(self.steps, self.kernels, strict=True)):
            if place in self._starts:
                name = self._starts[place]
                arguments = "table, state" if name.startswith("part") else "table"
                listed.append(f"\n\ndef {name}({arguments}):")
            if kernel is not None:
                listed += kernel.lines
            elif isinstance(step, Single) and step.product:
                listed.append(f"    {self._shown(step.node)}{numpy_lines.comment(step.node)}")
        return "\n".join(listed) + "\n" if listed else ""

    def _called(self, t: Tensor) -> str:
        """A node, as a call of its op."""
        assert t.op is not None
        given = [*(self.names[i] for i in t.inputs), *(f"{k}={v!r}" for k, v in t.attrs.items())]
        return line(f"{self.names[t]} = {t.op.name}({', '.join(given)})")

    def text_of(self, place: int) -> str:
        kernel, step = self.kernels[place], self.steps[place]
        if kernel is not None:
            return "\n".join(text.removeprefix("    ") for text in kernel.lines)
        if isinstance(step, Single) and step.product:
            return self._shown(step.node) + numpy_lines.comment(step.node)
        return super().text_of(place)

    def _shown(self, t: Tensor) -> str:
        """A product, in the words of Python."""
        names = [self.names[i] if inlined(i) is None else repr(inlined(i)) for i in t.inputs]
        if t.op is not None and t.op.name == "gemm":
            c, a, b, alpha, beta = names
            return f"{c} = {beta} * {c} + {alpha} * ({a} @ {b})"
        return f"{self.names[t]} = {names[0]} @ {names[1]}"

    def functions(self) -> dict[str, Any]:
        if not self.exports:
            return {}
        self.module = compiler.compile_ir(self.ir, self.exports)
        found = {}
        for name in self.exports:
            kind: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
            if name.startswith("part"):
                kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
            elif name == "crew_wait":
                kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
            found[f"k_{name}"] = kind(self.module.address[name])
        return found
