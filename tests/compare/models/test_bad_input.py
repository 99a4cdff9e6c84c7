"""Bad input of a comparison ends in a clear error or in a finding, never in a traceback from inside.

Covers: `compare/models/arguments.py`, `compare/models/recording/recording.py`, `compare/models/recording/recorded.py`,
`compare/models/comparing.py`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from tests.compare.models.ports import L, Tagger, compared, filled, lay_dense

X = np.random.default_rng(7).standard_normal((5, 9, 4)).astype("float32")


@pytest.fixture(scope="module")
def model() -> Any:
    return filled(keras.Sequential([keras.Input((9, 4), name="signal"), L.Dense(3, activation="relu"), L.Dense(2)]))


@pytest.fixture
def port(model: Any) -> Any:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    lay_dense(net[0], model.layers[0])
    lay_dense(net[2], model.layers[1])
    return net


@pytest.mark.parametrize("wrong", [3, nn.Linear, lambda x: x, None])
def test_anything_but_a_model_is_refused(wrong: Any, model: Any, port: Any, refused: Any) -> None:
    with refused("the expected model must be a keras.Model or a torch.nn.Module"):
        compared(wrong, port, X)
    with refused("the actual model must be a keras.Model or a torch.nn.Module"):
        compared(model, wrong, X)


def test_a_model_without_weights_is_refused(port: Any, refused: Any) -> None:
    for unbuilt in (keras.Sequential([L.Dense(3)]), nn.Sequential(nn.LazyLinear(3))):
        with refused("must be built, but has no weights yet"):
            compared(unbuilt, port, X)


INPUTS: dict[str, tuple[Any, str]] = {
    "empty": (X[:0], "inputs must hold at least one row"),
    "not a number": (np.where(X > 2, np.nan, X), "inputs must be finite, but holds nan at"),
    "text": (np.array(["a"]), "inputs must hold numbers"),
    "another dtype": (X.astype("float64"), "the actual model must accept the inputs (float64"),
    "integers": (X.astype("int32"), "the actual model must accept the inputs (int32"),
    "another size": (X[..., :3], "the expected model must accept the inputs"),
    "too many": ((X, X), "must accept the inputs"),
    "unknown name": ({"other": X}, "Use signal (the expected model) or input (the actual one)"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_that_a_model_does_not_accept_are_refused(name: str, model: Any, port: Any, refused: Any) -> None:
    given, words = INPUTS[name]
    with refused(words):
        compared(model, port, given)


def test_inputs_are_accepted_in_every_form(model: Any, port: Any) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = port

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)  # type: ignore[no-any-return]  # a module returns Any

    forms: tuple[Any, ...] = (X, [X], (X,), {"signal": X}, {"x": X}, torch.from_numpy(X), None)
    for given in forms:
        for pair in ((model, Named()), (Named(), model)):
            assert compared(*pair, given)


def test_a_port_may_take_its_inputs_laid_out_otherwise(model: Any, port: Any) -> None:
    turned = np.ascontiguousarray(X.swapaxes(0, 1))
    found = compared(model, port, X, actual_inputs=turned)
    assert [row.verdict for row in found.rows] == ["agrees", "agrees"]
    assert compared(model, port, X, actual_inputs=X)


def test_ids_are_drawn_within_every_vocabulary_and_padded_where_zero_is_masked() -> None:
    ids = [L.Input((None,), dtype=dtype, name=name) for name, dtype in (("few", "int32"), ("many", "float32"))]
    embedded = [L.Embedding(size, 3, mask_zero=size == 5)(each) for each, size in zip(ids, (5, 40), strict=True)]
    model = filled(keras.Model(ids, [L.GRU(2)(each) for each in embedded]))
    seen: Any = {}

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.few, self.many = nn.Embedding(5, 3), nn.Embedding(40, 3)

        def forward(self, few: torch.Tensor, many: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.update(few=few.clone(), many=many.clone())
            return self.few(few)[:, 0, :2], self.many(many)[:, 0, :2]

    assert not compared(model, Port())
    assert 0 < seen["few"].max() < 5 <= seen["many"].max() < 40
    assert (seen["few"][1:, -1] == 0).all()
    assert (seen["few"][0] != 0).all()


def test_a_model_that_raises_is_named_with_its_error(model: Any, refused: Any) -> None:
    class Raises(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            message = f"no such branch for {x.ndim} axes\nmore"
            raise KeyError(message)

    with refused("the actual model must accept the inputs", "raises KeyError", "no such branch"):
        compared(model, Raises(), X)


def test_pairs_that_do_not_exist_are_refused(model: Any, port: Any, refused: Any) -> None:
    name = model.layers[0].name
    with refused("a key of pairs", "that the expected model calls, but is 'gru'", name):
        compared(model, port, X, pairs={"gru": "0"})
    with refused(f"pairs['{name}']", "that the actual model calls, but is '9'", "Choose one of 0, 1, 2."):
        compared(model, port, X, pairs={name: "9"})
    with refused("pairs must be a mapping"):
        compared(model, port, X, pairs=[(name, "0")])
    for wrong in (0, float("nan"), "small"):
        with refused("tolerance must be a positive number"):
            compared(model, port, X, tolerance=wrong)


def test_a_model_in_training_mode_is_compared_in_inference(model: Any, port: Any) -> None:
    with_dropout = nn.Sequential(*port, nn.Dropout(0.5)).train()
    found = compared(model, with_dropout, X)
    assert found
    assert any("is in training mode" in note for note in found.notes)
    assert with_dropout.training
    assert not any("training mode" in note for note in compared(model, with_dropout.eval(), X).notes)


class Random(nn.Module):
    """Draw random numbers, in front of another module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(nn.functional.dropout(x, 0.4))  # type: ignore[no-any-return]  # a module returns Any


class Drifts(Random):
    """Change the weights of the other module in the call."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.inner[0].weight.mul_(1.5)  # type: ignore[index]  # a Sequential
        return self.inner(x)  # type: ignore[no-any-return]  # a module returns Any


def test_random_numbers_are_told(model: Any, port: Any) -> None:
    found = compared(model, Random(port), X)
    assert not found
    assert "draws random numbers" in found.first.fix
    assert "training=self.training" in found.first.fix


def test_weights_that_a_call_changes_are_put_back_and_told(model: Any, port: Any) -> None:
    before = port[0].weight.clone()
    found = compared(model, Drifts(port), X)
    assert any("changes its own inner.0.weight" in note for note in found.notes)
    assert torch.equal(port[0].weight, before)


class Named(nn.Module):
    """Return a mapping."""

    def __init__(self, inner: nn.Module, *, swapped: bool = False) -> None:
        super().__init__()
        self.inner, self.swapped = inner, swapped

    def forward(self, x: torch.Tensor) -> Mapping[str, torch.Tensor]:
        results = {"y": self.inner(x), "z": x}
        return dict(reversed(results.items())) if self.swapped else results


def test_results_by_name_are_compared_by_name(port: Any) -> None:
    assert compared(Named(port), Named(port, swapped=True), X)
    found = compared(port, Named(port), X)
    assert not found
    assert found.error is None
    assert "return 1 array, as the expected model does: the port returns 2" in found.first.fix


def test_results_of_another_shape_are_a_finding(model: Any, port: Any) -> None:
    found = compared(model, nn.Sequential(*port, nn.Flatten()), X)
    assert found.error is None
    assert (found.first.kind, found.first.expected) == ("between", None)
    assert "shape" in str(found)


def test_not_a_number_is_a_finding_with_its_layer(model: Any, port: Any) -> None:
    with torch.no_grad():
        port[2].weight[0, 0] = float("nan")
    found = compared(model, port, X)
    assert found.error == float("inf")
    assert found.first.actual == "2"


def test_half_precision_is_compared_within_its_rounding(model: Any, port: Any) -> None:
    half = copy.deepcopy(port).half()
    found = compared(model, half, X, actual_inputs=X.astype("float16"))
    assert found
    assert any("float16" in note for note in found.notes)
    with torch.no_grad():
        half[2].weight.mul_(1.5)
    assert not compared(model, half, X, actual_inputs=X.astype("float16"))
    assert not compared(model, port.double(), X, actual_inputs=X.astype("float64"), tolerance=1e-9)


def test_quantized_modules_are_compared() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.ao.quantization.quantize_dynamic(copy.deepcopy(net), {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]  # torch has no types here
        found = compared(net, quantized, X)
    assert not found
    assert [(row.expected, row.actual) for row in found.rows] == [("0", "0"), ("1", "1"), ("2", "2")]
    assert found.first.actual == "0"


def test_scripted_models_are_compared_as_a_whole(port: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(port)
    found = compared(port, scripted, X)
    assert found
    assert {row.verdict for row in found.rows} == {"no partner"}


def test_tf_keras_models_are_compared() -> None:
    import tf_keras

    layers = tf_keras.layers
    ids = layers.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(20, 6, mask_zero=True, name="embedding")(ids)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="context")(x)
    x = layers.Dense(7, activation="relu", name="hidden")(x)
    old = tf_keras.Model(ids, layers.Dense(4, activation="softmax", name="tags")(x))
    rng = np.random.default_rng(0)
    old.set_weights([rng.normal(0, 0.4, each.shape) for each in old.get_weights()])
    assert compared(old, Tagger(old).eval())
    first = compared(old, Tagger(old, "halves").eval()).first
    assert (first.kind, first.expected, first.actual) == ("between", "hidden", "fc1")
