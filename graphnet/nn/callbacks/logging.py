"""Callbacks that write the logs of each epoch elsewhere."""

from __future__ import annotations

import csv
import os
from typing import Any

from graphnet.nn.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Write a line for each epoch to a file: `epoch`, counted from 0, and the logs in alphabetical order."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.separator, self.append = filename, separator, append

    def on_train_begin(self, logs: Logs = None) -> None:
        old = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self.file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        self.keys: list[str] | None = None
        self.header = not old

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        writer = csv.writer(self.file, delimiter=self.separator)
        if self.keys is None:
            self.keys = sorted(logs or {})
            if self.header:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *((logs or {}).get(key, "NA") for key in self.keys)])
        self.file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        self.file.close()
