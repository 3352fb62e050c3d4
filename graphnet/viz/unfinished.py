"""The graph as far as it was built when something failed: the picture that belongs to an error.

A failed op notes its inputs in its error; every frame of the traceback is asked for tensors. So nothing has to be
prepared before the error happens.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from graphnet.apply import described
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor, toposort
from graphnet.viz.render import Picture, drawn
from graphnet.viz.scene import Box, Edge, Node, Scene, one_line
from graphnet.viz.scenes import scene_of

#: of a container in a frame, how many items are looked at
_ITEMS = 200


def partial(
    error: BaseException | None = None,
    path: Any = None,
    *,
    rankdir: str = "TB",
    legend: bool = True,
    engine: str = "auto",
    timeout: float | None = None,
    **options: Any,
) -> Picture:
    """A picture of what was built when `error` was raised, with the op that failed and its message in red.

    Without `error` it is the last one that nothing caught: what an interactive session has shown. It works for errors
    of ops, layers and graphs, in symbolic and in eager code (where plain data has no history). Options as for `draw`.

    Raises `ValueError` if there is no error, or no tensor in any frame of its traceback.

    >>> import graphnet as gn
    >>> x = gn.input((2, 3), name="x")
    >>> try:
    ...     gn.exp(x) @ x
    ... except ValueError as error:
    ...     picture = gn.viz.partial(error, engine="builtin")
    >>> [n.lines[0] for n in picture.scene.nodes]
    ['x', 'exp', 'matmul failed']
    """
    if error is None:
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if error is None:
            raise ValueError("there was no error that nothing caught: give the error, as in partial(error)")
    found = error
    return drawn(lambda: partial_scene(found, **options), path, rankdir, legend, engine, timeout)


def partial_scene(error: BaseException, **options: Any) -> Scene:
    """The scene of what was built when `error` was raised."""
    frames = list(_frames(error.__traceback__))
    what, params, inputs, region = _failed(error, frames)
    found: dict[Tensor, None] = {t: None for t in inputs if t.op is not None or t.is_symbolic or t.requires_grad}
    for variables, at_module in frames:
        if not (at_module and inputs):
            found.update(dict.fromkeys(_tensors(variables.values())))
    if not found and not inputs:
        raise ValueError(f"no frame of this {type(error).__name__} has a tensor: nothing was built yet")
    histories = toposort([*found, *inputs])
    if inputs:
        histories = _related(histories, toposort(inputs))
    used = {i for t in histories for i in t.inputs}
    fed = set(inputs)
    ends = [t for t in histories if t not in used and t not in fed]
    leaves = [t for t in histories if t.op is None and (t.is_symbolic or (t.requires_grad and t.__class__ is Tensor))]
    options.setdefault("title", "what was built before the error")
    ids: dict[Tensor, str] = {}

    def note(node: Node, tensors: Sequence[Tensor]) -> None:
        ids.update(dict.fromkeys(tensors, node.id))

    # Plain numbers are written into ops; here each input of what failed is to be seen.
    scene = scene_of(Graph(leaves, [*ends, *inputs]), overlays=[note], **options)
    scene.nodes = [n for n in scene.nodes if n.kind != "output"]
    scene.edges = [e for e in scene.edges if not e.head.startswith("out")]
    message = textwrap.wrap(one_line(str(error), 400), 48)
    lines = [f"{one_line(what)} failed", *message[:6], *(["…"] if len(message) > 6 else [])]
    node = Node("failed", "failed", lines, f"{type(error).__name__}: {one_line(str(error), 1000)}")
    node.box = _box_of(region, scene)
    scene.nodes.append(node)
    for place, t in enumerate(inputs):
        tail = ids.get(t)
        if tail is None:
            tail = f"given{place}"
            scene.nodes.append(Node(tail, "constant", ["given", described(t)], described(t)))
        argument = "" if len(inputs) < 2 else params[place] if place < len(params) else str(place)
        scene.edges.append(Edge(tail, "failed", described(t), argument=argument))
    return scene


def _frames(trace: TracebackType | None) -> Iterator[tuple[dict[str, Any], bool]]:
    """The variables of each frame, the outermost first, and whether they are a module's."""
    while trace is not None:
        frame = trace.tb_frame
        yield frame.f_locals, frame.f_code.co_name == "<module>"
        trace = trace.tb_next


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors with a history among values and in containers of them."""
    waiting = [(v, 0) for v in values]
    while waiting:
        value, level = waiting.pop()
        if isinstance(value, Tensor):
            if value.op is not None or value.is_symbolic:
                yield value
        elif level < 2 and isinstance(value, (list, tuple, set, frozenset)):
            waiting += [(v, level + 1) for v in list(value)[:_ITEMS]]
        elif level < 2 and type(value) is dict:
            waiting += [(v, level + 1) for v in list(value.values())[:_ITEMS]]


_Failure = tuple[str, tuple[str, ...], list[Tensor], "Region | None"]


def _failed(error: BaseException, frames: list[tuple[dict[str, Any], bool]]) -> _Failure:
    """What failed, the names of its arguments, the tensors it was given, and the region it was in."""
    known = getattr(error, "_graphnet_failed", None)
    if known is not None:
        op, given, region = known
        whole = all(isinstance(t, Tensor) for t in given)
        return op.name, op.params if whole else (), [t for t in given if isinstance(t, Tensor)], region
    for variables, at_module in reversed(frames):
        own = [] if at_module else list(dict.fromkeys(v for v in variables.values() if isinstance(v, Tensor)))
        layer = variables.get("self")
        if own:
            name, kind = getattr(layer, "name", None), getattr(layer, "kind", None)
            what = f"{name} ({kind})" if isinstance(name, str) and isinstance(kind, str) else type(error).__name__
            return what, (), own, own[-1].region
    return type(error).__name__, (), [], None


def _related(histories: list[Tensor], seeds: list[Tensor]) -> list[Tensor]:
    """Those of `histories` that share something besides constants with `seeds`."""
    near = {t for t in seeds if t.op is not None or t.is_symbolic or isinstance(t, Parameter)}
    kept = set(seeds)
    for t in histories:
        if t in near or any(i in near for i in t.inputs):
            near.add(t)
            kept.update((t, *toposort([t])) if t not in kept else ())
    return [t for t in histories if t in kept]


def _box_of(region: Region | None, scene: Scene) -> str | None:
    """The box of a region, made where nothing else was in it yet."""
    parent = None
    for r in region.path if region is not None else ():
        own = next((b for b in scene.boxes if b.parent == parent and b.label == one_line(r.name)), None)
        if own is None:
            own = Box(f"box{len(scene.boxes)}", one_line(r.name), parent)
            scene.boxes.append(own)
        parent = own.id
    return parent
