"""The arrays of the source by the names that Keras gives them in a .weights.h5 file."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.models.keras_source.layer import Array, KerasLayer
from frameworks.models.keras_source.unit import Entry, Unit, snake


def arrays_of_unit(unit: Unit, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a class and of what it holds: "encoder/lstm/cell/vars/0"."""
    own = sorted(unit.weights.values(), key=lambda weight: not weight.trainable)
    for at, weight in enumerate(own):
        yield f"{prefix}vars/{at}", weight.array
    for name, held in unit.attributes.items():
        if isinstance(held, Entry):
            yield from _of_entry(held, f"{prefix}{name}/")
            continue
        counts: dict[str, int] = {}
        for entry in held.values() if isinstance(held, dict) else held:
            if entry.made is not None:
                kind = snake(entry.made.name if isinstance(entry.made, Unit) else entry.made.class_name)
                counts[kind] = counts.get(kind, -1) + 1
                yield from _of_entry(entry, f"{prefix}{name}/{kind}{f'_{counts[kind]}' if counts[kind] else ''}/")


def _of_entry(entry: Entry, prefix: str) -> Iterator[tuple[str, Array]]:
    if isinstance(entry.made, KerasLayer):
        for within, arrays in entry.made.arrays.items():
            for at, array in enumerate(arrays):
                yield f"{prefix}{within}{'/' if within else ''}vars/{at}", array
    elif entry.made is not None:
        yield from arrays_of_unit(entry.made, prefix)
