"""Every public function that is called with arguments that cannot be right raises an error that names it."""

import inspect
import re
import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import ops
from graphnet.ops import keras_names, keras_numbers

#: what is no array, and arrays whose shapes fit nothing
ODD = (np.ones((2, 3)), np.ones((4, 5)), np.ones(()), np.ones(0), "text", None, object(), {}, np.array(["a"]))
SETTINGS = (
    *("axis", "axis1", "axis2", "axes", "source", "destination", "shape", "k", "ord", "offset", "pad_width", "repeats"),
    *("reps", "shift", "mode", "num_classes", "indices_or_sections", "num"),
)
VALUES = (7, -9, 1.5, "x", (0, 0), (5, 6), [9])
#: those that take anything
LENIENT = {"is_tensor", "shape", "ndim", "size"}

FUNCTIONS = {
    f"gn.{n}": getattr(gn, n)
    for n in dir(gn)
    if not n.startswith("_") and n in dir(ops) and inspect.isfunction(getattr(gn, n))
}
for module in (keras_names, keras_numbers):
    FUNCTIONS.update({f"ops.{n}": getattr(ops, n) for n in module.__all__ if n not in LENIENT})


def calls(f):
    parameters = list(inspect.signature(f).parameters.values())
    names = [p.name for p in parameters]
    count = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    for a in ODD:
        for b in ODD if count > 1 else ODD[:1]:
            yield [a, b, *[a] * (count - 2)][: max(count, 1)], {}
    for name in set(SETTINGS).intersection(names):
        for value in VALUES:
            for array in (np.ones((2, 3)), np.ones(())):
                args, place = [array] * count, names.index(name)
                if place < count:
                    args[place] = value
                yield args, {name: value} if place >= count else {}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_is_named(name):
    f = FUNCTIONS[name]
    own = "|".join(map(re.escape, {name.partition(".")[2], f.__name__}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for args, kwargs in calls(f):
            try:
                f(*args, **kwargs)
            except Exception as error:
                assert re.search(rf"(?<!\w)({own})(?!\w)", str(error)), f"{name}{args, kwargs}: {error!r}"


X = gn.tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: gn.tensordot(X, X, 1), r"^tensordot: "),
        (lambda: gn.take_along_axis(X, [[5]], 1), r"^take_along_axis: getitem\("),
        (lambda: gn.sort(X, 4), r"^sort: argsort\(float64\[2, 3\], axis=4\)"),
        (lambda: X.sort(4) if hasattr(X, "sort") else gn.sort(X, 4), r"^sort: "),
        (lambda: np.sort(X, 4), r"^sort: "),
        (lambda: gn.inner(X, gn.zeros(5)), r"^inner: axes "),
        (lambda: gn.vdot(X, gn.zeros(5)), r"^vdot: "),
        (lambda: gn.dot(X, X), r"^dot: matmul\(float64\[2, 3\], float64\[2, 3\]\): k is"),
    ],
)
def test_the_name_comes_first(call, text):
    with pytest.raises((ValueError, IndexError), match=text):
        call()


def test_the_layer_comes_before_the_name():
    class Wrong(gn.nn.Layer):
        def call(self, x):
            return gn.dot(x, x)

    with pytest.raises(ValueError, match=r"crossed: dot: matmul\("):
        gn.nn.Sequential([gn.nn.Input((3,)), Wrong(name="crossed")])


def test_an_error_of_a_users_composite_stays_as_it_is():
    @gn.composite
    def odd(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        odd(1.0)
    with pytest.raises(ValueError, match=r"^mine$"):
        gn.sum(gn.stack([odd(1.0)]))
