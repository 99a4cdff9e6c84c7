"""From named tensors of torch to layers: recurrent modules by their parameters' names and shapes, the rest by theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.answers import Answers
from frameworks.files.others import OtherLayer
from frameworks.files.source import StoredArray
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.layouts import PYTORCH
from frameworks.spec import CellName, RecurrentSpec

Layer = StoredLayer | OtherLayer
Arrays = Mapping[str, StoredArray]

_PARAMETER = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l(\d{1,3})(_reverse)?)?")
_CELLS: Mapping[int, CellName] = {1: "rnn", 3: "gru", 4: "lstm"}
_CLASSES: Mapping[CellName, str] = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
_AROUND = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module")
_ASIDE = re.compile(r"(optimizer|optim|scheduler|lr_scheduler|scaler|amp)[\w-]*", re.IGNORECASE)


def read_layers(tensors: Arrays, answers: Answers) -> list[Layer]:
    """Give the layers that named tensors are the parameters of, in their order.

    Args:
        tensors: by name, as in a state_dict; what lies around one is left out of the names.
        answers: what the user says of the layers.
    """
    return [*_read(_plain_names(tensors), answers)]


def _plain_names(tensors: Arrays) -> dict[str, StoredArray]:
    """Take away what a checkpoint puts around a state_dict, and the optimizer's tensors beside it."""
    names = {name: array for name, array in tensors.items() if not _ASIDE.fullmatch(name.partition(".")[0]) or "." not in name}
    for _ in range(3):
        first = {name.partition(".")[0] for name in names}
        if len(first) != 1 or not first <= set(_AROUND):
            break
        names = {name.partition(".")[2]: array for name, array in names.items()}
    return names


def _read(tensors: Arrays, answers: Answers) -> Iterator[Layer]:
    groups: dict[str, dict[str, StoredArray]] = {}
    for name, array in tensors.items():
        owner, _, own = name.rpartition(".")
        groups.setdefault(owner, {})[own] = array
    for owner, arrays in groups.items():
        parameters = {name: array for name, array in arrays.items() if _PARAMETER.fullmatch(name)}
        others = {name: array for name, array in arrays.items() if name not in parameters}
        if parameters:
            try:
                yield read_module(owner, parameters, answers)
            except _OddError as why:
                others = dict(arrays)
                yield OtherLayer(owner, stored=MappingProxyType(others), warnings=(f"it is no module of torch.nn: {why}",))
                continue
        if others:
            kind = _kind(owner, others)
            yield OtherLayer(owner, kind, MappingProxyType(others), known=bool(kind))


class _OddError(Exception):
    """Why parameters are not those of one recurrent module of torch."""


def read_module(name: str, parameters: Arrays, answers: Answers) -> StoredLayer:
    """Read the parameters of one recurrent module, by their names in it."""
    grouped: dict[tuple[int, int], dict[str, StoredArray]] = {}
    for each, array in parameters.items():
        found = _PARAMETER.fullmatch(each)
        if found is not None:
            grouped.setdefault((int(found[2] or 0), int(found[3] is not None)), {})[found[1]] = array
    depth, ways = (1 + max(place[at] for place in grouped) for at in (0, 1))
    bare = not any("_l" in each for each in parameters)
    said = answers.of(name)
    rows = tuple(
        tuple(_cell(grouped.get((layer, way), {}), f"layer {layer}, direction {way}", said) for way in range(ways))
        for layer in range(depth)
    )
    _require_fit(rows)
    first = rows[0][0]
    proj_size = first.arrays["weight_hr"].shape[0] if "weight_hr" in first.arrays else 0
    arguments = {"batch_first": said.get("batch_first", False), **({"proj_size": proj_size} if proj_size else {})}
    if "dropout" in said:
        arguments["dropout"] = said["dropout"]
    return StoredLayer(
        name=name,
        origin="pytorch",
        class_name=f"{_CLASSES[first.spec.cell]}{'Cell' * bare}",
        cells=rows,
        warnings=tuple(_warnings(name, first.spec.cell, said, bare=bare)),
        arguments=MappingProxyType({} if bare else arguments),
    )


def _cell(arrays: Arrays, place: str, said: Mapping[str, Any]) -> StoredCell:
    if not {"weight_ih", "weight_hh"} <= set(arrays) or ("bias_ih" in arrays) != ("bias_hh" in arrays):
        raise _OddError(f"{place} has {', '.join(arrays) or 'nothing'}")
    (rows, inputs), (again, state) = (_matrix(arrays[name], place) for name in ("weight_ih", "weight_hh"))
    hidden = _matrix(arrays["weight_hr"], place)[1] if "weight_hr" in arrays else state
    cell = _CELLS.get(rows // hidden if hidden and rows % hidden == 0 else 0)
    biased = all(arrays[name].shape == (rows,) for name in ("bias_ih", "bias_hh") if name in arrays)
    if cell is None or again != rows or not biased or not inputs:
        raise _OddError(f"{place} has arrays of {', '.join(str(array.shape) for array in arrays.values())}")
    dtypes = {array.dtype.name for array in arrays.values()}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise _OddError(f"{place} is of {', '.join(sorted(dtypes))}: float32 or float64 is read")
    spec = RecurrentSpec(
        cell=cell,
        input_size=inputs,
        hidden_size=hidden,
        bias="bias_ih" in arrays,
        dtype="float64" if "float64" in dtypes else "float32",
        activation=said.get("activation", said.get("nonlinearity", "tanh")) if cell == "rnn" else "tanh",
    )
    return StoredCell(spec, PYTORCH, MappingProxyType(dict(arrays)))


def _matrix(array: StoredArray, place: str) -> tuple[int, int]:
    if len(array.shape) != 2:
        raise _OddError(f"{place} has a weight of shape {array.shape}")
    return array.shape[0], array.shape[1]


def _require_fit(rows: tuple[tuple[StoredCell, ...], ...]) -> None:
    first = rows[0][0]
    width = len(rows[0]) * first.arrays["weight_hh"].shape[1]
    for layer, cells in enumerate(rows):
        for cell in cells:
            wanted = (first.spec.cell, first.spec.hidden_size, first.spec.bias, first.spec.input_size if layer == 0 else width)
            found = (cell.spec.cell, cell.spec.hidden_size, cell.spec.bias, cell.spec.input_size)
            if found != wanted:
                raise _OddError(f"layer {layer} is {found}, where the first makes it {wanted}")


def _warnings(name: str, cell: CellName, said: Mapping[str, Any], *, bare: bool) -> Iterator[str]:
    assumed = {} if bare else {"batch_first": False}
    if cell == "rnn":
        assumed["nonlinearity"] = "tanh"  # type: ignore[assignment]
    left = [f"{option}={value!r}" for option, value in assumed.items() if option not in said]
    if left:
        yield f"the file holds weights alone: {', '.join(left)} assumed. Say otherwise with options={{{name!r}: {{...}}}}."


_KINDS: tuple[tuple[str, dict[str, int]], ...] = (
    ("BatchNorm", {"weight": 1, "bias": 1, "running_mean": 1, "running_var": 1, "num_batches_tracked": 0}),
    ("BatchNorm", {"weight": 1, "bias": 1, "running_mean": 1, "running_var": 1}),
    ("LayerNorm", {"weight": 1, "bias": 1}),
    ("Linear", {"weight": 2, "bias": 1}),
    ("Conv1d", {"weight": 3, "bias": 1}),
    ("Conv1d", {"weight": 3}),
    ("Conv2d", {"weight": 4, "bias": 1}),
    ("Conv2d", {"weight": 4}),
    ("PReLU", {"weight": 1}),
)


def _kind(owner: str, arrays: Arrays) -> str:
    """Tell a module's class by the names and ranks of its arrays; a lone matrix is an Embedding where its name says so."""
    ranks = {name: len(array.shape) for name, array in arrays.items()}
    if ranks == {"weight": 2}:
        return "Embedding" if "emb" in owner.lower() else "Linear"
    return next((kind for kind, wanted in _KINDS if wanted == ranks), "")
