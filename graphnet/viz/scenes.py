"""The scene of a graph with all that is asked for: its gradient, the numbers of a run, time and memory as heat."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.mode import mode
from graphnet.node import constant
from graphnet.tensor_gradients import gradients
from graphnet.viz.build import build
from graphnet.viz.heat import Heat, heat_of
from graphnet.viz.scene import Scene
from graphnet.viz.values import Run


def scene_of(
    graph: Graph,
    *,
    gradient: bool = False,
    values: Any = None,
    heat: str | None = None,
    profile: Any = None,
    **options: Any,
) -> Scene:
    """The scene of a graph with what a run or a profile says about its nodes; options as for `draw`."""
    if heat not in (None, "time", "memory"):
        raise ValueError(f"heat is 'time' or 'memory'; received {heat!r}")
    if gradient:
        graph = with_gradient(graph)
    reporting: list[Run | Heat] = []
    run = None
    timed = heat == "time" and profile is None
    if timed and (values is None or values is True):
        zeros = [np.zeros(t.shape, t.dtype) for t in graph.inputs]
        run = Run(graph, zeros, timed=True, gradients=False)
    if values is not None and values is not False:
        shown = Run(graph, values, timed=timed and values is not True)
        reporting.append(shown)
        run = run or shown
    if heat is not None or profile is not None:
        reporting.append(heat_of(graph, heat, profile, run.seconds if run is not None else {}))
    if reporting:
        # One block of several would show the numbers of one.
        options["fold"] = options.get("fold", False)
    own = options.pop("overlays", ())
    scene = build(graph, overlays=[*(r.overlay for r in reporting), *own], **options)
    for r in reporting:
        r.explain(scene)
    return scene


def with_gradient(graph: Graph) -> Graph:
    """The graph with the gradient of its first output (of its sum) for parameters that learn, or else for inputs."""
    y = graph.outputs[0]
    wanted: list[Any] = [p for p in graph.parameters if p.requires_grad]
    wanted = wanted or [t for t in graph.inputs if t.dtype.kind == "f" and t.requires_grad]
    if not wanted or not y.requires_grad:
        raise ValueError("gradient=True: the first output has no gradient for a parameter or an input of this graph")
    with mode(recording=True, region=None):
        slopes = gradients(y, wanted, None if y.shape == () else constant(np.ones(y.shape, y.dtype)))
    return Graph(graph.inputs, [*graph.outputs, *slopes], graph.updates, graph.name)
