"""Native plans whose kernels run in the interpreter: without LLVM, in order, with a check of each address."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreted import interpreted
from programs import Program
from test_compile import CASES, Row, Sample, cast, same
from test_programs import SEEDS, agree

import graphnet as gn
from graphnet.plans.code import compiler, native
from graphnet.plans.kernels import windows
from graphnet.plans.nest.memory import OutOfBounds


def weighted(row, sample):
    """The result, and as one number that has a gradient."""

    def call(*xs):
        y = row.call(*xs, **sample.kwargs)
        if not row.differentiable:
            return [y]
        return [y, (y * np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)).sum()]

    return call


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_every_op_and_its_gradient(row: Row, sample: Sample):
    for dtype in (np.float64, np.float32):
        arrays = cast(sample.arrays, dtype)
        graph = gn.trace(weighted(row, sample), *arrays)
        outputs = list(graph.outputs)
        if row.differentiable:
            outputs += gn.Graph(graph.inputs, [outputs[-1]]).gradient(list(graph.inputs)).outputs
        whole = gn.Graph(graph.inputs, outputs)
        with np.errstate(all="ignore"):
            for found, expected in zip(interpreted(whole)(*arrays), whole(*arrays), strict=True):
                same(found, expected)


@given(seed=SEEDS, length=st.integers(1, 40), exact=st.booleans())
def test_random_programs(seed, length, exact):
    program = Program(seed, length, exact=exact)
    graph = program.graph()
    step = interpreted(graph)
    for _ in range(2):
        agree(step, graph, program.arrays(), exact)


@given(seed=SEEDS, length=st.integers(1, 20))
def test_gradients_of_random_programs(seed, length):
    program = Program(seed, length, exact=False, dtype="float64")
    forward = program.graph()
    total = sum((t.sum() for t in forward.outputs if t.dtype.kind == "f"), gn.tensor(0.0))
    if not program.inputs or not isinstance(total, gn.Tensor) or not total.is_symbolic:
        return
    graph = gn.Graph(program.inputs, [total]).gradient(program.inputs)
    agree(interpreted(graph), graph, program.arrays(), exact=False)


#: loops that are shared: rows, sums over rows, means, one number, and convolutions with their gradients
SHARED = {
    "rows": lambda x, k: [gn.softmax(x, axis=-1) * 2],
    "columns": lambda x, k: (gn.exp(x).sum(axis=(0, 1, 2)), (x * x).mean(axis=(0, 1, 2)), x.max(axis=(0, 1, 2))),
    "one number": lambda x, k: ((x * 3).sum(), x.min(), (x > 0).any()),
    "convolution": lambda x, k: [gn.relu(gn.conv(x, k))],
    "pooling": lambda x, k: [gn.max_pool(x, 2)],
}


@pytest.mark.parametrize("name", SHARED)
def test_shared_loops_are_complete_and_write_only_their_part(name, monkeypatch):
    monkeypatch.setattr(native, "SHARED_TIME", 0)
    monkeypatch.setattr(windows, "SHARED_TIME", 0)
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(5, 6, 6, 2)), rng.normal(size=(2, 2, 2, 3))
    graph = gn.trace(SHARED[name], x, k)
    step = interpreted(graph)
    shared = [call for call in step.code.kernels if call is not None and call.length]
    assert shared
    plans = [step, graph.compile(backend="native")] if compiler.available() else [step]
    for plan in plans * 2:
        for found, expected in zip(plan(x, k), graph(x, k), strict=True):
            same(found, expected)
    if name == "convolution":
        total = gn.trace(lambda x, k: (SHARED[name](x, k)[0] ** 2).sum(), x, k)
        slopes = total.gradient(list(total.inputs))
        for found, expected in zip(interpreted(slopes)(x, k), slopes(x, k), strict=True):
            same(found, expected)


def test_an_array_that_is_too_small_is_found():
    x = np.ones((4, 3))
    step = interpreted(gn.trace(lambda x: gn.exp(x) + 1, x))
    short = next(slot for key, slot in step.code.native.slots.items() if isinstance(key, gn.Tensor))
    run = step.code.native.exports[0].kernel
    step(x)
    table = list(step.table)
    table[short] = [*table[short][:-1], x[:2].copy()]
    from graphnet.plans.nest import interpret

    with pytest.raises(OutOfBounds, match="reads"):
        interpret.run(run, table)


def test_memory_that_is_used_again_for_another_dtype():
    x = np.array([3.0, 1.0, 2.0, -7.0])

    def f(x):
        return [gn.cumsum(gn.argsort(x) * 0.5 + 1), gn.cumsum((gn.cumsum(x) * 2).astype("int64"))]

    graph = gn.trace(f, x)
    step = interpreted(graph)
    dtypes = {}
    for t, key in step.code.memory.keys.items():
        dtypes.setdefault(key, set()).add(t.dtype)
    assert any(len(kinds) > 1 for kinds in dtypes.values())
    plans = [step, graph.compile(backend="native")] if compiler.available() else [step]
    for plan in plans:
        for found, expected in zip(plan(x), graph(x), strict=True):
            same(found, expected)
