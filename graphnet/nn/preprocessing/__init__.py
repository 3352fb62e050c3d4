"""Helpers of `graphnet.nn.utils` under the names that older scripts import them by."""

from typing import Any

from graphnet.nn.gone import absent
from graphnet.nn.preprocessing import sequence
from graphnet.nn.sequences import timeseries_dataset_from_array

__all__ = ["sequence", "timeseries_dataset_from_array"]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name)
