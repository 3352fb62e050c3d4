"""The functions that users call: generated, so that each has its op's signature and the shortest way to its body.

The generated text numbers its arguments, p0, p1, ...: the names of the op's own are put into the compiled code.
"""

from __future__ import annotations

import builtins
import inspect
import linecache
import sys
from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from graphnet.apply import apply, failure
from graphnet.arrays import WEAK, Spec
from graphnet.leaves import KINDS
from graphnet.mode import NO_ATTRS, PACKAGE, state
from graphnet.node import Tensor, new, tick
from graphnet.record import Op

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
                raise failure(OP, error, ({a},), NO_ATTRS) from error.__cause__
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
{flat}            return y
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
{strange_b}            return apply(OP, ({a}, {b}))
    elif ca in WEAK and cb in KINDS:
        va = {a}
        vb = {b}._value
        needs = {b}.requires_grad
    elif ca is ndarray and state.mode.raw and cb not in KINDS:
        return f({a}, {b})
    else:
{strange_a}        return apply(OP, ({a}, {b}))
    m = state.mode
    if va.__class__ is Spec or vb.__class__ is Spec or not m.plain:
        return apply(OP, ({a}, {b}))
    try:
        v = f(va, vb)
    except Exception as error:
        raise failure(OP, error, ({a}, {b}), NO_ATTRS) from error.__cause__
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
{flat}    return y
"""

# What an operator adds: an operand that is no number may have an answer of its own.
_STRANGE = """\
{indent}if {kind} is not ndarray:
{indent}    found = strange(OP, p0, p1, {value})
{indent}    if found is not None:
{indent}        return found
"""

# What an op without slope adds: the derivative whose function runs is told.
_FLAT = """\
{indent}if m.within is not None and {needs}:
{indent}    m.within.flat = True
"""


@cache
def _code(source: str, label: str) -> CodeType:
    """The code of the one function in `source`: compiled once for all ops whose function reads the same."""
    filename = f"{PACKAGE}<{label}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    module = compile(source, filename, "exec")
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def _compiled(
    source: str, name: str, label: str, names: dict[str, Any], params: Sequence[str], defaults: tuple[Any, ...] = ()
) -> Any:
    """The function in generated `source`, under another name, with these globals; tracebacks can show its lines.

    Its arguments p0, p1, ... are called `params`.
    """
    code = _code(source, label)
    own = {f"p{i}": param for i, param in enumerate(params)}
    # Arguments are found by their places: other names for them change nothing inside.
    code = code.replace(
        co_name=name,
        co_varnames=tuple([own.get(v, v) for v in code.co_varnames]),
        co_consts=tuple([_renamed(c, own) for c in code.co_consts]),
    )
    return FunctionType(code, {**names, "__builtins__": builtins, "__name__": __name__}, name, defaults or None)


def _renamed(constant: Any, own: dict[str, str]) -> Any:
    """A constant of the code; the keys of attributes are the names of arguments, one by one or in a tuple."""
    if constant.__class__ is tuple:
        return tuple([_renamed(c, own) for c in constant])
    return own.get(constant, constant) if constant.__class__ is str else constant


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
    "failure": failure,
}


def fast(op: Op, swapped: bool = False, strange: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function of an op of one or two inputs and no attributes; `swapped` takes the second first (`__radd__`).

    With `strange` it is an operator: that is asked about an operand that is neither a tensor, an array nor a number.
    """
    label = op.name + ("_reflected" if swapped else "")
    differentiable = "" if op.differentiable else "False and "
    names = dict(_SCOPE, OP=op, f=op.ufunc or op.forward)
    if len(op.params) == 1:
        flat = "" if op.differentiable else _FLAT.format(indent=" " * 12, needs="p0.requires_grad")
        source = _UNARY.format(a="p0", differentiable=differentiable, flat=flat)
    else:
        first, second = ("p1", "p0") if swapped else ("p0", "p1")
        flat = "" if op.differentiable else _FLAT.format(indent=" " * 4, needs="needs")
        names["strange"] = strange
        source = _BINARY.format(
            a="p0",
            b="p1",
            first=first,
            second=second,
            differentiable=differentiable,
            flat=flat,
            strange_a="" if strange is None else _STRANGE.format(indent=" " * 8, kind="ca", value="p0"),
            strange_b="" if strange is None else _STRANGE.format(indent=" " * 12, kind="cb", value="p1"),
        )
    shown = f"elementwise{'' if op.differentiable else ' without slope'}{' operator' if strange else ''}"
    return _compiled(source, label, f"{shown} of {len(op.params)}{' reflected' if swapped else ''}", names, op.params)


def dispatching(op: Op, body: Callable[..., Any]) -> Callable[..., Any]:
    """A function with `body`'s signature that applies `op`."""
    parameters = list(inspect.signature(body).parameters.values())
    number = {p.name: f"p{i}" for i, p in enumerate(parameters)}
    variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    tensors = f"*{number[variadic[0].name]}, " if variadic else "".join(f"{number[p]}, " for p in op.params)
    attrs = [number[p.name] for p in parameters if p.name not in op.params and p not in variadic]
    listed, positional, keyword = [], [], {}
    starred = False
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            starred = True
        elif p.kind is p.KEYWORD_ONLY and not starred:
            listed.append("*")
            starred = True
        listed.append(f"*{number[p.name]}" if p.kind is p.VAR_POSITIONAL else number[p.name])
        if p.default is not p.empty:
            if p.kind is p.KEYWORD_ONLY:
                keyword[p.name] = p.default
            else:
                positional.append(p.default)
    given = "{" + ", ".join(f"'{p}': {p}" for p in attrs) + "}" if attrs else "NO_ATTRS"
    source = f"def function({', '.join(listed)}):\n    return apply(OP, ({tensors}), {given})\n"
    function = _compiled(source, op.name, "dispatch", dict(_SCOPE, OP=op), list(number), tuple(positional))
    function.__kwdefaults__ = keyword or None
    return function
