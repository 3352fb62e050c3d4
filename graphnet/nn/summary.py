"""The table of a model's layers, as an object: printed, shown in a notebook, or read."""

from __future__ import annotations

import html
from typing import Any

from graphnet.nn.layer import Layer

HEAD = ("Layer (type)", "Output Shape", "Param #")


class Summary:
    """What `model.summary()` gives.

    `rows` has a dict for each layer (`name`, `kind`, `output_shape`, `params`, `trainable`, `depth`); `total_params`,
    `trainable_params` and `non_trainable_params` count the model's own weights, each once; `optimizer_params` what the
    optimizer keeps beside them.
    """

    def __init__(
        self, model: Any, expand_nested: bool = False, show_trainable: bool = False, line_length: int | None = None
    ):
        self.name = model.name
        self.show_trainable = show_trainable
        self.line_length = line_length
        self.rows: list[dict[str, Any]] = []
        self._add(model.layers, 0, expand_nested)
        weights, learn = model.weights, set(model.trainable_weights)
        self.total_params = sum(w.size for w in weights)
        self.trainable_params = sum(w.size for w in weights if w in learn)
        self.non_trainable_params = self.total_params - self.trainable_params
        self.total_bytes = sum(w.nbytes for w in weights)
        self.trainable_bytes = sum(w.nbytes for w in weights if w in learn)
        optimizer = getattr(model, "optimizer", None)
        slots = [s for slots in optimizer.state for s in slots] if optimizer is not None else []
        self.optimizer_params = sum(s.size for s in slots)
        self.optimizer_bytes = sum(s.nbytes for s in slots)

    def _add(self, layers: list[Layer], depth: int, expand: bool) -> None:
        for layer in layers:
            self.rows.append(
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "output_shape": getattr(layer, "output_shape", None),
                    "params": layer.count_params() if layer.built else None,
                    "trainable": layer.trainable if layer.weights else None,
                    "depth": depth,
                }
            )
            inner = getattr(layer, "layers", None)
            if expand and inner:
                self._add(inner, depth + 1, expand)

    def table(self) -> list[tuple[str, ...]]:
        """The rows as text."""
        lines: list[tuple[str, ...]] = []
        for row in self.rows:
            indent = "   " * row["depth"] + "└ " * bool(row["depth"])
            shape = "?" if row["output_shape"] is None else str(tuple(row["output_shape"]))
            params = "0 (unbuilt)" if row["params"] is None else f"{row['params']:,}"
            line: tuple[str, ...] = (f"{indent}{row['name']} ({row['kind']})", shape, params)
            if self.show_trainable:
                line += ("-" if row["trainable"] is None else "Y" if row["trainable"] else "N",)
            lines.append(line)
        return lines

    def totals(self) -> list[str]:
        """The lines below the table."""
        lines = [
            f"Total params: {self.total_params:,} ({size_text(self.total_bytes)})",
            f"Trainable params: {self.trainable_params:,} ({size_text(self.trainable_bytes)})",
            f"Non-trainable params: {self.non_trainable_params:,} "
            f"({size_text(self.total_bytes - self.trainable_bytes)})",
        ]
        if self.optimizer_params:
            lines.append(
                f"Optimizer params, beside the model: {self.optimizer_params:,} ({size_text(self.optimizer_bytes)})"
            )
        return lines

    def __str__(self) -> str:
        head = HEAD + ("Trainable",) * self.show_trainable
        rows = self.table()
        widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
        if self.line_length:
            widths[0] = max(widths[0], self.line_length - sum(widths[1:]) - 3 * len(widths) - 1)

        def text(line: tuple[str, ...], bar: str) -> str:
            cells = [c.rjust(w) if i == 2 else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
            return bar + bar.join(f" {c} " for c in cells) + bar

        def rule(left: str, fill: str, middle: str, right: str) -> str:
            return left + middle.join(fill * (w + 2) for w in widths) + right

        lines = [f'Model: "{self.name}"', rule("┏", "━", "┳", "┓"), text(head, "┃"), rule("┡", "━", "╇", "┩")]
        lines += [text(row, "│") for row in rows]
        lines += [rule("└", "─", "┴", "┘")]
        return "\n".join([*lines, *(f" {line}" for line in self.totals())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = HEAD + ("Trainable",) * self.show_trainable
        cells = "".join(f"<th style='text-align:left'>{html.escape(c)}</th>" for c in head)
        body = ""
        for line in self.table():
            parts = (
                f"<td style='text-align:{'right' if i == 2 else 'left'}'>{html.escape(c).replace('   ', '&emsp;')}</td>"
                for i, c in enumerate(line)
            )
            body += f"<tr>{''.join(parts)}</tr>"
        totals = "<br>".join(html.escape(line) for line in self.totals())
        return f"<b>{html.escape(self.name)}</b><table><tr>{cells}</tr>{body}</table><small>{totals}</small>"


def size_text(count: int) -> str:
    """Bytes as `0.00 B`, `158.85 KB`, `1.20 MB`.

    >>> size_text(162664)
    '158.85 KB'
    """
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{value:.2f} {unit}"
