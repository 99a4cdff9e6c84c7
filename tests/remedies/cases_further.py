"""Remedies for a pipe instead of a file, and for one time step of a TimeDistributed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from frameworks.emulation.pytorch import KerasGRU, KerasTimeDistributed
from frameworks.files import open_checkpoint
from gatewise import assert_parity, one_step
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


@case
def one_step_of_a_time_distributed() -> None:
    module, x = KerasTimeDistributed(KerasGRU(4, input_size=3)).eval(), torch.randn(2, 5, 6, 3)
    with refuses("Call its `layer` on each outer step, or pass its `layer` for the steps within one."):
        one_step(module)
    states: list[torch.Tensor] = []
    whole, step = module(x), one_step(module.layer)
    np.testing.assert_allclose(module.layer(x[:, 1]).detach(), whole[:, 1].detach(), atol=1e-6)
    for time in range(6):
        y, *states = step(x[:, 1, time], *states)
    np.testing.assert_allclose(y.detach(), whole[:, 1].detach(), atol=1e-6)
