"""Two files are called the same only if everything in them was compared, and what differs is named with its place.

Covers: `compare/checkpoints`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import diagnose
from compare.checkpoints.verification import verify
from compare.checkpoints.verification_text import render
from compare.checkpoints.verified import Verification
from compare.cli import main
from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint

Arrays = dict[str, Any]


def recurrent(name: str, reads: int, hidden: int, layers: int = 1, gates: int = 4, seed: int = 0, ways: int = 1) -> Arrays:
    """Return the state dict of an nn.LSTM (four gates), nn.GRU (three) or nn.RNN (one)."""
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for layer in range(layers):
        for way in ("", "_reverse")[:ways]:
            columns = hidden * ways if layer else reads
            shapes = {"weight_ih": (columns,), "weight_hh": (hidden,), "bias_ih": (), "bias_hh": ()}
            arrays |= {
                f"{name}.{array}_l{layer}{way}": rng.uniform(-0.5, 0.5, (gates * hidden, *shape)).astype("float32")
                for array, shape in shapes.items()
            }
    return arrays


def linear(name: str, reads: int, units: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {f"{name}.weight": rng.normal(size=(units, reads)).astype("f4"), f"{name}.bias": rng.normal(size=units).astype("f4")}


def renamed(arrays: Arrays, **names: str) -> Arrays:
    return {
        f"{names.get(name.partition('.')[0], name.partition('.')[0])}.{name.partition('.')[2]}": a for name, a in arrays.items()
    }


def compare(folder: Path, one: Arrays, other: Arrays, only: Any = None, **how: Any) -> Verification:
    for name, arrays in (("one", one), ("other", other)):
        np.savez(folder / f"{name}.npz", **arrays)
    return verify(open_checkpoint(folder / "one.npz"), folder / "other.npz", only, **how)


def verdicts(result: Verification) -> Mapping[str, str]:
    return {row.name: row.verdict for row in result.rows}


MODEL = {**recurrent("lstm", 3, 4), **recurrent("gru", 4, 5, gates=3, seed=1), **linear("head", 5, 2)}


def changed(name: str, place: Any, by: float, arrays: Arrays = MODEL) -> Arrays:
    array = arrays[name].copy()
    array[place] += by
    return {**arrays, name: array}


def test_equal_files_are_all_the_same(tmp_path: Path) -> None:
    result = compare(tmp_path, MODEL, MODEL)
    assert (result.status, verdicts(result)) == (0, {"lstm": "same", "gru": "same", "head": "same"})
    assert render(result).splitlines()[-1] == "All 3 are the same."


@pytest.mark.parametrize(
    ("array", "place", "cause"),
    [
        ("lstm.weight_hh_l0", (4 + 2, 1), "recurrent kernel is 0.25 off at gate forget, from unit 1, unit 2"),
        ("lstm.weight_ih_l0", (12 + 3, 2), "kernel is 0.25 off at gate output, input 2, unit 3"),
        ("gru.weight_ih_l0", (5 + 1, 0), "kernel is 0.25 off at gate update, input 0, unit 1"),
        ("gru.bias_hh_l0", (10 + 4,), "recurrent bias is 0.25 off at gate candidate, unit 4"),
        ("head.weight", (1, 3), "is 0.25 off at"),
    ],
)
def test_a_changed_number_is_found_with_its_size_and_place(array: str, place: Any, cause: str, tmp_path: Path) -> None:
    result = compare(tmp_path, MODEL, changed(array, place, 0.25))
    layer = array.partition(".")[0]
    (row,) = [row for row in result.rows if row.verdict != "same"]
    assert (row.name, row.verdict, result.status) == (layer, "differs", 1)
    assert cause in row.cause
    assert row.largest_error is not None
    assert row.largest_error >= 0.249
    if layer != "head":
        assert "output is" in row.cause
        assert "time step" in row.cause
    shown = render(result)
    assert cause in shown
    assert shown.splitlines()[-1] == f"These differ: {layer}."


def test_a_gru_whose_gates_were_not_exchanged_is_told_by_gate(tmp_path: Path) -> None:
    wrong = dict(MODEL)
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        reset, update, candidate = np.split(wrong[f"gru.{name}"], 3)
        wrong[f"gru.{name}"] = np.concatenate([update, reset, candidate])
    row = next(row for row in compare(tmp_path, MODEL, wrong).rows if row.name == "gru")
    cause, weights = row.cause, [each for each in row.comparisons if each.kind == "weights"]
    largest = max(weights, key=lambda each: each.max_abs)
    assert cause.startswith(f"{largest.name.partition(' of ')[0].replace('_', ' ')} is {largest.max_abs:.2g} off at gate ")
    assert largest.where is not None
    assert largest.where["gate"] in ("reset", "update")
    assert f"gate {largest.where['gate']}" in cause
    assert "2 more of its arrays differ" in cause


def exchanged(arrays: Arrays, name: str) -> Arrays:
    """Exchange the first two of the four gates of one layer."""
    blocks = {key: np.split(array, 4) for key, array in arrays.items() if key.startswith(f"{name}.")}
    return {**arrays, **{key: np.concatenate([two, one, *rest]) for key, (one, two, *rest) in blocks.items()}}


def test_the_mistake_in_a_recurrent_layer_is_named_below_what_differs(tmp_path: Path) -> None:
    wrong = {**exchanged(MODEL, "lstm"), "head.bias": MODEL["head.bias"] + 1}
    result = compare(tmp_path, MODEL, wrong)
    diagnoses = {row.name: row.diagnosis for row in result.rows}
    assert (diagnoses["gru"], diagnoses["head"]) == (None, None)
    assert diagnoses["lstm"] == diagnose(
        open_checkpoint(tmp_path / "one.npz")["lstm"], open_checkpoint(tmp_path / "other.npz")["lstm"]
    )
    lines = render(result).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("lstm: "))
    assert lines[at + 1 : at + 4] == [
        "  named: 1 mistake",
        "  1. gates-permuted: The blocks of the gates lie in another order.",
        "    found: in the place of input, forget, candidate, output: forget, input, candidate, output",
    ]
    (row,) = [each for each in json.loads(json.dumps(result.to_dict()))["rows"] if each["name"] == "lstm"]
    assert row["diagnosis"]["verdict"] == "named"
    (finding,) = row["diagnosis"]["findings"]
    assert finding["mistake"] == "gates-permuted"
    assert finding["error_before"] > 1e-3 > finding["error_after"]


def test_the_layers_of_a_stack_are_named_as_one_whichever_file_has_them_apart(tmp_path: Path) -> None:
    stack = recurrent("rnn", 3, 4, layers=2)
    parts = in_parts(exchanged(stack, "rnn"))
    for one, other, only in (
        (stack, parts, {("rnn",): ("first", "second")}),
        (in_parts(stack), exchanged(stack, "rnn"), {("first", "second"): ("rnn",)}),
    ):
        (row,) = compare(tmp_path, one, other, only).rows
        assert row.diagnosis is not None
        assert [each.mistake for each in row.diagnosis.findings] == ["gates-permuted"]


def test_other_sizes_are_named_and_another_cell_is_no_mistake_in_a_port(tmp_path: Path) -> None:
    (row,) = compare(tmp_path, recurrent("rnn", 3, 4), recurrent("rnn", 3, 5)).rows
    assert row.diagnosis is not None
    assert [(each.mistake, each.found, each.must_be) for each in row.diagnosis.findings] == [
        ("sizes", "hidden_size 5", "hidden_size 4")
    ]
    (row,) = compare(tmp_path, recurrent("rnn", 3, 4), recurrent("rnn", 3, 4, gates=3)).rows
    assert row.verdict == "differs"
    assert row.diagnosis is None or row.diagnosis.verdict == "not named"


def test_a_layer_that_is_the_same_or_not_compared_has_no_diagnosis(tmp_path: Path) -> None:
    assert [row.diagnosis for row in compare(tmp_path, MODEL, MODEL).rows] == [None] * 3
    assert "named" not in render(compare(tmp_path, MODEL, MODEL))


def test_an_embedding_of_zeros_beside_a_right_lstm_is_not_the_same(tmp_path: Path) -> None:
    whole = {"emb.weight": np.random.default_rng(2).normal(size=(7, 3)).astype("f4"), **MODEL}
    result = compare(tmp_path, whole, {**whole, "emb.weight": np.zeros((7, 3), "f4")})
    assert verdicts(result) == {"lstm": "same", "gru": "same", "emb": "differs", "head": "same"}
    assert result.status == 1


def test_a_nan_equals_nothing(tmp_path: Path) -> None:
    broken = changed("lstm.weight_ih_l0", (0, 0), np.nan)
    row = compare(tmp_path, broken, broken).rows[0]
    assert (row.verdict, "kernel holds NaN" in row.cause) == ("differs", True)


def test_a_layer_of_only_one_file_is_a_difference_unless_the_user_chose_layers(tmp_path: Path) -> None:
    part = {name: array for name, array in MODEL.items() if not name.startswith("gru")}
    assert compare(tmp_path, MODEL, part).status == 1
    assert render(compare(tmp_path, MODEL, part)).splitlines()[-1] == "Missing from other.npz: gru."
    assert render(compare(tmp_path, part, MODEL)).splitlines()[-1] == "Missing from one.npz: gru."
    chosen = compare(tmp_path, MODEL, part, ["lstm", "head"])
    assert (chosen.status, verdicts(chosen)) == (0, {"lstm": "same", "head": "same"})
    assert "Only the chosen layers were compared." in render(chosen)
    assert "All" not in render(chosen)


def test_arrays_of_unknown_meaning_are_missing_unless_the_other_file_may_hold_them_under_other_names(tmp_path: Path) -> None:
    whole = {**MODEL, "odd.thing": np.ones((2, 3, 4), "f4")}
    assert compare(tmp_path, whole, MODEL).status == 1
    assert compare(tmp_path, whole, whole).status == 0
    result = compare(tmp_path, whole, {**MODEL, "strange.matter": np.ones((4, 6), "f4")})
    assert (result.status, result.not_compared) == (3, ("odd", "strange"))
    assert render(result).splitlines()[-1] == "Could not be compared: odd, strange."


def test_a_difference_goes_before_what_could_not_be_compared(tmp_path: Path) -> None:
    odd, strange = {"odd.thing": np.ones((2, 3, 4), "f4")}, {"strange.matter": np.ones((4, 6), "f4")}
    assert compare(tmp_path, {**MODEL, **odd}, {**changed("lstm.bias_ih_l0", 0, 0.1), **strange}).status == 1


STACK = recurrent("rnn", 3, 4, layers=2, ways=2)


def in_parts(stack: Arrays, names: tuple[str, ...] = ("first", "second")) -> Arrays:
    """Return the layers of a stack as modules of their own."""
    return {
        f"{name}.{array.partition('.')[2].replace(f'_l{layer}', '_l0')}": value
        for layer, name in enumerate(names)
        for array, value in stack.items()
        if f"_l{layer}" in array
    }


@pytest.mark.parametrize("names", [("first", "second"), ("z", "a")])
def test_single_layers_are_paired_with_a_stack_in_both_directions(names: tuple[str, ...], tmp_path: Path) -> None:
    parts = in_parts(STACK, names)
    listed = ",".join(names)
    for one, other, name in ((parts, STACK, f"{listed} = rnn"), (STACK, parts, f"rnn = {listed}")):
        result = compare(tmp_path, one, other)
        assert (result.status, verdicts(result)) == (0, {name: "same"})
        assert f"Paired by their equal weights: {name}" in render(result)


def test_a_wrong_stack_is_not_missing_but_differs_in_a_layer_and_a_direction(tmp_path: Path) -> None:
    wrong = changed("rnn.weight_hh_l1_reverse", (0, 1), 0.5, STACK)
    result = compare(tmp_path, in_parts(STACK), wrong)
    (row,) = result.rows
    assert (row.name, row.verdict, row.paired_by) == ("first,second = rnn", "differs", "sizes")
    assert "0.5 off at layer 1, the backward direction, gate input, from unit 1, unit 0" in row.cause
    assert "Paired by their sizes, which leave no other choice" in render(result)


def test_layers_of_a_stack_in_another_order_differ(tmp_path: Path) -> None:
    square = recurrent("rnn", 4, 4, layers=2)
    parts = in_parts(square)
    assert compare(tmp_path, parts, square, {("first", "second"): "rnn"}).status == 0
    assert compare(tmp_path, parts, square, {("second", "first"): "rnn"}).status == 1
    assert compare(tmp_path, square, parts, {"rnn": ("first", "second")}).status == 0


def test_a_single_layer_against_a_stack_says_how_to_join_several(tmp_path: Path) -> None:
    (row,) = compare(tmp_path, in_parts(STACK), STACK, {"first": "rnn"}).rows
    assert row.cause == "num_layers is 2, not 1: join several layers with commas, as in --layer A,B=C"


def test_prefixed_names_are_the_same_layers(tmp_path: Path) -> None:
    prefixed = {f"model.{name}": array for name, array in MODEL.items()}
    result = compare(tmp_path, MODEL, prefixed)
    assert (result.status, [row.paired_by for row in result.rows]) == (0, ["name", "name", "name"])
    wrong = {f"model.{name}": array for name, array in changed("lstm.bias_hh_l0", 1, 0.1).items()}
    assert verdicts(compare(tmp_path, MODEL, wrong))["lstm = model.lstm"] == "differs"


TWINS = {**recurrent("a", 3, 4), **recurrent("b", 3, 4, seed=5)}


def test_layers_of_one_size_are_paired_by_their_weights(tmp_path: Path) -> None:
    result = compare(tmp_path, TWINS, renamed(TWINS, a="second", b="first"))
    assert (result.status, verdicts(result)) == (0, {"a = second": "same", "b = first": "same"})


def test_layers_of_one_size_and_other_weights_are_not_paired_by_guessing(tmp_path: Path) -> None:
    other = {**recurrent("x", 3, 4, seed=7), **recurrent("y", 3, 4, seed=8)}
    result = compare(tmp_path, TWINS, other)
    assert (result.status, verdicts(result)) == (1, {"a": "differs", "b": "differs"})
    assert result.rows[0].cause == "x, y have its sizes, but not its weights: choose one with --layer a=x"
    (row,) = compare(tmp_path, TWINS, other, {"a": "x"}).rows
    assert row.name == "a = x"
    assert row.verdict == "differs"


def test_a_generous_tolerance_does_not_pair_the_wrong_layers(tmp_path: Path) -> None:
    swapped = dict(
        reversed(list(renamed({**TWINS, **linear("c", 4, 4), **linear("d", 4, 4, 1)}, a="s", b="r", c="v", d="u").items()))
    )
    ours = {**TWINS, **linear("c", 4, 4), **linear("d", 4, 4, 1)}
    result = compare(tmp_path, ours, swapped, tolerance=100.0)
    assert [(row.name, row.largest_error) for row in result.rows if row.kind != "LSTM"] == [("c = v", 0.0), ("d = u", 0.0)]
    assert sorted(row.name for row in result.rows if row.kind == "LSTM") == ["a = s", "b = r"]


def test_the_only_layer_of_these_sizes_is_the_partner_even_if_it_is_wrong(tmp_path: Path) -> None:
    result = compare(tmp_path, MODEL, renamed(changed("lstm.bias_ih_l0", 0, 0.3), lstm="rnn"))
    (row,) = [row for row in result.rows if row.verdict != "same"]
    assert (row.name, row.verdict, row.paired_by) == ("lstm = rnn", "differs", "sizes")


def test_layers_of_one_name_and_other_sizes_differ_in_these(tmp_path: Path) -> None:
    (row,) = compare(tmp_path, recurrent("lstm", 3, 4), recurrent("lstm", 3, 5)).rows
    assert (row.verdict, row.cause) == ("differs", "hidden_size is 5, not 4")


def test_the_seed_draws_other_inputs_and_the_tolerance_decides(tmp_path: Path) -> None:
    other = changed("lstm.weight_ih_l0", (1, 1), 1e-3)
    errors = {
        tuple(each.max_abs for each in compare(tmp_path, MODEL, other, seed=seed).rows[0].comparisons) for seed in (0, 1, 0)
    }
    assert len(errors) == 2
    assert compare(tmp_path, MODEL, other).status == 1
    assert compare(tmp_path, MODEL, other, tolerance=1e-2).status == 0
    with pytest.raises(GatewiseError, match="tolerance"):
        compare(tmp_path, MODEL, other, tolerance=-1.0)


def test_the_verdicts_are_data_for_json(tmp_path: Path) -> None:
    data = json.loads(json.dumps(compare(tmp_path, MODEL, changed("lstm.bias_ih_l0", 0, 0.3)).to_dict(), allow_nan=False))
    row = data["rows"][0]
    assert (data["status"], data["not_compared"]) == (1, [])
    assert (row["expected"], row["actual"], row["verdict"]) == (["lstm"], ["lstm"], "differs")
    assert row["where"]["gate"] == "input"
    assert {"kernel of layer 0, direction 0"} <= {each["name"] for each in row["comparisons"]}


def test_the_verbose_text_has_every_comparison(tmp_path: Path) -> None:
    result = compare(tmp_path, MODEL, MODEL)
    short, long = render(result), render(result, verbose=True)
    assert "h_n of actual, from random states" in long
    assert "h_n" not in short
    assert short.splitlines()[-1] == long.splitlines()[-1]


def test_the_command_takes_stacks_other_layers_seed_and_tolerance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(tmp_path, {**in_parts(STACK), **linear("head", 5, 2)}, {**STACK, **linear("fc", 5, 2)})
    files = ["verify", str(tmp_path / "one.npz"), str(tmp_path / "other.npz"), "--seed", "3", "--tolerance", "1e-4"]
    assert main(files) == 0
    assert main([*files, "--layer", "first,second=rnn", "--layer", "head=fc"]) == 0
    said = capsys.readouterr().out
    assert "first,second = rnn" in said
    assert "head = fc" in said
    for wrong in ("first,second=fc", "head=rnn", "first,third=rnn"):
        assert main([*files, "--layer", wrong]) == 2
