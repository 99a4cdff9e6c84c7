"""Layers of TensorFlow 1: cells that `dynamic_rnn` and its like run, read as Keras layers that compute the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from frameworks.cells import CELLS
from frameworks.errors import InvalidValueError
from frameworks.files.given_options import KERAS_FLAGS, GivenOptions
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.tensorflow.cells import CLASSES, CellClass, FoundCell, FoundLayer
from frameworks.files.untrusted.derived_arrays import in_single
from frameworks.files.untrusted.source import StoredArray
from frameworks.layouts import tensorflow1
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec

_EXTRA = {
    "w_f_diag": "it has peepholes",
    "w_i_diag": "it has peepholes",
    "w_o_diag": "it has peepholes",
    "projection/kernel": "it projects its hidden state",
}
"""What arrays show that no cell of Keras has."""
_KERNELS = {"gru": ("candidate/kernel", 1), "lstm": ("kernel", 4), "rnn": ("kernel", 1)}
"""The kernel that shows the sizes of a cell, and how many gates it has."""


def read_cells(found: Sequence[FoundLayer], given: GivenOptions) -> Iterator[StoredLayer | OtherLayer]:
    """Yield the layers that these cells make up, as recurrent ones where gatewise knows the cells.

    Args:
        found: the cells, by layer.
        given: the user's options.

    Raises:
        GatewiseError: for options that a layer cannot have.
    """
    return (_read_one(layer, given.of(layer.name)) for layer in found)


def _read_one(layer: FoundLayer, given: Mapping[str, Any]) -> StoredLayer | OtherLayer:
    try:
        return _read(layer, given)
    except NotUnderstoodError as why:
        cells = [cell for column in layer.cells.values() for cell in column.values()]
        arrays = {name: array for cell in cells for name, array in zip(cell.names, cell.arrays.values(), strict=True)}
        kinds = dict.fromkeys(CLASSES[cell.scope].name if cell.scope in CLASSES else cell.scope for cell in cells)
        return OtherLayer(layer.name, ", ".join(kinds), MappingProxyType(arrays), warnings=(why.warning,))


def _read(layer: FoundLayer, given: Mapping[str, Any]) -> StoredLayer:
    ways = [layer.cells[way] for way in ("", "fw", "bw") if way in layer.cells]
    if any(sorted(column) != list(range(len(ways[0]))) for column in ways):
        raise NotUnderstoodError("the cells of its stack are not numbered from 0 without a gap, in each direction")
    if sorted(layer.cells) not in ([""], ["bw", "fw"]):
        raise NotUnderstoodError("it has only one of two directions")
    columns = [[column[place] for place in range(len(column))] for column in ways]
    classes = [_class_of(cell) for column in columns for cell in column]
    cells = tuple(zip(*([_read_cell(layer.name, cell, given) for cell in column] for column in columns), strict=True))
    names = list(dict.fromkeys(each.name for each in classes))
    stated = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    merge = {"merge_mode": "concat"} if len(ways) == 2 else {}
    chosen = {name: value for name, value in given.items() if name in KERAS_FLAGS}
    options = {name for row in cells for cell in row for name in cell.spec.record.options} - {"reset_after"}
    return StoredLayer(
        name=layer.name,
        origin="keras",
        class_name=names[0] if len(names) == 1 else ", ".join(names),
        cells=cells,
        options=KerasOptions(**{**stated, **merge, **chosen}, nesting="cells" if layer.stacked else "layers"),
        warnings=tuple(_assumptions(cells, classes, given)),
        assumed=frozenset({*KERAS_FLAGS, *options} - given.keys()),
    )


def _class_of(cell: FoundCell) -> CellClass:
    """Return the class of a cell.

    Raises:
        NotUnderstoodError: for a class, or an option of one, that no Keras cell computes.
    """
    if cell.scope not in CLASSES:
        raise NotUnderstoodError(f"its cell {cell.scope} is not one of those of TensorFlow 1 that gatewise knows")
    extra = [name for name in cell.arrays if name in _EXTRA]
    if extra:
        reasons = dict.fromkeys(_EXTRA[name] for name in extra)
        raise NotUnderstoodError(f"{' and '.join(reasons)} ({', '.join(extra)}), which no Keras or torch layer computes")
    return CLASSES[cell.scope]


def _read_cell(name: str, cell: FoundCell, given: Mapping[str, Any]) -> StoredCell:
    own = CLASSES[cell.scope]
    kernel, gates = _KERNELS[own.cell]
    shape = cell.arrays[kernel].shape if kernel in cell.arrays else ()
    hidden, left = divmod(shape[1], gates) if len(shape) == 2 else (0, 0)
    if not hidden or left or shape[0] <= hidden:
        raise _misfit(own, cell)
    layout = tensorflow1(own.cell, _forget_bias(name, own, given))
    arrays = {each: in_single(array) for each, array in cell.arrays.items()}
    dtypes = {array.dtype.name for array in arrays.values()}
    spec = RecurrentSpec(
        cell=own.cell,
        input_size=shape[0] - hidden,
        hidden_size=hidden,
        dtype="float64" if dtypes == {"float64"} else "float32",
        activation=given.get("activation", "tanh"),
        recurrent_activation=given.get("recurrent_activation", "sigmoid"),
        reset_after="reset" not in CELLS[own.cell].gates,
    )
    expected = layout.shapes(spec, 0)
    if {each: array.shape for each, array in arrays.items()} != expected or not dtypes <= {spec.dtype}:
        raise _misfit(own, cell)
    return StoredCell(spec, layout, MappingProxyType({each: arrays[each] for each in expected}))


def _misfit(own: CellClass, cell: FoundCell) -> NotUnderstoodError:
    listed = ", ".join(f"{name} {_described(array)}" for name, array in cell.arrays.items())
    return NotUnderstoodError(f"its arrays are not those of {own.name}: {listed}")


def _described(array: StoredArray) -> str:
    return f"{array.dtype.name} {array.shape}"


def _forget_bias(name: str, own: CellClass, given: Mapping[str, Any]) -> float:
    """Return the constant that an LSTM adds to its forget gate.

    Raises:
        GatewiseError: for an option that is no number.
    """
    value = given.get("forget_bias", own.forget_bias)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise InvalidValueError.because(
            f"forget_bias of {name}", must="be a number", but=f"is {str(value)[:100]!r}", remedy="Pass a number, such as 1.0."
        )
    return float(value)


def _assumptions(
    cells: Sequence[Sequence[StoredCell]], classes: Sequence[CellClass], given: Mapping[str, Any]
) -> Iterator[str]:
    """Yield warnings of what the checkpoint does not state."""
    spec = cells[0][0].spec
    assumed: dict[str, Any] = {"activation": spec.activation}
    if len(cells[0]) == 2:
        assumed["merge_mode"] = "concat"
    left = [f"{option}={value!r}" for option, value in assumed.items() if option not in given]
    if left:
        verb = "is" if len(left) == 1 else "are"
        yield f"the checkpoint holds only weights; {', '.join(left)} {verb} assumed. Options override that."
    added = [each.forget_bias for each in classes if CELLS[each.cell].forgets]
    if added and "forget_bias" not in given:
        yield (
            f"forget_bias={added[0]} is assumed, which the cell adds to its forget gate at run time, and a port to its bias. If"
            " its code has another value, pass it: --option NAME.forget_bias=VALUE."
        )
