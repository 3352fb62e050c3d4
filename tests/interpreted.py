"""Native plans without LLVM: the kernels of a plan are run by the interpreter, with a check of each address."""

from __future__ import annotations

import numpy as np

import graphnet as gn
from graphnet.plans.code.exports import data_offset
from graphnet.plans.code.function import function_of
from graphnet.plans.code.native import native_code
from graphnet.plans.nest.interpret import run
from graphnet.plans.nest.memory import Memory
from graphnet.plans.order.arena import LINE

_TRANSPOSED = 112


def _matrix(place, dtype, rows, columns, lead):
    """A matrix in memory whose rows lie `lead` elements apart."""
    flat = place.array(dtype, (rows - 1) * lead + columns)
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), (lead * flat.itemsize, flat.itemsize))


def _gemm(dtype):
    def gemm(order, side_a, side_b, m, n, k, alpha, a, lead_a, b, lead_b, beta, c, lead_c):
        x = _matrix(a, dtype, k, m, lead_a).T if side_a == _TRANSPOSED else _matrix(a, dtype, m, k, lead_a)
        y = _matrix(b, dtype, n, k, lead_b).T if side_b == _TRANSPOSED else _matrix(b, dtype, k, n, lead_b)
        old = _matrix(c, dtype, m, n, lead_c)
        old[...] = alpha * (x @ y) + (beta * old if beta else 0)

    return gemm


def _gemv(dtype):
    def gemv(order, side, m, n, alpha, a, lead, x, step, beta, y, step_y):
        matrix = _matrix(a, dtype, m, n, lead)
        matrix = matrix.T if side == _TRANSPOSED else matrix
        vector = x.array(dtype, (matrix.shape[1] - 1) * step + 1)[::step]
        old = y.array(dtype, (matrix.shape[0] - 1) * step_y + 1)[::step_y]
        old[...] = alpha * (matrix @ vector) + (beta * old if beta else 0)

    return gemv


def _object(array):
    """An array object, as kernels see it: somewhere in it the address of its data."""
    return [*[None] * (data_offset() // 8), array]


def _share(part, wait, table, address, counts, length, holder):
    """In place of the threads: one who does all chunks."""
    counts[0] = counts[1] = 0
    part(table, address)


def _table(code):
    """In place of addresses, what lies there."""
    table = [None] * len(code.native.slots)
    block = code.lines.scope["k_block"]
    start = -block.__array_interface__["data"][0] % LINE
    table[0] = Memory(block[start : start + code.arena.total], label="the arena")
    for key, slot in code.native.slots.items():
        if isinstance(key, tuple) and key[0] == "blas":
            table[slot] = {"gemm": _gemm, "gemv": _gemv}[key[1]](np.dtype(key[2]))
        elif isinstance(key, gn.Tensor) and key not in code.order.given and not isinstance(key, gn.Parameter):
            table[slot] = np.ascontiguousarray(key._value)
    return table


def interpreted(graph):
    """A function of the graph's inputs that answers with its outputs as tensors."""
    code = native_code(graph)
    scope = code.lines.scope
    table = _table(code)
    states = {scope[f"{name}_address"]: scope[name] for name in scope if f"{name}_address" in scope}

    def called(kernel):
        def function(_, state=None):
            run(kernel, table, *([] if state is None else [np.frombuffer(states[state], np.int64)]))

        return function

    functions = {f"k_{e.name}": called(e.kernel) for e in code.native.exports}
    replaced = {"k_table": table, "k_address": 0, "id": _object, "k_share": _share}
    step = function_of(code, {**functions, **replaced})

    def function(*arrays):
        given = [np.array(a, t.dtype, order="C") for a, t in zip(arrays, graph.inputs, strict=True)]
        return [gn.tensor(a) for a in step(*given, *(p._value for p in code.parameters))]

    function.code, function.table = code, table
    return function
