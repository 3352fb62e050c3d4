"""Gradients that a user writes (`custom_gradient`) and gradients that recompute (`checkpoint`).

Both rest on one op: `attached(y, *xs)` is `y`, and its gradient goes to the `xs` through a rule that it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from graphnet.containers import flatten
from graphnet.grad import _gradients
from graphnet.mode import differentiating
from graphnet.op import apply, op
from graphnet.ops.shaping import snapshot
from graphnet.sweep import history
from graphnet.tensor import Tensor, as_array, constant, mode, no_grad, state, variable


def _carried(place: int, g: Any, y: Any, *inputs: Any, rule: Callable[..., Any]) -> Any:
    if place == 0:
        return None
    if isinstance(g, Tensor):
        return rule(g)[place - 1]
    with mode(raw=False, recording=False, strict=False):
        return rule(constant(np.asarray(g)))[place - 1]._value


@op(lambda y, *xs, rule: y.shape, dtype=lambda y, *xs, rule: y.dtype, vjp=_carried, may_raise=True)
def attached(*inputs, rule):
    """The first input; its gradient goes to the others by `rule`, a function from the gradient to one per input."""
    return inputs[0]


class _Remembering:
    """A rule that is asked once per input for the same gradient, and computes once."""

    def __init__(self, rule: Callable[[Tensor], Sequence[Tensor]], name: str):
        self.rule = rule
        self.name = name
        self.last: tuple[Any, Sequence[Tensor]] | None = None

    def __repr__(self) -> str:
        return f"<gradient of {self.name}>"

    def __call__(self, g: Tensor) -> Sequence[Tensor]:
        key = g if g.requires_grad else g._value
        if self.last is None or self.last[0] is not key:
            self.last = (key, self.rule(g))
        found = self.last[1]
        return found


def _tensors(args: Sequence[Any]) -> tuple[list[Tensor], Callable[[Sequence[Any]], Any]]:
    leaves, rebuild = flatten(tuple(args))
    return [_read(t) if isinstance(t, Tensor) else constant(as_array(t)) for t in leaves], rebuild


def _read(t: Tensor) -> Tensor:
    """In a trace, the value of a parameter as it is there now."""
    return snapshot(t) if state.mode.trace is not None else t


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` with a gradient of its own: `f(*args)` returns its result and the function from gradient to gradients.

    The second function takes the gradient of the result (one per output) and returns one gradient per argument (a
    single one for a single argument), in tensor ops, so that it can be differentiated again.

    Raises `ValueError` where the number or shapes of the gradients do not fit the arguments.

    >>> import graphnet as gn
    >>> @gn.custom_gradient
    ... def clipped(x):
    ...     return x, lambda g: gn.clip(g, -1.0, 1.0)
    >>> gn.grad(lambda x: clipped(x) * 5.0)(2.0)
    Tensor(1.)
    """

    @wraps(f)
    def wrapped(*args: Any) -> Any:
        xs, rebuild = _tensors(args)
        inner = rebuild(xs)
        with no_grad():
            result = f(*inner)
        if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
            raise TypeError(f"{f.__name__}: a custom gradient returns (result, function of the result's gradient)")
        outputs, rebuild_output = flatten(result[0])
        ys = [_read(y) if isinstance(y, Tensor) else constant(as_array(y)) for y in outputs]

        def rule_for(n: int) -> Callable[[Tensor], Sequence[Tensor]]:
            def rule(g: Tensor) -> Sequence[Tensor]:
                given = [g if i == n else constant(np.zeros(y.shape, y.dtype)) for i, y in enumerate(ys)]
                answer = result[1](*given)
                listed = list(answer) if isinstance(answer, (tuple, list)) else [answer]
                if len(listed) != len(xs):
                    listed, _ = flatten(answer)
                if len(listed) != len(xs):
                    raise ValueError(f"{f.__name__}: {len(xs)} arguments, but its gradient gave {len(listed)}")
                grads = []
                for i, (x, h) in enumerate(zip(xs, listed, strict=True)):
                    h = constant(np.zeros(x.shape, x.dtype)) if h is None else h
                    h = h if isinstance(h, Tensor) else constant(as_array(h))
                    if h.shape != x.shape:
                        raise ValueError(
                            f"{f.__name__}: the gradient for argument {i} has shape {h.shape}; the argument {x.shape}"
                        )
                    grads.append(h)
                return grads

            return _Remembering(rule, getattr(f, "__name__", "a function"))

        return rebuild_output([apply(attached.op, (_cut(y), *xs), {"rule": rule_for(n)}) for n, y in enumerate(ys)])

    return wrapped


def _cut(y: Tensor) -> Tensor:
    """`y` without its history; a symbolic tensor stays, and its path is closed by the rule."""
    return y if y.is_symbolic else constant(y._value)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, keeping only its arguments: what it computes on the way is computed again when a gradient is asked for.

    Memory for time (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). Values and gradients, also
    those of parameters that `f` uses, and of any order, are those of `f`.

    >>> import graphnet as gn
    >>> block = gn.checkpoint(lambda x: gn.tanh(gn.exp(x)))
    >>> gn.grad(lambda x: block(x).sum())(gn.tensor([0.0])).round(6)
    Tensor([0.419974])
    """

    @wraps(f)
    def wrapped(*args: Any) -> Any:
        xs, rebuild = _tensors(args)
        # One run with history tells which parameters and outer tensors take part; its history is then dropped.
        fresh = [_leaf(x) for x in xs]
        with differentiating("checkpoint", [t for t in fresh if t.requires_grad]):
            outputs, rebuild_output = flatten(f(*rebuild(fresh)))
        ys = [_read(y) if isinstance(y, Tensor) else constant(as_array(y)) for y in outputs]
        nodes, _ = history(ys)
        own = set(fresh)
        outer = [t for t in nodes if t.op is None and t not in own]

        def rule_for(n: int) -> Callable[[Tensor], Sequence[Tensor]]:
            def rule(g: Tensor) -> Sequence[Tensor]:
                graph = state.mode.recording or state.mode.trace is not None
                again = [_alias(x) if graph else _leaf(x) for x in xs]
                with mode(recording=True, region=None, of=None):
                    results, _ = flatten(f(*rebuild(again)))
                return _gradients([results[n]], [*again, *outer], [g], graph or g.requires_grad)

            return _Remembering(rule, getattr(f, "__name__", "a function"))

        kept = [_cut(y) if not any(x.is_symbolic for x in xs) else y for y in ys]
        return rebuild_output([apply(attached.op, (y, *xs, *outer), {"rule": rule_for(n)}) for n, y in enumerate(kept)])

    return wrapped


def _leaf(x: Tensor) -> Tensor:
    if x.is_symbolic or x.dtype.kind != "f":
        return x
    return variable(x._value)


def _alias(x: Tensor) -> Tensor:
    from graphnet.ops.shaping import identity

    return apply(identity.op, (x,)) if x.requires_grad else _leaf(x)
