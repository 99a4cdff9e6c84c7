"""Remedies of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
import torch
from torch import nn

from compare.commands import port, report, verify
from compare.commands.searching import porting
from compare.commands.searching.arguments import Named
from compare.report.results import RESULTS
from compare.report.target import read_committed, require_writable
from tests.remedies.cases_searching import running
from tests.remedies.following import case, refuses


def ran(command: Any, *words: Any) -> Any:
    """Run a command."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def verified(*words: Any) -> Any:
    """Run the command verify."""
    return ran(verify, *words)


@case
def layers_to_verify(folder: Path) -> None:
    one, other = folder / "one.pt", folder / "other.pt"
    net = nn.ModuleDict({"rnn": nn.LSTM(3, 4), "head": nn.Linear(4, 2)})
    torch.save(net.state_dict(), one)
    torch.save({name.replace("head", "top"): value for name, value in net.state_dict().items()}, other)
    with refuses("Choose another with --layer NAME=OTHER."):
        verified(one, other, "--layer", "head=rnn")
    assert verified(one, other, "--layer", "head=top").status == 0


@case
def options_that_do_not_fit_what_is_written(folder: Path) -> None:
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4, name="lstm"), keras.layers.Dense(2)])
    model.save(folder / "model.keras")
    file, source, other = folder / "model.keras", folder / "out.py", folder / "out.pt"
    with refuses("Leave it out, or name another OUT."):
        ran(port, file, source, "--no-proof", "--layer", "lstm")
    assert ran(port, file, source, "--no-proof").status == 0
    assert ran(port, file, folder / "lstm.pt", "--layer", "lstm").status == 0
    assert ran(port, file, other).status == 0
    for command in (port, verify):
        with refuses("Leave it out, or name OUT.py."):
            ran(command, file, other, "--inputs", folder / "inputs.npz")
    assert verified(file, other).status == 0
    with refuses("Leave it out."):
        verified(file, source, "--layer", "lstm")


@case
def a_model_that_would_be_replaced_by_its_port(folder: Path) -> None:
    file = folder / "model.py"
    file.write_text("import keras\n\n\ndef make():\n    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n")
    with refuses("Name another OUT.py."):
        ran(port, f"{file}:make", file, "--no-proof", "--force")
    porting.require_another_file(Named(file, "make"), folder / "out.py")


@case
def arrays_that_are_not_beside_their_source(folder: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(folder / "model.keras")
    written = ("model.keras", "out.py", "--no-proof")
    ran(port, *(folder / each if "." in each else each for each in written))
    arrays = folder / "out.safetensors"
    arrays.replace(folder / "kept")
    with running() as files, refuses("Put that file back, or write both again: gatewise port MODEL OUT.py --force."):
        porting._port_of(Named(folder / "out.py", "build"), files)
    (folder / "kept").replace(arrays)
    with running() as files:
        assert porting._port_of(Named(folder / "out.py", "build"), files)(torch.ones(1, 3)).shape == (1, 2)


@case
def where_a_report_is_written(folder: Path) -> None:
    files = ("README.md", RESULTS)
    (folder / "file").write_text("")
    with refuses("Choose another --out."):
        require_writable(folder / "file", files, force=False)
    (folder / "blocked" / "README.md").mkdir(parents=True)
    with refuses("Rename it, or choose another --out."):
        require_writable(folder / "blocked", files, force=False)
    (folder / "blocked" / "README.md").rename(folder / "blocked" / "kept")
    (folder / "own").mkdir()
    (folder / "own" / "README.md").write_text("mine")
    with refuses("Choose another --out, or replace what is there with --force."):
        require_writable(folder / "own", files, force=False)
    for out, force in (("blocked", False), ("own", True), ("new", False)):
        require_writable(folder / out, files, force=force)
    with refuses("Run `gatewise report` first, or name the folder of the reports with --out."):
        read_committed(folder / "new")
    assert read_committed(Path(report.__file__).parents[2] / "reports")
