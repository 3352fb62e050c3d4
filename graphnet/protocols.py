"""NumPy's protocols: what a NumPy function, a ufunc or an array conversion does when a tensor is among its arguments.

A function of NumPy's either gives tensors, through the op of that name, or says that it has no counterpart: never
an array of objects, never an argument that is silently dropped. `graphnet.methods` attaches what is here to `Tensor`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import as_tensor
from graphnet.arrays import leaving, settled
from graphnet.escape import line
from graphnet.foreign import handed, is_numbers
from graphnet.mode import state
from graphnet.node import Tensor, constant
from graphnet.ops import products
from graphnet.record import OPS

Function = Callable[..., Any]


def booleans_only(function: Function, sign: str) -> Function:
    """`function` for booleans; on numbers NumPy works bit by bit, which tensors don't, so those are refused."""

    def checked(*args: Any) -> Any:
        for a in args:
            kind = a.dtype.kind if hasattr(a, "dtype") else np.asarray(a).dtype.kind
            if kind != "b":
                raise TypeError(f"{sign} joins booleans; received {getattr(a, 'dtype', type(a).__name__)}")
        return function(*args)

    return checked


def array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """The values, read-only unless copied: what `np.asarray` and `np.array` ask for."""
    if self.requires_grad or self.is_symbolic:
        found = handed(self, sys._getframe(1))
        if found is not None:
            return found
    if self.is_symbolic:
        raise TypeError(
            f"the symbolic tensor {f'{line(self.name)} ' if self.name else ''}{self.dtype}{list(self.shape)} cannot "
            "become an array: its values are not known yet (np.array, np.asarray, an assignment into an array); "
            "compute on with tensors: NumPy's functions take them, gn.stack or gn.tensor makes one of several, and "
            "gn.set_at assigns"
        )
    value = leaving(self, "an array of NumPy's (np.array, np.asarray, an assignment into an array)").view()
    value.flags.writeable = False
    if dtype is not None and np.dtype(dtype) != value.dtype:
        if copy is False:
            raise ValueError(f"an array of {np.dtype(dtype)} from {value.dtype} needs a copy")
        return value.astype(dtype)
    return value.copy() if copy else value


def _written(t: Any, how: str, instead: str) -> Any:
    """The array of `t` to write into an array of NumPy's, which keeps no history: so `t` must have none to lose."""
    if not isinstance(t, Tensor):
        return t
    if (t.requires_grad and state.mode.recording) or t.is_symbolic:
        kind = "is symbolic" if t.is_symbolic else "needs a gradient"
        raise TypeError(
            f"{how} cannot write a tensor that {kind} into an array of NumPy's: the gradient would be lost; write "
            f"{instead}, or for a value without a gradient gn.stop_gradient(x) or x.detach()"
        )
    return settled(t, how)


def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if isinstance(dst, Tensor):
        raise TypeError("np.copyto cannot write into a tensor: use gn.set_at, gn.full or gn.full_like")
    where = settled(where, "np.copyto") if isinstance(where, Tensor) else where
    np.copyto(dst, _written(src, "np.copyto", "gn.full or gn.set_at"), casting, where)


_REDUCTIONS: dict[str, Function] = {
    "add": ops.sum,
    "multiply": ops.prod,
    "maximum": ops.max,
    "minimum": ops.min,
    "logical_and": ops.all,
    "logical_or": ops.any,
}
_ufunc_table: dict[str, Function] = {}


def _ufuncs() -> dict[str, Function]:
    if not _ufunc_table:
        from graphnet.ops.numpy_numbers import heaviside

        for op in OPS.values():
            if op.builtin and op.function is not None and isinstance(getattr(np, op.name, None), np.ufunc):
                _ufunc_table[op.name] = op.function
        _ufunc_table.update(deg2rad=ops.deg2rad, rad2deg=ops.rad2deg, radians=ops.radians, degrees=ops.degrees)
        _ufunc_table.update(
            divmod=lambda a, b: (ops.floor_divide(a, b), ops.remainder(a, b)),
            fabs=ops.absolute,
            float_power=lambda a, b: ops.power(ops.astype(as_tensor(a), np.float64), b),
            heaviside=heaviside,
            signbit=lambda x: ops.less(ops.copysign(1.0, x), 0),
            # SciPy's names.
            erf=ops.erf,
            erfc=ops.erfc,
            expit=ops.sigmoid,
            log_expit=ops.log_sigmoid,
        )
        _ufunc_table.update(
            bitwise_and=booleans_only(ops.logical_and, "&"),
            bitwise_or=booleans_only(ops.logical_or, "|"),
            bitwise_xor=booleans_only(ops.logical_xor, "^"),
            invert=booleans_only(ops.logical_not, "~"),
        )
    return _ufunc_table


def _reduced(name: str, x: Any, options: dict[str, Any]) -> Any:
    axis, keepdims = options.pop("axis", 0), options.pop("keepdims", False)
    dtype = options.pop("dtype", None)
    left = [key for key, value in options.items() if value is not None and value is not np._NoValue]
    if left:
        raise TypeError(f"np.{name}.reduce on tensors does not take {', '.join(left)}")
    return _REDUCTIONS[name](x if dtype is None else ops.astype(x, dtype), axis=axis, keepdims=keepdims)


_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "remainder": "%",
    "power": "**",
    "matmul": "@",
}


def array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """A ufunc with a tensor among its inputs: our op of the same name, or a `TypeError` that says what is missing."""
    name = ufunc.__name__
    function = _ufuncs().get(name)
    if not kwargs and function is not None and method == "__call__" and name not in ("equal", "not_equal"):
        return function(*inputs)
    if (out := kwargs.pop("out", None)) is not None:
        if any(isinstance(t, Tensor) for t in out):
            raise TypeError(f"np.{name} with out= cannot write into a tensor, which never changes: use the result")
        sign = _SIGNS.get(name, name)
        instead = f"a = a {sign} x" if name in _SIGNS else f"a = gn.{name}(...)"
        how = f"np.{name} with out= (as in a {sign}= x)"
        return getattr(ufunc, method)(*(_written(t, how, instead) for t in inputs), out=out, **kwargs)
    if kwargs.get("where", True) is not True:
        raise TypeError(f"np.{name} with where= does not work on tensors: use gn.where")
    kwargs.pop("where", None)
    if method == "accumulate" and name in ("add", "multiply"):
        if kwargs.get("dtype") is not None:
            inputs = (ops.astype(as_tensor(inputs[0]), kwargs["dtype"]),)
        return _functions()[np.cumsum if name == "add" else np.cumprod](inputs[0], axis=kwargs.get("axis", 0))
    if method == "reduce" and name in _REDUCTIONS:
        return _reduced(name, inputs[0], kwargs)
    if method == "outer" and ufunc.nin == 2 and ufunc.signature is None and name in _ufuncs():
        a, b = map(as_tensor, inputs)
        a = ops.reshape(a, a.shape + (1,) * b.ndim)
        return array_ufunc(self, ufunc, "__call__", a, b, **kwargs)
    if method != "__call__":
        raise TypeError(f"np.{name}.{method} does not work on tensors; use t.numpy() for plain values")
    dtype = kwargs.pop("dtype", None)
    if kwargs:
        raise TypeError(f"np.{name} on tensors does not take {', '.join(kwargs)}")
    if name in ("equal", "not_equal") and not all(map(is_numbers, inputs)):
        # As in NumPy: what are no numbers are not equal to any.
        return constant(np.full(np.broadcast_shapes(*map(np.shape, inputs)), name == "not_equal"))
    if function is None:
        raise TypeError(
            f"np.{name} has no counterpart in graphnet; use t.numpy() for plain values (t.detach().numpy() where the "
            "gradient is not meant to flow), or write it with gn's functions"
        )
    result = function(*inputs)
    return result if dtype is None else ops.astype(result, dtype)


def _plain(function: Function) -> Function:
    """A function whose result is no tensor and has no slope: it gets the values, and known ones only."""
    name = f"np.{function.__name__}"

    def values(part: Any) -> Any:
        if isinstance(part, Tensor):
            return settled(part, name)
        return type(part)(map(values, part)) if type(part) in (list, tuple) else part

    def plain(*args: Any, **kwargs: Any) -> Any:
        found = function(*map(values, args), **{k: values(v) for k, v in kwargs.items()})
        if isinstance(found, tuple):
            return tuple(map(constant, found))
        return constant(found) if isinstance(found, np.ndarray) else found

    return plain


def _result_type(*args: Any) -> np.dtype:
    return np.result_type(*(a.dtype if isinstance(a, Tensor) else a for a in args))


_SAME_NAME = (
    "sum prod mean var std max min amax amin argmax argmin any all cumsum round reshape ravel transpose swapaxes "
    "moveaxis expand_dims squeeze broadcast_to concatenate stack split array_split pad flip roll tile repeat tril triu "
    "zeros_like ones_like full_like take take_along_axis diag diagonal argsort sort dot inner outer vdot tensordot "
    "einsum sinc real imag angle"
)
#: NumPy calculates these in the dtype that is asked for; of those it converts the result
_IN_DTYPE = frozenset({"sum", "prod", "mean", "var", "std", "cumsum"})
_TO_DTYPE = frozenset({"concatenate", "stack", "hstack", "vstack"})
#: NumPy's names of the first argument
_FIRST = frozenset({"a", "arr", "m", "array", "ary", "x", "v"})
_function_table: dict[Any, Function] = {}


def _functions() -> dict[Any, Function]:
    if not _function_table:
        from graphnet.ops.numpy_functions import FUNCTIONS, VALUES

        for name in _SAME_NAME.split():
            _function_table[getattr(np, name)] = getattr(ops, name)
        _function_table.update(FUNCTIONS)
        _function_table.update({function: _plain(function) for function in VALUES})
        _function_table.update(
            {
                np.copyto: _copyto,
                np.trace: products.trace,
                np.copy: lambda a: ops.identity(a),
                np.empty_like: ops.zeros_like,
                np.linalg.norm: ops.norm,
                np.linalg.matmul: ops.matmul,
                np.linalg.outer: ops.outer,
                np.linalg.tensordot: ops.tensordot,
                np.linalg.trace: lambda x, offset=0: products.trace(x, offset, -2, -1),
                np.linalg.diagonal: lambda x, offset=0: ops.diagonal(x, offset, -2, -1),
                np.shape: lambda a: as_tensor(a).shape,
                np.ndim: lambda a: as_tensor(a).ndim,
                np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
                np.iscomplexobj: lambda x: x.dtype.kind == "c",
                np.isrealobj: lambda x: x.dtype.kind != "c",
                np.result_type: _result_type,
                np.array_repr: lambda arr, *a, **k: repr(arr),
                np.array_str: lambda a, *r, **k: str(a),
            }
        )
    return _function_table


@cache
def _parameters(function: Function) -> tuple[frozenset[str], bool]:
    """The names of a function's parameters, and whether it takes any other keyword."""
    listed = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in listed), any(p.kind is p.VAR_KEYWORD for p in listed)


def array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """A function of NumPy's with a tensor among its arguments: ours of that name, or a `TypeError` that says why."""
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    found = _functions().get(function)
    if found is None:
        raise TypeError(
            f"{name} has no counterpart in graphnet; use t.numpy() for plain values (t.detach().numpy() where the "
            "gradient is not meant to flow), or write it with gn's functions"
        )
    given = {key: value for key, value in kwargs.items() if value is not np._NoValue}
    if given.get("where", True) is True and function is not np.where:
        given.pop("where", None)
    for empty in ("out", "dtype", "like", "initial"):
        if given.get(empty, 0) is None:
            del given[empty]
    takes, any_keyword = _parameters(found)
    if not args and given and (first := next(iter(given))) in _FIRST and first not in takes:
        args = (given.pop(first),)
    to_dtype = None
    if "dtype" in given and "dtype" not in takes:
        if function.__name__ in _IN_DTYPE and args:
            args = (ops.astype(as_tensor(args[0]), given.pop("dtype")), *args[1:])
        elif function.__name__ in _TO_DTYPE:
            to_dtype = given.pop("dtype")
    if unknown := [] if any_keyword else [k for k in given if k not in takes]:
        raise TypeError(f"{name} on tensors does not take {', '.join(f'{k}=' for k in unknown)}")
    try:
        result = found(*args, **given)
    except TypeError:
        signature = inspect.signature(found)
        try:
            signature.bind(*args, **given)
        except TypeError as error:
            bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
            taken = signature.replace(parameters=bare, return_annotation=signature.empty)
            raise TypeError(f"{name} on tensors takes {taken}: {error}") from None
        raise
    return result if to_dtype is None else ops.astype(result, to_dtype)
