"""Each mistake in the weights is named from the arrays alone, and no other fault is.

Covers: `compare/diagnosis/weights/claims.py`, `compare/diagnosis/weights/origins.py`,
`compare/diagnosis/weights/structures.py`, `compare/diagnosis/weights/bias_origins.py`,
`compare/diagnosis/weights/observed.py`, `compare/diagnosis/weights/likeness.py`, `compare/diagnosis/grouping.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest

from compare import Finding
from compare.diagnosis.grouping import weight_findings
from compare.diagnosis.weights.observed import Observed
from frameworks import DirectionWeights, RecurrentSpec, RecurrentWeights
from frameworks.spec import CellName
from tests.compare.diagnosis.ports_by_hand import (
    draw,
    everywhere,
    from_keras,
    from_torch,
    in_keras,
    in_torch,
    observe,
    with_arrays,
)

Array = npt.NDArray[np.floating]
Changes = Mapping[str, Array]
LSTM, GRU, RNN = (RecurrentSpec(cell, 3, 4) for cell in ("lstm", "gru", "rnn"))
SQUARE = RecurrentSpec("lstm", 4, 4)
STACK = RecurrentSpec("lstm", 5, 5, num_layers=3)
BOTH = RecurrentSpec("gru", 3, 4, bidirectional=True)
DEEP = RecurrentSpec("lstm", 3, 4, num_layers=2, bidirectional=True)
rng = np.random.default_rng


def drawn(seed: int, like: Array) -> Array:
    """Return numbers as torch draws them for four units."""
    return rng(seed).uniform(-0.5, 0.5, like.shape).astype(np.float32)


def mean_of(one: Array, other: Array) -> Array:
    return (one + other) / 2


def named(observed: Observed) -> dict[str, Finding]:
    assert not observed.unexplained
    return {each.mistake: each for each in weight_findings(observed)}


def total_of(weights: DirectionWeights) -> Array:
    total = weights.summed_bias()
    assert total is not None
    return total


def undone(observed: Observed, right: RecurrentWeights) -> bool:
    """Whether undoing all findings leaves the right weights, biases by their sum."""
    left = observed.without({claim.mistake for claim in observed.claims})
    return all(
        np.allclose(getattr(one, part), getattr(other, part), atol=1e-6)
        for (*_, one), (*_, other) in zip(left, right, strict=True)
        for part in ("kernel", "recurrent_kernel")
    ) and all(
        np.allclose(total_of(one), total_of(other), atol=1e-6) for (*_, one), (*_, other) in zip(left, right, strict=True)
    )


def test_right_weights_are_right_whatever_the_split_of_an_lstm_s_biases() -> None:
    right = draw(LSTM)
    one = right.layers[0][0]
    assert one.bias is not None
    share = rng(1).normal(size=one.bias.shape).astype("float32")
    port = with_arrays(right, {(0, 0): {"bias": one.bias - share, "recurrent_bias": share}})
    observed = observe(right, port, LSTM)
    assert not observed.claims
    assert not observed.unexplained


# One mistake in one array: what the port holds, written by hand as the porter's code makes it

MATRIX: dict[str, tuple[RecurrentSpec, str, str, str, Callable[[Array], Array]]] = {
    "kernel.reshape for torch": (
        LSTM,
        "keras",
        "kernel",
        "kernel-reshaped",
        lambda w: from_torch(in_keras(w).reshape(16, 3), "lstm"),
    ),
    "weight_ih.reshape for Keras": (
        LSTM,
        "pytorch",
        "kernel",
        "kernel-reshaped",
        lambda w: from_keras(in_torch(w, "lstm").reshape(3, 16), "lstm"),
    ),
    "recurrent_kernel.reshape": (
        GRU,
        "keras",
        "recurrent_kernel",
        "recurrent-kernel-reshaped",
        lambda w: from_torch(in_keras(w[[1, 0, 2]]).reshape(12, 4), "gru"),
    ),
    "the square kernel of a simple RNN as it is": (
        RNN,
        "keras",
        "recurrent_kernel",
        "recurrent-kernel-not-transposed",
        lambda w: from_torch(in_keras(w), "rnn"),
    ),
    "blocks stacked": (
        LSTM,
        "keras",
        "recurrent_kernel",
        "gate-blocks-not-transposed",
        lambda w: from_torch(np.concatenate(np.split(in_keras(w), 4, axis=1)), "lstm"),
    ),
    "gates not exchanged": (GRU, "keras", "recurrent_kernel", "gates-permuted", lambda w: from_torch(in_keras(w).T, "gru")),
    "half precision": (LSTM, "keras", "kernel", "rounded", lambda w: w.astype(np.float16).astype(np.float32)),
    "a factor": (LSTM, "keras", "kernel", "scaled", lambda w: w * np.float32(1.7)),
    "input features": (LSTM, "keras", "kernel", "inputs-permuted", lambda w: w[:, [2, 0, 1]]),
    "hidden units": (LSTM, "keras", "kernel", "units-permuted", lambda w: w[:, :, [3, 1, 0, 2]]),
    "rows of a recurrent kernel": (LSTM, "keras", "recurrent_kernel", "units-permuted", lambda w: w[:, [3, 1, 0, 2]]),
    "never copied": (LSTM, "keras", "kernel", "not-copied", lambda w: rng(9).uniform(-0.5, 0.5, w.shape).astype(np.float32)),
    "zeros": (LSTM, "keras", "kernel", "not-copied", np.zeros_like),
}


@pytest.mark.parametrize("case", MATRIX)
def test_a_mistake_in_a_matrix_is_named_with_its_part(case: str) -> None:
    spec, source, part, mistake, change = MATRIX[case]
    right = draw(spec)
    port = with_arrays(right, {(0, 0): {part: change(getattr(right.layers[0][0], part))}})
    observed = observe(right, port, spec, source, {"keras": "pytorch", "pytorch": "keras"}[source])
    found = named(observed)
    assert set(found) == {mistake}
    assert found[mistake].where == {"part": part.replace("_", " ")}
    assert undone(observed, right)
    assert not observe(right, right, spec).claims


BIASES: dict[str, tuple[RecurrentSpec, str, dict[str, str], Callable[[Array, Array], tuple[Array, Array]]]] = {
    "in both of torch's": (LSTM, "bias-doubled", {}, lambda b, s: (b, b)),
    "twice": (GRU, "bias-doubled", {}, lambda b, s: (2 * b, 2 * s)),
    "their sum in both": (GRU, "bias-doubled", {}, lambda b, s: (b + s, b + s)),
    "the first in both": (GRU, "bias-doubled", {}, lambda b, s: (b, b)),
    "half": (LSTM, "bias-halved", {}, lambda b, s: (b / 2, 0 * b)),
    "the mean": (GRU, "bias-halved", {}, lambda b, s: (mean_of(b, s), 0 * b)),
    "zeros": (LSTM, "bias-dropped", {}, lambda b, s: (0 * b, 0 * b)),
    "the second alone": (GRU, "bias-dropped", {}, lambda b, s: (0 * b, s)),
    "the first alone": (GRU, "recurrent-bias-dropped", {"part": "recurrent bias"}, lambda b, s: (b, 0 * s)),
    "the sum": (GRU, "biases-summed", {}, lambda b, s: (b + s, 0 * s)),
    "exchanged": (GRU, "biases-swapped", {}, lambda b, s: (s, b)),
    "without the constant": (LSTM, "forget-bias-missing", {"gate": "forget"}, lambda b, s: (b - np.eye(4)[1][:, None], 0 * b)),
    "with it twice": (LSTM, "forget-bias-twice", {"gate": "forget"}, lambda b, s: (b + np.eye(4)[1][:, None], 0 * b)),
    "gates of the first": (GRU, "gates-permuted", {}, lambda b, s: (b[[1, 0, 2]], s)),
    "gates of both": (GRU, "gates-permuted", {}, lambda b, s: (b[[1, 0, 2]], s[[1, 0, 2]])),
    "units": (GRU, "units-permuted", {}, lambda b, s: (b[:, [3, 1, 0, 2]], s[:, [3, 1, 0, 2]])),
    "rounded": (GRU, "rounded", {}, lambda b, s: (b.astype(np.float16), s.astype(np.float16))),
    "never copied": (
        GRU,
        "not-copied",
        {},
        lambda b, s: (rng(3).uniform(-0.5, 0.5, b.shape), rng(4).uniform(-0.5, 0.5, b.shape)),
    ),
    "the second as torch drew it": (
        LSTM,
        "not-copied",
        {"part": "recurrent bias"},
        lambda b, s: (b, drawn(3, b)),
    ),
}


@pytest.mark.parametrize("case", BIASES)
def test_a_mistake_in_the_biases_is_named(case: str) -> None:
    spec, mistake, where, change = BIASES[case]
    right = draw(spec)
    one = right.layers[0][0]
    assert one.bias is not None
    second = np.zeros_like(one.bias) if one.recurrent_bias is None else one.recurrent_bias
    bias, recurrent_bias = (each.astype(np.float32) for each in change(one.bias, second))
    port = with_arrays(right, {(0, 0): {"bias": bias, "recurrent_bias": recurrent_bias}})
    observed = observe(right, port, spec)
    found = named(observed)
    assert set(found) == {mistake}
    assert found[mistake].where == {"part": "bias", **where}
    assert undone(observed, right)


def test_a_missing_bias_counts_as_dropped_and_one_of_zeros_as_right() -> None:
    right = draw(LSTM)
    port = with_arrays(right, {(0, 0): {"bias": None}})  # type: ignore[dict-item]
    assert set(named(observe(right, port, LSTM))) == {"bias-dropped"}
    zeros = with_arrays(right, {(0, 0): {"bias": np.zeros((4, 4), "float32")}})
    assert not observe(zeros, port, LSTM).claims


def test_each_bias_rounded_before_keras_s_one_is_their_sum() -> None:
    right = draw(LSTM, two_biases=True)
    one = right.layers[0][0]
    assert one.bias is not None
    assert one.recurrent_bias is not None
    halves = one.bias.astype(np.float16).astype(np.float32) + one.recurrent_bias.astype(np.float16).astype(np.float32)
    port = with_arrays(right, {(0, 0): {"bias": halves, "recurrent_bias": None}})  # type: ignore[dict-item]
    assert set(named(observe(right, port, LSTM, "pytorch", "keras"))) == {"rounded"}


def test_one_of_torch_s_two_biases_is_not_their_sum() -> None:
    right = draw(LSTM, two_biases=True)
    port = with_arrays(right, {(0, 0): {"recurrent_bias": None}})  # type: ignore[dict-item]
    assert set(named(observe(right, port, LSTM, "pytorch", "keras"))) == {"recurrent-bias-dropped"}


def test_a_constant_beside_two_biases_of_which_torch_s_is_the_sum_is_one_mistake() -> None:
    spec = RecurrentSpec("lstm", 3, 128)
    right = draw(spec, two_biases=True)
    one = right.layers[0][0]
    assert one.bias is not None
    total = one.summed_bias()
    assert total is not None
    total[1] -= 1
    port = with_arrays(right, {(0, 0): {"bias": total, "recurrent_bias": None}})  # type: ignore[dict-item]
    assert set(named(observe(right, port, spec, "pytorch", "keras"))) == {"forget-bias-missing"}


# Arrays of another place


def taken_from(right: RecurrentWeights, sources: Mapping[tuple[int, int], tuple[int, int]]) -> RecurrentWeights:
    layers = [list(row) for row in right.layers]
    for (layer, side), (other, other_side) in sources.items():
        layers[layer][side] = right.layers[other][other_side]
    return RecurrentWeights(tuple(map(tuple, layers)))


MOVED = {
    "directions exchanged": (BOTH, {(0, 0): (0, 1), (0, 1): (0, 0)}, "directions-swapped", {}),
    "one direction twice": (BOTH, {(0, 1): (0, 0)}, "direction-repeated", {"direction": 1}),
    "layers exchanged": (STACK, {(1, 0): (2, 0), (2, 0): (1, 0)}, "layers-swapped", {}),
    "a layer twice": (STACK, {(2, 0): (1, 0)}, "from-another-layer", {"layer": 2}),
}


@pytest.mark.parametrize("case", MOVED)
def test_arrays_of_another_place_are_named_with_the_place(case: str) -> None:
    spec, sources, mistake, where = MOVED[case]
    right = draw(spec)
    observed = observe(right, taken_from(right, sources), spec)
    found = named(observed)
    assert set(found) == {mistake}
    assert found[mistake].where == where
    assert undone(observed, right)


def test_layers_with_the_same_weights_may_be_exchanged() -> None:
    right = taken_from(draw(STACK), {(2, 0): (1, 0)})
    assert not observe(right, taken_from(right, {(1, 0): (2, 0), (2, 0): (1, 0)}), STACK).claims


def test_layers_and_directions_exchanged_are_two_mistakes() -> None:
    spec = RecurrentSpec("rnn", 8, 4, num_layers=2, bidirectional=True)
    right = draw(spec)
    crossed = {(0, 0): (1, 1), (1, 1): (0, 0), (0, 1): (1, 0), (1, 0): (0, 1)}
    assert set(named(observe(right, taken_from(right, crossed), spec))) == {"layers-swapped", "directions-swapped"}


# Several mistakes, also in one array


def test_three_mistakes_in_different_arrays_are_named_with_their_places() -> None:
    right = draw(DEEP)
    first, other = right.layers[0][0], right.layers[1][1]
    assert other.bias is not None
    changes = {
        (0, 0): {
            "kernel": from_torch(in_keras(first.kernel).reshape(16, 3), "lstm"),
            "recurrent_kernel": first.recurrent_kernel * 2,
        },
        (1, 1): {"bias": other.bias * 2},
    }
    observed = observe(right, with_arrays(right, changes), DEEP)
    assert {mistake: each.where for mistake, each in named(observed).items()} == {
        "kernel-reshaped": {"layer": 0, "direction": 0, "part": "kernel"},
        "scaled": {"layer": 0, "direction": 0, "part": "recurrent kernel"},
        "bias-doubled": {"layer": 1, "direction": 1, "part": "bias"},
    }
    assert undone(observed, right)


STACKED: dict[str, tuple[RecurrentSpec, str, set[str], Callable[[Array], Array]]] = {
    "units, reshaped, rounded": (
        LSTM,
        "kernel",
        {"units-permuted", "kernel-reshaped", "rounded"},
        lambda w: from_torch(in_keras(w[:, :, [3, 1, 0, 2]]).reshape(16, 3), "lstm").astype(np.float16).astype(np.float32),
    ),
    "reshaped, then gates exchanged": (
        GRU,
        "kernel",
        {"kernel-reshaped"},
        lambda w: from_torch(in_keras(w).reshape(12, 3)[[*range(4, 8), *range(4), *range(8, 12)]], "gru"),
    ),
    "reshaped, gates not exchanged": (
        GRU,
        "kernel",
        {"kernel-reshaped", "gates-permuted"},
        lambda w: from_torch(in_keras(w).reshape(12, 3), "gru"),
    ),
    "blocks, gates, a factor": (
        LSTM,
        "recurrent_kernel",
        {"gate-blocks-not-transposed", "gates-permuted", "scaled"},
        lambda w: w.transpose(0, 2, 1)[[0, 2, 1, 3]] * np.float32(3),
    ),
    "units and inputs": (LSTM, "kernel", {"units-permuted", "inputs-permuted"}, lambda w: w[:, [1, 2, 0]][:, :, [1, 0, 3, 2]]),
}


@pytest.mark.parametrize("case", STACKED)
def test_mistakes_in_the_same_array_are_told_apart(case: str) -> None:
    spec, part, mistakes, change = STACKED[case]
    right = draw(spec)
    observed = observe(right, with_arrays(right, {(0, 0): {part: change(getattr(right.layers[0][0], part))}}), spec)
    assert set(named(observed)) == mistakes
    assert undone(observed, right)


def test_undoing_one_of_two_mistakes_leaves_the_other() -> None:
    right = draw(LSTM)
    kernel = right.layers[0][0].kernel
    observed = observe(right, with_arrays(right, {(0, 0): {"kernel": kernel[[0, 2, 1, 3]] * 2}}), LSTM)
    np.testing.assert_array_equal(observed.without(["scaled"]).layers[0][0].kernel, kernel[[0, 2, 1, 3]])
    np.testing.assert_array_equal(observed.without(["gates-permuted"]).layers[0][0].kernel, kernel * 2)


def test_a_cudnn_file_read_as_a_plain_one_is_one_mistake_of_both_matrices() -> None:
    right = draw(LSTM)
    one = right.layers[0][0]
    blocks = {
        "kernel": one.kernel.transpose(0, 2, 1).reshape(4, 3, 4),
        "recurrent_kernel": one.recurrent_kernel.transpose(0, 2, 1),
    }
    found = named(observe(right, with_arrays(right, {(0, 0): blocks}), LSTM))
    assert set(found) == {"cudnn-layout-read-as-plain"}
    assert not found["cudnn-layout-read-as-plain"].where


# Twins


def test_a_square_matrix_of_one_gate_reshaped_or_not_transposed_is_the_same() -> None:
    right = draw(RNN)
    port = with_arrays(right, {(0, 0): {"recurrent_kernel": right.layers[0][0].recurrent_kernel.transpose(0, 2, 1)}})
    (finding,) = weight_findings(observe(right, port, RNN))
    assert {finding.mistake, *finding.twins} >= {"recurrent-kernel-not-transposed", "recurrent-kernel-reshaped"}
    gated = draw(LSTM)
    port = with_arrays(gated, {(0, 0): {"recurrent_kernel": gated.layers[0][0].recurrent_kernel.transpose(0, 2, 1)}})
    (finding,) = weight_findings(observe(gated, port, LSTM))
    assert finding.mistake == "gate-blocks-not-transposed"
    assert "recurrent-kernel-not-transposed" not in finding.twins


def test_symmetric_recurrent_kernels_need_no_transposition() -> None:
    right = draw(RNN)
    matrix = right.layers[0][0].recurrent_kernel
    symmetric = with_arrays(right, {(0, 0): {"recurrent_kernel": matrix + matrix.transpose(0, 2, 1)}})
    port = with_arrays(symmetric, {(0, 0): {"recurrent_kernel": symmetric.layers[0][0].recurrent_kernel.transpose(0, 2, 1)}})
    assert not observe(symmetric, port, RNN).claims


# Faults that have no name


def with_gate(array: Array, change: Callable[[Array], Array]) -> Array:
    return np.stack([array[0], change(array[1]), *array[2:]])


def with_number_changed(array: Array) -> Array:
    wrong: Array = array.copy()
    wrong.reshape(-1)[7] += 1
    return wrong


FAULTS: dict[str, Callable[[Array], Array]] = {
    "a number changed": with_number_changed,
    "noise": lambda w: w + 0.1 * w.std() * rng(1).normal(size=w.shape).astype(w.dtype),
    "trained on": lambda w: w + 0.5 * w.std() * rng(1).normal(size=w.shape).astype(w.dtype),
    "clipped": lambda w: np.clip(w, -w.std(), w.std()),
    "a gate negated": lambda w: with_gate(w, lambda gate: -gate),
    "a gate zero": lambda w: with_gate(w, np.zeros_like),
    "a gate twice": lambda w: with_gate(w, lambda gate: w[0]),
    "pruned": lambda w: np.where(np.abs(w) < w.std() / 2, np.float32(0), w),
    "an offset": lambda w: w + np.float32(0.1),
    "units with other factors": lambda w: w * np.linspace(1, 2, w.shape[-1], dtype=w.dtype),
    "rolled": lambda w: np.roll(w.ravel(), 1).reshape(w.shape),
    "squared": lambda w: w**2,
    "shuffled": lambda w: rng(1).permutation(w.ravel()).reshape(w.shape),
    "signs": lambda w: w * rng(1).choice((-1, 1), w.shape).astype(w.dtype),
}


@pytest.mark.parametrize("part", ["kernel", "recurrent_kernel"])
@pytest.mark.parametrize("name", FAULTS)
def test_another_fault_gets_no_name_and_says_where_it_begins(name: str, part: str) -> None:
    right = draw(DEEP)
    array = getattr(right.layers[1][0], part)
    observed = observe(right, with_arrays(right, {(1, 0): {part: FAULTS[name](array)}}), DEEP)
    assert not observed.claims
    (unit,) = observed.unexplained
    assert (unit.layer, unit.direction, unit.part) == (1, 0, part)
    notes = "\n".join(observed.notes())
    assert f"the {part.replace('_', ' ')} of layer 1, direction 0" in notes
    if name.startswith("a gate"):
        assert "in the gates forget alone, the first at gate forget" in notes
    assert "ruled out" in notes


@pytest.mark.parametrize("seed", range(20))
def test_random_arrays_are_never_related_and_noisy_ones_always_are(seed: int) -> None:
    right = draw(LSTM, seed)
    kernel = right.layers[0][0].kernel
    fresh = rng(seed + 100).uniform(-0.5, 0.5, kernel.shape).astype("float32")
    assert set(named(observe(right, with_arrays(right, {(0, 0): {"kernel": fresh}}), LSTM))) == {"not-copied"}
    noisy = kernel + 0.25 * rng(seed + 50).normal(size=kernel.shape).astype("float32") * kernel.std()
    assert observe(right, with_arrays(right, {(0, 0): {"kernel": noisy}}), LSTM).unexplained


def test_weights_with_nan_are_named_so() -> None:
    right = draw(LSTM)
    kernel = right.layers[0][0].kernel.copy()
    kernel[2, 1, 0] = np.nan
    found = named(observe(right, with_arrays(right, {(0, 0): {"kernel": kernel}}), LSTM))
    assert found["not-a-number"].found == "1 numbers that are not finite"


# Small sizes


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("seed", range(5))
def test_one_unit_and_one_input_name_nothing_by_chance(cell: CellName, seed: int) -> None:
    spec = RecurrentSpec(cell, 1, 1)
    right = draw(spec, seed)
    noisy = with_arrays(right, {(0, 0): {"kernel": right.layers[0][0].kernel * np.float32(1.05) + np.float32(0.01)}})
    assert not observe(right, noisy, spec).claims
    assert not observe(right, right, spec).claims


def test_a_fresh_keras_layer_was_not_copied_in_any_array() -> None:
    right = draw(LSTM)
    fresh = {
        "kernel": rng(5).uniform(-0.5, 0.5, (4, 3, 4)).astype("float32"),
        "recurrent_kernel": rng(6).uniform(-0.5, 0.5, (4, 4, 4)).astype("float32"),
        "bias": np.repeat(np.array([[0], [1], [0], [0]], "float32"), 4, axis=1),
    }
    found = named(observe(right, with_arrays(right, {(0, 0): fresh}), LSTM, "pytorch", "keras"))
    assert set(found) == {"not-copied"}
    assert not found["not-copied"].where
    zeros = named(observe(right, with_arrays(right, {(0, 0): {**fresh, "bias": fresh["bias"] * 0}}), LSTM, "pytorch", "keras"))
    assert set(zeros) == {"not-copied"}
    assert zeros["not-copied"].twins == ("bias-dropped",)


def test_every_place_of_a_stack_is_where_its_layer_and_direction_say() -> None:
    right = draw(DEEP)
    for layer, side in everywhere(DEEP):
        port = with_arrays(right, {(layer, side): {"kernel": right.layers[layer][side].kernel[[0, 2, 1, 3]]}})
        (finding,) = weight_findings(observe(right, port, DEEP))
        assert finding.where == {"layer": layer, "direction": side, "part": "kernel"}
        assert finding.found == "in the place of input, forget, candidate, output: input, candidate, forget, output"
        assert finding.must_be == "input, forget, candidate, output"
