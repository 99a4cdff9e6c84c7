"""The results are the same fused or step by step, packed or masked, both directions at once or one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasSimpleRNN, directions
from frameworks.keras_in_torch.layers.cells import Cell
from frameworks.keras_in_torch.layers.sequences import run_fused

X = torch.randn(4, 7, 3, dtype=torch.float64)
MASK = torch.tensor(
    [[1, 1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]], dtype=torch.bool
)
MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "LSTM": lambda flags: KerasLSTM(5, **flags),
    "GRU": lambda flags: KerasGRU(5, **flags),
    "tanh": lambda flags: KerasSimpleRNN(5, **flags),
    "relu": lambda flags: KerasSimpleRNN(5, "relu", **flags),
    "backwards": lambda flags: KerasLSTM(5, go_backwards=True, zero_output_for_mask=True, **flags),
    "two": lambda flags: KerasBidirectional(KerasLSTM(5, **flags)),
    "two apart": lambda flags: KerasBidirectional(KerasGRU(5, **flags), None),
    "two of two kinds": lambda flags: KerasBidirectional(
        KerasGRU(5, **flags), "sum", backward_layer=KerasLSTM(5, go_backwards=True, **flags)
    ),
}


def run(layer: Any, mask: torch.Tensor | None) -> list[torch.Tensor]:
    x = X.clone().requires_grad_()
    layer.zero_grad()
    returned = layer(x, mask=mask)
    leaves = list(returned) if isinstance(returned, tuple) else [returned]
    torch.autograd.backward([leaf.pow(2).sum() for leaf in leaves])
    assert x.grad is not None
    return [*leaves, x.grad, *(each.grad for each in layer.parameters() if each.grad is not None)]


@pytest.mark.parametrize("mask", [None, MASK, torch.zeros_like(MASK)], ids=["all", "holes", "nothing"])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_the_fused_operation_and_the_loop_agree_gradients_included(
    name: str, *, return_sequences: bool, mask: torch.Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = MAKERS[name]({"return_sequences": return_sequences, "return_state": True, "dtype": "float64"})
    fused: list[str] = []

    def watched(mode: str, *rest: Any) -> Any:
        fused.append(mode)
        return run_fused(mode, *rest)

    monkeypatch.setattr(directions, "run_fused", watched)
    actual = run(layer, mask)
    assert len(fused) == (
        0 if mask is not None and not mask.any() else {"two": 1, "two apart": 1, "two of two kinds": 2}.get(name, 1)
    )
    monkeypatch.setattr(Cell, "fused_mode", None)
    fused.clear()
    expected = run(layer, mask)
    assert not fused
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_the_loop_runs_where_torch_computes_something_else() -> None:
    for cell in (
        Cell("lstm", 4, recurrent_activation="hard_sigmoid"),
        Cell("lstm", 4, activation="relu"),
        Cell("lstm", 4, activation=torch.tanh),
        Cell("gru", 4, reset_after=False),
        Cell("rnn", 4, activation="sigmoid"),
    ):
        assert cell.fused_mode is None
    modes = [Cell("lstm", 4), Cell("gru", 4), Cell("rnn", 4), Cell("rnn", 4, activation="relu")]
    assert [cell.fused_mode for cell in modes] == ["lstm", "gru", "rnn_tanh", "rnn_relu"]


@pytest.mark.parametrize(
    "layer", [KerasLSTM(5, input_size=3), KerasGRU(5, input_size=3, reset_after=False)], ids=["fused", "loop"]
)
def test_values_at_masked_steps_change_nothing(layer: Any) -> None:
    seen: list[list[torch.Tensor]] = []
    for value in (0.0, 1e30, torch.nan, torch.inf):
        x = X.float().masked_fill(~MASK.unsqueeze(-1), value).requires_grad_()
        layer.zero_grad()
        layer(x, mask=MASK).sum().backward()
        assert x.grad is not None
        assert not x.grad[~MASK].any()
        seen.append([x.grad, *(each.grad.clone() for each in layer.parameters() if each.grad is not None)])
    for actual in seen[1:]:
        for one, other in zip(actual, seen[0], strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
