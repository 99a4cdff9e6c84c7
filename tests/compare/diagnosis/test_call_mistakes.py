"""Right weights and a wrong call: the mistake is named, undone on all data, and the right call is not named.

Covers: `compare/diagnosis/call/call_search.py`, `compare/diagnosis/call/call_findings.py`,
`compare/diagnosis/call/simulation.py`, `compare/diagnosis/call/expressions.py`, `compare/diagnosis/call/row_search.py`,
`compare/diagnosis/sides/windows.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compare import diagnose
from gatewise import copy_weights
from tests.compare.diagnosis.wrong_calls import HIDDEN, INPUT, LAYERS, Port, WrongCall, X, cases, filled, lstm, packed, two

CASES = list(cases())
NAMES = [f"{case.mistake} {number}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_wrong_call_is_named_and_undone(case: WrongCall) -> None:
    found = diagnose(case.layer, Port(case.module, case.wrong), X, **case.given)
    assert [each.mistake for each in found.findings] == [case.mistake], str(found)
    (finding,) = found.findings
    assert finding.error_before is not None
    assert finding.error_after is not None
    assert finding.error_before > 1e-3
    assert finding.error_after < 1e-5
    assert case.where.items() <= finding.where.items()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_right_call_is_right(case: WrongCall) -> None:
    assert diagnose(case.layer, Port(case.module, case.right), X, **case.given).verdict == "right"


@pytest.mark.parametrize(
    ("mistake", "options"),
    [("activation", {"activation": "softsign"}), ("recurrent-activation", {"recurrent_activation": "hard_sigmoid"})],
)
@pytest.mark.parametrize("bare", [True, False])
def test_another_activation_is_named(mistake: str, options: dict[str, Any], *, bare: bool) -> None:
    layer, plain = filled(LAYERS.LSTM(HIDDEN, return_sequences=True, **options)), lstm(return_sequences=True)
    plain[0].set_weights(layer.get_weights())
    copy_weights(plain[0], plain[1])
    port = plain[1] if bare else Port(plain[1], lambda rnn, x: rnn(x)[0])
    assert [each.mistake for each in diagnose(layer, port, X).findings] == [mistake]
    assert diagnose(plain[0], port, X)


@pytest.mark.parametrize("mistake", ["cell-activation", "update-gate-inverted", "reset-after", ""])
def test_a_recurrence_written_by_hand_is_named(mistake: str) -> None:
    is_lstm = mistake in ("cell-activation", "")
    layer = filled((LAYERS.LSTM if is_lstm else LAYERS.GRU)(HIDDEN, return_sequences=True))
    kernel, recurrent, bias = (torch.tensor(each) for each in layer.get_weights())

    def port(x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(len(x), HIDDEN)
        outputs = []
        for step in x.unbind(1):
            if is_lstm:
                i, f, g, o = (step @ kernel + h @ recurrent + bias).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * (c if mistake else c.tanh())
            else:
                z, r, g = (step @ kernel + bias[0]).chunk(3, -1)
                hz, hr, hg = (h @ recurrent + bias[1]).chunk(3, -1)
                z, r = (z + hz).sigmoid(), (r + hr).sigmoid()
                inside = (r * h) @ recurrent[:, 2 * HIDDEN :] + bias[1, 2 * HIDDEN :]
                new = (g + (inside if mistake == "reset-after" else r * hg)).tanh()
                h = (1 - z) * h + z * new if mistake == "update-gate-inverted" else z * h + (1 - z) * new
            outputs.append(h)
        return torch.stack(outputs, 1)

    assert [each.mistake for each in diagnose(layer, port, X).findings] == [mistake] * bool(mistake)


def test_two_mistakes_of_one_result_are_both_named() -> None:
    layer, module = two(return_sequences=True)
    port = Port(module, lambda rnn, x: torch.cat(rnn(x)[0].chunk(2, -1)[::-1], -1).flip(1))
    found = diagnose(layer, port, X)
    assert {each.mistake for each in found.findings} == {"halves-swapped", "output-not-flipped"}
    assert min(each.error_after or 0 for each in found.findings) < 1e-5


def test_a_difference_behind_the_first_steps_is_found() -> None:
    layer, module = lstm(return_sequences=True)
    inputs = np.random.default_rng(5).normal(size=(5, 60, INPUT)).astype("float32")
    mask = np.arange(60) < np.array([60, 55, 57, 40, 41])[:, None]
    found = diagnose(layer, Port(module, lambda rnn, x, mask: rnn(x)[0]), inputs, mask=mask)
    assert [each.mistake for each in found.findings] == ["mask-ignored"]


def test_a_step_that_only_some_rows_get_wrong_is_named_with_its_rows() -> None:
    layer, module = lstm()
    wrong = [1, 3]

    def port(rnn: nn.Module, x: torch.Tensor) -> Any:
        output = rnn(x)[0]
        last = output[:, -1].clone()
        last[wrong] = output[wrong, 0]
        return last

    (finding,) = diagnose(layer, Port(module, port), X).findings
    assert (finding.mistake, finding.where) == ("wrong-result", {"rows": "1, 3"})
    assert finding.found == "output[:, 0]"


def test_explanations_of_the_same_data_are_twins_with_an_input_that_tells_them_apart() -> None:
    layer, module = two()
    found = diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0][:, -1]), X)
    assert found.findings[0].twins == ("backward-not-flipped",)
    assert any("return_sequences=True" in note for note in found.notes)


def test_a_fault_without_a_name_is_not_named_and_said_where_it_begins() -> None:
    layer, module = lstm(return_sequences=True)

    def port(rnn: nn.Module, x: torch.Tensor) -> Any:
        output = rnn(x)[0].clone()
        output[2, 4:, 1] += 0.3
        return output

    found = diagnose(layer, Port(module, port), X)
    assert found.verdict == "not named"
    assert any("time step 4, row 2, unit 1" in note for note in found.notes)
    assert any("ruled out" in note and "batch-first" in note for note in found.notes)


def test_packing_that_drops_the_mask_of_one_row_is_not_named() -> None:
    layer, module = lstm(return_sequences=True)
    mask = np.arange(7) < np.array([7, 3, 5, 2])[:, None]

    def port(rnn: nn.Module, x: torch.Tensor, mask: torch.Tensor) -> Any:
        output = packed(rnn, x, mask)[0].clone()
        output[1] = output[1] * 2 + 1
        return output

    assert diagnose(layer, Port(module, port), X, mask=mask).verdict == "not named"


def test_rows_that_stay_sorted_are_said_to_need_their_order_back() -> None:
    layer, module = lstm()
    order = torch.tensor([2, 0, 3, 1])
    wrong = Port(module, lambda rnn, x: rnn(x[order])[1][0][0])
    (finding,) = diagnose(layer, wrong, X).findings
    assert finding.mistake == "wrong-result"
    assert "result[order.argsort()] undoes x[order]" in finding.fix
    assert diagnose(layer, Port(module, lambda rnn, x: rnn(x[order])[1][0][0][order.argsort()]), X)


def test_the_table_of_a_notebook_has_one_row_for_each_finding() -> None:
    layer, module = lstm()
    module.weight_hh_l0.data.mul_(2)
    found = diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0][:, 0]), X)
    (first, second) = found.findings
    shown = found._repr_markdown_()
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows] == ["mistake", "---", first.mistake, second.mistake]
    assert all("off by" in row for row in rows[2:])
    assert all(f"{each.mistake}:\n\n```text\n{each.fix}\n```\n" in shown for each in (first, second))
    assert "the same on this data" not in rows[0]
