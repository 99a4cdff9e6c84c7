"""The records of a trace: values, and the steps that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from frameworks.models.tracing.sizes import Of, Real, Whole, origin


@dataclass(frozen=True)
class Line:
    """A line of the module's source."""

    file: str
    number: int

    def __str__(self) -> str:
        """Return "FILE:LINE"."""
        return f"{self.file}:{self.number}"


@dataclass(eq=False)
class Value:
    """A tensor that the module was given or has made.

    Args:
        number: its place among the values, by which two records are matched.
        shape: its sizes in this record.
        dtype: "float32", "int64", ...
        name: the first name that the module's code gave it; "" if it has none.
        packed: whether it is a packed sequence, whose shape is that of its data.
    """

    number: int
    shape: tuple[int, ...]
    dtype: str
    name: str = ""
    packed: bool = False


@dataclass(frozen=True)
class Parameter:
    """A parameter, a buffer, or a tensor that is an attribute.

    Args:
        path: where it is in the module: "encoder.scale".
        shape: its shape.
        dtype: its dtype.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Constant:
    """A tensor that the code makes of numbers while it runs, or that no attribute holds."""

    data: Any

    @property
    def key(self) -> tuple[Any, ...]:
        """What two equal ones share."""
        return (str(self.data.dtype), tuple(self.data.shape), self.data.tobytes())


@dataclass(frozen=True)
class Each:
    """A value of every turn of a loop, as a list.

    Args:
        value: the collected value, an output of the loop, whose first axis counts the turns.
        backwards: whether the last turn comes first.
    """

    value: Value
    backwards: bool = False


@dataclass(frozen=True)
class Fill:
    """The number with which a carried value of a loop starts, where the code has no tensor."""

    number: Any


@dataclass(eq=False)
class Step:
    """One thing that the module did.

    Args:
        args: the positional arguments: values, parameters, numbers with or without an origin, and structures of these.
        kwargs: the keyword arguments.
        result: what it returned, likewise.
        line: where the module's code asked for it.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    line: Line = field(default_factory=lambda: Line("", 0))

    @property
    def made(self) -> list[Value]:
        """The values that it made, without those of its body."""
        return list(values_in(self.result))

    @property
    def read(self) -> list[Value]:
        """The values that it reads, without those that only its body reads."""
        return list(values_in((self.args, self.kwargs)))


@dataclass(eq=False)
class Function(Step):
    """A function of torch, or a method of a tensor, by its name."""

    name: str = ""


@dataclass(eq=False)
class ModuleCall(Step):
    """A call of a module of torch.nn; `path` says which."""

    path: str = ""


@dataclass(eq=False)
class Block:
    """Steps in their order, and what comes out of them."""

    steps: list[Step] = field(default_factory=list)
    result: Any = None

    def all_steps(self) -> Iterator[Step]:
        """Yield every step, with those of bodies after the step that holds them."""
        for step in self.steps:
            yield step
            if isinstance(step, (Method, Loop)):
                yield from step.body.all_steps()


@dataclass(eq=False)
class Method(Step):
    """A call of one of the user's own modules, or of a method of it.

    Args:
        path: the module's path; "" for the whole one.
        name: the method: "forward", or one that the code calls on its own object.
        arguments: the arguments by the names of the method's parameters.
        body: what it did.
        names: the names that its code gives to what other methods make.
    """

    path: str = ""
    name: str = "forward"
    arguments: dict[str, Any] = field(default_factory=dict)
    body: Block = field(default_factory=Block)
    names: dict[Value, str] = field(default_factory=dict)


@dataclass(eq=False)
class Loop(Step):
    """A loop whose turns are alike.

    Args:
        index: identifies the loop in `Of("index", (loop,))`.
        start: the first index.
        turns: the number of turns.
        stride: what the index grows by.
        body: one turn, which reads carried values as the turn before has made them.
        carried: for each value that a turn takes from the one before: the value as the body reads it, as the body makes it, and
            as it starts: a value, a parameter or a `Fill`.
        last: by the value in the body: what it is after the last turn.
        each: by the value in the body: what it was in every turn, along a new first axis.
    """

    index: object = None
    start: Any = 0
    turns: Any = 0
    stride: Any = 1
    body: Block = field(default_factory=Block)
    carried: list[tuple[Value, Value, Any]] = field(default_factory=list)
    last: dict[Value, Value] = field(default_factory=dict)
    each: dict[Value, Value] = field(default_factory=dict)

    @property
    def made(self) -> list[Value]:
        """The values that are used after the loop."""
        return [*self.last.values(), *self.each.values()]


def items_of(items: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    """Yield the items of a list or tuple, without running the loop that a tuple of `unbind` is."""
    return iter(items) if isinstance(items, list) else tuple.__iter__(items)


def mapped(structure: Any, by: Callable[[Any], Any]) -> Any:
    """Return a structure with each of its leaves replaced."""
    if isinstance(structure, slice):
        return slice(*(mapped(each, by) for each in (structure.start, structure.stop, structure.step)))
    if isinstance(structure, dict):
        return {name: mapped(each, by) for name, each in structure.items()}
    if isinstance(structure, (list, tuple)):
        made = [mapped(each, by) for each in items_of(structure)]
        return made if isinstance(structure, list) else tuple(made)
    return by(structure)


def leaves(structure: Any) -> Iterator[Any]:
    """Yield the leaves of a structure in order."""
    if isinstance(structure, slice):
        structure = (structure.start, structure.stop, structure.step)
    if isinstance(structure, dict):
        structure = tuple(structure.values())
    if isinstance(structure, (list, tuple)):
        for each in items_of(structure):
            yield from leaves(each)
    else:
        yield structure


def values_in(structure: Any) -> Iterator[Value]:
    """Yield the values in a structure, those from which numbers come included."""
    for leaf in leaves(structure):
        if isinstance(leaf, Value):
            yield leaf
        elif isinstance(leaf, Each):
            yield leaf.value
        elif isinstance(leaf, (Whole, Real)):
            yield from values_in(tuple(leaf.of.parts))


def number_mapped(number: Any, by: Callable[[Value], Any]) -> Any:
    """Return a number with the values replaced that it comes from."""
    of = origin(number)
    if of is None:
        return number
    parts = tuple(by(each) if isinstance(each, Value) else number_mapped(each, by) for each in of.parts)
    return type(number).made(number, Of(of.what, parts))
