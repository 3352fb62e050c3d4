"""A graph as one HTML file that needs nothing else: to move around in, to search, to open and close, to ask.

What it shows is gathered in `page_data.py`; the page under `assets/` lays out what is open by itself.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from graphnet.files import write_whole
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor, toposort
from graphnet.viz.page_data import page_data
from graphnet.viz.scene import LOOKS
from graphnet.viz.scenes import with_gradient
from graphnet.viz.standalone import as_json, asset, checked_path, joined

#: the parts of the page's script, in the order in which they build on each other
SCRIPTS = tuple("model layered shapes ranks boxes view camera light panel search controls".split())


class Page:
    """An interactive page of a graph: `html` (text), `path` (the file, if written). Shows itself in a notebook.

    `save(path)` writes it; the file appears whole or not at all.
    """

    #: what lays out the graph, as a `Picture` has it
    engine = "the page itself"

    def __init__(self, html: str, title: str):
        self.html = html
        self.title = title
        self.path: Path | None = None

    def save(self, path: str | os.PathLike[str]) -> Page:
        """Write to `path`, which ends in .html. Raises `ValueError` for another ending, `FileNotFoundError` for a
        folder that is not there."""
        target = checked_path(path)
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
    gradient: bool = False,
    values: Any = None,
    profile: Any = None,
    heat: str | None = None,
) -> Page:
    """One HTML file, with no need of a network, of a Graph, a Plan, a Tensor or a model; written to `path` if given.

    In it: pan, zoom, search; a click opens and closes layers and composites; a click on a node shows its formula, the
    source of its gradient rule, shapes, the line that made it, statistics of its value where that is known, and for a
    Plan the code that runs. All of it with the keyboard too.

    * `depth`: how many levels of boxes are open at first; None for all, "auto" for what is readable at a glance;
    * `backward`: whether the nodes of a gradient are in it; `gradient`: add that of the first output;
    * `values`: arrays for the inputs (a list, a dict by name, or the one array), with which the graph is run, so that
      every node has statistics and the first NaN is marked; without them, what is known already has;
    * `profile`: what `plan.profile()` gave: the page shows the plan's graph, and time as colour;
    * `heat`: "time" or "memory", the colour at first; "time" measures, where there is no profile.

    The same graph gives the same file, byte for byte. Raises `TypeError` for anything else than a graph or what has
    one, `ValueError` for a wrong option or ending, and what running the graph raises.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> page(gn.Graph([x], gn.exp(x)))
    <Page of graph>
    """
    if heat not in (None, "time", "memory"):
        raise ValueError(f"heat is 'time' or 'memory'; received {heat!r}")
    if depth != "auto" and depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 0):
        raise ValueError(f"depth is a number of open levels, None for all, or 'auto'; received {depth!r}")
    if path is not None:
        checked_path(path)
    graph, plan = _graph_of(thing)
    if heat == "time" and profile is None and plan is not None:
        profile = plan.profile()
    if profile is not None:
        graph = profile.graph
        if plan is not None and profile.backend != plan.backend:
            # The plan has gone on to native code since: its lines are of another graph.
            plan = None
    if gradient:
        graph = with_gradient(graph)
    timed = heat == "time" and profile is None
    data = page_data(graph, depth, backward, title, values, profile, plan, timed)
    data["heat"] = heat or ("time" if profile is not None else "")
    made = Page(_html(data, data["title"]), data["title"])
    return made if path is None else made.save(path)


def _graph_of(thing: Any) -> tuple[Graph, Any]:
    """The graph to show and the plan whose code it shows, for anything that has a graph."""
    if isinstance(thing, Graph):
        return thing, None
    if isinstance(thing, Tensor):
        # As `Tensor.draw` has it: what it was made from.
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


def _html(data: dict[str, Any], title: str) -> str:
    script = '"use strict";\n(() => {\n' + "\n".join(asset(f"page_{name}.js") for name in SCRIPTS) + "})();\n"
    # The colours of the kinds, as the pictures have them.
    looks = "\n".join(
        f".k-{kind.replace(' ', '-')}{{--fill:{fill};--line:{line}}}" for kind, (_, _, fill, line) in LOOKS.items()
    )
    style = f"{asset('base.css')}{looks}\n{asset('page.css')}"
    return joined("page.html", title, style, script, DATA=as_json(data))
