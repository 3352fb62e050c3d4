"""Control flow as nodes: `scan`, `while_loop` and `cond`, whose functions are graphs of their own."""

from graphnet.loops.branches import cond
from graphnet.loops.scan import scan
from graphnet.loops.whiles import while_loop

__all__ = ["cond", "scan", "while_loop"]
