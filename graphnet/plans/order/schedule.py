"""In which order nodes are computed, and which values are written straight into the parameters they update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor, made_by
from graphnet.ops.planned import GEMM, IN_RANGE
from graphnet.plans.code import numpy_lines
from graphnet.plans.kernels.refs import read_at
from graphnet.plans.order.fusion import Group, Single, Step
from graphnet.plans.order.views import Views, row_major
from graphnet.plans.rewrite.gather import may_raise


def depths(graph: Graph) -> dict[Tensor, int]:
    """The length of the longest way from a leaf to each node."""
    given = set(graph.inputs)
    found: dict[Tensor, int] = {}
    for t in graph.nodes:
        found[t] = 0 if t.op is None or t in given else 1 + max((found[i] for i in t.inputs), default=0)
    return found


def ordered(graph: Graph) -> list[Tensor]:
    """The computed nodes, each after its inputs and as late as its users allow.

    What can fail comes first, with all it needs: nothing has been changed then. Next comes what depends on numbers
    alone; then outputs, updates of numbers (metrics) and updates of arrays, one parameter after the other: its gradient
    is made right before it is used up, and old values are read before new ones are written. A node's deepest input
    comes first, so that short branches stand beside the op that needs them. A slope is computed beside its function,
    where most of its work is done and its input is at hand.
    """
    given = set(graph.inputs)
    depth = depths(graph)
    slopes: dict[Tensor, list[Tensor]] = {}
    for t in graph.nodes:
        if t.op is not None and t.op.beside and t not in given:
            slopes.setdefault(t.inputs[0], []).append(t)
    done: set[Tensor] = {t for t in graph.nodes if t.op is None or t in given}
    order: list[Tensor] = []

    def compute(root: Tensor) -> None:
        stack = [root]
        while stack:
            t = stack[-1]
            if t in done:
                stack.pop()
                continue
            waiting = sorted((i for i in t.inputs if i not in done), key=depth.__getitem__)
            if waiting:
                stack.extend(waiting)
            else:
                stack.pop()
                done.add(t)
                order.append(t)
                for s in slopes.get(t.inputs[0], ()) if slopes and t.inputs else ():
                    if t.op in s.op.beside and s not in done:  # type: ignore[union-attr]
                        done.add(s)
                        order.append(s)

    for t in graph.nodes:
        if made_by(t, IN_RANGE) and t not in given:
            compute(t)
    for t in graph.nodes:
        if t not in done and t.size == 1 and all(i.size == 1 and i in done for i in t.inputs):
            done.add(t)
            order.append(t)
    penalties = _of_one_parameter(graph, given)
    behind = _behind(graph, penalties)
    numbers = [*graph.outputs, *(t for p, t in graph.updates if p.size == 1)]
    for root in numbers:
        if root not in behind:
            compute(root)
    for p, t in graph.updates:
        if p.size != 1:
            if made_by(t, GEMM) and t not in given:
                # What is summed over the old value goes over it together with the scaling of that value.
                for i in t.inputs[1:]:
                    compute(i)
                for penalty in penalties.get(p, ()):
                    compute(penalty)
            compute(t)
    for root in numbers:
        compute(root)
    return order


def _of_one_parameter(graph: Graph, given: set[Tensor]) -> dict[Tensor, list[Tensor]]:
    """For parameters that a `gemm` updates, the numbers that are sums over nothing but the parameter and constants."""
    updated = {p for p, t in graph.updates if made_by(t, GEMM)}
    source: dict[Tensor, Tensor | None] = {}
    found: dict[Tensor, list[Tensor]] = {}
    for t in graph.nodes:
        if t.op is None or t in given:
            source[t] = None if t.op is None and t not in given and not isinstance(t, Parameter) else t
            continue
        sources = {s for s in (source[i] for i in t.inputs) if s is not None}
        one = next(iter(sources)) if len(sources) == 1 else None
        source[t] = one if one is not None or not sources else t
        if one in updated and t.size == 1 and t.op.family == "reduction":
            found.setdefault(one, []).append(t)
    return found


def _behind(graph: Graph, penalties: dict[Tensor, list[Tensor]]) -> set[Tensor]:
    """The nodes that need one of those numbers."""
    found = {t for listed in penalties.values() for t in listed}
    for t in graph.nodes:
        if t not in found and any(i in found for i in t.inputs):
            found.add(t)
    return found


def readers(steps: Sequence[Step], views: Views) -> dict[Tensor, list[int]]:
    """For each array, the steps that read it from memory, in order."""
    found: dict[Tensor, list[int]] = {}
    for place, step in enumerate(steps):
        for base in read_by(step, views):
            found.setdefault(base, []).append(place)
    return found


def members(step: Step) -> Sequence[Tensor]:
    """The nodes that a step computes."""
    return step.nodes if isinstance(step, Group) else (step.node,)


def read_by(step: Step, views: Views) -> Iterable[Tensor]:
    """The arrays that a step reads from memory."""
    found: dict[Tensor, None] = {}
    for t in members(step):
        for i in t.inputs:
            if not (isinstance(step, Group) and step.member(i) is not None):
                found[views[i].base] = None
    return found


def may_overwrite(step: Step, views: Views, t: Tensor, source: Tensor) -> bool:
    """Whether node `t` of a step may overwrite the array `source`: each element is read before it is written.

    So it is in a group with one loop, or elementwise, and everything that reads the array reads it at the element that
    `t` writes.
    """
    if source.size != t.size or source.dtype.itemsize != t.dtype.itemsize:
        return False
    if isinstance(step, Single):
        op = t.op
        if made_by(t, GEMM):
            return step.product and source is t.inputs[0] and all(views[i].base is not source for i in t.inputs[1:])
        if op is None or op.family != "elementwise" or made_by(t, *numpy_lines.READ_AGAIN):
            return False
        own = row_major(t.shape)
        read = [i for i in t.inputs if views[i].base is source]
        return all(views[i].strides == own and i.shape == t.shape for i in read)
    if any(n not in step.late and step.is_row(n) for n in step.nodes):
        return False
    strides = [read_at(step, views, n, i)[1] for n in step.nodes for i in n.inputs if views[i].base is source]
    return all(s == row_major(step.domain) for s in strides)


def overwritten(
    graph: Graph, steps: Sequence[Step], views: Views, place_of: dict[Tensor, int]
) -> dict[Tensor, Parameter]:
    """The updates that are computed straight into the array of their parameter.

    Nothing reads the old value later, and nothing later can fail.
    """
    read = readers(steps, views)
    risky = max((n for n, step in enumerate(steps) if isinstance(step, Single) and may_raise(step.node)), default=-1)
    owners: dict[Tensor, list[Parameter]] = {}
    for p, t in graph.updates:
        owners.setdefault(t, []).append(p)
    found: dict[Tensor, Parameter] = {}
    for t, parameters in owners.items():
        p = parameters[0]
        if views.is_view(t) or t not in place_of or t.dtype != p.dtype:
            continue
        place = place_of[t]
        if place < risky:
            continue
        last = max(read.get(p, ()), default=-1)
        if last < place or (last == place and may_overwrite(steps[place], views, t, p)):
            found[t] = p
            scaled = t.inputs[0] if made_by(t, GEMM) else p
            if scaled is not p and scaled in place_of and read.get(scaled) == [place]:
                # The old value is scaled in place, and the product is added to it there.
                before = place_of[scaled]
                if last < before or (last == before and may_overwrite(steps[before], views, scaled, p)):
                    found[scaled] = p
    return found
