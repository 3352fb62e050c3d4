"""A graph as native code: fused kernels and products in one function, with Python only for what has neither.

The steps of `fusion` become kernels in the loop language. Runs of them are called by one exported kernel, which finds
all arrays through a table of addresses: the arena of buffers, constants, and for what is known at the call only
(arguments, parameters, outputs) the array objects, whose data pointer it reads itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable
from functools import cache
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import Parameter, Tensor, made_by
from graphnet.ops.planned import GEMM
from graphnet.plans import blas
from graphnet.plans.code import compiler, numpy_lines, thread_pool
from graphnet.plans.code.function import Code
from graphnet.plans.kernels import gemv, windows
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.kernels.group import Writer
from graphnet.plans.kernels.pointwise import fusible, inlined
from graphnet.plans.kernels.products import call, product
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.llvm import Module
from graphnet.plans.nest.values import INT64, UINT8, Pointer, Value, where
from graphnet.plans.order.arena import Life
from graphnet.plans.order.fusion import Group, Single, Step
from graphnet.plans.rewrite import share as shared_nodes
from graphnet.plans.rewrite.decompose import expanded
from graphnet.plans.rewrite.gemm import riding

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


class Exported:
    """A kernel that is called from Python: with the address of the table, and more arguments."""

    def __init__(self, name: str, prototype: Any):
        self.name, self.prototype = name, prototype
        self.kernel = Kernel(name)
        self.table = self.kernel.pointer(INT64, "table", noalias=False)
        #: the memory of the keys that were asked for
        self.pointers: dict[Hashable, Pointer] = {}


class NativeCode(Code):
    """Code whose `ir` is compiled by LLVM; arguments and parameters must lie in memory in C order."""

    kind = "native"

    def __init__(self, graph: Graph, apart: bool = False):
        self.blas = blas.found()
        self.module = Module()
        self.slots: dict[Hashable, int] = {("arena", 0): 0}
        self.exports: list[Exported] = []
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
        self.kernels: list[KernelCall | None] = [self._kernel(place, step) for place, step in enumerate(self.steps)]

    def _kernel(self, place: int, step: Step) -> KernelCall | None:
        def scratch(nbytes: int) -> Hashable:
            key = ("scratch", len(self.lives))
            self.lives[key] = Life(key, nbytes, place, place, "a row")
            return key

        if isinstance(step, Group):
            writer = Writer(step, self.places, self.stored, self.key, scratch, self.names, numpy_lines.comment)
            kernel = writer.written(shared=writer.nanoseconds() >= SHARED_TIME)
        elif windows.known(step.node, self.places):
            step.kernel = True
            listed = f"    {self._called(step.node)}{numpy_lines.comment(step.node)}"
            kernel = windows.kernel(step.node, self.places, self.key, scratch, listed)
        else:
            return None
        for t in kernel.partial:
            key = ("partial", t)
            self.lives[key] = Life(key, t.nbytes * (thread_pool.CHUNKS - 1), place, place, self.names[t])
        return kernel

    # One function for several steps.

    def _begin(self) -> None:
        self.run = Exported(f"run{len(self.exports)}", ctypes.CFUNCTYPE(None, ctypes.c_void_p))

    def _pointer(self, key: Hashable) -> Pointer:
        """The memory of a key, in the run that is being written."""
        if key not in self.run.pointers:
            with self.run.kernel.entry():
                self.run.pointers[key] = self._found(self.run, key)
        return self.run.pointers[key]

    def _found(self, into: Exported, key: Hashable) -> Pointer:
        """The memory of a key, found where the kernel is at this point."""
        if key in self.arena.offset:
            return into.table.pointer(0, UINT8).bytes(self.arena.offset[key], UINT8)
        slot = self.slots.setdefault(key, len(self.slots))
        found = into.table.pointer(slot, UINT8)
        return found if self._is_address(key) else found.bytes(data_offset(), UINT8).pointer(0, UINT8)

    def _is_address(self, key: Hashable) -> bool:
        """Whether the table has the address itself, and not that of the array object."""
        if isinstance(key, Tensor):
            return key not in self.given and not isinstance(key, Parameter)
        return isinstance(key, tuple) and key[0] != "output"

    def write_step(self, place: int, step: Step) -> None:
        call = self.kernels[place]
        if call is not None:
            for kernel, keys in call.before:
                self._mark(place)
                self.run.kernel.call(kernel, *map(self._pointer, keys))
        if call is not None and call.length:
            self.flush()
            self._shared_call(place, call)
        elif call is not None:
            self._mark(place)
            self.run.kernel.call(call.kernel, *map(self._pointer, (*call.keys, *call.rooms)))
        elif isinstance(step, Single) and step.product:
            self._mark(place)
            self._product(step.node)
        else:
            self.flush()
            super().write_step(place, step)

    @property
    def _empty(self) -> bool:
        return not self.run.kernel.body

    def _mark(self, place: int) -> None:
        if self._empty:
            self._starts[place] = self.run.name

    def _product(self, t: Tensor) -> None:
        assert self.blas is not None
        k, p = self.run.kernel, self.products[t]
        a, b = (self._pointer(self.key(m.place.base)) for m in (p.a, p.b))
        a, b = (at.bytes(m.place.offset * p.dtype.itemsize, p.dtype) for at, m in ((a, p.a), (b, p.b)))
        result = self._pointer(self.key(t))
        if made_by(t, ops.matmul) and gemv.fits(p):
            k.call(gemv.row(p), result, a, b)
            return
        scales: list[Value] = [k.const(1, p.dtype), k.const(0, p.dtype)]
        if made_by(t, GEMM):
            old = self._pointer(self.key(t.inputs[0]))
            if old is not result:
                k.copy(result, old, t.nbytes)
            scales = [self._number(i) for i in t.inputs[3:]]
        functions = [self._pointer(("blas", kind, p.dtype.name)) for kind in ("gemm", "gemv")]
        call(k, p, (a, b, result), functions, self.blas.integer, scales)

    def _number(self, t: Tensor) -> Value:
        """A value without axes, in the run that is being written."""
        known = inlined(t)
        if known is not None:
            return self.run.kernel.const(known, t.dtype)
        place = self.places[t]
        return self._pointer(self.key(place.base)).bytes(place.offset * t.dtype.itemsize, t.dtype).load()

    def write_copies(self, copies: list[tuple[Parameter, Tensor]]) -> None:
        for p, t in copies:
            self._mark(len(self.steps))
            self.run.kernel.copy(self._pointer(p), self._pointer(self.key(t)), t.nbytes)

    def flush(self) -> None:
        if self._empty:
            return
        name = self._export(self.run)
        first = next((place for place, start in self._starts.items() if start == name), len(self.steps))
        self.mark(first)
        self.say(f"k_{name}(k_address)")
        self._begin()

    def _export(self, exported: Exported) -> str:
        self.exports.append(exported)
        self.module.add(exported.kernel, export=exported.name)
        return exported.name

    def _shared_call(self, place: int, call: KernelCall) -> None:
        """A kernel whose first loop is done in chunks, each with memory of its own for what is added up."""
        part = Exported(f"part{len(self.exports)}", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p))
        self._starts.setdefault(place, part.name)
        k, state = part.kernel, part.kernel.pointer(INT64, "state", noalias=False)
        with thread_pool.chunks_of(k, state, call.length) as (chunk, start, stop):
            pointers = {key: self._found(part, key) for key in call.keys}
            for t in call.partial:
                own = self._found(part, ("partial", t)).bytes((chunk - 1) * t.nbytes, UINT8)
                pointers[self.key(t)] = where(chunk == 0, pointers[self.key(t)], own)
            for key, nbytes in call.rooms.items():
                pointers[key] = self._found(part, key).bytes(chunk * nbytes, UINT8)
            k.call(call.kernel, start, stop, *pointers.values())
        name = self._export(part)
        counts = (ctypes.c_int64 * 2)()
        state_name = f"k_state{len(self.exports)}"
        self.scope.update(
            {"k_share": thread_pool.share, state_name: counts, f"{state_name}_address": ctypes.addressof(counts)}
        )
        self.mark(place)
        ends = f"{state_name}_address, {state_name}, {call.length}, k_code"
        self.say(f"k_share(k_{name}, k_crew_wait, k_address, {ends})")
        self._begin()
        others = min(thread_pool.CHUNKS, call.length) - 1
        for t, joining in call.partial.items():
            ends_at = self._pointer(self.key(t)), self._pointer(("partial", t))
            self.run.kernel.call(joining, self.run.kernel.index(others), *ends_at)

    # The table of addresses, and the text.

    def setup(self) -> list[str]:
        if any(e.name.startswith("part") for e in self.exports):
            wait = Exported("crew_wait", ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64))
            wait.kernel = thread_pool.waiting()
            self._export(wait)
        self.ir = self.module.text()
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
        if made_by(t, GEMM):
            c, a, b, alpha, beta = names
            return f"{c} = {beta} * {c} + {alpha} * ({a} @ {b})"
        return f"{self.names[t]} = {names[0]} @ {names[1]}"

    def functions(self) -> dict[str, Any]:
        if not self.exports:
            return {}
        self.native = compiler.compile_ir(self.ir, [e.name for e in self.exports])
        return {f"k_{e.name}": e.prototype(self.native.address[e.name]) for e in self.exports}
