"""`gatewise inspect` shows the wiring of any model, also of one without a recurrent layer, and reads its file once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest

from compare.cli import main
from frameworks.files.formats import Format


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a recurrent layer, and its weights alone."""
    folder = tmp_path_factory.mktemp("inspected")
    x = keras.Input((4,), name="features")
    model = keras.Model(x, keras.layers.Add(name="sum")([keras.layers.Dense(4, name="head")(x), x]))
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return folder / "model.keras"


def test_a_model_without_a_recurrent_layer_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "kernel (4, 4), bias (4,)" in shown
    assert "What feeds what: from features (any, 4) to sum (any, 4)" in shown
    assert "head, features" in shown
    assert "In :" not in shown


def test_its_wiring_is_among_the_data(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(file), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert results["layers"] == []
    assert [each["name"] for each in results["others"]] == ["head", "sum"]
    assert [call["reads"] for call in results["wiring"][0]["calls"]] == [["features"], ["head", "features"]]


def test_a_file_of_weights_alone_without_a_recurrent_layer_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(file.with_name("model.weights.h5"))]) == 2
    assert "must hold a recurrent layer" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--graph"]])
def test_the_file_is_read_once(file: Path, flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    known, reads = Format.read_described, []

    def counted(self: Format, *given: Any) -> Any:
        reads.append(self.name)
        return known(self, *given)

    monkeypatch.setattr(Format, "read_described", counted)
    monkeypatch.setattr(Format, "read", counted)
    assert main(["inspect", str(file), *flags]) == 0
    assert reads == ["Keras zip"]
