"""The works: what is measured, beside whom, and the target that each is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import chains, compiling, fit, images, memory, networks, sequences
from benchmarks.report import Target

NUMPY_ALONE = {"GRAPHNET_NATIVE": "0"}


@dataclass(frozen=True)
class Work:
    """One line of the report. `kind` says how it is measured: race, cold, memory, compile or size."""

    name: str
    title: str
    module: str
    case: str
    libraries: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    kind: str = "race"
    extra: dict[str, str] = field(default_factory=dict)
    most_rounds: int = 1000


HOW = {"sgd": "SGD with L2", "momentum": "momentum", "adam": "Adam", "dropout": "SGD with L2, dropout 0.5"}
NETWORK = {"small": "64-32-10", "medium": "784-128-10", "deep50": "784-1200x5-6", "deep128": "784-1200x5-6"}
STEP = tuple(networks.LIBRARIES)


def _steps() -> list[Work]:
    limits = {
        "small": (Target(0.25, ("JAX",)), Target(0.1, ("PyTorch",))),
        "medium": (Target(0.75),),
        "deep50": (Target(1.0),),
        "deep128": (Target(1.0),),
    }
    works = []
    for name, case in networks.CASES.items():
        network, how = name.split("-")
        libraries = tuple(n for n in STEP if n != "scikit-learn" or not case.dropout)
        title = f"step {NETWORK[network]}, batch {case.batch}, {HOW[how]}"
        works.append(Work(name, title, "networks", name, libraries, limits[network]))
    return works


WORKS: tuple[Work, ...] = (
    *_steps(),
    Work(
        "cnn",
        "step of a CNN on 28x28, 32 and 64 filters of 3x3, batch 128, Adam, dropout 0.5",
        "images",
        "cnn",
        tuple(images.LIBRARIES),
        (Target(1.0, ("Keras",)),),
    ),
    Work(
        "fit",
        "an epoch of 60,000 x 784, 784-128-10, batch 32, Adam",
        "fit",
        "fit",
        ("graphnet", "Keras", "PyTorch"),
        (Target(0.5),),
        most_rounds=3,
    ),
    Work(
        "lstm",
        "step embedding 64, LSTM 64, 80 steps, batch 32, SGD",
        "sequences",
        "lstm",
        tuple(sequences.LIBRARIES),
        (Target(1.5, ("Keras",)),),
    ),
    *(
        Work(name, f"chain of 10 ops, {count:,} float32", "chains", name, tuple(chains.LIBRARIES), (Target(1.0),))
        for name, count in chains.CHAINS.items()
    ),
    *(
        Work(name, f"{name} 512x1024, forward and backward", "chains", name, (*chains.LIBRARIES,), (Target(1.0),))
        for name in chains.FUNCTIONS
    ),
    Work("row", "prediction of one row, 784-128-10", "fit", "row", (*fit.LIBRARIES,), (Target(0.3),)),
    Work(
        "cold",
        "process start to the end of the first epoch of digits",
        "coldstart",
        "cold",
        ("graphnet", "PyTorch", "JAX", "Keras"),
        (Target(0.5),),
        "cold",
        most_rounds=5,
    ),
    Work(
        "numpy-small",
        "step 64-32-10, batch 32, SGD with L2, ours on NumPy alone",
        "networks",
        "small-sgd",
        STEP,
        (Target(0.8, ("JAX",)),),
        extra=NUMPY_ALONE,
    ),
    Work(
        "numpy-deep50",
        "step 784-1200x5-6, batch 50, SGD with L2, ours on NumPy alone",
        "networks",
        "deep50-sgd",
        STEP,
        (Target(1.4),),
        extra=NUMPY_ALONE,
    ),
    Work(
        "numpy-deep128",
        "step 784-1200x5-6, batch 128, SGD with L2, ours on NumPy alone",
        "networks",
        "deep128-sgd",
        STEP,
        (Target(1.4),),
        extra=NUMPY_ALONE,
    ),
    *(
        Work(
            name,
            f"peak memory beyond imports, step 784-1200x5-6, batch 128, {HOW[name.removeprefix('memory-')]}",
            "memory",
            name,
            memory.LIBRARIES,
            (Target(1.0, ("PyTorch",)),),
            "memory",
            most_rounds=3,
        )
        for name in memory.CASES
    ),
    *(
        Work(
            name,
            f"compile time, step 784-1200x5-6, {HOW[name.removeprefix('compile-')]}, cold",
            "compiling",
            name,
            compiling.LIBRARIES,
            (Target(1.5, absolute=True),),
            "compile",
            most_rounds=3,
        )
        for name in compiling.STEPS
    ),
    *(
        Work(
            f"compile-{name}",
            f"compile time of a {name} of 10,000 ops beside ten times that of 1,000",
            "compiling",
            f"compile-{name}",
            ("graphnet",),
            (Target(1.5, ("10 times 1,000",)),),
            "size",
            most_rounds=3,
        )
        for name in compiling.GRAPHS
    ),
)


def chosen(words: Sequence[str]) -> list[Work]:
    """The works with these names, or whose names begin so; all if no word is given. Raises `ValueError` for others."""
    if not words:
        return list(WORKS)
    found: dict[str, Work] = {}
    for word in words:
        exact = [w for w in WORKS if w.name == word]
        starts = exact or [w for w in WORKS if w.name.startswith(word)]
        if not starts:
            raise ValueError(f"no work is named {word!r}: there are {', '.join(w.name for w in WORKS)}")
        found.update({w.name: w for w in starts})
    return list(found.values())
