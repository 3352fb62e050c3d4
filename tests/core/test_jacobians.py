"""Jacobians and Hessians are the same numbers whichever way they are found: rows, all rows, all columns, in parts."""

import functools

import numpy as np
import pytest
from test_batching import CASES

import graphnet as gn
from graphnet import jacobians
from graphnet.node import Tensor

pytestmark = pytest.mark.usefixtures("loops_on_numpy")

EVERY = 1 << 60
TOGETHER = {"FEW": 1, "FEW_IN_A_GRAPH": 1}
#: how what decides stands in the module for each way
WAYS = {
    "rows": {"FEW": EVERY, "FEW_IN_A_GRAPH": EVERY},
    "all rows": {**TOGETHER, "_is_forward": lambda *_: False},
    "rows in parts": {**TOGETHER, "_is_forward": lambda *_: False, "TOGETHER": 25},
    "columns": {**TOGETHER, "_is_forward": lambda *_: True},
    "columns in parts": {**TOGETHER, "_is_forward": lambda *_: True, "TOGETHER": 25},
}


@pytest.fixture
def by(monkeypatch):
    """A function that calls another in one of the ways."""

    def called(way, f, *args):
        with monkeypatch.context() as m:
            for name, value in WAYS[way].items():
                m.setattr(jacobians, name, value)
            return f(*args)

    return called


def close(found, expected, rtol=1e-11, atol=1e-11):
    assert (found.shape, found.dtype, found.requires_grad) == (expected.shape, expected.dtype, expected.requires_grad)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("row", "arrays", "kwargs"), CASES)
def test_every_op_has_one_jacobian(row, arrays, kwargs, by):
    if not (row.differentiable and all(a.dtype.kind == "f" for a in arrays)):
        pytest.skip("no derivative")

    def f(*xs):
        y = row.call(*xs, **kwargs)
        return y if isinstance(y, Tensor) else gn.concatenate([gn.ravel(t) for t in y])

    every = tuple(range(len(arrays)))
    given = [gn.tensor(a) for a in arrays]
    if not given or f(*given).dtype.kind != "f":
        pytest.skip("no derivative")
    with np.errstate(all="ignore"):
        jacobian = gn.jacobian(f, every)
        expected = by("rows", jacobian, *given)
        for way in list(WAYS)[1:]:
            for found, one in zip(by(way, jacobian, *given), expected, strict=True):
                close(found, one)
        for way in ("all rows", "columns"):
            for found, one in zip(by(way, gn.trace, jacobian, *given)(*given), expected, strict=True):
                close(found, one)


@gn.custom_gradient
def own(x):
    y = gn.exp(x)
    return y, lambda g: 3 * g * y


@gn.custom_gradient
def outside(x):
    """Its rule takes numbers out of the graph."""
    return gn.exp(x), lambda g: g.numpy() * np.exp(x.numpy())


def looped(x):
    return gn.scan(lambda c, r: (gn.tanh(c * r), c * r), x, gn.stack([x, x * 2, x - 1]))[1]


@gn.compile(backend="numpy")
def compiled(x):
    return gn.sin(x) * x.sum()


W = gn.Parameter(np.linspace(-1.0, 1.0, 12).reshape(3, 4))

FUNCTIONS = {
    "products": lambda x: gn.tanh(x @ W) * x[0],
    "convolution": lambda x: gn.conv(x.reshape((1, 3, 1)), gn.stack([x[:2], x[1:]])[:, None]),
    "a loop": looped,
    "a checkpoint": gn.checkpoint(lambda x: gn.sin(x) * x.prod()),
    "compiled": compiled,
    "a gradient of one's own": own,
    "a gradient with NumPy": outside,
    "rows": lambda x: gn.vmap(lambda a: gn.sin(a) * x)(x),
    "an index": lambda x: gn.exp(x)[[0, 2, 2, 1]] * x[1],
    "without slope": lambda x: gn.floor(x) + x,
    "constant in part": lambda x: gn.concatenate([x[:1] ** 2, gn.stop_gradient(x), gn.zeros(5)]),
    "at zero": lambda x: gn.where(x > 0, gn.sqrt(gn.abs(x - 0.7)), 0 * x) * gn.norm(x * 0),
    "none": lambda x: x[:0],
    "a number": lambda x: (x**3).sum(),
}
X = np.array([0.7, -0.4, 1.2])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_one_jacobian(name, by):
    f = FUNCTIONS[name]
    jacobian = gn.jacobian(f)
    expected = by("rows", jacobian, X)
    twice = gn.jacobian(lambda x: jacobian(x) ** 2)
    second = by("rows", twice, X) if f is not outside else None
    for way in list(WAYS)[1:]:
        close(by(way, jacobian, X), expected)
        if second is not None:
            close(by(way, twice, X), second, rtol=1e-9, atol=1e-9)
            plan = gn.compile(jacobian, backend="numpy")
            np.testing.assert_allclose(by(way, plan, X), expected.numpy(), rtol=1e-11, atol=1e-11)
        with gn.no_grad():
            assert not by(way, jacobian, X).requires_grad
        close(by(way, jacobian, np.float32(X)), by("rows", jacobian, np.float32(X)), rtol=1e-4, atol=1e-5)


def test_hessians_of_containers(by):
    def f(p, x):
        return (gn.tanh(p["w"] @ x) * p["b"]).sum() ** 2 + (p["b"] ** 3).sum()

    p = {"w": np.linspace(-1, 1, 6).reshape(2, 3), "b": np.array([0.3, -0.6])}
    for derivative in (gn.hessian(f), gn.jacobian(gn.grad(f))):
        expected = by("rows", derivative, p, X)
        for way in list(WAYS)[1:]:
            found = by(way, derivative, p, X)
            for a in "wb":
                for b in "wb":
                    close(found[a][b], expected[a][b])


def test_the_ways_that_are_taken(monkeypatch):
    """Many rows are one sweep; fewer columns are found instead, where that saves something; large ones are parted."""
    taken = []
    for name in ("_rows", "_columns"):
        real = getattr(jacobians, name)
        monkeypatch.setattr(
            jacobians, name, functools.partial(lambda n, f, *a: taken.append((n, *a[2:])) or f(*a), name, real)
        )
    square = gn.jacobian(lambda x: gn.sin(x) * x.sum())
    square(np.ones(3))
    square(np.ones(50))
    grown = gn.jacobian(lambda x, n=256: gn.exp(x[0] * np.arange(float(n))) * x[1])
    grown(np.ones(2))
    square(np.ones(2000))
    gn.trace(square, np.ones(3))
    gn.trace(grown, np.ones(2), 16)
    grown(np.ones(2), 16)
    gn.jacobian(outside)(np.ones(50))
    with gn.debug():
        square(np.ones(50))
    at_once = jacobians.TOGETHER // 2000
    assert at_once < 2000
    assert [n for name, n in taken if name == "_rows"] == [0, 50, at_once, 3, 16, 0, 0]
    assert [n for name, n in taken if name == "_columns"] == [jacobians.TOGETHER // n for n in (256, 16)]


def test_a_graph_of_one_sweep():
    """The graph of a Jacobian does not grow with the number of its rows."""
    few, many = (len(gn.trace(gn.hessian(lambda x: (gn.tanh(x) * x.sum()).sum()), np.ones(n))) for n in (5, 500))
    assert few == many < 60
