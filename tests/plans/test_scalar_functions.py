"""The scalar functions that compiled kernels include: accuracy, special values, vector instructions."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest
from nest_kernels import outputs, same
from scalar_kernels import (
    DTYPES,
    arguments,
    assembly,
    assert_close,
    interpreted,
    is_vectorised,
    kernel,
    loop,
    reference,
    special,
    text_of,
)

from graphnet.plans.code import compiler
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.memory import blank
from graphnet.plans.nest.values import Unsupported
from graphnet.plans.scalar.functions import ARITHMETIC

needs_llvm = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")

UNARY = [name for name in ARITHMETIC if name != "pow"]


@pytest.fixture(params=[True, False], ids=["contracted", "plain"])
def contract(request):
    """With and without a * b + c as one instruction."""
    return request.param


def unary(name, dtype, contract=True):
    return kernel(name + "({x})", (("x", dtype),), dtype, contract)


@needs_llvm
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_accuracy_and_special_values(name, dtype, contract):
    x = arguments(dtype)
    if name in ("sin", "cos"):
        turns = (np.arange(1, 20_000) * (np.pi / 2)).astype(dtype)
        x = np.concatenate([x, turns, -turns])
    assert_close(dtype, unary(name, dtype, contract)(x), reference(name, x), x)


@needs_llvm
@pytest.mark.parametrize("name", UNARY)
def test_float32_of_every_thousandth_bit_pattern(name, contract):
    x = np.arange(-(2**31), 2**31, 9973, dtype=np.int64).astype(np.int32).view(np.float32)
    assert_close("float32", unary(name, "float32", contract)(x), reference(name, x), x)


@needs_llvm
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
    assert_close(dtype, got, reference("pow", x, y), x, y)


@needs_llvm
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*UNARY, "pow"])
def test_loops_are_vectorised(name, dtype):
    two = name == "pow"
    inputs = (("x", dtype), ("y", dtype)) if two else (("x", dtype),)
    kernel_, _ = loop(name + ("({x}, {y})" if two else "({x})"), inputs, dtype)
    assert is_vectorised(assembly(text_of(kernel_)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_the_interpreter_computes_the_same(name, dtype):
    x = arguments(dtype)[::7]
    got = interpreted(name + "({x})", (("x", dtype),), dtype, x)
    assert_close(dtype, got, reference(name, x), x)
    if compiler.available():
        same(got, unary(name, dtype, contract=False)(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_interpreter_computes_the_same_power(dtype):
    rng = np.random.default_rng(0)
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    x = np.concatenate([x, rng.uniform(-5, 5, 5000).astype(dtype)])
    y = np.concatenate([y, rng.integers(-9, 9, 5000).astype(dtype)])
    inputs = (("x", dtype), ("y", dtype))
    got = interpreted("pow({x}, {y})", inputs, dtype, x, y)
    assert_close(dtype, got, reference("pow", x, y), x, y)
    if compiler.available():
        same(got, kernel("pow({x}, {y})", inputs, dtype, contract=False)(x, y))


@pytest.mark.parametrize("name", ["exp", "tanh", "sin", "log1p"])
def test_vectors_give_what_single_numbers_give(name):
    x = arguments("float32")[:5000]
    k = Kernel(flags="")
    p, q = k.pointer("float32"), k.pointer("float32")
    with k.loop(5000, step=8) as i:
        q.store(ARITHMETIC[name](p.load(i, 8)), i)
    same(outputs(k, x, blank(5000, "float32"))[1], interpreted(name + "({x})", (("x", "float32"),), "float32", x))


def test_functions_of_floats_refuse_other_numbers():
    for f in ARITHMETIC.values():
        x = Kernel().argument("int64")
        with pytest.raises(Unsupported, match="of int64"):
            f(*[x] * f.body.__code__.co_argcount)


def test_the_first_use_is_quick():
    """The text of exp, tanh and log1p, which is the name of compiled code on disk; 2 ms here, and never 77 again."""
    program = (
        "import time, numpy as np\n"
        "from graphnet.plans.nest.language import Kernel; from graphnet.plans.nest.llvm import Module\n"
        "from graphnet.plans.scalar.functions import exp, tanh, log1p\n"
        "t = time.process_time(); k = Kernel(); x = k.argument(np.float32); k.returns(exp(x) + tanh(x) + log1p(x))\n"
        "m = Module(); m.add(k, export='f'); m.text(); print(time.process_time() - t)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.05, "generous: other programs may be running"
