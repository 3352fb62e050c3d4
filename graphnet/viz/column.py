"""One container of our own layout: its children in layers, with ports for what comes in and goes out."""

from __future__ import annotations

import itertools
from typing import Any

from graphnet.viz.geometry import FRAME, GAP_ACROSS, TITLE, Frame, Point
from graphnet.viz.layered import Item, Key, Link, put_in_order, spread
from graphnet.viz.metrics import text_width


class Column:
    """One container: the order and the places across of what is in it, and then the routes of its links.

    `arranger` is the `Arranger` that has all containers.
    """

    def __init__(
        self, arranger: Any, c: Key, items: dict[Key, Item], levels: dict[Key, int], count: int, title_first: bool
    ):
        self.arranger = arranger
        self.c = c
        children = arranger.children[c]
        # Ports have a layer of their own at both ends.
        self.room: dict[Key, Item] = {child: items[child] for child in children}
        self.level: dict[Key, int] = dict(levels)
        layers: list[list[Key]] = [[] for _ in range(count + 2)]
        box = arranger.boxes.get(c)  # type: ignore[call-overload]
        self.title = text_width(box.label, 10.0) + 12 if box else 0.0
        first: Key = ("title", c)
        if box and not arranger.sideways:
            # The title keeps links out of its corner.
            self.room[first] = Item(0.0, self.title, 0.0)
            self.level[first] = 0 if title_first else count + 1
            layers[self.level[first]].append(first)
        for child in children:
            layers[levels[child]].append(child)
        for which, values, at in (("in", arranger.entries[c], 0), ("out", arranger.exits[c], count + 1)):
            for value in values:
                self.room[(which, value)] = Item(4.0, 4.0, 0.0)
                self.level[(which, value)] = at
                layers[at].append((which, value))
        self.traced: dict[Key, tuple[list[Key], float, float, bool]] = {}
        links = self._chained(layers)
        put_in_order(layers, links, frozenset([first]), arranger.deadline)
        self.x = spread(layers, self.room, links, GAP_ACROSS, arranger.deadline)
        side = FRAME if box else 0.0
        banner = TITLE if box and arranger.sideways else 0.0
        low = min((self.x[n] - self.room[n].left for n in self.x), default=0.0) - side - banner
        high = max((self.x[n] + self.room[n].right for n in self.x), default=0.0) + side
        self.across = high - low
        for n in self.x:
            self.x[n] -= low
        #: how far the links between two layers run across
        self.reach = [0.0] * (count + 1)
        for k in links:
            far = abs(self.x[k.tail] + k.out - self.x[k.head] - k.into)
            self.reach[self.level[k.tail]] = max(self.reach[self.level[k.tail]], far)

    def _chained(self, layers: list[list[Key]]) -> list[Link]:
        """The container's links from layer to layer, with dummies on the way; those of one tensor share theirs."""
        degree: dict[Key, int] = {}
        for _, tail, head, _, _ in self.arranger.links[self.c].values():
            degree[tail] = degree.get(tail, 0) + 1
            degree[head] = degree.get(head, 0) + 1
        level, room = self.level, self.room
        own = set(room)
        links: dict[tuple[Key, Key, float, float], Link] = {}
        count = 0
        for key, (value, tail, head, out, into) in self.arranger.links[self.c].items():
            a: Key = ("in", value) if tail is None else tail
            b: Key = ("out", value) if head is None else head
            out = self.arranger.port(tail, value, out, "exit")
            into = self.arranger.port(head, value, into, "entry")
            # What has one neighbour only stands aside and does not pull that out of line.
            aside = (tail is not None and degree[tail] == 1) or (head is not None and degree[head] == 1)
            weight = 0.05 if aside and min(len(layers), len(own)) > 4 else 1.0
            back = level[a] >= level[b]
            if back:
                a, b, out, into = b, a, into, out
            chain = [a]
            if level[b] - level[a] > 1 and count <= self.arranger.room:
                for r in range(level[a] + 1, level[b]):
                    dummy: Key = ("via", value, a, back, r)
                    if dummy not in room:
                        room[dummy] = Item(3.0, 3.0, 0.0)
                        layers[r].append(dummy)
                        level[dummy] = r
                    chain.append(dummy)
                count += len(chain) - 1
            chain.append(b)
            for place, (p, q) in enumerate(itertools.pairwise(chain)):
                start, end = (out if place == 0 else 0.0), (into if place == len(chain) - 2 else 0.0)
                if level[q] - level[p] == 1:
                    pull = weight * (1.0 + 2.0 * (p not in own) + 2.0 * (q not in own))
                    links.setdefault((p, q, start, end), Link(p, q, start, end, pull))
            self.traced[key] = (chain, out, into, back)
        return list(links.values())

    def frame(self, spans: list[Point], total: float) -> Frame:
        """The finished container, once it is known where its layers begin and end along the flow."""
        arranger, x, level = self.arranger, self.x, self.level
        frame = Frame(self.across, total)
        for child in arranger.children[self.c]:
            start, end = spans[level[child]]
            frame.at[child] = (x[child], (start + end - self.room[child].size) / 2)
            frame.bands[child] = (start, end)
        frame.entry = {value: x[("in", value)] for value in arranger.entries[self.c]}
        frame.exit = {value: x[("out", value)] for value in arranger.exits[self.c]}
        for key, (chain, out, into, back) in self.traced.items():
            points: list[Point] = []
            for place, n in enumerate(chain):
                shift = out if place == 0 else into if place == len(chain) - 1 else 0.0
                start, end = spans[level[n]]
                across = x[n] + shift
                if n in frame.at:
                    before, after = arranger.rows.get(n, (0.0, 0.0))  # type: ignore[call-overload]
                    top, bottom = frame.at[n][1] + before, frame.at[n][1] + self.room[n].size - after
                    points += [(across, bottom), (across, end)] if place == 0 else [(across, start), (across, top)]
                elif n[0] == "in":  # type: ignore[index]
                    points += [(across, 0.0), (across, start)]
                elif n[0] == "out":  # type: ignore[index]
                    points += [(across, end), (across, total)]
                else:
                    points += [(across, start), (across, end)]
            frame.routes[key] = points[::-1] if back else points
        return frame
