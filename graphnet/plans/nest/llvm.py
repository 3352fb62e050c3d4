"""Kernels as LLVM's text: one table of instructions, and a module that holds functions, tables and declarations.

    module = Module()
    module.add(kernel, export="run")
    module.text()

The text depends on nothing but the kernels and the order in which they were added: it is what compiled code is kept
under. Writing it needs no LLVM. Every result is defined for every operand (no poison), because a choice computes both
of its branches.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphnet.plans.nest.language import Kernel, Table
from graphnet.plans.nest.llvm_types import ALIGN, literal, memory, type_of
from graphnet.plans.nest.lowering import LOWERINGS
from graphnet.plans.nest.values import Node, Value


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
            f"{type_of(a)}{' noalias' if alias else ''} %v{a.number}"
            for a, alias in zip(kernel.arguments, kernel.noalias, strict=True)
        ]
        for variable in kernel.variables:
            self.lines.append(f"%v{variable.number} = alloca {memory(variable.dtype, variable.width)}")
        for p in kernel.stacks:
            self.lines.append(f"%v{p.number} = alloca [{p.data} x {memory(p.dtype)}], align {ALIGN}")
        self.block(kernel.head)
        self.block(kernel.body)
        result = kernel.result
        kind_ = "void" if result is None else type_of(result)
        self.lines.append("ret void" if result is None else f"ret {kind_} {self.name(result)}")
        head = f"{head} {kind_} {name}({', '.join(listed)}) {attributes} {{"
        return "\n".join([head, "entry:", *self.lines, "}"])

    def block(self, instructions: list[Any]) -> None:
        for instruction in instructions:
            LOWERINGS[instruction.op](self, instruction)

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
        return f"{type_of(v)} {self.name(v)}"

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
        self.module.declare(f"declare {result} @{name}({', '.join(type_of(a) for a in args)})")
        self.new(v, f"call {flags}{result} @{name}({self.listed(args)})")


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
