"""What the code of a TorchScript archive states of its modules is read, scripted or traced, and never executed.

Covers: `frameworks/files/torch/script_code.py`.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from frameworks.files import Checkpoint, open_checkpoint

BATCH, TIME, INPUT, HIDDEN = 2, 6, 3, 4


class Around(nn.Module):
    """A module that is called with (batch, time, input) and holds others."""

    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn = rnn
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-2)
        self.batch = nn.BatchNorm1d(TIME, eps=1e-3, momentum=0.25)
        self.conv = nn.Conv1d(TIME, 4, 2, stride=2, dilation=2, groups=2)
        self.same = nn.Conv1d(TIME, 4, 3, padding="same")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        output = self.norm(self.rnn(x)[0][..., :4])
        return self.batch(output), self.conv(output), self.same(output)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(INPUT, HIDDEN, batch_first=True)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        output, _ = self.rnn(pack_padded_sequence(x, lengths, batch_first=True))
        return pad_packed_sequence(output, batch_first=True)[0]


def saved(module: nn.Module, path: Path, *, trace: bool, inputs: tuple[torch.Tensor, ...] = ()) -> Checkpoint:
    given = inputs or (torch.randn(BATCH, TIME, INPUT),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        compiler: Any = torch.jit
        made = compiler.trace(module.eval(), given) if trace else compiler.script(module.eval())
        made.save(str(path))
    return open_checkpoint(path)


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "relu"])
def test_the_code_states_the_arguments_of_a_recurrent_module(
    kind: str, tmp_path: Path, *, batch_first: bool, trace: bool
) -> None:
    more: dict[str, Any] = {"nonlinearity": "relu"} if kind == "relu" else {}
    made = nn.RNN if kind == "relu" else getattr(nn, kind)
    rnn = made(INPUT, HIDDEN, num_layers=2, dropout=0.25, bidirectional=True, batch_first=batch_first, **more)
    layer = saved(Around(rnn), tmp_path / "a.pt", trace=trace)["rnn"]
    assert dict(layer.arguments) == {"batch_first": batch_first, "dropout": 0.25}
    assert layer.spec.activation == more.get("nonlinearity", "tanh")
    assert layer.warnings == ()


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_code_states_the_nonlinearity_of_a_cell(nonlinearity: str, tmp_path: Path, *, trace: bool) -> None:
    cell = nn.RNNCell(INPUT, HIDDEN, nonlinearity=nonlinearity)
    layer = saved(cell, tmp_path / "a.pt", trace=trace, inputs=(torch.randn(BATCH, INPUT),))[""]
    assert (layer.spec.activation, layer.warnings) == (nonlinearity, ())


@pytest.mark.parametrize("trace", [False, True])
def test_the_code_states_the_kinds_and_options_of_other_modules(tmp_path: Path, *, trace: bool) -> None:
    others = saved(Around(nn.LSTM(INPUT, HIDDEN, batch_first=True)), tmp_path / "a.pt", trace=trace).others
    kinds = {"norm": "LayerNorm", "batch": "BatchNorm1d", "conv": "Conv1d", "same": "Conv1d"}
    assert {name: other.kind for name, other in others.items()} == kinds
    assert others["norm"].config == {"epsilon": 1e-2}
    assert others["batch"].config == {"epsilon": 1e-3, "momentum": 0.75}
    assert others["conv"].config == {"strides": (2,), "dilation_rate": (2,), "groups": 2}
    assert others["same"].config["padding"] == "same"
    assert all(other.known for other in others.values())
    stated = "padding_mode" if trace else "nothing"  # a traced module has padded its input already, where that is not zeros
    assert all(stated in warning for other in others.values() for warning in other.warnings)


def test_calls_that_disagree_or_have_no_batch_axis_state_nothing(tmp_path: Path) -> None:
    inputs = torch.randn(BATCH, TIME, INPUT), torch.tensor([TIME, 4])
    traced = saved(Packed(), tmp_path / "a.pt", trace=True, inputs=inputs)["rnn"]
    assert traced.arguments["batch_first"] is None
    assert saved(Packed(), tmp_path / "b.pt", trace=False)["rnn"].arguments["batch_first"] is True
    assert saved(Around(nn.GRU(INPUT, HIDDEN, batch_first=True)), tmp_path / "c.pt", trace=True)["rnn"].arguments["batch_first"]
    calls = b"  a = torch.gru(x, h, w, True, 1, 0., False, False, %s)\n"
    rewritten(tmp_path / "c.pt", tmp_path / "d.pt", GRU + calls % b"True" + calls % b"False")
    assert open_checkpoint(tmp_path / "d.pt")["rnn"].arguments["batch_first"] is None


GRU = b"class GRU(Module):\n"


def rewritten(source: Path, path: Path, code: bytes) -> None:
    """Write an archive with other code of the recurrent module."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, code if "/nn/modules/rnn" in name and name.endswith(".py") else content)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (GRU + b"  batch_first : Final[bool] = True\n", True),
        (GRU + b"  batch_first : Final[bool] = __import__('os').system('touch executed')\n", None),
        (GRU + b"  batch_first : Final[bool] = " + b"(" * 5000 + b"\n", None),
        (GRU + b"  a = torch.gru(" + b"[" * 100000 + b")\n", None),
        (GRU + b"  a = torch.gru(True)\n", None),
        (GRU + b"  a = torch.gru((x).f(y, ), [h, c], w, True, 1, 0., training, False, True)\n", True),
        (GRU + b"  a = torch.gru(x, sizes, h, w, True, 1, 0., False, True)\n", None),
        (b"\xff\xfe", None),
        (b"class LSTM(Module):\n  batch_first : Final[bool] = True\n", None),
        (b"", None),
        (GRU, None),
    ],
)
def test_code_is_never_executed_whatever_it_is(
    code: bytes, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Around(nn.GRU(INPUT, HIDDEN)), tmp_path / "a.pt", trace=True)
    rewritten(tmp_path / "a.pt", tmp_path / "b.pt", code)
    assert open_checkpoint(tmp_path / "b.pt")["rnn"].arguments["batch_first"] is expected
    assert not Path("executed").exists()
