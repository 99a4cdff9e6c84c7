"""A .keras file of single layers holds no model: it says so, and the way that it names gives the model.

Covers: `frameworks/files/writing/keras`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint, save_checkpoint

pytestmark = pytest.mark.frameworks

OPENING = """
import sys, keras
try:
    keras.models.load_model(sys.argv[1])
except Exception as error:
    print("refused", type(error).__name__)
import frameworks.keras
print(keras.models.load_model(sys.argv[1]).get_layer("rnn").units)
"""


def old_model() -> Any:
    import tf_keras

    kinds = tf_keras.layers
    layers = [kinds.GRU(5, recurrent_activation="hard_sigmoid", name="rnn"), kinds.Dense(1, activation="sigmoid", name="out")]
    model = tf_keras.Sequential([tf_keras.Input((7, 4)), *layers])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.6, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, dict[str, str]]:
    """A model of Keras 2, a folder with its ports, and the caveats of each layer in the .keras file."""
    folder, model = tmp_path_factory.mktemp("ported"), old_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "old.h5")
    checkpoint = open_checkpoint(folder / "old.h5")
    written = save_checkpoint(folder / "new.keras", {**checkpoint, **checkpoint.others})
    save_checkpoint(folder / "new.weights.h5", checkpoint)
    return model, folder, {each.name: " ".join(each.caveats) for each in written}


def test_every_layer_of_a_written_keras_file_is_said_to_be_unconnected(ported: tuple[Any, Path, dict[str, str]]) -> None:
    import keras

    _, folder, caveats = ported
    for name in ("rnn", "out"):
        assert "not the model that connects it" in caveats[name]
        assert "model.load_weights" in caveats[name]
    assert len(keras.models.load_model(folder / "new.keras").inputs) == 2  # a sequence for the GRU, and a vector for the head


def test_the_way_by_weights_gives_the_model(ported: tuple[Any, Path, dict[str, str]]) -> None:
    import keras

    model, folder, caveats = ported
    code = caveats["rnn"].partition("pass keras2_hard_sigmoid as ")[2]
    kinds = keras.layers
    gate = eval(code, {"keras": keras})  # noqa: S307  our own code
    layers = [kinds.GRU(5, recurrent_activation=gate), kinds.Dense(1, activation="sigmoid")]
    rebuilt = keras.Sequential([keras.Input((7, 4)), *layers])
    rebuilt.load_weights(folder / "new.weights.h5")
    x = np.random.default_rng(1).normal(size=(3, 7, 4)).astype("float32")
    expected = np.asarray(model(x))
    np.testing.assert_allclose(np.asarray(rebuilt(x)), expected, atol=1e-6)
    wrong = keras.Sequential([keras.Input((7, 4)), kinds.GRU(5, recurrent_activation="hard_sigmoid"), layers[1]])
    wrong.layers[0].set_weights(rebuilt.layers[0].get_weights())
    assert np.abs(np.asarray(wrong(x)) - expected).max() > 1e-3


def test_a_file_that_opens_only_with_gatewise_says_so(ported: tuple[Any, Path, dict[str, str]]) -> None:
    _, folder, caveats = ported
    assert "opens the file only after `import frameworks.keras`" in caveats["rnn"]
    assert "frameworks.keras" not in caveats["out"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path)), "KERAS_BACKEND": "torch"}  # the faster to import
    command = [sys.executable, "-W", "ignore", "-c", OPENING, str(folder / "new.keras")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["refused", "5"]
