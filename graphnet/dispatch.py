"""The functions that users call: generated, so that each has its op's signature and the shortest way to its body."""

from __future__ import annotations

import builtins
import inspect
import linecache
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from graphnet.apply import Op, apply
from graphnet.tensor import _PACKAGE, KINDS, NO_ATTRS, WEAK, Spec, Tensor, new, state, tick

ndarray = np.ndarray

# The eager path of an elementwise function, spelled out: on small arrays the time of an op is the time of these lines.
_UNARY = """\
def function({a}):
    if {a}.__class__ in KINDS:
        v = {a}._value
        m = state.mode
        if v.__class__ is ndarray and m.plain:
            try:
                v = f(v)
            except Exception as error:
                raise OP.failure(error, ({a},), NO_ATTRS) from None
            y = new(Tensor)
            y._value = v if v.__class__ is ndarray else asarray(v)
            if {differentiable}{a}.requires_grad and m.recording:
                y.requires_grad = True
                y.op = OP
                y._inputs = ({a},)
                y._tick = tick()
                y.region = m.region
                frame = getframe(1)
                y._code = frame.f_code
                y._lasti = frame.f_lasti
            else:
                y.requires_grad = False
                y.op = None
            return y
    elif {a}.__class__ is ndarray and state.mode.raw:
        return f({a})
    return apply(OP, ({a},))
"""

_BINARY = """\
def function({first}, {second}):
    ca = {a}.__class__
    cb = {b}.__class__
    if ca in KINDS:
        va = {a}._value
        if cb in KINDS:
            vb = {b}._value
            needs = {a}.requires_grad or {b}.requires_grad
        elif cb in WEAK:
            vb = {b}
            needs = {a}.requires_grad
        else:
            return apply(OP, ({a}, {b}))
    elif ca in WEAK and cb in KINDS:
        va = {a}
        vb = {b}._value
        needs = {b}.requires_grad
    elif ca is ndarray and state.mode.raw and cb not in KINDS:
        return f({a}, {b})
    else:
        return apply(OP, ({a}, {b}))
    m = state.mode
    if va.__class__ is Spec or vb.__class__ is Spec or not m.plain:
        return apply(OP, ({a}, {b}))
    try:
        v = f(va, vb)
    except Exception as error:
        raise OP.failure(error, ({a}, {b}), NO_ATTRS) from None
    y = new(Tensor)
    y._value = v if v.__class__ is ndarray else asarray(v)
    if {differentiable}needs and m.recording:
        y.requires_grad = True
        y.op = OP
        y._inputs = ({a}, {b})
        y._tick = tick()
        y.region = m.region
        frame = getframe(1)
        y._code = frame.f_code
        y._lasti = frame.f_lasti
    else:
        y.requires_grad = False
        y.op = None
    return y
"""


@cache
def _code(source: str, label: str) -> CodeType:
    """The code of the one function in `source`: compiled once for all ops whose function reads the same."""
    filename = f"{_PACKAGE}<{label}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    module = compile(source, filename, "exec")
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def _compiled(source: str, name: str, label: str, names: dict[str, Any], defaults: tuple[Any, ...] = ()) -> Any:
    """The function in generated `source`, under another name, with these globals; tracebacks can show its lines."""
    code = _code(source, label).replace(co_name=name)
    return FunctionType(code, {**names, "__builtins__": builtins, "__name__": __name__}, name, defaults or None)


_SCOPE: dict[str, Any] = {
    "KINDS": KINDS,
    "WEAK": WEAK,
    "NO_ATTRS": NO_ATTRS,
    "Tensor": Tensor,
    "Spec": Spec,
    "ndarray": ndarray,
    "asarray": np.asarray,
    "state": state,
    "new": new,
    "tick": tick,
    "getframe": sys._getframe,
    "apply": apply,
}


def fast(op: Op, swapped: bool = False) -> Callable[..., Any]:
    """The function of an op of one or two inputs and no attributes; `swapped` takes the second first (`__radd__`)."""
    label = op.name + ("_reflected" if swapped else "")
    differentiable = "" if op.differentiable else "False and "
    names = dict(_SCOPE, OP=op, f=op.ufunc or op.forward)
    if len(op.params) == 1:
        source = _UNARY.format(a=op.params[0], differentiable=differentiable)
    else:
        a, b = op.params
        first, second = (b, a) if swapped else (a, b)
        source = _BINARY.format(a=a, b=b, first=first, second=second, differentiable=differentiable)
    return _compiled(source, label, "elementwise", names)


def dispatching(op: Op, body: Callable[..., Any]) -> Callable[..., Any]:
    """A function with `body`'s signature that applies `op`."""
    parameters = list(inspect.signature(body).parameters.values())
    variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    tensors = f"*{variadic[0].name}, " if variadic else "".join(f"{p}, " for p in op.params)
    attrs = [p for p in parameters if p.name not in op.params and p not in variadic]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    listed, positional, keyword = [], [], {}
    starred = False
    for p in plain:
        if p.kind is p.VAR_POSITIONAL:
            starred = True
        elif p.kind is p.KEYWORD_ONLY and not starred:
            listed.append("*")
            starred = True
        listed.append(f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name)
        if p.default is not p.empty:
            if p.kind is p.KEYWORD_ONLY:
                keyword[p.name] = p.default
            else:
                positional.append(p.default)
    given = "{" + ", ".join(f"{p.name!r}: {p.name}" for p in attrs) + "}" if attrs else "NO_ATTRS"
    source = f"def function({', '.join(listed)}):\n    return apply(OP, ({tensors}), {given})\n"
    function = _compiled(source, op.name, "dispatch", dict(_SCOPE, OP=op), tuple(positional))
    function.__kwdefaults__ = keyword or None
    return function
