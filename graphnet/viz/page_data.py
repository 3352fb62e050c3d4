"""What a page of a graph says, as data: nodes, edges and boxes in numbers and words, each said once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.apply import described
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.record import OPS
from graphnet.viz.arranger import Arranger
from graphnet.viz.build import build
from graphnet.viz.scene import LOOKS, Scene, one_line
from graphnet.viz.sources import gradient_rules, line_text, shown_path
from graphnet.viz.statistics import rounded, statistics
from graphnet.viz.values import Run

#: as many levels of boxes are open at first as show no more nodes than this
OPEN_AT_FIRST = 60
#: more inputs or outputs than this are put into a box of their own
LONGEST_ROW = 24
#: arrays with more numbers than this are not looked at
LARGEST = 50_000_000


def page_data(
    graph: Graph,
    depth: int | str | None = "auto",
    backward: bool = True,
    title: str | None = None,
    values: Any = None,
    profile: Any = None,
    plan: Any = None,
    timed: bool = False,
) -> dict[str, Any]:
    """All that the page of a graph knows, in what JSON can hold; arguments as for `page`.

    `plan` is the one whose code is shown; with `timed` each op is timed on `values`, or on zeros.
    """
    scene = build(graph, depth=None, backward=backward, limit=10**9, title=title, fold=False)
    data = _data(graph, scene, depth)
    by_name = {name: t for t, name in graph.names.items()}
    tensors = [by_name.get(n.data.get("name", "")) for n in scene.nodes]
    _add_values(data["nodes"], tensors, graph, values)
    if profile is not None:
        _add_times(data, tensors, {t: spent for t, (spent, _) in profile.by_node().items()})
    elif timed:
        zeros = [np.zeros(t.shape, t.dtype) for t in graph.inputs]
        given = zeros if values is None or values is True else values
        _add_times(data, tensors, Run(graph, given, timed=True, gradients=False).seconds)
    if plan is not None:
        _add_code(data, tensors, graph, plan.source)
    return data


class _Numbered:
    """Things in the order in which they were first asked for."""

    def __init__(self) -> None:
        self.of: dict[Any, int] = {}

    def __call__(self, thing: Any) -> int:
        return self.of.setdefault(thing, len(self.of))


def _data(graph: Graph, scene: Scene, depth: Any) -> dict[str, Any]:
    """The scene in numbers and words, each said once: nodes, edges and boxes know each other by their places."""
    place = {n.id: i for i, n in enumerate(scene.nodes)}
    boxes = {b.id: i for i, b in enumerate(scene.boxes)}
    by_name = {name: t for t, name in graph.names.items()}
    given = set(graph.inputs)
    arranger = Arranger(scene, "TB")
    sites, ops = _Numbered(), _Numbered()
    nodes: list[dict[str, Any]] = []
    regions: dict[str, Region] = {}
    parents = {b.id: b.parent for b in scene.boxes}
    for n in scene.nodes:
        t = by_name.get(n.data.get("name", ""))
        entry: dict[str, Any] = {"kind": n.kind, "lines": n.lines}
        if n.box is not None:
            entry["box"] = boxes[n.box]
        if arranger.columns and arranger.flows_back(n.id):
            entry["back"] = 1
        if t is not None:
            entry.update(_described(t, n, graph, given))
            if "op" in entry:
                ops(entry["op"])
                entry["lines"] = [*n.lines, described(t)]
            if t.site is not None:
                entry["site"] = sites(t.site)
            if t.gradient_of is not None and t.gradient_of.op is not None:
                entry["of"] = t.gradient_of.op.name
            box, region = n.box, t.region
            while box is not None and region is not None and box not in regions and n.kind in ("op", "gradient"):
                regions[box] = region
                box, region = parents[box], region.parent
        nodes.append(entry)
    boxes_data = [_box(b, boxes, regions.get(b.id), sites, arranger) for b in scene.boxes]
    boxes_data += _shelves(nodes, len(boxes_data))
    return {
        "title": scene.title,
        "nodes": nodes,
        "edges": [[place[e.tail], place[e.head], e.argument] for e in scene.edges if not e.tie],
        "ties": [[place[e.tail], place[e.head]] for e in scene.edges if e.tie],
        "boxes": boxes_data,
        "ops": {name: _op(name) for name in sorted(ops.of)},
        "sites": [[shown_path(file), line, line_text(file, line)] for file, line in sites.of],
        "depth": _open_levels(nodes, boxes_data) if depth == "auto" else depth,
        "looks": {kind: LOOKS[kind][0] for kind in scene.kinds},
        "total": len(scene.nodes),
    }


def _described(t: Tensor, n: Any, graph: Graph, given: set[Tensor]) -> dict[str, Any]:
    """What a panel says of a tensor."""
    entry: dict[str, Any] = {"name": n.data["name"], "type": described(t), "bytes": n.data["bytes"]}
    if t.name and t.name != entry["name"]:
        entry["title"] = one_line(t.name, 200)
    if n.data["op"] is not None and t.op is not None:
        entry["op"] = t.op.name
        names = [_argument(i, graph, given) for i in t.inputs]
        attrs = [f"{k}={v}" for k, v in n.data["attrs"].items()]
        entry["call"] = f"{t.op.name}({', '.join([*names, *attrs])})"
        formula = _formula(t.op.expr, t.op.params, names)
        if formula:
            entry["formula"] = formula
    elif isinstance(t, Parameter):
        entry["learns"] = bool(t.requires_grad)
    return entry


def _argument(t: Tensor, graph: Graph, given: set[Tensor]) -> str:
    """An input as a formula has it: its name, or the number that it is."""
    if t.op is None and t.shape == () and not t.is_symbolic and not isinstance(t, Parameter) and t not in given:
        return repr(t._value.item())
    return graph.names[t]


def _formula(expr: str | None, params: Sequence[str], names: Sequence[str]) -> str:
    """An op's scalar expression with the names of its inputs."""
    if not expr or len(params) != len(names):
        return ""
    given = dict(zip(params, names, strict=True))
    text = re.sub(r"\{(\w+)\}", lambda m: given.get(m[1], m[0]), expr)
    return text[1:-1] if re.fullmatch(r"\([^()]*\)", text) else text


def _op(name: str) -> dict[str, Any]:
    """What is the same for every node of an op."""
    op = OPS.get(name)
    if op is None:
        return {"doc": "", "rules": []}
    doc = " ".join((op.doc or "").split("\n\n")[0].split())
    return {"doc": doc, "family": op.family, "rules": [list(r) for r in gradient_rules(op)], "params": list(op.params)}


def _box(b: Any, boxes: dict[str, int], region: Region | None, sites: _Numbered, arranger: Arranger) -> dict[str, Any]:
    entry: dict[str, Any] = {"label": b.label}
    if b.parent is not None:
        entry["parent"] = boxes[b.parent]
    if b.gradient:
        entry["gradient"] = 1
    if b.of is not None:
        entry["of"] = boxes[b.of]
    if arranger.columns and arranger.flows_back(b.id):
        entry["back"] = 1
    if region is not None:
        if region.kind not in (region.name, "gradient"):
            entry["kind"] = one_line(region.kind)
        if region.kind != "gradient":
            attrs = {k: one_line(repr(v), 80) for k, v in region.attrs.items() if v is not None}
            if attrs:
                entry["attrs"] = attrs
            if region.site is not None:
                entry["site"] = sites(region.site)
    return entry


def _shelves(nodes: list[dict[str, Any]], boxes: int) -> list[dict[str, Any]]:
    """Boxes around inputs, parameters and outputs that would stand in one long row, outside of any layer."""
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for entry in nodes:
        if "box" not in entry and entry["kind"] in ("input", "parameter", "constant", "output"):
            rows.setdefault((entry["kind"], entry.get("back", 0)), []).append(entry)
    shelves: list[dict[str, Any]] = []
    for (kind, back), row in rows.items():
        if len(row) > LONGEST_ROW:
            for entry in row:
                entry["box"] = boxes + len(shelves)
            shelves.append({"label": f"{len(row):,} {kind}s", "shelf": 1, **({"back": 1} if back else {})})
    return shelves


def _open_levels(nodes: list[dict[str, Any]], boxes: list[dict[str, Any]]) -> int | None:
    """How many levels of boxes are open at first: as many as keep the first picture small."""
    paths = []
    for place, entry in enumerate(nodes):
        path, box = [], entry.get("box")
        while box is not None:
            path.append(box)
            box = boxes[box].get("parent")
        paths.append((f"node {place}", path[::-1]))
    deepest = max((len(path) for _, path in paths), default=0)
    for level in range(deepest, 0, -1):
        if len({path[level] if len(path) > level else own for own, path in paths}) <= OPEN_AT_FIRST:
            return level if level < deepest else None
    # What is closed altogether says nothing: the outermost box is open where it is the only one.
    roots = [b for b in boxes if "parent" not in b and "gradient" not in b and "shelf" not in b]
    return 1 if len(roots) == 1 else 0


def _add_values(nodes: list[dict[str, Any]], tensors: Sequence[Tensor | None], graph: Graph, values: Any) -> None:
    """Statistics of what is known: of all nodes after a run, else of parameters, constants and eager nodes."""
    if values is None or values is True:
        known = {t: t._value for t in graph.nodes if not t.is_symbolic and t.size <= LARGEST}
        slopes = {t: t.grad._value for t in known if t.op is None and t.grad is not None}
        bad = None
    else:
        run = Run(graph, values)
        known, slopes, bad = run.values, run.gradients, run.first_bad
    for entry, t in zip(nodes, tensors, strict=True):
        if t is not None and t in known:
            entry["stats"] = statistics(known[t])
        if t is not None and t in slopes:
            entry["slope"] = statistics(slopes[t])
        if bad is not None and t is bad[0]:
            entry["bad"] = f"first {bad[1]}"
            entry["lines"] = [*entry["lines"], entry["bad"]]


def _add_times(data: dict[str, Any], tensors: Sequence[Tensor | None], seconds: Mapping[Tensor, float]) -> None:
    """Seconds by node. What no step computes has none."""
    for entry, t in zip(data["nodes"], tensors, strict=True):
        if t is not None and t in seconds:
            entry["seconds"] = rounded(seconds[t], 4)
    data["seconds"] = rounded(sum(seconds.values()), 4)


def _add_code(data: dict[str, Any], tensors: Sequence[Tensor | None], graph: Graph, source: str) -> None:
    """The lines of a plan's source, and for each node the first and last of the step that writes it."""
    lines = source.rstrip("\n").split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(r"(    )?\S", line)]
    end_of = dict(zip(starts, [*starts[1:], len(lines)], strict=True))
    # Where a value is assigned, or else where it first comes up: what is handed to a function to be filled.
    assigned: dict[str, int] = {}
    met: dict[str, int] = {}
    start = 0
    for i, line in enumerate(lines):
        start = i if i in end_of else start
        if line.startswith("def ") or re.search(r"= k_empty\(|k_table\[", line):
            continue
        code = line.split("  #")[0]
        for name in re.findall(r"\b(v_\w+)(?:\[[^\]]*\])?\s*=[^=]", code):
            assigned.setdefault(name, start)
        for name in re.findall(r"\bv_\w+", code):
            met.setdefault(name, start)
    data["code"] = lines
    for entry, t in zip(data["nodes"], tensors, strict=True):
        name = f"v_{graph.names[t]}" if t is not None and t.op is not None else ""
        first = assigned.get(name, met.get(name))
        if first is not None:
            entry["code"] = [first, end_of[first]]
