"""sin and cos, of numbers of any size.

The angle is found in quarter turns: a number is m * 2**e with a whole m, and an entry of the tables is 2**e * 2/pi less
a multiple of 4, so that m times the entry is the angle, whole turns left out. An entry comes in parts of few bits,
whose products with m, or with halves of m, are exact, and a last part that is the rest. Tables begin with the numbers
from 1/2: smaller ones are angles as they are. The polynomials are of what is left, in radians.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from graphnet.plans.nest.language import Table, function
from graphnet.plans.nest.values import FLOAT32, FLOAT64, INT64, Value, where
from graphnet.plans.scalar.widths import choice, polynomial, upper, width

_SIN_32 = (-0.16666655, 0.008332173, -0.00019516652)
_COS_32 = (0.041666646, -0.0013887362, 2.4437757e-05)
_SIN_64 = (
    *(-0.16666666666666632, 0.008333333333322316, -0.00019841269829725912, 2.7557313662334277e-06),
    *(-2.5050753312139967e-08, 1.5896507930074328e-10),
)
_COS_64 = (
    *(0.0416666666666666, -0.0013888888888873992, 2.4801587289395967e-05, -2.7557314326270964e-07),
    *(2.0875719584101213e-09, -1.1359449684479013e-11),
)
#: below this an angle is what it is
_SMALL = 0.78
_HALF_PI = 1.5707963267948966
#: (pi/2 - _HALF_PI) / _HALF_PI
_LACKING = 3.89817183e-17
_ROUND, _ROUND_BITS = 1.5 * 2**52, 4843621399236968448
# Bits after the binary point of 2/pi.
_BITS = 1400


@cache
def _per_half_pi() -> int:
    """2/pi * 2**_BITS, by Machin's formula for pi."""
    extra = _BITS + 64

    def arctangent_of_inverse(n: int) -> int:
        term = (1 << extra) // n
        total, k, sign = 0, 1, 1
        while term:
            total += sign * (term // k)
            term //= n * n
            k, sign = k + 2, -sign
        return total

    pi = 4 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))
    return (2 << (extra + _BITS)) // pi


def _parts(exponent: int, widths: tuple[int, ...]) -> list[float]:
    """The entry for an exponent: parts that end `widths` bits after the one before, and the rest."""
    unit = 1 << _BITS
    scaled = _per_half_pi() << exponent if exponent >= 0 else _per_half_pi() >> -exponent
    left = (scaled + 2 * unit) % (4 * unit) - 2 * unit
    parts = []
    place = _BITS + 1
    for width_ in widths:
        place -= width_
        part = (left + (1 << (place - 1))) >> place
        parts.append(part / (1 << (_BITS - place)))
        left -= part << place
    return [*parts, left / unit]


@cache
def _quarters(narrow: bool) -> list[Table]:
    """The tables for float32, or float64: one for each part of the entries."""
    digits, highest, widths = (23, 127, (28,)) if narrow else (52, 1023, (26,) * 5)
    entries = np.array([_parts(exponent - digits, widths) for exponent in range(-1, highest + 1)])
    name = "quarters_32" if narrow else "quarters_64"
    return [Table(f"{name}_{n}", column) for n, column in enumerate(entries.T)]


def _split(a: Value, last: int, whole_digits: int) -> tuple[Value, list[Value]]:
    """The whole number m of a float64, and the parts of the table that go with its exponent."""
    bits = a.view(INT64)
    e = (bits >> 52) - 1022
    e = where(e < 0, 0, e)
    e = where(e > last, last, e)
    m = ((bits & (2**52 - 1)) | ((1023 + whole_digits) << 52)).view(FLOAT64)
    return m, [a.kernel.table(t).gather(e) for t in _quarters(whole_digits == 23)]


def _reduced_32(a: Value) -> tuple[Value, Value]:
    """(quarters, radians that are left) of |x|, computed in float64."""
    m, (part0, part1) = _split(a.cast(FLOAT64), 128, 23)
    q = m * part0
    rest = m * part1
    t = (q + rest) + _ROUND
    n = t.view(INT64) - _ROUND_BITS
    return n, (((q - (t - _ROUND)) + rest) * _HALF_PI).cast(FLOAT32)


def _reduced_64(a: Value) -> tuple[Value, Value]:
    m, (part0, part1, part2, part3, part4, part5) = _split(a, 1024, 52)
    m_high = upper(m)
    m_low = m - m_high
    # m_high times part 0 is a multiple of 4. All of these products, and of their sums, are exact up to `tiny`, because
    # they cancel where x is near a multiple of pi / 2.
    first = m_low * part0
    second = m_high * part1
    t1 = first + _ROUND
    t2 = second + _ROUND
    first = (first - (t1 - _ROUND)) + (second - (t2 - _ROUND))
    second = m_low * part1 + m_high * part2
    t3 = (first + second) + _ROUND
    first = (first - (t3 - _ROUND)) + second
    second = m_low * part2 + m_high * part3
    third = m_low * part3 + m_high * part4
    tiny = m_low * part4 + m * part5
    high = first + second
    back = high - first
    low = (first - (high - back)) + (second - back)
    first = high + third
    back = first - high
    low = low + ((high - (first - back)) + (third - back))
    r = (first + (low + tiny)) * _HALF_PI
    # Of the sum of their bits, the lowest two count, which are 0 in those of _ROUND.
    return t1.view(INT64) + t2.view(INT64) + t3.view(INT64), r


def _shifted(x: Value, quarters: int) -> Value:
    """sin(x + quarters * pi / 2)."""
    a = abs(x)
    n, r = choice(x, _reduced_32, _reduced_64)(a)
    small = a < _SMALL
    n = where(small, 0, n)
    r = where(small, a, r)
    # sin(-a + quarters) = -sin(a - quarters)
    negative = x < 0.0
    r = where(negative, -r, r)
    n = where(negative, -n, n) + quarters
    z = r * r
    p = polynomial(choice(x, _SIN_32, _SIN_64), z)
    if x.dtype == FLOAT32:
        sine = r * z * p + r
    else:
        sine = (z * p + where(small, x.kernel.const(0, x.dtype), _LACKING)) * r + r
    p = polynomial(choice(x, _COS_32, _COS_64), z)
    if x.dtype == FLOAT32:
        cosine = z * z * p - z * 0.5 + 1.0
    else:
        h = z * 0.5
        # 1 - h is rounded; what was lost comes back with the tail.
        w = 1.0 - h
        cosine = z * z * p + ((1.0 - w) - h) + w
    y = where(n & 1, cosine, sine)
    y = where(n & 2, -y, y)
    return where(a < math.inf, y, x - x)


@function
def sin(x: Value) -> Value:
    """The sine."""
    width(x)
    return where(x == 0.0, x, _shifted(x, 0))


@function
def cos(x: Value) -> Value:
    """The cosine."""
    width(x)
    return _shifted(x, 1)
