"""Parameters of whole numbers as indices: read when a graph runs, as all other Parameters."""

import numpy as np
import pytest

import graphnet as gn

AT_A_PARAMETER = {
    "a place": (lambda x, n: x[n], np.int64(1), np.int64(2)),
    "a row": (lambda x, n: x[n, 1:], np.int64(1), np.int64(2)),
    "places": (lambda x, n: x[:, n], np.array([0, 1]), np.array([2, 1])),
    "taken": (lambda x, n: gn.take(x, n, axis=0), np.array([0, 1]), np.array([2, 2])),
    "written": (lambda x, n: gn.set_at(x, n, 100.0), np.int64(0), np.int64(2)),
    "added": (lambda x, n: gn.add_at(x, (slice(None), n), 100.0), np.array([0, 1]), np.array([2, 1])),
    "each row's": (lambda x, n: x[np.arange(3), n], np.array([0, 1, 2]), np.array([2, 0, 0])),
}


@pytest.mark.parametrize("name", AT_A_PARAMETER)
def test_a_parameter_as_an_index_is_read_when_a_graph_runs(name):
    f, first, second = AT_A_PARAMETER[name]
    values = np.arange(9.0).reshape(3, 3)
    n = gn.Parameter(first, trainable=False, name="n")
    x = gn.input((3, 3), "float64", name="x")
    ways = [
        gn.compile(lambda x: f(x, n), backend="numpy"),
        gn.trace(lambda x: f(x, n), values),
    ]
    if name != "added":  # without a trace what is known, here what is added, is computed at once
        ways.append(gn.Graph([x], f(x, n)))
    for way in ways:
        for places in (first, second, first):
            n.assign(places)
            np.testing.assert_array_equal(way(values).numpy(), f(gn.tensor(values), places).numpy())
    slope = gn.compile(gn.grad(lambda v: (f(v, n) * 2.0).sum()), backend="numpy")
    for places in (first, second):
        n.assign(places)
        expected = gn.grad(lambda v, places=places: (f(v, places) * 2.0).sum())(values)
        np.testing.assert_array_equal(slope(values).numpy(), expected.numpy())


def test_a_parameter_as_an_index_counts_with_what_a_function_assigns():
    n = gn.Parameter(np.int64(0), trainable=False)

    def step(x):
        before = x[n]
        n.assign(n + 1)
        return before, x[n]

    compiled = gn.compile(step, backend="numpy")
    for count in range(3):
        found = compiled(np.arange(4.0))
        assert (found[0].item(), found[1].item()) == (count, count + 1) and n.item() == count + 1


def test_a_parameter_as_an_index_of_known_values_keeps_the_place_it_had():
    n = gn.Parameter(np.int64(1), trainable=False)
    x = gn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[n]
    n.assign(2)
    y.backward()
    assert y.item() == 2.0 and x.grad.tolist() == [0.0, 1.0, 0.0]
    m = gn.Parameter(np.array([True, False, True]), trainable=False)
    assert x[m].tolist() == [1.0, 3.0]
    with pytest.raises(TypeError, match="the mask of a Parameter, in a graph, cannot be an index"):
        gn.compile(lambda x: x[m], backend="numpy")(np.arange(3.0))
