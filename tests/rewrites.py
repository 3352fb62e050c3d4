"""What the tests of rewriting rules share: graphs of small formulas, and their values before and after, to the bit."""

import numpy as np

import graphnet as gn
from graphnet.apply import made
from graphnet.node import constant
from graphnet.plans.rewrite import rewritten

#: numbers that a rule may treat wrongly: signed zeros, infinities, NaN, subnormal, the largest
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -0.3, np.inf, -np.inf, np.nan, 1e-40, 3e38, -7.0]


def special(dtype, count=1):
    """`count` arrays with all combinations of special numbers in them."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        numbers = np.array([False, True])
    elif dtype.kind in "iu":
        info = np.iinfo(dtype)
        numbers = np.array([0, 1, 2, 3, 100, info.max, info.min, info.min + 1], dtype)
    else:
        with np.errstate(over="ignore"):
            numbers = np.array([*SPECIAL, np.finfo(dtype).tiny, np.finfo(dtype).max], dtype)
    return [a.ravel() for a in np.meshgrid(*[numbers] * count, indexing="ij")]


def inputs(dtypes, shape):
    return [gn.input(shape, str(np.dtype(d)), name=f"x{n}") for n, d in enumerate(dtypes)]


def node(f, *args, **attrs):
    """A symbolic node of `f`, also of known arrays."""
    return made(f.op, [a if isinstance(a, gn.Tensor) else constant(np.asarray(a)) for a in args], attrs)


def names(graph):
    return [t.op.name for t in graph.nodes if t.op is not None]


def values(graph, *arrays):
    with np.errstate(all="ignore"):
        found = graph(*arrays)
    return [t.numpy() for t in (found if isinstance(found, (tuple, list)) else [found])]


def identical(found, expected):
    """Bit for bit, but for which NaN it is."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            sure = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a[sure]), np.signbit(b[sure]))


def becomes(rule, formula, dtypes, expected, arrays=None, same=identical):
    """The graph that `rule` makes of a formula: it has the ops `expected`, and the same values (`same`)."""
    if arrays is None:
        arrays = special(dtypes[0], len(dtypes))
        arrays = [a.astype(d) for a, d in zip(arrays, dtypes, strict=True)]
    given = [gn.input(a.shape, str(a.dtype), name=f"x{n}") for n, a in enumerate(arrays)]
    graph = gn.Graph(given, formula(*given))
    found = rewritten(graph, rule).check()
    assert names(found) == expected.split()
    same(values(found, *arrays), values(graph, *arrays))
    assert names(rewritten(found, rule)) == names(found)
    return found
