"""Every method of `Tensor`. Only this file and `operators` add any; NumPy's protocols come from `protocols`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphnet import ops, protocols
from graphnet.apply import described
from graphnet.arrays import known, leaving, settled
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.mode import state
from graphnet.node import Tensor, toposort
from graphnet.operators import install_operators
from graphnet.ops import products
from graphnet.tensor_gradients import backward


def _len(self: Tensor) -> int:
    if not self.shape:
        raise TypeError("a tensor of 0 dimensions has no len()")
    return self.shape[0]


def _iter(self: Tensor) -> Iterator[Tensor]:
    if not self.shape:
        raise TypeError("a tensor of 0 dimensions cannot be iterated over")
    return (self[i] for i in range(self.shape[0]))


def item(self: Tensor) -> float | int | bool:
    """The one number of the tensor, as a Python number. Raises `ValueError` if there are more or none.

    Raises `TypeError` inside of a function that is being differentiated, if the tensor depends on what it is
    differentiated for: `t.detach().item()` is its value without a gradient.
    """
    return _number(self, leaving(self, "item()"))


def _number(self: Tensor, value: np.ndarray) -> float | int | bool:
    if value.size != 1:
        raise ValueError(f"only a tensor of one element is a number; this one has shape {self.shape}")
    return value.item()


def _float(self: Tensor) -> float:
    return float(_number(self, leaving(self, "float()")))


def _int(self: Tensor) -> int:
    return int(_number(self, leaving(self, "int()")))


def _complex(self: Tensor) -> complex:
    return complex(_number(self, leaving(self, "complex()")))


def _bool(self: Tensor) -> bool:
    if self.is_symbolic:
        trace = state.mode.trace
        if trace is not None and trace.rows is not None:
            raise TypeError(
                f"whether {described(self)} is true can differ from row to row, and gn.vmap runs the function once, "
                "for all rows together: use gn.where instead of if"
            )
        raise TypeError("whether a symbolic tensor is true is not known yet: use gn.where instead of if")
    if self.size != 1:
        raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous: use .any() or .all()")
    # The way that an if takes has no gradient to lose.
    return bool(settled(self, "bool()").item())


def _index(self: Tensor) -> int:
    if self.dtype.kind not in "iu" or self.shape != ():
        raise TypeError(f"only an integer tensor of shape () is an index; received {self.dtype}{list(self.shape)}")
    return int(_number(self, leaving(self, "an index")))


def _contains(self: Tensor, value: Any) -> bool:
    found = self == value
    return bool(np.any(known(found))) if isinstance(found, Tensor) else bool(found)


def tolist(self: Tensor) -> Any:
    """Its numbers in nested lists."""
    return leaving(self, "tolist()").tolist()


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
    if not spec:
        return str(self)
    if self.is_symbolic or self.size != 1:
        kind = "a symbolic tensor" if self.is_symbolic else f"a tensor of shape {self.shape}"
        raise TypeError(f"the format {spec!r} is for one known number; received {kind}")
    return format(_number(self, known(self)), spec)


def _sizes(given: tuple[Any, ...]) -> Any:
    """Arguments as ndarray methods take them: (2, 3) or ((2, 3),)."""
    alone = len(given) == 1 and (given[0] is None or isinstance(given[0], (tuple, list, np.ndarray)))
    return given[0] if alone else given


def _reshape(self: Tensor, *sizes: Any, **given: Any) -> Tensor:
    """The same elements in another shape; one size can be -1. `t.reshape(2, -1)` or `t.reshape((2, -1))`."""
    return ops.reshape(self, **given) if given and not sizes else ops.reshape(self, _sizes(sizes), **given)


def _transpose(self: Tensor, *axes: Any, **given: Any) -> Tensor:
    """The axes in another order, reversed if none is given."""
    return ops.transpose(self, _sizes(axes), **given) if axes else ops.transpose(self, **given)


def _matrix_transpose(self: Tensor) -> Tensor:
    if self.ndim < 2:
        raise ValueError(f"mT exchanges the last two axes; this tensor has {self.ndim}")
    return ops.swapaxes(self, -1, -2)


def _clip(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limited to the closed interval from `min` to `max`."""
    return ops.clip(self, min, max)


def _flatten(self: Tensor) -> Tensor:
    """The elements, in C order, along one axis."""
    return ops.ravel(self)


def _copy(self: Tensor) -> Tensor:
    """The same numbers in an array of its own; what needs a gradient keeps its history."""
    y = ops.identity(self)
    if not y.is_symbolic:
        y._value = y._value.copy()
    return y


def _dlpack(self: Tensor, **options: Any) -> Any:
    # A copy: whoever takes it may write to it.
    return leaving(self, "DLPack").copy().__dlpack__(**options)


def _reduced(self: Tensor) -> tuple[Any, tuple[Any, ...]]:
    """How a leaf is made again: a function and its arguments, the last of which is its gradient."""
    if self.is_symbolic or self.op is not None:
        raise TypeError(
            f"a tensor with a history ({self.op.name if self.op else 'symbolic'}) cannot be copied or pickled: "
            "use t.detach(), or save the graph"
        )
    value = leaving(self, "a pickle") if self.requires_grad else settled(self, "a pickle")
    make = _parameter if type(self) is Parameter else _plain
    return make, (value, self.name, self.requires_grad, self.grad)


def _reduce_ex(self: Tensor, protocol: Any) -> Any:
    return _reduced(self)


def _parameter(value: np.ndarray, name: str | None, trainable: bool, grad: Tensor | None = None) -> Parameter:
    p = Parameter(value, value.dtype, name, trainable)
    p.grad = grad
    return p


def _plain(value: np.ndarray, name: str | None, requires_grad: bool, grad: Tensor | None = None) -> Tensor:
    t = Tensor(value, value.dtype, requires_grad, name)
    t.grad = grad
    return t


def _connected(self: Tensor) -> bool:
    """Whether a copy is a node of the graph: in a trace, or where a derivative depends on the tensor."""
    m = state.mode
    if self.is_symbolic:
        return m.trace is not None
    return m.within is not None and m.recording and self.requires_grad and m.within.reached(self) is not None


def _shallow(self: Tensor) -> Tensor:
    if _connected(self) or (self.op is not None and not self.is_symbolic):
        # The same history: what a shallow copy shares.
        return ops.identity(self)
    make, given = _reduced(self)
    made: Tensor = make(*given)
    return made


def _deep(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if _connected(self):
        made: Tensor = ops.identity(self)
    else:
        make, (*given, grad) = _reduced(self)
        made = make(*given, copy.deepcopy(grad, memo))
    memo[id(self)] = made
    return made


def _install_methods() -> None:
    methods: dict[str, Any] = {
        "__len__": _len,
        "__iter__": _iter,
        "__bool__": _bool,
        "__float__": _float,
        "__int__": _int,
        "__complex__": _complex,
        "__index__": _index,
        "__contains__": _contains,
        "__dlpack__": _dlpack,
        "__dlpack_device__": lambda self: (1, 0),
        "__round__": lambda self, ndigits=0: ops.round(self, ndigits or 0),
        "__repr__": _repr,
        "__str__": _repr,
        "__format__": _format,
        "__array__": protocols.array,
        "__array_ufunc__": protocols.array_ufunc,
        "__array_function__": protocols.array_function,
        "__reduce_ex__": _reduce_ex,
        "__copy__": _shallow,
        "__deepcopy__": _deep,
        "item": item,
        "tolist": tolist,
        "backward": backward,
        "reshape": _reshape,
        "transpose": _transpose,
        "clip": _clip,
        "flatten": _flatten,
        "dot": ops.dot,
        "trace": products.trace,
        "copy": _copy,
        "T": property(ops.transpose),
        "real": property(ops.real),
        "imag": property(ops.imag),
        "mT": property(_matrix_transpose),
        "draw": _draw,
        "_repr_html_": _repr_html,
    }
    same = (
        "sum prod mean var std max min argmax argmin cumsum any all ravel swapaxes squeeze astype round take repeat "
        "diagonal argsort conj conjugate exp log sqrt abs sin cos tanh sigmoid relu softmax norm"
    )
    for name in same.split():
        methods[name] = getattr(ops, name)
    for name, method in methods.items():
        if getattr(method, "__module__", None) == __name__ and not name.startswith("__"):
            method.__name__ = name
            method.__qualname__ = f"Tensor.{name}"
        setattr(Tensor, name, method)


def _repr_html(self: Tensor) -> str | None:
    """In a notebook: what `print` shows and, unless it is plain data, a picture of what it was computed from."""
    if self.op is None:
        return None
    from graphnet.escape import markup

    picture = self.draw(limit=60, values=None if self.is_symbolic else True)
    return f"<pre>{markup(repr(self))}</pre>\n{picture.svg}"


def _draw(self: Tensor, path: Any = None, **options: Any) -> Any:
    """A picture of what the tensor was computed from, written to `path` if that is given."""
    leaves = [t for t in toposort([self]) if t.op is None and (t.is_symbolic or t.requires_grad)]
    return Graph([t for t in leaves if not isinstance(t, Parameter)], self).draw(path, **options)


install_operators()
_install_methods()
