"""The spec of a user's torch module, read from its attributes and checked against its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from frameworks.cells import CellName, cells_by_name
from frameworks.counterparts import require_counterpart
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.layouts import PYTORCH
from frameworks.pytorch.contents import refuse_whole
from frameworks.spec import RecurrentSpec

LAYER_CLASSES: dict[type[nn.Module], CellName] = {getattr(nn, name): cell for name, cell in cells_by_name("pytorch").items()}
CELL_CLASSES: dict[type[nn.Module], CellName] = {
    getattr(nn, name): cell for name, cell in cells_by_name("pytorch", "Cell").items()
}
DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def read_spec(module: nn.Module) -> RecurrentSpec:
    """Read the spec of a recurrent module that a spec describes completely.

    Raises:
        GatewiseError: as in `read_emulated`, and for a module that projects its hidden state.
    """
    spec, proj_size = read_emulated(module)
    if proj_size:
        raise NoCounterpartError.because(
            "proj_size of nn.LSTM",
            must="be 0",
            but=f"is {proj_size}",
            remedy="No built-in Keras layer projects its hidden state. Use gatewise.emulate(rnn, to='keras'), which does.",
        )
    return spec


def read_emulated(module: nn.Module) -> tuple[RecurrentSpec, int]:
    """Read the spec of a recurrent module, and the size to which it projects its hidden state, 0 without a projection.

    Raises:
        GatewiseError: for anything but a recurrent module of torch.nn whose parameters are its weights.
    """
    kind = _kind_of(module)
    _require_plain(module, kind)
    sizes: Any = module
    proj_size = getattr(sizes, "proj_size", 0)
    spec = RecurrentSpec(
        cell={**LAYER_CLASSES, **CELL_CLASSES}[kind],
        input_size=int(sizes.input_size),
        hidden_size=int(sizes.hidden_size),
        num_layers=int(getattr(sizes, "num_layers", 1)),
        bidirectional=bool(getattr(sizes, "bidirectional", False)),
        bias=bool(sizes.bias),
        dtype=_dtype_of(module),
        activation=getattr(sizes, "nonlinearity", "tanh"),
    )
    require_counterpart(spec, "pytorch")
    _require_parameters(module, spec, proj_size)
    return spec, proj_size


def parameter_name(module: nn.Module, stored: str, layer: int, direction: int) -> str:
    """Return the name of the parameter that stores an array of one layer and direction."""
    if type(module) in CELL_CLASSES or not hasattr(module, "num_layers"):
        return stored
    return f"{stored}_l{layer}{'_reverse' if direction else ''}"


def _kind_of(module: nn.Module) -> type[nn.Module]:
    for kind in (*LAYER_CLASSES, *CELL_CLASSES):
        if isinstance(module, kind):
            return kind
    raise refuse_whole(module) or InvalidTypeError.because(
        "the module",
        must="be nn.RNN, nn.LSTM, nn.GRU or one of their cells",
        but=f"is a {type(module).__qualname__}, and has none inside",
        remedy="Pass the recurrent module, such as net.rnn.",
    )


def _require_plain(module: nn.Module, kind: type[nn.Module]) -> None:
    own = type(module).forward is kind.forward and type(module).__call__ is nn.Module.__call__ and "forward" not in vars(module)
    if not own:
        raise _refused(
            module,
            f"run {kind.__name__}'s own forward",
            "overrides it",
            f"Pass a plain nn.{kind.__name__} with its state_dict, and write in the other framework what its own code adds",
        )
    if any(parameter.is_meta for parameter in module.parameters()):
        raise _refused(
            module,
            "hold its weights",
            "is on the meta device",
            "Load it on a real device first, with to_empty and a state_dict",
        )


def _require_parameters(module: nn.Module, spec: RecurrentSpec, proj_size: int) -> None:
    expected = {
        parameter_name(module, name, layer, direction): shape
        for layer in range(spec.num_layers)
        for direction in range(spec.num_directions)
        for name, shape in PYTORCH.shapes(spec, layer, proj_size).items()
    }
    # A subclass may hold further modules: torch's own forward does not call them.
    parameters = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    if set(parameters) != set(expected):
        odd = sorted(set(parameters).symmetric_difference(expected))
        raise _refused(
            module,
            "keep its weights as plain parameters",
            f"differs in {', '.join(odd)}: it is parametrised (weight_norm, spectral_norm) or pruned",
            "Make them plain first, with torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm",
        )
    for name, shape in expected.items():
        if tuple(parameters[name].shape) != shape:
            raise InvalidValueError.because(
                f"{name} of the module",
                must=f"have shape {shape}",
                but=f"has {tuple(parameters[name].shape)}",
                remedy="It was assigned without load_state_dict, and torch may run all the same: load it in its shape.",
            )
    _require_apart(parameters)


def _require_apart(parameters: Mapping[str, nn.Parameter]) -> None:
    """Raise an error if weights, or elements of one weight, share memory: writing to one would change the other."""
    end, before = 0, ""
    for start, name, parameter in sorted((p.data_ptr(), name, p) for name, p in parameters.items()):
        reach = 1
        for stride, size in sorted(zip(parameter.stride(), parameter.shape, strict=True)):
            if size > 1 and stride < reach:
                raise _shared(name, f"shares memory among its own elements, with strides {parameter.stride()}")
            reach += (size - 1) * stride
        if start < end:
            raise _shared(name, f"shares memory with {before}")
        end, before = start + reach * parameter.element_size(), name


def _shared(name: str, but: str) -> GatewiseError:
    return InvalidValueError.because(
        f"{name} of the module", must="have its own memory", but=but, remedy="Assign a .clone() of it."
    )


def _dtype_of(module: nn.Module) -> Any:
    dtypes = {parameter.dtype for parameter in module.parameters()}
    if len(dtypes) != 1:
        raise _refused(
            module, "have one dtype", f"has {', '.join(sorted(map(str, dtypes)))}", "Cast it whole with .float() or .double()"
        )
    (dtype,) = dtypes
    if dtype not in DTYPES:
        raise _refused(
            module, "have dtype float32 or float64", f"has {dtype}", "Cast it with .float(): half precision is not compared"
        )
    return DTYPES[dtype]


def _refused(module: nn.Module, must: str, but: str, remedy: str) -> GatewiseError:
    return InvalidTypeError.because(type(module).__qualname__, must=must, but=but, remedy=f"{remedy}.")
