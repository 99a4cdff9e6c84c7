"""The records of a table of layer kinds: options, arrays, and what happens to masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

ANY_AXES = "..."
"""The first of an array's or an input's axes, standing for any number of axes, including none."""

Axes = tuple[str, ...]
Versions = tuple[int, ...]
Role = Literal["layer", "input", "model", "wrapper", "recurrent"]

GROUP_INPUT = "input of a group"
"""The axis of a convolution's kernel whose size is that of the input divided by the number of groups."""


class Masks(Enum):
    """The mask of a layer's output."""

    DROP = "none"
    KEEP = "that of its first input"
    ANY = "the first that any of its inputs has"
    ALL = "the first, if all of its inputs have one"
    MAKE = "one that it makes from its input"
    SEQUENCES = "that of its input, if it returns sequences"


@dataclass(frozen=True)
class Dated:
    """A value that changed from one version of the framework to another.

    Args:
        first: the value in the earliest versions.
        changes: pairs (version, value from that version on), in the order of versions.
    """

    first: Any
    changes: tuple[tuple[Versions, Any], ...]

    def at(self, version: Versions) -> Any:
        """Return the value in a given version."""
        return next((value for since, value in reversed(self.changes) if version >= since), self.first)


def value_at(value: Any, version: Versions | None) -> Any:
    """Return a value. A dated one is taken in the given version; None means the latest."""
    if not isinstance(value, Dated):
        return value
    return value.changes[-1][1] if version is None else value.at(version)


@dataclass(frozen=True)
class Option:
    """An argument of a layer's constructor.

    Args:
        name: the argument's name.
        default: its default, possibly `Dated`; one number applies to every axis.
        sizes: the axes whose sizes it states, so that arrays show its value.
        means: Keras's name for it; "" in Keras's table, and for an option that the Keras layer lacks.
        complement: whether Keras's value is 1 minus this one.
        types: the types of values that Keras also accepts.
        words: the string values that Keras also accepts.
        harmless: the values for which the Keras layer, without such an option, predicts the same.
        remarks: pairs (value, remark about it).
        formerly: its name in earlier versions, if that was different.
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
        """Return whether Keras has an argument for it that accepts the value."""
        return bool(self.means) and (type(value) in self.types or (isinstance(value, str) and value in self.words))

    def is_harmless(self, value: Any) -> bool:
        """Return whether the Keras layer, without the option, predicts the same as with this value."""
        each = value if isinstance(value, tuple) else (value,)
        return bool(self.harmless) and all(one in self.harmless for one in each)


@dataclass(frozen=True)
class Array:
    """An array of a layer.

    Args:
        name: its name in the framework.
        axes: the names of its axes; the first may be `ANY_AXES`.
        option: the flag that gives a layer this array; "" if a layer always has it.
        means: Keras's name for it; "" in Keras's table, and for an array that the Keras layer lacks.
        trained: whether training by gradients changes it.
        shared: the option that lists the axes along which it has size 1; "" if there is none.
    """

    name: str
    axes: Axes
    option: str = ""
    means: str = ""
    trained: bool = True
    shared: str = ""

    def sizes(self, shape: tuple[int, ...]) -> dict[str, int] | None:
        """Return the size of each named axis (counted from the end after `ANY_AXES`); None for a shape of another rank."""
        named = self.axes[1:] if self.axes[:1] == (ANY_AXES,) else self.axes
        fits = len(shape) >= len(named) if len(named) < len(self.axes) else len(shape) == len(named)
        return dict(zip(named, shape[len(shape) - len(named) :], strict=True)) if fits else None


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Args:
        name: the name of its class, without the package.
        options: the options that are carried from file to file, in the constructor's order.
        arrays: its arrays in the framework's order; None if they are not known here.
        reads: the axes of each input after the batch axis, a number for an axis of any size; () if its options determine them.
        indices: whether it reads integers.
        masks: the mask of its output, possibly `Dated`.
        mask_option: the option that says which mask it makes, or the flag that says whether it makes one.
        role: "input" for a model's input, "model" for a model within a model, "wrapper" for a layer that runs another one once
            for each step of an axis, "recurrent" for one that runs a recurrent layer over sequences.
        inner: the option, and the attribute, that holds the inner layer.
        means: the Keras kind with the same arrays; "" in Keras's table, and for a kind that Keras lacks.
        shown_by: the arrays that must be present to recognise the kind in a file without class names; () if it never is.
        hint: a part of a layer's name that decides for this kind if the arrays fit several.
        rare: whether it is mentioned only as a doubt if the arrays also fit another kind.
        activation: the function or family of functions that it computes, by its name in `frameworks.activations`.
        activation_number: the option that is the parameter of the family.
        normalises: the axis along which it normalises, in words.
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
        """Return an option by its name; None if there is none."""
        return next((option for option in self.options if option.name == name), None)

    def array(self, name: str) -> Array | None:
        """Return an array by its name; None if there is none."""
        return next((array for array in self.arrays or () if array.name == name), None)

    def meaning(self, keras_name: str) -> Array | None:
        """Return an array by its name in Keras; None if there is none."""
        return next((array for array in self.arrays or () if array.means == keras_name), None)

    def has(self, name: str) -> bool:
        """Return whether it has an option of this name."""
        return self.option(name) is not None

    @property
    def said(self) -> tuple[Option, ...]:
        """The options that arrays do not show."""
        shown = {name for array in self.arrays or () for name in (array.option, array.shared)}
        return tuple(option for option in self.options if not option.sizes and option.name not in shown)

    def masks_at(self, version: Versions | None = None) -> Masks:
        """Return the mask of its output in a version of the framework; None means the latest."""
        rule: Masks = value_at(self.masks, version)
        return rule

    def default(self, name: str, version: Versions | None = None) -> Any:
        """Return the default of an option in a version of the framework; None means the latest."""
        option = self.option(name)
        return None if option is None else value_at(option.default, version)

    def arrays_with(self, config: Mapping[str, Any], version: Versions | None = None) -> tuple[Array, ...] | None:
        """Return the arrays that a layer with these options has; None if they are not known here."""
        if self.arrays is None:
            return None
        return tuple(
            array for array in self.arrays if not array.option or config.get(array.option, self.default(array.option, version))
        )

    def sizes(self, shapes: Mapping[str, tuple[int, ...]], groups: Any = 1) -> dict[str, int] | None:
        """Return the size of each axis that arrays show.

        Args:
            shapes: the shapes of the arrays, by name.
            groups: the groups of a convolution, whose input has this many times the size that its kernel shows.

        Returns:
            The sizes by axis; None if the shapes do not fit the kind.
        """
        sizes: dict[str, int] = {}
        for array in self.arrays or ():
            if array.name in shapes:
                own = array.sizes(shapes[array.name])
                if own is None or any(sizes.setdefault(axis, size) != size for axis, size in own.items()):
                    return None
        if GROUP_INPUT in sizes:
            sizes["input"] = sizes[GROUP_INPUT] * (groups if type(groups) is int else 1)
        return sizes

    def stated_sizes(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        """Return the options that state sizes, in order: a number, or a tuple for several axes."""
        return {
            option.name: sizes[option.sizes[0]] if len(option.sizes) == 1 else tuple(sizes[axis] for axis in option.sizes)
            for option in self.options
            if option.sizes and all(axis in sizes for axis in option.sizes)
        }
