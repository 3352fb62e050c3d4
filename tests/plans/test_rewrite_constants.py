"""Rules for constants: what is computed beforehand, where one number takes the place of an array, joined factors."""

import warnings

import numpy as np
import pytest
from rewrites import becomes, identical, names, node, values

import graphnet as gn
from graphnet.node import constant
from graphnet.ops.arithmetic import over, times
from graphnet.plans.rewrite import rewritten
from graphnet.plans.rewrite.constants import folding, numbers, power_of_two


def folded(*outputs):
    leaves = [t for t in gn.toposort(outputs) if t.op is None and t.is_symbolic]
    return rewritten(gn.Graph(leaves, outputs), folding).check()


def test_known_arrays_are_computed_now():
    x = gn.input((2,), "float64", name="x")
    found = folded(x * node(gn.exp, node(gn.add, np.array([1.0, 2.0]), 3.0)))
    assert names(found) == ["multiply"]
    identical(values(found, [1.0, -1.0]), [np.exp([4.0, 5.0]) * [1, -1]])
    total = folded(node(gn.sum, np.ones((3, 2), np.float32), axis=(0,), keepdims=False))
    assert names(total) == []
    identical(values(total), [np.array([3, 3], np.float32)])


def test_nothing_is_said_of_what_is_not_finite():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = folded(node(gn.log, np.array([-1.0, 0.0])))
    assert names(found) == []
    identical(values(found), [np.array([np.nan, -np.inf])])


def test_what_can_change_is_not_computed_now():
    x = gn.input((2,), "float64", name="x")
    known = constant(np.ones(2))
    for leaf in (x, gn.Parameter([1.0, 2.0]), gn.tensor([1.0, 2.0], requires_grad=True)):
        assert names(folded(node(gn.add, leaf, known))) == names(folded(node(gn.add, known, leaf))) == ["add"]
    assert names(folded(node(gn.add, known, node(gn.exp, x)))) == ["exp", "add"]


def test_folding_makes_no_large_array_of_small_ones():
    for size, expected in ((8192, []), (8193, ["broadcast_to"])):
        assert names(folded(node(gn.broadcast_to, np.ones(1), shape=(size,)))) == expected
    # One as large as those it is made of takes no more room.
    large = np.ones(8193)
    assert names(folded(node(gn.exp, large))) == names(folded(node(gn.add, large, 1.0))) == []
    assert names(folded(node(gn.add, 1.0, large))) == []
    assert names(folded(node(gn.broadcast_to, large, shape=(2, 8193)))) == ["broadcast_to"]


FULL = np.full((2, 3), 0.3)
V, X = np.array([0.5, -0.0, np.nan]), np.array([[1.0, -0.0, np.inf], [3.0, 0.0, -2.0]])

# formula of v, of shape (3,), and x, of shape (2, 3): the ops that are left, and the shapes of constants
REPEATED = {
    "a full array": (lambda v, x: x + FULL, "add", [()]),
    "full of NaN": (lambda v, x: x + np.full((2, 3), np.nan), "add", [()]),
    "full of -0": (lambda v, x: x + -np.zeros((2, 3)), "add", [()]),
    "zeros of both signs": (lambda v, x: x + np.array([0.0, -0.0, 0.0]), "add", [(3,)]),
    "a full array that is the whole shape": (lambda v, x: v + FULL, "add", [(2, 3)]),
    "two full arrays": (lambda v, x: gn.where(x > FULL, FULL, x), "greater where", [(), ()]),
    "full arrays alone": (lambda v, x: node(gn.add, FULL, FULL), "add", [(), (2, 3)]),
    "a number": (lambda v, x: x + 0.3, "add", [()]),
    "a row": (lambda v, x: gn.broadcast_to(v, (2, 3)) * x, "multiply", []),
    "a row, second": (lambda v, x: x * gn.broadcast_to(v, (2, 3)), "multiply", []),
    "a row that is needed": (lambda v, x: gn.broadcast_to(v, (2, 3)) * v, "broadcast_to multiply", []),
    "a row and a number": (lambda v, x: gn.broadcast_to(v, (2, 3)) * FULL, "multiply", [(2, 3)]),
    "a row for one input": (lambda v, x: gn.exp(gn.broadcast_to(v, (2, 3))), "broadcast_to exp", []),
    "an exponent": (lambda v, x: x**FULL, "power", [(2, 3)]),
    "a base": (lambda v, x: FULL**x, "power", [(2, 3)]),
    "a product of matrices": (lambda v, x: x @ np.full((3, 2), 0.3), "matmul", [(3, 2)]),
    "three": (lambda v, x: gn.clip(x, FULL, gn.broadcast_to(v, (2, 3))), "clip_to", [()]),
}


@pytest.mark.parametrize("name", REPEATED)
def test_repetition_where_an_op_broadcasts_by_itself(name):
    formula, expected, shapes = REPEATED[name]
    found = becomes(numbers, formula, ["float64"] * 2, expected, [V, X])
    known = [t.shape for t in found.nodes if t.op is None and not t.is_symbolic]
    assert sorted(known, key=len) == shapes


def test_large_constants_are_not_looked_into():
    for size, shape in ((8192, ()), (8193, (8193,))):
        x = gn.input((size,), "float64", name="x")
        found = rewritten(gn.Graph([x], x * np.full(size, 3.0)), numbers)
        assert [t.shape for t in found.nodes if t.op is None and t is not x] == [shape]


def test_powers_of_two():
    for number in (1.0, 2.0, -0.25, 2.0**-1060, -(2.0**1000)):
        assert power_of_two(np.array(number))
    for number in (0.0, -0.0, 3.0, 0.75, np.inf, -np.inf, np.nan):
        assert not power_of_two(np.array(number))
    assert not power_of_two(np.array(2)) and power_of_two(np.float32(2))


TINY, SUBNORMAL = float(np.finfo(np.float64).tiny), 2.0**-1060

# formula of one input: the ops that are left, and the number among the constants
FACTORS = {
    "(x * 3) * 4": (lambda x: (x * 3.0) * 4.0, "multiply", 12.0),
    "(x * 4) * 3": (lambda x: (x * 4.0) * 3.0, "multiply", 12.0),
    "4 * (3 * x)": (lambda x: 4.0 * (3.0 * x), "multiply", 12.0),
    "(x * -2) * 0.1": (lambda x: (x * -2.0) * 0.1, "multiply", -0.2),
    "(x * 3) * 5": (lambda x: (x * 3.0) * 5.0, "multiply multiply", None),
    "(x * 3) * x": (lambda x: (x * 3.0) * x, "multiply multiply", None),
    "(x * x) * 2": (lambda x: (x * x) * 2.0, "multiply multiply", None),
    "(x * 0) * 2": (lambda x: (x * 0.0) * 2.0, "multiply multiply", None),
    "(x * inf) * 2": (lambda x: (x * np.inf) * 2.0, "multiply multiply", None),
    "(x * NaN) * 2": (lambda x: (x * np.nan) * 2.0, "multiply multiply", None),
    "(x * 3) * inf": (lambda x: (x * 3.0) * np.inf, "multiply multiply", None),
    "(x * 2) * 0": (lambda x: (x * 2.0) * 0.0, "multiply multiply", None),
    "(x + 3) * 4": (lambda x: (x + 3.0) * 4.0, "add multiply", None),
    "(x / 3) * 4": (lambda x: (x / 3.0) * 4.0, "divide multiply", None),
    "a product that is too small": (lambda x: (x * 2.0**-600) * 2.0**-600, "multiply multiply", None),
    "a product that is too large": (lambda x: (x * 2.0**600) * 2.0**600, "multiply multiply", None),
    "a subnormal product": (lambda x: (x * 2.0**-600) * 2.0**-440, "multiply multiply", None),
    "a subnormal factor": (lambda x: (x * SUBNORMAL) * 2.0**50, "multiply multiply", None),
    "the least normal factor": (lambda x: (x * TINY) * 1.5, "multiply", TINY * 1.5),
    "x / 4": (lambda x: x / 4.0, "multiply", 0.25),
    "x / -0.5": (lambda x: x / -0.5, "multiply", -2.0),
    "x / 3": (lambda x: x / 3.0, "divide", None),
    "x / 0": (lambda x: x / 0.0, "divide", None),
    "x / inf": (lambda x: x / np.inf, "divide", None),
    "x / NaN": (lambda x: x / np.nan, "divide", None),
    "4 / x": (lambda x: 4.0 / x, "divide", None),
    "x / x": (lambda x: x / x, "divide", None),
    "x / the least normal": (lambda x: x / TINY, "multiply", 1 / TINY),
    "x / a subnormal": (lambda x: x / SUBNORMAL, "divide", None),
    "an inverse that is subnormal": (lambda x: x / 2.0**1023, "divide", None),
    "x over 4": (lambda x: over(x, 4.0), "divide_no_nan", None),
    "-(x * 3)": (lambda x: -(x * 3.0), "multiply", -3.0),
    "-(3 * x)": (lambda x: -(3.0 * x), "multiply", -3.0),
    "-(x * x)": (lambda x: -(x * x), "multiply negative", None),
    "-(x * 0)": (lambda x: -(x * 0.0), "multiply negative", None),
    "-(x + 3)": (lambda x: -(x + 3.0), "add negative", None),
    "-x * 3": (lambda x: -x * 3.0, "multiply", -3.0),
    "3 * -x": (lambda x: 3.0 * -x, "multiply", -3.0),
    "-x / 3": (lambda x: -x / 3.0, "divide", -3.0),
    "3 / -x": (lambda x: 3.0 / -x, "divide", -3.0),
    "-x times 3": (lambda x: times(-x, 3.0), "multiply_no_nan", -3.0),
    "3 times -x": (lambda x: times(3.0, -x), "multiply_no_nan", -3.0),
    "-x over 3": (lambda x: over(-x, 3.0), "divide_no_nan", -3.0),
    "3 over -x": (lambda x: over(3.0, -x), "divide_no_nan", -3.0),
    "-x * x": (lambda x: -x * x, "negative multiply", None),
    "-x * 0": (lambda x: -x * 0.0, "negative multiply", None),
    "-x * inf": (lambda x: -x * np.inf, "negative multiply", None),
    "-x + 3": (lambda x: -x + 3.0, "negative add", None),
    "abs(x) * 3": (lambda x: gn.abs(x) * 3.0, "absolute multiply", None),
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors(name):
    formula, expected, number = FACTORS[name]
    # Where a product of the formula leaves the range of the dtype half way, the joined one is the right one.
    inside = [np.array([0.0, -0.0, 1.0, 1 / 3, -7.0, np.inf, -np.inf, np.nan])]
    found = becomes(numbers, formula, ["float64"], expected, inside if number in (-0.2, TINY * 1.5) else None)
    if number is not None:
        (known,) = (t for t in found.nodes if t.op is None and not t.is_symbolic)
        assert known.shape == () and known.dtype == np.float64 and known.item() == number


# the same with dtypes that differ, where nothing is joined
MIXED = {
    "float32 * float64": (lambda x: (x * np.array(3.0)) * np.array(4.0, "f4"), "float32", "multiply multiply"),
    "float32 * 3 * float64": (lambda x: (x * 3.0) * np.array(4.0), "float32", "multiply multiply"),
    "float64 * float32": (lambda x: (x * 3.0) * np.array(4.0, "f4"), "float64", "multiply multiply"),
    "float32 / float64": (lambda x: x / np.array(4.0), "float32", "divide"),
    "-float32 * float64": (lambda x: -x * np.array(4.0), "float32", "negative multiply"),
    "-(float32 * float64)": (lambda x: -(x * np.array(4.0)), "float32", "multiply negative"),
    "whole numbers": (lambda n: (n * 3) * 4, "int64", "multiply multiply"),
    "whole numbers, divided": (lambda n: n / 4, "int64", "divide"),
    "whole numbers, negated": (lambda n: -n * 3, "int64", "negative multiply"),
    "float32": (lambda x: -((x * 3.0) * 4.0) / 0.5, "float32", "multiply"),
    "float32 with an inverse that is subnormal": (lambda x: x / 2.0**127, "float32", "divide"),
    "float32 with the least normal": (lambda x: x / 2.0**-126, "float32", "multiply"),
    "float32 with a subnormal": (lambda x: x / 2.0**-130, "float32", "divide"),
}


@pytest.mark.parametrize("name", MIXED)
def test_factors_of_other_dtypes(name):
    formula, dtype, expected = MIXED[name]
    becomes(numbers, formula, [dtype], expected)


def test_factors_that_widen_the_shape_stay():
    x = np.array([1.0, -2.0])
    becomes(numbers, lambda x: (x * np.full((3, 1), 3.0)) * 4.0, ["float64"], "multiply multiply", [x])
    scalar = np.array(5.0)
    becomes(numbers, lambda x: x * np.full((2, 2), 2.0), ["float64"], "multiply", [scalar])
    becomes(numbers, lambda x: -x * np.full(2, 3.0), ["float64"], "negative multiply", [scalar])


def test_parameters_are_no_factors():
    x, w = gn.input((2,), "float64", name="x"), gn.Parameter(4.0)
    found = rewritten(gn.Graph([x], [(x * 3.0) * w, x / w, -(x * w), -x * w]), numbers)
    assert names(found).count("divide") == 1 and names(found).count("negative") == 2
    assert names(found).count("multiply") == 4
