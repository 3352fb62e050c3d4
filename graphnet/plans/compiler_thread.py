"""One thread that makes native code for all plans, beside their calls.

It goes through a queue, in which plans are not kept alive: what was dropped is not compiled, and neither is what
nobody has called since. Whoever has to wait for a plan makes its code at once if the thread has not come to it.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from graphnet.plans.blas_threads import clock
from graphnet.plans.code import compiler

log = logging.getLogger("graphnet")

#: a plan that was not called for so many seconds when it is first in the queue is not compiled until it is called again
STALE = 0.2
#: seconds that somebody waits for a plan without saying so
PATIENCE = 0.3
#: seconds that the end of the process waits for the thread
END_WAITS = 0.3


class Work:
    """Native code for one plan: made once, by whoever claims it first."""

    def __init__(self, takeover: Any):
        self._takeover = weakref.ref(takeover)
        self._claim = threading.Lock()
        self._over = threading.Event()
        #: when the plan was last called
        self.called = clock()

    @property
    def over(self) -> bool:
        """Whether it is made, or cannot be."""
        return self._over.is_set()

    def do(self, tells: Callable[[], None] | None = None, seconds: float = 0.0) -> None:
        """Make it now, or wait until it is made. `tells` is called if that takes a while, or is expected to."""
        if self.over:
            return
        if self._claim.acquire(blocking=False):
            self._make(tells if seconds > PATIENCE else None)
        elif not self._over.wait(PATIENCE) and tells is not None:
            tells()
        self._over.wait()

    def make_if_wanted(self) -> None:
        """In the compiler thread: make it, unless the plan is gone or was not called for a while."""
        if clock() - self.called < STALE:
            if self._claim.acquire(blocking=False):
                self._make()
            return
        takeover = self._takeover()
        if takeover is not None:
            takeover.not_made(self)

    def _make(self, tells: Callable[[], None] | None = None) -> None:
        try:
            takeover = self._takeover()
            if takeover is not None:
                if tells is not None:
                    tells()
                takeover.make()
        finally:
            self._over.set()

    def begin(self) -> None:
        """Put it into the queue. Where no thread can be had it stays undone: NumPy goes on."""
        global _thread
        with _lock:
            _queue.append(self)
            if _thread is not None or compiler.ending():
                return
            thread = threading.Thread(target=_through, name="graphnet compiler", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                _queue.clear()
                log.info("native code is not made: %s", error)
                return
            _thread = thread


_queue: deque[Work] = deque()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def _through() -> None:
    global _thread
    while True:
        with _lock:
            if not _queue or compiler.ending():
                _thread = None
                return
            work = _queue.popleft()
        work.make_if_wanted()
        del work


def _end() -> None:
    """Before the interpreter ends: nothing is begun any more, and nobody waits long for what has begun."""
    compiler.end()
    with _lock:
        thread = _thread
    if thread is None or thread is threading.current_thread():
        return
    thread.join(END_WAITS)
    if not thread.is_alive():
        return
    if not sys.platform.startswith("linux"):
        thread.join()
        return
    # LLVM can't be stopped. C++ would take apart at the end what it works with: so the process ends before that.
    try:
        libc = ctypes.CDLL(None)
        libc.on_exit.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        libc.fflush(None)
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)
    except (OSError, AttributeError):
        thread.join()


atexit.register(_end)


def in_child() -> None:
    """In the child of a fork: there is no thread, and nothing waits."""
    global _lock, _thread
    _lock, _thread = threading.Lock(), None
    _queue.clear()
