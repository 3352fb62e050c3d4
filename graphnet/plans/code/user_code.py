"""Code of a user inside of a plan: where it is called, and that it assigns nothing which the plan assigns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphnet.leaves import Parameter
from graphnet.node import Tensor


def is_open(t: Tensor) -> bool:
    """Whether code of a user is called where `t` is computed, which may call or change anything."""
    if t.op is None:
        return False
    if not t.op.builtin or "call" in t.attrs:
        return True
    graphs = [getattr(value, "graph", None) for value in t.attrs.values()]
    return any(is_open(inner) for graph in graphs if graph is not None for inner in graph.nodes)


def guarded(body: Callable[..., Any], t: Tensor, updated: Sequence[Parameter]) -> Callable[..., Any]:
    """The body of a user's op, which must not assign what the step assigns after it: one of both would be lost."""

    def called(*args: Any, **attrs: Any) -> Any:
        # Held here, an array is not written to by others, but replaced.
        before = [p._value for p in updated]
        result = body(*args, **attrs)
        for p, value in zip(updated, before, strict=True):
            if p._value is not value:
                name = f"parameter {p.name!r}" if p.name else "a parameter"
                raise RuntimeError(
                    f"{name} was assigned by what the op {t.op.name if t.op else ''} calls, while a step runs that "
                    "assigns it as well: an op computes its result from its inputs, and changes nothing"
                )
        return result

    return called
