"""What is stored of a model: where it came from, its recurrent layers, and what they gave there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError
from frameworks.spec import CellName, RecurrentSpec

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_CELLS: Mapping[str, CellName] = MappingProxyType({"SimpleRNN": "rnn", "RNN": "rnn", "LSTM": "lstm", "GRU": "gru"})


@dataclass(frozen=True, eq=False)
class StoredCase:
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


@dataclass(frozen=True)
class Slice:
    """Where an array of float32 lies in an original file.

    Args:
        offset: its first byte.
        shape: the gates one after the other along the first axis, where `gates` is given.
        gates: which of the file's gates each of the layer's is; None where they lie in the same order.
    """

    offset: int
    shape: tuple[int, ...]
    gates: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A trained recurrent layer and what it gave where it came from.

    Args:
        name: of the layer in its model.
        origin: the framework whose layer it is.
        class_name: of that layer there.
        config: the arguments of its constructor, those that are not its defaults; Bidirectional's inner layer as
            {"class_name", "config"}; `keras2_hard_sigmoid` is what Keras 2 called hard_sigmoid.
        input_size: features of one time step.
        note: what of it is otherwise than in the original file; empty where nothing is.
        weights: read-only, by the names of `origin` and in its order: torch's as in its state_dict; Keras's kernel,
            recurrent_kernel, bias, of both directions as forward/kernel and so on. Empty where they are too large to keep.
        original_names: of the weights in the original file, by their names here.
        slices: of weights that are not kept: where they lie in the original file.
        mistakes: names of the wrong ports that are worth a look, see `mistakes.MISTAKES`.
        cases: at least one.
    """

    name: str
    origin: Literal["keras", "pytorch"]
    class_name: str
    config: Mapping[str, Any]
    input_size: int
    note: str
    weights: Mapping[str, Array]
    original_names: Mapping[str, str]
    slices: Mapping[str, Slice]
    mistakes: tuple[str, ...]
    cases: tuple[StoredCase, ...]

    @property
    def kept(self) -> bool:
        """Whether the weights are here."""
        return bool(self.weights)

    @property
    def spec(self) -> RecurrentSpec:
        """What the layer computes, in no framework's terms."""
        inner = self.config.get("layer", {"class_name": self.class_name, "config": self.config})
        given: dict[str, Any] = {"bidirectional": "layer" in self.config, **inner["config"]}
        known = {name: given[name] for name in (field.name for field in fields(RecurrentSpec)) if name in given}
        sizes = {"input_size": self.input_size, "hidden_size": given.get("units", given.get("hidden_size"))}
        return RecurrentSpec(**{**known, **sizes, "cell": _CELLS[inner["class_name"]]})


@dataclass(frozen=True)
class Original:
    """A file that a package ships.

    Args:
        package: that ships it.
        version: of the package.
        archive: the file that the package is distributed as.
        file: the original file, within the package.
        sha256: of the original file.
    """

    package: str
    version: str
    archive: str
    file: str
    sha256: str


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model whose recurrent layers are stored, and where it came from.

    Args:
        name: of the model here.
        package: that ships it.
        version: of the package.
        license: SPDX identifier.
        license_file: its text, in `data/`.
        author: as the package names them.
        homepage: of the package.
        archive: the file that the package is distributed as.
        archive_sha256: of the archive.
        file: the original file, within the package.
        sha256: of the original file.
        subject: what the model is for and what of it is stored, in a sentence.
        hard: what a port has to mind.
        expected_from: what computed the expected results.
        layers: in the order in which the model runs them.
    """

    name: str
    package: str
    version: str
    license: str
    license_file: str
    author: str
    homepage: str
    archive: str
    archive_sha256: str
    file: str
    sha256: str
    subject: str
    hard: tuple[str, ...]
    expected_from: str
    layers: tuple[StoredLayer, ...]

    @property
    def original(self) -> Original:
        """Where the weights came from."""
        return Original(**{field.name: getattr(self, field.name) for field in fields(Original)})

    def layer(self, name: str) -> StoredLayer:
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
