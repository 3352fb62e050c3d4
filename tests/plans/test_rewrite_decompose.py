"""Ops written out for kernels, and one element of each row as a choice: the same values, and what stays as it is."""

import numpy as np
import pytest
from rewrites import identical, names, values

import graphnet as gn
from graphnet.node import constant
from graphnet.ops.index import GETITEM
from graphnet.ops.reduce import norm2
from graphnet.plans.rewrite.decompose import expanded
from graphnet.plans.rewrite.gather import may_raise, picked

X = np.array([[1.0, -2.0, 0.5, 3.0], [0.1, 0.1, 0.1, 0.1], [-700.0, 800.0, 0.0, -0.0]])
WILD = np.array([[np.inf, 1.0, 0.0, 2.0], [-np.inf, -np.inf, -np.inf, -np.inf], [np.nan, 1.0, 2.0, 3.0]])
FAR = np.array([[1e200, -1e200, 0.0, 1.0], [0.0, -0.0, 0.0, 0.0], [1e-300, 1e-310, 0.0, 0.0]])


def nearly(found, expected, absolute=0.01):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        tight = 1e-5 if a.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(a, b, rtol=tight, atol=tight * absolute)


def written_out(formula, expected, *arrays, absolute=0.01):
    given = [gn.input(a.shape, str(a.dtype), name=f"x{n}") for n, a in enumerate(arrays)]
    graph = gn.Graph(given, formula(*given))
    found = expanded(graph).check()
    assert names(found) == expected.split()
    with np.errstate(all="ignore"):
        nearly(values(found, *arrays), values(graph, *arrays), absolute)
    # Numbers have the dtype of what they meet.
    assert {t.dtype for t in found.nodes if t.op is None} == {arrays[0].dtype}


LOG_SUM = "max isfinite where subtract exp sum log add"
SQUARES = "subtract multiply sum divide"

# formula of a (3, 4) array: the ops that it becomes
FORMS = {
    "log_softmax": (gn.log_softmax, "max subtract exp sum log subtract"),
    "log_softmax, axis 0": (lambda x: gn.log_softmax(x, axis=0), "max subtract exp sum log subtract"),
    "logsumexp": (gn.logsumexp, LOG_SUM + " reshape"),
    "logsumexp, axis 0": (lambda x: gn.logsumexp(x, axis=0), LOG_SUM + " reshape"),
    "logsumexp, kept": (lambda x: gn.logsumexp(x, axis=1, keepdims=True), LOG_SUM),
    "var": (gn.var, "mean " + SQUARES),
    "var, axis 1, kept": (lambda x: gn.var(x, axis=1, keepdims=True), "mean " + SQUARES),
    "var, ddof": (lambda x: gn.var(x, axis=0, ddof=1), "mean " + SQUARES),
    "var, nothing left": (lambda x: gn.var(x, axis=0, ddof=3), "var"),
    "var, less than nothing left": (lambda x: gn.var(x, axis=0, ddof=4), "var"),
    "std": (gn.std, "mean subtract mean " + SQUARES + " sqrt"),
    "std, axis 1": (lambda x: gn.std(x, axis=1), "mean subtract mean " + SQUARES + " sqrt"),
    "std, kept, ddof": (
        lambda x: gn.std(x, axis=1, keepdims=True, ddof=2),
        "mean subtract mean " + SQUARES + " sqrt",
    ),
    "std, nothing left": (lambda x: gn.std(x, axis=1, ddof=4), "std"),
    "norm2": (norm2, "absolute max greater isfinite logical_and where divide multiply sum sqrt multiply reshape"),
    "norm2, axis 1": (
        lambda x: norm2(x, axis=1),
        "absolute max greater isfinite logical_and where divide multiply sum sqrt multiply reshape",
    ),
    "norm2, kept": (
        lambda x: norm2(x, axis=0, keepdims=True),
        "absolute max greater isfinite logical_and where divide multiply sum sqrt multiply",
    ),
    "identity": (lambda x: gn.identity(x) * 2.0, "multiply"),
    "stop_gradient": (lambda x: gn.stop_gradient(gn.exp(x / 800.0)), "divide exp"),
    "others": (lambda x: gn.sum(gn.exp(x / 800.0), axis=0), "divide exp sum"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMS)
def test_written_out(name, dtype):
    formula, expected = FORMS[name]
    written_out(formula, expected, X.astype(dtype))


@pytest.mark.parametrize("name", ["logsumexp, axis 0", "logsumexp, kept", "norm2, axis 1", "norm2, kept"])
@pytest.mark.parametrize("array", [WILD, FAR], ids=["not finite", "far"])
def test_written_out_at_the_ends_of_the_range(name, array):
    formula, expected = FORMS[name]
    written_out(formula, expected, array, absolute=0)


def test_the_deviation_of_equal_numbers_is_zero():
    for dtype, size, many in (("float32", 4096, False), ("float32", 4097, True), ("float64", 4097, False)):
        x = np.full((2, size), 0.1, dtype)
        x[1, :2] = 1.0, 2.0
        given = gn.input(x.shape, dtype, name="x")
        found = expanded(gn.Graph([given], gn.std(given, axis=1)))
        assert ("equal" in names(found)) == many
        (deviation,) = values(found, x)
        assert deviation[0] == 0.0
        np.testing.assert_allclose(deviation, np.std(x.astype("float64"), axis=1), rtol=1e-4)


def test_what_has_no_numbers_or_is_of_another_dtype_stays():
    for f, name in ((gn.logsumexp, "logsumexp"), (gn.var, "var"), (gn.std, "std"), (gn.log_softmax, "log_softmax")):
        n = gn.input((3, 4), "int64", name="n")
        assert names(expanded(gn.Graph([n], f(n, axis=1)))) == [name]
        x = gn.input((0, 4), "float64", name="x")
        assert names(expanded(gn.Graph([x], f(x, axis=1)))) == [name]
        half = gn.input((3, 4), "float16", name="h")
        assert name not in names(expanded(gn.Graph([half], f(half, axis=1))))


def test_a_custom_gradient_is_its_first_input():
    @gn.custom_gradient
    def f(x):
        return x * 3.0, lambda g: g * 5.0

    x = gn.input((3,), "float64", name="x")
    graph = gn.Graph([x], f(x))
    assert "attached" in names(graph) and names(expanded(graph)) == ["multiply"]
    identical(values(expanded(graph), [1.0, 2.0, 3.0]), [np.array([3.0, 6.0, 9.0])])


def test_nodes_know_where_they_are_from():
    x = gn.input((3, 4), "float64", name="x")
    with gn.region("layer", "mine"):
        y = gn.log_softmax(x)
    assert all(t.region is y.region and t.site == y.site for t in expanded(gn.Graph([x], y)).nodes if t.op is not None)


ROWS = np.arange(3)
CHOICE = "in_range less add where reshape equal"

# formula of a (3, 4) array x and places i of shape (3,): what it becomes
PICKED = {
    "a place in each row": (lambda x, i: x[ROWS, i], CHOICE + " where sum"),
    "with an axis": (lambda x, i: x[ROWS[:, None], i.reshape(3, 1)], "reshape " + CHOICE + " where sum"),
    "other places": (lambda x, i: x[ROWS, i - 1], "subtract " + CHOICE + " where sum"),
    "rows in another order": (lambda x, i: x[ROWS[::-1].copy(), i], "getitem"),
    "one row often": (lambda x, i: x[np.zeros(3, int), i], "getitem"),
    "some of the rows": (lambda x, i: x[ROWS[:2], i[:2]], "getitem getitem"),
    "a table of places": (lambda x, i: x[ROWS[:, None], i], "getitem"),
    "a row of places": (lambda x, i: x[ROWS[None], i.reshape(1, 3)], "reshape getitem"),
    "a column of places": (lambda x, i: x[ROWS, i.reshape(3, 1)], "reshape getitem"),
    "places behind an axis": (lambda x, i: x[..., ROWS, i], "getitem"),
    "a new axis": (lambda x, i: x[None, ROWS, i], "getitem"),
    "all of a row": (lambda x, i: x[i], "getitem"),
    "of each column": (lambda x, i: x[:, i], "getitem"),
    "a column": (lambda x, i: x[:, 1], "getitem"),
    "three axes": (lambda x, i: x.reshape(3, 2, 2)[ROWS, i % 2], "reshape remainder getitem"),
    "of three": (lambda x, i: x.reshape(3, 2, 2)[ROWS, i % 2, i % 2], "reshape remainder remainder getitem"),
    "rows known later": (lambda x, i: x[gn.abs(i) * 0 + ROWS, i], "absolute multiply add getitem"),
    "of whole numbers": (lambda x, i: x.astype("int64")[ROWS, i], "astype getitem"),
    "unsigned places": (lambda x, i: x[ROWS, gn.abs(i).astype("uint8")], "absolute astype getitem"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PICKED)
def test_one_element_of_each_row(name, dtype):
    formula, expected = PICKED[name]
    places = np.array([0, 3, 1])
    x = (X / 100).astype(dtype)
    for p in (places, np.array([-1, 2, -4])):
        if name in ("other places", "unsigned places", "three axes", "of three") and p is not places:
            continue
        if name == "all of a row":
            p = p % 3
        given = gn.input((3, 4), dtype, name="x"), gn.input((3,), "int64", name="i")
        graph = gn.Graph(given, formula(*given))
        found = expanded(graph).check()
        assert names(found) == expected.split()
        identical(values(found, x, p), values(graph, x, p))


@pytest.mark.parametrize("kind", ["int64", "int32", "int8"])
@pytest.mark.parametrize("keeps", [False, True])
def test_the_gradient_of_one_element_of_each_row(kind, keeps):
    x, i = gn.input((3, 4), "float64", name="x"), gn.input((3, 1) if keeps else (3,), kind, name="i")
    y = x[ROWS[:, None] if keeps else ROWS, i]
    g = gn.input(y.shape, "float64", name="g")
    graph = gn.Graph([x, i, g], gn.gradients(y, x, g))
    found = expanded(graph).check()
    assert "scatter_add" in names(graph) and "scatter_add" not in names(found) and names(found)[-1] == "where"
    for places in ([0, 3, 1], [-1, 2, -4]):
        p = np.array(places, kind).reshape(i.shape)
        slopes = np.array([1.0, -2.0, np.inf]).reshape(y.shape)
        identical(values(found, X, p, slopes), values(graph, X, p, slopes))


def test_places_outside_are_errors():
    x, i = gn.input((3, 4), "float64", name="x"), gn.input((3,), "int64", name="i")
    y = x[ROWS, i]
    g = gn.input((3,), "float64", name="g")
    forward, backward = expanded(gn.Graph([x, i], y)), expanded(gn.Graph([x, i, g], gn.gradients(y, x, g)))
    for wrong in (4, -5, 100):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for an axis of size 4"):
            forward(X, [0, wrong, 1])
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for an axis of size 4"):
            backward(X, [0, wrong, 1], [1.0, 1.0, 1.0])


def test_which_places_are_picked():
    x, i = gn.input((3, 4), "float64", name="x"), gn.input((3,), "int64", name="i")
    y = x[ROWS, i]
    assert y.op is GETITEM and picked(y) is i and picked(gn.gradients(y, x, y)) is i
    assert picked(x) is None and picked(x[1:]) is None and picked(x * 2.0) is None
    rows = gn.Parameter(ROWS, trainable=False)
    assert picked(x[rows, i]) is None
    square = gn.input((3, 3), "float64", name="s")
    assert picked(square[ROWS, i]) is i and picked(square[i, constant(ROWS)]) is None
    one = gn.input((1, 4), "float64", name="o")
    j = gn.input((1,), "int64", name="j")
    assert picked(one[np.array([0]), j]) is j


def test_what_can_fail_because_of_a_value():
    x, i = gn.input((3, 4), "float64", name="x"), gn.input((3,), "int64", name="i")
    assert may_raise(x[ROWS, i]) and not may_raise(x) and not may_raise(gn.exp(x)) and not may_raise(x[1:])
