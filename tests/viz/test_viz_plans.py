"""Pictures of plans: what runs together is in one box, with its code behind it."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet.plans.code import compiler

needs_native = pytest.mark.skipif(not compiler.available(), reason="llvmlite is not installed")


def graph():
    x = gn.input((16, 8), name="x")
    w = gn.Parameter(np.ones((8, 4), "f"), name="w")
    with gn.region("layer", "Dense"):
        y = gn.softmax(gn.relu(x @ w) * 2.0)
    return gn.Graph([x], y, name="net")


def read(picture):
    root = ET.fromstring(picture.svg)
    texts = [e.text for e in root.iter() if e.tag.endswith("text")]
    titles = [e.text for e in root.iter() if e.tag.endswith("title") and e.text]
    return texts, titles


@needs_native
def test_a_fused_kernel_is_a_box_with_its_code():
    plan = graph().compile("native")
    picture = plan.draw(engine="builtin")
    texts, titles = read(picture)
    boxes = [b for b in picture.scene.boxes if b.kind == "kernel"]
    assert len(boxes) == 1 and "kernel 1" in texts and "fused kernel" in texts and "net, native" in texts
    code = next(t for t in titles if "for i0 in range(16):" in t)
    assert "exp(" in code and "sum of" in code
    inside = {n.lines[0] for n in picture.scene.nodes if n.box == boxes[0].id}
    assert {"relu", "multiply", "max", "subtract", "exp", "sum", "divide"} == inside
    product = next(n for n in picture.scene.nodes if n.lines[0] == "matmul")
    assert product.box is None and product.data["code"].startswith("v_t0 = v_x @ v_w")
    assert "2 steps, 1 of them fused" in texts
    closed = plan.draw(engine="builtin", depth=0)
    node = next(n for n in closed.scene.nodes if n.kind == "kernel")
    assert node.lines == ["kernel 1", "7 ops"] and "for i0 in range(16):" in node.tooltip


@needs_native
def test_layers_instead_of_kernels_and_times():
    plan = graph().compile("native")
    layers = plan.draw(engine="builtin", kernels=False)
    assert layers.scene.boxes[0].label == "layer"
    timed = plan.draw(engine="builtin", heat="time")
    assert timed.scene.heat[0] == "time" and all(n.heat is not None for n in timed.scene.nodes if n.kind == "op")
    profile = plan.profile(repeat=2)
    assert plan.draw(engine="builtin", profile=profile, heat="memory").scene.heat[0] == "memory"


def test_a_numpy_plan_has_a_line_for_each_op():
    plan = graph().compile("numpy")
    picture = plan.draw(engine="builtin")
    codes = [n.data.get("code", "") for n in picture.scene.nodes if n.kind == "op"]
    assert any("k_exp(" in c for c in codes) and not [b for b in picture.scene.boxes if b.kind == "kernel"]
    assert "net, numpy" in read(picture)[0]
    timed = plan.draw(engine="builtin", heat="time")
    assert sum(n.data.get("seconds", 0) for n in timed.scene.nodes) > 0


def test_plans_and_compiled_functions_show_themselves():
    f = gn.compile(lambda x: gn.exp(x) * 2.0, backend="numpy")
    assert f._repr_svg_() is None
    with pytest.raises(ValueError, match="there is no picture before the first call"):
        f.draw()
    f(np.zeros(3))
    assert "exp" in f._repr_svg_() and f.draw(engine="builtin").svg.startswith("<svg")
    assert graph().compile("numpy")._repr_svg_().startswith("<svg")


def test_a_profile_of_one_backend_is_drawn_as_that():
    numpy_profile = graph().compile("numpy").profile(repeat=2)
    if compiler.available():
        plan = graph().compile("native")
        picture = plan.draw(engine="builtin", profile=numpy_profile)
        assert "net, numpy" in read(picture)[0]
