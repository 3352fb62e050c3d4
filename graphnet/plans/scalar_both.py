"""Scalar functions that are written alike for every dtype: a number in the text takes the type of what is beside it.

Their language is that of scalar32 and scalar64; the functions they call by an op's name are the ones of that op for the
dtype at hand, and `quotient` is C's division of integers.
"""

from __future__ import annotations

import numpy as np

INF = np.inf


def isnan(x):
    return x != x


def isinf(x):
    return abs(x) == INF


def isfinite(x):
    return abs(x) < INF


def sign(x):
    return 1 if x > 0 else (-1 if x < 0 else (0 if x == 0 else x))


def minimum(a, b):
    """NaN if one is NaN; of two equal ones the second, as NumPy's vector code: the sign of a zero shows it."""
    smaller = a if a < b else b
    return a if a != a else smaller


def maximum(a, b):
    larger = a if a > b else b
    return a if a != a else larger


def fmin(a, b):
    smaller = a if a < b else b
    return a if b != b else smaller


def fmax(a, b):
    larger = a if a > b else b
    return a if b != b else larger


def zero_safe(y, condition):
    return 0 if y != y and condition else y


def floor_divide(a, b):
    """Of integers. By zero it is 0, and the lowest by -1 wraps, neither of which the machine's division allows."""
    d = 1 if b == 0 or b == -1 else b
    q = quotient(a, d)
    r = a - q * d
    q = q - 1 if r != 0 and (r < 0) != (d < 0) else q
    q = -a if b == -1 else q
    return 0 if b == 0 else q


def remainder(a, b):
    d = 1 if b == 0 or b == -1 else b
    r = a - quotient(a, d) * d
    r = r + d if r != 0 and (r < 0) != (d < 0) else r
    return 0 if b == 0 else r


def fmod(a, b):
    d = 1 if b == 0 or b == -1 else b
    r = a - quotient(a, d) * d
    return 0 if b == 0 else r


def log_sigmoid(x):
    """log(1 / (1 + exp(-x))), without overflow."""
    return -softplus(-x)


def sigmoid_slope(x):
    """exp(-x) / (1 + exp(-x))**2, the same for -x."""
    z = exp(-abs(x))
    d = 1 + z
    return z / (d * d)
