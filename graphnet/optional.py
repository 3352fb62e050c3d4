"""Packages that are not needed for most things: imported where they are used, and never from the current folder.

A script, a notebook or `python -c` looks for modules in the current folder first. What lies there may have come with
somebody's data: a file named as a package that graphnet asks for by itself must not be run for that.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class _Installed(threading.local):
    """Finds modules, for a thread that asks for it, everywhere but in the current folder."""

    depth = 0

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not self.depth or path is not None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            if finder is PathFinder:
                spec = PathFinder.find_spec(name, elsewhere(), target)
            else:
                spec = finder.find_spec(name, None, target)
            if spec is not None:
                return spec
        if PathFinder.find_spec(name, None, target) is None:
            return None  # nobody will find it: who asks whether it is there hears that it isn't
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


_installed = _Installed()


def elsewhere() -> list[str]:
    """`sys.path` without the current folder, unless that is where packages are installed."""
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it is gone
        return [p for p in sys.path if p not in ("", ".")]
    if os.path.basename(here) in ("site-packages", "dist-packages"):
        return [p or here for p in sys.path]
    return [p for p in sys.path if isinstance(p, str) and p and os.path.realpath(p) != here]


@contextmanager
def installed() -> Iterator[None]:
    """Inside, this thread imports nothing from the current folder. What is imported already stays."""
    if _installed not in sys.meta_path:
        sys.meta_path.insert(0, _installed)  # type: ignore[arg-type]
    _installed.depth += 1
    try:
        yield
    finally:
        _installed.depth -= 1


def is_installed(name: str) -> bool:
    """Whether the package `name` can be imported as installed; it is not imported.

    >>> is_installed("json"), is_installed("no_such_package")
    (True, False)
    """
    with installed():
        try:
            return importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:  # it lies in the current folder alone
            return False


def optional(name: str) -> Any:
    """The module `name`, as installed. Raises `ImportError` where it is not.

    >>> optional("json.decoder").__name__
    'json.decoder'
    """
    with installed():
        return import_module(name)
