"""An activation that an older Keras lacks is refused by name, wherever a layer of Keras is to compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest

from frameworks import RecurrentSpec, build
from frameworks.keras.activations import find_activation

SPEC = RecurrentSpec("lstm", 3, 4, recurrent_activation="softsign")


def test_an_activation_that_this_keras_lacks_is_refused(monkeypatch: pytest.MonkeyPatch, refused: Callable[..., Any]) -> None:
    assert build("keras", SPEC).spec == SPEC
    assert find_activation("softsign") is keras.activations.softsign
    monkeypatch.delattr(keras.activations, "softsign")
    for fail in (lambda: build("keras", SPEC), lambda: find_activation("softsign")):
        with refused("the activation 'softsign'", f"missing in Keras {keras.__version__}", "newer Keras"):
            fail()
