"""Lines of Python whose names are numbers, and the same lines as a listing with the names of the graph.

What is run holds nothing that a graph says: its values stand in a dict. Names of tensors, layers and ops are in the
listing only, which is made of the same lines for people, and never run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from graphnet.escape import line
from graphnet.node import Tensor

#: characters of a value in a listing
LONGEST = 80


class Line(NamedTuple):
    """A line of code, as it is run and as a listing shows it."""

    code: str
    shown: str


class Lines(NamedTuple):
    """The body of a function.

    * `arguments`: their names, and as a listing `shows` them; `scope`: what the lines use, by name;
    * `starts`: (number of a step, number of the line that runs it).
    """

    arguments: tuple[str, ...]
    shows: tuple[str, ...]
    body: tuple[Line, ...]
    scope: dict[str, Any]
    starts: tuple[tuple[int, int], ...]

    @property
    def code(self) -> tuple[str, ...]:
        """The lines that are run."""
        return tuple(text.code for text in self.body)

    @property
    def listing(self) -> str:
        """The function for people."""
        return "\n".join([f"def step({', '.join(self.shows)}):", *(f"    {text.shown}" for text in self.body)]) + "\n"

    def of_step(self, place: int) -> str:
        """The lines that run a step, for people."""
        return "\n".join(self.body[at].shown for step, at in self.starts if step == place)


class Text:
    """Lines that are being written, with names for nodes and for objects that they use."""

    def __init__(self, names: Mapping[Tensor, str]):
        self.names = names
        #: what the lines use, by name
        self.scope: dict[str, Any] = {}
        self.lines: list[tuple[str, str]] = []
        self.starts: list[tuple[int, int]] = []
        self._ids: dict[Tensor, str] = {}
        self._name_of: dict[int, str] = {}
        self._listed: dict[str, str] = {}

    def id(self, t: Tensor) -> str:
        """The name of a node in the code."""
        found = self._ids.get(t)
        if found is None:
            found = self._ids[t] = f"v{len(self._ids)}"
            self._listed[found] = self.names[t]
        return found

    def name(self, value: Any, shown: str | None = None) -> str:
        """The name in the code for something that it uses; the listing shows `shown`, or what it is."""
        if id(value) not in self._name_of:
            name = f"k{len(self._name_of)}"
            self._name_of[id(value)], self.scope[name] = name, value
            if shown is None:
                # A partial or a callable object has no name of its own.
                own = getattr(value, "__name__", None) or type(value).__name__
                shown = f"k_{own.strip('_').removesuffix('_into')}" if callable(value) else repr(value)
            self._listed[name] = line(" ".join(shown.split()), LONGEST)
        return self._name_of[id(value)]

    def say(self, code: str, note: str = "") -> None:
        """Add a line, with a note for the listing."""
        self.lines.append((code, note))

    def mark(self, place: int) -> None:
        """The next line begins the work of a step."""
        self.starts.append((place, len(self.lines)))

    def finished(self, arguments: list[Tensor], before: list[str], results: list[str]) -> Lines:
        """The whole body: the lines `before`, those written so far, and the answer."""
        whole = [*((code, "") for code in before), *self.lines, (f"return [{', '.join(results)}]", "")]
        ids = tuple(self.id(t) for t in arguments)
        return Lines(
            ids,
            tuple(self.names[t] for t in arguments),
            tuple(Line(code, self._shown(code) + note) for code, note in whole),
            self.scope,
            tuple((place, at + len(before)) for place, at in self.starts),
        )

    def _shown(self, code: str) -> str:
        listed = self._listed
        return re.sub(r"\b[vk]\d+\b", lambda found: listed.get(found[0], found[0]), code)
