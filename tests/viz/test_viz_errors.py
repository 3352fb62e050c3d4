"""The picture that belongs to an error: what was built, and what failed."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn, viz


def caught(f, *args):
    try:
        f(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing failed")


def drawn(error):
    picture = viz.partial(error, engine="builtin")
    ET.fromstring(picture.svg)
    scene = picture.scene
    by_id = {n.id: n.lines[0] for n in scene.nodes}
    return scene, {(by_id[e.tail], by_id[e.head], e.argument) for e in scene.edges if not e.tie}


def test_an_op_of_wrong_shapes_in_a_layer():
    def build():
        x = gn.input((5, 7), name="x")
        with gn.region("dense_1", "Dense"):
            h = gn.relu(x @ gn.Parameter(np.zeros((7, 4), "f"), name="w"))
        with gn.region("dense_2", "Dense"):
            return h @ gn.Parameter(np.zeros((3, 4), "f"), name="w2")

    error = caught(build)
    scene, edges = drawn(error)
    assert ("x", "matmul", "a") in edges and ("matmul", "relu", "") in edges
    assert ("relu", "matmul failed", "a") in edges and ("w2", "matmul failed", "b") in edges
    failed = scene.nodes[-1]
    assert failed.kind == "failed" and "k is 4 in one input" in " ".join(failed.lines).replace("\n", " ")
    box = {b.id: b.label for b in scene.boxes}
    assert box[failed.box] == "dense_2" and "dense_1" in box.values()
    assert not [n for n in scene.nodes if n.kind == "output"]
    assert "failed" in [meaning for meaning, *_ in scene.legend()]


def test_a_model_called_with_the_wrong_width_and_a_layer_that_raises():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, name="one"), nn.Dense(2)], name="net")
    scene, edges = drawn(caught(lambda: model(gn.exp(gn.input((2, 5), name="inp")))))
    assert ("inp", "exp", "") in edges and ("exp", "net (Sequential) failed", "") in edges
    assert any("was built for inputs" in " ".join(n.lines) for n in scene.nodes)

    class Picky(nn.Layer):
        def call(self, x):
            h = gn.sin(x)
            raise RuntimeError(f"no <b>good</b> {h.ndim}")

    scene, edges = drawn(caught(lambda: nn.Sequential([nn.Input((4,)), nn.Dense(3, name="first"), Picky(name="p")])))
    assert ("sin", "p (Picky) failed", "1") in edges or ("sin", "p (Picky) failed", "0") in edges
    assert any(n.lines[0] == "first/kernel" for n in scene.nodes)
    assert "RuntimeError: no <b>good</b> 2" in [n.tooltip for n in scene.nodes]


def test_eager_code_a_graph_that_is_called_and_a_trace():
    w = gn.Parameter(np.ones((3, 2)), name="w")

    def eager():
        h = gn.tanh(gn.tensor(np.ones((4, 3))) @ w)
        return h.reshape((3, 3))

    _, edges = drawn(caught(eager))
    assert ("tanh", "reshape failed", "") in edges and ("w", "matmul", "b") in edges
    x, i = gn.input((4,), name="x"), gn.input((1,), "int64", name="i")
    g = gn.Graph([x, i], gn.take(gn.exp(x), i, axis=0))
    error = caught(lambda: g(np.zeros(4), np.array([9])))
    _, edges = drawn(error)
    assert any(head.endswith("failed") and tail == "exp" for tail, head, _ in edges)
    error = caught(lambda: gn.trace(lambda a: gn.exp(a).sum() if a.sum() > 0 else a, np.ones(3)))
    scene, _ = drawn(error)
    assert any(n.lines[0] == "sum" for n in scene.nodes)


def test_the_op_that_made_a_nan_in_a_debug_context():
    w = gn.Parameter([1.0, -1.0], name="w")

    def step():
        with gn.debug(), gn.region("layer", "L"):
            return gn.log(w * 2.0).sum()

    scene, edges = drawn(caught(step))
    assert ("w", "multiply", "") in edges and ("multiply", "log failed", "") in edges
    assert "made NaN from finite inputs" in scene.nodes[-1].tooltip


def test_plain_data_is_shown_as_given():
    error = caught(lambda: gn.tensor(np.ones((2, 3))) @ gn.tensor(np.ones((2, 3))))
    scene, edges = drawn(error)
    assert sum(head == "matmul failed" for _, head, _ in edges) == 2
    assert all("float64[2, 3]" in n.lines[-1] for n in scene.nodes if n.kind == "constant")


def test_unrelated_tensors_are_left_out():
    def build():
        other = gn.cos(gn.input((9,), name="other"))
        x = gn.input((2, 3), name="x")
        side = gn.sin(x)
        return gn.exp(x) @ x, other, side

    scene, _ = drawn(caught(build))
    names = [n.lines[0] for n in scene.nodes]
    assert "other" not in names and "cos" not in names and "sin" in names and "exp" in names


def test_the_last_error_of_a_session_and_what_is_no_error_of_ours():
    code = (
        "import sys, graphnet as gn\n"
        "x = gn.input((2, 3), name='x')\n"
        "def hook(kind, error, trace):\n"
        "    sys.last_value = error\n"
        "    print([n.lines[0] for n in gn.viz.partial(engine='builtin').scene.nodes])\n"
        "sys.excepthook = hook\n"
        "gn.exp(x) @ x\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['x', 'exp', 'matmul failed']", done.stderr
    with pytest.raises(ValueError, match="no frame of this KeyError has a tensor"):
        viz.partial(caught(lambda: {}["a"]))


def test_without_an_error_it_says_so(monkeypatch):
    monkeypatch.delattr(sys, "last_value", raising=False)
    monkeypatch.delattr(sys, "last_exc", raising=False)
    with pytest.raises(ValueError, match="there was no error that nothing caught"):
        viz.partial()
