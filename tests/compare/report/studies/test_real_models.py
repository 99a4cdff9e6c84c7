"""Layers that strangers trained give in the other framework what they gave in their own."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from compare.report.pages.real_models.experiment import as_stored, call_own, port_error
from compare.report.studies.real_models.kept import read_kept
from compare.report.studies.real_models.mistakes import MISTAKES
from compare.report.studies.real_models.models import load, load_all
from compare.report.studies.real_models.recorded import RecordedLayer
from compare.report.studies.real_models.replay import largest_error, run_case
from frameworks.activations import ACTIVATIONS
from frameworks.files import StoredLayer
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.keras.activations import keras2_hard_sigmoid
from frameworks.layouts import CUDNN, KERAS, ONNX, PYTORCH, Layout
from frameworks.spec import RecurrentSpec

ROOT = Path(__file__).parents[4]
DATA = ROOT / "compare" / "report" / "studies" / "real_models" / "data"
TOLERANCE = 2e-5
LAYERS = [(model.name, layer.name) for model in load_all() for layer in model.layers if layer.kept]
OF_THE_FILE = ("onnx-gate-order", "cudnn-layout")
"""Mistakes about a layout that only the original files have."""


@pytest.fixture(params=LAYERS, ids="/".join)
def recorded(request: pytest.FixtureRequest) -> RecordedLayer:
    name, layer = request.param
    return load(name).layer(layer)


def test_the_recorded_outputs_are_what_the_weights_give_by_neither_framework_and_no_mistake_gives_them(
    recorded: RecordedLayer,
) -> None:
    stored = read_kept(recorded)
    assert stored.spec == recorded.spec
    assert largest_error(recorded.cases, as_stored(stored, stored.forward)) <= TOLERANCE
    for name in (name for name in recorded.mistakes if name not in OF_THE_FILE):
        wrong = MISTAKES[name].change(stored)
        assert largest_error(recorded.cases, MISTAKES[name].applied_to(as_stored(wrong, wrong.forward))) > 1e-2, name


@pytest.mark.backend
def test_the_layer_and_its_port_give_the_recorded_outputs(recorded: RecordedLayer) -> None:
    stored = read_kept(recorded)
    assert largest_error(recorded.cases, call_own(stored)) <= TOLERANCE
    assert port_error(recorded, stored) <= TOLERANCE


@pytest.mark.parametrize("name", ["recurrent-kernel-not-transposed", "keras3-hard-sigmoid"])
def test_the_port_of_a_layer_read_wrong_does_not(name: str) -> None:
    layer = load("rnnmorph").layer("LSTM_1_forward")
    assert port_error(layer, MISTAKES[name].change(read_kept(layer))) > 1e-2


def cell(kind: Any, layout: Layout) -> StoredLayer:
    """A layer of one cell, whose every weight tells its place."""
    spec = RecurrentSpec(kind, input_size=2, hidden_size=3)
    shapes = layout.shapes(spec, 0)
    arrays = {name: np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for name, shape in shapes.items()}
    stored = StoredCell(spec, layout, MappingProxyType({name: in_memory(array) for name, array in arrays.items()}))
    return StoredLayer("layer", "pytorch", kind.upper(), ((stored,),))


def blocks(layer: StoredLayer, part: str) -> dict[str, Any]:
    weights = layer.cells[0][0].read()
    return dict(zip(weights.gates, getattr(weights, part), strict=True))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("layout", [KERAS, PYTORCH, ONNX], ids=["Keras", "PyTorch", "ONNX"])
def test_a_recurrent_kernel_not_transposed_has_the_block_of_each_gate_transposed_and_no_more(kind: Any, layout: Layout) -> None:
    right = cell(kind, layout)
    wrong = MISTAKES["recurrent-kernel-not-transposed"].change(right)
    for gate, block in blocks(wrong, "recurrent_kernel").items():
        np.testing.assert_array_equal(block, blocks(right, "recurrent_kernel")[gate].T)
        np.testing.assert_array_equal(blocks(wrong, "kernel")[gate], blocks(right, "kernel")[gate])


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("lstm", {"input": "input", "forget": "output", "candidate": "forget", "output": "candidate"}),
        ("gru", {"reset": "update", "update": "reset", "candidate": "candidate"}),
    ],
)
def test_gates_left_in_onnx_s_order_are_taken_for_one_another(kind: Any, taken: dict[str, str]) -> None:
    right = cell(kind, ONNX)
    wrong = MISTAKES["onnx-gate-order"].change(right)
    for gate, other in taken.items():
        for part in ("kernel", "recurrent_kernel", "bias"):
            np.testing.assert_array_equal(blocks(wrong, part)[gate], blocks(right, part)[other])


def test_kernels_left_in_cudnn_s_layout_are_the_file_s_columns_with_the_biases_right() -> None:
    right = cell("lstm", CUDNN)
    wrong = MISTAKES["cudnn-layout"].change(right)
    file = right.cells[0][0].arrays["kernel"].read()
    for number, gate in enumerate(("input", "forget", "candidate", "output")):
        np.testing.assert_array_equal(blocks(wrong, "kernel")[gate], file[:, 3 * number : 3 * number + 3])
        np.testing.assert_array_equal(blocks(wrong, "bias")[gate], blocks(right, "bias")[gate])
        np.testing.assert_array_equal(blocks(wrong, "recurrent_bias")[gate], blocks(right, "recurrent_bias")[gate])


def test_the_eleven_promised_models_are_there_with_license_source_and_checksum() -> None:
    promised = "astrorapid beatnet crema dgaintel g2p_en nakdimon nsnet2 rnnmorph silero textgenrnn uzmorph_bilstm"
    assert sorted(model.name for model in load_all()) == promised.split()
    for model in load_all():
        assert len(model.sha256) == len(model.archive_sha256) == 64
        assert model.license in {"MIT", "Apache-2.0", "BSD-2-Clause", "CC-BY-4.0"}
        assert model.homepage.startswith("https://")
        assert (DATA / model.license_file).stat().st_size > 1000
        assert model.sha256 in (DATA / "SOURCES.md").read_text(encoding="utf-8")


def test_the_data_of_all_models_stays_below_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) <= 10_000_000


def test_only_the_layers_that_the_sources_name_are_without_weights() -> None:
    absent = {(model.name, layer.name) for model in load_all() for layer in model.layers if not layer.kept}
    assert absent == {
        ("nakdimon", "bidirectional"),
        ("nakdimon", "bidirectional_1"),
        ("nsnet2", "gru1"),
        ("nsnet2", "gru2"),
        ("rnnmorph", "bidirectional_1"),
    }


def test_the_masks_have_a_hole_a_leading_and_a_trailing_gap() -> None:
    (case,) = load("astrorapid").layer("lstm").cases
    rows = ["".join("x" if step else "." for step in row) for row in case.mask] if case.mask is not None else []
    assert rows[0].strip("x") == ""
    assert "." in rows[1].strip(".")
    assert rows[1].endswith("...")
    assert rows[2].startswith("...")
    assert rows[2].endswith("...")


def test_the_hand_made_bidirectional_layer_is_its_two_layers_with_the_second_flipped() -> None:
    model = load("rnnmorph")
    forward, backward, above = (model.layer(name).cases[0] for name in ("LSTM_1_forward", "LSTM_1_backward", "bidirectional_1"))
    joined = np.concatenate([forward.output, backward.output[:, ::-1]], axis=-1)
    np.testing.assert_array_equal(joined, above.inputs)
    assert np.abs(np.concatenate([forward.output, backward.output], axis=-1) - above.inputs).max() > 0.1


def test_the_decoder_starts_from_the_last_state_of_the_encoder() -> None:
    encoder, decoder = load("g2p_en").layers
    for read, spoken in zip(encoder.cases, decoder.cases, strict=True):
        assert spoken.initial_state is not None
        np.testing.assert_array_equal(spoken.initial_state[0][0], read.output[:, -1])


def test_a_case_in_chunks_is_run_call_by_call_from_the_states_of_the_call_before() -> None:
    (case,) = load("beatnet").layer("lstm").cases
    assert case.chunks == (40, 40, 40, 40, 40, 1)
    starts: list[Any] = []

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        assert mask is None
        starts.append(states)
        last = np.full((1, 1, 1), float(len(starts)), np.float32)
        return {"output": inputs, "h_n": last, "c_n": -last}

    found = run_case(case, call)
    np.testing.assert_array_equal(found["output"], case.inputs)
    assert starts[0] is None
    assert [(float(h.item()), float(c.item())) for h, c in starts[1:]] == [(n, -n) for n in range(1, 6)]


@pytest.mark.backend
def test_keras2_hard_sigmoid_is_the_reference_s_and_not_that_of_keras_3() -> None:
    import keras

    x = np.linspace(-4, 4, 41, dtype=np.float32)
    computed = keras.ops.convert_to_numpy(keras2_hard_sigmoid(keras.ops.convert_to_tensor(x)))
    np.testing.assert_allclose(computed, ACTIVATIONS["keras2_hard_sigmoid"](x), rtol=0, atol=1e-6)
    assert np.abs(computed - keras.ops.convert_to_numpy(keras.activations.hard_sigmoid(x))).max() > 0.08


def test_every_mistake_that_a_layer_is_shown_with_is_known_and_every_known_one_is_shown() -> None:
    assert {name for model in load_all() for layer in model.layers for name in layer.mistakes} == set(MISTAKES)


def test_a_model_or_layer_that_is_not_there_is_refused_by_name(refused: Any) -> None:
    with refused("'keras3_dna'", "crema"):
        load("keras3_dna")
    with refused("'gru'", "encoder, decoder"):
        load("g2p_en").layer("gru")


def test_a_layer_without_weights_is_read_from_its_file_alone(refused: Any) -> None:
    with refused("bidirectional", "too large to keep"):
        read_kept(load("nakdimon").layer("bidirectional"))
