"""What compiling costs: the deep network's training step, and chains and ladders of a hundred to ten thousand ops."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import networks

STEPS = {"compile-sgd": "deep50-sgd", "compile-adam": "deep50-adam"}
GRAPHS = ("chain", "ladder")
SIZES = (100, 1_000, 10_000)
CASES = (*STEPS, *(f"compile-{name}" for name in GRAPHS))
LIBRARIES = ("graphnet", "JAX")


def chain(x: Any, n: int) -> Any:
    """n ops in a row, of five kinds."""
    import graphnet as gn

    ops = (lambda t: t * 1.01, gn.tanh, lambda t: t + 0.3, gn.sqrt, gn.exp)
    for i in range(n):
        x = ops[i % 5](x)
    return x


def ladder(x: Any, n: int) -> Any:
    """n ops, each on the two before it."""
    import graphnet as gn

    a, b = x, x * 0.5
    for i in range(n - 1):
        a, b = b, gn.maximum(a, b) if i % 2 else a * b
    return b


def lowered(f: Any, *args: Any) -> float:
    """Seconds until a plan for these arguments is there, and nothing more is compiled in the background."""
    import graphnet as gn

    start = time.perf_counter()
    plan = gn.compile(f).lower(*args)
    getattr(plan, "wait", lambda: None)()
    return time.perf_counter() - start


def measure(case: str, library: str) -> float:
    """Seconds of compiling one case; a graph's size stands after its name, as in `compile-chain:1000`."""
    name, _, size = case.partition(":")
    if size:
        import graphnet as gn

        build = {"chain": chain, "ladder": ladder}[name.removeprefix("compile-")]
        x = gn.tensor([0.5, 0.25])
        lowered(lambda x: build(x, 10), x)
        return lowered(lambda x: build(x, int(size)), x)
    step_case = networks.CASES[STEPS[name]]
    x, y = networks.batches(step_case)[0]
    if library == "JAX":
        update, state, _ = networks.jax_step(step_case)
        start = time.perf_counter()
        update.lower(state, x, y).compile()
        return time.perf_counter() - start
    import graphnet as gn

    _, step, _ = networks.graphnet_step(step_case)
    return lowered(step, gn.tensor(x), gn.tensor(y))
