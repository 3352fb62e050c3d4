"""Graphs as networkx graphs: the order of inputs, everything known on the nodes, and its algorithms at work on them."""

import networkx as nx
import numpy as np
import pytest

import graphnet as gn


def test_the_same_input_twice_gives_two_edges_in_order():
    x, y = gn.input((2,), name="x"), gn.input((2,), name="y")
    n = gn.Graph([x, y], gn.where(x > y, y, x)).to_networkx()
    edges = [(tail, n.nodes[head]["op"], key) for tail, head, key in n.edges(keys=True)]
    assert ("x", "greater", 0) in edges and ("y", "greater", 1) in edges
    assert ("y", "where", 1) in edges and ("x", "where", 2) in edges
    twice = gn.Graph([x], x - x).to_networkx()
    assert sorted(key for *_, key in twice.edges(keys=True)) == [0, 1]


def test_nodes_carry_names_bytes_values_and_updates():
    w = gn.Parameter(np.arange(6.0).reshape(2, 3), name="layer/w")

    def step(x):
        w.assign(w - 0.5)
        return x @ w

    n = gn.trace(step, np.zeros((4, 2))).to_networkx()
    assert n.nodes["layer_w"]["name"] == "layer/w" and n.nodes["layer_w"]["bytes"] == 48
    assert "value" not in n.nodes["layer_w"]
    [(parameter, assigned)] = n.graph["updates"]
    assert parameter == "layer_w" and n.nodes[assigned]["op"] == "subtract"
    valued = gn.viz.to_networkx(gn.trace(step, np.zeros((4, 2))), values=True)
    assert (valued.nodes["layer_w"]["value"] == w.numpy()).all()
    with pytest.raises(ValueError, match="read-only"):
        valued.nodes["layer_w"]["value"][0, 0] = 1


def test_networkx_algorithms_run_on_it():
    y = x = gn.input((2,), name="x")
    for _ in range(50):
        y = gn.sin(y) + y
    n = gn.Graph([x], y).to_networkx()
    assert nx.is_directed_acyclic_graph(n) and nx.dag_longest_path_length(nx.DiGraph(n)) == 100
    assert nx.immediate_dominators(nx.DiGraph(n), "x")


def test_a_gradient_names_what_it_belongs_to():
    x = gn.input((3,), name="x")
    loss = gn.tanh(x).sum()
    g = gn.Graph([x], [loss, gn.gradients(loss, x)])
    n = g.to_networkx()
    of = {n.nodes[data["gradient_of"]]["op"] for _, data in n.nodes(data=True) if data["gradient_of"]}
    assert of == {"tanh"}
    assert n.nodes[g.names[g.outputs[1]]]["output"] == (1,)


@pytest.mark.parametrize("form", ["graphml", "gml"])
def test_a_graph_goes_into_files_of_numbers_and_texts(tmp_path, form):
    x = gn.input((2, 3), name="x\x00\n<&'\"")
    w = gn.Parameter(np.ones((3,)), name="w")
    g = gn.Graph([x], gn.softmax(x * w).sum(0))
    path = tmp_path / f"g.{form}"
    for values in (False, True):
        n = g.to_networkx(plain=True, values=values)
        getattr(nx, f"write_{form}")(n, path)
        read = getattr(nx, f"read_{form}")(path)
        assert read.number_of_nodes() == n.number_of_nodes() and read.number_of_edges() == n.number_of_edges()
        found = read.nodes["t0"]
        assert (
            found["op"] == "multiply" and found["shape"] == "(2, 3)" and int(found["bytes"]) == n.nodes["t0"]["bytes"]
        )
        assert {data.get("region") for _, data in read.nodes(data=True)} == {None, "softmax"}
        assert sorted(int(d["argument"]) for _, _, d in read.in_edges("t0", data=True)) == [0, 1]
        assert ("value" in read.nodes["w"]) == values
    assert not any(type(v) not in (str, int, float, bool) for _, data in n.nodes(data=True) for v in data.values())
