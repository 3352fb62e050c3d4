"""The order of nodes, and which updates are computed straight into the array of their parameter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_steps import column, graph_of, inputs, order_of, shown, step_of, written
from programs import Program

import graphnet as gn
from graphnet.apply import made
from graphnet.ops.planned import GEMM, IN_RANGE
from graphnet.plans.order.fusion import Single
from graphnet.plans.order.schedule import depths, may_overwrite, ordered, overwritten, read_by, readers


def in_range(places, size):
    return made(IN_RANGE, (places,), {"size": size})


def gemm(c, a, b, alpha=1.0, beta=1.0):
    numbers = [gn.tensor(np.float32(n)) if isinstance(n, float) else n for n in (alpha, beta)]
    return made(GEMM, (c, a, b, *numbers), {})


def parameter(*shape, name="p", dtype="float32"):
    return gn.Parameter(np.ones(shape, dtype), name=name)


def in_order(outputs, named, updates=()):
    """The named nodes in the order in which they are computed."""
    names = {t: name for name, t in named.items()}
    return " ".join(names[t] for t in ordered(graph_of(outputs, updates)) if t in names)


def never(t):
    return False


# The order.

CASES = {
    "in the order of outputs": ("x(3,): a = exp(x); b = sin(x); c = b + a -> b a c", "b a c"),
    "the deepest input first": ("x(3,): a = sin(x); b = exp(x); c = exp(b); d = a + c -> d", "b c a d"),
    "of equals the last": ("x(3,): a = sin(x); b = exp(x); d = a + b -> d", "b a d"),
    "as late as users allow": ("x(3,): a = sin(x); b = exp(x); c = b * 2; d = a + 1 -> c d", "b c a d"),
    "what depends on numbers alone comes before": ("x(3,) n(): a = exp(x); m = exp(n); k = m * 2 -> a k", "m k a"),
    "nor one that an array alone makes": ("x(3,): a = exp(x); s = sum(x) -> a s", "a s"),
    "a number that an array makes does not": ("x(3,): a = exp(x); s = sum(a); m = exp(s) -> a m", "a s m"),
    "a slope beside its function": (
        "x(3,): a = tanh(x); b = exp(x); c = tanh_slope(x); d = a + b; e = d * c -> e",
        "b a c d e",
    ),
    "not beside that of another": ("x(3,): a = tanh(x); b = a + 1; c = tanh_slope(b) -> b c", "a b c"),
    "a slope without its function": ("x(3,): b = exp(x); c = tanh_slope(x); d = b + c -> b d", "b c d"),
}


@pytest.mark.parametrize("text, expected", CASES.values(), ids=CASES)
def test_in_which_order_nodes_are_computed(text, expected):
    named, _, outputs = written(text)
    assert in_order([named[name] for name in outputs.split()], named) == expected


def test_what_can_fail_comes_first_with_all_it_needs():
    x, i = gn.input((3,), name="x"), gn.input((3,), "int64", name="i")
    named = {"a": gn.exp(x), "j": (j := i * 2), "k": (k := in_range(j, 5)), "b": x + k}
    assert in_order([named["a"], named["b"]], named) == "j k a b"


def test_outputs_then_numbers_then_arrays():
    x = inputs((2, 3))[0]
    p, q, n = parameter(2, 3), parameter(2, 3, name="q"), parameter(name="n")
    named = {"a": (a := gn.exp(x)), "p": p - a, "q": q - a, "s": (s := gn.sum(a)), "n": n + s, "y": a * 2}
    updates = [(p, named["p"]), (q, named["q"]), (n, named["n"])]
    assert in_order([named["y"]], named, updates) == "a y s n p q"
    assert in_order([named["y"]], named, updates[::-1]) == "a y s n q p"


def test_a_penalty_stands_beside_the_product_that_updates_its_parameter():
    x = inputs((4, 2))[0]
    p, q = parameter(2, 3), parameter(4, 3, name="q")
    named = {
        "a": (a := gn.transpose(x)),
        "b": (b := gn.exp(q)),
        "w": (w := p * 0.5),
        "g": gemm(w, a, b),
        "v": (v := p * p),
        "s": (s := gn.sum(v)),
        "r": (r := gn.sum(b)),
        "y": r + s,
        "z": r * 2,
    }
    updates = [(p, named["g"])]
    # Its sum goes over the parameter right before it is written to; what needs that comes behind.
    assert in_order([named["y"], named["z"]], named, updates) == "b r z a v s w g y"
    # A sum over something else as well is no penalty, and comes where outputs come.
    other = {**named, "v": (v := p * named["r"] * p)}
    other["s"] = gn.sum(v)
    other["y"] = other["s"] + 1
    assert in_order([other["y"]], other, updates).split()[-3:] == ["a", "w", "g"]


def programs():
    return st.builds(Program, st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())


@given(programs())
def test_each_node_once_behind_what_it_needs(program):
    graph = program.graph()
    found = ordered(graph)
    assert len(set(found)) == len(found)
    assert set(found) == {t for t in graph.nodes if t.op is not None} - set(graph.inputs)
    seen = {t for t in graph.nodes if t.op is None} | set(graph.inputs)
    for t in found:
        assert seen.issuperset(t.inputs)
        seen.add(t)


def test_a_node_that_is_an_input_is_not_computed():
    (x,) = inputs((3,))
    a = gn.exp(x)
    b = a + 1
    graph = gn.Graph([a], [b])
    assert ordered(graph) == [b] and depths(graph) == {a: 0, b.inputs[1]: 0, b: 1}


def test_depth_is_the_longest_way():
    named, given, _ = written("x(3,): a = exp(x); b = exp(a); c = b + a + x")
    depth = depths(graph_of([named["c"]]))
    assert [depth[t] for t in (given["x"], named["a"], named["b"], named["c"])] == [0, 1, 2, 4]


# Who reads what.


def test_a_step_reads_what_is_not_of_its_own_loop():
    named, known, _ = written("x(3, 4) y(4, 5): a = exp(x); b = a * x; p = b @ y; t = transpose(b); c = p + 1")
    order = order_of([named["c"], named["a"], named["t"]])
    assert shown(order, named) == "a b | p@ | c"
    read = readers(order.steps, order.views)
    assert {known["x"]: [0], named["b"]: [1], known["y"]: [1], named["p"]: [2]}.items() <= read.items()
    assert named["a"] not in read
    # A view is read as the array that it lies in.
    named, known, _ = written("x(3, 4): t = transpose(x); p = cumsum(t, axis=0)")
    order = order_of([named["p"]])
    assert list(read_by(order.steps[0], order.views)) == [known["x"]]


# What may be overwritten.


def may(f, shape=(3, 3), fusible=None):
    """Whether the result of `f(x, ...)` may overwrite x, in a native plan or with `fusible=never` in one of NumPy."""
    x = gn.input(shape, name="x")
    t = f(x)
    order = order_of([t]) if fusible is None else order_of([t], fusible=fusible)
    return may_overwrite(step_of(order, t), order.views, t, x)


ELEMENTWISE = {
    "elementwise": (lambda x: gn.exp(x), True),
    "twice": (lambda x: x * x, True),
    "with an array of one row": (lambda x: x + gn.input((3,), name="y"), True),
    "another dtype of the same size": (lambda x: x.astype("int32"), True),
    "another size of numbers": (lambda x: x.astype("float64"), False),
    "transposed": (lambda x: gn.transpose(x) + 1, False),
    "transposed besides": (lambda x: x + gn.transpose(x), False),
    "a part": (lambda x: x[:1] + gn.input((9,), name="y")[:3], False),
    "reversed": (lambda x: x[::-1] + 1, False),
    "the first row for each": (lambda x: x[:1] + gn.input((3, 3), name="y"), False),
    "in the same order": (lambda x: x[:] * 2, True),
}


@pytest.mark.parametrize("f, expected", ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_a_loop_reads_each_element_before_it_writes_there(f, expected):
    assert may(f) is expected


NUMPY = {
    "where": (lambda x: gn.where(x > 0, x, 1.0), False),
    "a reduction": (lambda x: gn.sum(x, axis=0, keepdims=True) + x * 0, True),
    "sorted": (lambda x: gn.sort(x), False),
    "a product": (lambda x: x @ x, False),
}


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n != "another dtype of the same size"] + list(NUMPY))
def test_a_line_of_numpy_writes_last(name):
    f, expected = {**ELEMENTWISE, **NUMPY}[name]
    assert may(f, fusible=never) is expected


def test_a_cast_is_no_line_that_may_overwrite():
    # NumPy copies in pieces, and an array of another dtype is no buffer of its own.
    assert may(lambda x: x.astype("int32"), fusible=never) is False


def test_a_loop_with_rows_reads_again():
    assert may(lambda x: x / gn.sum(x, axis=1, keepdims=True)) is False
    assert may(lambda x: x - column(gn.max(x, axis=1))) is False
    # Rows that are no output of the loop at all do the same.
    p = parameter(3, 4)
    t, s = p * 2, gn.sum(p, axis=1)
    order = order_of([t, s])
    assert len(order.steps) == 1 and not may_overwrite(order.steps[0], order.views, t, p)
    # A sum in memory is nothing of the kind, but is no place for a value itself.
    s = gn.sum(p, axis=0)
    order = order_of([t, s])
    assert len(order.steps) == 1 and may_overwrite(order.steps[0], order.views, t, p)
    s = gn.sum(p)
    order = order_of([t, s])
    assert len(order.steps) == 1 and may_overwrite(order.steps[0], order.views, t, p)


def test_what_is_written_after_the_loops_overwrites_nothing():
    x = parameter(3, 4)
    t = gn.reshape(gn.transpose(x), (12,))
    order = order_of([t])
    assert not may_overwrite(order.steps[0], order.views, t, x)
    y = parameter(4)
    s = gn.sum(x + y, axis=0)
    order = order_of([s])
    assert not may_overwrite(step_of(order, s), order.views, s, y)


def test_another_node_of_the_loop_reads_elsewhere():
    p, x = parameter(3, 3), gn.input((3, 3), name="x")
    t, other = p * 2, x + gn.transpose(p)
    order = order_of([t, other])
    assert len(order.steps) == 1 and not may_overwrite(order.steps[0], order.views, t, p)
    # The other array is read in its own place.
    q = parameter(3, 3, name="q")
    t = p * q
    order = order_of([t, other])
    assert may_overwrite(order.steps[0], order.views, t, q)


def test_a_smaller_array_is_not_overwritten():
    assert may(lambda x: x + gn.input((3, 3), name="y"), shape=(3,)) is False
    assert may(lambda x: x + gn.input((3, 3), name="y"), shape=(3, 1)) is False


def test_a_product_overwrites_what_it_is_added_to():
    a, p = inputs((3, 3))[0], parameter(3, 3)
    turned = gn.transpose(p)
    cases = {gemm(p, a, a): True}
    cases |= dict.fromkeys([gemm(a, p, a), gemm(p, p, a), gemm(p, a, turned), gemm(turned, a, a)], False)
    for t, expected in cases.items():
        order = order_of([t])
        assert step_of(order, t).product
        assert may_overwrite(step_of(order, t), order.views, t, p) is expected
        # Without BLAS it is the body of the op, which makes a new array.
        assert not may_overwrite(Single(t), order.views, t, p)


# Updates in place.


def in_place(updates, outputs=(), **given):
    order = order_of(outputs, updates, **given)
    return overwritten(order.graph, order.steps, order.views, order.place_of)


def test_an_update_goes_to_its_parameter():
    x, p, q = inputs((3, 3))[0], parameter(3, 3), parameter(3, 3, name="q")
    t, u = p - x, q + x
    assert in_place([(p, t), (q, u)]) == {t: p, u: q}
    assert in_place([(p, t), (q, u)], fusible=never) == {t: p, u: q}
    # Also one that doesn't read it.
    t = gn.exp(x)
    assert in_place([(p, t)]) == {t: p}
    t = x @ x
    assert in_place([(p, t)]) == {t: p}
    t = p @ x
    assert in_place([(p, t)]) == {}


def test_the_old_value_is_read_before():
    x, p = inputs((3, 3))[0], parameter(3, 3)
    t = p - x
    # An output is computed before updates, or in the same loop.
    assert in_place([(p, t)], [p @ x]) == {t: p}
    assert in_place([(p, t)], [gn.exp(p)]) == {t: p}
    # What needs the new value comes later.
    late = gn.transpose(p) + t @ x
    assert in_place([(p, t)], [late]) == {}
    q = parameter(3, 3, name="q")
    u = q + gn.transpose(p) @ x
    assert in_place([(p, t), (q, u)]) == {u: q}
    assert in_place([(q, u), (p, t)]) == {u: q, t: p}
    v = q + gn.transpose(p)
    assert in_place([(q, v), (p, t)]) == {v: q}


def test_what_is_no_value_of_its_own_is_copied():
    x, p, q = inputs((3, 3))[0], parameter(3, 3), parameter(3, 3, name="q")
    assert in_place([(p, q), (q, p)]) == {}
    assert in_place([(p, x)]) == {}
    assert in_place([(p, gn.transpose(q))]) == {}
    assert in_place([(p, gn.exp(x).astype("float64"))]) == {}
    t = gn.exp(x)
    assert in_place([(p, t), (q, t)]) == {t: p}
    graph = gn.Graph([t], [], [(p, t)])
    order = order_of([], [(p, t)])
    assert overwritten(graph, order.steps, order.views, {}) == {}


def test_nothing_is_changed_before_what_can_fail():
    x, i, p = inputs((3, 3))[0], gn.input((2,), "int64", name="i"), parameter(3, 3)
    q = parameter(2, 3, name="q")
    t, u = p - x, q + x[i]
    assert in_place([(q, u), (p, t)]) == {u: q, t: p}
    assert in_place([(p, t), (q, u)]) == {u: q}
    # What fails itself has written nothing then.
    v = x[i]
    assert in_place([(q, v)]) == {v: q}
    order = order_of([], [(p, t), (q, u)])
    assert not isinstance(step_of(order, u.inputs[1]), type(step_of(order, t)))


def test_the_scaled_old_value_of_a_product_is_in_place_too():
    x, p = inputs((3, 3))[0], parameter(3, 3)
    w = p * 0.5
    t = gemm(w, x, x)
    assert in_place([(p, t)]) == {t: p, w: p}
    assert in_place([(p, t)], [gn.exp(p)]) == {t: p, w: p}
    assert in_place([(p, t := gemm(p, x, x))]) == {t: p}
    w = gn.cumsum(x, axis=0)
    t = gemm(w, x, x)
    assert in_place([(p, t)]) == {t: p, w: p}
    # Not where others need it, or the old value behind it.
    w = p * 0.5
    t = gemm(w, x, x)
    assert in_place([(p, t)], [w @ x]) == {t: p}
    w = gn.transpose(p) * 0.5
    t = gemm(w, x, x)
    assert in_place([(p, t)]) == {t: p}
    w = p * 0.5
    t = gemm(w, gn.transpose(p) + w, x)
    assert in_place([(p, t)]) == {t: p}
