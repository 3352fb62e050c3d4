"""A scene as DOT text, through the `graphviz` package: no program is needed for that."""

from __future__ import annotations

from typing import Any

from graphnet.escape import dot
from graphnet.optional import optional
from graphnet.viz.arranger import Arranger
from graphnet.viz.scene import Box, Node, Scene

RANKDIRS = ("TB", "LR", "BT", "RL")
FONT = "Helvetica,Arial,sans-serif"


def _label(lines: list[str]) -> str:
    graphviz = optional("graphviz")
    # Without `nohtml`, text that begins with < and ends with > would be read as markup.
    return graphviz.nohtml("\\n".join(dot(text) for text in lines))


def dot_source(scene: Scene, rankdir: str = "TB", legend: bool = True) -> Any:
    """The `graphviz.Digraph` of a scene."""
    graphviz = optional("graphviz")
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir is TB, LR, BT or RL; received {rankdir!r}")
    font = {"fontname": FONT}
    title = _label(scene.heading)
    source = graphviz.Digraph(
        "graph",
        graph_attr={
            "rankdir": rankdir,
            "bgcolor": "transparent",
            "label": title,
            "labelloc": "t",
            "fontcolor": "#808080",
            "fontsize": "12",
            "nodesep": "0.3",
            "ranksep": "0.35",
            "compound": "true",
            **font,
        },
        node_attr={"style": "filled", "fontsize": "11", "fontcolor": "#1a202c", "margin": "0.12,0.06", **font},
        edge_attr={"color": "#8a8a8a", "fontcolor": "#808080", "fontsize": "9", "arrowsize": "0.7", **font},
    )
    children: dict[str | None, list[Box]] = {}
    for box in scene.boxes:
        children.setdefault(box.parent, []).append(box)
    inside: dict[str | None, list[Node]] = {}
    for node in scene.nodes:
        inside.setdefault(node.box, []).append(node)

    def filled(body: Any, box_id: str | None) -> None:
        for node in inside.get(box_id, ()):
            shape, fill, border = node.look
            style = "rounded,filled" if shape == "box" else "filled,dashed" if node.kind == "folded" else "filled"
            body.node(
                node.id,
                label=_label(node.lines),
                tooltip=_label(node.tooltip.split("\n")) or " ",
                shape=shape,
                style=style,
                fillcolor=fill,
                color=border,
                **({"penwidth": "2.5"} if node.mark else {}),
            )
        for box in children.get(box_id, ()):
            with body.subgraph(name=f"cluster_{box.id}") as inner:
                inner.attr(
                    label=_label([box.label]),
                    style="rounded",
                    color=box.colour,
                    fontcolor="#808080",
                    fontsize="10",
                    labeljust="l",
                    tooltip=_label((box.tooltip or box.label).split("\n")),
                )
                filled(inner, box.id)

    filled(source, None)
    columns = Arranger(scene, rankdir)
    tie = {"style": "dashed", "color": "#d08aa4", "arrowhead": "none", "constraint": "false"}
    for forward, gradient, e in columns.tied_boxes():
        source.edge(e.tail, e.head, ltail=f"cluster_{forward}", lhead=f"cluster_{gradient}", **tie)
    backward = {n.id for n in scene.nodes if n.kind.startswith("gradient")}
    for _, edge in columns.tied_nodes():
        source.edge(edge.tail, edge.head, **tie)
    for edge in scene.edges:
        label = {"label": _label([f" {edge.text}"])} if edge.text else {}
        colour = {"color": "#c2688b"} if edge.tail in backward or edge.head in backward else {}
        if edge.tie:
            continue
        if not columns.columns or not columns.flows_back(edge.head):
            source.edge(edge.tail, edge.head, **label)
        elif columns.flows_back(edge.tail):
            # The gradient flows upwards: for Graphviz the edge goes down, and its arrow is drawn at the other end.
            source.edge(edge.head, edge.tail, dir="back", **label, **colour)
        else:
            source.edge(edge.tail, edge.head, constraint="false", **label, **colour)
    entries = scene.legend() if legend else []
    if entries:
        with source.subgraph(name="cluster_legend") as key:
            key.attr(label="legend", style="dotted", color="#a0a0a0", fontcolor="#808080", fontsize="9")
            for place, (meaning, shape, fill, border) in enumerate(entries):
                style = "rounded,filled" if shape == "box" else "filled"
                key.node(
                    f"legend {place}",
                    label=_label([meaning]),
                    shape=shape,
                    style=style,
                    fillcolor=fill,
                    color=border,
                    fontsize="9",
                    margin="0.08,0.03",
                    height="0.2",
                    tooltip=_label([meaning]),
                )
            if rankdir in ("TB", "BT"):
                # One below the other: a row would be wider than most graphs.
                for place in range(1, len(entries)):
                    ends = (place - 1, place) if rankdir == "TB" else (place, place - 1)
                    key.edge(*(f"legend {end}" for end in ends), style="invis")
    return source
