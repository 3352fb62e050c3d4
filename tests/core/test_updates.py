"""Updates that are one matrix product: found in the training steps of `nn`, and declined where they are none."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.ops.arithmetic import times
from graphnet.plans.rewrite.updates import product_update, product_updates

A, B = np.arange(6.0).reshape(3, 2) - 2, np.arange(8.0).reshape(2, 4) / 3


def training_step(optimizer, **dense):
    """The graph of one training step of two layers, simplified, and arguments for it."""
    nn.set_random_seed(1)
    layers = [nn.Dense(7, activation="relu", **dense), nn.Dense(3, activation="softmax", **dense)]
    model = nn.Sequential([nn.Input((5,)), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 5)).astype("float32"), np.array([0, 2, 1, 1])
    model.fit(x, y, epochs=1, batch_size=4, verbose=0)
    step = gn.trace(lambda x, y: model.steps.train_step(x, y, None), gn.tensor(x), gn.tensor(y))
    return step.simplify(), (x, y)


def carried_out(graph, p, update, arguments):
    """The new value of p by the product, and by the graph."""
    new = dict(graph.updates)[p]
    parts = gn.Graph(graph.inputs, [update.alpha, update.beta, update.a, update.b, p, new])(*arguments)
    alpha, beta, a, b, old, expected = (t.numpy() for t in parts)
    assert alpha.shape == beta.shape == () and alpha.dtype == beta.dtype == p.dtype
    return beta * old + alpha * (a @ b), expected


PLAIN = {
    "sgd": (lambda: nn.optimizers.SGD(0.1), {}),
    "sgd with a schedule": (lambda: nn.optimizers.SGD(lambda n: 0.1 / (n + 1.0)), {}),
    "sgd with L2": (lambda: nn.optimizers.SGD(0.1), {"kernel_regularizer": nn.regularizers.L2(0.02)}),
    "sgd with Ridge": (lambda: nn.optimizers.SGD(0.1), {"kernel_regularizer": nn.regularizers.Ridge(0.02)}),
    "sgd with decay": (lambda: nn.optimizers.SGD(0.1, weight_decay=0.3), {}),
    "sgd with both": (lambda: nn.optimizers.SGD(0.1, weight_decay=0.3), {"kernel_regularizer": "l2"}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_gradient_descent_is_one_product_per_weight_matrix(name):
    optimizer, dense = PLAIN[name]
    graph, arguments = training_step(optimizer(), **dense)
    found = product_updates(graph)
    matrices = [p for p, t in graph.updates if p.ndim == 2]
    assert list(found) == matrices and len(matrices) == 2
    for p, update in found.items():
        product, expected = carried_out(graph, p, update, arguments)
        np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-7)
        new = dict(graph.updates)[p]
        assert new in update.nodes and update.product in update.nodes
        single = product_update(graph, p, new)
        assert single is not None and single.nodes == update.nodes
    first, second = found.values()
    assert first.alpha is second.alpha and first.beta is second.beta


OTHERS = {
    "momentum": (lambda: nn.optimizers.SGD(0.1, momentum=0.9), {}),
    "nesterov": (lambda: nn.optimizers.SGD(0.1, momentum=0.9, nesterov=True), {}),
    "adam": (lambda: nn.optimizers.Adam(0.1), {}),
    "rmsprop": (lambda: nn.optimizers.RMSprop(0.1), {}),
    "clipvalue": (lambda: nn.optimizers.SGD(0.1, clipvalue=0.5), {}),
    "clipnorm": (lambda: nn.optimizers.SGD(0.1, clipnorm=0.5), {}),
    "global_clipnorm": (lambda: nn.optimizers.SGD(0.1, global_clipnorm=0.5), {}),
    "L1": (lambda: nn.optimizers.SGD(0.1), {"kernel_regularizer": nn.regularizers.L1(0.02)}),
    "constraint": (lambda: nn.optimizers.SGD(0.1), {"kernel_constraint": lambda w: gn.maximum(w, 0.0)}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_steps_are_not(name):
    optimizer, dense = OTHERS[name]
    graph, _ = training_step(optimizer(), **dense)
    assert product_updates(graph) == {}


def written(f, simplified=True):
    """The graph of the update of a 3x4 parameter by `f(p, a, b, s)`."""
    p = gn.Parameter(np.linspace(-1, 1, 12).reshape(3, 4), name="p")
    graph = gn.trace(lambda a, b, s: p.assign(f(p, a, b, s)), A, B, np.array(0.7))
    return p, graph.simplify() if simplified else graph


FORMS = {
    "product alone": lambda p, a, b, s: a @ b,
    "number times product": lambda p, a, b, s: 0.5 * (a @ b),
    "sum": lambda p, a, b, s: p + a @ b,
    "difference": lambda p, a, b, s: a @ b - p,
    "nested": lambda p, a, b, s: p - s * (a @ b + (0.3 * p + 0.3 * p)) / 2.0,
    "signs": lambda p, a, b, s: -(s * (-p) - (-(a @ b))),
    "scalars": lambda p, a, b, s: s * (s * (p - s * (a @ b)) + p * gn.sin(s)),
    "full arrays": lambda p, a, b, s: p * np.full((3, 4), 0.9) - np.full((3, 4), 0.1) * (a @ b),
    "broadcast scalars": lambda p, a, b, s: p - gn.broadcast_to(s, (3, 4)) * (a @ b),
    "zero-safe": lambda p, a, b, s: p - times(s, a @ b),
    "transposed": lambda p, a, b, s: p - s * (b.T @ a.T).T,
    "transposed within": lambda p, a, b, s: p - (s * (2.0 * (b.T @ a.T))).T,
    "twice the product": lambda p, a, b, s: p - a @ b - s * (a @ b),
}


@pytest.mark.parametrize("simplified", [True, False])
@pytest.mark.parametrize("name", FORMS)
def test_sums_of_multiples_in_any_nesting(name, simplified):
    p, graph = written(FORMS[name], simplified)
    update = product_update(graph, p, dict(graph.updates)[p])
    if name == "twice the product" and not simplified:
        assert update is None
        return
    product, expected = carried_out(graph, p, update, (A, B, 0.7))
    np.testing.assert_allclose(product, expected, rtol=1e-13)


NOT_FORMS = {
    "no product": lambda p, a, b, s: p * s,
    "two products": lambda p, a, b, s: p - a @ b - (2.0 * a) @ b,
    "something else": lambda p, a, b, s: p - a @ b + gn.sin(p),
    "a constant": lambda p, a, b, s: p - a @ b + 1.0,
    "not a scalar": lambda p, a, b, s: p * b[0] - a @ b,
    "quadratic": lambda p, a, b, s: p * p - a @ b,
    "cancelled": lambda p, a, b, s: p + a @ b - a @ b,
    "divided by a scalar": lambda p, a, b, s: p - a @ b / s,
    "the product of p itself": lambda p, a, b, s: p - p @ np.eye(4),
    "of a view of p": lambda p, a, b, s: p - p.T.reshape((3, 4)) @ np.eye(4),
    "p transposed": lambda p, a, b, s: (p.T.reshape((4, 3)) + (a @ b).T).T,
}


@pytest.mark.parametrize("name", NOT_FORMS)
def test_anything_else_is_declined(name):
    p, graph = written(NOT_FORMS[name])
    assert product_update(graph, p, dict(graph.updates)[p]) is None


def test_what_is_needed_elsewhere_is_not_taken_away():
    for reads in (lambda m, n: m.sum(), lambda m, n: m, lambda m, n: n, lambda m, n: n.sum(), lambda m, n: 0.9 * m):
        p = gn.Parameter(np.zeros((3, 4)))

        def step(a, b, p=p, reads=reads):
            m = a @ b
            new = p - 0.9 * m
            p.assign(new)
            return reads(m, new)

        graph = gn.trace(step, A, B).simplify()
        assert product_updates(graph) == {}


def test_deep_expressions_take_no_time_and_no_stack():
    def doubled(p, a, b, s):
        x = p - a @ b
        for _ in range(40):
            x = x + x
        return x

    p, graph = written(doubled)
    update = product_update(graph, p, dict(graph.updates)[p])
    assert update.beta.numpy() == 2.0**40

    def long(p, a, b, s):
        x = p - a @ b
        for _ in range(3000):
            x = x + p
        return x

    p, graph = written(long)
    assert product_update(graph, p, dict(graph.updates)[p]) is None
