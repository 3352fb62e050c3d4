"""Scalar Python compiled to LLVM's language, as text: expressions of ops, and the functions that they call.

An op's expression, such as `({x} if {x} > 0 else {x} * {slope})`, and the bodies of scalar32, scalar64 and scalar_both
are one small language: names, numbers, operators, comparisons, calls and `x if c else y`, without a statement that
jumps. A number in the text is weak, as in NumPy: it takes the type of what it meets. All of a loop body is therefore
straight arithmetic, which LLVM turns into vector instructions once the functions are inlined.

    library = Library()
    emitter = Emitter(library)
    y = emitter.expression("exp(-{x})", {"x": Value("%x", np.dtype("float32"))}, np.float32)
    emitter.lines, y.text, library.text()

The module has to hold `library.text()` once, and no declaration of its own of an intrinsic that is in it: `declare`
adds one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.plans import vecmath
from graphnet.plans.ir_values import BOOL, Lines, Unsupported, Value, literal, llvm_type, memory_type
from graphnet.plans.scalar_python import Operand, Walk
from graphnet.plans.scalar_tables import tables

__all__ = ["DIRECT", "Emitter", "Library", "Unsupported", "Value", "literal", "llvm_type", "memory_type"]

# Ops of one argument -> the scalar function that computes them, to be called instead of what their expression says.
DIRECT = {
    name: name
    for name in (
        *("exp", "expm1", "exp2", "log", "log2", "log1p", "tanh", "sigmoid", "softplus", "log_sigmoid", "erf", "erfc"),
    )
}


class _Function(NamedTuple):
    """A function in LLVM's language, with all it calls in `library`."""

    name: str
    dtype: np.dtype
    text: str
    library: Library


class Library:
    """The scalar functions that a module needs, each defined once, and the intrinsics declared."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._declarations: set[str] = set()

    def call(self, name: str, dtype: Any) -> str:
        """The LLVM name, such as "@scalar.exp32.float", of a function whose arguments are all of the dtype."""
        dtype = np.dtype(dtype)
        name = vecmath.resolve(name, dtype)
        return self.require(name, (dtype,) * len(vecmath.definition(name).args.args)).name

    def require(self, name: str, dtypes: tuple[np.dtype, ...]) -> _Function:
        """The function that scalar32, scalar64 or scalar_both call `name`, for arguments of these dtypes."""
        function = _translate(name, dtypes)
        if function.name not in self._texts:
            self._texts[function.name] = function.text
            self._texts.update(function.library._texts)
            self._declarations |= function.library._declarations
        return function

    def declare(self, name: str, dtype: Any, *args: str) -> str:
        """Declares an intrinsic of a result and arguments, `declare("llvm.sqrt.f32", np.float32, "float")`."""
        self._declarations.add(f"declare {llvm_type(dtype)} @{name}({', '.join(args)})")
        return "@" + name

    def declare_lines(self, lines: Iterable[str]) -> None:
        """Declarations as they stand in a module."""
        self._declarations.update(lines)

    def table(self, name: str) -> str:
        """The LLVM name of a table of scalar_tables, which is defined."""
        self._declarations.add(_table(name))
        return f"@scalar.{name}"

    def text(self) -> str:
        """Definitions and declarations for the head of a module, in an order that only depends on what they are."""
        return "\n".join([*sorted(self._declarations), *(self._texts[name] for name in sorted(self._texts))]) + "\n"


class Emitter(Lines):
    """Writes the instructions of one function body, by expression."""

    def __init__(self, library: Library, names: Iterator[int] | None = None):
        super().__init__(names)
        self.library = library

    def expression(self, text: str, args: dict[str, Value], dtype: Any) -> Value:
        """The value of an op's expression, with `args` for its placeholders.

        Numbers in the text that meet no value are of type `dtype`, and so is the result, but a comparison gives a bool.
        """
        names: dict[str, Operand] = {"arg_" + name: value for name, value in args.items()}
        walk = Walk(self, names, np.dtype(dtype))
        value = walk.value(walk(_parsed(text)))
        return value if value.dtype == BOOL else self.cast(value, dtype)


@cache
def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(re.sub(r"\{(\w+)\}", r"arg_\1", text), mode="eval").body
    except SyntaxError:
        raise Unsupported(text) from None


@cache
def _table(name: str) -> str:
    """The definition of a table. Thousands of numbers: their bits are taken all at once."""
    bits = np.array(tables()[name]).view(np.uint64).tolist()
    listed = ", ".join([f"double 0x{entry:016X}" for entry in bits])
    return f"@scalar.{name} = private unnamed_addr constant [{len(bits)} x double] [{listed}], align 64"


@cache
def _translate(name: str, dtypes: tuple[np.dtype, ...]) -> _Function:
    """A function of scalar32, scalar64 or scalar_both for arguments of these dtypes."""
    node = vecmath.definition(name)
    kinds = [llvm_type(dtype) for dtype in dtypes]
    names = [arg.arg for arg in node.args.args]
    if len(names) != len(dtypes):
        raise Unsupported(f"{name} of {len(dtypes)} arguments")
    library = Library()
    emitter = Emitter(library)
    walk = Walk(emitter, {n: Value(f"%{n}", d) for n, d in zip(names, dtypes, strict=True)}, dtypes[0])
    result = walk.run(node.body)
    kind = llvm_type(result.dtype)
    full = f"@scalar.{name}.{'.'.join(kinds)}"
    if any(dtype.kind == "u" for dtype in dtypes):
        full += ".unsigned"
    head = f"define internal {kind} {full}({', '.join(f'{k} %{n}' for k, n in zip(kinds, names, strict=True))})"
    body = "\n".join([*emitter.lines, f"  ret {kind} {result.text}"])
    return _Function(full, result.dtype, f"{head} alwaysinline nounwind {{\n{body}\n}}", library)
