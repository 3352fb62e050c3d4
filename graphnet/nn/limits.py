"""What the settings of layers, optimizers, losses, metrics, callbacks and their kin may be, by the names of arguments.

A name means the same in every class, as in Keras: an `epsilon` is a number of 0 or more, a `patience` a whole number.
`guarded` asks this of a constructor before it runs, and hands NumPy's numbers on as Python's. What only one class knows
(that one argument is less than another) stands in its constructor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import numpy as np


class Number(NamedTuple):
    """A number from `low` to `high`; `below` leaves out `high`, `above` leaves out `low`, `whole` all fractions."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False
    finite: bool = True

    def allows(self, value: Any) -> bool:
        """Whether `value` is one."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if value != value or (self.finite and math.isinf(value)) or (self.whole and not isinstance(value, int)):
            return False
        over = value > self.low if self.above else value >= self.low
        return over and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a finite number" if self.finite else "a number"
        if self.high < math.inf:
            last = f"below {self.high:g}" if self.below else f"{self.high:g}"
            return f"{kind} {'above' if self.above else 'from'} {self.low:g} to {last}"
        if self.low > -math.inf:
            return f"{kind}, more than {self.low:g}" if self.above else f"{kind}, {self.low:g} or more"
        return kind


class Other(NamedTuple):
    """Anything that `fits`; `says` is what that is."""

    fits: Callable[[Any], bool]
    says: str

    def allows(self, value: Any) -> bool:
        """Whether `value` is one."""
        return self.fits(value)

    def __str__(self) -> str:
        return self.says


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_axis(value: Any) -> bool:
    several = isinstance(value, (list, tuple)) and len(value) > 0
    return _is_whole(value) or (several and all(_is_whole(_plain(v)) for v in value))


def _is_seed(value: Any) -> bool:
    return not isinstance(value, (bool, float, complex, str, bytes, list, tuple, dict))


def _is_object(value: Any) -> bool:
    return isinstance(value, (str, dict, type)) or callable(value)


def _is_noise_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(v is None or (_is_whole(_plain(v)) and v > 0) for v in value)


def _numbers(value: Any) -> np.ndarray | None:
    """One number, or an array or nested lists of them, as an array; None for anything else."""
    if isinstance(value, (bool, str, bytes)) or value is None:
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.size else None


def _are_numbers(value: Any) -> bool:
    array = _numbers(value)
    return array is not None and not np.isnan(array).any()


def _are_finite(value: Any) -> bool:
    array = _numbers(value)
    return array is not None and bool(np.isfinite(array).all())


def _are_words(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value))


def _is_batches(value: Any) -> bool:
    pair = isinstance(value, (list, tuple)) and len(value) == 2 and all(_is_whole(v) for v in value)
    return pair or (_is_whole(value) and value >= 0) or (isinstance(value, str) and value.replace(",", "").isdigit())


ANY, NOT_NEGATIVE, POSITIVE, FINITE = Number(finite=False), Number(0), Number(0, above=True), Number()
FRACTION, BELOW_ONE = Number(0, 1), Number(0, 1, below=True)
WHOLE, COUNT, FROM_ONE = Number(whole=True), Number(0, whole=True), Number(1, whole=True)
FLAG = Other(lambda v: isinstance(v, bool) or (isinstance(v, int) and v in (0, 1)), "True or False")
AXIS = Other(_is_axis, "the number of an axis, or several")
SEED = Other(_is_seed, "a whole number or None")
WORD = Other(lambda v: isinstance(v, str), "a text")
CHOSEN = Other(_is_object, "a word, an object or a function")
VERBOSE = Other(lambda v: isinstance(v, (bool, int)) and v >= 0, "0, 1 or 2")
FINITES = Other(_are_finite, "a finite number, or an array of them")
NOISE_SHAPE = Other(_is_noise_shape, "a tuple of sizes, 1 or more or None, as in (None, 1, None)")

RULES: dict[str, Any] = {
    "adam_beta_1": BELOW_ONE,
    "adam_beta_2": BELOW_ONE,
    "adam_lr_ratio": NOT_NEGATIVE,
    "adam_weight_decay": NOT_NEGATIVE,
    "alpha_constraint": CHOSEN,
    "axis": AXIS,
    "baseline": ANY,
    "beta_2_decay": FINITE,
    "beta_constraint": CHOSEN,
    "bias_constraint": CHOSEN,
    "class_id": COUNT,
    "clipnorm": NOT_NEGATIVE,
    "clipvalue": NOT_NEGATIVE,
    "cooldown": COUNT,
    "decay_rate": NOT_NEGATIVE,
    "decay_steps": POSITIVE,
    "delta": POSITIVE,
    "dropout": FRACTION,
    "embeddings_constraint": CHOSEN,
    "end_learning_rate": NOT_NEGATIVE,
    "epsilon": NOT_NEGATIVE,
    "epsilon_1": NOT_NEGATIVE,
    "epsilon_2": NOT_NEGATIVE,
    "fill_value": FINITE,
    "filters": FROM_ONE,
    "first_decay_steps": POSITIVE,
    "gain": FINITE,
    "gamma_constraint": CHOSEN,
    "global_clipnorm": NOT_NEGATIVE,
    "gradient_accumulation_steps": FROM_ONE,
    "height": FROM_ONE,
    "ignore_class": WHOLE,
    "initial_learning_rate": NOT_NEGATIVE,
    "initial_value_threshold": ANY,
    "input_dim": FROM_ONE,
    "input_length": FROM_ONE,
    "interval": NOT_NEGATIVE,
    "k": FROM_ONE,
    "kernel_constraint": CHOSEN,
    "l1": NOT_NEGATIVE,
    "l1_regularization_strength": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "l2_regularization_strength": NOT_NEGATIVE,
    "l2_shrinkage_regularization_strength": NOT_NEGATIVE,
    "label_smoothing": FRACTION,
    "m_mul": POSITIVE,
    "margin": FINITE,
    "mask_value": Other(
        lambda value: isinstance(value, (int, float)) and not isinstance(value, bool), "a number, NaN included"
    ),
    "maxval": FINITE,
    "mean": FINITES,
    "min_delta": FINITE,
    "min_lr": NOT_NEGATIVE,
    "minval": FINITE,
    "momentum": FRACTION,
    "muon_a": FINITE,
    "muon_b": FINITE,
    "muon_c": FINITE,
    "n": FROM_ONE,
    "negative_slope": NOT_NEGATIVE,
    "noise_shape": NOISE_SHAPE,
    "ns_steps": COUNT,
    "num_classes": FROM_ONE,
    "num_regressors": COUNT,
    "num_thresholds": FROM_ONE,
    "offset": FINITES,
    "output_dim": FROM_ONE,
    "patience": COUNT,
    "penalty": NOT_NEGATIVE,
    "power": FINITE,
    "precision": FRACTION,
    "q": FRACTION,
    "rate": FRACTION,
    "recall": FRACTION,
    "recurrent_constraint": CHOSEN,
    "recurrent_dropout": FRACTION,
    "renorm_momentum": FRACTION,
    "rho": FRACTION,
    "rms_rate": NOT_NEGATIVE,
    "seed": SEED,
    "sensitivity": FRACTION,
    "shared_axes": AXIS,
    "specificity": FRACTION,
    "start_from_epoch": COUNT,
    "stddev": NOT_NEGATIVE,
    "t_mul": POSITIVE,
    "thresholds": Other(lambda v: not isinstance(v, (bool, str)), "a number from 0 to 1, or a list of them"),
    "timeout": POSITIVE,
    "top_k": FROM_ONE,
    "units": FROM_ONE,
    "variance": FINITES,
    "verbose": VERBOSE,
    "warmup_steps": COUNT,
    "warmup_target": NOT_NEGATIVE,
    "weight_decay": NOT_NEGATIVE,
    "width": FROM_ONE,
}

#: where a name means something else, or more, in one class (None: anything)
OWN: dict[tuple[str, str], Any] = {
    ("AUC", "num_thresholds"): Number(2, whole=True),
    ("BinaryAccuracy", "threshold"): FINITE,
    ("BinaryFocalCrossentropy", "alpha"): NOT_NEGATIVE,
    ("BinaryIoU", "threshold"): FINITE,
    ("CategoricalFocalCrossentropy", "alpha"): FINITES,
    ("Circle", "gamma"): POSITIVE,
    ("Constant", "value"): Other(_are_numbers, "a number, or an array of them"),
    ("CosineDecay", "alpha"): NOT_NEGATIVE,
    ("CosineDecay", "name"): WORD,
    ("CosineDecayRestarts", "alpha"): NOT_NEGATIVE,
    ("CosineDecayRestarts", "name"): WORD,
    ("ELU", "alpha"): FINITE,
    ("ExponentialDecay", "name"): WORD,
    ("FBetaScore", "beta"): POSITIVE,
    ("Ftrl", "beta"): NOT_NEGATIVE,
    ("HTMLReport", "title"): WORD,
    ("InverseTimeDecay", "name"): WORD,
    ("LeakyReLU", "alpha"): NOT_NEGATIVE,
    ("LivePlot", "metrics"): Other(_are_words, "a name, or a list of names"),
    ("Normalization", "axis"): Other(lambda v: v is None or _is_axis(v), "the number of an axis, or several, or None"),
    ("OrthogonalRegularizer", "factor"): NOT_NEGATIVE,
    ("PiecewiseConstantDecay", "name"): WORD,
    ("PolynomialDecay", "name"): WORD,
    ("Progress", "verbose"): None,
    ("Progress", "print_every"): FROM_ONE,
    ("ReLU", "threshold"): NOT_NEGATIVE,
    ("ReduceLROnPlateau", "factor"): BELOW_ONE,
    ("RemoteMonitor", "headers"): Other(lambda v: isinstance(v, dict), "a dict"),
    ("Rescaling", "scale"): FINITES,
    ("TensorBoard", "profile_batch"): Other(_is_batches, "a whole number, or two"),
    ("VarianceScaling", "scale"): POSITIVE,
}


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def rule_of(cls: str, name: str) -> Any:
    """What `name` may be in the constructor of the class named so, or None."""
    return OWN[cls, name] if (cls, name) in OWN else RULES.get(name)


def guarded(cls: str, init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that refuses settings that can't be right, naming the class, the argument and what it received."""
    code = init.__code__  # type: ignore[attr-defined]
    positional = code.co_varnames[1 : code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = dict(zip(positional[::-1], (init.__defaults__ or ())[::-1], strict=False))  # type: ignore[attr-defined]
    defaults.update(init.__kwdefaults__ or {})  # type: ignore[attr-defined]
    rules = {}
    for name in (*positional, *keywords):
        rule = rule_of(cls, name)
        if isinstance(defaults.get(name), bool) and (cls, name) not in OWN:
            rule = FLAG
        if rule is not None:
            rules[name] = rule
    if not rules:
        return init
    # What has no default is a class' to say, where it takes None; the others are optional by their default or type.
    types = getattr(init, "__annotations__", {})
    optional = {name for name in rules if defaults.get(name) is None or "None" in str(types.get(name, ""))}

    def ask(self: Any, given: dict[str, Any]) -> None:
        for name, rule in rules.items():
            if name in given:
                value = given[name]
                if (value is None and name in optional) or rule.allows(value):
                    continue
                also = " or None" if name in defaults and name in optional and not str(rule).endswith("None") else ""
                raise ValueError(f"{type(self).__name__}: {name} is {rule}{also}; received {value!r}") from None

    @wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        args = tuple([_plain(a) for a in args])
        kwargs = {name: _plain(value) for name, value in kwargs.items()}
        given = {**dict(zip(positional, args, strict=False)), **kwargs}
        # What the constructor itself says is nearer to the matter, unless it stumbles over one.
        try:
            init(self, *args, **kwargs)
        except (TypeError, ValueError, OverflowError) as error:
            if not any(name in str(error) for name in rules):
                ask(self, given)
            raise
        ask(self, given)

    return checked
