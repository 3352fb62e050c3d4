"""`no_grad` means the same however a function runs: eagerly, as a graph, compiled, in a loop or a checkpoint."""

import numpy as np
import pytest

import graphnet as gn

A = np.array([1.0, 2.0, 3.0])


def partly(x):
    with gn.no_grad():
        scale = gn.sin(x * x).sum() * x
    return (scale * x.sum() + gn.exp(x)).sum()


#: the gradient of `partly`, by hand: `scale` is a constant
SLOPE = np.full(3, np.sum(np.sin(A * A)) * A.sum()) + np.exp(A)


def decorated(x):
    @gn.no_grad()
    def scale(y):
        return gn.sin(y * y).sum() * y

    return (scale(x) * x.sum() + gn.exp(x)).sum()


def backend(name):
    if name == "native":
        pytest.importorskip("llvmlite")
    return name


WAYS = {
    "eager": gn.grad,
    "gradient compiled": lambda f: gn.compile(gn.grad(f), backend="numpy"),
    "of compiled": lambda f: gn.grad(gn.compile(f, backend="numpy")),
    "native": lambda f: gn.grad(gn.compile(f, backend=backend("native"))),
    "gradient traced": lambda f: gn.trace(gn.grad(f), A),
    "of a graph": lambda f: gn.grad(gn.trace(f, A)),
    "of a simplified graph": lambda f: gn.grad(gn.trace(f, A).simplify()),
    "gradient of a graph": lambda f: lambda a: gn.trace(f, A).gradient("x")(a),
    "of a plan": lambda f: gn.grad(gn.trace(f, A).compile()),
    "checkpoint": lambda f: gn.grad(gn.checkpoint(f)),
    "compiled checkpoint": lambda f: gn.grad(gn.compile(gn.checkpoint(f), backend="numpy")),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("f", [partly, decorated])
def test_no_gradient_flows_through_what_it_gives(way, f):
    np.testing.assert_allclose(way(f)(A).numpy(), SLOPE, rtol=1e-12)


def test_higher_orders():
    expected = gn.hessian(partly)(A).numpy()
    # d2/dx2 of sum(scale) * sum(x) + sum(exp(x)), where the first slope holds scale: it varies no more.
    np.testing.assert_allclose(expected, np.diag(np.exp(A)), rtol=1e-12)
    np.testing.assert_allclose(gn.compile(gn.hessian(partly), backend="numpy")(A).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(gn.hessian(gn.compile(partly, backend="numpy"))(A).numpy(), expected, rtol=1e-12)
    _, tangent = gn.compile(lambda x: gn.jvp(partly, (x,), (A,)), backend="numpy")(A)
    np.testing.assert_allclose(tangent.item(), SLOPE @ A, rtol=1e-12)


def test_in_the_step_of_a_loop():
    def looped(x):
        carry, total = x, 0.0
        for _ in range(3):
            with gn.no_grad():
                carry = gn.sin(carry) * x
            total = total + (carry * x).sum()
        return total

    def scanned(x):
        def step(carry, _):
            with gn.no_grad():
                carry = gn.sin(carry) * x
            return carry, carry * x

        return gn.scan(step, x, np.zeros(3))[1].sum()

    expected = gn.grad(looped)(A).numpy()
    for way in (gn.grad(scanned), gn.compile(gn.grad(scanned)), gn.grad(gn.compile(scanned))):
        np.testing.assert_allclose(way(A).numpy(), expected, rtol=1e-12)

    def around(x):
        with gn.no_grad():
            end, _ = gn.scan(lambda c, t: (gn.sin(c) * x, c), x, np.zeros(2))
        return (end * x).sum()

    expected = np.sin(np.sin(A) * A) * A
    for way in (gn.grad(around), gn.compile(gn.grad(around)), gn.grad(gn.compile(around))):
        np.testing.assert_allclose(way(A).numpy(), expected, rtol=1e-12)


def test_what_is_called_in_it_keeps_no_history():
    w = gn.Parameter(A)
    t = gn.tensor(A, requires_grad=True)
    narrow = gn.tensor(A.astype("float32"), requires_grad=True)
    compiled = gn.compile(lambda x: x * w, backend="numpy")
    graph = gn.trace(lambda x: x * w, A)
    plan = graph.compile()
    assert compiled(t).requires_grad and plan(t).requires_grad and graph(t).requires_grad
    with gn.no_grad():
        for call in (compiled, graph, plan, gn.checkpoint(lambda x: x * w)):
            for x in (t, narrow, A):
                y = call(x)
                assert not y.requires_grad and y.op is None and y.tolist() == [1, 4, 9]


DERIVATIVES = {
    "grad": lambda x: gn.grad(lambda v: (v**3).sum())(x),
    "jacobian": lambda x: gn.jacobian(lambda v: v**3)(x),
    "hessian": lambda x: gn.hessian(lambda v: (v**3).sum())(x),
    "hvp": lambda x: gn.hvp(lambda v: (v**3).sum())(x, np.ones(3)),
    "jvp": lambda x: gn.jvp(lambda v: v**3, (x,), (np.ones(3),))[1],
    "vjp": lambda x: gn.vjp(lambda v: v**3, x)[1](np.ones(3))[0],
    "checkpoint": lambda x: gn.grad(gn.checkpoint(lambda v: (v**3).sum()))(x),
    "loop": lambda x: gn.grad(lambda v: gn.scan(lambda c, r: (c * r, None), v[0], v)[0])(x),
    "of its own": lambda x: gn.grad(gn.custom_gradient(lambda v: ((v**3).sum(), lambda g: g * 3 * v * v)))(x),
    "of what is quiet": lambda x: gn.grad(lambda v: (v**3).sum())(x * 2),
}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_derivatives_inside_are_taken_and_pass_no_gradient_on(derivative):
    def f(x):
        with gn.no_grad():
            slopes = derivative(x)
        return (slopes * x).sum()

    known = derivative(gn.tensor(A)).numpy()
    assert known.any()
    value = (known * A).sum()
    slope = known.reshape(-1, 3).sum(0)
    for way in (lambda f: f, lambda f: gn.trace(f, A), lambda f: gn.compile(f, backend="numpy")):
        np.testing.assert_allclose(way(f)(A).item(), value, rtol=1e-12)
        np.testing.assert_allclose(gn.grad(way(f))(A).numpy(), slope, rtol=1e-12)


def test_a_step_with_updates():
    def trained(wrap):
        w = gn.Parameter(A)

        def step(x):
            with gn.no_grad():
                middle = (w * x).mean()
            loss = ((w * x - middle) ** 2).sum()
            with gn.no_grad():
                w.assign(w - 0.01 * gn.gradients(loss, w))
            return loss

        step = wrap(step)
        return [step(A).item() for _ in range(3)], w.tolist()

    losses, weights = trained(lambda f: f)
    # The middle is a constant of the gradient: 2 x (w x - m).
    w = A.copy()
    for loss in losses:
        away = w * A - (w * A).mean()
        assert np.isclose(loss, np.sum(away**2))
        w -= 0.01 * 2 * A * away
    np.testing.assert_allclose(weights, w)
    found, after = trained(lambda f: gn.compile(f, backend="numpy"))
    np.testing.assert_allclose(found, losses)
    np.testing.assert_allclose(after, weights)


def test_graphs_built_from_inputs_keep_their_history():
    x = gn.input((3,), "float64", name="x")
    with gn.no_grad():
        y = (x * x).sum()
    assert gn.Graph([x], y).gradient("x")(A).tolist() == [2, 4, 6]
