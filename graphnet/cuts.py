"""Where the gradient rule of somebody else's left the graph: its result is right, its own derivative is an error.

A rule written with `math` or NumPy gives the right numbers. Only who differentiates them once more would get zeros for
what was taken out of the graph, and who makes a graph of them the numbers of the first run. So the result keeps an edge
to everything that left, and whoever asks along that edge is told what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphnet.apply import apply, as_tensor
from graphnet.arrays import STAYING, Spec
from graphnet.mode import state
from graphnet.node import Tensor
from graphnet.record import OPS, Joint, Op, registered


class Cut:
    """Why the derivative of a gradient is not known: `how` something left the graph in the rule of `what`.

    `constant` tells, where it is there, whether nothing was lost after all: then the derivative is 0.
    """

    def __init__(self, what: str, how: str, constant: Callable[[], bool] | None = None):
        self.what, self.how, self.constant = what, how, constant
        self.verdict: bool | None = False if constant is None else None
        self.symbolic = False
        self.first = True

    def __repr__(self) -> str:
        return f"<cut in {self.what}>"

    @property
    def error(self) -> TypeError:
        error = TypeError(
            f"{self.what}: {self.how}: the value is right, but its own derivative would be lost. {STAYING}"
        )
        error._graphnet_named = True  # type: ignore[attr-defined]
        return error

    def forward(self, h: np.ndarray) -> np.ndarray:
        """`h`, once: run again, in a graph or a checkpoint, it would be the number of the first run."""
        if not (self.first or self.symbolic or self.nothing_lost()):
            raise self.error
        self.first = False
        return h

    def nothing_lost(self, unsure: bool = False) -> bool:
        """Whether nothing was; `unsure` where that can't be found out."""
        if self.verdict is None:
            try:
                self.verdict = self.constant()  # type: ignore[misc]
            except Exception:  # the function has no value there
                self.verdict = unsure
        return self.verdict

    def slopes(self, wanted: Sequence[int], g: Any, inputs: Sequence[Any]) -> list[Any]:
        if any(wanted) and not self.nothing_lost():
            raise self.error
        if isinstance(g, Tensor):
            # What the rule multiplies this gradient by depends on what left, too.
            g = cut(g, inputs[1:], Cut(self.what, self.how, self.nothing_lost if self.constant else None), g.dtype)
        return [None if place else g for place in wanted]


def _cut_each(batch: Sequence[bool], h: Tensor, *sources: Tensor, call: Any) -> Tensor:
    count = next(x.shape[0] for x, wide in zip((h, *sources), batch, strict=True) if wide)
    h = h if batch[0] else apply(OPS["broadcast_to"], (h,), {"shape": (count, *h.shape)})
    return apply(_CUT, (h, *sources), {"call": call})


_CUT = registered(
    Op(
        "left_graph",
        "op",
        lambda *inputs, call: call.forward(inputs[0]),
        lambda *inputs, call: Spec(inputs[0].shape, inputs[0].dtype),
        Joint(lambda wanted, g, y, *inputs, call: call.slopes(wanted, g, inputs)),
        hidden=True,
        builtin=True,
        batch=_cut_each,
    )
)


def cut(h: Any, sources: Iterable[Tensor], call: Cut, dtype: np.dtype) -> Any:
    """The gradient `h` with an edge to each of `sources`, which it depends on in a way that is not known."""
    tensors = tuple(dict.fromkeys(sources))
    if h is None or not tensors or not state.mode.recording:
        return h
    h = as_tensor(h)
    if h.dtype.kind not in "fc":
        h = apply(OPS["astype"], (h,), {"dtype": dtype})
    call.symbolic = h.is_symbolic
    return apply(_CUT, (h, *tensors), {"call": call})


def marked(h: Any, left: Sequence[tuple[Tensor, str]], what: str, dtype: np.dtype) -> Any:
    """The gradient `h` that a rule gave while the tensors in `left` left the graph."""
    if not left:
        return h
    return cut(h, [t for t, _ in left], Cut(what, f"{left[0][1]} takes a tensor out of the graph"), dtype)


def depends(h: Any, begun: int, g: Iterable[Tensor], on: Iterable[Tensor]) -> bool:
    """Whether what was made since the tick `begun` leads from `h` to one of `on`, other than through `g`."""
    wanted, seen = set(on), set(g)
    stack = [h] if isinstance(h, Tensor) else []
    while stack:
        t = stack.pop()
        if t in seen:
            continue
        if t in wanted:
            return True
        seen.add(t)
        if t.op is not None and t._tick >= begun:
            stack.extend(i for i in t._inputs if isinstance(i, Tensor))
    return False


def nearby(x: np.ndarray) -> np.ndarray:
    """Other numbers than `x`, near it, with the same signs."""
    if x.dtype.kind != "f":
        return x
    step = np.sqrt(np.sqrt(np.finfo(x.dtype).eps))
    return np.where(x == 0, step, x * (1 + step)).astype(x.dtype)


def same(found: Any, other: Any) -> bool:
    """Whether two gradients are the same but for rounding."""
    if (found is None) != (other is None):
        return False
    if found is None:
        return True
    a, b = np.asarray(found), np.asarray(other)
    if a.shape != b.shape:
        return False
    scale = max((float(np.max(np.abs(v), initial=0.0, where=np.isfinite(v))) for v in (a, b)), default=0.0)
    return bool(np.allclose(a, b, rtol=0, atol=64 * np.finfo(a.dtype).eps * scale, equal_nan=True))
