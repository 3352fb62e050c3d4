"""A graph run op by op, as it was built: what a call of a `Graph` does, and how a plan is watched.

Errors and NumPy's warnings name layer, op and the line that made the node.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.apply import failure
from graphnet.leaves import Parameter
from graphnet.mode import mode, state, warn
from graphnet.node import Tensor

#: of each file, the warnings that were shown
_shown: dict[str, dict[Any, Any]] = {}


class Numbered:
    """What a graph is to the loop that runs it: its nodes as numbers of places in a list of values."""

    def __init__(self, graph: Any):
        number: dict[Tensor, int] = {t: n for n, t in enumerate(graph.inputs)}
        self.leaves: list[tuple[int, Tensor]] = []
        self.steps: list[tuple[Tensor, int, list[int]]] = []
        for t in graph.nodes:
            if t in number:
                continue
            number[t] = len(number)
            if t.op is None:
                self.leaves.append((number[t], t))
            else:
                self.steps.append((t, number[t], [number[i] for i in t.inputs]))
        self.count = len(number)
        self.results = [*graph.outputs, *(t for _, t in graph.updates)]
        self.outputs = [number[t] for t in graph.outputs]
        self.updates = [(p, number[t]) for p, t in graph.updates]
        last = {n: step for step, (_, _, places) in enumerate(self.steps) for n in places}
        kept = {*self.outputs, *(n for _, n in self.updates)}
        #: for each step the values that nothing needs after it
        self.dying: list[list[int]] = [[] for _ in self.steps]
        for n, step in last.items():
            if n not in kept:
                self.dying[step].append(n)

    def leaf_values(self) -> list[tuple[int, np.ndarray]]:
        """The arrays of parameters and constants as they are now."""
        return [(n, t._value) for n, t in self.leaves]


def stepwise(
    graph: Numbered, arrays: Sequence[np.ndarray], leaves: Sequence[tuple[int, np.ndarray]] | None = None
) -> list[np.ndarray]:
    """The outputs for arrays of the inputs' shapes and dtypes; then the updates are made.

    Inside `graphnet.debug()` each op is watched.
    """
    values: list[Any] = [*arrays, *[None] * (graph.count - len(arrays))]
    for n, value in graph.leaf_values() if leaves is None else leaves:
        values[n] = value
    watch = state.mode.debug.begun() if state.mode.debug is not None else None
    with _Warned() as warned:
        for (node, n, places), dying in zip(graph.steps, graph.dying, strict=True):
            op = node.op
            assert op is not None
            warned.node = node
            inputs = [values[p] for p in places]
            try:
                if watch is None:
                    y = np.asarray(op.forward(*inputs, **node.attrs))
                else:
                    with mode(region=node.region, of=node.gradient_of):
                        y = np.asarray(op.forward(*inputs, **node.attrs))
            except Exception as error:
                raise failure(op, error, node.inputs, node.attrs, made=node) from error.__cause__
            values[n] = y
            if watch is not None:
                watch.node(node, inputs, y)
            for p in dying:
                values[p] = None
    results = [values[n] for n in graph.outputs]
    assigned: list[tuple[Parameter, np.ndarray]] = [(q, values[n]) for q, n in graph.updates]
    if watch is not None:
        watch.end([*graph.results])
    # What is, or is a view of, the array of an argument or a parameter would change with that.
    own = {id(v) for v in (*arrays, *(t._value for _, t in graph.leaves))}
    results = [v.copy() if v.base is not None or id(v) in own else v for v in results]
    for parameter, value in assigned:
        parameter.assign(value)
    return results


class _Warned:
    """NumPy's warnings of a block, where they are wanted, with the line of the node that is at work."""

    node: Tensor

    def __enter__(self) -> _Warned:
        wanted: Mapping[str, Any] = {kind: "call" for kind, what in np.geterr().items() if what == "warn"}
        self._state = np.errstate(call=self._warn, **wanted) if wanted else None
        if self._state is not None:
            self._state.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        state, self._state = self._state, None  # it holds this object: no cycle is left
        if state is not None:
            state.__exit__(*exc)

    def _warn(self, what: str, flag: int) -> None:
        site = self.node.site
        name = self.node.op.name if self.node.op is not None else ""
        text = f"{what} encountered in {name}"
        if site is None:
            warn(text, RuntimeWarning)
        else:
            registry = _shown.setdefault(site[0], {})
            warnings.warn_explicit(text, RuntimeWarning, site[0], site[1], registry=registry)


__all__: Sequence[str] = ["Numbered", "stepwise"]
