"""Updates that ride in a matrix product: `p = beta * p + alpha * a @ b` as one node, which BLAS computes in place.

The gradient of a weight matrix is a product, and under plain gradient descent the step is linear in it: no gradient is
written at all. The node exists in native plans only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.apply import Op
from graphnet.compile.updates import product_updates
from graphnet.graph import Graph
from graphnet.op import made
from graphnet.tensor import Spec


def _forward(c: Any, a: Any, b: Any, alpha: Any, beta: Any) -> Any:
    return beta * c + alpha * np.matmul(a, b)


GEMM = Op(
    "gemm",
    "op",
    _forward,
    lambda c, a, b, alpha, beta: Spec(c.shape, c.dtype),
    (None,) * 5,
    ("c", "a", "b", "alpha", "beta"),
    onnx="Gemm",
    doc="`beta * c + alpha * a @ b`, for matrices and two numbers.",
)


def riding(graph: Graph) -> Graph:
    """`graph` with every update that is linear in one matrix product as one `gemm` node."""
    found = product_updates(graph)
    if not found:
        return graph
    updates = []
    for p, t in graph.updates:
        u = found.get(p)
        updates.append((p, t if u is None else made(GEMM, (p, u.a, u.b, u.alpha, u.beta), {}, like=u.product)))
    return graph.with_outputs(graph.inputs, graph.outputs, updates).check()
