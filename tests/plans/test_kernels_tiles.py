"""Kernels of tiles in the loop language: convolutions, pools, a row times a matrix, packed kernels.

Each runs in the interpreter, which needs no LLVM and checks bounds, and natively where there is LLVM, bit for bit
alike.
Data are whole numbers, whose products are exact: `a * b + c` may be rounded once or twice.
"""

from __future__ import annotations

import numpy as np
import pytest
from nest_kernels import outputs

import graphnet as gn
from graphnet.ops import pooling
from graphnet.plans.kernels import convolutions, gemv, pools, tiles
from graphnet.plans.kernels.products import Matrix, Product
from graphnet.plans.nest import interpret
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.memory import OutOfBounds, blank
from graphnet.plans.order.views import View

#: batch, sizes, window, strides, padding, dilation, channels in and out
CONVOLUTIONS = {
    "rests everywhere": (2, (5, 4), (2, 2), (1, 1), "valid", (1, 1), 2, 5),
    "strides and padding": (2, (5, 4), (3, 2), (2, 3), "same", (1, 1), 2, 3),
    "dilation": (1, (6, 5), (2, 2), (1, 1), ((1, 0), (0, 1)), (2, 2), 1, 2),
    "long runs": (1, (12,), (3,), (1,), "valid", (1,), 13, 2),
    "three axes": (1, (2, 3, 3), (2, 1, 2), (1, 2, 1), "same", (1, 1, 1), 1, 2),
}


def whole(rng, shape, dtype):
    return rng.integers(-4, 5, shape).astype(dtype)


def geometry(row, dtype):
    """The sizes of a convolution, with its arguments: x, kernel, the gradient of the result; and all as tensors."""
    batch, sizes, window, strides, padding, dilation, inputs, outputs_ = row
    rng = np.random.default_rng(0)
    x = gn.tensor(whole(rng, (batch, *sizes, inputs), dtype), requires_grad=True)
    kernel = gn.tensor(whole(rng, (*window, inputs, outputs_), dtype), requires_grad=True)
    y = gn.conv(x, kernel, strides=strides, padding=padding, dilation=dilation)
    g = convolutions.geometry(y)
    assert g is not None
    return g, x, kernel, y


def packed(g, kernel, transposed):
    k = Kernel("packed")
    convolutions.packed(k, g, k.pointer(g.dtype), k.pointer(g.dtype), transposed)
    return outputs(k, kernel, blank(kernel.shape, g.dtype))[1]


def run(write, g, arguments, result):
    """The result of one of the three loops; memory for a padded sample is the last argument."""
    k = Kernel("loops")
    pointers = [k.pointer(g.dtype) for _ in range(len(arguments) + 1)]
    padded = k.pointer(g.dtype, "padded") if g.sample else None
    write(k, g, *pointers[: len(arguments)], pointers[-1], (0, g.batch), padded)
    scratch = [blank(g.sample // g.dtype.itemsize, g.dtype)] if g.sample else []
    return outputs(k, *arguments, blank(result, g.dtype), *scratch)[len(arguments)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_the_three_loops_of_a_convolution(row, dtype):
    g, x, kernel, y = geometry(row, dtype)
    got = run(convolutions.conv, g, [x.numpy(), packed(g, kernel.numpy(), False)], y.shape)
    np.testing.assert_array_equal(got, y.numpy())
    u = whole(np.random.default_rng(1), y.shape, dtype)
    gx, gk = gn.gradients([y], [x, kernel], [u])
    got = run(convolutions.conv_transpose, g, [u, packed(g, kernel.numpy(), True)], x.shape)
    np.testing.assert_array_equal(got, gx.numpy())
    got = run(convolutions.conv_kernel, g, [x.numpy(), u], kernel.shape)
    np.testing.assert_array_equal(got, gk.numpy())


def test_a_convolution_begins_with_its_bias_and_takes_some_of_the_samples():
    g, x, kernel, y = geometry(CONVOLUTIONS["rests everywhere"], "float32")
    bias = np.arange(g.outputs, dtype="float32")
    k = Kernel("loops")
    pointers = [k.pointer(g.dtype) for _ in range(4)]
    samples = k.counter_argument("lo"), k.counter_argument("hi")
    convolutions.conv(k, g, pointers[0], pointers[1], pointers[3], samples, None, pointers[2])
    result = np.full(y.shape, 7, "float32")
    (*_, got) = outputs(k, x.numpy(), packed(g, kernel.numpy(), False), bias, result, 1, 2)
    np.testing.assert_array_equal(got[1], y.numpy()[1] + bias)
    assert np.all(got[0] == 7)


def test_results_of_several_threads_are_added_up():
    k = Kernel("joined")
    convolutions.joined(k, k.pointer("float32"), k.pointer("float32"), 4, k.counter_argument("count"))
    own, others = np.arange(4, dtype="float32"), np.arange(12, dtype="float32").reshape(3, 4)
    np.testing.assert_array_equal(outputs(k, own, others, 3)[0], own + others.sum(0))


POOLS = {
    "every element in one window": ((2, 4, 4, 3), (2, 2), (2, 2)),
    "elements in no window": ((1, 5, 7, 2), (2, 2), (2, 3)),
    "elements in several windows": ((1, 5, 5, 17), (3, 3), (2, 1)),
    "one axis": ((2, 9, 5), (3,), (2,)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "window", "strides"), POOLS.values(), ids=POOLS)
def test_pools(shape, window, strides, dtype):
    rng = np.random.default_rng(2)
    x = rng.integers(-3, 3, shape).astype(dtype)
    x.flat[3], x.flat[5], x.flat[7] = np.nan, -np.inf, -0.0
    attributes = dict(window=window, strides=strides, padding=((0, 0),) * len(window))
    best = gn.max_pool(gn.tensor(x, requires_grad=True), window, strides)
    g = pools.geometry(best)
    assert g is not None
    at = pooling.max_pool_at(x, **attributes).numpy()
    for wanted, dtype_ in ((best.numpy(), dtype), (at, "uint8")):
        k = Kernel("pool")
        source, result = k.pointer(dtype), k.pointer(dtype_)
        pair = (None, result) if dtype_ == "uint8" else (result, None)
        pools.largest(k, g, source, *pair, (0, g.batch))
        np.testing.assert_array_equal(outputs(k, x, blank(wanted.shape, dtype_))[1], wanted)
    slope = whole(rng, at.shape, dtype)
    k = Kernel("put")
    pools.put(k, g, k.pointer(dtype), k.pointer("uint8"), k.pointer(dtype), (0, g.batch))
    wanted = pooling.window_put(slope, at, size=shape[1:-1], **attributes).numpy()
    got = outputs(k, slope, at, blank(shape, dtype))[2]
    np.testing.assert_array_equal(got, wanted)


def matrix(array, transposed=False):
    rows, columns = array.shape
    return Matrix(View(None, tuple(array.strides), 0), transposed, rows if transposed else columns, rows, columns)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 2, 7, 64, 67])
@pytest.mark.parametrize("rows", [1, 5, 256, 300])
def test_a_row_times_a_matrix(rows, columns, dtype):
    rng = np.random.default_rng(3)
    a, b = whole(rng, (1, rows), dtype), whole(rng, (rows, columns), dtype)
    p = Product(matrix(a), matrix(b), np.dtype(dtype))
    assert gemv.fits(p)
    got = outputs(gemv.row(p), blank(columns, dtype), a, b)[0]
    np.testing.assert_array_equal(got, (a @ b)[0])


def test_a_row_with_gaps():
    rng = np.random.default_rng(4)
    held, b = whole(rng, (6, 3), "float64"), whole(rng, (6, 5), "float64")
    a = Matrix(View(None, (8, 24), 0), True, 3, 1, 6)
    got = outputs(gemv.row(Product(a, matrix(b), np.dtype("float64"))), blank(5, "float64"), held, b)[0]
    np.testing.assert_array_equal(got, held[:, 0] @ b)


def test_a_convolution_does_not_read_or_write_beside_its_arrays():
    g, x, kernel, _ = geometry(CONVOLUTIONS["rests everywhere"], "float32")
    k = Kernel("loops")
    pointers = [k.pointer(g.dtype) for _ in range(3)]
    convolutions.conv(k, g, *pointers, (0, g.batch), None)
    short = blank(g.batch * g.windows * g.outputs - 1, g.dtype)
    with pytest.raises(OutOfBounds, match="element"):
        interpret.run(k, x.numpy(), packed(g, kernel.numpy(), False), short)


def test_blocks_and_parts():
    assert tiles.widths(21, 16) == [(0, 16), (16, 4), (20, 1)]
    seen = []
    k = Kernel("blocks")
    tiles.blocks(k, 5, 4, lambda start, width: seen.append((start, width)))
    tiles.parts(k, 5, 6, lambda start, rows: seen.append((start, rows)))
    assert seen == [(0, 4), (4, 1), (0, 5)]
