"""How to install what is optional: commands that work wherever graphnet came from."""

from __future__ import annotations

#: what each extra of graphnet's distribution is for: the packages that messages name
PACKAGES = {
    "fast": "llvmlite",
    "keras": "h5py",
    "plot": "matplotlib",
    "sklearn": "scikit-learn",
    "tensorboard": "tensorboardX",
    "viz": "pygraphviz",
}


def install(extra: str) -> str:
    """The command that installs an extra, and the one that does so in a clone of graphnet.

    >>> install("plot")
    "pip install matplotlib (in a clone of graphnet: pip install -e '.[plot]')"
    """
    return f"pip install {PACKAGES[extra]} (in a clone of graphnet: pip install -e '.[{extra}]')"
