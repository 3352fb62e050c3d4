"""What is optional: what works without, and what messages say to install works from a clone, under its own name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphnet.extras import PACKAGES, install

ROOT = Path(__file__).parent.parent


def project():
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads pyproject.toml")
def test_each_extra_that_a_message_names_is_there_and_brings_its_package():
    extras = project()["optional-dependencies"]
    for extra, package in PACKAGES.items():
        assert any(re.match(rf"{package}\b", need, re.IGNORECASE) for need in extras[extra]), extra
        assert install(extra) == f"pip install {package} (in a clone of graphnet: pip install -e '.[{extra}]')"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads pyproject.toml")
def test_the_distribution_is_not_the_library_of_that_name_on_pypi():
    found = project()
    assert found["name"] == "graphnet-autodiff" and "graphnet" in found["scripts"]
    own = [need for needs in found["optional-dependencies"].values() for need in needs if need.startswith("graphnet")]
    assert own and all(need.startswith("graphnet-autodiff[") for need in own)


def test_nothing_tells_to_install_the_other_library():
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "graphnet").rglob("*.py")]
    for file in files:
        assert not re.search(r"pip install ['\"]?graphnet\b(?!-autodiff)", file.read_text("utf-8")), file


#: all that is optional, hidden from a new process as if it were not installed
HIDDEN = "llvmlite matplotlib pygraphviz h5py sklearn IPython pandas scipy PIL tensorboardX".split()

TOUR = f"""
import sys
from importlib.machinery import PathFinder

found = PathFinder.find_spec
hidden = {HIDDEN!r}
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name.split(".")[0] in hidden else found(name, path, target)
)

import numpy as np
import graphnet as gn
from graphnet import nn
from graphnet.optional import is_installed

x = np.arange(12.0, dtype=np.float32).reshape(4, 3)
assert not any(map(is_installed, hidden)) and is_installed("numpy") and is_installed("graphnet")
assert gn.compile(lambda v: v * v)(x).tolist() == (x * x).tolist()
assert gn.scan(lambda c, t: (c * t, c), gn.tensor(1.0), gn.tensor([2.0, 3.0]))[0].item() == 6.0
assert gn.trace(gn.sin, x).compile()(x).shape == (4, 3)
model = nn.Sequential([nn.Input((3,)), nn.Dense(2), nn.Dense(1)])
model.compile("adam", "mse")
history = model.fit(x, x[:, :1], epochs=2, verbose=0)
assert len(history.history["loss"]) == 2 and model.predict(x, verbose=0).shape == (4, 1)
assert "<svg" in model.draw().svg
model.save("m.graphnet")
assert nn.load_model("m.graphnet").count_params() == model.count_params()
for needs, arguments in (
    (gn.compile, {{"f": gn.sin, "backend": "native"}}),
    (model.save, {{"filepath": "m.keras"}}),
    (history.plot, {{"path": "c.pdf"}}),
):
    try:
        needs(**arguments)
    except ImportError as error:
        assert "pip install" in str(error), error
    else:
        raise AssertionError("worked without its package")
"""


def test_without_any_optional_package(tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "GRAPHNET_NATIVE"}
    env.update(PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(
        [sys.executable, "-c", TOUR], cwd=tmp_path, capture_output=True, text=True, env=env, timeout=200
    )
    assert done.returncode == 0, done.stderr
