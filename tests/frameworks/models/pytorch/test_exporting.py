"""What README says of exporting a port: what traces, what torch.export takes, and what to use for packed sequences.

Covers: `frameworks/models/pytorch/recurrent/masked.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch.export import Dim, export

from frameworks import emulate
from frameworks.models import port_model

pytestmark = pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning")  # of any nn.LSTM

layers = keras.layers
EXAMPLE = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 1, 2, 0]], dtype=torch.int32)
PADDED = torch.tensor([[1, 2, 3, 4, 0, 0, 0], [4, 5, 1, 2, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0]], dtype=torch.int32)
HOLED = torch.tensor([[0, 2, 0, 4, 0, 6, 0], [0, 0, 0, 0, 0, 0, 0], [3, 0, 0, 1, 2, 0, 4]], dtype=torch.int32)
BATCH = {0: Dim("batch")}


def tagger(*, packs: bool) -> Any:
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(tokens)
    x = layers.GRU(3, return_sequences=True)(x)
    read = [layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x), layers.LSTM(3, return_state=True)(x)[2]]
    return keras.Model(tokens, read if packs else layers.Dense(2)(x))


def assert_same(model: Any, program: Any, x: torch.Tensor) -> None:
    made, expected = program(x), model(x.numpy())
    made, expected = (each if isinstance(each, (tuple, list)) else [each] for each in (made, expected))
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_allclose(one.detach(), other, atol=1e-5)


@pytest.mark.parametrize(("padding", "x"), [("any", HOLED), ("end", PADDED)])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_trace_takes_packed_sequences_of_any_size(padding: Any, x: torch.Tensor, tmp_path: Path) -> None:
    model = tagger(packs=True)
    model.save(tmp_path / "model.keras")
    trace: Any = torch.jit.trace
    assert_same(model, trace(port_model(tmp_path / "model.keras", padding=padding), (EXAMPLE,)), x)


def test_what_does_not_pack_is_exported_with_a_free_batch_axis(tmp_path: Path) -> None:
    model = tagger(packs=False)
    model.save(tmp_path / "model.keras")
    program = export(port_model(tmp_path / "model.keras"), (EXAMPLE,), dynamic_shapes=(BATCH,))
    assert_same(model, program.module(), HOLED[:, :5])


def test_packed_sequences_are_exported_by_emulation() -> None:
    embedding, reads = layers.Embedding(7, 4, mask_zero=True), layers.LSTM(3, return_sequences=True)
    model = keras.Sequential([keras.Input((None,), dtype="int32"), embedding, layers.Bidirectional(reads)])
    with pytest.raises(Exception, match=r"zeros|data-dependent"):
        export(port_model(model), (EXAMPLE,))
    program = export(emulate(model), (EXAMPLE,), dynamic_shapes=({**BATCH, 1: Dim("time")},))
    assert_same(model, program.module(), HOLED)
