"""From a graph to a picture, by what is there: `dot`, pygraphviz, or our own layout. A picture always comes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphnet.computed import computed
from graphnet.extras import install
from graphnet.files import write_whole
from graphnet.graph import Graph
from graphnet.optional import elsewhere, optional
from graphnet.viz.arranger import Arranger
from graphnet.viz.dot import RANKDIRS, dot_source
from graphnet.viz.geometry import Layout
from graphnet.viz.layout import arrange
from graphnet.viz.scene import Scene
from graphnet.viz.scenes import scene_of
from graphnet.viz.svg import to_svg

_ENGINES = ("auto", "dot", "pygraphviz", "builtin")
_FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot", ".json": "json"}
_DPI = {"png": 144}
#: options that mean nothing on a page, where everything can be seen
STILL = ("fold", "limit", "shapes", "dtypes", "names", "parameters")
#: seconds for a layout: when another engine can step in, and when one was asked for by name
_PATIENCE, _LONG_PATIENCE = 3.0, 60.0
#: nodes from which on our own layout, which takes time in proportion, comes first
_MANY = 2_000
#: run in a process of its own, so that a layout without end can be ended; its modules are looked for where ours are,
#: and not in the current folder, which Python puts first
_PYGRAPHVIZ = """\
import sys
sys.path[:] = sys.argv.pop().split(chr(10))
import pygraphviz
g = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
g.graph_attr.update(dict(a.split("=") for a in sys.argv[2:]))
sys.stdout.buffer.write(g.draw(format=sys.argv[1], prog="dot"))
"""


class _Unable(Exception):
    """An engine that is not there, or that failed."""


class Picture:
    """A drawn graph: `svg` (text), `dot` (text), `engine` (which layout drew it), `path` (the file, if written).

    Shows itself in a notebook. `save(path)` writes it as SVG, PNG, PDF, DOT or JSON (what is shown, as data), by the
    file's ending.
    """

    def __init__(
        self, scene: Scene, engine: str = "auto", timeout: float | None = None, rankdir: str = "TB", legend: bool = True
    ):
        self.scene = scene
        self.path: Path | None = None
        self.rankdir = rankdir
        self._legend = legend
        self._timeout = timeout if timeout is not None else _PATIENCE if engine == "auto" else _LONG_PATIENCE
        self._auto = engine == "auto"
        self._ladder = [engine]
        if engine == "auto":
            # Graphviz does not know two columns that flow against each other, and takes long to find none: more than
            # 20 seconds for the gradient of 200 layers. It takes 6 seconds for any 5,000 nodes, our own layout 2.
            own = Arranger(scene, rankdir).columns or len(scene.nodes) > _MANY
            self._ladder = ["builtin", "dot", "pygraphviz"] if own else ["dot", "pygraphviz", "builtin"]
        self._failed: dict[str, str] = {}
        self.engine, content = self._rendered("svg")
        self.svg = _embeddable(content.decode("utf-8"), self.engine)

    @computed
    def dot(self) -> str:
        """The DOT text."""
        return dot_source(self.scene, self.rankdir, self._legend).source

    @computed
    def _layout(self) -> Layout:
        return arrange(self.scene, self.rankdir, self._timeout)

    def _rendered(self, form: str) -> tuple[str, bytes]:
        """The first engine that works, and what it drew."""
        problems = {}
        for engine in self._ladder:
            if engine in self._failed:
                problems[engine] = self._failed[engine]
                continue
            try:
                return engine, getattr(self, f"_by_{engine}")(form)
            except _Unable as error:
                problems[engine] = str(error)
                if form == "svg":
                    self._failed[engine] = str(error)
        if self._auto:
            raise RuntimeError(
                f"{form.upper()} needs pygraphviz, matplotlib or `dot`. SVG, DOT and JSON need nothing: use "
                f".save('graph.svg'). To get {form.upper()}: {install('viz')}, or {install('plot')}. "
                f"({'; '.join(problems.values())})"
            )
        raise RuntimeError(f"the engine {self._ladder[0]!r} cannot draw: {'; '.join(problems.values())}")

    def _by_dot(self, form: str) -> bytes:
        program = shutil.which("dot")
        # Where a path of programs has the current folder, what lies there may have come with the file.
        if program is None or os.path.dirname(os.path.abspath(program)) == os.getcwd():
            raise _Unable("the program `dot` is not on the path")
        options = [f"-Gdpi={_DPI[form]}", "-Gbgcolor=white"] if form in _DPI else []
        return self._run("dot", [program, f"-T{form}", *options])

    def _by_pygraphviz(self, form: str) -> bytes:
        try:
            optional("pygraphviz")
        except Exception:
            raise _Unable(f"pygraphviz is not installed: {install('viz')}") from None
        if self._auto and "longer" in self._failed.get("dot", ""):
            raise _Unable("pygraphviz lays out as dot does")
        options = [f"dpi={_DPI[form]}", "bgcolor=white"] if form in _DPI else []
        return self._run("pygraphviz", [sys.executable, "-c", _PYGRAPHVIZ, form, *options, "\n".join(elsewhere())])

    def _by_builtin(self, form: str) -> bytes:
        if form == "svg":
            return to_svg(self.scene, self._layout, self._legend).encode("utf-8")
        try:
            optional("matplotlib")
        except ImportError:
            raise _Unable(f"matplotlib is not installed: {install('plot')}") from None
        from graphnet.viz.paint import to_bitmap

        return to_bitmap(self.scene, self._layout, form, _DPI.get(form, 72), self._legend)

    def _run(self, engine: str, command: list[str]) -> bytes:
        try:
            done = subprocess.run(
                command, input=self.dot.encode("utf-8"), capture_output=True, timeout=self._timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise _Unable(f"{engine} took longer than {self._timeout:g} seconds") from None
        except OSError as error:
            raise _Unable(f"{engine}: {error}") from None
        if done.returncode or not done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise _Unable(f"{engine}: {said[-1] if said else 'it drew nothing'}")
        return done.stdout

    def save(self, path: str | os.PathLike[str]) -> Picture:
        """Write to `path`: SVG, PNG, PDF, DOT or JSON by its ending. The file appears whole or not at all.

        Raises `ValueError` for another ending, `FileNotFoundError` for a folder that is not there, `RuntimeError` for
        PNG and PDF if nothing on the machine can paint them.
        """
        target = Path(path)
        form = format_of(target)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
        if form == "svg":
            content = self.svg.encode("utf-8")
        elif form == "dot":
            content = self.dot.encode("utf-8")
        elif form == "json":
            content = (json.dumps(self.scene.to_dict(), indent=1, ensure_ascii=False) + "\n").encode("utf-8")
        else:
            _, content = self._rendered(form)
        write_whole(target, content)
        self.path = target
        return self

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        at = f" in {self.path}" if self.path else ""
        said = f" ({'; '.join(self.scene.heading[1:])})" if self.scene.caption else ""
        return f"<Picture of {self.scene.title}, drawn by {self.engine}{at}{said}>"


def _embeddable(svg: str, engine: str) -> str:
    """SVG from its first element on, as it can stand in a page, with a note of what drew it."""
    svg = svg[svg.index("<svg") :]
    if "<!-- drawn by" in svg[:2000]:
        return svg
    return re.sub("(<svg[^>]*>)", rf"\1\n<!-- drawn by graphnet, engine {engine} -->", svg, count=1)


def format_of(path: Path) -> str:
    """The format that a file's ending asks for."""
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        ending = f"this ends in {path.suffix}" if path.suffix else "this has no ending"
        known = ", ".join(_FORMATS)
        raise ValueError(
            f"{path}: a picture ends in {known}, or in .html for the page that draw(path) writes; {ending}"
        )
    return form


def draw(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    rankdir: str = "TB",
    legend: bool = True,
    engine: str = "auto",
    timeout: float | None = None,
    **options: Any,
) -> Any:
    """A picture of a graph, written to `path` if that is given: SVG, PNG, PDF, DOT or JSON by its ending.

    A path that ends in .html gives the interactive page, a `Page`; see `graphnet.viz.page`.

    What is shown:

    * `depth`: how many levels of layers and composites are open; None for all, "auto" for what stays readable;
    * `fold`: whether one of 3 or more equal blocks stands for all ("× 12"); "auto" for more than 100 nodes;
    * `limit`: how many nodes are shown at most before boxes close and long graphs fold (then the picture says so);
    * `backward`: whether nodes of a gradient are shown, beside what they are the gradient of; `gradient`: add the
      gradient of the first output for the parameters, or for the inputs where there are none;
    * `shapes`, `dtypes`: whether edges carry these; `names`: True for those that were given, "all" for those of the
      graph's text too, False for none; `parameters`: False writes parameters into the ops that use them.

    What is known about it:

    * `values`: arrays for the inputs (a list, a dict by name, or the one array), with which the graph is run: nodes
      show values and norms of gradients, and the op that first made a NaN is marked; True for what is known already;
    * `heat`: "time" or "memory" as colour; `profile`: what `plan.profile()` gave, for `plan.draw`.

    How:

    * `rankdir`: "TB" (downwards), "LR" (to the right), "BT" or "RL"; `legend`, `title`;
    * `engine`: "dot" (the program), "pygraphviz", "builtin" (no Graphviz at all) or "auto" for the first of them that
      works; where forward and backward are shown together, "auto" begins with "builtin", which sets them side by
      side, and so it does for more than 2,000 nodes;
    * `timeout`: the seconds that a layout may take, 3 for "auto" and 60 for an engine asked for by name.

    Raises `ValueError` for an unknown ending or option, `FileNotFoundError` for a folder that is not there,
    `RuntimeError` if the one engine asked for is not there, or for PNG and PDF if nothing on the machine can paint.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> picture = gn.Graph([x], gn.exp(x)).draw(engine="builtin")
    >>> picture.svg[:4], picture
    ('<svg', <Picture of graph, drawn by builtin>)
    """
    if path is not None and Path(path).suffix.lower() in (".html", ".htm"):
        from graphnet.viz.interactive import page

        return page(graph, path, **{k: v for k, v in options.items() if k not in STILL})
    return drawn(lambda: scene_of(graph, **options), path, rankdir, legend, engine, timeout)


def drawn(
    scene: Callable[[], Scene],
    path: str | os.PathLike[str] | None = None,
    rankdir: str = "TB",
    legend: bool = True,
    engine: str = "auto",
    timeout: float | None = None,
) -> Picture:
    """The picture of a scene, which is made once the other options are known to be right."""
    if engine not in _ENGINES:
        raise ValueError(f"engine is one of {', '.join(_ENGINES)}; received {engine!r}")
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir is TB, LR, BT or RL; received {rankdir!r}")
    if path is not None:
        format_of(Path(path))
    picture = Picture(scene(), engine, timeout, rankdir, legend)
    return picture if path is None else picture.save(path)


def to_dot(graph: Graph, **options: Any) -> str:
    """The DOT text of a graph, which needs no Graphviz; options as for `draw`, without `engine` and `timeout`."""
    rankdir, legend = options.pop("rankdir", "TB"), options.pop("legend", True)
    return dot_source(scene_of(graph, **options), rankdir, legend).source
