"""Reading one layer of a Keras architecture and its arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from frameworks.activations import KERAS2_NAMES
from frameworks.files.given_options import KERAS_FLAGS, GivenOptions, check_cell
from frameworks.files.keras.activations import unknown_activation, words_of
from frameworks.files.keras.cells import CLASSES, Shown, is_folded, policy_of, read_cell, shown_by
from frameworks.files.keras.config import RECURRENT, Config, Node, class_of, config_of, numbered, snake
from frameworks.files.keras.other_layers import read_other
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.derived_arrays import halves_of
from frameworks.files.untrusted.source import StoredArray, damaged
from frameworks.kinds import KERAS
from frameworks.options import TIME_MAJOR, KerasOptions

OLD = "_layer_checkpoint_dependencies"
"""The group in which Keras 2.12 and 2.13 store the layers of a model, instead of `layers`."""


class Weights(Protocol):
    """The arrays of one layer, independent of how the file stores them."""

    def of_cell(self, place: str, count: int) -> Sequence[StoredArray]:
        """Return the arrays of the next cell.

        Args:
            place: the path of its variables, for files that store them by attribute.
            count: the number of its arrays, for files that store them as one list.
        """

    def all(self) -> Mapping[str, StoredArray]:
        """Return all arrays by their names in the file."""


@dataclass
class RowWeights:
    """The arrays of a layer as one list, in Keras's order."""

    arrays: Mapping[str, StoredArray]
    taken: int = field(default=0)

    def of_cell(self, place: str, count: int) -> Sequence[StoredArray]:  # noqa: ARG002  they are in order
        """Return the next `count` arrays."""
        begin, self.taken = self.taken, self.taken + count
        return list(self.arrays.values())[begin : self.taken]

    def all(self) -> Mapping[str, StoredArray]:
        """Return all arrays, by the last part of their names."""
        return self.arrays


@dataclass
class CellWeights:
    """The arrays of a layer whose cells are known."""

    cells: Sequence[Sequence[StoredArray]]
    taken: int = field(default=0)

    def of_cell(self, place: str, count: int) -> Sequence[StoredArray]:  # noqa: ARG002  the cells are in order
        """Return the arrays of the next cell."""
        self.taken += 1
        return self.cells[self.taken - 1] if self.taken <= len(self.cells) else ()

    def all(self) -> Mapping[str, StoredArray]:
        """Return all arrays, numbered."""
        return {str(index): array for index, array in enumerate(array for cell in self.cells for array in cell)}


@dataclass(frozen=True)
class Reading:
    """The context in which the layers of a file are read.

    Args:
        file: the file's name in messages.
        version: the version of Keras that wrote it.
        given: the user's options.
        describable: whether the user can give an architecture: not of a model that is a class of its own, nor for a torch file.
    """

    file: str
    version: Version
    given: GivenOptions
    describable: bool = True


@dataclass(frozen=True)
class _Cell:
    """A cell of the architecture: its class, its config and the path of attributes to it."""

    class_name: str
    config: Config
    place: str


def read_layer(node: Node, weights: Weights, reading: Reading) -> StoredLayer | OtherLayer:
    """Read one layer: a `StoredLayer` if it is recurrent and understood, otherwise an `OtherLayer`.

    Raises:
        GatewiseError: for weights that do not fit the layer.
    """
    try:
        if node.class_name in RECURRENT or _is_vouched_for(node, weights, reading):
            return _read_recurrent(node, weights, reading)
        _require_not_recurrent(node, weights)
    except NotUnderstoodError as why:
        return read_other(node, weights.all(), why)
    activation = node.config.get("activation")
    if reading.version.is_keras2 and isinstance(activation, str) and activation in KERAS2_NAMES:
        node = replace(node, config={**node.config, "activation": KERAS2_NAMES[activation]})
    return read_other(node, weights.all())


def _is_vouched_for(node: Node, weights: Weights, reading: Reading) -> bool:
    """Return whether the options say what a custom layer computes; its arrays must be those of a cell."""
    told = node.class_name not in KERAS.kinds and "cell" in reading.given.of(node.name)
    return told and shown_by(tuple(weights.all().values())) is not None


def _require_not_recurrent(node: Node, weights: Weights) -> None:
    """Raise an error for a recurrent layer that is not read as one."""
    kind = KERAS.get(node.class_name)
    if kind.unread:
        raise NotUnderstoodError(kind.unread)
    shown, config = shown_by(tuple(weights.all().values())), node.config
    inner = next((key for key in ("cell", "layer", "forward_layer") if _names_recurrent(config.get(key))), "")
    if inner or "recurrent_initializer" in config or (shown and shown.cell.gated):
        raise _unknown(node, f"{node.class_name} is not a recurrent layer of Keras", shown)


def _names_recurrent(entry: Any) -> bool:
    return isinstance(entry, Mapping) and str(entry.get("class_name")) in RECURRENT


def _unknown(node: Node, what: str, shown: Shown | None) -> NotUnderstoodError:
    """Return the reason why a custom layer or cell is not read, and what the user can do."""
    if shown is None:
        return NotUnderstoodError(f"{what}, and its code is not in the file")
    own = f"{{{node.name!r}: {{'cell': {shown.cell.name!r}}}}}"
    return NotUnderstoodError(
        f"{what}, and its code is not in the file. If it computes what {shown.cell.names['keras']}Cell does, say so with"
        f" options={own}, or --option {node.name}.cell={shown.cell.name}",
        options=("cell",),
    )


def _read_recurrent(node: Node, weights: Weights, reading: Reading) -> StoredLayer:
    directions = list(_directions(node, reading.file))
    flags, described = directions[0][1], [cell for own, _ in directions for cell in own]
    given = reading.given.of(node.name)
    if given.get("time_major", flags.get("time_major")) is True:
        raise NotUnderstoodError(
            "time_major=True puts the time axis first in its input and output. Read it with the batch axis first, with"
            f" options={{{node.name!r}: {{'time_major': False}}}}, or --option {node.name}.time_major=False. {TIME_MAJOR}",
            options=("time_major",),
        )
    columns = [[_read_cell(node, cell, weights, reading, given) for cell in cells] for cells, _ in directions]
    if len({len(column) for column in columns}) != 1:
        raise NotUnderstoodError("its two directions have different numbers of cells")
    cells = tuple(zip(*columns, strict=True))
    used = sum(len(cell.arrays) for column in columns for cell in column)
    if used != len(weights.all()):
        raise NotUnderstoodError(f"its cells have {used} arrays, but the file has {len(weights.all())} for it")
    return StoredLayer(
        name=node.name,
        origin="keras",
        class_name=node.class_name,
        cells=cells,
        options=_options(node, flags, cells, given, stacked=_is_stacked(flags, reading.file), version=reading.version),
        warnings=(*_warnings(node, flags, cells, described, reading), *_halves(cells, [cell.config for cell in described])),
        mask=node.mask,
        place=node.home,
    )


def _directions(node: Node, file: str) -> Iterator[tuple[list[_Cell], Config]]:
    """Yield the cells of each direction and the flags of the layer that runs them."""
    if node.class_name != "Bidirectional":
        yield list(_cells(node.class_name, node.config, "", file)), node.config
        return
    forward = node.config.get("layer")
    for attribute, entry in (("forward_layer", forward), ("backward_layer", node.config.get("backward_layer") or forward)):
        config = config_of(entry, file)
        yield list(_cells(class_of(entry, file), config, f"{attribute}/", file)), config


def _cells(class_name: str, config: Config, place: str, file: str) -> Iterator[_Cell]:
    if class_name != "RNN":
        yield _Cell(class_name, config, f"{place}cell")
        return
    cell = config.get("cell")
    if not _is_stacked(config, file):
        yield _Cell(class_of(cell, file), config_of(cell, file), f"{place}cell")
        return
    counts: dict[str, int] = {}
    entries = config_of(cell, file).get("cells")
    if not isinstance(entries, list) or not entries:
        raise damaged(f"the architecture in {file}", "has a stack without cells")
    for entry in entries:
        kind = class_of(entry, file)
        number = counts[snake(kind)] = counts.get(snake(kind), -1) + 1
        yield _Cell(kind, config_of(entry, file), f"{place}cell/cells/{numbered(kind, number)}")


def _is_stacked(config: Config, file: str) -> bool:
    return "cell" in config and class_of(config["cell"], file) == "StackedRNNCells"


def _read_cell(node: Node, cell: _Cell, weights: Weights, reading: Reading, given: Mapping[str, Any]) -> StoredCell:
    arrays = weights.of_cell(cell.place, 3 if cell.config.get("use_bias", True) is not False else 2)
    if cell.class_name not in CLASSES:
        arrays = arrays or tuple(weights.all().values())  # a custom layer may have no cell
        shown = shown_by(arrays)
        if shown is None or "cell" not in given:
            raise _unknown(node, f"its cell {cell.class_name} is not one of Keras's", shown)
        check_cell(node.name, given["cell"], shown.cell.name)
    unknown = unknown_activation(cell.config, reading.version, given)
    if unknown:
        raise NotUnderstoodError(
            f"its {unknown} is {words_of(cell.config.get(unknown))}, which gatewise does not know; "
            f"name its replacement with options={{{node.name!r}: {{{unknown!r}: ...}}}}.",
            options=(unknown,),
        )
    return read_cell(node.name, cell.class_name, cell.config, arrays, reading.version, given)


def _options(
    node: Node,
    flags: Config,
    cells: tuple[tuple[StoredCell, ...], ...],
    given: Mapping[str, Any],
    *,
    stacked: bool,
    version: Version,
) -> KerasOptions:
    first = cells[0][0].spec
    stated = {name: flags[name] for name in KERAS_FLAGS if name in flags and "dropout" not in name}
    merge = {"merge_mode": node.config.get("merge_mode", "concat")} if node.class_name == "Bidirectional" else {}
    rates = {
        rate: max((getattr(cell, rate) for layer in cells for cell in layer), key=_as_number)
        for rate in ("dropout", "recurrent_dropout")
    }
    if merge and flags.get("return_sequences") is True:
        stated["zero_output_for_mask"] = True  # Bidirectional sets it on its layers
    chosen = {name: value for name, value in given.items() if name in KERAS_FLAGS}
    return KerasOptions(
        **{**stated, **merge, **rates, **chosen},
        nesting="cells" if stacked else "layers",
        bare_states=stacked and version.is_keras2 and len(first.state_names) == 1,
    )


def _as_number(rate: Any) -> float:
    return rate if isinstance(rate, (int, float)) else 2.0  # an invalid rate is the largest, so that it is rejected


def _warnings(
    node: Node, flags: Config, cells: tuple[tuple[StoredCell, ...], ...], described: Sequence[_Cell], reading: Reading
) -> Iterator[str]:
    first = cells[0][0]
    read = [cell.spec.cell for column in zip(*cells, strict=True) for cell in column]
    custom = {cell.class_name: kind for cell, kind in zip(described, read, strict=True) if cell.class_name not in CLASSES}
    for class_name, kind in custom.items():
        yield f"{class_name} is read as {kind}, as the options say: its code is not in the file."
    if node.states:
        yield (
            f"its model passes it initial states from {' and '.join(node.states)}. Pass them to the layer, or it starts from"
            " zeros."
        )
    if flags.get("time_major") is True:
        yield f"the file states time_major=True, and it is read with the batch axis first. {TIME_MAJOR}."
    if node.wrappers:
        yield f"{' of '.join(node.wrappers)} runs it once for each step of another axis."
    if "keras2_hard_sigmoid" in (first.spec.activation, first.spec.recurrent_activation):
        doubt = "" if reading.version.text else " The file does not state the version of Keras: Keras 2 is assumed."
        yield f"its hard_sigmoid is Keras 2's, 0.2 x + 0.5 clipped to [0, 1]; Keras 3's is x / 6 + 0.5, up to 0.083 off.{doubt}"
    if is_folded(tuple(first.arrays.values())) and not any(cell.class_name.startswith("CuDNN") for cell in described):
        yield "its weights are in CuDNN's layout, though the architecture does not state it."
    if node.mask and node.class_name == "Bidirectional" and reading.version.is_keras2 and reading.version.numbers < (2, 3):
        yield "at masked steps, Bidirectional repeated the last output before Keras 2.3; later versions output zeros."


def _halves(cells: tuple[tuple[StoredCell, ...], ...], configs: Sequence[Config]) -> Iterator[str]:
    """Warn of half precision: in the weights, or, with a mixed policy, in the arithmetic."""
    for half in halves_of(array for row in cells for cell in row for array in cell.arrays.values()):
        yield f"its weights are {half}; they are returned in float32, which holds them exactly, but Keras computed in {half}."
    for policy in sorted({policy_of(config) for config in configs}):
        if policy.startswith("mixed_"):
            half = policy.removeprefix("mixed_")
            yield f"its dtype policy is {policy}: Keras computed in {half}, but gatewise computes in float32."
