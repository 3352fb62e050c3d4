"""Rules of algebra: each on what it changes and on neighbours that stay, with the same bits for special numbers."""

import numpy as np
import pytest
from rewrites import becomes, identical, node, values

import graphnet as gn
from graphnet.node import constant
from graphnet.ops.arithmetic import over, times
from graphnet.plans.rewrite import rewritten
from graphnet.plans.rewrite.algebra import exact, is_number

W = gn.Parameter([2.0])

# formula of one input: the ops that are left of it
ONE = {
    "x * 1": (lambda x: x * 1, ""),
    "1 * x": (lambda x: 1 * x, ""),
    "x / 1": (lambda x: x / 1, ""),
    "x ** 1": (lambda x: node(gn.power, x, np.ones((), x.dtype)), ""),
    "x * ones": (lambda x: x * np.ones(x.shape, x.dtype), ""),
    "times 1": (lambda x: times(x, 1.0), ""),
    "1 times": (lambda x: times(1.0, x), ""),
    "over 1": (lambda x: over(x, 1.0), ""),
    "1 / x": (lambda x: 1 / x, "divide"),
    "1 over x": (lambda x: over(1.0, x), "divide_no_nan"),
    "1 ** x": (lambda x: 1**x, "power"),
    "x * -1": (lambda x: x * -1, "multiply"),
    "x * 1, not everywhere": (lambda x: x * np.where(np.arange(x.size) == 1, 2, 1).astype(x.dtype), "multiply"),
    "x * 1 of another shape": (lambda x: x * np.ones((2, 1), x.dtype), "multiply"),
    "x * 1 of another dtype": (lambda x: x * np.ones(x.shape, np.complex64), "multiply"),
    "x + -0": (lambda x: x + -0.0, ""),
    "-0 + x": (lambda x: -0.0 + x, ""),
    "x - 0": (lambda x: x - 0.0, ""),
    "x + 0": (lambda x: x + 0.0, "add"),
    "0 + x": (lambda x: 0.0 + x, "add"),
    "x - -0": (lambda x: x - -0.0, "subtract"),
    "0 - x": (lambda x: 0.0 - x, "subtract"),
    "-0 - x": (lambda x: -0.0 - x, "subtract"),
    "x - 1": (lambda x: x - 1.0, "subtract"),
    "x + zeros of both signs": (lambda x: x + np.where(np.arange(x.size) == 1, 0.0, -0.0).astype(x.dtype), "add"),
    "x - zeros of another shape": (lambda x: x - np.zeros((2, 1), x.dtype), "subtract"),
    "times 2": (lambda x: times(x, 2.0), "multiply"),
    "2 times": (lambda x: times(2.0, x), "multiply"),
    "times 0": (lambda x: times(x, 0.0), "multiply_no_nan"),
    "0 times": (lambda x: times(0.0, x), "multiply_no_nan"),
    "times inf": (lambda x: times(x, np.inf), "multiply_no_nan"),
    "times NaN": (lambda x: times(x, np.nan), "multiply_no_nan"),
    "times a 0 among others": (lambda x: times(x, np.arange(x.size).astype(x.dtype)), "multiply_no_nan"),
    "times x": (lambda x: times(x, x), "multiply_no_nan"),
    "over 2": (lambda x: over(x, 2.0), "divide"),
    "over inf": (lambda x: over(x, np.inf), "divide"),
    "over 0": (lambda x: over(x, 0.0), "divide_no_nan"),
    "over NaN": (lambda x: over(x, np.nan), "divide_no_nan"),
    "over a 0 among others": (lambda x: over(x, np.arange(x.size).astype(x.dtype)), "divide_no_nan"),
    "-x": (lambda x: -x, "negative"),
    "-(-x)": (lambda x: gn.negative(-x), ""),
    "-abs(x)": (lambda x: -gn.abs(x), "absolute negative"),
    "x itself": (gn.identity, ""),
    "cast to its own dtype": (lambda x: node(gn.astype, x, dtype=x.dtype), ""),
}
TWO = {
    "a + -b": (lambda a, b: a + -b, "subtract"),
    "-a + b": (lambda a, b: -a + b, "subtract"),
    "a - -b": (lambda a, b: a - -b, "add"),
    "-a - b": (lambda a, b: -a - b, "negative subtract"),
    "-a + -b": (lambda a, b: -a + -b, "negative subtract"),
    "a - b": (lambda a, b: a - b, "subtract"),
    "-a * -b": (lambda a, b: -a * -b, "multiply"),
    "-a times -b": (lambda a, b: times(-a, -b), "multiply_no_nan"),
    "-a * b": (lambda a, b: -a * b, "negative multiply"),
    "a * -b": (lambda a, b: a * -b, "negative multiply"),
}
QUOTIENTS = {
    "-a / -b": (lambda a, b: -a / -b, "divide"),
    "-a over -b": (lambda a, b: over(-a, -b), "divide_no_nan"),
    "a / -b": (lambda a, b: a / -b, "negative divide"),
    "a ** -b": (lambda a, b: a**-b, "negative power"),
    "-a ** -b": (lambda a, b: (-a) ** -b, "negative negative power"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ONE)
def test_of_one_input(name, dtype):
    formula, expected = ONE[name]
    becomes(exact, formula, [dtype], expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
@pytest.mark.parametrize("name", TWO)
def test_of_two_inputs(name, dtype):
    formula, expected = TWO[name]
    becomes(exact, formula, [dtype, dtype], expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", QUOTIENTS)
def test_quotients_of_two_inputs(name, dtype):
    formula, expected = QUOTIENTS[name]
    becomes(exact, formula, [dtype, dtype], expected)


WHOLE = {
    "n + 0": (lambda n: n + 0, ""),
    "0 + n": (lambda n: 0 + n, ""),
    "n - 0": (lambda n: n - 0, ""),
    "n + 1": (lambda n: n + 1, "add"),
    "1 + n": (lambda n: 1 + n, "add"),
    "0 - n": (lambda n: 0 - n, "subtract"),
    "n * 1": (lambda n: n * 1, ""),
    "n / 1": (lambda n: n / 1, "divide"),
    "-n / -n": (lambda n: -n / -(n + 1), "negative add negative divide"),
}


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("name", WHOLE)
def test_of_whole_numbers(name, dtype):
    formula, expected = WHOLE[name]
    becomes(exact, formula, [dtype], expected)


MIXED = {
    "a + -b": (lambda a, b: a + -b, "int64", "uint8", "negative add"),
    "-a + b": (lambda a, b: -a + b, "uint8", "int64", "negative add"),
    "a - -b": (lambda a, b: a - -b, "int64", "uint8", "negative subtract"),
    "-a * -b": (lambda a, b: -a * -b, "int64", "uint8", "negative negative multiply"),
    "-a * -b, floating": (lambda a, b: -a * -b, "float32", "float64", "negative negative multiply"),
    "bool + 0": (lambda a, b: node(gn.add, a, np.zeros((), bool)), "bool", "bool", "add"),
    "complex * 1": (lambda a, b: a.astype("complex128") * 1.0, "float64", "float64", "astype multiply"),
}


@pytest.mark.parametrize("name", MIXED)
def test_of_two_dtypes(name):
    formula, first, second, expected = MIXED[name]
    becomes(exact, formula, [first, second], expected, [np.arange(4).astype(first), np.arange(4)[::-1].astype(second)])


# dtype, between, after: how many casts are left
CASTS = [
    ("float32", "float64", "float32", 0),
    ("float16", "float32", "float64", 1),
    ("float16", "float64", "float32", 1),
    ("float64", "float32", "float64", 2),
    ("int32", "float64", "int32", 0),
    ("int32", "float64", "int16", 1),
    ("int32", "float64", "float32", 1),
    ("int32", "int64", "float32", 1),
    ("int32", "int64", "int32", 0),
    ("uint8", "int16", "uint8", 0),
    ("uint8", "float16", "int64", 1),
    ("int32", "int16", "int32", 2),
    ("int64", "float64", "int64", 2),
    ("int64", "float64", "float32", 2),
    ("uint64", "float64", "uint64", 2),
    ("int64", "float32", "float64", 2),
    ("uint64", "int64", "uint64", 2),
    ("int32", "float32", "int32", 2),
    ("float32", "float64", "int32", 2),
    ("float32", "float64", "bool", 1),
    ("float64", "float32", "bool", 2),
    ("int64", "float64", "bool", 2),
    ("bool", "float32", "bool", 0),
    ("bool", "int32", "float64", 1),
    ("bool", "int32", "int64", 1),
    ("bool", "float32", "int8", 1),
]


@pytest.mark.parametrize(("dtype", "between", "after", "left"), CASTS)
def test_casts(dtype, between, after, left):
    numbers = np.array([0, 1, 2, 3, 100, -1, -100, 12345]).astype(dtype)
    if dtype[:5] == "float":
        numbers = np.array([0.0, -0.0, 1.5, 3e4, 1 / 3, -7.0], dtype)
    becomes(exact, lambda x: x.astype(between).astype(after), [dtype], " ".join(["astype"] * left), [numbers])


def test_what_is_no_constant_is_no_number():
    x = gn.input((1,), "float64", name="x")
    for known in (W, gn.tensor([1.0], requires_grad=True), gn.Parameter([1.0], trainable=False), x):
        assert not is_number(known, known.numpy()[0] if known is not x else 1)
    found = rewritten(gn.Graph([x], times(x, W)), exact)
    assert [t.op.name for t in found.nodes if t.op] == ["multiply_no_nan"]
    w = gn.Parameter([1.0])
    found = rewritten(gn.Graph([x], [x * w, over(x, w)]), exact)
    assert [t.op.name for t in found.nodes if t.op] == ["multiply", "divide_no_nan"]
    w.assign([3.0])
    identical(values(found, [6.0]), [np.array([18.0]), np.array([2.0])])
    assert is_number(constant(np.ones(3)), 1) and not is_number(constant(np.ones(3)), 2)
    assert not is_number(constant(np.ones(3, complex)), 1) and not is_number(x * 1.0, 1)
    assert is_number(constant(np.zeros(2)), 0.0) and not is_number(constant(np.zeros(2)), -0.0)
    assert not is_number(constant(-np.zeros(2)), 0.0) and not is_number(constant(np.array(np.nan)), np.nan)


def test_large_constants_are_not_looked_into():
    for size, expected in ((8192, ""), (8193, "multiply")):
        becomes(exact, lambda x, size=size: x * np.ones(size), ["float64"], expected, [np.arange(float(size))])
