"""Derivatives as a user asks for them: of tensors (`backward`, `gradients`), of functions (`grad`, `vjp`, `jvp`, ...).

A function is differentiated with respect to fresh alias nodes, never the caller's own tensors, so that nested
derivatives do not confuse their variables. Whether the result has a graph of its own is decided by what it depends on:
if something else that needs a gradient took part (an outer derivative, a Parameter), it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np

from graphnet import sweep
from graphnet.apply import apply, as_tensor, described
from graphnet.arrays import Spec
from graphnet.containers import Structure, flatten
from graphnet.escape import line
from graphnet.functions import function
from graphnet.leaves import Parameter, variable
from graphnet.mode import differentiating, mode, state
from graphnet.named import made
from graphnet.node import Tensor, constant
from graphnet.ops import joining, shaping
from graphnet.ops.arithmetic import multiply
from graphnet.ops.reduce import sum as sum_op
from graphnet.results import notice_constants, notice_no_history, tensors
from graphnet.typed import P, R

Function = Callable[..., Any]
A = TypeVar("A")


def _check_float(t: Tensor, what: str) -> None:
    if t.dtype.kind != "f":
        use = "take gn.real, gn.imag or gn.abs of them" if t.dtype.kind == "c" else "use float32 or float64"
        raise TypeError(f"{what}: a gradient is taken of floating-point numbers; received {described(t)}: {use}")


def _seed(y: Tensor, gradient: Any, what: str, of: str = "the output", called: str = "gradient") -> Tensor:
    """The gradient to start from at `y`."""
    _check_float(y, what)
    if gradient is None:
        if y.size != 1:
            raise ValueError(
                f"{what}: the output has shape {y.shape}; a gradient starts from one number: "
                "reduce the output (.sum(), .mean()) or give its gradient"
            )
        return constant(np.ones(y.shape, y.dtype))
    g = as_tensor(gradient)
    if g.shape != y.shape:
        raise ValueError(f"{what}: {of} has shape {y.shape}, its {called} {g.shape}: they must be the same")
    return g if g.dtype == y.dtype else shaping.astype(g, dtype=y.dtype)


def backward(y: Tensor, gradient: Any = None) -> None:
    """Add dy/dx to `x.grad` of every leaf `x` that `y` depends on and that needs a gradient.

    `gradient` is that of some final number with respect to `y`, of y's shape; without it `y` must be one number.
    Can be called again: gradients accumulate until `x.grad = None`.

    Raises `ValueError` for an output of several numbers without `gradient`, `TypeError` for integers, `RuntimeError`
    where a parameter was changed since.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> y.backward(gradient=[1.0, 10.0])
    >>> x.grad
    Tensor([ 2., 40.])
    """
    if y._value.__class__ is Spec:
        raise ValueError("backward: the output is symbolic; build its gradient with graphnet.gradients(y, xs)")
    start = _seed(y, gradient, "backward")
    if not y.requires_grad:
        raise ValueError(
            "backward: the output depends on nothing that needs a gradient: "
            "use a Parameter or requires_grad=True, outside of no_grad"
        )
    nodes, reached = sweep.history((y,))
    grads = sweep.on_arrays(nodes, reached, {y: start._value})
    for t in nodes:
        if t.op is None:
            g = grads.get(t)
            if g is None:
                g = np.zeros(t.shape, t.dtype)
            t.grad = constant(np.array(g) if t.grad is None else t.grad._value + g)


def _gradients(
    ys: Sequence[Tensor],
    xs: Sequence[Tensor],
    seeds: Sequence[Tensor],
    graph: bool,
    path: tuple[list[Tensor], set[Tensor]] | None = None,
) -> list[Tensor]:
    """d(sum of seeds * ys)/dx for each of `xs`, zeros where there is no path; with a graph of its own if `graph`.

    `path` is what lies between `xs` and `ys`, if that is known already.
    """
    nodes, reached = path or sweep.path(sweep.history(ys)[0], xs)
    keep = frozenset(xs)
    start: dict[Tensor, Tensor] = {}
    for y, g in zip(ys, seeds, strict=True):
        if y in reached:
            start[y] = start[y] + g if y in start else g
    found: dict[Tensor, Tensor]
    if graph:
        found = sweep.on_tensors(nodes, reached, start, keep)
    else:
        arrays = sweep.on_arrays(nodes, reached, {y: g._value for y, g in start.items()}, keep)
        found = {t: constant(g) for t, g in arrays.items()}
    return [found[x] if x in found else constant(np.zeros(x.shape, x.dtype)) for x in xs]


@overload
def gradients(ys: Any, xs: Tensor, grad_ys: Any = None) -> Tensor: ...
@overload
def gradients(ys: Any, xs: Any, grad_ys: Any = None) -> Any: ...
def gradients(ys: Any, xs: Any, grad_ys: Any = None) -> Any:
    """dy/dx for each `x` in `xs` (a tensor, or nested tuples, lists, dicts of them, answered in the same form).

    `ys` is a tensor or nested containers of them, whose gradients add up; `grad_ys` their own gradients, in the same
    form. Where there is no path the gradient is zeros, with a `ConstantWarning` if no output keeps a history: what was
    computed under `no_grad`, or by a `Graph` or a plan from data alone, has none. Symbolic tensors give the gradient's
    graph; eager ones give values that can be differentiated again, or plain values inside `no_grad`.

    Raises `ValueError` for an output of several numbers without `grad_ys`, `TypeError` for integers.

    >>> import graphnet as gn
    >>> x = gn.Parameter(3.0)
    >>> dy = gn.gradients(x**3, x)
    >>> gn.gradients(dy, x)
    Tensor(18.)
    """
    return _gradients_of(ys, xs, grad_ys, True)


def _gradients_of(ys: Any, xs: Any, grad_ys: Any, notice: bool) -> Any:
    outputs, form = flatten(ys)
    given: list[Any] = [None] * len(outputs)
    if grad_ys is not None:
        if isinstance(ys, (tuple, list)) and isinstance(grad_ys, (tuple, list)):
            if len(ys) != len(grad_ys):
                raise ValueError(f"gradients: {len(ys)} outputs but {len(grad_ys)} gradients of outputs")
            # One that is None is that of a number.
            pairs = [
                (y, [None] * form.count) if g is None else (y, form.match(g, f"gradients: grad_ys[{place}]"))
                for place, ((y, form), g) in enumerate(zip(map(flatten, ys), grad_ys, strict=True))
            ]
            outputs, given = [y for part, _ in pairs for y in part], [g for _, part in pairs for g in part]
        else:
            given = form.match(grad_ys, "gradients: grad_ys")
    leaves, rebuild = flatten(xs)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise TypeError(f"gradients: xs are tensors; received {type(x).__name__}")
        _check_float(x, "gradients")
        if not x.requires_grad:
            named = line(x.name or described(x))
            raise ValueError(f"gradients: {named} keeps no history: use a Parameter, an input or requires_grad=True")
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"gradients: ys are tensors; received {type(y).__name__}")
    trace = state.mode.trace
    if notice and leaves and trace is None and not any(y.requires_grad or y.is_symbolic for y in outputs):
        notice_no_history("gradients")
    if trace is not None and trace.current:
        outputs = [trace.read(y) for y in outputs]
        _, seen = sweep.history(outputs)
        leaves = [trace.variable(x, seen) for x in leaves]
    seeds = [_seed(y, g, "gradients") for y, g in zip(outputs, given, strict=True)]
    graph = state.mode.recording or state.mode.trace is not None or any(t.is_symbolic for t in (*outputs, *seeds))
    return rebuild(_gradients(outputs, leaves, seeds, graph))


def _place(form: Structure, place: int, single: bool) -> str:
    """Where a leaf of the arguments is, to end an error with."""
    return "" if form.is_leaf else f" in {form.places('the argument' if single else 'the arguments')[place]}"


def _alias(value: Any, what: str, form: Structure, place: int, single: bool) -> Tensor:
    """A fresh variable with the value of `value`, connected to it if it needs a gradient itself."""
    # An array is copied: its owner may write to it while the history is kept.
    try:
        t = as_tensor(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}{_place(form, place, single)}") from None
    if t.dtype.kind != "f":
        raise TypeError(
            f"{what}: a derivative is taken with respect to floating-point numbers; received {described(t)}"
            f"{' (write ' + repr(float(value)) + ')' if isinstance(value, int) else ''}"
            f"{_place(form, place, single)}: use float32 or float64"
        )
    if t.is_symbolic or (t.requires_grad and (state.mode.recording or state.mode.trace is not None)):
        if state.mode.recording:
            return apply(shaping.identity.op, (t,))
        with mode(recording=True):
            return apply(shaping.identity.op, (t,))
    return variable(t._value)


def _outside(nodes: Sequence[Tensor], own: Sequence[Tensor]) -> bool:
    """Whether something besides `own` that needs a gradient took part: a leaf among the `nodes` of a history."""
    mine = set(own)
    return any(t.op is None and t not in mine for t in nodes)


def _places(argnums: Any, count: int, what: str) -> list[int]:
    """`argnums` as places of `count` arguments, counted from the front."""
    try:
        listed = [argnums] if isinstance(argnums, (int, np.integer)) else list(argnums)
    except TypeError:
        listed = [argnums]
    if any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) for n in listed):
        given = ", ".join(described(n) if isinstance(n, Tensor) else repr(n) for n in listed)
        hint = ""
        if any(isinstance(n, Parameter) for n in listed):
            hint = ". Parameters are named in gn.value_and_grad; here make the weights an argument of the function"
        raise TypeError(f"{what}: argnums is the place of an argument, or a tuple of places; received {given}{hint}")
    if not all(-count <= n < count for n in listed):
        given = f"{count} argument{'s' * (count != 1)}"
        raise ValueError(f"{what}: argnums is {argnums}, but the function received {given} by place")
    places = [int(n) % count for n in listed]
    if len(set(places)) < len(places):
        # The last of the variables would take the place of the others, whose gradients would be 0.
        raise ValueError(f"{what}: argnums is {argnums}, which names an argument twice")
    return places


class _Call:
    """One call of `f` with some arguments replaced by fresh variables, and what came out, flat.

    * `xs` the variables, `form` the containers around them; `outputs` what came out, `output_form` those around these,
      `ys` the same in floating point, to take derivatives of;
    * `graph`: whether the derivative is itself to be differentiable, since something else that needs a gradient took
      part;
    * `aux`: with `has_aux` the second thing that `f` returned.
    """

    def __init__(
        self,
        f: Function,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: int | Sequence[int],
        what: str,
        has_aux: bool = False,
        allow_constant: bool = False,
    ):
        self.what = what
        single = isinstance(argnums, (int, np.integer))
        places = _places(argnums, len(args), what)
        wanted = [args[n] for n in places]
        leaves, self.form = flatten(wanted[0] if single else tuple(wanted))
        self.xs = [_alias(leaf, what, self.form, place, single) for place, leaf in enumerate(leaves)]
        recording = state.mode.recording
        fresh = self.form(self.xs)
        listed = list(args)
        for n, value in zip(places, (fresh,) if single else fresh, strict=True):
            listed[n] = value
        with differentiating(what, self.xs) as around:
            result = f(*listed, **kwargs)
        aux: Any = None
        if has_aux:
            result, aux = _parted(result, what)
        outputs, self.output_form = flatten(result)
        self.outputs, self.ys = tensors(what, result, outputs, allow_constant)
        nodes, _ = sweep.history(self.ys)
        self.path = sweep.path(nodes, self.xs)
        if not (allow_constant or around.flat):
            notice_constants(what, self.ys, self.xs, self.path[1], nodes)
        self.graph = (
            any(t.is_symbolic for t in (*self.ys, *self.xs))
            or state.mode.trace is not None
            or (recording and _outside(nodes, self.xs))
        )
        self.aux = self._detached(aux, recording) if has_aux else None

    def _detached(self, aux: Any, recording: bool) -> Any:
        """`aux`, whose tensors keep a history only where an outer derivative may ask for it."""
        leaves, form = flatten(aux)
        tensors = [t for t in leaves if isinstance(t, Tensor)]
        if (
            self.graph
            or any(t.is_symbolic for t in tensors)
            or (recording and _outside(sweep.history(tensors)[0], self.xs))
        ):
            return aux
        if not any(t.requires_grad for t in tensors):
            return aux
        return form([constant(t._value) if isinstance(t, Tensor) and t.requires_grad else t for t in leaves])

    @property
    def y(self) -> Tensor:
        """The one output."""
        if len(self.ys) != 1:
            raise ValueError(f"{self.what}: the function must return one tensor; it returned {len(self.ys)}")
        return self.ys[0]

    def values(self) -> Any:
        """The outputs as the function returned them, without the history of the fresh variables."""
        return self.output_form([y if self.graph else constant(y._value) for y in self.outputs])

    def gradients(self, seeds: Sequence[Tensor], graph: bool) -> list[Tensor]:
        return _gradients(self.ys, self.xs, seeds, graph, self.path)


def value_and_grad(
    f: Callable[P, R], argnums: Any = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[P, tuple[R, Any]]:
    """The function that gives `(f(*args), df/darg)`, with one run of `f`.

    `argnums` is the argument, or a tuple of them; each can be a nested tuple, list or dict of arrays, and its gradient
    has the same form. It can also be Parameters that `f` uses from outside, alone or in containers, as the weights of a
    model: `loss, grads = gn.value_and_grad(loss_of, model.trainable_variables)(x, y)`. `f` must return one number. With
    `has_aux` it returns `(number, aux)`, and the result is
    `((f, aux), df/darg)`.

    Raises `ValueError` if `f` returns several numbers, `TypeError` for integer arguments and where something left the
    graph: where `f` returns no tensor (unless `allow_constant`), or makes a number or an array of NumPy's of what
    depends on the arguments. A result that does not depend on them gives zeros and a `ConstantWarning`.

    >>> import graphnet as gn
    >>> gn.value_and_grad(lambda x: (x**2).sum())(gn.tensor([1.0, 3.0]))
    (Tensor(10.), Tensor([2., 6.]))
    >>> w = gn.Parameter(3.0)
    >>> gn.value_and_grad(lambda x: w * w * x, [w])(2.0)
    (Tensor(18.), [Tensor(12.)])
    """

    return _value_and_grad(f, argnums, has_aux, allow_constant, "value_and_grad")


def _value_and_grad(
    f: Function, argnums: int | Sequence[int], has_aux: bool, allow_constant: bool, what: str
) -> Function:
    parameters = _parameters(argnums, what)
    if parameters is not None:
        return _by_parameters(f, parameters, has_aux, allow_constant, what)

    @made(f, what)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = _Call(f, args, kwargs, argnums, what, has_aux, allow_constant)
        seed = _seed(call.y, None, f"the gradient of {getattr(f, '__name__', 'a function')}")
        grads = call.form(call.gradients([seed], call.graph))
        y = call.outputs[0] if call.graph else constant(call.outputs[0]._value)
        return ((y, call.aux) if has_aux else y), grads

    return both


def _parameters(argnums: Any, what: str) -> Any:
    """`argnums`, if it is Parameters rather than places of arguments."""
    leaves = flatten(argnums)[0] if not isinstance(argnums, (int, np.integer)) else []
    if not any(isinstance(leaf, Tensor) for leaf in leaves):
        return None
    for leaf in leaves:
        if not isinstance(leaf, Parameter):
            kind = type(leaf).__name__
            raise TypeError(f"{what}: argnums are places of arguments, or Parameters alone; received a {kind} too")
        if not leaf.requires_grad:
            raise ValueError(f"{what}: {line(leaf.name or 'a Parameter')} has trainable=False: it has no gradient")
    return argnums


def _by_parameters(f: Function, parameters: Any, has_aux: bool, allow_constant: bool, what: str) -> Function:
    xs = flatten(parameters)[0]

    @made(f, what)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        outer = state.mode.within
        with differentiating(what, xs) as around:
            result = f(*args, **kwargs)
        result, aux = _parted(result, what) if has_aux else (result, None)
        outputs, ys = tensors(what, result, flatten(result)[0], allow_constant)
        if len(ys) != 1:
            raise ValueError(f"{what}: the function must return one tensor; it returned {len(ys)}")
        if not (allow_constant or around.flat):
            notice_constants(what, ys, xs, sweep.path(sweep.history(ys)[0], xs)[1])
        # Inside of another derivative, or where numbers are not known, the result is to be differentiated in its turn.
        if outer is not None or state.mode.trace is not None or any(t.is_symbolic for t in (*ys, *xs)):
            return ((outputs[0], aux) if has_aux else outputs[0]), _gradients_of(ys[0], parameters, None, False)
        with mode(recording=False):
            grads = _gradients_of(ys[0], parameters, None, False)
        leaves, form = flatten(aux)
        aux = form([constant(t._value) if isinstance(t, Tensor) and t.requires_grad else t for t in leaves])
        y = constant(outputs[0]._value)
        return ((y, aux) if has_aux else y), grads

    return both


def _parted(result: Any, what: str) -> tuple[Any, Any]:
    """The two things that a function with `has_aux` returns."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(
            f"{what}: with has_aux=True the function returns a pair, (output, what else it found); "
            f"it returned {type(result).__name__}"
        )
    return result


@overload
def grad(
    f: Callable[P, Any], argnums: Any = 0, has_aux: Literal[False] = False, *, allow_constant: bool = False
) -> Callable[P, Any]: ...
@overload
def grad(
    f: Callable[P, tuple[Any, R]], argnums: Any = 0, *, has_aux: Literal[True], allow_constant: bool = False
) -> Callable[P, tuple[Any, R]]: ...
def grad(
    f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[..., Any]:
    """The function that gives df/darg: the gradient of a function that returns one number.

    `argnums` is the argument, or a tuple of them; each can be a nested tuple, list or dict of arrays, and its gradient
    has the same form; or Parameters that `f` uses from outside, see `value_and_grad`. The result can be differentiated
    again, to any order. With `has_aux`, `f` returns `(number, aux)` and the result is `(df/darg, aux)`.

    Raises as `value_and_grad` does. Where `f` means to return a constant, `allow_constant=True` gives its zeros.

    >>> import graphnet as gn
    >>> df = gn.grad(lambda x: x**3)
    >>> df(2.0), gn.grad(df)(2.0)
    (Tensor(12.), Tensor(12.))
    >>> gn.grad(lambda x: (x**3, "cubed"), has_aux=True)(2.0)
    (Tensor(12.), 'cubed')
    """
    return _grad(f, argnums, has_aux, allow_constant, "grad")


def _grad(f: Function, argnums: int | Sequence[int], has_aux: bool, allow_constant: bool, what: str) -> Function:
    both = _value_and_grad(f, argnums, has_aux, allow_constant, what)

    @made(f, what)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return gradient


def elementwise_grad(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, *, allow_constant: bool = False
) -> Callable[P, Any]:
    """The function that gives the derivative of each output element with respect to its own input element.

    That is the gradient of the sum of the outputs: the derivative itself where `f` works element by element.

    >>> import graphnet as gn
    >>> gn.elementwise_grad(gn.tanh)([0.0, 1.0])
    Tensor([1.        , 0.41997434])
    """

    @made(f, "elementwise_grad")
    def derivative(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, args, kwargs, argnums, "elementwise_grad", allow_constant=allow_constant)
        for y in call.ys:
            _check_float(y, "elementwise_grad")
        seeds = [constant(np.ones(y.shape, y.dtype)) for y in call.ys]
        return call.form(call.gradients(seeds, call.graph))

    return derivative


@overload
def vjp(
    f: Callable[..., R], *args: Any, has_aux: Literal[False] = False, allow_constant: bool = False
) -> tuple[R, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(
    f: Callable[..., tuple[R, A]], *args: Any, has_aux: Literal[True], allow_constant: bool = False
) -> tuple[R, Callable[[Any], tuple[Any, ...]], A]: ...
def vjp(f: Callable[..., Any], *args: Any, has_aux: bool = False, allow_constant: bool = False) -> Any:
    """`f(*args)`, and the function that maps a gradient of the output to the tuple of gradients of the arguments.

    Both outputs and arguments can be nested containers; a gradient of the output has the output's form. The second
    function can be called any number of times. With `has_aux`, `f` returns `(output, aux)`, and `aux` comes third.

    Raises `ValueError` or `TypeError`, naming the place, for a gradient of another form or shape.

    >>> import graphnet as gn
    >>> y, pullback = gn.vjp(lambda x: x**2, gn.tensor([1.0, 2.0]))
    >>> pullback([1.0, 10.0])
    (Tensor([ 2., 40.]),)
    """
    function(f, "vjp")
    call = _Call(f, args, {}, tuple(range(len(args))), "vjp", has_aux, allow_constant)

    def pullback(gradient: Any) -> Any:
        given = call.output_form.match(gradient, "vjp: the gradient of the output")
        seeds = [_seed(y, g, "vjp") for y, g in zip(call.ys, given, strict=True)]
        return call.form(call.gradients(seeds, call.graph or any(g.requires_grad for g in seeds)))

    return (call.values(), pullback, call.aux) if has_aux else (call.values(), pullback)


def jvp(
    f: Callable[..., R], primals: Sequence[Any], tangents: Sequence[Any], *, allow_constant: bool = False
) -> tuple[R, R]:
    """`f(*primals)` and its directional derivative, the sum of df/dprimal times tangent, in the output's form.

    Each tangent has the form of its primal: dicts are matched by key. Taken by differentiating the vjp, which is linear
    in the gradient it is given.

    Raises `ValueError` or `TypeError`, naming the place, for a tangent of another form or shape.

    >>> import graphnet as gn
    >>> gn.jvp(lambda x: x**2, (gn.tensor([1.0, 2.0]),), (gn.tensor([1.0, 0.5]),))
    (Tensor([1., 4.]), Tensor([2., 2.]))
    """
    function(f, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("jvp: primals and tangents are tuples with one entry per argument of the function")
    call = _Call(f, tuple(primals), {}, tuple(range(len(primals))), "jvp", allow_constant=allow_constant)
    directions = call.form.match(tuple(tangents), "jvp: tangents")
    vs = [_seed(x, v, "jvp", "an argument", "tangent") for x, v in zip(call.xs, directions, strict=True)]
    graph = call.graph or any(v.requires_grad or v.is_symbolic for v in vs)
    for y in call.ys:
        _check_float(y, "jvp")
    dummies = [variable(np.ones(y.shape, y.dtype)) for y in call.ys]
    # The rules are differentiated too: what they compute with the gradient stays in the graph.
    with differentiating("jvp", dummies):
        pulled = call.gradients(dummies, True)
        terms = [sum_op(multiply(w, v)) for w, v in zip(pulled, vs, strict=True)]
        seeds = [constant(np.ones((), t.dtype)) for t in terms]
    pushed = _gradients(terms, dummies, seeds, graph)
    values = [y if graph else constant(y._value) for y in call.outputs]
    pair: tuple[R, R] = (call.output_form(values), call.output_form(pushed))
    return pair


def jacobian(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[P, Any]:
    """The function that gives df/darg with shape `output.shape + arg.shape`; row by row, one backward sweep each.

    Of nested containers of outputs and arguments: in each output's place the form of the arguments. With `has_aux`, `f`
    returns `(output, aux)` and the result is `(df/darg, aux)`.

    >>> import graphnet as gn
    >>> gn.jacobian(lambda x: x * x.sum())(gn.tensor([1.0, 2.0]))
    Tensor([[4., 1.],
            [2., 5.]])
    """

    return _jacobian(f, argnums, has_aux, allow_constant, "jacobian")


def _jacobian(f: Function, argnums: int | Sequence[int], has_aux: bool, allow_constant: bool, what: str) -> Function:
    @made(f, what)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, args, kwargs, argnums, what, has_aux, allow_constant)
        whole = []
        for y in call.ys:
            _check_float(y, what)
            rows = []
            for place in range(y.size):
                one = np.zeros(y.shape, y.dtype)
                one.flat[place] = 1
                rows.append(_gradients([y], call.xs, [constant(one)], call.graph, call.path))
            whole.append(
                call.form(
                    [
                        shaping.reshape(joining.stack([row[i] for row in rows]), y.shape + x.shape)
                        if rows
                        else constant(np.zeros(y.shape + x.shape, y.dtype))
                        for i, x in enumerate(call.xs)
                    ]
                )
            )
        found = call.output_form(whole)
        return (found, call.aux) if has_aux else found

    return matrix


def hessian(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, allow_constant: bool = False
) -> Callable[P, Any]:
    """The function that gives the second derivatives of a function with one output, of shape `arg.shape + arg.shape`.

    Of nested containers: in each leaf's place the form of the argument. With `has_aux`, `f` returns `(number, aux)` and
    the result is `(second derivatives, aux)`.

    >>> import graphnet as gn
    >>> gn.hessian(lambda x: (x**3).sum())(gn.tensor([1.0, 2.0]))
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    df = _grad(f, argnums, has_aux, allow_constant, "hessian")
    return _jacobian(df, argnums, has_aux, allow_constant, "hessian")


def hvp(f: Function, argnums: int = 0, *, allow_constant: bool = False) -> Function:
    """The function of `(*args, vector)` that gives the Hessian of `f` times `vector`, without making the Hessian.

    `vector` has the form of the argument: dicts are matched by key. Costs a few gradients, whatever the size
    (Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994).

    >>> import graphnet as gn
    >>> gn.hvp(lambda x: (x**3).sum())(gn.tensor([1.0, 2.0]), [1.0, 10.0])
    Tensor([  6., 120.])
    """
    df = _grad(f, argnums, False, allow_constant, "hvp")

    @made(f, "hvp")
    def product(*args: Any, **kwargs: Any) -> Any:
        *points, vector = args
        if not points:
            raise TypeError("hvp: call it with the function's arguments and then the vector")

        def along(*inner: Any) -> Any:
            slopes, form = flatten(df(*inner, **kwargs))
            directions = form.match(vector, "hvp: the vector")
            total = None
            for slope, v in zip(slopes, directions, strict=True):
                term = sum_op(multiply(slope, _seed(slope, v, "hvp", "an argument", "vector")))
                total = term if total is None else total + term
            return total

        return _grad(along, argnums, False, allow_constant, "hvp")(*points)

    return product
