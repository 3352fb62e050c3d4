"""The base class of callbacks that follow one of the logs and ask whether it got better."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from graphnet.mode import warn
from graphnet.nn.callbacks.base import Callback, Logs


class Watcher(Callback):
    """Base class of callbacks that follow one of the logs and ask whether it got better."""

    what = "Watching"
    remembers: ClassVar = {"sign": "data"}

    def check_remembered(self, values: dict[str, Any]) -> None:
        if values.get("sign", 0) not in (-1, 0, 1):
            raise ValueError(f"its sign is {values['sign']!r:.60}")

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
        direction = direction_of(self.monitor, self.model)
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
            warn(
                f"{self.what} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}"
            )
        return found

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` is an improvement by more than `min_delta`; NaN never is."""
        if than is None:
            return not math.isnan(value)
        return self.sign * value > self.sign * than + self.min_delta


RISING = ("accuracy", "acc", "auc", "precision", "recall", "score", "iou", "similarity", "correlation", "r2")
FALLING = ("loss", "error", "crossentropy", "divergence", "hinge", "logcosh", "poisson", "mse", "mae", "mape", "msle")


def direction_of(name: str, model: Any = None) -> str | None:
    """Whether the log `name` is better when it is larger ("max") or smaller ("min"), or None if that is not known.

    The metric of that name says it, or else the words in the name.

    >>> direction_of("val_loss"), direction_of("val_top_k_categorical_accuracy"), direction_of("size")
    ('min', 'max', None)
    """
    base = name.removeprefix("val_")
    for metric in getattr(model, "metrics", ()):
        if metric.name == base and getattr(metric, "direction", None):
            return metric.direction
    for words, direction in ((FALLING, "min"), (RISING, "max")):
        if any(base == word or base.endswith(word) for word in words):
            return direction
    return None
