"""Epochs as rows of a table, in text and HTML: the best one marked with a star."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphnet.escape import line, markup
from graphnet.nn.line import number

MARK = "*"


def ordered(logs: Iterable[str]) -> list[str]:
    """The keys of logs: training's in alphabetical order, then validation's."""
    return sorted(logs, key=lambda key: (key.startswith("val_"), key))


class Grid:
    """A table with a column for the epoch, counted from 1, and one for each of `keys`."""

    def __init__(self, keys: Iterable[str]):
        self.keys = list(keys)
        self.names = [line(key) for key in self.keys]
        self.widths = [max(5, len("epoch")), *(max(len(name), 10) for name in self.names)]

    def head(self) -> str:
        """The names of the columns."""
        return "  ".join(name.rjust(width) for name, width in zip(["epoch", *self.names], self.widths, strict=True))

    def rule(self) -> str:
        """A line of dashes as wide as the columns."""
        return "  ".join("-" * width for width in self.widths)

    def row(self, epoch: int, logs: dict[str, Any], best: bool = False) -> str:
        """The values of an epoch, which is counted from 0; what it lacks stays empty."""
        cells = [str(epoch + 1), *self.cells(logs)]
        text = "  ".join(cell.rjust(width) for cell, width in zip(cells, self.widths, strict=True))
        return f"{text} {MARK}" if best else text.rstrip()

    def cells(self, logs: dict[str, Any]) -> list[str]:
        """The values as text."""
        return [number(logs[key]) if key in logs else "" for key in self.keys]

    def as_text(self, rows: list[dict[str, Any]], best: int | None) -> str:
        """All `rows` (each with its "epoch"), that of the epoch `best` marked."""
        lines = [self.row(row["epoch"], row, row["epoch"] == best) for row in rows]
        return "\n".join([self.head(), self.rule(), *lines])

    def as_html(self, rows: list[dict[str, Any]], best: int | None) -> str:
        """All `rows` as an HTML table."""
        head = "".join(f"<th style='text-align:right'>{markup(name)}</th>" for name in ("epoch", *self.names))
        body = ""
        for row in rows:
            first = str(row["epoch"] + 1) + (MARK if row["epoch"] == best else "")
            cells = "".join(f"<td style='text-align:right'>{markup(c)}</td>" for c in (first, *self.cells(row)))
            body += f"<tr{' style=font-weight:bold' if row['epoch'] == best else ''}>{cells}</tr>"
        return f"<table><tr>{head}</tr>{body}</table>"
