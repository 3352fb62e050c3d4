"""Every op of the table in `samples.py`: value, shape and dtype rule, gradients, symbolic use, passes, float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from samples import COMPOSITES, ROWS, Row, Sample

import graphnet as gn
from graphnet.record import OPS

pytestmark = pytest.mark.usefixtures("loops_on_numpy")

TABLE = {**ROWS, **{f"{name} (composite)": r for name, r in COMPOSITES.items()}}
ELEMENTWISE = {name: r for name, r in TABLE.items() if r.domains}
OTHERS = {name: r for name, r in TABLE.items() if not r.domains}
CASES = [pytest.param(r, s, id=f"{name}-{i}") for name, r in OTHERS.items() for i, s in enumerate(r.samples)]
SMOOTH = [p for p in CASES if p.values[0].differentiable]
PASSED_ON = [p for p in SMOOTH if all(a.size for a in p.values[1].arrays)]


def test_every_op_has_a_row():
    wanted = {name for name, op in OPS.items() if op.builtin and not op.hidden}
    assert not wanted - set(ROWS)
    assert not set(ROWS) - set(OPS)


def each(table):
    return pytest.mark.parametrize("row", [pytest.param(r, id=name) for name, r in table.items()])


@st.composite
def broadcasting(draw, row: Row):
    """Arrays in the row's domains, of shapes that broadcast: size-one and missing axes, empty and 0-d ones."""
    shapes = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=row.arity, max_dims=3, min_side=draw(st.integers(0, 1)), max_side=3
        )
    )
    arrays = []
    for shape, (low, high) in zip(shapes.input_shapes, row.domains, strict=True):
        # Numbers on a grid that no two inputs share, so that ties and kinks are never within a step.
        steps = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 16)))
        arrays.append(low + (high - low) * (steps + 0.31 + 0.11 * len(arrays)) / 17.7)
    return arrays


def same(found, expected, rtol):
    assert isinstance(found, gn.Tensor)
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=rtol, atol=rtol)


def tolerance(row, dtype):
    return row.rtol if dtype == np.float64 else 2e-6


def cast(arrays, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


@each(ELEMENTWISE)
@given(data=st.data())
def test_elementwise_values_are_numpys(row, data):
    arrays = data.draw(broadcasting(row))
    for dtype in (np.float64, np.float32):
        given_arrays = cast(arrays, dtype)
        same(row.call(*map(gn.tensor, given_arrays)), row.reference(*given_arrays), tolerance(row, dtype))


SPECIALS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e-45, 1e300, -1e300, 3.5, -700.0, 700.0])


@each({n: r for n, r in ELEMENTWISE.items() if r.specials})
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_elementwise_values_at_special_numbers(row, dtype):
    with np.errstate(all="ignore"):
        points = np.meshgrid(*[SPECIALS.astype(dtype)] * row.arity)
        expected = row.reference(*points)
        found = row.call(*map(gn.tensor, points))
        assert found.dtype == np.asarray(expected).dtype
        rtol = 1e-14 if dtype == np.float64 else 3e-7
        np.testing.assert_allclose(
            found.numpy(), expected, rtol=max(rtol, row.rtol), atol=0 if dtype == np.float64 else 1e-38
        )


@each({n: r for n, r in ELEMENTWISE.items() if r.differentiable})
@given(data=st.data())
def test_elementwise_gradients_to_second_order(row, data):
    gn.check_grads(row.call, *data.draw(broadcasting(row)), order=2, eps=1e-3, rtol=2e-6, atol=1e-7)


@each({n: r for n, r in ELEMENTWISE.items() if not r.differentiable})
def test_elementwise_ops_without_a_derivative_give_zero(row):
    x = gn.tensor(np.full(3, 0.5), requires_grad=True)
    rest = [np.full(3, 0.7)] * (row.arity - 1)
    y = row.call(x, *rest)
    assert not y.requires_grad
    assert row.call(gn.tensor([1, 2]), *([gn.tensor([2, 2])] * (row.arity - 1))).shape == (2,)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_values_are_numpys(row: Row, sample: Sample):
    for dtype in (np.float64, np.float32):
        arrays = cast(sample.arrays, dtype)
        expected = row.reference(*arrays, **sample.kwargs)
        same(row.call(*map(gn.tensor, arrays), **sample.kwargs), expected, tolerance(row, dtype))
        same(row.call(*arrays, **sample.kwargs), expected, tolerance(row, dtype))


@pytest.mark.parametrize(("row", "sample"), SMOOTH)
def test_gradients_to_second_order(row: Row, sample: Sample):
    gn.check_grads(lambda *a: row.call(*a, **sample.kwargs), *sample.arrays, order=2, rtol=2e-6, atol=1e-7)


def projections(row, sample, dtype=np.float64):
    """Inputs that need gradients, and one number made of the output with fixed weights."""
    xs = [gn.tensor(a, requires_grad=True) for a in cast(sample.arrays, dtype)]

    def total(*xs):
        y = row.call(*xs, **sample.kwargs)
        weights = np.random.default_rng(3).standard_normal(y.shape).astype(y.dtype)
        return (y * weights).sum()

    return xs, total


ROWS_WITH_INPUTS = PASSED_ON + [
    pytest.param(r, Sample(tuple(np.full((2, 3), (a + b) / 2 + 0.031 * i) for i, (a, b) in enumerate(r.domains))), id=n)
    for n, r in ELEMENTWISE.items()
    if r.differentiable
]


def operations(graph):
    return sum(t.op is not None for t in graph.nodes)


@pytest.mark.parametrize(("row", "sample"), ROWS_WITH_INPUTS)
def test_gradients_on_arrays_on_tensors_and_in_graphs_agree(row: Row, sample: Sample):
    xs, total = projections(row, sample)
    y = total(*xs)
    y.backward()
    recorded = gn.gradients(y, xs)
    g = gn.trace(total, *[x.detach() for x in xs]).check()
    slopes = g.gradient(list(g.inputs)).check()
    found = slopes(*[x.numpy() for x in xs])
    simple = slopes.simplify()
    assert operations(simple) <= operations(slopes)
    small = simple(*[x.numpy() for x in xs])
    assert g(*[x.numpy() for x in xs]).item() == y.item()
    for x, r, f, s in zip(xs, recorded, found, small, strict=True):
        np.testing.assert_allclose(r.numpy(), x.grad.numpy(), rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(f.numpy(), r.numpy())
        np.testing.assert_allclose(s.numpy(), r.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("row", "sample"), ROWS_WITH_INPUTS)
def test_float32_gradients_are_float32(row: Row, sample: Sample):
    xs, total = projections(row, sample)
    total(*xs).backward()
    narrow, _ = projections(row, sample, np.float32)
    y = total(*narrow)
    assert y.dtype == np.float32
    y.backward()
    for x, n, g in zip(xs, narrow, gn.gradients(y, narrow), strict=True):
        assert n.grad.dtype == g.dtype == np.float32
        np.testing.assert_allclose(n.grad.numpy(), x.grad.numpy(), rtol=2e-4, atol=2e-5)
    slopes = gn.trace(lambda *a: gn.gradients(total(*a), list(a)), *[n.detach() for n in narrow])
    assert all(t.dtype == np.float32 for t in slopes.nodes if t.dtype.kind == "f" and t.op is not None)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_symbolic_use_agrees_with_eager(row: Row, sample: Sample):
    for dtype in (np.float64, np.float32):
        arrays = cast(sample.arrays, dtype)
        eager = row.call(*map(gn.tensor, arrays), **sample.kwargs)
        g = gn.trace(lambda *a: row.call(*a, **sample.kwargs), *arrays).check()
        assert (g.outputs[0].shape, g.outputs[0].dtype) == (eager.shape, eager.dtype)
        np.testing.assert_array_equal(g(*arrays).numpy(), eager.numpy())
        assert str(g) == str(gn.trace(lambda *a: row.call(*a, **sample.kwargs), *arrays))


@each(ELEMENTWISE)
@given(data=st.data())
def test_elementwise_symbolic_use_agrees_with_eager(row, data):
    arrays = data.draw(broadcasting(row))
    eager = row.call(*map(gn.tensor, arrays))
    g = gn.trace(row.call, *arrays).check()
    assert (g.outputs[0].shape, g.outputs[0].dtype) == (eager.shape, eager.dtype)
    np.testing.assert_array_equal(g(*arrays).numpy(), eager.numpy())


@pytest.mark.parametrize(
    "dtypes", [("float32", "float64"), ("int32", "float32"), ("int64", "int8"), ("bool", "float32")]
)
@pytest.mark.parametrize("name", ["add", "multiply", "divide", "maximum", "less", "arctan2"])
def test_dtypes_promote_as_in_numpy(name, dtypes):
    a, b = (np.ones(3, d) for d in dtypes)
    function, reference = getattr(gn, name), getattr(np, name)
    assert function(gn.tensor(a), gn.tensor(b)).dtype == reference(a, b).dtype
    x = gn.input((3,), dtypes[0])
    assert function(x, gn.input((3,), dtypes[1])).dtype == reference(a, b).dtype
    for number in (2, 2.0, True):
        assert function(gn.tensor(a), number).dtype == reference(a, number).dtype
        assert function(number, x).dtype == reference(number, a).dtype
