"""Values of the scalar functions that are exact, through LLVM and the interpreter, and a sample of `tests.ulps`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from graphnet.plans.code import compiler
from graphnet.plans.scalar.functions import ARITHMETIC
from tests.nest_kernels import same
from tests.scalar_kernels import DTYPES, interpreted, kernel

needs_llvm = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")

UNARY = [name for name in ARITHMETIC if name != "pow"]
INF, NAN = np.inf, np.nan
#: arguments and results of each function
EXACT = {
    "exp": {0.0: 1, -INF: 0, INF: INF, 2e4: INF, -2e4: 0},
    "expm1": {-INF: -1, INF: INF, -2e4: -1},
    "exp2": {0.0: 1, -INF: 0, INF: INF, 2e4: INF, -2e4: 0},
    "log": {0.0: -INF, 1: 0, INF: INF, -1: NAN, -1e-40: NAN, -INF: NAN},
    "log2": {0.0: -INF, 1: 0, INF: INF, -1: NAN, -1e-40: NAN, -INF: NAN},
    "log1p": {-1: -INF, INF: INF, -1.5: NAN, -INF: NAN},
    "tanh": {INF: 1, -INF: -1, 30: 1, -30: -1},
    "tanh_slope": {0.0: 1, INF: 0, -INF: 0, 2e4: 0},
    "sigmoid": {0.0: 0.5, INF: 1, -INF: 0, 2e4: 1, -2e4: 0},
    "sigmoid_slope": {0.0: 0.25, INF: 0, -INF: 0, 2e4: 0, -2e4: 0},
    "softplus": {-INF: 0, INF: INF, -2e4: 0, 2e4: 2e4},
    "log_sigmoid": {-INF: -INF, INF: -0.0, 2e4: -0.0, -2e4: -2e4},
    "erf": {INF: 1, -INF: -1, 30: 1, -30: -1},
    "erfc": {0.0: 1, INF: 0, -INF: 2, 40: 0, -40: 2},
    "gaussian": {0.0: 1, INF: 0, -INF: 0, 2e4: 0},
    "sin": {INF: NAN, -INF: NAN},
    "cos": {0.0: 1, INF: NAN, -INF: NAN},
}
#: f(-0.0) is -0.0, and f(x) of a denormal number is x
ODD = ("expm1", "log1p", "tanh", "sin")
POWERS = [
    *((x, 0.0, 1) for x in (NAN, INF, -INF, 0.0, -3.0)),
    *((1.0, y, 1) for y in (NAN, INF, -INF, 1e30, 0.5)),
    *((-1.0, INF, 1), (-1.0, -INF, 1), (0.5, INF, 0), (0.5, -INF, INF), (2.0, INF, INF), (2.0, -INF, 0)),
    *((0.0, 3.0, 0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0), (-0.0, -3.0, -INF), (0.0, -3.0, INF), (-0.0, 0.5, 0)),
    *((-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, -3.0, -0.0), (-INF, -2.0, 0), (INF, -1.0, 0), (INF, 0.5, INF)),
    *((-2.0, 3.0, -8), (-2.0, 0.5, NAN), (-2.0, -2.0, 0.25), (NAN, 1.0, NAN), (2.0, NAN, NAN), (-8.0, 1 / 3, NAN)),
    *((3.0, 2.0, 9), (10.0, 3.0, 1000), (9.0, 0.5, 3), (1e4, 2.0, 1e8), (7.25, 1.0, 7.25), (4.0, -0.5, 0.5)),
]


def both(name, dtype, *arrays):
    """The results through the interpreter and, where it is, through LLVM."""
    inputs = tuple((n, dtype) for n, _ in zip("xy", arrays, strict=False))
    text = f"{name}({', '.join(f'{{{n}}}' for n, _ in inputs)})"
    yield interpreted(text, inputs, dtype, *arrays)
    if compiler.available():
        for contract in (True, False):
            yield kernel(text, inputs, dtype, contract)(*arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_exact_values(name, dtype):
    pairs = [(NAN, NAN), *EXACT[name].items()]
    tiny = np.finfo(dtype).smallest_subnormal
    denormals = [k * tiny for k in (1.0, 3.0, 2.0**20 + 1)]
    if name in ODD:
        pairs += [(s * x, s * x) for x in (0.0, *denormals, np.finfo(dtype).tiny) for s in (1.0, -1.0)]
    elif name == "erf":
        pairs += [(0.0, 0.0), (-0.0, -0.0), (tiny, tiny), (-tiny, -tiny)]
    elif name in ("log", "log2"):
        pairs += [(-0.0, -INF)]
    elif 0.0 in EXACT[name]:
        # Even denormal numbers are zero to them.
        pairs += [(s * x, EXACT[name][0.0]) for x in (0.0, *denormals) for s in (1.0, -1.0)]
    if name in ("exp2", "log2"):
        info = np.finfo(dtype)
        whole = range(info.minexp - info.nmant, info.maxexp)
        pairs += [(k, 2.0**k) if name == "exp2" else (2.0**k, k) for k in whole]
    x, want = (np.array(column, np.float64).astype(dtype) for column in zip(*pairs, strict=True))
    for got in both(name, dtype, x):
        same(got, want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_powers(dtype):
    info = np.finfo(dtype)
    powers = [*POWERS, *((2.0, k, 2.0**k) for k in range(info.minexp - info.nmant, info.maxexp))]
    x, y, want = (np.array(column, np.float64).astype(dtype) for column in zip(*powers, strict=True))
    for got in both("pow", dtype, x, y):
        same(got, want)


@needs_llvm
@pytest.mark.parametrize("contract", [True, False], ids=["contracted", "plain"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ARITHMETIC)
def test_largest_errors_of_a_sample(name, dtype, contract):
    pytest.importorskip("scipy")
    if dtype == "float64" and np.finfo(np.longdouble).nmant != 63:
        pytest.skip("the reference is x86's long double")
    from tests import ulps

    allowed = max(ulps.LIMITS[name], documented()[name, dtype][1]) + (0 if contract else 1)
    for task in ulps.tasks(name, dtype, 2**16 + 1, 30_000, contract):
        own, _ = ulps.measure(task)
        assert own.error <= allowed, f"{own.error:.3f} ulp at {own.at}"


def documented():
    """What docs/accuracy.md says: the inputs of each function and dtype, and the largest error found."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "accuracy.md").read_text("utf-8")
    rows = re.findall(r"^\| (\w+) \| (float\d\d) \| ([\w, ]+?) \| ([\d.]+) \|", text, re.M)
    return {(name, dtype): (inputs, float(error)) for name, dtype, inputs, error in rows}


def test_every_function_is_documented():
    assert sorted(documented()) == sorted((name, dtype) for name in ARITHMETIC for dtype in DTYPES)


def test_units_of_what_is_known():
    from tests.ulps import units

    one, tiny = np.float32(1), np.finfo(np.float32).smallest_subnormal
    cases = [
        *((1, 1, 0), (1 + 2.0**-23, 1, 1), (1 - 2.0**-24, 1, 0.5), (1, 1 - 2.0**-24, 1), (2, 2 + 2.0**-23, 0.5)),
        *((tiny, 0, 1), (0, tiny, 1), (-0.0, 0, INF), (INF, INF, 0), (INF, -INF, INF), (NAN, NAN, 0), (NAN, one, INF)),
        *((INF, 2.0**128, 0), (2.0**128 - 2.0**104, 2.0**128, 0.5), (INF, 2.0**128 - 2.0**103, 0.5), (1, INF, INF)),
    ]
    got, exact, want = (np.array(column, np.float64) for column in zip(*cases, strict=True))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(units(got.astype(np.float32), exact), want)
        wide = [(1 + 2.0**-52, 1, 1), (INF, np.ldexp(np.longdouble(1), 1024), 0), (5e-324, 0, 1), (-0.0, 0, INF)]
        for got, exact, want in wide:
            assert units(np.array([got]), np.array([exact], np.longdouble)) == [want]
