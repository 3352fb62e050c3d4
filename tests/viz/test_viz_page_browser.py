"""The interactive page in a real browser, opened from a file with the network off. Skipped where there is none."""

import time

import numpy as np
import pytest
from browser import chromium
from test_viz_page import WICKED, network, wicked_graph

import graphnet as gn
from graphnet.viz import page

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


class Opened:
    """A page in the browser, and what a person does with it."""

    def __init__(self, browser, path):
        self.browser = browser
        browser.get_log("browser")
        browser.get(path.as_uri())
        assert self.js("return document.documentElement.dataset.ready") == "yes"

    def js(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def id(self, name):
        return self.browser.find_element("id", name)

    def all(self, css):
        return self.browser.find_elements("css selector", css)

    def keys(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()
        self.settled()

    def settled(self):
        self.browser.execute_async_script(
            "const d = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(d))"
        )

    def click(self, element):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).move_to_element(element).click().perform()
        self.settled()

    def search(self, text, times=1):
        from selenium.webdriver.common.keys import Keys

        box = self.id("query")
        box.clear()
        box.send_keys(text, *[Keys.ENTER] * times)
        self.settled()

    def labelled(self, text):
        return [e for e in self.all("#graph [aria-label]") if text in e.get_attribute("aria-label")]

    def focused(self):
        return self.js("return document.activeElement.getAttribute('aria-label') || document.activeElement.id")

    def complaints(self):
        return [entry for entry in self.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture
def opened(browser, tmp_path):
    def make(thing, **options):
        target = tmp_path / "page.html"
        page(thing, target, **options)
        return Opened(browser, target)

    return make


def test_it_opens_without_a_network_and_without_complaints(opened):
    p = opened(network())
    assert not p.complaints()
    assert p.js("return performance.getEntriesByType('resource').length") == 0
    assert p.js("return document.title") == "graph"
    assert p.labelled("matmul")
    assert p.id("status").text.endswith("nodes") or "shown" in p.id("status").text


def test_search_finds_a_layer_and_goes_from_hit_to_hit(opened):
    from selenium.webdriver.common.keys import Keys

    p = opened(network(30))
    assert not p.labelled("matmul")  # closed at first
    p.search("hidden_17")
    assert p.id("panel").find_element("tag name", "h2").text == "hidden_17"
    assert p.id("hits").text.startswith("1 of ")
    p.search("hidden_17 matmul")
    assert p.labelled("matmul"), "the box around the hit is opened"
    assert "matmul(" in p.id("panel").text
    p.search("relu", times=3)
    assert p.id("hits").text == "3 of 30"
    p.id("query").send_keys(Keys.SHIFT, Keys.ENTER)
    assert p.id("hits").text == "2 of 30"
    p.search("there is no such thing")
    assert p.id("hits").text == "no hit"
    assert not p.complaints()


def test_a_box_opens_and_closes(opened):
    p = opened(network(1, gradient=False), depth=1)
    closed = p.labelled("hidden_0 (Dense)")[0]
    assert closed.get_attribute("aria-expanded") == "false" and not p.labelled("relu")
    p.click(closed)
    assert p.labelled("relu") and not p.labelled("hidden_0 (Dense)")
    title = p.labelled("hidden_0, open")[0]
    assert title.get_attribute("aria-expanded") == "true"
    p.click(title)
    assert not p.labelled("relu") and p.labelled("hidden_0 (Dense)")
    p.id("open-more").click()
    assert p.labelled("relu")
    p.id("close-all").click()
    p.id("close-all").click()
    assert not p.labelled("relu")
    assert not p.complaints()


def test_a_nodes_panel_shows_all_that_is_known(opened):
    g = network(1)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("f")
    p = opened(g, values=[x])
    p.click(p.labelled("relu")[0])
    text = p.id("panel").text
    assert "= maximum(" in text and "`max(x, 0)`, element by element" in text
    assert "lambda g, y, x: where(greater(x, 0), g, 0)" in text
    assert "float32[5, 3]" in text and "60 bytes" in text
    assert "test_viz_page.py:" in text and "loss = gn.mean(m(x) ** 2)" in text
    assert "mean ± std" in text and len(p.all("#panel .bars rect")) >= 6
    used = p.all("#panel li button")
    assert any("= add" in b.text for b in used)
    next(b for b in used if "= add" in b.text).click()
    assert "= add(" in p.id("panel").text
    p.all("#panel .close")[0].click()
    assert not p.id("panel").is_displayed()
    assert not p.complaints()


def test_a_plans_node_shows_the_code_that_runs(opened):
    plan = network(1, gradient=False).compile("numpy")
    p = opened(plan, profile=plan.profile(repeat=2))
    p.search("relu")
    assert "k_maximum(" in p.all("#panel pre.code")[0].text
    assert p.all("#panel pre.code b"), "its own line stands out"
    assert p.all("#graph .hot"), "time is the colour at first"
    assert not p.complaints()


def test_hover_lights_the_path_to_inputs_and_outputs(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    x, y = gn.input((2,), name="x"), gn.input((2,), name="y")
    p = opened(gn.Graph([x, y], [gn.tanh(gn.sin(x)), gn.cos(y)]))
    ActionChains(p.browser).move_to_element(p.labelled("sin")[0]).perform()
    p.settled()
    lit = {e.get_attribute("aria-label").split(",")[0] for e in p.all("#graph .node.lit")}
    assert lit == {"x", "sin", "tanh", "output 0; output"}
    assert len(p.all("#graph .edge.lit")) == 3 and len(p.all("#graph .edge")) == 5
    ActionChains(p.browser).move_to_element(p.id("status")).perform()
    p.settled()
    assert not p.all("#graph.dimmed")


def test_the_keyboard_is_enough(opened):
    from selenium.webdriver.common.keys import Keys

    p = opened(network(1, gradient=False), depth=1)
    for _ in range(20):
        p.keys(Keys.TAB)
        if p.js("return document.getElementById('graph').contains(document.activeElement)"):
            break
    else:
        pytest.fail("Tab does not lead into the graph")
    assert p.focused().startswith("x,")
    assert p.js("return document.activeElement.matches(':focus-visible')")
    p.keys(Keys.ARROW_DOWN)
    assert p.focused().startswith("hidden_0 (Dense)")
    p.keys(Keys.ENTER)
    assert p.focused() == "hidden_0, open" and p.labelled("relu")
    p.keys(Keys.ESCAPE)  # the panel
    p.keys(Keys.ESCAPE)  # the box
    assert p.focused().startswith("hidden_0 (Dense)") and not p.labelled("relu")
    p.keys(Keys.ENTER, Keys.ARROW_DOWN)
    p.keys("/")
    assert p.focused() == "Search for a name, an op or a layer"
    p.keys("relu", Keys.ENTER)
    assert "maximum(" in p.id("panel").text
    p.keys(Keys.ESCAPE)
    assert p.focused().startswith("relu")
    before = p.js("return document.querySelector('#graph > g').getAttribute('transform')")
    p.keys("+")
    assert p.js("return document.querySelector('#graph > g').getAttribute('transform')") != before
    p.keys("?")
    assert p.id("keys").is_displayed()
    p.keys(Keys.ESCAPE)
    assert not p.id("keys").is_displayed()
    assert p.id("said").get_attribute("aria-live") == "polite"
    assert not p.complaints()


def test_drag_and_wheel_move_and_zoom(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    p = opened(network(1))
    camera = "return document.querySelector('#graph > g').transform.baseVal.consolidate().matrix"
    a = p.js(f"{camera}.a"), p.js(f"{camera}.e"), p.js(f"{camera}.f")
    ActionChains(p.browser).move_to_element_with_offset(p.id("graph"), -500, 0).click_and_hold().move_by_offset(
        60, 25
    ).release().perform()
    p.settled()
    b = p.js(f"{camera}.a"), p.js(f"{camera}.e"), p.js(f"{camera}.f")
    assert b == pytest.approx((a[0], a[1] + 60, a[2] + 25), abs=1)
    ActionChains(p.browser).scroll_from_origin(ScrollOrigin.from_element(p.id("graph")), 0, -200).perform()
    p.settled()
    assert p.js(f"{camera}.a") > b[0] * 1.2


def test_two_fingers_zoom(opened):
    p = opened(network(1))
    scale = "return document.querySelector('#graph > g').transform.baseVal.consolidate().matrix.a"
    before = p.js(scale)

    def touch(kind, *xs):
        points = [{"x": x, "y": 400, "id": i} for i, x in enumerate(xs)]
        p.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 100)
    touch("touchStart", 100, 200)
    for far in range(10, 101, 10):
        touch("touchMove", 100 - far / 2, 200 + far / 2)
    touch("touchEnd")
    p.settled()
    assert p.js(scale) == pytest.approx(before * 2, rel=0.1)


def test_nothing_overlaps(opened):
    p = opened(network(3), depth=None)
    boxes = p.js(
        "return [...document.querySelectorAll('#graph .node')].map(e => {"
        "const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom, e.textContent]})"
    )
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
            assert apart, (a, b)
    too_wide = p.js(
        "return [...document.querySelectorAll('#graph .node')].filter(e => {const s = e.querySelector('.shape')"
        ".getBBox(); return [...e.querySelectorAll('text')].some(t => t.getBBox().width > s.width)}).length"
    )
    assert too_wide == 0


def test_wicked_names_run_nothing(opened):
    p = opened(wicked_graph(), title=WICKED)
    assert not p.complaints()
    assert p.js("return document.title").startswith("</script>")
    p.search("onerror")
    p.click(p.labelled("</script>")[0])
    assert not p.all("img") and len(p.all("script")) == 2
    assert p.js("return document.title").startswith("</script>")
    assert p.id("panel").find_element("tag name", "h2").text.startswith("</script>")
    assert not p.complaints()


def deep(layers):
    """A gradient of many layers, in regions as layers make them."""
    y = x = gn.input((8, 4), name="x")
    ws = []
    for i in range(layers):
        with gn.region(f"dense_{i}", "Dense"):
            ws.append(gn.Parameter(np.full((4, 4), 0.1, "f"), name=f"w{i}"))
            y = gn.tanh(y @ ws[-1])
            with gn.region("gelu", "gelu"):
                y = y * 0.5 * (1.0 + gn.tanh(0.79788456 * (y + 0.044715 * y * y * y)))
    loss = gn.mean(y**2)
    return gn.Graph([x], [loss, *gn.gradients(loss, ws)])


def chain(length):
    y = x = gn.input((2,), name="x")
    for _ in range(length):
        y = gn.sin(y)
    return gn.Graph([x], y)


@pytest.mark.parametrize("make", [lambda: deep(150), lambda: chain(5000)], ids=["layers", "chain"])
def test_5000_nodes_are_painted_in_two_seconds_and_can_be_used(browser, tmp_path, make):
    g = make()
    assert len(g) >= 5000
    target = tmp_path / "many.html"
    page(g, target)
    paints = []
    for _ in range(4):  # other processes may be at work: the best counts
        p = Opened(browser, target)
        for _ in range(40):
            found = p.js("return performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
            if found:
                break
            time.sleep(0.05)
        ready = p.js("return performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        paints.append(max(found[0], ready))
        if min(paints) < 2000:
            break
    assert min(paints) < 2000, paints
    p.search("dense_99" if "dense_99" in target.read_text("utf-8") else "t4321")
    assert p.id("panel").is_displayed()
    p.id("fit").click()
    p.settled()
    assert len(p.all("#graph *")) < 6000, "what is far away is drawn in few elements"
    assert not p.complaints()


def test_dark_where_the_reader_wants_it_dark(tmp_path):
    page(network(1), tmp_path / "page.html")
    with chromium(dark=True) as browser:
        p = Opened(browser, tmp_path / "page.html")
        luminance = "return getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).reduce((s, v) => s + +v, 0)"
        assert p.js(luminance.format("backgroundColor")) < 150 < 600 < p.js(luminance.format("color"))
