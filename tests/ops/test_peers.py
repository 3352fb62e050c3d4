"""Gradients beside an outside framework, where one is installed: `pip install torch` (or jax) to run this."""

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

ANY = np.array([[-1.7, -0.6, 0.3], [0.9, 1.4, 2.2]])
POSITIVE = np.abs(ANY) + 0.2
UNIT = ANY / 3

CASES = {
    **{
        name: (getattr(gn, name), getattr(torch, name), [ANY])
        for name in "exp expm1 sin cos tan tanh sinh cosh erf".split()
    },
    **{name: (getattr(gn, name), getattr(torch, name), [POSITIVE]) for name in "log log1p log2 log10 sqrt".split()},
    **{
        name: (getattr(gn, name), getattr(torch, name), [UNIT])
        for name in "arcsin arccos arctanh arctan arcsinh".split()
    },
    "softplus": (gn.softplus, torch.nn.functional.softplus, [ANY]),
    "log_sigmoid": (gn.log_sigmoid, torch.nn.functional.logsigmoid, [ANY]),
    "gelu": (gn.gelu, torch.nn.functional.gelu, [ANY]),
    "gelu tanh": (
        lambda x: gn.gelu(x, approximate=True),
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        [ANY],
    ),
    "silu": (gn.silu, torch.nn.functional.silu, [ANY]),
    "mish": (gn.mish, torch.nn.functional.mish, [ANY]),
    "elu": (gn.elu, torch.nn.functional.elu, [ANY]),
    "selu": (gn.selu, torch.nn.functional.selu, [ANY]),
    "relu": (gn.relu, torch.relu, [ANY]),
    "power": (gn.power, torch.pow, [POSITIVE, ANY]),
    "arctan2": (gn.arctan2, torch.atan2, [ANY, POSITIVE]),
    "logaddexp": (gn.logaddexp, torch.logaddexp, [ANY, POSITIVE]),
    "softmax": (gn.softmax, lambda x: torch.softmax(x, -1), [ANY]),
    "log_softmax": (gn.log_softmax, lambda x: torch.log_softmax(x, -1), [ANY]),
    "logsumexp": (lambda x: gn.logsumexp(x, axis=0), lambda x: torch.logsumexp(x, 0), [ANY]),
    "std": (lambda x: gn.std(x, axis=1, ddof=1), lambda x: torch.std(x, 1), [ANY]),
    "prod": (lambda x: gn.prod(x, axis=1), lambda x: torch.prod(x, 1), [ANY]),
    "cumsum": (lambda x: gn.cumsum(x, axis=1), lambda x: torch.cumsum(x, 1), [ANY]),
    "norm": (gn.norm, torch.linalg.norm, [ANY]),
    "matmul": (gn.matmul, torch.matmul, [ANY, ANY.T.copy()]),
    "einsum": (
        lambda a, b: gn.einsum("ij,kj->ik", a, b),
        lambda a, b: torch.einsum("ij,kj->ik", a, b),
        [ANY, POSITIVE],
    ),
    "max": (lambda x: gn.max(x, axis=1), lambda x: torch.amax(x, 1), [ANY]),
    "max of ties": (lambda x: gn.max(x, axis=1), lambda x: torch.amax(x, 1), [np.ones((2, 3))]),
    "maximum of ties": (gn.maximum, torch.maximum, [ANY, ANY]),
    "repeated index": (lambda x: x[:, [0, 2, 2]], lambda x: x[:, [0, 2, 2]], [ANY]),
    # Not at a bound itself, where the slope is 1 here and 0 in PyTorch 2.14.
    "clip": (lambda x: gn.clip(x, -0.61, 0.91), lambda x: torch.clamp(x, -0.61, 0.91), [ANY]),
}


@pytest.mark.parametrize(("ours", "theirs", "points"), [pytest.param(*case, id=name) for name, case in CASES.items()])
def test_first_and_second_derivatives_are_pytorchs(ours, theirs, points):
    xs = [gn.tensor(p, requires_grad=True) for p in points]
    ts = [torch.tensor(p, requires_grad=True) for p in points]
    y, t = ours(*xs), theirs(*ts)
    np.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=1e-12, atol=1e-14)
    weights = np.random.default_rng(0).standard_normal(y.shape)
    first = gn.gradients((y * weights).sum(), xs)
    expected = torch.autograd.grad((t * torch.tensor(weights)).sum(), ts, create_graph=True)
    for g, e in zip(first, expected, strict=True):
        np.testing.assert_allclose(g.numpy(), e.detach().numpy(), rtol=1e-10, atol=1e-13)
    again = sum((gn.sin(g) * 1.3).sum() for g in first)
    total = sum((torch.sin(e) * 1.3).sum() for e in expected)
    if total.requires_grad:
        second = torch.autograd.grad(total, ts, allow_unused=True)
        for g, e in zip(gn.gradients(again, xs), second, strict=True):
            np.testing.assert_allclose(g.numpy(), np.zeros(g.shape) if e is None else e.numpy(), rtol=1e-9, atol=1e-12)
