"""Graphs as values: made, printed, called, composed, checked, simplified, differentiated; what a trace collects."""

import numpy as np
import pytest
from backends import settled
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn
from graphnet.apply import made
from graphnet.plans.rewrite import algebra, fold, share
from graphnet.record import OPS


def names(graph):
    return [t.op.name for t in graph.nodes if t.op is not None]


def test_the_text_is_a_program():
    w = gn.Parameter(np.ones((2, 3), "float32"), name="dense/kernel")
    x = gn.input((4, 2), name="x")
    with gn.region("dense"):
        h = x @ w + np.zeros(3, "float32")
    g = gn.Graph([x], {"sum": h.sum(axis=1), "twice": h * 2})
    assert str(g).splitlines() == [
        "graph(x: float32[4, 2]) -> float32[4], float32[4, 3]",
        "  dense_kernel: float32[2, 3] = parameter",
        "  t0: float32[4, 3] = matmul(x, dense_kernel)          # dense",
        "  c0: float32[3] = constant [0.0, 0.0, 0.0]",
        "  t1: float32[4, 3] = add(t0, c0)                      # dense",
        "  t2: float32[4] = sum(t1, axis=(1,), keepdims=False)",
        "  t3: float32[4, 3] = multiply(t1, 2.0)",
        "  return t2, t3",
    ]
    assert len(g) == len(g.nodes) == 8 and g.parameters == (w,)
    assert repr(g) == "<Graph of 8 nodes: 1 inputs, 1 parameters, 2 outputs>"


def test_a_graph_is_called_with_arrays_and_answers_in_the_form_of_its_outputs():
    x = gn.input((2,), name="x")
    g = gn.Graph([x], {"a": x * 2, "b": (x, [x + 1])})
    found = g([1.0, 2.0])
    np.testing.assert_array_equal(found["a"].numpy(), [2, 4])
    np.testing.assert_array_equal(found["b"][1][0].numpy(), [2, 3])
    assert found["a"].dtype == np.float32
    np.testing.assert_array_equal(g(np.array([1, 2]))["a"].numpy(), [2, 4])


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (([1.0, 2.0, 3.0],), ValueError, r"input 0 \('x'\) of the graph is float32\[2\]; received float64\[3\]"),
        ((), ValueError, r"takes 1 inputs \(x: float32\[2\]\); received 0"),
        (("text",), TypeError, "expected an array of numbers; received str"),
        ((np.array([1j, 2j]),), TypeError, r"float32\[2\]; received complex128\[2\]"),
    ],
)
def test_wrong_arguments_get_a_clear_error(arguments, kind, text):
    x = gn.input((2,), name="x")
    with pytest.raises(kind, match=text):
        gn.Graph([x], x * 2)(*arguments)


def test_integers_do_not_take_fractions():
    n = gn.input((2,), "int32", name="n")
    with pytest.raises(TypeError, match=r"int32\[2\]; received float64\[2\]"):
        gn.Graph([n], n + 1)([1.5, 2.5])


def test_an_unknown_symbolic_tensor_is_named():
    x, forgotten = gn.input((2,), name="x"), gn.input((2,), name="forgotten")
    with pytest.raises(ValueError, match=r"'?forgotten'?, made at .*test_graph.py:\d+, is needed"):
        gn.Graph([x], x + forgotten)
    with pytest.raises(ValueError, match="one is given twice"):
        gn.Graph([x, x], x)
    with pytest.raises(ValueError, match="is not known yet: build a Graph"):
        x.numpy()


def test_a_graph_of_recorded_tensors():
    x = gn.tensor([1.0, 2.0], requires_grad=True, name="x")
    w = gn.Parameter([3.0, 4.0], name="w")
    g = gn.Graph([x], (x * w).sum())
    assert g([1.0, 1.0]).item() == 7
    w.assign([0.0, 1.0])
    assert g([1.0, 1.0]).item() == 1


def test_a_graph_called_with_tensors_joins_their_graph():
    a = gn.input((2,), name="a")
    square = gn.Graph([a], a * a)
    x = gn.input((2,), dtype="float32")
    whole = gn.Graph([x], square(square(x)).sum())
    assert names(whole) == ["multiply", "multiply", "sum"]
    slope = gn.grad(lambda v: square(v).sum())(gn.tensor([3.0, 4.0], dtype="float32"))
    np.testing.assert_array_equal(slope.numpy(), [6, 8])


def test_trace_names_its_inputs_and_keeps_numbers_static():
    def f(params, x, power=2):
        return (params["w"] * x) ** power

    g = gn.trace(f, {"w": np.ones(3), "b": [np.ones(2)]}, np.ones(3), 3)
    assert [t.name for t in g.inputs] == ["params_w", "params_b_0", "x"]
    assert g.name == "f" and str(g).startswith("f(params_w: float64[3]")
    np.testing.assert_array_equal(g(np.full(3, 2.0), np.zeros(2), np.ones(3)).numpy(), [8, 8, 8])


def test_a_trace_collects_assignments_as_updates():
    w = gn.Parameter([1.0, 2.0], name="w")
    count = gn.Parameter(np.int64(0), name="count", trainable=False)

    def step(x):
        loss = (w * x).sum()
        with gn.no_grad():
            w.assign(w - 0.5 * gn.gradients(loss, w))
        count.assign(count + 1)
        count.assign(count + 1)
        return loss, (w * 1.0).sum()

    g = gn.trace(step, np.ones(2))
    np.testing.assert_array_equal(w.numpy(), [1, 2])
    assert [p.name for p, _ in g.updates] == ["w", "count"] and "w <- " in str(g)
    for i in range(3):
        before = w.numpy().copy()
        loss, after = g([1.0, 1.0])
        np.testing.assert_array_equal(w.numpy(), before - 0.5)
        assert loss.item() == before.sum() and after.item() == w.numpy().sum()
        assert count.item() == 2 * (i + 1)
    np.testing.assert_array_equal(g.simplify()([1.0, 1.0])[0].numpy(), w.numpy().sum() + 1)


def test_gradient_of_a_graph_by_name_by_tensor_and_of_everything():
    x = gn.input((2,), name="x")
    w = gn.Parameter(np.array([3.0, 4.0], "float32"), name="w")
    g = gn.Graph([x], (x * w * w).sum())
    np.testing.assert_array_equal(g.gradient("x")([1.0, 1.0]).numpy(), [9, 16])
    np.testing.assert_array_equal(g.gradient(w)([1.0, 2.0]).numpy(), [6, 16])
    both = g.gradient()([1.0, 1.0])
    assert len(both) == 2
    second = gn.Graph([x], g.gradient(w).outputs[0].sum()).gradient(w)
    np.testing.assert_array_equal(second([1.0, 2.0]).numpy(), [2, 4])
    with pytest.raises(ValueError, match=r"no node is named 'v'; names are: .*w, x"):
        g.gradient("v")


def test_nodes_of_a_gradient_know_what_they_belong_to():
    x = gn.input((2,), name="x")
    with gn.region("layer"):
        y = gn.sin(x)
    g = gn.Graph([x], y.sum()).gradient("x")
    cosine = next(t for t in g.nodes if t.op is not None and t.op.name == "cos")
    assert cosine.gradient_of is y
    assert cosine.region.kind == "gradient" and cosine.region.attrs["of"] is y.region


def test_the_checker_finds_wrong_nodes_and_cycles():
    x = gn.input((2, 3))
    y = gn.exp(x)
    g = gn.Graph([x], y)
    y._value = gn.input((3, 2))._value
    with pytest.raises(ValueError, match=r"t0 is float32\[3, 2\], but exp\(float32\[2, 3\]\) gives float32\[2, 3\]"):
        g.check()
    a = gn.exp(x)
    b = gn.sin(a)
    a._inputs = (b,)
    with pytest.raises(ValueError, match=r"the graph has a cycle through '(exp|sin)'"):
        gn.Graph([x], b)


def test_sharing_folding_and_algebra():
    x = gn.input((3,), name="x")
    g = gn.Graph([x], gn.exp(x) + gn.exp(x))
    assert names(share(g)) == ["exp", "add"]
    two = gn.input((), name="n")
    folded = fold(gn.Graph([x], x * made(OPS["exp"], (made(OPS["add"], (gn.tensor(1.0), gn.tensor(2.0)), {}),), {})))
    assert names(folded) == ["multiply"]
    assert two.is_symbolic
    nothing = gn.Graph([x], -(-(((x * 1.0) / 1.0 - 0.0) ** 1.0)).reshape(3, 1).reshape(3))
    assert names(nothing.simplify()) in ([], ["positive"])
    assert names(gn.Graph([x], x + 0.0).simplify()) == ["add"]
    matrix = gn.input((2, 3), name="m")
    assert names(gn.Graph([matrix], matrix.T.T).simplify()) == []
    assert names(gn.Graph([matrix], gn.identity(gn.identity(matrix)) * 2.0).simplify()) == ["multiply"]


def test_dead_code_is_gone():
    x = gn.input((3,), name="x")
    used = gn.exp(x)
    gn.sin(used)
    assert names(gn.Graph([x], used)) == ["exp"]


def test_neutral_elements_keep_signed_zeros_and_nan():
    x = gn.input((4,), "float64", name="x")
    values = np.array([-0.0, 0.0, np.nan, -np.inf])
    for f in (lambda x: x + 0.0, lambda x: x - 0.0, lambda x: x * 1.0, lambda x: x / 1.0, lambda x: x + -0.0):
        g = gn.Graph([x], f(x))
        with np.errstate(all="ignore"):
            a, b = g(values).numpy(), g.simplify()(values).numpy()
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


OPS_OF_ONE = [gn.exp, gn.sin, gn.tanh, gn.relu, gn.negative, gn.abs, gn.identity, lambda t: t * 1.0, lambda t: t + 0.0]
OPS_OF_TWO = [gn.add, gn.subtract, gn.multiply, gn.maximum, lambda a, b: gn.where(a > b, a, b), gn.divide]


@given(st.data())
def test_passes_do_not_change_random_programs(data):
    x, y = gn.input((2, 3), "float64", name="x"), gn.input((3,), "float64", name="y")
    pool = [x, y, gn.tensor([1.0, 1.0, 1.0]), gn.tensor(2.0)]
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()):
            f = data.draw(st.sampled_from(OPS_OF_ONE))
            pool.append(f(data.draw(st.sampled_from(pool))))
        else:
            f = data.draw(st.sampled_from(OPS_OF_TWO))
            pool.append(f(data.draw(st.sampled_from(pool)), data.draw(st.sampled_from(pool))))
    outputs = [t for t in pool[-3:]]
    g = gn.Graph([x, y], outputs).check()
    a = np.linspace(-1.3, 1.7, 6).reshape(2, 3)
    b = np.array([-0.5, 0.0, 2.0])
    with np.errstate(all="ignore"):
        for changed in (share(g), fold(g), algebra(g), g.simplify()):
            assert len(names(changed)) <= len(names(g))
            for before, after in zip(g(a, b), changed(a, b), strict=True):
                np.testing.assert_array_equal(before.numpy(), after.numpy())


def test_simplify_keeps_names_regions_and_sources():
    x = gn.input((2,), name="x")
    with gn.region("layer", "Dense"):
        y = gn.identity(gn.exp(x * 1.0))
    y2 = gn.Graph([x], y).simplify().outputs[0]
    assert y2.region.name == "layer" and y2.site[0].endswith("test_graph.py")


def test_every_tensor_knows_the_line_that_made_it():
    x = gn.input((2,), name="x")
    y = x * 2.0
    line = y.site[1]
    assert y.site[0].endswith("test_graph.py") and x.site[1] == line - 1
    assert gn.softmax(x).site[1] == line + 3
    assert gn.norm(gn.Parameter([1.0])).site[1] == line + 4


def test_a_training_loop_does_not_grow():
    import gc
    import tracemalloc

    w = gn.Parameter(np.ones((20, 20)))
    state = gn.Parameter(np.zeros(()), trainable=False)
    x = np.ones((5, 20))

    def step():
        loss = gn.tanh(gn.tensor(x) @ w).sum()
        loss.backward()
        with gn.no_grad():
            w.assign(w - 0.01 * w.grad)
            state.assign(state + loss)
        w.grad = None

    # What other tests have left to compile in the background takes memory too.
    settled()
    for _ in range(20):
        step()
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(1000):
        step()
    # Also empties Python's own lists of tuples to use again, which count as memory.
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_plain_tensors_keep_no_history():
    x = gn.tensor(1.0)
    for _ in range(1000):
        x = x * 1.5
    assert x.inputs == () and x.op is None
