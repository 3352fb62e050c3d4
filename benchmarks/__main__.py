"""`python -m benchmarks`: measure the works, one after the other, and write the report.

Figures of a machine with other work to do are off by tens of percents: then look at ratios, and take more rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from benchmarks import coldstart, compiling, works
from benchmarks.harness import OURS, Worker, environment, once, pin, race
from benchmarks.report import Result, Target, lines, table, write
from benchmarks.works import Work

PACKAGES = {
    "PyTorch": "torch",
    "JAX": "jax",
    "Keras": "keras",
    "scikit-learn": "scikit-learn",
    "autograd": "autograd",
    "MyGrad": "mygrad",
    "tinygrad": "tinygrad",
}
PEERS = ("PyTorch", "torch.compile", "JAX", "Keras", "scikit-learn", "autograd", "MyGrad", "tinygrad")


def peers(text: str) -> list[str]:
    """Peers by their names, in any case."""
    known = {p.lower(): p for p in PEERS}
    names = [n.strip() for n in text.split(",") if n.strip()]
    unknown = [n for n in names if n.lower() not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no peer is named {unknown[0]!r}: there are {', '.join(PEERS)}")
    return [known[n.lower()] for n in names]


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"1 or more; received {text}")
    return value


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description="graphnet beside other libraries: the same work, the same answers."
    )
    made.add_argument("works", nargs="*", metavar="WORK", help="names, or how they begin (default: all)")
    made.add_argument("--rounds", type=positive, default=9, help="turns of each library (default: %(default)s)")
    made.add_argument("--threads", type=positive, default=2, help="threads for each library (default: %(default)s)")
    made.add_argument("--peers", type=peers, default=list(PEERS), metavar="A,B", help="only these peers")
    made.add_argument("--mnist", metavar="DIR", help="a folder with MNIST's IDX files (default: $GRAPHNET_MNIST)")
    made.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR", help="for the report"
    )
    made.add_argument("--list", action="store_true", help="name the works and end")
    return made


def raced(work: Work, libraries: Sequence[str], options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """Steps in processes that take turns."""
    rounds = min(options.rounds, work.most_rounds)
    found = race(work.module, work.case, libraries, rounds, options.threads, work.extra, say=say)
    notes = [f"without {name}: {why}" for name, why in found.skipped.items()]
    return Result(work.name, work.title, found.medians, work.targets, notes=notes)


def cold(work: Work, libraries: Sequence[str], options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """Processes that start, train and end, in turns; the first turn, for the disk's caches, does not count."""
    times: dict[str, list[float]] = {name: [] for name in libraries}
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        digits = str(Path(folder, "digits.npz"))
        coldstart.save_digits(digits)
        variables = environment(options.threads, {"BENCHMARK_DIGITS": digits})
        # Bytecode is cached as it is for users.
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(min(options.rounds, work.most_rounds) + 1):
            for name in list(times):
                start = time.perf_counter()
                worker = Worker(["measure", work.module, work.case, name], variables)
                try:
                    reply = worker.read(600)
                    seconds = time.perf_counter() - start
                except (RuntimeError, TimeoutError) as error:
                    reply = {"skip": str(error)}
                finally:
                    worker.close()
                if "skip" in reply:
                    del times[name]
                    notes.append(f"without {name}: {reply['skip']}")
                    say(notes[-1])
                elif turn:
                    times[name].append(seconds)
                else:
                    say(f"{name}: the first epoch's loss is {reply['value']:.2f}")
    medians = {name: statistics.median(t) for name, t in times.items() if t}
    return Result(work.name, work.title, medians, work.targets, notes=notes)


def remembered(work: Work, libraries: Sequence[str], options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """Peak memory of a process per library, and turn."""
    more: dict[str, float] = {}
    total: dict[str, float] = {}
    notes = []
    for name in libraries:
        readings = []
        for _ in range(min(options.rounds, work.most_rounds)):
            value, why = once(work.module, work.case, name, environment(options.threads, work.extra))
            if why is not None:
                notes.append(f"without {name}: {why}")
                say(notes[-1])
                break
            readings.append(value)
        if readings:
            more[name], total[name] = (statistics.median(column) for column in zip(*readings, strict=True))
    notes.append("with the imports: " + ", ".join(f"{name} {value:,.0f} MiB" for name, value in total.items()))
    return Result(work.name, work.title, more, work.targets, "MiB", notes)


def compiled(work: Work, libraries: Sequence[str], options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """Compile time in fresh processes, with an empty cache each; the time from the cache is a target of its own."""
    times: dict[str, list[float]] = {}
    notes = []
    for name in libraries:
        for _ in range(min(options.rounds, work.most_rounds)):
            with tempfile.TemporaryDirectory() as folder:
                variables = environment(options.threads, {**work.extra, "GRAPHNET_CACHE_DIR": folder})
                value, why = once(work.module, work.case, name, variables)
                if why is not None:
                    notes.append(f"without {name}: {why}")
                    say(notes[-1])
                    break
                times.setdefault(name, []).append(value)
                if name == OURS:
                    again, _ = once(work.module, work.case, name, variables)
                    times.setdefault("from the cache", []).append(again)
    medians = {name: statistics.median(t) for name, t in times.items()}
    return Result(work.name, work.title, medians, work.targets, notes=notes)


def sized(work: Work, libraries: Sequence[str], options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """Compile time of the largest graph, and that of the next smaller times what it lacks in size."""
    seconds: dict[int, float] = {}
    notes = []
    for size in compiling.SIZES:
        readings = []
        for _ in range(min(options.rounds, work.most_rounds)):
            with tempfile.TemporaryDirectory() as folder:
                variables = environment(options.threads, {**work.extra, "GRAPHNET_CACHE_DIR": folder})
                value, why = once(work.module, f"{work.case}:{size}", OURS, variables)
            if why is not None:
                notes.append(f"without {size:,} ops: {why}")
                say(notes[-1])
                break
            readings.append(value)
        if readings:
            seconds[size] = statistics.median(readings)
    notes.append("; ".join(f"{size:,} ops: {value / size * 1e6:.0f} µs each" for size, value in seconds.items()))
    *_, smaller, largest = compiling.SIZES
    figures = {f"{largest // smaller} times {smaller:,}": seconds.get(smaller, 0.0) * (largest // smaller)}
    if largest in seconds:
        figures[OURS] = seconds[largest]
    return Result(work.name, work.title, {n: v for n, v in figures.items() if v}, work.targets, notes=notes)


KINDS = {"race": raced, "cold": cold, "memory": remembered, "compile": compiled, "size": sized}


def split(result: Result) -> list[Result]:
    """The compile time from the cache as a line of its own."""
    seconds = result.figures.pop("from the cache", None)
    if seconds is None:
        return [result]
    title = result.title.replace("cold", "from the cache")
    again = Result(f"{result.name}-cached", title, {OURS: seconds}, (Target(0.4, absolute=True),))
    return [result, again]


def about(options: argparse.Namespace) -> dict[str, str]:
    """What the figures depend on."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    versions = [f"NumPy {metadata.version('numpy')}"]
    for name in options.peers:
        try:
            versions.append(f"{name} {metadata.version(PACKAGES[name])}")
        except (KeyError, metadata.PackageNotFoundError):
            continue
    return {
        "Machine": f"{processor}, {options.threads} of {os.cpu_count()} processors, {platform.system()}",
        "Python": f"{platform.python_version()}, {', '.join(versions)}",
        "Date": time.strftime("%Y-%m-%d"),
        "Rounds": f"{options.rounds}, with a load of {os.getloadavg()[0]:.1f} before the first",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; the report is written anew after each work, so that nothing is lost."""
    options = parser().parse_args(arguments)
    try:
        selected = works.chosen(options.works)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.list:
        for work in selected:
            print(f"{work.name:18} {work.title}")
        return 0
    if options.mnist:
        os.environ["GRAPHNET_MNIST"] = str(Path(options.mnist).resolve())
    said = about(options)
    pin(options.threads)
    results: list[Result] = []
    paths: list[Path] = []
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"    {time.monotonic() - start:6.0f} s  {line}", flush=True)

    try:
        for number, work in enumerate(selected, 1):
            print(f"[{number}/{len(selected)}] {work.name}: {work.title}", flush=True)
            libraries = [n for n in work.libraries if n.startswith(OURS) or n in options.peers]
            for result in split(KINDS[work.kind](work, libraries, options, say)):
                results.append(result)
                print("\n".join(lines(result)), flush=True)
            paths = write(results, said, options.out)
    except KeyboardInterrupt:
        print("\ninterrupted: the report has what was measured until here")
    if results:
        print(f"\n{table(results)}\n\nwrote {', '.join(map(str, paths))}")
    wrong = [note for r in results for note in r.notes if "computes something else" in note]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
