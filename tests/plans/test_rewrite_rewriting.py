"""The sweep that asks rules, what a rule may do, and what is known of a constant."""

import numpy as np
import pytest
from rewrites import identical, names, node, values

import graphnet as gn
from graphnet.apply import made
from graphnet.node import constant
from graphnet.plans.rewrite import rewritten, rooted, share
from graphnet.plans.rewrite.rewriting import Rules, fitting, is_constant, remade, the_number

X = gn.input((2, 3), "float64", name="x")
Y = gn.input((2, 3), "float64", name="y")


def test_a_constant_is_data_that_stays():
    assert is_constant(constant(np.ones(2))) and is_constant(gn.tensor(2))
    for other in (
        X,
        X * 2.0,
        gn.Parameter(1.0),
        gn.Parameter(1.0, trainable=False),
        gn.tensor(1.0, requires_grad=True),
    ):
        assert not is_constant(other) and the_number(other) is None


NUMBERS = {
    "a number": (np.array(2.5), 2.5),
    "a whole number": (np.full((2, 2), 3), 3),
    "a truth value": (np.full(3, True), True),
    "full": (np.full((2, 2), -0.3, np.float32), np.float32(-0.3)),
    "one": (np.array([7.0]), 7.0),
    "zeros": (np.zeros(3), 0.0),
    "negative zeros": (-np.zeros(3), -0.0),
    "NaN": (np.full(3, np.nan), np.nan),
    "infinity": (np.full(3, np.inf), np.inf),
    "a complex number": (np.array(1j), 1j),
    "different": (np.array([1.0, 2.0]), None),
    "different whole numbers": (np.array([1, 2]), None),
    "the last": (np.array([1.0, 1.0, 2.0]), None),
    "zeros of both signs": (np.array([0.0, -0.0]), None),
    "zeros of both signs, the other first": (np.array([-0.0, 0.0]), None),
    "NaN first": (np.array([np.nan, 1.0]), None),
    "NaN last": (np.array([1.0, np.nan]), None),
    "both infinities": (np.array([np.inf, -np.inf]), None),
    "complex numbers": (np.full(2, 1j), None),
    "nothing": (np.zeros(0), None),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_number_that_an_array_is(name):
    array, expected = NUMBERS[name]
    found = the_number(constant(array))
    if expected is None:
        assert found is None
    else:
        assert found.shape == () and found.dtype == array.dtype
        identical([found], [np.asarray(expected, array.dtype)])


def test_what_fits_has_the_shape_and_the_dtype():
    assert fitting(X, Y) is Y
    assert fitting(X, X[0]) is None and fitting(X, X.astype("float32")) is None


def test_rules_are_asked_in_their_order_about_their_ops():
    asked = []
    rules = Rules()

    def rule(name, *about, answer=None):
        @rules.on(*about)
        def one(node, inputs):
            asked.append((name, node.op.name))
            return answer(node, inputs) if answer else None

    rule("exp", gn.exp)
    rule("elementwise", "elementwise")
    rule("all")
    rule("sum and exp", gn.sum, gn.exp)
    rewritten(gn.Graph([X], gn.sum(gn.exp(X))), rules)
    every = [("exp", "exp"), ("elementwise", "exp"), ("all", "exp"), ("sum and exp", "exp")]
    assert asked == [*every, ("all", "sum"), ("sum and exp", "sum")]
    # The first that answers is the last that is asked; one that is added later is asked too.
    asked.clear()
    rule("late", gn.exp, answer=lambda node, inputs: made(gn.sin.op, inputs, {}))
    rule("too late", gn.exp)
    assert names(rewritten(gn.Graph([X], gn.exp(X)), rules)) == ["sin"]
    assert asked == [*every, ("late", "exp"), ("elementwise", "sin"), ("all", "sin")]
    assert rules(X, ()) is None


def test_rules_add_up():
    first, second = Rules(), Rules()
    first.on(gn.exp)(lambda node, inputs: made(gn.sin.op, inputs, {}))
    second.on(gn.exp)(lambda node, inputs: made(gn.cos.op, inputs, {}))
    second.on(gn.tanh)(lambda node, inputs: inputs[0])
    graph = gn.Graph([X], gn.tanh(gn.exp(X)))
    assert names(rewritten(graph, first + second)) == ["sin"]
    assert names(rewritten(graph, second + first)) == ["cos"]
    assert names(rewritten(graph, first)) == ["sin", "tanh"]


def test_a_replacement_is_looked_at_and_what_it_brings():
    rules = Rules()

    @rules.on(gn.tanh)
    def written_out(node, inputs):
        e = made(gn.exp.op, inputs, {})
        return made(gn.divide.op, (made(gn.sinh.op, inputs, {}), e), {})

    @rules.on(gn.exp)
    def other(node, inputs):
        return made(gn.cosh.op, inputs, {})

    graph = gn.Graph([X], gn.tanh(X))
    assert sorted(names(rewritten(graph, rules))) == ["cosh", "divide", "sinh"]
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(values(rewritten(graph, rules), x)[0], np.tanh(x), rtol=1e-14)


def test_a_node_that_stays_is_the_node():
    y = gn.exp(X)
    assert rewritten(gn.Graph([X], y), lambda node, inputs: None).outputs == (y,)
    assert rewritten(gn.Graph([X], y), lambda node, inputs: node).outputs == (y,)
    found = rewritten(
        gn.Graph([X], gn.sin(-y)), lambda node, inputs: made(gn.cos.op, inputs, {}) if node is y else None
    )
    assert names(found) == ["cos", "negative", "sin"]


def test_a_rule_may_put_a_leaf():
    for leaf in (Y, constant(np.ones((2, 3)))):
        found = rewritten(
            gn.Graph([X, Y], gn.sin(gn.exp(X))), lambda n, i, leaf=leaf: leaf if n.op is gn.exp.op else None
        )
        assert names(found) == ["sin"] and found.outputs[0].inputs[0] is leaf
    # A rule is asked about leaves too.
    c = constant(np.full((2, 3), 2.0))
    found = rewritten(gn.Graph([X], X * c), lambda n, i: constant(np.full((2, 3), 3.0)) if n is c else None)
    identical(values(found, np.ones((2, 3))), [np.full((2, 3), 3.0)])


def test_replacements_of_another_shape_or_dtype_are_errors():
    graph = gn.Graph([X], gn.exp(X))
    for wrong, text in ((X[0], r"float64\[3\]"), (X.astype("float32"), r"float32\[2, 3\]")):
        with pytest.raises(ValueError, match=rf"a pass put {text} in the place of exp, float64\[2, 3\]"):
            rewritten(graph, lambda n, i, wrong=wrong: wrong if n.op is gn.exp.op else None)


def test_a_hundred_steps_are_enough():
    def down(count):
        def rule(node, inputs):
            n = node.attrs.get("n", count) if node.op is gn.exp.op else 0
            return made(gn.exp.op, inputs, {}) if n else None

        return rule

    left = [98]

    def until(node, inputs):
        if node.op is not gn.exp.op or not left[0]:
            return None
        left[0] -= 1
        return made(gn.exp.op, inputs, {})

    assert names(rewritten(gn.Graph([X], gn.exp(X)), until)) == ["exp"]
    with pytest.raises(RuntimeError, match=r"rules undo each other on exp\(float64\[2, 3\]\)"):
        rewritten(gn.Graph([X], gn.exp(X)), down(1))


SHARED = {
    "the same": (lambda: gn.exp(X) + gn.exp(X), ["exp", "add"]),
    "another input": (lambda: gn.exp(X) + gn.exp(Y), ["exp", "exp", "add"]),
    "another op": (lambda: gn.exp(X) + gn.sin(X), ["exp", "sin", "add"]),
    "the same attributes": (lambda: gn.sum(X, 0) + gn.sum(X, axis=0), ["sum", "add"]),
    "other attributes": (lambda: gn.sum(X[:2, :2], 0) + gn.sum(X[:2, :2], 1), ["getitem", "sum", "sum", "add"]),
    "exchanged": (lambda: X * Y + Y * X, ["multiply", "add"]),
    "exchanged where it matters": (lambda: (X - Y) + (Y - X), ["subtract", "subtract", "add"]),
    "the larger of both, where a zero has a sign": (
        lambda: gn.maximum(X, Y) + gn.maximum(Y, X),
        ["maximum", "maximum", "add"],
    ),
    "equal constants": (lambda: X * np.full(3, 2.0) + X * np.full(3, 2.0), ["multiply", "add"]),
    "constants of other values": (lambda: X * np.full(3, 2.0) + X * np.full(3, 3.0), ["multiply", "multiply", "add"]),
    "constants of other shapes": (
        lambda: X * np.full(3, 2.0) + X * np.full((2, 3), 2.0),
        ["multiply", "multiply", "add"],
    ),
    "constants of other dtypes": (
        lambda: X * np.full(3, 0, np.int64) + X * np.full(3, 0.0),
        ["multiply", "multiply", "add"],
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_is_computed_once(name):
    formula, expected = SHARED[name]
    y = formula()
    graph = gn.Graph([X, Y], y)
    found = share(graph)
    assert sorted(names(found)) == sorted(expected)
    a, b = np.arange(6.0).reshape(2, 3) - 2, np.arange(6.0)[::-1].reshape(2, 3) / 7
    identical(values(found, a, b), values(graph, a, b))


def test_large_constants_are_not_compared():
    for size, count in ((8192, 1), (8193, 2)):
        x = gn.input((size,), "float64", name="x")
        found = share(gn.Graph([x], x * np.ones(size) + x * np.ones(size)))
        assert names(found).count("multiply") == count


def test_parameters_with_equal_values_are_two():
    v, w = gn.Parameter([1.0, 2.0, 3.0]), gn.Parameter([1.0, 2.0, 3.0])
    found = share(gn.Graph([X], [X * v, X * w]))
    assert names(found) == ["multiply", "multiply"]


def test_an_eager_history_becomes_symbolic():
    w = gn.Parameter([1.0, 2.0, 3.0])
    y = gn.exp(w) * 2.0
    found = rewritten(gn.Graph([w], y), lambda node, inputs: None)
    assert all(t.is_symbolic and t.requires_grad for t in found.nodes if t.op is not None)
    identical(values(found, [0.0, 1.0, 2.0]), [np.exp([0.0, 1.0, 2.0]) * 2])


def test_remade_keeps_what_is_told_of_a_node():
    y = gn.exp(X)
    y.name = "y"
    z = remade(y, [Y])
    assert z.inputs == (Y,) and z.op is y.op and (z.shape, z.dtype) == (y.shape, y.dtype)
    assert z.name == "y" and z.site == y.site and z.region is y.region and z.requires_grad and z.is_symbolic
    assert not remade(X > Y, [Y, X]).requires_grad
    n = gn.input((2,), "int64", name="n")
    assert not remade(n + n, [n, n]).requires_grad


def test_rooted_graphs_know_no_history():
    h = gn.exp(X)
    given = gn.tensor([1.0, 2.0, 3.0])
    w = gn.Parameter([5.0, 6.0, 7.0], name="w")
    graph = gn.Graph([h, given], [h * given, h + w], [(w, w + given)])
    found = rooted(graph)
    assert [t.op for t in found.inputs] == [None, None] and all(t.is_symbolic for t in found.inputs)
    assert [found.names[t] for t in found.inputs] == [graph.names[t] for t in graph.inputs]
    assert names(found) == ["multiply", "add", "add"] and found.updates[0][0] is w
    arrays = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0, 0.5])
    identical(values(found, *arrays), [arrays[0] * arrays[1], arrays[0] + [5.0, 6.0, 7.0]])
    np.testing.assert_array_equal(w.numpy(), [6.0, 5.0, 7.5])
    # Nodes that read no such input are kept.
    y = gn.sin(X)
    mixed = rooted(gn.Graph([X, given], [y, y * given]))
    assert mixed.outputs[0] is y and mixed.inputs[0] is X and mixed.inputs[1] is not given
    plain = gn.Graph([X], y)
    assert rooted(plain) is plain


def test_updates_are_checked():
    w = gn.Parameter([1.0, 2.0, 3.0], name="w")
    for new, text in ((X, r"float64\[2, 3\]"), (X[0].astype("float32"), r"float32\[3\]")):
        with pytest.raises(ValueError, match=rf"the update of w \(float64\[3\]\) is {text}"):
            rewritten(gn.Graph([X], X * 2.0, [(w, new)]), lambda node, inputs: None)
    found = rewritten(gn.Graph([X], X * 2.0, [(w, X[0])]), lambda node, inputs: None)
    assert found.updates[0][0] is w


def test_an_input_with_a_value_stays_the_input():
    given = gn.tensor([1.0, 1.0, 1.0])
    h = -X
    graph = gn.Graph([given, h], [node(gn.multiply, given, 1.0), -h, given, h], [])
    found = rewritten(graph, lambda node, inputs: inputs[0] if node.op is gn.multiply.op else None)
    assert found.inputs == (given, h) and found.outputs[0] is given and found.outputs[2:] == (given, h)
    assert found.outputs[1].inputs == (h,)
    w = gn.Parameter([0.0, 0.0, 0.0])
    found = rewritten(gn.Graph([given], given * 2.0, [(w, given)]), lambda node, inputs: None)
    assert list(found.updates) == [(w, given)]
