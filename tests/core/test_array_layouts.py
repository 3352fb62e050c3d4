"""Inputs of any memory layout and of no size, in every way of running: numbers count, not how they lie in memory.

Every sample of every op with its gradients, and 300 random programs, run eagerly, as a graph, as a plan on NumPy and as
a native plan, each also under `gn.debug`, with arrays that are strided, transposed, reversed, read-only, unaligned,
big-endian or empty. Of gradients, and of empty arrays, the default run compiles a part natively (the sample's name
selects it), which keeps this file at about two minutes of processor time; `HYPOTHESIS_PROFILE=deep` compiles all of
them, and runs 1,400 programs.
"""

from __future__ import annotations

import os
import warnings
import zlib

import numpy as np
import pytest
from backends import each_backend
from programs import Program
from samples import COMPOSITES, ROWS, Row, Sample

import graphnet as gn
from graphnet.plans.code import compiler
from graphnet.record import OPS

pytestmark = pytest.mark.filterwarnings("ignore::graphnet.ConventionWarning")
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


DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
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


def in_part(text: str, of: int) -> bool:
    """Whether a case belongs to the part that the default run tries, one of so many."""
    return DEEP or zlib.crc32(text.encode()) % of == 0


def arrays_of(sample: Sample, dtype: str) -> list[np.ndarray]:
    return [np.array(a, dtype) if np.asarray(a).dtype.kind == "f" else np.array(a) for a in sample.arrays]


def ways(call, arrays, compiled=True):
    """The function itself, its graph, and its plans."""
    graph = gn.trace(call, *arrays)
    found = {"eager": call, "graph": graph, "numpy": graph.compile(backend="numpy")}
    if compiled and compiler.available():
        found["native"] = graph.compile(backend="native")
    return found


def as_list(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def agree(runs, arrays, expected, narrow, layouts=LAYOUTS):
    """Each way of running gives the expected tensors in every layout, and is not complained about in `gn.debug`."""
    for layout in layouts:
        moved = laid_out(layout, arrays)
        for run in runs.values():
            for found, right in zip(as_list(run(*moved)), expected, strict=True):
                same(found, right, narrow)
        with gn.debug():
            for run in runs.values():
                for found, right in zip(as_list(run(*moved)), expected, strict=True):
                    same(found, right, narrow)


@pytest.mark.parametrize(("row", "sample"), list(cases()))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_sample_in_every_layout_and_way_of_running(row: Row, sample: Sample, dtype):
    def call(*xs):
        return row.call(*xs, **sample.kwargs)

    arrays = arrays_of(sample, dtype)
    with np.errstate(all="ignore"):
        expected = call(*map(gn.tensor, arrays))
        runs = ways(call, arrays)
        runs["tensors"] = lambda *xs: call(*map(gn.tensor, xs))
        agree(runs, arrays, [expected], dtype == "float32")


SMOOTH = [p for p in cases() if p.values[0].differentiable]


@pytest.mark.parametrize(("row", "sample"), SMOOTH)
def test_gradients_of_every_sample_in_every_layout_and_way_of_running(row: Row, sample: Sample, request):
    def call(*xs):
        return row.call(*xs, **sample.kwargs)

    def pulled(g, *xs):
        return gn.vjp(call, *xs)[1](g)

    arrays = [np.asarray(a) for a in sample.arrays]
    seed = np.asarray(np.random.default_rng(4).standard_normal(call(*map(gn.tensor, arrays)).shape))
    expected = pulled(seed, *arrays)
    runs = ways(pulled, [seed, *arrays], in_part(request.node.name, 3))
    agree(runs, [seed, *arrays], expected, False)


def emptied(arrays: list[np.ndarray]):
    """The arrays without all that lies along axes of one length, for each length; then without anything at all."""
    for length in sorted({n for a in arrays for n in a.shape if n}):
        yield [a[(..., *(slice(0 if n == length else n) for n in a.shape))] for a in arrays]
    if any(a.ndim for a in arrays):
        yield [a[(..., *(slice(0) for _ in a.shape))] for a in arrays]


def outcome(run, arrays):
    """What a run gives, or the class of its error."""
    try:
        return as_list(run(*arrays))
    except (ValueError, IndexError, TypeError, ZeroDivisionError, np.linalg.LinAlgError) as error:
        return type(error)


@pytest.mark.parametrize(("row", "sample"), list(cases()))
def test_every_sample_without_numbers(row: Row, sample: Sample, request):
    """An op takes what is empty in every way of running, or none, and what comes out is what NumPy has."""

    def call(*xs):
        return row.call(*xs, **sample.kwargs)

    def pulled(g, *xs):
        return gn.vjp(call, *xs)[1](g)

    compiled = in_part(request.node.name, 3)
    for arrays in emptied(arrays_of(sample, "float64")):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
            expected = outcome(call, arrays)
            if isinstance(expected, type):
                runs = outcome(lambda *xs: [ways(call, xs, compiled)], arrays)
                # What an op says of shapes it says when it is traced, and what it says of values when it runs.
                found = {runs} if isinstance(runs, type) else {outcome(run, arrays) for run in runs[0].values()}
                assert found == {expected}
                continue
            if row.reference is not None:
                try:
                    right = np.asarray(row.reference(*arrays, **sample.kwargs))
                except (ValueError, IndexError):
                    pass
                else:
                    same(expected[0], gn.tensor(right.astype(expected[0].dtype)))
            runs = ways(call, arrays, compiled)
            if np.isfinite(expected[0].numpy()).all():
                agree(runs, arrays, expected, False, [read_only, strided])
            else:
                for run in runs.values():
                    same(as_list(run(*arrays))[0], expected[0])
                    with gn.debug(), pytest.raises(FloatingPointError):
                        run(*arrays)
                continue
            if row.differentiable:
                seed = np.ones(expected[0].shape)
                slopes = pulled(seed, *arrays)
                for slope, array in zip(slopes, arrays, strict=True):
                    assert slope.shape == array.shape
                runs = ways(pulled, [seed, *arrays], compiled and DEEP)
                try:
                    agree(runs, [seed, *arrays], slopes, False, [read_only])
                except FloatingPointError:
                    # The slope of a root at 0: the infinity that meets nothing further on is named in every way.
                    for run in runs.values():
                        with gn.debug(), pytest.raises(FloatingPointError):
                            run(seed, *arrays)


@each_backend
def test_empty_places_in_a_plan(backend):
    x, none = np.arange(12.0).reshape(3, 4), np.zeros((0, 1), np.int64)
    for table in (x, x[:0], x[:, :0]):
        plan = gn.trace(lambda t, i: gn.exp(t)[i, i], table, none).compile(backend=backend)
        assert plan(table, none).shape == (0, 1)
        rows = gn.trace(lambda t, i: gn.exp(t)[i] * 2.0, table, none).compile(backend=backend)
        assert rows(table, none).shape == (0, 1, table.shape[1])
    with pytest.raises(IndexError, match="out of bounds"):
        gn.trace(lambda t, i: gn.exp(t)[i, i], x, np.array([[1]])).compile(backend=backend)(x, np.full((1, 1), 4))


def test_convolutions_of_nothing_are_zeros_with_empty_gradients():
    x, kernel = np.ones((2, 4, 0)), np.ones((3, 0, 5))
    y, pull = gn.vjp(lambda x, k: gn.conv(x, k, padding="same"), x, kernel)
    assert y.shape == (2, 4, 5) and not y.numpy().any()
    assert [t.shape for t in pull(np.ones(y.shape))] == [x.shape, kernel.shape]
    # All that the windows see is padding.
    y, pull = gn.vjp(lambda x, k: gn.conv(x, k, padding=2), np.ones((2, 0, 1)), np.ones((3, 1, 5)))
    assert y.shape == (2, 2, 5) and not y.numpy().any()
    assert not pull(np.ones(y.shape))[1].numpy().any()
    with pytest.raises(ValueError, match="no places of shape"):
        OPS["add_rows"].function(np.ones((1, 2)), np.zeros((2, 2), np.int64), count=3)


def test_the_norm_of_nothing_is_at_no_corner():
    with gn.debug() as watch:
        assert gn.grad(gn.norm)(np.zeros(0)).shape == (0,)
        graph = gn.trace(gn.grad(gn.norm), np.zeros(0))
        assert graph(np.zeros(0)).shape == (0,)
    assert watch.conventions == []
    with gn.debug() as watch, pytest.warns(gn.ConventionWarning):
        gn.grad(gn.norm)(np.zeros(2))
    assert len(watch.conventions) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part", range(2))
def test_programs_agree_in_every_way_of_running(layout, part):
    """300 programs in the default run: of whole numbers of any dtype, and smooth ones in float64 and in float32."""
    count = 100 if DEEP else 22
    rng = np.random.default_rng([LAYOUTS.index(layout), part])
    for number in range(count):
        dtype = [None, "float64", None, "float32"][number % 4]
        settings = (int(rng.integers(2**32)), int(rng.integers(1, 26)), dtype)
        try:
            one_program(*settings, layout)
        except Exception as error:
            raise AssertionError(f"seed, length, dtype: {settings}") from error


def one_program(seed, length, dtype, layout):
    exact, narrow = dtype is None, dtype == "float32"
    program = Program(seed, length, exact, dtype)
    graph = program.graph()
    arrays = [np.asarray(a) for a in program.arrays()]

    def written(*xs):
        return Program(seed, length, exact, dtype, program, xs).outputs()

    runs = {"eager": written, "symbols": graph, **{f"traced: {k}": r for k, r in ways(written, arrays, False).items()}}
    if compiler.available():
        runs["native"] = graph.compile(backend="native")
    with np.errstate(all="ignore"):
        expected = as_list(graph(*arrays))
        finite = all_finite(graph, arrays)
        moved = laid_out(layout, arrays)
        for run in runs.values():
            for found, right in zip(as_list(run(*moved)), expected, strict=True):
                same(found, right, narrow)
        for run in runs.values():
            try:
                with gn.debug():
                    watched = as_list(run(*moved))
            except FloatingPointError:
                assert not finite
                continue
            for found, right in zip(watched, expected, strict=True):
                same(found, right, narrow)


def all_finite(graph, arrays):
    """Whether no value on the way is NaN or infinite."""
    inner = gn.Graph(graph.inputs, [t for t in graph.nodes if t.dtype.kind == "f"])
    return all(np.isfinite(t.numpy()).all() for t in inner(*arrays))
