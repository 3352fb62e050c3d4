"""A compiled function in a history: one node, whose gradient is a compiled function as well.

A `Differentiable` is a graph without parameters and updates, and with one output: several are put into one flat array.
The op that runs it has one rule, which builds the graph of the gradient and runs that in the same way; so there are
derivatives of any order, and each is a plan of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.apply import apply
from graphnet.arrays import Spec
from graphnet.batching import over
from graphnet.computed import computed
from graphnet.declare import op
from graphnet.graph import Graph
from graphnet.leaves import symbolic
from graphnet.mode import caller_site, mode, state
from graphnet.node import Tensor, constant, tick
from graphnet.ops.index import GETITEM
from graphnet.ops.shaping import broadcast_to
from graphnet.parts import Packing
from graphnet.plans.rewrite import rooted
from graphnet.record import Joint
from graphnet.tensor_gradients import vector_jacobian


class Differentiable:
    """`outputs` (floating-point numbers) as a function of `inputs` alone, and the gradients of that.

    The inputs may be any tensors, parameters too: each becomes an input of the graph. `packing` says how the outputs
    lie in the one result, `make` what runs a graph: a plan of it.
    """

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], make: Callable[[Graph], Any]):
        self.make = make
        whole = rooted(Graph(inputs, list(outputs)))
        self.packing = Packing(whole.outputs)
        with _aside():
            packed = self.packing.packed(whole.outputs)
        # What depends on no input is an array.
        self.graph = Graph(whole.inputs, packed if isinstance(packed, Tensor) else constant(packed))
        self._forget()

    @computed
    def read(self) -> frozenset[Tensor]:
        """The inputs that the result depends on."""
        return frozenset(self.graph.inputs) & frozenset(self.graph.nodes)

    def _forget(self) -> None:
        self._backward: dict[tuple[int, ...], tuple[Differentiable | None, list[int]]] = {}
        self._keeping: dict[tuple[int, ...], Keeping] = {}
        self._each: dict[tuple[tuple[bool, ...], int], Differentiable] = {}
        self._plan: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self.make, "packing": self.packing, "graph": self.graph}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._forget()

    def __repr__(self) -> str:
        return f"<function of {len(self.graph)} nodes>"

    @property
    def spec(self) -> Spec:
        """Shape and dtype of the one result."""
        return self.packing.spec

    @property
    def can_fail(self) -> bool:
        """Whether it can fail because of a value."""
        return any(t.op is not None and t.op.can_fail(t.inputs, t.attrs) for t in self.graph.nodes)

    @property
    def plan(self) -> Any:
        """What runs it."""
        if self._plan is None:
            self._plan = self.make(self.graph)
        return self._plan

    def wait(self) -> None:
        """Return when native code is ready, if it is being made."""
        self.plan.wait()

    def backward(self, wanted: tuple[int, ...]) -> tuple[Differentiable | None, list[int]]:
        """The function from the inputs and a gradient of the result to the gradients of the inputs at `wanted`.

        The second is the places of those that have a gradient: the others do not change the result.
        """
        if wanted not in self._backward:
            g, found = self._slopes(wanted)
            made = None
            if found:
                made = Differentiable([*self.graph.inputs, g], [h for _, h in found], self.make)
            self._backward.setdefault(wanted, (made, [p for p, _ in found]))
        return self._backward[wanted]

    def keeping(self, wanted: tuple[int, ...]) -> Keeping:
        """What runs where a gradient for the inputs at `wanted` may be asked for."""
        if wanted not in self._keeping:
            (y,), inputs = self.graph.outputs, self.graph.inputs
            g, found = self._slopes(wanted)
            forward, seen = set(self.graph.nodes) - set(inputs), {*inputs, g, y}
            kept: dict[Tensor, None] = {}
            stack = [h for _, h in found]
            while stack:
                t = stack.pop()
                if t not in seen:
                    seen.add(t)
                    if t in forward and t.op is not None and (t.op.view is None or t.op is GETITEM):
                        kept[t] = None
                    else:
                        stack.extend(t.inputs)
            back = None
            if found:
                result = y if y.op is not None else symbolic(y.shape, y.dtype)
                back = Differentiable([*inputs, *kept, result, g], [h for _, h in found], self.make)
            plan = self.make(Graph(inputs, [y, *kept]))
            self._keeping.setdefault(wanted, Keeping(plan, back, [p for p, _ in found]))
        return self._keeping[wanted]

    def each(self, batch: tuple[bool, ...], count: int) -> Differentiable:
        """The function for `count` places at once, of inputs that have one value for each where `batch` says so."""
        key = batch, count
        if key not in self._each:
            inputs = [
                symbolic((count, *t.shape) if wide else t.shape, t.dtype, t.name)
                for t, wide in zip(self.graph.inputs, batch, strict=True)
            ]
            with _aside():
                y = over(lambda ones: [self.graph.inlined(*ones)], batch, inputs)
            self._each.setdefault(key, Differentiable(inputs, y, self.make))
        return self._each[key]

    def _slopes(self, wanted: tuple[int, ...]) -> tuple[Tensor, list[tuple[int, Tensor]]]:
        """A gradient of the result, and what it makes of the inputs at `wanted`, where it reaches them."""
        (y,), inputs = self.graph.outputs, self.graph.inputs
        g = symbolic(y.shape, y.dtype, "gradient")
        with _aside():
            slopes = vector_jacobian([y], [inputs[p] for p in wanted], [g], graph=True)
        return g, [(p, h) for p, h in zip(wanted, slopes, strict=True) if h.op is not None or h is g]


def gradients_of(function: Differentiable, wanted: Sequence[int]) -> Differentiable:
    """The function from the inputs and a gradient of the result to the gradients of all inputs at `wanted`."""
    (y,), inputs = function.graph.outputs, function.graph.inputs
    g = symbolic(y.shape, y.dtype, "gradient")
    with _aside():
        slopes = vector_jacobian([y], [inputs[p] for p in wanted], [g], graph=True)
    return Differentiable([*inputs, g], slopes, function.make)


class Keeping(NamedTuple):
    """A function that keeps what its gradient reads: `plan` gives the result and then that; `back` takes the inputs,
    what was kept, the result and its gradient, and gives the gradients of the inputs at `places`."""

    plan: Any
    back: Differentiable | None
    places: list[int]


def _aside() -> Any:
    """A mode in which graphs are built for later, whatever is going on."""
    return mode(recording=True, trace=None, region=None, raw=False, strict=False, debug=None, of=None)


def called(function: Differentiable, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a function for tensors whose arrays are known, as parts of one node of their history."""
    wanted = tuple(n for n, t in enumerate(inputs) if t.requires_grad)
    begun = tick()
    y, *kept = function.keeping(wanted).plan.run([t._value for t in inputs])
    return _recorded(function, [*inputs, *map(constant, kept)], y, begun, wanted)


def recorded(function: Differentiable, inputs: Sequence[Tensor], results: Sequence[Any], begun: int) -> list[Tensor]:
    """Results of a function, that something has computed already since `begun`, as parts of one node."""
    return _recorded(function, inputs, function.packing.packed([*map(constant, results)]), begun, None)


def _recorded(
    function: Differentiable, inputs: Sequence[Tensor], result: Any, begun: int, kept: tuple[int, ...] | None
) -> list[Tensor]:
    y = constant(result)
    # An input that the result does not depend on is none of its history.
    if any(t.requires_grad and own in function.read for t, own in zip(inputs, function.graph.inputs, strict=False)):
        y.requires_grad, y.op, y._inputs = True, _called.op, tuple(inputs)
        y.attrs = {"function": function, "kept": kept}
        # Older than what the run assigned: a gradient that needs a value from before is refused.
        y._tick, y.region = begun, state.mode.region
        y._code, y._lasti = caller_site()
    return function.packing.unpacked(y)


def _slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, function: Differentiable, kept: Any) -> list[Any]:
    """The gradients for the inputs at these places, all from one run of the gradient's function."""
    own = len(function.graph.inputs)
    h: Any = None
    if kept is not None and not isinstance(g, Tensor):
        way = function.keeping(kept)
        back, found = way.back, way.places
        if back is not None:
            (h,) = back.plan.run([np.asarray(a) for a in (*inputs, y, g)])
    else:
        # A gradient of the gradient is asked for, or nothing was kept: what it reads is computed once more.
        smooth = [p for p in places if p < own and function.graph.inputs[p].dtype.kind == "f"]
        back, found = function.backward(tuple(smooth))
        if back is not None:
            h = apply(_called.op, [*inputs[:own], g], {"function": back, "kept": None})
    slopes = dict(zip(found, back.packing.unpacked(h), strict=True)) if back is not None else {}
    return [slopes.get(p) for p in places]


def _called_each(batch: Sequence[bool], *inputs: Tensor, function: Differentiable, kept: Any) -> Any:
    own = len(function.graph.inputs)
    count = next(x.shape[0] for x, wide in zip(inputs, batch, strict=True) if wide)
    # What a run kept for its gradient is computed once more, if there is to be one.
    if not any(batch[:own]):
        y = apply(_called.op, inputs[:own], {"function": function, "kept": None})
        return broadcast_to(y, (count, *y.shape))
    return apply(_called.op, inputs[:own], {"function": function.each(tuple(batch[:own]), count), "kept": None})


@op(
    lambda *inputs, function, kept: function.spec.shape,
    dtype=lambda *inputs, function, kept: function.spec.dtype,
    vjp=Joint(_slopes),
    batch=_called_each,
    name="compiled",
    hidden=True,
    may_raise=lambda *inputs, function, kept: function.can_fail,
    ready=lambda function, kept: function.wait(),
)
def _called(*inputs: Any, function: Any, kept: Any) -> Any:
    """What a compiled function gives: one result, several in one flat array."""
    (result,) = function.plan.run([np.asarray(a) for a in inputs[: len(function.graph.inputs)]])
    return result
