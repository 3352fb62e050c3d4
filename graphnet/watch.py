"""A context in which the first op that makes a NaN or an infinity is named, with the line that called it.

Places where a gradient is what a convention says (docs/conventions.md) are named too, each once, in warnings.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphnet.apply import described
from graphnet.mode import caller_site, mode, prefix, site_line, state
from graphnet.node import Tensor
from graphnet.record import Op


def _bad(array: np.ndarray) -> str | None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "an infinity"


def _nothing(inputs: Sequence[Any]) -> bool:
    """Whether there is no number whose gradient could be a convention: the norm of nothing is 0, but at no corner."""
    return any(np.size(v) == 0 for v in inputs)


class ConventionWarning(UserWarning):
    """In `graphnet.debug()`: a gradient is what a convention says, as the function has a corner, a tie or 0 * inf."""


_ZERO_TIMES_INFINITY = "0 times infinity is 0"


class _Watch:
    """What ops ask after each result.

    `conventions` are the texts of the places where a convention decided, in the order in which they were met.
    """

    def __init__(self, stack: bool):
        self.stack = stack
        self.conventions: list[str] = []
        self._told: set[tuple[Any, ...]] = set()

    def decided(self, node: Tensor, text: str, count: int, size: int) -> None:
        """A convention decided the gradient of `node` at `count` of `size` numbers: said once for each place."""
        region, site = node.region, node.site
        layer = prefix(region)
        name = node.op.name if node.op is not None else "?"
        key = (name, layer, site, text)
        if key in self._told:
            return
        self._told.add(key)
        at = f" at {site[0]}:{site[1]}" if site else ""
        listed = ", ".join(map(described, node.inputs))
        full = f"{layer}the gradient of {name}({listed}){at} is a convention at {count} of {size} numbers: {text}"
        self.conventions.append(full)
        if site is None:
            warnings.warn(full, ConventionWarning, stacklevel=2)
        else:
            warnings.warn_explicit(full, ConventionWarning, site[0], site[1])

    def kink(self, node: Tensor, g: Any, y: Any, inputs: Sequence[Any]) -> None:
        """Name `node` if the slope is a convention where its gradient `g` is not 0."""
        assert node.op is not None
        if node.op.kink is not None:
            text, at = node.op.kink
            mask = np.asarray(at(y, *inputs, **node.attrs)) & np.not_equal(g, 0)
            if mask.any() and not _nothing(inputs):
                self.decided(node, text, int(mask.sum()), mask.size)

    def zero_times_infinity(self, node: Tensor, plain: Any, h: Any) -> None:
        """Name `node` if its gradient `h` is a number where it is NaN without the rule for zeros."""
        mask = np.isnan(plain) & ~np.isnan(h)
        if mask.any():
            self.decided(node, _ZERO_TIMES_INFINITY, int(mask.sum()), mask.size)

    def check(self, op: Op, inputs: Sequence[Any], y: Tensor) -> None:
        of = state.mode.of
        if op.guards is not None and of is not None:
            values = [t._value if isinstance(t, Tensor) else t for t in inputs]
            self.zero_times_infinity(of, op.guards(*values), y._value)
        found = _bad(y._value)
        if found is None or any(_bad(np.asarray(t._value if isinstance(t, Tensor) else t)) for t in inputs):
            return
        site = y.site or site_line(*caller_site())
        at = f" at {site[0]}:{site[1]}" if site else ""
        region = state.mode.region
        layer = prefix(region)
        listed = ", ".join(map(described, inputs))
        trail = "\n" + "".join(traceback.format_stack()[:-2]) if self.stack else ""
        error = FloatingPointError(f"{layer}{op.name}({listed}){at} made {found} from finite inputs{trail}")
        # For the picture of the error.
        error._graphnet_failed = (op, tuple(inputs), region)  # type: ignore[attr-defined]
        raise error

    def begun(self) -> _GraphWatch:
        """What watches one run of a graph."""
        return _GraphWatch(self.stack, self)

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

    def __init__(self, stack: bool, watch: _Watch):
        self.stack = stack
        self.watch = watch
        #: nodes at a corner: what the convention is, at how many of how many numbers
        self.kinks: dict[Tensor, tuple[str, int, int] | None] = {}
        #: what is known of the inputs of ops that are not in the graph, but whose gradients are
        self.known: dict[Tensor, dict[Tensor, Any]] = {}
        #: nodes with a NaN or an infinity, with the node that made it, and what it made
        self.suspects: dict[Tensor, tuple[Tensor, str]] = {}

    def node(self, node: Tensor, inputs: Sequence[Any], y: np.ndarray) -> None:
        op, own = node.op, node.gradient_of
        assert op is not None
        if op.kink is not None:
            self.look(node, inputs, y)
        if own is not None and own.op is not None:
            if own.op.kink is not None and own not in self.kinks:
                # Where only its gradient is wanted, the op itself is not in the graph.
                known = self.known.setdefault(own, {t: t._value for t in own.inputs if t.is_leaf and not t.is_symbolic})
                known.update(zip(node.inputs, inputs, strict=True))
                if all(t in known for t in own.inputs):
                    values = [known[t] for t in own.inputs]
                    self.look(own, values, np.asarray(own.op.forward(*values, **own.attrs)))
            found_kink = self.kinks.get(own)
            if found_kink is not None:
                self.watch.decided(own, *found_kink)
            if op.guards is not None:
                self.watch.zero_times_infinity(own, op.guards(*inputs), y)
        found = _bad(y)
        if found is None:
            return
        origin = next((self.suspects[t] for t in node.inputs if t in self.suspects), None)
        if origin is None:
            if any(_bad(np.asarray(v)) for v in inputs):
                return
            origin = node, found
        self.suspects[node] = origin
        if own is None or (origin[0] is not node and origin[0].gradient_of is not own):
            self.complain(*origin)

    def look(self, node: Tensor, inputs: Sequence[Any], y: np.ndarray) -> None:
        """Remember whether `node` is at a corner: its gradient may be wanted."""
        text, at = node.op.kink  # type: ignore[union-attr, misc]
        mask = np.asarray(at(y, *inputs, **node.attrs))
        corner = mask.any() and not _nothing(inputs)
        self.kinks[node] = (text, int(mask.sum()), mask.size) if corner else None
        self.known.pop(node, None)

    def end(self, results: Sequence[Tensor]) -> None:
        """The run is over: what goes out counts."""
        for t in results:
            if t in self.suspects:
                self.complain(*self.suspects[t])

    def complain(self, node: Tensor, found: str) -> None:
        made = node.gradient_of if node.gradient_of is not None else node
        op, site = made.op, made.site
        at = f" at {site[0]}:{site[1]}" if site else ""
        layer = prefix(made.region)
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
def debug(stack: bool = False) -> Iterator[_Watch]:
    """Inside, the first op that makes a NaN or an infinity out of finite inputs raises `FloatingPointError`.

    The text names the op, its inputs, its layer and the (file, line) that called it; with `stack=True` the whole
    call stack. The same holds for gradients, and for what is compiled (calls of graphs, plans and compiled functions,
    `fit` and its kin, loops), also if that was before: inside, it runs op by op. Slower than without.

    Where a gradient is what a convention says (at corners, ties and 0 times infinity, see docs/conventions.md), a
    `ConventionWarning` names op, layer and line, once for each place; `conventions` of what the context gives has all.

    >>> import graphnet as gn
    >>> with gn.debug():
    ...     gn.log(gn.tensor([1.0, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    FloatingPointError: log(float64[2])... made NaN from finite inputs
    """
    watch = _Watch(stack)
    with mode(debug=watch), np.errstate(all="ignore"):
        yield watch
