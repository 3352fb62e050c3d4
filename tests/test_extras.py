"""What is optional: the commands that messages name work from a clone, and the distribution has a name of its own."""

import re
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
