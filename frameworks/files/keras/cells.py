"""Reading a Keras cell from its config and its arrays in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from frameworks.cells import CELLS, GATES, Cell, CellName, cell_by_gates, cells_by_name
from frameworks.errors import InvalidValueError
from frameworks.files.keras.activations import name_of
from frameworks.files.keras.version import Version
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.derived_arrays import in_single
from frameworks.files.untrusted.source import StoredArray
from frameworks.layouts import CUDNN, KERAS, Layout
from frameworks.spec import RecurrentSpec

_PLAIN = {**cells_by_name("keras"), **cells_by_name("keras", "Cell")}
CLASSES: Mapping[str, CellName] = MappingProxyType(
    {**_PLAIN, **{f"CuDNN{name}": cell for name, cell in _PLAIN.items() if CELLS[cell].gated}}
)
"""The kind of cell of each Keras class: recurrent layers, except RNN, and cells."""

_OTHER_MODEL = "Check that the architecture belongs to this file."


def is_recurrent(arrays: Sequence[StoredArray]) -> bool:
    """Return whether arrays have the shapes of a kernel, a recurrent kernel and an optional bias."""
    if len(arrays) not in (2, 3) or any(len(array.shape) != 2 for array in arrays[:2]) or 0 in arrays[1].shape:
        return False
    (_, columns), (hidden, blocks) = arrays[0].shape, arrays[1].shape
    cell = cell_by_gates(blocks // hidden)
    if cell is None or columns != blocks or blocks % hidden:
        return False
    return len(arrays) == 2 or arrays[2].shape in _biases(cell, blocks)


def _biases(cell: Cell, blocks: int) -> list[tuple[int, ...]]:
    """Return the shapes that a bias may have: Keras's, CuDNN's, and that of a GRU with reset_after=True."""
    shapes: list[tuple[int, ...]] = [(blocks,)]
    if cell.gated:
        shapes.append((2 * blocks,))
    if cell.biases_act_apart:
        shapes.append((2, blocks))
    return shapes


def is_folded(arrays: Sequence[StoredArray]) -> bool:
    """Return whether the bias has the shape of CuDNN's layout."""
    return len(arrays) == 3 and arrays[2].shape == (2 * arrays[1].shape[1],)


def read_cell(
    name: str,
    class_name: str,
    config: Mapping[str, Any],
    arrays: Sequence[StoredArray],
    version: Version,
    given: Mapping[str, Any],
) -> StoredCell:
    """Read a cell.

    Args:
        name: the layer's name in messages.
        class_name: "LSTM", "GRUCell", or the name of a subclass.
        config: the config of the layer or the cell.
        arrays: kernel, recurrent kernel and bias, if any.
        version: the version of Keras that wrote the file.
        given: the user's options for the layer.

    Raises:
        GatewiseError: for arrays that fit no cell, or that contradict the config or the options.
    """
    if not is_recurrent(arrays):
        observed = f"have the shapes {', '.join(str(array.shape) for array in arrays)}" if arrays else "are missing"
        raise _contradiction(name, f"fit a {class_name}", observed, _OTHER_MODEL)
    (inputs, _), (hidden, blocks) = arrays[0].shape, arrays[1].shape
    shown: Any = cell_by_gates(blocks // hidden)
    cell: CellName = CLASSES.get(class_name, shown.name)
    if len(GATES[cell]) * hidden != blocks:
        raise _contradiction(name, f"fit a {class_name}", f"have the shapes of a {shown.name}'s", _OTHER_MODEL)
    for option, value in (("units", hidden), ("use_bias", len(arrays) == 3)):
        if config.get(option, value) != value:
            raise _contradiction(
                name,
                f"fit {option}={config[option]!r}, as the architecture states",
                f"have the shapes of {option}={value!r}",
                _OTHER_MODEL,
            )
    layout: Layout = CUDNN if is_folded(arrays) else KERAS
    spec = RecurrentSpec(
        cell=cell,
        input_size=inputs,
        hidden_size=hidden,
        bias=len(arrays) == 3,
        dtype=_dtype(name, arrays),
        activation=given.get("activation", name_of(config.get("activation", "tanh"), version)),
        recurrent_activation=_recurrent_activation(cell, config, version, given),
        reset_after=_reset_after(name, cell, config, arrays, given),
    )
    named = dict(zip(("kernel", "recurrent_kernel", "bias"), map(in_single, arrays), strict=False))
    rates = {rate: given.get(rate, config.get(rate) or 0.0) for rate in ("dropout", "recurrent_dropout")}
    return StoredCell(spec, layout, MappingProxyType(named), **rates)


def _dtype(name: str, arrays: Sequence[StoredArray]) -> Any:
    (dtype, *others) = dict.fromkeys(in_single(array).dtype.name for array in arrays)
    if others or dtype not in ("float32", "float64"):
        raise _contradiction(
            name,
            "be float64, float32, float16 or bfloat16",
            f"are {', '.join([dtype, *others])}",
            "Save the model in one of these.",
        )
    return dtype


def policy_of(config: Mapping[str, Any]) -> str:
    """Return the name of a cell's dtype policy; "" if its config has none. Keras writes a name or a policy object."""
    policy = config.get("dtype")
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        policy = inner.get("name") if isinstance(inner, Mapping) else None
    return policy if isinstance(policy, str) else ""


def _recurrent_activation(cell: CellName, config: Mapping[str, Any], version: Version, given: Mapping[str, Any]) -> str:
    if "recurrent_activation" not in CELLS[cell].options:
        return "sigmoid"
    chosen: str = given.get("recurrent_activation", "")
    return chosen or name_of(config.get("recurrent_activation", "sigmoid"), version)


def _reset_after(
    name: str, cell: CellName, config: Mapping[str, Any], arrays: Sequence[StoredArray], given: Mapping[str, Any]
) -> bool:
    if "reset_after" not in CELLS[cell].options:
        return True
    stated = given.get("reset_after", config.get("reset_after"))
    if len(arrays) == 2:
        return bool(stated)
    shown = is_folded(arrays) or len(arrays[2].shape) == 2
    if stated is not None and bool(stated) != shown:
        raise _contradiction(
            name,
            f"fit reset_after={bool(stated)}",
            f"have a bias of shape {arrays[2].shape}, which means reset_after={shown}",
            "Leave the option out: the bias shows it.",
        )
    return shown


def _contradiction(name: str, must: str, but: str, remedy: str) -> InvalidValueError:
    return InvalidValueError.because(f"the weights of {name}", must=must, but=but, remedy=remedy)
