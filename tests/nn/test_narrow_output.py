"""What is shown where there is little room: narrow terminals, streams of ASCII, notebooks that would show it twice."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest

from graphnet import nn
from graphnet.nn import line, progress

X, Y = np.ones((96, 3), "float32"), np.arange(96.0) % 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


def convolutional():
    inner = nn.Sequential([nn.Dense(4, name="a_rather_long_layer_name"), nn.Dense(3)], name="inner")
    layers = [
        nn.Input((28, 28, 1)),
        nn.Conv2D(8, 3),
        nn.BatchNormalization(name="batch_normalization"),
        nn.Flatten(),
        inner,
    ]
    return nn.Sequential(layers, name="net")


def shown(monkeypatch, columns, work):
    stream = Terminal()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", stream)
    work()
    return stream.getvalue()


def content(text):
    return re.sub(r"[\s│┃]", "", text)


@pytest.mark.parametrize("columns", [40, 47, 50, 60])
def test_a_summary_fits_a_narrow_terminal_and_loses_nothing(monkeypatch, columns):
    model = convolutional()
    text = shown(monkeypatch, columns, lambda: model.summary(expand_nested=True))
    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    assert len({len(each) for each in lines if each[0] in "┏┃┡│└"}) == 1
    first = [re.split("[│┃]", each)[1] for each in lines if each[0] in "│┃"]
    for name in ("batch_normalization(BatchNormalization)", "└a_rather_long_layer_name(Dense)", "inner(Sequential)"):
        assert name in content("".join(first))
    assert content("(None, 26, 26, 8)") in content(
        "".join(re.split("[│┃]", each)[2] for each in lines if each[0] == "│")
    )
    assert "Total params: 21,763 (85.01 KB)" in text


def test_line_length_makes_a_table_of_that_width():
    model = convolutional()
    for length in (40, 60, 100):
        text = str(model.summary(line_length=length, print_fn=lambda text: None))
        assert len(text.splitlines()[1]) == length
    assert "batch_normalization (BatchNormalization)" in text


def test_a_file_is_as_wide_as_it_needs(capsys):
    convolutional().summary()
    assert "│ batch_normalization (BatchNormalization) │ (None, 26, 26, 8) │" in re.sub(
        " +", " ", capsys.readouterr().out
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_summary_on_a_stream_without_lines_for_tables(monkeypatch, encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, name="dü")])
    model.summary()
    stream.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert lines[1] == "+" + "+".join("=" * (len(part)) for part in lines[1][1:-1].split("+")) + "+"
    assert lines[4].startswith("| d? (Dense)" if encoding == "ascii" else "| dü (Dense)")
    assert len({len(each) for each in lines[1:6]}) == 1


def test_streams_of_other_kinds():
    assert line.encodable("━", io.StringIO()) == "━" and line.encodable("a\ud800", sys.__stdout__) != "a\ud800"


def metrics():
    return ["mae", "mse", nn.metrics.RootMeanSquaredError(name="root_mean_squared_error")]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_last_line_of_an_epoch_is_whole(monkeypatch, columns):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
    model.compile("sgd", "mse", metrics=metrics())
    text = shown(monkeypatch, columns, lambda: model.fit(X, Y, epochs=2, validation_split=0.25))
    plain = re.sub("\x1b\\[[0-9;]*[mK]", "", text)
    assert max(len(part) for part in re.split("[\r\n]", plain)) <= columns
    last = plain.split("\rEpoch 2/2")[-1]
    for key in ("loss", "mae", "mse", "root_mean_squared_error"):
        assert f" - {key}: " in last and f" - val_{key}: " in last
    assert last.endswith("\n") and not last.endswith("\n\n")
    assert all(part.startswith("  - ") for part in last.splitlines()[1:])


def test_a_bar_is_shorter_where_there_is_less_room_and_the_metrics_stay(monkeypatch):
    bar = line.Line(Terminal())
    monkeypatch.setenv("COLUMNS", "41")
    for tail, width in (("", 20), (" " * 15, 15), (" " * 25, 5), (" " * 26, 0)):
        bar.stream = Terminal()
        bar.bar("1/2 ......", 0.5, tail + "", last=False)
        assert bar.stream.getvalue().count("━") == width


def test_evaluate_and_progbar_are_whole_too(monkeypatch):
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
    model.compile("sgd", "mse", metrics=metrics())
    text = shown(monkeypatch, 40, lambda: model.evaluate(X, Y, verbose=1))
    assert "- root_mean_squared_error: " in text
    text = shown(monkeypatch, 40, lambda: nn.utils.Progbar(1).update(1, [("a_long_name", 1.0), ("another_name", 2.0)]))
    assert "- a_long_name: 1.0000" in text and "- another_name: 2.0000" in text


def test_a_summary_is_shown_once_in_a_notebook_and_again_in_another_cell(monkeypatch, capsys):
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from graphnet import nn; m = nn.Sequential([nn.Input((3,)), nn.Dense(2)], name='net')")
        capsys.readouterr()
        shell.run_cell("s = m.summary()\ns", store_history=True)
        assert capsys.readouterr().out.count("Total params") == 1
        shell.run_cell("s", store_history=True)
        assert capsys.readouterr().out.count("Total params") == 1
    finally:
        InteractiveShell.clear_instance()


def test_plots_are_shown_once_in_a_notebook(capsys):
    pytest.importorskip("IPython")
    pytest.importorskip("matplotlib")
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("from graphnet.nn import History; h = History(); h.on_epoch_end(0, {'loss': 1.0}); f = h.plot()")
data, _ = shell.display_formatter.format(shell.user_ns["f"])
print(sorted(data), data["image/png"][:4] if "image/png" in data else None)
import sys
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [r"['image/png', 'text/plain'] b'\x89PNG'", "False"], done.stdout


def test_the_prompt_of_python_shows_a_line_after_the_table():
    code = "from graphnet import nn\nm = nn.Sequential([nn.Input((3,)), nn.Dense(2)], name='net')\nm.summary()\n"
    done = subprocess.run([sys.executable, "-i", "-q"], input=code, capture_output=True, text=True, check=True)
    assert done.stdout.count("Total params") == 1 and "<Summary of 'net': 1 layers, 8 params>" in done.stdout
