"""The measures of our own layout, and what comes out of it: places, paths and texts, ready to be written or painted."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphnet.viz.layered import Key
from graphnet.viz.metrics import text_width

LINE, PAD_X, PAD_Y = 14.0, 10.0, 7.0
TEXT, SMALL = 11.0, 9.0
GAP_ACROSS, GAP_ALONG, FRAME, TITLE = 18.0, 26.0, 10.0, 14.0
#: bends of long edges in a container: so many, and so many for each node and edge of the picture, up to MANY; edges
#: beyond that are drawn straight
BENDS, BENDS_EACH, MANY = 20_000, 20, 150_000
#: seconds that are spent on a better layout: so many, and so many for each node and edge, up to LONGEST
SECONDS, SECONDS_EACH, LONGEST = 2.0, 1 / 500, 20.0

Point = tuple[float, float]
#: a letter of SVG's paths and its points
Step = tuple[str, tuple[Point, ...]]


@dataclass
class Place:
    """The centre and size of a node."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Text:
    """A piece of text that belongs to an edge, and where its baseline begins or ends."""

    x: float
    y: float
    content: str
    anchor: str = "start"

    @property
    def left(self) -> float:
        return self.x - (text_width(self.content, SMALL) if self.anchor == "end" else 0.0)


@dataclass
class Layout:
    """Where everything is: nodes by id, edges by their place in the scene as steps of a path, boxes as corners."""

    width: float = 0.0
    height: float = 0.0
    places: dict[str, Place] = field(default_factory=dict)
    curves: list[tuple[int, list[Step]]] = field(default_factory=list)
    boxes: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    #: dashed lines between the boxes of gradients and what they are the gradients of
    ties: list[tuple[str, str, list[Step]]] = field(default_factory=list)


@dataclass
class Frame:
    """A box from the inside, or a whole column: places of its children, routes of its links, all in flow direction."""

    across: float = 0.0
    along: float = 0.0
    at: dict[Key, Point] = field(default_factory=dict)
    bands: dict[Key, Point] = field(default_factory=dict)
    routes: dict[Key, list[Point]] = field(default_factory=dict)
    entry: dict[Key, float] = field(default_factory=dict)
    exit: dict[Key, float] = field(default_factory=dict)


#: what a shape's second part adds to its width and height
DEPTH = {"box3d": (4.0, 4.0), "folder": (0.0, 4.0)}
FORWARD, BACKWARD = "\0f", "\0b"
