"""Layers read from a TensorFlow checkpoint compute what the cells of TensorFlow 1 compute; weights of Keras are found by name.

Covers: `frameworks/files/tensorflow/checkpoint.py`, `frameworks/files/tensorflow/cells.py`,
`frameworks/files/tensorflow/recurrent.py`, `frameworks/layouts.py`.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import torch

from compare.cli import main
from frameworks.files import StoredLayer, open_checkpoint, save_checkpoint
from frameworks.files.untrusted.source import StoredArray

tf1 = tf.compat.v1
BATCH, TIME, INPUT = 2, 5, 3
LENGTHS = np.array([TIME, 3])
MASK = np.arange(TIME) < LENGTHS[:, None]
LAYERS = ("lstm", "basic", "gru", "rnn", "stack", "bidirectional_rnn", "encoder/both")


def build(inputs: Any) -> dict[str, Any]:
    """Run the cells of TensorFlow 1, and return the output of each scope."""
    from tf_keras.src.layers.rnn import legacy_cells as cells

    def run(scope: str, cell: Any) -> Any:
        return tf1.nn.dynamic_rnn(cell, inputs, sequence_length=LENGTHS, dtype=tf.float32, scope=scope)[0]

    def both(forward: Any, backward: Any, scope: str | None = None) -> Any:
        found, _ = tf1.nn.bidirectional_dynamic_rnn(
            forward, backward, inputs, sequence_length=LENGTHS, dtype=tf.float32, scope=scope
        )
        return tf.concat(found, 2)

    stack = [[cells.GRUCell(4), cells.GRUCell(4)] for _ in range(2)]
    return {
        "lstm": run("lstm", cells.LSTMCell(4)),
        "basic": run("basic", cells.BasicLSTMCell(4)),
        "no forget bias": run("open", cells.BasicLSTMCell(4, forget_bias=0.0)),
        "gru": run("gru", cells.GRUCell(4)),
        "rnn": run("rnn", cells.BasicRNNCell(4)),
        "stack": run("stack", cells.MultiRNNCell([cells.BasicLSTMCell(4), cells.GRUCell(6)])),
        "bidirectional_rnn": both(cells.BasicLSTMCell(4), cells.BasicLSTMCell(5)),
        "encoder/both": both(cells.MultiRNNCell(stack[0]), cells.MultiRNNCell(stack[1]), "encoder/both"),
        "peepholes": run("peepholes", cells.LSTMCell(4, use_peepholes=True)),
        "projection": run("projection", cells.LSTMCell(4, num_proj=2)),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the cells after a step of training; inputs and outputs are in calls.npz."""
    folder, rng = tmp_path_factory.mktemp("tf1"), np.random.default_rng(0)
    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cells are deprecated
        inputs = tf1.placeholder(tf.float32, (BATCH, TIME, INPUT))
        outputs = build(inputs)
        tf1.get_variable("head/kernel", (9, 2))
        tf1.get_variable("head/bias", (2,))
        variables = tf1.trainable_variables()
        with tf1.variable_scope("training"):
            gradients = [(tf.zeros_like(each), each) for each in variables]
            step = tf1.train.AdamOptimizer().apply_gradients(gradients, tf1.train.get_or_create_global_step())
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            for variable in variables:
                variable.load(rng.normal(0, 0.6, variable.shape).astype("f4"), session)
            x = rng.normal(size=(BATCH, TIME, INPUT)).astype("f4")
            session.run(step)
            tf1.train.Saver().save(session, str(folder / "model.ckpt"), global_step=1)
            np.savez(folder / "calls.npz", inputs=x, **session.run(outputs, {inputs: x}))
    return folder


@pytest.fixture(scope="module")
def calls(saved: Path) -> Mapping[str, Any]:
    with np.load(saved / "calls.npz") as file:
        return dict(file)


def outputs_of(layer: StoredLayer, inputs: Any) -> Any:
    with torch.no_grad():
        returned = layer.emulate()(torch.from_numpy(inputs), mask=torch.from_numpy(MASK))
    return returned[0].numpy()


@pytest.mark.parametrize("place", ["", "model.ckpt-1", "model.ckpt-1.index"])
def test_a_folder_a_prefix_and_an_index_are_the_same_checkpoint(place: str, saved: Path) -> None:
    checkpoint = open_checkpoint(saved / place)
    assert checkpoint.format == "TensorFlow checkpoint"
    assert sorted(checkpoint) == sorted([*LAYERS, "open"])
    np.testing.assert_array_equal(
        checkpoint.others["head"].arrays["kernel"], tf.train.load_variable(str(saved / "model.ckpt-1"), "head/kernel")
    )


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_what_tensorflow_computes(name: str, saved: Path, calls: Mapping[str, Any]) -> None:
    layer = open_checkpoint(saved)[name]
    assert np.abs(outputs_of(layer, calls["inputs"]) - calls[name]).max() < 1e-6
    assert np.abs(outputs_of(layer, calls["inputs"][::-1].copy()) - calls[name]).max() > 1e-2


def test_the_forget_bias_is_assumed_and_an_option(saved: Path, calls: Mapping[str, Any]) -> None:
    assumed = open_checkpoint(saved)["open"]
    assert any("forget_bias=1.0 is assumed" in warning for warning in assumed.warnings)
    given = open_checkpoint(saved, options={"open": {"forget_bias": 0.0}})["open"]
    assert not any("forget_bias" in warning for warning in given.warnings)
    assert np.abs(outputs_of(given, calls["inputs"]) - calls["no forget bias"]).max() < 1e-6
    assert np.abs(outputs_of(assumed, calls["inputs"]) - calls["no forget bias"]).max() > 1e-2


def test_a_wrong_option_is_refused(saved: Path, refused: Any) -> None:
    with refused("forget_bias of open must be a number, but is 'high'"):
        open_checkpoint(saved, options={"open": {"forget_bias": "high"}})
    with refused("the option forget_bias of gru must be one of"):
        open_checkpoint(saved, options={"gru": {"forget_bias": 0.0}})
    with refused("the option reset_after of gru must be one of"):
        open_checkpoint(saved, options={"gru": {"reset_after": True}})


def test_what_no_layer_of_keras_or_torch_computes_is_named(saved: Path) -> None:
    others = open_checkpoint(saved).others
    for name, said in (("peepholes", "it has peepholes (w_f_diag, w_i_diag, w_o_diag)"), ("projection", "it projects")):
        assert others[name].kind == "LSTMCell"
        assert said in others[name].warnings[0]
        assert "kernel" in "".join(others[name].stored)


def test_the_state_of_training_is_no_layer(saved: Path) -> None:
    checkpoint = open_checkpoint(saved)
    slots = sum("Adam" in name for name, _ in tf.train.list_variables(str(saved)))
    assert checkpoint.others["optimizer"].warnings == (
        f"it is the state of the training ({slots + 3} arrays), which is not ported.",
    )
    assert not [name for name, _ in checkpoint.in_order if "Adam" in name or "power" in name or "step" in name]


@pytest.mark.parametrize("file", ["model.safetensors", "model.keras"])
def test_a_port_is_the_same_and_a_changed_one_is_not(file: str, saved: Path, tmp_path: Path) -> None:
    options = [f"--option={name}.forget_bias=1.0" for name in ("lstm", "basic", "open", "stack", "bidirectional_rnn")]
    assert main(["port", str(saved), str(tmp_path / file), *options, "--quiet"]) == 0
    assert main(["verify", str(saved / "model.ckpt-1"), str(tmp_path / file), "--layer=lstm", "--quiet"]) == 0
    changed = ["--option=lstm.forget_bias=0.5", "--layer=lstm", "--quiet"]
    assert main(["verify", str(saved), str(tmp_path / file), *changed]) == 1


def test_a_ported_layer_of_torch_has_the_forget_bias_in_its_own(saved: Path, tmp_path: Path, calls: Mapping[str, Any]) -> None:
    save_checkpoint(tmp_path / "basic.pt", {"basic": open_checkpoint(saved)["basic"]})
    module = torch.nn.LSTM(INPUT, 4, batch_first=True)
    state = torch.load(tmp_path / "basic.pt", weights_only=True)
    module.load_state_dict({name.removeprefix("basic."): array for name, array in state.items() if name.startswith("basic.")})
    with torch.no_grad():
        output = module(torch.from_numpy(calls["inputs"]))[0].numpy()
    assert np.abs(output[0] - calls["basic"][0]).max() < 1e-6


def renamed(saved: Path, path: Path, names: Mapping[str, str]) -> Path:
    """Save some variables of the checkpoint under other names."""
    with tf.Graph().as_default(), tf1.Session() as session:
        reader = tf.train.load_checkpoint(str(saved))
        variables = {
            new: tf1.get_variable(f"v{number}", initializer=reader.get_tensor(old))
            for number, (new, old) in enumerate(names.items())
        }
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver(variables).save(session, str(path))
    return path


def moved(old: str, new: str, leaves: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the old name of each array of a cell by its new one.

    Args:
        old: the cell.
        new: its new name.
        leaves: the new name of each of its arrays by the old one; None to keep them.
    """
    return {f"{new}/{leaf}": f"{old}/{own}" for own, leaf in (leaves or {"kernel": "kernel", "bias": "bias"}).items()}


BLOCK = {"gates/kernel": "w_ru", "gates/bias": "b_ru", "candidate/kernel": "w_c", "candidate/bias": "b_c"}
BASIC, LSTM, GRU, RNN = "basic/basic_lstm_cell", "lstm/lstm_cell", "gru/gru_cell", "rnn/basic_rnn_cell"
OTHER_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "TensorFlow 1.0": ("rnn", moved(RNN, "a/basic_rnn_cell", {"kernel": "weights", "bias": "biases"})),
    "TensorFlow 0.12": ("basic", moved(BASIC, "a/BasicLSTMCell", {"kernel": "Linear/Matrix", "bias": "Linear/Bias"})),
    "a cell numbered by a second call": ("basic", moved(BASIC, "a/basic_lstm_cell_1")),
    "GRUBlockCell": ("gru", moved(GRU, "a/gru_cell", BLOCK)),
    "CudnnCompatibleLSTMCell": ("no forget bias", moved("open/basic_lstm_cell", "a/cudnn_compatible_lstm_cell")),
}


@pytest.mark.parametrize("kind", OTHER_NAMES)
def test_the_names_of_other_versions_and_cells_are_known(
    kind: str, saved: Path, calls: Mapping[str, Any], tmp_path: Path
) -> None:
    expected, names = OTHER_NAMES[kind]
    layer = open_checkpoint(renamed(saved, tmp_path / "a.ckpt", names))["a"]
    assert np.abs(outputs_of(layer, calls["inputs"]) - calls[expected]).max() < 1e-6


MISFIT = {"a/gru_cell/candidate/kernel": f"{GRU}/candidate/kernel", "a/gru_cell/gates/kernel": f"{RNN}/kernel"}
NOT_UNDERSTOOD: Mapping[str, tuple[Mapping[str, str], str]] = {
    "an unknown cell": ({"a/nas_cell/kernel": f"{BASIC}/kernel"}, "its cell nas_cell is not one of those"),
    "without a bias": ({"a/lstm_cell/kernel": f"{LSTM}/kernel"}, "its arrays are not those of LSTMCell"),
    "of other sizes": (MISFIT, "its arrays are not those of GRUCell"),
    "one direction": (moved(LSTM, "a/fw/lstm_cell"), "one of two directions"),
    "a gap": (moved(LSTM, "a/multi_rnn_cell/cell_1/lstm_cell"), "not numbered from 0"),
}


@pytest.mark.parametrize("kind", NOT_UNDERSTOOD)
def test_cells_that_are_not_understood_are_named_with_the_reason(kind: str, saved: Path, tmp_path: Path) -> None:
    names, said = NOT_UNDERSTOOD[kind]
    sound = moved(LSTM, "b/lstm_cell")
    checkpoint = open_checkpoint(renamed(saved, tmp_path / "a.ckpt", {**names, **sound}))
    assert list(checkpoint) == ["b"]
    assert said in checkpoint.others["a"].warnings[0]
    assert len(checkpoint.others["a"].stored) == len(names)


def test_moving_averages_of_the_weights_are_not_taken_for_weights(saved: Path, tmp_path: Path) -> None:
    names = moved(LSTM, "b/lstm_cell")
    averages = {f"{new}/ExponentialMovingAverage": f"training/{old}/Adam" for new, old in names.items()}
    checkpoint = open_checkpoint(renamed(saved, tmp_path / "a.ckpt", {**names, **averages}))
    assert [name for name, _ in checkpoint.in_order] == ["b", "metrics"]
    assert "the moving averages of the weights (2 arrays)" in checkpoint.others["metrics"].warnings[0]


def keras_weights(layer: StoredLayer) -> list[Any]:
    return [array.read() for row in layer.cells for cell in row for array in cell.arrays.values()]


def test_the_weights_of_keras_2_are_read_by_layer(tmp_path: Path) -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input((TIME, INPUT)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both"),
            layers.GRU(5, name="gru"),
            layers.Dense(2, name="head"),
        ]
    )
    rng, optimizer = np.random.default_rng(0), tf_keras.optimizers.Adam()
    model.set_weights([rng.normal(size=array.shape).astype("f4") for array in model.get_weights()])
    optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "weights")
    tf.train.Checkpoint(net=model, opt=optimizer).write(str(tmp_path / "step"))
    for file in ("weights", "step"):
        checkpoint = open_checkpoint(tmp_path / file)
        assert [name for name, _ in checkpoint.in_order if name != "optimizer"] == ["both", "gru", "head"]
        found = [
            *keras_weights(checkpoint["both"]),
            *keras_weights(checkpoint["gru"]),
            *checkpoint.others["head"].arrays.values(),
        ]
        for array, expected in zip(found, model.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)
        assert "assumed" in checkpoint["both"].warnings[0]


def test_layers_of_keras_saved_by_name_are_read_by_layer(tmp_path: Path) -> None:
    """The arrays are in the order of their names in the file, not in Keras's."""
    with tf.Graph().as_default(), tf1.Session() as session:
        model = tf_keras.Sequential([tf_keras.layers.LSTM(4, name="lstm"), tf_keras.layers.Dense(2, name="head")])
        model.build((None, TIME, INPUT))
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(tmp_path / "a.ckpt"))
        expected = session.run(model.weights)
    checkpoint = open_checkpoint(tmp_path / "a.ckpt")
    found = [*keras_weights(checkpoint["lstm"]), *checkpoint.others["head"].arrays.values()]
    for array, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, wanted)


def test_an_array_is_read_when_it_is_used(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "copy")
    layer = open_checkpoint(tmp_path / "copy")["lstm"]
    stored = layer.cells[0][0].arrays["kernel"]
    assert isinstance(stored, StoredArray)
    data = tmp_path / "copy" / "model.ckpt-1.data-00000-of-00001"
    data.write_bytes(b"\0" * data.stat().st_size)
    assert not stored.read().any()


def test_several_checkpoints_in_a_folder_need_a_name_or_a_list(saved: Path, tmp_path: Path, refused: Any) -> None:
    for step in (1, 2):
        for path in saved.glob("model.ckpt-1.*"):
            shutil.copy(path, tmp_path / path.name.replace("-1.", f"-{step}.", 1))
    with refused("a folder of TensorFlow checkpoints: model.ckpt-1, model.ckpt-2", f"as in {tmp_path / 'model.ckpt-2'}"):
        open_checkpoint(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-1"\n')
    assert "lstm" in open_checkpoint(tmp_path)
