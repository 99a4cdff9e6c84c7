"""Who reads what: how often each value of a block is used, and by which of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frameworks.models.tracing.matching import read_of
from frameworks.models.tracing.steps import Block, Function, Loop, Method, Step, Value, values_in


class Uses:
    """The readers of the values of a block.

    Args:
        block: the steps.
        names: the names that the method's code gives to what other methods make.
    """

    def __init__(self, block: Block, names: Mapping[Value, str]) -> None:
        """Count."""
        self.block = block
        self.names = names
        self._inlined: list[Step] = []
        self._readers: dict[Value, list[int]] = {}
        for at, step in enumerate(block.steps):
            self._count(step, at)
        for value in values_in(block.result):
            self._readers.setdefault(value, []).append(self.end)

    @property
    def end(self) -> int:
        """The place of what the block returns, after all steps."""
        return len(self.block.steps)

    def __getitem__(self, value: Value) -> int:
        """Return how often a value is read."""
        return len(self._readers.get(value, ()))

    def _count(self, step: Step, at: int) -> None:
        # A loop's turns count twice: what they read has a name.
        read = [*reads_of(step), *(2 * list(read_in(step.body)) if isinstance(step, Loop) else [])]
        for value in read:
            self._readers.setdefault(value, []).append(at)

    def inline(self, step: Method) -> None:
        """Take the steps of another body for steps of this block."""
        at = self.block.steps.index(step)
        for inner in step.body.steps:
            self._count(inner, at)
        self._inlined.extend(step.body.steps)

    def read_from(self, value: Value, since: int) -> bool:
        """Return whether a value is read by a step at this place or later."""
        return any(at >= since for at in self._readers.get(value, ()))

    def is_returned_only(self, value: Value) -> bool:
        """Return whether nothing but the result of the block reads a value."""
        return self._readers.get(value) == [self.end]

    def maker(self, value: object) -> Step | None:
        """Return the step that makes a value, or None."""
        return next((step for step in [*self.block.steps, *self._inlined] if any(each is value for each in step.made)), None)

    def named(self, value: Value) -> str:
        """Return the name that the code of this method gives to a value; "" if it gives none."""
        if value in self.names:
            return self.names[value]
        return "" if isinstance(self.maker(value), Method) else value.name

    def items_read(self, value: Value, count: int) -> set[int]:
        """Return which of the entries along its first axis are read of a value."""
        found: set[int] = set()
        for at in self._readers.get(value, ()):
            place = _place_read(self.block.steps[at], value) if at < self.end else None
            if place is None:
                return set(range(count))
            found.add(place % count)
        return found

    def item_name(self, value: Value, place: int, count: int) -> str:
        """Return the name that the code gives to an entry of a value."""
        for at in self._readers.get(value, ()):
            step = self.block.steps[at] if at < self.end else None
            read = None if step is None else _place_read(step, value)
            if step is not None and read is not None and read % count == place and step.made[0].name:
                return step.made[0].name
        return ""


def _place_read(step: Step, value: Value) -> int | None:
    """Return which entry a step takes of a value, None if it takes more."""
    if not isinstance(step, Function) or not step.args or step.args[0] is not value:
        return None
    if step.name == "squeeze" and value.shape[0] == 1 and (len(step.args) < 2 or step.args[1] == 0):
        return 0
    index = step.args[1] if step.name == "__getitem__" else None
    first = index[0] if isinstance(index, tuple) and index else index
    return first if type(first) is int else None


def reads_of(step: Step) -> Iterator[Value]:
    """Yield the values that a step reads where it stands."""
    for structure in [step.arguments] if isinstance(step, Method) else read_of(step):
        yield from values_in(structure)


def read_in(block: Block) -> Iterator[Value]:
    """Yield the values that the steps of a block read, those of loops inside included."""
    for step in block.steps:
        yield from reads_of(step)
        if isinstance(step, Loop):
            yield from read_in(step.body)
