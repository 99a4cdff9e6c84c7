"""A file that torch wrote, in any format, is read as the modules that it was written from, without torch.

Covers: `frameworks/files/torch`.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import adapt
from frameworks.files import Checkpoint, open_checkpoint


class Model(nn.Module):
    """Recurrent modules of every kind and option, and other modules."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.rnn = nn.RNN(5, 3, bidirectional=True)
        self.lstm = nn.LSTM(5, 4, num_layers=3, bidirectional=True)
        self.gru = nn.GRU(5, 2, bias=False)
        self.cell = nn.GRUCell(5, 3)
        self.wide = nn.LSTM(5, 3).double()
        self.deep = nn.ModuleList([nn.ModuleList([nn.LSTM(5, 6), nn.LayerNorm(6)])])
        self.norm = nn.BatchNorm1d(4)
        self.conv = nn.Conv1d(5, 3, 2)
        self.linear = nn.Linear(4, 2)
        self.prelu = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.embedding(x)[..., :4])  # type: ignore[no-any-return]


RECURRENT = ("rnn", "lstm", "gru", "cell", "wide", "deep.0.0")
KINDS = {
    "embedding": "Embedding",
    "deep.0.1": "LayerNorm",
    "norm": "BatchNorm1d",
    "conv": "Conv1d",
    "linear": "Linear",
    "prelu": "PReLU",
}


def as_npz(model: nn.Module, path: Path) -> None:
    arrays: Any = {name: array.numpy().copy(order="F") for name, array in model.state_dict().items()}
    np.savez(path, **arrays)


def as_safetensors(model: nn.Module, path: Path) -> None:
    import json

    header, data = {}, b""
    names = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
    for name, tensor in sorted(model.state_dict().items()):
        piece = tensor.numpy().tobytes()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(piece)],
        }
        data += piece
    text = json.dumps({"__metadata__": {"by": "test"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def trained(model: nn.Module) -> Any:
    """Return a checkpoint as training scripts write it, with the state of the optimizer."""
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros((1, 2), dtype=torch.int64)).sum().backward()
    optimizer.step()
    return {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}


scripted: Any = torch.jit.script
FORMATS: dict[str, Callable[[nn.Module, Path], None]] = {
    "bare.pt": lambda model, path: torch.save(model.state_dict(), path),
    "old.pth": lambda model, path: torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False),
    "around.pt": lambda model, path: torch.save(trained(model), path),
    "parallel.pt": lambda model, path: torch.save({"state_dict": nn.ModuleDict({"module": model}).state_dict()}, path),
    "whole.pt": torch.save,
    "script.pt": lambda model, path: scripted(model).save(str(path)),
    "model.npz": as_npz,
    "model.safetensors": as_safetensors,
}


@pytest.fixture(scope="module")
def model(randomise: Any) -> nn.Module:
    made: nn.Module = randomise(Model())
    return made.eval()


@pytest.fixture(scope="module", params=FORMATS)
def opened(request: pytest.FixtureRequest, model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    import warnings

    path = tmp_path_factory.mktemp("torch") / request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        FORMATS[request.param](model, path)
    return open_checkpoint(path)


def test_every_module_is_listed_with_its_weights_bit_for_bit(opened: Checkpoint, model: nn.Module) -> None:
    assert sorted(opened) == sorted(RECURRENT)
    for name in RECURRENT:
        module, stored = adapt(model.get_submodule(name)), opened[name]
        assert stored.spec == module.spec
        assert stored.is_cell == module.is_cell
        for (_, _, one), (_, _, other) in zip(stored.weights, module.get_weights(), strict=True):
            for (part, array), (_, wanted) in zip(one.arrays(), other.arrays(), strict=True):
                np.testing.assert_array_equal(array, wanted, err_msg=f"{name} {part}")


def test_other_modules_are_listed_with_the_kinds_that_the_file_states(opened: Checkpoint, model: nn.Module) -> None:
    whole = opened.path.name in ("whole.pt", "script.pt")
    expected = KINDS if whole else {name: "Linear" if name == "linear" else "" for name in KINDS}
    assert {name: other.kind for name, other in opened.others.items() if "optimizer" not in name} == expected
    for name, kind in KINDS.items():
        other = opened.others[name]
        assert other.known == (expected[name] != "")
        assert other.known or any(kind in warning for warning in other.warnings)
        for part, array in other.arrays.items():
            np.testing.assert_array_equal(array, model.get_submodule(name).state_dict()[part].numpy())


@pytest.mark.backend
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_the_emulation_is_called_like_the_module_and_returns_the_same(model: nn.Module, tmp_path: Path) -> None:
    projected = nn.LSTM(5, 4, num_layers=2, proj_size=3, bidirectional=True)
    torch.save({**model.state_dict(), **{f"proj.{k}": v for k, v in projected.state_dict().items()}}, tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt", options={None: {"batch_first": False}})
    x = torch.randn(7, 3, 5)
    for name, module in (("lstm", model.get_submodule("lstm")), ("proj", projected)):
        expected, (h_n, _) = module(x)
        for to in ("pytorch", "keras"):
            output, (state, _) = checkpoint[name].emulate(to)(x if to == "pytorch" else x.numpy())
            for one, other in ((output, expected), (state, h_n)):
                array = one.detach().numpy() if hasattr(one, "detach") else np.asarray(one)
                np.testing.assert_allclose(array, other.detach().numpy(), rtol=0, atol=1e-5)


def test_a_layer_is_converted_to_a_keras_layer_and_a_projection_is_refused(tmp_path: Path, refused: Any) -> None:
    torch.save(nn.ModuleDict({"gru": nn.GRU(3, 2), "proj": nn.LSTM(3, 4, proj_size=2)}).state_dict(), tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    layer = checkpoint["gru"].convert("keras")
    assert type(layer).__name__ == "GRU"
    np.testing.assert_array_equal(adapt(layer).get_weights().layers[0][0].kernel, checkpoint["gru"].weights.layers[0][0].kernel)
    with refused("proj_size", "emulate"):
        checkpoint["proj"].convert("keras")


def test_what_the_file_does_not_state_is_reported_as_assumed(model: nn.Module, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt", options={"rnn": {"nonlinearity": "relu", "batch_first": True}})
    assert "dropout=0.0 assumed" in checkpoint["lstm"].warnings[0]
    assert "does not state batch_first" in checkpoint["lstm"].warnings[1]
    assert checkpoint["lstm"].arguments["batch_first"] is None
    assert checkpoint["rnn"].warnings == ()
    module: Any = checkpoint["rnn"].emulate("pytorch")
    assert (module.nonlinearity, module.batch_first) == ("relu", True)


@pytest.mark.backend
@pytest.mark.parametrize("to", ["pytorch", "keras"])
def test_a_layer_whose_file_does_not_state_batch_first_is_built_with_it(model: nn.Module, tmp_path: Path, to: Any) -> None:
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert open_checkpoint(tmp_path / "model.pt")["lstm"].emulate(to).batch_first is True
    stated = open_checkpoint(tmp_path / "model.pt", options={"lstm": {"batch_first": False}})["lstm"]
    assert stated.emulate(to).batch_first is False
    assert not any("batch_first" in warning for warning in stated.warnings)


class Evil:
    """An object whose pickle runs a command."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch executed",)


def test_nothing_in_a_pickle_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = {"evil": Evil(), **{f"lstm.{name}": tensor for name, tensor in nn.LSTM(2, 3).state_dict().items()}}
    torch.save(state, "evil.pt")
    assert list(open_checkpoint("evil.pt")) == ["lstm"]
    torch.save(state, "old.pt", _use_new_zipfile_serialization=False)
    assert list(open_checkpoint("old.pt")) == ["lstm"]
    assert not Path("executed").exists()
    pickle.loads(pickle.dumps(Evil()))  # noqa: S301  the control: it does run
    assert Path("executed").exists()


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"\x80\x02" + b"]" * 100 + b"r\xff\xff\xff\xff.", "whole"),
        (b"\x80\x02]q\x00" + b"h\x00h\x00\x86q\x00" * 80 + b".", "nests"),
        (b"\x80\x02(K\x01K\x02", "not plain data"),
        (b"\x80\x02.", "not plain data"),
        (b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n)R.", "not read"),
        (b"\x80\x02}" + b"]" * (5 << 20), "steps"),
    ],
)
def test_a_pickle_of_anything_but_plain_data_is_refused(tmp_path: Path, pickled: bytes, said: str, refused: Any) -> None:
    with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    with refused("odd.pt", *([] if said == "whole" else [said])):
        open_checkpoint(tmp_path / "odd.pt")


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    torch.save(nn.LSTM(2, 3).state_dict(), tmp_path / "model.pt")
    text = (
        "import sys\nfrom frameworks.files import open_checkpoint\n"
        f"open_checkpoint({str(tmp_path / 'model.pt')!r})[''].weights\nprint('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[4]
    )
    assert run.stdout.strip() == "False"
