"""A diagnosis says what its data cannot show, and what would tell mistakes apart that are the same on it.

Covers: `compare/diagnosis/remarks.py`, `compare/diagnosis/explaining.py` (ports without biases).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compare import MISTAKES, diagnose
from compare.diagnosis.remarks import TELLING

NEVER_TWINS = {"dropout-active", "not-a-number", "not-copied", "sizes"}
"""What is seen on its own, and never explained by anything else."""

INPUTS = np.random.default_rng(0).standard_normal((3, 5, 4)).astype(np.float32)


def as_drawn(_: Any) -> None:
    """Change nothing."""


def same_directions(rnn: Any) -> None:
    for name, array in list(rnn.named_parameters()):
        if name.endswith("_reverse"):
            array.copy_(getattr(rnn, name.removesuffix("_reverse")))


def same_layers(rnn: Any) -> None:
    for name, array in list(rnn.named_parameters()):
        if "_l1" in name:
            array.copy_(getattr(rnn, name.replace("_l1", "_l0")))


def symmetric(rnn: Any) -> None:
    for block in rnn.weight_hh_l0.view(-1, 4, 4):
        block.copy_(block + block.T.clone())


def zero_biases(rnn: Any) -> None:
    for name, array in rnn.named_parameters():
        if "bias" in name:
            array.zero_()


STATES = np.full((1, 3, 4), 0.5, np.float32)
NOTES: dict[str, tuple[dict[str, Any], Callable[[Any], None], dict[str, Any]]] = {
    "both directions": ({"bidirectional": True}, same_directions, {}),
    "layers of the right stack": ({"num_layers": 2}, same_layers, {}),
    "are symmetric": ({}, symmetric, {}),
    "the biases of the right layer are zero": ({}, zero_biases, {}),
    "the mask is True at every step": ({}, as_drawn, {"mask": np.ones((3, 5), bool)}),
    "the initial states are zero": ({}, as_drawn, {"initial_state": np.zeros_like(STATES)}),
    "there is one time step": ({}, as_drawn, {"inputs": INPUTS[:, :1]}),
    "there is one row": ({}, as_drawn, {"inputs": INPUTS[:1]}),
}


def twice(options: dict[str, Any], change: Callable[[Any], None]) -> tuple[Any, Any]:
    """Return two modules with the same weights, changed."""
    torch.manual_seed(0)
    right, port = (nn.GRU(4, 4, batch_first=True, **options) for _ in range(2))
    with torch.no_grad():
        change(right)
    port.load_state_dict(right.state_dict())
    return right, port


@pytest.mark.parametrize("text", NOTES)
def test_what_the_data_cannot_show_is_said(text: str) -> None:
    options, change, given = NOTES[text]
    diagnosis = diagnose(*twice(options, change), **{"inputs": INPUTS, **given})
    assert diagnosis.verdict == "right"
    assert [note for note in diagnosis.notes if text in note]


def test_data_that_shows_everything_has_no_notes() -> None:
    mask = np.arange(5) < np.array([5, 3, 2])[:, None]
    assert diagnose(*twice({"num_layers": 1}, as_drawn), INPUTS, mask=mask, initial_state=STATES).notes == ()


def test_every_mistake_that_may_be_a_twin_has_an_input_that_tells_it_apart() -> None:
    assert set(TELLING) == set(MISTAKES) - NEVER_TWINS


class Loop(nn.Module):
    """A loop by hand over a cell that is built without biases."""

    def __init__(self, right: Any, *, flips: bool, off: float = 0.0) -> None:
        super().__init__()
        self.cell, self.flips, self.off = nn.GRUCell(4, 4, bias=False), flips, off
        with torch.no_grad():
            self.cell.weight_ih.copy_(right.weight_ih_l0)
            self.cell.weight_hh.copy_(right.weight_hh_l0)

    def forward(self, inputs: torch.Tensor) -> Any:
        state, outputs = torch.zeros(len(inputs), 4), []
        for x in inputs.unbind(1):
            read, kept = (x @ self.cell.weight_ih.T).chunk(3, 1), (state @ self.cell.weight_hh.T).chunk(3, 1)
            reset, update = (torch.sigmoid(read[gate] + kept[gate]) for gate in (0, 1))
            state = update * state + (1 - update) * torch.tanh(read[2] + reset * kept[2]) + self.off
            outputs.append(state)
        output = torch.stack(outputs, 1)
        return output.flip(1) if self.flips else output, state[None]


@pytest.mark.parametrize(("flips", "named"), [(False, {"bias-dropped"}), (True, {"bias-dropped", "output-not-flipped"})])
def test_a_loop_that_has_no_biases_is_compared_with_the_right_layer_without_them(flips: bool, named: set[str]) -> None:  # noqa: FBT001
    right, _ = twice({}, as_drawn)
    diagnosis = diagnose(right, Loop(right, flips=flips), INPUTS)
    assert {each.mistake for each in diagnosis.findings} == named
    assert min(each.error_after or 0.0 for each in diagnosis.findings) < 1e-6


def test_another_fault_beside_missing_biases_is_not_named() -> None:
    right, _ = twice({}, as_drawn)
    assert diagnose(right, Loop(right, flips=False, off=0.01), INPUTS).verdict == "not named"
