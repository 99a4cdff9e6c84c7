"""What no result depends on, left out."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.models.tracing.iterating import Unrolled
from frameworks.models.tracing.matching import read_of
from frameworks.models.tracing.steps import Block, Loop, Method, Step, Value, values_in


def prune(root: Block) -> None:
    """Leave out the steps of a record that no result depends on.

    Args:
        root: the record; it is changed. Its loops are rolled.
    """
    while _without(root, set(_used(root))):
        pass


def _used(block: Block) -> Iterator[Value]:
    yield from values_in(block.result)
    for step in block.steps:
        if isinstance(step, Loop):
            inside = set(_used(step.body)) | set(step.last) | set(step.each)
            yield from inside
            yield from values_in((step.start, step.turns, step.stride))
            for read, made, start in step.carried:
                if read in inside:
                    yield made
                    yield from values_in(start)
        elif isinstance(step, Method):
            yield from _used(step.body)
        else:
            for structure in read_of(step):
                yield from values_in(structure)


def _without(block: Block, used: set[Value]) -> bool:
    """Leave out steps whose results are not used; return whether there were any."""
    found = False
    kept: list[Step] = []
    for step in block.steps:
        if isinstance(step, (Method, Loop)):
            found |= _without(step.body, used)
        if isinstance(step, Loop):
            step.carried = [each for each in step.carried if each[0] in used]
            live = bool(step.last or step.each)
        elif isinstance(step, Method):
            live = bool(step.body.steps)
        else:
            live = isinstance(step, Unrolled) or any(value in used for value in step.made)
        found |= not live
        if live:
            kept.append(step)
    block.steps = kept
    return found
