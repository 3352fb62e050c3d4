"""An op for a whole batch at once gives what it gives place by place."""

import numpy as np
import pytest
from samples import ROWS

import graphnet as gn
from graphnet.batching import batched
from graphnet.node import Parameter, toposort
from graphnet.record import OPS

pytestmark = pytest.mark.usefixtures("loops_on_numpy")

#: one sample of each op: of elementwise ones, of shapes that broadcast
CASES = [
    *(
        pytest.param(
            r,
            [
                np.linspace(a, b, n + 2)[1:-1].reshape(s)
                for (a, b), n, s in zip(r.domains, (3, 6), shapes, strict=False)
            ],
            {},
            id=f"{name}{i}",
        )
        for name, r in ROWS.items()
        if 0 < len(r.domains) < 3
        for i, shapes in enumerate([((3,), (2, 3)), ((3, 1), (6,))])
    ),
    *(pytest.param(r, s.arrays, s.kwargs, id=f"{n}-{i}") for n, r in ROWS.items() for i, s in enumerate(r.samples)),
]


def places_of(x, count=3):
    """As many arrays of the numbers of `x` in other orders."""
    x = np.asarray(x)
    return np.stack([np.roll(x.ravel(), n).reshape(x.shape) for n in range(count)])


def one_by_one(op, batch, inputs, attrs, count):
    found = [op.forward(*(x[n] if b else x for x, b in zip(inputs, batch, strict=True)), **attrs) for n in range(count)]
    return np.stack(found)


def nodes_with_a_rule(row, arrays, kwargs):
    given = [gn.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    found = row.call(*given, **kwargs)
    for t in toposort([found]) if found.op is not None else ():
        op = t.op
        known = op is not None and not any(isinstance(i, Parameter) for i in t.inputs)
        if known and (op.batch is not None or op.family != "op"):
            yield op, [i.numpy() for i in t.inputs], t.attrs


@pytest.mark.parametrize(("row", "arrays", "kwargs"), CASES)
def test_a_batch_is_what_its_places_are(row, arrays, kwargs):
    for op, inputs, attrs in nodes_with_a_rule(row, arrays, kwargs):
        for only in (None, *range(len(inputs) if len(inputs) > 1 else 0)):
            batch = [only is None or n == only for n in range(len(inputs))]
            given = [places_of(x) if b else x for x, b in zip(inputs, batch, strict=True)]
            with np.errstate(all="ignore"):
                expected = one_by_one(op, batch, given, attrs, 3)
                found = batched(op, batch, given, attrs)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype), op
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-13, err_msg=op.name)


@pytest.mark.parametrize(
    ("name", "attrs", "shapes"),
    [
        ("identity", {}, [(2, 3)]),
        ("stop_gradient", {}, [()]),
        ("astype", {"dtype": np.dtype("float32")}, [(2,)]),
        ("reshape", {"shape": (3, 2)}, [(2, 3)]),
        ("reshape", {"shape": ()}, [(1, 1)]),
        ("transpose", {"axes": (1, 2, 0)}, [(2, 3, 4)]),
        ("broadcast_to", {"shape": (4, 2, 3)}, [(3,)]),
        ("broadcast_to", {"shape": (4, 2)}, [()]),
        ("concatenate", {"axis": 1}, [(2, 3), (2, 1), (2, 2)]),
        ("stack", {"axis": 2}, [(2, 3), (2, 3)]),
        ("pad", {"pad_width": ((1, 2), (0, 1)), "value": 7.0}, [(2, 3)]),
        *(
            (f"arg{word}", {"axis": axis, "keepdims": keepdims}, [(3, 4)])
            for word in ("max", "min")
            for axis in (None, 0, 1)
            for keepdims in (False, True)
        ),
        ("matmul", {}, [(3,), (3,)]),
        ("matmul", {}, [(2, 3), (3,)]),
        ("matmul", {}, [(3,), (3, 2)]),
        ("matmul", {}, [(2, 3), (3, 4)]),
        ("matmul", {}, [(5, 2, 3), (3, 4)]),
        ("matmul", {}, [(3,), (5, 3, 4)]),
        ("matmul", {}, [(6, 1, 2, 3), (5, 3, 4)]),
        ("cumsum", {"axis": 1}, [(2, 3)]),
    ],
)
def test_rules_of_ops(name, attrs, shapes):
    op = OPS[name]
    draw = np.random.default_rng(7)
    for mask in range(1, 2 ** len(shapes)):
        batch = [bool(mask >> n & 1) for n in range(len(shapes))]
        for count in (1, 4):
            inputs = [draw.normal(size=(count,) * b + s) for s, b in zip(shapes, batch, strict=True)]
            expected = one_by_one(op, batch, inputs, attrs, count)
            found = batched(op, batch, inputs, attrs)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)
        nothing = [np.zeros((0,) * b + s) for s, b in zip(shapes, batch, strict=True)]
        assert batched(op, batch, nothing, attrs).shape == (0, *expected.shape[1:])


def test_a_batch_has_gradients_and_can_be_symbolic():
    x, w = np.arange(12.0).reshape(4, 3), np.array([1.0, -1.0, 2.0])
    gn.check_grads(lambda x, w: batched(gn.matmul.op, [True, False], [gn.exp(x / 9), w], {}), x, w, order=2)
    graph = gn.trace(lambda x: batched(gn.exp.op, [True], [x], {}), x)
    np.testing.assert_allclose(graph(x).numpy(), np.exp(x))


def test_numbers_stay_weak():
    x = np.ones((2, 3), np.float32)
    assert batched(gn.multiply.op, [True, False], [x, 2.0], {}).dtype == np.float32


def test_what_is_no_batch_raises():
    x = np.ones((2, 3))
    for batch, inputs in (([False, False], [x, x]), ([True, True], [x, x[:1]]), ([True, False], [1.0, x])):
        with pytest.raises(ValueError, match="add: a batch is a first axis, of one size"):
            batched(gn.add.op, batch, inputs, {})


def test_an_op_of_a_user_has_a_batching_rule():
    seen = []

    def rule(batch, x, size):
        seen.append(batch)
        return gn.reshape(x, (x.shape[0], size, -1))

    before = set(OPS)
    try:

        @gn.op(
            lambda x, size: (size, x.shape[0] // size), batch=rule, vjp=(lambda g, y, x, size: gn.reshape(g, x.shape),)
        )
        def rows_of(x, size):
            return x.reshape(size, -1)

        @gn.op("(n)->(n)", vjp=(None,))
        def ranks(x):
            return np.argsort(np.argsort(x)).astype(float)

        @gn.elementwise("({x} * {x} + 1)", vjp=(lambda g, y, x: 2 * g * x,))
        def above(x):
            return x * x + 1

        x = np.random.default_rng(1).normal(size=(5, 6))
        np.testing.assert_array_equal(batched(rows_of.op, [True], [x], {"size": 2}).numpy(), x.reshape(5, 2, 3))
        assert seen == [[True]]
        np.testing.assert_array_equal(batched(ranks.op, [True], [x], {}).numpy(), np.argsort(np.argsort(x)))
        np.testing.assert_array_equal(batched(above.op, [True], [x], {}).numpy(), x * x + 1)
    finally:
        for name in set(OPS) - before:
            del OPS[name]
