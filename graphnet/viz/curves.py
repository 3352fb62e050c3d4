"""Curves over epochs as SVG text, with nothing but text: for reports, and for notebooks while a training runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from graphnet.escape import markup
from graphnet.viz.metrics import text_width
from graphnet.viz.svg import number

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 30, 32

#: every rule is tied to the charts' own class: a page or notebook that holds them keeps its own looks
CLASS = "graphnet-chart"


def _scoped(rules: str, dark: str = "") -> str:
    light, night = (re.sub(r"(^|})(?=.)", rf"\1.{CLASS} ", part) for part in (rules, dark))
    return light + (f"@media(prefers-color-scheme:dark){{{night}}}" if dark else "")


#: the looks of charts on a page that has `base.css` too
STYLE = _scoped(
    "text{font:11px system-ui,'Helvetica Neue',Arial,'Liberation Sans',sans-serif;fill:#5b6573}"
    ".name{font-size:13px;font-weight:600;fill:#1a202c}"
    ".grid{stroke:#d5dbe3;stroke-width:1}.axis{stroke:#9aa5b4;stroke-width:1}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".c0{stroke:#2b6cb0}.c1{stroke:#dd6b20}.c2{stroke:#2f855a}.c3{stroke:#805ad5}"
    ".f0{fill:#2b6cb0}.f1{fill:#dd6b20}.f2{fill:#2f855a}.f3{fill:#805ad5}"
    ".dot{stroke:none}.bad{fill:#c53030;stroke:none}"
    ".hill{stroke-width:1;fill-opacity:.55}.hill.w{stroke:#2b6cb0;fill:#a9c9ec}.hill.g{stroke:#b83260;fill:#f2b9cc}",
    "text{fill:#9aa5b4}.name{fill:#e6ebf2}.grid{stroke:#343d4a}.axis{stroke:#5d6878}"
    ".c0{stroke:#7ab8ff}.c1{stroke:#f6a35c}.c2{stroke:#6cc494}.c3{stroke:#b79cf2}"
    ".f0{fill:#7ab8ff}.f1{fill:#f6a35c}.f2{fill:#6cc494}.f3{fill:#b79cf2}"
    ".bad{fill:#ff6a4d}.hill.w{stroke:#7ab8ff;fill:#2d5f94}.hill.g{stroke:#e58aac;fill:#8a3556}",
)

#: the looks of a chart that stands alone, on paper of which nothing is known: readable on white and on black
ALONE = _scoped(
    "text{font:11px system-ui,'Helvetica Neue',Arial,'Liberation Sans',sans-serif;fill:#7a8391}"
    ".name{font-size:13px;font-weight:600}.grid{stroke:#7a8391;stroke-opacity:.28}.axis{stroke:#7a8391}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".c0{stroke:#3d8bdb}.c1{stroke:#e07b28}.c2{stroke:#3a9d68}.c3{stroke:#9370e0}"
    ".f0{fill:#3d8bdb}.f1{fill:#e07b28}.f2{fill:#3a9d68}.f3{fill:#9370e0}"
    ".dot{stroke:none}.bad{fill:#dd4b39;stroke:none}"
)


def short(value: float) -> str:
    """A number as an axis or a label has it.

    >>> short(0.25), short(12000.0), short(1e-7), short(0.0)
    ('0.25', '12,000', '1e-07', '0')
    """
    if value == 0:
        return "0"
    size = abs(value)
    if 1000 <= size < 1e6:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return text


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that part the way from `low` to `high` into about `count` pieces.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= span / count * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between the logarithms `low` and `high`, as logarithms; not more than six."""
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    if last - first < 1:
        return [low, high]
    return [float(e) for e in range(first, last + 1, max(1, -(-(last - first) // 5)))]


def _scaled(values: list[float], logarithmic: bool | None) -> tuple[bool, float, float]:
    """Whether the axis is one of logarithms, and its ends: in values, or in powers of ten."""
    if logarithmic is None:
        # What falls by more than a hundred times shows its end only so.
        logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) > 100
    logarithmic = logarithmic and bool(values) and min(values) > 0
    if logarithmic:
        values = [math.log10(v) for v in values]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-12 * max(1.0, abs(low)):
        pad = abs(low) * 0.1 or 0.5
        return logarithmic, low - pad, high + pad
    pad = (high - low) * 0.05
    return logarithmic, low - pad, high + pad


def chart(
    title: str, series: Mapping[str, Points], logarithmic: bool | None = None, alone: bool = False, first: int = 0
) -> str:
    """Lines over epochs: `series` by name, as (epoch, value). What is not finite is left out, and marked at the top.

    `logarithmic` is the scale of the values; None for what suits them. With `alone` the looks are inside. `first` is
    the colour that is used first.
    """
    finite = {
        name: [(e, v) for e, v in points if math.isfinite(v) and abs(v) < 1e300] for name, points in series.items()
    }
    lost = [
        (e, name) for name, points in series.items() for e, v in points if not (math.isfinite(v) and abs(v) < 1e300)
    ]
    log, low, high = _scaled([v for points in finite.values() for _, v in points], logarithmic)
    epochs = [e for points in series.values() for e, _ in points] or [1]
    begin, end = min(epochs), max(epochs)

    def x(epoch: float) -> float:
        share = (epoch - begin) / (end - begin) if end > begin else 0.5
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        at = math.log10(value) if log else value
        return HEIGHT - _BOTTOM - (at - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    said = ", ".join(f"{name} {short(points[-1][1])}" for name, points in finite.items() if points)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{markup(f"{title}: {said}")}">'
    ]
    if alone:
        out.append(f"<style>{ALONE}</style>")
    names = {name: text_width(name, 11) for name in finite}
    room = WIDTH - _LEFT - _RIGHT - sum(names.values()) - 32 * len(names)
    heading = title + (" (log scale)" if log else "")
    while text_width(heading, 15.5) > room and len(title) > 4:
        title = title[:-2].rstrip() + "…"
        heading = title + (" (log)" if log else "")
    out.append(f'<text class="name" x="{_LEFT}" y="18">{markup(heading)}</text>')
    for at in _log_ticks(low, high) if log else ticks(low, high):
        value = 10.0**at if log else at
        line = number(y(value))
        out.append(f'<path class="grid" d="M{_LEFT} {line}H{WIDTH - _RIGHT}"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{number(y(value) + 4)}" text-anchor="end">{short(value)}</text>')
    base = HEIGHT - _BOTTOM
    out.append(f'<path class="axis" d="M{_LEFT} {base}H{WIDTH - _RIGHT}"/>')
    for epoch in dict.fromkeys(int(e) for e in ticks(begin, end, 6) if float(e).is_integer()) or [int(begin)]:
        out.append(f'<text x="{number(x(epoch))}" y="{base + 15}" text-anchor="middle">{epoch}</text>')
    out.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 3}" text-anchor="end">epoch</text>')
    place = float(WIDTH - _RIGHT)
    for colour, (name, points) in reversed(list(enumerate(finite.items(), first))):
        colour %= 4
        place -= 7 * len(name) + 26
        out.append(
            f'<path class="line c{colour}" d="M{place} 14h14"/><text x="{place + 18}" y="18">{markup(name)}</text>'
        )
        if not points:
            continue
        path = "L".join(f"{number(x(e))} {number(y(v))}" for e, v in points)
        out.append(f'<path class="line c{colour}" d="M{path}"/>')
        shown = points if len(points) <= 60 else points[-1:]
        for e, v in shown:
            tip = markup(f"{name}, epoch {short(e)}: {short(v)}")
            out.append(
                f'<circle class="dot f{colour}" cx="{number(x(e))}" cy="{number(y(v))}" r="2.5">'
                f"<title>{tip}</title></circle>"
            )
    for e, name in lost[:200]:
        tip = f"{markup(name)} is not finite here"
        out.append(f'<path class="bad" d="M{number(x(e))} {_TOP}l-4 -8h8z"><title>{tip}</title></path>')
    out.append("</svg>")
    return "".join(out)


#: (epoch, counts, lowest, highest) of one moment of an array
Moment = tuple[int, Sequence[int], float, float]


def ridges(title: str, moments: Sequence[Moment], kind: str = "w", most: int = 10) -> str:
    """Histograms over time, one behind the other, the latest in front: of at most `most` of the `moments`.

    `kind` is "w" or "g", the colour of weights or of gradients.
    """
    shown = [m for m in thinned(moments, most) if m[1]]
    width, left, top, step, tall = 250, 36, 28, 15, 34
    height = top + tall + step * max(1, len(shown)) + 22
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{markup(title)}, histograms of {len(shown)} epochs">',
        f'<text class="name" x="6" y="16">{markup(title)}</text>',
    ]
    low = min((m[2] for m in shown), default=0.0)
    high = max((m[3] for m in shown), default=1.0)
    if not high > low:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 12)

    for place, (epoch, counts, least, greatest) in enumerate(shown):
        base = top + tall + step * place
        # Density, so that a narrow histogram is as large as a wide one of the same array.
        bin_width = max((greatest - least) / len(counts), (high - low) / 400)
        peak = max(counts) / bin_width
        scale = tall / peak if peak else 0.0
        points = [f"{number(x(least))} {base}"]
        for i, n in enumerate(counts):
            at = least + (i + 0.5) * (greatest - least) / len(counts)
            points.append(f"{number(x(at))} {number(base - n / bin_width * scale)}")
        points.append(f"{number(x(greatest))} {base}")
        out.append(
            f'<path class="hill {kind}" d="M{"L".join(points)}z"><title>epoch {epoch}: {short(least)} to '
            f"{short(greatest)}</title></path>"
        )
        if place % max(1, len(shown) // 5) == 0 or place == len(shown) - 1:
            out.append(f'<text x="{left - 6}" y="{base}" text-anchor="end">{epoch}</text>')
    base = height - 20
    out.append(f'<path class="axis" d="M{left} {base}H{width - 12}"/>')
    for value, anchor in ((low, "start"), (high, "end")):
        out.append(f'<text x="{number(x(value))}" y="{height - 5}" text-anchor="{anchor}">{short(value)}</text>')
    if not shown:
        out.append(f'<text x="{left}" y="{top + 24}">no finite numbers</text>')
    if low < 0 < high and x(low) + 44 < x(0) < x(high) - 44:
        out.append(f'<text x="{number(x(0))}" y="{height - 5}" text-anchor="middle">0</text>')
    out.append("</svg>")
    return "".join(out)


def thinned(items: Sequence[Moment], most: int) -> list[Moment]:
    """The first, the last, and some between them at even steps."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def spark(values: Sequence[float], width: int = 110, height: int = 22) -> str:
    """A line without axes, on a scale of logarithms where all values are positive."""
    finite = [(i, v) for i, v in enumerate(values) if math.isfinite(v)]
    if len(finite) < 2:
        return ""
    logs = all(v > 0 for _, v in finite)
    ys = [math.log10(v) if logs else v for _, v in finite]
    low, high = min(ys), max(ys)
    span = high - low if high > low else 1.0
    path = "L".join(
        f"{number(2 + i / (len(values) - 1) * (width - 4))} {number(height - 3 - (y - low) / span * (height - 6))}"
        for (i, _), y in zip(finite, ys, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" aria-hidden="true"><path class="line c0" d="M{path}"/></svg>'
    )
