"""From the parameters of one of torch's recurrent modules to what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from frameworks.files.given_options import GivenOptions, check_arguments
from frameworks.files.other_layers import NotUnderstoodError
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.derived_arrays import halves_of, in_single
from frameworks.files.untrusted.source import StoredArray
from frameworks.layouts import PYTORCH
from frameworks.spec import CellName, RecurrentSpec

_BY_BLOCKS: Mapping[int, CellName] = MappingProxyType({1: "rnn", 3: "gru", 4: "lstm"})
_CLASSES: Mapping[CellName, str] = MappingProxyType({"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"})
_NONLINEARITIES: Mapping[Any, str] = MappingProxyType({"RNN_RELU": "relu", "RNN_TANH": "tanh"})


@dataclass(frozen=True)
class Module:
    """What a file has of a recurrent module.

    Args:
        name: of the module.
        cells: its arrays by layer and direction, by their names in torch without the two.
        is_cell: whether it is a bare cell.
        own_names: one of the names, where they are not torch's.
        parametrised: an array from which a weight is to be computed, where there is one.
        raw: names of its weights that are from before weight dropout.
        said: what the file says of it beside: `class`, `batch_first`, `mode`, ...
        beside: names of further arrays and modules that it has.
    """

    name: str
    cells: Mapping[tuple[int, int], Mapping[str, StoredArray]]
    is_cell: bool = False
    own_names: str = ""
    parametrised: str = ""
    raw: tuple[str, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


def read_recurrent(module: Module, given: GivenOptions) -> StoredLayer:
    """Read a module.

    Raises:
        NotUnderstoodError: for arrays that are none of torch's modules'.
        GatewiseError: for options that contradict it.
    """
    if module.parametrised:
        raise NotUnderstoodError(
            f"its weights are parametrised ({module.parametrised}), as by weight_norm: make them plain where the model is, "
            "with torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm, and save it again"
        )
    directions = 1 + max(way for _, way in module.cells)
    places = sorted(module.cells)
    due = [(layer, way) for layer in range(places[-1][0] + 1) for way in range(directions)]
    if places != due:
        lacking = ", ".join(_place(*place) for place in due if place not in module.cells)
        raise NotUnderstoodError(f"it has {', '.join(_place(*place) for place in places)[:100]} and lacks {lacking[:100]}")
    spec, proj_size = _sizes(module, len(places) // directions, directions)
    spec, arguments, assumed = _arguments(module, spec, given)
    if proj_size:
        arguments["proj_size"] = proj_size
    cells = [_cell(module, spec, place, proj_size) for place in places]
    return StoredLayer(
        name=module.name,
        origin="pytorch",
        class_name=_class_name(module, spec),
        cells=tuple(tuple(cells[start : start + directions]) for start in range(0, len(cells), directions)),
        warnings=tuple(_warnings(module, assumed)),
        arguments=MappingProxyType(arguments),
    )


def _sizes(module: Module, layers: int, directions: int) -> tuple[RecurrentSpec, int]:
    """Read the sizes off the first cell, and hold all arrays against them; beside the spec the projected size, 0 for none."""
    first = module.cells[0, 0]
    matrices = {name: first[name].shape for name in ("weight_ih", "weight_hh", "weight_hr") if name in first}
    lacking = [name for name in ("weight_ih", "weight_hh") if name not in first]
    if lacking or any(len(s) != 2 or 0 in s for s in matrices.values()):
        raise NotUnderstoodError(f"its arrays are {_shapes(first)}{', and it lacks ' * bool(lacking)}{' and '.join(lacking)}")
    proj_size, hidden = matrices.get("weight_hr", (0, matrices["weight_hh"][1]))
    blocks, left = divmod(matrices["weight_hh"][0], hidden)
    if left or blocks not in _BY_BLOCKS or (proj_size and blocks != 4):
        raise NotUnderstoodError(f"its arrays are {_shapes(first)}: 1, 3 or 4 blocks of hidden_size rows were due")
    spec = RecurrentSpec(
        cell=_BY_BLOCKS[blocks],
        input_size=matrices["weight_ih"][1],
        hidden_size=hidden,
        num_layers=layers,
        bidirectional=directions == 2,
        bias=any(name in first for name in ("bias_ih", "bias_hh")),
        dtype=_dtype(module),
    )
    for (layer, way), arrays in module.cells.items():
        wanted, found = PYTORCH.shapes(spec, layer, proj_size), {name: array.shape for name, array in arrays.items()}
        if wanted != found:
            raise NotUnderstoodError(f"{_place(layer, way)} {_difference(wanted, found)}")
    return spec, proj_size


def _dtype(module: Module) -> Any:
    found = {"float32" if a.dtype.name == "float16" else a.dtype.name for cell in module.cells.values() for a in cell.values()}
    if len(found) > 1 or not found <= {"float32", "float64"}:
        raise NotUnderstoodError(f"its arrays are {' and '.join(sorted(found))}; float32 or float64 were due")
    return found.pop()


def _cell(module: Module, spec: RecurrentSpec, place: tuple[int, int], proj_size: int) -> StoredCell:
    reads = spec.num_directions * (proj_size or spec.hidden_size) if place[0] else spec.input_size
    arrays = {name: in_single(array) for name, array in module.cells[place].items()}
    return StoredCell(replace(spec, input_size=reads, num_layers=1, bidirectional=False), PYTORCH, MappingProxyType(arrays))


def _arguments(
    module: Module, spec: RecurrentSpec, given: GivenOptions
) -> tuple[RecurrentSpec, dict[str, Any], dict[str, Any]]:
    """Give the arguments that the sizes do not show, and those of them that nobody said; the nonlinearity is the spec's."""
    defaults: dict[str, Any] = {"nonlinearity": "tanh"} if spec.cell == "rnn" else {}
    if spec.num_layers > 1:
        defaults["dropout"] = 0.0
    if not module.is_cell:
        defaults["batch_first"] = False
    said = {name: value for name, value in module.said.items() if name in defaults}
    if module.said.get("mode") in _NONLINEARITIES and spec.cell == "rnn":
        said["nonlinearity"] = _NONLINEARITIES[module.said["mode"]]
    known = {**said, **{name: value for name, value in given.of(module.name).items() if name in defaults}}
    found = {**defaults, **known}
    check_arguments(module.name, found)
    assumed = {name: value for name, value in defaults.items() if name not in known}
    return replace(spec, activation=found.pop("nonlinearity", "tanh")), found, assumed


def _class_name(module: Module, spec: RecurrentSpec) -> str:
    name = f"{_CLASSES[spec.cell]}{'Cell' * module.is_cell}"
    said = module.said.get("class", name) if module.said.get("torch") else name
    if said != name and said in {f"{kind}{end}" for kind in _CLASSES.values() for end in ("", "Cell")}:
        raise NotUnderstoodError(f"the file calls it a {said}, and its arrays are a {name}'s")
    return name


def _warnings(module: Module, assumed: Mapping[str, Any]) -> Iterator[str]:
    if module.own_names:
        yield f"its names ({module.own_names}) are not torch's: it is read as torch's by its shapes, gates in torch's order."
    if module.raw:
        yield f"{', '.join(module.raw)[:200]} from before weight dropout ({module.raw[0]}_raw), as where nothing is dropped."
    if not module.said.get("torch", True):
        yield f"its class is {module.said['class']}: what else its code does is not in the file."
    beside = [name for name in module.beside if name.removesuffix("_dropped") not in module.raw]
    if beside:
        yield f"it also has {', '.join(beside)[:200]}: what its own code does with them is not in the file."
    for half in halves_of(array for cell in module.cells.values() for array in cell.values()):
        yield f"its weights are {half}, given in float32, which holds them exactly."
    if assumed:
        said = ", ".join(f"{name}={value!r}" for name, value in assumed.items())
        yield f"the file does not say it: {said} assumed. Options can say otherwise."


def _place(layer: int, way: int) -> str:
    return f"l{layer}{'_reverse' * way}"


def _difference(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    """Say what is wrong with the arrays of a cell: what it lacks, else what it has too much or in another shape."""
    lacking, further = [[name for name in one if name not in other] for one, other in ((wanted, found), (found, wanted))]
    if lacking or further:
        return " and ".join(f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacking), ("has", further)) if names)
    return f"has {_words(found)}, where {_words(wanted)} were due"


def _shapes(arrays: Mapping[str, StoredArray]) -> str:
    return _words({name: array.shape for name, array in arrays.items()})


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())[:300]
