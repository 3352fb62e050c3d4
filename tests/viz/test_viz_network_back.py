"""From networkx back to graphs, and what its algorithms say about programs."""

import networkx as nx
import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.viz import checkpoints, critical_path, widest_cut


def step_graph():
    rng = np.random.default_rng(0)
    w = gn.Parameter(rng.normal(size=(4, 3)).astype("f"), name="layer/w")
    b = gn.Parameter(np.zeros(3, "f"), name="b", trainable=False)

    def step(x, y):
        with gn.region("layer", "Dense"):
            h = gn.softmax(x @ w + b)
        loss = -gn.log(gn.take_along_axis(h, y.reshape((-1, 1)), 1)).mean()
        w.assign(w - 0.1 * gn.gradients(loss, w))
        return {"loss": loss, "h": (h, [h * 2.0])}

    return gn.trace(step, np.zeros((5, 4), "f"), np.zeros(5, "int64")), w


def test_a_round_trip_computes_the_same_and_reads_the_same():
    g, w = step_graph()
    back = gn.Graph.from_networkx(g.to_networkx(values=True))
    assert back.program() == g.program()
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 4)).astype("f"), rng.integers(0, 3, 5)
    before = w.numpy().copy()
    one, other = g(x, y), back(x, y)
    assert set(other) == {"loss", "h"} and isinstance(other["h"], tuple)
    assert one["loss"].item() == other["loss"].item()
    np.testing.assert_array_equal(one["h"][1][0].numpy(), other["h"][1][0].numpy())
    [(new_w, _)] = back.updates
    assert new_w is not w and new_w.name == "layer/w" and not np.array_equal(before, w.numpy())
    np.testing.assert_array_equal(new_w.numpy(), w.numpy())
    assert [p.requires_grad for p in back.parameters] == [p.requires_grad for p in g.parameters]


def test_regions_and_what_gradients_belong_to_come_back():
    g, _ = step_graph()
    back = gn.Graph.from_networkx(g.to_networkx(values=True))
    paths = [[r.name for r in t.region.path] if t.region else [] for t in g.nodes]
    assert [[r.name for r in t.region.path] if t.region else [] for t in back.nodes] == paths
    of = [g.names.get(t.gradient_of) if t.gradient_of is not None else None for t in g.nodes]
    assert [back.names.get(t.gradient_of) if t.gradient_of is not None else None for t in back.nodes] == of
    assert any(of) and any(p and p[0] == "layer" for p in paths)
    gradients = [t for t in back.nodes if t.region is not None and t.region.kind == "gradient"]
    assert gradients and all(t.region.attrs["of"].name == t.region.name for t in gradients)
    strip = {"engine": "builtin", "title": "g"}
    assert len(back.draw(**strip).scene.boxes) == len(g.draw(**strip).scene.boxes)


def test_models_dropout_and_custom_ops_come_back():
    model = nn.Sequential([nn.Input((6,)), nn.Dense(5, activation="gelu"), nn.Dropout(0.3), nn.Dense(2)])
    g = model.graph(4, training=True)
    x = np.random.default_rng(0).normal(size=(4, 6)).astype("f")
    back = gn.Graph.from_networkx(g.to_networkx(values=True))
    np.testing.assert_array_equal(back(x, 7).numpy(), g(x, 7).numpy())

    @gn.custom_gradient
    def cube(x):
        return x**3, lambda g: g * 3 * x**2

    own = gn.trace(cube, np.zeros(3))
    n = own.to_networkx(values=True)
    assert gn.Graph.from_networkx(n)([1.0, 2.0, 3.0]).tolist() == [1.0, 8.0, 27.0]
    n.graph.pop("ops", None)


def test_a_graph_made_by_hand_is_read():
    n = nx.MultiDiGraph()
    n.add_node("x", kind="input", shape=(2,), dtype="float64")
    n.add_node("two", kind="constant", value=2.0)
    n.add_node("y", kind="op", op="multiply")
    n.add_edge("x", "y", argument=0)
    n.add_edge("two", "y", argument=1)
    assert gn.Graph.from_networkx(n)([1.0, 3.0])[0].tolist() == [2.0, 6.0]


def test_what_is_wrong_is_said():
    x = gn.input((2,), name="x")
    g = gn.Graph([x], gn.exp(x) * gn.Parameter([1.0, 2.0], name="w"))
    with pytest.raises(ValueError, match=r"node 'w' is a parameter without a value: use to_networkx\(values=True\)"):
        gn.Graph.from_networkx(g.to_networkx())
    n = g.to_networkx(values=True)
    n.nodes["t0"]["op"] = "exo"
    with pytest.raises(ValueError, match="node 't0': no op is named 'exo'"):
        gn.Graph.from_networkx(n)
    n = g.to_networkx(values=True)
    n.nodes["t1"]["shape"] = (3,)
    with pytest.raises(ValueError, match=r"multiply of these inputs has shape \(2,\), not \(3,\)"):
        gn.Graph.from_networkx(n)
    n = g.to_networkx(values=True)
    n.add_edge("t1", "t0", key=1, argument=1)
    with pytest.raises(ValueError, match="has a cycle"):
        gn.Graph.from_networkx(n)


def test_nodes_have_source_lines_and_times():
    x = gn.input((64,), name="x")
    g = gn.Graph([x], gn.exp(gn.sin(x)).sum())
    profile = g.compile("numpy").profile(repeat=3)
    n = profile.graph.to_networkx(profile=profile)
    ops = [d for _, d in n.nodes(data=True) if d["kind"] == "op"]
    assert ops and all(d["time"] > 0 for d in ops) and all("gn.exp(gn.sin(x))" in d["source"] for d in ops)
    assert n.nodes["x"]["time"] is None
    path = critical_path(n)
    assert path[-1] == profile.graph.names[profile.graph.outputs[0]] and len(path) >= 3


def test_the_critical_path_is_the_heaviest():
    x = gn.input((2,), name="x")
    short, long = gn.exp(x), gn.sin(gn.cos(gn.tanh(x)))
    n = gn.Graph([x], short + long).to_networkx()
    assert [n.nodes[m]["op"] for m in critical_path(n, None)] == [None, "tanh", "cos", "sin", "add"]
    heavy = next(m for m, d in n.nodes(data=True) if d["op"] == "exp")
    n.nodes[heavy]["time"] = 9.0
    assert heavy in critical_path(n, "time")
    with pytest.raises(ValueError, match="no node has 'time': use"):
        critical_path(gn.Graph([x], gn.exp(x)).to_networkx())


def test_the_widest_cut_is_the_peak():
    x = gn.input((10,), "float64", name="x")
    n = gn.Graph([x], gn.concatenate([gn.exp(x), gn.sin(x)]).sum()).to_networkx()
    cut = widest_cut(n)
    assert cut.bytes == 80 + 80 + 160 and n.nodes[cut.at]["op"] == "concatenate" and len(cut.alive) == 3
    assert widest_cut(n, leaves=True).bytes == 160 + 80 + 80
    # Brute force on a random program.
    rng = np.random.default_rng(3)
    values = [gn.exp(x)]
    for _ in range(30):
        values.append(values[rng.integers(len(values))] + values[rng.integers(len(values))])
    n = gn.Graph([x], values[-1] + values[10]).to_networkx()
    order = [m for m in n if n.nodes[m]["kind"] == "op"]
    sizes = []
    for i in range(len(order)):
        done = set(order[: i + 1])
        alive = [m for m in done if m == order[i] or n.nodes[m]["output"] or any(s not in done for s in n.succ[m])]
        ends = [m for m in done if m not in alive and order[i] in n.succ[m]]
        sizes.append(80 * (len(alive) + len(ends)))
    assert widest_cut(n).bytes == max(sizes)


def test_dominators_are_where_a_graph_can_be_cut():
    h = x = gn.input((8,), name="x")
    bottlenecks = []
    for _ in range(4):
        h = gn.sin(h) + gn.cos(h)
        bottlenecks.append(h)
    g = gn.Graph([x], h)
    assert checkpoints(g.to_networkx()) == [g.names[t] for t in bottlenecks]
    two = gn.Graph([x], [gn.sin(x), gn.cos(x)])
    assert checkpoints(two.to_networkx()) == []
