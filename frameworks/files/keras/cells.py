"""Reading a Keras cell from its config and its arrays in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from frameworks.cells import CELLS, GATES, Cell, CellName, cell_by_gates, cells_by_name
from frameworks.errors import InvalidValueError
from frameworks.files.keras.activations import name_of
from frameworks.files.keras.version import Version
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.derived_arrays import in_single
from frameworks.files.untrusted.source import StoredArray
from frameworks.layouts import CUDNN, KERAS, KERAS1, Layout
from frameworks.spec import RecurrentSpec

_PLAIN = {**cells_by_name("keras"), **cells_by_name("keras", "Cell")}
CLASSES: Mapping[str, CellName] = MappingProxyType(
    {**_PLAIN, **{f"CuDNN{name}": cell for name, cell in _PLAIN.items() if CELLS[cell].gated}}
)
"""The kind of cell of each Keras class: recurrent layers, except RNN, and cells."""

_OTHER_MODEL = "Check that the architecture belongs to this file."


@dataclass(frozen=True)
class Shown:
    """What the shapes of a cell's arrays show."""

    cell: Cell
    inputs: int
    hidden: int
    bias: bool
    layout: Layout


def shown_by(arrays: Sequence[StoredArray]) -> Shown | None:
    """Return what arrays show of a cell, or None if they are not those of a Keras cell.

    Args:
        arrays: kernel, recurrent kernel and bias, if any; or, from Keras 1, these three for each gate in turn.
    """
    if len(arrays) > 3:
        return _shown_by_gates(arrays)
    if len(arrays) < 2 or any(len(array.shape) != 2 for array in arrays[:2]) or 0 in arrays[1].shape:
        return None
    (inputs, columns), (hidden, blocks) = arrays[0].shape, arrays[1].shape
    cell = cell_by_gates(blocks // hidden)
    if cell is None or columns != blocks or blocks % hidden:
        return None
    if len(arrays) == 3 and arrays[2].shape not in _biases(cell, blocks):
        return None
    return Shown(cell, inputs, hidden, len(arrays) == 3, CUDNN if is_folded(arrays) else KERAS)


def _shown_by_gates(arrays: Sequence[StoredArray]) -> Shown | None:
    """Return what one array per gate shows of a cell of Keras 1."""
    count, left = divmod(len(arrays), 3)
    cell = cell_by_gates(count)
    if left or cell is None or cell.name not in KERAS1 or len(arrays[0].shape) != 2 or 0 in arrays[0].shape[1:]:
        return None
    inputs, hidden = arrays[0].shape
    if [array.shape for array in arrays] != [(inputs, hidden), (hidden, hidden), (hidden,)] * count:
        return None
    return Shown(cell, inputs, hidden, bias=True, layout=KERAS1[cell.name])


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
        class_name: "LSTM", "GRUCell", or the name of a custom class, which is read as the cell that its arrays fit.
        config: the config of the layer or the cell.
        arrays: its arrays, see `shown_by`.
        version: the version of Keras that wrote the file.
        given: the user's options for the layer.

    Raises:
        GatewiseError: for arrays that fit no cell, or that contradict the config or the options.
    """
    shown = shown_by(arrays)
    if shown is None:
        observed = f"have the shapes {', '.join(str(array.shape) for array in arrays)}" if arrays else "are missing"
        raise _contradiction(name, f"fit {class_name}", observed, _OTHER_MODEL)
    cell: CellName = CLASSES.get(class_name, shown.cell.name)
    if len(shown.cell.gates) != len(GATES[cell]):
        raise _contradiction(name, f"fit {class_name}", f"have the shapes of {shown.cell.names['keras']}'s", _OTHER_MODEL)
    for option, value in (("units", shown.hidden), ("use_bias", shown.bias)):
        if config.get(option, value) != value:
            raise _contradiction(
                name,
                f"fit {option}={config[option]!r}, as the architecture states",
                f"have the shapes of {option}={value!r}",
                _OTHER_MODEL,
            )
    spec = RecurrentSpec(
        cell=cell,
        input_size=shown.inputs,
        hidden_size=shown.hidden,
        bias=shown.bias,
        dtype=_dtype(name, arrays),
        activation=given.get("activation", name_of(config.get("activation", "tanh"), version)),
        recurrent_activation=_recurrent_activation(cell, config, version, given),
        reset_after=_reset_after(name, cell, config, arrays, given),
    )
    names = [name for each in zip(*_names_by_part(shown.layout, spec), strict=True) for name in each]
    named = dict(zip(names, map(in_single, arrays), strict=True))
    rates = {rate: given.get(rate, config.get(rate) or 0.0) for rate in ("dropout", "recurrent_dropout")}
    return StoredCell(spec, shown.layout, MappingProxyType(named), **rates)


def _names_by_part(layout: Layout, spec: RecurrentSpec) -> Iterator[tuple[str, ...]]:
    """Yield the names of the arrays of each part, in canonical order; a bias that shares an array is left out."""
    parts = layout.parts(spec)
    for part in ("kernel", "recurrent_kernel", *(["bias"] if spec.bias else [])):
        yield tuple(parts[part].gates_by_array(spec.gates))


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
