"""Functions that are alike for every dtype: tests, signs, the smaller and the larger, whole quotients."""

from __future__ import annotations

import math

from graphnet.plans.nest.functions import quotient
from graphnet.plans.nest.language import function
from graphnet.plans.nest.values import BOOL, Unsupported, Value, where


@function
def isnan(x: Value) -> Value:
    """Whether x is NaN."""
    return x != x


@function
def isinf(x: Value) -> Value:
    """Whether x is infinite."""
    return abs(x) == math.inf


@function
def isfinite(x: Value) -> Value:
    """Whether x is neither NaN nor infinite."""
    return abs(x) < math.inf


@function
def sign(x: Value) -> Value:
    """1, -1, or x where it is 0 or NaN."""
    if x.dtype.kind == "u" or x.dtype == BOOL:
        return where(x != 0, x.kernel.const(1, x.dtype), x)
    one = x.kernel.const(1, x.dtype)
    return where(x > 0, one, where(x < 0, -one, where(x == 0, 0, x)))


@function
def minimum(a: Value, b: Value) -> Value:
    """NaN if one is NaN; of two equal ones the second, as NumPy's vector code: the sign of a zero shows it."""
    return where(a != a, a, where(a < b, a, b))


@function
def maximum(a: Value, b: Value) -> Value:
    """The larger one, as `minimum`."""
    return where(a != a, a, where(a > b, a, b))


@function
def fmin(a: Value, b: Value) -> Value:
    """The smaller one, and the other of a NaN."""
    return where(b != b, a, where(a < b, a, b))


@function
def fmax(a: Value, b: Value) -> Value:
    """The larger one, and the other of a NaN."""
    return where(b != b, a, where(a > b, a, b))


@function(promote=False)
def zero_safe(y: Value, condition: Value) -> Value:
    """0 instead of NaN where the condition holds."""
    return where((y != y) & condition.cast(BOOL), 0, y)


def _safe(a: Value, b: Value) -> tuple[Value, Value]:
    """(divisor, rest with the sign of a). The machine divides neither by 0 nor the lowest by -1."""
    if a.dtype.kind not in "iu":
        raise Unsupported(f"a whole quotient of {a.dtype}")
    by = where((b == 0) | (b == -1), 1, b) if a.dtype.kind == "i" else where(b == 0, 1, b)
    return by, a - quotient(a, by) * by


def _other_side(rest: Value, by: Value) -> Value:
    """Whether the quotient was rounded up: the rest and the divisor have different signs."""
    if rest.dtype.kind == "u":
        return rest != rest
    return (rest != 0) & ((rest < 0) != (by < 0))


@function
def floor_divide(a: Value, b: Value) -> Value:
    """Of integers. By zero it is 0, and the lowest by -1 wraps."""
    by, rest = _safe(a, b)
    q = quotient(a, by)
    q = where(_other_side(rest, by), q - 1, q)
    if a.dtype.kind == "i":
        q = where(b == -1, -a, q)
    return where(b == 0, 0, q)


@function
def remainder(a: Value, b: Value) -> Value:
    """What `floor_divide` leaves, 0 where the divisor is 0."""
    by, rest = _safe(a, b)
    return where(b == 0, 0, where(_other_side(rest, by), rest + by, rest))


@function
def fmod(a: Value, b: Value) -> Value:
    """The rest with the sign of a, 0 where the divisor is 0."""
    return where(b == 0, 0, _safe(a, b)[1])
