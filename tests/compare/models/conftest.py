"""The Keras models of these tests, each built once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.compare.models.ports import MODELS


@cache
def _model(name: str) -> Any:
    return MODELS[name][0]()


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[Any, Any]]:
    """Return a Keras model and its port with a mistake."""

    def make(name: str, mistake: str = "") -> tuple[Any, Any]:
        return _model(name), MODELS[name][1](_model(name), mistake).eval()

    return make
