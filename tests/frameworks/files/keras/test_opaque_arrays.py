"""Opaque arrays that are not bfloat16 are not read.

Covers: `frameworks/files/untrusted/h5.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from frameworks.files import open_checkpoint


def test_opaque_items_of_two_bytes_are_bfloat16_and_other_opaque_arrays_are_refused(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(((5, 16), (4, 16), (16,))):
            file.create_dataset(f"layers/lstm/cell/vars/{number}", data=np.zeros(shape, "V4"))
    with refused():
        open_checkpoint(path)
