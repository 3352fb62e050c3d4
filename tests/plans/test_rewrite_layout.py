"""Rules for what only rearranges: each on what it changes and on neighbours that stay, with the same values."""

import numpy as np
import pytest
from rewrites import SPECIAL, becomes, identical, names, node, values

import graphnet as gn
from graphnet.apply import made
from graphnet.node import constant
from graphnet.ops.index import SCATTER_ADD
from graphnet.ops.index_axes import SLOT
from graphnet.plans.rewrite import layout, rewritten
from graphnet.plans.rewrite.layout import products, rearranging, sums, turned

NUMBERS = np.array([*SPECIAL, 5.0, -6.0, 0.25, 4.0, 9.0, -9.0, 0.5, -0.5, 8.0, 6.0, 7.0, -0.0]).reshape(2, 3, 4)

# formula of one (2, 3, 4) array: the ops that are left of it
REARRANGED = {
    "reshape to its own shape": (lambda x: node(gn.reshape, x, shape=(2, 3, 4)), ""),
    "reshape": (lambda x: x.reshape(6, 4), "reshape"),
    "reshape twice": (lambda x: x.reshape(6, 4).reshape(24), "reshape"),
    "reshape and back": (lambda x: x.reshape(6, 4).reshape(2, 3, 4), ""),
    "broadcast to its own shape": (lambda x: node(gn.broadcast_to, x, shape=(2, 3, 4)), ""),
    "broadcast twice": (lambda x: gn.broadcast_to(gn.broadcast_to(x, (1, 2, 3, 4)), (5, 2, 3, 4)), "broadcast_to"),
    "reshape of a broadcast": (lambda x: gn.broadcast_to(x, (5, 2, 3, 4)).reshape(10, 12), "broadcast_to reshape"),
    "broadcast of a reshape": (lambda x: gn.broadcast_to(x.reshape(6, 4), (5, 6, 4)), "reshape broadcast_to"),
    "transpose to its own axes": (lambda x: node(gn.transpose, x, axes=(0, 1, 2)), ""),
    "transpose": (lambda x: gn.transpose(x, (1, 2, 0)), "transpose"),
    "transpose twice": (lambda x: gn.transpose(gn.transpose(x, (1, 2, 0)), (1, 2, 0)), "transpose"),
    "transpose and back": (lambda x: gn.transpose(gn.transpose(x, (1, 2, 0)), (2, 0, 1)), ""),
    "max of axes of size one": (lambda x: gn.max(x.reshape(2, 1, 12), axis=1), "reshape"),
    "max of axes of size one, kept": (lambda x: gn.max(x.reshape(2, 1, 12), axis=1, keepdims=True), "reshape"),
    "min of no axes": (lambda x: node(gn.min, x, axis=(), keepdims=False), ""),
    "prod of axes of size one": (lambda x: gn.prod(x.reshape(1, 24, 1), axis=(0, 2)), "reshape"),
    "max of two": (lambda x: gn.max(x, axis=0), "max"),
    "max of one and of two": (lambda x: gn.max(x.reshape(2, 1, 12), axis=(0, 1)), "reshape max"),
    "sum of axes of size one is not exact": (lambda x: gn.sum(x.reshape(2, 1, 12), axis=1), "reshape sum"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", REARRANGED)
def test_what_only_rearranges(name, dtype):
    formula, expected = REARRANGED[name]
    becomes(rearranging, formula, [dtype], expected, [NUMBERS.astype(dtype)])


def zeros_add(found, expected):
    """Equal, but for the sign of zeros and rounding."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-6)


V = np.array([1.5, -0.25, 4.0])

# formula of one (3,) array: the ops that are left of it
SUMS = {
    "sum of one": (lambda v: gn.sum(v.reshape(3, 1), axis=1), "reshape reshape"),
    "sum of one, kept": (lambda v: gn.sum(v.reshape(3, 1), axis=1, keepdims=True), "reshape"),
    "mean of one": (lambda v: gn.mean(v.reshape(1, 3), axis=0), "reshape reshape"),
    "sum of three": (lambda v: gn.sum(v, axis=0), "sum"),
    "sum of whole numbers in another dtype": (
        lambda v: gn.sum(v.astype("int32").reshape(3, 1), 1),
        "astype reshape sum",
    ),
    "sum of copies": (lambda v: gn.sum(gn.broadcast_to(v, (4, 3)), axis=0), "reshape broadcast_to reshape multiply"),
    "sum of copies, kept": (
        lambda v: gn.sum(gn.broadcast_to(v, (4, 3)), axis=0, keepdims=True),
        "reshape broadcast_to multiply",
    ),
    "sum of copies and the rest": (
        lambda v: gn.sum(gn.broadcast_to(v, (4, 3))),
        "reshape broadcast_to sum multiply",
    ),
    "sum of the rest": (lambda v: gn.sum(gn.broadcast_to(v, (4, 3)), axis=1), "broadcast_to sum"),
    "sum of one of two repeated axes": (
        lambda v: gn.sum(gn.broadcast_to(v, (4, 5, 3)), axis=0),
        "reshape broadcast_to reshape multiply",
    ),
    "sum of the other": (
        lambda v: gn.sum(gn.broadcast_to(v, (4, 5, 3)), axis=1),
        "reshape broadcast_to reshape multiply",
    ),
    "sum of both": (
        lambda v: gn.sum(gn.broadcast_to(v, (4, 5, 3)), axis=(0, 1)),
        "reshape broadcast_to reshape multiply",
    ),
    "sum of an axis of size one that is repeated": (
        lambda v: gn.sum(gn.broadcast_to(v.reshape(3, 1), (3, 4)), axis=1),
        "reshape reshape broadcast_to reshape multiply",
    ),
    "sum of it beside one that is not": (
        lambda v: gn.sum(gn.broadcast_to(v.reshape(1, 3, 1), (1, 3, 4)), axis=(1, 2)),
        "reshape reshape broadcast_to sum multiply",
    ),
    "sum of one axis of size one among copies": (
        lambda v: gn.sum(gn.broadcast_to(v.reshape(1, 3), (2, 1, 3)), axis=1),
        "reshape broadcast_to reshape",
    ),
    "mean of copies": (lambda v: gn.mean(gn.broadcast_to(v, (4, 3)), axis=0), "reshape broadcast_to reshape"),
    "mean of copies and the rest": (lambda v: gn.mean(gn.broadcast_to(v, (4, 3))), "reshape broadcast_to mean"),
    "max of copies": (lambda v: gn.max(gn.broadcast_to(v, (4, 3)), axis=0), "broadcast_to max"),
    "sum of no copies at all": (lambda v: gn.sum(gn.broadcast_to(v, (0, 3)), axis=0), "broadcast_to sum"),
    "sum of copies in another dtype": (
        lambda v: gn.sum(gn.broadcast_to(v.astype("int8"), (4, 3)), axis=0),
        "astype broadcast_to sum",
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SUMS)
def test_sums_of_what_is_repeated(name, dtype):
    formula, expected = SUMS[name]
    found = becomes(sums, formula, [dtype], expected, [V.astype(dtype)], zeros_add)
    # Nothing large is written to be summed.
    if "multiply" in expected:
        assert all(t.size <= 15 for t in found.nodes)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_the_number_of_copies_has_the_dtype_of_the_sum(dtype):
    found = becomes(
        sums,
        lambda v: gn.sum(gn.broadcast_to(v, (4, 5, 3)), axis=(0, 1)),
        [dtype],
        "reshape broadcast_to reshape multiply",
        [np.array([1, 2, 3], dtype)],
    )
    (count,) = (t for t in found.nodes if t.op is None and not t.is_symbolic)
    assert count.dtype == dtype and count.shape == () and count.item() == 20


def piece(x, start, stop, size=6, axis=0, **other):
    """x between zeros along an axis of `size`: the gradient of a slice."""
    shape = tuple(size if a == axis else n for a, n in enumerate(x.shape))
    attrs = {"shape": shape, "index": (*[slice(None)] * axis, slice(start, stop)), **other}
    return made(SCATTER_ADD, (x,), attrs)


A, B = np.arange(1.0, 7.0).reshape(2, 3), np.arange(7.0, 13.0).reshape(2, 3)

# formula of two (2, 3) arrays: the ops that are left
PIECES = {
    "two": (lambda a, b: piece(a, 0, 2, 4) + piece(b, 2, 4, 4), "concatenate"),
    "two, the second first": (lambda a, b: piece(a, 2, 4, 4) + piece(b, 0, 2, 4), "concatenate"),
    "two, counted from the end": (lambda a, b: piece(a, None, -2, 4) + piece(b, -2, None, 4), "concatenate"),
    "along the other axis": (lambda a, b: piece(a, 0, 3, 6, 1) + piece(b, 3, 6, 6, 1), "concatenate"),
    "three": (lambda a, b: piece(a, 0, 2) + piece(b, 2, 4) + piece(a, 4, 6), "concatenate"),
    "three, nested": (lambda a, b: piece(a, 0, 2) + (piece(b, 4, 6) + piece(a, 2, 4)), "concatenate"),
    "a gap": (lambda a, b: piece(a, 0, 2, 5) + piece(b, 3, 5, 5), "scatter_add scatter_add add"),
    "a gap at the start": (lambda a, b: piece(a, 1, 3, 5) + piece(b, 3, 5, 5), "scatter_add scatter_add add"),
    "a gap at the end": (lambda a, b: piece(a, 0, 2, 5) + piece(b, 2, 4, 5), "scatter_add scatter_add add"),
    "twice the same place": (lambda a, b: piece(a, 0, 2, 4) + piece(b, 0, 2, 4), "scatter_add scatter_add add"),
    "overlapping": (lambda a, b: piece(a, 0, 2, 3) + piece(b, 1, 3, 3), "scatter_add scatter_add add"),
    "one and another thing": (lambda a, b: piece(a, 0, 2, 4) + gn.concatenate([a, b]), "scatter_add concatenate add"),
    "one and a row": (lambda a, b: piece(a, 0, 2, 4) + a[0], "scatter_add getitem add"),
    "one and a number": (lambda a, b: piece(a, 0, 2, 4) + 1.0, "scatter_add add"),
    "a step": (
        lambda a, b: piece(a, 0, 2, 4, index=(slice(0, 4, 2),)) + piece(b, 0, 2, 4, index=(slice(1, 4, 2),)),
        "scatter_add scatter_add add",
    ),
    "a step, without a gap at its ends": (
        lambda a, b: piece(a, 0, 2, 4, index=(slice(0, 3, 2),)) + piece(b[:1], 3, 4, 4),
        "scatter_add getitem scatter_add add",
    ),
    "a row of pieces": (
        lambda a, b: (piece(a[0, :1], 0, 1, 3) + piece(a[0, 1:2], 1, 2, 3)) + piece(b, 2, 4, 4),
        "getitem scatter_add getitem scatter_add add scatter_add add",
    ),
    "backward": (
        lambda a, b: piece(a, 0, 2, 4, index=(slice(1, None, -1),)) + piece(b, 2, 4, 4),
        "scatter_add scatter_add add",
    ),
    "two axes": (
        lambda a, b: (
            piece(a, 0, 2, shape=(4, 6), index=(slice(0, 2), slice(0, 3)))
            + piece(b, 0, 2, shape=(4, 6), index=(slice(2, 4), slice(3, 6)))
        ),
        "scatter_add scatter_add add",
    ),
    "two different axes": (
        lambda a, b: (
            piece(a, 0, 2, shape=(4, 3), index=(slice(0, 2),))
            + piece(b[:, :2].reshape(4, 1), 0, 2, shape=(4, 3), index=(slice(None), slice(2, 3)))
        ),
        "scatter_add getitem reshape scatter_add add",
    ),
    "whole": (lambda a, b: piece(a, 0, 2, 2) + piece(b, 0, 2, 2), "scatter_add scatter_add add"),
    "one place": (
        lambda a, b: (
            made(SCATTER_ADD, (a[0],), {"shape": (2, 3), "index": (0,)})
            + made(SCATTER_ADD, (b[0],), {"shape": (2, 3), "index": (1,)})
        ),
        "getitem scatter_add getitem scatter_add add",
    ),
    "a new axis": (
        lambda a, b: (
            made(SCATTER_ADD, (a[:1],), {"shape": (3,), "index": (None, slice(0, 3))})
            + made(SCATTER_ADD, (b[0],), {"shape": (3,), "index": (slice(0, 3),)})
        ),
        "getitem scatter_add getitem scatter_add add",
    ),
    "places that are known only later": (
        lambda a, b: (
            made(SCATTER_ADD, (a, constant(np.array([0, 1]))), {"shape": (4, 3), "index": (SLOT,)}) + piece(b, 2, 4, 4)
        ),
        "scatter_add scatter_add add",
    ),
    "in another dtype": (
        lambda a, b: piece(a.astype("float32"), 0, 2, 4) + piece(b, 2, 4, 4),
        "astype scatter_add scatter_add add",
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces_side_by_side(name):
    formula, expected = PIECES[name]
    becomes(sums, formula, ["float64"] * 2, expected, [A, B], zeros_add)


def test_very_many_pieces_are_not_looked_for():
    for count, expected in ((64, ["concatenate"]), (66, None)):
        x = gn.input((1,), "float64", name="x")
        total = piece(x, 0, 1, count)
        for n in range(1, count):
            total = total + piece(x, n, n + 1, count)
        graph = gn.Graph([x], total)
        found = rewritten(graph, sums)
        identical(values(found, [2.0]), values(graph, [2.0]))
        assert expected is None or names(found) == expected
        assert ("add" in names(found)) == (expected is None)


def test_pieces_in_any_order_of_addition():
    x = gn.input((1,), "float64", name="x")
    pieces = [piece(x * float(n), n, n + 1, 32) for n in range(1, 32)] + [piece(x, 0, 1, 32)]
    while len(pieces) > 1:
        pieces = [a + b for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
    found = rewritten(gn.Graph([x], pieces[0]), sums)
    assert "add" not in names(found) and names(found).count("concatenate") == 1
    identical(values(found, [2.0]), [np.array([2.0, *(2.0 * n for n in range(1, 32))])])


def test_the_last_two_axes_change_places():
    x = gn.input((2, 3, 4), "float64", name="x")
    y = turned(x, x * 2.0)
    assert y.shape == (2, 4, 3) and y.attrs["axes"] == (0, 2, 1) and turned(y, y) is x
    z = gn.transpose(x, (1, 0, 2))
    assert turned(z, z).inputs[0] is z and turned(z, z).shape == (3, 4, 2)
    m = gn.input((3, 4), "float64", name="m")
    assert turned(m, m).attrs["axes"] == (1, 0) and turned(m.T, m) is m


M, N = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4) - 5

PRODUCTS = {
    "turned": (lambda a, b: (a @ b).T, "transpose transpose matmul"),
    "of turned ones": (lambda a, b: (b.T @ a.T).T, "matmul"),
    "of one that is turned": (lambda a, b: (b.T @ gn.exp(a).T).T, "exp matmul"),
    "read twice": (lambda a, b: (lambda p: (p.T, p + 1.0))(a @ b), "matmul transpose add"),
    "an output": (lambda a, b: (lambda p: (p.T, p))(a @ b), "matmul transpose"),
    "no product": (lambda a, b: (a * 2.0).T, "multiply transpose"),
    "an input": (lambda a, b: (a.T, b), "transpose"),
    "of vectors": (lambda a, b: gn.transpose((a[0] @ b).reshape(2, 2)), "getitem matmul reshape transpose"),
    "batches": (
        lambda a, b: gn.transpose(gn.stack([a, a]) @ b, (0, 2, 1)),
        "stack transpose transpose matmul",
    ),
    "batches of batches": (
        lambda a, b: gn.transpose(gn.stack([a, a]).reshape(1, 2, 2, 3) @ b, (0, 1, 3, 2)),
        "stack reshape transpose transpose matmul",
    ),
    "batches of batches, other axes": (
        lambda a, b: gn.transpose(gn.stack([a, a]).reshape(1, 2, 2, 3) @ b, (1, 0, 3, 2)),
        "stack reshape matmul transpose",
    ),
    "batches, other axes": (
        lambda a, b: gn.transpose(gn.stack([a, a]) @ b, (1, 0, 2)),
        "stack matmul transpose",
    ),
    "a vector by batches": (
        lambda a, b: gn.transpose(a[0] @ gn.stack([b, b])),
        "getitem stack matmul transpose",
    ),
    "batches by a vector": (
        lambda a, b: gn.transpose(gn.stack([b, b]) @ b[0]),
        "stack getitem matmul transpose",
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_that_are_turned(name):
    formula, expected = PRODUCTS[name]
    a, b = gn.input((2, 3), "float64", name="a"), gn.input((3, 4), "float64", name="b")
    graph = gn.Graph([a, b], formula(a, b))
    found = rewritten(graph, products(graph))
    assert sorted(names(found)) == sorted(expected.split())
    zeros_add(values(found, M, N), values(graph, M, N))
    zeros_add(values(layout(graph), M, N), values(graph, M, N))


def test_a_product_that_is_given_is_no_product():
    a, b = gn.input((2, 3), "float64", name="a"), gn.input((3, 4), "float64", name="b")
    p = a @ b
    graph = gn.Graph([p], p.T)
    found = rewritten(graph, products(graph))
    assert found.inputs == (p,) and found.outputs[0].op.name == "transpose"
    # What the given product is made of is not read in this graph.
    inner = gn.exp(a) @ b
    graph = gn.Graph([inner, a, b], [inner + 1.0, (gn.exp(a) @ b).T])
    found = rewritten(graph, products(graph))
    assert found.outputs[1].op.name == "matmul" and found.outputs[0].inputs[0] is inner
