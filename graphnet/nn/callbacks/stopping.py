"""Callbacks that end training early: when nothing gets better any more, or when the loss is no longer a number."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.callbacks.watcher import Watcher


class EarlyStopping(Watcher):
    """Stop when `monitor` has not got better by more than `min_delta` for `patience` epochs.

    `restore_best_weights` brings back the weights of the best epoch however training ended.
    """

    what = "Early stopping"
    remembers: ClassVar = {
        "wait": "count",
        "stopped_epoch": "count",
        "best_epoch": "count",
        "best": "number",
        "best_weights": "weights",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Logs = None) -> None:
        self.sign, self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0, 0
        self.best: float | None = None
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self.sign:
            self.find_direction()
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite; with `raise_error` raise `RuntimeError` then."""

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"the loss is {loss} after batch {batch}: it is no longer a finite number.")
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
