"""Derivatives of tensors: `backward` leaves them in the leaves, `gradients` returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from graphnet import sweep
from graphnet.apply import as_tensor, described
from graphnet.arrays import Spec
from graphnet.containers import flatten
from graphnet.escape import line
from graphnet.mode import state
from graphnet.node import Tensor, constant
from graphnet.ops import shaping
from graphnet.results import notice_no_history


def check_float(t: Tensor, what: str) -> None:
    if t.dtype.kind != "f":
        use = "take gn.real, gn.imag or gn.abs of them" if t.dtype.kind == "c" else "use float32 or float64"
        raise TypeError(f"{what}: a gradient is taken of floating-point numbers; received {described(t)}: {use}")


def seed_of(y: Tensor, gradient: Any, what: str, of: str = "the output", called: str = "gradient") -> Tensor:
    """The gradient to start from at `y`."""
    check_float(y, what)
    if gradient is None:
        if y.size != 1:
            raise ValueError(
                f"{what}: the output has shape {y.shape}; a gradient starts from one number: "
                "reduce the output (.sum(), .mean()) or give its gradient"
            )
        return constant(np.ones(y.shape, y.dtype))
    g = as_tensor(gradient)
    if g.shape != y.shape:
        raise ValueError(f"{what}: {of} has shape {y.shape}, its {called} {g.shape}: they must be the same")
    return g if g.dtype == y.dtype else shaping.astype(g, dtype=y.dtype)


def backward(y: Tensor, gradient: Any = None) -> None:
    """Add dy/dx to `x.grad` of every leaf `x` that `y` depends on and that needs a gradient.

    `gradient` is that of some final number with respect to `y`, of y's shape; without it `y` must be one number.
    Can be called again: gradients accumulate until `x.grad = None`.

    Raises `ValueError` for an output of several numbers without `gradient`, `TypeError` for integers, `RuntimeError`
    where a parameter was changed since.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> y.backward(gradient=[1.0, 10.0])
    >>> x.grad
    Tensor([ 2., 40.])
    """
    if y._value.__class__ is Spec:
        raise ValueError("backward: the output is symbolic; build its gradient with graphnet.gradients(y, xs)")
    start = seed_of(y, gradient, "backward")
    if not y.requires_grad:
        raise ValueError(
            "backward: the output depends on nothing that needs a gradient: "
            "use a Parameter or requires_grad=True, outside of no_grad"
        )
    nodes, reached = sweep.history((y,))
    grads = sweep.on_arrays(nodes, reached, {y: start._value})
    for t in nodes:
        if t.op is None:
            g = grads.get(t)
            if g is None:
                g = np.zeros(t.shape, t.dtype)
            t.grad = constant(np.array(g) if t.grad is None else t.grad._value + g)


def vector_jacobian(
    ys: Sequence[Tensor],
    xs: Sequence[Tensor],
    seeds: Sequence[Tensor],
    graph: bool,
    path: tuple[list[Tensor], set[Tensor]] | None = None,
) -> list[Tensor]:
    """d(sum of seeds * ys)/dx for each of `xs`, zeros where there is no path; with a graph of its own if `graph`.

    `path` is what lies between `xs` and `ys`, if that is known already.
    """
    nodes, reached = path or sweep.path(sweep.history(ys)[0], xs)
    keep = frozenset(xs)
    start: dict[Tensor, Tensor] = {}
    for y, g in zip(ys, seeds, strict=True):
        if y in reached:
            start[y] = start[y] + g if y in start else g
    found: dict[Tensor, Tensor]
    if graph:
        found = sweep.on_tensors(nodes, reached, start, keep)
    else:
        arrays = sweep.on_arrays(nodes, reached, {y: g._value for y, g in start.items()}, keep)
        found = {t: constant(g) for t, g in arrays.items()}
    return [found[x] if x in found else constant(np.zeros(x.shape, x.dtype)) for x in xs]


@overload
def gradients(ys: Any, xs: Tensor, grad_ys: Any = None) -> Tensor: ...
@overload
def gradients(ys: Any, xs: Any, grad_ys: Any = None) -> Any: ...
def gradients(ys: Any, xs: Any, grad_ys: Any = None) -> Any:
    """dy/dx for each `x` in `xs` (a tensor, or nested tuples, lists, dicts of them, answered in the same form).

    `ys` is a tensor or nested containers of them, whose gradients add up; `grad_ys` their own gradients, in the same
    form. Where there is no path the gradient is zeros, with a `ConstantWarning` if no output keeps a history: what was
    computed under `no_grad`, or by a `Graph` or a plan from data alone, has none. Symbolic tensors give the gradient's
    graph; eager ones give values that can be differentiated again, or plain values inside `no_grad`.

    Raises `ValueError` for an output of several numbers without `grad_ys`, `TypeError` for integers.

    >>> import graphnet as gn
    >>> x = gn.Parameter(3.0)
    >>> dy = gn.gradients(x**3, x)
    >>> gn.gradients(dy, x)
    Tensor(18.)
    """
    return gradients_of(ys, xs, grad_ys, True)


def gradients_of(ys: Any, xs: Any, grad_ys: Any, notice: bool) -> Any:
    outputs, form = flatten(ys)
    given: list[Any] = [None] * len(outputs)
    if grad_ys is not None:
        if isinstance(ys, (tuple, list)) and isinstance(grad_ys, (tuple, list)):
            if len(ys) != len(grad_ys):
                raise ValueError(f"gradients: {len(ys)} outputs but {len(grad_ys)} gradients of outputs")
            # One that is None is that of a number.
            pairs = [
                (y, [None] * form.count) if g is None else (y, form.match(g, f"gradients: grad_ys[{place}]"))
                for place, ((y, form), g) in enumerate(zip(map(flatten, ys), grad_ys, strict=True))
            ]
            outputs, given = [y for part, _ in pairs for y in part], [g for _, part in pairs for g in part]
        else:
            given = form.match(grad_ys, "gradients: grad_ys")
    leaves, rebuild = flatten(xs)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise TypeError(f"gradients: xs are tensors; received {type(x).__name__}")
        check_float(x, "gradients")
        if not x.requires_grad:
            named = line(x.name or described(x))
            raise ValueError(f"gradients: {named} keeps no history: use a Parameter, an input or requires_grad=True")
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"gradients: ys are tensors; received {type(y).__name__}")
    trace = state.mode.trace
    if notice and leaves and trace is None and not any(y.requires_grad or y.is_symbolic for y in outputs):
        notice_no_history("gradients")
    if trace is not None and trace.current:
        outputs = [trace.read(y) for y in outputs]
        _, seen = sweep.history(outputs)
        leaves = [trace.variable(x, seen) for x in leaves]
    seeds = [seed_of(y, g, "gradients") for y, g in zip(outputs, given, strict=True)]
    graph = state.mode.recording or state.mode.trace is not None or any(t.is_symbolic for t in (*outputs, *seeds))
    return rebuild(vector_jacobian(outputs, leaves, seeds, graph))
