"""Saving the model as it learns."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from graphnet import escape
from graphnet.nn.callbacks.base import Logs
from graphnet.nn.callbacks.watcher import Watcher


def frequency(save_freq: Any, who: str) -> Any:
    """ "epoch", or a number of batches, or an error."""
    if save_freq != "epoch" and (isinstance(save_freq, bool) or not hasattr(save_freq, "__index__") or save_freq < 1):
        raise ValueError(f"{who}: save_freq is 'epoch', or a number of batches, 1 or more; received {save_freq!r}.")
    return save_freq


class ModelCheckpoint(Watcher):
    """Save the model, or its weights, after every epoch, after every `save_freq` batches, or when it got better.

    * `filepath` may have `{epoch:02d}` (counted from 1), `{batch}` (likewise) and the logs in it, as in
      `"{epoch:02d}-{val_loss:.2f}.keras"`; its folder is made. The ending says how, as in `model.save`;
    * `save_best_only` saves when `monitor` got better, in the direction of `mode`, than it ever was, or than
      `initial_value_threshold`; NaN is never better. Without the metric it warns, and saves;
    * `save_weights_only` saves as `model.save_weights` does.

    A file appears whole or not at all: a process that is killed leaves the last one.

    Raises `ValueError` for an ending that says nothing, and `KeyError` for a name in `filepath` that no log has.
    """

    what = "Saving the best model is"
    remembers: ClassVar = {"best": "number", "_epoch": "count", "_batches": "count"}

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, 0)
        from graphnet.nn.saving.models import MODEL_ENDINGS, ending
        from graphnet.nn.saving.weights import WEIGHT_ENDINGS

        self.filepath = os.fspath(filepath)
        ending(self.filepath, WEIGHT_ENDINGS if save_weights_only else MODEL_ENDINGS, "a checkpoint")
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.save_freq = frequency(save_freq, "ModelCheckpoint")
        self.initial_value_threshold = initial_value_threshold
        self.best = initial_value_threshold
        self._epoch, self._batches = 0, 0
        if self.save_freq == "epoch":
            # Nobody listens to batches: the loop then need not add up the logs for each.
            self.on_train_batch_end = super().on_train_batch_end  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        self.sign, self._batches = 0, 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        """The file for this epoch and batch, both counted from 0, and logs."""
        words = {**(logs or {}), "epoch": epoch + 1}
        if batch is not None:
            words.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**words)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: {self.filepath!r} names {error}, which is not among the logs: {', '.join(words)}"
            ) from None

    def _wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        """Whether to save, with the message that says so."""
        if not self.save_best_only:
            self._tell(f"Epoch {epoch + 1}: saving model to {path}")
            return True
        if not self.sign:
            self.find_direction()
        value = self.value(logs)
        if value is None:
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self.better(value, self.best):
            self._tell(f"Epoch {epoch + 1}: {self.monitor} did not improve from {before}")
            return False
        self._tell(f"Epoch {epoch + 1}: {self.monitor} improved from {before} to {value:.5f}, saving model to {path}")
        self.best = value
        return True

    def _tell(self, text: str) -> None:
        if self.verbose:
            print(f"\n{escape.line(text)}")

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self.path(epoch, batch, logs)
        best = self.best
        if not self._wanted(epoch, logs, path):
            return
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        except BaseException:
            self.best = best
            raise
