"""`LivePlot`: curves in a notebook that grow while the training runs."""

from __future__ import annotations

import sys
import time
from typing import Any

from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.line import display
from graphnet.optional import optional


class LivePlot(Callback):
    """Draw loss and metrics under the cell of a notebook, and draw them anew after each epoch.

    Training is a full line and validation one of another colour, in one chart for each quantity. `metrics` are the
    quantities to draw ("loss", "accuracy", ...), all of them unless given. It is drawn at most once every `interval`
    seconds, and always at the end. Nothing but IPython is needed, which a notebook has.

    Outside a notebook it says so once, and does nothing.

    >>> import numpy as np, graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[gn.nn.callbacks.LivePlot()])
    LivePlot draws in notebooks only, and this is none: HTMLReport('run.html') writes a page that can be watched.
    """

    def __init__(self, metrics: Any = None, interval: float = 0.5):
        super().__init__()
        self.metrics = [metrics] if isinstance(metrics, str) else metrics
        self.interval = interval
        self._handle: Any = None
        self._said = False

    def on_train_begin(self, logs: Logs = None) -> None:
        self._curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
        self._handle, self._drawn, self._at = None, True, -1e9
        self._shows = display(sys.stdout) == "notebook"
        if not self._shows and not self._said:
            self._said = True
            print(
                "LivePlot draws in notebooks only, and this is none: "
                "HTMLReport('run.html') writes a page that can be watched."
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self._shows:
            return
        for key, value in (logs or {}).items():
            name = key.removeprefix("val_")
            if self.metrics is None or name in self.metrics:
                lines = self._curves.setdefault(name, {})
                lines.setdefault("validation" if key != name else "training", []).append((epoch + 1, float(value)))
        self._drawn = False
        if not 0 <= time.monotonic() - self._at < self.interval:
            self._draw()

    def on_train_end(self, logs: Logs = None) -> None:
        if self._shows and not self._drawn:
            self._draw()

    def html(self) -> str:
        """What is shown now: a row of charts."""
        from graphnet.viz.curves import chart

        names = sorted(self._curves, key=lambda n: (n != "loss", n))
        charts = "".join(chart(n.replace("_", " "), self._curves[n], alone=True) for n in names)
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{charts}</div>'

    def _draw(self) -> None:
        display = optional("IPython.display")
        self._drawn, self._at = True, time.monotonic()
        if self._handle is None:
            self._handle = display.display(display.HTML(self.html()), display_id=True)
        else:
            self._handle.update(display.HTML(self.html()))
