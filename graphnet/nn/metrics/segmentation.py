"""Intersection over union: how well areas of classes are met, from a table of true and predicted classes."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.metrics.base import Metric, table
from graphnet.nn.ranges import check_classes, weighing
from graphnet.nn.targets import as_tensor

EPSILON = 1e-7


@table.add("iou")
class IoU(Metric):
    """The mean over `target_class_ids` of `both / either`: what is of the class and predicted so, over what is either.

    y_true and y_pred are class numbers of any shape, or scores along `axis` where `sparse_y_true` or `sparse_y_pred` is
    False. Classes that do not appear are left out of the mean; elements of class `ignore_class`, or of no class, out of
    everything. Weights may be fractions.

    Raises `ValueError` for class numbers out of range and for shapes that differ.

    >>> import graphnet as gn
    >>> m = gn.nn.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> round(float(m([0, 0, 1, 1], [0, 1, 0, 1])), 5)
    0.33333
    """

    direction = "max"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name, dtype)
        what = type(self).__name__
        if isinstance(num_classes, bool) or not hasattr(num_classes, "__index__") or num_classes < 1:
            raise ValueError(f"{what}: num_classes is a whole number, 1 or more; received {num_classes!r}")
        self.num_classes, self.target_class_ids = int(num_classes), list(target_class_ids)
        if any(not 0 <= c < num_classes for c in self.target_class_ids):
            raise ValueError(
                f"{what}: target_class_ids are from 0 to {num_classes - 1} (num_classes={num_classes}); received "
                f"{self.target_class_ids}"
            )
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.table = self.add_variable((num_classes, num_classes), name="confusion")  # (true, predicted)

    def classes(self, y: Any, sparse: bool) -> gn.Tensor:
        """Class numbers."""
        y = as_tensor(y)
        if not sparse:
            y = gn.argmax(y, axis=self.axis)
        return y.astype("int64")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = self.classes(y_true, self.sparse_y_true), self.classes(y_pred, self.sparse_y_pred)
        if [n for n in true.shape if n != 1] != [n for n in pred.shape if n != 1]:
            raise ValueError(
                f"{type(self).__name__}: targets of shape {true.shape} for predictions of shape {pred.shape}. Targets "
                "and predictions are class numbers of one shape; scores need sparse_y_true=False or "
                "sparse_y_pred=False."
            )
        with weighing(sample_weight):
            for y, sparse, of in (
                (y_true, self.sparse_y_true, "targets"),
                (y_pred, self.sparse_y_pred, "predictions"),
            ):
                if sparse:
                    check_classes(as_tensor(y), self.num_classes, self.name, "metric", self.ignore_class, of)
        true, pred = gn.ravel(true), gn.ravel(pred)
        counts = gn.ones(true.shape)
        if sample_weight is not None:
            w = as_tensor(sample_weight, floating=True).astype("float64")
            shape = as_tensor(y_true if self.sparse_y_true else y_pred).shape
            if w.size not in (1, true.size):
                w = gn.broadcast_to(gn.reshape(w, w.shape + (1,) * (len(shape) - w.ndim)), shape)
            counts = counts * gn.ravel(w)
        inside = [gn.logical_and(gn.greater_equal(c, 0), gn.less(c, self.num_classes)) for c in (true, pred)]
        known = gn.logical_and(*inside)
        if self.ignore_class is not None:
            known = gn.logical_and(known, gn.not_equal(true, self.ignore_class))
        places = gn.where(known, true * self.num_classes + pred, 0)
        zeros = gn.zeros(self.num_classes**2)
        added = gn.add_at(zeros, places, gn.where(known, counts, 0.0))
        self.table.assign(self.table + gn.reshape(added, self.table.shape))

    def result(self) -> gn.Tensor:
        both = gn.diagonal(self.table)[self.target_class_ids]
        sizes = gn.sum(self.table, axis=0) + gn.sum(self.table, axis=1)
        either = sizes[self.target_class_ids] - both
        there = gn.greater(either, 1e-9).astype("float64")
        return gn.sum(there * both / (either + EPSILON)) / (gn.sum(there) + EPSILON)


@table.add("mean_iou")
class MeanIoU(IoU):
    """The mean over all classes of intersection over union, see IoU.

    >>> import graphnet as gn
    >>> round(float(gn.nn.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 5)
    0.33333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        ids = range(num_classes)
        super().__init__(num_classes, ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@table.add("binary_iou")
class BinaryIoU(IoU):
    """Intersection over union of the classes 0 and 1, where a prediction of at least `threshold` is 1."""

    def __init__(
        self,
        target_class_ids: Any = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        above = gn.greater_equal(as_tensor(y_pred, floating=True), self.threshold)
        super().update_state(y_true, above.astype("int64"), sample_weight)


@table.add("one_hot_iou")
class OneHotIoU(IoU):
    """Intersection over union of `target_class_ids`, for one-hot targets and scores along `axis`."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@table.add("one_hot_mean_iou")
class OneHotMeanIoU(MeanIoU):
    """The mean over all classes of intersection over union, for one-hot targets and scores along `axis`."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
