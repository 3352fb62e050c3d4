"""A plan: a graph as one function over arrays, in memory laid out ahead. It begins as NumPy and becomes native."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet import forks
from graphnet.apply import described
from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.leaves import KINDS, Parameter
from graphnet.mode import state
from graphnet.node import Tensor, constant, tick
from graphnet.plans import at_fork  # noqa: F401  (what is to be done at a fork is known before one)
from graphnet.plans.blas_threads import clock
from graphnet.plans.code.function import Code
from graphnet.plans.differentiable import Differentiable, called, recorded
from graphnet.plans.parts import Parts, parts_of
from graphnet.plans.running import Running
from graphnet.plans.takeover import Takeover
from graphnet.stepwise import stepwise

ndarray = np.ndarray


def planned(graph: Graph, backend: str | None = None) -> Plan:
    """The plan of a graph."""
    return Plan(parts_of(graph, backend))


class Plan:
    """A compiled graph: call it with arrays, as the graph itself.

    * `source`: what runs, as text: the Python, and the loops of native code in the words of Python; each line has the
      layer, op and source line that it came from;
    * `graph`: the simplified graph; `arena`: its buffers; `backend`: "numpy" or "native", what the next call runs;
    * `profile()`: where the time goes; `draw()`: a picture of what runs;
    * `wait()` returns when native code is ready, if it is being made.

    With `backend="auto"` a plan begins as NumPy calls, and native code takes over when it is compiled, in a thread
    beside. Updates are written into the parameters' own arrays, unless somebody else holds those.

    Outputs are arrays of their own: the next call does not overwrite them. Calls from several threads wait for each
    other.
    Values differ from the graph's by rounding at most.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> plan = gn.Graph([x], gn.exp(x) * 2.0).compile()
    >>> plan([0.0, 0.0])
    Tensor([2., 2.], dtype=float32)
    """

    def __init__(self, parts: Parts):
        self.traced, self.graph = parts.traced, parts.graph
        self.updated: list[Parameter] = parts.updated
        self._backend, self._read, self._outside = parts.backend, parts.read, parts.outside
        self._wanted, self._lock, self._open = parts.wanted, parts.lock, parts.calls_users
        #: whether it is being run
        self._entered = False
        self._differentiable: tuple[list[int], list[Tensor]] | None = None
        self._learned: list[Tensor] | None = None
        self._function: Differentiable | None = None
        #: called without arguments before a call waits for native code, if that takes long
        self.tells: Callable[[], None] | None = None
        self._running, self._takeover = parts.running, parts.takeover
        forks.follow(self)

    @property
    def code(self) -> Code:
        """What the next call runs, as steps."""
        ready = self._takeover.ready if self._takeover is not None else None
        return (ready or self._running).code

    def _smooth(self) -> tuple[list[int], list[Tensor]]:
        """The places of the outputs that have gradients, and the parameters and other variables that those read."""
        if self._differentiable is None:
            graph = self.traced
            places = [n for n, t in enumerate(graph.outputs) if t.dtype.kind == "f"]
            smooth = Graph(graph.inputs, [graph.outputs[n] for n in places])
            outside = set(self._outside)
            self._differentiable = places, [*smooth.parameters, *(t for t in smooth.nodes if t in outside)]
        return self._differentiable

    @property
    def learns(self) -> bool:
        """Whether gradients could be wanted with respect to what outputs read: a parameter that learns and stays, or
        another variable from outside."""
        learned = self._learned
        if learned is None:
            updated = set(self.updated)
            some = self._outside or any(p not in updated for p in self._read)
            learned = self._learned = [p for p in self._smooth()[1] if p not in updated] if some else []
        return bool(learned) and any([p.requires_grad for p in learned])

    def joined(self, arguments: Sequence[Any]) -> Any:
        """What a call gives, as one node in the history of the arguments, and of the variables that outputs read."""
        graph = self.traced
        given = [
            a if a.__class__ in KINDS and (a.shape, a.dtype) == self._wanted[n] else graph.argument(n, a)
            for n, a in enumerate(arguments)
        ]
        if any(isinstance(a, Tensor) and a.is_symbolic for a in given):
            return graph.inlined(*given)
        # A history keeps copies: writing to the caller's array later changes no gradient.
        inputs = [a if isinstance(a, Tensor) else constant(a.copy()) for a in given]
        places, read = self._smooth()
        if self._function is None and places:
            make = partial(planned, backend=self._backend)
            self._function = Differentiable([*graph.inputs, *read], [graph.outputs[n] for n in places], make)
        function = self._function
        begun = tick()
        # What doesn't learn is kept as it is now; who holds an array keeps its values.
        inputs += [p if p.requires_grad else constant(p._value) for p in read]
        results: list[Any] = [None] * len(graph.outputs)
        if function is None or self.updated or len(places) < len(results):
            results = list(self.run([t._value for t in inputs[: len(given)]]))
            parts = recorded(function, inputs, [results[n] for n in places], begun) if function is not None else []
        else:
            parts = called(function, inputs)
        for n, part in zip(places, parts, strict=True):
            results[n] = part
        return graph.structure([r if isinstance(r, Tensor) else constant(r) for r in results])

    @property
    def source(self) -> str:
        """What runs."""
        return self.code.source

    @property
    def backend(self) -> str:
        """What the next call runs: "numpy" or "native"."""
        return self.code.kind

    @property
    def arena(self) -> Any:
        """The buffers: `total` bytes in one block, of which `peak` are needed at once."""
        return self.code.arena

    def __call__(self, *arrays: Any) -> Any:
        graph, wanted, recording = self.graph, self._wanted, state.mode.recording
        if len(arrays) != len(wanted) or state.mode.trace is not None:
            return self.traced(*arrays)
        values = []
        for place, a in enumerate(arrays):
            value = a
            if a.__class__ in KINDS and not (a.requires_grad and recording):
                value = a._value
            if value.__class__ is not ndarray or (value.shape, value.dtype) != wanted[place]:
                value = graph.argument(place, value if value.__class__ is ndarray else a)
                if value.__class__ is not ndarray:
                    return self.joined(arrays)
            values.append(value)
        return graph.structure([constant(r) for r in self.run(values)])

    def run(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs for arrays that have the shapes and dtypes of the inputs already.

        What is watched (`graphnet.debug`), and a call from inside a call, whose buffers are in use, run op by op.
        """
        if self._open or state.mode.debug is not None:
            return self._run_open(values)
        with self._lock:
            if self._entered:
                return stepwise(self.traced.numbered, values)
            self._entered = True
            running = self._running
            try:
                begun = self._begun() if self._takeover is not None else None
                running = self._running
                arrays = self._taken(values, running)
                results = running.function(*arrays) if running.direct else running.run(arrays)
            except Exception as error:
                raise running.located(error).with_traceback(error.__traceback__) from error.__cause__
            finally:
                self._entered = False
            now = tick()
            for p in self.updated:
                p._changed = now
            if begun is not None:
                self._spent(clock() - begun)
        return results

    def _run_open(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """`run` where code of a user is called, which may wait for other threads, or where ops are watched.

        A plan that assigns nothing frees its lock meanwhile: no plan writes to an array that is held here.
        """
        with self._lock:
            aside = self._entered or state.mode.debug is not None
            running = self._running
            if aside:
                leaves = self.traced.numbered.leaf_values()
            else:
                arrays, self._entered = self._taken(values, running), True
            if self.updated:
                return stepwise(self.traced.numbered, values, leaves) if aside else self._entering(running, arrays)
        return stepwise(self.traced.numbered, values, leaves) if aside else self._entering(running, arrays)

    def _entering(self, running: Running, arrays: list[np.ndarray]) -> list[np.ndarray]:
        try:
            begun = self._begun() if self._takeover is not None else None
            results = running.run(arrays)
        except Exception as error:
            raise running.located(error).with_traceback(error.__traceback__) from error.__cause__
        finally:
            self._entered = False
        now = tick()
        for p in self.updated:
            p._changed = now
        if begun is not None:
            self._spent(clock() - begun)
        return results

    def _taken(self, values: list[np.ndarray], running: Running) -> list[np.ndarray]:
        """What a code is called with: the arguments, row after row, and the arrays of the parameters."""
        for p in self.updated:
            # Whoever holds the array, or a view of it from `numpy()`, keeps the values it had.
            if getrefcount(p._value) > 2:
                self._let_go(p, values)
        for place, v in enumerate(values):
            flags = v.flags
            if not (flags.c_contiguous and flags.aligned and v.dtype.isnative):
                values[place] = np.array(v, v.dtype.newbyteorder("="), order="C")
        return [*values, *[p._value for p in running.parameters]]

    @staticmethod
    def _let_go(p: Parameter, values: list[np.ndarray]) -> None:
        """Arguments that are the array of a parameter become copies; if somebody else holds it, so does the array."""
        held = getrefcount(p._value) - 2
        for place, v in enumerate(values):
            if v is p._value:
                values[place] = v.copy()
                held -= 1
        if held > 0:
            p._value = p._value.copy()

    # Native code, made beside the calls.

    def _begun(self, calls: int = 1) -> float | None:
        """Before calls: native code takes over if it is due. The time now, if these calls run on NumPy until then."""
        takeover = self._takeover
        if takeover is None:
            return None
        now = clock()
        if not takeover.due(now, calls):
            return now
        self._take_over(takeover)
        return None

    def _spent(self, seconds: float) -> None:
        """Calls on NumPy are over."""
        takeover = self._takeover
        if takeover is not None:
            takeover.spent(seconds)

    def _take_over(self, takeover: Takeover) -> None:
        """Run native code from now on, waited for if it is not there, or NumPy for good where it can't be made."""
        made = takeover.finish(self.tells)
        # Several threads may come here; they set the same.
        if made is not None:
            self._running = made
        self._takeover = None

    def wait(self) -> Plan:
        """This plan, when native code is ready (at once where there is none to wait for)."""
        takeover = self._takeover
        if takeover is not None:
            self._take_over(takeover)
        for t in self.graph.nodes:
            # A loop inside is a plan of its own.
            if t.op is not None and t.op.ready is not None:
                t.op.ready(**t.attrs)
        return self

    def forked(self) -> None:
        """In a forked process: the lock is free, and the compiler thread is not here."""
        self._lock.forked()
        self._entered = False
        if self._takeover is not None:
            self._takeover.forked()

    def __repr__(self) -> str:
        arena, steps = self.code.arena, self.code.steps
        text = f"<Plan of {len(self.graph)} nodes in {len(steps)} steps, {self.backend}"
        if arena.total:
            text += (
                f": {arena.total:,} bytes of buffers for values of {arena.unshared:,}, at most {arena.peak:,} at once"
            )
            if 0 <= arena.peak_step < len(steps):
                text += f", in step {arena.peak_step} ({self._label(arena.peak_step)})"
        return text + ">"

    def _label(self, place: int) -> str:
        from graphnet.plans.order.schedule import members

        last = members(self.code.steps[place])[-1]
        path = f"{line(last.region.path_text)} " if last.region is not None else ""
        return f"{path}{last.op.name if last.op else ''} -> {described(last)}"

    if TYPE_CHECKING:
        # What `graphnet.graph_methods` adds, for those who read types.
        def profile(self, *arrays: Any, repeat: int = 20) -> Any: ...
        def draw(self, path: Any = None, **options: Any) -> Any: ...
        def _repr_svg_(self) -> str: ...
