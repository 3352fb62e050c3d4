"""Gradient rules of a user's that leave the graph: first derivatives are right, further ones right or an error."""

import math
import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

X = 0.7
SLOPE, CURVATURE = math.cos(X), -math.sin(X)
LEAVING = "own derivative would be lost.*gn.stop_gradient"


def _listed(g, y, x):
    return g * np.array([math.cos(float(v)) for v in np.ravel(np.asarray(x))]).reshape(x.shape)


#: what a rule may do, as `(g, y, x)`, and whether its second derivative is known
RULES = {
    "math": (lambda g, y, x: g * math.cos(x), False),
    "float": (lambda g, y, x: g * np.cos(float(x)), False),
    "item": (lambda g, y, x: g * np.cos(x.item()), False),
    "asarray": (lambda g, y, x: g * np.cos(np.asarray(x)), False),
    "numpy": (lambda g, y, x: g * np.cos(x.numpy() if isinstance(x, gn.Tensor) else x), False),
    "a list": (_listed, False),
    "the output": (lambda g, y, x: g * math.sqrt(1 - float(y) ** 2), False),
    "the gradient": (lambda g, y, x: float(g) * np.cos(np.asarray(x)), False),
    "tensors": (lambda g, y, x: g * gn.cos(x), True),
    "NumPy's functions": (lambda g, y, x: g * np.cos(x), True),
    "a condition": (lambda g, y, x: g * gn.cos(x) if x > 0 else g * gn.cos(x) * 1.0, True),
    "a detached number": (
        lambda g, y, x: g * gn.cos(x) * (1.0 if float(gn.stop_gradient(x)) > 0 else 2.0),
        True,
    ),
}


def _made(kind, name):
    rule, _ = RULES[name]
    if kind == "custom_gradient":

        @gn.custom_gradient
        def f(x):
            y = gn.sin(x)
            return y, lambda g: rule(g, y, x)

        return f

    def body(x):
        return np.sin(x)

    body.__name__ = f"sine_{kind}_{list(RULES).index(name)}"
    return gn.elementwise(vjp=(rule,))(body) if kind == "elementwise" else gn.op("()->()", vjp=(rule,))(body)


FUNCTIONS = {(kind, name): _made(kind, name) for kind in ("op", "elementwise", "custom_gradient") for name in RULES}
EACH = pytest.mark.parametrize(("kind", "name"), FUNCTIONS, ids=[f"{k}, {n}" for k, n in FUNCTIONS])


def _variable():
    return gn.tensor(X, requires_grad=True)


def _backward_twice(f):
    x = _variable()
    gn.gradients(f(x), x).backward()
    return x.grad


def _gradients_twice(f):
    x = _variable()
    return gn.gradients(gn.gradients(f(x), x), x)


def _of_a_pullback(f):
    x = _variable()
    return gn.gradients(gn.vjp(f, x)[1](1.0)[0], x)


def _of_a_jvp(f):
    x = _variable()
    return gn.gradients(gn.jvp(f, (x,), (1.0,))[1], x)


def _of_an_elementwise_grad(f):
    x = _variable()
    return gn.gradients(gn.elementwise_grad(f)(x), x)


def _of_a_checkpoint(f):
    x = _variable()
    return gn.gradients(gn.checkpoint(lambda z: gn.gradients(f(z), z))(x), x)


def _of_a_parameter(f):
    w = gn.Parameter(X)
    _, slope = gn.value_and_grad(lambda a: f(w) * a)(1.0), gn.gradients(f(w), w)
    return gn.gradients(slope, w)


SECOND = {
    "gradients": _gradients_twice,
    "backward": _backward_twice,
    "a pullback": _of_a_pullback,
    "a jvp": _of_a_jvp,
    "elementwise_grad": _of_an_elementwise_grad,
    "a checkpoint": _of_a_checkpoint,
    "a Parameter": _of_a_parameter,
    "grad": lambda f: gn.grad(gn.grad(f))(X),
    "hessian": lambda f: gn.hessian(f)(X),
    "hvp": lambda f: gn.hvp(f)(X, 1.0),
    "jacobian": lambda f: gn.jacobian(gn.grad(f))(X),
    "jvp of grad": lambda f: gn.jvp(gn.grad(f), (X,), (1.0,))[1],
}


@EACH
def test_the_first_derivative_is_right(kind, name):
    f = FUNCTIONS[kind, name]
    x = _variable()
    f(x).backward()
    assert x.grad.item() == pytest.approx(SLOPE)
    assert gn.gradients(f(x), x).item() == pytest.approx(SLOPE)
    assert gn.grad(f)(X).item() == pytest.approx(SLOPE)
    assert gn.vjp(f, x)[1](1.0)[0].item() == pytest.approx(SLOPE)
    if name != "the gradient":
        assert gn.jvp(f, (X,), (1.0,))[1].item() == pytest.approx(SLOPE)
    w = gn.Parameter(2.0)
    assert gn.grad(lambda v: f(v) * w)(X).item() == pytest.approx(2 * SLOPE)


@EACH
@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
def test_the_second_is_right_or_an_error(kind, name, second):
    f, known = FUNCTIONS[kind, name], RULES[name][1]
    if known:
        assert float(second(f)) == pytest.approx(CURVATURE)
    else:
        with pytest.raises(TypeError, match=r"gn\.stop_gradient\(x\) or x\.detach\(\)"):
            second(f)


def test_the_error_names_the_op_and_what_left():
    x = _variable()
    slope = gn.gradients(FUNCTIONS["op", "math"](x), x)
    with pytest.raises(TypeError, match=rf"the gradient of sine_op_0: float\(\) takes .*{LEAVING}"):
        gn.gradients(slope, x)
    # Nor is it the number of the first run in a graph.
    with pytest.raises(TypeError, match=LEAVING):
        gn.Graph([x], [slope])(0.3)
    # What does not go through the rule is as it was.
    assert gn.gradients(slope * 3.0 + x * x, x * 1.0).item() == 0
    other = gn.tensor(2.0, requires_grad=True)
    assert gn.gradients(slope * other, other).item() == pytest.approx(SLOPE)


def test_only_for_what_left():
    @gn.op("(),()->()", vjp=(lambda g, y, a, b: g * math.cos(a) * b, lambda g, y, a, b: g * gn.sin(a)))
    def sine_times(a, b):
        return np.sin(a) * b

    a, b = _variable(), gn.tensor(2.0, requires_grad=True)
    da, db = gn.gradients(sine_times(a, b), (a, b))
    assert gn.gradients(da, b).item() == pytest.approx(SLOPE)
    assert gn.gradients(db, a).item() == pytest.approx(SLOPE)
    with pytest.raises(TypeError, match=LEAVING):
        gn.gradients(da, a)


def test_what_a_rule_reads_from_outside():
    w = gn.Parameter(2.0)

    @gn.custom_gradient
    def scaled(x):
        return x * 2.0, lambda g: g * float(w)

    x = _variable()
    slope = gn.gradients(scaled(x) ** 2, x)
    assert slope.item() == pytest.approx(8 * X)
    with pytest.raises(TypeError, match=LEAVING):
        gn.gradients(slope, w)


def test_rules_that_are_constants():
    def twice(x):
        return 2.0 * x

    def three(x):
        return x + x + x

    def doubled(x):
        return 2.0 * x

    for f in (
        gn.elementwise(vjp=(lambda g, y, x: 2.0 * g,))(twice),
        gn.elementwise(vjp=(lambda g, y, x: np.full(3, 3.0),))(three),
        gn.op("(n)->(n)", vjp=(lambda g, y, x: g + g,))(doubled),
    ):
        x = gn.tensor([1.0, 2.0, 3.0], requires_grad=True)
        slope = gn.gradients(f(x), x, np.ones(3))
        factor = slope[0].item()
        assert gn.gradients(slope, x, np.ones(3)).tolist() == [0, 0, 0]
        if f is not three:
            # Linear: what depends on x is the gradient that comes from outside.
            assert np.allclose(gn.hessian(lambda v, f=f: (f(v) ** 3).sum())(np.ones(3)), np.eye(3) * 6 * factor**3) or (
                factor == 3.0  # this rule drops g
            )
        block = gn.checkpoint(lambda v, f=f: gn.gradients(f(v), v, np.ones(3)))
        assert gn.gradients(block(x), x, np.ones(3)).tolist() == [0, 0, 0]


def test_a_rule_that_remembers_what_the_body_computed():
    kept = {}

    def sine_kept(x):
        kept["cos"] = np.cos(x)
        return np.sin(x)

    f = gn.elementwise(vjp=(lambda g, y, x: g * kept["cos"],))(sine_kept)
    x = _variable()
    slope = gn.gradients(f(x), x)
    assert slope.item() == pytest.approx(SLOPE)
    assert gn.grad(f)(X).item() == pytest.approx(SLOPE)
    for second in SECOND.values():
        with pytest.raises(TypeError, match=f"by something that is no tensor.*{LEAVING}"):
            second(f)
    # In a graph it would be the gradient at another point.
    for graph in (lambda: gn.compile(f), lambda: lambda v: gn.scan(lambda c, _: (f(c), c), v, length=2)[0]):
        with pytest.raises(TypeError, match="by something that is no tensor"):
            gn.grad(graph())(X)


A = np.random.default_rng(0).normal(size=(3, 3))


@gn.custom_gradient
def remembering(x):
    values = np.asarray(x)
    slope = np.cos(values)
    return np.sin(values), lambda g: g * slope


@gn.custom_gradient
def forward_in_numpy(x):
    return np.sin(np.asarray(x)), lambda g: g * gn.cos(x)


@gn.custom_gradient
def linear(x):
    return A @ np.asarray(x), lambda g: A.T @ g


def test_a_custom_gradient_whose_function_is_in_numpy():
    x = _variable()
    for f in (remembering, forward_in_numpy):
        assert gn.grad(f)(X).item() == pytest.approx(SLOPE)
        assert gn.gradients(f(x), x).item() == pytest.approx(SLOPE)
    for second in SECOND.values():
        assert float(second(forward_in_numpy)) == pytest.approx(CURVATURE)
        with pytest.raises(TypeError, match=f"took an argument out of the graph.*{LEAVING}"):
            second(remembering)


def test_a_linear_function_in_numpy_has_no_curvature_of_its_own():
    def loss(x):
        return (linear(x) ** 2).sum()

    at = [1.0, 2.0, 3.0]
    np.testing.assert_allclose(gn.hessian(loss)(at), 2 * A.T @ A)
    np.testing.assert_allclose(gn.hvp(loss)(at, [1.0, 0.0, 0.0]), (2 * A.T @ A)[0])
    x = gn.tensor(at, requires_grad=True)
    slope = gn.gradients(loss(x), x)
    np.testing.assert_allclose([gn.gradients(slope[n], x) for n in range(3)], 2 * A.T @ A)


def test_rules_for_all_inputs_at_once():
    @gn.op("(),()->()", vjp=lambda place, g, y, *inputs: g * math.exp(inputs[1 - place]) * inputs[place])
    def lopsided(*inputs):
        return np.exp(inputs[0]) * inputs[1] * inputs[0] + 0 * inputs[1]

    a, b = _variable(), gn.tensor(2.0, requires_grad=True)
    da = gn.gradients(lopsided(a, b), a)
    assert da.item() == pytest.approx(math.exp(2.0) * X)
    assert gn.gradients(da, a).item() == pytest.approx(math.exp(2.0))
    with pytest.raises(TypeError, match=LEAVING):
        gn.gradients(da, b)


def test_fit_with_a_rule_in_numpy():
    def cubed(x):
        return x**3

    f = gn.elementwise(vjp=(lambda g, y, x: np.asarray(g) * 3 * np.asarray(x) ** 2,))(cubed)

    class Cubed(nn.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, x):
            return self.function(x)

    x = np.linspace(-1, 1, 24, dtype="f").reshape(8, 3)
    losses = []
    for function in (f, lambda x: x**3):
        nn.set_random_seed(3)
        model = nn.Sequential([nn.Input((3,)), nn.Dense(4), Cubed(function), nn.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            losses.append(model.fit(x, x[:, :1], epochs=3, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
