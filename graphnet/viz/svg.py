"""A scene and its layout as SVG text. Every name in it is escaped: nothing can become markup."""

from __future__ import annotations

from collections.abc import Iterable

from graphnet.escape import markup
from graphnet.viz.geometry import DEPTH, LINE, SMALL, TEXT, Layout, Step
from graphnet.viz.metrics import text_width
from graphnet.viz.scene import LOOKS, Node, Scene

#: every rule is tied to the picture's own class: a page that holds it keeps its own looks
_RULES = (
    ("", "text", "font-family:Helvetica,Arial,'Liberation Sans',sans-serif"),
    ("", ".n text", f"font-size:{TEXT:g}px;fill:#1a202c;text-anchor:middle"),
    ("", ".e,.k", f"font-size:{SMALL:g}px;fill:#757d8a"),
    ("", ".b text", "font-size:10px;fill:#757d8a"),
    ("", ".b rect", "fill:#7f8ea3;fill-opacity:.06"),
    ("", ".t", "font-size:12px;fill:#757d8a;text-anchor:middle"),
    ("", ".f", "fill:none;stroke:#7b8494"),
    ("", ".c", "fill:none;stroke:#c2688b"),
    ("", ".d", "fill:none;stroke:#d08aa4;stroke-dasharray:4 3"),
    ("dark", ".e,.k,.b text,.t", "fill:#8b94a2"),
    ("dark", ".f", "stroke:#8d97a6"),
)


def _style() -> str:
    parts: dict[str, list[str]] = {"": [], "dark": []}
    for scheme, selectors, looks in _RULES:
        parts[scheme].append(",".join(f".graphnet {s}" for s in selectors.split(",")) + "{" + looks + "}")
    return "".join(parts[""]) + "@media(prefers-color-scheme:dark){" + "".join(parts["dark"]) + "}"


def number(v: float) -> str:
    """A coordinate, to a tenth."""
    text = f"{v:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _path(steps: Iterable[Step]) -> str:
    return "".join(letter + " ".join(f"{number(x)} {number(y)}" for x, y in points) for letter, points in steps)


def legend_entries(scene: Scene, width: float) -> list[tuple[float, float, str, str, str]]:
    """(x, row, meaning, fill, border) of each entry, in rows as wide as the picture."""
    entries: list[tuple[float, float, str, str, str]] = []
    x, row = 12.0, 0.0
    for meaning, _, fill, border in scene.legend():
        step = 34 + text_width(meaning, SMALL)
        if entries and x + step > max(width, 240):
            x, row = 12.0, row + 1
        entries.append((x, row, meaning, fill, border))
        x += step
    return entries


def _shape(node: Node, x: float, y: float, width: float, height: float) -> str:
    """The outline of a node: its kind can be told without colours too."""
    shape, fill, border = node.look
    paint = f'fill="{fill}" stroke="{border}"' + (' stroke-width="2.5"' if node.mark else "")
    right, bottom = x + width, y + height
    if shape == "folder":  # a tab on top
        tab = min(26.0, width / 3)
        top = f"V{number(y)}H{number(x + tab)}L{number(x + tab + 4)} {number(y + 4)}H{number(right)}"
        return f'<path d="M{number(x)} {number(bottom)}{top}V{number(bottom)}z" {paint}/>'
    if shape == "note":  # a corner turned down
        return (
            f'<path d="M{number(x)} {number(y)}H{number(right - 7)}L{number(right)} {number(y + 7)}V{number(bottom)}'
            f'H{number(x)}z" {paint}/><path d="M{number(right - 7)} {number(y)}v7h7" {paint}/>'
        )
    deep = 4.0 if shape == "box3d" else 0.0
    box = f'width="{number(width - deep)}" height="{number(height - deep)}"'
    radius = {"oval": height / 2, "box": 6.0}.get(shape, 2.0)
    dash = ' stroke-dasharray="4 3"' if node.kind == "folded" else ""
    behind = f'<rect x="{number(x + deep)}" y="{number(y)}" {box} rx="3" {paint}/>' if deep else ""
    return f'{behind}<rect x="{number(x)}" y="{number(y + deep)}" {box} rx="{number(radius)}" {paint}{dash}/>'


def to_svg(scene: Scene, layout: Layout, legend: bool = True) -> str:
    """The picture as text, that names `builtin` as what drew it."""
    entries = legend_entries(scene, layout.width) if legend else []
    heading = scene.heading
    reach = max(
        [
            layout.width,
            *(text_width(h, 12) + 24 for h in heading),
            *(x + 34 + text_width(m, SMALL) for x, _, m, _, _ in entries),
        ]
    )
    shift = (reach - layout.width) / 2
    rows = int(entries[-1][1]) + 1 if entries else 0
    head = 10.0 + 14 * len(heading)
    height = layout.height + head + rows * 16 + (8 if rows else 0)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(reach)}" height="{number(height)}" '
        f'viewBox="0 0 {number(reach)} {number(height)}" role="img" class="graphnet">',
        "<!-- drawn by graphnet, engine builtin -->",
        f"<title>{markup(scene.title)}</title>",
        f"<style>{_style()}</style>",
        "<defs>"
        + "".join(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 .8L8 4L0 7.2z" fill="{colour}"/></marker>'
            for name, colour in (("graphnet-arrow", "#7b8494"), ("graphnet-arrow-back", "#c2688b"))
        )
        + "</defs>",
    ]
    for i, line in enumerate(heading):
        out.append(f'<text class="t" x="{number(reach / 2)}" y="{16 + 14 * i}">{markup(line)}</text>')
    out.append(f'<g transform="translate({number(shift)} {number(head)})">')
    by_id = {b.id: b for b in scene.boxes}
    for box_id, (x0, y0, x1, y1) in layout.boxes.items():
        box = by_id[box_id]
        out.append(
            f'<g id="{box_id}" class="b"><title>{markup(box.tooltip or box.label)}</title>'
            f'<rect x="{number(x0)}" y="{number(y0)}" width="{number(x1 - x0)}" height="{number(y1 - y0)}" rx="8" '
            f'stroke="{box.colour}"/>'
            f'<text x="{number(x0 + 7)}" y="{number(y0 + 13)}">{markup(box.label)}</text></g>'
        )
    backward = {n.id for n in scene.nodes if n.kind.startswith("gradient")}
    for tail, head_id, steps in layout.ties:
        out.append(f'<path class="d" data-from="{tail}" data-to="{head_id}" d="{_path(steps)}"/>')
    for i, steps in layout.curves:
        edge = scene.edges[i]
        ends = f'data-from="{edge.tail}" data-to="{edge.head}" d="{_path(steps)}"'
        if edge.tie:
            out.append(f'<path class="d" {ends}/>')
        elif edge.tail in backward or edge.head in backward:
            out.append(f'<path class="c" {ends} marker-end="url(#graphnet-arrow-back)"/>')
        else:
            out.append(f'<path class="f" {ends} marker-end="url(#graphnet-arrow)"/>')
    origin = {e.head: e.tail for e in scene.edges if e.tie}
    for node in scene.nodes:
        p = layout.places[node.id]
        tied = f' data-gradient-of="{origin[node.id]}"' if node.id in origin else ""
        out.append(
            f'<g id="{node.id}" class="n {node.kind.replace(" ", "-")}"{tied}><title>{markup(node.tooltip)}</title>'
            + _shape(node, p.x - p.width / 2, p.y - p.height / 2, p.width, p.height)
        )
        wide, high = DEPTH.get(LOOKS[node.kind][1], (0.0, 0.0))
        for place, line in enumerate(node.lines):
            base = p.y + (place - (len(node.lines) - 1) / 2) * LINE + 4 + high / 2
            out.append(f'<text x="{number(p.x - wide / 2)}" y="{number(base)}">{markup(line)}</text>')
        out.append("</g>")
    for text in layout.texts:
        end = ' text-anchor="end"' if text.anchor == "end" else ""
        out.append(f'<text class="e" x="{number(text.x)}" y="{number(text.y)}"{end}>{markup(text.content)}</text>')
    out.append("</g>")
    for x, row, meaning, fill, border in entries:
        y = height - (rows - row) * 16 - 4
        out.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="14" height="10" rx="2" fill="{fill}" stroke="{border}"/>'
            f'<text class="k" x="{number(x + 19)}" y="{number(y + 8.5)}">{markup(meaning)}</text>'
        )
    out.append("</svg>")
    return "\n".join(out) + "\n"
