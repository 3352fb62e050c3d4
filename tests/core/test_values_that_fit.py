"""Numbers that meet a tensor of another dtype: taken where nothing is lost, an error where NumPy cuts in silence."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import ops

KINDS = ("bool", "u1", "i2", "i8", "f2", "f4")
#: what fills a place in a tensor that has a dtype
FILLS = {
    "pad": lambda x, v: gn.pad(x, (0, 1), constant_values=v)[-1],
    "pad_each_side": lambda x, v: gn.pad(x, (0, 1), constant_values=(0, v))[-1],
    "np.pad": lambda x, v: np.pad(x, (0, 1), constant_values=v)[-1],
    "full_like": lambda x, v: gn.full_like(x, v)[0],
    "np.full_like": lambda x, v: np.full_like(x, v)[0],
    "full": lambda x, v: gn.full(2, v, x.dtype)[0],
    "full_like_dtype": lambda x, v: gn.full_like([0.5, 0.5], v, x.dtype)[0],
    "set_at": lambda x, v: gn.set_at(x, 0, v)[0],
    "set_at_places": lambda x, v: gn.set_at(x, [0, 1], v)[1],
    "add_at": lambda x, v: gn.add_at(x * 0 if x.dtype.kind != "b" else gn.logical_and(x, False), 0, v)[0],
    "assign": lambda x, v: assigned(x, lambda p: p.assign([v, v]))[0],
    "assign_in_a_trace": lambda x, v: assigned(x, lambda p: gn.trace(lambda: p.assign([v, v]))())[0],
}
#: number: the dtypes that hold it
NUMBERS = [
    (True, KINDS),
    (1, KINDS),
    (1.0, KINDS),
    (np.float32(1), KINDS),
    (2, KINDS[1:]),
    (2.0, KINDS[1:]),
    (-1, KINDS[2:]),
    (-1.0, KINDS[2:]),
    (300, KINDS[2:]),
    (np.int64(300), KINDS[2:]),
    (300.0, KINDS[2:]),
    (2.5, KINDS[4:]),
    (np.float64(2.5), KINDS[4:]),
    (np.nan, KINDS[4:]),
    (np.inf, KINDS[4:]),
    (2**40, ("i8", "f4")),
    (2.0**63, ("f4",)),
]


def assigned(x, assign):
    p = gn.Parameter(x, dtype=x.dtype, trainable=False)
    assign(p)
    return p


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("dtype", KINDS)
def test_a_number_keeps_its_value_or_raises(name, dtype):
    x = gn.tensor(np.ones(2, dtype))
    for number, kinds in NUMBERS:
        if dtype in kinds:
            found = FILLS[name](x, number)
            assert found.dtype == x.dtype
            np.testing.assert_array_equal(found.numpy(), np.asarray(number, dtype), err_msg=repr(number))
        elif not (dtype == "f2" and abs(number) > 60_000):
            what = "assign to" if name.startswith("assign") else name.removeprefix("np.").partition("_each")[0]
            what = what.removesuffix("_dtype").removesuffix("_places")
            with pytest.raises((TypeError, OverflowError), match=f"^{what}.*(out of bounds|no whole|neither True)"):
                FILLS[name](x, number)


@pytest.mark.parametrize("name", [n for n in FILLS if n not in ("full_like_dtype", "pad_each_side")])
def test_imaginary_parts_are_not_dropped(name):
    for dtype in KINDS:
        with pytest.raises(TypeError):
            FILLS[name](gn.tensor(np.ones(2, dtype)), 1j)


@pytest.mark.parametrize("put", [gn.set_at, gn.add_at], ids=lambda f: f.__name__)
def test_arrays_count_by_their_dtype(put):
    whole = gn.tensor(np.array([1, 2], "i1"))
    for values in (np.array([1.0, 2.0]), gn.tensor([1.0, 2.0]), gn.Parameter([1.0, 2.0]), gn.input(2, "float64")):
        with pytest.raises(TypeError, match=r"values of float64 do not fit in a tensor of int8: convert one of them"):
            put(whole, [0, 1], values)
    for values in (np.array([1, 300]), gn.tensor([1, 300])):
        with pytest.raises(OverflowError, match="300 is out of bounds for int8"):
            put(whole, [0, 1], values)
    assert put(whole, [0, 1], np.array([1, 3])).dtype == np.int8
    assert put(whole, [0, 1], np.array([True, False])).dtype == np.int8
    assert put(gn.tensor(np.ones(2, "f4")), [0, 1], np.array([1.5, 2.5])).dtype == np.float32
    with pytest.raises(TypeError, match="int64 do not fit in a tensor of bool"):
        put(gn.tensor([True, False]), [0, 1], np.array([1, 0]))


def test_an_update_in_a_trace_keeps_its_fractions():
    p = gn.Parameter([1, 2], dtype="int32", trainable=False, name="steps")
    for make in (lambda f: gn.trace(f, np.array(0.5)), lambda f: gn.compile(f)):
        with pytest.raises(TypeError, match=r"assign to steps: values of float64 do not fit in a tensor of int32"):
            make(lambda x: p.assign(p + x))(0.5)
        make(lambda x: p.assign(p + gn.astype(x, "int32")))(np.array(1.0))
    with pytest.raises(TypeError, match=r"assign to steps: values of float64"):
        p.assign(p + 0.5)
    assert p.numpy().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("args", "dtype", "right"),
    [
        ((5,), "u1", [0, 1, 2, 3, 4]),
        ((5, 0, -2), "u1", [5, 3, 1]),
        ((2.5,), int, [0, 1, 2]),
        ((0.0, 4.0, 2.0), "i4", [0, 2]),
        ((0, 2), bool, [False, True]),
        ((3,), "f4", [0, 1, 2]),
        ((0, 2, 0.5), int, TypeError),
        ((0.5, 4), int, TypeError),
        ((300,), "u1", OverflowError),
        ((-1, 2), "u8", OverflowError),
    ],
)
def test_arange_in_a_dtype(args, dtype, right):
    if isinstance(right, list):
        found = gn.arange(*args, dtype=dtype)
        assert found.dtype == dtype and found.numpy().tolist() == right
        return
    with pytest.raises(right, match=r"^arange: "):
        gn.arange(*args, dtype=dtype)


def test_arange_that_depends_on_a_variable_has_no_dtype_of_whole_numbers():
    with pytest.raises(TypeError, match="arange: values of float64 do not fit in a tensor of int64"):
        gn.grad(lambda x: gn.arange(x, 3.0, dtype="int64").sum())(0.5)


def test_linspace_in_whole_numbers_is_rounded_down_as_in_numpy():
    for start, stop, num in ((-1, 2, 5), (0.5, -3.5, 4), (0, 9, 4)):
        right = np.linspace(start, stop, num, dtype="i4")
        assert gn.linspace(start, stop, num, dtype="i4").numpy().tolist() == right.tolist()
        begun = gn.tensor(float(start), requires_grad=True)
        assert gn.linspace(begun, stop, num, dtype="i4").numpy().tolist() == right.tolist()
    with pytest.raises(OverflowError, match="linspace: 300 is out of bounds for uint8"):
        gn.linspace(0, 300, 4, dtype="u1")
    assert gn.linspace(0, 300, 0, dtype="u1").shape == (0,)


def test_one_hot_of_what_is_no_class():
    assert gn.one_hot([0.0, 2.0], 3).numpy().tolist() == [[1, 0, 0], [0, 0, 1]]
    for make in (lambda f: f, lambda f: gn.compile(f), lambda f: gn.trace(f, np.array([1.0, 1.0]))):
        with pytest.raises(ValueError, match=r"one_hot: 0\.5 is no whole number"):
            make(lambda x: gn.one_hot(x, 3))(np.array([0.5, 1.0]))
    for call in (lambda: gn.one_hot([1], 2.5), lambda: gn.tril(np.ones((2, 2)), 0.5), lambda: ops.tri(2.5)):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            call()


def test_joined_by_a_choice_numbers_promote_instead():
    for dtype in ("u1", "i8", "bool"):
        a = np.array([0, 1, 1], dtype)
        for f, g in (
            (lambda x: gn.where(x > 0, x, 2.5), lambda x: np.where(x > 0, x, 2.5)),
            (lambda x: gn.clip(x, 0.5, None), lambda x: np.clip(x, 0.5, None)),
            (lambda x: gn.maximum(x, 0.5), lambda x: np.maximum(x, 0.5)),
            (lambda x: ops.select([x > 0], [x], 2.5), lambda x: np.select([x > 0], [x], 2.5)),
        ):
            assert f(gn.tensor(a)).dtype == g(a).dtype and f(gn.tensor(a)).numpy().tolist() == g(a).tolist()


def test_a_dtype_that_is_written_for_data_converts():
    assert gn.tensor([1.5, -1.5], dtype=int).numpy().tolist() == [1, -1]
    assert gn.astype([1.5, -1.5], int).numpy().tolist() == [1, -1]
