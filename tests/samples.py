"""One row per op: how to call it, what NumPy (or SciPy) gives, and inputs to try it on.

`elementwise` rows draw inputs of any broadcasting shapes from a domain where the op is smooth; `row`s name their
inputs. Whatever stands here is tested for value, shape and dtype, first and second gradients, symbolic use and graph
passes, in float64 and float32, by `test_ops.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.ops import convolution, pooling, products, reduce
from graphnet.ops.index import getitem
from graphnet.record import OPS


@dataclass
class Sample:
    """One call: float arrays that are differentiated, and keyword or static arguments that are not."""

    arrays: tuple[np.ndarray, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class Row:
    """`call(*arrays, **kwargs)` uses the op; `reference` is the same in NumPy."""

    name: str
    call: Callable[..., Any]
    reference: Callable[..., Any] | None
    samples: list[Sample] = field(default_factory=list)
    domains: tuple[tuple[float, float], ...] = ()
    differentiable: bool = True
    rtol: float = 1e-14
    #: where an op is smooth, but not at whole or half numbers, drawn values keep away from them
    avoid: float | None = None
    specials: bool = True

    @property
    def arity(self) -> int:
        return len(self.domains)


ROWS: dict[str, Row] = {}
_RNG = np.random.default_rng(42)


def normal(*shape: int) -> np.ndarray:
    return _RNG.standard_normal(shape)


def spread(*shape: int) -> np.ndarray:
    """Distinct numbers, so that no two are equal and order does not change under a small step."""
    size = math.prod(shape)
    return (_RNG.permutation(size).reshape(shape) - size / 2) * 0.7 + 0.1


def elementwise(name: str, reference: Any, *domains: tuple[float, float], call: Any = None, **options: Any) -> None:
    ROWS[name] = Row(name, call or OPS[name].function, reference, domains=domains, **options)


def row(name: str, call: Any, reference: Any, *samples: Any, **options: Any) -> None:
    listed = [s if isinstance(s, Sample) else Sample(tuple(s) if isinstance(s, tuple) else (s,)) for s in samples]
    ROWS[name] = Row(name, call, reference, listed, **options)


def _product(g: Any, d: Any) -> Any:
    y = np.multiply(g, d)
    return np.where(np.isnan(y) & ((g == 0) | ((d == 0) & np.isinf(g))), y.dtype.type(0), y)


def _quotient(g: Any, d: Any) -> Any:
    y = np.divide(g, d)
    return np.where(np.isnan(y) & (g == 0), y.dtype.type(0), y)


_ANY, _POSITIVE, _UNIT = (-2.0, 2.0), (0.2, 3.0), (-0.9, 0.9)

elementwise("multiply_no_nan", _product, _ANY, _ANY)
elementwise("divide_no_nan", _quotient, _ANY, _POSITIVE)
elementwise("add", np.add, _ANY, _ANY)
elementwise("subtract", np.subtract, _ANY, _ANY)
elementwise("multiply", np.multiply, _ANY, _ANY)
elementwise("divide", np.divide, _ANY, _POSITIVE)
elementwise("floor_divide", np.floor_divide, (0.1, 0.8), (1.0, 3.0), differentiable=False)
elementwise("remainder", np.remainder, (3.1, 3.9), (0.8, 1.0))
elementwise("fmod", np.fmod, (-3.9, -3.1), (0.8, 1.0))
elementwise("power", np.power, _POSITIVE, _ANY)
elementwise("negative", np.negative, _ANY)
elementwise("positive", np.positive, _ANY)
elementwise("conjugate", np.conjugate, _ANY)
elementwise("real", np.real, _ANY)
elementwise("imag", np.imag, _ANY)
elementwise("absolute", np.absolute, _ANY, avoid=1.0)
elementwise("copysign", np.copysign, _ANY, _ANY, avoid=1.0)
elementwise("sign", np.sign, _ANY, differentiable=False)
elementwise("square", np.square, _ANY)
elementwise("sqrt", np.sqrt, _POSITIVE)
elementwise("cbrt", np.cbrt, _POSITIVE)
elementwise("reciprocal", np.reciprocal, _POSITIVE)
for _name in [
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
]:
    elementwise(_name, getattr(np, _name), _ANY, _ANY, differentiable=False)
for _name in ["logical_not", "isnan", "isinf", "isfinite", "floor", "ceil", "trunc", "rint"]:
    elementwise(_name, getattr(np, _name), _ANY, differentiable=False)
elementwise("round", np.round, _ANY, differentiable=False)
elementwise("minimum", np.minimum, _ANY, _ANY, avoid=1.0)
elementwise("maximum", np.maximum, _ANY, _ANY, avoid=1.0)
elementwise("fmin", np.fmin, _ANY, _ANY, avoid=1.0)
elementwise("fmax", np.fmax, _ANY, _ANY, avoid=1.0)
elementwise(
    "where",
    lambda a, b: np.where(a + b > 0.123, a, b),
    _ANY,
    _ANY,
    call=lambda a, b: gn.where(a + b > 0.123, a, b),
    avoid=1.0,
    specials=False,
)
elementwise("clip_to", np.clip, _ANY, (-1.5, -0.5), (0.5, 1.5), avoid=1.0)
elementwise("clip_low", np.maximum, _ANY, _ANY, avoid=1.0)
elementwise("clip_high", np.minimum, _ANY, _ANY, avoid=1.0)
for _name in ["exp", "exp2", "expm1", "sin", "cos", "arctan", "sinh", "cosh", "tanh", "arcsinh"]:
    elementwise(_name, getattr(np, _name), _ANY)
elementwise("tan", np.tan, (-1.2, 1.2))
for _name in ["log", "log2", "log10", "log1p"]:
    elementwise(_name, getattr(np, _name), _POSITIVE)
for _name in ["arcsin", "arccos", "arctanh"]:
    elementwise(_name, getattr(np, _name), _UNIT)
elementwise("arccosh", np.arccosh, (1.2, 3.0))
elementwise("arctan2", np.arctan2, _POSITIVE, _ANY)
elementwise("hypot", np.hypot, _POSITIVE, _ANY)
elementwise("logaddexp", np.logaddexp, _ANY, _ANY)
elementwise("logaddexp2", np.logaddexp2, _ANY, _ANY)


def _sigmoid(x: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(-np.abs(x))
        return np.where(np.asarray(x) >= 0, 1 / (1 + e), e / (1 + e)).astype(np.result_type(x, np.float32))


elementwise("sigmoid", _sigmoid, _ANY, rtol=1e-13)
elementwise("softplus", lambda x: np.logaddexp(x, np.zeros((), x.dtype)), _ANY, rtol=1e-13)
elementwise("log_sigmoid", lambda x: -np.logaddexp(-x, np.zeros((), x.dtype)), _ANY, rtol=1e-13)
elementwise("sigmoid_slope", lambda x: _sigmoid(x) * _sigmoid(-x), _ANY, rtol=1e-13)
elementwise("tanh_slope", lambda x: 1 / np.cosh(x) ** 2, _ANY, rtol=1e-13)
elementwise("gaussian", lambda x: np.exp(-x * x), _ANY, rtol=1e-13)
_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])
elementwise("erf", lambda x: _erf(x.astype(float)).astype(x.dtype), _ANY, rtol=1e-15)
elementwise("erfc", lambda x: _erfc(x.astype(float)).astype(x.dtype), _ANY, rtol=1e-14)
elementwise("relu", lambda x: np.maximum(x, np.zeros((), x.dtype)), _ANY, avoid=1.0)
elementwise("leaky_relu", lambda x: np.where(x > 0, x, x * x.dtype.type(0.2)), _ANY, avoid=1.0)
elementwise("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, x.dtype.type(0)))), _ANY, avoid=1.0)


def _axes(*shapes: tuple[int, ...], make: Any = normal) -> list[Sample]:
    """Samples for a reduction: all axes, one, several, none; kept or not."""
    samples = [Sample((make(*shape),), {"axis": axis}) for shape in shapes for axis in (None, 0, -1)]
    samples += [
        Sample((make(2, 3, 2),), {"axis": a, "keepdims": k}) for a in ((0, 2), (-1, 1), ()) for k in (True, False)
    ]
    samples += [Sample((make(3, 1),), {"axis": 1}), Sample((make(),), {})]
    return samples


_EMPTY = [Sample((np.zeros((0, 3)),), {"axis": a}) for a in (None, 0)]
for _name in ("sum", "mean"):
    row(_name, getattr(gn, _name), getattr(np, _name), *_axes((4,), (2, 3)), Sample((np.zeros((0, 3)),), {"axis": 1}))
ROWS["sum"].samples += _EMPTY
row("prod", gn.prod, np.prod, *_axes((4,), (2, 3)), *_EMPTY, np.array([0.0, 2.0, 3.0]), np.array([0.0, 2.0, 0.0, 3.0]))
row("max", gn.max, np.max, *_axes((4,), (2, 3), make=spread))
row("min", gn.min, np.min, *_axes((4,), (2, 3), make=spread))
row(
    "var",
    gn.var,
    np.var,
    *_axes((4,), (2, 3))[:6],
    Sample((normal(2, 3, 2),), {"axis": (0, 2), "ddof": 1, "keepdims": True}),
)
row("std", gn.std, np.std, *_axes((4,), (2, 3))[:5], Sample((normal(2, 3, 2),), {"axis": (0, 2), "ddof": 1}))


def _norm2(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


row("norm2", reduce.norm2, _norm2, *_axes((4,), (2, 3)), rtol=1e-13)


def _lse(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


row("logsumexp", gn.logsumexp, _lse, *_axes((4,), (2, 3)), rtol=1e-12)
row("any", gn.any, np.any, *_axes((4,), (2, 3)), differentiable=False)
row("all", gn.all, np.all, *_axes((4,), (2, 3)), differentiable=False)
_single = [Sample((spread(2, 3),), {"axis": a, "keepdims": k}) for a in (None, 0, -1) for k in (True, False)]
row("argmax", gn.argmax, np.argmax, *_single, differentiable=False)
row("argmin", gn.argmin, np.argmin, *_single, differentiable=False)
row("argsort", gn.argsort, np.argsort, spread(5), Sample((spread(3, 4),), {"axis": 0}), differentiable=False)
row("cumsum", gn.cumsum, np.cumsum, *[Sample((normal(3, 4),), {"axis": a}) for a in (None, 0, -1)], np.zeros(0))


def _log_softmax(x: Any, axis: int = -1) -> Any:
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


row(
    "log_softmax",
    gn.log_softmax,
    _log_softmax,
    normal(4),
    *[Sample((normal(3, 4),), {"axis": a}) for a in (0, 1)],
    rtol=1e-12,
)

row("identity", gn.identity, np.positive, normal(2, 3), normal())
row("stop_gradient", gn.stop_gradient, np.positive, normal(2, 3), differentiable=False)
row(
    "astype",
    lambda x: gn.astype(x, "float32"),
    lambda x: x.astype("float32"),
    np.array([0.5, -1.0]),
    differentiable=False,
)
row(
    "reshape",
    lambda x, shape: gn.reshape(x, shape),
    lambda x, shape: np.reshape(x, shape),
    *[Sample((normal(2, 6),), {"shape": s}) for s in (12, (3, -1), (2, 1, 6), (-1, 2, 2))],
    Sample((np.zeros((0, 2)),), {"shape": (2, 0)}),
    Sample((normal(),), {"shape": (1, 1)}),
)
row(
    "transpose",
    gn.transpose,
    np.transpose,
    normal(2, 3),
    normal(3),
    *[Sample((normal(2, 3, 4),), {"axes": a}) for a in (None, (1, 2, 0), (0, -1, 1))],
)
row(
    "broadcast_to",
    gn.broadcast_to,
    np.broadcast_to,
    *[Sample((normal(3, 1),), {"shape": s}) for s in ((3, 4), (2, 3, 1), (5, 3, 2), (0, 3, 2))],
    Sample((normal(),), {"shape": (2, 2)}),
)
row(
    "concatenate",
    lambda *xs, axis=0: gn.concatenate(xs, axis=axis),
    lambda *xs, axis=0: np.concatenate(xs, axis=axis),
    (normal(2, 3), normal(1, 3), np.zeros((0, 3))),
    Sample((normal(2, 1), normal(2, 2)), {"axis": -1}),
    Sample((normal(2, 1), normal(3)), {"axis": None}),
)
row(
    "stack",
    lambda *xs, axis=0: gn.stack(xs, axis=axis),
    lambda *xs, axis=0: np.stack(xs, axis=axis),
    (normal(2, 3), normal(2, 3)),
    Sample((normal(2), normal(2), normal(2)), {"axis": -1}),
    (normal(),),
)
row(
    "pad",
    gn.pad,
    np.pad,
    *[Sample((normal(2, 3),), {"pad_width": w}) for w in (1, (1, 2), ((0, 1), (2, 0)))],
    *[Sample((normal(3, 4),), {"pad_width": 2, "mode": m}) for m in ("edge", "reflect", "symmetric", "wrap")],
)
row("flip", gn.flip, np.flip, *[Sample((normal(2, 3),), {"axis": a}) for a in (None, 0, -1, (0, 1))])
row(
    "roll",
    gn.roll,
    np.roll,
    Sample((normal(2, 3),), {"shift": 2}),
    Sample((normal(2, 3),), {"shift": -1, "axis": 1}),
    Sample((normal(2, 3),), {"shift": (1, 2), "axis": (0, 1)}),
)
_KEYS: list[Any] = [
    1,
    (slice(None), -1),
    (Ellipsis, None, slice(None, None, -2)),
    [0, 2, 2],
    (slice(None), [3, 0, 3]),
    ([0, 1, 1], [3, 3, 3]),
    (np.array([[0], [2]]), [0, 1]),
    np.arange(12).reshape(3, 4) % 5 > 1,
    (slice(0, 0),),
    ([1, 1], slice(None), None),
    np.zeros(0, int),
]
row("getitem", getitem, lambda x, key: x[key], *[Sample((normal(3, 4),), {"key": k}) for k in _KEYS])


def _scatter(x: Any, key: Any) -> Any:
    y = np.zeros((3, 4), x.dtype)
    np.add.at(y, key, x)
    return y


row(
    "scatter_add",
    lambda x, key: gn.add_at(gn.zeros((3, 4), x.dtype), key, x),
    _scatter,
    Sample((normal(3),), {"key": (slice(None), 1)}),
    Sample((normal(3, 3),), {"key": (slice(None), [0, 0, 3])}),
)


def _set(x: Any, value: Any, key: Any) -> Any:
    y = x.copy()
    y[key] = value
    return y


row(
    "setitem",
    lambda x, value, key: gn.set_at(x, key, value),
    _set,
    Sample((normal(3, 4), normal(4)), {"key": 1}),
    Sample((normal(3, 4), normal()), {"key": (slice(None), [2, 0])}),
    Sample((normal(3, 4), normal(3, 1)), {"key": (slice(None), slice(1, 3))}),
)
row(
    "matmul",
    gn.matmul,
    np.matmul,
    (normal(2, 3), normal(3, 4)),
    (normal(3), normal(3)),
    (normal(3), normal(3, 2)),
    (normal(2, 3), normal(3)),
    (normal(5, 2, 3), normal(3, 4)),
    (normal(3, 2), normal(4, 2, 3)),
    (normal(2, 1, 2, 3), normal(4, 3, 1)),
    (normal(4, 2, 3), normal(3)),
    (normal(3), normal(4, 3, 2)),
    (np.zeros((2, 0)), np.zeros((0, 3))),
    rtol=1e-12,
)
_SPELLINGS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->j", (2, 2, 3)),
    ("ij->", (2, 3)),
    ("ji", (2, 3)),
    ("...ij,...jk->...ik", (4, 2, 3), (3, 2)),
    ("b...,b...->...", (2, 3, 4), (2, 3, 4)),
    ("ij,ij,i->j", (2, 3), (2, 3), (2,)),
    ("i,j->ij", (2,), (3,)),
    ("ij,j->i", (1, 3), (3,)),
    (",i->i", (), (3,)),
]
row(
    "einsum",
    lambda *xs, spelling: gn.einsum(spelling, *xs),
    lambda *xs, spelling: np.einsum(spelling, *xs),
    *[Sample(tuple(normal(*s) for s in sizes), {"spelling": text}) for text, *sizes in _SPELLINGS],
    rtol=1e-12,
)
#: functions made of the ops above, tested the same way
COMPOSITES: dict[str, Row] = {}


def composite(name: str, call: Any, reference: Any, *samples: Any, **options: Any) -> None:
    row(name, call, reference, *samples, **options)
    COMPOSITES[name] = ROWS.pop(name)


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


_VALUES = np.array([-2.7, -1.3, -0.4, 0.3, 0.6, 1.7, 2.9])
composite("softmax", gn.softmax, _softmax, normal(4), Sample((normal(3, 4),), {"axis": 0}), rtol=1e-13)
composite("gelu", gn.gelu, lambda x: (x * (1 + _erf(x / math.sqrt(2))) / 2).astype(x.dtype), _VALUES, rtol=1e-13)
composite(
    "gelu_tanh",
    lambda x: gn.gelu(x, approximate=True),
    lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    _VALUES,
    rtol=1e-13,
)
composite("silu", gn.silu, lambda x: x * _sigmoid(x), _VALUES, rtol=1e-13)
composite("mish", gn.mish, lambda x: x * np.tanh(np.log1p(np.exp(x))), _VALUES, rtol=1e-13)
composite(
    "selu",
    gn.selu,
    lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    _VALUES,
    rtol=1e-13,
)
composite("softsign", gn.softsign, lambda x: x / (1 + np.abs(x)), _VALUES)
composite("relu6", gn.relu6, lambda x: np.clip(x, 0, 6), np.array([-1.0, 2.0, 7.0]))
composite(
    "hard_sigmoid", gn.hard_sigmoid, lambda x: np.clip((x + 3) / 6, 0, 1), np.array([-4.0, -1.0, 2.0, 4.0]), rtol=1e-13
)
composite(
    "hard_silu", gn.hard_silu, lambda x: x * np.clip((x + 3) / 6, 0, 1), np.array([-4.0, -1.0, 2.0, 4.0]), rtol=1e-13
)
composite("hard_tanh", gn.hard_tanh, lambda x: np.clip(x, -1, 1), _VALUES)
composite(
    "celu", lambda x: gn.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7)).astype(x.dtype), _VALUES
)
composite(
    "glu",
    gn.glu,
    lambda x, axis=-1: np.multiply(*[f(h) for f, h in zip((np.positive, _sigmoid), np.split(x, 2, axis), strict=True)]),
    normal(3, 4),
    Sample((normal(4, 3),), {"axis": 0}),
    rtol=1e-13,
)
composite("hard_shrink", gn.hard_shrink, lambda x: np.where(np.abs(x) > 0.5, x, 0).astype(x.dtype), _VALUES)
composite(
    "soft_shrink", gn.soft_shrink, lambda x: (np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)).astype(x.dtype), _VALUES
)
composite("tanh_shrink", gn.tanh_shrink, lambda x: x - np.tanh(x), _VALUES, rtol=1e-13)
composite("squareplus", gn.squareplus, lambda x: (x + np.sqrt(x * x + 4)) / 2, _VALUES, rtol=1e-13)
composite(
    "sparse_plus",
    gn.sparse_plus,
    lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)).astype(x.dtype),
    _VALUES,
    rtol=1e-13,
)
composite("sparse_sigmoid", gn.sparse_sigmoid, lambda x: np.clip((x + 1) / 2, 0, 1), _VALUES, rtol=1e-13)
composite(
    "threshold",
    gn.threshold,
    lambda x, threshold, default_value: np.where(x > threshold, x, x.dtype.type(default_value)),
    Sample((_VALUES,), {"threshold": 0.5, "default_value": -2.0}),
)


def _sparsemax(x: Any, axis: int = -1) -> Any:
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(x - low, 0).astype(x.dtype)


composite("sparsemax", gn.sparsemax, _sparsemax, spread(3, 5) / 3, Sample((spread(4, 3) / 3,), {"axis": 0}), rtol=1e-12)
composite("sinc", gn.sinc, np.sinc, np.array([0.0, 0.1, -0.3, 0.49, 0.51, 1.0, 2.5, -3.2]), rtol=1e-12)
composite(
    "norm",
    gn.norm,
    np.linalg.norm,
    normal(4),
    normal(2, 3),
    *[Sample((spread(4),), {"ord": o}) for o in (1, 2, 3, np.inf, -np.inf, 2.5)],
    *[Sample((spread(3, 4),), {"ord": o, "axis": (0, 1)}) for o in ("fro", 1, -1, np.inf, -np.inf)],
    *[Sample((spread(3, 4),), {"axis": a, "keepdims": True}) for a in (0, 1, (0, 1))],
    rtol=1e-12,
)
composite(
    "dot", gn.dot, np.dot, (normal(3), normal(3)), (normal(2, 2, 3), normal(4, 3, 2)), (normal(), normal(2)), rtol=1e-12
)
composite("inner", gn.inner, np.inner, (normal(2, 3), normal(4, 3)), (normal(3), normal(3)), rtol=1e-12)
composite("outer", gn.outer, np.outer, (normal(2), normal(3)), (normal(2, 2), normal(3)))
composite("vdot", gn.vdot, np.vdot, (normal(2, 3), normal(2, 3)), rtol=1e-12)
composite(
    "tensordot",
    gn.tensordot,
    np.tensordot,
    (normal(2, 3, 4), normal(3, 4, 2)),
    Sample((normal(2, 3, 4), normal(4, 2)), {"axes": ((2, 0), (0, 1))}),
    Sample((normal(2), normal(3)), {"axes": 0}),
    rtol=1e-12,
)
composite(
    "linalg_trace",
    products.trace,
    np.trace,
    normal(3, 2),
    Sample((normal(2, 3, 4),), {"offset": 1, "axis1": 1, "axis2": 2}),
)
composite(
    "diag",
    gn.diag,
    np.diag,
    normal(3),
    normal(3, 2),
    Sample((normal(3),), {"k": -1}),
    Sample((normal(2, 4),), {"k": 1}),
)
composite("tril", gn.tril, np.tril, normal(3, 4), Sample((normal(2, 3, 3),), {"k": -1}))
composite("triu", gn.triu, np.triu, normal(3, 4), Sample((normal(2, 3, 3),), {"k": 1}))
composite("swapaxes", gn.swapaxes, np.swapaxes, Sample((normal(2, 3, 4),), {"axis1": 0, "axis2": -1}))
composite(
    "moveaxis",
    gn.moveaxis,
    np.moveaxis,
    Sample((normal(2, 3, 4),), {"source": 0, "destination": -1}),
    Sample((normal(2, 3, 4),), {"source": (0, 2), "destination": (1, 0)}),
)
composite(
    "expand_dims",
    gn.expand_dims,
    np.expand_dims,
    Sample((normal(2, 3),), {"axis": 1}),
    Sample((normal(2),), {"axis": (0, -1)}),
)
composite("squeeze", gn.squeeze, np.squeeze, normal(1, 3, 1), Sample((normal(1, 3, 1),), {"axis": 0}))
composite("ravel", gn.ravel, np.ravel, normal(2, 3))
composite(
    "tile",
    gn.tile,
    np.tile,
    *[Sample((normal(2, 3),), {"reps": r}) for r in (2, (2, 1), (2, 1, 3), (0, 1))],
)
composite(
    "repeat",
    gn.repeat,
    np.repeat,
    Sample((normal(2, 3),), {"repeats": 2}),
    Sample((normal(2, 3),), {"repeats": [1, 0, 2], "axis": 1}),
)
composite("split", lambda x: gn.split(x, 3)[1], lambda x: np.split(x, 3)[1], normal(6, 2))
composite(
    "array_split",
    lambda x: gn.array_split(x, [1, 4], axis=1)[1],
    lambda x: np.array_split(x, [1, 4], axis=1)[1],
    normal(2, 6),
)
composite(
    "take",
    gn.take,
    np.take,
    Sample((normal(3, 4),), {"indices": [1, 1, -1], "axis": 1}),
    Sample((normal(3, 4),), {"indices": [[0, 5], [5, 11]]}),
)
composite(
    "take_along_axis",
    gn.take_along_axis,
    np.take_along_axis,
    Sample((normal(3, 4),), {"indices": np.array([[0], [3], [3]]), "axis": 1}),
    Sample((normal(3, 4),), {"indices": np.array([[2, 0, 0, 1]]), "axis": 0}),
)
composite("sort", gn.sort, np.sort, spread(5), Sample((spread(3, 4),), {"axis": 0}))
composite(
    "clip",
    gn.clip,
    np.clip,
    Sample((spread(5),), {"a_min": -1.0, "a_max": 1.0}),
    Sample((spread(5),), {"a_min": None, "a_max": 0.5}),
)


def _random_words(key: Any, count: int) -> list[int]:
    """SplitMix64 in Python integers, one word at a time."""
    mask, gamma = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    start = mixed((int(key) + gamma) & mask)
    return [mixed((start + (i + 1) * gamma) & mask) for i in range(count)]


def _random_reference(key: Any, shape: Any, dtype: str = "float32") -> np.ndarray:
    count = math.prod(shape)
    words = _random_words(key, count)
    if dtype == "float64":
        numbers = [(w >> 11) * 2.0**-53 for w in words]
    else:
        numbers = [((words[i // 2] >> (32 * (i % 2)) & 0xFFFFFFFF) >> 8) * 2.0**-24 for i in range(count)]
    return np.array(numbers, dtype).reshape(shape)


row(
    "random_uniform",
    gn.random_uniform,
    _random_reference,
    Sample((np.array(3),), {"shape": (3, 5)}),
    Sample((np.array(2**62),), {"shape": (4,), "dtype": "float64"}),
    differentiable=False,
)


def _normal_reference(key: Any, shape: Any, dtype: str = "float32") -> np.ndarray:
    """Box and Muller's formula, in Python's doubles, on the same generator."""
    count = math.prod(shape)
    words, numbers = _random_words(key, count + 1), []
    for i in range(0, count, 2):
        if dtype == "float64":
            u, v = (words[i] >> 11) * 2.0**-53 + 2.0**-54, (words[i + 1] >> 11) * 2.0**-53
        else:
            u, v = ((words[i // 2] & 0xFFFFFFFF) + 0.5) * 2.0**-32, (words[i // 2] >> 32) * 2.0**-32
        r = math.sqrt(max(-2 * math.log(u), 0))
        numbers += [r * math.cos(2 * math.pi * v), r * math.sin(2 * math.pi * v)]
    return np.array(numbers[:count], dtype).reshape(shape)


row(
    "random_normal",
    gn.random_normal,
    _normal_reference,
    Sample((np.array(3),), {"shape": (3, 5)}),
    Sample((np.array(2**62),), {"shape": (7,), "dtype": "float64"}),
    differentiable=False,
    rtol=1e-6,
)


@gn.custom_gradient
def _attached(x: Any) -> Any:
    return gn.sin(x), lambda g: g * gn.cos(x)


row("attached", _attached, np.sin, normal(3))


@gn.custom_gradient
def _custom(x: Any, y: Any) -> Any:
    """Two results; the rule is called once, with both gradients."""
    return (x * y, gn.exp(y)), lambda g, h: (g * y, g * x + h * gn.exp(y))


row("custom", lambda x, y: gn.add(*_custom(x, y)), lambda x, y: x * y + np.exp(y), (normal(3), normal(3)))

_compiled = gn.compile(lambda x, y: (gn.sin(x) * y, gn.sum(x * x, axis=0)))
row(
    "compiled",
    lambda x, y: gn.add(*_compiled(x, y)),
    lambda x, y: np.sin(x) * y + np.sum(x * x, axis=0),
    (normal(2, 3), normal(3)),
)


def _windows(sizes: Any, window: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    """For each window its place, and for each of its elements in the array the place in the window and the array."""
    rank = len(sizes)
    pairs = [(0, 0)] * rank if padding == "valid" else padding
    fit = [
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, (a, b), d in zip(sizes, window, strides, pairs, dilation, strict=True)
    ]
    for o in np.ndindex(*fit):
        met = []
        for w in np.ndindex(*window):
            at = tuple(i * s - a + j * d for i, s, (a, _), j, d in zip(o, strides, pairs, w, dilation, strict=True))
            if all(0 <= i < n for i, n in zip(at, sizes, strict=True)):
                met.append((w, at))
        yield o, met


def _three(x: Any, kernel: Any, u: Any, strides: Any, padding: Any, dilation: Any, groups: int, wanted: int) -> Any:
    """The sums of products of two of the three arrays of a convolution, in the place of the third."""
    arrays = [x, kernel, u]
    arrays[wanted] = np.zeros(arrays[wanted], np.result_type(*(a for a in arrays if isinstance(a, np.ndarray))))
    x, kernel, u = arrays
    inputs, outputs = kernel.shape[-2], kernel.shape[-1] // groups
    for o, met in _windows(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation):
        for w, at in met:
            for g in range(groups):
                i, j = slice(g * inputs, (g + 1) * inputs), slice(g * outputs, (g + 1) * outputs)
                xs, ks, us = x[(slice(None), *at, i)], kernel[(*w, slice(None), j)], u[(slice(None), *o, j)]
                if wanted == 0:
                    xs += us @ ks.T
                elif wanted == 1:
                    ks += xs.T @ us
                else:
                    us += xs @ ks
    return arrays[wanted]


def _fits(sizes: Any, window: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    *_, (last, _) = _windows(sizes, window, strides, padding, dilation)
    return tuple(n + 1 for n in last)


#: sizes, window, strides, padding, dilation, channels in and out, groups
_CONVOLUTIONS: list[Any] = [
    ((5,), (2,), (1,), "valid", (1,), (2, 3), 1),
    ((6,), (3,), (2,), ((2, 1),), (2,), (1, 2), 1),
    ((5,), (3,), (3,), "valid", (1,), (4, 6), 2),
    ((4, 3), (2, 2), (1, 1), "valid", (1, 1), (2, 2), 1),
    ((5, 4), (3, 2), (2, 1), ((1, 1), (0, 1)), (1, 1), (2, 2), 2),
    ((4, 5), (1, 2), (1, 3), ((0, 0), (1, 0)), (1, 2), (2, 4), 2),
    ((4, 5), (2, 3), (1, 2), ((1, 0), (1, 1)), (1, 1), (3, 6), 3),
    ((5,), (2,), (1,), "valid", (2,), (3, 3), 3),
    ((1, 1), (1, 1), (2, 2), "valid", (1, 1), (1, 1), 1),
    ((2, 3, 2), (2, 1, 2), (1, 2, 1), ((0, 1), (0, 0), (1, 0)), (1, 1, 1), (1, 2), 1),
]


def _convolution(wanted: int) -> list[Sample]:
    listed = []
    for sizes, window, strides, padding, dilation, (inputs, outputs), groups in _CONVOLUTIONS:
        fit = _fits(sizes, window, strides, padding, dilation)
        arrays = [
            normal(2, *sizes, inputs),
            normal(*window, inputs // groups, outputs),
            normal(2, *fit, outputs),
        ]
        del arrays[wanted]
        at = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        extra = [{"size": sizes}, {"window": window}, {}][wanted]
        listed.append(Sample(tuple(arrays if wanted else arrays[::-1]), {**at, **extra}))
    return listed


def _conv_transposed(u: Any, kernel: Any, size: Any, **at: Any) -> Any:
    return _three((len(u), *size, kernel.shape[-2] * at["groups"]), kernel, u, **at, wanted=0)


def _conv_reference(x: Any, kernel: Any, **at: Any) -> Any:
    fit = _fits(x.shape[1:-1], kernel.shape[:-2], at["strides"], at["padding"], at["dilation"])
    return _three(x, kernel, (len(x), *fit, kernel.shape[-1]), **at, wanted=2)


def _kernel_reference(x: Any, u: Any, window: Any, **at: Any) -> Any:
    return _three(x, (*window, x.shape[-1] // at["groups"], u.shape[-1]), u, **at, wanted=1)


_EMPTY_BATCH = Sample((np.zeros((0, 4, 2)), normal(3, 2, 2)), {**_convolution(2)[0].kwargs})
row("conv", gn.conv, _conv_reference, *_convolution(2), _EMPTY_BATCH, rtol=1e-12)
row("conv_transpose", gn.conv_transpose, _conv_transposed, *_convolution(0), rtol=1e-12)
row("conv_kernel", convolution.conv_kernel, _kernel_reference, *_convolution(1), rtol=1e-12)


def _pooled(x: Any, window: Any, strides: Any, padding: Any, f: Any = np.max, dtype: Any = None) -> Any:
    ones = (1,) * len(window)
    fit = _fits(x.shape[1:-1], window, strides, padding, ones)
    y = np.zeros((len(x), *fit, x.shape[-1]), dtype or x.dtype)
    for o, met in _windows(x.shape[1:-1], window, strides, padding, ones):
        y[(slice(None), *o)] = f(np.stack([x[(slice(None), *at)] for _, at in met]), axis=0)
    return y


def _place(x: Any, window: Any, strides: Any, padding: Any) -> Any:
    ones = (1,) * len(window)
    fit = _fits(x.shape[1:-1], window, strides, padding, ones)
    y = np.zeros((len(x), *fit, x.shape[-1]), np.uint8)
    for o, met in _windows(x.shape[1:-1], window, strides, padding, ones):
        numbers = np.array([np.ravel_multi_index(w, window) for w, _ in met])
        y[(slice(None), *o)] = numbers[np.argmax(np.stack([x[(slice(None), *at)] for _, at in met]), axis=0)]
    return y


_POOLS: list[Any] = [
    ((6,), (2,), (2,), "valid"),
    ((5,), (3,), (1,), ((1, 2),)),
    ((5, 4), (2, 2), (2, 2), "valid"),
    ((4, 5), (3, 2), (1, 2), ((1, 1), (0, 1))),
    ((1, 1), (1, 1), (1, 1), "valid"),
    ((2, 3, 2), (2, 2, 1), (1, 1, 1), "valid"),
]
_pools = [Sample((spread(2, *sizes, 2),), {"window": w, "strides": s, "padding": p}) for sizes, w, s, p in _POOLS] + [
    Sample((np.zeros((0, 4, 2)),), {"window": (2,), "strides": (2,), "padding": "valid"})
]
row("max_pool", gn.max_pool, _pooled, *_pools)
row("max_pool_at", pooling.max_pool_at, _place, *_pools, differentiable=False)
row("avg_pool", gn.avg_pool, lambda x, **at: _pooled(x, **at, f=np.mean), *_pools, rtol=1e-13)


def _picked(x: Any, places: Any, window: Any, strides: Any, padding: Any) -> Any:
    y = np.zeros(places.shape, x.dtype)
    for o, met in _windows(x.shape[1:-1], window, strides, padding, (1,) * len(window)):
        for w, at in met:
            here = places[(slice(None), *o)] == np.ravel_multi_index(w, window)
            y[(slice(None), *o)] += here * x[(slice(None), *at)]
    return y


def _put(g: Any, places: Any, size: Any, window: Any, strides: Any, padding: Any) -> Any:
    y = np.zeros((len(g), *size, g.shape[-1]), g.dtype)
    for o, met in _windows(size, window, strides, padding, (1,) * len(window)):
        for w, at in met:
            here = places[(slice(None), *o)] == np.ravel_multi_index(w, window)
            y[(slice(None), *at)] += here * g[(slice(None), *o)]
    return y


def _shared_out(g: Any, size: Any, window: Any, strides: Any, padding: Any) -> Any:
    y = np.zeros((len(g), *size, g.shape[-1]), g.dtype)
    for o, met in _windows(size, window, strides, padding, (1,) * len(window)):
        for _, at in met:
            y[(slice(None), *at)] += g[(slice(None), *o)] / len(met)
    return y


_placed = [(s, _place(*s.arrays, **s.kwargs)) for s in _pools]
_backs = [(s, p, normal(*p.shape), {"size": s.arrays[0].shape[1:-1]}) for s, p in _placed if p.size]
row(
    "window_pick",
    lambda x, places, **at: pooling.window_pick(x, places, **at),
    _picked,
    *[Sample(s.arrays, {"places": p, **s.kwargs}) for s, p in _placed],
)
row(
    "window_put",
    lambda g, places, **at: pooling.window_put(g, places, **at),
    _put,
    *[Sample((g,), {"places": p, **s.kwargs, **size}) for s, p, g, size in _backs],
)
row(
    "avg_pool_transpose",
    pooling.avg_pool_transpose,
    _shared_out,
    *[Sample((g,), {**s.kwargs, **size}) for s, p, g, size in _backs],
    rtol=1e-13,
)


def _scanned(h: Any, x: Any, w: Any, reverse: bool = False) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = gn.tanh(h @ w + row)
        return h, h * row

    last, ys = gn.scan(step, h, x, reverse=reverse)
    return gn.concatenate([last, gn.reshape(ys, (-1, last.shape[-1]))])


def _scan_reference(h: np.ndarray, x: np.ndarray, w: np.ndarray, reverse: bool = False) -> np.ndarray:
    ys = []
    for row in x[::-1] if reverse else x:
        h = np.tanh(h @ w + row)
        ys.append(h * row)
    return np.concatenate([h, *(ys[::-1] if reverse else ys)])


row(
    "scan",
    _scanned,
    _scan_reference,
    (normal(2, 3), normal(4, 2, 3), normal(3, 3)),
    Sample((normal(2, 2), normal(3, 2, 2), normal(2, 2)), {"reverse": True}),
    rtol=1e-13,
)
_PLACES = (np.array([[0, 2], [2, 2]]), np.array([1]), np.zeros((0, 2), np.int64))
row(
    "take_rows",
    gn.take_rows,
    lambda x, places: x[places],
    *[Sample((normal(3, 2),), {"places": p}) for p in _PLACES],
    Sample((normal(4),), {"places": np.array([3, 0, 3])}),
)


def _add_rows_reference(x: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    y = np.zeros((count, *x.shape[places.ndim :]), x.dtype)
    np.add.at(y, places, x)
    return y


row(
    "add_rows",
    lambda x, places, count: OPS["add_rows"].function(x, places, count=count),
    _add_rows_reference,
    *[Sample((normal(*p.shape, 2),), {"places": p, "count": 3}) for p in _PLACES],
)
