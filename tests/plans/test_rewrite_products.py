"""Products that BLAS has as one call: updates of parameters, sums of products, and what is none."""

import numpy as np
import pytest
from backends import each_backend
from rewrites import names, values

import graphnet as gn
from graphnet.plans.rewrite.gemm import dotted, with_gemm
from graphnet.plans.rewrite.updates import product_update

A, B = np.arange(6.0).reshape(2, 3) - 2, np.arange(12.0).reshape(3, 4) / 3
P = np.linspace(-1, 1, 8).reshape(2, 4)


def update(f, dtype="float64"):
    """The graph of the update of a (2, 4) parameter by `f(p, a, b, s)`, and its arguments."""
    p = gn.Parameter(P.astype(dtype), name="p")
    arguments = [A.astype(dtype), B.astype(dtype), np.asarray(0.7, dtype)]

    def step(a, b, s):
        p.assign(f(p, a, b, s))
        return a.sum()

    return p, gn.trace(step, *arguments), arguments


def ops_of_update(graph):
    (_, new), *_ = graph.updates
    return [t.op.name for t in gn.toposort([new]) if t.op is not None]


def carried_out(graph, p, arguments):
    p.assign(P.astype(p.dtype))
    graph(*arguments)
    return p.numpy().copy()


# f, and the ops of the update: as a gemm, with beta apart, written out
UPDATES = {
    "plain": (lambda p, a, b, s: p - 0.1 * (a @ b), "gemm", "gemm", "matmul multiply add"),
    "decay": (lambda p, a, b, s: 0.9 * p - 0.1 * (a @ b), "gemm", "multiply gemm", "multiply matmul multiply add"),
    "a scalar": (
        lambda p, a, b, s: p - s * (a @ b),
        "negative gemm",
        "negative gemm",
        "matmul negative multiply add",
    ),
    "1 - s": (
        lambda p, a, b, s: p - s * p - a @ b,
        "subtract gemm",
        "subtract multiply gemm",
        "subtract multiply matmul multiply add",
    ),
    "1 + s": (
        lambda p, a, b, s: p + s * p - a @ b,
        "add gemm",
        "add multiply gemm",
        "add multiply matmul multiply add",
    ),
    "2 - 3 s": (
        lambda p, a, b, s: p * 2.0 - 3.0 * s * p - a @ b,
        "multiply subtract gemm",
        "multiply subtract multiply gemm",
        "multiply subtract multiply matmul multiply add",
    ),
    "s squared": (
        lambda p, a, b, s: p + s * s * (a @ b),
        "multiply gemm",
        "multiply gemm",
        "matmul multiply multiply add",
    ),
    "times 2": (lambda p, a, b, s: p * 2.0 + a @ b, "gemm", "multiply gemm", "multiply matmul multiply add"),
    "minus": (lambda p, a, b, s: a @ b - p, "gemm", "multiply gemm", "multiply matmul multiply add"),
    "turned": (lambda p, a, b, s: p + (b.T @ a.T).T, "gemm", "gemm", "matmul multiply add"),
    "no p": (lambda p, a, b, s: 0.1 * (a @ b),) + ("matmul multiply",) * 3,
    "p cancelled": (lambda p, a, b, s: p - p + a @ b,) + ("subtract matmul add",) * 3,
    "something else": (lambda p, a, b, s: p - gn.exp(a) @ b * p,) + ("exp matmul multiply subtract",) * 3,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", UPDATES)
def test_updates(name, dtype):
    f, *expected = UPDATES[name]
    p, graph, arguments = update(f, dtype)
    right = carried_out(graph, p, arguments)
    found = [with_gemm(graph), with_gemm(graph, scaled=True), with_gemm(graph, 9)]
    for one, ops in zip(found, expected, strict=True):
        assert sorted(ops_of_update(one)) == sorted(ops.split())
        np.testing.assert_allclose(carried_out(one, p, arguments), right, rtol=1e-5 if dtype == "float32" else 1e-13)
        assert one.inputs == graph.inputs and len(one.outputs) == 1
    for least, gemm in ((0, True), (8, True), (9, False)):
        assert ("gemm" in ops_of_update(with_gemm(graph, least))) == (gemm and "gemm" in expected[0])


def test_only_updates_that_are_products_change():
    p, q = gn.Parameter(P), gn.Parameter(P)

    def step(a, b):
        p.assign(p - 0.1 * (a @ b))
        q.assign(q * 2.0)

    graph = gn.trace(step, A, B)
    found = with_gemm(graph)
    assert [t.op.name for _, t in found.updates] == ["gemm", "multiply"] and [r for r, _ in found.updates] == [p, q]
    assert found.updates[1][1] is graph.updates[1][1]
    nothing = gn.trace(lambda a: q.assign(q * 2.0), A)
    assert with_gemm(nothing) is nothing


DECLINED = {
    "another dtype": lambda p, a, b, s: (p.astype("float32") - (a @ b).astype("float32")).astype("float64"),
    "a product in another dtype": lambda p, a, b, s: p - (a.astype("float32") @ b.astype("float32")),
    "a product of another dtype": lambda p, a, b, s: p - a.astype("float32") @ b,
    "a product of vectors": lambda p, a, b, s: p - (a[0] @ b),
    "a batch": lambda p, a, b, s: p - gn.stack([a, a])[0] @ b + (gn.stack([a, a]) @ b)[1],
    "a row of numbers": lambda p, a, b, s: p * b[0] - a @ b,
    "divided by a scalar": lambda p, a, b, s: p / s - a @ b,
    "divided by zero": lambda p, a, b, s: p - a @ b / 0.0,
    "infinite times": lambda p, a, b, s: p - np.inf * (a @ b),
    "a number over": lambda p, a, b, s: 1.0 / p - a @ b,
    "the product turned twice the sum": lambda p, a, b, s: p - a @ b - (b.T @ a.T).T,
    "reshaped": lambda p, a, b, s: (p.reshape(4, 2) - (a @ b).reshape(4, 2)).reshape(2, 4),
    "p in the product": lambda p, a, b, s: p - p @ np.eye(4),
    "p in the product, right": lambda p, a, b, s: p - np.eye(2) @ p,
    "a view of p": lambda p, a, b, s: p - np.eye(2) @ p.reshape(2, 4)[:, :],
    "p turned in the product": lambda p, a, b, s: p - np.ones((2, 2)) @ p.T.T,
    "no product": lambda p, a, b, s: p * 0.5 - s * p,
}
ACCEPTED = {
    "divided": lambda p, a, b, s: p - a @ b / 4.0,
    "divided twice": lambda p, a, b, s: (p - a @ b / 4.0) / 2.0,
    "identity": lambda p, a, b, s: gn.identity(p) - +gn.stop_gradient(a @ b),
    "a copy of p": lambda p, a, b, s: p - np.eye(2) @ (p * 1.5),
    "a product with p": lambda p, a, b, s: p - np.eye(2) @ (p @ np.eye(4)),
    "scalars times scalars": lambda p, a, b, s: s * (s * p - (s * gn.sin(s)) * (a @ b)),
    "the same scalar twice": lambda p, a, b, s: p - s * (a @ b) * s + p * s,
    "1 - s": lambda p, a, b, s: p - s * p - a @ b,
    "a scalar in another dtype": lambda p, a, b, s: p - s.astype("float32") * (a @ b),
    "a whole number": lambda p, a, b, s: p - 3 * (a @ b),
    "a scalar with axes": lambda p, a, b, s: p - gn.broadcast_to(s, (2, 4)) * (a @ b),
    "turned twice": lambda p, a, b, s: p - ((a @ b).T * 2.0).T,
    "turned sums": lambda p, a, b, s: p + ((b.T @ a.T) * s).T,
}


@pytest.mark.parametrize("name", DECLINED)
def test_updates_that_are_none(name):
    p, graph, _ = update(DECLINED[name])
    assert product_update(graph, p, dict(graph.updates)[p]) is None


@pytest.mark.parametrize("name", ACCEPTED)
def test_updates_of_other_forms(name):
    p, graph, arguments = update(ACCEPTED[name])
    found = product_update(graph, p, dict(graph.updates)[p])
    assert found is not None and found.product in found.nodes and dict(graph.updates)[p] in found.nodes
    right = carried_out(graph, p, arguments)
    np.testing.assert_allclose(carried_out(with_gemm(graph), p, arguments), right, rtol=1e-12)
    assert found.alpha.shape == found.beta.shape == () and found.alpha.dtype == found.beta.dtype == p.dtype


WRAPPED = {
    "negative": (lambda x, p, s: -x, 0),
    "multiply": (lambda x, p, s: x * 1.5, 0),
    "divide": (lambda x, p, s: x / 1.5, 0),
    "add": (lambda x, p, s: p + x, 0),
    "identity": (lambda x, p, s: gn.identity(x), 0),
    "transpose": (lambda x, p, s: x.T, 1),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_nesting_has_an_end(name):
    wrap, turned = WRAPPED[name]
    for depth, known in ((60, True), (62, False)):

        def nested(p, a, b, s, depth=depth):
            x = a @ b
            for _ in range(depth - turned * (depth % 2)):
                x = wrap(x, p, s)
            return x

        p, graph, _ = update(nested)
        assert (product_update(graph, p, dict(graph.updates)[p]) is not None) == known


def test_what_others_read_is_no_update():
    a, b = gn.input((2, 3), "float64", name="a"), gn.input((3, 4), "float64", name="b")
    p, q = gn.Parameter(P), gn.Parameter(P)
    product = a @ b
    new = p - 0.1 * product
    assert product_update(gn.Graph([a, b], a.sum(), [(p, new)]), p, new) is not None
    for outputs, updates in (
        (new, [(p, new)]),
        (product, [(p, new)]),
        (product.sum(), [(p, new)]),
        (new.sum(), [(p, new)]),
        (a.sum(), [(p, new), (q, new)]),
        (a.sum(), [(p, new), (q, product)]),
    ):
        assert product_update(gn.Graph([a, b], outputs, updates), p, new) is None
    assert product_update(gn.Graph([a, b], a.sum(), [(q, p * 2.0)]), p, new) is None
    # Given ones are what they are given as.
    assert product_update(gn.Graph([a, b, new], a.sum(), [(p, new)]), p, new) is None
    assert product_update(gn.Graph([product, a], a.sum(), [(p, new)]), p, new) is None
    assert product_update(gn.Graph([a, b, p], a.sum(), [(p, new)]), p, new) is None
    vector = gn.Parameter([1.0, 2.0])
    row = vector - a[:, 0]
    assert product_update(gn.Graph([a], a.sum(), [(vector, row)]), vector, row) is None


# formula of a and b, both (2, 3): the ops that are left
DOTS = {
    "sum of a product": (lambda a, b: gn.sum(a * b), "vdot"),
    "sum of a square": (lambda a, b: gn.sum(a * a), "vdot"),
    "both axes": (lambda a, b: gn.sum(a * b, axis=(0, 1)), "vdot"),
    "of one axis": (lambda a, b: gn.sum(a[0] * b[0]), "getitem getitem vdot"),
    "one axis of two": (lambda a, b: gn.sum(a * b, axis=0), "multiply sum"),
    "kept": (lambda a, b: gn.sum(a * b, keepdims=True), "multiply sum"),
    "the mean": (lambda a, b: gn.mean(a * b), "multiply mean"),
    "sum of a sum": (lambda a, b: gn.sum(a + b), "add sum"),
    "a row": (lambda a, b: gn.sum(a * b[0]), "getitem multiply sum"),
    "a number": (lambda a, b: gn.sum(a * 2.0), "multiply sum"),
    "a row in front": (lambda a, b: gn.sum(b[0] * a), "getitem multiply sum"),
    "read twice": (lambda a, b: (lambda p: gn.sum(p) * gn.max(p))(a * b), "multiply sum max multiply"),
    "summed twice": (lambda a, b: (lambda p: gn.sum(p) * gn.sum(p * 1.5))(a * b), "multiply sum multiply sum multiply"),
    "an output": (lambda a, b: (lambda p: [gn.sum(p), p])(a * b), "multiply sum"),
    "two": (lambda a, b: gn.sum(a * b) + gn.sum((a + b) * b), "vdot add vdot add"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", DOTS)
def test_sums_of_products(name, dtype):
    formula, expected = DOTS[name]
    a, b = gn.input((2, 3), dtype, name="a"), gn.input((2, 3), dtype, name="b")
    graph = gn.Graph([a, b], formula(a, b))
    found = dotted(graph).check()
    assert names(found) == expected.split()
    arrays = A.astype(dtype), (A[::-1] / 3).astype(dtype)
    for x, y in zip(values(found, *arrays), values(graph, *arrays), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)


def test_sums_of_products_of_other_dtypes_stay():
    same = ("float16", "int64", "bool")
    for first, second in (*zip(same, same, strict=True), ("float32", "float64"), ("float64", "float32")):
        a, b = gn.input((2, 3), first, name="a"), gn.input((2, 3), second, name="b")
        assert names(dotted(gn.Graph([a, b], gn.sum(a * b)))) == ["multiply", "sum"]
    # The dot product of complex vectors has the conjugate of the first.
    z = gn.input((3,), "float64", name="x").astype("complex128") * 1j
    assert names(dotted(gn.Graph([z.inputs[0].inputs[0]], gn.abs(gn.sum(z * z)))))[-2:] == ["sum", "absolute"]


def test_a_product_that_is_given_or_an_update_is_no_sum_of_products():
    a, b = gn.input((2, 3), "float64", name="a"), gn.input((2, 3), "float64", name="b")
    product = a * b
    assert dotted(gn.Graph([product], gn.sum(product))).outputs[0].op.name == "sum"
    p = gn.Parameter(np.zeros((2, 3)))
    assert names(dotted(gn.Graph([a, b], gn.sum(product), [(p, product)]))) == ["multiply", "sum"]
    # What only a given one is made of reads nothing.
    inner = gn.exp(product)
    found = dotted(gn.Graph([inner, a, b], [inner.sum(), gn.sum(product)]))
    assert found.outputs[1].op.name == "vdot"


FACTORS = {
    "plain": (lambda a, b: (a, b), (5, 3), (3, 7)),
    "turned, left": (lambda a, b: (a.T, b), (3, 5), (3, 7)),
    "turned, right": (lambda a, b: (a, b.T), (5, 3), (7, 3)),
    "both turned": (lambda a, b: (a.T, b.T), (3, 5), (7, 3)),
    "a part": (lambda a, b: (a[2:, 1:4], b[1:, 2:]), (7, 6), (4, 9)),
    "parts, turned": (lambda a, b: (a[1:4, 2:].T, b[2:, 1:].T), (6, 7), (9, 4)),
    "one row": (lambda a, b: (a[:1], b), (5, 3), (3, 7)),
}


@each_backend
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FACTORS)
def test_updates_in_place_of_factors_in_any_layout(name, dtype, backend):
    take, first, second = FACTORS[name]
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in (first, second))
    left, right = take(a, b)
    old = rng.integers(-4, 5, (left.shape[0], right.shape[1])).astype(dtype)
    p = gn.Parameter(old, name="p")

    def step(a, b):
        u, v = take(a, b)
        p.assign(0.5 * p - 0.25 * (u @ v))

    plan = gn.trace(step, a, b).compile(backend=backend)
    expected = old
    for _ in range(3):
        plan(a, b)
        expected = 0.5 * expected - 0.25 * (left @ right)
    np.testing.assert_allclose(p.numpy(), expected, rtol=1e-5)
