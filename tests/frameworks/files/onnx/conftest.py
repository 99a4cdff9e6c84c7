"""The nodes that onnxruntime ran, and what it returned; data/README.md says how that was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import StoredLayer, open_checkpoint

RECORDED = np.load(Path(__file__).parents[1] / "data" / "onnx_nodes.npz")


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    def open_one(name: str) -> StoredLayer:
        path = tmp_path / "model.onnx"
        path.write_bytes(RECORDED[f"{name}/model"].tobytes())
        return open_checkpoint(path)["rec"]

    return open_one
