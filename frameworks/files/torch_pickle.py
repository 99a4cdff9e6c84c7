"""The pickle inside a torch file, run as data: tensors are noted down where they lie, every class and function stays a name.

The language is taken apart by Python's `pickletools`; what is done with it is written here. No class or function is looked up,
an object is the state that the file gives it, and whatever is no plain data is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Storage:
    """A tensor's elements: the class that the file names, the key under which they lie, and how many there are."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(eq=False)
class Named:
    """A class or function of the file, or what it would have made: its name and the state that it was given."""

    name: str
    state: Any = None
    items: list[Any] = field(default_factory=list)


def _rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """Note down a tensor."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError("a tensor of an impossible shape")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _keep(value: Any, *_: Any) -> Any:
    return value


def _pairs(items: Any = ()) -> dict[str, Any]:
    return {_key(key): value for key, value in items}


def _key(key: Any) -> str:
    """Give a key of a dictionary as text: other keys than these could be made to collide, to the reader's cost."""
    if isinstance(key, str) or (isinstance(key, int) and abs(key) < 1 << 31):
        return str(key)
    return f"<{type(key).__name__}>"


_CALLS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "torch._utils _rebuild_tensor_v2": _rebuild,
        "torch._utils _rebuild_tensor": _rebuild,
        "torch._utils _rebuild_parameter": _keep,
        "collections OrderedDict": _pairs,
        "torch Size": _keep,
    }
)
"""What a file may call, by the names that it has there."""

_PUSHED = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "UNICODE", "BINUNICODE"),
        *(
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "STRING",
            "BINSTRING",
            "SHORT_BINSTRING",
            "BINBYTES",
            "SHORT_BINBYTES",
            "BINBYTES8",
        ),
    )
)
_MADE: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_TUPLE": tuple,
        "EMPTY_LIST": list,
        "EMPTY_DICT": dict,
    }
)


class _Machine:
    """The stack machine of a pickle, as far as data needs it."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: Any) -> Any:
        """Run until the pickle ends, and give what it leaves."""
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _PUSHED:
                self.stack.append(argument)
            elif name in _MADE:
                self.stack.append(_MADE[name]())
            elif name not in ("PROTO", "FRAME", "STOP"):
                step = getattr(self, f"do_{name.lower()}", None)
                if step is None:
                    raise ValueError(f"{name} is not done here")
                step(argument)
        return self.stack.pop()

    def above_mark(self) -> list[Any]:
        """Take what lies above the last mark."""
        at = self.marks.pop()
        found = self.stack[at:]
        del self.stack[at:]
        return found

    def do_mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def do_pop(self, _: Any) -> None:
        self.stack.pop()

    def do_pop_mark(self, _: Any) -> None:
        self.above_mark()

    def do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def do_get(self, index: Any) -> None:
        self.stack.append(self.memo[index])

    do_binget = do_long_binget = do_get

    def do_put(self, index: Any) -> None:
        if abs(index) >= 1 << 32:
            raise ValueError("a place in the memo that no writer gives")
        self.memo[index] = self.stack[-1]

    do_binput = do_long_binput = do_put

    def do_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.above_mark()))

    def do_list(self, _: Any) -> None:
        self.stack.append(self.above_mark())

    def do_dict(self, _: Any) -> None:
        flat = self.above_mark()
        self.stack.append(_pairs(zip(flat[::2], flat[1::2], strict=True)))

    def do_tuple1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def do_tuple2(self, _: Any) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def do_tuple3(self, _: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def do_appends(self, _: Any) -> None:
        found = self.above_mark()
        last = self.stack[-1]
        (last.items if isinstance(last, Named) else last).extend(found)

    def do_append(self, _: Any) -> None:
        found, last = self.stack.pop(), self.stack[-1]
        (last.items if isinstance(last, Named) else last).append(found)

    def do_setitems(self, _: Any) -> None:
        flat = self.above_mark()
        self.set_pairs(zip(flat[::2], flat[1::2], strict=True))

    def do_setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_pairs([(key, value)])

    def set_pairs(self, pairs: Any) -> None:
        """Put pairs into the dictionary, or the object, on top."""
        last = self.stack[-1]
        if isinstance(last, Named):
            last.items.extend((_key(key), value) for key, value in pairs)
        else:
            last.update(_pairs(pairs))

    def do_global(self, name: Any) -> None:
        self.stack.append(Named(str(name)))

    def do_stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(Named(f"{module} {name}"))

    def do_reduce(self, _: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if called.name in _CALLS:
            self.stack.append(_CALLS[called.name](*arguments))
        elif called.name.startswith("torch._utils _rebuild"):
            raise ValueError(f"{called.name} makes tensors of a kind that is not read")
        else:
            self.stack.append(Named(called.name, items=list(arguments)))

    do_newobj = do_reduce

    def do_build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Named):
            self.stack[-1].state = state

    def do_binpersid(self, _: Any) -> None:
        identity = self.stack.pop()
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
            raise ValueError("a reference to something that is no storage")
        _, kind, key, _, count = identity[:5]
        if type(count) is not int or count < 0:
            raise ValueError("a storage of an impossible size")
        self.stack.append(Storage(str(getattr(kind, "name", kind)).rpartition(" ")[2], str(key), count))


def run_pickle(file: Any) -> Any:
    """Run the pickle in a binary file, and give what it leaves as data.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, OverflowError: for one that is damaged or no plain data.
    """
    return _Machine().run(file)
