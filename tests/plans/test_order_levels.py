"""In which loop of a group each value is computed, and which values are kept from one loop to the next."""

from __future__ import annotations

import numpy as np
import pytest
from plan_steps import inputs, order_of, written

import graphnet as gn
from graphnet.plans.kernels import levels as levels_module
from graphnet.plans.kernels.levels import CHEAP_OPS, FAR, FAST_MEMORY, NEAR, levels_of
from graphnet.plans.kernels.refs import Axis
from graphnet.plans.order.costs import QUICK, cheap, nanoseconds
from graphnet.plans.order.memory import memory_of


def levels_of_text(text):
    """The levels of the one group that a text becomes, whose outputs stand behind the arrow, and the nodes by name."""
    named, _, outputs = written(text)
    order = order_of([named[name] for name in outputs.split()])
    (group,) = order.steps
    return levels_of(group, set(memory_of(order).stored)), named


def names(named, nodes):
    known = {t: name for name, t in named.items()}
    return " ".join(known[t] for t in nodes if t in known)


# A graph with its outputs; the level of each node, what has a value at each point, what is kept.
SOFTMAX = (
    "x(3, 4): m = max(x, axis=1, keepdims=True); e = exp(x - m); s = sum(e, axis=1, keepdims=True); y = e / s -> y"
)
CASES = {
    "one loop": ("x(3, 4): a = exp(x); b = a * 2 -> b", "a0 b0", "a b", ""),
    "softmax": (SOFTMAX, "m1 e1 s2 y2", "e y", "e"),
    "what is cheap is computed again": (
        "x(3, 4): d = x * 2; s = sum(d, axis=1); y = d / column(s) -> y",
        "d0 s1 y1",
        "d y",
        "",
    ),
    "what is stored is read": (
        "x(3, 4): e = exp(x); s = sum(e, axis=1); y = e / column(s) -> e y",
        "e0 s1 y1",
        "e y",
        "",
    ),
    "what is computed from what is stored is cheap": (
        "x(3, 4): e = exp(x); d = e * 2; s = sum(d, axis=1); y = d / column(s) -> e y",
        "e0 d0 s1 y1",
        "e d y",
        "",
    ),
    "what takes long is kept, and what follows from it computed again": (
        "x(3, 4): e = exp(x); d = e * 2; s = sum(d, axis=1); y = d / column(s) -> y",
        "e0 d0 s1 y1",
        "e d y",
        "d",
    ),
    "the terms of a sum are not needed behind it": (
        "x(3, 4): e = exp(x); s = sum(e, axis=1); y = x / column(s) -> y",
        "e0 s1 y1",
        "e y",
        "",
    ),
    "nor what a stored value was computed from": (
        "x(3, 4): u = exp(x); e = exp(u); s = sum(e, axis=1); y = e / column(s) -> e y",
        "u0 e0 s1 y1",
        "u e y",
        "",
    ),
    "what rows cost is no matter": (
        "x(3, 4): s = sum(x, axis=1); t = exp(s); a = x * column(t); n = sum(a, axis=1); y = a / column(n) -> y",
        "s1 t1 a1 n2 y2",
        "a y",
        "",
    ),
    "values of rows": (
        "x(3, 4): s = sum(x, axis=1); t = exp(s); u = t + 1; y = x * column(u) -> y",
        "s1 t1 u1 y1",
        "y",
        "",
    ),
    "a reduction over outer axes ends no loop": (
        "x(3, 4): a = exp(x); s = sum(a, axis=0); b = a + 1 -> s b",
        "a0 s0 b0",
        "a b",
        "",
    ),
    "nor one over rows": (
        "x(3, 4): s = sum(x, axis=1); m = mean(s) -> m",
        "s1 m1",
        "",
        "",
    ),
    "nor one over outer and inner axes": (
        "x(3, 4, 5): a = exp(x); s = sum(a, axis=(0, 2)); b = a + 1 -> s b",
        "a0 s0 b0",
        "a b",
        "",
    ),
    "what is kept has to be computed from what is kept": (
        "x(3, 4): m = max(x, axis=1); u = exp(x); t = exp(u - column(m)); n = sum(x - column(m), axis=1); "
        "y = t / column(n) -> y",
        "m1 u0 t1 n2 y2",
        "u t y",
        "t u",
    ),
    "a copy in another shape": ("x(3, 4): r = reshape(transpose(x), (2, 6)) -> r", "r0", "r", ""),
    "a number": ("x(): a = exp(x) -> a", "a0", "a", ""),
}


@pytest.mark.parametrize("text, level, full, kept", CASES.values(), ids=CASES)
def test_which_value_is_in_which_loop(text, level, full, kept):
    found, named = levels_of_text(text)
    assert " ".join(f"{name}{found.level[t]}" for name, t in named.items()) == level
    assert names(named, [t for t in named.values() if t in found.full]) == full
    assert names(named, found.kept) == kept
    assert found.count == 1 + max(found.level.values())


def test_what_a_loop_is_there_for():
    found, named = levels_of_text(SOFTMAX)
    assert [names(named, found.roots(level)) for level in range(found.count)] == ["m", "s e", "y"]
    found, named = levels_of_text("x(3, 4): a = exp(x); s = sum(a, axis=0); b = a + 1 -> s b")
    assert [names(named, found.roots(level)) for level in range(found.count)] == ["b s"]
    # The sum of rows is no work of an inner loop; the last level has rows only.
    found, named = levels_of_text("x(3, 4): s = sum(x, axis=1); m = mean(s) -> m")
    assert [names(named, found.roots(level)) for level in range(found.count)] == ["s", ""]
    assert {name: found.source_full.get(t) for name, t in named.items()} == {"s": True, "m": False}
    # What is stored, and each place in one loop.
    found, named = levels_of_text("x(3, 4): e = exp(x); s = sum(e, axis=1); y = e / column(s) -> e y")
    assert [names(named, found.roots(level)) for level in range(found.count)] == ["e s", "y"]


def test_reductions_are_told_from_values():
    found, named = levels_of_text(SOFTMAX)
    assert {name: found.is_reduction(t) for name, t in named.items()} == {"m": True, "e": False, "s": True, "y": False}


@pytest.mark.parametrize("count, kept", [(1, False), (CHEAP_OPS, False), (CHEAP_OPS + 1, True), (20, True)])
def test_how_many_cheap_ops_are_computed_again(count, kept):
    (x,) = inputs((3, 4))
    assert cheap(gn.negative.op)
    chain = [x]
    for _ in range(count):
        chain.append(gn.negative(chain[-1]))
    s = gn.sum(chain[-1], axis=1, keepdims=True)
    order = order_of([chain[-1] / s])
    found = levels_of(order.steps[0], set(memory_of(order).stored))
    assert found.kept == (chain[-1],) * kept
    # From a value that is stored, half of them are left.
    middle = chain[count // 2 + 1] if count > 1 else chain[-1]
    order = order_of([chain[-1] / s, middle])
    assert not levels_of(order.steps[0], set(memory_of(order).stored)).kept or count // 2 > CHEAP_OPS


def test_cheap_ops_of_several_inputs_add_up():
    (x,) = inputs((3, 4))
    a = [gn.negative(x + n) for n in range(4)]
    parts = [a[0] + a[1], a[2] + a[3]]
    for total, kept in ((a[0] + a[1] + a[2], False), (parts[0] + parts[1], True)):
        order = order_of([total / gn.sum(total, axis=1, keepdims=True)])
        assert (total in levels_of(order.steps[0], set(memory_of(order).stored)).kept) is kept


# About how long it takes.


def test_time_of_points_and_rows():
    axes = [Axis(0, 30, False), Axis(1, 40, True)]
    exp = nanoseconds(gn.exp.op)

    def takes(text):
        found, _ = levels_of_text(text)
        return found.nanoseconds(axes, 0)

    assert takes("x(30, 40): a = exp(x) -> a") == pytest.approx(1200 * exp)
    assert takes("x(30, 40): s = sum(x, axis=1) -> s") == pytest.approx(1200 * QUICK)
    assert takes("x(30, 40): s = sum(x, axis=1); t = exp(s) -> t") == pytest.approx(1200 * QUICK + 30 * exp)
    assert takes("x(30, 40): s = sum(x, axis=1); m = mean(s) -> m") == pytest.approx(1200 * QUICK + 30 * QUICK)


def test_time_of_moving():
    found, _ = levels_of_text("x(30, 40): a = exp(x) -> a")
    axes = [Axis(1, 1200, True)]
    still = found.nanoseconds(axes, 0)
    moves = [found.nanoseconds(axes, moved) - still for moved in (1000, FAST_MEMORY - 1, FAST_MEMORY)]
    np.testing.assert_allclose(moves, [1000 * NEAR, (FAST_MEMORY - 1) * NEAR, FAST_MEMORY * FAR])
    assert levels_module.NEAR < levels_module.FAR
