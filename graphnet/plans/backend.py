"""Which backend a plan runs on, and whether runs are to be repeatable."""

from __future__ import annotations

import os

from graphnet.plans.code import compiler

BACKENDS = ("auto", "numpy", "native")


class Repeatable:
    """Whether plans that are made now take over native code at a call that the clock has no say in."""

    on = False


def repeatable(on: bool = True) -> bool:
    """Ask for the same numbers, bit for bit, from the same program on one machine; gives whether that was so before.

    Plans that are made from now on change from NumPy to native code at a call whose number follows from the graph
    alone, and wait for it there.

    Without it they change when native code is ready, and so a value may differ in its last bit from run to run.
    `nn.set_random_seed` asks for it. `repeatable(False)` goes back.

    >>> import graphnet as gn
    >>> before = gn.repeatable()
    >>> gn.repeatable(before)
    True
    """
    before, Repeatable.on = Repeatable.on, bool(on)
    return before


def backend_wanted(given: str | None = None) -> str:
    """The backend that is asked for, by argument or by `GRAPHNET_NATIVE` ("0" turns native code off, "1" waits for it).

    Raises `ValueError` for an unknown word, and `ImportError` for "native" where llvmlite is missing.
    """
    if given is None:
        given = {"0": "numpy", "1": "native"}.get(os.environ.get("GRAPHNET_NATIVE", ""), "auto")
        if given == "native" and not compiler.available():
            given = "numpy"
    if given not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(map(repr, BACKENDS))}; received {given!r}")
    if given == "native" and not compiler.available():
        raise compiler.missing()
    return "numpy" if given == "auto" and not compiler.available() else given
