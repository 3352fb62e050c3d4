"""Control flow as nodes: `scan`, `while_loop` and `cond`, whose functions are graphs of their own."""
