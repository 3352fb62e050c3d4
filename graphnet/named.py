"""Functions made of functions, which say what they are: `<grad of loss>`."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

from graphnet.functions import function


class Made:
    """`call`, under the name, signature and docstring of `f`, and with `what` it is of `f` when it is shown."""

    def __init__(self, call: Callable[..., Any], f: Callable[..., Any], what: str):
        update_wrapper(self, f)
        self._call, self._what = call, what

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __repr__(self) -> str:
        f = self.__wrapped__  # type: ignore[attr-defined]
        if isinstance(f, Made):
            return repr(f) if f._what == self._what == "hessian" else f"<{self._what} of {f!r}>"
        return f"<{self._what} of {getattr(f, '__name__', f)}>"


def made(f: Callable[..., Any], what: str) -> Callable[[Callable[..., Any]], Made]:
    """A decorator for what is `what` of `f`."""
    function(f, what)
    return lambda call: Made(call, f, what)
