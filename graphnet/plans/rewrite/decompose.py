"""Ops that are loops over loops, written out as elementwise ops and reductions that kernels know. For plans only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.node import Tensor, constant
from graphnet.ops.reduce import exact_mean
from graphnet.plans.rewrite import rewritten
from graphnet.plans.rewrite.gather import chosen
from graphnet.record import OPS


class _Build:
    """Makes nodes in the place of one: with its region, name and source line."""

    def __init__(self, like: Tensor):
        self.like = like

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Tensor:
        dtype = next(i.dtype for i in inputs if isinstance(i, Tensor) and i.dtype.kind == "f")
        given = [i if isinstance(i, Tensor) else constant(np.asarray(i, dtype)) for i in inputs]
        return made(OPS[name], given, attrs, like=self.like)

    def reduced(self, name: str, x: Tensor, axis: tuple[int, ...], keepdims: bool = True) -> Tensor:
        return self(name, x, axis=axis, keepdims=keepdims)


def _log_softmax(make: _Build, x: Tensor, axis: tuple[int, ...]) -> Tensor:
    shifted = make("subtract", x, make.reduced("max", x, axis))
    return make("subtract", shifted, make("log", make.reduced("sum", make("exp", shifted), axis)))


def _logsumexp(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    top = make.reduced("max", x, axis)
    shift = make("where", make("isfinite", top), top, 0.0)
    total = make.reduced("sum", make("exp", make("subtract", x, shift)), axis)
    return _kept(make, make("add", make("log", total), shift), axis, keepdims)


def _var(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool, ddof: int) -> Tensor | None:
    free = math.prod(x.shape[a] for a in axis) - ddof
    if free <= 0:
        return None
    away = make("subtract", x, make.reduced("mean", x, axis))
    total = make.reduced("sum", make("multiply", away, away), axis, keepdims)
    return make("divide", total, float(free))


def _std(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool, ddof: int) -> Tensor | None:
    free = math.prod(x.shape[a] for a in axis) - ddof
    if free <= 0:
        return None
    # Without the rounding of the mean, as the op's own body: 0 for a constant.
    mean = make.reduced("mean", x, axis)
    if not exact_mean(x, axis):
        top = make.reduced("max", x, axis)
        same = made(OPS["equal"], [top, make.reduced("min", x, axis)], {}, like=make.like)
        mean = make("where", same, top, mean)
    away = make("subtract", x, mean)
    away = make("subtract", away, make.reduced("mean", away, axis))
    total = make.reduced("sum", make("multiply", away, away), axis, keepdims)
    return make("sqrt", make("divide", total, float(free)))


def _norm2(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    size = make.reduced("max", make("absolute", x), axis)
    fits = made(OPS["logical_and"], [make("greater", size, 0.0), make("isfinite", size)], {}, like=make.like)
    scale = make("where", fits, size, 1.0)
    ratio = make("divide", x, scale)
    total = make.reduced("sum", make("multiply", ratio, ratio), axis)
    return _kept(make, make("multiply", scale, make("sqrt", total)), axis, keepdims)


def _kept(make: _Build, y: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    if keepdims:
        return y
    shape = tuple(n for a, n in enumerate(y.shape) if a not in axis)
    return made(OPS["reshape"], [y], {"shape": shape}, like=make.like)


_RULES: dict[str, Callable[..., Tensor | None]] = {
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "var": _var,
    "std": _std,
    "norm2": _norm2,
}


def expanded(graph: Graph) -> Graph:
    """`graph` with log_softmax, logsumexp, var, std and norm2 written out, without ops that only pass on a value."""

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None:
            return None
        if node.op.name in ("identity", "stop_gradient", "attached"):
            return inputs[0]
        if node.op.name in ("getitem", "scatter_add"):
            return chosen(node, list(inputs))
        found = _RULES.get(node.op.name)
        if found is None or inputs[0].dtype.kind != "f" or inputs[0].dtype != node.dtype or inputs[0].size == 0:
            return None
        return found(_Build(node), *inputs, **node.attrs)

    return rewritten(graph, rule)
