"""Reading a recurrent torch module from its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from frameworks.cells import cell_by_gates, cells_by_name
from frameworks.files.given_options import GivenOptions, check_arguments, check_cell
from frameworks.files.other_layers import NotUnderstoodError
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.derived_arrays import halves_of, in_single
from frameworks.files.untrusted.source import StoredArray
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec

_BIASES = ("bias_ih", "bias_hh")
_LINEARITY = ("_linearity.weight", "_linearity.bias")
"""How the names of AllenNLP's cells end."""

_NONLINEARITIES: Mapping[Any, str] = MappingProxyType({"RNN_RELU": "relu", "RNN_TANH": "tanh"})


@dataclass(frozen=True)
class Module:
    """The contents of a file for one recurrent module.

    Args:
        name: the module's name.
        cells: its arrays by layer and direction, under torch's names without these two.
        is_cell: whether it is a bare cell.
        own_names: one of the names, if they are not torch's; otherwise "".
        parametrised: the name of an array from which a weight must be computed; "" if there is none.
        raw: the names of the weights that are read as they are before weight dropout.
        attributes: attributes that the file states: `class`, `batch_first`, `mode`, ...
        others: the names of its other arrays and modules.
    """

    name: str
    cells: Mapping[tuple[int, int], Mapping[str, StoredArray]]
    is_cell: bool = False
    own_names: str = ""
    parametrised: str = ""
    raw: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def read_recurrent(module: Module, given: GivenOptions) -> StoredLayer:
    """Read a module.

    Raises:
        NotUnderstoodError: for arrays that match no torch module.
        GatewiseError: for options that contradict it.
    """
    if module.parametrised:
        raise NotUnderstoodError(
            f"its weights are parametrised ({module.parametrised}), as by weight_norm: make them plain in the model, "
            "with torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm, and save it again"
        )
    module = _with_both_biases(module)
    directions = 1 + max(way for _, way in module.cells)
    places = sorted(module.cells)
    expected = [(layer, way) for layer in range(places[-1][0] + 1) for way in range(directions)]
    if places != expected:
        lacking = ", ".join(_place(*place) for place in expected if place not in module.cells)
        raise NotUnderstoodError(f"it has {', '.join(_place(*place) for place in places)[:100]} and lacks {lacking[:100]}")
    try:
        spec, proj_size = _sizes(module, len(places) // directions, directions)
    except NotUnderstoodError as why:
        raise NotUnderstoodError("; ".join(filter(None, (str(why), _custom(module))))) from why
    _require_own(module, spec, given.of(module.name).get("cell"))
    spec, arguments, assumed = _arguments(module, spec, given)
    if proj_size:
        arguments["proj_size"] = proj_size
    cells = [_cell(module, spec, place, proj_size) for place in places]
    return StoredLayer(
        name=module.name,
        origin="pytorch",
        class_name=_class_name(module, spec),
        cells=tuple(tuple(cells[start : start + directions]) for start in range(0, len(cells), directions)),
        warnings=tuple(_warnings(module, arguments, assumed)),
        arguments=MappingProxyType(arguments),
        assumed=_unstated(module, spec, assumed),
    )


def _with_both_biases(module: Module) -> Module:
    """Add zeros for the bias that a cell of AllenNLP may lack."""
    arrays = dict(module.cells.get((0, 0), {}))
    one = [name for name in _BIASES if name in arrays]
    if not module.own_names.endswith(_LINEARITY) or len(one) != 1:
        return module
    (lacking,) = {*_BIASES} - {*one}
    like = arrays[one[0]]
    arrays[lacking] = StoredArray(like.shape, like.dtype, _zeros)
    return replace(module, cells={(0, 0): arrays})


def _zeros(_start: int, buffer: memoryview) -> None:
    buffer[:] = bytes(len(buffer))


def _require_own(module: Module, spec: RecurrentSpec, told: Any) -> None:
    """Refuse a custom cell that has torch's arrays, unless the user states that it computes the same."""
    if told is not None:
        check_cell(module.name, told, spec.cell)
    if not spec.bias and "bias" in module.others:
        raise NotUnderstoodError("it has one bias, where torch has two: save it as bias_ih, and zeros as bias_hh")
    custom = _custom(module)
    if custom and told is None:
        raise NotUnderstoodError(
            f"{custom}, so it may compute something else than torch's module with these arrays. If it computes the same, the"
            f" option cell={spec.cell} states it (--option {module.name}.cell={spec.cell})"
        )


def _custom(module: Module) -> str:
    """Return what shows that a module is not torch's own, "" if nothing does."""
    if "class" in module.attributes:
        return "" if module.attributes.get("torch") else f"its class is {module.attributes['class']}, not one of torch.nn"
    others = _unexplained(module)
    return f"it also has {', '.join(others)[:200]}" if others else ""


def _unexplained(module: Module) -> list[str]:
    """Return the names of the arrays and modules that torch's own module does not have."""
    return [name for name in module.others if name.removesuffix("_dropped") not in module.raw]


def _sizes(module: Module, layers: int, directions: int) -> tuple[RecurrentSpec, int]:
    """Read the sizes from the first cell and check all arrays; return the spec and proj_size, which is 0 if there is none."""
    first = module.cells[0, 0]
    matrices = {name: first[name].shape for name in ("weight_ih", "weight_hh", "weight_hr") if name in first}
    lacking = [name for name in ("weight_ih", "weight_hh") if name not in first]
    if lacking or any(len(s) != 2 or 0 in s for s in matrices.values()):
        and_lacks = f", and it lacks {' and '.join(lacking)}" if lacking else ""
        raise NotUnderstoodError(f"its arrays are {_shapes(first)}{and_lacks}")
    proj_size, hidden = matrices.get("weight_hr", (0, matrices["weight_hh"][1]))
    blocks, left = divmod(matrices["weight_hh"][0], hidden)
    kind = cell_by_gates(blocks)
    if module.own_names.endswith(_LINEARITY) and "state_projection" in module.others:
        raise NotUnderstoodError("it projects its hidden state and may clip its states, as AllenNLP's LSTM for ELMo does")
    if module.own_names.endswith(_LINEARITY) and (divmod(matrices["weight_ih"][0], hidden), blocks) == ((6, 0), 5):
        raise NotUnderstoodError("it has the 6 and 5 blocks of a highway LSTM, which neither torch nor Keras computes")
    if left or kind is None or (proj_size and not kind.projects):
        raise NotUnderstoodError(f"its arrays are {_shapes(first)}: 1, 3 or 4 blocks of hidden_size rows were expected")
    spec = RecurrentSpec(
        cell=kind.name,
        input_size=matrices["weight_ih"][1],
        hidden_size=hidden,
        num_layers=layers,
        bidirectional=directions == 2,
        bias=any(name in first for name in ("bias_ih", "bias_hh")),
        dtype=_dtype(module),
    )
    for (layer, way), arrays in module.cells.items():
        expected, actual = PYTORCH.shapes(spec, layer, proj_size), {name: array.shape for name, array in arrays.items()}
        if expected != actual:
            raise NotUnderstoodError(f"{_place(layer, way)} {_difference(expected, actual)}")
    return spec, proj_size


def _dtype(module: Module) -> Any:
    stored = [array.dtype.name for cell in module.cells.values() for array in cell.values()]
    dtypes = {"float32" if name == "float16" else name for name in stored}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise NotUnderstoodError(f"its arrays are {' and '.join(sorted(dtypes))}; float32 or float64 was expected")
    return dtypes.pop()


def _cell(module: Module, spec: RecurrentSpec, place: tuple[int, int], proj_size: int) -> StoredCell:
    reads = spec.num_directions * (proj_size or spec.hidden_size) if place[0] else spec.input_size
    arrays = {name: in_single(array) for name, array in module.cells[place].items()}
    return StoredCell(replace(spec, input_size=reads, num_layers=1, bidirectional=False), PYTORCH, MappingProxyType(arrays))


def _arguments(
    module: Module, spec: RecurrentSpec, given: GivenOptions
) -> tuple[RecurrentSpec, dict[str, Any], dict[str, Any]]:
    """Return the spec with its nonlinearity, the arguments that sizes do not determine, and the assumed ones among them."""
    defaults: dict[str, Any] = {"nonlinearity": "tanh"} if spec.record.takes_nonlinearity else {}
    if spec.num_layers > 1:
        defaults["dropout"] = 0.0
    if not module.is_cell:
        defaults["batch_first"] = None
    stated = {name: value for name, value in module.attributes.items() if name in defaults}
    if module.attributes.get("mode") in _NONLINEARITIES and spec.record.takes_nonlinearity:
        stated["nonlinearity"] = _NONLINEARITIES[module.attributes["mode"]]
    known = {**stated, **{name: value for name, value in given.of(module.name).items() if name in defaults}}
    arguments = {**defaults, **known}
    check_arguments(module.name, arguments)
    assumed = {name: value for name, value in defaults.items() if name not in known and value is not None}
    return replace(spec, activation=arguments.pop("nonlinearity", "tanh")), arguments, assumed


def _unstated(module: Module, spec: RecurrentSpec, assumed: Mapping[str, Any]) -> frozenset[str]:
    """Return the options that the file does not state. Without its class, a layer may be an emulated one."""
    hidden = [option for option in spec.record.options if option != "reset_after" or not spec.bias]
    if module.attributes.get("torch") or (spec.record.takes_nonlinearity and "nonlinearity" not in assumed):
        hidden = []
    return frozenset({*hidden, *(name for name in assumed if name != "nonlinearity")})


def _class_name(module: Module, spec: RecurrentSpec) -> str:
    name = f"{spec.record.names['pytorch']}{'Cell' if module.is_cell else ''}"
    stated = module.attributes.get("class", name) if module.attributes.get("torch") else name
    if stated != name and stated in {**cells_by_name("pytorch"), **cells_by_name("pytorch", "Cell")}:
        raise NotUnderstoodError(f"the file calls it a {stated}, but its arrays are those of a {name}")
    return name


def _warnings(module: Module, arguments: Mapping[str, Any], assumed: Mapping[str, Any]) -> Iterator[str]:
    if module.own_names:
        own, allennlp = module.own_names, module.own_names.endswith(_LINEARITY)
        how = "it is read as a cell of AllenNLP" if allennlp else "its arrays are identified by shape"
        yield f"its names ({own}) are not torch's: {how}, with the gates in torch's order."
        if allennlp:
            yield "the file does not state in which direction it reads time steps: its arrays are the same."
    if module.raw:
        raw = ", ".join(module.raw)[:200]
        yield f"{raw}: the values before weight dropout ({module.raw[0]}_raw) are used, as in evaluation."
    if not module.attributes.get("torch", True):
        yield f"its class is {module.attributes['class']}: the file does not say what else its code does."
    others = _unexplained(module)
    if others:
        yield f"it also has {', '.join(others)[:200]}: the file does not say what its code does with them."
    for half in halves_of(array for cell in module.cells.values() for array in cell.values()):
        yield f"its weights are {half}; they are returned in float32, which holds them exactly."
    if assumed:
        shown = ", ".join(f"{name}={value!r}" for name, value in assumed.items())
        yield f"{shown} assumed: the file does not state it. Override it with --option NAME.OPTION=VALUE."
    if not module.is_cell and arguments["batch_first"] is None:
        yield (
            "the file does not state batch_first. The weights are the same either way; `emulate` builds the module with"
            " batch_first=True, to be called with (batch, time, input). State it with --option NAME.batch_first=True or False."
        )


def _place(layer: int, way: int) -> str:
    return f"l{layer}{'_reverse' if way else ''}"


def _difference(expected: Mapping[str, tuple[int, ...]], actual: Mapping[str, tuple[int, ...]]) -> str:
    """Describe the difference between the expected and the actual arrays of a cell: names first, then shapes."""
    lacking, extra = [[name for name in one if name not in other] for one, other in ((expected, actual), (actual, expected))]
    if lacking or extra:
        return " and ".join(f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacking), ("has", extra)) if names)
    return f"has {_words(actual)}, where {_words(expected)} were expected"


def _shapes(arrays: Mapping[str, StoredArray]) -> str:
    return _words({name: array.shape for name, array in arrays.items()})


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())[:300]
