"""What a function computed, without the values: its ops in order, to be run again on other inputs.

A `Program` is taken from tensors that a function returned, back to the tensors that were there before it ran. Values
that kept no history (random masks, comparisons, arrays) are its constants: so a program that runs again draws no number
anew and moves no state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphnet.apply import apply_prepared
from graphnet.leaves import Parameter
from graphnet.mode import state
from graphnet.node import Tensor, constant
from graphnet.record import frozen

#: bytes of the largest constants that are compared by content
COMPARED = 4096


class Program:
    """Ops in order. Values are numbered: those of `inputs` first, then the constants, then one for each op.

    `steps` has for each op: the op, the numbers of what it takes, its attributes, region, code and instruction;
    `outputs` are numbers of values.
    """

    def __init__(self, inputs: int, constants: list[Tensor], steps: list[tuple[Any, ...]], outputs: list[int]):
        self.inputs = inputs
        self.constants = constants
        self.steps = steps
        self.outputs = outputs
        self._content: Any = None

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs for other inputs, computed in the current mode; regions and lines are those of the first run."""
        values = [*inputs, *self.constants]
        before = state.mode
        try:
            for op, places, attrs, region, code, lasti in self.steps:
                if state.mode.region is not region:
                    state.mode = before.replaced(region=region)
                y = apply_prepared(op, [values[p] for p in places], attrs)
                if y.op is not None:
                    y._code, y._lasti = code, lasti
                values.append(y)
        finally:
            state.mode = before
        return [values[p] for p in self.outputs]

    @property
    def content(self) -> Any:
        """What it computes, as something to compare and hash: so loops over it are compiled once."""
        if self._content is None:
            self._content = self._compared()
        return self._content

    def _compared(self) -> Any:
        constants = [
            (c.shape, c.dtype, c._value.tobytes() if c.nbytes <= COMPARED else id(c._value)) for c in self.constants
        ]
        steps = [(op, places, frozen(attrs) if attrs else None) for op, places, attrs, *_ in self.steps]
        return self.inputs, tuple(constants), tuple(steps), tuple(self.outputs)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Program) and self.content == other.content)

    def __hash__(self) -> int:
        return hash(self.content)

    def __repr__(self) -> str:
        return f"<Program of {len(self.steps)} ops, {self.inputs} inputs>"


def captured(
    outputs: Sequence[Tensor], begun: int, own: Sequence[Tensor] = (), what: str = "the function"
) -> tuple[Program, list[Tensor]]:
    """The program that computes `outputs` by what was made since the tick `begun`, and the inputs it was run on.

    Inputs are `own`, then every tensor from before, and every leaf, that needs a gradient or whose value is not known
    yet. Raises `RuntimeError` where a parameter was assigned after an op used it: its value from before is gone.
    """
    inside: list[Tensor] = []
    inputs: dict[Tensor, None] = dict.fromkeys(own)
    constants: dict[Tensor, None] = {}
    seen: set[Tensor] = set(own)
    stack = list(outputs)
    live = state.mode.trace is not None or any(t.is_symbolic for t in outputs)  # parameters are read when it runs
    while stack:
        t = stack.pop()
        if t in seen:
            continue
        seen.add(t)
        if t.op is not None and t._tick >= begun:
            inside.append(t)
            stack.extend(t.inputs)
        elif t.is_symbolic or t.requires_grad or (live and isinstance(t, Parameter)):
            inputs[t] = None
        else:
            constants[t] = None
    inside.sort(key=lambda t: t._tick)
    number = {t: n for n, t in enumerate((*inputs, *constants, *inside))}
    steps = []
    for t in inside:
        if not t.is_symbolic:
            for i in t.inputs:
                if isinstance(i, Parameter) and i._changed > t._tick:
                    raise RuntimeError(
                        f"{what}: the parameter {i.name or ''} was assigned after {t.op.name} used it, and what is "  # type: ignore[union-attr]
                        "computed again needs the value from before: assign outside of it"
                    )
        attrs = t.attrs
        call: Any = attrs.get("call")
        if hasattr(call, "forgotten"):
            attrs = {**attrs, "call": call.forgotten(t._value)}
        steps.append((t.op, tuple([number[i] for i in t.inputs]), attrs, t.region, t._code, t._lasti))
    kept = [constant(t._value) for t in constants]
    trace = state.mode.trace
    given = [t if trace is None else trace.begun(t) for t in inputs]  # what the ops read, whatever was assigned since
    return Program(len(inputs), kept, steps, [number[t] for t in outputs]), given
