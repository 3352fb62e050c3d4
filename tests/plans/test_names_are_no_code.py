"""Generated code holds nothing that a graph says: names of tensors, layers, ops and attributes are no code."""

import ast
import builtins
import re

import numpy as np
import pytest

import graphnet as gn
from graphnet.escape import identifier
from graphnet.plans.code.function import numpy_code
from graphnet.plans.code.native import native_code

PLANTED = "__import__('builtins').planted.append(1)"
HOSTILE = [
    f"a\n    {PLANTED}\n    #",
    f"a\r{PLANTED}#",
    f"a\x0b\x0c\x1c\x85\u2028{PLANTED}",
    f'"""\n{PLANTED}\n"""',
    f"'); {PLANTED}; ('",
    f"\\\n{PLANTED}",
    f"{{{PLANTED}}}",
    "\x00",
    "\ud800",
    "\u202eabc",
    "lambda",
    "__debug__",
    "",
    " ",
    "../../etc",
    "x" * 10_000,
    "%s %(a)s",
    "-->]]></script><script>",
]
each_backend = pytest.mark.parametrize("backend", ["numpy", "native"])


@pytest.fixture(autouse=True)
def planted():
    builtins.planted = []
    yield builtins.planted
    assert builtins.planted == []
    del builtins.planted


def needs(backend):
    if backend == "native":
        pytest.importorskip("llvmlite")


@each_backend
@pytest.mark.parametrize("name", HOSTILE, ids=lambda n: ascii(n)[:20])
def test_names_never_reach_what_runs(backend, name):
    needs(backend)
    x, w = gn.input((4, 3), "float64", name=name), gn.Parameter(np.ones((3, 2)), name=name)
    with gn.region(name, name):
        h = gn.exp(x) @ w
        h.name = name
        y = gn.where(h > 1, h, gn.sum(h, axis=1, keepdims=True))
    graph = gn.Graph([x], [y, x], [(w, w * 2)], name=name)
    code = (numpy_code if backend == "numpy" else native_code)(graph)
    run = "\n".join(code.lines.code)
    assert run.isascii()
    assert set(re.findall(r"[^\W\d]\w*", run)) <= ALLOWED | set(re.findall(r"\b[vk]\d+\b|\bk_\w+", run))
    if backend == "native":
        assert (
            code.native.ir.isascii()
            and "planted" not in code.native.ir
            and '"' not in code.native.ir.replace('"llvm.loop', "").replace('count"', "")
        )
    plan = graph.compile(backend=backend)
    # What is shown has one line for each line, and nothing in it is obeyed by a terminal.
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", plan.source + repr(plan) + str(graph)
    )
    a = np.linspace(0, 1, 12).reshape(4, 3)
    h = np.exp(a) @ np.ones((3, 2))
    got = plan(a)
    np.testing.assert_allclose(got[0].numpy(), np.where(h > 1, h, h.sum(1, keepdims=True)), rtol=1e-12)
    np.testing.assert_array_equal(got[1].numpy(), a)
    assert w.numpy().tolist() == [[2.0, 2.0]] * 3


#: words of Python and methods that lines of NumPy are made of
ALLOWED = {"out", "where", "unsafe", "copy", "return", "id", "fill", "reshape", "transpose", "item", "argmax", "argmin"}


@each_backend
def test_names_that_python_folds_are_different_names(backend):
    needs(backend)
    words = ["µ", "μ", "ﬁ", "fi", "x²", "x2", "x¹", "ſ", "s", "K", "K", "ⅷ", "viii"]
    inputs = [gn.input((2,), "float64", name=w) for w in words]
    outputs = []
    for place, x in enumerate(inputs):
        y = gn.exp(x * (place + 1))
        y.name = words[-1 - place]
        outputs.append(y)
    graph = gn.Graph(inputs, outputs)
    assert len(set(graph.names.values())) == len(graph.names)
    given = [np.array([0.1, 0.2]) * place for place in range(len(words))]
    for place, got in enumerate(graph.compile(backend=backend)(*given)):
        np.testing.assert_allclose(got.numpy(), np.exp(given[place] * (place + 1)))


def test_an_identifier_is_what_python_makes_of_it():
    for code in [*range(0x3100), *range(0xFB00, 0xFFFF, 3), 0x1D7CE, 0x1F600]:
        word = f"{chr(code)}a{chr(code)}"
        found = identifier(word)
        assert found.isidentifier()
        (name,) = [n.id for n in ast.walk(ast.parse(f"{found} = 1")) if isinstance(n, ast.Name)]
        assert name == found, hex(code)


@pytest.mark.parametrize("names", [("v", "m"), ("f", "OP"), ("state", "KINDS"), ("y", "ca"), ("apply", "new")])
def test_arguments_of_an_op_may_be_called_anything(names):
    a, b = names
    body = eval(f"lambda {a}, {b}: np.multiply({a}, {b})", {"np": np})
    body.__name__ = f"own_product_{a}"
    op = gn.elementwise(f"({{{a}}} * {{{b}}})", vjp=(lambda g, y, p, q: g * q, lambda g, y, p, q: g * p))(body)
    try:
        x = gn.Parameter([3.0, 4.0])
        y = op(x, x)
        y.sum().backward()
        assert y.tolist() == [9.0, 16.0] and x.grad.tolist() == [6.0, 8.0]
        assert op(**{a: x, b: 2.0}).tolist() == [6.0, 8.0]
    finally:
        del gn.OPS[body.__name__]


def network():
    x = gn.input((4, 3), "float64", name="x")
    y = gn.max(gn.concatenate([gn.sum(gn.exp(x), axis=1, keepdims=True), gn.elu(x)], axis=1), axis=0)
    return gn.Graph([x], gn.reshape(y, (2, 2))).to_networkx(values=True)


class Shown:
    """A value whose text would be code."""

    def __repr__(self):
        return PLANTED

    __str__ = __format__ = lambda self, *spec: PLANTED

    def __index__(self):
        return 1


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("sum", {"axis": PLANTED, "keepdims": True}),
        ("sum", {"axis": (1,), "keepdims": True, PLANTED: 1}),
        ("sum", {"axis": Shown(), "keepdims": True}),
        ("sum", {"axis": (Shown(),), "keepdims": True}),
        ("concatenate", {"axis": PLANTED}),
        ("concatenate", {"axis": Shown()}),
        ("elu", {"alpha": PLANTED}),
        ("elu", {"alpha": Shown()}),
        ("elu", {"beta": 1.0}),
        ("elu", [1.0]),
        ("reshape", {"shape": (2, PLANTED)}),
        ("reshape", {"shape": Shown()}),
        ("reshape", {}),
    ],
)
def test_attributes_of_a_networkx_graph_are_checked(op, attrs):
    pytest.importorskip("networkx")
    n = network()
    (node,) = [k for k, d in n.nodes(data=True) if d["op"] == op]
    n.nodes[node]["attrs"] = attrs
    with pytest.raises(ValueError, match=f"node '{node}'"):
        gn.Graph.from_networkx(n)


def test_a_networkx_graph_that_is_not_one_of_ours_is_refused():
    pytest.importorskip("networkx")
    for change in (
        lambda n: n.nodes["x"].update(shape=(-1, 3)),
        lambda n: n.nodes["x"].update(shape="ab"),
        lambda n: n.nodes["x"].update(dtype="O"),
        lambda n: n.nodes["x"].update(name=5),
        lambda n: n.nodes["x"].pop("dtype"),
        lambda n: n.graph.update(regions=[{"name": "a", "kind": "b", "parent": 0}]),
        lambda n: n.graph.update(regions=[{"name": 1, "kind": "b", "parent": None}]),
        lambda n: n.graph.update(regions=5),
        lambda n: n.graph.update(inputs=["t0"]),
        lambda n: n.graph.update(inputs=["nobody"]),
        lambda n: n.graph.update(outputs=["nobody"]),
        lambda n: n.graph.update(updates=[("x", "x")]),
        lambda n: n.graph.update(ops={"exp": len}),
        lambda n: n.nodes["x"].update(kind=7),
    ):
        n = network()
        change(n)
        with pytest.raises(ValueError):
            gn.Graph.from_networkx(n)


def test_constants_of_a_networkx_graph_stay_in_proportion():
    nx = pytest.importorskip("networkx")
    n = nx.MultiDiGraph()
    n.add_node("c", kind="constant", value=np.ones(()), dtype="float64")
    n.add_node("b", kind="op", op="broadcast_to", attrs={"shape": (1 << 20, 1 << 20)})
    n.add_node("e", kind="op", op="exp")
    n.add_edge("c", "b", argument=0)
    n.add_edge("b", "e", argument=0)
    with pytest.raises(ValueError, match="far more than the graph holds"):
        gn.Graph.from_networkx(n)
