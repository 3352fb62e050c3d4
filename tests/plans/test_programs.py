"""Plans of random programs, on both backends, beside the graphs that they were made from."""

from __future__ import annotations

import numpy as np
from backends import each_backend
from hypothesis import given
from hypothesis import strategies as st
from programs import Program

import graphnet as gn

SEEDS = st.integers(0, 2**32 - 1)


def agree(plan, graph, arrays, exact=True):
    """What the plan gives for these arrays, compared with the graph."""
    with np.errstate(all="ignore"):
        found, expected = plan(*arrays), graph(*arrays)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        if exact or other.dtype.kind != "f":
            np.testing.assert_array_equal(one.numpy(), other.numpy())
        else:
            narrow = any(t.dtype == np.float32 for t in graph.nodes)
            tight = 3e-4 if narrow else 1e-9
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=tight, atol=tight)
    return found


def check_plan(program, graph, backend, exact):
    plan = graph.compile(backend=backend)
    arrays = program.arrays()
    first = agree(plan, graph, arrays, exact)
    kept = [t.numpy().copy() for t in first]
    given = [a.copy() for a in arrays]
    for _ in range(2):
        agree(plan, graph, program.arrays(), exact)
    for t, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(t.numpy(), before)
    for a, before in zip(arrays, given, strict=True):
        np.testing.assert_array_equal(a, before)


@each_backend
@given(seed=SEEDS, length=st.integers(1, 40))
def test_programs_of_whole_numbers_give_the_same_bits(seed, length, backend):
    program = Program(seed, length, exact=True)
    check_plan(program, program.graph(), backend, exact=True)


@each_backend
@given(seed=SEEDS, length=st.integers(1, 30), dtype=st.sampled_from(["float64", "float32", None]))
def test_smooth_programs_agree_to_rounding(seed, length, dtype, backend):
    program = Program(seed, length, exact=False, dtype=dtype)
    check_plan(program, program.graph(), backend, exact=False)


@each_backend
@given(seed=SEEDS, length=st.integers(1, 12))
def test_gradients_of_smooth_programs_agree_to_rounding(seed, length, backend):
    program = Program(seed, length, exact=False, dtype="float64")
    total = sum(gn.sum(gn.tanh(t * 0.1)) for t in program.outputs() if t.dtype.kind == "f")
    wrt = [*program.inputs, *program.parameters]
    graph = gn.Graph(program.inputs, gn.gradients(total, wrt))
    check_plan(program, graph, backend, exact=False)
