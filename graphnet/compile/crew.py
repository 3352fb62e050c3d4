"""The threads that share a loop: as many as BLAS may use, the caller one of them, made when first needed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from graphnet.compile import blas

#: a shared loop is always done in so many parts, by however many threads: so its sums do not depend on their number
PARTS = max(2, min(os.cpu_count() or 1, 8))

Part = Callable[[int, int, int, int], None]


class _Helper:
    """One thread that waits for parts to do. Two locks hand work over and back: quicker than a queue."""

    def __init__(self) -> None:
        self.work: list[tuple[Part, int, int, int, int]] = []
        self.begin, self.ended = threading.Lock(), threading.Lock()
        self.begin.acquire()
        self.ended.acquire()
        threading.Thread(target=self._loop, name="graphnet helper", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.begin.acquire()
            for part, *numbers in self.work:
                part(*numbers)
            self.ended.release()


class _Crew:
    """The helpers of one process; one loop is shared at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.helpers: list[_Helper] = []


_crew = _Crew()


def share(part: Part, table: int, length: int) -> None:
    """Call `part(table, start, end, number)` for `PARTS` equal parts of a loop of `length`, on several threads.

    The parts run outside the interpreter's lock. If another loop is being shared at this moment, the caller does all
    parts of this one.
    """
    count = min(PARTS, length)
    bounds = [length * n // count for n in range(count + 1)]
    work = [(part, table, bounds[n], bounds[n + 1], n) for n in range(count)]
    crew, threads = _crew, min(blas.threads(), count)
    # While the interpreter shuts down, threads neither begin nor answer.
    if threads < 2 or sys.is_finalizing() or not crew.lock.acquire(blocking=False):
        for _, *numbers in work:
            part(*numbers)
        return
    try:
        try:
            while len(crew.helpers) < threads - 1:
                crew.helpers.append(_Helper())
        except RuntimeError:
            threads = len(crew.helpers) + 1
        busy = crew.helpers[: threads - 1]
        for n, helper in enumerate(busy, 1):
            helper.work = work[n::threads]
            helper.begin.release()
        try:
            for _, *numbers in work[::threads]:
                part(*numbers)
        finally:
            _wait(busy)
    finally:
        crew.lock.release()


def _wait(busy: list[_Helper]) -> None:
    """Return, or pass on an interrupt, when no thread writes to the arrays any more: then they may be freed."""
    for n, helper in enumerate(busy):
        try:
            helper.ended.acquire()
        except KeyboardInterrupt:
            _wait(busy[n:])
            raise


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _crew
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
