"""The scalar functions in wider types, by mpmath, and those of NumPy and SciPy: what `tests.ulps` measures with."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from functools import cache
from typing import Any
from unittest import mock

import numpy as np

from graphnet.plans.code import compiler

#: where the function is 0 or 1, and the ends of where it changes, of float64
RANGES = {
    "exp": (0.0, -746.0, 710.0),
    "expm1": (0.0, -40.0, 710.0),
    "exp2": (0.0, -1076.0, 1024.0),
    "log": (1.0, 0.0, 4.0),
    "log2": (1.0, 0.0, 4.0),
    "log1p": (0.0, -1.0, 4.0),
    "tanh": (0.0, -20.0, 20.0),
    "tanh_slope": (0.0, -374.0, 374.0),
    "sigmoid": (0.0, -746.0, 40.0),
    "sigmoid_slope": (0.0, -746.0, 746.0),
    "softplus": (0.0, -746.0, 40.0),
    "log_sigmoid": (0.0, -40.0, 746.0),
    "erf": (0.0, -6.0, 6.0),
    "erfc": (0.0, -6.0, 27.5),
    "gaussian": (0.0, -27.5, 27.5),
    "sin": (0.0, -1000.0, 1000.0),
    "cos": (0.0, -1000.0, 1000.0),
}


@cache
def peers() -> dict[str, Callable[..., np.ndarray]]:
    """The functions for both types that users have without graphnet."""
    from scipy import special

    names = ("exp", "expm1", "exp2", "log", "log2", "log1p", "tanh", "sin", "cos")
    others = {"pow": np.power, "sigmoid": special.expit, "log_sigmoid": special.log_expit}
    return {**{n: getattr(np, n) for n in names}, **others, "erf": special.erf, "erfc": special.erfc}


@cache
def _wider_erf(name: str, narrow: bool) -> Callable[[np.ndarray], np.ndarray]:
    """erf or erfc as well as can be had here: of float32 in float64, of float64 in long double."""
    try:
        if not narrow and np.finfo(np.longdouble).nmant == 63 and compiler.available():
            return _long(name + "l")
        if narrow:
            from scipy import special

            return getattr(special, name)
    except ImportError:
        pass
    function = getattr(math, name)
    wide = np.float64 if narrow else np.longdouble
    return lambda x: np.array([function(v) for v in x.tolist()], wide)


def wider(name: str, *args: np.ndarray) -> np.ndarray:
    """The function of float32 in float64, of float64 in long double."""
    wide = np.float64 if args[0].dtype == np.float32 else np.longdouble
    x = args[0].astype(wide)
    if name in ("erf", "erfc"):
        return _wider_erf(name, wide is np.float64)(args[0].astype(np.float64))
    if name == "pow":
        return np.power(x, args[1].astype(wide))
    return _FORMULAS[name](x) if name in _FORMULAS else getattr(np, name)(x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    z = np.exp(-np.abs(x))
    return np.where(x > 0, 1, z) / (1 + z)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid_slope(x: np.ndarray) -> np.ndarray:
    z = np.exp(-np.abs(x))
    return z / (1 + z) ** 2


def _gaussian(x: np.ndarray) -> np.ndarray:
    if x.dtype == np.float64:
        # The square of a float32.
        return np.exp(-x * x)
    # The square is exact in parts; NaN stays NaN.
    b = np.where(np.abs(x) > 1e3, 1e3, x)
    h = b.astype(np.float32).astype(x.dtype)
    return np.exp(-h * h) * np.exp(-(b - h) * (b + h))


_FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "sigmoid_slope": _sigmoid_slope,
    "tanh_slope": lambda x: 4 * _sigmoid_slope(2 * x),
    "gaussian": _gaussian,
}


def _long(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function of the C library, of long doubles, for arrays of float64."""
    text = f"""
declare x86_fp80 @{name}(x86_fp80)
define void @run(ptr %x, ptr %y, i64 %n) {{
entry:
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %head]
  %from = getelementptr double, ptr %x, i64 %i
  %to = getelementptr x86_fp80, ptr %y, i64 %i
  %a = load double, ptr %from
  %b = fpext double %a to x86_fp80
  %c = call x86_fp80 @{name}(x86_fp80 %b)
  store x86_fp80 %c, ptr %to
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %end, label %head
end:
  ret void
}}"""
    with mock.patch.dict(os.environ, GRAPHNET_CACHE_DIR="0"):
        module = compiler.compile_ir(text, ["run"])
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(module.address["run"])

    def function(x: np.ndarray) -> np.ndarray:
        y = np.zeros(x.shape, np.longdouble)
        call(x.ctypes.data, y.ctypes.data, x.size)
        return y

    function.module = module
    return function


def difference(name: str, args: list[np.ndarray], found: Any) -> float:
    """How far a result is from mpmath's, in units in the last place of the dtype of the arguments."""
    from mpmath import mp, mpf

    dtype = args[0].dtype
    digits, lowest = (23, -126) if dtype == np.float32 else (52, -1022)
    with mp.workprec(1400 if name in ("sin", "cos") else 300):
        exact = _MPMATH[name](mp, *(mpf(float(a[0])) for a in args))
        digits_found, exponent = np.frexp(found)
        head = float(digits_found)
        value = (mpf(head) + mpf(float(digits_found - head))) * mpf(2) ** int(exponent)
        e = max(int(mp.floor(mp.log(abs(exact), 2))), lowest)
        return float(abs(value - exact) * mpf(2) ** (digits - e))


def _mp_softplus(mp: Any, x: Any) -> Any:
    return max(x, 0) + mp.log1p(mp.exp(-abs(x)))


def _mp_pow(mp: Any, x: Any, y: Any) -> Any:
    power = mp.power(abs(x), y)
    return -power if x < 0 and int(y) % 2 else power


_MPMATH: dict[str, Callable[..., Any]] = {
    "exp": lambda mp, x: mp.exp(x),
    "expm1": lambda mp, x: mp.expm1(x),
    "exp2": lambda mp, x: mp.power(2, x),
    "log": lambda mp, x: mp.log(x),
    "log2": lambda mp, x: mp.log(x) / mp.log(2),
    "log1p": lambda mp, x: mp.log1p(x),
    "tanh": lambda mp, x: mp.tanh(x),
    "tanh_slope": lambda mp, x: mp.sech(x) ** 2,
    "sigmoid": lambda mp, x: 1 / (1 + mp.exp(-x)),
    "sigmoid_slope": lambda mp, x: mp.exp(-abs(x)) / (1 + mp.exp(-abs(x))) ** 2,
    "softplus": _mp_softplus,
    "log_sigmoid": lambda mp, x: -_mp_softplus(mp, -x),
    "erf": lambda mp, x: mp.erf(x),
    "erfc": lambda mp, x: mp.erfc(x),
    "gaussian": lambda mp, x: mp.exp(-x * x),
    "sin": lambda mp, x: mp.sin(x),
    "cos": lambda mp, x: mp.cos(x),
    "pow": _mp_pow,
}
