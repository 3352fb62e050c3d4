"""Whose turn it is: plans that use the same parameter run one after the other, others at the same time.

A plan writes into a parameter's own array, outside the interpreter's lock: another that read it meanwhile would see
half of the new values. Parameters that are used together have one lock; where a plan joins two groups, they become one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from graphnet.tensor import Parameter

_joining = threading.RLock()


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
            root.lock.acquire()
            if root._joined is None:
                return
            root.lock.release()

    def __exit__(self, *exc: object) -> None:
        self.root().lock.release()

    def forked(self) -> None:
        """In a forked process: nobody has the turn."""
        self.root().lock = threading.RLock()


def turn_of(parameters: Iterable[Parameter]) -> Turn:
    """The turn for a plan that uses these parameters, which from now on have it together."""
    with _joining:
        listed = list(parameters)
        known = list(dict.fromkeys(p._turn.root() for p in listed if p._turn is not None))
        turn = known[0] if known else Turn()
        for other in known[1:]:
            # Waits for a plan of the other group that is running now.
            with other.lock:
                other._joined = turn
        for p in listed:
            p._turn = turn
        return turn


def forked() -> None:
    """In a forked process: nobody joins groups."""
    global _joining
    _joining = threading.RLock()
