"""A pickle machine that only builds containers, numbers, text, and records of what would have been called.

Nothing is imported or called, whatever a pickle contains. A global becomes its name; a call that is not in `calls` becomes a
`Record` of the name and the arguments. Source of the opcodes: Lib/pickletools.py of CPython.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.errors import GatewiseError
from frameworks.files.untrusted.source import damaged, unsupported

MAX_OPCODES = 2_000_000

Call = Callable[..., Any]


@dataclass(frozen=True)
class Global:
    """The name of a class or function, which is never imported."""

    name: str


@dataclass(eq=False)
class Record:
    """An object of an unknown class.

    Args:
        name: the class or function that would have made it.
        args: the arguments of that call.
        state: the state that would have been set on the object.
        items: the items that would have been added to it, if it is like a list or dict.
    """

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    """Marks where a group of objects on the stack begins."""


_MARK = _Mark()
_KEYS = (str, int, float, bytes, bool, type(None))


def load(content: bytes, name: str, calls: Mapping[str, Call], persistent: Call) -> tuple[Any, int]:
    """Read one pickle; return the object and the offset of the end of the pickle.

    Args:
        content: bytes that begin with the pickle.
        name: what messages call the pickle.
        calls: functions that replace calls of globals, by name.
        persistent: a function that replaces references to objects outside the pickle.

    Raises:
        GatewiseError: for a damaged pickle, or one that uses opcodes that no checkpoint needs.
    """
    machine = _Machine(content, name, calls, persistent)
    try:
        return machine.run(), machine.at
    except GatewiseError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, struct.error, OverflowError) as error:
        raise damaged(name, f"holds a pickle that is not plain data, at byte {machine.at}: {str(error)[:100]}") from error


class _Machine:
    """A stack, a memo, and the offset of the next opcode."""

    def __init__(self, content: bytes, name: str, calls: Mapping[str, Call], persistent: Call) -> None:
        self.content, self.name, self.calls, self.persistent = content, name, calls, persistent
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            opcode = self.take(1)[0]
            if opcode == ord("."):
                return self.stack.pop()
            step = _STEPS.get(opcode)
            if step is None:
                raise unsupported(
                    self.name, f"holds a pickle with an unknown opcode, {bytes([opcode])!r} at byte {self.at - 1}"
                )
            step(self)
        raise unsupported(self.name, f"holds a pickle of more than {MAX_OPCODES} steps")

    def take(self, size: int) -> bytes:
        taken = self.content[self.at : self.at + size]
        if len(taken) != size:
            raise ValueError("ends within its pickle")
        self.at += size
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.content.index(b"\n", self.at)
        return self.take(end + 1 - self.at)[:-1].decode()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def group(self) -> list[Any]:
        """Remove and return everything above the last mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                members = self.stack[place + 1 :]
                del self.stack[place:]
                return members
        raise ValueError("closes a group that it never opened")

    def join(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("takes more than the stack holds")
        members = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.push(members)

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.items.update(enumerate(values, len(target.items)))
        elif isinstance(target, list):
            target.extend(values)

    def fill(self, flat: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Record) else target
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            # Hashing nested tuples from an untrusted file may take forever.
            items[key if isinstance(key, _KEYS) else f"<{type(key).__name__} {len(items)}>"] = value

    def build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Record):
            self.stack[-1].state = state

    def name_global(self, module: Any, attribute: Any) -> None:
        self.push(Global(f"{str(module)[:200]}.{str(attribute)[:200]}"))

    def call(self, called: Any, args: Any) -> None:
        if not isinstance(args, tuple):
            raise TypeError(f"calls with a {type(args).__name__}")
        name = called.name if isinstance(called, Global) else f"<{type(called).__name__}>"
        known = self.calls.get(name)
        self.push(Record(name, args) if known is None else known(*args))

    def reduce(self) -> None:
        args = self.stack.pop()
        self.call(self.stack.pop(), args)

    def reduce_named(self) -> None:
        named, args = self.stack.pop(), self.stack.pop()
        self.call(self.stack.pop(), (*args, *named.values()))

    def stack_global(self) -> None:
        attribute = self.stack.pop()
        self.name_global(self.stack.pop(), attribute)


def _text(form: str) -> Call:
    return lambda machine: machine.push(machine.take(machine.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str) -> Call:
    return lambda machine: machine.push(machine.take(machine.number(form)))


def _string(form: str) -> Call:
    return lambda machine: machine.push(_of_python_2(machine.take(machine.number(form))))


def _of_python_2(content: bytes) -> str | bytes:
    return content.decode() if content.isascii() else content  # Python 2 has one type for both; a possible name is text


def _long(form: str) -> Call:
    return lambda machine: machine.push(int.from_bytes(machine.take(machine.number(form)), "little", signed=True))


def _value(make: Callable[[], Any]) -> Call:
    return lambda machine: machine.push(make())


def _read(form: str) -> Call:
    return lambda machine: machine.push(machine.number(form))


_STEPS: Mapping[int, Call] = {
    ord(code): step
    for code, step in {
        "\x80": lambda machine: machine.take(1),
        "\x95": lambda machine: machine.take(8),  # the size of a frame, which is not needed
        "(": _value(lambda: _MARK),
        "0": lambda machine: machine.stack.pop(),
        "1": lambda machine: machine.group(),
        "2": lambda machine: machine.push(machine.stack[-1]),
        "N": _value(lambda: None),
        "\x88": _value(lambda: True),
        "\x89": _value(lambda: False),
        "J": _read("<i"),
        "K": _read("<B"),
        "M": _read("<H"),
        "G": _read(">d"),
        "\x8a": _long("<B"),
        "\x8b": _long("<I"),
        "X": _text("<I"),
        "\x8c": _text("<B"),
        "\x8d": _text("<Q"),
        "T": _string("<I"),
        "U": _string("<B"),
        "B": _bytes("<I"),
        "C": _bytes("<B"),
        "\x8e": _bytes("<Q"),
        "\x96": _bytes("<Q"),
        ")": _value(tuple),
        "]": _value(list),
        "}": _value(dict),
        "\x8f": _value(list),
        "t": lambda machine: machine.push(tuple(machine.group())),
        "l": lambda machine: machine.push(machine.group()),
        "\x91": lambda machine: machine.push(machine.group()),
        "\x85": lambda machine: machine.join(1),
        "\x86": lambda machine: machine.join(2),
        "\x87": lambda machine: machine.join(3),
        "a": lambda machine: machine.extend([machine.stack.pop()]),
        "e": lambda machine: machine.extend(machine.group()),
        "\x90": lambda machine: machine.extend(machine.group()),
        "s": lambda machine: machine.fill([machine.stack.pop(), machine.stack.pop()][::-1]),
        "u": lambda machine: machine.fill(machine.group()),
        "q": lambda machine: machine.put(machine.number("<B")),
        "r": lambda machine: machine.put(machine.number("<I")),
        "\x94": lambda machine: machine.put(len(machine.memo)),
        "h": lambda machine: machine.push(machine.memo[machine.number("<B")]),
        "j": lambda machine: machine.push(machine.memo[machine.number("<I")]),
        "c": lambda machine: machine.name_global(machine.line(), machine.line()),
        "\x93": lambda machine: machine.stack_global(),
        "R": lambda machine: machine.reduce(),
        "\x81": lambda machine: machine.reduce(),
        "\x92": lambda machine: machine.reduce_named(),
        "b": lambda machine: machine.build(),
        "Q": lambda machine: machine.push(machine.persistent(machine.stack.pop())),
    }.items()
}
