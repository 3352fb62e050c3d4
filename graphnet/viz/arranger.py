"""Our own layout of a scene with boxes inside boxes: which column, rank and place everything has.

Each box is laid out by itself, and then is one item of the box around it: so no frame cuts through a node that is not
its own. A tensor that leaves or enters a box does so once, through a port in its frame. The gradient stands beside
the forward computation as a second column that flows the other way, each part at the height of what it belongs to:
the two columns share their ranks, at every depth of boxes.
"""

from __future__ import annotations

from graphnet.viz.column import Column
from graphnet.viz.geometry import (
    BACKWARD,
    BENDS,
    BENDS_EACH,
    DEPTH,
    FORWARD,
    FRAME,
    GAP_ALONG,
    LINE,
    MANY,
    PAD_X,
    PAD_Y,
    SMALL,
    TEXT,
    TITLE,
    Frame,
    Point,
)
from graphnet.viz.layered import Item, Key, back_links, longest_paths
from graphnet.viz.metrics import text_width
from graphnet.viz.scene import LOOKS, Edge, Scene


class Arranger:
    def __init__(self, scene: Scene, rankdir: str, deadline: float = 0.0):
        self.scene = scene
        self.rankdir = rankdir
        self.sideways = rankdir in ("LR", "RL")
        self.deadline = deadline
        self.room = min(MANY, BENDS + BENDS_EACH * (len(scene.nodes) + len(scene.edges)))
        self.nodes = {n.id: n for n in scene.nodes}
        self.boxes = {b.id: b for b in scene.boxes}
        self.flows = [(i, e) for i, e in enumerate(scene.edges) if not e.tie]
        self.ties = [(i, e) for i, e in enumerate(scene.edges) if e.tie]
        self.parent: dict[Key, Key] = {}
        self.pair: dict[Key, Key] = {}
        self._roots()
        self.children: dict[Key, list[Key]] = {FORWARD: [], BACKWARD: []}
        for b in scene.boxes:
            self.children[b.id] = []
        for child, parent in self.parent.items():
            self.children[parent].append(child)
        # Boxes come before nodes in `parent`; inside a box the order of the program is wanted.
        born = {n.id: i for i, n in enumerate(scene.nodes)}
        for n in scene.nodes:
            box: Key = n.box
            while box is not None:
                born.setdefault(box, born[n.id])  # type: ignore[arg-type]
                box = self.boxes[box].parent  # type: ignore[index]
        for inside in self.children.values():
            inside.sort(key=lambda c: born.get(c, 0))  # type: ignore[call-overload]
        self.frames: dict[Key, Frame] = {}
        self._ports()
        self._links()

    def _roots(self) -> None:
        """Which column each node and box is in, and which boxes are partners across the columns."""
        after: dict[str, list[str]] = {}
        before: dict[str, list[str]] = {}
        for _, e in self.flows:
            after.setdefault(e.tail, []).append(e.head)
            before.setdefault(e.head, []).append(e.tail)
        gradient_boxes = {b.id for b in self.scene.boxes if b.gradient}
        right = {n.id for n in self.scene.nodes if n.kind.startswith("gradient") or n.box in gradient_boxes}
        reach = list(right)
        for node in reach:
            for head in after.get(node, ()):
                if head not in right:
                    right.add(head)
                    reach.append(head)
        for n in reversed(self.scene.nodes):
            users = after.get(n.id, ())
            if n.id not in right and not before.get(n.id) and users and n.kind != "input" and right.issuperset(users):
                right.add(n.id)
        side: dict[str, bool] = {}
        whole = True
        for n in self.scene.nodes:
            box = n.box
            while box is not None:
                if side.setdefault(box, n.id in right) != (n.id in right):
                    whole = False
                box = self.boxes[box].parent
        left_is_empty = all(n.id in right for n in self.scene.nodes)
        self.columns = bool(right) and whole and not left_is_empty
        for b in self.scene.boxes:
            root = BACKWARD if self.columns and side.get(b.id) else FORWARD
            self.parent[b.id] = b.parent if b.parent is not None else root
            if self.columns and b.of is not None and b.of in self.boxes:
                self.pair[b.id] = b.of
        for n in self.scene.nodes:
            root = BACKWARD if self.columns and n.id in right else FORWARD
            self.parent[n.id] = n.box if n.box is not None else root
        if self.columns:
            self.pair[BACKWARD] = FORWARD

    def tied_boxes(self) -> list[tuple[str, str, Edge]]:
        """Pairs of a box and the box of its gradients, the innermost only: one line says it for all that is inside.

        With each pair comes a tie between nodes inside them.
        """
        found: dict[Key, Edge] = {}
        for _, e in self.ties:
            tails = set(self.path(e.tail))
            for b in self.path(e.head):
                if b in self.boxes and self.pair.get(b) in tails:
                    found.setdefault(b, e)
        return [
            (str(self.pair[b]), str(b), e)
            for b, e in found.items()
            if not any(c in self.pair for c in self.children[b])
        ]

    def tied_nodes(self) -> list[tuple[int, Edge]]:
        """The ties that are drawn from node to node: not where a line between boxes says it for all that is inside,
        and not inside the second column, where those of gradients of gradients would hide everything else.
        """
        return [
            (i, e)
            for i, e in self.ties
            if not any(c in self.pair and c != BACKWARD for c in self.path(e.head))
            and not (self.columns and self.flows_back(e.tail))
        ]

    def path(self, child: Key) -> list[Key]:
        """The containers around `child`, the innermost first."""
        chain = []
        while child in self.parent:
            child = self.parent[child]
            chain.append(child)
        return chain

    def _ports(self) -> None:
        """Where edges leave and enter nodes, and the sizes of nodes with the text beside these places."""
        incoming: dict[str, list[Edge]] = {}
        self.slots: dict[str, dict[str, float]] = {}
        for _, e in self.flows:
            incoming.setdefault(e.head, []).append(e)
            self.slots.setdefault(e.tail, {}).setdefault(e.label, 0.0)
        self.size: dict[str, Point] = {}
        self.into: dict[tuple[str, str], float] = {}
        self.items: dict[Key, Item] = {}
        self.rows: dict[str, Point] = {}
        for n in self.scene.nodes:
            width = max(text_width(line, TEXT) for line in n.lines) + 2 * PAD_X
            height = len(n.lines) * LINE + 2 * PAD_Y
            more = DEPTH.get(LOOKS[n.kind][1], (0.0, 0.0))
            width, height = width + more[0], height + more[1]
            arguments = [e.argument for e in incoming.get(n.id, ()) if e.argument]
            widths = [13.0 if self.sideways else text_width(a, SMALL) + 8 for a in arguments]
            if sum(widths) > 300:
                arguments, widths = [], []
            if self.sideways:
                height = max(height, sum(widths) + 8)
            else:
                width = max(width, sum(widths) + 8)
            across, along = (height, width) if self.sideways else (width, height)
            edge = -sum(widths) / 2
            for a, w in zip(arguments, widths, strict=True):
                self.into[(n.id, a)] = edge + (w / 2 if self.sideways else 4.0)
                edge += w
            before = (max(map(self._length, arguments)) if self.sideways else 11.0) if arguments else 0.0
            slots = self.slots.get(n.id, {})
            labels = [label for label in slots if label and not n.says(label)]
            lengths = [13.0 if self.sideways else text_width(label, SMALL) + 8 for label in labels]
            after = (max(map(self._length, labels)) if self.sideways else 13.0) if labels else 0.0
            left = right = across / 2
            if len(slots) > 1:
                lengths = [13.0 if self.sideways else text_width(s, SMALL) + 10 for s in slots]
                edge = -sum(lengths) / 2
                left = max(left, -edge)
                right = max(right, -edge)
                for label, length in zip(slots, lengths, strict=True):
                    slots[label] = edge + (length / 2 if self.sideways else 3.0)
                    edge += length
            elif labels and not self.sideways:
                right = max(right, lengths[0])
            elif labels:
                left = max(left, 14.0)
            self.size[n.id] = (across, along)
            self.rows[n.id] = (before, after)
            self.items[n.id] = Item(left, right, before + along + after)

    @staticmethod
    def _length(text: str) -> float:
        return text_width(text, SMALL) + 10

    def _links(self) -> None:
        """Each edge as a chain of links: out of its boxes, over to the other side, into the boxes there."""
        self.links: dict[Key, dict[Key, tuple[Key, Key, Key, float, float]]] = {c: {} for c in self.children}
        self.entries: dict[Key, dict[Key, None]] = {c: {} for c in self.children}
        self.exits: dict[Key, dict[Key, None]] = {c: {} for c in self.children}
        self.chains: dict[int, list[tuple[Key, Key]]] = {}
        self.cross: list[tuple[int, Edge]] = []
        for i, e in self.flows:
            ups, downs = self.path(e.tail), self.path(e.head)
            if ups[-1] != downs[-1]:
                self.cross.append((i, e))
                continue
            value = (e.tail, e.label)
            around = set(downs)
            meeting = next(c for c in ups if c in around)
            chain: list[tuple[Key, Key]] = []
            child: Key = e.tail
            for container in ups[: ups.index(meeting)]:
                self.exits[container][value] = None
                chain.append(self._link(container, value, child, None, e))
                child = container
            over: list[tuple[Key, Key]] = []
            target: Key = e.head
            for container in downs[: downs.index(meeting)]:
                self.entries[container][value] = None
                over.append(self._link(container, value, None, target, e))
                target = container
            chain.append(self._link(meeting, value, child, target, e))
            self.chains[i] = chain + over[::-1]

    def _link(self, container: Key, value: Key, tail: Key, head: Key, e: Edge) -> tuple[Key, Key]:
        argument = e.argument if head == e.head else ""
        key = (value, tail, head, argument)
        out = self.slots[e.tail][e.label] if tail == e.tail else 0.0
        into = self.into.get((e.head, argument), 0.0) if head == e.head else 0.0
        self.links[container].setdefault(key, (value, tail, head, out, into))
        return container, key

    def arrange_all(self) -> None:
        """Lay out all containers, inner ones first, those with a partner together with it."""
        partner = {f: b for b, f in self.pair.items()}
        depth = {c: len(self.path(c)) for c in self.children}
        done: set[Key] = set()
        for c in sorted(self.children, key=lambda c: -depth[c]):
            if c in done or (c == BACKWARD and not self.columns):
                continue
            other = partner.get(c) or self.pair.get(c)
            if other is not None and depth[other] != depth[c]:
                other = None
            done.update((c, other))
            if self.flows_back(c):
                self._contain(other, c)
            else:
                self._contain(c, other)

    def flows_back(self, child: Key) -> bool:
        """Whether it is in the second column."""
        return child == BACKWARD or (child in self.parent and self.path(child)[-1] == BACKWARD)

    def _contain(self, left: Key | None, right: Key | None) -> None:
        """Lay out one container, or two partners with shared ranks."""
        together = [(c, c == right) for c in (left, right) if c is not None]
        items = {child: self._item(child) for c, _ in together for child in self.children[c]}
        rank = self._ranks(left, right)
        count = 1 + max(rank.values(), default=0)
        heights = [0.0] * count
        for child, level in rank.items():
            heights[level] = max(heights[level], items[child].size)
        # Gaps from the top: before the first layer, between layers, after the last. Links that run far have more room.
        gaps = [0.0, *[GAP_ALONG] * (count - 1), 0.0]
        columns = []
        for c, back in together:
            title_first = back == (self.rankdir == "BT")
            levels = {child: (count - rank[child] if back else rank[child] + 1) for child in self.children[c]}
            column = Column(self, c, items, levels, count, title_first)
            columns.append((c, back, column))
            reach = column.reach[::-1] if back else column.reach
            start, end = (self.exits[c], self.entries[c]) if back else (self.entries[c], self.exits[c])
            least = [GAP_ALONG * 0.7 if start else 0.0, *[GAP_ALONG] * (count - 1), GAP_ALONG * 0.7 if end else 0.0]
            gaps = [max(g, low + min(60.0, max(0.0, far - 60) / 10)) for g, low, far in zip(gaps, least, reach)]  # noqa: B905
        # The screen's upper edge has the title, whichever way the column flows.
        pads = [FRAME + (0 if self.sideways else TITLE), FRAME] if together[0][0] in self.boxes else [0.0, 0.0]
        if self.rankdir == "BT":
            pads.reverse()
        bands, at = [], pads[0] + gaps[0]
        for h, gap in zip(heights, gaps[1:]):  # noqa: B905
            bands.append((at, at + h))
            at += h + gap
        total = at + pads[1]
        if self.sideways:
            total = max([total, *(column.title + 12 for _, _, column in columns)])
        for c, back, column in columns:
            own = [(total - b, total - a) for a, b in reversed(bands)] if back else bands
            edge = (pads[1], total - pads[0]) if back else (pads[0], total - pads[1])
            self.frames[c] = column.frame([(edge[0], edge[0]), *own, (edge[1], edge[1])], total)

    def _item(self, child: Key) -> Item:
        if child in self.frames:
            frame = self.frames[child]
            return Item(frame.across / 2, frame.across / 2, frame.along)
        return self.items[child]

    def _ranks(self, first: Key | None, second: Key | None) -> dict[Key, int]:
        """Ranks from the top of the picture; the second container flows upwards, its parts at what they belong to."""
        left = self.children[first] if first is not None else []
        right = self.children[second] if second is not None else []
        down: list[tuple[Key, Key]] = []
        for c in (first, second):
            if c is not None:
                inner = [(t, h) for _, t, h, _, _ in self.links[c].values() if t is not None and h is not None]
                back = back_links(self.children[c], inner)
                down += [(h, t) if (i in back) != (c == second) else (t, h) for i, (t, h) in enumerate(inner)]
        match = self._matches(left, right)
        everything = [*left, *right]
        for _ in range(4):
            stands = {c: match.get(c, c) for c in everything}
            merged = list(dict.fromkeys(stands.values()))
            rank, cyclic = longest_paths(merged, ((stands[a], stands[b]) for a, b in down))
            if not cyclic:
                break
            stuck = set(cyclic)
            match = {a: b for a, b in match.items() if b not in stuck}
        else:
            stands = {c: c for c in everything}
            rank, _ = longest_paths(everything, down)
        level = {c: rank[stands[c]] for c in everything}
        fixed = {*match, *match.values()}
        above: dict[Key, list[Key]] = {}
        below: dict[Key, list[Key]] = {}
        for a, b in down:
            below.setdefault(a, []).append(b)
            above.setdefault(b, []).append(a)
        # Leaves go next to what they feed, and ends next to what made them.
        for c in reversed(everything):
            if c in fixed:
                continue
            if c not in above and c in below:
                level[c] = min(level[b] for b in below[c]) - 1
            elif c not in below and c in above:
                level[c] = max(level[a] for a in above[c]) + 1
        lowest = min(level.values(), default=0)
        used = {r: i for i, r in enumerate(sorted(set(level.values())))}
        return {c: used[r] if lowest < r else 0 for c, r in level.items()}

    def _matches(self, left: list[Key], right: list[Key]) -> dict[Key, Key]:
        """For items of the second column the one of the first that they stand beside, each taken once."""
        here = set(left)
        match: dict[Key, Key] = {}
        taken: set[Key] = set()
        for c in right:
            of = self.pair.get(c)
            if of in here and of not in taken:
                match[c] = of
                taken.add(of)
        for _, e in self.ties:
            head: Key = e.head
            tail: Key = e.tail
            while head not in match and head in self.parent and self.parent[head] not in self.pair:
                head = self.parent[head]
            while tail not in here and tail in self.parent:
                tail = self.parent[tail]
            if head in right and head not in match and tail in here and tail not in taken:
                match[head] = tail
                taken.add(tail)
        return match

    def port(self, child: Key, value: Key, given: float, which: str) -> float:
        """The place across of a value's port beside the anchor of what it leaves or enters."""
        if child in self.frames:
            frame = self.frames[child]
            ports = frame.exit if which == "exit" else frame.entry
            return ports[value] - frame.across / 2 if value in ports else 0.0
        return given
