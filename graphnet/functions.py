"""Functions as arguments: where one is wanted, its result is refused."""

from __future__ import annotations

from typing import Any

#: how functions that take arguments besides are called, and how not
_CALLS = {
    "vjp": ("gn.vjp(f, x)", "gn.vjp(f(x), x)"),
    "jvp": ("gn.jvp(f, (x,), (v,))", "gn.jvp(f(x), (x,), (v,))"),
    "hvp": ("gn.hvp(f)(x, v)", "gn.hvp(f(x))"),
    "scan": ("gn.scan(f, init, xs)", "gn.scan(f(init, x), init, xs)"),
    "cond": ("gn.cond(pred, true_fn, false_fn, x)", "gn.cond(pred, true_fn(x), false_fn(x))"),
    "while_loop": ("gn.while_loop(condition, body, init)", "gn.while_loop(condition(init), body(init), init)"),
    "check_grads": ("gn.check_grads(f, x)", "gn.check_grads(f(x), x)"),
}


def function(f: Any, what: str) -> None:
    """Refuses what is no function, such as the result of one: `what` takes the function itself."""
    if not callable(f):
        right, wrong = _CALLS.get(what, (f"gn.{what}(f)(x)", f"gn.{what}(f(x))"))
        raise TypeError(f"gn.{what} takes a function; received {type(f).__name__}: write {right}, not {wrong}")
