"""What `compile` says of each output of a model: its loss, the weight of that in the sum, its metrics.

A model that gives one tensor has one objective. With several outputs, what `compile` was given stands in a list, tuple
or dict like that of the outputs; which belongs to which is known once the outputs are. In logs, what belongs to an
output of a dict begins with its key, as in `a_loss` and `a_accuracy`; in a list, losses are told apart by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import losses, masks
from graphnet.nn import metrics as metric_table
from graphnet.nn.arrays import is_finite, weightless
from graphnet.nn.labels import labelled
from graphnet.nn.losses import Loss
from graphnet.nn.metrics import Mean, Metric
from graphnet.nn.outputs import Misfit, aligned, flat, paths, skeleton
from graphnet.nn.ranges import weighing
from graphnet.nn.structures import described, is_array


class Objective:
    """Of one output: `path` (its keys in the outputs), loss, weight, metrics, and the running mean of its loss."""

    def __init__(self, path: tuple[Any, ...], loss: Loss | None, word: str | None, weight: float | None):
        self.path, self.loss, self.weight = path, loss, weight
        #: what its loss is called in logs, where outputs have no names
        self.word = word or getattr(loss, "name", "")
        self.metrics: list[Metric] = []
        self.weighted: list[Metric] = []
        self.tracker: Mean | None = None

    @property
    def place(self) -> str:
        """Where the output stands, in an error."""
        return _place(self.path)

    @property
    def compares(self) -> bool:
        """Whether anything asks for its targets."""
        return self.loss is not None or bool(self.metrics) or bool(self.weighted)

    def value(self, y: Any, y_pred: gn.Tensor, sample_weight: Any, mask: Any) -> gn.Tensor:
        """The loss of a batch: one number, not yet multiplied by the weight in the sum."""
        assert self.loss is not None
        with gn.region(self.loss.name, "Loss"):
            if mask is not None:
                sample_weight = masks.loss_weight(mask, sample_weight, self.loss.reduction)
            found = self.loss(y, y_pred, sample_weight)
            return gn.mean(found) if found.shape != () else found

    def check(self, y: np.ndarray, shape: tuple[int, ...], w: np.ndarray | None, metrics: bool) -> None:
        """Raise `ValueError` if the numbers of its targets can't be meant for predictions of this shape."""
        counted = y if w is None or is_finite(y) else y[~weightless(w)]
        with weighing(w if counted is y else None):
            for one in (self.loss, *((*self.metrics, *self.weighted) if metrics else ())):
                if one is not None:
                    one.check(counted, shape)


class Objectives:
    """Those of all outputs, as `compile` was given them; `settle` says what the outputs are.

    Raises `ValueError` for words that are not known, and for numbers that are no weights.
    """

    def __init__(self, loss: Any = None, loss_weights: Any = None, metrics: Any = None, weighted_metrics: Any = None):
        self.loss = _made(loss, losses.get)
        #: losses as words, where they were given so
        self.words = loss
        self.weights = _made(loss_weights, _number)
        if metrics is not None and not isinstance(metrics, (list, tuple, dict)):
            metrics = [metrics]
        if weighted_metrics is not None and not isinstance(weighted_metrics, (list, tuple, dict)):
            weighted_metrics = [weighted_metrics]
        self.metrics = _made(metrics, metric_table.get, none=_several(metrics))
        self.weighted = _made(weighted_metrics, metric_table.get, none=_several(weighted_metrics))
        self.listed: list[Metric] = []
        for metric in (*_flat(self.metrics), *_flat(self.weighted)):
            if any(metric is other for other in self.listed):
                raise ValueError(
                    f"the metric {metric.name!r} is given twice, and would add both up: give each output an object of "
                    "its own."
                )
            self.listed.append(metric)
        #: what metrics are called in logs
        self.labels: dict[Metric, str] = {}
        self.unsettle()
        if not any(isinstance(m, (list, tuple, dict)) for m in _inside(self.metrics, self.weighted)):
            self.labels = labelled([((), [*_flat(self.metrics)], [*_flat(self.weighted)])])

    def unsettle(self) -> None:
        """Forget which output has what."""
        self.each: list[Objective] = []
        self._paths: list[tuple[Any, ...]] | None = None
        self.trackers: dict[str, Mean] = {}
        self.labels = {m: m.name for m in self.listed}

    @property
    def several(self) -> bool:
        """Whether there are several outputs."""
        return len(self.each) > 1

    @property
    def compares(self) -> bool:
        """Whether a loss compares an output with targets."""
        return any(objective.loss is not None for objective in self.each)

    @property
    def tracked(self) -> list[Metric]:
        """Running losses of outputs, and metrics, in the order of what `evaluate` gives."""
        ordered = sorted(self.listed, key=self.labels.__getitem__) if self.trackers and self._named else self.listed
        return [*self.trackers.values(), *ordered] if self._named else [*ordered, *self.trackers.values()]

    @property
    def _named(self) -> bool:
        """Whether the outputs have names."""
        return any(isinstance(key, str) for objective in self.each for key in objective.path)

    def settle(self, outputs: Any, name: str = "the model") -> None:
        """Say which output has what. `outputs` is what the model gives: a tensor, or several in containers.

        Raises `ValueError` or `TypeError` where what `compile` was given does not fit them, saying how it would.
        """
        found = paths(outputs)
        if self._paths is not None:
            if found != self._paths:
                raise ValueError(
                    f"'{name}' gave other outputs before: {len(self._paths)} with the keys "
                    f"{[*map(_place, self._paths)]}, and now {len(found)}, {[*map(_place, found)]}."
                )
            return

        def fit(what: str, value: Any, **options: Any) -> list[Any]:
            try:
                return aligned(outputs, value, what, **options)
            except Misfit as error:
                raise error.kind(f"{error} '{name}' gives {_given(outputs)}: {skeleton(outputs, what)}.") from None

        if len(found) == 1:
            for what, given in (("metrics", self.metrics), ("weighted_metrics", self.weighted)):
                groups = (
                    [m for m in given or () if isinstance(m, (list, tuple))] if isinstance(given, (list, tuple)) else []
                )
                if len(groups) > 1:
                    raise ValueError(
                        f"{what} has {len(groups)} lists, one for each output, and '{name}' has one output."
                    )
        loss = fit("loss", self.loss, spread=True, partial=True)
        words = fit("loss", self.words, spread=True, partial=True)
        weights = fit("loss_weights", self.weights, spread=True, needed=[x is not None for x in loss])
        plain = fit("metrics", self.metrics, partial=True, grouped=True)
        weighted = fit("weighted_metrics", self.weighted, partial=True, grouped=True)
        each = []
        for path, one, word, weight in zip(found, loss, words, weights, strict=True):
            each.append(Objective(path, one, word if isinstance(word, str) else None, weight))
        for objective, first, second in zip(each, plain, weighted, strict=True):
            objective.metrics, objective.weighted = [*_flat(first)], [*_flat(second)]
        self.listed = [m for o in each for m in o.metrics] + [m for o in each for m in o.weighted]
        self.labels = labelled([(o.path, o.metrics, o.weighted) for o in each])
        with_loss = [o for o in each if o.loss is not None]
        if len(with_loss) > 1:
            for label, objective in zip(loss_labels(with_loss), with_loss, strict=True):
                objective.tracker = self.trackers[label] = Mean(name=label)
        self.each, self._paths = each, found
        _check_labels([*self.trackers, *self.labels.values()])

    def use(self, loss: Loss) -> None:
        """Let this be the loss of the one output that there is."""
        self.loss = self.each[0].loss = loss

    def matched(self, y: Any, y_pred: Any, w: Any = None) -> Iterator[tuple[Objective, Any, Any, Any]]:
        """Each objective with the targets, predictions and weights of its output.

        Raises `ValueError` or `TypeError` for targets that do not fit the outputs, or are missing for one.
        """
        self.settle(y_pred)
        if is_array(y_pred) and (y is None or is_array(y)) and len(self.each) == 1:
            return iter([(self.each[0], y, y_pred, w)])
        used = [objective.compares for objective in self.each]
        try:
            ys = aligned(y_pred, y, "y", needed=used)
            ws = aligned(y_pred, w, "sample_weight", needed=used, spread=True)
        except Misfit as error:
            raise error.kind(f"{error} The model gives {_given(y_pred)}: {skeleton(y_pred, 'y')}.") from None
        for objective, true in zip(self.each, ys, strict=True):
            if true is None and objective.compares:
                raise ValueError(
                    f"targets are missing for the output {objective.place}, which has a loss or metrics: "
                    f"{skeleton(y_pred, 'y')}."
                )
        return zip(self.each, ys, flat(y_pred), ws, strict=True)

    def prepare(self, y: Any, y_pred: Any, loss: bool, metrics: bool) -> None:
        """Raise `ValueError` if targets and predictions of these shapes don't go together."""
        for objective, true, pred, _ in self.matched(y, y_pred):
            with self._told(objective):
                if loss and objective.loss is not None:
                    objective.loss.prepare(true, pred)
                for metric in (*objective.metrics, *objective.weighted) if metrics else ():
                    metric.prepare(true, pred)

    def check(self, y: Any, y_pred: Any, w: Any, metrics: bool) -> None:
        """Raise `ValueError` if the numbers of targets can't be meant for these predictions."""
        for objective, true, pred, weight in self.matched(y, y_pred, w):
            if true is not None and self.compares:
                with self._told(objective):
                    objective.check(true, pred.shape, weight, metrics)

    def _told(self, objective: Objective) -> Any:
        """A block whose errors name the output, where there are several."""
        return _Told(objective.path if self.several else ())

    def update(self, y: Any, y_pred: Any, w: Any, mask: Any) -> None:
        """Take a batch into the metrics. Masked steps do not count."""
        if not self.listed:
            return
        for objective, true, pred, weight in self.matched(y, y_pred, w):
            counts = None
            if mask is not None:
                counts, weight = masks.metric_weight(mask), masks.metric_weight(mask, weight)
            for metric in objective.metrics:
                metric.update_state(true, pred, counts)
            for metric in objective.weighted:
                metric.update_state(true, pred, weight)


class _Told:
    """Names an output in a `ValueError` of its block."""

    def __init__(self, path: tuple[Any, ...]):
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.path and isinstance(error, ValueError):
            raise type(error)(f"output {_place(self.path)}: {error}") from None


def loss_labels(objectives: list[Objective]) -> list[str]:
    """What the losses of several outputs are called in logs: by keys, or in a list by the losses' names."""
    found: list[str] = []
    for objective in objectives:
        path = objective.path
        if not path or not isinstance(path[-1], str):
            path = (*path[:-1], objective.word)
        label = base = f"{'/'.join(map(str, path))}_loss"
        count = 0
        while label in found:
            count += 1
            label = f"{base}_{count}"
        found.append(label)
    return found


def _check_labels(names: list[str]) -> None:
    every = {"loss", *names}
    for name in names:
        if f"val_{name}" in every or name == "val_loss":
            raise ValueError(
                f"an output is named so that {name!r} of it and of a validation can't be told apart: give it another "
                "key, which does not begin with 'val'."
            )


def _place(path: tuple[Any, ...]) -> str:
    return "/".join(map(repr, path))


def _given(outputs: Any) -> str:
    return "one tensor" if is_array(outputs) else described(outputs)


def _made(spec: Any, get: Any, none: bool = True) -> Any:
    """`spec` with an object for each word."""
    if spec is None and none:
        return None
    if isinstance(spec, dict) and not {"class_name", "config"} <= spec.keys():
        return {k: _made(v, get) for k, v in spec.items()}
    if isinstance(spec, (list, tuple)):
        return [_made(v, get, none) for v in spec]
    return get(spec)


def _several(metrics: Any) -> bool:
    """Whether metrics can be meant for several outputs, some of which have none."""
    return metrics is None or isinstance(metrics, dict) or len(metrics) > 1


def _inside(*specs: Any) -> Iterator[Any]:
    for spec in specs:
        yield from spec.values() if isinstance(spec, dict) else spec or ()


def _flat(spec: Any) -> Iterator[Any]:
    """The objects in a list, in lists or in dicts."""
    if isinstance(spec, (list, tuple, dict)):
        for part in spec.values() if isinstance(spec, dict) else spec:
            yield from _flat(part)
    elif spec is not None:
        yield spec


def _number(given: Any) -> float:
    given = given.item() if isinstance(given, np.generic) else given
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not np.isfinite(given):
        raise ValueError(f"loss_weights is a number, or one for each output in a list or dict; received {given!r}.")
    return float(given)
