"""What a training script saves beside a model is named as what it is, and is no layer.

Covers: `frameworks/files/torch/bookkeeping.py`, `frameworks/files/torch/tree.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint


def trained() -> Any:
    """Return the state of an optimizer that has made a step."""
    lstm = nn.LSTM(3, 4)
    optimizer = torch.optim.Adam(lstm.parameters())
    lstm(torch.ones(2, 5, 3))[0].sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def state(prefix: str = "lstm.") -> dict[str, Any]:
    return {f"{prefix}{name}": array for name, array in nn.LSTM(3, 4).state_dict().items()}


def saved(thing: Any, path: Path) -> Checkpoint:
    torch.save(thing, path)
    return open_checkpoint(path)


FOLDER = "/home/somebody/secret-project"
LIGHTNING: dict[str, Any] = {
    "epoch": 1,
    "global_step": 2,
    "pytorch-lightning_version": "2.2.0",
    "state_dict": state(),
    "loops": {"fit_loop": {"state": torch.ones(2, 3)}},
    "callbacks": {
        "ModelCheckpoint{'monitor': 'loss'}": {
            "best_model_score": torch.tensor(0.5),
            "best_k_models": {f"{FOLDER}/epoch=1.ckpt": torch.tensor(0.5)},
            "best_model_path": f"{FOLDER}/epoch=1.ckpt",
        },
        "WeightAveraging": {"average": state()},
    },
    "optimizer_states": [trained()],
    "lr_schedulers": [{"last_lr": torch.tensor([0.1])}],
    "hyper_parameters": {"class_weights": torch.ones(7)},
    "NativeMixedPrecisionPlugin": {"scale": 65536.0},
}


def test_a_checkpoint_of_lightning_holds_the_layers_of_its_state_dict_and_nothing_else(tmp_path: Path) -> None:
    checkpoint = saved(LIGHTNING, tmp_path / "a.ckpt")
    assert list(checkpoint) == ["lstm"]
    assert {name: other.kind for name, other in checkpoint.others.items()} == {
        "loops": "the state of training loops",
        "callbacks": "the state of callbacks",
        "optimizer_states": "the state of an optimizer",
        "lr_schedulers": "the state of a learning-rate schedule",
        "hyper_parameters": "hyper parameters",
    }
    for name in ("b.pt", "b.safetensors", "b.npz"):
        save_checkpoint(tmp_path / name, checkpoint)
        written = (tmp_path / name).read_bytes()
        assert b"lstm.weight_ih_l0" in written
        assert b"somebody" not in written
        assert b"class_weights" not in written


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("rng_state", torch.zeros(16, dtype=torch.uint8), "random generators"),
        ("cuda_rng_state_all", [torch.zeros(16, dtype=torch.uint8)], "random generators"),
        ("opt", {"weights": torch.ones(3)}, "hyper parameters"),
        ("hparams", {"weights": torch.ones(3)}, "hyper parameters"),
        ("scaler", {"scale": torch.ones(1)}, "gradient scaler"),
        ("lr_scheduler_state_dict", {"base": torch.ones(2)}, "schedule"),
        ("metrics", {"confusion": torch.ones(3, 3)}, "metrics"),
        ("best_acc", torch.tensor(0.9), "a number of the training"),
        ("optimizer_state_dict", {"exp_avg": torch.ones(3)}, "optimizer"),
        ("agent_optim", [trained()], "optimizer"),
    ],
)
def test_a_key_of_a_training_script_is_named_and_not_carried(key: str, value: Any, what: str, tmp_path: Path) -> None:
    checkpoint = saved({"state_dict": state(), key: value, "epoch": 3}, tmp_path / "a.pt")
    (other,) = checkpoint.others.values()
    assert other.name.partition(".")[0] == key
    assert what in other.kind
    assert not other.stored
    written = save_checkpoint(tmp_path / "b.pt", checkpoint)
    assert {each.name: each.becomes for each in written}[other.name] == "nothing: it has no arrays"


def test_parameters_with_such_names_are_kept(tmp_path: Path) -> None:
    """A state dict holds nothing but tensors."""
    arrays = {"config": torch.ones(3), "loss_history": torch.ones(2), "scale": torch.tensor(2.0)}
    checkpoint = saved({**state(), **arrays}, tmp_path / "a.pt")
    assert list(checkpoint.others[""].arrays) == list(arrays)


def test_a_state_dict_with_numbers_of_the_training_in_it_keeps_its_arrays(tmp_path: Path) -> None:
    arrays = {
        "block.random_map.weight": torch.ones(2, 3),
        "norm.num_batches_tracked": torch.tensor(3),
        "h.config": torch.ones(3),
    }
    checkpoint = saved({**state(), **arrays, "epoch": 3, "best_loss": torch.tensor(0.5)}, tmp_path / "a.pt")
    kept = [f"{name}.{array}" for name, other in checkpoint.others.items() for array in other.stored]
    assert kept == list(arrays)
    assert checkpoint.others["best_loss"].kind == "a number of the training"


@pytest.mark.parametrize("path", [(), ("trainer",), ("trainer", "state")])
def test_the_state_of_an_optimizer_alone_is_called_one(path: tuple[str, ...], tmp_path: Path, refused: Any) -> None:
    thing = trained()
    for key in reversed(path):
        thing = {key: thing}
    with refused("a.pt must hold a recurrent layer", "of the state of an optimizer. "):
        saved(thing, tmp_path / "a.pt")


@pytest.mark.parametrize("folder", [f"{FOLDER}/", "C:\\Users\\somebody\\", "~/somebody/", "\\\\server\\somebody\\"])
def test_folders_of_the_author_are_no_part_of_a_name(folder: str, tmp_path: Path) -> None:
    scores = {f"{folder}epoch={number}.ckpt": torch.tensor(0.5) for number in range(2)}
    thing = {f"{folder}best/model": state(), f"{folder}last/model": state(), "top": scores}
    checkpoint = saved(thing, tmp_path / "a.pt")
    assert list(checkpoint) == ["lstm", "model (1).lstm"]
    assert {other.kind for other in checkpoint.others.values()} == {"a number of the training"}
    assert "somebody" not in "".join(checkpoint.others)
    save_checkpoint(tmp_path / "b.npz", checkpoint)
    assert b"somebody" not in (tmp_path / "b.npz").read_bytes()


def test_arrays_whose_names_begin_with_a_slash_stay_apart(tmp_path: Path) -> None:
    thing = {f"/{owner}/{name}": array for owner in "ab" for name, array in nn.GRU(2, 3).state_dict().items()}
    assert list(saved(thing, tmp_path / "a.pt")) == ["/a", "/b"]


@pytest.mark.parametrize("key", ["ema", "model_ema", "ema_state_dict", "swa_model", "averaged", "shadow"])
def test_a_running_average_is_called_one(key: str, tmp_path: Path) -> None:
    checkpoint = saved({"model": state(), key: state()}, tmp_path / "a.pt")
    assert list(checkpoint) == ["lstm", f"{key}.lstm"]
    assert any("running average" in warning for warning in checkpoint[f"{key}.lstm"].warnings)
    assert not any("running average" in warning for warning in checkpoint["lstm"].warnings)


def test_the_state_of_an_averaged_model_is_called_a_running_average(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(nn.ModuleDict({"lstm": nn.LSTM(3, 4)}))
    (layer,) = saved(averaged.state_dict(), tmp_path / "a.pt").values()
    assert any("running average" in warning for warning in layer.warnings)


def test_a_name_that_only_contains_such_letters_is_no_running_average(tmp_path: Path) -> None:
    checkpoint = saved({**state("schema.lstm."), **state("swap.")}, tmp_path / "a.pt")
    assert len(checkpoint) == 2
    assert not any("average" in warning for layer in checkpoint.values() for warning in layer.warnings)
