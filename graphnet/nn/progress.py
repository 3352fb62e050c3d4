"""Progress as text: one line that is rewritten on a terminal or in a notebook, one plain line per epoch elsewhere.

A terminal's line is rewritten at most ten times a second.
"""

from __future__ import annotations

import time
from typing import Any

from graphnet.escape import line
from graphnet.nn.callbacks.base import Callback
from graphnet.nn.grid import Grid, ordered
from graphnet.nn.line import Line, clock, counts, display, number, pace

__all__ = ["EpochTable", "Progress", "clock", "display", "metrics_text", "number", "pace", "shown"]

INTERVAL = 0.1


def metrics_text(logs: dict[str, Any]) -> str:
    """` - accuracy: 0.9000 - loss: 0.3000`, in the order of a History."""
    return "".join(f" - {line(key)}: {number(logs[key])}" for key in ordered(logs))


class Progress(Callback):
    """Writes the progress of `fit`, `evaluate` and `predict`.

    `verbose` 1 is the bar (a plain line per epoch where there is no terminal or notebook), 2 a plain line per epoch
    anywhere. `print_every` prints every so many epochs only, and the last.
    """

    def __init__(self, verbose: int = 1, print_every: int = 1, stream: Any = None):
        super().__init__()
        self.line = Line(stream, plain=verbose == 2)
        self.print_every = print_every
        self.epoch = 0
        self.fitting = False
        self.last_drawn = 0.0

    @property
    def live(self) -> bool:
        """Whether its line is rewritten as work goes on."""
        return self.line.live

    def notice(self, text: str) -> None:
        """Write a line of its own."""
        self.line.end()
        self.line.write(text + "\n")

    def due(self) -> bool:
        """Whether it is time to rewrite the line."""
        return self.live and time.monotonic() - self.last_drawn >= INTERVAL

    def on_train_begin(self, logs: Any = None) -> None:
        self.fitting = True
        self.fit_started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        self.begin(self.params.get("steps"))

    def begin(self, steps: int | None) -> None:
        """Start counting steps."""
        self.steps, self.done = steps, 0
        self.started = self.first = time.monotonic()

    def step(self, logs: dict[str, Any] | None, batch: int) -> None:
        """The steps up to `batch` are done."""
        if not self.done:
            self.first = time.monotonic()
        self.done = batch + 1
        if logs and self.due():
            self.draw(logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step(logs, batch)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self.fitting:
            self.begin(self.params.get("steps"))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self.fitting:
            self.step(logs, batch)
        elif self.due():
            self.draw({}, f" - val {counts(batch + 1, self.params.get('validation_steps'))}")

    def on_test_end(self, logs: Any = None) -> None:
        if not self.fitting:
            self.finish(logs or {})

    def on_predict_begin(self, logs: Any = None) -> None:
        self.begin(self.params.get("steps"))

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step({}, batch)
        if self.due():
            self.draw({})

    def on_predict_end(self, logs: Any = None) -> None:
        self.finish({})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        epochs = self.params.get("epochs", 1)
        if (epoch + 1) % self.print_every == 0 or epoch + 1 == epochs or getattr(self.model, "stop_training", False):
            self.finish(logs or {})

    def on_train_end(self, logs: Any = None) -> None:
        self.fitting = False
        self.line.end()

    def head(self) -> str:
        """`Epoch 3/20 ` while fitting several."""
        epochs = self.params.get("epochs", 1)
        return f"Epoch {self.epoch + 1}/{epochs} " if self.fitting and epochs > 1 else ""

    def per_step(self) -> str:
        """The time per step, without the first where there are more."""
        now = time.monotonic()
        if self.done > 1:
            return pace((now - self.first) / (self.done - 1))
        return pace((now - self.started) / max(1, self.done))

    def remaining(self) -> str:
        """The time to the end of the fit, as far as it went."""
        if not self.steps or not self.done:
            return ""
        start = self.params.get("initial_epoch", 0) if self.fitting else 0
        epochs = self.params.get("epochs", 1) if self.fitting else 1
        begun = self.fit_started if self.fitting else self.started
        past = (self.epoch - start if self.fitting else 0) + min(1.0, self.done / self.steps)
        left = (epochs - start - past) * (time.monotonic() - begun) / past
        return f"{clock(max(0.0, left))} left, "

    def draw(self, logs: dict[str, Any], note: str = "") -> None:
        """Rewrite the line."""
        self.last_drawn = time.monotonic()
        self.bar(f" {self.remaining()}{self.per_step()}{metrics_text(logs)}{note}")

    def bar(self, tail: str, last: bool = False) -> None:
        """Write epoch, steps, the bar and `tail` over the line that is there."""
        share = self.done / self.steps if self.steps else 0.0
        self.line.bar(f"{self.head()}{counts(self.done, self.steps)} ", share, tail, last=last)

    def finish(self, logs: dict[str, Any]) -> None:
        """Leave the final line of an epoch, an evaluation or a prediction."""
        elapsed = clock(time.monotonic() - self.started)
        if self.live:
            # The end is known now, whether or not it was before.
            self.steps = self.steps if self.steps and self.done < self.steps else self.done
            self.bar(f" {elapsed} {self.per_step()}{metrics_text(logs)}", last=True)
            self.line.end()
        else:
            head = self.head()
            steps = counts(self.done, self.steps if self.steps and self.done < self.steps else self.done)
            rest = f"{steps} - {elapsed} - {self.per_step()}{metrics_text(logs)}\n"
            self.line.write(f"{head}{'- ' if head else ''}{rest}")


class EpochTable(Progress):
    """A row of a table for each epoch, with * behind the best so far; below them the bar, where there is a terminal.

    The best is the one with the lowest `val_loss`, or `loss` where there is no validation.
    """

    grid: Grid | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.grid, self.lowest = None, None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        found = logs or {}
        value = found.get("val_loss", None if self.params.get("do_validation") else found.get("loss"))
        better = value is not None and value == value and (self.lowest is None or value < self.lowest)
        self.lowest = value if better else self.lowest
        self.starred = better
        super().on_epoch_end(epoch, found)

    def finish(self, logs: dict[str, Any]) -> None:
        if not self.fitting:
            super().finish(logs)
            return
        if self.line.live and self.line.length:
            self.line.text("")
            self.line.write("\r")
            self.line.length = 0
        if self.grid is None or set(logs) - set(self.grid.keys):
            keys = set(logs)
            if self.params.get("do_validation"):
                keys |= {f"val_{key}" for key in logs if not key.startswith("val_") and key != "learning_rate"}
            self.grid = Grid(ordered(keys))
            self.line.write(f"{self.grid.head()}\n{self.grid.rule()}\n")
        self.line.write(self.grid.row(self.epoch, logs, self.starred) + "\n")


def shown(verbose: Any, every: int, callbacks: Any = None) -> list[Progress]:
    """The Progress for `verbose`, in a list; none if silent, or if there is one among the callbacks already."""
    if isinstance(verbose, bool):
        verbose = int(verbose)
    if verbose not in (0, 1, 2, "auto", "table"):
        raise ValueError(
            f"verbose is 0 (silent), 1 (a bar), 2 (a line per epoch), 'table' or 'auto'; received {verbose!r}."
        )
    given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    if any(isinstance(callback, Progress) for callback in given):
        return []
    if verbose == "table":
        return [EpochTable(1, every)]
    return [Progress(2 if verbose == 2 else 1, every)] if verbose else []
