"""Expressions of ops as LLVM's text: what they compute is what NumPy computes, bit for bit where it is exact."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import numpy as np
import pytest
from nest_kernels import same
from scalar_kernels import DTYPES, arguments, assembly, interpreted, is_vectorised, kernel, loop, text_of

from graphnet.plans.code import compiler
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.llvm import Module
from graphnet.plans.nest.llvm_types import kind, literal, memory
from graphnet.plans.nest.values import Unsupported
from graphnet.plans.scalar.expression import expression
from graphnet.record import OPS

needs_llvm = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")

CHOICES = ("({x} if {x} > 0 else {x} * 0.5)", "zero_safe({x} * 3, {x} == 0)", "max({x}, 3)", "rint({x})")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
COMPARISONS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
COMPARISONS["!="] = np.not_equal


def whole(dtype, n=999):
    """Integers of a dtype, small ones and the ends among them."""
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    some = rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True)
    return np.concatenate([np.arange(max(info.min, -9), 9).astype(dtype), np.array([info.min, info.max], dtype), some])


def pairs(values):
    return (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(values, values))


def numbers(dtype):
    """Floats among which every order, equality and sign occurs."""
    return np.array([np.nan, -np.nan, 0.0, -0.0, 1, -1, 2.5, -2.5, np.inf, -np.inf, np.finfo(dtype).tiny / 2], dtype)


@needs_llvm
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["sqrt", "abs", "floor", "ceil", "trunc", "rint", "sign", "isnan", "isinf", "isfinite"]
)
def test_exact_functions(name, dtype):
    x = arguments(dtype)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x)
    same(kernel(name + "({x})", (("x", dtype),), dtype)(x), want)


@needs_llvm
@pytest.mark.parametrize("dtype", [*DTYPES, "int32", "uint8"])
@pytest.mark.parametrize("name", ["minimum", "maximum", "fmin", "fmax"])
def test_the_smaller_and_the_larger(name, dtype):
    a, b = pairs(numbers(dtype) if dtype in DTYPES else whole(dtype, 50))
    got = kernel(name + "({a}, {b})", (("a", dtype), ("b", dtype)), dtype)(a, b)
    want = getattr(np, name)(a, b)
    np.testing.assert_array_equal(got, want)


@needs_llvm
@pytest.mark.parametrize("dtype", [*DTYPES, *INTEGERS])
@pytest.mark.parametrize("symbol", COMPARISONS)
def test_comparisons(symbol, dtype):
    a, b = pairs(numbers(dtype) if dtype in DTYPES else whole(dtype, 50))
    got = kernel(f"({{a}} {symbol} {{b}})", (("a", dtype), ("b", dtype)), dtype)(a, b)
    same(got, COMPARISONS[symbol](a, b))


@needs_llvm
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("symbol", "+-*")
def test_integers_wrap(symbol, dtype):
    a, b = pairs(whole(dtype, 50))
    with np.errstate(all="ignore"):
        want = {"+": np.add, "-": np.subtract, "*": np.multiply}[symbol](a, b)
    same(kernel(f"({{a}} {symbol} {{b}})", (("a", dtype), ("b", dtype)), dtype)(a, b), want)


@needs_llvm
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_whole_quotients(name, dtype):
    a, b = pairs(whole(dtype, 60))
    with np.errstate(all="ignore"):
        want = getattr(np, name)(a, b)
    same(kernel(name + "({a}, {b})", (("a", dtype), ("b", dtype)), dtype)(a, b), want)


@needs_llvm
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_functions_of_integers(dtype):
    x = whole(dtype)
    for name in ("abs", "sign", "floor", "isnan"):
        same(kernel(name + "({x})", (("x", dtype),), dtype)(x), getattr(np, name)(x))


@needs_llvm
@pytest.mark.parametrize("new", ["bool", *INTEGERS, *DTYPES])
@pytest.mark.parametrize("old", ["bool", *INTEGERS, *DTYPES])
def test_casts(old, new):
    if old == "bool":
        x = np.array([True, False, True] * 9)
    elif old in INTEGERS:
        x = whole(old)
    else:
        x = arguments(old)
        if new in INTEGERS:
            # Beyond the integers, and for NaN, there is no value to agree on.
            info = np.iinfo(new)
            with np.errstate(all="ignore"):
                x = x[(np.trunc(x) >= info.min) & (x < float(info.max))]
    with np.errstate(all="ignore"):
        want = x.astype(new)
    same(kernel(new, (("x", old),), None)(x), want)


@needs_llvm
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_cast_of_what_no_integer_holds_is_some_integer(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 1e30] * 20, dtype)
    for new in INTEGERS:
        assert kernel(new, (("x", dtype),), None)(x).shape == x.shape


@needs_llvm
@pytest.mark.parametrize("dtype", DTYPES)
def test_choices_and_conditions(dtype):
    x = numbers(dtype)
    with np.errstate(all="ignore"):
        zeros = x * np.array(0, dtype)
        cases = {
            "({x} if {x} > 0 else {x} * 0)": np.where(x > 0, x, zeros),
            "({x} if {x} else 7)": np.where(x != 0, x, np.array(7, dtype)),
            "({x} > 0 and not {x} > 1)": (x > 0) & ~(x > 1),
            "({x} < 0 or {x} == 1 or isnan({x}))": (x < 0) | (x == 1) | np.isnan(x),
            "(({x} != 0) != ({x} > 0))": (x != 0) != (x > 0),
            "(1 / {x})": np.array(1, dtype) / x,
            "(-{x})": -x,
            "zero_safe({x} * 0, {x} == 2.5 or isinf({x}))": np.where(np.isinf(x), np.array(0, dtype), zeros),
            "(max({x}, 0) + min({x}, 0))": np.maximum(x, 0) + np.minimum(x, 0),
            "(1 if 2 > 1 else {x})": np.ones_like(x),
        }
    for text, want in cases.items():
        got = kernel(text, (("x", dtype),), dtype)(x)
        assert got.dtype == want.dtype, text
        np.testing.assert_array_equal(got, want, text)


@needs_llvm
def test_a_bool_is_a_condition():
    condition = np.array([True, False, True, False] * 9)
    x = np.arange(36, dtype=np.float32)
    inputs = (("condition", "bool"), ("x", "float32"))
    got = kernel("({x} if {condition} else -{x})", inputs, "float32")(condition, x)
    # The first array gives the length, the result the dtype.
    np.testing.assert_array_equal(got, np.where(condition, x, -x))


@needs_llvm
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", CHOICES)
def test_loops_of_choices_are_vectorised(text, dtype):
    assert is_vectorised(assembly(text_of(loop(text, (("x", dtype),), dtype)[0])))


@pytest.mark.parametrize("name", sorted(n for n, op in OPS.items() if op.expr))
def test_every_expression_has_one_meaning_or_is_refused(name):
    """The interpreter and LLVM agree on it, for every dtype that it has a native form for."""
    text = OPS[name].expr
    names = sorted(set(re.findall(r"\{(\w+)\}", text)))
    rng = np.random.default_rng(0)
    for dtype in (*DTYPES, "int64", "int8", "uint8", "bool"):
        inputs = tuple((n, "bool" if n == "condition" else dtype) for n in names)
        values = {"bool": np.array([True, False]), **{d: numbers(d) for d in DTYPES}}
        arrays = [rng.choice(values[d] if d in values else whole(d, 20), 60) for _, d in inputs]
        try:
            got = interpreted(text, inputs, dtype, *arrays)
        except Unsupported:
            continue
        assert got.dtype in (np.dtype(dtype), np.dtype(bool))
        if compiler.available():
            same(kernel(text, inputs, dtype, contract=False)(*arrays), got)


def test_numbers_that_meet_no_value_have_the_type_of_the_expression():
    x = numbers("float32")
    inputs = (("x", "float32"),)
    assert interpreted("(1 if {x} > 0 else 0)", inputs, "float32", x).dtype == np.float32
    assert interpreted("(({x} > 0) * 2)", inputs, "float32", x).dtype == np.float32
    np.testing.assert_array_equal(interpreted("(({x} > 0) * 2)", inputs, "float32", x), (x > 0) * np.float32(2))
    assert interpreted("({x} > 0)", inputs, "float32", x).dtype == bool


def test_types_and_literals():
    assert [
        kind(np.dtype(d)) for d in ("bool", "uint8", "int64", "float32", "float64")
    ] == "i1 i8 i64 float double".split()
    assert memory(np.dtype(bool)) == "i8" and memory(np.dtype("float32")) == "float"
    assert literal(1, np.dtype("float32")) == literal(1, np.dtype("float64")) == "0x3FF0000000000000"


def test_what_has_no_native_form():
    x = {"x": Kernel().argument("float32")}
    texts = ("nothing({x})", "{x} ** 2", "{x}[0]", "print({x}, end=1)", "'a'", "1 / 0", "{x} < 1 < 2", "{x} +")
    for text in (*texts, "{y}", "exp({x}, {x})", "{x}.view", "(lambda: {x})()"):
        with pytest.raises(Unsupported):
            expression(text, x, "float32")
    with pytest.raises(Unsupported):
        expression("exp({x})", {"x": Kernel().argument("int64")}, "int64")


def test_a_module_defines_each_function_once_in_an_order_of_its_own():
    def text(*names):
        module = Module()
        for name in names:
            module.add(loop(name + "({x})", (("x", "float32"),), "float32")[0])
        return module.text()

    def inlined(text):
        return re.findall(r"define internal \w+ (\S+)\(.*alwaysinline", text)

    one, other = text("tanh", "exp", "tanh"), text("exp", "tanh")
    assert inlined(one) == inlined(other) == sorted(set(inlined(one)))
    assert "@tanh.f4" in inlined(one) and not any("log" in name for name in inlined(one))


def test_writing_text_needs_no_llvm():
    program = (
        "import sys\n"
        "from graphnet.plans.nest.language import Kernel\n"
        "from graphnet.plans.nest.llvm import Module\n"
        "from graphnet.plans.scalar.expression import expression\n"
        "k = Kernel()\n"
        "k.returns(expression('exp({x})', {'x': k.argument('float32')}, 'float32'))\n"
        "module = Module()\n"
        "module.add(k, export='kernel')\n"
        "assert '@exp.f4' in module.text()\n"
        "print(sorted({'llvmlite', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
