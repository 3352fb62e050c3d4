"""The README's scripts run as written, and its program text is what is printed."""

import re
from pathlib import Path

import numpy as np

import graphnet as gn

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)


def test_the_scripts_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scripts = [text for kind, text in BLOCKS if kind == "python"]
    assert len(scripts) == 5
    scope = {}
    for script in scripts:
        exec(script.replace("epochs=60", "epochs=3"), scope)
    assert {p.name for p in tmp_path.iterdir()} == {
        "curve.png",
        "digits.graphnet",
        "digits.keras",
        "network.svg",
        "wave.svg",
    }
    printed = capsys.readouterr().out
    program = next(text for kind, text in BLOCKS if not kind and text.startswith("graph("))
    assert program.strip() in printed


def test_the_values_in_comments_are_right():
    wave = lambda x: x * gn.exp(-x * x)  # noqa: E731
    for name, f in (("gn.grad(wave)(0.5)", gn.grad(wave)), ("gn.grad(gn.grad(wave))", gn.grad(gn.grad(wave)))):
        line = next(line for line in README.splitlines() if name in line)
        said = float(re.search(r"Tensor\((.*?)\)", line)[1])
        np.testing.assert_allclose(f(0.5).item(), said, rtol=1e-7)


def test_what_it_links_to_is_there():
    root = Path(__file__).resolve().parents[1]
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (root / target).exists(), target
