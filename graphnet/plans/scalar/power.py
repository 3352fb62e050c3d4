"""pow: in float64 for float32, and in pairs of numbers for float64."""

from __future__ import annotations

import math

from graphnet.plans.nest.functions import floor
from graphnet.plans.nest.language import function
from graphnet.plans.nest.values import FLOAT32, FLOAT64, INT32, INT64, Value, where
from graphnet.plans.scalar.exponential import exp_tail, scaled, within
from graphnet.plans.scalar.logarithm import parts
from graphnet.plans.scalar.widths import LOG2E, polynomial, upper, width

_ROUND, _ROUND_BITS, _ROOT_HALF = 1.5 * 2**52, 4843621399236968448, 0x3FE6A09E667F3BCD
# log2(x) = s * (2 + s**2 * (...)) / log(2) + e, and 2**r, for float32
_LOG_32 = (0.6666666667581047, 0.39999995618854056, 0.28572109460640094, 0.22176176369739736, 0.1958432700090182)
_EXP_32 = (
    *(0.693147180541798, 0.24022651078059185, 0.055504109621691854, 0.009618036550023015, 0.0013333430965680392),
    *(0.00015467235102659601, 1.531493408055087e-05),
)
# log(1 + f) = 2 s + 2/3 s**3 + s**5 * (...); 2/3 in two parts
_LOG_64 = (
    *(0.3999999999999998, 0.2857142857144512, 0.22222222217534496, 0.181818188705567, 0.15384556854349563),
    *(0.13336318067029393, 0.11674805173513671, 0.11989125829937329),
)
_TWO_THIRDS = (0.6666666567325592, 9.934107462565104e-09)


@function
def pow(x: Value, y: Value) -> Value:
    """x**y, as C's and NumPy's."""
    width(x)
    return _pow_32(x, y) if x.dtype == FLOAT32 else _pow_64(x, y)


def _pow_32(x: Value, y: Value) -> Value:
    b = abs(x.cast(FLOAT64))
    bits = b.view(INT64)
    e = (bits - _ROOT_HALF) >> 52
    m = (bits - (e << 52)).view(FLOAT64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = polynomial(_LOG_32, z)
    k = (e + _ROUND_BITS).view(FLOAT64) - _ROUND
    log2 = (s * z * p + (s + s)) * LOG2E + k
    log2 = where(b < math.inf, log2, b)
    log2 = where(b == 0.0, -math.inf, log2)
    c = y.cast(FLOAT64)
    w = where(b == 1.0, 0.0, c * log2)
    w = where(c == 0.0, 0.0, w)
    w = within(w, -160.0, 130.0)
    t = w + _ROUND
    r = w - (t - _ROUND)
    q = polynomial(_EXP_32, r) * r + 1.0
    v = (q * ((t.view(INT64) - _ROUND_BITS + 1023) << 52).view(FLOAT64)).cast(FLOAT32)
    # A negative base: the sign is that of an odd exponent, and an exponent that is no integer has no result.
    c = where(abs(c) > 33554432.0, 33554432.0, c)
    t = c + _ROUND
    negative = x.view(INT32) < 0
    whole = t - _ROUND == c
    v = where(negative & whole & (t.view(INT64) & 1 == 1), -v, v)
    return where((x < 0.0) & (b < math.inf) & (c != 0.0) & ~whole, math.nan, v)


def _pow_64(x: Value, y: Value) -> Value:
    # log |x| as high + low, to about 2**-65 of itself, because exp below multiplies its error by up to 745.
    wide = width(x)
    ln2_high, ln2_low = wide.ln2
    b = abs(x)
    k, m = parts(b)
    f = m - 1.0
    d = m + 1.0
    d_high = upper(d)
    d_low = (d - d_high) + (m - (d - 1.0))
    inverse = 1.0 / d
    s = upper(f * inverse)
    s_low = ((f - s * d_high) - s * d_low) * inverse
    z = s * s
    z_high = upper(z)
    cube = s * z_high
    cube_low = s * ((z - z_high) + (s * 2.0 + s_low) * s_low) + s_low * (z + s * 2.0 * s_low)
    cube_high = upper(cube)
    whole_s = s + s_low
    v = whole_s * whole_s
    p = polynomial(_LOG_64, v)
    third = cube_high * _TWO_THIRDS[0]
    third_low = ((cube - cube_high) + cube_low) * _TWO_THIRDS[0] + (cube + cube_low) * _TWO_THIRDS[1]
    base = k * ln2_high
    high = base + s * 2.0
    low = s * 2.0 - (high - base)
    more = high + third
    low = low + (third - (more - high))
    low = low + (s_low * 2.0 + third_low + whole_s * v * v * p + k * ln2_low)
    high = more + low
    low = low - (high - more)
    high = where(b < math.inf, high, b)
    high = where(b == 0.0, -math.inf, high)
    # y * log |x| as w + w_low
    product = where(b == 1.0, 0.0, y * high)
    product = where(y == 0.0, 0.0, product)
    w = upper(within(product, -800.0, 800.0))
    y_high = upper(y)
    l_high = upper(high)
    w_low = ((y_high * l_high - w) + (y_high * (high - l_high) + (y - y_high) * high)) + y * low
    w_low = where(abs(w_low) < 1e-3, w_low, 0.0)
    t = w * LOG2E + wide.round
    n = t.view(INT64) - wide.round_bits
    n = where(n < -1076, -1076, n)
    n = where(n > 1025, 1025, n)
    k = t - wide.round
    r = ((w - k * ln2_high) - k * ln2_low) + w_low
    v = scaled((exp_tail(r) + r) + 1.0, n, wide)
    # A negative base: the sign is that of an odd exponent, and an exponent that is no integer has no result.
    c = abs(y)
    c = where(c > 9007199254740992.0, 9007199254740992.0, c)
    whole = floor(c) == c
    half = c * 0.5
    odd = whole & (floor(half) != half)
    v = where((x.view(INT64) < 0) & odd, -v, v)
    return where((x < 0.0) & (b < math.inf) & (y != 0.0) & ~whole, math.nan, v)
