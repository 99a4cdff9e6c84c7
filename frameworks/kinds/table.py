"""The kinds of one framework, by name, by Keras's name and by the arrays that a file has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from frameworks.kinds.records import ANY_AXES, Kind


class Table:
    """The kinds of one framework.

    Args:
        kinds: one record each; of several that mean the same in Keras, the one to build comes first.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        """Keep the kinds by name."""
        self.kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.kinds.values())

    def get(self, name: str) -> Kind:
        """Return a kind by its name; a record that knows nothing for a name that is not listed."""
        return self.kinds.get(name) or Kind(name)

    def meaning(self, keras_name: str) -> Kind | None:
        """Return the kind to build for one of Keras's; None where the framework has none."""
        return next((kind for kind in self if keras_name and kind.means == keras_name), None)

    def shown_by(self, shapes: Mapping[str, tuple[int, ...]]) -> list[Kind]:
        """Return the kinds that arrays may be of, in a file that names no classes.

        Names decide first, then shapes. A kind that has these sizes by default goes before all others.

        Args:
            shapes: of a layer's arrays, by their names.
        """
        named = [kind for kind in self if kind.shown_by and _names_fit(kind, shapes)]
        if len(named) < 2:
            return named
        found = [kind for kind in named if _shapes_fit(kind, shapes)]
        default = [kind for kind in found if _has_default_sizes(kind, shapes)]
        return default or found


def _names_fit(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    return set(kind.shown_by) <= shapes.keys() <= {array.name for array in kind.arrays or ()}


def _shapes_fit(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether sizes agree along axes of one name, and no array has further axes."""
    plain = all(
        len(shapes[array.name]) == len([axis for axis in array.axes if axis != ANY_AXES])
        for array in kind.arrays or ()
        if array.name in shapes
    )
    return plain and kind.sizes(shapes) is not None


def _has_default_sizes(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    stated = kind.stated_sizes(kind.sizes(shapes) or {})
    return bool(stated) and all(kind.default(name) == size for name, size in stated.items())
