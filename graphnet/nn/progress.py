"""Progress as text: one line that is rewritten on a terminal or in a notebook, one plain line per epoch elsewhere.

A file or a pipe gets no carriage return, backspace or escape sequence. A terminal's line is rewritten at most ten times
a second, fits its width, and has no colour if NO_COLOR is set.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import Any

from graphnet.nn.callbacks.base import Callback
from graphnet.nn.history import ordered

WIDTH = 20
INTERVAL = 0.1


def display(stream: Any) -> str:
    """What `stream` writes to: "terminal", "notebook" or "file"."""
    if getattr(stream, "isatty", lambda: False)():
        return "file" if os.environ.get("TERM") == "dumb" else "terminal"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return "notebook" if type(shell).__name__ == "ZMQInteractiveShell" and stream is sys.stdout else "file"


def number(value: Any) -> str:
    """A metric's value as Keras prints it.

    >>> number(0.03654), number(0.0)
    ('0.0365', '0.0000e+00')
    """
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value != value else f"{value:.4e}"


def metrics_text(logs: dict[str, Any]) -> str:
    """` - accuracy: 0.9000 - loss: 0.3000`, in the order of a History."""
    return "".join(f" - {key}: {number(logs[key])}" for key in ordered(logs))


def clock(seconds: float) -> str:
    """Seconds as `7s`, `1:07` or `1:01:07`.

    >>> clock(7.9), clock(67), clock(3667)
    ('7s', '1:07', '1:01:07')
    """
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole}s"


def pace(seconds: float) -> str:
    """Time per step: `2s/step`, `8ms/step`, `95us/step`."""
    if seconds >= 1:
        return f"{seconds:.0f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"


class Progress(Callback):
    """Writes the progress of `fit`, `evaluate` and `predict`.

    `verbose` 1 is the bar (a plain line per epoch where there is no terminal or notebook), 2 a plain line per epoch
    anywhere. `print_every` prints every so many epochs only, and the last.
    """

    def __init__(self, verbose: int = 1, print_every: int = 1, stream: Any = None):
        super().__init__()
        self.stream = stream if stream is not None else sys.stdout
        self.display = "file" if verbose == 2 else display(self.stream)
        self.print_every = print_every
        self.colour = self.display == "terminal" and "NO_COLOR" not in os.environ
        self.epoch = 0
        self.fitting = False
        self.last_drawn = 0.0
        self.last_length = 0

    @property
    def live(self) -> bool:
        """Whether its line is rewritten as work goes on."""
        return self.display != "file"

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
        self.training = ""

    def step(self, logs: dict[str, Any] | None) -> None:
        """One step is done."""
        self.done += 1
        if self.done == 1:
            self.first = time.monotonic()
        if logs and self.due():
            self.draw(logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self.fitting:
            self.begin(self.params.get("steps"))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self.fitting:
            self.step(logs)
        elif self.due():
            self.draw({}, f" - val {batch + 1}/{self.params.get('validation_steps') or '?'}")

    def on_test_end(self, logs: Any = None) -> None:
        if not self.fitting:
            self.finish(logs or {})

    def on_predict_begin(self, logs: Any = None) -> None:
        self.begin(self.params.get("steps"))

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step({})
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
        if self.live and self.last_length:
            self.write("\n")
            self.last_length = 0

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

    def counts(self) -> str:
        """` 12/57`, aligned to the right."""
        total = str(self.steps) if self.steps else "Unknown"
        return f"{self.done:>{len(total) if self.steps else 1}}/{total}"

    def draw(self, logs: dict[str, Any], note: str = "") -> None:
        """Rewrite the line."""
        self.last_drawn = time.monotonic()
        tail = f" {self.remaining()}{self.per_step()}{metrics_text(logs)}{note}"
        self.line(f"{self.head()}{self.counts()} ", tail)

    def line(self, head: str, tail: str) -> None:
        """Write `head`, the bar and `tail` over the line that is there."""
        columns = shutil.get_terminal_size().columns - 1 if self.display == "terminal" else 120
        share = min(1.0, self.done / self.steps) if self.steps else 0.0
        full = round(WIDTH * share)
        done, open_ = "━" * full, ("━" if self.colour else "─") * (WIDTH - full)
        if len(head) + WIDTH + 8 > columns:
            done = open_ = ""
        plain = (head + done + open_ + tail)[:columns]
        text = plain
        if self.colour and done + open_:
            at = len(head)
            text = f"{plain[:at]}\x1b[32m{done}\x1b[0m\x1b[90m{open_}\x1b[0m{plain[at + WIDTH :]}"
        if self.display == "terminal":
            self.write(f"\r{text}\x1b[K")
        else:
            self.write("\r" + text.ljust(self.last_length))
        self.last_length = len(plain)

    def finish(self, logs: dict[str, Any]) -> None:
        """Leave the final line of an epoch, an evaluation or a prediction."""
        elapsed = clock(time.monotonic() - self.started)
        if self.live:
            self.line(f"{self.head()}{self.counts()} ", f" {elapsed} {self.per_step()}{metrics_text(logs)}")
            self.write("\n")
            self.last_length = 0
        else:
            head = self.head()
            separator = "- " if head else ""
            self.write(f"{head}{separator}{self.counts()} - {elapsed} - {self.per_step()}{metrics_text(logs)}\n")

    def write(self, text: str) -> None:
        """Write to the stream; characters it can't encode are replaced."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            encoding = getattr(self.stream, "encoding", None) or "ascii"
            plain = text.replace("━", "=").replace("─", "-")
            self.stream.write(plain.encode(encoding, "replace").decode(encoding))
        self.stream.flush()


def shown(verbose: Any, every: int) -> list[Progress]:
    """The Progress for `verbose`, in a list; none if silent."""
    if isinstance(verbose, bool):
        verbose = int(verbose)
    if verbose not in (0, 1, 2, "auto", "table"):
        raise ValueError(
            f"verbose is 0 (silent), 1 (a bar), 2 (a line per epoch), 'table' or 'auto'; received {verbose!r}."
        )
    return [Progress(2 if verbose == 2 else 1, every)] if verbose else []
