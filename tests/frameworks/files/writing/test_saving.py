"""A written file holds the given layers in the layout of the framework that reads it, and appears whole or not at all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks import RecurrentSpec, adapt, build
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, open_checkpoint, save_checkpoint
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.layouts import PYTORCH
from tests.frameworks.files.writing.conftest import beside

pytestmark = pytest.mark.frameworks

ENDINGS = (".safetensors", ".pt", ".npz", ".weights.h5", ".keras")
"""The formats that are read back here; the others are checked with their frameworks' own readers."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("small") / "small.weights.h5"
    spec = RecurrentSpec("lstm", 3, 4)
    save_checkpoint(path, {name: build("pytorch", spec, seed=seed) for seed, name in enumerate(("one", "two"))})
    return open_checkpoint(path)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_the_sum_of_two_biases_is_a_caveat_of_the_layers_that_have_two(ending: str, tmp_path: Path) -> None:
    lstm, gru = RecurrentSpec("lstm", 3, 4), RecurrentSpec("gru", 3, 4)
    layers = {
        "of torch": build("pytorch", lstm),
        "without": build("pytorch", replace(lstm, bias=False)),
        "both kept": build("pytorch", gru),
        "of Keras": build("keras", lstm),
    }
    written = save_checkpoint(tmp_path / f"model{ending}", layers)
    assert [each.name for each in written if any("their sum" in text for text in each.caveats)] == ["of torch"]


def cells_of(layer: StoredLayer) -> list[StoredCell]:
    return [cell for row in layer.cells for cell in row]


def meaning(layer: StoredLayer, ending: str) -> dict[str, Any]:
    """Return what a file of weights does not state."""
    if ending != ".weights.h5":
        return {}
    spec = layer.cells[0][0].spec
    names = {"rnn": ["activation"], "lstm": ["activation", "recurrent_activation"]}.get(
        spec.cell, ["activation", "recurrent_activation", "reset_after"]
    )
    flags = ("return_sequences", "return_state", "go_backwards", "merge_mode", "dropout", "recurrent_dropout")
    options: Any = layer.options
    return {name: getattr(spec, name) for name in names} | {
        name: getattr(options, name) for name in (*flags, "zero_output_for_mask")
    }


def reopened(path: Path, given: Mapping[str, StoredLayer]) -> dict[str, StoredLayer]:
    """Open a file and return its layers by their original names, although Keras allows no slash in them."""
    there = open_checkpoint(path)
    ending = next(each for each in ENDINGS if path.name.endswith(each))
    names = {name: name if name in there else name.replace("/", "_") for name in given}
    options: dict[str | None, dict[str, Any]] = {names[name]: meaning(layer, ending) for name, layer in given.items()}
    checkpoint = open_checkpoint(path, options=options)
    return {name: checkpoint[own] for name, own in names.items()}


def assert_same(actual: StoredLayer, expected: StoredLayer) -> None:
    assert actual.options is not None
    assert expected.options is not None
    # A file of weights counts as Keras 2's, which returns a cell's only state as it is.
    assert replace(actual.options, bare_states=False) == expected.options, expected.name
    for one, other in zip(cells_of(actual), cells_of(expected), strict=True):
        assert one.spec == other.spec, expected.name
        weights, wanted = one.read().in_order(PYTORCH.gates[one.spec.cell]), other.read().in_order(PYTORCH.gates[one.spec.cell])
        for part in ("kernel", "recurrent_kernel"):
            np.testing.assert_array_equal(getattr(weights, part), getattr(wanted, part))
        np.testing.assert_array_equal(weights.summed_bias(), wanted.summed_bias())


@pytest.mark.parametrize("first", ENDINGS)
def test_every_layer_comes_back_bit_for_bit_through_every_pair_of_formats(
    checkpoint: Checkpoint, tmp_path: Path, first: str
) -> None:
    path = tmp_path / f"first{first}"
    save_checkpoint(path, checkpoint)
    layers = reopened(path, checkpoint)
    for second in ENDINGS:
        again = tmp_path / f"second{second}"
        save_checkpoint(again, layers)
        back = reopened(again, layers)
        for name, expected in checkpoint.items():
            assert_same(back[name], expected)


def test_torch_loads_the_pt_file_strictly_and_computes_what_the_layer_did(checkpoint: Checkpoint, tmp_path: Path) -> None:
    import torch
    from torch import nn

    save_checkpoint(tmp_path / "model.pt", checkpoint)
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    model = nn.Module()
    modules = {"lstm_all": nn.LSTM(5, 4), "product": nn.RNN(5, 4, bidirectional=True), "stack": nn.GRU(5, 4, num_layers=2)}
    for name, module in modules.items():
        model.add_module(name, module)
    model.zz = nn.Module()
    model.zz.emulated = checkpoint["zz"].emulate("pytorch")
    own = {name: tensor for name, tensor in state.items() if name.partition(".")[0] in dict(model.named_children())}
    for tensor in model.zz.state_dict().values():
        tensor.zero_()
    model.load_state_dict(own, strict=True)
    x = np.random.default_rng(3).normal(size=(2, 6, 5)).astype("float32")
    for name, module in modules.items():
        output, _ = module(torch.from_numpy(x.swapaxes(0, 1)))
        expected = np.asarray(checkpoint[name].forward(x).output)
        np.testing.assert_allclose(output.detach().numpy().swapaxes(0, 1), expected, atol=1e-5)
    emulated: Any = model.zz.emulated
    expected = np.asarray(checkpoint["zz"].forward(x).output)[:, -1]
    np.testing.assert_allclose(emulated(torch.from_numpy(x)).detach().numpy(), expected, rtol=2e-5, atol=1e-5)


def test_layers_that_torch_nn_cannot_compute_have_names_that_no_torch_nn_module_loads(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    import torch
    from torch import nn

    written = {each.name: each for each in save_checkpoint(tmp_path / "model.pt", checkpoint)}
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    relu = {name.removeprefix("zz."): tensor for name, tensor in state.items() if name.startswith("zz.")}
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.LSTM(5, 4).load_state_dict(relu)
    assert "relu" in written["zz"].caveats[0]
    assert written["lstm_all"].becomes == "nn.LSTM(5, 4, batch_first=True)"


def test_pt_npz_and_safetensors_hold_the_same_arrays(checkpoint: Checkpoint, tmp_path: Path) -> None:
    import torch

    for ending in (".pt", ".npz", ".safetensors"):
        save_checkpoint(tmp_path / f"model{ending}", checkpoint)
    expected = {name: tensor.numpy() for name, tensor in torch.load(tmp_path / "model.pt", weights_only=True).items()}
    arrays, text = read_npz(tmp_path / "model.npz")
    again, header = read_safetensors(tmp_path / "model.safetensors")
    assert header["__metadata__"]["gatewise"].encode() == text
    for held in (arrays, again):
        assert held.keys() == expected.keys()
        for name, array in held.items():
            np.testing.assert_array_equal(array, expected[name])


def read_npz(path: Path) -> tuple[dict[str, Any], bytes]:
    with np.load(path) as archive:
        arrays = dict(archive)
    return arrays, arrays.pop("gatewise").tobytes()


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    kinds = {"F32": np.float32, "F64": np.float64}
    arrays = {
        name: np.frombuffer(content[begin:][slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
    return arrays, header


def test_keras_loads_the_weights_into_a_model_of_these_layers(tmp_path: Path, randomise: Any) -> None:
    import keras
    import torch
    from torch import nn

    kinds = keras.layers
    stack, both = (
        randomise(nn.LSTM(5, 4, num_layers=2, batch_first=True)),
        randomise(nn.GRU(4, 3, bidirectional=True, batch_first=True)),
    )
    save_checkpoint(tmp_path / "ported.weights.h5", {"stack": stack, "both": both})
    sequences = {"return_sequences": True}
    model = keras.Sequential(
        [
            keras.Input((6, 5)),
            kinds.LSTM(4, **sequences),
            kinds.LSTM(4, **sequences),
            kinds.Bidirectional(kinds.GRU(3, **sequences)),
        ]
    )
    model.load_weights(tmp_path / "ported.weights.h5")
    x = np.random.default_rng(5).normal(size=(2, 6, 5)).astype("float32")
    expected = both(stack(torch.from_numpy(x))[0])[0].detach().numpy()
    np.testing.assert_allclose(np.asarray(model.predict(x, verbose=0)), expected, atol=1e-5)


def test_keras_loads_the_written_model_with_its_names(tmp_path: Path) -> None:
    import keras

    layer = build("pytorch", RecurrentSpec("gru", 5, 4, num_layers=2), seed=1)
    save_checkpoint(tmp_path / "model.keras", {"encoder/rnn": layer})
    model = keras.models.load_model(tmp_path / "model.keras")
    expected = layer.get_weights().layers
    for index in range(2):
        actual = adapt(model.get_layer(f"encoder_rnn_l{index}")).get_weights().layers[0][0]
        np.testing.assert_array_equal(actual.kernel, expected[index][0].in_order(actual.gates).kernel)


def test_live_layers_and_adapters_are_written_like_stored_ones(tmp_path: Path, randomise: Any) -> None:
    import torch
    from torch import nn

    module = randomise(nn.LSTM(3, 4, num_layers=2, bidirectional=True))
    save_checkpoint(tmp_path / "module.pt", {"one": module, "two": adapt(module), "cell": randomise(nn.GRUCell(3, 2))})
    state = torch.load(tmp_path / "module.pt", weights_only=True)
    for name, tensor in module.state_dict().items():
        assert torch.equal(state[f"one.{name}"], tensor)
        assert torch.equal(state[f"two.{name}"], tensor)
    assert "cell.weight_ih" in state


def test_no_framework_is_imported_to_write_in_torch_s_layout(small: Checkpoint, tmp_path: Path) -> None:
    code = f"""
import sys
from frameworks.files import open_checkpoint, save_checkpoint
for ending in (".pt", ".npz", ".safetensors", ".weights.h5"):
    save_checkpoint({str(tmp_path)!r} + "/model" + ending, open_checkpoint({str(small.path)!r}))
assert not {{"torch", "keras", "tensorflow"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.h5", ".weights.h5"),
        ("model.txt", ".safetensors"),
        (".pt", "ending"),
        ("there.pt", "--force"),
        ("folder.pt", "folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_by_name(
    name: str, said: str, small: Checkpoint, tmp_path: Path, refused: Any
) -> None:
    (tmp_path / "there.pt").write_text("old")
    (tmp_path / "folder.pt").mkdir()
    with refused(said):
        save_checkpoint(tmp_path / name, small)
    assert (tmp_path / "there.pt").read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.pt", "there.pt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(small: Checkpoint, tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old")
    odd = OtherLayer("odd", stored={"array": in_memory(np.zeros(3, "complex64"))})
    with refused("complex64"):
        save_checkpoint(path, {**small, "odd": odd}, force=True)
    with refused("name of its own"):
        save_checkpoint(path, {"a/b": small["one"], "a.b": small["one"]}, force=True)
    with refused("writable"):
        save_checkpoint(tmp_path / "nowhere" / "model.pt", small)
    assert [each.name for each in tmp_path.iterdir()] == ["model.pt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("odd", [{"padding": 3}, {"strides": "x"}, {"groups": 0.5}, {"data_format": 1}, {"activation": 2}])
def test_an_option_that_keras_rejects_is_reported_and_breaks_nothing(
    odd: dict[str, Any], small: Checkpoint, tmp_path: Path
) -> None:
    layer = beside("conv", "Conv1D", odd, kernel=(3, 2, 4), bias=(4,))
    *_, written = save_checkpoint(tmp_path / "model.keras", {"one": small["one"], "conv": layer})
    assert not written.becomes
    assert "Keras cannot build it" in written.caveats[0]


def test_two_names_that_become_one_in_keras_are_refused(small: Checkpoint, tmp_path: Path, refused: Any) -> None:
    dense = beside("dense", "Dense", {}, kernel=(4, 3))
    with refused("the layer a_b of a_b must have a name of its own in the file", "has the name of a/b"):
        save_checkpoint(tmp_path / "model.keras", {"a/b": small["one"], "a_b": small["two"]})
    with refused("the layer a_b of a.b must"):
        save_checkpoint(tmp_path / "model.keras", {"a_b": small["one"], "a.b": dense})
    assert not list(tmp_path.iterdir())
    nothing = OtherLayer("nothing", "Dropout")  # not in the file, so its name is free
    written = save_checkpoint(tmp_path / "model.keras", {"a/b": nothing, "b_a": small["one"], "a_b": dense, "a.b": nothing})
    assert [each.place for each in written] == ["", "b_a", "a_b", ""]


def test_a_layer_may_have_a_name_that_keras_gives_to_inputs(small: Checkpoint, tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()  # restarts the numbers in the names of inputs
    save_checkpoint(tmp_path / "model.keras", {"input_layer": small["one"]})
    assert "input_layer" in open_checkpoint(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").get_layer("input_layer").units == 4


@pytest.mark.parametrize(("axis", "said"), [(31, ""), (32, "32 axes"), (30_000_000, "32 axes"), (-30_000_000, "32 axes")])
def test_an_axis_that_no_array_has_is_not_built(axis: int, said: str, small: Checkpoint, tmp_path: Path) -> None:
    layer = beside("ln", "LayerNormalization", {"axis": axis}, gamma=(5,), beta=(5,))
    tracemalloc.start()
    _, written = save_checkpoint(tmp_path / "model.keras", {"one": small["one"], "ln": layer})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
    if said:
        assert "Keras cannot build it" in written.caveats[0]
        assert said in written.caveats[0]
    else:
        assert written.becomes == "LayerNormalization"


WRITER = """
import sys, time
from pathlib import Path
from frameworks.files.writing.replacing import replacing
with replacing(Path(sys.argv[1]), force=True) as path:
    with path.open("wb") as file:
        file.write(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def start_writing(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    wait_for_line(process)
    return process


def wait_for_line(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_writer_leaves_the_old_file_and_the_next_run_removes_only_its_leftover(
    small: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, {"a": small["one"]})
    old = path.read_bytes()
    dead, living = start_writing(path), start_writing(path)
    try:
        kill(dead)
        assert path.read_bytes() == old
        assert len(list(tmp_path.glob(".model.pt.tmp-*"))) == 2
        other = tmp_path / ".other.pt.tmp-1"
        other.touch()
        save_checkpoint(path, {"b": small["two"]}, force=True)
        assert path.read_bytes() != old
        assert len(list(tmp_path.glob(".model.pt.tmp-*"))) == 1
        assert other.exists()
    finally:
        kill(living)
    save_checkpoint(path, {"b": small["two"]}, force=True)
    assert not list(tmp_path.glob(".model.pt.tmp-*"))


def test_a_writer_killed_at_any_time_leaves_the_old_file_or_the_new(small: Checkpoint, tmp_path: Path) -> None:
    old, new, path = tmp_path / "old.npz", tmp_path / "new.npz", tmp_path / "model.npz"
    save_checkpoint(old, {"a": small["one"]})
    save_checkpoint(new, small)
    path.write_bytes(old.read_bytes())
    code = f"""
from frameworks.files import open_checkpoint, save_checkpoint
checkpoint = open_checkpoint({str(small.path)!r})
print("ready", flush=True)
while True:
    save_checkpoint({str(path)!r}, checkpoint, force=True)
"""
    for turn in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        wait_for_line(process)
        time.sleep(0.013 * turn)
        kill(process)
        assert path.read_bytes() in (old.read_bytes(), new.read_bytes())
