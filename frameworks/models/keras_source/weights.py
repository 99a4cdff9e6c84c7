"""The arrays of the source by the places that Keras gives them in a .weights.h5 file."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.models.keras_source.classes import weights_in_order
from frameworks.models.keras_source.layer import Array, KerasLayer
from frameworks.models.keras_source.names import snake
from frameworks.models.keras_source.unit import Entry, Unit


def arrays_in(unit: Unit, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a class and of what it holds, by place: "encoder/lstm/cell/vars/0"."""
    for at, weight in enumerate(weights_in_order(unit)):
        yield f"{prefix}vars/{at}", weight.array
    for name, held in unit.attributes.items():
        if isinstance(held, Entry):
            yield from _arrays(held, f"{prefix}{name}/")
            continue
        counts: dict[str, int] = {}  # Keras names the items of a list or dict by their classes
        for entry in held.values():
            if entry.made is not None:
                kind = snake(entry.made.name if isinstance(entry.made, Unit) else entry.made.class_name)
                counts[kind] = counts.get(kind, -1) + 1
                yield from _arrays(entry, f"{prefix}{name}/{kind}{f'_{counts[kind]}' if counts[kind] else ''}/")


def _arrays(entry: Entry, prefix: str) -> Iterator[tuple[str, Array]]:
    if isinstance(entry.made, KerasLayer):
        for within, arrays in entry.made.arrays.items():
            for at, array in enumerate(arrays):
                yield f"{prefix}{within}{'/' if within else ''}vars/{at}", array
    elif entry.made is not None:
        yield from arrays_in(entry.made, prefix)
