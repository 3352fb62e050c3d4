"""The layout of a scene when no Graphviz is at hand: arranged (`arranger`), then in coordinates (`routes`)."""

from __future__ import annotations

import time

from graphnet.viz.arranger import Arranger
from graphnet.viz.geometry import LONGEST, SECONDS, SECONDS_EACH, Layout
from graphnet.viz.routes import placed
from graphnet.viz.scene import Scene


def arrange(scene: Scene, rankdir: str = "TB", timeout: float | None = None) -> Layout:
    """A layout of the scene; the same scene gives the same layout, unless `timeout` seconds cut the search short.

    Unless given, they are in proportion to the scene.
    """
    if timeout is None:
        timeout = min(LONGEST, SECONDS + SECONDS_EACH * (len(scene.nodes) + len(scene.edges)))
    arranger = Arranger(scene, rankdir, time.monotonic() + timeout)
    arranger.arrange_all()
    return placed(arranger)
