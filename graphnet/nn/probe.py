"""Looking at gradients without touching what is learned: the loss of a batch and its gradient for every weight.

The step is traced, not run: what it would assign (moving averages, metrics) are updates of the traced graph, which are
left out. Dropout's mask is a function of the count of steps, which is only read. So a training that is looked at goes
on bit for bit as it would have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import masks
from graphnet.nn.phase import running


class Probe:
    """`probe()` gives `{weight: gradient}` as arrays, on the latest training batch, for the weights as they are now.

    None if there has been no batch since it was made, or if the gradient cannot be had; then `problem` says why.
    `close()` lets go of the batch, and of the model's steps.
    """

    def __init__(self, model: Any):
        self.model = model
        self.problem = ""
        self._steps = model.steps
        self._batch: tuple[Any, ...] | None = None
        self._steps.watchers.append(self._note)
        self._graphs: dict[Any, tuple[gn.Graph, list[gn.Parameter]]] = {}

    def _note(self, batch: tuple[Any, ...]) -> None:
        self._batch = batch

    def close(self) -> None:
        """Look no more."""
        if self._note in self._steps.watchers:
            self._steps.watchers.remove(self._note)
        self._batch = None
        self._graphs.clear()

    def __call__(self) -> dict[gn.Parameter, np.ndarray] | None:
        steps, batch = self._steps, self._batch
        if batch is None or self.problem:
            return None
        leaves = _leaves(batch)
        key = tuple((a.shape, a.dtype) for a in leaves)
        try:
            if key not in self._graphs:
                self._graphs[key] = self._traced(steps, batch)
            graph, params = self._graphs[key]
            with gn.no_grad(), np.errstate(all="ignore"):
                results = graph(*leaves)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            return None
        return {p: g.numpy() for p, g in zip(params, results, strict=True)}

    def _traced(self, steps: Any, batch: tuple[Any, ...]) -> tuple[gn.Graph, list[gn.Parameter]]:
        params = list(steps.params)

        def gradients(*parts: Any) -> Any:
            x, y, sample_weight = parts
            with running(True, steps.optimizer.count, losses=[]):
                y_pred = self.model(x, training=True)
                mask = masks.noted(self.model)
                loss = steps.loss_of(y, y_pred, sample_weight, mask)
            return gn.gradients(loss, params)

        traced = gn.trace(gradients, *batch)
        return gn.Graph(traced.inputs, list(traced.outputs)), params


def _leaves(value: Any) -> list[np.ndarray]:
    """The arrays of a batch, in the order in which `trace` makes inputs of them."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in _leaves(part)]
    return [np.asarray(value)]
