"""The gallery: its script gives the same bytes twice, its page names pictures that are there, nothing is cut off."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from graphnet.plans.code import compiler
from graphnet.viz.metrics import text_width

DOCS = Path(__file__).parents[2] / "docs"
QUICK = ["formula", "model", "closed", "gradient", "blocks", "values", "first_nan", "memory", "time"]
QUICK += ["before_and_after", "failure"]
pytestmark = pytest.mark.skipif(not (DOCS / "make_gallery.py").is_file(), reason="no docs beside the tests")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two runs of the script, with hashes of strings that differ."""
    folders = [tmp_path_factory.mktemp("gallery") for _ in range(2)]
    names = [*QUICK, *(["plan"] if compiler.available() else [])]
    for seed, folder in enumerate(folders):
        subprocess.run(
            [sys.executable, DOCS / "make_gallery.py", "--out", folder, *names],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return folders, names


def test_two_runs_give_the_same_bytes(drawn):
    folders, names = drawn
    for name in names:
        one, other = ((folder / f"{name}.svg").read_bytes() for folder in folders)
        assert one == other and len(one) > 2000, name


def test_texts_are_inside_of_their_pictures_which_fit_a_page(drawn):
    folders, names = drawn
    for name in names:
        root = ET.parse(folders[0] / f"{name}.svg").getroot()
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert width <= 820, name
        waiting = [(root, 0.0, 0.0, "")]
        while waiting:
            element, x0, y0, around = waiting.pop()
            own = element.attrib.get("class", "")
            moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.attrib.get("transform", ""))
            if moved:
                x0, y0 = x0 + float(moved[1]), y0 + float(moved[2])
            if element.tag.endswith("text"):
                middle = own == "t" or around.startswith("n ")
                size = 9.0 if own in ("e", "k") else 12.0 if own == "t" else 11.0 if middle else 10.0
                wide = text_width(element.text or "", size) * 0.93
                x, y = x0 + float(element.attrib["x"]), y0 + float(element.attrib["y"])
                start = x - wide / 2 if middle else x - wide if element.attrib.get("text-anchor") == "end" else x
                assert start >= 0 and start + wide <= width and 8 <= y <= height, (name, element.text)
            waiting += [(child, x0, y0, own) for child in element]


def test_the_page_names_pictures_that_are_there_and_code_that_is_python():
    page = (DOCS / "gallery.md").read_text("utf-8")
    names = re.findall(r"!\[[^\]]+\]\((images/gallery/\w+\.svg)\)", page)
    assert len(names) > 12 and all((DOCS / name).is_file() for name in names)
    assert {p.name for p in (DOCS / "images" / "gallery").glob("*.svg")} == {Path(n).name for n in names}
    for code in re.findall(r"```python\n(.*?)```", page, re.S):
        compile(code, "gallery", "exec")
    for name in names:
        ET.parse(DOCS / name)
