"""Ops that are loops over loops, written out as elementwise ops and reductions that kernels know. For plans only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.carried import attached
from graphnet.graph import Graph
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.deviations import exact_mean
from graphnet.ops.index import GETITEM, SCATTER_ADD
from graphnet.ops.reduce import norm2
from graphnet.plans.rewrite import rewritten
from graphnet.plans.rewrite.gather import chosen
from graphnet.record import Op


class _Build:
    """Makes nodes in the place of one: with its region, name and source line."""

    def __init__(self, like: Tensor):
        self.like = like

    def __call__(self, f: Any, *inputs: Any, **attrs: Any) -> Tensor:
        dtype = next(i.dtype for i in inputs if isinstance(i, Tensor) and i.dtype.kind == "f")
        given = [i if isinstance(i, Tensor) else constant(np.asarray(i, dtype)) for i in inputs]
        return made(f.op, given, attrs, like=self.like)

    def reduced(self, f: Any, x: Tensor, axis: tuple[int, ...], keepdims: bool = True) -> Tensor:
        return self(f, x, axis=axis, keepdims=keepdims)


def _log_softmax(make: _Build, x: Tensor, axis: tuple[int, ...]) -> Tensor:
    shifted = make(ops.subtract, x, make.reduced(ops.max, x, axis))
    return make(ops.subtract, shifted, make(ops.log, make.reduced(ops.sum, make(ops.exp, shifted), axis)))


def _logsumexp(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    top = make.reduced(ops.max, x, axis)
    shift = make(ops.where, make(ops.isfinite, top), top, 0.0)
    total = make.reduced(ops.sum, make(ops.exp, make(ops.subtract, x, shift)), axis)
    return _kept(make, make(ops.add, make(ops.log, total), shift), axis, keepdims)


def _var(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool, ddof: int) -> Tensor | None:
    free = math.prod(x.shape[a] for a in axis) - ddof
    if free <= 0:
        return None
    away = make(ops.subtract, x, make.reduced(ops.mean, x, axis))
    total = make.reduced(ops.sum, make(ops.multiply, away, away), axis, keepdims)
    return make(ops.divide, total, float(free))


def _std(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool, ddof: int) -> Tensor | None:
    free = math.prod(x.shape[a] for a in axis) - ddof
    if free <= 0:
        return None
    # Without the rounding of the mean, as the op's own body: 0 for a constant.
    mean = make.reduced(ops.mean, x, axis)
    if not exact_mean(x, axis):
        top = make.reduced(ops.max, x, axis)
        same = made(ops.equal.op, [top, make.reduced(ops.min, x, axis)], {}, like=make.like)
        mean = make(ops.where, same, top, mean)
    away = make(ops.subtract, x, mean)
    away = make(ops.subtract, away, make.reduced(ops.mean, away, axis))
    total = make.reduced(ops.sum, make(ops.multiply, away, away), axis, keepdims)
    return make(ops.sqrt, make(ops.divide, total, float(free)))


def _norm2(make: _Build, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    size = make.reduced(ops.max, make(ops.absolute, x), axis)
    fits = made(ops.logical_and.op, [make(ops.greater, size, 0.0), make(ops.isfinite, size)], {}, like=make.like)
    scale = make(ops.where, fits, size, 1.0)
    ratio = make(ops.divide, x, scale)
    total = make.reduced(ops.sum, make(ops.multiply, ratio, ratio), axis)
    return _kept(make, make(ops.multiply, scale, make(ops.sqrt, total)), axis, keepdims)


def _kept(make: _Build, y: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    if keepdims:
        return y
    shape = tuple(n for a, n in enumerate(y.shape) if a not in axis)
    return made(ops.reshape.op, [y], {"shape": shape}, like=make.like)


_RULES: dict[Op, Callable[..., Tensor | None]] = {
    ops.log_softmax.op: _log_softmax,
    ops.logsumexp.op: _logsumexp,
    ops.var.op: _var,
    ops.std.op: _std,
    norm2.op: _norm2,
}


def expanded(graph: Graph) -> Graph:
    """`graph` with log_softmax, logsumexp, var, std and norm2 written out, without ops that only pass on a value."""

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if node.op is None:
            return None
        if made_by(node, ops.identity, ops.stop_gradient, attached):
            return inputs[0]
        if made_by(node, GETITEM, SCATTER_ADD):
            return chosen(node, list(inputs))
        found = _RULES.get(node.op)
        if found is None or inputs[0].dtype.kind != "f" or inputs[0].dtype != node.dtype or inputs[0].size == 0:
            return None
        return found(_Build(node), *inputs, **node.attrs)

    return rewritten(graph, rule)
