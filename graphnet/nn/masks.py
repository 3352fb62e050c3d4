"""Masks: which steps of sequences count. They go from layer to layer through a Sequential, and to the loss at its end.

A mask is `(batch, time)` of booleans. Layers make one (`compute_mask` of Embedding and Masking), use one (a `mask`
argument of `call`), hand one on (`supports_masking`), or know nothing of masks.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn.losses import SUM, weights_like
from graphnet.nn.phase import phase


def called(layer: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
    """What a layer makes of `x`, and the mask of that."""
    told = {"mask": mask} if mask is not None and "mask" in layer._call_names else {}
    y = layer(x, training=training, **told)
    if layer.supports_masking:
        return y, layer.compute_mask(x, mask)
    if mask is not None:
        warn(f"Layer '{layer.name}' ({layer.described()}) knows nothing of masks: from here on the masked steps count.")
    return y, None


def note(model: Any, mask: Any) -> None:
    """Remember the mask of what a model has just given, until its next call on this thread."""
    phase.mask = None if mask is None else (model, mask)


def noted(model: Any) -> Any:
    """The mask of what a model has just given, or None."""
    found = phase.mask
    return found[1] if found is not None and found[0] is model else None


def loss_weight(mask: gn.Tensor, sample_weight: Any, reduction: str | None) -> gn.Tensor:
    """The weights of a loss where only what is not masked counts: a mean is that of the steps that do."""
    weight = mask.astype("float32")
    if reduction in (SUM, "mean"):
        total = gn.sum(weight)
        weight = weight * gn.where(gn.greater(total, 0.0), float(mask.size) / gn.maximum(total, 1.0), 0.0)
    return metric_weight(weight, sample_weight)


def metric_weight(mask: gn.Tensor, sample_weight: Any = None) -> gn.Tensor:
    """A mask times the weights of samples."""
    weight = mask.astype("float32")
    if sample_weight is None:
        return weight
    sample_weight = gn.squeeze(sample_weight, -1) if sample_weight.ndim > weight.ndim else sample_weight
    return weight * weights_like(weight, sample_weight)
