"""Optimisers, one file for each idea, and the schedules of their learning rates."""

from typing import Any

from graphnet.nn.gone import absent
from graphnet.nn.optimizers import schedules
from graphnet.nn.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from graphnet.nn.optimizers.adaptive import Adadelta, Adafactor, Adagrad, Ftrl, RMSprop
from graphnet.nn.optimizers.base import Optimizer, get, limited, table
from graphnet.nn.optimizers.descent import SGD, Lion, Muon
from graphnet.nn.optimizers.settings import positive

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "get",
    "limited",
    "positive",
    "schedules",
    "table",
]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name)
