"""Records that describe a kind of layer: its options, its arrays and how it treats masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal

ANY_AXES = "..."
"""As the first axis of an array or an input: any number of axes, including none."""

Axes = tuple[str, ...]
Versions = tuple[int, ...]
Role = Literal["layer", "input", "model", "wrapper", "recurrent"]
Use = Literal["result", "training", "nothing"]
"""What an option acts on: the result of a layer; its training alone; neither, once the weights are given."""

GROUP_INPUT = "input of a group"
"""A convolution kernel's input axis: input channels divided by groups."""

GROUP_OUTPUT = "output of a group"
"""A transposed convolution kernel's output axis: output channels divided by groups."""


class Masks(Enum):
    """The mask of a layer's output. The values only document the members.

    Several masks are merged by AND in Keras 2 and by OR in Keras 3; those of tensors that are concatenated along time are
    joined along time, where a tensor without a mask counts as valid at all steps.
    """

    DROP = "none"
    KEEP = "the mask of the first input"
    ANY = "the masks of the inputs, merged, if one has a mask"
    ALL = "the masks of the inputs, merged, if all have one"
    MAKE = "a new mask, made from the input"
    SEQUENCES = "the mask of the input, if the layer returns sequences"


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
    """Return a value, or what a `Dated` one is in the given version; None means the latest version."""
    if not isinstance(value, Dated):
        return value
    return value.changes[-1][1] if version is None else value.at(version)


@dataclass(frozen=True)
class Option:
    """An argument of a layer's constructor.

    Args:
        name: the argument's name.
        default: the default, possibly `Dated`; a single number applies to every axis.
        sizes: the axes whose sizes it states, so that it can be read from the shapes of the arrays.
        means: the option's Keras name; "" in the table of Keras, or if the Keras layer has no such option.
        complement: whether the value in Keras is 1 minus this value.
        types: the types of values that Keras also accepts.
        words: for string-valued options, the strings that Keras also accepts.
        harmless: values that do not change predictions, so that Keras needs no such option.
        remarks: pairs (value, remark about this value).
        formerly: the option's name in earlier versions; "" if it was the same.
        required: whether the constructor has no default for it.
        use: what it acts on.
        only: the values with which a layer can be ported; () for any value.
        why: the reason why it must have one of these values: half a sentence about the layer.
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
    required: bool = False
    use: Use = "result"
    only: tuple[Any, ...] = ()
    why: str = ""

    def carries(self, value: Any) -> bool:
        """Return whether Keras has this option and accepts the value."""
        return bool(self.means) and (type(value) in self.types or (isinstance(value, str) and value in self.words))

    def is_harmless(self, value: Any) -> bool:
        """Return whether this value does not change predictions, so that Keras needs no such option."""
        each = value if isinstance(value, tuple) else (value,)
        return bool(self.harmless) and all(one in self.harmless for one in each)


@dataclass(frozen=True)
class Array:
    """An array of a layer.

    Args:
        name: the array's name in the framework.
        axes: the names of its axes; the first may be `ANY_AXES`.
        option: the constructor argument without which, usually a flag, a layer lacks this array; "" if every layer has it.
        means: the array's Keras name; "" in the table of Keras, or if the Keras layer has no such array.
        trained: whether it is trained by gradients.
        shared: the option that lists the axes along which the array has size 1; "" if there is none.
        given: the value of `option` with which a layer has it.
        path: in files of Keras 3 its path in the layer, if that holds it in a layer of its own; "" if it does not.
        needs: another flag without which a layer lacks it; "" if there is none.
        also: another name that a version of Keras has for it.
    """

    name: str
    axes: Axes
    option: str = ""
    means: str = ""
    trained: bool = True
    shared: str = ""
    given: Any = True
    path: str = ""
    needs: str = ""
    also: str = ""

    def sizes(self, shape: tuple[int, ...]) -> dict[str, int] | None:
        """Return the size of each named axis (after `ANY_AXES`, counted from the end), or None if the rank does not fit."""
        named = self.axes[1:] if self.axes[:1] == (ANY_AXES,) else self.axes
        fits = len(shape) >= len(named) if len(named) < len(self.axes) else len(shape) == len(named)
        return dict(zip(named, shape[len(shape) - len(named) :], strict=True)) if fits else None


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Args:
        name: the name of its class, without the package.
        options: the options that porting a file keeps, in the order of the constructor.
        arrays: its arrays in the framework's order; None if they are not listed.
        reads: the axes of each input after the batch axis; a number stands for an axis of any size. () if the options decide.
        indices: whether its inputs are integers.
        masks: the mask of its output, possibly `Dated`.
        mask_option: the option that controls the mask that the layer makes: a flag, or the value that counts as masked.
        role: "input" for the input of a model, "model" for a nested model, "wrapper" for a layer that applies an inner layer to
            each step of an axis, "recurrent" for one that runs a recurrent layer over sequences, "layer" for all others.
        inner: the name of the inner layer, both as an option and as an attribute.
        means: the Keras kind with the same arrays; "" in the table of Keras, or if Keras has no such kind.
        shown_by: arrays that must be present to recognise the kind in a file without class names; () if that is impossible.
        having: the sets of arrays that layers of the kind have, each as names with spaces between; () if they are not listed.
        activation: the name in `frameworks.activations` of the function, or family of functions, that it computes.
        activation_number: the option that is the parameter of the family.
        normalises: the axis along which it normalises, as text for messages.
        unread: the reason why a recurrent layer of this kind is not read as one; "" for any other kind.
        further: its other options: those of training, those without an effect, and those that must have a certain value.
        shape: the name of the rule for the shape of its output, in `frameworks.models.reading.shapes`; "" if there is none.
        window: the number of axes that a window moves along, as that of a convolution or of pooling.
        operation: whether Keras 3 has an operation with the same class name, whose config does not state `trainable`.
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
    having: tuple[str, ...] = ()
    activation: str = ""
    activation_number: str = ""
    normalises: str = ""
    unread: str = ""
    further: tuple[Option, ...] = ()
    shape: str = ""
    window: int = 0
    operation: bool = False

    def option(self, name: str) -> Option | None:
        """Return an option by name, or None."""
        return next((option for option in self.options if option.name == name), None)

    def array(self, name: str) -> Array | None:
        """Return an array by name, or None."""
        return next((array for array in self.arrays or () if array.name == name), None)

    def meaning(self, keras_name: str) -> Array | None:
        """Return an array by its Keras name, or None."""
        return next((array for array in self.arrays or () if array.means == keras_name), None)

    def has(self, name: str) -> bool:
        """Return whether the kind has an option of this name."""
        return self.option(name) is not None

    @property
    def stored_options(self) -> tuple[Option, ...]:
        """The options that cannot be derived from the arrays."""
        shown = {name for array in self.arrays or () for name in (array.given is True and array.option, array.shared)}
        return tuple(option for option in self.options if not option.sizes and option.name not in shown)

    def masks_at(self, version: Versions | None = None) -> Masks:
        """Return the mask of the output in a version of the framework; None means the latest."""
        rule: Masks = value_at(self.masks, version)
        return rule

    def default(self, name: str, version: Versions | None = None) -> Any:
        """Return the default of an option in a version of the framework (None: the latest), or None for an unknown option."""
        option = self.option(name)
        return None if option is None else value_at(option.default, version)

    def arrays_with(self, config: Mapping[str, Any], version: Versions | None = None) -> tuple[Array, ...] | None:
        """Return the arrays of a layer with these options, or None if the arrays of its kind are not listed."""
        if self.arrays is None:
            return None

        def value(option: str) -> Any:
            return config.get(option, self.default(option, version))

        return tuple(
            array
            for array in self.arrays
            if (not array.option or value(array.option) == array.given) and (not array.needs or value(array.needs))
        )

    def sizes(self, shapes: Mapping[str, tuple[int, ...]], groups: Any = 1) -> dict[str, int] | None:
        """Return the size of each axis, as far as arrays determine it.

        Args:
            shapes: the shapes of the arrays, by name.
            groups: the number of groups of a convolution.

        Returns:
            The sizes by axis, or None if the shapes do not fit the kind.
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

    def fits(self, shapes: Mapping[str, tuple[int, ...]], groups: int | None = None) -> bool:
        """Return whether arrays with these names and shapes can be those of a layer of the kind.

        Args:
            shapes: the shapes of all its arrays, by name.
            groups: the number of groups of a convolution; None for any.
        """
        if frozenset(shapes) not in _sets(self.having):
            return False
        sizes = self.sizes(shapes)
        anywhere = {shapes[array.name] for array in self.arrays or () if ANY_AXES in array.axes and array.name in shapes}
        if sizes is None or len(anywhere) > 1:
            return False
        parted = "input" if GROUP_OUTPUT in sizes else "output"
        if GROUP_OUTPUT in sizes and "output" in sizes:
            shown, left = divmod(sizes["output"], max(sizes[GROUP_OUTPUT], 1))
            if left or groups not in (None, shown):
                return False
            groups = shown
        return groups is None or (groups > 0 and sizes.get(parted, 0) % groups == 0)

    def stated_sizes(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        """Return the options that give sizes, in order. Each is a number, or a tuple if it covers several axes."""
        return {
            option.name: sizes[option.sizes[0]] if len(option.sizes) == 1 else tuple(sizes[axis] for axis in option.sizes)
            for option in self.options
            if option.sizes and all(axis in sizes for axis in option.sizes)
        }


@cache
def _sets(having: tuple[str, ...]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(names.split()) for names in having)
