"""Functions that are traced into graphs of their own: what they read from outside becomes an input."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from graphnet import forks
from graphnet.apply import as_tensor, made, stopped
from graphnet.containers import flatten
from graphnet.graph import Graph
from graphnet.leaves import Parameter, symbolic
from graphnet.mode import mode, state
from graphnet.node import Tensor, tick
from graphnet.plans.differentiable import Differentiable
from graphnet.plans.plan import planned
from graphnet.record import frozen
from graphnet.tracing import Trace

T = TypeVar("T")

#: graphs that are remembered by each `Interned`
REMEMBERED = 256


class Traced:
    """What a function returned when it was called with symbolic tensors: `outputs`, in the form `form`.

    `begun` is the tick before its first node: what is older is from outside.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], what: str):
        self.begun = tick()
        outer = state.mode.trace
        collected = Trace(outer=outer, loop=True)
        if outer is not None:
            collected.current.update(outer.current)
            collected.past.update(outer.past)
        with mode(trace=collected, recording=True, raw=False, of=None, debug=None):
            result = f(*args)
            leaves, self.form = flatten(result)
            self.outputs = [stopped(as_tensor(t)) for t in leaves]
        if collected.updates:
            raise ValueError(f"{what} assigns a parameter; only what it returns can change")

    def inside(self) -> list[Tensor]:
        """The nodes that it made for its outputs, oldest first."""
        found: dict[Tensor, None] = {}
        stack = list(self.outputs)
        while stack:
            t = stack.pop()
            if t not in found and t.op is not None and t._tick >= self.begun:
                found[t] = None
                stack.extend(t.inputs)
        return sorted(found, key=lambda t: t._tick)

    def read(self) -> list[Tensor]:
        """What its nodes read and did not make, without plain numbers: those are part of its graph."""
        inside = self.inside()
        own = set(inside)
        read = dict.fromkeys([*(i for t in inside for i in t.inputs), *self.outputs])
        return [t for t in read if t not in own and not _is_number(t)]


def _is_number(t: Tensor) -> bool:
    plain = t.op is None and not (t.requires_grad or t.is_symbolic or isinstance(t, Parameter))
    return plain and t.size == 1 and t.dtype.kind not in "iu"


def closed(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Graph:
    """The graph of `outputs` from `inputs`, which stand for themselves whatever they were made from, in fresh nodes."""
    fresh: dict[Tensor, Tensor] = {t: symbolic(t.shape, t.dtype) for t in inputs}
    for t in Graph(inputs, list(outputs)).nodes:
        if t in fresh:
            continue
        if t.op is None:
            fresh[t] = t
        else:
            new = made(t.op, [fresh[i] for i in t.inputs], t.attrs)
            new._code, new._lasti = t._code, t._lasti
            fresh[t] = new
    return Graph([fresh[t] for t in inputs], [fresh[t] for t in outputs])


def key_of(graph: Graph) -> Any:
    """What a graph computes, as something to compare and hash."""
    place: dict[Tensor, int] = {}
    listed: list[Any] = []
    for t in graph.inputs:
        place[t] = len(place)
        listed.append((t.shape, t.dtype))
    for t in graph.nodes:
        if t in place:
            continue
        place[t] = len(place)
        if t.op is None:
            listed.append((t.shape, t.dtype, t._value.tobytes()))
        else:
            listed.append((t.op, tuple([place[i] for i in t.inputs]), frozen(t.attrs) if t.attrs else None))
    return (tuple(listed), tuple([place[t] for t in graph.outputs]))


class Interned(Generic[T]):
    """Objects by what they compute: one for all that compute the same, as long as they are among the last few."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, T] = OrderedDict()
        self._lock = threading.Lock()
        forks.follow(self)

    def forked(self) -> None:
        """In a forked process nobody holds the lock."""
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter(list(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """The object of a key, made if it is not there."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                found = self._known[key] = make()
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(key)
        return found


def differentiable(graph: Graph, places: Iterable[int] | None = None) -> Differentiable:
    """The outputs of a graph at `places`, as a function whose gradients are plans too."""
    chosen = graph.outputs if places is None else [graph.outputs[p] for p in places]
    return Differentiable(graph.inputs, chosen, partial(planned, backend=None))
