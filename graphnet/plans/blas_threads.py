"""Whether a plan's products run on one thread for a while.

Threads of BLAS wait for each other without sleeping. Where other processes take the processors, one of them waits for
a processor again and again, and a training step can take a hundred times as long. A plan that sees its runs take
several times as long as they did, or longer than on one thread, runs on one thread, and looks again after a while that
grows as long as they are busy.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import suppress
from types import TracebackType

from graphnet.plans import blas

#: a run is slow if it takes so many times as long as the fastest one, or as the fastest on one thread
TIMES, TIMES_ALONE = 4.0, 1.5
#: and longer than so many seconds
AT_LEAST = 3e-4
#: seconds that a thread of OpenBLAS may run for a product that a fork waits for, and that a fork waits at most
FORK_WAITS, FORK_WAITS_AT_MOST = 1.0, 30.0
#: seconds that a thread of Python's runs at most from the choice of several threads to their begin
BEGINS_WITHIN = 0.02
#: runs that are made on one thread, to know what that takes
TRIALS = range(3, 6)
#: slow runs one after the other before the plan goes on with one thread
PATIENCE = 2
#: seconds until it looks again, at first and at most
SHORTEST, LONGEST = 0.1, 5.0


class Throttle:
    """How many threads one plan uses: `narrow()` before a run says whether it is one, `note` how long the run took."""

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
    """A context in which NumPy's BLAS uses one thread; several at once end when the last one does.

    So does a fork: OpenBLAS ends its threads for it, and waits for good if another thread has work for them just then.
    And the lock around its products on several threads may be held at that moment: nobody frees it in the child, whose
    first such product would wait for good. So a child of a process in which another thread was running keeps to one
    thread, which takes no lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By thread: how often it is inside.
        self._inside: dict[int, int] = {}
        self._before = 1
        # Whether another thread may be inside a product on several threads, as a fork begins.
        self._others_ran = False

    def before_fork(self) -> None:
        """Have products use one thread, and wait for those that use several."""
        self.__enter__()
        others = {str(t.native_id) for t in _others() if not t.name.startswith("graphnet")}
        self._others_ran = self._before > 1 and bool(others) and not _quiet(others)

    def after_fork(self) -> None:
        """As before."""
        self.__exit__(None, None, None)

    def in_child(self) -> None:
        """As before, or one thread; nobody is inside but, perhaps, who forked."""
        me = threading.get_ident()
        self._lock, self._inside = threading.Lock(), {me: self._inside[me]}
        if self._others_ran:
            self._before = 1
        self.__exit__(None, None, None)

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._lock:
            if not self._inside and (library := blas.found()) is not None:
                self._before = blas.threads()
                # Where it is one, OpenBLAS is not asked: in a child it would make threads, under another lock.
                if self._before > 1:
                    library.limit(1)
            self._inside[me] = self._inside.get(me, 0) + 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        me = threading.get_ident()
        with self._lock:
            self._inside[me] -= 1
            if not self._inside[me]:
                del self._inside[me]
            if not self._inside and self._before > 1 and (library := blas.found()) is not None:
                library.limit(self._before)


def _others() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t is not threading.current_thread()]


def _looked_at(thread: str) -> tuple[bool, float]:
    """Whether a thread runs, or waits for a disk, and the seconds that it ran so far."""
    with suppress(OSError), open(f"/proc/self/task/{thread}/stat", "rb") as file:
        found = file.read().rpartition(b")")[2].split()
        return found[0] in (b"R", b"D"), (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK")
    return False, 0.0


def _quiet(others: set[str]) -> bool:
    """Wait until no product runs on several threads, and say whether the threads `others` of Python are asleep.

    Products use one thread from now on, but for those that have begun, or were about to: a thread of Python's begins
    it within a few milliseconds of running, and those of OpenBLAS run until 30 ms after they had work. On a busy
    machine both can take long: so what counts is the time that they ran. Two looks one after the other have to find
    nothing, as what waits for a lock at the first runs at the second.
    """
    if not os.path.isdir("/proc/self/task"):
        return False
    # The helpers of plans make no products.
    passed = {str(t.native_id) for t in threading.enumerate()}.difference(others)
    begun: dict[str, float] = {}
    end = clock() + FORK_WAITS_AT_MOST
    looks, asleep = 0, True
    while looks < 2 and clock() < end:
        time.sleep(2e-3)
        busy = False
        if not looks:
            asleep = True
        for thread in os.listdir("/proc/self/task"):
            if thread in passed:
                continue
            runs, ran = _looked_at(thread)
            first = begun.setdefault(thread, ran)
            ours = thread in others
            asleep = asleep and not (runs and ours)
            busy = busy or (runs and ran - first < (BEGINS_WITHIN if ours else FORK_WAITS))
        looks = 0 if busy else looks + 1
    return asleep and looks == 2


one_thread = _OneThread()
clock = time.perf_counter
