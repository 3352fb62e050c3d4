"""The coefficients in graphnet/plans/scalar, derived again: minimax polynomials (Remez).

Each function is reduced by hand to a smooth remainder on a short interval (see REMAINDERS below); the polynomial of the
given degree whose largest weighted error there is smallest is found in 60-digit arithmetic, and printed rounded to the
type it is used in, with the error before rounding. The weight turns the error of the remainder into the relative error
of the function, so "error" reads in the same units as 2**-24 (float32) and 2**-53 (float64).

Run `python tools/minimax.py [name ...]`; it needs mpmath and takes about a minute for all.
"""

from __future__ import annotations

import sys

import numpy as np
from mpmath import mp, mpf

mp.dps = 60


def minimax(f, degree, lo, hi, weight, rounds=12):
    """(coefficients, error) of the polynomial p of the degree that minimises max |weight * (f - p)| on [lo, hi].

    Remez: solve for equal errors of alternating sign at degree + 2 points, move the points to the extrema, again.
    """
    lo, hi = mpf(lo), mpf(hi)
    count = degree + 2
    nodes = [lo + (hi - lo) * (1 - mp.cos(mp.pi * (2 * i + 1) / (2 * count))) / 2 for i in range(count)]
    fine = 24 * count
    grid = [lo + (hi - lo) * (1 - mp.cos(mp.pi * (2 * i + 1) / (2 * fine))) / 2 for i in range(fine)]
    exact = [(f(x), weight(x)) for x in grid]
    error = mpf(0)
    for _ in range(rounds):
        rows = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                rows[i, j] = x**j
            rows[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = f(x)
        solution = mp.lu_solve(rows, right)
        coefficients = [solution[j] for j in range(degree + 1)]
        errors = [w * (y - mp.polyval(coefficients[::-1], x)) for x, (y, w) in zip(grid, exact, strict=True)]
        # One extremum for each run of errors with the same sign; as many runs as nodes when all is well.
        extrema: list[int] = []
        for i, e in enumerate(errors):
            if extrema and (errors[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        error = max(abs(e) for e in errors)
        if len(extrema) < count:
            break
        nodes = [grid[i] for i in extrema]
    return coefficients, error


def small(f, series):
    """f away from zero; its Taylor polynomial (coefficients from the constant up) where f cancels."""
    return lambda x: mp.polyval([mpf(c) for c in series[::-1]], x) if abs(x) < mpf(10) ** -12 else f(x)


HALF_LN2 = mp.log(2) / 2 * mpf("1.001")
ROOT = mp.sqrt(2)
S_MAX = ((ROOT - 1) / (ROOT + 1)) * mpf("1.0001")

exp_tail = small(lambda r: (mp.expm1(r) - r) / r**2, [mpf(1) / 2, mpf(1) / 6, mpf(1) / 24])
exp2_tail = small(lambda r: (mpf(2) ** r - 1) / r, [mp.log(2), mp.log(2) ** 2 / 2])
log_tail = small(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, [mpf(1) / 3, -mpf(1) / 4, mpf(1) / 5])


def atanh_tail(z):
    """(2 atanh(s) / s - 2) / z for z = s * s: what is left of log((1 + s) / (1 - s))."""
    return mpf(2) / 3 + 2 * z / 5 if z < mpf(10) ** -20 else (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z


def atanh_tail2(z):
    """(atanh_tail(z) - 2/3) / z."""
    return mpf(2) / 5 + 2 * z / 7 if z < mpf(10) ** -14 else (atanh_tail(z) - mpf(2) / 3) / z


def tanh_tail(z):
    """(tanh(a) / a - 1) / z for z = a * a."""
    return -mpf(1) / 3 + 2 * z / 15 if z < mpf(10) ** -20 else (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def tanh_weight(z):
    return z / (1 + z * tanh_tail(z))


def sin_tail(z):
    """(sin(r) / r - 1) / z for z = r * r."""
    return -mpf(1) / 6 + z / 120 if z < mpf(10) ** -20 else (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def cos_tail(z):
    """(cos(r) - 1 + z / 2) / z**2 for z = r * r."""
    return mpf(1) / 24 - z / 720 if z < mpf(10) ** -15 else (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def erf_inner(z):
    """erf(x) / x - 1 for z = x * x."""
    two = 2 / mp.sqrt(mp.pi)
    return two * (1 - z / 3) - 1 if z < mpf(10) ** -20 else mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1


def erf_inner_weight(z):
    return 1 / (1 + erf_inner(z))


def erf_outer(a):
    """log(erfc(a)) where erf(a) is written 1 - exp(polynomial)."""
    return mp.log(mp.erfc(a))


def erf_outer_weight(a):
    return mp.erfc(a) / mp.erf(a)


def erfc_scaled(s):
    """exp(a**2) * erfc(a) * (a + 2) - 1 as a function of s = (2 - a) / (a + 2)."""
    a = 2 * (1 - s) / (1 + s)
    return mp.exp(a * a) * mp.erfc(a) * (a + 2) - 1


def erfc_weight(s):
    return 1 / (1 + erfc_scaled(s))


def erfc_place(a):
    return (2 - mpf(a)) / (mpf(a) + 2)


QUARTER_PI = mp.pi / 4 * mpf("1.001")

# name -> (remainder, degree, lo, hi, weight, type)
REMAINDERS = {
    "exp32": (exp_tail, 4, -HALF_LN2, HALF_LN2, lambda r: abs(r) + mpf(10) ** -30, np.float32),
    "exp64": (exp_tail, 9, -HALF_LN2, HALF_LN2, lambda r: abs(r) + mpf(10) ** -30, np.float64),
    "exp2_32": (exp2_tail, 5, -0.5005, 0.5005, lambda r: abs(r) + mpf(10) ** -30, np.float32),
    "exp2_64": (exp2_tail, 10, -0.5005, 0.5005, lambda r: abs(r) + mpf(10) ** -30, np.float64),
    "log32": (log_tail, 7, 1 / ROOT - 1, ROOT - 1, lambda f: f * f + mpf(10) ** -30, np.float32),
    "log64": (atanh_tail, 6, 0, S_MAX**2, lambda z: z + mpf(10) ** -30, np.float64),
    "pow32_log": (atanh_tail, 4, 0, S_MAX**2, lambda z: z + mpf(10) ** -30, np.float64),
    "pow32_exp": (exp2_tail, 6, -0.5005, 0.5005, lambda r: abs(r) + mpf(10) ** -30, np.float64),
    "pow64_log": (atanh_tail2, 7, 0, S_MAX**2, lambda z: z * z + mpf(10) ** -30, np.float64),
    "tanh32": (tanh_tail, 3, 0, mpf("0.55") ** 2, tanh_weight, np.float32),
    "tanh64": (tanh_tail, 9, 0, mpf("0.55") ** 2, tanh_weight, np.float64),
    "sin32": (sin_tail, 2, 0, QUARTER_PI**2, lambda z: z + mpf(10) ** -30, np.float32),
    "cos32": (cos_tail, 2, 0, QUARTER_PI**2, lambda z: z * z + mpf(10) ** -30, np.float32),
    "sin64": (sin_tail, 5, 0, QUARTER_PI**2, lambda z: z + mpf(10) ** -30, np.float64),
    "cos64": (cos_tail, 5, 0, QUARTER_PI**2, lambda z: z * z + mpf(10) ** -30, np.float64),
    "erf32_inner": (erf_inner, 6, 0, 1, erf_inner_weight, np.float32),
    "erf32_outer": (erf_outer, 6, 0.999, 4, erf_outer_weight, np.float32),
    "erf64_inner": (erf_inner, 11, 0, 1, erf_inner_weight, np.float64),
    "erfc32": (erfc_scaled, 8, erfc_place(10.5), erfc_place(0.75), erfc_weight, np.float32),
    "erfc64": (erfc_scaled, 21, erfc_place(27.5), erfc_place(0.75), erfc_weight, np.float64),
    "erf64_outer": (erf_outer, 17, 0.999, 6, erf_outer_weight, np.float64),
}


def main(names):
    for name in names or REMAINDERS:
        remainder, degree, lo, hi, weight, dtype = REMAINDERS[name]
        coefficients, error = minimax(remainder, degree, lo, hi, weight)
        rounded = ", ".join(str(dtype(mp.nstr(c, 30))) for c in coefficients)
        print(f"{name}: degree {degree}, error 2**{float(mp.log(error, 2)):.1f}\n    {rounded}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
