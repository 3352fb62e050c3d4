"""Complex numbers on the way from real variables to a real result: right gradients, or an error."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet.record import OPS

W = np.array([1.0 + 2.0j, -0.5 + 0.25j, 0.75 - 1.5j])
M = np.array([[1.0 + 1.0j, 2.0, -1.0j], [0.5, 1.5j, 1.0], [2.0 - 1.0j, 0.25, 1.0]])
Z = np.array([0.3, 0.8, 1.3, -0.6, 0.4, 0.9])

# Each op whose rules are said to be right for complex numbers, on z: complex numbers made of real variables.
CALLS = {
    "add": lambda z: z + W,
    "subtract": lambda z: W - z,
    "multiply": lambda z: z * W * z,
    "divide": lambda z: W / z + z / W,
    "power": lambda z: z**3 + z**0.5 + z ** (1 - 0.5j) + (0.5 + 1j) ** z,
    "negative": lambda z: -z,
    "positive": lambda z: +z,
    "conjugate": lambda z: z.conj() * z * z,
    "real": lambda z: gn.real(z) * W,
    "imag": lambda z: gn.imag(z) * W,
    "absolute": lambda z: gn.abs(z) * W,
    "square": gn.square,
    "sqrt": gn.sqrt,
    "reciprocal": gn.reciprocal,
    "where": lambda z: gn.where([True, False, True], z, z * z),
    "exp": gn.exp,
    "exp2": gn.exp2,
    "expm1": gn.expm1,
    "log": gn.log,
    "log2": gn.log2,
    "log10": gn.log10,
    "log1p": gn.log1p,
    "sin": gn.sin,
    "cos": gn.cos,
    "tan": gn.tan,
    "sinh": gn.sinh,
    "cosh": gn.cosh,
    "tanh": gn.tanh,
    "sum": lambda z: gn.sum(z * z, keepdims=True),
    "mean": lambda z: gn.mean(z * z),
    "prod": lambda z: gn.prod(z),
    "cumsum": lambda z: gn.cumsum(z * z),
    "identity": lambda z: gn.identity(z) * z,
    "astype": lambda z: gn.real(z).astype(complex) * z,
    "reshape": lambda z: gn.reshape(z * z, (3, 1)),
    "transpose": lambda z: gn.transpose((z * M).T) * z,
    "broadcast_to": lambda z: gn.broadcast_to(z * z, (2, 3)) * W,
    "concatenate": lambda z: gn.concatenate([z, z * z]),
    "stack": lambda z: gn.stack([z, z * z, np.ones(3)]),
    "pad": lambda z: gn.pad(z * z, 1),
    "flip": lambda z: gn.flip(z) * z,
    "roll": lambda z: gn.roll(z, 1) * z,
    "getitem": lambda z: z[np.array([0, 2, 0])] * z[1:2],
    "scatter_add": lambda z: gn.add_at(z, [0, 0, 2], z * z),
    "setitem": lambda z: gn.set_at(z * W, 1, z[0] * z[2]),
    "matmul": lambda z: (z @ M) @ z + M @ z,
    "einsum": lambda z: gn.einsum("i,ij,j->i", z, M, z),
    # What is written with these.
    "vdot": lambda z: gn.vdot(z, W * z),
    "norm": lambda z: gn.norm(z * W),
    "angle": lambda z: gn.angle(z),
    "outer": lambda z: gn.outer(z, z),
    "trace": lambda z: gn.outer(z, z).trace(),
    "tensordot": lambda z: gn.tensordot(z, M, 1),
    "list": lambda z: gn.sum([z[0], z[1] * z[2], 1j]),
    "a complex number of real ones": lambda z: gn.exp(1j * gn.imag(z)) * gn.real(z),
}
RULES = {"multiply_no_nan", "divide_no_nan"}  # what rules are written with


def test_every_op_that_says_so_is_tested():
    assert {name for name, op in OPS.items() if op.complex} - RULES <= set(CALLS)


def number(call, x):
    """A real number of all that `call` gives, with no symmetry that could hide a wrong sign."""
    z = x[:3] + 1j * x[3:]
    y = call(z)
    weights = np.linspace(1.0, 2.0, max(y.size, 1)).reshape(y.shape)
    return gn.sum(gn.real(y) * weights + gn.imag(y) * (0.5 - weights * weights)) + gn.sum(gn.abs(y))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_gradients_through_complex_numbers_to_second_order(call):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gn.check_grads(lambda x: number(call, x), Z, order=2, rtol=1e-5)
        p = gn.Parameter(Z)
        number(call, p).backward()
        np.testing.assert_allclose(p.grad.numpy(), gn.grad(lambda x: number(call, x))(Z).numpy(), rtol=1e-12)


def test_values_of_closed_form():
    assert gn.grad(lambda x: gn.abs(x * 1j))(2.0).item() == 1.0
    assert gn.grad(lambda x: gn.abs(gn.exp(1j * x) + 1))(1.0).item() == pytest.approx(-np.sin(0.5))
    assert gn.grad(lambda x: (x * 1j * x * -1j).real)(3.0).item() == pytest.approx(6.0)
    assert gn.grad(lambda x: np.abs(np.exp(1j * x) * x))(2.0).item() == pytest.approx(1.0)
    assert gn.grad(lambda x: gn.abs(x * (0 + 0j)))(2.0).item() == 0.0
    np.testing.assert_allclose(gn.hessian(lambda x: gn.abs(x[0] + 1j * x[1]) ** 2)([0.5, 2.0]).numpy(), 2 * np.eye(2))
    np.testing.assert_allclose(gn.jacobian(lambda x: gn.imag(1j**x))(np.ones(2)).numpy(), 0 * np.eye(2), atol=1e-15)


def test_dtypes():
    x = gn.tensor([1.0, 2.0], dtype="float32", requires_grad=True)
    y = x * 1j
    assert y.dtype == np.complex64 and gn.abs(y).dtype == np.float32
    gn.abs(y).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [1, 1]
    assert x.real.dtype == x.imag.dtype == np.float32 and np.iscomplexobj(y) and not np.iscomplexobj(x)


REFUSED = {
    "max": lambda z: gn.real(gn.max(z)),
    "std": gn.std,
    "var": gn.var,
    "maximum": lambda z: gn.real(gn.maximum(z, W)).sum(),
    "arctan": lambda z: gn.real(gn.arctan(z)).sum(),
    "custom": lambda z: gn.real(gn.custom_gradient(lambda v: (v * v, lambda g: 2 * g * v))(z)).sum(),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_what_is_not_known_to_be_right_is_refused(call):
    f = lambda x: call(x * W)  # noqa: E731
    x = np.array([1.0, 2.0, 3.0])
    assert np.isfinite(f(gn.tensor(x)).numpy())
    for derivative in (gn.grad(f), gn.hessian(f), lambda v: f(gn.Parameter(v)).backward()):
        with pytest.raises(TypeError, match=r"gradients of complex numbers are not known.*gn\.real"):
            derivative(x)


def test_refused_at_once():
    for f, text in (
        (lambda z: gn.sign(z), r"x / gn\.abs\(x\)"),
        (lambda z: z.astype(float), r"has no imaginary part"),
        (lambda z: gn.sum(z), "take gn.real, gn.imag or gn.abs"),
    ):
        with pytest.raises(TypeError, match=text):
            gn.grad(lambda x, f=f: f(x * W))(np.ones(3))
    with pytest.raises(TypeError, match="floating-point"):
        gn.grad(gn.abs)(1j)


def test_compiled():
    f = lambda x: gn.abs(gn.exp(1j * x) + 1)  # noqa: E731
    assert gn.compile(f)(np.float64(1.0)).item() == pytest.approx(2 * np.cos(0.5))
    for derivative in (gn.compile(gn.grad(f)), gn.grad(gn.compile(f))):
        with pytest.raises(TypeError, match="in a graph or a compiled function"):
            derivative(np.float64(1.0))


@pytest.mark.parametrize("k", [1 + 0j, 0j, -1 + 0j, 2j, complex(0.0, -0.0)])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, k: gn.real(x * k),
        lambda x, k: gn.abs(x + k),
        lambda x, k: gn.abs(x - k),
        lambda x, k: gn.abs(x ** (k + 1)),
        lambda x, k: gn.angle(gn.tensor(np.array([k, -k, k.conjugate()])) * x),
    ],
)
def test_complex_constants_in_graphs_and_plans(f, k):
    x = np.array([1.0, 2.0, 3.0])
    expected = f(gn.tensor(x), k).numpy()
    for way in (gn.trace(f, x, k).simplify(), gn.trace(f, x, k).compile(backend="numpy")):
        np.testing.assert_allclose(way(x).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(gn.compile(f, backend="numpy")(x, k).numpy(), expected, rtol=1e-12)
