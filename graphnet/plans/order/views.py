"""Where values lie: which nodes are views of another node's array, and with which strides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.node import Tensor, is_view


class View(NamedTuple):
    """A value inside the array of `base`: element `i` is at `offset + sum(i * strides)`, counted in elements."""

    base: Tensor
    offset: int
    strides: tuple[int, ...]


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of an array that lies in memory row after row."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


@dataclass(frozen=True, eq=False)
class Views:
    """Where each node of an order lies: in its own array, or in a part of another's if the op is a view.

    `parts` has those of nodes that are views.
    """

    parts: Mapping[Tensor, View]

    def __getitem__(self, t: Tensor) -> View:
        found = self.parts.get(t)
        return found if found is not None else View(t, 0, row_major(t.shape))

    def is_view(self, t: Tensor) -> bool:
        """Whether `t` needs no array of its own."""
        return t in self.parts

    def contiguous(self, t: Tensor) -> bool:
        """Whether the elements of `t` lie row after row, without gaps."""
        view = self[t]
        wanted = row_major(t.shape)
        return all(s == w or n == 1 for s, w, n in zip(view.strides, wanted, t.shape, strict=True))


def views_of(order: Iterable[Tensor], given: Set[Tensor] = frozenset()) -> Views:
    """Where the nodes lie, in this order; what is `given` has an array of its own."""
    parts: dict[Tensor, View] = {}
    views = Views(parts)
    # Arrays whose memory is never touched: NumPy itself says what a view of one looks like.
    arrays: dict[Tensor, np.ndarray] = {}
    for t in order:
        if t in given or not t.size or not is_view(t) or t.dtype != t.inputs[0].dtype:
            continue
        source = t.inputs[0]
        if source not in arrays:
            arrays[source] = np.empty(source.shape, np.int8)
        array, view = arrays[source], views[source]
        seen = _seen(t, array)
        if isinstance(seen, np.ndarray) and np.may_share_memory(seen, array):
            arrays[t] = seen
            offset = seen.__array_interface__["data"][0] - array.__array_interface__["data"][0]
            parts[t] = View(view.base, view.offset + offset, seen.strides)
    return views


def _seen(t: Tensor, array: np.ndarray) -> Any:
    """`array` as `t` sees it: a copy of it where that takes one."""
    assert t.op is not None and t.op.view is not None
    needed = words_of(t)
    return _function(t.op.view, tuple(needed))(array, *needed.values())


def words_of(t: Tensor) -> dict[str, Any]:
    """What the words in the expression of a view stand for."""
    words = {**t.attrs, "shape": t.shape, "broadcast_to": np.broadcast_to}
    if "index" in words:
        words["index"] = of_an_array(words["index"])
    return words


def of_an_array(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """`index` in a form in which one element is an array without axes, and no number."""
    return index if any(i is Ellipsis for i in index) else (*index, Ellipsis)


@cache
def _function(form: str, words: tuple[str, ...]) -> Callable[..., Any]:
    """The expression that a record has for a view, as a function of the array and these words."""
    return eval(f"lambda x, {', '.join(words)}: {form.format(x='x', **{word: word for word in words})}", {})
