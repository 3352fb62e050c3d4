"""A scene and its layout as SVG text, or drawn with matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from html import escape
from typing import Any

from graphnet.viz.layout import LINE, Layout
from graphnet.viz.scene import LOOKS, Scene

_HEAD, _LEGEND = 34.0, 26.0

_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif}"
    ".n{font-size:11px;fill:#1a202c;text-anchor:middle}"
    ".e{font-size:9px;fill:#808080}"
    ".b{font-size:10px;fill:#808080}"
    ".t{font-size:12px;fill:#808080;text-anchor:middle}"
    ".f{fill:none;stroke:#8a8a8a}"
    ".d{fill:none;stroke:#d08aa4;stroke-dasharray:4 3}"
)


def _number(v: float) -> str:
    return f"{v:.1f}".rstrip("0").rstrip(".")


def _curve(points: list[tuple[float, float]]) -> str:
    """A path through the points that leaves and arrives straight up and down."""
    (x, y), rest = points[0], points[1:]
    parts = [f"M{_number(x)} {_number(y)}"]
    for nx, ny in rest:
        half = (y + ny) / 2
        parts.append(f"C{_number(x)} {_number(half)} {_number(nx)} {_number(half)} {_number(nx)} {_number(ny)}")
        x, y = nx, ny
    return "".join(parts)


def _beside(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Where an edge's label goes: beside its start, where edges to one node are still apart."""
    x, y = points[0]
    return x + 7, y + 13


def _before(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Where an argument's name goes: beside the end, on the side that the edge comes from."""
    (x, _y), (end, bottom) = points[-2], points[-1]
    shift = -12.0 if x < end - 3 else 7.0
    return end + shift, bottom - 7


def _legend(scene: Scene, width: float) -> list[tuple[float, float, str, str, str]]:
    """(x, row, meaning, fill, border) of each entry, in rows as wide as the picture."""
    entries: list[tuple[float, float, str, str, str]] = []
    x, row = 12.0, 0.0
    if len(scene.kinds) < 2:
        return []
    for kind in scene.kinds:
        meaning, _, fill, border = LOOKS[kind]
        step = 30 + len(meaning) * 5.4
        if entries and x + step > max(width, 220):
            x, row = 12.0, row + 1
        entries.append((x, row, meaning, fill, border))
        x += step
    return entries


def to_svg(scene: Scene, layout: Layout, legend: bool = True) -> str:
    """The picture as text. Every name is escaped: nothing in it can become markup."""
    entries = _legend(scene, layout.width) if legend else []
    heading = [scene.title] + ([scene.caption] if scene.caption else [])
    reach = max(
        [layout.width, *(len(h) * 6.6 + 24 for h in heading), *(x + 30 + len(m) * 5.4 for x, _, m, _, _ in entries)]
    )
    shift = (reach - layout.width) / 2
    rows = entries[-1][1] + 1 if entries else 0
    head = _HEAD if scene.caption else 20.0
    height = layout.height + head + rows * 16 + (10 if rows else 0)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(reach)}" height="{_number(height)}" '
        f'viewBox="0 0 {_number(reach)} {_number(height)}" role="img">',
        f"<title>{escape(scene.title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8a8a8a"/></marker></defs>',
    ]
    for i, line in enumerate(heading):
        out.append(f'<text class="t" x="{_number(reach / 2)}" y="{14 + 14 * i}">{escape(line)}</text>')
    out.append(f'<g transform="translate({_number(shift)} {_number(head)})">')
    by_id = {b.id: b for b in scene.boxes}
    for box_id, (x0, y0, x1, y1) in layout.boxes.items():
        box = by_id[box_id]
        colour = "#c98aa0" if box.gradient else "#86b79c"
        out.append(
            f'<rect x="{_number(x0)}" y="{_number(y0)}" width="{_number(x1 - x0)}" height="{_number(y1 - y0)}" rx="8" '
            f'fill="none" stroke="{colour}"/><text class="b" x="{_number(x0 + 7)}" y="{_number(y0 + 12)}">'
            f"{escape(box.label)}</text>"
        )
    labels = []
    for i, points in layout.curves:
        edge = scene.edges[i]
        arrow = "" if edge.tie else ' marker-end="url(#a)"'
        out.append(f'<path class="{"d" if edge.tie else "f"}" d="{_curve(points)}"{arrow}/>')
        for (x, y), content in ((_beside(points), edge.label), (_before(points), edge.argument)):
            if content:
                labels.append(f'<text class="e" x="{_number(x)}" y="{_number(y)}">{escape(content)}</text>')
    labels = list(dict.fromkeys(labels))
    for node in scene.nodes:
        p = layout.places[node.id]
        _, shape, fill, border = LOOKS[node.kind]
        x, y = p.x - p.width / 2, p.y - p.height / 2
        radius = {"oval": p.height / 2, "box": 6.0}.get(shape, 1.0)
        dash = ' stroke-dasharray="4 3"' if node.kind == "folded" else ""
        out.append(f'<g id="{escape(node.id)}" class="node {escape(node.kind)}"><title>{escape(node.tooltip)}</title>')
        if shape == "box3d":
            out.append(
                f'<rect x="{_number(x + 4)}" y="{_number(y - 4)}" width="{_number(p.width)}" '
                f'height="{_number(p.height)}" rx="2" fill="{fill}" stroke="{border}"/>'
            )
        out.append(
            f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(p.width)}" height="{_number(p.height)}" '
            f'rx="{_number(radius)}" fill="{fill}" stroke="{border}"{dash}/>'
        )
        for place, line in enumerate(node.lines):
            base = p.y + (place - (len(node.lines) - 1) / 2) * LINE + 4
            out.append(f'<text class="n" x="{_number(p.x)}" y="{_number(base)}">{escape(line)}</text>')
        out.append("</g>")
    out += labels
    out.append("</g>")
    for x, row, meaning, fill, border in entries:
        y = height - (rows - row) * 16 - 2
        out.append(
            f'<rect x="{_number(x)}" y="{_number(y)}" width="14" height="10" rx="2" fill="{fill}" stroke="{border}"/>'
            f'<text class="e" x="{_number(x + 19)}" y="{_number(y + 9)}">{escape(meaning)}</text>'
        )
    out.append("</svg>")
    return "\n".join(out) + "\n"


def paint(scene: Scene, layout: Layout, figure_of: Callable[..., Any]) -> Any:
    """The same picture as a matplotlib figure, for formats that SVG text cannot become by itself."""
    from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
    from matplotlib.path import Path

    width, height = max(layout.width, 240.0), layout.height + _HEAD + _LEGEND
    figure = figure_of(figsize=(width / 72, height / 72))
    figure.patch.set_facecolor("white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    shift = (width - layout.width) / 2

    def text(x: float, y: float, content: str, size: float, colour: str, align: str) -> None:
        # `$` would start a formula.
        axes.text(x, y, content.replace("$", r"\$"), fontsize=size, color=colour, ha=align, va="center")

    text(width / 2, 12, scene.title, 9, "#707070", "center")
    if scene.caption:
        text(width / 2, 25, scene.caption, 8, "#707070", "center")
    written: list[tuple[float, float, str]] = []
    for i, points in layout.curves:
        edge = scene.edges[i]
        moved = [(x + shift, y + _HEAD) for x, y in points]
        vertices, codes = [moved[0]], [Path.MOVETO]
        for (xa, ya), (xb, yb) in itertools.pairwise(moved):
            half = (ya + yb) / 2
            vertices += [(xa, half), (xb, half), (xb, yb)]
            codes += [Path.CURVE4] * 3
        style = {"linestyle": "--", "edgecolor": "#d08aa4"} if edge.tie else {"edgecolor": "#8a8a8a"}
        axes.add_patch(PathPatch(Path(vertices, codes), facecolor="none", linewidth=0.8, **style))
        if not edge.tie:
            x, y = moved[-1]
            axes.plot([x], [y - 3], marker="v", markersize=3.5, color="#8a8a8a")
            for (x, y), content in ((_beside(moved), edge.label), (_before(moved), edge.argument)):
                if content:
                    written.append((x, y, content))
    for x, y, content in dict.fromkeys(written):
        text(x, y - 3, content, 6.5, "#707070", "left")
    by_id = {b.id: b for b in scene.boxes}
    for box_id, (x0, y0, x1, y1) in layout.boxes.items():
        colour = "#c98aa0" if by_id[box_id].gradient else "#86b79c"
        axes.add_patch(Rectangle((x0 + shift, y0 + _HEAD), x1 - x0, y1 - y0, facecolor="none", edgecolor=colour))
        text(x0 + shift + 6, y0 + _HEAD + 8, by_id[box_id].label, 7, "#707070", "left")
    for node in scene.nodes:
        p = layout.places[node.id]
        _, shape, fill, border = LOOKS[node.kind]
        round_by = p.height / 2.2 if shape == "oval" else 4
        axes.add_patch(
            FancyBboxPatch(
                (p.x - p.width / 2 + shift + round_by / 2, p.y - p.height / 2 + _HEAD + round_by / 2),
                p.width - round_by,
                p.height - round_by,
                boxstyle=f"round,pad={round_by / 2}",
                facecolor=fill,
                edgecolor=border,
                zorder=3,
            )
        )
        for row, line in enumerate(node.lines):
            y = p.y + (row - (len(node.lines) - 1) / 2) * LINE + _HEAD
            axes.text(
                p.x + shift,
                y,
                line.replace("$", r"\$"),
                fontsize=8,
                color="#1a202c",
                ha="center",
                va="center",
                zorder=4,
            )
    return figure
