"""The stored models: what `data/` holds, read as data.

What there is, from where and under which license stands in `data/sources.json`; this module knows
the form and no model by name.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

import numpy as np

from compare.studies.real_models.stored import Slice, StoredCase, StoredLayer, StoredModel, require_known

_DATA = files("compare.studies.real_models") / "data"


_PLAIN_FIELDS = tuple(field.name for field in fields(StoredModel) if field.name not in ("hard", "layers"))


@cache
def load(name: str) -> StoredModel:
    """Load one stored model.

    Raises:
        GatewiseError: when there is no model of that name.
    """
    sources = _sources()
    return _model(sources[require_known(name, sources, "name of a stored model")])


def load_all() -> tuple[StoredModel, ...]:
    """Load every stored model, in the order of sources.json."""
    return tuple(load(name) for name in _sources())


@cache
def _sources() -> Mapping[str, Any]:
    models = json.loads((_DATA / "sources.json").read_text(encoding="utf-8"))["models"]
    return MappingProxyType({model["name"]: model for model in models})


def _model(source: Mapping[str, Any]) -> StoredModel:
    arrays = read_arrays(_DATA / source["arrays"])
    return StoredModel(
        **{field: source[field] for field in _PLAIN_FIELDS},
        hard=tuple(source["hard"]),
        layers=tuple(_layer(layer, arrays) for layer in source["layers"]),
    )


def _layer(source: Mapping[str, Any], arrays: Mapping[str, Any]) -> StoredLayer:
    name, config, slices = source["name"], source["config"], source.get("slices", {})
    kept = {} if slices else {weight: arrays[f"{name}/weights/{weight}"] for weight in source["weights"]}
    return StoredLayer(
        name=name,
        origin=source["origin"],
        class_name=source["class_name"],
        config=MappingProxyType(config),
        input_size=config.get("input_size", source.get("input_size")),
        note=source.get("note", ""),
        weights=MappingProxyType(kept),
        original_names=MappingProxyType(source["weights"]),
        slices=MappingProxyType({weight: _slice(entry) for weight, entry in slices.items()}),
        mistakes=tuple(source["mistakes"]),
        cases=tuple(_case(case, f"{name}/{case['name']}", arrays) for case in source["cases"]),
    )


def _slice(source: Mapping[str, Any]) -> Slice:
    gates = source.get("gates")
    return Slice(source["offset"], tuple(source["shape"]), gates if gates is None else tuple(gates))


def _case(source: Mapping[str, Any], place: str, arrays: Mapping[str, Any]) -> StoredCase:
    inputs = arrays[f"{place}/inputs"]
    start = tuple(arrays[f"{place}/{name}"] for name in ("h_0", "c_0") if f"{place}/{name}" in arrays)
    return StoredCase(
        name=source["name"],
        rows=tuple(source["rows"]),
        chunks=tuple(source.get("chunks", [inputs.shape[1]])),
        inputs=inputs,
        initial_state=start or None,
        output=arrays[f"{place}/output"],
        **{name: arrays.get(f"{place}/{name}") for name in ("mask", "h_n", "c_n")},
    )


def read_arrays(file: Traversable) -> dict[str, Any]:
    """Read an archive of arrays, compressed with xz; they are read-only."""
    content = lzma.decompress(file.read_bytes())
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays
