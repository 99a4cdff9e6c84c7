"""Weights of Keras without an architecture: layers are recognised by the names and shapes of their arrays.

Such files hold neither activations nor flags. The defaults of the Keras that wrote them are assumed, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, permutations
from typing import Any

from frameworks.cells import cell_by_gates
from frameworks.files.given_options import KERAS_FLAGS
from frameworks.files.keras.cells import is_folded, is_recurrent
from frameworks.files.keras.config import Node, snake
from frameworks.files.keras.layers import OLD, Reading, RowWeights, read_layer
from frameworks.files.keras.other_layers import read_other
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.h5 import H5File
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS

_CELL = re.compile(r"(stacked_rnn_cells|(lstm|gru|simple_rnn)_cell)(_\d+)?")
Layer = StoredLayer | OtherLayer
_MOST_PERMUTED = 5


def read_bare(named: Mapping[str, Mapping[str, StoredArray]], reading: Reading) -> Iterator[Layer]:
    """Read layers from `named[layer][weight]`, with the weights in Keras's order."""
    for layer, weights in named.items():
        owners: dict[str, dict[str, StoredArray]] = {}
        for path, array in weights.items():
            owner, _, leaf = path.rpartition("/")
            owners.setdefault(owner, {})[leaf.partition(":")[0]] = array
        keys = {owner: _split_owner(owner) for owner in owners}
        alone = len({key for key, _ in keys.values()}) == 1
        layers = _Layers()
        for owner, arrays in owners.items():
            key, direction = keys[owner]
            name = layer if alone else f"{layer}/{key.rpartition('/')[2]}"
            layers.add(key, name, direction, arrays, cell=list(arrays)[:2] == ["kernel", "recurrent_kernel"])
        yield from layers.read(reading)


def read_bare_paths(file: H5File, reading: Reading) -> Iterator[Layer]:
    """Read weights stored by class and number, or by the attributes of a subclassed model."""
    if not reading.version.text and any("name" in group for group in file.groups.values()):
        reading = replace(reading, version=Version("3"))  # Keras 2 wrote no layer names into such files
    bases: dict[str, dict[str, StoredArray]] = {}
    for path, array in file.below("").items():
        base, _, number = path.rpartition("/vars/")
        if base.partition("/")[0] != "optimizer":
            bases.setdefault(base, {})[number] = array
    layers = _Layers()
    for base, arrays in bases.items():
        key, direction, cell = _split_base(base)
        named = str(file.groups.get(f"{key}/vars", {}).get("name", ""))
        layers.add(key, named or _plain_name(key), direction, arrays, cell=cell, kind=key.rpartition("/")[2])
    for parts in layers.parts.values():
        parts.cells = {direction: _in_order(cells) for direction, cells in parts.cells.items()}
    yield from layers.read(reading, homes=not any(OLD in key for key in layers.parts))


def _in_order(cells: list[Sequence[StoredArray]]) -> list[Sequence[StoredArray]]:
    """Reorder stacked cells of several classes, which the file sorts by class, so that their sizes fit."""
    if len(cells) > _MOST_PERMUTED or len({_gates(cell) for cell in cells}) < 2:
        return cells
    for order in permutations(range(len(cells))):
        chosen = [cells[index] for index in order]
        numbered = all(
            list(order).index(index) < list(order).index(later)
            for index in order
            for later in order
            if index < later and _gates(cells[index]) == _gates(cells[later])
        )
        if numbered and all(above[0].shape[0] == below[1].shape[0] for below, above in pairwise(chosen)):
            return chosen
    return cells


def _gates(cell: Sequence[StoredArray]) -> int:
    return cell[1].shape[1] // cell[1].shape[0]


def _split_owner(owner: str) -> tuple[str, str]:
    """Return the layer and the direction in a group name: "bi" and "forward" for "bi/forward_gru/gru_cell_1"."""
    parts = owner.split("/")
    while len(parts) > 1 and _CELL.fullmatch(parts[-1]):
        parts.pop()
    direction = parts[-1].partition("_")[0] if len(parts) > 1 else ""
    if direction not in ("forward", "backward"):
        return "/".join(parts), ""
    return "/".join(parts[:-1]), direction


def _split_base(base: str) -> tuple[str, str, bool]:
    """Return the layer and the direction in a path of attributes, and whether it is the path of a cell."""
    stacked = re.fullmatch(r"(.*?)/?cell/cells/[^/]+", base)
    key = stacked[1] if stacked else base.removesuffix("/cell")
    cell = bool(stacked) or re.fullmatch(r"(.*[/_])?cell(_\d+)?", base) is not None
    for direction in ("forward", "backward"):
        if key.endswith(f"/{direction}_layer"):
            return key.removesuffix(f"/{direction}_layer"), direction, cell
    return key, "", cell


def _plain_name(key: str) -> str:
    return "/".join(part for part in key.split("/") if part not in ("layers", OLD))


@dataclass
class _Parts:
    """The arrays of one layer."""

    name: str
    kind: str
    cells: dict[str, list[Sequence[StoredArray]]] = field(default_factory=dict)
    others: dict[str, StoredArray] = field(default_factory=dict)


class _Layers:
    """Layers assembled from their cells, by the key that identifies each layer."""

    def __init__(self) -> None:
        self.parts: dict[str, _Parts] = {}

    def add(
        self, key: str, name: str, direction: str, arrays: Mapping[str, StoredArray], *, cell: bool, kind: str = ""
    ) -> None:
        """Add the arrays at one place of the file; `kind` is the class name in the file."""
        parts = self.parts.setdefault(key, _Parts(name, kind))
        if cell and is_recurrent(tuple(arrays.values())):
            parts.cells.setdefault(direction, []).append(tuple(arrays.values()))
        else:
            prefix = f"{direction}/" if direction else ""
            parts.others.update({f"{prefix}{leaf}": array for leaf, array in arrays.items()})

    def read(self, reading: Reading, *, homes: bool = False) -> Iterator[Layer]:
        """Yield the layers. With `homes`, the keys are the layers' places in a file of Keras 3."""
        for key, parts in self.parts.items():
            if parts.cells:
                yield replace(_read_assumed(parts.name, parts.cells, reading), place=key if homes else "")
        for key, parts in self.parts.items():
            if parts.others:
                kind = _kind(parts.kind, parts.others)
                other = read_other(_node(parts.name, kind, {"use_bias": len(parts.others) == 2}), parts.others)
                yield replace(other, place=key if homes else "")


def _read_assumed(name: str, directions: Mapping[str, Sequence[Sequence[StoredArray]]], reading: Reading) -> Layer:
    ways = [directions[way] for way in ("forward", "backward", "") if way in directions]
    entries = [_entry(cells, reading.version) for cells in ways]
    class_name, config = entries[0]["class_name"], entries[0]["config"]
    if len(entries) == 2:
        class_name = "Bidirectional"
        config = {"layer": entries[0], "backward_layer": entries[1]}
    arrays = [array for cells in ways for cell in cells for array in cell]
    weights = RowWeights({str(index): array for index, array in enumerate(arrays)})
    layer = read_layer(_node(name, class_name, config), weights, reading)
    if isinstance(layer, OtherLayer):
        return layer
    stated = set(reading.given.of(name))
    warnings = (*_assumptions(layer, stated, reading.version), *layer.warnings)
    return replace(layer, warnings=warnings, assumed=frozenset({*_unstated(layer)} - stated))


def _entry(cells: Sequence[Sequence[StoredArray]], version: Version) -> dict[str, Any]:
    """Return the config of a layer with these cells, as far as their shapes determine it."""
    inner = []
    for arrays in cells:
        hidden, blocks = arrays[1].shape
        cell: Any = cell_by_gates(blocks // hidden)
        kind = f"CuDNN{cell.names['keras']}" if is_folded(arrays) else cell.names["keras"]
        config: dict[str, Any] = {"units": hidden, "use_bias": len(arrays) == 3}
        if blocks != hidden:
            config["recurrent_activation"] = _default_gate(arrays, version)
        inner.append({"class_name": kind, "config": config})
    if len(inner) == 1:
        return inner[0]
    return {"class_name": "RNN", "config": {"cell": {"class_name": "StackedRNNCells", "config": {"cells": inner}}}}


def _default_gate(arrays: Sequence[StoredArray], version: Version) -> str:
    """Return the default recurrent activation of a layer in the version of Keras that wrote the file."""
    old = (0,) < version.numbers < ((2, 2, 4) if version.text.endswith("-tf") else (2, 3))
    return "hard_sigmoid" if old and not is_folded(arrays) else "sigmoid"


def _unstated(layer: StoredLayer) -> Iterator[str]:
    """Yield the options that the arrays of a layer do not show."""
    yield from KERAS_FLAGS
    cell = layer.cells[0][0]
    for option in () if is_folded(tuple(cell.arrays.values())) else cell.spec.record.options:
        if option != "reset_after" or not cell.spec.bias:
            yield option


def _assumptions(layer: StoredLayer, stated: set[str], version: Version) -> Iterator[str]:
    spec, options = layer.cells[0][0].spec, layer.options
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
    left = {name: value for name, value in assumed.items() if name not in stated}
    if left:
        doubt = ""
        if version.text and version.numbers < (2, 4) and "recurrent_activation" in left:
            doubt = f" Keras {version.text} wrote it: before 2.3, keras2_hard_sigmoid was the default of LSTM and GRU."
        assumptions = ", ".join(f"{name}={value!r}" for name, value in left.items())
        remedy = f"Give the architecture, or options={{{layer.name!r}: {{...}}}}."
        yield f"the file holds only weights; {assumptions} {'is' if len(left) == 1 else 'are'} assumed.{doubt} {remedy}"


def _node(name: str, class_name: str, config: Mapping[str, Any]) -> Node:
    return Node(name, class_name, config, "", "", name, trainable=True, wrappers=(), mask="")


def _kind(own: str, arrays: Mapping[str, StoredArray]) -> str:
    """Guess a class from Keras's names of its arrays, or from the name of its group if the arrays are numbered."""
    leaves = list(arrays)
    if leaves[0].isdecimal():
        return {snake(kind.name): kind.name for kind in KERAS if kind.arrays}.get(re.sub(r"_\d+$", "", own), "")
    kinds = KERAS.shown_by({name: array.shape for name, array in arrays.items()})
    if len(kinds) != 1:
        return ""
    in_order = [array.name for array in kinds[0].arrays or () if array.name in arrays]
    return kinds[0].name if leaves == in_order else ""
