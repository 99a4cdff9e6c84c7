"""The return values of an LSTM and a GRU in both frameworks: minimal examples, the tutorial's Encoder, classic mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.cases import draw_weights
from compare.parity.difference import measure
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet
from frameworks import RecurrentOutput, RecurrentSpec, adapt, build
from frameworks.spec import CellName

SETUP = """\
import keras
import numpy as np
import torch
from gatewise import convert

np.set_printoptions(precision=4, floatmode="fixed")
x = np.array([0.1, 0.2, 0.3], dtype="float32").reshape(1, 3, 1)  # (batch, time, input)
"""

KERAS_LSTM = """\
lstm = keras.layers.LSTM(1, return_sequences=True, return_state=True)
lstm.build(x.shape)
kernel = [[0.5, -0.4, 0.9, 0.7]]  # gates: input, forget, candidate, output
recurrent_kernel = [[0.3, 0.6, -0.8, 0.2]]
bias = [0.1, 1.0, -0.2, 0.3]
lstm.set_weights([np.array(each) for each in (kernel, recurrent_kernel, bias)])

output, h, c = lstm(x)
for name, array in {"output": output, "h": h, "c": c}.items():
    print(f"{name:6} {tuple(array.shape)!s:9}", keras.ops.convert_to_numpy(array).ravel())
"""

PYTORCH_LSTM = """\
rnn = convert(lstm, to="pytorch")  # nn.LSTM(1, 1, batch_first=True)

with torch.no_grad():
    output, (h_n, c_n) = rnn(torch.from_numpy(x))
for name, tensor in {"output": output, "h_n": h_n, "c_n": c_n}.items():
    print(f"{name:6} {tuple(tensor.shape)!s:9}", tensor.numpy().ravel())
"""

KERAS_GRU = """\
gru = keras.layers.GRU(1, return_sequences=True, return_state=True)
gru.build(x.shape)
kernel = [[0.5, -0.4, 0.9]]  # gates: update, reset, candidate
recurrent_kernel = [[0.3, 0.6, -0.8]]
bias = [[0.1, 0.2, -0.2], [-0.1, 0.3, 0.4]]  # one for the input, one for the recurrent product
gru.set_weights([np.array(each) for each in (kernel, recurrent_kernel, bias)])

output, h = gru(x)
for name, array in {"output": output, "h": h}.items():
    print(f"{name:6} {tuple(array.shape)!s:9}", keras.ops.convert_to_numpy(array).ravel())
"""

PYTORCH_GRU = """\
rnn = convert(gru, to="pytorch")  # nn.GRU(1, 1, batch_first=True)

with torch.no_grad():
    output, h_n = rnn(torch.from_numpy(x))
for name, tensor in {"output": output, "h_n": h_n}.items():
    print(f"{name:6} {tuple(tensor.shape)!s:9}", tensor.numpy().ravel())
"""

KERAS_ENCODER = """\
import keras

class Encoder(keras.Model):
    def __init__(self, vocab_size, embedding_dim, enc_units):
        super().__init__()
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = keras.layers.GRU(
            enc_units, return_sequences=True, return_state=True, recurrent_initializer="glorot_uniform"
        )

    def call(self, x, hidden):                                       # (batch, time), (batch, hidden)
        x = self.embedding(x)                                        # (batch, time, embedding)
        output, state = self.gru(x, initial_state=hidden)
        return output, state                                         # (batch, time, hidden), (batch, hidden)
"""

PYTORCH_ENCODER = """\
import torch
from torch import nn

class TorchEncoder(nn.Module):
    def __init__(self, vocab_size, embedding_dim, enc_units):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.gru = nn.GRU(embedding_dim, enc_units, batch_first=True)

    def forward(self, x, hidden):                                    # (batch, time), (batch, hidden)
        x = self.embedding(x)                                        # (batch, time, embedding)
        output, h_n = self.gru(x, hidden[None])                      # hidden[None] adds the axis for layer * direction
        return output, h_n[0]                                        # (batch, time, hidden), (batch, hidden)
"""

COPY_ENCODER = """\
import numpy as np
from gatewise import copy_weights

ids = np.random.default_rng(1).integers(0, 50, size=(4, 7))          # (batch, time)
hidden = np.random.default_rng(2).normal(size=(4, 16)).astype("float32")

keras.utils.set_random_seed(0)
encoder, twin = Encoder(50, 8, 16), TorchEncoder(50, 8, 16)
encoder(ids, hidden)                                                 # builds the layers
twin.embedding.weight.data.copy_(torch.tensor(encoder.embedding.get_weights()[0]))
copy_weights(encoder.gru, twin.gru)

output, state = (keras.ops.convert_to_numpy(each) for each in encoder(ids, hidden))
with torch.no_grad():
    twin_output, twin_state = (each.numpy() for each in twin(torch.from_numpy(ids), torch.from_numpy(hidden)))
"""

_TOLERANCE = TOLERANCES["float32"]


def run(progress: Callable[[str], None]) -> Results:
    """Execute every example of the page."""
    progress("the two minimal examples")
    minimal = _run_minimal()
    progress("the Encoder of the translation tutorial")
    encoder = _run_encoder()
    progress("the classic mistakes")
    mistakes = _run_mistakes()
    return {"minimal": minimal, "encoder": encoder, "mistakes": mistakes}


def _run_minimal() -> Results:
    _, names = run_snippet(SETUP)
    cells: dict[str, Results] = {}
    for cell, keras_code, pytorch_code in (("lstm", KERAS_LSTM, PYTORCH_LSTM), ("gru", KERAS_GRU, PYTORCH_GRU)):
        keras_printed, names = run_snippet(keras_code, names)
        kept: dict[str, npt.NDArray[np.floating]] = {
            name: np.asarray(names[name]) for name in ("output", "h", "c") if name in names
        }
        pytorch_printed, names = run_snippet(pytorch_code, names)
        rows = {"output": names["output"].numpy(), "h": names["h_n"].numpy()[0]}
        rows |= {"c": names["c_n"].numpy()[0]} if cell == "lstm" else {}
        cells[cell] = {
            "keras code": exact(keras_code),
            "keras printed": exact(keras_printed),
            "pytorch code": exact(pytorch_code),
            "pytorch printed": exact(pytorch_printed),
            "printed numbers are the same": exact(_numbers(keras_printed) == _numbers(pytorch_printed)),
            "arrays": exact(len(keras_printed.splitlines())),
            "difference": measured(max(measure(kept[name], row).max_abs for name, row in rows.items()), _TOLERANCE),
            "output[:, -1] - h": measured(measure(kept["output"][:, -1], kept["h"]).max_abs, 0.0),
        }
        for name in ("c", "c_n"):
            names.pop(name, None)
    return {"setup": exact(SETUP), **cells}


def _numbers(printed: str) -> list[str]:
    return re.findall(r"\[.*?\]", printed)


def _run_encoder() -> Results:
    names = None
    for code in (KERAS_ENCODER, PYTORCH_ENCODER, COPY_ENCODER):
        _, names = run_snippet(code, names)
    assert names is not None  # noqa: S101  for the type checker
    return {
        "keras code": exact(KERAS_ENCODER),
        "pytorch code": exact(PYTORCH_ENCODER),
        "copy code": exact(COPY_ENCODER),
        "output shape": exact(list(names["output"].shape)),
        "state shape": exact(list(names["state"].shape)),
        "output": measured(measure(names["output"], names["twin_output"]).max_abs, _TOLERANCE),
        "state": measured(measure(names["state"], names["twin_state"]).max_abs, _TOLERANCE),
        "output[:, -1] - state": measured(measure(names["output"][:, -1], names["state"]).max_abs, 0.0),
    }


def _run_mistakes() -> Results:
    """Measure the correct expressions and the classic wrong ones on bidirectional layers with the same random weights."""
    batch, time = 3, 5
    cells: tuple[CellName, ...] = ("lstm", "gru")
    twins: dict[str, RecurrentOutput] = {}
    returned: dict[str, list[npt.NDArray[np.floating]]] = {}
    for cell in cells:
        spec = RecurrentSpec(cell, 4, 6, bidirectional=True)
        x = np.random.default_rng(0).normal(size=(batch, time, spec.input_size)).astype("float32")
        twin = build("pytorch", spec)
        twin.set_weights(draw_weights(spec, seed=3))
        twins[cell] = twin.forward(x)
        returned[cell] = _call_keras(spec, x, return_sequences=False, return_state=True)
    output, h_n, c_n = (np.asarray(array) for array in (twins["lstm"].output, twins["lstm"].h_n, twins["lstm"].c_n))
    last, h_forward, c_forward, h_backward, c_backward = returned["lstm"]
    _, gru_forward, gru_backward = returned["gru"]
    by_layer = zip((h_forward, c_forward, h_backward, c_backward), (h_n[0], c_n[0], h_n[1], c_n[1]), strict=True)
    right: dict[str, float] = {
        "last output": measure(last, np.concatenate((h_n[0], h_n[1]), axis=-1)).max_abs,
        "states": max(measure(one, other).max_abs for one, other in by_layer),
        "c of a GRU": measure(gru_backward, np.asarray(twins["gru"].h_n)[1]).max_abs,
    }
    wrong = {
        "output[:, -1]": measure(last, output[:, -1]),
        "h_n.reshape(batch, -1)": measure(last, h_n.reshape(batch, -1)),
        "h and c exchanged": measure(h_forward, c_n[0]),
        "h_n, c_n read as [h_f, h_b, c_f, c_b]": measure(c_forward, h_n[1]),
        "the backward h taken for c": measure(gru_forward, gru_backward),
    }
    return {
        "right": {name: measured(error, _TOLERANCE) for name, error in right.items()},
        "wrong": {name: control(difference.max_abs) for name, difference in wrong.items()},
    }


def _call_keras(spec: RecurrentSpec, x: npt.NDArray[np.floating], **flags: bool) -> list[npt.NDArray[np.floating]]:
    import keras

    kind = getattr(keras.layers, spec.record.names["keras"])
    layer = keras.layers.Bidirectional(kind(spec.hidden_size, **flags))
    layer.build(x.shape)
    adapt(layer).set_weights(draw_weights(spec, seed=3))
    return [keras.ops.convert_to_numpy(each) for each in layer(x)]
