"""Whose turn it is: plans that use the same parameter run one after the other, others at the same time.

A plan writes into a parameter's own array, outside the interpreter's lock: another that read it meanwhile would see
half of the new values. Parameters that are used together have one lock; where a plan joins two groups, they become one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from graphnet import forks
from graphnet.node import Parameter

_joining = threading.RLock()


class _Mine(threading.local):
    """The locks that a thread has taken, in order: its group may be joined to another before it lets go."""

    def __init__(self) -> None:
        self.held: list[Any] = []


_mine = _Mine()


class Turn:
    """A lock for a group of plans, which one that calls another takes twice. What joined a group asks that one."""

    __slots__ = ("_joined", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._joined: Turn | None = None

    def root(self) -> Turn:
        """The turn of the whole group."""
        turn = self
        while turn._joined is not None:
            turn = turn._joined
        return turn

    def __enter__(self) -> None:
        while True:
            root = self.root()
            lock = root.lock
            lock.acquire()
            if root._joined is None:
                _mine.held.append(lock)
                return
            lock.release()

    def __exit__(self, *exc: object) -> None:
        _mine.held.pop().release()

    def joins(self, turn: Turn) -> bool:
        """Make this group a part of another, unless a plan of it is running in another thread."""
        if not self.lock.acquire(blocking=False):
            return False
        self._joined = turn
        self.lock.release()
        return True

    def forked(self) -> None:
        """In a forked process: nobody has the turn."""
        self.root().lock = threading.RLock()


def turn_of(parameters: Iterable[Parameter]) -> Turn:
    """The turn for a plan that uses these parameters, which from now on have it together."""
    listed, held = list(parameters), _mine.held
    busy: Turn | None = None
    while True:
        # Never waits for a plan while others cannot join: that plan may be about to.
        with busy.lock if busy is not None else nullcontext(), _joining:
            known = list(dict.fromkeys(p._turn.root() for p in listed if p._turn is not None))
            # What this thread has taken first stays a lock: then the whole group waits for it.
            known.sort(key=lambda t: held.index(t.lock) if t.lock in held else len(held))
            turn = known[0] if known else Turn()
            busy = next((other for other in known[1:] if not other.joins(turn)), None)
            if busy is None:
                for p in listed:
                    p._turn = turn
                return turn


@forks.in_child
def forked() -> None:
    """In a forked process: nobody joins groups."""
    global _joining
    _joining = threading.RLock()
