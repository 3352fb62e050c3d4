"""Nested containers: taken apart, made again, matched by key and class, in every function that takes them."""

import copy
import dataclasses
import pickle
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet.containers import flatten

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Weights:
    w: Any
    rest: Any = None


@dataclasses.dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: Any
    b: Any


class Attributes(dict):
    """A dict whose attributes are its items."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Bunch(dict):
    """A dict whose constructor takes keywords alone, with something besides its items."""

    def __init__(self, **items):
        super().__init__(items)
        self.unit = "m"


SAMPLES = [
    1.0,
    None,
    (),
    [],
    {},
    (1.0,),
    [(1.0, None), {"a": None, "b": 2.0}],
    Point(1.0, [2.0, (3.0,)]),
    OrderedDict(z=1.0, a=2.0),
    defaultdict(list, {"u": (1.0,)}),
    Counter(a=2, b=3),
    Attributes(k=1.0),
    Bunch(m=3.0),
    Weights(1.0, {"b": (2.0, None)}),
    Slotted(1.0, Weights(2.0)),
]


@pytest.mark.parametrize("value", SAMPLES, ids=repr)
def test_a_container_is_made_again_of_the_same_classes(value):
    leaves, structure = flatten(value)
    again = structure(leaves)
    assert again == value and type(again) is type(value)
    assert structure == flatten(value)[1] and hash(structure) == hash(flatten(value)[1])
    assert structure.match(value, "it") == leaves
    assert structure.count == len(leaves) == len(structure.names("p")) == len(structure.places("p"))
    for other in (copy.deepcopy(structure), pickle.loads(pickle.dumps(structure))):
        assert other == structure and other(leaves) == value


def test_what_a_container_has_besides_its_leaves_is_kept():
    again = flatten(SAMPLES[9])[1]([7.0])
    assert again["new"] == []
    assert flatten(Attributes(k=1.0))[1]([7.0]).k == 7.0
    assert flatten(Bunch(m=1.0))[1]([7.0]).unit == "m"


def test_structures_differ_where_containers_do():
    different = [flatten(v)[1] for v in SAMPLES] + [
        flatten(v)[1] for v in ({"z": 1.0, "a": 2.0}, (1.0, 2.0), [(1.0,)], Point(1.0, 2.0), {"a": 2.0, "z": 1.0})
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    "numbers",
    [
        [1.0, 2.0],
        [1, 2],
        [True, False],
        [np.float32(1), np.float32(2)],
        [np.int8(1), 2.5],
        [[1, 2], [3, 4]],
        [[np.bool_(True)]],
        [1j],
    ],
    ids=repr,
)
def test_a_list_of_numbers_is_one_leaf(numbers):
    assert flatten(numbers)[0] == [numbers]
    assert flatten({"a": numbers, "b": (numbers,)})[0] == [numbers, numbers]


def test_a_list_of_arrays_or_tensors_is_a_container():
    x = gn.tensor(1.0)
    assert flatten([x, x])[1].count == 2
    assert flatten([np.array(1.0), np.array(2.0)])[1].count == 2
    assert flatten([1.0, x])[1].count == 2
    value, slopes = gn.value_and_grad(lambda p: (p[0] * p[1]).sum())([gn.tensor([1.0, 2.0]), gn.tensor(3.0)])
    assert value.item() == 9 and isinstance(slopes, list) and slopes[1].item() == 3


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ({"w": 1.0}, ValueError, r"v: it has no key 'rest'; expected the keys 'w', 'rest'"),
        ({"w": 1.0, "rest": (2.0, [3.0]), "c": 1.0}, ValueError, "an unknown key 'c'"),
        ({"w": 1.0, "rest": [2.0, [3.0]]}, TypeError, r"v\['rest'\]: expected a tuple of 2, received a list of 2"),
        ({"w": 1.0, "rest": (2.0,)}, ValueError, r"v\['rest'\]: expected a tuple of 2, received a tuple of 1"),
        ({"w": 1.0, "rest": Point(2.0, [3.0])}, TypeError, "expected a tuple of 2, received a Point"),
        ({"w": None, "rest": (2.0, [3.0])}, TypeError, r"v\['w'\]: expected an array, received None"),
        ({"w": {"a": 1.0}, "rest": (2.0, [3.0])}, TypeError, "expected an array, received a dict with the keys 'a'"),
        ((1.0, 2.0), TypeError, "expected a dict with the keys 'w', 'rest', received a tuple of 2"),
        (np.ones(2), TypeError, "received ndarray"),
    ],
)
def test_what_does_not_match_is_named(value, kind, text):
    _, structure = flatten({"w": gn.tensor(1.0), "rest": (gn.tensor(2.0), [gn.tensor(3.0)])})
    with pytest.raises(kind, match=text):
        structure.match(value, "v")


def test_a_none_is_matched_by_none_alone():
    _, structure = flatten((gn.tensor(1.0), None))
    assert structure.match((2.0, None), "v") == [2.0]
    with pytest.raises(TypeError, match=r"v\[1\]: expected None, received float"):
        structure.match((2.0, 3.0), "v")


def _f(p):
    return p["w"] ** 2 * p["b"]


def test_dicts_are_matched_by_key_in_every_derivative():
    p, v = {"w": 2.0, "b": 3.0}, {"b": 1.0, "w": 10.0}
    assert gn.jvp(_f, (p,), (v,))[1].item() == 124
    product = gn.hvp(_f)(p, v)
    assert (product["w"].item(), product["b"].item()) == (64, 40) and list(product) == ["w", "b"]
    _, pullback = gn.vjp(lambda x: {"a": x * 2, "c": x * 3}, 1.0)
    assert pullback({"c": 1.0, "a": 10.0})[0].item() == 23
    for wrong in ({"b": 1.0, "typo": 10.0}, {"b": 1.0}, {"b": 1.0, "w": 1.0, "x": 1.0}):
        with pytest.raises(ValueError, match="key"):
            gn.jvp(_f, (p,), (wrong,))
        with pytest.raises(ValueError, match="key"):
            gn.hvp(_f)(p, wrong)
    with pytest.raises(ValueError, match="no key 'c'"):
        pullback({"a": 1.0})
    x = gn.Parameter(2.0)
    ys = {"a": x * x, "b": x * 3.0}
    assert gn.gradients(ys, {"x": x}, {"b": 1.0, "a": 10.0})["x"].item() == 43
    with pytest.raises(ValueError, match="no key 'b'"):
        gn.gradients(ys, x, {"a": 1.0})


def test_the_carry_of_a_scan_is_matched_by_key():
    def step(c, x):
        return {"b": c["b"] + 1.0, "a": c["a"] * x}, c["a"]

    carry, ys = gn.scan(step, {"a": gn.tensor(1.0), "b": gn.tensor(0.0)}, gn.tensor([2.0, 3.0]))
    assert (carry["a"].item(), carry["b"].item()) == (6, 2) and list(carry) == ["a", "b"]
    np.testing.assert_array_equal(ys.numpy(), [1, 2])
    with pytest.raises(ValueError, match="scan: the new carry: it has no key 'b'"):
        gn.scan(lambda c, x: ({"a": c["a"]}, None), {"a": gn.tensor(1.0), "b": gn.tensor(0.0)}, length=2)
    with pytest.raises(TypeError, match="scan: the new carry: expected a tuple of 2, received a list of 2"):
        gn.scan(lambda c, x: (list(c), None), (gn.tensor(1.0), gn.tensor(0.0)), length=2)


@pytest.mark.parametrize("length", [-1, -5, 10**30])
def test_a_scan_of_negative_or_endless_length_is_refused(length):
    with pytest.raises(ValueError, match=f"length is 0 or more, and fits an integer; received {length}"):
        gn.scan(lambda c, _: (c * 1.5, None), gn.tensor(2.0), length=length)


@pytest.mark.parametrize("length", [2.7, 3.0, "3", True, np.True_, [3], np.array([3]), gn.tensor(3.0), None])
def test_a_scan_takes_a_whole_number_of_steps(length):
    with pytest.raises((TypeError, ValueError), match="length"):
        gn.scan(lambda c, _: (c * 1.5, None), gn.tensor(2.0), length=length)


def test_a_scan_of_a_length_that_fits():
    f = lambda c, _: (c * 2.0, None)  # noqa: E731
    for length in (3, np.int64(3), np.array(3)):
        assert gn.scan(f, gn.tensor(2.0), length=length)[0].item() == 16
    assert gn.scan(f, gn.tensor(2.0), length=0)[0].item() == 2
    with pytest.raises(ValueError, match="length=2"):
        gn.scan(lambda c, x: (c + x, None), gn.tensor(0.0), gn.tensor([1.0, 2.0, 3.0]), length=2)
    with pytest.raises(TypeError, match="reverse is True or False; received 'no'"):
        gn.scan(f, gn.tensor(2.0), length=3, reverse="no")


@pytest.mark.parametrize(
    ("form", "gradient", "right"),
    [
        (lambda y: (y,), (1.0,), 2.0),
        (lambda y: [y], [1.0], 2.0),
        (lambda y: {"a": y}, {"a": 1.0}, 2.0),
        (lambda y: (y, None), (1.0, None), 2.0),
        (lambda y: Point(y, None), Point(1.0, None), 2.0),
        (lambda y: Weights(y), Weights(1.0), 2.0),
        (lambda y: {"a": ([y],)}, {"a": ([1.0],)}, 2.0),
        (lambda y: [y, y], [1.0, 10.0], 22.0),
    ],
)
def test_a_pullback_takes_the_form_of_the_output(form, gradient, right):
    y, pullback = gn.vjp(lambda x: form(x * 2.0), 1.0)
    assert type(y) is type(form(1.0))
    assert pullback(gradient)[0].item() == right
    value, slope = gn.jvp(lambda x: form(x * 2.0), (1.0,), (1.0,))
    assert type(slope) is type(value) is type(form(1.0))
    assert type(gn.jacobian(lambda x: form(x * 2.0))(1.0)) is type(form(1.0))
    with pytest.raises(TypeError, match="the gradient of the output"):
        pullback(None)


@pytest.mark.parametrize(
    "p",
    [
        Point(gn.tensor(2.0), gn.tensor(3.0)),
        OrderedDict(x=gn.tensor(2.0), y=gn.tensor(3.0)),
        defaultdict(float, x=gn.tensor(2.0), y=gn.tensor(3.0)),
        Slotted(gn.tensor(2.0), gn.tensor(3.0)),
        Weights(gn.tensor(2.0), (gn.tensor(3.0), None)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_arguments_keep_their_class(p):
    def product(p):
        assert type(p) is kind
        a, b = flatten(p)[0]
        return a * a * b

    kind = type(p)
    slopes = gn.grad(product)(p)
    assert type(slopes) is kind and [t.item() for t in flatten(slopes)[0]] == [12, 4]
    assert gn.compile(product)(p).item() == 12
    assert gn.trace(product, p)(2.0, 3.0).item() == 12
    assert type(gn.compile(lambda p: p)(p)) is kind
    second = gn.hessian(product)(p)
    assert type(second) is kind and [t.item() for t in flatten(second)[0]] == [6, 4, 4, 0]


def test_an_argument_of_the_wrong_dtype_is_named_by_its_place():
    with pytest.raises(TypeError, match=r"received int64\[\] \(write 3.0\) in the argument\['n'\]\[0\]"):
        gn.grad(lambda p: p["w"] * 1.0)({"w": 1.0, "n": (3,)})


@pytest.mark.parametrize("numbers", [[2, 2], [np.int64(2), 2], [np.int64(2), np.int64(2)]])
def test_a_list_of_numbers_keeps_its_value_in_compile_and_trace(numbers):
    f = lambda x, shape: gn.reshape(x, shape)  # noqa: E731
    x = np.ones(4)
    assert gn.compile(f)(x, numbers).shape == (2, 2)
    assert gn.trace(f, x, numbers)(x).shape == (2, 2)
    assert gn.compile(lambda d, x: x * d["rates"][1])({"rates": [0.1, 0.2]}, x)[0].item() == pytest.approx(0.2)
    scaled = gn.compile(lambda x, s: x * s[0])
    assert scaled(x, [2.0, 0.0])[0].item() == 2 and scaled(x, [3.0, 0.0])[0].item() == 3


@pytest.mark.parametrize("x", [[1.0, 2.0], [np.float32(1), np.float32(2)], [np.float64(1), 2.0]], ids=repr)
def test_a_list_of_numbers_is_one_argument_of_a_derivative(x):
    slope = gn.grad(lambda x: (x * x).sum())(x)
    np.testing.assert_array_equal(slope.numpy(), [2, 4])
    assert slope.dtype == np.asarray(x).dtype
    np.testing.assert_array_equal(gn.jvp(lambda x: x * x, (x,), (x,))[1].numpy(), [2, 8])
    np.testing.assert_array_equal(gn.hvp(lambda x: (x**3).sum())(x, x).numpy(), [6, 24])


def test_what_a_function_found_besides_comes_back_with_its_derivative():
    def f(p):
        y = (p["a"] ** 3).sum()
        return y, {"y": y, "note": "cubed", "n": 3}

    p = {"a": gn.tensor([1.0, 2.0])}
    slope, aux = gn.grad(f, has_aux=True)(p)
    np.testing.assert_array_equal(slope["a"].numpy(), [3, 12])
    assert aux["note"] == "cubed" and aux["y"].item() == 9 and not aux["y"].requires_grad
    (value, aux), slope = gn.value_and_grad(f, has_aux=True)(p)
    assert value.item() == 9 and aux["n"] == 3
    y, pullback, aux = gn.vjp(f, p, has_aux=True)
    assert y.item() == 9 and aux["y"].item() == 9
    np.testing.assert_array_equal(pullback(2.0)[0]["a"].numpy(), [6, 24])
    slopes, aux = gn.jacobian(f, has_aux=True)(p)
    np.testing.assert_array_equal(slopes["a"].numpy(), [3, 12])
    second, aux = gn.hessian(f, has_aux=True)(p)
    np.testing.assert_array_equal(second["a"]["a"].numpy(), [[6, 0], [0, 12]])
    assert aux["y"].item() == 9 and not aux["y"].requires_grad
    for derivative in (gn.grad, gn.value_and_grad, gn.jacobian, gn.hessian):
        with pytest.raises(TypeError, match="has_aux=True the function returns a pair"):
            derivative(lambda x: x, has_aux=True)(1.0)


def test_what_a_function_found_besides_can_be_differentiated_by_an_outer_derivative():
    def outer(x):
        slope, seen = gn.grad(lambda z: (z * z * x, x * 5.0), has_aux=True)(2.0)
        return slope + seen

    assert gn.grad(outer)(3.0).item() == 9


@dataclasses.dataclass
class Block:
    w: Any
    activation: Any = gn.tanh
    name: str = "block"
    bias: Any = None


def test_a_field_of_a_dataclass_that_is_no_array_is_kept_as_it_is():
    def f(block):
        return (block.activation(block.w) * (2.0 if block.name == "twice" else 1.0)).sum()

    block = Block(x := gn.tensor([0.5, 1.0]), name="twice")
    slope = gn.grad(f)(block)
    assert (slope.name, slope.activation, slope.bias) == ("twice", gn.tanh, None)
    np.testing.assert_allclose(slope.w.numpy(), 2 * (1 - np.tanh(x.numpy()) ** 2))
    compiled = gn.compile(lambda block: Block(block.w * 2.0, block.activation, block.name))
    assert compiled(block).name == "twice"
    np.testing.assert_array_equal(compiled(block).w.numpy(), [1, 2])
    value = gn.compile(f)
    assert value(block).item() == pytest.approx(2 * value(Block(x)).item())
    assert flatten(block)[1] != flatten(Block(x))[1]
    # What is a number counts as one.
    with pytest.raises(TypeError, match=r"in the argument\.bias"):
        gn.grad(lambda block: block.w.sum())(Block(x, bias=3))
