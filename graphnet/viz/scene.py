"""What a picture shows: nodes, edges and nested boxes with their texts, before anybody decides where they go."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Node:
    """A shape with a few lines of text. `kind` decides how it looks, `data` says in words and numbers what it is."""

    id: str
    kind: str
    lines: list[str]
    tooltip: str = ""
    box: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

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
    """A frame around nodes: a layer, a composite, or the gradients of one, which is then `of`."""

    id: str
    label: str
    parent: str | None
    gradient: bool = False
    of: str | None = None


@dataclass
class Scene:
    """All that a renderer needs."""

    title: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    caption: str = ""

    @property
    def kinds(self) -> list[str]:
        """The kinds that occur, in the order of the legend."""
        here = {n.kind for n in self.nodes}
        return [k for k in LOOKS if k in here]

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
    "folded": ("folded", "box", "#f7f7f7", "#9a9a9a"),
    "output": ("output", "oval", "#e3dcff", "#5a3fc0"),
}


#: control characters, those that turn the direction of writing, and halves of characters
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def one_line(text: str, limit: int = 40) -> str:
    """A name as it is drawn: on one line, without control characters, and cut where it is too long.

    >>> one_line("a" * 9, 5), one_line("two\\nlines")
    ('aaaa…', 'two lines')
    """
    text = re.sub(r"\s+", " ", text)
    text = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
