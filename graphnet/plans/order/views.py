"""Where values lie: which nodes are views of another node's array, and with which strides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from graphnet.node import Tensor, is_view


class Place(NamedTuple):
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


class Places:
    """The place of each node of an order: its own array, or a part of another's if the op is a view."""

    def __init__(self, order: Iterable[Tensor], given: Iterable[Tensor] = ()):
        self._given = set(given)
        self._found: dict[Tensor, Place] = {}
        self._dummies: dict[Tensor, np.ndarray] = {}
        for t in order:
            if t not in self._given and t.size and is_view(t):
                self._look(t)

    def __getitem__(self, t: Tensor) -> Place:
        found = self._found.get(t)
        return found if found is not None else Place(t, 0, row_major(t.shape))

    def is_view(self, t: Tensor) -> bool:
        """Whether `t` needs no array of its own."""
        return t in self._found

    def contiguous(self, t: Tensor) -> bool:
        """Whether the elements of `t` lie row after row, without gaps."""
        place = self[t]
        wanted = row_major(t.shape)
        return all(s == w or n == 1 for s, w, n in zip(place.strides, wanted, t.shape, strict=True))

    def _dummy(self, t: Tensor) -> np.ndarray:
        # An array whose memory is never touched: NumPy itself says what a view of it looks like.
        if t not in self._dummies:
            self._dummies[t] = np.empty(t.shape, np.int8)
        return self._dummies[t]

    def _look(self, t: Tensor) -> None:
        source = t.inputs[0]
        if t.dtype != source.dtype:
            return
        array, place = self._dummy(source), self[source]
        seen = _seen(t, array)
        if not isinstance(seen, np.ndarray) or not np.may_share_memory(seen, array):
            return
        self._dummies[t] = seen
        offset = seen.__array_interface__["data"][0] - array.__array_interface__["data"][0]
        self._found[t] = Place(place.base, place.offset + offset, seen.strides)


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
