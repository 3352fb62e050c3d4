"""What a group says of its nodes: axes of the domain, outer and inner loops, what is there when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_steps import inputs, order_of
from programs import Program

import graphnet as gn
from graphnet.plans.kernels.pointwise import fusible
from graphnet.plans.order import fusion
from graphnet.plans.order.fusion import LONG_SUM, Group
from graphnet.plans.order.schedule import members


def group_of(*nodes):
    order = order_of(nodes)
    (group,) = order.steps
    assert isinstance(group, Group)
    return group


def test_axes_of_the_domain():
    x, y = inputs((3, 1, 4), (1, 4))
    a = gn.exp(x)
    b = a + y
    s = gn.sum(b, axis=2, keepdims=True)
    m = gn.max(b, axis=(1, 2))
    late = gn.sum(b, axis=(0, 1))
    group = group_of(a, b, s, m, late)
    assert group.domain == (3, 4) and group.split == 1 and list(group.inner()) == [1]
    assert {t: group.axes[t] for t in (a, b, s, m, late)} == {
        a: (0, None, 1),
        b: (0, None, 1),
        s: (0, None, None),
        m: (0,),
        late: (1,),
    }
    # A reduction has the axes of its input besides.
    assert group.over == {s: (0, None, 1), m: (0, None, 1), late: (0, None, 1)}
    assert group.late == {late}
    assert [group.is_row(t) for t in (a, b, s, m)] == [False, False, True, True]


@pytest.mark.parametrize(
    "shape, axis, domain, split, least, late",
    [
        ((3, 4), 1, (3, 4), 1, 0, False),
        ((3, 4), -1, (3, 4), 1, 0, False),
        ((3, 4), 0, (3, 4), None, 1, True),
        ((3, 4), (0, 1), (3, 4), None, 0, True),
        ((3, 4), None, (3, 4), None, 0, True),
        ((4,), 0, (4,), 0, 0, False),
        ((1, 4, 1), 1, (4,), 0, 0, False),
        ((1, 4, 1), None, (4,), 0, 0, False),
        ((3, 4, 5), 2, (3, 4, 5), 2, 0, False),
        ((3, 4, 5), (1, 2), (3, 4, 5), 1, 0, False),
        ((3, 4, 5), 1, (3, 4, 5), None, 2, True),
        ((3, 4, 5), (0, 1), (3, 4, 5), None, 2, True),
        ((3, 4, 5), (0, 2), (3, 4, 5), 2, 0, True),
        ((3, 4, 1), (1, 2), (3, 4), 1, 0, False),
        ((2, 3, 4, 5), (0, 2, 3), (2, 3, 4, 5), 2, 0, True),
        ((2, 3, 4, 5), (0, 2), (2, 3, 4, 5), None, 3, True),
    ],
)
def test_where_a_reduction_parts_the_loops(shape, axis, domain, split, least, late):
    (x,) = inputs(shape)
    t = gn.sum(x, axis=axis)
    group = group_of(t)
    assert (group.domain, group.split, group.least, t in group.late) == (domain, split, least, late)
    assert list(group.inner()) == list(range(least if split is None else split, len(domain)))


def test_the_inner_loops_keep_off_what_outer_reductions_go_over():
    """A sum over outer axes is one addition in memory at each point: its own axes are outer loops."""
    (x,) = inputs((2, 3, 4, 5))
    group = group_of(gn.sum(x, axis=0), gn.sum(x, axis=1))
    assert group.split is None and group.least == 2 and list(group.inner()) == [2, 3]
    group = group_of(gn.sum(x, axis=1), gn.sum(x, axis=0))
    assert group.least == 2
    group = group_of(gn.sum(x, axis=1), gn.sum(x, axis=(2, 3)))
    assert group.split == group.least == 2
    order = order_of([gn.sum(x, axis=1), gn.sum(x, axis=(1, 2, 3))])
    assert len(order.steps) == 2


def test_a_group_without_a_reduction_has_one_loop():
    (x,) = inputs((3, 4))
    a = gn.exp(x)
    group = group_of(a)
    assert group.split is None and list(group.inner()) == [0, 1] and not group.late and not group.is_row(a)
    (y,) = inputs(())
    b = gn.exp(y)
    group = group_of(b)
    assert group.domain == () and list(group.inner()) == [] and not group.is_row(b)


def test_members_through_changes_of_axes_alone():
    (x,) = inputs((3, 4))
    a = gn.exp(x)
    s = gn.sum(a, axis=1)
    group = group_of(a, s)
    assert group.member(a) == (a, (0, 1))
    assert group.member(gn.reshape(a, (3, 1, 4))) == (a, (0, None, 1))
    assert group.member(gn.broadcast_to(gn.reshape(s, (3, 1)), (2, 3, 4))) == (s, (None, 0, None))
    assert group.member(gn.reshape(gn.reshape(s, (1, 3, 1)), (3,))) == (s, (0,))
    assert group.member(gn.stop_gradient(a)) == (a, (0, 1))
    for other in (gn.reshape(a, (4, 3)), gn.transpose(a), a[1:], a.astype("float64"), x, gn.exp(a)):
        assert group.member(other) is None


def test_a_copy_in_another_shape():
    (x,) = inputs((3, 4))
    r = gn.reshape(gn.transpose(x), (2, 6))
    group = group_of(r)
    assert group.domain == (4, 3) and group.is_copy(r) and not group.is_row(r) and group.axes[r] == ()
    s = gn.sum(x)
    assert not group_of(s).is_copy(s)


# Long sums.


@pytest.mark.parametrize(
    "shape, split",
    [
        ((64, 64), None),
        ((1, 4096), 0),
        ((4097,), 0),
        ((17, 241), 1),
        ((64, 65), 1),
        ((2, 4096), 1),
        ((2, 4097), None),
        ((2, 3, 4096), 2),
        ((3, 2, 2048), 1),
        ((3, 2, 2049), 2),
        ((5000, 2, 2), 1),
    ],
)
def test_long_sums_are_parted_into_rows_that_float32_is_good_for(shape, split):
    assert LONG_SUM == 4096
    (x,) = inputs(shape)
    group = group_of(gn.sum(x))
    assert group.split == split
    if split is not None and len(group.domain) > 1:
        assert math.prod(group.domain[split:]) <= LONG_SUM < math.prod(group.domain[split - 1 :])


def test_what_keeps_long_sums_in_one_piece():
    (x,) = inputs((100, 100))
    total = gn.sum(x)
    assert group_of(total).split == 1
    # Sums over outer axes leave no inner one free.
    group = group_of(total, gn.sum(x, axis=0))
    assert group.least == 1 and group.split == 1
    (y,) = inputs((2, 3000, 2))
    total, late = gn.sum(y), gn.sum(y, axis=1)
    assert group_of(total).split == 2
    assert group_of(total, late).split == 2
    (z,) = inputs((3000, 2, 2))
    assert group_of(gn.sum(z)).split == 1
    assert group_of(gn.sum(z), gn.sum(z, axis=(0, 1))).split is None
    # A loop that sums nothing up stays whole, and a copy in another shape too.
    assert group_of(gn.exp(x)).split is None
    assert group_of(gn.reshape(gn.transpose(x), (10000,))).split is None


def test_a_row_is_asked_for_before_the_length_matters():
    (x,) = inputs((100, 100))
    group = group_of(gn.sum(x), gn.sum(x, axis=1))
    assert group.split == 1
    (y,) = inputs((100, 10, 10))
    assert group_of(gn.sum(y)).split == 1
    assert group_of(gn.sum(y), gn.sum(y, axis=2)).split == 2


# Laws, for random programs.


def places_before(order):
    """What a step may read: leaves, and what steps before have made."""
    seen = set()
    for step in order.steps:
        yield step, seen
        seen |= set(members(step))


def row_or_full(group, t):
    covered = sorted(a for a in group.axes[t] if a is not None)
    return covered == list(range(len(group.domain))) or (
        group.split is not None and covered == list(range(group.split))
    )


def programs():
    return st.builds(Program, st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())


@given(programs())
def test_laws_of_steps(program):
    order = order_of(program.outputs())
    computed = [t for t in order.graph.nodes if t.op is not None and not order.views.is_view(t)]
    assert sorted(map(id, computed)) == sorted(id(t) for step in order.steps for t in members(step))
    for place, (step, before) in enumerate(places_before(order)):
        own = set()
        for t in members(step):
            assert order.place_of[t] == place
            for i in t.inputs:
                base = order.views[i].base
                member = step.member(i) if isinstance(step, Group) else None
                if member is not None:
                    # A value of this loop, that is there at this point.
                    assert member[0] in own and member[0] not in step.late
                else:
                    assert base.op is None or base in before
            own.add(t)
        if isinstance(step, Group):
            check_group(step)
        else:
            assert not fusible(step.node)


def check_group(group):
    assert 1 not in group.domain and 0 not in group.domain
    assert group.split is None or group.least <= group.split <= len(group.domain)
    assert set(group.axes) == set(group.nodes)
    for t in group.nodes:
        if group.is_copy(t):
            assert group.nodes == (t,)
            continue
        axes = group.axes[t]
        assert len(axes) == t.ndim
        assert all(
            a is not None and group.domain[a] == n if n != 1 else a is None for a, n in zip(axes, t.shape, strict=True)
        )
        if t not in group.late:
            assert row_or_full(group, t)
        if t in group.over:
            gone = {group.over[t][a] for a in fusion.reduced_axes(t)} - {None}
            kept = {a for a in axes if a is not None}
            assert gone and not gone & kept
            # What is complete at the end of a row has gone over the inner axes, and over them alone.
            if t not in group.late:
                assert gone == set(group.inner())
            # What is added up in memory is there at each point of the inner loops, or once for each row.
            else:
                assert gone & set(group.inner()) in (set(), set(group.inner()))
