"""One call of a function that is differentiated: its arguments as fresh variables, and what it returned.

A function is differentiated with respect to fresh alias nodes, never the caller's own tensors, so that nested
derivatives do not confuse their variables. Whether the result has a graph of its own is decided by what it depends on:
if something else that needs a gradient took part (an outer derivative, a Parameter), it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet import sweep
from graphnet.apply import apply, as_tensor, described
from graphnet.containers import Structure, flatten
from graphnet.leaves import Parameter, variable
from graphnet.mode import differentiating, mode, state
from graphnet.node import Tensor, constant
from graphnet.ops import shaping
from graphnet.results import notice_constants, tensors
from graphnet.tensor_gradients import vector_jacobian

Function = Callable[..., Any]


def _place(form: Structure, place: int, single: bool) -> str:
    """Where a leaf of the arguments is, to end an error with."""
    return "" if form.is_leaf else f" in {form.places('the argument' if single else 'the arguments')[place]}"


def _alias(value: Any, what: str, form: Structure, place: int, single: bool) -> Tensor:
    """A fresh variable with the value of `value`, connected to it if it needs a gradient itself."""
    # An array is copied: its owner may write to it while the history is kept.
    try:
        t = as_tensor(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}{_place(form, place, single)}") from None
    if t.dtype.kind != "f":
        raise TypeError(
            f"{what}: a derivative is taken with respect to floating-point numbers; received {described(t)}"
            f"{' (write ' + repr(float(value)) + ')' if isinstance(value, int) else ''}"
            f"{_place(form, place, single)}: use float32 or float64"
        )
    if t.is_symbolic or (t.requires_grad and (state.mode.recording or state.mode.trace is not None)):
        if state.mode.recording:
            return apply(shaping.identity.op, (t,))
        with mode(recording=True):
            return apply(shaping.identity.op, (t,))
    return variable(t._value)


def _outside(nodes: Sequence[Tensor], own: Sequence[Tensor]) -> bool:
    """Whether something besides `own` that needs a gradient took part: a leaf among the `nodes` of a history."""
    mine = set(own)
    return any(t.op is None and t not in mine for t in nodes)


def places_of(argnums: Any, count: int, what: str) -> list[int]:
    """`argnums` as places of `count` arguments, counted from the front."""
    try:
        listed = [argnums] if isinstance(argnums, (int, np.integer)) else list(argnums)
    except TypeError:
        listed = [argnums]
    if any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) for n in listed):
        given = ", ".join(described(n) if isinstance(n, Tensor) else repr(n) for n in listed)
        hint = ""
        if any(isinstance(n, Parameter) for n in listed):
            hint = ". Parameters are named in gn.value_and_grad; here make the weights an argument of the function"
        raise TypeError(f"{what}: argnums is the place of an argument, or a tuple of places; received {given}{hint}")
    if not all(-count <= n < count for n in listed):
        given = f"{count} argument{'s' * (count != 1)}"
        raise ValueError(f"{what}: argnums is {argnums}, but the function received {given} by place")
    places = [int(n) % count for n in listed]
    if len(set(places)) < len(places):
        # The last of the variables would take the place of the others, whose gradients would be 0.
        raise ValueError(f"{what}: argnums is {argnums}, which names an argument twice")
    return places


class Differentiated:
    """One call of `f` with some arguments replaced by fresh variables, and what came out, flat.

    * `xs` the variables, `form` the containers around them; `outputs` what came out, `output_form` those around these,
      `ys` the same in floating point, to take derivatives of;
    * `graph`: whether the derivative is itself to be differentiable, since something else that needs a gradient took
      part;
    * `aux`: with `has_aux` the second thing that `f` returned.
    """

    def __init__(
        self,
        f: Function,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: int | Sequence[int],
        what: str,
        has_aux: bool = False,
        allow_constant: bool = False,
    ):
        self.what = what
        single = isinstance(argnums, (int, np.integer))
        places = places_of(argnums, len(args), what)
        wanted = [args[n] for n in places]
        leaves, self.form = flatten(wanted[0] if single else tuple(wanted))
        self.xs = [_alias(leaf, what, self.form, place, single) for place, leaf in enumerate(leaves)]
        recording = state.mode.recording
        fresh = self.form(self.xs)
        listed = list(args)
        for n, value in zip(places, (fresh,) if single else fresh, strict=True):
            listed[n] = value
        with differentiating(what, self.xs) as around:
            result = f(*listed, **kwargs)
        aux: Any = None
        if has_aux:
            result, aux = result_and_aux(result, what)
        outputs, self.output_form = flatten(result)
        self.outputs, self.ys = tensors(what, result, outputs, allow_constant)
        nodes, _ = sweep.history(self.ys)
        self.path = sweep.path(nodes, self.xs)
        if not (allow_constant or around.flat):
            notice_constants(what, self.ys, self.xs, self.path[1], nodes)
        self.graph = (
            any(t.is_symbolic for t in (*self.ys, *self.xs))
            or state.mode.trace is not None
            or (recording and _outside(nodes, self.xs))
        )
        self.aux = self._detached(aux, recording) if has_aux else None

    def _detached(self, aux: Any, recording: bool) -> Any:
        """`aux`, whose tensors keep a history only where an outer derivative may ask for it."""
        leaves, form = flatten(aux)
        tensors = [t for t in leaves if isinstance(t, Tensor)]
        if (
            self.graph
            or any(t.is_symbolic for t in tensors)
            or (recording and _outside(sweep.history(tensors)[0], self.xs))
        ):
            return aux
        if not any(t.requires_grad for t in tensors):
            return aux
        return form([constant(t._value) if isinstance(t, Tensor) and t.requires_grad else t for t in leaves])

    @property
    def y(self) -> Tensor:
        """The one output."""
        if len(self.ys) != 1:
            raise ValueError(f"{self.what}: the function must return one tensor; it returned {len(self.ys)}")
        return self.ys[0]

    def values(self) -> Any:
        """The outputs as the function returned them, without the history of the fresh variables."""
        return self.output_form([y if self.graph else constant(y._value) for y in self.outputs])

    def gradients(self, seeds: Sequence[Tensor], graph: bool) -> list[Tensor]:
        return vector_jacobian(self.ys, self.xs, seeds, graph, self.path)


def result_and_aux(result: Any, what: str) -> tuple[Any, Any]:
    """The two things that a function with `has_aux` returns."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(
            f"{what}: with has_aux=True the function returns a pair, (output, what else it found); "
            f"it returned {type(result).__name__}"
        )
    return result
