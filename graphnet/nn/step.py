"""The training step: one pure function in tensor code, which the loops of `graphnet.nn.training` call batch by batch.

`train_step(x, y, sample_weight)` predicts, computes loss and penalties, takes gradients, and assigns new
values to parameters, optimizer state and metrics. It never looks at a number: the same code runs eagerly, or can be
traced into a graph whose updates are those assignments.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import graphnet as gn
from graphnet.mode import differentiating, state, warn
from graphnet.nn import losses, masks, metrics
from graphnet.nn.draws import Calls
from graphnet.nn.lookup import Configured
from graphnet.nn.metrics.base import logged
from graphnet.nn.objectives import Objectives
from graphnet.nn.optimizers import Optimizer
from graphnet.nn.own import handed, has_own, packed
from graphnet.nn.phase import phase, running
from graphnet.nn.repeated import Repeated
from graphnet.nn.structures import as_leaves
from graphnet.nn.using import use_of
from graphnet.nn.weights import Weighted, held

WAITING = (
    "Waiting for native code: with a fixed seed it takes over at the same step in every run. "
    "gn.repeatable(False) after set_random_seed lets it take over when it is ready."
)


class Steps:
    """What `compile` fixed (optimizer, loss, metrics, penalty), and the steps over one batch that follow from it."""

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        objectives: Objectives,
        penalty: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
    ):
        self._eager, self._steady = run_eagerly, False
        self.steps_per_execution = steps_per_execution
        self.model, self.optimizer, self.objectives, self.penalty = model, optimizer, objectives, penalty
        self.use = use_of(model)
        #: which layers learn: later changes count after the next compile
        self.trainable = {layer: layer._trainable for layer in model.walk()}
        self.loss_tracker = metrics.Mean(name="loss")
        self.held: list[metrics.Metric] = []
        self.gather()
        self.keys: dict[str, tuple[str, ...]] = {}
        self.latest: dict[str, Any] = {}
        self._mask: gn.Tensor | None = None
        #: called with the arrays of each training batch, before its step
        self.watchers: list[Any] = []
        self.unsettle()

    def unsettle(self) -> None:
        """Forget the model's weights: it changed, and `settle` will look again."""
        self.settled = False
        self.objectives.unsettle()
        self._changes: tuple[int, list[gn.Parameter]] | None = None
        self.params: list[gn.Parameter] = []
        self.constraints: dict[gn.Parameter, Any] = {}
        self.penalties: list[tuple[Any, gn.Parameter]] = []
        #: for a kind of batch that fits: the specs of the predictions, or None if no target is compared
        self.checked: dict[Any, Any] = {}
        self._connected = self.doubted = False
        self.train = self._repeated(self._train, self._eager)
        self.test = self._repeated(self._test, self._eager)

    def _repeated(self, f: Any, eager: bool) -> Repeated:
        return Repeated(f, f"'{self.model.name}'", eager, steady=self._steady, changes=self._changing)

    def hold_steady(self) -> None:
        """From now on the same code runs from the first batch on: a run can be repeated bit for bit."""
        self._steady = True
        self.train = self._repeated(self._train, self.train.eager)
        self.test = self._repeated(self._test, self.test.eager)

    @contextmanager
    def waits_told(self, progress: list[Any]) -> Iterator[None]:
        """Within it the display says so, once, if a step waits for native code for long."""
        shown = list(progress)

        def say() -> None:
            if shown:
                shown.pop().notice(WAITING)

        for repeated in (self.train, self.test):
            repeated.tells = say
        try:
            yield
        finally:
            for repeated in (self.train, self.test):
                repeated.tells = None

    def _train(self, *batch: Any) -> Any:
        if not self.owns("train_step"):
            return self.train_step(*batch)
        with running(True, self.optimizer.count, losses=[]):
            return self._named("train", self.model.train_step(packed(*batch)))

    def _test(self, *batch: Any) -> Any:
        if not self.owns("test_step"):
            return self.test_step(*batch)
        with running(False, losses=[]):
            return self._named("test", self.model.test_step(packed(*batch)))

    def owns(self, method: str) -> bool:
        """Whether the model has this method of its own, in place of the one that all models have."""
        return has_own(self.model, method)

    def uses_loss(self, training: bool = True) -> bool:
        """Whether such steps compute the loss that `compile` was given, or the one that is there without."""
        return not self.owns("train_step" if training else "test_step") and not self.owns("compute_loss")

    def uses_metrics(self, training: bool = True) -> bool:
        """Whether such steps update the metrics that `compile` was given."""
        return not self.owns("train_step" if training else "test_step") and not self.owns("compute_metrics")

    def _named(self, which: str, results: Any) -> tuple[gn.Tensor, ...] | None:
        """The values of a dict of results, whose keys are noted; None for no results."""
        found = dict(results or {})
        self.keys[which] = tuple(found)
        values = tuple(v if isinstance(v, gn.Tensor) else gn.tensor(v) for v in found.values())
        return values or None

    def learn(self, *batch: Any) -> None:
        """Train on one batch of arrays."""
        with self.use.step:
            for watch in self.watchers:
                watch(batch)
            self._note("train", self.train.arrays(*batch))

    def look(self, *batch: Any) -> None:
        """Test on one batch of arrays."""
        with self.use.step:
            self._note("test", self.test.arrays(*batch))

    def _note(self, which: str, values: Any) -> None:
        if values:
            self.latest = {key: logged(v) for key, v in zip(self.keys[which], values, strict=True)}

    @property
    def kept_running(self) -> list[gn.Parameter]:
        """What metrics have added up since the last reset: those of `compile`, and those that the model holds."""
        metrics_now = dict.fromkeys([*self.measures, *self.held, *self.model.metrics])
        return list(dict.fromkeys(v for metric in metrics_now for v in metric.variables))

    def _changing(self) -> list[gn.Parameter]:
        """All that a step may change."""
        if self._changes is None or self._changes[0] != gn.Parameter._made:
            drawn = [v.count for layer in self.model.walk() for v in vars(layer).values() if type(v) is Calls]
            found = [*self.model.weights, *self.optimizer.variables, *drawn, *self.kept_running]
            self._changes = gn.Parameter._made, found
        return self._changes[1]

    @property
    def loss(self) -> Any:
        """The loss, or those of several outputs as they were given."""
        return self.objectives.loss

    @property
    def measures(self) -> list[metrics.Metric]:
        """The running loss, those of several outputs, and the metrics of `compile`, in the order of `evaluate`."""
        return [self.loss_tracker, *self.objectives.tracked]

    def label(self, metric: metrics.Metric) -> str:
        """What a metric is called in logs."""
        return self.objectives.labels.get(metric, metric.name)

    @property
    def run_eagerly(self) -> bool:
        """Whether training steps run as they are written."""
        return self.train.eager

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._eager = value
        self.train = self._repeated(self._train, value)
        self.test = self._repeated(self._test, value)

    def settle(self, outputs: Any = None) -> None:
        """Note, once the model has its weights, which of them learn, are penalised, are constrained; and the loss of
        each of the outputs, if it is known what the model gives."""
        if outputs is not None:
            self._settle_outputs(outputs)
        if self.settled:
            return
        self.settled = True
        self.gather()
        self.params = self.model.learning_weights(self.trainable)
        learn = set(self.params)
        for layer in self.model.walk():
            self.penalties += [(r, w) for w, r in layer.regularizers.items() if w in learn]
            self.constraints.update(layer.constraints)
        if self.penalty is not None:
            self.penalties += [(self.penalty, w) for w in self.params if w.ndim > 1]

    def _settle_outputs(self, outputs: Any) -> None:
        """Say which output has which loss and metrics. One output without a loss has the one that fits its end."""
        objectives = self.objectives
        objectives.settle(outputs, self.model.name)
        if objectives.loss is not None or len(objectives.each) != 1 or self.owns("compute_loss"):
            return
        if not any(layer.adds_loss for layer in self.model.walk()):
            objectives.use(losses.default_for(self.model))

    def prepare(self) -> None:
        """Give the optimizer the weights that learn, before the first training step."""
        if not self.params:
            if self.owns("train_step"):
                return
            raise ValueError(
                f"'{self.model.name}' has no weights that learn: its layers have none, or were not trainable when "
                "compile was called."
            )
        if [id(p) for p in self.optimizer.params] != [id(p) for p in self.params]:
            self.optimizer.build(self.params)

    def loss_of(self, y: Any, y_pred: Any, sample_weight: Any, mask: gn.Tensor | None = None) -> gn.Tensor:
        """The loss of one batch, with penalties and what layers added to it in this step."""
        terms = [regularizer(w) for regularizer, w in self.penalties]
        terms += phase.losses or ()
        total = self._compared(y, y_pred, sample_weight, mask)
        if total is None:
            if not terms and not self.owns("compute_loss"):
                raise ValueError(
                    f"'{self.model.name}' has no loss: give compile one, or let a layer call add_loss in its call."
                )
            total = terms.pop(0) if terms else gn.tensor(0.0, dtype=self.model.dtype)
        for term in terms:
            total = total + term.astype(total.dtype)
        return total

    def _compared(self, y: Any, y_pred: Any, sample_weight: Any, mask: gn.Tensor | None) -> gn.Tensor | None:
        """The losses of the outputs, each times its weight, as one number; None if there are none."""
        self._settle_outputs(y_pred)
        if not self.objectives.compares:
            return None
        total = None
        for objective, true, pred, weight in self.objectives.matched(y, y_pred, sample_weight):
            if objective.loss is None:
                continue
            value = objective.value(true, pred, weight, mask)
            if objective.tracker is not None:
                with gn.no_grad():
                    rows = float(pred.shape[0])
                    objective.tracker.add(value * rows, rows)
            if objective.weight is not None:
                value = value * objective.weight
            total = value if total is None else total + value.astype(total.dtype)
        return total

    def computed_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> gn.Tensor:
        """The loss of a batch, as the model computes it: one number."""
        model = self.model
        if not self.owns("compute_loss"):
            loss = self.loss_of(y, y_pred, sample_weight, masks.noted(model))
        else:
            loss = handed(model.compute_loss, (x, y, y_pred, sample_weight), training)
            what = f"{type(model).__name__}.compute_loss"
            if loss is None:
                raise ValueError(f"{what} gave None: its last line needs a return.")
            if not isinstance(loss, gn.Tensor):
                if training:
                    raise ValueError(
                        f"{what} gave {loss!r} ({type(loss).__name__}), which is not computed from the weights: "
                        "training would change nothing. Compute it from tensors, without float() or .numpy()."
                    )
                loss = gn.tensor(loss)
            if loss.shape != ():
                raise ValueError(f"{what} gave a loss of shape {loss.shape}: take gn.mean or gn.sum of it.")
        if training and not self._connected:
            if not self.depends(loss):
                text = (
                    f"the loss of '{model.name}' does not depend on its weights: training changes nothing. It is to be "
                    "computed from tensors alone, without float(), .numpy(), detach or stop_gradient."
                )
                if self.loss is not None or self.owns("compute_loss"):
                    raise ValueError(text)
                warn(text)  # what layers add may be meant to be logged only
            self._connected = True
        return loss

    def depends(self, loss: gn.Tensor) -> bool:
        """Whether a loss was computed from one of the weights that learn."""
        wanted, seen, waiting = {id(p) for p in self.params}, {id(loss)}, [loss]
        while waiting:
            t = waiting.pop()
            if id(t) in wanted:
                return True
            for other in t.inputs:
                if isinstance(other, gn.Tensor) and id(other) not in seen:
                    seen.add(id(other))
                    waiting.append(other)
        return False

    def follow(self, loss: gn.Tensor, y_pred: Any) -> None:
        """Take the loss of a batch into the running one; it counts as often as the batch has rows."""
        first = y_pred if isinstance(y_pred, gn.Tensor) else as_leaves(y_pred)[0]
        rows = float(first.shape[0]) if first.ndim else 1.0
        self.loss_tracker.add(loss * rows, rows)

    def _measure(self, which: str, x: Any, y: Any, y_pred: Any, sample_weight: Any, mask: gn.Tensor | None) -> Any:
        """Update the metrics; what a model with a `compute_metrics` of its own says of them."""
        if not self.owns("compute_metrics"):
            self.objectives.update(y, y_pred, sample_weight, mask)
            return None
        self._mask = mask
        try:
            return self._named(which, handed(self.model.compute_metrics, (x, y, y_pred, sample_weight)))
        finally:
            self._mask = None

    def measured(self, y: Any, y_pred: Any, sample_weight: Any) -> dict[str, gn.Tensor]:
        """Update the metrics that `compile` was given, and give the running values of all."""
        self.objectives.update(y, y_pred, sample_weight, self._mask)
        return dict(self.model.get_metrics_result())

    def gather(self) -> None:
        """Note the metrics among the attributes of the model and of its layers, those of inner models excepted."""
        found: dict[metrics.Metric, None] = {}
        seen: set[int] = set()
        waiting: list[Any] = [self.model]
        while waiting:
            layer = waiting.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            # Layers and metrics at once: both are what can be configured.
            parts = held(layer, Configured)
            if layer is self.model or not hasattr(layer, "steps"):
                found.update((part, None) for part in parts if metrics.Metric in type(part).__mro__)
            waiting += [part for part in reversed(parts) if Weighted in type(part).__mro__]
        now = [metric for metric in found if not any(metric is other for other in self.measures)]
        if now != self.held:
            self.held, self._changes = now, None

    @property
    def reported(self) -> list[metrics.Metric]:
        """The metrics whose values are the logs: those of `compile`, and what a model that computes its own says."""
        if any(self.owns(name) for name in ("metrics", "compute_loss", "compute_metrics")):
            return list(self.model.metrics)
        return self.measures

    def results(self) -> dict[str, Any]:
        """The running values of all, as tensors."""
        found: dict[str, Any] = {}
        for metric in self.reported:
            result = metric.result()
            found.update(self._labelled(metric, result if isinstance(result, dict) else {metric.name: result}))
        return found

    def _labelled(self, metric: metrics.Metric, results: dict[str, Any]) -> dict[str, Any]:
        """Results of a metric by their names in logs."""
        label = self.label(metric)
        if label == metric.name:
            return results
        if len(results) == 1 and metric.name in results:
            return {label: results[metric.name]}
        before = label.removesuffix(metric.name)
        return {f"{before}{key}": value for key, value in results.items()}

    def whole_gradient(self) -> AbstractContextManager[Any]:
        """A block in which what depends on the weights that learn does not leave the graph without an error.

        In a trace no value is known, so nothing can leave it. On other threads the model may be used meanwhile, and its
        values read.
        """
        if state.mode.trace is not None:
            return nullcontext()
        return differentiating(f"the training of '{self.model.name}'", self.params, everywhere=False)

    def train_step(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """One step: predictions, loss, gradients, new values of everything."""
        params, iteration = self.params, self.optimizer.count
        with running(True, iteration, losses=[]), self.whole_gradient():
            y_pred = self.model(x, training=True)
            mask = masks.noted(self.model)
            loss = self.computed_loss(x, y, y_pred, sample_weight, True)
            scaled = self.optimizer.scale_loss(loss)
        with gn.no_grad():
            grads = gn.gradients(scaled, params)
            self.optimizer.apply(grads, constraints=self.constraints)
            self.follow(loss, y_pred)
            return self._measure("train", x, y, y_pred, sample_weight, mask)

    def test_step(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """Predictions and loss, without learning. History is kept: the loss asks what the prediction was made from."""
        with running(False, losses=[]):
            y_pred = self.model(x, training=False)
            mask = masks.noted(self.model)
            loss = self.computed_loss(x, y, y_pred, sample_weight, False)
        with gn.no_grad():
            self.follow(loss, y_pred)
            return self._measure("test", x, y, y_pred, sample_weight, mask)

    @property
    def running_values(self) -> list[gn.Parameter]:
        """What the loss and the metrics have added up since the last reset."""
        return [v for m in self.measures for v in m.variables]

    def reset(self) -> None:
        """Start the running values anew: those of `compile`, and of metrics that the model holds."""
        self.reset_running()
        if self.owns("reset_metrics"):
            self.model.reset_metrics()

    def reset_running(self) -> None:
        """The same, without asking a model that has a `reset_metrics` of its own."""
        self.latest = {}
        for metric in dict.fromkeys([*self.measures, *self.held, *self.model.metrics]):
            metric.reset_state()

    def logs(self, which: str = "train") -> dict[str, Any]:
        """The running values, loss first, then the metrics as `compile` lists them; or what a step of the model's own
        gave last."""
        if self.owns(f"{which}_step"):
            return dict(self.latest)
        with gn.no_grad():
            if self.owns("get_metrics_result"):
                values = {k: logged(v) for k, v in self.model.get_metrics_result().items()}
            else:
                values = {k: v for m in self.reported for k, v in self._labelled(m, m.logged()).items()}
        return {**values, **self.latest}
