"""The lines of a plan as native code: kernels and products in one function, with Python only for what has neither.

Runs of native steps are called by one exported kernel, which finds all arrays through a table of addresses: the arena
of buffers, constants, and for what is known at the call only (arguments, parameters, outputs) the array objects, whose
data pointer it reads itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Sequence

import numpy as np

from graphnet import ops
from graphnet.leaves import Parameter
from graphnet.node import Tensor, made_by
from graphnet.ops.planned import GEMM
from graphnet.plans import blas
from graphnet.plans.code import numpy_lines, thread_pool
from graphnet.plans.code.exported import Exported
from graphnet.plans.code.exports import Native, data_offset
from graphnet.plans.code.python_lines import Block, Copies, PythonLines
from graphnet.plans.code.turns import turning
from graphnet.plans.kernels import gemv
from graphnet.plans.kernels.calls import KernelCall
from graphnet.plans.kernels.products import call
from graphnet.plans.nest.llvm import Module
from graphnet.plans.nest.values import INT64, UINT8, Pointer, Value, where
from graphnet.plans.order.fusion import Single, Step
from graphnet.plans.order.inlining import inlined
from graphnet.plans.order.memory import Memory
from graphnet.plans.order.steps import Order


class NativeLines(PythonLines):
    """Writes most steps into exported kernels; `native()` has these in the end.

    `kernels` has the kernel of each step that is one.
    """

    def __init__(self, order: Order, memory: Memory, block: Block, kernels: Sequence[KernelCall | None]):
        super().__init__(order, memory, block)
        self.kernels = kernels
        self.blas = blas.found()
        self.module = Module()
        self.slots: dict[Hashable, int] = {("arena", 0): 0}
        self.exports: list[Exported] = []
        #: what the arrays of a run are, where it is called again and again
        self.moving: tuple[Hashable, ...] = ()
        self._starts: dict[int, str] = {}
        self._begin()

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
        if key in self.block.arena.offset:
            return into.table.pointer(0, UINT8).bytes(self.block.arena.offset[key], UINT8)
        slot = self.slots.setdefault(key, len(self.slots))
        found = into.table.pointer(slot, UINT8)
        return found if self._is_address(key) else found.bytes(data_offset(), UINT8).pointer(0, UINT8)

    def _is_address(self, key: Hashable) -> bool:
        """Whether the table has the address itself, and not that of the array object."""
        if isinstance(key, Tensor):
            return key not in self.order.given and not isinstance(key, Parameter)
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
            self.run.kernel.call(call.kernel, *map(self._pointer, (*call.keys, *call.scratch)))
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
        k, p = self.run.kernel, self.order.products[t]
        a, b = (self._pointer(self.memory.key(m.view.base)) for m in (p.a, p.b))
        a, b = (at.bytes(m.view.offset * p.dtype.itemsize, p.dtype) for at, m in ((a, p.a), (b, p.b)))
        result = self._pointer(self.memory.key(t))
        if made_by(t, ops.matmul) and gemv.fits(p):
            k.call(gemv.row(p), result, a, b)
            return
        scales: list[Value] = [k.const(1, p.dtype), k.const(0, p.dtype)]
        if made_by(t, GEMM):
            old = self._pointer(self.memory.key(t.inputs[0]))
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
        return self._at(t).load()

    def write_copies(self, copies: Copies) -> None:
        for p, t in copies:
            self._mark(len(self.order.steps))
            self.run.kernel.copy(self._pointer(p), self._at(t), t.nbytes)

    def _at(self, t: Tensor) -> Pointer:
        """Where the first element of a value lies."""
        view = self.order.views[t]
        return self._pointer(self.memory.key(view.base)).bytes(view.offset * t.dtype.itemsize, t.dtype)

    def flush(self) -> None:
        if self._empty:
            return
        name = self._export(self.run)
        first = next((place for place, start in self._starts.items() if start == name), len(self.order.steps))
        self.text.mark(first)
        self.text.say(f"k_{name}(k_address)")
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
                pointers[self.memory.key(t)] = where(chunk == 0, pointers[self.memory.key(t)], own)
            for key, nbytes in call.scratch.items():
                pointers[key] = self._found(part, key).bytes(chunk * nbytes, UINT8)
            k.call(call.kernel, start, stop, *pointers.values())
        name = self._export(part)
        counts = (ctypes.c_int64 * 2)()
        state_name = f"k_state{len(self.exports)}"
        self.text.scope.update(
            {"k_share": thread_pool.share, state_name: counts, f"{state_name}_address": ctypes.addressof(counts)}
        )
        self.text.mark(place)
        ends = f"{state_name}_address, {state_name}, {call.length}, k_code"
        self.text.say(f"k_share(k_{name}, k_pool_wait, k_address, {ends})")
        self._begin()
        others = min(thread_pool.CHUNKS, call.length) - 1
        for t, joining in call.partial.items():
            ends_at = self._pointer(self.memory.key(t)), self._pointer(("partial", t))
            self.run.kernel.call(joining, self.run.kernel.index(others), *ends_at)

    # The table of addresses.

    def setup(self) -> list[str]:
        if any(e.name.startswith("part") for e in self.exports):
            wait = Exported("pool_wait", ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64))
            wait.kernel = thread_pool.waiting()
            self._export(wait)
        table = (ctypes.c_int64 * len(self.slots))()
        table[0] = self.block.address
        held: list[np.ndarray] = []
        lines = []
        for key, slot in list(self.slots.items())[1:]:
            if isinstance(key, tuple) and key[0] == "blas":
                assert self.blas is not None
                table[slot] = getattr(self.blas, key[1])[np.dtype(key[2])]
            elif isinstance(key, tuple):
                lines.append(f"k_table[{slot}] = id({self.text.id(key[1])})")
            elif isinstance(key, Tensor) and self._is_address(key):
                value = np.ascontiguousarray(key._value)
                held.append(value)
                table[slot] = value.__array_interface__["data"][0]
            elif isinstance(key, Tensor):
                lines.append(f"k_table[{slot}] = id({self.text.id(key)})")
        self.text.scope.update(k_table=table, k_address=ctypes.addressof(table), k_constants=held)
        return lines

    def export_turns(self) -> None:
        """Export what calls the run again and again, where one run is all there is."""
        if [code for code, _ in self.text.lines] == ["k_run0(k_address)"] and not self.memory.fresh:
            self.moving = tuple(k for k in self.slots if not isinstance(k, tuple) and not self._is_address(k))
            self._export(turning(self.exports[0], len(self.moving)))

    def native(self) -> Native:
        """What was exported."""
        listed: list[str] = []
        texts: dict[int, str] = {}
        for place, (step, kernel) in enumerate(zip(self.order.steps, self.kernels, strict=True)):
            if place in self._starts:
                name = self._starts[place]
                arguments = "table, state" if name.startswith("part") else "table"
                listed.append(f"\n\ndef {name}({arguments}):")
            lines: list[str] = []
            if kernel is not None:
                lines = kernel.lines
            elif isinstance(step, Single) and step.product:
                lines = [f"    {self._shown(step.node)}{numpy_lines.comment(step.node)}"]
            if lines:
                listed += lines
                texts[place] = "\n".join(text.removeprefix("    ") for text in lines)
        listing = "\n".join(listed) + "\n" if listed else ""
        return Native(tuple(self.exports), self.module.text(), self.slots, listing, texts, self.moving)

    def _shown(self, t: Tensor) -> str:
        """A product, in the words of Python."""
        listed = self.order.names
        names = [listed[i] if inlined(i) is None else repr(inlined(i)) for i in t.inputs]
        if made_by(t, GEMM):
            c, a, b, alpha, beta = names
            return f"{c} = {beta} * {c} + {alpha} * ({a} @ {b})"
        return f"{listed[t]} = {names[0]} @ {names[1]}"
