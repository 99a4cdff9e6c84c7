"""Remedies of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compare.commands import report, verify
from compare.report.results import RESULTS
from compare.report.target import read_committed, require_writable
from tests.remedies.following import case, refuses


def verified(*words: Any) -> Any:
    """Run the command verify."""
    parser = argparse.ArgumentParser()
    verify.add_arguments(parser)
    return verify.run(parser.parse_args([str(word) for word in words]))


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
