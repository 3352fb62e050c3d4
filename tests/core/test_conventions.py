"""Where a gradient is what a convention says, `gn.debug()` names op, layer and line; where it is not, it is silent."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn
from graphnet.record import OPS

ZEROS = np.zeros(2)
PLACES = {
    "absolute": (lambda x: gn.abs(x).sum(), ZEROS, "x is 0: slope 0"),
    "relu": (lambda x: gn.relu(x).sum(), ZEROS, "x is 0: slope 0"),
    "leaky_relu": (lambda x: gn.leaky_relu(x).sum(), ZEROS, "slope negative_slope"),
    "elu": (lambda x: gn.elu(x, alpha=0.5).sum(), ZEROS, "slope alpha"),
    "maximum": (lambda x: gn.maximum(x, 3.0).sum(), np.full(2, 3.0), "half of the gradient each"),
    "minimum": (lambda x: gn.minimum(x, 3.0).sum(), np.full(2, 3.0), "half of the gradient each"),
    "fmax": (lambda x: gn.fmax(x, 3.0).sum(), np.full(2, 3.0), "half of the gradient each"),
    "fmin": (lambda x: gn.fmin(x, 3.0).sum(), np.full(2, 3.0), "half of the gradient each"),
    "max": (gn.max, np.ones(3), "they share the gradient"),
    "min": (gn.min, np.ones(3), "they share the gradient"),
    "clip_to": (lambda x: gn.clip(x, 0.0, 1.0).sum(), np.array([0.0, 0.5]), "at 1 of 2 numbers: x is a bound: slope 1"),
    "clip_low": (lambda x: gn.clip(x, 0.0, None).sum(), ZEROS, "slope 1"),
    "clip_high": (lambda x: gn.clip(x, None, 0.0).sum(), ZEROS, "slope 1"),
    "norm2": (gn.norm, ZEROS, "all are 0: slopes 0"),
    "std": (gn.std, np.full(3, 0.1), "all are equal: slopes 0"),
    "hypot": (lambda x: gn.hypot(x[0], x[1]), ZEROS, "both are 0"),
    "arctan2": (lambda x: gn.arctan2(x[0], x[1]), ZEROS, "both are 0"),
    "logaddexp": (lambda x: gn.logaddexp(x, -np.inf).sum(), np.full(2, -np.inf), "the same infinity"),
    "logaddexp2": (lambda x: gn.logaddexp2(x, -np.inf).sum(), np.full(2, -np.inf), "the same infinity"),
    "logsumexp": (gn.logsumexp, np.array([np.inf, 1.0]), "the largest is infinite"),
    "remainder": (lambda x: (x % 2.0).sum(), np.array([2.0, 4.0]), "a multiple of b"),
    "fmod": (lambda x: gn.fmod(x, 2.0).sum(), np.array([2.0, 4.0]), "a multiple of b"),
    "sqrt": (lambda x: gn.where(x > 0, gn.sqrt(x), 0 * x).sum(), ZEROS, "0 times infinity is 0"),
}


def told(f, x):
    """The conventions that are named while `f(x)` runs, each once with its line."""
    with warnings.catch_warnings(record=True) as caught, gn.debug() as watch:
        warnings.simplefilter("always")
        f(x)
    of_us = [w for w in caught if w.category is gn.ConventionWarning]
    assert [str(w.message) for w in of_us] == watch.conventions
    assert all(w.filename == __file__ and f"{w.filename}:{w.lineno}" in str(w.message) for w in of_us)
    return watch.conventions


#: of these a graph of the gradient has no node: it is the gradient that came in
PASSED_ON = {"remainder", "fmod"}


def ways(f, name, x):
    yield gn.grad(f)
    yield gn.value_and_grad(f)
    if name not in PASSED_ON:
        yield gn.trace(gn.value_and_grad(f), x)
        yield gn.compile(gn.value_and_grad(f), backend="numpy")
        yield gn.trace(f, x).gradient()


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_named_with_its_line(name):
    f, x, text = PLACES[name]
    for n, way in enumerate(ways(f, name, x)):
        try:
            found = told(way, x)
        except FloatingPointError:
            # What is not finite in a graph is an error of its own.
            assert n and not np.isfinite(x).all()
            continue
        assert len(found) == 1, (n, found)
        assert re.search(rf"the gradient of {name}\(float64.* is a convention at", found[0]), (n, found)
        assert text in found[0], (n, found)


SILENT = {
    "a smooth function": (lambda x: gn.tanh(x).sum(), ZEROS),
    "beside the corner": (lambda x: gn.abs(x).sum(), np.ones(2)),
    "the square of a norm": (lambda x: gn.norm(x) ** 2, ZEROS),
    "the square of a root": (lambda x: (gn.sqrt(x) ** 2).sum(), ZEROS),
    "std of one number": (gn.std, np.array(2.5)),
    "a zero from outside": (lambda x: (gn.relu(x) * 0.0).sum(), ZEROS),
}


@pytest.mark.parametrize("name", SILENT)
def test_silent_where_nothing_is_decided(name):
    f, x = SILENT[name]
    assert told(gn.grad(f), x) == []
    assert told(f, x) == []


def test_a_layer_is_named_and_each_place_once():
    from graphnet import nn

    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, activation="relu", kernel_initializer="zeros"), nn.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(gn.ConventionWarning, match=r"dense\w*: the gradient of relu"), gn.debug() as watch:
        model.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, epochs=2, verbose=0)
    assert len(watch.conventions) == 1


def test_second_derivatives_are_watched():
    assert any("norm2" in text for text in told(gn.hessian(gn.norm), ZEROS))
    assert told(gn.hessian(lambda x: gn.norm(x) ** 2), ZEROS) == []


def test_every_kink_is_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    with_kinks = {name for name, op in OPS.items() if op.builtin and op.kink is not None}
    shown = {"absolute": "abs", "norm2": "norm", "clip_to": "clip", "clip_low": "clip", "clip_high": "clip"}
    assert {name for name in with_kinks if f"`{shown.get(name, name)}" not in page} == set()
    assert with_kinks <= set(PLACES)
