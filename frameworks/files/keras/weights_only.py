"""Weights of Keras without an architecture: layers are assembled from arrays, by their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

from frameworks.files.keras.assumptions import Parts, assumptions, bare_node, feeding, read_unstated, unstated
from frameworks.files.keras.cells import Shown, is_folded, shown_by
from frameworks.files.keras.config import RECURRENT, snake
from frameworks.files.keras.keras1 import cells_of, way_of
from frameworks.files.keras.layers import OLD, CellWeights, Reading, read_layer
from frameworks.files.keras.training import is_of_training
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.h5 import H5File
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS
from frameworks.layouts import CUDNN, KERAS1

_CELL = re.compile(r"(stacked_rnn_cells|(lstm|gru|simple_rnn)_cell)(_\d+)?")
Layer = StoredLayer | OtherLayer
_BY_CLASS = re.compile(r"(?:.*/)?layers/(\w+?)(?:_\d+)?")
_KERAS_CLASSES = frozenset(snake(name) for name in (*RECURRENT, *KERAS.kinds))
_NUMBER = re.compile(r"(\d{1,9})")
_MOST_PERMUTED = 5
_WAYS = ("forward_", "backward_")
_CELL_ARRAYS = 3
_NAMES_CELLS = (2, 4)
"""The version of Keras from which on the name of a cell is part of the names of its arrays."""


def read_bare(named: Mapping[str, Mapping[str, StoredArray]], reading: Reading, *, ordered: bool = True) -> Iterator[Layer]:
    """Read layers from `named[layer][weight]`: weights in Keras's order, and layers in the model's if they are `ordered`."""
    layers = _Layers(ordered=ordered)
    for layer, weights in named.items():
        old = cells_of(weights)
        if old and (len(weights) > _CELL_ARRAYS * len(old) or reading.version.is_keras1):
            for owner, gates in old.items():
                layers.add(layer, layer, way_of(owner), {str(index): array for index, array in enumerate(gates)}, cell=True)
            continue
        owners: dict[str, dict[str, StoredArray]] = {}
        for path, array in weights.items():
            owner, _, leaf = path.rpartition("/")
            owners.setdefault(owner, {})[leaf.partition(":")[0]] = array
        keys = {owner: _split_owner(owner) for owner in owners}
        alone = len({key for key, _ in keys.values()}) == 1
        for owner, arrays in owners.items():
            key, direction = keys[owner]
            name = layer if alone else f"{layer}/{key.rpartition('/')[2]}"
            is_cell = list(arrays)[:2] == ["kernel", "recurrent_kernel"]
            layers.add(f"{layer}:{key}", name, direction, arrays, cell=is_cell, kind=name.rpartition("/")[2])
            outer, _, cell = owner.rpartition("/")
            if is_cell and outer and reading.version.numbers >= _NAMES_CELLS and not _is_known_cell(cell, arrays):
                layers.parts[f"{layer}:{key}"].custom = cell
        if not weights:
            layers.parts[layer] = Parts(layer)
    yield from layers.read(reading)


def read_bare_paths(file: H5File, reading: Reading) -> Iterator[Layer]:
    """Read weights stored by class and number, or by the attributes of a subclassed model."""
    if not reading.version.text and any("name" in group for group in file.groups.values()):
        reading = replace(reading, version=Version("3"))  # Keras 2 wrote no layer names into such files
    bases: dict[str, dict[str, StoredArray]] = {}
    for path, array in file.below("").items():
        base, _, number = path.rpartition("/vars/")
        if not is_of_training(path):
            bases.setdefault(base, {})[number] = array
    # Keras writes layers in the model's order, one after the other, but a small array may fill a gap before: that is a hint.
    starts = {base: max(arrays.values(), key=lambda array: array.nbytes).start for base, arrays in bases.items()}
    layers = _Layers(ordered=False)
    for base in sorted(bases, key=lambda base: (starts[base], natural(base))):
        key, direction, cell = _split_base(base)
        named = str(file.groups.get(f"{key}/vars", {}).get("name", ""))
        layers.add(key, named or _plain_name(key), direction, bases[base], cell=cell, kind=key.rpartition("/")[2])
        layers.parts[key].custom = _custom_class(key) or (_custom_cell(file, base) if cell else "")
    homes = not any(OLD in key for key in layers.parts)
    yield from layers.read(reading, homes=homes)


def _custom_class(key: str) -> str:
    """Return the class in a path by class and number, as Keras writes it, if it is not one of Keras's; otherwise ""."""
    match = _BY_CLASS.fullmatch(key)
    return match[1] if match and match[1] not in _KERAS_CLASSES else ""


def _custom_cell(file: H5File, base: str) -> str:
    """Return the name that Keras 3 writes for a cell if it is not made of the name of a class of Keras; otherwise ""."""
    name = str(file.groups.get(f"{base}/vars", {}).get("name", ""))
    return "" if re.sub(r"_\d+$", "", name) in ("", *_KERAS_CLASSES) else name


def natural(path: str) -> list[tuple[str, int]]:
    """Return the key that sorts lstm_2 before lstm_10."""
    parts = _NUMBER.split(path)
    return list(zip(parts[::2], map(int, [*parts[1::2], "0"]), strict=True))


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
    shown: Any = shown_by(cell)
    return len(shown.cell.gates)


def _is_known_cell(name: str, arrays: Mapping[str, StoredArray]) -> bool:
    """Return whether a cell has the name of a Keras cell; a layer of CuDNN has no cell."""
    return _CELL.fullmatch(name) is not None or is_folded(tuple(arrays.values()))


def is_cell_name(part: str) -> bool:
    """Return whether a part of a variable's path is the name of a cell, or of one direction of a layer."""
    return _CELL.fullmatch(part) is not None or part.startswith(_WAYS)


def _split_owner(owner: str) -> tuple[str, str]:
    """Return the layer and the direction in a group name: "bi" and "forward" for "bi/forward_gru/gru_cell_1"."""
    parts = owner.split("/")
    while len(parts) > 1 and (_CELL.fullmatch(parts[-1]) or parts[-2].startswith(_WAYS)):
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


class _Layers:
    """Layers assembled from their cells, by the key that identifies each layer.

    Args:
        ordered: whether the file lists the layers in the order of the model.
    """

    def __init__(self, *, ordered: bool = True) -> None:
        self.parts: dict[str, Parts] = {}
        self._ordered = ordered

    def add(
        self, key: str, name: str, direction: str, arrays: Mapping[str, StoredArray], *, cell: bool, kind: str = ""
    ) -> None:
        """Add the arrays at one place of the file; `kind` is the class name in the file."""
        parts = self.parts.setdefault(key, Parts(name, kind))
        if cell and shown_by(tuple(arrays.values())):
            parts.cells.setdefault(direction, []).append(tuple(arrays.values()))
        else:
            prefix = f"{direction}/" if direction else ""
            parts.others.update({f"{prefix}{leaf}": array for leaf, array in arrays.items()})

    def read(self, reading: Reading, *, homes: bool = False) -> Iterator[Layer]:
        """Yield the layers. With `homes`, the keys are the layers' places in a file of Keras 3."""
        for parts in self.parts.values():
            parts.cells = {direction: _in_order(cells) for direction, cells in parts.cells.items()}
        keys = self.parts if self._ordered else sorted(self.parts, key=natural)
        feeds = feeding([self.parts[key] for key in keys], ordered=self._ordered)
        for key, parts in self.parts.items():
            place = key if homes else ""
            if parts.cells:
                yield replace(_read_assumed(parts, reading, feeds=parts.name in feeds), place=place)
            if parts.others:
                yield replace(read_unstated(parts, reading), place=place)


def _read_assumed(parts: Parts, reading: Reading, *, feeds: bool) -> Layer:
    ways = [parts.cells[way] for way in ("forward", "backward", "") if way in parts.cells]
    entries = [_entry(cells, reading.version, feeds=feeds, custom=parts.custom) for cells in ways]
    class_name, config = entries[0]["class_name"], entries[0]["config"]
    if len(entries) == 2:
        class_name = "Bidirectional"
        config = {"layer": entries[0], "backward_layer": entries[1]}
    cells = [cell for column in ways for cell in column]
    layer = read_layer(bare_node(parts.name, class_name, config), CellWeights(cells), reading)
    if isinstance(layer, OtherLayer):
        return replace(layer, assumed=frozenset(layer.config))
    warnings = (*assumptions(layer, reading, feeds=feeds), *layer.warnings)
    return replace(layer, warnings=warnings, assumed=unstated(layer, reading))


def _entry(cells: Sequence[Sequence[StoredArray]], version: Version, *, feeds: bool, custom: str) -> dict[str, Any]:
    """Return the config of a layer with these cells, as far as their shapes determine it."""
    flags: dict[str, Any] = {"return_sequences": True} if feeds else {}
    inner: list[dict[str, Any]] = []
    for arrays in cells:
        shown: Any = shown_by(arrays)
        kind = f"{'CuDNN' if shown.layout is CUDNN else ''}{shown.cell.names['keras']}"
        config: dict[str, Any] = {"units": shown.hidden, "use_bias": shown.bias}
        if custom:
            kind, config["recurrent_initializer"] = custom, None
        if shown.cell.gated:
            config["recurrent_activation"] = _default_gate(shown, version)
        inner.append({"class_name": kind, "config": config})
    if len(inner) == 1:
        return {**inner[0], "config": {**inner[0]["config"], **flags}}
    stack = {"class_name": "StackedRNNCells", "config": {"cells": inner}}
    return {"class_name": "RNN", "config": {"cell": stack, **flags}}


def _default_gate(shown: Shown, version: Version) -> str:
    """Return the default recurrent activation of a layer in the version of Keras that wrote the file."""
    old = (0,) < version.numbers < ((2, 2, 4) if version.text.endswith("-tf") else (2, 3))
    is_old = old or shown.layout in KERAS1.values()
    return "hard_sigmoid" if is_old and shown.layout is not CUDNN else "sigmoid"
