"""`gn.debug()` looks into what is compiled; errors and warnings of graphs and plans name layer, op and line."""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from backends import each_backend

import graphnet as gn
from graphnet import nn

GOOD, BAD = np.array([1.0, 2.0]), np.array([1.0, -2.0])
HERE = re.escape(__file__)


def line_of(text):
    """The number of the line of this file that holds `text`, and no other of that kind."""
    written = Path(__file__).read_text("utf-8").splitlines()
    found = [n for n, s in enumerate(written, 1) if s.endswith(text)]
    assert len(found) == 1, text
    return found[0]


def inner(x):
    with gn.region("part", "Part"):
        y = gn.log(x * 1.0)  # the line of log
    return y * 2.0


LOG = rf"part: log\(float64\[2\]\) at {HERE}:%d made NaN from finite inputs"


def every_way(backend):
    """Ways to run a function, all made before anything is watched, with a call each."""
    c = gn.compile(inner, backend=backend)
    graph = gn.trace(inner, GOOD)
    plan = graph.compile(backend=backend)
    w = gn.Parameter([1.0, 1.0])
    joined = gn.compile(lambda x: inner(x * w), backend=backend)
    looped = gn.compile(lambda x: gn.scan(lambda s, r: (s, inner(r)), x, gn.stack([x, x]))[1], backend=backend)
    nested = gn.compile(lambda x: graph(x) + plan(x), backend=backend)
    checked = gn.compile(lambda x: gn.checkpoint(inner)(x), backend=backend)
    found = {
        "eager": lambda x: inner(gn.tensor(x)),
        "compiled": c,
        "graph": graph,
        "plan": plan,
        "in a history": joined,
        "with a gradient": lambda x: gn.grad(lambda t: c(t).sum())(x),
        "loop": lambda x: gn.scan(lambda s, r: (s, inner(r)), gn.tensor(x), gn.tensor([x, x]))[1],
        "compiled loop": looped,
        "nested": nested,
        "checkpoint": checked,
    }
    for call in found.values():
        call(GOOD)
        call(GOOD)
    return found


@each_backend
def test_the_first_op_that_makes_a_nan_is_named_wherever_it_runs(backend):
    number = line_of("# the line of log")
    for name, call in every_way(backend).items():
        with np.errstate(all="ignore"):
            call(BAD)
        with gn.debug(), pytest.raises(FloatingPointError) as caught:
            call(BAD)
        text = str(caught.value)
        if "loop" in name:
            assert re.search(rf"log\(float64\[2\]\) at {HERE}:{number} made NaN", text), (name, text)
        else:
            assert re.match(LOG % number, text), (name, text)
        # The watch is over, and what is right is not complained about.
        with gn.debug():
            expected = call(GOOD)
        for a, b in zip([expected], [call(GOOD)], strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@each_backend
def test_a_gradient_that_is_not_finite_is_named(backend):
    def root(x):
        return gn.sqrt(x).sum()  # the line of sqrt

    c = gn.compile(root, backend=backend)
    slope = gn.trace(lambda x: gn.gradients(root(x), x), GOOD)
    ways = {
        "eager": gn.grad(root),
        "compiled": gn.grad(c),
        "graph": slope,
        "plan": slope.compile(backend=backend),
        "compiled whole": gn.compile(lambda x: gn.grad(root)(x), backend=backend),
    }
    number = line_of("# the line of sqrt")
    for name, call in ways.items():
        call(GOOD)
        with gn.debug():
            call(GOOD)
            with pytest.raises(FloatingPointError, match=rf"the gradient of sqrt.*{HERE}:{number} is an infinity"):
                call(np.array([0.0, 1.0]))
        assert name


@each_backend
def test_infinities_that_are_multiplied_by_zero_are_none(backend):
    def f(x):
        return gn.where(x > 0.0, gn.sqrt(gn.maximum(x, 0.0)), 0.0 * x).sum()

    def prod(x):
        return gn.prod(x) + gn.norm(x * 0.0)

    for function in (f, prod):
        eager = gn.grad(function)
        ways = [gn.grad(gn.compile(function, backend=backend)), gn.trace(lambda x, e=eager: e(x), GOOD)]
        for x in (np.array([0.0, 4.0]), np.array([0.0, 0.0])):
            with gn.debug():
                expected = eager(x).numpy()
                for call in ways:
                    np.testing.assert_allclose(call(x).numpy(), expected)


def network():
    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(3, name="first"), nn.Lambda(gn.log, name="logs"), nn.Dense(1)])
    model.compile(nn.optimizers.SGD(0.01), "mse")
    return model


def test_a_fit_that_is_compiled_is_watched_from_any_moment_on():
    before = gn.repeatable()
    try:
        model = network()
        x, y = np.full((4, 2), 0.5, "f"), np.zeros((4, 1), "f")
        model.layers[0].set_weights([np.ones((2, 3), "f"), np.ones(3, "f")])
        model.fit(x, y, epochs=12, verbose=0)
        kept = model.get_weights()
        model.layers[0].set_weights([np.full((2, 3), -1.0, "f"), np.zeros(3, "f")])
        start = model.get_weights()
        calls = [
            lambda: model.fit(x, y, verbose=0),
            lambda: model.evaluate(x, y, verbose=0),
            lambda: model.predict(x, verbose=0),
            lambda: model.train_on_batch(x, y),
        ]
        for _ in range(10):
            model.predict(x)
            model.evaluate(x, y, verbose=0)
        for call in calls:
            with gn.debug(), pytest.raises(FloatingPointError, match=r"logs: log.* made NaN from finite inputs"):
                call()
        # A step that was refused has changed nothing.
        for a, b in zip(model.get_weights(), start, strict=True):
            np.testing.assert_array_equal(a, b)
        model.set_weights(kept)
        with gn.debug():
            watched = [model.train_on_batch(x, y) for _ in range(3)]
        model.set_weights(kept)
        assert watched == pytest.approx([model.train_on_batch(x, y) for _ in range(3)], rel=1e-5)
    finally:
        gn.repeatable(before)


# Errors and warnings.


def picked(x, places):
    with gn.region("table", "Embedding"):
        return x[places] * 2.0  # the line of the index


@each_backend
def test_an_error_while_a_plan_runs_names_the_line_that_made_the_node(backend):
    x, good, bad = np.arange(5.0), np.array([0, 4]), np.array([0, 9])
    number = line_of("# the line of the index")
    graph = gn.trace(picked, x, good)
    w = gn.Parameter(x)
    ways = [
        gn.compile(picked, backend=backend),
        graph,
        graph.compile(backend=backend),
        gn.compile(lambda x, p: picked(x * w, p), backend=backend),
        gn.compile(lambda x, p: gn.scan(lambda c, r: (c, picked(x, r)), 0.0, gn.stack([p, p]))[1], backend=backend),
    ]
    for call in ways:
        call(x, good)
        with pytest.raises(IndexError, match=rf"(?s)9 is out of bounds.*\(made at {HERE}:{number}\)") as caught:
            call(x, bad)
        assert call is ways[-1] or str(caught.value).startswith("table: ")
        call(x, good)


@gn.op(lambda x: x.shape, vjp=(None,), name="refusing_test_op")
def refusing(x):
    if x[0] < 0:
        raise KeyError("no such thing")
    return x * 1.0


@each_backend
def test_an_error_of_a_users_op_keeps_its_cause_and_names_the_line(backend):
    def f(x):
        with gn.region("mine"):
            return refusing(x) + 1.0  # the line of the users op

    graph = gn.trace(f, GOOD)
    number = line_of("# the line of the users op")
    for call in (gn.compile(f, backend=backend), graph, graph.compile(backend=backend)):
        call(GOOD)
        with pytest.raises(ValueError, match=rf"mine: refusing_test_op.*no such thing.*{HERE}:{number}\)") as caught:
            call(-GOOD)
        assert isinstance(caught.value.__cause__, KeyError)


def test_numpys_warnings_in_a_graph_name_the_line():
    graph = gn.trace(inner, GOOD)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph(np.array([0.0, -1.0]))
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line_of("# the line of log"))}
    assert {str(w.message) for w in caught} == {
        "divide by zero encountered in log",
        "invalid value encountered in log",
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        graph(np.array([0.0, -1.0]))
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="log"):
        graph(np.array([0.0, -1.0]))


def test_symbolic_errors_are_raised_at_the_users_line():
    a, b = gn.input((2, 3)), gn.input((4, 3))
    with pytest.raises(ValueError, match=r"matmul\(float32\[2, 3\], float32\[4, 3\]\)") as caught:
        gn.compile(lambda a, b: a @ b)(np.ones((2, 3), "f"), np.ones((4, 3), "f"))  # the line of matmul
    lines = [(f.path, f.lineno + 1) for f in caught.traceback]
    assert any(str(path) == __file__ and n == line_of("# the line of matmul") for path, n in lines)
    with pytest.raises(ValueError, match="matmul"):
        _ = a @ b
    assert inspect.isfunction(inner)
