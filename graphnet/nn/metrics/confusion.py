"""How often yes and no are right and wrong: counts at thresholds, and what is made of them.

`Counts` keeps, for each threshold, those of the four counts that its result needs. What is not above a threshold is
the weight of all positive or negative rows without what is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import plain
from graphnet.nn.losses import ratio, weights_like
from graphnet.nn.metrics.base import Metric, table
from graphnet.nn.ranges import check_shares, weighing
from graphnet.nn.targets import compared

#: thresholds that lie evenly and are more than this are not looked at one by one
FEW = 8
#: comparisons (thresholds times predictions) beyond which rows are sorted into buckets instead: in a graph, whose
#: comparisons are one compiled loop, and outside of one, where they are arrays of that size
LARGE, LARGE_EAGER = 1 << 18, 1 << 14


def evenly(thresholds: np.ndarray) -> bool:
    """Whether thresholds go in equal steps from 0 to 1 (the ends may lie 1e-7 outside)."""
    return len(thresholds) > FEW and np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=2e-7, rtol=0)


def only_largest(y_pred: gn.Tensor, k: int) -> gn.Tensor:
    """`y_pred` where it is among the `k` largest of its row, the first of equals; -inf elsewhere."""
    place = gn.argsort(gn.argsort(-y_pred, axis=-1), axis=-1)
    return gn.where(gn.less(place, k), y_pred, -np.inf)


def compared_with(limits: np.ndarray, p: gn.Tensor, weights: gn.Tensor) -> gn.Tensor:
    """The sum of `weights` where `p` is above each of `limits`: `(batch, ...)` to `(limits, ...)`."""
    each = limits.astype(p.dtype).reshape(-1, *[1] * p.ndim)
    return gn.sum(gn.where(gn.greater(gn.expand_dims(p, 0), each), weights, 0.0), axis=1)


def in_buckets(passed: gn.Tensor, weights: gn.Tensor, count: int) -> gn.Tensor:
    """The sum of `weights` where more than i of `count` thresholds are passed, for each i, by sums of equal ones."""
    places: Any = passed if passed.ndim == 1 else (passed, np.arange(passed.shape[1]))
    zeros = gn.zeros((count, *passed.shape[1:]), np.float64)
    buckets = gn.add_at(zeros, places, weights.astype("float64"))
    sums = gn.flip(gn.cumsum(gn.flip(buckets, axis=0), axis=0), axis=0)
    return gn.concatenate([sums[1:], zeros[:1]], axis=0)


class Counts(Metric):
    """Base class of metrics over true and false positives and negatives, at one or more thresholds.

    A prediction is positive if it is above the threshold, a target if it is not 0. With `class_id` only that column
    counts; with `top_k` only the k largest predictions of a row can be positive. `per_label` counts each column alone.
    `keeps` names the counts that are kept as state, each an attribute.
    """

    keeps: tuple[str, ...] = ("true_positives", "true_negatives", "false_positives", "false_negatives")
    true_positives: gn.Parameter
    true_negatives: gn.Parameter
    false_positives: gn.Parameter
    false_negatives: gn.Parameter

    def __init__(
        self,
        thresholds: Any,
        name: str | None = None,
        dtype: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        per_label: bool = False,
    ):
        super().__init__(name, dtype)
        self._thresholds = np.asarray(thresholds, np.float64)
        self._even = evenly(self._thresholds)
        self.top_k, self.class_id = top_k, class_id
        self._per_label, self._made = per_label, False
        if not per_label:
            self.make_state(())

    def make_state(self, labels: tuple[int, ...]) -> None:
        """The sums, for all columns together, `()`, or for each, `(columns,)`."""
        self._made = True
        for name in self.keeps:
            setattr(self, name, self.add_variable((len(self._thresholds), *labels), name=name))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds as they are compared with."""
        return self._thresholds.tolist()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, in a form that JSON can hold."""
        config = super().get_config()
        return {**config, "thresholds": plain(self._given["thresholds"])} if "thresholds" in config else config

    @property
    def positives(self) -> gn.Tensor:
        """The weight of positive rows, for each threshold."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> gn.Tensor:
        """The weight of negative rows, for each threshold."""
        return self.true_negatives + self.false_positives

    def prepared(self, y_pred: gn.Tensor) -> gn.Tensor:
        """Predictions as they are compared with thresholds."""
        return y_pred

    def check(self, y: np.ndarray, pred: tuple[int, ...]) -> None:
        check_shares(y, self.name, "metric")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y, p = compared(y_true, y_pred, self.name, "metric")
        with weighing(sample_weight):
            check_shares(y, self.name, "metric")
        p = self.prepared(p)
        if self.top_k is not None:
            p = only_largest(p, self.top_k)
        if self.class_id is not None:
            if p.ndim < 2:
                raise ValueError(
                    f"{type(self).__name__}: class_id={self.class_id} needs predictions of shape (batch, classes); "
                    f"received {p.shape}."
                )
            y, p = y[..., self.class_id], p[..., self.class_id]
        w = None
        if sample_weight is not None:
            w = gn.broadcast_to(weights_like(p, sample_weight), p.shape)
        if self._per_label:
            if p.ndim != 2:
                raise ValueError(
                    f"{type(self).__name__}: multi_label=True needs predictions of shape (batch, labels); "
                    f"received {p.shape}."
                )
            if not self._made:
                self.make_state(p.shape[1:])
        else:
            y, p = gn.ravel(y), gn.ravel(p)
            w = None if w is None else gn.ravel(w)
        if w is not None:
            p = gn.where(gn.equal(w, 0.0), 0.0, p)  # what does not count may be NaN, which is in no bucket
        yes = gn.not_equal(y, 0.0).astype(p.dtype)  # (batch,) or (batch, labels)
        no = 1.0 - yes
        if w is not None:
            yes, no = yes * w, no * w
        above: dict[bool, gn.Tensor] = {}
        for name in self.keeps:
            of_positives = name in ("true_positives", "false_negatives")
            weights = yes if of_positives else no
            if of_positives not in above:
                above[of_positives] = self.above(p, weights)
            count = above[of_positives]
            if name.endswith("negatives"):  # those that are predicted negative
                count = gn.sum(weights, axis=0).astype("float64") - count
            kept = getattr(self, name)
            kept.assign(kept + count)

    def above(self, p: gn.Tensor, weights: gn.Tensor) -> gn.Tensor:
        """The sum of `weights` where `p` is above each threshold."""
        if not self._even:
            return compared_with(self._thresholds, p, weights)
        count = len(self._thresholds)
        passed = gn.ceil(gn.clip(p, 0.0, 1.0) * (count - 1))  # how many thresholds are below p
        if self._thresholds[0] < 0:
            passed = gn.maximum(passed, 1)
        if count * p.size <= (LARGE if p.is_symbolic else LARGE_EAGER):
            return compared_with(np.arange(count), passed, weights)
        return in_buckets(passed.astype("int64"), weights, count)

    def single(self, values: gn.Tensor) -> gn.Tensor:
        """`values` for each threshold; without an axis if there is one threshold."""
        return values[0] if len(self._thresholds) == 1 else values


def thresholds_of(given: Any, default: float, what: str) -> list[float]:
    """Thresholds from 0 to 1 as a list, or an error that names `what`."""
    if given is None:
        return [default]
    listed = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    if not listed or any(not isinstance(t, (int, float, np.number)) or not 0 <= t <= 1 for t in listed):
        raise ValueError(f"{what}: thresholds are numbers from 0 to 1; received {given!r}")
    return [float(t) for t in listed]


class Count(Counts):
    """Base class: one of the four counts at each threshold, 0.5 unless given."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds_of(thresholds, 0.5, type(self).__name__), name, dtype)


@table.add("tp")
class TruePositives(Count):
    """How many positive rows are predicted so, or the sum of their weights.

    >>> import graphnet as gn
    >>> float(gn.nn.metrics.TruePositives()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))
    2.0
    """

    direction = "max"
    keeps = ("true_positives",)

    def result(self) -> gn.Tensor:
        return self.single(gn.positive(self.true_positives))


@table.add("tn")
class TrueNegatives(Count):
    """How many negative rows are predicted so, or the sum of their weights."""

    direction = "max"
    keeps = ("true_negatives",)

    def result(self) -> gn.Tensor:
        return self.single(gn.positive(self.true_negatives))


@table.add("fp")
class FalsePositives(Count):
    """How many negative rows are predicted positive, or the sum of their weights."""

    direction = "min"
    keeps = ("false_positives",)

    def result(self) -> gn.Tensor:
        return self.single(gn.positive(self.false_positives))


@table.add("fn")
class FalseNegatives(Count):
    """How many positive rows are predicted negative, or the sum of their weights."""

    direction = "min"
    keeps = ("false_negatives",)

    def result(self) -> gn.Tensor:
        return self.single(gn.positive(self.false_negatives))


class Selected(Counts):
    """Base class of precision and recall: thresholds are 0.5 unless given, or none at all with `top_k`."""

    direction = "max"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        what = type(self).__name__
        if top_k is not None and (isinstance(top_k, bool) or not hasattr(top_k, "__index__") or top_k < 1):
            raise ValueError(f"{what}: top_k is a whole number, 1 or more; received {top_k!r}")
        if class_id is not None and (isinstance(class_id, bool) or not hasattr(class_id, "__index__")):
            raise ValueError(f"{what}: class_id is the number of a class; received {class_id!r}")
        default = 0.5 if top_k is None else -np.inf
        super().__init__(thresholds_of(thresholds, default, what), name, dtype, top_k, class_id)


@table.add()
class Precision(Selected):
    """True positives / (true + false positives): how much of what is predicted positive is; 0 if nothing is.

    >>> import graphnet as gn
    >>> round(float(gn.nn.metrics.Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])), 5)
    0.66667
    """

    keeps = ("true_positives", "false_positives")

    def result(self) -> gn.Tensor:
        return self.single(ratio(self.true_positives, self.true_positives + self.false_positives))


@table.add()
class Recall(Selected):
    """True positives / positives: how much of what is positive is predicted so; 0 if nothing is.

    >>> import graphnet as gn
    >>> round(float(gn.nn.metrics.Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])), 5)
    0.66667
    """

    keeps = ("true_positives", "false_negatives")

    def result(self) -> gn.Tensor:
        return self.single(ratio(gn.positive(self.true_positives), self.positives))
