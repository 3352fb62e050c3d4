"""The state of a thread (recording or not, inside which region), and where in a program a node was made."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, ParamSpec, TypeVar

from graphnet.escape import line

P = ParamSpec("P")
R = TypeVar("R")

NO_ATTRS: dict[str, Any] = {}


class Region:
    """A label on part of a graph: one call of a layer or of a composite function.

    `name` is what a person reads ("dense_1", "softmax"), `kind` what was called ("Dense", "softmax"), `parent` the
    region it was called in, `attrs` its static arguments, `site` the line that called it.
    """

    __slots__ = ("_code", "_lasti", "attrs", "kind", "name", "parent")

    def __init__(self, name: str, kind: str, parent: Region | None = None, attrs: dict[str, Any] | None = None):
        self.name = name
        self.kind = kind
        self.parent = parent
        self.attrs = attrs or NO_ATTRS
        self._code, self._lasti = caller_site()

    @property
    def path(self) -> tuple[Region, ...]:
        """This region and those around it, the outermost first."""
        chain = []
        region: Region | None = self
        while region is not None:
            chain.append(region)
            region = region.parent
        return tuple(reversed(chain))

    @property
    def path_text(self) -> str:
        """The names of this region and those around it: "model/dense_1"."""
        return "/".join([r.name for r in self.path])

    @property
    def site(self) -> tuple[str, int] | None:
        """(file, line) of the call, or None."""
        return site_line(self._code, self._lasti)

    def __repr__(self) -> str:
        return f"<Region {self.path_text}>"


def prefix(region: Region | None) -> str:
    """What an error begins with: the layer it is of, if it is of one."""
    return f"{line(region.path_text)}: " if region is not None else ""


class Derivative:
    """The function of a derivative (`grad`, `jacobian`, ...) that runs now: its variables, and what it has done so far.

    `flat` says that something without slope was applied to what needs a gradient (a comparison, `floor`,
    `stop_gradient`), or that a derivative was taken inside: then a result that does not depend on the variables is
    nothing to wonder about. `left`, for a gradient rule of somebody else's: what left the graph in it, see `noting`.
    """

    __slots__ = ("flat", "left", "outer", "thread", "variables", "what")

    def __init__(self, what: str, variables: Iterable[Any], outer: Derivative | None, left: Any = None):
        self.what = what
        self.thread = threading.get_ident()
        self.variables = frozenset(variables)
        self.outer = outer
        self.flat = False
        self.left: list[tuple[Any, str]] | None = left
        if outer is not None:
            outer.flat = True
            if left is None:
                self.left = outer.left

    def of(self, t: Any) -> Derivative | None:
        """The derivative, this one or one around it, that has `t` itself as a variable."""
        around: Derivative | None = self
        while around is not None and t not in around.variables:
            around = around.outer
        return around

    def reached(self, t: Any) -> Derivative | None:
        """The innermost derivative, this one or one around it, with a variable that `t` depends on."""
        around: Derivative | None = self
        while around is not None:
            if around.variables:
                oldest = min(v._tick for v in around.variables)
                stack, seen = [t], {t}
                while stack:
                    node = stack.pop()
                    if node in around.variables:
                        return around
                    # An input is always older than what was made from it.
                    if node._tick > oldest:
                        for i in node._inputs:
                            if getattr(i, "requires_grad", False) and i not in seen:
                                seen.add(i)
                                stack.append(i)
            around = around.outer
        return None


class Mode:
    """What ops do on this thread, if not the plain thing: one immutable record, replaced as a whole."""

    __slots__ = ("debug", "of", "plain", "raw", "recording", "region", "strict", "trace", "within")

    def __init__(
        self,
        recording: bool = True,
        region: Region | None = None,
        debug: Any = None,
        trace: Any = None,
        raw: bool = False,
        strict: bool = False,
        of: Any = None,
        within: Derivative | None = None,
    ):
        self.recording = recording  # False inside no_grad
        self.region = region  # the innermost region
        self.debug = debug  # the debug context's options
        self.trace = trace  # the trace that collects assignments
        self.raw = raw  # gradient rules run on bare arrays
        self.strict = strict  # zero times anything is zero, also on bare arrays
        self.of = of  # the node whose gradient is being built
        self.within = within  # the derivative whose function runs now
        self.plain = debug is None and trace is None and of is None

    def replaced(self, **changes: Any) -> Mode:
        # Written out: a call of grad has several.
        m = Mode(self.recording, self.region, self.debug, self.trace, self.raw, self.strict, self.of, self.within)
        for slot, value in changes.items():
            setattr(m, slot, value)
        m.plain = m.debug is None and m.trace is None and m.of is None
        return m


PLAIN = Mode()


class _State(threading.local):
    mode: Mode = PLAIN


state = _State()


@contextmanager
def mode(**changes: Any) -> Iterator[Mode]:
    """Run a block in another mode of this thread."""
    before = state.mode
    state.mode = before.replaced(**changes)
    try:
        yield state.mode
    finally:
        state.mode = before


#: the derivatives whose functions run now, on any thread
RUNNING: set[Derivative] = set()


def reached_elsewhere(t: Any) -> Derivative | None:
    """A derivative that another thread takes now with respect to something that `t` depends on."""
    if not RUNNING:
        return None
    here = threading.get_ident()
    found = (d.reached(t) for d in tuple(RUNNING) if d.thread != here)
    return next((d for d in found if d is not None), None)


@contextmanager
def differentiating(what: str, variables: Iterable[Any], everywhere: bool = True) -> Iterator[Derivative]:
    """Run a block that is the function of a derivative with respect to `variables`: ops record, and what depends on
    the variables does not leave the graph without an error, on this thread or, `everywhere`, on any."""
    before = state.mode
    around = Derivative(what, variables, before.within)
    state.mode = before.replaced(recording=True, within=around)
    if everywhere:
        RUNNING.add(around)
    try:
        yield around
    finally:
        RUNNING.discard(around)
        state.mode = before


@contextmanager
def noting(inside: bool = True) -> Iterator[list[tuple[Any, str]]]:
    """Run a block and list the tensors with a history that leave the graph in it, each with how it was asked for.

    That is no error yet: the first derivative is right, and only a further one would miss them. `inside` says whether
    the derivatives around go on watching over their variables.
    """
    before = state.mode
    left: list[tuple[Any, str]] = []
    state.mode = before.replaced(within=Derivative("", (), before.within if inside else None, left))
    try:
        yield left
    finally:
        state.mode = before


class no_grad:
    """A context, and a decorator, in which ops keep no history: no gradient flows through what they give.

    That holds in functions that are traced or compiled too. Graphs built from `gn.input` keep their history.

    >>> import graphnet as gn
    >>> w = gn.Parameter([1.0, 2.0])
    >>> with gn.no_grad():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """

    def __enter__(self) -> None:
        self._before = (*getattr(self, "_before", ()), state.mode)
        state.mode = state.mode.replaced(recording=False)

    def __exit__(self, *exc: object) -> None:
        *rest, state.mode = self._before
        self._before = tuple(rest)

    def __call__(self, f: Callable[P, R]) -> Callable[P, R]:
        from functools import wraps

        @wraps(f)
        def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
            with no_grad():
                return f(*args, **kwargs)

        return quiet


@contextmanager
def region(name: str, kind: str | None = None, **attrs: Any) -> Iterator[Region]:
    """A context manager that labels the ops of its block: they are drawn in one box and named in errors.

    It gives the `Region`, with `name`, `kind` (the name if None) and `attrs`; regions nest. Values and gradients stay
    as they are.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> with gn.region("outer"), gn.region("inner", kind="block"):
    ...     y = x * 2.0
    >>> y.region, y.region.kind
    (<Region outer/inner>, 'block')
    """
    before = state.mode
    label = Region(name, kind or name, before.region, attrs)
    # Written out: a layer's call has one.
    b = before
    state.mode = Mode(b.recording, label, b.debug, b.trace, b.raw, b.strict, b.of, b.within)
    try:
        yield label
    finally:
        state.mode = before


PACKAGE = __file__[: -len("mode.py")]


#: files of frames that are nobody's own: this package's, generated plans, and the library's around context managers
_INSIDE = (PACKAGE, "graphnet numpy plan ", "graphnet native plan ", contextlib.__file__)


def _outside(code: CodeType) -> bool:
    return not code.co_filename.startswith(_INSIDE)


def caller_site() -> tuple[CodeType | None, int]:
    """The innermost frame outside this package, as (code, instruction)."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_INSIDE):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None, -1


def site_line(code: CodeType | None, lasti: int) -> tuple[str, int] | None:
    """(file, line) of an instruction. Kept as an instruction until asked for: finding the line costs more."""
    if code is None:
        return None
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            return code.co_filename, number
    return code.co_filename, code.co_firstlineno


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning that points at the innermost line outside of this package."""
    import warnings

    level, frame = 2, sys._getframe(1)
    while frame is not None and not _outside(frame.f_code):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def pointing() -> Iterator[None]:
    """NumPy's warnings of a block, where they are wanted, point at the innermost line outside of this package."""
    import numpy as np

    def told(what: str, flag: int) -> None:
        warn(f"{what} encountered", RuntimeWarning)

    wanted: dict[str, Any] = {kind: "call" for kind, how in np.geterr().items() if how == "warn"}
    with np.errstate(call=told, **wanted):
        yield
