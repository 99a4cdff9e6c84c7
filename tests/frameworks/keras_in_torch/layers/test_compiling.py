"""Emulated layers work with torch.compile and torch.export, and compute the same there.

Covers: `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch.export import Dim, export

from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasMasking, KerasSequential

BATCH, TIME, INPUT, UNITS = 3, 3, 2, 4
X = torch.randn(BATCH, TIME, INPUT)
MASK = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 1]], dtype=torch.bool)
MAKERS: dict[str, Callable[[], Any]] = {
    "fused": lambda: KerasLSTM(UNITS, input_size=INPUT, return_sequences=True, return_state=True),
    "loop": lambda: KerasGRU(UNITS, input_size=INPUT, reset_after=False, return_sequences=True),
    "two": lambda: KerasBidirectional(KerasGRU(UNITS, input_size=INPUT, return_sequences=True), "sum"),
    "last step": lambda: KerasBidirectional(KerasLSTM(UNITS, input_size=INPUT, recurrent_activation="hard_sigmoid")),
}


@pytest.fixture(autouse=True)
def _from_scratch() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def flat(returned: Any) -> torch.Tensor:
    return torch.cat([each.flatten() for each in (returned if isinstance(returned, tuple) else (returned,))])


def gradients(layer: Any, call: Callable[..., Any], mask: torch.Tensor | None) -> list[torch.Tensor]:
    x = X.clone().requires_grad_()
    layer.zero_grad()
    output = flat(call(x, mask=mask))
    torch.autograd.backward(output.pow(2).sum())
    assert x.grad is not None
    return [output.detach(), x.grad, *(each.grad.clone() for each in layer.parameters() if each.grad is not None)]


@pytest.mark.filterwarnings("ignore::UserWarning:torch")  # torch warns of operations that it traces
@pytest.mark.parametrize(("name", "mask"), [("fused", None), ("loop", MASK), ("two", MASK), ("last step", MASK)])
def test_a_compiled_layer_returns_the_same_gradients_included(name: str, mask: torch.Tensor | None) -> None:
    layer = MAKERS[name]()
    expected = gradients(layer, layer, mask)
    actual = gradients(layer, torch.compile(layer, backend="aot_eager", fullgraph=name in {"loop", "last step"}), mask)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other)
    wrong = gradients(layer, layer, torch.roll(MASK, 1, 1))
    assert (wrong[0] - expected[0]).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_unbuilt_and_stateful_layers_compile() -> None:
    layer = KerasLSTM(UNITS, stateful=True, recurrent_activation="hard_sigmoid")
    twin = deepcopy(layer)
    compiled = torch.compile(layer, backend="aot_eager")
    compiled(X)
    layer.reset_state()
    twin.load_state_dict(layer.state_dict())
    for _ in range(3):
        torch.testing.assert_close(compiled(X), twin(X))
    assert layer.states[0].any()


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize(("name", "mask"), [("fused", MASK), ("loop", None), ("two", MASK), ("last step", MASK)])
def test_an_exported_layer_returns_the_same_for_any_batch(name: str, mask: torch.Tensor | None) -> None:
    layer = MAKERS[name]().eval()
    batch = Dim("batch")
    shapes = {"inputs": {0: batch}, "mask": None if mask is None else {0: batch}}
    exported = export(layer, (X,), {"mask": mask}, dynamic_shapes=shapes).module()
    x, steps = torch.randn(7, TIME, INPUT), None if mask is None else torch.rand(7, TIME) < 0.5
    torch.testing.assert_close(flat(exported(x, mask=steps)), flat(layer(x, mask=steps)))
    assert (flat(exported(-x, mask=steps)) - flat(layer(x, mask=steps))).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_a_stateful_layer_is_exported_with_its_states(refused: Any) -> None:
    layer = KerasGRU(UNITS, stateful=True, input_size=INPUT)
    with refused("stateful", "exported"):
        export(deepcopy(layer), (X,))
    layer(X)
    exported = export(deepcopy(layer), (X,)).module()
    for _ in range(3):
        torch.testing.assert_close(exported(X), layer(X))


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_a_model_is_exported() -> None:
    model = KerasSequential(
        [KerasMasking(), KerasLSTM(UNITS, input_size=INPUT, return_sequences=True), KerasGRU(3, input_size=UNITS)]
    )
    x = X * MASK.unsqueeze(-1)
    expected = model(x)
    torch.testing.assert_close(export(model.eval(), (x,)).module()(x), expected)
