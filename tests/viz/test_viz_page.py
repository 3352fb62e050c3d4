"""The interactive page as a file: what is in it, that names cannot break it, that it is the same each time."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

import graphnet as gn
from graphnet.record import OPS
from graphnet.viz import Page, page
from graphnet.viz.sources import function_text, gradient_rules, shown_path
from graphnet.viz.statistics import histogram, statistics

WICKED = "</script><script>document.title='x'</script><img src=x onerror=alert(1)> \"'&\u2028\u202e\ud800 日本 -->"


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def network(depth=2, gradient=True):
    layers = [gn.nn.Dense(3, activation="relu", name=f"hidden_{i}") for i in range(depth)]
    m = gn.nn.Sequential([gn.nn.Input((4,)), *layers, gn.nn.Dense(2, activation="softmax", name="top")], name="net")
    x = gn.input((5, 4), name="x")
    loss = gn.mean(m(x) ** 2)
    return gn.Graph([x], [loss, *gn.gradients(loss, m.trainable_weights)] if gradient else loss)


def test_draw_with_an_html_ending_writes_the_page(tmp_path):
    g = network()
    made = g.draw(tmp_path / "g.html", title="mine")
    assert isinstance(made, Page) and made.path == tmp_path / "g.html"
    assert (tmp_path / "g.html").read_text("utf-8") == made.html
    assert data_of(made.html)["title"] == "mine" and "<title>mine</title>" in made.html
    assert [p.name for p in tmp_path.iterdir()] == ["g.html"]
    m = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(3)])
    assert isinstance(m.draw(tmp_path / "m.html"), Page)
    y = gn.exp(gn.input((2,), name="x"))
    assert isinstance(y.draw(tmp_path / "t.html"), Page)


def test_two_pages_of_a_graph_are_the_same_bytes():
    g = network()
    assert page(g).html == page(g).html
    plan = g.compile("numpy")
    assert page(plan).html == page(plan).html


def test_wrong_paths_and_options_write_nothing(tmp_path):
    g = network(1)
    with pytest.raises(FileNotFoundError, match="the folder"):
        page(g, tmp_path / "none" / "g.html")
    with pytest.raises(ValueError, match=r"a page ends in \.html"):
        page(g, tmp_path / "g.txt")
    with pytest.raises(ValueError, match="heat is 'time' or 'memory'"):
        page(g, tmp_path / "g.html", heat="warm")
    with pytest.raises(ValueError, match="depth is a number"):
        page(g, tmp_path / "g.html", depth=-1)
    with pytest.raises(TypeError, match="page takes a Graph, a Plan, a Tensor or a model; received int"):
        page(3, tmp_path / "g.html")
    with pytest.raises(ValueError):
        page(g, tmp_path / "g.html", values=[np.zeros((2, 2), "f")])
    assert not list(tmp_path.iterdir())


def test_nodes_say_formula_rule_shape_and_line():
    g = network()
    data = data_of(page(g).html)
    relu = next(n for n in data["nodes"] if n.get("op") == "relu")
    source = next(n for n in g.nodes if n.op is not None and n.op.name == "relu")
    x = g.names[source.inputs[0]]
    assert relu["call"] == f"relu({x})" and relu["formula"] == f"maximum({x}, 0)"
    assert relu["type"] == "float32[5, 3]" and relu["bytes"] == 60
    assert data["ops"]["relu"]["rules"] == [["x", "lambda g, y, x: where(greater(x, 0), g, 0)"]]
    file, line, text = data["sites"][relu["site"]]
    assert file.endswith("test_viz_page.py") and line > 0 and text == "loss = gn.mean(m(x) ** 2)"
    kernel = next(n for n in data["nodes"] if n["kind"] == "parameter")
    assert kernel["stats"]["count"] == 12 and sum(kernel["stats"]["histogram"][0]) == 12
    assert "stats" not in relu


def test_boxes_nest_and_gradients_know_what_they_are_of():
    data = data_of(page(network()).html)
    labels = {b["label"]: i for i, b in enumerate(data["boxes"])}
    hidden, gradient = data["boxes"][labels["hidden_0"]], data["boxes"][labels["gradient of hidden_0"]]
    assert hidden["parent"] == labels["net"] and hidden["kind"] == "Dense"
    assert gradient["of"] == labels["hidden_0"] and gradient["back"] == 1 and "back" not in hidden
    inside = {n.get("op") for n in data["nodes"] if n.get("box") == labels["hidden_0"]}
    assert {"matmul", "add", "relu"} <= inside
    assert all("back" not in n for n in data_of(page(network(), backward=False).html)["nodes"])


def test_values_give_statistics_gradients_and_the_first_nan():
    x = gn.input((3,), name="x")
    g = gn.Graph([x], gn.sum(gn.log(x) * 2.0))
    log = lambda data: next(n for n in data["nodes"] if n.get("op") == "log")  # noqa: E731
    fine = log(data_of(page(g, values=[[1.0, 2.0, 4.0]]).html))
    assert fine["stats"]["max"] == pytest.approx(np.log(4.0), rel=1e-5)
    assert fine["slope"]["norm"] == pytest.approx(2 * np.sqrt(3), rel=1e-5)
    bad = log(data_of(page(g, values=[[1.0, -2.0, 4.0]]).html))
    assert bad["bad"] == "first NaN" and bad["stats"]["nan"] == 1


def test_gradient_adds_the_backward_nodes():
    g = network(1, gradient=False)
    assert any(n["kind"] == "gradient" for n in data_of(page(g, gradient=True).html)["nodes"])
    assert not any(n["kind"] == "gradient" for n in data_of(page(g).html)["nodes"])


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_plan_shows_its_code_and_times(backend):
    if backend == "native":
        pytest.importorskip("llvmlite")
    plan = network(1, gradient=False).compile(backend)
    data = data_of(page(plan, profile=plan.profile(repeat=2)).html)
    assert data["heat"] == "time" and data["seconds"] > 0
    product = next(n for n in data["nodes"] if n.get("op") == "matmul")
    first, last = product["code"]
    assert "\n".join(data["code"]) == plan.source.rstrip("\n")
    assert any(re.search(rf"\bv_{product['name']}\b", line) for line in data["code"][first:last])
    assert product["seconds"] > 0


def test_ops_of_a_graph_are_timed_one_by_one(tmp_path):
    data = data_of(network(1).draw(tmp_path / "g.html", heat="time", fold=False, names="all").html)
    assert data["heat"] == "time" and data["seconds"] > 0
    assert all(n["seconds"] > 0 for n in data["nodes"] if "op" in n)


def test_the_command_line_writes_a_page(tmp_path, capsys):
    from graphnet.__main__ import main

    m = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(3)], name="small")
    m.save(tmp_path / "m.keras")
    assert main(["draw", str(tmp_path / "m.keras"), "-o", str(tmp_path / "m.html"), "--gradient"]) == 0
    assert data_of((tmp_path / "m.html").read_text("utf-8"))["title"] == "small"
    assert "m.html (laid out by the page itself)" in capsys.readouterr().out


def test_a_plan_draws_its_page(tmp_path):
    plan = network(1, gradient=False).compile("numpy")
    made = plan.draw(tmp_path / "p.html", heat="time")
    data = data_of(made.html)
    assert made.path == tmp_path / "p.html" and data["heat"] == "time" and "code" in data


class Tags(HTMLParser):
    """The elements and attributes of a page, as a browser sees them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.events, self.links = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.events += [name for name, _ in attributes if name.startswith("on")]
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]


def wicked_graph():
    x = gn.input((2,), name=WICKED)
    w = gn.Parameter(np.ones(2, "f"), name=WICKED)
    with gn.region(WICKED, WICKED):
        y = gn.exp(x * w)
    return gn.Graph([x], y, name=WICKED)


def test_wicked_names_stay_text():
    html = page(wicked_graph()).html
    seen = Tags(html)
    plain = Tags(page(network(1)).html)
    assert seen.tags == plain.tags and seen.tags.count("script") == 2
    assert not seen.events and not seen.links
    body = html[html.index('id="data">') + 10 :]
    body = body[: body.index("</script>")]
    assert body.isascii() and not set("<>&\u2028\u2029") & set(body)
    assert any("onerror" in n.get("title", "") for n in json.loads(body)["nodes"])


def test_the_policy_allows_this_script_and_style_only():
    html = page(network(1)).html
    policy = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', html)[1])
    for tag, attributes in (("script", ""), ("style", "")):
        text = re.search(rf"<{tag}{attributes}>(.*?)</{tag}>", html, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    assert "http://" not in re.sub(r"http://www\.w3\.org/2000/svg", "", html) and "https://" not in html


def test_a_notebook_shows_the_page_in_a_frame():
    shown = page(network(1))._repr_html_()
    parser = Tags(shown)
    assert parser.tags == ["iframe"] and 'sandbox="allow-scripts"' in shown


def test_long_rows_of_outputs_are_put_into_a_box():
    x = gn.input((2,), name="x")
    data = data_of(page(gn.Graph([x], [gn.sin(x * float(i)) for i in range(40)])).html)
    assert data["boxes"] == [{"label": "40 outputs", "shelf": 1}]
    assert sum(n.get("box") == 0 for n in data["nodes"]) == 40


def test_what_is_open_at_first():
    assert data_of(page(network(2, gradient=False)).html)["depth"] is None
    assert data_of(page(network(40)).html)["depth"] == 1
    assert data_of(page(network(2), depth=0).html)["depth"] == 0


def test_every_op_has_the_source_of_its_rules():
    for op in OPS.values():
        if op.name.startswith("test_"):
            continue
        for name, text in gradient_rules(op):
            assert text != "source not available", (op.name, name)
            assert text == "no derivative" or text.startswith(("lambda", "def", "@")), (op.name, name, text)


def test_of_several_lambdas_on_a_line_the_right_one_is_shown():
    f, g = (lambda x: x + 1, lambda x: x + 2)
    assert function_text(f) == "lambda x: x + 1" and function_text(g) == "lambda x: x + 2"
    assert function_text(np.exp) is None


def test_files_elsewhere_are_shown_by_name_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert shown_path(str(tmp_path.parent / "b.py")) == "b.py"


def test_statistics_at_the_edges():
    assert statistics(np.zeros((0, 3))) == {"count": 0}
    bad = statistics(np.array([np.nan, np.inf, -np.inf]))
    assert bad == {"count": 3, "nan": 1, "inf": 2}
    same = statistics(np.full(7, 2.5, "f"))
    assert same["std"] == 0 and sum(same["histogram"][0]) == 7
    assert statistics(np.array([True, False, True]))["zeros"] == 1
    assert statistics(np.array(["a"])) == {"count": 1}
    counts, low, high = histogram(np.array([-1e308, 1e308]))
    assert sum(counts) == 2 and low == -1e308 and high == 1e308
    assert json.dumps(statistics(np.array([1e-320, 3e38], "d")), allow_nan=False)
