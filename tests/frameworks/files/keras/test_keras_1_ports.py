"""A layer of Keras 1 is ported to every format and to both frameworks.

Covers: `frameworks/files/keras/keras1.py`, `frameworks/files/building/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frameworks.files import open_checkpoint, save_checkpoint
from tests.frameworks.files.keras.test_keras_1 import EQUATIONS, config, draw, inputs, write


@pytest.mark.parametrize("kind", EQUATIONS)
def test_a_layer_is_ported_to_every_format_and_framework(kind: str, tmp_path: Path) -> None:
    arrays = draw(kind, seed=4)
    checkpoint = write(tmp_path / "old.h5", [config("rec", kind)], {"rec": arrays})
    expected = EQUATIONS[kind](arrays, inputs())
    with torch.no_grad():
        emulated: Any = checkpoint["rec"].emulate("pytorch")
        np.testing.assert_allclose(emulated(torch.from_numpy(inputs())).numpy(), expected, atol=2e-6)
    in_keras: Any = checkpoint["rec"].emulate("keras")
    np.testing.assert_allclose(np.asarray(in_keras(inputs())), expected, atol=2e-6)
    for ending in (".safetensors", ".pt", ".weights.h5"):
        save_checkpoint(tmp_path / f"new{ending}", checkpoint)
        told: Any = {"rec": dict(checkpoint["rec"].spec.cell_options)} if ending == ".weights.h5" else None
        again = open_checkpoint(tmp_path / f"new{ending}", options=told)["rec"]
        np.testing.assert_allclose(np.asarray(again.forward(inputs()).output), expected, atol=2e-6)
