"""What a `fit` went through: a dict of lists, a table, a curve."""

from __future__ import annotations

import csv
import io
import math
from typing import Any, ClassVar

from graphnet.escape import cell
from graphnet.nn.callbacks.base import Callback
from graphnet.nn.grid import Grid, ordered


class History(Callback):
    """The logs of each epoch: `history.history["loss"]` is a list of numbers, `history.epoch` the epochs' numbers.

    The keys are in alphabetical order, those of training before those of validation (`val_...`). Printed, it is a table
    of the epochs, the best one marked with *.

    >>> history = History()
    >>> for epoch, loss in enumerate([0.5, 0.25, 0.375]):
    ...     history.on_epoch_end(epoch, {"loss": loss})
    >>> history.history, history.best()
    ({'loss': [0.5, 0.25, 0.375]}, (1, 0.25))
    >>> print(history)
    epoch        loss
    -----  ----------
        1      0.5000
        2      0.2500 *
        3      0.3750
    """

    remembers: ClassVar = {"history": "data", "epoch": "data", "logged": "data"}

    def check_remembered(self, values: dict[str, Any]) -> None:
        history, epoch, logged = (values[word] for word in ("history", "epoch", "logged"))
        lists = all(type(v) is list for v in (epoch, logged)) and type(history) is dict
        if not lists or any(type(e) is not int or e < 0 for e in epoch) or len(epoch) != len(logged):
            raise ValueError("its epochs are no list of numbers")
        counts: dict[str, int] = {}
        for keys in logged:
            if type(keys) is not list or len({*map(str, keys)}) != len(keys) or any(type(k) is not str for k in keys):
                raise ValueError("the names of its logs are no lists of texts")
            for key in keys:
                counts[key] = counts.get(key, 0) + 1
        if {k: len(v) if type(v) is list else -1 for k, v in history.items()} != counts:
            raise ValueError("its logs are not as many as it says")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.logged: list[list[str]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        self.logged.append(ordered(logs or {}))
        for key in self.logged[-1]:
            self.history.setdefault(key, []).append((logs or {})[key])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each epoch; a validation that was skipped leaves its keys out."""
        values = {key: iter(column) for key, column in self.history.items()}
        return [
            {"epoch": epoch, **{key: next(values[key]) for key in keys}}
            for epoch, keys in zip(self.epoch, self.logged, strict=True)
        ]

    def best(self, monitor: str | None = None, mode: str = "auto") -> tuple[int, float] | None:
        """The epoch, counted from 0, in which `monitor` was best, and its value; None if it never had a number.

        `monitor` is "val_loss" unless given, or "loss" without validation. Raises `ValueError` if it is not known
        whether it should rise or fall: then say `mode="min"` or `"max"`.
        """
        from graphnet.nn.callbacks.watcher import direction_of

        name = monitor or ("val_loss" if "val_loss" in self.history else "loss")
        way = direction_of(name, self.model) if mode == "auto" else mode
        if way not in ("min", "max"):
            raise ValueError(f"it is not known whether {name!r} should rise or fall: give mode='min' or mode='max'.")
        found = [(row["epoch"], float(row[name])) for row in self.rows if name in row]
        found = [(epoch, value) for epoch, value in found if not math.isnan(value)]
        return (min if way == "min" else max)(found, key=lambda pair: pair[1]) if found else None

    def _marked(self) -> int | None:
        found = self.best()
        return None if found is None else found[0]

    def table(self) -> str:
        """The epochs as rows of a table in plain text."""
        return Grid(ordered(self.history)).as_text(self.rows, self._marked())

    __str__ = table

    def _repr_html_(self) -> str:
        return Grid(ordered(self.history)).as_html(self.rows, self._marked())

    def to_dict(self) -> dict[str, list[Any]]:
        """A list for the epochs and for each key, all of one length; None where an epoch has no value."""
        rows = self.rows
        return {key: [row.get(key) for row in rows] for key in ("epoch", *ordered(self.history))}

    def to_csv(self, path: Any) -> None:
        """Write one line for each epoch to the file `path`, with a header; a value that is missing stays empty.

        The file appears whole or not at all.
        """
        from pathlib import Path

        from graphnet.files import write_whole

        text = io.StringIO(newline="")
        keys = ordered(self.history)
        writer = csv.writer(text)
        # A name is written so that a program for tables takes it for text, not for a formula.
        writer.writerow(["epoch", *map(cell, keys)])
        writer.writerows([row["epoch"], *(row.get(key) for key in keys)] for row in self.rows)
        write_whole(Path(path), text.getvalue().encode())

    def plot(self, path: Any = None) -> Any:
        """Draw the loss and the metrics against the epochs, training and validation together.

        Gives matplotlib's Figure, and writes it to `path` (.png, .svg, .pdf) if there is one. Needs matplotlib.
        """
        from graphnet.viz import plot_history

        return plot_history(self, path)

    def __repr__(self) -> str:
        last = ", ".join(f"{key} {short(values[-1])}" for key, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"


def short(value: Any) -> str:
    """A value of the history in four digits; several values as they are."""
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)
