"""Names of `keras.ops`: on NumPy's values, with gradients, on symbolic tensors, and none of them a module."""

import types

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn, ops
from graphnet.ops import keras_names, keras_numbers

rng = np.random.default_rng(0)
A, B = (rng.normal(size=(3, 4)).astype("float32") for _ in range(2))
V = rng.normal(size=4).astype("float32")
HOLES = np.where(A > 0.7, np.nan, A).astype("float32")
N = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0, 0.0], "float32")

# name, arguments, and what NumPy calls the same
SAME = [
    ("shape", (A,), np.shape),
    ("ndim", (A,), np.ndim),
    ("size", (A,), np.size),
    ("isclose", (A, A + 1e-6), np.isclose),
    ("isclose", (N, N), np.isclose),
    ("allclose", (A, B), np.allclose),
    ("nan_to_num", (N,), np.nan_to_num),
    ("isposinf", (N,), np.isposinf),
    ("isneginf", (N,), np.isneginf),
    ("signbit", (N,), np.signbit),
    ("heaviside", (N, np.float32(0.5)), np.heaviside),
    ("count_nonzero", (np.round(A), 1), np.count_nonzero),
    ("average", (A, 1, V), lambda a, axis, w: np.average(a, axis, w)),
    ("average", (A, None, np.abs(B)), lambda a, axis, w: np.average(a, axis, w)),
    ("nansum", (HOLES, 0), np.nansum),
    ("nanprod", (HOLES, 1), np.nanprod),
    ("nanmean", (HOLES, 0), np.nanmean),
    ("nanstd", (HOLES, 1), np.nanstd),
    ("nanmax", (HOLES, 1), np.nanmax),
    ("nanmin", (HOLES, 1), np.nanmin),
    ("nanmax", (np.full((2, 2), np.nan, "float32"), 1), np.nanmax),
    ("nanvar", (N[1:], None), np.nanvar),
    ("nanvar", (HOLES, 1), np.nanvar),
    ("median", (A, 0), np.median),
    ("median", (A[:2],), np.median),
    ("quantile", (A, [0.1, 0.5], 1), np.quantile),
    ("quantile", (np.array([1.0, np.inf, 2.0], "float32"), [0.5, 0.75]), lambda a, q: [2.0, np.inf]),
    ("append", (A, B, 1), np.append),
    ("append", (A, V), np.append),
    ("hstack", ([A, B],), np.hstack),
    ("hstack", ([V, V],), np.hstack),
    ("vstack", ([V, V],), np.vstack),
    ("dstack", ([V, V],), np.dstack),
    ("dstack", ([A, B],), np.dstack),
    ("hsplit", (A, 2), np.hsplit),
    ("hsplit", (V, 2), np.hsplit),
    ("vsplit", (A, 3), np.vsplit),
    ("fliplr", (A,), np.fliplr),
    ("flipud", (A,), np.flipud),
    *(("rot90", (A, k), np.rot90) for k in (-1, 0, 1, 2, 3)),
    ("diff", (A, 2, 0), np.diff),
    ("diff", (A > 0,), np.diff),
    ("trapezoid", (A, np.array([0, 1, 3, 4.0], "float32")), getattr(np, "trapezoid", None)),
    ("trace", (A, 1), np.trace),
    ("tri", (3, 4, 1), np.tri),
    ("kron", (A, B), np.kron),
    ("kron", (V, A), np.kron),
    ("meshgrid", (V, V[:3]), np.meshgrid),
    ("logspace", (0, 2, 5), np.logspace),
    ("geomspace", (1, 100, 3), np.geomspace),
    ("select", ([A > 1, A > 0], [A, B], 7.0), np.select),
    ("cross", (A[:, :3], B[:, :3]), np.cross),
    ("vander", (V,), np.vander),
    ("unstack", (A, None, 1), lambda a, n, axis: list(np.moveaxis(a, axis, 0))),
    ("rsqrt", (np.abs(A),), lambda a: 1 / np.sqrt(a)),
    ("top_k", (np.array([[3.0, 1, 3], [0, 5, 2]]), 2), lambda a, k: ([[3, 3], [5, 2]], [[0, 2], [1, 2]])),
    ("multi_hot", ([[0, 2], [1, 1]], 4), lambda a, n: [[1, 0, 1, 0], [0, 1, 0, 0]]),
    ("in_top_k", ([0, 2], [[0.1, 0.8, 0.1], [0.1, 0.2, 0.7]], 1), lambda *a: [False, True]),
    ("slice", (A, (1, 0), (2, -1)), lambda a, s, n: a[1:]),
    ("segment_sum", (A, [0, 1, 0], 3), lambda a, *r: np.stack([a[0] + a[2], a[1], 0 * a[0]])),
    ("scatter", ([[0], [2], [0]], [1.0, 2.0, 3.0], (4,)), lambda *a: [4, 0, 2, 0]),
    ("scatter_update", (A, [[0, 1], [2, 3]], [9.0, 8.0]), lambda a, *r: _with(a, {(0, 1): 9, (2, 3): 8})),
    ("slice_update", (A, (1, 2), [[9.0, 8.0]]), lambda a, *r: _with(a, {(1, 2): 9, (1, 3): 8})),
    ("saturate_cast", ([-5.0, 3.7, 400.0], "uint8"), lambda *a: [0, 3, 255]),
]  # fmt: skip


def _with(a, changes):
    b = a.copy()
    for place, value in changes.items():
        b[place] = value
    return b


def arrays(value):
    if isinstance(value, (tuple, list)) and any(isinstance(v, (np.ndarray, gn.Tensor, list)) for v in value):
        return [np.asarray(v.numpy() if isinstance(v, gn.Tensor) else v) for v in value]
    return [np.asarray(value.numpy() if isinstance(value, gn.Tensor) else value)]


@pytest.mark.parametrize("name, args, want", SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_values(name, args, want):
    if want is None:
        pytest.skip("this NumPy has no such function")
    got, right = arrays(getattr(nn.ops, name)(*args)), arrays(want(*args))
    if name in ("multi_hot", "in_top_k", "slice", "segment_sum", "scatter", "scatter_update", "slice_update"):
        right = [np.asarray(want(*args))]
    assert len(got) == len(right)
    for a, b in zip(got, right, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert a.dtype != np.float64 or name in ("shape", "top_k")


def test_no_name_of_an_op_is_a_module():
    for name in (*ops.__all__, *keras_names.__all__, *keras_numbers.__all__):
        assert not isinstance(getattr(ops, name), types.ModuleType) and callable(getattr(nn.ops, name)), name
    assert "cast" in dir(nn.ops) and "conv" in dir(nn.ops) and ops.cast is nn.ops.cast
    with pytest.raises(AttributeError, match="no 'lu_factor'"):
        _ = nn.ops.lu_factor
    with pytest.raises(AttributeError):
        _ = ops.lu_factor


def test_conversion_keeps_arrays_and_takes_lists_as_keras_does():
    assert [ops.convert_to_tensor(v).dtype.name for v in ([1.0], [1], [True], 2, 2.5, np.float64(1), np.ones(1))] == [
        "float32",
        "int32",
        "bool",
        "int32",
        "float32",
        "float64",
        "float64",
    ]
    t = gn.tensor([1.0])
    assert ops.convert_to_tensor(t) is t and ops.array([1], "float32").dtype == "float32"
    source = np.ones(2, "float32")
    made = ops.convert_to_tensor(source)
    source[:] = 5
    assert made.numpy().tolist() == [1, 1]
    assert ops.convert_to_numpy(t).tolist() == [1] and not ops.is_tensor(source) and ops.is_tensor(t)
    assert ops.dtype(A) == "float32" and nn.ops.ones(2).dtype == nn.ops.eye(2).dtype == np.float32


def test_lists_of_tensors_keep_their_gradient():
    assert gn.grad(lambda x: ops.sum(ops.convert_to_tensor([x, x * x])))(3.0) == 7
    assert gn.grad(lambda x: ops.sum(ops.cast(ops.hstack([[x], [x * x]]), "float64")))(3.0) == 7


@pytest.mark.parametrize(
    "f",
    [
        ops.normalize,
        lambda x: ops.normalize(x, axis=0, order=1),
        ops.median,
        lambda x: ops.quantile(x, 0.3, axis=1),
        lambda x: ops.top_k(x, 2)[0],
        lambda x: ops.kron(x, B.astype("float64")),
        lambda x: ops.cross(x[:, :3], x[:, 1:]),
        lambda x: ops.moments(x, axes=[0])[1],
        lambda x: ops.scatter_update(x, [[0, 1]], x[2:, 3]),
        lambda x: ops.segment_sum(x, [0, 1, 0]),
        lambda x: ops.diff(ops.append(x, x**2, axis=0), axis=0),
        lambda x: nn.ops.layer_normalization(x),
        lambda x: nn.ops.map(lambda row: row * row.sum(), x),
        lambda x: nn.ops.fori_loop(0, 3, lambda i, v: v * x + i, x),
        lambda x: nn.ops.cond(gn.tensor(True), lambda: x * x, lambda: x),
    ],
)
def test_gradients(f):
    gn.check_grads(f, A.astype("float64"), order=1)


def test_normalize_of_zeros_has_no_gradient_that_is_nan():
    assert np.isfinite(gn.grad(lambda x: ops.sum(ops.normalize(x)))(np.zeros(3))).all()


def test_they_are_traced():
    def f(x):
        low = nn.ops.cond(gn.sum(x) > 0, lambda: {"a": x}, lambda: {"a": -x})["a"]
        return ops.normalize(low) + ops.median(x), ops.top_k(x, 2)[1]

    for sign in (1, -1):
        for a, b in zip(gn.compile(f)(sign * np.abs(A)), f(gn.tensor(sign * np.abs(A))), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    assert ops.shape(gn.input((2, 3))) == (2, 3)


def test_loops_and_choices():
    assert nn.ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), (0, gn.tensor(1.0)))[1] == 8
    assert nn.ops.while_loop(lambda i: i < 9, lambda i: i + 2, 0, maximum_iterations=2) == 4
    assert nn.ops.switch(7, [lambda: "a", lambda: "b"]) == "b"
    last, rows = nn.ops.scan(lambda c, x: (c + x, c * x), np.zeros(4, "float32"), A)
    np.testing.assert_allclose(last, A.sum(0), rtol=1e-5)
    assert rows.shape == (3, 4)


def test_networks():
    x = rng.normal(size=(2, 6, 6, 4)).astype("float32")
    kernel = rng.normal(size=(3, 3, 4, 2)).astype("float32")
    first = nn.ops.conv(x.transpose(0, 3, 1, 2), kernel, 2, "same", "channels_first")
    np.testing.assert_allclose(first.numpy().transpose(0, 2, 3, 1), gn.conv(x, kernel, 2, "same"), rtol=1e-5)
    layer = nn.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    np.testing.assert_allclose(nn.ops.depthwise_conv(x, layer(x) is None or layer.weights[0]), layer(x), rtol=1e-5)
    np.testing.assert_allclose(nn.ops.average_pool(x, 2, 1, "same"), gn.avg_pool(x, 2, 1, "same"))
    weights = nn.ops.dot_product_attention(x[:, :3], x[:, 3:], np.ones_like(x[:, :3]))
    np.testing.assert_allclose(weights, np.ones_like(x[:, :3]), rtol=1e-5)
    causal = nn.ops.dot_product_attention(x[:, :3], x[:, 3:], x[:, :3], is_causal=True)
    np.testing.assert_allclose(causal[:, 0], x[:, 0], rtol=1e-5)
    y, p = (A > 0).astype("float32"), 1 / (1 + np.exp(-B))
    want = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    np.testing.assert_allclose(nn.ops.binary_crossentropy(y, p), want, rtol=1e-4)
    np.testing.assert_allclose(nn.ops.binary_crossentropy(y, B, from_logits=True), want, rtol=1e-4)
    labels = np.array([0, 1, 3])
    sparse = nn.ops.sparse_categorical_crossentropy(labels, A, from_logits=True)
    np.testing.assert_allclose(
        nn.ops.categorical_crossentropy(np.eye(4)[labels], A, from_logits=True), sparse, rtol=1e-5
    )
    assert float(nn.ops.gelu(np.float32(-2.0))) == pytest.approx(-0.0454023, rel=1e-4)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: ops.top_k(A, 9), "k is 0 to 4"),
        (lambda: ops.average(A, 0, V), "do not fit"),
        (lambda: ops.unstack(A, 2), "num is the size"),
        (lambda: ops.quantile(A, 1.5), "from 0 to 1"),
        (lambda: ops.meshgrid(V, indexing="ji"), "'xy' or 'ij'"),
        (lambda: ops.cross(A, B), "3 numbers"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()
