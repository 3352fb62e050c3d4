"""Each option of a picture, read back from its SVG (our own layout's, and Graphviz' where it is) or DOT."""

import re
import shutil
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.viz.build import build
from graphnet.viz.heat import bytes_text, seconds_text
from graphnet.viz.reading import scene_from
from graphnet.viz.scene import MARKS, heat_colour
from graphnet.viz.scenes import scene_of
from graphnet.viz.values import Run, summary

ENGINES = ["builtin", pytest.param("dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no dot"))]


def network():
    rng = np.random.default_rng(0)
    x, y = gn.input((8, 6), name="x"), gn.input((8,), "int64", name="y")
    w1 = gn.Parameter(rng.normal(size=(6, 5)).astype("f"), name="w1")
    w2 = gn.Parameter(rng.normal(size=(5, 3)).astype("f"), name="w2")
    with gn.region("dense_1", "Dense"):
        h = gn.relu(x @ w1)
        h.name = "hidden"
    with gn.region("dense_2", "Dense"):
        p = gn.softmax(h @ w2)
    loss = -gn.log(gn.take_along_axis(p, y.reshape((-1, 1)), 1)).mean()
    return gn.Graph([x, y], loss, name="net"), [rng.normal(size=(8, 6)).astype("f"), rng.integers(0, 3, 8)]


def elements(picture):
    return list(ET.fromstring(picture.svg).iter())


def texts(picture):
    found = [e.text.strip() for e in elements(picture) if e.tag.endswith("text") and e.text and e.text.strip()]
    return [t.replace("\N{NO-BREAK SPACE}", " ") for t in found]


def titles(picture):
    return [e.text for e in elements(picture) if e.tag.endswith("title") and e.text]


def fills(picture):
    return [e.attrib["fill"] for e in elements(picture) if "fill" in e.attrib]


# What is shown.


@pytest.mark.parametrize("engine", ENGINES)
def test_names_are_those_given_or_all_or_none(engine):
    g, _ = network()
    given = texts(g.draw(engine=engine))
    assert "hidden = relu" in given and "w1" in given and "matmul" in given
    everything = texts(g.draw(engine=engine, names="all"))
    names = g.names
    for t in g.nodes:
        if t.op is not None:
            assert f"{names[t]} = {t.op.name}" in everything
    none = texts(g.draw(engine=engine, names=False))
    assert "w1" not in none and "x" not in none and "hidden = relu" not in none
    assert none.count("parameter") == 3 and none.count("input") == 3  # two of each, and the legend
    with pytest.raises(ValueError, match="names is True"):
        g.draw(names="some")


@pytest.mark.parametrize("engine", ENGINES)
def test_shapes_and_dtypes_are_on_edges_together_apart_or_not(engine):
    g, _ = network()
    both, shapes = texts(g.draw(engine=engine)), texts(g.draw(engine=engine, dtypes=False))
    neither = texts(g.draw(engine=engine, shapes=False))
    assert any(t.endswith("float32[8, 5]") for t in both)
    assert any(t.endswith("[8, 5]") for t in shapes) and not any("float32" in t for t in shapes)
    assert not any(t.endswith("float32[8, 5]") for t in neither)


@pytest.mark.parametrize("engine", ENGINES)
def test_parameters_are_nodes_with_counts_or_written_into_their_ops(engine):
    g, _ = network()
    shown = texts(g.draw(engine=engine))
    assert "w1" in shown and "float32[6, 5] = 30" in shown and "float32[5, 3] = 15" in shown
    hidden = g.draw(engine=engine, parameters=False)
    assert "w1" not in texts(hidden) and "·, w1" in texts(hidden) and "parameter" not in texts(hidden)
    assert "2 ops, 30 parameters" in texts(g.draw(engine=engine, parameters=False, depth=0))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_is_added_when_asked_for(engine):
    g, _ = network()
    picture = g.draw(engine=engine, gradient=True)
    assert "output 2" in texts(picture) and "op of the gradient" in texts(picture)
    assert "gradient of dense_1" in texts(picture)
    x = gn.input((3,), name="x")
    several = gn.Graph([x], gn.exp(x)).draw(engine=engine, gradient=True)
    assert "output 1" in texts(several)
    with pytest.raises(ValueError, match="gradient=True: the first output has no gradient"):
        gn.Graph([x], x > 0).draw(gradient=True)


def blocks(count, gradient=False):
    h = x = gn.input((4, 4), name="x")
    for i in range(count):
        with gn.region(f"block_{i}", "Block"):
            with gn.region(f"dense_{2 * i}", "Dense"):
                a = gn.relu(h @ gn.Parameter(np.zeros((4, 4), "f"), name=f"w{i}") + 1.0)
            with gn.region(f"dense_{2 * i + 1}", "Dense"):
                a = gn.tanh(a @ gn.Parameter(np.zeros((4, 4), "f"), name=f"v{i}"))
            h = h + a
    g = gn.Graph([x], h.sum())
    return gn.Graph([x], [g.outputs[0], *g.gradient(list(g.parameters)).outputs]) if gradient else g


@pytest.mark.parametrize("engine", ENGINES)
def test_blocks_that_repeat_are_folded(engine):
    g = blocks(12)
    folded = texts(g.draw(engine=engine, fold=True))
    assert "block_0 … block_11 × 12" in folded and folded.count("tanh") == 1 and "w1" not in folded
    assert any(t.startswith("showing 10 of ") and t.endswith("fold=False for all") for t in folded)
    whole = texts(g.draw(engine=engine, fold=False, depth=None))
    assert whole.count("tanh") == 12 and "block_11" in whole
    closed = texts(g.draw(engine=engine, fold=True, depth=0))
    assert "block_0 … block_11 × 12" in closed and "72 ops, 384 parameters" in closed
    assert "block_1" in texts(blocks(3).draw(engine=engine)) and "× 3" not in str(texts(blocks(3).draw(engine=engine)))


def test_folding_keeps_the_edges_into_and_out_of_the_run_and_none_between():
    scene = build(blocks(12), fold=True)
    kind = {n.id: n.lines[0] for n in scene.nodes}
    edges = {(kind[e.tail], kind[e.head]) for e in scene.edges}
    assert edges == {
        ("x", "matmul"), ("w0", "matmul"), ("matmul", "add"), ("add", "relu"), ("relu", "matmul"), ("v0", "matmul"),
        ("matmul", "tanh"), ("x", "add"), ("tanh", "add"), ("add", "sum"), ("sum", "output"),
    }  # fmt: skip


def test_gradients_of_folded_blocks_fold_with_them():
    g = blocks(12, gradient=True)
    scene = build(g)
    labels = [b.label for b in scene.boxes]
    assert "block_0 … block_11 × 12" in labels
    assert any(re.fullmatch(r"gradient of block_1\d … block_\d × \d+", label) for label in labels)
    assert len(scene.nodes) < 80 < len(g)
    by_id = {b.id: b for b in scene.boxes}
    assert all(by_id[b.of].label.startswith(("block_0", "dense_")) for b in scene.boxes if b.gradient)
    outputs = [n.lines[0] for n in scene.nodes if n.kind == "output"]
    assert any(re.fullmatch(r"outputs \d+ … \d+ × \d+", o) for o in outputs) and len(outputs) < 10
    own = {n.id for n in scene.nodes}
    assert all(e.tail in own and e.head in own for e in scene.edges)


def test_blocks_of_several_layers_fold_whatever_their_seeds_and_others_do_not():
    layers = [layer for _ in range(6) for layer in (nn.Dense(8, activation="relu"), nn.Dropout(0.2))]
    model = nn.Sequential([nn.Input((8,)), *layers])
    scene = build(model.graph(training=True), fold=True)
    assert [b.label for b in scene.boxes if b.kind == "repeat"] == ["× 6"]
    assert len([n for n in scene.nodes if n.lines[0].endswith("kernel")]) == 1
    rates = [layer for i in range(6) for layer in (nn.Dense(8, activation="relu"), nn.Dropout(0.1 + i / 20))]
    other = nn.Sequential([nn.Input((8,)), *rates])
    assert not [b for b in build(other.graph(training=True), fold=True).boxes if b.kind == "repeat"]
    sizes = nn.Sequential([nn.Input((8,)), *[nn.Dense(8 + i) for i in range(5)]])
    assert not [b for b in build(sizes.graph(), fold=True).boxes if b.kind == "repeat"]


def test_a_block_that_is_wired_otherwise_ends_a_run():
    h, x, z = (gn.input((4,), name=name) for name in "hxz")
    given = [h, x, z]
    for i in range(8):
        with gn.region(f"b{i}", "B"):
            h = gn.sin(h) * (x if i < 5 else z)
    scene = build(gn.Graph(given, h), fold=True)
    assert [b.label for b in scene.boxes if b.kind == "repeat"] == ["b0 … b4 × 5", "b5 … b7 × 3"]


def test_200_layers_and_10_000_nodes_are_quick_and_short():
    h = x = gn.input((4, 4), name="x")
    for i in range(200):
        with gn.region(f"layer_{i}", "Dense"):
            h = gn.relu(h @ gn.Parameter(np.zeros((4, 4), "f"), name=f"w{i}"))
    g = gn.Graph([x], h.sum())
    both = gn.Graph([x], [g.outputs[0], *g.gradient(list(g.parameters)).outputs])
    y = x
    for _ in range(10_000):
        y = gn.sin(y)
    for graph in (g, both, gn.Graph([x], y)):
        start = time.process_time()
        picture = graph.draw()
        assert time.process_time() - start < 5
        assert len(picture.scene.nodes) < 320
    assert len(g.draw().scene.nodes) < 10


def test_thousands_of_blocks_that_cannot_be_folded_are_looked_at_quickly():
    xs = [gn.input((2,), name=f"x{i}") for i in range(3000)]
    made = []
    for i, x in enumerate(xs):
        with gn.region(f"b{i}", "B"):
            made.append(gn.sin(x))
    g = gn.Graph(xs, gn.concatenate(made))
    start = time.process_time()
    scene = build(g)
    assert time.process_time() - start < 5
    assert not [b for b in scene.boxes if b.kind == "repeat"] and len(scene.nodes) < 320


# What is known about it.


@pytest.mark.parametrize("engine", ENGINES)
def test_values_and_gradients_of_a_run(engine):
    g, arrays = network()
    picture = g.draw(engine=engine, values=arrays)
    shown = texts(picture)
    assert summary(arrays[0]) in shown
    loss = g(*arrays).item()
    assert f"{loss:.3g}" in shown
    w1 = g.parameters[0]
    slope = g.gradient([w1])(*arrays)[0].numpy()
    assert f"∇ {np.linalg.norm(slope):.3g}" in shown
    assert "∇: norm of the gradient" in shown
    assert any(t.startswith("values: mean") for t in shown)
    node = next(n for n in picture.scene.nodes if n.data.get("name") == "w1")
    assert node.data["gradient"]["norm"] == pytest.approx(np.linalg.norm(slope), rel=1e-5)
    assert node.data["value"]["max"] == pytest.approx(w1.numpy().max(), rel=1e-4)
    by_name = g.draw(engine=engine, values={"y": arrays[1], "x": arrays[0]})
    assert texts(by_name) == shown


def test_values_that_do_not_fit_are_refused():
    g, arrays = network()
    with pytest.raises(ValueError, match=r"values are for 2 inputs \(x, y\); received 1"):
        g.draw(values=arrays[:1])
    with pytest.raises(ValueError, match="values are for the inputs x, y; received x, z"):
        g.draw(values={"x": arrays[0], "z": arrays[1]})
    with pytest.raises(ValueError, match=r"input 0 \('x'\) of the graph is float32\[8, 6\]"):
        g.draw(values=[arrays[0][:3], arrays[1]])
    x = gn.input((3,), name="x")
    with pytest.raises(ValueError, match="values=True shows what is known already, and nothing is"):
        gn.Graph([x], gn.exp(x)).draw(values=True)


def test_one_input_needs_no_list_and_eager_values_are_known():
    x = gn.input((2,), "float64", name="x")
    assert "[2.72, 7.39]" in texts(gn.Graph([x], gn.exp(x)).draw(engine="builtin", values=np.array([1.0, 2.0])))
    assert "[2.72, 7.39]" in texts(gn.Graph([x], gn.exp(x)).draw(engine="builtin", values=[1.0, 2.0]))
    w = gn.Parameter([1.0, 2.0], name="w")
    y = (w * w).sum()
    y.backward()
    shown = texts(y.draw(engine="builtin", values=True))
    assert "[1, 4]" in shown and "5" in shown and f"∇ {np.sqrt(20):.3g}" in shown


@pytest.mark.parametrize("engine", ENGINES)
def test_the_op_that_first_made_a_nan_is_marked(engine):
    x = gn.input((3,), name="x")
    g = gn.Graph([x], (gn.exp(x) + gn.log(x) * 0.0).sum())
    picture = g.draw(engine=engine, values=[np.array([1.0, -1.0, 2.0], "f")])
    marked = [n for n in picture.scene.nodes if n.mark]
    assert [n.lines[0] for n in marked] == ["log"] and "first NaN" in texts(picture)
    assert MARKS["nan"][0] in texts(picture)
    strokes = [e.attrib for e in elements(picture) if e.attrib.get("stroke", "").lower() == MARKS["nan"][1]]
    assert any(e.get("stroke-width") == "2.5" for e in strokes)
    fine = g.draw(engine=engine, values=[np.ones(3, "f")])
    assert not [n for n in fine.scene.nodes if n.mark] and "first NaN" not in texts(fine)


def test_a_nan_counts_before_an_infinity_and_closed_boxes_are_marked():
    x = gn.input((2,), "float64", name="x")
    with gn.region("layer", "L"):
        y = gn.sqrt(x)
    g = gn.Graph([x], [1.0 / (x + 1.0), y])
    run = Run(g, [np.array([-1.0, 4.0])])
    assert run.first_bad[1] == "NaN" and run.first_bad[0].op.name == "sqrt"
    closed = scene_of(g, values=[np.array([-1.0, 4.0])], depth=0)
    assert [n.lines[0] for n in closed.nodes if n.mark == "nan"] == ["layer (L)"]
    only = Run(gn.Graph([x], 1.0 / (x + 1.0)), [np.array([-1.0, 4.0])])
    assert only.first_bad[1] == "infinity"


@pytest.mark.parametrize("engine", ENGINES)
def test_heat_of_memory_and_of_time(engine):
    g, _ = network()
    picture = g.draw(engine=engine, heat="memory")
    shown = texts(picture)
    heats = {n.data["name"]: n.heat for n in picture.scene.nodes if n.heat is not None and "name" in n.data}
    assert max(heats.values()) == 1.0 and heats["x"] == 1.0 and heats["w2"] == 60 / 192
    assert "192 B" in shown and "memory: from 4 B" in shown and "to 192 B" in shown
    assert heat_colour(1.0) in fills(picture) and heat_colour(60 / 192) in fills(picture)
    timed = g.draw(engine=engine, heat="time")
    ops = [n for n in timed.scene.nodes if n.kind == "op"]
    assert all(n.heat is not None and n.data["seconds"] > 0 for n in ops)
    assert any(t.startswith("time: from ") for t in texts(timed))
    closed = g.draw(engine=engine, heat="memory", depth=0)
    inside = next(n for n in closed.scene.nodes if n.lines[0] == "dense_1 (Dense)")
    assert inside.data["heat bytes"] == 8 * 5 * 4 * 2 + 6 * 5 * 4
    with pytest.raises(ValueError, match="heat is 'time' or 'memory'; received 'colour'"):
        g.draw(heat="colour")


def test_a_profile_colours_the_graph_it_is_of_and_no_other():
    g, arrays = network()
    profile = g.compile("numpy").profile(*arrays, repeat=3)
    picture = profile.draw(engine="builtin")
    total = sum(n.data.get("seconds", 0.0) for n in picture.scene.nodes)
    assert total == pytest.approx(profile.seconds)
    assert picture.scene.heat[0] == "time" and any(re.search(r"µs|ns \(\d+%\)", t) for t in texts(picture))
    assert profile.draw(engine="builtin", heat="memory").scene.heat[0] == "memory"
    with pytest.raises(ValueError, match="this profile is of another graph"):
        blocks(2).draw(profile=profile)


def test_numbers_are_short():
    assert seconds_text(0) == "0 ns" and seconds_text(2.5e-9) == "2.5 ns" and seconds_text(3.0) == "3 s"
    assert bytes_text(1536) == "1.5 KB" and bytes_text(3 << 30) == "3 GB"
    assert summary(np.array([], "f")) == "" and summary(np.array([True] * 6)) == "100% true"
    assert summary(np.array([np.nan] * 5)) == "5 not finite"
    assert summary(np.array([1.0, np.inf, 3.0, 2.0, 2.0])) == "2 ± 0.707, 1 … 3, 1 not finite"
    assert summary(np.array(3)) == "3"


def test_option_and_overlay_in_dot_text():
    g, _ = network()
    source = g.to_dot(heat="memory", rankdir="LR")
    assert f'fillcolor="{heat_colour(1.0)}"' in source and "rankdir=LR" in source and "to 192 B" in source
    x = gn.input((1,), name="x")
    bad = gn.Graph([x], gn.log(x)).to_dot(values=[np.array([-1.0], "f")])
    assert "penwidth=2.5" in bad and "first NaN" in bad
    assert "hidden = relu" in g.to_dot() and "label=relu" in g.to_dot(names=False)


# Scenes as data.


def test_a_scene_survives_json_and_draws_the_same(tmp_path):
    import json

    g, arrays = network()
    picture = gn.Graph(g.inputs, g.outputs).draw(
        tmp_path / "g.json", engine="builtin", gradient=True, values=arrays, heat="memory"
    )
    data = json.loads((tmp_path / "g.json").read_text("utf-8"))
    scene = scene_from(data)
    assert len(scene.nodes) == len(picture.scene.nodes) and scene.legend() == picture.scene.legend()
    again = scene_from(scene.to_dict())
    assert again.to_dict() == scene.to_dict()
    assert [n.lines for n in scene.nodes] == [n.lines for n in picture.scene.nodes]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("nodes"),
        lambda d: d["nodes"][0].update(kind="<script>"),
        lambda d: d["nodes"][0].update(mark="x"),
        lambda d: d["edges"][0].update(tail="nowhere"),
        lambda d: d["boxes"][0].update(parent="box1"),
        lambda d: d.update(nodes=3),
    ],
)
def test_data_that_is_no_scene_is_refused(change):
    g, _ = network()
    data = build(g).to_dict()
    change(data)
    with pytest.raises(ValueError, match=r"this is not a picture that draw\('....json'\) wrote"):
        scene_from(data)


def test_ids_and_texts_in_json_cannot_become_markup():
    from graphnet.viz.layout import arrange
    from graphnet.viz.svg import to_svg

    g, _ = network()
    data = build(g).to_dict()
    evil = '"/><script>alert(1)</script>'
    for n in data["nodes"]:
        for e in data["edges"]:
            e.update({k: evil + n["id"] for k in ("tail", "head") if e[k] == n["id"]})
        n.update(id=evil + n["id"], lines=[evil], tooltip=evil)
    data.update(title=evil, caption=evil)
    scene = scene_from(data)
    root = ET.fromstring(to_svg(scene, arrange(scene)))
    assert not [e for e in root.iter() if e.tag.lower().endswith("script")]
