"""The backward sweep: gradients in the shape and dtype of their values, and the way they go."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import sweep
from graphnet.mode import state
from graphnet.node import Tensor


def names(*outputs):
    return [t.op.name for t in gn.toposort(outputs) if t.op is not None]


ROWS = np.arange(6.0).reshape(2, 3)

# a gradient, the shape of its value, and what it is in that shape
FITTED = {
    "as it is": (ROWS, (2, 3), ROWS),
    "one more axis": (ROWS, (3,), ROWS.sum(0)),
    "two more axes": (ROWS.reshape(1, 2, 3), (3,), ROWS.sum(0)),
    "all axes": (ROWS, (), np.array(15.0)),
    "an axis of size one": (ROWS, (2, 1), ROWS.sum(1, keepdims=True)),
    "the first of size one": (ROWS, (1, 3), ROWS.sum(0, keepdims=True)),
    "both of size one": (ROWS, (1, 1), np.array([[15.0]])),
    "one more axis and one of size one": (ROWS.reshape(1, 2, 3), (2, 1), ROWS.sum(1, keepdims=True)),
    "a number": (np.array(2.0), (2, 3), np.full((2, 3), 2.0)),
    "a number for one element": (np.array(2.0), (1, 1), np.array([[2.0]])),
    "a row": (ROWS[0], (2, 3), np.stack([ROWS[0]] * 2)),
    "a row for an axis of size one": (ROWS[0], (1, 3), ROWS[:1]),
    "a row for three axes": (ROWS[0], (1, 1, 3), ROWS[:1].reshape(1, 1, 3)),
    "a row for a column": (ROWS[0], (2, 1), np.full((2, 1), 3.0)),
    "an axis of size one that is repeated": (ROWS[:, :1], (2, 3), np.repeat(ROWS[:, :1], 3, 1)),
    "one summed, one repeated": (ROWS[:1], (2, 1), np.full((2, 1), 3.0)),
    "nothing": (np.zeros((0, 3)), (3,), np.zeros(3)),
    "nothing for one": (np.zeros((0, 3)), (1, 3), np.zeros((1, 3))),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FITTED)
def test_gradients_get_the_shape_and_dtype_of_their_value(name, dtype):
    g, shape, expected = FITTED[name]
    with gn.no_grad():
        for given in (g, g.astype("float32")):
            found = sweep._fit(gn.tensor(given), shape, np.dtype(dtype))
            assert found.shape == shape and found.dtype == dtype
            np.testing.assert_array_equal(found.numpy(), expected)
    state.mode = (before := state.mode).replaced(raw=True)
    try:
        found = sweep._fit(g, shape, np.dtype(dtype))
    finally:
        state.mode = before
    assert not isinstance(found, Tensor) and found.shape == shape and found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    x = gn.input(g.shape, "float64", name="g")
    symbolic = sweep._fit(x, shape, np.dtype(dtype))
    assert symbolic.shape == shape and symbolic.dtype == dtype
    np.testing.assert_array_equal(gn.Graph([x], symbolic)(g).numpy(), expected)


def test_what_fits_is_passed_on_as_it_is():
    x = gn.input((2, 3), "float64", name="g")
    assert sweep._fit(x, (2, 3), x.dtype) is x and sweep._fit(ROWS, (2, 3), ROWS.dtype) is ROWS
    assert names(sweep._fit(x, (2, 3), np.dtype("float32"))) == ["astype"]
    assert names(sweep._fit(x, (3,), x.dtype)) == ["sum"] and names(sweep._fit(x, (2, 1), x.dtype)) == ["sum"]
    assert names(sweep._fit(x, (4, 2, 3), x.dtype)) == ["broadcast_to"]


def test_of_complex_numbers_the_real_part_goes_to_real_ones():
    z = ROWS[0] + 1j * ROWS[1]
    found = sweep._fit(z, (3,), np.dtype("float64"))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, z.real)
    assert sweep._fit(z, (3,), np.dtype("complex64")).dtype == np.complex64
    np.testing.assert_array_equal(sweep._fit(z.astype("complex64"), (3,), np.dtype("complex128")), z)
    assert sweep._fit(z, (), np.dtype("float32")).dtype == np.float32


def test_half_precision_is_summed_in_single():
    ones = np.ones((5000, 2), np.float16)
    for shape in ((2,), (1, 2)):
        found = sweep._fit(ones, shape, np.dtype(np.float16))
        assert found.dtype == np.float16 and found.shape == shape and (found == 5000).all()
    x = gn.tensor([0.0, 0.0], dtype="float16", requires_grad=True)
    (x + ones).astype("float32").sum().backward()
    assert x.grad.dtype == np.float16 and x.grad.tolist() == [5000, 5000]


def _rule(name, rule):
    def body(x):
        return x * 1.0

    body.__name__ = name
    return gn.op("()->()", vjp=(rule,))(body)


narrow = _rule("narrow_gradient", lambda g, y, x: g.astype("float32"))
without_axis = _rule("gradient_without_axis", lambda g, y, x: g.sum(axis=0))
in_a_list = _rule("gradient_as_a_number", lambda g, y, x: 3.0)


def test_rules_may_answer_in_another_dtype_or_with_fewer_axes():
    x = np.arange(3.0).reshape(1, 3)
    for f, expected in ((narrow, 1.0), (without_axis, 1.0), (in_a_list, 3.0)):
        for way in (gn.grad(lambda v, f=f: f(v).sum()), gn.trace(gn.grad(lambda v, f=f: f(v).sum()), x)):
            found = way(x)
            assert found.dtype == np.float64 and found.shape == (1, 3) and (found.numpy() == expected).all()
        v = gn.tensor(x, requires_grad=True)
        f(v).sum().backward()
        assert v.grad.dtype == np.float64 and v.grad.tolist() == [[expected] * 3]
        assert gn.gradients(f(v).sum(), v).tolist() == [[expected] * 3]


def test_history_goes_from_the_outputs_back():
    x, w = gn.tensor(2.0, requires_grad=True), gn.Parameter(3.0)
    frozen = gn.Parameter(4.0, trainable=False)
    a = x * w
    b = a * 5.0
    c = gn.exp(a) + b + frozen + x
    nodes, seen = sweep.history([c, b])
    assert seen == set(nodes) and len(nodes) == len(seen) and {x, w, a, b, c} < seen and frozen not in seen
    ticks = [t._tick for t in nodes]
    assert ticks == sorted(ticks, reverse=True) and nodes[0] is c
    assert sweep.history([gn.tensor(1.0)]) == ([], set())
    between, reached = sweep.path(nodes, [w])
    assert between == [t for t in nodes if t is not x] and reached == {*between, w}
    between, reached = sweep.path(nodes, [a])
    assert a in reached and w not in reached and x not in reached and b in reached
    between, reached = sweep.path(nodes, [b, x])
    assert reached == {x, a, b, c, *between} and w not in reached
    assert sweep.path(nodes, [gn.Parameter(1.0)])[0] == []


def test_gradients_of_what_lies_between_do_not_stop_the_way():
    x = gn.tensor([1.0, -2.0], requires_grad=True)
    h = x * 3.0
    k = h * h
    y = (k * h).sum()
    for ways in (lambda: gn.gradients(y, [x, h, k]), lambda: _quiet(lambda: gn.gradients(y, [x, h, k]))):
        dx, dh, dk = ways()
        np.testing.assert_allclose(dx.numpy(), 81 * x.numpy() ** 2)
        np.testing.assert_allclose(dh.numpy(), 27 * x.numpy() ** 2)
        np.testing.assert_allclose(dk.numpy(), h.numpy())


def _quiet(f):
    with gn.no_grad():
        return f()


PAIRS = {
    "square of abs": (gn.abs, gn.square, lambda v: 2 * v, lambda v: 2 * np.abs(v)),
    "abs times itself": (gn.abs, lambda h: h * h, lambda v: 2 * v, lambda v: 2 * np.abs(v)),
    "abs ** 2": (gn.abs, lambda h: h**2.0, lambda v: 2 * v, lambda v: 2 * np.abs(v)),
    "root of a square": (gn.square, gn.sqrt, np.sign, lambda v: 0.5 / np.abs(v)),
    "log of exp": (gn.exp, gn.log, np.ones_like, lambda v: np.exp(-v)),
    "square of tanh": (gn.tanh, gn.square, None, lambda v: 2 * np.tanh(v)),
    "product of two": (gn.abs, lambda h: h * gn.tensor([2.0, 3.0, 4.0]), None, lambda v: np.array([2.0, 3.0, 4.0])),
}


@pytest.mark.parametrize("name", PAIRS)
def test_rules_of_two_ops_together(name):
    inner, outer, slope, between = PAIRS[name]
    v = np.array([0.5, -2.0, 3.0])
    x = gn.tensor(v, requires_grad=True)
    h = inner(x)
    y = outer(h).sum()
    for asked in (lambda: gn.gradients(y, [x, h]), lambda: _quiet(lambda: gn.gradients(y, [x, h]))):
        dx, dh = asked()
        np.testing.assert_allclose(dh.numpy(), between(v), rtol=1e-14)
        if slope is not None:
            np.testing.assert_allclose(dx.numpy(), slope(v), rtol=1e-14)
    gn.check_grads(lambda z: outer(inner(z)).sum(), v, order=2)
    if slope is not None:
        np.testing.assert_allclose(gn.grad(lambda z: outer(inner(z)).sum())(v).numpy(), slope(v), rtol=1e-14)


def test_rules_of_two_ops_where_one_alone_leaves_the_range():
    far, roots = np.array([3.0, -1e150, 1e-150, 0.0]), [1.0, -1.0, 1.0, 0.0]
    assert gn.grad(lambda x: gn.sqrt(x * x).sum())(far).tolist() == roots
    assert gn.grad(lambda x: gn.sqrt(gn.square(x)).sum())(far).tolist() == roots


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError])
def test_an_error_in_a_rule_leaves_things_as_they_were(error):
    def rule(g, y, x):
        raise error

    f = _rule(f"rule_raising_{error.__name__}", rule)
    x = gn.tensor([1.0], requires_grad=True)
    before = state.mode
    for ask in (lambda y: y.backward([1.0]), lambda y: gn.gradients(y, x, [1.0])):
        with pytest.raises(Exception, match=r".*"):
            ask(f(x))
        assert state.mode is before


def test_zero_times_infinity_is_zero_where_nan_would_come_out():
    x = gn.tensor([0.0, 1.0, 4.0], requires_grad=True)
    gn.where(x > 0, gn.sqrt(x), 0.0 * x).backward([1.0, 1.0, 1.0])
    assert x.grad.tolist() == [0.0, 0.5, 0.25]
    # A NaN that is there stays.
    x = gn.tensor([np.nan, 1.0], requires_grad=True)
    (x * x).backward([1.0, 1.0])
    assert np.isnan(x.grad.numpy()[0]) and x.grad.numpy()[1] == 2.0


def test_nothing_is_said_of_overflow():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = gn.tensor([1e200, 1.0], requires_grad=True)
        with np.errstate(all="ignore"):
            y = gn.exp(x) * x
        y.backward([1.0, 1.0])


def test_ops_of_a_gradient_know_what_they_are_of():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    with gn.region("layer", "outer"):
        a = gn.exp(x)
        with gn.region("layer", "inner"):
            b = gn.sin(a) * a
        c = gn.tanh(b)
    y = (c * x).sum()
    with gn.region("layer", "elsewhere"):
        g = gn.gradients(y, x)
    own = [t for t in gn.toposort([g]) if t.gradient_of is not None]
    assert {t.gradient_of for t in own} >= {a, c, y.inputs[0]}
    for t in own:
        region = t.gradient_of.region
        if region is None:
            assert t.region is None
            continue
        assert t.region.name == region.name and t.region.kind == "gradient"
        assert (t.region.parent is None) == (region.parent is None)
        if region.parent is not None:
            assert t.region.parent.name == region.parent.name and t.region.parent.kind == "gradient"
    # One region for each, however many nodes it holds.
    assert len({t.region for t in own if t.region is not None}) == 2
    inner = next(t.region for t in own if t.region is not None and t.region.parent is not None)
    outer = next(t.region for t in own if t.region is not None and t.region.parent is None)
    assert inner.parent is outer and state.mode.region is None


def test_gradients_in_a_trace_read_what_the_nodes_read():
    w = gn.Parameter([1.0, 2.0])

    def step(x):
        before = w * x
        w.assign(w + 1.0)
        after = (w * w * x).sum()
        return gn.gradients(before.sum(), x), gn.gradients(after, x), gn.gradients(after, w)

    graph = gn.trace(step, gn.tensor([3.0, 4.0], requires_grad=True))
    first, second, third = (t.numpy() for t in graph([3.0, 4.0]))
    np.testing.assert_array_equal(first, [1.0, 2.0])
    np.testing.assert_array_equal(second, [4.0, 9.0])
    np.testing.assert_array_equal(third, 2 * np.array([2.0, 3.0]) * [3.0, 4.0])
    np.testing.assert_array_equal(w.numpy(), [2.0, 3.0])


def test_seeds_are_not_changed():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    y = x * x + x
    nodes, reached = sweep.history([y])
    seed = np.array([1.0, 1.0])
    start = {y: seed}
    found = sweep.on_arrays(nodes, reached, start)
    assert start == {y: seed} and list(found) == [x]
    np.testing.assert_array_equal(seed, [1.0, 1.0])
    np.testing.assert_array_equal(found[x], [3.0, 5.0])
    kept = sweep.on_arrays(nodes, reached, start, frozenset([y, x]))
    assert set(kept) == {x, y} and kept[y] is seed
    tensors = sweep.on_tensors(nodes, reached, {y: gn.tensor(seed)}, frozenset([x]))
    assert all(isinstance(t, Tensor) for t in tensors.values()) and tensors[x].tolist() == [3.0, 5.0]


def test_leaves_may_be_newer_than_what_they_meet():
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    h = gn.exp(x)
    w = gn.Parameter([3.0, 4.0])
    y = (h * w).sum()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), w.numpy() * np.exp([1.0, 2.0]))
    dx, dw = gn.gradients(y, [x, w])
    np.testing.assert_allclose(dx.numpy(), x.grad.numpy())
    np.testing.assert_allclose(dw.numpy(), np.exp([1.0, 2.0]))


def test_gradients_of_numbers_are_arrays_without_axes():
    x = gn.tensor(2.0, requires_grad=True)
    y = gn.exp(x) * x
    y.backward()
    for found in (x.grad, gn.gradients(y, x), _quiet(lambda: gn.gradients(y, x)), gn.grad(lambda v: v * v)(2.0)):
        assert type(found.numpy()) is np.ndarray and found.shape == ()
