"""`while_loop`: a function applied again and again, as long as a condition holds, as one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import index
from typing import Any

import numpy as np

from graphnet.apply import apply, as_tensor, described
from graphnet.containers import flatten
from graphnet.declare import op
from graphnet.functions import function
from graphnet.graph import Graph
from graphnet.leaves import symbolic
from graphnet.loops.closing import Interned, Traced, closed, differentiable, key_of
from graphnet.loops.scan import scan
from graphnet.node import Tensor
from graphnet.ops.choices import where
from graphnet.ops.reduce import any as any_op
from graphnet.ops.shaping import broadcast_to
from graphnet.parts import Packing
from graphnet.plans.differentiable import gradients_of
from graphnet.plans.plan import planned
from graphnet.record import Joint

Arrays = list[np.ndarray]


class While:
    """A condition and a step of the same inputs: carries, and what stays the same.

    `kinds` are the places of the carries of each dtype. `forward` has the new carries and whether the condition holds
    for them; `begins` whether it holds.
    """

    def __init__(self, begins: Graph, step: Graph):
        self.step = step
        self.carries = len(step.outputs)
        constants = step.inputs[self.carries :]
        again = begins.inlined(*step.outputs, *constants)
        make = partial(planned, backend=None)
        self.begins, self.forward = make(begins), make(Graph(step.inputs, [*step.outputs, again]))
        dtypes = dict.fromkeys(t.dtype for t in step.outputs)
        self.kinds = [[n for n, t in enumerate(step.outputs) if t.dtype == dtype] for dtype in dtypes]
        self.packings = [Packing([step.outputs[n] for n in kind]) for kind in self.kinds]
        self.smooth = [n for n, t in enumerate(step.outputs) if t.dtype.kind == "f"]
        self._backward: dict[tuple[int, ...], Backward] = {}

    def states(self, inputs: Arrays) -> Iterator[Arrays]:
        """The carries before the first step and after each."""
        carries, constants = inputs[: self.carries], inputs[self.carries :]
        yield carries
        (again,) = self.begins.run([*carries, *constants])
        while again:
            *carries, again = self.forward.run([*carries, *constants])
            yield carries

    def backward(self, wanted: tuple[int, ...]) -> Backward:
        """The gradient with respect to the constants at `wanted`, and all smooth carries."""
        if wanted not in self._backward:
            self._backward.setdefault(wanted, Backward(self, wanted))
        return self._backward[wanted]

    @property
    def can_fail(self) -> bool:
        """Whether it can fail because of a value."""
        nodes = [*self.begins.traced.nodes, *self.step.nodes]
        return any(t.op is not None and t.op.can_fail(t.inputs, t.attrs) for t in nodes)

    def wait(self) -> None:
        """Return when native code is ready, if it is being made."""
        self.begins.wait()
        self.forward.wait()

    def __repr__(self) -> str:
        return f"<loop of {len(self.step)} nodes>"


class Backward:
    """The gradient of a loop: its steps the other way. `own` are the inputs that it is for: carries, then constants.

    All gradients, in the order of `own`, are one flat array, and so are those that come in: of the smooth carries.
    """

    def __init__(self, loop: While, wanted: tuple[int, ...]):
        self.loop, self.own = loop, (*loop.smooth, *wanted)
        step = differentiable(loop.step, loop.smooth)
        self.pull = gradients_of(step, self.own)
        #: from the inputs, a gradient (whose value makes no difference) and directions to how the carries change
        self.push = gradients_of(self.pull, [len(self.pull.graph.inputs) - 1])
        self.carried, self.packing = step.packing, self.pull.packing

    def pulled(self, inputs: Arrays, g: np.ndarray) -> np.ndarray:
        """The gradients of the inputs from that of the last carries."""
        *before, _ = self.loop.states(inputs)
        total = np.zeros(self.packing.spec.shape, self.packing.spec.dtype)
        parts, sums = total.reshape(-1), g.reshape(-1)
        count = sums.size
        for carries in reversed(before):
            (h,) = self.pull.plan.run([*carries, *inputs[self.loop.carries :], sums.reshape(g.shape)])
            h = h.reshape(-1)
            sums = h[:count].astype(g.dtype, copy=False)
            parts[count:] += h[count:]
        parts[:count] = sums
        return total

    def pushed(self, inputs: Arrays, v: np.ndarray) -> np.ndarray:
        """How the last carries change with the inputs, in the direction `v`."""
        shape, dtype = self.carried.spec.shape, self.carried.spec.dtype
        directions = v.reshape(-1).copy()
        count = int(np.prod(shape))
        nothing = np.zeros(shape, dtype)
        *before, _ = self.loop.states(inputs)
        for carries in before:
            given = [*carries, *inputs[self.loop.carries :], nothing, directions.reshape(v.shape)]
            (h,) = self.push.plan.run(given)
            directions[:count] = h.reshape(-1)
        return directions[:count].reshape(shape).astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<gradient of {self.loop!r}>"


_loops: Interned[While] = Interned()


def _no_second(what: str) -> TypeError:
    return TypeError(
        f"while_loop: {what} of a loop whose number of steps is not known: give max_steps=, or use gn.scan with length="
    )


def _slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, loop: While, kind: int) -> list[Any]:
    """The gradients for the inputs at these places, from one run of the loop the other way."""
    given = loop.step.inputs
    wanted = tuple(p for p in places if p >= loop.carries and given[p].dtype.kind == "f")
    back = loop.backward(wanted)
    # What comes in is the gradient of all smooth carries: those of the other dtypes have none here.
    incoming = _incoming(loop, back, kind, g)
    h = apply(_pull.op, [*inputs, incoming], {"back": back})
    slopes = dict(zip(back.own, back.packing.unpacked(h), strict=True))
    return [slopes.get(p) for p in places]


def _incoming(loop: While, back: Backward, kind: int, g: Any) -> Any:
    if len(loop.smooth) == len(loop.kinds[kind]):
        return g
    parts = dict(zip(loop.kinds[kind], loop.packings[kind].gradients(g), strict=True))
    listed = [as_tensor(parts.get(n, np.zeros(loop.step.outputs[n].shape, back.carried.dtype))) for n in loop.smooth]
    packed = back.carried.packed(listed)
    return packed if isinstance(g, Tensor) else getattr(packed, "_value", packed)


@op(
    lambda *inputs, loop, kind: loop.packings[kind].spec.shape,
    dtype=lambda *inputs, loop, kind: loop.packings[kind].spec.dtype,
    vjp=Joint(_slopes),
    name="while_loop",
    onnx="Loop",
    hidden=True,
    may_raise=lambda *inputs, loop, kind: loop.can_fail,
    ready=lambda loop, kind: loop.wait(),
)
def _while(*inputs: Any, loop: Any, kind: Any) -> Any:
    """The last carries of one dtype: one, or several in one flat array."""
    *_, last = loop.states([np.asarray(a) for a in inputs])
    chosen = [last[n] for n in loop.kinds[kind]]
    return chosen[0] if len(chosen) == 1 else np.concatenate([a.reshape(-1) for a in chosen])


def _pull_slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, back: Backward) -> list[Any]:
    last = len(inputs) - 1
    if any(p != last for p in places):
        raise _no_second("a second derivative")
    return [apply(_push.op, [*inputs[:-1], g], {"back": back})]


@op(
    lambda *inputs, back: back.packing.spec.shape,
    dtype=lambda *inputs, back: back.packing.spec.dtype,
    vjp=Joint(_pull_slopes),
    name="while_loop_pull",
    hidden=True,
)
def _pull(*inputs: Any, back: Any) -> Any:
    """The gradients of a loop's inputs."""
    *given, g = (np.asarray(a) for a in inputs)
    return back.pulled(given, g)


def _push_slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, back: Backward) -> list[Any]:
    if any(p != len(inputs) - 1 for p in places):
        raise _no_second("a second derivative")
    return [apply(_pull.op, [*inputs[:-1], g], {"back": back})]


@op(
    lambda *inputs, back: back.carried.spec.shape,
    dtype=lambda *inputs, back: back.carried.spec.dtype,
    vjp=Joint(_push_slopes),
    name="while_loop_push",
    hidden=True,
)
def _push(*inputs: Any, back: Any) -> Any:
    """How a loop's last carries change in a direction."""
    *given, v = (np.asarray(a) for a in inputs)
    return back.pushed(given, v)


def _ended_slope(g: Any, y: Any, x: Any, again: Any) -> Any:
    return g


def _ended_each(batch: Sequence[bool], x: Tensor, again: Tensor) -> Tensor:
    count = x.shape[0] if batch[0] else again.shape[0]
    x = x if batch[0] else broadcast_to(x, (count, *x.shape))
    return apply(_ended.op, [x, any_op(again)], {})


@op(
    lambda x, again: x.shape,
    dtype=lambda x, again: x.dtype,
    vjp=(_ended_slope, None),
    batch=_ended_each,
    name="ended",
    hidden=True,
    may_raise=True,
)
def _ended(x: Any, again: Any) -> Any:
    """`x`, unless the condition of a loop still holds."""
    if again:
        raise ValueError("while_loop: after max_steps steps the condition still holds")
    return x


def while_loop(
    condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, max_steps: int | None = None
) -> Any:
    """`body` applied to `init` and to what it returned, as long as `condition` of that is true: the last value.

    ```
    carry = init
    while condition(carry):
        carry = body(carry)
    return carry
    ```

    Both functions are traced once, and the loop is one node of the graph. The carry is a tensor, or nested tuples,
    lists, dicts of them, of any dtypes; it keeps its shapes and dtypes. `condition` returns a bool without axes. What
    the functions use from outside takes part in gradients.

    The gradient runs the loop again and keeps the carries of all steps, so its memory grows with their number.
    Derivatives along a direction (`jvp`) exist too, second ones do not. With `max_steps` all derivatives exist: the
    loop is then a `scan` of so many steps, in which those after the last change nothing, and what is carried is
    floating-point numbers of one dtype.

    Raises `ValueError` for a carry that changes its shape, for an assignment to a parameter, and where the condition
    still holds after `max_steps`; `TypeError` for a carry that changes its dtype or containers, and for a condition
    that is no bool.

    >>> import graphnet as gn
    >>> def newton(a):
    ...     return gn.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2.0, gn.tensor(1.0))
    >>> gn.value_and_grad(newton)(2.0)
    (Tensor(1.41421356), Tensor(0.35355339))
    """
    function(condition, "while_loop")
    function(body, "while_loop")
    starts, form = flatten(init)
    starts = [as_tensor(t) for t in starts]
    if max_steps is not None:
        return _bounded(condition, body, starts, form, _count(max_steps))
    carries = [symbolic(t.shape, t.dtype, "carry") for t in starts]
    asked = Traced(condition, [form(carries)], "while_loop: the condition")
    _check_condition(asked.outputs)
    done = Traced(body, [form(carries)], "while_loop: the body")
    ends = [as_tensor(t) for t in form.match(done.form(done.outputs), "while_loop: the new carry")]
    _check(starts, ends)
    own = set(carries)
    read = [t for t in dict.fromkeys([*asked.read(), *done.read()]) if t not in own]
    begins, step = closed([*carries, *read], asked.outputs), closed([*carries, *read], ends)
    loop = _loops.get((key_of(begins), key_of(step)), lambda: While(begins, step))
    results: list[Any] = [None] * len(starts)
    for kind, places in enumerate(loop.kinds):
        y = apply(_while.op, [*starts, *read], {"loop": loop, "kind": kind})
        for n, part in zip(places, loop.packings[kind].unpacked(y), strict=True):
            results[n] = part
    return form(results)


def _bounded(condition: Any, body: Any, starts: list[Tensor], form: Any, steps: int) -> Any:
    """The loop as a scan: after its last step nothing changes any more."""

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        again = _asked(condition, carry)
        old = flatten(carry)[0]
        new = [as_tensor(t) for t in form.match(body(carry), "while_loop: the new carry")]
        _check(old, new)
        return form([where(again, a, b) for a, b in zip(new, old, strict=True)]), None

    last, _ = scan(step, form(starts), None, length=steps)
    again = _asked(condition, last)
    return form([apply(_ended.op, [t, again], {}) for t in flatten(last)[0]])


def _asked(condition: Any, carry: Any) -> Tensor:
    found = as_tensor(condition(carry))
    _check_condition([found])
    return found


def _check_condition(found: Sequence[Tensor]) -> None:
    if len(found) != 1 or found[0].shape or found[0].dtype.kind != "b":
        raise TypeError(
            f"while_loop: the condition returns one bool without axes; received {', '.join(map(described, found))}"
        )


def _check(starts: Sequence[Tensor], ends: Sequence[Tensor]) -> None:
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start.shape != end.shape or start.dtype != end.dtype:
            raise (ValueError if start.shape != end.shape else TypeError)(
                f"while_loop: carry {n} began as {described(start)}, and the body returned {described(end)}: "
                "they must be the same"
            )


def _count(max_steps: Any) -> int:
    try:
        steps = None if isinstance(max_steps, (bool, np.bool_)) else index(max_steps)
    except TypeError:
        steps = None
    if steps is None:
        raise TypeError(f"while_loop: max_steps is a whole number; received {max_steps!r}")
    if steps < 0:
        raise ValueError(f"while_loop: max_steps is 0 or more; received {steps}")
    return steps
