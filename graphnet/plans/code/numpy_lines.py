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

from graphnet import ops
from graphnet.escape import line
from graphnet.node import Tensor, made_by
from graphnet.ops.arithmetic import divide_no_nan, multiply_no_nan
from graphnet.ops.index import GETITEM, SCATTER_ADD
from graphnet.ops.joining import CONCATENATE
from graphnet.ops.planned import VDOT, sum_of_products
from graphnet.ops.random import fill_normal, fill_uniform
from graphnet.plans.rewrite.gather import picked
from graphnet.record import Op

#: gives the name in the code for an object, which the listing shows as its text, if there is one
Name = Callable[..., str]
Rule = Callable[[Tensor, Sequence[str], str, Name], str | None]
RULES: dict[Op, Rule] = {}


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register a rule for these ops."""

    def register(f: Rule) -> Rule:
        RULES.update(dict.fromkeys([function.op for function in functions], f))
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
    if op in RULES:
        return RULES[op](node, inputs, out, name)
    if op.ufunc is not None:
        # NumPy is to take `out` of these two by name alone.
        named = "out=" if op.ufunc in (np.maximum, np.minimum) else ""
        return f"{name(op.ufunc)}({', '.join(inputs)}, {named}{out})"
    return None


@rule(ops.matmul)
def _matmul(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if any(t.ndim < 2 for t in node.inputs):
        return None
    return f"{name(np.matmul)}({inputs[0]}, {inputs[1]}, {out})"


@rule(ops.sum, ops.prod, ops.max, ops.min)
def _reduced(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    assert node.op is not None
    x = node.inputs[0]
    if x.size == 0 or x.dtype != node.dtype or x.dtype == np.float16:
        return None
    if made_by(node, ops.sum):
        short = _summed(node, inputs[0], out, name)
        if short is not None:
            return short
    ufunc = node.op.fold
    assert ufunc is not None
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


@rule(ops.mean)
def _mean(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    x = node.inputs[0]
    if x.size == 0 or x.dtype.kind != "f" or x.dtype == np.float16:
        return None
    count = x.size // max(node.size, 1)
    axis, keepdims = name(node.attrs["axis"]), name(node.attrs["keepdims"])
    reduced = f"{name(np.add.reduce, 'k_add_reduce')}({inputs[0]}, {axis}, None, {out}, {keepdims})"
    return f"{reduced}; {name(np.divide)}({out}, {name(count)}, {out})"


@rule(ops.relu)
def _relu(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.maximum)}({inputs[0]}, 0, out={out})"


@rule(ops.where)
def _where(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    condition, x, y = inputs
    if node.inputs[0].dtype != np.bool_:
        return None
    copy = name(np.copyto)
    return f"{copy}({out}, {y}); {copy}({out}, {x}, where={condition})"


@rule(CONCATENATE)
def _concatenate(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.concatenate)}(({', '.join(inputs)},), {name(node.attrs['axis'])}, {out})"


@rule(ops.astype)
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


@rule(multiply_no_nan, divide_no_nan)
def _no_nan(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.dtype.kind != "f":
        return None
    product = made_by(node, multiply_no_nan)
    return f"{name(_safe_product if product else _safe_quotient)}({inputs[0]}, {inputs[1]}, {out})"


@rule(ops.power)
def _power(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    base, exponent = node.inputs
    if base.dtype != node.dtype or exponent.op is not None or exponent.is_symbolic or exponent.shape != ():
        return None
    if exponent._value.item() == 2:
        return f"{name(np.square)}({inputs[0]}, {out})"
    return None


@rule(ops.argmax, ops.argmin)
def _position(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.attrs["keepdims"] or node.attrs["axis"] is None:
        return None
    assert node.op is not None
    method = "argmax" if made_by(node, ops.argmax) else "argmin"
    return f"{inputs[0]}.{method}({name(node.attrs['axis'])}, {out})"


@rule(GETITEM)
def _getitem(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.copyto)}({out}, {inputs[0]}[{inputs[1]}, {inputs[2]}])" if picked(node) is not None else None


@rule(SCATTER_ADD)
def _scatter_add(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    # One place in each row: nothing adds up.
    return f"{out}.fill(0); {out}[{inputs[1]}, {inputs[2]}] = {inputs[0]}" if picked(node) is not None else None


@rule(VDOT)
def _vdot(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{out}[()] = {name(sum_of_products)}({inputs[0]}, {inputs[1]})"


@rule(ops.random_uniform)
def _random_uniform(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(fill_uniform)}({inputs[0]}, {out})"


@rule(ops.random_normal)
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


@rule(ops.log_softmax)
def _log_softmax(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    if node.inputs[0].dtype != node.dtype or node.size == 0:
        return None
    return f"{name(_log_softmax_into)}({inputs[0]}, {name(node.attrs['axis'])}, {out})"


@rule(ops.softplus)
def _softplus(node: Tensor, inputs: Sequence[str], out: str, name: Name) -> str | None:
    return f"{name(np.logaddexp)}({inputs[0]}, 0, {out})"


#: lines of several calls, each of which reads inputs after writing: they must not overwrite an input
READ_AGAIN = (ops.where, multiply_no_nan, divide_no_nan)
