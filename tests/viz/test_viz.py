"""Pictures: what they show, read back from DOT and SVG; that one always comes; that nothing in a name breaks them."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import viz

ENGINES = [
    "builtin",
    pytest.param(
        "dot",
        marks=pytest.mark.skipif(
            not os.popen("dot -V 2>&1").read().startswith("dot"), reason="the program dot is not installed"
        ),
    ),
]


def network():
    x, y = gn.input((32, 64), name="x"), gn.input((32,), dtype="int64", name="y")
    w1 = gn.Parameter(np.zeros((64, 16), "float32"), name="w1")
    w2 = gn.Parameter(np.zeros((16, 10), "float32"), name="w2")
    with gn.region("dense_1", "Dense"):
        h = gn.relu(x @ w1 * 2.0)
    with gn.region("dense_2", "Dense"):
        p = gn.softmax(h @ w2)
    loss = -gn.log(gn.take_along_axis(p, y.reshape(32, 1), 1)).mean()
    return gn.Graph([x, y], loss)


def words(picture):
    """All text of an SVG, by element name."""
    found = []
    for element in ET.fromstring(picture.svg).iter():
        if element.text and element.text.strip():
            found.append((element.tag.rsplit("}")[-1], element.text.strip()))
    return found


def texts(picture):
    return [text for tag, text in words(picture) if tag == "text"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_picture_shows_ops_shapes_layers_and_parameters(engine):
    picture = network().draw(engine=engine)
    shown = texts(picture)
    assert picture.engine == engine
    for expected in ("matmul", "relu", "exp", "w1", "x", "output", "softmax", "dense_1", "float32[64, 16] = 1,024"):
        assert expected in shown
    assert any("float32[32, 64]" in t for t in shown)
    assert any("multiply" in t for t in shown) and any(t == "·, 2" for t in shown)
    assert {"input", "parameter", "op"} <= set(shown)
    assert any("test_viz.py:" in text for tag, text in words(picture)) or engine == "dot"


@pytest.mark.parametrize("engine", ENGINES)
def test_closed_layers_say_what_is_in_them(engine):
    shown = texts(network().draw(engine=engine, depth=0))
    assert "dense_1 (Dense)" in shown and "3 ops, 1,024 parameters" in shown
    assert "relu" not in shown and "exp" not in shown
    assert any(t.startswith("showing ") and t.endswith("depth=None for all") for t in shown)
    once_open = texts(network().draw(engine=engine, depth=1))
    assert "relu" in once_open and "exp" not in once_open and "softmax" in once_open


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_is_drawn_beside_what_it_belongs_to(engine):
    g = network()
    both = gn.Graph(g.inputs, [g.outputs[0], *g.gradient(["w1", "w2"]).outputs])
    picture = both.draw(engine=engine)
    assert "op of the gradient" in texts(picture)
    assert "gradient of dense_1" in texts(both.draw(engine=engine, depth=0))
    assert picture.svg.count("stroke-dasharray") >= 1
    only_forward = texts(both.draw(engine=engine, backward=False))
    assert "gradient of dense_1" not in only_forward and "op of the gradient" not in only_forward
    assert only_forward.count("output 0") == 1 and "output 1" not in only_forward


def test_the_order_of_inputs_is_shown_where_it_matters():
    a, b = gn.input((2,), name="a"), gn.input((2,), name="b")
    ordered = gn.Graph([a, b], b - a).to_dot()
    assert 'label=" a: float32[2]"' in ordered and 'label=" b: float32[2]"' in ordered
    free = gn.Graph([a, b], a + b).to_dot()
    assert free.count('label=" float32[2]"') == 3 and 'label=" a: ' not in free
    assert 'label=" ' not in gn.Graph([a, b], a + b).to_dot(shapes=False)


def test_networkx_keeps_the_order_of_inputs_and_everything_known():
    g = network()
    n = g.to_networkx()
    assert len(n) == len(g)
    names = g.names
    for t in g.nodes:
        data = n.nodes[names[t]]
        assert data["shape"] == t.shape and data["dtype"] == str(t.dtype)
        if t.op is None:
            continue
        assert data["op"] == t.op.name and data["attrs"] == t.attrs
        edges = sorted((d["argument"], tail) for tail, _, d in n.in_edges(names[t], data=True))
        assert edges == [(i, names[s]) for i, s in enumerate(t.inputs)]
    assert n.nodes[names[g.outputs[0]]]["output"] == (0,)
    assert n.nodes["w1"]["kind"] == "parameter" and n.nodes["x"]["kind"] == "input"
    regions = {data["region"] for _, data in n.nodes(data=True)}
    assert ("dense_2", "softmax") in regions
    assert n.nodes[names[g.nodes[-1]]]["site"][0].endswith("test_viz.py")


HOSTILE = [
    '"quoted"',
    "<b>bold</b>",
    "</title><script>alert(1)</script>",
    "a\\nb\\",
    "日本語 ∂",
    "]]>",
    "{a|b}",
    "&amp;",
    "$x$",
    "x\ty",
]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_name_breaks_a_picture(engine):
    xs = [gn.input((1,), name=name) for name in HOSTILE]
    with gn.region('layer "<&>"', "Dense<script>"):
        total = sum(xs[1:], xs[0])
    w = gn.Parameter([1.0], name='w"<script>&')
    picture = gn.Graph(xs, total * w).draw(engine=engine, title="<script>alert(2)</script>")
    root = ET.fromstring(picture.svg)
    assert not [e for e in root.iter() if e.tag.lower().endswith("script")]
    shown = texts(picture)
    assert 'w"<script>&' in shown and "<script>alert(2)</script>" in shown
    closed = gn.Graph(xs, total * w).draw(engine=engine, depth=0)
    assert 'layer "<&>" (Dense<script>)' in texts(closed)


def test_two_drawings_are_the_same_text():
    one, two = network(), network()
    assert one.to_dot() == two.to_dot()
    strip = re.compile(r"test_viz.py:\d+")
    assert strip.sub("", one.draw(engine="builtin").svg) == strip.sub("", two.draw(engine="builtin").svg)
    assert one.draw(engine="builtin").svg == one.draw(engine="builtin").svg


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chain_of_10_000_is_folded_and_says_so(engine):
    x = y = gn.input((3,), name="x")
    for _ in range(10_000):
        y = gn.sin(y)
    picture = gn.Graph([x], y).draw(engine=engine)
    shown = texts(picture)
    assert any(re.fullmatch(r"… 9,\d\d\d more nodes …", t) for t in shown)
    assert any(t.startswith("showing 10") and "10,001 nodes" in t for t in shown)
    assert "x" in shown and "output" in shown and shown.count("sin") == 99


def test_many_layers_close_by_themselves():
    h = x = gn.input((4, 4), name="x")
    for i in range(200):
        with gn.region(f"layer_{i}", "Dense"):
            h = gn.relu(h @ gn.Parameter(np.zeros((4, 4), "float32")) + 1.0)
    g = gn.Graph([x], h)
    shown = texts(g.draw(engine="builtin", fold=False))
    assert "layer_199 (Dense)" in shown and "relu" not in shown
    folded = texts(g.draw(engine="builtin"))
    assert "layer_0 … layer_199 × 200" in folded and folded.count("relu") == 1


def test_wide_single_and_empty_graphs_are_drawn():
    x = gn.input((2,), name="x")
    assert texts(gn.Graph([x], gn.concatenate([x] * 1000)).draw(engine="builtin")).count("concatenate") == 1
    assert "x" in texts(gn.Graph([x], x).draw(engine="builtin"))
    assert ET.fromstring(gn.Graph([], []).draw(engine="builtin").svg).tag.endswith("svg")


def test_files_are_written_by_their_ending_and_whole(tmp_path):
    g = network()
    assert g.draw(tmp_path / "g.svg").path == tmp_path / "g.svg"
    ET.fromstring((tmp_path / "g.svg").read_text("utf-8"))
    assert g.draw(tmp_path / "g.dot").dot == (tmp_path / "g.dot").read_text("utf-8")
    g.draw(tmp_path / "g.png")
    assert (tmp_path / "g.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    g.draw(tmp_path / "own.png", engine="builtin")
    assert (tmp_path / "own.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    g.draw(tmp_path / "g.pdf")
    assert (tmp_path / "g.pdf").read_bytes()[:5] == b"%PDF-"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.dot", "g.pdf", "g.png", "g.svg", "own.png"]


def test_bad_options_get_clear_errors(tmp_path):
    g = network()
    with pytest.raises(ValueError, match=r"g\.bmp: a picture ends in \.svg, \.png"):
        g.draw(tmp_path / "g.bmp")
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        g.draw(tmp_path / "nowhere" / "g.svg")
    with pytest.raises(ValueError, match="engine is one of"):
        g.draw(engine="magic")
    with pytest.raises(ValueError, match="depth is a number"):
        g.draw(depth=-1)
    with pytest.raises(ValueError, match="rankdir is TB"):
        g.draw(rankdir="up")


def test_a_picture_comes_without_any_graphviz(tmp_path):
    """With an empty path and pygraphviz out of reach, in a process of its own."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "pygraphviz.py").write_text("raise ImportError('hidden')")
    code = (
        "import graphnet as gn; x = gn.input((2,), name='x'); p = gn.Graph([x], gn.exp(x)).draw('g.svg');"
        "assert p.engine == 'builtin', p.engine; print(p)"
    )
    environment = {**os.environ, "PATH": "", "PYTHONPATH": os.pathsep.join([str(hidden), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "drawn by builtin in g.svg" in done.stdout
    ET.fromstring((tmp_path / "g.svg").read_text("utf-8"))
    engine_asked_for = "import graphnet as gn; x = gn.input((2,)); gn.Graph([x], gn.exp(x)).draw(engine='dot')"
    done = subprocess.run(
        [sys.executable, "-c", engine_asked_for], env=environment, capture_output=True, text=True, check=False
    )
    assert "the engine 'dot' cannot draw: the program `dot` is not on the path" in done.stderr


def test_a_layout_that_takes_too_long_gives_way_to_the_simple_one():
    assert network().draw(timeout=1e-4).engine == "builtin"


def test_notebooks_show_graphs_tensors_and_pictures():
    g = network()
    assert g._repr_svg_().count("<svg") == 1
    x = gn.Parameter([1.0, 2.0], name="x")
    picture = gn.exp(x).sum().draw(engine="builtin")
    assert picture._repr_svg_() == picture.svg and "exp" in texts(picture) and "x" in texts(picture)
    assert isinstance(picture, viz.Picture)
