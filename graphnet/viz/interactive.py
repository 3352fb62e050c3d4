"""A graph as one HTML file that needs nothing else: to move around in, to search, to open and close, to ask.

What is here gathers what the page shows, as data, and joins it with the parts under `assets/`. The page lays out what is
open itself. It loads nothing, and says so to the browser: no script but its own runs in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.op import OPS, described
from graphnet.tensor import Parameter, Region, Tensor
from graphnet.viz.build import build
from graphnet.viz.layout import Arranger
from graphnet.viz.render import write_whole
from graphnet.viz.scene import LOOKS, Scene, one_line
from graphnet.viz.sources import gradient_rules, line_text, shown_path
from graphnet.viz.statistics import rounded, statistics

#: the parts of the page's script, in the order in which they build on each other
SCRIPTS = ("model", "layered", "boxes", "view", "panel", "search", "controls")
#: as many levels of boxes are open at first as show no more nodes than this
OPEN_AT_FIRST = 60
#: more inputs or outputs than this are put into a box of their own
LONGEST_ROW = 24
#: values are kept in the page as statistics; arrays larger than this are not looked at
LARGEST = 50_000_000


class Page:
    """An interactive page of a graph: `html` (text), `path` (the file, if written). Shows itself in a notebook.

    `save(path)` writes it; the file appears whole or not at all.
    """

    def __init__(self, html: str, title: str):
        self.html = html
        self.title = title
        self.path: Path | None = None

    def save(self, path: str | os.PathLike[str]) -> Page:
        """Write to `path`, which ends in .html. Raises `ValueError` for another ending, `FileNotFoundError` for a
        folder that is not there."""
        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{target}: a page ends in .html")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
        write_whole(target, self.html.encode("utf-8"))
        self.path = target
        return self

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self.title)}" sandbox="allow-scripts" '
            'style="width:100%;height:600px;border:1px solid #8884;border-radius:6px"></iframe>'
        )

    def __repr__(self) -> str:
        at = f" in {self.path}" if self.path else ""
        return f"<Page of {self.title}{at}>"


def page(
    thing: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
    depth: int | str | None = "auto",
    backward: bool = True,
    inputs: Sequence[Any] | None = None,
    profile: Any = None,
) -> Page:
    """One HTML file, with no need of a network, of a Graph, a Plan, a Tensor or a model; written to `path` if given.

    In it: pan, zoom, search; a click opens and closes layers and composites; a click on a node shows its formula, the
    source of its gradient rule, shapes, the line that made it, statistics of its value where that is known, and for a
    Plan the code that runs. All of it with the keyboard too.

    * `depth`: how many levels of boxes are open at first; None for all, "auto" for what is readable at a glance;
    * `backward`: whether the nodes of a gradient are in it;
    * `inputs`: arrays to run the graph on, so that every node has statistics; updates are not done;
    * `profile`: what `plan.profile()` gave; then time and memory can be shown as heat, and the page shows the plan's graph.

    The same graph gives the same file, byte for byte. Raises `TypeError` for anything else than a graph or what has
    one, `ValueError` for a wrong option or ending, and what running the graph raises.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> page(gn.Graph([x], gn.exp(x)))
    <Page of graph>
    """
    graph, plan = _graph_of(thing)
    if profile is not None:
        graph = profile.graph
    scene = build(graph, depth=depth if depth != "auto" else None, backward=backward, limit=10**9, title=title)
    data = _data(graph, scene, depth)
    by_name = {name: t for t, name in graph.names.items()}
    tensors = [by_name.get(n.data.get("name", "")) for n in scene.nodes]
    _add_values(data["nodes"], tensors, _values(graph, inputs))
    if profile is not None:
        _add_times(data, tensors, profile)
    if plan is not None:
        _add_code(data, tensors, graph, plan.source)
    made = Page(_html(data, scene.title), scene.title)
    return made if path is None else made.save(path)


def _graph_of(thing: Any) -> tuple[Graph, Any]:
    """The graph to show and the plan whose code it shows, for anything that has a graph."""
    if isinstance(thing, Graph):
        return thing, None
    if isinstance(thing, Tensor):
        # As `Tensor.draw` has it: what it was made from.
        from graphnet.tensor import toposort

        leaves = [t for t in toposort([thing]) if t.op is None and t.is_symbolic]
        return Graph([t for t in leaves if not isinstance(t, Parameter)], thing), None
    code = getattr(thing, "code", None)
    if code is not None and isinstance(getattr(code, "graph", None), Graph):
        return code.graph, thing
    found = getattr(thing, "graph", None)
    found = found() if callable(found) else found
    if isinstance(found, Graph):
        return found, None
    raise TypeError(f"page takes a Graph, a Plan, a Tensor or a model; received {type(thing).__name__}")


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


def _values(graph: Graph, inputs: Sequence[Any] | None) -> dict[Tensor, np.ndarray]:
    """The arrays that are known: all of them after a run on `inputs`, else of parameters, constants and eager nodes."""
    if inputs is None:
        return {t: t._value for t in graph.nodes if not t.is_symbolic and t.size <= LARGEST}
    if isinstance(inputs, (np.ndarray, Tensor)):
        inputs = [inputs]
    nodes = list(dict.fromkeys((*graph.inputs, *graph.nodes)))
    results = Graph(graph.inputs, nodes)(*inputs)
    return {t: r.numpy() for t, r in zip(nodes, results, strict=True)}


def _add_values(nodes: list[dict[str, Any]], tensors: Sequence[Tensor | None], values: dict[Any, np.ndarray]) -> None:
    for entry, t in zip(nodes, tensors, strict=True):
        if t is not None and t in values:
            entry["stats"] = statistics(values[t])


def _add_times(data: dict[str, Any], tensors: Sequence[Tensor | None], profile: Any) -> None:
    """Seconds by node. What no step computes has none."""
    spent = profile.by_node()
    for entry, t in zip(data["nodes"], tensors, strict=True):
        if t is not None and t in spent:
            entry["seconds"] = rounded(spent[t][0], 4)
    data["seconds"] = rounded(profile.seconds, 4)


def _add_code(data: dict[str, Any], tensors: Sequence[Tensor | None], graph: Graph, source: str) -> None:
    """The lines of a plan's source, and for each node the first and last of the step that writes it."""
    lines = source.rstrip("\n").split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(r"(    )?\S", line)]
    end_of = dict(zip(starts, [*starts[1:], len(lines)], strict=True))
    written: dict[str, list[int]] = {}
    start = 0
    for i, line in enumerate(lines):
        start = i if i in end_of else start
        for name in re.findall(r"\b(v_\w+)(?=\s*=[^=]|\[[^\]]*\]\s*=[^=])|\bout=(v_\w+)", line):
            written.setdefault(name[0] or name[1], []).append(start)
    data["code"] = lines
    for entry, t in zip(data["nodes"], tensors, strict=True):
        found = written.get(f"v_{graph.names[t]}") if t is not None and t.op is not None else None
        if found:
            # The last: above it memory may only have been made for it.
            entry["code"] = [found[-1], end_of[found[-1]]]


def as_json(data: Any) -> str:
    """JSON that can stand in a script element: no `<`, `>` or `&`, and no line ends that JavaScript has and JSON not."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def asset(name: str) -> str:
    """The text of a part of the pages."""
    return (files("graphnet.viz") / "assets" / name).read_text("utf-8")


def content_policy(script: str, style: str) -> str:
    """What the browser is told: nothing but this one script and this one style, and nothing from anywhere else."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _looks() -> str:
    """The colours of the kinds, as the pictures have them."""
    return "\n".join(
        f".k-{kind.replace(' ', '-')}{{--fill:{fill};--line:{line}}}" for kind, (_, _, fill, line) in LOOKS.items()
    )


def _html(data: dict[str, Any], title: str) -> str:
    script = '"use strict";\n(() => {\n' + "\n".join(asset(f"page_{name}.js") for name in SCRIPTS) + "})();\n"
    style = asset("base.css") + _looks() + "\n" + asset("page.css")
    parts = {
        "TITLE": escape(title),
        "POLICY": escape(content_policy(script, style)),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": as_json(data),
    }
    return re.sub(r"@@(\w+)@@", lambda m: parts[m[1]], asset("page.html"))
