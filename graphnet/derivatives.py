"""Derivatives of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np

from graphnet import sweep
from graphnet.containers import flatten
from graphnet.differentiated import Differentiated, Function, result_and_aux
from graphnet.escape import line
from graphnet.functions import function
from graphnet.leaves import Parameter, variable
from graphnet.mode import differentiating, mode, state
from graphnet.named import made
from graphnet.node import Tensor, constant
from graphnet.ops.arithmetic import multiply
from graphnet.ops.reduce import sum as sum_op
from graphnet.results import notice_constants, tensors
from graphnet.tensor_gradients import check_float, gradients_of, seed_of, vector_jacobian
from graphnet.typed import P, R

A = TypeVar("A")


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
        call = Differentiated(f, args, kwargs, argnums, what, has_aux, allow_constant)
        seed = seed_of(call.y, None, f"the gradient of {getattr(f, '__name__', 'a function')}")
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
        result, aux = result_and_aux(result, what) if has_aux else (result, None)
        outputs, ys = tensors(what, result, flatten(result)[0], allow_constant)
        if len(ys) != 1:
            raise ValueError(f"{what}: the function must return one tensor; it returned {len(ys)}")
        if not (allow_constant or around.flat):
            notice_constants(what, ys, xs, sweep.path(sweep.history(ys)[0], xs)[1])
        # Inside of another derivative, or where numbers are not known, the result is to be differentiated in its turn.
        if outer is not None or state.mode.trace is not None or any(t.is_symbolic for t in (*ys, *xs)):
            return ((outputs[0], aux) if has_aux else outputs[0]), gradients_of(ys[0], parameters, None, False)
        with mode(recording=False):
            grads = gradients_of(ys[0], parameters, None, False)
        leaves, form = flatten(aux)
        aux = form([constant(t._value) if isinstance(t, Tensor) and t.requires_grad else t for t in leaves])
        y = constant(outputs[0]._value)
        return ((y, aux) if has_aux else y), grads

    return both


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
        call = Differentiated(f, args, kwargs, argnums, "elementwise_grad", allow_constant=allow_constant)
        for y in call.ys:
            check_float(y, "elementwise_grad")
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
    call = Differentiated(f, args, {}, tuple(range(len(args))), "vjp", has_aux, allow_constant)

    def pullback(gradient: Any) -> Any:
        given = call.output_form.match(gradient, "vjp: the gradient of the output")
        seeds = [seed_of(y, g, "vjp") for y, g in zip(call.ys, given, strict=True)]
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
    call = Differentiated(f, tuple(primals), {}, tuple(range(len(primals))), "jvp", allow_constant=allow_constant)
    directions = call.form.match(tuple(tangents), "jvp: tangents")
    vs = [seed_of(x, v, "jvp", "an argument", "tangent") for x, v in zip(call.xs, directions, strict=True)]
    graph = call.graph or any(v.requires_grad or v.is_symbolic for v in vs)
    for y in call.ys:
        check_float(y, "jvp")
    dummies = [variable(np.ones(y.shape, y.dtype)) for y in call.ys]
    # The rules are differentiated too: what they compute with the gradient stays in the graph.
    with differentiating("jvp", dummies):
        pulled = call.gradients(dummies, True)
        terms = [sum_op(multiply(w, v)) for w, v in zip(pulled, vs, strict=True)]
        seeds = [constant(np.ones((), t.dtype)) for t in terms]
    pushed = vector_jacobian(terms, dummies, seeds, graph)
    values = [y if graph else constant(y._value) for y in call.outputs]
    pair: tuple[R, R] = (call.output_form(values), call.output_form(pushed))
    return pair


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
                term = sum_op(multiply(slope, seed_of(slope, v, "hvp", "an argument", "vector")))
                total = term if total is None else total + term
            return total

        return _grad(along, argnums, False, allow_constant, "hvp")(*points)

    return product
