"""What of a graph can be drawn: its nodes with their boxes, what stands for what, and which words are wanted."""

from __future__ import annotations

from graphnet.apply import described
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.viz.repeats import Repeats
from graphnet.viz.scene import one_line

Path = tuple[Region, ...]


def _path(t: Tensor) -> Path:
    return t.region.path if t.region is not None else ()


def _common(paths: list[Path]) -> Path:
    """The longest beginning that all have."""
    if not paths:
        return ()
    shared = []
    for level in zip(*paths, strict=False):
        if any(r is not level[0] for r in level):
            break
        shared.append(level[0])
    return tuple(shared)


class Builder:
    """The nodes of a graph that can be drawn, with their inputs, users and boxes, and the words that are wanted."""

    def __init__(
        self,
        graph: Graph,
        backward: bool = True,
        shapes: bool = True,
        dtypes: bool = True,
        names: bool | str = True,
        parameters: bool = True,
        paths: dict[Tensor, Path] | None = None,
    ):
        if names not in (True, False, "all"):
            raise ValueError(f"names is True (those that were given), False or 'all'; received {names!r}")
        self.graph = graph
        self.names = graph.names
        self._shapes, self._dtypes, self._named = shapes, dtypes, names
        self.given = given = set(graph.inputs)
        # All inputs, in their order: one that nothing uses is part of the program too.
        nodes = [*graph.inputs, *(t for t in graph.nodes if t not in given and (backward or t.gradient_of is None))]
        keep = set(nodes)
        # A scalar constant is written into the op that uses it, as its text does.
        results = {*graph.outputs, *(t for _, t in graph.updates)}
        self.inlined = {
            t
            for t in nodes
            if t.op is None
            and not t.is_symbolic
            and t not in given
            and t not in results
            and (not parameters if isinstance(t, Parameter) else t.shape == ())
        }
        self.nodes = [t for t in nodes if t not in self.inlined]
        self.inputs = {
            t: () if t in given else tuple(i for i in t.inputs if i in keep and i not in self.inlined)
            for t in self.nodes
        }
        users: dict[Tensor, list[Tensor]] = {}
        for t in self.nodes:
            for i in self.inputs[t]:
                users.setdefault(i, []).append(t)
        if not backward:
            # Leaves that only the gradient used.
            self.nodes = [t for t in self.nodes if t.op is not None or t in users or t in results or t in given]
        self.paths = {t: _path(t) if paths is None else paths.get(t, ()) for t in self.nodes}
        for t in self.nodes:
            if t.op is None and t not in given:
                forward = [u for u in users.get(t, ()) if u.gradient_of is None] or users.get(t, [])
                self.paths[t] = _common([self.paths[u] for u in forward])
        self.repeats: Repeats | None = None

    def fold(self) -> None:
        """Let one of several equal blocks stand for all."""
        repeats = Repeats(self.nodes, self.paths, self.inputs)
        if repeats.twin:
            self.repeats, self.paths = repeats, repeats.paths

    def shown(self, t: Tensor) -> Tensor:
        """The tensor that is drawn for `t`: another if blocks are folded."""
        return self.repeats.stands(t) if self.repeats is not None else t

    def called(self, t: Tensor) -> str:
        """The name that is written on a node, or nothing."""
        if self._named == "all":
            return one_line(self.names[t])
        leaf = t in self.given or isinstance(t, Parameter)
        return one_line(t.name or (self.names[t] if leaf else "")) if self._named else ""

    def label(self, t: Tensor) -> str:
        """What an edge says: dtype and shape, as far as they are wanted."""
        if not self._shapes:
            return ""
        return described(t) if self._dtypes else str(list(t.shape))

    def representative(self, t: Tensor, depth: int | None) -> Tensor | Region:
        """What stands for `t`: itself or its twin, or the closed box it is in."""
        t = self.shown(t)
        path = self.paths[t]
        return t if depth is None or len(path) <= depth else path[depth]

    def visible(self, depth: int | None) -> int:
        """How many nodes there are with so many levels open."""
        return len({self.representative(t, depth) for t in self.nodes})

    def level(self, depth: int | str | None, limit: int) -> int | None:
        """How many levels of boxes are open."""
        if depth != "auto":
            if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 0):
                raise ValueError(f"depth is a number of open levels, None for all, or 'auto'; received {depth!r}")
            return depth
        if self.visible(None) <= limit:
            return None
        level = max((len(p) for p in self.paths.values()), default=0)
        while level > 0 and self.visible(level) > limit:
            level -= 1
        return level
