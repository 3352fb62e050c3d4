"""Operators between tensors and objects of other libraries.

A binary operator whose other operand is no number, array or list answers `NotImplemented`, so that the object's own
method is asked, as Python and NumPy do: `t == None` is False, `t + x` is `x.__radd__(t)`. Where another library would
take an array out of a tensor that needs a gradient, and so lose it, the operator comes to the tensor: sparse matrices
of SciPy, `Series` and `DataFrame` of pandas. Where that can't be, it is refused: masked arrays, `np.matrix`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from graphnet.apply import apply, as_tensor
from graphnet.node import Tensor
from graphnet.ops import arithmetic, comparisons, creation, index, powers, products, shaping
from graphnet.record import Op

_PLAIN = (list, tuple, np.ndarray, np.generic, int, float, complex)
_NEVER = (str, bytes, type(None))
_ARRAYS = ("__array__", "__array_interface__", "__array_struct__")

Strange = Callable[[Op, Any, Any, Any], Any]


def _is_sparse(value: Any) -> bool:
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocoo")


def _is_array(value: Any) -> bool:
    """Whether NumPy may find numbers in `value`."""
    if isinstance(value, _PLAIN) or any(hasattr(type(value), name) for name in _ARRAYS):
        return True
    try:
        memoryview(value)
    except TypeError:
        return isinstance(value, range)
    return True


def strange(name: str) -> Strange:
    """What the operator `name` ("add", "eq") asks about an operand that is neither a tensor, an array nor a number.

    The function of an op, its two operands and the one in question gives None, for the op to go on, or the operator's
    answer: `NotImplemented`, or a result.
    """
    reflected = f"__r{name}__"
    comparing = name in ("eq", "ne")

    def ask(op: Op, a: Any, b: Any, value: Any) -> Any:
        kind = type(value)
        if getattr(kind, "__array_ufunc__", False) is None:
            return NotImplemented
        if _is_sparse(value):
            return _with_sparse(op, a, b)
        if isinstance(value, np.matrix) and op in (arithmetic.multiply.op, powers.power.op):
            raise TypeError(
                "np.matrix means matrix products by * and **, tensors mean elements: write np.asarray(m) * x or m @ x"
            )
        if comparing:
            return None if _is_array(value) and is_numbers(value) else NotImplemented
        if isinstance(value, (*_PLAIN, *_NEVER)) or _is_array(value):
            return None
        return NotImplemented if name in ("lt", "le", "gt", "ge") or hasattr(kind, reflected) else None

    return ask


def is_numbers(value: Any) -> bool:
    """Whether `value` can be a tensor."""
    try:
        as_tensor(value)
    except (TypeError, ValueError):
        return False
    return True


def _with_sparse(op: Op, a: Any, b: Any) -> Any:
    """An operator between a sparse matrix of SciPy's and a tensor."""
    if op is products.matmul.op:
        if isinstance(b, Tensor):
            return _times_sparse(a, b)
        if a.ndim == 1:
            return _times_sparse(b.T, a)
        return shaping.transpose(_times_sparse(b.T, shaping.transpose(a)))
    of_matrix = op is arithmetic.multiply.op and any(_is_sparse(t) and not _elementwise(t) for t in (a, b))
    if of_matrix or op not in (arithmetic.add.op, arithmetic.subtract.op, arithmetic.multiply.op):
        if op is comparisons.equal.op or op is comparisons.not_equal.op:
            return NotImplemented
        what = "means a matrix product with *" if of_matrix else f"has no {op.name} with tensors"
        raise TypeError(f"a sparse matrix {what}: write S @ x, or S.toarray() in its place")
    return apply(op, [t.toarray() if _is_sparse(t) else t for t in (a, b)])


def _elementwise(sparse: Any) -> bool:
    """Whether `*` of this sparse class works element by element."""
    return type(sparse).__name__.endswith("_array")


def _times_sparse(sparse: Any, x: Tensor) -> Tensor:
    """`sparse @ x`: rows of `x` times the numbers that are stored, added up where those stand."""
    if len(sparse.shape) != 2:
        return products.matmul(sparse.toarray(), x)
    rows, columns = sparse.shape
    if x.ndim not in (1, 2) or x.shape[0] != columns:
        raise ValueError(f"matmul: a sparse matrix of shape {sparse.shape} and a tensor of shape {x.shape} do not fit")
    entries = sparse.tocoo()
    numbers = entries.data.reshape((-1,) + (1,) * (x.ndim - 1))
    parts = arithmetic.multiply(index.getitem(x, (entries.col,)), numbers)
    return index.add_at(creation.zeros((rows, *x.shape[1:]), parts.dtype), (entries.row,), parts)


#: where SciPy's sparse matrices ask for an array of the other operand, and go on to it where there is none
_SPARSE_OPERATORS = frozenset(
    {"_matmul_dispatch", "_mul_dispatch", "_multiply_2d_with_broadcasting", "multiply", "_divide"}
)


def handed(t: Tensor, frame: FrameType) -> np.ndarray | None:
    """What an operator of another library gets where it asks for an array of `t`, which must not lose its history.

    None if `frame` is no such operator. Raises `TypeError` where the result could not keep the history.
    """
    module = frame.f_globals.get("__name__", "")
    if module.startswith("scipy.sparse") and frame.f_code.co_name in _SPARSE_OPERATORS:
        # An array of one object says that this is no array: then the operator of the tensor is asked.
        alone = np.empty(1, object)
        alone[0] = t
        return alone.reshape(())
    if module.startswith("scipy.sparse") and frame.f_code.co_name in ("dot", "tensordot"):
        raise TypeError(f"{frame.f_code.co_name} of a sparse matrix would lose the gradient of a tensor: write S @ x")
    if module.startswith("pandas.") and frame.f_code.co_name == "dot":
        # There is no way to refuse, but an array of objects is computed with as one of numbers.
        flat = t.reshape(-1)
        objects = np.empty(t.size, object)
        for place in range(t.size):
            objects[place] = flat[place]
        return objects.reshape(t.shape)
    asks = frame.f_back.f_code.co_name if frame.f_back is not None else ""
    if module.startswith("numpy.ma") and frame.f_code.co_name == "getdata" and asks.startswith("__"):
        raise TypeError(
            "an operator of a masked array with a tensor that needs a gradient would lose it: write "
            "array.filled(value), and gn.where for what is masked"
        )
    return None
