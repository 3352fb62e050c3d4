"""The base class of callbacks that follow one of the logs and ask whether it got better."""

from __future__ import annotations

import math
import warnings

from graphnet.nn.callbacks.base import Callback, Logs


class Watcher(Callback):
    """Base class of callbacks that follow one of the logs and ask whether it got better."""

    what = "Watching"

    def __init__(self, monitor: str, mode: str, min_delta: float):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{type(self).__name__}: mode is 'auto', 'min' or 'max'; received {mode!r}.")
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.sign = 0

    def find_direction(self) -> None:
        """Decide, once, whether larger is better: by `mode`, by the metric of that name, or by its name."""
        if self.mode != "auto":
            self.sign = 1 if self.mode == "max" else -1
            return
        name = self.monitor.removeprefix("val_")
        direction = "min" if name == "loss" else None
        for metric in getattr(self.model, "metrics", ()):
            if metric.name == name:
                direction = metric.direction or direction
        if direction is None and name in ("acc", "accuracy", "auc", "precision", "recall", "f1_score"):
            direction = "max"
        if direction is None:
            raise ValueError(
                f"{type(self).__name__}: it is not known whether {self.monitor!r} should rise or fall: "
                "give mode='min' or mode='max'."
            )
        self.sign = 1 if direction == "max" else -1

    def value(self, logs: Logs) -> float | None:
        """The monitored value, or None with a warning if there is none."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            warnings.warn(
                f"{self.what} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=3,
            )
        return found

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` is an improvement by more than `min_delta`; NaN never is."""
        if than is None:
            return not math.isnan(value)
        return self.sign * value > self.sign * than + self.min_delta
