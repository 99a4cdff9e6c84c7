"""Whole models: correct ports agree, and a wrong one parts where its mistake is, whichever model is expected.

Covers: `compare/models/comparing.py`, `compare/models/diverging.py`, `compare/models/between.py`, `compare/models/forms.py`,
`compare/models/whole.py`, `compare/models/recurrent_layers.py`.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gatewise import assert_models_agree
from tests.compare.models.ports import MODELS, compared

X = np.random.default_rng(7).standard_normal((5, 9, 4)).astype("float32")


@pytest.mark.parametrize("name", MODELS)
def test_a_correct_port_agrees_in_every_row_in_both_directions(name: str, pair: Any) -> None:
    models = pair(name)
    for one, two in (models, models[::-1]):
        found = compared(one, two)
        assert found
        assert found.first is None
        assert {row.verdict for row in found.rows} <= {"agrees", "no partner"}
        assert all(row.alone_error is not None for row in found.rows if row.expected and row.actual)


BETWEEN = (
    ("tagger", "halves", ("hidden", "fc1"), "context", "output of rnn", "output[..., 5:], output[..., :5]"),
    ("tagger", "relu", ("tags", "fc2"), "hidden", "relu(fc1)", "not `fc1`"),
    ("tagger", "softmax", (None, None), "tags", "softmax(fc2", "softmax(fc2, dim=1)"),
    ("convolutions", "cell state", ("head", "fc"), "lower + upper", "h_n[1] of rnn", "c_n[1] of rnn"),
    ("convolutions", "lower layer", ("head", "fc"), "lower + upper", "h_n[1] of rnn", "h_n[0] of rnn"),
    ("convolutions", "mean", ("head", "fc"), "lower + upper", "h_n[1] of rnn", "output.mean(1) of rnn"),
    ("convolutions", "reshape", ("lower + upper", "rnn"), "shrink", "pool.permute(0, 2, 1)", "pool.reshape"),
    ("siamese", "flip", ("embedding", "embed"), None, "`right`", "right.flip(1)"),
    ("siamese", "difference", ("same", "out"), "encode", "torch.abs(", "torch.cat((h_n[-1] of gru"),
    ("siamese", "order", ("same", "out"), "encode", "torch.cat((torch.abs(", "not `torch.cat((h_n[-1]"),
    ("translator", "exchanged", ("decoder", "decoder"), "encoder", "h_n[0] of encoder", "c_n[0] of encoder"),
    ("translator", "forgotten", ("decoder", "decoder"), "encoder", "h_n[0] of encoder", "`zeros`"),
)


@pytest.mark.parametrize(("name", "mistake", "place", "after", "needed", "passed"), BETWEEN)
def test_what_is_passed_on_wrongly_is_named_between_two_layers(
    name: str, mistake: str, place: Any, after: str | None, needed: str, passed: str, pair: Any
) -> None:
    found = compared(*pair(name, mistake))
    assert not found
    assert found.first is not None
    assert (found.first.kind, found.first.expected, found.first.actual) == ("between", *place)
    assert found.first.after == after
    assert needed in found.first.fix
    assert passed in found.first.fix
    assert not [row for row in found.rows if row.verdict == "wrong here"]  # each layer is right alone
    assert found.also == ()


@pytest.mark.parametrize(("name", "mistake"), [("tagger", "relu"), ("convolutions", "mean"), ("translator", "exchanged")])
def test_the_place_is_the_same_with_the_other_model_expected(name: str, mistake: str, pair: Any) -> None:
    models = pair(name, mistake)
    one, two = compared(*models).first, compared(*models[::-1]).first
    assert one is not None
    assert two is not None
    assert (one.kind, one.expected, one.actual) == (two.kind, two.actual, two.expected)


def test_the_states_of_a_decoder_are_diagnosed(pair: Any) -> None:
    for mistake, identifier in (("exchanged", "states-swapped"), ("forgotten", "state-forgotten")):
        first = compared(*pair("translator", mistake)).first
        assert [each.mistake for each in first.diagnosis.findings] == [identifier]


def test_a_mask_that_does_not_reach_the_layer_is_named(pair: Any) -> None:
    first = compared(*pair("tagger", "mask")).first
    assert (first.kind, first.expected, first.actual) == ("in", "context", "rnn")
    assert [each.mistake for each in first.diagnosis.findings] == ["mask-ignored"]
    assert compared(*pair("tagger")).first is None


def test_a_forgotten_mask_is_told_beside_wrong_weights(pair: Any) -> None:
    for mistake in ("mask", ""):
        model, port = pair("tagger", mistake)
        with torch.no_grad():
            port.rnn.weight_hh_l0.copy_(port.rnn.weight_hh_l0.roll(5, 0).clone())
        first = compared(model, port).first
        assert (first.kind, first.actual) == ("in", "rnn")
        assert ("ignores the mask" in first.fix) is bool(mistake)


def test_wrong_weights_of_a_recurrent_layer_are_diagnosed_with_their_place(pair: Any) -> None:
    model, port = pair("tagger")
    with torch.no_grad():
        port.rnn.weight_hh_l0_reverse[5:10] *= 0.5
    first = compared(model, port).first
    assert (first.kind, first.expected, first.actual, first.after) == ("in", "context", "rnn", "embedding")
    assert first.diagnosis is not None
    assert (first.direction, first.gate) == (1, "forget")
    assert first.time_step is not None
    name, _, number = first.line.partition(":")
    assert Path(name).name == "ports.py"
    assert "self.rnn(x)" in Path(__file__).with_name("ports.py").read_text().splitlines()[int(number) - 1]


def test_gates_in_another_order_are_named(pair: Any) -> None:
    model, port = pair("convolutions")
    with torch.no_grad():
        for each in port.rnn.parameters():
            i, f, c, o = each.clone().chunk(4)
            each.copy_(torch.cat((f, i, c, o)))
    first = compared(model, port).first
    assert (first.kind, first.expected, first.actual) == ("in", "lower + upper", "rnn")
    assert "gates-permuted" in [each.mistake for each in first.diagnosis.findings]


def test_the_batch_read_as_time_is_said(pair: Any) -> None:
    first = compared(*pair("convolutions", "batch first")).first
    assert (first.kind, first.actual) == ("in", "rnn")
    assert "batch_first=True" in first.fix


def test_all_wrong_layers_are_found_in_one_run(pair: Any) -> None:
    model, port = pair("convolutions", "mean")
    port.bn.eps = 1e-5
    with torch.no_grad():
        port.fc.bias.zero_()
    found = compared(model, port)
    assert {row.actual for row in found.rows if row.verdict == "wrong here"} == {"bn", "fc"}
    assert (found.first.kind, found.first.actual) == ("in", "bn")
    assert [(each.kind, each.actual) for each in found.also] == [("between", "fc"), ("in", "fc")]
    assert any("fc" in note and "output.mean(1) of rnn" in note for note in found.notes)


def test_a_mistake_after_another_one_is_told_from_its_consequences(pair: Any) -> None:
    model, port = pair("translator", "exchanged")
    found = compared(model, port)
    assert found.also == ()
    with torch.no_grad():
        port.out.weight.add_(0.1)
    assert [each.actual for each in compared(model, port).also] == ["out"]


def test_what_makes_no_difference_to_the_results_is_noted(pair: Any) -> None:
    model, port = pair("tagger")
    with torch.no_grad():
        port.embed.weight[0] = 0  # the padding, which the mask leaves out
    found = compared(model, port)
    assert found
    assert [(row.actual, row.verdict) for row in found.inside] == [("embed", "wrong here")]
    assert found.first is not None
    assert (found.first.kind, found.first.actual) == ("in", "embed")
    assert "the results agree although these differ inside: embed" in found.notes


class Chaotic(nn.Module):
    """A recurrence in which a rounding grows a thousandfold."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.rnn, self.out = nn.RNN(4, 64, batch_first=True), nn.Linear(64, 2)
        with torch.no_grad():
            self.rnn.weight_hh_l0.normal_(0, 3 / 8)  # type: ignore[operator]  # torch's types know no item of a Sequential

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x)[0][:, -1])  # type: ignore[no-any-return]  # a module returns Any


class Nudged(Chaotic):
    """The same, whose inputs are one rounding off."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x * (1 + 2**-23))


def test_the_results_may_be_as_far_apart_as_one_rounding_makes_them() -> None:
    x = np.random.default_rng(0).standard_normal((3, 40, 4)).astype("float32")
    right, port = Chaotic().eval(), Nudged().eval()
    found = compared(right, port, x)
    assert found
    assert found.allowed > 2e-5
    assert not compared(right, port, x, tolerance=1e-6)
    with torch.no_grad():
        port.out.weight.mul_(1.1)
    assert not compared(right, port, x)


def test_a_comparison_costs_few_calls_of_the_models(pair: Any) -> None:
    models = pair("convolutions")
    x = np.random.default_rng(0).standard_normal((4, 14, 3)).astype("float32")
    compared(*models, x)
    start = time.process_time()
    models[0](x, training=False)
    with torch.no_grad():
        models[1](torch.from_numpy(x))
    own, start = time.process_time() - start, time.process_time()
    compared(*models, x)
    assert time.process_time() - start <= 3 * own + 2


def test_an_assertion_says_where_the_models_part(pair: Any) -> None:
    assert_models_agree(*pair("translator"))
    with pytest.raises(AssertionError, match=r"they first part between encoder and decoder[\s\S]*c_n\[0\] of encoder"):
        assert_models_agree(*pair("translator", "exchanged"))


def test_two_models_of_one_framework_are_compared() -> None:
    right = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6))
    port = copy.deepcopy(right)
    assert compared(right, port, X)
    with torch.no_grad():
        port[2].weight.copy_(port[2].weight.T.clone())  # type: ignore[operator]  # torch's types know no item of a Sequential
    found = compared(right, port, X)
    assert (found.first.kind, found.first.actual) == ("in", "2")
    assert "transposed" in found.first.fix


@pytest.mark.gpu
def test_models_on_cuda_are_compared_there(pair: Any) -> None:
    model, port = pair("convolutions")
    found = compared(model, port.cuda())
    assert any("TF32" in note for note in found.notes)
    assert all(each.device.type == "cuda" for each in port.parameters())
    assert not compared(model, pair("convolutions", "mean")[1].cuda())
