"""One line of NumPy per node, that writes into an array which is there already.

A rule answers with a statement over the names it is given, or None where the op has no such form: then the op's own
body runs and makes a new array. What a statement needs besides (functions, axes, numbers, shapes) is handed to `name`,
which gives a name for it: no value and no text of a graph is ever part of code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.node import Tensor
from graphnet.ops.planned import sum_of_products
from graphnet.ops.random import fill_normal, fill_uniform
from graphnet.plans.rewrite.gather import picked

#: gives the name in the code for an object, which the listing shows as its text, if there is one
Name = Callable[..., str]
Rule = Callable[[Tensor, Sequence[str], str, Name], str | None]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register a rule for these ops."""

    def register(f: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, f))
        return f

    return register


def comment(node: Tensor) -> str:
    """Layer, op and source line of a node, as a comment for a listing."""
    path = node.region.path_text if node.region is not None else ""
    site = node.site
    where = f"{site[0].rsplit('/', 1)[-1]}:{site[1]}" if site else ""
    name = node.op.name if node.op is not None else ""
    return "  # " + line(", ".join(filter(None, (path, f"{name} -> {node.dtype}{list(node.shape)}", where))))


def statement(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    """The line that computes `node` into `out`."""
    op = node.op
    assert op is not None
    if op.name in RULES:
        return RULES[op.name](node, inputs, out, name)
    if op.ufunc is not None:
        # NumPy is to take `out` of these two by name alone.
        named = "out=" if op.ufunc in (np.maximum, np.minimum) else ""
        return f"{name(op.ufunc)}({', '.join(inputs)}, {named}{out})"
    return None


@rule("matmul")
def _matmul(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if any(t.ndim < 2 for t in node.inputs):
        return None
    return f"{name(np.matmul)}({inputs[0]}, {inputs[1]}, {out})"


_REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


@rule(*_REDUCTIONS)
def _reduced(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    assert node.op is not None
    x = node.inputs[0]
    if x.size == 0 or x.dtype != node.dtype or x.dtype == np.float16:
        return None
    if node.op.name == "sum":
        short = _summed(node, inputs[0], out, name)
        if short is not None:
            return short
    ufunc = _REDUCTIONS[node.op.name]
    axis, keepdims = name(node.attrs["axis"]), name(node.attrs["keepdims"])
    return f"{name(ufunc.reduce, f'k_{ufunc.__name__}_reduce')}({inputs[0]}, {axis}, None, {out}, {keepdims})"


@cache
def _ones(count: int, dtype: np.dtype) -> np.ndarray:
    return np.ones(count, dtype)


def _summed(node: Tensor, x: str, out: str, name: Name) -> str | None:
    """The sum of a matrix over one axis as a product with ones: a third of the time for a small one."""
    source, axis = node.inputs[0], node.attrs["axis"]
    if source.ndim != 2 or len(axis) != 1 or node.dtype not in (np.float32, np.float64) or source.size > 1 << 16:
        return None
    count = source.shape[axis[0]]
    ones, dot = name(_ones(count, node.dtype), f"k_ones_{count}_{node.dtype.name}"), name(np.dot)
    into = f"{out}{'[0]' if axis == (0,) else '[:, 0]'}" if node.attrs["keepdims"] else out
    return f"{dot}({ones}, {x}, {into})" if axis == (0,) else f"{dot}({x}, {ones}, {into})"


@rule("mean")
def _mean(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    x = node.inputs[0]
    if x.size == 0 or x.dtype.kind != "f" or x.dtype == np.float16:
        return None
    count = x.size // max(node.size, 1)
    axis, keepdims = name(node.attrs["axis"]), name(node.attrs["keepdims"])
    reduced = f"{name(np.add.reduce, 'k_add_reduce')}({inputs[0]}, {axis}, None, {out}, {keepdims})"
    return f"{reduced}; {name(np.divide)}({out}, {name(count)}, {out})"


@rule("relu")
def _relu(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.maximum)}({inputs[0]}, 0, out={out})"


@rule("where")
def _where(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    condition, x, y = inputs
    if node.inputs[0].dtype != np.bool_:
        return None
    copy = name(np.copyto)
    return f"{copy}({out}, {y}); {copy}({out}, {x}, where={condition})"


@rule("concatenate")
def _concatenate(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.concatenate)}(({', '.join(inputs)},), {name(node.attrs['axis'])}, {out})"


@rule("astype")
def _astype(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.copyto)}({out}, {inputs[0]}, 'unsafe')"


def _safe_product(g: Any, d: Any, out: np.ndarray) -> None:
    np.multiply(g, d, out)
    total = np.vdot(out, out)
    if total != total:
        zero = np.equal(g, 0) | (np.equal(d, 0) & np.isinf(g))
        np.copyto(out, 0, where=np.isnan(out) & zero)


def _safe_quotient(g: Any, d: Any, out: np.ndarray) -> None:
    np.divide(g, d, out)
    total = np.vdot(out, out)
    if total != total:
        np.copyto(out, 0, where=np.isnan(out) & np.equal(g, 0))


@rule("multiply_no_nan", "divide_no_nan")
def _no_nan(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.dtype.kind != "f":
        return None
    product = node.op is not None and node.op.name == "multiply_no_nan"
    return f"{name(_safe_product if product else _safe_quotient)}({inputs[0]}, {inputs[1]}, {out})"


@rule("power")
def _power(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    base, exponent = node.inputs
    if base.dtype != node.dtype or exponent.op is not None or exponent.is_symbolic or exponent.shape != ():
        return None
    if exponent._value.item() == 2:
        return f"{name(np.square)}({inputs[0]}, {out})"
    return None


@rule("argmax", "argmin")
def _position(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.attrs["keepdims"] or node.attrs["axis"] is None:
        return None
    assert node.op is not None
    method = "argmax" if node.op.name == "argmax" else "argmin"
    return f"{inputs[0]}.{method}({name(node.attrs['axis'])}, {out})"


@rule("getitem")
def _getitem(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.copyto)}({out}, {inputs[0]}[{inputs[1]}, {inputs[2]}])" if picked(node) is not None else None


@rule("scatter_add")
def _scatter_add(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    # One place in each row: nothing adds up.
    return f"{out}.fill(0); {out}[{inputs[1]}, {inputs[2]}] = {inputs[0]}" if picked(node) is not None else None


@rule("vdot")
def _vdot(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{out}[()] = {name(sum_of_products)}({inputs[0]}, {inputs[1]})"


@rule("random_uniform")
def _random_uniform(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(fill_uniform)}({inputs[0]}, {out})"


@rule("random_normal")
def _random_normal(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(fill_normal)}({inputs[0]}, {out})"


def _log_softmax_into(x: Any, axis: Any, out: np.ndarray) -> None:
    np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out)
    e = np.exp(out)
    if axis == (1,) and e.ndim == 2 and e.size <= 1 << 16:
        total = np.dot(e, _ones(e.shape[1], e.dtype))[:, None]
    else:
        total = np.add.reduce(e, axis, keepdims=True)
    np.subtract(out, np.log(total, total), out)


@rule("log_softmax")
def _log_softmax(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.inputs[0].dtype != node.dtype or node.size == 0:
        return None
    return f"{name(_log_softmax_into)}({inputs[0]}, {name(node.attrs['axis'])}, {out})"


@rule("softplus")
def _softplus(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.logaddexp)}({inputs[0]}, 0, {out})"


#: lines of several calls, each of which reads inputs after writing: they must not overwrite an input
READ_AGAIN = frozenset({"where", "multiply_no_nan", "divide_no_nan"})


def view(node: Tensor, array: np.ndarray) -> np.ndarray | None:
    """`array` as `node` sees it, if that takes no copy."""
    assert node.op is not None
    name = node.op.name
    if name == "reshape":
        return array.reshape(node.shape) if array.flags.c_contiguous else None
    if name == "transpose":
        return array.transpose(node.attrs["axes"])
    if name == "broadcast_to":
        return np.broadcast_to(array, node.shape)
    if name in ("identity", "stop_gradient", "positive"):
        return array
    if name == "getitem" and len(node.inputs) == 1:
        found = array[node.attrs["index"]]
        return found if isinstance(found, np.ndarray) else None
    return None


#: the same at run time, for arrays that are known only then
VIEW_CODE: dict[str, str] = {
    "getitem": "{x}[{index}]",
    "reshape": "{x}.reshape({shape})",
    "transpose": "{x}.transpose({axes})",
    "broadcast_to": "{broadcast_to}({x}, {shape})",
    "identity": "{x}",
    "stop_gradient": "{x}",
    "positive": "{x}",
}
