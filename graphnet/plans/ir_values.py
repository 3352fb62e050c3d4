"""Typed values in LLVM's language: types, constants, and the lines that combine two values or cast one.

A `Value` is the text of an LLVM value and its NumPy dtype; `Lines` appends one instruction at a time. Every result is
defined for every operand (no poison), because a choice computes both of its branches.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.plans.nest.values import Unsupported


class Value(NamedTuple):
    """The text of an LLVM value, such as "%v12" or a constant, and what it holds; a bool is an i1."""

    text: str
    dtype: np.dtype


BOOL = np.dtype(bool)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)


@cache
def llvm_type(dtype: Any) -> str:
    """The type of a value in a register: `i1` for bool, `i64`, `float`, `double`."""
    dtype = np.dtype(dtype)
    if dtype == BOOL:
        return "i1"
    if dtype.kind in "iu":
        return f"i{8 * dtype.itemsize}"
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return "float" if dtype.itemsize == 4 else "double"
    raise Unsupported(f"no native type for {dtype}")


def memory_type(dtype: Any) -> str:
    """The type of an element in memory: that of a register, but `i8` for bool."""
    return "i8" if np.dtype(dtype) == BOOL else llvm_type(dtype)


def literal(number: Any, dtype: Any) -> Value:
    """A constant; a number that is not one of the integer dtype is Unsupported."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        llvm_type(dtype)
        try:
            with np.errstate(over="ignore"):
                wide = float(dtype.type(number))
        except OverflowError:
            raise Unsupported(f"{number} as {dtype}") from None
        # LLVM writes a float as the bits of the double of the same value.
        return Value("0x7FF8000000000000" if wide != wide else f"0x{struct.pack('>d', wide).hex().upper()}", dtype)
    if dtype == BOOL:
        return Value("true" if number else "false", dtype)
    llvm_type(dtype)
    info = np.iinfo(dtype)
    if number != number or not info.min <= number <= info.max or int(number) != number:
        raise Unsupported(f"{number} as {dtype}")
    return Value(str(int(number)), dtype)


class Lines:
    """Instructions of one function body, in `lines`.

    `contract` lets a * b + c become one instruction: it only removes a rounding. No other freedom is given, because
    NaN, infinities and signed zeros have to come out as NumPy's.
    """

    def __init__(self, names: Iterator[int] | None = None):
        self.lines: list[str] = []
        self._names = itertools.count() if names is None else names

    def fresh(self, prefix: str = "v") -> str:
        """A name that no other value of the function has."""
        return f"%{prefix}{next(self._names)}"

    def append(self, instruction: str, dtype: np.dtype) -> Value:
        """The result of an instruction that is appended."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return Value(name, dtype)

    def arithmetic(self, operator: str, a: Value, b: Value) -> Value:
        """`a operator b` of two values of one dtype, for + - * / & | ^ << >>."""
        kind = a.dtype.kind
        if kind == "b":
            # NumPy's sum and product of booleans are "or" and "and".
            operator = {"+": "|", "*": "&"}.get(operator, operator)
        try:
            name = _INSTRUCTIONS[kind][operator]
        except KeyError:
            raise Unsupported(f"{operator} of {a.dtype}") from None
        return self.append(f"{name} {llvm_type(a.dtype)} {a.text}, {b.text}", a.dtype)

    def compare(self, operator: str, a: Value, b: Value) -> Value:
        """Whether `a operator b` holds for two values of one dtype; NaN is unequal to everything."""
        kind = a.dtype.kind
        code = _COMPARISONS[operator]
        if kind == "f":
            test = "fcmp " + ("une" if code == "ne" else "o" + code)
        else:
            test = "icmp " + (code if code in ("eq", "ne") else ("s" if kind == "i" else "u") + code)
        return self.append(f"{test} {llvm_type(a.dtype)} {a.text}, {b.text}", BOOL)

    def negate(self, a: Value) -> Value:
        if a.dtype.kind == "f":
            return self.append(f"fneg {llvm_type(a.dtype)} {a.text}", a.dtype)
        if a.dtype.kind == "b":
            raise Unsupported("the negative of a bool")
        return self.append(f"sub {llvm_type(a.dtype)} 0, {a.text}", a.dtype)

    def choose(self, condition: Value, a: Value, b: Value) -> Value:
        """`a if condition else b` of two values of one dtype, both computed."""
        kind = llvm_type(a.dtype)
        return self.append(f"select i1 {condition.text}, {kind} {a.text}, {kind} {b.text}", a.dtype)

    def bits_as(self, a: Value, dtype: Any) -> Value:
        """The same bits as another dtype of the same size, as `ndarray.view`."""
        dtype = np.dtype(dtype)
        if a.dtype == dtype:
            return a
        if a.dtype.itemsize != dtype.itemsize or BOOL in (a.dtype, dtype):
            raise Unsupported(f"the bits of {a.dtype} as {dtype}")
        return self.append(f"bitcast {llvm_type(a.dtype)} {a.text} to {llvm_type(dtype)}", dtype)

    def cast(self, value: Value, dtype: Any) -> Value:
        """The value in another dtype, as NumPy's `astype`: what does not fit wraps, a fraction is cut off.

        A NaN or a number beyond the integers is some integer, as in NumPy.
        """
        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        old, new = value.dtype.kind, dtype.kind
        source, target = llvm_type(value.dtype), llvm_type(dtype)
        if new == "b":
            return self.compare("!=", value, literal(0, value.dtype))
        if old == "f" and new == "f":
            name = "fpext" if dtype.itemsize > value.dtype.itemsize else "fptrunc"
            return self.append(f"{name} {source} {value.text} to {target}", dtype)
        if old == "f":
            # Through a signed integer that holds all of a narrow type, as compiled C does, so that -1.0 becomes 255.
            step = INT32 if dtype.itemsize < 4 else INT64 if dtype == np.uint32 else dtype
            name = "fptoui" if step.kind == "u" else "fptosi"
            whole = self.append(f"{name} {source} {value.text} to {llvm_type(step)}", step)
            return self.cast(self.append(f"freeze {llvm_type(step)} {whole.text}", step), dtype)
        if new == "f":
            name = "sitofp" if old == "i" else "uitofp"
            return self.append(f"{name} {source} {value.text} to {target}", dtype)
        if old != "b" and dtype.itemsize == value.dtype.itemsize:
            return Value(value.text, dtype)
        if old != "b" and dtype.itemsize < value.dtype.itemsize:
            return self.append(f"trunc {source} {value.text} to {target}", dtype)
        return self.append(f"{'sext' if old == 'i' else 'zext'} {source} {value.text} to {target}", dtype)


_BITS = {"&": "and", "|": "or", "^": "xor"}
_WHOLE = {"+": "add", "-": "sub", "*": "mul", "<<": "shl", **_BITS}
_INSTRUCTIONS = {
    "f": {"+": "fadd contract", "-": "fsub contract", "*": "fmul contract", "/": "fdiv"},
    "i": {**_WHOLE, ">>": "ashr"},
    "u": {**_WHOLE, ">>": "lshr"},
    "b": _BITS,
}
_COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
