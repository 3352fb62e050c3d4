"""One library in a process of its own: makes its contender, warms it up, and times it each time it is asked.

`python -m benchmarks.worker contender MODULE CASE LIBRARY SECONDS` answers with what it computes, and then, for each
line of input, with the mean seconds of its step over about SECONDS. `... measure MODULE CASE LIBRARY` answers once,
with what the module measures. Answers are lines of JSON; what libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.harness import Contender


def warmed(contender: Contender, seconds: float) -> int:
    """Run the step until it is as fast as it gets; how many fit into `seconds`."""
    step, start = contender.step, time.perf_counter()
    if not contender.warm:
        contender.ready()
        return 1
    while True:
        before = time.perf_counter()
        step()
        if time.perf_counter() - start > contender.warm:
            break
    last = time.perf_counter() - before
    contender.ready()
    if last > seconds:
        return 1
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        calls += 1
    return calls


def answered(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `do` gives, or why there is nothing."""
    try:
        return do()
    except ImportError as error:
        return {"skip": f"not installed ({error})"}
    except Exception as error:
        words = str(error).strip().splitlines() or [""]
        return {"skip": f"{type(error).__name__}: {words[0][:200]}"}


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(value: Any) -> None:
        print(json.dumps(value), file=replies, flush=True)

    what, module, case, library, *rest = sys.argv[1:]
    room = import_module(f"benchmarks.{module}")
    if what == "measure":
        reply(answered(lambda: {"value": room.measure(case, library)}))
        return
    calls = 0
    contender: Contender | None = None

    def start() -> dict[str, Any]:
        nonlocal calls, contender
        contender = room.contender(case, library)
        calls = warmed(contender, float(rest[0]))
        return {"answer": [float(a) for a in contender.answer], "loose": [float(a) for a in contender.loose]}

    reply(answered(start))
    if contender is None:
        return
    step = contender.step
    for _ in sys.stdin:
        # Whoever has just slept has cold caches and a slow clock: what is measured is a loop that goes on.
        for _ in range(calls // 3):
            step()
        begin = time.perf_counter()
        for _ in range(calls):
            step()
        reply((time.perf_counter() - begin) / calls)


if __name__ == "__main__":
    main()
