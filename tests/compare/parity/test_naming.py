"""A check that fails says what `diagnose` says of the same two layers on the same call, and no more than that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch

from compare import assert_parity, check_parity, diagnose
from compare.diagnosis.result import Diagnosis, Finding
from compare.parity.naming import join_diagnoses
from frameworks import convert, copy_weights, emulate
from frameworks.errors import InvalidValueError

HIDDEN, INPUT = 5, 3
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)


@pytest.fixture
def layer(randomise: Callable[..., Any]) -> Any:
    layer = keras.layers.LSTM(HIDDEN, return_sequences=True, name="encoder")
    layer.build((None, None, INPUT))
    return randomise(layer)


def exchange(module: Any, first: str = "input") -> Any:
    """Exchange the blocks of two gates of a torch LSTM: input and forget, or candidate and output."""
    with torch.no_grad():
        for parameter in module.parameters():
            one, two, three, four = parameter.chunk(4)
            parameter.copy_(torch.cat((two, one, three, four) if first == "input" else (one, two, four, three)))
    return module


@pytest.mark.backend
def test_a_failed_check_ends_with_what_diagnose_says(layer: Any) -> None:
    port = exchange(convert(layer))
    result = check_parity(layer, port)
    assert result.diagnosis is not None
    (finding,) = result.diagnosis.findings
    assert finding.mistake == "gates-permuted"
    assert str(result).endswith(f"diagnosis: {diagnose(layer, port)}")
    assert repr(result) == "<ParityResult failed, 23 comparisons: gates-permuted>"
    with pytest.raises(AssertionError, match="gates-permuted"):
        assert_parity(layer, port)


def test_a_notebook_shows_what_differs_as_tables(layer: Any) -> None:
    result = check_parity(layer, exchange(convert(layer)))
    blocks = result._repr_markdown_().split("\n\n")
    assert blocks[0] == "parity failed: 23 comparisons at tolerance 1e-05"
    assert blocks[1].startswith("* cause: the weights differ: kernel of layer 0, direction 0 is ")
    assert blocks[2].startswith("| what | against | shape | max abs | allowed | needed | verdict |\n| --- |")
    assert "| output of actual, from zeros | expected | (2, 4, 5) | " in blocks[2]
    assert blocks[3].startswith("Diagnosis: named: 1 mistake")
    assert "| gates-permuted |" in blocks[4]
    good = check_parity(layer, convert(layer))
    assert "Diagnosis" not in good._repr_markdown_()
    assert repr(good).startswith("<ParityResult passed, 23 comparisons: largest ")


@pytest.mark.parametrize(
    "call",
    [
        {"inputs": True},
        {"inputs": True, "mask": MASK},
        {"mask": MASK},
        {"keras_call": {"mask": MASK, "initial_state": [np.full((2, HIDDEN), 0.5, "float32")] * 2}},
        {"initial_state": (np.full((1, 2, HIDDEN), 0.5, "float32"),) * 2},
    ],
    ids="+".join,
)
def test_it_is_computed_on_the_call_of_the_check(layer: Any, call: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.random.default_rng(3).normal(size=(2, 4, INPUT)).astype("float32")
    given = {**call, **({"inputs": inputs} if "inputs" in call else {})}
    called: dict[str, Any] = {}

    def watched(*arguments: Any, **options: Any) -> Diagnosis:
        called.update(options, inputs=arguments[2])
        return diagnose(*arguments, **options)

    monkeypatch.setattr("compare.parity.naming.diagnose", watched)
    result = check_parity(layer, exchange(emulate(layer)), tolerance=1e-4, seed=7, **given)
    assert result.diagnosis is not None
    assert [each.mistake for each in result.diagnosis.findings] == ["gates-permuted"]
    mask = given.get("mask", given.get("keras_call", {}).get("mask"))
    assert (called["mask"] is None) == (mask is None)
    assert mask is None or np.array_equal(called["mask"], mask)
    if "inputs" in given:
        assert np.array_equal(called["inputs"], inputs)
    if "initial_state" in given or "keras_call" in given:
        assert all(np.all(state == 0.5) and state.shape == (1, 2, HIDDEN) for state in called["initial_state"])
    else:
        assert called["initial_state"] is None
    assert (called["tolerance"], called["seed"]) == (1e-4, 7)


@pytest.mark.parametrize("which", ["the expected layer", "the actual layer"])
def test_a_layer_that_reads_backwards_is_called_as_in_the_check(which: str, randomise: Callable[..., Any]) -> None:
    backward = keras.layers.LSTM(HIDDEN, go_backwards=True)
    backward.build((None, None, INPUT))
    module = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True)
    copy_weights(randomise(backward), module)
    assert check_parity(backward, module)
    sides = (backward, exchange(module)) if which == "the expected layer" else (exchange(module), backward)
    result = check_parity(*sides)
    assert result.diagnosis is not None
    assert [each.mistake for each in result.diagnosis.findings] == ["gates-permuted"]


def test_another_activation_is_named_although_the_weights_are_right(randomise: Callable[..., Any]) -> None:
    one, other = (keras.layers.LSTM(HIDDEN, recurrent_activation=each) for each in ("sigmoid", "hard_sigmoid"))
    for each in (one, other):
        each.build((None, None, INPUT))
        randomise(each)
    result = check_parity(one, other)
    assert result.diagnosis is not None
    assert [each.mistake for each in result.diagnosis.findings] == ["recurrent-activation"]


def test_nothing_is_said_of_a_check_that_passes_is_ill_conditioned_or_fails_in_gradients_alone(layer: Any) -> None:
    assert check_parity(layer, convert(layer)).diagnosis is None
    huge = convert(layer)
    with torch.no_grad():
        huge.weight_hh_l0 *= 1e4
    unsure = check_parity(huge, convert(huge, to="keras"), tolerance=1e-9)
    assert (unsure.verdict, unsure.diagnosis) == ("ill-conditioned", None)

    from frameworks.pytorch import PyTorchAdapter

    class Doubled(PyTorchAdapter):
        def gradients(self, *arguments: Any) -> Any:
            result = super().gradients(*arguments)
            result.inputs[...] *= 2
            return result

    wrong = check_parity(layer, Doubled(convert(layer)), gradients=True)
    assert (wrong.verdict, wrong.diagnosis) == ("failed", None)


def test_an_error_of_diagnose_leaves_the_verdict_as_it_is_and_a_defect_shows(
    layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(error: Exception) -> Callable[..., Any]:
        def diagnose(*_: Any, **__: Any) -> Any:
            raise error

        return diagnose

    monkeypatch.setattr("compare.parity.naming.diagnose", refusing(InvalidValueError("cannot be called")))
    result = check_parity(layer, exchange(convert(layer)))
    assert (result.verdict, result.diagnosis) == ("failed", None)
    assert "diagnosis" not in str(result)
    assert repr(result).startswith("<ParityResult failed, 23 comparisons: cause: the weights differ: kernel")
    monkeypatch.setattr("compare.parity.naming.diagnose", refusing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        check_parity(layer, exchange(convert(layer)))


def test_a_check_leaves_both_layers_as_they_were(layer: Any) -> None:
    port = exchange(convert(layer))
    before = [layer.get_weights(), [each.detach().numpy().copy() for each in port.parameters()]]
    assert check_parity(layer, port).diagnosis is not None
    after = [layer.get_weights(), [each.detach().numpy() for each in port.parameters()]]
    for one, other in zip(before, after, strict=True):
        assert [each.tobytes() for each in one] == [each.tobytes() for each in other]


def test_the_parts_of_a_layer_are_named_one_by_one(randomise: Callable[..., Any]) -> None:
    layer = keras.layers.RNN([keras.layers.LSTMCell(4), keras.layers.GRUCell(HIDDEN)])
    layer.build((None, None, INPUT))
    port = emulate(randomise(layer))
    exchange(torch.nn.ParameterList([each for name, each in port.named_parameters() if name.endswith("_l0")]))
    result = check_parity(layer, port)
    assert result.diagnosis is not None
    (finding,) = result.diagnosis.findings
    assert (finding.mistake, finding.where["in"]) == ("gates-permuted", "cell 0")


def test_one_part_that_is_not_named_leaves_the_whole_unnamed_and_nothing_unsaid() -> None:
    small, large = (Finding("rounded", {"layer": 0}, "rounded", error_before=off, error_after=0.0) for off in (0.25, 0.5))
    named, other, unnamed = Diagnosis("named", (small,)), Diagnosis("named", (large,)), Diagnosis("not named", notes=("why",))
    assert join_diagnoses({}) is None
    assert join_diagnoses({"a": None, "b": None}) is None
    assert join_diagnoses({"": named}) is named
    both = join_diagnoses({"a": named, "b": other, "c": None})
    assert both is not None
    assert [(each.where, each.error_before) for each in both.findings] == [
        ({"in": "b", "layer": 0}, 0.5),
        ({"in": "a", "layer": 0}, 0.25),
    ]
    assert join_diagnoses({"a": named, "b": unnamed}) == Diagnosis("not named", notes=("a: rounded: rounded", "b: why"))
