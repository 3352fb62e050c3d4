"""Where a `fit` stands: what it would need to go on from here in another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Run:
    """One `fit`: the epoch and batch that come next, its data, its callbacks, and whether it went through to its end.

    A callback may change `epoch` and `batch` in `on_train_begin`: the loop begins there.
    """

    epoch: int
    train: Any
    validation: Any
    callbacks: Any
    batch: int = 0
    done: bool = False

    def __reduce__(self) -> Any:
        return type(None), ()  # a copy of a model is not in the middle of a fit
