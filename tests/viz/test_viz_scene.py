"""What a picture shows when there is too much, and names that would break it."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet.viz.build import build
from graphnet.viz.scene import LOOKS, one_line


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]


def lines(scene, kind):
    return [n.lines[0] for n in scene.nodes if n.kind == kind]


def test_a_thousand_inputs_show_the_first_and_last():
    xs = [gn.input((2,), name=f"x{i}") for i in range(1000)]
    scene = build(gn.Graph(xs, gn.concatenate(xs)))
    assert lines(scene, "input") == [f"x{i}" for i in [*range(20), *range(996, 1000)]]
    assert lines(scene, "folded") == ["… 976 more inputs …"]
    assert scene.caption == "showing 26 of 1,001 nodes; depth=None for all"
    assert len(build(gn.Graph(xs, gn.concatenate(xs)), depth=None).nodes) == 1002


def test_many_outputs_and_parameters_fold():
    x = gn.input((2,), name="x")
    outputs = build(gn.Graph([x], [gn.sin(x * float(i)) for i in range(400)]))
    assert lines(outputs, "output") == [f"output {i}" for i in [*range(20), *range(396, 400)]]
    assert "… 376 more outputs …" in lines(outputs, "folded") and len(outputs.nodes) < 150
    ps = [gn.Parameter([1.0, 2.0], name=f"p{i}") for i in range(500)]
    wide = build(gn.Graph([x], gn.concatenate([x, *ps])))
    assert len(wide.nodes) < 150 and len(wide.edges) < 150


def test_limit_sets_how_much_is_too_much():
    y = x = gn.input((2,), name="x")
    for i in range(30):
        with gn.region(f"layer_{i}", "Dense"):
            y = gn.sin(gn.cos(y))
    g = gn.Graph([x], y)
    assert len(build(g).nodes) == 62 and not build(g).caption
    assert len(build(g, limit=40).nodes) == 32
    closed = build(g, limit=12, fold=False)
    assert len(closed.nodes) < 12 and "folded" in closed.kinds
    with pytest.raises(ValueError, match="limit is a number of nodes, 6 or more; received 0"):
        build(g, limit=0)
    with pytest.raises(ValueError, match="depth is a number"):
        build(g, depth=True)


def test_unused_inputs_repeated_outputs_and_updates_are_shown():
    x, y = gn.input((2,), name="x"), gn.input((2,), name="y")
    scene = build(gn.Graph([x, y], [x + 1.0, x, x]))
    assert lines(scene, "input") == ["x", "y"] and lines(scene, "output") == ["output 0", "output 1", "output 2"]
    w = gn.Parameter([1.0, 2.0], name="w")

    def step(x):
        w.assign(w - 0.5 * x)
        return x.sum()

    updated = build(gn.trace(step, np.zeros(2)))
    assert "w ←" in lines(updated, "output")


def test_constants_show_their_value_and_parameters_their_count():
    x = gn.input((2, 2), name="x")
    w, s = gn.Parameter(np.zeros((2, 3)), name="w"), gn.Parameter(np.zeros(3), name="moving", trainable=False)
    scene = build(gn.Graph([x], (x @ w + s) * 2.5 + gn.tensor([1.0, 2.0, 3.0])))
    shown = {n.lines[0]: n for n in scene.nodes}
    assert shown["w"].lines[1] == "float64[2, 3] = 6" and shown["moving"].kind == "state"
    assert shown["multiply"].lines[1] == "·, 2.5"
    assert next(n for n in scene.nodes if n.kind == "constant").lines[1] == "[1.0, 2.0, 3.0]"
    assert set(scene.kinds) <= set(LOOKS) and scene.kinds == ["input", "parameter", "state", "constant", "op", "output"]


def test_every_kind_has_a_place_in_the_legend():
    x = gn.input((2,), name="x")
    g = gn.Graph([x], gn.exp(x))
    shown = texts(g.draw(engine="builtin").svg)
    assert shown.count("input") == 1 and shown.count("op") == 1
    without = texts(g.draw(engine="builtin", legend=False).svg)
    assert "input" not in without and "op" not in without


HOSTILE = [
    "a\x00b",
    "\x1b[31mred",
    "\ud800",
    "\u202egpj.exe",
    "]]>--><!--",
    "%s\\l\\N\\G\\",
    "&lt;b&gt;",
    "\ufffe",
    "' onload='alert(1)",
    '" onclick="alert(1)',
    "<<b>x</b>>",
    "\U0001f600 日本語 ∂",
    "n" * 5000,
    "{a|<p>b}",
    "two\nlines\r\tand a tab",
    "$x^2$ \\frac",
    "</style><script>alert(1)</script>",
    "",
]


@pytest.mark.parametrize("engine", ["builtin", "dot", "pygraphviz"])
def test_hostile_names_stay_text(engine):
    xs = [gn.input((1,), name=name) for name in HOSTILE]
    with gn.region("</title><script>x</script>", "K\x07"):
        y = gn.concatenate(xs)
    g = gn.Graph(xs, y * gn.Parameter([1.0], name="\x01<&>\"'"))
    try:
        picture = g.draw(engine=engine, title="--><script>t</script>")
    except RuntimeError as error:
        pytest.skip(str(error))
    root = ET.fromstring(picture.svg.encode("utf-8"))
    for e in root.iter():
        assert not (isinstance(e.tag, str) and e.tag.lower().endswith(("script", "foreignobject")))
        assert not [a for a in e.attrib if a.lower().startswith("on") or "javascript" in e.attrib[a]]
    shown = {t.replace("\N{NO-BREAK SPACE}", " ") for t in texts(picture.svg) if t}
    for name in HOSTILE[4:]:
        if name:
            assert one_line(name) in shown, name
    assert "--><script>t</script>" in shown
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\ufffe]", picture.svg)


def test_hostile_names_in_a_closed_box_and_in_other_formats(tmp_path):
    xs = [gn.input((1,), name=name) for name in HOSTILE]
    with gn.region('"><script>', "<b>"):
        y = gn.concatenate(xs)
    g = gn.Graph(xs, y)
    assert '"><script> (<b>)' in texts(g.draw(engine="builtin", depth=0).svg)
    for ending in ("dot", "json"):
        g.draw(tmp_path / f"g.{ending}", engine="builtin")
        assert (tmp_path / f"g.{ending}").read_text("utf-8")
    pytest.importorskip("matplotlib")
    g.draw(tmp_path / "g.png", engine="builtin")


def test_dot_text_is_quoted():
    x = gn.input((1,), name='a"; b [label="c')
    source = gn.Graph([x], gn.exp(x)).to_dot()
    assert 'label="a\\"; b [label=\\"c\\nfloat32[1]"' in source
    assert 'label="&amp;lt;' in gn.Graph([y := gn.input((1,), name="&lt;")], gn.exp(y)).to_dot()


def test_long_attributes_are_cut():
    x = gn.input((40, 2), name="x")
    scene = build(gn.Graph([x], gn.take(x, np.arange(40), axis=0).reshape((2,) * 4 + (5,))))
    assert all(len(line) <= 40 for n in scene.nodes for line in n.lines)
    assert all(len(line) <= 200 for n in scene.nodes for line in n.tooltip.split("\n"))
