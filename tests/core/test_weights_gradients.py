"""Gradients for parameters that a function uses from outside, and functions of functions that say what they are."""

import inspect

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def network():
    nn.set_random_seed(0)
    return nn.Sequential([nn.Input((3,)), nn.Dense(4, "tanh"), nn.Dense(1)])


def loss_of(model):
    return lambda x, y: gn.mean((model(x) - y) ** 2)


def test_the_weights_of_a_model():
    model = network()
    loss, grads = gn.value_and_grad(loss_of(model), model.trainable_variables)(X, Y)
    want = loss_of(model)(X, Y)
    assert float(loss) == float(want) and not loss.requires_grad and not grads[0].requires_grad
    assert [g.shape for g in grads] == [w.shape for w in model.trainable_variables]
    for g, w in zip(grads, gn.gradients(want, model.trainable_variables), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6)
    assert all(w.grad is None for w in model.trainable_variables)


@pytest.mark.parametrize("kind", ["Adam", "Nadam", "Adamax", "RMSprop", "SGD", "Adagrad", "Lion", "Ftrl"])
def test_a_loop_of_ones_own_and_its_compiled_step_learn_alike(kind):
    losses = []
    for compiled in (False, True):
        model, optimizer = network(), getattr(nn.optimizers, kind)(0.05)
        both = gn.value_and_grad(loss_of(model), model.trainable_variables)

        def step(x, y, both=both, optimizer=optimizer, model=model):
            loss, grads = both(x, y)
            optimizer.apply(grads, model.trainable_variables)
            return loss

        run = gn.compile(step) if compiled else step
        losses.append([float(run(X, Y)) for _ in range(20)])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0] and int(optimizer.iterations) == 20


def test_an_optimizer_does_not_begin_anew_inside_of_a_compiled_step():
    optimizer = nn.optimizers.Adam()
    used, other = gn.Parameter(1.0), gn.Parameter(2.0)
    optimizer.apply([gn.tensor(1.0)], [used])
    optimizer.params = []
    with pytest.raises(RuntimeError, match=r"optimizer\.build\(parameters\)"):
        gn.trace(lambda g: optimizer.build([other]), gn.tensor(1.0))


@pytest.mark.parametrize("form", [lambda a, b: a, lambda a, b: (a, b), lambda a, b: {"a": a, "rest": [b]}])
def test_containers_of_parameters_are_answered_in_their_form(form):
    a, b = gn.Parameter(2.0), gn.Parameter([1.0, 3.0])
    grads = gn.grad(lambda x: gn.sum(a * a * b * x), form(a, b))(5.0)
    want = form(gn.tensor(80.0), gn.tensor([20.0, 20.0]))
    assert str(grads) == str(want)


def test_inside_of_other_derivatives_they_are_differentiated_again():
    w = gn.Parameter(3.0)
    assert gn.grad(lambda: gn.grad(lambda: w**3, w)() * w, w)() == 81  # of 3 w**3
    assert gn.grad(lambda x: gn.grad(lambda: w * w * x, w)() * x)(2.0) == 24  # of 2 w x**2
    assert gn.grad(lambda: gn.grad(lambda x: w * x * x)(2.0), w)() == 4
    assert gn.hessian(lambda x: x * gn.grad(lambda: w * w * x, w)())(2.0) == 12


def test_aux_no_grad_and_a_parameter_without_a_path():
    w, other = gn.Parameter(3.0), gn.Parameter(1.0)
    (y, aux), grads = gn.value_and_grad(lambda x: (w * x, {"x": w}), [w, other], has_aux=True)(2.0)
    assert (float(y), float(aux["x"]), [float(g) for g in grads]) == (6, 3, [2, 0])
    with gn.no_grad():
        assert gn.grad(lambda: w * w, w)() == 6
    with pytest.warns(UserWarning, match="does not depend on its argument"):
        assert gn.grad(lambda: w * w, other)() == 0


@pytest.mark.parametrize(
    "argnums, error, text",
    [
        (lambda: [gn.Parameter(1.0), 0], TypeError, "places of arguments, or Parameters alone"),
        (lambda: gn.tensor(1.0, requires_grad=True), TypeError, "Parameters alone"),
        (lambda: gn.Parameter(1.0, trainable=False, name="mean"), ValueError, "mean has trainable=False"),
    ],
)
def test_what_is_no_parameter_is_refused(argnums, error, text):
    with pytest.raises(error, match=text):
        gn.value_and_grad(lambda x: x, argnums())


def test_a_function_that_gives_several_numbers_or_none():
    w = gn.Parameter([1.0, 2.0])
    with pytest.raises(ValueError, match=r"number|gradient"):
        gn.grad(lambda: w * w, w)()
    with pytest.raises(TypeError, match="returned None"):
        gn.grad(lambda: None, w)()


def cube(x, scale=1.0):
    """x to the third."""
    return scale * x**3


def test_functions_of_functions_say_what_they_are():
    assert repr(gn.grad(cube)) == "<grad of cube>"
    assert repr(gn.value_and_grad(cube)) == "<value_and_grad of cube>"
    assert repr(gn.grad(gn.grad(cube))) == "<grad of <grad of cube>>"
    assert repr(gn.jacobian(cube)) == "<jacobian of cube>" and repr(gn.hessian(cube)) == "<hessian of cube>"
    assert repr(gn.elementwise_grad(gn.tanh)) == "<elementwise_grad of tanh>" and repr(gn.hvp(cube)) == "<hvp of cube>"
    slope = gn.grad(cube)
    assert slope.__name__ == "cube" and slope.__doc__ == cube.__doc__ and slope.__wrapped__ is cube
    assert list(inspect.signature(slope).parameters) == ["x", "scale"] and slope(2.0, scale=2.0) == 24


def test_they_are_methods_where_functions_are():
    class Curve:
        power = 2

        def value(self, x):
            return x**self.power

        slope = gn.grad(value, argnums=1)

    assert Curve().slope(3.0) == 6


@pytest.mark.parametrize("derivative", [gn.value_and_grad, gn.grad])
def test_weights_as_an_argument_that_is_not_used_say_what_to_write(derivative):
    model = gn.nn.Sequential([gn.nn.Input((2,)), gn.nn.Dense(1, name="last")])
    x = np.ones((3, 2), "float32")
    with pytest.warns(
        gn.ConstantWarning, match="uses from outside, as last/bias: .*name them, as in gn.value_and_grad"
    ):
        derivative(lambda weights, x: model(x).sum())(model.trainable_variables, x)
    with pytest.warns(gn.ConstantWarning) as seen:
        derivative(lambda x: gn.tensor(2.0))(1.0)
    assert "from outside" not in str(seen[0].message)
