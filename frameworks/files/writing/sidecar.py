"""The JSON that describes weights in torch's layout: the spec, options and kind of each layer in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from frameworks.errors import GatewiseError, InvalidValueError
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
    """Return the JSON that describes layers.

    Args:
        layers: the layers, in order.
        names: for each non-recurrent layer, its arrays' names in the layer and, as values, in the file.
        kinds: for each non-recurrent layer, its kind in the file.
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
        "assumed": sorted(layer.assumed),
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
        "assumed": sorted(layer.assumed),
    }


def read_described(text: str | bytes, arrays: Mapping[str, StoredArray], file: str, given: GivenOptions) -> list[Layer]:
    """Read the layers of a file that describes its arrays. Arrays without a description come last, under "".

    Args:
        text: the JSON.
        arrays: all arrays of the file, by name.
        file: the file's name in messages.
        given: the user's options, which override the file.

    Raises:
        GatewiseError: for an invalid description, or one that does not fit the arrays.
    """
    name = f"the description in {file}"
    description = read_json(text, name)
    if description.get("version") != VERSION:
        raise InvalidValueError.because(
            name,
            must=f"have version {VERSION}",
            but=f"has version {str(description.get('version'))[:100]}",
            remedy="Read the file with the version of gatewise that wrote it.",
        )
    left = dict(arrays)
    try:
        layers: list[Layer] = [_read_layer(entry, left, given) for entry in description["layers"]]
    except GatewiseError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise damaged(name, f"does not describe the arrays: {type(error).__name__} {str(error)[:200]}") from error
    if left:
        layers.append(OtherLayer("", stored=left, warnings=("these arrays belong to no layer.",)))
    return layers


def _read_layer(entry: Mapping[str, Any], left: dict[str, StoredArray], given: GivenOptions) -> Layer:
    if "cells" not in entry:
        stored = {str(name): left.pop(place) for name, place in entry["arrays"].items()}
        texts = {name: tuple(map(str, entry[name])) for name in ("wrappers", "warnings")}
        known = entry["known"] is True
        return OtherLayer(
            str(entry["name"]),
            str(entry["kind"]),
            MappingProxyType(stored),
            dict(entry["config"]),
            known,
            place=_place(entry),
            assumed=_assumed(entry),
            **texts,
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
        assumed=_assumed(entry, given.of(str(entry["name"]))),
    )
    check_arguments(described.name, described.arguments)
    fits = described.options is not None if described.origin == "keras" else described.options in (None, BACKWARDS)
    if not fits:
        raise damaged(f"the description of {described.name}", f"does not have the options of a {described.origin} layer")
    if {len(cells) for cells in described.cells} not in ({1}, {2}):
        raise damaged(f"the description of {described.name}", "does not have one direction in every layer, or two")
    return _override(replace(described, cells=_with_arrays(described, left)), given.of(described.name))


def _assumed(entry: Mapping[str, Any], given: Mapping[str, Any] = MappingProxyType({})) -> frozenset[str]:
    """Return the options that the source did not state, apart from those given by the user; older files list none."""
    stated = {"activation" if name == "nonlinearity" else name for name in given}
    return frozenset(map(str, entry.get("assumed", ()))) - stated


def _place(entry: Mapping[str, Any]) -> str:
    """Return the place where Keras stores a layer; "" if it is invalid or, as in older files, missing."""
    place = entry.get("place")
    known = isinstance(place, str) and re.fullmatch(r"\w+(/\w+)*", place) and "vars" not in place.split("/")
    return place if isinstance(place, str) and known else ""


def _read_cell(entry: Mapping[str, Any]) -> StoredCell:
    spec = replace(RecurrentSpec(**entry["spec"]), num_layers=1, bidirectional=False)
    rates = KerasOptions(dropout=entry["dropout"], recurrent_dropout=entry["recurrent_dropout"])
    return StoredCell(spec, PYTORCH, {}, rates.dropout, rates.recurrent_dropout)


def _override(layer: StoredLayer, given: Mapping[str, Any]) -> StoredLayer:
    """Override the options in the file with those of the user."""
    if not given:
        return layer
    if layer.origin == "pytorch":
        return _override_module(layer, given)
    rates = {name: given[name] for name in ("dropout", "recurrent_dropout") if name in given}
    cells = tuple(
        tuple(replace(cell, spec=replace(cell.spec, **_cell_options(cell.spec, given)), **rates) for cell in row)
        for row in layer.cells
    )
    flags = {name: value for name, value in given.items() if name in KERAS_FLAGS}
    return replace(layer, cells=cells, options=layer.options and replace(layer.options, **flags))


def _override_module(layer: StoredLayer, given: Mapping[str, Any]) -> StoredLayer:
    arguments = {name: given[name] for name in options_of_layer(layer) if name in given and name != "cell"}
    check_arguments(layer.name, arguments)
    changes = {"activation": arguments.pop("nonlinearity")} if "nonlinearity" in arguments else {}
    cells = tuple(tuple(replace(cell, spec=replace(cell.spec, **changes)) for cell in row) for row in layer.cells)
    return replace(layer, cells=cells, arguments=MappingProxyType({**layer.arguments, **arguments}))


def _cell_options(spec: RecurrentSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in spec.record.options if name in given}


def _with_arrays(layer: StoredLayer, left: dict[str, StoredArray]) -> tuple[tuple[StoredCell, ...], ...]:
    """Return the cells of a layer with their arrays, which are removed from `left`, after checking the shapes."""
    proj_size = layer.arguments.get("proj_size", 0)
    rows: list[list[StoredCell]] = [[] for _ in layer.cells]
    for index, direction, before, behind in places(layer):
        cell = layer.cells[index][direction]
        arrays = {}
        for name, shape in PYTORCH.shapes(cell.spec, 0, proj_size).items():
            array = left.pop(f"{before}{name}{behind}")
            if array.shape != shape or array.dtype.name != cell.spec.dtype:
                expected = f"{cell.spec.dtype} of shape {shape}"
                raise damaged(f"{before}{name}{behind}", f"is {array.dtype} of shape {array.shape}, not {expected}")
            arrays[name] = array
        rows[index].append(replace(cell, arrays=MappingProxyType(arrays)))
    return tuple(map(tuple, rows))
