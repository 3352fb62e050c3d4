"""The scalar functions that compiled kernels include: accuracy, special values, vector instructions."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from scalar_kernels import DTYPES, arguments, assembly, assert_close, kernel, loop_text, reference, special

from graphnet.plans import vecmath
from graphnet.plans.code import compiler

pytestmark = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")

UNARY = [name for name in (*vecmath.FUNCTIONS, "log_sigmoid", "sigmoid_slope") if name != "power"]


@pytest.fixture(params=[True, False], ids=["contracted", "plain"])
def contract(request):
    """With and without a * b + c as one instruction."""
    return request.param


def unary(name, dtype, contract=True):
    return kernel(name + "({x})", (("x", dtype),), dtype, contract)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_accuracy_and_special_values(name, dtype, contract):
    x = arguments(dtype)
    if name in ("sin", "cos"):
        turns = (np.arange(1, 20_000) * (np.pi / 2)).astype(dtype)
        x = np.concatenate([x, turns, -turns])
    assert_close(dtype, unary(name, dtype, contract)(x), reference(name, x), x)


@pytest.mark.parametrize("name", UNARY)
def test_float32_of_every_thousandth_bit_pattern(name, contract):
    x = np.arange(-(2**31), 2**31, 9973, dtype=np.int64).astype(np.int32).view(np.float32)
    assert_close("float32", unary(name, "float32", contract)(x), reference(name, x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power(dtype, contract):
    rng = np.random.default_rng(1)
    parities = np.array([-2.5, 1.5, 2**24 + 1, 2.0**53 - 1, 1 - 2.0**53, 2.0**52 + 1], dtype)
    edges = np.concatenate([special(dtype), parities])
    x, y = (a.ravel() for a in np.meshgrid(edges, edges))
    # Results of every magnitude, from bases of every magnitude, bases beside 1, and negative bases to whole powers.
    top = {"float32": 103, "float64": 744}[dtype]
    n = 40_000
    bases = [np.exp(rng.uniform(-top / 1.2, top / 1.2, n)), rng.uniform(0.5, 2, n), 1 + 10.0 ** rng.uniform(-6, -1, n)]
    bases = [b.astype(dtype) for b in bases]
    powers = [(rng.uniform(-top, top, n) / np.log(b.astype(np.float64))).astype(dtype) for b in bases]
    bits = {"float32": np.int32, "float64": np.int64}[dtype]
    patterns = rng.integers(np.iinfo(bits).min, np.iinfo(bits).max, (2, n), dtype=bits, endpoint=True).view(dtype)
    x = np.concatenate([x, *bases, -rng.uniform(0, 20, n).astype(dtype), patterns[0]])
    y = np.concatenate([y, *powers, rng.integers(-40, 40, n).astype(dtype), patterns[1]])
    got = kernel("pow({x}, {y})", (("x", dtype), ("y", dtype)), dtype, contract)(x, y)
    assert_close(dtype, got, reference("power", x, y), x, y)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*UNARY, "pow"])
def test_loops_are_vectorised(name, dtype):
    two = name == "pow"
    inputs = (("x", dtype), ("y", dtype)) if two else (("x", dtype),)
    code = assembly(loop_text(name + ("({x}, {y})" if two else "({x})"), inputs, dtype)[0])
    assert re.search(r"\bv?(?:mul|fn?m(?:add|sub)\d*)p[sd]\b", code), "no multiplication of whole vectors in the loop"
    assert not re.search(r"\bcall", code), "a call is left in the loop"
