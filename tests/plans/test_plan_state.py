"""Parameters in plans: what is read after an assignment, what gradients are taken of, what outputs are made of."""

import numpy as np
import pytest
from backends import each_backend

import graphnet as gn
from graphnet import nn

X = np.array([1.0, -2.0])


def parameters():
    return gn.Parameter([1.0, 2.0], name="w"), gn.Parameter([5.0, 7.0], name="v")


def moved(w, x):
    w.assign(w * 2.0 + x)


def after(read):
    """A function that assigns to w, and then reads it."""

    def f(x, w, v):
        moved(w, x)
        return read(x, w, v)

    return f


def swapped(x, w, v):
    old = w * 1.0
    w.assign(v)
    v.assign(old)
    return w, v


def own_value_back(x, w, v):
    moved(w, x)
    w.assign(w)
    return w * 1.0


def first_value_back(x, w, v):
    first = w * 1.0
    moved(w, x)
    w.assign(first)
    return w


def assigned_again(x, w, v):
    moved(w, x)
    v.assign(w + 1.0)
    moved(w, x)
    return w, v


def read_between(x, w, v):
    before = w * 1.0
    moved(w, x)
    between = w * 1.0
    moved(w, x)
    return before, between, w


def into_a_graph(x, w, v):
    inner = gn.trace(lambda a: (w, a * w), X)
    moved(w, x)
    found = inner(x)
    moved(w, x)
    return found


def updates_in_a_graph(x, w, v):
    def swap(a):
        w.assign(v)
        v.assign(w + a)

    inner = gn.trace(swap, X)
    inner(x)
    return w, v


READS = {
    "itself": after(lambda x, w, v: w),
    "in a list": after(lambda x, w, v: [w, w * 2.0]),
    "in a dict": after(lambda x, w, v: {"w": w, "rest": (v, w)}),
    "by an op": after(lambda x, w, v: w * x),
    "by another assignment": after(lambda x, w, v: (v.assign(w), v)[1]),
    "by a checkpoint": after(lambda x, w, v: gn.checkpoint(lambda q: q * 1.0)(w)),
    "by a checkpoint that gives it": after(lambda x, w, v: gn.checkpoint(lambda q: w)(x)),
    "by a gradient of one's own": after(lambda x, w, v: gn.custom_gradient(lambda q: (q, lambda g: g))(w)),
    "by a function of a gradient's own": after(lambda x, w, v: gn.custom_gradient(lambda q: (w, lambda g: g))(x)),
    "as a start of a loop": after(lambda x, w, v: gn.scan(lambda c, r: (c + r, c * w), w, np.ones((3, 2)))),
    "as a result of a loop": after(lambda x, w, v: gn.scan(lambda c, r: (w, c), x * 1.0, np.ones((3, 2)))),
    "stacked": after(lambda x, w, v: gn.stack([w, v])),
    "by a gradient": after(lambda x, w, v: gn.gradients((w * w * x).sum(), w)),
    "by gradients of several": after(lambda x, w, v: gn.gradients((w * v * x).sum(), [w, v])),
    "by grad": after(lambda x, w, v: gn.grad(lambda q: (q * q * x).sum())(w)),
    "as another's start": after(lambda x, w, v: gn.gradients((w * w).sum() + (v * w).sum(), v)),
    "swapped": swapped,
    "its own value": own_value_back,
    "its first value": first_value_back,
    "again": assigned_again,
    "between": read_between,
    "a graph": into_a_graph,
    "a graph's updates": updates_in_a_graph,
}


def flat(value):
    if isinstance(value, dict):
        return [a for part in value.values() for a in flat(part)]
    if isinstance(value, (tuple, list)):
        return [a for part in value for a in flat(part)]
    return [np.array(value.numpy())]


def equal(found, expected):
    for a, b in zip(flat(found), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@each_backend
@pytest.mark.parametrize("f", READS.values(), ids=READS)
def test_what_a_parameter_is_after_an_assignment(f, backend):
    w, v = parameters()
    expected = [flat(f(gn.tensor(X), w, v)) for _ in range(3)]
    left = flat([w, v])
    w, v = parameters()
    compiled = gn.compile(lambda x: f(x, w, v), backend=backend)
    for right in expected:
        equal(compiled(X), right)
    equal([w, v], left)
    w, v = parameters()
    graph = gn.trace(lambda x: f(x, w, v), X)
    for right in expected:
        equal(graph(X), right)
    equal([w, v], left)


def test_a_gradient_of_what_was_assigned_since_raises_eagerly_and_in_a_trace():
    w, v = parameters()

    def f(x):
        loss = (w * w * x).sum()
        moved(w, x)
        return gn.gradients(loss, w)

    with pytest.raises(RuntimeError, match="parameter 'w' was changed"):
        f(gn.tensor(X))
    with pytest.raises(RuntimeError, match="parameter 'w' was assigned after the output used it"):
        gn.compile(f)(X)

    def twice(x):
        moved(w, x)
        loss = (w * w * x).sum()
        moved(w, x)
        return gn.gradients(loss, w)

    with pytest.raises(RuntimeError, match="parameter 'w' was assigned after the output used it"):
        gn.compile(twice)(X)

    def others(x):
        loss = (w * v * x).sum()
        moved(w, x)
        return gn.gradients(loss, v)

    before = w.numpy()
    np.testing.assert_array_equal(gn.compile(others)(X).numpy(), before * X)
    np.testing.assert_array_equal(w.numpy(), before * 2 + X)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_gradient_never_uses_a_parameters_later_value(trainable):
    p = gn.Parameter([3.0, 4.0], name="p", trainable=trainable)
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    for f in (lambda: x * p, lambda: gn.matmul(x, p), lambda: gn.scan(lambda c, r: (c * r, None), p, x[:, None])[0]):
        y = f().sum()
        p.assign(p + 1.0)
        with pytest.raises(RuntimeError, match="'p' was changed after"):
            gn.gradients(y, x)
        np.testing.assert_array_equal(gn.gradients(f().sum(), x).shape, (2,))
    # A sum's gradient needs no value.
    y = (x + p).sum()
    p.assign(p + 1.0)
    np.testing.assert_array_equal(gn.gradients(y, x).numpy(), [1, 1])


def test_the_gradient_of_a_graph_is_taken_where_its_parameters_are_now():
    w, _ = parameters()
    x = gn.input((2,), "float64")
    graph = gn.Graph([x], (x * w * w).sum())
    w.assign([10.0, 20.0])
    np.testing.assert_array_equal(graph.gradient(x)(X).numpy(), [100, 400])


def test_a_stateful_layers_gradient_is_that_of_the_state_it_began_with():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(3, 4, 2, 3)).astype("f")  # (batches, batch, time, features)

    def slopes(run):
        layer = nn.GRU(2, stateful=True, seed=1)
        layer(data[0])
        layer.reset_states()
        for n, w in enumerate(layer.weights):
            w.assign(np.cos(np.arange(w.size) + n).reshape(w.shape) * 0.5)
        return run(layer)

    def eager(layer):
        found = []
        for batch in data:
            loss = gn.square(layer(batch)).sum()
            found.append([g.numpy() for g in gn.gradients(loss, layer.trainable_weights)])
        return found

    def by_hand(layer):
        found, state = [], gn.zeros((4, 2), dtype="float32")
        plain = nn.GRU(2)
        plain(data[0])
        plain.set_weights(layer.get_weights())
        for batch in data:
            y = plain(batch, initial_state=state)
            state = y.detach()
            found.append([g.numpy() for g in gn.gradients(gn.square(y).sum(), plain.trainable_weights)])
        return found

    def compiled(layer):
        step = gn.compile(lambda b: gn.gradients(gn.square(layer(b)).sum(), layer.trainable_weights))
        return [[g.numpy() for g in step(batch)] for batch in data]

    expected = slopes(by_hand)
    for run in (eager, compiled):
        for found, right in zip(slopes(run), expected, strict=True):
            for a, b in zip(found, right, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@each_backend
def test_a_stateful_loop_that_is_compiled_at_its_first_batch_remembers(backend):
    x = np.random.default_rng(1).normal(size=(2, 6, 3)).astype("f")
    for make in (nn.SimpleRNN, nn.LSTM, nn.GRU):
        whole = make(4, return_sequences=True)
        expected = whole(x).numpy()
        layer = make(4, return_sequences=True, stateful=True)
        layer.build((None, None, 3))
        layer.set_weights(whole.get_weights())
        call = gn.compile(lambda b, layer=layer: layer(b), backend=backend)
        found = np.concatenate([call(x[:, i : i + 2]).numpy() for i in range(0, 6, 2)], axis=1)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_results_are_no_views_of_arguments_or_of_later_results(everywhere):
    w, _ = parameters()
    a = np.arange(4.0)
    for f in (lambda x: x, lambda x: gn.reshape(x, (2, 2)), lambda x: x[1:], lambda x: (w, x, x.T, w[:1])):
        for call in (gn.trace(f, a), gn.compile(f)):
            first = call(a)
            kept = flat(first)
            a += 1.0
            w.assign(w + 1.0)
            call(a)
            equal(first, kept)
