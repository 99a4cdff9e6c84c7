"""A mistake in weights that cannot be observed is guessed, with its place, and confirmed on all data.

Covers: `compare/diagnosis/guessing.py`, `compare/diagnosis/black_box.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from compare import diagnose
from frameworks import RecurrentSpec, RecurrentWeights
from frameworks.reference.forward import run_reference
from tests.compare.diagnosis.ports_by_hand import draw, from_keras, in_torch, with_arrays

Array = npt.NDArray[np.floating]
Change = Callable[[RecurrentWeights], RecurrentWeights]


def module(spec: RecurrentSpec, seed: int = 0) -> tuple[Any, RecurrentWeights]:
    """Return torch's module, and its weights as they were drawn, with two biases each."""
    weights = draw(spec, seed, two_biases=True)
    cls = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[spec.cell]
    rnn = cls(spec.input_size, spec.hidden_size, spec.num_layers, bidirectional=spec.bidirectional, batch_first=True)
    order = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}[spec.cell]
    with torch.no_grad():
        for layer, side, one in weights:
            end = f"_l{layer}{'_reverse' * side}"
            for name, array in (("weight_ih", one.kernel), ("weight_hh", one.recurrent_kernel)):
                getattr(rnn, name + end).copy_(torch.tensor(np.concatenate([array[gate].T for gate in order])))
            for name, bias in (("bias_ih", one.bias), ("bias_hh", one.recurrent_bias)):
                assert bias is not None
                getattr(rnn, name + end).copy_(torch.tensor(np.concatenate([bias[gate] for gate in order])))
    return rnn, weights


def black_box(spec: RecurrentSpec, weights: RecurrentWeights) -> Callable[..., Any]:
    """Return a function whose weights cannot be seen."""

    def port(inputs: torch.Tensor) -> Any:
        results = run_reference(weights, spec, inputs.numpy())
        states = [torch.tensor(each, dtype=torch.float32) for each in (results.h_n, results.c_n) if each is not None]
        return torch.tensor(results.output, dtype=torch.float32), states[0] if len(states) == 1 else tuple(states)

    return port


def each(*parts: str, places: tuple[tuple[int, int], ...] = (), to: Callable[[Array], Array]) -> Change:
    """Change some parts of some places, or of all."""

    def change(weights: RecurrentWeights) -> RecurrentWeights:
        chosen = {(layer, side): one for layer, side, one in weights if not places or (layer, side) in places}
        return with_arrays(weights, {at: {part: to(getattr(one, part)) for part in parts} for at, one in chosen.items()})

    return change


ALL = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
LSTM, GRU = RecurrentSpec("lstm", 3, 4), RecurrentSpec("gru", 3, 4, bidirectional=True)
DEEP = RecurrentSpec("lstm", 3, 4, num_layers=3)
CASES: dict[str, tuple[RecurrentSpec, Change, str, dict[str, Any]]] = {
    "gates everywhere": (GRU, each(*ALL, to=lambda w: w[[1, 0, 2]]), "gates-permuted", {}),
    "gates of one array": (
        GRU,
        each("recurrent_kernel", places=((0, 1),), to=lambda w: w[[1, 0, 2]]),
        "gates-permuted",
        {"direction": 1, "part": "recurrent kernel"},
    ),
    "gates of one bias": (GRU, each("recurrent_bias", to=lambda w: w[[1, 0, 2]]), "gates-permuted", {"part": "recurrent bias"}),
    "kernel reshaped in one layer": (
        DEEP,
        each("kernel", places=((1, 0),), to=lambda w: from_keras(in_torch(w, "lstm").reshape(-1, 16), "lstm")),
        "kernel-reshaped",
        {"layer": 1, "part": "kernel"},
    ),
    "blocks not transposed": (
        LSTM,
        each("recurrent_kernel", to=lambda w: w.transpose(0, 2, 1)),
        "gate-blocks-not-transposed",
        {"part": "recurrent kernel"},
    ),
    "no bias in one direction": (
        GRU,
        each("bias", "recurrent_bias", places=((0, 0),), to=np.zeros_like),
        "bias-dropped",
        {"direction": 0, "part": "bias"},
    ),
    "no constant": (
        LSTM,
        each("bias", to=lambda b: b - np.eye(4, dtype=np.float32)[1][:, None]),
        "forget-bias-missing",
        {"part": "bias"},
    ),
    "rounded": (LSTM, each(*ALL, to=lambda w: w.astype(np.float16).astype(np.float32)), "rounded", {}),
    "a layer twice": (
        DEEP,
        lambda weights: RecurrentWeights((weights.layers[0], weights.layers[2], weights.layers[2])),
        "from-another-layer",
        {"layer": 1},
    ),
    "directions exchanged": (
        GRU,
        lambda weights: RecurrentWeights(tuple(row[::-1] for row in weights.layers)),
        "directions-swapped",
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_mistake_in_hidden_weights_is_named_with_its_place(case: str) -> None:
    spec, change, mistake, where = CASES[case]
    rnn, weights = module(spec)
    (finding,) = diagnose(rnn, black_box(spec, change(weights))).findings
    assert mistake in (finding.mistake, *finding.twins)
    assert finding.where == where
    assert finding.fix
    assert finding.error_before is not None
    assert finding.error_after is not None
    assert finding.error_after < 1e-5 < finding.error_before or mistake == "rounded"


@pytest.mark.parametrize("spec", [LSTM, GRU])
def test_a_black_box_with_the_right_weights_is_right(spec: RecurrentSpec) -> None:
    rnn, weights = module(spec)
    assert diagnose(rnn, black_box(spec, weights)).verdict == "right"


def test_other_weights_behind_a_black_box_get_no_name() -> None:
    rnn, weights = module(LSTM)
    noisy = each("kernel", to=lambda w: w + np.float32(0.05))(weights)
    assert diagnose(rnn, black_box(LSTM, noisy)).verdict == "not named"
