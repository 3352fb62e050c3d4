"""A kernel as text for people, in the words of Python.

What is used once is written where it is used. A value with a label has a line of its own, under that name.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import Node, Pointer, Statement

_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "quotient": "//", "index_div": "//", "index_rem": "%"}
_SIGNS |= {"and": "&", "or": "|", "xor": "^", "shl": "<<", "shr": ">>"}
_SIGNS |= {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
#: how tightly an operator holds its operands, as in Python
_TIGHT = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6}
#: not computed again where they are used: memory and variables may have changed
_READS = frozenset({"load", "gather", "get", "fetch_add", "load_acquire", "load_pointer", "call"})
_WRITES = frozenset({"store", "set", "zero", "copy", "call", "call_address", "loop", "when", "repeat"})


def listing(kernel: Kernel) -> str:
    """The function as text."""
    return "\n".join(_Lister(kernel).lines) + "\n"


def body(kernel: Kernel, indent: int = 1) -> list[str]:
    """The lines inside of the function."""
    return _Lister(kernel, indent).lines[1:]


class _Lister:
    def __init__(self, kernel: Kernel, indent: int = 1):
        self.names: dict[Any, str] = {}
        self.taken: Counter[str] = Counter()
        self.uses: Counter[Any] = Counter()
        self.apart: set[Any] = set()
        self.time = 0
        made: dict[Any, tuple[int, int]] = {}
        self._count(kernel.head, made)
        self._count(kernel.body, made)
        if kernel.result is not None:
            self._use(kernel.result, made, id(kernel.body))
        self.lines: list[str] = []
        for n, p in enumerate([*kernel.arguments, *kernel.stacks]):
            self.names[p] = self._name(p.label or f"p{n}")
        listed = [f"{self.names[a]}: {_about(a)}" for a in kernel.arguments]
        self.lines.append(f"def {kernel.name}({', '.join(listed)}):")
        self.indent = indent
        for p in kernel.stacks:
            self.say(f"{self.names[p]} = empty({p.data}, {p.dtype})")
        self.block(kernel.head)
        self.block(kernel.body)
        if kernel.result is not None:
            self.say(f"return {self.text(kernel.result)}")

    # Which values need a line of their own.

    def _count(self, block: list[Any], made: dict[Any, tuple[int, int]]) -> None:
        for i in block:
            for a in i.args:
                self._use(a, made, id(block))
            if isinstance(i, Node):
                made[i] = self.time, id(block)
            elif i.op in _WRITES:
                self.time += 1
                for inner in i.blocks:
                    self._count(inner, made)
                    self.time += 1

    def _use(self, a: Any, made: dict[Any, tuple[int, int]], block: int) -> None:
        self.uses[a] += 1
        if a in made and a.op in _READS and made[a] != (self.time, block):
            self.apart.add(a)

    def _name(self, wanted: str) -> str:
        self.taken[wanted] += 1
        return wanted if self.taken[wanted] == 1 else f"{wanted}_{self.taken[wanted]}"

    # Text.

    def say(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def block(self, block: list[Any]) -> None:
        for i in block:
            if isinstance(i, Statement):
                getattr(self, f"_{i.op}")(i)
            elif i.label or i in self.apart or self.uses[i] > 1 or i.op == "fetch_add":
                if isinstance(i, Pointer) and not i.label and i not in self.apart:
                    continue
                text = self.text(i)
                self.names[i] = self._name(i.label or f"v{i.number}")
                self.say(f"{self.names[i]} = {text}")

    def text(self, v: Any, tight: int = 0) -> str:
        """An operand; in brackets where what is around it holds more tightly."""
        if v in self.names:
            return self.names[v]
        if v.op in _SIGNS:
            sign = _SIGNS[v.op]
            own = _TIGHT.get(sign, 0)
            a, b = v.args
            text = f"{self.text(a, own)} {sign} {self.text(b, own + 1)}"
            return f"({text})" if own < tight or (not own and tight) else text
        return self._plain(v)

    def _plain(self, v: Any) -> str:
        if v.op == "const":
            return repr(v.data.item())
        if v.op == "table":
            return v.label
        if v.op in ("index", "splat"):
            return self.text(v.args[0], 9)
        if v.op == "counter":
            self.names[v] = self._name(v.label or f"i{v.number}")
            return self.names[v]
        if v.op == "get":
            return self._variable(v.data)
        if v.op in ("load", "element"):
            return self._address(v if v.op == "element" else v.args[0], v.width if v.op == "load" else 0)
        args = [self.text(a) for a in v.args]
        if v.op == "neg":
            return f"-{self.text(v.args[0], 9)}"
        if v.op == "cast":
            return f"{v.dtype}({args[0]})"
        if v.op == "view":
            return f"{self.text(v.args[0], 9)}.view({v.dtype})"
        if v.op == "lane":
            return f"{self.text(v.args[0], 9)}[{v.data}]"
        if v.op == "gather":
            return f"{args[0]}[{args[1]}]"
        if v.op == "horizontal":
            return f"{v.data}({args[0]})"
        if v.op == "call":
            return f"{v.data.name.partition('.')[0]}({', '.join(args)})"
        extra = [str(v.data)] if v.op == "with_lane" else []
        return f"{v.op}({', '.join([*args, *extra])})"

    def _address(self, p: Any, width: int) -> str:
        """An element, `width` of them, or for 0 its address."""
        base, parts = p, []
        while base.op == "element" and base not in self.names:
            parts.append(self.text(base.args[1], 5))
            base = base.args[0]
        at = " + ".join(reversed(parts)) or "0"
        name = self.text(base)
        if not width:
            return f"&{name}[{at}]" if parts else name
        return f"{name}[{at}]" if width == 1 else f"{name}[{at}:+{width}]"

    def _variable(self, variable: Any) -> str:
        if variable not in self.names:
            self.names[variable] = self._name(variable.label or f"x{variable.number}")
        return self.names[variable]

    # Statements.

    def _store(self, s: Statement) -> None:
        p, x = s.args
        self.say(f"{self._address(p, x.width)} = {self.text(x)}")

    def _set(self, s: Statement) -> None:
        self.say(f"{self._variable(s.data)} = {self.text(s.args[0])}")

    def _zero(self, s: Statement) -> None:
        self.say(f"zero({', '.join(self.text(a) for a in s.args)})")

    def _copy(self, s: Statement) -> None:
        self.say(f"copy({', '.join(self.text(a) for a in s.args)})")

    def _pause(self, s: Statement) -> None:
        self.say("pause()")

    def _note(self, s: Statement) -> None:
        self.say(s.data)

    def _call(self, s: Statement) -> None:
        self.say(f"{s.data.name}({', '.join(self.text(a) for a in s.args)})")

    def _call_address(self, s: Statement) -> None:
        function, *args = (self.text(a) for a in s.args)
        self.say(f"{function}({', '.join(args)})")

    def _loop(self, s: Statement) -> None:
        counter, start, stop = s.args
        listed = [self.text(stop)] if start.op == "const" and start.data == 0 else [self.text(start), self.text(stop)]
        if s.data[0] != 1:
            listed = [self.text(start), self.text(stop), str(s.data[0])]
        self._inside(f"for {self.text(counter)} in range({', '.join(listed)}):", s.blocks[0])

    def _when(self, s: Statement) -> None:
        self._inside(f"if {self.text(s.args[0])}:", s.blocks[0])
        if s.blocks[1]:
            self._inside("else:", s.blocks[1])

    def _repeat(self, s: Statement) -> None:
        self._inside("while True:", s.blocks[0])

    def _leave(self, s: Statement) -> None:
        self._inside(f"if {self.text(s.args[0])}:", [])
        self.lines[-1] = "    " * (self.indent + 1) + "break"

    def _inside(self, head: str, block: list[Any]) -> None:
        self.say(head)
        self.indent += 1
        before = len(self.lines)
        self.block(block)
        if len(self.lines) == before:
            self.say("pass")
        self.indent -= 1


def _about(a: Any) -> str:
    if isinstance(a, Pointer):
        return f"{a.dtype}[:]"
    return str(a.dtype) if a.width == 1 else f"{a.dtype} x {a.width}"
