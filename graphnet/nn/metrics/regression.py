"""Metrics between numbers: errors, the share of variance explained, correlations, the angle between vectors."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import losses
from graphnet.nn.losses import ratio, weighed, weights_like
from graphnet.nn.metrics.base import FunctionMean, Mean, Metric, table
from graphnet.nn.targets import compared
from graphnet.nn.unit import EPSILON


@table.add("mse")
class MeanSquaredError(FunctionMean):
    """The mean of `(y_pred - y_true)**2`."""

    direction = "min"
    function = staticmethod(losses.mean_squared_error)


@table.add("mae")
class MeanAbsoluteError(FunctionMean):
    """The mean of `|y_pred - y_true|`."""

    direction = "min"
    function = staticmethod(losses.mean_absolute_error)


@table.add("mape")
class MeanAbsolutePercentageError(FunctionMean):
    """100 times the mean of `|y_pred - y_true| / max(|y_true|, 1e-7)`."""

    direction = "min"
    function = staticmethod(losses.mean_absolute_percentage_error)


@table.add("msle")
class MeanSquaredLogarithmicError(FunctionMean):
    """The mean of `(log(1 + y_pred) - log(1 + y_true))**2`."""

    direction = "min"
    function = staticmethod(losses.mean_squared_logarithmic_error)


@table.add("logcosh", "log_cosh")
class LogCoshError(FunctionMean):
    """The mean of `log(cosh(y_pred - y_true))`."""

    direction = "min"
    function = staticmethod(losses.log_cosh)

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(name, dtype)


@table.add("rmse")
class RootMeanSquaredError(Mean):
    """The square root of the mean of `(y_pred - y_true)**2` over all batches.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.RootMeanSquaredError()
    >>> m.update_state([[0.0]], [[1.0]]); m.update_state([[0.0]], [[7.0]])
    >>> float(m.result())
    5.0
    """

    direction = "min"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y, p = compared(y_true, y_pred, "root_mean_squared_error", "metric")
        super().update_state(gn.square(p - y), sample_weight)

    def result(self) -> gn.Tensor:
        return gn.sqrt(super().result())


def cosine(y_true: Any, y_pred: Any, axis: Any = -1) -> gn.Tensor:
    """The cosine of the angle between the vectors along `axis`."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


@table.add()
class CosineSimilarity(FunctionMean):
    """The mean cosine of the angle between the vectors along `axis`: 1 is the best (as a loss it is negative)."""

    direction = "max"
    function = staticmethod(cosine)

    def __init__(self, name: str | None = None, dtype: Any = None, axis: Any = -1):
        super().__init__(name, dtype, axis=axis)
        self.axis = axis


def centred(x: gn.Tensor, axis: int) -> gn.Tensor:
    """`x` minus its mean along `axis`: exactly 0 where all values are the same."""
    x = x - gn.take(x, [0], axis=axis)  # the mean of equal numbers is rounded, that of zeros is not
    return x - gn.mean(x, axis=axis, keepdims=True)


def pair_along(y_true: Any, y_pred: Any, axis: int, what: str) -> tuple[gn.Tensor, gn.Tensor]:
    """Targets and predictions, with several values along `axis`."""
    y, p = compared(y_true, y_pred, what, "metric")
    if p.shape[axis] == 1:
        raise ValueError(
            f"metric='{what}' compares the values along axis {axis}, where predictions of shape {p.shape} have one: "
            "use axis=0 to go along the rows."
        )
    return y, p


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> gn.Tensor:
    """Pearson's correlation along `axis`, from -1 to 1; 0 where all values are the same."""
    y, p = pair_along(y_true, y_pred, axis, "pearson_correlation")
    y, p = centred(y, axis), centred(p, axis)
    return ratio(gn.sum(y * p, axis=axis), gn.norm(y, axis=axis) * gn.norm(p, axis=axis))


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> gn.Tensor:
    """`2 * cov / (var_true + var_pred + (mean_true - mean_pred)**2)` along `axis` (Lin, Biometrics 45, 1989)."""
    y, p = pair_along(y_true, y_pred, axis, "concordance_correlation")
    apart = gn.square(gn.mean(y, axis=axis) - gn.mean(p, axis=axis))
    y, p = centred(y, axis), centred(p, axis)
    spread = gn.mean(y * y, axis=axis) + gn.mean(p * p, axis=axis)
    return 2.0 * gn.mean(y * p, axis=axis) / (spread + apart + EPSILON)


@table.add()
class PearsonCorrelation(FunctionMean):
    """The mean over rows of Pearson's correlation along `axis`; 0 where all values of a row are the same.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.PearsonCorrelation(axis=0)
    >>> round(float(m([[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]])), 5)
    1.0
    """

    direction = "max"
    function = staticmethod(pearson_correlation)

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype, axis=axis)
        self.axis = axis


@table.add()
class ConcordanceCorrelation(FunctionMean):
    """The mean over rows of the concordance correlation along `axis`: 1 only where the values are the same."""

    direction = "max"
    function = staticmethod(concordance_correlation)

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype, axis=axis)
        self.axis = axis


@table.add("r2")
class R2Score(Metric):
    """`1 - sum((y_true - y_pred)**2) / sum((y_true - mean)**2)`, the share of variance explained: 1 is the best.

    y_true, y_pred: `(batch, outputs)`. Several outputs are averaged: each the same ("uniform_average"), by variance
    ("variance_weighted_average"), or not at all (None: one value for each). `num_regressors` p gives the adjusted score
    `1 - (1 - r2) * (n - 1) / (n - p - 1)` of n rows, where there are enough rows. For targets that are all the same it
    is 1 if they are met exactly, else 0.

    Raises `ValueError` for other shapes, or an unknown aggregation.

    >>> import graphnet as gn
    >>> round(float(gn.nn.metrics.R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 5)
    0.57143
    """

    direction = "max"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, dtype)
        known = ("uniform_average", "variance_weighted_average", None)
        if class_aggregation not in known:
            raise ValueError(
                f"R2Score: class_aggregation is one of {', '.join(map(repr, known))}; received {class_aggregation!r}"
            )
        if isinstance(num_regressors, bool) or not isinstance(num_regressors, int) or num_regressors < 0:
            raise ValueError(f"R2Score: num_regressors is a whole number, 0 or more; received {num_regressors!r}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.rows = self.add_variable(name="rows")
        self.sums: gn.Parameter | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y, p = compared(y_true, y_pred, "r2_score", "metric")
        if p.ndim == 1:
            y, p = gn.expand_dims(y, -1), gn.expand_dims(p, -1)
        if p.ndim != 2:
            raise ValueError(f"metric='r2_score' takes predictions of shape (batch, outputs); received {p.shape}.")
        if self.sums is None:
            #: weights, weighted targets, weighted squares of targets, weighted squares of errors
            self.sums = self.add_variable((4, p.shape[1]), name="sums")
        y, p = y.astype("float64"), p.astype("float64")
        w = gn.ones_like(y)
        if sample_weight is not None:
            w = gn.broadcast_to(weights_like(y, sample_weight), y.shape)
        terms = (w, weighed(y, w), weighed(y * y, w), weighed(gn.square(y - p), w))
        self.sums.assign(self.sums + gn.stack([gn.sum(t, axis=0) for t in terms]))
        self.rows.assign(self.rows + float(p.shape[0]))

    def result(self) -> gn.Tensor:
        if self.sums is None:
            return gn.tensor(0.0)
        weight, total, squares, missed = (self.sums[i] for i in range(4))
        spread = squares - total * ratio(total, weight)
        # What is left of squares that cancel is rounding: these targets are all the same.
        same = gn.less_equal(spread, 1e-13 * squares)
        exact = gn.logical_and(gn.equal(missed, 0.0), gn.greater(weight, 0.0))
        scores = gn.where(same, exact.astype("float64"), 1.0 - missed / gn.where(same, 1.0, spread))
        if self.class_aggregation == "uniform_average":
            scores = gn.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ratio(gn.sum(spread * scores), gn.sum(spread))
        if self.num_regressors:
            free = self.rows - (self.num_regressors + 1.0)
            enough = gn.greater(free, 0.0)
            scores = gn.where(enough, 1.0 - (1.0 - scores) * (self.rows - 1.0) / gn.where(enough, free, 1.0), scores)
        return scores
