"""Nested, sliced, half-precision and scripted saves of torch are read, without torch, as torch itself loads them.

Covers: `frameworks/files/torch`, `frameworks/files/untrusted/unpickling.py`.
"""

from __future__ import annotations

import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import adapt
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint
from frameworks.rows import FrameworkName


class Model(nn.Module):
    """Recurrent modules of every kind, with names of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(5, 3, nonlinearity="relu", bidirectional=True, batch_first=True)
        self.lstm = nn.LSTM(5, 4, num_layers=3, bidirectional=True, dropout=0.25)
        self.gru = nn.GRU(5, 2, bias=False)
        self.cell = nn.LSTMCell(5, 3)
        self.wide = nn.GRU(5, 3).double()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)  # type: ignore[no-any-return]


RECURRENT = ("rnn", "lstm", "gru", "cell", "wide")


@pytest.fixture(scope="module")
def model(randomise: Any) -> Any:
    return randomise(Model()).eval()


def save(thing: Any, path: Path, *, old: bool = False) -> Checkpoint:
    torch.save(thing, path, _use_new_zipfile_serialization=not old)
    return open_checkpoint(path)


def script(model: Any, path: Path) -> Checkpoint:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.script(model).save(str(path))
    return open_checkpoint(path)


def assert_equal(checkpoint: Checkpoint, model: Any, prefix: str = "") -> None:
    for name in RECURRENT:
        expected = adapt(model.get_submodule(name))
        for (_, _, one), (_, _, other) in zip(checkpoint[prefix + name].weights, expected.get_weights(), strict=True):
            for (part, array), (_, wanted) in zip(one.arrays(), other.arrays(), strict=True):
                np.testing.assert_array_equal(array, wanted, err_msg=f"{name} {part}")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("key", ["state_dict", "module"])
def test_the_key_around_a_nested_state_dict_is_removed(model: Any, tmp_path: Path, key: str, *, old: bool) -> None:
    optimizer = torch.optim.Adam(model.parameters())
    model.fc(torch.ones(4)).sum().backward()
    optimizer.step()
    parallel = {f"module.{name}": value for name, value in model.state_dict().items()}
    checkpoint = save({"epoch": 3, key: parallel, "optimizer": optimizer.state_dict()}, tmp_path / "a.pt", old=old)
    assert list(checkpoint) == list(RECURRENT)
    assert_equal(checkpoint, model)
    assert checkpoint.others["optimizer"].kind == "the state of an optimizer"
    assert "weight" in checkpoint.others["fc"].arrays


def test_two_state_dicts_in_one_file_stay_apart(model: Any, randomise: Any, tmp_path: Path) -> None:
    other = randomise(Model(), 1)
    checkpoint = save({"model": model.state_dict(), "ema": other.state_dict()}, tmp_path / "a.pt")
    assert_equal(checkpoint, model)
    assert_equal(checkpoint, other, "ema.")
    checkpoint = save({"model": model.state_dict(), "net": other.state_dict()}, tmp_path / "a.pt")
    assert_equal(checkpoint, model, "model.")
    assert_equal(checkpoint, other, "net.")


@pytest.mark.parametrize("old", [False, True])
def test_a_module_that_was_saved_whole_is_read_without_its_class(model: Any, tmp_path: Path, *, old: bool) -> None:
    checkpoint = save(model, tmp_path / "whole.pt", old=old)
    assert_equal(checkpoint, model)
    rnn, lstm = checkpoint["rnn"], checkpoint["lstm"]
    assert (rnn.spec.activation, rnn.arguments["batch_first"], lstm.arguments["dropout"]) == ("relu", True, 0.25)
    assert rnn.warnings == lstm.warnings == ()


def test_a_scripted_module_lists_its_parameters_once(model: Any, tmp_path: Path) -> None:
    checkpoint = script(model, tmp_path / "script.pt")
    assert list(checkpoint) == list(RECURRENT)
    assert_equal(checkpoint, model)
    assert list(checkpoint.others) == ["fc"]
    assert checkpoint["rnn"].spec.activation == "relu"  # from the module's mode
    assert {name: checkpoint[name].arguments.get("batch_first") for name in ("rnn", "lstm")} == {"rnn": True, "lstm": False}


@pytest.mark.parametrize("old", [False, True])
def test_shared_sliced_and_transposed_tensors_are_read_as_they_appear(randomise: Any, tmp_path: Path, *, old: bool) -> None:
    lstm = randomise(nn.LSTM(3, 2))
    state = dict(lstm.state_dict())
    state["weight_ih_l0"] = state["weight_ih_l0"].t().contiguous().t()
    state["bias_hh_l0"] = torch.stack([state["bias_hh_l0"]] * 2, dim=1)[:, 1]
    packed = torch.cat([torch.zeros(5), state["weight_hh_l0"].flatten(), state["bias_ih_l0"]])
    state["weight_hh_l0"], state["bias_ih_l0"] = packed[5:21].view(8, 2), packed[21:]
    assert not state["weight_ih_l0"].is_contiguous()
    stored = save(state, tmp_path / "cut.pt", old=old)[""]
    for (_, _, one), (_, _, other) in zip(stored.weights, adapt(lstm).get_weights(), strict=True):
        for (_, array), (_, wanted) in zip(one.arrays(), other.arrays(), strict=True):
            np.testing.assert_array_equal(array, wanted)
    turned = stored.cells[0][0].arrays["weight_ih"]
    piece = bytearray(6)
    turned.read_into(turned.start + 7, memoryview(piece))
    assert bytes(piece) == turned.read().tobytes()[7:13]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_returned_exactly_in_float32_with_a_warning(randomise: Any, tmp_path: Path, dtype: Any) -> None:
    gru = randomise(nn.GRU(3, 2)).to(dtype)
    stored = save(gru.state_dict(), tmp_path / "half.pt")[""]
    assert stored.spec.dtype == "float32"
    np.testing.assert_array_equal(stored.cells[0][0].arrays["weight_hh"].read(), gru.weight_hh_l0.detach().float().numpy())
    assert str(dtype).removeprefix("torch.") in stored.warnings[0]


def test_a_big_endian_file_is_read_as_such(randomise: Any, tmp_path: Path) -> None:
    gru = randomise(nn.GRU(3, 2))
    torch.save(gru.state_dict(), tmp_path / "little.pt")
    with zipfile.ZipFile(tmp_path / "little.pt") as old, zipfile.ZipFile(tmp_path / "big.pt", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            turned = np.frombuffer(content, "<f4").astype(">f4").tobytes() if "/data/" in name else content
            new.writestr(name, b"big" if name.endswith("byteorder") else turned)
    stored = open_checkpoint(tmp_path / "big.pt")[""].cells[0][0]
    np.testing.assert_array_equal(stored.arrays["weight_ih"].read(), gru.weight_ih_l0.detach().numpy())


def test_weights_are_read_in_place_and_a_compressed_archive_only_on_demand(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(model.state_dict(), tmp_path / "plain.pt")
    content = (tmp_path / "plain.pt").read_bytes()
    array = open_checkpoint(tmp_path / "plain.pt")["lstm"].cells[0][0].arrays["weight_hh"]
    assert content.index(model.lstm.weight_hh_l0.detach().numpy().tobytes()) % 64 == 0
    assert array.read_into.__self__.start + array.start == content.index(array.read().tobytes())  # type: ignore[attr-defined]
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as old,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_STORED if name.endswith("pkl") else zipfile.ZIP_DEFLATED)
    inflated: list[str] = []
    monkeypatch.setattr("frameworks.files.untrusted.archive._inflate", lambda packed, *_: inflated.append(packed.name))
    packed = open_checkpoint(tmp_path / "packed.pt")
    assert inflated == ["plain/byteorder in packed.pt"] or not inflated
    monkeypatch.undo()
    assert_equal(packed, model)


def test_parametrised_weights_are_refused_by_name_with_the_remedy(tmp_path: Path, refused: Any) -> None:
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.LSTM(3, 2), "weight_hh_l0"))
    with refused("0:", "weight_hh_l0", "remove_parametrizations"):
        save(new.state_dict(), tmp_path / "new.pt")
    old = {f"rnn.{name}": value for name, value in nn.GRU(3, 2).state_dict().items()}
    old["rnn.weight_hh_l0_g"], old["rnn.weight_hh_l0_v"] = torch.ones(6, 1), old.pop("rnn.weight_hh_l0")
    with refused("rnn:", "weight_hh_l0_g", "remove_weight_norm"):
        save(old, tmp_path / "old.pt")


def test_modules_that_only_look_recurrent_are_listed_with_the_reason_and_all_arrays(tmp_path: Path) -> None:
    odd = {
        "good.weight_ih_l0": torch.ones(8, 3),
        "good.weight_hh_l0": torch.ones(8, 2),
        "five.weight_ih": torch.ones(10, 3),
        "five.weight_hh": torch.ones(10, 2),
        "short.weight_ih_l0": torch.ones(8, 3),
        "short.weight_hh_l0": torch.ones(8, 2),
        "short.bias_ih_l0": torch.ones(8),
        "gap.weight_ih_l1": torch.ones(8, 3),
        "gap.weight_hh_l1": torch.ones(8, 2),
        "ints.weight_ih": torch.ones(8, 3, dtype=torch.int8),
        "ints.weight_hh": torch.ones(8, 2, dtype=torch.int8),
        "lone.weight": torch.ones(3, 4),
    }
    checkpoint = save(odd, tmp_path / "odd.pt")
    assert list(checkpoint) == ["good"]
    reasons = {"five": "blocks", "short": "bias_hh", "gap": "l1", "ints": "int8", "lone": "Embedding"}
    assert {name: said in "".join(checkpoint.others[name].warnings) for name, said in reasons.items()} == dict.fromkeys(
        reasons, True
    )
    assert sum(len(other.stored) for other in checkpoint.others.values()) == len(odd) - 2


def test_options_add_to_shapes_and_cannot_contradict_them(model: Any, tmp_path: Path, refused: Any) -> None:
    torch.save(model.state_dict(), tmp_path / "a.pt")

    def opened(**options: Any) -> Checkpoint:
        return open_checkpoint(tmp_path / "a.pt", options={"rnn": options, None: {"batch_first": True}})

    rnn = opened(nonlinearity="relu")["rnn"]
    assert (rnn.spec.activation, rnn.arguments["batch_first"], rnn.warnings) == ("relu", True, ())
    assert "nonlinearity='tanh' assumed" in opened()["rnn"].warnings[0]
    for options, said in (
        ({"nonlinearity": "selu"}, "'tanh' or 'relu'"),
        ({"batch_first": 1}, "True or False"),
        ({"reset_after": False}, "not an option of this layer"),
        ({"recurrent_activation": "relu"}, "not an option of this layer"),
    ):
        with refused("rnn", said):
            opened(**options)
    with refused("lstm", "nonlinearity"):
        open_checkpoint(tmp_path / "a.pt", options={"lstm": {"nonlinearity": "relu"}})


def test_options_mean_the_same_for_our_own_files_as_for_torch_s(model: Any, tmp_path: Path, refused: Any) -> None:
    torch.save(model.state_dict(), tmp_path / "a.pt")
    save_checkpoint(tmp_path / "own.npz", open_checkpoint(tmp_path / "a.pt"))
    said: Any = {"lstm": {"dropout": 0.5, "batch_first": True}, "rnn": {"nonlinearity": "relu"}}
    theirs, own = (open_checkpoint(tmp_path / name, options=said) for name in ("a.pt", "own.npz"))
    for name in said:
        assert own[name].spec == theirs[name].spec, name
        assert dict(own[name].arguments) == dict(theirs[name].arguments), name
    assert (own["lstm"].dropout, own["rnn"].spec.activation) == (0.5, "relu")
    for options in ({"return_sequences": True}, {"nonlinearity": "relu"}, {"reset_after": False}):
        with refused(f"the option {next(iter(options))} of lstm"):
            open_checkpoint(tmp_path / "own.npz", options={"lstm": options})


@pytest.mark.backend
@pytest.mark.parametrize("to", ["pytorch", "keras"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "proj", "cell"])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_an_emulated_layer_is_called_like_torch_s_and_returns_the_same(
    model: Any, tmp_path: Path, to: FrameworkName, name: str
) -> None:
    module = nn.LSTM(5, 4, num_layers=2, proj_size=3, bidirectional=True) if name == "proj" else model.get_submodule(name)
    checkpoint = save(nn.ModuleDict({name: module}), tmp_path / "a.pt")
    x = torch.rand((2, 5) if name == "cell" else (2, 6, 5), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, actual = _flat(module(x)), _flat(checkpoint[name].emulate(to)(x if to == "pytorch" else x.numpy()))
    assert len(expected) == len(actual)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other.numpy(), rtol=0, atol=1e-6)


def _flat(results: Any) -> list[Any]:
    if isinstance(results, (tuple, list)):
        return [leaf for each in results for leaf in _flat(each)]
    return [results.detach().cpu() if isinstance(results, torch.Tensor) else results]


def test_no_framework_is_imported_by_reading(model: Any, tmp_path: Path) -> None:
    import subprocess

    script(model, tmp_path / "a.pt")
    text = (
        "import sys; from frameworks.files import open_checkpoint; "
        f"[c.weights for c in open_checkpoint({str(tmp_path / 'a.pt')!r}).values()]; "
        "print({'torch', 'keras', 'tensorflow', 'h5py'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[4]
    )
    assert run.stdout.strip() == "set()"
