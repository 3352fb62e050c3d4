"""Operators between tensors and objects of other libraries, on either side: right gradients, or an error."""

import decimal
import fractions
import warnings
from unittest import mock

import numpy as np
import pytest

import graphnet as gn

W = np.array([1.0, 2.0])


class Stranger:
    """What answers reflected operators itself, as NumPy's protocol says (`__array_ufunc__` is None)."""

    __array_ufunc__ = None

    def _answer(self, other):
        return "mine"

    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = _answer
    __rand__ = __ror__ = __rxor__ = __rdivmod__ = __gt__ = __lt__ = __ge__ = __le__ = _answer


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "@": lambda a, b: a @ b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "divmod": divmod,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@pytest.mark.parametrize("operate", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("t", [gn.tensor(W), gn.Parameter(W), gn.input((2,)), gn.tensor([True, False])], ids=repr)
def test_an_object_answers_its_reflected_operator(operate, t):
    assert operate(t, Stranger()) == "mine"
    with pytest.raises(TypeError):
        operate(t, None)
    with pytest.raises(TypeError):
        operate(t, object())


def test_an_object_without_the_protocol_is_asked_where_it_is_no_number():
    class Unit:
        def __rmul__(self, other):
            return "units"

    t = gn.tensor(W)
    assert t * Unit() == "units"
    for number in (fractions.Fraction(1, 2), decimal.Decimal(1)):
        with pytest.raises(TypeError):
            t * number
    for text in ("a", b"a", ["a"]):
        with pytest.raises(TypeError, match="expected an array of numbers"):
            t * text


NO_NUMBERS = [
    None,
    "a",
    b"a",
    object(),
    {},
    {1},
    mock.Mock(),
    mock.MagicMock(),
    ["a", "b"],
    [None],
    int,
    len,
    Stranger(),
]


@pytest.mark.parametrize("other", NO_NUMBERS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("t", [gn.tensor(W), gn.Parameter(1.0), gn.input((2,))], ids=repr)
def test_what_is_no_number_is_equal_to_no_tensor(t, other):
    assert (t == other) is False and (t != other) is True
    assert (other == t) is False and (other != t) is True


def test_equality_elsewhere():
    t = gn.tensor(W)
    assert t == mock.ANY and mock.ANY == t and (t != mock.ANY) is False  # noqa: SIM300
    assert [t, None].count(None) == 1 and [None, t].index(t) == 1 and None in (t, None) and t in [None, "a", t]
    assert "x" in {"a": t, "b": "x"}.values() and None not in [t]
    assert None not in t and "a" not in t and 1.0 in t
    called = mock.Mock()
    called(t, key=None)
    called.assert_called_once_with(mock.ANY, key=None)
    assert (t == [1, 3]).tolist() == (t == (1, 3)).tolist() == (t == np.array([1, 3])).tolist() == [True, False]
    assert not np.any(np.array(["a", "b"]) == t) and np.all(np.array(["a", "b"]) != t)
    with pytest.raises(ValueError, match="do not broadcast"):
        assert t == [1, 2, 3]


def check(f, right):
    """`f(w)` is a tensor with this gradient of its sum, in a derivative and by `backward`."""
    np.testing.assert_allclose(gn.grad(lambda w: gn.sum(f(w)))(W).numpy(), right)
    w = gn.Parameter(W)
    gn.sum(f(w)).backward()
    np.testing.assert_allclose(w.grad.numpy(), right)


KINDS = ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "coo_array", "lil_matrix", "dia_matrix", "bsr_matrix"]


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_matrices(kind):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    s = getattr(sparse, kind)(dense)
    check(lambda w: s @ w, dense.sum(0))
    if kind.startswith("coo"):
        with pytest.raises(TypeError, match="S @ x"):
            s.dot(gn.Parameter(W))
    else:
        check(lambda w: s.dot(w), dense.sum(0))
    check(lambda w: w @ s.T, dense.sum(0))
    check(lambda w: s @ gn.stack([w, w * w], axis=1), dense.sum(0) * (1 + 2 * W))
    check(lambda w: gn.stack([w, w * w]) @ s.T, dense.sum(0) * (1 + 2 * W))
    check(lambda w: s + w, [3.0, 3.0])
    check(lambda w: s - w, [-3.0, -3.0])
    check(lambda w: w - s, [3.0, 3.0])
    if kind.endswith("_array"):
        check(lambda w: s * w, dense.sum(0))
        check(lambda w: w * s, dense.sum(0))
    else:
        for product in (lambda w: w * s, lambda w: s * gn.stack([w, w])):
            with pytest.raises(TypeError, match=r"S @ x"):
                product(gn.Parameter(W))
    np.testing.assert_allclose(gn.compile(lambda w: s @ w)(W).numpy(), dense @ W)
    assert (gn.tensor(W) @ s.T).dtype == np.float64
    assert (gn.tensor(W, dtype="float32") @ s.T.astype("float32")).dtype == np.float32
    with pytest.raises(ValueError, match="do not fit"):
        s @ gn.Parameter(np.ones(3))
    with pytest.raises(TypeError, match=r"S\.toarray"):
        gn.Parameter(W) / s
    with pytest.raises(TypeError, match=r"write \.toarray\(\)"):
        gn.exp(s)


def test_pandas():
    pd = pytest.importorskip("pandas")
    s, frame = pd.Series([1.0, 2.0]), pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})
    check(lambda w: s * w, [1.0, 2.0])
    check(lambda w: w * s, [1.0, 2.0])
    check(lambda w: s - w, [-1.0, -1.0])
    check(lambda w: s**w, s.to_numpy() ** W * np.log(s.to_numpy()))
    check(lambda w: frame * w, [3.0, 7.0])
    check(lambda w: frame / w, [-3.0, -7.0 / 4])
    check(lambda w: frame @ w, [3.0, 7.0])
    check(lambda w: frame.dot(gn.stack([w, w * w], axis=1)), np.array([3.0, 7.0]) * (1 + 2 * W))
    check(lambda w: s @ w, [1.0, 2.0])
    check(lambda w: (frame @ w) * 2 + 1, [6.0, 14.0])
    check(lambda w: gn.mean((frame @ w - s) ** 2), 2 * frame.to_numpy().T @ (frame.to_numpy() @ W - s.to_numpy()) / 2)
    assert ((s > gn.Parameter(W)).numpy() == [False, False]).all()
    # Without a gradient to lose, the result is that of pandas.
    assert isinstance(s * gn.tensor(W), pd.Series) and isinstance(frame @ gn.tensor(W), pd.Series)
    with pytest.raises(TypeError, match=r"gn\.stack"):
        gn.grad(lambda w: pd.Series(w).to_numpy().sum() * w[0])(W)


def test_scalars_of_numpy():
    for left in (np.float64(3.0), np.float32(3.0), np.int64(3), np.array(3.0), np.array([3.0, 3.0])):
        check(lambda w, left=left: left * w, [3.0, 3.0])
        check(lambda w, left=left: left - w, [-1.0, -1.0])
        check(lambda w, left=left: left**w, 3.0**W * np.log(3.0))


def test_masked_arrays_and_matrices_are_refused():
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    w = gn.Parameter(W)
    for operate in (lambda w: masked * w, lambda w: masked + w, lambda w: w * masked):
        with pytest.raises(TypeError, match=r"masked array.*array\.filled"):
            operate(w)
        with pytest.raises(TypeError, match=r"masked array.*array\.filled"):
            gn.grad(lambda w, operate=operate: gn.sum(operate(w)))(W)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        m = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    for operate in (lambda w: m * w, lambda w: w * m, lambda w: w**m):
        with pytest.raises(TypeError, match=r"np\.asarray\(m\) \* x or m @ x"):
            operate(w)
    check(lambda w: m @ w, [4.0, 6.0])
    check(lambda w: m + w, [2.0, 2.0])
