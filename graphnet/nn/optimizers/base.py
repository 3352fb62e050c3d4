"""What all optimisers share: learning rate, step count, clipping, decay, averages, accumulated gradients, state.

An optimiser is the arrays each parameter needs (`slots`) and the step (`update`), both over tensors. `update(p, g,
slots, rate)` gives the new value of `p` and of its slots. `rate(lr, iteration)` computes what all parameters share in a
step, by default the learning rate itself. Learning rate and step count are state Parameters: a callback can change the
rate of a compiled training step. Nothing here looks at a number, so the step is the same code eagerly and in a graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import state as thread
from graphnet.mode import warn
from graphnet.nn.lookup import Configured, Table, checked_name, constructor_of, plain
from graphnet.nn.optimizers import schedules
from graphnet.nn.optimizers.settings import count_of, fraction, number_of, positive, schedule_of, takes_step

table = Table("optimizer")

Slots = tuple[gn.Tensor, ...]
#: the new value of a parameter, and of its slots
Update = tuple[gn.Tensor, Slots]


def get(given: Any) -> Any:
    """The optimiser for a word (`"adam"`), a class or an object."""
    found = table.get(given)
    if not isinstance(found, Optimizer):
        raise TypeError(
            f"an optimizer is one of the words {', '.join(table.words)}, or an Optimizer; received {given!r}"
        )
    return found


class Optimizer(Configured):
    """Base class: subclasses define `update`, and `slots`, `rate` and `advance` where they need them.

    * `learning_rate` is a number, a schedule (`graphnet.nn.optimizers.schedules`) or any function of the step count; a
      function without arguments gives the rate once and for all, when the training step is compiled;
    * `weight_decay` takes `w * weight_decay * lr` from every parameter before the update (Loshchilov and Hutter,
      "Decoupled weight decay regularization", ICLR 2019), but for those named in `exclude_from_weight_decay`;
    * at most one of `clipnorm` (each gradient's norm), `global_clipnorm` (the norm of all) and `clipvalue` (each
      element) limits the gradients first;
    * `use_ema` keeps a moving average `a' = m * a + (1 - m) * w` of every parameter, m being `ema_momentum`, which
      takes the parameter's place every `ema_overwrite_frequency` steps, and at the end of `fit`;
    * `gradient_accumulation_steps` k changes parameters at every k-th step only, by the mean of k gradients;
    * `loss_scale_factor` multiplies the loss before gradients are taken, which are divided by it again.

    A step by hand is `optimizer.apply(gradients, parameters)`.

    Raises `ValueError` for a setting out of its range, or for two ways of clipping.
    """

    #: slots that `variables` lists apart, for all parameters together, after those that it lists for each parameter
    apart: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ):
        self.name = checked_name(name, type(self).__name__) or type(self).__name__.lower()
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        set_ones = [key for key, value in clips.items() if value is not None]
        if len(set_ones) > 1:
            raise ValueError(f"{self._word}: only one way to clip gradients can be set; received {clips}")
        for key in set_ones:
            positive(clips[key], f"{self._word}: {key}")
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        if weight_decay is not None:
            positive(weight_decay, f"{self._word}: weight_decay", zero=True)
        self.weight_decay = weight_decay
        self.use_ema = bool(use_ema)
        self.ema_momentum = fraction(ema_momentum, f"{self._word}: ema_momentum", closed=True)
        self.ema_overwrite_frequency = count_of(ema_overwrite_frequency, f"{self._word}: ema_overwrite_frequency", 1)
        if loss_scale_factor is not None:
            positive(loss_scale_factor, f"{self._word}: loss_scale_factor")
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = count_of(
            gradient_accumulation_steps, f"{self._word}: gradient_accumulation_steps", 2
        )
        if isinstance(learning_rate, dict):
            learning_rate = schedules.get(learning_rate)
        self.schedule = schedule_of(learning_rate)
        start = 0.0 if self.schedule else positive(number_of(learning_rate), f"{self._word}: learning_rate", zero=True)
        self._rate = gn.Parameter(np.float64(start), name=f"{self.name}/learning_rate", trainable=False)
        self.count = gn.Parameter(np.int64(0), name=f"{self.name}/iterations", trainable=False)
        self._excluded: tuple[tuple[gn.Parameter, ...], tuple[str, ...]] = ((), ())
        self.clear()

    @property
    def _word(self) -> str:
        return type(self).__name__

    @property
    def iterations(self) -> gn.Tensor:
        """How many times the parameters changed. `count` is the number of steps, which is more where gradients
        accumulate."""
        k = self.gradient_accumulation_steps
        return gn.floor_divide(self.count, k) if k else self.count

    @property
    def learning_rate(self) -> gn.Tensor:
        """The learning rate: a state Parameter, or the schedule's value at this step. Setting it changes its value."""
        return self._scheduled() if self.schedule else self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if (schedule := schedule_of(value)) is not None:
            self.schedule = schedule
            return
        if self.schedule:
            raise ValueError(f"{self._word}: the learning rate follows a schedule; it can't be set to {value!r}")
        self._rate.assign(positive(number_of(value), f"{self._word}: learning_rate", zero=True))

    @property
    def lr(self) -> gn.Tensor:
        """The name of the learning rate in older versions of Keras: raises `AttributeError`."""
        raise AttributeError(f"{self._word} has no lr. It is called learning_rate now.")

    @lr.setter
    def lr(self, value: Any) -> None:
        # An attribute of that name would change nothing.
        raise AttributeError(f"{self._word} has no lr. It is called learning_rate now: write learning_rate = {value!r}")

    def _scheduled(self) -> gn.Tensor:
        """The schedule's rate at this step."""
        assert self.schedule is not None
        rate = self.schedule(self.count) if takes_step(self.schedule) else self.schedule()
        return rate if isinstance(rate, gn.Tensor) else gn.tensor(np.float64(rate))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, those that all optimisers share included; a schedule with its own settings."""
        config = super().get_config()
        for key in SHARED:
            config[key] = getattr(self, key)
        config["learning_rate"] = plain(self.schedule) if self.schedule else float(self._rate.numpy())
        return config

    @property
    def built(self) -> bool:
        """Whether it has its slots."""
        return bool(self.params)

    @property
    def variables(self) -> list[gn.Parameter]:
        """Its state, in the order in which Keras lists (and saves) that of the same optimiser.

        That is: the count of steps; the learning rate, unless a schedule gives it; the averages of all parameters; the
        accumulated gradients of all; for each parameter its slots, one parameter after the other; the slots in `apart`,
        each for all parameters; what the parameters share.
        """
        found = [self.count] if self.schedule else [self.count, self._rate]
        found += [*self.averages, *self.accumulated]
        for slots, names in zip(self.state, self.slot_names, strict=True):
            found += [s for s, name in zip(slots, names, strict=True) if name not in self.apart]
        for kind in self.apart:
            for slots, names in zip(self.state, self.slot_names, strict=True):
                found += [s for s, name in zip(slots, names, strict=True) if name == kind]
        return [*found, *self.shared]

    def __repr__(self) -> str:
        if "_rate" not in self.__dict__:
            return constructor_of(self)
        return constructor_of(self, learning_rate=self.schedule or float(self._rate._value))

    def clear(self) -> None:
        """Forget the parameters and all state, and count steps from 0."""
        self.params: list[gn.Parameter] = []
        self.state: list[tuple[gn.Parameter, ...]] = []
        self.slot_names: list[tuple[str, ...]] = []
        self.averages: list[gn.Parameter] = []
        self.accumulated: list[gn.Parameter] = []
        self.shared: list[gn.Parameter] = []
        self.swapped = False
        if self.count._value:
            # A trace would take this assignment for a part of every step.
            if thread.mode.trace is not None:
                raise RuntimeError(
                    f"{self._word} was built for other parameters before: in a compiled function it can't begin anew; "
                    "call optimizer.build(parameters) outside of it."
                )
            self.count.assign(np.int64(0))

    def build(self, params: Sequence[gn.Parameter]) -> None:
        """Make the slots for `params`, and count steps from 0."""
        self.clear()
        self.params = list(params)

        def made(p: gn.Parameter, name: str, value: Any) -> gn.Parameter:
            return gn.Parameter(np.asarray(value, p.dtype), name=f"{p.name}/{name}", trainable=False)

        if self.use_ema:
            self.averages = [made(p, "average", np.array(p.detach().numpy())) for p in self.params]
        if self.gradient_accumulation_steps:
            self.accumulated = [made(p, "gradient_accumulator", np.zeros(p.shape)) for p in self.params]
        for p in self.params:
            slots = self.slots(p)
            self.slot_names.append(tuple(slots))
            self.state.append(tuple(made(p, name, value) for name, value in slots.items()))
        self.shared = [
            gn.Parameter(np.float64(value), name=f"{self.name}/{name}", trainable=False)
            for name, value in self.common().items()
        ]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace `variables`; nothing changes unless every shape fits.

        Raises `ValueError` for another number of arrays, or other shapes.
        """
        own = self.variables
        given = [np.asarray(w) for w in weights]
        if [v.shape for v in own] != [w.shape for w in given]:
            raise ValueError(
                f"{self._word}: set_weights needs {len(own)} arrays of the shapes {[v.shape for v in own]}; received "
                f"{len(given)} of {[w.shape for w in given]}"
            )
        for variable, value in zip(own, given, strict=True):
            variable.assign(value.astype(variable.dtype))

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Iterable[str] | None = None) -> None:
        """Spare parameters from weight decay: those in `var_list`, and those whose name holds one of `var_names`.

        >>> import graphnet as gn
        >>> optimizer = gn.nn.optimizers.AdamW()
        >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        """
        if isinstance(var_names, str):
            raise TypeError(f"exclude_from_weight_decay: var_names is a list of words; received {var_names!r}")
        if self.built:
            raise ValueError(f"{self._word}: exclude_from_weight_decay comes before the first training step.")
        self._excluded = tuple(var_list or ()), tuple(var_names or ())

    def decay_of(self, p: gn.Parameter) -> float | None:
        """The weight decay of `p`."""
        params, words = self._excluded
        if any(p is other for other in params) or any(re.search(word, p.name or "") for word in words):
            return None
        return self.weight_decay

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        """The arrays that `p` needs, by name, as they start."""
        return {}

    def common(self) -> dict[str, float]:
        """The numbers that all parameters share, by name, as they start."""
        return {}

    def advance(self, iteration: gn.Tensor) -> Slots:
        """The new values of what all parameters share."""
        return ()

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        """What all parameters share in a step: the step size, a float64 number, or a tuple of several numbers.
        `iteration` counts from 0."""
        return lr

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        """The new value of `p`, and of its slots, for the gradient `g`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(p, g, slots, rate)")

    def scale_loss(self, loss: gn.Tensor) -> gn.Tensor:
        """The loss that gradients are taken of."""
        return loss * self.loss_scale_factor if self.loss_scale_factor is not None else loss

    def clipped(self, grads: list[gn.Tensor]) -> list[gn.Tensor]:
        """The gradients within their limits."""
        if self.clipvalue is not None:
            return [gn.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        if self.clipnorm is not None:
            return [limited(g, gn.sqrt(gn.sum(g * g)), self.clipnorm) for g in grads]
        if self.global_clipnorm is not None:
            total = sum((gn.sum(g * g) for g in grads[1:]), gn.sum(grads[0] * grads[0]))
            return [limited(g, gn.sqrt(total), self.global_clipnorm) for g in grads]
        return grads

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """`apply` for pairs of a gradient and its parameter. Raises `ValueError` if no parameter has a gradient."""
        pairs = [tuple(pair) for pair in grads_and_vars]
        if all(grad is None for grad, _ in pairs):
            named = ", ".join(str(getattr(p, "name", None)) for _, p in pairs) or "none"
            raise ValueError(
                f"{self._word}: there is no gradient for any of the parameters ({named}): does the loss depend on them?"
            )
        grads, params = zip(*pairs, strict=True)
        self.apply(grads, params)

    def apply(
        self,
        grads: Sequence[gn.Tensor | None],
        trainable_variables: Sequence[gn.Parameter] | None = None,
        constraints: dict[Any, Any] | None = None,
    ) -> None:
        """One step: assign new values to the parameters, their slots and the count of steps.

        The gradients are those of `trainable_variables`, or else of the parameters it was built for. Parameters whose
        gradient is None stay as they are.

        Raises `ValueError` for parameters it was not built for, or another number of gradients.

        >>> import graphnet as gn
        >>> w = gn.Parameter([1.0, 2.0])
        >>> gn.nn.optimizers.SGD(0.1).apply(gn.gradients((w * w).sum(), [w]), [w])
        >>> w.numpy().tolist()
        [0.8, 1.6]
        """
        places = self._places(grads, trainable_variables)
        if not places:
            return
        given: list[gn.Tensor] = [_as_tensor(g) for g in grads if g is not None]
        if self.loss_scale_factor is not None:
            given = [g / self.loss_scale_factor for g in given]
        iteration, due = self.iterations, None
        if self.gradient_accumulation_steps:
            k = self.gradient_accumulation_steps
            due = gn.equal(gn.remainder(self.count + 1, k), 0)
            for n, (i, g) in enumerate(zip(places, given, strict=True)):
                total = self.accumulated[i] + g
                self.accumulated[i].assign(gn.where(due, 0.0, total))
                given[n] = total / k
        lr = self._scheduled() if self.schedule else self._rate
        shared, common = self.rate(lr, iteration), self.advance(iteration)
        for i, g in zip(places, self.clipped(given), strict=True):
            p, slots = self.params[i], self.state[i]
            value: gn.Tensor = p
            decay = self.decay_of(p)
            if decay:
                value = value - value * (lr * decay).astype(p.dtype)
            cast = tuple(r.astype(p.dtype) for r in shared) if isinstance(shared, tuple) else shared.astype(p.dtype)
            value, new = self.update(value, g, slots, cast)
            if due is not None:
                value, new = gn.where(due, value, p), tuple(map(gn.where, [due] * len(new), new, slots))
            if self.use_ema:
                value = self._averaged(value, self.averages[i], iteration)
            if constraints and p in constraints:
                value = constraints[p](value)
            p.assign(value)
            for slot, s in zip(slots, new, strict=True):
                slot.assign(s)
        for variable, number in zip(self.shared, common, strict=True):
            variable.assign(number if due is None else gn.where(due, number, variable))
        self.count.assign(self.count + 1)

    def _places(self, grads: Sequence[Any], params: Sequence[gn.Parameter] | None) -> list[int]:
        """The places in `params` of the parameters that have a gradient."""
        if params is None:
            places = list(range(len(self.params)))
        else:
            if not self.built:
                self.build(params)
            known = {id(p): place for place, p in enumerate(self.params)}
            for p in params:
                if id(p) not in known:
                    raise ValueError(
                        f"{self._word} was built for other parameters than {getattr(p, 'name', None)!r}: make a new "
                        "optimizer for them."
                    )
            places = [known[id(p)] for p in params]
        if len(places) != len(grads) or not places:
            raise ValueError(
                f"{self._word}: apply takes a gradient for each parameter; received {len(grads)} gradients for "
                f"{len(places)} parameters"
                + ("; name the parameters: apply(gradients, parameters)." if not self.built else ".")
            )
        missing = [self.params[i].name for i, g in zip(places, grads, strict=True) if g is None]
        if missing:
            warn(f"{self._word}: there is no gradient for {', '.join(map(str, missing))}.")
        return [i for i, g in zip(places, grads, strict=True) if g is not None]

    def _averaged(self, value: gn.Tensor, average: gn.Parameter, iteration: gn.Tensor) -> gn.Tensor:
        """Take `value` into its average, and give what the parameter becomes: `value`, or the average if it is time."""
        m = gn.where(gn.equal(iteration, 0), 0.0, self.ema_momentum).astype(average.dtype)
        new = m * average + (1 - m) * value
        average.assign(new)
        if self.ema_overwrite_frequency is None:
            return value
        return gn.where(gn.equal(gn.remainder(iteration + 1, self.ema_overwrite_frequency), 0), new, value)

    def swap(self) -> None:
        """Exchange the parameters and their averages; once more, and all is as before."""
        self.swapped = not self.swapped
        for p, average in zip(self.params, self.averages, strict=False):
            kept = p.numpy().copy()
            p.assign(average.numpy())
            average.assign(kept)

    def finalize_variable_values(self, var_list: Any = None) -> None:
        """Put the averages in the place of the parameters, where averages are kept and a step was made."""
        if self.swapped:
            self.swap()
        if int(self.count.numpy()):
            for p, average in zip(self.params, self.averages, strict=False):
                p.assign(average.numpy())


#: the arguments that all optimisers have
SHARED = (
    "name",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


def _as_tensor(value: Any) -> gn.Tensor:
    return value if isinstance(value, gn.Tensor) else gn.tensor(np.asarray(value))


def limited(g: gn.Tensor, norm: gn.Tensor, limit: float) -> gn.Tensor:
    """`g` scaled down by `limit / norm` where the norm is above the limit."""
    return g * (limit / gn.maximum(norm, limit))
