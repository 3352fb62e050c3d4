"""F-scores: the harmonic mean of precision and recall, for each class, or over classes."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.losses import weighed, weights_like
from graphnet.nn.metrics.base import Metric, table
from graphnet.nn.ranges import check_shares, weighing
from graphnet.nn.targets import compared

EPSILON = 1e-7


@table.add("fbeta_score", "fbeta")
class FBetaScore(Metric):
    """`(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`, for one-hot or multi-label targets.

    y_true, y_pred: `(batch, classes)`. A prediction counts as made for the largest of its row, or with `threshold` for
    all that are above it. `average` is None (a score for each class), "macro" (their mean), "weighted" (by the number
    of rows of each class) or "micro" (all counts together).

    Raises `ValueError` for other values and shapes.
    """

    direction = "max"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name, dtype)
        what = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"{what}: average is 'micro', 'macro', 'weighted' or None; received {average!r}")
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not beta > 0:
            raise ValueError(f"{what}: beta is a number above 0; received {beta!r}")
        if threshold is not None and (
            isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold <= 1
        ):
            raise ValueError(f"{what}: threshold is above 0 and at most 1, or None; received {threshold!r}")
        self.average, self.beta, self.threshold = average, beta, threshold
        self.sums: gn.Parameter | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y, p = compared(y_true, y_pred, self.name, "metric")
        with weighing(sample_weight):
            check_shares(y, self.name, "metric")
        if p.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} takes one-hot targets and predictions of shape (batch, classes); received "
                f"predictions of shape {p.shape}."
            )
        if self.sums is None:
            #: true positives, false positives, false negatives, of all together or of each class
            self.sums = self.add_variable((3,) if self.average == "micro" else (3, p.shape[1]), name="sums")
        if self.threshold is None:
            top = gn.max(p, axis=-1, keepdims=True)
            chosen = gn.logical_and(gn.greater_equal(p, top), gn.greater(gn.abs(p), 1e-9))
        else:
            chosen = gn.greater(p, self.threshold)
        c = chosen.astype(p.dtype)
        terms = [c * y, c * (1.0 - y), (1.0 - c) * y]  # (batch, classes)
        if sample_weight is not None:
            w = weights_like(p, sample_weight)
            terms = [weighed(t, w) for t in terms]
        axis = None if self.average == "micro" else 0
        self.sums.assign(self.sums + gn.stack([gn.sum(t, axis=axis) for t in terms]))

    def result(self) -> gn.Tensor:
        if self.sums is None:
            return gn.tensor(0.0)
        right, added, missed = (self.sums[i] for i in range(3))
        precision, recall = right / (right + added + EPSILON), right / (right + missed + EPSILON)
        square = self.beta**2
        scores = (1 + square) * (precision * recall) / (square * precision + recall + EPSILON)
        if self.average == "weighted":
            rows = right + missed
            return gn.sum(scores * (rows / (gn.sum(rows) + EPSILON)))
        return scores if self.average is None else gn.mean(scores)


@table.add("f1")
class F1Score(FBetaScore):
    """`2 * precision * recall / (precision + recall)`, for one-hot or multi-label targets; see FBetaScore.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.F1Score(average="macro")
    >>> round(float(m([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])), 5)
    0.22222
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)
