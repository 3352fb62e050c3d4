"""Processes that read files with limits of time and memory, and say what came of it."""

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

#: seconds of processor time for one file, and bytes beyond what a process has when it begins
SECONDS, MEMORY = 5, 500 << 20


def _limit():
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


class Late(BaseException):
    """The time is over. No reader takes it for an error of its file: they catch `Exception` at most."""


def _late(*_):
    raise Late


def _work(pipe, folder):
    """Read the files whose seeds come through the pipe."""
    os.environ["GRAPHNET_NATIVE"] = "0"
    import warnings

    from . import readers

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as own:
        os.chdir(own)
        made = readers.readers(folder)
        expected = {}
        for name, reader in made.items():
            path = Path(own, f"file{reader.ending}")
            path.write_bytes(reader.good)
            expected[name] = reader.read(path)
        if sys.platform.startswith("linux"):
            _limit()
        if hasattr(signal, "SIGPROF"):
            signal.signal(signal.SIGPROF, _late)
        before = set(os.listdir("."))
        while (job := pipe.recv()) is not None:
            name, seed = job
            reader, rng = made[name], random.Random(f"{name} {seed}")
            data, forged = readers.mutated(reader, rng)
            start = time.process_time()
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                word, more = readers.outcome(reader, Path(own, f"file{reader.ending}"), data, forged, expected[name])
            finally:
                if hasattr(signal, "setitimer"):
                    signal.setitimer(signal.ITIMER_PROF, 0)
            seconds = time.process_time() - start
            if seconds > SECONDS:
                word, more = "bad", "time"
            left = set(os.listdir(".")) - before - {f"file{reader.ending}"}
            if left:
                word, more = "bad", f"left {sorted(left)}"
            pipe.send((job, word, more, len(data), seconds))


class Pool:
    """A few workers; one that dies, or does not answer, is replaced, and what it did counts."""

    def __init__(self, count, folder):
        self.context = multiprocessing.get_context("spawn")
        self.folder, self.idle, self.busy = folder, [], {}
        for _ in range(count):
            self.idle.append(self._begin())

    def _begin(self):
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_work, args=(theirs, self.folder), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def results(self, jobs):
        """(job, word, more, bytes, seconds) of each, as they come."""
        jobs = iter(jobs)
        job = next(jobs, None)
        while job is not None or self.busy:
            while job is not None and self.idle:
                process, pipe = self.idle.pop()
                pipe.send(job)
                self.busy[pipe] = process, job, time.monotonic()
                job = next(jobs, None)
            for pipe in wait(list(self.busy), timeout=1):
                process, own, _ = self.busy.pop(pipe)
                try:
                    yield pipe.recv()
                    self.idle.append((process, pipe))
                except (EOFError, OSError):
                    process.join()
                    yield own, "bad", f"the process ended by {process.exitcode}", 0, 0.0
                    self.idle.append(self._begin())
            for pipe, (process, own, since) in list(self.busy.items()):
                if time.monotonic() - since > 60 + SECONDS:
                    process.kill()
                    process.join()
                    del self.busy[pipe]
                    yield own, "bad", "no answer", 0, float(SECONDS)
                    self.idle.append(self._begin())

    def close(self):
        for process, pipe in self.idle:
            pipe.send(None)
            process.join(10)


def run(files, seed, count, only=None, out=print):
    """Read so many files; returns counts by reader and outcome, what was bad, the slowest, and who has checksums."""
    from . import readers

    with tempfile.TemporaryDirectory() as folder:
        checked = {name: r.checksums for name, r in readers.readers(folder).items() if not only or name in only}
        names = list(checked)
        jobs = ((names[n % len(names)], seed + n // len(names)) for n in range(files))
        counts, bad, slowest = Counter(), [], (0.0, None)
        pool = Pool(count, folder)
        for done, ((name, number), word, more, size, seconds) in enumerate(pool.results(jobs), 1):
            counts[name, word] += 1
            slowest = max(slowest, (seconds, f"{name} {number}"))
            if word == "bad":
                bad.append((name, number, more))
                out(f"bad: {name} --seed {number}: {more} ({size:,} bytes, {seconds:.1f} s)")
            if done % 2000 == 0:
                out(f"{done:,} files")
        pool.close()
    return counts, bad, slowest, checked
