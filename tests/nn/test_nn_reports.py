"""Reports of a training: the page, the plot in a notebook, TensorBoard's files; and that looking changes nothing."""

import re
import struct
import sys
import types
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn.callbacks import Callback, HTMLReport, LivePlot, TensorBoard
from graphnet.nn.probe import Probe
from graphnet.viz.curves import chart, ridges, spark, ticks
from graphnet.viz.report import Report, Watched, diagnosis

X = np.random.default_rng(0).normal(size=(60, 4)).astype("f")
Y = np.random.default_rng(1).integers(0, 3, 60)


def model(dropout=0.3, name="net"):
    gn.nn.set_random_seed(3)
    m = gn.nn.Sequential(
        [
            gn.nn.Input((4,)),
            gn.nn.Dense(8, activation="relu", name="hidden"),
            gn.nn.Dropout(dropout),
            gn.nn.Dense(3, activation="softmax", name="top"),
        ],
        name=name,
    )
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return m


class MovingMean(gn.nn.Layer):
    """Subtracts a moving mean of its inputs, which training steps move."""

    def build(self, shape):
        self.mean = self.add_weight((shape[-1],), initializer="zeros", trainable=False, name="mean")

    def call(self, x, training=False):
        if training:
            self.mean.assign(self.mean * 0.9 + gn.mean(x, axis=0) * 0.1)
        return x - self.mean


def fitted(m, *callbacks, epochs=12):
    history = m.fit(X, Y, batch_size=16, epochs=epochs, validation_split=0.2, verbose=0, callbacks=list(callbacks))
    return history.history, [w.numpy().copy() for w in m.weights], [p.numpy().copy() for p in m.optimizer.variables]


def with_state():
    m = model()
    inner = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(5), MovingMean(), gn.nn.Dropout(0.2), gn.nn.Dense(3)])
    gn.nn.set_random_seed(5)
    m = gn.nn.Sequential([*inner.layers, gn.nn.Activation("softmax")])
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return m


@pytest.mark.parametrize("native", ["0", "1"])
@pytest.mark.parametrize("make", [model, with_state])
def test_a_training_that_is_looked_at_goes_on_bit_for_bit(make, native, tmp_path, monkeypatch):
    # When native code takes over by itself depends on the clock, and so does the last bit.
    monkeypatch.setenv("GRAPHNET_NATIVE", native)
    gn.nn.set_random_seed(7)
    plain = fitted(make())
    gn.nn.set_random_seed(7)
    callbacks = [HTMLReport(tmp_path / "run.html", graph=False)]
    if _installed("tensorboardX"):
        callbacks.append(TensorBoard(tmp_path / "logs", histogram_freq=1, update_freq="batch"))
    watched = fitted(make(), *callbacks)
    assert plain[0] == watched[0]
    for part in (1, 2):
        for a, b in zip(plain[part], watched[part], strict=True):
            assert a.tobytes() == b.tobytes()
    assert "Gradients could not" not in (tmp_path / "run.html").read_text("utf-8")


def _installed(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def test_the_probes_gradient_is_that_of_the_loss():
    m = model(dropout=0.0)
    m.fit(X[:16], Y[:16], batch_size=16, epochs=1, verbose=0)
    probe = Probe(m)
    m.fit(X[:16], Y[:16], batch_size=16, epochs=1, verbose=0, shuffle=False)
    found = probe()
    params = m.trainable_weights
    with gn.nn.layer.running(True, m.optimizer.count):
        loss = gn.mean(gn.nn.losses.get("sparse_categorical_crossentropy")(gn.tensor(Y[:16]), m(X[:16], training=True)))
    for p, g in zip(params, gn.gradients(loss, params), strict=True):
        np.testing.assert_allclose(found[p], g.numpy(), rtol=1e-5, atol=1e-7)
    probe.close()
    assert probe() is None and not m.steps.watchers


def test_a_probe_that_fails_says_why_and_training_goes_on(tmp_path):
    class Picky(gn.nn.Layer):
        def call(self, x, training=False):
            return x * 2.0 if training and float(x[0, 0].detach()) > 0 else x

    m = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(3, activation="softmax")])
    m.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    m.build((None, 4))
    m._layers.append(Picky())
    m.fit(X, Y, epochs=2, verbose=0, callbacks=[HTMLReport(tmp_path / "run.html")])
    text = (tmp_path / "run.html").read_text("utf-8")
    assert "Gradients could not be looked at" in text and "finished after 2 epochs" in text


class Texts(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.attributes = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_has_curves_histograms_norms_and_the_graph(tmp_path):
    m = model()
    fitted(m, HTMLReport(tmp_path / "run.html"), epochs=4)
    html = (tmp_path / "run.html").read_text("utf-8")
    page = Texts(html)
    text = " ".join(page.text)
    assert "Training of net" in text and "finished after 4 epochs" in text
    assert "http-equiv='refresh'" not in html and 'http-equiv="refresh"' not in html
    assert "script" not in page.tags and "default-src 'none'" in html.replace("&#x27;", "'")
    charts = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.S)]
    titles = [next(c.itertext()) for c in charts if c.get("role") == "img"]
    assert titles[:2] == ["loss", "accuracy"] and titles.count("values") == titles.count("gradient") == 4
    loss = charts[0]
    dots = [e for e in loss.iter() if e.get("class", "").startswith("dot")]
    assert len(dots) == 8 and {e.get("class") for e in dots} == {"dot f0", "dot f1"}
    assert "hidden/kernel" in text and "float32[4, 8]" in text
    assert sum(tag == "tr" for tag in page.tags) == 5
    assert any(value and value.startswith("data:image/svg+xml") for name, value in page.attributes if name == "src")


def test_the_page_is_written_as_the_training_goes_on(tmp_path):
    target = tmp_path / "run.html"
    seen = []

    class Reader(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(target.read_text("utf-8"))

    fitted(model(), HTMLReport(target, interval=0), Reader(), epochs=3)
    assert "in epoch 1 of 3" in seen[0] and "epoch 2 of 3 is done" in seen[2]
    assert all('http-equiv="refresh" content="5"' in page and page.endswith("</html>\n") for page in seen)
    assert [p.name for p in tmp_path.iterdir()] == ["run.html"]


def test_an_interrupted_training_says_where_it_stopped(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(model(), HTMLReport(tmp_path / "run.html"), Stop(), epochs=9)
    assert "stopped after 2 of 9 epochs" in (tmp_path / "run.html").read_text("utf-8")


def test_wrong_paths_are_said_before_the_training(tmp_path):
    with pytest.raises(ValueError, match=r"a report ends in \.html"):
        HTMLReport(tmp_path / "run.txt")
    with pytest.raises(FileNotFoundError, match="the folder"):
        HTMLReport(tmp_path / "none" / "run.html")
    with pytest.raises(ValueError, match="every is a whole number"):
        HTMLReport(tmp_path / "run.html", every=-1)


def test_a_profile_is_shown_as_heat(tmp_path):
    import base64

    fitted(model(), HTMLReport(tmp_path / "run.html", profile=True, every=0), epochs=1)
    html = (tmp_path / "run.html").read_text("utf-8")
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode("utf-8")
    assert "Time of a prediction" in html and "%)" in picture and "<details" not in html


def test_wicked_names_stay_text(tmp_path):
    wicked = "</style><script>alert(1)</script>\u202e\ud800 \"'&"
    report = Report(wicked, wicked, facts=[(wicked, wicked)], notes=[wicked], caption=wicked, picture="<svg/>")
    report.curves = {wicked: {wicked: [(1, 1.0), (2, 0.5)]}}
    report.weights = [Watched(wicked, wicked, 3, True, [(1, [1, 2], 0.0, 1.0)], [], [(1, 1.0)], [(1, 0.0)])]
    plain = Report("a", "a", facts=[("a", "a")], notes=["a"], caption="a", picture="<svg/>")
    plain.curves = {"a": {"a": [(1, 1.0), (2, 0.5)]}}
    plain.weights = [Watched("a", "a", 3, True, [(1, [1, 2], 0.0, 1.0)], [], [(1, 1.0)], [(1, 0.0)])]
    assert Texts(report.html()).tags == Texts(plain.html()).tags
    report.html().encode("utf-8")


def watched(slopes, norm=1.0, size=100):
    norms = [(i + 1, norm) for i in range(len(slopes))]
    return Watched("w", "float32[10, 10]", size, norms=norms, slope_norms=[(i + 1, s) for i, s in enumerate(slopes)])


def test_what_is_said_of_gradients():
    big = watched([1.0])
    assert diagnosis(big, [big]) == ("fine", "")
    small = watched([1e-5])
    assert diagnosis(small, [small, big])[0] == "vanishing" and "1/100,000" in diagnosis(small, [small, big])[1]
    assert diagnosis(watched([1.0, 1.2, 0.9, 500.0]), [big])[0] == "exploding"
    assert diagnosis(watched([2000.0]), [big])[0] == "exploding"
    assert diagnosis(watched([float("nan")]), [big])[0] == "not finite"
    assert diagnosis(watched([1.0], norm=float("inf")), [big])[0] == "not finite"
    assert diagnosis(watched([0.0]), [big])[0] == "zero"
    assert diagnosis(watched([]), [big]) == ("", "")


def test_vanishing_gradients_are_marked(tmp_path):
    gn.nn.set_random_seed(0)
    layers = [gn.nn.Dense(8, activation="sigmoid", name=f"deep_{i}") for i in range(9)]
    m = gn.nn.Sequential([gn.nn.Input((4,)), *layers, gn.nn.Dense(3, activation="softmax")])
    m.compile("sgd", "sparse_categorical_crossentropy")
    m.fit(X, Y, epochs=2, verbose=0, callbacks=[HTMLReport(tmp_path / "run.html", graph=False)])
    html = (tmp_path / "run.html").read_text("utf-8")
    assert "Vanishing gradients: deep_0/kernel" in html and 'class="badge vanishing"' in html


def test_charts_at_the_edges():
    for series in ({}, {"a": []}, {"a": [(1, float("nan"))]}, {"a": [(1, 2.0)]}, {"a": [(1, 2.0), (2, 2.0)]}):
        ET.fromstring(chart("t", series))
    falls = chart("loss", {"training": [(1, 10.0), (2, 0.01)]})
    assert "(log scale)" in falls
    broken = chart("loss", {"training": [(1, 1.0), (2, float("inf")), (3, 1e305)]})
    assert broken.count('class="bad"') == 2 and "(log scale)" not in broken
    assert 'class="bad"' not in chart("loss", {"training": [(1, -1.0), (2, 1.0)]})
    ET.fromstring(ridges("t", []))
    assert "no finite numbers" in ridges("t", [(1, [], 0.0, 0.0)])
    many = ridges("t", [(e, [1, 2, 1], -1.0, 1.0) for e in range(1, 100)])
    assert many.count('class="hill w"') == 10 and "epoch 1:" in many and "epoch 99:" in many
    assert spark([1.0]) == "" and "<path" in spark([1.0, 0.1, 0.0])
    assert ticks(0, 0) == [0] and ticks(0.0, 10.0) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_live_plot_outside_a_notebook_says_so_once(capsys):
    live = LivePlot()
    fitted(model(), live, epochs=1)
    fitted(model(), live, epochs=1)
    assert capsys.readouterr().out.count("LivePlot draws in notebooks only") == 1


def test_live_plot_updates_one_display(monkeypatch):
    shown = []

    class Handle:
        def update(self, thing):
            shown.append(("update", thing))

    def show(thing, display_id=None):
        shown.append(("display", thing))
        return Handle()

    fake = types.ModuleType("IPython.display")
    fake.HTML, fake.display = lambda text: text, show
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr("graphnet.nn.callbacks.live.display", lambda stream: "notebook")
    fitted(model(), LivePlot(interval=0), epochs=3)
    assert [what for what, _ in shown] == ["display", "update", "update"]
    charts = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", shown[-1][1], re.S)]
    assert [c.get("aria-label").split(":")[0] for c in charts] == ["loss", "accuracy"]
    shown.clear()
    fitted(model(), LivePlot("loss", interval=1e9), epochs=3)
    # The first epoch at once, and the last one.
    assert [what for what, _ in shown] == ["display", "update"] and shown[-1][1].count("<svg") == 1


def test_tensorboard_without_the_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(
        ImportError,
        match=r"^TensorBoard needs tensorboardX: pip install tensorboardX \(in a clone .*'\.\[tensorboard\]'\)$",
    ):
        TensorBoard()


def events(folder):
    """(tag, step, value) of what is in the event files of a folder; histograms as their count."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack("<Q", data[at : at + 8])
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                number = value.simple_value if kind == "simple_value" else value.histo.num if kind == "histo" else kind
                found.append((value.tag, event.step, number))
    return found


def test_tensorboards_files_hold_what_keras_would_write(tmp_path):
    pytest.importorskip("tensorboardX")
    m = model()
    board = TensorBoard(tmp_path, histogram_freq=2, write_images=True, update_freq=2, write_steps_per_second=True)
    history, _, _ = fitted(m, board, epochs=3)
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for name in ("loss", "accuracy"):
        got = [v for tag, _, v in train if tag == f"epoch_{name}"]
        np.testing.assert_allclose(got, history[name], rtol=1e-6)
        held = [v for tag, _, v in validation if tag == f"epoch_{name}"]
        np.testing.assert_allclose(held, history[f"val_{name}"], rtol=1e-6)
    assert [s for tag, s, _ in train if tag == "epoch_loss"] == [0, 1, 2]
    assert [s for tag, s, _ in train if tag == "batch_loss"] == [1, 3, 5, 7]
    counts = {(tag, s): n for tag, s, n in train if tag.endswith(("/histogram", "/gradient"))}
    assert counts[("hidden/kernel/histogram", 0)] == counts[("hidden/kernel/gradient", 2)] == 32
    assert not [1 for _, s in counts if s == 1]
    tags = {tag for tag, _, _ in train}
    assert {"hidden/kernel/image", "epoch_steps_per_second"} <= tags and any("graph" in t for t in tags)
    assert not m.steps.watchers
