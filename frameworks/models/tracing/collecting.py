"""A tensor that a loop fills step by step: the values of all turns, stacked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frameworks.models.tracing.matching import read_of
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Block, Each, Function, Loop, Method, Step, Value, values_in

_STARTS = {"zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty", "ones", "full"}


def collect(block: Block, numbers: Iterator[int]) -> None:
    """Replace tensors that loops fill by a stack of what is put into them.

    Args:
        block: the record; it is changed.
        numbers: the numbers for new values.
    """
    steps: list[Step] = []
    for step in block.steps:
        if isinstance(step, (Method, Loop)):
            collect(step.body, numbers)
        steps.append(step)
        if isinstance(step, Loop):
            for carried in list(step.carried):
                steps.extend(_collected(step, carried, block, numbers))
    block.steps = steps


def _collected(loop: Loop, carried: tuple[Value, Value, Any], block: Block, numbers: Iterator[int]) -> Iterator[Step]:
    read, made, start = carried
    put = next((step for step in loop.body.steps if step.result is made), None)
    if not isinstance(put, Function) or put.name != "__setitem__" or made not in loop.last or made in loop.each:
        return
    readers = [step for step in loop.body.all_steps() if any(read in set(values_in(part)) for part in read_of(step))]
    begun = next((step for step in block.all_steps() if step.result is start), None)
    axis = _axis_filled(put.args[1], loop, made)
    value = put.args[2]
    fits = isinstance(value, Value) and axis is not None and value.shape == made.shape[:axis] + made.shape[axis + 1 :]
    if readers != [put] or not isinstance(begun, Function) or begun.name not in _STARTS or not fits:
        return
    whole = loop.last.pop(made)
    each = loop.each.setdefault(value, Value(next(numbers), (made.shape[axis or 0], *value.shape), value.dtype, value.name))
    loop.carried.remove(carried)
    loop.body.steps.remove(put)
    yield Function(([Each(each)], axis), {}, whole, put.line, name="stack")


def _axis_filled(index: Any, loop: Loop, made: Value) -> int | None:
    """Return the axis along which turn after turn fills a tensor from its start to its end; None if it does not."""
    parts = index if isinstance(index, tuple) else (index,)
    places = [at for at, part in enumerate(parts) if not (isinstance(part, slice) and part == slice(None))]
    if len(places) != 1 or (loop.start, loop.stride) != (0, 1) or int(loop.turns) != made.shape[places[0]]:
        return None
    of = origin(parts[places[0]])
    return places[0] if of is not None and of.what == "index" and of.parts[0] is loop.index else None
