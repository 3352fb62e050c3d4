"""Errors of functions that are made of others: they begin with the name of the function that was called."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from graphnet.mode import prefix, state

F = TypeVar("F", bound=Callable[..., Any])

#: errors whose text can be changed in place
_KEPT = (TypeError, ValueError, IndexError, OverflowError)
#: names of the functions that say theirs
_NAMES: set[str] = set()


def say(error: BaseException, name: str) -> BaseException:
    """`error` with `name` in its text: in place of that of a function inside, behind the layer that it is in.

    What names the function already stays, and so does an error of another class than the plain ones.
    """
    if not isinstance(error, _KEPT):
        return error
    text = str(error)
    layer = prefix(state.mode.region)
    rest = text.removeprefix(layer)
    inner, colon, reason = rest.partition(": ")
    if colon and inner in _NAMES and inner != name:
        rest = reason
    if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", rest):
        rest = f"{name}: {rest}"
    elif rest is text:
        return error
    changed = f"{layer if text.startswith(layer) else ''}{rest}"
    if type(error) in _KEPT:
        error.args = (changed,)
        return error
    plain = next(kind for kind in _KEPT if isinstance(error, kind))
    return plain(changed)


def naming(f: F) -> F:
    """A decorator for a function of users, made of ops and other functions: its errors begin with its name."""
    name = f.__name__
    _NAMES.add(name)

    @wraps(f)
    def named(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except _KEPT as error:
            changed = say(error, name)
            if changed is error:
                raise
            raise changed from None

    return cast(F, named)
