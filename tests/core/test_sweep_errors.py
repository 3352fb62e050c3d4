"""What the backward sweep refuses, and what it tells of: changed parameters, complex numbers, conventions."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet.mode import state


def _quiet(f):
    with gn.no_grad():
        return f()


def changed(build):
    """The history of `build(w, x)`, after which w was changed."""
    w = gn.Parameter([1.0, 2.0], name="w")
    x = gn.tensor([3.0, 4.0], requires_grad=True)
    y = build(w, x)
    w.assign([5.0, 6.0])
    return w, x, y


NEEDED = {
    "the other factor": lambda w, x: w * x,
    "a quotient": lambda w, x: x / w,
    "an exponent": lambda w, x: x**w,
    "the larger": lambda w, x: gn.maximum(w, x - 2.0),
    "the smaller": lambda w, x: gn.minimum(x + 2.0, w),
    "a bound": lambda w, x: gn.clip(x, w, 10.0),
    "the other bound": lambda w, x: gn.clip(x, -10.0, w),
    "a bound itself": lambda w, x: gn.clip(x - 2.0, w, 10.0),
    "a condition": lambda w, x: gn.where(w, x, x * 2.0),
    "a sign": lambda w, x: gn.copysign(x, w),
    "an op of any number of inputs": lambda w, x: gn.stack([w, x]).sum(axis=0),
}
NOT_NEEDED = {
    "a term": (lambda w, x: w + x, [1.0, 1.0]),
    "a difference": (lambda w, x: x - w, [1.0, 1.0]),
    "a multiple": (lambda w, x: w * 2.0 + x, [1.0, 1.0]),
    "a value that is kept": (lambda w, x: w * w * x, [1.0, 4.0]),
    "another shape": (lambda w, x: w.reshape(2, 1).reshape(2) + x * 3.0, [3.0, 3.0]),
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_parameter_that_was_changed_is_noticed_where_its_value_is_needed(name):
    _, x, y = changed(NEEDED[name])
    for ask in (
        lambda: y.backward([1.0, 1.0]),
        lambda: gn.gradients(y, x, [1.0, 1.0]),
        lambda: _quiet(lambda: gn.gradients(y, x, [1.0, 1.0])),
    ):
        with pytest.raises(
            RuntimeError, match=r"the parameter 'w' was changed after \w+ at .*test_sweep_errors\.py:\d+ used"
        ):
            ask()


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_and_not_where_it_is_not_needed(name):
    build, slope = NOT_NEEDED[name]
    _, x, y = changed(build)
    np.testing.assert_array_equal(gn.gradients(y, x, [1.0, 1.0]).numpy(), slope)
    _, x, y = changed(lambda w, x: build(gn.stop_gradient(w), x))
    y.backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), slope)


def test_what_the_gradient_of_a_changed_parameter_needs():
    # The gradient goes to w, whose value before is known to nobody.
    w, _, y = changed(lambda w, x: w + x)
    with pytest.raises(RuntimeError, match=r"'w' was changed after add"):
        gn.gradients(y, w, [1.0, 1.0])
    # One that is asked for with numbers that are not known yet is checked as if it needed the value.
    _, x, y = changed(lambda w, x: w + x)
    with pytest.raises(RuntimeError, match=r"'w' was changed after add"):
        gn.gradients(y, x, gn.input((2,), "float64", name="g"))
    m = gn.Parameter(np.array([True, False]), trainable=False)
    y = x + m
    m.assign([False, False])
    with pytest.raises(RuntimeError, match="the parameter was changed after add"):
        y.backward([1.0, 1.0])
    n = gn.Parameter(np.array([1, 2]), trainable=False)
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    y = x[n - 1] + n
    n.assign([2, 2])
    with pytest.raises(RuntimeError, match="the parameter was changed after add"):
        y.backward([1.0, 1.0])


def test_the_error_without_a_name():
    w = gn.Parameter([1.0, 2.0])
    y = (w * w).sum()
    w.assign([5.0, 6.0])
    with pytest.raises(RuntimeError) as caught:
        y.backward()
    line = y.inputs[0].site
    text = f"the parameter was changed after multiply at {line[0]}:{line[1]} used it: compute the output again first"
    assert str(caught.value) == text


def test_what_is_not_known_of_complex_numbers_is_refused_with_its_line():
    z = gn.tensor([1.0, 2.0], requires_grad=True) * (1 + 2j)
    y = gn.std(z)
    node = next(t for t in gn.toposort([y]) if t.op is not None and t.op.name == "std")
    for ask in (lambda: y.backward(), lambda: gn.gradients(y, node.inputs[0].inputs[0])):
        with pytest.raises(TypeError) as caught:
            ask()
        assert str(caught.value) == (
            f"std(complex128[2]) at {node.site[0]}:{node.site[1]}: gradients of complex numbers are not known by "
            "this op: write it with real numbers (gn.real, gn.imag)"
        )
    # Behind the real part, everything is as with real numbers.
    gn.std(gn.real(z)).backward()
    x = gn.input((2,), "float64", name="x")
    with pytest.raises(
        TypeError, match=r"absolute\(.*\) at .*test_sweep_errors.py:\d+: .* in a graph or a compiled function"
    ):
        gn.gradients(gn.abs(x * 1j).sum(), x)


def told(f):
    """What `gn.debug` says of a gradient."""
    with warnings.catch_warnings(record=True), gn.debug() as watch:
        warnings.simplefilter("always")
        f()
    return [text.split(" is a convention at ")[1] for text in watch.conventions]


CONVENTIONS = {
    "a corner": (gn.relu, [0.0, 1.0], [1.0, 1.0], ["1 of 2 numbers: x is 0: slope 0"]),
    "two corners": (gn.abs, [0.0, 0.0], [1.0, -1.0], ["2 of 2 numbers: x is 0: slope 0"]),
    "a corner that no gradient comes to": (gn.relu, [0.0, 1.0], [0.0, 1.0], []),
    "no corner": (gn.relu, [0.5, 1.0], [1.0, 1.0], []),
    "a tie": (
        lambda x: gn.maximum(x, 1.0),
        [0.0, 1.0],
        [1.0, 1.0],
        ["1 of 2 numbers: both are equal: half of the gradient each"],
    ),
    "smooth together": (lambda x: gn.square(gn.abs(x)), [0.0, 1.0], [1.0, 1.0], []),
    "zero times infinity": (
        lambda x: gn.sqrt(x) * 0.0,
        [0.0, 1.0],
        [1.0, 1.0],
        ["1 of 2 numbers: 0 times infinity is 0"],
    ),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_debug_tells_of_conventions(name):
    f, at, g, expected = CONVENTIONS[name]

    def backward():
        f(gn.tensor(at, requires_grad=True)).backward(g)

    def gradients():
        x = gn.tensor(at, requires_grad=True)
        gn.gradients(f(x), x, g)

    for way in (backward, gradients):
        assert told(way) == expected


def test_debug_says_nothing_of_numbers_that_are_not_known():
    x, g = gn.input((2,), "float64", name="x"), gn.input((2,), "float64", name="g")
    zeros = gn.tensor([0.0, 0.0], requires_grad=True)
    assert told(lambda: gn.gradients(gn.relu(x), x, g)) == []
    assert told(lambda: gn.gradients(gn.relu(zeros), zeros, g)) == []
    assert told(lambda: gn.gradients(gn.relu(x), x, [1.0, 1.0])) == []
    assert told(lambda: gn.gradients(gn.maximum(zeros, x), x, [1.0, 1.0])) == []


def test_debug_gives_the_same_gradients_and_leaves_things_as_they_were():
    x = gn.tensor([0.0, 4.0], requires_grad=True)
    before = state.mode
    with warnings.catch_warnings(), gn.debug():
        warnings.simplefilter("ignore")
        (gn.sqrt(x) * gn.tensor([0.0, 1.0])).backward([1.0, 1.0])
    assert x.grad.tolist() == [0.0, 0.25] and state.mode is before
    with gn.debug(), pytest.raises(FloatingPointError, match="the gradient of sqrt for its input 0"):
        gn.sqrt(x).backward([1.0, 1.0])
    assert state.mode is before
