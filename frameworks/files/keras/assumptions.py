"""What a file of weights alone does not state: options, classes and flags that are assumed, each with a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import KERAS_FLAGS
from frameworks.files.keras.cells import is_folded, shown_by
from frameworks.files.keras.config import Node, snake
from frameworks.files.keras.layers import Reading
from frameworks.files.keras.other_layers import read_other
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS, Kind

_ENDS_SEQUENCES = ("repeat_vector", "flatten", "global_")
"""The beginnings of the names that Keras gives to layers between a vector and a sequence."""


@dataclass
class Parts:
    """The arrays of one layer.

    Args:
        name: the layer's name.
        kind: its class in the file, as Keras writes it in names; "" if it is unknown.
        cells: the arrays of its cells, by direction.
        others: its other arrays, by name.
        custom: its class in the file, as Keras writes it in names, if it is known not to be one of Keras's.
    """

    name: str
    kind: str = ""
    cells: dict[str, list[Sequence[StoredArray]]] = field(default_factory=dict)
    others: dict[str, StoredArray] = field(default_factory=dict)
    custom: str = ""

    @property
    def widths(self) -> tuple[int, ...]:
        """The sizes that the output of a recurrent layer may have: of one direction, or of both."""
        last = shown_by(next(iter(self.cells.values()))[-1]) if self.cells else None
        return (last.hidden, 2 * last.hidden)[: len(self.cells)] if last else ()

    @property
    def reads(self) -> int:
        """The number of features that a recurrent layer reads; 0 for any other layer."""
        first = shown_by(next(iter(self.cells.values()))[0]) if self.cells else None
        return first.inputs if first else 0


def feeding(layers: Sequence[Parts], *, ordered: bool) -> set[str]:
    """Return the names of the recurrent layers that feed a recurrent layer, by sizes, so that they must return sequences.

    Args:
        layers: the layers of the file.
        ordered: whether they are in the order of the model; otherwise only those of one class are.
    """
    feeds = set()
    for index, layer in enumerate(layers):
        for width in layer.widths:
            if ordered:
                reaches = _reaches_recurrent(width, layers[index + 1 :])
            else:
                after = (other for at, other in enumerate(layers) if other.kind != layer.kind or at > index)
                reaches = any(other.reads == width for other in after if other is not layer)
            feeds |= {layer.name} if reaches else set()
    return feeds


def _reaches_recurrent(width: int, following: Sequence[Parts]) -> bool:
    """Return whether an output of this width reaches a recurrent layer through layers that keep the time axis."""
    for layer in following:
        if layer.cells:
            return layer.reads == width
        if layer.name.startswith(_ENDS_SEQUENCES):
            return False
        shape = next((array.shape for array in layer.others.values()), (width,))
        if width not in shape[-2:]:
            return False
        width = shape[-1]
    return False


def assumptions(layer: StoredLayer, reading: Reading, *, feeds: bool) -> Iterator[str]:
    """Yield a warning that lists what is assumed of a recurrent layer and not given by the user."""
    spec, options, version = layer.cells[0][0].spec, layer.options, reading.version
    folded = is_folded(tuple(layer.cells[0][0].arrays.values()))
    assumed: dict[str, Any] = {} if folded else {"activation": spec.activation}
    if "recurrent_activation" in spec.record.options and not folded:
        assumed["recurrent_activation"] = spec.recurrent_activation
    if "reset_after" in spec.record.options and not spec.bias:
        assumed["reset_after"] = str(spec.reset_after)
    flags = ["return_sequences", "return_state", "go_backwards", *(["merge_mode"] if len(layer.cells[0]) == 2 else [])]
    assumed |= {flag: getattr(options, flag) for flag in flags}
    if len({cell[0].spec.cell for cell in layer.cells}) > 1:
        assumed["the order of its cells"] = [cell[0].spec.cell for cell in layer.cells]
    given = reading.given.of(layer.name)
    left = {name: f"{name}={value!r}" for name, value in assumed.items() if name not in given}
    if not left:
        return
    if feeds and "return_sequences" in left:
        left["return_sequences"] += " (by its size, a recurrent layer reads its output)"
    doubt = ""
    if version.text and version.numbers < (2, 4) and "recurrent_activation" in left:
        doubt = f" Keras {version.text} wrote it: before 2.3, keras2_hard_sigmoid was the default of LSTM and GRU."
    verb = "is" if len(left) == 1 else "are"
    yield f"the file holds only weights; {', '.join(left.values())} {verb} assumed.{doubt} {_remedy(reading)}"


def unstated(layer: StoredLayer, reading: Reading) -> frozenset[str]:
    """Return the options of a recurrent layer that neither its arrays nor the user state."""
    cell = layer.cells[0][0]
    hidden = () if is_folded(tuple(cell.arrays.values())) else cell.spec.record.options
    shown = {"reset_after"} if cell.spec.bias else set()
    return frozenset({*KERAS_FLAGS, *hidden} - shown - reading.given.of(layer.name).keys())


def _remedy(reading: Reading) -> str:
    return "Options, or the JSON of the architecture, override that." if reading.describable else "Options override that."


def read_unstated(parts: Parts, reading: Reading) -> OtherLayer:
    """Return a layer that is not recurrent: of a kind if the file or the user names it, or if its arrays leave no doubt."""
    shapes = {name: array.shape for name, array in parts.others.items()}
    chosen = reading.given.of(parts.name).get("kind")
    named = chosen or _named(parts, shapes)
    kind = KERAS.get(named or _shown(shapes))
    if chosen and not _fits(kind, shapes):
        raise InvalidValueError.because(
            f"the kind of {parts.name}",
            must="be a Keras class with its arrays",
            but=f"is {str(chosen)[:100]}, and its arrays are {', '.join(f'{name} {shape}' for name, shape in shapes.items())}",
            remedy=f"These fit: {', '.join(each.name for each in KERAS if _fits(each, shapes)) or 'none that gatewise knows'}.",
        )
    optional = [array for array in kind.arrays or () if array.option]
    if len(shapes) == len(kind.arrays or ()):
        config = {array.option: array.given for array in optional}
    else:
        config = {array.option: False for array in optional if array.given is True}
    unread = list(_unread(parts))
    other = read_other(bare_node(parts.name, kind.name, config), parts.others)
    other = replace(other, known=other.known and not unread)
    warnings = [*unread, *_unstated(kind, shapes, named=bool(named), reading=reading)]
    return replace(other, warnings=(*other.warnings, *warnings), options=("kind",))


def _unread(parts: Parts) -> Iterator[str]:
    """Yield the reason why a recurrent layer is not read, if the file names its group after such a class."""
    for kind in KERAS:
        if kind.unread and re.sub(r"_\d+$", "", parts.kind) == snake(kind.name):
            yield NotUnderstoodError(kind.unread).warning


def _unstated(kind: Kind, shapes: Mapping[str, tuple[int, ...]], *, named: bool, reading: Reading) -> Iterator[str]:
    """Yield what the file does not state of a layer that is not recurrent."""
    if not kind.name:
        fitting = [each.name for each in KERAS if _fits(each, shapes)]
        if fitting:
            yield f"the file does not state its class; if it is a {' or '.join(fitting)}, say so with --option NAME.kind=CLASS."
        return
    options = [option.name for option in kind.stored_options]
    if not named:
        yield f"the file does not state its class: {kind.name} is what its arrays show."
    if options:
        listed = f"{', '.join(options)} of {kind.name} {'is' if len(options) == 1 else 'are'} not stated"
        described = " The JSON of the architecture states them." if reading.describable else ""
        yield f"the file holds only weights; {listed}: Keras's defaults are assumed.{described}"


def _named(parts: Parts, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the class in the name that Keras gives to a layer, or to the group of its variables; "" if there is none."""
    classes = {snake(kind.name): kind.name for kind in KERAS if kind.arrays}
    for name in (parts.kind, parts.name.rpartition("/")[2]):
        named = classes.get(re.sub(r"_\d+$", "", name), "")
        if named and _fits(KERAS.get(named), shapes):
            return named
    return ""


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the class that the names and shapes of arrays leave no doubt about, or ""."""
    kinds = [kind for kind in KERAS.shown_by(shapes) if _fits(kind, shapes)]
    return kinds[0].name if len(kinds) == 1 else ""


def _fits(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether a layer of a kind may have these arrays, in this order; files of Keras 3 number them."""
    arrays = kind.arrays or ()
    every, needed = [array.name for array in arrays], [array.name for array in arrays if not array.option]
    names = list(shapes)
    if all(name.isdecimal() for name in names):
        fewer = every[:-1] if len(arrays) and arrays[-1].option else every
        names = next((each for each in (every, fewer) if len(each) == len(names)), [])
    in_order = [name for name in every if name in names]
    complete = names == in_order and set(needed) <= set(names)
    return bool(names) and complete and kind.sizes(dict(zip(names, shapes.values(), strict=True))) is not None


def bare_node(name: str, class_name: str, config: Mapping[str, Any]) -> Node:
    """Return a layer that no architecture describes."""
    return Node(name, class_name, MappingProxyType(dict(config)), "", "", name, trainable=True, wrappers=(), mask="")
