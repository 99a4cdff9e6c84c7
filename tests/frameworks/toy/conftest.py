"""The toy framework, registered for each test."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from frameworks import rows

INPUT, HIDDEN = 5, 7
TOY: Any = "toy"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register the toy framework, and return its package."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    package: Any = import_module("toy")
    register(monkeypatch, package.ROW)
    return package


def register(monkeypatch: pytest.MonkeyPatch, row: Any) -> None:
    monkeypatch.setattr(rows, "FRAMEWORKS", (*rows.FRAMEWORKS[:2], row))
