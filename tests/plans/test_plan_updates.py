"""Parameters that a plan writes to, on both backends: the same values as eager assigns, in any order of reading."""

from __future__ import annotations

import numpy as np
import pytest
from backends import each_backend
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn


def copies(parameters):
    return [p.numpy().copy() for p in parameters]


class Updates:
    """A random step with several parameters: each new value is made of old values, inputs, or other new values."""

    def __init__(self, seed, count):
        self.rng = np.random.default_rng(seed)
        self.shape = tuple(int(n) for n in self.rng.integers(1, 5, self.rng.integers(0, 3)))
        self.dtype = str(self.rng.choice(["float32", "float64"]))
        self.parameters = [
            gn.Parameter(self.numbers(), name=f"p{n}") if self.rng.random() < 0.8 else self.whole(n)
            for n in range(self.rng.integers(1, 5))
        ]
        self.moves = [self.rng.integers(1 << 30) for _ in range(count)]

    def numbers(self):
        return self.rng.integers(-3, 4, self.shape).astype(self.dtype)

    def whole(self, n):
        return gn.Parameter(self.numbers().astype("int64"), name=f"p{n}", trainable=False)

    def __call__(self, x):
        old = list(self.parameters)
        pool, seen, waiting = [*old, x], [x], []
        for move in self.moves:
            rng = np.random.default_rng(move)
            a, b = (pool[rng.integers(len(pool))] for _ in range(2))
            kind = rng.integers(9)
            if kind == 0:
                made = a + b
            elif kind == 1:
                made = gn.clip(a * b, -5, 5)
            elif kind == 2:
                made = a[::-1] if a.ndim else a
            elif kind == 3 and a.ndim:
                made = gn.broadcast_to(gn.sum(gn.clip(a, -1, 1), axis=0, keepdims=True), a.shape)
            elif kind == 4:
                made = gn.reshape(gn.ravel(a)[::-1], a.shape)
            elif kind == 5 and a.ndim == 2 and a.shape[0] == a.shape[1]:
                made = a.T
            elif kind == 6:
                made = gn.maximum(a, b) - 1
            else:
                made = a
            pool.append(made)
            if rng.random() < 0.5:
                # Now and then twice, or what another parameter got as well.
                p = old[rng.integers(len(old))]
                value = gn.clip(made, -50, 50) if rng.random() < 0.5 else made
                if p.dtype.kind == "i":
                    value = value.astype(p.dtype)
                if rng.random() < 0.7:
                    waiting.append((p, value))
                else:
                    # From here on the parameter reads as this.
                    p.assign(value)
            if rng.random() < 0.3:
                seen.append(made)
        for p, value in waiting:
            p.assign(value)
        return seen


@each_backend
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_random_updates_are_eager_assigns(seed, count, backend):
    step = Updates(seed, count)
    start = copies(step.parameters)
    graph = gn.trace(step, np.zeros(step.shape, step.dtype))
    plan = graph.compile(backend=backend)
    arrays = [step.numbers() for _ in range(3)]
    logs = []
    for run in (graph, plan):
        for p, value in zip(step.parameters, start, strict=True):
            p.assign(value)
        log, kept = [], []
        for a in arrays:
            views = [p.numpy() for p in step.parameters] if run is plan else []
            before = [v.copy() for v in views]
            outputs = run(a)
            log.append([t.numpy().copy() for t in outputs] + copies(step.parameters))
            kept.append((views, before))
            kept.append(([t.numpy() for t in outputs], [t.numpy().copy() for t in outputs]))
        for views, before in kept:
            for v, b in zip(views, before, strict=True):
                np.testing.assert_array_equal(v, b)
        logs.append(log)
    for expected, found in zip(*logs, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@each_backend
def test_an_input_that_is_the_array_of_a_parameter_has_its_old_values(backend):
    p, q = gn.Parameter([1.0, 2.0, 3.0]), gn.Parameter([10.0, 20.0, 30.0])

    def step(x, y):
        new = q + x, p * 2.0 + y
        p.assign(new[0])
        q.assign(new[1])
        return x - y

    plan = gn.trace(step, np.ones(3), np.ones(3)).compile(backend=backend)
    # The parameter itself, its array, a look at its array, and one array twice.
    np.testing.assert_array_equal(plan(p, q).numpy(), [-9, -18, -27])
    np.testing.assert_array_equal(p.numpy(), [11, 22, 33])
    np.testing.assert_array_equal(q.numpy(), [12, 24, 36])
    plan(q._value, q._value)
    np.testing.assert_array_equal(p.numpy(), [24, 48, 72])
    np.testing.assert_array_equal(q.numpy(), [34, 68, 102])
    plan(q.numpy()[::-1], p.numpy()[::-1])
    np.testing.assert_array_equal(p.numpy(), [136, 136, 136])
    np.testing.assert_array_equal(q.numpy(), [120, 144, 168])


@each_backend
@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a.T.copy().T, lambda a: a[::-1][::-1], np.copy])
def test_parameters_made_of_arrays_in_any_order(backend, make):
    values = np.arange(12.0).reshape(3, 4)
    p, q = gn.Parameter(make(values)), gn.Parameter(np.zeros((3, 4)))
    q.assign(make(values))
    g = gn.trace(lambda x: (p.T @ x, q * x, p.assign(p + q))[:2], np.ones((3, 4)))
    plan = g.compile(backend=backend)
    product, scaled = plan(np.ones((3, 4)))
    np.testing.assert_array_equal(product.numpy(), values.T @ np.ones((3, 4)))
    np.testing.assert_array_equal(scaled.numpy(), values)
    np.testing.assert_array_equal(p.numpy(), 2 * values)
    for _ in range(2):
        q.assign(make(values * 3))
        p.assign(make(values))
        plan(np.ones((3, 4)))
        np.testing.assert_array_equal(p.numpy(), 4 * values)


def unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    found = raw[1:].view(a.dtype).reshape(a.shape)
    found[...] = a
    return found


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


FORMS = {
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backward": lambda a: a[::-1].copy()[::-1],
    "Fortran": np.asfortranarray,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": read_only,
    "unaligned": unaligned,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "subclass": lambda a: a.view(np.matrix),
    "list": lambda a: a.tolist(),
}


@each_backend
@pytest.mark.parametrize("form", FORMS)
def test_inputs_in_any_form(form, backend):
    values = np.arange(12.0).reshape(3, 4)
    w = gn.Parameter(np.ones((4, 2)))
    g = gn.trace(lambda x: [gn.exp(x * 0.1).sum(axis=0), x @ w, x[::-1], x.T], values)
    plan = g.compile(backend=backend)
    given = FORMS[form](values)
    before = np.array(given)
    for found, expected in zip(plan(given), g(np.array(before, "float64")), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-14)
        assert found.dtype == np.float64
    np.testing.assert_array_equal(given, before)


@each_backend
@pytest.mark.parametrize("form", ["strided", "Fortran", "big-endian", "read-only", "unaligned"])
def test_constants_and_parameters_in_any_form(form, backend):
    values = np.arange(12.0).reshape(3, 4)
    given = FORMS[form](values)
    p, q = gn.Parameter(given, trainable=False), gn.Parameter(np.zeros((3, 4)))
    q.assign(given)
    c = gn.constant(given) if hasattr(gn, "constant") else gn.tensor(given)

    def step(x):
        p.assign(p + x)
        return [gn.sin(x * c), x @ c.T, gn.sin(p - x), p.T @ x, q.T @ x, gn.sqrt(q) + x]

    graph = gn.trace(step, values)
    expected = [t.numpy() for t in graph(values)]
    kept = p.numpy()
    p.assign(given)
    found = graph.compile(backend=backend)(values)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy().astype("f8"), other.astype("f8"), rtol=1e-13)
    np.testing.assert_array_equal(p.numpy(), kept)


@each_backend
def test_an_input_that_stands_for_a_computed_tensor(backend):
    x = gn.input((3, 1), "float64", name="x")
    y = gn.sin(x)
    cut = gn.reshape(y, (3,))
    g = gn.Graph([x, cut], [y * 2.0, gn.exp(cut), gn.cos(y) + gn.broadcast_to(cut, (3, 3))])
    arrays = [np.arange(3.0).reshape(3, 1), np.array([5.0, 6.0, 7.0])]
    for found, expected in zip(g.compile(backend=backend)(*arrays), g(*arrays), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-14)


@each_backend
def test_an_input_that_has_a_value_of_its_own(backend):
    x, one = gn.tensor(2.0, requires_grad=True), gn.tensor(1.0, requires_grad=True)
    p = gn.Parameter([1.0, 1.0])
    g = gn.Graph([x, one, p], [gn.sin(x) * one, x**one, p * one], [(p, p + x)])
    arrays = [np.array(3.0), np.array(2.0), np.array([5.0, 6.0])]
    plan = g.compile(backend=backend)
    expected = [np.sin(3.0) * 2, 9.0, [10, 12]]
    for made in (g, g.simplify(), plan):
        p.assign([1.0, 1.0])
        for found, wanted in zip(made(*arrays), expected, strict=True):
            np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-14)
        np.testing.assert_array_equal(p.numpy(), [8, 9])
        np.testing.assert_array_equal(arrays[2], [5, 6])
