"""A function that is called on batch after batch: as it is written at first, compiled once that pays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.containers import Structure
from graphnet.mode import pointing, warn
from graphnet.nn.structures import as_leaves, mapped, spec_of

#: calls on batches of one shape before they are compiled: tracing costs about as much as ten small steps
COMPILE_AFTER = 8


def _array(t: Any) -> Any:
    return t.numpy() if isinstance(t, gn.Tensor) else t


def _zeros(spec: Any) -> Any:
    """Data of this kind, as `spec_of` says it."""
    if spec is None:
        return None
    first, second = spec
    if isinstance(first, Structure):
        return first([np.zeros(*one) for one in second])
    return np.zeros(first, second)


class Repeated:
    """Calls `f` with the arrays of a batch as tensors, in the containers in which they are, and gives the arrays of its
    results: `call` those in order, and calling it those in the containers that `f` returned. None stays None.

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

    def __call__(self, *batch: Any) -> Any:
        return self._run(batch, True)

    def arrays(self, *batch: Any) -> list[np.ndarray]:
        """The arrays of the results, in order."""
        return self._run(batch, False)

    def _run(self, batch: tuple[Any, ...], formed: bool) -> Any:
        key: list[Any] = []
        arrays: list[np.ndarray] = []
        for a in batch:
            if a.__class__ is np.ndarray:
                key.append((a.shape, a.dtype))
                arrays.append(a)
            else:
                key.append(spec_of(a))
                arrays += as_leaves(a)
        kind = self._last = tuple(key)
        plan = self._plans.get(kind)
        if plan is None and not self.eager:
            plan = self._planned(kind, batch)
        if plan is not None:
            results = plan.run(arrays)
            return plan.graph.structure(results) if formed else results
        # A call that fails leaves everything as it was, as a plan does.
        before = [(p, p._value, p._changed) for p in self.changes()] if self.changes is not None else []
        try:
            with pointing():
                result = self.f(*[mapped(a, gn.tensor) for a in batch])
        except BaseException:
            for p, value, changed in before:
                p._value, p._changed = value, changed
            raise
        return mapped(result, _array) if formed else [t.numpy() for t in as_leaves(result)]

    def latest(self) -> Any:
        """The plan for the shapes of the last batch, made now if there is none yet; None before the first batch."""
        if self._last is None:
            return None
        plan = self._plans.get(self._last)
        batch = [_zeros(spec) for spec in self._last]
        return self.compiled.lower(*batch) if plan is None else plan

    def _planned(self, key: Any, batch: tuple[Any, ...]) -> Any:
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
