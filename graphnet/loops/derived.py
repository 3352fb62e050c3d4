"""What follows from a body: the body that also keeps what a gradient needs, and the body of the gradient's own loop.

The gradient of a loop is a loop the other way, whose step is the gradient of the step. It reads what the forward loop
kept; what was not kept it computes again from what was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphnet.leaves import symbolic
from graphnet.loops.body import Body, interned
from graphnet.mode import mode
from graphnet.node import Tensor
from graphnet.ops.shaping import astype
from graphnet.tensor_gradients import vector_jacobian


class Backward(NamedTuple):
    """The loop of a gradient, and what it is fed: pairs of a kind of thing and its number among those."""

    body: Body
    feed: tuple[tuple[str, int], ...]


def _seeds(body: Body) -> list[Tensor]:
    """A symbolic gradient for each output of a body."""
    return [symbolic(t.shape, t.dtype) for t in body.graph.outputs]


def _slopes(body: Body, places: Sequence[int], seeds: Sequence[Tensor], wanted: Sequence[int]) -> list[Tensor]:
    """The gradients of the outputs at `places` with respect to the inputs at `wanted`, in tensor ops."""
    inputs, outputs = body.graph.inputs, body.graph.outputs
    with mode(recording=True, trace=None, region=None, raw=False, strict=False, debug=None, of=None):
        found = vector_jacobian(
            [outputs[p] for p in places], [inputs[p] for p in wanted], [seeds[p] for p in places], graph=True
        )
        return _from_values([h if h.dtype == body.dtype else astype(h, dtype=body.dtype) for h in found], body)


def _from_values(slopes: list[Tensor], body: Body) -> list[Tensor]:
    """`slopes` with the derivative of sigmoid and tanh from their values, where the body computes those.

    The values are kept anyway. The inputs would have to be kept too, and the derivative computed for each step again:
    a tenth of the time of an LSTM, for digits far out that are lost in the sum over the steps. The nodes of the
    gradient are changed in place: they are nobody else's yet.
    """
    values = {(t.op, t.inputs[0]): t for t in body.graph.nodes if t.op is not None and len(t.inputs) == 1}
    own = {*body.graph.nodes, *body.graph.inputs}
    done: dict[Tensor, Tensor] = {}

    def taken(t: Tensor) -> Tensor:
        if t not in done:
            done[t] = t
            for other, formula in t.op.beside.items() if t.op is not None else ():
                y = values.get((other, t.inputs[0]))
                if y is not None and formula is not None:
                    done[t] = formula(y)
        return done[t]

    for t in _used(slopes, own):
        if t.op is not None and t not in own:
            t._inputs = tuple(map(taken, t.inputs))
    return list(map(taken, slopes))


def _targets(body: Body, wanted: Sequence[int]) -> tuple[int, ...]:
    """All carries, and the other inputs that are wanted."""
    return (*range(body.carries), *(p for p in wanted if p >= body.carries))


def kept(body: Body, wanted: Sequence[int]) -> Body:
    """`body` with further ys: values of each step that the gradient with respect to the inputs `wanted` reads.

    With them the gradient computes no product and no transcendental function twice.
    """
    key = ("kept", tuple(wanted))
    with body.lock:
        if key not in body.derived:
            body.derived[key] = _kept(body, wanted)
        found: Body = body.derived[key]
    return found


def _kept(body: Body, wanted: Sequence[int]) -> Body:
    graph = body.graph
    seeds = _seeds(body)
    slopes = _slopes(body, range(len(seeds)), seeds, _targets(body, wanted))
    forward = {*graph.nodes, *graph.inputs}
    varying = set(graph.inputs[: body.carries + body.xs])
    for t in graph.nodes:
        if any(i in varying for i in t.inputs):
            varying.add(t)
    known = {*seeds, *graph.inputs[body.carries :], *graph.outputs[body.carries : body.carries + body.ys]}
    carried = set(graph.inputs[: body.carries])
    more: dict[Tensor, None] = {}
    stack, seen = list(slopes), set(known)
    while stack:
        t = stack.pop()
        if t in seen:
            continue
        seen.add(t)
        inside = t in forward
        if t in carried or (inside and t.op is not None and t in varying and _is_worth(t, body)):
            more[t] = None
        else:
            stack.extend(t.inputs)
    if not more:
        return body
    first = body.carries + body.ys
    outputs = [*graph.outputs[:first], *more, *graph.outputs[first:]]
    return interned(graph.inputs, outputs, body.carries, body.xs, body.ys + len(more))


def _is_worth(t: Tensor, body: Body) -> bool:
    """Whether a value is kept, not computed again: it is more than a view of another, and fits where ys lie."""
    assert t.op is not None
    return t.dtype == body.dtype and t.op.view is None


def backward(body: Body, wanted: Sequence[int], present: Sequence[int]) -> Backward | None:
    """The loop back: from the gradients of carries and of the outputs `present` to those of the inputs `wanted`.

    Its carries are the gradients of the carries; its ys those of xs, its sums those of constants. None where it would
    need a carry that the forward loop did not keep.
    """
    key = ("backward", tuple(wanted), tuple(present))
    with body.lock:
        if key not in body.derived:
            body.derived[key] = _backward(body, wanted, present)
        found: Backward | None = body.derived[key]
    return found


def _backward(body: Body, wanted: Sequence[int], present: Sequence[int]) -> Backward | None:
    graph, carries = body.graph, body.carries
    seeds = _seeds(body)
    places = [*range(carries), *(p for p in present if p >= carries)]
    slopes = _slopes(body, places, seeds, _targets(body, wanted))
    stacked_end = carries + body.ys
    # Kind, number among the things of that kind, tensor; each tensor once.
    xs: list[tuple[str, int, Tensor]] = [("g", p, seeds[p]) for p in places if carries <= p < stacked_end]
    xs += [("input", p, graph.inputs[p]) for p in range(carries, carries + body.xs)]
    taken, carried = set(graph.inputs[carries:]), set(graph.inputs[:carries])
    for p in range(carries, stacked_end):
        t = graph.outputs[p]
        if t not in taken and (t.op is not None or t in carried):
            taken.add(t)
            xs.append(("output", p, t))
    constants: list[tuple[str, int, Tensor]] = [("g", p, seeds[p]) for p in places if p >= stacked_end]
    constants += [("input", p, graph.inputs[p]) for p in range(carries + body.xs, len(graph.inputs))]
    used = _used(slopes, {t for _, _, t in (*xs, *constants)} | set(seeds[:carries]))
    available = {t for _, _, t in xs}
    if any(t in used and t not in available for t in carried):
        return None
    xs = [entry for entry in xs if entry[2] in used]
    constants = [entry for entry in constants if entry[2] in used]
    inputs = [*seeds[:carries], *(t for _, _, t in xs), *(t for _, _, t in constants)]
    of_xs = sum(carries <= p < carries + body.xs for p in wanted)
    made = interned(inputs, slopes, carries, len(xs), of_xs)
    feed = (*(("g", p) for p in range(carries)), *((kind, p) for kind, p, _ in (*xs, *constants)))
    return Backward(made, feed)


def _used(outputs: Sequence[Tensor], stop: set[Tensor]) -> set[Tensor]:
    """What `outputs` are made from, not looking behind `stop`."""
    seen: set[Tensor] = set()
    stack = list(outputs)
    while stack:
        t = stack.pop()
        if t not in seen:
            seen.add(t)
            if t not in stop:
                stack.extend(t.inputs)
    return seen
