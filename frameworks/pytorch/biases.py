"""The two biases of nn.RNN and nn.LSTM: trained as one, or each at half the learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from frameworks.cells import CELLS
from frameworks.errors import InvalidValueError
from frameworks.pytorch.structure import CELL_CLASSES, LAYER_CLASSES, parameter_name

Pair = tuple[nn.Parameter, nn.Parameter]
_KINDS = tuple(kind for kind, cell in {**LAYER_CLASSES, **CELL_CLASSES}.items() if not CELLS[cell].biases_act_apart)


def freeze_second_bias(module: nn.Module) -> nn.Module:
    """Train one bias of each nn.RNN and nn.LSTM, see `frameworks.freeze_second_bias`."""
    with torch.no_grad():
        for first, second in _pairs(module):
            first.add_(second)
            second.zero_()
            first.requires_grad_(first.requires_grad or second.requires_grad)
            second.requires_grad_(False)  # noqa: FBT003  torch's
            second.grad = None  # otherwise an optimizer of this bias would still apply its last gradient
    return module


def half_rate_for_biases(module: nn.Module, lr: float) -> list[dict[str, Any]]:
    """Return parameter groups, see `frameworks.half_rate_for_biases`."""
    pairs = [pair for pair in _pairs(module) if all(bias.requires_grad for bias in pair)]
    halved = {bias: None for pair in pairs for bias in pair}
    rest = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter not in halved]
    groups = [{"params": rest, "lr": lr}, {"params": list(halved), "lr": lr / 2}]
    return [group for group in groups if group["params"]]


def _pairs(module: nn.Module) -> list[Pair]:
    """Return the two biases of every layer and direction, each pair once.

    Raises:
        GatewiseError: for biases that are not plain parameters, or that belong to several pairs.
    """
    places = [pair for path, part in module.named_modules() if isinstance(part, _KINDS) for pair in _pairs_of(part, path)]
    pairs = {(id(first), id(second)): (first, second) for first, second in places}
    if len({id(bias) for pair in pairs.values() for bias in pair}) != 2 * len(pairs):
        raise InvalidValueError.because(
            "the biases of recurrent layers",
            must="come in pairs of their own",
            but="are shared, so that one of them belongs to several pairs",
            remedy="Give each layer its own biases, or share both of a pair.",
        )
    return list(pairs.values())


def _pairs_of(part: Any, path: str) -> Iterator[Pair]:
    if not part.bias:
        return
    parameters = dict(part.named_parameters(recurse=False, remove_duplicate=False))
    for layer in range(getattr(part, "num_layers", 1)):
        for direction in range(1 + getattr(part, "bidirectional", False)):
            names = [parameter_name(part, stored, layer, direction) for stored in ("bias_ih", "bias_hh")]
            if not parameters.keys() >= set(names):
                raise InvalidValueError.because(
                    f"{' and '.join(names)} of the {type(part).__name__} {path}".rstrip(),
                    must="be plain parameters",
                    but="are not both: they are parametrised (weight_norm) or pruned",
                    remedy="Make them plain first, with torch.nn.utils.parametrize.remove_parametrizations.",
                )
            first, second = (parameters[name] for name in names)
            yield first, second
