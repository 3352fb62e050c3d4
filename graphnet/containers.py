"""Nested containers of arrays as a flat list of leaves, and back.

Containers are tuples, lists, dicts, named tuples and dataclasses, and their subclasses. None is an empty container. A
list of numbers (also nested, of any dtype) is one array, so it is a leaf; a list of tensors or arrays is a container,
as a list of parameters is. Everything else is a leaf; but strings, functions and classes in the fields of a dataclass
are part of the structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphnet.container_parts import besides, dict_of, fields_of, same, taken_apart


class _Leaf:
    """The tree of a leaf; that of None is None, that of a container a `_Node`."""

    def __reduce__(self) -> str:
        return "_LEAF"  # there is one


_LEAF = _Leaf()


class _Node:
    """A container without its leaves: its class, its keys (or names of fields, or places), and what is under them.

    `family` says how it is made again; `extra` holds what an instance has besides: the default of a defaultdict, the
    attributes of a subclass of dict, the settings of a dataclass.
    """

    __slots__ = ("children", "extra", "family", "keys", "kind")

    def __init__(self, family: str, kind: type, keys: tuple[Any, ...], children: tuple[Any, ...], extra: Any = None):
        self.family, self.kind, self.keys, self.children, self.extra = family, kind, keys, children, extra

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Node) and (
            self.kind is other.kind
            and self.keys == other.keys
            # 1, 1.0 and True are one key to a dict, and three to a function that looks at them.
            and (self.family != "dict" or _classes(self.keys) == _classes(other.keys))
            and self.children == other.children
            and same(self.extra, other.extra)
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.keys, self.children))

    def place(self, key: Any) -> str:
        """How the part under `key` is written after the container."""
        return f".{key}" if self.family in ("fields", "dataclass") else f"[{key!r}]"

    def make(self, parts: list[Any]) -> Any:
        """A container of this class that holds `parts`."""
        kind, family = self.kind, self.family
        if kind is list or kind is tuple:
            return kind(parts)
        if family == "dict":
            return dict_of(kind, dict(zip(self.keys, parts, strict=True)), self.extra)
        if family == "fields":
            return kind._make(parts)  # type: ignore[attr-defined]
        if family == "dataclass":
            made: Any = object.__new__(kind)
            for name, part in (*zip(self.keys, parts, strict=True), *self.extra):
                object.__setattr__(made, name, part)
            return made
        try:
            return kind(parts)
        except TypeError as error:
            raise TypeError(
                f"a {kind.__name__} cannot be made again from its parts ({error}): use a plain {family}, or a dataclass"
            ) from None


def _classes(key: Any) -> Any:
    """The class of a key, and of what is in it."""
    return (type(key), *map(_classes, key)) if isinstance(key, (tuple, frozenset)) else type(key)


def _taken(part: Any, leaves: list[Any]) -> Any:
    """The tree of `part`, its leaves appended to `leaves`."""
    if part is None:
        return None
    found = None if hasattr(type(part), "__array__") else taken_apart(part)
    if found is None:
        leaves.append(part)
        return _LEAF
    family, keys, parts = found
    children = tuple([_taken(p, leaves) for p in parts])
    extra = besides(part) if family == "dict" else fields_of(part, settings=True) if family == "dataclass" else None
    return _Node(family, type(part), keys, children, extra)


def _made(tree: Any, leaves: Iterator[Any]) -> Any:
    if tree is _LEAF:
        return next(leaves)
    return None if tree is None else tree.make([_made(child, leaves) for child in tree.children])


def _count(tree: Any) -> int:
    return 1 if tree is _LEAF else 0 if tree is None else sum(map(_count, tree.children))


def _called(value: Any) -> str:
    """What a value is, in an error."""
    if value is None:
        return "None"
    if isinstance(value, dict):
        return f"a {type(value).__name__} with the keys {', '.join(map(repr, value)) or 'none'}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__}"


def _matched(
    tree: Any, value: Any, what: str, path: str, leaves: list[Any], whole: tuple[type, ...], leaf: str = "an array"
) -> None:
    if isinstance(value, whole):
        leaves += [value] * _count(tree)
        return
    at = f"{what}{path}"
    if tree is _LEAF:
        if value is None or isinstance(value, dict) or dataclasses.is_dataclass(value):
            raise TypeError(f"{at}: expected {leaf}, received {_called(value)}")
        leaves.append(value)
        return
    if tree is None:
        if value is not None:
            raise TypeError(f"{at}: expected None, received {_called(value)}")
        return
    if tree.family == "dict":
        if not isinstance(value, dict):
            listed = ", ".join(map(repr, tree.keys))
            raise TypeError(f"{at}: expected a {tree.kind.__name__} with the keys {listed}, received {_called(value)}")
        missing = [key for key in tree.keys if key not in value]
        unknown = [key for key in value if key not in tree.keys]
        if missing or unknown:
            faults = [f"no key {key!r}" for key in missing] + [f"an unknown key {key!r}" for key in unknown]
            raise ValueError(f"{at}: it has {', '.join(faults)}; expected the keys {', '.join(map(repr, tree.keys))}")
        parts = [value[key] for key in tree.keys]
    elif tree.family == "dataclass":
        if type(value) is not tree.kind:
            raise TypeError(f"{at}: expected a {tree.kind.__name__}, received {_called(value)}")
        parts = [getattr(value, name, None) for name in tree.keys]
    else:
        if type(value) is not tree.kind:
            raise TypeError(f"{at}: expected a {tree.kind.__name__} of {len(tree.keys)}, received {_called(value)}")
        if len(value) != len(tree.keys):
            raise ValueError(f"{at}: expected a {tree.kind.__name__} of {len(tree.keys)}, received {_called(value)}")
        parts = list(value)
    for key, child, part in zip(tree.keys, tree.children, parts, strict=True):
        _matched(child, part, what, path + tree.place(key), leaves, whole, leaf)


def _labels(tree: Any, name: str, step: Callable[[Any, Any], str]) -> list[str]:
    """For each leaf `name` and, for each container around it, `step(its tree, the key)`."""
    if tree is _LEAF:
        return [name]
    parts = () if tree is None else zip(tree.keys, tree.children, strict=True)
    return [label for key, child in parts for label in _labels(child, name + step(tree, key), step)]


def _shown(tree: Any) -> str:
    if tree is _LEAF:
        return "*"
    if tree is None:
        return "None"
    parts = [_shown(child) for child in tree.children]
    if tree.kind is tuple:
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if tree.kind is list:
        return f"[{', '.join(parts)}]"
    if tree.family == "dict":
        inner = "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(tree.keys, parts, strict=True)) + "}"
        return inner if tree.kind is dict else f"{tree.kind.__name__}({inner})"
    if tree.family in ("fields", "dataclass"):
        return f"{tree.kind.__name__}({', '.join(f'{k}={p}' for k, p in zip(tree.keys, parts, strict=True))})"
    return f"{tree.kind.__name__}([{', '.join(parts)}])"


class Structure:
    """What containers are around the leaves of a value: compared, hashed and pickled by content.

    * `structure(leaves)` is the value with other leaves, its containers of the same classes;
    * `structure.match(other, what)` gives the leaves of `other` in this structure's order: dicts by key, whatever
      their order; other containers by class and length. `ValueError` (keys, lengths) or `TypeError` (classes) says,
      with the path, what differs; `what` begins that message. Where a leaf is expected any array-like will do;
    * `structure.count` is the number of leaves; `structure.names("p")` a name for each (`p_w`, `p_rest_0`), and
      `structure.places("p")` where each is (`p['w']`, `p['rest'][0]`);
    * two structures are equal if containers, their classes and their keys in order are.

    >>> leaves, structure = flatten({"w": 1.0, "b": (2.0, None)})
    >>> structure
    {'w': *, 'b': (*, None)}
    >>> structure.match({"b": (20.0, None), "w": 10.0}, "the direction")
    [10.0, 20.0]
    >>> structure.match({"w": 10.0, "c": 20.0}, "the direction")
    Traceback (most recent call last):
    ...
    ValueError: the direction: it has no key 'b', an unknown key 'c'; expected the keys 'w', 'b'
    """

    __slots__ = ("_tree", "count")

    def __init__(self, tree: Any, count: int | None = None):
        self._tree = tree
        self.count = _count(tree) if count is None else count

    @property
    def is_leaf(self) -> bool:
        """Whether there is no container."""
        return self._tree is _LEAF

    def __call__(self, leaves: Sequence[Any]) -> Any:
        if len(leaves) != self.count:
            raise ValueError(f"{self.count} leaves are expected, {len(leaves)} received")
        if self._tree is _LEAF:
            return leaves[0]
        return _made(self._tree, iter(leaves))

    def match(self, value: Any, what: str, none: bool = False) -> list[Any]:
        """The leaves of `value` in the order of this structure; raises, naming the place, where it differs.

        With `none`, a None stands for anything, and for None in each of its leaves.
        """
        leaves: list[Any] = []
        _matched(self._tree, value, what, "", leaves, (type(None),) if none else ())
        return leaves

    def spread(self, value: Any, what: str, of: tuple[type, ...], leaf: str) -> list[Any]:
        """`value` for each leaf: it has this structure as far as it goes, and what is `of` a class in it, or None,
        stands for all leaves that are there. `leaf` says, in errors, what that is.

        >>> flatten({"w": 1.0, "b": (2.0, 3.0)})[1].spread({"w": 0, "b": None}, "in_axes", (int,), "an axis")
        [0, None, None]
        """
        leaves: list[Any] = []
        _matched(self._tree, value, what, "", leaves, (*of, type(None)), leaf)
        return leaves

    def names(self, name: str) -> list[str]:
        """A name for each leaf, `name` and the keys on the way to it."""
        return _labels(self._tree, name, lambda tree, key: f"_{key}")

    def places(self, name: str) -> list[str]:
        """Where each leaf is, as one would write it for a variable `name`."""
        return _labels(self._tree, name, _Node.place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self._tree == other._tree

    def __hash__(self) -> int:
        return hash(self._tree)

    def __repr__(self) -> str:
        return _shown(self._tree)


def flatten(value: Any) -> tuple[list[Any], Structure]:
    """The leaves of nested containers in order, and their `Structure`: `structure(leaves)` is the value again.

    Dicts keep the order of their keys. None is no leaf; a list of numbers is one; a list of tensors is a container.

    >>> leaves, structure = flatten({"w": 1, "rest": (2, [3])})
    >>> leaves
    [1, 2, [3]]
    >>> structure(["a", "b", "c"])
    {'w': 'a', 'rest': ('b', 'c')}
    """
    leaves: list[Any] = []
    tree = _taken(value, leaves)
    return leaves, Structure(tree, len(leaves))
