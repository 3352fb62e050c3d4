"""A compiled function in a history: one node, whose gradient is a compiled function as well.

A `Program` is a graph without parameters and updates, and with one output: several are put into one flat array. The op
that runs it has one rule, which builds the graph of the gradient and runs that in the same way; so there are
derivatives of any order, and each is a plan of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.compile.passes import rooted
from graphnet.grad import _gradients
from graphnet.graph import Graph
from graphnet.op import Joint, apply, op
from graphnet.ops.shape import astype, concatenate, reshape
from graphnet.tensor import Spec, Tensor, caller_site, constant, mode, state, symbolic, tick

#: ops that are computed again, not kept: views of their input
VIEWS = frozenset({"reshape", "transpose", "broadcast_to", "identity", "stop_gradient", "positive"})


class Part(NamedTuple):
    """Where in the one output a value lies: elements `start` to `stop`, in this shape and dtype."""

    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: np.dtype


class Program:
    """`outputs` (of floating-point numbers) as a function of `inputs` alone, and the gradients of that.

    The inputs may be any tensors, parameters too: each becomes an input of the program. `parts(y)` are the outputs
    in the one result.
    """

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], backend: str | None):
        self.backend = backend
        self.several = len(outputs) != 1
        self.places, start = [], 0
        for t in outputs:
            self.places.append(Part(start, start + t.size, t.shape, t.dtype))
            start += t.size
        whole = rooted(Graph(inputs, list(outputs)))
        with mode(recording=True, trace=None, region=None, raw=False, strict=False, debug=None, of=None):
            one = _joined(whole.outputs) if self.several else whole.outputs[0]
        self.graph = Graph(whole.inputs, one)
        self._derived: dict[tuple[int, ...], tuple[Program, list[int]]] = {}
        self._keeping: dict[tuple[int, ...], Kept] = {}
        self._plan: Any = None

    @property
    def spec(self) -> Spec:
        """Shape and dtype of the one result."""
        (y,) = self.graph.outputs
        return Spec(y.shape, y.dtype)

    @property
    def can_fail(self) -> bool:
        """Whether it can fail because of a value."""
        return any(t.op is not None and t.op.can_fail(t.inputs, t.attrs) for t in self.graph.nodes)

    @property
    def plan(self) -> Any:
        """What runs it."""
        if self._plan is None:
            self._plan = _plan(self.graph, self.backend)
        return self._plan

    def wait(self) -> None:
        """Return when native code is ready, if it is being made."""
        self.plan.wait()

    def parts(self, y: Any) -> list[Any]:
        """The outputs in the one result, an array or a tensor."""
        if not self.several:
            return [y]
        found = []
        for start, stop, shape, dtype in self.places:
            piece = y[start:stop].reshape(shape)
            found.append(piece if piece.dtype == dtype else piece.astype(dtype))
        return found

    def packed(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The one result of which these are the parts."""
        if not self.several:
            return arrays[0]
        return np.concatenate([a.ravel().astype(self.spec.dtype, copy=False) for a in arrays])

    def _slopes(self, wanted: tuple[int, ...]) -> tuple[Tensor, list[tuple[int, Tensor]]]:
        """A gradient of the result, and what it makes of the inputs at `wanted`, where it reaches them."""
        (y,), inputs = self.graph.outputs, self.graph.inputs
        g = symbolic(y.shape, y.dtype, "gradient")
        with mode(recording=True, trace=None, region=None, raw=False, strict=False, debug=None, of=None):
            slopes = _gradients([y], [inputs[p] for p in wanted], [g], graph=True)
        return g, [(p, h) for p, h in zip(wanted, slopes, strict=True) if h.op is not None or h is g]

    def backward(self, wanted: tuple[int, ...]) -> tuple[Program, list[int]]:
        """The program from the inputs and a gradient of the result to the gradients of the inputs at `wanted`.

        The second is the places of those that have a gradient: the others do not change the result.
        """
        if wanted not in self._derived:
            g, found = self._slopes(wanted)
            program = Program([*self.graph.inputs, g], [h for _, h in found], self.backend)
            self._derived.setdefault(wanted, (program, [p for p, _ in found]))
        return self._derived[wanted]

    def keeping(self, wanted: tuple[int, ...]) -> Kept:
        """What runs the program where a gradient for the inputs at `wanted` may be asked for."""
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
                    if t in forward and t.op is not None and t.op.name not in VIEWS:
                        kept[t] = None
                    else:
                        stack.extend(t.inputs)
            result = y if y.op is not None else symbolic(y.shape, y.dtype)
            back = Program([*inputs, *kept, result, g], [h for _, h in found], self.backend)
            plan = _plan(Graph(inputs, [y, *kept]), self.backend)
            self._keeping.setdefault(wanted, Kept(plan, back, [p for p, _ in found]))
        return self._keeping[wanted]

    def __repr__(self) -> str:
        return f"<Program of {len(self.graph)} nodes>"

    def __getstate__(self) -> dict[str, Any]:
        return {"backend": self.backend, "several": self.several, "places": self.places, "graph": self.graph}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._derived, self._keeping, self._plan = {}, {}, None


class Kept(NamedTuple):
    """A program that keeps what its gradient reads: `plan` gives the result and then that; `back` takes the inputs,
    what was kept, the result and its gradient, and gives the gradients of the inputs at `places`."""

    plan: Any
    back: Program
    places: list[int]


def _plan(graph: Graph, backend: str | None) -> Any:
    from graphnet.compile.plan import Plan

    return Plan(graph, backend)


def called(program: Program, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a program for tensors whose arrays are known, as parts of one node of their history."""
    wanted = tuple(n for n, t in enumerate(inputs) if t.requires_grad)
    begun = tick()
    y, *kept = program.keeping(wanted).plan.run([t._value for t in inputs])
    return _recorded(program, [*inputs, *map(constant, kept)], y, begun, wanted)


def recorded(program: Program, inputs: Sequence[Tensor], results: Sequence[np.ndarray], begun: int) -> list[Tensor]:
    """Results of a program, that something has computed already since `begun`, as parts of one node."""
    return _recorded(program, inputs, program.packed(results), begun, None)


def _recorded(
    program: Program, inputs: Sequence[Tensor], result: np.ndarray, begun: int, kept: tuple[int, ...] | None
) -> list[Tensor]:
    y = constant(result)
    if any(t.requires_grad for t in inputs):
        y.requires_grad, y.op, y._inputs, y.attrs = True, _called.op, tuple(inputs), {"program": program, "kept": kept}
        # Older than what the run assigned: a gradient that needs a value from before is refused.
        y._tick, y.region = begun, state.mode.region
        y._code, y._lasti = caller_site()
    return program.parts(y)


def _joined(outputs: Sequence[Tensor]) -> Tensor:
    """All in one flat tensor, of a dtype that holds all."""
    dtype = np.result_type(*[t.dtype for t in outputs])
    flat = [reshape(t, (t.size,)) for t in outputs]
    joined: Tensor = concatenate([t if t.dtype == dtype else astype(t, dtype=dtype) for t in flat])
    return joined


def _slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, program: Program, kept: Any) -> list[Any]:
    """The gradients for the inputs at these places, all from one run of the gradient's program."""
    own = len(program.graph.inputs)
    if kept is not None and not isinstance(g, Tensor):
        way = program.keeping(kept)
        (h,) = way.back.plan.run([np.asarray(a) for a in (*inputs, y, g)])
        back, found = way.back, way.places
    else:
        # A gradient of the gradient is asked for, or nothing was kept: what it reads is computed once more.
        back, found = program.backward(
            tuple(p for p in places if p < own and program.graph.inputs[p].dtype.kind == "f")
        )
        h = apply(_called.op, [*inputs[:own], g], {"program": back, "kept": None}) if found else None
    slopes = dict(zip(found, back.parts(h), strict=True)) if found else {}
    return [slopes.get(p) for p in places]


@op(
    lambda *inputs, program, kept: program.spec.shape,
    dtype=lambda *inputs, program, kept: program.spec.dtype,
    vjp=Joint(_slopes),
    name="compiled",
    may_raise=lambda *inputs, program, kept: program.can_fail,
)
def _called(*inputs, program, kept):
    """What a compiled function gives: one result, several in one flat array."""
    (result,) = program.plan.run([np.asarray(a) for a in inputs[: len(program.graph.inputs)]])
    return result
