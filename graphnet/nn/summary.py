"""The table of a model's layers, as an object: printed, shown in a notebook, or read."""

from __future__ import annotations

import math
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from graphnet import ops
from graphnet.escape import line, markup
from graphnet.nn.layer import Layer
from graphnet.nn.line import encodable
from graphnet.nn.shapes import flat
from graphnet.node import made_by
from graphnet.ops.einsums import EINSUM
from graphnet.optional import optional

#: the least width of a column
LEAST = 6
#: the columns, in their order: word, head, whether it stands at the right
COLUMNS = {
    "layer": ("Layer (type)", False),
    "input": ("Input Shape", False),
    "output": ("Output Shape", False),
    "activation": ("Activation", False),
    "params": ("Param #", True),
    "macs": ("MACs", True),
    "trainable": ("Trainable", False),
}


class Summary:
    """What `model.summary()` gives.

    `rows` has a dict for each layer (`name`, `kind`, `input_shape`, `output_shape`, `activation`, `params`, `macs`,
    `trainable`, `depth`); `total_params`, `trainable_params` and `non_trainable_params` count the model's own weights,
    each once; `optimizer_params` what the optimizer keeps beside them; `total_macs` the multiplications that matrix
    products and convolutions take for one row (None where that is not known). `columns` are the words of what is shown.
    """

    def __init__(
        self,
        model: Any,
        expand_nested: bool = False,
        columns: Sequence[str] = (),
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        layer_range: Sequence[str] | None = None,
    ):
        self.name = model.name
        self.columns = [word for word in COLUMNS if word in ("layer", "output", "params") or word in columns]
        self.line_length, self.positions = line_length, positions
        self._printed_in: Any = None
        self.rows: list[dict[str, Any]] = []
        self._macs = macs_of(model) if "macs" in self.columns else {}
        self._add(in_range(model.layers, layer_range), 0, expand_nested, (model.name,), model.built_shape)
        weights, learn = model.weights, set(model.trainable_weights)
        self.total_params = sum(w.size for w in weights)
        self.trainable_params = sum(w.size for w in weights if w in learn)
        self.non_trainable_params = self.total_params - self.trainable_params
        self.total_bytes = sum(w.nbytes for w in weights)
        self.trainable_bytes = sum(w.nbytes for w in weights if w in learn)
        self.total_macs = self._macs.get((model.name,))
        optimizer = getattr(model, "optimizer", None)
        own = optimizer.variables if optimizer is not None else []
        slots = [v for v in own if v is not optimizer.count and v is not optimizer._rate]  # type: ignore[union-attr]
        self.optimizer_params = sum(s.size for s in slots)
        self.optimizer_bytes = sum(s.nbytes for s in slots)

    def _add(self, layers: list[Layer], depth: int, expand: bool, path: tuple[str, ...], shape: Any) -> None:
        for layer in layers:
            own = (*path, layer.name)
            activation = getattr(layer, "activation", None)
            self.rows.append(
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "input_shape": layer.built_shape or shape,
                    "output_shape": getattr(layer, "output_shape", None),
                    "activation": None if activation is None else line(getattr(activation, "__name__", activation), 60),
                    "params": layer.count_params() if layer.built else None,
                    "macs": self._macs.get(own, 0 if self._macs else None),
                    "trainable": layer.trainable if layer.weights else None,
                    "depth": depth,
                }
            )
            shape = self.rows[-1]["output_shape"]
            inner = getattr(layer, "layers", None)
            if expand and inner:
                self._add(inner, depth + 1, expand, own, self.rows[-1]["input_shape"])

    def cell(self, row: dict[str, Any], column: str) -> str:
        """What stands in a column of a row."""
        if column == "layer":
            return "   " * row["depth"] + "└ " * bool(row["depth"]) + line(f"{row['name']} ({row['kind']})")
        if column in ("input", "output"):
            shape = row[f"{column}_shape"]
            return "?" if shape is None else str(tuple(shape))
        if column == "params":
            return "0 (unbuilt)" if row["params"] is None else f"{row['params']:,}"
        if column == "macs":
            return "?" if row["macs"] is None else f"{row['macs']:,}"
        if column == "activation":
            return row["activation"] or "-"
        return "-" if row["trainable"] is None else "Y" if row["trainable"] else "N"

    def table(self) -> list[tuple[str, ...]]:
        """The rows as text."""
        return [tuple(self.cell(row, column) for column in self.columns) for row in self.rows]

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
        if self.total_macs is not None:
            lines.append(f"Multiplications for one row: {self.total_macs:,}")
        return lines

    def widths(self, rows: list[tuple[str, ...]]) -> list[int]:
        """How wide the columns are: as wide as what stands in them, or as the table is to be."""
        found = [max(len(line[i]) for line in rows) for i in range(len(self.columns))]
        if self.positions:
            length = self.line_length or 88
            ends = [int(p * length) if p <= 1 else int(p) for p in self.positions]
            starts = [0, *ends]
            for i in range(min(len(ends), len(found))):
                found[i] = max(found[i], ends[i] - starts[i] - 3)
            return found
        limit = self.limit()
        if limit is None:
            return found
        room = limit - 3 * len(found) - 1
        if self.line_length:
            found[0] = max(found[0], room - sum(found[1:]))
        return narrowed(found, rows, room)

    def limit(self) -> int | None:
        """How wide the table is to be; None for as wide as it needs."""
        return None if self.positions else self.line_length or terminal_columns()

    def __str__(self) -> str:
        head = tuple(COLUMNS[column][0] for column in self.columns)
        right = [COLUMNS[column][1] for column in self.columns]
        rows = self.table()
        widths = self.widths([head, *rows])

        def text(line: tuple[str, ...], bar: str) -> list[str]:
            cells = [wrapped(c, w) for c, w in zip(line, widths, strict=True)]
            found = []
            for n in range(max(len(cell) for cell in cells)):
                parts = [cell[n] if n < len(cell) else "" for cell in cells]
                padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(parts, widths, right, strict=True)]
                found.append(bar + bar.join(f" {c} " for c in padded) + bar)
            return found

        def rule(left: str, fill: str, middle: str, right: str) -> str:
            return left + middle.join(fill * (w + 2) for w in widths) + right

        title, totals = [f'Model: "{line(self.name)}"'], [f" {text}" for text in self.totals()]
        limit = self.limit()
        if limit:
            title, totals = ([part for line in lines for part in wrapped(line, limit)] for lines in (title, totals))
        body = [part for row in rows for part in text(row, "│")]
        lines = [*title, rule("┏", "━", "┳", "┓"), *text(head, "┃"), rule("┡", "━", "╇", "┩"), *body]
        return "\n".join([*lines, rule("└", "─", "┴", "┘"), *totals])

    def __repr__(self) -> str:
        return f"<Summary of '{self.name}': {len(self.rows)} layers, {self.total_params:,} params>"

    def show(self, print_fn: Any = None) -> None:
        """Print the table, or hand it to `print_fn`."""
        if print_fn is not None:
            print_fn(str(self))
            return
        print(encodable(str(self), sys.stdout))
        self._printed_in = _cell()

    def _ipython_display_(self) -> None:
        # At the end of the cell that printed it, it would be there twice.
        if self._printed_in is None or self._printed_in != _cell():
            optional("IPython.display").display({"text/plain": str(self), "text/html": self._repr_html_()}, raw=True)

    def _repr_html_(self) -> str:
        sides = ["right" if COLUMNS[column][1] else "left" for column in self.columns]
        head = "".join(
            f"<th style='text-align:{side}'>{markup(COLUMNS[column][0])}</th>"
            for column, side in zip(self.columns, sides, strict=True)
        )
        body = ""
        for row in self.table():
            parts = (
                f"<td style='text-align:{side}'>{markup(c).replace('   ', '&emsp;')}</td>"
                for c, side in zip(row, sides, strict=True)
            )
            body += f"<tr>{''.join(parts)}</tr>"
        totals = "<br>".join(markup(line) for line in self.totals())
        return f"<b>{markup(self.name)}</b><table><tr>{head}</tr>{body}</table><small>{totals}</small>"


def terminal_columns() -> int | None:
    """How wide a line may be where standard output is a terminal; None elsewhere."""
    return shutil.get_terminal_size().columns if getattr(sys.stdout, "isatty", lambda: False)() else None


def narrowed(widths: list[int], rows: list[tuple[str, ...]], room: int) -> list[int]:
    """`widths` with a sum of `room` or less: columns lose what lies behind their longest word first.

    None gets narrower than `LEAST`.
    """
    found = list(widths)
    words = [max((len(word) for row in rows for word in row[i].split()), default=1) for i in range(len(found))]
    while sum(found) > room:
        spare = [width - word for width, word in zip(found, words, strict=True)]
        place = spare.index(max(spare)) if max(spare) > 0 else found.index(max(found))
        if found[place] <= LEAST:
            break
        found[place] -= 1
    return found


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of up to `width` characters, indented like the first."""
    if len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" └"))]
    if len(indent) > width // 2:
        indent = ""
    rest = textwrap.wrap(text.lstrip(" └") if indent else text, width - len(indent), break_on_hyphens=False)
    return [(indent if n == 0 else " " * len(indent)) + line for n, line in enumerate(rest)]


def _cell() -> Any:
    """The number of the cell that IPython runs, or None outside of it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "execution_count", None)


def in_range(layers: list[Layer], names: Sequence[str] | None) -> list[Layer]:
    """The layers from the one that the first of `names` matches to the last one that the second matches."""
    if names is None:
        return layers
    if isinstance(names, str) or len(names) != 2:
        raise ValueError(f"layer_range is a pair of layer names, as in ('dense', 'dense_2'); received {names!r}.")
    first, last = (
        [n for n, layer in enumerate(layers) if re.match(name, layer.name) or name == layer.name] for name in names
    )
    if not first or not last:
        missing = names[0] if not first else names[1]
        raise ValueError(f"layer_range: no layer matches {missing!r}; there are {[layer.name for layer in layers]}.")
    return layers[min(first[0], last[0]) : max(first[-1], last[-1]) + 1]


def macs_of(model: Any) -> dict[tuple[str, ...], int]:
    """The multiplications of matrix products and convolutions for one row, by the path of layer names.

    Empty for a model that is not built, or that has a loop, whose steps are not nodes.
    """
    shape = model.built_shape
    if not model.built or shape is None or None in [n for s in flat(shape) for n in s[1:]]:
        return {}
    found: dict[tuple[str, ...], int] = {(model.name,): 0}
    for t in model.graph(1).nodes:
        if t.op is None:
            continue
        if "body" in t.attrs or made_by(t, EINSUM):
            return {}
        count = _multiplications(t)
        names = tuple(region.name for region in t.region.path) if t.region is not None else (model.name,)
        for n in range(1, len(names) + 1) if count else ():
            found[names[:n]] = found.get(names[:n], 0) + count
    return found


def _multiplications(t: Any) -> int:
    if made_by(t, ops.matmul):
        return t.size * t.inputs[0].shape[-1]
    if made_by(t, ops.conv, ops.conv_transpose):
        x, kernel = t.inputs[:2]
        # Each number of the output (of the input, where it is transposed) meets the kernel of one channel.
        return (t if made_by(t, ops.conv) else x).size * math.prod(kernel.shape[:-2]) * kernel.shape[-2]
    return 0


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
