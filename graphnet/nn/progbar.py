"""Keras' Progbar, for loops that are written by hand."""

from __future__ import annotations

import time
from typing import Any

from graphnet.nn.line import WIDTH, Line, clock, counts, number, pace


class Progbar:
    """A bar for `target` steps (None: the number is not known), with the means of values beside it.

    Values named in `stateful_metrics` are shown as they are, others as the mean over the steps; with
    `stateless_metrics` it is the other way round. `verbose` is 0 (silent), 1 (a bar; where there is no terminal or
    notebook a line when it is done) or 2 (a line when it is done). The bar is redrawn every `interval` seconds at most.

    >>> bar = Progbar(3, verbose=2)
    >>> for step in range(3):
    ...     bar.update(step + 1, [("loss", 1.0 / (step + 1))])  # doctest: +ELLIPSIS
    3/3 - 0s - ...s/step - loss: 0.6111
    """

    def __init__(
        self,
        target: int | None,
        width: int = WIDTH,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Any = None,
        stateless_metrics: Any = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Progbar: stateful_metrics and stateless_metrics say the same thing: give one.")
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self._stateless = None if stateless_metrics is None else set(stateless_metrics)
        self._stateful = set(stateful_metrics or ())
        self._sums: dict[str, tuple[float, float]] = {}
        self._line = Line(plain=verbose != 1)
        self._done, self._drawn = 0, 0.0
        self._start = time.monotonic()
        self._first: float | None = None

    def _averages(self, name: str) -> bool:
        return name in self._stateless if self._stateless is not None else name not in self._stateful

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """`current` steps are done; `values` are pairs of a name and the value of the last step."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._done, 1)
        for name, value in values or ():
            if self._averages(name):
                total, count = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = (total + float(value) * steps, count + steps)
            else:
                self._sums[name] = (float(value), 1.0)
        self._done, now = current, time.monotonic()
        if self._first is None:
            self._first = now
        if self.verbose == 0:
            return
        if self._line.live and (finalize or now - self._drawn >= self.interval):
            self._drawn = now
            share = current / self.target if self.target else 0.0
            tail = f" {self._text(now, finalize, ' ')}"
            self._line.bar(f"{counts(current, self.target)} ", share, tail, self.width, last=finalize)
            if finalize:
                self._line.end()
        elif finalize and not self._line.live:
            self._line.write(f"{counts(current, self.target)} - {self._text(now, True, ' - ')}\n")

    def _text(self, now: float, finalize: bool, between: str) -> str:
        later = self._first is not None and self._done > 1
        each = (now - self._first) / (self._done - 1) if later and self._first else now - self._start
        time_text = clock(now - self._start if finalize or not self.target else each * (self.target - self._done))
        shown = "".join(f" - {name}: {number(total / count)}" for name, (total, count) in self._sums.items())
        return f"{time_text}{between}{pace(each, self.unit_name)}{shown}"

    def add(self, n: int, values: Any = None) -> None:
        """`n` more steps are done."""
        self.update(self._done + n, values)
