"""From containers laid out one by one to one picture: everything in its place, edges as curves, with texts.

Edges inside a column run along the flow and bend between its layers. What the gradient needs of the forward
computation leaves through the gap under its layer, crosses the channel between the columns, and enters through a gap.
"""

from __future__ import annotations

import itertools

from graphnet.viz.arranger import Arranger
from graphnet.viz.geometry import BACKWARD, FORWARD, SMALL, TEXT, Layout, Place, Point, Step, Text
from graphnet.viz.layered import Key
from graphnet.viz.metrics import text_width

MARGIN, TRACK, ROUND = 14.0, 6.0, 6.0


class _Sheet:
    """The map from the flow's directions, column by column, to the screen's."""

    def __init__(self, arranger: Arranger):
        self.rankdir = arranger.rankdir
        self.arranger = arranger
        frames = arranger.frames
        self.total = max(f.along for c, f in frames.items() if c in (FORWARD, BACKWARD))
        values = len({(e.tail, e.label) for _, e in arranger.cross})
        self.track = min(TRACK, 220.0 / max(1, values))
        self.channel = (frames[FORWARD].across + 16.0, frames[FORWARD].across + 16.0 + self.track * values)
        self.offset: dict[Key, Point] = {FORWARD: (0.0, 0.0)}
        if arranger.columns:
            self.offset[BACKWARD] = (self.channel[1] + 16.0, 0.0)
        for c in sorted(frames, key=lambda c: len(arranger.path(c))):
            if c not in self.offset:
                around = arranger.parent[c]
                across, along = frames[around].at[c]
                x, y = self.offset[around]
                self.offset[c] = (x + across - frames[c].across / 2, y + along)

    def flat(self, point: Point, back: bool) -> Point:
        """A point of a column, with both columns' `along` counted from the same end."""
        return (point[0], self.total - point[1]) if back else point

    def screen(self, point: Point) -> Point:
        across, along = point
        if self.rankdir in ("LR", "RL"):
            return (along if self.rankdir == "LR" else -along), across
        return across, (along if self.rankdir == "TB" else -along)

    def steps(self, steps: list[Step]) -> list[Step]:
        return [(letter, tuple(self.screen(p) for p in points)) for letter, points in steps]


def _smooth(points: list[Point]) -> list[Step]:
    """A path that runs straight along the flow and bends where it moves across."""
    kept = [points[0]]
    for p in points[1:]:
        if p == kept[-1]:
            continue
        if len(kept) > 1 and abs(p[0] - kept[-1][0]) < 0.05 and abs(kept[-1][0] - kept[-2][0]) < 0.05:
            kept[-1] = p
        else:
            kept.append(p)
    steps: list[Step] = [("M", (kept[0],))]
    for a, b in itertools.pairwise(kept):
        if abs(a[0] - b[0]) < 0.05:
            steps.append(("L", (b,)))
        else:
            half = (a[1] + b[1]) / 2
            steps.append(("C", ((a[0], half), (b[0], half), b)))
    return steps


def _rounded(points: list[Point]) -> list[Step]:
    """A path of straight pieces whose corners are rounded."""
    points = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    steps: list[Step] = [("M", (points[0],))]
    for a, b, c in zip(points, points[1:], points[2:]):  # noqa: B905
        before, after = abs(b[0] - a[0]) + abs(b[1] - a[1]), abs(c[0] - b[0]) + abs(c[1] - b[1])
        r = min(ROUND, before / 2, after / 2)
        start = (b[0] + (a[0] - b[0]) * r / before, b[1] + (a[1] - b[1]) * r / before)
        end = (b[0] + (c[0] - b[0]) * r / after, b[1] + (c[1] - b[1]) * r / after)
        steps += [("L", (start,)), ("Q", (b, end))]
    steps.append(("L", (points[-1],)))
    return steps


def placed(arranger: Arranger) -> Layout:
    """The layout, in the coordinates of the screen."""
    result = Layout()
    sheet = _Sheet(arranger)
    body: dict[str, tuple[Point, Point, Point]] = {}  # anchor across and ends of the body along; the band around
    for node, box in arranger.parent.items():
        if node not in arranger.nodes:
            continue
        frame = arranger.frames[box]
        x, y = sheet.offset[box]
        across, along = frame.at[node]
        before, _ = arranger.rows[node]  # type: ignore[index]
        size = arranger.size[node]  # type: ignore[index]
        start = y + along + before
        band = frame.bands[node]
        body[node] = ((x + across, start), (x + across, start + size[1]), (y + band[0], y + band[1]))  # type: ignore[index]
        back = arranger.flows_back(node)
        ends = [sheet.screen(sheet.flat(p, back)) for p in body[node][:2]]  # type: ignore[index]
        (x0, y0), (x1, y1) = ends
        wide, high = (size[1], size[0]) if arranger.sideways else size
        result.places[node] = Place((x0 + x1) / 2, (y0 + y1) / 2, wide, high)  # type: ignore[index]
    for b in arranger.scene.boxes:
        frame = arranger.frames[b.id]
        x, y = sheet.offset[b.id]
        back = arranger.flows_back(b.id)
        corners = [sheet.screen(sheet.flat(p, back)) for p in ((x, y), (x + frame.across, y + frame.along))]
        xs, ys = sorted(p[0] for p in corners), sorted(p[1] for p in corners)
        result.boxes[b.id] = (xs[0], ys[0], xs[1], ys[1])
    for i, chain in arranger.chains.items():
        points = []
        for c, key in chain:
            x, y = sheet.offset[c]
            points += [(x + across, y + along) for across, along in arranger.frames[c].routes[key]]
        back = arranger.flows_back(chain[0][0])
        result.curves.append((i, sheet.steps(_smooth([sheet.flat(p, back) for p in points]))))
    _crossing(arranger, sheet, body, result)
    result.curves.sort()
    _ties(arranger, result)
    _texts(arranger, sheet, body, result)
    _moved(arranger, result)
    return result


def _crossing(arranger: Arranger, sheet: _Sheet, body: dict[str, tuple[Point, Point, Point]], result: Layout) -> None:
    """The edges from the first column to the second, each tensor on a track of its own in the channel."""
    lanes: dict[tuple[str, str], float] = {}
    for _, e in arranger.cross:
        lanes.setdefault((e.tail, e.label), body[e.tail][2][1])
    order = sorted(lanes, key=lambda v: -lanes[v])
    track = {value: sheet.channel[0] + sheet.track * place for place, value in enumerate(order)}
    used: dict[float, int] = {}
    for value in order:
        place = used[lanes[value]] = used.get(lanes[value], -1) + 1
        lanes[value] += 3.0 + 3.0 * (place % 6)
    for i, e in arranger.cross:
        value = (e.tail, e.label)
        (start, _), (_, bottom), _ = body[e.tail]
        start += arranger.slots[e.tail][e.label]
        (end, top), _, (above, _) = body[e.head]
        end += arranger.into.get((e.head, e.argument), 0.0)
        lane, target = lanes[value], sheet.total - above + 4.0 + (order.index(value) % 4) * 3.0
        path = [(start, bottom), (start, lane), (track[value], lane), (track[value], target), (end, target)]
        result.curves.append((i, sheet.steps(_rounded([*path, (end, sheet.total - top)]))))


def _side(box: tuple[float, float, float, float], other: tuple[float, float, float, float], sideways: bool) -> Point:
    """The middle of the side of `box` that looks at `other`."""
    x0, y0, x1, y1 = box
    if sideways:
        return (x0 + x1) / 2, (y1 if other[1] >= y0 else y0)
    return (x1 if other[0] >= x0 else x0), (y0 + y1) / 2


def _ties(arranger: Arranger, result: Layout) -> None:
    """Dashed lines from what has a gradient to the gradient: between boxes where both have one, else between nodes."""

    def corners(child: str) -> tuple[float, float, float, float]:
        if child in result.boxes:
            return result.boxes[child]
        p = result.places[child]
        return p.x - p.width / 2, p.y - p.height / 2, p.x + p.width / 2, p.y + p.height / 2

    def joined(a: str, b: str) -> list[Step]:
        start, end = _side(corners(a), corners(b), arranger.sideways), _side(corners(b), corners(a), arranger.sideways)
        if arranger.sideways:
            half = (start[1] + end[1]) / 2
            return [("M", (start,)), ("C", ((start[0], half), (end[0], half), end))]
        half = (start[0] + end[0]) / 2
        return [("M", (start,)), ("C", ((half, start[1]), (half, end[1]), end))]

    result.ties += [(f, b, joined(f, b)) for f, b, _ in arranger.tied_boxes()]
    result.curves += [(i, joined(e.tail, e.head)) for i, e in arranger.tied_nodes()]


def _texts(arranger: Arranger, sheet: _Sheet, body: dict[str, tuple[Point, Point, Point]], result: Layout) -> None:
    """What leaves a node, beside its port; the names of arguments, beside theirs."""
    for node, slots in arranger.slots.items():
        down = arranger.flows_back(node) == (arranger.rankdir in ("BT", "RL"))
        for label, shift in slots.items():
            if not label or (arranger.nodes[node].says(label) and len(slots) == 1):
                continue
            (across, _), (_, end), _ = body[node]
            x, y = sheet.screen(sheet.flat((across + shift, end), arranger.flows_back(node)))
            if arranger.sideways:
                result.texts.append(Text(x + (5 if down else -5), y - 3, label, "start" if down else "end"))
            else:
                result.texts.append(Text(x + 4, y + (10 if down else -4), label))
    for (node, argument), shift in arranger.into.items():
        down = arranger.flows_back(node) == (arranger.rankdir in ("BT", "RL"))
        (across, start), _, _ = body[node]
        x, y = sheet.screen(sheet.flat((across + shift, start), arranger.flows_back(node)))
        if arranger.sideways:
            result.texts.append(Text(x + (-9 if down else 9), y - 3, argument, "end" if down else "start"))
        else:
            result.texts.append(Text(x + 4, y + (-4 if down else 10), argument))


def _moved(arranger: Arranger, result: Layout) -> None:
    """Everything moved into a canvas that begins at (0, 0), with a margin."""
    xs = [v for p in result.places.values() for v in (p.x - p.width / 2, p.x + p.width / 2)]
    ys = [v for p in result.places.values() for v in (p.y - p.height / 2, p.y + p.height / 2)]
    titles = {b.id: text_width(b.label, TEXT) for b in arranger.scene.boxes}
    for box, (x0, y0, x1, y1) in result.boxes.items():
        xs += (x0, x1, x0 + titles[box] if arranger.sideways else x1)
        ys += (y0, y1)
    for _, steps in result.curves:
        for _, points in steps:
            xs += [p[0] for p in points]
            ys += [p[1] for p in points]
    for text in result.texts:
        xs += (text.left, text.left + text_width(text.content, SMALL))
        ys += (text.y - 8, text.y + 2)
    left, top = min(xs, default=0.0) - MARGIN, min(ys, default=0.0) - MARGIN

    def shifted(steps: list[Step]) -> list[Step]:
        return [(letter, tuple((x - left, y - top) for x, y in points)) for letter, points in steps]

    for p in result.places.values():
        p.x -= left
        p.y -= top
    for text in result.texts:
        text.x -= left
        text.y -= top
    result.curves = [(i, shifted(steps)) for i, steps in result.curves]
    result.ties = [(a, b, shifted(steps)) for a, b, steps in result.ties]
    result.boxes = {k: (a - left, b - top, c - left, d - top) for k, (a, b, c, d) in result.boxes.items()}
    result.width = max(xs, default=0.0) - left + MARGIN
    result.height = max(ys, default=0.0) - top + MARGIN
