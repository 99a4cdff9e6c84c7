"""Parity passes for what is the same, fails for every classic mistake, and says where."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare import assert_parity, check_parity, returns_map
from compare.groundwork.calls import draw_calls
from frameworks import RecurrentOutput, RecurrentSpec, adapt, build, convert, copy_weights, emulate
from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.rows import FrameworkName

pytestmark = pytest.mark.frameworks

Array = npt.NDArray[Any]

BATCH, TIME, INPUT, HIDDEN = 6, 5, 9, 7
KERAS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
TORCH = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
CELLS = ("rnn", "lstm", "gru")


def keras_layer(cell: str, *, library: str = "keras", two: bool | str | None = False, **options: Any) -> Any:
    """Build a layer; `two` is False for one direction, or the merge mode of two."""
    kinds = import_module(library).layers
    dtype = options.setdefault("dtype", "float32")
    layer = getattr(kinds, KERAS[cell])(HIDDEN, **options)
    if two is not False:
        layer = kinds.Bidirectional(layer, merge_mode=two, dtype=dtype)
    layer.build((BATCH if options.get("stateful") else None, None, INPUT))
    return layer


def torch_module(cell: str, **options: Any) -> Any:
    return getattr(import_module("torch").nn, TORCH[cell])(INPUT, HIDDEN, **options)


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def failed(result: Any) -> dict[str, Any]:
    return {each.name: each for each in result.comparisons if each.verdict != "passed"}


# What is the same passes, whatever its flags

FLAGS: list[dict[str, Any]] = [
    {},
    {"return_sequences": True},
    {"return_state": True},
    {"return_sequences": True, "return_state": True},
    {"return_sequences": True, "go_backwards": True},
    {"return_state": True, "go_backwards": True},
    {"return_sequences": True, "stateful": True},
    {"return_sequences": True, "zero_output_for_mask": True},
    {"dropout": 0.5, "recurrent_dropout": 0.25},
    {"use_bias": False},
    {"dtype": "float64", "return_state": True},
]


@pytest.mark.backend
@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_layer_and_its_copy_pass_whatever_the_flags(cell: str, flags: dict[str, Any], randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    layer = randomise(keras_layer(cell, **flags))
    dtype = getattr(torch, flags.get("dtype", "float32"))
    module = torch_module(cell, bias=flags.get("use_bias", True), dtype=dtype)
    copy_weights(layer, module)
    result = check_parity(layer, module)
    assert result.verdict == "passed", str(result)
    returned = 1 + (1 + (cell == "lstm")) * flags.get("return_state", False)
    own = [each.name for each in result.comparisons if each.kind == "own call"]
    assert len(own) == 2 * returned  # from zeros and from random states
    assert flags or check_parity(module, layer).verdict == "passed"
    assert any("backwards" in note for note in result.notes) is bool(flags.get("go_backwards"))


@pytest.mark.backend
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_bidirectional_layer_and_its_copy_pass_in_every_merge_mode(
    mode: str | None, *, sequences: bool, randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer("lstm", two=mode, return_sequences=sequences, return_state=True))
    module = torch_module("lstm", bidirectional=True)
    copy_weights(layer, module)
    result = check_parity(layer, module)
    assert result, str(result)
    assert len([each for each in result.comparisons if each.kind == "own call"]) == 2 * (5 if mode else 6)


@pytest.mark.backend
def test_stacks_cells_and_models_pass(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    nn = import_module("torch").nn
    first, second = (keras.layers.GRU(HIDDEN, return_sequences=True) for _ in range(2))
    sequential = randomise(keras.Sequential([keras.Input((None, INPUT)), first, second]))
    cells = keras.layers.RNN([keras.layers.LSTMCell(HIDDEN) for _ in range(3)], return_state=True)
    cells.build((None, None, INPUT))
    cell = keras.layers.LSTMCell(HIDDEN)
    cell.build((None, INPUT))
    model = convert(randomise(nn.GRU(INPUT, HIDDEN, num_layers=2, bidirectional=True)), to="keras")
    for native in (sequential, [first, second], randomise(cells), randomise(cell), model):
        result = check_parity(native, convert(native, to="pytorch"))
        assert result, str(result)
        assert [each for each in result.comparisons if each.kind == "own call"] or native is cell


@pytest.mark.parametrize(
    ("cell", "two", "to"),
    [("rnn", False, "keras"), ("lstm", False, "pytorch"), ("lstm", "concat", "keras"), ("gru", "concat", "pytorch")],
)
def test_keras_2_passes_against_keras_3_and_torch(
    cell: str, *, two: bool | str, to: FrameworkName, randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer(cell, library="tf_keras", two=two, return_sequences=True, return_state=True))
    result = check_parity(layer, convert(layer, to=to))
    assert result, str(result)


def test_keras_2_s_stacked_and_stateful_layers_pass(randomise: Callable[..., Any]) -> None:
    kinds = import_module("tf_keras").layers
    for make in (kinds.GRUCell, kinds.LSTMCell):
        layer = kinds.RNN([make(HIDDEN), make(HIDDEN)], return_state=True)
        layer.build((None, None, INPUT))
        module = convert(randomise(layer), to="pytorch")
        for mask in (None, RIGHT):  # under a mask its states come in a list of TensorFlow's own kind
            result = check_parity(layer, module, mask=mask)
            assert result, str(result)
    layer, module = randomise(keras_layer("gru", library="tf_keras", stateful=True)), torch_module("gru")
    copy_weights(layer, module)
    assert check_parity(layer, module)


def test_torch_layers_of_either_batch_order_pass(randomise: Callable[..., Any]) -> None:
    nn = import_module("torch").nn
    one = randomise(nn.LSTM(INPUT, HIDDEN, num_layers=2, batch_first=True))
    other = nn.LSTM(INPUT, HIDDEN, num_layers=2)
    copy_weights(one, other)
    assert check_parity(one, other)


def test_two_biases_and_their_sum_are_the_same_weights(randomise: Callable[..., Any]) -> None:
    one, other = randomise(torch_module("lstm"), 1), torch_module("lstm")
    copy_weights(one, other)
    with import_module("torch").no_grad():
        other.bias_hh_l0 += 0.5
        other.bias_ih_l0 -= 0.5
    assert check_parity(one, other)
    gru, moved = randomise(torch_module("gru"), 1), torch_module("gru")
    copy_weights(gru, moved)
    with import_module("torch").no_grad():
        moved.bias_hh_l0[: 2 * HIDDEN] += 0.5  # reset and update: only the sum acts
        moved.bias_ih_l0[: 2 * HIDDEN] -= 0.5
    assert check_parity(gru, moved)
    with import_module("torch").no_grad():
        moved.bias_hh_l0[2 * HIDDEN :] += 0.5  # candidate: the reset gate comes between them
        moved.bias_ih_l0[2 * HIDDEN :] -= 0.5
    result = check_parity(gru, moved)
    assert not result
    assert result.cause is not None
    assert result.cause.name == "bias of layer 0, direction 0"
    assert set(failed(result)) > {"bias of layer 0, direction 0", "recurrent_bias of layer 0, direction 0"}


def test_a_zero_bias_equals_no_bias_and_a_note_says_so(randomise: Callable[..., Any]) -> None:
    for cell in CELLS:
        one, other = randomise(torch_module(cell, bias=False)), torch_module(cell)
        for name, parameter in other.named_parameters():
            parameter.data = getattr(one, name).data.clone() if "weight" in name else parameter.data * 0
        result = check_parity(one, other)
        assert result, str(result)
        assert "bias is False in expected, True in actual" in result.notes
        other.bias_ih_l0.data += 0.25
        assert check_parity(one, other).cause is not None


# Negative controls: copies by hand, each with one mistake

WRONG_ORDER = {"lstm": (0, 2, 1, 3), "gru": (0, 1, 2)}
"""The gate order of TensorFlow 1's LSTM: input, candidate, forget, output; and Keras's order of a GRU's gates, unchanged."""


def copied_by_hand(cell: str, arrays: list[Array], mistake: str) -> list[Array]:
    """Make torch's arrays from Keras's, direction by direction, with a mistake; "" for no mistake."""
    directions = [arrays[start : start + 3] for start in range(0, len(arrays), 3)]
    if mistake == "directions swapped":
        directions.reverse()
    if mistake == "backward direction forgotten":
        directions[1] = directions[0]
    order = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}[cell]
    order = WRONG_ORDER[cell] if mistake == "gates not reordered" else order
    written = []
    for kernel, recurrent, bias in directions:
        blocks = [slice(gate * HIDDEN, (gate + 1) * HIDDEN) for gate in order]
        columns = np.concatenate([kernel[:, block] for block in blocks], axis=1)
        turned = columns.reshape(columns.shape[::-1]) if mistake == "kernel not transposed" else columns.T
        square = [recurrent[:, block] for block in blocks]
        second = np.concatenate(square if mistake == "recurrent kernel not transposed" else [block.T for block in square])
        first_bias, second_bias = (bias[0], bias[1]) if cell == "gru" else (bias, np.zeros_like(bias))
        ordered = [np.concatenate([each[block] for block in blocks]) for each in (first_bias, second_bias)]
        if mistake == "biases swapped":
            ordered.reverse()
        if mistake == "biases summed":
            ordered = [ordered[0] + ordered[1], 0 * ordered[1]]
        if mistake == "bias dropped":
            ordered[0] = 0 * ordered[0]
        if mistake == "bias written twice":
            ordered[1] = ordered[0]
        written += [turned, second, *ordered]
    return written


MISTAKES = {
    "gates not reordered": "kernel",
    "kernel not transposed": "kernel",
    "recurrent kernel not transposed": "recurrent_kernel",
    "biases swapped": "bias",
    "biases summed": "bias",
    "bias dropped": "bias",
    "bias written twice": "bias",
    "directions swapped": "kernel",
    "backward direction forgotten": "kernel",
}


@pytest.mark.backend
@pytest.mark.parametrize("mistake", ["", *MISTAKES])
@pytest.mark.parametrize("cell", CELLS)
def test_every_classic_mistake_is_caught_and_traced_to_its_weights(
    cell: str, mistake: str, randomise: Callable[..., Any]
) -> None:
    if (cell, mistake) == ("rnn", "gates not reordered") or (cell != "gru" and mistake in ("biases swapped", "biases summed")):
        return  # a simple RNN has one gate, and these are not mistakes where only the sum of two biases acts
    torch = import_module("torch")
    layer = randomise(keras_layer(cell, two="concat", return_sequences=True))
    module = torch_module(cell, bidirectional=True)
    arrays = copied_by_hand(cell, [np.array(array) for array in layer.get_weights()], mistake)
    with torch.no_grad():
        for parameter, array in zip(module.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    sides = (module, layer) if cell == "rnn" else (layer, module)
    result = check_parity(*sides, draw(2, 3, INPUT))
    if not mistake:
        assert result, str(result)
        return
    assert result.verdict == "failed"
    assert result.cause is not None
    direction = 1 if mistake == "backward direction forgotten" else 0
    assert result.cause.name == f"{MISTAKES[mistake]} of layer 0, direction {direction}"
    assert f"cause: the weights differ: {result.cause.name}" in str(result)
    assert result.cause.max_abs > 1e-2
    # The results differ too: the weights are the cause, but not the only difference.
    assert {each.name for each in result.comparisons if each.kind == "result" and not each.within}


@pytest.mark.backend
def test_layers_exchanged_in_a_stack_are_caught(randomise: Callable[..., Any]) -> None:
    nn = import_module("torch").nn
    module = randomise(nn.GRU(INPUT, HIDDEN, num_layers=3))
    model = convert(module, to="keras")
    copy = nn.GRU(INPUT, HIDDEN, num_layers=3)
    copy.load_state_dict(
        {name.replace("l1", "x").replace("l2", "l1").replace("x", "l2"): p for name, p in module.state_dict().items()}
    )
    result = check_parity(model, copy)
    assert result.cause is not None
    assert result.cause.name == "kernel of layer 1, direction 0"


@pytest.mark.parametrize(
    ("one", "other", "note"),
    [
        ({"activation": "relu"}, {}, "activation is 'relu' in expected, 'tanh' in actual"),
        (
            {"recurrent_activation": "hard_sigmoid"},
            {},
            "recurrent_activation is 'hard_sigmoid' in expected, 'sigmoid' in actual",
        ),
        (
            {"use_bias": False},
            {"use_bias": False, "reset_after": False},
            "reset_after is True in expected, False in actual",
        ),
    ],
)
def test_equal_weights_that_mean_something_else_fail_by_their_results(
    one: dict[str, Any], other: dict[str, Any], note: str, randomise: Callable[..., Any]
) -> None:
    expected, actual = randomise(keras_layer("gru", **one)), randomise(keras_layer("gru", **other))
    result = check_parity(expected, actual)
    assert result.verdict == "failed"
    assert result.cause is None
    assert result.differences == (note,)
    assert f"failed: {note}" in str(result)
    assert any(each.against == "expected" and not each.within for each in result.comparisons)
    # Each of the two computes what its own weights say.
    assert all(each.within for each in result.comparisons if each.against.startswith("reference"))


# Errors planted in one place are found there


@pytest.mark.parametrize(
    ("parameter", "index", "name", "where"),
    [
        (
            "weight_ih_l0",
            (2 * HIDDEN + 3, 8),
            "kernel of layer 0, direction 0",
            {"layer": 0, "direction": 0, "gate": "candidate", "input": 8, "unit": 3},
        ),
        (
            "weight_hh_l1_reverse",
            (0 * HIDDEN + 6, 2),
            "recurrent_kernel of layer 1, direction 1",
            {"layer": 1, "direction": 1, "gate": "input", "from unit": 2, "unit": 6},
        ),
        (
            "weight_ih_l1",
            (1 * HIDDEN + 5, 13),
            "kernel of layer 1, direction 0",
            {"layer": 1, "direction": 0, "gate": "forget", "input": 13, "unit": 5},
        ),
        (
            "bias_hh_l0_reverse",
            (3 * HIDDEN + 1,),
            "bias of layer 0, direction 1",
            {"layer": 0, "direction": 1, "gate": "output", "unit": 1},
        ),
    ],
)
@pytest.mark.parametrize("value", [0.5, math.nan, math.inf])
def test_one_wrong_weight_is_named_by_gate_and_place(
    parameter: str, index: tuple[int, ...], name: str, where: dict[str, Any], value: float, randomise: Callable[..., Any]
) -> None:
    torch = import_module("torch")
    one = randomise(torch_module("lstm", num_layers=2, bidirectional=True))
    other = torch_module("lstm", num_layers=2, bidirectional=True)
    copy_weights(one, other)
    with torch.no_grad():
        getattr(other, parameter)[index] += value
    result = check_parity(one, other)
    assert result.verdict == "failed"
    assert result.cause is not None
    assert (result.cause.name, result.cause.where) == (name, where)
    assert [each.name for each in result.comparisons if each.kind == "weights" and not each.within] == [name]
    assert result.cause.max_abs == pytest.approx(value, nan_ok=True)
    place = ", ".join(f"{axis} {number}" for axis, number in where.items() if axis not in ("layer", "direction"))
    assert place in str(result)


def test_a_gru_s_second_candidate_bias_is_named(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    one, other = randomise(torch_module("gru")), torch_module("gru")
    copy_weights(one, other)
    with torch.no_grad():
        other.bias_hh_l0[2 * HIDDEN + 4] += 0.5
    result = check_parity(one, other)
    assert result.cause is not None
    assert result.cause.name == "recurrent_bias of layer 0, direction 0"
    assert result.cause.where == {"layer": 0, "direction": 0, "gate": "candidate", "unit": 4}


def tampered(native: Any, array: str, index: tuple[int, ...], value: float) -> Any:
    """Return an adapter whose results are wrong in one element."""
    from frameworks.pytorch import PyTorchAdapter

    class Tampered(PyTorchAdapter):
        def forward(self, *arguments: Any, **options: Any) -> RecurrentOutput:
            result = super().forward(*arguments, **options)
            wrong = getattr(result, array)
            if all(at < size for at, size in zip(index, wrong.shape, strict=True)):  # diagnose also calls it on less
                wrong[index] += value
            return result

    return Tampered(native)


PLACES: tuple[tuple[str, tuple[int, ...], dict[str, int]], ...] = (
    ("output", (1, 3, 9), {"layer": 1, "direction": 1, "batch": 1, "time step": 3, "unit": 2}),
    ("output", (0, 0, 0), {"layer": 1, "direction": 0, "batch": 0, "time step": 0, "unit": 0}),
    ("h_n", (1, 2, 5), {"layer": 0, "direction": 1, "batch": 2, "unit": 5}),
    ("c_n", (2, 1, 6), {"layer": 1, "direction": 0, "batch": 1, "unit": 6}),
)


@pytest.mark.parametrize("value", [0.01, math.nan, math.inf])
@pytest.mark.parametrize(("array", "index", "where"), PLACES)
def test_one_wrong_result_is_found_at_its_place(
    array: str, index: tuple[int, ...], where: dict[str, int], value: float, randomise: Callable[..., Any]
) -> None:
    module = randomise(torch_module("lstm", num_layers=2, bidirectional=True))
    result = check_parity(module, tampered(module, array, index, value), draw(3, 4, INPUT))
    assert result.verdict == "failed"
    assert result.cause is None
    name = f"{array} of actual, from zeros"
    wrong = [each for each in result.comparisons if not each.within]
    assert [(each.name, each.against) for each in wrong] == [(name, "reference of actual"), (name, "expected")]
    for each in wrong:
        assert each.where == where
        assert each.max_abs == pytest.approx(value, rel=1e-3, nan_ok=True)
    text = str(result)
    assert f"failed: {name} {'holds NaN' if math.isnan(value) else 'is'}" in text
    assert ", ".join(f"{axis} {number}" for axis, number in where.items()) in text


@pytest.mark.parametrize(("array", "index", "where"), PLACES)
def test_an_expected_layer_that_does_not_compute_its_weights_gives_no_verdict(
    array: str, index: tuple[int, ...], where: dict[str, int], randomise: Callable[..., Any]
) -> None:
    module = randomise(torch_module("lstm", num_layers=2, bidirectional=True))
    result = check_parity(tampered(module, array, index, 0.01), module, draw(3, 4, INPUT))
    assert result.verdict == "ill-conditioned"
    assert not result
    own = failed(result)[f"{array} of expected, from zeros"]
    assert own.where == where
    assert own.against == "reference of expected"
    # NaN is never a matter of conditioning.
    assert check_parity(tampered(module, array, index, math.nan), module, draw(3, 4, INPUT)).verdict == "failed"


@pytest.mark.backend
def test_nan_weights_are_copied_and_reported_with_their_place(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("gru", two="concat"))
    arrays = layer.get_weights()
    arrays[3][4, 2 * HIDDEN + 1] = np.nan  # the kernel of the backward direction
    layer.set_weights(arrays)
    result = check_parity(layer, convert(layer, to="pytorch"))
    assert result.verdict == "failed"
    assert result.cause is not None
    assert result.cause.name == "kernel of layer 0, direction 1"
    assert result.cause.where == {"layer": 0, "direction": 1, "gate": "candidate", "input": 4, "unit": 1}
    assert "holds NaN at gate candidate, input 4, unit 1" in str(result)


def test_signalling_nan_weights_are_reported_without_a_warning() -> None:
    module = torch_module("lstm")
    for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        flat = getattr(module, name).detach().reshape(-1)
        flat.numpy().view(np.uint32)[3] = 0x7F800001
    result = check_parity(module, convert(module, to="keras"))
    assert result.cause is not None
    assert result.cause.where == {"layer": 0, "direction": 0, "gate": "input", "from unit": 3, "unit": 0}


def test_infinite_weights_are_equal_to_themselves(randomise: Callable[..., Any]) -> None:
    module = randomise(torch_module("lstm"))
    module.bias_ih_l0.data[2] = math.inf  # an input gate that is always open
    assert check_parity(module, convert(module, to="pytorch"))


@pytest.mark.backend
def test_a_keras_layer_s_own_call_is_compared_with_the_other_side(randomise: Callable[..., Any]) -> None:
    from frameworks.keras import KerasAdapter

    class Exchanged(KerasAdapter):
        def call(self, *arguments: Any, **options: Any) -> Any:
            output, h, c = super().call(*arguments, **options)
            return output, c, h

    layer = randomise(keras_layer("lstm", return_state=True))
    result = check_parity(Exchanged(layer), convert(layer, to="pytorch"))
    assert result.verdict == "failed"
    wrong = failed(result)
    assert {each.kind for each in wrong.values()} == {"own call"}
    assert set(wrong) == {
        f"result[{index}] of expected's own call, from {start}" for index in (1, 2) for start in ("zeros", "random states")
    }
    assert set(wrong["result[1] of expected's own call, from zeros"].where) == {"batch", "unit"}


@pytest.mark.backend
def test_each_layer_is_taken_apart_once(randomise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []

    def count(place: str, name: str) -> None:
        module = import_module(place)
        wrapped = getattr(module, name)

        def counted(native: Any) -> Any:
            looked.append(native)
            return wrapped(native)

        monkeypatch.setattr(module, name, counted)

    layer = randomise(keras_layer("lstm", return_state=True))
    module = randomise(torch_module("lstm"))
    emulated = emulate(layer)
    count("frameworks.keras.adapter", "take_apart")
    count("frameworks.keras.structure", "take_apart")
    count("frameworks.pytorch.adapter", "read_spec")
    count("frameworks.keras_in_torch.layers.adapter", "arrange_slots")
    count("frameworks.keras_in_torch.layers.structure", "arrange_slots")
    for expected, actual in ((layer, emulated), (layer, module), (emulated, module)):
        looked.clear()
        assert any(each.kind == "own call" for each in check_parity(expected, actual, gradients=True).comparisons)
        assert sorted(map(id, looked)) == sorted(map(id, (expected, actual)))
        returns_map(expected)  # a further look is counted
        assert len(looked) == 3


def test_cells_that_no_single_spec_describes_are_refused_in_a_file_too(tmp_path: Path, refused: Callable[..., Any]) -> None:
    torch = import_module("torch")
    save_checkpoint(tmp_path / "a.npz", {"one": torch.nn.LSTM(INPUT, HIDDEN), "other": torch.nn.LSTM(HIDDEN, HIDDEN + 1)})
    checkpoint = open_checkpoint(tmp_path / "a.npz")
    one, other = (checkpoint[name] for name in ("one", "other"))
    unlike = replace(one, cells=(*one.cells, *other.cells))
    assert adapt(unlike).native is unlike
    with refused("hidden_size of layer 1", "8", ".emulate"):
        check_parity(unlike, torch_module("lstm"))
    alike = replace(one, cells=one.cells)
    assert adapt(alike).spec == RecurrentSpec("lstm", INPUT, HIDDEN)


# Conditioning


def test_chaotic_weights_give_no_verdict_but_wrong_ones_still_fail() -> None:
    torch = import_module("torch")
    torch.manual_seed(0)
    one = torch.nn.RNN(INPUT, 24)
    with torch.no_grad():
        one.weight_hh_l0.copy_(torch.randn(24, 24) * 3 / math.sqrt(24))
    other = convert(one, to="pytorch")
    inputs = draw(2, 150, INPUT)
    result = check_parity(one, other, inputs)
    assert result.verdict == "ill-conditioned"
    assert not result.passed
    text = str(result)
    assert "output of expected, from the given" not in text
    for side in ("expected", "actual"):  # both distances
        assert f"output of {side}, from zeros" in text
        assert failed(result)[f"output of {side}, from zeros"].max_abs > 1e-3
    with pytest.raises(AssertionError, match="ill-conditioned"):
        assert_parity(one, other, inputs)
    assert check_parity(one, other, inputs[:, :4])
    with torch.no_grad():
        other.weight_hh_l0[3, 4] += 0.5
    wrong = check_parity(one, other, inputs)
    assert wrong.verdict == "failed"
    assert wrong.cause is not None


def test_large_states_are_judged_by_their_size(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    module = randomise(torch_module("lstm"))
    with torch.no_grad():
        module.bias_ih_l0[HIDDEN : 2 * HIDDEN] += 9  # what is in the cell state stays there
        module.weight_hh_l0.mul_(0.1)
    result = check_parity(module, convert(module, to="pytorch"), draw(2, 400, INPUT) + 1)
    assert result, str(result)
    (largest,) = [each for each in result.comparisons if each.name.startswith("c_n of expected")]
    assert largest.max_abs > 1e-5
    assert largest.allowed > 1e-4
    assert largest.needed == pytest.approx(largest.max_abs / (largest.allowed / 1e-5))


def test_states_that_overflow_give_no_verdict() -> None:
    torch = import_module("torch")
    module = torch.nn.RNN(INPUT, HIDDEN, nonlinearity="relu")
    with torch.no_grad():
        module.weight_hh_l0.fill_(10)
    result = check_parity(module, convert(module, to="pytorch"), np.ones((2, 60, INPUT), "float32") + 1)
    assert result.verdict == "ill-conditioned"
    assert result.worst.needed == math.inf


# Masks


RIGHT = np.arange(TIME) < np.array([TIME, 1, 3, TIME - 1, 2, TIME])[:, None]
ANY = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], bool)


@pytest.mark.backend
@pytest.mark.parametrize("flags", [*FLAGS[:4], *FLAGS[6:8]], ids=str)
@pytest.mark.parametrize("two", [False, "concat", "sum"])
def test_a_masked_layer_passes_against_packing(
    *, two: bool | str, flags: dict[str, Any], randomise: Callable[..., Any]
) -> None:
    if two and ("stateful" in flags or "zero_output_for_mask" in flags):
        return
    layer, module = randomise(keras_layer("lstm", two=two, **flags)), torch_module("lstm", bidirectional=bool(two))
    copy_weights(layer, module)
    states = tuple(0.5 * draw(1 + bool(two), BATCH, HIDDEN, seed=seed) for seed in (1, 2))
    given = states if flags.get("return_state") else None
    result = check_parity(layer, module, draw(BATCH, TIME, INPUT), mask=RIGHT, initial_state=given)
    assert result, str(result)
    rules_differ = not two and "zero_output_for_mask" not in flags
    assert ("at the valid steps and in their final states" in str(result)) == rules_differ
    assert ("masked steps are compared too" in str(result)) != rules_differ


@pytest.mark.backend
def test_between_keras_layers_any_mask_is_compared(randomise: Callable[..., Any]) -> None:
    for two in (False, "concat"):
        layer = randomise(keras_layer("gru", two=two, return_sequences=True))
        assert check_parity(layer, convert(layer, to="keras"), draw(BATCH, TIME, INPUT), mask=ANY)


@pytest.mark.backend
def test_a_layer_that_reads_backwards_is_packed_from_its_end(
    refused: Callable[..., Any], randomise: Callable[..., Any]
) -> None:
    layer, module = randomise(keras_layer("lstm", go_backwards=True, return_sequences=True)), torch_module("lstm")
    copy_weights(layer, module)
    assert check_parity(layer, module, mask=RIGHT[:, ::-1])
    with refused("mask", "right padding"):
        check_parity(layer, module, mask=RIGHT)


@pytest.mark.parametrize("mask", [None, np.ones((BATCH, 1), bool)])
def test_one_time_step_is_enough_for_a_layer_that_reads_backwards(
    mask: npt.NDArray[np.bool_] | None, randomise: Callable[..., Any]
) -> None:
    layer, module = randomise(keras_layer("gru", go_backwards=True, return_sequences=True)), torch_module("gru")
    copy_weights(layer, module)
    assert check_parity(layer, module, draw(BATCH, 1, INPUT), mask=mask)


def test_every_step_is_compared_by_the_rule_of_its_own_framework(randomise: Callable[..., Any]) -> None:
    layer, module = randomise(keras_layer("gru", return_sequences=True)), torch_module("gru")
    copy_weights(layer, module)
    inputs = draw(BATCH, TIME, INPUT)
    assert check_parity(layer, module, inputs, mask=RIGHT)
    for time in (2, 3):  # the last step that counts in row 2, and the first that does not
        result = check_parity(layer, tampered(module, "output", (2, time, 1), 0.5), inputs, mask=RIGHT)
        assert result.verdict == "failed"
        wrong = {each.against for each in result.comparisons if each.kind == "result" and not each.within}
        assert wrong == ({"reference of actual"} if time == 3 else {"reference of actual", "expected"})
    result = check_parity(module, tampered(module, "output", (2, 3, 1), 0.5), inputs, mask=RIGHT)
    assert failed(result)["output of actual, from zeros"].where == {
        "layer": 0, "direction": 0, "batch": 2, "time step": 3, "unit": 1,
    }  # fmt: skip
    assert not check_parity(module, tampered(module, "h_n", (0, 1, 1), 0.5), inputs, mask=RIGHT)


EMULATED: list[tuple[str, bool | str | None, dict[str, Any]]] = [
    ("lstm", False, {"recurrent_activation": "hard_sigmoid", "return_sequences": True, "return_state": True}),
    ("gru", False, {"reset_after": False}),
    ("gru", False, {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": True}),
    ("gru", False, {"zero_output_for_mask": True}),
    ("rnn", "mul", {"activation": "softsign", "return_state": True}),
    ("lstm", None, {"return_sequences": True}),
    ("lstm", "ave", {"return_sequences": True, "dropout": 0.5}),
    ("lstm", False, {"stateful": True}),
]


@pytest.mark.backend
@pytest.mark.parametrize(("cell", "two", "flags"), EMULATED, ids=str)
@pytest.mark.parametrize("mask", [None, ANY], ids=["no mask", "any mask"])
def test_a_layer_passes_against_its_emulation_under_any_mask(
    *, cell: str, two: bool | str | None, flags: dict[str, Any], mask: Any, randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer(cell, two=two, **flags))
    module = emulate(layer)
    result = check_parity(layer, module, draw(BATCH, TIME, INPUT), mask=mask)
    assert result, str(result)
    own = [each for each in result.comparisons if each.against == "expected's own call"]
    assert len(own) == len(returns_map(module).items) == len(returns_map(layer).items)
    with import_module("torch").no_grad():
        next(module.parameters())[0, 0] += 0.5
    assert check_parity(layer, module, draw(BATCH, TIME, INPUT), mask=mask).verdict == "failed"


def test_another_flag_of_an_emulation_is_named(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("gru", return_sequences=True))
    module = emulate(layer)
    module.readings = tuple(replace(reading, zero_output_for_mask=True) for reading in module.readings)
    result = check_parity(layer, module, draw(BATCH, TIME, INPUT), mask=ANY)
    assert "zero_output_for_mask is False in expected, True in actual" in str(result)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_keras_s_defect_with_unrolled_masked_backward_layers_is_named(library: str, randomise: Callable[..., Any]) -> None:
    named = "a defect of Keras"
    layer = randomise(keras_layer("gru", library=library, two="concat", unroll=True, return_sequences=True))
    result = check_parity(layer, convert(layer, to="pytorch"), mask=RIGHT)
    assert {each.kind for each in failed(result).values()} == {"own call"}
    assert any(named in note for note in result.notes)
    assert named in str(result)
    for flags in ({"return_sequences": True}, {"unroll": True}):
        layer = randomise(keras_layer("gru", library=library, two="concat", **flags))
        result = check_parity(layer, convert(layer, to="pytorch"), mask=RIGHT)
        assert result, str(result)
        assert named not in str(result)


@pytest.mark.backend
def test_a_layer_that_keras_itself_cannot_call_is_named(
    refused: Callable[..., Any], randomise: Callable[..., Any], snapshot: Callable[[Any], Any]
) -> None:
    # compute_mask of Keras 3.15 raises where both flags are on.
    layer = keras_layer("lstm", two="concat", stateful=True, return_state=True)
    module = torch_module("lstm", bidirectional=True)
    copy_weights(randomise(layer), module)
    before = snapshot(layer)
    with refused("Bidirectional's own call", "return_state=True, stateful=True", "raises TypeError"):
        check_parity(layer, module)
    assert snapshot(layer) == before


# Arguments


@pytest.mark.backend
def test_a_keras_call_takes_keras_s_arguments(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("lstm", two="concat", return_sequences=True, return_state=True))
    module = convert(layer, to="pytorch")
    inputs, states = draw(BATCH, TIME, INPUT), [draw(BATCH, HIDDEN, seed=seed) for seed in range(1, 5)]
    by_call = check_parity(layer, module, inputs, keras_call={"initial_state": states, "mask": RIGHT, "training": False})
    h_0, c_0 = np.stack([states[0], states[2]]), np.stack([states[1], states[3]])
    by_arrays = check_parity(layer, module, inputs, initial_state=(h_0, c_0), mask=RIGHT)
    assert by_call, str(by_call)
    assert by_call.comparisons == by_arrays.comparisons
    other = check_parity(layer, module, inputs, initial_state=(c_0, h_0), mask=RIGHT)
    assert other.comparisons != by_call.comparisons


@pytest.mark.backend
def test_states_of_stacked_cells_are_accepted_as_keras_nests_them(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    layer = keras.layers.RNN([keras.layers.LSTMCell(HIDDEN), keras.layers.LSTMCell(HIDDEN)], return_state=True)
    layer.build((None, None, INPUT))
    module = convert(randomise(layer), to="pytorch")
    inputs, states = draw(BATCH, TIME, INPUT), [draw(BATCH, HIDDEN, seed=seed) for seed in range(1, 5)]
    by_call = check_parity(layer, module, inputs, keras_call={"initial_state": [states[:2], states[2:]]})
    arrays = np.stack([states[0], states[2]]), np.stack([states[1], states[3]])
    assert by_call.comparisons == check_parity(layer, module, inputs, initial_state=arrays).comparisons
    assert by_call


@pytest.mark.backend
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"keras_call": {"masks": None}}, ("keras_call", "masks")),
        ({"keras_call": [RIGHT]}, ("keras_call", "is a list")),
        ({"keras_call": {"mask": RIGHT}, "mask": RIGHT}, ("mask", "twice")),
        ({"keras_call": {"initial_state": [draw(BATCH, HIDDEN)]}}, ("initial_state of keras_call", "2 arrays", "1")),
        ({"initial_state": draw(1, BATCH, HIDDEN)}, ("initial_state", "1 array")),
        ({"initial_state": (draw(1, BATCH, HIDDEN), draw(1, BATCH, 8))}, ("c_0", "(1, 6, 8)")),
        ({"inputs": draw(BATCH, TIME, 8)}, ("inputs", "(6, 5, 8)")),
        ({"inputs": draw(BATCH, TIME, INPUT).astype("float64")}, ("inputs", "float64")),
        ({"inputs": draw(BATCH, TIME, INPUT), "mask": RIGHT[:, :3]}, ("mask", "(6, 3)")),
        ({"mask": RIGHT.astype("float32")}, ("mask", "float32")),
        ({"tolerance": 0}, ("tolerance", "0")),
        ({"tolerance": "1e-5"}, ("tolerance", "'1e-5'")),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    arguments: dict[str, Any], said: tuple[str, ...], refused: Callable[..., Any]
) -> None:
    layer = keras_layer("lstm")
    module = convert(layer, to="pytorch")
    with refused(*said):
        check_parity(layer, module, **arguments)
    with refused(*said):
        assert_parity(layer, module, **arguments)


def test_a_keras_call_needs_a_keras_layer(refused: Callable[..., Any]) -> None:
    with refused("keras_call", "neither layer is Keras's"):
        check_parity(torch_module("gru"), torch_module("gru"), keras_call={"mask": RIGHT})
    # It is called like torch's layers, although it is written in Keras.
    with refused("keras_call", "neither layer is Keras's"):
        check_parity(emulate(torch_module("gru"), to="keras"), torch_module("gru"), keras_call={"mask": RIGHT})
    # It is called like Keras's layers, although it is written in torch.
    emulated = emulate(keras_layer("gru"))
    assert check_parity(emulated, emulated, keras_call={"mask": RIGHT})


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("cell", {"cell": "gru"}),
        ("input_size", {"input_size": 8}),
        ("hidden_size", {"hidden_size": 6}),
        ("num_layers", {"num_layers": 2}),
        ("bidirectional", {"bidirectional": True}),
        ("dtype", {"dtype": "float64"}),
    ],
)
def test_layers_of_different_sizes_are_not_compared(field: str, changes: dict[str, Any], refused: Callable[..., Any]) -> None:
    one = RecurrentSpec("lstm", INPUT, HIDDEN)
    other = RecurrentSpec(**{"cell": "lstm", "input_size": INPUT, "hidden_size": HIDDEN, **changes})
    with refused(f"{field} of actual", repr(getattr(one, field)), repr(getattr(other, field))):
        check_parity(build("pytorch", one), build("pytorch", other))


def test_results_of_another_shape_are_a_difference(randomise: Callable[..., Any]) -> None:
    from frameworks.pytorch import PyTorchAdapter

    class Turned(PyTorchAdapter):
        def forward(self, *arguments: Any, **options: Any) -> RecurrentOutput:
            result = super().forward(*arguments, **options)
            assert result.output is not None
            return RecurrentOutput(result.output.transpose(1, 0, 2), result.h_n)

    module = randomise(torch_module("gru"))
    result = check_parity(module, Turned(module), draw(BATCH, TIME, INPUT))
    assert result.verdict == "failed"
    assert "output of actual, from zeros has shape (5, 6, 7), but expected has (6, 5, 7)" in str(result)
    assert set(failed(result)) == {"output of actual, from zeros"}


@pytest.mark.backend
def test_the_needed_tolerance_is_the_smallest_that_passes(randomise: Callable[..., Any]) -> None:
    layer, module = randomise(keras_layer("gru", return_sequences=True)), torch_module("gru", bias=True)
    copy_weights(layer, module)
    with import_module("torch").no_grad():
        module.weight_hh_l0[3, 4] += 1e-3
    assert not check_parity(layer, module)
    needed = check_parity(layer, module).worst.needed
    assert 1e-5 < needed < 1e-2
    assert check_parity(layer, module, tolerance=needed)
    assert not check_parity(layer, module, tolerance=math.nextafter(needed, 0))
    assert check_parity(layer, module, tolerance=1.0).tolerance == 1.0


@pytest.mark.backend
def test_the_tolerance_is_that_of_the_arithmetic(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    layer = randomise(keras_layer("lstm", dtype="float64"))
    result = check_parity(layer, convert(layer, to="pytorch"))
    exact = keras.backend.backend() == "tensorflow"
    assert result.tolerance == (1e-12 if exact else 1e-5)
    assert any("in float32" in note for note in result.notes) is not exact
    assert check_parity(convert(layer), convert(layer)).tolerance == 1e-12
    assert check_parity(randomise(keras_layer("lstm")), randomise(keras_layer("lstm"))).tolerance == 1e-5


def test_an_assertion_says_what_where_and_how_much(randomise: Callable[..., Any]) -> None:
    one, other = randomise(torch_module("gru"), 1), randomise(torch_module("gru"), 1)
    assert assert_parity(one, other) is None  # type: ignore[func-returns-value]
    other.weight_ih_l0.data[HIDDEN + 2, 3] += 0.25
    with pytest.raises(AssertionError) as caught:
        assert_parity(one, other)
    text = str(caught.value)
    assert text == str(check_parity(one, other))
    assert text.startswith("parity failed")
    assert "kernel of layer 0, direction 0 is 0.25 off at gate update, input 3, unit 2, against expected" in text
    assert f"needed tolerance {0.25 / max(1, one.weight_ih_l0.abs().max().item()):.3g}" in text


def test_without_arguments_all_sizes_of_the_drawn_calls_differ_and_are_repeated() -> None:
    for cell, size, hidden, layers, two in (("lstm", 2, 3, 2, True), ("gru", 4, 5, 3, False), ("rnn", 3, 2, 1, False)):
        spec = RecurrentSpec(cell, size, hidden, layers, two)  # type: ignore[arg-type]
        sides = (build("pytorch", spec), build("pytorch", spec))
        zeros, states = draw_calls(sides)
        batch, time, features = zeros.inputs.shape
        assert features == size
        assert len({batch, time, size, hidden, layers * (1 + two)}) == len({size, hidden, layers * (1 + two)}) + 2
        assert zeros.initial_state is None
        assert states.initial_state is not None
        assert all(np.all(state != 0) and state.shape == (layers * (1 + two), batch, hidden) for state in states.initial_state)
        np.testing.assert_array_equal(zeros.inputs, draw_calls(sides)[0].inputs)


def test_nothing_is_changed_by_comparing(snapshot: Callable[[Any], Any], randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("lstm", stateful=True, return_sequences=True))
    layer(draw(BATCH, TIME, INPUT))
    module = torch_module("lstm")
    copy_weights(layer, module)
    before = snapshot(layer), snapshot(module)
    assert check_parity(layer, module)
    assert (snapshot(layer), snapshot(module)) == before


@pytest.mark.backend
def test_adapters_are_compared_like_their_layers(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("gru"))
    module = convert(layer, to="pytorch")
    assert check_parity(adapt(layer), adapt(module)).comparisons == check_parity(layer, module).comparisons


# What two layers say of themselves


def test_another_activation_fails_even_where_the_drawn_inputs_do_not_show_it(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("rnn", activation="relu6"))
    torch = import_module("torch")
    module = torch.nn.RNN(INPUT, HIDDEN, nonlinearity="relu", batch_first=True)
    for name, array in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), layer.get_weights(), strict=True):
        getattr(module, name).data = torch.tensor(array.T.copy())
    module.bias_hh_l0.data.zero_()
    result = check_parity(layer, module)
    assert all(each.within for each in result.comparisons)
    assert result.verdict == "failed"
    assert result.differences == ("activation is 'relu6' in expected, 'relu' in actual",)


def test_flags_that_differ_between_two_keras_layers_are_noted(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("gru", return_sequences=True))
    notes = check_parity(layer, convert(layer, to="keras")).notes
    assert any("return_state is False in expected, True in actual" in note for note in notes)


def test_a_state_that_keras_returned_is_accepted_as_it_is(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("lstm", return_state=True))
    inputs = draw(BATCH, TIME, INPUT)
    _, *states = layer(inputs)
    assert check_parity(layer, convert(layer, to="pytorch"), inputs, keras_call={"initial_state": states})


@pytest.mark.parametrize("states", [(), [draw(BATCH, HIDDEN), draw(BATCH, HIDDEN + 1)], [draw(BATCH, HIDDEN)]])
def test_states_that_no_layer_accepts_are_refused(
    states: Any, refused: Callable[..., Any], randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer("lstm"))
    with refused("initial_state"):
        check_parity(layer, convert(layer, to="pytorch"), keras_call={"initial_state": states})
    with refused("initial_state"):
        check_parity(layer, convert(layer, to="pytorch"), initial_state=states)


def test_a_call_in_training_is_compared_unless_it_would_draw_random_numbers(
    refused: Callable[..., Any], randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer("gru"))
    assert check_parity(layer, convert(layer), keras_call={"training": True})
    layer = randomise(keras_layer("gru", recurrent_dropout=0.5))
    with refused("training", "dropout"):
        check_parity(layer, emulate(layer), keras_call={"training": True})
