"""Pictures as files and in notebooks: formats, which engine draws, what happens when one is missing, slow or fails."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet.files import write_whole
from graphnet.viz import render
from graphnet.viz.render import Picture


def simple():
    x = gn.input((2, 3), name="x")
    return gn.Graph([x], gn.exp(x).sum())


def with_gradient():
    x, w = gn.input((3, 4), name="x"), gn.Parameter(np.zeros((4, 2), "f"), name="w")
    loss = gn.tanh(x @ w).sum()
    return gn.Graph([x], [loss, gn.gradients(loss, w)])


def bare_python(code, folder, hide=("pygraphviz",)):
    """Run code where `dot` is not on the path and some modules cannot be imported."""
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    for name in hide:
        (hidden / f"{name}.py").write_text("raise ImportError('hidden')")
    environment = {**os.environ, "PATH": "", "PYTHONPATH": os.pathsep.join([str(hidden), *sys.path])}
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import graphnet as gn; x = gn.input((2,), name='x'); g = gn.Graph([x], gn.exp(x));" + code,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_json_says_what_is_shown(tmp_path):
    picture = with_gradient().draw(tmp_path / "g.json", engine="builtin")
    data = json.loads((tmp_path / "g.json").read_text("utf-8"))
    assert picture.path == tmp_path / "g.json"
    by_id = {n["id"]: n for n in data["nodes"]}
    product = next(n for n in data["nodes"] if n["data"].get("op") == "matmul" and n["kind"] == "op")
    assert product["data"]["shape"] == [3, 2] and product["data"]["bytes"] == 24
    assert product["data"]["site"][0].endswith("test_viz_files.py")
    arguments = {e["argument"]: by_id[e["tail"]]["data"]["name"] for e in data["edges"] if e["head"] == product["id"]}
    assert arguments == {"a": "x", "b": "w"}
    assert any(e["tie"] and e["tail"] == product["id"] for e in data["edges"])


def test_an_svg_can_stand_in_a_page_and_says_what_drew_it():
    picture = simple().draw(engine="builtin")
    assert picture.svg.startswith("<svg") and "engine builtin" in picture.svg[:400]
    bundle = picture._repr_mimebundle_()
    assert bundle == {"image/svg+xml": picture.svg, "text/plain": repr(picture)}
    style = next(e.text for e in ET.fromstring(picture.svg).iter() if e.tag.endswith("style"))
    selectors = [
        part.split("{")[0].rsplit("}")[-1]
        for part in style.replace("@media(prefers-color-scheme:dark){", "").split("}")
    ]
    assert all(s.startswith(".graphnet ") for group in selectors if group for s in group.split(","))
    assert "prefers-color-scheme:dark" in style


def test_forward_and_backward_together_are_drawn_by_the_own_layout():
    assert with_gradient().draw().engine == "builtin"
    assert with_gradient().draw(backward=False).engine == simple().draw().engine


def test_without_a_painter_png_says_what_to_do_and_svg_works(tmp_path):
    done = bare_python(
        "g.draw('g.svg'); g.draw('g.dot'); g.draw('g.json'); g.draw('g.png')", tmp_path, ("pygraphviz", "matplotlib")
    )
    assert done.returncode == 1
    assert "PNG needs pygraphviz, matplotlib or `dot`. SVG, DOT and JSON need nothing" in done.stderr
    assert "pip install pygraphviz" in done.stderr
    ET.fromstring((tmp_path / "g.svg").read_text("utf-8"))
    assert {p.name for p in tmp_path.glob("*g.*")} == {"g.svg", "g.dot", "g.json"}


def test_png_by_matplotlib_alone(tmp_path):
    pytest.importorskip("matplotlib")
    done = bare_python("print(g.draw('g.png').engine, g.draw('g.pdf').engine)", tmp_path)
    assert done.stdout.split() == ["builtin", "builtin"], done.stderr
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "g.pdf").read_bytes().startswith(
        b"%PDF"
    )
    assert done.stderr == ""


def fake_dot(folder, body):
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    program.chmod(0o755)
    return str(program.parent)


@pytest.mark.skipif(os.name == "nt", reason="a script with a first line that names its interpreter")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("time.sleep(30)", "dot took longer than 0.5 seconds"),
        ("sys.stderr.write('no plugin'); sys.exit(1)", "dot: no plugin"),
        ("pass", "dot: it drew nothing"),
    ],
)
def test_a_dot_that_hangs_or_fails_gives_way(tmp_path, monkeypatch, body, said):
    monkeypatch.setenv("PATH", fake_dot(tmp_path, body))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = simple().draw(timeout=0.5)
    assert picture.engine == "builtin" and "exp" in picture.svg
    with pytest.raises(RuntimeError, match=f"the engine 'dot' cannot draw: {said}"):
        simple().draw(engine="dot", timeout=0.5)


@pytest.mark.skipif(os.name == "nt", reason="a script with a first line that names its interpreter")
def test_dot_gets_the_text_by_its_standard_input_and_leaves_no_file(tmp_path, monkeypatch):
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><desc>%d</desc></svg>'
    body = f"print({svg!r} % len(sys.stdin.buffer.read()))"
    monkeypatch.setenv("PATH", fake_dot(tmp_path, body))
    monkeypatch.chdir(tmp_path)
    picture = simple().draw("own.svg")
    assert picture.engine == "dot"
    assert f"<desc>{len(picture.dot.encode())}</desc>" in (tmp_path / "own.svg").read_text()
    assert {p.name for p in tmp_path.iterdir()} == {"bin", "own.svg"}


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    target = tmp_path / "g.svg"
    write_whole(target, b"before")

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(render.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        simple().draw(target, engine="builtin")
    assert target.read_bytes() == b"before" and [p.name for p in tmp_path.iterdir()] == ["g.svg"]


@pytest.mark.parametrize("name", ["g", "g.bmp", "g.svg.gz"])
def test_an_unknown_ending_is_refused_before_anything_is_drawn(tmp_path, name, monkeypatch):
    monkeypatch.setattr(render, "scene_of", None)
    with pytest.raises(
        ValueError,
        match=r"a picture ends in \.svg, \.png, \.pdf, \.dot, \.gv, \.json, or in \.html for the page .*; this",
    ):
        simple().draw(tmp_path / name)


def test_endings_do_not_mind_capitals(tmp_path):
    assert simple().draw(tmp_path / "G.SVG", engine="builtin").path.read_text("utf-8").startswith("<svg")


def test_a_picture_of_a_scene_can_be_saved_twice(tmp_path):
    picture = simple().draw(engine="builtin")
    assert isinstance(picture, Picture)
    one = picture.save(tmp_path / "a.svg").path.read_bytes()
    assert picture.save(str(tmp_path / "b.svg")).path.read_bytes() == one
    assert "drawn by builtin in" in repr(picture)


def test_importing_graphnet_imports_nothing_that_draws(tmp_path):
    code = (
        "import sys; import graphnet as gn; loaded = [m for m in sys.modules if m.startswith('graphnet.viz.')];"
        "assert loaded == [], loaded; assert gn.viz.draw is gn.viz.render.draw; assert 'draw' in dir(gn.viz);"
        "gn.viz.nothing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=os.getcwd())
    assert "AttributeError: module 'graphnet.viz' has no attribute 'nothing'" in done.stderr
    assert "AssertionError" not in done.stderr


def test_a_bitmap_has_an_end(tmp_path, monkeypatch):
    paint = pytest.importorskip("graphnet.viz.paint")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(paint, "_LONGEST", 1000)

    def size():
        simple().draw(tmp_path / "g.png", engine="builtin")
        header = (tmp_path / "g.png").read_bytes()[16:24]
        return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")

    usual = size()
    assert max(usual) < 1000
    monkeypatch.setattr(paint, "_LONGEST", 200)
    assert 195 <= max(size()) <= 200
    monkeypatch.setattr(paint, "_LONGEST", 1000)
    monkeypatch.setattr(paint, "_PIXELS", 10_000)
    wide, high = size()
    assert 9_000 < wide * high <= 10_000
