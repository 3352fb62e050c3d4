"""The body and the gradient rules of a user's op, checked at each call: what they return has the shape that was said.

The package's own ops are tested instead. Everybody else's can be wrong, and an array of another shape or dtype would
go on as a wrong number: broadcast, cast or added up on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import KEPT, described, failure
from graphnet.arrays import Spec
from graphnet.cuts import Cut, cut, depends, marked, nearby, same
from graphnet.leaves import KINDS
from graphnet.mode import mode, noting, prefix, state
from graphnet.node import Tensor, tick
from graphnet.record import Joint, Op, Rule

ndarray = np.ndarray


def guard(op: Op, core: Sequence[tuple[int, int]] | None = None) -> None:
    """Put the checks into the record of a user's op. `core` has the numbers of core axes (of y, of x) of each input."""
    if op.ufunc is None:
        op.forward = _body(op, op.forward)
    op.vjp = _rules(op, op.vjp, core)


def _specs(values: Sequence[Any]) -> list[Any]:
    """Shapes and dtypes of what a body gets; a Python number takes its dtype from the arrays beside it."""
    strong = [a.dtype for a in values if hasattr(a, "dtype")]
    return [Spec(a.shape, a.dtype) if hasattr(a, "dtype") else Spec((), np.result_type(*strong, a)) for a in values]


def _body(op: Op, forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` on read-only arrays, whose result must have the shape and dtype of the op's rule for them.

    A result that is one of the arrays, or part of one, is copied: an input that is written to later must not change it.
    A dtype of the same kind is cast, as plans do.
    """

    def checked(*args: Any, **attrs: Any) -> ndarray:
        values = []
        for a in args:
            if a.__class__ is ndarray:
                a = a.view()
                a.flags.writeable = False
            values.append(a)
        try:
            # A body may be tried out for its dtype: before it runs, since its rule may use what the last run kept.
            wanted = op.infer(*_specs(values), **attrs)
        except Exception:
            wanted = None
        try:
            y = np.asarray(forward(*values, **attrs))
        except Exception as error:
            raise failure(op, error, values, attrs) from error
        try:
            y = _result(y, wanted or op.infer(*_specs(values), **attrs))
        except (TypeError, ValueError) as error:
            raise failure(op, error, values, attrs, explain=False) from None
        if any(a.__class__ is ndarray and np.may_share_memory(a, y) for a in values):
            y = y.copy()
        return y

    return checked


def _result(y: ndarray, wanted: Spec) -> ndarray:
    """What a body returned, in the dtype it has to have."""
    if y.shape != wanted.shape:
        raise ValueError(f"its body returned shape {y.shape}; for these inputs it has to be {wanted.shape}")
    if y.dtype.kind not in "biufc":
        raise TypeError(f"its body returned {y.dtype}; an op gives numbers or booleans")
    if y.dtype != wanted.dtype and not np.can_cast(y.dtype, wanted.dtype, "same_kind"):
        raise TypeError(f"its body returned {y.dtype}; its dtype is {wanted.dtype}: give dtype= to gn.op")
    return y if y.dtype == wanted.dtype else y.astype(wanted.dtype)


def _wanted(op: Op, y: Any, x: Any, core: tuple[int, int] | None) -> tuple[int, ...]:
    """The shape that a gradient for `x` may broadcast to: that of x, with the axes that were broadcast before it."""
    if op.family == "elementwise":
        return y.shape
    if core is None:
        return x.shape
    outer, inner = core
    loop = y.shape[: len(y.shape) - outer]
    own = x.shape[len(x.shape) - inner :]
    return loop + own


def _fits(h: Any, shape: tuple[int, ...]) -> bool:
    try:
        return shapes.broadcast(h.shape, shape) == shape
    except ValueError:
        return False


def _answer(op: Op, place: int, h: Any, y: Any, inputs: Sequence[Any], core: Any) -> Any:
    """The gradient `h` that a rule gave for the input at `place`, if it can be one."""
    if h is None:
        return None
    if h.__class__ not in KINDS:
        h = np.asarray(h)
    x = inputs[place]
    x = x if hasattr(x, "shape") else np.asarray(x)
    wanted = _wanted(op, y, x, core[place] if core is not None else None)
    if h.dtype.kind not in "biufc" or (h.dtype.kind == "c" and x.dtype.kind != "c" and y.dtype.kind != "c"):
        raise TypeError(f"its rule for input {place} gives {described(h)}; the gradient of real numbers is real")
    if h.shape != x.shape and not _fits(h, wanted):
        raise ValueError(f"its rule for input {place} gives shape {h.shape}; the input has shape {x.shape}")
    return h


def _named(op: Op, error: BaseException, place: Any, inputs: Sequence[Any]) -> BaseException:
    if getattr(error, "_graphnet_named", False):
        return error
    kind = type(error) if type(error) in KEPT else ValueError
    layer = state.mode.of.region if state.mode.of is not None else None
    label = prefix(layer)
    listed = ", ".join(map(described, inputs))
    named = kind(f"{label}the gradient of {op.name}({listed}) for input {place}: {error}")
    named._graphnet_named = True  # type: ignore[attr-defined]
    return named


def _array(value: Any) -> Any:
    """The array of a tensor, or one of its shape and dtype; a number as it is."""
    if not isinstance(value, Tensor):
        return value
    return np.full(value.shape, 0.5).astype(value.dtype) if value.is_symbolic else value._value


def _is_constant(op: Op, entry: int, given: Rule, g: Any, inputs: Sequence[Any], attrs: dict[str, Any]) -> bool:
    """Whether a rule answers the same to the same `g` where the inputs are others."""
    values = list(map(_array, inputs))
    others = [nearby(v) if isinstance(v, ndarray) else v for v in values]
    found = []
    with mode(raw=True, recording=False, debug=None, trace=None, of=None, within=None), np.errstate(all="ignore"):
        for given_values in (others, values):  # what a body remembers is that of its last run
            y = op.forward(*given_values, **attrs)
            found.append(given(_array(g), y, *given_values, **attrs)[entry])
    return same(*found)


def _followed(
    op: Op, places: Sequence[int], given: Rule, g: Any, y: Any, inputs: Sequence[Any], attrs: dict[str, Any], core: Any
) -> list[Any]:
    """The gradients that `given` lists for the inputs at `places`, checked, and followed where they are recorded."""
    if not (isinstance(g, Tensor) and state.mode.recording):
        return [_answer(op, n, h, y, inputs, core) for n, h in zip(places, given(g, y, *inputs, **attrs), strict=True)]
    begun, what = tick(), f"the gradient of {op.name}"
    with noting() as left:
        found = given(g, y, *inputs, **attrs)
    checked = []
    for entry, (n, h) in enumerate(zip(places, found, strict=True)):
        h = _answer(op, n, h, y, inputs, core)
        if left or h is None:
            h = marked(h, left, what, y.dtype)
        elif not depends(h, begun, (g,), (y, *inputs)):
            # The rule of a linear op reads nothing of its inputs; that of another would have to.
            constant = partial(_is_constant, op, entry, given, g, inputs, attrs)
            call = Cut(what, "it depends on the inputs by something that is no tensor", constant)
            if any(isinstance(t, Tensor) and t.is_symbolic for t in (g, y, *inputs)):
                if not call.nothing_lost(unsure=True):
                    raise call.error
            else:
                h = cut(h, [t for t in inputs if isinstance(t, Tensor) and t.requires_grad], call, y.dtype)
        checked.append(h)
    return checked


def _rule(op: Op, place: int, given: Rule, core: Any) -> Rule:
    """`given`, with its answer checked; `core` has the numbers of core axes (of y, of x) for each input, if known."""

    def listed(*args: Any, **attrs: Any) -> list[Any]:
        return [given(*args, **attrs)]

    def checked(g: Any, y: Any, *inputs: Any, **attrs: Any) -> Any:
        try:
            return _followed(op, (place,), listed, g, y, inputs, attrs, core)[0]
        except Exception as error:
            raise _named(op, error, place, inputs) from error

    return checked


def _rules(op: Op, given: Sequence[Rule | None] | Rule, core: Any = None) -> Any:
    """All rules of an op, checked, in the form they were given in."""
    if isinstance(given, Joint):
        both = given.rule

        def joint(places: Sequence[int], g: Any, y: Any, *inputs: Any, **attrs: Any) -> list[Any]:
            def listed(*args: Any, **attrs: Any) -> list[Any]:
                found = list(both(places, *args, **attrs))
                if len(found) != len(places):
                    raise ValueError(f"its rule gives {len(found)} gradients; it was asked for {len(places)}")
                return found

            try:
                return _followed(op, places, listed, g, y, inputs, attrs, core)
            except Exception as error:
                raise _named(op, error, tuple(places), inputs) from error

        return Joint(joint)
    if callable(given):
        one = given

        def of_any(place: int, g: Any, y: Any, *inputs: Any, **attrs: Any) -> Any:
            def listed(*args: Any, **attrs: Any) -> list[Any]:
                return [one(place, *args, **attrs)]

            try:
                return _followed(op, (place,), listed, g, y, inputs, attrs, core)[0]
            except Exception as error:
                raise _named(op, error, place, inputs) from error

        return of_any
    return tuple(None if r is None else _rule(op, n, r, core) for n, r in enumerate(given))
