"""Two graphs beside each other, as a picture and as text; a graph as a tree; what notebooks show by themselves."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn, viz


def pair():
    x = gn.input((2,), name="x")
    with gn.region("layer", "L"):
        y = gn.exp(x) * 1.0 + gn.exp(x)
    g = gn.Graph([x], gn.log(y), name="f")
    return g, g.simplify()


def shown(picture):
    return [e.text for e in ET.fromstring(picture.svg).iter() if e.tag.endswith("text")]


def test_before_and_after_stand_in_boxes_side_by_side_with_what_changed_marked():
    g, s = pair()
    picture = viz.compare(g, s, engine="builtin")
    texts = shown(picture)
    assert f"before: {len(g)} nodes" in texts and f"after: {len(s)} nodes" in texts
    assert "only before" in texts and "only after" in texts
    nodes = [(n.lines[0], n.mark) for n in picture.scene.nodes if n.kind == "op"]
    assert ("multiply", "gone") in nodes and ("add", "new") in nodes and ("exp", "") in nodes
    from graphnet.viz.layout import arrange

    layout = arrange(picture.scene)
    before, after = layout.boxes["a_box"], layout.boxes["b_box"]
    assert before[2] < after[0] and before[1] < after[3] and after[1] < before[3]
    assert {b.label for b in picture.scene.boxes if b.parent == "a_box"} == {"layer"}
    same = viz.compare(g, g, engine="builtin", labels=("one", "<b>two</b>"))
    assert not [n for n in same.scene.nodes if n.mark] and f"<b>two</b>: {len(g)} nodes" in shown(same)
    closed = viz.compare(g, s, engine="builtin", depth=0, heat="memory")
    assert ("layer (L)", "gone") in [(n.lines[0], n.mark) for n in closed.scene.nodes] and closed.scene.heat


def test_a_comparison_is_a_file_too(tmp_path):
    g, s = pair()
    assert viz.compare(g, s, tmp_path / "c.svg", engine="builtin").path == tmp_path / "c.svg"
    assert viz.compare(g, s, engine="builtin").svg == (tmp_path / "c.svg").read_text("utf-8")
    with pytest.raises(ValueError, match="a picture ends in"):
        viz.compare(g, s, tmp_path / "c.bmp")


def test_a_diff_has_lines_of_nodes_that_differ_only():
    g, s = pair()
    text = viz.diff(g, s)
    assert [line for line in text.split("\n") if line.startswith("-  ") and "exp" in line]
    kept = [line for line in text.split("\n") if line.startswith(" ")]
    assert any("t0: float32[2] = exp(x)" in line for line in kept)
    assert text.startswith("--- before\n+++ after\n") and viz.diff(g, g) == "" and viz.diff(s, s) == ""
    w = gn.Parameter([1.0, 2.0], name="w")
    x = gn.input((2,), "float64", name="x")
    one, other = gn.Graph([x], x * w), gn.Graph([x], x * w + 1.0)
    changed = [line for line in viz.diff(one, other).split("\n") if line[:1] in "+-" and line[:3] not in ("---", "+++")]
    assert changed == ["-  return t0", "+  t1: float64[2] = add(t0, 1.0)", "+  return t1"]
    more = gn.Graph([x, gn.input((2,), name="z")], x * w)
    assert "+graph(x: float64[2], z: float32[2])" in viz.diff(one, more)


def test_a_tree_has_layers_ops_and_shapes():
    layers = [nn.Input((4,)), nn.Dense(3, activation="relu", name="one"), nn.Dense(2, name="two")]
    model = nn.Sequential(layers, name="m")
    g = model.graph(5)
    lines = g.tree().split("\n")
    assert lines[0] == "graph(x: float32[5, 4]) -> float32[5, 2]"
    assert lines[1].startswith("└─ m (Sequential): 5 ops, 23 parameters") and lines[1].endswith("float32[5, 2]")
    assert any(line.startswith("   ├─ one (Dense): 3 ops, 15 parameters") for line in lines)
    assert any("matmul(x, one_kernel)" in line for line in lines)
    assert len(g.tree(depth=1, ops=False).split("\n")) == 4 and len(g.tree(depth=0).split("\n")) == 2
    assert viz.tree(g) == g.tree()
    y = x = gn.input((3,), name="x\n[red]")
    for _ in range(5000):
        y = gn.sin(y) * 2.0
    text = gn.Graph([x], y).tree()
    assert len(text.split("\n")) == 10_001 and "multiply(t0, 2.0)" in text


def test_a_deep_tree_does_not_recurse():
    regions = [gn.region(f"r{i}") for i in range(1500)]
    for r in regions:
        r.__enter__()
    y = gn.exp(x := gn.input((2,), name="x"))
    for r in reversed(regions):
        r.__exit__(None, None, None)
    assert len(gn.Graph([x], y).tree().split("\n")) == 1502


def test_notebooks_show_tensors_with_a_history_and_models_that_are_built():
    w = gn.Parameter([1.0, 2.0], name="w")
    y = (w * w).sum()
    html = y._repr_html_()
    assert html.startswith("<pre>Tensor(5.)</pre>") and html.count("<svg") == 1 and "multiply" in html
    assert w._repr_html_() is None and gn.tensor([1.0])._repr_html_() is None
    assert gn.exp(gn.tensor([1.0]))._repr_html_() is None
    x = gn.input((2,), name='<script>"')
    symbolic = gn.exp(x)
    assert x._repr_html_() is None and "<script>" not in symbolic._repr_html_() and "exp" in symbolic._repr_html_()
    long = w
    for _ in range(3000):
        long = gn.sin(long)
    assert len(long._repr_html_()) < 200_000
    model = nn.Sequential([nn.Dense(2)])
    assert model._repr_svg_() is None
    model.build((None, 3))
    assert "matmul" in model._repr_svg_()


def test_a_model_draws_its_gradient_its_training_and_a_batch():
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, activation="relu"), nn.Dropout(0.5), nn.Dense(1)], name="m")
    assert "random_uniform" in shown(model.draw(engine="builtin", training=True))
    assert "random_uniform" not in shown(model.draw(engine="builtin"))
    gradient = shown(model.draw(engine="builtin", gradient=True, depth=2))
    assert "gradient of dense" in gradient or any(t.startswith("gradient of dense") for t in gradient)
    x = np.ones((7, 3), "f")
    batch = model.draw(engine="builtin", values=x)
    assert "float32[7, 3]" in shown(batch) and any(t.startswith("values: mean") for t in shown(batch))
    assert any(t.endswith("[9, 3]") for t in shown(model.draw(engine="builtin", batch_size=9)))
    assert "m" in shown(batch)


def test_loops_with_other_bodies_differ():
    x = gn.input((5, 3), name="x")

    def sums(f):
        return gn.Graph([x], gn.scan(lambda carry, row: (f(carry, row), carry), gn.tensor(np.zeros(3, "f")), x)[0])

    added, multiplied = sums(lambda c, r: c + r), sums(lambda c, r: c * r)
    assert "scan" in viz.diff(added, multiplied) and viz.diff(added, added) == ""
    marks = [n.mark for n in viz.compare(added, multiplied, engine="builtin").scene.nodes if n.lines[0] == "scan"]
    assert marks == ["gone", "new"]
    back = gn.Graph.from_networkx(added.to_networkx(values=True))
    np.testing.assert_array_equal(back(np.ones((5, 3), "f")).numpy(), [5.0, 5.0, 5.0])
