"""From a graph to a picture, by what is there: `dot`, pygraphviz, or our own layout. A picture always comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnet.viz.build import build
from graphnet.viz.dot import dot_source
from graphnet.viz.layout import arrange
from graphnet.viz.scene import Scene
from graphnet.viz.svg import to_svg

if TYPE_CHECKING:
    from graphnet.graph import Graph

_ENGINES = ("auto", "dot", "pygraphviz", "builtin")
_FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
_DPI = {"png": 144}


class Picture:
    """A drawn graph: `svg` (text), `dot` (text), `engine` (which layout drew it), `path` (the file, if written).

    Shows itself in a notebook. `save(path)` writes it as SVG, PNG, PDF or DOT, by the file's ending.
    """

    def __init__(self, scene: Scene, engine: str, timeout: float, rankdir: str, legend: bool):
        self.scene = scene
        self.path: Path | None = None
        self._wanted = engine
        self._timeout = timeout
        self._legend = legend
        self._rankdir = rankdir
        self._source = dot_source(scene, rankdir, legend)
        self.engine, content = self._rendered("svg")
        self.svg = content.decode("utf-8")

    @property
    def dot(self) -> str:
        """The DOT text."""
        return self._source.source

    def _rendered(self, form: str) -> tuple[str, bytes]:
        """The engine that worked, and what it drew."""
        wanted = self._wanted
        problems = []
        if wanted in ("auto", "dot"):
            program = shutil.which("dot")
            if program is None:
                problems.append("the program `dot` is not on the path")
            else:
                options = [f"-Gdpi={_DPI[form]}", "-Gbgcolor=white"] if form in _DPI else []
                try:
                    return "dot", self._run([program, f"-T{form}", *options])
                except (subprocess.SubprocessError, OSError) as error:
                    problems.append(f"dot: {error}")
        if wanted in ("auto", "pygraphviz"):
            try:
                import pygraphviz  # noqa: F401
            except Exception:
                problems.append("pygraphviz is not installed: pip install 'graphnet[viz]'")
            else:
                extra = f"g.graph_attr.update(dpi='{_DPI[form]}', bgcolor='white');" if form in _DPI else ""
                code = (
                    "import sys, pygraphviz; g = pygraphviz.AGraph(string=sys.stdin.read());"
                    f"{extra} sys.stdout.buffer.write(g.draw(format='{form}', prog='dot'))"
                )
                try:
                    return "pygraphviz", self._run([sys.executable, "-c", code])
                except (subprocess.SubprocessError, OSError) as error:
                    problems.append(f"pygraphviz: {error}")
        if wanted in ("auto", "builtin"):
            layout = arrange(self.scene, self._rankdir, self._timeout)
            if form == "svg":
                return "builtin", to_svg(self.scene, layout, self._legend).encode("utf-8")
            try:
                import matplotlib  # noqa: F401
            except ImportError:
                raise RuntimeError(
                    f"{form.upper()} needs `dot`, pygraphviz or matplotlib: pip install 'graphnet[viz]'. "
                    "SVG and DOT need nothing: save to a file that ends in .svg"
                ) from None
            from graphnet.viz.paint import to_bitmap

            return "builtin", to_bitmap(self.scene, layout, form, _DPI.get(form, 72), self._legend)
        raise RuntimeError(f"the engine {wanted!r} cannot draw: {'; '.join(problems)}")

    def _run(self, command: list[str]) -> bytes:
        done = subprocess.run(
            command, input=self.dot.encode("utf-8"), capture_output=True, timeout=self._timeout, check=False
        )
        if done.returncode or not done.stdout:
            raise subprocess.SubprocessError(done.stderr.decode("utf-8", "replace").strip() or "it drew nothing")
        return done.stdout

    def save(self, path: str | os.PathLike[str]) -> Picture:
        """Write to `path`: SVG, PNG, PDF or DOT by its ending. The file appears whole or not at all."""
        target = Path(path)
        form = _FORMATS.get(target.suffix.lower())
        if form is None:
            raise ValueError(
                f"{target}: a picture ends in {', '.join(_FORMATS)}; this ends in {target.suffix or 'nothing'}"
            )
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
        if form == "svg":
            content = self.svg.encode("utf-8")
        elif form == "dot":
            content = self.dot.encode("utf-8")
        else:
            _, content = self._rendered(form)
        write_whole(target, content)
        self.path = target
        return self

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        at = f" in {self.path}" if self.path else ""
        said = f" ({self.scene.caption})" if self.scene.caption else ""
        return f"<Picture of {self.scene.title}, drawn by {self.engine}{at}{said}>"


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was before, whatever happens in between."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def draw(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    depth: int | str | None = "auto",
    backward: bool = True,
    shapes: bool = True,
    rankdir: str = "TB",
    legend: bool = True,
    title: str | None = None,
    limit: int = 300,
    engine: str = "auto",
    timeout: float = 20.0,
) -> Picture:
    """A picture of a graph, written to `path` if that is given: SVG, PNG, PDF or DOT by its ending.

    * `depth`: how many levels of layers and composites are open; None for all, "auto" for what stays readable;
    * `backward`: whether nodes of a gradient are shown, beside what they are the gradient of;
    * `shapes`: whether edges carry dtype and shape; `rankdir`: "TB" (downwards) or "LR" (to the right);
    * `limit`: how many nodes are shown at most before boxes close and long graphs fold (then the picture says so);
    * `engine`: "dot" (the program), "pygraphviz", "builtin" (no Graphviz at all) or "auto" for the first that works
      within `timeout` seconds.

    Raises `ValueError` for an unknown ending or option, `RuntimeError` if the one engine asked for is not there, or for
    PNG and PDF if nothing on the machine can paint.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> picture = gn.Graph([x], gn.exp(x)).draw(engine="builtin")
    >>> picture.svg[:4], picture
    ('<svg', <Picture of graph, drawn by builtin>)
    """
    if engine not in _ENGINES:
        raise ValueError(f"engine is one of {', '.join(_ENGINES)}; received {engine!r}")
    if path is not None and Path(path).suffix.lower() not in _FORMATS:
        raise ValueError(f"{path}: a picture ends in {', '.join(_FORMATS)}")
    scene = build(graph, depth=depth, backward=backward, shapes=shapes, limit=limit, title=title)
    picture = Picture(scene, engine, timeout, rankdir, legend)
    return picture if path is None else picture.save(path)


def to_dot(graph: Graph, **options: Any) -> str:
    """The DOT text of a graph, which needs no Graphviz; options `depth`, `backward`, `shapes`, `limit`, `title`,
    `rankdir`, `legend` as for `draw`."""
    rankdir, legend = options.pop("rankdir", "TB"), options.pop("legend", True)
    return dot_source(build(graph, **options), rankdir, legend).source
