"""A context in which the first op that makes a NaN or an infinity is named, with the line that called it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.op import Op, described
from graphnet.tensor import Tensor, caller_site, mode, site_line, state


def _bad(array: np.ndarray) -> str | None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "an infinity"


class _Watch:
    """What ops ask after each result."""

    def __init__(self, stack: bool):
        self.stack = stack

    def check(self, op: Op, inputs: Sequence[Any], y: Tensor) -> None:
        found = _bad(y._value)
        if found is None or any(_bad(np.asarray(t._value if isinstance(t, Tensor) else t)) for t in inputs):
            return
        site = y.site or site_line(*caller_site())
        at = f" at {site[0]}:{site[1]}" if site else ""
        region = state.mode.region
        layer = line("/".join(r.name for r in region.path)) + ": " if region is not None else ""
        listed = ", ".join(map(described, inputs))
        trail = "\n" + "".join(traceback.format_stack()[:-2]) if self.stack else ""
        error = FloatingPointError(f"{layer}{op.name}({listed}){at} made {found} from finite inputs{trail}")
        # For the picture of the error.
        error._graphnet_failed = (op, tuple(inputs), region)  # type: ignore[attr-defined]
        raise error

    def begun(self) -> _GraphWatch:
        """What watches one run of a graph."""
        return _GraphWatch(self.stack)

    def check_gradient(self, node: Tensor, place: int, g: np.ndarray, h: np.ndarray) -> None:
        found = _bad(h)
        if found is None or _bad(np.asarray(g)):
            return
        site = node.site
        at = f" at {site[0]}:{site[1]}" if site else ""
        name = node.op.name if node.op is not None else "?"
        raise FloatingPointError(
            f"the gradient of {name} for its input {place} ({described(node.inputs[place])}){at} "
            f"is {found}, from a finite gradient of its output"
        )


class _GraphWatch:
    """What is asked after each node of a graph.

    In a gradient an infinity may be made and multiplied by zero, which is zero: it counts where it is handed on.
    """

    def __init__(self, stack: bool):
        self.stack = stack
        #: nodes with a NaN or an infinity, with the node that made it, and what it made
        self.suspects: dict[Tensor, tuple[Tensor, str]] = {}

    def node(self, node: Tensor, inputs: Sequence[Any], y: np.ndarray) -> None:
        found = _bad(y)
        if found is None:
            return
        own = node.gradient_of
        origin = next((self.suspects[t] for t in node.inputs if t in self.suspects), None)
        if origin is None:
            if any(_bad(np.asarray(v)) for v in inputs):
                return
            origin = node, found
        self.suspects[node] = origin
        if own is None or (origin[0] is not node and origin[0].gradient_of is not own):
            self.complain(*origin)

    def end(self, results: Sequence[Tensor]) -> None:
        """The run is over: what goes out counts."""
        for t in results:
            if t in self.suspects:
                self.complain(*self.suspects[t])

    def complain(self, node: Tensor, found: str) -> None:
        made = node.gradient_of if node.gradient_of is not None else node
        op, site = made.op, made.site
        at = f" at {site[0]}:{site[1]}" if site else ""
        layer = line("/".join(r.name for r in made.region.path)) + ": " if made.region is not None else ""
        listed = ", ".join(map(described, made.inputs))
        name = op.name if op is not None else "?"
        trail = "\n" + "".join(traceback.format_stack()[:-2]) if self.stack else ""
        if made is node:
            text = f"{layer}{name}({listed}){at} made {found} from finite inputs{trail}"
        else:
            by = node.op.name if node.op is not None else "?"
            text = f"{layer}the gradient of {name}({listed}){at} is {found}, made by {by} from finite numbers{trail}"
        error = FloatingPointError(text)
        error._graphnet_failed = (op, tuple(made.inputs), made.region)  # type: ignore[attr-defined]
        error._graphnet_named = error._graphnet_located = True  # type: ignore[attr-defined]
        raise error


@contextmanager
def debug(stack: bool = False) -> Iterator[None]:
    """Inside, the first op that makes a NaN or an infinity out of finite inputs raises `FloatingPointError`.

    The text names the op, its inputs, its layer and the (file, line) that called it; with `stack=True` the whole
    call stack. The same holds for gradients, and for what is compiled (calls of graphs, plans and compiled functions,
    `fit` and its kin, loops), also if that was before: inside, it runs op by op. Slower than without.

    >>> import graphnet as gn
    >>> with gn.debug():
    ...     gn.log(gn.tensor([1.0, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    FloatingPointError: log(float64[2])... made NaN from finite inputs
    """
    with mode(debug=_Watch(stack)), np.errstate(all="ignore"):
        yield
