"""Every block of Python in the docs runs as written, one after the other on each page; links lead somewhere.

A block that can't be run has a line `<!-- not run: why -->` above it, and is only parsed. Trainings are cut to two
epochs.
"""

import ast
import contextlib
import doctest
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn

ROOT = Path(__file__).resolve().parents[1]
#: README.md has a test of its own, with the values that it says
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"])
BLOCK = re.compile(
    r"(?:<!-- not run: *(?P<why>[^\n]*?) *-->\n+)?^(?P<pad> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.S | re.M
)

pytestmark = pytest.mark.skipif(not PAGES[0].is_file(), reason="no docs beside the tests")


def blocks(page: str):
    """Line, code and the reason not to run it, of each block of Python."""
    for found in BLOCK.finditer(page):
        if found["kind"] in ("python", "py"):
            yield page[: found.start("text")].count("\n") + 1, found["text"], found["why"]


def code_of(text: str) -> str:
    """The code of a block, without what a session prints."""
    if text.lstrip().startswith(">>>"):
        return "".join("\n" * (e.lineno > 0) + e.source for e in doctest.DocTestParser().get_examples(text))
    return text


def run(page: str, name: str) -> None:
    """Run the blocks of a page in one scope; an error names page and line."""
    scope: dict = {"__name__": "__main__"}
    assert page.count("```py") == len(list(blocks(page))), f"{name}: a block that is not read"
    for line, text, why in blocks(page):
        code = re.sub(r"\bepochs=\d+", "epochs=2", code_of(text))
        if why is not None:
            assert len(why) > 10, f"{name}, line {line}: say why it is not run"
            ast.parse(code)
            continue
        compiled = compile("\n" * (line - 1) + code, name, "exec")
        try:
            exec(compiled, scope)
        except Exception as error:
            raise AssertionError(f"{name}, the block at line {line}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_its_blocks_run(path, tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(path.read_text("utf-8"), path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_its_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(((?!http|#)[^)#\s]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target


def test_what_the_runner_reads():
    page = "a\n```python\nx = 1\n```\n<!-- not run: needs another program -->\n```python\nboom()\n```\n```\ntext\n```\n"
    assert [(line, why) for line, _, why in blocks(page)] == [(3, None), (7, "needs another program")]
    run(page, "page")
    with pytest.raises(AssertionError, match="page, the block at line 2: NameError: name 'y'"):
        run("```python\ny\n```", "page")
    with pytest.raises(AssertionError, match="line 3: ZeroDivisionError"):
        run("\n```python\n>>> z = 1\n>>> z / 0\nnothing\n```", "page")
    with pytest.raises(AssertionError, match="say why"):
        run("<!-- not run: -->\n```python\nboom()\n```", "page")


@pytest.mark.skipif(not (ROOT / "docs" / "training_loops.md").is_file(), reason="no docs beside the tests")
@pytest.mark.parametrize("ending", ["graphnet", "keras"])
def test_the_loop_that_is_shown_goes_on_where_it_ended(ending, tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    code = next(blocks((ROOT / "docs" / "training_loops.md").read_text("utf-8")))[1].replace(".graphnet", f".{ending}")
    code = code.replace("x_test, y_test = gn.datasets.load_digits()", "x_test, y_test = (a[:320] for a in DATA)")
    data = gn.datasets.load_digits()
    found = []
    for name, ends in (("whole", [3]), ("parts", [1, 3])):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        for end in ends:
            scope = {"DATA": data}
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(
                    code.replace(
                        "range(int(optimizer.iterations) // steps, epochs)",
                        f"range(int(optimizer.iterations) // steps, {end})",
                    ),
                    scope,
                )
        found.append((scope["model"].get_weights(), said.getvalue().splitlines()[-2:]))
    (whole, last), (parts, same) = found
    assert last == same and last[0].startswith("epoch 2")
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)
