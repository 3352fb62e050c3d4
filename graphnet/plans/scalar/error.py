"""erf, erfc and exp(-x**2)."""

from __future__ import annotations

from graphnet.plans.nest.language import function
from graphnet.plans.nest.values import Value, where
from graphnet.plans.scalar.exponential import exp, exp_tail, scaled
from graphnet.plans.scalar.widths import LOG2E, bits_of, choice, polynomial, upper, width, with_sign

# erf(x) = x + x * (... in x**2) up to 1, 1 - exp(... in x) above.
_INNER_32 = (0.12837917, -0.37612626, 0.112835854, -0.026853811, 0.0051883277, -0.0008010196, 7.8538775e-05)
_INNER_64 = (
    *(0.12837916709551256, -0.3761263890318352, 0.11283791670944185, -0.026866170643111496, 0.005223977606118922),
    *(-0.0008548325929336301, 0.00012055293577455848, -1.4924712310187378e-05, 1.6447131641433904e-06),
    *(-1.6206314084710234e-07, 1.3710981039400154e-08, -7.779468526815651e-10),
)
_OUTER_32 = (-0.0003395443, -1.1270969, -0.63813245, -0.10311707, 0.021842804, -0.0029487943, 0.00018649011)
_OUTER_64 = (
    *(-4.995561761722539e-07, -1.1283741201127209, -0.6366434957410183, -0.1027037920785982, 0.01899082737073183),
    *(0.0004097539489924614, -0.0019150500416019978, 0.000769935951147776, -0.00013461129646202846),
    *(-2.0481601295944747e-05, 2.290547024179697e-05, -8.692272095820966e-06, 2.1415610506005386e-06),
    *(-3.7434800826471594e-07, 4.655879249682835e-08, -3.946451933054798e-09, 2.0517007517785919e-10),
    -4.9458961398474315e-12,
)
# erfc(a) * exp(a**2) * (a + 2) = 1 + (... in s), s = (2 - a) / (a + 2), for a >= _TAIL
_ERFC_32 = (
    *(0.021582708, 0.6871606, 0.2794716, 0.036444854, -0.021499112, -0.006502943, 0.002996984, 0.00089076045),
    -0.00039566722,
)
_ERFC_64 = (
    *(0.021582705242022972, 0.6871606844138108, 0.27947209255605704, 0.036442231506833976),
    *(-0.021510661889763548, -0.0064791850652671365, 0.003090612072540457, 0.0008372960056174105),
    *(-0.0006630738295105459, -3.4370854184167223e-05, 0.00014447512591218468, -3.415031679514741e-05),
    *(-2.1729784563356158e-05, 1.60983368297195e-05, -9.88186562191726e-07, -3.4308919462299375e-06),
    *(1.7850924014783368e-06, -7.111236022186243e-07, -8.211581215585595e-07, 1.0919106529865636e-06),
    *(9.31071083925103e-07, 1.888396520267548e-07),
)
_TAIL = 0.75
_HIGHEST = (10.5, 27.5)


def _ratio(x: Value) -> Value:
    """erf(x) / x - 1 for |x| <= 1."""
    return polynomial(choice(x, _INNER_32, _INNER_64), x * x)


@function
def erf(x: Value) -> Value:
    """The error function."""
    a, highest = abs(x), choice(x, 4, 6.0)
    b = where(a > highest, highest, a)
    y = with_sign(1.0 - exp(polynomial(choice(x, _OUTER_32, _OUTER_64), b)), x)
    return where(a < 1.0, _ratio(x) * x + x, y)


def _of_minus_square(a: Value) -> tuple[Value, Value, Value]:
    """(n, high, low) with exp(-a**2) = 2**n * exp(high - low); `high` is exact.

    a * a = h * h + (a - h) * (a + h), where h has so few digits that h * h is exact.
    """
    w = width(a)
    h = upper(a)
    square = -h * h
    t = square * LOG2E + w.round
    n = bits_of(t) - w.round_bits
    k = t - w.round
    return n, square - k * w.ln2[0], (a - h) * (a + h) + k * w.ln2[1]


def _limited(x: Value) -> Value:
    a, highest = abs(x), choice(x, *_HIGHEST)
    return where(a > highest, highest, a)


@function
def erfc(x: Value) -> Value:
    """1 - erf(x), denormal results included."""
    a = _limited(x)
    b = a + 2.0
    inverse = 1.0 / b
    s = (2.0 - a) * inverse
    p = polynomial(choice(x, _ERFC_32, _ERFC_64), s) * inverse + inverse
    n, high, low = _of_minus_square(a)
    # a - (b - 2) is what b lacks.
    low = low + (a - (b - 2.0)) * (inverse * (s * 0.75 + 1.0))
    e = (exp_tail(high - low) - low) + high
    y = scaled(e * p + p, n, width(x))
    y = where(x < 0.0, 2.0 - y, y)
    return where(a < _TAIL, (1.0 - x) - _ratio(x) * x, y)


@function
def gaussian(x: Value) -> Value:
    """exp(-x * x)."""
    n, high, low = _of_minus_square(_limited(x))
    return scaled(((exp_tail(high - low) - low) + high) + 1.0, n, width(x))
