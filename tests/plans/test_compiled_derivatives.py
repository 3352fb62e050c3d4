"""A compiled function in a history: one node with a compiled gradient, of any order, as the function itself."""

import numpy as np
import pytest
from backends import each_backend

import graphnet as gn
from graphnet import nn

X = np.array([0.5, -1.0, 2.0])


def weights():
    w = gn.Parameter(np.linspace(-1.0, 1.0, 9).reshape(3, 3), name="w")
    return w, gn.Parameter([0.1, 0.2, 0.3], name="b")


def layered(w, b):
    return lambda x: gn.tanh(gn.tanh(x @ w + b) @ w) + x


def one(w, b):
    return lambda x: layered(w, b)(x).sum()


def several(w, b):
    def f(x):
        y = layered(w, b)(x)
        return {"y": y * 2.0, "rest": (y.sum(), (y > 0).sum(), gn.exp(x * b)), "w": w}

    return f


def mixed(w, b):
    return lambda x: ((x @ w).astype("float32"), gn.exp(x), (x * x).astype("float16"))


def total(result):
    leaves = result if isinstance(result, tuple) else [result]
    leaves = [result["y"], *result["rest"], result["w"]] if isinstance(result, dict) else leaves
    return sum((t.astype("float64") * t.astype("float64")).sum() for t in leaves if t.dtype.kind == "f")


FUNCTIONS = [one, several, mixed, layered]
each_function = pytest.mark.parametrize("make", FUNCTIONS, ids=lambda f: f.__name__)


def same(a, b, rtol=1e-9):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=rtol, atol=1e-12)


def tolerance(make):
    return 2e-3 if make is mixed else 1e-9


@each_backend
@each_function
def test_gradients_are_those_of_the_function(make, backend):
    w, b = weights()
    f = make(w, b)
    c = gn.compile(f, backend=backend)
    rtol = tolerance(make)
    for _ in range(2):
        for call in (f, c):
            w.grad = b.grad = None
            x = gn.tensor(X, requires_grad=True)
            total(call(x)).backward()
            found = (x.grad, w.grad, b.grad)
            if call is f:
                expected = found
        for a, e in zip(found, expected, strict=True):
            assert (a is None) == (e is None)
            if a is not None:
                same(a, e, rtol)
    # Without a gradient for x, and by functions.
    same(gn.gradients(total(c(X)), w), gn.gradients(total(f(gn.tensor(X))), w), rtol)
    same(gn.grad(lambda x: total(c(x)))(X), gn.grad(lambda x: total(f(x)))(X), rtol)


@each_backend
@each_function
def test_derivatives_of_higher_order(make, backend):
    w, b = weights()
    f, c = (lambda x, g=g: total(g(x)) for g in (make(w, b), gn.compile(make(w, b), backend=backend)))
    rtol = tolerance(make)
    same(gn.hessian(c)(X), gn.hessian(f)(X), rtol)
    same(gn.hvp(c)(X, [1.0, 2.0, 3.0]), gn.hvp(f)(X, [1.0, 2.0, 3.0]), rtol)
    same(gn.jvp(c, (X,), (X,))[1], gn.jvp(f, (X,), (X,))[1], rtol)
    third = [gn.grad(lambda x, g=g: (gn.grad(lambda y: gn.grad(g)(y).sum())(x) ** 2).sum())(X) for g in (c, f)]
    same(*third, rtol=max(rtol, 1e-8))
    # A gradient that is differentiated with respect to parameters.
    for p in (w, b):
        found = []
        for g in (c, f):
            x = gn.tensor(X, requires_grad=True)
            slope = gn.gradients(g(x), x)
            found.append(gn.gradients((slope * slope).sum(), p))
        same(*found, rtol)
    if make is not mixed:
        gn.check_grads(c, X, order=2)


def test_a_call_is_one_node_whose_inputs_are_what_is_read():
    w, b = weights()
    frozen = gn.Parameter([1.0, 1.0, 1.0], trainable=False, name="frozen")
    c = gn.compile(lambda x: layered(w, b)(x) * frozen)
    y = c(X)
    assert y.op.name == "compiled" and {t.name for t in y.inputs if isinstance(t, gn.Parameter)} == {"w", "b"}
    assert all(t.is_leaf for t in y.inputs) and y.site[0] == __file__
    with gn.no_grad():
        assert c(X).is_leaf
    assert gn.compile(lambda x: x * 2.0)(X).is_leaf
    assert gn.compile(lambda x: x > 0)(gn.tensor(X, requires_grad=True)).is_leaf
    # Of several results one node, of which they are parts.
    first, second = gn.compile(lambda x: (x @ w, x + b))(X)
    assert first.inputs[0].inputs[0] is second.inputs[0].inputs[0]
    # A symbolic argument, and a trace, take the function's own nodes.
    assert len(gn.Graph([s := gn.input((3,), "float64")], c(s))) > 8
    assert len(gn.trace(lambda x: c(x) * 2.0, X)) > 8


def test_a_parameter_that_changed_is_not_read_by_the_gradient():
    w, b = weights()
    c = gn.compile(lambda x: (x @ w).sum())
    loss = c(gn.tensor(X, requires_grad=True))
    w.assign(w * 2.0)
    with pytest.raises(RuntimeError, match="'w' was changed after compiled"):
        loss.backward()
    # What does not learn is kept as it was.
    frozen = gn.Parameter([1.0, 2.0, 3.0], trainable=False)
    x = gn.tensor(X, requires_grad=True)
    y = gn.compile(lambda x: (x * frozen * b).sum())(x)
    frozen.assign([7.0, 7.0, 7.0])
    np.testing.assert_allclose(gn.gradients(y, x).numpy(), [0.1, 0.4, 0.9])


def test_the_callers_array_can_be_written_to_afterwards():
    w, _ = weights()
    c = gn.compile(lambda x: (gn.exp(x) * x @ w).sum())
    x = X.copy()
    loss = c(x)
    x[:] = 9.0
    expected = gn.gradients((gn.exp(gn.tensor(X)) * gn.tensor(X) @ w).sum(), w)
    same(gn.gradients(loss, w), expected)


@each_backend
def test_updates_inside_are_made_and_gradients_read_what_was_there_before(backend):
    moving = gn.Parameter([1.0, 2.0, 3.0], trainable=False)
    _, b = weights()

    def f(x):
        y = x * moving * b
        moving.assign(moving * 0.5 + x * 0.5)
        return y.sum()

    c = gn.compile(f, backend=backend)
    for _ in range(3):
        before = moving.numpy().copy()
        x = gn.tensor(X, requires_grad=True)
        loss = c(x)
        np.testing.assert_allclose(moving.numpy(), before * 0.5 + X * 0.5)
        slopes = gn.gradients(loss, [x, b])
        np.testing.assert_allclose(slopes[0].numpy(), before * b.numpy())
        np.testing.assert_allclose(slopes[1].numpy(), before * X)

    # Of what learns, the value from before is gone: refused, as where the function is called itself.
    def step(x):
        loss = (x * b).sum()
        b.assign(b - 0.1 * gn.gradients(loss, b))
        return loss

    for call in (step, gn.compile(step, backend=backend)):
        x = gn.tensor(X, requires_grad=True)
        loss = call(x)
        with pytest.raises(RuntimeError, match="'b' was changed after"):
            gn.gradients(loss, x)


def test_a_plan_joins_the_history_of_its_arguments_as_a_graph_does():
    w, b = weights()
    graph = gn.trace(one(w, b), X)
    plan = graph.compile(backend="numpy")
    x = gn.tensor(X, requires_grad=True)
    same(gn.gradients(plan(x), x), gn.gradients(graph(x), x))
    # In a trace it is part of it, and reads parameters when that runs.
    outer = gn.compile(lambda a: plan(a) * 2.0)
    before = outer(X).item()
    w.assign(w * 0.5)
    assert outer(X).item() == pytest.approx(2 * graph(X).item()) and outer(X).item() != before


def test_layers_losses_and_optimizers_around_a_compiled_model():
    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, activation="tanh"), nn.BatchNormalization(), nn.Dense(1)])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)).astype("f"), rng.normal(size=(16, 1)).astype("f")
    start = model.get_weights()

    def run(call):
        model.set_weights(start)
        optimizer, losses = nn.optimizers.Adam(0.05), []
        for _ in range(5):
            loss = gn.mean(gn.square(call(gn.tensor(x)) - y))
            losses.append(loss.item())
            optimizer.apply(gn.gradients(loss, model.trainable_weights), model.trainable_weights)
        return losses, model.get_weights()

    found = run(gn.compile(lambda t: model(t, training=True)))
    expected = run(lambda t: model(t, training=True))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    for a, e in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-4)


def test_a_compiled_function_in_loops_and_checkpoints():
    w, b = weights()
    f = layered(w, b)
    c = gn.compile(f)
    for wrap in (gn.checkpoint, lambda g: lambda x: gn.scan(lambda s, _: (g(s), None), x, length=2)[0]):
        found, expected = (gn.grad(lambda x, g=g: g(x).sum())(X) for g in (wrap(c), wrap(f)))
        same(found, expected)


def test_memory_is_free_as_soon_as_the_result_is():
    import gc
    import weakref

    w, b = weights()
    c = gn.compile(one(w, b), backend="numpy")
    gc.collect()
    gc.disable()
    try:
        y = c(X)
        node = weakref.ref(y.inputs[-1]._value)
        y.backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def from_outside():
    """Variables that a compiled function can read besides its argument: leaves, what was made of them, parameters."""
    a = gn.tensor([2.0, 3.0, -1.0], requires_grad=True)
    p = gn.Parameter([0.5, 0.25, 4.0], name="p")
    made = gn.exp(a * 0.5)
    return {
        "a leaf": (lambda x: (x * a * a).sum(), [a]),
        "made of a leaf": (lambda x: (x * made).sum(), [a]),
        "a leaf and a parameter": (lambda x: (gn.tanh(x * p) * a).sum(), [a, p]),
        "alone": (lambda x: (a * a * a).sum(), [a]),
        "several outputs": (lambda x: ((x * a).sum(), gn.argmax(x), a * p), [a, p]),
    }


def summed(result):
    leaves = result if isinstance(result, tuple) else [result]
    return sum(t.sum() for t in leaves if t.dtype.kind == "f")


@each_backend
@pytest.mark.parametrize("name", from_outside())
def test_variables_from_outside_have_their_gradient(name, backend):
    f, variables = from_outside()[name]
    g = gn.compile(f, backend=backend)
    for x in (X, gn.tensor(X, requires_grad=True)):
        own = [x] if isinstance(x, gn.Tensor) else []
        for _ in range(2):
            found = gn.gradients(summed(g(x)), [*own, *variables])
            right = gn.gradients(summed(f(gn.tensor(x))), [*own, *variables])
            for h, want in zip(found, right, strict=True):
                np.testing.assert_allclose(h.numpy(), want.numpy(), rtol=1e-12)
    second = gn.gradients(gn.gradients(summed(g(X)), variables[0]).sum(), variables[0])
    want = gn.gradients(gn.gradients(summed(f(gn.tensor(X))), variables[0]).sum(), variables[0])
    np.testing.assert_allclose(second.numpy(), want.numpy(), rtol=1e-12)
    variables[0].grad = None
    summed(g(X)).backward()
    right = gn.gradients(summed(f(gn.tensor(X))), variables[0])
    np.testing.assert_allclose(variables[0].grad.numpy(), right.numpy(), rtol=1e-12)
    plan = gn.trace(f, X).compile(backend=backend)
    x = gn.tensor(X, requires_grad=True)
    h = gn.gradients(summed(plan(x)), variables[0])
    np.testing.assert_allclose(h.numpy(), right.numpy(), rtol=1e-12)
    with gn.no_grad():
        assert not summed(g(X)).requires_grad


@each_backend
def test_a_result_that_depends_on_nothing_has_no_history(backend):
    constant = gn.compile(lambda x: gn.ones((2,)).sum() * 3.0, backend=backend)
    assert not constant(gn.tensor(X, requires_grad=True)).requires_grad
    with pytest.warns(gn.ConstantWarning):
        assert not gn.grad(constant)(X).numpy().any()
    flat = gn.compile(lambda x: gn.floor(x).sum(), backend=backend)
    assert not gn.grad(flat)(X).numpy().any()


def test_gradients_of_what_keeps_no_history_warn():
    w = gn.Parameter(X)
    graph = gn.trace(lambda x: (x * w).sum(), X)
    for run in (graph, graph.compile(backend="numpy"), lambda x: gn.tensor(x).sum()):
        with pytest.warns(gn.ConstantWarning, match="keeps no history") as seen:
            assert not gn.gradients(run(X), w).numpy().any()
        assert seen[0].filename == __file__
    other = gn.Parameter(1.0)
    assert gn.gradients((w * w).sum(), [w, other])[1].item() == 0.0


def test_the_derivative_at_a_plain_number_keeps_no_history():
    for f in (lambda a: a * a, lambda a: gn.scan(lambda c, x: (c * a, None), gn.tensor(1.0), None, length=3)[0]):
        value, slope = gn.compile(gn.value_and_grad(f))(2.0)
        assert not value.requires_grad and not slope.requires_grad
        second = gn.compile(gn.grad(gn.grad(f)))(2.0)
        assert not second.requires_grad
