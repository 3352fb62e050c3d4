"""Names that try to be more than names, through every reader and writer: none is obeyed by what it is written for."""

import builtins
import csv
import html.parser
import http.server
import io
import json
import re
import struct
import threading
import urllib.parse
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import escape, nn, viz
from graphnet.nn.saving import FileError
from graphnet.viz.reading import scene_from
from graphnet.viz.render import drawn
from graphnet.viz.report import Report

PLANTED = "__import__('builtins').planted.append(1)"
NAMES = {
    "code": f"a\n    {PLANTED}\n#",
    "quotes": f"\"'`\"\"\"''' {PLANTED}",
    "tag": "</title></text></svg><script>alert(1)</script><img src=x onerror=alert(1)>",
    "ends of comments": "--><!-- */ // # %> ]]> {{7*7}} ${x} %s {0.__class__}",
    "attribute": '" onload="alert(1)" x="',
    "entity": "&lt;&amp;&#x41;&nbsp;",
    "escape": "\x1b]0;title\x07\x1b[2J\x9b31m",
    "nul": "a\x00b",
    "returns": "a\rb\x0bc\x0cd\x85e\u2028f\u2029g",
    "directions": "\u202egnp.exe\u2066\u200f\u061c",
    "surrogate": "a\ud800b\udfff",
    "dot": 'a\\N\\G\\n" , shape=none, URL="http://x"]; subgraph x { <b>',
    "html label": "<<b>bold</b>>",
    "formula": "=cmd|' /C calc'!A1",
    "mathtext": r"$\frac{1}{0}$ _hidden",
    "path": "../../../etc/passwd",
    "drive": "C:\\NUL",
    "long": "x" * 10_000,
    "long and bad": "\x1b" * 10_000,
    "reserved": "None",
    "blank": "  ",
    "hidden": "\ufeff\u200b\u2060\U000e0041",
    "nonsense": "\uffff\ufffe",
}
each_name = pytest.mark.parametrize("word", NAMES)
#: what a terminal or a reader of text obeys
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff]")


@pytest.fixture(autouse=True)
def planted():
    builtins.planted = []
    yield builtins.planted
    assert builtins.planted == []
    del builtins.planted


def shown(text):
    """The text, of which nothing is obeyed instead."""
    assert OBEYED.search(text) is None, ascii(OBEYED.search(text)[0])
    text.encode("utf-8")
    return text


def graph(name, native=False):
    x, w = gn.input((4, 3), "float64", name=name), gn.Parameter(np.ones((3, 2)), name=name)
    with gn.region(name, name):
        h = gn.exp(x) @ w
        h.name = name
    return gn.Graph([x], [h.sum()], [(w, w * 2)], name=name)


class Page(html.parser.HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def elements(svg):
    return [(e.tag.rpartition("}")[2], tuple(sorted(e.attrib))) for e in ET.fromstring(svg).iter()]


@each_name
def test_texts_of_a_graph(word):
    g = graph(NAMES[word])
    plan = g.compile(backend="numpy")
    for text in (
        str(g),
        repr(g),
        g.tree(),
        plan.source,
        repr(plan),
        str(plan.profile()),
        str(g.gradient(g.parameters)),
    ):
        shown(text)
    assert len(str(g).split("\n")) == len(str(graph("plain")).split("\n"))
    for f in (lambda: g(np.ones(3)), lambda: g.gradient("no such"), lambda: gn.Graph([], [g.outputs[0]])):
        with pytest.raises(ValueError) as caught:
            f()
        shown(str(caught.value))
    with gn.region(NAMES[word], "k"), pytest.raises(ValueError) as caught:
        gn.matmul(gn.tensor(np.ones((2, 3))), gn.tensor(np.ones((2, 3))))
    shown(str(caught.value))


@each_name
def test_pictures(word, tmp_path):
    g, plain = graph(NAMES[word]), graph("plain")
    picture = g.draw(engine="builtin", title=NAMES[word], names="all")
    assert elements(picture.svg) == elements(plain.draw(engine="builtin", title="plain", names="all").svg)
    shown(picture.svg)
    data = picture.scene.to_dict()
    again = scene_from(json.loads(json.dumps(data)))
    assert elements(drawn(lambda: again, None, "TB", True, "builtin").svg)
    for change in ("id", "kind", "label", "lines"):
        broken = json.loads(json.dumps(data))
        for node in broken["nodes"]:
            node[change] = [NAMES[word]] if change == "lines" else NAMES[word]
        try:
            found = scene_from(broken)
        except ValueError as error:
            shown(escape.lines(error))
        else:
            elements(drawn(lambda found=found: found, None, "TB", True, "builtin").svg)


@each_name
def test_dot(word, tmp_path):
    pytest.importorskip("graphviz")
    g = graph(NAMES[word])
    text = shown(g.to_dot(title=NAMES[word]))

    def bare(text):
        """The text without what is in quotes, and without words that need none."""
        return re.sub(r"=\w+", '=""', re.sub(r'"(?:[^"\\]|\\.)*"', '""', text))

    assert bare(text) == bare(graph("plain").to_dot(title="plain"))


@each_name
def test_bitmaps_and_plots(word, tmp_path):
    pytest.importorskip("matplotlib")
    name = NAMES[word]
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntaxWarning)
        warnings.filterwarnings("ignore", message="Glyph|.*constrained_layout")
        if len(name) < 1000:
            graph(name).draw(tmp_path / "g.png", engine="builtin")
        history = nn.History()
        for epoch in range(2):
            history.on_epoch_end(epoch, {name: 1.0, f"val_{name}": 2.0, "loss": 0.5})
        figure = history.plot()
        figure.savefig(io.BytesIO(), format="svg")
    shown(str(history))
    history.to_csv(tmp_path / "h.csv")
    with open(tmp_path / "h.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert len(head) == 4 and not any(h[:1] in "=+-@\t\r" for h in head) and {len(row) for row in rows} == {4}
    shown("".join(head))
    page = Page(history._repr_html_())
    plain = nn.History()
    for epoch in range(2):
        plain.on_epoch_end(epoch, {"name": 1.0, "val_name": 2.0, "loss": 0.5})
    assert page.found == Page(plain._repr_html_()).found


@each_name
def test_pages(word, tmp_path):
    name = NAMES[word]

    def page(name):
        return viz.page(graph(name), title=name).html

    text = page(name)
    assert [tag for tag, _ in Page(text).found] == [tag for tag, _ in Page(page("plain")).found]
    assert text.count("<script") == page("plain").count("<script") and "<img" not in text
    report = Report(name, running=False)
    report.facts = [(name, name)]
    report.curves = {name: {name: [(1, 0.5), (2, 0.25)]}}
    report.notes = [name]
    made = report.html()
    plain = Report("plain", running=False)
    plain.facts, plain.notes = [("plain", "plain")], ["plain"]
    plain.curves = {"plain": {"plain": [(1, 0.5), (2, 0.25)]}}
    assert Page(made).found == Page(plain.html()).found
    shown(made)


@each_name
def test_networkx(word):
    nx = pytest.importorskip("networkx")
    g = graph(NAMES[word])
    n = g.to_networkx(values=True)
    again = gn.Graph.from_networkx(n)
    x = np.arange(12.0).reshape(4, 3)
    assert again.compile(backend="numpy")(x)[0].item() == pytest.approx(np.exp(x).sum() * 2)
    assert all(str(node).isidentifier() for node in n.nodes)
    text = "\n".join(nx.generate_graphml(g.to_networkx(plain=True)))
    ET.fromstring(shown(text))
    "\n".join(nx.generate_gml(g.to_networkx(plain=True))).encode("ascii")


def networks(name):
    """What may have a name of its own in a network, each made with this one."""
    yield lambda: nn.Dense(2, name=name)
    yield lambda: nn.Sequential([nn.Input((3,)), nn.Dense(2)], name=name)
    yield lambda: nn.losses.MeanSquaredError(name=name)
    yield lambda: nn.metrics.MeanAbsoluteError(name=name)
    yield lambda: nn.optimizers.Adam(name=name)
    yield lambda: nn.Input((3,), name=name)


@each_name
def test_networks_take_names_that_can_be_shown(word, tmp_path, capsys):
    name = NAMES[word]
    refused = []
    for make in networks(name):
        try:
            make()
        except ValueError as error:
            refused.append(shown(str(error)))
    hidden = escape.line(name) != name
    assert bool(refused) == hidden or "/" in name
    if hidden or "/" in name:
        return
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, name=name), nn.Dropout(0.5)], name=name)
    metric = nn.metrics.MeanAbsoluteError(name=name)
    model.compile(nn.optimizers.Adam(name=name), nn.losses.MeanSquaredError(name=name), metrics=[metric])
    own = [nn.callbacks.CSVLogger(tmp_path / "log.csv"), nn.callbacks.HTMLReport(tmp_path / "run.html", interval=0)]
    model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=2, verbose=1, validation_split=0.5, callbacks=own)
    model.summary()
    print(model, metric, model.optimizer, model.loss)
    shown(capsys.readouterr().out)
    assert [tag for tag, _ in Page(nn.summary.Summary(model)._repr_html_()).found].count("script") == 0
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert len(rows) == 2 and {len(row) for row in rows} == {len(head)} and not any(h[:1] in "=+-@" for h in head)
    for ending in (".graphnet", ".keras", ".weights.h5", ".safetensors", ".npz"):
        if ending in (".keras", ".weights.h5"):
            pytest.importorskip("h5py")
        path = tmp_path / f"m{ending}"
        if ending in (".graphnet", ".keras"):
            model.save(path)
            again = nn.load_model(path)
            assert (again.name, again.layers[0].name, again.metrics_names) == (model.name, name, model.metrics_names)
        else:
            model.save_weights(path)
            model.load_weights(path)


def in_file(path, name):
    """A good file of a model with this name in the place of a layer's."""
    import zipfile

    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, name="target")])
    model.compile(
        "sgd", nn.losses.MeanSquaredError(name="target"), metrics=[nn.metrics.MeanAbsoluteError(name="target")]
    )
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    for member in ("model.json", "config.json"):
        if member in parts:
            parts[member] = parts[member].replace(b'"target"', json.dumps(name).encode())
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in parts.items():
            archive.writestr(member, content)


@each_name
@pytest.mark.parametrize("ending", [".graphnet", ".keras"])
def test_names_in_files(word, ending, tmp_path, capsys):
    if ending == ".keras":
        pytest.importorskip("h5py")
    path = tmp_path / f"m{ending}"
    in_file(path, NAMES[word])
    try:
        model = nn.load_model(path)
    except FileError as error:
        shown(str(error))
        return
    x, y = np.ones((40, 3)), np.ones((40, 2))
    model.fit(x, y, verbose=2, epochs=1)
    model.predict(x, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.summary()
    shown(model.graph().compile(backend="numpy").source)
    elements(model.graph().draw(engine="builtin").svg)
    shown(capsys.readouterr().out)


@each_name
def test_weights_of_any_name_are_saved_and_loaded(word, tmp_path):
    class Own(nn.Layer):
        def __init__(self):
            super().__init__()

        def build(self, shape):
            self.a = self.add_weight((2,), name=NAMES[word])
            self.b = self.add_weight((2,), name=NAMES[word])

        def call(self, x):
            return x * self.a + self.b

    model = nn.Sequential([nn.Input((2,)), Own()])
    model.set_weights([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    for ending in (".safetensors", ".npz"):
        model.save_weights(tmp_path / f"w{ending}")
        again = nn.Sequential([nn.Input((2,)), Own()])
        again.load_weights(tmp_path / f"w{ending}")
        assert [w.tolist() for w in again.get_weights()] == [[1.0, 2.0], [3.0, 4.0]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.npz", "w.safetensors"]


@each_name
def test_each_target(word):
    name = NAMES[word]
    for f in (escape.line, escape.lines, escape.markup, escape.dot, escape.plot, escape.cell, escape.file_name):
        shown(f(name))
    assert "\n" not in escape.line(name) and len(escape.line(name, 40)) <= 40 * 10
    assert not re.search("[<>\"']", escape.markup(name))
    inner = escape.identifier(name)
    assert inner == "" or inner.isidentifier()
    file = escape.file_name(name)
    assert file and "/" not in file and "\\" not in file and ".." not in file and len(file.encode()) <= 200
    part = escape.member(name)
    assert part not in ("", ".", "..") and "/" not in part and part.isprintable()


@pytest.fixture
def posts():
    """The address of a server, and what was sent to it."""
    found = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            found.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", found
    server.shutdown()
    thread.join()
    server.server_close()


def _events(path):
    """The tags in a file of TensorBoard's."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    data, at, tags = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack("<Q", data[at : at + 8])
        tags += [v.tag for v in proto.Event.FromString(data[at + 12 : at + 12 + size]).summary.value]
        at += 16 + size
    return tags


@pytest.mark.parametrize("word", [*NAMES, "epoch"])
def test_writers_of_logs(word, tmp_path, posts):
    pytest.importorskip("tensorboardX")
    name, (address, sent) = NAMES.get(word, word), posts
    logs = tmp_path / "in" / "logs"
    logs.mkdir(parents=True)

    def call():
        try:
            metric = nn.metrics.MeanMetricWrapper(lambda y, p: gn.mean(gn.abs(y - p), axis=-1), name=name)
        except ValueError as error:
            # What is obeyed is no name at all.
            assert not escape.is_shown(name)
            shown(str(error))
            metric = nn.metrics.MeanAbsoluteError(name="plain")
        try:
            layer = nn.Embedding(5, 3, name=name)
        except ValueError as error:
            shown(str(error))
            layer = nn.Embedding(5, 3)
        model = nn.Sequential([nn.Input((3,)), layer, nn.Flatten(), nn.Dense(2)])
        model.compile("sgd", "mse", metrics=[metric])
        for as_json in (False, True):
            model.fit(
                np.ones((4, 3)),
                np.ones((4, 2)),
                verbose=0,
                callbacks=[
                    nn.callbacks.CSVLogger(logs / "log.csv", append=True),
                    nn.callbacks.TensorBoard(logs / str(as_json), histogram_freq=1, update_freq=1, embeddings_freq=1),
                    nn.callbacks.RemoteMonitor(address, send_as_json=as_json),
                ],
            )

    call()
    with open(logs / "log.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert len(head) == len(set(head)) == 3 and [row[0] for row in rows] == ["0", "0"]
    assert all(len(row) == 3 and float(row[1]) > 0 and float(row[2]) > 0 for row in rows)
    for text in head:
        shown(text)
        assert not text.lstrip().startswith(("=", "+", "-", "@"))
    for body, as_json in zip(sent, (False, True), strict=True):
        text = body.decode("ascii")
        values = json.loads(text if as_json else urllib.parse.parse_qs(text, strict_parsing=True)["data"][0])
        assert values.pop("epoch") == 0 and len(values) == 2 and all(v > 0 for v in values.values())
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert all(p.is_relative_to(logs) for p in files)
    for path in files:
        shown(str(path.relative_to(logs)))
        for tag in _events(path) if "tfevents" in path.name else ():
            shown(tag)
