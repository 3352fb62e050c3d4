"""scikit-learn's words for a network: `fit(X, y)`, `predict(X)`, parameters that a grid search can set.

This file needs scikit-learn, so nothing imports it ahead: `graphnet.nn` does when one of its names is asked for.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

from graphnet.extras import install
from graphnet.nn import optimizers, regularizers, seeds
from graphnet.nn.crossentropy import sigmoid_input, softmax_input
from graphnet.nn.layers import Dense, Dropout, Input
from graphnet.nn.losses import Loss
from graphnet.nn.losses import get as get_loss
from graphnet.nn.sequential import Sequential
from graphnet.nn.sparse import rows_of
from graphnet.nn.structures import split

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state, compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        f"GraphnetClassifier and GraphnetRegressor need scikit-learn: {install('sklearn')}; {error}"
    ) from None

__all__ = ["GraphnetClassifier", "GraphnetRegressor"]


class _Network(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: making the model, fitting it, asking it."""

    _loss: str
    _last: str
    model_: Sequential
    classes_: np.ndarray

    def __init__(
        self,
        model: Any = None,
        *,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        activation: Any = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: Any = 0.01,
        loss: Any = None,
        epochs: int = 200,
        batch_size: Any = "auto",
        shuffle: bool = True,
        validation_split: float = 0.0,
        callbacks: Any = None,
        model_params: dict[str, Any] | None = None,
        warm_start: bool = False,
        verbose: Any = 0,
        random_state: Any = None,
    ):
        self.model = model
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.l2 = l2
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.model_params = model_params
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    def set_params(self, **params: Any) -> Any:
        """Set arguments; `model__units=8` is `units` of the function that makes the model, as in a grid search."""
        own, more = {}, {}
        for key, value in params.items():
            head, _, tail = key.partition("__")
            if tail and head == "optimizer":
                word = "learning_rate=, which is an argument of its own" if tail == "learning_rate" else "an optimizer"
                raise ValueError(
                    f"{type(self).__name__}: {key} can't be set: write {word}, or let a function make and compile the "
                    "model and give it model__... arguments"
                )
            if tail and head == "model" and not hasattr(params.get("model", self.model), "set_params"):
                more[tail] = value
            else:
                own[key] = value
        super().set_params(**own)
        if more:
            self.model_params = {**(self.model_params or {}), **more}
        return self

    def _made(self, inputs: int, outputs: int, dtype: Any) -> Sequential:
        """A new model, compiled."""
        if self.model is None:
            model = self._perceptron(inputs, outputs, dtype)
        elif isinstance(self.model, Sequential):
            model = type(self.model).from_config(self.model.get_config())
        elif callable(self.model):
            model = self.model(**self._arguments(inputs, outputs))
        else:
            raise TypeError(
                f"{type(self).__name__}: model is None, a Sequential, or a function that returns one; received "
                f"{self.model!r}."
            )
        if not isinstance(model, Sequential):
            raise TypeError(f"{type(self).__name__}: model() has to return a Sequential; it returned {model!r}.")
        if not model.built:
            model.build((None, inputs))
        if model.output_shape != (None, outputs):
            raise ValueError(
                f"{type(self).__name__}: the data asks for {outputs} output{'s' * (outputs > 1)}, of shape "
                f"(None, {outputs}); the model gives {model.output_shape}: end it with Dense({outputs})."
            )
        if model.steps is None:
            optimizer = optimizers.get(copy.deepcopy(self.optimizer))
            if isinstance(self.optimizer, str) and self.learning_rate is not None:
                optimizer = type(optimizer)(learning_rate=self.learning_rate)
            model.compile(optimizer, self._made_loss(model))
        return model

    def _made_loss(self, model: Sequential) -> Loss | None:
        """The loss, as a mean over the weights of the samples: a weight of 2 counts as the same row twice."""
        loss = get_loss(copy.deepcopy(self.loss) if self.loss is not None else self._loss)
        if self._last == "softmax" and gives(model) == "logits" and self.loss is None:
            loss.from_logits = True  # type: ignore[union-attr]
        if isinstance(loss, Loss) and loss.reduction == "sum_over_batch_size":
            loss.reduction = "mean_with_sample_weight"
        return loss

    def _arguments(self, inputs: int, outputs: int) -> dict[str, Any]:
        """What the function that makes the model is called with: `model_params`, and the sizes that it asks for."""
        known = {"n_features": inputs, "n_outputs": outputs}
        parameters = inspect.signature(self.model).parameters
        asked = {k: v for k, v in known.items() if k in parameters}
        return {**asked, **(self.model_params or {})}

    def _perceptron(self, inputs: int, outputs: int, dtype: Any) -> Sequential:
        penalty = regularizers.L2(self.l2) if self.l2 else None
        layers: list[Any] = [Input((inputs,), dtype=dtype)]
        for units in self.hidden_layer_sizes:
            layers.append(Dense(units, self.activation, kernel_regularizer=penalty, dtype=dtype))
            if self.dropout:
                layers.append(Dropout(self.dropout, dtype=dtype))
        layers.append(Dense(outputs, self._last, kernel_regularizer=penalty, dtype=dtype))
        return Sequential(layers)

    def _learned(
        self, x: np.ndarray, y: np.ndarray, outputs: int, weights: np.ndarray | None, again: bool, epochs: int
    ) -> None:
        """Fit `model_` to the rows; `again` goes on with the model that is there."""
        batch_size = min(200, len(x)) if self.batch_size == "auto" else self.batch_size
        seed = None
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(2**31))
        with seeds.using(seed):
            model = self.model_ if again and hasattr(self, "model_") else self._made(x.shape[1], outputs, x.dtype)
            rows: Any = (x, y, weights)
            held: Any = None
            if self.validation_split:
                rows, held = split(rows, self.validation_split)
            history = model.fit(
                rows[0],
                rows[1],
                batch_size=batch_size,
                epochs=epochs,
                verbose=self.verbose,
                callbacks=copy.deepcopy(self.callbacks),
                validation_data=held if held is None or held[2] is not None else held[:2],
                shuffle=self.shuffle,
                sample_weight=rows[2],
            )
        self.model_, self.history_ = model, history
        self.n_iter_ = len(history.epoch)

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        x = validate_data(self, X, dtype=(np.float64, np.float32), accept_sparse="csr", reset=False)
        return self.model_.predict(x, batch_size=1024)

    def _rows(self, X: Any, y: Any, sample_weight: Any, reset: bool, **checks: Any) -> tuple[Any, Any, Any]:
        """Checked arrays."""
        kinds = {"dtype": (np.float64, np.float32), "accept_sparse": "csr"}
        x, y = validate_data(self, X, y, reset=reset, **kinds, **checks)
        x = rows_of(x, "X", x.dtype)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, y, dtype=x.dtype, ensure_non_negative=True)
        return x, y, weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = self.random_state is None
        return tags


def gives(model: Sequential) -> str:
    """What the model's outputs are, by the op that they come from: "softmax", "sigmoid", or else "logits"."""
    y = model.predicted_spec(np.zeros((1, *(n or 1 for n in model.built_shape[1:])), model.dtype))
    if softmax_input(y) is not None:
        return "softmax"
    return "sigmoid" if sigmoid_input(y) is not None else "logits"


_PARAMETERS = """
    `model` is None (a chain of Dense layers of `hidden_layer_sizes`, each followed by `dropout`, with an `l2` penalty
    on the kernels), a Sequential (each fit starts from a copy with new weights), or a function that returns one: it may
    ask for `n_features` and `n_outputs`, and gets `model_params`; a grid search sets them one by one, as in
    `{"model__units": [8, 16]}`. A model that is not compiled is, with `optimizer`, `learning_rate` and `loss`. The
    dtype follows `X`: float64 stays float64, and float32 is faster.

    `batch_size="auto"` is `min(200, rows)`. With `warm_start`, `fit` goes on from the weights of the last one.
    `random_state` fixes initial weights, dropout and the order of the rows.

    After `fit`: `model_` (the Sequential), `history_`, `n_iter_` (epochs), `n_features_in_`"""


class GraphnetClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    __doc__ = f"""A network that tells classes apart: `predict(X) = classes_[argmax(softmax(network(X)))]`.
{_PARAMETERS} and `classes_`.

    A `model` may end with a softmax or without: then it is trained on its logits (`from_logits=True`), and
    `predict_proba` takes their softmax. One that is compiled already has to have a loss that fits its end.

    Labels can be of any kind that sorts. `class_weight` is None, "balanced", or a dict from label to weight.

    Raises scikit-learn's errors for data that does not fit, `ValueError` for a model with another number of outputs.

    >>> from graphnet.nn import GraphnetClassifier
    >>> X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> clf = GraphnetClassifier(hidden_layer_sizes=(8,), random_state=0).fit(X, ["no", "yes", "yes", "no"])
    >>> clf.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    _loss, _last = "sparse_categorical_crossentropy", "softmax"

    def __init__(
        self,
        model: Any = None,
        *,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        activation: Any = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        optimizer: Any = "adam",
        learning_rate: Any = 0.01,
        loss: Any = None,
        epochs: int = 200,
        batch_size: Any = "auto",
        shuffle: bool = True,
        validation_split: float = 0.0,
        callbacks: Any = None,
        model_params: dict[str, Any] | None = None,
        class_weight: Any = None,
        warm_start: bool = False,
        verbose: Any = 0,
        random_state: Any = None,
    ):
        super().__init__(
            model,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            l2=l2,
            optimizer=optimizer,
            learning_rate=learning_rate,
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            validation_split=validation_split,
            callbacks=callbacks,
            model_params=model_params,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GraphnetClassifier:
        """Learn from rows `X` `(n, features)` and their labels `y` `(n,)`, weighted by `sample_weight` `(n,)`."""
        again = self.warm_start and hasattr(self, "model_")
        x, y, weights = self._rows(X, y, sample_weight, reset=not again)
        self._learn(x, self._labels(y), weights, again, None, self.epochs)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> GraphnetClassifier:
        """One epoch more on these rows. The first call needs all `classes`, unless `y` has them all."""
        again = hasattr(self, "model_")
        x, y, weights = self._rows(X, y, sample_weight, reset=not again)
        self._learn(x, self._labels(y), weights, again, classes, 1)
        return self

    @staticmethod
    def _labels(y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return y

    def _learn(self, x: Any, y: Any, weights: Any, again: bool, classes: Any, epochs: int) -> None:
        found = np.unique(y)
        if again:
            known = self.classes_
        else:
            known = found if classes is None else np.unique(classes)
        if len(known) < 2 and len(found) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {found[0]!r}.")
        strange = np.setdiff1d(found, known)
        if len(strange):
            raise ValueError(
                f"{type(self).__name__}: y has labels {strange.tolist()} that are not among {known.tolist()}."
            )
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, y)
            weights = by_class if weights is None else weights * by_class
        self._learned(x, np.searchsorted(known, y), len(known), weights, again, epochs)
        self.classes_ = known

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, `(n, classes)`, in the order of `classes_`."""
        y = self._outputs(X)
        loss = self.model_.loss
        if getattr(loss, "from_logits", False):
            e = np.exp(y - y.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)
        if gives(self.model_) == "softmax":
            return y
        total = y.sum(axis=1, keepdims=True)
        if (y < 0).any() or (total <= 0).any():
            raise ValueError(
                f"{type(self).__name__}: the model's outputs are no probabilities (some are below 0, or all of a row "
                "are 0): end it with activation='softmax', or compile it with from_logits=True."
            )
        return y / total

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each row."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(1)]


class GraphnetRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    __doc__ = f"""A network that predicts numbers: `predict(X) = network(X)`, by squared error unless `loss` says else.
{_PARAMETERS}.

    `y` is `(n,)` or `(n, outputs)`, and so are the predictions.

    >>> import numpy as np
    >>> from graphnet.nn import GraphnetRegressor
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> bool(GraphnetRegressor(random_state=0).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95)
    True
    """

    _loss, _last = "mse", "linear"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GraphnetRegressor:
        """Learn from rows `X` `(n, features)` and targets `y`, weighted by `sample_weight` `(n,)`."""
        again = self.warm_start and hasattr(self, "model_")
        self._learn(X, y, sample_weight, again, self.epochs)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> GraphnetRegressor:
        """One epoch more on these rows."""
        self._learn(X, y, sample_weight, hasattr(self, "model_"), 1)
        return self

    def _learn(self, X: Any, y: Any, sample_weight: Any, again: bool, epochs: int) -> None:
        x, y, weights = self._rows(X, y, sample_weight, reset=not again, multi_output=True, y_numeric=True)
        flat = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(x.dtype, copy=False)
        self._learned(x, targets, targets.shape[1], weights, again, epochs)
        self._flat = flat

    def predict(self, X: Any) -> np.ndarray:
        """The predictions, `(n,)` or `(n, outputs)` as the targets were."""
        y = self._outputs(X)
        return y[:, 0] if self._flat else y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
