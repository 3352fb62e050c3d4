"""exp and what is made of it: expm1, exp2, tanh, sigmoid, softplus, and the slopes of some."""

from __future__ import annotations

from graphnet.plans.nest.language import function
from graphnet.plans.nest.values import Value, where
from graphnet.plans.scalar.logarithm import log1p
from graphnet.plans.scalar.widths import LOG2E, Width, bits_of, choice, polynomial, power_of_two, width, with_sign

# exp(r) = 1 + r + r**2 * (...)
_EXP_32 = (0.5, 0.16666542, 0.04166628, 0.00836664, 0.0013946621)
_EXP_64 = (
    *(0.5000000000000006, 0.16666666666666685, 0.041666666666572955, 0.008333333333314579, 0.0013888888932612035),
    *(0.00019841269903104995, 2.4801504150687287e-05, 2.7557227851836597e-06, 2.762644930333194e-07),
    2.511451536177922e-08,
)
# 2**r = 1 + r * (...)
_EXP2_32 = (0.6931472, 0.2402265, 0.055503275, 0.009618004, 0.00134004, 0.0001547635)
_EXP2_64 = (
    *(0.6931471805599453, 0.24022650695910133, 0.05550410866482174, 0.009618129107593052, 0.0013333558146378813),
    *(0.0001540353045846528, 1.5252733867804217e-05, 1.3215434610636551e-06, 1.0178046345555604e-07),
    *(7.073897743997513e-09, 4.4574047850909713e-10),
)
#: above this 1 / cosh(x)**2 is 0
_SLOPE_HIGHEST = (53, 374.0)


def exp_tail(r: Value) -> Value:
    """exp(r) - 1 - r for |r| <= log(2) / 2."""
    return r * r * polynomial(choice(r, _EXP_32, _EXP_64), r)


def reduced(a: Value) -> tuple[Value, Value]:
    """(n, r) with exp(a) = 2**n * exp(r), |r| <= log(2) / 2."""
    w = width(a)
    t = a * LOG2E + w.round
    n = bits_of(t) - w.round_bits
    k = t - w.round
    return n, (a - k * w.ln2[0]) - k * w.ln2[1]


def scaled(y: Value, n: Value, w: Width) -> Value:
    """y * 2**n, where that may be denormal or infinite."""
    half = n >> 1
    return y * power_of_two(half, w) * power_of_two(n - half, w)


def within(x: Value, lowest: float, highest: float) -> Value:
    """x, but no less and no more; NaN is NaN."""
    a = where(x < lowest, lowest, x)
    return where(a > highest, highest, a)


@function
def exp(x: Value) -> Value:
    """e**x, denormal results included."""
    n, r = reduced(within(x, choice(x, -104, -746.0), choice(x, 89, 710.0)))
    return scaled((exp_tail(r) + r) + 1.0, n, width(x))


@function
def expm1(x: Value) -> Value:
    """exp(x) - 1."""
    w = width(x)
    n, r = reduced(within(x, choice(x, -18, -38.0), choice(x, 89, 710.0)))
    s = power_of_two(n - 1, w)
    y = ((exp_tail(r) + r) * s + (s - 0.5)) * 2.0
    return where(abs(x) < w.tiny, x, y)


@function
def exp2(x: Value) -> Value:
    """2**x."""
    w = width(x)
    a = within(x, choice(x, -151, -1076.0), choice(x, 129, 1025.0))
    t = a + w.round
    n = bits_of(t) - w.round_bits
    r = a - (t - w.round)
    return scaled(polynomial(choice(x, _EXP2_32, _EXP2_64), r) * r + 1.0, n, w)


def _far(x: Value) -> tuple[Value, Value, Value]:
    """(|x|, n, e) with exp(-2 |x|) = 2**n * (1 + e), as far out as 1 / cosh(x)**2 is not 0.

    tanh and its slope are both made of this, which is computed once where both are wanted.
    """
    a, highest = abs(x), choice(x, *_SLOPE_HIGHEST)
    b = where(a > highest, highest, a)
    n, r = reduced(-(b + b))
    return a, n, exp_tail(r) + r


@function
def tanh(x: Value) -> Value:
    """-u / (u + 2), with u = expm1(-2 |x|)."""
    w = width(x)
    a, n, e = _far(x)
    s = power_of_two(n - 1, w)
    u = (e * s + (s - 0.5)) * 2.0
    # Far out s has no such exponent.
    y = where(a > choice(x, 10, 20.0), 1.0, -u / (u + 2.0))
    return where(a < w.tiny, x, with_sign(y, x))


@function
def tanh_slope(x: Value) -> Value:
    """1 / cosh(x)**2 = 4 z / (1 + z)**2 with z = exp(-2 |x|), denormal results included."""
    w = width(x)
    _, n, e = _far(x)
    half = n >> 1
    # Before the last factor z is a normal number, so that only the result is rounded to a denormal one.
    z = (e + 1.0) * power_of_two(half, w)
    last = power_of_two(n - half, w)
    d = z * last + 1.0
    return z / (d * d) * (last * 4.0)


@function
def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)), without overflow, denormal results included."""
    z = exp(-abs(x))
    return where(x > 0.0, 1.0, z) / (z + 1.0)


@function
def sigmoid_slope(x: Value) -> Value:
    """exp(-x) / (1 + exp(-x))**2, the same for -x."""
    z = exp(-abs(x))
    d = z + 1
    return z / (d * d)


@function
def softplus(x: Value) -> Value:
    """log(1 + exp(x)), without overflow, denormal results included."""
    return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x)))


@function
def log_sigmoid(x: Value) -> Value:
    """log(1 / (1 + exp(-x))), without overflow."""
    return -softplus(-x)
