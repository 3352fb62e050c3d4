"""The first loop that somebody writes by hand: what would change nothing, or mean another thing, says so."""

import copy
import operator
import warnings

import numpy as np
import pytest

import graphnet as gn

IN_PLACE = ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor"]


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("trainable", [True, False])
def test_operators_in_place_do_not_leave_a_parameter_as_it_was_without_a_word(name, trainable):
    w = gn.Parameter([[1.0, 2.0], [3.0, 4.0]], name="weights", trainable=trainable)
    with pytest.raises(TypeError, match=r"= on the Parameter weights .* write w\.assign\(w .* value\)"):
        getattr(operator, name)(w, w.numpy())
    with gn.no_grad(), pytest.raises(TypeError, match="the parameter would stay as it is"):
        getattr(operator, name)(w, 2.0)
    np.testing.assert_array_equal(w.numpy(), [[1, 2], [3, 4]])


def test_the_loop_that_the_error_tells_to_write_learns():
    parameters = [gn.Parameter([1.0, -2.0], name="w"), gn.Parameter(3.0)]
    with pytest.raises(TypeError, match=r"-= on the Parameter float64\[\] "):
        for p in reversed(parameters):
            p -= 0.1
    for _ in range(2):
        loss = gn.sum(parameters[0] ** 2) + parameters[1] ** 2
        loss.backward()
        for p in parameters:
            p.assign(p - 0.25 * p.grad)
            p.grad = None
    np.testing.assert_allclose(parameters[0].numpy(), [0.25, -0.5])
    assert parameters[1].item() == 0.75


def test_a_parameter_on_the_right_is_added_in_place():
    w = gn.Parameter([1.0, 2.0])
    h = w * 2.0
    h += w
    np.testing.assert_array_equal(h.numpy(), [3, 6])
    a = np.ones(2)
    with pytest.raises(TypeError, match="-= on the Parameter"):
        gn.compile(lambda: operator.isub(w, 1.0))()
    np.testing.assert_array_equal((a + w).numpy(), [2, 3])


def test_the_grad_of_a_result_is_not_none_without_a_word():
    x = gn.tensor(2.0, requires_grad=True)
    y = x * x
    loss = y * 3.0
    loss.backward()
    with pytest.warns(UserWarning, match=r"the grad of a result \(multiply\) is None: backward leaves"):
        assert y.grad is None
    assert gn.gradients(y * 3.0, y).item() == 3.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.grad.item() == 12.0
        assert gn.Parameter(1.0).grad is None and gn.tensor(1.0).grad is None


def test_pictures_and_copies_of_results_do_not_warn_about_their_gradients():
    x = gn.tensor([2.0, 1.0], requires_grad=True)
    y = gn.sum(x * x)
    y.backward()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = gn.Graph([x], y)
        graph.draw(values=True)
        gn.viz.page(graph)
        copy.copy(y)
        repr(y)
        dir(y)
    assert not [w for w in caught if "the grad of" in str(w.message)]


@pytest.mark.parametrize(
    ("what", "wrong", "right"),
    [
        ("grad", lambda y: gn.grad(y), "gn.grad(f)(x), not gn.grad(f(x))"),
        ("grad", lambda y: gn.grad(y, [gn.Parameter(1.0)]), "gn.grad(f)(x), not gn.grad(f(x))"),
        ("value_and_grad", lambda y: gn.value_and_grad(y), "gn.value_and_grad(f)(x)"),
        ("elementwise_grad", lambda y: gn.elementwise_grad(y), "gn.elementwise_grad(f)(x)"),
        ("jacobian", lambda y: gn.jacobian(y), "gn.jacobian(f)(x)"),
        ("hessian", lambda y: gn.hessian(y), "gn.hessian(f)(x)"),
        ("hvp", lambda y: gn.hvp(y), "gn.hvp(f)(x, v)"),
        ("vjp", lambda y: gn.vjp(y, 1.0), "gn.vjp(f, x)"),
        ("jvp", lambda y: gn.jvp(y, (1.0,), (1.0,)), "gn.jvp(f, (x,), (v,))"),
        ("checkpoint", lambda y: gn.checkpoint(y), "gn.checkpoint(f)(x)"),
        ("custom_gradient", lambda y: gn.custom_gradient(y), "gn.custom_gradient(f)(x)"),
        ("scan", lambda y: gn.scan(y, 0.0, [1.0]), "gn.scan(f, init, xs)"),
        ("check_grads", lambda y: gn.check_grads(y, 1.0), "gn.check_grads(f, x)"),
    ],
)
def test_the_result_of_a_function_is_not_taken_for_the_function(what, wrong, right):
    with pytest.raises(TypeError) as error:
        wrong(gn.sin(1.0))
    assert f"gn.{what} takes a function; received Tensor: write " in str(error.value)
    assert right in str(error.value)


def test_the_profile_of_a_plan_says_which_arrays_it_takes():
    step = gn.compile(lambda batch: gn.sum(batch["x"] * batch["y"]))
    batch = {"x": np.ones(2), "y": np.ones((3, 2))}
    assert step(batch).item() == 6
    with pytest.raises(
        ValueError, match=r"2 arrays, one by one, .*x: float64\[2\], .*y: float64\[3, 2\]\); received 1"
    ):
        step.plan.profile(batch)
    assert step.plan.profile(*batch.values()).rows
