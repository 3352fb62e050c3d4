"""The page of a training: curves, what each weight and its gradient look like over time, what is wrong, the graph.

A page without any script: it is written anew as the training goes on, and loads itself again until that is over.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from graphnet.escape import markup
from graphnet.viz.curves import STYLE, Moment, Points, chart, ridges, short, spark
from graphnet.viz.scene import one_line
from graphnet.viz.standalone import asset, joined

#: a gradient whose numbers are this much smaller than the largest of the network's has vanished
VANISHED = 1e-3
#: a norm this many times its own median so far, or this many times that of the weight, has exploded
EXPLODED = 100.0
#: weights whose histograms are open at first
OPEN = 8


@dataclass
class Watched:
    """One weight over time: moments (histograms) and norms by epoch of its values, and of its gradient."""

    name: str
    type: str
    size: int
    learns: bool = True
    values: list[Moment] = field(default_factory=list)
    slopes: list[Moment] = field(default_factory=list)
    norms: list[tuple[int, float]] = field(default_factory=list)
    slope_norms: list[tuple[int, float]] = field(default_factory=list)

    @property
    def rms(self) -> float:
        """The size of a typical number of the latest gradient."""
        return self.slope_norms[-1][1] / math.sqrt(max(1, self.size)) if self.slope_norms else 0.0


def diagnosis(w: Watched, all_of_them: Sequence[Watched]) -> tuple[str, str]:
    """(word, why) about the latest gradient of a weight: "", "fine", "vanishing", "exploding", "zero" or "not finite".

    >>> deep = Watched("first", "float32[9]", 9, slope_norms=[(1, 1e-6)])
    >>> diagnosis(deep, [deep, Watched("last", "float32[9]", 9, slope_norms=[(1, 1.0)])])[0]
    'vanishing'
    """
    if w.norms and not math.isfinite(w.norms[-1][1]):
        return "not finite", "the weight itself has NaN or infinite numbers"
    if not w.slope_norms:
        return "", ""
    norm = w.slope_norms[-1][1]
    if not math.isfinite(norm):
        return "not finite", "the gradient has NaN or infinite numbers"
    if norm == 0:
        return "zero", "the gradient is 0 everywhere: nothing is learned here"
    before = [v for _, v in w.slope_norms[:-1] if math.isfinite(v) and v > 0]
    if len(before) >= 3 and norm > EXPLODED * median(before):
        return "exploding", f"{short(norm / median(before))} times its median so far"
    own = w.norms[-1][1] if w.norms else 0.0
    if own > 0 and norm > EXPLODED * own and norm > 1:
        return "exploding", f"its norm is {short(norm / own)} times that of the weight"
    largest = max((o.rms for o in all_of_them if math.isfinite(o.rms)), default=0.0)
    if w.rms < VANISHED * largest:
        return "vanishing", f"1/{largest / w.rms:,.0f} of the size of the largest"
    return "fine", ""


@dataclass
class Report:
    """All that the page says. `curves` has for each quantity its lines by name; `picture` is SVG text."""

    title: str
    state: str = ""
    running: bool = False
    facts: list[tuple[str, str]] = field(default_factory=list)
    curves: dict[str, dict[str, Points]] = field(default_factory=dict)
    weights: list[Watched] = field(default_factory=list)
    picture: str = ""
    caption: str = ""
    notes: list[str] = field(default_factory=list)
    refresh: int = 5

    def html(self) -> str:
        """The page as text."""
        style = asset("base.css") + asset("report.css") + STYLE
        again = f'<meta http-equiv="refresh" content="{int(self.refresh)}">' if self.running and self.refresh else ""
        facts = "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in self.facts)
        notes = "".join(f'<p class="note">{_text(n, 400)}</p>' for n in self.notes)
        return joined(
            "report.html",
            one_line(self.title, 120),
            style,
            REFRESH=again,
            STATE=_text(self.state),
            RUNNING="running" if self.running else "over",
            FACTS=facts,
            NOTES=notes + self._warnings(),
            CURVES=self._curves(),
            WEIGHTS=self._table() + self._histograms(),
            GRAPH=self._graph(),
        )

    def _curves(self) -> str:
        charts = [chart(one_line(name, 60), lines) for name, lines in self.curves.items()]
        return "".join(f"<figure>{c}</figure>" for c in charts) or "<p>Nothing yet: the first epoch is running.</p>"

    def _warnings(self) -> str:
        found: dict[str, list[str]] = {}
        for w in self.weights:
            word, _ = diagnosis(w, self.weights)
            if word not in ("", "fine"):
                found.setdefault(word, []).append(w.name)
        said = {
            "vanishing": "Vanishing gradients",
            "exploding": "Exploding gradients",
            "zero": "Gradients that are zero",
            "not finite": "NaN or infinite numbers",
        }
        return "".join(
            f'<p class="warning">{said[word]}: {_text(", ".join(names[:6]), 400)}'
            f"{f' and {len(names) - 6} more' if len(names) > 6 else ''}</p>"
            for word, names in found.items()
        )

    def _table(self) -> str:
        if not self.weights:
            return ""
        rows = []
        for w in self.weights:
            word, why = diagnosis(w, self.weights)
            norm = w.norms[-1][1] if w.norms else float("nan")
            slope = w.slope_norms[-1][1] if w.slope_norms else None
            ratio = slope / norm if slope is not None and norm > 0 and math.isfinite(slope) else None
            badge = f'<b class="badge {word.replace(" ", "-")}" title="{_text(why, 200)}">{word}</b>' if word else ""
            rows.append(
                f'<tr><th scope="row">{_text(w.name)}</th><td>{_text(w.type)}</td><td>{short(norm)}</td>'
                f"<td>{'' if slope is None else short(slope)}</td><td>{'' if ratio is None else short(ratio)}</td>"
                f"<td>{spark([v for _, v in w.slope_norms])}</td><td>{badge} <small>{_text(why, 200)}</small></td></tr>"
            )
        return (
            '<div class="wide"><table><thead><tr><th>weight</th><th>type</th><th>norm</th><th>gradient\'s norm</th>'
            "<th>ratio</th><th>gradient's norm over time</th><th></th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _histograms(self) -> str:
        parts = []
        for place, w in enumerate(self.weights):
            if not w.values:
                continue
            pair = ridges("values", w.values)
            if w.slopes:
                pair += ridges("gradient", w.slopes, "g")
            state = " open" if place < OPEN else ""
            parts.append(f'<details{state}><summary>{_text(w.name)}</summary><div class="pair">{pair}</div></details>')
        return f'<div class="hills">{"".join(parts)}</div>'

    def _graph(self) -> str:
        if not self.picture:
            return ""
        # As an image: nothing in it can reach the page, and its looks are its own.
        data = base64.b64encode(self.picture.encode("utf-8")).decode("ascii")
        caption = f"<figcaption>{_text(self.caption, 400)}</figcaption>" if self.caption else ""
        return (
            f'<section><h2>Graph</h2><figure class="graph"><img alt="The graph of the model" '
            f'src="data:image/svg+xml;base64,{data}">{caption}</figure></section>'
        )


def _text(text: str, limit: int = 120) -> str:
    return markup(one_line(str(text), limit))
