"""How a loop runs: the plan of its body once per step, reading and writing rows of arrays that are there already.

Where all of the plan is native code, that goes from row to row itself (`rows.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from graphnet.graph import Graph
from graphnet.leaves import Parameter
from graphnet.loops.body import Body
from graphnet.loops.rows import Layout
from graphnet.mode import state
from graphnet.plans.blas_threads import clock
from graphnet.plans.parts import Parts, parts_of
from graphnet.plans.plan import Plan
from graphnet.plans.running import Running
from graphnet.stepwise import stepwise

Arrays = Sequence[np.ndarray]


class Loop(Plan):
    """The plan of a body, called for each step.

    To the plan, what goes out is a parameter that it updates: so each step writes straight into its row of the result,
    and sums are added to in place. A carry that is also stacked as it comes in lives in the rows of that stack, where
    the step before put it.
    """

    def __init__(self, body: Body, homes: dict[int, int], place_of: dict[Parameter, int], parts: Parts):
        super().__init__(parts)
        #: `homes`: of a carry, the place of the ys that it is; `place_of`: of what goes out
        self.body, self.homes, self.place_of = body, homes, place_of
        self._layout: Layout | None = None

    def into(self, flat: np.ndarray, arrays: Sequence[np.ndarray], length: int, reverse: bool) -> None:
        """All steps: from carries, stacked xs and constants to the flat result."""
        aside = state.mode.debug is not None and state.mode.of is None
        if not aside:
            with self._lock:
                aside, self._entered = self._entered, True
                if not aside and not self._open:
                    return self._alone(flat, arrays, length, reverse)
        if aside:
            # Watched, or called from inside itself, whose buffers are in use: op by op.
            return self._by_ops(flat, arrays, length, reverse)
        return self._alone(flat, arrays, length, reverse)

    def _alone(self, *given: Any) -> None:
        try:
            self._all(*given)
        except Exception as error:
            raise self._running.located(error).with_traceback(error.__traceback__) from error.__cause__
        finally:
            self._entered = False

    def _by_ops(self, flat: np.ndarray, arrays: Sequence[np.ndarray], length: int, reverse: bool) -> None:
        """All steps, each op by op."""
        body = self.body
        blocks = [flat[b.start : b.stop].reshape(b.shape) for b in body.blocks(length)]
        first, last = body.carries, body.carries + body.ys
        carries, xs = list(arrays[:first]), arrays[first : first + body.xs]
        for block in blocks[last:]:
            block[...] = 0
        for n in range(length - 1, -1, -1) if reverse else range(length):
            rows = [x[n, ...] for x in xs]
            found = stepwise(body.graph.numbered, [*carries, *rows, *arrays[first + body.xs :]])
            carries = found[:first]
            for block, y in zip(blocks[first:last], found[first:last], strict=True):
                block[n] = y
            for block, y in zip(blocks[last:], found[last:], strict=True):
                block[...] += y
        for block, value in zip(blocks[:first], carries, strict=True):
            block[...] = value

    def _all(self, flat: np.ndarray, arrays: Sequence[np.ndarray], length: int, reverse: bool) -> None:
        """All steps by the plan."""
        given = [a if a.flags.c_contiguous and a.flags.aligned else np.array(a, order="C") for a in arrays]
        begun = self._begun(length)
        running = self._running
        every = self._turned if running.turning is not None else self._stepped

        def steps() -> list[np.ndarray]:
            every(running, flat, given, length, reverse)
            return []

        running._replace(function=steps).run([])
        if begun is not None:
            self._spent(clock() - begun)

    def _stepped(self, running: Running, flat: np.ndarray, given: Arrays, length: int, reverse: bool) -> None:
        """All steps, each a call."""
        body = self.body
        blocks = [flat[b.start : b.stop].reshape(b.shape) for b in body.blocks(length)]
        order = range(length - 1, -1, -1) if reverse else range(length)
        columns: list[Iterable[np.ndarray]] = []
        written: list[Iterable[np.ndarray]] = []
        for carry, (start, last) in enumerate(zip(given[: body.carries], blocks, strict=False)):
            if carry in self.homes:
                rows = _rows(blocks[self.homes[carry]], order)
                rows[0][...] = start
                columns.append(rows)
                written.append([*rows[1:], last])
            else:
                # It goes to and fro between two arrays, and at last to its place in the result.
                pair = np.empty_like(last), np.empty_like(last)
                columns.append(chain((start,), _alternating(pair, length - 1)))
                written.append(chain(_alternating(pair, length - 1), (last,)))
        columns += [_rows(x, order) for x in given[body.carries : body.carries + body.xs]]
        columns += [repeat(c) for c in given[body.carries + body.xs :]]
        for place in range(body.carries, len(blocks)):
            if place < body.carries + body.ys:
                written.append(_rows(blocks[place], order))
            else:
                blocks[place].fill(0)
                written.append(repeat(blocks[place]))
        columns += [written[self.place_of[p]] for p in running.parameters]
        step = running.function
        for row, _ in zip(zip(*columns, strict=False), order, strict=False):
            step(*row)

    def _turned(self, running: Running, flat: np.ndarray, given: Arrays, length: int, reverse: bool) -> None:
        """All steps by native code that moves from row to row itself."""
        if self._layout is None or self._layout.turning is not running.turning:
            self._layout = Layout(self.body, self.homes, self.place_of, running)
        self._layout.run(flat, given, length, reverse)


def _alternating(pair: tuple[np.ndarray, np.ndarray], times: int) -> Iterator[np.ndarray]:
    return (pair[n % 2] for n in range(times))


def _rows(x: np.ndarray, order: range) -> list[np.ndarray]:
    """The rows of `x`, as views."""
    if x.ndim == 1:
        return [x[n, ...] for n in order]
    return list(x if order.step > 0 else x[::-1])


def _made(body: Body) -> Loop:
    """The plan of a body."""
    inputs, outputs = body.graph.inputs, body.graph.outputs
    homes: dict[int, int] = {}
    first_sum = body.carries + body.ys
    carry_of = {t: place for place, t in enumerate(inputs[: body.carries])}
    for place in range(body.carries, first_sum):
        carry = carry_of.get(outputs[place])
        if carry is not None:
            homes.setdefault(carry, place)
    place_of: dict[Parameter, int] = {}
    updates = []
    for place, t in enumerate(outputs):
        if place not in homes.values():
            p = Parameter(np.zeros(t.shape, t.dtype))
            place_of[p] = place
            updates.append((p, t if place < first_sum else p + t))
    return Loop(body, homes, place_of, parts_of(Graph(inputs, [], updates), turns=True))


def loop_of(body: Body) -> Loop:
    """The plan of a body, made when it is first wanted."""
    loop: Any = body.derived.get("loop")
    if loop is None:
        with body.lock:
            loop = body.derived.get("loop")
            if loop is None:
                loop = body.derived["loop"] = _made(body)
    found: Loop = loop
    return found
