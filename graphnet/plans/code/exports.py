"""Native functions that Python calls, before and after they are compiled."""

from __future__ import annotations

import ctypes
from collections.abc import Hashable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphnet.plans.code import compiler

if TYPE_CHECKING:
    from graphnet.plans.code.exported import Exported


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


class Native(NamedTuple):
    """Native functions before they are compiled.

    * `exports`: those that Python calls; `ir`: all of them, in LLVM's language;
    * `slots`: the place in the table for the memory of each key;
    * `listing`: what they do, for people; `texts`: the part of a step, by its number;
    * `moving`: what a function of `turns` has cells for.
    """

    exports: tuple[Exported, ...]
    ir: str
    slots: dict[Hashable, int]
    listing: str
    texts: dict[int, str]
    moving: tuple[Hashable, ...] = ()


def compiled(native: Native) -> dict[str, Any]:
    """The functions by the names that lines of Python have for them, and the module, which has to be kept with them."""
    if not native.exports:
        return {}
    module = compiler.compile_ir(native.ir, [e.name for e in native.exports])
    functions = {f"k_{e.name}": e.prototype(module.address[e.name]) for e in native.exports}
    return {**functions, "k_module": module}
