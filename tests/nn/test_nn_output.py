"""What is shown: progress on a terminal and in a file, the summary, the history."""

import csv
import io
import re

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Dropout, Input, Sequential, progress

X, Y = np.random.default_rng(0).normal(size=(96, 4)), np.arange(96) % 3


def model():
    made = Sequential([Input((4,)), Dense(5, activation="relu"), Dropout(0.1), Dense(3, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written(monkeypatch, stream, work, columns="200", **environment):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("sys.stdout", stream)
    work()
    return stream.getvalue()


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_a_file_gets_one_plain_line_per_epoch(monkeypatch, verbose):
    net = model()
    text = written(monkeypatch, io.StringIO(), lambda: net.fit(X, Y, epochs=2, validation_split=0.5, verbose=verbose))
    assert not re.search("[\r\b\x1b]", text)
    lines = text.splitlines()
    assert len(lines) == 2
    number = r"\d+\.\d{4}(e[+-]\d\d)?"
    names = "".join(f" - {k}: {number}" for k in ("accuracy", "loss", "val_accuracy", "val_loss"))
    assert re.fullmatch(rf"Epoch 1/2 - 2/2 - \d+s - \d+(s|ms|us)/step{names}", lines[0])


def test_silence(capsys):
    net = model()
    net.fit(X, Y, epochs=2, verbose=0)
    net.evaluate(X, Y, verbose=0)
    net.predict(X)
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_line_that_is_rewritten(monkeypatch):
    net = model()
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    text = written(monkeypatch, Terminal(), lambda: net.fit(X, Y, epochs=2, validation_split=0.5))
    assert "\b" not in text and text.count("\n") == 2
    updates = text.split("\r")[1:]
    assert all(u.rstrip("\n").endswith("\x1b[K") for u in updates)
    assert "\x1b[32m" in text and any("val 1/2" in u for u in updates) and any("left" in u for u in updates)
    last = re.sub("\x1b\\[[0-9;]*[mK]", "", updates[-1])
    assert re.match(r"Epoch 2/2 2/2 ━{20} \d+s \d+(ms|us)/step - accuracy: ", last)


def test_no_colour_and_narrow_terminals(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    net = model()
    text = written(monkeypatch, Terminal(), lambda: net.fit(X, Y), NO_COLOR="1")
    assert "\x1b[3" not in text and "\x1b[K" in text
    text = written(monkeypatch, Terminal(), lambda: net.fit(X, Y), columns="38")
    plain = re.sub("\x1b\\[[0-9;]*[mK]", "", text)
    assert max(len(part) for part in re.split("[\r\n]", plain)) <= 37
    text = written(monkeypatch, Terminal(), lambda: net.fit(X, Y), TERM="dumb")
    assert "\r" not in text and "\x1b" not in text


def test_the_line_is_rewritten_at_most_ten_times_a_second(monkeypatch):
    net = model()
    text = written(monkeypatch, Terminal(), lambda: net.fit(X, Y, batch_size=1))
    assert text.count("\r") < 12 < len(X)


def test_an_ascii_stream_gets_ascii(monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    stream.isatty = lambda: True
    bar = progress.Progress(stream=stream)
    bar.params = {"epochs": 1, "steps": 2}
    bar.on_test_begin()
    bar.on_test_batch_end(0, {"loss": 1.0})
    bar.on_test_end({"loss": 1.0})
    assert b"=" in raw.getvalue()


def test_evaluate_prints_what_it_returns(capsys):
    net = model()
    loss, accuracy = net.evaluate(X, Y)
    out = capsys.readouterr().out
    assert f"accuracy: {progress.number(accuracy)} - loss: {progress.number(loss)}" in out and out.startswith("3/3 - ")


def test_print_every(capsys):
    model().fit(X, Y, epochs=7, print_every=3)
    assert re.findall(r"Epoch (\d)/7", capsys.readouterr().out) == ["3", "6", "7"]


def test_numbers_times_and_rates():
    assert [progress.number(v) for v in (0.0365, 0.0, 0.0005, 3.4608, float("nan"))] == [
        "0.0365",
        "0.0000e+00",
        "5.0000e-04",
        "3.4608",
        "nan",
    ]
    assert [progress.clock(s) for s in (0.4, 65, 3700)] == ["0s", "1:05", "1:01:40"]
    assert [progress.pace(s) for s in (2.0, 0.2, 3e-5)] == ["2s/step", "200ms/step", "30us/step"]


def test_summary(capsys):
    net = model()
    summary = net.summary()
    out = capsys.readouterr().out
    assert out == str(summary) + "\n" and repr(summary) == f"<Summary of '{net.name}': 3 layers, 43 params>"
    assert (summary.total_params, summary.trainable_params, summary.non_trainable_params) == (43, 43, 0)
    assert [(r["kind"], r["output_shape"], r["params"]) for r in summary.rows] == [
        ("Dense", (None, 5), 25),
        ("Dropout", (None, 5), 0),
        ("Dense", (None, 3), 18),
    ]
    lines = out.splitlines()
    assert lines[0] == f'Model: "{net.name}"' and lines[1][0] == "┏" and lines[3][0] == "┡"
    assert len({len(line) for line in lines[1:8]}) == 1
    assert " Total params: 43 (172.00 B)" in lines and " Trainable params: 43 (172.00 B)" in lines
    assert "<table>" in summary._repr_html_() and "(None, 5)" in summary._repr_html_()


def test_totals_count_the_model_alone_also_after_training(capsys):
    net = model()
    net.layers[0].trainable = False
    net.compile("adam", "sparse_categorical_crossentropy")
    net.fit(X, Y, verbose=0)
    lines = []
    summary = net.summary(print_fn=lines.append, show_trainable=True, line_length=80)
    assert (summary.total_params, summary.trainable_params, summary.optimizer_params) == (43, 18, 36)
    assert capsys.readouterr().out == "" and len(lines) == 1
    assert [row.strip("│ ").split("│")[-1].strip() for row in lines[0].splitlines()[4:7]] == ["N", "-", "Y"]
    assert len(lines[0].splitlines()[1]) == 80


def test_summary_of_unbuilt_and_nested_models(capsys):
    unbuilt = Sequential([Dense(4)])
    assert "? │ 0 (unbuilt) │" in re.sub(" +", " ", str(unbuilt.summary()))
    inner = Sequential([Dense(4), Dense(3)], name="inner")
    outer = Sequential([Input((2,)), inner, Dense(1, name="last")])
    rows = outer.summary(expand_nested=True).rows
    assert [(r["name"], r["depth"]) for r in rows][0::3] == [("inner", 0), ("last", 0)]
    assert [r["depth"] for r in rows] == [0, 1, 1, 0] and rows[1]["output_shape"] == (None, 4)
    assert "   └ " in capsys.readouterr().out


def test_history_as_table_and_curve(tmp_path):
    net = model()
    history = net.fit(X, Y, epochs=3, validation_data=(X, Y), validation_freq=2, verbose=0)
    history.to_csv(tmp_path / "h.csv")
    with open(tmp_path / "h.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["epoch"] for r in rows] == ["0", "1", "2"] and [bool(r["val_loss"]) for r in rows] == [False, True, False]
    assert float(rows[1]["loss"]) == history.history["loss"][1]
    assert "3 epochs" in repr(history)
    pytest.importorskip("matplotlib")
    figure = history.plot(tmp_path / "h.png")
    assert (tmp_path / "h.png").read_bytes()[:4] == b"\x89PNG"
    assert [len(a.lines) for a in figure.axes] == [2, 2]
    history.plot(tmp_path / "h.svg")


def test_the_graph_of_a_model_names_its_layers():
    net = model()
    text = str(net.graph(8))
    assert all(layer.name in text for layer in (net.layers[0], net.layers[2])) and "float32[8, 3]" in text
    training = net.graph(8, training=True)
    assert any(t.op is not None and t.op.name == "random_uniform" for t in gn.toposort(training.outputs))
    rows = X[:8].astype("f")
    assert (training(rows, np.int64(1)).numpy() == training(rows, np.int64(1)).numpy()).all()
    with pytest.raises(ValueError, match="no shapes yet"):
        Sequential([Dense(1)]).graph()


def test_seeds():
    nn.utils.set_random_seed(4)
    first = Dense(3)
    first.build((None, 2))
    nn.set_random_seed(4)
    second = Dense(3)
    second.build((None, 2))
    assert (first.kernel.numpy() == second.kernel.numpy()).all()
    with pytest.raises(ValueError, match="0 or more"):
        nn.set_random_seed(-1)
