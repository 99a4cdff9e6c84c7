"""Remedies of the proofs of ports of whole models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compare.models.proving.gaps import cut_at_gaps
from compare.models.proving.proving import Port, load_port, prove
from frameworks.models import port_model, to_source
from frameworks.models.reading import read_graph
from tests.remedies.following import case, refuses

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


@case
def the_inputs_of_a_proof() -> None:
    model = keras.Sequential([keras.Input((4,), name="rows"), keras.layers.Dense(3)])
    port = port_model(model)
    for wrong in ({"columns": X}, (X, X)):
        with refuses("Pass them by these names, or in this order."):
            prove(model, port, wrong)
    for right in ({"rows": X}, (X,)):
        assert prove(model, port, right).status == 0


@keras.saving.register_keras_serializable("remedies")
class Picky(keras.layers.Layer):  # type: ignore[misc]
    """A layer that refuses whatever is drawn."""

    def call(self, x: Any) -> Any:
        if x.shape[0] not in (None, 2):
            raise ValueError("two rows, please")
        return x


@case
def inputs_that_cannot_be_drawn() -> None:
    rows = keras.Input((4,), name="rows")
    model = keras.Model(rows, Picky(name="picky")(keras.layers.Dense(3)(rows)))
    port = port_model(keras.Model(rows, model.layers[-2].output))  # the last layer passes on what it gets
    with refuses("Pass inputs that it accepts: inputs=..., or --inputs FILE.npz."):
        prove(model, port)
    assert prove(model, port, X[:2]).status == 0


@case
def a_gap_in_a_nested_model(folder: Path) -> None:
    rows = keras.Input((4,), name="rows")
    inner = keras.Sequential([keras.Input((4,)), Picky(name="picky")], name="inner")
    model = keras.Model(rows, keras.layers.Dense(2)(inner(rows)))
    model.save(folder / "model.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(keras.saving.get_custom_objects(), "remedies>Picky")
        with refuses("Name a Python file that makes the model with that layer: FILE.py:NAME in place of the file."):
            cut_at_gaps(read_graph(folder / "model.keras"))
    source = to_source(model)
    path, _ = source.write(folder / "port.py")
    proof = prove(model, Port(load_port(path), path.name, source.gaps), X[:2])
    assert (proof.whole, proof.failed, len(proof.calls)) == (True, None, 1)
    assert [each.how for each in proof.layers if each.kind == "Dense"] == ["alone"]
