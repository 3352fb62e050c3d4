"""The pieces of plans, one by one: picked elements, rows, updates in products, profiles, backends, buffers."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from backends import NEEDS_LLVM, each_backend

import graphnet as gn
from graphnet.plans import blas, takeover
from graphnet.plans.code import compiler
from graphnet.plans.kernels import gemv

# One element of each row.

N, SIZE = 6, 5
PICKS = {
    "x[arange, i]": lambda x, i: x[np.arange(N), i],
    "take_along_axis": lambda x, i: gn.take_along_axis(x, i[:, None], 1),
}
each_pick = pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)


def picked(x, i):
    return x[np.arange(N), i]


@each_pick
@each_backend
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["int64", "int32", "int8"])
def test_picked_elements_and_their_gradients(pick, backend, dtype, kind, rng):
    x = rng.standard_normal((N, SIZE)).astype(dtype)
    i = np.array([0, 4, -1, -5, 2, 2], kind)

    def both(x, i):
        return pick(x, i) * 2.0, gn.grad(lambda x: (pick(x, i) ** 2).sum())(x)

    values, gradient = gn.trace(both, x, i).compile(backend=backend)(x, i)
    expected = np.zeros_like(x)
    expected[np.arange(N), i] = 2 * picked(x, i)
    np.testing.assert_array_equal(values.numpy().ravel(), 2 * picked(x, i))
    np.testing.assert_array_equal(gradient.numpy(), expected)
    assert values.dtype == gradient.dtype == dtype


@each_pick
@each_backend
def test_nothing_leaks_from_the_elements_that_are_not_picked(pick, backend):
    i = np.array([0, 4, 1, -5, 2, 2])
    x = np.full((N, SIZE), np.nan)
    x[:, ::2] = np.inf
    x[np.arange(N), i] = [1.0, 2.0, 3.0, 4.0, np.inf, np.nan]

    def both(x, i):
        return pick(x, i), gn.grad(lambda x: pick(x, i).sum())(x)

    values, gradient = gn.trace(both, x, i).compile(backend=backend)(x, i)
    np.testing.assert_array_equal(values.numpy().ravel(), picked(x, i))
    np.testing.assert_array_equal(gradient.numpy(), np.eye(SIZE)[i])


@each_pick
@each_backend
@pytest.mark.parametrize("inside", [False, True], ids=["given", "computed"])
@pytest.mark.parametrize("wrong", [SIZE, -SIZE - 1, 100])
def test_a_place_out_of_range_changes_nothing(pick, backend, inside, wrong, rng):
    w = gn.Parameter(rng.standard_normal((SIZE, SIZE)), name="w")
    count = gn.Parameter(np.int64(0), trainable=False)

    def step(x, i):
        if inside:
            i = i * 2 - i
        loss = -pick(gn.log_softmax(x @ w), i).mean()
        grad = gn.gradients(loss, w)
        count.assign(count + 1)
        w.assign(w - 0.1 * grad)
        return loss

    x, i = rng.standard_normal((N, SIZE)), np.zeros(N, np.int64)
    with gn.no_grad():
        plan = gn.trace(step, x, i).compile(backend=backend)
        plan(x, i)
        before = w.numpy().copy()
        i[3] = wrong
        with pytest.raises(IndexError, match="out of bounds"):
            plan(x, i)
        np.testing.assert_array_equal(w.numpy(), before)
        assert count.item() == 1
        i[3] = -SIZE
        plan(x, i)
        assert count.item() == 2 and not np.array_equal(w.numpy(), before)


# One row times a matrix.

WIDTHS = (1, 2, 3, 10, 63, 64, 65, 129)


@NEEDS_LLVM
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inner", [1, 7, 64])
def test_one_row_times_matrices_of_many_widths(dtype, inner, rng):
    x = rng.standard_normal((1, inner)).astype(dtype)
    ms = [rng.standard_normal((inner, n)).astype(dtype) for n in WIDTHS]
    plan = gn.trace(lambda x, *ms: [x @ m for m in ms], x, *ms).compile(backend="native")
    for found, m in zip(plan(x, *ms), ms, strict=True):
        np.testing.assert_allclose(found.numpy(), x @ m, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)
    if blas.found() is not None:
        assert sum(gemv.fits(p) for p in plan.code.order.products.values()) == len(WIDTHS)


@NEEDS_LLVM
@pytest.mark.parametrize("n", [3, 65])
def test_one_row_of_an_array_times_parts_of_matrices(n, rng):
    x, m = rng.standard_normal((9, 4)), rng.standard_normal((9, 2 * n))

    def products(x, m):
        row = x[:, 1:2].T
        return [
            row @ m[:, :n],
            row @ m[:, n:],
            x[2:3] @ m[3:7, 1 : n + 1],
            row[:, 2:5] @ m[::3, ::2],
            x[2:3] @ m.T[:4, ::2],
        ]

    found = gn.trace(products, x, m).compile(backend="native")(x, m)
    for one, expected in zip(found, products(x, m), strict=True):
        np.testing.assert_allclose(one.numpy(), expected, rtol=0, atol=1e-13)


@NEEDS_LLVM
def test_infinities_in_a_row_product(rng):
    x, m = np.array([[1.0, 0.0, np.inf]]), rng.standard_normal((3, 70))
    m[1, 5], m[2, 66] = np.nan, 0.0
    with np.errstate(all="ignore"):
        expected = x @ m
    np.testing.assert_array_equal(gn.trace(lambda x, m: x @ m, x, m).compile(backend="native")(x, m).numpy(), expected)


# Updates that are part of their products.

DECAYS = {
    "plain": lambda w, g: w - 0.1 * g,
    "L2": lambda w, g: w - 0.1 * (g + 0.02 * w),
    "decay": lambda w, g: w * 0.99 - 0.1 * g,
}
SIZES = {"small": (4, 3, 2), "large": (64, 512, 300)}
NEEDS_BLAS = pytest.mark.skipif(blas.found() is None, reason="NumPy is built on another BLAS")


def learner(sizes, decay, dtype, read=False):
    rng = np.random.default_rng(3)
    batch, n, m = sizes
    x, y = rng.standard_normal((batch, n)).astype(dtype), rng.standard_normal((batch, m)).astype(dtype)
    w = gn.Parameter((rng.standard_normal((n, m)) / np.sqrt(n)).astype(dtype), name="w")

    def step(x, y):
        loss = ((x @ w - y) ** 2).mean()
        new = decay(w, gn.gradients(loss, w))
        w.assign(new)
        return [loss, new.sum()] if read else [loss]

    return w, x, y, step


def stepped(w, call, x, y):
    """The parameter after three calls, from where it is now, and where it is put back."""
    start = w.numpy().copy()
    with gn.no_grad(), np.errstate(all="ignore"):
        for _ in range(3):
            call(x, y)
    after = w.numpy().copy()
    w.assign(start)
    return after


def products(plan):
    return [t for t in plan.code.graph.nodes if t.op is not None and t.op.name == "gemm"]


@NEEDS_BLAS
@each_backend
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay", DECAYS)
def test_updates_inside_products(decay, size, dtype, backend):
    w, x, y, step = learner(SIZES[size], DECAYS[decay], dtype)
    graph = gn.trace(step, x, y)
    plan = graph.compile(backend=backend)
    assert len(products(plan)) == (backend == "native" or size == "large")
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(stepped(w, plan, x, y), stepped(w, graph, x, y), rtol=tolerance, atol=tolerance)


@NEEDS_BLAS
@each_backend
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_reaches_the_parameter(odd, backend):
    w, x, y, step = learner(SIZES["large"], DECAYS["L2"], "float64")
    x[5, 7] = odd
    graph = gn.trace(step, x, y)
    plan = graph.compile(backend=backend)
    assert products(plan)
    found, expected = stepped(w, plan, x, y), stepped(w, graph, x, y)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    assert not np.isfinite(found).any()


@each_backend
def test_an_update_that_is_read_afterwards_does_not_ride(backend):
    w, x, y, step = learner(SIZES["large"], DECAYS["L2"], "float64", read=True)
    graph = gn.trace(step, x, y)
    plan = graph.compile(backend=backend)
    assert not products(plan)
    np.testing.assert_allclose(stepped(w, plan, x, y), stepped(w, graph, x, y), rtol=1e-12, atol=1e-12)


@NEEDS_BLAS
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_sum_of_products_is_one_call(dtype, rng):
    x, y = (rng.standard_normal((3, 4)).astype(dtype) for _ in range(2))

    def sums(x, y):
        kept = x * (y + 1.0)
        return [(x * y).sum(), (x * x).sum(), (x * y[0]).sum(), kept.sum(), kept]

    plan = gn.trace(sums, x, y).compile(backend="numpy")
    names = [t.op.name for t in plan.code.graph.nodes if t.op is not None]
    # Not where one is broadcast, nor where the product itself is wanted.
    assert names.count("vdot") == (0 if dtype == "float16" else 2)
    for found, expected in zip(plan(x, y), sums(x, y), strict=True):
        assert found.dtype == dtype and found.shape == expected.shape
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-2 if dtype == "float16" else 1e-5)


# Profiles.


@each_backend
def test_a_profile_has_a_row_for_each_step(backend, rng):
    w = gn.Parameter(rng.standard_normal((30, 20)), name="w")
    v = gn.Parameter(rng.standard_normal((20, 4)), name="v")

    def step(x, y):
        h = gn.tanh(x @ w)
        loss = ((h @ v - y) ** 2).mean()
        for p, g in zip((w, v), gn.gradients(loss, [w, v]), strict=True):
            p.assign(p - 0.1 * g)
        return [loss, gn.sort(h, axis=0)]

    x, y = rng.standard_normal((8, 30)), rng.standard_normal((8, 4))
    plan = gn.trace(step, x, y).compile(backend=backend)
    before = [p.numpy().copy() for p in (w, v)]
    found = plan.profile(x, y, repeat=3)
    for p, value in zip((w, v), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), value)
    assert found.backend == backend and [row.step for row in found.rows] == list(range(len(found.rows)))
    kinds = {row.kind for row in found.rows}
    assert kinds <= {"kernel", "product", "numpy"} and "numpy" in kinds
    assert all(row.nbytes > 0 and row.seconds >= 0 and row.nodes and row.ops for row in found.rows)
    computed = {t for row in found.rows for t in row.nodes}
    assert computed <= set(found.graph.nodes) and "tanh" in {t.op.name for t in computed}
    flops = {row.flops for row in found.rows}
    assert {2 * 8 * 30 * 20, 2 * 8 * 20 * 4} <= flops
    assert str(found).count("\n") == len(found.rows) + 1
    assert all(row.ops in str(found) for row in found.rows) and "tanh" in str(found)
    for shares in (found.by_op(), found.by_layer(), found.by_site()):
        assert sum(shares.values()) == pytest.approx(found.seconds)
    assert sum(seconds for seconds, _ in found.by_node().values()) == pytest.approx(found.seconds)
    assert {"tanh", "argsort"} <= set(found.by_op())
    assert any(site is not None and site[0] == __file__ for site in found.by_site())
    if backend == "native":
        assert {"kernel", "product"} <= kinds or blas.found() is None

    assert len(plan.profile(repeat=1).rows) == len(found.rows)
    with pytest.raises(ValueError, match=r"takes 2 arrays, one by one.*received 1"):
        plan.profile(x)


@each_backend
def test_a_profile_names_layers(backend, rng):
    model = gn.nn.Sequential([gn.nn.Dense(6, "relu"), gn.nn.Dense(3)])
    x = rng.standard_normal((5, 4)).astype("float32")
    model(x)
    found = gn.trace(lambda x: model(x), x).compile(backend=backend).profile(x, repeat=1)
    layers = {layer for row in found.rows for layer in row.layers}
    assert len(layers) >= 2 and all(layer in str(found) for layer in layers)
    assert layers <= set(found.by_layer())


# Which backend.


def test_an_unknown_backend_is_an_error():
    with pytest.raises(ValueError, match="'numpy', 'native'; received 'cuda'"):
        gn.compile(lambda x: x, backend="cuda")
    with pytest.raises(ValueError, match="received 'cuda'"):
        gn.trace(lambda x: x * 2.0, np.ones(3)).compile(backend="cuda")


@pytest.mark.parametrize("word", ["0", "1", "", "more"])
def test_the_variable_says_what_plans_begin_as(word, monkeypatch):
    monkeypatch.setenv("GRAPHNET_NATIVE", word)
    f = gn.compile(lambda x: gn.sin(x) * 2.0)
    f(gn.ones(3))
    assert f.plan.backend == ("native" if word == "1" and compiler.available() else "numpy")
    for _ in range(4):
        f(gn.ones(3))
    f.plan.wait()
    assert f.plan.backend == ("native" if word != "0" and compiler.available() else "numpy")
    # An argument counts for more.
    g = gn.compile(lambda x: gn.sin(x) * 2.0, backend="numpy")
    g(gn.ones(3))
    assert g.plan.wait().backend == "numpy"


def test_without_llvm_plans_stay_with_numpy(monkeypatch):
    monkeypatch.setattr(compiler, "available", lambda: False)
    with pytest.raises(ImportError, match="llvmlite"):
        gn.compile(lambda x: x, backend="native")
    monkeypatch.setenv("GRAPHNET_NATIVE", "1")
    for f in (gn.compile(lambda x: x * 2.0), gn.compile(lambda x: x * 2.0, backend="auto")):
        for _ in range(4):
            np.testing.assert_array_equal(f(gn.ones(3)).numpy(), np.full(3, 2.0))
        assert f.plan.wait().backend == "numpy"


def test_waiting_makes_native_code_before_the_first_call():
    plan = gn.trace(lambda x: gn.sin(x), np.ones(3)).compile(backend="auto")
    assert plan.backend == "numpy"
    assert plan.wait() is plan
    assert plan.backend == ("native" if compiler.available() else "numpy")
    assert plan.wait() is plan
    np.testing.assert_allclose(plan(np.ones(3)).numpy(), np.sin(np.ones(3)))


def test_compilations_are_counted_and_logged_and_the_oldest_plans_go(caplog):
    f = gn.compile(lambda x: x * 2.0, backend="numpy", limit=2)
    with caplog.at_level(logging.INFO, "graphnet"):
        for n in (1, 2, 1, 3):
            f(gn.ones(n))
    assert f.compilations == 3
    assert [r.getMessage()[-10:] for r in caplog.records] == ["(1 so far)", "(2 so far)", "(3 so far)"]
    assert "for float64[3] " in caplog.text
    # Two are kept: 1 was used after 2.
    f(gn.ones(1))
    assert f.compilations == 3
    f(gn.ones(2))
    assert f.compilations == 4


@pytest.mark.parametrize("rate", [0.1, 0.05])
def test_an_update_without_a_penalty_scales_nothing(rate):
    w = gn.Parameter(np.full((3, 2), 0.5, "float32"), name="w")

    def step(x):
        loss = gn.tanh(x @ w).mean()
        w.assign(w - rate * gn.gradients(loss, w))
        return loss

    for backend in ("numpy", "native") if compiler.available() else ("numpy",):
        plan = gn.trace(step, np.ones((4, 3), "float32")).compile(backend=backend)
        scalings = [
            t
            for t in plan.code.graph.nodes
            if t.op is not None and t.op.name == "multiply" and any(i is w for i in t.inputs)
        ]
        assert not scalings


@NEEDS_LLVM
def test_repeatable_plans_change_to_native_code_at_a_call_that_the_graph_decides(monkeypatch):
    monkeypatch.delenv("GRAPHNET_NATIVE", raising=False)
    x = gn.input((40,))
    before = gn.repeatable()
    try:
        graph = gn.Graph([x], gn.tanh(gn.exp(x * 0.5)).sum())
        plans = [graph.compile(), graph.compile()]
    finally:
        gn.repeatable(before)
    calls = takeover.calls_on_numpy(plans[0].graph)
    monkeypatch.setattr(plans[0]._takeover, "at", 20)
    seen = []
    for _ in range(22):
        plans[0](np.zeros(40, np.float32))
        seen.append(plans[0].backend)
    at = seen.index("native")
    assert at == 20 and set(seen[at:]) == {"native"}
    assert 16 <= calls <= 5000
    assert plans[1].backend == "numpy" and plans[1].wait().backend == "native"
