"""Training that goes on where it was when the process ended."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphnet.files import clear_parts
from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.callbacks.checkpoint import frequency

FILE = "training.backup"


class BackupAndRestore(Callback):
    """Keep the state of `fit` in `backup_dir`; a `fit` that finds one there goes on from it.

    The state is all that decides what comes next: weights, the optimizer, epoch and batch, the order of the rows, the
    random numbers to come, running loss and metrics, `History`, and what other callbacks remember (the best value and
    weights of `EarlyStopping`, the wait of `ReduceLROnPlateau`, and of callbacks of your own what they declare in
    `remembers`). It is written after every epoch, or after every `save_freq` batches, whole or not at all. So a run
    that is killed and started again ends with the same weights as one that never was, bit for bit, on one machine with
    as many threads for BLAS. For that the training step is compiled at the first batch, and waits for native code,
    which makes the first step slower.

    Make the model, the data and `fit`'s arguments as before. What can't be kept: open files (give `CSVLogger`
    `append=True`), the states of `stateful` layers, where a generator of data stands (the epoch's batches before are
    taken from it and dropped), and random numbers that your own code draws.

    When `fit` has come to its end the backup is removed, unless `delete_checkpoint` is False; then a `fit` of more
    epochs goes on from there. After an error or Ctrl-C it stays.

    Raises `FileError` in `fit` if the backup is damaged, or belongs to another model, data or batch size: then nothing
    has changed. Raises `ValueError` in `fit` for a callback that declares what can't be kept in a file.
    """

    last = True

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError("BackupAndRestore: backup_dir is the path of a folder; received an empty one.")
        self.backup_dir, self.save_freq = Path(backup_dir), frequency(save_freq, "BackupAndRestore")
        #: accepted for code written for Keras: files appear whole or not at all, so that one is enough
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._batches = 0
        if self.save_freq == "epoch":
            self.on_train_batch_end = super().on_train_batch_end  # type: ignore[method-assign]

    @property
    def path(self) -> Path:
        """The file of the backup."""
        return self.backup_dir / FILE

    def on_train_begin(self, logs: Logs = None) -> None:
        from graphnet.nn.saving import resume

        self.backup_dir.mkdir(parents=True, exist_ok=True)
        clear_parts(Path(os.path.realpath(self.path)))
        self.model.steps.hold_steady()
        self._batches = 0
        if self.path.exists():
            resume.restore(self.model, self.path)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs: Logs = None) -> None:
        if self.model.run.done and self.delete_checkpoint:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self.backup_dir.rmdir()  # if nothing else is in it

    def _save(self) -> None:
        from graphnet.files import write_whole
        from graphnet.nn.saving import resume

        write_whole(self.path, resume.backup(self.model))
