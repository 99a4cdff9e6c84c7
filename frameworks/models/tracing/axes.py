"""Which axes of a module's inputs may have any size, found by calling it with other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

import torch

Axis: TypeAlias = tuple[str, int]
"""An input, by name, and one of its axes."""

LEAST = 3
"""The least size at which a module is recorded, so that a loop has a first turn, a second and a last."""


def sizes_of(inputs: Mapping[str, torch.Tensor]) -> dict[Axis, int]:
    """Return the size of every axis."""
    return {(name, axis): int(size) for name, tensor in inputs.items() for axis, size in enumerate(tensor.shape)}


def resized(inputs: Mapping[str, torch.Tensor], sizes: Mapping[Axis, int]) -> dict[str, torch.Tensor]:
    """Return inputs of other sizes, whose further entries repeat the first ones."""
    made = dict(inputs)
    for (name, axis), size in sizes.items():
        tensor = made[name]
        if tensor.shape[axis] != size:
            made[name] = tensor.index_select(axis, torch.arange(size, device=tensor.device) % tensor.shape[axis])
    return made


def free_axes(inputs: Mapping[str, torch.Tensor], call: Callable[[dict[str, torch.Tensor]], Any]) -> list[tuple[Axis, ...]]:
    """Return the axes that may have any size, grouped by those that must have the same one.

    Args:
        inputs: the inputs of a call that works.
        call: calls the module; raises where it cannot be called so.
    """
    found: list[tuple[Axis, ...]] = []
    sizes = sizes_of(inputs)
    for size in dict.fromkeys(sizes.values()):
        waiting = [axis for axis, held in sizes.items() if held == size]
        for group in _groups(waiting):
            if all(axis in waiting for axis in group) and _works(inputs, group, sizes, call):
                found.append(group)
                waiting = [axis for axis in waiting if axis not in group]
    return sorted(found, key=lambda group: (min(axis for _, axis in group), list(inputs).index(group[0][0])))


def _groups(axes: list[Axis]) -> Iterator[tuple[Axis, ...]]:
    """Yield the groups worth a try: the first axes of all inputs, the second ones; each alone; all; then any few."""
    for number in dict.fromkeys(axis for _, axis in axes):
        yield tuple(each for each in axes if each[1] == number)
    yield tuple(axes)
    for count in range(1, min(len(axes), 6)):
        yield from combinations(axes, count)


def _works(
    inputs: Mapping[str, torch.Tensor],
    group: tuple[Axis, ...],
    sizes: Mapping[Axis, int],
    call: Callable[[dict[str, torch.Tensor]], Any],
) -> bool:
    least = max(sizes[group[0]], LEAST)
    more = (least + 1, least + 2, 2 * least + 1, 2 * least + 3)
    return all(accepted(resized(inputs, dict.fromkeys(group, size)), call) for size in more)


def accepted(inputs: dict[str, torch.Tensor], call: Callable[[dict[str, torch.Tensor]], Any]) -> bool:
    """Return whether a module can be called with some inputs."""
    try:
        call(inputs)
    except Exception:  # noqa: BLE001  whatever its code raises
        return False
    return True
