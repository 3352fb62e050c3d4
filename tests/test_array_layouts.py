"""Inputs of any memory layout, in every way of running: ops, graphs and plans see numbers, not how they lie in memory.

Every sample of every op, and random programs, run eagerly, as a graph, as a plan on NumPy, as a native plan and under
`gn.debug`, with arrays that are strided, transposed, reversed, read-only, unaligned or big-endian.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import Program
from samples import COMPOSITES, ROWS, Row, Sample

import graphnet as gn
from graphnet.plans.code import compiler

TABLE = {**ROWS, **{f"{name} (composite)": r for name, r in COMPOSITES.items()}}


def strided(a: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * n for n in a.shape], a.dtype)
    view = wide[(..., *(slice(None, None, 2) for _ in a.shape))]
    view[...] = a
    return view


def reversed_axes(a: np.ndarray) -> np.ndarray:
    back = (..., *(slice(None, None, -1) for _ in a.shape))
    return a[back].copy()[back]


def column_major(a: np.ndarray) -> np.ndarray:
    return np.array(a, order="F")


def read_only(a: np.ndarray) -> np.ndarray:
    b = a.copy()
    b.flags.writeable = False
    return b


def unaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, np.uint8)
    b = raw[1 : 1 + a.nbytes].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def big_endian(a: np.ndarray) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder(">"))


def repeated(a: np.ndarray) -> np.ndarray:
    """Broadcast from its first row where all rows are equal: strides of zero."""
    if a.ndim and a.shape[0] > 1 and all(np.array_equal(row, a[0], equal_nan=a.dtype.kind == "f") for row in a):
        return np.broadcast_to(a[0], a.shape)
    return a


LAYOUTS = [strided, column_major, reversed_axes, read_only, unaligned, big_endian, repeated]


def cases():
    """A call of every op; of an elementwise one with inputs in its domain."""
    for name, row in TABLE.items():
        if row.domains:
            middles = [
                np.linspace(low, high, 7)[1:].reshape(2, 3)[:, : 3 - i % 2 * 2] + 0.011 * i
                for i, (low, high) in enumerate(row.domains)
            ]
            yield pytest.param(row, Sample(tuple(middles)), id=name)
        for i, sample in enumerate(row.samples):
            yield pytest.param(row, sample, id=f"{name}-{i}")


def same(found, expected, narrow=False):
    """Equal up to the order in which sums are taken."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    if expected.dtype.kind == "f":
        tolerance = 3e-5 if narrow else 1e-11
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def laid_out(layout, arrays):
    moved = [layout(a) for a in arrays]
    for a, b in zip(arrays, moved, strict=True):
        np.testing.assert_array_equal(a, b)
    return moved


@pytest.mark.parametrize(("row", "sample"), list(cases()))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_sample_in_every_layout_and_way_of_running(row: Row, sample: Sample, dtype):
    arrays = [np.array(a, dtype) if np.asarray(a).dtype.kind == "f" else np.array(a) for a in sample.arrays]

    def call(*xs):
        return row.call(*xs, **sample.kwargs)

    narrow = dtype == "float32"
    with np.errstate(all="ignore"):
        expected = call(*map(gn.tensor, arrays))
        graph = gn.trace(call, *arrays)
        runs = [call, graph, graph.compile(backend="numpy")]
        # One native dtype is enough: what is tried here is how an input is read, not the arithmetic.
        if narrow and compiler.available():
            runs.append(graph.compile(backend="native"))
        for layout in LAYOUTS:
            moved = laid_out(layout, arrays)
            for run in runs:
                same(run(*moved), expected, narrow)
        same(call(*map(gn.tensor, laid_out(big_endian, arrays))), expected, narrow)


SMOOTH = [p for p in cases() if p.values[0].differentiable]


@pytest.mark.parametrize(("row", "sample"), SMOOTH)
def test_gradients_of_every_sample_in_every_layout(row: Row, sample: Sample):
    def call(*xs):
        return row.call(*xs, **sample.kwargs)

    arrays = [np.asarray(a) for a in sample.arrays]
    y, pull = gn.vjp(call, *arrays)
    seed = np.asarray(np.random.default_rng(4).standard_normal(y.shape))
    expected = pull(seed)
    for layout in LAYOUTS:
        _, pull = gn.vjp(call, *laid_out(layout, arrays))
        for found, right in zip(pull(layout(seed)), expected, strict=True):
            same(found, right)


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 25), exact=st.booleans(), layout=st.sampled_from(LAYOUTS))
def test_programs_agree_in_every_way_of_running(seed, length, exact, layout):
    program = Program(seed, length, exact, None if exact else "float64")
    graph = program.graph()
    arrays = [np.asarray(a) for a in program.arrays()]
    with np.errstate(all="ignore"):
        expected = graph(*arrays)
        moved = laid_out(layout, arrays)
        plans = [graph.compile(backend="numpy")]
        if compiler.available():
            plans.append(graph.compile(backend="native"))
        for run in [graph, *plans]:
            for found, right in zip(run(*moved), expected, strict=True):
                same(found, right)
        # Whether a program of whole numbers has a NaN or an infinity is known by looking.
        finite = all(np.isfinite(t.numpy()).all() for t in expected if t.dtype.kind == "f")
        try:
            with gn.debug():
                watched = [run(*moved) for run in [graph, *plans]]
        except FloatingPointError:
            assert not finite or any_not_finite(graph, arrays)
            return
        for results in watched:
            for found, right in zip(results, expected, strict=True):
                same(found, right)


def any_not_finite(graph, arrays):
    """Whether a value on the way is NaN or infinite."""
    inner = gn.Graph(graph.inputs, [t for t in graph.nodes if t.dtype.kind == "f"])
    return any(not np.isfinite(t.numpy()).all() for t in inner(*arrays))
