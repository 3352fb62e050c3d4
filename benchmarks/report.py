"""What was measured, as a table on the terminal, as Markdown and as a picture: medians, ratios, targets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import OURS


@dataclass(frozen=True)
class Target:
    """Ours is to be at most `limit` times the best of `peers` (none: of all); if `absolute`, at most `limit` itself."""

    limit: float
    peers: tuple[str, ...] = ()
    absolute: bool = False


@dataclass
class Result:
    """The figures of one work: seconds or MiB per library, less is better."""

    name: str
    title: str
    figures: dict[str, float]
    targets: tuple[Target, ...] = ()
    unit: str = "s"
    notes: list[str] = field(default_factory=list)
    ours: str = OURS

    @property
    def best(self) -> str | None:
        """The peer with the least."""
        return self.least(())

    def least(self, peers: Sequence[str]) -> str | None:
        """The one of these peers (none: of all) with the least. What begins with our name is ours too."""
        others = {n: v for n, v in self.figures.items() if not n.startswith(self.ours)}
        found = {n: v for n, v in others.items() if not peers or n in peers}
        return min(found, key=found.__getitem__) if found else None

    def verdicts(self) -> list[tuple[str, bool | None]]:
        """Each target in words, and whether it is met; None if it cannot be said."""
        answers: list[tuple[str, bool | None]] = []
        mine = self.figures.get(self.ours)
        for target in self.targets:
            if target.absolute:
                answers.append((f"≤ {shown(target.limit, self.unit)}", None if mine is None else mine <= target.limit))
                continue
            peer = self.least(target.peers)
            words = f"≤ {target.limit:g} × {peer or ' or '.join(target.peers) or 'any peer'}"
            known = mine is not None and peer is not None
            answers.append((words, mine <= target.limit * self.figures[peer] if known else None))
        return answers


def shown(value: float, unit: str) -> str:
    """A figure with three digits and a unit that suits its size."""
    if unit != "s":
        return f"{value:,.0f} {unit}"
    for factor, name in ((1e6, "µs"), (1e3, "ms"), (1, "s")):
        scaled = value * factor
        if scaled < 1000 or name == "s":
            digits = max(0, 2 - math.floor(math.log10(scaled))) if scaled > 0 else 0
            return f"{scaled:.{digits}f} {name}"
    raise AssertionError


def ratio(result: Result) -> str:
    """Ours over the best peer's."""
    if result.best is None or result.ours not in result.figures:
        return ""
    return f"{result.figures[result.ours] / result.figures[result.best]:.2f}"


def verdict(result: Result) -> str:
    """All targets in a line."""
    words = {True: "met", False: "not met", None: "?"}
    return "; ".join(f"{said}: {words[met]}" for said, met in result.verdicts())


def lines(result: Result) -> list[str]:
    """The figures of one work for the terminal, least first."""
    mine = result.figures.get(result.ours)
    rows = []
    for library, value in sorted(result.figures.items(), key=lambda item: item[1]):
        share = f"  {mine / value:6.2f}" if mine is not None and library != result.ours else ""
        rows.append(f"    {library:22} {shown(value, result.unit):>9}{share}")
    told = verdict(result)
    return rows + ([f"    target {told}"] if told else [])


def table(results: Sequence[Result]) -> str:
    """All works in lines of one width."""
    rows = [("work", OURS, "best peer", "", "ratio", "target")]
    for r in results:
        ours = shown(r.figures[r.ours], r.unit) if r.ours in r.figures else ""
        peer = shown(r.figures[r.best], r.unit) if r.best else ""
        rows.append((r.name, ours, r.best or "", peer, ratio(r), verdict(r)))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join("  ".join([*(c.ljust(w) for c, w in zip(row[:5], widths, strict=True)), row[5]]) for row in rows)


def markdown(results: Sequence[Result], about: Mapping[str, Any]) -> str:
    """The whole report as text."""
    peers = list(dict.fromkeys(n for r in results for n in r.figures if n != r.ours))
    met = [m for r in results for _, m in r.verdicts()]
    text = ["# Benchmarks", ""]
    text += [f"{said}: {value}  " for said, value in about.items()]
    text += [
        "",
        f"{met.count(True)} of {len(met)} targets are met. Figures are medians, less is better; the ratio is ours to "
        "that of the best peer.",
        "",
        "| work | graphnet | best peer | ratio | target |",
        "|---|---:|---:|---:|---|",
    ]
    for r in results:
        ours = shown(r.figures[r.ours], r.unit) if r.ours in r.figures else ""
        peer = f"{r.best} {shown(r.figures[r.best], r.unit)}" if r.best else ""
        text.append(f"| {r.title} (`{r.name}`) | {ours} | {peer} | {ratio(r)} | {verdict(r)} |")
    text += ["", "## All figures", "", f"| work | {OURS} | {' | '.join(peers)} |", "|---|" + "---:|" * (1 + len(peers))]
    for r in results:
        cells = [shown(r.figures[n], r.unit) if n in r.figures else "" for n in (r.ours, *peers)]
        text.append(f"| `{r.name}` | {' | '.join(cells)} |")
    notes = [f"- `{r.name}`: {note}" for r in results for note in r.notes]
    if notes:
        text += ["", "## Notes", "", *notes]
    return "\n".join(text) + "\n"


COLOURS = {
    OURS: "#c8372d",
    "graphnet.nn": "#e3938c",
    "PyTorch": "#8a6fb0",
    "torch.compile": "#b9a6d3",
    "JAX": "#3f7fb5",
    "Keras": "#8fb8da",
    "scikit-learn": "#d9a441",
    "autograd": "#6a9f58",
    "MyGrad": "#a8cf9a",
    "tinygrad": "#777777",
}


def picture(results: Sequence[Result], path: Path) -> None:
    """A panel per work, a bar per library, on a logarithmic scale; the dashed line is the first target."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter, NullLocator

    columns = min(3, len(results))
    rows = math.ceil(len(results) / columns)
    most = max(len(r.figures) for r in results)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5.2 * columns, (0.7 + 0.24 * most) * rows), squeeze=False, facecolor="white"
    )
    for place, axis in enumerate(axes.flat):
        if place >= len(results):
            axis.axis("off")
            continue
        result = results[place]
        ordered = sorted(result.figures.items(), key=lambda item: item[1], reverse=True)
        names, values = [n for n, _ in ordered], [max(v, 1e-9) for _, v in ordered]
        colours = [COLOURS[OURS] if n == result.ours else COLOURS.get(n, "#bbbbbb") for n in names]
        low, high = min(values), max(values)
        limits = [t.limit * (1.0 if t.absolute else result.figures.get(result.least(t.peers) or "", math.nan))
                  for t in result.targets[:1]]  # fmt: skip
        low = min([low, *(v for v in limits if v == v)])
        axis.barh(names, values, color=colours, height=0.72)
        axis.set_xscale("log")
        # Room on the right for the figures.
        left = low / 3
        axis.set_xlim(left, high * (high / left) ** 0.28)
        for i, value in enumerate(values):
            label = axis.text(value, i, f" {shown(value, result.unit)}", va="center", fontsize=8, color="#222222")
            # The line of the target must not cross the figures.
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        for limit in limits:
            if limit == limit:
                axis.axvline(limit, color="#222222", linestyle=(0, (4, 3)), linewidth=1)
        axis.set_ylim(len(values) - most - 0.6, len(values) - 0.4)
        axis.set_title(result.title, fontsize=9, loc="left")
        axis.tick_params(axis="y", labelsize=8, length=0)
        axis.xaxis.set_major_locator(NullLocator())
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_minor_formatter(NullFormatter())
        for side in ("top", "right", "bottom"):
            axis.spines[side].set_visible(False)
        axis.spines["left"].set_color("#bbbbbb")
    figure.suptitle("medians, logarithmic, less is better; dashed: the target", fontsize=10, color="#444444")
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write(results: Sequence[Result], about: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `results.json`, `results.md` and, if matplotlib is there, `results.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "results.json", folder / "results.md"]
    saved = {"about": dict(about), "results": [asdict(r) for r in results]}
    paths[0].write_text(json.dumps(saved, indent=1) + "\n", "utf-8")
    paths[1].write_text(markdown(results, about), "utf-8")
    if results:
        try:
            picture(results, folder / "results.png")
        except ImportError:
            return paths
        paths.append(folder / "results.png")
    return paths
