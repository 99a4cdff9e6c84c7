"""The translation model: the same in both frameworks and in NumPy, trained alike, and continued as if never stopped.

Covers: `compare/report/studies/translation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.report.studies.translation import accuracy, defaults
from compare.report.studies.translation.batches import PAD, SOUNDS, START, Batches, held_out
from compare.report.studies.translation.copying import copy_model, parameters
from compare.report.studies.translation.dictionary import read_sample
from compare.report.studies.translation.setting import Setting
from compare.report.studies.translation.training import Side, build_sides
from frameworks import optimizer_like
from frameworks.cells import GATES
from frameworks.reference.forward import run_reference
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = np.ndarray[Any, Any]
STEPS = 30
ENTRIES = read_sample()
BATCHES = Batches(ENTRIES, 16)
SETTINGS = {
    "gru": Setting(cell="gru", embedding_dim=5, units=7, optimizer_config={"learning_rate": 0.01}),
    "lstm": Setting(
        cell="lstm", embedding_dim=5, units=7, optimizer="SGD", optimizer_config={"learning_rate": 0.3, "momentum": 0.9}
    ),
}
WORDS, _ = held_out(ENTRIES)
SOME = (WORDS[:30, :7], held_out(ENTRIES)[1][:30, :4])


def batch(step: int) -> tuple[Array, Array]:
    """Return a shortened batch, since Keras traces every step of the decoder anew."""
    sources, targets = BATCHES.batch(step)
    return sources[:, :7], targets[:, :4]


class Run:
    """Two sides after STEPS steps, with their losses, and what they were halfway."""

    def __init__(self, cell: str) -> None:
        self.sides: tuple[Side, Side] = build_sides(SETTINGS[cell])
        self.start = [side.parameters() for side in self.sides]
        self.losses = np.array([train(side, range(STEPS // 2)) for side in self.sides])
        self.halfway = [side.state() for side in self.sides]
        later = np.array([train(side, range(STEPS // 2, STEPS)) for side in self.sides])
        self.losses = np.concatenate([self.losses, later], axis=1)


def train(side: Side, steps: range) -> list[float]:
    return [side.step(batch(step)) for step in steps]


def pytorch_side(setting: Setting) -> Side:
    import keras

    from compare.report.studies.translation.pytorch.training import PyTorchSide, build_model, trained

    model = build_model(setting)
    return PyTorchSide(model, optimizer_like(keras.optimizers.Adam(0.01), trained(model)), setting.seed)


@pytest.fixture(scope="module", params=["gru", "lstm"])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)


def tolerance() -> float:
    """Keras multiplies float64 matrices in float32 on every backend but TensorFlow."""
    import keras

    return 1e-12 if keras.config.backend() == "tensorflow" else 1e-5


def distance(one: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def reference_logits(cell: Any, arrays: Mapping[str, Array], batch: tuple[Array, Array]) -> Array:
    """Run a translator with teacher forcing in NumPy, from its parameters in the shared form."""

    def recurrence(path: str, inputs: Array, states: Any = None) -> Any:
        weights = DirectionWeights(
            GATES[cell], **{name: arrays[key] for key in arrays for head, _, name in [key.rpartition(".")] if head == path}
        )
        spec = RecurrentSpec(cell, inputs.shape[-1], weights.kernel.shape[-1], dtype="float64")
        found = run_reference(RecurrentWeights(((weights,),)), spec, inputs, states)
        return found.output, tuple(state for state in (found.h_n, found.c_n) if state is not None)

    def dense(path: str, inputs: Array) -> Array:
        product: Array = inputs @ arrays[f"{path}.kernel"] + arrays[f"{path}.bias"]
        return product

    sources, targets = batch
    values, states = recurrence(f"encoder.{cell}", arrays["encoder.embedding.embeddings"][sources])
    steps = []
    for token in targets[:, :-1].T:
        query = dense("decoder.attention.W1", states[0][0])[:, None]
        scores = np.exp(dense("decoder.attention.V", np.tanh(query + dense("decoder.attention.W2", values))))
        context = (scores / scores.sum(axis=1, keepdims=True) * values).sum(axis=1)
        inputs = np.concatenate([context, arrays["decoder.embedding.embeddings"][token]], axis=-1)[:, None]
        output, states = recurrence(f"decoder.{cell}", inputs, states)
        steps.append(dense("decoder.fc", output[:, 0]))
    return np.stack(steps, axis=1)


@pytest.mark.backend
def test_both_models_compute_what_their_shared_parameters_give_in_numpy(run: Run) -> None:
    cell = "gru" if "encoder.gru.kernel" in run.start[0] else "lstm"
    for side in run.sides:
        expected = reference_logits(cell, side.parameters(), SOME)
        assert np.abs(side.predict(SOME) - expected).max() < max(1e-12, tolerance())
        swapped = {
            name: array[::-1] if name.endswith("recurrent_kernel") else array for name, array in side.parameters().items()
        }
        assert np.abs(side.predict(SOME) - reference_logits(cell, swapped, SOME)).max() > 1e-3


@pytest.mark.backend
def test_the_same_batches_lead_both_to_the_same_parameters_over_the_same_losses(run: Run) -> None:
    assert distance(run.start[0], run.start[1]) == 0
    assert np.abs(run.losses[0] - run.losses[1]).max() < tolerance()
    ours, theirs = (side.parameters() for side in run.sides)
    assert distance(ours, theirs) < 100 * tolerance()
    moved = {name: float(np.abs(ours[name] - run.start[0][name]).max()) for name in ours}
    assert moved.pop("decoder.attention.V.bias") < 1e-3  # softmax takes no notice of it
    assert min(moved.values()) > 1e-5, moved


@pytest.mark.backend
def test_a_training_that_is_restored_goes_on_as_if_it_had_not_stopped(run: Run) -> None:
    for side, halfway, losses in zip(run.sides, run.halfway, run.losses, strict=True):
        end = side.state()
        side.restore(halfway)
        assert train(side, range(STEPS // 2, STEPS)) == losses[STEPS // 2 :].tolist()
        again = side.state()
        assert all(np.array_equal(again[name], array) for name, array in end.items())
        forgetful = {name: array if name.startswith("model/") else end[name] for name, array in halfway.items()}
        side.restore(forgetful)
        assert train(side, range(STEPS // 2, STEPS)) != losses[STEPS // 2 :].tolist()
        side.restore(end)


def test_a_new_side_goes_on_from_a_state_and_one_of_another_setting_refuses_it(refused: Any) -> None:
    setting = replace(SETTINGS["gru"], dropout=0.5, dtype="float32", seed=1)
    side = pytorch_side(setting)
    train(side, range(3))
    state = side.state()
    expected = train(side, range(3, 6))
    other = pytorch_side(setting)
    other.restore(state)
    assert train(other, range(3, 6)) == expected
    wider = pytorch_side(replace(setting, units=8))
    before = wider.state()
    with refused("of the state", "of shape"):
        wider.restore(state)
    assert all(np.array_equal(wider.state()[name], array) for name, array in before.items())


@pytest.mark.backend
def test_the_greedy_translations_are_the_same_and_look_at_the_same_letters(run: Run) -> None:
    keras_side, side = run.sides
    kept, rng = [one.state() for one in run.sides], np.random.default_rng(0)
    random = {name: rng.normal(size=array.shape) for name, array in kept[0].items() if array.dtype == np.float64}
    keras_side.restore({**kept[0], **random})
    copy_model(keras_side.model, side.model)
    (ours, looks), (theirs, others) = (side.translate(WORDS[:300]) for side in run.sides)
    sure = accuracy.margin(side, WORDS[:300], theirs) > 100 * tolerance()
    assert sure.mean() > 0.8
    assert np.array_equal(ours[sure], theirs[sure])
    assert np.abs(looks - others)[sure].max() < 100 * tolerance()
    assert np.allclose(looks.sum(axis=-1), 1)
    assert len({tuple(row) for row in theirs}) > 5
    for one, state in zip(run.sides, kept, strict=True):
        one.restore(state)


@pytest.mark.backend
def test_copies_go_both_ways_whole_or_not_at_all(refused: Any) -> None:
    from compare.report.studies.translation.keras.training import build_model as build_keras
    from compare.report.studies.translation.pytorch.training import build_model as build_pytorch

    setting = replace(SETTINGS["lstm"], seed=9)
    source, target = build_pytorch(setting), build_keras(setting)
    assert distance(parameters(source), parameters(target)) > 0.1
    copy_model(source, target)
    assert distance(parameters(source), parameters(target)) == 0
    wider = build_pytorch(replace(setting, units=8))
    before = parameters(wider)
    with refused("of the target", "shape"):
        copy_model(target, wider)
    assert distance(parameters(wider), before) == 0
    with refused("absent"):
        copy_model(target, build_pytorch(replace(setting, cell="gru")))


def wrong_decoders() -> dict[str, Any]:
    import torch

    from compare.report.studies.translation.pytorch import gru, lstm
    from compare.report.studies.translation.pytorch.attention import BahdanauAttention

    right = lstm.Decoder.forward

    def swap_states(self: Any, x: Any, states: Any, enc_output: Any) -> Any:
        return right(self, x, (states[0], states[0]), enc_output)

    def begin_at_zero(self: Any, x: Any, hidden: Any, enc_output: Any) -> Any:
        context, attention = self.attention(hidden[-1], enc_output)
        output, hidden = self.gru(torch.cat([context.unsqueeze(1), self.embedding(x)], dim=-1))
        return self.fc(output[:, 0]), hidden, attention

    def wrong_axis(self: Any, query: Any, values: Any) -> Any:
        attention = torch.softmax(self.V(torch.tanh(self.W1(query.unsqueeze(1)) + self.W2(values))), dim=0)
        return torch.sum(attention * values, dim=1), attention

    return {
        "the hidden state handed over for the cell state": ("lstm", lstm.Decoder, swap_states),
        "each step from zero, as in the tutorial": ("gru", gru.Decoder, begin_at_zero),
        "attention over the batch": ("gru", BahdanauAttention, wrong_axis),
    }


@pytest.mark.parametrize("name", wrong_decoders())
def test_the_usual_mistakes_in_a_port_are_seen_in_the_first_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, owner, forward = wrong_decoders()[name]
    right, wrong = (pytorch_side(SETTINGS[cell]) for _ in range(2))
    before = wrong.parameters()
    expected = right.step(batch(0))
    monkeypatch.setattr(owner, "forward", forward)
    assert abs(wrong.step(batch(0)) - expected) > 1e-4
    still = np.array_equal(before[f"decoder.{cell}.recurrent_kernel"], wrong.parameters()[f"decoder.{cell}.recurrent_kernel"])
    assert still == ("tutorial" in name)


@pytest.mark.backend
def test_padding_adds_nothing_to_the_loss_and_counts_as_a_position() -> None:
    import torch
    from keras import ops

    from compare.report.studies.translation.keras.loss import masked_loss as in_keras
    from compare.report.studies.translation.pytorch.loss import masked_loss as in_pytorch

    rng = np.random.default_rng(0)
    targets = np.array([[START, 7, 2, PAD], [START, 9, 8, 2]])
    logits = rng.normal(size=(2, 3, SOUNDS.size))
    each = -np.log(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))
    terms = [each[0, 0, 7], each[0, 1, 2], each[1, 0, 9], each[1, 1, 8], each[1, 2, 2]]
    found = [
        float(ops.convert_to_numpy(in_keras(ops.convert_to_tensor(targets[:, 1:]), ops.convert_to_tensor(logits)))),
        in_pytorch(torch.tensor(targets[:, 1:]), torch.tensor(logits)).item(),
        accuracy.loss(logits, targets),
    ]
    assert np.allclose(found, sum(terms) / 6, rtol=tolerance())
    assert np.allclose(found[1:], sum(terms) / 6, rtol=1e-14)
    assert not np.allclose(found, sum(terms) / 5, rtol=1e-2)
    assert not np.allclose(found, (sum(terms) + each[0, 2, PAD]) / 6, rtol=1e-2)


def test_accuracies_count_what_they_say() -> None:
    targets = np.array([[START, 7, 2, PAD], [START, 9, 8, 2]])
    logits = np.zeros((2, 3, SOUNDS.size))
    for row, column, token in [(0, 0, 7), (0, 1, 5), (0, 2, 6), (1, 0, 9), (1, 1, 8), (1, 2, 2)]:
        logits[row, column, token] = 1
    assert accuracy.token_accuracy(logits, targets) == 4 / 5
    full = np.pad(targets, ((0, 0), (0, 7)))
    assert accuracy.sequence_accuracy(np.array([[7, 2], [9, 2]]), full) == 1 / 2
    assert accuracy.sequence_accuracy(np.array([[7, 5, 2], [9, 8, 2]]), full) == 1 / 2


def test_keras_s_loss_object_rounds_logits_to_float32_where_its_function_does_not() -> None:
    import keras

    logits = np.random.default_rng(0).normal(size=(3, SOUNDS.size))
    rounded = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(np.array([3, 4, 5]), logits)
    assert "float32" in str(rounded.dtype)
    assert "float64" in str(keras.losses.sparse_categorical_crossentropy(np.array([3, 4, 5]), logits, from_logits=True).dtype)


@pytest.mark.backend
def test_on_tensorflow_keras_s_adam_squares_an_embedding_s_gradient_row_by_row() -> None:
    import keras

    model = keras.Sequential([keras.layers.Embedding(4, 3)])
    tokens = np.array([[1, 1, 2, 1]])
    before = model(tokens) is not None and model.get_weights()[0]
    model.compile(keras.optimizers.Adam(0.001), "mse")
    model.fit(tokens, np.full((1, 4, 3), 9.0), verbose=0)
    moved = model.get_weights()[0] - before
    thrice = (
        np.sqrt(3) if keras.config.backend() == "tensorflow" else 1.0
    )  # sum of 3 over the root of 3 squares, or of a square of 3
    assert np.allclose(moved[1], 0.001 * thrice, rtol=1e-3)
    assert np.allclose(moved[2], 0.001, rtol=1e-3)


def test_what_fit_leaves_undone_parts_the_embeddings_in_the_first_step_and_nothing_else() -> None:
    sides = build_sides(replace(SETTINGS["gru"], added_up=False))
    sources, targets = BATCHES.batch(0)
    for side in sides:
        side.step((sources, targets[:, :2]))
    ours, theirs = (side.parameters() for side in sides)
    apart = {name for name in ours if np.abs(ours[name] - theirs[name]).max() > 1e-12}
    assert apart == {"encoder.embedding.embeddings", "decoder.embedding.embeddings"}


def test_none_of_its_own_is_as_keras_has_it_and_all_are_as_a_port_finds_them_in_pytorch(refused: Any) -> None:
    setting = replace(SETTINGS["lstm"], optimizer="RMSprop", optimizer_config={}, dropout=0.5)
    like_keras, own = (defaults.build_side(setting, names) for names in ((), defaults.DEFAULTS))
    assert [side.optimizer.param_groups[0]["lr"] for side in (like_keras, own)] == pytest.approx([1e-3, 1e-2])
    assert [type(side.optimizer).__module__.partition(".")[0] for side in (like_keras, own)] == ["frameworks", "torch"]
    assert [side.model.decoder.dropout.p for side in (like_keras, own)] == [0.5, 0.0]
    assert [side.model.encoder.lstm.bias_hh_l0.requires_grad for side in (like_keras, own)] == [False, True]
    assert np.abs(like_keras.parameters()["encoder.embedding.embeddings"]).max() < 0.05
    assert np.abs(own.parameters()["encoder.embedding.embeddings"]).max() > 1
    with refused("a default", "'epsilon'"):
        defaults.build_side(setting, ("epsilon",))
    with refused("optimizer_config", "learning_rate"):
        defaults.build_side(SETTINGS["gru"], ())
    with refused("the optimizer", "Lion"):
        defaults.build_side(replace(setting, optimizer="Lion"), ())


def test_the_trainings_that_tell_the_shares_switch_one_default_at_a_time() -> None:
    runs = defaults.one_at_a_time()
    assert len(set(runs)) == 12
    assert {len(own) for own in runs} == {0, 1, 4, 5}
    entries = ENTRIES[:600]
    outcome = defaults.run(replace(SETTINGS["gru"], optimizer_config={}), ("rule",), entries, batch_size=8, steps=2)
    assert (outcome.own, len(outcome.losses)) == (("rule",), 2)
    assert 0 < outcome.score.loss < 4
