"""A scene from data that anybody may have written: every kind, place and size in it is checked, all ids are new."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from graphnet.escape import line
from graphnet.viz.scene import FRAMES, LOOKS, MARKS, Box, Edge, Node, Scene, one_line

#: boxes inside boxes, and how often edges may go into or out of a box
DEEPEST, CROSSINGS = 200, 200_000
#: lines that a node has, and characters of a tooltip
LINES, TOOLTIP = 100, 20_000
#: bytes of a file, values in it, and digits of a number
LARGEST, VALUES, DIGITS = 1 << 26, 2_000_000, 300


def load(path: Path) -> Scene:
    """The scene in a file. Raises `ValueError` for any other file."""
    text = path.read_bytes()
    if len(text) > LARGEST or sum(map(text.count, (b",", b"[", b"{"))) > VALUES:
        raise ValueError(f"it has {len(text):,} bytes, and says more than a picture can")
    if re.search(rb"\d{%d}" % DIGITS, text):
        raise ValueError(f"it has a number of more than {DIGITS} digits")
    try:
        data = json.loads(text.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return scene_from(data)


def scene_from(data: Any) -> Scene:
    """The scene that `Scene.to_dict` wrote. Ids are made anew, so nothing in the data can become markup.

    Raises `ValueError` if the data is no scene.
    """
    try:
        return _scene_in(data)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"this is not a picture that draw('....json') wrote: {line(what, 500)}") from None


def _listed(data: Any, word: str) -> list[dict[str, Any]]:
    found = data[word]
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ValueError(f"its {word} are no list of dicts")
    return found


def _numbered(entries: list[dict[str, Any]], letter: str) -> dict[Any, str]:
    """A new id for each entry's own."""
    found: dict[Any, str] = {}
    for place, entry in enumerate(entries):
        own = entry["id"]
        if not isinstance(own, (str, int)) or own in found:
            raise ValueError(f"the id {own!r:.60} is there twice, or no id")
        found[own] = f"{letter}{place}"
    return found


def _text(value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is {value!r:.60}")
    return one_line(value, limit)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is {value!r:.60}")
    return value


def _scene_in(data: Any) -> Scene:
    """The scene that `to_dict` wrote."""
    if not isinstance(data, dict):
        raise ValueError(f"it is {type(data).__name__}, no dict")
    scene = Scene(_text(data["title"], 120))
    scene.caption = "\n".join(_text(line, 200) for line in _lines(data.get("caption", ""))[:9])
    heat = data.get("heat")
    if heat is not None:
        if not isinstance(heat, (list, tuple)) or len(heat) != 3:
            raise ValueError(f"its heat is {heat!r:.60}")
        scene.heat = tuple(_text(part, 40) for part in heat)  # type: ignore[assignment]
    boxes = _numbered(_listed(data, "boxes"), "box")
    nodes = _numbered(_listed(data, "nodes"), "n")
    depth: dict[str | None, int] = {None: 0}
    for b in data["boxes"]:
        scene.boxes.append(_box(b, boxes, depth))
    for n in data["nodes"]:
        scene.nodes.append(_node(n, boxes, nodes))
    deep = {n.id: depth[n.box] for n in scene.nodes}
    crossings = 0
    for e in _listed(data, "edges"):
        label, argument = (_text(e.get(k, ""), 40) for k in ("label", "argument"))
        edge = Edge(nodes[e["tail"]], nodes[e["head"]], label, _flag(e.get("tie", False)), argument)
        crossings += deep[edge.tail] + deep[edge.head]
        scene.edges.append(edge)
    if crossings > CROSSINGS:
        raise ValueError("its edges go through too many boxes")
    return scene


def _box(b: dict[str, Any], boxes: dict[Any, str], depth: dict[str | None, int]) -> Box:
    """A box; `depth` is that of those before it."""
    kind = b.get("kind", "")
    parent, of = (boxes[b[k]] if b.get(k) is not None else None for k in ("parent", "of"))
    own = Box(boxes[b["id"]], _text(b["label"], 120), parent, _flag(b.get("gradient", False)), of, kind)
    if (kind and kind not in FRAMES) or parent not in depth or of == own.id:
        raise ValueError(f"the box {own.label!r} has an unknown kind, or stands before the one around it")
    depth[own.id] = depth[parent] + 1
    if depth[own.id] > DEEPEST:
        raise ValueError(f"more than {DEEPEST} boxes are inside each other")
    own.tooltip = "\n".join(_lines(b.get("tooltip", "")))
    return own


def _lines(text: Any) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(f"a text is {text!r:.60}")
    return text[:TOOLTIP].split("\n")


def _node(n: dict[str, Any], boxes: dict[Any, str], nodes: dict[Any, str]) -> Node:
    box, mark, heat = n.get("box"), n.get("mark", ""), n.get("heat")
    lines = n["lines"]
    if not isinstance(lines, list) or len(lines) > LINES:
        raise ValueError(f"the lines of a node are {str(lines)[:60]}")
    node = Node(nodes[n["id"]], n["kind"], [_text(line, 200) for line in lines] or [""])
    if node.kind not in LOOKS or (mark and mark not in MARKS):
        raise ValueError(f"a node has the unknown kind {node.kind!r:.60} or mark {mark!r:.60}")
    data = n.get("data", {})
    if not isinstance(data, dict):
        raise ValueError(f"the data of a node are {str(data)[:60]}")
    node.tooltip, node.data, node.mark = "\n".join(_lines(n.get("tooltip", ""))), dict(data), mark
    node.box = boxes[box] if box is not None else None
    if heat is not None and (isinstance(heat, bool) or not isinstance(heat, (int, float)) or not math.isfinite(heat)):
        raise ValueError(f"the heat of a node is {heat!r:.60}")
    node.heat = None if heat is None else float(heat)
    return node
