"""Callbacks, one file for each idea: objects whose hooks `fit`, `evaluate` and `predict` call as they go."""

from graphnet.nn.callbacks.averages import SwapEMAWeights
from graphnet.nn.callbacks.backup import BackupAndRestore
from graphnet.nn.callbacks.base import HOOKS, Callback, CallbackList, LambdaCallback, as_list
from graphnet.nn.callbacks.checkpoint import ModelCheckpoint
from graphnet.nn.callbacks.live import LivePlot
from graphnet.nn.callbacks.logging import CSVLogger, RemoteMonitor
from graphnet.nn.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from graphnet.nn.callbacks.reports import HTMLReport
from graphnet.nn.callbacks.stopping import EarlyStopping, TerminateOnNaN
from graphnet.nn.callbacks.tensorboard import TensorBoard
from graphnet.nn.callbacks.watcher import Watcher, direction_of
from graphnet.nn.history import History
from graphnet.nn.progress import Progress
from graphnet.nn.progress import Progress as ProgbarLogger

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
