"""Keras 2.12 and 2.13 number the groups of a .keras file differently, and on Windows separate them by another character.

Covers: `frameworks/files/keras/paths.py`, `frameworks/files/keras/zip.py`.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.files import open_checkpoint

LAYERS: list[dict[str, Any]] = [
    {"class_name": "LSTM", "config": {"name": "first", "units": 2, "return_sequences": True}},
    {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}},
    {"class_name": "LSTM", "config": {"name": "second", "units": 2, "return_sequences": True}},
    {"class_name": "Dense", "config": {"name": "dense", "units": 1}},
    {"class_name": "LSTM", "config": {"name": "third", "units": 2}},
]


def old_places() -> dict[str, str]:
    """Number layers as Functional._layer_checkpoint_dependencies and _save_container_state of Keras 2.12 do.

    Each layer with weights stands in the dictionary twice, first as layer_with_weights-N, and every entry takes a number.
    """
    used: dict[str, int] = {}
    places: dict[str, str] = {}
    for layer in LAYERS:
        kind = layer["class_name"].lower()
        for _ in range(1 if kind == "dropout" else 2):
            name = f"{kind}_{used[kind]}" if kind in used else kind
            used[kind] = used.get(kind, 0) + 1
            places.setdefault(layer["config"]["name"], name)
    return places


@pytest.mark.parametrize("sign", ["/", "\\"])
def test_the_layers_are_found_by_their_rank_among_those_of_their_class(tmp_path: Path, sign: str) -> None:
    places = old_places()
    assert places == {"first": "lstm", "drop": "dropout", "second": "lstm_2", "dense": "dense", "third": "lstm_4"}
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for number, (name, place) in enumerate(places.items()):
            shapes = [(2 if number else 3, 8), (2, 8), (8,)] if place.startswith("lstm") else [(2, 1), (1,)] * (name == "dense")
            for index, shape in enumerate(shapes):
                parts = ["_layer_checkpoint_dependencies", place, *["cell"] * place.startswith("lstm")]
                file[f"{sign.join(parts)}{sign}vars/{index}"] = np.full(shape, number, "float32")
    with zipfile.ZipFile(tmp_path / "old.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.12.0"}))
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": LAYERS}}))
        archive.writestr("model.weights.h5", content.getvalue())
    checkpoint = open_checkpoint(tmp_path / "old.keras")
    assert [int(layer.weights.layers[0][0].kernel[0, 0, 0]) for layer in checkpoint.values()] == [0, 2, 4]
    assert int(checkpoint.others["dense"].arrays["kernel"][0, 0]) == 3
