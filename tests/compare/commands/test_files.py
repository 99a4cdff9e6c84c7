"""`gatewise port` writes what it lists, and `gatewise verify` detects differences.

Covers: `compare/commands`, `compare/checkpoints`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.cli import main
from frameworks import RecurrentSpec, build
from frameworks.files import save_checkpoint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a file with a GRU, a stack of bidirectional LSTMs and a relu layer."""
    import torch
    from torch import nn

    torch.manual_seed(1)
    layers: dict[str, Any] = {
        "gru": nn.GRU(3, 5),
        "stack": nn.LSTM(5, 4, num_layers=2, bidirectional=True),
        "plain": build("pytorch", RecurrentSpec("rnn", 4, 2, activation="relu"), seed=2),
    }
    save_checkpoint(tmp_path / "model.weights.h5", layers)
    return tmp_path / "model.weights.h5"


RELU = ["--option", "plain.activation=relu"]


def test_port_writes_the_file_and_lists_the_outcome_of_each_layer(
    file: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.checkpoints.terminal_tables._WIDTH", 160)  # wide enough for unbroken code
    out = file.with_name("out.npz")
    assert main(["port", str(file), str(out), *RELU]) == 0
    said = capsys.readouterr().out
    assert "nn.GRU(3, 5, batch_first=True)" in said
    assert "nn.LSTM(5, 4, bidirectional=True, batch_first=True)" in said
    assert "nn.RNN(4, 2, nonlinearity='relu', batch_first=True)" in said
    assert "stack_l1.weight_hh_l0_reverse" in np.load(out)


def test_verify_passes_equal_files_and_detects_one_changed_number(file: Path, capsys: Any) -> None:
    import h5py

    out = file.with_name("out.weights.h5")
    assert main(["port", str(file), str(out), *RELU]) == 0
    assert main(["verify", str(file), str(out), *RELU]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "The 4 compared are the same. out.weights.h5 does not state activation='relu' of plain."
    with h5py.File(out, "r+") as h5:
        h5["layers/gru/cell/vars/1"][0, 0] += 0.01
    assert main(["verify", str(file), str(out)]) == 1
    said = capsys.readouterr().out
    assert "kernel is 0.01 off at gate update, " in said
    assert "These differ: gru." in said
    assert main(["verify", str(file), str(out), "--layer", "stack_l0"]) == 0


def test_verify_detects_a_missing_layer_and_another_activation(file: Path, capsys: Any) -> None:
    out, whole = file.with_name("one.weights.h5"), file.with_name("whole.keras")
    assert main(["port", str(file), str(out), "--layer", "gru"]) == 0
    assert main(["verify", str(file), str(out)]) == 1
    missing = capsys.readouterr().out.splitlines()[-1].removeprefix("Missing from one.weights.h5: ")
    assert set(missing.removesuffix(".").split(", ")) == {"stack_l0", "stack_l1", "plain"}
    each = [argument for name in ("gru", "stack_l0", "stack_l1", "plain") for argument in ("--layer", name)]
    assert main(["port", str(file), str(whole), *RELU, *each]) == 0
    assert main(["verify", str(file), str(whole), *RELU]) == 0
    assert "The 4 compared are the same. model.weights.h5 does not state return_sequences=True" in capsys.readouterr().out
    assert main(["verify", str(file), str(whole), "--option", "plain.activation=tanh"]) == 1
    said = capsys.readouterr().out
    assert "plain: activation is relu, not tanh; output is" in said
    assert "These differ: plain." in said
    assert main(["verify", str(file), str(whole)]) == 0
    assert "activation='relu' of plain." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["port", "{file}", "{file}"], "--force"),
        (["port", "{file}", "out.txt"], "ending"),
        (["port", "{file}", "out.pt", "--layer", "nope"], "gru, stack_l0"),
        (["port", "{file}", "out.pt", "--layer", "plan"], "Is it 'plain'?"),
        (["inspect", "{file}", "--option", "gru.activaton=relu"], "Is it 'activation'?"),
        (["port", "{file}", "nowhere/out.pt"], "must be writable"),
        (["inspect", "{file}", "--option", "stack_l0.reset_after=False"], "reset_after of stack_l0"),
        (["port", "missing.h5", "out.pt"], "cannot be opened"),
        (["port", "{file}", "out.pt", "--option", "gru.reset_after=False"], "reset_after"),
        (["verify", "{file}", "missing.h5"], "cannot be opened"),
        (["verify", "{file}", "{file}", "--layer", "nope"], "gru, stack_l0"),
    ],
)
def test_an_error_is_one_line_with_status_2(
    file: Path, arguments: list[str], said: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    content = file.read_bytes()
    assert main([each.format(file=file) for each in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("gatewise: ")
    assert said in message
    assert (file.read_bytes(), [each.name for each in file.parent.iterdir()]) == (content, [file.name])


@pytest.mark.parametrize("command", ["inspect", "port", "verify"])
def test_an_architecture_for_a_torch_file_is_refused(command: str, file: Path, capsys: Any) -> None:
    source, out, architecture = (str(file.with_name(name)) for name in ("source.npz", "out.pt", "model.json"))
    assert main(["port", str(file), source, *RELU]) == main(["port", source, out]) == 0
    Path(architecture).write_text('{"class_name": "Sequential", "config": []}')
    arguments = [command, source, *([] if command == "inspect" else [out, *["--force"] * (command == "port")])]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main([*arguments, "--architecture", architecture]) == 2
    assert "architecture for source.npz must be left out" in capsys.readouterr().err


def test_a_layer_without_a_name_is_shown_in_quotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    source, out = tmp_path / "bare.pt", tmp_path / "out.npz"
    torch.save(torch.nn.GRU(3, 4).state_dict(), source)
    assert main(["port", str(source), str(out)]) == 0
    assert "''       GRU   nn.GRU(3, 4)" in capsys.readouterr().out
    assert main(["port", str(source), str(tmp_path / "other.npz"), "--layer", "nope"]) == 2
    assert "one of the recurrent layers '', but is not there" in capsys.readouterr().err


@pytest.mark.backend
def test_names_that_a_framework_forbids_are_ported_and_verified(tmp_path: Path, capsys: Any) -> None:
    import torch
    from torch import nn

    state = {f"0.lstm.{name}": tensor for name, tensor in nn.LSTM(3, 4, bidirectional=True).state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    for out in ("out.keras", "out.weights.h5", "out.npz"):
        assert main(["port", str(tmp_path / "model.pt"), str(tmp_path / out)]) == 0
        assert main(["verify", str(tmp_path / "model.pt"), str(tmp_path / out), "--option", "0.lstm.batch_first=true"]) == 0
    assert capsys.readouterr().out.count("All 1 are the same.") == 3


def test_the_command_line_states_the_kind_of_arrays_and_vouches_for_a_cell_even_without_a_name(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.checkpoints.terminal_tables._WIDTH", 160)
    import torch
    from torch import nn

    words = {f"words.{name}": array for name, array in nn.Embedding(11, 3).state_dict().items()}
    torch.save({**nn.LSTM(3, 4).state_dict(), **words}, tmp_path / "model.pt")
    assert main(["inspect", str(tmp_path / "model.pt")]) == 2
    refusal = capsys.readouterr().err
    assert "it also has words, so it may compute something else" in refusal
    assert "(--option .cell=lstm)" in refusal  # as the next lines do
    vouched = ["inspect", str(tmp_path / "model.pt"), "--option", ".cell=lstm"]
    assert main(vouched) == 0
    shown = capsys.readouterr().out
    assert "words          arrays  weight (11, 3)" in shown
    assert "batch_first=?" in shown
    assert main([*vouched, "--option", "words.kind=Embedding", "--option", "batch_first=True"]) == 0
    shown = capsys.readouterr().out
    assert "words          Embedding  weight (11, 3)" in shown
    assert "batch_first=True" in shown


def test_a_layer_without_a_name_is_verified_against_its_new_name(tmp_path: Path, capsys: Any) -> None:
    import torch
    from torch import nn

    torch.save(nn.LSTM(3, 4).state_dict(), tmp_path / "model.pt")
    torch.save(nn.LSTM(3, 4).state_dict(), tmp_path / "other.pt")
    out = str(tmp_path / "out.weights.h5")
    assert main(["port", str(tmp_path / "model.pt"), out]) == 0
    assert main(["verify", str(tmp_path / "model.pt"), out]) == 0
    assert main(["verify", str(tmp_path / "other.pt"), out]) == 1
    assert "is not there" not in capsys.readouterr().out


def test_layers_with_names_and_places_numbered_alike_share_a_row(tmp_path: Path, capsys: Any) -> None:
    import torch
    from torch import nn

    model = nn.ModuleDict(
        {"rnn": nn.GRU(4, 2), "layers": nn.ModuleList([nn.TransformerEncoderLayer(4, 2, 8) for _ in range(12)])}
    )
    torch.save(model.state_dict(), tmp_path / "model.pt")
    for command in (["inspect"], ["port"]):
        assert main([*command, str(tmp_path / "model.pt"), *[str(tmp_path / "out.npz")] * (command == ["port"])]) == 0
        said = capsys.readouterr().out
        assert "layers.{0-11}.norm{1-2}" in said
        assert len(said.splitlines()) < 24
    assert main(["inspect", str(tmp_path / "model.pt"), "--json"]) == 0
    assert "layers.7.norm1" in capsys.readouterr().out


def test_a_port_made_by_hand_is_verified_under_its_own_name(tmp_path: Path, capsys: Any) -> None:
    import torch
    from torch import nn

    rnn, other = nn.GRU(3, 4), nn.GRU(3, 4)
    for name, module in (("model", nn.ModuleDict({"a": rnn, "b": other})), ("mine", nn.ModuleDict({"encoder": rnn}))):
        torch.save(module.state_dict(), tmp_path / f"{name}.pt")
    files = ["verify", str(tmp_path / "model.pt"), str(tmp_path / "mine.pt")]
    assert main(files) == 1
    said = capsys.readouterr().out
    assert "a = encoder" in said
    assert "b: is missing from mine.pt, whose recurrent layers are encoder" in said
    assert main([*files, "--layer", "a=encoder"]) == 0
    assert main([*files, "--layer", "b=encoder"]) == 1
    assert main([*files, "--layer", "a=encode"]) == 2
    assert "encoder" in capsys.readouterr().err


def command(*arguments: object, **how: Any) -> Any:
    return subprocess.run([sys.executable, "-m", "compare", *map(str, arguments)], check=False, text=True, **how)


def test_a_closed_pipe_or_a_full_disk_gives_no_traceback(file: Path) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    for arguments in (["inspect", file], ["--help"]):
        with Path("/dev/full").open("w") as full:
            process = command(*arguments, stdout=full, stderr=subprocess.PIPE, env=buffered)
        assert (process.returncode, process.stderr.count("\n")) == (2, 1)
        assert "No space left" in process.stderr
    reading, writing = os.pipe()
    os.close(reading)
    process = command("inspect", file, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (process.returncode, process.stderr) == (2, "")


def test_a_full_disk_leaves_no_file(file: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    # Python does not notice that it wrote half of a .pyc file, which would break every later process.
    without_bytecode = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = command("port", file, file.with_name("out.npz"), stderr=subprocess.PIPE, preexec_fn=small, env=without_bytecode)
    assert process.returncode == 2
    assert "must be writable, but writing it failed" in process.stderr
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_folder_that_may_not_be_written_to_is_named(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    whole = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if ".tmp-" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    out = file.with_name("out.npz")
    assert main(["port", str(file), str(out), *RELU]) == 2
    assert (
        f"gatewise: {out} must be writable, but writing it failed with: [Errno 13] Permission denied" in capsys.readouterr().err
    )


def test_a_name_that_the_terminal_cannot_show_is_escaped(file: Path) -> None:
    out = file.with_name("out.npz")
    save_checkpoint(out, {"größe\x1b[2J": build("pytorch", RecurrentSpec("gru", 3, 4))})
    process = command(
        "inspect", out, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )
    assert "gr\\xf6\\xdfe\\x1b[2J" in process.stdout
    assert process.returncode == 0


def test_an_interrupt_is_reported_in_one_line(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("compare.checkpoints.inspection.describe", interrupted)
    assert main(["inspect", str(file)]) == 130
    assert capsys.readouterr().err == "gatewise: interrupted.\n"
