"""An array in a few numbers and a histogram: what a panel shows of values, and what reports follow over time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

#: at most as many bins, fewer for few numbers
BINS = 30


def rounded(value: Any, digits: int = 6) -> float | str:
    """A number as JSON can hold it: to a few digits; "nan", "inf" and "-inf" are words."""
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else str(number)


def histogram(array: np.ndarray, bins: int | None = None) -> tuple[list[int], float, float]:
    """(counts, lowest, highest) of the finite numbers of an array; no counts where there are none.

    As many bins as suit the count of numbers, unless given.

    >>> histogram(np.array([0.0, 1.0, 1.0, np.nan]), 2)
    ([1, 2], 0.0, 1.0)
    """
    flat = np.asarray(array).reshape(-1).astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return [], 0.0, 0.0
    bins = bins or max(6, min(BINS, int(2 * flat.size**0.5)))
    low, high = float(flat.min()), float(flat.max())
    # So narrow that its bins could not be told apart: all in one place.
    if not math.isfinite(high - low) or high - low <= 1e-12 * max(abs(low), abs(high)):
        counts = [0] * bins
        counts[bins // 2] = int(flat.size)
        return counts, low, high
    return [int(n) for n in np.histogram(flat, bins, (low, high))[0]], low, high


def statistics(array: Any) -> dict[str, Any]:
    """`count`, and of what is finite `min`, `max`, `mean`, `std`, `norm`, `zeros` and a histogram.

    `nan` and `inf` count the rest. Made for JSON.

    >>> s = statistics(np.array([3.0, 4.0, np.nan]))
    >>> s["norm"], s["mean"], s["nan"], s["count"]
    (5.0, 3.5, 1, 3)
    """
    values = np.asarray(array)
    found: dict[str, Any] = {"count": int(values.size)}
    if values.dtype.kind not in "biuf" or not values.size:
        return found
    flat = values.reshape(-1).astype(np.float64)
    finite = flat[np.isfinite(flat)]
    bad = {"nan": int(np.isnan(flat).sum()), "inf": int(np.isinf(flat).sum())}
    found.update((k, n) for k, n in bad.items() if n)
    if not finite.size:
        return found
    with np.errstate(all="ignore"):
        found.update(
            min=rounded(finite.min()),
            max=rounded(finite.max()),
            mean=rounded(finite.mean()),
            std=rounded(finite.std()),
            norm=rounded(np.sqrt(np.square(finite).sum())),
            zeros=int((finite == 0).sum()),
        )
    counts, low, high = histogram(finite)
    found["histogram"] = [counts, rounded(low), rounded(high)]
    return found
