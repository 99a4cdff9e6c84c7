"""PyTorch modules that gatewise does not support are refused by name, and left as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from frameworks import RecurrentSpec, adapt, convert, copy_weights

INPUT, HIDDEN = 5, 7


def changed(**attributes: Any) -> nn.LSTM:
    module = nn.LSTM(INPUT, HIDDEN)
    for name, value in attributes.items():
        getattr(module, name).data = value
    return module


def one_in_double() -> nn.GRU:
    module = nn.GRU(INPUT, HIDDEN)
    module.bias_hh_l0.data = module.bias_hh_l0.data.double()
    return module


def tied() -> nn.LSTM:
    module = nn.LSTM(INPUT, HIDDEN, num_layers=2)
    module.weight_hh_l1 = module.weight_hh_l0
    return module


def tied_by_data() -> nn.LSTM:
    module = nn.LSTM(INPUT, HIDDEN, num_layers=2)
    module.weight_hh_l1.data = module.weight_hh_l0.data
    return module


def pruned() -> nn.RNN:
    module = nn.RNN(INPUT, HIDDEN)
    prune.l1_unstructured(module, "weight_hh_l0", amount=0.5)  # type: ignore[no-untyped-call]
    return module


def without_a_bias() -> nn.LSTM:
    module = nn.LSTM(INPUT, HIDDEN)
    module.register_parameter("bias_hh_l0", None)
    return module


class Doubled(nn.LSTM):
    def forward(self, *arguments: Any) -> Any:
        output, states = super().forward(*arguments)
        return 2 * output, states


def forward_of_an_instance() -> nn.LSTM:
    module = nn.LSTM(INPUT, HIDDEN)
    module.forward = lambda x: x  # type: ignore[method-assign, assignment]
    return module


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "a class": (lambda: nn.GRU, ("the class GRU, not an instance",)),
    "Linear": (lambda: nn.Linear(INPUT, HIDDEN), ("Linear",)),
    "Sequential": (lambda: nn.Sequential(nn.LSTM(INPUT, HIDDEN)), ("Sequential",)),
    "RNNBase": (lambda: nn.RNNBase("LSTM", INPUT, HIDDEN), ("RNNBase",)),
    "a list": (lambda: [nn.LSTM(INPUT, HIDDEN)], ("list",)),
    "old weight_norm": (lambda: nn.utils.weight_norm(nn.LSTM(INPUT, HIDDEN), "weight_hh_l0"), ("LSTM", "weight_hh_l0_g")),
    "weight_norm": (
        lambda: parametrizations.weight_norm(nn.LSTM(INPUT, HIDDEN), "weight_hh_l0"),
        ("ParametrizedLSTM", "weight_hh_l0"),
    ),
    "old spectral_norm": (lambda: nn.utils.spectral_norm(nn.GRU(INPUT, HIDDEN), "weight_ih_l0"), ("GRU", "weight_ih_l0_orig")),
    "spectral_norm": (lambda: parametrizations.spectral_norm(nn.GRUCell(INPUT, HIDDEN), "weight_hh"), ("weight_hh",)),
    "prune": (pruned, ("RNN", "weight_hh_l0_orig")),
    "without one bias": (without_a_bias, ("LSTM", "bias_hh_l0")),
    "meta device": (lambda: nn.LSTM(INPUT, HIDDEN, device="meta"), ("LSTM", "meta device")),
    "overridden forward": (lambda: Doubled(INPUT, HIDDEN), ("Doubled", "LSTM's own forward")),
    "forward of an instance": (forward_of_an_instance, ("LSTM's own forward",)),
    "proj_size": (lambda: nn.LSTM(INPUT, HIDDEN, proj_size=3), ("proj_size", "3")),
    "half": (lambda: nn.LSTM(INPUT, HIDDEN).half(), ("LSTM", "torch.float16")),
    "bfloat16": (lambda: nn.GRU(INPUT, HIDDEN).bfloat16(), ("GRU", "torch.bfloat16")),
    "complex": (lambda: nn.RNN(INPUT, HIDDEN).to(torch.complex64), ("RNN", "torch.complex64")),
    "mixed dtypes": (one_in_double, ("GRU", "torch.float32, torch.float64")),
    "untransposed kernel": (
        lambda: changed(weight_ih_l0=torch.ones(INPUT, 4 * HIDDEN)),
        ("weight_ih_l0", "(28, 5)", "(5, 28)"),
    ),
    "kernel with too few rows": (lambda: changed(weight_hh_l0=torch.ones(4, HIDDEN)), ("weight_hh_l0", "(28, 7)", "(4, 7)")),
    "bias as a column": (lambda: changed(bias_ih_l0=torch.ones(28, 1)), ("bias_ih_l0", "(28,)", "(28, 1)")),
    "expanded weight": (lambda: changed(weight_ih_l0=torch.ones(1).expand(28, INPUT)), ("weight_ih_l0", "(0, 0)")),
    "tied parameters": (tied, ("weight_hh_l1", "shares memory with weight_hh_l0")),
    "parameters over one memory": (tied_by_data, ("weight_hh_l1", "weight_hh_l0")),
    "nonlinearity that RNNCell cannot call": (lambda: nn.RNNCell(INPUT, HIDDEN, nonlinearity="sigmoid"), ("'sigmoid'",)),
}


@pytest.mark.filterwarnings("ignore:`?torch.nn.utils", "ignore:Complex modules")
@pytest.mark.parametrize("name", REFUSED)
def test_an_unsupported_module_is_refused_by_name_and_nothing_is_written(name: str, refused: Callable[..., Any]) -> None:
    make, said = REFUSED[name]
    native = make()
    tensors = list(native.state_dict().values()) if type(native) is not type and isinstance(native, nn.Module) else []
    before = [(tensor._version, tensor.clone()) for tensor in tensors]
    with refused(*said):
        adapt(native)
    with refused(*said):
        convert(native, to="keras")
    with refused(*said):
        copy_weights(nn.LSTM(INPUT, HIDDEN), native)
    for tensor, (version, kept) in zip(tensors, before, strict=True):
        assert tensor._version == version
        assert tensor.is_meta or torch.equal(tensor, kept)


def test_a_subclass_that_leaves_forward_alone_is_accepted() -> None:
    class Named(nn.LSTM):
        purpose = "encoder"

    assert adapt(Named(INPUT, HIDDEN)).spec.cell == "lstm"

    class Normed(nn.GRU):
        def __init__(self, *sizes: int) -> None:
            super().__init__(*sizes)
            self.norm = nn.LayerNorm(HIDDEN)  # for whoever calls it

    module = Normed(INPUT, HIDDEN)
    assert torch.equal(convert(module, to="pytorch").weight_hh_l0, module.state_dict()["weight_hh_l0"])


def test_what_torch_accepts_as_an_int_or_a_bool_is_read_as_one() -> None:
    size: Any = np.int64
    cell = nn.GRUCell(size(INPUT), size(HIDDEN))
    module = nn.LSTM(INPUT, HIDDEN, num_layers=size(2), bidirectional=1)
    assert adapt(cell).spec == RecurrentSpec("gru", INPUT, HIDDEN)
    assert adapt(module).spec == RecurrentSpec("lstm", INPUT, HIDDEN, num_layers=2, bidirectional=True)


def test_a_module_made_under_inference_mode_is_written_too() -> None:
    with torch.inference_mode():
        target = nn.GRU(INPUT, HIDDEN)
    source = nn.GRU(INPUT, HIDDEN)
    copy_weights(source, target)
    assert torch.equal(target.state_dict()["weight_hh_l0"], source.state_dict()["weight_hh_l0"])


def sharing(first: slice, second: slice) -> nn.GRU:
    module, memory = nn.GRU(INPUT, HIDDEN), torch.randn(200)
    module.bias_ih_l0.data, module.bias_hh_l0.data = memory[first], memory[second]
    return module


def test_weights_that_share_some_of_their_memory_are_refused(refused: Callable[..., Any]) -> None:
    size = 3 * HIDDEN
    assert adapt(sharing(slice(size), slice(size, 2 * size))).spec.cell == "gru"
    with refused("bias_hh_l0", "bias_ih_l0"):
        adapt(sharing(slice(size), slice(size - 1, 2 * size - 1)))
    overlapping = nn.GRU(INPUT, HIDDEN)
    overlapping.weight_hh_l0.data = torch.randn(200).as_strided((3 * HIDDEN, HIDDEN), (1, 1))
    with refused("weight_hh_l0", "(1, 1)"):
        adapt(overlapping)


def test_a_module_with_a_call_of_its_own_is_refused(refused: Callable[..., Any]) -> None:
    class Loud(nn.LSTM):
        def __call__(self, *args: Any, **options: Any) -> Any:
            output, states = super().__call__(*args, **options)
            return output * 2, states

    with refused("Loud", "overrides"):
        adapt(Loud(INPUT, HIDDEN))
