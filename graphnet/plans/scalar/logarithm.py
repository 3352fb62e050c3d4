"""log, log2 and log1p."""

from __future__ import annotations

import math

from graphnet.plans.nest.language import function
from graphnet.plans.nest.values import FLOAT32, Value, where
from graphnet.plans.scalar.widths import LOG2E, bits_of, polynomial, power_of_two, whole, width

# log(1 + f) = f - f**2 / 2 + f**3 * (...)
_LOG_32 = (0.33333316, -0.2500081, 0.20002285, -0.16624565, 0.14181225, -0.13128674, 0.12881431, -0.07859581)
# log(1 + f) = 2 s + s**3 * (...) with s = f / (2 + f)
_LOG_64 = (
    *(0.6666666666666734, 0.3999999999941402, 0.28571428742543575, 0.22222198556129522, 0.1818356526703055),
    *(0.1531402509567694, 0.14796218122609167),
)


def log_tail(f: Value) -> Value:
    """log(1 + f) - f for sqrt(1/2) - 1 <= f <= sqrt(2) - 1."""
    if f.dtype == FLOAT32:
        z = f * f
        return z * f * polynomial(_LOG_32, f) - z * 0.5
    s = f / (f + 2.0)
    z = s * s
    h = f * 0.5 * f
    return s * (h + z * polynomial(_LOG_64, z)) - h


def parts(x: Value) -> tuple[Value, Value]:
    """(k, m) with x = 2**k * m for x > 0, sqrt(1/2) <= m <= sqrt(2); k as a float."""
    w = width(x)
    lifted = x < w.normal
    bits = bits_of(where(lifted, x * 2.0**w.digits, x))
    e = (bits - w.root_half) >> w.digits
    m = (bits - (e << w.digits)).view(x.dtype)
    return whole(e, w) - where(lifted, x.kernel.const(w.digits, x.dtype), 0), m


def _outside(y: Value, x: Value, zero: float) -> Value:
    """y where x is above `zero` and finite; minus infinity at `zero`, NaN below, x itself for NaN and infinity."""
    y = where(x > zero, y, math.nan)
    y = where(x == zero, -math.inf, y)
    return where(x < math.inf, y, x)


@function
def log(x: Value) -> Value:
    """The natural logarithm."""
    k, m = parts(x)
    f = m - 1.0
    high, low = width(x).ln2
    return _outside((k * low + log_tail(f)) + f + k * high, x, 0.0)


@function
def log2(x: Value) -> Value:
    """The logarithm to base 2."""
    k, m = parts(x)
    f = m - 1.0
    return _outside((log_tail(f) + f) * LOG2E + k, x, 0.0)


@function
def log1p(x: Value) -> Value:
    """log(1 + x)."""
    w = width(x)
    u = x + 1.0
    bits = bits_of(u)
    e = (bits - w.root_half) >> w.digits
    # u + lost is 1 + x exactly (Knuth's sum).
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    f = (bits - (e << w.digits)).view(x.dtype) - 1.0
    lost = lost * power_of_two(where(e < w.bias - 1, -e, 1 - w.bias), w)
    k = whole(e, w)
    high, low = w.ln2
    # What cancels is added last, and exactly: f and a multiple of `high`.
    y = (k * low + (log_tail(f + lost) + lost)) + f + k * high
    return _outside(where(abs(x) < w.tiny, x, y), x, -1.0)
