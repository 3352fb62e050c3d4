"""Convolution and pooling in plans: the ops' values, whatever the sizes, the backend and the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from backends import NEEDS_LLVM, each_backend

import graphnet as gn
from graphnet.ops import pooling
from graphnet.plans import blas
from graphnet.plans.code import thread_pool
from graphnet.plans.code.function import load
from graphnet.plans.code.native import native_code
from graphnet.plans.kernels import tiles

#: batch, sizes, window, strides, padding, dilation, channels in and out
CONVOLUTIONS = {
    "tiles without a rest": (2, (8, 6), (3, 3), (1, 1), "valid", (1, 1), 8, 32),
    "rests everywhere": (3, (9, 8), (3, 2), (1, 1), "valid", (1, 1), 5, 21),
    "one channel": (2, (7, 7), (3, 3), (1, 1), "valid", (1, 1), 1, 16),
    "strides": (2, (9, 8), (3, 2), (2, 3), "same", (1, 1), 3, 10),
    "window less than the stride": (2, (9, 8), (1, 2), (3, 3), "valid", (1, 1), 3, 10),
    "padding and dilation": (2, (9, 8), (3, 2), (1, 1), ((2, 1), (0, 3)), (2, 3), 5, 7),
    "one axis": (4, (30,), (5,), (2,), "causal", (1,), 4, 7),
    "one axis, dilated": (4, (30,), (3,), (1,), "valid", (4,), 2, 17),
    "three axes": (2, (4, 5, 6), (2, 2, 2), (1, 2, 1), "same", (1, 1, 1), 3, 5),
    "a matrix product": (5, (3, 3), (1, 1), (1, 1), "valid", (1, 1), 7, 9),
    "of size one": (1, (1, 1), (1, 1), (1, 1), "valid", (1, 1), 1, 1),
    "large enough to share": (13, (20, 21), (3, 3), (1, 1), "same", (1, 1), 8, 20),
}
POOLS = {
    "no rest": (2, (8, 6), (2, 2), (2, 2), 32),
    "a rest": (3, (9, 7), (2, 2), (2, 2), 5),
    "overlaps": (3, (9, 7), (3, 2), (1, 2), 17),
    "gaps": (2, (9,), (2,), (4,), 1),
    "three axes": (2, (4, 5, 6), (2, 2, 2), (2, 2, 2), 3),
    "large enough to share": (17, (32, 32), (2, 2), (2, 2), 20),
    "padding": (2, (5, 5), (2, 2), (2, 2), 3, "same"),
    "a window that is not written out": (2, (12,), (9,), (9,), 3),
}


def agree(f, arrays, backend, dtype):
    """The values of a plan are those of the ops, twice, and its inputs are as they were."""
    kept = [a.copy() for a in arrays]
    expected = [t.numpy() for t in f(*[gn.tensor(a, requires_grad=True) for a in arrays])]
    plan = gn.trace(f, *arrays).compile(backend=backend)
    for _ in range(2):
        for y, e in zip(plan(*arrays), expected, strict=True):
            assert y.dtype == e.dtype and y.shape == e.shape
            largest = max(1.0, np.abs(e[np.isfinite(e)]).max(initial=0))
            np.testing.assert_allclose(y.numpy(), e, rtol=0, atol=largest * (2e-6 if dtype == "float32" else 1e-13))
    for a, k in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(a, k)
    return plan


def with_slopes(f):
    def all_of_it(*arrays):
        y = f(*arrays)
        return [y, *gn.gradients((y * y).sum(), list(arrays))]

    return all_of_it


def each_case(cases):
    """All cases in float32, some in float64 too."""
    twice = ("rests everywhere", "overlaps", "large enough to share", "padding and dilation")
    listed = [
        pytest.param(c, d, id=f"{n}-{d}") for n, c in cases.items() for d in ("float32", "float64")[: 1 + (n in twice)]
    ]
    return pytest.mark.parametrize(("case", "dtype"), listed)


@each_backend
@each_case(CONVOLUTIONS)
def test_convolutions(case, backend, dtype, rng):
    batch, sizes, window, strides, padding, dilation, inputs, outputs = case
    x = rng.standard_normal((batch, *sizes, inputs)).astype(dtype)
    kernel = rng.standard_normal((*window, inputs, outputs)).astype(dtype)
    f = with_slopes(lambda x, k: gn.conv(x, k, strides, padding, dilation))
    plan = agree(f, [x, kernel], backend, dtype)
    if backend == "native":
        assert all(word in plan.source for word in ("conv(", "conv_transpose(", "conv_kernel("))
        assert "k_op" not in plan.source


@each_backend
@each_case(POOLS)
def test_pools(case, backend, dtype, rng):
    batch, sizes, window, strides, channels, *padding = case
    at = (window, strides, *padding)
    # Small whole numbers: many are equal.
    x = rng.integers(-2, 3, (batch, *sizes, channels)).astype(dtype)

    def f(x):
        return [pooling.max_pool_at(x, *at), *with_slopes(lambda x: gn.max_pool(x, *at))(x), gn.avg_pool(x, *at)]

    plan = agree(f, [x], backend, dtype)
    if backend == "native" and not padding and window != (9,):
        assert all(word in plan.source for word in ("= max_pool(", "= max_pool_at(", "= window_put("))


@each_backend
def test_pools_of_nan_and_infinities(backend):
    numbers = np.array([1.0, np.nan, np.inf, -np.inf, 0.0, -0.0, 2.0, np.nan])
    x = np.stack(np.meshgrid(*[numbers] * 3, indexing="ij"), axis=-1).reshape(1, -1, 1)  # all triples
    agree(lambda x: [gn.max_pool(x, 3), pooling.max_pool_at(x, 3)], [x], backend, "float64")
    y, places = gn.trace(lambda x: [gn.max_pool(x, 3), pooling.max_pool_at(x, 3)], x).compile(backend=backend)(x)
    triples = x.reshape(-1, 3)
    np.testing.assert_array_equal(y.numpy().ravel(), triples.max(axis=1))
    np.testing.assert_array_equal(places.numpy().ravel(), triples.argmax(axis=1))


@each_backend
def test_what_has_no_native_form_runs_as_it_is(backend, rng):
    x, kernel = rng.standard_normal((2, 6, 4)), rng.standard_normal((3, 2, 6))
    agree(with_slopes(lambda x, k: gn.conv(x, k, groups=2)), [x, kernel], backend, "float64")
    half = [a.astype(np.float16) for a in (x, rng.standard_normal((3, 4, 6)))]
    expected = gn.conv(*half).numpy()
    y = gn.trace(gn.conv, *half).compile(backend=backend)(*half)
    np.testing.assert_allclose(y.numpy().astype(float), expected.astype(float), rtol=0.01, atol=0.02)
    agree(lambda x, k: [gn.conv(x, k)], [x[:0], kernel[:, :1].repeat(4, 1)], backend, "float64")
    agree(lambda x, k: [gn.conv(x.transpose((2, 1, 0)), k)], [x, kernel[:, :1].repeat(2, 1)], backend, "float64")


@each_backend
def test_looks_at_parts_of_arrays(backend, rng):
    """Inputs that begin inside an array, or are the same array."""
    x, kernel = rng.standard_normal((5, 6, 5, 3)), rng.standard_normal((4, 2, 2, 3, 4))

    def f(x, kernel):
        y = gn.conv(x[2:4], kernel[3], padding="same")
        h = gn.tanh(x)
        return [y, gn.conv_transpose(y, kernel[1]), gn.max_pool(h[1:], 2), gn.conv(h[1:], kernel[2])]

    agree(f, [x, kernel], backend, "float64")
    square = rng.standard_normal((2, 2, 2))
    agree(lambda a: with_slopes(lambda a: gn.conv(a, a))(a), [square], backend, "float64")


@NEEDS_LLVM
def test_results_do_not_depend_on_the_number_of_threads(rng, monkeypatch):
    x = rng.standard_normal((13, 20, 21, 8)).astype("f")
    kernel = rng.standard_normal((3, 3, 8, 20)).astype("f")

    def f(x, kernel):
        y = gn.max_pool(gn.conv(x, kernel, padding="same"), 2)
        return [y, *gn.gradients((y * y).sum(), [x, kernel])]

    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(blas, "threads", lambda threads=threads: threads)
        code = native_code(gn.trace(f, x, kernel))
        assert sum(k is not None and k.length > 1 for k in code.kernels) >= 3
        run = load(code)
        found += [[a.tobytes() for a in run(x, kernel)] for _ in range(5)]
    assert all(f == found[0] for f in found)
    assert thread_pool.CHUNKS > 1


@each_backend
def test_a_training_step_with_updates(backend, rng):
    x = rng.standard_normal((6, 8, 8, 1)).astype("f")
    kernel, bias = gn.Parameter(rng.standard_normal((3, 3, 1, 4)).astype("f")), gn.Parameter(np.zeros(4, "f"))
    start = kernel.numpy().copy()

    def step(x):
        y = gn.max_pool(gn.relu(gn.conv(x, kernel, padding="same") + bias), 2)
        loss = gn.mean((y - 1.0) ** 2)
        for p, g in zip((kernel, bias), gn.gradients(loss, [kernel, bias]), strict=True):
            p.assign(p - g * 0.1)
        return loss

    eager = [step(gn.tensor(x)).item() for _ in range(3)]
    after = kernel.numpy().copy()
    kernel.assign(start)
    bias.assign(np.zeros(4, "f"))
    plan = gn.trace(step, x).compile(backend=backend)
    assert [plan(x).item() for _ in range(3)] == pytest.approx(eager, rel=1e-5)
    np.testing.assert_allclose(kernel.numpy(), after, rtol=1e-4, atol=1e-6)


@each_backend
@pytest.mark.parametrize(("window", "strides", "padding"), [(2, 2, "valid"), ((3, 2), (1, 2), "same")])
def test_relu_moves_behind_the_pool_and_nothing_changes(backend, window, strides, padding, rng):
    z = rng.integers(-2, 3, (3, 6, 5, 4)).astype("f")
    z[0, 0] = [np.nan, np.inf, -np.inf, -0.0]
    z[1] = -abs(z[1])
    bias, weights = rng.integers(-1, 2, 4).astype("f"), rng.standard_normal((3, 6, 5, 4)).astype("f")

    def f(z, bias):
        y = gn.max_pool(gn.relu(z * weights + bias), window, strides, padding)
        return [y, *gn.gradients((y * y).sum(), [z, bias])]

    g = gn.trace(f, z, bias)
    expected = g(z, bias)
    plan = g.compile(backend=backend)
    small = {t.op.name for t in plan.graph.nodes if t.op is not None and t.shape == expected[0].shape}
    large = {t.op.name for t in plan.graph.nodes if t.op is not None and t.shape == z.shape}
    assert {"relu", "max_pool", "greater", "where"} <= small and not {"relu", "where", "greater"} & large
    sums = [t for t in plan.graph.nodes if t.op is not None and t.op.name == "sum" and t.shape == (4,)]
    assert all(t.inputs[0].shape == expected[0].shape for t in sums) and sums
    for a, e in zip(plan(z, bias), expected, strict=True):
        np.testing.assert_allclose(a.numpy(), e.numpy(), rtol=1e-5)


@each_backend
@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 4)])
def test_a_bias_rides_in_the_convolution(backend, shape, rng):
    x, kernel, bias = (rng.standard_normal(s) for s in ((3, 6, 5, 2), (3, 3, 2, 4), shape))

    def f(x, kernel, bias):
        y = bias + gn.conv(x, kernel, padding="same")
        return [y, *gn.gradients(gn.tanh(y).sum(), [x, kernel, bias])]

    plan = agree(f, [x, kernel, bias], backend, "float64")
    assert ("conv_add(" in plan.source) == (backend == "native")
    # Not where the convolution itself is wanted, or the bias is none.
    both = agree(lambda x, k, b: [c := gn.conv(x, k), c + b], [x, kernel, bias], backend, "float64")
    wide = agree(lambda x, k, b: [gn.conv(x, k) + b[:1]], [x, kernel, bias.ravel()], backend, "float64")
    assert not any("conv_add(" in p.source for p in (both, wide))


@NEEDS_LLVM
def test_the_profile_knows_convolutions_as_kernels(rng):
    x, kernel = rng.standard_normal((4, 10, 10, 3)), rng.standard_normal((3, 3, 3, 5))
    plan = gn.trace(lambda x, k: gn.max_pool(gn.conv(x, k), 2), x, kernel).compile(backend="native")
    profile = plan.profile(x, kernel, repeat=2)
    kinds = {row.ops: row.kind for row in profile.rows}
    assert kinds == {"conv": "kernel", "max_pool": "kernel"}
    assert profile.rows[0].flops == 2 * 4 * 64 * 9 * 3 * 5


def test_blocks():
    assert tiles.widths(21, 16) == [(0, 16), (16, 4), (20, 1)]
    assert tiles.widths(32, 16) == [(0, 16), (16, 16)]
    assert tiles.widths(0, 16) == []
