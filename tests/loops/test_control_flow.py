"""`gn.cond` and `gn.while_loop`: nodes that run one function, or one as long as a condition holds, with gradients."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.loops import branches, whiles
from tests.backends import everywhere  # noqa: F401

X = np.array([0.5, -1.5, 2.0])


def both(x):
    """A choice by the sum of x."""
    return gn.cond(x.sum() > 0.0, lambda a: gn.sin(a) * 2.0, lambda a: a**3, x)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_values_and_derivatives_are_those_of_the_branch_that_runs(everywhere, sign):  # noqa: F811
    x = sign * X
    wanted = (lambda a: gn.sin(a) * 2.0) if sign > 0 else (lambda a: a**3)
    v = np.array([1.0, 2.0, -1.0])

    def weighed(f):
        return lambda a: (f(a) * gn.tensor(v)).sum()

    for transform in (
        lambda f: f,
        lambda f: gn.grad(weighed(f)),
        lambda f: gn.grad(lambda a: (gn.grad(weighed(f))(a) ** 2).sum()),
        lambda f: gn.jacobian(f),
        lambda f: gn.hessian(weighed(f)),
        lambda f: lambda a: gn.jvp(f, (a,), (v,))[1],
        lambda f: lambda a: gn.hvp(weighed(f))(a, v),
    ):
        found = gn.compile(transform(both))(x).numpy()
        np.testing.assert_allclose(found, transform(wanted)(gn.tensor(x)).numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(transform(both)(gn.tensor(x)).numpy(), found, rtol=1e-12, atol=1e-14)


def test_only_the_wanted_function_is_computed():
    ran = []

    @gn.elementwise(vjp=[lambda g, y, x: g], batch=None)
    def noted(x):
        ran.append(len(ran))
        return x * 1.0

    f = gn.compile(lambda n, x: gn.cond(n > 0, lambda: noted(x), lambda: x + 1.0), backend="numpy")
    for n in (np.int64(1), np.int64(0), np.int64(0), np.int64(1)):
        before = len(ran)
        f(np.asarray(n), np.ones(2))
        assert (len(ran) > before) == bool(n)


def test_containers_several_dtypes_and_what_is_read_from_outside():
    w = gn.Parameter(np.array([3.0, 4.0]))

    def f(flag, x):
        def yes():
            return {"a": x * w, "n": gn.astype(x, "int64") + 2**60, "t": x > 0.0}

        def no():
            return {"a": w + 0.0, "n": gn.astype(x, "int64") * 0, "t": x < 0.0}

        return gn.cond(flag, yes, no)

    x = np.array([1.5, -2.0])
    found = gn.compile(f)(np.array(True), x)
    np.testing.assert_array_equal(found["a"].numpy(), [4.5, -8.0])
    np.testing.assert_array_equal(found["n"].numpy(), [2**60 + 1, 2**60 - 2])
    np.testing.assert_array_equal(found["t"].numpy(), [True, False])
    loss = f(gn.tensor(np.array(True)), gn.tensor(x))["a"].sum()
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), x)


def test_gradients_of_what_branches_read_in_a_trace():
    w = gn.Parameter(np.array([3.0, 4.0]))
    step = gn.compile(lambda flag, x: gn.cond(flag, lambda: (x * w).sum(), lambda: (w**2).sum()))
    for flag, wanted in ((True, [1.5, -2.0]), (False, [6.0, 8.0])):
        w.grad = None
        step(np.array(flag), np.array([1.5, -2.0])).backward()
        np.testing.assert_array_equal(w.grad.numpy(), wanted)


def test_a_choice_inside_a_loop_and_a_loop_inside_a_choice():
    def step(c, x):
        c = gn.cond(x > 0.0, lambda: c * x, lambda: c + x)
        return c, c

    xs = np.array([2.0, -1.0, 3.0])
    ys = gn.scan(step, gn.tensor(1.5), xs)[1]
    np.testing.assert_allclose(ys.numpy(), [3.0, 2.0, 6.0])
    np.testing.assert_allclose(
        gn.grad(lambda c, xs: gn.scan(step, c, xs)[0], (0, 1))(1.5, xs)[1].numpy(), [4.5, 3.0, 2.0]
    )
    run = gn.compile(lambda flag, c: gn.cond(flag, lambda: gn.scan(step, c, xs)[0], lambda: c))
    assert run(np.array(True), np.array(1.5)).item() == 6.0
    assert run(np.array(False), np.array(1.5)).item() == 1.5
    before = len(branches._choices)
    gn.scan(step, gn.tensor(2.5), xs)
    assert len(branches._choices) == before


def test_a_branch_that_depends_on_nothing_has_zero_slopes():
    f = gn.compile(gn.grad(lambda x: gn.cond(x > 1.0, lambda: x * x, lambda: gn.tensor(7.0))))
    assert f(np.array(3.0)).item() == 6.0
    assert f(np.array(0.5)).item() == 0.0


def test_infinite_slopes_of_the_other_branch_do_not_come_in():
    f = gn.compile(gn.value_and_grad(lambda x: gn.cond(x > 0.0, lambda: gn.sqrt(x), lambda: x * 0.0)))
    value, slope = f(np.array(0.0))
    assert (value.item(), slope.item()) == (0.0, 0.0)
    assert f(np.array(4.0))[1].item() == 0.25


@pytest.mark.parametrize(
    "pred, error", [(1.5, TypeError), (np.ones(2, bool), ValueError), ("yes", TypeError), (None, TypeError)]
)
def test_what_is_no_condition(pred, error):
    with pytest.raises(error):
        gn.cond(pred, lambda: 1.0, lambda: 2.0)


@pytest.mark.parametrize(
    "no, error, match",
    [
        (lambda x: x[:2], ValueError, "result 0 of true_fn"),
        (lambda x: gn.astype(x, "float32"), TypeError, "result 0 of true_fn"),
        (lambda x: (x,), TypeError, "same containers"),
        (lambda x: {"a": x}, TypeError, "same containers"),
    ],
)
def test_branches_that_do_not_fit(no, error, match):
    with pytest.raises(error, match=match):
        gn.trace(lambda flag, x: gn.cond(flag, lambda x: x * 2.0, no, x), np.array(True), X)


def test_functions_and_not_their_results():
    with pytest.raises(TypeError, match="true_fn, false_fn, x"):
        gn.cond(True, gn.tensor(1.0), lambda: 1.0)
    p = gn.Parameter(1.0)
    with pytest.raises(ValueError, match="true_fn assigns a parameter"):
        gn.trace(lambda flag: gn.cond(flag, lambda: p.assign(p + 1.0), lambda: p), np.array(True))


# Loops.


def newton(a, **options):
    return gn.while_loop(lambda x: abs(x * x - a) > 1e-13, lambda x: (x + a / x) / 2.0, gn.tensor(1.0), **options)


@pytest.mark.parametrize("options", [{}, {"max_steps": 20}])
@pytest.mark.parametrize("wrap", [lambda f: f, gn.compile])
def test_a_root_and_its_slope(everywhere, options, wrap):  # noqa: F811
    value, slope = wrap(gn.value_and_grad(lambda a: newton(a, **options)))(gn.tensor(2.0))
    np.testing.assert_allclose([value.item(), slope.item()], [2**0.5, 0.5 / 2**0.5], rtol=1e-12)
    pushed = wrap(lambda a: gn.jvp(lambda a: newton(a, **options), (a,), (3.0,))[1])(gn.tensor(2.0))
    np.testing.assert_allclose(pushed.item(), 1.5 / 2**0.5, rtol=1e-12)


def test_second_derivatives_exist_for_a_number_of_steps_that_is_known():
    second = gn.grad(gn.grad(lambda a: newton(a, max_steps=20)))(2.0)
    np.testing.assert_allclose(second.item(), -0.25 * 2**-1.5, rtol=1e-10)
    with pytest.raises(TypeError, match="max_steps="):
        gn.grad(gn.grad(newton))(2.0)


def test_counters_beside_numbers_and_what_both_functions_read():
    limit, w = gn.Parameter(40.0), gn.Parameter(np.array([2.0, 3.0]))

    def run(x):
        return gn.while_loop(
            lambda c: c["x"].sum() < limit,
            lambda c: {"n": c["n"] + 1, "x": c["x"] * w, "odd": gn.logical_not(c["odd"])},
            {"n": 2**62, "x": x, "odd": False},
        )

    found = run(gn.tensor([1.0, 1.0]))
    assert found["n"].item() == 2**62 + 4 and found["odd"].item() is False
    np.testing.assert_array_equal(found["x"].numpy(), [16.0, 81.0])
    found["x"].sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [4 * 8.0, 4 * 27.0])
    assert limit.grad is None or limit.grad.item() == 0.0
    np.testing.assert_allclose(gn.grad(lambda x: run(x)["x"].sum())(np.array([1.0, 1.0])).numpy(), [16.0, 81.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_step_at_all(dtype):
    def run(x):
        return gn.while_loop(lambda x: (x > 5.0).any(), lambda x: x - 1.0, x)

    x = gn.tensor(np.array([1.0, 2.0], dtype))
    assert run(x).dtype == dtype
    np.testing.assert_array_equal(run(x).numpy(), x.numpy())
    slope = gn.grad(lambda x: (run(x) * gn.tensor(np.array([3.0, 4.0], dtype))).sum())(x)
    np.testing.assert_array_equal(slope.numpy(), np.array([3.0, 4.0], dtype))
    assert slope.dtype == dtype
    np.testing.assert_array_equal(gn.jvp(run, (x,), (x,))[1].numpy(), x.numpy())


def test_steps_depend_on_the_values_of_the_call():
    f = gn.compile(lambda x: gn.while_loop(lambda c: c[0] < 100.0, lambda c: (c[0] * 2.0, c[1] + 1), (x, 0)))
    for x, n in ((1.0, 7), (99.0, 1), (100.0, 0), (1e-3, 17)):
        last, count = f(np.array(x))
        assert count.item() == n and last.item() == x * 2**n


def test_carries_of_two_floating_dtypes():
    def run(a, b):
        return gn.while_loop(lambda c: c[0] < 10.0, lambda c: (c[0] * 2.0, c[1] * gn.astype(c[0], "float32")), (a, b))

    def loss(a, b):
        last = run(a, b)
        return last[0] + gn.astype(last[1], "float64").sum()

    a, b = np.array(1.5), np.array([1.0, 2.0], "float32")
    # After three steps: a * 8, and b * a**3 * 2**3.
    np.testing.assert_allclose(loss(a, b).item(), 12.0 + 3 * 1.5**3 * 8)
    found = gn.grad(loss, (0, 1))(a, b)
    np.testing.assert_allclose(found[0].item(), 8 + 3 * 3 * 1.5**2 * 8, rtol=1e-6)
    np.testing.assert_allclose(found[1].numpy(), [27.0, 27.0], rtol=1e-6)
    assert found[1].dtype == np.float32


def test_a_loop_is_traced_once_and_known_again():
    calls = []

    def body(x):
        calls.append(x)
        return x * 2.0

    for _ in range(2):
        gn.while_loop(lambda x: x < 50.0, body, gn.tensor(1.0))
    before = len(whiles._loops)
    gn.while_loop(lambda x: x < 50.0, lambda x: x * 2.0, gn.tensor(3.0))
    assert len(calls) == 2 and len(whiles._loops) == before


@pytest.mark.parametrize(
    "condition, body, error, match",
    [
        (lambda x: x < 1.0, lambda x: gn.stack([x, x]), ValueError, "carry 0 began as"),
        (lambda x: x < 1.0, lambda x: gn.astype(x, "float32"), TypeError, "carry 0 began as"),
        (lambda x: x < 1.0, lambda x: (x, x), ValueError, "carry 0 began as"),
        (lambda x: x, lambda x: x, TypeError, "one bool without axes"),
        (lambda x: gn.stack([x, x]) < 1.0, lambda x: x, TypeError, "one bool without axes"),
        (lambda x: (x < 1.0, x < 1.0), lambda x: x, TypeError, "one bool without axes"),
        (lambda x: x < 1.0, 3.0, TypeError, "condition, body, init"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"max_steps": 3}])
def test_loops_that_cannot_be(condition, body, error, match, options):
    with pytest.raises(error, match=match):
        gn.while_loop(condition, body, gn.tensor(0.0), **options)


def test_an_end_that_does_not_come_in_time():
    for wrap in (lambda f: f, gn.compile):
        f = wrap(lambda x: gn.while_loop(lambda x: x < 10.0, lambda x: x + 1.0, x, max_steps=4))
        assert f(gn.tensor(6.0)).item() == 10.0
        with pytest.raises(ValueError, match="after max_steps steps"):
            f(gn.tensor(5.0))
    for wrong in (True, 2.5, "3"):
        with pytest.raises(TypeError, match="max_steps is a whole number"):
            newton(2.0, max_steps=wrong)
    with pytest.raises(ValueError, match="max_steps is 0 or more"):
        newton(2.0, max_steps=-1)


def test_an_error_of_a_step_names_its_op():
    with pytest.raises(ValueError, match=r"matmul\(float64\[3\], float64"):
        gn.while_loop(lambda x: x.sum() < 1.0, lambda x: x @ gn.tensor(np.ones((2, 2))), gn.tensor(np.ones(3)))
