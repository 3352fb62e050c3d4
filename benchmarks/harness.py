"""Libraries side by side: each alone in its own process, in rounds that take turns, compared by their medians.

A process that waits is blocked on its input. Between turns there is a pause, in which the threads of a matrix product
that still spin for more work go to sleep: they would take the processor from the next in line.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OURS = "graphnet"
ROOT = Path(__file__).resolve().parents[1]
PAUSE = 0.2  # seconds; OpenBLAS spins for about 30 ms, others longer

#: seconds that a library may take to be ready; compilers of C++ may take for ever
PATIENCE = {"torch.compile": 60.0}


class Contender(NamedTuple):
    """What a library brings to the race.

    `step` does the work once, to its end. `answer` holds numbers that all must agree on to 1e-4; `loose` those that
    are random and agree to 20 %. `ready` returns when nothing is compiled in the background any more. Before it is
    timed, the step runs for `warm` seconds; 0 says that it has run, and takes long enough to be timed one at a time.
    """

    step: Callable[[], Any]
    answer: Sequence[float]
    loose: Sequence[float] = ()
    ready: Callable[[], Any] = lambda: None
    warm: float = 0.5


def waited(compiled: Any) -> None:
    """Return when nothing is compiled in the background for the last call of what `gn.compile` gave."""
    getattr(compiled.plan, "wait", lambda: None)()


class Race(NamedTuple):
    """Seconds per step of each library in each round, and why some did not take part."""

    times: dict[str, list[float]]
    answers: dict[str, list[float]]
    skipped: dict[str, str]

    @property
    def medians(self) -> dict[str, float]:
        return {name: statistics.median(times) for name, times in self.times.items() if times}


def environment(threads: int, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that give every library the same number of threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **quiet, **{name: str(threads) for name in names}, **(extra or {})}


def pin(threads: int) -> None:
    """Keep this process, and all that it starts, to as many processors as it has threads.

    XLA makes one thread per processor that it may use and has no other setting that holds for all it does.
    """
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[-threads:])


class Worker:
    """A process that runs `python -m benchmarks.worker` and answers in lines of JSON."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str]):
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=dict(variables),
            cwd=ROOT,
            start_new_session=True,
        )

    def read(self, seconds: float) -> Any:
        """Its next answer. Raises `TimeoutError`, or `RuntimeError` with its last words if it ended."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no answer within {seconds:.0f} s")
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                self.errors.seek(0)
                words = self.errors.read().decode(errors="replace").strip().splitlines()
                raise RuntimeError(words[-1] if words else f"ended with status {self.process.wait()}")
            line += part
        return json.loads(line)

    def ask(self, seconds: float = 600.0) -> Any:
        """Let it do its work once more."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        return self.read(seconds)

    def close(self) -> None:
        """End it, and the helpers that it started."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def once(
    module: str, case: str, library: str, variables: Mapping[str, str], seconds: float = 600.0
) -> tuple[Any, str | None]:
    """What `measure(case, library)` of a module gives in a fresh process; or None, and why there is nothing."""
    worker = Worker(["measure", module, case, library], variables)
    try:
        reply = worker.read(seconds)
    except (RuntimeError, TimeoutError) as error:
        reply = {"skip": str(error)}
    finally:
        worker.close()
    return (None, reply["skip"]) if "skip" in reply else (reply["value"], None)


def differs(found: Iterable[float], expected: Iterable[float], tolerance: float) -> str | None:
    """In words, the first number that is not the expected one to a relative tolerance."""
    found, expected = list(found), list(expected)
    if len(found) != len(expected):
        return f"{len(found)} numbers instead of {len(expected)}"
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-6):
            return f"number {i} is {a:.7g}; {OURS} has {b:.7g}"
    return None


def race(
    module: str,
    case: str,
    libraries: Sequence[str],
    rounds: int = 9,
    threads: int = 1,
    extra: Mapping[str, str] | None = None,
    seconds: float = 0.6,
    say: Callable[[str], Any] = lambda line: None,
) -> Race:
    """Race `contender(case, library)` of a module: a turn in each round runs the step for about `seconds`.

    A library that is not installed, fails, is not ready in time or computes something else is left out.
    """
    workers: dict[str, Worker] = {}
    answers: dict[str, list[float]] = {}
    loose: dict[str, list[float]] = {}
    skipped: dict[str, str] = {}

    def leave_out(library: str, why: str) -> None:
        skipped[library] = why
        say(f"without {library}: {why}")
        if library in workers:
            workers.pop(library).close()

    try:
        for library in libraries:
            start = time.monotonic()
            workers[library] = worker = Worker(
                ["contender", module, case, library, str(seconds)], environment(threads, extra)
            )
            try:
                reply = worker.read(PATIENCE.get(library, 600.0))
            except (RuntimeError, TimeoutError) as error:
                reply = {"skip": str(error)}
            if "skip" in reply:
                leave_out(library, reply["skip"])
                continue
            wrong = None
            if answers:
                first = next(iter(answers))
                wrong = differs(reply["answer"], answers[first], 1e-4) or differs(reply["loose"], loose[first], 0.2)
            if wrong:
                leave_out(library, f"computes something else: {wrong}")
                continue
            answers[library], loose[library] = reply["answer"], reply["loose"]
            say(f"{library} is ready after {time.monotonic() - start:.1f} s")
        times: dict[str, list[float]] = {library: [] for library in workers}
        for turn in range(rounds):
            for library in list(workers):
                time.sleep(PAUSE)
                try:
                    times[library].append(workers[library].ask())
                except (RuntimeError, TimeoutError, BrokenPipeError) as error:
                    times.pop(library)
                    leave_out(library, f"stopped in round {turn + 1}: {error}")
    finally:
        for worker in workers.values():
            worker.close()
    return Race(times, answers, skipped)
