"""One run of a function with a custom gradient: its arguments, what it returned, and its rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.apply import as_tensor
from graphnet.carried import is_array
from graphnet.container_parts import is_numbers
from graphnet.containers import Structure, flatten
from graphnet.leaves import symbolic
from graphnet.mode import noting, state
from graphnet.node import Tensor, as_array, constant
from graphnet.ops.shaping import snapshot

Function = Callable[..., Any]
NUMBERS = (float, int, np.generic)


def _is_data(leaf: Any) -> bool:
    """Whether a leaf is a number, or a list of numbers."""
    return (isinstance(leaf, NUMBERS) and not isinstance(leaf, bool)) or is_numbers(leaf)


class CustomArguments:
    """The positional arguments of a custom gradient: their arrays as a flat list of tensors, and the rest."""

    def __init__(self, name: str, args: Sequence[Any]):
        self.name = name
        self.xs: list[Tensor] = []
        #: for each argument its structure, its leaves (None for a tensor), and where its tensors are among `xs`
        self.parts: list[tuple[Structure, list[Any], list[int]]] = []
        flat = [flatten(a) for a in args]
        # Numbers stay numbers beside arrays, whose dtype they must not change; alone they are arrays.
        alone = not any(
            isinstance(leaf, (Tensor, np.generic)) or is_array(leaf) for leaves, _ in flat for leaf in leaves
        )
        for leaves, form in flat:
            kept, places = [], []
            for leaf in leaves:
                if isinstance(leaf, Tensor):
                    t = snapshot(leaf) if state.mode.trace is not None else leaf
                elif is_array(leaf) or (alone and _is_data(leaf)):
                    t = constant(as_array(leaf, copy=True))
                else:
                    kept.append(leaf)
                    continue
                places.append(len(self.xs))
                self.xs.append(t)
                kept.append(None)
            self.parts.append((form, kept, places))

    def given(self, xs: Sequence[Tensor]) -> list[Any]:
        """The arguments with these tensors."""
        listed = []
        for form, kept, places in self.parts:
            own = iter(places)
            listed.append(form([xs[next(own)] if leaf is None else leaf for leaf in kept]))
        return listed

    def matched(self, answer: Any) -> list[Tensor | None]:
        """The gradient for each tensor, None for none, from what a rule answered."""
        count = len(self.parts)
        holding = [part for part in self.parts if part[2]]
        listed = list(answer) if isinstance(answer, (tuple, list)) and not is_numbers(answer) else [answer]
        if len(holding) == 1 and (count == 1 or len(listed) != count):
            # Of a single argument: its gradient in its own form, or that in a tuple.
            form = holding[0][0]
            listed = (
                listed if len(listed) == 1 and _fits(form, listed[0]) else [answer] if _fits(form, answer) else listed
            )
        chosen = self.parts if len(listed) == count else holding if len(listed) == len(holding) else None
        if chosen is None:
            raise ValueError(f"{self.name}: {count} arguments, but its gradient gave {len(listed)}")
        found: list[Tensor | None] = [None] * len(self.xs)
        for n, ((form, kept, places), part) in enumerate(zip(chosen, listed, strict=True)):
            if part is None or not places:
                continue
            what = f"{self.name}: the gradient for argument {n}"
            own = iter(places)
            for leaf, h in zip(kept, form.match(part, what, none=True), strict=True):
                if leaf is None:
                    place = next(own)
                    found[place] = self._checked(h, self.xs[place], what)
        return found

    def forgotten(self) -> CustomArguments:
        """These arguments, without what their tensors were made from."""
        other: CustomArguments = object.__new__(CustomArguments)
        other.name, other.parts = self.name, self.parts
        other.xs = [symbolic(t.shape, t.dtype) for t in self.xs]
        return other

    @staticmethod
    def _checked(h: Any, x: Tensor, what: str) -> Tensor | None:
        if h is None or x.dtype.kind != "f":
            return None
        t = as_tensor(h)
        if t.shape != x.shape:
            raise ValueError(f"{what} has shape {t.shape}; the argument {x.shape}")
        return t


def _fits(form: Structure, part: Any) -> bool:
    """Whether `part` is a gradient in this form."""
    if form.is_leaf:
        return not isinstance(part, (tuple, list)) or is_numbers(part)
    try:
        form.match(part, "", none=True)
    except (TypeError, ValueError):
        return False
    return True


class CustomRule:
    """The gradient that one run of a function with a custom gradient returned, and what its outputs were."""

    def __init__(self, rule: Function, leaves: Sequence[Any], left: Sequence[Any]):
        self.rule = rule
        self.left = left  # what left the graph while the outputs were computed
        self.specs = [(t.shape, t.dtype) for t in leaves if isinstance(t, Tensor)]

    def __call__(self, arguments: CustomArguments, gs: Sequence[Tensor]) -> list[Tensor | None]:
        """The gradients for the tensors among the arguments, from one call with those of all outputs."""
        own = iter(gs)
        given = [next(own) if dtype.kind == "f" else constant(np.zeros(shape, dtype)) for shape, dtype in self.specs]
        return arguments.matched(self.rule(*given))


def run_once(
    f: Function, name: str, arguments: CustomArguments, xs: Sequence[Tensor], kwargs: dict[str, Any]
) -> tuple[list[Any], Structure, CustomRule]:
    """The leaves of the result of `f`, with tensors for its arrays, their structure, and the rule."""
    with noting(inside=False) as left:
        # Its history is for the rule, which may use what was computed on the way, and be differentiated itself.
        result = f(*arguments.given(xs), **kwargs)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        raise TypeError(f"{name}: a custom gradient returns (result, function of the result's gradient)")
    leaves, form = flatten(result[0])
    leaves = [constant(as_array(t)) if is_array(t) or isinstance(t, NUMBERS) else t for t in leaves]
    if state.mode.trace is not None:
        leaves = [snapshot(t) if isinstance(t, Tensor) else t for t in leaves]
    return leaves, form, CustomRule(result[1], leaves, left)


def differentiable(leaves: Sequence[Any]) -> list[int]:
    """The places of what has a gradient."""
    return [place for place, t in enumerate(leaves) if isinstance(t, Tensor) and t.dtype.kind == "f"]
