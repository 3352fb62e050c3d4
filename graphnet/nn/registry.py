"""What users register: classes and functions of their own that words and files may then name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _Scopes(threading.local):
    """The objects that this thread's open `custom_object_scope`s know, the innermost last."""

    def __init__(self) -> None:
        self.open: list[dict[str, Any]] = []


_scopes = _Scopes()


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator by which files may name a class or function of yours, as `package>name`.

    `name` is that of the class unless given. Loading makes objects of known classes only: graphnet's own, registered
    ones, and those in `custom_objects`.

    Raises `ValueError` for a class without `get_config` and `from_config`, or a name that another object has.

    >>> import graphnet as gn
    >>> @gn.nn.register_serializable("mine")
    ... class Twice(gn.nn.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> model = gn.nn.Sequential([gn.nn.Input((1,)), Twice()])
    >>> gn.nn.model_from_json(model.to_json()).layers[0]([[3.0]])
    Tensor([[6.]], dtype=float32)
    """

    def register(entry: Any) -> Any:
        key = f"{package}>{name or entry.__name__}"
        if isinstance(entry, type) and not (hasattr(entry, "get_config") and hasattr(entry, "from_config")):
            raise ValueError(f"register_serializable: {entry.__name__} needs methods get_config and from_config.")
        other = _objects.get(key)
        if other is not None and _place(other) != _place(entry):
            raise ValueError(f"register_serializable: {key!r} is registered already, as {_place(other)}.")
        _objects[key] = entry
        _names[entry] = key
        return entry

    if not isinstance(package, str):
        raise TypeError("register_serializable is called before it decorates: @register_serializable().")
    return register


register_keras_serializable = register_serializable


def _place(entry: Any) -> str:
    """Where an object was defined: a module that is loaded again may register again."""
    return f"{getattr(entry, '__module__', '')}.{getattr(entry, '__qualname__', entry)}"


@contextmanager
def custom_object_scope(objects: dict[str, Any] | None) -> Iterator[None]:
    """A context in which words and files may name these objects, before any others: `{"Twice": Twice}`."""
    if objects is not None and not isinstance(objects, dict):
        raise TypeError(f"custom objects are a dict from name to class or function; received {objects!r}")
    _scopes.open.append(dict(objects or {}))
    try:
        yield
    finally:
        _scopes.open.pop()


def get_custom_objects() -> dict[str, Any]:
    """The dict of all registered objects, by name."""
    return _objects


def known_as(name: Any) -> Any:
    """The object that users gave this name, or None."""
    if not isinstance(name, str):
        return None
    for scope in reversed(_scopes.open):
        if name in scope:
            return scope[name]
    return _objects.get(name)


def registered_name(entry: Any) -> str | None:
    """The name under which an object is registered, `package>name`, or None."""
    try:
        return _names.get(entry)
    except TypeError:  # what has no hash can't be registered
        return None
