"""Matrices of derivatives: `jacobian` and `hessian`, with all rows, or all columns, found in one sweep.

A row of a Jacobian is a backward sweep from one element of the output. The sweep is made once, of a symbolic gradient,
and replayed for a batch of gradients: the rows of the identity. Where there are fewer arguments than outputs, the
sweep is differentiated once more, which gives the derivative in a direction, and that is replayed for those of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.batching import replayed
from graphnet.derivatives import _grad
from graphnet.differentiated import Differentiated, Function
from graphnet.leaves import symbolic
from graphnet.mode import differentiating, mode, state
from graphnet.named import made
from graphnet.node import Tensor, constant, tick
from graphnet.ops import shaping
from graphnet.ops.arithmetic import multiply
from graphnet.ops.joining import concatenate, stack
from graphnet.ops.reduce import sum as sum_op
from graphnet.tensor_gradients import check_float, vector_jacobian
from graphnet.typed import P

#: fewer rows are found one after the other: a symbolic sweep and its replay take the time of as many; in a graph, which
#: has as many nodes more for each row, more than one are found together
FEW, FEW_IN_A_GRAPH = 8, 2
#: numbers that a value has at most for all rows that are found together
TOGETHER = 1 << 21
#: how many numbers fewer the largest value has where it goes forward: that takes two sweeps
FORWARD = 1 << 15


def _stands(call: Differentiated) -> bool:
    """Whether the sweep can be made from a symbolic gradient, by rules that are not a user's own and not watched."""
    if state.mode.debug is not None:
        return False
    nodes, _ = call.path
    return all(
        t.op is None
        or t.is_symbolic
        or (t.op.builtin and "call" not in t.attrs and t.dtype.kind == "f" and not _is_complex(t))
        for t in nodes
    )


def _is_complex(t: Tensor) -> bool:
    return any(i.dtype.kind == "c" for i in t.inputs)


def _axes(t: Tensor, first: int, last: int) -> np.ndarray:
    """Rows `first` to `last` of the identity, each in the shape of `t`."""
    found = np.zeros((last - first, t.size), t.dtype)
    found[np.arange(last - first), np.arange(first, last)] = 1
    return found.reshape(last - first, *t.shape)


def _rows(call: Differentiated, y: Tensor, together: int) -> list[Tensor]:
    """For each variable the derivatives of all elements of `y`, along a first axis: by sweeps from `y` back."""
    parts: list[list[Tensor]] = [[] for _ in call.xs]
    if not together:
        for place in range(y.size):
            seed = constant(_axes(y, place, place + 1)[0])
            for part, h in zip(parts, vector_jacobian([y], call.xs, [seed], call.graph, call.path), strict=True):
                part.append(h)
        return [stack(part) for part in parts]
    begun = tick()
    g = symbolic(y.shape, y.dtype)
    slopes = vector_jacobian([y], call.xs, [g], True, call.path)
    for first in range(0, y.size, together):
        seeds = _axes(y, first, min(first + together, y.size))
        with mode(recording=state.mode.recording and call.graph):
            found = replayed(slopes, {g: constant(seeds)}, begun)
        for part, (h, wide) in zip(parts, found, strict=True):
            part.append(h if wide else constant(np.zeros((len(seeds), *h.shape), h.dtype)))
    return list(map(_joined, parts))


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else concatenate(parts)


def _columns(call: Differentiated, y: Tensor, together: int) -> list[Tensor]:
    """For each variable the derivatives of `y` by all its elements, along a last axis: in directions."""
    begun = tick()
    w = symbolic(y.shape, y.dtype)
    # What rules compute with the gradient stays in the graph, as it is differentiated by it.
    with differentiating(call.what, (w,)):
        pulled = vector_jacobian([y], call.xs, [w], True, call.path)
    # The derivative by w does not depend on it, but ops that compute it can take it.
    ones = constant(np.ones(y.shape, y.dtype))
    found = []
    for x, h in zip(call.xs, pulled, strict=True):
        v = symbolic(x.shape, x.dtype)
        with mode(recording=True):
            term = sum_op(multiply(h, v))
            (pushed,) = vector_jacobian([term], [w], [constant(np.ones((), term.dtype))], True)
        parts = []
        for first in range(0, x.size, together):
            directions = _axes(x, first, min(first + together, x.size))
            with mode(recording=state.mode.recording and call.graph):
                ((each, wide),) = replayed([pushed], {v: constant(directions)}, begun, {w: ones})
            parts.append(each if wide else constant(np.zeros((len(directions), *y.shape), y.dtype)))
        each = constant(np.zeros((0, *y.shape), y.dtype)) if not parts else _joined(parts)
        if each.dtype != x.dtype:
            each = shaping.astype(each, x.dtype)  # as a gradient by x is
        found.append(shaping.moveaxis(each, 0, -1))
    return found


def _is_forward(call: Differentiated, y: Tensor, largest: int) -> bool:
    """Whether columns are found rather than rows: there are fewer, and enough fewer to be worth it, if it runs now."""
    saved = y.size - sum(x.size for x in call.xs)
    return saved > 0 and (y.is_symbolic or saved * largest >= FORWARD)


def _matrices(call: Differentiated, y: Tensor) -> list[Tensor]:
    """The derivatives of `y` by each variable, of shape `y.shape + x.shape`."""
    if not y.size:
        return [constant(np.zeros((*y.shape, *x.shape), y.dtype)) for x in call.xs]
    few = FEW_IN_A_GRAPH if y.is_symbolic else FEW
    largest = max(t.size for t in (y, *call.path[0]))
    together = TOGETHER // largest
    if min(together, y.size) < few or not _stands(call):
        found = _rows(call, y, 0)
    elif _is_forward(call, y, largest):
        found = _columns(call, y, together)
    else:
        found = _rows(call, y, min(together, y.size))
    return [shaping.reshape(h, (*y.shape, *x.shape)) for h, x in zip(found, call.xs, strict=True)]


def jacobian(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[P, Any]:
    """The function that gives df/darg with shape `output.shape + arg.shape`: all rows in one backward sweep.

    Where the arguments have fewer numbers than the output, it goes forward, and finds all columns at once. Few rows,
    and those that go through gradient rules of a user's own, are found one after the other.

    Of nested containers of outputs and arguments: in each output's place the form of the arguments. With `has_aux`, `f`
    returns `(output, aux)` and the result is `(df/darg, aux)`.

    >>> import graphnet as gn
    >>> gn.jacobian(lambda x: x * x.sum())(gn.tensor([1.0, 2.0]))
    Tensor([[4., 1.],
            [2., 5.]])
    """

    return _jacobian(f, argnums, has_aux, allow_constant, "jacobian")


def _jacobian(f: Function, argnums: int | Sequence[int], has_aux: bool, allow_constant: bool, what: str) -> Function:
    @made(f, what)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        call = Differentiated(f, args, kwargs, argnums, what, has_aux, allow_constant)
        whole = []
        for y in call.ys:
            check_float(y, what)
            whole.append(call.form(_matrices(call, y)))
        found = call.output_form(whole)
        return (found, call.aux) if has_aux else found

    return matrix


def hessian(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[P, Any]:
    """The function that gives the second derivatives of a function with one output, of shape `arg.shape + arg.shape`.

    Of nested containers: in each leaf's place the form of the argument. With `has_aux`, `f` returns `(number, aux)` and
    the result is `(second derivatives, aux)`.

    >>> import graphnet as gn
    >>> gn.hessian(lambda x: (x**3).sum())(gn.tensor([1.0, 2.0]))
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    df = _grad(f, argnums, has_aux, allow_constant, "hessian")
    return _jacobian(df, argnums, has_aux, allow_constant, "hessian")
