"""What the functions for float32 and float64 differ in, and the steps that they share.

Each function is written once. It reduces its argument exactly, evaluates a minimax polynomial (from tools/minimax.py:
Remez, 60 digits) and scales the result by powers of two in the bits, in two steps where the result may be denormal.
There is no branch that is not a choice between two values, so that loops become vector instructions; choices are
written so that NaN falls through to the result. Correct with and without contraction of a*b+c into one instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.plans.nest.values import FLOAT32, FLOAT64, INT32, INT64, Unsupported, Value


class Width(NamedTuple):
    """A float type: its integers, bits and constants.

    * `digits`: bits of the significand that are stored; `bias` of the exponent;
    * `round`: x + round is x as an integer, in the low bits; `round_bits` are the bits of `round`;
    * `ln2`: log(2) in two parts, whole multiples of the first being exact;
    * `tiny`: below this expm1(x), log1p(x), tanh(x) are x; `normal`: the smallest normal number;
    * `root_half`: the bits of sqrt(1/2); `upper`: the mask that leaves products of two numbers exact.
    """

    dtype: np.dtype
    bits: np.dtype
    digits: int
    bias: int
    round: float
    round_bits: int
    ln2: tuple[float, float]
    tiny: float
    normal: float
    root_half: int
    upper: int
    sign: int


_32 = Width(
    *(FLOAT32, INT32, 23, 127, 1.5 * 2**23, 1262485504, (0.693145751953125, 1.428606765330187e-06)),
    *(2.0**-25, 2.0**-126, 0x3F3504F3, -(2**12), -(2**31)),
)
_64 = Width(
    *(FLOAT64, INT64, 52, 1023, 1.5 * 2**52, 4843621399236968448, (0.6931471805598903, 5.497923018708371e-14)),
    *(5.551115123125783e-17, 2.2250738585072014e-308, 0x3FE6A09E667F3BCD, -(2**27), -(2**63)),
)
LOG2E = 1.4426950408889634


def width(x: Value) -> Width:
    """The width of a float. Unsupported for other dtypes."""
    if x.dtype.kind != "f":
        raise Unsupported(f"a function of floats, of {x.dtype}")
    return _32 if x.dtype == FLOAT32 else _64


def choice(x: Value, narrow: Any, wide: Any) -> Any:
    """`narrow` for float32, `wide` for float64."""
    return narrow if width(x) is _32 else wide


def polynomial(coefficients: Sequence[float], x: Value) -> Value:
    """c0 + c1 x + c2 x**2 + ..., by Horner's rule."""
    y: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        y = y * x + c
    return y


def power_of_two(k: Value, w: Width) -> Value:
    """2**k in the exponent bits, for normal results."""
    return ((k + w.bias) << w.digits).view(w.dtype)


def bits_of(x: Value) -> Value:
    """The bits as an integer."""
    return x.view(width(x).bits)


def with_sign(y: Value, x: Value) -> Value:
    """y >= 0 with the sign of x."""
    return (bits_of(y) | (bits_of(x) & width(x).sign)).view(y.dtype)


def upper(x: Value) -> Value:
    """x with so many low bits of its significand zero that products of two such are exact.

    It masks bits, because the usual split by a sum of products goes wrong where they are contracted.
    """
    return (bits_of(x) & width(x).upper).view(x.dtype)


def whole(n: Value, w: Width) -> Value:
    """An integer as a float. In 64 bits by adding it to the bits of a float, which needs no AVX-512 to be a vector."""
    return n.cast(w.dtype) if w is _32 else (n + w.round_bits).view(w.dtype) - w.round
