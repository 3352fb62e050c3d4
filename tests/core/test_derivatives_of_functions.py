"""Derivatives of functions: what else they return, Parameters, constants, Jacobians, products, traces."""

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


def warned(f):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = f()
    return found, [str(w.message) for w in caught if w.category is gn.ConstantWarning]


AUX = {
    "grad": (lambda f, x: gn.grad(f, has_aux=True)(x), lambda r: r[1]),
    "value_and_grad": (lambda f, x: gn.value_and_grad(f, has_aux=True)(x), lambda r: r[0][1]),
    "jacobian": (lambda f, x: gn.jacobian(f, has_aux=True)(x), lambda r: r[1]),
    "hessian": (lambda f, x: gn.hessian(f, has_aux=True)(x), lambda r: r[1]),
    "vjp": (lambda f, x: gn.vjp(f, x, has_aux=True), lambda r: r[2]),
}


@pytest.mark.parametrize("name", AUX)
def test_what_else_a_function_found(name):
    call, of = AUX[name]

    def f(x):
        return (x * x).sum(), {"text": "t", "twice": x * 2.0, "list": [x, 5]}

    aux = of(call(f, X))
    assert aux["text"] == "t" and aux["list"][1] == 5 and aux["twice"].tolist() == [2.0, 4.0, 6.0]
    assert not aux["twice"].requires_grad and not aux["list"][0].requires_grad
    # An outer derivative may ask for it.
    x = a(X)
    aux = of(call(f, x))
    assert gn.gradients(aux["twice"].sum(), x).tolist() == [2.0, 2.0, 2.0]
    w = gn.Parameter(2.0)
    aux = of(call(lambda x: ((x * x).sum(), [x * w, "s"]), X))
    assert gn.gradients(aux[0].sum(), w).item() == 6.0
    assert of(call(lambda x: ((x * x).sum(), None), X)) is None
    for wrong in (lambda x: total(x), lambda x: [total(x), 1], lambda x: (total(x), 1, 2), lambda x: (total(x),)):
        with pytest.raises(TypeError, match=r"with has_aux=True the function returns a pair, \(output, what else"):
            call(wrong, X)
    with pytest.raises(TypeError, match=r"it returned Tensor$"):
        call(total, X)


def test_aux_beside_parameters():
    w = gn.Parameter([1.0, 2.0])

    def f(x):
        h = w * x
        return (h * h).sum(), [h, "text"]

    (value, aux), (slopes,) = gn.value_and_grad(f, [w], has_aux=True)(3.0)
    assert value.item() == 45.0 and not value.requires_grad and slopes.tolist() == [18.0, 36.0]
    assert not slopes.requires_grad and aux[1] == "text" and not aux[0].requires_grad and aux[0].tolist() == [3.0, 6.0]
    found, aux = gn.grad(f, w, has_aux=True)(3.0)
    assert found.tolist() == [18.0, 36.0] and aux[1] == "text"


def test_parameters_named():
    v, w = gn.Parameter(2.0), gn.Parameter([1.0, 3.0])
    frozen = gn.Parameter(1.0, trainable=False, name="frozen")

    def f(x):
        return (v * w * w * x).sum()

    value, found = gn.value_and_grad(f, {"v": v, "w": [w]})(2.0)
    assert value.item() == 40.0 and found["v"].item() == 20.0 and found["w"][0].tolist() == [8.0, 24.0]
    # Inside of another derivative it can be differentiated again.
    outer = gn.grad(lambda x: (gn.grad(f, w)(x) ** 2).sum())(2.0)
    assert outer.item() == 2 * 2.0 * (16.0 + 144.0)
    s = gn.input((), "float64", name="s")
    value, (slopes,) = gn.value_and_grad(f, [w])(s)
    assert value.is_symbolic and slopes.is_symbolic
    (value, aux), _ = gn.value_and_grad(lambda x: (f(x), x), [w], has_aux=True)(s)
    assert value.is_symbolic and aux is s
    traced = gn.trace(lambda x: gn.grad(f, w)(x), np.array(2.0))
    assert traced(2.0).tolist() == [8.0, 24.0]
    raises(
        TypeError,
        "grad: argnums are places of arguments, or Parameters alone; received a int too",
        lambda: gn.grad(f, [w, 0])(2.0),
    )
    raises(
        TypeError,
        "grad: argnums are places of arguments, or Parameters alone; received a Tensor too",
        lambda: gn.grad(f, [w, a(1.0)])(2.0),
    )
    raises(ValueError, "grad: frozen has trainable=False: it has no gradient", lambda: gn.grad(f, frozen)(2.0))
    raises(
        ValueError,
        "value_and_grad: the function must return one tensor; it returned 2",
        lambda: gn.value_and_grad(lambda x: (f(x), f(x)), [w])(2.0),
    )
    unnamed = gn.Parameter(1.0, trainable=False)
    raises(ValueError, "grad: a Parameter has trainable=False: it has no gradient", lambda: gn.grad(f, [unnamed])(2.0))


def test_what_does_not_depend_on_its_arguments():
    w, other = gn.Parameter(2.0), gn.Parameter(5.0, name="other")
    for call, name in (
        (lambda: gn.grad(lambda x: gn.tensor(1.0))(2.0), "grad"),
        (lambda: gn.jacobian(lambda x: gn.tensor(1.0))(2.0), "jacobian"),
        (lambda: gn.grad(lambda x: other * x, w)(2.0), "grad"),
    ):
        found, texts = warned(call)
        assert (
            found.item() == 0.0 and len(texts) == 1 and texts[0].startswith(f"{name}: the function returned a tensor")
        )
    _, (text,) = warned(lambda: gn.grad(lambda x: other * 1.0)(2.0))
    assert "It depends on Parameters that it uses from outside, as other" in text
    for call in (
        lambda: gn.grad(lambda x: gn.tensor(1.0), allow_constant=True)(2.0),
        lambda: gn.grad(lambda x: gn.floor(x))(2.0),
        lambda: gn.grad(lambda x: gn.stop_gradient(x))(2.0),
        lambda: gn.grad(lambda x: other * x, w, allow_constant=True)(2.0),
        lambda: gn.grad(lambda x: gn.floor(w), w)(2.0),
        lambda: gn.hessian(lambda x: x * 3.0)(2.0),
        lambda: gn.elementwise_grad(lambda x: 1.0, allow_constant=True)(2.0),
        lambda: gn.vjp(lambda x: 1.0, 2.0, allow_constant=True)[1](1.0)[0],
        lambda: gn.jvp(lambda x: 1.0, (2.0,), (1.0,), allow_constant=True)[1],
        lambda: gn.jacobian(lambda x: 1.0, allow_constant=True)(2.0),
        lambda: gn.hessian(lambda x: 1.0, allow_constant=True)(2.0),
        lambda: gn.hvp(lambda x: 1.0, allow_constant=True)(2.0, 1.0),
    ):
        found, texts = warned(call)
        assert found.item() == 0.0 and texts == []
    for of in (gn.grad, gn.value_and_grad, gn.elementwise_grad, gn.jacobian, gn.hessian):
        with pytest.raises(TypeError, match="the function returned a float, which is no tensor"):
            of(lambda x: 1.0)(2.0)
    for call in (
        lambda: gn.vjp(lambda x: 1.0, 2.0),
        lambda: gn.jvp(lambda x: 1.0, (2.0,), (1.0,)),
        lambda: gn.hvp(lambda x: 1.0)(2.0, 1.0),
        lambda: gn.grad(lambda x: 1.0, w)(2.0),
    ):
        with pytest.raises(TypeError, match="the function returned a float, which is no tensor"):
            call()


def test_one_number_is_wanted():
    text = "the function must return one tensor; it returned"
    raises(ValueError, f"grad: {text} 2", lambda: gn.grad(lambda x: (x, x))(1.0))
    raises(ValueError, f"value_and_grad: {text} 0", lambda: gn.value_and_grad(lambda x: [])(1.0))
    raises(ValueError, f"hessian: {text} 2", lambda: gn.hessian(lambda x: (x, x))(1.0))
    with pytest.raises(ValueError, match=r"^the gradient of total: the output has shape \(3,\)"):

        def total(x):
            return x * 2.0

        gn.grad(total)(X)


def test_arguments_by_name():
    f = lambda x, y: (x * y * y, "aux")  # noqa: E731
    for of in (gn.grad, gn.value_and_grad, gn.jacobian, gn.hessian):
        found = of(f, argnums=1, has_aux=True)(2.0, 3.0)
        assert "aux" in (found[0] if of is gn.value_and_grad else found)
        with pytest.raises(TypeError, match="positional argument"):
            of(f, 0, True, True)
    assert gn.elementwise_grad(lambda x, y: x * y * y, argnums=1)(2.0, 3.0).item() == 12.0
    for of in (gn.elementwise_grad, gn.hvp):
        with pytest.raises(TypeError, match="positional argument"):
            of(f, 0, True)


# Jacobians, Hessians, products


def test_jacobians_of_every_shape():
    x = np.arange(6.0).reshape(2, 3)
    j = gn.jacobian(lambda v: v[:, :2] * v[:, :2])(x)
    assert j.shape == (2, 2, 2, 3)
    expected = np.zeros((2, 2, 2, 3))
    for i in range(2):
        for k in range(2):
            expected[i, k, i, k] = 2 * x[i, k]
    np.testing.assert_array_equal(j.numpy(), expected)
    assert gn.jacobian(lambda v: v[:0])(x).shape == (0, 3, 2, 3)
    assert gn.jacobian(lambda v: v.sum())(np.zeros((0, 2))).shape == (0, 2)
    j = gn.jacobian(lambda u, v: [u * v, v.sum()], (0, 1))(np.array([1.0, 2.0], "f4"), X[:2])
    assert [t.shape for t in j[0]] == [(2, 2), (2, 2)] and [t.shape for t in j[1]] == [(2,), (2,)]
    assert j[0][0].dtype == np.float32 and j[0][1].dtype == np.float64
    np.testing.assert_array_equal(j[0][1].numpy(), np.diag([1.0, 2.0]))
    np.testing.assert_array_equal(j[1][0].numpy(), [0.0, 0.0])


def test_hessians_of_containers():
    h = gn.hessian(lambda p: p["a"] * p["a"] * p["b"].sum())({"a": 3.0, "b": X[:2]})
    assert h["a"]["a"].item() == 6.0 and h["a"]["b"].tolist() == h["b"]["a"].tolist() == [6.0, 6.0]
    assert h["b"]["b"].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    h = gn.hessian(lambda x, y: x * y * y, 1)(2.0, 3.0)
    assert h.item() == 4.0 and gn.hessian(lambda x, y: x * y * y)(2.0, 3.0).item() == 0.0
    h = gn.hessian(lambda x, y: x * y * y, (0, 1))(2.0, 3.0)
    assert [[t.item() for t in row] for row in h] == [[0.0, 6.0], [6.0, 4.0]]


def test_products_with_the_hessian():
    f = lambda p, q: (p["a"] ** 3).sum() * q  # noqa: E731
    found = gn.hvp(f)({"a": X}, 2.0, {"a": [1.0, 0.0, 10.0]})
    assert found["a"].tolist() == [12.0, 0.0, 360.0]
    assert gn.hvp(lambda p, q: (p * q * q).sum(), 1)(X, 2.0, 3.0).item() == 36.0
    assert gn.hvp(lambda p, q: (p * q * q).sum(), argnums=-1)(X, 2.0, 3.0).item() == 36.0
    assert gn.hvp(lambda p, q: (p * q * q).sum())(X, 2.0, X).tolist() == [0.0, 0.0, 0.0]
    assert gn.hvp(lambda x, k=1.0: (x**3).sum() * k)(X, [1.0, 1.0, 1.0], k=2.0).tolist() == [12.0, 24.0, 36.0]
    raises(TypeError, "hvp: call it with the function's arguments and then the vector", lambda: gn.hvp(total)(X))
    with pytest.raises((ValueError, TypeError), match="hvp: the vector"):
        gn.hvp(f)({"a": X}, 2.0, {"b": X})


def test_pushing_and_pulling():
    f = lambda p, q: {"sum": p["a"] + q, "all": [(p["a"] * q).sum()]}  # noqa: E731
    y, dy = gn.jvp(f, [{"a": X}, 2.0], [{"a": [1.0, 0.0, 0.0]}, 10.0])
    assert y["sum"].tolist() == [3.0, 4.0, 5.0] and dy["sum"].tolist() == [11.0, 10.0, 10.0]
    assert dy["all"][0].item() == 2.0 + 60.0 and y["all"][0].item() == 12.0
    y, pullback = gn.vjp(f, {"a": X}, 2.0)
    da, dq = pullback({"sum": [1.0, 0.0, 0.0], "all": [1.0]})
    assert da["a"].tolist() == [3.0, 2.0, 2.0] and dq.item() == 1.0 + 6.0
    text = "jvp: primals and tangents are tuples with one entry per argument of the function"
    raises(TypeError, text, lambda: gn.jvp(total, X, (X,)))
    raises(TypeError, text, lambda: gn.jvp(total, (X,), X))
    with pytest.raises((ValueError, TypeError), match="jvp: tangents"):
        gn.jvp(total, (X,), (X, X))
    with pytest.raises((ValueError, TypeError), match="vjp: the gradient of the output"):
        pullback({"sum": X})
    for call, name in ((lambda: gn.vjp(2.0, X), "vjp"), (lambda: gn.jvp(2.0, (X,), (X,)), "jvp")):
        with pytest.raises(TypeError, match=name):
            call()
    x = np.array([1.0, 2.0], "float32")
    y, dy = gn.jvp(lambda v: v * v, (x,), ([1.0, 2.0],))
    assert dy.dtype == np.float32 and dy.tolist() == [2.0, 8.0]


@pytest.mark.parametrize("of", [gn.jacobian, gn.elementwise_grad], ids=["jacobian", "elementwise_grad"])
def test_outputs_that_are_complex(of):
    with pytest.raises(TypeError, match=r"take gn\.real, gn\.imag or gn\.abs of them"):
        of(lambda x: x * 1j)(X)
    with pytest.raises(TypeError, match=r"take gn\.real, gn\.imag or gn\.abs of them"):
        gn.jvp(lambda x: x * 1j, (X,), (X,))


def test_whole_numbers_that_come_out_have_no_slope():
    assert gn.elementwise_grad(lambda x: gn.argmax(x), allow_constant=True)(X).tolist() == [0.0, 0.0, 0.0]
    assert gn.elementwise_grad(lambda x: [x * 2.0, x * x])(X).tolist() == [4.0, 6.0, 8.0]
    assert gn.jacobian(lambda x: x > 1.0)(X).tolist() == np.zeros((3, 3)).tolist()


def test_derivatives_in_a_trace():
    w = gn.Parameter(3.0)
    for f in (
        lambda x: gn.grad(lambda v: v * v * w)(x),
        lambda x: gn.value_and_grad(lambda v: v * v * w)(x)[1],
        lambda x: gn.gradients(x * x * w, x),
        lambda x: quiet(lambda: gn.grad(lambda v: v * v * w)(x)),
        lambda x: gn.jvp(lambda v: v * v * w, (x,), (1.0,))[1],
        lambda x: gn.vjp(lambda v: v * v * w, x)[1](1.0)[0],
    ):
        w.assign(3.0)
        graph = gn.trace(f, np.array(2.0))
        w.assign(5.0)
        assert graph(4.0).item() == 40.0
    graph = gn.trace(lambda x: gn.value_and_grad(lambda v: (v * v, v), has_aux=True)(x), np.array(2.0))
    (value, aux), found = graph(4.0)
    assert (value.item(), aux.item(), found.item()) == (16.0, 4.0, 8.0)


def test_derivatives_are_called_after_their_function():
    w = gn.Parameter(2.0)

    def cube(x):
        """x to the third."""
        return x * x * x * w

    for of in (gn.grad, gn.value_and_grad, gn.elementwise_grad, gn.jacobian, gn.hessian, gn.hvp):
        assert repr(of(cube)) == f"<{of.__name__} of cube>" and of(cube).__doc__ == cube.__doc__
    for of in (gn.grad, gn.value_and_grad):
        assert repr(of(cube, [w])) == f"<{of.__name__} of cube>"
    for of, name in ((gn.grad, "grad"), (gn.elementwise_grad, "elementwise_grad"), (gn.hvp, "hvp")):
        with pytest.raises(TypeError, match=name):
            of(3.0)
    with pytest.raises(TypeError, match="value_and_grad"):
        gn.value_and_grad(3.0, [w])


@pytest.mark.parametrize("name", ["elementwise_grad", "jacobian", "hvp"])
def test_parameters_as_places(name):
    w = gn.Parameter([1.0, 2.0])
    of = {"elementwise_grad": gn.elementwise_grad, "jacobian": gn.jacobian, "hvp": gn.hvp}[name]
    with pytest.raises(TypeError) as caught:
        of(lambda x: x * w, (0, w))(2.0, 1.0)
    text = str(caught.value)
    if name == "hvp":
        assert "received a int too" in text
    else:
        assert text == (
            f"{name}: argnums is the place of an argument, or a tuple of places; received 0, float64[2]. "
            "Parameters are named in gn.value_and_grad; here make the weights an argument of the function"
        )
    plain = gn.tensor([1.0, 2.0])
    if name == "jacobian":
        with pytest.raises(TypeError, match=re.escape("received 0, float64[2]") + "$"):
            of(lambda x: x * w, (0, plain))(2.0)
