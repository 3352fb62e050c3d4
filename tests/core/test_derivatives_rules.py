"""Derivatives: what they start from, places of arguments, histories that are kept or not, and every error."""

import re
import warnings

import numpy as np
import pytest

import graphnet as gn

X = np.array([1.0, 2.0, 3.0])


def raises(kind, text, call):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def a(values, dtype=None):
    return gn.tensor(values, dtype=dtype, requires_grad=True)


def total(x):
    return (x * x).sum()


def quiet(f):
    with gn.no_grad():
        return f()


# What a gradient starts from


def test_an_output_of_one_number_in_any_shape_needs_no_gradient():
    for shape in ((), (1,), (1, 1)):
        x = a(np.full(shape, 3.0))
        (x * x).backward()
        assert x.grad.shape == shape and x.grad.numpy().ravel().tolist() == [6.0]
        assert gn.gradients(x * x, x).shape == shape
    raises(
        ValueError,
        "backward: the output has shape (3,); a gradient starts from one number: "
        "reduce the output (.sum(), .mean()) or give its gradient",
        lambda: a(X).exp().backward(),
    )
    raises(
        ValueError,
        "gradients: the output has shape (0,); a gradient starts from one number: "
        "reduce the output (.sum(), .mean()) or give its gradient",
        lambda: gn.gradients((x := a(np.zeros(0))) * 2.0, x),
    )


def test_a_gradient_has_the_shape_of_its_output_and_gets_its_dtype():
    x = a([1.0, 2.0], "float32")
    y = x * 3.0
    for g in ([1.0, 10.0], np.array([1.0, 10.0]), gn.tensor([1, 10]), gn.tensor([1.0, 10.0], dtype="float32")):
        x.grad = None
        y.backward(g)
        assert x.grad.dtype == np.float32 and x.grad.tolist() == [3.0, 30.0]
        found = gn.gradients(y, x, g)
        assert found.dtype == np.float32 and found.tolist() == [3.0, 30.0]
    raises(
        ValueError,
        "backward: the output has shape (2,), its gradient (2, 1): they must be the same",
        lambda: y.backward([[1.0], [1.0]]),
    )
    raises(
        ValueError,
        "gradients: the output has shape (2,), its gradient (1,): they must be the same",
        lambda: gn.gradients(y, x, [1.0]),
    )
    wide = a([1.0, 2.0])
    for z, g in ((wide * 3.0, gn.tensor([1.0, 2.0], dtype="float32")), (y, np.array([1.0, 2.0]))):
        assert gn.gradients(z, z, g).dtype == z.dtype and quiet(lambda z=z, g=g: gn.gradients(z, z, g)).dtype == z.dtype
    # A gradient of another dtype stays part of a graph.
    g = a([1.0, 10.0])
    gn.gradients(y, x, g).sum().backward()
    assert g.grad.dtype == np.float64 and g.grad.tolist() == [3.0, 3.0]


def test_numbers_that_are_not_floating_point():
    n = gn.tensor([1, 2])
    raises(
        TypeError,
        "backward: a gradient is taken of floating-point numbers; received int64[2]: use float32 or float64",
        lambda: n.backward([1, 1]),
    )
    with pytest.raises(TypeError, match=r"received bool\[2\]: use float32 or float64$"):
        gn.tensor([True, False]).backward([1, 1])
    z = a([1.0, 2.0]) * 1j
    raises(
        TypeError,
        "backward: a gradient is taken of floating-point numbers; received complex128[2]: "
        "take gn.real, gn.imag or gn.abs of them",
        lambda: z.backward([1, 1]),
    )
    with pytest.raises(TypeError, match=r"^gradients: a gradient is taken of floating-point numbers; received int64"):
        gn.gradients(a(2.0) * 1.0, n)


def test_backward_of_nothing():
    raises(
        ValueError,
        "backward: the output depends on nothing that needs a gradient: "
        "use a Parameter or requires_grad=True, outside of no_grad",
        lambda: gn.tensor(1.0).backward(),
    )
    raises(
        ValueError,
        "backward: the output is symbolic; build its gradient with graphnet.gradients(y, xs)",
        lambda: (gn.input((), name="x") * 2.0).backward(),
    )


def test_backward_fills_leaves_alone():
    x, w = a(X), gn.Parameter(X)
    h = x * w
    unused = a(1.0)
    y = h.sum() + gn.stop_gradient(unused) + gn.floor(unused)
    y.backward()
    assert x.grad.tolist() == w.grad.tolist() == [1.0, 2.0, 3.0]
    # A leaf to which no gradient came, although it needs one, has zeros.
    assert unused.grad is None or unused.grad.item() == 0.0
    first = x.grad
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0] and first.tolist() == [1.0, 2.0, 3.0] and not x.grad.requires_grad
    v = a(5.0)
    v.backward()
    assert v.grad.item() == 1.0
    v.backward(3.0)
    assert v.grad.item() == 4.0


def test_the_gradient_is_not_the_array_that_was_given():
    x, g = a(X), np.ones(3)
    y = gn.identity(x)
    y.backward(g)
    g[:] = 7.0
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
    w = a(X)
    w.backward(gn.tensor(X))
    w.grad = None
    assert w.tolist() == X.tolist()


# gradients


def test_gradients_add_up_over_outputs():
    x = a(2.0)
    y, z = x * x, x * 3.0
    assert gn.gradients([y, z], x).item() == 7.0
    assert gn.gradients([y, y], x).item() == 8.0
    assert gn.gradients([y, y, z], x, [1.0, 10.0, 100.0]).item() == 44.0 + 300.0
    assert gn.gradients({"y": y, "z": z}, x, {"z": 10.0, "y": 1.0}).item() == 34.0
    assert gn.gradients((y, [z, y]), x, (None, [2.0, 1.0])).item() == 4.0 + 6.0 + 4.0
    assert gn.gradients([y, z], x, [None, None]).item() == 7.0
    assert gn.gradients([(y, z), y], x, [None, 0.5]).item() == 7.0 + 2.0
    assert quiet(lambda: gn.gradients([y, y], x)).item() == 8.0
    raises(
        ValueError,
        "gradients: 2 outputs but 1 gradients of outputs",
        lambda: gn.gradients([y, z], x, [1.0]),
    )
    raises(
        ValueError,
        "gradients: 1 outputs but 2 gradients of outputs",
        lambda: gn.gradients([y], x, [1.0, 2.0]),
    )
    with pytest.raises((ValueError, TypeError), match=r"gradients: grad_ys\[1\]"):
        gn.gradients([y, (z, z)], x, [1.0, (1.0,)])
    with pytest.raises((ValueError, TypeError), match=r"gradients: grad_ys"):
        gn.gradients({"y": y}, x, {"z": 1.0})


def test_gradients_have_the_form_of_what_they_are_of():
    x, w = a(2.0), gn.Parameter([1.0, 3.0])
    y = (x * w * w).sum()
    found = gn.gradients(y, {"x": x, "rest": [w, (x,)]})
    assert found["x"].item() == 10.0 and found["rest"][0].tolist() == [4.0, 12.0] and found["rest"][1][0].item() == 10.0
    assert gn.gradients(y, []) == [] and gn.gradients(y, ()) == ()


def test_gradients_say_what_they_are_not_of():
    x = a(2.0)
    raises(TypeError, "gradients: xs are tensors; received float", lambda: gn.gradients(x * x, [x, 2.0]))
    raises(TypeError, "gradients: ys are tensors; received float", lambda: gn.gradients([x * x, 2.0], x))
    plain = gn.tensor([1.0, 2.0])
    text = "keeps no history: use a Parameter, an input or requires_grad=True"
    raises(ValueError, f"gradients: float64[2] {text}", lambda: gn.gradients(x * x, plain))
    named = gn.tensor([1.0, 2.0], name="data")
    raises(ValueError, f"gradients: data {text}", lambda: gn.gradients(x * x, named))


def warned(f):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = f()
    return found, [str(w.message) for w in caught if w.category is gn.ConstantWarning]


def test_gradients_of_what_has_no_history_are_zeros_with_a_warning():
    x = a([2.0, 3.0], "float32")
    for y in (gn.tensor(1.0), quiet(lambda: x.sum())):
        found, texts = warned(lambda y=y: gn.gradients(y, x))
        assert found.dtype == np.float32 and found.tolist() == [0.0, 0.0] and len(texts) == 1
        assert texts[0].startswith("gradients: the output keeps no history")
    other = a(1.0)
    for ys in (other * 2.0, [other * 2.0, gn.tensor(1.0)], gn.input((), "float64", name="s")):
        found, texts = warned(lambda ys=ys: gn.gradients(ys, x))
        assert found.tolist() == [0.0, 0.0] and texts == []
    assert warned(lambda: gn.gradients(gn.tensor(1.0), []))[1] == []


def test_gradients_can_be_differentiated_where_recording():
    x = a(3.0)
    y = x * x * x
    first = gn.gradients(y, x)
    assert first.requires_grad and gn.gradients(first, x).item() == 18.0
    plain = quiet(lambda: gn.gradients(y, x))
    assert not plain.requires_grad and plain.op is None and plain.item() == 27.0
    s = gn.input((), "float64", name="s")
    for g in (quiet(lambda: gn.gradients(s * s, s)), quiet(lambda: gn.gradients(y, x, s)), gn.gradients(s * s, s)):
        assert g.is_symbolic


# Functions and their arguments

DERIVATIVES = {
    "grad": (gn.grad, 0),
    "value_and_grad": (gn.value_and_grad, 1),
    "elementwise_grad": (gn.elementwise_grad, 0),
    "jacobian": (gn.jacobian, 0),
}


def slope(name, found):
    return found[1] if name == "value_and_grad" else found


@pytest.mark.parametrize("name", DERIVATIVES)
def test_arguments_are_counted_from_both_ends(name):
    of = DERIVATIVES[name][0]

    def f(x, y, z=1.0):
        return x * y * y * z

    assert slope(name, of(f)(2.0, 3.0)).item() == 9.0
    assert slope(name, of(f, 1)(2.0, 3.0)).item() == slope(name, of(f, -1)(2.0, 3.0)).item() == 12.0
    assert slope(name, of(f, -2)(2.0, 3.0, z=2.0)).item() == 18.0
    for places in ((1, 0), [1, -2], np.array([1, 0]), range(1, -1, -1)):
        found = slope(name, of(f, places)(2.0, 3.0))
        assert isinstance(found, tuple) and [t.item() for t in found] == [12.0, 9.0]
    assert slope(name, of(f, (0,))(2.0, 3.0))[0].item() == 9.0
    for wrong in (2, -3, 5, -6, (0, 2)):
        raises(
            ValueError,
            f"{name}: argnums is {wrong}, but the function received 2 arguments by place",
            lambda wrong=wrong: of(f, wrong)(2.0, 3.0),
        )
    raises(
        ValueError,
        f"{name}: argnums is (0, -2), which names an argument twice",
        lambda: of(f, (0, -2))(2.0, 3.0),
    )
    head = f"{name}: argnums is the place of an argument, or a tuple of places; received "
    raises(TypeError, head + "True", lambda: of(f, True)(2.0, 3.0))
    raises(TypeError, head + "0, 1.5", lambda: of(f, (0, 1.5))(2.0, 3.0))
    raises(TypeError, head + "None", lambda: of(f, None)(2.0, 3.0))
    with pytest.raises(ValueError, match="received 1 argument by place"):
        of(f, 1)(2.0, y=3.0)
    with pytest.raises(ValueError, match="received 0 arguments by place"):
        of(f)(x=2.0, y=3.0)


def test_arguments_that_are_not_floating_point():
    head = "grad: a derivative is taken with respect to floating-point numbers; received "
    raises(TypeError, head + "int64[] (write 3.0): use float32 or float64", lambda: gn.grad(total)(3))
    raises(TypeError, head + "int64[2]: use float32 or float64", lambda: gn.grad(total)(np.array([1, 2])))
    raises(TypeError, head + "complex128[]: use float32 or float64", lambda: gn.grad(total)(1j))
    with pytest.raises(TypeError) as caught:
        gn.grad(lambda p: p["a"][1].sum())({"a": [X, np.array([1, 2])]})
    where = r".*argument.*\['a'\]\[1\]: use float32 or float64"
    assert re.fullmatch(re.escape(head + "int64[2] in ") + where, str(caught.value))
    with pytest.raises(TypeError, match=r"in .*arguments.*: use float32"):
        gn.grad(lambda x, y: x * y, (0, 1))(1.0, 2)
    with pytest.raises(TypeError, match=r"^grad: .*in .*argument.*\[1\]$"):
        gn.grad(lambda p: p[0])([X, "x"])


def test_the_array_of_an_argument_is_copied():
    x = np.array([1.0, 2.0])
    y, pullback = gn.vjp(lambda v: v * v, x)
    x[:] = 100.0
    assert y.tolist() == [1.0, 4.0] and pullback([1.0, 1.0])[0].tolist() == [2.0, 4.0]


def test_histories_are_kept_only_where_something_outside_asks():
    w, plain = gn.Parameter(3.0), gn.tensor(2.0)
    calls = {
        "grad": lambda f, x: gn.grad(f)(x),
        "value": lambda f, x: gn.value_and_grad(f)(x)[0],
        "value_and_grad": lambda f, x: gn.value_and_grad(f)(x)[1],
        "elementwise_grad": lambda f, x: gn.elementwise_grad(f)(x),
        "jacobian": lambda f, x: gn.jacobian(f)(x),
        "hessian": lambda f, x: gn.hessian(f)(x),
        "hvp": lambda f, x: gn.hvp(f)(x, 1.0),
        "vjp value": lambda f, x: gn.vjp(f, x)[0],
        "pullback": lambda f, x: gn.vjp(f, x)[1](1.0)[0],
        "jvp value": lambda f, x: gn.jvp(f, (x,), (1.0,))[0],
        "jvp": lambda f, x: gn.jvp(f, (x,), (1.0,))[1],
    }
    for name, call in calls.items():
        free, bound = (lambda x: x * x * x), (lambda x: x * x * x * w)
        assert not call(free, plain).requires_grad and not call(free, 2.0).requires_grad, name
        assert call(free, a(2.0)).requires_grad and call(bound, plain).requires_grad, name
        assert not quiet(lambda call=call, bound=bound: call(bound, a(2.0))).requires_grad, name
        symbolic = call(free, gn.input((), "float64", name="s"))
        assert symbolic.is_symbolic, name
        assert quiet(lambda call=call: call(lambda x: x * x * x, gn.input((), "float64", name="s"))).is_symbolic, name
    # Of what is given to the second function.
    assert gn.vjp(lambda x: x * x, plain)[1](a(1.0))[0].requires_grad
    assert gn.jvp(lambda x: x * x, (plain,), (a(1.0),))[1].requires_grad
    assert gn.jvp(lambda x: x * x, (plain,), (gn.input((), "float64", name="t"),))[1].is_symbolic


def test_values_come_back_without_the_history_of_the_variables():
    value, found = gn.value_and_grad(total)(X)
    assert value.op is None and value.item() == 14.0 and found.op is None
    y, pullback = gn.vjp(lambda x: {"a": x * 2.0, "n": gn.argmax(x)}, X)
    assert y["a"].op is None and y["n"].item() == 2 and y["n"].dtype.kind == "i"
    assert pullback({"a": [1.0, 1.0, 1.0], "n": 5.0})[0].tolist() == [2.0, 2.0, 2.0]
