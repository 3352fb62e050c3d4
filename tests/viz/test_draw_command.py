"""`graphnet draw FILE`."""

import io
import json
import xml.etree.ElementTree as ET

import pytest

import graphnet as gn
from graphnet import nn
from graphnet.__main__ import main


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A file that `load_model` gives a model for, in the folder that is worked in."""
    layers = [nn.Input((4,)), nn.Dense(3, activation="relu"), nn.Dropout(0.2, name="drop"), nn.Dense(2)]
    model = nn.Sequential(layers, name="mine")
    monkeypatch.chdir(tmp_path)
    if hasattr(nn, "load_model") and hasattr(model, "save"):
        model.save("net.graphnet")
    else:
        (tmp_path / "net.graphnet").write_text("a model")
        monkeypatch.setattr(nn, "load_model", lambda path, compile=True: model, raising=False)
    return tmp_path


def shown(path):
    return [e.text for e in ET.fromstring(path.read_text("utf-8")).iter() if e.tag.endswith("text") and e.text]


def test_a_model_is_drawn_beside_its_file(saved, capsys):
    assert main(["draw", "net.graphnet", "--engine", "builtin"]) == 0
    assert capsys.readouterr().out == "wrote net.svg (laid out by builtin)\n"
    texts = shown(saved / "net.svg")
    assert "mine" in texts and "relu" in texts and any("float32[32, 4]" in t for t in texts)


def test_options_reach_the_picture(saved):
    flags = "--depth 2 --batch 7 --training --title T --names --no-shapes --no-legend --engine builtin --rankdir LR"
    assert main(["draw", "net.graphnet", "-o", "a.svg", *flags.split()]) == 0
    texts = shown(saved / "a.svg")
    assert "T" in texts and "step" in texts and "drop" in texts and "parameter" not in texts
    assert "float32[7, 4]" in texts and any(t.endswith(" = relu") for t in texts)
    flags = "--gradient --unfolded --no-parameters --depth all --heat memory"
    assert main(["draw", "net.graphnet", "-o", "b.svg", *flags.split()]) == 0
    texts = shown(saved / "b.svg")
    assert "op of the gradient" in texts and any(t.startswith("memory: from") for t in texts)
    assert "parameter" not in texts and any("kernel" in t for t in texts)
    assert main("draw net.graphnet -o c.dot".split()) == 0
    assert (saved / "c.dot").read_text("utf-8").startswith("digraph")


def test_text_and_tree_are_printed(saved, capsys):
    assert main(["draw", "net.graphnet", "--text"]) == 0
    assert "= matmul(x, " in capsys.readouterr().out
    assert main(["draw", "net.graphnet", "--tree", "--depth", "1"]) == 0
    out = capsys.readouterr().out
    assert "mine (Sequential)" in out and "Dense" in out and "matmul" not in out
    assert not (saved / "net.svg").exists()


def test_a_graph_that_was_written_as_json_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = gn.input((2,), name="x")
    picture = gn.Graph([x], gn.exp(x) * 2.0, name="g").draw("g.json", engine="builtin")
    assert main(["draw", "g.json", "-o", "h.svg", "--engine", "builtin"]) == 0
    assert (tmp_path / "h.svg").read_text("utf-8").count("<g id=") == picture.svg.count("<g id=")
    assert "exp" in shown(tmp_path / "h.svg")
    assert main(["draw", "g.json", "--title", "another", "--engine", "builtin"]) == 0
    assert "another" in shown(tmp_path / "g.svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("draw nothing.graphnet", "graphnet draw: nothing.graphnet: there is no such file"),
        ("draw net.graphnet -o x.bmp", "graphnet draw: x.bmp: a picture ends in .svg"),
        ("draw net.graphnet --depth deep", "graphnet draw: --depth is a number, 'all' or 'auto'; received 'deep'"),
        ("draw net.graphnet --engine magic", "graphnet draw: engine is one of"),
        ("draw bad.json", "graphnet draw: bad.json: this is not a picture"),
        ("draw worse.json", "graphnet draw: worse.json: "),
        ("draw bad.json --tree", "bad.json is a picture as data: --tree is for models"),
        ("draw bad.json --heat time --depth 2", "--heat, --depth is for models"),
        ("draw net.graphnet --batch 0", "graphnet draw: --batch is a whole number, 1 or more; received 0"),
        ("draw net.graphnet --batch -3", "--batch is a whole number, 1 or more; received -3"),
        ("draw net.graphnet --depth -1", "--depth is a number, 'all' or 'auto'; received '-1'"),
        ("draw net.graphnet --text --tree", "give one"),
        ("draw net.graphnet --tree -o x.txt", "--tree prints, and writes no file"),
        ("demo --epochs 0", "graphnet demo: --epochs is a whole number, 1 or more; received 0"),
        ("demo --hidden 0", "--hidden is a whole number, 1 or more"),
        ("demo --seed -1", "--seed is a whole number, 0 or more"),
        ("demo --out net.graphnet", "graphnet demo: "),
    ],
)
def test_what_is_wrong_is_one_line(saved, capsys, arguments, said):
    (saved / "bad.json").write_text(json.dumps({"layers": []}))
    (saved / "worse.json").write_text("{")
    assert main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"graphnet {gn.__version__}\n"


def test_a_tree_on_an_ascii_terminal(saved, monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["draw", "net.graphnet", "--tree"]) == 0
    stream.flush()
    assert b"dense" in raw.getvalue()
