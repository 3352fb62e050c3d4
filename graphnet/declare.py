"""The decorators that make an op from a NumPy function.

An op is declared once: its forward body, its shape rule, one gradient rule (vjp) per input, the scalar expression that
lets it fuse, its ONNX name. The decorated function then serves eager values, symbolic building and gradients:

* with known arrays the body runs at once; the node keeps its inputs if one of them needs a gradient;
* with a symbolic input only the shape rule runs;
* inside a gradient rule that runs on bare arrays, the body runs and nothing is wrapped.

In a rule `g` is the gradient of the output `y`, then come the inputs and, by keyword, the attributes. The engine
un-broadcasts, casts, accumulates, and asks only for the gradients on the path: no rule mentions any of that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphnet import checked, shapes
from graphnet.arrays import Spec
from graphnet.dispatch import dispatching, fast
from graphnet.record import Op, Rule, probed_dtype, registered
from graphnet.typed import OpFunction, P


def _own(body: Callable[..., Any]) -> bool:
    """Whether a body is the package's own, which tests cover; all others are checked as they run."""
    return (body.__module__ or "").partition(".")[0] == __name__.partition(".")[0]


def _registered(op: Op, body: Callable[P, Any], short: bool, core: Any = None) -> OpFunction[P]:
    """The function that users call for `op`, which is known by its name from now on; `short` says by the short path."""
    op.doc = inspect.getdoc(body)
    if not op.builtin:
        checked.guard(op, core)
    function: Any = fast(op) if short else dispatching(op, body)
    registered(op)
    op.function = function
    function.__name__ = body.__name__
    function.__qualname__ = body.__qualname__
    function.__doc__ = body.__doc__
    function.__module__ = body.__module__
    function.__annotations__ = {**body.__annotations__, "return": "Tensor"}
    function.op = op
    return function


def _tensor_params(name: str, body: Callable[..., Any], vjp: Any) -> tuple[str, ...]:
    """The parameters of `body` that are inputs: the first ones, one for each rule; none where it takes `*inputs`."""
    parameters = list(inspect.signature(body).parameters.values())
    starred = bool(parameters) and parameters[0].kind is parameters[0].VAR_POSITIONAL
    if callable(vjp):
        if not starred:
            raise ValueError(f"{name}: one rule for all inputs is for a body that takes *inputs; give a rule for each")
        return ()
    if starred:
        raise ValueError(f"{name}: a body that takes *inputs has one rule, vjp(place, g, y, *inputs); received {vjp!r}")
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)]
    if not 0 < len(vjp) <= len(positional):
        raise ValueError(
            f"{name}: vjp has one rule (or None) for each input; received {len(vjp)} for a body that takes "
            f"({', '.join(positional)})"
        )
    return tuple(positional[: len(vjp)])


def elementwise(
    expr: str | None = None,
    *,
    vjp: Sequence[Rule | None],
    ufunc: np.ufunc | None = None,
    onnx: str | None = None,
    into: Callable[..., None] | None = None,
    may_raise: bool | Callable[..., bool] | None = None,
    complex: bool = False,
    beside: Mapping[Any, Callable[[Any], Any] | None] | None = None,
    pairs: dict[Op, Sequence[Rule]] | None = None,
    reads: Callable[..., Any] | None = None,
    batch: Callable[..., Any] | None = None,
    kink: tuple[str, Callable[..., Any]] | None = None,
    guards: np.ufunc | None = None,
    commutes: str | None = None,
    same: bool = False,
    view: str | None = None,
    truth: Sequence[str] = (),
    kinds: str = "iuf",
    cost: float | None = None,
    weight: int | None = None,
) -> Callable[[Callable[P, Any]], OpFunction[P]]:
    """Make an op that works element by element on inputs that broadcast; parameters without a default are its inputs.

    With `ufunc` the op is that NumPy ufunc: the decorated function has its parameters and its docstring, and no body.
    `vjp` has one rule, or None, for each input. `may_raise` says whether the body can fail because of a value; without
    it, a ufunc cannot, and a body can. `into` is the body as a function that writes into its first argument, for plans;
    all that is not named here is the field of that name of `Op`. `complex` says that the rules are right for complex
    numbers too, with gradients `g` such that the change of the final number is the real part of `g * dy`; without it,
    such gradients are refused. A rule is a function of `g`, `y`, the inputs and the attributes. One that is written
    with `math`, or makes arrays of them, gives first derivatives, and `TypeError` where it is differentiated itself.

    Raises `ValueError` for a name that is taken, for a number of rules that is not that of the inputs, and for a ufunc
    of another number of inputs. The body of an op that is not graphnet's own gets read-only arrays, and a result of
    another shape than its inputs broadcast to raises.

    >>> import numpy as np
    >>> import graphnet as gn
    >>> @gn.elementwise(vjp=(lambda g, y, x: g * y * (-2.0 * x),))
    ... def bell(x):
    ...     return np.exp(-x * x)
    >>> bell(2.0), gn.grad(bell)(0.5)
    (Tensor(0.01831564), Tensor(-0.77880078))
    """

    def decorate(body: Callable[P, Any]) -> OpFunction[P]:
        name = body.__name__
        parameters = inspect.signature(body).parameters.values()
        params = tuple(p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD)
        plain = len(params) == len(parameters)
        if not callable(vjp) and len(vjp) != len(params):
            raise ValueError(
                f"{name}: vjp has one rule (or None) for each of its {len(params)} inputs ({', '.join(params)}); "
                f"received {len(vjp)}"
            )
        if ufunc is not None and not (plain and ufunc.nin == len(params) and ufunc.nout == 1 and not ufunc.signature):
            raise ValueError(
                f"{name}: np.{ufunc.__name__} takes {ufunc.nin} inputs and gives {ufunc.nout}; "
                f"the op takes ({', '.join(map(str, parameters))}) and gives one"
            )
        dtype = probed_dtype(ufunc or body)

        def infer(*specs: Any, **attrs: Any) -> Spec:
            return Spec(shapes.broadcast(*(s.shape for s in specs)), dtype(*specs, **attrs))

        own = _own(body)
        made_op = Op(
            name,
            "elementwise",
            ufunc or body,
            infer,
            vjp,
            params,
            expr,
            ufunc,
            onnx,
            into=into,
            may_raise=(ufunc is None and not own) if may_raise is None else may_raise,
            builtin=own,
            complex=complex,
            beside={other.op: formula for other, formula in (beside or {}).items()},
            pairs=pairs,
            reads=reads,
            batch=batch,
            kink=kink,
            guards=guards,
            commutes=commutes,
            same=same,
            view=view,
            truth=tuple(truth),
            kinds=kinds,
            cost=cost,
            weight=weight,
        )
        return _registered(made_op, body, plain and len(params) <= 2)

    return decorate


def reduction(
    *,
    vjp: Rule | None,
    onnx: str | None = None,
    expr: str | None = None,
    may_raise: bool | Callable[..., bool] | None = None,
    complex: bool = False,
    of_nothing: bool = True,
    kink: tuple[str, Callable[..., Any]] | None = None,
    fold: np.ufunc | None = None,
    batch: Callable[..., Any] | None = None,
) -> Callable[[Callable[P, Any]], OpFunction[P]]:
    """A decorator: it makes an op that reduces over `axis` (one, several or all), with `keepdims`, from its NumPy body.

    Its rule sees `g` and `y` with the reduced axes kept at size one, and `axis` as a tuple counted from the front.
    `of_nothing` says whether it has a value over no elements; without it, that raises `ValueError`. `kink` is that of
    `Op`, with y as the rule sees it.

    Raises `ValueError` for a name that is taken.

    >>> import numpy as np
    >>> import graphnet as gn
    >>> @gn.reduction(vjp=lambda g, y, x, axis: 2.0 * g * x)
    ... def energy(x, axis=None, keepdims=False):
    ...     return np.sum(x * x, axis=axis, keepdims=keepdims)
    >>> energy([[1.0, 2.0], [3.0, 4.0]], axis=1), gn.grad(energy)([1.0, 2.0])
    (Tensor([ 5., 25.]), Tensor([2., 4.]))
    """

    def decorate(body: Callable[P, Any]) -> OpFunction[P]:
        dtype = probed_dtype(body)

        def infer(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> Spec:
            axes = shapes.axes_indices(axis, len(x.shape))
            return Spec(shapes.reduced(x.shape, axes, keepdims), dtype(Spec((1,), x.dtype)))

        def prepare(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> dict[str, Any]:
            axes = shapes.axes_indices(axis, len(x.shape))
            if not of_nothing and any(x.shape[a] == 0 for a in axes):
                raise ValueError(f"the {body.__name__} of no numbers is not defined")
            return {"axis": axes, "keepdims": bool(keepdims), **attrs}

        def rule(g: Any, y: Any, x: Any, axis: Any, keepdims: bool, **attrs: Any) -> Any:
            if not keepdims:
                kept = shapes.kept(x.shape, axis)
                g, y = g.reshape(kept), y.reshape(kept)
            return vjp(g, y, x, axis=axis, **attrs)  # type: ignore[misc]

        def at(y: Any, x: Any, axis: Any, keepdims: bool, **attrs: Any) -> Any:
            found = kink[1](y.reshape(shapes.kept(x.shape, axis)), x, axis=axis, **attrs)  # type: ignore[index]
            return np.reshape(found, y.shape)

        own = _own(body)
        made_op = Op(
            body.__name__,
            "reduction",
            body,
            infer,
            (rule if vjp else None,),
            ("x",),
            expr,
            onnx=onnx,
            prepare=prepare,
            may_raise=not own if may_raise is None else may_raise,
            builtin=own,
            kink=(kink[0], at) if kink is not None else None,
            complex=complex,
            fold=fold,
            batch=batch,
        )
        return _registered(made_op, body, False)

    return decorate


def op(
    shape: str | Callable[..., Any],
    *,
    vjp: Sequence[Rule | None] | Rule,
    dtype: Any = None,
    prepare: Callable[..., dict[str, Any]] | None = None,
    onnx: str | None = None,
    name: str | None = None,
    into: Callable[..., None] | None = None,
    may_raise: bool | Callable[..., bool] | None = None,
    hidden: bool = False,
    complex: bool = False,
    ready: Callable[..., Any] | None = None,
    same: bool = False,
    view: str | None = None,
    fold: np.ufunc | None = None,
    position: bool = False,
    indexed: Rule | None = None,
    cost: float | None = None,
    weight: int | None = None,
    batch: Callable[..., Any] | None = None,
) -> Callable[[Callable[P, Any]], OpFunction[P]]:
    """A decorator: it makes any other op from its NumPy body, called as that unless `name` says otherwise.

    `shape` is a gufunc signature, or a function of specs (`.shape`, `.dtype`) and attributes that gives the shape;
    `dtype` a dtype, a function of the same kind, or None for the promoted dtype of the inputs. `vjp` has one rule per
    input, or is one rule `(place, g, y, *inputs, **attrs)` for an op that takes `*inputs`. `prepare` brings attributes
    to one form (axes from the front, say) from the inputs' arrays or specs and the attributes as written. `into` is the
    body as a function that writes into its first argument, for plans. `may_raise` says whether the body can fail
    because of a value: in a step that is compiled nothing is changed before all that can. Without it, it can. `complex`
    as in `elementwise`, and so are rules that are not written in tensor ops; `hidden` is for ops that nobody calls by
    name. `ready`, a function of the attributes, returns when native code that the body runs is there. `batch` is the
    batching rule; what else is not named here is the field of that name of `Op`.

    Raises `ValueError` for a name that is taken, and for a number of rules that is not that of the inputs. The body of
    an op that is not graphnet's own gets read-only arrays; a result, or a gradient from a rule, of another shape than
    was said raises.

    >>> import numpy as np
    >>> import graphnet as gn
    >>> @gn.op("(n),(n)->()", vjp=(lambda g, y, a, b: g[..., None] * b, lambda g, y, a, b: g[..., None] * a))
    ... def scalar_product(a, b):
    ...     return np.sum(a * b, axis=-1)
    >>> scalar_product([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
    Tensor([12., 34.])
    >>> gn.grad(scalar_product)([1.0, 2.0], [10.0, 1.0])
    Tensor([10.,  1.])
    """

    def decorate(body: Callable[P, Any]) -> OpFunction[P]:
        label = name or body.__name__
        core: list[tuple[int, int]] | None = None
        if isinstance(shape, str):
            signature = shape
            ins, out = shapes.core_axes(signature)
            if not callable(vjp) and len(ins) != len(vjp):
                raise ValueError(
                    f"{label}: the signature {signature!r} names {len(ins)} inputs; vjp has {len(vjp)} rules, "
                    "and there is one (or None) for each input"
                )
            core = [(out, n) for n in ins]

            def shape_rule(*specs: Any, **attrs: Any) -> Any:
                return shapes.gufunc(signature, *(s.shape for s in specs))
        else:
            shape_rule = shape

        def infer(*specs: Any, **attrs: Any) -> Spec:
            if dtype is None:
                found = np.result_type(*(s.dtype for s in specs))
            else:
                found = dtype(*specs, **attrs) if callable(dtype) and not isinstance(dtype, type) else np.dtype(dtype)
            return Spec(tuple(shape_rule(*specs, **attrs)), found)

        params = _tensor_params(label, body, vjp)
        own = _own(body)
        made_op = Op(
            label,
            "op",
            body,
            infer,
            vjp,
            params,
            onnx=onnx,
            prepare=prepare,
            into=into,
            may_raise=not own if may_raise is None else may_raise,
            hidden=hidden,
            builtin=own,
            complex=complex,
            ready=ready,
            same=same,
            view=view,
            fold=fold,
            position=position,
            indexed=indexed,
            cost=cost,
            weight=weight,
            batch=batch,
        )
        short = prepare is None and 0 < len(params) <= 2 and len(params) == len(inspect.signature(body).parameters)
        return _registered(made_op, body, short, core)

    return decorate
