"""NumPy's functions and ufuncs on tensors, arrays from tensors, copies and pickles."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn
from graphnet.protocols import _functions, _ufuncs
from graphnet.record import OPS

A = np.array([[0.5, -1.5, 2.5], [3.25, 0.125, -0.75]])
SYMBOLIC = gn.input((2, 3), "float64", name="x")


def agree(found, expected):
    assert isinstance(found, gn.Tensor)
    assert found.shape == np.shape(expected) and found.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)


CALLS = {
    "sum": lambda v: np.sum(v, axis=1, keepdims=True),
    "sum_in_dtype": lambda v: np.sum(v, dtype="float32"),
    "sum_by_keyword": lambda v: np.sum(a=v, axis=0),
    "mean": lambda v: np.mean(v, (0, 1)),
    "mean_in_dtype": lambda v: np.mean(v, axis=0, dtype=np.float32),
    "sum_where_true": lambda v: np.sum(v, where=True),
    "var": lambda v: np.var(v, axis=0, ddof=1),
    "std": lambda v: np.std(v),
    "amax": lambda v: np.amax(v, 0),
    "min": lambda v: np.min(v, axis=1),
    "prod": lambda v: np.prod(v),
    "any": lambda v: np.any(v > 2),
    "all": lambda v: np.all(v > -5, axis=0),
    "argmax": lambda v: np.argmax(v, axis=1),
    "argsort": lambda v: np.argsort(v, axis=None),
    "sort": lambda v: np.sort(v, axis=0),
    "cumsum": lambda v: np.cumsum(v, 1),
    "clip": lambda v: np.clip(v, 0, 1),
    "clip_new_names": lambda v: np.clip(v, min=0, max=1),
    "clip_one_side": lambda v: np.clip(v, None, 1.0),
    "where": lambda v: np.where(v > 0, v, -v),
    "where_between_arrays": lambda v: np.where(v > 0, A, 0.0),
    "round": lambda v: np.round(v, decimals=1),
    "reshape": lambda v: np.reshape(v, (3, -1)),
    "ravel": lambda v: np.ravel(v),
    "transpose": lambda v: np.transpose(v, (1, 0)),
    "permute_dims": lambda v: np.permute_dims(v, (1, 0)),
    "matrix_transpose": lambda v: np.matrix_transpose(v),
    "linalg_matrix_transpose": lambda v: np.linalg.matrix_transpose(v),
    "swapaxes": lambda v: np.swapaxes(v, 0, 1),
    "moveaxis": lambda v: np.moveaxis(v, 0, -1),
    "expand_dims": lambda v: np.expand_dims(v, (0, 2)),
    "squeeze": lambda v: np.squeeze(np.expand_dims(v, 1)),
    "broadcast_to": lambda v: np.broadcast_to(v, (4, 2, 3)),
    "concatenate": lambda v: np.concatenate([v, A], axis=1),
    "concatenate_rows": lambda v: np.concatenate(v),
    "concatenate_in_dtype": lambda v: np.concatenate([v, v], dtype="float32"),
    "concat": lambda v: np.concat((A, v)),
    "stack": lambda v: np.stack([v, A], axis=-1),
    "vstack": lambda v: np.vstack([v[0], A]),
    "hstack": lambda v: np.hstack([A, v]),
    "hstack_of_numbers": lambda v: np.hstack([v[0, 0], 2.0]),
    "column_stack": lambda v: np.column_stack([v[:, 0], A]),
    "split": lambda v: np.split(v, 3, axis=1)[1],
    "array_split": lambda v: np.array_split(v, 2, axis=1)[1],
    "pad": lambda v: np.pad(v, ((1, 0), (0, 2)), constant_values=3),
    "pad_reflect": lambda v: np.pad(v, 1, mode="reflect"),
    "flip": lambda v: np.flip(v, 1),
    "fliplr": lambda v: np.fliplr(v),
    "flipud": lambda v: np.flipud(v),
    "roll": lambda v: np.roll(v, (1, 2), axis=(0, 1)),
    "roll_flat": lambda v: np.roll(v, (1, 3)),
    "tile": lambda v: np.tile(v, (2, 1)),
    "repeat": lambda v: np.repeat(v, [1, 2, 0], axis=1),
    "tril": lambda v: np.tril(v, 1),
    "triu_of_a_vector": lambda v: np.triu(v[0]),
    "zeros_like": lambda v: np.zeros_like(v, dtype=np.int32),
    "ones_like": lambda v: np.ones_like(v),
    "full_like": lambda v: np.full_like(v, 2.0),
    "take": lambda v: np.take(v, [0, 7], axis=1, mode="wrap"),
    "take_along_axis": lambda v: np.take_along_axis(v, np.array([[2], [0]]), axis=1),
    "diag": lambda v: np.diag(v, 1),
    "diagonal": lambda v: np.diagonal(v),
    "diff": lambda v: np.diff(v, axis=0),
    "diff_twice": lambda v: np.diff(v, 2),
    "diff_of_booleans": lambda v: np.diff(v > 0),
    "trace": lambda v: np.trace(v, 1),
    "linalg_trace": lambda v: np.linalg.trace(v),
    "linalg_diagonal": lambda v: np.linalg.diagonal(v, offset=1),
    "linalg_outer": lambda v: np.linalg.outer(v[0], v[1]),
    "linalg_tensordot": lambda v: np.linalg.tensordot(v, A, axes=((0,), (0,))),
    "linalg_matmul": lambda v: np.linalg.matmul(v, A.T),
    "norm": lambda v: np.linalg.norm(v, axis=0),
    "norm_1": lambda v: np.linalg.norm(v, 1, axis=1, keepdims=True),
    "dot": lambda v: np.dot(A.T, v),
    "dot_of_a_list": lambda v: np.dot([1.0, 2.0], v),
    "inner": lambda v: np.inner(v, A),
    "outer": lambda v: np.outer(v, A),
    "vdot": lambda v: np.vdot(v, A),
    "tensordot": lambda v: np.tensordot(v, A, axes=([0, 1], [0, 1])),
    "einsum": lambda v: np.einsum("ij,kj->ik", v, A, optimize=True),
    "sinc": lambda v: np.sinc(v),
    "copy": lambda v: np.copy(v),
    "isclose": lambda v: np.isclose(v, A + 1e-12),
    "ufunc": lambda v: np.exp(v),
    "ufunc_in_dtype": lambda v: np.exp(v, dtype="float64"),
    "ufunc_of_two": lambda v: np.arctan2(A, v),
    "ufunc_reduce": lambda v: np.add.reduce(v),
    "ufunc_reduce_all": lambda v: np.maximum.reduce(v, axis=None),
    "ufunc_reduce_in_dtype": lambda v: np.multiply.reduce(v, axis=1, keepdims=True, dtype="float32"),
    "ufunc_outer": lambda v: np.subtract.outer(v, A[0]),
    "ufunc_outer_of_a_list": lambda v: np.multiply.outer([1.0, 2.0], v),
    "bitwise_of_booleans": lambda v: np.bitwise_and(v > 0, A < 1) | np.bitwise_xor(v > 0, ~(v > 1)),
    "select": lambda v: np.select([v > 2, v < 0], [v, -v], default=1.0),
    "select_default": lambda v: np.select([v > 2], [v * v]),
    "dstack": lambda v: np.dstack([v, A]),
    "dstack_of_vectors": lambda v: np.dstack([v[0], v[1]]),
    "append": lambda v: np.append(v, [1.0, 2.0]),
    "append_rows": lambda v: np.append(v, A, axis=0),
    "delete": lambda v: np.delete(v, [0, 2], axis=1),
    "delete_flat": lambda v: np.delete(v, 1),
    "compress": lambda v: np.compress([True, False, True], v, axis=1),
    "extract": lambda v: np.extract(A > 0, v),
    "hsplit": lambda v: np.hsplit(v, 3)[1],
    "hsplit_of_a_vector": lambda v: np.hsplit(v[0], [1])[1],
    "vsplit": lambda v: np.vsplit(v, 2)[1],
    "dsplit": lambda v: np.dsplit(np.reshape(v, (1, 2, 3)), [2])[0],
    "meshgrid": lambda v: np.meshgrid(v[0], v[1])[0],
    "meshgrid_ij_sparse": lambda v: np.meshgrid(v[0], v[1], indexing="ij", sparse=True)[1],
    "rot90": lambda v: np.rot90(v),
    "rot90_back": lambda v: np.rot90(v, -1, (1, 0)),
    "rot90_twice": lambda v: np.rot90(v, 2),
    "rollaxis": lambda v: np.rollaxis(np.reshape(v, (1, 2, 3)), 2, 1),
    "rollaxis_to_the_end": lambda v: np.rollaxis(np.reshape(v, (1, 2, 3)), 0, 3),
    "diagflat": lambda v: np.diagflat(v, 1),
    "diff_prepend": lambda v: np.diff(v, prepend=0.0, append=v[:, :1]),
    "ediff1d": lambda v: np.ediff1d(v),
    "trapezoid": lambda v: np.trapezoid(v, dx=0.5),
    "trapezoid_at_places": lambda v: np.trapezoid(v, v * v, axis=0),
    "kron": lambda v: np.kron(v, A),
    "kron_of_ranks": lambda v: np.kron(v[0], A),
    "cross": lambda v: np.cross(v, A),
    "linalg_cross": lambda v: np.linalg.cross(v[0], A),
    "vecdot": lambda v: np.linalg.vecdot(v, A),
    "vector_norm": lambda v: np.linalg.vector_norm(v, axis=1, ord=1),
    "ptp": lambda v: np.ptp(v, axis=1),
    "average": lambda v: np.average(v, axis=0, weights=[1.0, 3.0]),
    "average_of_all": lambda v: np.average(v, weights=A * A),
    "average_returned": lambda v: np.average(v, axis=1, returned=True)[1],
    "median": lambda v: np.median(v),
    "median_of_even": lambda v: np.median(v, axis=0, keepdims=True),
    "quantile": lambda v: np.quantile(v, 0.3, axis=1),
    "quantiles": lambda v: np.quantile(v, [0.0, 0.25, 1.0], axis=1),
    "percentile": lambda v: np.percentile(v, [10, 50], keepdims=True),
    "cumprod": lambda v: np.cumprod(v, axis=1),
    "cumprod_flat": lambda v: np.cumprod(v),
    "around": lambda v: np.around(v, 1),
    "nancumsum": lambda v: np.nancumsum(np.where(A > 2, np.nan, v), axis=1),
    "nancumprod": lambda v: np.nancumprod(np.where(A > 2, np.nan, v)),
    "nansum": lambda v: np.nansum(np.where(A > 2, np.nan, v), axis=0),
    "nanmean": lambda v: np.nanmean(np.where(A > 2, np.nan, v), axis=1),
    "nanstd": lambda v: np.nanstd(np.where(A > 2, np.nan, v), axis=1, ddof=1),
    "nanmax": lambda v: np.nanmax(np.where(A > 2, np.nan, v), axis=1),
    "nanmin": lambda v: np.nanmin(np.where(A < -1, np.nan, v)),
    "nan_to_num": lambda v: np.nan_to_num(np.where(A > 2, np.inf, np.where(A < -1, np.nan, v)), posinf=7.0),
    "polyval": lambda v: np.polyval(v[0], v[1]),
    "vander": lambda v: np.vander(v[0], 4),
    "linspace": lambda v: np.linspace(v[0], v[1], 5),
    "linspace_to_a_number": lambda v: np.linspace(v[0, 0], 3.0, 4, endpoint=False),
    "linspace_axis": lambda v: np.linspace(v, 1.0, 3, axis=-1),
    "logspace": lambda v: np.logspace(v[0], 1.0, 3, base=2.0),
    "copysign": lambda v: np.copysign(v, -A),
    "heaviside": lambda v: np.heaviside(v - 0.5, 0.5),
    "signbit": lambda v: np.signbit(v),
    "float_power": lambda v: np.float_power(np.abs(v), 1.5),
    "fabs": lambda v: np.fabs(v),
    "divmod": lambda v: np.divmod(v, 0.7)[1],
    "accumulate": lambda v: np.add.accumulate(v, axis=1),
    "accumulate_products": lambda v: np.multiply.accumulate(v),
    "einsum_of_lists": lambda v: np.einsum(v, [0, 1], A, [2, 1], [0, 2]),
    "einsum_of_lists_without_an_output": lambda v: np.einsum(v, [1, 0]),
    "einsum_of_lists_with_dots": lambda v: np.einsum(v, [..., 1], A[0], [1]),
    "real_and_imag": lambda v: np.real(v) + np.imag(v) + np.angle(v),
    "matmul": lambda v: np.matmul(A.T, v),
    "degrees": lambda v: np.degrees(np.radians(v)),
}


@pytest.mark.parametrize("call", [pytest.param(c, id=name) for name, c in CALLS.items()])
def test_numpys_function_gives_a_tensor_with_numpys_values(call):
    expected = np.asarray(call(A))
    rtol = 1e-13 if expected.dtype != np.float32 else 1e-6
    for x in (gn.tensor(A), gn.tensor(A, requires_grad=True)):
        found = call(x)
        assert isinstance(found, gn.Tensor)
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found.numpy(), expected, rtol=rtol, atol=1e-15)


# What has values for its result, or looks at values.
EAGER_ONLY = {"isclose"}


@pytest.mark.parametrize("call", [pytest.param(c, id=name) for name, c in CALLS.items() if name not in EAGER_ONLY])
def test_numpys_function_builds_a_graph(call):
    y = call(SYMBOLIC)
    assert isinstance(y, gn.Tensor)
    expected = np.asarray(call(A))
    assert y.shape == expected.shape and y.dtype == expected.dtype
    rtol = 1e-13 if expected.dtype != np.float32 else 1e-6
    found = gn.Graph([SYMBOLIC], y)(A)
    np.testing.assert_allclose(found.numpy(), expected, rtol=rtol, atol=1e-15)


SMOOTH = [
    "sum", "mean", "var", "std", "prod", "cumsum", "reshape", "transpose", "concatenate", "stack", "vstack", "hstack",
    "column_stack", "split", "pad", "pad_reflect", "roll", "tile", "repeat", "tril", "take", "diag", "diff_twice",
    "trace", "linalg_outer", "norm", "dot", "inner", "tensordot", "einsum", "ufunc", "ufunc_of_two", "ufunc_outer",
    "matmul", "where", "copy", "sort",
]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_flow_through_numpys_functions(name):
    gn.check_grads(lambda x: np.sin(CALLS[name](x)), A, order=2)


def test_every_function_in_the_table_is_numpys():
    for function, ours in _functions().items():
        assert callable(function) and callable(ours)
        assert function.__module__.split(".")[0] == "numpy"


def test_every_op_that_is_a_ufunc_of_numpys_serves_it():
    names = {name for name in OPS if isinstance(getattr(np, name, None), np.ufunc)}
    assert names <= set(_ufuncs())
    for name in names:
        assert _ufuncs()[name] is OPS[name].function


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: np.fft.fft(t), r"^np\.fft\.fft has no counterpart in graphnet; use t\.numpy\(\)"),
        (lambda t: np.convolve(t[0], t[1]), r"^np\.convolve has no counterpart.*t\.detach\(\)"),
        (lambda t: np.linalg.eigh(t), r"^np\.linalg\.eigh has no counterpart"),
        (lambda t: np.histogram(t), r"^np\.histogram has no counterpart"),
        (lambda t: np.copyto(np.zeros((2, 3)), SYMBOLIC), r"^np\.copyto cannot write a tensor that is symbolic"),
        (lambda t: np.copyto(t, A), r"^np\.copyto cannot write into a tensor"),
        (lambda t: np.spacing(t), r"^np\.spacing has no counterpart"),
        (lambda t: np.modf(t), r"^np\.modf has no counterpart"),
        (lambda t: np.maximum.accumulate(t), r"^np\.maximum\.accumulate does not work on tensors; use t\.numpy"),
        (lambda t: np.add.at(np.zeros(3), [0], t[0, 0]), r"^np\.add\.at does not work on tensors"),
        (lambda t: np.add.reduceat(t, [0]), r"^np\.add\.reduceat does not work"),
        (lambda t: np.subtract.reduce(t), r"^np\.subtract\.reduce does not work"),
        (lambda t: np.add(t, 1, out=t), r"^np\.add with out= cannot write into a tensor"),
        (lambda t: np.exp(t, where=A > 0), r"^np\.exp with where= .*use gn\.where"),
        (lambda t: np.exp(t, casting="no"), r"^np\.exp on tensors does not take casting"),
        (lambda t: np.add.reduce(t, initial=10.0), r"^np\.add\.reduce on tensors does not take initial"),
        (lambda t: np.add.reduce(t, where=A > 0), r"^np\.add with where= does not work on tensors"),
        (lambda t: np.sum(t, initial=1.0), r"^np\.sum on tensors does not take initial="),
        (lambda t: np.mean(t, where=A > 0), r"^np\.mean on tensors does not take where="),
        (lambda t: np.sum(t, out=np.zeros(())), r"^np\.sum on tensors does not take out="),
        (lambda t: np.reshape(t, (3, 2), order="F"), r"^np\.reshape on tensors does not take order="),
        (lambda t: np.argsort(t, kind="heapsort"), r"^np\.argsort on tensors does not take kind="),
        (lambda t: np.trace(t, 0, 0, 1, None), r"^np\.trace on tensors takes \(x, offset=0, axis1=0, axis2=1\)"),
        (lambda t: np.where(t > 0), r"^np\.where on tensors takes a condition and two branches"),
        (lambda t: np.bitwise_and(gn.tensor([6]), gn.tensor([3])), r"& joins booleans; received int64"),
        (lambda t: np.array([6]) | gn.tensor([3]), r"\| joins booleans; received int64"),
        (lambda t: np.invert(gn.tensor([6])), r"~ joins booleans; received int64"),
        (lambda t: np.asarray(SYMBOLIC), r"the symbolic tensor x float64\[2, 3\] cannot become an array"),
        (lambda t: np.allclose(SYMBOLIC, A), r"symbolic tensor 'x' \(float64\[2, 3\]\) is not known yet"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_never_an_array_of_objects(call, text):
    with pytest.raises((TypeError, ValueError), match=text) as caught:
        call(gn.tensor(A))
    assert "\n" not in str(caught.value)


def test_at_least_and_broadcast_give_arrays_of_plain_values_and_tensors_of_others():
    for call in (
        lambda v: np.atleast_1d(v[0, 0]),
        lambda v: np.atleast_2d(v[0]),
        lambda v: np.atleast_3d(v),
        lambda v: np.atleast_3d(v[0]),
        lambda v: np.atleast_1d(v, 1.0)[0],
        lambda v: np.broadcast_arrays(v, v[:, :1], 1.0)[1],
    ):
        expected = call(A)
        found = call(gn.tensor(A))
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)
        agree(call(gn.Parameter(A)), expected)
        y = call(SYMBOLIC)
        agree(gn.Graph([SYMBOLIC], y)(A), expected)
        gn.check_grads(call, A)
    own = np.atleast_1d(gn.tensor(A))
    own[0] = 0.0  # an array of its own


def test_sum_of_a_diagonal_and_traces_of_functions_share_a_name():
    t = gn.tensor(np.arange(9.0).reshape(3, 3))
    assert gn.trace(t).item() == gn.trace(t.numpy()).item() == 12 and gn.trace(t, offset=1).item() == 6
    assert gn.grad(lambda x: gn.trace(x, 1))(t).tolist() == np.eye(3, k=1).tolist()
    assert isinstance(gn.trace(lambda x: x * 2, t), gn.Graph)


def test_places_and_truths_have_no_slope_and_are_plain():
    x = gn.Parameter([0.5, 2.5, 1.5])
    assert np.searchsorted(x, [2.0]).tolist() == [1] and np.argwhere(x > 1).tolist() == [[1], [2]]
    assert np.nonzero(x > 1)[0].tolist() == np.flatnonzero(x > 1).tolist() == [1, 2]
    assert np.digitize(x, [1.0, 2.0]).tolist() == [0, 2, 1] and np.isin(x, [0.5]).tolist() == [True, False, False]
    assert gn.grad(lambda v: v[np.flatnonzero(v > 1)].sum())(x).tolist() == [0, 1, 1]


def test_gradients_of_functions_that_are_compositions():
    for name in WITH_SLOPES.split():
        gn.check_grads(CALLS[name], A)
    p = np.array([1.0, 0.0, 2.0, 0.0])
    np.testing.assert_allclose(
        gn.jacobian(lambda x: np.cumprod(x))(p).numpy()[:3, :3], [[1, 0, 0], [0, 1, 0], [0, 2, 0]]
    )
    gn.check_grads(lambda x: np.interp(x, [0.0, 1.0, 3.0], [1.0, -1.0, 2.0], left=9.0), np.array([-1.0, 0.5, 2.0, 5.0]))
    gn.check_grads(lambda y: np.interp([0.5, 2.0, 3.0], [0.0, 1.0, 3.0], y), np.array([1.0, -1.0, 2.0]))
    x, places = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0]), [0.0, 1.0, 3.0]
    agree(np.interp(gn.tensor(x), places, [1.0, -1.0, 2.0]), np.interp(x, places, [1.0, -1.0, 2.0]))
    with pytest.raises(ValueError, match="from 0 to 1"):
        np.quantile(gn.tensor(A), 1.5)
    assert np.isnan(np.median(gn.tensor([1.0, np.nan, 2.0])).item())


WITH_SLOPES = """
select dstack append delete hsplit rot90 diff_prepend trapezoid_at_places kron cross ptp average average_of_all median
median_of_even quantiles cumprod polyval vander linspace linspace_to_a_number logspace copysign float_power
accumulate_products einsum_of_lists meshgrid
"""


def test_an_array_is_changed_in_place_by_plain_values_only():
    a = A.copy()
    a += gn.tensor(A)
    np.testing.assert_array_equal(a, 2 * A)
    a -= gn.Parameter(A).detach()
    with gn.no_grad():
        a *= gn.Parameter(A)
    np.testing.assert_array_equal(a, A * A)
    np.exp(gn.tensor(A), out=a)
    np.testing.assert_array_equal(a, np.exp(A))
    for t in (gn.Parameter(A), gn.Parameter(A) * 2, SYMBOLIC):
        with pytest.raises(TypeError, match=r"a \+= x\) cannot write a tensor that .* write a = a \+ x"):
            a += t
        with pytest.raises(TypeError, match=r"a = gn\.exp"):
            np.exp(t, out=a)
    with pytest.raises(TypeError, match="cannot write into a tensor, which never changes"):
        np.add(A, A, out=gn.tensor(A))
    np.testing.assert_array_equal(a, np.exp(A))


@pytest.mark.parametrize("left", [np.float64(2), np.float32(2), np.int64(2), np.array(2.0), A, A.tolist(), 2, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_whatever_stands_on_the_left_gives_a_tensor_of_numpys_dtype(left, dtype):
    a = np.arange(1, 7).reshape(2, 3).astype(dtype)
    t = gn.tensor(a)
    plain = np.asarray(left) if isinstance(left, list) else left
    for operate in (
        lambda p, q: p + q,
        lambda p, q: p - q,
        lambda p, q: p * q,
        lambda p, q: p / q,
        lambda p, q: p // q,
        lambda p, q: p % q,
        lambda p, q: p < q,
        lambda p, q: p >= q,
        lambda p, q: p != q,
    ):
        agree(operate(left, t), operate(plain, a))
        agree(operate(t, left), operate(a, plain))


def test_matrix_products_from_the_left():
    t = gn.tensor(A.T)
    for left in (A, A.tolist(), A[0], A[0].tolist()):
        agree(left @ t, np.asarray(left) @ A.T)
    agree(t @ A.tolist(), A.T @ A)


def test_arrays_of_tensors_are_read_only_unless_copied():
    t = gn.tensor(A)
    view = np.asarray(t)
    assert not view.flags.writeable and np.shares_memory(view, t.numpy())
    assert np.array(t).flags.writeable and not np.shares_memory(np.array(t), view)
    assert np.shares_memory(np.array(t, copy=False), view)
    assert np.asarray(t, dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="float32 from float64 needs a copy"):
        np.array(t, dtype="float32", copy=False)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    assert np.array([gn.tensor(1.0), gn.tensor(2.0)]).dtype == np.float64


def test_questions_about_tensors():
    for t in (gn.tensor(A), SYMBOLIC):
        assert np.shape(t) == (2, 3) and np.ndim(t) == 2 and np.size(t) == 6 and np.size(t, 1) == 3
        assert np.result_type(t, np.float32) == np.float64 and np.result_type(t, 1j) == np.complex128
        assert not np.iscomplexobj(t) and np.isrealobj(t)
        assert np.zeros_like(t).dtype == np.float64
    assert np.allclose(gn.tensor(A), A) and np.array_equal(A, gn.tensor(A)) and np.count_nonzero(gn.tensor(A)) == 6
    one, two = np.atleast_2d(gn.tensor(1.0), [2.0])
    assert one.shape == two.shape == (1, 1)
    np.testing.assert_allclose(gn.tensor(A), A)
    assert np.array_repr(gn.tensor([1.0])) == "Tensor([1.])" and np.array_str(gn.tensor([1.0])) == "Tensor([1.])"


@given(st.sampled_from(["float64", "float32", "int8", "uint16", "bool"]), st.booleans(), st.sampled_from([None, "w"]))
def test_leaves_survive_copies_and_pickles(dtype, deep, name):
    floating = np.dtype(dtype).kind == "f"
    t = gn.tensor(np.arange(3), dtype=dtype, requires_grad=floating, name=name)
    for twin in (copy.deepcopy(t) if deep else copy.copy(t), pickle.loads(pickle.dumps(t))):
        assert type(twin) is gn.Tensor and twin is not t
        assert (twin.dtype, twin.requires_grad, twin.name) == (t.dtype, floating, name)
        np.testing.assert_array_equal(twin.numpy(), t.numpy())
    p = gn.Parameter([1.0, 2.0], dtype="float32", name=name, trainable=deep)
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(twin) is gn.Parameter and (twin.dtype, twin.requires_grad, twin.name) == (p.dtype, deep, name)
        twin.assign([7.0, 8.0])
        np.testing.assert_array_equal(p.numpy(), [1, 2])


@pytest.mark.parametrize("make", [lambda: gn.Parameter([1.0, 2.0]), lambda: gn.tensor([1.0, 2.0], requires_grad=True)])
def test_copies_and_pickles_keep_the_gradient(make):
    t = make()
    (t * t).sum().backward()
    for call in (copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))):
        twin = call(t)
        np.testing.assert_array_equal(twin.grad.numpy(), [2, 4])
        (twin * 3.0).sum().backward()
        np.testing.assert_array_equal(twin.grad.numpy(), [5, 7])
        np.testing.assert_array_equal(t.grad.numpy(), [2, 4])
    model = {"w": t, "grads": [t.grad]}
    twin = copy.deepcopy(model)
    assert twin["w"].grad is twin["grads"][0] and twin["w"].grad is not t.grad


def test_a_copy_in_a_derivative_or_a_trace_stays_in_the_graph():
    for call in (copy.copy, copy.deepcopy, lambda x: copy.deepcopy({"x": [x]})["x"][0]):
        f = lambda x: (x * call(x)).sum()  # noqa: B023, E731
        np.testing.assert_array_equal(gn.grad(f)(np.array([1.0, 2.0])).numpy(), [2, 4])
        np.testing.assert_array_equal(gn.hessian(f)(np.array([1.0, 2.0])).numpy(), [[2, 0], [0, 2]])
        np.testing.assert_array_equal(gn.compile(gn.grad(f))(np.array([1.0, 2.0])).numpy(), [2, 4])
        np.testing.assert_array_equal(gn.grad(lambda x: (x * call(x * 2.0)).sum())(np.array([1.0])).numpy(), [4])  # noqa: B023
    with pytest.raises(TypeError, match=r"cannot be copied or pickled|takes a tensor out of the graph"):
        gn.grad(lambda x: x * pickle.loads(pickle.dumps(x)))(1.0)
    fixed = gn.tensor(3.0)
    assert gn.grad(lambda x: x * copy.deepcopy(fixed))(1.0).item() == 3


def test_histories_and_symbols_are_not_pickled():
    w = gn.Parameter([1.0])
    for t, text in ((w * 2.0, r"with a history \(multiply\)"), (SYMBOLIC, r"\(symbolic\)")):
        for call in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match=rf"{text} cannot be copied or pickled: use t\.detach\(\)"):
                call(t)
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        copy.copy(SYMBOLIC)
    twin = copy.copy(w * w)
    twin.backward()
    assert w.grad.item() == 2.0
    w.grad = None
    assert copy.deepcopy((w * 2.0).detach()).item() == 2.0
    model = {"w": w, "again": w, "list": [w]}
    twin = copy.deepcopy(model)
    assert twin["w"] is twin["again"] is twin["list"][0] and twin["w"] is not w


def test_rollaxis_takes_every_axis_to_every_place():
    a = np.arange(24.0).reshape(2, 3, 4)
    for axis in range(-3, 3):
        agree(np.rollaxis(gn.tensor(a), axis), np.rollaxis(a, axis))
        for start in range(-3, 4):
            agree(np.rollaxis(gn.tensor(a), axis, start), np.rollaxis(a, axis, start))
    for axis, start in ((3, 0), (0, 4), (0, -4)):
        with pytest.raises(IndexError):
            np.rollaxis(gn.tensor(a), axis, start)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 0.5, -1, np.inf, -np.inf])
def test_a_vector_norm_takes_all_axes_as_one_vector(order):
    a = np.arange(1.0, 25.0).reshape(2, 3, 4)
    for axis in (None, 1, -1, (0, 1), (2, 0), (0, 1, 2)):
        for keepdims in (False, True):
            call = lambda v, **given: np.linalg.vector_norm(v, **given)  # noqa: E731
            given = {"axis": axis, "keepdims": keepdims, "ord": order}
            agree(call(gn.tensor(a), **given), call(a, **given))
    gn.check_grads(lambda v: np.linalg.vector_norm(v, axis=(0, 2), ord=order), a)


def test_the_error_of_a_norm_names_the_orders_of_its_kind():
    with pytest.raises(ValueError, match=r"ord=2 for a matrix; known: None, 'fro', 1, -1, inf, -inf"):
        np.linalg.norm(gn.tensor(A), 2)
    with pytest.raises(ValueError, match=r"'fro' for a vector; known: None, 1, 2, inf, -inf, 0, any p"):
        np.linalg.norm(gn.tensor(A[0]), "fro")


def test_infinite_numbers_among_those_that_are_ranked():
    inf = np.inf
    for numbers in ([1.0, inf, inf], [-inf, 1.0, inf], [-inf, 1.0, 2.0, inf], [inf], [-inf, -inf, 3.0, 4.0]):
        agree(np.median(gn.tensor(numbers)), np.median(numbers))
    found = np.quantile(gn.tensor([-inf, 1.0, 3.0, inf]), [0, 0.2, 1 / 3, 0.5, 2 / 3, 0.9, 1])
    assert found.tolist() == [-inf, -inf, 1, 2, 3, inf, inf]
    assert np.isnan(np.median(gn.tensor([-inf, inf])).item())
    with np.errstate(invalid="ignore"):
        for name in ("nanvar", "nanstd"):
            for numbers in ([1.0, inf], [np.nan, -inf, 1.0, inf], [np.nan, 1.0, 4.0]):
                agree(getattr(np, name)(gn.tensor(numbers)), getattr(np, name)(numbers))
    assert gn.grad(lambda v: np.median(v))(np.array([3.0, 1.0, inf])).tolist() == [1, 0, 0]


def test_products_of_small_whole_numbers_do_not_wrap():
    for dtype in ("uint8", "int8", "int32", "bool"):
        a = np.array([1, 100, 100]).astype(dtype)
        agree(np.cumprod(gn.tensor(a)), np.cumprod(a))
        agree(np.vander(gn.tensor(a)), np.vander(a))
    with pytest.raises(ValueError, match="takes a vector"):
        np.vander(gn.tensor(A))


def test_pythons_numbers_are_weak_as_bounds_of_linspace():
    x = gn.Parameter([1.0, 2.0], dtype="float32")
    assert gn.linspace(x, 3, 3).dtype == gn.linspace(0.0, x, 3).dtype == np.float32
    assert gn.linspace(x, np.float64(3), 3).dtype == gn.linspace(np.zeros(2), x, 3).dtype == np.float64
    np.testing.assert_allclose(gn.linspace(x, 3, 3).numpy(), [[1, 2], [2, 2.5], [3, 3]])
