"""A plan: a graph as one function over arrays, in memory laid out ahead. It begins as NumPy and becomes native."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from graphnet import forks
from graphnet.declare import described
from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import KINDS, Parameter, Tensor, constant, state, tick
from graphnet.plans import at_fork, blas  # noqa: F401  (what is to be done at a fork is known before one)
from graphnet.plans.blas_threads import Pace, clock, one_thread
from graphnet.plans.code import compiler
from graphnet.plans.code.function import Code, is_open
from graphnet.plans.compiler_thread import Work
from graphnet.plans.differentiable import Differentiable, called, recorded
from graphnet.plans.locks import lock_of
from graphnet.plans.rewrite import optimise, rooted
from graphnet.stepwise import stepwise

log = logging.getLogger("graphnet")
ndarray = np.ndarray

#: calls and seconds on NumPy before native code is made beside them: what runs for less does not pay for it
NATIVE_AFTER, PAYS = 2, 0.1
#: seconds that all plans together ran on NumPy before the first native code of the process is made: LLVM begins slowly
EARLY = 0.02
#: seconds on NumPy after which native code takes over where runs are repeatable: making it should be over by then
TAKEOVER = 0.4
#: the part of those calls after which it is begun
BEGUN_AFTER = 0.25
BACKENDS = ("auto", "numpy", "native")


class _Repeatable:
    """Whether plans that are made now take over native code at a call that the clock has no say in."""

    on = False


class _Spent:
    """Seconds that all plans ran on NumPy, and whether native code was begun."""

    seconds = 0.0
    begun = False


def repeatable(on: bool = True) -> bool:
    """Ask for the same numbers, bit for bit, from the same program on one machine; gives whether that was so before.

    Plans that are made from now on change from NumPy to native code at a call whose number follows from the graph
    alone, and wait for it there.

    Without it they change when native code is ready, and so a value may differ in its last bit from run to run.
    `nn.set_random_seed` asks for it. `repeatable(False)` goes back.

    >>> import graphnet as gn
    >>> before = gn.repeatable()
    >>> gn.repeatable(before)
    True
    """
    before, _Repeatable.on = _Repeatable.on, bool(on)
    return before


def calls_on_numpy(graph: Graph) -> int:
    """How many calls of `graph` go to NumPy where runs are repeatable, by rough counts of its work and of LLVM's."""
    return max(16, min(5000, int((TAKEOVER + (TAKEOVER > 0) * _making(graph)) / max(_seconds(graph), 1e-6))))


def _making(graph: Graph) -> float:
    """About how many seconds native code for `graph` takes."""
    names = [t.op.name for t in graph.nodes if t.op is not None]
    return 1e-3 * len(names) + 0.2 * sum(name.startswith("conv") for name in names)


def _seconds(graph: Graph) -> float:
    total = 0.0
    for t in graph.nodes:
        if t.op is None:
            continue
        total += 3e-6 + t.size * t.dtype.itemsize / 8e9
        if t.op.name in ("matmul", "gemm") or t.op.name.startswith("conv"):
            # The product of the three sizes is that of the three lengths, squared.
            a, b, *_ = sorted([i.size for i in t.inputs], reverse=True)
            total += 2 * math.sqrt(a * b * t.size) / (1e10 if t.op.name.startswith("conv") else 5e10)
        body = getattr(t.attrs.get("body"), "graph", None)
        if body is not None:
            total += int(t.attrs.get("length") or 1) * _seconds(body)
    return total


def backend_wanted(given: str | None = None) -> str:
    """The backend that is asked for, by argument or by `GRAPHNET_NATIVE` ("0" turns native code off, "1" waits for it).

    Raises `ValueError` for an unknown word, and `ImportError` for "native" where llvmlite is missing.
    """
    if given is None:
        given = {"0": "numpy", "1": "native"}.get(os.environ.get("GRAPHNET_NATIVE", ""), "auto")
        if given == "native" and not compiler.available():
            given = "numpy"
    if given not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(map(repr, BACKENDS))}; received {given!r}")
    if given == "native" and not compiler.available():
        raise compiler.missing()
    return "numpy" if given == "auto" and not compiler.available() else given


class _Running(NamedTuple):
    """A code that is ready to be called. One object: a call has all of it, while another thread puts a new one."""

    code: Code
    function: Callable[..., list[np.ndarray]]
    parameters: list[Parameter]
    quiet: bool
    pace: Pace | None
    #: whether calling it is all there is to do
    direct: bool

    @staticmethod
    def of(code: Code, function: Callable[..., list[np.ndarray]]) -> _Running:
        products = any(t.op is not None and t.op.name in ("matmul", "gemm") for t in code.graph.nodes)
        several = products and blas.found() is not None and blas.threads() > 1
        pace = Pace() if several else None
        return _Running(code, function, code.parameters, code.quiet, pace, code.quiet and pace is None)

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs; products use one thread while there is no room for more."""
        if self.pace is None:
            return self._called(arrays)
        begun = clock()
        if self.pace.narrow(begun):
            with one_thread:
                results = self._called(arrays)
            self.pace.note_alone(begun, clock())
            return results
        results = self._called(arrays)
        self.pace.note(begun, clock())
        return results

    def located(self, error: Exception) -> BaseException:
        """An error of a call, with op, layer and the line that made the node of the step that failed."""
        node, code, trail = None, self.code, error.__traceback__
        while trail is not None:
            if trail.tb_frame.f_code.co_filename == code.filename:
                node = code.node_at(trail.tb_lineno)
            trail = trail.tb_next
        if node is None or node.op is None:
            return error
        return node.op.failure(error, node.inputs, node.attrs, made=node)

    def _called(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if self.quiet:
            return self.function(*arrays)
        with np.errstate(all="ignore"):
            return self.function(*arrays)


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

    def __init__(self, graph: Graph, backend: str | None = None):
        self._backend = wanted = backend_wanted(backend)
        #: as it was traced: what is watched, differentiated, or entered again while it runs
        self.traced = rooted(graph)
        self.graph = optimise(self.traced)
        self.updated: list[Parameter] = [p for p, _ in self.graph.updates]
        self._read = self.graph.parameters
        self._wanted = [(t.shape, t.dtype) for t in self.graph.inputs]
        self._lock = lock_of([*self.updated, *self._read])
        self._waiting = wanted == "auto"
        self._calls, self._seconds = 0, 0.0
        self._numpy_calls = calls_on_numpy(self.graph) if wanted == "auto" and _Repeatable.on else 0
        self._made: _Running | None = None
        #: whether it is being run, and whether code of a user is among what it runs
        self._entered = False
        self._open = any(is_open(t) for t in self.graph.nodes)
        self._differentiable: tuple[list[int], list[Parameter]] | None = None
        self._learned: list[Parameter] | None = None
        self._function: Differentiable | None = None
        self._work: Work | None = None
        #: called without arguments before a call waits for native code, if that takes long
        self.tells: Callable[[], None] | None = None
        code: Code = self._native() if wanted == "native" else Code(self.graph)
        self._running = _Running.of(code, code.load())
        forks.follow(self)

    def _native(self) -> Code:
        # Not needed, and not imported, where plans stay with NumPy. A fork waits: a module half imported would stay so.
        with compiler.lock:
            from graphnet.plans.code.native_lines import NativeCode

        return NativeCode(self.graph)

    @property
    def code(self) -> Code:
        """What the next call runs, as steps."""
        return self._running.code

    def _smooth(self) -> tuple[list[int], list[Parameter]]:
        """The places of the outputs that have gradients, and the parameters that those read."""
        if self._differentiable is None:
            graph = self.traced
            places = [n for n, t in enumerate(graph.outputs) if t.dtype.kind == "f"]
            read = list(Graph(graph.inputs, [graph.outputs[n] for n in places]).parameters)
            self._differentiable = places, read
        return self._differentiable

    @property
    def learns(self) -> bool:
        """Whether gradients could be wanted with respect to a parameter: outputs read one that learns and stays."""
        learned = self._learned
        if learned is None:
            updated = set(self.updated)
            some = any(p not in updated for p in self._read)
            learned = self._learned = [p for p in self._smooth()[1] if p not in updated] if some else []
        return bool(learned) and any([p.requires_grad for p in learned])

    def joined(self, arguments: Sequence[Any]) -> Any:
        """What a call gives, as one node in the history of the arguments, and of the parameters that outputs read."""
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
            self._function = Differentiable([*graph.inputs, *read], [graph.outputs[n] for n in places], self._backend)
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
                begun = self._look_for_native() if self._waiting else None
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
                self._spent(begun)
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

    def _entering(self, running: _Running, arrays: list[np.ndarray]) -> list[np.ndarray]:
        try:
            begun = self._look_for_native() if self._waiting else None
            results = running.run(arrays)
        except Exception as error:
            raise running.located(error).with_traceback(error.__traceback__) from error.__cause__
        finally:
            self._entered = False
        now = tick()
        for p in self.updated:
            p._changed = now
        if begun is not None:
            self._spent(begun)
        return results

    def _taken(self, values: list[np.ndarray], running: _Running) -> list[np.ndarray]:
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

    def _look_for_native(self, calls: int = 1) -> float | None:
        """Before calls on NumPy: have native code made when it pays, and use it at the call that the graph decides
        where runs are repeatable. The time now, if that of these calls matters."""
        done, self._calls = self._calls, self._calls + calls
        work, last = self._work, self._numpy_calls
        if last and done >= last:
            self._take_over()
            return None
        if work is None:
            pays = last or self._seconds >= PAYS or (_Spent.seconds >= EARLY and not _Spent.begun)
            if pays and done >= (int(last * BEGUN_AFTER) if last else NATIVE_AFTER):
                self._work = Work(self)
                self._work.begin()
            return clock()
        work.called = clock()
        if work.over and not last:
            self._waiting = False
        return None

    def _spent(self, begun: float) -> None:
        """Calls on NumPy are over that began at this time."""
        seconds = clock() - begun
        self._seconds += seconds
        _Spent.seconds += seconds

    def _make_native(self, beside: bool) -> None:
        start = time.perf_counter()
        _Spent.begun = True
        if not compiler.available():
            log.info("native code for %r is not made: %s", self, compiler.missing())
            return
        try:
            code = self._native()
            made = _Running.of(code, code.load())
        except Exception as error:
            if not compiler.ending():
                log.warning("native code for %r could not be made, NumPy goes on: %s", self, error, exc_info=True)
            return
        # Not under the lock of the plan: whoever holds it may wait for this.
        if self._numpy_calls and beside:
            self._made = made
        else:
            self._running = made
        if not compiler.ending():
            log.info("native code for %r after %.3f s", self, time.perf_counter() - start)

    def _not_made(self, work: Work) -> None:
        """The plan was not called any more: if it is again, it asks again."""
        if self._work is work:
            self._work = None

    def _take_over(self) -> None:
        """Have native code made if it is not, and use it."""
        work = self._work
        if work is None:
            work = self._work = Work(self)
        work.do(self.tells, _making(self.graph))
        self._waiting = False
        # Taken out once: another thread may wait as well.
        made = self._made
        if made is not None:
            self._running, self._made = made, None

    def wait(self) -> Plan:
        """This plan, when native code is ready (at once where there is none to wait for)."""
        if self._waiting:
            self._take_over()
        for t in self.graph.nodes:
            for value in t.attrs.values():
                # A loop inside is a plan of its own.
                if hasattr(value, "wait"):
                    value.wait()
        return self

    def forked(self) -> None:
        """In a forked process: the lock is free, and the compiler's thread is not here."""
        self._lock.forked()
        self._entered = False
        if self._work is not None and not self._work.over:
            self._work, self._made = None, None

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
        path = line("/".join(r.name for r in last.region.path)) + " " if last.region is not None else ""
        return f"{path}{last.op.name if last.op else ''} -> {described(last)}"

    def profile(self, *arrays: Any, repeat: int = 20) -> Any:
        """Where the time goes: a `Profile`, one row for each step. Parameters are as before afterwards.

        `arrays` are the arguments; without them, arrays of zeros.
        """
        from graphnet.plans.profile import profiled

        return profiled(self, arrays, repeat)

    def draw(self, path: Any = None, **options: Any) -> Any:
        """A picture of what runs: fused kernels as boxes, with the code of each step as the text behind it.

        Options are those of `Graph.draw`; `heat="time"` measures, unless `profile` has what `profile()` gave. With
        `kernels=False` the boxes are those of the layers.
        """
        from graphnet.viz.plans import draw_plan

        return draw_plan(self, path, **options)

    def _repr_svg_(self) -> str:
        return self.draw().svg


__all__: Sequence[str] = ["Plan", "Tensor", "backend_wanted"]
