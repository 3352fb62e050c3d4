"""Which nodes run in one loop: graphs, and the steps that they become."""

from __future__ import annotations

import pytest
from plan_steps import inputs, order_of, shown, sizes, step_of, written

import graphnet as gn
from graphnet.plans.kernels.pointwise import fusible
from graphnet.plans.order.costs import weight
from graphnet.plans.order.fusion import HEAVIEST, Group, Single

# A graph, and its steps: "|" stands between them, "@" behind a product. Views are no steps. `plan_steps.written` reads
# the text.

CASES = {
    # Elementwise.
    "a chain is one loop": "x(3, 4): a = exp(x); b = a * 2; c = b - a -> a b c",
    "what goes over the same domain joins, though nothing is shared": "x(3, 4) y(3, 4): a = exp(x); b = exp(y) -> a b",
    "another domain is another loop": "x(3, 4) y(4, 3): a = exp(x); b = exp(y) -> a | b",
    "only the last group takes what depends on none": "x(3, 4) y(4, 3) z(3, 4): a = exp(x); b = exp(y); c = exp(z) "
    "-> a | b | c",
    "a cast is elementwise": "x(5,): a = exp(x); b = a.astype('int32'); c = b + 1 -> a b c",
    "random numbers are drawn in the loop": "x(3, 4) y(): "
    "k = y.astype('int64'); a = exp(x); r = random_uniform(k, (3, 4)); b = r + a -> k | a r b",
    "numbers without axes are a domain of their own": "x(): a = exp(x); b = a * 2 -> a b",
    # Broadcasting.
    "an array is repeated along the first axis": "x(3, 4) y(4,): a = exp(x); b = a * y -> a b",
    "an array is repeated along the last axis": "x(3, 4) y(3, 1): a = exp(x); b = a * y -> a b",
    "a loop over fewer points does not become longer": "x(4,) y(3, 4): a = exp(x); b = a * y -> a | b",
    "nor over a column": "x(3, 1) y(3, 4): a = exp(x); b = a * y -> a | b",
    "each of two is repeated": "x(3, 1) y(4,): a = exp(x); b = exp(y); c = a * b -> a | b | c",
    "what is computed for each row alone does not join a loop over points": "x(3, 4) y(3,): a = exp(x); b = exp(y) "
    "-> a | b",
    # Axes of size one.
    "axes of size one are none": "x(4,) y(1, 4): a = exp(x); b = exp(y); c = a * b -> a b c",
    "wherever they are": "x(3, 4): a = exp(x); b = exp(expand_dims(a, 1)) -> a b",
    "a sum over an axis of size one is no reduction": "x(3, 1): a = exp(x); s = sum(a, axis=1) -> a | s",
    "a sum over an axis of size one besides others": "x(3, 1): a = exp(x); s = sum(a, axis=(0, 1)) -> a s",
    # Other shapes of the same values.
    "an axis of size one comes and goes": "x(3, 4): a = exp(x); b = exp(expand_dims(a, 1)); c = squeeze(b) + a "
    "-> a b c",
    "a repeated value": "x(3, 4): s = sum(x, axis=1, keepdims=True); a = broadcast_to(s, (3, 4)) * x -> s a",
    "a transposed value is read from memory": "x(3, 3): a = exp(x); b = transpose(a) + 1 -> a | b",
    "a transposed input is read in place": "x(3, 4) y(4, 3): a = exp(x); b = a + transpose(y) -> a b",
    "a part of a value is read from memory": "x(3, 4) y(2, 4): a = exp(x); b = a[1:] + y -> a | b",
    "a reshaped value is read from memory": "x(3, 4): a = exp(x); b = reshape(a, (6, 2)) + 1 -> a | b",
    "also where the domain is the same": "x(3, 3): a = exp(x); b = a + reshape(transpose(a), (3, 3)) -> a | b",
    "a reshape that copies is a loop of its own": "x(3, 4): a = exp(x); r = reshape(transpose(x), (12,)); b = exp(r) "
    "-> a | r | b",
    "also a reshape of the domain of others": "x(3, 4): r = reshape(transpose(x), (2, 6)); a = exp(x) -> r | a",
    "also one that has the shape of a domain": "x(2, 6) y(3, 4): a = exp(x); r = reshape(transpose(y), (2, 6)) "
    "-> a | r",
    # What runs alone.
    "a product": "x(3, 4) y(4, 5): a = exp(x); p = a @ y; b = p + 1 -> a | p@ | b",
    "an op without a kernel": "x(3, 4): a = exp(x); p = cumsum(a, axis=0); b = p + 1 -> a | p | b",
    "empty arrays": "x(0, 4): a = exp(x); b = a + 1; s = sum(b, axis=0) -> a | b | s",
    # In which group of several.
    "the last of those it depends on": "x(3, 3) y(3, 3): a = exp(x); p = a @ y; b = a + 1; c = p + a; d = c * b "
    "-> a b | p@ | c d",
    "a circle would come about": "x(3, 3) y(3, 3): a = exp(x); p = a @ y; c = a + p -> a | p@ | c",
    "through a view too": "x(3, 3) y(3, 3): a = exp(x); p = a @ y; c = a + transpose(p) -> a | p@ | c",
    "through what another group makes of it": "x(3, 4): "
    "a = exp(x); s = sum(a, axis=0); t = s * 2; c = a + t; d = a * 3 -> a s d | t | c",
    "the last group, where the own one does not fit": "x(4,) y(3, 4): s = exp(x); a = exp(y); c = s * y -> s | a c",
    # Reductions.
    "a reduction joins what it reduces": "x(3, 4): a = exp(x); s = sum(a, axis=1) -> a s",
    "a reduction of an input begins a loop": "x(3, 4): s = sum(x, axis=1); a = x / column(s) -> s a",
    "over inner axes it is there for the rest of the row": "x(3, 4): s = sum(x, axis=1); t = s + 1; u = x * column(t) "
    "-> s t u",
    "over two inner axes too": "x(3, 4, 5): s = sum(x, axis=(1, 2)); u = x * column(column(s)) -> s u",
    "with keepdims too": "x(3, 4): s = sum(x, axis=1, keepdims=True); t = s + 1; u = x * t -> s t u",
    "over outer axes it is there for later steps": "x(3, 4): a = exp(x); s = sum(a, axis=0); t = s + 1; u = a * s "
    "-> a s | t | u",
    "over a middle axis too": "x(3, 4, 5): a = exp(x); s = sum(a, axis=1); t = s + 1 -> a s | t",
    "over outer and inner axes too": "x(3, 4, 5): a = exp(x); s = sum(a, axis=(0, 2)); t = s + 1 -> a s | t",
    "over everything with several axes too": "x(3, 4): a = exp(x); s = sum(a); t = s + 1 -> a s | t",
    "over the only axis it is there at once": "x(4,): a = exp(x); s = sum(a); t = s + 1; u = a * t -> a s t u",
    "a number joins behind a reduction of the only axis": "x(4,) y(2,): s = sum(x); t = exp(y[:1]) -> s t",
    "but not where there is none": "x(4,) y(2,): a = exp(x); t = exp(y[:1]) -> a | t",
    "nor behind one that is late": "x(3, 4) y(2,): s = sum(x); t = exp(y[:1]) -> s | t",
    "a late one does not keep others from joining": "x(3, 4): a = exp(x); s = sum(a, axis=0); b = a + 1 -> a s b",
    "softmax is one loop": "x(3, 4): "
    "m = max(x, axis=1, keepdims=True); e = exp(x - m); s = sum(e, axis=1, keepdims=True); y = e / s -> m e s y",
    "softmax along the first axis is one for each reduction": "x(3, 4): "
    "m = max(x, axis=0, keepdims=True); e = exp(x - m); s = sum(e, axis=0, keepdims=True); y = e / s -> m | e s | y",
    # Several reductions in a loop.
    "over the same inner axes": "x(3, 4): s = sum(x, axis=1); t = max(x, axis=1) -> s t",
    "over inner, outer and all axes": "x(3, 4): s = sum(x, axis=1); t = sum(x, axis=0); u = sum(x) -> s t u",
    "in the other order": "x(3, 4): u = sum(x); t = sum(x, axis=0); s = sum(x, axis=1) -> u t s",
    "not over two inner axes and one of them": "x(3, 4, 5): s = sum(x, axis=2); t = sum(x, axis=(1, 2)) -> s | t",
    "over the first axis, and two inner ones": "x(3, 4, 5): s = sum(x, axis=0); t = sum(x, axis=(1, 2)) -> s t",
    "not over a middle axis, which is an inner one of another": "x(3, 4, 5): "
    "s = sum(x, axis=1); t = sum(x, axis=(1, 2)) -> s | t",
    "nor the other way round": "x(3, 4, 5): t = sum(x, axis=(1, 2)); s = sum(x, axis=1) -> t | s",
    "over a middle axis, and the last": "x(3, 4, 5): s = sum(x, axis=1); t = sum(x, axis=2); u = sum(x, axis=(0, 2)) "
    "-> s t u",
    # Rows.
    "a reduction of rows is late": "x(3, 4): s = sum(x, axis=1); m = mean(s); t = m + 1 -> s m | t",
    "of some axes of the rows": "x(3, 4, 5): s = sum(x, axis=2); m = max(s, axis=0); n = max(s, axis=1) -> s m n",
    "rows that are no input of the group's": "x(3, 4) y(3,): s = sum(x, axis=1); t = s * y -> s t",
    "a reduction of rows from elsewhere does not join": "x(3, 4) y(3,): s = sum(x, axis=1); t = sum(y) -> s | t",
    "the place of an extreme is found along a row": "x(3, 4): a = exp(x); p = argmax(a, axis=1); q = p + 1 -> a p q",
    "not among rows": "x(3, 4): s = sum(x, axis=1); p = argmax(s, axis=0) -> s | p",
    "nor along a first axis": "x(3, 4): a = exp(x); p = argmax(a, axis=0); q = p + 1 -> a | p | q",
    "a row of a square beside a column of it": "x(3, 3): s = sum(x, axis=1); a = x + column(s); b = x + s -> s a | b",
    "a row and a column of a square, the row first": "x(3, 3): s = sum(x, axis=1); a = exp(x); b = s + a -> s a | b",
    "each row with each row": "x(3, 4): s = sum(x, axis=1); b = s + column(s) -> s | b",
    "a number does not join rows": "x(3, 4) y(2,): s = sum(x, axis=1); t = exp(y[:1]) -> s | t",
    "a reduction along an axis that a row is repeated along": "x(3, 4): "
    "s = sum(x, axis=1); t = prod(broadcast_to(column(s), (3, 7)), axis=1) -> s | t",
    "and along the other": "x(3, 4): s = sum(x, axis=1); t = prod(broadcast_to(column(s), (3, 7)), axis=0) -> s | t",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_which_nodes_run_together(text):
    named, _, expected = written(text)
    assert shown(order_of(named.values()), named) == expected


# How much a loop takes.


def chain(x, count, f=gn.negative):
    found = [f(x)]
    while len(found) < count:
        found.append(f(found[-1]))
    return found


@pytest.mark.parametrize(
    "count, expected",
    [(1, [1]), (HEAVIEST - 1, [63]), (HEAVIEST, [64]), (HEAVIEST + 1, [64, 1]), (2 * HEAVIEST + 1, [64, 64, 1])],
)
def test_a_loop_takes_no_more_than_a_weight(count, expected):
    (x,) = inputs((5,))
    assert sizes(order_of(chain(x, count)[-1:])) == expected


def test_what_is_heavy_counts_for_more():
    (x,) = inputs((5,))
    heavy = weight(gn.exp.op)
    assert heavy == 3
    order = order_of(chain(x, 50, gn.exp)[-1:])
    # A loop that is not full takes one more, whatever that weighs.
    assert sizes(order) == [22, 22, 6]
    assert [sum(weight(t.op) for t in step.nodes) for step in order.steps] == [66, 66, 18]
    last = order_of([gn.exp(chain(x, HEAVIEST - 1)[-1])])
    assert sizes(last) == [64]
    assert sizes(order_of([gn.exp(chain(x, HEAVIEST)[-1])])) == [64, 1]


def test_reductions_count_too():
    (x,) = inputs((5, 6))
    sums = [gn.sum(x, axis=axis) for axis in (0, 1)]
    order = order_of(sums + chain(x, HEAVIEST - 2))
    assert sizes(order) == [64]
    assert sizes(order_of(sums + chain(x, HEAVIEST - 1))) == [64, 1]


# What kernels know.


@pytest.mark.parametrize(
    "f, shape, dtype, known",
    [
        (gn.exp, (3,), "float32", True),
        (gn.exp, (3,), "float16", False),
        (gn.exp, (0,), "float32", False),
        (gn.negative, (3,), "int8", True),
        (lambda x: x.astype("int32"), (3,), "float32", True),
        (lambda x: x.astype("float16"), (3,), "float32", False),
        (lambda x: gn.random_uniform(x, (3,)), (), "int64", True),
        (lambda x: gn.cumsum(x, axis=0), (3,), "float32", False),
        (lambda x: x @ x, (3, 3), "float32", False),
        (lambda x: gn.sum(x, axis=1), (3, 4), "float32", True),
        (lambda x: gn.sum(x, axis=1), (3, 1), "float32", False),
        (lambda x: gn.sum(x, axis=()), (3, 4), "float32", False),
        (lambda x: gn.sum(x, axis=(0, 1)), (3, 1), "float32", True),
        (lambda x: gn.sum(x, axis=0), (0, 4), "float32", False),
        (lambda x: gn.sum(x), (), "float32", False),
        (lambda x: gn.any(x, axis=0), (3, 4), "bool", True),
        (lambda x: gn.any(x, axis=0), (3, 4), "float32", False),
        (lambda x: gn.max(x, axis=0), (3, 4), "bool", False),
        (lambda x: gn.max(x, axis=0), (3, 4), "int32", True),
        (lambda x: gn.mean(x, axis=0), (3, 4), "int32", True),
        (lambda x: gn.argmax(x, axis=1), (3, 4), "float32", True),
        (lambda x: gn.argmax(x, axis=0), (3, 4), "float32", False),
        (lambda x: gn.argmax(x, axis=0), (3, 1), "float32", True),
        (lambda x: gn.argmax(x, axis=0), (3,), "float32", True),
        (lambda x: gn.argmax(x), (3, 4), "float32", False),
        (lambda x: gn.argmax(x), (1, 4), "float32", True),
    ],
)
def test_what_a_loop_can_compute(f, shape, dtype, known):
    (x,) = inputs(shape, dtype=dtype)
    t = f(x)
    assert fusible(t) is known
    assert isinstance(step_of(order_of([t]), t), Group if known else Single)
