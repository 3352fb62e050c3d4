"""What a picture shows: nodes, edges and nested boxes with their texts, before anybody decides where they go."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from graphnet.escape import line


@dataclass
class Node:
    """A shape with a few lines of text. `kind` decides how it looks, `data` says in words and numbers what it is.

    `heat`, from 0 to 1, colours it instead of its kind; `mark` is a key of `MARKS` and gives it a thick border.
    """

    id: str
    kind: str
    lines: list[str]
    tooltip: str = ""
    box: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    heat: float | None = None
    mark: str = ""

    @property
    def look(self) -> tuple[str, str, str]:
        """Shape, fill and border."""
        _, shape, fill, border = LOOKS[self.kind]
        if self.heat is not None:
            fill = heat_colour(self.heat)
        return shape, fill, MARKS[self.mark][1] if self.mark else border

    def says(self, label: str) -> bool:
        """Whether its own text says already what its edge would: leaves show their dtype and shape themselves."""
        return any(line.startswith(label) for line in self.lines)


@dataclass
class Edge:
    """An arrow with a label and, where order matters, the argument it is.

    A `tie` is dashed and joins a gradient to what it is the gradient of.
    """

    tail: str
    head: str
    label: str = ""
    tie: bool = False
    argument: str = ""

    @property
    def text(self) -> str:
        """Both in one line."""
        return ": ".join(filter(None, (self.argument, self.label)))


@dataclass
class Box:
    """A frame around nodes: a layer, a composite, or the gradients of one, which is then `of`.

    `kind` is "" for these, "kernel" for what runs in one loop, "repeat" for a block that stands for several, "graph"
    for one of two graphs side by side.
    """

    id: str
    label: str
    parent: str | None
    gradient: bool = False
    of: str | None = None
    kind: str = ""
    tooltip: str = ""

    @property
    def colour(self) -> str:
        """The colour of the frame."""
        return "#c98aa0" if self.gradient else FRAMES.get(self.kind, "#86b79c")


@dataclass
class Scene:
    """All that a renderer needs."""

    title: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    caption: str = ""
    #: what the heat means, and its least and greatest value, in words
    heat: tuple[str, str, str] | None = None

    @property
    def heading(self) -> list[str]:
        """The title, and what is written under it."""
        return [self.title, *filter(None, self.caption.split("\n"))]

    @property
    def kinds(self) -> list[str]:
        """The kinds that occur, in the order of the legend."""
        here = {n.kind for n in self.nodes}
        return [k for k in LOOKS if k in here]

    def say(self, text: str) -> None:
        """Add a line under the title."""
        self.caption = "\n".join(filter(None, (self.caption, text)))

    def legend(self) -> list[tuple[str, str, str, str]]:
        """(meaning, shape, fill, border) of every entry: kinds, marks, and the ends of the heat."""
        entries = [LOOKS[kind] for kind in self.kinds]
        marks = {n.mark for n in self.nodes}
        entries += [(meaning, "box", "#ffffff", colour) for mark, (meaning, colour) in MARKS.items() if mark in marks]
        if any(b.kind == "kernel" for b in self.boxes):
            entries.append(("fused kernel", "box", "#ffffff", FRAMES["kernel"]))
        if self.heat is not None:
            what, low, high = self.heat
            entries += [(f"{what}: from {low}", "box", heat_colour(0), "#c05621")]
            entries += [(f"to {high}", "box", heat_colour(1), "#c05621")]
        return entries if len(entries) > 1 else []

    def to_dict(self) -> dict[str, Any]:
        """The scene in lists, dicts, strings and numbers, as it goes into JSON."""
        return asdict(self)


#: kind: (meaning, shape, fill, border). Dark text on light fills is readable on any background.
LOOKS: dict[str, tuple[str, str, str, str]] = {
    "input": ("input", "oval", "#cfe8ff", "#2b6cb0"),
    "parameter": ("parameter", "folder", "#ffe8b8", "#b7791f"),
    "state": ("state", "folder", "#f3ecd8", "#8a7a4a"),
    "constant": ("constant", "note", "#ececec", "#7a7a7a"),
    "op": ("op", "box", "#ffffff", "#4a5568"),
    "region": ("layer or function, closed", "box3d", "#d9f2e3", "#2f855a"),
    "gradient": ("op of the gradient", "box", "#fde2ea", "#b83260"),
    "gradient region": ("gradient, closed", "box3d", "#fbd0de", "#b83260"),
    "kernel": ("fused kernel, closed", "box3d", "#fff3d6", "#b7791f"),
    "failed": ("failed", "box", "#fed7d7", "#c53030"),
    "folded": ("folded", "box", "#f7f7f7", "#9a9a9a"),
    "output": ("output", "oval", "#e3dcff", "#5a3fc0"),
}

#: mark: (meaning, border)
MARKS: dict[str, tuple[str, str]] = {
    "nan": ("first NaN or infinity", "#c53030"),
    "gone": ("only before", "#c05621"),
    "new": ("only after", "#2f855a"),
}

#: the frames of boxes that are neither layers nor gradients
FRAMES = {"kernel": "#c9a15a", "repeat": "#7f9cc9", "graph": "#9a9a9a"}


def heat_colour(heat: float) -> str:
    """White at 0, orange at 1: dark text is readable on all of it.

    >>> heat_colour(0), heat_colour(1)
    ('#ffffff', '#f58a4b')
    """
    share = min(1.0, max(0.0, heat))
    return "#" + "".join(f"{round(255 + (end - 255) * share):02x}" for end in (0xF5, 0x8A, 0x4B))


def one_line(text: str, limit: int = 40) -> str:
    """A name as it is drawn: on one line, with what is hidden made visible, and cut where it is too long.

    >>> one_line("a" * 9, 5), one_line("two\\nlines"), one_line("\\x1b[2J")
    ('aaaa…', 'two lines', '\\\\x1b[2J')
    """
    shown = line(re.sub(r"\s+", " ", text[: 4 * limit]))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
