"""What one element of an op costs in a loop, and how much code it becomes: as its record says, or by its expression."""

from __future__ import annotations

import ast
import re
from functools import cache

from graphnet import ops
from graphnet.record import OPS, Op

#: nanoseconds for one value of an op of a few instructions, and of one that nothing is known of, about
QUICK, SLOW = 0.03, 0.5
#: what a long polynomial weighs at least
HEAVY = 3
#: operators up to which an expression is of a few instructions
_FEW = 8


@cache
def nanoseconds(op: Op) -> float:
    """About how long one element takes in a native loop, in nanoseconds."""
    if op.cost is not None:
        return op.cost
    if op.same or op.fold is not None:
        return QUICK
    parts = _parts(op)
    if parts is None:
        return SLOW
    operators, called, divisions = parts
    heavy = sum(SLOW if f is None or f is op else nanoseconds(f) for f in called)
    heavy += sum(nanoseconds(ops.divide.op) for _ in range(divisions))
    return heavy + QUICK * (operators > 0 or not heavy) * max(1.0, operators / _FEW)


def cheap(op: Op) -> bool:
    """Whether an element takes a few instructions: then it is computed again sooner than kept."""
    return nanoseconds(op) <= QUICK


@cache
def weight(op: Op) -> int:
    """How much code an op becomes, about: 1 for an instruction or two."""
    if op.weight is not None:
        return op.weight
    parts = _parts(op)
    if parts is None:
        return 1
    operators, called, _ = parts
    return max(1, operators // _FEW + sum(1 if f is None or f is op else weight(f) for f in called))


def _parts(op: Op) -> tuple[int, list[Op | None], int] | None:
    """Of an op's expression: how many operators it has, which ops it calls (None: another function), its divisions."""
    if op.expr is None:
        return None
    # Plans on NumPy do without the scalar functions.
    from graphnet.plans.scalar.functions import FUNCTIONS, SHORT
    from graphnet.plans.scalar.power import pow

    try:
        tree = ast.parse(re.sub(r"\{(\w+)\}", r"\1", op.expr), mode="eval")
    except SyntaxError:
        return None
    operators = divisions = 0
    called: list[Op | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in SHORT:
                operators += 1
            else:
                called.append(ops.power.op if FUNCTIONS.get(name) is pow else OPS.get(name))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            divisions += 1
        elif isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp)):
            operators += 1
    return operators, called, divisions
