"""Expressions of ops in kernels that are still written as LLVM's text: each is a function of `plans.scalar`, called.

    library = Library()
    emitter = Emitter(library)
    y = emitter.expression("exp(-{x})", {"x": Value("%x", np.dtype("float32"))}, np.float32)
    emitter.lines, y.text, library.text()

The module has to hold `library.text()` once, and no declaration of its own of an intrinsic that is in it: `declare`
adds one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from graphnet.plans.ir_values import Lines, Value, llvm_type
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.llvm import Module
from graphnet.plans.scalar.expression import expression


class Library:
    """The functions that a module needs, each defined once, and the intrinsics declared."""

    def __init__(self) -> None:
        self.module = Module()

    def declare(self, name: str, dtype: Any, *args: str) -> str:
        """Declares an intrinsic of a result and arguments, `declare("llvm.sqrt.f32", np.float32, "float")`."""
        self.module.declare(f"declare {llvm_type(dtype)} @{name}({', '.join(args)})")
        return "@" + name

    def declare_lines(self, lines: Iterable[str]) -> None:
        """Declarations as they stand in a module."""
        for line in lines:
            self.module.declare(line)

    def text(self) -> str:
        """Definitions and declarations for the head of a module, in an order that only depends on what they are."""
        return self.module.text()


class Emitter(Lines):
    """Writes the instructions of one function body, by expression."""

    def __init__(self, library: Library, names: Iterator[int] | None = None):
        super().__init__(names)
        self.library = library

    def expression(self, text: str, args: dict[str, Value], dtype: Any) -> Value:
        """The value of an op's expression, with `args` for its placeholders, as `scalar.expression` has it."""
        listed = sorted(args.items())
        kernel = _function(text, tuple((name, value.dtype) for name, value in listed), np.dtype(dtype))
        assert kernel.result is not None
        name = self.library.module.add(kernel)
        operands = ", ".join(f"{llvm_type(v.dtype)} {v.text}" for _, v in listed)
        return self.append(f"call {llvm_type(kernel.result.dtype)} {name}({operands})", kernel.result.dtype)


@cache
def _function(text: str, args: tuple[tuple[str, np.dtype], ...], dtype: np.dtype) -> Kernel:
    """An expression as a function of its arguments in the order of their names."""
    import hashlib

    about = repr((text, [(name, kind.str) for name, kind in args], dtype.str))
    k = Kernel(f"expression.{hashlib.sha256(about.encode()).hexdigest()[:16]}")
    k.inline = True
    k.returns(expression(text, {name: k.argument(kind, name) for name, kind in args}, dtype))
    return k
