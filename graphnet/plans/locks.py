"""Locks of plans: those that use the same parameter run one after the other, others at the same time.

A plan writes into a parameter's own array, outside the interpreter's lock: another that read it meanwhile would see
half of the new values. Parameters that are used together have one lock; where a plan joins two groups, they become one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from graphnet.leaves import Parameter

_joining = threading.RLock()


class _Mine(threading.local):
    """The locks that a thread has taken, in order: its group may be joined to another before it lets go."""

    def __init__(self) -> None:
        self.held: list[Any] = []


_mine = _Mine()


class GroupLock:
    """A lock for a group of plans, which one that calls another takes twice. What joined a group asks that one."""

    __slots__ = ("_joined", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._joined: GroupLock | None = None

    def root(self) -> GroupLock:
        """The lock of the whole group."""
        group = self
        while group._joined is not None:
            group = group._joined
        return group

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

    def joins(self, other: GroupLock) -> bool:
        """Make this group a part of another, unless a plan of it is running in another thread."""
        if not self.lock.acquire(blocking=False):
            return False
        self._joined = other
        self.lock.release()
        return True

    def forked(self) -> None:
        """In a forked process: the lock is free."""
        self.root().lock = threading.RLock()


def lock_of(parameters: Iterable[Parameter]) -> GroupLock:
    """The lock of a plan that uses these parameters, which from now on have it together."""
    listed, held = list(parameters), _mine.held
    busy: GroupLock | None = None
    while True:
        # Never waits for a plan while others cannot join: that plan may be about to.
        with busy.lock if busy is not None else nullcontext(), _joining:
            known = list(dict.fromkeys(p._lock.root() for p in listed if p._lock is not None))
            # What this thread has taken first stays a lock: then the whole group waits for it.
            known.sort(key=lambda t: held.index(t.lock) if t.lock in held else len(held))
            group = known[0] if known else GroupLock()
            busy = next((other for other in known[1:] if not other.joins(group)), None)
            if busy is None:
                for p in listed:
                    p._lock = group
                return group


def in_child() -> None:
    """In the child of a fork: nobody joins groups."""
    global _joining
    _joining = threading.RLock()
