"""`graphnet.compile`: a function traced once per shapes and dtypes of its arguments, and run as a plan from then on."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from types import FunctionType
from typing import Any, Generic, overload

import numpy as np

from graphnet import forks
from graphnet.arguments import BY_IDENTITY, Arguments, Signature
from graphnet.graph import Graph
from graphnet.leaves import KINDS
from graphnet.mode import state
from graphnet.node import constant
from graphnet.plans.backend import backend_wanted
from graphnet.plans.plan import Plan, planned
from graphnet.tracing import traced
from graphnet.typed import P, R

log = logging.getLogger("graphnet")


class Compiled(Generic[P, R]):
    """What `graphnet.compile` gives: call it as the function.

    `plan` and `source` are of the last call; `compilations` counts the traces so far; `clear()` forgets them.
    """

    def __init__(
        self,
        f: Callable[P, R],
        limit: int = 32,
        backend: str | None = None,
        static_argnums: Any = None,
        static_argnames: Any = None,
    ):
        if isinstance(f, (classmethod, property)):
            raise TypeError(f"gn.compile takes a function; write @{type(f).__name__} above @gn.compile")
        if not callable(f):
            raise TypeError(f"gn.compile takes a function; received {type(f).__name__}")
        # Of other objects than functions, attributes are theirs.
        update_wrapper(self, f, updated=("__dict__",) if isinstance(f, FunctionType) else ())
        self._f = f
        self.limit = limit
        self.backend = backend_wanted(backend)
        self._static = static_argnums, static_argnames
        self._signature = Signature(f, *self._static)
        self._simple = self._signature.plain
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._plain: dict[Any, Plan] = {}
        self._recent: set[Plan] = set()
        #: what is compiled for each object that has this as a method, by its address while it is there
        self._methods: OrderedDict[int, tuple[Any, Compiled[..., Any]]] = OrderedDict()
        self._lock = threading.RLock()
        forks.follow(self)
        self.compilations = 0
        self.plan: Plan | None = None

    def forked(self) -> None:
        """In a forked process nobody traces: the threads that did are not here."""
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        # A copy has plans of its own, for the copies of the parameters that its function uses.
        return {"f": self._f, "limit": self.limit, "backend": self.backend, "static": self._static}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        Compiled.__init__(self, saved["f"], saved["limit"], saved["backend"], *saved.get("static", ()))

    def __repr__(self) -> str:
        count = len(self._plans)
        return f"<compiled {self._signature.label}, {count} plan{'s' * (count != 1)}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None or isinstance(self._f, staticmethod):
            return self
        return Method(self._of(instance), instance)

    def _of(self, instance: Any) -> Compiled[..., Any]:
        """The function of one object: what it reads of the object is its own, and ends with it."""
        key = id(instance)
        with self._lock:
            known = self._methods.get(key)
            if known is not None and known[0]() is instance:
                return known[1]
            try:
                methods = self._methods
                held: Any = weakref.ref(instance, lambda _: methods.pop(key, None))
            except TypeError:
                # What can't be referred to weakly is held: no other object can have its address meanwhile.
                def held(instance: Any = instance) -> Any:
                    return instance

                strong = [k for k, (ref, _) in self._methods.items() if not isinstance(ref, weakref.ref)]
                if len(strong) >= self.limit:
                    del self._methods[strong[0]]
            own = Compiled(_Bound(self._f, held), self.limit, self.backend)
            own._static, own._signature = self._static, Signature(self._f, *self._static, skip=1)
            own._simple = own._signature.plain
            self._methods[key] = held, own
            return own

    def clear(self) -> None:
        """Forget all traces: the next call traces the function anew, and so reads anew what is outside of it."""
        with self._lock:
            self._plans.clear()
            self._plain.clear()
            self._recent.clear()
            for _, own in list(self._methods.values()):
                own.clear()

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

    def lower(self, *args: Any, **kwargs: Any) -> Plan:
        """The plan for arguments of these shapes and dtypes, traced now if it is not there; nothing is computed."""
        return self._lowered(Arguments(self._signature, *self._signature.bound(args, kwargs)))

    def _lowered(self, arguments: Arguments) -> Plan:
        key = arguments.key
        with self._lock:
            plan = self._plans.get(key)
            if plan is None:
                plan = planned(traced(self._f, arguments), self.backend)
                self.compilations += 1
                log.info("compiled %s for %s (%d so far)", self._f, arguments.described(), self.compilations)
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

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        mode = state.mode
        if mode.trace is not None:
            return self._f(*args, **kwargs)
        # Calls with nothing but arrays and plain tensors, which are the most, find their plan by that alone.
        short: tuple[Any, ...] | None = None
        if self._simple and not kwargs:
            values: list[np.ndarray] = []
            key: list[Any] = []
            for a in args:
                value = a._value if a.__class__ in KINDS and not a.requires_grad else a  # type: ignore[attr-defined]
                if value.__class__ is not np.ndarray:
                    break
                values.append(value)  # type: ignore[arg-type]
                key += (value.shape, value.dtype)
            else:
                short = tuple(key)
                plan = self._plain.get(short)
                if plan is not None:
                    if plan is not self.plan:
                        self.plan = plan
                        self._recent.add(plan)
                    if mode.recording and plan.learns:
                        return plan.joined(args)
                    return plan.graph.structure([constant(r) for r in plan.run(values)])
        if kwargs or not self._simple:
            args, kwargs = self._signature.bound(args, kwargs)  # type: ignore[assignment]
        arguments = Arguments(self._signature, args, kwargs)
        plan = self._lowered(arguments)
        if short is not None:
            self._plain[short] = plan
        if mode.recording and plan.learns:
            # The caller may want gradients with respect to its parameters: then a history is needed.
            return plan.joined(arguments.arrays)
        return plan(*arguments.arrays)


class _Bound:
    """A function with an object as its first argument, which it does not keep alive."""

    def __init__(self, f: Callable[..., Any], held: Callable[[], Any]):
        update_wrapper(self, f, updated=())
        self.f, self.held = f, held

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.f(self.held(), *args, **kwargs)


class Method:
    """A compiled method of one object: called without it, and with the attributes of what is compiled."""

    def __init__(self, compiled: Compiled[..., Any], instance: Any):
        self.__func__, self.__self__ = compiled, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __repr__(self) -> str:
        return f"<{self.__func__!r} of {self.__self__!r}>"


@overload
def compile(
    f: Callable[P, R],
    *,
    backend: str | None = None,
    limit: int = 32,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
) -> Compiled[P, R]: ...
@overload
def compile(
    f: None = None,
    *,
    backend: str | None = None,
    limit: int = 32,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...
def compile(
    f: Callable[..., Any] | None = None,
    *,
    backend: str | None = None,
    limit: int = 32,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
) -> Any:
    """`f`, traced once per shapes and dtypes of its arguments, and run as one plan over buffers laid out ahead.

    Arrays and tensors among the arguments are inputs, also in nested containers, by name, as defaults, and where they
    come from elsewhere (data frames, tensors of other libraries). Other arguments are kept by the trace and known by
    their content and class: numbers, lists of numbers, strings, enumerations, functions, objects with an equality of
    their own. What can only be known by its address raises `TypeError`, unless `static_argnums` or `static_argnames`
    say that it stays as it is. At most `limit` traces are kept, those used last.

    A `Parameter.assign` in `f` is carried out at each call, in the parameter's own array. Values agree with those of
    `f` to rounding. `f` must not look at numbers (no `if x > 0`, no `float(x)`), nor do anything else but compute; what
    it reads from outside, parameters excepted, is read when it is traced (`clear()` has it traced anew). As a method it
    is traced for each object.

    Called with tensors that need a gradient (or, outside `no_grad`, with parameters that do), the call is one node of
    their history, and its gradient is compiled too: derivatives of a compiled function are those of the function.

    `@gn.compile(backend="numpy")` decorates with options.

    >>> import graphnet as gn
    >>> f = gn.compile(lambda x, k=2.0: gn.exp(x) * k)
    >>> f(gn.tensor([0.0, 0.0])), f(x=[0.0], k=3.0), f.compilations
    (Tensor([2., 2.]), Tensor([3.]), 2)
    """
    if f is None:
        return partial(
            compile, backend=backend, limit=limit, static_argnums=static_argnums, static_argnames=static_argnames
        )
    return Compiled(f, limit, backend, static_argnums, static_argnames)


BY_IDENTITY.update((Compiled, Graph))
