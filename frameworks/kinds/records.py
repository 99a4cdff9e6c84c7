"""What a table says of a kind of layer: its options, its arrays and what becomes of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

ANY_AXES = "..."
"""First among the axes of an array or an input: any number of further axes, or none."""

Axes = tuple[str, ...]
Versions = tuple[int, ...]
Role = Literal["layer", "input", "model", "wrapper", "recurrent"]

GROUP_INPUT = "input of a group"
"""The axis of a convolution's kernel that is as long as its input, divided by its groups."""


class Masks(Enum):
    """What masks a layer's output."""

    DROP = "nothing"
    KEEP = "what masks its first input"
    ANY = "the first mask that any of its inputs has"
    ALL = "the first mask, if all of its inputs have one"
    MAKE = "what it makes of its input"
    SEQUENCES = "what masks its input, where it returns sequences"


@dataclass(frozen=True)
class Dated:
    """A value that changed from one version of the framework to another.

    Args:
        first: of the earliest versions.
        changes: (version, value from that version on), in the order of versions.
    """

    first: Any
    changes: tuple[tuple[Versions, Any], ...]

    def at(self, version: Versions) -> Any:
        """Return the value in a version."""
        return next((value for since, value in reversed(self.changes) if version >= since), self.first)


def value_at(value: Any, version: Versions | None) -> Any:
    """Return a value, or what a dated one is in a version; None for the latest."""
    if not isinstance(value, Dated):
        return value
    return value.changes[-1][1] if version is None else value.at(version)


@dataclass(frozen=True)
class Option:
    """An argument of a layer's constructor.

    Args:
        name: of the argument.
        default: what the constructor takes where nothing is said, perhaps `Dated`; one number stands for one on each axis.
        sizes: the axes whose sizes it states, so that arrays show it.
        means: Keras's name of it; "" in Keras's table, and for what Keras's layer lacks.
        complement: whether Keras's value is 1 minus this one.
        types: the types of values that Keras takes too.
        words: the values that Keras takes too, of an option that has words for values.
        harmless: the values under which Keras's layer predicts the same without such an option.
        remarks: (value, what to know of it).
        formerly: its name in earlier versions, where that was another.
    """

    name: str
    default: Any = None
    sizes: Axes = ()
    means: str = ""
    complement: bool = False
    types: tuple[type, ...] = ()
    words: tuple[str, ...] = ()
    harmless: tuple[Any, ...] = ()
    remarks: tuple[tuple[Any, str], ...] = ()
    formerly: str = ""

    def carries(self, value: Any) -> bool:
        """Whether Keras has an argument for it that takes the value."""
        return bool(self.means) and (type(value) in self.types or (isinstance(value, str) and value in self.words))

    def is_harmless(self, value: Any) -> bool:
        """Whether Keras's layer predicts the same without the option."""
        each = value if isinstance(value, tuple) else (value,)
        return bool(self.harmless) and all(one in self.harmless for one in each)


@dataclass(frozen=True)
class Array:
    """An array of a layer.

    Args:
        name: in the framework.
        axes: the names of its axes, the first perhaps `ANY_AXES`.
        option: the option without which a layer lacks it; "" for an array that is always there.
        means: Keras's name of it; "" in Keras's table, and for what Keras's layer lacks.
        trained: whether training by gradients changes it.
        shared: the option that lists the axes along which it has size 1; "" where there is none.
    """

    name: str
    axes: Axes
    option: str = ""
    means: str = ""
    trained: bool = True
    shared: str = ""

    def sizes(self, shape: tuple[int, ...]) -> dict[str, int] | None:
        """Return the size of each named axis, the last ones after `ANY_AXES`; None for a shape of another rank."""
        named = self.axes[1:] if self.axes[:1] == (ANY_AXES,) else self.axes
        fits = len(shape) >= len(named) if len(named) < len(self.axes) else len(shape) == len(named)
        return dict(zip(named, shape[len(shape) - len(named) :], strict=True)) if fits else None


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Args:
        name: of its class, without a package.
        options: in the constructor's order, as far as they are carried from file to file.
        arrays: in the framework's order; None where they are not known here.
        reads: the axes of each input after the batch, a number where any size will do; () where its options say which axes.
        indices: whether it reads integers.
        masks: what masks its output, perhaps `Dated`.
        mask_option: the option that says which mask it makes, or by a flag whether it does.
        role: "input" for what stands for a model's input, "model" for a model within a model, "wrapper" for what runs another
            layer once for each step of an axis, "recurrent" for what reads sequences by such a layer.
        inner: the option, and the attribute, that holds the layer within.
        means: Keras's kind of the same arrays; "" in Keras's table, and for a kind that Keras lacks.
        shown_by: the arrays without which a file that names no classes cannot show the kind; () for one that it never shows.
        hint: a part of a layer's name that decides for this kind where arrays leave it open.
        rare: whether it is only a doubt where arrays show another kind.
        activation: the function that it computes, by the name in `frameworks.activations`; of a family where it takes a number.
        activation_number: the option that is the number of the family.
        normalises: the axis that it normalises along, in words.
    """

    name: str
    options: tuple[Option, ...] = ()
    arrays: tuple[Array, ...] | None = None
    reads: tuple[tuple[str | int, ...], ...] = ()
    indices: bool = False
    masks: Masks | Dated = Masks.DROP
    mask_option: str = ""
    role: Role = "layer"
    inner: str = ""
    means: str = ""
    shown_by: tuple[str, ...] = ()
    hint: str = ""
    rare: bool = False
    activation: str = ""
    activation_number: str = ""
    normalises: str = ""

    def option(self, name: str) -> Option | None:
        """Return an option by its name; None where there is none."""
        return next((option for option in self.options if option.name == name), None)

    def array(self, name: str) -> Array | None:
        """Return an array by its name; None where there is none."""
        return next((array for array in self.arrays or () if array.name == name), None)

    def meaning(self, keras_name: str) -> Array | None:
        """Return the array that Keras calls so; None where there is none."""
        return next((array for array in self.arrays or () if array.means == keras_name), None)

    def has(self, name: str) -> bool:
        """Whether it has an option of this name."""
        return self.option(name) is not None

    @property
    def said(self) -> tuple[Option, ...]:
        """The options that arrays do not show."""
        shown = {name for array in self.arrays or () for name in (array.option, array.shared)}
        return tuple(option for option in self.options if not option.sizes and option.name not in shown)

    def masks_at(self, version: Versions | None = None) -> Masks:
        """Return what masks its output in a version of the framework, None for the latest."""
        rule: Masks = value_at(self.masks, version)
        return rule

    def default(self, name: str, version: Versions | None = None) -> Any:
        """Return the default of an option in a version of the framework, None for the latest."""
        option = self.option(name)
        return None if option is None else value_at(option.default, version)

    def arrays_with(self, config: Mapping[str, Any], version: Versions | None = None) -> tuple[Array, ...] | None:
        """Return the arrays that a layer of these options has; None where they are not known here."""
        if self.arrays is None:
            return None
        return tuple(
            array for array in self.arrays if not array.option or config.get(array.option, self.default(array.option, version))
        )

    def sizes(self, shapes: Mapping[str, tuple[int, ...]], groups: Any = 1) -> dict[str, int] | None:
        """Return the size of each axis that arrays show.

        Args:
            shapes: of the arrays, by their names.
            groups: of a convolution, by which its input is more than its kernel shows.

        Returns:
            The sizes by axis; None where the shapes are not those of the kind.
        """
        found: dict[str, int] = {}
        for array in self.arrays or ():
            if array.name in shapes:
                own = array.sizes(shapes[array.name])
                if own is None or any(found.setdefault(axis, size) != size for axis, size in own.items()):
                    return None
        if GROUP_INPUT in found:
            found["input"] = found[GROUP_INPUT] * (groups if type(groups) is int else 1)
        return found

    def stated_sizes(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        """Return the options that state sizes, in their order: a number, or a tuple for several axes."""
        return {
            option.name: sizes[option.sizes[0]] if len(option.sizes) == 1 else tuple(sizes[axis] for axis in option.sizes)
            for option in self.options
            if option.sizes and all(axis in sizes for axis in option.sizes)
        }
