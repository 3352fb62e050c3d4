"""Where the time of a plan goes: each step timed alone, and mapped back to ops, layers and source lines."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet import ops
from graphnet.apply import described
from graphnet.arrays import known
from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import Tensor, made_by
from graphnet.ops.convolution import conv_kernel
from graphnet.ops.planned import GEMM
from graphnet.plans.code.function import Code, load, numpy_code
from graphnet.plans.code.text import Line
from graphnet.plans.kernels.convolutions import OPS as CONVOLUTIONS
from graphnet.plans.order.fusion import Group, Step
from graphnet.plans.order.schedule import members, read_by
from graphnet.plans.takeover import native_code

if TYPE_CHECKING:
    from graphnet.graph import Graph
    from graphnet.plans.plan import Plan


@dataclass(frozen=True)
class Row:
    """One step: `seconds` (the median over the runs), `nbytes` read and written, `flops` of products and convolutions.

    `kind` is "kernel" (native loops), "product" (a call of BLAS) or "numpy". `nodes` are what it computes.
    """

    step: int
    kind: str
    nodes: tuple[Tensor, ...]
    seconds: float
    nbytes: int
    flops: int = 0

    @property
    def ops(self) -> str:
        """The names of its ops, those that come often once, with their number."""
        counts = Counter(t.op.name for t in self.nodes if t.op is not None)
        return ", ".join(name if n == 1 else f"{name} x{n}" for name, n in counts.items())

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that its nodes were made in."""
        paths = (t.region.path_text if t.region is not None else "" for t in self.nodes)
        return tuple(dict.fromkeys(p for p in paths if p))

    @property
    def sites(self) -> tuple[tuple[str, int], ...]:
        """The (file, line) of the code that made its nodes."""
        return tuple(dict.fromkeys(t.site for t in self.nodes if t.site is not None))


class Profile:
    """`rows`, one for each step of a plan; `str()` is a table, the slowest first.

    * `seconds`: the sum over the steps; `backend`: "native" or "numpy";
    * `by_op()`, `by_layer()`, `by_site()`: seconds by name, the most first; nodes share a step's time;
    * `draw()`: a picture of the graph that ran, with its times as colour;
    * `by_node()`: seconds and bytes by tensor of `graph`, the graph that runs: what a picture shows as heat.
    """

    def __init__(self, rows: Sequence[Row], backend: str, graph: Graph):
        self.rows = tuple(rows)
        self.backend = backend
        self.graph = graph

    @property
    def seconds(self) -> float:
        """The time of all steps."""
        return sum(row.seconds for row in self.rows)

    def _shared(self, keys: Any) -> dict[Any, float]:
        totals: dict[Any, float] = {}
        for row in self.rows:
            for t in row.nodes:
                key = keys(t)
                totals[key] = totals.get(key, 0.0) + row.seconds / len(row.nodes)
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    def by_op(self) -> dict[str, float]:
        """Seconds by op."""
        return self._shared(lambda t: t.op.name if t.op is not None else "")

    def by_layer(self) -> dict[str, float]:
        """Seconds by layer; "" is outside of any."""
        return self._shared(lambda t: t.region.path_text if t.region is not None else "")

    def by_site(self) -> dict[tuple[str, int] | None, float]:
        """Seconds by (file, line)."""
        return self._shared(lambda t: t.site)

    def by_node(self) -> dict[Tensor, tuple[float, int]]:
        """(seconds, bytes) by node, a step's shared equally by its nodes."""
        return {t: (r.seconds / len(r.nodes), r.nbytes // len(r.nodes)) for r in self.rows for t in r.nodes}

    def draw(self, path: Any = None, **options: Any) -> Any:
        """A picture of the graph that ran, with the time of its nodes as colour; options as for `Graph.draw`."""
        return self.graph.draw(path, profile=self, **options)

    def __str__(self) -> str:
        total = self.seconds or 1.0
        lines = [
            f"{self.backend} plan, {len(self.rows)} steps, {self.seconds * 1e6:,.1f} us",
            f"{'step':>4} {'us':>10} {'share':>6} {'KB':>10} {'GB/s':>7} {'GFLOP/s':>8}  what",
        ]
        for row in sorted(self.rows, key=lambda r: -r.seconds):
            rate = row.nbytes / row.seconds / 1e9 if row.seconds else 0.0
            speed = f"{row.flops / row.seconds / 1e9:8.1f}" if row.flops and row.seconds else f"{'':8}"
            where = f" [{', '.join(row.layers)}]" if row.layers else ""
            lines.append(
                f"{row.step:4} {row.seconds * 1e6:10.1f} {row.seconds / total:6.1%} {row.nbytes / 1024:10,.1f} "
                f"{rate:7.1f} {speed}  {row.kind}: {row.ops}{where}"
            )
        return "\n".join([line(text) for text in lines])

    __repr__ = __str__


def profiled(plan: Plan, arrays: Sequence[Any], repeat: int) -> Profile:
    """The profile of a plan as its backend is now. Its parameters are not changed: the runs work on copies."""
    graph = plan.graph
    if arrays and len(arrays) != len(graph.inputs):
        listed = ", ".join(f"{graph.names[t]}: {described(t)}" for t in graph.inputs)
        raise ValueError(
            f"the plan takes {len(graph.inputs)} arrays, one by one, also where the function takes containers of them "
            f"({listed}); received {len(arrays)}"
        )
    if arrays:
        values = [np.ascontiguousarray(known_array(graph.argument(i, a))) for i, a in enumerate(arrays)]
    else:
        values = [np.zeros(t.shape, t.dtype) for t in graph.inputs]
    code = (native_code if plan.backend == "native" else numpy_code)(graph, apart=True)
    function, times = _timed(code)
    parameters = [known(p).copy() for p in code.parameters]
    measured: list[list[float]] = [[] for _ in code.steps]
    with np.errstate(all="ignore"):
        for turn in range(repeat + 1):
            times[:] = [0.0] * len(times)
            function(*values, *parameters)
            if turn:
                for place, seconds in enumerate(times[: len(code.steps)]):
                    measured[place].append(seconds)
    rows = [_row(code, place, step, statistics.median(measured[place])) for place, step in enumerate(code.steps)]
    return Profile(rows, code.kind, code.graph)


def known_array(value: Any) -> np.ndarray:
    """The array of an argument."""
    return known(value) if isinstance(value, Tensor) else value


def _timed(code: Code) -> tuple[Any, list[float]]:
    """The function of a code with a clock around each line that runs a step."""
    times = [0.0] * (len(code.steps) + 1)
    step_of = {at: place for place, at in code.lines.starts}
    body: list[Line] = []
    for number, text in enumerate(code.lines.body):
        if number in step_of:
            stop = f"k_times[{step_of[number]}] += k_now() - k_start"
            body += [Line("k_start = k_now()", ""), text, Line(stop, "")]
        else:
            body.append(text)
    scope = {**code.lines.scope, "k_now": time.perf_counter, "k_times": times}
    return load(replace(code, lines=code.lines._replace(body=tuple(body), scope=scope))), times


def _row(code: Code, place: int, step: Step, seconds: float) -> Row:
    nodes: Iterable[Tensor] = members(step)
    read = sum(t.nbytes for t in read_by(step, code.order.views))
    written = sum(t.nbytes for t in nodes if t in code.memory.stored)
    if isinstance(step, Group):
        return Row(place, "kernel", tuple(nodes), seconds, read + written)
    t = step.node
    flops = 0
    if made_by(t, ops.matmul, GEMM):
        flops = 2 * t.size * t.inputs[0 if made_by(t, ops.matmul) else 1].shape[-1]
    elif made_by(t, *CONVOLUTIONS):
        # Each number of the windows' side meets a kernel for its channel.
        side = t.inputs[0] if made_by(t, ops.conv_transpose) else t.inputs[1] if made_by(t, conv_kernel) else t
        kernel = t if made_by(t, conv_kernel) else t.inputs[1]
        flops = 2 * side.size * (kernel.size // kernel.shape[-1])
    kind = "product" if step.product else "kernel" if code.kernels[place] is not None else "numpy"
    return Row(place, kind, (t,), seconds, read + written, flops)
