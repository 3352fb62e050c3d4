"""Metrics over many thresholds: the area under a curve, and one rate at a limit on another."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import unknown
from graphnet.nn.losses import ratio
from graphnet.nn.metrics.base import table
from graphnet.nn.metrics.confusion import Counts, thresholds_of

EPSILON = 1e-7


def enough(count: Any, low: int, what: str) -> int:
    """`count` as a whole number of `low` or more, or an error that names `what`."""
    if isinstance(count, bool) or not hasattr(count, "__index__") or count < low:
        raise ValueError(f"{what}: num_thresholds is a whole number, {low} or more; received {count!r}")
    return int(count)


@table.add()
class AUC(Counts):
    """The area under the ROC curve (how likely a positive row has a larger prediction than a negative one), or others.

    `curve` is "ROC" (recall over the false positive rate), "PR" (precision over recall) or "PRGAIN" (Flach and Kull,
    "Precision-recall-gain curves", NIPS 2015). The curve has `num_thresholds` points, evenly from 0 to 1, or those of
    `thresholds` with the ends. Between points heights are averaged ("interpolation": trapezoids, and for PR the formula
    of Davis and Goadrich, ICML 2006), or the smaller ("minoring") or larger ("majoring") counts. With `multi_label`
    each column of the targets has its own curve, and the areas are averaged, with `label_weights` as weights; without,
    `label_weights` weigh the columns of one curve. `from_logits` takes the sigmoid of predictions first.

    Raises `ValueError` for unknown words and wrong shapes.

    >>> import graphnet as gn
    >>> float(gn.nn.metrics.AUC()([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
    0.75
    """

    direction = "max"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        if str(curve).upper() not in ("ROC", "PR", "PRGAIN"):
            raise unknown("curve of AUC", curve, ("ROC", "PR", "PRGAIN"))
        methods = ("interpolation", "majoring", "minoring")
        if str(summation_method).lower() not in methods:
            raise unknown("summation_method of AUC", summation_method, methods)
        if num_labels and not multi_label:
            raise ValueError(f"AUC: num_labels={num_labels!r} goes with multi_label=True")
        if thresholds is None:
            inner = np.linspace(0, 1, enough(num_thresholds, 2, "AUC"))[1:-1]
        else:
            inner = np.sort(thresholds_of(thresholds, 0.5, "AUC"))
        super().__init__([-EPSILON, *inner, 1 + EPSILON], name, dtype, per_label=multi_label)
        self.num_thresholds = len(self._thresholds)
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        if multi_label and num_labels:
            self.make_state((num_labels,))

    def prepared(self, y_pred: gn.Tensor) -> gn.Tensor:
        return gn.sigmoid(y_pred) if self.from_logits else y_pred

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.label_weights is not None and not self.multi_label:
            pred = y_pred if isinstance(y_pred, gn.Tensor) else gn.tensor(y_pred)
            if pred.shape[-1:] != (len(self.label_weights),):
                raise ValueError(
                    f"AUC: {len(self.label_weights)} label_weights do not fit predictions of shape {pred.shape}"
                )
            columns = np.asarray(self.label_weights).reshape(*[1] * (pred.ndim - 1), -1)
            rows: Any = 1.0
            if sample_weight is not None:
                rows = sample_weight if isinstance(sample_weight, gn.Tensor) else gn.tensor(sample_weight)
                rows = gn.reshape(rows, rows.shape + (1,) * (pred.ndim - rows.ndim))
            sample_weight = gn.broadcast_to(rows * columns, pred.shape)
        super().update_state(y_true, y_pred, sample_weight)

    def result(self) -> gn.Tensor:
        if not self._made:
            return gn.tensor(0.0)
        pieces = self.pieces()
        areas = gn.sum(pieces, axis=0)  # () or (labels,)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return gn.mean(areas)
        weights = np.asarray(self.label_weights)
        return gn.sum(areas * weights) * (1 / weights.sum() if weights.sum() else 0.0)

    def pieces(self) -> gn.Tensor:
        """The area between each point of the curve and the next."""
        tp, fp = self.true_positives, self.false_positives
        tn, fn = self.true_negatives, self.false_negatives
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.between_counts(tp, tp + fp)
        recall = ratio(gn.positive(tp), tp + fn)
        if self.curve == "ROC":
            x, y = ratio(gn.positive(fp), fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, ratio(gn.positive(tp), tp + fp)
        else:
            share = ratio(tp + fn, tn + fp)
            none = gn.equal(tp, 0.0)
            x = gn.maximum(gn.where(none, 0.0, 1.0 - share * ratio(fn, gn.positive(tp))), 0.0)
            y = gn.where(none, 1.0, 1.0 - share * ratio(gn.positive(fp), gn.positive(tp)))
        left, right = y[:-1], y[1:]
        height = {
            "interpolation": lambda: (left + right) / 2.0,
            "minoring": lambda: gn.minimum(left, right),
            "majoring": lambda: gn.maximum(left, right),
        }[self.summation_method]()
        return (x[:-1] - x[1:]) * height

    def between_counts(self, tp: gn.Tensor, chosen: gn.Tensor) -> gn.Tensor:
        """Precision over recall, with true positives growing in a line with the predicted ones between two points."""
        gained = tp[:-1] - tp[1:]
        slope = ratio(gained, gn.maximum(chosen[:-1] - chosen[1:], 0.0))
        start = tp[1:] - slope * chosen[1:]
        both = gn.logical_and(gn.greater(chosen[:-1], 0.0), gn.greater(chosen[1:], 0.0))
        growth = gn.where(both, ratio(chosen[:-1], gn.maximum(chosen[1:], 0.0)), 1.0)
        return ratio(slope * (gained + start * gn.log(growth)), self.positives[0])


class RateAtLimit(Counts):
    """Base class: the best of one rate among the thresholds where another is at least a limit."""

    direction = "max"

    def __init__(
        self,
        limit: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        what = type(self).__name__
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 <= limit <= 1:
            raise ValueError(f"{what}: the limit is a number from 0 to 1; received {limit!r}")
        count = enough(num_thresholds, 1, what)
        super().__init__([0.5] if count == 1 else np.linspace(0, 1, count), name, dtype, class_id=class_id)
        self.limit, self.num_thresholds = limit, num_thresholds

    def rates(self) -> tuple[gn.Tensor, gn.Tensor]:
        """The rate that is limited, and the one that is wanted, at each threshold."""
        raise NotImplementedError

    def result(self) -> gn.Tensor:
        limited, wanted = self.rates()
        return gn.max(gn.where(gn.greater_equal(limited, self.limit), wanted, 0.0))

    def recall_rate(self) -> gn.Tensor:
        """True positives / positives, at each threshold."""
        return ratio(gn.positive(self.true_positives), self.positives)

    def specificity_rate(self) -> gn.Tensor:
        """True negatives / negatives, at each threshold."""
        return ratio(gn.positive(self.true_negatives), self.negatives)

    def precision_rate(self) -> gn.Tensor:
        """True positives / predicted positives, at each threshold."""
        return ratio(gn.positive(self.true_positives), self.true_positives + self.false_positives)


@table.add()
class SensitivityAtSpecificity(RateAtLimit):
    """The best sensitivity (recall) at thresholds whose specificity is at least `specificity`.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.SensitivityAtSpecificity(0.5)
    >>> float(m([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def rates(self) -> tuple[gn.Tensor, gn.Tensor]:
        return self.specificity_rate(), self.recall_rate()


@table.add()
class SpecificityAtSensitivity(RateAtLimit):
    """The best specificity at thresholds whose sensitivity (recall) is at least `sensitivity`."""

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def rates(self) -> tuple[gn.Tensor, gn.Tensor]:
        return self.recall_rate(), self.specificity_rate()


@table.add()
class PrecisionAtRecall(RateAtLimit):
    """The best precision at thresholds whose recall is at least `recall`."""

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall

    def rates(self) -> tuple[gn.Tensor, gn.Tensor]:
        return self.recall_rate(), self.precision_rate()


@table.add()
class RecallAtPrecision(RateAtLimit):
    """The best recall at thresholds whose precision is at least `precision`."""

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision

    def rates(self) -> tuple[gn.Tensor, gn.Tensor]:
        return self.precision_rate(), self.recall_rate()
