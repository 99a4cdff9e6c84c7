"""Remedies for a pipe instead of a file, and for one time step of a TimeDistributed."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from frameworks.files import open_checkpoint
from gatewise import assert_parity
from tests.remedies.following import case, refuses


@case
def a_pipe_instead_of_a_file(folder: Path) -> None:
    rnn = nn.GRU(3, 4, batch_first=True)
    torch.save(rnn.state_dict(), folder / "rnn.pt")
    os.mkfifo(folder / "pipe")
    with refuses("Save its bytes to a file, and open that."):
        open_checkpoint(folder / "pipe")
    (folder / "copy.pt").write_bytes((folder / "rnn.pt").read_bytes())
    assert_parity(rnn, open_checkpoint(folder / "copy.pt")[""])
