"""The picture of a plan: the graph that runs, in the order it runs, fused kernels as boxes with their code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.plans.plan import Plan
from graphnet.viz.render import STILL, drawn
from graphnet.viz.scene import Node, Scene
from graphnet.viz.scenes import scene_of
from graphnet.viz.words import plural

#: lines of code that a tooltip has at most
_LINES = 60


def plan_scene(plan: Plan, kernels: bool = True, heat: str | None = None, profile: Any = None, **options: Any) -> Scene:
    """The scene of a plan; options as for `draw`."""
    from graphnet.plans.order.schedule import members

    if heat is not None and profile is None:
        profile = plan.profile()
    # A profile keeps the graph of its backend; the plan may have gone on to native code since.
    same = profile is None or profile.backend == plan.backend
    code = plan.code
    if profile is not None:
        graph = profile.graph
        steps = [row.nodes for row in profile.rows]
    else:
        graph = code.graph
        steps = [tuple(members(step)) for step in code.steps]
    place_of = {t: place for place, nodes in enumerate(steps) for t in nodes}
    known = same and len(code.steps) == len(steps)
    paths: dict[Tensor, tuple[Region, ...]] | None = None
    if kernels:
        paths = {}
        for place, nodes in enumerate(steps):
            if len(nodes) > 1:
                box = Region(f"kernel {place}", "kernel", None, {"code": _cut(code.text_of(place)) if known else ""})
                paths.update(dict.fromkeys(nodes, (box,)))

    def with_code(node: Node, tensors: Sequence[Tensor]) -> None:
        place = place_of.get(tensors[0])
        if place is None:
            return
        node.data["step"] = place
        if known and node.kind not in ("kernel", "region", "gradient region"):
            node.data["code"] = code.text_of(place)
            node.tooltip += "\n" + _cut(node.data["code"])

    options.setdefault("title", f"{plan.graph.name or 'plan'}, {plan.backend if same else profile.backend}")
    options.setdefault("fold", False)
    scene = scene_of(graph, heat=heat, profile=profile, paths=paths, overlays=[with_code], **options)
    if kernels:
        # What belongs to what is told by the layers; here it is what runs together.
        scene.edges = [e for e in scene.edges if not e.tie]
    scene.say(f"{plural(len(steps), 'step')}, {sum(len(s) > 1 for s in steps)} of them fused")
    return scene


def _cut(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines if len(lines) <= _LINES else [*lines[:_LINES], f"… {len(lines) - _LINES} more lines"])


def draw_plan(
    plan: Plan,
    path: Any = None,
    *,
    rankdir: str = "TB",
    legend: bool = True,
    engine: str = "auto",
    timeout: float | None = None,
    **options: Any,
) -> Any:
    """A picture of what a plan runs, or with a path that ends in .html its page.

    Options are as for `draw` and `page`; in a picture `kernels` says whether boxes are kernels or layers.
    """
    if path is not None and Path(path).suffix.lower() in (".html", ".htm"):
        from graphnet.viz.interactive import page

        options.pop("kernels", None)
        return page(plan, path, **{k: v for k, v in options.items() if k not in STILL})
    return drawn(lambda: plan_scene(plan, **options), path, rankdir, legend, engine, timeout)
