"""Whether a plan's products run on one thread for a while.

Threads of BLAS wait for each other without sleeping. Where other processes take the processors, one of them waits for
its turn again and again, and a training step can take a hundred times as long. A plan that sees its runs take several
times as long as they did, or longer than on one thread, runs on one thread, and looks again after a while that grows as
long as it finds no room.
"""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType

from graphnet.compile import blas

#: a run is slow if it takes so many times as long as the fastest one, or as the fastest on one thread
TIMES, TIMES_ALONE = 4.0, 1.5
#: and longer than so many seconds
AT_LEAST = 3e-4
#: runs that are made on one thread, to know what that takes
TRIALS = range(3, 6)
#: slow runs one after the other before the plan goes on with one thread
PATIENCE = 2
#: seconds until it looks again, at first and at most
SHORTEST, LONGEST = 0.1, 5.0


class Pace:
    """The pace of one plan: `narrow()` before a run says whether it should use one thread, `note` how long it took."""

    def __init__(self) -> None:
        self.fastest = self.alone = math.inf
        self._runs = 0
        self._slow = 0
        self._until = 0.0
        self._pause = SHORTEST

    def narrow(self, now: float) -> bool:
        """Whether a run that begins now uses one thread."""
        self._runs += 1
        return now < self._until or self._runs in TRIALS

    def note_alone(self, begun: float, ended: float) -> None:
        """A run on one thread is over."""
        self.alone = min(self.alone, ended - begun)

    def note(self, begun: float, ended: float) -> None:
        """A run on all threads is over."""
        took = ended - begun
        if took < self.fastest:
            self.fastest = took
        if took <= max(AT_LEAST, min(TIMES * self.fastest, TIMES_ALONE * self.alone)):
            self._slow = 0
            self._pause = max(SHORTEST, self._pause * 0.9)
            return
        self._slow += 1
        if self._slow >= PATIENCE:
            self._until = ended + self._pause
            self._pause = min(self._pause * 2, LONGEST)
            # One more slow run after that is enough.
            self._slow = PATIENCE - 1


class _OneThread:
    """A context in which NumPy's BLAS uses one thread; several at once end when the last one does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            library = blas.found()
            if self._inside == 1 and library is not None:
                self._before = blas.threads()
                library.limit(1)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1
            library = blas.found()
            if self._inside == 0 and library is not None:
                library.limit(self._before)


one_thread = _OneThread()
clock = time.perf_counter
