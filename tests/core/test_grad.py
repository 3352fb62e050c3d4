"""Derivatives as a user asks for them: backward, gradients, grad and its relatives, nested and of any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphnet as gn

numbers = st.floats(-2, 2, allow_nan=False).map(lambda v: round(v, 3))
vectors = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=4), elements=numbers)


def test_nested_derivatives_do_not_confuse_their_variables():
    assert gn.grad(lambda x: x * gn.grad(lambda y: x * y)(x))(3.0).item() == 6
    assert gn.grad(lambda x: gn.grad(lambda z: z * x)(x))(3.0).item() == 1
    assert gn.grad(lambda x: x * gn.grad(lambda y: x + y)(1.0))(1.0).item() == 1
    inner_only = gn.grad(lambda x: gn.grad(lambda z: z * x)(x) * 1.0)
    assert inner_only(5.0).item() == 1


def test_backward_accumulates_and_can_be_called_again():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [4, 8])
    x.grad = None
    y.backward(gradient=3.0)
    np.testing.assert_array_equal(x.grad.numpy(), [6, 12])


def test_backward_reaches_every_leaf_once_per_path():
    a = gn.Parameter([[1.0, 2.0]])
    b = gn.tensor([3.0], requires_grad=True)
    c = gn.tensor([5.0, 5.0])
    ((a * b + b) * c).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), [[15, 15]])
    np.testing.assert_array_equal(b.grad.numpy(), [25])
    assert c.grad is None


def test_gradient_of_intermediate_tensors():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3.0
    y = (h * h).sum()
    dx, dh = gn.gradients(y, [x, h])
    np.testing.assert_allclose(dh.numpy(), [6, 12])
    np.testing.assert_allclose(dx.numpy(), [18, 36])


def test_gradients_to_any_order_of_an_eager_history():
    x = gn.Parameter(2.0)
    y = x**5.0
    expected = [80.0, 160.0, 240.0, 240.0, 120.0, 0.0]
    for value in expected:
        y = gn.gradients(y, x)
        assert y.item() == pytest.approx(value)
        if not y.requires_grad:
            break


def test_gradient_without_a_path_is_zero():
    x, z = gn.Parameter([1.0]), gn.Parameter([[2.0, 3.0]])
    np.testing.assert_array_equal(gn.gradients((x * x).sum(), z).numpy(), [[0, 0]])
    g = gn.grad(lambda v: 3.0, allow_constant=True)(gn.tensor([1.0, 2.0]))
    np.testing.assert_array_equal(g.numpy(), [0, 0])


def test_six_derivatives_of_tanh():
    x = np.linspace(-2, 2, 9)
    f = gn.tanh
    t = np.tanh(x)
    derivatives = [1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]
    for expected in derivatives:
        f = gn.elementwise_grad(f)
        np.testing.assert_allclose(f(x).numpy(), expected, rtol=1e-12, atol=1e-12)
    for _ in range(3):
        f = gn.elementwise_grad(f)
    assert np.isfinite(f(x).numpy()).all()
    h = 1e-3
    fifth = gn.elementwise_grad(
        gn.elementwise_grad(gn.elementwise_grad(gn.elementwise_grad(gn.elementwise_grad(gn.tanh))))
    )
    difference = (fifth(x + h).numpy() - fifth(x - h).numpy()) / (2 * h)
    np.testing.assert_allclose(f(x).numpy(), difference, rtol=1e-3, atol=1e-3)


def test_arguments_can_be_nested_containers():
    params = {"w": gn.tensor([[1.0, 2.0]]), "rest": (gn.tensor(3.0), [gn.tensor([4.0])])}

    def f(p):
        return (p["w"].sum() * p["rest"][0] + p["rest"][1][0] ** 2.0).sum()

    value, g = gn.value_and_grad(f)(params)
    assert value.item() == 25
    assert list(g) == ["w", "rest"] and isinstance(g["rest"], tuple) and isinstance(g["rest"][1], list)
    np.testing.assert_array_equal(g["w"].numpy(), [[3, 3]])
    assert g["rest"][0].item() == 3
    np.testing.assert_array_equal(g["rest"][1][0].numpy(), [8])


def test_argnums_names_one_or_several():
    f = lambda a, b: (a * b * b).sum()  # noqa: E731
    assert gn.grad(f, 1)(2.0, 3.0).item() == 12
    da, db = gn.grad(f, (0, 1))(2.0, 3.0)
    assert (da.item(), db.item()) == (9, 12)
    assert gn.grad(f, -1)(2.0, 3.0).item() == 12
    with pytest.raises(ValueError, match="argnums is 2"):
        gn.grad(f, 2)(2.0, 3.0)


def test_grad_of_a_function_that_uses_a_parameter_can_be_differentiated_for_it():
    w = gn.Parameter([1.0, 3.0])
    slope = gn.grad(lambda x: (w * x * x).sum())(gn.tensor([1.0, 2.0]))
    (slope * slope).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * (2 * np.array([1, 3]) * [1, 2]) * (2 * np.array([1, 2])))


def test_grad_inside_no_grad_works_and_keeps_no_history():
    w = gn.Parameter([1.0, 3.0])
    with gn.no_grad():
        slope = gn.grad(lambda x: (w * x * x).sum())(gn.tensor([1.0, 2.0]))
        assert not (w * 2.0).requires_grad
    np.testing.assert_array_equal(slope.numpy(), [2, 12])
    assert not slope.requires_grad


def test_no_grad_is_reentrant_and_a_decorator():
    w = gn.Parameter([1.0])
    quiet = gn.no_grad()
    with quiet:
        with quiet:
            assert not (w * 1.5).requires_grad
        assert not (w * 1.5).requires_grad
    assert (w * 1.5).requires_grad
    assert not gn.no_grad()(lambda: w * 2.0)().requires_grad
    with pytest.raises(KeyError), quiet:
        raise KeyError
    assert (w * 1.5).requires_grad


def test_vjp_and_jvp_with_several_outputs():
    def f(a, b):
        return {"sum": a + b, "product": a * b}

    a, b = gn.tensor([1.0, 2.0]), gn.tensor([3.0, 4.0])
    y, pullback = gn.vjp(f, a, b)
    np.testing.assert_array_equal(y["product"].numpy(), [3, 8])
    for _ in range(2):
        da, db = pullback({"sum": [1.0, 1.0], "product": [1.0, 0.0]})
        np.testing.assert_array_equal(da.numpy(), [4, 1])
        np.testing.assert_array_equal(db.numpy(), [2, 1])
    y, dy = gn.jvp(f, (a, b), ([1.0, 0.0], [0.0, 1.0]))
    np.testing.assert_array_equal(dy["sum"].numpy(), [1, 1])
    np.testing.assert_array_equal(dy["product"].numpy(), [3, 2])


def test_jacobian_hessian_and_hvp(rng):
    m = rng.standard_normal((3, 3))
    x = rng.standard_normal(3)
    v = rng.standard_normal(3)

    def f(x):
        return (gn.sin(x) * (m @ x)).sum()

    h = gn.hessian(f)(x).numpy()
    np.testing.assert_allclose(h, h.T, rtol=1e-10)
    step = 1e-5
    slope = gn.grad(f)
    rows = [(slope(x + step * e).numpy() - slope(x - step * e).numpy()) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(h, rows, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(gn.hvp(f)(x, v).numpy(), h @ v, rtol=1e-10)
    j = gn.jacobian(lambda x: gn.exp(m @ x))(x).numpy()
    np.testing.assert_allclose(j, np.exp(m @ x)[:, None] * m, rtol=1e-12)
    third = gn.jacobian(gn.hessian(lambda x: (x**3.0).sum()))(x).numpy()
    np.testing.assert_allclose(third[1, 1, 1], 6, rtol=1e-10)
    assert np.count_nonzero(np.abs(third) > 1e-9) == 3


def test_jacobian_over_containers_and_of_containers():
    j = gn.jacobian(lambda p: [p["a"] * 2.0, p["a"].sum() * p["b"]])({"a": gn.tensor([1.0, 2.0]), "b": gn.tensor(3.0)})
    np.testing.assert_array_equal(j[0]["a"].numpy(), [[2, 0], [0, 2]])
    np.testing.assert_array_equal(j[1]["a"].numpy(), [3, 3])
    assert j[1]["b"].item() == 3 and j[0]["b"].shape == (2,)


@given(vectors)
def test_jvp_agrees_with_vjp(x):
    rng = np.random.default_rng(1)

    def f(x):
        return gn.tanh(x * x.sum()) / (2.0 + gn.cos(x))

    v, u = rng.standard_normal(x.shape), rng.standard_normal(x.shape)
    _, dy = gn.jvp(f, (x,), (v,))
    _, pullback = gn.vjp(f, x)
    np.testing.assert_allclose(np.vdot(u, dy.numpy()), np.vdot(pullback(u)[0].numpy(), v), rtol=1e-9, atol=1e-11)


@given(vectors, numbers)
def test_the_gradient_is_linear(x, c):
    def f(x):
        return gn.exp(gn.sin(x)).sum()

    def h(x):
        return (x * gn.tanh(x)).sum()

    both = gn.grad(lambda x: f(x) + h(x) * c)(x).numpy()
    np.testing.assert_allclose(both, gn.grad(f)(x).numpy() + c * gn.grad(h)(x).numpy(), rtol=1e-9, atol=1e-11)


@given(vectors)
def test_the_chain_rule(x):
    outer, inner = gn.exp, gn.sin
    whole = gn.elementwise_grad(lambda x: outer(inner(x)))(x).numpy()
    parts = gn.elementwise_grad(outer)(inner(gn.tensor(x))).numpy() * gn.elementwise_grad(inner)(x).numpy()
    np.testing.assert_allclose(whole, parts, rtol=1e-12)


@given(vectors)
def test_hessians_are_symmetric(x):
    h = gn.hessian(lambda x: gn.tanh(x * x.sum()).sum())(x).numpy()
    axes = tuple(range(x.ndim, 2 * x.ndim)) + tuple(range(x.ndim))
    np.testing.assert_allclose(h, h.transpose(axes), rtol=1e-9, atol=1e-10)


def test_a_custom_gradient_is_used_and_differentiable_again():
    @gn.custom_gradient
    def cube(x):
        return x * x * x, lambda g: g * 3.0 * x * x

    assert gn.grad(cube)(2.0).item() == 12
    assert gn.grad(gn.grad(cube))(2.0).item() == 12

    @gn.custom_gradient
    def pair(x, y):
        return (x + y, x * y), lambda g1, g2: (g1 * 10.0, g2 * 100.0)

    a, b = gn.tensor(1.0, requires_grad=True), gn.tensor(2.0, requires_grad=True)
    s, p = pair(a, b)
    (s + p).backward()
    assert (a.grad.item(), b.grad.item()) == (10, 100)

    @gn.custom_gradient
    def wrong(x):
        return x * 2.0, lambda g: (g, g)

    with pytest.raises(ValueError, match="1 arguments, but its gradient gave 2"):
        gn.grad(wrong)(1.0)


def test_checkpoint_gives_the_same_gradients_of_any_order_with_less_memory():
    w = gn.Parameter([0.5, -1.5])
    runs = []

    def block(x):
        runs.append(1)
        return gn.tanh(x * w) * gn.exp(x)

    def through(f):
        return lambda x: (f(x) * f(x)).sum()

    x = gn.tensor([0.3, 0.7])
    plain, kept = gn.grad(through(block)), gn.grad(through(gn.checkpoint(block)))
    np.testing.assert_allclose(kept(x).numpy(), plain(x).numpy(), rtol=1e-14)
    h_plain = gn.jacobian(gn.grad(through(block)))(x).numpy()
    np.testing.assert_allclose(gn.jacobian(gn.grad(through(gn.checkpoint(block))))(x).numpy(), h_plain, rtol=1e-12)
    runs.clear()
    y = through(gn.checkpoint(block))(x)
    y.backward()
    assert len(runs) == 2  # its ops are run again, not its Python
    expected = w.grad.numpy().copy()
    w.grad = None
    through(block)(x).backward()
    np.testing.assert_allclose(expected, w.grad.numpy(), rtol=1e-14)


def test_a_changed_parameter_is_noticed():
    w = gn.Parameter([1.0, 2.0], name="w")
    y = (w * w).sum()
    w.assign([5.0, 6.0])
    with pytest.raises(
        RuntimeError, match=r"the parameter 'w' was changed after multiply at .*test_grad.py:\d+ used it"
    ):
        y.backward()
    (w * w).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [10, 12])


def test_a_changed_array_does_not_change_a_gradient():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 4.0])
    y = (x * a).sum() + (a * x).sum()
    a[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [6, 8])
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 5


def test_a_chain_of_100_000_ops_differentiates():
    x = gn.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.00001
    y.backward()
    assert x.grad.item() == pytest.approx(1.00001**100_000)
    order = gn.toposort([y])
    assert order[0] is x or order[1] is x
    del order
    del y


def test_a_deep_chain_is_freed_without_recursion():
    y = gn.tensor(1.0, requires_grad=True)
    for _ in range(300_000):
        y = -y
    del y


def test_float32_stays_float32_in_all_derivatives():
    x = gn.tensor([0.5, 1.5], dtype="float32")
    f = lambda x: (gn.exp(x) * 2.0 / (x + 1) - 0.5).sum()  # noqa: E731
    assert gn.grad(f)(x).dtype == np.float32
    assert gn.hessian(f)(x).dtype == np.float32
    assert gn.hvp(f)(x, [1.0, 2.0]).dtype == np.float32
    value, slope = gn.jvp(f, (x,), ([1.0, 2.0],))
    assert value.dtype == slope.dtype == np.float32


def test_mixed_precision_gradients_have_the_dtype_of_their_tensor():
    a = gn.tensor([1.0], dtype="float32", requires_grad=True)
    b = gn.tensor([2.0], dtype="float64", requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.dtype == np.float32 and b.grad.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: gn.grad(lambda x: x * 2)(3), TypeError, r"received int64\[\] \(write 3.0\)"),
        (lambda: gn.grad(lambda x: x * 2.0)(gn.tensor([1.0, 2.0])), ValueError, r"output has shape \(2,\)"),
        (lambda: gn.tensor([1, 2], requires_grad=True), TypeError, "received int64"),
        (lambda: gn.tensor([1.0]).backward(), ValueError, "depends on nothing that needs a gradient"),
        (lambda: gn.input((), name="x").backward(), ValueError, "symbolic"),
        (lambda: (gn.Parameter([1.0, 2.0]) * 2.0).backward(), ValueError, r"shape \(2,\); a gradient starts from one"),
        (lambda: (gn.Parameter([1.0, 2.0]) * 2.0).backward([1.0]), ValueError, r"\(2,\), its gradient \(1,\)"),
        (lambda: gn.gradients(gn.Parameter(1.0) * 1.0, gn.tensor(1.0)), ValueError, "keeps no history"),
        (lambda: gn.gradients(gn.Parameter(1.0) * 1.0, 3.0), TypeError, "received float"),
        (lambda: gn.grad(lambda x: (x, x))(1.0), ValueError, "it returned 2"),
        (lambda: gn.jvp(gn.exp, 1.0, 1.0), TypeError, "tuples"),
    ],
)
def test_bad_input_gets_a_clear_error(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_check_grads_finds_a_wrong_rule():
    gn.check_grads(lambda a, b: gn.exp(a) * b, [0.1, 0.2], 2.0, order=3)

    @gn.custom_gradient
    def wrong(x):
        return x * x, lambda g: g * x

    with pytest.raises(AssertionError, match="the vjp of wrong"):
        gn.check_grads(wrong, 1.5)


def test_debug_names_the_op_and_the_line():
    with gn.debug(), pytest.raises(FloatingPointError, match=r"log\(float64\[2\]\) at .*test_grad.py:\d+ made NaN"):
        gn.log(gn.tensor([1.0, -1.0]))
    x = gn.tensor([0.0, 1.0], requires_grad=True)
    y = gn.sqrt(x).sum()
    with gn.debug(), pytest.raises(FloatingPointError, match="the gradient of sqrt for its input 0"):
        y.backward()


def test_parameters_as_exponents():
    for exponent in ([2.0, 0.5], 2.0, 0.5):
        w = gn.Parameter(exponent)
        (np.array([3.0, 5.0]) ** w).sum().backward()
        slopes = np.array([3.0, 5.0]) ** np.array(exponent) * np.log([3.0, 5.0])
        np.testing.assert_allclose(w.grad.numpy(), slopes if w.ndim else slopes.sum())


@pytest.mark.parametrize("derivative", [gn.grad, gn.value_and_grad, gn.jacobian, gn.hessian, gn.elementwise_grad])
def test_places_of_arguments_are_checked(derivative):
    def f(x, y):
        return x * y * y

    for twice in ((0, 0), (1, -1), [0, 1, 0]):
        with pytest.raises(ValueError, match="names an argument twice"):
            derivative(f, argnums=twice)(2.0, 3.0)
    for wrong in (True, 1.0, "x", (0, 1.0), (0, True), None):
        with pytest.raises(TypeError, match="argnums is the place of an argument, or a tuple of places; received"):
            derivative(f, argnums=wrong)(2.0, 3.0)
    with pytest.raises(ValueError, match="received 1 argument by place"):
        derivative(f, argnums=1)(2.0, y=3.0)
    assert gn.grad(f, argnums=(np.int64(1), 0))(2.0, 3.0) == (12, 9) and gn.grad(f, argnums=range(2))(2.0, 3.0)[1] == 12


def test_errors_of_tangents_and_vectors_speak_of_arguments():
    with pytest.raises(ValueError, match=r"jvp: an argument has shape \(3,\), its tangent \(\)"):
        gn.jvp(lambda x: x.sum(), (np.ones(3),), (1.0,))
    with pytest.raises(ValueError, match=r"hvp: an argument has shape \(3,\), its vector \(1, 3\)"):
        gn.hvp(lambda x: (x**2).sum())(np.ones(3), np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"vjp: the output has shape \(3,\), its gradient \(\)"):
        gn.vjp(lambda x: x * x, np.ones(3))[1](1.0)
