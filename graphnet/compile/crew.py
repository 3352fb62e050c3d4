"""The threads that share a loop: as many as BLAS may use, the caller one of them, made when first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from graphnet.compile import blas

_pools: dict[int, tuple[int, ThreadPoolExecutor]] = {}
_lock = threading.Lock()


def _pool(count: int) -> ThreadPoolExecutor:
    """Threads beside the caller. A forked process has none of its parent's, and makes its own."""
    process = os.getpid()
    with _lock:
        size, pool = _pools.get(process, (0, None))
        if pool is None or size < count:
            pool = ThreadPoolExecutor(count, "graphnet")
            _pools.clear()
            _pools[process] = (count, pool)
        return pool


def share(part: Callable[[int, int, int], None], table: int, length: int) -> None:
    """Run `part(table, start, end)` over the range of `length`, in equal parts by several threads.

    The parts run outside the interpreter's lock.
    """
    count = min(blas.threads(), length)
    if count < 2:
        part(table, 0, length)
        return
    bounds = [length * n // count for n in range(count + 1)]
    waiting: list[Future[None]] = []
    try:
        try:
            pool = _pool(count - 1)
            for n in range(1, count):
                waiting.append(pool.submit(part, table, bounds[n], bounds[n + 1]))
        except RuntimeError:
            # While the interpreter shuts down there are no new threads.
            part(table, bounds[len(waiting) + 1], length)
        part(table, 0, bounds[1])
    finally:
        _wait(waiting)
    for future in waiting:
        future.result()


def _wait(waiting: list[Future[None]]) -> None:
    """Return, or pass on an interrupt, when no thread writes to the arrays any more: then they may be freed."""
    try:
        wait(waiting)
    except KeyboardInterrupt:
        _wait(waiting)
        raise


if hasattr(os, "register_at_fork"):
    # A lock that another thread held at the fork would never be free in the child.
    os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
