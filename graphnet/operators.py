"""Every operator of `Tensor`, and what a Parameter says to those in place."""

from __future__ import annotations

from typing import Any

from graphnet import ops
from graphnet.apply import described
from graphnet.dispatch import fast
from graphnet.escape import line
from graphnet.foreign import Strange, strange
from graphnet.leaves import Parameter
from graphnet.node import Tensor
from graphnet.ops import index
from graphnet.protocols import booleans_only

_BINARY = {
    "add": ("+", ops.add),
    "sub": ("-", ops.subtract),
    "mul": ("*", ops.multiply),
    "truediv": ("/", ops.divide),
    "floordiv": ("//", ops.floor_divide),
    "mod": ("%", ops.remainder),
    "pow": ("**", ops.power),
    "matmul": ("@", ops.matmul),
    "and": ("&", ops.logical_and),
    "or": ("|", ops.logical_or),
    "xor": ("^", ops.logical_xor),
}
_COMPARISONS = {
    "eq": ops.equal,
    "ne": ops.not_equal,
    "lt": ops.less,
    "le": ops.less_equal,
    "gt": ops.greater,
    "ge": ops.greater_equal,
}


def _booleans(function: Any, sign: str, ask: Strange) -> Any:
    """The operator of a logical function, for booleans; an operand that is no number may have an answer of its own."""
    checked = booleans_only(function, sign)

    def operator(self: Tensor, other: Any) -> Any:
        found = None if isinstance(other, Tensor) else ask(function.op, self, other, other)
        return checked(self, other) if found is None else found

    return operator


def _in_place(sign: str) -> Any:
    """An operator in place, which Python would carry out as one that makes a new tensor and changes no parameter."""

    def operator(self: Parameter, other: Any) -> Any:
        raise TypeError(
            f"{sign}= on the Parameter {line(self.name or described(self))} would make a new tensor, and the parameter "
            f"would stay as it is: write w.assign(w {sign} value) to change the parameter, or y = w {sign} value for a "
            "new tensor"
        )

    return operator


def install_operators() -> None:
    for name, (sign, function) in _BINARY.items():
        ask = strange(name)
        operator, reflected = fast(function.op, strange=ask), fast(function.op, swapped=True, strange=ask)
        if sign in "&|^":
            # They commute.
            operator = reflected = _booleans(function, sign, ask)
        setattr(Tensor, f"__{name}__", operator)
        setattr(Tensor, f"__r{name}__", reflected)
        setattr(Parameter, f"__i{name}__", _in_place(sign))
    for name, function in _COMPARISONS.items():
        setattr(Tensor, f"__{name}__", fast(function.op, strange=strange(name)))
    others: dict[str, Any] = {
        # Defining == removes the hash; tensors are nodes, and hash by identity.
        "__hash__": object.__hash__,
        "__neg__": ops.negative,
        "__pos__": ops.positive,
        "__abs__": ops.absolute,
        "__invert__": booleans_only(ops.logical_not, "~"),
        "__divmod__": _divmod,
        "__rdivmod__": _rdivmod,
        "__getitem__": index.getitem,
        "__setitem__": _setitem,
    }
    for name, method in others.items():
        setattr(Tensor, name, method)


def _setitem(self: Tensor, key: Any, value: Any) -> None:
    raise TypeError(
        "a tensor's elements cannot be assigned, since a history may hold them: "
        "write x = gn.set_at(x, index, value) or gn.add_at(x, index, value)"
    )


def _divmod(self: Tensor, other: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(other, Tensor) and _ASK_DIVMOD(ops.remainder.op, self, other, other) is NotImplemented:
        return NotImplemented
    return ops.floor_divide(self, other), ops.remainder(self, other)


_ASK_DIVMOD = strange("divmod")


def _rdivmod(self: Tensor, other: Any) -> tuple[Tensor, Tensor]:
    return ops.floor_divide(other, self), ops.remainder(other, self)
