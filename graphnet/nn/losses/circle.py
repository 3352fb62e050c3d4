"""A loss for embeddings: rows of one class come together, rows of different classes part."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.losses.base import SUM, FunctionLoss, table
from graphnet.nn.targets import as_tensor


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> gn.Tensor:
    """The circle loss of each row of `y_pred`, vectors of length one, against all others of the batch.

    y_true: labels, `(batch,)` or `(batch, 1)`; y_pred: `(batch, size)`; result: `(batch,)`, 0 for a row without another
    of its label. `ref_labels` and `ref_embeddings` are the rows to compare with, those of the batch unless given;
    `remove_diagonal` says that a row is not compared with itself.

    Raises `ValueError` for other shapes.
    """
    p = as_tensor(y_pred, floating=True)
    labels = as_tensor(y_true)
    if p.ndim != 2 or labels.shape not in ((p.shape[0],), (p.shape[0], 1)):
        raise ValueError(
            "loss='circle' needs labels of shape (N,) and predictions that are vectors, of shape (N, size); got "
            f"{labels.shape} and {p.shape}."
        )
    others = p if ref_embeddings is None else as_tensor(ref_embeddings, floating=True)
    known = labels if ref_labels is None else as_tensor(ref_labels)
    labels, known = gn.reshape(labels, (-1, 1)), gn.reshape(known, (1, -1))  # (batch, 1), (1, others)
    same = gn.equal(labels, known)  # (batch, others)
    different = gn.logical_not(same)
    if remove_diagonal:
        same = gn.logical_and(same, np.eye(same.shape[0], same.shape[1]) == 0)
    d = gn.maximum(1.0 - gn.matmul(p, gn.transpose(others)), 0.0)
    near = -gamma * (margin + d) * (margin - d)
    far = gamma * gn.maximum(1.0 + margin - d, 0.0) * (1.0 - margin - d)
    pulled = gn.logsumexp(gn.where(same, near, -np.inf), axis=1)
    pushed = gn.logsumexp(gn.where(different, far, -np.inf), axis=1)
    return gn.softplus(pulled + pushed)


@table.add()
class Circle(FunctionLoss):
    """The circle loss: rows of one label are pulled together, others pushed apart, each pair by how wrong it is.

    `y_true` are labels `(batch,)`, `y_pred` vectors of length one `(batch, size)`. `gamma` scales, `margin` is the
    radius that is allowed. Rows whose label is alone in the batch do not count.

    Source: Sun et al., "Circle loss: a unified perspective of pair similarity optimization", CVPR 2020.
    """

    function = staticmethod(circle)
    options = ("remove_diagonal", "gamma", "margin")

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = SUM,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(reduction, name, dtype)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def counted(self, y_true: gn.Tensor, values: gn.Tensor) -> gn.Tensor | None:
        return gn.greater(values, 0.0)
