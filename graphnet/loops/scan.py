"""`scan`: a function applied again and again, to what it left behind and to the next row of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any

import numpy as np

from graphnet import parts, shapes
from graphnet.apply import apply, apply_prepared, as_tensor, described, stopped
from graphnet.containers import flatten
from graphnet.declare import op
from graphnet.functions import function
from graphnet.leaves import Parameter, symbolic
from graphnet.loops import lanes
from graphnet.loops.body import Body, interned, spec
from graphnet.loops.derived import backward, kept
from graphnet.loops.each import wide
from graphnet.loops.running import loop_of
from graphnet.mode import mode, state
from graphnet.node import Tensor, constant, tick
from graphnet.ops.joining import concatenate
from graphnet.ops.shaping import broadcast_to, moveaxis, reshape
from graphnet.record import Joint
from graphnet.tracing import Trace


def _loop_slopes(
    wanted: Sequence[int], g: Any, y: Any, *inputs: Any, body: Body, length: int, reverse: bool
) -> list[Any]:
    """The gradients for the inputs at the places `wanted`: all from one loop the other way."""
    incoming = parts.parted(g, body.blocks(length))
    if all(part is None for part in incoming):
        return [None] * len(wanted)
    present = tuple(p for p, part in enumerate(incoming) if part is not None)
    found = backward(body, wanted, present)
    if found is None:
        # The loop was not expected to be differentiated (or not so): it runs once more, and keeps more.
        richer = kept(body, wanted)
        first = body.carries + body.ys
        more = richer.ys - body.ys
        y = apply(_scan.op, inputs, {"body": richer, "length": length, "reverse": reverse})
        incoming = [*incoming[:first], *[None] * more, *incoming[first:]]
        body = richer
        present = tuple(p for p, part in enumerate(incoming) if part is not None)
        found = backward(body, wanted, present)
        assert found is not None
    blocks = body.blocks(length)
    fed: list[Any] = []
    for kind, p in found.feed:
        if kind == "input":
            fed.append(inputs[p])
        elif kind == "output":
            fed.append(parts.part(y, blocks[p]))
        elif incoming[p] is None:
            fed.append(np.zeros(blocks[p].shape, body.dtype))
        else:
            fed.append(incoming[p])
    back, h = _looped(found.body, fed, length, not reverse)
    back_blocks = back.blocks(length)
    # The gradients of all carries come first; ys that were kept for later stand between those of xs and the sums.
    slopes: list[Any] = []
    ys, sums = iter(range(back.carries, len(back_blocks))), iter(range(back.carries + back.ys, len(back_blocks)))
    for p in wanted:
        place = p if p < body.carries else next(ys) if p < body.carries + body.xs else next(sums)
        slopes.append(parts.part(h, back_blocks[place]))
    return slopes


def _scan_each(batch: Sequence[bool], *inputs: Tensor, body: Body, length: int, reverse: bool) -> Tensor:
    """One loop for all places: in its result, what each place has side by side as its own loop has it."""
    count = next(x.shape[0] for x, own in zip(inputs, batch, strict=True) if own)
    each = wide(body, batch, count)
    given = list(inputs)
    for p, (x, own) in enumerate(zip(inputs, batch, strict=True)):
        if p < body.carries and each.carried[p] and not own:
            given[p] = broadcast_to(x, (count, *x.shape))
        elif own and body.carries <= p < body.carries + body.xs:
            given[p] = moveaxis(x, 0, 1)  # (length, count, ...)
    looped, flat = _looped(each.body, given, length, reverse)
    blocks = looped.blocks(length)
    stacked = range(body.carries, body.carries + body.ys)
    blocks = [*blocks[: stacked.stop], *blocks[len(blocks) - body.sums :]] if body.sums else blocks[: stacked.stop]
    pieces = []
    for p, (block, own) in enumerate(zip(blocks, each.outputs, strict=True)):
        y = parts.part(flat, block)
        if own and p in stacked:
            y = moveaxis(y, 1, 0)
        if not own:
            y = broadcast_to(y, (count, *y.shape))
        pieces.append(reshape(y, (count, shapes.size(y.shape[1:]))))
    return pieces[0] if len(pieces) == 1 else concatenate(pieces, axis=1)


def _scan_into(out: np.ndarray, *arrays: np.ndarray, body: Body, length: int, reverse: bool) -> None:
    loop_of(body).into(out, arrays, length, reverse)


@op(
    lambda *inputs, body, length, reverse: spec(body, length).shape,
    dtype=lambda *inputs, body, length, reverse: body.dtype,
    vjp=Joint(_loop_slopes),
    batch=_scan_each,
    name="scan",
    onnx="Scan",
    into=_scan_into,
    may_raise=lambda *inputs, body, length, reverse: body.can_fail,
    ready=lambda body, length, reverse: loop_of(body).wait(),
)
def _scan(*inputs: Any, body: Any, length: Any, reverse: Any) -> Any:
    """The flat result of a loop: the last carries, the stacked outputs, the sums."""
    out = np.empty(body.size(length), body.dtype)
    _scan_into(out, *inputs, body=body, length=length, reverse=reverse)
    return out


def _looped(body: Body, inputs: Sequence[Any], length: int, reverse: bool) -> tuple[Body, Any]:
    """The flat result of a loop, and its body: one that keeps what gradients need, where they may be asked for."""
    trace = state.mode.trace
    # For rows, the loop that runs is another one: only who differentiates inside of their function needs this one's.
    alone = trace is not None and trace.rows is not None and state.mode.within is trace.rows.within
    if state.mode.recording and not (state.mode.raw or alone):
        wanted = tuple(p for p, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad)
        if wanted:
            body = kept(body, wanted)
    return body, apply(_scan.op, inputs, {"body": body, "length": length, "reverse": reverse})


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` for each row `x` of `xs`, beginning with `init`: the last carry, and all `y` stacked.

    ```
    carry, ys = init, []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, stack(ys)
    ```

    `f` is traced once, whatever the number of rows, and is one node of the graph; so is its gradient, which is a scan
    the other way. `init`, `xs` and `y` are tensors, or nested tuples, lists, dicts of them (`y` can be None); rows are
    along the first axis of `xs`. Without `xs`, `f(carry, None)` is called `length` times. With `reverse` the last row
    comes first, and each `y` still stands where its row stood. Tensors and parameters that `f` uses from outside take
    part in gradients.

    Carries keep their shapes; carries and outputs are of one floating-point dtype, while `xs` can have any. What `f`
    does must not depend on values (`gn.where`, not `if`), nor assign parameters.

    The step returns the carry in the form of `init`; dicts are matched by key.

    Raises `ValueError` for rows of different numbers, a length below 0, or a carry that changes its shape or keys;
    `TypeError` for dtypes, classes of containers, and a length that is no whole number.

    >>> import graphnet as gn
    >>> def step(total, x):
    ...     total = total + x
    ...     return total, total * 10
    >>> gn.scan(step, gn.tensor(0.0), gn.tensor([1.0, 2.0, 3.0]))
    (Tensor(6.), Tensor([10., 30., 60.]))
    """
    function(f, "scan")
    if reverse not in (True, False):
        raise TypeError(f"scan: reverse is True or False; received {reverse!r}")
    starts, carry_form = flatten(init)
    stacked, rebuild_x = flatten(xs)
    starts = [as_tensor(t) for t in starts]
    stacked = [as_tensor(t) for t in stacked]
    count = _length(stacked, length)
    carries = [symbolic(t.shape, t.dtype, "carry") for t in starts]
    rows = [symbolic(t.shape[1:], t.dtype, "x") for t in stacked]
    begun = tick()
    outer = state.mode.trace
    collected = Trace(outer=outer, loop=True)
    if outer is not None:
        collected.current.update(outer.current)
        collected.past.update(outer.past)
    with mode(trace=collected, recording=True, raw=False, of=None, debug=None):
        result = f(carry_form(carries), rebuild_x(rows))
    if collected.updates:
        raise ValueError("scan: the step assigns a parameter; only what it returns can change from step to step")
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError("scan: the step returns a pair, (new carry, output or None)")
    ends = carry_form.match(result[0], "scan: the new carry")
    ys, rebuild_y = flatten(result[1])
    ends = [stopped(as_tensor(t)) for t in ends]
    ys = [stopped(as_tensor(t)) for t in ys]
    _check(starts, ends, ys)
    if not ends and not ys:
        return result
    if count == 0:
        empty = [constant(np.zeros((0, *t.shape), t.dtype)) for t in ys]
        return carry_form(starts), rebuild_y(empty)
    before = state.mode
    with mode(trace=collected, recording=True, raw=False, of=None, debug=None):
        vectors = lanes.together(lanes.Step(rows, carries, starts, ends, ys), begun, before) if not before.raw else None
    if vectors is not None:
        _, carries, starts, ends, ys = vectors.step
    outputs = [*ends, *ys]
    inputs, given = _closed([*carries, *rows], [*starts, *stacked], outputs, begun)
    outputs = [inputs.get(t, t) for t in outputs]
    body = interned(list(inputs.values()), outputs, len(carries), len(rows), len(ys))
    body, flat = _looped(body, given, count, reverse)
    blocks = body.blocks(count)
    values = [parts.part(flat, block) for block in blocks[: len(outputs)]]
    last = values[: len(ends)] if vectors is None else vectors.apart(values[: len(ends)])
    return carry_form(last), rebuild_y(values[len(ends) :])


def _steps(length: Any) -> int:
    """`length=` as a number of steps."""
    try:
        steps = None if isinstance(length, (bool, np.bool_)) else index(length)
    except TypeError:
        steps = None
    if steps is None:
        raise TypeError(f"scan: length is a whole number of steps; received {length!r}")
    if not 0 <= steps <= np.iinfo(np.intp).max:
        raise ValueError(f"scan: length is 0 or more, and fits an integer; received {steps}")
    return steps


def _length(stacked: Sequence[Tensor], length: int | None) -> int:
    """The number of steps."""
    for t in stacked:
        if not t.shape:
            raise ValueError("scan: the rows of xs are along its first axis; received a number, which has none")
    counts = {t.shape[0] for t in stacked}
    if length is not None:
        counts.add(_steps(length))
    if not counts:
        raise ValueError("scan: without xs, length= says how many steps there are")
    if len(counts) > 1:
        raise ValueError(
            f"scan: all xs have the same number of rows{'' if length is None else ', which is length'}; received "
            f"{', '.join(described(t) for t in stacked)}{'' if length is None else f', length={length}'}"
        )
    return counts.pop()


def _check(starts: Sequence[Tensor], ends: Sequence[Tensor], ys: Sequence[Tensor]) -> None:
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start.shape != end.shape or start.dtype != end.dtype:
            raise (ValueError if start.shape != end.shape else TypeError)(
                f"scan: carry {n} began as {described(start)}, and the step gave {described(end)}: "
                "they must be the same"
            )
    dtypes = {t.dtype for t in (*ends, *ys)}
    if len(dtypes) > 1 or any(d.kind != "f" for d in dtypes):
        listed = ", ".join(described(t) for t in (*ends, *ys))
        raise TypeError(f"scan: carries and outputs are floating-point numbers of one dtype; received {listed}")


def _closed(
    own: Sequence[Tensor], given: Sequence[Tensor], outputs: Sequence[Tensor], begun: int
) -> tuple[dict[Tensor, Tensor], list[Tensor]]:
    """The inputs of the step, those it did not name included, and what each of them is given.

    What the step computes from tensors of outside alone is computed once, outside.
    """
    leaves = set(own)
    inside: list[Tensor] = []
    seen: set[Tensor] = set()
    stack = list(outputs)
    while stack:
        t = stack.pop()
        if t in seen or t in leaves or t.op is None or t._tick < begun:
            continue
        seen.add(t)
        inside.append(t)
        stack.extend(t.inputs)
    inside.sort(key=lambda t: t._tick)
    varying = set(own)
    for t in inside:
        if any(i in varying for i in t.inputs):
            varying.add(t)
    read = dict.fromkeys(i for t in inside if t in varying for i in t.inputs)
    read.update(dict.fromkeys(outputs))
    computed: dict[Tensor, Tensor] = {}
    inputs = {t: t for t in own}
    values = list(given)
    needed = {t for t in read if t not in varying and t.op is not None and t._tick >= begun}
    if needed:
        for t in inside:
            if t not in varying:
                with mode(region=t.region):
                    computed[t] = apply_prepared(t.op, [computed.get(i, i) for i in t.inputs], t.attrs)  # type: ignore[arg-type]
    for t in read:
        if t in varying or t in inputs:
            continue
        plain = t.op is None and not (t.requires_grad or t.is_symbolic or isinstance(t, Parameter))
        if plain and t.size == 1 and t.dtype.kind not in "iu":
            # Part of the body, which is compiled with it; a whole number, as the key of random numbers, is fed to it.
            continue
        inputs[t] = t
        values.append(computed.get(t, t))
    return inputs, values
