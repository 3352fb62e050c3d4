"""softmax beside log_softmax: one exponential for both, and graphs in which there is nothing to join."""

import numpy as np
import pytest
from rewrites import names, values

import graphnet as gn
from graphnet.plans.rewrite import join_softmax, share

X = np.array([[0.5, -2.0, 30.0], [1.0, 1.0, 1.0], [-700.0, 10.0, 9.0], [0.0, -0.0, 3.0]])

# formula of a (4, 3) array z and another of this shape: how many quotients and exponentials are left
JOINED = {
    "both": (lambda z, y: [gn.softmax(z), gn.log_softmax(z)], 0, 1),
    "both, axis 0": (lambda z, y: [gn.softmax(z, axis=0), gn.log_softmax(z, axis=0)], 0, 1),
    "both axes": (lambda z, y: [gn.softmax(z, axis=(1, 0)), gn.log_softmax(z, axis=(0, 1))], 0, 1),
    "twice": (lambda z, y: [gn.softmax(z), gn.softmax(z) * 2.0, gn.log_softmax(z)], 0, 1),
    "two": (lambda z, y: [gn.softmax(z), gn.softmax(y), gn.log_softmax(z), gn.log_softmax(y)], 0, 2),
    "one of two": (lambda z, y: [gn.softmax(z), gn.softmax(y), gn.log_softmax(z)], 1, 2),
    "other axes": (lambda z, y: [gn.softmax(z), gn.log_softmax(z, axis=0)], 1, 1),
    "of another": (lambda z, y: [gn.softmax(z), gn.log_softmax(y)], 1, 1),
    "another quotient": (lambda z, y: [gn.exp(z) / (1.0 + gn.abs(y)), gn.softmax(z), gn.log_softmax(z)], 1, 2),
    "of a softmax": (lambda z, y: [gn.softmax(gn.softmax(z)), gn.log_softmax(z), gn.log_softmax(gn.softmax(z))], 0, 2),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", JOINED)
def test_one_exponential_for_both(name, dtype):
    formula, quotients, exponentials = JOINED[name]
    z, y = gn.input((4, 3), dtype, name="z"), gn.input((4, 3), dtype, name="y")
    graph = share(gn.Graph([z, y], formula(z, y)))
    found = join_softmax(graph).check()
    assert (names(found).count("divide"), names(found).count("exp")) == (quotients, exponentials)
    arrays = X.astype(dtype), X[::-1].astype(dtype) / 2
    for a, b in zip(values(found, *arrays), values(graph, *arrays), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4 if dtype == "float32" else 1e-12)
    assert names(join_softmax(found)) == names(found)


@pytest.mark.parametrize(
    "formula",
    [
        lambda z: gn.softmax(z),
        lambda z: gn.log_softmax(z),
        lambda z: [gn.softmax(z), gn.log_softmax(z, axis=0)],
        lambda z: [gn.log_softmax(z), gn.exp(z) / 2.0],
        lambda z: gn.exp(z),
    ],
)
def test_where_there_is_nothing_to_join_the_graph_is_the_graph(formula):
    z = gn.input((4, 3), "float64", name="z")
    graph = gn.Graph([z], formula(z))
    assert join_softmax(graph) is graph


def test_what_is_joined_is_computed_once():
    z = gn.input((4, 3), "float64", name="z")
    found = join_softmax(gn.Graph([z], [gn.softmax(z), gn.softmax(z) * 2.0, gn.log_softmax(z)]))
    assert sorted(names(found)) == ["exp", "log_softmax", "multiply"]
