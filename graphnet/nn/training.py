"""Models that learn: `compile`, and the loops of `fit`, `evaluate`, `predict` around the steps of `nn.step`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import feeding, masks, seeds
from graphnet.nn import metrics as metric_table
from graphnet.nn.callbacks import CallbackList, as_list
from graphnet.nn.checking import check_fit, checked_rows, inputs_of, kind_of, unchanged_on_error
from graphnet.nn.compiling import optimizer_for, penalty_of, take
from graphnet.nn.data import Batches, whole
from graphnet.nn.gone import Gone
from graphnet.nn.history import History
from graphnet.nn.interrupt import Interruption
from graphnet.nn.layer import Layer
from graphnet.nn.loops import frequency, look_through, predict_through, train_epochs
from graphnet.nn.objectives import Objectives
from graphnet.nn.outputs import ONE
from graphnet.nn.own import default, packed, unpacked
from graphnet.nn.phase import phase, running, shapes_alone
from graphnet.nn.progress import shown
from graphnet.nn.repeated import Repeated
from graphnet.nn.run import Run
from graphnet.nn.saveable import Saveable
from graphnet.nn.shapes import TRIALS, flat, merged_shapes, named_shapes, shapes_of, with_shapes
from graphnet.nn.showing import Showing
from graphnet.nn.step import Steps
from graphnet.nn.streams import is_stream
from graphnet.nn.structures import as_leaves, is_array, is_several, mapped, same_rows
from graphnet.nn.using import alone, use_of


class Model(Saveable, Showing, Layer):
    """A layer that can be compiled, fitted, evaluated and asked for predictions. `Sequential` is one."""

    predict_classes = Gone("write predict(x).argmax(-1), or (predict(x) > 0.5).astype(int) after a sigmoid")
    predict_proba = Gone("write predict(x); nn.GraphnetClassifier has it")
    fit_generator = Gone("fit takes generators")
    evaluate_generator = Gone("evaluate takes generators")
    predict_generator = Gone("predict takes generators")
    export = Gone("save(path) writes .keras and .graphnet; graph() gives its graph")

    #: whether it can be given several arrays, or gives several
    takes_several = True
    steps: Steps | None = None
    _predictor: Repeated | None = None
    history: History | None = None
    stop_training = stop_evaluating = stop_predicting = False
    run: Run | None = None

    def as_input(self, x: Any) -> Any:
        """`x` as a tensor, or as several: a list of arrays is several, a list of numbers one."""
        if isinstance(x, (list, tuple)) and is_several(x):
            return type(x)([self.as_input(v) for v in x])
        return super().as_input(x)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of its layers for inputs of this shape, batch first, by a call on symbolic tensors.

        `input_shape` is a shape, or a list or dict of them, as `call` takes its inputs. Sizes that are None stay free.
        """
        if input_shape is None:
            raise ValueError(f"build needs the shape of the input, batch first, as in {self.name}.build((None, 64)).")
        shape = shapes_of(input_shape)
        free = None in [n for s in flat(shape) for n in s[1:]]
        layers: list[Any] = []
        found: list[list[Any]] = []
        self.built, self.built_shape = True, shape

        def symbolic(s: Any, size: int) -> gn.Tensor:
            return gn.input((1, *(size if n is None else n for n in s[1:])), self.dtype)

        try:
            for size in TRIALS[0] if free else (1,):
                given = with_shapes(shape, partial(symbolic, size=size))
                for layer in layers:
                    layer.output_shape = None
                with running(False, losses=[]):
                    self(given, training=False)
                layers = list(self.walk())
                found.append([layer.output_shape for layer in layers])
        except BaseException:
            self.built, self.built_shape = False, None
            raise
        for layer, *shapes in zip(layers, *found, strict=True):
            layer.output_shape = merged_shapes(shapes)

    def ensure_built(self, shape: Any) -> None:
        if not self.built and type(self).build is Model.build:
            self.built, self.built_shape = True, shapes_of(shape)  # its call makes the weights
            return
        super().ensure_built(shape)

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
        """The loss, or None before it is known; for several outputs, the losses as `compile` was given them."""
        return self.steps.loss if self.steps is not None else None

    @property
    @default
    def metrics(self) -> list[metric_table.Metric]:
        """The running loss, the metrics that `compile` was given, then those that the model and its layers hold."""
        steps = self.steps
        return [*steps.measures, *steps.held] if steps is not None else []

    @property
    def metrics_names(self) -> list[str]:
        """Their names, in the order of what `evaluate` gives."""
        steps = self.steps
        return [steps.label(metric) if steps is not None else metric.name for metric in self.metrics]

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self.steps is not None

    @property
    def run_eagerly(self) -> bool:
        """Whether its steps run as they are written. It can be set after `compile`, too."""
        return self.steps is not None and self.steps.run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._compiled().run_eagerly = bool(value)
        self._predictor = None

    @property
    def jit_compile(self) -> bool:
        """Whether its steps become plans: the opposite of `run_eagerly`."""
        return not self.run_eagerly

    @jit_compile.setter
    def jit_compile(self, value: bool) -> None:
        self.run_eagerly = not value

    @property
    def inputs(self) -> list[Any] | None:
        """What is known of its input (`shape`, `dtype`, `name`), in a list; None before it is built."""
        if not self.built or self.built_shape is None:
            return None
        named = named_shapes(self.built_shape, "x")
        return [SimpleNamespace(shape=s, dtype=self.dtype, name=name) for name, s in named]

    @property
    def outputs(self) -> list[Any] | None:
        """What is known of its output (`shape`, `dtype`, `name`), in a list; None before it is built."""
        shape = self.output_shape
        if not self.built or shape is None:
            return None
        return [SimpleNamespace(shape=s, dtype=self.dtype, name=name) for name, s in named_shapes(shape, self.name)]

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        *,
        learning_rate: float | None = None,
        penalty: str | None = None,
        regularization: str | None = None,
        weight_penalty: float | None = None,
    ) -> None:
        """Say how to learn. Calling it again starts the optimizer anew.

        `optimizer`, `loss` and each of `metrics` is a word, a class, an object or (loss and metrics) a function of
        `(y_true, y_pred)`. "accuracy" and "crossentropy" mean what fits the shapes. Metrics in `weighted_metrics` use
        the weights of the samples. Without a loss it is the cross-entropy after a final softmax or sigmoid, for targets
        that are labels or one-hot, else the mean squared error.

        For a model that gives several tensors, in a list, tuple or dict, `loss`, `loss_weights`, `metrics` and
        `weighted_metrics` are lists or dicts like it, as in `loss={"a": "mse", "b": "bce"}` and
        `metrics={"a": ["mae"]}`; one loss is that of all. An output whose loss is None, or that a dict leaves out, has
        none. Logs have `loss`, the sum, and each loss and metric, as `a_loss` and `a_mae`.

        In the words of the library this one grew from: `learning_rate` alone means plain gradient descent (`SGD`), and
        `penalty` (or `regularization`) "ridge" or "lasso" with `weight_penalty` l adds a term to the loss whose
        gradient is `l * w` or `l * sign(w)` for every matrix of weights w, biases excepted. Keras'
        `kernel_regularizer=L2(l)` adds `l * sum(w**2)` instead, with the gradient `2 * l * w`.

        After a few steps on batches of one shape the step is compiled (`gn.compile`), with the same results;
        `run_eagerly=True` (or `jit_compile=False`) leaves it as it is written, for a debugger. `steps_per_execution` k
        calls the hooks of batches once for k of them. `loss_weights` multiplies the losses, penalties excepted: a
        number, or one for each output. `auto_scale_loss` is Keras' word for half precision, and changes nothing.

        Which layers are trainable is read here: a change counts after the next `compile`. Where layers call `add_loss`,
        or the model has a `compute_loss` of its own, there is no loss but theirs unless one is given.

        Raises `ValueError` for an unknown word, with the nearest known one; and for an optimizer that another model
        has.
        """
        made = penalty_of(penalty, regularization, weight_penalty)
        if jit_compile not in (True, False, "auto"):
            raise ValueError(f"jit_compile is True, False or 'auto'; received {jit_compile!r}.")
        if run_eagerly not in (True, False):
            raise ValueError(f"run_eagerly is True or False; received {run_eagerly!r}.")
        together = whole(steps_per_execution, "steps_per_execution")
        chosen = optimizer_for(self, optimizer, learning_rate)
        objectives = Objectives(loss, loss_weights, metrics, weighted_metrics)
        if not self.takes_several:
            objectives.settle(ONE, self.name)
        take(self, chosen)
        self._predictor = None
        self.steps = Steps(self, chosen, objectives, made, run_eagerly or jit_compile is False, together)

    def _compiled(self) -> Steps:
        if self.steps is None:
            raise RuntimeError(
                f"'{self.name}' has to know how to learn before it can: call compile(optimizer, loss, metrics) first, "
                "for example model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])."
            )
        return self.steps

    @property
    def plan(self) -> Any:
        """The plan of its training step, for batches of the shape that `fit` had last: `print(model.plan.source)`,
        `model.plan.profile()`, `model.plan.draw()`.

        Raises `RuntimeError` before the first training step, and where steps run as they are written.
        """
        steps = self._compiled()
        if steps.run_eagerly:
            raise RuntimeError(
                f"the steps of '{self.name}' run as they are written (run_eagerly=True, or they could not be "
                "compiled): there is no plan."
            )
        found = steps.train.latest()
        if found is None:
            raise RuntimeError(
                f"'{self.name}' has not learned from a batch yet, and its plan follows from one: call fit first."
            )
        return found

    def predicted_spec(self, x: Any) -> Any:
        """The model's outputs for `x` as symbolic tensors: their shapes and dtypes, or an error if `x` does not fit."""
        with shapes_alone():
            return self(mapped(x, lambda a: gn.input(a.shape, a.dtype)))

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
        validation_freq: Any = 1,
        *,
        targets: Any = None,
        iterations: int | None = None,
        print_every: int | None = None,
        check_finite: bool = True,
    ) -> History:
        """Learn from rows of `x` and targets `y`, and give the History.

        Each epoch goes once through all rows, shuffled anew, in batches of `batch_size` (32 unless given; the last one
        keeps what is left). `validation_split` puts the last share of the rows aside before any shuffle;
        `validation_data` is `(x, y)` or `(x, y, weights)`, in batches of `validation_batch_size`, looked at every
        `validation_freq` epochs (or in the epochs that it lists, counted from 1). `sample_weight` has a weight for each
        row, or for each step of each row; `class_weight` one for each label. `verbose` is 0 (silent), 1 (a bar, or a
        line per epoch where output is not a terminal), 2 (a line per epoch) or "table" (a row per epoch, the best one
        marked with *).

        `x` and `validation_data` can also be something that gives batches `(x, y)` or `(x, y, weights)`: a generator or
        iterator, which goes on from epoch to epoch; a DataLoader, a list of batches in an object of its own, anything
        to iterate over anew; or numbered batches (`__len__` and `__getitem__`, as in `nn.utils.PyDataset`, whose
        `on_epoch_end` is called), in a new order each epoch if `shuffle`.

        With `steps_per_epoch` an epoch is that many batches, and the next one goes on where it stopped; an epoch ends
        with the data. `validation_steps` does the same for a validation, which begins anew each time.

        In the words of the library this one grew from: `fit(x=, targets=, iterations=)` takes one step on all rows per
        iteration.

        Numbers that are NaN or infinite are refused, unless the model or the loss leaves them out (a mask, a weight of
        0, a loss of your own), which is tried on some rows that hold them; with `check_finite=False` the data is taken
        as it is. In rows of weight 0 such numbers of `x` count as 0.

        Without `y`, the loss is what layers add (`add_loss`), or what a `compute_loss` of the model's own gives.

        Raises `ValueError` or `TypeError` for data that does not fit, before anything has changed (a stream is checked
        batch by batch). After Ctrl-C the weights are those of the last whole step, the callbacks are closed, and
        `KeyboardInterrupt` goes on to the caller; `model.history` has the epochs until then.

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
        with alone(self, "fit"):
            if targets is not None:
                if y is not None:
                    raise ValueError("y and targets say the same thing: give one.")
                y = targets
            epochs = whole(
                epochs if iterations is None else iterations, "epochs" if iterations is None else "iterations", 0
            )
            initial_epoch = whole(initial_epoch, "initial_epoch", 0)
            validates = frequency(validation_freq)
            every = whole(print_every, "print_every") if print_every is not None else 1
            if iterations is not None:
                shuffle, every = False, every if print_every is not None else max(1, epochs // 10)
            rng = np.random.default_rng(seeds.draw_seed()) if shuffle else None
            held: Any = None
            if validation_data is not None:
                held = feeding.held_out(validation_data)
            elif validation_split:
                (x, y, sample_weight), held = feeding.split_off(self, x, y, sample_weight, validation_split)
            if iterations is not None and not is_stream(x):
                batch_size = max(1, len(as_leaves(inputs_of(self, x, "x", y))[0]))
            options: dict[str, Any] = {
                "batch_size": batch_size,
                "steps": steps_per_epoch,
                "shuffle": shuffle,
                "rng": rng,
            }
            train = feeding.fed(self, x, y, sample_weight, class_weight, check_finite=check_finite, **options)
            validation = None
            if held is not None:
                own = batch_size
                if validation_batch_size is not None:
                    own = whole(validation_batch_size, "validation_batch_size")
                options = {
                    "batch_size": own,
                    "steps": validation_steps,
                    "training": False,
                    "check_finite": check_finite,
                }
                validation = feeding.fed(self, *held, anew=True, what="validation ", **options)
            kinds = [feeding.kind(train, True)]
            if validation is not None:
                kinds.append(feeding.kind(validation, False))
            with unchanged_on_error(self, *kinds):
                feeding.fit_to(self, train, check_finite=check_finite)
                if validation is not None:
                    feeding.fit_to(self, validation, "validation_data", training=False, check_finite=check_finite)
                steps.prepare()

            steps.gather()
            self.history = history = History()
            progress = shown(verbose, every, callbacks)
            params = {
                "epochs": epochs,
                "initial_epoch": initial_epoch,
                "steps": train.steps,
                "verbose": verbose,
                "do_validation": validation is not None,
                "validation_steps": validation.steps if validation is not None else None,
                "validation_freq": validation_freq,
            }
            listed = CallbackList([*as_list(callbacks), history, *progress], self, params)
            self.stop_training = False
            self.run = Run(initial_epoch, train, validation, listed)
            try:
                with listed.around("train") as told:
                    try:
                        train_epochs(self, steps, range(initial_epoch, epochs), validates, progress, told)
                    finally:
                        if epochs > initial_epoch:
                            steps.optimizer.finalize_variable_values(steps.params)
            finally:
                self.run = None
            return history

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
        *,
        check_finite: bool = True,
    ) -> Any:
        """The loss on `x` and `y`, or `[loss, metric, ...]` where there are metrics, or a dict of them.

        `x` can also give batches, as in `fit`; with `steps` at most so many are taken.
        """
        compiled = self._compiled()
        with alone(self, "evaluate"):
            options: dict[str, Any] = {"training": False, "check_finite": check_finite}
            batches = feeding.fed(self, x, y, sample_weight, batch_size=batch_size, steps=steps, anew=True, **options)
            with unchanged_on_error(self, feeding.kind(batches, False)):
                feeding.fit_to(self, batches, **options)
            compiled.gather()
            progress = shown(verbose, 1, callbacks)
            listed = CallbackList([*as_list(callbacks), *progress], self, {"steps": batches.steps, "verbose": verbose})
            logs = look_through(self, compiled, batches, listed, progress)
            return _answer(logs, return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None, callbacks: Any = None
    ) -> Any:
        """The outputs for the rows of `x`, as an array, or several in the containers in which the model gives them.

        Silent unless `verbose`; no rows give no rows.

        `x` can also give batches of rows, alone or with targets, which are not looked at.
        """
        if getattr(batch_size, "ndim", 0) or isinstance(batch_size, (list, tuple)):
            raise TypeError(
                f"predict takes x alone, and then a batch_size, which is a number; received "
                f"{type(batch_size).__name__} of {len(batch_size)}. Targets are for evaluate(x, y)."  # type: ignore[arg-type]
            )
        batches = feeding.predicted(self, x, batch_size, steps)
        if isinstance(batches, Batches):
            self.check_whole(batches.x)
        progress = shown(0 if verbose == "auto" else verbose, 1, callbacks)
        listed = CallbackList([*as_list(callbacks), *progress], self, {"steps": batches.steps, "verbose": verbose})
        if isinstance(batches, Batches) and batches.rows == 0:
            return mapped(self.predicted_spec(batches.x), lambda t: np.zeros((0, *t.shape[1:]), t.dtype))
        return predict_through(self, batches, listed)

    def check_whole(self, x: Any) -> None:
        """Raise `ValueError` for data that only look like rows, before they are parted into batches."""

    def _predicted(self, x: Any) -> Any:
        if self._predictor is None:
            self._predictor = Repeated(
                self._forward, f"'{self.name}'", self.steps is not None and self.steps.run_eagerly
            )
        with use_of(self).step:
            return self._predictor(x)

    def _forward(self, x: Any) -> Any:
        with gn.no_grad(), running(False, losses=[]):
            return self.predict_step(packed(x, None, None))

    @default
    def predict_step(self, data: Any) -> Any:
        """The outputs for `x`, or for the x of `(x, y)` or `(x, y, weights)`; a subclass may have its own."""
        return self(unpacked(data)[0], training=False)

    @default
    def train_step(self, data: Any) -> dict[str, Any]:
        """One training step on `(x, y)` or `(x, y, weights)`; gives the running loss and metrics.

        A subclass may put its own in its place. It is tensor code, which becomes a graph after some batches: it
        computes a loss, takes `gn.gradients(loss, self.trainable_weights)`, hands them to `self.optimizer.apply`, and
        gives a dict of numbers, which are the logs.
        """
        steps = self._compiled()
        steps.train_step(*unpacked(data))
        return self.get_metrics_result()

    @default
    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of `(x, y)` or `(x, y, weights)`, without learning; a subclass may have its own."""
        steps = self._compiled()
        steps.test_step(*unpacked(data))
        return self.get_metrics_result()

    @default
    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> gn.Tensor:
        """The loss of a batch, with penalties and what layers added. A subclass may have its own."""
        steps = self._compiled()
        with steps.whole_gradient() if phase.training else nullcontext():
            return steps.loss_of(y, y_pred, sample_weight, masks.noted(self))

    @default
    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Take a batch into the metrics, and give their running values. A subclass may add its own to them."""
        return self._compiled().measured(y, y_pred, sample_weight)

    @default
    def get_metrics_result(self) -> dict[str, Any]:
        """The running values of `metrics`, by name, as tensors. A subclass may have its own: those are the logs."""
        return self._compiled().results()

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """The function of a batch (x, y, weights) that trains on it; `fit` uses the same. Keras' name for it."""
        return self._compiled().learn

    def make_test_function(self, force: bool = False) -> Callable[..., Any]:
        """The function of a batch (x, y, weights) that tests on it; `evaluate` uses the same. Keras' name for it."""
        return self._compiled().look

    def make_predict_function(self, force: bool = False) -> Callable[..., Any]:
        """The function of rows x that predicts; `predict` uses the same. Keras' name for it."""
        return self._predicted

    def score(self, x: Any, target: Any, metric: str = "accuracy") -> float:
        """One number for the predictions of `x`: "accuracy", "loss" (penalties included, as `evaluate` gives it), or
        any other metric's name."""
        if metric == "loss":
            return float(self.evaluate(x, target, verbose=0, return_dict=True)["loss"])
        if target is None:
            raise ValueError("score compares predictions with targets: give target.")
        xs, ys, _ = checked_rows(self, x, target, sparse=True)
        if not is_array(ys) or not isinstance(self.predicted_spec(xs), gn.Tensor):
            raise ValueError("score compares one output with one array of targets: evaluate takes several.")
        found = metric_table.get(metric)
        with gn.no_grad():
            for xb, yb, _ in Batches(xs, ys, None, 256).epoch():
                found.update_state(gn.tensor(yb), gn.tensor(self._predicted(xb)))  # type: ignore[arg-type]
            return next(iter(found.logged().values()))

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
        *,
        check_finite: bool = True,
    ) -> Any:
        """One training step on these rows; gives the loss before it, or `[loss, metric, ...]`, of these rows alone."""
        steps = self._compiled()
        with alone(self, "train_on_batch"):
            rows = checked_rows(self, x, y, sample_weight, class_weight)
            with unchanged_on_error(self, kind_of(*rows[:2], training=True)):
                check_fit(self, *rows, finite=check_finite)
                steps.prepare()
            steps.reset()
            with Interruption() as interruption:
                interruption.in_step = True
                steps.learn(*rows)
            return _answer(steps.logs(), return_dict)

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
        *,
        check_finite: bool = True,
    ) -> Any:
        """The loss, or `[loss, metric, ...]`, of these rows alone."""
        steps = self._compiled()
        with alone(self, "test_on_batch"):
            rows = checked_rows(self, x, y, sample_weight)
            with unchanged_on_error(self, kind_of(*rows[:2], training=False)):
                check_fit(self, *rows, training=False, finite=check_finite)
            steps.reset()
            steps.look(*rows)
            return _answer(steps.logs("test"), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for these rows, in one batch."""
        xs = inputs_of(self, x)
        same_rows(xs)
        return self._predicted(xs)

    @default
    def reset_states(self) -> None:
        """Let the next batch begin with states of 0, in all layers that remember them from batch to batch."""
        for layer in self.walk():
            if layer is not self and hasattr(layer, "reset_state"):
                layer.reset_state()

    reset_state = reset_states

    @default
    def reset_metrics(self) -> None:
        """Start the running loss and metrics anew. A subclass may have its own, which is called too."""
        if self.steps is not None:
            self.steps.reset_running()


def _answer(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values or None
