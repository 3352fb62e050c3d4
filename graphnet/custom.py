"""`custom_gradient`: a function whose gradient its author writes.

An eager call remembers the rule of its run, good for the tensors of that run; on others (a graph made of a history, a
checkpoint) the function is run again. A call in a graph carries its rule as a program, whose inputs are those of the
node: so nothing of the trace it was made in is remembered.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from graphnet.apply import apply, described
from graphnet.carried import Call, attached, custom
from graphnet.containers import flatten
from graphnet.custom_arguments import CustomArguments, CustomRule, Function, differentiable, run_once
from graphnet.cuts import Cut, cut, depends, marked, nearby, same
from graphnet.functions import function
from graphnet.leaves import Parameter, symbolic
from graphnet.mode import mode, noting, state
from graphnet.node import Tensor, constant, tick
from graphnet.parts import Packing
from graphnet.replay import Program, captured
from graphnet.typed import P, R


def _print(arrays: Sequence[np.ndarray]) -> list[int]:
    """A number for each array that says, nearly surely, whether another is the same."""
    return [zlib.crc32(np.ascontiguousarray(a).view(np.uint8).reshape(-1).data) for a in arrays]


class _Customised(Call):
    """An eager call of a function with a custom gradient.

    `rule` is that of the first run, good for the tensors of that run; on others the function is run again.
    """

    def __init__(
        self,
        f: Function,
        name: str,
        arguments: CustomArguments,
        kwargs: dict[str, Any],
        rule: CustomRule | None,
        packing: Packing,
        ready: Any,
    ):
        self.f, self.name, self.arguments, self.kwargs = f, name, arguments, kwargs
        self.rule = rule
        self.packing = packing
        self.specs = [(t.shape, t.dtype) for t in arguments.xs]
        self.ready = ready
        self.prints: tuple[list[int], list[int]] | None = None

    def __repr__(self) -> str:
        return f"<custom gradient of {self.name}>"

    def forgotten(self, y: np.ndarray) -> _Customised:
        """This call without its tensors, for a program; it knows what `y` came out, to tell if that changes."""
        arguments = self.arguments
        call = _Customised(self.f, self.name, arguments.forgotten(), self.kwargs, None, self.packing, None)
        call.specs = self.specs
        call.prints = self.prints or (_print([t._value for t in arguments.xs]), _print([y]))
        return call

    def _again(self, inputs: Sequence[Tensor]) -> tuple[Any, CustomRule]:
        leaves, _, rule = run_once(self.f, self.name, self.arguments, inputs, self.kwargs)
        ys = [leaves[place] for place in differentiable(leaves)]
        flat = Packing(ys).packed(ys)
        if self.prints is not None and not isinstance(flat, Tensor):
            given, came = self.prints
            if _print([t._value for t in inputs]) == given and _print([flat]) != came:
                raise RuntimeError(
                    f"{self.name}: run again on the same arguments (by a checkpoint around it) it returned other "
                    "numbers: draw random numbers outside, and give them as arguments"
                )
        return flat, rule

    def computed(self, inputs: Sequence[Tensor]) -> Any:
        return self._again(inputs)[0]

    def slopes(self, wanted: Sequence[int], gs: Sequence[Tensor], inputs: Sequence[Tensor], graph: bool) -> list[Any]:
        rule = self.rule
        if rule is None or not all(
            a is b or (not graph and a._value is b._value) for a, b in zip(inputs, self.arguments.xs, strict=True)
        ):
            rule = self._again(inputs)[1]
        if not (graph and state.mode.recording):
            found = rule(self.arguments, gs)
            return [found[place] for place in wanted]
        begun, what = tick(), f"the gradient of {self.name}"
        with noting() as left:
            found = rule(self.arguments, gs)
        xs = [t for t in inputs if t.requires_grad]
        slopes = []
        for place in wanted:
            h, dtype = found[place], inputs[place].dtype
            if left or h is None:
                h = marked(h, left, what, dtype)
            elif rule.left and not any(t.is_symbolic for t in (h, *gs)) and not depends(h, begun, gs, inputs):
                # The rule of a linear function reads nothing of its arguments; that of another would have to.
                constant = partial(self._constant, place, h._value, inputs, gs)
                h = cut(h, xs, Cut(what, f"{rule.left[0][1]} took an argument out of the graph", constant), dtype)
            slopes.append(h)
        return slopes

    def _constant(self, place: int, value: np.ndarray, inputs: Sequence[Tensor], gs: Sequence[Tensor]) -> bool:
        """Whether the gradient at `place` is `value` for other arguments too."""
        with mode(raw=False, recording=False, strict=False, within=None, of=None, trace=None, debug=None):
            moved = [constant(nearby(t._value)) for t in inputs]
            _, _, rule = run_once(self.f, self.name, self.arguments, moved, self.kwargs)
            h = rule(self.arguments, [constant(g._value) for g in gs])[place]
        return h is not None and same(value, h._value)


class _Traced:
    """The gradient of a function with a custom gradient in a graph: the program that its rule is."""

    def __init__(self, name: str, packing: Packing, program: Program | None, places: dict[int, int], fault: str):
        self.name, self.packing, self.program, self.places, self.fault = name, packing, program, places, fault

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Traced)
            and (self.packing.specs, self.places, self.fault) == (other.packing.specs, other.places, other.fault)
            and self.program == other.program
        )

    def __hash__(self) -> int:
        return hash(self.program)

    def __repr__(self) -> str:
        return f"<custom gradient of {self.name}>"

    def slopes(self, wanted: Sequence[int], gs: Sequence[Tensor], inputs: Sequence[Tensor], graph: bool) -> list[Any]:
        if self.program is None:
            raise TypeError(self.fault)
        found = self.program.run([*gs, *inputs[len(inputs) - self.program.inputs + len(gs) :]])
        return [found[self.places[place]] if place in self.places else None for place in wanted]


def custom_gradient(f: Callable[P, tuple[R, Function]]) -> Callable[P, R]:
    """`f` with a gradient of its own: `f(*args)` returns its result and the function from gradient to gradients.

    The second function is called once, with the gradients of all outputs (one for each tensor of the result), and
    returns one gradient for each positional argument, in the argument's form (a single one for a single argument; None
    for none), in tensor ops, so that it can be differentiated again; one that is written with NumPy or `math` gives
    first derivatives, and an error where it is differentiated itself. Arrays and lists of floats become tensors;
    numbers and lists of integers beside arrays, strings and the like are handed to `f` as they are, and so are keyword
    arguments. `f` is a
    function of its arguments: where a graph or a checkpoint needs it, it is run again.

    Gradients go to arguments only: not to parameters or tensors that `f` uses besides. What a `gn.grad` or one of its
    kin around it differentiates for has to be an argument; for its value alone write `gn.stop_gradient(w)`.

    Raises `ValueError` where number, keys or shapes of the gradients do not fit the arguments, `TypeError` for a
    keyword argument that needs a gradient, and for a variable of a derivative that is used besides.

    >>> import graphnet as gn
    >>> @gn.custom_gradient
    ... def clipped(x):
    ...     return x, lambda g: gn.clip(g, -1.0, 1.0)
    >>> gn.grad(lambda x: clipped(x) * 5.0)(2.0)
    Tensor(1.)
    """
    function(f, "custom_gradient")
    name = getattr(f, "__name__", "a function")

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for key, value in kwargs.items():
            if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(value)[0]):
                raise TypeError(f"{name}: a gradient goes to positional arguments only; {key}= needs one")
        arguments = CustomArguments(name, args)
        xs = arguments.xs
        leaves, form, rule = run_once(f, name, arguments, xs, kwargs)
        places = differentiable(leaves)
        if any(isinstance(t, Tensor) and t.dtype.kind == "c" and t.requires_grad for t in leaves):
            raise TypeError(
                f"{name}: gradients of complex numbers are not known to custom_gradient: return real numbers "
                "(gn.real, gn.imag)"
            )
        if not places:
            return form(leaves)
        ys = [leaves[place] for place in places]
        _check_alone(name, ys, xs)
        packing = Packing(ys)
        flat = packing.packed(ys)
        unknown = any(t.is_symbolic for t in (*xs, *ys)) or (
            state.mode.trace is not None and any(isinstance(t, Parameter) for t in xs)
        )
        if unknown:
            call, inputs = _traced(name, arguments, rule, packing)
            flat = flat if isinstance(flat, Tensor) else constant(flat)
            y = apply(attached.op, (flat, *xs, *inputs), {"call": call})
        elif any(t.requires_grad for t in xs):
            y = apply(custom.op, xs, {"call": _Customised(f, name, arguments, kwargs, rule, packing, flat)})
        else:
            y = constant(flat)
        for place, t in zip(places, packing.unpacked(y), strict=True):
            leaves[place] = t
        return form(leaves)

    return wrapped


def _check_alone(name: str, ys: Sequence[Tensor], xs: Sequence[Tensor]) -> None:
    """Raise `TypeError` if `ys` depend on a variable of a derivative around it by another way than through `xs`."""
    around = state.mode.within
    if around is None:
        return
    seen, stack = {*xs}, [y for y in ys if y.requires_grad]
    while stack:
        t = stack.pop()
        if t in seen:
            continue
        seen.add(t)
        derivative = around.of(t)
        if derivative is not None:
            raise TypeError(
                f"{name}: a custom gradient goes to the arguments, and the result also depends on {described(t)} from "
                f"outside, which {derivative.what} differentiates for: its gradient would be lost. Make it an "
                "argument; for its value alone write gn.stop_gradient(w) or w.detach()"
            )
        stack += [i for i in t.inputs if i.requires_grad]


def _traced(name: str, arguments: CustomArguments, rule: CustomRule, packing: Packing) -> tuple[_Traced, list[Tensor]]:
    """The rule of a function that ran on symbolic tensors, as a program, and the tensors from before that it reads."""
    begun = tick()
    gs = [symbolic(shape, dtype, "g") for shape, dtype in packing.specs]
    try:
        with mode(recording=True, of=None):
            found = rule(arguments, gs)
    except Exception as error:
        # Not everything that has a gradient is differentiated.
        fault = f"{name}: its gradient cannot be part of a graph ({type(error).__name__}: {error})"
        return _Traced(name, packing, None, {}, fault), []
    answered = [place for place, h in enumerate(found) if h is not None]
    program, inputs = captured([found[place] for place in answered], begun, gs)  # type: ignore[misc]
    return _Traced(name, packing, program, {place: n for n, place in enumerate(answered)}, ""), inputs[len(gs) :]
