"""Operators and methods of tensors: values, dtypes and gradients on either side, conversions, texts, errors."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphnet as gn
from graphnet.ops import arithmetic, products

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]
SMOOTH = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
DTYPES = ["float64", "float32", "int64", "int8", "bool"]
SYMBOLIC = gn.input((2, 3), "float32", name="x")


@pytest.mark.parametrize("operate", BINARY)
@pytest.mark.parametrize("other", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int8(3)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_numbers_promote_as_beside_an_array(operate, other, dtype):
    a = np.array([1, 2, 3], dtype)
    x = gn.input((3,), dtype)
    for found, symbolic, expected in (
        (operate(gn.tensor(a), other), operate(x, other), operate(a, other)),
        (operate(other, gn.tensor(a)), operate(other, x), operate(other, a)),
    ):
        assert isinstance(found, gn.Tensor) and found.dtype == symbolic.dtype == expected.dtype
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6 if expected.dtype == np.float32 else 1e-14)
        np.testing.assert_array_equal(gn.Graph([x], symbolic)(a).numpy(), found.numpy())


@pytest.mark.parametrize("operate", SMOOTH)
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3))
def test_operators_broadcast_and_their_gradients_come_back(operate, shapes):
    a, b = (1.3 + np.arange(float(np.prod(s))).reshape(s) / 7 for s in shapes.input_shapes)
    np.testing.assert_allclose(operate(gn.tensor(a), b).numpy(), operate(a, b), rtol=1e-14)
    np.testing.assert_allclose(operate(a, gn.tensor(b)).numpy(), operate(a, b), rtol=1e-14)
    gn.check_grads(operate, a, b, order=2)
    x = gn.tensor(a, requires_grad=True)
    (slope,) = gn.gradients((operate(x, b) + operate(b, x)).sum(), [x])
    assert slope.shape == a.shape


@pytest.mark.parametrize("operate", SMOOTH)
@pytest.mark.parametrize("number", [2, 3.0, np.float64(2.5)])
def test_a_number_on_either_side_has_a_gradient_of_two_orders_and_no_other_dtype(operate, number):
    gn.check_grads(lambda x: operate(x, number), np.array([0.5, 1.5]), order=2)
    gn.check_grads(lambda x: operate(number, x), np.array([0.5, 1.5]), order=2)
    if type(number) is not np.float64:
        x = gn.tensor([0.5, 1.5], dtype="float32", requires_grad=True)
        for y in (operate(x, number), operate(number, x)):
            assert y.dtype == gn.gradients(y.sum(), [x])[0].dtype == np.float32


def test_operators_are_the_ops_without_a_call_between():
    x = gn.Parameter([1.0])
    for operate, function in (
        (operator.add, arithmetic.add),
        (operator.sub, arithmetic.subtract),
        (operator.mul, arithmetic.multiply),
        (operator.truediv, arithmetic.divide),
        (operator.matmul, products.matmul),
    ):
        assert operate(x, x).op is function.op
        # Its code is that of the function, but for what it asks about operands that are no numbers.
        plain, own = function.__code__, getattr(gn.Tensor, f"__{operate.__name__}__").__code__
        assert set(own.co_names) - set(plain.co_names) == {"strange"}
    assert gn.Tensor.__neg__ is arithmetic.negative


@given(hnp.arrays(bool, (3,)), hnp.arrays(bool, (3,)))
def test_booleans_join(p, q):
    for operate in (operator.and_, operator.or_, operator.xor):
        for left, right in (
            (gn.tensor(p), gn.tensor(q)),
            (p, gn.tensor(q)),
            (gn.tensor(p), q),
            (p.tolist(), gn.tensor(q)),
        ):
            np.testing.assert_array_equal(operate(left, right).numpy(), operate(p, q))
        np.testing.assert_array_equal(operate(True, gn.tensor(p)).numpy(), operate(True, p))
    np.testing.assert_array_equal((~gn.tensor(p)).numpy(), ~p)


def test_one_sided_operators():
    a = np.array([-1.5, 2.0])
    t = gn.tensor(a)
    for operate in (operator.neg, operator.pos, abs):
        np.testing.assert_array_equal(operate(t).numpy(), operate(a))
    for whole, rest in (divmod(t, 0.7), (divmod(gn.tensor(a), gn.tensor([0.7, 0.7])))):
        np.testing.assert_array_equal(whole.numpy(), np.divmod(a, 0.7)[0])
        np.testing.assert_allclose(rest.numpy(), np.divmod(a, 0.7)[1])
    np.testing.assert_array_equal(divmod(7, gn.tensor([2, 3]))[1].numpy(), [1, 1])
    np.testing.assert_array_equal(round(gn.tensor([1.26, -0.5]), 1).numpy(), [1.3, -0.5])
    np.testing.assert_array_equal(round(t).numpy(), [-2, 2])


def test_operators_in_place_rebind():
    for operate in (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imod):
        x = gn.tensor([3.0, 5.0], requires_grad=True)
        y = operate(x, 2.0)
        assert y is not x and y.requires_grad
        np.testing.assert_array_equal(x.numpy(), [3, 5])
    m = gn.tensor([[2.0]])
    before = m
    m @= m
    assert m.item() == 4 and before.item() == 2


METHODS = {
    "sum": [(), (0,), (-1,), ((0, 1),)],
    "prod": [(), (1,)],
    "mean": [(), (0,)],
    "var": [(), (0,)],
    "std": [(), (1,)],
    "max": [(), (0,)],
    "min": [(), (1,)],
    "argmax": [(), (0,)],
    "argmin": [(), (1,)],
    "cumsum": [(), (0,)],
    "any": [(), (0,)],
    "all": [(), (1,)],
    "reshape": [(3, 2), ((3, 2),), (-1,), ((6,),), (1, 6, -1), ([2, 3],)],
    "ravel": [()],
    "flatten": [()],
    "transpose": [(), (1, 0), ((1, 0),), (None,), (-1, 0)],
    "swapaxes": [(0, 1), (-1, 0)],
    "squeeze": [()],
    "astype": [("float32",), (int,), (bool,)],
    "clip": [(0.0, 2.0), (None, 1.0), (0.5,)],
    "round": [(), (1,)],
    "dot": [(np.ones((3, 2)),), ([1.0, 2.0, 3.0],)],
    "take": [([0, 5],), ([0, -1], 1)],
    "repeat": [(2,), ([1, 2], 0)],
    "diagonal": [(), (1,)],
    "trace": [(), (-1,)],
    "argsort": [(), (0,)],
    "copy": [()],
}
CASES = [pytest.param(name, args, id=f"{name}{args}") for name, calls in METHODS.items() for args in calls]


@pytest.mark.parametrize(("name", "args"), CASES)
def test_methods_are_those_of_arrays(name, args):
    a = np.array([[0.6, -1.3, 2.2], [3.4, 0.3, -0.8]])
    expected = getattr(a, name)(*args)
    found = getattr(gn.tensor(a, requires_grad=True), name)(*args)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    if name != "copy":
        x = gn.input((2, 3), "float64")
        y = getattr(x, name)(*args)
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(gn.Graph([x], y)(a).numpy(), expected, rtol=1e-14)
    if name == "round":
        assert not found.requires_grad
    elif expected.dtype == np.float64 and name != "copy":
        gn.check_grads(lambda x: gn.sin(getattr(x, name)(*args)), a, order=2)


def test_methods_take_keywords():
    t = gn.tensor(np.arange(6.0).reshape(2, 3))
    assert t.sum(axis=0, keepdims=True).shape == (1, 3)
    assert t.reshape(shape=(3, 2)).shape == t.transpose(axes=(1, 0)).shape == (3, 2)
    assert t.var(axis=1, ddof=1).tolist() == [1, 1]
    assert t.clip(max=2.0).max().item() == 2 and t.clip(min=2.0).min().item() == 2
    for call, text in ((lambda: t.flatten("F"), "flatten"), (lambda: t.reshape(3, 2, order="F"), "reshape")):
        with pytest.raises(TypeError, match=text):
            call()


@given(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_transposes(shape):
    a = np.arange(float(np.prod(shape))).reshape(shape)
    np.testing.assert_array_equal(gn.tensor(a).T.numpy(), a.T)
    if len(shape) > 1:
        np.testing.assert_array_equal(gn.tensor(a).mT.numpy(), a.mT)
        assert gn.input(shape).mT.shape == a.mT.shape
    else:
        with pytest.raises(ValueError, match=rf"mT exchanges the last two axes; this tensor has {len(shape)}"):
            gn.tensor(a).mT  # noqa: B018


def test_properties():
    for t in (gn.zeros((2, 3), "float32"), SYMBOLIC):
        assert (t.shape, t.ndim, t.size, t.nbytes, t.dtype, len(t)) == ((2, 3), 2, 6, 24, np.float32, 2)
    assert gn.tensor(1.0).shape == () and gn.tensor(1.0).size == 1
    with pytest.raises(AttributeError, match="a Tensor has no attribute 'colour'"):
        gn.tensor(1.0).colour  # noqa: B018
    with pytest.raises(AttributeError):
        gn.tensor(1.0).colour = 1


def test_rows_are_iterated_over_with_their_gradients():
    x = gn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    assert list(gn.zeros((0, 3))) == [] and [row.shape for row in SYMBOLIC] == [(3,), (3,)]
    assert [t.item() for t in reversed(gn.tensor([1, 2]))] == [2, 1]
    (first * second).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[3, 4], [1, 2]])
    for t in (gn.tensor(1.0), gn.input(())):
        for call in (len, iter, list):
            with pytest.raises(TypeError, match="0 dimensions"):
                call(t)


@given(st.sampled_from(DTYPES), st.sampled_from([(), (1,), (1, 1)]), st.sampled_from([0, 1]))
def test_one_element_is_a_number(dtype, shape, value):
    t = gn.tensor(np.full(shape, value, dtype))
    assert t.item() == value and type(t.item()) is type(np.dtype(dtype).type(value).item())
    assert float(t) == float(value) and int(t) == value and bool(t) is bool(value)
    assert t.tolist() == np.full(shape, value, dtype).tolist()
    if shape == () and np.dtype(dtype).kind == "i":
        assert ["a", "b"][t] == "ab"[value] and len(range(t)) == value
    else:
        with pytest.raises(TypeError, match=r"only an integer tensor of shape \(\) is an index"):
            operator.index(t)


def test_what_is_no_single_number():
    for call in (float, int, gn.Tensor.item):
        with pytest.raises(ValueError, match=r"only a tensor of one element is a number; this one has shape \(2,\)"):
            call(gn.tensor([1.0, 2.0]))
        with pytest.raises(ValueError, match=r"symbolic tensor 'n' \(float32\[\]\) is not known yet"):
            call(gn.input((), name="n"))
    for shape in ((2,), (0,)):
        with pytest.raises(ValueError, match=r"is ambiguous: use \.any\(\) or \.all\(\)"):
            bool(gn.zeros(shape))
    with pytest.raises(TypeError, match=r"use gn\.where instead of if"):
        bool(gn.input(()) > 0)


def test_membership():
    t = gn.tensor([1.0, 2.0])
    assert 2 in t and gn.tensor(1.0) in t and 3 not in t
    with pytest.raises(ValueError, match="not known yet"):
        assert 1.0 in SYMBOLIC


def test_tensors_are_keys_by_identity():
    x, y = gn.tensor([1.0]), gn.tensor([1.0])
    assert {x: "x", y: "y"}[x] == "x" and len({x, y, x}) == 2


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (gn.tensor(1.5), "Tensor(1.5)"),
        (gn.tensor(3), "Tensor(3)"),
        (gn.tensor([True, False]), "Tensor([ True, False])"),
        (gn.tensor([1.0, 2.0]), "Tensor([1., 2.])"),
        (gn.tensor([[1, 2], [3, 4]]), "Tensor([[1, 2],\n        [3, 4]])"),
        (gn.tensor([1.0], dtype="float32", name="b"), "Tensor([1.], dtype=float32, name='b')"),
        (gn.zeros((0,)), "Tensor([], dtype=float64)"),
        (gn.zeros((2, 0), "int8"), "Tensor([], shape=(2, 0), dtype=int8)"),
        (gn.Parameter([[1.0], [2.0]], name="w"), "Parameter([[1.],\n           [2.]], name='w')"),
        (SYMBOLIC, "Tensor(float32[2, 3], name='x')"),
        (SYMBOLIC * 2.0, "Tensor(float32[2, 3], op=multiply)"),
        (gn.input(()), "Tensor(float32[])"),
    ],
)
def test_what_a_tensor_looks_like(t, text):
    assert repr(t) == str(t) == f"{t}" == text


def test_long_tensors_are_summarised():
    assert repr(gn.zeros(5000)) == "Tensor([0., 0., 0., ..., 0., 0., 0.])"
    assert len(repr(gn.zeros((300, 300)))) < 1000


def test_formatting():
    assert f"{gn.tensor([2.34567]):.2f}" == "2.35" and f"{gn.tensor(7):03d}" == "007"
    for t, text in ((gn.tensor([1.0, 2.0]), r"a tensor of shape \(2,\)"), (SYMBOLIC, "a symbolic tensor")):
        with pytest.raises(TypeError, match=f"format '.2f' is for one known number; received {text}"):
            f"{t:.2f}"


def test_elements_are_not_assigned():
    for t in (gn.tensor([1.0]), gn.Parameter([1.0]), SYMBOLIC):
        with pytest.raises(TypeError, match=r"write x = gn\.set_at\(x, index, value\) or gn\.add_at"):
            t[0] = 1.0


def test_dlpack_hands_out_a_copy():
    t = gn.tensor([1.0, 2.0], dtype="float32")
    a = np.from_dlpack(t)
    assert a.dtype == np.float32 and not np.shares_memory(a, t.numpy())
    np.testing.assert_array_equal(a, [1, 2])
    with pytest.raises(ValueError, match="not known yet"):
        np.from_dlpack(SYMBOLIC)


def test_backward_is_a_method():
    x = gn.Parameter([1.0, 2.0])
    (x**2).backward([1.0, 10.0])
    np.testing.assert_array_equal(x.grad.numpy(), [2, 40])
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [5, 43])
