"""Our own layout: nothing overlaps, frames hold only their own nodes, edges go round, the gradient stands beside."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import graphnet as gn
from graphnet.mode import mode
from graphnet.viz.build import build
from graphnet.viz.layered import Item, Link, back_links, longest_paths, put_in_order, spread
from graphnet.viz.layout import arrange
from graphnet.viz.metrics import text_width
from graphnet.viz.svg import to_svg


def network(name="net"):
    x, y = gn.input((32, 64), name="x"), gn.input((32,), dtype="int64", name="y")
    h = x
    for i, (a, b) in enumerate([(64, 16), (16, 10)]):
        with gn.region(f"dense_{i}", "Dense"):
            w = gn.Parameter(np.zeros((a, b), "float32"), name=f"w{i}")
            h = gn.relu(h @ w + gn.Parameter(np.zeros(b, "float32"), name=f"b{i}"))
    with gn.region("loss", "cross_entropy"):
        loss = -gn.take_along_axis(gn.softmax(h), y.reshape(32, 1), 1).mean()
    return gn.Graph([x, y], loss, name=name)


def with_gradient():
    g = network()
    return gn.Graph(g.inputs, [g.outputs[0], *g.gradient(["w0", "b0", "w1", "b1"]).outputs])


def tangle(seed, count=40):
    """A random graph with boxes in boxes, long edges, constants and several outputs."""
    r = np.random.default_rng(seed)
    tensors = [gn.input((2, 3), name=f"x{i}") for i in range(3)]
    boxes = []
    for i in range(count):
        if boxes and r.random() < 0.3:
            boxes.pop().__exit__(None, None, None)
        elif len(boxes) < 3 and r.random() < 0.4:
            boxes.append(gn.region(f"part_{i}", "Part"))
            boxes[-1].__enter__()
        a, b = tensors[r.integers(max(0, len(tensors) - 9), len(tensors))], tensors[r.integers(0, len(tensors))]
        made = [a - b, gn.exp(a), gn.where(a > b, a, gn.Parameter(np.zeros((2, 3), "f"), name=f"p{i}")), a + b * 2.0]
        tensors.append(made[r.integers(0, 4)])
    while boxes:
        boxes.pop().__exit__(None, None, None)
    return gn.Graph(tensors[:3], tensors[-3:])


CASES = {
    "network": network,
    "gradient": with_gradient,
    **{f"tangle {i}": lambda i=i: tangle(i) for i in range(6)},
}


@pytest.fixture(params=itertools.product(CASES, ["TB", "LR", "BT", "RL"]), ids="-".join, scope="module")
def laid_out(request):
    name, rankdir = request.param
    scene = build(CASES[name]())
    return scene, arrange(scene, rankdir), rankdir


def corners(place):
    w, h = place.width / 2, place.height / 2
    return place.x - w, place.y - h, place.x + w, place.y + h


def overlap(a, b, slack=0.01):
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


def within(a, b):
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]


def containers(scene, node):
    parent = {b.id: b.parent for b in scene.boxes}
    found, box = set(), node.box
    while box is not None:
        found.add(box)
        box = parent[box]
    return found


def test_nodes_do_not_overlap_and_are_on_the_canvas(laid_out):
    scene, layout, _ = laid_out
    canvas = (0, 0, layout.width, layout.height)
    assert all(within(corners(p), canvas) for p in layout.places.values())
    assert set(layout.places) == {n.id for n in scene.nodes}
    for a, b in itertools.combinations(layout.places, 2):
        assert not overlap(corners(layout.places[a]), corners(layout.places[b])), (a, b)


def test_every_frame_holds_its_own_nodes_and_no_others(laid_out):
    scene, layout, _ = laid_out
    assert set(layout.boxes) == {b.id for b in scene.boxes}
    for node in scene.nodes:
        own = containers(scene, node)
        for box, frame in layout.boxes.items():
            if box in own:
                assert within(corners(layout.places[node.id]), frame)
            else:
                assert not overlap(corners(layout.places[node.id]), frame)
    parent = {b.id: b.parent for b in scene.boxes}
    for a, b in itertools.combinations(layout.boxes, 2):
        if parent[a] == parent[b]:
            assert not overlap(layout.boxes[a], layout.boxes[b])
        elif parent[b] == a:
            assert within(layout.boxes[b], layout.boxes[a])


def sampled(steps, n=12):
    """Points along a path."""
    (_, (at,)), *rest = steps
    for letter, points in rest:
        ends = [at, *points]
        for i in range(n + 1):
            t, level = i / n, ends
            while len(level) > 1:
                level = [((1 - t) * a[0] + t * b[0], (1 - t) * a[1] + t * b[1]) for a, b in itertools.pairwise(level)]
            yield level[0]
        at = points[-1]
        assert {"L": 1, "Q": 2, "C": 3}[letter] == len(points)


def test_edges_begin_and_end_at_their_nodes_and_go_round_the_others(laid_out):
    scene, layout, _ = laid_out
    drawn = {i for i, _ in layout.curves}
    assert {i for i, e in enumerate(scene.edges) if not e.tie} <= drawn
    for i, steps in layout.curves:
        edge = scene.edges[i]
        if edge.tie:
            continue
        points = list(sampled(steps))
        for node, (x, y) in ((edge.tail, points[0]), (edge.head, points[-1])):
            x0, y0, x1, y1 = corners(layout.places[node])
            assert x0 - 0.1 <= x <= x1 + 0.1 and y0 - 0.1 <= y <= y1 + 0.1
            assert min(abs(x - x0), abs(x - x1), abs(y - y0), abs(y - y1)) < 0.1
        if "gradient" in "".join(n.kind for n in scene.nodes):
            continue
        for node, place in layout.places.items():
            x0, y0, x1, y1 = corners(place)
            assert not any(x0 + 0.5 < x < x1 - 0.5 and y0 + 0.5 < y < y1 - 0.5 for x, y in points), (edge, node)


def test_texts_at_edges_have_room(laid_out):
    _, layout, rankdir = laid_out
    texts = [(t.left, t.y - 7, t.left + text_width(t.content, 9) - 4, t.y) for t in layout.texts]
    for t, box in zip(layout.texts, texts, strict=True):
        assert within(box, (0, 0, layout.width, layout.height))
        for place in layout.places.values():
            assert not overlap(box, corners(place), 1.0), t
    if rankdir in ("TB", "BT"):
        for a, b in itertools.combinations(range(len(texts)), 2):
            assert not overlap(texts[a], texts[b], 1.0), (layout.texts[a], layout.texts[b])


def test_the_forward_edges_run_along_the_flow():
    for rankdir, (axis, sign) in {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}.items():
        scene = build(network())
        layout = arrange(scene, rankdir)
        for i, steps in layout.curves:
            begin, end = steps[0][1][0], steps[-1][1][-1]
            assert sign * (end[axis] - begin[axis]) > 0, scene.edges[i]


def test_the_gradient_stands_beside_its_layers_and_flows_back():
    scene = build(with_gradient())
    layout = arrange(scene)
    pairs = [(b.id, b.of) for b in scene.boxes if b.gradient]
    assert len(pairs) == 4 and all(of is not None for _, of in pairs)
    right = min(layout.boxes[b][0] for b, _ in pairs)
    for gradient, forward in pairs:
        g, f = layout.boxes[gradient], layout.boxes[forward]
        assert (g[1], g[3]) == pytest.approx((f[1], f[3]))
        assert f[2] < right
    kind = {n.id: n.kind for n in scene.nodes}
    upward = [s for i, s in layout.curves if kind[scene.edges[i].tail] == kind[scene.edges[i].head] == "gradient"]
    assert upward and all(s[-1][1][-1][1] < s[0][1][0][1] for s in upward)
    # One line for the innermost boxes of each pair says what belongs together.
    assert {(f, g) for f, g, _ in layout.ties} <= {(f, g) for g, f in pairs} and len(layout.ties) == 3


def test_the_gradient_of_the_last_layer_alone_stands_beside_that_layer():
    g = network()
    scene = build(gn.Graph(g.inputs, [g.outputs[0], *g.gradient(["w1", "b1"]).outputs]))
    layout = arrange(scene)
    names = {b.label: layout.boxes[b.id] for b in scene.boxes}
    assert "gradient of dense_0" not in names
    for layer in ("dense_1", "loss"):
        forward, gradient = names[layer], names[f"gradient of {layer}"]
        assert (forward[1], forward[3]) == pytest.approx((gradient[1], gradient[3]))


def test_each_op_of_a_bare_gradient_is_tied_to_its_own():
    x, w = gn.input((3, 4), name="x"), gn.Parameter(np.zeros((4, 2), "f"), name="w")
    loss = gn.tanh(x @ w).sum()
    scene = build(gn.Graph([x], [loss, gn.gradients(loss, w)]))
    layout = arrange(scene)
    gradient = {n.id for n in scene.nodes if n.kind == "gradient"}
    tied = {scene.edges[i].head for i, _ in layout.curves if scene.edges[i].tie}
    assert tied == gradient and len(gradient) > 2
    name = {n.id: n.lines[0] for n in scene.nodes}
    assert {name[scene.edges[i].tail] for i, _ in layout.curves if scene.edges[i].tie} == {"matmul", "tanh"}
    svg = to_svg(scene, layout)
    assert svg.count("data-gradient-of=") == len(gradient)


def test_a_box_that_its_own_result_comes_back_to_is_drawn():
    """A closed box can both feed an op and take its result: a cycle among what is visible."""
    x = gn.input((2,), name="x")
    with gn.region("loop", "Loop"):
        a = gn.exp(x)
    b = gn.sin(a)
    with mode(region=a.region):
        c = gn.cos(b)
    scene = build(gn.Graph([x], c), depth=0)
    layout = arrange(scene)
    assert len(layout.curves) == len(scene.edges) == 4
    places = [corners(p) for p in layout.places.values()]
    assert not any(overlap(a, b) for a, b in itertools.combinations(places, 2))


def test_cycles_are_found_and_ranks_are_longest_paths():
    assert back_links("abc", [("a", "b"), ("b", "c"), ("a", "c")]) == set()
    assert back_links("abc", [("a", "b"), ("b", "c"), ("c", "a")]) == {2}
    rank, cyclic = longest_paths("abcd", [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")])
    assert rank == {"a": 0, "b": 1, "c": 2, "d": 3} and cyclic == []
    assert longest_paths("ab", [("a", "b"), ("b", "a")])[1] == ["a", "b"]


def test_orders_without_crossings_are_found():
    layers = [list("abcd"), list("wxyz")]
    links = [Link("a", "z"), Link("b", "y"), Link("c", "x"), Link("d", "w")]
    put_in_order(layers, links, frozenset(), float("inf"))
    assert layers[1] == ["z", "y", "x", "w"] or layers[0] == ["d", "c", "b", "a"]


def test_places_keep_their_gaps_and_lean_on_neighbours():
    items = {n: Item(5, 5, 10) for n in "abcd"}
    x = spread([["a"], ["b", "c", "d"]], items, [Link("a", n) for n in "bcd"], 4, float("inf"))
    assert [x["c"] - x["b"], x["d"] - x["c"]] == pytest.approx([14, 14])
    assert x["a"] == pytest.approx(x["c"])


def test_a_long_chain_is_one_straight_line():
    y = x = gn.input((3,), name="x")
    for i in range(60):
        with gn.region(f"layer_{i}", "Dense"):
            y = gn.relu(y @ gn.Parameter(np.zeros((3, 3), "f"), name=f"w{i}"))
    layout = arrange(build(gn.Graph([x], y), depth=0))
    assert len({round(p.x, 3) for p in layout.places.values()}) == 1


def test_pictures_do_not_depend_on_the_order_of_sets():
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_viz_layout as t;"
        "print(t.with_gradient().draw(engine='builtin').svg, t.with_gradient().to_dot(), t.tangle(3).to_dot())"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1] and "gradient of dense_1" in texts[0]
