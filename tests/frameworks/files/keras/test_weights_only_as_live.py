"""A layer of a file that holds weights alone is compared and copied as a live one.

Covers: `frameworks/files/keras/weights_only.py`, `frameworks/files/stored.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frameworks.files import open_checkpoint
from tests.frameworks.files.keras.test_weights_only import H, arrays_of, write

pytestmark = pytest.mark.frameworks


def test_a_layer_in_a_file_is_compared_and_copied_like_a_live_one(tmp_path: Path) -> None:
    from compare import check_parity
    from frameworks import copy_weights, emulate

    stored = open_checkpoint(write(tmp_path / "w.h5", {"rec": arrays_of(4, (8 * H,))}, "2.1.5"))["rec"]
    module: Any = stored.convert("pytorch")
    assert check_parity(stored, module, gradients=True).passed
    copy_weights(stored, module)
    assert type(emulate(stored, to="pytorch")) is type(stored.emulate("pytorch"))
    module.weight_hh_l0.data += 1
    assert not check_parity(stored, module).passed
