"""What weights in torch's layout mean, as JSON beside them: specs, options and kinds of all layers of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from frameworks.errors import GatewiseError
from frameworks.files.given_options import KERAS_FLAGS, GivenOptions, check_arguments, options_of_layer
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.json_text import read_json
from frameworks.files.untrusted.source import StoredArray, damaged
from frameworks.files.writing.naming import places
from frameworks.layouts import PYTORCH
from frameworks.options import BACKWARDS, KerasOptions
from frameworks.spec import RecurrentSpec

VERSION = 1
Layer = StoredLayer | OtherLayer


def describe(layers: list[Layer], names: Mapping[str, Mapping[str, str]], kinds: Mapping[str, str]) -> str:
    """Write down what layers are.

    Args:
        layers: in their order.
        names: of those that are not recurrent, by layer: the name of each array in the layer, and in the file.
        kinds: of those likewise, as the file has them.
    """
    entries = [
        _recurrent(layer) if isinstance(layer, StoredLayer) else _other(layer, names[layer.name], kinds[layer.name])
        for layer in layers
    ]
    return json.dumps({"version": VERSION, "layers": entries}, default=str)


def _recurrent(layer: StoredLayer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "origin": layer.origin,
        "class_name": layer.class_name,
        "cells": [[_cell(cell) for cell in cells] for cells in layer.cells],
        "options": None if layer.options is None else asdict(layer.options),
        "arguments": dict(layer.arguments),
        "mask": layer.mask,
        "place": layer.place,
        "warnings": list(layer.warnings),
    }


def _cell(cell: StoredCell) -> dict[str, Any]:
    return {"spec": asdict(cell.spec), "dropout": cell.dropout, "recurrent_dropout": cell.recurrent_dropout}


def _other(layer: OtherLayer, names: Mapping[str, str], kind: str) -> dict[str, Any]:
    config = layer.config if kind == layer.kind else {"keras": {"class_name": layer.kind, "config": dict(layer.config)}}
    return {
        "name": layer.name,
        "kind": kind,
        "known": layer.known,
        "arrays": dict(names),
        "config": dict(config),
        "wrappers": list(layer.wrappers),
        "place": layer.place,
        "warnings": list(layer.warnings),
    }


def read_described(text: str | bytes, arrays: Mapping[str, StoredArray], file: str, given: GivenOptions) -> list[Layer]:
    """Read the layers of a file that says what its arrays mean; arrays that it says nothing of come last, under "".

    Args:
        text: the JSON.
        arrays: all of the file, by name.
        file: what messages call it.
        given: the user's options, which override the file.

    Raises:
        GatewiseError: for a description that is none, or is not that of the arrays.
    """
    name = f"the description in {file}"
    said = read_json(text, name)
    if said.get("version") != VERSION:
        raise damaged(name, f"has version {said.get('version')!r}, where this gatewise reads {VERSION}")
    left = dict(arrays)
    try:
        found: list[Layer] = [_read_layer(entry, left, given) for entry in said["layers"]]
    except GatewiseError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise damaged(name, f"does not describe the arrays: {type(error).__name__} {str(error)[:200]}") from error
    if left:
        found.append(OtherLayer("", stored=left, warnings=("arrays of no layer.",)))
    return found


def _read_layer(entry: Mapping[str, Any], left: dict[str, StoredArray], given: GivenOptions) -> Layer:
    if "cells" not in entry:
        stored = {str(own): left.pop(there) for own, there in entry["arrays"].items()}
        texts = {name: tuple(map(str, entry[name])) for name in ("wrappers", "warnings")}
        known = entry["known"] is True
        place = _place(entry)
        return OtherLayer(
            str(entry["name"]), str(entry["kind"]), MappingProxyType(stored), dict(entry["config"]), known, place=place, **texts
        )
    described = StoredLayer(
        name=str(entry["name"]),
        origin="keras" if entry["origin"] == "keras" else "pytorch",
        class_name=str(entry["class_name"]),
        cells=tuple(tuple(map(_read_cell, cells)) for cells in entry["cells"]),
        options=None if entry["options"] is None else KerasOptions(**entry["options"]),
        warnings=tuple(map(str, entry["warnings"])),
        mask=str(entry["mask"]),
        arguments=MappingProxyType(dict(entry["arguments"])),
        place=_place(entry),
    )
    check_arguments(described.name, described.arguments)
    fits = described.options is not None if described.origin == "keras" else described.options in (None, BACKWARDS)
    if not fits:
        raise damaged(f"the description of {described.name}", "gives Keras's options to another's layer, or Keras's none")
    if {len(cells) for cells in described.cells} not in ({1}, {2}):
        raise damaged(f"the description of {described.name}", "gives its layers other than one or two directions")
    return _answered(replace(described, cells=_with_arrays(described, left)), given.of(described.name))


def _place(entry: Mapping[str, Any]) -> str:
    """Give where Keras keeps a layer, which files of earlier versions do not say; of a place that none can be, nothing."""
    said = entry.get("place")
    known = isinstance(said, str) and re.fullmatch(r"\w+(/\w+)*", said) and "vars" not in said.split("/")
    return said if isinstance(said, str) and known else ""


def _read_cell(entry: Mapping[str, Any]) -> StoredCell:
    spec = replace(RecurrentSpec(**entry["spec"]), num_layers=1, bidirectional=False)
    rates = KerasOptions(dropout=entry["dropout"], recurrent_dropout=entry["recurrent_dropout"])
    return StoredCell(spec, PYTORCH, {}, rates.dropout, rates.recurrent_dropout)


def _answered(layer: StoredLayer, given: Mapping[str, Any]) -> StoredLayer:
    """Put what the user says in place of what the file says."""
    if not given:
        return layer
    if layer.origin == "pytorch":
        return _answered_module(layer, given)
    rates = {name: given[name] for name in ("dropout", "recurrent_dropout") if name in given}
    cells = tuple(
        tuple(replace(cell, spec=replace(cell.spec, **_meanings(cell.spec, given)), **rates) for cell in row)
        for row in layer.cells
    )
    flags = {name: value for name, value in given.items() if name in KERAS_FLAGS}
    return replace(layer, cells=cells, options=layer.options and replace(layer.options, **flags))


def _answered_module(layer: StoredLayer, given: Mapping[str, Any]) -> StoredLayer:
    arguments = {name: given[name] for name in options_of_layer(layer) if name in given}
    check_arguments(layer.name, arguments)
    meant = {"activation": arguments.pop("nonlinearity")} if "nonlinearity" in arguments else {}
    cells = tuple(tuple(replace(cell, spec=replace(cell.spec, **meant)) for cell in row) for row in layer.cells)
    return replace(layer, cells=cells, arguments=MappingProxyType({**layer.arguments, **arguments}))


def _meanings(spec: RecurrentSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in spec.record.options if name in given}


def _with_arrays(layer: StoredLayer, left: dict[str, StoredArray]) -> tuple[tuple[StoredCell, ...], ...]:
    """Take the arrays of a layer out of those that are left, where they are shaped as its cells say."""
    proj_size = layer.arguments.get("proj_size", 0)
    rows: list[list[StoredCell]] = [[] for _ in layer.cells]
    for index, direction, before, behind in places(layer):
        cell = layer.cells[index][direction]
        arrays = {}
        for name, shape in PYTORCH.shapes(cell.spec, 0, proj_size).items():
            array = left.pop(f"{before}{name}{behind}")
            if array.shape != shape or array.dtype.name != cell.spec.dtype:
                raise damaged(f"{before}{name}{behind}", f"is {array.dtype} of shape {array.shape}, not {shape}")
            arrays[name] = array
        rows[index].append(replace(cell, arrays=MappingProxyType(arrays)))
    return tuple(map(tuple, rows))
