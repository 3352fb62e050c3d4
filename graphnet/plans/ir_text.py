"""A function in LLVM IR written as one would write C: variables, loops with a counter, addresses.

Variables are places on the stack, which LLVM turns into registers. Whoever writes through this thinks of values, not of
blocks and phis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

#: bytes of a block of numbers that the loops work on at once: two registers of 32 bytes
WIDE = 64


def scalar(dtype: np.dtype) -> str:
    """The type of a number."""
    return "float" if dtype == np.float32 else "double"


def vector(width: int, kind: str) -> str:
    """The type of `width` numbers side by side."""
    return kind if width == 1 else f"<{width} x {kind}>"


def widths(count: int, widest: int) -> list[tuple[int, int]]:
    """`count` numbers in blocks: (start, width), as wide as fits, at most `widest`.

    >>> widths(21, 16)
    [(0, 16), (16, 4), (20, 1)]
    """
    found, start, width = [], 0, widest
    while start < count:
        while width > count - start:
            width //= 2
        found.append((start, width))
        start += width
    return found


class Text:
    """The lines of one function; every method that computes answers with the name of the value."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.declared: set[str] = set()
        self._count = 0

    def fresh(self) -> str:
        """A name that is not taken."""
        self._count += 1
        return f"%v{self._count}"

    def new(self, text: str) -> str:
        """The value of an instruction."""
        name = self.fresh()
        self.lines.append(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        """An instruction without a value."""
        self.lines.append(text)

    # Whole numbers: names or Python's own, which are computed here.

    def add(self, a: str | int, b: str | int) -> str | int:
        """`a + b`."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.new(f"add nsw i64 {a}, {b}")

    def mul(self, a: str | int, b: str | int) -> str | int:
        """`a * b`."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.new(f"mul nsw i64 {a}, {b}")

    def total(self, *parts: str | int) -> str | int:
        """The sum of several."""
        found: str | int = 0
        for part in parts:
            found = self.add(found, part)
        return found

    def larger(self, a: str | int, b: str | int) -> str | int:
        """The larger of two whole numbers."""
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.new(f"select i1 {self.new(f'icmp sgt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def smaller(self, a: str | int, b: str | int) -> str | int:
        """The smaller of two whole numbers."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.new(f"select i1 {self.new(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    # Memory.

    def at(self, kind: str, pointer: str, index: str | int) -> str:
        """The address of an element."""
        return pointer if index == 0 else self.new(f"getelementptr inbounds {kind}, ptr {pointer}, i64 {index}")

    def load(self, kind: str, pointer: str, align: int) -> str:
        """What is at an address."""
        return self.new(f"load {kind}, ptr {pointer}, align {align}")

    def store(self, kind: str, value: str, pointer: str, align: int) -> None:
        """Write to an address."""
        self.do(f"store {kind} {value}, ptr {pointer}, align {align}")

    def variable(self, kind: str, start: str | int) -> str:
        """A variable with this value."""
        name = self.fresh()
        self.slots.append(f"{name} = alloca {kind}")
        self.do(f"store {kind} {start}, ptr {name}")
        return name

    def splat(self, width: int, kind: str, value: str) -> str:
        """`value`, `width` times."""
        if width == 1:
            return value
        whole = vector(width, kind)
        one = self.new(f"insertelement {whole} poison, {kind} {value}, i64 0")
        return self.new(f"shufflevector {whole} {one}, {whole} poison, <{width} x i32> zeroinitializer")

    def fused(self, width: int, kind: str, a: str, b: str, c: str) -> str:
        """`a * b + c`."""
        whole = vector(width, kind)
        letter = "f32" if kind == "float" else "f64"
        name = f"llvm.fmuladd.{letter if width == 1 else f'v{width}{letter}'}"
        self.declared.add(f"declare {whole} @{name}({whole}, {whole}, {whole})")
        return self.new(f"call {whole} @{name}({whole} {a}, {whole} {b}, {whole} {c})")

    def zero(self, pointer: str, nbytes: int) -> None:
        """Fill with zeros."""
        self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        self.do(f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {nbytes}, i1 false)")

    def copy(self, into: str, source: str, nbytes: int) -> None:
        """Copy memory."""
        self.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {into}, ptr {source}, i64 {nbytes}, i1 false)")

    # Loops.

    @contextmanager
    def loop(self, start: str | int, end: str | int) -> Iterator[str | int]:
        """The counter from `start` to before `end`; a loop of one turn is none."""
        if isinstance(start, int) and isinstance(end, int) and end - start == 1:
            yield start
            return
        place = self.variable("i64", start)
        label = self.fresh()[1:]
        self.do(f"br label %{label}.head")
        self.do(f"{label}.head:")
        i = self.new(f"load i64, ptr {place}")
        more = self.new(f"icmp slt i64 {i}, {end}")
        self.do(f"br i1 {more}, label %{label}.body, label %{label}.end")
        self.do(f"{label}.body:")
        yield i
        following = self.new(f"add nsw i64 {i}, 1")
        self.do(f"store i64 {following}, ptr {place}")
        self.do(f"br label %{label}.head")
        self.do(f"{label}.end:")

    def function(self, arguments: Sequence[str]) -> str:
        """The text, as that of a function NAME."""
        head = f"define NAME({', '.join(arguments)}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self.slots, *self.lines, "ret void", "}"])
