"""A table of the kinds of one framework; a kind is found by its name, its Keras name or the arrays in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from frameworks.kinds.records import ANY_AXES, Kind


class Table:
    """The kinds of one framework.

    Args:
        kinds: the records. If several have the same Keras kind, the one to build comes first.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        """Keep the kinds by name."""
        self.kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.kinds.values())

    def get(self, name: str) -> Kind:
        """Return a kind by name, or an empty record for an unknown name."""
        return self.kinds.get(name) or Kind(name)

    def meaning(self, keras_name: str) -> Kind | None:
        """Return the kind to build for a Keras kind, or None if the framework has none."""
        return next((kind for kind in self if keras_name and kind.means == keras_name), None)

    def shown_by(self, shapes: Mapping[str, tuple[int, ...]]) -> list[Kind]:
        """Return the kinds that fit a layer's arrays, in a file without class names.

        Names are compared first, then shapes.

        Args:
            shapes: the shapes of the layer's arrays, by name.
        """
        named = [kind for kind in self if kind.shown_by and _names_fit(kind, shapes)]
        if len(named) < 2:
            return named
        return [kind for kind in named if _shapes_fit(kind, shapes)]

    def holding(self, shapes: Mapping[str, tuple[int, ...]]) -> list[Kind]:
        """Return the kinds of which a layer can have exactly these arrays.

        Args:
            shapes: the shapes of the layer's arrays, by name.
        """
        return [kind for kind in self if kind.fits(shapes)]


def _names_fit(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    return set(kind.shown_by) <= shapes.keys() <= {array.name for array in kind.arrays or ()}


def _shapes_fit(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether every array has exactly its named axes, and axes of the same name have the same size."""
    plain = all(
        len(shapes[array.name]) == len([axis for axis in array.axes if axis != ANY_AXES])
        for array in kind.arrays or ()
        if array.name in shapes
    )
    return plain and kind.sizes(shapes) is not None
