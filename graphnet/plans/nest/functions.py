"""Functions of values of the loop language that are one instruction each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.plans.nest.values import BOOL, OF_BOOLS, Unsupported, Value, binary, together


def _unary(name: str) -> Callable[[Value], Value]:
    def function(x: Value) -> Value:
        if x.dtype.kind != "f":
            if name == "sqrt" or x.dtype == BOOL:
                raise Unsupported(f"{name} of {x.dtype}")
            return x
        return Value(x.kernel, name, x.dtype, x.width, (x,))

    function.__name__ = name
    function.__doc__ = f"`np.{name}`."
    return function


sqrt, floor, ceil, trunc, rint = map(_unary, ("sqrt", "floor", "ceil", "trunc", "rint"))


def quotient(a: Any, b: Any) -> Value:
    """The division of integers of C, which cuts the fraction off. `b` must not be 0, nor -1 under the lowest `a`."""
    return binary("quotient", a, b)


def multiply_add(a: Any, b: Any, c: Value) -> Value:
    """`a * b + c`, in one instruction or two: whichever is quicker."""
    return _three("multiply_add", a, b, c)


def fma(a: Any, b: Any, c: Value) -> Value:
    """`a * b + c`, rounded once. Slow where the processor has no such instruction."""
    return _three("fma", a, b, c)


def _three(op: str, a: Any, b: Any, c: Value) -> Value:
    a, c = together(a, c)
    b, c = together(b, c)
    if c.dtype.kind != "f":
        raise Unsupported(f"{op} of {c.dtype}")
    return Value(c.kernel, op, c.dtype, c.width, (a.splat(c.width).cast(c.dtype), b, c))


def largest(a: Any, b: Any) -> Value:
    """The larger one, NaN if one is NaN; +0 is above -0."""
    return _extreme("max", a, b)


def smallest(a: Any, b: Any) -> Value:
    """The smaller one, NaN if one is NaN; -0 is below +0."""
    return _extreme("min", a, b)


def _extreme(op: str, a: Any, b: Any) -> Value:
    a, b = together(a, b)
    if a.dtype == BOOL:
        raise Unsupported(f"{op} of bool")
    return Value(a.kernel, op, a.dtype, a.width, (a, b))


def any_order(op: str, total: Value, x: Any) -> Value:
    """`total` and one more term, op being "add" or "mul": a chain of these may be computed in any order."""
    total, x = together(total, x)
    flags = "reassoc contract" if total.dtype.kind == "f" else ""
    if total.dtype == BOOL:
        op = OF_BOOLS[op]
    return Value(total.kernel, op, total.dtype, total.width, (total, x), flags)


def exactly(op: str, a: Any, b: Any) -> Value:
    """`a op b` of floats, op being "add", "sub" or "mul", rounded by itself whatever the kernel's flags are."""
    a, b = together(a, b)
    return Value(a.kernel, op, a.dtype, a.width, (a, b), "")
