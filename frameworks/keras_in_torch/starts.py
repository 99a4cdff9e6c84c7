"""The initial weights of Keras's layers, drawn into torch's modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from frameworks.cells import CellName
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.keras_in_torch.initialisers import Initialiser, fill
from frameworks.keras_in_torch.layers.parameters import CellHolder
from frameworks.layouts import PYTORCH
from frameworks.pytorch.structure import CELL_CLASSES, LAYER_CLASSES, parameter_name

Start = Mapping[str, "str | Initialiser"]
"""The initialiser of each tensor that a module may have, by the tensor's name."""

_RECURRENT: Start = {
    "weight_ih": "glorot_uniform",
    "weight_hh": "orthogonal",
    "weight_hr": "glorot_uniform",
    "bias_hh": "zeros",
}
_DENSE: Start = {"weight": "glorot_uniform", "bias": "zeros"}
_NORMALISATION: Start = {
    "weight": "ones",
    "bias": "zeros",
    "running_mean": "zeros",
    "running_var": "ones",
    "num_batches_tracked": "zeros",
}
_STARTS: Mapping[type[nn.Module], Start] = {
    **dict.fromkeys((nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d), _DENSE),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _NORMALISATION),
    **dict.fromkeys((nn.LayerNorm, nn.RMSNorm, nn.GroupNorm), _NORMALISATION),
}


def initialise_like_keras(module: nn.Module, seed: int | None) -> nn.Module:
    """Draw the parameters of a module as Keras would, see `frameworks.initialise_like_keras`."""
    plan = _plan(module)
    with _seeded(seed), torch.no_grad():
        for tensor, initialiser in plan:
            # The CPU's generator gives the same numbers for a seed, whatever the module's device.
            drawn = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
            fill(drawn, initialiser)
            tensor.copy_(drawn)
    return module


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed every GPU's generator, and nothing restores those.
        torch.default_generator.manual_seed(seed)
        yield


def _plan(module: nn.Module) -> list[tuple[torch.Tensor, str | Initialiser]]:
    """Return each tensor of the module once, with its initialiser; raise an error for a parameter without one."""
    planned: dict[int, tuple[torch.Tensor, str | Initialiser]] = {}
    for path, part in module.named_modules():
        _require_unpacked(part, path)
        start = _start_of(part)
        for name, tensor in {**part._parameters, **part._buffers}.items():  # noqa: SLF001  also those that are None
            if tensor is not None and name in start:
                _require_writable(f"{path}.{name}".lstrip("."), tensor)
                planned.setdefault(id(tensor), (tensor, start[name]))
    for name, parameter in module.named_parameters():
        if id(parameter) not in planned:
            raise _unknown(module, name)
    return list(planned.values())


def _start_of(part: nn.Module) -> Start:
    if isinstance(part, (CellHolder, *LAYER_CLASSES, *CELL_CLASSES)):
        return {
            f"{stem}{suffix}": initialiser
            for suffix, cell in _cells(part)
            for stem, initialiser in {**_RECURRENT, "bias_ih": _first_bias(PYTORCH.gates[cell])}.items()
        }
    if isinstance(part, nn.Embedding):
        return {"weight": _embeddings(part.padding_idx)}
    return next((start for kind, start in _STARTS.items() if isinstance(part, kind)), {})


def _cells(part: Any) -> Iterator[tuple[str, CellName]]:
    """Yield the suffix of each cell's parameter names, and the name of the cell."""
    if isinstance(part, CellHolder):
        yield from ((slot.suffix, slot.cell.name) for slot in part.slots)
        return
    cell = next(name for kind, name in {**LAYER_CLASSES, **CELL_CLASSES}.items() if isinstance(part, kind))
    for layer in range(getattr(part, "num_layers", 1)):
        for direction in range(1 + getattr(part, "bidirectional", False)):
            yield parameter_name(part, "", layer, direction), cell


def _first_bias(gates: tuple[str, ...]) -> Initialiser:
    def draw(bias: torch.Tensor) -> None:
        for gate, block in zip(gates, bias.chunk(len(gates)), strict=True):
            block.fill_(1 if gate == "forget" else 0)

    return draw


def _embeddings(padding_idx: int | None) -> Initialiser:
    def draw(weight: torch.Tensor) -> None:
        fill(weight, "random_uniform")
        if padding_idx is not None:
            weight[padding_idx] = 0

    return draw


def _require_writable(name: str, tensor: torch.Tensor) -> None:
    problem = _problem_of(tensor)
    if problem:
        must, but, remedy = problem
        raise InvalidValueError.because(f"the parameter {name}", must=must, but=but, remedy=f"{remedy}.")


def _problem_of(tensor: torch.Tensor) -> tuple[str, str, str] | None:
    """Return the requirement, the observation and the remedy for a tensor that cannot be written, or None if it can."""
    if isinstance(tensor, UninitializedParameter):
        return (
            "have a shape",
            "has none yet",
            "Call the module once on data; an emulated Keras layer also has build(input_size)",
        )
    if tensor.is_meta:
        return "have memory", "is on the meta device", "Load it on a real device with to_empty"
    if isinstance(tensor, nn.Parameter) and not tensor.is_floating_point():
        return "be of a floating dtype", f"is {tensor.dtype}", "Cast it first"
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        return "be writable outside of inference_mode", "was made inside it", "Make the module outside of inference_mode"
    if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)):
        return "have memory for each element", f"has strides {tensor.stride()}", "Assign a .clone() of it"
    return None


def _require_unpacked(part: nn.Module, path: str) -> None:
    """Raise an error for a quantised module: its packed weights are not parameters, so they would be left out unnoticed."""
    kind = type(part)
    if ".quantized." in kind.__module__:
        raise InvalidTypeError.because(
            f"the module {path}".rstrip(),
            must="keep its weights as parameters",
            but=f"is a {kind.__module__}.{kind.__qualname__}",
            remedy="Initialise it before it is quantised.",
        )


def _unknown(module: nn.Module, name: str) -> NoCounterpartError:
    owner = dict(module.named_modules(remove_duplicate=False))[name.rpartition(".")[0]]
    return NoCounterpartError.because(
        f"the parameter {name}",
        must="belong to a recurrent, Linear, Embedding, Conv or normalisation layer, whose initial weights in Keras are known",
        but=f"belongs to a {type(owner).__module__}.{type(owner).__qualname__}",
        remedy="Initialise the layers one by one, and this one by hand; initialise a module before it is parametrised "
        "(weight_norm).",
    )
