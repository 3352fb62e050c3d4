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
# tanh(a) = a + a**3 * (... in a**2) for a < _NEAR, where it is 1/2
_TANH_32 = (-0.33332947, 0.13320725, -0.05267185, 0.016437668)
_TANH_64 = (
    *(-0.33333333333332316, 0.1333333333316872, -0.053968253876084844, 0.021869485974927272, -0.008863194505808),
    *(0.0035917197123462264, -0.001453216836424271, 0.0005791372717761823, -0.00021030284879293773),
    5.102180895368022e-05,
)
_NEAR = 0.55
#: 4 exp(-x) and exp(-x) are 0 above these
_SLOPE_HIGHEST, _HIGHEST = (106, 748.0), (104, 746.0)


def exp_tail(r: Value) -> Value:
    """exp(r) - 1 - r for |r| <= log(2) / 2."""
    return r * r * polynomial(choice(r, _EXP_32, _EXP_64), r)


def reduced(a: Value) -> tuple[Value, Value, Value]:
    """(n, high, low) with exp(a) = 2**n * exp(high - low), |high - low| <= log(2) / 2; `high` is exact."""
    w = width(a)
    t = a * LOG2E + w.round
    n = bits_of(t) - w.round_bits
    k = t - w.round
    return n, a - k * w.ln2[0], k * w.ln2[1]


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
    n, high, low = reduced(within(x, choice(x, -104, -746.0), choice(x, 89, 710.0)))
    r = high - low
    return scaled((exp_tail(r) + r) + 1.0, n, width(x))


@function
def expm1(x: Value) -> Value:
    """exp(x) - 1."""
    w = width(x)
    n, high, low = reduced(within(x, choice(x, -18, -38.0), choice(x, 89, 710.0)))
    s = power_of_two(n - 1, w)
    # What cancels is added first, and without the error of high - low.
    y = ((exp_tail(high - low) - low) * s + (high * s + (s - 0.5))) * 2.0
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


#: powers of two are made this much larger, so that 2**-n is no denormal number as long as exp(-b) is not 0
_MORE = (64, 512)


def _small(b: Value, highest: tuple[float, float]) -> tuple[Value, Value, Value, float]:
    """(r, e, power, rest) for b >= 0, which may be limited: exp(-b) = power * rest / exp(r), e = exp(r) - 1.

    power * rest is a power of two. What is made of one argument is computed once.
    """
    w, limit, more = width(b), choice(b, *highest), choice(b, *_MORE)
    n, high, low = reduced(where(b > limit, limit, b))
    power, rest = power_of_two(more - n, w), 2.0**-more
    r = high - low
    return r, (exp_tail(r) - low) + high, power, rest


@function
def tanh(x: Value) -> Value:
    """1 - 2 / (exp(2 |x|) + 1) with the sign of x, and a polynomial where that is below 1/2."""
    a = abs(x)
    r, _, power, rest = _small(a + a, _SLOPE_HIGHEST)
    far = 1.0 - power * (2.0 * rest) / ((exp_tail(r) + r) + (power * rest + 1.0))
    z = a * a
    near = a * z * polynomial(choice(x, _TANH_32, _TANH_64), z) + a
    return with_sign(where(a < _NEAR, near, far), x)


def _slope(b: Value, highest: tuple[float, float], factor: float) -> Value:
    """factor * exp(-b) / (1 + exp(-b))**2 for b >= 0."""
    _, e, power, rest = _small(b, highest)
    t = power * rest
    a = e + 1.0
    d = a + t
    lost = t - (d - a)
    return a / (d * d + (d + d) * lost) * power * (rest * factor)


@function
def tanh_slope(x: Value) -> Value:
    """1 / cosh(x)**2, denormal results included."""
    a = abs(x)
    return _slope(a + a, _SLOPE_HIGHEST, 4.0)


@function
def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)), without overflow, denormal results included."""
    _, e, power, rest = _small(abs(x), _HIGHEST)
    a = e + power * rest
    d = a + 1.0
    lost = a - (d - 1.0)
    inverse = 1.0 / d
    y = (inverse - inverse * (inverse * lost)) * power * rest
    return where(x > 0.0, 1.0 - y, y)


@function
def sigmoid_slope(x: Value) -> Value:
    """exp(-x) / (1 + exp(-x))**2, the same for -x, denormal results included."""
    return _slope(abs(x), _HIGHEST, 1.0)


@function
def softplus(x: Value) -> Value:
    """log(1 + exp(x)), without overflow, denormal results included."""
    return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x)))


@function
def log_sigmoid(x: Value) -> Value:
    """log(1 / (1 + exp(-x))), without overflow."""
    return -softplus(-x)
