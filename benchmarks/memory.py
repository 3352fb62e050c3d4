"""Peak memory of the deep network's training step: what building and training add to the library as it is imported."""

from __future__ import annotations

import gc
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks import networks

CASES = {"memory-sgd": "deep128-sgd", "memory-adam": "deep128-adam"}
LIBRARIES = ("graphnet", "PyTorch", "JAX", "Keras", "scikit-learn")
MODULES = {
    "graphnet": "graphnet",
    "PyTorch": "torch",
    "JAX": "jax.numpy",
    "Keras": "keras",
    "scikit-learn": "sklearn.neural_network",
}
MIB = 1 << 20


def peak() -> int:
    """The most bytes that this process has held; where there is /proc, since `forget_peak`."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        kilobytes = sys.platform != "darwin"
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if kilobytes else 1)
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Let the peak start from what is held now: imports hold more for a while than when they are done."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return


def measure(case: str, library: str) -> list[float]:
    """MiB at the peak of training, beyond those after the imports; and all of them."""
    import_module(MODULES[library])
    gc.collect()
    forget_peak()
    before = peak()
    contender = networks.contender(CASES[case], library)
    start = time.perf_counter()
    for i in range(1000):
        contender.step()
        if i >= 10 and time.perf_counter() - start > contender.warm:
            break
    contender.ready()
    for _ in range(5):
        contender.step()
    return [(peak() - before) / MIB, peak() / MIB]
