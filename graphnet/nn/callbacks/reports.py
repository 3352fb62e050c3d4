"""`HTMLReport`: a page of the training that is written anew after each epoch."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import graphnet as gn
from graphnet.files import write_whole
from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.data import whole
from graphnet.nn.line import clock
from graphnet.nn.probe import Probe

#: histograms that are kept of each weight
MOMENTS = 60


class HTMLReport(Callback):
    """Write a page of the training to `path`, one HTML file, after each epoch: open it and watch.

    On it are the curves of loss and metrics, training and validation; for each weight its norm and that of its
    gradient, with those marked that vanish or explode; histograms of both over time; and the graph of the model. The
    page needs no network, and loads itself again every `refresh` seconds (0 for never) until the training is over.
    It is there whole at all times, and is written at most once every `interval` seconds, and at the end.

    * `every`: histograms are taken every so many epochs, and in the first and last one; 0 for none;
    * `gradients`: whether gradients are looked at: on the latest batch, once for each time histograms are taken;
    * `graph`: whether the graph is drawn; `profile`: measure where the time of a prediction goes, and show it as heat.

    A gradient has *vanished* where its numbers are less than 1/1,000 of the size of those of the largest gradient, and
    has *exploded* where its norm is more than 100 times its median so far, or than the norm of its weight.

    Looking changes nothing: the training is bit for bit the same as without this callback.

    Raises `ValueError` for an ending other than .html, `FileNotFoundError` for a folder that is not there, both before
    the training begins.

    >>> import numpy as np, tempfile, graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = gn.nn.callbacks.HTMLReport(f"{folder}/run.html")
    ...     history = model.fit(np.ones((8, 2)), np.ones(8), epochs=2, verbose=0, callbacks=[report])
    ...     report.path.read_text("utf-8")[:15]
    '<!DOCTYPE html>'
    """

    def __init__(
        self,
        path: Any = "run.html",
        every: int = 1,
        gradients: bool = True,
        graph: bool = True,
        profile: bool = False,
        refresh: int = 5,
        interval: float = 1.0,
        title: str | None = None,
    ):
        from graphnet.viz.standalone import checked_path

        super().__init__()
        self.path: Path = checked_path(path, "a report")
        self.every, self.refresh = whole(every, "every", 0), whole(refresh, "refresh", 0)
        self.gradients, self.graph, self.profile = gradients, graph, profile
        self.interval, self.title = interval, title
        self.report: Any = None

    remembers: ClassVar = {"_rows": "data", "_seconds": "data", "_taken": "index", "_latest": "index"}

    def check_remembered(self, values: dict[str, Any]) -> None:
        rows, seconds = values.get("_rows", []), values.get("_seconds", [])
        if type(rows) is not list or type(seconds) is not list or len(rows) != len(seconds):
            raise ValueError("its rows are not as many as their times")
        if any(type(s) is not float or not 0 <= s < math.inf for s in seconds):
            raise ValueError("its times are no numbers")
        if any(type(r) is not dict or any(type(v) not in (int, float) for v in r.values()) for r in rows):
            raise ValueError("its rows are no logs")

    def on_train_begin(self, logs: Logs = None) -> None:
        from graphnet.viz.report import Report
        from graphnet.viz.standalone import checked_path

        checked_path(self.path, "a report")
        model = self.model
        self.report = Report(self.title or f"Training of {model.name}", running=True, refresh=self.refresh)
        self._rows: list[dict[str, Any]] = []
        self._probe = Probe(model) if self.gradients and self.every else None
        self._watched: dict[gn.Parameter, Any] = {}
        self._seconds: list[float] = []
        self._taken = self._latest = -1
        optimizer, loss = model.optimizer, model.loss
        self.report.facts = [
            ("optimizer", type(optimizer).__name__),
            ("loss", str(getattr(loss, "name", loss))),
            ("parameters", f"{sum(int(np.prod(w.shape)) for w in model.trainable_weights):,}"),
        ]
        if self.graph:
            self._draw()
        self.report.state = f"in epoch {self.params.get('initial_epoch', 0) + 1} of {self.params.get('epochs')}"
        self._write()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._seconds.append(time.perf_counter() - self._begun)
        self._rows.append({"epoch": epoch + 1, **(logs or {})})
        self._latest = epoch
        if self.every and (epoch % self.every == 0 or self._taken < 0):
            self._take(epoch)
        epochs = self.params.get("epochs") or 0
        # A training that goes on after a break may have a time from another clock.
        if not 0 <= time.monotonic() - self._written < self.interval:
            self._say(f"epoch {epoch + 1} of {epochs} is done")
            self._write()

    def on_train_end(self, logs: Logs = None) -> None:
        if self.every and self._taken < self._latest:
            self._take(self._latest)
        if self._probe is not None:
            self._probe.close()
        epochs, done = self.params.get("epochs") or 0, self._latest + 1
        self.report.running = False
        self._say(f"finished after {done} epochs" if done >= epochs else f"stopped after {done} of {epochs} epochs")
        self._write()

    def _say(self, state: str) -> None:
        self.report.state = state
        self.report.facts = [f for f in self.report.facts if f[0] not in ("time", "best")]
        if self._seconds:
            spent = sum(self._seconds)
            each = f"{spent / len(self._seconds):.3g} s an epoch"
            self.report.facts.append(("time", f"{clock(spent) if spent >= 10 else f'{spent:.2g} s'} ({each})"))
        best = self._best()
        if best:
            self.report.facts.append(("best", best))
        self.report.curves = self._curves()

    def _best(self) -> str:
        """The epoch with the lowest loss, of the validation where there is one."""
        key = "val_loss" if any("val_loss" in row for row in self._rows) else "loss"
        rows = [row for row in self._rows if math.isfinite(_number(row.get(key)))]
        if not rows:
            return ""
        row = min(rows, key=lambda r: _number(r[key]))
        return f"{key} {_number(row[key]):.4g} in epoch {row['epoch']}"

    def _curves(self) -> dict[str, dict[str, list[tuple[int, float]]]]:
        """By quantity, training and validation as (epoch, value); the loss comes first."""
        names = dict.fromkeys(k.removeprefix("val_") for row in self._rows for k in row if k != "epoch")
        curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
        for name in sorted(names, key=lambda n: (n != "loss", n in ("learning_rate", "lr"), n)):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                points = [(row["epoch"], _number(row[key])) for row in self._rows if key in row]
                if points:
                    curves.setdefault(name.replace("_", " "), {})[label] = points
        return curves

    def _take(self, epoch: int) -> None:
        """Note what every weight and its gradient look like now."""
        from graphnet.viz.report import Watched
        from graphnet.viz.statistics import histogram

        self._taken = epoch
        slopes = self._probe() if self._probe is not None else None
        if self._probe is not None and self._probe.problem:
            note = f"Gradients could not be looked at: {self._probe.problem}"
            self.report.notes = [note]
        learn = set(self.model.trainable_weights)
        for w in self.model.weights:
            values = w.numpy()
            if values.dtype.kind != "f" or not values.size:
                continue
            if w not in self._watched:
                kind = f"{values.dtype}{list(values.shape)}"
                self._watched[w] = Watched(w.name or "weight", kind, int(values.size), w in learn)
            seen = self._watched[w]
            seen.values = _kept(seen.values, (epoch + 1, *histogram(values)))
            seen.norms.append((epoch + 1, _norm(values)))
            if slopes is not None and w in slopes:
                seen.slopes = _kept(seen.slopes, (epoch + 1, *histogram(slopes[w])))
                seen.slope_norms.append((epoch + 1, _norm(slopes[w])))
        self.report.weights = list(self._watched.values())

    def _draw(self) -> None:
        """The picture of the model; a model that cannot be drawn is no reason not to learn."""
        try:
            graph = self.model.graph()
            if self.profile:
                plan = graph.compile().wait()
                found = plan.profile()
                picture = found.graph.draw(profile=found, heat="time")
                self.report.caption = f"Time of a prediction of {graph.inputs[0].shape[0]} rows, as heat."
            else:
                picture = graph.draw()
        except Exception as error:
            self.report.notes = [f"The graph could not be drawn: {type(error).__name__}: {error}"]
            return
        self.report.picture = picture.svg

    def _write(self) -> None:
        write_whole(self.path, self.report.html().encode("utf-8"))
        self._written = time.monotonic()


def _kept(moments: list[Any], new: Any) -> list[Any]:
    """The moments with a new one. Of many, every second is let go: ten are shown in the end."""
    return [*(moments if len(moments) < MOMENTS else moments[::2]), new]


def _norm(values: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.square(values.astype(np.float64)).sum()))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
