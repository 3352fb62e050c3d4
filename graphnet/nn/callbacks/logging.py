"""Callbacks that write the logs of each epoch elsewhere."""

from __future__ import annotations

import csv
import json
import os
import warnings
from typing import Any

from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.lookup import plain


class CSVLogger(Callback):
    """Write a line for each epoch to a file: `epoch`, counted from 0, and the logs in alphabetical order.

    A value that an epoch does not have is "NA". `append` goes on in a file that is there.
    """

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
            if self.params.get("do_validation") and not any(key.startswith("val_") for key in self.keys):
                # The first validation is still to come.
                self.keys += [f"val_{key}" for key in self.keys if key != "learning_rate"]
            if self.header:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *((logs or {}).get(key, "NA") for key in self.keys)])
        self.file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        self.file.close()


class RemoteMonitor(Callback):
    """Send the logs of each epoch to `root + path` by HTTP POST, as JSON or in the field `field` of a form.

    A server that can't be reached gives a warning, and training goes on.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
        timeout: float = 5.0,
    ):
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json, self.timeout = headers, send_as_json, timeout

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        text = json.dumps({"epoch": epoch, **{key: plain(value) for key, value in (logs or {}).items()}})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urlencode({self.field: text})
        request = Request(self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})})
        try:
            urlopen(request, timeout=self.timeout).close()
        except OSError as error:
            warnings.warn(f"RemoteMonitor: {self.root} could not be reached: {error}", stacklevel=2)
