"""The record of one operation, and the decorators that make one from a NumPy function.

An op is declared once: its forward body, its shape rule, one gradient rule (vjp) per input, the scalar expression that
lets it fuse, its ONNX name. The decorated function then serves eager values, symbolic building and gradients:

* with known arrays the body runs at once; the node keeps its inputs if one of them needs a gradient;
* with a symbolic input only the shape rule runs;
* inside a gradient rule that runs on bare arrays, the body runs and nothing is wrapped.

In a rule `g` is the gradient of the output `y`, then come the inputs and, by keyword, the attributes. The engine
un-broadcasts, casts, accumulates, and asks only for the gradients on the path: no rule mentions any of that.
"""

from __future__ import annotations

import builtins
import inspect
import linecache
import sys
from collections.abc import Callable, Sequence
from functools import cache, wraps
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.tensor import (
    _PACKAGE,
    KINDS,
    NO_ATTRS,
    WEAK,
    Parameter,
    Spec,
    Tensor,
    as_array,
    caller_site,
    constant,
    materialised,
    new,
    region,
    state,
    tick,
)

Rule = Callable[..., Any]
ndarray = np.ndarray


class Op:
    """One operation.

    `name` (NumPy's, where NumPy has it), `family` ("elementwise", "reduction" or "op"), `forward` (on arrays), `infer`
    (specs and attributes to a spec), `vjp` (a tuple of one rule per input, None where there is no derivative; or one
    rule that takes the input's place first, for ops of any number of inputs), `expr` (a scalar expression in Python
    with `{x}` for the inputs, or None), `ufunc` (the NumPy ufunc that is the whole body, or None), `onnx`.
    """

    __slots__ = (
        "differentiable",
        "doc",
        "expr",
        "family",
        "forward",
        "function",
        "infer",
        "name",
        "onnx",
        "params",
        "prepare",
        "ufunc",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        family: str,
        forward: Callable[..., Any],
        infer: Callable[..., Spec],
        vjp: Sequence[Rule | None] | Rule,
        params: Sequence[str] = (),
        expr: str | None = None,
        ufunc: np.ufunc | None = None,
        onnx: str | None = None,
        prepare: Callable[..., dict[str, Any]] | None = None,
        doc: str | None = None,
    ):
        self.name = name
        self.family = family
        self.forward = forward
        self.infer = infer
        self.vjp = vjp if callable(vjp) else tuple(vjp)
        self.params = tuple(params)
        self.expr = expr
        self.ufunc = ufunc
        self.onnx = onnx
        self.prepare = prepare
        self.doc = doc
        self.differentiable = callable(vjp) or any(rule is not None for rule in vjp)
        self.function: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    def rule(self, place: int) -> Rule | None:
        """The gradient rule for the input at `place`."""
        if isinstance(self.vjp, tuple):
            return self.vjp[place]
        vjp = self.vjp
        return lambda g, y, *inputs, **attrs: vjp(place, g, y, *inputs, **attrs)

    def failure(
        self, error: BaseException, args: Sequence[Any], attrs: dict[str, Any], explain: bool = True
    ) -> BaseException:
        """`error` with op, inputs and layer in its text, said once; the shape rule may know a better reason."""
        if getattr(error, "_graphnet_named", False):
            return error
        reason = str(error)
        try:
            if not explain:
                raise error
            specs = tuple(a._value if isinstance(a, Tensor) else Spec(np.shape(a), np.asarray(a).dtype) for a in args)
            self.infer(*specs, **attrs)
        except Exception as found:
            reason = str(found)
        listed = [described(a) for a in args] + [f"{k}={v!r}" for k, v in attrs.items() if v is not None]
        where = state.mode.region
        layer = "/".join(r.name for r in where.path) + ": " if where is not None else ""
        kind = type(error) if type(error) in (ValueError, TypeError, IndexError, FloatingPointError) else ValueError
        named = kind(f"{layer}{self.name}({', '.join(listed)}): {reason}")
        named._graphnet_named = True  # type: ignore[attr-defined]
        return named


OPS: dict[str, Op] = {}


def described(value: Any) -> str:
    """`float32[5, 7]` for anything with a shape and dtype; a number as itself."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value) if value.__class__ in WEAK else type(value).__name__


def _converted(op: Op, args: Sequence[Any]) -> list[Any]:
    """`args` with arrays, lists and NumPy scalars as tensors; numbers stay weak beside others in elementwise ops."""
    keeps_weak = op.family == "elementwise" and not all(a.__class__ in WEAK for a in args)
    recording = any(a.__class__ in KINDS and a.requires_grad for a in args)
    out = []
    for a in args:
        if a.__class__ in KINDS or (keeps_weak and a.__class__ in WEAK):
            out.append(a)
        else:
            # A history keeps its own copy: writing to the caller's array later must not change a gradient.
            try:
                out.append(constant(as_array(a, copy=recording and a.__class__ is ndarray)))
            except TypeError as error:
                raise op.failure(error, args, NO_ATTRS, explain=False) from None
    return out


def apply(op: Op, args: Sequence[Any], attrs: dict[str, Any] = NO_ATTRS, prepared: bool = False) -> Any:
    """Apply `op`: the path that handles everything. Elementwise functions have a shorter one for plain eager values."""
    m = state.mode
    if m.raw and not any(a.__class__ in KINDS for a in args):
        return op.forward(*args, **attrs)
    if m.trace is not None:
        args = [m.trace.current.get(a, a) if a.__class__ is Parameter else a for a in args]
    inputs = _converted(op, args)
    unknown = any(t.__class__ in KINDS and t._value.__class__ is Spec for t in inputs)
    if m.trace is not None and not unknown:
        # A parameter can change between two calls of the traced graph: inside the trace it counts as unknown.
        unknown = any(t.__class__ is Parameter for t in inputs)
    if unknown:
        inputs = list(materialised(tuple(inputs)))
    values = [t._value if t.__class__ in KINDS else t for t in inputs]
    if op.prepare is not None and not prepared:
        try:
            attrs = op.prepare(*values, **attrs)
        except Exception as error:
            raise op.failure(error, inputs, attrs, explain=False) from None
    try:
        if unknown:
            value = op.infer(*[_spec(v) for v in values], **attrs)
        else:
            value = op.forward(*values, **attrs)
    except Exception as error:
        raise op.failure(error, inputs, attrs) from None
    y = new(Tensor)
    y._value = value if value.__class__ is ndarray or unknown else np.asarray(value)
    needs = unknown or (
        m.recording
        and op.differentiable
        and y._value.dtype.kind == "f"
        and any(t.__class__ in KINDS and t.requires_grad for t in inputs)
    )
    if not needs:
        y.requires_grad = False
        y.op = None
    else:
        y.requires_grad = y._value.dtype.kind == "f" and op.differentiable
        y.op = op
        y._inputs = tuple(inputs)
        y.attrs = attrs
        y._tick = tick()
        y.region = m.region
        frame = sys._getframe(2)
        if frame.f_code.co_filename.startswith(_PACKAGE):
            y._code, y._lasti = caller_site()
        else:
            y._code = frame.f_code
            y._lasti = frame.f_lasti
        if m.of is not None:
            y.gradient_of = m.of
    if m.debug is not None and not unknown:
        m.debug.check(op, inputs, y)
    return y


def apply_prepared(op: Op, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> Tensor:
    """Apply `op` with the attributes of a node, which are in their final form already."""
    return apply(op, inputs, attrs, prepared=True)


def _spec(value: Any) -> Spec:
    return value if value.__class__ is Spec else Spec(value.shape, value.dtype)


def made(op: Op, inputs: Sequence[Tensor], attrs: dict[str, Any], like: Tensor | None = None) -> Tensor:
    """A symbolic node of `op`, without running or converting anything; name, region and source as those of `like`."""
    y = new(Tensor)
    y._value = op.infer(*[_spec(t._value) for t in inputs], **attrs)
    y.requires_grad = y._value.dtype.kind == "f" and op.differentiable
    y.op = op
    y._inputs = tuple(inputs)
    y.attrs = attrs
    y._tick = tick()
    if like is not None:
        y.region, y.name, y._code, y._lasti = like.region, like.name, like._code, like._lasti
        y.gradient_of = like.gradient_of
    return y


# The eager path of an elementwise function, spelled out: on small arrays the time of an op is the time of these lines.
_UNARY = """\
def function({a}):
    if {a}.__class__ in KINDS:
        v = {a}._value
        m = state.mode
        if v.__class__ is ndarray and m.plain:
            try:
                v = f(v)
            except Exception as error:
                raise OP.failure(error, ({a},), NO_ATTRS) from None
            y = new(Tensor)
            y._value = v if v.__class__ is ndarray else asarray(v)
            if {differentiable}{a}.requires_grad and m.recording:
                y.requires_grad = True
                y.op = OP
                y._inputs = ({a},)
                y._tick = tick()
                y.region = m.region
                frame = getframe(1)
                y._code = frame.f_code
                y._lasti = frame.f_lasti
            else:
                y.requires_grad = False
                y.op = None
            return y
    elif {a}.__class__ is ndarray and state.mode.raw:
        return f({a})
    return apply(OP, ({a},))
"""

_BINARY = """\
def function({first}, {second}):
    ca = {a}.__class__
    cb = {b}.__class__
    if ca in KINDS:
        va = {a}._value
        if cb in KINDS:
            vb = {b}._value
            needs = {a}.requires_grad or {b}.requires_grad
        elif cb in WEAK:
            vb = {b}
            needs = {a}.requires_grad
        else:
            return apply(OP, ({a}, {b}))
    elif ca in WEAK and cb in KINDS:
        va = {a}
        vb = {b}._value
        needs = {b}.requires_grad
    elif ca is ndarray and state.mode.raw and cb not in KINDS:
        return f({a}, {b})
    else:
        return apply(OP, ({a}, {b}))
    m = state.mode
    if va.__class__ is Spec or vb.__class__ is Spec or not m.plain:
        return apply(OP, ({a}, {b}))
    try:
        v = f(va, vb)
    except Exception as error:
        raise OP.failure(error, ({a}, {b}), NO_ATTRS) from None
    y = new(Tensor)
    y._value = v if v.__class__ is ndarray else asarray(v)
    if {differentiable}needs and m.recording:
        y.requires_grad = True
        y.op = OP
        y._inputs = ({a}, {b})
        y._tick = tick()
        y.region = m.region
        frame = getframe(1)
        y._code = frame.f_code
        y._lasti = frame.f_lasti
    else:
        y.requires_grad = False
        y.op = None
    return y
"""


@cache
def _code(source: str, label: str) -> CodeType:
    """The code of the one function in `source`: compiled once for all ops whose function reads the same."""
    filename = f"{_PACKAGE}<{label}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    module = compile(source, filename, "exec")
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def _compiled(source: str, name: str, label: str, names: dict[str, Any], defaults: tuple[Any, ...] = ()) -> Any:
    """The function in generated `source`, under another name, with these globals; tracebacks can show its lines."""
    code = _code(source, label).replace(co_name=name)
    return FunctionType(code, {**names, "__builtins__": builtins, "__name__": __name__}, name, defaults or None)


_SCOPE: dict[str, Any] = {
    "KINDS": KINDS,
    "WEAK": WEAK,
    "NO_ATTRS": NO_ATTRS,
    "Tensor": Tensor,
    "Spec": Spec,
    "ndarray": ndarray,
    "asarray": np.asarray,
    "state": state,
    "new": new,
    "tick": tick,
    "getframe": sys._getframe,
    "apply": apply,
}


def fast(op: Op, swapped: bool = False) -> Callable[..., Any]:
    """The function of an op of one or two inputs and no attributes; `swapped` takes the second first (`__radd__`)."""
    label = op.name + ("_reflected" if swapped else "")
    differentiable = "" if op.differentiable else "False and "
    names = dict(_SCOPE, OP=op, f=op.ufunc or op.forward)
    if len(op.params) == 1:
        source = _UNARY.format(a=op.params[0], differentiable=differentiable)
    else:
        a, b = op.params
        first, second = (b, a) if swapped else (a, b)
        source = _BINARY.format(a=a, b=b, first=first, second=second, differentiable=differentiable)
    return _compiled(source, label, "elementwise", names)


def _dispatching(op: Op, body: Callable[..., Any]) -> Callable[..., Any]:
    """A function with `body`'s signature that applies `op`."""
    parameters = list(inspect.signature(body).parameters.values())
    variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    tensors = f"*{variadic[0].name}, " if variadic else "".join(f"{p}, " for p in op.params)
    attrs = [p for p in parameters if p.name not in op.params and p not in variadic]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    listed, positional, keyword = [], [], {}
    starred = False
    for p in plain:
        if p.kind is p.VAR_POSITIONAL:
            starred = True
        elif p.kind is p.KEYWORD_ONLY and not starred:
            listed.append("*")
            starred = True
        listed.append(f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name)
        if p.default is not p.empty:
            if p.kind is p.KEYWORD_ONLY:
                keyword[p.name] = p.default
            else:
                positional.append(p.default)
    given = "{" + ", ".join(f"{p.name!r}: {p.name}" for p in attrs) + "}" if attrs else "NO_ATTRS"
    source = f"def function({', '.join(listed)}):\n    return apply(OP, ({tensors}), {given})\n"
    function = _compiled(source, op.name, "dispatch", dict(_SCOPE, OP=op), tuple(positional))
    function.__kwdefaults__ = keyword or None
    return function


def _registered(op: Op, body: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    if op.name in OPS:
        raise ValueError(f"an op named {op.name!r} exists already")
    OPS[op.name] = op
    op.function = function
    function.__name__ = body.__name__
    function.__qualname__ = body.__qualname__
    function.__doc__ = body.__doc__
    function.__module__ = body.__module__
    function.op = op  # type: ignore[attr-defined]
    return function


def _tensor_params(body: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The first `count` parameters of `body`, or its one starred parameter."""
    parameters = list(inspect.signature(body).parameters.values())
    if parameters and parameters[0].kind is parameters[0].VAR_POSITIONAL:
        return ()
    return tuple(p.name for p in parameters[:count])


def _whole_ufunc(body: Callable[..., Any], arity: int) -> np.ufunc | None:
    """The NumPy ufunc that `body` does nothing but call, if it is so."""
    names = body.__code__.co_names
    if len(names) == 2 and names[0] == "np" and all(c is None or isinstance(c, str) for c in body.__code__.co_consts):
        found = getattr(np, names[1], None)
        if isinstance(found, np.ufunc) and found.nin == arity and found.nout == 1:
            return found
    return None


def probed_dtype(forward: Callable[..., Any]) -> Callable[..., np.dtype]:
    """A dtype rule that asks the body itself, once for each combination of dtypes, with arrays of ones."""
    cache: dict[Any, np.dtype] = {}

    def rule(*specs: Any, **attrs: Any) -> np.dtype:
        key = (tuple(s.dtype for s in specs), tuple(len(s.shape) for s in specs), str(attrs) if attrs else None)
        if key not in cache:
            with np.errstate(all="ignore"):
                cache[key] = np.asarray(forward(*[np.ones((1,) * len(s.shape), s.dtype) for s in specs], **attrs)).dtype
        return cache[key]

    return rule


def elementwise(
    expr: str | None = None, *, vjp: Sequence[Rule | None], onnx: str | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Make an op that works element by element on inputs that broadcast; parameters without a default are its inputs.

    A body that is nothing but a call of one NumPy ufunc (`return np.exp(x)`) runs as that ufunc.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        parameters = inspect.signature(body).parameters.values()
        params = tuple(p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD)
        plain = len(params) == len(parameters)
        forward: Callable[..., Any] = (_whole_ufunc(body, len(params)) if plain else None) or body
        dtype = probed_dtype(forward)

        def infer(*specs: Any, **attrs: Any) -> Spec:
            return Spec(shapes.broadcast(*(s.shape for s in specs)), dtype(*specs, **attrs))

        ufunc = forward if isinstance(forward, np.ufunc) else None
        made_op = Op(
            body.__name__, "elementwise", forward, infer, vjp, params, expr, ufunc, onnx, doc=inspect.getdoc(body)
        )
        short = plain and len(params) <= 2
        return _registered(made_op, body, fast(made_op) if short else _dispatching(made_op, body))

    return decorate


def reduction(
    *, vjp: Rule | None, onnx: str | None = None, expr: str | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Make an op that reduces over `axis` (one, several or all), with `keepdims`.

    Its rule sees `g` and `y` with the reduced axes kept at size one, and `axis` as a tuple counted from the front.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        dtype = probed_dtype(body)

        def infer(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> Spec:
            axes = shapes.axes_indices(axis, len(x.shape))
            return Spec(shapes.reduced(x.shape, axes, keepdims), dtype(Spec((1,), x.dtype)))

        def prepare(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> dict[str, Any]:
            return {"axis": shapes.axes_indices(axis, len(x.shape)), "keepdims": bool(keepdims), **attrs}

        def rule(g: Any, y: Any, x: Any, axis: Any, keepdims: bool, **attrs: Any) -> Any:
            if not keepdims:
                kept = shapes.kept(x.shape, axis)
                g, y = g.reshape(kept), y.reshape(kept)
            return vjp(g, y, x, axis=axis, **attrs)  # type: ignore[misc]

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
            doc=inspect.getdoc(body),
        )
        return _registered(made_op, body, _dispatching(made_op, body))

    return decorate


def op(
    shape: str | Callable[..., Any],
    *,
    vjp: Sequence[Rule | None] | Rule,
    dtype: Any = None,
    prepare: Callable[..., dict[str, Any]] | None = None,
    onnx: str | None = None,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Make any other op, called as its body unless `name` says otherwise.

    `shape` is a gufunc signature, or a function of specs (`.shape`, `.dtype`) and attributes that gives the shape;
    `dtype` a dtype, a function of the same kind, or None for the promoted dtype of the inputs. `vjp` has one rule per
    input, or is one rule `(place, g, y, *inputs, **attrs)` for an op that takes `*inputs`. `prepare` brings attributes
    to one form (axes from the front, say) from the inputs' arrays or specs and the attributes as written.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        if isinstance(shape, str):
            signature = shape

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

        params = _tensor_params(body, 0 if callable(vjp) else len(vjp))
        made_op = Op(
            name or body.__name__, "op", body, infer, vjp, params, onnx=onnx, prepare=prepare, doc=inspect.getdoc(body)
        )
        short = prepare is None and 0 < len(params) <= 2 and len(params) == len(inspect.signature(body).parameters)
        return _registered(made_op, body, fast(made_op) if short else _dispatching(made_op, body))

    return decorate


def composite(f: Callable[..., Any]) -> Any:
    """Mark a function written in tensor code: its ops stay primitive, and a Region around them has its name.

    Parameters without a default are tensors: numbers, lists and arrays given for them are converted.
    """
    signature = inspect.signature(f)
    count = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())
    attr_names = [p.name for p in signature.parameters.values()][count:]

    @wraps(f)
    def labelled(*args: Any, **kwargs: Any) -> Any:
        if state.mode.raw and not any(a.__class__ in KINDS for a in args):
            return f(*args, **kwargs)
        given = [a if a.__class__ in KINDS else constant(as_array(a)) for a in args[:count]]
        attrs = dict(zip(attr_names, args[count:], strict=False), **kwargs)
        with region(f.__name__) as label:
            label.attrs = attrs
            return f(*given, *args[count:], **kwargs)

    labelled.composite = True  # type: ignore[attr-defined]
    return labelled
