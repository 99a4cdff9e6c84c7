"""From the config of a Keras cell and the arrays that a file has of it to what the cell computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from frameworks.activations import ACTIVATIONS, KERAS2_NAMES
from frameworks.errors import InvalidValueError
from frameworks.files.source import StoredArray
from frameworks.files.stored import StoredCell
from frameworks.files.views import widened
from frameworks.layouts import CUDNN, KERAS, Layout
from frameworks.spec import GATES, CellName, RecurrentSpec

_LAYERS: Mapping[str, CellName] = {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru", "CuDNNLSTM": "lstm", "CuDNNGRU": "gru"}
CELLS: Mapping[str, CellName] = MappingProxyType({**_LAYERS, **{f"{name}Cell": cell for name, cell in _LAYERS.items()}})
"""Keras's own layers of one cell, and the cells."""

_ALIASES: Mapping[str, str] = MappingProxyType({"swish": "silu", "hard_swish": "hard_silu"})
_BY_GATES: Mapping[int, CellName] = MappingProxyType({1: "rnn", 3: "gru", 4: "lstm"})


@dataclass(frozen=True)
class Version:
    """The version of Keras that wrote a file, as the file says it: "2.2.4-tf", "3.15.1", or "" where it does not."""

    text: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its numbers, (0,) where there are none."""
        parts = self.text.partition("-")[0].split(".")
        return tuple(int(part) for part in parts if part.isdecimal() and len(part) < 6) or (0,)

    @property
    def is_keras2(self) -> bool:
        """Whether it is from before Keras 3; a file that says nothing is."""
        return self.numbers < (3,)


def version_of(architecture: Mapping[str, Any] | None) -> Version:
    """Give the version that wrote an architecture: Keras 2 says it, and Keras 3 is known by naming a module for each class."""
    if architecture is None:
        return Version("")
    said = architecture.get("keras_version")
    return Version(said if isinstance(said, str) else "3" * ("module" in architecture))


def is_recurrent(arrays: Sequence[StoredArray]) -> bool:
    """Tell whether arrays have the shapes of a cell's kernel, recurrent kernel and, where there is a third, bias."""
    if len(arrays) not in (2, 3) or any(len(array.shape) != 2 for array in arrays[:2]) or 0 in arrays[1].shape:
        return False
    (_, columns), (hidden, blocks) = arrays[0].shape, arrays[1].shape
    cell = _BY_GATES.get(blocks // hidden)
    if cell is None or columns != blocks or blocks % hidden:
        return False
    return len(arrays) == 2 or arrays[2].shape in _biases(cell, blocks)


def _biases(cell: CellName, blocks: int) -> list[tuple[int, ...]]:
    """Give the shapes that a bias may have: Keras's, CuDNN's, and that of a GRU that resets after the product."""
    return [(blocks,), *[(2 * blocks,)] * (cell != "rnn"), *[(2, blocks)] * (cell == "gru")]


def is_folded(arrays: Sequence[StoredArray]) -> bool:
    """Tell whether the arrays of a cell are in CuDNN's layout, as their bias shows."""
    return len(arrays) == 3 and arrays[2].shape == (2 * arrays[1].shape[1],)


def odd_activation(config: Mapping[str, Any], version: Version, answers: Mapping[str, Any]) -> str:
    """Name the argument of a cell that is a function without a name here, unless the user said what stands for it."""
    said = [name for name in ("activation", "recurrent_activation") if name in config and name not in answers]
    return next((name for name in said if _activation(config[name], version) not in ACTIVATIONS), "")


def read_cell(
    name: str,
    class_name: str,
    config: Mapping[str, Any],
    arrays: Sequence[StoredArray],
    version: Version,
    answers: Mapping[str, Any],
) -> StoredCell:
    """Read what a cell computes.

    Args:
        name: of the layer, for messages.
        class_name: "LSTM", "GRUCell", a subclass's name.
        config: of the layer or the cell.
        arrays: kernel, recurrent kernel and bias, if any.
        version: of the Keras that wrote the file.
        answers: what the user says of the layer.

    Raises:
        GatewiseError: for arrays that are no cell's, or not those that the config or the answers describe.
    """
    if not is_recurrent(arrays):
        shapes = ", ".join(str(array.shape) for array in arrays) or "nothing"
        raise _contradiction(name, f"be the weights of a {class_name}", f"are {shapes}", "Is the architecture another model's?")
    (inputs, _), (hidden, blocks) = arrays[0].shape, arrays[1].shape
    cell = CELLS.get(class_name, _BY_GATES[blocks // hidden])
    if len(GATES[cell]) * hidden != blocks:
        found = _BY_GATES[blocks // hidden]
        raise _contradiction(name, f"be those of a {class_name}", f"are shaped as a {found}'s", "Is it another model's?")
    for option, value in (("units", hidden), ("use_bias", len(arrays) == 3)):
        if config.get(option, value) != value:
            raise _contradiction(
                name,
                f"have {option}={config[option]!r}, as the file says",
                f"are shaped for {value!r}",
                "Is it another model's?",
            )
    layout: Layout = CUDNN if is_folded(arrays) else KERAS
    spec = RecurrentSpec(
        cell=cell,
        input_size=inputs,
        hidden_size=hidden,
        bias=len(arrays) == 3,
        dtype=_dtype(name, arrays),
        activation=answers.get("activation", _activation(config.get("activation", "tanh"), version)),
        recurrent_activation=_recurrent_activation(cell, config, version, answers),
        reset_after=_reset_after(name, cell, config, arrays, answers),
    )
    named = dict(zip(("kernel", "recurrent_kernel", "bias"), map(_in_single, arrays), strict=False))
    rates = {rate: answers.get(rate, config.get(rate) or 0.0) for rate in ("dropout", "recurrent_dropout")}
    return StoredCell(spec, layout, MappingProxyType(named), **rates)


def _dtype(name: str, arrays: Sequence[StoredArray]) -> Any:
    (dtype, *others) = dict.fromkeys(_in_single(array).dtype.name for array in arrays)
    if others or dtype not in ("float32", "float64"):
        raise _contradiction(
            name,
            "be float32 or float64, or float16 or bfloat16, which float32 holds",
            f"are {', '.join([dtype, *others])}",
            "Save the model in one of them",
        )
    return dtype


def _in_single(array: StoredArray) -> StoredArray:
    return widened(array, "float16") if array.dtype.name == "float16" else array


def policy_of(config: Mapping[str, Any]) -> str:
    """Name the dtype policy of a cell, "" where its config has none; Keras writes a name alone, or a policy object."""
    said = config.get("dtype")
    if isinstance(said, Mapping):
        inner = said.get("config")
        said = inner.get("name") if isinstance(inner, Mapping) else None
    return said if isinstance(said, str) else ""


def _recurrent_activation(cell: CellName, config: Mapping[str, Any], version: Version, answers: Mapping[str, Any]) -> str:
    if cell == "rnn":
        return "sigmoid"
    given: str = answers.get("recurrent_activation", "")
    return given or _activation(config.get("recurrent_activation", "sigmoid"), version)


def _activation(value: Any, version: Version) -> str:
    """Name an activation as `frameworks.activations` does; one that has no name there keeps the file's."""
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        if value.get("registered_name") == "gatewise>OfFamily" and isinstance(value.get("config"), Mapping):
            return str(value["config"].get("name"))
        package, _, own = str(value.get("config")).rpartition(">")
        return own if package == "gatewise" else words_of(value)
    package, _, name = str(value).rpartition(">")
    renamed = KERAS2_NAMES if version.is_keras2 else _ALIASES
    return {**_ALIASES, **renamed}.get(name, name) if package in ("", "gatewise") else str(value)


def words_of(activation: Any) -> str:
    """Say what an activation is that has no name here: a function or a layer of its own, or a lambda's code."""
    if not isinstance(activation, Mapping):
        return repr(activation)[:100]
    if isinstance(activation.get("config"), str):
        return f"the file's own function {activation['config'][:100]!r}"
    kind = str(activation.get("class_name", "__lambda__"))
    return "the code of a lambda, which is not run" if kind == "__lambda__" else f"a layer {kind[:100]}"


def _reset_after(
    name: str, cell: CellName, config: Mapping[str, Any], arrays: Sequence[StoredArray], answers: Mapping[str, Any]
) -> bool:
    if cell != "gru":
        return True
    said = answers.get("reset_after", config.get("reset_after"))
    if len(arrays) == 2:
        return bool(said)
    shown = is_folded(arrays) or len(arrays[2].shape) == 2
    if said is not None and bool(said) != shown:
        raise _contradiction(
            name,
            f"fit reset_after={bool(said)}",
            f"have a bias of shape {arrays[2].shape}, which is reset_after={shown}'s",
            "Leave the option out: the bias shows it.",
        )
    return shown


def _contradiction(name: str, must: str, but: str, remedy: str) -> InvalidValueError:
    return InvalidValueError.because(f"the weights of {name}", must=must, but=but, remedy=remedy)
