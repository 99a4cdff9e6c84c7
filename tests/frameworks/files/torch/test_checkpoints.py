"""Other objects in torch's files neither hide the weights nor are taken for weights.

Covers: `frameworks/files/torch`.
"""

from __future__ import annotations

import argparse
import json
import pickle
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import adapt
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint


class Model(nn.Module):
    """A recurrent module, and others with arguments that no weight shows."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(8, eps=1e-2)
        self.batch = nn.BatchNorm1d(8, eps=1e-3, momentum=0.25)
        self.conv = nn.Conv1d(8, 4, 2, stride=2, dilation=3)
        self.padded = nn.Conv1d(8, 4, 3, padding=1)
        self.grouped = nn.GroupNorm(2, 8)

    def forward(self, x: torch.Tensor) -> Any:
        return self.lstm(x)


class Holder:
    """An object of a training script that holds a model, and itself."""

    def __init__(self, model: Any) -> None:
        self.model, self.parent, self.step = model, {"self": self}, 3


@pytest.fixture(scope="module")
def model(randomise: Any) -> Any:
    return randomise(Model()).eval()


def save(thing: Any, path: Path, **options: Any) -> Checkpoint:
    torch.save(thing, path, **options)
    return open_checkpoint(path)


def assert_lstm(checkpoint: Checkpoint, module: nn.Module, name: str = "lstm") -> None:
    for (_, _, one), (_, _, other) in zip(checkpoint[name].weights, adapt(module).get_weights(), strict=True):
        for (part, array), (_, wanted) in zip(one.arrays(), other.arrays(), strict=True):
            np.testing.assert_array_equal(array, wanted, err_msg=part)


@pytest.mark.parametrize("old", [False, True])
def test_objects_of_a_training_script_hide_no_weights_and_are_not_listed(model: Any, tmp_path: Path, *, old: bool) -> None:
    state = {
        "args": argparse.Namespace(lr=np.float64(0.1), device=torch.device("cpu"), tags={"a"}),
        "best": np.float32(1),
        "random": np.random.default_rng(0).bit_generator.state,
        "agent": Holder(model.state_dict()),
        "optimizer": torch.optim.Adam(model.parameters()),
        "mean": np.arange(6.0).reshape(2, 3).T,
    }
    checkpoint = save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
    assert_lstm(checkpoint, model.lstm, "agent.lstm")
    assert checkpoint.others["optimizer"].kind == "the state of an optimizer"
    np.testing.assert_array_equal(checkpoint.others[""].arrays["mean"], state["mean"])
    assert {name for name, other in checkpoint.others.items() if not other.stored} == {"optimizer"}
    assert len(checkpoint.others) == 2 + 5  # the modules other than the lstm


def test_the_state_of_an_optimizer_is_called_one_with_and_without_its_groups(model: Any, tmp_path: Path, refused: Any) -> None:
    for kind in (torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad):
        optimizer = kind(model.parameters())
        sum(parameter.sum() for parameter in model.parameters()).backward()
        optimizer.step()
        for state in (optimizer.state_dict(), optimizer.state_dict()["state"]):
            with refused("the state of an optimizer", "Open the model's own file."):
                save(state, tmp_path / "a.pt")
    with refused("the arrays of 0: weight (4, 3)"):
        save({0: {"weight": torch.ones(4, 3)}}, tmp_path / "a.pt")


@pytest.mark.parametrize("protocol", [2, 5])
def test_numpy_weights_are_read_in_any_order_and_endianness(model: Any, tmp_path: Path, protocol: int) -> None:
    state: dict[str, Any] = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    state["lstm.weight_ih_l0"] = np.asfortranarray(state["lstm.weight_ih_l0"])
    state["lstm.weight_hh_l0"] = state["lstm.weight_hh_l0"].astype(">f4")
    state["words"] = np.array(["a", "b"])
    checkpoint = save(state, tmp_path / "a.pt", pickle_protocol=protocol)
    assert_lstm(checkpoint, model.lstm)
    assert "not read" in checkpoint.others["words"].warnings[0]


def test_a_numpy_array_with_a_false_shape_is_refused(tmp_path: Path, refused: Any) -> None:
    torch.save({"weight": np.ones((3, 5), "f4")}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "lie.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"K\x03K\x05\x86", b"K\x03K\x06\x86"))
    with refused("weight in lie.pt", "60 bytes"):
        open_checkpoint(tmp_path / "lie.pt")


def test_text_in_place_of_bytes_is_refused_when_read(tmp_path: Path, refused: Any) -> None:
    torch.save({"weight_ih_l0": np.ones((6, 3), "f4"), "weight_hh_l0": np.ones((6, 2), "f4")}, tmp_path / "a.pt")
    assert open_checkpoint(tmp_path / "a.pt")[""].weights.layers
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "lie.pt", "w") as new:
        for name in old.namelist():  # one character in place of another with as many bytes
            new.writestr(name, old.read(name).replace("\u0080".encode(), "\u07ff".encode()))
    with refused("lie.pt", "character"):
        _ = open_checkpoint(tmp_path / "lie.pt")[""].weights


def test_special_tensors_are_listed_each_with_its_reason(model: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are deprecated
        quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    odd = {
        "quantised": quantised,
        "sparse": torch.eye(4).to_sparse(),
        "meta": torch.ones(3, device="meta"),
        "expand": torch.ones(1).expand(5),
        "resolve_neg": torch.tensor([1 + 2j]).conj().imag,
        "float8": torch.ones(3).to(torch.float8_e4m3fn),
    }
    checkpoint = save({**model.state_dict(), **odd}, tmp_path / "a.pt")
    assert_lstm(checkpoint, model.lstm)
    assert [name for name in odd if name not in checkpoint.others[name].kind] == []
    assert not any(checkpoint.others[name].stored for name in odd)


def test_quantised_recurrent_modules_are_refused_by_name(tmp_path: Path, refused: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is deprecated
        quantize: Any = torch.ao.quantization.quantize_dynamic
        quantised = quantize(nn.ModuleDict({"a": nn.LSTM(3, 4)}), {nn.LSTM}, torch.qint8)
    with refused("a: it is not read: a quantised LSTM", "before it is quantised"):
        save(quantised, tmp_path / "whole.pt")
    with refused("a._all_weight_values.0.param", "packed weights", "before it is quantised"):
        save(quantised.state_dict(), tmp_path / "state.pt")


@pytest.mark.parametrize(
    "prefix", ["_orig_mod.module.", "module._orig_mod.", "module.module.", "_fsdp_wrapped_module._checkpoint_wrapped_module."]
)
def test_prefixes_of_wrappers_are_removed_from_names(model: Any, tmp_path: Path, prefix: str) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    assert_lstm(save({"state_dict": state}, tmp_path / "a.pt"), model.lstm)


def test_prefixes_that_tell_names_apart_are_kept(tmp_path: Path) -> None:
    names = ["a.gru", "a._orig_mod.gru"]
    state = {f"{name}.{key}": tensor for name in names for key, tensor in nn.GRU(2, 3).state_dict().items()}
    assert list(save(state, tmp_path / "a.pt")) == names


@pytest.mark.parametrize(("around", "stale"), [("lstm.", True), ("", False), ("", True)])
def test_the_raw_weight_of_weight_dropout_is_read(randomise: Any, tmp_path: Path, around: str, *, stale: bool) -> None:
    """As in AWD-LSTM: `_raw` is in the module or in its parent, with or without the dropped weight."""
    lstm = randomise(nn.LSTM(3, 4))
    state = {f"lstm.module.{name}": tensor for name, tensor in lstm.state_dict().items()}
    raw = state.pop("lstm.module.weight_hh_l0")
    state[f"{around or 'lstm.module.'}weight_hh_l0_raw"] = raw
    if stale:
        state["lstm.module.weight_hh_l0"] = nn.functional.dropout(raw, 0.5)
    checkpoint = save(state, tmp_path / "a.pt")
    assert_lstm(checkpoint, lstm, "lstm.module")
    assert "weight_hh_l0_raw" in checkpoint["lstm.module"].warnings[0]
    kept = {name: array for other in checkpoint.others.values() for name, array in other.arrays.items()}
    assert list(kept) == ["weight_hh_l0_dropped"] * stale
    save_checkpoint(tmp_path / "b.pt", checkpoint)
    assert_lstm(open_checkpoint(tmp_path / "b.pt"), lstm, "lstm.module")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bias_hh_l1", "l1 lacks bias_hh"),
        ("weight_hh_l1_reverse", "l1_reverse lacks weight_hh"),
        ("weight_hh_l0", "lacks weight_hh"),
        ("l0_reverse", "lacks l0_reverse"),
        ("l1", "lacks l1"),
    ],
)
def test_a_parameter_that_is_missing_is_named(tmp_path: Path, refused: Any, name: str, said: str) -> None:
    state = nn.LSTM(3, 4, 3, bidirectional=True).state_dict()
    torch.save({key: tensor for key, tensor in state.items() if not key.endswith(name)}, tmp_path / "a.pt")
    if name == "l1":
        torch.save({key: tensor for key, tensor in state.items() if "l1" not in key}, tmp_path / "a.pt")
    with refused(said):
        open_checkpoint(tmp_path / "a.pt")


def test_modules_that_were_saved_whole_state_their_arguments(model: Any, tmp_path: Path) -> None:
    whole, state = save(model, tmp_path / "a.pt").others, save(model.state_dict(), tmp_path / "b.pt").others
    told = open_checkpoint(tmp_path / "b.pt", options={"norm": {"kind": "LayerNorm"}}).others["norm"]
    assert (whole["norm"].config, state["norm"].config, told.config) == ({"epsilon": 1e-2}, {}, {"epsilon": 1e-5})
    assert whole["batch"].config == {"epsilon": 1e-3, "momentum": 0.75}
    assert whole["conv"].config == {"strides": (2,), "dilation_rate": (3,), "groups": 1}
    assert not whole["norm"].warnings
    assert "eps=1e-05 assumed" in told.warnings[-1]
    assert (whole["grouped"].kind, state["grouped"].kind) == ("GroupNorm", "")
    assert whole["conv"].known
    assert not whole["padded"].known
    assert "padding=(1,)" in whole["padded"].warnings[0]


@pytest.mark.parametrize(
    ("module", "config", "warning"),
    [
        (nn.Conv1d(4, 2, 3, padding="valid"), {"strides": (1,), "dilation_rate": (1,), "groups": 1}, ""),
        (nn.Conv1d(4, 2, 3, padding="same"), {"strides": (1,), "padding": "same", "dilation_rate": (1,), "groups": 1}, ""),
        (nn.Conv1d(4, 2, 3, groups=2), {"strides": (1,), "dilation_rate": (1,), "groups": 2}, ""),
        (nn.BatchNorm1d(4, momentum=None), {"epsilon": 1e-5}, "momentum=None averages all batches"),
    ],
)
def test_an_argument_that_keras_also_has_is_carried_over(
    module: nn.Module, config: dict[str, Any], warning: str, tmp_path: Path
) -> None:
    other = save(nn.ModuleDict({"gru": nn.GRU(2, 3), "own": module}), tmp_path / "a.pt").others["own"]
    assert (other.config, other.known) == (config, True)
    assert [warning in each for each in other.warnings] == [True] * bool(warning)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("padding_mode", "reflect"),
        ("padding", "full"),
        ("stride", "two"),
        ("dilation", None),
        ("groups", (2,)),
        ("momentum", "fast"),
        ("eps", (1, 2)),
    ],
)
def test_an_argument_that_keras_lacks_is_named_whatever_its_type(name: str, value: Any, tmp_path: Path) -> None:
    module: Any = nn.BatchNorm1d(4) if name in ("momentum", "eps") else nn.Conv1d(4, 2, 3)
    setattr(module, name, value)
    other = save(nn.ModuleDict({"gru": nn.GRU(2, 3), "own": module}), tmp_path / "a.pt").others["own"]
    assert not other.known
    assert other.warnings == (f"{name}={value!r}, which the corresponding Keras layer lacks.",)


def test_an_attribute_that_is_a_list_counts_as_a_tuple(tmp_path: Path) -> None:
    conv: Any = nn.Conv1d(4, 2, 3)
    conv.stride, conv.padding = [2], [1]
    conv.dilation = [1.5]  # not whole numbers: ignored
    gru: Any = nn.GRU(2, 3)
    gru.mode = ["GRU"]
    other = save(nn.ModuleDict({"gru": gru, "own": conv}), tmp_path / "a.pt").others["own"]
    assert other.config == {"strides": (2,), "dilation_rate": 1, "groups": 1}
    assert other.warnings[0].startswith("dilation=1 assumed")
    assert other.warnings[1].startswith("padding=(1,), which the corresponding Keras layer lacks")


class Renamed(nn.LayerNorm):
    """A class with the name of a torch class."""


Renamed.__name__ = Renamed.__qualname__ = "Linear"
Linear = Renamed


def test_a_class_with_the_name_of_a_torch_class_is_not_taken_for_it(tmp_path: Path) -> None:
    checkpoint = save(nn.ModuleDict({"gru": nn.GRU(2, 3), "own": Linear(4)}), tmp_path / "a.pt")
    own = checkpoint.others["own"]
    assert (own.kind, own.known) == ("", False)
    assert "its class is Linear, not one of torch.nn" in own.warnings[0]


Pickler: Any = pickle._Pickler  # the implementation in Python


class Python2(Pickler):  # type: ignore[misc]
    """Writes text as Python 2 wrote its strings."""

    dispatch: ClassVar[dict[Any, Any]] = dict(Pickler.dispatch)

    def save_str(self, text: str) -> None:
        content = text.encode()
        self.write(b"U" + bytes([len(content)]) + content)
        self.memoize(text)

    dispatch[str] = save_str


def test_a_file_of_python_2_is_read(model: Any, tmp_path: Path) -> None:
    module = types.ModuleType("python2")
    module.__dict__.update(Pickler=Python2, dump=lambda thing, file, protocol: Python2(file, protocol).dump(thing))
    state = {"state_dict": model.state_dict(), "epoch": 3}
    checkpoint = save(state, tmp_path / "a.pt", pickle_module=module, _use_new_zipfile_serialization=False)
    assert b"U\x11lstm.weight_hh_l0" in (tmp_path / "a.pt").read_bytes()
    assert_lstm(checkpoint, model.lstm)


@pytest.fixture
def shards(model: Any, tmp_path: Path) -> Path:
    """Write a state dict to two shards, the second layer of the lstm to the second, and return the path of the index."""
    parts: dict[str, dict[str, Any]] = {"m-00001-of-00002.bin": {}, "m-00002-of-00002.bin": {}}
    for name, tensor in model.state_dict().items():
        parts[f"m-0000{2 if '_l1' in name else 1}-of-00002.bin"][name] = tensor
    for file, state in parts.items():
        torch.save(state, tmp_path / file)
    index = {"metadata": {}, "weight_map": {name: file for file, state in parts.items() for name in state}}
    (tmp_path / "m.bin.index.json").write_text(json.dumps(index))
    return tmp_path / "m.bin.index.json"


def test_shards_are_read_by_their_index_and_a_single_shard_gives_a_warning(model: Any, shards: Path, refused: Any) -> None:
    assert_lstm(open_checkpoint(shards), model.lstm)
    assert len(open_checkpoint(shards).others) == 5
    first = open_checkpoint(shards.with_name("m-00001-of-00002.bin"))
    assert first["lstm"].spec.num_layers == 1  # nothing shows that this is half of it
    assert "one of 2" in first["lstm"].warnings[-1]
    with refused("one of 2", "lacks l0"):
        open_checkpoint(shards.with_name("m-00002-of-00002.bin"))


@pytest.mark.parametrize("file", ["../m-00001-of-00002.bin", "/etc/hostname", "", "..", "missing.bin"])
def test_an_index_names_only_files_next_to_it(shards: Path, file: str, refused: Any) -> None:
    inner = shards.parent / "inner"
    inner.mkdir()
    index = json.loads(shards.read_text())
    index["weight_map"]["lstm.weight_hh_l0"] = file
    (inner / "m.index.json").write_text(json.dumps(index))
    with refused():
        open_checkpoint(inner / "m.index.json")


def test_an_array_is_taken_from_the_file_that_the_index_names(model: Any, shards: Path) -> None:
    other = torch.load(shards.with_name("m-00002-of-00002.bin"))
    torch.save(
        {**other, "lstm.weight_hh_l0": torch.zeros_like(model.lstm.weight_hh_l0)}, shards.with_name("m-00002-of-00002.bin")
    )
    assert_lstm(open_checkpoint(shards), model.lstm)


def test_an_index_of_arrays_that_its_files_lack_is_refused(shards: Path, refused: Any) -> None:
    index = json.loads(shards.read_text())
    index["weight_map"]["more.weight"] = "m-00001-of-00002.bin"
    shards.write_text(json.dumps(index))
    with refused("more.weight"):
        open_checkpoint(shards)


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("export") / "model.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(model, (torch.zeros(2, 5, 3),)), path)
    return path


def test_an_exported_program_is_read(model: Any, exported: Path, tmp_path: Path) -> None:
    assert_lstm(open_checkpoint(exported), model.lstm)
    assert len(open_checkpoint(exported).others) == 5
    torch.save(model.state_dict(), tmp_path / "state.pt")
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:  # as torch wrote them before 2.8
        archive.writestr("serialized_exported_program.json", "{}")
        archive.write(tmp_path / "state.pt", "serialized_state_dict.pt")
    assert_lstm(open_checkpoint(tmp_path / "old.pt2"), model.lstm)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"path_name": "weight_0"', b'"path_name": "../weight"'),
        (b'"as_int": 16', b'"as_int": 17'),
        (b'"as_int": 16', b'"as_int": -1'),
        (b'"dtype": 7', b'"dtype": 8'),
        (b'"strides"', b'"stridez"'),
        (b'"config"', b'"konfig"'),
    ],
)
def test_an_export_with_false_weights_is_refused(
    exported: Path, tmp_path: Path, refused: Any, said: bytes, instead: bytes
) -> None:
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(tmp_path / "lie.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name).replace(said, instead) if name.endswith("weights_config.json") else old.read(name)
            )
    with refused("lie.pt2"):
        open_checkpoint(tmp_path / "lie.pt2")


def test_a_frozen_script_is_refused_and_the_error_names_the_freezing(model: Any, tmp_path: Path, refused: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.freeze(torch.jit.script(nn.Sequential(model.lstm).eval())).save(str(tmp_path / "a.pt"))
    with refused("torch.jit.freeze", "the arrays of constants: 0 (16, 3)"):
        open_checkpoint(tmp_path / "a.pt")
