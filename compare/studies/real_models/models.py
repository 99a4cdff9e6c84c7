"""The stored models: what `data/` holds, read as data.

What there is, from where and under which license stands in `data/sources.json`; this module knows
the form and no model by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.float32]

_DATA = files("compare.studies.real_models") / "data"
_EXPECTED = ("output", "last_output", "h_n", "c_n")


@dataclass(frozen=True)
class StoredCase:
    """Inputs of a layer and what it gave for them where it came from; None for what was not recorded.

    Args:
        name: of the case.
        rows: what the rows of the batch are: words, domain names.
        inputs: (batch, time, input).
        output: (batch, time, direction * hidden).
        last_output: (batch, hidden), of a Keras layer with return_sequences=False.
        h_n: (layer * direction, batch, hidden).
        c_n: (layer * direction, batch, hidden).
    """

    name: str
    rows: tuple[str, ...]
    inputs: Array
    output: Array | None
    last_output: Array | None
    h_n: Array | None
    c_n: Array | None


@dataclass(frozen=True)
class StoredModel:
    """A trained recurrent layer, where it came from, and what it gave there.

    Args:
        name: of the model here.
        package: that ships it.
        version: of the package.
        license: SPDX identifier.
        author: as the package names them.
        homepage: of the package.
        file: the original file, within the package.
        sha256: of the original file.
        subject: what the model is for and what of it is stored, in a sentence.
        origin: the framework whose layout the weights have.
        expected_from: what computed the expected results.
        spec: what the layer computes.
        weights: read-only, by the names of `origin` and shaped as there; torch's as in its state_dict.
        original_names: of the weights in the original file, by their names here.
        cases: at least one.
    """

    name: str
    package: str
    version: str
    license: str
    author: str
    homepage: str
    file: str
    sha256: str
    subject: str
    origin: Literal["keras", "pytorch"]
    expected_from: str
    spec: RecurrentSpec
    weights: Mapping[str, Array]
    original_names: Mapping[str, str]
    cases: tuple[StoredCase, ...]


_PLAIN_FIELDS = (
    "name",
    "package",
    "version",
    "license",
    "author",
    "homepage",
    "file",
    "sha256",
    "subject",
    "origin",
    "expected_from",
)


def load(name: str) -> StoredModel:
    """Load one stored model.

    Raises:
        GatewiseError: when there is no model of that name.
    """
    sources = _sources()
    if name not in sources:
        raise InvalidValueError.because(
            "name of a stored model", must=f"be one of {', '.join(sources)}", but=f"is {name!r}", remedy="Choose one of them."
        )
    return _model(sources[name])


def load_all() -> tuple[StoredModel, ...]:
    """Load every stored model, in the order of sources.json."""
    return tuple(_model(source) for source in _sources().values())


def _sources() -> dict[str, dict[str, Any]]:
    models = json.loads((_DATA / "sources.json").read_text(encoding="utf-8"))["models"]
    return {model["name"]: model for model in models}


def _model(source: Mapping[str, Any]) -> StoredModel:
    arrays = _arrays(source["arrays"])
    return StoredModel(
        **{field: source[field] for field in _PLAIN_FIELDS},
        spec=RecurrentSpec(**source["spec"]),
        weights=MappingProxyType({name: arrays[f"weights/{name}"] for name in source["weights"]}),
        original_names=MappingProxyType(dict(source["weights"])),
        cases=tuple(_case(case, arrays) for case in source["cases"]),
    )


def _case(case: Mapping[str, Any], arrays: Mapping[str, Array]) -> StoredCase:
    name = case["name"]
    expected = {key: arrays.get(f"{name}/{key}") for key in _EXPECTED}
    return StoredCase(name=name, rows=tuple(case["rows"]), inputs=arrays[f"{name}/inputs"], **expected)


def _arrays(file: str) -> dict[str, Array]:
    with (_DATA / file).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays
