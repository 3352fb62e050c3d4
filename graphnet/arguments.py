"""What the arguments of a traced function are: arrays, which become inputs of the graph, or values that it keeps.

A value that is kept is known by its content and class, never by its address: what cannot be compared so is refused.
"""

from __future__ import annotations

import enum
import functools
import inspect
import types
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from graphnet.container_parts import is_numbers
from graphnet.containers import Structure, flatten
from graphnet.escape import line
from graphnet.leaves import KINDS, Parameter
from graphnet.node import Tensor, as_array

#: classes whose objects are known by identity: what they do does not change, but for what functions read from outside
BY_IDENTITY: set[type] = {
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    np.ufunc,
    type(np.sum),
    type(Ellipsis),
    type(NotImplemented),
}
_METHODS = frozenset({types.MethodType, types.MethodWrapperType, types.BuiltinFunctionType})
_PLAIN = frozenset({bool, int, str, bytes, range})


def is_array(value: Any) -> bool:
    """Whether a leaf is an array or can be read as one: of NumPy, a data frame, a tensor of another library, memory."""
    if isinstance(value, (Tensor, np.ndarray)):
        return True
    if isinstance(value, (str, bytes, bytearray, type)):
        return False
    if isinstance(value, np.generic) or hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return True
    if type(value) in _PLAIN or value is None:
        return False
    try:
        memoryview(value)
    except (TypeError, ValueError, BufferError):
        return False
    return True


def as_input(value: Any, where: object) -> Any:
    """An array-like argument as a tensor or an array of numbers."""
    if isinstance(value, Tensor):
        return value
    try:
        return as_array(value)
    except Exception as error:
        raise TypeError(f"{where}: {error}") from None


def known_by(value: Any, where: object, said: bool = False) -> Any:
    """What stands for a value that a trace keeps, equal for equal values of one class: 1, 1.0 and True are three.

    `said` is whether the caller named it as static: then containers and arrays are known by content, and objects by
    identity if they have no equality of their own.

    Raises `TypeError` for a value that may change without a trace of it.
    """
    kind = type(value)
    if kind in _PLAIN or value is None:
        return kind, value
    if kind is float:
        return kind, value.hex()  # 0.0 and -0.0 are two, and a NaN is itself
    if kind is complex:
        return kind, value.real.hex(), value.imag.hex()
    if isinstance(value, np.generic) or (said and isinstance(value, np.ndarray) and value.dtype.kind != "O"):
        return kind, value.dtype.str, value.shape, value.tobytes()
    if kind is slice:
        return (kind, *(known_by(part, where, said) for part in (value.start, value.stop, value.step)))
    if kind in (set, frozenset):
        return kind, frozenset([known_by(part, where, said) for part in value])
    if kind is bytearray:
        return kind, bytes(value)
    if kind is types.SimpleNamespace:
        return (kind, *((k, known_by(v, where, said)) for k, v in vars(value).items()))
    if is_numbers(value) or kind in (tuple, deque) or (said and kind is list):
        return (kind, *(known_by(part, where, said) for part in value))
    if said and kind is dict:
        return (kind, *((known_by(k, where, said), known_by(v, where, said)) for k, v in value.items()))
    owner = getattr(value, "__self__", None) if kind in _METHODS else None
    if owner is not None and not isinstance(owner, (type, types.ModuleType)):
        return kind, value.__name__, getattr(value, "__func__", None), known_by(owner, where, said)
    if isinstance(value, functools.partial):
        parts = (*value.args, *value.keywords.values())
        return (
            kind,
            known_by(value.func, where, said),
            tuple(value.keywords),
            *(known_by(p, where, said) for p in parts),
        )
    if kind in BY_IDENTITY or isinstance(value, (type, enum.Enum)):
        return kind, value
    if said and not isinstance(value, Tensor) and flatten(value)[1].count != 1:
        leaves, structure = flatten(value)
        return (structure, *(known_by(leaf, where, said) for leaf in leaves))
    if kind.__eq__ is object.__eq__ or kind in KINDS:  # type: ignore[comparison-overlap]
        if said:
            return kind, _Same(value)
        raise TypeError(_refused(value, where, "is known by nothing but its address, and may change"))
    try:
        hash(value)
    except TypeError as error:
        raise TypeError(_refused(value, where, f"cannot be hashed ({error})")) from None
    # A copy: if the object changes, it is another value.
    try:
        found = copy(value)
        return kind, found if type(found) is kind and found == value and hash(found) == hash(value) else value
    except Exception:
        return kind, value


def _refused(value: Any, where: object, why: str) -> str:
    return (
        f"{where}: an argument is an array, which becomes an input, or a value that is compared by content (numbers, "
        f"strings, containers, dataclasses, functions); received a {type(value).__name__}, which {why}. Make it a "
        "dataclass, let the function read it from outside, or name it in static_argnames: then it must stay as it is"
    )


class _Same:
    """An object, equal to nothing but itself. It is held, so that no other can have its address."""

    __slots__ = ("held",)

    def __init__(self, held: Any):
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


class Signature:
    """How a function takes its arguments: in which form they are handed on, what each is called, which are static.

    Raises `ValueError` for static arguments that the function does not have.
    """

    def __init__(self, f: Callable[..., Any], static_argnums: Any = None, static_argnames: Any = None, skip: int = 0):
        try:
            found: inspect.Signature | None = inspect.signature(f)
        except (TypeError, ValueError):
            found = None
        if found is not None and skip:
            found = found.replace(parameters=list(found.parameters.values())[skip:])
        self.signature = found
        self.label = getattr(f, "__name__", None) or type(f).__name__
        listed = list(found.parameters.values()) if found is not None else []
        self.positional = [p.name for p in listed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.star = next((p.name for p in listed if p.kind is p.VAR_POSITIONAL), None)
        #: defaults that hold arrays: arguments like others, as arrays can change
        self.defaults = {p.name: p.default for p in listed if p.default is not p.empty and _holds_arrays(p.default)}
        self.static = self._static(static_argnums, static_argnames, {p.name for p in listed})
        #: whether arguments given by position can be taken as they come
        self.plain = not self.defaults and not self.static

    def _static(self, numbers: Any, names: Any, known: set[str]) -> frozenset[int | str]:
        numbers = [numbers] if isinstance(numbers, (int, np.integer)) else list(numbers or ())
        names = [names] if isinstance(names, str) else list(names or ())
        found: set[int | str] = set()
        for n in numbers:
            place = int(n) + len(self.positional) if n < 0 else int(n)
            if not 0 <= place < len(self.positional) and self.signature is not None and (self.star is None or n < 0):
                raise ValueError(f"static_argnums: {self.label} has no argument {n}: {self.signature}")
            found.add(place)
            if place < len(self.positional):
                found.add(self.positional[place])
        starred = self.signature is None or any(p.kind is p.VAR_KEYWORD for p in self.signature.parameters.values())
        for name in names:
            if not isinstance(name, str) or (name not in known and not starred):
                raise ValueError(f"static_argnames: {self.label} has no argument {name!r}: {self.signature}")
            found.add(name)
            if name in self.positional:
                found.add(self.positional.index(name))
        return frozenset(found)

    def bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments in one form, whichever were given by name, with defaults that hold arrays."""
        if self.signature is None:
            return args, dict(kwargs)
        found = self.signature.bind(*args, **kwargs)
        for name in self.defaults:
            if name not in found.arguments:
                found.arguments = {
                    p: found.arguments.get(p, self.defaults.get(p))
                    for p in self.signature.parameters
                    if p in found.arguments or p in self.defaults
                }
                break
        return found.args, found.kwargs

    def name(self, place: int | str) -> str:
        """What the argument at a place is called."""
        if isinstance(place, str):
            return place
        if place < len(self.positional):
            return self.positional[place]
        return f"{self.star or 'x'}_{place}"


class Arguments:
    """The arguments of one call: `arrays` in order, and `key`, by which calls are the same to a trace.

    Where one trace is all there is (not `keyed`), values are taken as they are.
    """

    def __init__(self, signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any], keyed: bool = True):
        self.signature, self.args, self.kwargs, self.keyed = signature, args, kwargs, keyed
        self.arrays: list[Any] = []
        known = [self._known(n, value) for n, value in enumerate(args)]
        known += [(k, self._known(k, value)) for k, value in kwargs.items()]
        self.key: Hashable = (tuple([(a.shape, a.dtype) for a in self.arrays]), tuple(known))

    def _known(self, place: int | str, value: Any) -> Hashable:
        """What an argument is known by besides its arrays, which are noted."""
        if place in self.signature.static:
            return known_by(value, self._where(place), said=True)
        if value.__class__ in KINDS or value.__class__ is np.ndarray:
            self.arrays.append(as_input(value, self._where(place)))
            return None
        leaves, structure = flatten(value)
        known: list[Hashable] = [structure]
        for n, leaf in enumerate(leaves):
            if is_array(leaf):
                self.arrays.append(as_input(leaf, self._where(place)))
            elif self.keyed:
                where = self._where(place) if structure.is_leaf else self._where(place, structure, n)
                known.append((n, known_by(leaf, where)))
        # An array alone is one, whatever it was read from.
        return tuple(known) if len(known) > 1 or not structure.is_leaf else None

    def _where(self, place: int | str, structure: Structure | None = None, leaf: int = 0) -> Where:
        return Where(self.signature, place, structure, leaf)

    def described(self) -> str:
        """The shapes and dtypes of the arrays."""
        return ", ".join(f"{a.dtype}{list(a.shape)}" for a in self.arrays)

    def _placed(self) -> list[tuple[int | str, Any]]:
        """The arguments with their places or names."""
        return [*enumerate(self.args), *self.kwargs.items()]

    def names(self) -> list[str]:
        """A name for each of the arrays."""
        found: list[str] = []
        for place, value in self._placed():
            if place not in self.signature.static:
                leaves, structure = flatten(value)
                labels = structure.names(self.signature.name(place)) if leaves else []
                found += [label for label, leaf in zip(labels, leaves, strict=True) if is_array(leaf)]
        return found

    def given(self, inputs: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments to call the function with, where these are its arrays."""
        left = iter(inputs)

        def made(place: int | str, value: Any) -> Any:
            if place in self.signature.static:
                return value.copy() if isinstance(value, np.ndarray) else value
            leaves, structure = flatten(value)
            return structure([next(left) if is_array(leaf) else leaf for leaf in leaves])

        args = [made(n, value) for n, value in enumerate(self.args)]
        return args, {k: made(k, value) for k, value in self.kwargs.items()}


class Where:
    """Which argument an error is about; its text is made when it is asked for."""

    def __init__(self, signature: Signature, place: int | str, structure: Structure | None, leaf: int):
        self.signature, self.place, self.structure, self.leaf = signature, place, structure, leaf

    def __str__(self) -> str:
        name = self.signature.name(self.place)
        at = self.structure.places(name)[self.leaf] if self.structure is not None else name
        return f"{self.signature.label}, argument {line(at)}"


def _holds_arrays(value: Any) -> bool:
    """Whether a default holds arrays that can change; a parameter is read from outside, as it is from a closure."""
    try:
        leaves = flatten(value)[0]
        return any(is_array(leaf) and leaf.__class__ is not Tensor for leaf in leaves) and not any(
            isinstance(leaf, Parameter) for leaf in leaves
        )
    except Exception:
        return False
