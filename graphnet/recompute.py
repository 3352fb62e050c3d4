"""`checkpoint`: a function that keeps its arguments and computes the rest again when a gradient is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from graphnet.apply import apply
from graphnet.carried import Call, attached, custom, is_array
from graphnet.containers import flatten
from graphnet.functions import function
from graphnet.leaves import variable
from graphnet.mode import mode
from graphnet.node import Tensor, as_array, constant, tick
from graphnet.ops.shaping import identity
from graphnet.parts import Packing
from graphnet.replay import Program, captured
from graphnet.tensor_gradients import vector_jacobian
from graphnet.typed import P, R

Function = Callable[..., Any]


class _Recomputed(Call):
    """A checkpoint: the program of its function, run again to be differentiated."""

    def __init__(self, name: str, program: Program, packing: Packing, inputs: Sequence[Tensor], ready: Any):
        self.name = name
        self.program = program
        self.packing = packing
        self.specs = [(t.shape, t.dtype) for t in inputs]
        self.ready = ready

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Recomputed)
            and (self.specs, self.packing.specs) == (other.specs, other.packing.specs)
            and self.program == other.program
        )

    def __hash__(self) -> int:
        return hash(self.program)

    def __repr__(self) -> str:
        return f"<checkpoint of {self.name}>"

    def computed(self, inputs: Sequence[Tensor]) -> Any:
        ys = self.program.run(inputs)
        return Packing(ys).packed(ys)

    def slopes(self, wanted: Sequence[int], gs: Sequence[Tensor], inputs: Sequence[Tensor], graph: bool) -> list[Any]:
        again = list(inputs)
        with mode(recording=True):
            for place in wanted:
                again[place] = apply(identity.op, (inputs[place],)) if graph else variable(inputs[place]._value)
            ys = self.program.run(again)
        return list(vector_jacobian(ys, [again[place] for place in wanted], gs, graph))


def checkpoint(f: Callable[P, R]) -> Callable[P, R]:
    """`f`, keeping only its arguments: what it computes on the way is computed again when a gradient is asked for.

    Memory for time (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). Values and gradients, also
    those of parameters and tensors that `f` uses, and of any order, are those of `f`: the ops are run again, not the
    Python, so that random numbers are the same and states move once. Arrays and lists of floats among the arguments
    become tensors; anything else (numbers, shapes, strings, None, `self` of a method) is handed on as it is. What keeps
    no history (masks of comparisons, random numbers, integers) stays in memory. In a compiled function equal ops are
    computed once, so that there it changes nothing.

    Raises `RuntimeError` where `f` assigns a parameter that it used for its output before.

    >>> import graphnet as gn
    >>> block = gn.checkpoint(lambda x: gn.tanh(gn.exp(x)))
    >>> gn.grad(lambda x: block(x).sum())(gn.tensor([0.0])).round(6)
    Tensor([0.419974])
    """
    function(f, "checkpoint")
    name = getattr(f, "__name__", "a function")

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        args = tuple([_converted(a) for a in args])
        kwargs = {key: _converted(a) for key, a in kwargs.items()}
        begun = tick()
        result = f(*args, **kwargs)
        leaves, form = flatten(result)
        places = [
            place
            for place, t in enumerate(leaves)
            if isinstance(t, Tensor) and t.requires_grad and t.op is not None and t._tick >= begun
        ]
        if not places:
            return result
        ys = [leaves[place] for place in places]
        program, inputs = captured(ys, begun, what=f"checkpoint({name})")
        packing = Packing(ys)
        flat = packing.packed(ys)
        if isinstance(flat, Tensor):
            y = apply(attached.op, (flat, *inputs), {"call": _Recomputed(name, program, packing, inputs, None)})
        else:
            y = apply(custom.op, inputs, {"call": _Recomputed(name, program, packing, inputs, flat)})
        for place, t in zip(places, packing.unpacked(y), strict=True):
            leaves[place] = t
        return form(leaves)

    return wrapped


def _converted(value: Any) -> Any:
    """An argument with a tensor for each array in it; the argument itself if there is none."""
    if dataclasses.is_dataclass(value):
        return value  # mostly the `self` of a method, which may be changed
    leaves, form = flatten(value)
    if not any(map(is_array, leaves)):
        return value
    return form([constant(as_array(leaf, copy=True)) if is_array(leaf) else leaf for leaf in leaves])
