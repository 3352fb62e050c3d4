"""Every operator and method of `Tensor`, and NumPy's protocols: the only file that adds any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.grad import backward
from graphnet.op import OPS, fast
from graphnet.ops import elementwise, index, linalg, reduce, shape
from graphnet.tensor import Parameter, Tensor, as_array, constant, known

_BINARY = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.remainder,
    "pow": elementwise.power,
    "matmul": linalg.matmul,
    "and": elementwise.logical_and,
    "or": elementwise.logical_or,
    "xor": elementwise.logical_xor,
}
_COMPARISONS = {
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
}


def _booleans_only(function: Callable[..., Any], sign: str) -> Callable[..., Any]:
    """`&`, `|`, `^` and `~` on numbers are bitwise in NumPy; here they are for booleans, and say so."""

    def checked(*args: Any) -> Any:
        for a in args:
            kind = a.dtype.kind if hasattr(a, "dtype") else np.asarray(a).dtype.kind
            if kind != "b":
                raise TypeError(f"{sign} joins booleans; received {getattr(a, 'dtype', type(a).__name__)}")
        return function(*args)

    return checked


def _install_operators() -> None:
    for name, function in _BINARY.items():
        reflected = fast(function.op, swapped=True)
        if name in ("and", "or", "xor"):
            sign = {"and": "&", "or": "|", "xor": "^"}[name]
            function, reflected = _booleans_only(function, sign), _booleans_only(reflected, sign)
        setattr(Tensor, f"__{name}__", function)
        setattr(Tensor, f"__r{name}__", reflected)
    for name, function in _COMPARISONS.items():
        setattr(Tensor, f"__{name}__", function)
    others = {
        # Defining == removes the hash; tensors are nodes, and hash by identity.
        "__hash__": object.__hash__,
        "__neg__": elementwise.negative,
        "__pos__": elementwise.positive,
        "__abs__": elementwise.absolute,
        "__invert__": _booleans_only(elementwise.logical_not, "~"),
        "__getitem__": index.getitem,
    }
    for name, function in others.items():
        setattr(Tensor, name, function)


def _setitem(self: Tensor, key: Any, value: Any) -> None:
    raise TypeError(
        "a tensor's elements cannot be assigned, since a history may hold them: "
        "write x = gn.set_at(x, index, value) or gn.add_at(x, index, value)"
    )


def _len(self: Tensor) -> int:
    if not self.shape:
        raise TypeError("a tensor of 0 dimensions has no len()")
    return self.shape[0]


def _iter(self: Tensor) -> Iterator[Tensor]:
    if not self.shape:
        raise TypeError("a tensor of 0 dimensions cannot be iterated over")
    return (self[i] for i in range(self.shape[0]))


def item(self: Tensor) -> float | int | bool:
    """The one number of the tensor, as a Python number. Raises `ValueError` if there are more or none."""
    value = known(self)
    if value.size != 1:
        raise ValueError(f"only a tensor of one element is a number; this one has shape {self.shape}")
    return value.item()


def _bool(self: Tensor) -> bool:
    if self.is_symbolic:
        raise TypeError("whether a symbolic tensor is true is not known yet: use gn.where instead of if")
    if self.size != 1:
        raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous: use .any() or .all()")
    return bool(item(self))


def _index(self: Tensor) -> int:
    if self.dtype.kind not in "iu" or self.shape != ():
        raise TypeError(f"only an integer tensor of shape () is an index; received {self.dtype}{list(self.shape)}")
    return int(item(self))


def _contains(self: Tensor, value: Any) -> bool:
    return bool((known(self) == as_array(value)).any())


def tolist(self: Tensor) -> Any:
    """Its numbers in nested lists."""
    return known(self).tolist()


def _repr(self: Tensor) -> str:
    kind = type(self).__name__
    label = f", name={self.name!r}" if self.name else ""
    if self.is_symbolic:
        made = f", op={self.op.name}" if self.op is not None else ""
        return f"{kind}({self.dtype}{list(self.shape)}{made}{label})"
    value = self._value
    if value.size == 0 and value.shape != (0,):
        text = f"[], shape={value.shape}"
    else:
        text = np.array2string(value, separator=", ", prefix=f"{kind}(")
    dtype = "" if value.dtype in (np.float64, np.int64, np.bool_) and value.size else f", dtype={value.dtype}"
    return f"{kind}({text}{dtype}{label})"


def _format(self: Tensor, spec: str) -> str:
    return format(item(self), spec) if spec and self.size == 1 and not self.is_symbolic else format(str(self), spec)


def _sizes(given: tuple[Any, ...]) -> Any:
    """Arguments as ndarray methods take them: (2, 3) or ((2, 3),)."""
    return given[0] if len(given) == 1 and (isinstance(given[0], (tuple, list)) or given[0] is None) else given


def _reshape(self: Tensor, *sizes: Any) -> Tensor:
    """The same elements in another shape; one size can be -1. `t.reshape(2, -1)` or `t.reshape((2, -1))`."""
    return shape.reshape(self, _sizes(sizes))


def _transpose(self: Tensor, *axes: Any) -> Tensor:
    """The axes in another order, reversed if none is given."""
    return shape.transpose(self, _sizes(axes) or None if axes else None)


def _matrix_transpose(self: Tensor) -> Tensor:
    if self.ndim < 2:
        raise ValueError(f"mT exchanges the last two axes; this tensor has {self.ndim}")
    return shape.swapaxes(self, -1, -2)


def _clip(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limited to the closed interval from `min` to `max`."""
    return elementwise.clip(self, min, max)


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    if self.is_symbolic:
        raise TypeError(
            f"the symbolic tensor {self.name or ''} {self.dtype}{list(self.shape)} cannot become an array: "
            "its values are not known yet"
        )
    value = self.numpy()
    if dtype is not None and np.dtype(dtype) != value.dtype:
        if copy is False:
            raise ValueError(f"an array of {np.dtype(dtype)} from {value.dtype} needs a copy")
        return value.astype(dtype)
    return value.copy() if copy else value


# NumPy's name of a ufunc where it differs from ours.
_UFUNC_NAMES = {
    "conjugate": None,
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
}
_UFUNC_REDUCTIONS = {
    "add": reduce.sum,
    "multiply": reduce.prod,
    "maximum": reduce.max,
    "minimum": reduce.min,
    "logical_and": reduce.all,
    "logical_or": reduce.any,
}


def _array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    name = ufunc.__name__
    if kwargs.pop("out", None) is not None:
        raise TypeError(f"np.{name} with out= cannot write into a tensor, nor a tensor's result into an array")
    if kwargs.get("where", True) is not True:
        raise TypeError(f"np.{name} with where= does not work on tensors: use gn.where")
    kwargs.pop("where", None)
    if method == "reduce" and name in _UFUNC_REDUCTIONS:
        axis = kwargs.get("axis", 0)
        return _UFUNC_REDUCTIONS[name](inputs[0], axis=axis, keepdims=kwargs.get("keepdims", False))
    if method != "__call__":
        raise TypeError(f"np.{name}.{method} does not work on tensors; use t.numpy() for plain values")
    dtype = kwargs.pop("dtype", None)
    if kwargs:
        raise TypeError(f"np.{name} on tensors does not take {', '.join(kwargs)}")
    function = _ufuncs().get(name)
    if function is None:
        raise TypeError(f"np.{name} has no counterpart in graphnet; use t.numpy() for plain values")
    result = function(*inputs)
    return result if dtype is None else shape.astype(result, dtype)


def _ufuncs() -> dict[str, Callable[..., Any]]:
    if not _UFUNC_TABLE:
        for op in OPS.values():
            if isinstance(getattr(np, op.name, None), np.ufunc) and op.function is not None:
                _UFUNC_TABLE[op.name] = op.function
        _UFUNC_TABLE.update({k: OPS[v].function for k, v in _UFUNC_NAMES.items() if v})  # type: ignore[misc]
        _UFUNC_TABLE.update(deg2rad=ops.deg2rad, rad2deg=ops.rad2deg, radians=ops.radians, degrees=ops.degrees)
        _UFUNC_TABLE["invert"] = _booleans_only(elementwise.logical_not, "~")
    return _UFUNC_TABLE


_UFUNC_TABLE: dict[str, Callable[..., Any]] = {}
_SAME_NAME = [
    "sum",
    "prod",
    "mean",
    "var",
    "std",
    "max",
    "min",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "any",
    "all",
    "cumsum",
    "clip",
    "where",
    "round",
    "reshape",
    "ravel",
    "transpose",
    "swapaxes",
    "moveaxis",
    "expand_dims",
    "squeeze",
    "broadcast_to",
    "concatenate",
    "stack",
    "split",
    "array_split",
    "pad",
    "flip",
    "roll",
    "tile",
    "repeat",
    "tril",
    "triu",
    "zeros_like",
    "ones_like",
    "full_like",
    "take",
    "take_along_axis",
    "diag",
    "diagonal",
    "argsort",
    "sort",
    "matmul",
    "dot",
    "inner",
    "outer",
    "vdot",
    "tensordot",
    "einsum",
    "sinc",
]
_FUNCTION_TABLE: dict[Any, Callable[..., Any]] = {}


def _functions() -> dict[Any, Callable[..., Any]]:
    if not _FUNCTION_TABLE:
        for name in _SAME_NAME:
            _FUNCTION_TABLE[getattr(np, name)] = getattr(ops, name)
        _FUNCTION_TABLE.update(
            {
                np.trace: linalg.trace,
                np.linalg.norm: ops.norm,
                np.shape: lambda t: t.shape,
                np.ndim: lambda t: t.ndim,
                np.size: lambda t, axis=None: t.size if axis is None else t.shape[axis],
                np.linalg.matmul: ops.matmul,
                np.vstack: lambda tup: ops.concatenate([_at_least_2d(t) for t in tup], axis=0),
                np.hstack: lambda tup: ops.concatenate(tup, axis=1 if np.ndim(tup[0]) > 1 else 0),
                np.copy: lambda t: ops.identity(t),
                np.array_equal: lambda a, b: np.array_equal(as_array(a), as_array(b)),
                np.allclose: lambda a, b, *r, **k: np.allclose(as_array(a), as_array(b), *r, **k),
                np.array_repr: lambda t, *a, **k: repr(t),
                np.array_str: lambda t, *a, **k: str(t),
            }
        )
    return _FUNCTION_TABLE


def _at_least_2d(t: Any) -> Any:
    return ops.expand_dims(t, 0) if np.ndim(t) < 2 else t


def _array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    found = _functions().get(function)
    if found is None:
        name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        raise TypeError(f"{name} has no counterpart in graphnet; use t.numpy() for plain values")
    given = dict(kwargs)
    for dropped in ("out", "dtype", "where", "initial", "like"):
        if given.get(dropped) is not None:
            raise TypeError(f"np.{function.__name__} on tensors does not take {dropped}=")
        given.pop(dropped, None)
    return found(*args, **given)


def _reduce_ex(self: Tensor, protocol: Any) -> Any:
    if self.is_symbolic or self.op is not None:
        raise TypeError(
            f"a tensor with a history ({self.op.name if self.op else 'symbolic'}) cannot be copied or pickled: "
            "use t.detach(), or save the graph"
        )
    if type(self) is Parameter:
        return _parameter, (self._value, self.name, self.requires_grad)
    return _plain, (self._value, self.requires_grad, self.name)


def _parameter(value: np.ndarray, name: str | None, trainable: bool) -> Parameter:
    return Parameter(value, value.dtype, name, trainable)


def _plain(value: np.ndarray, requires_grad: bool, name: str | None) -> Tensor:
    return Tensor(value, value.dtype, requires_grad, name)


def _install_methods() -> None:
    methods: dict[str, Any] = {
        "__setitem__": _setitem,
        "__len__": _len,
        "__iter__": _iter,
        "__bool__": _bool,
        "__float__": lambda self: float(item(self)),
        "__int__": lambda self: int(item(self)),
        "__index__": _index,
        "__contains__": _contains,
        "__round__": lambda self, ndigits=0: elementwise.round(self, ndigits or 0),
        "__repr__": _repr,
        "__str__": _repr,
        "__format__": _format,
        "__array__": _array,
        "__array_ufunc__": _array_ufunc,
        "__array_function__": _array_function,
        "__reduce_ex__": _reduce_ex,
        "item": item,
        "tolist": tolist,
        "backward": backward,
        "reshape": _reshape,
        "transpose": _transpose,
        "clip": _clip,
        "flatten": lambda self: shape.ravel(self),
        "dot": linalg.dot,
        "trace": linalg.trace,
        "copy": lambda self: constant(known(self).copy()),
        "T": property(shape.transpose),
        "mT": property(_matrix_transpose),
        "draw": _draw,
    }
    same = (
        "sum prod mean var std max min argmax argmin cumsum any all ravel swapaxes squeeze astype round take repeat "
        "diagonal argsort exp log sqrt abs sin cos tanh sigmoid relu softmax norm"
    )
    for name in same.split():
        methods[name] = getattr(ops, name)
    for name, method in methods.items():
        setattr(Tensor, name, method)


def _draw(self: Tensor, path: Any = None, **options: Any) -> Any:
    """A picture of what the tensor was computed from, written to `path` if that is given."""
    from graphnet.graph import Graph
    from graphnet.tensor import toposort

    leaves = [t for t in toposort([self]) if t.op is None and (t.is_symbolic or t.requires_grad)]
    return Graph([t for t in leaves if not isinstance(t, Parameter)], self).draw(path, **options)


_install_operators()
_install_methods()
