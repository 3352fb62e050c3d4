"""What numbers a run gave, written on the nodes: values, norms of gradients, seconds, and the first NaN marked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.apply import failure
from graphnet.graph import Graph
from graphnet.node import Tensor
from graphnet.viz.scene import Node, Scene
from graphnet.viz.statistics import statistics

#: times that each op is run when its time is asked for; the median counts
_TURNS = 5


class Run:
    """A graph computed node by node: `values` and `seconds` by tensor, `gradients` where the result is one number."""

    def __init__(self, graph: Graph, arguments: Any = True, timed: bool = False, gradients: bool = True):
        self.graph = graph
        self.values: dict[Tensor, np.ndarray] = {}
        self.gradients: dict[Tensor, np.ndarray] = {}
        self.seconds: dict[Tensor, float] = {}
        known = arguments is True
        if known:
            self.values = {t: t._value for t in graph.nodes if not t.is_symbolic}
            self.gradients = {t: t.grad._value for t in graph.nodes if t.op is None and t.grad is not None}
            if not self.values:
                raise ValueError("values=True shows what is known already, and nothing is: give values=[an array, ...]")
        else:
            self._compute(arguments, timed)
            if gradients:
                self._differentiate()
        self.first_bad = self._bad()

    def _compute(self, arguments: Any, timed: bool) -> None:
        graph = self.graph
        names = [graph.names[t] for t in graph.inputs]
        if isinstance(arguments, Mapping):
            missing = [n for n in names if n not in arguments]
            if missing or len(arguments) != len(names):
                raise ValueError(f"values are for the inputs {', '.join(names)}; received {', '.join(arguments)}")
            arguments = [arguments[n] for n in names]
        elif not isinstance(arguments, (list, tuple)) or (
            len(names) == 1 and not (len(arguments) == 1 and np.shape(arguments[0]) == graph.inputs[0].shape)
        ):
            arguments = [arguments]
        if len(arguments) != len(names):
            raise ValueError(f"values are for {len(names)} inputs ({', '.join(names)}); received {len(arguments)}")
        for place, (t, a) in enumerate(zip(graph.inputs, arguments, strict=True)):
            given = graph.argument(place, a)
            self.values[t] = given._value if isinstance(given, Tensor) else given
        with np.errstate(all="ignore"):
            for t in graph.nodes:
                if t in self.values:
                    continue
                if t.op is None:
                    self.values[t] = t._value
                    continue
                inputs = [self.values[i] for i in t.inputs]
                taken = []
                for _ in range(_TURNS if timed else 1):
                    start = time.perf_counter()
                    try:
                        value = t.op.forward(*inputs, **t.attrs)
                    except Exception as error:
                        raise failure(t.op, error, t.inputs, t.attrs) from None
                    taken.append(time.perf_counter() - start)
                self.values[t] = np.asarray(value)
                self.seconds[t] = sorted(taken)[len(taken) // 2]

    def _differentiate(self) -> None:
        """The gradient of the one number for every node on the way to it."""
        graph = self.graph
        numbers = [t for t in graph.outputs if t.shape == () and t.dtype.kind == "f" and t.requires_grad]
        if len(graph.outputs) != 1 or not numbers or any(t.gradient_of is not None for t in graph.nodes):
            return
        reached, given = {numbers[0]}, set(graph.inputs)
        for t in reversed(graph.nodes):
            if t in reached and t not in given:
                reached.update(t.inputs)
        wanted = [t for t in graph.nodes if t in reached and t.dtype.kind == "f" and t.requires_grad]
        try:
            slopes = graph.gradient(wanted)
        except TypeError:  # an op on the way has no derivative
            return
        with np.errstate(all="ignore"):
            found = Graph(slopes.inputs, list(slopes.outputs))(*[self.values[t] for t in graph.inputs])
        self.gradients.update((t, g._value) for t, g in zip(wanted, found, strict=True))

    def _bad(self) -> tuple[Tensor, str] | None:
        """The first op that made a NaN, or if none did an infinity, out of finite inputs."""
        found: dict[str, Tensor] = {}
        finite = {t: v.dtype.kind != "f" or bool(np.isfinite(v).all()) for t, v in self.values.items()}
        for t in self.graph.nodes:
            if finite.get(t, True) or not all(finite.get(i, True) for i in t.inputs):
                continue
            kind = "NaN" if np.isnan(self.values[t]).any() else "infinity"
            found.setdefault(kind, t)
        for kind, t in found.items():
            if kind == "NaN" or "NaN" not in found:
                return t, kind
        return None

    def overlay(self, node: Node, tensors: Sequence[Tensor]) -> None:
        """Write on a node what is known; on a closed box what its last tensor is, and whether it has the first NaN."""
        if self.first_bad is not None and any(t is self.first_bad[0] for t in tensors):
            node.mark = "nan"
            node.lines.append(f"first {self.first_bad[1]}")
        t = tensors[-1]
        if t in self.values and node.kind != "folded":
            text = summary(self.values[t])
            constant = node.kind == "constant"
            if text and not (constant and t.size <= 4):
                node.lines.append(text)
            node.data["value"] = statistics(self.values[t])
        if t in self.gradients:
            slope = statistics(self.gradients[t])
            norm = "nan" if slope.get("nan") else "inf" if slope.get("inf") else slope.get("norm", 0.0)
            node.lines.append(f"∇ {_short(norm)}")
            node.data["gradient"] = slope

    def explain(self, scene: Scene) -> None:
        """Say what the numbers are."""
        if any(v.size > 1 for v in self.values.values()):
            scene.say("values: mean ± standard deviation, least … greatest")
        if self.gradients:
            scene.say("∇: norm of the gradient")


def summary(value: np.ndarray) -> str:
    """An array in a few characters: up to 4 numbers as they are, of more the mean, the spread and the ends.

    >>> summary(np.array([1.0, 2.0])), summary(np.arange(5.0))
    ('[1, 2]', '2 ± 1.41, 0 … 4')
    """
    value = np.asarray(value)
    if value.size == 0:
        return ""
    if value.shape == ():
        return _short(value.item())
    if value.size <= 4:
        return f"[{', '.join(_short(v) for v in value.ravel().tolist())}]"
    if value.dtype.kind == "b":
        return f"{np.count_nonzero(value) / value.size:.0%} true"
    s = statistics(value)
    bad = s.get("nan", 0) + s.get("inf", 0)
    texts = (
        [f"{_short(s['mean'])} ± {_short(s['std'])}, {_short(s['min'])} … {_short(s['max'])}"] if "mean" in s else []
    )
    return ", ".join(texts + ([f"{bad} not finite"] if bad else []))


def _short(v: Any) -> str:
    return f"{v:.3g}" if isinstance(v, float) else str(v)
