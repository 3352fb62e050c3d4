"""Scripts as Keras' documentation writes them run, with only their import lines changed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted(p for p in Path(__file__).with_name("scripts").glob("*.py") if p.stem != "made_data")
NEEDS = {"save_and_load": "h5py"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script(path, tmp_path):
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem], reason="the file format is HDF5")
    paths = [str(path.parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not any(character in done.stdout for character in "\r\b\x1b")


#: the public modules that Keras has under the same names
MODULES = {"callbacks", "constraints", "initializers", "layers", "losses", "metrics", "models", "optimizers", "ops"}
MODULES |= {"regularizers", "utils"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_a_script_imports_what_keras_has_under_the_same_names(path):
    modules = re.findall(r"^from graphnet\.nn\.(\w+) import", path.read_text("utf-8"), re.M)
    assert set(modules) <= MODULES
