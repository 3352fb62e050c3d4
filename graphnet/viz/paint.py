"""A scene and its layout drawn with matplotlib, for the formats that SVG text cannot become by itself."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

from graphnet.escape import plot
from graphnet.optional import installed, optional
from graphnet.viz.geometry import DEPTH, LINE, SMALL, TEXT, Layout
from graphnet.viz.scene import Scene
from graphnet.viz.svg import legend_entries

_GREY, _INK = "#757d8a", "#1a202c"
#: no side of a bitmap is longer (matplotlib's own limit is 65,535), and none has more pixels: four bytes each
_LONGEST, _PIXELS = 30_000, 60_000_000


def to_bitmap(scene: Scene, layout: Layout, form: str, dpi: float, legend: bool = True) -> bytes:
    """The picture as `form` ("png" or "pdf"), from the same places as the SVG."""
    figure = paint(scene, layout, optional("matplotlib.figure").Figure, legend)
    wide, high = figure.get_size_inches()
    dpi = min(dpi, _LONGEST / max(wide, high), math.sqrt(_PIXELS / (wide * high)))
    buffer = io.BytesIO()
    with installed(), warnings.catch_warnings():
        # A character that no font of the machine has is drawn as a box; that needs no warning for each.
        warnings.filterwarnings("ignore", message="Glyph ")
        figure.savefig(
            buffer,
            format=form,
            dpi=dpi if form == "png" else 72,
            metadata={"CreationDate": None} if form == "pdf" else None,
        )
    return buffer.getvalue()


def paint(scene: Scene, layout: Layout, figure_of: Any, legend: bool = True) -> Any:
    """A matplotlib figure, one point for one of the layout's units, on white."""
    patches, Path = optional("matplotlib.patches"), optional("matplotlib.path").Path
    FancyBboxPatch, PathPatch, Polygon = patches.FancyBboxPatch, patches.PathPatch, patches.Polygon
    entries = legend_entries(scene, layout.width) if legend else []
    rows = int(entries[-1][1]) + 1 if entries else 0
    heading = scene.heading
    head = 10.0 + 14 * len(heading)
    width, height = max(layout.width, 260.0), layout.height + head + rows * 16 + 10
    figure = figure_of(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    shift = (width - layout.width) / 2

    def text(x: float, y: float, content: str, size: float, colour: str, align: str = "left", order: int = 4) -> None:
        # The font's own width is a little more than Helvetica's: hence the smaller size.
        axes.text(x, y, plot(content), fontsize=size * 0.9, color=colour, ha=align, va="baseline", zorder=order)

    def frame(
        x: float, y: float, wide: float, high: float, radius: float, fill: str, edge: str, order: int, line: float = 0.9
    ) -> None:
        style = f"round,pad=0,rounding_size={min(radius, wide / 2, high / 2)}"
        axes.add_patch(
            FancyBboxPatch((x, y), wide, high, boxstyle=style, facecolor=fill, edgecolor=edge, lw=line, zorder=order)
        )

    codes = {"M": [Path.MOVETO], "L": [Path.LINETO], "Q": [Path.CURVE3] * 2, "C": [Path.CURVE4] * 3}

    def curve(steps: Any, colour: str, dashed: bool, arrow: bool) -> None:
        points = [(x + shift, y + head) for _, part in steps for x, y in part]
        patch = PathPatch(
            Path(points, [code for letter, _ in steps for code in codes[letter]]),
            facecolor="none",
            edgecolor=colour,
            linestyle=(0, (4, 3)) if dashed else "-",
            linewidth=0.9,
            zorder=2,
        )
        axes.add_patch(patch)
        if arrow:
            (x0, y0), (x1, y1) = points[-2], points[-1]
            far = math.hypot(x1 - x0, y1 - y0) or 1.0
            dx, dy = (x1 - x0) / far, (y1 - y0) / far
            back = (x1 - 7 * dx, y1 - 7 * dy)
            corners = [(x1, y1), (back[0] - 2.8 * dy, back[1] + 2.8 * dx), (back[0] + 2.8 * dy, back[1] - 2.8 * dx)]
            axes.add_patch(Polygon(corners, facecolor=colour, edgecolor="none", zorder=2))

    for i, line in enumerate(heading):
        text(width / 2, 16 + 14 * i, line, 12, _GREY, "center")
    labels = {b.id: b for b in scene.boxes}
    for box, (x0, y0, x1, y1) in layout.boxes.items():
        frame(x0 + shift, y0 + head, x1 - x0, y1 - y0, 8, "#7f8ea310", labels[box].colour, 1)
        text(x0 + shift + 7, y0 + head + 13, labels[box].label, 10, _GREY)
    backward = {n.id for n in scene.nodes if n.kind.startswith("gradient")}
    for _, _, steps in layout.ties:
        curve(steps, "#d08aa4", True, False)
    for i, steps in layout.curves:
        edge = scene.edges[i]
        colour = "#d08aa4" if edge.tie else "#c2688b" if edge.tail in backward or edge.head in backward else "#7b8494"
        curve(steps, colour, edge.tie, not edge.tie)
    for node in scene.nodes:
        p = layout.places[node.id]
        shape, fill, border = node.look
        x, y = p.x - p.width / 2 + shift, p.y - p.height / 2 + head
        wide, high = DEPTH.get(shape, (0.0, 0.0))
        if shape == "box3d":
            frame(x + wide, y, p.width - wide, p.height - high, 3, fill, border, 3)
        elif shape == "folder":
            frame(x, y, min(26.0, p.width / 3), 8, 1, fill, border, 3)
        radius = {"oval": p.height / 2, "box": 6.0}.get(shape, 2.0)
        frame(x, y + high, p.width - wide, p.height - high, radius, fill, border, 3, 2.2 if node.mark else 0.9)
        for place, line in enumerate(node.lines):
            base = p.y + head + (place - (len(node.lines) - 1) / 2) * LINE + 4 + high / 2
            text(p.x + shift - wide / 2, base, line, TEXT, _INK, "center")
    for t in layout.texts:
        text(t.x + shift, t.y + head, t.content, SMALL, _GREY, "right" if t.anchor == "end" else "left")
    for x, row, meaning, fill, border in entries:
        y = height - (rows - row) * 16 - 4
        frame(x, y, 14, 10, 2, fill, border, 3)
        text(x + 19, y + 8.5, meaning, SMALL, _GREY)
    return figure
