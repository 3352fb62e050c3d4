"""Callbacks, one file for each idea: objects whose hooks `fit`, `evaluate` and `predict` call as they go."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphnet.nn.callbacks.averages import SwapEMAWeights
from graphnet.nn.callbacks.base import HOOKS, Callback, CallbackList, LambdaCallback, as_list
from graphnet.nn.callbacks.logging import CSVLogger, RemoteMonitor
from graphnet.nn.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from graphnet.nn.callbacks.stopping import EarlyStopping, TerminateOnNaN
from graphnet.nn.callbacks.watcher import Watcher, direction_of
from graphnet.nn.history import History
from graphnet.nn.progress import Progress
from graphnet.nn.progress import Progress as ProgbarLogger

if TYPE_CHECKING:
    from graphnet.nn.callbacks.backup import BackupAndRestore
    from graphnet.nn.callbacks.checkpoint import ModelCheckpoint
    from graphnet.nn.callbacks.live import LivePlot
    from graphnet.nn.callbacks.reports import HTMLReport
    from graphnet.nn.callbacks.tensorboard import TensorBoard

__all__ = [
    "HOOKS",
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "HTMLReport",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "LivePlot",
    "ModelCheckpoint",
    "ProgbarLogger",
    "Progress",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "Watcher",
    "as_list",
    "direction_of",
]

#: callbacks that are looked up when they are asked for
_HOMES = {
    "BackupAndRestore": "backup",
    "HTMLReport": "reports",
    "LivePlot": "live",
    "ModelCheckpoint": "checkpoint",
    "TensorBoard": "tensorboard",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
