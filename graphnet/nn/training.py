"""Models that learn: `compile`, and the loops of `fit`, `evaluate`, `predict` around the steps of `nn.step`."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import data, losses, optimizers, regularizers, seeds
from graphnet.nn import metrics as metric_table
from graphnet.nn.callbacks import CallbackList, as_list
from graphnet.nn.checking import check_fit, checked_rows, unchanged_on_error
from graphnet.nn.data import Batches
from graphnet.nn.history import History
from graphnet.nn.interrupt import Interruption
from graphnet.nn.layer import Layer, running
from graphnet.nn.lookup import unknown
from graphnet.nn.progress import Progress
from graphnet.nn.repeated import Repeated
from graphnet.nn.run import Run
from graphnet.nn.saveable import Saveable
from graphnet.nn.step import Steps

PENALTIES = {"ridge": regularizers.Ridge, "lasso": regularizers.Lasso}


class Model(Saveable, Layer):
    """A layer that can be compiled, fitted, evaluated and asked for predictions. `Sequential` is one."""

    steps: Steps | None = None
    _predictor: Repeated | None = None
    history: History | None = None
    stop_training = False
    run: Run | None = None

    @property
    def layers(self) -> list[Layer]:
        """Its layers."""
        return self._children()

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given, or None."""
        return self.steps.optimizer if self.steps is not None else None

    @property
    def loss(self) -> Any:
        """The loss, or None before it is known."""
        return self.steps.loss if self.steps is not None else None

    @property
    def metrics(self) -> list[metric_table.Metric]:
        """The metrics that `compile` was given."""
        return [*self.steps.metrics, *self.steps.weighted] if self.steps is not None else []

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        learning_rate: float | None = None,
        penalty: str | None = None,
        regularization: str | None = None,
        weight_penalty: float | None = None,
        run_eagerly: bool = False,
    ) -> None:
        """Say how to learn. Calling it again starts the optimizer anew.

        `optimizer`, `loss` and each of `metrics` is a word, a class, an object or (loss and metrics) a function of
        `(y_true, y_pred)`. "accuracy" and "crossentropy" mean what fits the shapes. Metrics in `weighted_metrics` use
        the weights of the samples. Without a loss it is the cross-entropy after a final softmax or sigmoid, for targets
        that are labels or one-hot, else the mean squared error.

        In the words of the library this one grew from: `learning_rate` alone means plain gradient descent (`SGD`), and
        `penalty` (or `regularization`) "ridge" or "lasso" with `weight_penalty` l adds a term to the loss whose
        gradient is `l * w` or `l * sign(w)` for every matrix of weights w, biases excepted. Keras'
        `kernel_regularizer=L2(l)` adds `l * sum(w**2)` instead, with the gradient `2 * l * w`.

        After a few steps on batches of one shape the step is compiled (`gn.compile`), with the same results;
        `run_eagerly=True` leaves it as it is written, for a debugger.

        Raises `ValueError` for an unknown word, with the nearest known one.
        """
        if penalty is not None and regularization is not None and penalty != regularization:
            raise ValueError(f"penalty={penalty!r} and regularization={regularization!r} say the same thing: give one.")
        kind = penalty if penalty is not None else regularization
        if kind is not None and kind not in PENALTIES:
            raise unknown("penalty", kind, PENALTIES)
        if kind is None and weight_penalty is not None:
            raise ValueError(f"weight_penalty={weight_penalty!r} needs penalty='ridge' or penalty='lasso'.")
        made = PENALTIES[kind](0.01 if weight_penalty is None else weight_penalty) if kind is not None else None
        if learning_rate is not None:
            if optimizer == "rmsprop":
                optimizer = optimizers.SGD(learning_rate)
            else:
                optimizer = optimizers.get(optimizer)
                optimizer.learning_rate = learning_rate
        chosen = optimizers.get(optimizer)
        plain = [metric_table.get(m) for m in as_list(metrics)]
        weighted = [metric_table.get(m) for m in as_list(weighted_metrics)]
        chosen.clear()
        self._predictor = None
        self.steps = Steps(self, chosen, losses.get(loss), plain, weighted, made, run_eagerly)

    def _compiled(self) -> Steps:
        if self.steps is None:
            raise RuntimeError(
                f"'{self.name}' has to know how to learn before it can: call compile(optimizer, loss, metrics) first, "
                "for example model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])."
            )
        return self.steps

    def predicted_spec(self, x: np.ndarray) -> gn.Tensor:
        """The model's output for `x` as a symbolic tensor: its shape and dtype, or an error if `x` does not fit."""
        with running(False, losses=[]):
            return self(gn.input(x.shape, x.dtype))

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        *,
        targets: Any = None,
        iterations: int | None = None,
        print_every: int | None = None,
    ) -> History:
        """Learn from rows of `x` and targets `y`, and give the History.

        Each epoch goes once through all rows, shuffled anew, in batches of `batch_size` (32 unless given; the last one
        keeps what is left). `validation_split` puts the last share of the rows aside before any shuffle;
        `validation_data` is `(x, y)` or `(x, y, weights)`. With `steps_per_epoch` an epoch is that many batches.
        `verbose` is 0 (silent), 1 (a bar, or a line per epoch where output is not a terminal) or 2 (a line per epoch).

        In the words of the library this one grew from: `fit(x=, targets=, iterations=)` takes one step on all rows per
        iteration.

        Raises `ValueError` or `TypeError` for data that does not fit, before anything has changed. After Ctrl-C the
        weights are those of the last whole step, the callbacks are closed, and `KeyboardInterrupt` goes on to the
        caller; `model.history` has the epochs until then.

        >>> import numpy as np, graphnet as gn
        >>> gn.nn.set_random_seed(0)
        >>> x = np.linspace(-1, 1, 64)[:, None]
        >>> model = gn.nn.Sequential([gn.nn.Dense(1)])
        >>> model.compile(gn.nn.optimizers.SGD(0.1), "mse")
        >>> history = model.fit(x, 3 * x, epochs=30, verbose=0)
        >>> history.history["loss"][-1] < 0.01
        True
        """
        steps = self._compiled()
        if targets is not None:
            if y is not None:
                raise ValueError("y and targets say the same thing: give one.")
            y = targets
        if iterations is not None:
            epochs, shuffle = data.whole(iterations, "iterations"), False
        epochs = data.whole(epochs, "epochs", 0)
        initial_epoch = data.whole(initial_epoch, "initial_epoch", 0)
        validation_freq = data.whole(validation_freq, "validation_freq")
        every = data.whole(print_every, "print_every") if print_every is not None else 1
        if print_every is None and iterations is not None:
            every = max(1, epochs // 10)
        rows: Any = checked_rows(self, x, y, sample_weight, class_weight)
        held: Any = None
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise ValueError(
                    f"validation_data is (x, y) or (x, y, weights); received {type(validation_data).__name__}."
                )
            weights = validation_data[2] if len(validation_data) == 3 else None
            held = checked_rows(self, validation_data[0], validation_data[1], weights, what="validation ")
        elif validation_split:
            rows, held = data.split(rows, validation_split)
        if iterations is not None:
            batch_size = len(rows[0])
        with unchanged_on_error(self):
            check_fit(self, rows[0], rows[1])
            if held is not None:
                check_fit(self, held[0], held[1])
            rng = np.random.default_rng(seeds.draw_seed()) if shuffle else None
            train = Batches(rows[0], rows[1], rows[2], batch_size, shuffle, rng, steps_per_epoch)
            validation = None
            if held is not None:
                validation = Batches(
                    held[0], held[1], held[2], validation_batch_size or train.batch_size, steps=validation_steps
                )
            steps.prepare()

        self.history = history = History()
        progress = _progress(verbose, every)
        params = {
            "epochs": epochs,
            "initial_epoch": initial_epoch,
            "steps": train.steps,
            "verbose": verbose,
            "validation_steps": validation.steps if validation is not None else None,
            "validation_freq": validation_freq,
        }
        listed = CallbackList([*as_list(callbacks), history, *progress], self, params)
        self.stop_training = False
        run = self.run = Run(initial_epoch, train, validation, listed)
        logs: dict[str, float] = {}
        listed.call("on_train_begin", {})
        try:
            with Interruption() as interruption:
                for epoch in range(run.epoch, epochs):
                    if self.stop_training:
                        break
                    if not run.batch:
                        steps.reset()
                    listed.call("on_epoch_begin", epoch, {})
                    self._train_epoch(steps, train, listed, progress, interruption)
                    logs = steps.logs()
                    if validation is not None and (epoch + 1) % validation_freq == 0:
                        logs.update({f"val_{k}": v for k, v in self._test(steps, validation, listed, progress).items()})
                    run.epoch, run.batch = epoch + 1, 0
                    listed.call("on_epoch_end", epoch, logs)
                run.done = True
        finally:
            listed.call("on_train_end", logs)
            self.run = None
        return history

    def _train_epoch(
        self,
        steps: Steps,
        batches: Batches,
        listed: CallbackList,
        progress: list[Progress],
        interruption: Interruption,
    ) -> None:
        every_batch = listed.listens("on_train_batch_end", besides=progress)
        run = self.run
        assert run is not None
        for number, (xb, yb, wb) in enumerate(batches.epoch(run.batch), run.batch):
            listed.call("on_train_batch_begin", number, {})
            steps.train(xb, yb, wb)
            run.batch = number + 1
            listed.call("on_train_batch_end", number, steps.logs() if every_batch or _due(progress) else {})
            interruption.check()
            if self.stop_training:
                break

    def _test(self, steps: Steps, batches: Batches, listed: CallbackList, progress: list[Progress]) -> dict[str, float]:
        steps.reset()
        every_batch = listed.listens("on_test_batch_end", besides=progress)
        listed.call("on_test_begin", {})
        for number, (xb, yb, wb) in enumerate(batches.epoch()):
            listed.call("on_test_batch_begin", number, {})
            steps.test(xb, yb, wb)
            listed.call("on_test_batch_end", number, steps.logs() if every_batch or _due(progress) else {})
        logs = steps.logs()
        listed.call("on_test_end", logs)
        return logs

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss on `x` and `y`, or `[loss, metric, ...]` where there are metrics, or a dict of them."""
        compiled = self._compiled()
        rows = checked_rows(self, x, y, sample_weight)
        with unchanged_on_error(self):
            check_fit(self, rows[0], rows[1])
            batches = Batches(*rows, batch_size, steps=steps)
        progress = _progress(verbose, 1)
        listed = CallbackList([*as_list(callbacks), *progress], self, {"steps": batches.steps, "verbose": verbose})
        logs = self._test(compiled, batches, listed, progress)
        return _answer(logs, return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None, callbacks: Any = None
    ) -> np.ndarray:
        """The outputs for the rows of `x`, as an array. Silent unless `verbose`; no rows give no rows."""
        xs = data.as_array(x, "x", self.dtype)
        batches = Batches(xs, None, None, batch_size, steps=steps)
        progress = _progress(0 if verbose == "auto" else verbose, 1)
        listed = CallbackList([*as_list(callbacks), *progress], self, {"steps": batches.steps, "verbose": verbose})
        if len(xs) == 0:
            spec = self.predicted_spec(xs)
            return np.zeros((0, *spec.shape[1:]), spec.dtype)
        outputs = []
        listed.call("on_predict_begin", {})
        for number, (xb, _, _) in enumerate(batches.epoch()):
            listed.call("on_predict_batch_begin", number, {})
            outputs.append(self._predicted(xb))
            listed.call("on_predict_batch_end", number, {"outputs": outputs[-1]})
        listed.call("on_predict_end", {})
        return np.concatenate(outputs)

    def _predicted(self, x: np.ndarray) -> np.ndarray:
        if self._predictor is None:
            self._predictor = Repeated(
                self._forward, f"'{self.name}'", self.steps is not None and self.steps.run_eagerly
            )
        return self._predictor(x)[0]

    def _forward(self, x: gn.Tensor) -> gn.Tensor:
        with gn.no_grad(), running(False, losses=[]):
            return self(x, training=False)

    def score(self, x: Any, target: Any, metric: str = "accuracy") -> float:
        """One number for the predictions of `x`: "accuracy", "loss" (penalties included, as `evaluate` gives it), or
        any other metric's name."""
        if metric == "loss":
            return float(self.evaluate(x, target, verbose=0, return_dict=True)["loss"])
        xs, ys, _ = checked_rows(self, x, target)
        found = metric_table.get(metric)
        with gn.no_grad():
            for xb, yb, _ in Batches(xs, ys, None, 256).epoch():
                found.update_state(gn.tensor(yb), gn.tensor(self._predicted(xb)))
            return float(found.result())

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One training step on these rows; gives the loss before it, or `[loss, metric, ...]`, of these rows alone."""
        steps = self._compiled()
        rows = checked_rows(self, x, y, sample_weight, class_weight)
        with unchanged_on_error(self):
            check_fit(self, rows[0], rows[1])
            steps.prepare()
        steps.reset()
        steps.train(*rows)
        return _answer(steps.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss, or `[loss, metric, ...]`, of these rows alone."""
        steps = self._compiled()
        rows = checked_rows(self, x, y, sample_weight)
        with unchanged_on_error(self):
            check_fit(self, rows[0], rows[1])
        steps.reset()
        steps.test(*rows)
        return _answer(steps.logs(), return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The outputs for these rows, in one batch."""
        return self._predicted(data.as_array(x, "x", self.dtype))

    def reset_metrics(self) -> None:
        """Start the running loss and metrics anew."""
        if self.steps is not None:
            self.steps.reset()


def _answer(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _due(progress: list[Progress]) -> bool:
    """Whether a bar wants to be redrawn."""
    return bool(progress) and progress[0].due()


def _progress(verbose: Any, every: int) -> list[Progress]:
    """The Progress for `verbose`, in a list; none if silent."""
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"verbose is 0 (silent), 1 (a bar), 2 (a line per epoch) or 'auto'; received {verbose!r}.")
    return [Progress(2 if verbose == 2 else 1, every)] if verbose else []
