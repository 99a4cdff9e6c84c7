"""A graph that is read from a file computes what the model does: the same wiring, states and masks, call by call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from frameworks.models.reading import read_graph
from tests.frameworks.models.reading.interpreter import run
from tests.frameworks.models.reading.models import MODELS

FRAMEWORKS = {"3": keras, "2": tf_keras}


def _inputs(model: Any) -> list[Any]:
    """Return inputs whose masks have holes; a row without any valid step is among them."""
    generator = np.random.default_rng(1)
    inputs: list[Any] = []
    for each in model.inputs:
        sizes = (4, *(6 if size is None else size for size in each.shape[1:]))
        name = getattr(each.dtype, "name", each.dtype)
        if name == "bool":
            inputs.append(generator.random(sizes) < 0.6)
        elif name.startswith("int"):
            inputs.append(generator.integers(0, 11, sizes) * (generator.random(sizes) < 0.6))
        else:
            inputs.append(generator.normal(size=sizes).astype("float32"))
            if len(sizes) > 2:
                inputs[-1] *= generator.random((*sizes[:2], *[1] * (len(sizes) - 2))) < 0.6
    return inputs


@pytest.mark.parametrize(("version", "ending"), [("3", ".keras"), ("2", ".h5")])
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
@pytest.mark.filterwarnings("ignore:.*does not support masking and will therefore destroy the mask")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_the_graph_computes_what_the_model_does(build: Callable[[Any], Any], version: str, ending: str, tmp_path: Path) -> None:
    model = build(FRAMEWORKS[version])
    model.set_weights([np.random.default_rng(2).normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    path = tmp_path / f"model{ending}"
    model.save(path)
    inputs = _inputs(model)
    graph = read_graph(path)
    expected = model(_as_taken(model, inputs))
    expected = {name: expected[name] for name in sorted(expected)} if isinstance(expected, dict) else expected
    actual = run(graph, model, inputs)
    assert isinstance(actual, list) == isinstance(expected, (list, tuple))
    flat_expected, flat_actual = _flat(expected), _flat(actual)
    assert len(flat_expected) == len(flat_actual)
    for one, other in zip(flat_expected, flat_actual, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, atol=2e-6)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[name] for name in sorted(value)]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _as_taken(model: Any, inputs: list[Any]) -> Any:
    if isinstance(getattr(model, "_inputs_struct", None), dict):
        return dict(zip([each.name for each in model.inputs], inputs, strict=True))
    return inputs if len(inputs) > 1 else inputs[0]
