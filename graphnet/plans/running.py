"""A code that is ready to be called, and how it is called: with how many threads of BLAS, with which warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from graphnet import ops
from graphnet.apply import failure
from graphnet.leaves import Parameter
from graphnet.node import made_by
from graphnet.ops.planned import GEMM
from graphnet.plans import blas
from graphnet.plans.blas_threads import Throttle, clock, one_thread
from graphnet.plans.code import turns
from graphnet.plans.code.exports import compiled
from graphnet.plans.code.function import Code, function_of


class Running(NamedTuple):
    """A code and its function. One object: a call has all of it, while another thread puts a new one in its stead."""

    code: Code
    function: Callable[..., list[np.ndarray]]
    parameters: Sequence[Parameter]
    quiet: bool
    throttle: Throttle | None
    #: whether calling it is all there is to do
    direct: bool
    #: how native code runs many steps at once, where it was made for that
    turning: turns.Turning | None

    @staticmethod
    def of(code: Code) -> Running:
        """`code`, compiled."""
        products = any(made_by(t, ops.matmul, GEMM) for t in code.graph.nodes)
        several = products and blas.found() is not None and blas.threads() > 1
        throttle = Throttle() if several else None
        functions = compiled(code.native) if code.native is not None else {}
        turning = None
        if turns.KEY in functions:
            assert code.native is not None
            table = code.lines.scope["k_table"]
            turning = turns.Turning(functions[turns.KEY], code.native.slots, code.native.moving, table)
        function, direct = function_of(code, functions), code.quiet and throttle is None
        return Running(code, function, code.parameters, code.quiet, throttle, direct, turning)

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs; products use one thread while others take the processors."""
        if self.throttle is None:
            return self._called(arrays)
        begun = clock()
        if self.throttle.narrow(begun):
            with one_thread:
                results = self._called(arrays)
            self.throttle.note_alone(begun, clock())
            return results
        results = self._called(arrays)
        self.throttle.note(begun, clock())
        return results

    def located(self, error: Exception) -> BaseException:
        """An error of a call, with op, layer and the line that made the node of the step that failed."""
        node, code, trail = None, self.code, error.__traceback__
        while trail is not None:
            if trail.tb_frame.f_code.co_filename == code.filename:
                node = code.node_at(trail.tb_lineno)
            trail = trail.tb_next
        if node is None or node.op is None:
            return error
        return failure(node.op, error, node.inputs, node.attrs, made=node)

    def _called(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if self.quiet:
            return self.function(*arrays)
        with np.errstate(all="ignore"):
            return self.function(*arrays)
