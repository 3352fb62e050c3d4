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
# erfc(a) * exp(a**2) * (a + shift) = (... in s), s = (middle - a) / (a + shift).
_ERFC_32 = (
    *(1.0749652, 0.84950686, 0.49146375, 0.18784127, 0.030140672, -0.0103468215, -0.005489677, 0.000628156),
    0.0007580053,
)
_ERFC_64 = (
    *(1.0395959276676368, 0.8041307255030811, 0.5106609033130624, 0.25814237696605963, 0.09694434070506554),
    *(0.022030001865900158, -0.0003043928123284583, -0.0021367490169142294, -0.00046162241213801764),
    *(0.00016020538968175108, 7.912441261679018e-05, -1.3712967922225092e-05, -1.1959409693394968e-05),
    *(1.7872582806123325e-06, 1.8627923232116216e-06, -3.554853977317131e-07, -3.0264084798957336e-07),
    *(6.339574868475859e-08, 4.485707815393861e-08),
)
_SHIFT, _MIDDLE, _HIGHEST = (2.5, 3.0), (2.375, 3.25), (10.5, 27.5)


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


def _of_minus_square(a: Value) -> tuple[Value, Value]:
    """(n, r) with exp(-a**2) = 2**n * exp(r).

    a * a = h * h + (a - h) * (a + h), where h has so few digits that h * h is exact.
    """
    w = width(a)
    h = upper(a)
    square = -h * h
    t = square * LOG2E + w.round
    n = bits_of(t) - w.round_bits
    k = t - w.round
    return n, ((square - k * w.ln2[0]) - k * w.ln2[1]) - (a - h) * (a + h)


def _limited(x: Value) -> Value:
    a, highest = abs(x), choice(x, *_HIGHEST)
    return where(a > highest, highest, a)


@function
def erfc(x: Value) -> Value:
    """1 - erf(x), denormal results included."""
    a = _limited(x)
    inverse = 1.0 / (a + choice(x, *_SHIFT))
    s = (choice(x, *_MIDDLE) - a) * inverse
    p = polynomial(choice(x, _ERFC_32, _ERFC_64), s)
    n, r = _of_minus_square(a)
    p = p * inverse
    y = scaled((exp_tail(r) + r) * p + p, n, width(x))
    y = where(x < 0.0, 2.0 - y, y)
    return where(a < 1.0, (1.0 - x) - _ratio(x) * x, y)


@function
def gaussian(x: Value) -> Value:
    """exp(-x * x)."""
    n, r = _of_minus_square(_limited(x))
    return scaled((exp_tail(r) + r) + 1.0, n, width(x))
