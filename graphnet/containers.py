"""Nested tuples, lists and dicts as a flat list of leaves, and back. A list of numbers is one array, None is
no leaf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Rebuild = Callable[[Sequence[Any]], Any]


def _all_numbers(part: list[Any]) -> bool:
    return bool(part) and all(
        isinstance(item, (int, float)) or (isinstance(item, list) and _all_numbers(item)) for item in part
    )


def flatten(value: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a nested container in order, and the function that puts others in their places.

    >>> leaves, rebuild = flatten({"w": 1, "rest": (2, [3])})
    >>> leaves
    [1, 2, [3]]
    >>> rebuild(["a", "b", "c"])
    {'w': 'a', 'rest': ('b', 'c')}
    """
    leaves: list[Any] = []

    def build(part: Any) -> Callable[[Sequence[Any]], Any]:
        if isinstance(part, dict):
            keys = list(part)
            inner = [build(part[key]) for key in keys]
            return lambda new: {key: f(new) for key, f in zip(keys, inner, strict=True)}
        if isinstance(part, (tuple, list)) and not (isinstance(part, list) and _all_numbers(part)):
            kind = type(part)
            inner = [build(item) for item in part]
            if hasattr(part, "_fields"):
                return lambda new: kind(*[f(new) for f in inner])
            return lambda new: kind([f(new) for f in inner])
        if part is None:
            return lambda new: None
        place = len(leaves)
        leaves.append(part)
        return lambda new: new[place]

    return leaves, build(value)
