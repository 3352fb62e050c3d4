"""Callbacks that write the logs of each epoch elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any, ClassVar

from graphnet.escape import cell
from graphnet.files import write_whole
from graphnet.mode import warn
from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.lookup import plain


class CSVLogger(Callback):
    """Write a line for each epoch to a file: `epoch`, counted from 0, and the logs in alphabetical order.

    A value that an epoch does not have is "NA". A log that comes later gets a column of its own at the end, with "NA"
    for the epochs before. `append` goes on in a file that is there, under its columns.

    Raises `ValueError` for a file to go on in that has no header with `epoch` in front.
    """

    remembers: ClassVar = {"keys": "data"}

    def check_remembered(self, values: dict[str, Any]) -> None:
        keys = values.get("keys")
        if keys is not None and (
            type(keys) is not list or any(type(key) is not str or key != cell(key) for key in keys)
        ):
            raise ValueError("its columns are no names")

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator is one character; received {separator!r}")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.file: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.on_train_end()
        self.keys = self._columns_there() if self.append else None
        self._open("a" if self.append else "w")

    def _open(self, mode: str) -> None:
        self.file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115
        self.writer = csv.writer(self.file, delimiter=self.separator)

    def _columns_there(self) -> list[str] | None:
        """The columns of the file to go on in, or None if there is none, or nothing in it."""
        try:
            with open(self.filename, newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file, delimiter=self.separator))
                file.seek(0)
                text = file.read()
        except FileNotFoundError:
            return None
        if not rows:
            return None
        if rows[0][:1] != ["epoch"]:
            raise ValueError(
                f"CSVLogger(append=True): {self.filename} does not begin with a header, epoch and more separated by "
                f"{self.separator!r}: give another file name, its separator, or append=False."
            )
        if not text.endswith("\n"):  # the end of a run that was killed
            with open(self.filename, "a", newline="", encoding="utf-8") as file:
                file.write("\r\n")
        return rows[0][1:]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        found = {cell(_beside_epoch(key)): value for key, value in (logs or {}).items()}
        if self.keys is None:
            self.keys = sorted(found)
            if self.params.get("do_validation") and not any(key.startswith("val_") for key in self.keys):
                # The first validation is still to come.
                self.keys += [f"val_{key}" for key in self.keys if key != "learning_rate"]
            self.writer.writerow(["epoch", *self.keys])
        late = sorted(set(found) - set(self.keys))
        if late:
            self._add(late)
        self.writer.writerow([epoch, *(_cell(found.get(key, "NA")) for key in self.keys)])
        self.file.flush()

    def _add(self, late: list[str]) -> None:
        """Add columns: the file is written anew, with NA in the rows that are there."""
        assert self.keys is not None
        self.file.close()
        with open(self.filename, newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file, delimiter=self.separator)
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator)
        writer.writerow([*head, *late])
        writer.writerows([*row, *["NA"] * (len(head) + len(late) - len(row))] for row in rows)
        write_whole(self.filename, text.getvalue().encode())
        self.keys += late
        self._open("a")

    def on_train_end(self, logs: Logs = None) -> None:
        if self.file is not None:
            self.file.close()


def _beside_epoch(key: str) -> str:
    """The name of a log that stands beside the number of the epoch, and is another."""
    return "log_epoch" if key == "epoch" else key


def _cell(value: Any) -> Any:
    """A value of the logs for one cell: several numbers as a list."""
    value = plain(value)
    if isinstance(value, str):
        return cell(value)
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else value


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

        found = {_beside_epoch(key): plain(value) for key, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **found})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urlencode({self.field: text})
        request = Request(self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})})
        try:
            urlopen(request, timeout=self.timeout).close()
        except OSError as error:
            warn(f"RemoteMonitor: {self.root} could not be reached: {error}")
