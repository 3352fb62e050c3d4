"""Reading and writing at an index: any that NumPy takes, in any order of derivatives, eager and symbolic."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphnet as gn
from graphnet.ops.index import getitem

A = np.arange(12.0).reshape(3, 4)


@st.composite
def arrays_and_keys(draw):
    """An array, and an index into it: slices, numbers, ..., None, and arrays of integers or one mask."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    a = np.arange(float(np.prod(shape))).reshape(shape) / 7 + 0.3
    kind = draw(st.sampled_from(["basic", "integers", "mask", "mixed"]))
    if kind == "basic":
        return a, draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if kind == "mask":
        width = draw(st.integers(1, len(shape)))
        return a, draw(hnp.arrays(bool, shape[:width]))
    assume(0 not in shape)
    if kind == "integers":
        return a, draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)))
    result = draw(hnp.array_shapes(max_dims=2, max_side=3))
    parts = []
    for n in shape:
        choice = draw(st.integers(0, 3))
        if choice == 0:
            parts.append(draw(hnp.arrays(np.int64, result, elements=st.integers(-n, n - 1))))
        elif choice == 1:
            parts.append(draw(st.integers(-n, n - 1)))
        elif choice == 2:
            parts.append(draw(st.slices(n)))
        else:
            parts.extend([None, slice(None)])
    return a, tuple(parts)


@given(arrays_and_keys())
@example((A, ([0, 0], slice(None), None)))
@example((np.ones((2, 3, 2)), ([0, 1], slice(None), [1, 1])))
def test_any_index_reads_what_numpy_reads_and_its_gradient_counts(case):
    a, key = case
    x = gn.tensor(a, requires_grad=True)
    y = x[key]
    expected = a[key]
    assert y.dtype == a.dtype and y.shape == expected.shape
    np.testing.assert_array_equal(y.numpy(), expected)
    counts = np.zeros_like(a)
    np.add.at(counts, key, np.cos(expected))
    gn.sin(y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), counts, rtol=1e-13)


@given(arrays_and_keys())
def test_a_symbolic_index_has_the_eager_shape_and_values(case):
    a, key = case
    g = gn.trace(lambda x: gn.grad(lambda v: (v[key] ** 3).sum())(x), a).check()
    np.testing.assert_allclose(g(a).numpy(), gn.grad(lambda v: (v[key] ** 3).sum())(gn.tensor(a)).numpy(), rtol=1e-13)


@given(arrays_and_keys())
def test_the_gradient_has_a_gradient(case):
    a, key = case
    assume(a.size)
    gn.check_grads(lambda x: gn.sin(x[key]) * 2.0, a, order=2)


@given(arrays_and_keys(), st.booleans())
def test_adding_and_setting_at_an_index(case, whole):
    a, key = case
    at = a[key].shape
    value = np.full(at if whole else (), 2.5)
    added, written = a.copy(), a.copy()
    np.add.at(added, key, value)
    np.testing.assert_allclose(gn.add_at(a, key, value).numpy(), added)
    written[key] = value
    places = np.arange(a.size).reshape(a.shape)[key]
    if np.unique(places).size == places.size:
        x, v = gn.tensor(a, requires_grad=True), gn.tensor(value, requires_grad=True)
        y = gn.set_at(x, key, v)
        np.testing.assert_array_equal(y.numpy(), written)
        (y * a).sum().backward()
        kept = a.copy()
        kept[key] = 0
        np.testing.assert_array_equal(x.grad.numpy(), kept)
        np.testing.assert_allclose(v.grad.numpy(), a[key] if whole else a[key].sum())
        if a.size and value.size:
            gn.check_grads(lambda p, q: gn.sin(gn.set_at(p, key, q)), a, value, order=2)
    else:
        with pytest.raises(ValueError, match="names a place twice"):
            gn.set_at(a, key, value)
    if a.size and value.size:
        gn.check_grads(lambda p, q: gn.sin(gn.add_at(p, key, q)), a, value, order=2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ((50, 40), ([*range(30)] * 4,)),
        ((20, 60), (slice(None), [3, 3, 59, -1] * 30)),
        ((5, 6), (np.arange(900) % 5, -1 - np.arange(900) % 6)),
        ((3000,), ([1, 1, 2],)),
    ],
)
def test_large_and_small_scatters_count_alike(shape, key, dtype):
    a = np.zeros(shape, dtype)
    g = np.random.default_rng(0).integers(-3, 4, a[key].shape).astype(dtype)
    expected = a.copy()
    np.add.at(expected, key, g)
    found = gn.add_at(a, key, g)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), expected)


def test_integers_add_up_exactly():
    big = np.full(2000, 2**52 + 1)
    assert gn.add_at(gn.zeros(1, np.int64), np.zeros(2000, int), big).item() == 2000 * (2**52 + 1)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (np.array([True, False]), r"mask of shape \(2,\) does not fit the axes it stands for, of shape \(3,\)"),
        ([True, False, True, False], r"mask of shape \(4,\)"),
        (np.ones((3, 3), bool), r"mask of shape \(3, 3\) does not .* of shape \(3, 4\)"),
        ((slice(None), np.ones(3, bool)), r"mask of shape \(3,\) .* of shape \(4,\)"),
        ((Ellipsis, np.ones(3, bool)), r"mask of shape \(3,\) .* of shape \(4,\)"),
        ((None, np.ones(4, bool)), r"mask of shape \(4,\) .* of shape \(3,\)"),
        ((0, 0, 0), "too many indices"),
        (3, "index 3 is out of bounds for axis 0 with size 3"),
        (([0, 1], [0, 1, 2]), "could not be broadcast together"),
        ((Ellipsis, Ellipsis), "single ellipsis"),
    ],
)
@pytest.mark.parametrize("x", [gn.tensor(A), gn.input((3, 4), "float64")], ids=["eager", "symbolic"])
def test_an_index_that_does_not_fit_is_an_index_error_that_names_op_and_shape(x, key, text):
    with pytest.raises(IndexError, match=rf"^getitem\(float64\[3, 4\].*{text}"):
        x[key]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "received <U4"),
        (1.0, "received float64"),
        ([[0, 1], [1]], "an index is made of integers"),
        (True, "a single boolean is no index"),
        (np.array(True), "a single boolean is no index"),
        (gn.input((3,), "bool"), "a symbolic mask cannot be an index"),
        (slice(0.5, None), "cannot be interpreted as an integer"),
    ],
)
def test_what_is_no_index_is_a_type_error(key, text):
    for call in (lambda x: x[key], lambda x: gn.set_at(x, key, 0.0), lambda x: gn.add_at(x, key, 0.0)):
        with pytest.raises(
            TypeError, match=rf"^(set_at: |add_at: )?(getitem|setitem|scatter_add)\(float64\[3, 4\]\): .*{text}"
        ):
            call(gn.tensor(A))


def test_masks_that_fit_around_other_parts():
    x, deep = gn.tensor(A), np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(x[..., A[0] > 1].numpy(), A[..., A[0] > 1])
    np.testing.assert_array_equal(gn.tensor(deep)[1, deep[0] > 5].numpy(), deep[1, deep[0] > 5])
    np.testing.assert_array_equal(gn.tensor(deep)[deep[:, :, 0] > 3, None].numpy(), deep[deep[:, :, 0] > 3, None])
    np.testing.assert_array_equal(gn.tensor(deep)[..., A > 5, None].numpy(), deep[..., A > 5, None])
    assert x[A > 100].shape == (0,)


def test_axes_of_size_zero():
    x = gn.zeros((0, 3))
    for empty in (x, gn.input((0, 3), "float64")):
        assert empty[:, [0, 1]].shape == (0, 2) and empty[[]].shape == (0, 3)
        with pytest.raises(IndexError, match="index 0 is out of bounds for axis 0 with size 0"):
            empty[[0]]
    assert gn.input((0, 3))[:, gn.input((2,), "int64")].shape == (0, 2)
    assert gn.take(x, [1], axis=1).shape == (0, 1) and gn.take(x, [], axis=0).shape == (0, 3)


def test_shapes_of_huge_symbolic_tensors_cost_no_memory():
    x, i = gn.input((10**7, 10**7)), gn.input((5,), "int64")
    assert x[i].shape == (5, 10**7) and gn.set_at(x, i, 0.0).shape == x.shape
    (slope,) = gn.gradients(x[i].sum(), [x])
    assert slope.shape == x.shape


def test_symbolic_integers_in_every_place():
    i, j, x = gn.input((), "int64", name="i"), gn.input((2,), "int32", name="j"), gn.input((3, 4), "float64", name="x")
    g = gn.Graph([x, i, j], [x[i], x[j, i], x[:, j], gn.set_at(x, (i, j), 0.0), gn.add_at(x, j, 1.0), x[i, ::2]])
    p, q = 2, np.array([3, 1], np.int32)
    q0 = q % 3
    zeroed = A.copy()
    zeroed[p, q0] = 0
    added = A.copy()
    np.add.at(added, q0, 1)
    for found, expected in zip(g(A, p, q0), [A[p], A[q0, p], A[:, q0], zeroed, added, A[p, ::2]], strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)


def test_integer_tensors_are_slice_bounds_and_indices():
    x = gn.tensor(A)
    np.testing.assert_array_equal(x[gn.tensor(1) :].numpy(), A[1:])
    np.testing.assert_array_equal(x[gn.tensor([0, 2]), gn.tensor(1)].numpy(), A[[0, 2], 1])
    np.testing.assert_array_equal(x[[gn.tensor(1), gn.tensor(2)]].numpy(), A[[1, 2]])
    np.testing.assert_array_equal(getitem(A, 1).numpy(), A[1])


def test_a_value_with_leading_axes_of_size_one_fits_as_in_numpy():
    expected = A.copy()
    expected[1] = np.ones((1, 4))
    x, v = gn.input((3, 4), "float64"), gn.input((1, 1, 4), "float64")
    y = gn.set_at(x, 1, v)
    np.testing.assert_array_equal(gn.Graph([x, v], y)(A, np.ones((1, 1, 4))).numpy(), expected)
    slope = gn.Graph([x, v], gn.gradients((y**2).sum(), [v])[0])
    np.testing.assert_array_equal(slope(A, np.full((1, 1, 4), 3.0)).numpy(), np.full((1, 1, 4), 6.0))
    with pytest.raises(ValueError, match=r"shape \(2, 4\) does not fit in a place of shape \(4,\)"):
        gn.set_at(x, 1, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"setitem.*shape \(2, 4\) does not fit"):
        gn.set_at(A, 1, np.ones((2, 4)))


@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=2, max_side=3), elements=st.integers(-9, 9)),
    st.sampled_from([None, 0, 1, -1]),
    st.sampled_from(["wrap", "clip"]),
)
def test_take_wraps_and_clips_as_numpy_does(indices, axis, mode):
    np.testing.assert_array_equal(gn.take(A, indices, axis, mode).numpy(), np.take(A, indices, axis, mode=mode))
    i = gn.input(indices.shape, "int64")
    np.testing.assert_array_equal(
        gn.Graph([i], gn.take(A, i, axis, mode))(indices).numpy(), np.take(A, indices, axis, mode=mode)
    )
    gn.check_grads(lambda x: gn.sin(gn.take(x, indices, axis, mode)), A, order=2)


def test_take_refuses():
    for call, kind, text in [
        (lambda: gn.take(A, [3], axis=0), IndexError, "index 3 is out of bounds"),
        (lambda: gn.take(A, [0.5]), TypeError, "take: indices are integers; received float64"),
        (lambda: gn.take(A, [True]), TypeError, "take: indices are integers; received bool"),
        (lambda: gn.take(A, [0], mode="odd"), ValueError, "mode is 'raise', 'wrap' or 'clip'"),
        (lambda: gn.take(np.zeros((0, 2)), [0], 0, "clip"), IndexError, "nothing to take along axis 0"),
        (lambda: gn.take_along_axis(A, [[0.5]], 0), TypeError, "indices are integers"),
        (lambda: gn.take_along_axis(A, [0], 0), ValueError, "x has 2 dimensions, indices 1"),
        (lambda: gn.diagonal(np.ones(3)), ValueError, r"at least two dimensions; received shape \(3,\)"),
    ]:
        with pytest.raises(kind, match=text):
            call()


@given(st.data())
def test_take_along_axis_follows_argsort(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    a = np.random.default_rng(1).permutation(int(np.prod(shape))).reshape(shape) * 0.5
    order = gn.argsort(a, axis=axis)
    np.testing.assert_array_equal(order.numpy(), np.argsort(a, axis=axis))
    np.testing.assert_array_equal(gn.take_along_axis(a, order, axis).numpy(), np.sort(a, axis=axis))
    gn.check_grads(lambda x: gn.sin(gn.sort(x, axis=axis)), a, order=2)


def test_sorting():
    ties = np.array([[1.0, 0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(gn.argsort(ties).numpy(), [[1, 3, 0, 2]])
    np.testing.assert_array_equal(gn.argsort(A, axis=None).numpy(), np.argsort(A, axis=None))
    np.testing.assert_array_equal(gn.sort(-A, axis=None).numpy(), np.sort(-A, axis=None))
    assert gn.sort(gn.zeros((0, 2)), axis=0).shape == (0, 2)
    assert gn.argsort(gn.input((2, 3)), axis=None).shape == (6,)
    x = gn.tensor(ties, requires_grad=True)
    (gn.sort(x) * np.arange(4.0)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[2, 0, 3, 1]])


def test_one_hot():
    for dtype in (np.float32, np.float64, np.int8, bool):
        y = gn.one_hot([[0, 2], [1, 1]], 3, dtype)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), np.eye(3, dtype=dtype)[[[0, 2], [1, 1]]])
    i = gn.input((2,), "int64")
    np.testing.assert_array_equal(gn.Graph([i], gn.one_hot(i, 3))([2, -1]).numpy(), [[0, 0, 1], [0, 0, 0]])
    assert gn.one_hot(np.zeros((0,), int), 3).shape == (0, 3) and gn.one_hot(1, 2).shape == (2,)


@pytest.mark.parametrize("offset", [-4, -1, 0, 1, 2, 7])
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (3, 3), (1, 4), (0, 2)])
def test_diagonals_and_their_gradients_keep_the_matrix_shape(shape, offset):
    a = np.arange(float(np.prod(shape))).reshape(shape)
    x = gn.tensor(a, requires_grad=True)
    for found, expected in (
        (gn.diag(x, offset), np.diag(a, offset)),
        (gn.diagonal(x, offset), np.diagonal(a, offset)),
    ):
        np.testing.assert_array_equal(found.numpy(), expected)
    y = gn.diag(x, offset)
    (y * y).sum().backward()
    mask = np.eye(*shape, k=offset)
    assert x.grad.shape == shape
    np.testing.assert_array_equal(x.grad.numpy(), 2 * a * mask)
    np.testing.assert_array_equal(x.trace(offset).numpy(), np.trace(a, offset))


def test_float32_stays_float32():
    x = gn.tensor(A, dtype="float32", requires_grad=True)
    for call in (
        lambda x: x[[0, 0]],
        lambda x: gn.set_at(x, 0, np.float64(2.0)),
        lambda x: gn.set_at(x, 0, np.ones(4)),
        lambda x: gn.add_at(x, 0, np.ones(4)),
        lambda x: gn.diag(gn.diag(x[:, :3])),
        lambda x: gn.take(x, [1], 1),
        gn.sort,
    ):
        y = call(x)
        assert y.dtype == np.float32
        assert gn.gradients((y * y).sum(), [x])[0].dtype == np.float32


def test_writing_to_the_callers_arrays_later_changes_no_gradient():
    i, value = np.array([0, 1]), np.array([5.0, 6.0])
    x = gn.tensor(A, requires_grad=True)
    y = (gn.set_at(x, (i, 0), value) * x[i][:1]).sum()
    slope = gn.gradients((gn.set_at(x, (i, 0), value) * x[i][:1]).sum(), [x])[0].numpy().copy()
    i[:], value[:] = 2, 100.0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), slope)


@pytest.mark.parametrize("function", [gn.set_at, gn.add_at])
@pytest.mark.parametrize("value", [0.7, [1.5, 2.0], np.ones(2), gn.tensor([1.0, 2.0], requires_grad=True), 1j])
def test_fractions_are_not_dropped(function, value):
    for whole in (np.arange(3), np.zeros(3, bool)):
        with pytest.raises(TypeError, match=r"do not fit|no whole number|neither True nor False|no imaginary part"):
            function(gn.tensor(whole), slice(0, 2), value)
    if not isinstance(value, complex):
        assert function(gn.zeros(3), slice(0, 2), value).dtype == np.float64
    assert function(gn.tensor([1, 2, 3]), 0, True).tolist()[1:] == [2, 3]
