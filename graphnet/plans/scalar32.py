"""exp, log, tanh and their kin for one float32, in arithmetic a compiler can turn into vector instructions.

Plain Python on NumPy scalars, without calls into a maths library and without a branch that is not a choice between two
values. `graphnet.plans.scalar_ir` turns what a kernel needs of this file into LLVM's language.
Each function reduces its argument exactly, evaluates a minimax polynomial (from tools/minimax.py: Remez, 60 digits)
and scales the result by powers of two in the bits, in two steps where the result may be denormal. Choices are written
so that NaN falls through to the result. Correct with and without contraction of a*b+c into one instruction.
"""

from __future__ import annotations

import numpy as np

INF32 = np.float32(np.inf)
NAN32 = np.float32(np.nan)
ZERO32 = np.float32(0)
HALF32 = np.float32(0.5)
ONE32 = np.float32(1)
TWO32 = np.float32(2)
FOUR32 = np.float32(4)
SIGN32 = np.int32(-(2**31))

# x + 1.5 * 2**23 rounds x to an integer and holds it in its low bits.
ROUND32 = np.float32(1.5 * 2**23)
ROUND_BITS32 = np.int32(1262485504)
# log(2) in two parts: k times the first is exact for |k| < 512.
LN2_HIGH32 = np.float32(0.693145751953125)
LN2_LOW32 = np.float32(1.428606765330187e-06)
LOG2E32 = np.float32(1.4426950408889634)

# exp(r) = 1 + r + r**2 * (...)
EXP32_0 = np.float32(0.5)
EXP32_1 = np.float32(0.16666542)
EXP32_2 = np.float32(0.04166628)
EXP32_3 = np.float32(0.00836664)
EXP32_4 = np.float32(0.0013946621)
EXP_LOWEST32 = np.float32(-104)
EXP_HIGHEST32 = np.float32(89)
EXPM1_LOWEST32 = np.float32(-18)

# 2**r = 1 + r * (...)
EXP2_0_32 = np.float32(0.6931472)
EXP2_1_32 = np.float32(0.2402265)
EXP2_2_32 = np.float32(0.055503275)
EXP2_3_32 = np.float32(0.009618004)
EXP2_4_32 = np.float32(0.00134004)
EXP2_5_32 = np.float32(0.0001547635)
EXP2_LOWEST32 = np.float32(-151)
EXP2_HIGHEST32 = np.float32(129)

# log(1 + f) = f - f**2 / 2 + f**3 * (...)
LOG32_0 = np.float32(0.33333316)
LOG32_1 = np.float32(-0.2500081)
LOG32_2 = np.float32(0.20002285)
LOG32_3 = np.float32(-0.16624565)
LOG32_4 = np.float32(0.14181225)
LOG32_5 = np.float32(-0.13128674)
LOG32_6 = np.float32(0.12881431)
LOG32_7 = np.float32(-0.07859581)
ROOT_HALF_BITS32 = np.int32(0x3F3504F3)
NORMAL32 = np.float32(2.0**-126)
LIFT32 = np.float32(2.0**23)
LIFT_EXPONENT32 = np.float32(23)
# Below this expm1(x), log1p(x) and tanh(x) round to x.
TINY32 = np.float32(2.0**-25)
TANH_HIGHEST32 = np.float32(10)
# Above this 1 / cosh(x)**2 is 0.
TANH_SLOPE_HIGHEST32 = np.float32(53)

# erf(x) = x + x * (... in x**2) up to 1, 1 - exp(... in x) above.
ERF_IN_0_32 = np.float32(0.12837917)
ERF_IN_1_32 = np.float32(-0.37612626)
ERF_IN_2_32 = np.float32(0.112835854)
ERF_IN_3_32 = np.float32(-0.026853811)
ERF_IN_4_32 = np.float32(0.0051883277)
ERF_IN_5_32 = np.float32(-0.0008010196)
ERF_IN_6_32 = np.float32(7.8538775e-05)
ERF_OUT_0_32 = np.float32(-0.0003395443)
ERF_OUT_1_32 = np.float32(-1.1270969)
ERF_OUT_2_32 = np.float32(-0.63813245)
ERF_OUT_3_32 = np.float32(-0.10311707)
ERF_OUT_4_32 = np.float32(0.021842804)
ERF_OUT_5_32 = np.float32(-0.0029487943)
ERF_OUT_6_32 = np.float32(0.00018649011)
ERF_HIGHEST32 = np.float32(4)

# erfc(a) * exp(a**2) * (a + 2.5) = (... in s), s = (2.375 - a) / (a + 2.5).
ERFC_0_32 = np.float32(1.0749652)
ERFC_1_32 = np.float32(0.84950686)
ERFC_2_32 = np.float32(0.49146375)
ERFC_3_32 = np.float32(0.18784127)
ERFC_4_32 = np.float32(0.030140672)
ERFC_5_32 = np.float32(-0.0103468215)
ERFC_6_32 = np.float32(-0.005489677)
ERFC_7_32 = np.float32(0.000628156)
ERFC_8_32 = np.float32(0.0007580053)
ERFC_SHIFT32 = np.float32(2.5)
ERFC_MIDDLE32 = np.float32(2.375)
ERFC_HIGHEST32 = np.float32(10.5)
UPPER_HALF32 = np.int32(-(2**12))

# sin and cos: the angle in quarter turns is that of scalar_tables; the polynomials are of what is left, in radians.
HALF_PI32 = 1.5707963267948966
SMALL_ANGLE32 = np.float32(0.78)
SIGNIFICAND_DOUBLE32 = 2**52 - 1
WHOLE_BITS32 = (1023 + 23) << 52
ROUND_DOUBLE32 = 6755399441055744.0
ROUND_DOUBLE_BITS32 = 4843621399236968448
SIN32_0 = np.float32(-0.16666655)
SIN32_1 = np.float32(0.008332173)
SIN32_2 = np.float32(-0.00019516652)
COS32_0 = np.float32(0.041666646)
COS32_1 = np.float32(-0.0013887362)
COS32_2 = np.float32(2.4437757e-05)

# pow goes through float64: log2(x) = s * (2 + s**2 * (...)) / log(2) + e.
POW_LOG_0_32 = 0.6666666667581047
POW_LOG_1_32 = 0.39999995618854056
POW_LOG_2_32 = 0.28572109460640094
POW_LOG_3_32 = 0.22176176369739736
POW_LOG_4_32 = 0.1958432700090182
POW_EXP_0_32 = 0.693147180541798
POW_EXP_1_32 = 0.24022651078059185
POW_EXP_2_32 = 0.055504109621691854
POW_EXP_3_32 = 0.009618036550023015
POW_EXP_4_32 = 0.0013333430965680392
POW_EXP_5_32 = 0.00015467235102659601
POW_EXP_6_32 = 1.531493408055087e-05
LOG2E_DOUBLE32 = 1.4426950408889634
ROOT_HALF_DOUBLE_BITS32 = 4604544271217802189


def power_of_two32(k):
    """2**k in the exponent bits, -126 <= k <= 127."""
    return np.int32((k + 127) << 23).view(np.float32)


def exp_tail32(r):
    """exp(r) - 1 - r for |r| <= log(2) / 2."""
    return r * r * ((((EXP32_4 * r + EXP32_3) * r + EXP32_2) * r + EXP32_1) * r + EXP32_0)


def exp32(x):
    a = EXP_LOWEST32 if x < EXP_LOWEST32 else x
    a = EXP_HIGHEST32 if a > EXP_HIGHEST32 else a
    t = a * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = (a - k * LN2_HIGH32) - k * LN2_LOW32
    half = np.int32(n >> 1)
    return ((exp_tail32(r) + r) + ONE32) * power_of_two32(half) * power_of_two32(n - half)


def expm1_within32(a):
    """expm1(a) for -18 <= a <= 89, with a loss where the result is denormal."""
    t = a * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = (a - k * LN2_HIGH32) - k * LN2_LOW32
    s = power_of_two32(n - 1)
    return ((exp_tail32(r) + r) * s + (s - HALF32)) * TWO32


def expm1_32(x):
    a = EXPM1_LOWEST32 if x < EXPM1_LOWEST32 else x
    a = EXP_HIGHEST32 if a > EXP_HIGHEST32 else a
    y = expm1_within32(a)
    return x if abs(x) < TINY32 else y


def exp2_32(x):
    a = EXP2_LOWEST32 if x < EXP2_LOWEST32 else x
    a = EXP2_HIGHEST32 if a > EXP2_HIGHEST32 else a
    t = a + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    r = a - (t - ROUND32)
    q = ((((EXP2_5_32 * r + EXP2_4_32) * r + EXP2_3_32) * r + EXP2_2_32) * r + EXP2_1_32) * r + EXP2_0_32
    half = np.int32(n >> 1)
    return (q * r + ONE32) * power_of_two32(half) * power_of_two32(n - half)


def log_tail32(f):
    """log(1 + f) - f for sqrt(1/2) - 1 <= f <= sqrt(2) - 1."""
    p = (((LOG32_7 * f + LOG32_6) * f + LOG32_5) * f + LOG32_4) * f + LOG32_3
    p = ((p * f + LOG32_2) * f + LOG32_1) * f + LOG32_0
    z = f * f
    return z * f * p - HALF32 * z


def log32(x):
    lifted = x < NORMAL32
    y = x * LIFT32 if lifted else x
    bits = np.float32(y).view(np.int32)
    e = np.int32(np.int32(bits - ROOT_HALF_BITS32) >> 23)
    f = np.int32(bits - (e << 23)).view(np.float32) - ONE32
    k = np.float32(e) - (LIFT_EXPONENT32 if lifted else ZERO32)
    y = (k * LN2_LOW32 + log_tail32(f)) + f + k * LN2_HIGH32
    y = y if x > ZERO32 else NAN32
    y = -INF32 if x == ZERO32 else y
    return y if x < INF32 else x


def log2_32(x):
    lifted = x < NORMAL32
    y = x * LIFT32 if lifted else x
    bits = np.float32(y).view(np.int32)
    e = np.int32(np.int32(bits - ROOT_HALF_BITS32) >> 23)
    f = np.int32(bits - (e << 23)).view(np.float32) - ONE32
    k = np.float32(e) - (LIFT_EXPONENT32 if lifted else ZERO32)
    y = (log_tail32(f) + f) * LOG2E32 + k
    y = y if x > ZERO32 else NAN32
    y = -INF32 if x == ZERO32 else y
    return y if x < INF32 else x


def log1p32(x):
    u = ONE32 + x
    bits = np.float32(u).view(np.int32)
    e = np.int32(np.int32(bits - ROOT_HALF_BITS32) >> 23)
    # u + lost is 1 + x exactly (Knuth's sum).
    back = u - ONE32
    lost = (ONE32 - (u - back)) + (x - back)
    f = np.int32(bits - (e << 23)).view(np.float32) - ONE32
    back_by = -e if e < 126 else -126
    f = x if e == 0 else f + lost * power_of_two32(back_by)
    k = np.float32(e)
    y = (k * LN2_LOW32 + log_tail32(f)) + f + k * LN2_HIGH32
    y = x if abs(x) < TINY32 else y
    y = y if x > -ONE32 else NAN32
    y = -INF32 if x == -ONE32 else y
    return y if x < INF32 else x


def with_sign32(y, x):
    """y >= 0 with the sign of x."""
    return np.int32(np.float32(y).view(np.int32) | (np.float32(x).view(np.int32) & SIGN32)).view(np.float32)


def tanh32(x):
    """-u / (u + 2), with u = expm1(-2 |x|). What tanh_slope32 computes too is written as there, to be computed once."""
    a = abs(x)
    b = TANH_SLOPE_HIGHEST32 if a > TANH_SLOPE_HIGHEST32 else a
    c = -(b + b)
    t = c * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = (c - k * LN2_HIGH32) - k * LN2_LOW32
    e = exp_tail32(r) + r
    s = power_of_two32(n - 1)
    u = (e * s + (s - HALF32)) * TWO32
    # Far out s has no such exponent.
    y = ONE32 if a > TANH_HIGHEST32 else -u / (u + TWO32)
    return x if a < TINY32 else with_sign32(y, x)


def tanh_slope32(x):
    """1 / cosh(x)**2 = 4 z / (1 + z)**2 with z = exp(-2 |x|), denormal results included."""
    a = abs(x)
    b = TANH_SLOPE_HIGHEST32 if a > TANH_SLOPE_HIGHEST32 else a
    c = -(b + b)
    t = c * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = (c - k * LN2_HIGH32) - k * LN2_LOW32
    e = exp_tail32(r) + r
    half = np.int32(n >> 1)
    # Before the last factor z is a normal number, so that only the result is rounded to a denormal one.
    z = (e + ONE32) * power_of_two32(half)
    last = power_of_two32(n - half)
    d = ONE32 + z * last
    return z / (d * d) * (last * FOUR32)


def sigmoid32(x):
    """1 / (1 + exp(-x)), without overflow, denormal results included."""
    z = exp32(-abs(x))
    return (ONE32 if x > ZERO32 else z) / (ONE32 + z)


def softplus32(x):
    """log(1 + exp(x)), without overflow, denormal results included."""
    return (x if x > ZERO32 else ZERO32) + log1p32(exp32(-abs(x)))


def erf_ratio32(x):
    """erf(x) / x - 1 for |x| <= 1."""
    z = x * x
    inner = ((ERF_IN_6_32 * z + ERF_IN_5_32) * z + ERF_IN_4_32) * z + ERF_IN_3_32
    return ((inner * z + ERF_IN_2_32) * z + ERF_IN_1_32) * z + ERF_IN_0_32


def erf32(x):
    a = abs(x)
    b = ERF_HIGHEST32 if a > ERF_HIGHEST32 else a
    outer = ((ERF_OUT_6_32 * b + ERF_OUT_5_32) * b + ERF_OUT_4_32) * b + ERF_OUT_3_32
    outer = ((outer * b + ERF_OUT_2_32) * b + ERF_OUT_1_32) * b + ERF_OUT_0_32
    y = with_sign32(ONE32 - exp32(outer), x)
    return erf_ratio32(x) * x + x if a < ONE32 else y


def erfc32(x):
    a = abs(x)
    a = ERFC_HIGHEST32 if a > ERFC_HIGHEST32 else a
    inverse = ONE32 / (a + ERFC_SHIFT32)
    s = (ERFC_MIDDLE32 - a) * inverse
    p = (((ERFC_8_32 * s + ERFC_7_32) * s + ERFC_6_32) * s + ERFC_5_32) * s + ERFC_4_32
    p = (((p * s + ERFC_3_32) * s + ERFC_2_32) * s + ERFC_1_32) * s + ERFC_0_32
    # exp(-a * a) as in exp32, where a * a = h * h + (a - h) * (a + h) and h has so few digits that h * h is exact.
    h = np.int32(np.float32(a).view(np.int32) & UPPER_HALF32).view(np.float32)
    square = -h * h
    t = square * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = ((square - k * LN2_HIGH32) - k * LN2_LOW32) - (a - h) * (a + h)
    half = np.int32(n >> 1)
    p = p * inverse
    y = ((exp_tail32(r) + r) * p + p) * power_of_two32(half) * power_of_two32(n - half)
    y = TWO32 - y if x < ZERO32 else y
    return (ONE32 - x) - erf_ratio32(x) * x if a < ONE32 else y


def gaussian32(x):
    """exp(-x * x), as in erfc32."""
    a = abs(x)
    a = ERFC_HIGHEST32 if a > ERFC_HIGHEST32 else a
    h = np.int32(np.float32(a).view(np.int32) & UPPER_HALF32).view(np.float32)
    square = -h * h
    t = square * LOG2E32 + ROUND32
    n = np.int32(np.float32(t).view(np.int32) - ROUND_BITS32)
    k = t - ROUND32
    r = ((square - k * LN2_HIGH32) - k * LN2_LOW32) - (a - h) * (a + h)
    half = np.int32(n >> 1)
    return ((exp_tail32(r) + r) + ONE32) * power_of_two32(half) * power_of_two32(n - half)


def sin_shifted32(x, quarters):
    """sin(x + quarters * pi / 2)."""
    a = abs(x)
    bits = np.float64(a).view(np.int64)
    e = (bits >> 52) - 1022
    e = 0 if e < 0 else e
    e = 128 if e > 128 else e
    m = np.int64((bits & SIGNIFICAND_DOUBLE32) | WHOLE_BITS32).view(np.float64)
    q = m * QUARTERS_0_32[e]
    rest = m * QUARTERS_1_32[e]
    t = (q + rest) + ROUND_DOUBLE32
    small = a < SMALL_ANGLE32
    n = 0 if small else np.float64(t).view(np.int64) - ROUND_DOUBLE_BITS32
    r = np.float32(((q - (t - ROUND_DOUBLE32)) + rest) * HALF_PI32)
    r = a if small else r
    # sin(-a + quarters) = -sin(a - quarters)
    negative = x < ZERO32
    r = -r if negative else r
    n = (-n if negative else n) + quarters
    z = r * r
    sine = r * z * ((SIN32_2 * z + SIN32_1) * z + SIN32_0) + r
    cosine = z * z * ((COS32_2 * z + COS32_1) * z + COS32_0) - HALF32 * z + ONE32
    y = cosine if n & 1 else sine
    y = -y if n & 2 else y
    return y if a < INF32 else x - x


def sin32(x):
    return x if x == ZERO32 else sin_shifted32(x, 0)


def cos32(x):
    return sin_shifted32(x, 1)


def pow32(x, y):
    b = abs(np.float64(x))
    bits = np.float64(b).view(np.int64)
    e = (bits - ROOT_HALF_DOUBLE_BITS32) >> 52
    m = np.int64(bits - (e << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = (((POW_LOG_4_32 * z + POW_LOG_3_32) * z + POW_LOG_2_32) * z + POW_LOG_1_32) * z + POW_LOG_0_32
    k = np.int64(e + ROUND_DOUBLE_BITS32).view(np.float64) - ROUND_DOUBLE32
    log2 = (s * z * p + (s + s)) * LOG2E_DOUBLE32 + k
    log2 = log2 if b < np.inf else b
    log2 = -np.inf if b == 0.0 else log2
    c = np.float64(y)
    w = 0.0 if b == 1.0 else c * log2
    w = 0.0 if c == 0.0 else w
    w = -160.0 if w < -160.0 else w
    w = 130.0 if w > 130.0 else w
    t = w + ROUND_DOUBLE32
    r = w - (t - ROUND_DOUBLE32)
    q = ((POW_EXP_6_32 * r + POW_EXP_5_32) * r + POW_EXP_4_32) * r + POW_EXP_3_32
    q = (((q * r + POW_EXP_2_32) * r + POW_EXP_1_32) * r + POW_EXP_0_32) * r + 1.0
    v = np.float32(q * np.int64((np.float64(t).view(np.int64) - ROUND_DOUBLE_BITS32 + 1023) << 52).view(np.float64))
    # A negative base: the sign is that of an odd exponent, and an exponent that is no integer has no result.
    c = 33554432.0 if abs(c) > 33554432.0 else c
    t = c + ROUND_DOUBLE32
    negative = np.float32(x).view(np.int32) < 0
    whole = t - ROUND_DOUBLE32 == c
    v = -v if negative & whole & (np.float64(t).view(np.int64) & 1 == 1) else v
    return NAN32 if (x < ZERO32) & (b < np.inf) & (c != 0.0) & (not whole) else v
