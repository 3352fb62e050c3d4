"""Whose turn it is: plans of one parameter wait for each other, others do not, and nobody waits for ever."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from backends import NEEDS_LLVM, each_backend

import graphnet as gn
from graphnet.apply import made
from graphnet.arrays import Spec
from graphnet.plans import backend, locks, takeover
from graphnet.record import Op

SOON, LATE = 0.05, 20


def parameter(value=1.0):
    return gn.Parameter(np.full(3, value))


def in_thread(f):
    """An event that is set when `f` has been run by another thread."""
    done = threading.Event()
    threading.Thread(target=lambda: (f(), done.set()), daemon=True).start()
    return done


def entering(turn):
    with turn:
        pass


def calling(f, name):
    """An op whose NumPy function also calls `f`: a Python step in any plan."""

    def step(x):
        f()
        return x + 0.0

    op = Op(name, "op", step, lambda x: Spec(x.shape, x.dtype), (None,), ("x",))
    return lambda x: made(op, (x,), {})


def test_plans_of_one_parameter_take_turns_and_others_do_not():
    p, q = parameter(), parameter()
    holds, goes_on = threading.Event(), threading.Event()
    waiting = calling(lambda: (holds.set(), goes_on.wait(LATE)), "waiting")
    x = np.ones(3)
    slow = gn.trace(lambda x: p.assign(waiting(x) * p), x).compile(backend="numpy")
    same = gn.trace(lambda x: x + p, x).compile(backend="numpy")
    other = gn.trace(lambda x: x + q, x).compile(backend="numpy")
    # Made and traced before: tracing runs no op.
    holds.clear()
    first = in_thread(lambda: slow(x))
    assert holds.wait(LATE)
    second = in_thread(lambda: same(x))
    assert in_thread(lambda: other(x)).wait(LATE)
    assert not second.wait(SOON) and not first.is_set()
    goes_on.set()
    assert first.wait(LATE) and second.wait(LATE)


def test_groups_are_joined_when_a_plan_uses_both():
    ps = [parameter() for _ in range(4)]
    one, other = locks.lock_of(ps[:2]), locks.lock_of(ps[2:])
    assert one.root() is not other.root()
    assert locks.lock_of([]) is not locks.lock_of([])
    both = locks.lock_of(ps[1:3])
    assert {t.root() for t in (one, other, both, *(locks.lock_of([p]) for p in ps))} == {both}
    taken = []
    for entered in (one, other, both):
        with entered:
            assert in_thread(lambda: taken.append(both.lock.acquire(blocking=False))).wait(LATE)
    assert taken == [False] * 3


@pytest.mark.parametrize("order", [1, -1])
def test_groups_are_joined_by_who_has_one_of_them(order):
    p, q = parameter(), parameter()
    mine, other = locks.lock_of([p]), locks.lock_of([q])
    with mine:
        joined = locks.lock_of([p, q][::order])
        with joined:
            pass
        # The whole group waits until this thread lets go.
        entered = in_thread(lambda: entering(other))
        assert not entered.wait(SOON)
    assert entered.wait(LATE)


def test_both_groups_are_this_threads():
    p, q = parameter(), parameter()
    with locks.lock_of([q]), locks.lock_of([p]):
        locks.lock_of([p, q])
    assert in_thread(lambda: entering(locks.lock_of([p]))).wait(LATE)


def test_joining_waits_for_a_plan_that_runs_and_lets_others_join():
    p, q, r = parameter(), parameter(), parameter()
    first, second = locks.lock_of([p]), locks.lock_of([q])
    assert first is not second
    with second:
        joining = in_thread(lambda: locks.lock_of([p, q]))
        assert not joining.wait(SOON)
        # What the running plan needs for a plan of its own.
        assert locks.lock_of([r]) is locks.lock_of([r])
        assert locks.lock_of([q, r]).root() is second
    assert joining.wait(LATE)
    assert len({locks.lock_of([t]).root() for t in (p, q, r)}) == 1


@each_backend
def test_a_plan_called_inside_a_plan_of_the_same_parameter(backend):
    p, q, x = parameter(2.0), parameter(3.0), np.ones(3)
    seen = []
    inner = gn.compile(lambda x: (x * p * q).sum(), backend=backend)
    # Made while the outer plan runs, which has the turn of p: q joins it.
    asking = calling(lambda: seen.append(inner(gn.tensor(x)).item()), "asking")

    @gn.custom_gradient
    def doubled(x):
        return asking(x) * 2.0, lambda g: g * 2.0

    outer = gn.trace(lambda x: doubled(x) * p, x).compile(backend=backend)
    locks.lock_of([q])
    for _ in range(2):
        seen.clear()
        with gn.no_grad():
            done = in_thread(lambda: outer(x))
            assert done.wait(LATE)
        np.testing.assert_array_equal(outer(x).numpy(), np.full(3, 4.0))
        assert seen == [18.0, 18.0]


@NEEDS_LLVM
def test_native_code_is_made_inside_a_plan_for_which_it_is_being_made(monkeypatch):
    monkeypatch.setattr(takeover, "PAYS", 0.0)
    monkeypatch.setattr(backend.Repeatable, "on", False)
    p, x = parameter(2.0), np.ones(3)
    plans = []

    def make():
        if outer.backend == "numpy" and outer._takeover.work is not None:
            plans.append(gn.trace(lambda x: x * float(len(plans)) + p, x).compile(backend="native"))

    making = calling(make, "making")
    outer = gn.trace(lambda x: making(x) * p, x).compile(backend="auto")

    def many():
        for _ in range(50):
            outer(x)
        outer.wait()

    assert in_thread(many).wait(LATE)
    assert outer.backend == "native" and plans
