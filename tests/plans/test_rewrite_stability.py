"""Rules for formulas that an op computes better: each on what it changes, and on neighbours that stay."""

import numpy as np
import pytest
from rewrites import becomes, identical, node

import graphnet as gn
from graphnet.plans.rewrite.stability import largest_of, softmax_of, stable


def nearly(found, expected):
    """Equal but for rounding; `found` may be right where a formula was infinite, NaN, or lost its digits."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        rtol = 1e-5 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def top(x, axis=-1, keepdims=True):
    return gn.max(x, axis=axis, keepdims=keepdims)


def naive(x, axis, keepdims=True):
    e = gn.exp(x)
    return e / gn.sum(e, axis=axis, keepdims=keepdims)


def shifted(x, axis, of_sum=None, stop=True):
    """softmax as it is written in `nn`."""
    m = top(x, axis)
    e = gn.exp(x - (gn.stop_gradient(m) if stop else m))
    return e / gn.sum(e, axis=axis if of_sum is None else of_sum, keepdims=True)


def pulled(x, axis, of_max, keepdims=True, of=None):
    """logsumexp(x - max) + max."""
    m = top(x if of is None else of, of_max)
    return gn.logsumexp(x - m, axis=axis, keepdims=keepdims) + m


# formula of one (3, 3) array of numbers from 0.1 to 0.9: the ops that are left of it
FORMULAS = {
    "log(exp(x))": (lambda x: gn.log(gn.exp(x)), ""),
    "log(sigmoid(x))": (lambda x: gn.log(gn.sigmoid(x)), "log_sigmoid"),
    "log(tanh(x))": (lambda x: gn.log(gn.tanh(x)), "tanh log"),
    "log(sum(exp(x)))": (lambda x: gn.log(gn.sum(gn.exp(x))), "logsumexp"),
    "log(sum(exp(x), 0))": (lambda x: gn.log(gn.sum(gn.exp(x), axis=0)), "logsumexp"),
    "log(sum(exp(x), 1, kept))": (lambda x: gn.log(gn.sum(gn.exp(x), axis=1, keepdims=True)), "logsumexp"),
    "log(sum(x))": (lambda x: gn.log(gn.sum(x)), "sum log"),
    "log(mean(exp(x)))": (lambda x: gn.log(gn.mean(gn.exp(x))), "exp mean log"),
    "log(softmax(x))": (lambda x: gn.log(shifted(x, -1)), "log_softmax"),
    "log(softmax(x)), axis 0": (lambda x: gn.log(shifted(x, 0)), "log_softmax"),
    "log(softmax(x)), both axes": (lambda x: gn.log(shifted(x, (1, 0))), "log_softmax"),
    "log(softmax(x)) with a gradient": (lambda x: gn.log(shifted(x, 1, stop=False)), "log_softmax"),
    "log of another quotient": (lambda x: gn.log(shifted(x, 1, 0)), "max stop_gradient subtract log_softmax"),
    "log(softmax(x)) without a maximum": (lambda x: gn.log(naive(x, 1)), "log_softmax"),
    "log(exp(x) / sum), not kept": (lambda x: gn.log(naive(x, 1, False)), "exp sum divide log"),
    "softmax(x)": (lambda x: shifted(x, 1), "max stop_gradient subtract exp sum divide"),
    "softmax(x) without a maximum": (lambda x: naive(x, 1), "log_softmax exp"),
    "softmax(x) without a maximum, axis 0": (lambda x: naive(x, 0), "log_softmax exp"),
    "exp(x) / sum, not kept": (lambda x: naive(x, 1, False), "exp sum divide"),
    "exp(x) / max(exp(x))": (lambda x: gn.exp(x) / top(gn.exp(x)), "exp exp max divide"),
    "exp(x) / sum(x)": (lambda x: gn.exp(x) / gn.sum(x, keepdims=True), "exp sum divide"),
    "x / sum(x)": (lambda x: x / gn.sum(x, axis=1, keepdims=True), "sum divide"),
    "log(1 + x)": (lambda x: gn.log(1.0 + x), "log1p"),
    "log(x + 1)": (lambda x: gn.log(x + 1.0), "log1p"),
    "log(2 + x)": (lambda x: gn.log(2.0 + x), "add log"),
    "log(x + x)": (lambda x: gn.log(x + x), "add log"),
    "log(1 + row)": (lambda x: gn.log(x[0] + np.ones((3, 3))), "getitem add log"),
    "log(1 - x)": (lambda x: gn.log(1.0 - x), "negative log1p"),
    "log(2 - x)": (lambda x: gn.log(2.0 - x), "subtract log"),
    "log(1 - row)": (lambda x: gn.log(np.ones((3, 3)) - x[0]), "getitem subtract log"),
    "log(x - -1)": (lambda x: gn.log(x - -1.0), "subtract log"),
    "log(1 * x)": (lambda x: gn.log(x * 1.0), "multiply log"),
    "log(1 + exp(x))": (lambda x: gn.log(1.0 + gn.exp(x)), "softplus"),
    "log1p(exp(x))": (lambda x: gn.log1p(gn.exp(x)), "softplus"),
    "log1p(-sigmoid(x))": (lambda x: gn.log1p(-gn.sigmoid(x)), "softplus negative"),
    "log(1 - sigmoid(x))": (lambda x: gn.log(1.0 - gn.sigmoid(x)), "softplus negative"),
    "log1p(sigmoid(x))": (lambda x: gn.log1p(gn.sigmoid(x)), "sigmoid log1p"),
    "log1p(-x)": (lambda x: gn.log1p(-x), "negative log1p"),
    "log1p(-tanh(x))": (lambda x: gn.log1p(-gn.tanh(x)), "tanh negative log1p"),
    "exp(x) - 1": (lambda x: gn.exp(x) - 1.0, "expm1"),
    "exp(x) + -1": (lambda x: gn.exp(x) + -1.0, "expm1"),
    "-1 + exp(x)": (lambda x: -1.0 + gn.exp(x), "expm1"),
    "exp(x) - 2": (lambda x: gn.exp(x) - 2.0, "exp subtract"),
    "exp(x) + 1": (lambda x: gn.exp(x) + 1.0, "exp add"),
    "1 - exp(x)": (lambda x: 1.0 - gn.exp(x), "exp subtract"),
    "x - 1": (lambda x: x - 1.0, "subtract"),
    "x + -1": (lambda x: x + -1.0, "add"),
    "exp(row) - 1": (lambda x: gn.exp(x[0]) - np.ones((3, 3)), "getitem exp subtract"),
    "x - logsumexp(x)": (lambda x: x - gn.logsumexp(x, axis=1, keepdims=True), "log_softmax"),
    "x - logsumexp(x), both axes": (lambda x: x - gn.logsumexp(x, keepdims=True), "log_softmax"),
    "x - logsumexp(x), not kept": (lambda x: x - gn.logsumexp(x, axis=1), "logsumexp subtract"),
    "x - logsumexp(2 x)": (lambda x: x - gn.logsumexp(x * 2.0, axis=1, keepdims=True), "multiply logsumexp subtract"),
    "x - max(x)": (lambda x: x - top(x), "max subtract"),
    "x + logsumexp(x)": (lambda x: x + gn.logsumexp(x, axis=1, keepdims=True), "logsumexp add"),
    "logsumexp(x) - x": (lambda x: gn.logsumexp(x, axis=1, keepdims=True) - x, "logsumexp subtract"),
    "logsumexp(x - max) + max": (lambda x: pulled(x, 1, 1), "logsumexp"),
    "logsumexp(x - max) + max, axis 0": (lambda x: pulled(x, 0, 0), "logsumexp"),
    "logsumexp(x - max) + max, both axes": (lambda x: pulled(x, (1, 0), (0, 1)), "logsumexp"),
    "max along another axis": (lambda x: pulled(x, 1, 0), "max subtract logsumexp add"),
    "max of something else": (lambda x: pulled(x, 1, 1, of=-x), "negative max subtract logsumexp add"),
    "logsumexp(x - max), not kept": (lambda x: pulled(x, 1, 1, False), "max subtract logsumexp add"),
    "another max": (
        lambda x: gn.logsumexp(x - top(x, 1), axis=1, keepdims=True) + top(-x, 1),
        "max subtract logsumexp negative max add",
    ),
    "sigmoid": (lambda x: 1.0 / (1.0 + gn.exp(-x)), "sigmoid"),
    "sigmoid, other order": (lambda x: 1.0 / (gn.exp(-x) + 1.0), "sigmoid"),
    "sigmoid of -x": (lambda x: 1.0 / (1.0 + gn.exp(x)), "negative sigmoid"),
    "sigmoid by reciprocal": (lambda x: gn.reciprocal(1.0 + gn.exp(-x)), "sigmoid"),
    "1 / (2 + exp(-x))": (lambda x: 1.0 / (2.0 + gn.exp(-x)), "negative exp add divide"),
    "1 / (1 - exp(-x))": (lambda x: 1.0 / (1.0 - gn.exp(-x)), "negative exp subtract divide"),
    "1 / (1 + x)": (lambda x: 1.0 / (1.0 + x), "add divide"),
    "2 / (1 + exp(-x))": (lambda x: 2.0 / (1.0 + gn.exp(-x)), "negative exp add divide"),
    "exp(x) / (1 + exp(x))": (lambda x: (lambda e: e / (1.0 + e))(gn.exp(x)), "sigmoid"),
    "exp(x) / (1 + exp(2 x))": (lambda x: gn.exp(x) / (1.0 + gn.exp(x * 2.0)), "exp multiply exp add divide"),
    "sqrt(x * x)": (lambda x: gn.sqrt(x * x), "absolute"),
    "sqrt(square(x))": (lambda x: gn.sqrt(gn.square(x)), "absolute"),
    "sqrt(x ** 2)": (lambda x: gn.sqrt(x**2.0), "absolute"),
    "sqrt(x ** 3)": (lambda x: gn.sqrt(x**3.0), "power sqrt"),
    "sqrt(2 ** x)": (lambda x: gn.sqrt(2.0**x), "power sqrt"),
    "sqrt(x * y)": (lambda x: gn.sqrt(x * gn.exp(x)), "exp multiply sqrt"),
    "sqrt(x + x)": (lambda x: gn.sqrt(x + x), "add sqrt"),
    "sqrt(x)": (gn.sqrt, "sqrt"),
}
X = np.array([[0.7, 0.2, 0.9], [0.1, 0.55, 0.3], [0.45, 0.8, 0.15]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name, dtype):
    formula, expected = FORMULAS[name]
    if dtype == "float32" and "row" in name:
        return  # beside an array of float64
    becomes(stable, formula, [dtype], expected, [X.astype(dtype)], nearly)


# of whole numbers an op of floating-point numbers is something else: the formulas stay
WHOLE = {
    "log(exp(n))": (lambda n: gn.log(gn.exp(n)), "exp log"),
    "log(sigmoid(n))": (lambda n: gn.log(gn.sigmoid(n)), "sigmoid log"),
    "log(sum(exp(n)))": (lambda n: gn.log(gn.sum(gn.exp(n))), "exp sum log"),
    "log(1 + n)": (lambda n: gn.log(1 + n), "add log"),
    "log(9 - n)": (lambda n: gn.log(1 - (n - 9)), "subtract subtract log"),
    "exp(n) - 1": (lambda n: gn.exp(n) - 1.0, "exp subtract"),
    "n - logsumexp(n)": (lambda n: n - gn.logsumexp(n, axis=0, keepdims=True), "logsumexp subtract"),
    "sigmoid": (lambda n: 1.0 / (1.0 + gn.exp(-n)), "negative exp add divide"),
    "log1p(-sigmoid(n))": (lambda n: gn.log1p(-gn.sigmoid(n)), "sigmoid negative log1p"),
    "log1p(exp(n))": (lambda n: gn.log1p(gn.exp(n)), "exp log1p"),
    "sqrt(n * n)": (lambda n: gn.sqrt(n * n), "multiply sqrt"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_formulas_of_whole_numbers_stay(name):
    formula, expected = WHOLE[name]
    becomes(stable, formula, ["int64"], expected, [np.array([1, 2, 3])], nearly)


def test_signs_and_what_is_not_finite():
    values = np.array([0.0, -0.0, -2.5, 1.0, np.inf, -np.inf, np.nan])
    becomes(stable, lambda x: gn.sqrt(x * x), ["float64"], "absolute", [values], identical)
    becomes(stable, lambda x: gn.sqrt(gn.square(x)), ["float32"], "absolute", [values.astype("f4")], identical)
    becomes(stable, lambda x: gn.log(gn.exp(x)), ["float64"], "", [values[2:]], nearly)
    becomes(stable, lambda x: gn.exp(x) - 1.0, ["float64"], "expm1", [values], nearly)
    becomes(stable, lambda x: gn.log(1.0 + x), ["float64"], "log1p", [values], nearly)
    becomes(stable, lambda x: 1.0 / (1.0 + gn.exp(-x)), ["float64"], "sigmoid", [values], nearly)


def test_softmax_is_known_by_its_parts():
    x = gn.input((3, 3), "float64", name="x")
    for axis, axes in ((0, (0,)), (-1, (1,)), ((1, 0), (0, 1))):
        assert softmax_of(shifted(x, axis)) == softmax_of(shifted(x, axis, stop=False)) == (x, axes)
        assert largest_of(top(x, axis), x) == largest_of(gn.stop_gradient(top(x, axis)), x) == axes
    e = gn.exp(x - top(x))
    for other in (
        shifted(x, 0, 1),
        naive(x, 1),
        e * gn.sum(e, axis=1, keepdims=True),
        e / gn.sum(e, axis=1),
        e / gn.mean(e, axis=1, keepdims=True),
        gn.tanh(x - top(x)) / gn.sum(gn.tanh(x - top(x)), axis=1, keepdims=True),
        e / gn.sum(gn.exp(x - top(x)), axis=1, keepdims=True),
        gn.exp(x - 1.0) / gn.sum(gn.exp(x - 1.0), axis=1, keepdims=True),
    ):
        assert softmax_of(other) is None
    y = gn.exp(x + top(x))
    assert softmax_of(y / gn.sum(y, axis=1, keepdims=True)) is None
    # Where the maximum has more axes than x, the result is no softmax of x.
    row = gn.input((3,), "float64", name="row")
    m = node(gn.max, gn.reshape(row, (1, 3)), axis=(1,), keepdims=True)
    z = gn.exp(row - m)
    assert softmax_of(z / gn.sum(z, axis=1, keepdims=True)) is None
    assert largest_of(top(x, 0, False), x) is None and largest_of(top(x), row) is None
    assert largest_of(gn.min(x, axis=0, keepdims=True), x) is None


@pytest.mark.parametrize("name", ["log(sum(exp(x)))", "sigmoid", "log1p(-sigmoid(x))"])
def test_the_new_nodes_have_the_line_of_the_old(name):
    formula, expected = FORMULAS[name]
    found = becomes(stable, formula, ["float64"], expected, [X], nearly)
    assert found.outputs[0].site[0].endswith("test_rewrite_stability.py")
