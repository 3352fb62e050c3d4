"""One container as its family, keys and parts, and what it has besides."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections import defaultdict
from typing import Any

import numpy as np

_NUMBERS = (int, float, complex, np.number, np.bool_)


def is_numbers(value: Any) -> bool:
    """Whether `value` is a list of numbers, or of such lists: one array, not a container.

    >>> is_numbers([1, 2.5]), is_numbers([[True], [False]]), is_numbers([]), is_numbers((1.0, 2.0))
    (True, True, False, False)
    """
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, _NUMBERS) or (isinstance(item, list) and is_numbers(item)) for item in value)
    )


def same(a: Any, b: Any) -> bool:
    """Whether what two containers have besides their parts is the same; where that can't be said, only the same one."""
    if a is b:
        return True
    try:
        return bool(a == b)
    except Exception:
        return False


#: stands for the attributes of a dict whose attributes are its items (`self.__dict__ = self`)
_ITSELF = "itself"


def besides(part: dict[Any, Any]) -> Any:
    """What a dict of a subclass has besides its items: the default of a defaultdict, and its attributes."""
    if type(part) is dict:
        return None
    attributes: Any = getattr(part, "__dict__", None)
    attributes = _ITSELF if attributes is part else dict(attributes) if attributes else None
    return (part.default_factory if isinstance(part, defaultdict) else None), attributes


def dict_of(kind: type, items: dict[Any, Any], extra: Any) -> Any:
    if kind is dict:
        return items
    # Not by calling the class: its constructor may take, or do, anything.
    made: Any = kind.__new__(kind)  # type: ignore[call-overload]
    factory, attributes = extra
    if factory is not None:
        made.default_factory = factory
    if attributes is not None:
        made.__dict__ = made if attributes == _ITSELF else dict(attributes)
    for key, value in items.items():
        made[key] = value
    return made


#: what never changes and is no number: in a dataclass a setting
_SETTINGS = (str, bytes, enum.Enum, type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)


def fields_of(part: Any, settings: bool) -> list[tuple[str, Any]]:
    """Names and values of a dataclass' fields: those that are settings, or the others."""
    held = [(f.name, getattr(part, f.name)) for f in dataclasses.fields(part) if hasattr(part, f.name)]
    return [(name, value) for name, value in held if isinstance(value, _SETTINGS) is settings]


def taken_apart(part: Any) -> tuple[str, tuple[Any, ...], list[Any]] | None:
    """The family, keys and parts of a container; None for a leaf."""
    if isinstance(part, dict):
        return "dict", tuple(part), list(part.values())
    if isinstance(part, tuple):
        fields = getattr(part, "_fields", None)
        if fields is not None and hasattr(part, "_make"):
            return "fields", tuple(fields), list(part)
        return "tuple", tuple(range(len(part))), list(part)
    if isinstance(part, list):
        return None if is_numbers(part) else ("list", tuple(range(len(part))), list(part))
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        held = fields_of(part, settings=False)
        return "dataclass", tuple([name for name, _ in held]), [value for _, value in held]
    return None
