"""The change from NumPy to native code: when it is made beside the calls, and from which call on it runs.

Where runs are repeatable that is a call whose number follows from the graph, and the plan waits for native code there;
else it is the first call after native code is ready.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from graphnet import ops
from graphnet.graph import Graph
from graphnet.node import made_by
from graphnet.ops.convolution import conv_kernel
from graphnet.ops.planned import GEMM
from graphnet.plans.code import compiler
from graphnet.plans.code.function import Code
from graphnet.plans.compiler_thread import Work
from graphnet.plans.running import Running

_CONVOLUTIONS = (ops.conv, ops.conv_transpose, conv_kernel)

log = logging.getLogger("graphnet")

#: calls and seconds on NumPy before native code is made beside them: what runs for less does not pay for it
NATIVE_AFTER, PAYS = 2, 0.1
#: seconds that all plans together ran on NumPy before the first native code of the process is made: LLVM begins slowly
EARLY = 0.02
#: seconds on NumPy after which native code takes over where runs are repeatable: making it should be over by then
TAKEOVER = 0.4
#: the part of those calls after which it is begun
BEGUN_AFTER = 0.25


class _Spent:
    """Seconds that all plans ran on NumPy, and whether native code was begun."""

    seconds = 0.0
    begun = False


class Takeover:
    """The way of one plan from NumPy to native code, of `graph`.

    `due` is asked before each call on NumPy and says whether that is over; then `finish` has the native code. `spent`
    notes what a call took. `at` is the number of the call that takes over, None where that is the first one after
    native code is ready. With `turns` the native code has a function for many calls at once.
    """

    def __init__(self, graph: Graph, repeatable: bool, turns: bool = False):
        self.graph, self.turns = graph, turns
        self.at = calls_on_numpy(graph) if repeatable else None
        self.calls, self.seconds = 0, 0.0
        #: native code, when it is made; None where it is not yet, or could not be
        self.made: Running | None = None
        self.work: Work | None = None

    @property
    def ready(self) -> Running | None:
        """Native code that the next call runs."""
        return self.made if self.at is None else None

    def due(self, now: float, calls: int = 1) -> bool:
        """Whether native code takes over before the next `calls` calls. If it is time for it, it is begun here."""
        before, self.calls = self.calls, self.calls + calls
        if self.at is not None and before >= self.at:
            return True
        work = self.work
        if work is not None:
            work.called = now
            return work.over and self.at is None
        if self._pays() and before >= (NATIVE_AFTER if self.at is None else int(self.at * BEGUN_AFTER)):
            self.work = Work(self)
            self.work.begin()
        return False

    def _pays(self) -> bool:
        early = _Spent.seconds >= EARLY and not _Spent.begun
        return self.at is not None or self.seconds >= PAYS or early

    def spent(self, seconds: float) -> None:
        """Calls on NumPy are over."""
        self.seconds += seconds
        _Spent.seconds += seconds

    def finish(self, tells: Callable[[], None] | None = None) -> Running | None:
        """Native code: made now, or waited for; None where it can't be made. `tells` is called before a long wait."""
        work = self.work
        if work is None:
            work = self.work = Work(self)
        work.do(tells, _making(self.graph))
        return self.made

    def make(self) -> None:
        """Make native code. Called by whoever works on it: the compiler thread, or a call that waits."""
        start = time.perf_counter()
        _Spent.begun = True
        if not compiler.available():
            log.info("native code for %r is not made: %s", self, compiler.missing())
            return
        try:
            made = Running.of(native_code(self.graph, turns=self.turns))
        except Exception as error:
            if not compiler.ending():
                log.warning("native code for %r could not be made, NumPy goes on: %s", self, error, exc_info=True)
            return
        self.made = made
        if not compiler.ending():
            log.info("native code for %r after %.3f s", self, time.perf_counter() - start)

    def not_made(self, work: Work) -> None:
        """The plan was not called any more: if it is again, it asks again."""
        if self.work is work:
            self.work = None

    def forked(self) -> None:
        """In a forked process: the compiler thread is not here."""
        if self.work is not None and not self.work.over:
            self.work = self.made = None

    def __repr__(self) -> str:
        return f"<plan of {len(self.graph)} nodes>"


def native_code(graph: Graph, apart: bool = False, turns: bool = False) -> Code:
    """The native code of a graph; with `apart` every step is a call of its own, with `turns` one of many at once."""
    # Not needed, and not imported, where plans stay with NumPy. A fork waits: a module half imported would stay so.
    with compiler.lock:
        from graphnet.plans.code import native

    return native.native_code(graph, apart, turns)


def calls_on_numpy(graph: Graph) -> int:
    """How many calls of `graph` go to NumPy where runs are repeatable, by rough counts of its work and of LLVM's."""
    return max(16, min(5000, int((TAKEOVER + (TAKEOVER > 0) * _making(graph)) / max(_running(graph), 1e-6))))


def _making(graph: Graph) -> float:
    """About how many seconds native code for `graph` takes."""
    computed = [t for t in graph.nodes if t.op is not None]
    return 1e-3 * len(computed) + 0.2 * sum(made_by(t, *_CONVOLUTIONS) for t in computed)


def _running(graph: Graph) -> float:
    """About how many seconds a call on NumPy takes."""
    total = 0.0
    for t in graph.nodes:
        if t.op is None:
            continue
        convolves = made_by(t, *_CONVOLUTIONS)
        total += 3e-6 + t.size * t.dtype.itemsize / 8e9
        if made_by(t, ops.matmul, GEMM) or convolves:
            # The product of the three sizes is that of the three lengths, squared.
            a, b, *_ = sorted([i.size for i in t.inputs], reverse=True)
            total += 2 * math.sqrt(a * b * t.size) / (1e10 if convolves else 5e10)
        body = getattr(t.attrs.get("body"), "graph", None)
        if body is not None:
            total += int(t.attrs.get("length") or 1) * _running(body)
    return total
