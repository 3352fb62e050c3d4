"""exp, log, tanh and their kin for one float64: what scalar32 is for float32 (see there for the method).

Integers stay 64 bits wide beside the doubles, and an integer becomes a double by adding it to the bits of 1.5 * 2**52,
so that the loops vectorise without AVX-512 as well.
"""

from __future__ import annotations

import numpy as np

INF64 = np.inf
NAN64 = np.nan
SIGN64 = np.int64(-(2**63))

# x + 1.5 * 2**52 rounds x to an integer and holds it in its low bits.
ROUND64 = 6755399441055744.0
ROUND_BITS64 = 4843621399236968448
# log(2) in two parts: k times the first is exact for |k| < 2048.
LN2_HIGH64 = 0.6931471805598903
LN2_LOW64 = 5.497923018708371e-14
LOG2E64 = 1.4426950408889634

# exp(r) = 1 + r + r**2 * (...)
EXP64_0 = 0.5000000000000006
EXP64_1 = 0.16666666666666685
EXP64_2 = 0.041666666666572955
EXP64_3 = 0.008333333333314579
EXP64_4 = 0.0013888888932612035
EXP64_5 = 0.00019841269903104995
EXP64_6 = 2.4801504150687287e-05
EXP64_7 = 2.7557227851836597e-06
EXP64_8 = 2.762644930333194e-07
EXP64_9 = 2.511451536177922e-08
EXP_LOWEST64 = -746.0
EXP_HIGHEST64 = 710.0
EXPM1_LOWEST64 = -38.0

# 2**r = 1 + r * (...)
EXP2_0_64 = 0.6931471805599453
EXP2_1_64 = 0.24022650695910133
EXP2_2_64 = 0.05550410866482174
EXP2_3_64 = 0.009618129107593052
EXP2_4_64 = 0.0013333558146378813
EXP2_5_64 = 0.0001540353045846528
EXP2_6_64 = 1.5252733867804217e-05
EXP2_7_64 = 1.3215434610636551e-06
EXP2_8_64 = 1.0178046345555604e-07
EXP2_9_64 = 7.073897743997513e-09
EXP2_10_64 = 4.4574047850909713e-10
EXP2_LOWEST64 = -1076.0
EXP2_HIGHEST64 = 1025.0

# log(1 + f) = 2 s + s**3 * (...) with s = f / (2 + f)
LOG64_0 = 0.6666666666666734
LOG64_1 = 0.3999999999941402
LOG64_2 = 0.28571428742543575
LOG64_3 = 0.22222198556129522
LOG64_4 = 0.1818356526703055
LOG64_5 = 0.1531402509567694
LOG64_6 = 0.14796218122609167
ROOT_HALF_BITS64 = 0x3FE6A09E667F3BCD
NORMAL64 = 2.2250738585072014e-308
LIFT64 = 4503599627370496.0
LIFT_EXPONENT64 = 52.0
# Below this expm1(x), log1p(x) and tanh(x) round to x.
TINY64 = 5.551115123125783e-17
TANH_HIGHEST64 = 20.0
# Above this 1 / cosh(x)**2 is 0.
TANH_SLOPE_HIGHEST64 = 374.0

# erf(x) = x + x * (... in x**2) up to 1, 1 - exp(... in x) above.
ERF_IN_0_64 = 0.12837916709551256
ERF_IN_1_64 = -0.3761263890318352
ERF_IN_2_64 = 0.11283791670944185
ERF_IN_3_64 = -0.026866170643111496
ERF_IN_4_64 = 0.005223977606118922
ERF_IN_5_64 = -0.0008548325929336301
ERF_IN_6_64 = 0.00012055293577455848
ERF_IN_7_64 = -1.4924712310187378e-05
ERF_IN_8_64 = 1.6447131641433904e-06
ERF_IN_9_64 = -1.6206314084710234e-07
ERF_IN_10_64 = 1.3710981039400154e-08
ERF_IN_11_64 = -7.779468526815651e-10
ERF_OUT_0_64 = -4.995561761722539e-07
ERF_OUT_1_64 = -1.1283741201127209
ERF_OUT_2_64 = -0.6366434957410183
ERF_OUT_3_64 = -0.1027037920785982
ERF_OUT_4_64 = 0.01899082737073183
ERF_OUT_5_64 = 0.0004097539489924614
ERF_OUT_6_64 = -0.0019150500416019978
ERF_OUT_7_64 = 0.000769935951147776
ERF_OUT_8_64 = -0.00013461129646202846
ERF_OUT_9_64 = -2.0481601295944747e-05
ERF_OUT_10_64 = 2.290547024179697e-05
ERF_OUT_11_64 = -8.692272095820966e-06
ERF_OUT_12_64 = 2.1415610506005386e-06
ERF_OUT_13_64 = -3.7434800826471594e-07
ERF_OUT_14_64 = 4.655879249682835e-08
ERF_OUT_15_64 = -3.946451933054798e-09
ERF_OUT_16_64 = 2.0517007517785919e-10
ERF_OUT_17_64 = -4.9458961398474315e-12
ERF_HIGHEST64 = 6.0

# erfc(a) * exp(a**2) * (a + 3) = (... in s), s = (3.25 - a) / (a + 3).
ERFC_0_64 = 1.0395959276676368
ERFC_1_64 = 0.8041307255030811
ERFC_2_64 = 0.5106609033130624
ERFC_3_64 = 0.25814237696605963
ERFC_4_64 = 0.09694434070506554
ERFC_5_64 = 0.022030001865900158
ERFC_6_64 = -0.0003043928123284583
ERFC_7_64 = -0.0021367490169142294
ERFC_8_64 = -0.00046162241213801764
ERFC_9_64 = 0.00016020538968175108
ERFC_10_64 = 7.912441261679018e-05
ERFC_11_64 = -1.3712967922225092e-05
ERFC_12_64 = -1.1959409693394968e-05
ERFC_13_64 = 1.7872582806123325e-06
ERFC_14_64 = 1.8627923232116216e-06
ERFC_15_64 = -3.554853977317131e-07
ERFC_16_64 = -3.0264084798957336e-07
ERFC_17_64 = 6.339574868475859e-08
ERFC_18_64 = 4.485707815393861e-08
ERFC_SHIFT64 = 3.0
ERFC_MIDDLE64 = 3.25
ERFC_HIGHEST64 = 27.5

# sin and cos: the angle in quarter turns is that of scalar_tables; the polynomials are of what is left, in radians.
HALF_PI64 = 1.5707963267948966
SMALL_ANGLE64 = 0.78
SIGNIFICAND64 = 2**52 - 1
WHOLE_BITS64 = (1023 + 52) << 52
SIN64_0 = -0.16666666666666632
SIN64_1 = 0.008333333333322316
SIN64_2 = -0.00019841269829725912
SIN64_3 = 2.7557313662334277e-06
SIN64_4 = -2.5050753312139967e-08
SIN64_5 = 1.5896507930074328e-10
COS64_0 = 0.0416666666666666
COS64_1 = -0.0013888888888873992
COS64_2 = 2.4801587289395967e-05
COS64_3 = -2.7557314326270964e-07
COS64_4 = 2.0875719584101213e-09
COS64_5 = -1.1359449684479013e-11

# log(1 + f) = 2 s + 2/3 s**3 + s**5 * (...); 2/3 in two parts.
POW_LOG_0_64 = 0.3999999999999998
POW_LOG_1_64 = 0.2857142857144512
POW_LOG_2_64 = 0.22222222217534496
POW_LOG_3_64 = 0.181818188705567
POW_LOG_4_64 = 0.15384556854349563
POW_LOG_5_64 = 0.13336318067029393
POW_LOG_6_64 = 0.11674805173513671
POW_LOG_7_64 = 0.11989125829937329
TWO_THIRDS_HIGH64 = 0.6666666567325592
TWO_THIRDS_LOW64 = 9.934107462565104e-09
UPPER_HALF64 = -(2**27)
POW_FLOOR64 = -800.0
POW_CEILING64 = 800.0


def power_of_two64(k):
    """2**k in the exponent bits, -1022 <= k <= 1023."""
    return np.int64((k + 1023) << 52).view(np.float64)


def exp_tail64(r):
    """exp(r) - 1 - r for |r| <= log(2) / 2."""
    p = (((EXP64_9 * r + EXP64_8) * r + EXP64_7) * r + EXP64_6) * r + EXP64_5
    p = (((p * r + EXP64_4) * r + EXP64_3) * r + EXP64_2) * r + EXP64_1
    p = p * r + EXP64_0
    return r * r * p


def exp64(x):
    a = EXP_LOWEST64 if x < EXP_LOWEST64 else x
    a = EXP_HIGHEST64 if a > EXP_HIGHEST64 else a
    t = a * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = (a - k * LN2_HIGH64) - k * LN2_LOW64
    half = n >> 1
    return ((exp_tail64(r) + r) + 1.0) * power_of_two64(half) * power_of_two64(n - half)


def expm1_within64(a):
    """expm1(a) for -38 <= a <= 710, with a loss where the result is denormal."""
    t = a * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = (a - k * LN2_HIGH64) - k * LN2_LOW64
    s = power_of_two64(n - 1)
    return ((exp_tail64(r) + r) * s + (s - 0.5)) * 2.0


def expm1_64(x):
    a = EXPM1_LOWEST64 if x < EXPM1_LOWEST64 else x
    a = EXP_HIGHEST64 if a > EXP_HIGHEST64 else a
    y = expm1_within64(a)
    return x if abs(x) < TINY64 else y


def exp2_64(x):
    a = EXP2_LOWEST64 if x < EXP2_LOWEST64 else x
    a = EXP2_HIGHEST64 if a > EXP2_HIGHEST64 else a
    t = a + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    r = a - (t - ROUND64)
    p = (((EXP2_10_64 * r + EXP2_9_64) * r + EXP2_8_64) * r + EXP2_7_64) * r + EXP2_6_64
    p = (((p * r + EXP2_5_64) * r + EXP2_4_64) * r + EXP2_3_64) * r + EXP2_2_64
    p = (p * r + EXP2_1_64) * r + EXP2_0_64
    half = n >> 1
    return (p * r + 1.0) * power_of_two64(half) * power_of_two64(n - half)


def log_tail64(f):
    """log(1 + f) - f for sqrt(1/2) - 1 <= f <= sqrt(2) - 1."""
    s = f / (2.0 + f)
    z = s * s
    p = (((LOG64_6 * z + LOG64_5) * z + LOG64_4) * z + LOG64_3) * z + LOG64_2
    p = (p * z + LOG64_1) * z + LOG64_0
    h = 0.5 * f * f
    return s * (h + z * p) - h


def whole64(n):
    """The integer n, |n| < 2**51, as a double."""
    return np.int64(n + ROUND_BITS64).view(np.float64) - ROUND64


def log64(x):
    lifted = x < NORMAL64
    y = x * LIFT64 if lifted else x
    bits = np.float64(y).view(np.int64)
    e = (bits - ROOT_HALF_BITS64) >> 52
    f = np.int64(bits - (e << 52)).view(np.float64) - 1.0
    k = whole64(e) - (LIFT_EXPONENT64 if lifted else 0.0)
    y = (k * LN2_LOW64 + log_tail64(f)) + f + k * LN2_HIGH64
    y = y if x > 0.0 else NAN64
    y = -INF64 if x == 0.0 else y
    return y if x < INF64 else x


def log2_64(x):
    lifted = x < NORMAL64
    y = x * LIFT64 if lifted else x
    bits = np.float64(y).view(np.int64)
    e = (bits - ROOT_HALF_BITS64) >> 52
    f = np.int64(bits - (e << 52)).view(np.float64) - 1.0
    k = whole64(e) - (LIFT_EXPONENT64 if lifted else 0.0)
    y = (log_tail64(f) + f) * LOG2E64 + k
    y = y if x > 0.0 else NAN64
    y = -INF64 if x == 0.0 else y
    return y if x < INF64 else x


def log1p64(x):
    u = 1.0 + x
    bits = np.float64(u).view(np.int64)
    e = (bits - ROOT_HALF_BITS64) >> 52
    # u + lost is 1 + x exactly (Knuth's sum).
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    f = np.int64(bits - (e << 52)).view(np.float64) - 1.0
    back_by = -e if e < 1022 else -1022
    f = x if e == 0 else f + lost * power_of_two64(back_by)
    k = whole64(e)
    y = (k * LN2_LOW64 + log_tail64(f)) + f + k * LN2_HIGH64
    y = x if abs(x) < TINY64 else y
    y = y if x > -1.0 else NAN64
    y = -INF64 if x == -1.0 else y
    return y if x < INF64 else x


def with_sign64(y, x):
    """y >= 0 with the sign of x."""
    return np.int64(np.float64(y).view(np.int64) | (np.float64(x).view(np.int64) & SIGN64)).view(np.float64)


def tanh64(x):
    """-u / (u + 2), with u = expm1(-2 |x|). What tanh_slope64 computes too is written as there, to be computed once."""
    a = abs(x)
    b = TANH_SLOPE_HIGHEST64 if a > TANH_SLOPE_HIGHEST64 else a
    c = -(b + b)
    t = c * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = (c - k * LN2_HIGH64) - k * LN2_LOW64
    e = exp_tail64(r) + r
    s = power_of_two64(n - 1)
    u = (e * s + (s - 0.5)) * 2.0
    # Far out s has no such exponent.
    y = 1.0 if a > TANH_HIGHEST64 else -u / (u + 2.0)
    return x if a < TINY64 else with_sign64(y, x)


def tanh_slope64(x):
    """1 / cosh(x)**2 = 4 z / (1 + z)**2 with z = exp(-2 |x|), denormal results included."""
    a = abs(x)
    b = TANH_SLOPE_HIGHEST64 if a > TANH_SLOPE_HIGHEST64 else a
    c = -(b + b)
    t = c * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = (c - k * LN2_HIGH64) - k * LN2_LOW64
    e = exp_tail64(r) + r
    half = n >> 1
    # Before the last factor z is a normal number, so that only the result is rounded to a denormal one.
    z = (e + 1.0) * power_of_two64(half)
    last = power_of_two64(n - half)
    d = 1.0 + z * last
    return z / (d * d) * (last * 4.0)


def sigmoid64(x):
    """1 / (1 + exp(-x)), without overflow, denormal results included."""
    z = exp64(-abs(x))
    return (1.0 if x > 0.0 else z) / (1.0 + z)


def softplus64(x):
    """log(1 + exp(x)), without overflow, denormal results included."""
    return (x if x > 0.0 else 0.0) + log1p64(exp64(-abs(x)))


def erf_ratio64(x):
    """erf(x) / x - 1 for |x| <= 1."""
    z = x * x
    p = (((ERF_IN_11_64 * z + ERF_IN_10_64) * z + ERF_IN_9_64) * z + ERF_IN_8_64) * z + ERF_IN_7_64
    p = (((p * z + ERF_IN_6_64) * z + ERF_IN_5_64) * z + ERF_IN_4_64) * z + ERF_IN_3_64
    return ((p * z + ERF_IN_2_64) * z + ERF_IN_1_64) * z + ERF_IN_0_64


def erf64(x):
    a = abs(x)
    b = ERF_HIGHEST64 if a > ERF_HIGHEST64 else a
    p = (((ERF_OUT_17_64 * b + ERF_OUT_16_64) * b + ERF_OUT_15_64) * b + ERF_OUT_14_64) * b + ERF_OUT_13_64
    p = (((p * b + ERF_OUT_12_64) * b + ERF_OUT_11_64) * b + ERF_OUT_10_64) * b + ERF_OUT_9_64
    p = (((p * b + ERF_OUT_8_64) * b + ERF_OUT_7_64) * b + ERF_OUT_6_64) * b + ERF_OUT_5_64
    p = (((p * b + ERF_OUT_4_64) * b + ERF_OUT_3_64) * b + ERF_OUT_2_64) * b + ERF_OUT_1_64
    p = p * b + ERF_OUT_0_64
    y = with_sign64(1.0 - exp64(p), x)
    return erf_ratio64(x) * x + x if a < 1.0 else y


def upper64(x):
    """x with the low 27 bits of its mantissa zero: products of two such are exact.

    It masks bits, because the usual split by a sum of products goes wrong where they are contracted.
    """
    return np.int64(np.float64(x).view(np.int64) & UPPER_HALF64).view(np.float64)


def erfc64(x):
    a = abs(x)
    a = ERFC_HIGHEST64 if a > ERFC_HIGHEST64 else a
    inverse = 1.0 / (a + ERFC_SHIFT64)
    s = (ERFC_MIDDLE64 - a) * inverse
    p = (((ERFC_18_64 * s + ERFC_17_64) * s + ERFC_16_64) * s + ERFC_15_64) * s + ERFC_14_64
    p = (((p * s + ERFC_13_64) * s + ERFC_12_64) * s + ERFC_11_64) * s + ERFC_10_64
    p = (((p * s + ERFC_9_64) * s + ERFC_8_64) * s + ERFC_7_64) * s + ERFC_6_64
    p = (((p * s + ERFC_5_64) * s + ERFC_4_64) * s + ERFC_3_64) * s + ERFC_2_64
    p = (p * s + ERFC_1_64) * s + ERFC_0_64
    # exp(-a * a) as in exp64, where a * a = h * h + (a - h) * (a + h) and h has so few digits that h * h is exact.
    h = upper64(a)
    square = -h * h
    t = square * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = ((square - k * LN2_HIGH64) - k * LN2_LOW64) - (a - h) * (a + h)
    half = n >> 1
    p = p * inverse
    y = ((exp_tail64(r) + r) * p + p) * power_of_two64(half) * power_of_two64(n - half)
    y = 2.0 - y if x < 0.0 else y
    return (1.0 - x) - erf_ratio64(x) * x if a < 1.0 else y


def gaussian64(x):
    """exp(-x * x), as in erfc64."""
    a = abs(x)
    a = ERFC_HIGHEST64 if a > ERFC_HIGHEST64 else a
    h = upper64(a)
    square = -h * h
    t = square * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    k = t - ROUND64
    r = ((square - k * LN2_HIGH64) - k * LN2_LOW64) - (a - h) * (a + h)
    half = n >> 1
    return ((exp_tail64(r) + r) + 1.0) * power_of_two64(half) * power_of_two64(n - half)


def sin_shifted64(x, quarters):
    """sin(x + quarters * pi / 2)."""
    a = abs(x)
    bits = np.float64(a).view(np.int64)
    e = (bits >> 52) - 1022
    e = 0 if e < 0 else e
    e = 1024 if e > 1024 else e
    m = np.int64((bits & SIGNIFICAND64) | WHOLE_BITS64).view(np.float64)
    m_high = upper64(m)
    m_low = m - m_high
    part1 = QUARTERS_1_64[e]
    part2 = QUARTERS_2_64[e]
    part3 = QUARTERS_3_64[e]
    part4 = QUARTERS_4_64[e]
    # m_high times part 0 is a multiple of 4. All of these products, and of their sums, are exact up to `tiny`, because
    # they cancel where x is near a multiple of pi / 2.
    first = m_low * QUARTERS_0_64[e]
    second = m_high * part1
    t1 = first + ROUND64
    t2 = second + ROUND64
    first = (first - (t1 - ROUND64)) + (second - (t2 - ROUND64))
    second = m_low * part1 + m_high * part2
    t3 = (first + second) + ROUND64
    first = (first - (t3 - ROUND64)) + second
    second = m_low * part2 + m_high * part3
    third = m_low * part3 + m_high * part4
    tiny = m_low * part4 + m * QUARTERS_5_64[e]
    high = first + second
    back = high - first
    low = (first - (high - back)) + (second - back)
    first = high + third
    back = first - high
    low = low + ((high - (first - back)) + (third - back))
    r = (first + (low + tiny)) * HALF_PI64
    small = a < SMALL_ANGLE64
    # Of the sum of their bits, the lowest two count, which are 0 in ROUND64.
    n = np.float64(t1).view(np.int64) + np.float64(t2).view(np.int64) + np.float64(t3).view(np.int64)
    n = 0 if small else n
    r = a if small else r
    negative = x < 0.0
    r = -r if negative else r
    # sin(-a + quarters) = -sin(a - quarters)
    n = (-n if negative else n) + quarters
    z = r * r
    p = (((SIN64_5 * z + SIN64_4) * z + SIN64_3) * z + SIN64_2) * z + SIN64_1
    p = p * z + SIN64_0
    sine = r * z * p + r
    p = (((COS64_5 * z + COS64_4) * z + COS64_3) * z + COS64_2) * z + COS64_1
    p = p * z + COS64_0
    h = 0.5 * z
    # 1 - h is rounded; what was lost comes back with the tail.
    w = 1.0 - h
    cosine = z * z * p + ((1.0 - w) - h) + w
    y = cosine if n & 1 else sine
    y = -y if n & 2 else y
    return y if a < INF64 else x - x


def sin64(x):
    return x if x == 0.0 else sin_shifted64(x, 0)


def cos64(x):
    return sin_shifted64(x, 1)


def pow64(x, y):
    # log |x| as high + low, to about 2**-65 of itself, because exp below multiplies its error by up to 745.
    b = abs(x)
    lifted = b < NORMAL64
    m = b * LIFT64 if lifted else b
    bits = np.float64(m).view(np.int64)
    e = (bits - ROOT_HALF_BITS64) >> 52
    m = np.int64(bits - (e << 52)).view(np.float64)
    k = whole64(e) - (LIFT_EXPONENT64 if lifted else 0.0)
    f = m - 1.0
    d = m + 1.0
    d_high = upper64(d)
    d_low = (d - d_high) + (m - (d - 1.0))
    inverse = 1.0 / d
    s = upper64(f * inverse)
    s_low = ((f - s * d_high) - s * d_low) * inverse
    z = s * s
    z_high = upper64(z)
    cube = s * z_high
    cube_low = s * ((z - z_high) + (2.0 * s + s_low) * s_low) + s_low * (z + 2.0 * s * s_low)
    cube_high = upper64(cube)
    whole_s = s + s_low
    v = whole_s * whole_s
    p = (((POW_LOG_7_64 * v + POW_LOG_6_64) * v + POW_LOG_5_64) * v + POW_LOG_4_64) * v + POW_LOG_3_64
    p = ((p * v + POW_LOG_2_64) * v + POW_LOG_1_64) * v + POW_LOG_0_64
    third = cube_high * TWO_THIRDS_HIGH64
    third_low = ((cube - cube_high) + cube_low) * TWO_THIRDS_HIGH64 + (cube + cube_low) * TWO_THIRDS_LOW64
    base = k * LN2_HIGH64
    high = base + 2.0 * s
    low = 2.0 * s - (high - base)
    more = high + third
    low = low + (third - (more - high))
    low = low + (2.0 * s_low + third_low + whole_s * v * v * p + k * LN2_LOW64)
    high = more + low
    low = low - (high - more)
    high = high if b < INF64 else b
    high = -INF64 if b == 0.0 else high
    # y * log |x| as w + w_low
    product = 0.0 if b == 1.0 else y * high
    product = 0.0 if y == 0.0 else product
    product = POW_FLOOR64 if product < POW_FLOOR64 else product
    product = POW_CEILING64 if product > POW_CEILING64 else product
    w = upper64(product)
    y_high = upper64(y)
    l_high = upper64(high)
    w_low = ((y_high * l_high - w) + (y_high * (high - l_high) + (y - y_high) * high)) + y * low
    w_low = w_low if abs(w_low) < 1e-3 else 0.0
    t = w * LOG2E64 + ROUND64
    n = np.float64(t).view(np.int64) - ROUND_BITS64
    n = -1076 if n < -1076 else n
    n = 1025 if n > 1025 else n
    k = t - ROUND64
    r = ((w - k * LN2_HIGH64) - k * LN2_LOW64) + w_low
    half = n >> 1
    v = ((exp_tail64(r) + r) + 1.0) * power_of_two64(half) * power_of_two64(n - half)
    # A negative base: the sign is that of an odd exponent, and an exponent that is no integer has no result.
    c = abs(y)
    c = 9007199254740992.0 if c > 9007199254740992.0 else c
    whole = np.floor(c) == c
    half = 0.5 * c
    odd = whole & (np.floor(half) != half)
    v = -v if (np.float64(x).view(np.int64) < 0) & odd else v
    return NAN64 if (x < 0.0) & (b < INF64) & (y != 0.0) & (not whole) else v
