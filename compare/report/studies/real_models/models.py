"""The recorded models, read from `data/`.

`data/sources.json` lists the models, their origins and licenses. This module knows its format, and no model by name.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from compare.report.studies.data import data_folder
from compare.report.studies.real_models.recorded import RecordedCase, RecordedLayer, RecordedModel, require_known

_PLAIN_FIELDS = tuple(field.name for field in fields(RecordedModel) if field.name not in ("hard", "layers"))


@cache
def load(name: str) -> RecordedModel:
    """Load one model.

    Raises:
        GatewiseError: if there is no model of that name.
    """
    sources = _sources()
    return _model(sources[require_known(name, sources, "name of a recorded model")])


def load_all() -> tuple[RecordedModel, ...]:
    """Load every model, in the order of sources.json."""
    return tuple(load(name) for name in _sources())


@cache
def _sources() -> Mapping[str, Any]:
    models = json.loads((data_folder("real_models") / "sources.json").read_text(encoding="utf-8"))["models"]
    return MappingProxyType({model["name"]: model for model in models})


def _model(source: Mapping[str, Any]) -> RecordedModel:
    arrays = read_arrays(data_folder("real_models") / source["arrays"])
    return RecordedModel(
        **{name: source[name] for name in _PLAIN_FIELDS if name in source},
        hard=tuple(source["hard"]),
        layers=tuple(_layer(layer, arrays) for layer in source["layers"]),
    )


def _layer(source: Mapping[str, Any], arrays: Mapping[str, Any]) -> RecordedLayer:
    name, config = source["name"], source["config"]
    places = {weight: f"{name}/weights/{weight}" for weight in source["weights"]}
    return RecordedLayer(
        name=name,
        in_file=source.get("in_file", name),
        origin=source["origin"],
        class_name=source["class_name"],
        config=MappingProxyType(config),
        input_size=config.get("input_size", source.get("input_size")),
        note=source.get("note", ""),
        weights=MappingProxyType({weight: arrays[place] for weight, place in places.items() if place in arrays}),
        mistakes=tuple(source["mistakes"]),
        cases=tuple(_case(case, f"{name}/{case['name']}", arrays) for case in source["cases"]),
    )


def _case(source: Mapping[str, Any], place: str, arrays: Mapping[str, Any]) -> RecordedCase:
    inputs = arrays[f"{place}/inputs"]
    start = tuple(arrays[f"{place}/{name}"] for name in ("h_0", "c_0") if f"{place}/{name}" in arrays)
    return RecordedCase(
        name=source["name"],
        rows=tuple(source["rows"]),
        chunks=tuple(source.get("chunks", [inputs.shape[1]])),
        inputs=inputs,
        initial_state=start or None,
        output=arrays[f"{place}/output"],
        **{name: arrays.get(f"{place}/{name}") for name in ("mask", "h_n", "c_n")},
    )


def read_arrays(file: Path) -> dict[str, Any]:
    """Read an archive of arrays that is compressed with xz. The arrays are read-only."""
    content = lzma.decompress(file.read_bytes())
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays
