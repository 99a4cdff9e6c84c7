"""The record of a model: its origin, its recurrent layers, and their results in the original program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from compare.report.studies.originals import Original
from frameworks.cells import CellName, cells_by_name
from frameworks.errors import InvalidValueError
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_CELLS: Mapping[str, CellName] = MappingProxyType({**cells_by_name("keras"), **cells_by_name("pytorch")})


@dataclass(frozen=True, eq=False)
class RecordedCase:
    """Inputs of a layer and its results for them in the original program; None for results that were not recorded.

    Args:
        name: name of the case.
        rows: the meaning of the rows of the batch, such as words or domain names.
        chunks: number of time steps in each call; each call starts from the states of the one before.
        inputs: (batch, time, input).
        mask: (batch, time), True at valid steps; None if all are valid.
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden); None for zeros.
        output: the first result of the layer: (batch, time, direction * hidden); (batch, hidden) from a Keras layer with
            return_sequences=False; (batch, time, hidden) if the directions are added.
        h_n: (layer * direction, batch, hidden).
        c_n: (layer * direction, batch, hidden).
    """

    name: str
    rows: tuple[str, ...]
    chunks: tuple[int, ...]
    inputs: Array
    mask: Mask | None
    initial_state: tuple[Array, ...] | None
    output: Array
    h_n: Array | None
    c_n: Array | None


@dataclass(frozen=True, eq=False)
class RecordedLayer:
    """A trained recurrent layer and its results in the original program.

    Args:
        name: name of the layer in this study.
        in_file: name of the layer in the original file, as `open_checkpoint` shows it.
        origin: the framework of the layer.
        class_name: class of the layer in that framework.
        config: the arguments of its constructor that are not defaults; Bidirectional's inner layer as {"class_name",
            "config"}; `keras2_hard_sigmoid` is the hard_sigmoid of Keras 2.
        input_size: number of features of a time step.
        note: the difference from the layer in the model; empty if there is none.
        weights: read-only, with the names and the order of `origin`: torch's as in its state_dict; Keras's kernel,
            recurrent_kernel and bias, for two directions as forward/kernel and so on. Empty if they are too large to store.
        mistakes: identifiers of the wrong ports that are shown with it, from `mistakes.MISTAKES`.
        cases: the recorded cases, at least one.
    """

    name: str
    in_file: str
    origin: Literal["keras", "pytorch"]
    class_name: str
    config: Mapping[str, Any]
    input_size: int
    note: str
    weights: Mapping[str, Array]
    mistakes: tuple[str, ...]
    cases: tuple[RecordedCase, ...]

    @property
    def kept(self) -> bool:
        """Whether the weights are in this repository."""
        return bool(self.weights)

    @property
    def spec(self) -> RecurrentSpec:
        """The spec of the layer."""
        inner = self.config.get("layer", {"class_name": self.class_name, "config": self.config})
        given: dict[str, Any] = {"bidirectional": "layer" in self.config, **inner["config"]}
        known = {name: given[name] for name in (each.name for each in fields(RecurrentSpec)) if name in given}
        sizes = {"input_size": self.input_size, "hidden_size": given.get("units", given.get("hidden_size"))}
        return RecurrentSpec(**{**known, **sizes, "cell": _CELLS[inner["class_name"]]})


@dataclass(frozen=True, eq=False)
class RecordedModel(Original):
    """A model whose recurrent layers were recorded, and its original file.

    Args:
        name: name of the model in this study.
        license: SPDX identifier of its license.
        license_file: the file in `data/` with the text of the license.
        author: the authors named in the package.
        homepage: homepage of the package.
        subject: the purpose of the model, and the recorded part.
        hard: the difficulty of the port.
        expected_from: the code that computed the expected results.
        layers: the layers, in the order in which the model runs them.
        architecture: path within the package of the JSON beside a file of weights; empty if the file needs none.
        options: what neither file states: values by [NAME.]OPTION, as `--option` of the command line takes them.
    """

    name: str
    license: str
    license_file: str
    author: str
    homepage: str
    subject: str
    hard: tuple[str, ...]
    expected_from: str
    layers: tuple[RecordedLayer, ...]
    architecture: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def options_by_layer(self) -> dict[str | None, dict[str, Any]]:
        """The options as `open_checkpoint` takes them; those under None apply to all layers."""
        by_layer: dict[str | None, dict[str, Any]] = {}
        for place, value in self.options.items():
            name, _, option = place.rpartition(".")
            by_layer.setdefault(name or None, {})[option] = value
        return by_layer

    def layer(self, name: str) -> RecordedLayer:
        """Return one layer.

        Raises:
            GatewiseError: if the model has no layer of that name.
        """
        layers = {layer.name: layer for layer in self.layers}
        return layers[require_known(name, layers, f"name of a layer of {self.name}")]


def require_known(name: str, known: Mapping[str, Any], subject: str) -> str:
    """Return a known name; refuse an unknown one."""
    if name not in known:
        raise InvalidValueError.because(
            subject, must=f"be one of {', '.join(known)}", but=f"is {name!r}", remedy="Choose one of them."
        )
    return name
