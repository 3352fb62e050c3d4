"""The command line: the demo learns, writes its pictures, takes IDX folders, and says what is wrong in one line."""

import gzip
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from graphnet import datasets
from graphnet.__main__ import main


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype("u1").tobytes()


def letters_folder(folder):
    """Digits in the place of letters, stored transposed as EMNIST stores them."""
    split = datasets.load_digits(flat=False)
    for part, x, y in (("train", split.x_train, split.y_train), ("test", split.x_test, split.y_test)):
        images = (x * 255).astype("u1").swapaxes(1, 2)
        (folder / f"emnist-letters-{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"emnist-letters-{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y + 1)))


def test_the_demo_learns_and_draws(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    accuracy = float(re.search(r"test accuracy: ([\d.]+)% of 359 images", printed)[1])
    assert accuracy >= 97
    assert str((tmp_path / "out").resolve()) in printed
    assert (tmp_path / "out" / "curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    ET.parse(tmp_path / "out" / "graph.svg")
    assert "\r" not in printed and "\x1b" not in printed


def test_the_demo_takes_letters_from_idx_files(tmp_path, capsys):
    letters_folder(tmp_path)
    arguments = [
        "demo",
        "--data",
        str(tmp_path),
        "--letters",
        "adeghf",
        "--epochs",
        "12",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "6 classes" in printed
    assert float(re.search(r"test accuracy: ([\d.]+)%", printed)[1]) > 93
    assert re.search(r"mistaken, for example: [adeghf] for [adeghf]", printed) or "mistaken" not in printed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--letters", "ab"], "give their folder with --data"),
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--data", "."], "train-images-idx3-ubyte"),
    ],
)
def test_wrong_arguments_are_said_in_one_line(arguments, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1 and error.startswith("graphnet demo: ")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_and_graphviz_the_demo_still_draws_the_graph(tmp_path):
    (tmp_path / "hidden").mkdir()
    for name in ("matplotlib", "pygraphviz"):
        (tmp_path / "hidden" / f"{name}.py").write_text(f"raise ImportError('no {name}')")
    done = subprocess.run(
        [sys.executable, "-m", "graphnet", "demo", "--epochs", "1", "--out", str(tmp_path / "out")],
        env={"PATH": "", "PYTHONPATH": str(tmp_path / "hidden")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install matplotlib" in done.stdout and "laid out by builtin" in done.stdout
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["graph.svg"]


def test_the_same_seed_gives_the_same_run(tmp_path, capsys):
    texts = []
    for _ in range(2):
        main(["demo", "--epochs", "2", "--seed", "5", "--out", str(tmp_path)])
        texts.append(re.findall(r"loss: [\d.]+", capsys.readouterr().out))
    assert texts[0] == texts[1] and np.size(texts[0]) == 4
