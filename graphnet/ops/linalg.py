"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from graphnet.op import op


@op("(m,k),(k,n)->(m,n)", onnx="MatMul", vjp=(lambda g, y, a, b: matmul(g, b.mT), lambda g, y, a, b: matmul(a.mT, g)))
def _matmul(a, b):
    """Matrix product over the last two axes; leading axes broadcast."""
    return np.matmul(a, b)


matmul = _matmul
