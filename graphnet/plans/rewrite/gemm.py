"""Nodes that exist in plans only, because BLAS has them as one call: an update inside a product, a sum of products.

The gradient of a weight matrix is a product, and under plain gradient descent the step is linear in it: as
`p = beta * p + alpha * a @ b` it is computed in place, and no gradient is written at all. An L2 penalty is a sum of
products over everything.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet import ops
from graphnet.apply import made
from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.node import Tensor, constant, made_by
from graphnet.ops.planned import GEMM, VDOT
from graphnet.plans import blas
from graphnet.plans.kernels.products import PLAIN, ROW_MAJOR, TRANSPOSED, Product
from graphnet.plans.rewrite import rewritten
from graphnet.plans.rewrite.rewriting import the_number
from graphnet.plans.rewrite.updates import ProductUpdate, product_updates


def with_gemm(graph: Graph, least: int = 0, scaled: bool = False) -> Graph:
    """`graph` with every update that is linear in one matrix product as one `gemm` node.

    For a parameter of fewer than `least` elements it is `beta * p + alpha * (a @ b)`, without what was between. With
    `scaled`, `beta * p` is a node of its own: BLAS would go over p for it, and a loop that goes over p anyway, for its
    penalty, has it for less.
    """
    # Where nothing is left of the old value it is not read: zero times what is there could be NaN.
    found = {p: u for p, u in product_updates(graph).items() if not _is(u.beta, 0)}
    if not found:
        return graph
    updates = []
    for p, t in graph.updates:
        u = found.get(p)
        updates.append((p, t if u is None else _gemm(p, u, scaled) if p.size >= least else _written_out(p, u)))
    return graph.with_outputs(graph.inputs, graph.outputs, updates).check()


def _gemm(p: Parameter, u: ProductUpdate, scaled: bool) -> Tensor:
    c: Tensor = p
    beta = u.beta
    if scaled and not _is(beta, 1):
        c, beta = made(ops.multiply.op, (p, u.beta), {}, like=u.product), constant(np.ones((), p.dtype))
    return made(GEMM, (c, u.a, u.b, u.alpha, beta), {}, like=u.product)


def _written_out(p: Parameter, u: ProductUpdate) -> Tensor:
    def make(f: Any, *inputs: Tensor) -> Tensor:
        return made(f.op, inputs, {}, like=u.product)

    kept = p if _is(u.beta, 1) else make(ops.multiply, p, u.beta)
    return make(ops.add, kept, make(ops.multiply, make(ops.matmul, u.a, u.b), u.alpha))


def _is(t: Tensor, value: int) -> bool:
    """Whether a factor is this constant: 1 where there is no penalty or decay, so that there is nothing to scale."""
    number = the_number(t) if t.op is None else None
    return number is not None and bool(number == value)


def dotted(graph: Graph) -> Graph:
    """`graph` with sums of products over all elements as `vdot` nodes, where nothing else needs the product."""
    users: dict[Tensor, int] = {}
    given = set(graph.inputs)
    for t in graph.nodes:
        for i in t.inputs if t not in given else ():
            users[i] = users.get(i, 0) + 1
    wanted = {*graph.outputs, *(t for _, t in graph.updates)}

    def rule(node: Tensor, inputs: Sequence[Tensor]) -> Tensor | None:
        if not made_by(node, ops.sum) or node.shape != () or node.dtype.kind != "f":
            return None
        (x,), (new,) = node.inputs, inputs
        if not made_by(x, ops.multiply) or users.get(x) != 1 or x in wanted or x in given:
            return None
        a, b = new.inputs
        fits = a.shape == b.shape == x.shape and a.dtype == b.dtype == node.dtype and node.dtype.itemsize > 2
        return made(VDOT, (a, b), {}, like=node) if fits else None

    return rewritten(graph, rule)


def gemm_call(p: Product) -> Callable[..., None] | None:
    """A function `(c, a, b, alpha, beta)` of arrays that runs BLAS in place of c; a and b are the arrays that the
    product's matrices lie in. None where NumPy's BLAS is not found."""
    found = blas.found()
    if found is None:
        return None
    kind: Any = ctypes.c_float if p.dtype == np.float32 else ctypes.c_double
    whole: Any = ctypes.c_int64 if found.integer == np.int64 else ctypes.c_int32
    pointer = ctypes.c_void_p
    signature = [ctypes.c_int] * 3 + [whole] * 3 + [kind, pointer, whole, pointer, whole, kind, pointer, whole]
    function = ctypes.CFUNCTYPE(None, *signature)(found.gemm[p.dtype])
    a, b = p.a, p.b
    turned_a, turned_b = (TRANSPOSED if m.transposed else PLAIN for m in (a, b))
    rows, columns, inner = a.rows, b.columns, a.columns
    skip_a, skip_b = (m.view.offset * p.dtype.itemsize for m in (a, b))
    layout = (ROW_MAJOR, turned_a, turned_b, rows, columns, inner)

    def gemm(into: np.ndarray, left: np.ndarray, right: np.ndarray, alpha: Any, beta: Any) -> None:
        first = left.__array_interface__["data"][0] + skip_a
        second = right.__array_interface__["data"][0] + skip_b
        result = into.__array_interface__["data"][0]
        function(*layout, alpha, first, a.lead, second, b.lead, beta, result, columns)

    return gemm
