"""Loops of a module's code: `range` and iteration over a tensor, with each turn's steps in a block of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from frameworks.models.tracing.sizes import Of, Whole
from frameworks.models.tracing.steps import Block, Step

if TYPE_CHECKING:
    from typing_extensions import Self


class Index:
    """The identity of a loop's index."""


class Unrolled(Step):
    """A loop as it was run: a block for each turn."""

    def __init__(self, index: Index, bounds: tuple[Any, Any, Any], line: Any) -> None:
        """Take the bounds: the first index, the number of turns and the stride."""
        super().__init__(line=line)
        self.index = index
        self.bounds = bounds
        self.turns: list[Block] = []
        self.broken = False


class Turning:
    """The loops that are running."""

    def __init__(self, recorder: Any) -> None:
        """Belong to a recorder."""
        self.recorder = recorder
        self.running: list[Unrolled] = []

    def range(self, *bounds: Any) -> Range:
        """Stand in for Python's `range`."""
        return Range(self, *bounds)

    def enumerate(self, items: Iterable[Any], start: Any = 0) -> Iterator[tuple[Any, Any]]:
        """Stand in for Python's `enumerate`: where the items run a loop, its count is the loop's index."""
        around = len(self.running)
        for at, item in enumerate(items):
            loop = self.running[around] if len(self.running) > around else None
            if loop is None or len(loop.turns) != at + 1 or (int(loop.bounds[0]), int(loop.bounds[2])) != (0, 1):
                yield start + at, item
            else:
                index = Whole.made(at, Of("index", (loop.index,)))
                yield index if start == 0 else start + index, item

    def run(self, bounds: tuple[Any, Any, Any], items: Any) -> Iterator[Any]:
        """Yield what each turn gets, and put the steps of each turn into a block."""
        recorder = self.recorder
        first, count, stride = bounds
        joined = self.running[-1] if self.running and self._has_just_begun(self.running[-1], count) else None
        loop = joined or Unrolled(Index(), bounds, recorder.line())
        if joined is None:
            recorder.add(loop)
            self.running.append(loop)
        ended = False
        try:
            for at in range(int(count)):
                if joined is None:
                    if loop.turns:
                        recorder.blocks.pop()
                    loop.turns.append(Block())
                    recorder.blocks.append(loop.turns[-1])
                index = Whole.made(int(first) + at * int(stride), Of("index", (loop.index,)))
                yield items(index, at)
            ended = True
        finally:
            if joined is None:
                loop.broken = not ended
                if loop.turns:
                    while recorder.blocks[-1] is not loop.turns[-1]:
                        recorder.blocks.pop()
                    recorder.blocks.pop()
                self.running.remove(loop)

    def _has_just_begun(self, loop: Unrolled, count: Any) -> bool:
        """Return whether a loop has run nothing of its first turn, as where zip asks for the next sequence."""
        alike = len(loop.turns) == 1 and int(loop.bounds[1]) == int(count) and int(loop.bounds[0]) == 0
        return alike and self.recorder.blocks[-1] is loop.turns[0] and all(_picks(step) for step in loop.turns[0].steps)


def _picks(step: Step) -> bool:
    return getattr(step, "name", "") == "select"


class Range:
    """A `range` whose loop is seen."""

    def __init__(self, turning: Turning, *bounds: Any) -> None:
        """Take the arguments of `range`."""
        start, stop, stride = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        self._turning = turning
        self._plain = range(int(start), int(stop), int(stride))
        span = start - stop if int(stride) < 0 else stop if type(start) is int and start == 0 else stop - start
        step = abs(int(stride))
        self._bounds = (start, span if step == 1 else (span + (step - 1)) // step, stride)

    def __iter__(self) -> Iterator[Any]:
        """Run the loop."""
        start, count, stride = self._bounds
        count = count if int(count) == len(self._plain) else len(self._plain)
        yield from self._turning.run((start, count, stride), lambda index, _: index)

    def __reversed__(self) -> Iterator[Any]:
        """Run the loop from its end."""
        start, count, stride = self._bounds
        last = start + (count - 1) * stride
        yield from self._turning.run((last, count, -stride), lambda index, _: index)

    def __len__(self) -> int:
        """Return the number of turns."""
        return len(self._plain)

    def __getitem__(self, at: Any) -> Any:
        """Return an index, or a part of the range, without a loop."""
        return self._plain[at]

    def __contains__(self, number: object) -> bool:
        """Return whether a number is among the indices."""
        return number in self._plain


class Turns(tuple[Any, ...]):  # noqa: SLOT001 - a tuple has no slots
    """What `unbind` returns: the parts of a tensor along an axis, whose loop is seen."""

    _source: tuple[Turning, Any, int]

    def __new__(cls, turning: Turning, parts: tuple[Any, ...], tensor: Any, axis: int) -> Self:
        """Remember the tensor."""
        made = super().__new__(cls, parts)
        made._source = (turning, tensor, axis)
        return made

    def __iter__(self) -> Iterator[Any]:
        """Run a loop over the parts."""
        turning, tensor, axis = self._source
        count = Whole.made(len(self), Of("size", (turning.recorder.known(tensor), axis % tensor.dim())))
        yield from turning.run((0, count, 1), lambda index, _: turning.recorder.turn_of(tensor, axis, index))
