"""An op for a whole batch at once gives what it gives place by place."""

import math

import numpy as np
import pytest
from samples import ROWS

import graphnet as gn
from graphnet.batching import batched
from graphnet.leaves import Parameter
from graphnet.node import toposort
from graphnet.ops.index_axes import SLOT
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


#: built-in ops that go place by place, and why
IN_TURN = {
    "gemm": "made by passes over a graph whose batches are part of it already",
    "conv_add": "as gemm",
    "vdot": "as gemm",
    "cond": "each place runs its own branch",
    "while_loop": "each place has its own number of steps",
    "while_loop_pull": "as while_loop",
    "while_loop_push": "as while_loop",
}


def test_every_op_has_a_rule():
    without = {op.name for op in OPS.values() if op.builtin and op.batch is None and op.family == "op"}
    assert without == set(IN_TURN)


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
        ("cumsum", {"axis": None}, [(2, 3)]),
        ("flip", {"axis": (0, 2)}, [(2, 3, 4)]),
        ("roll", {"shift": 2, "axis": None}, [(2, 3)]),
        ("roll", {"shift": (1, -1), "axis": (1, 0)}, [(2, 3)]),
        ("roll", {"shift": 1, "axis": None}, [()]),
        ("argsort", {"axis": 0}, [(4, 3)]),
        ("log_softmax", {"axis": (0, 1)}, [(4, 3)]),
        ("einsum", {"subscripts": "ij,jk->ik", "optimize": False}, [(2, 3), (3, 4)]),
        ("einsum", {"subscripts": "ii,i->i", "optimize": True}, [(3, 3), (3,)]),
        ("einsum", {"subscripts": "a,b,c->ca", "optimize": True}, [(2,), (3,), (1,)]),
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


S = slice
#: an index into (3, 4, 5, 2) with the shapes of its integer arrays in place of these
INDICES = [
    (0,),
    (S(None, None, -1), None, Ellipsis, 1),
    ((),),
    (S(1, 3), ()),
    ((2,),),
    ((2, 3),),
    (S(None), (2,)),
    (S(None), (2,), (3, 1)),
    ((2,), S(None), (2,)),
    ((2,), Ellipsis, (2,)),
    ((2,), None, (2,)),
    (S(None), (2,), S(1, 4), (2, 1)),
    (0, S(None), (2,)),
    (0, (2,)),
    (S(None), 1, (2,)),
    (S(None), (2,), 1),
    (Ellipsis, (2,), 1),
    (None, (2, 1), (3,)),
    ((1,), (), S(None), ()),
    ((), S(None), ()),
    (Ellipsis, (2,)),
    ((2,), (2,), (2,), (2,)),
    ((0,),),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_an_index_of_each_place(index):
    """Reading, adding up and writing at an index: what is indexed has a batch, or arrays in the index have, or both."""
    sizes = (3, 4, 5, 2)
    draw = np.random.default_rng(3)
    static = tuple(SLOT if isinstance(part, tuple) else part for part in index)
    shapes = [part for part in index if isinstance(part, tuple)]
    count = 3
    for mask in range(1, 2 ** (1 + len(shapes))):
        wide = [bool(mask >> n & 1) for n in range(1 + len(shapes))]
        x = draw.normal(size=(count,) * wide[0] + sizes)
        # No place twice in what is written to: arrays count upwards, with another start in each place of the batch.
        arrays = [
            (np.arange(math.prod(s)).reshape(s) + draw.integers(0, 2, (count,) * b + (1,) * len(s))) % 2 - b
            if math.prod(s) <= 2
            else np.broadcast_to(draw.integers(-2, 2, s), (count,) * b + s)
            for s, b in zip(shapes, wide[1:], strict=True)
        ]
        given = [x, *arrays]
        taken = same(OPS["getitem"], wide, given, {"index": static})
        slope = draw.normal(size=taken.shape[1:] if not wide[0] else taken.shape)
        same(OPS["scatter_add"], wide, [slope, *arrays], {"index": static, "shape": sizes})
        for b in (False, True):
            for value in (draw.normal(size=(count,) * b), draw.normal(size=(count,) * b + (1, *taken.shape[1:]))):
                try:
                    same(OPS["setitem"], [wide[0], b, *wide[1:]], [x, value, *arrays], {"index": static})
                except ValueError as error:
                    assert "names a place twice" in str(error)


def same(op, batch, inputs, attrs):
    """What `op` gives for a batch, which is what it gives place by place."""
    count = next(x.shape[0] for x, b in zip(inputs, batch, strict=True) if b)
    expected = one_by_one(op, batch, inputs, attrs, count)
    found = batched(op, batch, inputs, attrs)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    nothing = [x[:0] if b else x for x, b in zip(inputs, batch, strict=True)]
    assert batched(op, batch, nothing, attrs).shape == (0, *expected.shape[1:])
    return expected


@pytest.mark.parametrize("space", [(5,), (4, 5)], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_of_each_place(space, groups):
    rank = len(space)
    draw = np.random.default_rng(5)
    at = {"strides": (2,) * rank, "padding": ((1, 0),) * rank, "dilation": (1,) * rank, "groups": groups}
    x, kernel = (2, *space, 4), (*(2,) * rank, 4 // groups, 6)
    fit = OPS["conv"].infer(np.empty(x), np.empty(kernel), **at).shape
    for a, b in ((True, False), (False, True), (True, True)):
        for name, shapes, more in (
            ("conv", (x, kernel), {}),
            ("conv_transpose", (fit, kernel), {"size": space}),
            ("conv_kernel", (x, fit), {"window": kernel[:rank]}),
        ):
            given = [draw.normal(size=(3,) * wide + s) for wide, s in zip((a, b), shapes, strict=True)]
            same(OPS[name], [a, b], given, {**at, **more})


def test_rows_of_each_place_are_its_own():
    x, places = np.arange(24.0).reshape(3, 4, 2), np.array([[0, 3], [1, 1], [3, 2]])
    for a, b in ((True, False), (False, True), (True, True)):
        given = [x if a else x[0], places if b else places[0]]
        same(OPS["take_rows"], [a, b], given, {"what": ""})
        g = np.arange(12.0).reshape(3, 2, 2)
        same(OPS["add_rows"], [a, b], [g if a else g[0], given[1]], {"count": 4, "what": ""})
    for bad in (-1, 4, 9):
        # It would be a row of the table before, or of the one after.
        wrong = places.copy()
        wrong[1, 0] = bad
        with pytest.raises(IndexError, match=r"w: .*is not the number of a row"):
            batched(OPS["take_rows"], [True, True], [x, wrong], {"what": "w"})


@pytest.mark.parametrize("name", ["random_uniform", "random_normal"])
def test_random_numbers_are_those_of_each_key(name):
    for shape in ((), (3,), (2, 5000)):
        for dtype in ("float32", "float64"):
            keys = np.array([[7, -1], [2**62, 7]])
            op, attrs = OPS[name], {"shape": shape, "dtype": dtype}
            same(op, [True], [keys[0]], attrs)
            # A batch of batches.
            rows = batched(op, [True], [keys[0]], attrs)
            assert rows.shape == (2, *shape)
            twice = batched(OPS[f"{name}_rows"], [True], [keys], attrs)
            assert twice.shape == (2, 2, *shape) and (twice[0].numpy() == rows.numpy()).all()
            assert (twice[1, 1].numpy() == twice[0, 0].numpy()).all()


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
