"""What a graph of ONNX does around a layer, and what it lacks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from frameworks.files import open_checkpoint
from gatewise import assert_parity, copy_weights
from tests.remedies.arrays import array, close, deprecated, drawn, tensor
from tests.remedies.cases_keras import message_of
from tests.remedies.following import advises, case, refuses

GRAPHS = Path(__file__).parents[1] / "frameworks" / "files" / "data" / "onnx_graphs.npz"
X = drawn(5, 2, 3)
"""(time, batch, input)."""


class Packed(nn.Module):
    """A layer over sequences of unlike lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4)

    def forward(self, x: Any, lengths: Any) -> Any:
        """Return the output."""
        return nn.utils.rnn.pad_packed_sequence(self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths))[0])[0]


def exported(path: Path, module: nn.Module, *given: Any, **how: Any) -> Any:
    """Export a module, and return the checkpoint."""
    with deprecated():
        torch.onnx.export(module.eval(), given, path, dynamo=False, **how)
    return open_checkpoint(path)


def only(checkpoint: Any) -> Any:
    """Return the only recurrent layer."""
    (layer,) = checkpoint.values()
    return layer


class Renamed(nn.Module):
    """The arrays of an LSTMCell in the equations of an LSTM, its gates multiplied in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        """Return the next states."""
        cell = self.cell
        read = x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh
        i, f, g, o = torch.chunk(read, 4, dim=1)
        c = torch.exp(torch.log(f.sigmoid()) + torch.log(c)) + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@case
def a_cell_of_other_operators(folder: Path) -> None:
    module, states = Renamed(), [tensor(np.abs(drawn(2, 4, seed=seed))) for seed in (2, 3)]
    reason = "the graph computes it with individual operators, * the option cell=lstm states it (--option cell.cell=lstm)"
    with deprecated():
        torch.onnx.export(module.eval(), (tensor(X[0]), *states), folder / "cell.onnx", dynamo=False, do_constant_folding=False)
    with refuses(f"The layer cell is not read as a recurrent layer: {reason}."):
        open_checkpoint(folder / "cell.onnx")
    stored = open_checkpoint(folder / "cell.onnx", options={"cell": {"cell": "lstm"}})["cell"]
    close(stored.convert("pytorch")(tensor(X[0]), tuple(states))[0], module(tensor(X[0]), *states)[0])


@case
def what_the_graph_does_around_a_layer(folder: Path) -> None:
    rnn, h, c = nn.LSTM(3, 4), drawn(1, 2, 4), drawn(1, 2, 4, seed=2)
    stored = only(exported(folder / "states.onnx", rnn, tensor(X), (tensor(h), tensor(c))))
    advises("the graph passes it initial states, *. Pass them to the layer, or it starts from zeros.", stored.warnings)
    port = nn.LSTM(3, 4)
    copy_weights(stored, port)
    close(port(tensor(X), (tensor(h), tensor(c)))[0], rnn(tensor(X), (tensor(h), tensor(c)))[0])
    packed, lengths = Packed(), torch.tensor([5, 3])
    stored = only(exported(folder / "lengths.onnx", packed, tensor(X), lengths))
    advises("the graph passes it the lengths of the sequences (*): pack or mask them.", stored.warnings)
    copy_weights(stored, port)
    sequence = nn.utils.rnn.pack_padded_sequence(tensor(X), lengths)
    close(nn.utils.rnn.pad_packed_sequence(port(sequence)[0])[0], packed(tensor(X), lengths))


def changed(path: Path, index: int, kind: str, other: Any, **how: Any) -> Any:
    """Compute an input of the LSTM of a file by one more node, and return the checkpoint."""
    onnx: Any = import_module("onnx")
    model = onnx.load(path)
    node = next(each for each in model.graph.node if each.op_type == "LSTM")
    model.graph.initializer.append(onnx.numpy_helper.from_array(other, "other"))
    made = onnx.helper.make_node(kind, [node.input[index], "other"], ["made"], **how)
    node.input[index] = "made"
    model.graph.node.insert(0, made)
    onnx.save(model, path.with_name("changed.onnx"))
    return open_checkpoint(path.with_name("changed.onnx"))


@case
def what_the_graph_does_to_an_input(folder: Path) -> None:
    rnn, path = nn.LSTM(3, 4), folder / "m.onnx"
    exported(path, rnn, tensor(X))
    stored = only(changed(path, 0, "ReverseSequence", np.array([5, 5]), time_axis=0, batch_axis=1))
    advises(
        "the graph reverses its input first: flip the time steps of its input and output as the graph does.", stored.warnings
    )
    port = nn.LSTM(3, 4)
    copy_weights(stored, port)
    close(port(tensor(X).flip(0))[0], rnn(tensor(X).flip(0))[0])
    with refuses("*its * is *: export the model with its constants folded."):
        changed(path, 1, "Mul", np.ones(1, "float32"))
    assert_parity(rnn, only(exported(path, rnn, tensor(X), do_constant_folding=True)))


@case
def what_the_file_lacks(folder: Path) -> None:
    onnx: Any = import_module("onnx")
    rnn = nn.LSTM(3, 4)
    exported(folder / "m.onnx", rnn, tensor(X))
    how: dict[str, Any] = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(onnx.load(folder / "m.onnx"), folder / "apart.onnx", **how)
    (folder / "weights.bin").rename(folder / "elsewhere.bin")
    text = "*its elements are in another file, *weights.bin*, which is not there: put it beside the model.*"
    advises(text, [message_of(lambda: open_checkpoint(folder / "apart.onnx"))])
    (folder / "elsewhere.bin").rename(folder / "weights.bin")
    assert_parity(rnn, only(open_checkpoint(folder / "apart.onnx")))
    quantize: Any = import_module("onnxruntime.quantization").quantize_dynamic
    quantize(folder / "m.onnx", folder / "small.onnx")
    with refuses("*its weights are integers, * open the model from before it was quantised."):
        open_checkpoint(folder / "small.onnx")
    assert_parity(rnn, only(open_checkpoint(folder / "m.onnx")))


@case
def a_layer_of_plain_operators(folder: Path) -> None:
    with np.load(GRAPHS) as recorded:
        for name in ("unrolled, dynamo", "own cell, script"):
            (folder / f"{name}.onnx").write_bytes(recorded[f"{name}/model"].tobytes())
    with refuses("It * the graph writes it out as plain operators. Export the model with dynamo=False, which keeps it *"):
        open_checkpoint(folder / "unrolled, dynamo.onnx")
    rnn = nn.RNN(4, 5)
    assert_parity(rnn, only(exported(folder / "kept.onnx", rnn, tensor(drawn(4, 2, 4)))))
    with refuses(
        "*or save the arrays with NumPy under torch's names, as in NAME.weight_ih_l0, with the gates in torch's order*"
    ):
        open_checkpoint(folder / "own cell, script.onnx")
    module = nn.LSTM(3, 4)
    np.savez(folder / "m.npz", **{f"cell.{name}": array(value) for name, value in module.state_dict().items()})
    assert_parity(module, open_checkpoint(folder / "m.npz")["cell"])
