"""What a `fit` went through: a dict of lists, a table, a curve."""

from __future__ import annotations

import csv
from typing import Any

from graphnet.nn.callbacks import Callback


class History(Callback):
    """The logs of each epoch: `history.history["loss"]` is a list of numbers, `history.epoch` the epochs' numbers.

    The keys are in alphabetical order, those of training before those of validation (`val_...`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for key in ordered(logs or {}):
            self.history.setdefault(key, []).append((logs or {})[key])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each epoch; a validation that was skipped leaves its keys out."""
        table: list[dict[str, Any]] = [{"epoch": e} for e in self.epoch]
        for key, values in self.history.items():
            places = self._places.get(key, range(len(values)))
            for place, value in zip(places, values, strict=True):
                table[place][key] = value
        return table

    @property
    def _places(self) -> dict[str, list[int]]:
        """For a key with fewer values than epochs, the epochs that had one: every n-th, as `validation_freq` says."""
        places = {}
        for key, values in self.history.items():
            if values and len(values) < len(self.epoch):
                frequency = (self.params or {}).get("validation_freq") or 1
                due = [i for i, e in enumerate(self.epoch) if (e + 1) % frequency == 0]
                places[key] = (
                    due if len(due) == len(values) else list(range(len(self.epoch) - len(values), len(self.epoch)))
                )
        return places

    def to_csv(self, path: Any) -> None:
        """Write one line for each epoch to the file `path`, with a header; a value that is missing stays empty."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["epoch", *self.history])
            writer.writeheader()
            writer.writerows(self.rows)

    def plot(self, path: Any = None) -> Any:
        """Draw the loss and the metrics against the epochs, training and validation together.

        Gives matplotlib's Figure, and writes it to `path` (.png, .svg, .pdf) if there is one. Needs matplotlib.
        """
        try:
            from matplotlib.figure import Figure
            from matplotlib.ticker import MaxNLocator
        except ImportError:
            raise ImportError("history.plot needs matplotlib: pip install 'graphnet[plot]'") from None
        groups = [
            ["loss"],
            [k for k in self.history if not k.startswith("val_") and k not in ("loss", "learning_rate")],
        ]
        groups = [[k for k in names if k in self.history] for names in groups]
        groups = [names for names in groups if names]
        figure = Figure(figsize=(4.8 * max(1, len(groups)), 3.4), layout="constrained", facecolor="white")
        rows = self.rows
        for place, names in enumerate(groups):
            axes = figure.add_subplot(1, len(groups), place + 1)
            for number, name in enumerate(names):
                for key, style in ((name, "-"), ("val_" + name, "--")):
                    points = [(row["epoch"] + 1, row[key]) for row in rows if key in row]
                    if points:
                        marker = "o" if len(points) == 1 else None
                        axes.plot(
                            *zip(*points, strict=True), style, color=f"C{number}", label=key, lw=1.8, marker=marker
                        )
            axes.set_xlabel("epoch")
            axes.set_ylabel(names[0] if len(names) == 1 else "")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def __repr__(self) -> str:
        last = ", ".join(f"{key} {values[-1]:.4g}" for key, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"


def ordered(logs: dict[str, Any]) -> list[str]:
    """The keys of `logs`: training's in alphabetical order, then validation's."""
    return sorted(logs, key=lambda key: (key.startswith("val_"), key))
