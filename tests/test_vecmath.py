"""The scalar functions that compiled kernels include: accuracy, special values, vector instructions, the disk cache."""

from __future__ import annotations

import importlib.util
import math
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphnet.compile import vecmath

pytest.importorskip("numba", reason="the kernels are compiled by Numba, the `fast` extra")

UNARY = [name for name in vecmath.FUNCTIONS if name != "power"]
DTYPES = ("float32", "float64")
# Where long double is no wider than double, the reference itself is off by up to a unit.
LIMIT = {"float32": 4.0, "float64": 4.0 if np.finfo(np.longdouble).nmant > 52 else 5.0}

UNARY_KERNEL = """

@njit(**OPTIONS, no_cfunc_wrapper=True)
def {function}_kernel(x, out):
    for i in range(x.size):
        out[i] = {function}(x[i])
"""
BINARY_KERNEL = """

@njit(**OPTIONS, no_cfunc_wrapper=True)
def {function}_kernel(x, y, out):
    for i in range(x.size):
        out[i] = {function}(x[i], y[i])
"""


def load(path: Path):
    """The module in a file, known to `sys.modules` as Numba's cache wants it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["contracted", "plain"])
def kernels(request, tmp_path_factory):
    """A kernel for each function, compiled when first called, with and without a * b + c as one instruction."""
    names = [vecmath.function(name, dtype) for name in vecmath.FUNCTIONS for dtype in DTYPES]
    text = vecmath.source(names)
    if request.param == "plain":
        assert "'fastmath': {'contract'}" in text
        text = text.replace("'fastmath': {'contract'}", "'fastmath': False")
    for name in names:
        text += (BINARY_KERNEL if name.startswith("pow") else UNARY_KERNEL).format(function=name)
    path = tmp_path_factory.mktemp("kernels") / f"kernels_{request.param}.py"
    path.write_text(text)
    return load(path)


def special(dtype):
    info = np.finfo(dtype)
    edges = [0.0, 1.0, 0.5, 2.0, 3.0, np.inf, info.max, info.tiny, info.smallest_subnormal, 3 * info.smallest_subnormal]
    edges += [info.tiny / 2, info.eps, info.eps / 4, 1 + info.eps, 1 - info.epsneg, np.pi, np.pi / 2, 1e4, 1e6, 1e-9]
    # Where exp overflows, becomes denormal and becomes zero, in both types.
    edges += [88.72283, 88.72284, 87.33655, 103.2789, 103.9721, 104.0, 709.7827, 709.783, 708.396, 745.1332, 745.134]
    edges += [126.0, 127.0, 128.0, 149.0, 149.5, 150.0, 1022.0, 1023.0, 1024.0, 1074.0, 1074.5, 1075.0]
    return np.array([np.nan, *edges, *(-e for e in edges)], dtype)


def arguments(dtype, seed=0):
    """Special values, dense grids, every magnitude, and random bit patterns (NaN with payloads among them)."""
    rng = np.random.default_rng(seed)
    bits = {"float32": np.int32, "float64": np.int64}[dtype]
    patterns = rng.integers(np.iinfo(bits).min, np.iinfo(bits).max, 40_000, dtype=bits, endpoint=True).view(dtype)
    grids = [np.linspace(-end, end, 10_001).astype(dtype) for end in (1e-3, 0.5, 1, 1.5, 6, 20, 110, 1100)]
    powers = np.geomspace(np.finfo(dtype).smallest_subnormal, 1e30, 10_000, dtype=np.longdouble).astype(dtype)
    return np.concatenate([special(dtype), patterns, *grids, powers, -powers])


def reference(name, *args):
    """The function in a wider type: float64 for float32, long double for float64."""
    wide = np.float64 if args[0].dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        x = args[0].astype(wide)
        if name == "sigmoid":
            z = np.exp(-abs(x))
            return np.where(x > 0, 1, z) / (1 + z)
        if name == "softplus":
            return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
        if name == "erf":
            return np.array([math.erf(v) for v in args[0].tolist()]).astype(wide)
        return getattr(np, name)(*(a.astype(wide) for a in args))


def units(got, exact):
    """The distance in units in the last place; infinite where NaN, an infinity or the sign of a zero differ."""
    with np.errstate(all="ignore"):
        want = exact.astype(got.dtype)
        away = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(want)).astype(exact.dtype)
        plain = np.isfinite(want) & np.isfinite(got)
        same = (np.isnan(want) & np.isnan(got)) | (want == got)
        wrong_zero = (want == 0) & (np.signbit(want) != np.signbit(got))
    return np.where(wrong_zero, np.inf, np.where(plain, away, np.where(same, 0.0, np.inf)))


def assert_close(dtype, got, exact, *args):
    away = units(got, exact)
    worst = int(np.argmax(away))
    at = ", ".join(repr(a[worst]) for a in args)
    assert away[worst] <= LIMIT[dtype], f"{away[worst]:.3g} units at {at}: {got[worst]!r}, expected {exact[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_accuracy_and_special_values(kernels, name, dtype):
    x = arguments(dtype)
    function = vecmath.function(name, dtype)
    if function in vecmath.ACCURATE_UP_TO:
        x = x[~(np.isfinite(x) & (np.abs(x) > vecmath.ACCURATE_UP_TO[function]))]
        turns = (np.arange(1, 20_000) * (np.pi / 2)).astype(dtype)
        x = np.concatenate([x, turns, -turns])
    got = np.full_like(x, 123)
    getattr(kernels, function + "_kernel")(x, got)
    assert_close(dtype, got, reference(name, x), x)


@pytest.mark.parametrize("name", UNARY)
def test_float32_of_every_thousandth_bit_pattern(kernels, name):
    x = np.arange(-(2**31), 2**31, 9973, dtype=np.int64).astype(np.int32).view(np.float32)
    function = vecmath.function(name, "float32")
    if function in vecmath.ACCURATE_UP_TO:
        x = x[~(np.isfinite(x) & (np.abs(x) > vecmath.ACCURATE_UP_TO[function]))]
    got = np.full_like(x, 123)
    getattr(kernels, function + "_kernel")(x, got)
    assert_close("float32", got, reference(name, x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power(kernels, dtype):
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
    got = np.full_like(x, 123)
    getattr(kernels, vecmath.function("power", dtype) + "_kernel")(x, y, got)
    assert_close(dtype, got, reference("power", x, y), x, y)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 instructions")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(vecmath.FUNCTIONS))
def test_loops_are_vectorised(kernels, name, dtype):
    function = vecmath.function(name, dtype)
    kernel = getattr(kernels, function + "_kernel")
    one = np.ones(4, dtype)
    kernel(*([one] * (3 if name == "power" else 2)))
    code = kernel.inspect_asm(kernel.signatures[0])
    packed = re.findall(r"\bv?(?:mul|fn?madd\d*)p[sd]\b", code)
    assert packed, f"{function}: no multiplication of whole vectors in the compiled loop"


def test_infinity_times_zero_and_division_by_zero_raise_nothing(kernels):
    x = np.array([-np.inf, np.inf, 0, -1], np.float32)
    out = np.empty_like(x)
    with np.errstate(all="raise"):
        kernels.log32_kernel(x, out)
    np.testing.assert_array_equal(out, np.array([np.nan, np.inf, -np.inf, np.nan], np.float32))


def test_a_kernel_is_loaded_from_the_cache_in_a_second_process(tmp_path):
    kernel = "\n\n@njit(**OPTIONS, cache=True)\ndef kernel(x, out):\n    for i in range(x.size):\n"
    text = vecmath.source({"tanh32", "erf32"}) + kernel + "        out[i] = tanh32(x[i]) + erf32(x[i])\n"
    (tmp_path / "cached_kernel.py").write_text(text)
    program = (
        "import numpy as np, cached_kernel\n"
        "x = np.linspace(-3, 3, 100, dtype=np.float32); out = np.empty_like(x)\n"
        "cached_kernel.kernel(x, out)\n"
        "stats = cached_kernel.kernel.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), out.tobytes().hex())\n"
    )

    def run():
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    first, second = run(), run()
    assert first[:2] == ["0", "1"]
    assert second[:2] == ["1", "0"]
    assert first[2] == second[2]


def test_source_holds_what_is_used_and_no_more():
    text = vecmath.source({"tanh32"})
    assert re.findall(r"^def (\w+)", text, re.M) == [
        "power_of_two32",
        "exp_tail32",
        "expm1_within32",
        "with_sign32",
        "tanh32",
    ]
    assert "LOG32_0" not in text and "EXP32_0" in text
    assert text == vecmath.source(["tanh32", "tanh32"])
    with pytest.raises(KeyError):
        vecmath.source({"tanh16"})
    with pytest.raises(KeyError):
        vecmath.function("tanh", "float16")


def test_reading_the_text_needs_no_numba():
    program = (
        "import sys; from graphnet.compile import vecmath as v; v.source({'exp32'}); print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
