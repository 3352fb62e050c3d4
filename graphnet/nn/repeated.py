"""A function that is called on batch after batch: as it is written at first, compiled once that pays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import pointing, warn

#: calls on batches of one shape before they are compiled: tracing costs about as much as ten small steps
COMPILE_AFTER = 8


class Repeated:
    """Calls `f` with the arrays of a batch as tensors (None stays None), and gives the arrays of its results.

    After some batches of one shape, `f` is traced and runs as a plan for that shape; each shape has a plan of its own.
    If `f` cannot be traced, it says so once, and goes on as written. `eager` leaves it as it is written for good.
    `changes` gives the parameters that `f` assigns to, which a call that fails leaves as they were.
    `steady` compiles at the first batch, and waits for native code: every run makes the same numbers, bit for bit.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        name: str,
        eager: bool = False,
        limit: int = 32,
        steady: bool = False,
        changes: Callable[[], list[gn.Parameter]] | None = None,
    ):
        self.f, self.name, self.eager, self.steady, self.changes = f, name, eager, steady, changes
        #: called without arguments before a call waits for native code, if that takes long
        self.tells: Callable[[], None] | None = None
        self.compiled = gn.compile(self._call, limit=limit)
        self._seen: dict[Any, int] = {}
        self._last: Any = None
        self._plans: dict[Any, Any] = {}

    def _call(self, *args: Any) -> Any:
        return self.f(*args)

    def __call__(self, *batch: np.ndarray | None) -> list[np.ndarray]:
        key = self._last = tuple([None if a is None else (a.shape, a.dtype) for a in batch])
        plan = self._plans.get(key)
        if plan is None and not self.eager:
            plan = self._planned(key, batch)
        if plan is not None:
            return plan.run([a for a in batch if a is not None])
        # A call that fails leaves everything as it was, as a plan does.
        before = [(p, p._value, p._changed) for p in self.changes()] if self.changes is not None else []
        try:
            with pointing():
                result = self.f(*[None if a is None else gn.tensor(a) for a in batch])
        except BaseException:
            for p, value, changed in before:
                p._value, p._changed = value, changed
            raise
        if result is None:
            return []
        return [r.numpy() for r in result] if isinstance(result, tuple) else [result.numpy()]

    def latest(self) -> Any:
        """The plan for the shapes of the last batch, made now if there is none yet; None before the first batch."""
        if self._last is None:
            return None
        plan = self._plans.get(self._last)
        batch = [None if spec is None else np.zeros(*spec) for spec in self._last]
        return self.compiled.lower(*batch) if plan is None else plan

    def _planned(self, key: Any, batch: tuple[np.ndarray | None, ...]) -> Any:
        """The plan for these shapes, if they have come often enough."""
        count = self._seen[key] = self._seen.get(key, 0) + 1
        if count <= COMPILE_AFTER and not self.steady:
            return None
        if len(self._plans) >= self.compiled.limit:
            self._plans.clear()
        try:
            plan = self._plans[key] = self.compiled.lower(*batch)
            plan.tells = self._waits
            if self.steady:
                plan.wait()
        except MemoryError:
            raise
        except Exception as error:
            self.eager = True
            warn(
                f"{self.name} cannot be compiled and runs eagerly, which is slower: {error} "
                "(compile(..., run_eagerly=True) says so from the start)"
            )
            return None
        return plan

    def _waits(self) -> None:
        if self.tells is not None:
            self.tells()

    def __getstate__(self) -> dict[str, Any]:
        # A copy has plans of its own, for the copies of the parameters that `f` uses.
        return {
            "f": self.f,
            "name": self.name,
            "eager": self.eager,
            "limit": self.compiled.limit,
            "steady": self.steady,
            "changes": self.changes,
        }

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__init__(**saved)  # type: ignore[misc]
