"""`cond`: one of two functions, as one node that runs only the one which is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphnet.apply import apply, as_tensor, described
from graphnet.declare import op
from graphnet.functions import function
from graphnet.graph import Graph
from graphnet.loops.closing import Interned, Traced, closed, differentiable, key_of
from graphnet.parts import Packing
from graphnet.plans.differentiable import Differentiable, gradients_of
from graphnet.record import Joint


class Choice:
    """Two functions of the same inputs, with results of one shape and dtype: `branches[1]` is that of True."""

    def __init__(self, branches: Sequence[Differentiable]):
        self.branches = tuple(branches)
        self._backward: dict[tuple[int, ...], Choice] = {}

    @property
    def packing(self) -> Packing:
        """How the outputs lie in the one result."""
        return self.branches[0].packing

    @property
    def can_fail(self) -> bool:
        """Whether it can fail because of a value."""
        return any(b.can_fail for b in self.branches)

    def backward(self, wanted: tuple[int, ...]) -> Choice:
        """From the inputs and a gradient of the result to the gradients of the inputs at `wanted`."""
        if wanted not in self._backward:
            made = Choice([gradients_of(b, wanted) for b in self.branches])
            self._backward.setdefault(wanted, made)
        return self._backward[wanted]

    def wait(self) -> None:
        """Return when native code is ready, if it is being made."""
        for branch in self.branches:
            branch.wait()

    def __repr__(self) -> str:
        return f"<choice of {' and '.join(map(repr, reversed(self.branches)))}>"


def _choice(graphs: Sequence[Graph], places: Sequence[int]) -> Choice:
    return Choice([differentiable(g, places) for g in graphs])


_choices: Interned[Choice] = Interned()


def _slopes(places: Sequence[int], g: Any, y: Any, *inputs: Any, choice: Choice) -> list[Any]:
    """The gradients for the inputs at these places: those of the branch that ran."""
    given = choice.branches[0].graph.inputs
    smooth = tuple(p - 1 for p in places if p and given[p - 1].dtype.kind == "f")
    slopes: dict[int, Any] = {}
    if smooth:
        back = choice.backward(smooth)
        h = apply(_cond.op, [*inputs, g], {"choice": back})
        slopes = dict(zip([p + 1 for p in smooth], back.packing.unpacked(h), strict=True))
    return [slopes.get(p) for p in places]


@op(
    lambda pred, *inputs, choice: choice.packing.spec.shape,
    dtype=lambda pred, *inputs, choice: choice.packing.spec.dtype,
    vjp=Joint(_slopes),
    name="cond",
    onnx="If",
    hidden=True,
    may_raise=lambda pred, *inputs, choice: choice.can_fail,
    ready=lambda choice: choice.wait(),
)
def _cond(*inputs: Any, choice: Any) -> Any:
    """What the wanted branch returns: one result, several of one dtype in one flat array."""
    pred, *arrays = inputs
    (result,) = choice.branches[bool(pred)].plan.run([np.asarray(a) for a in arrays])
    return result


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any) -> Any:
    """`true_fn(*operands)` where `pred` is true, else `false_fn(*operands)`; only that one is computed.

    In a trace, where `pred` is not known, both functions are traced once and the choice is one node of the graph, with
    gradients of any order: those of the branch that runs. Both return the same containers, shapes and dtypes. What the
    functions use from outside takes part in gradients. `pred` is a bool or a whole number without axes.

    Where `pred` is known, the function is simply called: there its results may be anything. `gn.where` chooses for each
    element instead, and computes both.

    Raises `TypeError` for a `pred` of another dtype and for results of other containers or dtypes, `ValueError` for
    results of other shapes and for an assignment to a parameter in a branch.

    >>> import graphnet as gn
    >>> @gn.compile
    ... def root(x):
    ...     return gn.cond(x > 0.0, gn.sqrt, lambda x: x * 0.0, x)
    >>> root(gn.tensor(9.0)), root(gn.tensor(-1.0))
    (Tensor(3.), Tensor(-0.))
    """
    for f in (true_fn, false_fn):
        function(f, "cond")
    wanted = as_tensor(pred)
    if wanted.shape or wanted.dtype.kind not in "biu":
        kind = TypeError if wanted.dtype.kind not in "biu" else ValueError
        raise kind(f"cond: pred is a bool without axes; received {described(wanted)}")
    if not wanted.is_symbolic:
        return (true_fn if wanted._value else false_fn)(*operands)
    yes, no = (Traced(f, operands, f"cond: {name}") for f, name in ((true_fn, "true_fn"), (false_fn, "false_fn")))
    if yes.form != no.form:
        raise TypeError(f"cond: both functions return the same containers; received {yes.form!r} and {no.form!r}")
    for n, (a, b) in enumerate(zip(yes.outputs, no.outputs, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise (ValueError if a.shape != b.shape else TypeError)(
                f"cond: result {n} of true_fn is {described(a)}, of false_fn {described(b)}: they must be the same"
            )
    read = list(dict.fromkeys([*no.read(), *yes.read()]))
    graphs = [closed(read, traced.outputs) for traced in (no, yes)]
    keys = tuple(map(key_of, graphs))
    results: list[Any] = [None] * len(yes.outputs)
    # One node for each dtype: a flat result has one.
    for dtype in dict.fromkeys(t.dtype for t in yes.outputs):
        places = [n for n, t in enumerate(yes.outputs) if t.dtype == dtype]
        choice = _choices.get((keys, tuple(places)), partial(_choice, graphs, places))
        y = apply(_cond.op, [wanted, *read], {"choice": choice})
        for n, part in zip(places, choice.packing.unpacked(y), strict=True):
            results[n] = part
    return yes.form(results)
