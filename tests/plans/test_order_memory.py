"""Where values lie: views, buffers that share memory while they are not needed at once, outputs, parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_steps import inputs, order_of, written
from programs import Program

import graphnet as gn
from graphnet.node import toposort
from graphnet.plans.kernels.pointwise import fusible
from graphnet.plans.order.arena import LINE, Life, arranged
from graphnet.plans.order.memory import memory_of
from graphnet.plans.order.schedule import members, read_by
from graphnet.plans.order.views import row_major, views_of


def never(t):
    return False


each_way = pytest.mark.parametrize("fusible", [fusible, never], ids=["loops", "lines"])


def whole(nbytes):
    """Bytes as buffers have them: full cache lines."""
    return -(-max(nbytes, 1) // LINE) * LINE


def life(key, first, last, nbytes=LINE):
    return Life(key, nbytes, first, last)


# The block.


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 12), st.integers(0, 6)), max_size=30))
def test_buffers_that_are_needed_at_the_same_time_lie_apart(drawn):
    lives = [Life(n, size, first, first + more) for n, (size, first, more) in enumerate(drawn)]
    arena = arranged(lives)
    size = {b.key: whole(b.nbytes) for b in lives}
    for b in lives:
        start = arena.offset[b.key]
        assert start % LINE == 0 and start >= 0 and start + size[b.key] <= arena.total
        for c in lives[: b.key]:
            if b.first <= c.last and c.first <= b.last:
                other = arena.offset[c.key]
                assert start + size[b.key] <= other or other + size[c.key] <= start
    held = [sum(size[b.key] for b in lives if b.first <= at <= b.last) for at in range(20)]
    assert arena.peak == max(held) and (not lives or held[arena.peak_step] == arena.peak)
    assert arena.peak <= arena.total <= sum(size.values())
    assert arena.unshared == sum(b.nbytes for b in lives)


def test_of_nothing():
    assert arranged([]) == ({}, 0, 0, 0, 0)


def test_a_chain_takes_two_places():
    lives = [life(n, n, n + 1, 1000) for n in range(50)]
    arena = arranged(lives)
    assert arena.total == arena.peak == 2 * whole(1000) and arena.unshared == 50_000
    assert len(set(arena.offset.values())) == 2


def test_a_place_is_free_after_the_last_step():
    assert arranged([life("a", 0, 3), life("b", 3, 4)]).total == 2 * LINE
    assert arranged([life("a", 0, 2), life("b", 3, 4)]).total == LINE


def test_every_buffer_has_a_cache_line():
    assert [arranged([life("a", 0, 0, n)]).total for n in (0, 1, LINE, LINE + 1)] == [LINE, LINE, LINE, 2 * LINE]


def test_the_smallest_gap_that_fits():
    early = [life("big", 0, 0, 4 * LINE), life("wall", 0, 9), life("small", 0, 0, 2 * LINE), life("end", 0, 9)]
    arena = arranged([*early, life("two", 1, 2, 2 * LINE), life("three", 1, 2, 3 * LINE)])
    assert arena.offset["two"] == arena.offset["small"] and arena.offset["three"] == arena.offset["big"]
    # What is left of a gap is free.
    arena = arranged([*early, life("three", 1, 2, 3 * LINE), life("one", 1, 2), life("two", 1, 2, 2 * LINE)])
    assert arena.offset["one"] == arena.offset["big"] + 3 * LINE and arena.total == 8 * LINE


def test_gaps_side_by_side_are_one():
    for order in ("abc", "acb", "bac", "bca", "cab", "cba"):
        lives = [life(key, 0, 1 + order.index(key)) for key in "abc"]
        arena = arranged([*lives, life("end", 0, 9), life("all", 5, 6, 3 * LINE)])
        assert arena.offset["all"] == min(arena.offset[key] for key in "abc") and arena.total == 4 * LINE


def test_a_gap_at_the_end_grows():
    arena = arranged([life("a", 0, 9), life("b", 0, 0, 2 * LINE), life("c", 1, 2, 3 * LINE)])
    assert arena.offset == {"a": 0, "b": LINE, "c": LINE} and arena.total == 4 * LINE


def test_lives_in_any_order():
    assert arranged([life("b", 1, 1), life("a", 0, 0)]).total == LINE


def test_the_peak():
    arena = arranged([life("a", 0, 2), life("b", 2, 4, 3 * LINE), life("c", 3, 3)])
    assert (arena.peak, arena.peak_step) == (4 * LINE, 2)


# Keys.


def memory_of_text(text, fusible=fusible):
    named, given, outputs = written(text)
    order = order_of([named[name] for name in outputs.split()], fusible=fusible)
    return memory_of(order), named, given, order


def test_what_only_its_own_loop_needs_is_nowhere():
    memory, named, given, _ = memory_of_text("x(3, 4): a = exp(x); b = a * 2; s = sum(b, axis=1) -> s")
    assert memory.stored == {named["s"]} and memory.key(named["s"]) == ("output", named["s"]) and not memory.lives
    assert memory.fresh == (named["s"],) and memory.key(given["x"]) is given["x"]


def test_what_a_later_step_needs_is_in_a_buffer():
    memory, named, _, order = memory_of_text("x(3, 3): a = exp(x); p = a @ a; b = p + a -> b")
    assert memory.stored == {named[name] for name in "apb"}
    names = {named["a"]: order.names[named["a"]], named["p"]: order.names[named["p"]]}
    assert memory.lives == (
        Life(("buffer", named["a"]), 36, 0, 2, names[named["a"]]),
        Life(("buffer", named["p"]), 36, 1, 2, names[named["p"]]),
    )


def test_a_chain_of_lines_is_in_one_buffer():
    memory, named, _, _ = memory_of_text("x(3, 4): a = exp(x); b = sin(a); c = tanh(b); d = c + 1 -> d", never)
    assert memory.stored == set(named.values())
    assert [memory.key(named[name]) for name in "abc"] == [("buffer", named["a"])] * 3
    (one,) = memory.lives
    assert (one.first, one.last) == (0, 3) and memory.key(named["d"]) == ("output", named["d"])


@pytest.mark.parametrize(
    "text",
    [
        # Needed later, of another size, read at other places, of more bytes for each number.
        "x(3, 3): a = exp(x); b = sin(a); c = b + a -> c",
        "x(3, 3) y(2, 3, 3): a = exp(x); b = a + y; c = b + 1 -> c",
        "x(3, 3): a = exp(x); b = sin(transpose(a)); c = b + 1 -> c",
        "x(3, 3): a = exp(x); b = a.astype('float64'); c = b + 1 -> c",
        "x(3, 3): a = exp(x); b = cumsum(a, axis=0); c = b + 1 -> c",
    ],
)
def test_a_buffer_that_is_not_free(text):
    memory, named, _, _ = memory_of_text(text, never)
    assert memory.keys[named["a"]][1] is named["a"] and memory.keys[named["b"]][1] is named["b"]


def test_inputs_and_outputs_are_not_overwritten():
    memory, named, given, _ = memory_of_text("x(3, 3): a = exp(x); b = sin(a); c = tanh(b) -> a c", never)
    assert memory.key(named["b"]) == ("buffer", named["b"]) and memory.fresh == (named["a"], named["c"])
    assert given["x"] not in memory.stored


def test_a_loop_overwrites_what_it_reads_for_the_last_time():
    memory, named, _, _ = memory_of_text("x(3, 3): p = x @ x; a = exp(p); q = a @ x -> q")
    assert memory.key(named["a"]) == memory.key(named["p"]) == ("buffer", named["p"])
    (one,) = memory.lives
    assert (one.first, one.last) == (0, 2)


@each_way
def test_a_view_lies_in_its_array(fusible):
    text = "x(3, 4): a = exp(x); t = transpose(a); u = t[1:]; p = cumsum(u, axis=0); q = cumsum(p, axis=1) -> q"
    memory, named, _, order = memory_of_text(text, fusible)
    for name in "tu":
        assert named[name] not in memory.stored and named[name] not in memory.keys
        assert memory.key(order.views[named[name]].base) == ("buffer", named["a"])
    assert memory.lives[0].last == order.place_of[named["p"]]


@each_way
def test_an_output_that_is_a_view_keeps_its_array(fusible):
    memory, named, _, order = memory_of_text(
        "x(3, 4): a = exp(x); t = transpose(a); b = cumsum(a, axis=0) -> t b", fusible
    )
    assert memory.fresh == (named["b"],) and memory.lives[0].last == len(order.steps)


def test_updates():
    x, p, q = inputs((3, 3))[0], gn.Parameter(np.ones((3, 3), "float32")), gn.Parameter(np.ones((3, 3), "float32"))
    t, u = p - x, gn.transpose(q - x)
    order = order_of([], [(p, t), (q, u)])
    memory = memory_of(order)
    assert memory.targets == {t: p} and memory.key(t) is p
    base = u.inputs[0]
    assert memory.key(base) == ("buffer", base) and memory.lives[0].last == len(order.steps)


# What a step finds in memory is what was put there.


def run(order):
    """Go through the steps, and look at each read whether the value is still there."""
    memory = memory_of(order)
    offset = arranged(memory.lives).offset
    holds = {}  # by place in memory: whose value is there

    def where(t):
        key = memory.key(t)
        return range(offset[key], offset[key] + whole(t.nbytes), LINE) if key in offset else [key]

    def check(t):
        assert all(holds.get(place, t if t.op is None or t in order.given else None) is t for place in where(t))

    for step in order.steps:
        for t in read_by(step, order.views):
            check(t)
        for t in members(step):
            if t in memory.stored:
                holds.update(dict.fromkeys(where(t), t))
        # All of the step's own values are there in the end.
        for t in members(step):
            if t in memory.stored:
                check(t)
    for t in (*order.graph.outputs, *(t for p, t in order.graph.updates if memory.targets.get(t) is not p)):
        base = order.views[t].base
        if isinstance(base, gn.Parameter):
            # What is asked for as it was is copied before the first step.
            continue
        check(base)
    return memory


def updated(program):
    """A program, whose parameters are assigned what comes from late values."""
    rng = program.rng
    updates = []
    for p in program.parameters:
        late = program.pool[-min(int(rng.geometric(0.4)), len(program.pool))]
        step = gn.sum(late.astype(p.dtype)) if rng.random() < 0.5 else p * p
        new = [p - 0.1 * step, gn.transpose(gn.transpose(p) + gn.transpose(step)), p + gn.flip(p), step + 0 * p]
        updates.append((p, new[int(rng.integers(len(new)))]))
    if len(updates) > 1 and updates[0][0].shape == updates[1][0].shape:
        updates[0] = updates[0][0], updates[1][1].astype(updates[0][0].dtype)
    return updates


def programs():
    return st.builds(Program, st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())


@each_way
@given(programs(), st.booleans())
def test_values_are_there_when_they_are_read(fusible, program, assigns):
    order = order_of(program.outputs(), updated(program) if assigns else (), fusible=fusible)
    memory = run(order)
    for t in memory.stored:
        assert not order.views.is_view(t)
    if fusible is never:
        assert memory.stored == {t for step in order.steps for t in members(step)}


# Views.


def test_strides_of_rows():
    assert row_major(()) == () and row_major((5,)) == (1,) and row_major((2, 3, 4)) == (12, 4, 1)


VIEWS = {
    "transposed": (lambda x: gn.transpose(x), 0, (1, 4)),
    "a part": (lambda x: x[1:, ::2], 4, (4, 2)),
    "backwards": (lambda x: x[::-1], 8, (-4, 1)),
    "reshaped": (lambda x: gn.reshape(x, (2, 6)), 0, (6, 1)),
    "repeated": (lambda x: gn.broadcast_to(x, (2, 3, 4)), 0, (0, 4, 1)),
    "one row": (lambda x: x[1], 4, (1,)),
    "a part of a part": (lambda x: gn.transpose(x[1:])[2:], 6, (1, 4)),
    "the same": (lambda x: gn.stop_gradient(x), 0, (4, 1)),
}


@pytest.mark.parametrize("f, offset, strides", VIEWS.values(), ids=VIEWS)
def test_where_a_view_lies(f, offset, strides):
    (x,) = inputs((3, 4))
    t = f(x)
    places = views_of(toposort([t]), {x})
    assert places[t] == (x, offset, strides) and places.is_view(t) and not places.is_view(x)
    assert places[x] == (x, 0, (4, 1))


def test_what_is_no_view():
    (x,) = inputs((3, 4))
    (empty,) = inputs((0, 4))
    cases = [gn.exp(x), x.astype("float64"), gn.reshape(gn.transpose(x), (12,)), x[[0, 2]], gn.transpose(empty)]
    places = views_of([x, gn.transpose(x), *(i for t in cases for i in t.inputs), *cases])
    for t in cases:
        assert not places.is_view(t) and places[t] == (t, 0, row_major(t.shape))
    # What is given lies in its own array.
    t = gn.transpose(x)
    assert not views_of([t], {t}).is_view(t)


def test_which_views_lie_without_gaps():
    (x,) = inputs((3, 4))
    views = {
        x[1:]: True,
        gn.reshape(x, (4, 3)): True,
        gn.transpose(x): False,
        x[:, 1:]: False,
        x[::2]: False,
        x[1:2, 1:]: True,
        gn.broadcast_to(x, (2, 3, 4)): False,
        gn.broadcast_to(x, (1, 3, 4)): True,
    }
    places = views_of(views, {x})
    assert {t: places.contiguous(t) for t in views} == views


@given(programs())
def test_views_read_what_their_ops_give(program):
    graph = program.graph()
    order = order_of(graph.outputs)
    for t in graph.nodes:
        if order.views.is_view(t):
            base, offset, strides = order.views[t]
            assert not order.views.is_view(base)
            numbers = np.arange(base.size).reshape(base.shape)
            chain = [t]
            while chain[-1] is not base:
                chain.append(chain[-1].inputs[0])
            expected = numbers
            for node in reversed(chain[:-1]):
                expected = node.op.forward(expected, **node.attrs)
            found = offset + sum(i * s for i, s in zip(np.indices(t.shape), strides, strict=True))
            np.testing.assert_array_equal(np.broadcast_to(found, t.shape), expected)
