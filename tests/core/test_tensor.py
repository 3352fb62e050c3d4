"""Tensors as values: construction, Python's and NumPy's protocols, methods, and the errors of bad input."""

import copy
import pickle

import numpy as np
import pytest

import graphnet as gn


def test_construction_follows_numpy():
    assert gn.tensor(1).dtype == np.int64 and gn.tensor(1.5).dtype == np.float64
    assert gn.tensor([[1, 2]], dtype="float32").shape == (1, 2)
    data = np.ones(3)
    t = gn.tensor(data)
    data[:] = 5
    np.testing.assert_array_equal(t.numpy(), [1, 1, 1])
    assert gn.tensor([gn.tensor(1.0), 2.0]).shape == (2,)
    assert gn.Parameter([1, 2]).dtype == np.float64
    assert gn.tensor([1.0], name="x").name == "x"


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: gn.tensor("abc"), TypeError, "received str"),
        (lambda: gn.tensor([1, "a"]), TypeError, "expected an array of numbers; received list"),
        (lambda: gn.tensor([[1, 2], [3]]), TypeError, "received list"),
        (lambda: gn.tensor(None), TypeError, "received NoneType which NumPy reads as object"),
        (lambda: gn.Parameter([1, 2], dtype="int32"), TypeError, "holds floating-point numbers; received int32"),
        (lambda: gn.input((2, -1)), ValueError, r"each 0 or more; received \(2, -1\)"),
        (lambda: gn.input((None, 3)), ValueError, r"received \(None, 3\)"),
        (lambda: gn.input((2,), dtype="str"), TypeError, "received dtype"),
        (
            lambda: gn.matmul(gn.input((5, 7)), gn.input((3, 4))),
            ValueError,
            r"matmul\(float32\[5, 7\], float32\[3, 4\]\): k is 7 in one input and 3 in the other",
        ),
        (lambda: gn.tensor(np.ones((5, 7))) @ np.ones((3, 4)), ValueError, "k is 7 in one input and 3 in the other"),
        (lambda: gn.tensor(2.0) @ gn.tensor([1.0]), ValueError, "without axes has no matrix product"),
        (
            lambda: gn.tensor([1.0, 2.0]) + gn.tensor([1.0, 2.0, 3.0]),
            ValueError,
            r"add.*do not broadcast: axis -1 is 2",
        ),
        (lambda: gn.sum(gn.tensor([1.0]), axis=2), IndexError, r"sum\(float64\[1\], axis=2.*axis 2 is out of bounds"),
        (lambda: gn.sum(gn.tensor([1.0]), axis="x"), TypeError, "an axis is an integer; received 'x'"),
        (lambda: gn.sum(gn.tensor([[1.0]]), axis=(0, 0)), ValueError, "names the same axis twice"),
        (lambda: gn.max(gn.zeros((0,))), ValueError, r"max\(float64\[0\]"),
        (lambda: gn.argmax(gn.zeros((0, 3)), axis=0), ValueError, "the extreme of no numbers"),
        (lambda: gn.exp("abc"), TypeError, r"exp\(str\).*received str"),
        (lambda: gn.exp(None), TypeError, "received NoneType"),
        (lambda: gn.tensor([1.0]) + "a", TypeError, "received str"),
        (
            lambda: gn.reshape(gn.tensor([1.0, 2.0]), (3,)),
            ValueError,
            r"cannot reshape \(2,\) \(2 elements\) into \(3,\)",
        ),
        (lambda: gn.reshape(gn.tensor([1.0, 2.0]), (-1, -1)), ValueError, "only one axis"),
        (lambda: gn.concatenate([]), ValueError, "nothing to join"),
        (lambda: gn.concatenate([np.ones((2, 3)), np.ones((2, 2))]), ValueError, "differ beside axis 0"),
        (lambda: gn.stack([np.ones(2), np.ones(3)]), ValueError, r"input 0 has shape \(2,\), input 1 has \(3,\)"),
        (lambda: gn.split(gn.tensor([1.0, 2.0, 3.0]), 2), ValueError, "3 does not divide into 2 equal parts"),
        (
            lambda: gn.einsum("ij,jk", np.ones((2, 3)), np.ones((4, 5))),
            ValueError,
            "axis 'j' has size 3 in one place and 4",
        ),
        (lambda: gn.einsum("ij", np.ones(2)), ValueError, "operand 0 has 1 dimensions, its subscripts 'ij' name 2"),
        (lambda: gn.squeeze(gn.tensor([1.0, 2.0]), 0), ValueError, "axis 0 has size 2, not 1"),
        (lambda: gn.transpose(gn.tensor([[1.0]]), (0,)), ValueError, "name 1 of 2 axes"),
        (lambda: gn.broadcast_to(gn.tensor([1.0, 2.0]), (3,)), ValueError, "broadcast"),
        (lambda: gn.tensor([1.0, 2.0])[5], IndexError, "getitem.*index 5 is out of bounds"),
        (lambda: gn.tensor([1.0, 2.0])["a"], TypeError, "an index is made of integers"),
        (lambda: gn.tensor([1.0, 2.0])[1.5], TypeError, "received float64"),
        (lambda: gn.tensor([1.0, 2.0])[True], TypeError, "a single boolean is no index"),
        (lambda: gn.tensor([1.0, 2.0])[gn.input((2,), "bool")], TypeError, "symbolic mask"),
        (lambda: gn.set_at(gn.zeros(3), [0, 0], [1.0, 2.0]), ValueError, "names a place twice"),
        (lambda: gn.norm(gn.tensor([1.0]), ord="x"), ValueError, "unknown ord='x'"),
        (lambda: gn.pad(gn.tensor([1.0]), 1, mode="odd"), ValueError, "mode is constant, edge"),
        (lambda: gn.astype(gn.tensor([1.0]), "U4"), TypeError, "received dtype <U4"),
        (
            lambda: gn.Parameter([1.0, 2.0], name="w").assign([1.0]),
            ValueError,
            r"assign to w: its shape is \(2,\); received",
        ),
        (lambda: bool(gn.input((1,))), TypeError, "use gn.where instead of if"),
        (lambda: bool(gn.tensor([1.0, 2.0])), ValueError, "is ambiguous"),
        (lambda: float(gn.tensor([1.0, 2.0])), ValueError, "only a tensor of one element is a number"),
        (lambda: len(gn.tensor(1.0)), TypeError, "0 dimensions"),
        (lambda: iter(gn.tensor(1.0)), TypeError, "0 dimensions"),
        (lambda: gn.tensor([1.0]) & gn.tensor([2.0]), TypeError, "& joins booleans; received float64"),
        (lambda: [1, 2, 3][gn.tensor(1.0)], TypeError, "only an integer tensor"),
        (lambda: np.asarray(gn.input((2,), name="x")), TypeError, "cannot become an array"),
        (
            lambda: np.fft.fft(gn.tensor([1.0])),
            TypeError,
            r"np.fft.fft has no counterpart in graphnet; use t.numpy\(\)",
        ),
        (lambda: np.add(gn.Parameter([1.0]), 1.0, out=np.zeros(1)), TypeError, "out="),
        (lambda: np.maximum.accumulate(gn.tensor([1.0])), TypeError, "np.maximum.accumulate"),
        (lambda: np.spacing(gn.tensor([1.0])), TypeError, "np.spacing has no counterpart"),
    ],
)
def test_bad_input_gets_a_clear_error(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_errors_name_the_layer():
    with (
        gn.region("net"),
        gn.region("dense_1", "Dense"),
        pytest.raises(ValueError, match=r"^net/dense_1: matmul\(float32"),
    ):
        gn.input((5, 7)) @ gn.input((3, 4))
    with pytest.raises(IndexError, match=r"^softmax: max\("):
        gn.softmax(gn.input((3,)), axis=1)


def test_elements_cannot_be_assigned():
    x = gn.tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"write x = gn.set_at\(x, index, value\)"):
        x[0] = 5.0
    y = x
    x += 1.0
    np.testing.assert_array_equal(x.numpy(), [2, 3])
    np.testing.assert_array_equal(y.numpy(), [1, 2])


@pytest.mark.parametrize("left", [2, 2.5, np.float64(2), np.array([1.0, 2.0]), [1.0, 2.0], np.float32(3)])
def test_everything_works_on_either_side(left):
    t = gn.tensor([3.0, 4.0])
    a = np.asarray(left)
    for operate in (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a**b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: a < b,
        lambda a, b: a == b,
    ):
        for found, expected in (
            (operate(left, t), operate(a, t.numpy())),
            (operate(t, left), operate(t.numpy(), a)),
        ):
            assert isinstance(found, gn.Tensor)
            np.testing.assert_array_equal(found.numpy(), expected)
            assert found.dtype == expected.dtype


def test_reflected_operators_record_their_line():
    x = gn.Parameter([1.0])
    y = 2.0 - x
    assert y.site[0].endswith("test_tensor.py") and y.inputs[1] is x


def test_unary_operators_and_booleans():
    t = gn.tensor([-1.0, 2.0])
    np.testing.assert_array_equal((-t).numpy(), [1, -2])
    np.testing.assert_array_equal(abs(t).numpy(), [1, 2])
    np.testing.assert_array_equal((+t).numpy(), [-1, 2])
    m = t > 0
    np.testing.assert_array_equal((~m & (t < 5) | m ^ m).numpy(), [True, False])
    assert (t > 0).dtype == bool


def test_numpys_functions_give_tensors():
    t = gn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a = t.numpy()
    calls = [
        lambda v: np.exp(v),
        lambda v: np.sum(v, axis=0),
        lambda v: np.mean(v),
        lambda v: np.concatenate([v, v], axis=1),
        lambda v: np.where(v > 2, v, 0.0),
        lambda v: np.einsum("ij,jk->ik", v, v),
        lambda v: np.linalg.norm(v, axis=1),
        lambda v: np.maximum(v, 2.5),
        lambda v: np.add(2.0, v),
        lambda v: np.transpose(v),
        lambda v: np.reshape(v, (4,)),
        lambda v: np.stack([v, v]),
        lambda v: np.dot(v, v),
        lambda v: np.clip(v, 1.5, 3.0),
        lambda v: np.add.reduce(v),
        lambda v: np.max(v, axis=1, keepdims=True),
        lambda v: np.matmul(v, v),
        lambda v: np.trace(v),
        lambda v: np.hstack([v, v]),
        lambda v: np.vstack([v, v]),
        lambda v: np.expand_dims(v, 0),
        lambda v: np.power(v, 2),
        lambda v: np.degrees(v),
        lambda v: np.tile(v, 2),
        lambda v: np.round(v, 1),
    ]
    for call in calls:
        found = call(t)
        assert isinstance(found, gn.Tensor)
        np.testing.assert_allclose(found.numpy(), call(a))
    np.sum(np.exp(t) * np.ones(2)).backward()
    np.testing.assert_allclose(t.grad.numpy(), np.exp(a))
    assert np.shape(t) == (2, 2) and np.ndim(t) == 2 and np.size(t) == 4
    assert np.allclose(t, a) and np.array_equal(t, a)


def test_arrays_do_not_become_object_arrays():
    t = gn.tensor([1.0, 2.0])
    for found in (np.array([1.0, 2.0]) * t, np.float64(2) * t, np.ones((2, 2)) @ t):
        assert isinstance(found, gn.Tensor) and found.dtype == np.float64


def test_conversions():
    t = gn.tensor([[1.5]])
    assert t.item() == float(t) == 1.5 and int(t) == 1 and t.tolist() == [[1.5]]
    assert [10, 20][gn.tensor(1)] == 20
    assert f"{gn.tensor(1.23456):.2f}" == "1.23" and "Tensor" in f"{gn.tensor([1.0])}"
    np.testing.assert_array_equal(np.asarray(t, dtype="float32"), [[1.5]])
    assert np.array(t).flags.writeable and not t.numpy().flags.writeable
    assert [x.item() for x in gn.tensor([1, 2, 3])] == [1, 2, 3] and len(gn.tensor([1, 2, 3])) == 3
    assert 2.0 in gn.tensor([1.0, 2.0]) and round(gn.tensor(2.567), 1).item() == 2.6


def test_repr():
    assert repr(gn.tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(gn.tensor([1, 2], dtype="int8", name="n")) == "Tensor([1, 2], dtype=int8, name='n')"
    assert repr(gn.zeros((0, 3))) == "Tensor([], shape=(0, 3), dtype=float64)"
    assert repr(gn.input((2, 3), name="x")) == "Tensor(float32[2, 3], name='x')"
    assert repr(gn.input((2, 3)) * 2) == "Tensor(float32[2, 3], op=multiply)"
    assert repr(gn.Parameter([1.0], name="w")) == "Parameter([1.], name='w')"
    assert "..." in repr(gn.zeros(5000))


def test_methods_take_arguments_as_ndarray_methods_do():
    a = np.arange(6.0).reshape(2, 3)
    t = gn.tensor(a)
    assert t.reshape(3, 2).shape == t.reshape((3, 2)).shape == t.reshape(-1, 2).shape == (3, 2)
    assert t.transpose().shape == t.T.shape == t.transpose(1, 0).shape == t.transpose((1, 0)).shape == (3, 2)
    np.testing.assert_array_equal(t.mT.numpy(), a.T)
    np.testing.assert_array_equal(t.clip(1, 3).numpy(), a.clip(1, 3))
    np.testing.assert_array_equal(t.flatten().numpy(), a.flatten())
    for name in ["sum", "prod", "mean", "var", "std", "max", "min", "argmax", "argmin", "cumsum", "any", "all"]:
        np.testing.assert_allclose(getattr(t, name)().numpy(), getattr(a, name)())
        np.testing.assert_allclose(getattr(t, name)(axis=0).numpy(), getattr(a, name)(axis=0))
        np.testing.assert_allclose(getattr(t, name)(1).numpy(), getattr(a, name)(1))


def test_leaves_are_copied_and_pickled_and_histories_refuse():
    w = gn.Parameter([1.0, 2.0], name="w")
    twin = copy.deepcopy(w)
    assert isinstance(twin, gn.Parameter) and twin.name == "w" and twin is not w
    twin.assign([5.0, 5.0])
    np.testing.assert_array_equal(w.numpy(), [1, 2])
    t = pickle.loads(pickle.dumps(gn.tensor([1.0], dtype="float32", requires_grad=True)))
    assert t.requires_grad and t.dtype == np.float32
    with pytest.raises(TypeError, match=r"with a history \(multiply\) cannot be copied or pickled"):
        pickle.dumps(w * 2.0)


def test_functional_writing():
    x = gn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = gn.tensor(9.0, requires_grad=True)
    y = gn.set_at(x, [0, 2], v)
    np.testing.assert_array_equal(y.numpy(), [9, 2, 9])
    (y * np.array([1.0, 10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 10, 0])
    assert v.grad.item() == 101
    np.testing.assert_array_equal(gn.one_hot([1, 5], 3).numpy(), [[0, 1, 0], [0, 0, 0]])


def test_a_symbolic_index():
    x, i = gn.input((3, 4), name="x"), gn.input((2,), "int64", name="i")
    g = gn.Graph([x, i], x[:, i])
    a = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(g(a, [3, 3]).numpy(), a[:, [3, 3]])
    slope = gn.Graph([x, i], x[:, i].sum()).gradient("x")
    np.testing.assert_array_equal(slope(a, [3, 3]).numpy(), np.eye(4)[[3] * 3] * 2)
    with pytest.raises(IndexError, match="out of bounds"):
        g(a, [7, 0])


def test_threads_do_not_share_their_mode():
    import threading

    w = gn.Parameter([1.0])
    seen = []

    def other():
        seen.append((w * 2.0).requires_grad)

    with gn.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen == [True]
