"""What a `fit` went through: a dict of lists, a table, a curve."""

from __future__ import annotations

import csv
from typing import Any

from graphnet.nn.callbacks.base import Callback


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
        from graphnet.viz import plot_history

        return plot_history(self, path)

    def __repr__(self) -> str:
        last = ", ".join(f"{key} {values[-1]:.4g}" for key, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"


def ordered(logs: dict[str, Any]) -> list[str]:
    """The keys of `logs`: training's in alphabetical order, then validation's."""
    return sorted(logs, key=lambda key: (key.startswith("val_"), key))
