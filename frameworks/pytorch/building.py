"""Building torch's own recurrent modules from a spec."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from frameworks.adapter import Adapter
from frameworks.pytorch.adapter import PyTorchAdapter
from frameworks.pytorch.structure import CELL_CLASSES, LAYER_CLASSES
from frameworks.spec import RecurrentSpec


def build(spec: RecurrentSpec, seed: int | None = None) -> PyTorchAdapter:
    """Build a module with torch's default initialisation; the same seed gives the same weights."""
    if seed is None:
        return PyTorchAdapter(_kind(spec, cell=False)(**_arguments(spec)))
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed every GPU's generator, and nothing restores those: draw on the CPU, then move.
        torch.default_generator.manual_seed(seed)
        module = _kind(spec, cell=False)(**_arguments(spec), device="cpu")
    return PyTorchAdapter(module.to(torch.get_default_device()))


def build_like(source: Adapter) -> nn.Module:
    """Build the module into which a conversion copies weights; its own weights are arbitrary."""
    arguments = _arguments(source.spec, cell=source.is_cell)
    if source.dropout:
        arguments["dropout"] = source.dropout
    with torch.random.fork_rng(devices=[]):  # the initial weights are overwritten, so they must not use up random numbers
        module: nn.Module = _kind(source.spec, cell=source.is_cell)(**arguments)
    return module.train(getattr(source.native, "training", False) if source.framework == "pytorch" else False)


def _kind(spec: RecurrentSpec, *, cell: bool) -> type[nn.Module]:
    return next(kind for kind, name in (CELL_CLASSES if cell else LAYER_CLASSES).items() if name == spec.cell)


def _arguments(spec: RecurrentSpec, *, cell: bool = False) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "input_size": spec.input_size,
        "hidden_size": spec.hidden_size,
        "bias": spec.bias,
        "dtype": getattr(torch, spec.dtype),
    }
    if spec.record.takes_nonlinearity:
        arguments["nonlinearity"] = spec.activation
    if cell:
        return arguments
    return arguments | {"num_layers": spec.num_layers, "bidirectional": spec.bidirectional, "batch_first": True}
