"""Graphs of exporters, ported to torch's names, load into the exported module and compute what onnxruntime computed.

data/README.md says how they were recorded.

Covers: `frameworks/files/onnx`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint
from tests.frameworks.files.data.onnx_modules import MODULES

RECORDED = np.load(Path(__file__).parents[1] / "data" / "onnx_graphs.npz")
NAMES = tuple(name.removesuffix("/model") for name in RECORDED.files if name.endswith("/model"))
EXPORTED = tuple(name for name in NAMES if name.rpartition(", ")[0] in MODULES and name != "rnn without bias, dynamo")
TOLERANCE = 2e-6


def opened(name: str, folder: Path) -> Checkpoint:
    (folder / "model.onnx").write_bytes(RECORDED[f"{name}/model"].tobytes())
    return open_checkpoint(folder / "model.onnx")


def results(value: Any) -> list[Any]:
    return [value] if isinstance(value, torch.Tensor) else [each for part in value for each in results(part)]


def error(module: Any, name: str) -> float:
    with torch.no_grad():
        actual = results(module(torch.from_numpy(RECORDED[f"{name}/input 0"])))
    expected = [RECORDED[f"{name}/result {number}"] for number in range(len(actual))]
    return max(float(np.abs(one.numpy() - other).max()) for one, other in zip(actual, expected, strict=True))


@pytest.mark.parametrize("name", EXPORTED)
def test_a_ported_graph_loads_into_the_exported_module_and_computes_the_same(name: str, tmp_path: Path) -> None:
    module = MODULES[name.rpartition(", ")[0]][0]().eval()
    assert error(module, name) > 1e-2
    save_checkpoint(tmp_path / "model.pt", opened(name, tmp_path))
    module.load_state_dict(torch.load(tmp_path / "model.pt"), strict=True)
    assert error(module, name) < TOLERANCE


@pytest.mark.parametrize("name", [name for name in EXPORTED if name.startswith(("tagger", "gru both", "bare"))])
def test_the_layers_of_a_module_stay_together_and_are_called_as_it_is(name: str, tmp_path: Path) -> None:
    checkpoint = opened(name, tmp_path)
    (layer,) = checkpoint.values()
    batch_first = not name.startswith("bare")
    assert (len(layer.cells), layer.arguments["batch_first"]) == (2, batch_first)
    assert layer.name == ("rnn" if batch_first else "")
    module = MODULES[name.rpartition(", ")[0]][0]()
    recurrent = module.get_submodule(layer.name)
    assert [len(cells) for cells in layer.cells] == [1 + recurrent.bidirectional] * 2
    assert layer.spec.input_size == recurrent.input_size


def test_a_module_that_the_graph_calls_twice_is_listed_once(tmp_path: Path) -> None:
    for exporter in ("script", "unfolded", "dynamo"):
        checkpoint = opened(f"twice, {exporter}", tmp_path)
        assert (list(checkpoint), list(checkpoint.others)) == (["rnn"], ["between"])
        assert "the graph calls it 2 times." in checkpoint["rnn"].warnings


def test_states_of_zeros_are_neither_listed_nor_written_and_others_are(tmp_path: Path) -> None:
    for exporter in ("script", "unfolded"):
        assert not any("start" in "".join(other.stored) for other in opened(f"nested, {exporter}", tmp_path).others.values())
        checkpoint = opened(f"started, {exporter}", tmp_path)
        assert list(checkpoint.others[""].stored) == ["start"]
        assert [warning for warning in checkpoint["rnn"].warnings if "initial_h" in warning]
        assert not [warning for warning in checkpoint["rnn"].warnings if "initial_c" in warning]


def test_warnings_are_the_same_for_many_nodes_so_that_they_are_shown_once(tmp_path: Path) -> None:
    for exporter in ("script", "unfolded"):
        said = {warning for layer in opened(f"nested, {exporter}", tmp_path).values() for warning in layer.warnings}
        assert not said  # neither states of zeros nor the axes of a node concern a module of torch


@pytest.mark.parametrize("exporter", ["script", "unfolded", "dynamo"])
def test_kinds_and_options_are_those_of_the_nodes(exporter: str, tmp_path: Path) -> None:
    others = opened(f"several, {exporter}", tmp_path).others
    assert others["first_norm"].config == {"epsilon": 1e-4}
    assert others["second_norm"].config == {"epsilon": 1e-2, "momentum": 0.9}
    assert others["second_norm"].kind == ("BatchNorm1d" if exporter == "dynamo" else "BatchNorm")
    conv, up = others["conv"], others["up"]
    assert (conv.kind, conv.config) == ("Conv1d", {"strides": (2,), "dilation_rate": (2,), "groups": 7})
    assert conv.warnings == ("padding=(1,), which the corresponding Keras layer lacks.",)
    assert (up.kind, up.config["stride"], up.config["groups"]) == ("ConvTranspose1d", (2,), 2)
    assert [others[name].kind for name in ("turn", "out.0", "out.1.1")] == ["PReLU", "Linear", "Linear"]


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize(
    ("name", "kind", "arrays"),
    [
        ("own cell", "LSTM", "kernel (4, 20), recurrent (5, 20), offset (20,)."),
        ("own gru", "GRU", "wz (4, 5), uz (5, 5), wr (4, 5), ur (5, 5), wn (4, 5) and 1 more."),
    ],
)
def test_a_cell_of_plain_operators_is_called_one_with_its_arrays_and_a_way_on(
    name: str, kind: str, arrays: str, exporter: str, tmp_path: Path, refused: Any
) -> None:
    with refused(
        f"an ONNX file of {kind} of plain operators", f"with the arrays {arrays}", "save the arrays with NumPy under torch's"
    ):
        opened(f"{name}, {exporter}", tmp_path)


def test_arrays_saved_as_the_message_says_give_the_written_out_cell(tmp_path: Path) -> None:
    from tests.frameworks.files.data.onnx_modules import OwnCell

    name, cell = "own cell, script", OwnCell()
    content = RECORDED[f"{name}/model"].tobytes()
    x, h, c = (RECORDED[f"{name}/input {number}"] for number in range(3))
    arrays: dict[str, Any] = {}
    for own, shape in ((own, tuple(each.shape)) for own, each in cell.named_parameters()):
        at = content.index(own.encode() + b"J") + len(own) + 1  # field 9, the elements, follows the name
        at += 1 + (content[at] > 127)
        arrays[own] = np.frombuffer(content, "<f4", int(np.prod(shape)), at).reshape(shape)
    turned = [np.split(array.T, 4) for array in arrays.values()]
    kernel, recurrent, offset = (np.concatenate([blocks[gate] for gate in (3, 1, 2, 0)]) for blocks in turned)  # o f g i
    names: dict[str, Any] = {"weight_ih": kernel, "weight_hh": recurrent, "bias_ih": offset, "bias_hh": 0 * offset}
    np.savez(tmp_path / "cell.npz", **{f"lstm.{own}_l0": array for own, array in names.items()})
    output = open_checkpoint(tmp_path / "cell.npz")["lstm"].forward(x[:, None], (h[None], c[None]))
    np.testing.assert_allclose(np.asarray(output.output)[:, 0], RECORDED[f"{name}/result 0"], rtol=0, atol=TOLERANCE)


def test_gates_that_belong_to_no_cell_are_not_called_one(tmp_path: Path) -> None:
    for exporter in ("script", "unfolded", "dynamo"):
        kinds = {other.kind for other in opened(f"no cell, {exporter}", tmp_path).others.values()}
        assert kinds == {"Linear", "Conv1d"}


@pytest.mark.parametrize("name", ["unrolled, dynamo", "rnn without bias, dynamo"])
def test_a_module_that_the_exporter_unrolled_is_called_one(name: str, tmp_path: Path, refused: Any) -> None:
    with refused("an ONNX file of RNN", "plain operators. Export the model with dynamo=False"):
        opened(name, tmp_path)
    assert "rnn" in opened("rnn without bias, script", tmp_path)  # exported with dynamo=False


def test_a_quantised_model_is_called_one(tmp_path: Path, refused: Any) -> None:
    with refused("DynamicQuantizeLSTM", "its weights are integers", "open the model from before it was quantised"):
        opened("quantised", tmp_path)


def test_a_graph_of_tf2onnx_has_keras_s_weights_and_names_its_loops(tmp_path: Path) -> None:
    checkpoint = opened("keras", tmp_path)
    weights = [RECORDED[f"keras/weight {number}"] for number in range(9)]
    (lstm,), others = checkpoint.values(), checkpoint.others
    stored = lstm.weights.layers[0][0].in_order(("input", "forget", "candidate", "output"))
    np.testing.assert_array_equal(np.concatenate(list(stored.kernel), axis=-1), weights[1])
    kinds = {name.rpartition("/")[2]: (other.kind, other.known) for name, other in others.items()}
    assert kinds == {"embedding_1": ("Embedding", True), "gru_1": ("Loop", False), "dense_1": ("Linear", True)}
    by_kind = {other.kind: other for other in others.values()}
    np.testing.assert_array_equal(by_kind["Embedding"].arrays["weight"], weights[0])
    np.testing.assert_array_equal(by_kind["Linear"].arrays["weight"], weights[7].T)
    assert sorted(array.shape for array in by_kind["Loop"].stored.values()) == sorted(array.shape for array in weights[4:7])
    assert "a loop over plain operators" in by_kind["Loop"].warnings[0]


def without_node_names(content: bytes) -> bytes:
    """Rename every node in place as exporters did before they stated modules; the names keep their lengths."""
    return re.sub(rb"(?<=\x1a)(.)/([^/]+(?:/[^/]+)*)", lambda match: match[1] + b"_" + match[2].replace(b"/", b"_"), content)


def test_names_come_from_the_arrays_where_nodes_state_no_module(tmp_path: Path) -> None:
    content = without_node_names(RECORDED["nested, unfolded/model"].tobytes())
    (tmp_path / "model.onnx").write_bytes(content)
    checkpoint = open_checkpoint(tmp_path / "model.onnx")
    assert {name: len(layer.cells) for name, layer in checkpoint.items()} == {"encoder.rnn": 2, "last": 3, "decoder.rnn": 2}
    # No node states whether a transposition belongs to the module: the layer has the axes of the node.
    assert not any(layer.arguments["batch_first"] for layer in checkpoint.values())
    assert all("has the axes (time, direction, batch, hidden)" in "".join(layer.warnings) for layer in checkpoint.values())
