"""Inputs by name reach each model as its call takes them, and results by name are compared by name.

Covers: `compare/models/arguments.py`, `compare/models/diverging.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch
from torch import nn

from compare.models.recording.recording import record
from tests.compare.models.ports import compared, filled, lay_dense

INPUTS = {name: np.random.default_rng(at).standard_normal((3, 4)).astype("float32") for at, name in enumerate(("one", "two"))}


class Difference(keras.Model):  # type: ignore[misc]  # keras is untyped
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2, name="dense")

    def call(self, given: Any) -> Any:
        return self.dense(given["one"] - given["two"])


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        return self.fc(one - two)  # type: ignore[no-any-return]


class AsMapping(ByName):
    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        return super().forward(**batch)


def test_a_mapping_reaches_a_call_with_one_parameter_as_it_is() -> None:
    model = Difference()
    model(INPUTS)
    filled(model)
    for port in (ByName(), AsMapping()):
        lay_dense(port.fc, model.dense)
        assert compared(model, port, INPUTS)
        assert compared(port, model, INPUTS)
        port.fc.bias.data.add_(1)
        assert not compared(model, port, INPUTS)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_model_gets_a_mapping_by_its_keys_in_whatever_order_they_were_given(library: Any) -> None:
    one, two = library.Input((4,), name="text"), library.Input((5,), name="meta")
    tensors = [library.layers.Dense(3, name=name)(tensor) for name, tensor in (("first", one), ("second", two))]
    model = library.Model({"text": one, "meta": two}, library.layers.Subtract()(tensors))
    given = {"text": INPUTS["one"], "meta": np.ones((3, 5), "float32")}
    expected = np.asarray(model(given))
    (found,) = record(model, [given["meta"], given["text"]], {}).outputs.values()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("keys", "wrong", "fix"),
    [
        (("a", "b"), 0, ""),
        (("b", "a"), 0, ""),
        (("a", "b"), 1, "pass `softmax(fc, dim=1)` as result 'b', not `softmax(fc, dim=0)`"),
        (("c", "b"), 1, "return the keys a, b: the port returns c, b, which are compared by position"),
    ],
)
def test_results_by_name_are_named(keys: tuple[str, str], wrong: int, fix: str) -> None:
    x = keras.Input((4,))
    dense = keras.layers.Dense(3, name="dense")(x)
    model = filled(keras.Model(x, {"a": keras.ops.tanh(dense), "b": keras.ops.softmax(dense)}))

    class Port(ByName):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)
            lay_dense(self.fc, model.get_layer("dense"))

        def forward(self, one: torch.Tensor) -> Any:  # type: ignore[override]
            y = self.fc(one)
            both = {"a": torch.tanh(y), "b": torch.softmax(y, 0 if wrong else -1)}
            return {key: both.get(key, both["a"]) for key in keys}

    first = compared(model, Port(), INPUTS["one"]).first
    assert (first.fix if first else "") == fix


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_compiled_module_whose_call_has_no_signature_is_compared() -> None:
    right = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
    port = torch.jit.trace(right, torch.from_numpy(INPUTS["one"]))  # type: ignore[no-untyped-call]
    assert compared(right, port, INPUTS["one"])
