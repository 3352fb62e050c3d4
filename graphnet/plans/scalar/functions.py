"""The scalar functions by the names that ops' expressions call them.

A NumPy expression calls a maths library made of vector instructions; a compiled loop would call the C library once per
element, unless the function is arithmetic that the compiler sees. Every function agrees with NumPy on NaN, infinities,
signed zeros and denormals, as arguments and results; docs/accuracy.md has the largest errors elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.plans.nest.functions import ceil, floor, quotient, rint, sqrt, trunc
from graphnet.plans.scalar.angles import cos, sin
from graphnet.plans.scalar.error import erf, erfc, gaussian
from graphnet.plans.scalar.exponential import (
    exp,
    exp2,
    expm1,
    log_sigmoid,
    sigmoid,
    sigmoid_slope,
    softplus,
    tanh,
    tanh_slope,
)
from graphnet.plans.scalar.logarithm import log, log1p, log2
from graphnet.plans.scalar.power import pow
from graphnet.plans.scalar.simple import (
    floor_divide,
    fmax,
    fmin,
    fmod,
    isfinite,
    isinf,
    isnan,
    maximum,
    minimum,
    remainder,
    sign,
    zero_safe,
)

#: functions of one float that are made of arithmetic, and pow
ARITHMETIC: dict[str, Callable[..., Any]] = {
    f.name: f
    for f in (
        *(exp, expm1, exp2, log, log2, log1p, tanh, tanh_slope, sigmoid, sigmoid_slope, softplus, log_sigmoid),
        *(erf, erfc, gaussian, sin, cos, pow),
    )
}
#: functions of an instruction or two
SHORT: dict[str, Callable[..., Any]] = {
    **{f.name: f for f in (isnan, isinf, isfinite, sign, minimum, maximum, fmin, fmax, zero_safe)},
    **{f.__name__: f for f in (floor, ceil, trunc, rint)},
    "abs": abs,
    "min": minimum,
    "max": maximum,
}
#: all that an expression can call
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **ARITHMETIC,
    **SHORT,
    **{f.name: f for f in (floor_divide, remainder, fmod)},
    **{f.__name__: f for f in (sqrt, quotient)},
    "power": pow,
}
