"""Ops that a user makes: what is said in the decorator holds, what is wrong is named, and nothing is guessed."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.batching import batched
from graphnet.plans.code import compiler
from graphnet.plans.order import costs
from graphnet.plans.order.fusion import Group
from graphnet.record import OPS
from tests.backends import BACKENDS
from tests.interpreted import interpreted


@pytest.fixture(autouse=True)
def only_here():
    """Names that a test takes are free again after it."""
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def slope(g, y, x):
    return g


# Bodies that call one ufunc, but are something else.
BODIES = {
    "of minus a square": (lambda x: np.exp(-x * x), lambda x: np.exp(-x * x)),
    "times its input": (lambda x: np.tanh(x) * x, lambda x: np.tanh(x) * x),
    "negated": (lambda x: -np.exp(x), lambda x: -np.exp(x)),
    "twice": (lambda x: np.sin(np.sin(x)), lambda x: np.sin(np.sin(x))),
    "plus one": (lambda x: np.sqrt(x) + 1, lambda x: np.sqrt(x) + 1),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_runs_as_it_is_written(name, backend):
    body, right = BODIES[name]
    body.__name__ = "mine"
    f = gn.elementwise(vjp=(None,))(body)
    x = np.array([0.5, 2.0])
    np.testing.assert_allclose(f(x).numpy(), right(x))
    np.testing.assert_allclose(gn.compile(f, backend=backend)(x).numpy(), right(x))
    np.testing.assert_allclose(gn.trace(f, x)(x).numpy(), right(x))


def test_arguments_in_another_order():
    @gn.elementwise(vjp=(None, None))
    def minus(a, b):
        return np.subtract(b, a)

    assert minus(1.0, 3.0).item() == 2.0


def test_a_ufunc_is_said():
    @gn.elementwise("exp({x})", ufunc=np.exp, vjp=(lambda g, y, x: g * y,))
    def mine(x):
        """The exponential."""

    assert OPS["mine"].ufunc is np.exp
    assert mine(0.0).item() == 1.0
    assert gn.grad(mine)(0.0).item() == 1.0
    with pytest.raises(ValueError, match=r"wrong: np.add takes 2 inputs"):

        @gn.elementwise(ufunc=np.add, vjp=(None,))
        def wrong(x):
            """One input."""


def test_names_that_are_taken():
    for name in ("gemm", "vdot", "in_range", "conv_add", "add", "take_rows", "scan"):
        with pytest.raises(ValueError, match=f"cannot be named '{name}'"):
            gn.op("(n),(n)->()", vjp=(None, None), name=name)(lambda a, b: np.sum(a - b))
    for name in ("two words", "a\nb", "", "1st"):
        with pytest.raises(ValueError, match="a Python name"):
            gn.op("(n)->()", vjp=(None,), name=name)(lambda a: np.sum(a))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_op_that_can_fail_comes_before_any_change(backend):
    @gn.op("(n)->(n)", vjp=(slope,))
    def picky(x):
        if (x < 0).any():
            raise ValueError("negative")
        return x * 1

    w, b = gn.Parameter(np.ones((3, 3))), gn.Parameter(np.ones(3))

    def step(x):
        w.assign(w - 0.1 * x.T @ x)
        b.assign(b + picky(x.sum(0)))
        return w.sum()

    f = gn.compile(step, backend=backend)
    f(np.ones((2, 3)))
    before = w.numpy().copy(), b.numpy().copy()
    with pytest.raises(ValueError, match="negative"):
        f(-np.ones((2, 3)))
    np.testing.assert_array_equal(w.numpy(), before[0])
    np.testing.assert_array_equal(b.numpy(), before[1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_numbers_to_a_negative_power_come_before_any_change(backend):
    p, q = gn.Parameter(np.ones(3)), gn.Parameter(np.ones(3))

    def step(x, e):
        p.assign(p + 1.0)
        q.assign(q + x**e)
        return p * 1

    f = gn.compile(step, backend=backend)
    f(np.array([2, 2, 2]), np.array([1, 1, 1]))
    before = p.numpy().copy()
    with pytest.raises(ValueError, match="negative integer powers"):
        f(np.array([2, 2, 2]), np.array([-1, 1, 1]))
    np.testing.assert_array_equal(p.numpy(), before)


def test_which_ops_can_fail():
    x, i = gn.input((3,), dtype="int64"), gn.input((3,), dtype="int64")
    f = gn.input((3,))
    assert (x**i).op.can_fail((x, i), {})
    assert not (x**2).op.can_fail((x**2).inputs, {})
    assert not (f**i).op.can_fail((f, i), {})
    assert not f[1:].op.can_fail(f[1:].inputs, f[1:].attrs)
    assert f[i].op.can_fail(f[i].inputs, f[i].attrs)

    last, _ = gn.scan(lambda c, row: (c + f[row], c), f[0], i)
    scans = [t for t in gn.Graph([f, i], last).nodes if t.op is not None and t.op.name == "scan"]
    assert scans and scans[0].op.can_fail(scans[0].inputs, scans[0].attrs)
    last, _ = gn.scan(lambda c, row: (c * row, c), f[0], f)
    scans = [t for t in gn.Graph([f], last).nodes if t.op is not None and t.op.name == "scan"]
    assert not scans[0].op.can_fail(scans[0].inputs, scans[0].attrs)


def test_the_number_of_rules():
    with pytest.raises(ValueError, match=r"two: vjp has one rule .* 2 inputs \(a, b\); received 1"):

        @gn.elementwise(vjp=(slope,))
        def two(a, b):
            return a + b

    with pytest.raises(ValueError, match="names 2 inputs; vjp has 1 rules"):
        gn.op("(n),(n)->()", vjp=(slope,), name="mine")(lambda a, b: np.sum(a * b))
    with pytest.raises(ValueError, match="received 3 for a body that takes"):
        gn.op(lambda a: a.shape, vjp=(slope,) * 3, name="mine")(lambda a: a)
    with pytest.raises(ValueError, match=r"takes \*inputs"):
        gn.op(lambda a: a.shape, vjp=slope, name="mine")(lambda a: a)
    with pytest.raises(ValueError, match="a signature names"):
        gn.op("n->n", vjp=(slope,), name="mine")(lambda a: a)
    with pytest.raises(ValueError, match="axes that no input has: m"):
        gn.op("(n)->(m)", vjp=(slope,), name="mine")(lambda a: a)


def test_a_body_that_returns_something_else():
    @gn.elementwise(vjp=(slope,))
    def summing(x):
        return np.sum(x)

    @gn.op("(n)->()", vjp=(slope,))
    def kept(x):
        return x + 0

    @gn.op("(n)->(n)", vjp=(slope,))
    def imaginary(x):
        return x * 1j

    @gn.op("(n)->(n)", dtype="int64", vjp=(None,))
    def fractions(x):
        return x / 2

    with pytest.raises(ValueError, match=r"summing\(float64\[3\]\): its body returned shape \(\)"):
        summing(np.ones(3))
    with pytest.raises(ValueError, match=r"kept\(float64\[3\]\): its body returned shape \(3,\)"):
        kept(np.ones(3))
    with pytest.raises(TypeError, match=r"imaginary.*complex128"):
        imaginary(np.ones(3))
    with pytest.raises(TypeError, match=r"fractions.*float64; its dtype is int64"):
        fractions(np.ones(3))
    with pytest.raises(ValueError, match="kept"):
        gn.compile(kept, backend="numpy")(np.ones(3))


def test_a_wider_dtype_is_cast_eagerly_as_in_plans():
    @gn.op("(n)->(n)", vjp=(slope,))
    def wide(x):
        return x.astype(np.float64) / 3

    x = np.ones(3, np.float32)
    assert wide(x).dtype == np.float32 == gn.compile(wide, backend="numpy")(x).dtype


def test_a_body_cannot_write_to_its_inputs_or_return_them():
    @gn.elementwise(vjp=(slope,))
    def doubling(x):
        x *= 2
        return x

    @gn.op("(n)->(n)", vjp=(slope,))
    def itself(x):
        return x

    p = gn.Parameter(np.ones(3))
    with pytest.raises(ValueError, match=r"doubling.*read-only"):
        doubling(p)
    y = itself(p)
    p.touched()[:] = 5
    np.testing.assert_array_equal(y.numpy(), np.ones(3))


def test_rules_that_return_something_else():
    wrong = {
        "longer": lambda g, y, x: np.ones(7),
        "a matrix": lambda g, y, x: np.ones((4, 3)),
        "complex": lambda g, y, x: np.ones(3) * 1j,
        "failing": lambda g, y, x: g.no_such_attribute,
    }
    for n, (name, rule) in enumerate(wrong.items()):
        f = gn.op("(n)->(n)", vjp=(rule,), name=f"mine_{n}")(lambda x: x * 1)
        for order in (
            lambda f: gn.grad(lambda x: f(x).sum()),
            lambda f: gn.grad(lambda x: gn.grad(lambda z: f(z).sum())(x).sum()),
        ):
            with pytest.raises((ValueError, TypeError), match=rf"the gradient of mine_{n}\(float64\[3\]\) for input 0"):
                order(f)(np.ones(3))
        assert name


def test_rules_that_broadcast():
    @gn.op("(n)->()", vjp=(lambda g, y, x: g,))
    def total(x):
        return x.sum(-1)

    @gn.elementwise(vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g * 2))
    def mixed(a, b):
        return a + 2 * b

    np.testing.assert_array_equal(gn.grad(total)(np.ones(3)).numpy(), np.ones(3))
    da, db = gn.grad(lambda a, b: mixed(a, b).sum(), (0, 1))(np.ones((2, 3)), np.ones(3))
    np.testing.assert_array_equal(da.numpy(), np.ones((2, 3)))
    np.testing.assert_array_equal(db.numpy(), np.full(3, 4.0))

    @gn.op(
        "(n),(n)->()", vjp=(lambda g, y, a, b: gn.expand_dims(g, -1) * b, lambda g, y, a, b: gn.expand_dims(g, -1) * a)
    )
    def dotted(a, b):
        return (a * b).sum(-1)

    da, db = gn.grad(lambda a, b: dotted(a, b).sum(), (0, 1))(np.ones((4, 3)), np.arange(3.0))
    np.testing.assert_array_equal(da.numpy(), np.tile(np.arange(3.0), (4, 1)))
    np.testing.assert_array_equal(db.numpy(), np.full(3, 4.0))


def test_a_failing_body_shows_where():
    @gn.elementwise(vjp=(slope,))
    def odd(x):
        raise KeyError("in here")

    with pytest.raises(ValueError, match="odd") as caught:
        odd(1.0)
    assert isinstance(caught.value.__cause__, KeyError)


def test_tensors_are_not_subclassed():
    for base in (gn.Tensor, gn.Parameter):
        with pytest.raises(TypeError, match=r"Named: .* cannot be subclassed"):
            type("Named", (base,), {})


def test_an_op_of_a_user_has_what_a_built_in_one_has():
    """Gradients of every order, one loop with its neighbours on both backends, costs: from one decorated function."""

    @gn.elementwise(
        "({x} / (1 + {x} * {x}))",
        commutes=None,
        vjp=(lambda g, y, x: g * (1 - x * x) / ((1 + x * x) * (1 + x * x)),),
    )
    def witch(x):
        """`x / (1 + x**2)`."""
        return x / (1 + x * x)

    def f(x):
        return (gn.exp(witch(x * 2)) - witch(x)).sum()

    x = np.linspace(-2, 2, 40).reshape(8, 5)
    gn.check_grads(f, x, order=3)
    graph = gn.trace(gn.value_and_grad(f), x)
    for backend in BACKENDS:
        word = backend if isinstance(backend, str) else backend.values[0]
        if word == "native" and not compiler.available():
            continue
        for found, expected in zip(graph.compile(backend=word)(x), graph(x), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    step = interpreted(graph)
    (group,) = step.code.steps
    assert sum(t.op is witch.op for t in group.nodes) == 2
    for found, expected in zip(step(x), graph(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    np.testing.assert_allclose(batched(witch.op, [True], [x], {}).numpy(), x / (1 + x * x), rtol=1e-12)
    assert costs.nanoseconds(witch.op) > costs.nanoseconds(gn.multiply.op)
    assert costs.weight(witch.op) == 1
    wide = gn.trace(lambda x: (gn.exp(witch(x)), witch(x)), x.astype("float32"))
    assert [t.dtype for t in interpreted(wide)(x.astype("float32"))] == [np.float32] * 2


def test_facts_of_an_op_are_said_in_its_decorator():
    @gn.elementwise("({a} * {b} + 1)", commutes="bits", cost=7.0, weight=9, vjp=(None, None))
    def near(a, b):
        return a * b + 1

    @gn.elementwise("({x} if {where} else 0)", truth=("where",), kinds="biuf", vjp=(None, None))
    def kept(x, where):
        return np.where(where, x, np.zeros((), x.dtype))

    a, b = np.arange(4.0), np.arange(4.0) + 2
    assert (costs.nanoseconds(near.op), costs.weight(near.op)) == (7.0, 9)
    both = gn.trace(lambda a, b: near(a, b) + near(b, a), a, b).simplify()
    assert sum(t.op is near.op for t in both.nodes) == 1
    graph = gn.trace(lambda a, b: [kept(a, b > 3), kept(a, b - 2)], a, b)
    for found, expected in zip(interpreted(graph)(a, b), graph(a, b), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_an_op_whose_native_form_asks_where_it_is():
    """It is its own form that runs in kernels, and no built-in op's."""

    def counted_at(number, x, *, step):
        return x * 2.0 + number.cast(np.float64) * step

    @gn.op(lambda x, step: x.shape, vjp=(None,), indexed=counted_at)
    def counted(x, step=1.0):
        return x * 2.0 + np.arange(x.size).reshape(x.shape) * step

    x = np.linspace(0.0, 1.0, 12).reshape(3, 4)
    graph = gn.trace(lambda x: [gn.exp(counted(x, 0.5)).sum(axis=1), counted(x.T, 2.0) + 1.0], x)
    step = interpreted(graph)
    assert any(t.op is counted.op for s in step.code.steps if isinstance(s, Group) for t in s.nodes)
    runs = [step, graph.compile(backend="numpy")]
    runs += [graph.compile(backend="native")] if compiler.available() else []
    for run in runs:
        for found, expected in zip(run(x), graph(x), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
