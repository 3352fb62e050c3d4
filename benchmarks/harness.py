"""Libraries side by side: each alone in its own process, in rounds that take turns, compared by their medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def serve(make: Callable[[], tuple[Callable[[], Any], Any]], seconds: float = 0.1) -> None:
    """In a process of its own: print what `make` answers for the comparison of values, then time its step on request.

    `make` gives the step and a JSON value; an ImportError counts as "not installed". For each line of input, the step
    runs for about `seconds`, and its mean time in microseconds is printed.
    """
    try:
        step, answer = make()
    except ImportError:
        print(json.dumps(None), flush=True)
        return
    print(json.dumps([answer]), flush=True)
    start = time.perf_counter()
    calls = 0
    while time.perf_counter() - start < 3 * seconds:
        step()
        calls += 1
    calls = max(1, calls // 3)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(calls):
            step()
        print((time.perf_counter() - start) / calls * 1e6, flush=True)


def race(
    module: str, names: Sequence[str], rounds: int = 9, threads: int = 1
) -> tuple[dict[str, Any], dict[str, float]]:
    """The answers and the median microseconds of `python -m module NAME` for each name that is installed."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    running, answers = {}, {}
    for name in names:
        process = subprocess.Popen(
            [sys.executable, "-m", module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        first = json.loads(process.stdout.readline())
        if first is None:
            print(f"{name} is not installed")
        else:
            running[name], answers[name] = process, first[0]
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            times[name].append(float(process.stdout.readline()))
    for process in running.values():
        process.stdin.close()
        process.wait()
    return answers, {name: statistics.median(t) for name, t in times.items()}
