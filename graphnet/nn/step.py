"""The training step: one pure function in tensor code, which the loops of `graphnet.nn.training` call batch by batch.

`train_step(x, y, sample_weight)` predicts, computes loss and penalties, takes gradients, and assigns new
values to parameters, optimizer state and metrics. It never looks at a number: the same code runs eagerly, or can be
traced into a graph whose updates are those assignments.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import losses, masks, metrics
from graphnet.nn.losses import Loss
from graphnet.nn.optimizers import Optimizer
from graphnet.nn.phase import phase, running
from graphnet.nn.repeated import Repeated


class Steps:
    """What `compile` fixed (optimizer, loss, metrics, penalty), and the steps over one batch that follow from it."""

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        loss: Loss | None,
        plain: list[metrics.Metric],
        weighted: list[metrics.Metric],
        penalty: Any = None,
        run_eagerly: bool = False,
    ):
        self._eager = run_eagerly
        self.model, self.optimizer, self.loss, self.penalty = model, optimizer, loss, penalty
        self.loss_tracker = metrics.Mean(name="loss")
        self.metrics, self.weighted = plain, weighted
        names = ["loss", *(m.name for m in (*plain, *weighted))]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two metrics are named {name!r}: give one of them another name=.")
        self.unsettle()

    def unsettle(self) -> None:
        """Forget the model's weights: it changed, and `settle` will look again."""
        self.settled = False
        self.params: list[gn.Parameter] = []
        self.constraints: dict[gn.Parameter, Any] = {}
        self.penalties: list[tuple[Any, gn.Parameter]] = []
        self.checked: dict[Any, tuple[int, ...]] = {}
        self.train = Repeated(self._train, f"'{self.model.name}'", self._eager)
        self.test = Repeated(self._test, f"'{self.model.name}'", self._eager)

    def _train(self, *batch: Any) -> None:
        self.train_step(*batch)

    def _test(self, *batch: Any) -> None:
        self.test_step(*batch)

    @property
    def run_eagerly(self) -> bool:
        """Whether training steps run as they are written."""
        return self.train.eager

    def settle(self) -> None:
        """Note, once the model has its weights, which of them learn, are penalised, are constrained; and the loss."""
        if self.settled:
            return
        self.settled = True
        if self.loss is None:
            self.loss = losses.default_for(self.model)
        self.params = self.model.trainable_weights
        learn = set(self.params)
        for layer in self.model.walk():
            self.penalties += [(r, w) for w, r in layer.regularizers.items() if w in learn]
            self.constraints.update(layer.constraints)
        if self.penalty is not None:
            self.penalties += [(self.penalty, w) for w in self.params if w.ndim > 1]

    def prepare(self) -> None:
        """Give the optimizer the weights that learn, before the first training step."""
        if not self.params:
            raise ValueError(
                f"'{self.model.name}' has no weights that learn: its layers have none, or are not trainable."
            )
        if [id(p) for p in self.optimizer.params] != [id(p) for p in self.params]:
            self.optimizer.build(self.params)

    def loss_of(
        self, y: gn.Tensor, y_pred: gn.Tensor, sample_weight: gn.Tensor | None, mask: gn.Tensor | None = None
    ) -> gn.Tensor:
        """The loss of one batch, with penalties and what layers added to it in this step."""
        assert self.loss is not None
        with gn.region(self.loss.name, "Loss"):
            if mask is not None:
                sample_weight = masks.loss_weight(mask, sample_weight, self.loss.reduction)
            total = self.loss(y, y_pred, sample_weight)
            if total.shape != ():
                total = gn.mean(total)
        for regularizer, w in self.penalties:
            total = total + regularizer(w).astype(total.dtype)
        for added in phase.losses or ():
            total = total + added.astype(total.dtype)
        return total

    def update_metrics(
        self,
        y: gn.Tensor,
        y_pred: gn.Tensor,
        sample_weight: gn.Tensor | None,
        loss: gn.Tensor,
        mask: gn.Tensor | None = None,
    ) -> None:
        """Add the batch to the running values; its loss counts as often as it has rows. Masked steps do not count."""
        rows = float(y_pred.shape[0])
        self.loss_tracker.add(loss * rows, rows)
        counts = None
        if mask is not None:
            counts, sample_weight = masks.metric_weight(mask), masks.metric_weight(mask, sample_weight)
        for metric in self.metrics:
            metric.update_state(y, y_pred, counts)
        for metric in self.weighted:
            metric.update_state(y, y_pred, sample_weight)

    def train_step(self, x: gn.Tensor, y: gn.Tensor, sample_weight: gn.Tensor | None) -> None:
        """One step: predictions, loss, gradients, new values of everything."""
        params, iteration = self.params, self.optimizer.iterations
        with running(True, iteration, losses=[]):
            y_pred = self.model(x, training=True)
            mask = masks.noted(self.model)
            loss = self.loss_of(y, y_pred, sample_weight, mask)
        with gn.no_grad():
            grads = gn.gradients(loss, params)
            self.optimizer.apply(grads, iteration, self.constraints)
            self.update_metrics(y, y_pred, sample_weight, loss, mask)

    def test_step(self, x: gn.Tensor, y: gn.Tensor, sample_weight: gn.Tensor | None) -> None:
        """Predictions and loss, without learning. History is kept: the loss asks what the prediction was made from."""
        with running(False, losses=[]):
            y_pred = self.model(x, training=False)
            mask = masks.noted(self.model)
            loss = self.loss_of(y, y_pred, sample_weight, mask)
        with gn.no_grad():
            self.update_metrics(y, y_pred, sample_weight, loss, mask)

    def reset(self) -> None:
        """Start the running values anew."""
        for metric in (self.loss_tracker, *self.metrics, *self.weighted):
            metric.reset_state()

    def logs(self) -> dict[str, float]:
        """The running values, loss first, then the metrics as `compile` lists them."""
        with gn.no_grad():
            return {m.name: float(m.result()) for m in (self.loss_tracker, *self.metrics, *self.weighted)}
