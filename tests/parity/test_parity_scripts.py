"""The scripts are Keras scripts: with the import lines changed back, the real Keras runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if os.environ.get("GRAPHNET_PARITY") != "1":
    pytest.skip("set GRAPHNET_PARITY=1 to compare with the real Keras", allow_module_level=True)
pytest.importorskip("keras")

SCRIPTS = sorted(p for p in Path(__file__).parents[1].joinpath("scripts").glob("*.py") if p.stem != "made_data")


def with_keras(source):
    """`source` with Keras in its import lines."""
    source = source.replace("from graphnet import nn as keras", "import keras")
    return re.sub(r"^from graphnet\.nn(\.\w+)? import", r"from keras\1 import", source, flags=re.MULTILINE)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script(path, tmp_path):
    source = with_keras(path.read_text("utf-8"))
    assert "graphnet" not in source
    script = tmp_path / path.name
    script.write_text(source, "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path.parents[2]), str(path.parent)])}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stderr
