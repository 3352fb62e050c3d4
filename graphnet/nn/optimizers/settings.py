"""What an optimizer may be set to: numbers in their ranges, and rates that are numbers or functions."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

import graphnet as gn


def positive(value: Any, what: str, zero: bool = False) -> float:
    """`value` as a positive number (or 0 if `zero`), or an error that names `what`."""
    ok = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not ok or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{what} is a number, {'0 or more' if zero else 'more than 0'}; received {value!r}")
    return float(value)


def fraction(value: Any, what: str, closed: bool = False) -> float:
    """`value` as a number from 0 to below 1 (up to 1 if `closed`), or an error that names `what`."""
    ok = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not ok or not (0 <= value < 1 or (closed and value == 1)):
        raise ValueError(f"{what} is a number from 0 to {'1' if closed else 'below 1'}; received {value!r}")
    return float(value)


def count_of(value: Any, what: str, least: int) -> int | None:
    """`value` as a whole number of at least `least`, or None, or an error that names `what`."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{what} is a whole number, {least} or more, or None; received {value!r}")
    return int(value)


def schedule_of(rate: Any) -> Any:
    """`rate`, if it is a function."""
    return rate if callable(rate) and not isinstance(rate, gn.Tensor) else None


def takes_step(schedule: Any) -> bool:
    """Whether a function takes the step count."""
    try:
        parameters = inspect.signature(schedule).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)


def number_of(value: Any) -> Any:
    """A tensor or array of one number as that number; anything else as it is."""
    return value.item() if isinstance(value, (gn.Tensor, np.ndarray)) else value
