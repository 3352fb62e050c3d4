"""What a forked process makes right at once: locks that another thread held, and threads that are not there.

A child has only the thread that forked. A lock that another one held would stay locked for good, and a pool would wait
for threads that the parent has. Whoever has such a thing says here what to do with it in the child.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

_objects: weakref.WeakSet[Any] = weakref.WeakSet()
_before: list[Callable[[], None]] = []
_in_parent: list[Callable[[], None]] = []
_in_child: list[Callable[[], None]] = []


def follow(thing: Any) -> None:
    """Call `thing.forked()` in each child, as long as the object is there."""
    _objects.add(thing)


def in_child(function: Callable[[], None]) -> Callable[[], None]:
    """Call `function` in each child, before what is done for objects. Can be used as a decorator."""
    _in_child.append(function)
    return function


def around(before: Callable[[], None], in_parent: Callable[[], None], child: Callable[[], None]) -> None:
    """Call functions before a fork, and after it in the parent and in the child."""
    _before.append(before)
    _in_parent.append(in_parent)
    _in_child.insert(0, child)


def _prepare() -> None:
    for function in _before:
        function()


def _after_in_parent() -> None:
    for function in _in_parent:
        function()


def _after_in_child() -> None:
    for function in _in_child:
        function()
    for thing in list(_objects):
        thing.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_prepare, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
