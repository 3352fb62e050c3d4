"""Kernels of the loop language run by the interpreter and by LLVM, and compared bit for bit."""

from __future__ import annotations

import ctypes
import os
from unittest import mock

import numpy as np

from graphnet.plans.code import compiler
from graphnet.plans.nest.interpret import run
from graphnet.plans.nest.llvm import Module
from graphnet.plans.nest.memory import Memory, blank
from graphnet.plans.nest.values import Pointer

_C = {"f4": ctypes.c_float, "f8": ctypes.c_double, "b1": ctypes.c_bool}
_C |= {f"{k}{n}": getattr(ctypes, f"c_{'u' * (k == 'u')}int{8 * n}") for k in "iu" for n in (1, 2, 4, 8)}


def compiled(kernel):
    """The kernel as a function of arrays and numbers, compiled without the cache on disk."""
    module = Module()
    module.add(kernel, export="run")
    with mock.patch.dict(os.environ, GRAPHNET_CACHE_DIR="0"):
        loaded = compiler.compile_ir(module.text(), ["run"])
    kinds = [ctypes.c_void_p if isinstance(a, Pointer) else _C[a.dtype.str[1:]] for a in kernel.arguments]
    result = None if kernel.result is None else _C[kernel.result.dtype.str[1:]]
    call = ctypes.CFUNCTYPE(result, *kinds)(loaded.address["run"])

    def function(*arguments):
        arrays = [a.array if isinstance(a, Memory) else a for a in arguments]
        return call(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arrays))

    function.module = loaded
    return function


def same(got, want):
    """Equal bit for bit; a NaN is a NaN."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_array_equal(got, want)
    if got.dtype.kind == "f":
        real = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got)[real], np.signbit(want)[real])


def outputs(kernel, *arguments):
    """What the interpreter leaves in each array, and the same of LLVM where there is one: they must be equal."""
    own = [_fresh(a) for a in arguments]
    result = run(kernel, *own)
    if compiler.available():
        other = [_fresh(a) for a in arguments]
        found = compiled(kernel)(*other)
        for mine, theirs in zip(own, other, strict=True):
            if isinstance(mine, (Memory, np.ndarray)):
                same(_array(theirs), _array(mine))
        if kernel.result is not None:
            same(np.asarray(found, kernel.result.dtype), np.asarray(result))
    arrays = [_array(a) for a in own if isinstance(a, (Memory, np.ndarray))]
    return arrays if kernel.result is None else result


def _fresh(a):
    if isinstance(a, Memory):
        return blank(a.array.shape, a.array.dtype)
    return a.copy() if isinstance(a, np.ndarray) and a.flags.writeable else a


def _array(a):
    return a.array if isinstance(a, Memory) else a
