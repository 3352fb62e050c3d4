"""SciPy's solvers with derivatives as they come, and matplotlib with tensors as they are."""

import warnings

import numpy as np
import pytest

import graphnet as gn

so = pytest.importorskip("scipy.optimize")

X0 = np.array([-1.2, 1.0, 0.8])


def rosenbrock(x):
    return gn.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


GRAD, HESSIAN, HVP = gn.grad(rosenbrock), gn.hessian(rosenbrock), gn.hvp(rosenbrock)


@pytest.mark.parametrize("method", ["CG", "BFGS", "L-BFGS-B", "SLSQP", "trust-constr", "Newton-CG", "TNC"])
def test_minimize_with_a_gradient(method):
    options = {"maxfun": 2000} if method == "TNC" else {"maxiter": 5000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = so.minimize(rosenbrock, X0, method=method, jac=GRAD, options=options)
        np.testing.assert_allclose(found.x, 1, atol=5e-3)
        found = so.minimize(gn.value_and_grad(rosenbrock), X0, method=method, jac=True, options=options)
        np.testing.assert_allclose(found.x, 1, atol=5e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr", "dogleg"])
def test_minimize_with_second_derivatives(method):
    start = np.array([1.1, 1.2, 1.4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = so.minimize(rosenbrock, start, method=method, jac=GRAD, hess=HESSIAN)
        np.testing.assert_allclose(found.x, 1, atol=5e-3)
        if method not in ("trust-exact", "dogleg"):
            found = so.minimize(rosenbrock, start, method=method, jac=GRAD, hessp=HVP)
            np.testing.assert_allclose(found.x, 1, atol=5e-3)


@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell"])
def test_minimize_without(method):
    np.testing.assert_allclose(so.minimize(rosenbrock, X0[:2], method=method).x, 1, atol=5e-3)


def test_bounds_constraints_and_compiled_functions():
    found = so.minimize(gn.compile(rosenbrock), X0, jac=gn.compile(GRAD), method="L-BFGS-B", bounds=[(-2, 0.5)] * 3)
    assert found.success and found.x.max() <= 0.5
    square, slope = (lambda x: gn.sum(x**2)), gn.grad(lambda x: gn.sum(x**2))
    for both in (lambda x: gn.stack([x.sum() - 2.0, x[0] - x[1]]), lambda x: [x.sum() - 2.0, x[0] - x[1]]):
        limit = {"type": "eq", "fun": both, "jac": gn.jacobian(both)}
        found = so.minimize(square, X0, jac=slope, method="SLSQP", constraints=limit)
        np.testing.assert_allclose(found.x, 2 / 3, atol=1e-6)
    both = lambda x: gn.stack([x.sum() - 2.0, x[0] - x[1]])  # noqa: E731
    curved = lambda x, v: gn.hessian(lambda y: gn.sum(both(y) * v))(x)  # noqa: E731
    limit = so.NonlinearConstraint(both, 0, 0, jac=gn.jacobian(both), hess=curved)
    found = so.minimize(square, X0, jac=slope, hess=gn.hessian(square), method="trust-constr", constraints=[limit])
    np.testing.assert_allclose(found.x, 2 / 3, atol=1e-3)


def test_least_squares_and_roots():
    residual = lambda p: p[0] * np.arange(5.0) + p[1] - np.array([1.0, 3, 5, 7, 9])  # noqa: E731
    for method in ("trf", "dogbox", "lm"):
        found = so.least_squares(residual, [0.0, 0.0], jac=gn.jacobian(residual), method=method)
        np.testing.assert_allclose(found.x, [2, 1], atol=1e-6)
    listed = lambda p: [p[0] - 2, (p[1] - 1) * 3]  # noqa: E731
    np.testing.assert_allclose(so.least_squares(listed, [0.0, 0.0], jac=gn.jacobian(listed)).x, [2, 1], atol=1e-6)
    np.testing.assert_allclose(so.leastsq(residual, [0.0, 0.0], Dfun=gn.jacobian(residual))[0], [2, 1], atol=1e-6)
    equations = lambda x: gn.stack([x[0] ** 2 + x[1] - 3, x[0] - x[1] ** 2 + 3])  # noqa: E731
    for method in ("hybr", "lm"):
        found = so.root(equations, [1.0, 1.9], jac=gn.jacobian(equations), method=method).x
        np.testing.assert_allclose(equations(found).numpy(), 0, atol=1e-6)
    np.testing.assert_allclose(so.fsolve(equations, [1.0, 1.9], fprime=gn.jacobian(equations)), found, atol=1e-6)
    cubic = lambda x: x**3 - 2.0  # noqa: E731
    for method in ("newton", "halley"):
        root = so.root_scalar(cubic, x0=1.5, method=method, fprime=gn.grad(cubic), fprime2=gn.grad(gn.grad(cubic)))
        assert root.root == pytest.approx(2 ** (1 / 3))
    found = so.newton(cubic, np.array([1.5, 1.2]), fprime=gn.elementwise_grad(cubic))
    np.testing.assert_allclose(found, 2 ** (1 / 3))


def test_curve_fit_and_stiff_equations():
    si = pytest.importorskip("scipy.integrate")
    model = lambda x, a, b: a * gn.exp(-b * x)  # noqa: E731
    x = np.linspace(0, 3, 20)
    jac = lambda x, a, b: gn.jacobian(lambda p: model(x, p[0], p[1]))(np.array([a, b]))  # noqa: E731
    for given in (jac, None):
        found, _ = so.curve_fit(model, x, 2 * np.exp(-1.5 * x), p0=[1.0, 1.0], jac=given)
        np.testing.assert_allclose(found, [2, 1.5], rtol=1e-5)
    field = lambda t, y: gn.stack([-y[0] + y[1] * 0.5, -2 * y[1]])  # noqa: E731
    jac = lambda t, y: gn.jacobian(lambda v: field(t, v))(y)  # noqa: E731
    right = [1.5 * np.exp(-1) - 0.5 * np.exp(-2), np.exp(-2)]
    for method in ("RK45", "Radau", "BDF", "LSODA"):
        given = {} if method == "RK45" else {"jac": jac}
        found = si.solve_ivp(field, (0, 1), [1.0, 1.0], method=method, rtol=1e-7, atol=1e-9, **given)
        np.testing.assert_allclose(found.y[:, -1], right, rtol=1e-4)


def test_ufuncs_of_scipy():
    special = pytest.importorskip("scipy.special")
    x = np.array([-0.5, 0.25, 2.0])
    for function in (special.erf, special.erfc, special.expit, special.log_expit):
        gn.check_grads(lambda v, function=function: function(v), x)
        np.testing.assert_allclose(function(gn.tensor(x)).numpy(), function(x), rtol=1e-12)
    with pytest.raises(TypeError, match="has no counterpart"):
        special.gamma(gn.Parameter(x))


def test_plots_of_parameters():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    w = gn.Parameter([1.0, 2.0, 3.0])
    for y in (w, w * 2, gn.tensor([1.0, 2.0, 3.0])):
        (line,) = axes.plot(y)
        np.testing.assert_array_equal(line.get_ydata(), y.detach().numpy())
        axes.plot(y, y)
        axes.scatter(y, y, c=y)
        axes.hist(y)
        axes.bar([1, 2, 3], y)
        axes.barh(y, y)
        axes.fill_between([1, 2, 3], y)
        axes.errorbar(y, y, yerr=y)
        axes.axhline(y[0])
    axes.imshow(gn.Parameter(np.eye(3)))
    figure.canvas.draw()
    pyplot.close(figure)
