"""What was recorded of a model: where it came from, its recurrent layers, and what they gave there."""

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
    """Inputs of a layer and what it gave for them where it came from; None for what was not recorded.

    Args:
        name: of the case.
        rows: what the rows of the batch are: words, domain names.
        chunks: how many time steps each call got, the states of one call starting the next.
        inputs: (batch, time, input).
        mask: (batch, time), True where the step counts; None for all.
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden); None for zeros.
        output: what the layer returns first: (batch, time, direction * hidden); (batch, hidden) of a Keras layer with
            return_sequences=False, (batch, time, hidden) of directions that are added.
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
    """A trained recurrent layer and what it gave where it came from.

    Args:
        name: of the layer here.
        in_file: its name in the original file, as `open_checkpoint` gives it.
        origin: the framework whose layer it is.
        class_name: of that layer there.
        config: the arguments of its constructor, those that are not its defaults; Bidirectional's inner layer as
            {"class_name", "config"}; `keras2_hard_sigmoid` is what Keras 2 called hard_sigmoid.
        input_size: features of one time step.
        note: what of it is otherwise than in its model; empty where nothing is.
        weights: read-only, by the names of `origin` and in its order: torch's as in its state_dict; Keras's kernel,
            recurrent_kernel, bias, of both directions as forward/kernel and so on. Empty where they are too large to keep.
        mistakes: names of the wrong ports that are worth a look, see `mistakes.MISTAKES`.
        cases: at least one.
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
        """Whether the weights are here."""
        return bool(self.weights)

    @property
    def spec(self) -> RecurrentSpec:
        """What the layer computes, in no framework's terms."""
        inner = self.config.get("layer", {"class_name": self.class_name, "config": self.config})
        given: dict[str, Any] = {"bidirectional": "layer" in self.config, **inner["config"]}
        known = {name: given[name] for name in (each.name for each in fields(RecurrentSpec)) if name in given}
        sizes = {"input_size": self.input_size, "hidden_size": given.get("units", given.get("hidden_size"))}
        return RecurrentSpec(**{**known, **sizes, "cell": _CELLS[inner["class_name"]]})


@dataclass(frozen=True, eq=False)
class RecordedModel(Original):
    """A model whose recurrent layers were recorded, and the file that it came from.

    Args:
        name: of the model here.
        license: SPDX identifier.
        license_file: its text, in `data/`.
        author: as the package names them.
        homepage: of the package.
        subject: what the model is for and what of it was recorded, in a sentence.
        hard: what a port has to mind.
        expected_from: what computed the expected results.
        layers: in the order in which the model runs them.
        architecture: the JSON beside a file of weights, within the package; empty where the file says all.
        options: of all layers, which neither says.
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

    def layer(self, name: str) -> RecordedLayer:
        """Give one layer.

        Raises:
            GatewiseError: when the model has no layer of that name.
        """
        found = {layer.name: layer for layer in self.layers}
        return found[require_known(name, found, f"name of a layer of {self.name}")]


def require_known(name: str, known: Mapping[str, Any], subject: str) -> str:
    """Give the name back, or refuse it."""
    if name not in known:
        raise InvalidValueError.because(
            subject, must=f"be one of {', '.join(known)}", but=f"is {name!r}", remedy="Choose one of them."
        )
    return name
