"""A torch module starts from the distributions that Keras's own layers start from.

Covers: `frameworks/initialisation.py`, `frameworks/keras_in_torch/starts.py`.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import initialise_like_keras
from frameworks.keras_in_torch.layers import KerasGRU, KerasLSTM

INPUT, HIDDEN = 300, 64
KINDS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "SimpleRNN": (nn.RNN, nn.RNNCell),
    "LSTM": (nn.LSTM, nn.LSTMCell),
    "GRU": (nn.GRU, nn.GRUCell),
}


def keras_arrays(layer: Any) -> list[Any]:
    return [np.array(array) for array in layer.get_weights()]


def genuine(name: str, input_size: int = INPUT, seed: int = 5) -> list[Any]:
    """Return the kernel, recurrent kernel and bias of a new Keras layer."""
    import keras

    keras.utils.set_random_seed(seed)
    layer = getattr(keras.layers, name)(HIDDEN)
    layer.build((None, None, input_size))
    return keras_arrays(layer)


def orthogonality(recurrent: Any) -> float:
    """Return how far the rows of a (hidden, gate * hidden) matrix are from orthonormal."""
    return float(np.abs(recurrent @ recurrent.T - np.eye(len(recurrent))).max())


def suffixes(module: Any) -> list[str]:
    return [name.removeprefix("weight_ih") for name in module._parameters if name.startswith("weight_ih")]


def odd_ones(module: Any, name: str, alike: Callable[[Any, Any], bool]) -> set[str]:
    """Return Keras's names of the arrays that do not start as in Keras's layer of this name."""
    different = set()
    for suffix in suffixes(module):
        weight = {stem: getattr(module, stem + suffix, None) for stem in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        array: dict[str, Any] = {stem: one if one is None else one.detach().double().numpy().T for stem, one in weight.items()}
        kernel, recurrent, bias = genuine(name, len(array["weight_ih"]))
        if not alike(array["weight_ih"], kernel) or abs(np.abs(array["weight_ih"]).max() / np.abs(kernel).max() - 1) > 0.01:
            different.add("kernel")
        if orthogonality(array["weight_hh"]) > 1e-5 or not alike(array["weight_hh"], recurrent):
            different.add("recurrent_kernel")
        rows = [array["bias_ih"], array["bias_hh"]]
        if rows[0] is not None and (not np.array_equal(rows if name == "GRU" else rows[0] + rows[1], bias) or rows[1].any()):
            different.add("bias")
    return different


@pytest.mark.backend
@pytest.mark.parametrize("name", KINDS)
def test_a_recurrent_module_starts_as_keras_s_layer(name: str, alike: Any) -> None:
    layer, cell = KINDS[name]
    for made in (layer(INPUT, HIDDEN, num_layers=2, bidirectional=True), cell(INPUT, HIDDEN), layer(INPUT, HIDDEN, bias=False)):
        assert odd_ones(made, name, alike)
        assert initialise_like_keras(made, seed=0) is made
        assert odd_ones(made, name, alike) == set()


WRONG: dict[str, tuple[str, Callable[[Any], object]]] = {
    "Glorot of each gate": ("kernel", lambda module: [nn.init.xavier_uniform_(one) for one in module.weight_ih_l0.chunk(4)]),
    "orthogonal gates": ("recurrent_kernel", lambda module: [nn.init.orthogonal_(one) for one in module.weight_hh_l0.chunk(4)]),
    "no forget bias": ("bias", lambda module: module.bias_ih_l0.zero_()),
    "two forget biases": ("bias", lambda module: module.bias_hh_l0[HIDDEN : 2 * HIDDEN].fill_(1)),
    "another gate's": ("bias", lambda module: module.bias_ih_l0.copy_(module.bias_ih_l0.roll(HIDDEN))),
    "torch's own": ("kernel", lambda module: nn.init.uniform_(module.weight_ih_l0, -(HIDDEN**-0.5), HIDDEN**-0.5)),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_the_classic_mistakes_are_told_apart(mistake: str, alike: Any) -> None:
    module = initialise_like_keras(nn.LSTM(INPUT, HIDDEN), seed=0)
    array, spoil = WRONG[mistake]
    with torch.no_grad():
        spoil(module)
    assert odd_ones(module, "LSTM", alike) == {array}


PLAIN: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Any], tuple[int | None, ...]]] = {
    "Linear": (lambda: nn.Linear(200, 90), lambda layers: layers.Dense(90), (None, 200)),
    "Embedding": (lambda: nn.Embedding(300, 50), lambda layers: layers.Embedding(300, 50), (None, None)),
    "Conv1d": (lambda: nn.Conv1d(20, 60, 9), lambda layers: layers.Conv1D(60, 9), (None, None, 20)),
    "Conv2d": (lambda: nn.Conv2d(20, 60, 3, groups=5), lambda layers: layers.Conv2D(60, 3, groups=5), (None, None, None, 20)),
    "LayerNorm": (lambda: nn.LayerNorm(8), lambda layers: layers.LayerNormalization(), (None, 8)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(8), lambda layers: layers.BatchNormalization(), (None, 8)),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", PLAIN)
def test_a_layer_around_them_starts_as_keras_s(name: str, alike: Any) -> None:
    import keras

    make, make_keras, shape = PLAIN[name]
    keras.utils.set_random_seed(5)
    layer = make_keras(keras.layers)
    layer.build(shape)
    module = make()
    tensors = [*module.parameters(), *(buffer for buffer in module.buffers() if buffer.ndim)]
    for tensor in tensors:
        tensor.data.fill_(7)
    initialise_like_keras(module, seed=0)
    for tensor, array in zip(tensors, keras_arrays(layer), strict=True):
        assert alike(tensor.detach(), array)
        assert np.isclose(float(tensor.detach().abs().max()), np.abs(array).max(), rtol=0.02)
    own = [parameter.detach() for parameter in make().parameters()]
    same = [alike(tensor, array) for tensor, array in zip(own, keras_arrays(layer), strict=False)]
    assert all(same) if "Norm" in name else not any(same)


def test_the_row_of_padding_stays_zero_as_torch_makes_it() -> None:
    module = initialise_like_keras(nn.Embedding(300, 50, padding_idx=3), seed=0)
    assert not module.weight[3].any()
    assert module.weight.any(dim=1).sum() == 299


def test_a_projection_starts_as_a_dense_kernel(alike: Any) -> None:
    module = initialise_like_keras(nn.LSTM(INPUT, HIDDEN, proj_size=40), seed=0)
    dense = initialise_like_keras(nn.Linear(HIDDEN, 40), seed=1)
    assert alike(module.weight_hr_l0.detach(), dense.weight.detach())
    assert orthogonality(module.weight_hh_l0.detach().numpy().T) < 1e-5


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.body = nn.ModuleList([nn.GRU(8, 8), nn.Sequential(nn.LayerNorm(8), nn.Dropout(0.5))])
        self.out = nn.Linear(8, 30)
        self.out.weight = self.embed.weight


def test_a_model_is_drawn_whole_and_shared_parameters_once() -> None:
    model = Model()
    before = copy.deepcopy(model)
    initialise_like_keras(model, seed=0)
    assert model.out.weight is model.embed.weight
    assert 0.04 < model.embed.weight.abs().max() < 0.05  # as for the embedding, which comes first
    changed = {
        name for (name, one), other in zip(model.named_parameters(), before.parameters(), strict=True) if (one != other).any()
    }
    assert changed == {name for name, _ in model.named_parameters() if "body.1" not in name}


@pytest.mark.backend
def test_a_seed_repeats_the_draw_and_leaves_every_global_state_alone(next_numbers: Any) -> None:
    import keras

    def after(seed: int | None) -> tuple[list[float], torch.Tensor]:
        keras.utils.set_random_seed(3)
        torch.manual_seed(3)
        module: Any = nn.LSTM(3, 4)
        if seed != -1:
            initialise_like_keras(module, seed=seed)
        return next_numbers(), module.weight_hh_l0.detach()

    untouched, _ = after(-1)
    (numbers, one), (_, other), (_, third) = after(0), after(0), after(1)
    assert numbers == untouched
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    (drawn, first), (_, second) = after(None), after(None)
    assert drawn[0] != untouched[0]  # torch's own generator
    assert drawn[1:] == untouched[1:]
    assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_every_floating_dtype_is_drawn_into(dtype: torch.dtype) -> None:
    wide, module = (initialise_like_keras(nn.GRU(5, 6).to(one), seed=0) for one in (torch.float32, dtype))
    for one, other in zip(module.parameters(), wide.parameters(), strict=True):
        assert one.dtype == dtype
        if dtype != torch.float64:  # float64 is drawn in float64, which gives other numbers
            assert torch.equal(one.float(), other.to(dtype).float())
    if dtype == torch.float64:
        assert orthogonality(module.weight_hh_l0.detach().numpy().T) < 1e-14


def test_gradients_and_what_is_frozen_stay_as_they_are() -> None:
    module: Any = nn.LSTM(3, 4)
    module(torch.zeros(1, 2, 3))[0].sum().backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    module.weight_hh_l0.requires_grad = False
    before = module.weight_hh_l0.clone()
    initialise_like_keras(module)
    assert (module.weight_hh_l0 != before).any()
    assert [parameter.requires_grad for parameter in module.parameters()] == [True, False, True, True]
    assert all(parameter.grad is grad for parameter, grad in zip(module.parameters(), gradients, strict=True))


@pytest.mark.parametrize("kind", [KerasLSTM, KerasGRU])
def test_an_emulated_layer_starts_from_keras_s_defaults_whatever_its_own(kind: Any, alike: Any) -> None:
    module = kind(HIDDEN, input_size=INPUT, kernel_initializer="ones", recurrent_initializer="zeros", bias_initializer="ones")
    initialise_like_keras(module, seed=0)
    assert odd_ones(module, kind.__name__.removeprefix("Keras"), alike) == set()


def _weight_norm() -> Any:
    return nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")


def _custom() -> nn.Module:
    module = Model()
    module.scale = nn.Parameter(torch.ones(3))
    return module


def _made_in_inference_mode() -> nn.Module:
    first = nn.Linear(2, 2)
    with torch.inference_mode():
        return nn.Sequential(first, nn.Linear(2, 2))


def _expanded() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = nn.Parameter(torch.zeros(1, 2).expand(2, 2))
    return module


def _quantised() -> nn.Module:
    packed: Any = torch.ao.nn.quantized.dynamic.Linear
    return nn.Sequential(nn.Linear(2, 2), packed(2, 2, dtype=torch.float16))


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "attention": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2)),
        ("1.in_proj_weight", "MultiheadAttention"),
    ),
    "a parameter of one's own": (_custom, ("scale", "Model")),
    "weight_norm": (_weight_norm, ("weight_hh_l0", "parametrised")),
    "another default": (lambda: nn.Sequential(nn.Linear(2, 2), nn.PReLU()), ("1.weight", "PReLU")),
    "no shape": (lambda: nn.Sequential(nn.Linear(2, 2), KerasLSTM(3)), ("1.weight_ih", "none yet", "build(input_size)")),
    "inference": (_made_in_inference_mode, ("1.weight", "inference_mode")),
    "expanded": (_expanded, ("1.weight", "strides (0, 1)")),
    "quantised": (_quantised, ("the module 1", "quantized.dynamic", "before it is quantised")),
    "meta": (lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta")), ("1.weight", "meta device", "to_empty")),
    "no module": (lambda: [nn.Linear(2, 2)], ("builtins.list", "torch.nn.Module")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unknown_parameter_is_refused_by_name_before_the_first_write(case: str, refused: Any) -> None:
    make, said = REFUSED[case]
    module = make()
    read = module.parameters() if isinstance(module, nn.Module) else []
    kept = [(one, one.detach().clone()) for one in read if not (isinstance(one, nn.UninitializedParameter) or one.is_meta)]
    with refused(*said):
        initialise_like_keras(module, seed=0)
    assert all(torch.equal(one, before) for one, before in kept)


@pytest.mark.parametrize("seed", [True, 1.0, -1, 2**63, "0"])
def test_a_seed_is_a_whole_number(seed: Any, refused: Any) -> None:
    with refused("seed", repr(seed)):
        initialise_like_keras(nn.Linear(2, 2), seed=seed)


@pytest.mark.backend
def test_a_layer_of_keras_is_refused_here(refused: Any) -> None:
    import keras

    with refused("keras.src.layers", "torch.nn.Module"):
        initialise_like_keras(keras.layers.Dense(2))


def test_drawing_as_keras_does_not_load_keras() -> None:
    text = """
import json, sys, torch
from frameworks import freeze_second_bias, initialise_like_keras
initialise_like_keras(freeze_second_bias(torch.nn.LSTM(2, 3)))
print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))
"""
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert {"keras", "tensorflow", "tf_keras", "jax"}.isdisjoint(json.loads(run.stdout))
