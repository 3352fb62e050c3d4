"""What all plots share: a figure without a window, colours, and files that are written whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from graphnet.extras import install
from graphnet.optional import installed, optional

COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83260", "#4a5568")
GREY = "#5f6773"


def target_of(path: Any) -> Path | None:
    """The file to write, if any. Raises `ValueError` for an ending that is no plot's."""
    target = None if path is None else Path(path)
    if target is not None and target.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{target}: a plot ends in .png, .svg or .pdf")
    return target


def new_figure(width: float, height: float) -> Any:
    """A matplotlib Figure on white. Raises `ImportError` with one line where matplotlib is missing."""
    try:
        Figure = optional("matplotlib.figure").Figure
    except ImportError:
        raise ImportError(f"plots need matplotlib: {install('plot')}") from None
    _show_in_notebook()
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def _show_in_notebook() -> None:
    """See that IPython shows a Figure at the end of a cell, which it only does by itself once pyplot is imported."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["image/png"]
    try:
        formatter.lookup_by_type("matplotlib.figure.Figure")
    except KeyError:
        formatter.for_type_by_name("matplotlib.figure", "Figure", _as_png)


def _as_png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    with installed():
        figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    return buffer.getvalue()


def write(figure: Any, target: Path | None) -> Any:
    """The figure, written to its file if it has one: whole or not at all, the same bytes for the same figure."""
    if target is None:
        return figure
    from graphnet.files import write_whole

    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
    form = target.suffix.lower()[1:]
    buffer = io.BytesIO()
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with installed(), optional("matplotlib").rc_context({"svg.hashsalt": "graphnet"}):
        figure.savefig(buffer, format=form, dpi=150, metadata=stamp)
    write_whole(target, buffer.getvalue())
    return figure


def bare(axes: Any) -> None:
    """No ticks and no frame: for images."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
