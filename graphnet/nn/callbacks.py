"""Callbacks: objects whose hooks `fit`, `evaluate` and `predict` call as they go.

The hooks are `on_{train,test,predict}_{begin,end}(logs)`, `on_epoch_{begin,end}(epoch, logs)` and
`on_{train,test,predict}_batch_{begin,end}(batch, logs)`. A hook may set `self.model.stop_training = True`. What a hook
adds to `logs` at the end of an epoch is recorded and printed.
"""

from __future__ import annotations

import csv
import inspect
import math
import os
import warnings
from collections.abc import Callable
from typing import Any

from graphnet.nn.lookup import Spelled

Logs = dict[str, Any] | None


class Callback(metaclass=Spelled):
    """Base class: override the hooks you need. `self.model` is the model, `self.params` what `fit` was called with."""

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None: ...
    def on_train_end(self, logs: Logs = None) -> None: ...
    def on_test_begin(self, logs: Logs = None) -> None: ...
    def on_test_end(self, logs: Logs = None) -> None: ...
    def on_predict_begin(self, logs: Logs = None) -> None: ...
    def on_predict_end(self, logs: Logs = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None: ...


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class CallbackList:
    """Several callbacks called in order; a hook that none of them overrides costs nothing."""

    def __init__(self, callbacks: Any, model: Any, params: dict[str, Any]):
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks is a list of Callback objects; received {callback!r} in it.")
            callback.set_model(model)
            callback.set_params(params)
        self._called = {
            hook: [
                getattr(c, hook)
                for c in self.callbacks
                if getattr(type(c), hook) is not getattr(Callback, hook) or hook in vars(c)
            ]
            for hook in HOOKS
        }

    def listens(self, hook: str, besides: Any = ()) -> bool:
        """Whether some callback, `besides` those, overrides `hook`."""
        return any(getattr(f, "__self__", None) not in besides for f in self._called[hook])

    def call(self, hook: str, *args: Any) -> None:
        """Call `hook` of each."""
        for function in self._called[hook]:
            function(*args)


def as_list(callbacks: Any) -> list[Any]:
    """None, one callback, or several, as a list."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


class LambdaCallback(Callback):
    """A callback from functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))`."""

    def __init__(self, **hooks: Callable[..., Any]):
        super().__init__()
        for hook, function in hooks.items():
            if hook not in HOOKS:
                raise ValueError(f"a hook is one of {', '.join(HOOKS)}; received {hook!r}.")
            setattr(self, hook, function)


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
                direction = metric.direction
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


class EarlyStopping(Watcher):
    """Stop when `monitor` has not got better by more than `min_delta` for `patience` epochs.

    `restore_best_weights` brings back the weights of the best epoch however training ended.
    """

    what = "Early stopping"

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


class ReduceLROnPlateau(Watcher):
    """Multiply the learning rate by `factor` when `monitor` has not got better for `patience` epochs."""

    what = "Learning rate reduction is"

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor is less than 1; received {factor!r}.")
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = (
            factor,
            patience,
            verbose,
            cooldown,
            min_lr,
        )

    def on_train_begin(self, logs: Logs = None) -> None:
        self.sign, self.wait, self.resting = 0, 0, 0
        self.best: float | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        if not self.sign:
            self.find_direction()
        current = self.value(logs)
        if current is None:
            return
        if self.resting > 0:
            self.resting -= 1
            self.wait = 0
        if self.better(current, self.best):
            self.best, self.wait = current, 0
        elif self.resting <= 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                lower = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = lower
                if self.verbose:
                    print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}.")
                self.resting, self.wait = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Set the learning rate at the begin of each epoch to `schedule(epoch, lr)` (or `schedule(epoch)`)."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = self.model.optimizer
        takes_rate = len(inspect.signature(self.schedule).parameters) > 1
        rate = self.schedule(epoch, float(optimizer.learning_rate)) if takes_rate else self.schedule(epoch)
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate)}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class CSVLogger(Callback):
    """Write a line for each epoch to a file: `epoch`, counted from 0, and the logs in alphabetical order."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.separator, self.append = filename, separator, append

    def on_train_begin(self, logs: Logs = None) -> None:
        old = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self.file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        self.keys: list[str] | None = None
        self.header = not old

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        writer = csv.writer(self.file, delimiter=self.separator)
        if self.keys is None:
            self.keys = sorted(logs or {})
            if self.header:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *((logs or {}).get(key, "NA") for key in self.keys)])
        self.file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        self.file.close()
