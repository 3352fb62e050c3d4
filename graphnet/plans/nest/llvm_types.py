"""Types, constants and names of intrinsics as LLVM's text."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from graphnet.plans.nest.values import BOOL, Node, Pointer, Value

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


def type_of(node: Node) -> str:
    return "ptr" if isinstance(node, Pointer) else kind(node.dtype, node.width)


def intrinsic(name: str, v: Value) -> str:
    return f"llvm.{name}.{f'v{v.width}' if v.width > 1 else ''}{v.dtype.kind if v.dtype.kind == 'f' else 'i'}" + (
        "1" if v.dtype == BOOL else str(8 * v.dtype.itemsize)
    )
