"""What a history keeps of the caller's arrays is a copy: writing to them later changes no value and no gradient."""

import numpy as np
import pytest

import graphnet as gn

X = np.array([1.0, 2.0])


class Mine(np.ndarray):
    """An array of a class of one's own."""


def torch_tensor(a):
    return pytest.importorskip("torch").from_numpy(a)


def series(a):
    return pytest.importorskip("pandas").Series(a, copy=False)


KINDS = {
    "array": lambda a: a,
    "view": lambda a: a[::1],
    "reversed": lambda a: a[::-1],
    "subclass": lambda a: a.view(Mine),
    "memoryview": memoryview,
    "pandas": series,
    "torch": torch_tensor,
}
USES = {
    "multiply": lambda t, a: gn.multiply(t, a).sum(),
    "reflected": lambda t, a: gn.multiply(a, t).sum(),
    "power": lambda t, a: gn.power(t, a).sum(),
    "dot": gn.dot,
    "matmul": lambda t, a: gn.matmul(a, t),
    "outer": lambda t, a: gn.outer(t, a).sum(),
    "tensordot": lambda t, a: gn.tensordot(t, a, 1),
    "einsum": lambda t, a: gn.einsum("i,i->", t, a),
    "stack": lambda t, a: (gn.stack([t, a]) * gn.stack([a, t])).sum(),
    "concatenate": lambda t, a: (gn.concatenate([t, a]) * gn.concatenate([a, a])).sum(),
    "where": lambda t, a: gn.where(gn.greater(a, 1.0), t, t * 3.0).sum(),
    "a view": lambda t, a: (t * gn.reshape(a, (2,))).sum(),
    "views of views": lambda t, a: (t * gn.transpose(gn.reshape(gn.identity(a), (1, 2)))[:, 0]).sum(),
    "broadcast": lambda t, a: (t * gn.broadcast_to(a, (3, 2))).sum(),
    "loss": lambda t, a: gn.nn.losses.mean_squared_error(a, t).sum(),
    "checkpoint": lambda t, a: gn.checkpoint(lambda t, a: gn.exp(gn.multiply(t, a)))(t, a).sum(),
    "custom_gradient": lambda t, a: gn.custom_gradient(lambda t, a: (t * a, lambda g: (g * a, None)))(t, a).sum(),
    "scan, xs": lambda t, a: gn.scan(lambda c, r: (c + r * t.sum() * t.sum(), None), gn.tensor(0.0), a)[0],
    "scan, carry": lambda t, a: gn.scan(lambda c, r: (c * r, None), a, t)[0].sum(),
    "graph": lambda t, a: gn.trace(lambda t, a: (t * a).sum(), X, X)(t, np.asarray(a)),
    "compile": lambda t, a: gn.compile(lambda t, a: (t * a).sum())(t, np.asarray(a)),
    "compile, outside": lambda t, a: gn.compile(lambda t: gn.multiply(t, a).sum())(t),
    "inside another derivative": lambda t, a: gn.grad(lambda v: gn.multiply(v * v * t, a).sum())(X).sum(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", USES)
def test_writing_to_an_array_changes_no_gradient(use, kind):
    found = []
    for write in (False, True):
        a = np.array([1.0, 3.0])
        t = gn.tensor(X, requires_grad=True)
        y = USES[use](t, KINDS[kind](a))
        value = y.item()
        if write:
            a[:] = 100.0
        assert y.item() == value
        y.backward()
        found.append(t.grad.numpy())
    np.testing.assert_array_equal(*found)


CALLS = {
    "vjp": lambda a: (lambda p: lambda: p(np.ones(2))[0])(gn.vjp(lambda v: v**3, a)[1]),
    "vjp, its value": lambda a: (lambda y: lambda: y)(gn.vjp(lambda v: v, a)[0]),
    "vjp, its gradient": lambda a: (lambda g: lambda: g)(gn.vjp(lambda v: v, X)[1](a)[0]),
    "vjp, from outside": lambda a: (lambda p: lambda: p(np.ones(2))[0])(gn.vjp(lambda v: v * a, X)[1]),
    "vjp, with aux": lambda a: (lambda aux: lambda: aux)(gn.vjp(lambda v: (v, v), a, has_aux=True)[2]),
    "vjp, of a list": lambda a: (lambda p: lambda: p(np.ones(2))[0]["a"][0])(
        gn.vjp(lambda v: v["a"][0] ** 3, {"a": [a]})[1]
    ),
    "value_and_grad": lambda a: (lambda y: lambda: y)(gn.value_and_grad(lambda v: v[0])(a)[0]),
    "grad": lambda a: (lambda g: lambda: g)(gn.grad(lambda v: (v * gn.stop_gradient(v)).sum())(a)),
    "jvp": lambda a: (lambda g: lambda: g)(gn.jvp(lambda v: v, (X,), (a,))[1]),
    "jvp, its value": lambda a: (lambda y: lambda: y)(gn.jvp(lambda v: v, (a,), (X,))[0]),
    "gradients": lambda a: (lambda g: lambda: g)((lambda p: gn.gradients(p * 1.0, p, a))(gn.Parameter(X))),
    "backward": lambda a: (lambda p: ((p * 1.0).backward(a), lambda: p.grad)[1])(gn.Parameter(X)),
    "compile": lambda a: (lambda y: lambda: y)(gn.compile(lambda v: v)(a)),
    "graph": lambda a: (lambda y: lambda: y)(gn.trace(lambda v: gn.reshape(v, (1, 2)), X)(a)),
    "scan": lambda a: (lambda y: lambda: y)(gn.scan(lambda c, r: (c, r), gn.tensor(0.0), a)[1]),
    "a view": lambda a: (lambda y: lambda: y)(gn.reshape(a, (1, 2))),
    "identity": lambda a: (lambda y: lambda: y)(gn.identity(a)),
    "checkpoint": lambda a: (lambda y: lambda: y)(gn.checkpoint(lambda v: v)(a)),
    "custom_gradient": lambda a: (lambda y: lambda: y)(gn.custom_gradient(lambda v: (v, lambda g: g))(a)),
}


@pytest.mark.parametrize("call", CALLS)
def test_writing_to_an_argument_changes_nothing_that_came_of_it(call):
    a = np.array([1.0, 3.0])
    right = CALLS[call](a)().numpy().copy()
    found = CALLS[call](a)
    a[:] = 100.0
    np.testing.assert_array_equal(found().numpy(), right)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_writing_to_a_batch_changes_no_gradient_of_a_layer(dtype):
    layers = [
        gn.nn.Dense(3),
        gn.nn.BatchNormalization(),
        gn.nn.Sequential([gn.nn.Reshape((4, 1)), gn.nn.LSTM(2)]),
        gn.nn.Sequential([gn.nn.Reshape((4, 1)), gn.nn.Conv1D(2, 2)]),
        gn.nn.Sequential([gn.nn.Flatten(), gn.nn.Dense(2)]),
    ]
    for layer in layers:
        found = []
        layer(np.ones((2, 4), dtype))
        for write in (False, True):
            a = np.arange(8.0, dtype=dtype).reshape(2, 4)
            y = (layer(a) ** 2).sum()
            if write:
                a[:] = 100.0
            y.backward()
            found.append([w.grad.numpy() for w in layer.trainable_weights])
            for w in layer.trainable_weights:
                w.grad = None
        for before, after in zip(*found, strict=True):
            np.testing.assert_array_equal(before, after)


def test_indices_and_masks_are_copied():
    for use in (
        lambda t, i, m: (t[i] * np.array([1.0, 10.0])).sum(),
        lambda t, i, m: (gn.take(t, i) * np.array([1.0, 10.0])).sum(),
        lambda t, i, m: (gn.take_along_axis(t, i, 0) * np.array([1.0, 10.0])).sum(),
        lambda t, i, m: t[m].sum() + gn.where(m, t * 2.0, 0.0).sum(),
        lambda t, i, m: (gn.set_at(t, i, t * 3.0) * t).sum(),
    ):
        found = []
        for write in (False, True):
            i, m = np.array([1, 0]), np.array([True, False])
            t = gn.tensor(X, requires_grad=True)
            y = use(t, i, m)
            if write:
                i[:], m[:] = 0, True
            y.backward()
            found.append(t.grad.numpy())
        np.testing.assert_array_equal(*found)


def test_a_parameter_that_moved_is_no_part_of_a_pullback():
    p = gn.Parameter([3.0, 4.0], name="p")
    _, pullback = gn.vjp(lambda v: v * p, np.ones(2))
    p.assign([9.0, 9.0])
    with pytest.raises(RuntimeError, match="the parameter 'p' was changed after multiply"):
        pullback(np.ones(2))
    # What is differentiated itself was read when the function ran.
    for change in (lambda q: q.assign([9.0, 9.0]), lambda q: q.touched().fill(9.0)):
        q = gn.Parameter([3.0, 4.0])
        _, pullback = gn.vjp(lambda v: v**2, q)
        change(q)
        np.testing.assert_array_equal(pullback(np.ones(2))[0].numpy(), [6, 8])
