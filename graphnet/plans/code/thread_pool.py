"""The threads that share a loop: as many as BLAS may use, the caller one of them, made when first needed.

A shared loop is done in chunks, always the same ones, so that its sums do not depend on the number of threads. Whoever
is there takes the next chunk from a counter: a thread that wakes late, which takes some 40 us, only does fewer of them.
Native code counts (`chunks_of`); Python only wakes the helpers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphnet.plans import blas

if TYPE_CHECKING:
    from graphnet.plans.nest.language import Kernel
    from graphnet.plans.nest.values import Index, Pointer

#: chunks of a shared loop
CHUNKS = 2 * max(2, min(os.cpu_count() or 1, 8))

#: `run(table, state)` does chunks until none is left; `state` is the address of two integers, taken and done
Run = Callable[[int, int], None]
#: `wait(state, chunks)` answers with the number of chunks that are done, once that is all, or after some milliseconds
Wait = Callable[[int, int], int]

_SPINS = 100_000


@contextmanager
def chunks_of(k: Kernel, state: Pointer, length: int) -> Iterator[tuple[Index, Index, Index]]:
    """What each thread does in a `Run`: `(chunk, start, stop)` for each chunk that it gets of a loop of `length`.

    What is inside finds its memory through the table itself: only who has a chunk may look there.
    """
    chunks = min(CHUNKS, length)
    with k.repeat():
        chunk = state.fetch_add(1)
        k.leave(chunk >= chunks)
        yield chunk, chunk * length // chunks, (chunk + 1) * length // chunks
        (state + 1).fetch_add(1)


def waiting() -> Kernel:
    """A `Wait`."""
    # The threads alone do without the loop language.
    from graphnet.plans.nest.language import Kernel
    from graphnet.plans.nest.values import INT64

    k = Kernel("pool_wait")
    done = k.pointer(INT64, "state", noalias=False) + 1
    chunks = k.counter_argument("chunks")
    turns, seen = k.variable(0, INT64), k.variable(0, INT64)
    with k.repeat():
        seen.value = done.load_acquire()
        k.leave(seen.value >= chunks)
        k.pause()
        turns.value = turns.value + 1
        k.leave(turns.value >= _SPINS)
    k.returns(seen.value)
    return k


class _Helper:
    """One thread that waits for loops to take part in."""

    def __init__(self) -> None:
        self.work: tuple[Run, int, int, object] | None = None
        self.begin = threading.Lock()
        self.begin.acquire()
        threading.Thread(target=self._loop, name="graphnet helper", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.begin.acquire()
            work, self.work = self.work, None
            if work is not None:
                run, table, state, _ = work
                run(table, state)
                del work, run

    def ask(self, run: Run, table: int, state: int, holder: object) -> None:
        """Let the thread take part, when it comes to it; `holder` keeps alive what the addresses are of."""
        self.work = (run, table, state, holder)
        if self.begin.locked():
            self.begin.release()


class _Pool:
    """The helpers of one process; one loop is shared at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.helpers: list[_Helper] = []


_pool = _Pool()


def share(run: Run, wait: Wait, table: int, state: int, counts: list[int], length: int, holder: object) -> None:
    """Do all chunks of a loop of `length`, with the help of other threads if there are any.

    `counts` is the array that `state` is the address of. If another loop is being shared at this moment, the caller
    does this one alone. The chunks run outside the interpreter's lock.
    """
    chunks = min(CHUNKS, length)
    counts[1] = 0
    counts[0] = 0
    pool, threads = _pool, min(blas.threads(), chunks)
    # While the interpreter shuts down, threads neither begin nor answer.
    if threads < 2 or sys.is_finalizing() or not pool.lock.acquire(blocking=False):
        run(table, state)
        return
    try:
        try:
            while len(pool.helpers) < threads - 1:
                pool.helpers.append(_Helper())
        except RuntimeError:
            threads = len(pool.helpers) + 1
        for helper in pool.helpers[: threads - 1]:
            helper.ask(run, table, state, holder)
        run(table, state)
    finally:
        _finish(wait, state, chunks)
        pool.lock.release()


def _finish(wait: Wait, state: int, chunks: int) -> None:
    """Return, or pass on an interrupt, when no thread writes to the arrays any more: then they may be freed."""
    try:
        while wait(state, chunks) < chunks:
            time.sleep(1e-4)
    except KeyboardInterrupt:
        _finish(wait, state, chunks)
        raise


def in_child() -> None:
    """In the child of a fork: it has none of its parent's threads."""
    global _pool
    _pool = _Pool()
