"""Loops whose turns are alike, as one turn with what it takes from the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from frameworks.models.tracing.iterating import Unrolled
from frameworks.models.tracing.matching import MismatchError, Pairs, require_alike
from frameworks.models.tracing.sizes import Real, Whole
from frameworks.models.tracing.steps import (
    Block,
    Each,
    Fill,
    Line,
    Loop,
    Method,
    Step,
    Value,
    items_of,
    mapped,
    number_mapped,
)

FEWEST_TURNS = 3
"""A loop of fewer turns is written out."""


class Rolling:
    """The rolling of the loops of a record, the inner ones first.

    Args:
        root: the whole record; it is changed.
        numbers: the first number that is free for a value.
    """

    def __init__(self, root: Block, numbers: int) -> None:
        """Roll them all."""
        self.root = root
        self.numbers = numbers
        self.written_out: list[tuple[Line, str]] = []
        self._roll(root)

    def _roll(self, block: Block) -> None:
        steps: list[Step] = []
        for step in block.steps:
            if isinstance(step, Method):
                self._roll(step.body)
            if not isinstance(step, Unrolled):
                steps.append(step)
                continue
            for turn in step.turns:
                self._roll(turn)
            try:
                steps.append(self._loop(step))
            except MismatchError as why:
                self.written_out.append((why.line, why.what))
                steps.extend(each for turn in step.turns for each in turn.steps)
        block.steps = steps

    def _loop(self, loop: Unrolled) -> Loop:
        turns = loop.turns
        if len(turns) < FEWEST_TURNS or not turns[0].steps:
            raise MismatchError("has a loop of few turns", loop.line)
        if loop.broken:
            raise MismatchError("leaves a loop before its end", loop.line)
        pattern = turns[1]
        pairs = [Pairs(pattern.steps, turn.steps) for turn in turns]
        starts = _alike(pairs)
        made = {theirs: (at, mine) for at, pair in enumerate(pairs) for mine, theirs in pair.values.items()}
        rolled = Loop(
            line=loop.line,
            index=loop.index,
            start=loop.bounds[0],
            turns=loop.bounds[1],
            stride=loop.bounds[2],
            body=pattern,
            carried=[(pairs[0].values[mine], mine, start) for mine, start in starts.items()],
        )
        _name(pairs)
        self._replace_uses(loop, rolled, made, len(turns))
        return rolled

    def _replace_uses(self, loop: Unrolled, rolled: Loop, made: dict[Value, tuple[int, Value]], turns: int) -> None:
        """Replace what follows the loop: the last value of a kind, and lists of all of them."""
        uses = _Uses(rolled, made, turns, self.numbers)
        changed = [(step, _fields(step, uses)) for step in _outside(self.root, loop)]
        results = [(block, replaced(block.result, uses)) for block in _blocks(self.root, loop)]
        for step, fields in changed:
            vars(step).update(fields)
        for block, result in results:
            block.result = result
        self.numbers = uses.numbers


class _Uses:
    """What stands for the values of a loop's turns after the loop.

    Args:
        rolled: the loop.
        made: by the value of a turn: which turn, and the value of the body.
        turns: the number of turns.
        numbers: the first number that is free for a value.
    """

    def __init__(self, rolled: Loop, made: dict[Value, tuple[int, Value]], turns: int, numbers: int) -> None:
        self.rolled, self.made, self.turns, self.numbers = rolled, made, turns, numbers

    def listed(self, items: list[Any]) -> list[Any]:
        """Return a list with one thing in the place of a value of every turn."""
        found: list[Any] = []
        while items:
            run = _run(items, self.made, self.turns)
            if run is None:
                found.append(items.pop(0))
                continue
            found.append(Each(self._kept(self.rolled.each, run[0], (self.turns, *run[0].shape)), backwards=run[1]))
            del items[: self.turns]
        return found

    def single(self, value: Value) -> Value:
        """Return what stands for a value: itself, if no turn has made it."""
        if value not in self.made:
            return value
        at, mine = self.made[value]
        if at != self.turns - 1:
            raise MismatchError("uses a single turn of a loop after it", self.rolled.line)
        return self._kept(self.rolled.last, mine, mine.shape)

    def _kept(self, held: dict[Value, Value], value: Value, shape: tuple[int, ...]) -> Value:
        if value not in held:
            held[value] = Value(self.numbers, shape, value.dtype, value.name)
            self.numbers += 1
        return held[value]


def _name(pairs: list[Pairs]) -> None:
    """Give what a turn makes, and what it reads of the one before, the names that any turn has for it."""
    for mine in pairs[1].values:
        names = [pair.values[mine].name for pair in pairs if pair.values[mine].name]
        for pair in pairs[:2]:
            pair.values[mine].name = names[0] if names else ""


def _alike(pairs: list[Pairs]) -> dict[Value, Any]:
    """Require that all turns are like the second one, and return how what is carried starts."""
    first = {theirs: mine for mine, theirs in pairs[0].values.items()}
    starts: dict[Value, Any] = {}
    inside = [set(pair.values.values()) for pair in pairs]

    def reads(at: int) -> Callable[[Value, Any], bool]:
        def read(value: Value, other: Any) -> bool:
            if value in pairs[1].values:
                return pairs[at].values[value] is other
            if value not in first:
                return value is other
            mine = first[value]
            if at:
                return pairs[at - 1].values[mine] is other
            if isinstance(other, Value) and other in inside[0]:
                return False
            if isinstance(other, (bool, int, float)):
                other = Fill(other)
            return starts.setdefault(mine, other) is other or starts[mine] == other

        return read

    for at, pair in enumerate(pairs):
        require_alike(pair, reads(at))
    return starts


def _run(items: list[Any], made: dict[Value, tuple[int, Value]], turns: int) -> tuple[Value, bool] | None:
    """Return the value of which a list begins with that of every turn, and whether from the last to the first."""
    run = [made.get(each) if isinstance(each, Value) else None for each in items[:turns]]
    if len(run) < turns or any(each is None for each in run):
        return None
    places = [each[0] for each in run if each]
    values = {each[1] for each in run if each}
    if len(values) != 1 or places not in ([*range(turns)], [*reversed(range(turns))]):
        return None
    return values.pop(), places[0] > 0


def replaced(structure: Any, uses: _Uses) -> Any:
    """Return a structure with its lists and its values replaced."""
    if isinstance(structure, dict):
        return {name: replaced(each, uses) for name, each in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [replaced(each, uses) for each in uses.listed(list(items_of(structure)))]
        return items if isinstance(structure, list) else tuple(items)
    if isinstance(structure, slice):
        return mapped(structure, lambda leaf: replaced(leaf, uses))
    if isinstance(structure, Value):
        return uses.single(structure)
    return number_mapped(structure, uses.single) if isinstance(structure, (Whole, Real)) else structure


def _fields(step: Step, uses: _Uses) -> dict[str, Any]:
    """Return what of a step is to be replaced."""
    found = {name: replaced(getattr(step, name), uses) for name in ("args", "kwargs")}
    if isinstance(step, Method):
        found |= {name: replaced(getattr(step, name), uses) for name in ("arguments", "result")}
    if isinstance(step, Loop):
        found |= {name: replaced(getattr(step, name), uses) for name in ("start", "turns", "stride")}
        found["carried"] = [(read, uses.single(made), replaced(start, uses)) for read, made, start in step.carried]
    if isinstance(step, Unrolled):
        found["bounds"] = replaced(step.bounds, uses)
    return found


def _outside(block: Block, loop: Step) -> Iterator[Step]:
    """Yield every step that is not in a loop."""
    for step in block.steps:
        if step is not loop:
            yield step
            for inner in _bodies(step):
                yield from _outside(inner, loop)


def _blocks(block: Block, loop: Step) -> Iterator[Block]:
    yield block
    for step in block.steps:
        if step is not loop:
            for inner in _bodies(step):
                yield from _blocks(inner, loop)


def _bodies(step: Step) -> list[Block]:
    if isinstance(step, Unrolled):
        return step.turns
    return [step.body] if isinstance(step, (Method, Loop)) else []
