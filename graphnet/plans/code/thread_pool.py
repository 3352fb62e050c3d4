"""The threads that share a loop: as many as BLAS may use, the caller one of them, made when first needed.

A shared loop is done in chunks, always the same ones, so that its sums do not depend on the number of threads. Whoever
is there takes the next chunk from a counter: a thread that wakes late, which takes some 40 us, only does fewer of them.
Native code counts (`loop_text`); Python only wakes the helpers.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence

from graphnet.plans import blas

#: chunks of a shared loop
CHUNKS = 2 * max(2, min(os.cpu_count() or 1, 8))

#: `run(table, state)` does chunks until none is left; `state` is the address of two integers, taken and done
Run = Callable[[int, int], None]
#: `wait(state, chunks)` answers with the number of chunks that are done, once that is all, or after some milliseconds
Wait = Callable[[int, int], int]

_SPINS = 100_000


def loop_text(name: str, length: int, body: Sequence[str]) -> str:
    """The IR of a `Run`: `body` does the turns from %lo to %hi of a loop of `length`, as chunk number %chunk.

    `body` finds its pointers through %table itself: only who has a chunk may look there.
    """
    chunks = min(CHUNKS, length)
    lines = [
        f"define void @{name}(ptr %table, ptr %state) nounwind {{",
        "entry:",
        "br label %next",
        "next:",
        "%chunk = atomicrmw add ptr %state, i64 1 seq_cst",
        f"%more = icmp slt i64 %chunk, {chunks}",
        "br i1 %more, label %work, label %end",
        "work:",
        "%after = add i64 %chunk, 1",
        f"%lo.all = mul i64 %chunk, {length}",
        f"%hi.all = mul i64 %after, {length}",
        f"%lo = udiv i64 %lo.all, {chunks}",
        f"%hi = udiv i64 %hi.all, {chunks}",
        *body,
        "%done = getelementptr i64, ptr %state, i64 1",
        "%before = atomicrmw add ptr %done, i64 1 seq_cst",
        "br label %next",
        "end:",
        "ret void",
        "}",
    ]
    return "\n".join(lines)


def wait_text() -> str:
    """The IR of a `Wait`."""
    machine = platform.machine().lower()
    x86, arm = ("llvm.x86.sse2.pause", "", ""), ("llvm.aarch64.hint", "i32", "i32 1")
    hint = {"x86_64": x86, "amd64": x86, "aarch64": arm, "arm64": arm}.get(machine)
    lines = [
        *([f"declare void @{hint[0]}({hint[1]})"] if hint else []),
        "define i64 @crew_wait(ptr %state, i64 %chunks) nounwind {",
        "entry:",
        "%place = getelementptr i64, ptr %state, i64 1",
        "br label %look",
        "look:",
        "%turn = phi i64 [0, %entry], [%following, %again]",
        "%done = load atomic i64, ptr %place acquire, align 8",
        "%all = icmp sge i64 %done, %chunks",
        "br i1 %all, label %end, label %again",
        "again:",
        *([f"call void @{hint[0]}({hint[2]})"] if hint else []),
        "%following = add i64 %turn, 1",
        f"%late = icmp sge i64 %following, {_SPINS}",
        "br i1 %late, label %end, label %look",
        "end:",
        "ret i64 %done",
        "}",
    ]
    return "\n".join(lines)


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
