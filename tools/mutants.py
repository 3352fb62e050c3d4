"""Mutation testing of modules: small changes to their source, one after the other, each to be noticed by a test.

    python tools/mutants.py graphnet/sweep.py tests/core/test_grad.py tests/core/test_complex.py --out sweep.json

The changes are those of cosmic-ray's operators (`pip install cosmic-ray coverage`). Tests are collected once. A change
inside of functions is then tried in a fork, by new code for the functions that exist already, on the tests that run the
changed lines, those first that found most in least time. Every other change is tried in a fresh process. Changes that
Python compiles to the same program, as those of annotations, are left out. Needs Python 3.11 and `os.fork`.
"""

from __future__ import annotations

import argparse
import collections
import gc
import importlib.machinery
import importlib.util
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import coverage
import pytest
from source_changes import key_of, valid

ROOT = Path(__file__).resolve().parents[1]
#: address space of a test run: some changes make an array without end
MOST_BYTES = 12 << 30
#: how much longer than its processor time a run may take
WAIT = 10


def codes(source, path):
    """The code of every function in a source, by its name and line."""
    found, waiting = {}, [compile(source, path, "exec")]
    while waiting:
        code = waiting.pop()
        found[code.co_qualname, code.co_firstlineno] = code
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return found


def patched(source, path):
    """Give the functions that were made from the file at `path` the code that they have in `source`."""
    new = codes(source, path)
    for f in gc.get_objects():
        if isinstance(f, types.FunctionType) and f.__code__.co_filename == path:
            code = new.get((f.__code__.co_qualname, f.__code__.co_firstlineno))
            if code is not None and code != f.__code__:
                f.__code__ = code


def limited(seconds):
    """Limit the processor time and the memory of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


OUTCOMES = {0: "survived", 2: "refused", -signal.SIGXCPU: "timeout", -signal.SIGKILL: "timeout"}


class Session:
    """A pytest plugin: in the place of its loop over tests one over changes."""

    def __init__(self, todo, options):
        self.todo, self.options = todo, options
        self.paths = sorted({change["path"] for change in todo})
        self.killed = collections.Counter()

    def pytest_runtestloop(self, session):
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            self.measured()
            for change in self.todo:
                change["outcome"] = self.outcome(change)
                told(change)
        return True

    def outcome(self, change):
        pid, end = self.forked(lambda: self.tried(change)), time.time() + WAIT * self.options.limit
        done = 0
        while not done and time.time() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0 if done else 0.01)
        if not done:
            os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        answer = self.folder / str(pid)
        change["test"] = answer.read_text() if answer.exists() else ""
        found = OUTCOMES.get(os.waitstatus_to_exitcode(status), "killed")
        self.killed[change["test"]] += found == "killed"
        return found

    def forked(self, work):
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        status = 3
        try:
            status = work()
        finally:
            os._exit(status)

    def run(self, item, after):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)

    def measured(self):
        """Learn which tests pass, how long each takes and which lines it runs."""

        def work():
            watch = coverage.Coverage(data_file=None, include=self.paths)
            watch.start()
            found = {}
            items = list(self.items.values())
            for item, after in zip(items, [*items[1:], None], strict=True):
                watch.switch_context(item.nodeid)
                failed, begun = self.session.testsfailed, time.process_time()
                self.run(item, after)
                found[item.nodeid] = time.process_time() - begun, self.session.testsfailed == failed
            watch.stop()
            lines = {path: watch.get_data().contexts_by_lineno(path) for path in self.paths}
            (self.folder / "measured").write_text(json.dumps([found, lines]))
            return 0

        os.waitpid(self.forked(work), 0)
        found, lines = json.loads((self.folder / "measured").read_text())
        self.seconds = {name: seconds for name, (seconds, passed) in found.items() if passed}
        self.running = {
            (path, int(line)): set(names) & self.seconds.keys() for path in lines for line, names in lines[path].items()
        }
        print(f"{len(self.seconds)} of {len(found)} tests pass, in {sum(self.seconds.values()):.0f} s", flush=True)

    def tried(self, change):
        limited(self.options.limit)
        try:
            patched(change["source"], change["path"])
        except ValueError:  # other free variables
            return 2
        names = set().union(*(self.running.get((change["path"], line), ()) for line in change["lines"]))
        order = sorted(names, key=lambda n: (self.seconds[n] + 0.02) / (1 + self.killed[n]))
        begun = time.process_time()
        for name, after in zip(order, [*order[1:], None], strict=True):
            self.run(self.items[name], self.items.get(after))
            if self.session.testsfailed:
                (self.folder / str(os.getpid())).write_text(name)
                return 1
            if time.process_time() - begun > self.options.budget:
                (self.folder / str(os.getpid())).write_text("(not all tests)")
                break
        return 0


class Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from another source than its file."""

    text: bytes

    def get_data(self, path):
        return self.text

    def path_stats(self, path):
        raise OSError  # what was compiled before is of the file


class Finder:
    """Finds the module at `path`, with another source."""

    def __init__(self, path, source):
        name = Path(path).relative_to(ROOT).with_suffix("").as_posix()
        self.name = name.removesuffix("/__init__").replace("/", ".")
        self.loader = Changed(self.name, path)
        self.loader.text = source.encode()

    def find_spec(self, fullname, path=None, target=None):
        if fullname == self.name:
            return importlib.util.spec_from_file_location(fullname, self.loader.path, loader=self.loader)
        return None


PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "-n", "0"]


def fresh(change, options):
    """Try a change in a process of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(change["source"])
        file.flush()
        command = [sys.executable, __file__, change["path"], *options.tests, "--source", file.name]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: limited(2 * options.limit),
        )
        try:
            change["outcome"] = OUTCOMES.get(process.wait(2 * WAIT * options.limit), "killed")
            if change["outcome"] == "refused":
                change["outcome"] = "killed"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            change["outcome"] = "timeout"
    told(change)


def told(change):
    where = f"{Path(change['path']).name}:{change['line']}:{change['column']}"
    print(f"{change['outcome']:9} {where} {change['operator']} {change['after']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", help="files, with commas between")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, help="of each file so many changes, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="a file of --out: try what was not killed there")
    parser.add_argument(
        "--limit", type=int, default=60, help="seconds of processor time until a change counts as a hang"
    )
    parser.add_argument(
        "--budget", type=float, default=30, help="seconds of processor time, then no further test begins"
    )
    parser.add_argument("--out", help="a JSON file for the results")
    parser.add_argument("--source", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.chdir(ROOT)
    paths = [str((ROOT / name).resolve()) for name in options.modules.split(",")]
    if options.source:
        sys.meta_path.insert(0, Finder(paths[0], Path(options.source).read_text()))
        sys.exit(pytest.main([*PYTEST, *options.tests]))
    only = None
    if options.only:
        only = {key_of(c) for c in json.loads(Path(options.only).read_text()) if c["outcome"] != "killed"}
    todo = []
    for path in paths:
        todo += itertools.islice(valid(path, options.seed, only), options.sample)
    print(f"{len(todo)} changes", flush=True)
    inside = [c for c in todo if c["inside"]]
    if inside and pytest.main([*PYTEST, "-s", *options.tests], plugins=[Session(inside, options)]) > 1:
        sys.exit(1)
    for change in todo:
        if change.get("outcome", "refused") == "refused":
            fresh(change, options)
    counts = collections.Counter(c["outcome"] for c in todo)
    print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    if options.out:
        Path(options.out).write_text(
            json.dumps([{k: v for k, v in c.items() if k != "source"} for c in todo], indent=1)
        )


if __name__ == "__main__":
    main()
