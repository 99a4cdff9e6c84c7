"""Whether two records are alike: two turns of a loop, or the same call at two sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from frameworks.models.tracing.sizes import Of, origin
from frameworks.models.tracing.steps import (
    Constant,
    Each,
    Function,
    Line,
    Loop,
    Method,
    ModuleCall,
    Parameter,
    Step,
    Value,
    items_of,
)


class MismatchError(Exception):
    """Two records differ.

    Args:
        what: how, as half a sentence about the code.
        line: where.
    """

    def __init__(self, what: str, line: Line) -> None:
        """Say what differs where."""
        super().__init__(what)
        self.what = what
        self.line = line


class Pairs:
    """What of one record stands for what of another.

    Args:
        one: the steps of the first record.
        other: those of the second.

    Raises:
        MismatchError: for steps that are not the same calls in the same order.
    """

    def __init__(self, one: list[Step], other: list[Step]) -> None:
        """Walk along both."""
        self.values: dict[Value, Value] = {}
        self.loops: dict[Any, Any] = {}
        self.steps: list[tuple[Step, Step]] = []
        self._walk(one, other)

    def _walk(self, one: list[Step], other: list[Step]) -> None:
        for first, second in zip(one, other, strict=False):
            self.steps.append((first, second))
            if type(first) is not type(second) or _called(first) != _called(second):
                raise MismatchError(f"calls {_called(first)} in one case, and {_called(second)} in another", first.line)
            if isinstance(first, Loop) and isinstance(second, Loop):
                self.loops[first.index] = second.index
            if isinstance(first, (Method, Loop)) and isinstance(second, (Method, Loop)):
                self._walk(first.body.steps, second.body.steps)
            self._pair(first, second)
        if len(one) != len(other):
            longer = one if len(one) > len(other) else other
            raise MismatchError(
                f"makes {len(one)} calls in one case, and {len(other)} in another", longer[min(len(one), len(other))].line
            )

    def _pair(self, first: Step, second: Step) -> None:
        if isinstance(first, Loop) and isinstance(second, Loop):
            self.values |= {mine[0]: theirs[0] for mine, theirs in zip(first.carried, second.carried, strict=False)}
            for mine, theirs in ((first.last, second.last), (first.each, second.each)):
                if {self.values.get(value) for value in mine} != set(theirs):
                    raise MismatchError("uses other results of a loop in one case than in another", first.line)
                self.values |= {made: theirs[self.values[value]] for value, made in mine.items()}
            return
        if isinstance(first, Method):
            return
        if len(first.made) != len(second.made):
            raise MismatchError("returns a different number of tensors from case to case", first.line)
        self.values |= dict(zip(first.made, second.made, strict=True))


def _called(step: Step) -> str:
    if isinstance(step, Function):
        return step.name
    if isinstance(step, ModuleCall):
        return step.path
    return f"{step.path}.{step.name}" if isinstance(step, Method) else "a loop"


def read_of(step: Step) -> Iterator[Any]:
    """Yield what a step reads, as structures."""
    yield step.args
    yield step.kwargs
    if isinstance(step, Method):
        yield step.arguments
        yield step.body.result
    if isinstance(step, Loop):
        yield (step.start, step.turns, step.stride)
        yield [None for _ in step.carried]
        for read, made, start in step.carried:
            yield (read, made)
            yield start


def require_alike(pairs: Pairs, reads: Callable[[Value, Any], bool]) -> None:
    """Require that two records read the same.

    Args:
        pairs: the records.
        reads: whether a value of the first stands for what the second has in its place.

    Raises:
        MismatchError: if they differ, with the line.
    """
    for first, second in pairs.steps:
        for mine, theirs in zip(read_of(first), read_of(second), strict=False):
            difference = different(mine, theirs, reads, pairs.loops)
            if difference:
                raise MismatchError(difference, first.line)


def different(  # noqa: PLR0911 - a return for each kind of thing
    one: Any, other: Any, reads: Callable[[Value, Any], bool], loops: dict[Any, Any]
) -> str:
    """Return how two structures differ, "" if they are alike."""
    if isinstance(one, Value):
        return "" if reads(one, other) else "uses other tensors in one case than in another"
    if isinstance(one, Each):
        alike = isinstance(other, Each) and other.backwards == one.backwards and reads(one.value, other.value)
        return "" if alike else "collects other tensors in one case than in another"
    if type(one) is not type(other):
        return f"has {_said(one)} in one case, and {_said(other)} in another"
    if isinstance(one, slice):
        return different((one.start, one.stop, one.step), (other.start, other.stop, other.step), reads, loops)
    if isinstance(one, dict):
        if list(one) != list(other):
            return f"has the names {', '.join(map(str, one))} in one case, and {', '.join(map(str, other))} in another"
        return different(tuple(one.values()), tuple(other.values()), reads, loops)
    if isinstance(one, (list, tuple)):
        return _different_items(list(items_of(one)), list(items_of(other)), reads, loops)
    first, second = origin(one), origin(other)
    if first is not None and second is not None:
        return _different_origins(first, second, reads, loops)
    return _different_leaves(one, other)


def _different_items(one: list[Any], other: list[Any], reads: Callable[[Value, Any], bool], loops: dict[Any, Any]) -> str:
    if len(one) != len(other):
        return f"has {len(one)} things in one case, and {len(other)} in another"
    found = (different(first, second, reads, loops) for first, second in zip(one, other, strict=True))
    return next(filter(None, found), "")


def _different_origins(one: Of, other: Of, reads: Callable[[Value, Any], bool], loops: dict[Any, Any]) -> str:
    if one.what != other.what:
        return f"computes a number by {one.what} in one case, and by {other.what} in another"
    if one.what == "index":
        return "" if loops.get(one.parts[0], one.parts[0]) is other.parts[0] else "uses the index of another loop"
    return different(one.parts, other.parts, reads, loops)


def _different_leaves(one: Any, other: Any) -> str:
    if isinstance(one, Constant):
        return "" if one.key == other.key else "makes another tensor of numbers in one case than in another"
    alike = one is other or one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))
    return "" if alike else f"has {_said(one)} in one case, and {_said(other)} in another"


def _said(thing: Any) -> str:
    if isinstance(thing, Value):
        return "a tensor"
    return thing.path if isinstance(thing, Parameter) else repr(thing)
