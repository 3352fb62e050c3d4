"""`gn.scan`: a loop is one node, with the values and the gradients of the loop written out, also compiled."""

import threading

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.loops import body

RNG = np.random.default_rng(3)
W, X, H = RNG.standard_normal((3, 3)) * 0.5, RNG.standard_normal((5, 2, 3)), RNG.standard_normal((2, 3))


def looped(f, init, xs, reverse=False):
    """The loop written out."""
    carry, ys = init, [None] * len(xs)
    for t in range(len(xs) - 1, -1, -1) if reverse else range(len(xs)):
        carry, ys[t] = f(carry, xs[t])
    return carry, gn.stack(ys)


def cell(w):
    def step(h, x):
        h = gn.tanh(h @ w + x)
        return h, h * x

    return step


def loss(run, reverse=False):
    def f(w, x, h):
        last, ys = run(cell(w), h, x, reverse=reverse)
        return (last**2).sum() + (ys**3).sum()

    return f


def close(found, wanted, tolerance=1e-12):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients_are_those_of_the_loop_written_out(reverse):
    close(gn.scan(cell(W), gn.tensor(H), gn.tensor(X), reverse=reverse), looped(cell(W), H, X, reverse))
    found = gn.grad(loss(gn.scan, reverse), (0, 1, 2))(W, X, H)
    close(found, gn.grad(loss(looped, reverse), (0, 1, 2))(W, X, H))


def test_second_and_third_derivatives():
    def slopes(run):
        return gn.grad(lambda w, x, h: sum((g * g).sum() for g in gn.grad(loss(run), (0, 1, 2))(w, x, h)), (0, 1, 2))

    close(slopes(gn.scan)(W, X, H), slopes(looped)(W, X, H), 1e-10)

    def third(run):
        return gn.grad(lambda w: sum((g * g).sum() for g in slopes(run)(w, X[:2], H)))(W)

    close([third(gn.scan)], [third(looped)], 1e-9)
    gn.check_grads(lambda w, x, h: loss(gn.scan)(w, x, h), W, X[:3], H, order=2)


def test_forward_derivatives_and_hessian_products():
    def f(w):
        return loss(gn.scan)(w, X, H)

    def g(w):
        return loss(looped)(w, X, H)

    v = np.ones((3, 3))
    close(gn.jvp(f, (gn.tensor(W),), (v,)), gn.jvp(g, (gn.tensor(W),), (v,)))
    close([gn.hvp(f)(W, v)], [gn.hvp(g)(W, v)], 1e-10)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_compiled_values_and_gradients(backend):
    f = gn.compile(gn.grad(loss(gn.scan), (0, 1, 2)), backend=backend)
    wanted = gn.grad(loss(looped), (0, 1, 2))(W, X, H)
    for _ in range(4):
        close(f(gn.tensor(W), gn.tensor(X), gn.tensor(H)), wanted)
    f.plan.wait()
    close(f(gn.tensor(W), gn.tensor(X), gn.tensor(H)), wanted)


def test_the_graph_does_not_grow_with_the_steps():
    sizes = [
        len(gn.trace(gn.grad(loss(gn.scan)), gn.input((3, 3)), gn.input((n, 2, 3)), gn.input((2, 3))))
        for n in (2, 2000)
    ]
    assert sizes[0] == sizes[1]


def test_a_long_loop():
    p = gn.Parameter(np.float64(0.999))
    last, _ = gn.scan(lambda c, x: (c * p + x, None), gn.tensor(0.0), gn.zeros(3000, dtype="float64") + 1.0)
    last.backward()
    powers = 0.999 ** np.arange(3000)
    np.testing.assert_allclose(float(last), powers.sum(), rtol=1e-12)
    np.testing.assert_allclose(float(p.grad), (np.arange(1, 3000) * powers[:-1]).sum(), rtol=1e-10)


def test_nested_containers_several_carries_and_integer_rows():
    def step(carry, x):
        total = carry["total"] + gn.where(x["keep"], x["v"], 0.0)
        return {"total": total, "count": carry["count"] + 1.0}, (total, [x["v"] * x["n"]])

    xs = {"v": np.array([1.0, 2.0, 3.0]), "n": np.array([1, 2, 3]), "keep": np.array([True, False, True])}
    carry, (totals, [products]) = gn.scan(step, {"total": 0.0, "count": 0.0}, xs)
    assert (float(carry["total"]), float(carry["count"])) == (4.0, 3.0)
    assert totals.tolist() == [1.0, 1.0, 4.0] and products.tolist() == [1.0, 4.0, 9.0]


def test_without_rows_or_without_steps():
    last, ys = gn.scan(lambda c, _: (c * 2.0, c), gn.tensor(1.0), length=4)
    assert (float(last), ys.tolist()) == (16.0, [1.0, 2.0, 4.0, 8.0])
    last, ys = gn.scan(cell(W), gn.tensor(H), np.zeros((0, 2, 3)))
    np.testing.assert_array_equal(last.numpy(), H)
    assert ys.shape == (0, 2, 3)
    last, ys = gn.scan(cell(W), gn.zeros((0, 3), dtype="float64"), np.zeros((4, 0, 3)))
    assert last.shape == (0, 3) and ys.shape == (4, 0, 3)
    w = gn.tensor(W, requires_grad=True)
    (gn.scan(cell(w), gn.tensor(H[:0]), X[:, :0])[1].sum()).backward()
    assert not w.grad.numpy().any()


def test_what_the_step_computes_from_outside_alone_is_computed_once_outside():
    w = gn.Parameter(W)
    g = gn.trace(lambda x: gn.scan(lambda h, r: (gn.tanh(h @ gn.exp(w).T + r), None), gn.tensor(H), x)[0], X)
    names = [t.op.name for t in g.nodes if t.op is not None]
    assert names.count("exp") == 1 and names.count("scan") == 1
    close([g(X)], [looped(lambda h, r: (gn.tanh(h @ gn.exp(w).T + r), h), H, X)[0]])


def test_gradients_of_parameters_and_of_outer_derivatives():
    w = gn.Parameter(W)
    loss(gn.scan)(w, X, H).backward()
    close([w.grad], [gn.grad(loss(looped))(W, X, H)])

    def outer(a):
        inner = gn.grad(lambda b: gn.scan(lambda c, x: (c * a * b + x, None), gn.tensor(1.0), X[:, 0, 0])[0])
        return inner(a * 0.5)

    def written(a):
        def f(b):
            c = gn.tensor(1.0)
            for x in X[:, 0, 0]:
                c = c * a * b + x
            return c

        return gn.grad(f)(a * 0.5)

    close([gn.grad(outer)(0.7)], [gn.grad(written)(0.7)])


def test_a_loop_inside_a_loop():
    def inner(c, x):
        return gn.scan(lambda d, y: (gn.sin(d + y), None), c, x)[0], c

    def f(c, x):
        return gn.scan(inner, c, x)[0]

    def g(c, x):
        for row in x:
            for y in row:
                c = gn.sin(c + y)
        return c

    x = RNG.standard_normal((3, 4))
    close(gn.grad(f, (0, 1))(0.3, x), gn.grad(g, (0, 1))(0.3, x))


def test_float32_stays_and_nothing_is_kept_without_gradients():
    x, h, w = (a.astype("float32") for a in (X, H, W))
    last, ys = gn.scan(cell(w), gn.tensor(h), x)
    assert last.dtype == ys.dtype == np.float32
    g = gn.trace(lambda x: gn.no_grad()(lambda: gn.scan(cell(w), gn.tensor(h), x)[0])(), x)
    (node,) = [t for t in g.nodes if t.op is not None and t.op.name == "scan"]
    assert node.size == h.size + x.size


def test_a_gradient_where_none_was_expected_runs_the_loop_once_more():
    x, w = gn.input((5, 2, 3), "float64"), gn.input((3, 3), "float64")
    with gn.no_grad():
        y = gn.scan(cell(w), gn.tensor(H), x)[1].sum()
    found = gn.Graph([x, w], gn.gradients(y, [x, w]))(X, W)
    close(found, gn.grad(lambda x, w: looped(cell(w), H, x)[1].sum(), (0, 1))(X, W))


def test_zero_times_infinity_stays_zero():
    def step(c, x):
        return c + gn.where(gn.greater(x, 0.0), gn.sqrt(x), 0.0), None

    found = gn.grad(lambda x: gn.scan(step, gn.tensor(0.0), x)[0])(gn.tensor([0.0, 4.0]))
    assert found.tolist() == [0.0, 0.25]


def test_threads_take_turns():
    wanted = gn.grad(loss(gn.scan))(W, X, H).numpy()
    wrong = []

    def work():
        for _ in range(20):
            if not np.allclose(gn.grad(loss(gn.scan))(W, X, H).numpy(), wanted, rtol=1e-12):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_errors_say_what_does_not_fit():
    with pytest.raises(ValueError, match=r"carry 0 began as float64\[2, 3\], and the step gave float64\[2\]"):
        gn.scan(lambda c, x: (c.sum(1), None), gn.tensor(H), X)
    with pytest.raises(TypeError, match="carry 0 began as float64"):
        gn.scan(lambda c, x: (c.astype("float32"), None), gn.tensor(H), X)
    with pytest.raises(TypeError, match="floating-point numbers of one dtype"):
        gn.scan(lambda c, x: (c, x), gn.tensor(0.0), np.arange(3))
    with pytest.raises(ValueError, match="same number of rows"):
        gn.scan(lambda c, x: (c, None), gn.tensor(0.0), (np.zeros(3), np.zeros(4)))
    with pytest.raises(ValueError, match="length= says"):
        gn.scan(lambda c, x: (c, None), gn.tensor(0.0))
    with pytest.raises(TypeError, match="returns a pair"):
        gn.scan(lambda c, x: c, gn.tensor(0.0), np.zeros(3))
    p = gn.Parameter(1.0)
    with pytest.raises(ValueError, match="assigns a parameter"):
        gn.scan(lambda c, x: (c, p.assign(c)), gn.tensor(0.0), np.zeros(3))
    with pytest.raises(ValueError, match=r"matmul\(float64\[2, 3\], float64\[4, 3\]\)"):
        gn.scan(lambda c, x: (c @ np.ones((4, 3)), None), gn.tensor(H), X)


def test_the_sum_of_pieces_side_by_side_is_one_concatenation():
    def f(x):
        a, b, c = gn.split(x, 3, axis=1)
        return (gn.sin(a) * gn.cos(b) * c).sum()

    x = RNG.standard_normal((2, 6))
    g = gn.trace(gn.grad(f), x)
    plan = g.compile("numpy")
    names = [t.op.name for t in plan.graph.nodes if t.op is not None]
    assert names.count("concatenate") == 1 and "scatter_add" not in names
    np.testing.assert_allclose(plan(x).numpy(), g(x).numpy(), rtol=1e-14)


def test_an_update_that_is_a_product_does_not_read_the_old_value():
    p = gn.Parameter(np.full((3, 3), np.nan))
    gn.compile(lambda a, b: p.assign(a @ b), backend="numpy")(np.ones((3, 3)), np.ones((3, 3)))
    assert (p.numpy() == 3).all()


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.GaussianNoise(0.3)], ids=["Dropout", "GaussianNoise"])
def test_noise_in_a_step_draws_anew_and_is_one_body(layer):
    start, rows = gn.zeros((40,), dtype="float32"), gn.ones((3, 40), dtype="float32")

    def step(carry, x):
        carry = layer(carry + x, training=True)
        return carry, carry

    layer(start, training=True)
    gn.scan(step, start, rows)
    bodies = len(body._known)
    found = [gn.scan(step, start, rows)[0].numpy() for _ in range(4)]
    assert len(body._known) == bodies
    assert all(not np.array_equal(a, b) for n, a in enumerate(found) for b in found[:n])


def test_whole_numbers_of_outside_are_what_they_are_at_each_call():
    rows = np.arange(4.0)
    for key in (0, 7):
        noise = gn.random_normal(np.int64(key), (), "float64").item()
        found = gn.scan(lambda c, x, k=key: (c + x * gn.random_normal(np.int64(k), (), "float64"), c), 0.0, rows)
        assert found[0].item() == pytest.approx(6 * noise)
    for n in (2, 3):
        power = gn.tensor(n)
        assert gn.scan(lambda c, x, p=power: (c + x**p, None), 0.0, rows)[0].item() == (rows**n).sum()
        slope = gn.grad(lambda v, p=power: gn.scan(lambda c, x: (c + x**p, None), 0.0, v)[0])(rows)
        np.testing.assert_allclose(slope, n * rows ** (n - 1))
        assert gn.scan(lambda c, x, p=n: (c + x.astype("int64") * p, None), 0.0, rows)[0].item() == 6 * n
