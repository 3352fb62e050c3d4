"""What is known of the steps of a plan before memory is, and what one element of an op costs."""

from __future__ import annotations

import numpy as np
import pytest
from plan_steps import inputs, order_of, step_of

import graphnet as gn
from graphnet.ops.shaping import reshape
from graphnet.plans.kernels.products import product
from graphnet.plans.order.costs import HEAVY, QUICK, SLOW, cheap, nanoseconds, weight
from graphnet.plans.order.fusion import HEAVIEST
from graphnet.plans.order.steps import steps_of
from graphnet.record import OPS, Op


def test_parameters_are_those_that_are_read_and_those_that_are_updated():
    x, p, q = inputs((3,))[0], gn.Parameter(np.ones(3, "float32"), name="p"), gn.Parameter(np.ones(3, "float32"))
    order = order_of([x * p], [(q, x + 1), (p, x + 2)])
    assert [id(t) for t in order.parameters] == [id(p), id(q)]
    assert order.names[x] == "v_x" and order.names[p] == "v_p" and order.names[q].startswith("v_updated")
    assert order.given == {x}
    # One that is an input of the graph comes with the inputs.
    graph = gn.Graph([x, p], [x * p], [(p, x + 1)])
    assert steps_of(graph, lambda t: True, product).parameters == ()


def test_products_are_steps_of_their_own():
    x, y = inputs((3, 4), (4, 5))
    p = x @ y
    order = order_of([p])
    assert step_of(order, p).product and (order.products[p].a.rows, order.products[p].b.columns) == (3, 5)
    b = gn.matmul(gn.input((2, 3, 4), name="a"), gn.input((2, 4, 5), name="b"))
    order = order_of([b])
    assert not step_of(order, b).product and order.products == {}


def test_a_view_is_at_the_place_of_its_array():
    (x,) = inputs((3, 4))
    a = gn.cumsum(x, axis=0)
    b = gn.cumsum(a, axis=1)
    t, u = gn.transpose(a), gn.transpose(x)
    order = order_of([t, b, u])
    assert [order.place_of[n] for n in (a, t, b)] == [0, 0, 1] and u not in order.place_of
    assert [step.node for step in order.steps if step.node is a or step.node is b] == [a, b]


# Costs.


def op_of(expr, **facts):
    return Op("probe", "elementwise", np.add, lambda *specs: specs[0], (None,), ("x",), expr=expr, **facts)


@pytest.mark.parametrize(
    "expr, expected",
    [
        ("({x} + 1)", QUICK),
        ("{x}", QUICK),
        ("-{x}", QUICK),
        ("({x} > 0)", QUICK),
        ("({x} if {x} > 0 else 0)", QUICK),
        ("abs({x})", QUICK),
        ("+".join(["{x}"] * 9), QUICK),
        ("+".join(["{x}"] * 17), 2 * QUICK),
        ("exp({x})", nanoseconds(gn.exp.op)),
        ("exp({x}) + 1", nanoseconds(gn.exp.op) + QUICK),
        ("exp({x}) + sin({x})", nanoseconds(gn.exp.op) + nanoseconds(gn.sin.op) + QUICK),
        ("1 / {x}", nanoseconds(gn.divide.op)),
        ("1 / {x} + 1", nanoseconds(gn.divide.op) + QUICK),
        ("pow({x}, 3)", nanoseconds(gn.power.op)),
        ("unheard_of({x})", SLOW),
        ("no expression at all", SLOW),
        (None, SLOW),
    ],
)
def test_nanoseconds_follow_from_the_expression(expr, expected):
    op = op_of(expr)
    assert nanoseconds(op) == pytest.approx(expected)
    assert cheap(op) is (expected <= QUICK)


def test_what_a_record_says_comes_first():
    assert nanoseconds(op_of("{x} + 1", cost=7.0)) == 7 and weight(op_of("{x} + 1", weight=9)) == 9
    assert nanoseconds(reshape.op) == nanoseconds(gn.sum.op) == QUICK
    assert cheap(gn.add.op) and not cheap(gn.exp.op) and not cheap(gn.divide.op)


def test_a_function_of_its_own_is_taken_for_a_slow_one():
    assert gn.cbrt.op.expr == "cbrt({x})" and nanoseconds(gn.cbrt.op) == SLOW and weight(gn.cbrt.op) == 1


@pytest.mark.parametrize(
    "expr, expected",
    [
        ("{x} + 1", 1),
        ("+".join(["{x}"] * 9), 1),
        ("+".join(["{x}"] * 17), 2),
        ("1 / {x}", 1),
        ("abs({x}) + 1", 1),
        ("exp({x})", weight(gn.exp.op)),
        ("exp({x}) + exp(-{x})", 2 * weight(gn.exp.op)),
        ("unheard_of({x})", 1),
        ("no expression at all", 1),
        (None, 1),
    ],
)
def test_weight_follows_from_the_expression(expr, expected):
    assert weight(op_of(expr)) == expected


def test_what_is_heavy():
    assert weight(gn.exp.op) >= HEAVY > weight(gn.add.op)
    # A loop that is not full takes any op, and is not much longer then.
    assert max(map(weight, OPS.values())) < HEAVIEST // 4
