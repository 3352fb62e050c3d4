"""Time against size: chains and wide graphs of a thousand to a million nodes are built, sorted and differentiated.

`python -m benchmarks.scale [LARGEST]` prints microseconds per node, which stay level if the time grows linearly. The
garbage collector's full collections look at every object there is: they are counted apart, by running with and without
it. A million nodes take some five minutes, `python -m benchmarks.scale 1e5` half a minute.
"""

from __future__ import annotations

import gc
import sys
import time

import graphnet as gn


def chain(n: int) -> tuple[gn.Tensor, gn.Tensor]:
    """n ops in a row."""
    x = gn.tensor(0.5, requires_grad=True)
    y = x
    for i in range(n):
        y = y * 1.0000001 if i % 2 else y + 1e-7
    return x, y


def ladder(n: int) -> tuple[gn.Tensor, gn.Tensor]:
    """n ops, each on the two before it: every node is reached on many paths."""
    x = gn.tensor(0.5, requires_grad=True)
    a, b = x, x * 0.5
    for _ in range(n - 1):
        a, b = b, gn.maximum(a, b)
    return x, b


def measure(build, n: int) -> list[float]:
    """Microseconds per node: build, sort, differentiate on arrays, differentiate as a graph."""
    times = []
    start = time.perf_counter()
    x, y = build(n)
    times.append(time.perf_counter() - start)
    start = time.perf_counter()
    order = gn.toposort([y])
    times.append(time.perf_counter() - start)
    assert len(order) >= n
    del order
    start = time.perf_counter()
    y.backward()
    times.append(time.perf_counter() - start)
    start = time.perf_counter()
    slope = gn.gradients(y, x)
    times.append(time.perf_counter() - start)
    assert abs(slope.item() - x.grad.item()) <= 1e-9 * abs(x.grad.item())
    return [t / n * 1e6 for t in times]


def main() -> None:
    largest = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    for collected in (False, True):
        (gc.enable if collected else gc.disable)()
        print(f"microseconds per node, garbage collector {'on' if collected else 'off'}")
        print(f"{'graph':8} {'nodes':>9} {'build':>7} {'sort':>7} {'backward':>9} {'gradient graph':>15}")
        for build in (chain, ladder):
            n = 1000
            while n <= largest:
                built, sort, back, graph = measure(build, n)
                print(f"{build.__name__:8} {n:9,} {built:7.2f} {sort:7.2f} {back:9.2f} {graph:15.2f}")
                gc.collect()
                n *= 10


if __name__ == "__main__":
    main()
