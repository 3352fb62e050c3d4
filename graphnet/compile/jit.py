"""`graphnet.compile`: a function traced once per shapes and dtypes of its arguments, and run as a plan from then on."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from graphnet.compile.passes import frozen
from graphnet.compile.plan import Plan, backend_wanted
from graphnet.containers import flatten
from graphnet.graph import trace
from graphnet.tensor import KINDS, Tensor, constant, state

log = logging.getLogger("graphnet")


_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


class Compiled:
    """What `graphnet.compile` gives: call it as the function.

    `plan` and `source` are of the last call; `compilations` counts the traces so far.
    """

    def __init__(self, f: Callable[..., Any], limit: int = 32, backend: str | None = None):
        update_wrapper(self, f)
        self._f = f
        self.limit = limit
        self.backend = backend_wanted(backend)
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._plain: dict[Any, Plan] = {}
        self._recent: set[Plan] = set()
        self._lock = threading.RLock()
        _all.add(self)
        self.compilations = 0
        self.plan: Plan | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy has plans of its own, for the copies of the parameters that its function uses.
        return {"f": self._f, "limit": self.limit, "backend": self.backend}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        Compiled.__init__(self, saved["f"], saved["limit"], saved["backend"])

    @property
    def source(self) -> str:
        """The Python that the last call ran. Raises `ValueError` before the first."""
        if self.plan is None:
            raise ValueError("there is no source before the first call: what runs depends on the arguments' shapes")
        return self.plan.source

    def draw(self, path: Any = None, **options: Any) -> Any:
        """A picture of what the last call ran, as `Plan.draw`. Raises `ValueError` before the first."""
        if self.plan is None:
            raise ValueError("there is no picture before the first call: what runs depends on the arguments' shapes")
        return self.plan.draw(path, **options)

    def _repr_svg_(self) -> str | None:
        return self.plan._repr_svg_() if self.plan is not None else None

    def lower(self, *args: Any) -> Plan:
        """The plan for arguments of these shapes and dtypes, traced now if it is not there; nothing is computed."""
        leaves, structure = flatten(args)
        key = (
            tuple(
                (leaf.shape, leaf.dtype) if isinstance(leaf, (Tensor, np.ndarray, np.generic)) else frozen(leaf)
                for leaf in leaves
            ),
            structure,
        )
        with self._lock:
            plan = self._plans.get(key)
            if plan is None:
                plan = Plan(trace(self._f, *args), self.backend)
                self.compilations += 1
                log.info("compiled %s for %s (%d so far)", self._f, key[0], self.compilations)
                if len(self._plans) >= self.limit:
                    # Calls that found their plan without this lock have not moved it.
                    for old in [k for k, p in self._plans.items() if p in self._recent]:
                        self._plans.move_to_end(old)
                    self._recent.clear()
                self._plans[key] = plan
                if len(self._plans) > self.limit:
                    self._plans.popitem(last=False)
                    self._plain.clear()
            else:
                self._plans.move_to_end(key)
            self.plan = plan
        return plan

    def __call__(self, *args: Any) -> Any:
        mode = state.mode
        if mode.trace is not None:
            return self._f(*args)
        # Calls with nothing but arrays and plain tensors, which are the most, find their plan by that alone.
        values: list[np.ndarray] | None = []
        key: list[Any] = []
        for a in args:
            value = a._value if a.__class__ in KINDS and not a.requires_grad else a
            if value.__class__ is not np.ndarray:
                values = None
                break
            values.append(value)  # type: ignore[union-attr]
            key += (value.shape, value.dtype)
        if values is not None:
            plan = self._plain.get(tuple(key))
            if plan is not None and not (mode.recording and plan.learns):
                if plan is not self.plan:
                    self.plan = plan
                    self._recent.add(plan)
                return plan.graph.structured([constant(r) for r in plan.run(values)])
        plan = self.lower(*args)
        if values is not None:
            self._plain[tuple(key)] = plan
            arrays: Any = args
        else:
            arrays = [leaf for leaf in flatten(args)[0] if isinstance(leaf, (Tensor, np.ndarray, np.generic))]
        if mode.recording and plan.learns:
            # The caller may want gradients with respect to its parameters: then a history is needed.
            return plan.graph.inlined(*arrays)
        return plan(*arrays)


def _forked() -> None:
    """In a forked process nobody traces: the threads that did are not here."""
    for compiled in list(_all):
        compiled._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def compile(f: Callable[..., Any], *, backend: str | None = None, limit: int = 32) -> Compiled:
    """`f`, traced once per shapes and dtypes of its arguments, and run as one plan over buffers laid out ahead.

    Arrays and tensors among the arguments, also in nested containers, are inputs; numbers, lists of
    numbers and other arguments keep their values.
    A `Parameter.assign` in `f` is carried out at each call, in the parameter's own array. Values agree with those of
    `f` to rounding. `f` must not look at numbers (no `if x > 0`, no `float(x)`), nor do anything else but compute.

    Called with tensors that need a gradient (or, outside `no_grad`, with parameters that do), the graph joins their
    history, so that derivatives of a compiled function are those of the function.

    >>> import graphnet as gn
    >>> f = gn.compile(lambda x: gn.exp(x) * 2.0)
    >>> f(gn.tensor([0.0, 0.0])), f.compilations
    (Tensor([2., 2.]), 1)
    """
    return Compiled(f, limit, backend)
